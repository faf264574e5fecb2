"""A Parquet file becomes a table of text: exact where its numbers are, in words where it cannot be."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm.errors import UnreadableFile
from crm.imports import parquet

UTC = dt.UTC


def read(path, table, **options):
    """Return what the conversion of a table written as Parquet says, and the rows it made."""
    pq.write_table(table, path / "a.parquet", **options)
    target = path / "a.arrow"
    answer = parquet.convert(str(path / "a.parquet"), str(target))
    rows = pa.ipc.open_stream(target).read_all()
    assert answer["rows"] == rows.num_rows == table.num_rows
    assert {field.type for field in list(rows.schema)[:-2]} <= {pa.string()}
    return answer, rows


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (pa.string(), "00123", "00123"), (pa.large_string(), "客户", "客户"), (pa.string_view(), "NA", "NA"),
        (pa.int64(), 9007199254740993, "9007199254740993"), (pa.uint8(), 7, "7"), (pa.int32(), -5, "-5"),
        (pa.float64(), 0.1, "0.1"), (pa.float64(), 3.0, "3"), (pa.float64(), 13800138000.5, "13800138000.5"),
        (pa.float64(), 1e-7, "0.0000001"), (pa.float64(), 1.234567890123457e18, "1234567890123457000"),
        (pa.float64(), -0.0, "0"), (pa.float64(), float("nan"), "nan"), (pa.float32(), 0.1, "0.1"),
        (pa.float32(), 1e14, "100000000000000"), (pa.float16(), 1.5, "1.5"),
        (pa.decimal128(38, 10), Decimal("12345678901234567890.0000000001"), "12345678901234567890.0000000001"),
        (pa.decimal128(38, 10), Decimal("0.0000000001"), "0.0000000001"), (pa.decimal128(12, 2), Decimal("1.20"), "1.20"),
        (pa.bool_(), True, "TRUE"), (pa.bool_(), False, "FALSE"), (pa.date32(), dt.date(2025, 3, 4), "2025-03-04"),
        (pa.timestamp("us"), dt.datetime.fromisoformat("2025-03-04 10:30"), "2025-03-04 10:30:00"),
        (pa.timestamp("ms"), dt.datetime.fromisoformat("2025-03-04 10:30:00.120"), "2025-03-04 10:30:00.12"),
        (pa.timestamp("ns"), dt.datetime.fromisoformat("2025-03-04"), "2025-03-04 00:00:00"),
        (pa.time32("s"), dt.time(10, 30), "10:30:00"), (pa.duration("us"), dt.timedelta(hours=42), "42:00:00"),
        (pa.list_(pa.string()), ["a", "ü"], '["a", "ü"]'), (pa.struct([("x", pa.int64())]), {"x": 1}, '{"x": 1}'),
        (pa.dictionary(pa.int32(), pa.string()), "red", "red"), (pa.null(), None, ""),
    ],
)  # fmt: skip
def test_a_value_becomes_exact_text_and_no_value_empty_text(tmp_path, kind, value, text):
    _, rows = read(tmp_path, pa.table({"a": pa.array([value, None, value], kind)}))

    assert rows["a"].to_pylist() == [text, "", text]
    assert rows["_row"].to_pylist() == rows["_line"].to_pylist() == [1, 2, 3]


def test_a_zone_is_kept_and_said(tmp_path):
    times = pa.array([dt.datetime(2025, 3, 4, 23, 30, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin"))

    answer, rows = read(tmp_path, pa.table({"when": times}))

    assert rows["when"].to_pylist() == ["2025-03-05 00:30:00"]
    assert answer["sentences"] == ["The times of “when” are those of the zone Europe/Berlin."]


def test_a_zone_that_nobody_knows_leaves_the_times_in_utc(tmp_path):
    times = pa.array([dt.datetime(2025, 3, 4, 23, 30, tzinfo=UTC)], pa.timestamp("us", "Nowhere/Else"))

    answer, rows = read(tmp_path, pa.table({"when": times}))

    assert rows["when"].to_pylist() == ["2025-03-04 23:30:00"]
    assert "UTC" in answer["sentences"][0]


def test_bytes_that_are_text_are_read_and_others_left_out_with_a_sentence(tmp_path):
    table = pa.table({"text": [b"a", "ü".encode()], "picture": [b"a", b"\xff\xd8"], "id": [1, 2]})

    answer, rows = read(tmp_path, table)

    assert rows.column_names == ["text", "id", "_row", "_line"]
    assert rows["text"].to_pylist() == ["a", "ü"]
    assert answer["sentences"] == ["Left out, for they hold bytes and no text: “picture”."]


def test_a_file_of_nothing_but_bytes_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="no column that can be read"):
        read(tmp_path, pa.table({"picture": [b"\xff\xd8"]}))


def test_nested_columns_are_pointed_out(tmp_path):
    answer, _ = read(tmp_path, pa.table({"tags": [["a"], []], "id": [1, 2]}))

    assert answer["sentences"] == ["Lists and structures were read as JSON text: “tags”."]


def test_names_are_made_unique(tmp_path):
    table = pa.Table.from_arrays([pa.array(["x"])] * 4, names=["Name", "name", "", "_row"])

    _, rows = read(tmp_path, table)

    assert rows.column_names == ["Name", "name (2)", "Column 3", "_row (2)", "_row", "_line"]


def test_rows_are_counted_on_over_groups_and_batches(tmp_path):
    table = pa.table({"id": range(150_000), "float": [at / 4 for at in range(150_000)]})

    _, rows = read(tmp_path, table, row_group_size=7_000)

    assert rows["_row"].to_pylist() == list(range(1, 150_001))
    assert rows["id"].to_pylist() == [str(at) for at in range(150_000)]
    assert rows["float"][1].as_py() == "0.25"


def test_a_file_without_rows_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="has no rows"):
        read(tmp_path, pa.table({"id": pa.array([], pa.string())}))


@pytest.mark.parametrize(("name", "limit"), [("MAX_ROWS", 2), ("MAX_COLUMNS", 1), ("MAX_CELLS", 5)])
def test_the_limits_hold_before_anything_is_decoded(tmp_path, monkeypatch, name, limit):
    monkeypatch.setattr(parquet, name, limit)
    monkeypatch.setattr(parquet, "_batches", None)

    with pytest.raises(UnreadableFile, match=f"up to {limit}"):
        read(tmp_path, pa.table({"a": [1, 2, 3], "b": [1, 2, 3]}))


def test_a_reader_that_loses_rows_stops_the_import(tmp_path, monkeypatch):
    def half(*given: Any) -> Any:
        yield from list(whole(*given))[:1]

    whole = parquet._batches
    monkeypatch.setattr(parquet, "_batches", half)

    with pytest.raises(UnreadableFile, match="has 100,000 rows, but 65,536 were read"):
        read(tmp_path, pa.table({"a": range(100_000)}))


def test_a_page_that_is_not_what_its_checksum_says_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": ["ORIGINAL TEXT"]}), path, write_page_checksum=True, compression="none")
    path.write_bytes(path.read_bytes().replace(b"ORIGINAL", b"CHANGED!", 1))

    with pytest.raises(UnreadableFile, match="damaged"):
        parquet.convert(str(path), str(tmp_path / "a.arrow"))


def test_an_encrypted_file_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": ["x"]}), path)
    path.write_bytes(path.read_bytes()[:-4] + b"PARE")

    with pytest.raises(UnreadableFile, match="encrypted"):
        parquet.convert(str(path), str(tmp_path / "a.arrow"))

"""Exports: every row in every format, no formula in any of them, and nothing left of a failure."""

import csv
import io
import itertools
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from crm import exports
from crm.errors import InvalidValue
from crm.exports import ExportResult, formats, to_bytes, write
from crm.formulas import guard, guarded, unguard, without_control
from crm.schema import FIELD

AS_OF = date(2025, 3, 31)
at = datetime.fromisoformat
DEFINITION = "Revenue over 1,000"

TRIGGERS = (
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "|cmd",
    "%0A=1",
    "＝1",
    "＋1",
    "－1",
    "＠1",
    "=cmd|' /C calc'!A0",
)
PREFIXES = (
    "",
    "\0",
    "\ufeff",
    "\u200b",
    " ",
    "\t",
    "\r",
    "\n",
    "\u3000",
    '"',
    '""',
    ";",
    ",",
    "'",
    "''",
    "\x85",
    "\u2028",
)
PAYLOADS = tuple(
    "".join(parts) for parts in itertools.product(PREFIXES, TRIGGERS)
)  # fmt: skip
HARMLESS = (
    "+442079460000", "+44 20 7946 0000", "-12,5", "-12.5", "+3%", "00123", "1,234.50", "O'Brien", "'s-Gravenhage", "a=b", "x@y.z",
    "12-34", "北京", "é", "50%", "a\nb", " padded ", "NULL", "",
)  # fmt: skip

TYPES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "name": (pa.string(), ["Ann", "", None]),
    "customer_id": (pa.large_string(), ["00123", "C2", "C3"]),
    "city": (pa.dictionary(pa.int32(), pa.string()), ["Rome", None, "Rome"]),
    "company": (pa.string_view(), ["A, B & <C>", 'say "hi"', None]),
    "orders": (pa.int32(), [1, None, -3]),
    "big": (pa.int64(), [2**53 + 1, 999_999_999_999_999, None]),
    "revenue": (pa.decimal128(18, 4), [Decimal("1000.1000"), Decimal("-0.0001"), None]),
    "lifecycle_years": (pa.float64(), [0.1, float("nan"), float("inf")]),
    "last_order_day": (pa.date32(), [date(2025, 3, 31), date(1890, 2, 28), None]),
    "seen_at": (pa.timestamp("us"), [at("2025-03-31 23:59:58"), at("2025-01-01 00:00:00.500000"), None]),
    "seen_zone": (pa.timestamp("ns", "UTC"), [at("2025-03-31 12:00:00"), None, None]),
    "email_consent": (pa.bool_(), [True, False, None]),
    "unknown": (pa.null(), [None, None, None]),
}  # fmt: skip

MIXED = pa.table({name: pa.array(values, kind) for name, (kind, values) in TYPES.items()})


def text_table(**columns: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def export(table: pa.Table, path: Path, **options: Any) -> ExportResult:
    return write(table.to_reader(max_chunksize=7), path, definition=DEFINITION, as_of=AS_OF, **options)


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, strict=True))


def read_xlsx(path: Path, sheet: str = "Data") -> list[list[Any]]:
    return CalamineWorkbook.from_path(path).get_sheet_by_name(sheet).to_python(skip_empty_area=False)


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def formulas_in(path: Path) -> int:
    """Count the formula cells and links of a workbook; every part must be well-formed XML."""
    found = 0
    for content in parts_of(path).values():
        root = ElementTree.fromstring(content)
        found += sum(element.tag.endswith(("}f", "}hyperlink")) for element in root.iter())
    return found


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Rows


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 40_000])
def test_every_row_arrives_once_and_in_order(tmp_path: Path, suffix: str, count: int) -> None:
    """The count reported is the count in the file, whatever the size of the batches."""
    ids = [f"C{number}" for number in range(count)]
    table = pa.table(
        {"revenue": pa.array(range(count), pa.float64()), "customer_id": pa.array(ids, pa.string())}
    )
    path = tmp_path / f"list{suffix}"
    result = export(table, path)

    match suffix:
        case ".csv":
            header, *rows = read_csv(path)
            read = [row[0] for row in rows]
        case ".xlsx":
            header, *rows = read_xlsx(path)
            read = [row[0] for row in rows]
        case _:
            stored = pq.read_table(path)
            header, read = stored.column_names, stored["customer_id"].to_pylist()
    assert result == ExportResult(count, path, DEFINITION, AS_OF)
    assert read == ids
    assert header == ["customer_id", "revenue"]
    assert left_in(tmp_path) == [path.name]


def test_large_batches_are_cut_and_small_ones_joined(tmp_path: Path) -> None:
    """Parquet gets row groups of a useful size, from a reader with tiny batches or one huge one."""
    table = pa.table({"customer_id": pa.array([f"C{number}" for number in range(300_000)])})
    for name, rows in (("small", 1_000), ("large", 300_000)):
        path = tmp_path / f"{name}.parquet"
        write(table.to_reader(max_chunksize=rows), path, definition="", as_of=AS_OF)
        file = pq.ParquetFile(path)
        assert file.metadata.num_rows == 300_000
        assert file.metadata.num_row_groups == 3


@pytest.mark.slow
def test_a_million_rows_in_every_format(tmp_path: Path) -> None:
    """The largest sheet Excel has, one row below its limit, and the same rows as CSV and Parquet."""
    count = exports.MAX_SHEET_ROWS - 1
    batch = pa.record_batch({"customer_id": pa.array([f"C{number}" for number in range(count)])})
    for suffix in (".csv", ".parquet", ".xlsx"):
        path = tmp_path / f"all{suffix}"
        reader = pa.RecordBatchReader.from_batches(batch.schema, [batch])
        assert write(reader, path, definition="", as_of=AS_OF).rows == count
        if suffix == ".csv":
            with path.open("rb") as file:
                assert sum(1 for _ in file) == count + 1
        elif suffix == ".parquet":
            assert pq.read_metadata(path).num_rows == count
        else:
            assert CalamineWorkbook.from_path(path).get_sheet_by_name("Data").height == count + 1


@pytest.mark.slow
def test_rows_are_taken_from_the_reader_as_they_are_written(tmp_path: Path) -> None:
    """A stream that never fits into memory is never asked to."""
    alive: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for _ in range(40):
            batch = pa.record_batch({"customer_id": pa.array(["x" * 1_000] * 16_384)})
            alive.append(pa.total_allocated_bytes())
            yield batch

    before = pa.total_allocated_bytes()
    schema = pa.schema([("customer_id", pa.string())])
    write(
        pa.RecordBatchReader.from_batches(schema, batches()), tmp_path / "x.csv", definition="", as_of=AS_OF
    )
    assert max(alive) - before < 200_000_000  # of 655 million in all


# Types


def test_csv_holds_every_type_as_text(tmp_path: Path) -> None:
    """Dates in ISO form, decimals exact, missing and not-a-number empty."""
    path = tmp_path / "mixed.csv"
    export(MIXED, path)
    header, *rows = read_csv(path)

    assert header == ["customer_id", "name", *[name for name in TYPES if name not in ("customer_id", "name")]]
    by_name = {name: [row[place] for row in rows] for place, name in enumerate(header)}
    assert by_name == {
        "customer_id": ["00123", "C2", "C3"],
        "name": ["Ann", "", ""],
        "city": ["Rome", "", "Rome"],
        "company": ["A, B & <C>", 'say "hi"', ""],
        "orders": ["1", "", "-3"],
        "big": ["9007199254740993", "999999999999999", ""],
        "revenue": ["1000.1000", "-0.0001", ""],
        "lifecycle_years": ["0.1", "", ""],
        "last_order_day": ["2025-03-31", "1890-02-28", ""],
        "seen_at": ["2025-03-31 23:59:58", "2025-01-01 00:00:00.500000", ""],
        "seen_zone": ["2025-03-31 12:00:00Z", "", ""],
        "email_consent": ["true", "false", ""],
        "unknown": ["", "", ""],
    }


def test_xlsx_holds_every_type_as_itself(tmp_path: Path) -> None:
    """Identifiers are text, numbers numbers, days days; what Excel cannot count exactly is text."""
    path = tmp_path / "mixed.xlsx"
    export(MIXED, path)
    header, *rows = read_xlsx(path)

    by_name = {name: [row[place] for row in rows] for place, name in enumerate(header)}
    assert by_name["customer_id"] == ["00123", "C2", "C3"]
    assert by_name["company"] == ["A, B & <C>", 'say "hi"', ""]
    assert by_name["orders"] == [1.0, "", -3.0]
    assert by_name["big"] == ["9007199254740993", 999999999999999.0, ""]
    assert by_name["revenue"] == [1000.1, -0.0001, ""]
    assert by_name["lifecycle_years"] == [0.1, "", ""]
    assert by_name["last_order_day"] == [date(2025, 3, 31), "1890-02-28", ""]
    assert by_name["seen_at"] == [
        at("2025-03-31 23:59:58"),
        at("2025-01-01 00:00:00.500000"),
        "",
    ]
    assert by_name["seen_zone"] == [at("2025-03-31 12:00:00"), "", ""]
    assert by_name["email_consent"] == [True, False, ""]
    assert by_name["unknown"] == ["", "", ""]


def test_parquet_keeps_types_and_values(tmp_path: Path) -> None:
    """The table that comes back is the table that went in, the identifier first."""
    path = tmp_path / "mixed.parquet"
    export(MIXED, path)
    stored = pq.read_table(path)
    names = ["customer_id", *[name for name in MIXED.column_names if name != "customer_id"]]
    for name in names:
        if name != "lifecycle_years":  # holds not-a-number, which differs from itself
            assert stored[name].to_pylist() == MIXED[name].to_pylist(), name
    assert stored.column_names == names
    assert stored.schema.field("revenue").type == pa.decimal128(18, 4)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_nested_columns_are_refused(tmp_path: Path, suffix: str) -> None:
    """A list has no place in a cell."""
    table = pa.table({"customer_id": ["C1"], "tags": pa.array([["a", "b"]])})
    with pytest.raises(InvalidValue, match="tags holds"):
        export(table, tmp_path / f"x{suffix}")
    assert left_in(tmp_path) == []


def test_one_column_with_gaps_keeps_its_rows(tmp_path: Path) -> None:
    """A missing value alone in its row is still a row."""
    path = tmp_path / "x.csv"
    export(text_table(email=["a@b.c", None, "d@e.f"]), path)
    assert read_csv(path) == [["email"], ["a@b.c"], [""], ["d@e.f"]]


# Notes on the file


def test_xlsx_says_what_its_rows_are(tmp_path: Path) -> None:
    """Definition, day, count and the meaning of each column stand on the second sheet."""
    path = tmp_path / "x.xlsx"
    export(MIXED, path, written_at=at("2025-04-01 09:30:00"))
    about = {row[0]: row[1] for row in read_xlsx(path, "About") if row[0]}

    assert CalamineWorkbook.from_path(path).sheet_names == ["Data", "About"]
    assert about["Definition"] == DEFINITION
    assert about["As of"] == AS_OF
    assert about["Rows"] == 3.0
    assert about["Written"] == at("2025-04-01 09:30:00")
    assert about["revenue"] == FIELD["revenue"].title
    assert about["unknown"] == ""
    sheet = parts_of(path)["xl/worksheets/sheet1.xml"].decode()
    assert re.search(r'<pane [^>]*ySplit="1"[^>]*state="frozen"', sheet)


def test_a_definition_longer_than_a_cell_is_kept_whole(tmp_path: Path) -> None:
    """It runs on in the cells below."""
    path = tmp_path / "x.xlsx"
    definition = "".join(f"word{number} " for number in range(9_000))
    write(MIXED.to_reader(), path, definition=definition, as_of=AS_OF)
    rows = read_xlsx(path, "About")
    until = next(place for place, row in enumerate(rows) if row[0] == "As of")
    assert "".join(row[1] for row in rows[:until]) == definition


def test_no_clock_is_in_the_file(tmp_path: Path) -> None:
    """The same rows and definition make the same bytes, in every format."""
    for suffix in (".csv", ".xlsx", ".parquet"):
        one, two = tmp_path / f"1{suffix}", tmp_path / f"2{suffix}"
        export(MIXED, one)
        export(MIXED, two)
        assert one.read_bytes() == two.read_bytes()
    # Two files of one second may agree by chance; the day in the workbook's properties does not.
    assert b"2025-03-31T00:00:00Z</dcterms:created>" in parts_of(tmp_path / "1.xlsx")["docProps/core.xml"]


def test_parquet_carries_its_definition(tmp_path: Path) -> None:
    """Definition, day and count are in the metadata that every Parquet reader shows."""
    path = tmp_path / "x.parquet"
    export(MIXED, path, written_at=at("2025-04-01 09:30:00"))
    notes = pq.read_schema(path).metadata
    assert notes[b"clientele.definition"].decode() == DEFINITION
    assert notes[b"clientele.as_of"] == b"2025-03-31"
    assert pq.read_metadata(path).metadata[b"clientele.rows"] == b"3"
    assert notes[b"clientele.written_at"] == b"2025-04-01T09:30:00"


# Formulas


def hostile_table() -> pa.Table:
    """Every payload in every text field of the customer table, and as a header."""
    names = [field.name for field in FIELD.values() if field.type == "text"]
    values = [*PAYLOADS, *HARMLESS]
    columns = {name: list(values) for name in names} | {payload: list(values) for payload in PAYLOADS[:60]}
    return text_table(**columns)


def test_no_payload_becomes_a_formula_in_xlsx(tmp_path: Path) -> None:
    """Text cells are text: no formula, no link, and every letter as it was."""
    table = hostile_table()
    path = tmp_path / "x.xlsx"
    export(table, path)

    assert formulas_in(path) == 0
    header, *rows = read_xlsx(path)
    assert header == table.column_names
    assert [row[0] for row in rows] == [*PAYLOADS, *HARMLESS]


@pytest.mark.parametrize(
    "text",
    [
        "<r><t>x</t></r>",
        "<r></is></c><c r='B1'><f>1+1</f></c><c t='inlineStr'><is></r>",
        "<r>&amp;</r>",
        "</t></is></c><c><f>1+1</f></c>",
        "_x003D_1+1",
        "<r>_x0041_</r>",
        "a\ufffe\uffffb",
        "http://example.org",
        "mailto:a@b.c",
        "internal:Sheet1!A1",
        "{=1+1}",
        "line\r\nline",
        "\x01\x1f\x7f",
        "]]>",
    ],
)
def test_markup_in_text_stays_text_in_xlsx(tmp_path: Path, text: str) -> None:
    """The workbook's own format cannot be reached from a cell, a header or the definition."""
    path = tmp_path / "x.xlsx"
    write(text_table(customer_id=[text], **{f"h{text}": [text]}, name=[text]).rename_columns(
        ["customer_id", text, "name"]).to_reader(), path, definition=text, as_of=AS_OF)  # fmt: skip
    expected = text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")

    assert formulas_in(path) == 0
    assert read_xlsx(path) == [["customer_id", expected, "name"], [expected] * 3]
    assert read_xlsx(path, "About")[0][1] == expected


def opens_a_formula(text: str) -> bool:
    """Whether a spreadsheet could compute a cell, seen from its first visible letter."""
    visible = re.sub(r"^[\W_]*?(?=[=+\-@|%＝＋－＠]|\w|')", "", text, count=1)
    return visible[:1] in tuple("=+-@|%＝＋－＠")


def test_every_payload_is_guarded_in_csv(tmp_path: Path) -> None:
    """In every text field and header: an apostrophe first, and everything in quotes."""
    table = hostile_table()
    path = tmp_path / "x.csv"
    export(table, path)

    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert b"\0" not in raw
    header, *rows = read_csv(path)
    assert all(cell.startswith("'") for cell in header[-60:])
    for row in rows[: len(PAYLOADS)]:
        assert all(cell.startswith("'") for cell in row)
        assert not any(opens_a_formula(cell) for cell in row)


def test_numbers_and_phones_are_not_damaged_in_csv(tmp_path: Path) -> None:
    """What no spreadsheet can compute is exported letter for letter."""
    path = tmp_path / "x.csv"
    export(text_table(customer_id=list(HARMLESS), phone=list(HARMLESS)), path)
    assert [row[1] for row in read_csv(path)[1:]] == list(HARMLESS)


def test_negative_numbers_of_numeric_columns_get_no_guard(tmp_path: Path) -> None:
    """The guard is for text alone."""
    path = tmp_path / "x.csv"
    export(pa.table({"customer_id": ["C1"], "revenue": [-1e-20], "orders": [-3]}), path)
    assert read_csv(path)[1] == ["C1", "-0.00000000000000000001", "-3"]


def test_raw_csv_is_byte_exact(tmp_path: Path) -> None:
    """No mark, no guard, nothing stripped: what is stored, in the form of RFC 4180."""
    path = tmp_path / "x.csv"
    export(text_table(customer_id=["\0=1", "a\r\nb", None], name=['q"', "", "'=1"]), path, safe=False)
    assert path.read_bytes() == (
        b'"customer_id","name"\r\n"\0=1","q"""\r\n"a\r\nb",""\r\n,"\'=1"\r\n'
    )  # fmt: skip


TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]), st.sampled_from("'=+-@|%＝\t\n \ufeff\u200b\";,0123456789.")
    ),
    max_size=12,
)


@given(TEXT)
@example("'")
@example("''=")
@example("+44207946\n")
@example("+４４２０７９４６")
@settings(max_examples=500)
def test_guard_can_be_undone(text: str) -> None:
    """Also for text that begins with apostrophes; and the guarded text is never computable."""
    once = guard(text)
    assert unguard(once) == text
    assert unguard(guard(once)) == once
    assert once in (text, f"'{text}")


@given(st.lists(TEXT, min_size=2, max_size=20, unique=True))
def test_different_texts_stay_different(texts: list[str]) -> None:
    """The guard is injective."""
    assert len({guard(text) for text in texts}) == len(texts)


@given(st.lists(st.none() | TEXT, min_size=1, max_size=20))
@example(["\0=1", "\0", "'\x00+1", "+44207946\n", "-5\n"])
@settings(max_examples=300)
def test_columns_are_guarded_as_single_texts_are(texts: list[str | None]) -> None:
    """Arrow's regular expressions and Python's agree."""
    column = pa.chunked_array([texts], pa.large_string())
    assert guarded(column).to_pylist() == [None if text is None else guard(text) for text in texts]


@given(st.lists(st.tuples(TEXT, TEXT), max_size=8))
@settings(max_examples=60, deadline=None)
def test_export_and_import_is_the_same_text(pairs: list[tuple[str, str]]) -> None:
    """CSV for spreadsheets through `unguard`, and raw CSV and Excel as they are."""
    table = text_table(customer_id=[one for one, _ in pairs], name=[two for _, two in pairs])
    clean = list(zip(*(without_control(column).to_pylist() for column in table.columns), strict=True))
    options: Any = {"definition": "", "as_of": AS_OF}

    safe = to_bytes(table.to_reader(), format="csv", **options).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(safe, newline="")))[1:]
    assert [tuple(map(unguard, row)) for row in rows] == clean

    raw = to_bytes(table.to_reader(), format="csv", safe=False, **options).decode()
    assert list(map(tuple, list(csv.reader(io.StringIO(raw, newline="")))[1:])) == pairs


@given(TEXT)
def test_only_control_characters_are_dropped(text: str) -> None:
    """Text without them goes through CSV unchanged."""
    kept = without_control(pa.chunked_array([[text]], pa.string())).to_pylist()[0]
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert kept == "".join(letter for letter in expected if letter >= " " or letter in "\t\n")


# Refusals


@pytest.mark.parametrize("name", ["x.xls", "x.txt", "x", "x.csv.gz", ".csv"])
def test_an_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    """With the endings that there are."""
    with pytest.raises(InvalidValue, match=r"\.xlsx, \.csv or \.parquet"):
        export(MIXED, tmp_path / name)
    assert left_in(tmp_path) == []


def test_the_ending_may_be_in_capitals_or_overruled(tmp_path: Path) -> None:
    """`format` decides where the name does not."""
    export(MIXED, tmp_path / "X.CSV")
    export(MIXED, tmp_path / "x.tmp", format="parquet")
    assert len(read_csv(tmp_path / "X.CSV")) == 4
    assert pq.read_metadata(tmp_path / "x.tmp").num_rows == 3
    with pytest.raises(InvalidValue, match="“ods”"):
        export(MIXED, tmp_path / "x.csv", format="ods")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """By name, before anything is read."""
    with pytest.raises(InvalidValue, match="no folder “nowhere”"):
        export(MIXED, tmp_path / "nowhere" / "x.csv")
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(InvalidValue, match="that is a folder"):
        export(MIXED, tmp_path / "x.csv")


@pytest.mark.parametrize(("rows", "fits"), [(29, True), (30, False), (75, False)])
def test_more_rows_than_a_sheet_holds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, fits: bool
) -> None:
    """With the whole count and a way out, and without a file; an older file stays."""
    monkeypatch.setattr(exports, "MAX_SHEET_ROWS", 30)
    monkeypatch.setattr(exports, "_TEXT_ROWS", 8)
    table = text_table(customer_id=[f"C{number}" for number in range(rows)])
    path = tmp_path / "x.xlsx"
    path.write_text("older")
    if fits:
        assert export(table, path).rows == rows
        assert len(read_xlsx(path)) == rows + 1
        return
    with pytest.raises(InvalidValue) as refused:
        export(table, path)
    assert f"There are {rows} rows, and an Excel sheet holds 29" in refused.value.message
    assert "CSV or Parquet" in refused.value.hint
    assert path.read_text() == "older"
    assert left_in(tmp_path) == ["x.xlsx"]


@pytest.mark.parametrize("text", ["x" * 32_768, "\U0001f600" * 16_384, "<r>" + "x" * 32_761 + "</r>"])
def test_text_too_long_for_a_cell_is_refused(tmp_path: Path, text: str) -> None:
    """Never cut in silence."""
    table = text_table(customer_id=["C1", "C2"], note=["fine", text])
    with pytest.raises(InvalidValue, match=r"Row 3 has a note of more than 32,767"):
        export(table, tmp_path / "x.xlsx")
    assert left_in(tmp_path) == []


def test_the_longest_text_of_a_cell_is_kept(tmp_path: Path) -> None:
    """32,767 letters fit."""
    export(text_table(customer_id=["x" * 32_767]), tmp_path / "x.xlsx")
    assert read_xlsx(tmp_path / "x.xlsx")[1] == ["x" * 32_767]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    """No half file, no temporary one, and an older export stays as it was."""

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"customer_id": pa.array(["C1"] * 20_000)})
        raise RuntimeError("engine gone")

    path = tmp_path / f"x{suffix}"
    path.write_text("older")
    reader = pa.RecordBatchReader.from_batches(pa.schema([("customer_id", pa.string())]), batches())
    with pytest.raises(RuntimeError, match="engine gone"):
        write(reader, path, definition="", as_of=AS_OF)
    assert path.read_text() == "older"
    assert left_in(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_no_rows_make_a_file_with_headers(tmp_path: Path, suffix: str) -> None:
    """An audience without customers is an answer too."""
    path = tmp_path / f"x{suffix}"
    assert export(MIXED.slice(0, 0), path).rows == 0
    names = ["customer_id", *[name for name in MIXED.column_names if name != "customer_id"]]
    match suffix:
        case ".csv":
            assert read_csv(path) == [names]
        case ".xlsx":
            assert read_xlsx(path) == [names]
            assert formulas_in(path) == 0
        case _:
            assert pq.read_table(path).column_names == names
            assert pq.read_table(path).num_rows == 0


@pytest.mark.parametrize("kind", formats(), ids=lambda kind: kind.title)
def test_a_download_is_the_file(tmp_path: Path, kind: exports.Format) -> None:
    """Bytes for a button and the file on disk are the same."""
    path = tmp_path / f"x{kind.suffix}"
    export(MIXED, path, safe=kind.safe)
    options: Any = {"definition": DEFINITION, "as_of": AS_OF, "safe": kind.safe, "format": kind.name}
    assert to_bytes(MIXED.to_reader(max_chunksize=7), **options) == path.read_bytes()


def test_a_large_or_small_number_is_written_with_its_digits(tmp_path):
    frame = pa.table({"customer_id": ["a", "b", "c", "d"], "points": [1e14, 123456789012345.0, 2e-7, None]})

    write(frame.to_reader(), tmp_path / "a.csv", definition="all", as_of=AS_OF, safe=False)

    assert [line.split(",")[1] for line in (tmp_path / "a.csv").read_text().splitlines()[1:]] == [
        '"100000000000000"', '"123456789012345"', '"0.0000002"', "",
    ]  # fmt: skip

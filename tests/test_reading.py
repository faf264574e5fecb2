"""Reading text files: the dialect is found, every cell arrives as it is written, and no row is lost."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from crm.errors import UnreadableFile
from crm.imports import dialect as dialects
from crm.imports import reading
from crm.imports.reading import Dialect, RawTable, detect, identifier, read, sample
from tests.conftest import SHARED

Rows = list[tuple[str, ...]]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(path: Path, connection: duckdb.DuckDBPyConnection, dialect: Dialect | None = None) -> RawTable:
    return read(
        path, dialect or detect(path), connection=connection, table="raw", scratch=path.parent / "scratch"
    )


def cells(connection: duckdb.DuckDBPyConnection, raw: RawTable) -> Rows:
    names = ", ".join(map(identifier, raw.columns))
    return connection.execute(f"SELECT {names} FROM {identifier(raw.table)} ORDER BY _row").fetchall()


def places(connection: duckdb.DuckDBPyConnection, raw: RawTable) -> list[tuple[int, int]]:
    return connection.execute(f"SELECT _row, _line FROM {identifier(raw.table)} ORDER BY _row").fetchall()


def rejects(connection: duckdb.DuckDBPyConnection, raw: RawTable) -> list[tuple[int, int, str, str]]:
    return connection.execute(
        f"SELECT _row, _line, reason, text FROM {identifier(raw.rejects_table)} ORDER BY _row"
    ).fetchall()


# --- what is found ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiter_and_line_end_are_found(
    delimiter: str, newline: str, tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    rows = [
        ("customer", "date", "amount", "note"),
        ("00123", "2025-01-02", "12.50", "NA"),
        ("+44 20", "2025-01-03", "-3", ""),
        ("c3", "2025-01-04", "7.00", "NULL"),
    ]
    path = written(tmp_path / "f.csv", "".join(delimiter.join(row) + newline for row in rows))
    raw = load(path, connection)
    assert (raw.dialect.delimiter, raw.dialect.newline) == (delimiter, newline)
    assert raw.columns == rows[0]
    assert cells(connection, raw) == rows[1:]


def test_decimal_commas_do_not_hide_the_semicolon(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    path = written(tmp_path / "f.csv", "id;amount\n1;12,50\n2;2,30\n3;4,00\n")
    assert cells(connection, load(path, connection)) == [("1", "12,50"), ("2", "2,30"), ("3", "4,00")]


def test_byte_order_mark_is_no_part_of_the_first_header(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    for name, content in (("a.csv", "id,x\n1,2\n"), ("b.csv", 'id,x\n1,a"b\n')):
        raw = load(written(tmp_path / name, b"\xef\xbb\xbf" + content.encode()), connection)
        assert raw.columns == ("id", "x")


def test_declared_delimiter_of_excel_is_taken(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    raw = load(written(tmp_path / "f.csv", "sep=;\r\nid;x\r\n1;a,b\r\n2;c,d\r\n"), connection)
    assert raw.columns == ("id", "x")
    assert cells(connection, raw) == [("1", "a,b"), ("2", "c,d")]
    assert places(connection, raw) == [(1, 3), (2, 4)]


def test_lines_above_the_table_are_left_out_and_said(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    text = "Sales report\nPrinted 1 May\n\nid,day,amount\n1,2025-01-01,2.50\n2,2025-01-02,3.50\n3,2025-01-03,1\n4,2025-01-03,1\n"
    raw = load(written(tmp_path / "f.csv", text), connection)
    assert raw.columns == ("id", "day", "amount")
    assert raw.dialect.skip_lines == 3
    assert "first 3 lines left out" in raw.dialect.sentence()
    assert places(connection, raw) == [(1, 5), (2, 6), (3, 7), (4, 8)]


def test_a_file_without_a_header_has_numbered_columns(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    raw = load(written(tmp_path / "f.csv", "1,2025-01-01,2.50\n2,2025-01-02,3.50\n"), connection)
    assert raw.columns == ("Column 1", "Column 2", "Column 3")
    assert raw.row_count == 2
    assert "no header row" in raw.dialect.sentence()


def test_a_widening_file_loses_neither_header_nor_rows(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    raw = load(written(tmp_path / "f.csv", "c0\nv0\na;b\n"), connection)
    assert raw.columns == ("c0",)
    assert cells(connection, raw) == [("v0",), ("a;b",)]


def test_a_file_that_widens_late_accounts_for_every_row(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    lines = ["id,x"] + [f"{n},a" for n in range(30_000)] + [f"{n},a,b" for n in range(500)]
    raw = load(written(tmp_path / "f.csv", "\n".join(lines)), connection)
    assert (raw.row_count, raw.reader_rejects) == (30_000, 500)
    assert raw.columns == ("id", "x")
    assert rejects(connection, raw)[0] == (30_001, 30_002, "The row has 3 cells instead of 2.", "0,a,b")


def test_single_quotes_and_backslashes_are_found(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    raw = load(written(tmp_path / "f.csv", "id,note\n1,'a, b'\n2,'it''s'\n3,'x'\n"), connection)
    assert cells(connection, raw) == [("1", "a, b"), ("2", "it's"), ("3", "x")]
    raw = load(written(tmp_path / "g.csv", 'id,note\n1,"a \\"b\\", c"\n2,"d"\n3,"e, f"\n'), connection)
    assert cells(connection, raw) == [("1", 'a "b", c'), ("2", "d"), ("3", "e, f")]


def test_blanks_after_the_separator_do_not_spoil_quotes(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    raw = load(written(tmp_path / "f.csv", '"id", "note"\n"1", "a, b"\n"2", "c"\n'), connection)
    assert raw.columns == ("id", "note")
    assert cells(connection, raw) == [("1", "a, b"), ("2", "c")]


def test_columns_set_apart_by_blanks(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    text = " customer_id      date   n   value\r\n   00001     19970101   1   11.77\r\n   00002     19970112   5    7.00\r\n"
    raw = load(written(tmp_path / "f.txt", text), connection)
    assert raw.columns == ("customer_id", "date", "n", "value")
    assert cells(connection, raw) == [("00001", "19970101", "1", "11.77"), ("00002", "19970112", "5", "7.00")]
    assert "set apart by blanks" in raw.dialect.sentence()


# --- names -----------------------------------------------------------------------------------------------


def test_headers_are_made_unique_and_never_empty(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    path = written(tmp_path / "f.csv", 'id,ID,,"a\nb",_row,id\n1,2,3,4,5,6\n')
    raw = load(path, connection)
    assert raw.columns == ("id", "ID (2)", "Column 3", "a b", "_row (2)", "id (3)")
    assert cells(connection, raw) == [("1", "2", "3", "4", "5", "6")]


def test_rows_that_end_in_a_separator_have_no_further_column(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    raw = load(written(tmp_path / "f.csv", "id,x\n1,a,\n2,b,\n3,c\n"), connection)
    assert raw.columns == ("id", "x")
    assert cells(connection, raw) == [("1", "a"), ("2", "b"), ("3", "c")]


def test_cells_beyond_the_header_get_a_column(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    raw = load(
        written(tmp_path / "f.csv", "id,day\n1,2025-01-01,9\n2,2025-01-01,\n3,2025-01-02,8\n"), connection
    )
    assert raw.columns == ("id", "day", "Column 3")
    assert [row[2] for row in cells(connection, raw)] == ["9", "", "8"]


def test_two_thousand_columns(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    names = [f"c{n}" for n in range(2000)]
    text = ",".join(names) + "\n" + ",".join(map(str, range(2000))) + "\n"
    raw = load(written(tmp_path / "f.csv", text), connection)
    assert cells(connection, raw) == [tuple(map(str, range(2000)))]


# --- cells -----------------------------------------------------------------------------------------------


def test_identifiers_and_words_for_nothing_survive(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    odd = [
        "00123",
        "+4420",
        "NA",
        "Null",
        "NULL",
        "None",
        "1e5",
        "1234567890123456789",
        "true",
        " x ",
        "\\N",
        "#N/A",
    ]
    text = "id,value\n" + "".join(f"{value},{n}\n" for n, value in enumerate(odd))
    raw = load(written(tmp_path / "f.csv", text), connection)
    assert [row[0] for row in cells(connection, raw)] == odd


def test_lines_are_counted_through_cells_with_line_ends_and_blank_lines(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    text = 'id,note\n1,"a\nb ""c""\nd"\n\n2,x\n\n\n3,"y\n"\n4,z'
    raw = load(written(tmp_path / "f.csv", text), connection)
    assert cells(connection, raw) == [("1", 'a\nb "c"\nd'), ("2", "x"), ("3", "y\n"), ("4", "z")]
    assert places(connection, raw) == [(1, 2), (2, 6), (3, 9), (4, 11)]
    assert raw.blank_lines == 3


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_cells_far_larger_than_any_buffer(
    newline: str, tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    big = "x" * 3_000_000 + newline + "y" * 100
    text = f'id,note{newline}1,"{big}"{newline}2,small{newline}'
    raw = load(written(tmp_path / "f.csv", text), connection)
    assert cells(connection, raw) == [("1", big), ("2", "small")]


def test_a_large_file_in_pieces_keeps_order_and_lines(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_CHUNK", 5000)
    lines = ["id,note,amount"]
    for n in range(20_000):
        note = f'"line\n""{n}"",\n"' if n % 3 == 0 else f"text {n}"
        lines.append(f"{n},{note},{n}.25")
    path = written(tmp_path / "f.csv", "\n".join(lines) + "\n")
    raw = load(path, connection)
    assert raw.row_count == raw.lines_counted == 20_000
    wrong = f"SELECT count(*) FROM {raw.table} WHERE id <> (_row - 1)::VARCHAR OR amount <> id || '.25'"
    assert connection.execute(wrong).fetchone() == (0,)
    expected, line = [], 2
    for n in range(20_000):
        expected.append(line)
        line += 3 if n % 3 == 0 else 1
    assert [place[1] for place in places(connection, raw)] == expected


# --- what is wrong with a row ----------------------------------------------------------------------------


def test_ragged_rows_are_rejected_and_nothing_else(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    text = "id,day,amount\n1,2025-01-01,5\n2,2025-01-01\n3,2025-01-01,5,6\n4,2025-01-01,7\n"
    raw = load(written(tmp_path / "f.csv", text), connection)
    assert [row[0] for row in cells(connection, raw)] == ["1", "4"]
    assert rejects(connection, raw) == [
        (2, 3, "The row has 2 cells instead of 3.", "2,2025-01-01"),
        (3, 4, "The row has 4 cells instead of 3.", "3,2025-01-01,5,6"),
    ]
    assert places(connection, raw) == [(1, 2), (4, 5)]
    assert raw.lines_counted == 4


def test_an_unclosed_quotation_mark_costs_one_line_only(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    rows = [f"{n},text {n}" for n in range(50)]
    rows[10] = '10,"never closed'
    rows[30] = '30,"closed, well"'
    raw = load(written(tmp_path / "f.csv", "id,note\n" + "\n".join(rows)), connection)
    assert raw.row_count == 49
    assert rejects(connection, raw) == [(11, 12, dialects.UNTERMINATED, '10,"never closed')]
    assert ("30", "closed, well") in cells(connection, raw)


def test_too_many_unclosed_quotation_marks_are_refused(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    text = "id,note\n" + "".join(f'{n},"a\n' if n % 2 else f"{n},b\n" for n in range(1000))
    dialect = Dialect()
    with pytest.raises(UnreadableFile, match="opened and never closed"):
        load(written(tmp_path / "f.csv", text), connection, dialect)


def test_a_stray_quotation_mark_costs_one_row(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    text = 'id,size,note\n1,5" pipe,ok\n2,"5" pipe",bad\n3,"7"" pipe",ok\n4,x,ok\n'
    raw = load(written(tmp_path / "f.csv", text), connection, Dialect())
    assert cells(connection, raw) == [("1", '5" pipe', "ok"), ("3", '7" pipe', "ok"), ("4", "x", "ok")]
    assert rejects(connection, raw) == [(2, 3, dialects.STRAY_QUOTE, '2,"5" pipe",bad')]


def test_damaged_bytes_cost_their_row_only(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    good = "".join(f"{n},Zoë {n}\n" for n in range(30)).encode()
    raw = load(written(tmp_path / "f.csv", b"id,name\n" + good + b"77,bad \xff\n78,\0\n79,ok\n"), connection)
    assert raw.row_count == 31
    assert [(row[1], row[2]) for row in rejects(connection, raw)] == [
        (32, dialects.NOT_TEXT), (33, dialects.NUL_BYTE),
    ]  # fmt: skip


def test_mixed_line_ends_are_read(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    raw = load(written(tmp_path / "f.csv", b"id,x\n1,a\r\n2,b\n3,c\r\n"), connection)
    assert cells(connection, raw) == [("1", "a"), ("2", "b"), ("3", "c")]


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n  \n", "nothing but blank lines"),
        (b"customer,date,amount\n", "a header and no rows"),
        (b"customer,date,amount", "a header and no rows"),
        (b"customer,date,amount\n\n\n", "a header and no rows"),
        ("id,name\n1,Zoë\n".encode("utf-16"), "UTF-16"),
        ("id,name\n1,Zoe\n".encode("utf-16-le"), "UTF-16"),
        ("id,name\n1,Zoë\n2,Émile\n".encode("cp1252"), "Windows-1252"),
        ("客户,姓名\n1,王小明\n2,李小红\n".encode("gb18030"), "GB18030"),
        (bytes(range(256)) * 50, "binary"),
    ],
)
def test_what_is_no_text_table_is_refused_in_words(content: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=words) as refusal:
        detect(written(tmp_path / "f.csv", content))
    assert refusal.value.hint


def test_another_encoding_that_shows_late_is_refused(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    lines = b"".join(b"%d,plain\n" % n for n in range(100_000))
    path = written(tmp_path / "f.csv", b"id,name\n" + lines + "1,Zoë\n".encode("cp1252"))
    with pytest.raises(UnreadableFile, match="not UTF-8 throughout"):
        load(path, connection)
    assert connection.execute("SHOW TABLES").fetchall() == []


def test_a_file_that_counts_differently_from_its_rows_is_split_by_ourselves(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "f.csv", "id,x\n1,a\n2,b\n3,c\n")
    scan = reading._scan(path, Dialect(), 2)
    assert scan is not None
    scan.records += 1
    monkeypatch.setattr(reading, "_scan", lambda *_: scan)
    raw = load(path, connection, Dialect())
    assert cells(connection, raw) == [("1", "a"), ("2", "b"), ("3", "c")]
    assert raw.lines_counted == 3


def test_lines_lost_by_the_splitter_stop_the_import(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "f.csv", 'id,x\n1,a"b\n2,b\n3,c\n')
    whole = dialects.lines_of
    monkeypatch.setattr(reading, "lines_of", lambda *given: list(whole(*given))[:-1])
    with pytest.raises(UnreadableFile, match="the import was stopped"):
        load(path, connection, Dialect())


def test_a_row_read_differently_from_our_splitter_is_read_again_by_it(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "f.csv", "id,x\n1,a\n2,b\n")
    used: list[str] = []
    careful = reading._read_carefully
    monkeypatch.setattr(reading, "_witnessed", lambda *_, **__: False)
    monkeypatch.setattr(reading, "_read_carefully", lambda *a, **k: used.append("yes") or careful(*a, **k))
    assert cells(connection, load(path, connection)) == [("1", "a"), ("2", "b")]
    assert used


def test_a_path_with_brackets_is_one_file(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    path = written(tmp_path / "sales [final]*.csv", "id,x\n1,a\n")
    assert cells(connection, load(path, connection)) == [("1", "a")]


def test_a_locked_connection_reads_all_the_same(
    tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute("SET enable_external_access=false")
    raw = load(written(tmp_path / "f.csv", "id,x\n1,a\n"), connection)
    assert cells(connection, raw) == [("1", "a")]


def test_reading_again_replaces_the_table(tmp_path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    load(written(tmp_path / "f.csv", "id,x\n1,a\n"), connection)
    raw = load(written(tmp_path / "g.csv", 'id,y\n1,a"b\n2,c\n'), connection)
    assert sample(connection, raw, 1) == {"id": ["1"], "y": ['a"b']}
    assert [file.name for file in (tmp_path / "scratch").iterdir()] == ["raw.parquet"]


# --- any table -------------------------------------------------------------------------------------------

DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t", "|", "^", "~"]),
        "quotechar": st.sampled_from(['"', "'"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
    }
)
ANY_CELL = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r") | st.sampled_from(",;\t|\"'\n\\ a1"),
    max_size=12,
)
SIMPLE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def as_csv(rows: Rows, **options: object) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, **options).writerows(rows)  # type: ignore[arg-type]
    return buffer.getvalue().encode()


@pytest.mark.slow
@given(data=st.data(), options=DIALECTS, escape=st.booleans())
@SIMPLE
def test_any_table_in_a_known_dialect_comes_back_cell_for_cell(
    data: st.DataObject,
    options: dict[str, object],
    escape: bool,
    tmp_path: Path,
    connection: duckdb.DuckDBPyConnection,
) -> None:
    width = data.draw(st.integers(2, 5))
    rows = data.draw(st.lists(st.tuples(*[ANY_CELL] * width), min_size=1, max_size=8))
    rows = [row if any(cell.strip(" ") for cell in row) else ("x",) * width for row in rows]
    quote = str(options["quotechar"])
    if escape:
        options = {**options, "doublequote": False, "escapechar": "\\"}
    header = tuple(f"h{n}" for n in range(width))
    path = written(tmp_path / "f.csv", as_csv([header, *rows], **options))
    given_dialect = Dialect(
        delimiter=str(options["delimiter"]),
        quote=quote,
        escape="\\" if escape else quote,
        newline=str(options["lineterminator"]),
    )
    raw = load(path, connection, given_dialect)
    assert rejects(connection, raw) == []
    assert cells(connection, raw) == rows


WORD = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzäö王小"), min_size=1, max_size=8)
NOTE = st.lists(
    st.one_of(WORD, st.sampled_from([",", "; ", '"hello"', "it's", "a\nb", "1,5", "|", " - "])), max_size=5
).map(" ".join)
RECORD = st.tuples(
    st.integers(0, 99999).map("{:05}".format),
    st.dates().map(str),
    st.decimals(-9999, 9999, places=2).map(str),
    WORD,
    NOTE.map(str.strip),
)


@pytest.mark.slow
@given(rows=st.lists(RECORD, min_size=5, max_size=25), options=DIALECTS, header=st.booleans())
@example(rows=[("1", "2025-01-02", "3", "city", "a")] * 5, options={}, header=True)
@SIMPLE
def test_a_likely_table_is_detected_and_read_exactly_or_refused(
    rows: Rows,
    options: dict[str, object],
    header: bool,
    tmp_path: Path,
    connection: duckdb.DuckDBPyConnection,
) -> None:
    names = ("customer", "day", "amount", "city", "note")
    if options.get("quotechar") == "'":
        # A cell wrapped in the other mark cannot be told from a quoted one.
        rows = [(*row[:4], row[4].replace('"', "")) for row in rows]
    path = written(tmp_path / "f.csv", as_csv([names, *rows] if header else rows, **options))
    raw = load(path, connection)
    if header:
        assert raw.columns == names
    assert cells(connection, raw) == rows
    assert raw.row_count == raw.lines_counted == len(rows)


@pytest.mark.slow
@given(
    content=st.lists(st.sampled_from(list(b"ab1,;\"'\n\n\r\t |\\\xc3\xa9\xff\0")), max_size=200).map(bytes)
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_in_words_or_wholly_accounted_for(
    content: bytes, tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    path = written(tmp_path / "f.csv", content)
    try:
        raw = load(path, connection)
    except UnreadableFile:
        return
    assert raw.row_count + raw.reader_rejects == raw.lines_counted > 0
    lines = [place[1] for place in places(connection, raw)] + [row[1] for row in rejects(connection, raw)]
    assert len(set(lines)) == len(lines)
    kept = "".join("".join(row) for row in cells(connection, raw)) + "".join(
        r[3] for r in rejects(connection, raw)
    )
    letters = sum(content.count(letter) for letter in b"ab1")
    lost = letters - sum(kept.count(letter) for letter in "ab1")
    above = content.splitlines(keepends=True)
    named = raw.dialect.skip_lines + (1 if raw.dialect.header else 0)
    assume(not raw.dialect.header or b'"' not in content)  # a header may span lines
    assert lost == sum(line.count(letter) for line in _first(above, raw, named) for letter in b"ab1")


def _first(lines: list[bytes], raw: RawTable, named: int) -> list[bytes]:
    """Return the lines above the first row: those left out, blank ones and the header."""
    joined = b"".join(lines)
    sign = b"\r" if raw.dialect.newline == "\r" else b"\n"
    pieces = joined.split(sign)
    taken: list[bytes] = pieces[: raw.dialect.skip_lines]
    for piece in pieces[raw.dialect.skip_lines :]:
        if len(taken) >= named:
            break
        if piece.strip(b" \r"):
            taken.append(piece)
    return taken


@pytest.mark.slow
@given(rows=st.lists(RECORD, min_size=2, max_size=12), options=DIALECTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_ways_of_reading_agree(
    rows: Rows, options: dict[str, object], tmp_path: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    path = written(tmp_path / "f.csv", as_csv([("a", "b", "c", "d", "e"), *rows], **options))
    quote = str(options["quotechar"])
    known = Dialect(
        delimiter=str(options["delimiter"]), quote=quote, escape=quote, newline=str(options["lineterminator"])
    )
    raw = load(path, connection, known)
    fast = (cells(connection, raw), places(connection, raw), raw.lines_counted)
    raw = reading._read_carefully(
        path, known, raw.columns, connection=connection, table="raw", scratch=tmp_path
    )
    assert (cells(connection, raw), places(connection, raw), raw.lines_counted) == fast


# --- real files ------------------------------------------------------------------------------------------

SPECTRUM: dict[str, tuple[tuple[str, ...], Rows]] = {
    "simple": (("a", "b", "c"), [("1", "2", "3")]),
    "simple_crlf": (("a", "b", "c"), [("1", "2", "3")]),
    "comma_in_quotes": (
        ("first", "last", "address", "city", "zip"), [("John", "Doe", "120 any st.", "Anytown, WW", "08123")],
    ),
    "empty": (("a", "b", "c"), [("1", "", ""), ("2", "3", "4")]),
    "empty_crlf": (("a", "b", "c"), [("1", "", ""), ("2", "3", "4")]),
    "escaped_quotes": (("a", "b"), [("1", 'ha "ha" ha'), ("3", "4")]),
    "json": (("key", "val"), [("1", '{"type": "Point", "coordinates": [102.0, 0.5]}')]),
    "location_coordinates": (
        ("Contact Phone Number", "Location Coordinates", "Cities", "Counties"),
        [("2095257564", "37\ufffd36'37.8\"N 121\ufffd2'17.9\"W", "Modesto", "Stanislaus")],
    ),
    "newlines": (("a", "b", "c"), [("1", "2", "3"), ("Once upon \na time", "5", "6"), ("7", "8", "9")]),
    "newlines_crlf": (("a", "b", "c"), [("1", "2", "3"), ("Once upon \r\na time", "5", "6"), ("7", "8", "9")]),
    "quotes_and_newlines": (("a", "b"), [("1", 'ha \n"ha" \nha'), ("3", "4")]),
    "utf8": (("a", "b", "c"), [("1", "2", "3"), ("4", "5", "ʤ")]),
}  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize("name", SPECTRUM)
def test_csv_spectrum(name: str, connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = SHARED / "messy" / "csv_spectrum" / f"{name}.csv"
    raw = read(path, detect(path), connection=connection, table="raw", scratch=tmp_path)
    assert (raw.columns, cells(connection, raw)) == SPECTRUM[name]


@pytest.mark.real
def test_cdnow_without_a_header(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = SHARED / "cdnow" / "CDNOW_sample.txt"
    raw = read(path, detect(path), connection=connection, table="raw", scratch=tmp_path)
    assert raw.columns == tuple(f"Column {n}" for n in range(1, 6))
    assert (raw.row_count, raw.reader_rejects) == (6919, 0)
    assert cells(connection, raw)[0] == ("00004", "0001", "19970101", "2", "29.33")


def test_the_byte_scan_counts_what_the_splitter_counts(tmp_path: Path) -> None:
    path = written(tmp_path / "f.csv", 'id,note\n1,"a\nb"\n\n2,c\n3,"d ""e"""')
    scan = reading._scan(path, Dialect(), 2)
    assert scan is not None
    assert (scan.records, scan.blanks, scan.one_line_each) == (4, 1, False)
    assert np.concatenate(scan.line_numbers).tolist() == [1, 2, 5, 6]
    for flaw in (
        'id,x\n1,a"b\n',
        "id,x\n1\n",
        "id,x\r\n1,a\n",
        'id,x\n1,"a"b\n',
        "id,x\n1,\ra\n",
        'id,x\n1,"a\n',
    ):
        assert reading._scan(written(tmp_path / "g.csv", flaw), Dialect(), 2) is None

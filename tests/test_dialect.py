"""How a text file writes its table: found, said in words, and overruled by what the user chose."""

from dataclasses import replace
from pathlib import Path

import pytest

from crm.errors import UnreadableFile
from crm.imports.dialect import NO_DELIMITER, WHITESPACE, Dialect, detect, records
from crm.imports.formats import Reading
from tests.messy.accounts import read_file, unaccounted

ORDERS = "order,customer,date,amount\nA1,c1,2025-01-02,12.50\nA2,c2,2025-01-03,7.00\nA3,c3,2025-01-04,3.00\n"


def written(folder: Path, content: bytes | str) -> Path:
    path = folder / "file.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def found(folder: Path, content: bytes | str, **chosen: object) -> Dialect:
    return detect(written(folder, content), Reading(**chosen))  # type: ignore[arg-type]


# --- what the user chose ---------------------------------------------------------------------------------


def test_the_chosen_delimiter_is_taken_however_unlikely(tmp_path: Path) -> None:
    assert found(tmp_path, ORDERS).delimiter == ","
    assert found(tmp_path, ORDERS, delimiter="-").delimiter == "-"
    assert found(tmp_path, ORDERS, delimiter="|").delimiter == "|"
    assert found(tmp_path, ORDERS, delimiter=WHITESPACE).delimiter == WHITESPACE
    assert found(tmp_path, ORDERS, delimiter=NO_DELIMITER).delimiter == NO_DELIMITER


def test_the_chosen_delimiter_overrules_a_declared_one(tmp_path: Path) -> None:
    dialect = found(tmp_path, "sep=;\na,b;c\n1,2;3\n4,5;6\n", delimiter=",")
    assert (dialect.delimiter, dialect.skip_lines) == (",", 1)


def test_the_chosen_quotation_mark_is_taken(tmp_path: Path) -> None:
    text = "id,note\n1,'a, b'\n2,'c'\n3,'d'\n"
    assert found(tmp_path, text).quote == "'"
    assert found(tmp_path, text, quote='"').quote == '"'
    assert found(tmp_path, text, quote="").quote == ""
    assert read_file(tmp_path / "file.csv", tmp_path / "s", Reading(quote="")).rows == [
        ("2", "'c'"),
        ("3", "'d'"),
    ]


def test_a_backslash_before_the_chosen_quotation_mark_is_still_found(tmp_path: Path) -> None:
    dialect = found(tmp_path, "id,note\n1,'it\\'s, well'\n2,'b'\n3,'c'\n", quote="'")
    assert (dialect.quote, dialect.escape) == ("'", "\\")


@pytest.mark.parametrize(
    ("rows", "names"), [(0, ("Column 1", "Column 2")), (1, ("order", "x")), (2, ("order A1", "x 5"))]
)
def test_the_chosen_number_of_header_rows_is_taken(rows: int, names: tuple[str, ...], tmp_path: Path) -> None:
    path = written(tmp_path, "order,x\nA1,5\nA2,6\nA3,7\n")
    outcome = read_file(path, tmp_path / "s", Reading(header_rows=rows))
    assert outcome.header == names
    assert len(outcome.rows) == 4 - rows
    assert unaccounted(outcome) == []


def test_upper_header_rows_go_on_to_the_right(tmp_path: Path) -> None:
    path = written(tmp_path, "shop,,sales,\nid,city,2024,2025\n1,Bonn,5,6\n2,Köln,7,8\n")
    outcome = read_file(path, tmp_path / "s", Reading(header_rows=2))
    assert outcome.header == ("shop id", "shop city", "sales 2024", "sales 2025")
    assert outcome.rows == [("1", "Bonn", "5", "6"), ("2", "Köln", "7", "8")]


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_the_chosen_lines_are_left_out_and_no_others(skip: int, tmp_path: Path) -> None:
    path = written(tmp_path, "Report\nof May\n" + ORDERS)
    assert detect(path).skip_lines == 2
    dialect = detect(path, Reading(skip_lines=skip))
    assert dialect.skip_lines == skip


def test_lines_far_down_can_be_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "some remark, of no use; at all\n" * 20_000 + ORDERS)
    dialect = detect(path, Reading(skip_lines=20_000))
    assert (dialect.delimiter, dialect.header_rows, dialect.skip_lines) == (",", 1, 20_000)


def test_leaving_out_more_lines_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no rows"):
        found(tmp_path, ORDERS, skip_lines=50)
    with pytest.raises(UnreadableFile, match="no rows"):
        found(tmp_path, ORDERS, header_rows=4)


# --- above the table -------------------------------------------------------------------------------------


def test_titles_filled_up_with_separators_are_left_out(tmp_path: Path) -> None:
    dialect = found(tmp_path, "Sales report,,,\n,,,\nPrinted 1 May,,,\n" + ORDERS)
    assert (dialect.header_rows, dialect.skip_lines) == (1, 3)


def test_a_short_table_below_titles_is_found(tmp_path: Path) -> None:
    dialect = found(tmp_path, "Report\nof May\nid,day,amount\n1,2025-01-01,5\n")
    assert (dialect.delimiter, dialect.header_rows, dialect.skip_lines) == (",", 1, 2)


@pytest.mark.parametrize(
    ("text", "skip", "header"),
    [
        ("# a remark\nid,name,x\n1,a,2\n2,b,3\n", 1, 1),
        ("# one, two\n# three, four\nid,name\n1,a\n2,b\n", 2, 1),
        ("#id,name,amount\n1,a,2.5\n2,b,3.5\n", 0, 1),
        ("# id,name,amount\n1,a,2.5\n2,b,3.5\n", 0, 1),
        ("#1,a,2.5\n#2,b,3.5\n#3,c,4\n", 0, 0),
    ],
)
def test_remarks_above_the_header_are_told_from_a_header(
    text: str, skip: int, header: int, tmp_path: Path
) -> None:
    dialect = found(tmp_path, text)
    assert (dialect.skip_lines, dialect.header_rows) == (skip, header)


def test_a_heading_may_come_again_as_a_value_where_other_columns_show_it_is_one(tmp_path: Path) -> None:
    again = "customer,day,amount,city\n1,2025-01-02,3,Bonn\n2,2025-01-03,4,city\n"
    assert found(tmp_path, again).header_rows == 1
    assert found(tmp_path, "city,note\nBonn,x\ncity,y\n").header_rows == 0
    assert found(tmp_path, "Bonn,n/a\nBonn,5\nKöln,7\n").header_rows == 0


def test_years_may_head_columns(tmp_path: Path) -> None:
    assert found(tmp_path, "city,2023,2024,2025\nBonn,1,2,3\nKöln,4,5,6\n").header_rows == 1
    assert found(tmp_path, "Bonn,2023,7\nKöln,2024,8\n").header_rows == 0
    assert found(tmp_path, "2023,2024\n1,2\n3,4\n").header_rows == 0


def test_a_damaged_first_row_is_named_and_not_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, b"id,na\0me,x\n1,a,2\n2,b,3\n")
    with pytest.raises(UnreadableFile, match="The header in line 1 cannot be read"):
        read_file(path, tmp_path / "s")


# --- line ends -------------------------------------------------------------------------------------------


def test_line_feeds_in_cells_do_not_hide_returns_as_line_ends(tmp_path: Path) -> None:
    text = "id,note\r" + "".join(f'{n},"a\nb"\r' if n == 3 else f"{n},c\r" for n in range(9))
    outcome = read_file(written(tmp_path, text), tmp_path / "s")
    assert outcome.dialect.newline == "\r"
    assert outcome.rows[3] == ("3", "a\nb")
    assert unaccounted(outcome) == []


def test_returns_in_cells_do_not_hide_line_feeds(tmp_path: Path) -> None:
    outcome = read_file(written(tmp_path, 'id,note\n1,"a\rb"\n2,c\n3,d\n'), tmp_path / "s")
    assert (outcome.dialect.newline, outcome.rows[0]) == ("\n", ("1", "a\rb"))


# --- words -----------------------------------------------------------------------------------------------


def test_the_sentence_names_encoding_separators_and_header() -> None:
    assert (
        Dialect().sentence()
        == "Read as UTF-8 text with columns separated by commas, the first row names the columns."
    )
    dialect = replace(Dialect(), encoding="gb18030", delimiter=";", header_rows=2, skip_lines=3)
    assert dialect.sentence() == (
        "Read as GB18030 (Chinese) text with columns separated by semicolons, the first 3 lines left out as "
        "standing above the table, the first 2 rows together name the columns."
    )
    assert "no header row" in replace(dialect, header_rows=0).sentence()


def test_header_is_whether_any_row_names_the_columns() -> None:
    assert [Dialect(header_rows=rows).header for rows in (0, 1, 2)] == [False, True, True]


def test_another_encoding_than_utf8_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="GB18030"):
        found(tmp_path, "客户,姓名\n1,王小明\n2,李小红\n".encode("gb18030"))


def test_no_record_is_left_out_whatever_the_dialect() -> None:
    lines = [b'a,"b\n', b'c",d\n', b"\n", b'e,"f"g\n', b'"open\n', b"h,i\n"]
    taken = list(records(lines, Dialect()))
    assert [(line, cells) for line, cells, _, _ in taken] == [
        (1, ["a", "b\nc", "d"]),
        (3, []),
        (4, []),
        (5, []),
        (6, ["h", "i"]),
    ]
    assert "".join(text for _, _, _, text in taken) == b"".join(lines).decode()

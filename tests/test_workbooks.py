"""A sheet becomes a table of text as typed, whatever stands above it, and no row of it is lost."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import xlsxwriter

from crm.errors import ClienteleError, InvalidValue, UnreadableFile
from crm.imports import sheet_scans, workbooks
from crm.imports.sheet_scans import SheetScan
from tests.workbook_files import repacked, with_sheet, xls, xlsx

TABLE = [["Id", "Name", "Amount"], ["1", "Ada", 2.5], ["2", "Bo", 3]]


def read(path: Path, **options: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what the conversion says, and the rows it wrote."""
    target = path.with_suffix(".arrow")
    answer = workbooks.convert(str(path), str(target), old=path.suffix == ".xls", **options)
    rows = pa.ipc.open_stream(target).read_all().to_pylist()
    assert answer["rows"] == len(rows)
    assert [row["_row"] for row in rows] == list(range(1, len(rows) + 1))
    return answer, rows


def names(rows: list[dict[str, Any]]) -> list[str]:
    return list(rows[0])[:-2]


# --- cells ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("00123", "00123"), ("+442079460000", "+442079460000"), ("NA", "NA"), ("null", "null"), ("客户", "客户"),
        (" lead\nline\t ", " lead\nline\t "), ("=1+1", "=1+1"), ("3.10", "3.10"),
        (1, "1"), (1.0, "1"), (-12.5, "-12.5"), (0.1, "0.1"), (1234.56, "1234.56"), (13800138000, "13800138000"),
        (0.0000001, "0.0000001"), (1e20, "100000000000000000000"), (1e300, "1e+300"), (-0.0, "0"),
        (True, "TRUE"), (False, "FALSE"),
    ],
)  # fmt: skip
def test_a_cell_becomes_the_text_that_was_typed(tmp_path, cell, text):
    """The cell stands alone in its column, and between texts: numbers take another way there."""
    path = xlsx(tmp_path / "a.xlsx", ("Data", [["alone", "mixed"], [cell, cell], [cell, "x"]]))

    _, rows = read(path)

    assert [row["alone"] for row in rows] == [text, text]
    assert [row["mixed"] for row in rows] == [text, "x"]


@pytest.mark.parametrize(
    ("number", "shape", "text"),
    [
        (45720, "yyyy-mm-dd", "2025-03-04"), (45720, "dd/mm/yy", "2025-03-04"),
        (45720.4375, "yyyy-mm-dd hh:mm", "2025-03-04 10:30:00"), (45720.999999999, "d/m/yy h:mm", "2025-03-05 00:00:00"),
        (0.4375, "hh:mm:ss", "10:30:00"), (1.75, "[h]:mm:ss", "42:00:00"), (0.125, "0.0%", "0.125"),
        (12.5, '"€" 0.00', "12.5"), (1, "yyyy-mm-dd", "1900-01-01"),
    ],
)  # fmt: skip
def test_dates_times_and_durations_are_written_out(tmp_path, number, shape, text):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Id", "When"])
        sheet.write_string(1, 0, "x")
        sheet.write_number(1, 1, number, book.add_format({"num_format": shape}))

    _, rows = read(path)

    assert rows[0]["When"] == text


def test_a_workbook_that_counts_from_1904_gives_the_same_dates(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path, {"date_1904": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Id", "When"])
        sheet.write_string(1, 0, "x")
        sheet.write_datetime(1, 1, dt.date(2025, 3, 4), book.add_format({"num_format": "yyyy-mm-dd"}))

    assert read(path)[1][0]["When"] == "2025-03-04"


def test_errors_keep_their_name_and_formulas_show_their_value(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(2, 1, ["Id", "Value"])
        formulas = [("=NA()", "#N/A"), ("=1/0", "#DIV/0!"), ('="x"', "x"), ("=1+1", 2), ("=TRUE()", True)]
        for row, (formula, value) in enumerate(formulas, start=3):
            sheet.write_number(row, 1, row)
            sheet.write_formula(row, 2, formula, None, value)

    _, rows = read(path)

    assert [row["Value"] for row in rows] == ["#N/A", "#DIV/0!", "x", "2", "TRUE"]
    assert [row["_line"] for row in rows] == [4, 5, 6, 7, 8]


def test_a_column_of_nothing_but_errors_is_kept(tmp_path):
    """Errors are what the reader leaves out: at the edge of the sheet too they have to come from the scan."""
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 1, ["Id", "Value"])
        for row in (1, 2):
            sheet.write_formula(row, 0, "=NA()", None, "#N/A")
            sheet.write_row(row, 1, ["x", row])
            sheet.write_formula(row, 3, "=NA()", None, "#REF!")

    _, rows = read(path)

    assert [list(row.values()) for row in rows] == [
        ["#N/A", "x", "1", "#REF!", 1, 2],
        ["#N/A", "x", "2", "#REF!", 2, 3],
    ]


def test_numbers_that_excel_has_cut_are_pointed_out(tmp_path):
    rows = [["Order", "Phone"], [1234567890123456789, 13800138000], [2, 3]]
    path = xlsx(tmp_path / "a.xlsx", ("Data", rows))

    answer, rows = read(path)

    assert rows[0]["Order"] == "1234567890123457000"
    (sentence,) = [text for text in answer["sentences"] if "15" in text]
    assert "“Order”" in sentence
    assert "Phone" not in sentence


def test_a_cell_longer_than_excel_allows_is_refused(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", ("Data", [["Id", "Text"], ["1", "TEXT"]]))
    long = repacked(
        path, tmp_path / "b.xlsx", lambda _, data: data.replace(b">TEXT<", b">" + b"x" * 32_768 + b"<")
    )

    with pytest.raises(UnreadableFile, match="row 2 holds more than the 32,767"):
        read(long)


# --- headings ---------------------------------------------------------------------------------------------


def test_empty_and_double_names_are_made_unique(tmp_path):
    header = ["Name", "", "name", "Name", "_row", " Two\n words "]
    path = xlsx(tmp_path / "a.xlsx", ("Data", [header, list("abcdef"), list("ghijkl")]))

    _, rows = read(path)

    assert names(rows) == ["Name", "Column 2", "name (2)", "Name (3)", "_row (2)", "Two words"]


def test_titles_above_the_table_are_left_out(tmp_path):
    rows = [["Sales report"], ["Made on", "2025-03-04"], [], *TABLE, [], ["3", "Cy", 4]]
    path = xlsx(tmp_path / "a.xlsx", ("Data", rows))

    answer, found = read(path)

    assert names(found) == ["Id", "Name", "Amount"]
    assert [row["_line"] for row in found] == [5, 6, 8]
    assert "The first 3 rows were left out as standing above the table." in answer["sentences"]
    assert "Row 4 names the columns." in answer["sentences"]
    assert "One empty row was left out." in answer["sentences"]


def test_a_title_merged_over_the_whole_table_is_no_group(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:C1", "Sales report")
        for row, cells in enumerate(TABLE, start=1):
            sheet.write_row(row, 0, cells)

    assert names(read(path)[1]) == ["Id", "Name", "Amount"]


def test_group_headings_are_joined_with_the_names_below(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:B1", "Customer")
        sheet.merge_range("C1:E1", "Order")
        sheet.write_row(1, 0, ["Id", "Name", "No", "Date", "Amount"])
        sheet.write_row(2, 0, ["1", "Ada", "7", "2025-03-04", 2.5])

    answer, rows = read(path)

    assert names(rows) == ["Customer Id", "Customer Name", "Order No", "Order Date", "Order Amount"]
    assert "Rows 1 and 2 together name the columns." in answer["sentences"]


def test_names_merged_downwards_stand_once(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:A2", "Customer ID")
        sheet.merge_range("B1:B2", "Name")
        sheet.merge_range("C1:D1", "2024")
        sheet.write_row(1, 2, ["Q1", "Q2"])
        sheet.write_row(2, 0, ["1", "Ada", 2.5, 3])
        sheet.write_row(3, 0, ["2", "Bo", 4, 5])

    assert names(read(path)[1]) == ["Customer ID", "Name", "2024 Q1", "2024 Q2"]


def test_group_headings_that_are_not_merged_go_on_to_the_right(tmp_path):
    header = [["Customer", None, "Order", None], ["Id", "Name", "Date", "Amount"], ["1", "Ada", "x", 2.5]]
    path = xlsx(tmp_path / "a.xlsx", ("Data", header))

    assert names(read(path)[1]) == ["Customer Id", "Customer Name", "Order Date", "Order Amount"]


def test_what_the_user_says_of_the_heading_counts(tmp_path):
    path = xlsx(
        tmp_path / "a.xlsx", ("Data", [["x", "y"], ["Id", "Name"], ["of it", "of her"], ["1", "Ada"]])
    )

    assert names(read(path, skip_lines=1, header_rows=2)[1]) == ["Id of it", "Name of her"]
    assert names(read(path, skip_lines=1)[1]) == ["Id", "Name"]
    answer, rows = read(path, header_rows=0)
    assert names(rows) == ["Column 1", "Column 2"]
    assert len(rows) == 4
    assert "No row names the columns." in answer["sentences"]


def test_a_first_row_like_the_others_is_no_heading(tmp_path):
    rows = [["1", "Ada", 2.5], ["2", "Bo", 3], ["3", "Cy", 4]]

    answer, found = read(xlsx(tmp_path / "a.xlsx", ("Data", rows)))

    assert names(found) == ["Column 1", "Column 2", "Column 3"]
    assert len(found) == 3
    assert "No row names the columns." in answer["sentences"]


def test_years_over_numbers_are_a_heading(tmp_path):
    rows = [["Customer", 2023, 2024], ["Ada", 2.5, 1], ["Bo", 3, 4]]

    assert names(read(xlsx(tmp_path / "a.xlsx", ("Data", rows)))[1]) == ["Customer", "2023", "2024"]


def test_a_table_may_begin_anywhere(tmp_path):
    rows = [
        [],
        [],
        [None, None, "Id", None, "Name"],
        [None, None, "1", None, "Ada"],
        [None, None, "2", None, "Bo"],
    ]

    _, found = read(xlsx(tmp_path / "a.xlsx", ("Data", rows)))

    assert [list(row.values()) for row in found] == [["1", "Ada", 1, 4], ["2", "Bo", 2, 5]]


def test_a_column_filled_far_below_is_not_lost(tmp_path):
    rows: list[list[Any]] = [["Id", None, "Name"]] + [[str(at), None, "x"] for at in range(500)]
    rows.append(["500", "late", "x"])

    _, found = read(xlsx(tmp_path / "a.xlsx", ("Data", rows)))

    assert names(found) == ["Id", "Column 2", "Name"]
    assert found[-1]["Column 2"] == "late"


# --- sheets -----------------------------------------------------------------------------------------------


def test_the_first_sheet_with_a_table_is_read(tmp_path):
    path = xlsx(
        tmp_path / "a.xlsx", ("Cover", [["About"], ["this"]]), ("Empty", []), ("Sales", TABLE), ("Old", TABLE)
    )

    answer, rows = read(path)

    assert names(rows) == ["Id", "Name", "Amount"]
    assert answer["sheets"] == ["Cover", "Empty", "Sales", "Old"]
    assert answer["sentences"][0] == "The sheet “Sales” was read, number 3 of 4."


def test_a_hidden_sheet_comes_last(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        hidden = book.add_worksheet("Hidden")
        hidden.write_column(0, 0, ["Other", "x"])
        hidden.write_column(0, 1, ["Thing", "y"])
        shown = book.add_worksheet("Shown")
        for row, cells in enumerate(TABLE):
            shown.write_row(row, 0, cells)
        shown.activate()
        hidden.hide()

    assert names(read(path)[1]) == ["Id", "Name", "Amount"]
    assert names(read(path, sheet="Hidden")[1]) == ["Other", "Thing"]


def test_a_sheet_is_chosen_by_name(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", ("First", TABLE), ("客户 2024", [["A", "B"], ["1", "2"]]))

    assert names(read(path, sheet="客户 2024")[1]) == ["A", "B"]
    assert names(read(path, sheet="first")[1]) == ["Id", "Name", "Amount"]
    with pytest.raises(InvalidValue, match=r"no sheet “Third”.*“First”, “客户 2024”"):
        read(path, sheet="Third")


def test_a_workbook_without_cells_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="No sheet of the workbook"):
        read(xlsx(tmp_path / "a.xlsx", ("Empty", [])))
    with pytest.raises(UnreadableFile, match="no rows below"):
        read(xlsx(tmp_path / "b.xlsx", ("Heading", [["Id", "Name"]])))


def test_a_workbook_of_charts_only_is_refused(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Data")
        sheet.write_column(0, 0, [1, 2, 3])
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Data!$A$1:$A$3"})
        book.add_chartsheet("Chart").set_chart(chart)
    only = repacked(
        path,
        tmp_path / "b.xlsx",
        lambda name, data: data.replace(b'<sheet name="Data" sheetId="1" r:id="rId1"/>', b""),
    )

    with pytest.raises(UnreadableFile, match="only charts"):
        read(only)


# --- rows are neither lost nor made up --------------------------------------------------------------------


def test_rows_and_cells_may_leave_out_their_place(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", ("Data", TABLE))
    rows = b"<row><c t='str'><v>Id</v></c><c t='str'><v>N</v></c></row><row><c t='str'><v>a</v></c><c><v>1</v></c></row>"

    _, found = read(with_sheet(path, tmp_path / "b.xlsx", rows))

    assert found == [{"Id": "a", "N": "1", "_row": 1, "_line": 2}]


def test_a_row_that_stands_twice_is_not_lost_without_a_word(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", ("Data", TABLE))
    row = b'<row r="%d"><c r="A%d" t="str"><v>x</v></c><c r="B%d" t="str"><v>y</v></c></row>'
    rows = b"".join(row % (at, at, at) for at in (1, 3, 2))

    _, found = read(with_sheet(path, tmp_path / "b.xlsx", rows))

    assert len(found) == 2


def test_cells_that_only_have_a_format_do_not_count(tmp_path):
    """Whole rows and columns are often formatted to the end of the sheet."""
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        bold = book.add_format({"bold": True})
        for row, cells in enumerate(TABLE):
            sheet.write_row(row, 0, cells)
        sheet.write_blank(1, 16_383, None, bold)
        sheet.write_blank(1_048_575, 0, None, bold)

    answer, rows = read(path)

    assert names(rows) == ["Id", "Name", "Amount"]
    assert answer["rows"] == 2


def test_rows_of_empty_text_are_blank(tmp_path):
    path = xlsx(tmp_path / "a.xlsx", ("Data", TABLE))
    rows = (
        b'<row r="1"><c r="A1" t="str"><v>Id</v></c><c r="B1" t="str"><v>N</v></c></row>'
        b'<row r="2"><c r="A2" t="str"><f>""</f><v></v></c></row>'
        b'<row r="3"><c r="A3" t="str"><v>a</v></c></row>'
    )

    answer, found = read(with_sheet(path, tmp_path / "b.xlsx", rows))

    assert [row["_line"] for row in found] == [3]
    assert "One empty row was left out." in answer["sentences"]


def test_a_reader_that_loses_a_row_stops_the_import(tmp_path, monkeypatch):
    path = xlsx(tmp_path / "a.xlsx", ("Data", TABLE))
    rows = workbooks._Cells.rows
    monkeypatch.setattr(workbooks._Cells, "rows", lambda cells: [row for row in rows(cells) if row[0] != 3])

    with pytest.raises(UnreadableFile, match="has 2 rows by our count, but 1 were read"):
        read(path)


# --- workbooks of the old kind ----------------------------------------------------------------------------


def test_an_old_workbook_is_read_like_a_new_one(tmp_path):
    path = xls(
        tmp_path / "a.xls",
        {
            3: ["Customer", None, "Order"],
            4: ["Id", "Name", "Date", "Amount", "Note"],
            5: ["00123", "Ada", ("date", 45720), 12.5, ("error", 0x2A)],
            7: ["客户", "Bo", ("date", 45720.4375), 3, True],
        },
        merges=[(3, 3, 1, 2), (3, 3, 3, 5)],
    )

    answer, rows = read(path)

    assert names(rows) == ["Customer Id", "Customer Name", "Order Date", "Order Amount", "Order Note"]
    assert [list(row.values()) for row in rows] == [
        ["00123", "Ada", "2025-03-04", "12.5", "#N/A", 1, 5],
        ["客户", "Bo", "2025-03-04 10:30:00", "3", "TRUE", 2, 7],
    ]
    assert answer["sentences"] == [
        "The sheet “Data” of the workbook was read.",
        "Rows 3 and 4 together name the columns.",
        "One empty row was left out.",
    ]


def test_a_compound_file_that_is_no_workbook_is_named(tmp_path):
    path = xls(tmp_path / "a.xls", {1: ["Id"], 2: ["1"]}, stream_name="WordDocument")

    with pytest.raises(UnreadableFile, match="a Word document"):
        read(path)


@pytest.mark.parametrize("length", [0, 100, 600, 1000, 2000, 3000])
def test_a_cut_off_old_workbook_is_refused(tmp_path, length):
    path = xls(tmp_path / "a.xls", {1: ["Id", "N"], 2: ["1", 2], 3: ["2", 3]})
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(ClienteleError):
        read(path)


# --- the scan ---------------------------------------------------------------------------------------------


def scanned(path: Path) -> tuple[SheetScan | None, SheetScan]:
    """Return what the quick way through a sheet's bytes finds, and what following its XML finds."""
    entry = next(e for e in sheet_scans.check_container(path).values() if e.filename.endswith("sheet1.xml"))
    quick = sheet_scans._skim(path, entry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet_scans, "_skim", lambda *_: None)
        return quick, sheet_scans.scan_sheet(path, entry)


def test_both_ways_through_a_sheet_find_the_same(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row in range(3, 9000):
            sheet.write_row(row, 2, [row, f"text {row % 11}", row / 7][: row % 4])
            if row % 50 == 0:
                sheet.write_formula(row, 6, "=1/0", None, "#DIV/0!" if row % 100 else "#N/A")
                sheet.write_formula(row, 7, '=IF(A1="e","x",NA())', None, "#N/A")
            sheet.write_blank(row, 12, None, book.add_format({"bold": True}) if row == 3 else None)
            sheet.set_row(row + 20_000, 30)

    quick, whole = scanned(path)

    assert quick == whole
    assert (whole.first_column, whole.last_column, whole.rows[0], len(whole.error_rows)) == (3, 8, 4, 358)


@pytest.mark.parametrize(
    "rows",
    [
        b"<row><c t='str'><v>x</v></c></row>", b'<row r="1"><c><v>1</v></c></row>', b"<row r='1'><c r='A1'><v>1</v></c></row>",
        b'<row r="1"><!-- <c r="B1"><v>1</v></c> --><c r="A1"><v>1</v></c></row>',
        b'<row r="1"><c s="1" r="A1"><v>1</v></c></row>', b'<row r="1"><c r="A1"><v >1</v></c></row>',
        b'<row r="5"><c r="A15"><v>1</v></c></row>', b'<row r="1"><c r="A1" t="e"><f>t="e"</f><v>#N/A</v></c></row>',
        b'<row r="1"><c r="A1"><v><![CDATA[1]]></v></c></row>', b'<row spans="1:1" r="1"><c r="A1"><v>1</v></c></row>',
    ],
)  # fmt: skip
def test_a_sheet_that_is_written_in_an_unusual_way_is_followed_as_xml(tmp_path, rows):
    path = xlsx(tmp_path / "a.xlsx", ("Data", TABLE))

    quick, whole = scanned(with_sheet(path, tmp_path / "b.xlsx", rows))

    assert quick is None
    assert len(whole.rows) == 1

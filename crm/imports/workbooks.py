"""Turns one sheet of an Excel workbook into a table of text, as typed. Runs in the sandbox only.

Before the reader (calamine) sees the file, our own scan has looked through it; afterwards the rows it gave
are compared with the rows the scan saw.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import python_calamine as calamine

from crm.errors import InvalidValue, UnreadableFile
from crm.imports.headings import Heading, Merge, Row, find_heading, heading_below, joined_names, unique_names
from crm.imports.sheet_scans import SheetScan, check_container, list_parts, scan_sheet
from crm.imports.text_tables import TableWriter, cell_text, number_texts
from crm.imports.xls_scans import XlsFile

MAX_CELL = 32_767
"""Characters of one cell, as in Excel."""

_HEAD_ROWS = 200
_BATCH_CELLS = 200_000
_LONG_NUMBERS = 1e15, 1e21
"""Between these a whole number may be an identifier that Excel has rounded: it keeps 15 digits."""

_DAMAGED = "Open it in Excel, save it again, and import that; or save the table as CSV with UTF-8 encoding."
_CHOOSE = "Choose another sheet, or check that the export finished."


def convert(
    path: str,
    target: str,
    *,
    old: bool,
    sheet: str | None = None,
    header_rows: int | None = None,
    skip_lines: int | None = None,
) -> dict[str, Any]:
    """Write a sheet as an Arrow stream to `target`; return `sheets`, `sentences` and `rows`, their number.

    From a sheet of cells to a row per row below the heading that holds anything: one text column per
    column, `_row` from 1, `_line` the row in the sheet. Numbers become the shortest text that gives them
    again, dates ISO text, errors their name; text stays as it is. `old` says that it is an .xls. Without
    `sheet` the first that holds a table is read. Raises UnreadableFile or InvalidValue.
    """
    book: _Book = _OldBook(Path(path)) if old else _NewBook(Path(path))
    tables = [index for index, found in enumerate(book.sheets) if found.is_table]
    names = [book.sheets[index].name for index in tables]
    index, scan = _choose(book, tables, sheet)
    name = book.sheets[index].name
    try:
        cells = _Cells(book.open(index), scan)
    except calamine.PasswordError as error:
        raise UnreadableFile(
            "The workbook is protected with a password.",
            "Open it in Excel, save it without a password, and import that.",
        ) from error
    except calamine.CalamineError as error:
        raise UnreadableFile("The workbook is damaged: it cannot be read.", _DAMAGED) from error
    head, later = _first_look(cells, skip_lines or 0)
    if not head:
        above = f" below row {skip_lines:,}" if skip_lines else ""
        raise UnreadableFile(f"The sheet “{name}” has no cell that holds anything{above}.", _CHOOSE)
    heading = (
        find_heading(head, cells.merges, header_rows=header_rows)
        if skip_lines is None
        else heading_below(head, cells.merges, header_rows=header_rows)
    )
    named = [head[position] for position in heading.rows]
    start = named[-1][0] + 1 if named else head[heading.start][0]
    labels = joined_names(named, cells.merges, cell_text) or [""] * cells.width
    filled = later | {
        at for number, row in head if number >= start for at in range(len(row)) if row[at] != ""
    }
    kept = [at for at in range(cells.width) if labels[at] or at in filled]
    columns = unique_names([labels[at] for at in kept])
    with TableWriter(Path(target), columns) as writer:
        into = _Columns(writer, kept)
        hollow = _write(cells, scan, start, into)
        into.flush()
    counted = sum(1 for number in scan.rows if number >= start) - hollow
    if counted != writer.rows:
        raise UnreadableFile(
            f"The sheet “{name}” has {counted:,} rows by our count, but {writer.rows:,} were read: the import was "
            "stopped because rows would have been lost.",
            _DAMAGED,
        )
    if not counted:
        raise UnreadableFile(f"The sheet “{name}” has a heading and no rows below it.", _CHOOSE)
    sentences = [
        _which_sheet(name, names),
        *_heading_sentences(head, heading, skip_lines),
        *_blank_sentence(into.last_line - start + 1 - writer.rows),
        *_long_number_sentence([columns[at] for at in sorted(into.long_numbers)]),
    ]
    return {"sheets": names, "sentences": sentences, "rows": counted}


# --- the book and its sheets ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sheet:
    name: str
    is_table: bool
    is_hidden: bool


class _Book(Protocol):
    sheets: list[_Sheet]

    def scan(self, index: int) -> SheetScan: ...

    def open(self, index: int) -> calamine.CalamineSheet: ...


class _NewBook:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts = list_parts(path, check_container(path))
        self.sheets = [_Sheet(part.name, part.is_table, part.is_hidden) for part in self._parts]

    def scan(self, index: int) -> SheetScan:
        entry = self._parts[index].entry
        return scan_sheet(self._path, entry) if entry else SheetScan()

    def open(self, index: int) -> calamine.CalamineSheet:
        return _open(self._path, index, self.sheets)


class _OldBook:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._records = XlsFile(path)
        try:
            with path.open("rb") as file:
                found = calamine.CalamineWorkbook.from_filelike(file).sheets_metadata
        except calamine.CalamineError as error:
            raise UnreadableFile("The workbook is damaged: it cannot be read.", _DAMAGED) from error
        if len(found) != len(self._records.starts):
            raise UnreadableFile(
                "The workbook is damaged: its list of sheets is not what it holds.", _DAMAGED
            )
        self.sheets = [
            _Sheet(
                sheet.name,
                sheet.typ == calamine.SheetTypeEnum.WorkSheet,
                sheet.visible != calamine.SheetVisibleEnum.Visible,
            )
            for sheet in found
        ]

    def scan(self, index: int) -> SheetScan:
        return self._records.scan(index)

    def open(self, index: int) -> calamine.CalamineSheet:
        return _open(self._path, index, self.sheets)


def _open(path: Path, index: int, sheets: list[_Sheet]) -> calamine.CalamineSheet:
    # From the open file, for from_path judges by the ending of the name.
    with path.open("rb") as file:
        book = calamine.CalamineWorkbook.from_filelike(file)
        if book.sheet_names != [sheet.name for sheet in sheets]:
            raise UnreadableFile(
                "The workbook is damaged: its list of sheets is not what it holds.", _DAMAGED
            )
        return book.get_sheet_by_index(index)


def _choose(book: _Book, tables: list[int], wanted: str | None) -> tuple[int, SheetScan]:
    """Return the position of the sheet to be read, and where its cells stand."""
    if not tables:
        raise UnreadableFile(
            "The workbook holds no sheet of cells, only charts.", "Choose the file with the table."
        )
    if wanted is not None:
        for same in (str, lambda text: " ".join(text.casefold().split())):
            for index in tables:
                if same(book.sheets[index].name) == same(wanted):
                    return index, book.scan(index)
        names = ", ".join(f"“{book.sheets[index].name}”" for index in tables[:20])
        raise InvalidValue(f"The workbook has no sheet “{wanted}”.", f"It has {names}.")
    second_best: tuple[int, SheetScan] | None = None
    for index in sorted(tables, key=lambda index: book.sheets[index].is_hidden):
        scan = book.scan(index)
        if scan.holds_table:
            return index, scan
        if scan.rows and (second_best is None or len(second_best[1].rows) < 2 <= len(scan.rows)):
            second_best = index, scan
    if second_best is None:
        raise UnreadableFile("No sheet of the workbook has a cell that holds anything.", _CHOOSE)
    return second_best


class _Cells:
    """The rows of a sheet, with the errors put in that the reader leaves out."""

    def __init__(self, sheet: calamine.CalamineSheet, scan: SheetScan) -> None:
        self._sheet, self._scan = sheet, scan
        self._left = sheet.start[1] if sheet.start else 0
        self.width = sheet.width
        self.merges: list[Merge] = []
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or []:
            first, last = left - self._left, min(right - self._left, self.width - 1)
            if 0 <= first <= last:
                self.merges.append((top + 1, first, bottom + 1, last))

    def rows(self) -> Iterator[Row]:
        """Yield every row from the first of the sheet, numbered from 1; rows in between may be empty."""
        scan, left, at = self._scan, self._left, 0
        errors = len(scan.error_rows)
        for number, row in enumerate(self._sheet.iter_rows(), start=1):
            while at < errors and scan.error_rows[at] <= number:
                column = scan.error_columns[at] - 1 - left
                if scan.error_rows[at] != number or not 0 <= column < len(row):
                    raise UnreadableFile(
                        "The workbook is damaged: a cell is not where it should be.", _DAMAGED
                    )
                row[column] = scan.error_texts[scan.error_codes[at]]
                at += 1
            yield number, row


def _first_look(cells: _Cells, skip: int) -> tuple[list[Row], set[int]]:
    """Return the first rows that hold anything, and the columns that hold something below these."""
    head: list[Row] = []
    waiting = set(range(cells.width))
    seen: set[int] = set()
    for number, row in cells.rows():
        if number <= skip:
            continue
        if len(head) < _HEAD_ROWS:
            if any(not isinstance(cell, str) or cell.strip() for cell in row):
                head.append((number, row))
            continue
        found = {at for at in waiting if row[at] != ""}
        seen |= found
        waiting -= found
        if not waiting:
            break
    return head, seen


def _write(cells: _Cells, scan: SheetScan, start: int, into: "_Columns") -> int:
    """Write the rows from `start` on; return how many rows of the scan hold nothing but empty text."""
    at = hollow = 0
    for number, row in cells.rows():
        if number < start:
            continue
        while at < len(scan.rows) and scan.rows[at] < number:
            at += 1
        is_known = at < len(scan.rows) and scan.rows[at] == number
        if any(cell != "" for cell in row):
            if not is_known:
                raise UnreadableFile(
                    "The workbook is damaged: its rows are not where they should be.", _DAMAGED
                )
            into.add(number, row)
        else:
            hollow += is_known
    return hollow


# --- rows to columns of text --------------------------------------------------------------------------------


class _Columns:
    """Collects rows of cells and writes them as columns of text, batch after batch."""

    def __init__(self, writer: TableWriter, kept: Sequence[int]) -> None:
        self._writer, self._kept = writer, kept
        self._batch = max(64, _BATCH_CELLS // max(1, len(kept)))
        self._cells: list[list[Any]] = []
        self._lines: list[int] = []
        self.last_line = 0
        self.long_numbers: set[int] = set()

    def add(self, line: int, cells: list[Any]) -> None:
        """Take one more row, which is row `line` of the sheet."""
        self._cells.append(cells)
        self._lines.append(line)
        self.last_line = line
        if len(self._cells) >= self._batch:
            self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        if not self._cells:
            return
        whole = list(zip(*self._cells, strict=True))
        arrays = [
            pa.array(self._texts(at, whole[column]), pa.string()) for at, column in enumerate(self._kept)
        ]
        self._writer.write(arrays, pa.array(self._lines, pa.int64()))
        self._cells, self._lines = [], []

    def _texts(self, at: int, cells: tuple[Any, ...]) -> pa.Array:
        kinds = set(map(type, cells))
        if kinds & {float, int} and at not in self.long_numbers:
            numbers = cells if kinds == {float} else [cell for cell in cells if type(cell) in (int, float)]
            if max(map(abs, numbers)) >= _LONG_NUMBERS[0] and any(map(_is_long, numbers)):
                self.long_numbers.add(at)
        if kinds == {float}:
            return number_texts(pa.array(cells, pa.float64()))
        texts = [cell if type(cell) is str else cell_text(cell) for cell in cells]
        if str in kinds and max(map(len, texts)) > MAX_CELL:
            line = next(line for line, text in zip(self._lines, texts, strict=True) if len(text) > MAX_CELL)
            raise UnreadableFile(
                f"A cell of row {line:,} holds more than the {MAX_CELL:,} characters Excel allows.", _DAMAGED
            )
        return pa.array(texts, pa.string())


def _is_long(number: float) -> bool:
    return _LONG_NUMBERS[0] <= abs(number) < _LONG_NUMBERS[1] and number == int(number)


# --- what was assumed, in sentences -----------------------------------------------------------------------


def _which_sheet(name: str, names: list[str]) -> str:
    if len(names) == 1:
        return f"The sheet “{name}” of the workbook was read."
    return f"The sheet “{name}” was read, number {names.index(name) + 1} of {len(names)}."


def _heading_sentences(head: list[Row], heading: Heading, skip_lines: int | None) -> Iterator[str]:
    first = head[heading.rows[0] if heading.rows else min(heading.start, len(head) - 1)][0]
    if heading.titles and skip_lines is None:
        above = "The first row was" if first == 2 else f"The first {first - 1:,} rows were"
        yield f"{above} left out as standing above the table."
    numbers = [head[position][0] for position in heading.rows]
    if not numbers:
        yield "No row names the columns."
    elif len(numbers) == 1:
        yield f"Row {numbers[0]:,} names the columns."
    else:
        listed = ", ".join(f"{number:,}" for number in numbers[:-1])
        yield f"Rows {listed} and {numbers[-1]:,} together name the columns."


def _blank_sentence(blank: int) -> Iterator[str]:
    if blank > 0:
        yield "One empty row was left out." if blank == 1 else f"{blank:,} empty rows were left out."


def _long_number_sentence(columns: list[str]) -> Iterator[str]:
    if columns:
        names = ", ".join(f"“{name}”" for name in columns)
        yield (
            f"{names}: numbers of 16 digits or more, of which Excel keeps the first 15. If they are identifiers, their "
            "last digits were lost when the workbook was made; export them as text."
        )

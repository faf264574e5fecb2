"""Exports: a stream of rows into a CSV, Excel or Parquet file, and nothing at all when it fails.

Files are written batch by batch, so memory does not grow with the rows. The file appears under its name
only when it is complete.

A spreadsheet would compute text such as `=HYPERLINK(…)`. Excel files are safe by type: every text cell is
text. CSV for spreadsheets goes through the guard of `crm.formulas`.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import xlsxwriter
from xlsxwriter.format import Format as Look
from xlsxwriter.worksheet import Worksheet

from crm.errors import InvalidValue
from crm.formulas import guarded, without_control
from crm.schema import field_of

FormatName = Literal["xlsx", "csv", "parquet"]

MAX_SHEET_ROWS = 1_048_576
"""Rows of an Excel sheet, its header included."""

TITLE = "clientele.title"
"""Key of a column's title in its metadata, where it is not the schema's."""

MAX_CELL = 32_767
"""Letters in an Excel cell."""


@dataclass(frozen=True)
class Format:
    """A kind of file that an export can be: `name` and `safe` are the arguments of `write`."""

    name: FormatName
    safe: bool
    suffix: str
    media_type: str
    title: str
    meaning: str


@dataclass(frozen=True)
class ExportResult:
    """What was written: the number of rows, where, by which definition and as of which day."""

    rows: int
    path: Path
    definition: str
    as_of: date


_FORMATS = (
    Format("xlsx", True, ".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Excel",
           "Text stays text, numbers are numbers; a second sheet says what the rows are"),
    Format("csv", True, ".csv", "text/csv", "CSV for spreadsheets",
           "Text that a spreadsheet would compute as a formula gets an apostrophe in front"),
    Format("csv", False, ".csv", "text/csv", "CSV for programs",
           "Every value as it is stored; not for spreadsheets, which would compute formulas in it"),
    Format("parquet", True, ".parquet", "application/vnd.apache.parquet", "Parquet",
           "Exact types, for databases and analysis tools"),
)  # fmt: skip


def formats() -> tuple[Format, ...]:
    """Return the kinds of file an export can be, the default first."""
    return _FORMATS


def write(
    reader: pa.RecordBatchReader,
    path: Path,
    *,
    definition: str,
    as_of: date,
    format: FormatName | None = None,  # noqa: A002  # what everybody calls it
    safe: bool = True,
    written_at: datetime | None = None,
) -> ExportResult:
    """Write the rows of a reader to a file, and return how many there were.

    Before: one row per customer (or of any flat table). After: the same rows in the same order, `customer_id`
    as the first column, headers as named in the reader. `format` follows the path's suffix unless given. An
    existing file is replaced, but only by a complete one. Missing values and not-a-number become empty cells.

    `safe=False` is CSV for programs: byte for byte and without the formula guard. Safe CSV drops control
    characters and writes every line break inside a value as a line feed.

    Excel files say on a second sheet, Parquet files in their metadata, what `definition` and `as_of` are; a
    `written_at` is noted there if given.

    Raises InvalidValue for an unknown format, a folder that does not exist, or what the format cannot hold:
    more rows than an Excel sheet, longer text than an Excel cell, nested columns.
    """
    name = _format_of(path, format)
    if not path.parent.is_dir() or path.is_dir():
        raise InvalidValue(
            f"The export cannot be written to “{path.name}”: "
            + ("that is a folder." if path.is_dir() else f"there is no folder “{path.parent.name}”."),
            "Name a file in a folder that exists.",
        )
    about = _About(definition, as_of, written_at)
    writer: Callable[..., int] = {"csv": _write_csv, "xlsx": _write_xlsx, "parquet": _write_parquet}[name]
    # Beside the target, so that the last step is a rename within one disk.
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as scratch:
        unfinished = Path(scratch) / "export"
        rows = writer(reader, unfinished, about=about, safe=safe)
        unfinished.replace(path)
    return ExportResult(rows, path, definition, as_of)


def to_bytes(
    reader: pa.RecordBatchReader,
    *,
    format: FormatName,  # noqa: A002
    definition: str,
    as_of: date,
    safe: bool = True,
    written_at: datetime | None = None,
) -> bytes:
    """Return the file that `write` would write, for a download button; raises as `write` does."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"export.{format}"
        write(
            reader, path, definition=definition, as_of=as_of, format=format, safe=safe, written_at=written_at
        )
        return path.read_bytes()


def _format_of(path: Path, given: str | None) -> FormatName:
    wanted = given if given is not None else path.suffix.lower().removeprefix(".")
    for known in _FORMATS:
        if known.name == wanted:
            return known.name
    found = f"“{wanted}” is no format for an export." if wanted else f"“{path.name}” has no ending."
    raise InvalidValue(found, "Use a name that ends in .xlsx, .csv or .parquet.")


@dataclass(frozen=True)
class _About:
    definition: str
    as_of: date
    written_at: datetime | None


# Rows on their way

_TEXT_ROWS = 16_384
_PARQUET_ROWS = 131_072  # a row group: readers skip and parallelise by it


def _ordered(schema: pa.Schema) -> list[str]:
    return sorted(schema.names, key=lambda name: name != "customer_id")


def _tables(reader: pa.RecordBatchReader, rows: int) -> Iterator[pa.Table]:
    """Yield the rows in tables of at most `rows`, however large the reader's batches are."""
    columns = _ordered(reader.schema)
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in reader:
        rest = batch.select(columns)
        while held + rest.num_rows >= rows:
            head, rest = rest.slice(0, rows - held), rest.slice(rows - held)
            yield pa.Table.from_batches([*waiting, head])
            waiting, held = [], 0
        if rest.num_rows:
            waiting.append(rest)
            held += rest.num_rows
    if waiting:
        yield pa.Table.from_batches(waiting)


def _plain(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return the column as text, whole number, float, decimal, date, timestamp, yes / no, or all missing."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type), name)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    if pa.types.is_floating(kind):
        finite = pc.is_finite(column)
        return pc.if_else(finite, column, None)
    if pa.types.is_timestamp(kind):
        # Nanoseconds have no Python value; no source of ours has them.
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    if any(
        is_kind(kind)
        for is_kind in (pa.types.is_integer, pa.types.is_decimal, pa.types.is_date, pa.types.is_boolean,
                        pa.types.is_null)
    ):  # fmt: skip
        return column
    raise InvalidValue(
        f"The column {name} holds {kind} values, which have no place in one cell.",
        "Export to Parquet, or leave the column out.",
    )


# CSV


def _write_csv(reader: pa.RecordBatchReader, path: Path, *, about: _About, safe: bool) -> int:
    del about  # no line of a CSV is skipped by every reader
    names = _ordered(reader.schema)
    titles = (
        guarded(without_control(pa.chunked_array([names], pa.large_string()))).to_pylist() if safe else names
    )
    header = ",".join('"{}"'.format(title.replace('"', '""')) for title in titles) + "\r\n"
    schema = pa.schema([(str(place), pa.large_string()) for place in range(len(names))])
    options = pa.csv.WriteOptions(include_header=False, eol="\r\n", quoting_style="all_valid")
    rows = 0
    with path.open("wb") as file:
        # Without the mark, Excel takes UTF-8 for the local code page.
        file.write(header.encode("utf-8-sig" if safe else "utf-8"))
        with pa.csv.CSVWriter(file, schema, write_options=options) as writer:
            for table in _tables(reader, _TEXT_ROWS):
                columns = [_csv_column(table.column(name), name, safe=safe) for name in names]
                if len(columns) == 1:
                    # A row without any character would be no row to most readers.
                    columns = [pc.fill_null(columns[0], "")]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
                rows += table.num_rows
    return rows


def _csv_column(column: pa.ChunkedArray, name: str, *, safe: bool) -> pa.ChunkedArray:
    values = _plain(column, name)
    written = values.cast(pa.large_string())
    if pa.types.is_timestamp(values.type):
        return pc.replace_substring_regex(written, r"\.0+(Z?)$", r"\1")
    if pa.types.is_floating(values.type):
        return _without_exponent(written)
    # The guard is for text alone: a number cannot be a formula.
    return guarded(without_control(written)) if safe and pa.types.is_large_string(values.type) else written


def _without_exponent(written: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers written with all their digits: few readers take 1e+14 for what it was."""
    short = pc.match_substring(written, "e")
    if not pc.any(short).as_py():
        return written
    digits = [
        format(Decimal(text), "f") if text is not None and "e" in text else text
        for text in written.to_pylist()
    ]
    return pa.chunked_array([digits], pa.large_string())


# Excel


def _write_xlsx(reader: pa.RecordBatchReader, path: Path, *, about: _About, safe: bool) -> int:
    del safe  # text cells are text; there is no other way here
    workbook = xlsxwriter.Workbook(
        str(path),
        {
            "constant_memory": True,
            "tmpdir": str(path.parent),
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "use_zip64": True,
        },
    )
    # Otherwise the library notes the clock, and the same export twice is two different files.
    workbook.set_properties({"created": about.written_at or datetime.combine(about.as_of, time())})
    try:
        rows = _fill_rows(workbook, workbook.add_worksheet("Data"), reader)
        _fill_about(workbook, workbook.add_worksheet("About"), reader.schema, about, rows)
    except BaseException:
        for sheet in workbook.worksheets():
            sheet.row_data_fh.close()
        raise
    workbook.close()
    return rows


def _fill_rows(workbook: xlsxwriter.Workbook, sheet: Worksheet, reader: pa.RecordBatchReader) -> int:
    names = _ordered(reader.schema)
    bold = workbook.add_format({"bold": True})
    for place, name in enumerate(names):
        pattern, width = _pattern(name, reader.schema.field(name).type)
        look = workbook.add_format({"num_format": pattern})
        sheet.set_column(place, place, max(width, min(len(name), 40) + 2), look)
        _write_text(sheet, 0, place, name, bold)
    sheet.freeze_panes(1, 1 if names[:1] == ["customer_id"] else 0)
    rows = 0
    tables = _tables(reader, _TEXT_ROWS)
    for table in tables:
        if rows + table.num_rows >= MAX_SHEET_ROWS:
            rows += table.num_rows + sum(rest.num_rows for rest in tables)
            raise InvalidValue(
                f"There are {rows:,} rows, and an Excel sheet holds {MAX_SHEET_ROWS - 1:,} below its header.",
                "Export to CSV or Parquet, or narrow the filter.",
            )
        columns = [_plain(table.column(name), name) for name in names]
        cells = [
            (_cell_writer(sheet, place, name, column.type), column.to_pylist())
            for place, (name, column) in enumerate(zip(names, columns, strict=True))
        ]
        for offset in range(table.num_rows):
            row = rows + offset + 1
            for write_cell, values in cells:
                value = values[offset]
                if value is not None:
                    write_cell(row, value)
        rows += table.num_rows
    if rows:
        sheet.autofilter(0, 0, rows, len(names) - 1)
    return rows


def _fill_about(
    workbook: xlsxwriter.Workbook, sheet: Worksheet, schema: pa.Schema, about: _About, rows: int
) -> None:
    bold = workbook.add_format({"bold": True, "valign": "top"})
    wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
    day = workbook.add_format({"num_format": "yyyy-mm-dd", "align": "left"})
    moment = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
    count = workbook.add_format({"num_format": "#,##0", "align": "left"})
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 60)
    sheet.set_column(2, 2, 100)
    line = 0
    # A definition may be longer than a cell.
    parts = [
        about.definition[start : start + 10_000] for start in range(0, len(about.definition), 10_000)
    ] or [""]
    for place, part in enumerate(parts):
        _write_text(sheet, line, 0, "Definition" if place == 0 else "", bold)
        _write_text(sheet, line, 1, part, wrapped)
        line += 1
    sheet.write_string(line, 0, "As of", bold)
    sheet.write_datetime(line, 1, about.as_of, day)
    sheet.write_string(line + 1, 0, "Rows", bold)
    sheet.write_number(line + 1, 1, rows, count)
    line += 2
    if about.written_at is not None:
        sheet.write_string(line, 0, "Written", bold)
        sheet.write_datetime(line, 1, about.written_at.replace(tzinfo=None), moment)
        line += 1
    line += 1
    for place, title in enumerate(("Column", "Title", "Meaning")):
        sheet.write_string(line, place, title, bold)
    for name in _ordered(schema):
        line += 1
        _write_text(sheet, line, 0, name)
        if field := field_of(name):
            _write_text(sheet, line, 1, _title(schema.field(name)) or field.title)
            _write_text(sheet, line, 2, field.meaning)


def _title(column: pa.Field) -> str | None:
    """Return the title that a column of the reader carries of its own."""
    title: bytes | None = (column.metadata or {}).get(TITLE.encode())
    return title.decode() if title is not None else None


def _pattern(name: str, kind: pa.DataType) -> tuple[str, int]:
    """Return the number format of a column, and its least width in letters."""
    if pa.types.is_date(kind):
        return "yyyy-mm-dd", 12
    if pa.types.is_timestamp(kind):
        return "yyyy-mm-dd hh:mm:ss", 20
    field = field_of(name)
    if field is not None and field.type == "money" and not pa.types.is_string(kind):
        return "#,##0.00", 14
    return "General", 10


def _cell_writer(sheet: Worksheet, place: int, name: str, kind: pa.DataType) -> Callable[[int, Any], None]:
    """Return what writes a value of a column into a row."""

    def text(row: int, value: str) -> None:
        if not _write_text(sheet, row, place, value):
            raise InvalidValue(
                f"Row {row + 1} has a {name} of more than {MAX_CELL:,} letters, which no Excel cell holds.",
                "Export to CSV or Parquet, or leave the column out.",
            )

    def number(row: int, value: float | Decimal) -> None:
        # Excel keeps 15 digits of a number and turns the rest into zeros.
        if isinstance(value, int) and abs(value) >= 10**15:
            text(row, str(value))
        else:
            sheet.write_number(row, place, float(value))

    def day(row: int, value: date) -> None:
        if value.year < _EXCEL_BEGINS:
            text(row, value.isoformat())
        else:
            sheet.write_datetime(row, place, value)

    def moment(row: int, value: datetime) -> None:
        local = value.replace(tzinfo=None)
        if local.year < _EXCEL_BEGINS:
            text(row, local.isoformat(" "))
        else:
            sheet.write_datetime(row, place, local)

    def yes_no(row: int, value: bool) -> None:
        sheet.write_boolean(row, place, value)

    if pa.types.is_large_string(kind):
        return text
    if pa.types.is_date(kind):
        return day
    if pa.types.is_timestamp(kind):
        return moment
    return yes_no if pa.types.is_boolean(kind) else number


_EXCEL_BEGINS = 1900  # the first year of its calendar

# Not letters, and not allowed in the XML of a workbook.
_NO_LETTERS = str.maketrans("\ufffe\uffff", "\ufffd\ufffd")


def _write_text(sheet: Worksheet, row: int, place: int, text: str, look: Look | None = None) -> bool:
    """Write a text cell, and return whether the text fits."""
    text = text.translate(_NO_LETTERS)
    if text.startswith("<r>") and text.endswith("</r>"):
        # The library takes such text for its own markup and would write it as it is, cells and formulas
        # included. So it gets that markup, with the text in it as text.
        text = f'<r><t xml:space="preserve">{escape(text)}</t></r>'
    return bool(sheet.write_string(row, place, text, look) == 0)


# Parquet


def _write_parquet(reader: pa.RecordBatchReader, path: Path, *, about: _About, safe: bool) -> int:
    del safe  # typed values; no program computes them
    notes = {"definition": about.definition, "as_of": about.as_of.isoformat()}
    if about.written_at is not None:
        notes["written_at"] = about.written_at.isoformat()
    # In place of metadata that describes another program's view of the columns.
    schema = pa.schema(
        [reader.schema.field(name) for name in _ordered(reader.schema)],
        {f"clientele.{key}": value for key, value in notes.items()},
    )
    rows = 0
    with pq.ParquetWriter(path, schema) as writer:
        for table in _tables(reader, _PARQUET_ROWS):
            writer.write_table(table.replace_schema_metadata(schema.metadata))
            rows += table.num_rows
        # Known only now, and therefore in the file's metadata and not in the schema's.
        writer.add_key_value_metadata({"clientele.rows": str(rows)})
    return rows

"""Reads a file's rows into DuckDB, every cell as text, every row accounted for.

Three ways lead there. A text file that a byte-wise scan finds flawless is read by DuckDB with the dialect
spelled out, and not before its rows are asked for: `store` puts them on disk. Any other text (stray quotation
marks, rows of other widths, blanks as separators, mixed line ends) is split by our own careful splitter. A
workbook, a Parquet file or a database's rows come as a stream of text cells. Each way ends in a count made
independently of the reader; where it differs the import stops.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm.errors import UnreadableFile
from crm.imports.dialect import (
    BOM,
    MAX_COLUMNS,
    MAX_LINE,
    NOT_TEXT,
    WHITESPACE,
    Dialect,
    Record,
    detect,
    is_other_encoding,
    lines_of,
    records,
)
from crm.imports.headings import joined_names, unique_names

__all__ = [
    "Dialect",
    "RawTable",
    "Straight",
    "detect",
    "drop",
    "identifier",
    "literal",
    "one_row",
    "read",
    "read_table",
    "sample",
    "store",
]

_CHUNK = 2 << 20
_WITNESSES = 100
_BATCH_CELLS = 400_000
_BATCH_CHARACTERS = 32 << 20

_EXPORT_AGAIN = "Save the file again from the program it comes from, as CSV with UTF-8 encoding."


@dataclass(frozen=True)
class RawTable:
    """A file's rows as they came, in a DuckDB table or view.

    `table` has the source columns as text (an empty or missing cell is the empty text) and `_row`, the
    position of the data row in the file from 1 (rejected rows count), and `_line`, the line it starts on.
    `rejects_table` has one row per record that could not be split into the file's columns: `_row`, `_line`,
    `reason`, `text` (verbatim). `lines_counted` is the number of data rows by a count that is independent
    of the reader; it equals `row_count` + `reader_rejects`. `sentences` say what was assumed. `straight` is
    there as long as the rows are still in the file alone, every use of `table` reading it anew. `dialect` is
    how a text writes its table, nothing for other files.
    """

    table: str
    columns: tuple[str, ...]
    sentences: tuple[str, ...]
    row_count: int
    rejects_table: str
    reader_rejects: int
    lines_counted: int
    blank_lines: int
    dialect: Dialect | None = None
    straight: "Straight | None" = None


@dataclass(frozen=True)
class Straight:
    """A flawless file that DuckDB can read straight away, and what holds for a sound reading of it.

    `errors` is the table in which DuckDB notes the lines it refuses; it must be empty after every reading.
    `witnesses` are records split by our own splitter: row from 1 → its cells.
    """

    path: Path
    dialect: Dialect
    errors: str
    witnesses: dict[int, list[str]]


def identifier(name: str) -> str:
    """Return a column's or table's name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text quoted for SQL."""
    return "'" + text.replace("'", "''") + "'"


def one_row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    """Return the only row of a query's result."""
    (row,) = connection.execute(sql).fetchall()
    return row


def read(
    path: Path,
    dialect: Dialect,
    *,
    connection: duckdb.DuckDBPyConnection,
    table: str,
    scratch: Path,
    lazily: bool = False,
) -> RawTable:
    """Read a text file into the new table `table` of `connection` and return what was read.

    From lines of text to rows of text cells, with `_row` and `_line`; rows that cannot be split go to the
    table `<table>_rejects`. `lazily` leaves the rows of a file that looks flawless in the file, see `RawTable`,
    until `store` is called. Other files are written to `scratch`. Raises UnreadableFile when the file has no
    rows, a line or a number of columns beyond the limits, is not UTF-8, or when the rows read and rejected do
    not add up to the rows counted.
    """
    columns = _columns(path, dialect)
    raw = None
    if _may_be_flawless(path, dialect):
        scan = _scan(path, dialect, len(columns))
        if scan is not None and scan.longest <= MAX_LINE:
            raw = _view(path, dialect, scan, columns, connection=connection, table=table)
    if raw is None:
        raw = _read_carefully(path, dialect, columns, connection=connection, table=table, scratch=scratch)
    raw = _counted(connection, raw)
    return raw if lazily else store(connection, raw, scratch=scratch)


def store(connection: duckdb.DuckDBPyConnection, raw: RawTable, *, scratch: Path) -> RawTable:
    """Put the rows of a file that is still read straight on disk in `scratch`, and return them.

    From a view that reads the file to a view of a Parquet file. A file of which DuckDB refuses a line, or
    reads a row otherwise than our own splitter, is split by that. Raises what `read` raises.
    """
    straight = raw.straight
    if straight is None:
        return raw
    scratch.mkdir(parents=True, exist_ok=True)
    target = scratch / f"{raw.table}.parquet"
    connection.execute(f"DELETE FROM {identifier(straight.errors)}")
    try:
        cells = ", ".join(map(identifier, raw.columns))
        numbered = ", _line" if _needs_numbers(connection, raw.table) else ""
        connection.execute(
            f"COPY (SELECT {cells}{numbered} FROM {identifier(raw.table)}) TO {literal(str(target))}"
        )
        sound = not _count(connection, straight.errors)
    except duckdb.Error:
        sound = False
    if sound:
        rows = f"read_parquet({literal(str(target))}, file_row_number = true)"
        above = straight.dialect.skip_lines + straight.dialect.header_rows
        line = "_line" if numbered else f"file_row_number + {above + 1} AS _line"
        connection.execute(
            f"CREATE OR REPLACE VIEW {identifier(raw.table)} AS "
            f"SELECT {cells}, file_row_number + 1 AS _row, {line} FROM {rows}"
        )
        sound = _count(connection, raw.table) == raw.row_count and _witnessed(connection, raw)
    if sound:
        return _counted(connection, replace(raw, straight=None))
    target.unlink(missing_ok=True)
    _forget(connection, raw.table)
    return _counted(
        connection,
        _read_carefully(
            straight.path,
            straight.dialect,
            raw.columns,
            connection=connection,
            table=raw.table,
            scratch=scratch,
        ),
    )


def read_table(
    path: Path,
    *,
    sentences: tuple[str, ...],
    rows_counted: int | None,
    connection: duckdb.DuckDBPyConnection,
    table: str,
    scratch: Path,
) -> RawTable:
    """Read a stream of text cells, as `formats.open_file` makes of a workbook, into `table` and return it.

    From an Arrow stream of one text column per source column, `_row` and `_line`. Raises UnreadableFile when
    it has no rows or not as many as were counted before.
    """
    target = scratch / f"{table}.parquet"
    _forget(connection, table)
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
        columns = tuple(name for name in stream.schema.names if name not in {"_row", "_line"})
        connection.register("_cells_of_table", stream)
        try:
            connection.execute(f"COPY (SELECT * FROM _cells_of_table) TO {literal(str(target))}")
        finally:
            connection.unregister("_cells_of_table")
    connection.execute(
        f"CREATE VIEW {identifier(table)} AS SELECT * FROM read_parquet({literal(str(target))})"
    )
    rejects = _no_rejects(connection, table)
    rows = _count(connection, table)
    return _counted(
        connection,
        RawTable(
            table=table,
            columns=columns,
            sentences=sentences,
            row_count=rows,
            rejects_table=rejects,
            reader_rejects=0,
            lines_counted=rows if rows_counted is None else rows_counted,
            blank_lines=0,
        ),
    )


def _counted(connection: duckdb.DuckDBPyConnection, raw: RawTable) -> RawTable:
    """Return the rows when all are accounted for and there are any. Raises UnreadableFile."""
    if raw.row_count + raw.reader_rejects != raw.lines_counted:
        _forget(connection, raw.table)
        raise UnreadableFile(
            f"The file has {raw.lines_counted:,} rows by our count, but {raw.row_count:,} were read and "
            f"{raw.reader_rejects:,} refused: the import was stopped because rows would have been lost.",
            _EXPORT_AGAIN,
        )
    if raw.lines_counted == 0:
        _forget(connection, raw.table)
        raise UnreadableFile(
            "The file has a header and no rows below it.",
            "Check that the export finished, and choose it again.",
        )
    return raw


def _witnessed(connection: duckdb.DuckDBPyConnection, raw: RawTable) -> bool:
    """Return whether rows here and there, split again by our own splitter, are what stands in the table."""
    spots = raw.straight.witnesses if raw.straight else {}
    if not spots:
        return True
    rows = connection.execute(
        f"SELECT _row, {', '.join(map(identifier, raw.columns))} FROM {identifier(raw.table)} "
        f"WHERE _row IN ({', '.join(map(str, spots))})"
    ).fetchall()
    found = {row[0]: list(row[1:]) for row in rows}
    return all(found.get(number) == cells for number, cells in spots.items())


def sample(connection: duckdb.DuckDBPyConnection, raw: RawTable, rows: int = 20) -> dict[str, list[str]]:
    """Return the first `rows` rows of a table that was read: column → its cells, in the file's order."""
    # DuckDB keeps the order of a file unless told otherwise, so nothing need be sorted to find the first.
    names = ", ".join(map(identifier, raw.columns))
    found = connection.execute(f"SELECT {names} FROM {identifier(raw.table)} LIMIT {int(rows)}").fetchall()
    return {name: [row[index] for row in found] for index, name in enumerate(raw.columns)}


def drop(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Drop tables and views, those of them that there are."""
    marks = ", ".join("?" * len(names))
    found = connection.execute(
        f"SELECT table_name, table_type FROM information_schema.tables WHERE table_name IN ({marks})", names
    ).fetchall()
    for name, kind in found:
        connection.execute(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {identifier(name)}")


def _forget(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Drop what was read under the name `table`, and its rejects."""
    drop(connection, table, f"{table}_rejects")


def _table_records(path: Path, dialect: Dialect) -> Iterator[Record]:
    """Yield the records of the table, the lines above it left out but counted."""
    lines = lines_of(path, dialect.newline)
    skipped = sum(1 for _ in islice(lines, dialect.skip_lines))
    for line, cells, problem, text in records(lines, dialect):
        yield line + skipped, cells, problem, text


def _is_blank(cells: list[str], problem: str, width: int) -> bool:
    return not problem and (not cells or (width > 1 and len(cells) == 1 and not cells[0].strip(" ")))


def _columns(path: Path, dialect: Dialect) -> tuple[str, ...]:
    """Return the names of the file's columns, made unique; as many as its rows usually have cells."""
    tasted: list[list[str]] = []
    characters = 0
    for _, cells, problem, text in _table_records(path, dialect):
        if not _is_blank(cells, problem, 2) and not problem:
            tasted.append(cells)
        characters += len(text)
        if len(tasted) > 1000 or characters > _BATCH_CHARACTERS:
            break
    if not tasted:
        raise UnreadableFile("No line of the file can be read as a row of a table.", _EXPORT_AGAIN)
    above = dialect.header_rows
    wide = max(map(len, tasted[:above]), default=0)
    named = [
        (number, [*cells, *[""] * (wide - len(cells))]) for number, cells in enumerate(tasted[:above], 1)
    ]
    header = joined_names(named, (), str)
    widths = Counter(map(len, tasted[above:] if len(tasted) > above else tasted))
    width = max(widths.items(), key=lambda item: (item[1], item[0]))[0]
    while len(header) > width and not header[-1]:
        header.pop()
    if header and not any(cell for cells in tasted[above:] for cell in cells[len(header) :]):
        width = len(header)  # rows that end in a separator have no further column
    width = max(width, len(header))
    if width > MAX_COLUMNS:
        raise UnreadableFile(
            f"The file has {width:,} columns; up to {MAX_COLUMNS:,} can be read.",
            "Leave out the columns that are not needed and import the rest.",
        )
    return tuple(unique_names([header[index] if index < len(header) else "" for index in range(width)]))


# --- flawless files: counted byte by byte, read by DuckDB ----------------------------------------------


@dataclass
class _Scan:
    """What a byte-wise pass found: records that hold something, header included, and where some stand."""

    records: int = 0
    blanks: int = 0
    lines: int = 0
    longest: int = 0
    one_line_each: bool = True
    # Lines on which records start: an array where they are irregular, else first line and how many.
    line_numbers: list[npt.NDArray[np.int64] | tuple[int, int]] = field(default_factory=list)
    witnesses: list[tuple[int, int, int]] = field(default_factory=list)  # record, first byte, end

    def lines_of_records(self) -> npt.NDArray[np.int64]:
        """Return the line on which each record starts, in their order."""
        return np.concatenate(
            [
                np.arange(given[0], given[0] + given[1]) if isinstance(given, tuple) else given
                for given in self.line_numbers
            ]
        )


def _may_be_flawless(path: Path, dialect: Dialect) -> bool:
    return (
        dialect.delimiter != WHITESPACE
        and len(dialect.delimiter.encode()) == 1
        and dialect.escape != "\\"
        and dialect.newline != "\r"
        and dialect.skip_lines == 0
        and not any(sign in str(path) for sign in "*?[]{}")  # DuckDB would look for many files
    )


def _scan(path: Path, dialect: Dialect, width: int) -> _Scan | None:
    """Return the count of a file's records, or None as soon as something in it needs the careful way.

    Flawless is: UTF-8, one kind of line end, every quotation mark either around a whole cell or doubled
    inside it, and every record of the same width.
    """
    scan = _Scan()
    delimiter, quote = ord(dialect.delimiter), ord(dialect.quote) if dialect.quote else -1
    windows = dialect.newline == "\r\n"
    with path.open("rb") as file:
        offset = len(BOM) if file.read(len(BOM)) == BOM else 0
        file.seek(offset)
        rest = b""
        while True:
            chunk = file.read(_CHUNK)
            if not chunk and not rest:
                break
            data = rest + chunk
            plain = _add_plain(
                scan, data, offset, delimiter=delimiter, quote=quote, windows=windows, width=width
            )
            if plain:
                offset += plain
                rest = data[plain:]
                continue
            codes = np.frombuffer(data, np.uint8)
            newlines = np.flatnonzero(codes == 10)
            quotes = np.flatnonzero(codes == quote) if quote >= 0 else newlines[:0]
            ends = newlines
            if quotes.size:
                ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
            if not chunk:  # what is left is the last line, which has no line end
                if quotes.size % 2:
                    return None
                ends = np.append(ends, len(data))
            if not ends.size:
                if len(data) > MAX_LINE:
                    return None
                rest = data
                continue
            cut = min(int(ends[-1]) + 1, len(data))
            piece = _Piece(
                data[:cut], codes[:cut], ends, newlines[newlines < cut], quotes[quotes < cut], offset
            )
            if not _add(scan, piece, delimiter=delimiter, windows=windows, width=width):
                return None
            offset += cut
            rest = data[cut:]
    if dialect.header and scan.records == 0:
        return None
    return scan


def _add_plain(
    scan: _Scan, data: bytes, offset: int, *, delimiter: int, quote: int, windows: bool, width: int
) -> int:
    """Add the whole records of `data` to a scan if they are plain, and return how many bytes those are.

    Plain is: no quotation mark, no blank line, nothing but UTF-8, and separators as many as the records need.
    That each record has its own share of them DuckDB finds out, which refuses any other. 0 when not plain.
    """
    stop = data.rfind(b"\n") + 1
    if not stop or stop < len(data) // 2:
        return 0
    piece = data[:stop]
    if b"\0" in piece or (quote >= 0 and quote in piece):
        return 0
    if not piece.isascii():
        try:
            piece.decode()
        except UnicodeDecodeError:
            return 0
    lines = piece.count(b"\n")
    ending = b"\r\n" if windows else b"\n"
    if piece.startswith(ending) or ending * 2 in piece:
        return 0
    if piece.count(b"\r") != (piece.count(ending) if windows else 0) or (
        windows and piece.count(ending) != lines
    ):
        return 0
    if piece.count(bytes([delimiter])) != lines * (width - 1):
        return 0
    middle = piece.rfind(b"\n", 0, len(piece) // 2) + 1
    for begin in {0, middle}:
        end = piece.index(ending, begin)
        scan.witnesses.append((scan.records + piece.count(b"\n", 0, begin), offset + begin, offset + end))
    scan.line_numbers.append((scan.lines + 1, lines))
    scan.records += lines
    scan.lines += lines
    return stop


@dataclass(frozen=True)
class _Piece:
    """Whole records of a file: their bytes, and where records end, lines end and quotation marks stand."""

    data: bytes
    codes: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]
    newlines: npt.NDArray[np.int64]
    quotes: npt.NDArray[np.int64]
    offset: int


def _add(scan: _Scan, piece: _Piece, *, delimiter: int, windows: bool, width: int) -> bool:
    """Add whole records to a scan; return whether they are flawless."""
    data, codes, ends, newlines, quotes = piece.data, piece.codes, piece.ends, piece.newlines, piece.quotes
    if b"\0" in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    starts = np.concatenate(([0], ends[:-1] + 1))
    stops = ends
    if windows:
        # DuckDB was seen to fail on line ends inside cells of such files, so none are allowed here.
        returns = np.flatnonzero(codes == 13)
        if returns.size != newlines.size or not np.array_equal(returns + 1, newlines):
            return False
        if newlines.size != ends.size - (ends[-1] == len(data)):
            return False
        stops = ends - (ends < len(data))
    elif b"\r" in data:
        return False
    if quotes.size:
        quote = codes[quotes[0]]
        before, after = quotes[0::2] - 1, quotes[1::2] + 1
        ahead = codes[before[before >= 0]]
        behind = codes[after[after < len(data)]]
        edges = (delimiter, 10, quote)
        if not np.isin(ahead, edges).all() or not np.isin(behind, (*edges, 13)).all():
            return False
    separators = np.flatnonzero(codes == delimiter)
    if quotes.size:
        separators = separators[np.searchsorted(quotes, separators) % 2 == 0]
    cells = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    filled = stops > starts
    if not (cells[filled] == width).all():
        return False
    if scan.records == 0 and not filled[0]:
        return False
    if scan.records == 0 and newlines.size and newlines[0] != ends[0]:
        return False  # a line end inside the header
    plain = bool(filled.all()) and newlines.size == ends.size - (ends[-1] == len(data))
    numbers = np.flatnonzero(filled)
    # Line numbers are kept for every record, for the first irregular one may come last.
    scan.line_numbers.append(np.searchsorted(newlines, starts[numbers]) + scan.lines + 1)
    scan.one_line_each = scan.one_line_each and plain
    step = max(1, len(numbers) // _WITNESSES)
    for position in range(0, len(numbers), step):
        record = numbers[position]
        scan.witnesses.append(
            (scan.records + position, piece.offset + int(starts[record]), piece.offset + int(stops[record]))
        )
    scan.records += len(numbers)
    scan.blanks += len(ends) - len(numbers)
    scan.lines += len(newlines)
    scan.longest = max(scan.longest, int((stops - starts).max()))
    return True


def _view(
    path: Path,
    dialect: Dialect,
    scan: _Scan,
    columns: tuple[str, ...],
    *,
    connection: duckdb.DuckDBPyConnection,
    table: str,
) -> RawTable | None:
    """Return the file as a view that reads it with the dialect spelled out each time, or None where it cannot."""
    errors, scans = f"{table}_duckdb_errors", f"{table}_duckdb_scans"
    longest = max(2 << 20, scan.longest + 1024)
    options = {
        "auto_detect": "false",
        "all_varchar": "true",
        "columns": "{" + ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(columns))) + "}",
        "delim": literal(dialect.delimiter),
        "quote": literal(dialect.quote),
        "escape": literal(dialect.quote),
        "comment": "''",
        "header": "true" if dialect.header_rows == 1 else "false",
        "skip": str(dialect.header_rows if dialect.header_rows > 1 else 0),
        "compression": "'none'",
        "null_padding": "false",
        "strict_mode": "true",
        # No text is null: a file that is read here holds no NUL and no such line of its own.
        "nullstr": "'\x1e\x1eno text is null\x1e'",
        "max_line_size": str(longest),
        "buffer_size": str(max(32 << 20, 8 * longest)),
        "store_rejects": "true",
        "rejects_table": literal(errors),
        "rejects_scan": literal(scans),
    }
    if dialect.newline == "\n":
        options["new_line"] = r"'\n'"
    source = (
        f"read_csv({literal(str(path))}, {', '.join(f'{key}={value}' for key, value in options.items())})"
    )
    names = ", ".join(f"c{index} AS {identifier(name)}" for index, name in enumerate(columns))
    above = dialect.header_rows
    _forget(connection, table)
    for name in (errors, scans):
        connection.execute(f"DROP TABLE IF EXISTS {identifier(name)}")
    numbered = "row_number() OVER ()"
    if scan.one_line_each:
        query = f"SELECT {names}, {numbered} AS _row, {numbered} + {above} AS _line FROM {source}"
    else:
        lines = f"{table}_lines"
        connection.register("_numbered_lines", pa.table({"_line": scan.lines_of_records()[above:]}))
        connection.execute(f"CREATE OR REPLACE TABLE {identifier(lines)} AS SELECT * FROM _numbered_lines")
        connection.unregister("_numbered_lines")
        query = (
            f"SELECT r.*, l._line FROM (SELECT {names}, {numbered} AS _row FROM {source}) r "
            f"POSITIONAL JOIN {identifier(lines)} l"
        )
    try:
        connection.execute(f"CREATE VIEW {identifier(table)} AS {query}")
        # The first look makes the table of errors, which everything else counts on.
        connection.execute(f"SELECT * FROM {identifier(table)} LIMIT 1").fetchall()
    except duckdb.Error:
        _forget(connection, table)
        return None
    return RawTable(
        table=table,
        columns=columns,
        sentences=(dialect.sentence(),),
        dialect=dialect,
        row_count=scan.records - above,
        rejects_table=_no_rejects(connection, table),
        reader_rejects=0,
        lines_counted=scan.records - above,
        blank_lines=scan.blanks,
        straight=Straight(path, dialect, errors, _witnesses(path, dialect, scan)),
    )


def _no_rejects(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    rejects = f"{table}_rejects"
    connection.execute(
        f"CREATE TABLE {identifier(rejects)} (_row BIGINT, _line BIGINT, reason VARCHAR, text VARCHAR)"
    )
    return rejects


def _needs_numbers(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Return whether the lines of the rows were written down, because they do not follow from their number."""
    found = connection.execute(
        "SELECT 1 FROM information_schema.tables WHERE table_name = ?", [f"{table}_lines"]
    ).fetchone()
    return found is not None


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(one_row(connection, f"SELECT count(*) FROM {identifier(table)}")[0])


def _witnesses(path: Path, dialect: Dialect, scan: _Scan) -> dict[int, list[str]]:
    """Return records here and there as our own splitter splits them: row from 1 → cells."""
    found: dict[int, list[str]] = {}
    with path.open("rb") as file:
        for record, begin, end in scan.witnesses:
            if record >= dialect.header_rows:
                file.seek(begin)
                again = list(records(file.read(end - begin).splitlines(keepends=True), dialect))
                # A record that our splitter does not take for one can never be found again.
                found[record - dialect.header_rows + 1] = again[0][1] if len(again) == 1 else ["\0"]
    return found


# --- all other files: split by ourselves ---------------------------------------------------------------


class _Careful:
    """Turns a file's records into Arrow batches, setting aside those that do not fit."""

    def __init__(self, path: Path, dialect: Dialect, width: int, spill: Path) -> None:
        self._path, self._dialect, self._width, self._spill = path, dialect, width, spill
        self.schema = pa.schema(
            [(f"c{index}", pa.string()) for index in range(width)]
            + [("_row", pa.int64()), ("_line", pa.int64())]
        )
        self.rejects_schema = pa.schema(
            [("_row", pa.int64()), ("_line", pa.int64()), ("reason", pa.string()), ("text", pa.string())]
        )
        self.rows = self.rejected = self.blanks = self.lines = 0
        self.damaged = self.sound = 0
        self.failure: Exception | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows; what goes wrong is kept in `failure`, for DuckDB would only pass on its text."""
        try:
            yield from self._batches()
        except Exception as failure:
            self.failure = failure

    def _batches(self) -> Iterator[pa.RecordBatch]:
        width = self._width
        cells_of: list[list[str]] = []
        places: list[tuple[int, int]] = []
        rejects: list[tuple[int, int, str, str]] = []
        characters = number = 0
        batch = max(64, _BATCH_CELLS // width)
        headers_due = self._dialect.header_rows
        with pa.OSFile(str(self._spill), "wb") as sink, pa.ipc.new_stream(sink, self.rejects_schema) as spill:
            for line, given, problem, text in _table_records(self._path, self._dialect):
                self.lines = line + text.count("\r" if self._dialect.newline == "\r" else "\n")
                cells = given
                if _is_blank(cells, problem, width):
                    self.blanks += 1
                    continue
                if headers_due:
                    headers_due -= 1
                    if problem:
                        raise UnreadableFile(
                            f"The header in line {line} cannot be read. {problem}", _EXPORT_AGAIN
                        )
                    continue
                number += 1
                characters += len(text)
                if problem == NOT_TEXT:
                    self.damaged += 1
                elif not text.isascii():
                    self.sound += 1
                if len(cells) > width and not any(cells[width:]):
                    cells = cells[:width]
                if problem or len(cells) != width:
                    reason = problem or (
                        f"The row has {len(cells)} cell{'s' if len(cells) != 1 else ''} instead of {width}."
                    )
                    rejects.append((number, line, reason, text.rstrip("\r\n")))
                else:
                    cells_of.append(cells)
                    places.append((number, line))
                if len(cells_of) + len(rejects) >= batch or characters > _BATCH_CHARACTERS:
                    self._set_aside(spill, rejects)
                    if cells_of:
                        yield self._batch(cells_of, places)
                    cells_of, places, rejects, characters = [], [], [], 0
            self._set_aside(spill, rejects)
            if cells_of:
                yield self._batch(cells_of, places)

    def _batch(self, cells_of: list[list[str]], places: list[tuple[int, int]]) -> pa.RecordBatch:
        self.rows += len(cells_of)
        arrays = [pa.array(column, pa.string()) for column in zip(*cells_of, strict=True)]
        arrays += [pa.array(column, pa.int64()) for column in zip(*places, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _set_aside(
        self, spill: pa.ipc.RecordBatchStreamWriter, rejects: list[tuple[int, int, str, str]]
    ) -> None:
        if rejects:
            self.rejected += len(rejects)
            arrays = [
                pa.array(column, kind.type)
                for column, kind in zip(zip(*rejects, strict=True), self.rejects_schema, strict=True)
            ]
            spill.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self.rejects_schema))


def _read_carefully(
    path: Path,
    dialect: Dialect,
    columns: tuple[str, ...],
    *,
    connection: duckdb.DuckDBPyConnection,
    table: str,
    scratch: Path,
) -> RawTable:
    lines, longest = _count_lines(path, dialect.newline)
    if longest > MAX_LINE:
        raise UnreadableFile(
            f"A line of the file is longer than {MAX_LINE >> 20} MB, more than any row of a table.",
            _EXPORT_AGAIN,
        )
    scratch.mkdir(parents=True, exist_ok=True)
    spill = scratch / f"{table}-rejects.arrow"
    rejects = f"{table}_rejects"
    careful = _Careful(path, dialect, len(columns), spill)
    _forget(connection, table)
    names = ", ".join(f"c{index} AS {identifier(name)}" for index, name in enumerate(columns))
    try:
        connection.register(
            "_careful_rows", pa.RecordBatchReader.from_batches(careful.schema, careful.batches())
        )
        connection.execute(
            f"CREATE TABLE {identifier(table)} AS SELECT {names}, _row, _line FROM _careful_rows"
        )
        if careful.failure is not None:
            raise careful.failure
        if is_other_encoding(sound=careful.sound, damaged=careful.damaged) and careful.damaged:
            raise UnreadableFile(
                f"The file is not UTF-8 throughout: {careful.damaged:,} of its rows hold other bytes.",
                "Open the file in the program it comes from, save it as CSV with UTF-8 encoding, and import that.",
            )
        with pa.memory_map(str(spill)) as source:
            connection.register("_careful_rejects", pa.ipc.open_stream(source))
            connection.execute(f"CREATE TABLE {identifier(rejects)} AS SELECT * FROM _careful_rejects")
    except BaseException:
        _forget(connection, table)
        raise
    finally:
        for name in ("_careful_rows", "_careful_rejects"):
            connection.unregister(name)
        spill.unlink(missing_ok=True)
    if careful.lines != lines:
        _forget(connection, table)
        raise UnreadableFile(
            f"The file has {lines:,} lines, of which {careful.lines:,} were read: the import was stopped.",
            _EXPORT_AGAIN,
        )
    return RawTable(
        table=table,
        columns=columns,
        sentences=(dialect.sentence(),),
        dialect=dialect,
        row_count=_count(connection, table),
        rejects_table=rejects,
        reader_rejects=_count(connection, rejects),
        lines_counted=careful.rows + careful.rejected,
        blank_lines=careful.blanks,
    )


def _count_lines(path: Path, newline: str) -> tuple[int, int]:
    """Return the number of line ends of a file plus one, and the length of its longest line in bytes."""
    sign = b"\r" if newline == "\r" else b"\n"
    count = longest = length = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            ends = np.flatnonzero(np.frombuffer(chunk, np.uint8) == sign[0])
            count += len(ends)
            if len(ends):
                longest = max(
                    longest, length + int(ends[0]), int(np.diff(ends).max()) if len(ends) > 1 else 0
                )
                length = len(chunk) - int(ends[-1]) - 1
            else:
                length += len(chunk)
    return count + 1, max(longest, length)

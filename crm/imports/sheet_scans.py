"""Looks through a workbook before its reader does: what it unpacks to, which cells hold something, and where.

A cell far out makes the reader ask for memory for everything before it, so the range that is really used is
found first, from the references of the cells and not from what the file says of itself. The rows found here
are also the count against which the reader is checked.
"""

import re
import zipfile
from array import array
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree  # parts with a DOCTYPE, that is with entities, are refused before
from xml.parsers import expat

from crm.errors import UnreadableFile
from crm.imports.archives import Bounds, entries_of, inflate

CONTAINER = Bounds(total=1 << 30, entry=500 << 20)
"""Of a workbook, which is a ZIP of XML parts."""

MAX_ROWS = 1_048_576
MAX_COLUMNS = 1_000
MAX_AREA = 50_000_000
_MAX_SMALL_PART = 16 << 20

_DAMAGED = "Open it in Excel, save it again, and import that; or save the table as CSV with UTF-8 encoding."
_TIDY = "Delete the cells far away from the table, or copy the table into a new workbook, and import that."


@dataclass
class SheetScan:
    """Where the cells of a sheet that hold something stand. Rows and columns count from 1.

    `rows` are the numbers of those rows, ascending and once each. `errors` has row, column and position in
    `error_texts` of each cell that shows an error such as #N/A, row after row.
    """

    rows: "array[int]" = field(default_factory=lambda: array("q"))
    first_column: int = 0
    last_column: int = 0
    error_rows: "array[int]" = field(default_factory=lambda: array("q"))
    error_columns: "array[int]" = field(default_factory=lambda: array("q"))
    error_codes: "array[int]" = field(default_factory=lambda: array("q"))
    error_texts: list[str] = field(default_factory=list)

    @property
    def holds_table(self) -> bool:
        """Whether there are two rows and two columns at least."""
        return len(self.rows) > 1 and self.last_column > self.first_column

    def add_error(self, row: int, column: int, text: str) -> None:
        """Note that a cell shows an error."""
        if text not in self.error_texts:
            if len(self.error_texts) >= 100:  # Excel knows a dozen
                raise UnreadableFile(
                    "The workbook holds cells with errors that Excel does not know.", _DAMAGED
                )
            self.error_texts.append(text)
        self.error_rows.append(row)
        self.error_columns.append(column)
        self.error_codes.append(self.error_texts.index(text))

    def settle(self) -> None:
        """Put rows and errors in order, for nothing obliges a file to keep any."""
        if any(after <= before for before, after in zip(self.rows, self.rows[1:], strict=False)):
            self.rows = array("q", sorted(set(self.rows)))
        places = range(len(self.error_rows))
        if any(self.error_rows[at] > self.error_rows[at + 1] for at in places[:-1]):
            order = sorted(places, key=self.error_rows.__getitem__)
            for name in ("error_rows", "error_columns", "error_codes"):
                values = getattr(self, name)
                setattr(self, name, array("q", [values[at] for at in order]))


@dataclass(frozen=True)
class Part:
    """A sheet of a workbook: its name, whether it is a table of cells, and the entry of the ZIP it is in."""

    name: str
    is_table: bool
    is_hidden: bool
    entry: zipfile.ZipInfo | None


def check_container(path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the entries of a workbook by their names in small letters, once all of them were unpacked.

    Raises UnreadableFile when more comes out than CONTAINER allows, when an entry is there twice, or when
    a part has a DOCTYPE, with which XML can be made to grow without end.
    """
    entries: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for entry in entries_of(path, CONTAINER):
        name = entry.filename.lower().lstrip("/")
        if name in entries:
            raise UnreadableFile("The workbook holds one of its parts twice.", _DAMAGED)
        entries[name] = entry
        is_markup = name.endswith((".xml", ".rels", ".vml"))
        tail = b""
        for piece in inflate(path, entry, CONTAINER):
            total += len(piece)
            if total > CONTAINER.total:
                raise UnreadableFile(
                    f"The workbook unpacks to more than {CONTAINER.total >> 20:,} MB, the most that is read.",
                    "Divide the table into several files, or save it as CSV with UTF-8 encoding.",
                )
            if is_markup:
                seen = tail + piece
                if _has_doctype(seen):
                    raise UnreadableFile(
                        "The workbook defines markup of its own (DOCTYPE), which Excel never writes.",
                        _DAMAGED,
                    )
                tail = seen[-32:]
    return entries


def _has_doctype(piece: bytes) -> bool:
    plain = b"<!DOCTYPE"
    wide = b"\0".join(plain[at : at + 1] for at in range(len(plain)))  # in UTF-16, either end first
    return plain in piece or wide in piece or b"<!doctype" in piece[:4096].lower()


def list_parts(path: Path, entries: dict[str, zipfile.ZipInfo]) -> list[Part]:
    """Return the sheets of a workbook in its own order."""
    book = "xl/workbook.xml"
    for kind, target in _relations(path, entries, "_rels/.rels").values():
        if kind == "officeDocument":
            book = _resolve("", target)
    if book not in entries:
        raise UnreadableFile("The workbook has no list of its sheets.", _DAMAGED)
    folder = PurePosixPath(book)
    relations = _relations(path, entries, f"{folder.parent}/_rels/{folder.name}.rels")
    parts = []
    for element in _tree(path, entries[book]).iter():
        if _local(element.tag) != "sheet":
            continue
        link = next((value for key, value in element.attrib.items() if _local(key) == "id"), "")
        kind, target = relations.get(link, ("", ""))
        entry = entries.get(_resolve(str(folder.parent), target)) if target else None
        is_table = kind == "worksheet" and entry is not None
        is_hidden = element.attrib.get("state", "visible") != "visible"
        parts.append(Part(element.attrib.get("name", ""), is_table, is_hidden, entry))
    return parts


def _relations(path: Path, entries: dict[str, zipfile.ZipInfo], name: str) -> dict[str, tuple[str, str]]:
    """Return link id → kind of part, its target, of one list of relationships; empty when it is not there."""
    entry = entries.get(name.lower())
    if entry is None:
        return {}
    return {
        element.attrib.get("Id", ""): (
            element.attrib.get("Type", "").rpartition("/")[2],
            element.attrib.get("Target", ""),
        )
        for element in _tree(path, entry).iter()
        if _local(element.tag) == "Relationship"
    }


def _resolve(folder: str, target: str) -> str:
    """Return the name of the entry a target means; only ever a key to look up, never a path to open."""
    parts: list[str] = [] if target.startswith("/") else [part for part in folder.split("/") if part]
    for part in target.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts).lower()


def _tree(path: Path, entry: zipfile.ZipInfo) -> ElementTree.Element:
    if entry.file_size > _MAX_SMALL_PART:
        raise UnreadableFile("The workbook's list of sheets is larger than any real one.", _DAMAGED)
    try:
        return ElementTree.fromstring(b"".join(inflate(path, entry, CONTAINER)))  # noqa: S314 - see the import
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnreadableFile(
            "The workbook is damaged: its list of sheets cannot be read.", _DAMAGED
        ) from error


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def scan_sheet(path: Path, entry: zipfile.ZipInfo) -> SheetScan:
    """Return where the cells of one sheet stand. Raises UnreadableFile when they reach too far apart."""
    scan = _skim(path, entry)
    if scan is not None:
        scan.settle()
        return scan
    scanner = _Scanner()
    try:
        for piece in inflate(path, entry, CONTAINER):
            scanner.parser.Parse(piece, False)
        scanner.parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise UnreadableFile("The workbook is damaged: one of its sheets is no XML.", _DAMAGED) from error
    scanner.scan.settle()
    return scanner.scan


_EMPTY_ROWS = re.compile(rb'(?:<row r="[0-9]+"[^<>]*/>)*')
_ERROR = re.compile(
    rb'<c r="([A-Z]{1,7})[0-9]+"[^>]*? t="e"[^>]*>(?:<f[^>]*/>|<f[^>]*>[^<]*</f>)?<v>([^<]*)</v>'
)
_VALUES = b"<v>", b"<v/>", b"<is>"


def _skim(path: Path, entry: zipfile.ZipInfo) -> SheetScan | None:
    """Return the same found row by row in the bytes, or None unless all is written as Excel writes it.

    Nearly twice as fast as following the XML. Whatever is written in another way (prefixes, comments, other
    quotation marks, cells without a place) shows by a tag that is not of the one shape expected here.
    """
    scan = SheetScan()
    rest = b""
    is_first = True
    for piece in inflate(path, entry, CONTAINER):
        rest += piece
        if is_first:
            begin = rest.find(b"<sheetData>")
            if begin < 0:
                if len(rest) > _MAX_SMALL_PART:
                    return None
                continue
            if b"UTF-16" in rest[:200] or b"<!--" in rest[:begin]:
                return None
            rest, is_first = rest[begin:], False
        end = rest.rfind(b"</row>") + 6
        if end > 6:
            if not _skim_rows(rest[:end], scan):
                return None
            rest = rest[end:]
        elif len(rest) > _MAX_SMALL_PART:
            return None
    after, data, _ = rest.partition(b"</sheetData>")
    return scan if data and not is_first and _skim_rows(after, scan) else None


def _skim_rows(rows: bytes, scan: SheetScan) -> bool:
    """Add whole rows to the scan; return whether each of their tags was of the expected shape."""
    if b"<!" in rows or b"<?" in rows or rows.count(b"<c ") != rows.count(b'<c r="'):
        return False
    present = [tag for tag in _VALUES if tag in rows]
    if rows.count(b"<v") + rows.count(b"<is") != sum(map(rows.count, present)):
        return False
    if b"<c>" in rows or b"<c/" in rows or b"</sheetData" in rows:
        return False
    with_errors = b't="e"' in rows
    columns: dict[bytes, int] = {}
    numbers = array("q")
    *whole, after = rows.removeprefix(b"<sheetData>").split(b"</row>")
    if not _EMPTY_ROWS.fullmatch(after):
        return False
    for given in whole:
        begin = given.rfind(b"<row ")
        if begin and not _EMPTY_ROWS.fullmatch(given, 0, max(0, begin)):
            return False
        body = given[begin:] if begin else given
        text = body[8 : body.find(b'"', 8)]
        if not body.startswith(b'<row r="') or not text.isdigit() or len(text) > 10:
            return False
        places = [at for tag in present for at in (body.find(tag), body.rfind(tag)) if at >= 0]
        if not places:
            continue
        row = int(text)
        numbers.append(row)
        ends_with = text + b'"'
        for at in (min(places), max(places)):
            start = body.rfind(b'<c r="', 0, at) + 6
            stop = body.find(b'"', start) + 1 - len(ends_with)
            letters = body[start:stop]
            if start < 6 or not body.startswith(ends_with, stop) or not letters.isalpha():
                return False
            if letters not in columns:
                column = columns[letters] = _column_number(letters.decode())
                scan.first_column = min(column, scan.first_column or column)
                scan.last_column = max(column, scan.last_column)
        if with_errors and b't="e"' in body:
            errors = _ERROR.findall(body)
            if len(errors) != body.count(b't="e"'):
                return False
            for letters, shown in errors:
                scan.add_error(
                    row,
                    _column_number(letters.decode()),
                    shown.decode(errors="replace").strip()[:32] or "#ERROR!",
                )
    if numbers:
        scan.rows.extend(numbers)
        _check_extent(scan, max(numbers))
        _row_number(str(min(numbers)))
    return True


class _Scanner:
    """Follows the cells of a sheet's XML as they pass by. The handler is one function, for speed."""

    def __init__(self) -> None:
        self.scan = SheetScan()
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._root
        self.parser.StartDoctypeDeclHandler = self._refuse

    @staticmethod
    def _refuse(*_: Any) -> None:
        raise UnreadableFile("The workbook defines markup of its own (DOCTYPE).", _DAMAGED)

    def _root(self, name: str, _: dict[str, str]) -> None:
        prefix = name.rpartition(":")[0]
        self.parser.StartElementHandler = self._handler(prefix + ":" if prefix else "")

    def _handler(self, prefix: str) -> Any:
        scan, parser = self.scan, self.parser
        row_tag, cell_tag = f"{prefix}row", f"{prefix}c"
        value_tags = {f"{prefix}v", f"{prefix}is"}
        columns: dict[str, int] = {}
        row = column = last_row = 0
        row_text = ""
        kind: str | None = None
        error_text: list[str] = []

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal row, column, row_text, kind, last_row
            if name == cell_tag:
                kind = attributes.get("t")
                reference = attributes.get("r")
                if reference is None:
                    column += 1
                    return
                letters = reference.rstrip("0123456789")
                if reference[len(letters) :] != row_text:
                    row_text = reference[len(letters) :]
                    row = _row_number(row_text)
                known = columns.get(letters)
                column = columns[letters] = known if known is not None else _column_number(letters)
            elif name in value_tags:
                if row != last_row:
                    scan.rows.append(row)
                    last_row = row
                    _check_extent(scan, row)
                if not scan.first_column <= column <= scan.last_column:
                    scan.first_column = min(column, scan.first_column or column)
                    scan.last_column = max(column, scan.last_column)
                    _check_extent(scan, row)
                if kind == "e":
                    error_text.clear()
                    parser.CharacterDataHandler = error_text.append
                    parser.EndElementHandler = end
            elif name == row_tag:
                given = attributes.get("r")
                row = _row_number(given) if given is not None else row + 1
                row_text = given if given is not None else str(row)
                column = 0

        def end(_: str) -> None:
            parser.CharacterDataHandler = None
            parser.EndElementHandler = None
            scan.add_error(row, column, "".join(error_text).strip()[:32] or "#ERROR!")

        return start


def _row_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text)):
        raise UnreadableFile("The workbook is damaged: a cell has no place.", _DAMAGED)
    return int(text)


def _column_number(letters: str) -> int:
    if not (letters.isascii() and letters.isalpha() and len(letters) < 8):
        raise UnreadableFile("The workbook is damaged: a cell has no place.", _DAMAGED)
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _check_extent(scan: SheetScan, row: int) -> None:
    if row > MAX_ROWS:
        raise UnreadableFile(f"The sheet has a cell in row {row:,}; Excel has {MAX_ROWS:,} rows.", _DAMAGED)
    wide = scan.last_column - scan.first_column + 1
    if wide > MAX_COLUMNS or scan.last_column > 16_384:
        raise UnreadableFile(
            f"The cells of the sheet are spread over {wide:,} columns; up to {MAX_COLUMNS:,} are read.", _TIDY
        )
    high = abs(row - scan.rows[0]) + 1
    if wide * high > MAX_AREA:
        raise UnreadableFile(
            f"The cells of the sheet are spread over {high:,} rows and {wide:,} columns, more than the "
            f"{MAX_AREA:,} cells that are read.",
            _TIDY,
        )

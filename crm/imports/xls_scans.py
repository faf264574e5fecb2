"""Looks through a workbook of the old kind (.xls), which is a small file system with a stream of records in it.

Only what is needed to know where its cells stand: the count against which the reader proper is checked, and
the cells that show an error, of which that reader says nothing.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from crm.errors import UnreadableFile
from crm.imports.sheet_scans import SheetScan

_SAVE_AS_XLSX = "Open it in Excel, save it as .xlsx, and import that."
_FREE = 0xFFFFFFFA
"""Sector numbers from here on mean the end of a chain, or none."""

_EXCEL_5, _EXCEL_97 = 0x0500, 0x0600
_BEGIN, _END, _SHEET, _PASSWORD = 0x0809, 0x000A, 0x0085, 0x002F
_CELLS = {0x0203, 0x027E, 0x00FD, 0x0204, 0x00D6, 0x0205, 0x0006, 0x0206, 0x0406}
_SEVERAL_CELLS = 0x00BD
_TRUTH_OR_ERROR = 0x0205
_FORMULAS = {0x0006, 0x0206, 0x0406}
_ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!",
           0x2A: "#N/A"}  # fmt: skip

_OTHERS = {
    "EncryptedPackage": "an Excel workbook that is protected with a password",
    "WordDocument": "a Word document",
    "PowerPoint Document": "a PowerPoint presentation",
    "__properties_version1.0": "an e-mail",
}


class XlsFile:
    """The records of a workbook of the old kind, and where each of its sheets begins among them.

    Raises UnreadableFile when there are none: another kind of document, protected, damaged or too old.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._stream = _workbook_stream(path.read_bytes())
            self.starts = self._sheets()
        except (struct.error, IndexError, ValueError) as error:
            raise _damaged() from error

    def scan(self, index: int) -> SheetScan:
        """Return where the cells of the sheet at this position stand."""
        scan = SheetScan()
        try:
            self._scan(scan, self.starts[index])
        except (struct.error, IndexError) as error:
            raise _damaged() from error
        scan.settle()
        return scan

    def _records(self, start: int) -> Iterator[tuple[int, bytes]]:
        at = start
        while at + 4 <= len(self._stream):
            kind, length = struct.unpack_from("<HH", self._stream, at)
            yield kind, self._stream[at + 4 : at + 4 + length]
            at += 4 + length

    def _sheets(self) -> list[int]:
        starts = []
        for number, (kind, data) in enumerate(self._records(0)):
            if number == 0:
                if kind != _BEGIN or struct.unpack_from("<H", data)[0] not in (_EXCEL_5, _EXCEL_97):
                    raise UnreadableFile(
                        "The workbook was written by a version of Excel before 5.0.", _SAVE_AS_XLSX
                    )
            elif kind == _PASSWORD:
                raise UnreadableFile(
                    "The workbook is protected with a password.",
                    "Open it in Excel, save it without a password, and import that.",
                )
            elif kind == _SHEET:
                starts.append(struct.unpack_from("<I", data)[0])
            elif kind == _END:
                break
        return starts

    def _scan(self, scan: SheetScan, start: int) -> None:
        depth = last_row = 0
        for kind, data in self._records(start):
            if kind == _BEGIN:
                depth += 1
            elif kind == _END:
                depth -= 1
                if depth <= 0:
                    return
            # Charts stand inside a sheet as streams of their own, with cells of their own.
            elif depth == 1 and (kind in _CELLS or kind == _SEVERAL_CELLS):
                row, column = (number + 1 for number in struct.unpack_from("<HH", data))
                last = (
                    struct.unpack_from("<H", data, len(data) - 2)[0] + 1 if kind == _SEVERAL_CELLS else column
                )
                if row != last_row:
                    scan.rows.append(row)
                    last_row = row
                scan.first_column = min(column, scan.first_column or column)
                scan.last_column = max(last, scan.last_column)
                code = _error_code(kind, data)
                if code is not None:
                    scan.add_error(row, column, _ERRORS.get(code, "#ERROR!"))
        raise _damaged()


def _error_code(kind: int, data: bytes) -> int | None:
    if kind == _TRUTH_OR_ERROR and data[7]:
        return data[6]
    if kind in _FORMULAS and data[12:14] == b"\xff\xff" and data[6] == 2:
        return data[8]
    return None


def _damaged() -> UnreadableFile:
    return UnreadableFile(
        "The workbook is damaged: it ends in the middle, or points outside itself.", _SAVE_AS_XLSX
    )


def _workbook_stream(data: bytes) -> bytes:
    """Return the stream of records inside a compound file."""
    sector_size = 1 << min(struct.unpack_from("<H", data, 0x1E)[0], 16)
    small_size = 1 << min(struct.unpack_from("<H", data, 0x20)[0], 16)
    (first_folder,) = struct.unpack_from("<I", data, 0x30)
    cutoff, first_small, _, first_more = struct.unpack_from("<IIII", data, 0x38)
    most = len(data) // sector_size + 1

    def sector(number: int) -> bytes:
        return data[(number + 1) * sector_size : (number + 2) * sector_size]

    def chain(number: int, table: list[int]) -> Iterator[int]:
        for _ in range(most * (sector_size // small_size + 1)):
            if number >= _FREE:
                return
            yield number
            number = table[number]
        raise ValueError("a chain of sectors bites its tail")

    tables = list(struct.unpack_from("<109I", data, 0x4C))
    for _ in range(most):
        if first_more >= _FREE:
            break
        *numbers, first_more = struct.unpack(f"<{sector_size // 4}I", sector(first_more))
        tables += numbers
    table: list[int] = []
    for number in tables[:most]:
        if number < _FREE:
            table += struct.unpack(f"<{sector_size // 4}I", sector(number))
    folder = b"".join(map(sector, chain(first_folder, table)))
    names: dict[str, tuple[int, int]] = {}
    root = (0, 0)
    for at in range(0, len(folder) - 127, 128):
        length, kind = struct.unpack_from("<HB", folder, at + 64)
        name = folder[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", errors="replace")
        place = struct.unpack_from("<II", folder, at + 116)
        if kind == 5:
            root = place
        elif kind == 2:
            names[name] = place
    found = names.get("Workbook") or names.get("Book")
    if found is None:
        for name, what in _OTHERS.items():
            if name in names:
                raise UnreadableFile(
                    f"This is {what}.", "Save the table as .xlsx without a password, and import that."
                )
        raise UnreadableFile("The file holds no workbook.", _SAVE_AS_XLSX)
    start, size = found
    if size >= cutoff:
        stream = b"".join(map(sector, chain(start, table)))
    else:
        small_table: list[int] = []
        for number in chain(first_small, table):
            small_table += struct.unpack(f"<{sector_size // 4}I", sector(number))
        inner = b"".join(map(sector, chain(root[0], table)))
        stream = b"".join(
            inner[number * small_size : (number + 1) * small_size] for number in chain(start, small_table)
        )
    if len(stream) < size:
        raise ValueError("the stream is shorter than it says")
    return stream[:size]

"""Workbooks made for the tests: new ones by xlsxwriter or part by part, old ones record by record."""

import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

SPREADSHEET = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def xlsx(path: Path, *sheets: tuple[str, Sequence[Sequence[Any]]]) -> Path:
    """Write a workbook with these sheets of rows; None leaves a cell out, a text is never a formula."""
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(path, options) as book:
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    if cell is not None:
                        sheet.write(row, column, cell)
    return path


def repacked(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Write a workbook again, each of its parts as `change` makes it of name and content."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target


def with_sheet(source: Path, target: Path, rows: bytes) -> Path:
    """Write a workbook again with other rows, given as XML, in its first sheet."""
    sheet = b'<worksheet xmlns="' + SPREADSHEET + b'"><sheetData>' + rows + b"</sheetData></worksheet>"
    return repacked(source, target, lambda name, data: sheet if name.endswith("sheet1.xml") else data)


def xls(
    path: Path,
    rows: dict[int, Sequence[Any]],
    *,
    merges: Sequence[tuple[int, int, int, int]] = (),
    stream_name: str = "Workbook",
) -> Path:
    """Write an .xls with one sheet: row from 1 → its cells; ("date", n) is a date cell, ("error", n) an error.

    `merges` are first and last row, first and last column, from 1.
    """
    texts: list[str] = []
    cells = b""
    for row, values in rows.items():
        for column, value in enumerate(values):
            place = struct.pack("<HH", row - 1, column)
            match value:
                case None:
                    continue
                case bool():
                    cells += _record(0x0205, place + struct.pack("<HBB", 0, value, 0))
                case ("error", int(code)):
                    cells += _record(0x0205, place + struct.pack("<HBB", 0, code, 1))
                case ("date", float(number) | int(number)):
                    cells += _record(0x0203, place + struct.pack("<Hd", 1, number))
                case str():
                    texts.append(value)
                    cells += _record(0x00FD, place + struct.pack("<HI", 0, len(texts) - 1))
                case _:
                    cells += _record(0x0203, place + struct.pack("<Hd", 0, value))
    if merges:
        ranges = b"".join(struct.pack("<4H", *(number - 1 for number in merge)) for merge in merges)
        cells += _record(0x00E5, struct.pack("<H", len(merges)) + ranges)
    shared = struct.pack("<II", len(texts), len(texts)) + b"".join(
        struct.pack("<HB", len(text), 1) + text.encode("utf-16-le") for text in texts
    )
    name = "Data"
    before = _begin(0x0005) + _record(0x0042, struct.pack("<H", 1200))
    before += _record(0x00E0, struct.pack("<HH", 0, 0) + bytes(16)) + _record(
        0x00E0, struct.pack("<HH", 0, 14) + bytes(16)
    )
    after = _record(0x00FC, shared) + _record(0x000A, b"")
    sheet_record = 4 + 8 + len(name)
    start = len(before) + sheet_record + len(after)
    listed = _record(0x0085, struct.pack("<IBBBB", start, 0, 0, len(name), 0) + name.encode())
    size = struct.pack("<IIHHH", min(rows) - 1, max(rows), 0, max(map(len, rows.values())), 0)
    stream = before + listed + after + _begin(0x0010) + _record(0x0200, size) + cells + _record(0x000A, b"")
    path.write_bytes(_compound(stream, stream_name))
    return path


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _begin(kind: int) -> bytes:
    return _record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0, 0, 0, 0x0600))


def _compound(stream: bytes, name: str) -> bytes:
    """Return a compound file around one stream: the table of sectors in sector 0, the folder in sector 1."""
    stream = stream.ljust(4096, b"\0")
    count = (len(stream) + 511) // 512
    assert count + 2 <= 128, "one sector of table is enough for the tests"
    chain = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, count + 2), 0xFFFFFFFE]
    table = struct.pack("<128I", *chain, *[0xFFFFFFFF] * (128 - len(chain)))
    head = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
        + bytes(6)
    )
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)

    def entry(title: str, kind: int, child: int, start: int, size: int) -> bytes:
        raw = (title + "\0").encode("utf-16-le")
        return (
            raw.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(raw), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
            + bytes(36)
            + struct.pack("<IQ", start, size)
        )

    folder = (
        entry("Root Entry", 5, 1, 0xFFFFFFFE, 0) + entry(name, 2, 0xFFFFFFFF, 2, len(stream)) + bytes(256)
    )
    return head + table + folder + stream.ljust(count * 512, b"\0")

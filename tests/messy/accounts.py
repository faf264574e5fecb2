"""Reads a file the way an import does, and holds that each of its lines is in exactly one place."""

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from crm.imports import formats
from crm.imports.dialect import WHITESPACE, Dialect, detect
from crm.imports.reading import RawTable, identifier, read, store


@dataclass(frozen=True)
class Outcome:
    """What an import would work with: the rows as read, and the records set aside."""

    dialect: Dialect
    raw: RawTable
    path: Path
    doubts: tuple[str, ...]
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    lines: list[int]
    rejected: list[tuple[int, str, str]]  # line, reason, text


def read_file(path: Path, scratch: Path, reading: formats.Reading | None = None) -> Outcome:
    """Return what the whole pipeline makes of a file. Raises ClienteleError."""
    scratch.mkdir(exist_ok=True)
    reading = reading or formats.Reading()
    opened = formats.open_file(path, name=path.name, scratch=scratch, reading=reading)
    dialect = replace(detect(opened.path, reading), encoding=opened.encoding)
    with duckdb.connect() as connection:
        raw = read(opened.path, dialect, connection=connection, table="raw", scratch=scratch)
        raw = store(connection, raw, scratch=scratch)
        names = ", ".join(map(identifier, raw.columns))
        found = connection.execute(
            f"SELECT _line, {names} FROM {identifier(raw.table)} ORDER BY _row"
        ).fetchall()
        rejected = connection.execute(
            f"SELECT _line, reason, text FROM {identifier(raw.rejects_table)} ORDER BY _row"
        ).fetchall()
    return Outcome(
        dialect=dialect,
        raw=raw,
        path=opened.path,
        doubts=opened.doubts,
        header=raw.columns,
        rows=[tuple(row[1:]) for row in found],
        lines=[row[0] for row in found],
        rejected=[(line, reason, text) for line, reason, text in rejected],
    )


def unaccounted(outcome: Outcome) -> list[str]:
    """Return what is wrong with the account of a file's lines: nothing, when each is in exactly one place.

    The lines are counted here, by their ends; which record a line belongs to follows from where records
    start and how many line ends their cells hold. So neither the reader's nor the scanner's count is used.
    """
    dialect = outcome.dialect
    sign = b"\r" if dialect.newline == "\r" else b"\n"
    data = outcome.path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    lines = data.split(sign)
    if lines[-1] == b"":
        lines.pop()
    owner = [0] * len(lines)
    wrong: list[str] = []

    def take(first: int, count: int, what: str) -> None:
        for line in range(first - 1, first - 1 + count):
            if line >= len(lines):
                wrong.append(f"{what} in line {first} goes on beyond the file's end")
                return
            owner[line] += 1

    take(1, dialect.skip_lines, "what stands above the table")
    ends = sign.decode()
    for line, row in zip(outcome.lines, outcome.rows, strict=True):
        take(line, 1 + sum(cell.count(ends) for cell in row), "a row")
    for line, _, text in outcome.rejected:
        take(line, 1 + text.count(ends), "a rejected record")
    # A line of nothing but blanks and a pair of quotation marks holds no cell.
    nothing = b" \t\r" if dialect.delimiter == WHITESPACE else b" \r\n" + dialect.quote.encode()
    blank = [not text.strip(nothing) for text in lines]
    named = 0
    at = dialect.skip_lines
    while named < dialect.header_rows and at < len(lines):
        if blank[at] and not owner[at]:
            at += 1
            continue
        end = at + 1
        # A heading goes on until its quotation marks are in pairs, and as long as its words are the next line's.
        quote = dialect.quote.encode()
        while end < len(lines) and not owner[end]:
            marks = b"".join(lines[at:end]).replace(b"\\" + quote, b"").count(quote) if quote else 0
            last = named == dialect.header_rows - 1
            if marks % 2 == 0 and not (last and _goes_on(lines[end], outcome)):
                break
            end += 1
        take(at + 1, end - at, "the header")
        at, named = end, named + 1
    wrong += [
        f"line {number} is lost"
        for number, times in enumerate(owner, 1)
        if not times and not blank[number - 1]
    ]
    wrong += [f"line {number} is read {times} times" for number, times in enumerate(owner, 1) if times > 1]
    if len(outcome.rows) + len(outcome.rejected) != outcome.raw.lines_counted:
        wrong.append("rows and rejected records are not what was counted")
    if named != dialect.header_rows:
        wrong.append("the header is not there")
    return wrong


def _goes_on(line: bytes, outcome: Outcome) -> bool:
    """Return whether a line can only be the rest of a heading: all its words are in the headings."""
    text = line.decode(errors="replace").replace(outcome.dialect.quote or "\0", " ")
    words = text.replace(outcome.dialect.delimiter, " ").split()
    return bool(words) and all(word in " ".join(outcome.header).split() for word in words)

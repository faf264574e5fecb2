"""Finds the rows of a sheet that name its columns, and makes one unique name of them for each column."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Row = tuple[int, list[Any]]
"""Number of a row in the sheet, from 1, and its cells as Python values; an empty cell is the empty text."""

Merge = tuple[int, int, int, int]
"""First row, first column, last row, last column of merged cells: rows from 1, columns as in the cells."""

_BODY_ROWS = 20
_MAX_HEADING_ROWS = 3
_ENOUGH = 0.6
"""Share of its columns that a heading or a row of the table has filled at least."""


@dataclass(frozen=True)
class Heading:
    """Which rows name the columns: `rows` are their positions, `start` is that of the first row of data.

    Positions count the rows that `find_heading` was given. `titles` is how many stand above the table.
    """

    rows: tuple[int, ...]
    start: int
    titles: int


def find_heading(rows: Sequence[Row], merges: Sequence[Merge], *, header_rows: int | None) -> Heading:
    """Return which of the first rows of a sheet name the columns. `rows` are those that hold something.

    Titles above the table have few cells; group headings are merged cells or stand over several columns;
    a first row that is like those below it is no heading.
    """
    main = _first_row_of_table(rows)
    if header_rows == 0:
        return Heading((), main, main)
    above = _groups_above(rows, main, merges)
    top = main - above
    if header_rows is not None:
        rows_of_heading = tuple(range(top, min(top + header_rows, len(rows))))
        return Heading(rows_of_heading, top + header_rows, top)
    last = main
    while last + 1 < len(rows) and last - top + 1 < _MAX_HEADING_ROWS and _goes_on(rows, last, merges):
        last += 1
    if last == top and not _is_heading(rows, main):
        return Heading((), main, main)
    return Heading(tuple(range(top, last + 1)), last + 1, top)


def heading_below(rows: Sequence[Row], merges: Sequence[Merge], *, header_rows: int | None) -> Heading:
    """Return the same when the user has said where the table begins: with the first of `rows`."""
    if header_rows is not None:
        return Heading(tuple(range(min(header_rows, len(rows)))), header_rows, 0)
    last = 0
    while last + 1 < len(rows) and last + 1 < _MAX_HEADING_ROWS and _goes_on(rows, last, merges):
        last += 1
    if last == 0 and not _is_heading(rows, 0):
        return Heading((), 0, 0)
    return Heading(tuple(range(last + 1)), last + 1, 0)


def joined_names(rows: Sequence[Row], merges: Sequence[Merge], text: Any) -> list[str]:
    """Return for each column what its heading rows say, top to bottom, joined by a blank.

    A heading of several columns is filled rightwards over those it is merged with; where no cell of its
    row is merged, up to the next heading of that row. `text` turns a cell into text.
    """
    if not rows:
        return []
    filled = []
    for position, (number, cells) in enumerate(rows):
        names = [" ".join(str(text(cell)).split()) for cell in cells]
        if position < len(rows) - 1:
            across = [m for m in merges if m[0] <= number <= m[2] and m[3] > m[1]]
            for first_row, first, _, last in across:
                if first_row == number and 0 <= first < len(names):
                    names[first : last + 1] = [names[first]] * len(names[first : last + 1])
            if not across:
                below = [cell for _, cell in rows[position + 1 :]]
                for column in range(1, len(names)):
                    if not names[column] and any(not _is_empty(cell[column]) for cell in below):
                        names[column] = names[column - 1]
        filled.append(names)
    joined = []
    for column in range(len(rows[0][1])):
        parts: list[str] = []
        for names in filled:
            if names[column] and (not parts or parts[-1] != names[column]):
                parts.append(names[column])
        joined.append(" ".join(parts))
    return joined


def unique_names(header: Sequence[str]) -> list[str]:
    """Return the header with every name unique: "Column 3" for an empty one, "Name (2)" for a second one.

    Names that differ by case only count as the same, and those that a check gives columns of its own are taken.
    """
    names: list[str] = []
    taken = {"_row", "_line", "_key", "_several"}
    repeats: Counter[str] = Counter()
    for index, given in enumerate(header):
        name = given or f"Column {index + 1}"
        unique, count = name, repeats[name] or 1
        # DuckDB does not tell columns apart by case, so neither do we.
        while unique.casefold() in taken or unique.lower() in taken:
            count += 1
            unique = f"{name} ({count})"
        repeats[name] = count
        taken |= {unique.casefold(), unique.lower()}
        names.append(unique)
    return names


def _is_empty(cell: Any) -> bool:
    return isinstance(cell, str) and not cell.strip()


def _filled(cells: Iterable[Any]) -> list[int]:
    return [column for column, cell in enumerate(cells) if not _is_empty(cell)]


def _is_text(cells: Iterable[Any]) -> bool:
    return all(isinstance(cell, str) for cell in cells)


def _first_row_of_table(rows: Sequence[Row]) -> int:
    counts = [len(_filled(cells)) for _, cells in rows]
    widest = max(counts)
    usual = sorted(count for count in counts if count * 2 >= widest)
    enough = usual[len(usual) // 2] * _ENOUGH
    first = next(position for position, count in enumerate(counts) if count >= enough)
    # Two words over a table of three columns: a title still, if a full row of names follows.
    after = first + 1
    while (
        after + 1 < len(rows)
        and counts[first] < counts[after]
        and _is_text(rows[after][1])
        and not _is_text(rows[after + 1][1])
    ):
        first, after = after, after + 1
    if first and not _is_heading(rows, first):
        # A row of data: then the names are directly above, though some columns have none.
        number, cells = rows[first - 1]
        if number == rows[first][0] - 1 and _is_text(cells) and len(_filled(cells)) > 1:
            first -= 1
    return first


def _across(number: int, merges: Sequence[Merge]) -> list[Merge]:
    return [m for m in merges if m[0] == number and m[3] > m[1]]


def _groups_above(rows: Sequence[Row], main: int, merges: Sequence[Merge]) -> int:
    """Return how many rows directly above the row of names are headings of groups of columns."""
    columns = _filled(rows[main][1])
    width = columns[-1] - columns[0] + 1
    groups = 0
    while groups + 1 < _MAX_HEADING_ROWS and main - groups - 1 >= 0:
        number, cells = rows[main - groups - 1]
        if number != rows[main - groups][0] - 1 or not _is_text(cells):
            break
        filled = _filled(cells)
        across = _across(number, merges)
        if across:
            if len(filled) == 1 and across[0][3] - across[0][1] + 1 >= 0.8 * width:
                break  # a title merged over the whole table
        elif len(filled) < 2 or len(filled) >= len(columns) or not set(filled) <= set(columns):
            break
        groups += 1
    return groups


def _goes_on(rows: Sequence[Row], last: int, merges: Sequence[Merge]) -> bool:
    """Return whether the row after `last` is part of the heading: merged cells say so."""
    number, cells = rows[last]
    below_number, below = rows[last + 1]
    if below_number != number + 1 or not _is_text(below):
        return False
    down = any(m[0] <= number < m[2] for m in merges)
    across = [m for m in _across(number, merges) if not _is_empty(cells[m[1]])]
    under = any(not _is_empty(cell) for m in across for cell in below[m[1] : m[3] + 1])
    return (down and last + 2 < len(rows)) or (under and len(_filled(cells)) > 1)


def _kind(cell: Any) -> str:
    if isinstance(cell, str):
        if _is_empty(cell):
            return ""
        return "number in text" if cell.strip().replace(".", "", 1).isdigit() else "text"
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return "number"
    return type(cell).__name__


def _is_heading(rows: Sequence[Row], position: int) -> bool:
    """Return whether a row names the columns, as against being the first row of data."""
    cells = rows[position][1]
    body = [cells for _, cells in rows[position + 1 : position + 1 + _BODY_ROWS]]
    if any(isinstance(cell, str) and "@" in cell and "." in cell.rpartition("@")[2] for cell in cells):
        return False
    numbers = [cell for cell in cells if _kind(cell) == "number"]
    years = bool(numbers) and all(1900 <= number <= 2100 and number == int(number) for number in numbers)
    for column, cell in enumerate(cells):
        kind = _kind(cell)
        if kind in {"", "text"} or (kind == "number" and years and len(numbers) < len(_filled(cells))):
            continue
        kinds = Counter(_kind(row[column]) for row in body)
        kinds.pop("", None)
        if not kinds or kinds.most_common(1)[0][0] == kind:
            return False
    return True

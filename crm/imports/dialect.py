"""How a text file writes its table: found from a sample, said in words, and used to split it into records.

The detector is our own because every auto-detecting reader that was tried lost rows of some file without
a word. The splitter is the careful one: a bit slower than DuckDB, it survives stray quotation marks,
damaged bytes and lines of any length, and loses nothing.
"""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from crm.errors import UnreadableFile
from crm.imports.encodings import encoding_name, find_encoding_of, is_other_encoding, is_utf8

if TYPE_CHECKING:
    from crm.imports.formats import Reading  # which takes its delimiters from here

__all__ = ["BOM", "MAX_CELL", "MAX_COLUMNS", "MAX_LINE", "NOT_TEXT", "NO_DELIMITER", "NUL_BYTE", "STRAY_QUOTE",
           "UNTERMINATED", "WHITESPACE", "Dialect", "Record", "detect", "is_other_encoding", "is_value", "lines_of",
           "records"]  # fmt: skip

WHITESPACE = "whitespace"
"""Delimiter of a file whose columns are set apart by runs of blanks."""

NO_DELIMITER = "\x1f"
"""Delimiter of a file with one column: a character that text does not hold."""

MAX_LINE = 64 << 20
MAX_CELL = 16 << 20
MAX_COLUMNS = 4096

BOM = b"\xef\xbb\xbf"

_NAMES = {
    ",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", ":": "colons",
    "^": "carets", "~": "tildes", "#": "hash signs", "&": "ampersands",
}  # fmt: skip
# The common four first; the rest must be plainly better, for they also occur inside times and text.
_DELIMITERS = {",": 1.0, ";": 1.0, "\t": 1.0, "|": 0.98, "^": 0.8, "~": 0.8, "\x01": 0.8, "\x1e": 0.8,
               "\x1f": 0.8, "#": 0.7, "&": 0.7, ":": 0.6}  # fmt: skip

UNTERMINATED = "A quotation mark is opened and never closed."
STRAY_QUOTE = "A quotation mark stands in the middle of a quoted cell."
NOT_TEXT = "The line holds bytes that are not UTF-8 text."
NUL_BYTE = "The line holds a NUL byte, which text never does."

# Each quotation mark left open may make the splitter read up to MAX_CELL twice: this bounds the work.
_MAX_UNTERMINATED = 100


@dataclass(frozen=True)
class Dialect:
    r"""How a text file writes its table.

    `delimiter` is one character, or WHITESPACE for runs of blanks. `quote` is empty when cells are never
    quoted. `escape` is what stands before a quotation mark inside a quoted cell: the mark itself, or a
    backslash. `header_rows` is 0 when no row names the columns, 2 when two rows do together. `skip_lines`
    counts the lines above the table. `newline` is `\n`, `\r\n` or `\r`.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    header_rows: int = 1
    skip_lines: int = 0
    newline: str = "\n"

    @property
    def header(self) -> bool:
        """Whether a row, or several together, name the columns."""
        return self.header_rows > 0

    def sentence(self) -> str:
        """Return in one sentence what was assumed about the file."""
        if self.delimiter == WHITESPACE:
            cells = "columns set apart by blanks"
        elif self.delimiter == NO_DELIMITER:
            cells = "a single column"
        else:
            cells = f"columns separated by {_NAMES.get(self.delimiter, repr(self.delimiter))}"
        parts = [f"Read as {encoding_name(self.encoding)} text with {cells}"]
        if self.quote and self.quote != '"':
            parts.append(f"cells quoted with {self.quote}")
        if self.escape == "\\":
            parts.append("a backslash before a quotation mark inside a cell")
        if self.skip_lines:
            lines = "the first line" if self.skip_lines == 1 else f"the first {self.skip_lines} lines"
            parts.append(f"{lines} left out as standing above the table")
        if self.header_rows > 1:
            parts.append(f"the first {self.header_rows} rows together name the columns")
        else:
            parts.append("the first row names the columns" if self.header else "no header row")
        return ", ".join(parts) + "."


Record = tuple[int, list[str], str, str]
"""Line on which a record starts (from 1), its cells, what is wrong with it if anything, its text."""


def lines_of(path: Path, newline: str) -> Iterator[bytes]:
    """Yield the physical lines of a file with their endings, its byte order mark left out."""
    with path.open("rb") as file:
        if file.read(len(BOM)) != BOM:
            file.seek(0)
        if newline != "\r":
            yield from file
            return
        rest = b""
        while chunk := file.read(1 << 20):
            *whole, rest = (rest + chunk).split(b"\r")
            for line in whole:
                yield line + b"\r"
        if rest:
            yield rest


def records(lines: Iterable[bytes], dialect: Dialect, *, cut: bool = False) -> Iterator[Record]:
    """Yield every record of `lines`; blank lines come as records without cells, none is left out.

    A record that cannot be split has a problem and no cells. When a quotation mark is never closed, or
    closes at a place where no cell can end, only the line that opened it is given up and the next line is
    read afresh. Of lines that were `cut` off somewhere, a record still open at the end is left out. Raises
    UnreadableFile when more than a hundred marks are left open.
    """
    delimiter, quote, backslash = dialect.delimiter, dialect.quote, dialect.escape == "\\"
    splitter = _Splitter(delimiter, quote, backslash)
    source = iter(lines)
    again: deque[bytes] = deque()
    number = unterminated = 0
    while (raw := again.popleft() if again else next(source, None)) is not None:
        number += 1
        first = number
        problem = ""
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text, problem = raw.decode(errors="replace"), NOT_TEXT
        body = text.rstrip("\n").removesuffix("\r") if dialect.newline != "\r" else text.removesuffix("\r")
        if "\0" in body:
            problem = problem or NUL_BYTE
        if delimiter == WHITESPACE:
            yield first, re.split(r"[ \t]+", body.strip(" \t")) if body.strip(" \t") else [], problem, text
            continue
        if not body:
            yield first, [], problem, text
            continue
        if not (quote and quote in body) and not (backslash and "\\" in body):
            yield first, body.split(delimiter), problem, text
            continue
        splitter.start()
        taken = [raw]
        size = len(raw)
        state = splitter.feed(body)
        while state == "open" and size <= MAX_CELL:
            more = again.popleft() if again else next(source, None)
            if more is None:
                if cut:
                    return
                break
            number += 1
            taken.append(more)
            size += len(more)
            try:
                after = more.decode()
            except UnicodeDecodeError:
                after, problem = more.decode(errors="replace"), NOT_TEXT
            ending = text[len(body) :]
            text = after
            body = (
                after.rstrip("\n").removesuffix("\r") if dialect.newline != "\r" else after.removesuffix("\r")
            )
            if "\0" in body:
                problem = problem or NUL_BYTE
            state = splitter.feed(body, ending)
        whole = b"".join(taken).decode(errors="replace")
        if state == "closed":
            yield first, splitter.cells, problem, whole
        elif state == "stray" and len(taken) == 1:
            yield first, [], STRAY_QUOTE, whole
        else:
            unterminated += 1
            if unterminated > _MAX_UNTERMINATED:
                raise UnreadableFile(
                    f"More than {_MAX_UNTERMINATED} quotation marks of the file are opened and never closed.",
                    "Save the file again from the program it comes from, as CSV with UTF-8 encoding.",
                )
            yield first, [], UNTERMINATED, raw.decode(errors="replace")
            again.extendleft(reversed(taken[1:]))
            number = first


class _Splitter:
    """Splits the lines of one record that holds quotation marks, line after line."""

    def __init__(self, delimiter: str, quote: str, backslash: bool) -> None:
        self._delimiter, self._quote, self._backslash = delimiter, quote, backslash
        # What stands inside a quoted cell, up to the mark that closes it. Never used without a mark, for then
        # no cell begins with one. Nothing is tried twice, so that the time grows with the length alone.
        mark = re.escape(quote or '"')
        inside = (
            rf"[^{mark}\\]*+(?:\\.?[^{mark}\\]*+)*+"
            if backslash
            else rf"[^{mark}]*+(?:{mark}{mark}[^{mark}]*+)*+"
        )
        self._inside = re.compile(inside, re.DOTALL)
        self._escaped = re.compile(r"\\([" + re.escape(delimiter + quote) + r"\\])")
        bare = r"[^\\" + re.escape(delimiter) + "]*+"
        self._plain = re.compile(rf"{bare}(?:\\.{bare})*+\\?", re.DOTALL)
        self._blank = "" if delimiter == " " else " "
        self.start()

    def start(self) -> None:
        """Forget the record before."""
        self.cells: list[str] = []
        self._parts: list[str] | None = None  # pieces of the quoted cell under way

    def feed(self, body: str, ending: str = "") -> str:
        """Take one more line, `ending` being the end of the line before; return closed, open or stray."""
        if self._parts is not None:
            self._parts.append(ending)
        delimiter, quote, blank = self._delimiter, self._quote, self._blank
        position, end = 0, len(body)
        while True:
            if self._parts is None:
                mark = position
                while blank and body[mark : mark + 1] == blank:
                    mark += 1
                if not quote or body[mark : mark + 1] != quote:
                    stop = self._end_of_plain_cell(body, position)
                    cell = body[position:stop]
                    self.cells.append(self._unescaped(cell) if self._backslash else cell)
                    if stop >= end:
                        return "closed"
                    position = stop + len(delimiter)
                    continue
                self._parts, position = [], mark + 1
            found = self._inside.match(body, position)
            at = found.end() if found else end
            self._parts.append(self._unescaped(body[position:at]))
            if at >= end:
                return "open"
            stop = at + 1
            while blank and body[stop : stop + 1] == blank:
                stop += 1
            if stop < end and body[stop] != delimiter:
                return "stray"
            self.cells.append("".join(self._parts))
            self._parts = None
            if stop >= end:
                return "closed"
            position = stop + len(delimiter)

    def _unescaped(self, piece: str) -> str:
        if self._backslash:
            return self._escaped.sub(r"\1", piece)
        return piece.replace(self._quote * 2, self._quote)

    def _end_of_plain_cell(self, body: str, position: int) -> int:
        if self._backslash:
            found = self._plain.match(body, position)
            return found.end() if found else len(body)
        stop = body.find(self._delimiter, position)
        return len(body) if stop < 0 else stop


# --- detection ---------------------------------------------------------------------------------------


_SAVE_AS = "Open the file in the program it comes from, save it as CSV with UTF-8 encoding, and import that."
_AGAIN = "Check that the export finished, and choose it again."
_NO_ROWS = "The file has a header and no rows below it.", _AGAIN

_HEAD = 256 << 10
_WINDOW = 64 << 10
_HEAD_RECORDS = 1000
_WINDOW_RECORDS = 200
_MAX_PREAMBLE = 30
_FEW_LINES = 10

_NUMBER = re.compile(
    r"[-+(]?\s?[¥￥$€£]?\s?[-+]?(\d{1,3}([.,' \u00a0\u202f]\d{3})+|\d+)?([.,]\d+)?([eE][-+]?\d+)?\s?[%€$£元)]?-?"
)
_DATE = re.compile(
    r"\d{1,4}[-/.年]\s?\d{1,2}[-/.月]\s?\d{1,4}日?([T ]\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s?([AaPp][Mm])?\s?(Z|UTC|[-+]\d{2}:?\d{2})?)?"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}.*|[A-Za-z]{3,9} \d{1,2},? \d{4}.*|\d{1,2}:\d{2}(:\d{2})?"
)
_EMAIL = re.compile(r"[^@\s,;|]+@[^@\s,;|]+\.[^@\s,;|]+")
_WORDS = re.compile(r"[\w .&%/+()*#@!?'’“”„-]+")


def detect(path: Path, reading: "Reading | None" = None) -> Dialect:
    """Return how the text file at `path` writes its table, judged from its head and two places further on.

    What `reading` says is taken as given, be it likely or not; its encoding and sheet are not looked at, for
    the file is UTF-8 by now. Raises UnreadableFile when it is empty, not text, not UTF-8, or has a header
    and nothing below it.
    """
    if reading is None:
        from crm.imports.formats import Reading

        reading = Reading()
    size = path.stat().st_size
    if size == 0:
        raise UnreadableFile("The file is empty.", _AGAIN)
    length = min(_HEAD, size)
    while True:
        with path.open("rb") as file:
            head = file.read(length)
        if length == size or len(head.splitlines()) > _FEW_LINES or length >= MAX_LINE:
            # A cell that is still open at the sample's end may be a long one, or never closed.
            dialect, tasted = _found(path, head, reading, whole=length == size)
            if length == size or tasted > _FEW_LINES or length > MAX_CELL:
                return dialect
        length = min(size, length * 8)


def _found(path: Path, head: bytes, reading: "Reading", *, whole: bool) -> tuple[Dialect, int]:
    """Return the dialect judged from the file's head, and how many records of it could be read."""
    _refuse_other_encodings(head)
    newline = _newline(head)
    lines = _lines(head.removeprefix(BOM), newline, cut=not whole)
    if not any(line.strip() for line in lines):
        raise UnreadableFile("The file holds nothing but blank lines.", _AGAIN)
    declared = re.match(rb"sep=([\x01-\x7e])\s*$", lines[0])
    above = 1 if declared else 0
    if reading.skip_lines is not None:
        declared = declared if reading.skip_lines else None
        above = reading.skip_lines
    cut = not whole
    if above > 1:
        lines, cut = _lines_below(path, newline, above, len(head))
    else:
        lines = lines[above:]
    if not any(line.strip() for line in lines):
        raise UnreadableFile(*_NO_ROWS)
    samples = [_Sample(lines, cut, _HEAD_RECORDS)]
    size = path.stat().st_size
    for share in (1, 2):
        start = size * share // 3
        if start > len(head) and size - start > _WINDOW:
            with path.open("rb") as file:
                file.seek(start)
                window = _lines(file.read(_WINDOW), newline, cut=True)[1:]
            samples.append(_Sample(window, True, _WINDOW_RECORDS))
    if reading.delimiter == WHITESPACE:
        best = Dialect(delimiter=WHITESPACE, quote="", escape="", newline=newline)
    else:
        delimiters = list(_DELIMITERS)
        if reading.delimiter is not None or declared:
            delimiters = [reading.delimiter or (declared[1].decode() if declared else "")]
        best = _best(samples, newline, delimiters, reading.quote)
        if best.delimiter == NO_DELIMITER and reading.delimiter is None and reading.quote is None:
            best = _whitespace(samples, newline) or best
    taken = _taste(samples[0], best)
    if cut and len(taken) <= _FEW_LINES and len(head) <= MAX_CELL:
        return best, len(taken)  # to be looked at again with more of the file
    return _with_header(best, taken, reading, above), len(taken)


def _lines_below(path: Path, newline: str, above: int, enough: int) -> tuple[list[bytes], bool]:
    """Return `enough` bytes of the lines below the first `above` ones, and whether the file goes on after them."""
    found: list[bytes] = []
    length = 0
    for line in islice(lines_of(path, newline), above, None):
        if length > enough and len(found) > _FEW_LINES:
            return found, True
        found.append(line)
        length += len(line)
    return found, False


def _refuse_other_encodings(head: bytes) -> None:
    """Raise UnreadableFile when a file's head is not UTF-8, single damaged bytes allowed, or no text at all."""
    if not is_utf8(head):
        raise UnreadableFile(
            f"The file is text in another encoding ({encoding_name(find_encoding_of(head).encoding)}), not in UTF-8.",
            _SAVE_AS,
        )


def _newline(head: bytes) -> str:
    both = head.count(b"\r\n")
    feeds, returns = head.count(b"\n") - both, head.count(b"\r") - both
    # Line feeds inside quoted cells do not hide that the lines of an old Mac end in returns.
    if returns > 3 * (feeds + both):
        return "\r"
    return "\r\n" if both > feeds else "\n"


def _lines(data: bytes, newline: str, *, cut: bool) -> list[bytes]:
    separator = b"\r" if newline == "\r" else b"\n"
    lines = [line + separator for line in data.split(separator)]
    # The last line of a sample is half a line, or the nothing after the last line's end.
    return lines[:-1] if len(lines) > 1 and (cut or lines[-1] == separator) else lines


@dataclass(frozen=True)
class _Sample:
    lines: list[bytes]
    cut: bool
    limit: int


def _taste(sample: _Sample, dialect: Dialect) -> list[Record]:
    taken: list[Record] = []
    try:
        for record in records(sample.lines, dialect, cut=sample.cut):
            if record[1] or record[2]:
                taken.append(record)
            if len(taken) >= sample.limit:
                break
    except UnreadableFile:
        return []
    return taken


def _best(samples: list[_Sample], newline: str, delimiters: list[str], quote: str | None) -> Dialect:
    """Return the dialect that explains the samples best, its quotation mark given or not."""
    text = b"".join(line for sample in samples for line in sample.lines[: sample.limit]).decode(
        errors="replace"
    )
    plain = Dialect(delimiter=NO_DELIMITER, newline=newline)
    if quote is not None:
        plain = replace(plain, quote=quote, escape=quote)
    best, best_score = plain, 0.0
    for delimiter in delimiters:
        if delimiter not in text:
            continue
        for mark, escape in _quotings(text, delimiter, quote):
            dialect = Dialect(delimiter=delimiter, quote=mark, escape=escape, newline=newline)
            score = _score(samples, dialect) * _DELIMITERS.get(delimiter, 1.0)
            # Half a percent of lead, so that the plainer of two equal readings is kept.
            if score > best_score * 1.005:
                best, best_score = dialect, score
    if best_score == 0.0 and len(delimiters) == 1:
        return replace(plain, delimiter=delimiters[0])
    return best


def _quotings(text: str, delimiter: str, quote: str | None) -> list[tuple[str, str]]:
    """Return the quotation marks worth trying, each with what stands before one inside a cell."""
    if quote is not None:
        return [(quote, quote), (quote, "\\")] if quote and f"\\{quote}" in text else [(quote, quote)]
    found = [('"', '"')]
    if '\\"' in text:
        found.append(('"', "\\"))
    edge = rf"[\r\n]|{re.escape(delimiter)}"
    if re.search(rf"(^|{edge})'[^']*+(?:''[^']*+)*+'($|{edge})", text):
        found.append(("'", "'"))
        if "\\'" in text:
            found.append(("'", "\\"))
    if '"' in text:
        found.append(("", ""))
    return found


def _score(samples: list[_Sample], dialect: Dialect) -> float:
    """Return how well a dialect explains a sample: 0 not at all, towards 1 evenly wide with clean cells."""
    widths: Counter[int] = Counter()
    total = 0
    tasted: list[list[str]] = []
    for sample in samples:
        for _, cells, problem, _ in _taste(sample, dialect):
            total += 1
            if not problem:
                widths[len(cells)] += 1
                tasted.append(cells)
    if not widths:
        return 0.0
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    if width < 2 or count * 2 < total:
        return 0.0
    cells = [cell for row in tasted if len(row) == width for cell in row][:5000]
    known = sum(_is_clean(cell) - _is_still_quoted(cell) for cell in cells) / len(cells)
    evenness = (count / total) ** 3
    return evenness * (0.25 + 0.75 * max(known, 0.0)) * (width - 0.7) / width


def _is_clean(cell: str) -> bool:
    cell = cell.strip()
    if len(cell) > _LONG_CELL:
        cell = cell[:_LONG_CELL] + cell[-1]  # its two ends tell, and cells may be megabytes long
    if not cell:
        return True
    # Marks around a cell, or one alone at its start or end, betray the wrong quotation mark.
    if len(cell) > 1 and (cell[0] in "\"'" or cell[-1] in "\"'"):
        return False
    return bool(
        _NUMBER.fullmatch(cell) or _DATE.fullmatch(cell) or _EMAIL.fullmatch(cell) or _WORDS.fullmatch(cell)
    )


def _is_still_quoted(cell: str) -> bool:
    """Say whether a cell is wrapped in marks that are doubled inside: nobody writes that but a program."""
    mark = cell[:1]
    if len(cell) < 4 or mark not in {"'", '"'} or cell[-1] != mark:
        return False
    return mark * 2 in cell[1:-1] and mark not in cell[1:-1].replace(mark * 2, "")


def _whitespace(samples: list[_Sample], newline: str) -> Dialect | None:
    """Return the dialect of columns set apart by blanks if the sample is one, with a column of numbers."""
    dialect = Dialect(delimiter=WHITESPACE, quote="", escape="", newline=newline)
    rows = [cells for sample in samples for _, cells, _, _ in _taste(sample, dialect)]
    width, count = Counter(map(len, rows)).most_common(1)[0]
    even = [row for row in rows if len(row) == width]
    if width < 2 or count < 2 or count < 0.95 * len(rows):
        return None
    body = even[1:]
    columns = [all(is_value(row[index]) for row in body) for index in range(width)]
    return dialect if sum(columns) * 2 >= width else None


def is_value(cell: str) -> bool:
    """Return whether a cell looks like a number, a date, a time or an e-mail address: like no heading."""
    cell = cell.strip()
    return any(sign.isdigit() or sign == "@" for sign in cell) and bool(
        _NUMBER.fullmatch(cell) or _DATE.fullmatch(cell) or _EMAIL.fullmatch(cell)
    )


def _with_header(dialect: Dialect, taken: list[Record], reading: "Reading", above: int) -> Dialect:
    """Return the dialect with the lines above the table counted and the header decided, where not given.

    `above` lines stand before the records that were taken. Raises UnreadableFile when a header is all there
    is.
    """
    if not any(not problem for _, _, problem, _ in taken):
        raise UnreadableFile("No line of the file can be read as a row of a table.", _SAVE_AS)
    start = 0 if reading.skip_lines is not None else _first_row(taken)
    header_rows = reading.header_rows
    if header_rows is None:
        _, first, problem, _ = taken[start]
        below = [cells for _, cells, problem, _ in taken[start + 1 :] if not problem]
        # A first row that cannot be read is taken for the header, so that it is named and not passed over.
        header_rows = 1 if problem or _is_header(first, below) else 0
    if header_rows and len(taken) <= start + header_rows:
        raise UnreadableFile(*_NO_ROWS)
    skipped = 0 if reading.skip_lines is not None else taken[start][0] - 1
    return replace(dialect, header_rows=header_rows, skip_lines=above + skipped)


def _first_row(taken: list[Record]) -> int:
    """Return which record is the first of the table, those before it being a title, a date, remarks."""
    widths = Counter(len(cells) for _, cells, problem, _ in taken if not problem)
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    start = 0
    while start < len(taken) and not taken[start][2] and len(taken[start][1]) < width:
        start += 1
    if start >= len(taken) or start > _MAX_PREAMBLE or (count <= start and width < _SURELY_WIDE):
        start = 0
    elif start and _is_heading(taken[start - 1][1]) and any(is_value(cell) for cell in taken[start][1]):
        start -= 1  # a header narrower than its rows, which end in a delimiter
    return _below_remarks(taken, _below_titles(taken, start, width))


def _below_titles(taken: list[Record], start: int, width: int) -> int:
    """Return where the header is when titles stand above it that were filled up with delimiters, or `start`."""
    if width < _SURELY_WIDE:
        return start
    for index in range(start, min(len(taken), start + _MAX_PREAMBLE)):
        _, cells, problem, _ = taken[index]
        if problem:
            return start
        filled = sum(1 for cell in cells if cell.strip())
        if filled * 3 <= width:
            continue
        below = [cells for _, cells, problem, _ in taken[index + 1 :] if not problem]
        # Rows may be sparse themselves, so titles are only left out above a full header.
        return index if filled * 5 >= width * 4 and below and _is_header(cells, below) else start
    return start


def _below_remarks(taken: list[Record], start: int) -> int:
    """Return where the table begins when lines that begin with # stand above it, or `start`."""
    end = start
    while end < len(taken) and taken[end][3].startswith("#"):
        end += 1
    if end == start or end >= len(taken):
        return start
    below = [cells for _, cells, problem, _ in taken[end + 1 :] if not problem]
    # One such line may be the header itself: "#id,name", or "# id,name" above a row of values.
    alone = end == start + 1
    remark = taken[start][3][1:2] in {" ", "\t", "#", "!"}
    if alone and not (remark and _is_header(taken[end][1], below)):
        return start
    if not alone and not _is_header(taken[end][1], below):
        return end - 1 if len(taken[end - 1][1]) == len(taken[end][1]) else end
    return end


_SURELY_WIDE = 3
_LONG_CELL = 500


def _is_heading(cells: list[str]) -> bool:
    return len(cells) > 1 and all(cell.strip() and not is_value(cell) for cell in cells)


_YEAR = re.compile(r"(19|20)\d\d([-/ ]?(Q[1-4]|0?[1-9]|1[0-2]))?")


def _is_header(first: list[str], below: list[list[str]]) -> bool:
    names = [cell.strip() for cell in first]
    if sum(map(bool, names)) * 2 < len(names):
        return False
    if any(len(name) > 200 for name in names):
        return False
    values = [name for name in names if is_value(name)]
    # Years may head columns, one after the other beside a word; any other value speaks of a row.
    years = len(values) > 1 and values == sorted(set(values)) and all(map(_YEAR.fullmatch, values))
    if values and not (years and len(values) < len(names) and not is_value(names[0])):
        return False
    columns = [[row[index].strip() for row in below if len(row) > index] for index in range(len(names))]
    again = sum(
        bool(name) and cells.count(name) * 20 > len(below) for name, cells in zip(names, columns, strict=True)
    )
    if not again:
        return True
    # A heading that comes again as a value of its own column is no heading, unless words above nothing but
    # values are more: a city may be called City.
    above_values = sum(
        bool(name and any(cells)) and all(is_value(cell) for cell in cells if cell)
        for name, cells in zip(names, columns, strict=True)
    )
    return above_values > again

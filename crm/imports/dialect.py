"""How a text file writes its table: found from a sample, said in words, and used to split it into records.

The detector is our own because every auto-detecting reader that was tried lost rows of some file without
a word. The splitter is the careful one: a bit slower than DuckDB, it survives stray quotation marks,
damaged bytes and lines of any length, and loses nothing.
"""

import codecs
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from crm.errors import UnreadableFile

WHITESPACE = "whitespace"
"""Delimiter of a file whose columns are set apart by runs of blanks."""

NO_DELIMITER = "\x1f"
"""Delimiter of a file with one column: a character that text does not hold."""

MAX_LINE = 64 << 20
MAX_CELL = 16 << 20
MAX_COLUMNS = 4096

BOM = codecs.BOM_UTF8

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
    backslash. `skip_lines` counts the lines above the table. `newline` is `\n`, `\r\n` or `\r`.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    header: bool = True
    skip_lines: int = 0
    newline: str = "\n"

    def sentence(self) -> str:
        """Return in one sentence what was assumed about the file."""
        if self.delimiter == WHITESPACE:
            cells = "columns set apart by blanks"
        elif self.delimiter == NO_DELIMITER:
            cells = "a single column"
        else:
            cells = f"columns separated by {_NAMES.get(self.delimiter, repr(self.delimiter))}"
        parts = [f"Read as {self.encoding.upper()} text with {cells}"]
        if self.quote and self.quote != '"':
            parts.append(f"cells quoted with {self.quote}")
        if self.escape == "\\":
            parts.append("a backslash before a quotation mark inside a cell")
        if self.skip_lines:
            lines = "the first line" if self.skip_lines == 1 else f"the first {self.skip_lines} lines"
            parts.append(f"{lines} left out as standing above the table")
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
        # Never used without a quotation mark, for then no cell begins with one.
        self._special = re.compile("[" + re.escape(quote or '"') + (r"\\" if backslash else "") + "]")
        self._escaped = re.compile(r"\\([" + re.escape(delimiter + quote) + r"\\])")
        self._plain = re.compile(r"(?:\\.|[^\\" + re.escape(delimiter) + r"])*\\?", re.DOTALL)
        self.start()

    def start(self) -> None:
        """Forget the record before."""
        self.cells: list[str] = []
        self._parts: list[str] | None = None  # pieces of the quoted cell under way

    def feed(self, body: str, ending: str = "") -> str:
        """Take one more line, `ending` being the end of the line before; return closed, open or stray."""
        if self._parts is not None:
            self._parts.append(ending)
        delimiter, quote = self._delimiter, self._quote
        position, end = 0, len(body)
        while True:
            if self._parts is None:
                mark = position
                while body[mark : mark + 1] == " ":
                    mark += 1
                if not quote or body[mark : mark + 1] != quote:
                    stop = self._end_of_plain_cell(body, position)
                    cell = body[position:stop]
                    self.cells.append(self._escaped.sub(r"\1", cell) if self._backslash else cell)
                    if stop >= end:
                        return "closed"
                    position = stop + len(delimiter)
                    continue
                self._parts, position = [], mark + 1
            found = self._special.search(body, position)
            if found is None:
                self._parts.append(body[position:])
                return "open"
            at = found.start()
            self._parts.append(body[position:at])
            following = body[at + 1 : at + 2]
            if body[at] == "\\" and self._backslash:
                self._parts.append(following if following in {quote, "\\", delimiter} else "\\" + following)
                position = at + 2
                continue
            if following == quote and not self._backslash:
                self._parts.append(quote)
                position = at + 2
                continue
            stop = at + 1
            while body[stop : stop + 1] == " ":
                stop += 1
            if stop < end and body[stop] != delimiter:
                return "stray"
            self.cells.append("".join(self._parts))
            self._parts = None
            if stop >= end:
                return "closed"
            position = stop + len(delimiter)

    def _end_of_plain_cell(self, body: str, position: int) -> int:
        if self._backslash:
            found = self._plain.match(body, position)
            return found.end() if found else len(body)
        stop = body.find(self._delimiter, position)
        return len(body) if stop < 0 else stop


# --- detection ---------------------------------------------------------------------------------------


_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", "a Parquet file", "Save it as CSV with UTF-8 encoding and import that."),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind (.xls)",
     "Open it in Excel, choose Save As, CSV UTF-8, and import that file."),
    (b"%PDF", "a PDF document", "Export the table it was made from as CSV and import that."),
    (b"\x1f\x8b", "a file compressed with gzip", "Unpack it and import the file inside."),
    (b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it and import the file inside."),
    (b"Rar!", "a RAR archive", "Unpack it and import the file inside."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV and import that."),
    (b"\x89PNG", "a picture", "Choose the file that holds the table."),
    (b"\xff\xd8\xff", "a picture", "Choose the file that holds the table."),
    (b"GIF8", "a picture", "Choose the file that holds the table."),
)  # fmt: skip
_SAVE_AS = "Open the file in the program it comes from, save it as CSV with UTF-8 encoding, and import that."

# Control characters, but for line ends, tabs and those that serve as separators.
_NEVER_IN_TEXT = bytes({*range(0x02, 0x09), *range(0x0E, 0x1A), 0x7F})

_HEAD = 256 << 10
_WINDOW = 64 << 10
_HEAD_RECORDS = 1000
_WINDOW_RECORDS = 200
_MAX_PREAMBLE = 30

_NUMBER = re.compile(
    r"[-+(]?\s?[¥￥$€£]?\s?[-+]?(\d{1,3}([.,' \u00a0\u202f]\d{3})+|\d+)?([.,]\d+)?([eE][-+]?\d+)?\s?[%€$£元)]?-?"
)
_DATE = re.compile(
    r"\d{1,4}[-/.年]\s?\d{1,2}[-/.月]\s?\d{1,4}日?([T ]\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s?([AaPp][Mm])?\s?(Z|UTC|[-+]\d{2}:?\d{2})?)?"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}.*|[A-Za-z]{3,9} \d{1,2},? \d{4}.*|\d{1,2}:\d{2}(:\d{2})?"
)
_EMAIL = re.compile(r"[^@\s,;|]+@[^@\s,;|]+\.[^@\s,;|]+")
_WORDS = re.compile(r"[\w .&%/+()*#@!?'’“”„-]+")


def detect(path: Path) -> Dialect:
    """Return how the text file at `path` writes its table, judged from its head and two places further on.

    Raises UnreadableFile when it is empty, not text, not UTF-8, or has a header and nothing below it.
    """
    size = path.stat().st_size
    if size == 0:
        raise UnreadableFile("The file is empty.", "Check that the export finished, and choose it again.")
    length = min(_HEAD, size)
    while True:
        with path.open("rb") as file:
            head = file.read(length)
        _refuse_other_formats(head)
        if length == size or len(head.splitlines()) > 10 or length >= MAX_LINE:
            break
        length = min(size, length * 8)
    encoding_of(head, whole=length == size)
    text = head.removeprefix(BOM)
    newline = _newline(text)
    lines = _lines(text, newline, cut=length < size)
    if not any(line.strip() for line in lines):
        raise UnreadableFile(
            "The file holds nothing but blank lines.", "Check that the export finished, and choose it again."
        )
    declared = re.match(rb"sep=([\x01-\x7e])\s*$", lines[0])
    samples = [_Sample(lines[1:] if declared else lines, length < size, _HEAD_RECORDS)]
    for share in (1, 2):
        start = size * share // 3
        if start > length and size - start > _WINDOW:
            with path.open("rb") as file:
                file.seek(start)
                window = _lines(file.read(_WINDOW), newline, cut=True)[1:]
            samples.append(_Sample(window, True, _WINDOW_RECORDS))
    best = _best(samples, newline, [declared[1].decode()] if declared else list(_DELIMITERS))
    if best.delimiter == NO_DELIMITER:
        best = _whitespace(samples, newline) or best
    dialect = _with_header(best, samples[0])
    if declared:
        dialect = replace(dialect, skip_lines=dialect.skip_lines + 1)
    return dialect


def encoding_of(data: bytes, *, whole: bool) -> str:
    """Return `utf-8` if that is what `data` is written in, single damaged bytes allowed.

    `whole` says that `data` is not cut off at its end. Raises UnreadableFile naming what was found instead.
    """
    for mark, name in ((b"\xff\xfe\x00\x00", "UTF-32"), (b"\x00\x00\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"),
                       (b"\xfe\xff", "UTF-16")):  # fmt: skip
        if data.startswith(mark):
            raise _other_encoding(name)
    if data.count(b"\0") * 100 > len(data):
        pairs = data[:4096]
        if max(pairs[0::2].count(0), pairs[1::2].count(0)) * 5 > len(pairs):
            raise _other_encoding("UTF-16")
        raise UnreadableFile("The file is not text: it holds binary data.", _SAVE_AS)
    if (len(data) - len(data.translate(None, _NEVER_IN_TEXT))) * 50 > len(data):
        raise UnreadableFile("The file is not text: it holds binary data.", _SAVE_AS)
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(data, final=whole)
    damaged = len(re.findall("[\udc80-\udcff]", text))
    if is_other_encoding(sound=sum(1 for sign in text if sign > "\x7f") - damaged, damaged=damaged):
        raise _other_encoding(_guess_encoding(data))
    return "utf-8"


def is_other_encoding(*, sound: int, damaged: int) -> bool:
    """Return whether a text with so many sound and damaged characters beyond ASCII is not UTF-8 at all."""
    return damaged * 10 > sound


def _other_encoding(name: str) -> UnreadableFile:
    return UnreadableFile(f"The file is text in another encoding ({name}), not in UTF-8.", _SAVE_AS)


def _guess_encoding(data: bytes) -> str:
    try:
        text = codecs.getincrementaldecoder("gb18030")().decode(data)
    except UnicodeDecodeError:
        return "probably Western European, Windows-1252"
    foreign = [sign for sign in text if sign > "\x7f"]
    chinese = sum("一" <= sign <= "鿿" for sign in foreign)
    if chinese * 2 > len(foreign):
        return "probably Chinese, GB18030"
    return "probably Western European, Windows-1252"


def _refuse_other_formats(head: bytes) -> None:
    if head.startswith(b"PK\x03\x04"):
        if b"[Content_Types].xml" in head or b"xl/" in head:
            raise UnreadableFile(
                "This is an Excel workbook, not a text file.",
                "Open it in Excel, choose Save As, CSV UTF-8, and import that file.",
            )
        raise UnreadableFile("This is a ZIP archive.", "Unpack it and import the file inside.")
    for signature, what, hint in _SIGNATURES:
        if head.startswith(signature):
            raise UnreadableFile(f"This is {what}, not a text file.", hint)
    start = head[:512].removeprefix(BOM).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table")):
        raise UnreadableFile(
            "This is a web page, not a table: perhaps the export asked for a sign-in.", _SAVE_AS
        )
    if start.startswith(b"<?xml"):
        raise UnreadableFile("This is an XML file, not a table.", _SAVE_AS)
    if re.match(rb'(\{\s*"|\[\s*\{\s*")', start):
        raise UnreadableFile("This is a JSON file, not a table.", "Export the table as CSV and import that.")


def _newline(head: bytes) -> str:
    if b"\n" not in head:
        return "\r" if b"\r" in head else "\n"
    return "\r\n" if head.count(b"\r\n") * 2 > head.count(b"\n") else "\n"


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


def _best(samples: list[_Sample], newline: str, delimiters: list[str]) -> Dialect:
    text = b"".join(line for sample in samples for line in sample.lines[: sample.limit]).decode(
        errors="replace"
    )
    best = Dialect(delimiter=NO_DELIMITER, newline=newline)
    best_score = 0.0
    for delimiter in delimiters:
        if delimiter not in text:
            continue
        for quote, escape in _quotings(text, delimiter):
            dialect = Dialect(delimiter=delimiter, quote=quote, escape=escape, newline=newline)
            score = _score(samples, dialect) * _DELIMITERS.get(delimiter, 1.0)
            # Half a percent of lead, so that the plainer of two equal readings is kept.
            if score > best_score * 1.005:
                best, best_score = dialect, score
    if best_score == 0.0 and len(delimiters) == 1:
        return replace(best, delimiter=delimiters[0])
    return best


def _quotings(text: str, delimiter: str) -> list[tuple[str, str]]:
    found = [('"', '"')]
    if '\\"' in text:
        found.append(('"', "\\"))
    if re.search(rf"(^|[\r\n]|{re.escape(delimiter)})'(?:[^']|'')*'($|[\r\n]|{re.escape(delimiter)})", text):
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
    if not cell:
        return True
    # Marks around a cell, or one alone at its start or end, betray the wrong quotation mark.
    if len(cell) > 1 and (cell[0] in "\"'" or cell[-1] in "\"'"):
        return False
    return bool(
        _NUMBER.fullmatch(cell) or _DATE.fullmatch(cell) or _EMAIL.fullmatch(cell) or _WORDS.fullmatch(cell)
    )


_STILL_QUOTED = re.compile(r"""'(?:[^']|'')*''(?:[^']|'')*'|"(?:[^"]|"")*""(?:[^"]|"")*\"""")


def _is_still_quoted(cell: str) -> bool:
    """Say whether a cell is wrapped in marks that are doubled inside: nobody writes that but a program."""
    return len(cell) > 3 and _STILL_QUOTED.fullmatch(cell) is not None


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


def _with_header(dialect: Dialect, sample: _Sample) -> Dialect:
    """Return the dialect with the lines above the table counted and the header decided.

    Raises UnreadableFile when a header is all there is.
    """
    taken = _taste(sample, dialect)
    widths = Counter(len(cells) for _, cells, problem, _ in taken if not problem)
    if not widths:
        raise UnreadableFile("No line of the file can be read as a row of a table.", _SAVE_AS)
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    start = 0
    while start < len(taken) and len(taken[start][1]) < width:
        start += 1
    if start > _MAX_PREAMBLE or count <= start:
        start = 0
    elif start and _is_heading(taken[start - 1][1]) and any(is_value(cell) for cell in taken[start][1]):
        start -= 1  # a header narrower than its rows, which end in a delimiter
    first = taken[start][1]
    below = [cells for _, cells, problem, _ in taken[start + 1 :] if not problem]
    header = _is_header(first, below)
    if header and len(taken) == start + 1:
        raise UnreadableFile(
            "The file has a header and no rows below it.",
            "Check that the export finished, and choose it again.",
        )
    return replace(dialect, header=header, skip_lines=taken[start][0] - 1)


def _is_heading(cells: list[str]) -> bool:
    return len(cells) > 1 and all(cell.strip() and not is_value(cell) for cell in cells)


def _is_header(first: list[str], below: list[list[str]]) -> bool:
    names = [cell.strip() for cell in first]
    if any(is_value(name) for name in names) or sum(map(bool, names)) * 2 < len(names):
        return False
    if any(len(name) > 200 for name in names):
        return False
    # A heading that comes again as a value of its own column is no heading.
    return not any(
        name and sum(len(row) > index and row[index].strip() == name for row in below) * 20 > len(below)
        for index, name in enumerate(names)
    )

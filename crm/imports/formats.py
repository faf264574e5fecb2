"""What a file is, whatever it is called: text is left as text, workbooks and Parquet become tables of text.

A file is told by its first bytes, and its name must say the same. What is not text is parsed in the sandbox.
"""

import codecs
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Literal, NamedTuple, Self

from crm.errors import InvalidValue, UnreadableFile
from crm.imports import encodings, sandbox
from crm.imports.archives import UNPACKED, entries_of
from crm.imports.dialect import WHITESPACE

_MB = 1 << 20
MAX_SIZE: dict[str, int] = {
    "text": 2048 * _MB,
    "xlsx": 100 * _MB,
    "xls": 100 * _MB,
    "parquet": 1024 * _MB,
    "gzip": 1024 * _MB,
    "zip": 1024 * _MB,
}
"""Bytes of a file of each form that can be read."""

_DELIMITERS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "\\t": "\t",
    "bar": "|",
    "pipe": "|",
    "colon": ":",
    "space": " ",
}
_QUOTES = {"none": "", "double": '"', "single": "'"}
_MOST = {"header_rows": 3, "skip_lines": 1_000_000}

_SAVE_AS = "Open the file in the program it comes from, save it as CSV with UTF-8 encoding, and import that."
_UNPACK = "Unpack it and import the file inside."
_CHOOSE = "Choose the file that holds the table."
_AS_XLSX = "Open it, save it as an Excel workbook (.xlsx), and import that."


class _Form(NamedTuple):
    what: str
    endings: tuple[str, ...]
    hint: str = ""
    """What to do instead; empty for a form that is read."""


_FORMS: dict[str, _Form] = {
    "text": _Form("a text file", ("csv", "tsv", "tab", "txt", "text", "dat", "asc", "psv", "ssv", "prn", "log")),
    "xlsx": _Form("an Excel workbook", ("xlsx", "xlsm", "xltx", "xltm")),
    "xls": _Form("an Excel workbook of the old kind (.xls)", ("xls", "xlt")),
    "parquet": _Form("a Parquet file", ("parquet", "pq", "parq")),
    "gzip": _Form("a file compressed with gzip", ("gz", "gzip", "tgz")),
    "zip": _Form("a ZIP archive", ("zip",)),
    "protected": _Form("an Excel workbook protected with a password", (),
                       "Open it in Excel, save it without a password, and import that."),
    "xlsb": _Form("a binary Excel workbook (.xlsb)", ("xlsb",), _AS_XLSX),
    "ods": _Form("an OpenDocument spreadsheet (.ods)", ("ods", "fods"), _AS_XLSX),
    "document": _Form("a document, not a table", ("doc", "docx", "odt", "rtf", "ppt", "pptx", "odp", "pages"), _SAVE_AS),
    "numbers": _Form("a Numbers spreadsheet", ("numbers",), "Open it, export it as an Excel workbook, and import that."),
    "pdf": _Form("a PDF document", ("pdf",), "Export the table it was made from as CSV and import that."),
    "archive": _Form("an archive of a kind that is not read here",
                     ("7z", "rar", "tar", "bz2", "xz", "zst", "lz4"), _UNPACK),
    "sqlite": _Form("an SQLite database", ("sqlite", "sqlite3", "db"), "Export the table as CSV and import that."),
    "duckdb": _Form("a DuckDB database", ("duckdb",), "Export the table as CSV or Parquet and import that."),
    "access": _Form("an Access database", ("mdb", "accdb"), "Export the table as CSV and import that."),
    "arrow": _Form("an Arrow or Feather file", ("arrow", "feather", "ipc"), "Save it as Parquet or CSV and import that."),
    "other table": _Form("a table in a form that is not read here", ("orc", "avro", "sas7bdat", "sav", "dta", "dbf", "rds"),
                         "Save it as Parquet or CSV and import that."),
    "picture": _Form("a picture", ("png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp", "heic", "svg", "ico"), _CHOOSE),
    "sound": _Form("a sound or a film", ("mp3", "mp4", "wav", "ogg", "mov", "avi", "m4a"), _CHOOSE),
    "program": _Form("a program", ("exe", "dll", "so", "bin", "msi", "jar", "class"), _CHOOSE),
    "html": _Form("a web page, not a table: perhaps the export asked for a sign-in", ("html", "htm", "mhtml"), _SAVE_AS),
    "xml": _Form("an XML file, not a table", ("xml",), _SAVE_AS),
    "json": _Form("a JSON file, not a table", ("json", "jsonl", "ndjson"), "Export the table as CSV and import that."),
}  # fmt: skip
_BY_ENDING = {ending: form for form, about in _FORMS.items() for ending in about.endings}

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "parquet"), (b"PARE", "parquet"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"), (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"PK\x07\x08", "zip"), (b"%PDF", "pdf"), (b"7z\xbc\xaf", "archive"),
    (b"Rar!", "archive"), (b"BZh", "archive"), (b"\xfd7zXZ", "archive"), (b"\x28\xb5\x2f\xfd", "archive"),
    (b"\x04\x22\x4d\x18", "archive"), (b"SQLite format 3", "sqlite"), (b"ARROW1", "arrow"), (b"FEA1", "arrow"),
    (b"\xff\xff\xff\xff", "arrow"), (b"ORC", "other table"), (b"Obj\x01", "other table"), (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"), (b"GIF8", "picture"), (b"II*\x00", "picture"), (b"MM\x00*", "picture"),
    (b"\x7fELF", "program"), (b"MZ\x90", "program"), (b"\xca\xfe\xba\xbe", "program"), (b"{\\rtf", "document"),
    (b"ID3", "sound"), (b"OggS", "sound"), (b"\x00\x01\x00\x00Standard", "access"),
)  # fmt: skip
_HEAD = 4096
_NEVER_IN_TEXT = frozenset({*range(9), *range(0x0E, 0x1B)})


@dataclass(frozen=True)
class Reading:
    """What the user chose about reading a file, instead of what would be found. None: find it.

    `encoding` is a name Python knows ("gb18030"); `delimiter` one character or dialect.WHITESPACE; `quote`
    the quotation mark, empty for none; `header_rows` 0 when no row names the columns, 2 when two rows
    together do; `skip_lines` counts the lines or rows above the table; `sheet` names one of a workbook.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    header_rows: int | None = None
    skip_lines: int | None = None
    sheet: str | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> tuple[Self, dict[str, str]]:
        """Return the reading options among `options`, and the options that are something else.

        An option that is given but empty is not chosen, except `quote`, where it means no quotation marks.
        Raises InvalidValue for a value that cannot be used.
        """
        given = {name: options[name] for name in cls.__dataclass_fields__ if name in options}
        rest = {name: value for name, value in options.items() if name not in given}
        chosen: dict[str, Any] = {}
        for name, value in given.items():
            if name == "quote":
                chosen[name] = _one_sign(name, _QUOTES.get(value.casefold(), value), empty=True)
            elif value == "":
                continue
            elif name in _MOST:
                chosen[name] = _whole_number(name, value, _MOST[name])
            elif name == "delimiter" and value != WHITESPACE:
                chosen[name] = _one_sign(name, _DELIMITERS.get(value.casefold(), value), empty=False)
            elif name == "encoding":
                chosen[name] = encodings.known_encoding(value)
            else:
                chosen[name] = value
        return cls(**chosen), rest

    def as_options(self) -> dict[str, str]:
        """Return what was chosen as options, so that `from_options` gives the same again."""
        return {name: str(value) for name, value in vars(self).items() if value is not None}


AS_FOUND = Reading()
"""Nothing was chosen."""


def _one_sign(name: str, value: str, *, empty: bool) -> str:
    if (len(value) == 1 and value not in "\r\n\0") or (empty and not value):
        return value
    none = ", or nothing" if empty else ""
    raise InvalidValue(f"The {name} is “{value}”.", f"It is a single character{none}.")


def _whole_number(name: str, value: str, most: int) -> int:
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) < 9 and int(text) <= most:
        return int(text)
    raise InvalidValue(
        f"The option {name} is “{value}”.", f"It is a whole number from 0 to {most:,}, counted in rows."
    )


@dataclass(frozen=True)
class Opened:
    """A file made ready to be read: a UTF-8 text file, or a table of text cells.

    `path` of a text is the file itself or a copy in scratch; of a table an Arrow IPC stream in scratch: one
    text column per source column, then `_row` (data row from 1) and `_line` (row in the sheet, from 1).
    `encoding` is what the text was written in, empty for a table. `sentences` say what was assumed on the
    way. `sheets` can be chosen from; `doubts` are encodings that would read as well. `rows_counted` is the
    number of a table's rows by a count that is independent of the conversion.
    """

    form: Literal["text", "table"]
    path: Path
    encoding: str
    sentences: tuple[str, ...]
    sheets: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    rows_counted: int | None = None


def open_file(path: Path, *, name: str, scratch: Path, reading: Reading = AS_FOUND) -> Opened:
    """Return a file of any form that is read here, made ready: as UTF-8 text or as a table of text cells.

    `name` is what the user calls it; its ending must say what the file is, or nothing. A gzip or ZIP around
    one file is unpacked first. Files are written to `scratch` under names of our own, and stay there for
    the caller to remove; of a refused file none is left. Raises UnreadableFile or, when what was chosen
    cannot be, InvalidValue.
    """
    made: list[Path] = []
    try:
        opened = _open(path, name, scratch, reading, made)
    except BaseException:
        _remove(made)
        raise
    _remove(file for file in made if file != opened.path)
    return opened


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _new_file(scratch: Path, ending: str, made: list[Path]) -> Path:
    scratch.mkdir(parents=True, exist_ok=True)
    made.append(scratch.resolve() / f"{uuid.uuid4().hex}.{ending}")
    return made[-1]


def _open(path: Path, name: str, scratch: Path, reading: Reading, made: list[Path]) -> Opened:
    path = path.resolve()
    form = form_of(path)
    _check_name(name, form)
    _check_size(path, form)
    if form in {"gzip", "zip"}:
        return _open_archive(path, name, scratch, reading, form=form, made=made)
    if form == "text":
        return _open_text(path, scratch, reading, made)
    target = _new_file(scratch, "arrow", made)
    arguments: dict[str, Any] = {"path": str(path), "target": str(target)}
    if form == "parquet":
        function, what = "crm.imports.parquet:convert", "Parquet file"
    else:
        function, what = "crm.imports.workbooks:convert", "workbook"
        arguments |= {
            "old": form == "xls",
            "sheet": reading.sheet,
            "header_rows": reading.header_rows,
            "skip_lines": reading.skip_lines,
        }
    answer = sandbox.run(function, arguments, scratch=scratch, what=what)
    return Opened(
        form="table",
        path=target,
        encoding="",
        sentences=tuple(answer["sentences"]),
        sheets=tuple(answer.get("sheets", ())),
        rows_counted=int(answer["rows"]),
    )


def _open_archive(
    path: Path, name: str, scratch: Path, reading: Reading, *, form: str, made: list[Path]
) -> Opened:
    inner = _new_file(scratch, "unpacked", made)
    arguments = {"path": str(path), "target": str(inner), "what": form}
    answer = sandbox.run("crm.imports.archives:unpack", arguments, scratch=scratch, what="archive")
    if form == "zip":
        inner_name = str(answer["name"])
        sentence = f"The only file in the archive, {inner_name}, was read."
    else:
        inner_name = PurePath(name).stem if _ending(name) in _FORMS["gzip"].endings else name
        sentence = "The file was unpacked (gzip)."
    if form_of(inner) in {"gzip", "zip", "archive"}:
        raise UnreadableFile("The archive holds another archive.", "Unpack both and import the file inside.")
    opened = _open(inner, inner_name, scratch, reading, made)
    return replace(opened, sentences=(sentence, *opened.sentences))


def _open_text(path: Path, scratch: Path, reading: Reading, made: list[Path]) -> Opened:
    doubts: tuple[str, ...] = ()
    if reading.encoding is not None:
        encoding = encodings.known_encoding(reading.encoding)
    else:
        found = encodings.find_encoding(path)
        encoding, doubts = found.encoding, tuple(found.alternatives)
    if encoding in {"utf-8", "utf-8-sig", "ascii"}:
        return Opened(form="text", path=path, encoding="utf-8", sentences=(), doubts=doubts)
    target = _new_file(scratch, "txt", made)
    damaged = encodings.to_utf8(path, encoding, target)
    sentences = []
    if damaged:
        sentences.append(
            "One byte of it is no text in that encoding; its line is set aside."
            if damaged == 1
            else f"{damaged:,} bytes of it are no text in that encoding; their lines are set aside."
        )
    return Opened(form="text", path=target, encoding=encoding, sentences=tuple(sentences), doubts=doubts)


# --- what it is -------------------------------------------------------------------------------------------


def form_of(path: Path) -> str:
    """Return which of the forms a file has, told from its bytes: such as `text`, `xlsx` or `pdf`.

    `text` is what is nothing else; whether it is text at all is found out when it is read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    form = next((form for signature, form in _SIGNATURES if head.startswith(signature)), "")
    if form not in {"pdf", "document"} and not _NEVER_IN_TEXT & set(head):
        form = ""  # a column may well be called ID3
    if form == "zip":
        return _form_of_zip(path)
    if form == "xls":
        if _holds(path, "EncryptedPackage".encode("utf-16-le")):
            return "protected"
        return (
            "xls" if _holds(path, "Book".encode("utf-16-le"), "Workbook".encode("utf-16-le")) else "document"
        )
    if form:
        return form
    if head[:4] == b"RIFF" and head[8:12] in {b"WEBP", b"WAVE", b"AVI "}:
        return "picture" if head[8:12] == b"WEBP" else "sound"
    if head[4:8] == b"ftyp":
        return "sound"
    if head[257:262] == b"ustar":
        return "archive"
    if head[8:12] == b"DUCK":
        return "duckdb"
    return _form_of_text(head)


def _form_of_text(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head[: len(head) // 2 * 2].decode("utf-16", errors="replace").encode()
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:512].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table")):
        return "html"
    if start.startswith(b"<svg"):
        return "picture"
    if start.startswith(b"<?xml"):
        return "html" if b"<html" in start else "xml"
    if re.match(rb'(\{\s*"|\[\s*\{\s*")', start):
        return "json"
    return "text"


def _form_of_zip(path: Path) -> str:
    names = {entry.filename.lower().lstrip("/") for entry in entries_of(path, UNPACKED, lenient=True)}
    folders = {name.partition("/")[0] for name in names if "/" in name}
    if "[content_types].xml" in names:
        if "xl/workbook.bin" in names:
            return "xlsb"
        return "document" if folders & {"word", "ppt", "visio"} else "xlsx"
    if "mimetype" in names and "content.xml" in names:
        return "ods"
    if "meta-inf/manifest.mf" in names:
        return "program"
    return "numbers" if "index/document.iwa" in names else "zip"


def _holds(path: Path, *needles: bytes) -> bool:
    tail = b""
    with path.open("rb") as file:
        while piece := file.read(_MB):
            seen = tail + piece
            if any(needle in seen for needle in needles):
                return True
            tail = piece[-64:]
    return False


def _ending(name: str) -> str:
    return PurePath(name.strip()).suffix[1:].casefold()


def _check_name(name: str, form: str) -> None:
    """Refuse a form that is not read here, and a name that says something else than the file is."""
    about = _FORMS[form]
    if about.hint:
        raise UnreadableFile(f"This is {about.what}.", about.hint)
    claimed = _BY_ENDING.get(_ending(name), form)
    if claimed == form:
        return
    raise UnreadableFile(
        f"The name of the file ends in .{_ending(name)}, as that of {_FORMS[claimed].what} does, but it is {about.what}.",
        f"If it is the right file, let its name end in .{about.endings[0]} and import it again.",
    )


def _check_size(path: Path, form: str) -> None:
    size, limit = path.stat().st_size, MAX_SIZE[form]
    if size > limit:
        raise UnreadableFile(
            f"The file has {size / _MB:,.0f} MB; {_FORMS[form].what} may have up to {limit // _MB:,} MB.",
            "Divide the table into several files."
            if form != "xlsx"
            else "Save the table as CSV with UTF-8 encoding, which may be larger, and import that.",
        )

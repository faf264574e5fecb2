"""How a file was read, in words, and the choices with which it is read differently."""

from collections.abc import Mapping, Sequence
from functools import cache as remember
from pathlib import Path
from typing import TypeVar

import streamlit as st
from babel import Locale
from phonenumbers import SUPPORTED_REGIONS

from crm.imports.dialect import WHITESPACE
from crm.imports.encodings import encoding_name
from crm.imports.formats import Reading
from crm.imports.loading import Prepared
from crm.ui.guard import guarded
from crm.ui.uploads import Upload, Waiting
from crm.ui.widgets import plain

Value = TypeVar("Value", str, int)

_ENCODINGS = (
    "utf-8",
    "gb18030",
    "big5",
    "cp932",
    "cp949",
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "iso8859-15",
    "mac_roman",
    "utf-16-le",
    "utf-16-be",
)
_DELIMITERS = {
    ",": "Comma",
    ";": "Semicolon",
    "\t": "Tab",
    "|": "Vertical bar",
    ":": "Colon",
    "^": "Caret",
    "~": "Tilde",
    WHITESPACE: "Blanks",
}
_QUOTES = {'"': 'Double: "', "'": "Single: '", "": "None"}
_HEADERS = {0: "No header", 1: "One row", 2: "Two rows", 3: "Three rows"}
_FOUND = "As found"
_TASTE = 1 << 16
_LONGEST = 160


def assumed(prepared: Prepared) -> list[str]:
    """Return as sentences everything that was assumed to read a file."""
    return list(dict.fromkeys(prepared.raw.sentences))


# --- a doubtful encoding ------------------------------------------------------------------------------


def ask_encoding(waiting: Waiting, upload: Upload) -> bool:
    """Ask in which encoding a file is written, where more than one would do; return whether that is settled."""
    opened = upload.prepared.opened
    if not opened.doubts or waiting.reading.encoding is not None:
        return True
    choices = list(dict.fromkeys([opened.encoding, *opened.doubts]))
    lines = {name: _line_in(waiting.path, name) for name in choices}
    with st.container(border=True, gap="small"):
        chosen = st.radio(
            "The file can be read in more than one encoding. Which of these lines reads right?",
            choices,
            index=None,
            format_func=encoding_name,
            captions=[plain(lines[name]) for name in choices] if all(lines.values()) else None,
            key=f"encoding_{upload.prepared.scratch.name}",
        )
        st.button(
            "Read it so",
            key="read_in_encoding",
            type="primary",
            disabled=chosen is None,
            on_click=guarded(waiting.read),
            args=(Reading(**{**vars(waiting.reading), "encoding": chosen}),),
        )
    st.caption("The rest follows as soon as this is answered.")
    return False


def _line_in(path: Path, encoding: str) -> str:
    """Return the first line of a file that is more than ASCII, as it reads in an encoding; nothing if none does."""
    with path.open("rb") as file:
        head = file.read(_TASTE)
    if head[:2] in {b"\x1f\x8b", b"PK"}:
        return ""  # packed: the bytes here are not the text's
    strange = [line for line in head.splitlines() if any(byte > 127 for byte in line)]
    return strange[0].decode(encoding, errors="replace").strip()[:_LONGEST] if strange else ""


# --- reading it differently ---------------------------------------------------------------------------


def choose(waiting: Waiting, upload: Upload) -> None:
    """Write, behind a fold, the choices that make the reader read the file differently."""
    opened = upload.prepared.opened
    now, text = waiting.reading, opened.form == "text"
    token = upload.prepared.scratch.name
    with st.expander("Read it differently"), st.form(f"reading_{token}", border=False):
        with st.grid(columns=3, min_column_width=200, gap="small") as grid:
            sheet = now.sheet
            if len(opened.sheets) > 1:
                with grid.cell():
                    sheet = st.selectbox(
                        "Sheet",
                        [None, *opened.sheets],
                        index=_index([None, *opened.sheets], now.sheet),
                        format_func=lambda name: _FOUND if name is None else name,
                        key=f"sheet_{token}",
                    )
            encoding, delimiter, quote = now.encoding, now.delimiter, now.quote
            if text:
                names = list(dict.fromkeys([opened.encoding, *opened.doubts, *_ENCODINGS]))
                with grid.cell():
                    encoding = _choice(
                        "Encoding", {name: encoding_name(name) for name in names}, now.encoding, token
                    )
                with grid.cell():
                    delimiter = _choice("Columns separated by", _DELIMITERS, now.delimiter, token)
                with grid.cell():
                    quote = _choice("Quotation mark", _QUOTES, now.quote, token)
            with grid.cell():
                header = _choice("Rows that name the columns", _HEADERS, now.header_rows, token)
            with grid.cell():
                above = st.number_input(
                    "Lines above the table" if text else "Rows above the table",
                    min_value=0,
                    max_value=1_000_000,
                    value=now.skip_lines,
                    step=1,
                    placeholder=_FOUND,
                    key=f"above_{token}",
                )
        again = st.form_submit_button("Read again", icon=":material/refresh:")
    if again:
        chosen = Reading(
            encoding=encoding,
            delimiter=delimiter,
            quote=quote,
            header_rows=header,
            skip_lines=None if above is None else int(above),
            sheet=sheet,
        )
        waiting.read(chosen)
        st.rerun()


def _choice(label: str, choices: Mapping[Value, str], now: Value | None, token: str) -> Value | None:
    options: list[Value | None] = [None]
    options += choices
    if now is not None and now not in choices:
        options.append(now)
    return st.selectbox(
        label,
        options,
        index=_index(options, now),
        format_func=lambda value: _FOUND if value is None else choices.get(value, str(value)),
        key=f"{label}_{token}",
    )


def _index(options: Sequence[object], value: object) -> int:
    return options.index(value) if value in options else 0


# --- where telephone numbers are at home --------------------------------------------------------------


def ask_country(token: str) -> str | None:
    """Ask in which country telephone numbers without a country code are at home; return its ISO code."""
    return st.selectbox(
        "Phones without a country code are from",
        list(_countries()),
        index=None,
        format_func=lambda code: _countries()[code],
        placeholder="As the contact's country says",
        key=f"country_{token}",
        persist_state="session",
        help="A number such as 030 123456 is checked as one of this country. Numbers that begin with + need none.",
    )


@remember
def _countries() -> dict[str, str]:
    """Return the countries with telephone numbers of their own by ISO code, sorted by their English names."""
    names = Locale("en").territories
    found = {code: str(names[code]) for code in SUPPORTED_REGIONS if code in names}
    return dict(sorted(found.items(), key=lambda item: item[1]))

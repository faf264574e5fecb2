"""Text that a spreadsheet would take for a formula: marked on the way out, and as it was on the way in.

A spreadsheet computes text such as `=HYPERLINK(…)`, and a customer can type that into a form. In CSV for
spreadsheets such text gets an apostrophe in front (`guard`); our own import takes it off (`unguard`). Numbers
and phone numbers such as `-12,5` and `+44 20 7946 0000` are harmless and left alone.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

_TRIGGERS = "=+\\-@|%＝＋－＠"

# What a spreadsheet skips before it looks for a formula: control characters, every kind of space,
# invisible marks, and the quotes and separators at which another program may cut a line anew.
_SKIPPED = "".join(
    map(
        chr,
        [*range(0x21), *range(0x7F, 0xA1), 0xAD, 0x1680, 0x180E, *range(0x2000, 0x2010),
         *range(0x2028, 0x2030), *range(0x205F, 0x2070), 0x3000, 0xFEFF, *b'";,'],
    )
)  # fmt: skip

# Both are written in what Python's and Arrow's regular expressions have in common. An apostrophe before
# such text counts as part of it: that is what makes the guard reversible.
_COMPUTABLE = f"^'*([\t\r\n]|[{_SKIPPED}]*[{_TRIGGERS}])"
_HARMLESS = r"^'*([-+]?[0-9][0-9.,]*%?|\+[0-9][0-9 ]{5,18})"

COMPUTABLE_RE2 = r"^'*([\t\r\n]|[{}]*[{}])".format(
    *("".join(f"\\x{{{ord(sign):x}}}" for sign in signs.replace("\\", "")) for signs in (_SKIPPED, _TRIGGERS))
)
"""What a spreadsheet could take for a formula, spelled in ASCII for engines that read patterns from SQL."""

HARMLESS_RE2 = _HARMLESS
"""What it could not, though it begins like one; the whole text has to match."""

_CONTROL = "[\x00-\x08\x0b-\x1f]"


def guard(text: str) -> str:
    """Return the text with an apostrophe in front if a spreadsheet could take it for a formula."""
    return f"'{text}" if _is_computable(text) else text


def unguard(text: str) -> str:
    """Return the text that `guard` was given: `unguard(guard(text)) == text` for every text."""
    return text[1:] if text.startswith("'") and _is_computable(text[1:]) else text


def guarded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of text with `guard` on every value; missing values stay missing."""
    computable = pc.match_substring_regex(column, _COMPUTABLE)
    if not pc.any(computable).as_py():
        return column
    harmless = pc.match_substring_regex(column, f"{_HARMLESS}$")
    mark, nothing = pa.scalar("'", column.type), pa.scalar("", column.type)
    marked = pc.binary_join_element_wise(mark, column, nothing)
    return pc.if_else(pc.and_not(computable, harmless), marked, column)


def without_control(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of text without control characters but tabs and line feeds; other line breaks become one."""
    unified = pc.replace_substring_regex(column, "\r\n?", "\n")
    return pc.replace_substring_regex(unified, _CONTROL, "")


def _is_computable(text: str) -> bool:
    # Not `match` with `$`: in Python that also holds before a final line feed.
    return re.match(_COMPUTABLE, text) is not None and re.fullmatch(_HARMLESS, text) is None

"""Forms over one record: opened at a version, sent once, and refused in words when somebody was faster."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import streamlit as st

from crm import wording
from crm.schema import CONTACT_COLUMNS, Column
from crm.ui import state
from crm.ui.widgets import plain

Answer = TypeVar("Answer")

NOT_KNOWN = "Not known"
_ANSWERS: dict[bool | None, str] = {None: NOT_KNOWN, True: "Yes", False: "No"}
_MISSING = object()

_PLAIN = frozenset({"name", "company", "email", "gender", "birth_date", "country"})
"""Fields whose name says all there is to say."""

CONTACT_FIELDS: tuple[Column, ...] = tuple(
    column for column in CONTACT_COLUMNS if column.name != "customer_id"
)


@dataclass(frozen=True)
class Draft:
    """A form as it was opened: whose record, at which version, after which undo, and the name of its widgets."""

    subject: str
    version: int
    undone: int | None
    token: str

    def key(self, field: str) -> str:
        """Return the name of the widget of `field`."""
        return f"draft_{self.token}_{field}"


def open_draft(form: str, *, subject: str, version: int, values: Mapping[str, Any]) -> Draft:
    """Return the draft of `form`, begun from `values` unless one of the same subject is on the screen.

    What is being typed stays, whatever others store meanwhile: the draft keeps the version it began from.
    Only an undo of one's own starts it anew.
    """
    draft: Draft | None = state.get(_name(form))
    on_screen = draft is not None and any(
        state.get(draft.key(field), _MISSING) is not _MISSING for field in values
    )
    undone = state.get(state.UNDONE)
    if draft is None or (draft.subject, draft.undone) != (subject, undone) or not on_screen:
        draft = Draft(subject, version, undone, secrets.token_hex(4))
        state.put(_name(form), draft)
        for field, value in values.items():
            state.put(draft.key(field), value)
    return draft


def close_draft(form: str) -> None:
    """Forget what was typed into `form`; it begins anew from what is stored."""
    state.drop(_name(form))


def advance_draft(form: str, *, before: int, version: int) -> None:
    """Let a draft begun at version `before` go on from `version`: one's own act beside it is no one else's."""
    draft: Draft | None = state.get(_name(form))
    if draft is not None and draft.version == before:
        state.put(_name(form), replace(draft, version=version))


def _name(form: str) -> str:
    return f"_draft_of_{form}"


def once(draft: Draft, act: Callable[[], Answer]) -> Answer:
    """Return what `act` gave the first time this draft was sent: a double click sends it twice.

    The second click ends the first one's run at its next word to Streamlit. Between the act and the note
    that it was done there is none.
    """
    done: dict[str, Any] = state.get("_sent") or {}
    if state.get("_sent") is None:
        state.put("_sent", done)
    if draft.token not in done:
        done[draft.token] = act()
        while len(done) > 20:
            done.pop(next(iter(done)))
    answer: Answer = done[draft.token]
    return answer


# --- fields of a contact ------------------------------------------------------------------------------


def typed(column: Column, value: Any) -> Any:
    """Return a contact's stored value as its widget shows it; money as exact text."""
    if column.type == "yes/no":
        return _ANSWERS[value]
    if column.type == "money":
        return "" if value is None else _money_text(value)
    if column.type == "text":
        return value or ""
    return value


def stored(column: Column, shown: Any, *, before: Any) -> Any:
    """Return what a widget holds as a value to store; blanks around a text that was typed go."""
    if column.type == "yes/no":
        return next(value for value, text in _ANSWERS.items() if text == shown)
    if isinstance(shown, str) and shown != before:
        return shown.strip()
    return shown


def _money_text(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


ATTRIBUTE = "attributes."
"""What the name of a custom attribute begins with among the fields of a form."""


def attribute_fields(titles: Mapping[str, str]) -> tuple[Column, ...]:
    """Return custom attributes, name → title, as fields of a form: text, whatever they are filtered as."""
    meaning = "As the file that brought it writes it"
    return tuple(Column(ATTRIBUTE + name, "text", title, meaning) for name, title in titles.items())


def contact_fields(draft: Draft, *, attributes: Sequence[Column] = ()) -> dict[str, Any]:
    """Write the fields of a contact, its attributes below them, and return what they hold, by name."""
    columns = CONTACT_FIELDS
    shown: dict[str, Any] = {}
    with st.grid(columns=3, min_column_width=220, gap="small") as grid:
        for column in columns:
            if column.name != "note":
                with grid.cell():
                    shown[column.name] = _field(column, draft.key(column.name))
    for column in columns:
        if column.name == "note":
            shown["note"] = _field(column, draft.key("note"))
    if attributes:
        st.markdown("**Attributes**", help="What contacts files brought beside the fields above.")
        with st.grid(columns=3, min_column_width=220, gap="small") as grid:
            for column in attributes:
                with grid.cell():
                    shown[column.name] = st.text_input(column.title, key=draft.key(column.name))
    return shown


def _field(column: Column, key: str) -> Any:
    told = None if column.name in _PLAIN else column.meaning
    if column.type == "yes/no":
        return st.selectbox(column.title, list(_ANSWERS.values()), key=key, help=told)
    if column.type == "date":
        return st.date_input(
            column.title,
            value=None,
            key=key,
            min_value=date(1900, 1, 1),
            max_value=date(2100, 12, 31),
            format="YYYY-MM-DD",
            help=told,
        )
    if column.type == "integer":
        return st.number_input(column.title, value=None, step=1, key=key, help=told)
    if column.name == "note":
        return st.text_area(column.title, key=key, help=told)
    return st.text_input(column.title, key=key, help=told)


def written(column: Column, value: Any) -> str:
    """Return a stored value in words, for a table that compares two."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, bool):
        return _ANSWERS[value]
    if isinstance(value, date):
        return wording.day(value)
    return str(typed(column, value)) if isinstance(value, Decimal) else str(value)


def differences(rows: Sequence[tuple[str, str, str]]) -> None:
    """Write what differs: field, as stored now, as in the form."""
    st.table(
        [
            {"Field": field, "Stored now": plain(now), "In your form": plain(mine)}
            for field, now, mine in rows
        ],
        hide_index=True,
    )


@contextmanager
def confirmation(label: str, question: str, *, key: str, icon: str = ":material/delete:") -> Iterator[None]:
    """Give a place behind a button for the act that asks to be confirmed, below what it would do."""
    with st.popover(label, icon=icon, key=key), st.container(gap="small"):
        st.markdown(plain(question))
        yield

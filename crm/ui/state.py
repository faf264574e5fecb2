"""What a session and a link hold: ids and choices, never data. The one place that touches session state."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import streamlit as st

from crm import wording

OVERVIEW = "pages/home/overview.py"
SEGMENTS = "pages/explore/segments.py"
LIFETIME_VALUE = "pages/explore/lifetime_value.py"
LOYALTY = "pages/explore/loyalty.py"
AUDIENCES = "pages/explore/audiences.py"
CONTACTS = "pages/records/contacts.py"
TICKETS = "pages/records/tickets.py"
IMPORT = "pages/data/import_file.py"
CONNECT = "pages/data/connect.py"
HISTORY = "pages/data/history.py"

AS_OF = "as_of"
UNDONE = "_undone"
"""The act of this session that was taken back last: forms on the screen begin anew from what is stored."""


def actor() -> str:
    """Return who acts: the signed-in user, or the owner of a local app."""
    user = getattr(st.user, "email", None)
    return str(user) if user else "local user"


def choose_as_of(first: date, last: date) -> date:
    """Write the one as-of day that every page shares and every link carries, and return it.

    It is the last day with an order, and follows that day when an import moves it, unless another day was
    chosen. Not bound by Streamlit: `st.switch_page` can neither pass a bound value on nor keep it in the link.
    """
    earliest, latest = min(first, date(1990, 1, 1)), max(last, date(2100, 12, 31))
    linked = st.query_params.get(AS_OF)
    if linked:
        asked = _day(linked, earliest, latest)
        if asked is None:
            st.warning(f"“{linked[:20]}” in the link is not a day such as {last.isoformat()}.")
        else:
            st.session_state[_CHOSEN_DAY] = None if asked == last else asked
    chosen: date = st.session_state.get(_CHOSEN_DAY) or last
    st.session_state[AS_OF] = chosen
    st.date_input(
        "As of",
        key=AS_OF,
        min_value=earliest,
        max_value=latest,
        format="YYYY-MM-DD",
        on_change=_keep_as_of,
        args=(last,),
        help="The last day observed, inclusive. Every figure on every page counts up to the end of this day. "
        f"Orders run from {wording.day(first)} to {wording.day(last)}.",
    )
    into_link(as_of=None if chosen == last else chosen.isoformat())
    return chosen


_CHOSEN_DAY = "_chosen_as_of"


def _keep_as_of(last: date) -> None:
    day = st.session_state.get(AS_OF)
    chosen = day if isinstance(day, date) and day != last else None
    st.session_state[_CHOSEN_DAY] = chosen
    into_link(as_of=None if chosen is None else chosen.isoformat())


def _day(text: str, earliest: date, latest: date) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if earliest <= day <= latest else None


def get(name: str, default: Any = None) -> Any:
    """Return a choice of this session."""
    return st.session_state.get(name, default)


def put(name: str, value: Any) -> None:
    """Keep a choice in this session."""
    st.session_state[name] = value


def drop(*names: str) -> None:
    """Forget choices of this session."""
    for name in names:
        st.session_state.pop(name, None)


Tone = Literal["done", "refused", "unexpected"]


@dataclass(frozen=True)
class Message:
    """What there is to say about an act: in passing, or with the event to undo it by until the next act."""

    text: str
    tone: Tone = "done"
    undo_event: int | None = None


_MESSAGES, _UNDOABLE = "_messages", "_undoable"


def say(message: str, *, undo_event: int | None = None, tone: Tone = "done") -> None:
    """Keep a message for the next run, where `frame.run` says it.

    With a way back it stays until it is dismissed, or replaced by the message of the next act that was done.
    """
    said = Message(message, tone, undo_event)
    if tone == "done":
        st.session_state[_UNDOABLE] = None if undo_event is None else said
    if undo_event is None:
        st.session_state.setdefault(_MESSAGES, []).append(said)


def take_messages() -> list[Message]:
    """Return the messages to say in passing in this run, and forget them."""
    messages: list[Message] = st.session_state.pop(_MESSAGES, [])
    return messages


def undoable() -> Message | None:
    """Return the message of the last act, while it can be undone and was not dismissed."""
    message: Message | None = st.session_state.get(_UNDOABLE)
    return message


def dismiss() -> None:
    """Forget the message of the last act; the act stays, and stands in the history."""
    st.session_state[_UNDOABLE] = None


def from_link(name: str) -> str | None:
    """Return what the link says for `name`, unchecked."""
    value = st.query_params.get(name)
    return value or None


def into_link(**values: str | None) -> None:
    """Write choices into the link, so that it can be shared; None takes one out."""
    for name, value in values.items():
        if value is None:
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != value:
            st.query_params[name] = value


def go(page: str, **values: str) -> None:
    """Open another page with choices in its link; the shared as-of day goes along."""
    chosen = st.session_state.get(_CHOSEN_DAY)
    carried = {AS_OF: chosen.isoformat()} if isinstance(chosen, date) else {}
    st.switch_page(page, query_params={**carried, **values})

"""What surrounds every page: the sidebar, the messages of the last act, and the net for what goes wrong."""

from typing import Any

import streamlit as st

from crm.errors import ClienteleError
from crm.logs import configure, log_unexpected
from crm.settings import load_settings
from crm.ui import cache, state
from crm.ui.widgets import plain, show_error


def run(page: Any) -> None:
    """Run a page: refusals are shown in words, anything unexpected as an id that stands in the log too."""
    try:
        configure(load_settings().log_level)
        _sidebar()
        _messages()
        page.run()
    except ClienteleError as error:
        show_error(error)
    except Exception as error:
        number = log_unexpected(error)
        st.error(
            f"Nothing was lost. Try again; if it stays, tell your administrator the number {number}.",
            title=f"Something unexpected went wrong ({number})",
            icon=":material/error:",
        )


def _sidebar() -> None:
    with st.sidebar:
        spread = cache.days()
        if spread is not None:
            state.choose_as_of(*spread)


def _messages() -> None:
    for place, (message, event) in enumerate(state.take_messages()):
        if event is None:
            st.toast(plain(message), icon=":material/check:")
            continue
        with st.container(horizontal=True, vertical_alignment="center", border=True):
            st.markdown(plain(message))
            st.button(
                "Undo", key=f"undo_{event}_{place}", on_click=undo, args=(event,), icon=":material/undo:"
            )


def undo(event: int) -> None:
    """Take one act back and say so."""
    from crm.records.audit import undo_event

    try:
        with cache.workbench().records.write() as session:
            undo_event(session, event_id=event, actor=state.actor())
        state.put(state.UNDONE, event)
        state.say("Undone.")
    except ClienteleError as error:
        state.say(f"{error.message} {error.hint}")


def as_of() -> Any:
    """Return the as-of day that the sidebar shows, or nothing while there are no orders."""
    spread = cache.days()
    if spread is None:
        return None
    chosen = state.get(state.AS_OF)
    return chosen or spread[1]

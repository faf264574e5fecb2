"""What surrounds every page: the sidebar, the messages of the last act, and the net for what goes wrong."""

from typing import Any

import streamlit as st

from crm.errors import ClienteleError
from crm.logs import configure, log_unexpected
from crm.settings import load_settings
from crm.ui import cache, state
from crm.ui.guard import guarded
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
    for message in state.take_messages():
        if message.tone == "done":
            st.toast(plain(message.text), icon=":material/check:")
        else:
            lasting: Any = "long" if message.tone == "refused" else "infinite"
            st.toast(plain(message.text), icon=":material/error:", duration=lasting)
    last = state.undoable()
    if last is None:
        return
    event = last.undo_event
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(plain(last.text), width="stretch")
        st.button("Undo", key=f"undo_{event}", on_click=undo, args=(event,), icon=":material/undo:")
        st.button(
            "Dismiss",
            key=f"dismiss_{event}",
            on_click=state.dismiss,
            icon=":material/close:",
            type="tertiary",
        )


@guarded
def undo(event: int) -> None:
    """Take one act back and say so."""
    from crm.records.audit import undo_event

    with cache.workbench().records.write() as session:
        undo_event(session, event_id=event, actor=state.actor())
    state.put(state.UNDONE, event)
    state.say("Undone.")


def as_of() -> Any:
    """Return the as-of day that the sidebar shows, or nothing while there are no orders."""
    spread = cache.days()
    if spread is None:
        return None
    chosen = state.get(state.AS_OF)
    return chosen or spread[1]

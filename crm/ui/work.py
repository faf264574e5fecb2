"""Work on a file on the screen: how far it is, how fast, and the way to stop it."""

import math
import time

import streamlit as st

from crm import wording
from crm.imports.jobs import State
from crm.ui import clock, state, uploads
from crm.ui.guard import guarded
from crm.ui.uploads import Task
from crm.ui.widgets import plain

_DOING = {"reading": "Reading", "check": "Checking", "import": "Importing"}
_EVERY_S = 0.5
_ENDED_SHOWN = 20


def follow(task: Task, *, key: str, note: str = "") -> None:
    """Write how far work is, with Cancel, until it is over; then the whole page runs again."""
    with st.container(border=True, gap="small"):
        _followed(task, key)
        if note:
            st.caption(note)


@st.fragment(run_every=_EVERY_S)
def _followed(task: Task, key: str) -> None:
    if task.over:
        st.rerun()
    told = task.state
    _bar(told, f"{_DOING[told.work]} {plain(told.file_name)}")
    _cancel(told, key=key)


def others(*, key: str) -> None:
    """Write every import under way, whoever started it, with Cancel; nothing when there is none.

    When one ends the whole page runs again: its end stands in the history.
    """
    running = uploads.jobs().list_running(work="import")
    if running:
        _others(key, tuple(told.id for told in running))


@st.fragment(run_every=_EVERY_S)
def _others(key: str, known: tuple[str, ...]) -> None:
    running = uploads.jobs().list_running(work="import")
    if {told.id for told in running} != set(known):
        st.rerun()
    for told in running:
        with st.container(border=True, gap="small"):
            _bar(told, who(told))
            _cancel(told, key=f"{key}_{told.id}")


def ended() -> None:
    """Write which imports of the last day came to nothing, and why: nobody may have been looking."""
    lost = [
        told
        for told in uploads.jobs().list_jobs(work="import")
        if told.status in {"failed", "cancelled"} and not told.import_id
    ]
    if not lost:
        return
    with st.expander(f"Came to nothing in the last day ({len(lost)})"):
        for told in lost[:_ENDED_SHOWN]:
            st.markdown(
                f":gray[{plain(clock.said(told.started))}] **{plain(told.file_name)}**{_by(told)}: {plain(told.message)} "
                f"{plain(told.hint)}"
            )


def who(told: State) -> str:
    """Return in words which file is being imported, by whom and since when."""
    since = plain(clock.said(told.started))
    return f"An import of **{plain(told.file_name)}**{_by(told)} is running since {since}"


def _by(told: State) -> str:
    # The invisible sign keeps Markdown from making a link of an address.
    return f" by {plain(told.actor)}".replace("@", "@\N{WORD JOINER}") if told.actor else ""


def _bar(told: State, title: str) -> None:
    # A stage without a count has a share of the bar, but nothing to count in words.
    counted = ""
    if told.rows_done and told.rows_total:
        counted = f", {wording.count(told.rows_done)} of {wording.count(told.rows_total)} rows"
    elif told.rows_done:
        counted = f", {wording.count(told.rows_done)} rows"
    rate = (
        f", {wording.count(_rounded(told.rows_per_second))} rows per second" if told.rows_per_second else ""
    )
    seconds = max(0.0, time.time() - told.started_at)
    st.markdown(title)
    st.progress(
        min(int(told.percent), 100),
        text=f"{told.stage or 'Beginning'}, {int(told.percent)} %{counted}{rate}, after {seconds:.0f} s",
    )


def _rounded(number: float) -> float:
    """Return a rate as steady as it is known: to two figures."""
    return round(number, min(0, 1 - int(math.log10(max(number, 1)))))


def _cancel(told: State, *, key: str) -> None:
    st.button(
        "Cancel",
        key=f"{key}_cancel",
        on_click=guarded(_ask_to_stop),
        args=(told.id,),
        disabled=told.in_force,
        icon=":material/close:",
        help="It is being put in force; undo it afterwards." if told.in_force else None,
    )


def _ask_to_stop(job_id: str) -> None:
    uploads.jobs().cancel(job_id)
    state.say("Asked it to stop; nothing will have changed.")

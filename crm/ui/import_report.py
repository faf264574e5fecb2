"""What an import did, or would do: the counts that add up, what was assumed, what was rejected; and undoing it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from crm import sample, wording
from crm.errors import ClienteleError, Conflict, NotFound
from crm.imports.checking import read_rejects
from crm.imports.loading import UndoOutlook
from crm.records import bulk
from crm.schema import KINDS as COLUMNS_OF
from crm.schema import Kind
from crm.ui import cache, clock, forms, state, tables
from crm.ui.tables import Column
from crm.ui.widgets import Kpi, kpi_row, plain, show_error
from crm.wording import Measure

KINDS: dict[Kind, str] = {"orders": "Orders", "contacts": "Contacts", "responses": "Responses"}
POLICIES = {
    "overwrite": "Overwrite: the file wins, empty cells included",
    "fill": "Fill: only what is empty in the contact is filled",
    "skip": "Skip: contacts that exist stay as they are",
}
STATUSES = {
    "done": "In force",
    "undone": "Undone",
    "failed": "Failed, nothing kept",
    "open": "Running",
    "undoing": "Being undone",
}
COUNTS = {
    "created": ("Created", "Rows that were not stored before."),
    "updated": ("Updated", "Rows that changed what was stored."),
    "unchanged": ("Unchanged", "Rows that say what is stored already."),
    "skipped": (
        "Skipped",
        "Rows left aside: named again later in the file, or kept as they are by the policy.",
    ),
    "rejected": ("Rejected", "Rows that could not be read, each with its reason; they can be downloaded."),
}
EDITED_SHOWN = 10
_LONGEST_VALUE = 60


def counts(row: Mapping[str, Any], *, key: str) -> None:
    """Write the five counts of an import and the sum they make."""
    st.markdown(
        f"**{wording.count(row['rows_read'])}** rows read = "
        + " + ".join(f"{wording.count(row[name])} {title.lower()}" for name, (title, _) in COUNTS.items())
    )
    kpi_row(
        [Kpi(title, wording.count(row[name]), help=meaning) for name, (title, meaning) in COUNTS.items()],
        key=key,
    )


def notes(assumed: Sequence[str], warnings: Sequence[str]) -> None:
    """Write what the reader assumed and what it wants to be looked at, as sentences."""
    if warnings:
        st.warning("  \n".join(map(plain, warnings)), title="Worth a look", icon=":material/visibility:")
    if assumed:
        with st.expander(f"What was assumed ({len(assumed)})"):
            st.markdown("\n".join(f"- {plain(sentence)}" for sentence in assumed))


def rejects(
    reasons: Sequence[tuple[str, int]],
    first: Sequence[Mapping[str, object]],
    *,
    rows_read: int,
    file_name: str,
    data: Callable[[], bytes],
    key: str,
) -> None:
    """Write why rows were rejected and how often, the first of them, and all of them to download."""
    if not reasons:
        return
    total = sum(number for _, number in reasons)
    st.subheader(f"{wording.counted(total, 'rejected row')}", anchor=False)
    frame = pd.DataFrame(
        {
            "reason": [reason for reason, _ in reasons],
            "rows": [number for _, number in reasons],
            "share": [number / rows_read for _, number in reasons],
        }
    )
    tables.table(
        frame,
        [
            Column("reason", "Reason"),
            Column("rows", "Rows", Measure("", "count")),
            Column("share", "Share of the file", Measure("", "percent")),
        ],
        key=f"{key}_reasons",
        alt="Reasons for rejecting rows, most frequent first",
    )
    with st.expander("The first rejected rows"):
        titles = {
            "line": "Line",
            "column": "Column",
            "value": "Value",
            "reason": "Reason",
            "advice": "What to do",
        }
        shown = pd.DataFrame([{name: str(row[name] or "") for name in titles} for row in first])
        tables.table(
            shown,
            [Column(name, title) for name, title in titles.items()],
            key=f"{key}_first",
            alt="The first rejected rows of the file",
        )
    st.download_button(
        "Download rejected rows",
        data,
        file_name=f"rejected rows of {Path(file_name).stem}.csv",
        mime="text/csv",
        on_click="ignore",
        key=f"{key}_download",
        icon=":material/download:",
        help="The rows as they came, with line, column, value, reason and what to do. Mended, the file can be imported.",
    )


def find(import_id: str) -> dict[str, Any] | None:
    """Return an import as `Importer.details` does, or nothing where it is not known."""
    try:
        return cache.workbench().importer.details(import_id)
    except NotFound:
        return None


def import_details(import_id: str, *, key: str) -> dict[str, Any]:
    """Write everything known about an import and return it. Raises NotFound."""
    importer = cache.workbench().importer
    row = importer.details(import_id)
    if row["status"] in {"done", "undone"}:
        counts(row, key=f"{key}_counts")
    notes(row["assumed"], row["warnings"])
    sources = _sources(row)
    if sources:
        with st.expander("Which column is what"):
            st.markdown("\n".join(f"- {source}" for source in sources))
            if row["kind"] == "contacts" and row["policy"] in POLICIES:
                st.caption(f"Contacts that existed: {POLICIES[row['policy']]}.")
    path = importer.rejects_path(import_id)
    if path is not None:
        reasons, first = _rejects(import_id)
        rejects(
            reasons,
            first,
            rows_read=row["rows_read"],
            file_name=row["file_name"],
            data=path.read_bytes,
            key=key,
        )
    elif row["rejected"]:
        st.caption(f"The {wording.count(row['rejected'])} rejected rows are no longer kept here.")
    return row


def _sources(row: Mapping[str, Any]) -> list[str]:
    """Return as sentences what each field of an import was made of."""
    kind = row["kind"]
    told = {name: plain(source) for name, source in row["columns"].items()}
    told |= {name: plain(" + ".join(sources)) for name, sources in row.get("joined", {}).items()}
    told |= {
        name: f"{plain(text)}, the same for every row" for name, text in row.get("constants", {}).items()
    }
    fields = [f"{column.title}: {told[column.name]}" for column in COLUMNS_OF[kind] if column.name in told]
    attributes = [
        f"{plain(title)}, as a custom attribute" + ("" if title == source else f": {plain(source)}")
        for title, source in row.get("attributes", {}).items()
    ]
    return [*fields, *attributes]


@st.cache_data(ttl=cache.HOUR, max_entries=16, show_spinner="Reading the rejected rows …")
def _rejects(import_id: str) -> tuple[list[tuple[str, int]], list[dict[str, object]]]:
    path = cache.workbench().importer.rejects_path(import_id)
    return ([], []) if path is None else read_rejects(path)


def about(row: Mapping[str, Any]) -> str:
    """Return in one line when, by whom and how long a file was imported."""
    words = [
        KINDS[row["kind"]],
        STATUSES.get(row["status"], row["status"]).lower(),
        f"imported {clock.said(row['started_at'])} by {row['actor'] or 'nobody known'}",
    ]
    if row["seconds"] is not None:
        words.append(f"in {row['seconds']:.1f} seconds")
    if row["undone_at"]:
        words.append(f"undone {clock.said(row['undone_at'])}")
    return ", ".join(words) + "."


# --- undoing ------------------------------------------------------------------------------------------


def undo_import(row: Mapping[str, Any]) -> None:
    """Write the way to take an import back, or in words why that cannot be done now.

    Of one that is undone already, the way to put back the edited contacts that were left as they were.
    """
    if row["status"] not in {"done", "undone"}:
        return
    outlook = cache.workbench().importer.outlook(row["import_id"])
    if row["status"] == "undone":
        if outlook.edited:
            _put_back_what_was_left(row, outlook)
        return
    if outlook.later is not None:
        later = outlook.later
        st.info(
            f"{plain(later['file_name'])} was imported after it, {clock.said(later['started_at'])}. "
            "Imports are undone last one first.",
            title="Cannot be undone yet",
            icon=":material/history:",
        )
        st.page_link(
            state.HISTORY,
            label=f"Open the import of {plain(later['file_name'])}",
            icon=":material/arrow_forward:",
            query_params={"import": later["import_id"]},
        )
        return
    name = row["file_name"]
    with forms.confirmation(
        "Undo this import",
        f"Take back the import of {name}? What it created goes, what it updated becomes what it was before. "
        "To have it again, import the file again.",
        key=f"undo_{row['import_id']}",
        icon=":material/undo:",
    ):
        force = _ask_about_edited(outlook, row["import_id"])
        if st.button(
            f"Undo the import of {plain(name)}",
            key=f"undo_sure_{row['import_id']}",
            type="primary",
            disabled=force is None,
        ):
            _undo(row["import_id"], force=bool(force))


def _ask_about_edited(outlook: UndoOutlook, import_id: str) -> bool | None:
    """Ask what becomes of contacts that were edited since; return whether they go back too, None while open."""
    if not outlook.edited:
        return False
    number = len(outlook.edited)
    st.markdown(
        f"**{wording.count(number)}** of its contacts {'was' if number == 1 else 'were'} edited since; putting "
        f"{'it' if number == 1 else 'them'} back would lose this:"
    )
    _differences(import_id, number)
    choices = {"keep": "Leave these as they are now", "force": "Put these back too; the edits are lost"}
    chosen = st.radio(
        "The edited contacts",
        list(choices),
        index=None,
        format_func=lambda choice: choices[choice],
        key=f"undo_edited_{import_id}",
    )
    return None if chosen is None else chosen == "force"


def _differences(import_id: str, number: int) -> None:
    """Write field by field what edited contacts are now and what they were before the import."""
    with cache.workbench().records.read() as session:
        edited = bulk.edited_since_import(session, import_id, limit=EDITED_SHOWN)
    rows: list[dict[str, str]] = []
    for contact in edited:
        who = plain(f"{contact.customer_id}, {contact.name}" if contact.name else contact.customer_id)
        if contact.created:
            told = [("The whole contact", "Edited after the import", "Did not exist")]
        else:
            told = [
                (title, _written(now), _written(before)) for title, now, before in contact.differences
            ] or [("–", "As before the import", "The same")]
        rows += [
            {
                "Contact": "" if place else who,
                "Field": plain(title),
                "Now": plain(now),
                "Before the import": plain(before),
            }
            for place, (title, now, before) in enumerate(told)
        ]
    st.table(rows, hide_index=True)
    if number > len(edited):
        st.caption(f"And {wording.count(number - len(edited))} more.")


def _written(value: Any) -> str:
    text = {None: "empty", "": "empty", True: "Yes", False: "No"}.get(value, str(value))
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _put_back_what_was_left(row: Mapping[str, Any], outlook: UndoOutlook) -> None:
    number = len(outlook.edited)
    told = (
        "1 contact was left as it was"
        if number == 1
        else f"{wording.count(number)} contacts were left as they were"
    )
    with forms.confirmation(
        "Put back what was left",
        f"{told} when this import was undone, because of edits made after it:",
        key=f"undo_left_{row['import_id']}",
        icon=":material/undo:",
    ):
        _differences(row["import_id"], number)
        if st.button(
            "Put these back too; the edits are lost", key=f"undo_left_sure_{row['import_id']}", type="primary"
        ):
            _undo(row["import_id"], force=True)


def _undo(import_id: str, *, force: bool) -> None:
    importer = cache.workbench().importer
    try:
        with st.spinner("Taking the import back …"):
            undone = importer.undo(import_id, actor=state.actor(), force=force)
    except Conflict as error:
        if importer.details(import_id)["status"] == "undone":  # the second click of two
            st.rerun()
        show_error(error)
        return
    except ClienteleError as error:
        show_error(error)
        return
    left = len(undone.conflicts)
    state.say(
        f"Undid the import of {undone.file_name}."
        + (
            f" {wording.count(left)} edited contact{'s were' if left != 1 else ' was'} left as they are."
            if left
            else ""
        )
    )
    st.rerun()


# --- the sample shop ----------------------------------------------------------------------------------


def sample_shop(load: Callable[[], None]) -> None:
    """Write the way to load the sample shop, or, while it is loaded, to take it out again."""
    importer = cache.workbench().importer
    with st.container(border=True, gap="small"):
        if not importer.sample_imports():
            st.markdown(
                "**No file at hand?** Look around in the sample shop: three years of a made-up tea shop."
            )
            st.button("Load the sample shop", key="load_sample", on_click=load, icon=":material/storefront:")
            return
        st.markdown(
            "**The sample shop is loaded.** Its customers and orders are made up and count in every figure."
        )
        with forms.confirmation(
            "Remove the sample shop",
            "Take out everything that came with the sample shop? What only your own files brought stays. Contacts of the "
            "sample go, also those that your own files updated or somebody edited.",
            key="remove_sample",
        ):
            if st.button("Remove the sample shop now", key="remove_sample_sure", type="primary"):
                _remove_sample()


def _remove_sample() -> None:
    try:
        with st.spinner("Taking the sample shop out …"):
            removed = sample.remove(cache.workbench().importer, actor=state.actor())
    except ClienteleError as error:
        show_error(error)
        return
    if removed:
        state.say(f"The sample shop is gone: {removed} files were taken back.")
    st.rerun()

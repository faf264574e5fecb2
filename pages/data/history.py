"""Every import there was: who brought what and when, what became of its rows, and the way back."""

import pandas as pd
import streamlit as st

from crm.errors import ClienteleError
from crm.ui import cache, clock, empty, import_report, record_lists, state, tables, work
from crm.ui.edits import edits
from crm.ui.tables import Column
from crm.ui.widgets import empty_state, page_header, plain, show_error
from crm.wording import Measure

SIZE = 25
SHOWN = [
    Column("file", "File"),
    Column("when", "When"),
    Column("kind", "Kind"),
    Column("status", "Status"),
    Column("rows_read", "Read", Measure("", "count")),
    *(
        Column(name, title, Measure("", "count"), meaning)
        for name, (title, meaning) in import_report.COUNTS.items()
    ),
    Column("actor", "Who"),
    Column("seconds", "Seconds", Measure("", "number")),
]


def imports() -> None:
    """Write the list of imports and open the one that is clicked."""
    page_header(
        "Import history", "Every file that came in, newest first: what became of its rows, and the way back."
    )
    work.others(key="running")
    work.ended()
    importer = cache.workbench().importer
    _, total = importer.history_page(size=1)
    if not total:
        empty_state(
            "Nothing was imported yet.",
            "Import a file, or load the sample shop there.",
            page=state.IMPORT,
            page_label="Import a file",
        )
        return
    number = record_lists.page_of(total, size=SIZE)
    rows, _ = importer.history_page(page=number, size=SIZE)
    frame = pd.DataFrame(rows).assign(
        file=[f"{row['file_name']} (sample shop)" if row["sample"] else row["file_name"] for row in rows],
        when=[clock.said(row["started_at"]) for row in rows],
        kind=[import_report.KINDS[row["kind"]] for row in rows],
        status=[import_report.STATUSES.get(row["status"], row["status"]) for row in rows],
    )
    picked = tables.table(
        frame,
        SHOWN,
        key="imports",
        alt="Imports, newest first",
        opens="file",
        opens_help="Click a file to see its import.",
    )
    record_lists.paging(total, number, key="imports_turn", noun="imports", size=SIZE)
    if picked is not None:
        state.into_link(**{"import": str(frame["import_id"].iloc[picked])})
        st.rerun()
    if importer.sample_imports():
        import_report.sample_shop(empty.load_sample)


def one_import(import_id: str) -> None:
    """Write one import, with the way to undo it and the way back to all of them."""
    st.button(
        "All imports",
        type="tertiary",
        icon=":material/arrow_back:",
        on_click=state.into_link,
        kwargs={"import": None},
    )
    try:
        row = cache.workbench().importer.details(import_id)
    except ClienteleError as error:
        show_error(error)
        return
    page_header(row["file_name"], import_report.about(row))
    import_report.undo_import(row)
    import_report.import_details(import_id, key="details")
    if row["sample"] and row["status"] == "done":
        import_report.sample_shop(empty.load_sample)
    st.caption(f"Import {plain(import_id)}.")


if chosen := state.from_link("import"):
    one_import(chosen)
else:
    imports()
    edits()

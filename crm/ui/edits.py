"""What was done by hand to contacts, tickets, audiences and bands, each with its way back."""

import streamlit as st

from crm.ui import cache, clock, frame, record_lists
from crm.ui.widgets import plain
from crm.workbench import Edit

SIZE = 25
_PAGE = "edits"


def edits() -> None:
    """Write the edits, newest first, a page at a time, each with Undo while it is in force."""
    st.subheader("Edits", anchor=False)
    workbench = cache.workbench()
    _, total = workbench.edits(size=1)
    if not total:
        st.caption("Nothing was edited yet. Changes to contacts, tickets, audiences and bands stand here.")
        return
    number = record_lists.page_of(total, size=SIZE, name=_PAGE)
    rows, _ = workbench.edits(page=number, size=SIZE)
    for row in rows:
        with st.container(
            horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", gap="small"
        ):
            st.markdown(_words(row), width="stretch")
            if row.can_be_undone:
                st.button(
                    "Undo",
                    key=f"undo_edit_{row.event_id}",
                    on_click=frame.undo,
                    args=(row.event_id,),
                    icon=":material/undo:",
                )
    record_lists.paging(total, number, key="edits_turn", noun="edits", size=SIZE, name=_PAGE)


def _words(row: Edit) -> str:
    again = ", taking back an act before" if row.takes_back else ""
    undone = " (undone)" if row.undone else ""
    fields = f": {', '.join(row.fields)}" if row.fields else ""
    return (
        f":gray[{plain(clock.said(row.at))}] {plain(row.actor)} "
        f"**{row.done}** {plain(row.subject)}{plain(fields)}{again}{undone}"
    )

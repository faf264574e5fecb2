"""What customers asked or complained about; one ticket; a new one."""

import streamlit as st

from crm import wording
from crm.records.tickets import STATUSES, count_tickets, list_tickets
from crm.ui import cache, record_lists, state
from crm.ui.choices import choose_one
from crm.ui.ticket_view import bin_of_tickets, new_ticket, ticket_view
from crm.ui.widgets import empty_state, page_header, plain


def tickets() -> None:
    """Write the list of tickets and open the one that is clicked."""
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        with st.container(width="content"):
            page_header("Tickets", "What customers asked or complained about, last changed first.")
        if st.button("New ticket", type="primary", icon=":material/add:"):
            state.into_link(new="1")
            st.rerun()
    customer_id = state.from_link("of")
    with cache.workbench().records.read() as session:
        counts = count_tickets(session, customer_id=customer_id)
    titles = {"all": f"All {wording.count(sum(counts.values()))}"}
    titles |= {status: f"{status.capitalize()} {wording.count(counts[status])}" for status in STATUSES}
    text = record_lists.search_box(
        "Search", name="tq", placeholder="Subject, text, customer ID, assignee or comment"
    )
    status = choose_one("Status", titles, name="status", default="all")
    if customer_id:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Of customer **{plain(customer_id)}** only")
            st.button("Show all", type="tertiary", on_click=lambda: state.into_link(of=None))
    chosen = {"search": text, "status": None if status == "all" else status, "customer_id": customer_id}
    with cache.workbench().records.read() as session:
        _, total = list_tickets(session, **chosen, limit=0)
        number = record_lists.page_of(total)
        size = record_lists.PAGE_SIZE
        shown, _ = list_tickets(session, **chosen, offset=(number - 1) * size, limit=size)
    if not sum(counts.values()):
        empty_state(
            "There are no tickets yet.", "Open one when a customer asks or complains: “New ticket” above."
        )
    elif not total:
        empty_state("No ticket fits.", "Clear the search, or choose another status.")
    else:
        picked = record_lists.ticket_table(shown, key="tickets")
        record_lists.paging(total, number, key="tickets_turn", noun="tickets")
        if picked is not None:
            state.into_link(ticket=str(picked))
            st.rerun()
    bin_of_tickets()


if ticket := state.from_link("ticket"):
    ticket_view(ticket)
elif state.from_link("new"):
    new_ticket(state.from_link("of"))
else:
    tickets()

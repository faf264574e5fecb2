"""All customers, with or without contact details; one of them; a new one."""

import streamlit as st

from crm import wording
from crm.ui import clock, state
from crm.ui.choices import choose_from
from crm.ui.contact_view import bin_of_contacts, customer_view, new_contact
from crm.ui.record_lists import SORTS, customer_page, search_box, shown_columns
from crm.ui.tables import customer_list
from crm.ui.widgets import definition_note, empty_state, page_header


def customers() -> None:
    """Write the list of all customers and open the one that is clicked."""
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        with st.container(width="content"):
            page_header(
                "Contacts", "Every customer of the orders, answers and contacts: find one and open it."
            )
        if st.button("New contact", type="primary", icon=":material/person_add:"):
            state.into_link(new="1")
            st.rerun()
    as_of = clock.as_of()
    with st.grid(columns=2, min_column_width=240, gap="small") as grid:
        with grid.cell():
            text = search_box("Search", name="q", placeholder="ID, name, e-mail, phone, company or city")
        with grid.cell():
            by = choose_from("Sort by", SORTS, name="sort", default="revenue")
    _, everybody = customer_page("", as_of=as_of, by=by, page=1)
    _, total = customer_page(text, as_of=as_of, by=by, page=1)
    if not everybody:
        empty_state(
            "There are no customers yet.",
            "Import a file of orders or contacts, load the sample shop there, or write the first contact here.",
            page=state.IMPORT,
            page_label="Import a file",
        )
    elif not total:
        empty_state(
            f"None of the {wording.count(everybody)} customers has “{text}” in ID, name, e-mail, phone, company or city.",
            "Search for a part of the word, or clear the search.",
        )
    else:
        found = f" of {wording.count(everybody)}" if text else ""
        st.markdown(f"**{wording.count(total)}**{found} customers")
        picked = customer_list(
            lambda page: customer_page(text, as_of=as_of, by=by, page=page),
            shown_columns(),
            key="customers",
        )
        definition_note("Figures count everything up to the end of the as-of day.", as_of)
        if picked is not None:
            state.into_link(customer=picked)
            st.rerun()
    bin_of_contacts()


if customer_id := state.from_link("customer"):
    customer_view(customer_id)
elif state.from_link("new"):
    new_contact()
else:
    customers()

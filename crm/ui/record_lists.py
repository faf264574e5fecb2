"""Lists that lead to one record: customers and tickets, a page at a time, and the bins."""

from collections.abc import Callable, Sequence
from datetime import date

import pandas as pd
import streamlit as st

from crm import wording
from crm.errors import InvalidValue
from crm.records.models import Ticket
from crm.ui import cache, choices, clock, state, tables
from crm.ui.widgets import plain, show_error

PAGE_SIZE = 50
SHOWN = ("name", "email", "city", "rfm_segment", "orders", "revenue", "last_order_day")
SORTS = {
    "revenue": "Revenue, highest first",
    "orders": "Orders, most first",
    "last_order_day": "Last order, latest first",
    "name": "Name",
    "customer_id": "Customer ID",
}
"""What the list of customers can be sorted by; numbers and days from the top down."""

CONTACT_COLUMNS = frozenset({"name", "email", "city"})

_ASCENDING = frozenset({"name", "customer_id"})


def customer_page(text: str, *, as_of: date, by: str, page: int) -> tuple[pd.DataFrame, int]:
    """Return `Workbench.customer_page` with the columns of the list."""
    return _customer_page(cache.stamp(), text, as_of, by, page)


@st.cache_data(ttl=cache.HOUR, max_entries=128, show_spinner=False)
def _customer_page(at: cache.Stamp, text: str, as_of: date, by: str, page: int) -> tuple[pd.DataFrame, int]:
    del at
    return cache.workbench().customer_page(
        text,
        as_of=as_of,
        by=by,
        descending=by not in _ASCENDING,
        page=page,
        size=PAGE_SIZE,
        columns=SHOWN,
    )


def shown_columns() -> list[str]:
    """Return the columns of the list of customers; those of contacts only once there has been a contact."""
    contacts = cache.workbench().version().contacts > 0
    return [name for name in SHOWN if contacts or name not in CONTACT_COLUMNS]


def search_box(label: str, *, name: str, placeholder: str) -> str:
    """Write a search that answers while one types, kept in the link as `name`, and return its text."""
    text = st.text_input(
        label,
        key=name,
        type="search",
        live="300ms",
        bind="query-params",
        placeholder=placeholder,
        on_change=_first_page,
    )
    state.put(f"_searched_{name}", text)
    return (text or "").strip()


def search_again(name: str) -> None:
    """Put back what was searched for last: a search that is not on the screen leaves the link."""
    state.put(name, state.get(f"_searched_{name}") or "")


def _first_page() -> None:
    state.into_link(page=None)


def page_of(total: int, *, size: int = PAGE_SIZE, name: str = "page") -> int:
    """Return the page that the link asks for, from 1; for one that is not there say so and return the first."""
    pages = max(1, -(-total // size))
    try:
        number = choices.page_asked(name)
        if number > pages:
            raise InvalidValue(
                f"There is no page {number}; the list has {pages} page{'s' if pages > 1 else ''}.",
                "The first page is shown instead.",
            )
    except InvalidValue as error:
        show_error(error)
        state.into_link(**{name: None})
        return 1
    return number


def paging(
    total: int, number: int, *, key: str, noun: str, size: int = PAGE_SIZE, name: str = "page"
) -> None:
    """Write where in a list of `total` one is, and the way to its other pages."""
    pages = max(1, -(-total // size))
    first = (number - 1) * size + 1
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(
            f"{wording.count(first)} to {wording.count(min(total, first + size - 1))} of {wording.count(total)} {noun}"
        )
        if pages > 1:
            turner = f"{key}_{number}"  # a key of its own for each page, as in tables.customer_list
            st.pagination(pages, default=number, key=turner, on_change=_turn, args=(turner, name))


def _turn(key: str, name: str) -> None:
    number = state.get(key)
    state.into_link(**{name: None if number in (None, 1) else str(number)})


def ticket_table(tickets: Sequence[Ticket], *, key: str, with_customer: bool = True) -> int | None:
    """Write tickets, one row each, and return the number of the one that was clicked, or nothing."""
    if not tickets:
        return None
    rows = pd.DataFrame(
        {
            "subject": [ticket.subject for ticket in tickets],
            "status": [ticket.status.capitalize() for ticket in tickets],
            "priority": [ticket.priority.capitalize() for ticket in tickets],
            "customer": [ticket.customer_id for ticket in tickets],
            "assignee": [ticket.assignee for ticket in tickets],
            "changed": [clock.said(ticket.updated_at) for ticket in tickets],
            "number": [str(ticket.id) for ticket in tickets],
        }
    )
    columns = [
        tables.Column("subject", "Subject", width=320),
        tables.Column("status", "Status"),
        tables.Column("priority", "Priority"),
        *([tables.Column("customer", "Customer ID")] if with_customer else []),
        tables.Column("assignee", "Assignee"),
        tables.Column("changed", "Last changed"),
        tables.Column("number", "No."),
    ]
    picked = tables.table(
        rows,
        columns,
        key=key,
        alt=f"{len(tickets)} tickets, last changed first",
        opens="subject",
        opens_help="Click a subject to open the ticket.",
    )
    return None if picked is None else tickets[picked].id


def binned(title: str, items: Sequence[tuple[str, str]], *, restore: Callable[[str], None], key: str) -> None:
    """Write what lies in a bin, as pairs of id and words, each with a way to take it out."""
    with st.expander(title, icon=":material/delete:"):
        for number, (name, words) in enumerate(items):
            with st.container(
                horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
            ):
                st.markdown(plain(words))
                st.button("Restore", key=f"{key}_{number}", on_click=restore, args=(name,))

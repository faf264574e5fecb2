"""Tables of a scheme's segments, each with a way to the customers in it."""

import streamlit as st

from crm import wording
from crm.analytics.rfm import ACTIONS
from crm.schema import UNKNOWN
from crm.ui import state
from crm.ui.links import open_segment
from crm.ui.measures import money
from crm.ui.tables import Column, table
from crm.ui.widgets import empty_state
from crm.wording import Measure
from crm.workbench import Segments

_COLUMNS = (
    Column("segment", "Segment"),
    Column("customers", "Customers", Measure("Customers"), "Customers with a purchase in the segment"),
    Column("share", "Share", Measure("Share", "percent"), "Of the customers with a purchase"),
    Column("revenue", "Revenue", Measure("Revenue", "money"), "Sum of all amounts, returns included"),
    Column("orders", "Orders", Measure("Orders"), "Number of purchases"),
    Column(
        "recency_days",
        "Days since order",
        Measure("Days since last order", "days"),
        "Days since the last order, mean of the segment's customers",
    ),
)


_MADE_OF = {"purchase_power": "annual income", "age_group": "birth date or age", "region": "city"}


def note_unknown(found: Segments) -> None:
    """Write which file would tell the segments apart, where all customers are in the one that is not known."""
    if list(found.rows["segment"]) == [UNKNOWN]:
        empty_state(
            f"{found.scheme.title} is not known for any customer.",
            f"Import a file of contacts with each customer's {_MADE_OF.get(found.scheme.name, 'details')}.",
            page=state.IMPORT,
            page_label="Import contacts",
        )


def segment_table(found: Segments, *, key: str, actions: bool = False) -> None:
    """Write a scheme's segments, with what to do about each where `actions`, and the line they add up to.

    A click on a segment's name opens its customers.
    """
    rows = found.rows
    columns: tuple[Column, ...] = _COLUMNS
    if actions:
        rows = rows.assign(action=rows["segment"].map(ACTIONS))
        columns = (*_COLUMNS, Column("action", "What usually helps"))
    row = table(
        rows,
        columns,
        key=key,
        alt=f"{found.scheme.title}: customers, share, revenue and orders of each segment",
        opens="segment",
        opens_help="Click a name to see its customers.",
    )
    st.markdown(
        f"**{wording.counted(found.customers, 'customer')} with a purchase**, the sum of all segments; "
        f"revenue {money('Revenue').exact(found.revenue)}. Click a name to see its customers."
    )
    if row is not None:
        open_segment(found.scheme, str(rows["segment"].iloc[row]))

"""From a mark or a row to the customers behind it."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from crm import audiences
from crm.analytics.segments import Scheme
from crm.ui import assumptions, state
from crm.ui.widgets import show_chart
from crm.workbench import lifecycle_rule, segment_rule

_ANALYSIS = (
    "days", "scheme", "chart", "by", "rate", "segments", "view", "cohorts", "earlier", *assumptions.NAMES,
)  # fmt: skip
_LIST = ("rule", "reach", "columns", "sorted", "order", *assumptions.NAMES)
"""What the next page needs too: a lifetime value is the same on every page that one comes to."""


VALUE_COLUMNS = ("name", "rfm_segment", "orders", "revenue", "last_order_day")
"""Shown beside the value that a list is sorted by."""


def open_audience(rule: audiences.Rule, *, by: Sequence[str] = ()) -> None:
    """Open the Audiences page with the customers that `rule` holds for.

    by: the fields to show, the first of which the list is sorted by; without any, as the page does by itself.
    """
    sorting = {"sorted": by[0], "columns": ",".join((*VALUE_COLUMNS, *by))} if by else {}
    state.go(state.AUDIENCES, **_kept(_ANALYSIS), rule=audiences.to_json(rule), **sorting)


def open_segment(scheme: Scheme, picked: str | None, *, by: Sequence[str] = ()) -> None:
    """Open the customers of the segment `picked`, if one is."""
    if picked is not None:
        open_audience(segment_rule(scheme, picked), by=by)


def open_lifecycle_year(picked: str | None) -> None:
    """Open the customers in the lifecycle year after `picked` full years, if one is."""
    if picked is not None:
        open_audience(lifecycle_rule(int(picked)))


def open_customer(customer_id: str) -> None:
    """Open the Contacts page at one customer."""
    state.go(state.CONTACTS, **_kept(_LIST), customer=customer_id)


def clickable_chart(figure: go.Figure, *, key: str) -> Any:
    """Write a chart whose marks lead somewhere, and return what was clicked as `show_chart` does, once.

    The chart that one comes back to is a new one: the old would still hold its selection, so that it would lead away
    again at once, and a second click on the same mark would change nothing.
    """
    count = f"{key}_clicks"
    clicks = state.get(count, 0)
    with st.container(key=key):
        picked = show_chart(figure, key=f"{key}_{clicks}", selectable=True)
    if picked is not None:
        state.put(count, clicks + 1)
    return picked


def _kept(names: tuple[str, ...]) -> dict[str, str]:
    """Return the choices to leave in the link, where the next page does not read them.

    On its way to another page Streamlit puts the new link into the browser's history under this page's name, and
    the back button comes by there: this page must then find its choices.
    """
    return {name: value for name in names if (value := state.from_link(name)) is not None}

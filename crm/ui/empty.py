"""What pages show while there is nothing to show yet."""

from datetime import date
from typing import NoReturn

import streamlit as st

from crm import sample, wording
from crm.ui import cache, state
from crm.ui.guard import guarded
from crm.ui.widgets import empty_state


def no_data() -> NoReturn:
    """Write that there are no orders yet and how to get some, and end the page."""
    empty_state(
        "There are no orders yet.",
        "Import a file of orders: one row per order or order line, with a customer, a date and an amount. "
        "Or look around in the sample shop first: three years of a made-up tea shop, taken out again in one click.",
        page=state.IMPORT,
        page_label="Import a file",
    )
    st.button("Load the sample shop", key="load_sample", on_click=load_sample, icon=":material/storefront:")
    st.stop()


def nobody_yet(as_of: date) -> NoReturn:
    """Write that nobody had bought by `as_of`, and end the page."""
    empty_state(
        f"Nobody had bought by {wording.day(as_of)}.",
        "Choose a later day in the sidebar under “As of”: orders come after this one.",
    )
    st.stop()


@guarded
def load_sample() -> None:
    """Load the sample shop and say so, or why not."""
    with st.spinner("Loading the sample shop …"):
        reports = sample.load(cache.workbench().importer, actor=state.actor(), source="page")
    rows = sum(report.rows_read for report in reports)
    state.say(f"The sample shop is loaded: {rows:,} rows.")

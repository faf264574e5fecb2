"""The assumptions behind a lifetime value, as the link carries them from page to page."""

from collections.abc import Collection
from datetime import date

import streamlit as st

from crm.analytics.lifetime_value import Assumptions
from crm.errors import ClienteleError, NotEnoughData
from crm.ui import cache, choices, state
from crm.ui.widgets import plain, show_error

NAMES = ("years", "discount_rate", "margin", "cost_by", "acquisition_cost", "marketing_expense")
"""What the link says of them, each only where it differs from the default."""

FIELD_NAME = "dcf_lifetime_value"


def in_link(as_of: date) -> Assumptions:
    """Return the assumptions that the link carries; what it cannot mean is said, and the default used instead."""
    default = Assumptions()
    try:
        years = choices.number_asked("Horizon, years", name="years", default=default.years, whole=True)
        rate = choices.number_asked(
            "Discount rate", name="discount_rate", default=default.discount_rate * 100
        )
        margin = choices.number_asked("Margin", name="margin", default=default.margin * 100)
        if state.from_link("cost_by") == "marketing":
            expense = choices.number_asked("Marketing expense", name="marketing_expense", default=0)
            cost = cost_per_customer(expense, as_of=as_of)
        else:
            cost = choices.number_asked("Acquisition cost", name="acquisition_cost", default=0)
        return Assumptions(int(years), rate / 100, margin / 100, cost)
    except ClienteleError as error:
        show_error(error)
        return default


def cost_per_customer(expense: float, *, as_of: date) -> float:
    """Return marketing expense ÷ new customers of the 365 days up to `as_of`. Raises NotEnoughData."""
    arrived = cache.new_customers(as_of=as_of)
    if not arrived:
        raise NotEnoughData(
            "Nobody bought for the first time in the 365 days up to the as-of day.",
            "State the acquisition cost per customer instead.",
        )
    return expense / arrived


def note(assumptions: Assumptions, fields: Collection[str]) -> None:
    """Write what the lifetime values on the screen rest on, where one of `fields` is the lifetime value."""
    if FIELD_NAME in fields:
        st.caption(plain(f"{assumptions.sentence()}. Set on the Lifetime value page."))

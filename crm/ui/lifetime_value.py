"""The parts of the lifetime-value page: its assumptions, its formula with numbers, its own test."""

from datetime import date, timedelta
from typing import Any

import streamlit as st

from crm import theme
from crm.analytics.lifetime_value import Assumptions, FlatRevenueTest
from crm.analytics.segments import find_scheme
from crm.theme import Measure
from crm.ui import cache, measures
from crm.ui.assumptions import cost_per_customer
from crm.ui.choices import choose_number, choose_one
from crm.ui.links import open_segment
from crm.ui.tables import Column, table
from crm.ui.widgets import plain
from crm.workbench import LifetimeValue


def choose_assumptions(as_of: date) -> Assumptions:
    """Write the inputs that a lifetime value rests on and return them. Raises InvalidValue, NotEnoughData."""
    default = Assumptions()
    with st.container(border=True, gap="small"):
        ways = {"per_customer": "Per customer", "marketing": "From marketing expense"}
        with st.grid(columns=4, min_column_width=170, vertical_alignment="bottom") as grid:
            with grid.cell():
                years = choose_number(
                    "Horizon, years",
                    name="years",
                    default=default.years,
                    whole=True,
                    meaning="How many years of revenue count.",
                )
            with grid.cell():
                rate = choose_number(
                    "Discount rate, % a year",
                    name="discount_rate",
                    default=default.discount_rate * 100,
                    meaning="How much less money in a year is worth than money today.",
                )
            with grid.cell():
                margin = choose_number(
                    "Margin, %",
                    name="margin",
                    default=default.margin * 100,
                    step=5,
                    meaning="Share of revenue that is profit.",
                )
            with grid.cell():
                cost_slot = st.container()
        way = choose_one("Acquisition cost stated", ways, name="cost_by", default="per_customer")
        with cost_slot:
            cost = _cost(way, as_of)
    return Assumptions(years=int(years), discount_rate=rate / 100, margin=margin / 100, acquisition_cost=cost)


def _cost(way: str, as_of: date) -> float:
    """Return the cost of winning a customer whose contact states none."""
    unit = f" ({measures.currency()})" if measures.currency() else ""
    if way == "per_customer":
        return choose_number(
            f"Acquisition cost{unit}",
            name="acquisition_cost",
            default=0,
            meaning="Money spent to win one customer, where the contact states no cost of its own.",
        )
    expense = choose_number(
        f"Marketing expense{unit}",
        name="marketing_expense",
        default=0,
        step=1000,
        meaning="Spent in the 365 days up to the as-of day; divided by the new customers of these days.",
    )
    cost = cost_per_customer(expense, as_of=as_of)
    st.caption(f"÷ {cache.new_customers(as_of=as_of):,} new customers = {theme.money_exact(cost)} each")
    return cost


def formula(found: LifetimeValue) -> str:
    """Return how the total comes about, in words and with its numbers."""
    given = found.assumptions
    rate, margin = f"{given.discount_rate * 100:g} %", f"{given.margin * 100:g} %"
    factor = f"{given.annuity:.4f}"
    return (
        f"Revenue of the last 365 days × margin, each year for {given.years} year{'s' if given.years > 1 else ''}, "
        f"discounted by {rate} a year, less acquisition cost. "
        f"A discounted year for {given.years} year{'s' if given.years > 1 else ''} is worth {factor} years: "
        f"{theme.money_exact(found.annual_revenue)} × {margin} × {factor} − "
        f"{theme.money_exact(found.acquisition_cost)} = {theme.money_exact(found.total)}, "
        f"over {found.customers:,} customers with a purchase. A contact's own acquisition cost goes before "
        f"the {theme.money_exact(given.acquisition_cost)} set above."
    )


def show_verdict(test: FlatRevenueTest) -> None:
    """Write whether the figures may be used for budgets, by how the rule did on this history."""
    if test.bias is None:
        st.warning(
            f"{plain(' '.join(test.verdict_reasons))} Do not use these figures for budgets without care.",
            title="The rule behind these figures could not be tested on your history.",
            icon=":material/rule:",
        )
    elif not test.usable:
        st.warning(
            f"{plain(test.sentence())} Do not use these figures for budgets without care.",
            title=f"On your own history the rule was off by {theme.signed_percent(test.bias)}.",
            icon=":material/rule:",
        )
    else:
        st.info(
            plain(test.sentence()),
            title=f"On your own history the rule was off by {theme.signed_percent(test.bias)}.",
            icon=":material/rule:",
        )


def halves(test: FlatRevenueTest) -> list[dict[str, Any]]:
    """Return the one row of the test's chart: period, predicted, actual; no row where it was refused."""
    if test.cut is None or test.predicted is None:
        return []
    first, last = test.cut + timedelta(days=1), test.cut + timedelta(days=test.days)
    return [
        {
            "period": f"{theme.day(first)} to {theme.day(last)}",
            "predicted": test.predicted,
            "actual": test.actual,
        }
    ]


def segment_values(found: LifetimeValue, scheme: str) -> None:
    """Write value and cost of each segment; a click on a name opens its customers."""
    row = table(
        found.segments,
        (
            Column("segment", "Segment"),
            Column("customers", "Customers", Measure("Customers")),
            Column("lifetime_value", "Lifetime value", Measure("Lifetime value", "money")),
            Column("mean", "Mean per customer", Measure("Mean", "money")),
            Column("acquisition_cost", "Acquisition cost", Measure("Acquisition cost", "money")),
        ),
        key=f"values_{scheme}",
        alt="Lifetime value and acquisition cost of each segment",
        opens="segment",
        opens_help="Click a name to see its customers.",
    )
    if row is not None:
        open_segment(find_scheme(scheme), str(found.segments["segment"].iloc[row]))

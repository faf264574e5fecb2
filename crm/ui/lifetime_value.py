"""The parts of the lifetime-value page that are set or computed by formula: assumptions, DCF, and its own test."""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from crm import charts, wording
from crm.analytics.backtest import MAX_HOLDOUT_WEEKS, MIN_HOLDOUT_WEEKS
from crm.analytics.lifetime_value import Assumptions, FlatRevenueTest
from crm.analytics.segments import find_scheme
from crm.forecasting import AUTO
from crm.ui import cache, measures
from crm.ui.acquisition import edit_channel_costs
from crm.ui.assumptions import FIELD_NAME, LAST_QUARTER, MODEL_CHOICES, cost_per_customer, holdout_weeks
from crm.ui.choices import choose_from, choose_number
from crm.ui.forecasts import open_bin, value_histogram
from crm.ui.links import clickable_chart, open_segment
from crm.ui.tables import Column, table
from crm.ui.widgets import definition_note, plain, show_chart
from crm.valuation import ForecastValue, LifetimeValue
from crm.wording import Measure


def choose_assumptions(as_of: date) -> Assumptions:
    """Write the inputs that a lifetime value rests on and return them. Raises InvalidValue, NotEnoughData."""
    default = Assumptions()
    ways = {"per_customer": "Per customer", "marketing": "From marketing expense"}
    with st.container(border=True, gap="small"):
        with st.grid(columns=4, min_column_width=140, vertical_alignment="bottom") as grid:
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
        with st.grid(columns=3, min_column_width=140, vertical_alignment="bottom") as grid:
            with grid.cell():
                way = choose_from("Acquisition cost stated", ways, name="cost_by", default="per_customer")
            with grid.cell():
                model = choose_from(
                    "Model",
                    MODEL_CHOICES,
                    name="model",
                    default=AUTO,
                    meaning="How customers buy and leave. “Best of three” takes the likeliest that also did better "
                    "in the test.",
                )
            with grid.cell():
                weeks = choose_number(
                    "Holdout, weeks",
                    name="holdout",
                    default=LAST_QUARTER,
                    whole=True,
                    meaning="The end of the history that the forecast is tested on: "
                    f"{MIN_HOLDOUT_WEEKS} to {MAX_HOLDOUT_WEEKS} weeks, or {LAST_QUARTER} for its last fourth, a year at most.",
                )
        edit_channel_costs(as_of)
        with cost_slot:
            cost = _cost(way, as_of)
    return cache.workbench().assumptions(
        years=int(years),
        discount_rate=rate / 100,
        margin=margin / 100,
        acquisition_cost=cost,
        model=model,
        holdout_weeks=holdout_weeks(weeks),
    )


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
    st.caption(f"÷ {cache.new_customers(as_of=as_of):,} new customers = {wording.money_exact(cost)} each")
    return cost


def formula(found: LifetimeValue) -> str:
    """Return how the total comes about, in words and with its numbers."""
    given = found.assumptions
    rate, margin = f"{given.discount_rate * 100:g} %", f"{given.margin * 100:g} %"
    factor = f"{given.annuity:.4f}"
    return (
        f"Revenue of the last 365 days × margin, each year for {wording.counted(given.years, 'year')}, "
        f"discounted by {rate} a year, less acquisition cost. "
        f"A discounted year for {wording.counted(given.years, 'year')} is worth {factor} years: "
        f"{wording.money_exact(found.annual_revenue)} × {margin} × {factor} − "
        f"{wording.money_exact(found.acquisition_cost)} = {wording.money_exact(found.total)}, "
        f"over {wording.counted(found.customers, 'customer')} with a purchase. A contact's own acquisition cost goes before "
        f"the {wording.money_exact(given.acquisition_cost)} set above{' and what is set for its channel' if given.channel_costs else ''}."
    )


def dcf_view(found: LifetimeValue, forecast: ForecastValue | None, scheme: str) -> None:
    """Write the DCF formula's own figures and test, and the way from it to the `forecast`, if there is one."""
    worth = measures.money("Lifetime value")
    _forms(found, forecast)
    if forecast is not None:
        way, moves = st.columns(2, gap="large")
        with way:
            show_chart(
                charts.bridge(
                    [asdict(step) for step in forecast.steps],
                    "name",
                    title="Why do formula and forecast differ?",
                    measure=worth,
                    why="why",
                ),
                key="value_bridge",
            )
        with moves:
            show_chart(
                charts.tornado(
                    [asdict(swing) for swing in forecast.swings],
                    base=forecast.total,
                    title="What moves the forecast most?",
                    measure=worth,
                ),
                key="value_tornado",
            )
        with st.expander("Each step in words", icon=":material/notes:"):
            st.markdown("\n".join(f"- **{plain(step.name)}**: {plain(step.why)}" for step in forecast.steps))
    verdict, test = st.columns([2, 3], gap="large", vertical_alignment="center")
    with verdict:
        _show_rule(found.test)
    with test:
        show_chart(
            charts.backtest_bars(
                halves(found.test),
                "period",
                title="Did “next year like last year” hold before?",
                measure=measures.money("Revenue"),
                period_title="Period predicted",
                empty=" ".join(found.test.reasons) or "Nothing to compare.",
            ),
            key="value_test",
        )
    edges = clickable_chart(value_histogram(found.bins, found.mean, found.median), key="dcf_histogram")
    picked = clickable_chart(
        charts.ranked_bar(
            found.segments,
            "segment",
            "lifetime_value",
            title="Which segments hold the value by the formula?",
            measure=worth,
            details=[("customers", Measure("Customers")), ("mean", measures.money("Mean value"))],
        ),
        key=f"dcf_{scheme}",
    )
    definition_note("By the DCF formula. Click a column or a segment to see its customers.", found.as_of)
    segment = segment_values(found, scheme)
    open_segment(find_scheme(scheme), picked or segment, by=(FIELD_NAME,))
    open_bin(FIELD_NAME, edges, by=(FIELD_NAME,))


def _forms(found: LifetimeValue, forecast: ForecastValue | None) -> None:
    """Write the total by each of the three forms, under one set of assumptions."""
    retention = found.retention
    rows = [
        ("DCF, flat revenue", found.total, "Last year's revenue comes again every year; nobody leaves."),
        (
            "DCF with retention",
            found.retained_total,
            f"Each year keeps {wording.percent(retention.rate)} of the revenue: the share of customers who came back."
            if retention.rate is not None
            else "Retention is not known.",
        ),
        (
            "Forecast",
            None if forecast is None else forecast.total,
            "No forecast: its verdict is refused."
            if forecast is None
            else "What each customer is expected to buy. "
            f"80 %: {wording.money_exact(forecast.low)} to {wording.money_exact(forecast.high)}.",
        ),
    ]
    st.subheader("What are our customers worth, three ways?", anchor=False)
    table(
        pd.DataFrame(rows, columns=["form", "total", "presumes"]).astype({"total": float}),
        (
            Column("form", "Form"),
            Column("total", "Lifetime value", Measure("", "money")),
            Column("presumes", "What it says", width=700),
        ),
        key="value_forms",
        alt="Lifetime value of all customers by the DCF formula, with retention, and by the forecast",
    )
    definition_note(f"{formula(found)} Retention: {retention.sentence()}", found.as_of)


def _show_rule(test: FlatRevenueTest) -> None:
    """Write whether the formula's figures may be used for budgets, by how its rule did on this history."""
    if test.failed:
        st.warning(
            f"{plain(test.sentence())} Do not use these figures for budgets.",
            title="On your own history the rule failed: what it predicted did not come.",
            icon=":material/rule:",
        )
        return
    if test.bias is None:
        st.warning(
            f"{plain(' '.join(test.verdict_reasons))} Do not use these figures for budgets without care.",
            title="The rule behind these figures could not be tested on your history.",
            icon=":material/rule:",
        )
        return
    alert = st.info if test.usable else st.warning
    warning = "" if test.usable else " Do not use these figures for budgets without care."
    alert(
        f"{plain(test.sentence())}{warning}",
        title=f"On your own history the rule was off by {wording.signed_percent(test.bias)}.",
        icon=":material/rule:",
    )


def halves(test: FlatRevenueTest) -> list[dict[str, Any]]:
    """Return the one row of the test's chart: period, predicted, actual; no row where it was refused."""
    if test.cut is None or test.predicted is None:
        return []
    first, last = test.cut + timedelta(days=1), test.cut + timedelta(days=test.days)
    return [
        {
            "period": f"{wording.day(first)} to {wording.day(last)}",
            "predicted": test.predicted,
            "actual": test.actual,
        }
    ]


def segment_values(found: LifetimeValue, scheme: str) -> str | None:
    """Write value and cost of each segment by the DCF formula, and return the one whose name was clicked."""
    row = table(
        found.segments,
        (
            Column("segment", "Segment"),
            Column("customers", "Customers", Measure("Customers")),
            Column("lifetime_value", "Lifetime value", Measure("Lifetime value", "money")),
            Column("mean", "Mean per customer", Measure("Mean", "money")),
            Column("acquisition_cost", "Acquisition cost", Measure("Acquisition cost", "money")),
        ),
        key=f"dcf_values_{scheme}",
        alt="Lifetime value and acquisition cost of each segment",
        opens="segment",
        opens_help="Click a name to see its customers.",
    )
    return None if row is None else str(found.segments["segment"].iloc[row])

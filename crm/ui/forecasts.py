"""What the forecast says: whether it may be used, its key figures, and who holds the value."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from crm import audiences, charts, wording
from crm.analytics.backtest import GRADES
from crm.analytics.lifetime_value import Assumptions
from crm.analytics.segments import find_scheme
from crm.audiences import Leaf
from crm.forecasting import Forecast
from crm.ui import cache, measures
from crm.ui.links import clickable_chart, open_audience, open_customer, open_segment
from crm.ui.tables import Column, table
from crm.ui.widgets import Kpi, definition_note, kpi_row, plain
from crm.valuation import ForecastValue, LifetimeValue
from crm.wording import Measure

BUYERS = Leaf("orders", ">", 0)

VALUE_FIELDS = ("lifetime_value", "lifetime_value_low", "lifetime_value_high", "probability_alive")

MOST_VALUABLE = 10

_ALERTS = {"usable": st.info, "care": st.warning, "refused": st.error}


def show_verdict(forecast: Forecast) -> None:
    """Write whether the forecast may be used, how its test came out, which model it is, and what would help.

    Of a refused one no number is shown but those of its test in the past.
    """
    grade, test = forecast.verdict.grade, forecast.test
    title = f"{GRADES[grade]}: "
    if grade == "refused":
        title += "there is no forecast of lifetime value."
    elif test is None or test.revenue_bias is None:
        title += "the forecast of lifetime value was tested on your own history."
    else:
        title += f"on your own history the forecast was off by {wording.signed_percent(test.revenue_bias)}."
    said = [] if test is None or not forecast.usable else [plain(test.sentence())]
    found = [
        f"{'' if reason.grade == grade else GRADES[reason.grade] + ': '}{plain(reason.found)} "
        f"*What would help:* {plain(reason.help)}"
        for reason in sorted(forecast.verdict.reasons, key=lambda reason: reason.grade != grade)
    ]
    said.append(found[0] if len(found) == 1 else "\n".join(f"- {reason}" for reason in found))
    if forecast.usable:
        said.append(plain(f"Model: {forecast.why}"))
    else:
        said.append("The DCF formula has a test of its own; it and what was observed remain below.")
    icon = ":material/block:" if grade == "refused" else ":material/rule:"
    _ALERTS[grade]("\n\n".join(part for part in said if part), title=title, icon=icon)


def key_figures(forecast: Forecast, found: ForecastValue) -> None:
    """Write the key figures of a forecast."""
    once = (
        " BG/NBD takes everybody with a single purchase day for still there; the other two models do not."
        if forecast.fit is not None and forecast.fit.model == "bg_nbd"
        else ""
    )
    worth, buyers = measures.money("Lifetime value"), Measure("Customers")
    orders, revenue = Measure("Orders", "number"), measures.money("Revenue")
    kpi_row(
        [
            Kpi(
                "Lifetime value",
                worth.text(found.total),
                help="Of all customers with a purchase, with the interval that holds it in 80 of 100 cases.",
                exact=f"{worth.exact(found.total)} ({worth.exact(found.low)} to {worth.exact(found.high)})",
                note=f"80 %: {worth.text(found.low)} to {worth.text(found.high)}",
            ),
            Kpi(
                "Mean per customer",
                worth.text(found.mean),
                help="Lifetime value ÷ customers with a purchase. Half of them are worth more than the median.",
                exact=worth.exact(found.mean),
                note=f"median {worth.text(found.median)}",
            ),
            Kpi(
                "Likely still customers",
                buyers.text(round(found.alive)),
                help=f"Sum of every customer's probability of being still a customer.{once}",
                exact=f"{found.alive:,.1f} of {found.customers:,}",
                note=f"{wording.percent(found.alive / found.customers)} of {found.customers:,}",
            ),
            Kpi(
                "Expected orders",
                orders.text(found.orders_12m),
                help="Days with a purchase that these customers are expected to have in the next 365 days.",
                exact=orders.exact(found.orders_12m),
                note="in 12 months",
            ),
            Kpi(
                "Expected revenue",
                revenue.text(found.revenue_12m),
                help="What these customers are expected to bring in the next 365 days, returns taken out, before "
                "margin and discount.",
                exact=revenue.exact(found.revenue_12m),
                note="in 12 months",
            ),
            Kpi(
                "Below their cost",
                buyers.text(found.below_cost),
                help="Customers whose lifetime value is less than 0: they are not expected to bring back what "
                "winning them cost.",
                exact=buyers.exact(found.below_cost),
                note=f"{wording.percent(found.below_cost / found.customers)} of {found.customers:,}",
            ),
        ]
    )


def formula(found: ForecastValue, forecast: Forecast) -> str:
    """Return how the total comes about, in words and with its numbers."""
    given = found.assumptions
    span = wording.counted(given.years, "year")
    model = forecast.fit.title if forecast.fit else ""
    return (
        f"Expected orders × expected spend ({model} and Gamma-Gamma) of each customer in the next {span} × margin "
        f"{given.margin * 100:g} %, discounted by {given.discount_rate * 100:g} % a year, less acquisition cost: "
        f"{wording.money_exact(found.total + found.acquisition_cost)} − {wording.money_exact(found.acquisition_cost)} "
        f"= {wording.money_exact(found.total)}, over {wording.counted(found.customers, 'customer')} with a purchase. Customers still to be "
        "won are not in it."
    )


def customers_view(
    found: ForecastValue, flat: LifetimeValue, scheme: str, assumptions: Assumptions, as_of: date
) -> None:
    """Write who holds the value: segments, spread, concentration and the most valuable customers."""
    worth = measures.money("Lifetime value")
    picked = clickable_chart(
        charts.ranked_bar(
            found.segments,
            "segment",
            "lifetime_value",
            title="Which segments hold the value?",
            measure=worth,
            details=[("customers", Measure("Customers")), ("mean", measures.money("Mean per customer"))],
            low="low",
            high="high",
        ),
        key=f"value_{scheme}",
    )
    definition_note("Lines: 80 % intervals. Click a segment to see its customers.", as_of)
    segment = _segments(found, flat, scheme)
    spread, hold = st.columns(2, gap="large")
    with spread:
        edges = clickable_chart(value_histogram(found.bins, found.mean, found.median), key="value_histogram")
    with hold:
        share = clickable_chart(
            charts.concentration(
                found.concentration,
                title="How few customers hold the value?",
                marks=[
                    (part, held, f"Top {wording.percent(part)}: {wording.percent(held)}")
                    for part, held in found.whales
                    if part in (0.01, 0.10, 0.20, 0.50)
                ],
            ),
            key="value_concentration",
        )
    definition_note(
        "Click a column or the curve to see these customers. The curve is before acquisition cost."
    )
    _most_valuable(assumptions, as_of)
    open_segment(find_scheme(scheme), picked or segment, by=VALUE_FIELDS)
    open_bin("lifetime_value", edges, by=VALUE_FIELDS)
    if share is not None:
        _open_top(float(share), found.customers, assumptions, as_of)


def value_histogram(bins: pd.DataFrame, mean: float | None, median: float | None) -> charts.Figure:
    """Return how lifetime value is spread over customers."""
    return charts.histogram(
        bins,
        title="How is value spread over customers?",
        measure=measures.money("Lifetime value"),
        marks=[(mean or 0, "Mean"), (median or 0, "Median")],
    )


def open_bin(field: str, edges: Any, *, by: tuple[str, ...]) -> None:
    """Open the customers whose `field` lies between the edges of a bin, if one was clicked."""
    if edges is None:
        return
    low, high = edges
    ends = [Leaf(field, ">=", _amount(low))] if low is not None else []
    if high is not None:
        ends.append(Leaf(field, "<", _amount(high)))
    open_audience(audiences.All((*ends, BUYERS)), by=by)


def open_cohort(month: Any) -> None:
    """Open the customers whose first purchase fell in a month such as “2025-03”, if one was clicked."""
    if month is None:
        return
    first = date.fromisoformat(f"{month}-01")
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    open_audience(audiences.All((Leaf("first_order_day", "between", (first, last)), BUYERS)))


def _segments(found: ForecastValue, flat: LifetimeValue, scheme: str) -> str | None:
    dcf = dict(zip(flat.segments["segment"], flat.segments["lifetime_value"], strict=True))
    rows = found.segments.assign(
        alive=found.segments["alive"] / found.segments["customers"],
        dcf=found.segments["segment"].map(dcf),
    )
    row = table(
        rows,
        (
            Column("segment", "Segment"),
            Column("customers", "Customers", Measure("Customers")),
            Column("lifetime_value", "Lifetime value", Measure("", "money")),
            Column("low", "Low end", Measure("", "money"), "Low end of the 80 % interval"),
            Column("high", "High end", Measure("", "money"), "High end of the 80 % interval"),
            Column("mean", "Mean", Measure("", "money"), "Lifetime value ÷ customers"),
            Column(
                "alive",
                "Still customers",
                Measure("", "percent"),
                "Mean probability of being still one",
            ),
            Column("acquisition_cost", "Cost", Measure("", "money"), "Acquisition cost"),
            Column("dcf", "DCF formula", Measure("", "money"), "Flat revenue, nobody leaves"),
        ),
        key=f"values_{scheme}",
        alt="Lifetime value of each segment, with its 80 % interval",
        opens="segment",
        opens_help="Click a name to see its customers.",
    )
    return None if row is None else str(rows["segment"].iloc[row])


def _most_valuable(assumptions: Assumptions, as_of: date) -> None:
    columns = ("name", "rfm_segment", "orders", "last_order_day", "expected_orders_12m", *VALUE_FIELDS)
    rows, total = cache.audience_page(
        BUYERS,
        as_of=as_of,
        by="lifetime_value",
        size=MOST_VALUABLE,
        columns=columns,
        assumptions=assumptions,
    )
    st.subheader("Who are the most valuable?", anchor=False)
    shown = rows.assign(customer=rows["name"].fillna(rows["customer_id"]))
    row = table(
        shown,
        (
            Column("customer", "Customer"),
            Column("lifetime_value", "Lifetime value", Measure("", "money")),
            Column("lifetime_value_low", "Low end", Measure("", "money"), "Low end of the 80 % interval"),
            Column("lifetime_value_high", "High end", Measure("", "money"), "High end of the 80 % interval"),
            Column(
                "probability_alive",
                "Still a customer",
                Measure("", "percent"),
                "Probability of being still one",
            ),
            Column("expected_orders_12m", "Orders in 12 months", Measure("", "number")),
            Column("orders", "Orders so far", Measure("")),
            Column("last_order_day", "Last order"),
            Column("rfm_segment", "RFM segment"),
        ),
        key="most_valuable",
        alt=f"The {len(rows)} customers with the highest lifetime value",
        opens="customer",
        opens_help="Click a name to see the customer.",
    )
    everybody = st.button(
        f"List and export {wording.counted(total, 'customer')} by value",
        key="export_all",
        icon=":material/download:",
    )
    if row is not None:
        open_customer(str(rows["customer_id"].iloc[row]))
    if everybody:
        open_audience(BUYERS, by=VALUE_FIELDS)


def _open_top(share: float, customers: int, assumptions: Assumptions, as_of: date) -> None:
    """Open the most valuable `share` of the customers: those worth what the last of them is, or more."""
    last = max(1, round(share * customers))
    rows, _ = cache.audience_page(
        BUYERS,
        as_of=as_of,
        by="lifetime_value",
        size=1,
        page=last,
        columns=("lifetime_value",),
        assumptions=assumptions,
    )
    rule = Leaf("lifetime_value", ">=", _amount(float(rows["lifetime_value"].iloc[0])))
    open_audience(audiences.All((rule, BUYERS)), by=VALUE_FIELDS)


def _amount(value: float) -> Decimal:
    return Decimal(f"{value:.4f}").normalize() + 0

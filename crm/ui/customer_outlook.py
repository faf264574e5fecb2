"""What the forecast says of one customer: in words, as a curve over their history, and what would change it."""

from datetime import date
from typing import Any

import streamlit as st

from crm import charts
from crm.analytics.backtest import GRADES
from crm.analytics.lifetime_value import Assumptions
from crm.ui import assumptions, cache, measures
from crm.ui.widgets import plain, show_chart
from crm.valuation import CustomerForecast, outlook


def customer_outlook(customer_id: str, figures: dict[str, Any], assumed: Assumptions, *, as_of: date) -> None:
    """Write the outlook of a customer with `figures`, the row of the per-customer table; nothing before a purchase.

    Where the forecast is refused, only the DCF value and the reason are written.
    """
    if not figures["orders"]:
        return
    found = cache.customer_forecast(customer_id, assumed, as_of=as_of)
    if found is None:
        _formula_alone(figures, assumed, as_of)
    elif found.told_apart:
        with st.container(key="customer_outlook"):
            words, curve = st.columns([2, 3], gap="medium")
            with words:
                _words(found, figures, assumed, as_of)
            with curve:
                _curve(found)
    else:
        _words(found, figures, assumed, as_of)


def _words(found: CustomerForecast, figures: dict[str, Any], assumed: Assumptions, as_of: date) -> None:
    money = measures.money("Lifetime value")
    so_far, alive, coming, change = map(plain, outlook(found, money=money.text))
    value = found.lifetime_value
    st.markdown(f"{so_far} **{alive}**" if found.told_apart else f"{so_far} {alive}")
    st.markdown(coming)
    st.markdown(
        f"Lifetime value **{plain(money.text(value.expected))}** "
        f"({plain(money.text(value.low))} to {plain(money.text(value.high))}); by the DCF formula "
        f"{plain(money.text(figures['dcf_lifetime_value']))}."
    )
    st.markdown(f"What would change it: {change[0].lower()}{change[1:]}")
    verdict = cache.forecast(assumed, as_of=as_of).verdict
    graded = f" The forecast is {GRADES[verdict.grade].lower()}: its test is on the Lifetime value page."
    st.caption(plain(f"In brackets: 80 % intervals.{graded}"))
    assumptions.note(assumed, ("lifetime_value",))


def _curve(found: CustomerForecast) -> None:
    show_chart(
        charts.alive_path(
            found.path,
            purchases=found.purchases,
            today=found.as_of,
            title="Is this customer still with us?",
        ),
        key="alive_path",
    )


def _formula_alone(figures: dict[str, Any], assumed: Assumptions, as_of: date) -> None:
    value = figures["dcf_lifetime_value"]
    if value is not None:
        st.markdown(f"Lifetime value (DCF) **{plain(measures.money('Lifetime value').exact(value))}**")
        assumptions.note(assumed, ("dcf_lifetime_value",))
    reasons = cache.forecast(assumed, as_of=as_of).verdict.reasons
    refused = [reason.found for reason in reasons if reason.grade == "refused"]
    if refused:
        st.caption(plain(f"No forecast: {refused[0]} More on the Lifetime value page."))

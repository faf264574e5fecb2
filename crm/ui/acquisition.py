"""What winning customers cost, set by channel, and when it is back, by channel and month of the first purchase."""

import zlib
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from crm import audiences, charts, wording
from crm.analytics.lifetime_value import channel_key
from crm.audiences import Leaf
from crm.errors import ClienteleError
from crm.schema import UNKNOWN
from crm.ui import cache, measures, state
from crm.ui.choices import choose_one
from crm.ui.forecasts import BUYERS, open_cohort
from crm.ui.links import clickable_chart, open_audience
from crm.ui.tables import Column, table
from crm.ui.widgets import definition_note, show_error
from crm.valuation import Acquisition
from crm.wording import Measure

DOZEN = 12

MOST_CHANNELS = 24
"""Channels with a field of their own, the most frequent first; those with a cost always have one."""


def edit_channel_costs(as_of: date) -> None:
    """Write a form for the acquisition cost of each channel, closed at first; saving can be undone."""
    stored = dict(cache.workbench().assumptions().channel_costs)
    named = cache.field_values("channel", as_of=as_of)[:MOST_CHANNELS]
    # Named by what it starts from, so that after a save or an undo it starts from what is stored.
    key = f"channel_costs_{zlib.crc32(repr(sorted(stored.items())).encode())}"
    known = {channel_key(channel): channel for channel in (*stored, *reversed(named))}
    costs = {channel_key(channel): cost for channel, cost in stored.items()}
    with st.expander("Acquisition cost by channel", icon=":material/campaign:"):
        if not known:
            st.markdown(
                "No contact names the channel it came from. Import contacts with a column for it to set what a "
                "customer of each channel costs."
            )
            return
        st.caption(
            "Money spent to win one customer of the channel, where the contact states no cost of its own. A "
            "channel left empty takes the general acquisition cost. Stored for everybody."
        )
        with st.form(key, border=False):
            wanted: dict[str, float | None] = {}
            with st.grid(columns=4, min_column_width=150) as grid:
                for name in sorted(known):
                    with grid.cell():
                        wanted[known[name]] = st.number_input(
                            known[name],
                            value=costs.get(name),
                            key=f"{key}_{name}",
                            step=1.0,
                            format="%g",
                            placeholder="General cost",
                        )
            if st.form_submit_button("Save", type="primary"):
                _save({channel: cost for channel, cost in wanted.items() if cost is not None})


def _save(costs: dict[str, float]) -> None:
    try:
        event = cache.workbench().save_channel_costs(costs, actor=state.actor())
    except ClienteleError as error:
        show_error(error)
        return
    state.say(
        "The acquisition costs by channel are as you set them."
        if event
        else "The costs were like that already; nothing changed.",
        undo_event=event,
    )
    st.rerun()


def acquisition_view(found: Acquisition, as_of: date, *, forecast: bool) -> None:
    """Write how cohorts pay back what they cost, and the same by channel and by month of first purchase."""
    month = clickable_chart(
        charts.cohort_curves(
            _drawn(found.curves),
            title="When does a customer pay back what winning one cost?",
            measure=measures.money("Margin per customer"),
            payback=found.cost,
        ),
        key="value_cohorts",
    )
    definition_note(
        "Revenue × margin per customer, cumulative, by month of the first purchase; months that are not over for all "
        "are blank. "
        + (
            "Dashed: what the forecast expects of the next 12 months. "
            if forecast
            else "Only what was observed. "
        )
        + ("" if found.cost else "Set an acquisition cost to see when it is paid back. ")
        + "Click a curve to see its customers.",
        as_of,
    )
    st.subheader("Which channels bring customers that pay?", anchor=False)
    channel = _acquisition_table(found.channels, "Channel", "channels", forecast=forecast)
    st.subheader("Which months brought customers that pay?", anchor=False)
    cohorts = found.cohorts.iloc[::-1].reset_index(drop=True)
    row = _acquisition_table(cohorts, "First purchase in", "cohorts", forecast=forecast)
    open_cohort(month if row is None else cohorts["cohort"].iloc[row])
    if channel is not None:
        _open_channel(str(found.channels["cohort"].iloc[channel]))


def _drawn(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of the cohorts that are chosen, of more than a dozen: that many can be told apart."""
    months = sorted(curves["cohort"].unique())
    if len(months) <= DOZEN:
        return curves
    ways = {"spread": "Twelve over time", "last": "Last twelve", "all": "All"}
    way = choose_one("Months of first purchase", ways, name="cohorts", default="spread")
    step = -(-len(months) // DOZEN)
    chosen = {"spread": months[::-1][::step], "last": months[-DOZEN:], "all": months}[way]
    return curves[curves["cohort"].isin(chosen)]


def _acquisition_table(rows: pd.DataFrame, title: str, key: str, *, forecast: bool) -> int | None:
    value = "lifetime_value" if forecast else "dcf_lifetime_value"
    ratio = "value_to_cost" if forecast else "dcf_value_to_cost"
    named = "Lifetime value" if forecast else "Lifetime value (DCF)"
    shown = rows.assign(
        payback=[
            _payback(month, guessed, cost)
            for month, guessed, cost in zip(
                rows["payback_month"], rows["payback_forecast"], rows["cost_per_customer"], strict=True
            )
        ],
        each=rows[value] / rows["customers"],
        name=rows["cohort"].astype(str) if key == "channels" else [_month(text) for text in rows["cohort"]],
    )
    return table(
        shown,
        (
            Column("name", title),
            Column("customers", "Customers", Measure("")),
            Column(
                "acquisition_cost", "Cost", Measure("", "money"), "Acquisition cost of all these customers"
            ),
            Column("cost_per_customer", "Cost each", Measure("", "money"), "Acquisition cost ÷ customers"),
            Column("each", f"{named} each", Measure("", "money"), f"{named}, after the cost, ÷ customers"),
            Column(
                ratio,
                "LTV : CAC",
                Measure("", "number"),
                "Lifetime value before acquisition cost ÷ acquisition cost. Below 1 a customer costs more than they bring.",
            ),
            Column(
                "payback",
                "Paid back in",
                None,
                "Month from the first purchase on by whose end the cost is back",
            ),
        ),
        key=f"acquisition_{key}",
        alt=f"Acquisition cost, lifetime value and payback by {title.lower()}",
        opens="name",
        opens_help="Click a name to see its customers.",
    )


def _payback(month: Any, guessed: bool, cost: float) -> str:
    """Return when the cost is back: months are stored from 0 and said from the 1st."""
    if not cost > 0:
        return "No cost"
    if pd.isna(month):
        return "Not yet"
    number = int(month) + 1
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending} month" + (", expected" if guessed else "")


def _month(text: str) -> str:
    return wording.month(date.fromisoformat(f"{text}-01"))


def _open_channel(name: str) -> None:
    within = Leaf("channel", "is_empty") if name == UNKNOWN else Leaf("channel", "=", name)
    open_audience(audiences.All((within, BUYERS)))

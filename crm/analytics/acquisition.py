"""What winning customers cost and brought, by the channel they came from and the month of their first purchase."""

from typing import Any

import narwhals as nw
import pandas as pd

from crm.analytics.cohorts import cohort_text, month_of, payback_month
from crm.analytics.customers import with_purchase
from crm.analytics.lifetime_value import Assumptions, acquisition_cost_of
from crm.analytics.tables import require, table_function
from crm.schema import BLANKS, UNKNOWN

_NEEDED = ("orders", "revenue", "acquisition_cost", "dcf_lifetime_value", "lifetime_value")


def channel_of() -> nw.Expr:
    """Return the channel a customer came from, from channel: letter for letter, Unknown where it is blank."""
    channel = nw.col("channel")
    return nw.when(channel.str.strip_chars(BLANKS) != "").then(channel).otherwise(nw.lit(UNKNOWN))


@table_function
def acquisition_by_channel(customers: nw.LazyFrame[Any], *, assumptions: Assumptions) -> nw.LazyFrame[Any]:
    """Return what the customers of each acquisition channel cost and brought.

    From one row per customer: channel, orders, revenue, acquisition_cost, dcf_lifetime_value,
    lifetime_value (by the model, less acquisition cost; empty where no model is usable).
    To one row per channel with a customer who bought: cohort (the channel, Unknown where it is blank),
    customers (who bought), acquisition_cost (sum, as `acquisition_cost_of` has it), margin (revenue so
    far × margin), dcf_lifetime_value (sum), lifetime_value (sum; empty unless every customer has one).
    """
    require(customers, "channel", *_NEEDED)
    return _sums(customers.with_columns(cohort=channel_of()), assumptions)


@table_function
def acquisition_by_cohort(customers: nw.LazyFrame[Any], *, assumptions: Assumptions) -> nw.LazyFrame[Any]:
    """Return what the customers of each month of first purchase cost and brought.

    From one row per customer: first_order_day and the columns that `acquisition_by_channel` needs; channel
    only where `assumptions` know costs by channel.
    To one row per month with a first purchase: cohort (months since year 0, as cohorts.month_text reads
    them) and the columns of `acquisition_by_channel`.
    """
    require(customers, "first_order_day", *_NEEDED)
    return _sums(customers.with_columns(cohort=month_of(nw.col("first_order_day"))), assumptions)


def _sums(customers: nw.LazyFrame[Any], assumptions: Assumptions) -> nw.LazyFrame[Any]:
    model = nw.col("lifetime_value")
    return (
        with_purchase(customers)
        .with_columns(
            cost=acquisition_cost_of(assumptions),
            lifetime_value=model.cast(nw.Float64),
            unknown=model.is_null().cast(nw.Int64),
        )
        .group_by("cohort")
        .agg(
            customers=nw.len(),
            acquisition_cost=nw.col("cost").sum(),
            revenue=nw.col("revenue").sum(),
            dcf_lifetime_value=nw.col("dcf_lifetime_value").sum(),
            lifetime_value=nw.col("lifetime_value").sum(),
            unknown=nw.col("unknown").sum(),
        )
        .select(
            "cohort",
            nw.col("customers").cast(nw.Int64),
            "acquisition_cost",
            (nw.col("revenue").cast(nw.Float64) * assumptions.margin).alias("margin"),
            nw.col("dcf_lifetime_value").cast(nw.Float64),
            # A sum that lacks some would stand beside the cost of all.
            nw.when(nw.col("unknown") == 0).then(nw.col("lifetime_value")).alias("lifetime_value"),
        )
    )


def acquisition_table(
    sums: pd.DataFrame, curves: pd.DataFrame, *, forecast: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the sums with what they say: what a customer cost, what the money came to, and when it was back.

    From the rows of `acquisition_by_channel` or `acquisition_by_cohort`; and `curves`, cumulative margin per
    customer: cohort, months, value, as cohorts.value_curves gives them.
    `forecast` goes on where the curves end, in the same columns and as cumulative as they are.
    To the same rows by cohort, a month as text such as 2025-03, with cost_per_customer; value_to_cost ((lifetime value + cost) ÷ cost, so
    that the value is before what it is compared with; empty without a cost or a value);
    dcf_value_to_cost (the same of the DCF lifetime value); payback_month (the first month since the first
    purchase, from 0, by whose end a customer has paid for being won, empty where that is not within the
    curves or nothing was spent); payback_forecast (whether that month lies in the forecast).
    """
    rows = sums.sort_values("cohort").reset_index(drop=True)
    rows["cohort"] = [cohort_text(cohort) for cohort in rows["cohort"]]
    cost = rows["acquisition_cost"].astype(float)
    rows["cost_per_customer"] = cost / rows["customers"]
    for value, ratio in (("lifetime_value", "value_to_cost"), ("dcf_lifetime_value", "dcf_value_to_cost")):
        rows[value] = rows[value].astype(float)
        rows[ratio] = ((rows[value] + cost) / cost).where(cost > 0)
    seen, expected = _points(curves), _points(forecast)
    months, guessed = [], []
    for cohort, each in zip(rows["cohort"], rows["cost_per_customer"], strict=True):
        # Who cost nothing has nothing to pay back.
        month = payback_month(seen.get(cohort, []), each) if each > 0 else None
        guess = payback_month(expected.get(cohort, []), each) if month is None and each > 0 else None
        months.append(guess if month is None else month)
        guessed.append(guess is not None)
    rows["payback_month"] = pd.array(months, dtype="Int64")
    rows["payback_forecast"] = guessed
    return rows


def _points(curves: pd.DataFrame | None) -> dict[str, list[tuple[int, float]]]:
    points: dict[str, list[tuple[int, float]]] = {}
    if curves is not None:
        for cohort, month, value in zip(curves["cohort"], curves["months"], curves["value"], strict=True):
            points.setdefault(str(cohort), []).append((int(month), float(value)))
    return points

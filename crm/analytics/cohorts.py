"""Cohorts of customers by the month of their first purchase: what they brought, month by month since then."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from crm.analytics.customers import YEAR_DAYS, order_totals
from crm.analytics.tables import day_expr, day_number, table_function
from crm.schema import UNKNOWN

YEAR_MONTHS = 12

ENOUGH_SHARE = 0.1
"""Share of a group's customers who must have been there for a month, so that its curve reaches it."""


@table_function
def cohort_values(
    orders: nw.LazyFrame[Any], *, as_of: date, by: nw.LazyFrame[Any] | None = None
) -> nw.LazyFrame[Any]:
    """Return what the customers of each cohort brought in each month since their own first purchase.

    From one row per order line: order_id, customer_id, day, amount; and `by`, if the cohorts are not those
    of the first purchase's month: one row per customer, customer_id and cohort (text), on the same engine.
    To one row per cohort, months_over and age: cohort (months since year 0, as `month_text` reads them;
    or that of `by`, Unknown for a customer whom it leaves out), months_over (how many months since their
    first purchase are over for these customers), age (months since the first purchase, from 0), customers
    (who ordered or returned in that month; at age 0 all of them), revenue (money, returns included).
    A month is a twelfth of 365 days. Everything up to and including `as_of` counts from a customer's first
    purchase on; who never bought is in no cohort.
    """
    last = day_number(as_of)
    totals: nw.LazyFrame[Any] = order_totals(orders, as_of=as_of)
    firsts = totals.filter(nw.col("total") > 0).group_by("customer_id").agg(first_day=nw.col("day").min())
    if by is None:
        members = firsts.with_columns(cohort=month_of(day_expr(nw.col("first_day"))))
    else:
        groups = by.select("customer_id", "cohort")
        members = firsts.join(groups, on="customer_id", how="left").with_columns(
            cohort=nw.col("cohort").fill_null(UNKNOWN)
        )
    return (
        totals.join(members, on="customer_id", how="inner")
        .filter(nw.col("day") >= nw.col("first_day"))
        .with_columns(
            age=(nw.col("day") - nw.col("first_day")) * YEAR_MONTHS // YEAR_DAYS,
            # The as-of day itself is over.
            months_over=(last + 1 - nw.col("first_day")) * YEAR_MONTHS // YEAR_DAYS,
        )
        .group_by("customer_id", "cohort", "months_over", "age")
        .agg(revenue=nw.col("total").sum())
        .group_by("cohort", "months_over", "age")
        .agg(customers=nw.len(), revenue=nw.col("revenue").sum())
        .select("cohort", nw.col("months_over", "age", "customers").cast(nw.Int64), "revenue")
    )


def month_of(day: nw.Expr) -> nw.Expr:
    """Return the calendar month of a date column as months since year 0: one number on every engine."""
    return day.dt.year().cast(nw.Int64) * YEAR_MONTHS + day.dt.month().cast(nw.Int64) - 1


def month_text(month: int) -> str:
    """Return months since year 0 as people write a month, such as 2025-03."""
    return f"{month // YEAR_MONTHS:04d}-{month % YEAR_MONTHS + 1:02d}"


def cohort_text(cohort: Any) -> str:
    """Return a cohort's name: a month as `month_text` writes it, any other as it is."""
    return cohort if isinstance(cohort, str) else month_text(int(cohort))


def value_curves(values: pd.DataFrame, *, margin: float = 1.0, share: float = 1.0) -> pd.DataFrame:
    """Return the cumulative value per customer of each cohort, by month since the first purchase.

    From the rows of `cohort_values`. To one row per cohort and month, in order: cohort (such as 2025-03, or
    that of `by`), months (from 0), customers (of the cohort), value (revenue × `margin` per customer, up to
    the end of that month). A month without revenue keeps the value of the one before.
    A value is blank where the month is not over for the `share` of the cohort's customers: for all of them,
    unless it is set. Below 1, as for groups that customers still join (see ENOUGH_SHARE), each month counts
    only the customers for whom it is over, and the curve adds up what a customer brought in each month.
    """
    counts = ["months_over", "age", "customers"]
    plain = values.astype(dict.fromkeys(counts, "int64") | {"revenue": "float64"})
    parts = []
    for cohort, rows in plain.groupby("cohort", sort=True):
        shape = (int(rows["months_over"].max()) + 1,) * 2
        brought, members = np.zeros(shape), np.zeros(shape[0], dtype=int)
        brought[rows["months_over"], rows["age"]] = rows["revenue"]
        starts = rows[rows["age"] == 0]
        members[starts["months_over"]] = starts["customers"]
        months = np.arange(shape[0])
        over = months[:, None] > months  # of the customers with so many months over, which are
        counted = (members[:, None] * over).sum(axis=0)
        each = np.where(over, brought, 0.0).sum(axis=0) / np.maximum(counted, 1)
        known = (counted > 0) & (counted >= share * members.sum())
        parts.append(
            pd.DataFrame(
                {
                    "cohort": cohort_text(cohort),
                    "months": months,
                    "customers": int(members.sum()),
                    "value": np.where(known, np.cumsum(each) * margin, np.nan),
                }
            )
        )
    if not parts:
        return pd.DataFrame(columns=["cohort", "months", "customers", "value"])
    return pd.concat(parts, ignore_index=True)


def payback_month(curve: Iterable[tuple[int, float]], cost: float) -> int | None:
    """Return the first month since the first purchase by whose end a customer has paid for being won.

    From pairs of month (from 0) and cumulative value per customer, blank ones (not-a-number) included, and
    the acquisition cost per customer. Nothing where the curve does not reach it.
    """
    return next((month for month, value in sorted(curve) if value >= cost), None)

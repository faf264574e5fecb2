"""Rows that forecasts are tested and drawn with: before and after a cut, by purchase day, by calendar day."""

from datetime import date
from typing import Any

import narwhals as nw

from crm.analytics.customers import YEAR_DAYS, add_up_days, day_and_total, order_totals, repeat_spend
from crm.analytics.tables import day_number, require, table_function


@table_function
def holdout_rows(orders: nw.LazyFrame[Any], *, cut: date, as_of: date) -> nw.LazyFrame[Any]:
    """Return what was known of each customer at `cut`, and what came after it up to and including `as_of`.

    From one row per order line: order_id, customer_id, day, amount.
    To one row per customer with a purchase up to and including `cut`: customer_id; as of `cut`
    purchase_days, recency_days, tenure_days (days), repeat_spend, revenue and purchase_total (money), each
    as `customer_metrics` gives it; and purchase days and revenue (money, returns included) of three
    windows: later_purchase_days and later_revenue of the days after `cut`, previous_… of as many days
    that end with `cut`, year_ago_… of the window of the later ones 365 days before.

    What is known at `cut` rests on lines up to `cut` alone: an order that gets another line afterwards is
    of its first day, and the line is later revenue. Where `as_of` is more than a year after `cut`, the
    window of a year ago reaches past `cut`.
    """
    totals = _orders_around(orders, cut=cut, as_of=as_of)
    days = add_up_days(totals, known=nw.col("known").sum(), later=nw.col("later").sum())
    return _rows_of_days(days, cut=cut, as_of=as_of)


@table_function
def holdout_rows_of_days(days: nw.LazyFrame[Any], *, cut: date, as_of: date) -> nw.LazyFrame[Any]:
    """Return `holdout_rows` of the rows that `customer_days` gives for the same `as_of`.

    Only where no order has lines on both sides of the cut, as `orders_across` tells: what was known of one
    at the cut cannot be told from its day.
    """
    before = nw.col("day") <= day_number(cut)
    known = nw.when(before).then(nw.col("revenue"))
    later = nw.when(~before).then(nw.col("revenue"))
    return _rows_of_days(days.with_columns(known=known, later=later), cut=cut, as_of=as_of)


@table_function
def orders_across(days: nw.LazyFrame[Any], *, cut: date) -> nw.LazyFrame[Any]:
    """Return the rows of `customer_days` with an order that has lines up to `cut` and after it."""
    middle = day_number(cut)
    return days.filter((nw.col("day") <= middle) & (nw.col("last_line_day") > middle))


def _rows_of_days(days: nw.LazyFrame[Any], *, cut: date, as_of: date) -> nw.LazyFrame[Any]:
    """Return `holdout_rows` of one row per customer and day.

    Its columns: customer_id, day, orders (purchases), revenue (money as it was known at the cut, if the day
    is not after it), known and later (money of the lines up to the cut, and after it), purchase_total.
    """
    middle, last = day_number(cut), day_number(as_of)
    day = nw.col("day")
    before = day <= middle
    bought = nw.col("orders") > 0
    windows = {
        "previous": (day > 2 * middle - last) & before,
        "year_ago": (day > middle - YEAR_DAYS) & (day <= last - YEAR_DAYS),
    }
    return (
        days.with_columns(
            purchase_day=nw.when(bought & before).then(day),
            is_purchase_day=(bought & before).cast(nw.Int64),
            purchase_total=nw.when(before).then(nw.col("purchase_total")),
            later_purchase_day=(bought & ~before).cast(nw.Int64),
            **{f"{name}_purchase_day": (bought & held).cast(nw.Int64) for name, held in windows.items()},
            **{f"{name}_total": nw.when(held).then(nw.col("revenue")) for name, held in windows.items()},
        )
        .with_columns(day_and_total=day_and_total())
        .group_by("customer_id")
        .agg(
            first_day=nw.col("purchase_day").min(),
            last_day=nw.col("purchase_day").max(),
            purchase_days=nw.col("is_purchase_day").sum(),
            revenue=nw.col("known").sum(),
            purchase_total=nw.col("purchase_total").sum(),
            first_day_and_total=nw.col("day_and_total").min(),
            later_purchase_days=nw.col("later_purchase_day").sum(),
            later_revenue=nw.col("later").sum(),
            previous_purchase_days=nw.col("previous_purchase_day").sum(),
            previous_revenue=nw.col("previous_total").sum(),
            year_ago_purchase_days=nw.col("year_ago_purchase_day").sum(),
            year_ago_revenue=nw.col("year_ago_total").sum(),
        )
        .filter(nw.col("purchase_days") > 0)
        .select(
            "customer_id",
            nw.col("purchase_days").cast(nw.Int64),
            (middle - nw.col("last_day")).cast(nw.Int64).alias("recency_days"),
            (middle - nw.col("first_day")).cast(nw.Int64).alias("tenure_days"),
            repeat_spend().alias("repeat_spend"),
            "revenue",
            "purchase_total",
            nw.col("later_purchase_days").cast(nw.Int64),
            "later_revenue",
            nw.col("previous_purchase_days").cast(nw.Int64),
            "previous_revenue",
            nw.col("year_ago_purchase_days").cast(nw.Int64),
            "year_ago_revenue",
        )
    )


@table_function
def purchase_days_of(orders: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Return the days that each customer bought on, up to and including `as_of`.

    From one row per order line: order_id, customer_id, day, amount.
    To one row per customer and purchase day: customer_id, day (day number), purchase_total (money, of the
    day's purchases, above 0).
    """
    totals: nw.LazyFrame[Any] = order_totals(orders, as_of=as_of)
    return (
        totals.filter(nw.col("total") > 0)
        .group_by("customer_id", "day")
        .agg(purchase_total=nw.col("total").sum())
    )


@table_function
def purchases_by_day(orders: nw.LazyFrame[Any], *, cut: date, as_of: date, after: date) -> nw.LazyFrame[Any]:
    """Return how many of the customers that `holdout_rows` has bought on each day after `after`, up to `as_of`.

    From one row per order line: order_id, customer_id, day, amount.
    To one row per day with such a purchase: day (day number), purchases (purchase days of customers, the
    first ones included). Orders are those of `holdout_rows`: up to `cut` as they were known then.
    """
    days = add_up_days(_orders_around(orders, cut=cut, as_of=as_of))
    return _purchases_of_days(days, cut=cut, after=after)


@table_function
def purchases_by_day_of_days(days: nw.LazyFrame[Any], *, cut: date, after: date) -> nw.LazyFrame[Any]:
    """Return `purchases_by_day` of the rows that `customer_days` gives, where `holdout_rows_of_days` may too."""
    return _purchases_of_days(days, cut=cut, after=after)


def _purchases_of_days(days: nw.LazyFrame[Any], *, cut: date, after: date) -> nw.LazyFrame[Any]:
    return (
        days.filter(nw.col("orders") > 0)
        .with_columns(first_day=nw.col("day").min().over("customer_id"))
        .filter((nw.col("first_day") <= day_number(cut)) & (nw.col("day") > day_number(after)))
        .group_by("day")
        .agg(purchases=nw.len())
        .with_columns(nw.col("purchases").cast(nw.Int64))
    )


def _orders_around(orders: nw.LazyFrame[Any], *, cut: date, as_of: date) -> nw.LazyFrame[Any]:
    """Return the orders up to `as_of`, those up to `cut` as they were then.

    To one row per order: customer_id, order_id, day (of its first line), known and later (money of its lines
    up to `cut`, and after it), total (money: for an order up to `cut` what was known, else what came later).
    """
    require(orders, "order_id", "customer_id", "day", "amount")
    before = nw.col("day") <= day_number(cut)
    return (
        orders.filter(nw.col("day") <= day_number(as_of))
        .with_columns(
            known=nw.when(before).then(nw.col("amount")), later=nw.when(~before).then(nw.col("amount"))
        )
        .group_by("customer_id", "order_id")
        .agg(day=nw.col("day").min(), known=nw.col("known").sum(), later=nw.col("later").sum())
        .with_columns(total=nw.when(before).then(nw.col("known")).otherwise(nw.col("later")))
    )

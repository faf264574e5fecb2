"""The per-customer table: what each customer bought, when first, when last, for how much."""

from datetime import date
from typing import Any

import narwhals as nw

from crm.analytics.tables import day_expr, day_number, divide, require, table_function

YEAR_DAYS = 365


@table_function
def order_totals(orders: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Return the orders placed on or before `as_of`, each with its total.

    From one row per order line: order_id, customer_id, day, amount.
    To one row per order: customer_id, order_id, day (of its first line), total (money). A total above 0
    is a purchase, otherwise a return.
    """
    require(orders, "order_id", "customer_id", "day", "amount")
    return (
        orders.filter(nw.col("day") <= day_number(as_of))
        .group_by("customer_id", "order_id")
        .agg(day=nw.col("day").min(), total=nw.col("amount").sum())
    )


@table_function
def customer_metrics(orders: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Return what each customer bought up to and including `as_of`.

    From one row per order line: order_id, customer_id, day, amount.
    To one row per customer with an order line: customer_id, first_order_day and last_order_day (of
    purchases; empty for somebody who only returned), orders, purchase_days, returns, revenue and
    annual_revenue (money, returns included), average_order_value (money, purchases only), recency_days,
    tenure_days (days), lifecycle_years (years of 365 days).

    Sums are made order by order, then day by day: counting the days of a day-level table costs less
    than a distinct count over orders and gives the same number.
    """
    purchase = nw.col("total") > 0
    totals: nw.LazyFrame[Any] = order_totals(orders, as_of=as_of)
    days = (
        totals.with_columns(
            purchase=purchase.cast(nw.Int64),
            purchase_total=nw.when(purchase).then(nw.col("total")),
        )
        .group_by("customer_id", "day")
        .agg(
            orders=nw.col("purchase").sum(),
            all_orders=nw.len(),
            revenue=nw.col("total").sum(),
            purchase_total=nw.col("purchase_total").sum(),
        )
    )
    bought = nw.col("orders") > 0
    last = day_number(as_of)
    return (
        days.with_columns(
            purchase_day=nw.when(bought).then(nw.col("day")),
            is_purchase_day=bought.cast(nw.Int64),
            annual=nw.when(nw.col("day") > last - YEAR_DAYS).then(nw.col("revenue")),
        )
        .group_by("customer_id")
        .agg(
            first_day=nw.col("purchase_day").min(),
            last_day=nw.col("purchase_day").max(),
            orders=nw.col("orders").sum(),
            all_orders=nw.col("all_orders").sum(),
            purchase_days=nw.col("is_purchase_day").sum(),
            revenue=nw.col("revenue").sum(),
            annual_revenue=nw.col("annual").sum(),
            purchase_total=nw.col("purchase_total").sum(),
        )
        .select(
            "customer_id",
            day_expr(nw.col("first_day")).alias("first_order_day"),
            day_expr(nw.col("last_day")).alias("last_order_day"),
            nw.col("orders").cast(nw.Int64),
            nw.col("purchase_days").cast(nw.Int64),
            (nw.col("all_orders").cast(nw.Int64) - nw.col("orders").cast(nw.Int64)).alias("returns"),
            "revenue",
            "annual_revenue",
            nw.when(nw.col("orders") > 0)
            .then(divide(nw.col("purchase_total").cast(nw.Float64), nw.col("orders").cast(nw.Float64)))
            .alias("average_order_value"),
            (last - nw.col("last_day")).cast(nw.Int64).alias("recency_days"),
            (last - nw.col("first_day")).cast(nw.Int64).alias("tenure_days"),
            ((last - nw.col("first_day")).cast(nw.Float64) * (1 / YEAR_DAYS)).alias("lifecycle_years"),
        )
    )


def with_purchase(customers: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the customers who have bought at least once: those every scheme puts in a segment."""
    return customers.filter(nw.col("orders") > 0)

"""The per-customer table: what each customer bought, when first, when last, for how much."""

from datetime import date
from decimal import Decimal
from typing import Any

import narwhals as nw

from crm.analytics.tables import day_expr, day_number, divide, require, table_function

YEAR_DAYS = 365

_DAY_STEP = Decimal(10**18)
"""More money than anybody spends in a day: ten thousand of the largest amounts that the lake holds."""


@table_function
def order_totals(orders: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Return the orders placed on or before `as_of`, each with its total.

    From one row per order line: order_id, customer_id, day, amount.
    To one row per order: customer_id, order_id, day (of its first line), last_line_day (of its last; both
    day numbers), total (money). A total above 0 is a purchase, otherwise a return.
    """
    require(orders, "order_id", "customer_id", "day", "amount")
    return (
        orders.filter(nw.col("day") <= day_number(as_of))
        .group_by("customer_id", "order_id")
        .agg(day=nw.col("day").min(), last_line_day=nw.col("day").max(), total=nw.col("amount").sum())
    )


@table_function
def customer_days(orders: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Return what each customer ordered day by day, up to and including `as_of`.

    From one row per order line: order_id, customer_id, day, amount.
    To one row per customer and day of an order's first line: customer_id, day (day number), orders
    (purchases), all_orders (returns included), revenue (money, returns included), purchase_total (money,
    purchases only), last_line_day (day number of the last line that any of these orders has).
    """
    totals: nw.LazyFrame[Any] = order_totals(orders, as_of=as_of)
    return add_up_days(totals, all_orders=nw.len(), last_line_day=nw.col("last_line_day").max())


def add_up_days(totals: nw.LazyFrame[Any], **also: nw.Expr) -> nw.LazyFrame[Any]:
    """Return orders added up by customer and day.

    From one row per order: customer_id, day, total (money), and what `also` takes.
    To one row per customer and day: customer_id, day, orders (those with a total above 0), revenue and
    purchase_total (money: of all orders, and of those), and what `also` adds up to.
    """
    purchase = nw.col("total") > 0
    return (
        totals.with_columns(
            purchase=purchase.cast(nw.Int64),
            purchase_total=nw.when(purchase).then(nw.col("total")),
        )
        .group_by("customer_id", "day")
        .agg(
            orders=nw.col("purchase").sum(),
            revenue=nw.col("total").sum(),
            purchase_total=nw.col("purchase_total").sum(),
            **also,
        )
    )


@table_function
def customer_metrics(orders: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Return what each customer bought up to and including `as_of`.

    From one row per order line: order_id, customer_id, day, amount.
    To one row per customer with an order line: customer_id, first_order_day and last_order_day (of
    purchases; empty for somebody who only returned), orders, purchase_days, returns, revenue and
    annual_revenue (money, returns included), purchase_total (money, purchases only), repeat_spend (money:
    that of the purchase days after the first; empty for somebody who only returned), average_order_value
    (money, purchases only), recency_days, tenure_days (days), lifecycle_years (years of 365 days).

    Sums are made order by order, then day by day: counting the days of a day-level table costs less
    than a distinct count over orders and gives the same number.
    """
    days: nw.LazyFrame[Any] = customer_days(orders, as_of=as_of)
    metrics: nw.LazyFrame[Any] = metrics_of_days(days, as_of=as_of)
    return metrics


@table_function
def metrics_of_days(days: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Return `customer_metrics` of the rows that `customer_days` gives for the same `as_of`."""
    bought = nw.col("orders") > 0
    last = day_number(as_of)
    return (
        days.with_columns(
            purchase_day=nw.when(bought).then(nw.col("day")),
            is_purchase_day=bought.cast(nw.Int64),
            annual=nw.when(nw.col("day") > last - YEAR_DAYS).then(nw.col("revenue")),
        )
        .with_columns(day_and_total=day_and_total())
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
            first_day_and_total=nw.col("day_and_total").min(),
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
            "purchase_total",
            repeat_spend().alias("repeat_spend"),
            nw.when(nw.col("orders") > 0)
            .then(divide(nw.col("purchase_total").cast(nw.Float64), nw.col("orders").cast(nw.Float64)))
            .alias("average_order_value"),
            (last - nw.col("last_day")).cast(nw.Int64).alias("recency_days"),
            (last - nw.col("first_day")).cast(nw.Int64).alias("tenure_days"),
            ((last - nw.col("first_day")).cast(nw.Float64) * (1 / YEAR_DAYS)).alias("lifecycle_years"),
        )
    )


def day_and_total() -> nw.Expr:
    """Return purchase_day × a large step + purchase_total: of a customer's days, the first has the least.

    So that no engine has to sort, or to join, for what a first day brought; exact, because decimals are.
    """
    return _stepped(nw.col("purchase_day")) + nw.col("purchase_total").cast(nw.Decimal(22, 4))


def repeat_spend() -> nw.Expr:
    """Return the money of the purchase days after the first.

    From one row per customer: purchase_total (money), first_day (day number) and first_day_and_total (the
    least `day_and_total`).
    """
    # Cast before the subtraction: Arrow has no decimals of more than 38 digits, not even on the way.
    first = (nw.col("first_day_and_total") - _stepped(nw.col("first_day"))).cast(nw.Decimal(22, 4))
    return nw.col("purchase_total").cast(nw.Decimal(32, 4)) - first


def _stepped(day: nw.Expr) -> nw.Expr:
    return day.cast(nw.Int32) * nw.lit(_DAY_STEP)


def with_purchase(customers: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the customers who have bought at least once: those every scheme puts in a segment."""
    return customers.filter(nw.col("orders") > 0)


@table_function
def purchase_histories(customers: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the distinct histories of purchases, and how many customers share each.

    From one row per customer, of `customer_metrics`.
    To one row per distinct purchase_days, recency_days, tenure_days (days) among the customers with a
    purchase: those three, customers, and of these customers together repeat_spend, revenue and
    purchase_total (money).
    """
    return (
        with_purchase(customers)
        .group_by("purchase_days", "recency_days", "tenure_days")
        .agg(
            customers=nw.len(),
            repeat_spend=nw.col("repeat_spend").sum(),
            revenue=nw.col("revenue").sum(),
            purchase_total=nw.col("purchase_total").sum(),
        )
        .with_columns(nw.col("customers").cast(nw.Int64))
    )

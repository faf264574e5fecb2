"""Revenue over time, and the figures of a period beside those of the period before."""

from datetime import date
from typing import Any

import narwhals as nw

from crm.analytics.customers import order_totals
from crm.analytics.tables import day_number, table_function


@table_function
def revenue_by_day(orders: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Return what was sold on each day up to and including `as_of`.

    From one row per order line: order_id, customer_id, day, amount.
    To one row per day with an order: day (number), revenue (money, returns included), purchases,
    purchase_total (money of the purchases alone).
    """
    bought = nw.col("total") > 0
    totals: nw.LazyFrame[Any] = order_totals(orders, as_of=as_of)
    return (
        totals.with_columns(
            purchase=bought.cast(nw.Int64),
            purchase_total=nw.when(bought).then(nw.col("total")),
        )
        .group_by("day")
        .agg(
            revenue=nw.col("total").sum(),
            purchases=nw.col("purchase").sum(),
            purchase_total=nw.col("purchase_total").sum(),
        )
        .with_columns(nw.col("purchases").cast(nw.Int64))
    )


@table_function
def activity_by_bucket(
    orders: nw.LazyFrame[Any], *, last: date, width: int, buckets: int
) -> nw.LazyFrame[Any]:
    """Return what happened in each of the `buckets` periods of `width` days that end with `last`.

    From one row per order line: order_id, customer_id, day, amount.
    To one row per period with an order: bucket (0 is the newest), revenue (money, returns included),
    purchases, purchase_total (money of the purchases alone), buyers (customers with a purchase).
    """
    end = day_number(last)
    bought = nw.col("total") > 0
    totals: nw.LazyFrame[Any] = order_totals(orders, as_of=last)
    return (
        # Orders, not lines, are left out: an order that began before the first period belongs to none.
        totals.filter(nw.col("day") > end - width * buckets)
        .with_columns(
            bucket=(end - nw.col("day")) // width,
            purchase=bought.cast(nw.Int64),
            purchase_total=nw.when(bought).then(nw.col("total")),
        )
        .group_by("bucket", "customer_id")
        .agg(
            revenue=nw.col("total").sum(),
            purchases=nw.col("purchase").sum(),
            purchase_total=nw.col("purchase_total").sum(),
        )
        .with_columns(buys=(nw.col("purchases") > 0).cast(nw.Int64))
        .group_by("bucket")
        .agg(
            revenue=nw.col("revenue").sum(),
            purchases=nw.col("purchases").sum(),
            purchase_total=nw.col("purchase_total").sum(),
            buyers=nw.col("buys").sum(),
        )
        .with_columns(nw.col("purchases", "buyers").cast(nw.Int64))
    )

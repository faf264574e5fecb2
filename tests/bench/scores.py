"""The per-customer table with RFM scores and segments, ours and its peers', from the same files."""

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd
import pyarrow as pa
from pyarrow import dataset

from crm.analytics.rfm import SEGMENT_CODES, rfm
from crm.lake import Lake
from tests.bench import shop

COLUMNS = (
    "customer_id", "first_order_day", "last_order_day", "orders", "purchase_days", "returns", "revenue",
    "annual_revenue", "average_order_value", "recency_days", "tenure_days", "lifecycle_years",
    "recency_score", "frequency_score", "monetary_score", "rfm_segment",
)  # fmt: skip
_FLOATS = {"average_order_value", "lifecycle_years"}
_LAST = (shop.AS_OF - dt.date(1970, 1, 1)).days


def connect() -> duckdb.DuckDBPyConnection:
    """Return a DuckDB of its own, set up as the engine sets up its own; the same for ours and the peer."""
    return duckdb.connect(config={"memory_limit": "4GB", "preserve_insertion_order": "false"})


def ours(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Make the table `ours` with `crm.analytics.rfm.rfm`, through Narwhals, from the lake's files."""
    _, files = lake.files("orders")
    rows = rfm(nw.from_native(connection.read_parquet(files)), as_of=shop.AS_OF)
    connection.execute(f"CREATE OR REPLACE TABLE ours AS {rows.to_native().sql_query()}").fetchall()


def by_hand(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Make the table `hand` from the lake's files with the fastest SQL of those tried.

    Tried and slower: count(DISTINCT day) or a list of days instead of the step by day, rank() windows
    instead of quantiles, and not materialising the metrics.
    """
    _, files = lake.files("orders")
    connection.execute(f"CREATE OR REPLACE TABLE hand AS {_sql(files)}").fetchall()


def _sql(files: list[str]) -> str:
    names = " ".join(
        f"WHEN code IN ({', '.join(map(str, sorted(codes)))}) THEN '{name}'"
        for name, codes in SEGMENT_CODES.items()
    )

    def score(value: str, limits: str) -> str:
        above = " + ".join(f"({value} > {limits}[{place}])::BIGINT" for place in range(1, 5))
        return f"CASE WHEN orders > 0 THEN 1 + {above} END"

    return f"""
    WITH placed AS (
        SELECT customer_id, order_id, min("day") AS placed_on, sum(amount) AS total
        FROM read_parquet({files}) WHERE "day" <= {_LAST}
        GROUP BY customer_id, order_id
    ), by_day AS (
        SELECT customer_id, placed_on, count(*) FILTER (total > 0) AS orders, count(*) AS all_orders,
               sum(total) AS revenue, sum(total) FILTER (total > 0) AS bought
        FROM placed GROUP BY customer_id, placed_on
    ), by_customer AS (
        SELECT customer_id, min(placed_on) FILTER (orders > 0) AS first_day,
               max(placed_on) FILTER (orders > 0) AS last_day, sum(orders)::BIGINT AS orders,
               count(*) FILTER (orders > 0) AS purchase_days, (sum(all_orders) - sum(orders))::BIGINT AS returns,
               sum(revenue) AS revenue, coalesce(sum(revenue) FILTER (placed_on > {_LAST} - 365), 0) AS annual_revenue,
               sum(bought) AS bought
        FROM by_day GROUP BY customer_id
    ), metrics AS MATERIALIZED (
        SELECT customer_id, DATE '1970-01-01' + first_day AS first_order_day,
               DATE '1970-01-01' + last_day AS last_order_day, orders, purchase_days, returns, revenue,
               annual_revenue, CASE WHEN orders > 0 THEN bought::DOUBLE / orders END AS average_order_value,
               ({_LAST} - last_day)::BIGINT AS recency_days, ({_LAST} - first_day)::BIGINT AS tenure_days,
               ({_LAST} - first_day) / 365 AS lifecycle_years
        FROM by_customer
    ), limits AS (
        SELECT quantile_disc(-recency_days, [0.2, 0.4, 0.6, 0.8]) AS r,
               quantile_disc(orders, [0.2, 0.4, 0.6, 0.8]) AS f,
               quantile_disc(revenue, [0.2, 0.4, 0.6, 0.8]) AS m
        FROM metrics WHERE orders > 0
    ), scored AS (
        SELECT metrics.*, {score("-recency_days", "r")} AS recency_score,
               {score("orders", "f")} AS frequency_score, {score("revenue", "m")} AS monetary_score
        FROM metrics, limits
    )
    SELECT * EXCLUDE (code), CASE {names} END AS rfm_segment
    FROM (SELECT *, 100 * recency_score + 10 * frequency_score + monetary_score AS code FROM scored)
    """


def pandas_frame(lake: Lake) -> pd.DataFrame:
    """Return the order lines as somebody working in pandas holds them: text, days, floats of money."""
    _, files = lake.files("orders")
    lines = dataset.dataset(files).to_table(["order_id", "customer_id", "ordered_at", "day", "amount"])
    amount = lines["amount"].cast(pa.float64())
    return lines.set_column(lines.column_names.index("amount"), "amount", amount).to_pandas()


def in_pandas(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the same table as `ours`, computed in pandas from the lines in memory."""
    placed = (
        lines[lines["day"] <= _LAST]
        .groupby(["customer_id", "order_id"], sort=False)
        .agg(day=("day", "min"), total=("amount", "sum"))
        .reset_index()
    )
    total = placed["total"].round(4)
    purchase = total > 0
    placed = placed.assign(
        orders=purchase.astype("int64"),
        returns=(~purchase).astype("int64"),
        bought=total.where(purchase, 0.0),
        annual=total.where(placed["day"] > _LAST - 365),
        purchase_day=placed["day"].where(purchase),
    )
    by_customer = placed.groupby("customer_id", sort=False)
    customers = by_customer.agg(
        first=("purchase_day", "min"),
        last=("purchase_day", "max"),
        orders=("orders", "sum"),
        returns=("returns", "sum"),
        revenue=("total", "sum"),
        bought=("bought", "sum"),
    )
    customers["annual_revenue"] = by_customer["annual"].sum().round(4)
    days = placed.loc[purchase, ["customer_id", "day"]].drop_duplicates()
    customers["purchase_days"] = days.groupby("customer_id", sort=False).size()
    customers["purchase_days"] = customers["purchase_days"].fillna(0).astype("int64")
    customers["revenue"] = customers["revenue"].round(4)
    customers["first_order_day"] = pd.to_datetime(customers["first"], unit="D")
    customers["last_order_day"] = pd.to_datetime(customers["last"], unit="D")
    customers["average_order_value"] = customers["bought"] / customers["orders"].where(
        customers["orders"] > 0
    )
    customers["recency_days"] = _LAST - customers["last"]
    customers["tenure_days"] = _LAST - customers["first"]
    customers["lifecycle_years"] = customers["tenure_days"] / 365
    known = customers["orders"] > 0
    scores = {
        "recency_score": -customers["recency_days"],
        "frequency_score": customers["orders"],
        "monetary_score": customers["revenue"],
    }
    for name, value in scores.items():
        worse = value[known].rank(method="min") - 1
        customers[name] = 1 + (5 * worse) // known.sum()
    code = 100 * customers["recency_score"] + 10 * customers["frequency_score"] + customers["monetary_score"]
    names = {code: name for name, codes in SEGMENT_CODES.items() for code in codes}
    customers["rfm_segment"] = code.map(names)
    return customers.reset_index()[list(COLUMNS)]


def in_lifetimes(lines: pd.DataFrame) -> pd.DataFrame:
    """Return what lifetimes makes of the lines: frequency, recency, T and mean value of each customer."""
    from lifetimes.utils import summary_data_from_transaction_data

    summary: pd.DataFrame = summary_data_from_transaction_data(
        lines, "customer_id", "ordered_at", "amount", observation_period_end=pd.Timestamp(shop.AS_OF)
    )
    return summary


def through_spark(session: Any, lake: Lake, out: Path) -> None:
    """Write our table as Parquet files to `out`, computed by a Spark Connect server from the Delta table."""
    orders = nw.from_native(session.read.format("delta").load(lake.path("orders")))
    rfm(orders, as_of=shop.AS_OF).to_native().write.mode("overwrite").parquet(str(out))


def assert_same(connection: duckdb.DuckDBPyConnection, left: str, right: str, *, money: str = "exact") -> int:
    """Compare two tables customer by customer, column by column, and return how many customers there are.

    Counts, days, scores, segments and ids are equal; money is equal to its last digit, or to the tenth of
    a cent where `money` is "rounded" because the peer adds floats; quotients to 12 digits.
    Raises AssertionError naming the columns that differ.
    """
    differing = []
    for name in COLUMNS:
        one, other = f'l."{name}"', f'r."{name}"'
        if name in _FLOATS:
            unequal = f"abs({one}::DOUBLE - {other}::DOUBLE) > 1e-12 * greatest(1, abs({one}::DOUBLE))"
            unequal = f"coalesce({unequal}, ({one} IS NULL) <> ({other} IS NULL))"
        elif money == "rounded" and name in ("revenue", "annual_revenue"):
            unequal = f"coalesce(abs({one}::DOUBLE - {other}) > 0.001, ({one} IS NULL) <> ({other} IS NULL))"
        else:
            unequal = f"{one} IS DISTINCT FROM {other}"
        differing.append(f'count(*) FILTER ({unequal}) AS "{name}"')
    compared = connection.execute(
        f"SELECT {', '.join(differing)} FROM {left} AS l "
        f"FULL JOIN {right} AS r ON l.customer_id = r.customer_id"
    ).fetchall()
    wrong = {name: count for name, count in zip(COLUMNS, compared[0], strict=True) if count}
    assert not wrong, f"{left} and {right} differ in {wrong}"
    counted = connection.execute(f"SELECT count(*) FROM {left}").fetchall()[0][0]
    assert counted > 0
    return int(counted)


def assert_agrees_with_lifetimes(connection: duckdb.DuckDBPyConnection, summary: pd.DataFrame) -> int:
    """Compare `ours` with lifetimes' summary and return how many customers were comparable.

    lifetimes takes every line for a purchase, so only customers without a return mean the same in both:
    frequency + 1 is their purchase days, T their tenure, recency the days from first to last purchase.
    """
    connection.register("summary", summary.reset_index())
    [(counted, differing)] = connection.execute(
        """
        SELECT count(*), count(*) FILTER (
            frequency + 1 <> purchase_days OR "T" <> tenure_days OR recency <> tenure_days - recency_days)
        FROM ours JOIN summary USING (customer_id) WHERE returns = 0
        """
    ).fetchall()
    connection.unregister("summary")
    assert counted > 0
    assert not differing, f"{differing} of {counted} customers differ from lifetimes"
    return int(counted)

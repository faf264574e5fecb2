"""One row per customer with everything known: purchases, answers, contact details, segments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import narwhals as nw
import pyarrow as pa

from crm.analytics.scores import LOADINGS
from crm.analytics.segments import Bands, age_group, age_on, purchase_power, region
from crm.analytics.tables import day_number, table_function
from crm.schema import BLANKS, FIELDS

_COUNTS = ("orders", "purchase_days", "returns", "feedback_answers", "recommendations")
_MONEY = ("revenue", "annual_revenue")

HISTORY = ("purchase_days", "recency_days", "tenure_days")
"""The columns that tell a customer's history of purchases, as far as a forecast of orders looks at it."""

ORDER_FORECASTS = (
    "probability_alive",
    "expected_orders_12m",
    "expected_orders_12m_low",
    "expected_orders_12m_high",
)
"""Columns of the scores that are fields as they are."""

LOADING_NAMES = tuple(f"loading_{number}" for number in range(1, LOADINGS + 1))
"""Columns of what an error in each direction of the parameters changes."""

MONEY_FORECASTS: dict[str, str] = {
    "future_value": "value",
    "future_value_low": "low",
    "future_value_high": "high",
    "value_deviation": "deviation",
    **{name: name for name in LOADING_NAMES},
}
"""Columns of money before acquisition cost, with the name of their two coefficients in the scores."""

FORECASTS = (*ORDER_FORECASTS, *MONEY_FORECASTS)

LIFETIME_VALUES = {
    "lifetime_value": "future_value",
    "lifetime_value_low": "future_value_low",
    "lifetime_value_high": "future_value_high",
}
"""Fields that are a forecast of money less the acquisition cost."""

FORECAST_FIELDS = (*ORDER_FORECASTS, *LIFETIME_VALUES)
"""Fields that a forecast fills, and leaves empty where its verdict is refused."""

ASSUMED = ("dcf_lifetime_value", *FORECAST_FIELDS)
"""Fields that rest on assumptions or on a model, which belong to the question and not to the customer."""

SCORES = pa.schema(
    [
        *((name, pa.int64()) for name in HISTORY),
        *((name, pa.float64()) for name in ORDER_FORECASTS),
        *((f"{of}_{power}", pa.float64()) for of in MONEY_FORECASTS.values() for power in (0, 1)),
    ]
)
"""One row per distinct history: forecasts of orders, and for each forecast of money its two coefficients."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What a model says of each history of purchases, shaped as `SCORES`.

    key: names model, data, day and assumptions; scores of equal keys are equal, so tables are kept by it.
    """

    key: str
    rows: pa.Table

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", self.rows.select(SCORES.names).cast(SCORES))


@table_function
def answers(responses: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Return how often each customer answered up to and including `as_of`.

    From one row per response: customer_id, day, feedback, recommended.
    To one row per customer: customer_id, feedback_answers (answers with any feedback text),
    recommendations (answers of 9, 10 or yes).
    """
    return (
        responses.filter(nw.col("day") <= day_number(as_of))
        .with_columns(
            given=(nw.col("feedback").str.strip_chars(BLANKS) != "").cast(nw.Int64),
            recommends=nw.col("recommended").cast(nw.Int64),
        )
        .group_by("customer_id")
        .agg(feedback_answers=nw.col("given").sum(), recommendations=nw.col("recommends").sum())
        .with_columns(nw.col("feedback_answers", "recommendations").cast(nw.Int64))
    )


def with_forecasts(purchases: nw.LazyFrame[Any], scores: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the customers with what is expected of them.

    From `purchases` (one row per customer: `HISTORY` in days, repeat_spend in money, and whatever else) and
    `scores` (one row per distinct history: `HISTORY`, `ORDER_FORECASTS`, and for every money forecast its
    coefficients, such as value_0 and value_1).
    To the rows of `purchases` with `FORECASTS`, as floats. A money forecast is the first coefficient plus
    the second × repeat spend. Empty for a customer whose history has no scores, and without a purchase.
    """
    spend = nw.col("repeat_spend").cast(nw.Float64)
    money = {name: nw.col(f"{of}_0") + nw.col(f"{of}_1") * spend for name, of in MONEY_FORECASTS.items()}
    known = purchases.collect_schema().names()
    return (
        purchases.join(scores, on=list(HISTORY), how="left")
        .with_columns(**money)
        .select([*known, *FORECASTS])
    )


def customer_profiles(
    purchases: nw.LazyFrame[Any],
    responses: nw.LazyFrame[Any],
    contacts: nw.LazyFrame[Any],
    *,
    as_of: date,
    bands: Bands,
    attributes: Sequence[str] = (),
    forecasts: Sequence[str] = (),
) -> nw.LazyFrame[Any]:
    """Return one row per customer named by an order, an answer or a contact.

    From `purchases` (one row per customer: metrics, scores, value class, `forecasts`), `responses` (one row per
    customer: `answers`) and `contacts` (one row per contact, the schema's contact columns and those named
    by `attributes`).
    To one row per customer with the columns of schema.FIELDS except `ASSUMED`, then the `attributes`, then
    the `forecasts`. Counts and money are 0 where nothing was bought; days, scores, RFM segment and
    forecasts stay empty. `age` is the age on `as_of`.
    """
    joined = _outer(_outer(purchases, responses), contacts)
    filled = joined.with_columns(
        *(nw.col(name).fill_null(0) for name in _COUNTS),
        # `fill_null(0)` would make floats of Spark's decimals, and pandas refuses it for decimals.
        *(nw.coalesce(name, nw.lit(Decimal(0))) for name in _MONEY),
        age=age_on(as_of),
    )
    schemes = filled.with_columns(
        purchase_power=purchase_power(bands), age_group=age_group(bands), region=region(bands)
    )
    known = [field.name for field in FIELDS if field.name not in ASSUMED]
    return schemes.select([*known, *attributes, *forecasts])


def _outer(left: nw.LazyFrame[Any], right: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Join on customer_id, keeping the customers of both sides."""
    both = left.join(right, on="customer_id", how="full", suffix="_right")
    return both.with_columns(customer_id=nw.coalesce("customer_id", "customer_id_right")).drop(
        "customer_id_right"
    )

"""One row per customer with everything known: purchases, answers, contact details, segments."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import narwhals as nw

from crm.analytics.segments import Bands, age_group, age_on, purchase_power, region
from crm.analytics.tables import day_number, table_function
from crm.schema import BLANKS, FIELDS

_COUNTS = ("orders", "purchase_days", "returns", "feedback_answers", "recommendations")
_MONEY = ("revenue", "annual_revenue")


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


def customer_profiles(
    purchases: nw.LazyFrame[Any],
    responses: nw.LazyFrame[Any],
    contacts: nw.LazyFrame[Any],
    *,
    as_of: date,
    bands: Bands,
    attributes: Sequence[str] = (),
) -> nw.LazyFrame[Any]:
    """Return one row per customer named by an order, an answer or a contact.

    From `purchases` (one row per customer: metrics, scores, value class), `responses` (one row per
    customer: `answers`) and `contacts` (one row per contact, the schema's contact columns and those named
    by `attributes`).
    To one row per customer with the columns of schema.FIELDS, except the lifetime value, whose
    assumptions belong to the question, and then the `attributes`. Counts and money are 0 where nothing was bought; days, scores
    and RFM segment stay empty. `age` is the age on `as_of`.
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
    known = [field.name for field in FIELDS if field.name != "dcf_lifetime_value"]
    return schemes.select([*known, *attributes])


def _outer(left: nw.LazyFrame[Any], right: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Join on customer_id, keeping the customers of both sides."""
    both = left.join(right, on="customer_id", how="full", suffix="_right")
    return both.with_columns(customer_id=nw.coalesce("customer_id", "customer_id_right")).drop(
        "customer_id_right"
    )

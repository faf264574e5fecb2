"""Loyalty: how long customers have been with us, whether they come back, answer and recommend."""

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

import narwhals as nw

from crm.analytics.customers import with_purchase
from crm.analytics.tables import day_number, table_function
from crm.schema import UNKNOWN

_REPEATS = (nw.col("orders") > 1).cast(nw.Int64).alias("repeats")

_SUMS = {
    "customers": nw.len(),
    "repeat_customers": nw.col("repeats").sum(),
    "purchases": nw.col("orders").sum(),
    "feedback_answers": nw.col("feedback_answers").sum(),
    "recommendations": nw.col("recommendations").sum(),
    "lifecycle_years": nw.col("lifecycle_years").mean(),
}

# DuckDB adds whole numbers up to 128 bits, which Arrow and pandas only know as floats.
_COUNTS = nw.col("repeat_customers", "purchases", "feedback_answers", "recommendations").cast(nw.Int64)


@table_function
def loyalty_totals(customers: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the sums that the loyalty rates are made of.

    From one row per customer: orders, feedback_answers, recommendations, lifecycle_years.
    To one row: customers (with a purchase), repeat_customers (two purchases or more), purchases,
    feedback_answers, recommendations, lifecycle_years (mean).
    """
    return with_purchase(customers).with_columns(_REPEATS).select(**_SUMS).with_columns(_COUNTS)


@table_function
def loyalty_by(customers: nw.LazyFrame[Any], *, column: str) -> nw.LazyFrame[Any]:
    """Return the sums of `loyalty_totals` for each segment of a scheme.

    From one row per customer: `column`, orders, feedback_answers, recommendations, lifecycle_years.
    To one row per segment: segment and the columns of `loyalty_totals`.
    """
    return _by_segment(with_purchase(customers).with_columns(segment=nw.col(column).fill_null(UNKNOWN)))


@table_function
def loyalty_by_lifecycle(customers: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the sums of `loyalty_totals` for each full year since the first purchase.

    From one row per customer: lifecycle_years (years of 365 days), orders, feedback_answers,
    recommendations.
    To one row per lifecycle year: segment (0 for customers in their first year, 1 in their second, …).
    """
    full_years = nw.col("lifecycle_years").floor().cast(nw.Int64)
    return _by_segment(with_purchase(customers).with_columns(segment=full_years))


def _by_segment(customers: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return customers.with_columns(_REPEATS).group_by("segment").agg(**_SUMS).with_columns(_COUNTS)


@table_function
def score_counts(responses: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Return how often each score from 0 to 10 was given up to and including `as_of`.

    From one row per response: day, recommendation (0 to 10 or empty).
    To one row per score that was given: recommendation, answers.
    """
    return (
        responses.filter(nw.col("day") <= day_number(as_of), ~nw.col("recommendation").is_null())
        .group_by("recommendation")
        .agg(answers=nw.len())
    )


@dataclass(frozen=True)
class NetPromoterScore:
    """Share answering 9 or 10 minus share answering 0 to 6, in points from −100 to 100.

    Source: Reichheld, Harvard Business Review, December 2003; its standard error is that of a
    difference of two shares of one sample, √((p + d − (p − d)²) ÷ n).
    """

    answers: int
    promoters: int
    detractors: int

    @property
    def score(self) -> float | None:
        """The score in points; nothing without an answer."""
        return 100 * (self.promoters - self.detractors) / self.answers if self.answers else None

    @property
    def standard_error(self) -> float | None:
        """Standard error of the score in points; nothing without an answer."""
        if not self.answers:
            return None
        p, d = self.promoters / self.answers, self.detractors / self.answers
        return 100 * math.sqrt((p + d - (p - d) ** 2) / self.answers)


def net_promoter_score(counts: dict[int, int]) -> NetPromoterScore:
    """Return the NPS of a count of answers by score, 0 to 10."""
    return NetPromoterScore(
        answers=sum(counts.values()),
        promoters=sum(number for score, number in counts.items() if score >= 9),
        detractors=sum(number for score, number in counts.items() if score <= 6),
    )


def rate(part: float, whole: float) -> float | None:
    """Return `part` ÷ `whole`, or nothing where there is no whole."""
    return part / whole if whole else None

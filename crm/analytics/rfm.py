"""Recency, frequency and monetary scores, and the 11 segments of their 125 codes.

The segments are the complete 125-cell table that circulates as the Bloomreach segmentation; it names
every code exactly once and uses all three scores, which the two-score grids do not.
"""

from datetime import date
from typing import Any

import narwhals as nw

from crm.analytics.customers import customer_metrics
from crm.analytics.tables import table_function

BUCKETS = 5

_CODES = {
    "Champions": "555 554 544 545 454 455 445",
    "Loyal": "543 444 435 355 354 345 344 335",
    "Potential Loyalist": "553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 352 351 "
    "342 341 333 323",
    "New Customers": "512 511 422 421 412 411 311",
    "Promising": "525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313",
    "Need Attention": "535 534 443 434 343 334 325 324",
    "About To Sleep": "331 321 312 221 213 231 241 251",
    "At Risk": "255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 124",
    "Cannot Lose Them": "155 154 144 214 215 115 114 113",
    "Hibernating": "332 322 233 232 223 222 132 123 122 212 211",
    "Lost": "111 112 121 131 141 151",
}

SEGMENT_CODES: dict[str, frozenset[int]] = {
    name: frozenset(int(code) for code in codes.split()) for name, codes in _CODES.items()
}
"""The codes of each segment, as 100 × recency + 10 × frequency + monetary score."""

SEGMENTS: tuple[str, ...] = tuple(SEGMENT_CODES)
"""The segments from best to worst."""

ACTIONS: dict[str, str] = {
    "Champions": "Show them new things first; ask for referrals",
    "Loyal": "Offer a loyalty programme, or the better range",
    "Potential Loyalist": "Suggest what goes with their purchases",
    "New Customers": "Welcome them; help with the first purchase",
    "Promising": "Stay in sight; a small offer for the next order",
    "Need Attention": "A limited offer on what they bought before",
    "About To Sleep": "Remind them now, before they forget us",
    "At Risk": "Write personally; ask what went wrong",
    "Cannot Lose Them": "Call the most valuable ones yourself",
    "Hibernating": "One good reason to return, then leave be",
    "Lost": "Spend nothing more, or one last offer",
}
"""What marketing usually does about each segment."""


def score(value: str, *, higher_is_better: bool = True) -> nw.Expr:
    """Return 1 + floor(5 × customers strictly worse ÷ customers) of the column `value`.

    Counted among the customers with a purchase (`bought`); the others' score is empty. Equal values
    always get equal scores.
    """
    worse = nw.col(value).cast(nw.Float64).rank("min", descending=not higher_is_better).over("bought") - 1
    customers = nw.len().over("bought")
    return (
        nw.when(nw.col("bought"))
        .then(1 + (BUCKETS * worse.cast(nw.Int64)) // customers.cast(nw.Int64))
        .cast(nw.Int64)
    )


def segment_of(code: nw.Expr) -> nw.Expr:
    """Return the segment's name of a code, 100 × recency + 10 × frequency + monetary score."""
    name = nw.lit(None, dtype=nw.String)
    for segment, codes in SEGMENT_CODES.items():
        name = nw.when(code.is_in(sorted(codes))).then(nw.lit(segment)).otherwise(name)
    return name


@table_function
def rfm_scores(customers: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the customers with their scores and segment.

    From one row per customer: recency_days (days), orders, revenue (money), and whatever else.
    To the same rows with recency_score, frequency_score, monetary_score (1 to 5, 5 is best) and
    rfm_segment. A customer without a purchase has no score and is in no segment.
    """
    code = 100 * nw.col("recency_score") + 10 * nw.col("frequency_score") + nw.col("monetary_score")
    return (
        customers.with_columns(bought=nw.col("orders") > 0)
        .with_columns(
            recency_score=score("recency_days", higher_is_better=False),
            frequency_score=score("orders"),
            monetary_score=score("revenue"),
        )
        .with_columns(rfm_segment=segment_of(code))
        .drop("bought")
    )


@table_function
def rfm(orders: nw.LazyFrame[Any], *, as_of: date) -> nw.LazyFrame[Any]:
    """Return each customer's metrics, scores and RFM segment as of a day.

    From one row per order line: order_id, customer_id, day (or ordered_at), amount.
    To one row per customer with an order line: the columns of `customer_metrics` and `rfm_scores`.
    """
    return rfm_scores(customer_metrics(orders, as_of=as_of))  # type: ignore[no-any-return]

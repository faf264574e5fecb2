"""Loyalty: repeat, feedback and recommendation sums, lifecycle years and the Net Promoter Score."""

import math
from datetime import date
from decimal import Decimal

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm import schema
from crm.analytics.customers import customer_metrics
from crm.analytics.loyalty import (
    NetPromoterScore,
    loyalty_by,
    loyalty_by_lifecycle,
    loyalty_totals,
    net_promoter_score,
    rate,
    score_counts,
)
from crm.analytics.tables import day_number
from tests.conftest import order_lines, rows_of

AS_OF = date(2024, 12, 31)

CUSTOMERS = pa.table(
    {
        "customer_id": ["ann", "bob", "cat", "dot", "contact"],
        "orders": pa.array([4, 1, 2, 1, 0], pa.int64()),
        "feedback_answers": pa.array([2, 0, 1, 0, 3], pa.int64()),
        "recommendations": pa.array([1, 0, 1, 0, 3], pa.int64()),
        "lifecycle_years": pa.array([2.5, 0.5, 1.0, 0.0, None], pa.float64()),
        "region": ["North", "South", "North", None, "South"],
    }
)


def responses(*rows):
    """Return responses of (customer_id, day as ISO text, feedback, recommendation, recommended)."""
    return pa.Table.from_pylist(
        [
            {
                "response_id": str(number),
                "customer_id": customer,
                "day": day_number(date.fromisoformat(day)),
                "feedback": feedback,
                "recommendation": recommendation,
                "recommended": recommended,
            }
            for number, (customer, day, feedback, recommendation, recommended) in enumerate(rows)
        ],
        schema=schema.RESPONSES,
    )


# Rates


def test_the_rates_of_all_customers_are_what_counting_by_hand_gives(frame_of):
    (totals,) = rows_of(loyalty_totals(frame_of(CUSTOMERS)), by="customers")

    assert totals == {
        "customers": 4,
        "repeat_customers": 2,
        "purchases": 8,
        "feedback_answers": 3,  # the contact who never bought has no part in it
        "recommendations": 2,
        "lifecycle_years": 1.0,
    }
    assert rate(totals["repeat_customers"], totals["customers"]) == 0.5
    assert rate(totals["feedback_answers"], totals["purchases"]) == 0.375
    assert rate(totals["recommendations"], totals["purchases"]) == 0.25


def test_each_segment_has_its_own_sums_and_together_they_are_the_totals(frame_of):
    frame = frame_of(CUSTOMERS)

    north, south, unknown = rows_of(loyalty_by(frame, column="region"), by="segment")
    (totals,) = rows_of(loyalty_totals(frame), by="customers")

    assert north == {
        "segment": "North",
        "customers": 2,
        "repeat_customers": 2,
        "purchases": 6,
        "feedback_answers": 3,
        "recommendations": 2,
        "lifecycle_years": 1.75,
    }
    assert (south["segment"], south["customers"], south["purchases"]) == ("South", 1, 1)
    assert (unknown["segment"], unknown["customers"], unknown["purchases"]) == ("Unknown", 1, 1)
    for name in ("customers", "repeat_customers", "purchases", "feedback_answers", "recommendations"):
        assert north[name] + south[name] + unknown[name] == totals[name]


def test_without_customers_the_totals_are_zero_and_there_is_no_rate(frame_of):
    nobody = frame_of(CUSTOMERS).filter(nw.col("orders") == 0)

    (totals,) = rows_of(loyalty_totals(nobody), by="customers")

    assert totals == {
        "customers": 0,
        "repeat_customers": 0,
        "purchases": 0,
        "feedback_answers": 0,
        "recommendations": 0,
        "lifecycle_years": None,
    }
    assert rate(totals["repeat_customers"], totals["customers"]) is None


def test_counts_are_whole_numbers_on_every_engine(frame_of):
    for sums in (loyalty_totals(frame_of(CUSTOMERS)), loyalty_by_lifecycle(frame_of(CUSTOMERS))):
        types = sums.collect_schema()
        assert {
            types[name] for name in ("repeat_customers", "purchases", "feedback_answers", "recommendations")
        } == {nw.Int64()}


# Lifecycle years


def test_a_customers_second_year_begins_365_days_after_the_first_purchase(frame_of):
    lines = order_lines(
        ("1", "0 days", "2024-12-31", "1"),
        ("2", "364 days", "2024-01-02", "1"),
        ("3", "365 days", "2024-01-01", "1"),
        ("4", "729 days", "2023-01-02", "1"),
        ("5", "730 days", "2023-01-01", "1"),
        ("6", "730 days", "2024-12-31", "1"),  # the first purchase counts
    )
    customers = customer_metrics(frame_of(lines), as_of=AS_OF).with_columns(
        feedback_answers=nw.lit(0), recommendations=nw.lit(0)
    )

    rows = rows_of(loyalty_by_lifecycle(customers), by="segment")

    assert [(row["segment"], row["customers"]) for row in rows] == [(0, 2), (1, 2), (2, 1)]


def test_every_multiple_of_365_days_is_a_full_year(frame_of):
    days = [365 * years + offset for years in range(1, 60) for offset in (-1, 0)]
    lines = [(str(number), f"c{number}", 0, "1") for number in days]
    table = order_lines(*[(order, customer, "2024-12-31", amount) for order, customer, _, amount in lines])
    first = pa.array([day_number(AS_OF) - number for number in days], pa.int32())
    table = table.set_column(table.column_names.index("day"), "day", first)
    customers = customer_metrics(frame_of(table), as_of=AS_OF).with_columns(
        feedback_answers=nw.lit(0), recommendations=nw.lit(0)
    )

    rows = rows_of(loyalty_by_lifecycle(customers), by="segment")

    assert {row["segment"]: row["customers"] for row in rows} == {0: 1} | dict.fromkeys(range(1, 59), 2) | {
        59: 1
    }


# Net Promoter Score


def test_scores_are_counted_up_to_the_as_of_day_and_empty_ones_are_not(frame_of):
    table = responses(
        ("ann", "2024-12-31", None, 10, True),
        ("ann", "2024-01-01", None, 10, True),
        ("bob", "2024-01-01", "good", 0, False),
        ("cat", "2024-01-01", "yes", None, True),  # asked as yes / no: not on the scale
        ("cat", "2025-01-01", None, 3, False),
    )

    rows = rows_of(score_counts(frame_of(table), as_of=AS_OF), by="recommendation")

    assert {row["recommendation"]: row["answers"] for row in rows} == {10: 2, 0: 1}
    assert rows_of(score_counts(frame_of(table), as_of=date(2000, 1, 1)), by="recommendation") == []


def test_thirty_percent_promoters_and_twenty_percent_detractors_make_plus_ten():
    nps = net_promoter_score({10: 20, 9: 10, 8: 25, 7: 25, 6: 10, 0: 10})

    assert nps == NetPromoterScore(answers=100, promoters=30, detractors=20)
    assert nps.score == 10
    assert nps.standard_error == pytest.approx(7)  # 100 × √((0.3 + 0.2 − 0.01) ÷ 100)


def test_one_half_promoters_and_one_sixth_detractors_make_a_third():
    nps = net_promoter_score({9: 3, 8: 2, 6: 1})

    assert nps.score == pytest.approx(33.3, abs=0.05)
    # p + d − (p − d)² = 2/3 − 1/9 = 5/9 of six answers
    assert nps.standard_error == pytest.approx(100 * math.sqrt(5 / 54))


def test_without_answers_there_is_no_score_and_no_error():
    nps = net_promoter_score({})

    assert nps.answers == 0
    assert nps.score is None
    assert nps.standard_error is None


def test_seven_and_eight_are_neither_and_six_and_nine_are_the_limits():
    assert net_promoter_score({7: 4, 8: 4}) == NetPromoterScore(8, 0, 0)
    assert net_promoter_score({6: 1}).score == -100
    assert net_promoter_score({9: 1}).score == 100


@given(st.lists(st.integers(0, 10), min_size=1, max_size=200))
def test_score_and_error_are_those_of_answers_counted_as_plus_one_zero_minus_one(given_scores):
    points = [100 * ((score >= 9) - (score <= 6)) for score in given_scores]
    mean = sum(points) / len(points)
    variance = sum((point - mean) ** 2 for point in points) / len(points)

    nps = net_promoter_score({score: given_scores.count(score) for score in set(given_scores)})

    assert nps.score == pytest.approx(mean)
    assert nps.standard_error == pytest.approx(math.sqrt(variance / len(points)), abs=1e-5)


def test_a_rate_is_a_quotient_and_nothing_where_there_is_no_whole():
    assert rate(1, 4) == 0.25
    assert rate(0, 4) == 0
    assert rate(1, 0) is None
    assert rate(Decimal(1), Decimal(2)) == Decimal("0.5")

"""Revenue by day and by period: sums that add up to the total, with both ends of a period in it."""

from datetime import date, timedelta
from decimal import Decimal

import narwhals as nw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.analytics.revenue import activity_by_bucket, revenue_by_day
from crm.analytics.tables import day_number
from tests.conftest import order_lines, rows_of

AS_OF = date(2024, 3, 31)

LINES = order_lines(
    ("1", "ann", "2024-03-01", "10.10"),  # two lines, one order
    ("1", "ann", "2024-03-01", "5.20"),
    ("2", "bob", "2024-03-01", "4.70"),
    ("R1", "bob", "2024-03-01", "-0.50"),
    ("R2", "ann", "2024-03-05", "-3.00"),  # a day of returns alone
    ("3", "cat", "2024-03-31", "1"),  # on the as-of day
    ("4", "cat", "2024-04-01", "999"),  # after it
)


def test_each_day_has_its_revenue_with_returns_and_its_purchases_without(frame_of):
    assert rows_of(revenue_by_day(frame_of(LINES), as_of=AS_OF), by="day") == [
        {"day": day_number(date(2024, 3, 1)), "revenue": 19.5, "purchases": 2, "purchase_total": 20.0},
        {"day": day_number(date(2024, 3, 5)), "revenue": -3.0, "purchases": 0, "purchase_total": 0.0},
        {"day": day_number(AS_OF), "revenue": 1.0, "purchases": 1, "purchase_total": 1.0},
    ]


def test_counts_are_whole_and_money_exact(frame_of):
    types = revenue_by_day(frame_of(LINES), as_of=AS_OF).collect_schema()

    assert types["purchases"] == nw.Int64()
    assert isinstance(types["revenue"], nw.Decimal)


def test_no_orders_give_no_days(frame_of):
    assert rows_of(revenue_by_day(frame_of(LINES), as_of=date(2000, 1, 1)), by="day") == []


def test_an_order_over_midnight_belongs_to_the_day_of_its_first_line(frame_of):
    lines = order_lines(("1", "ann", "2024-03-02", "10"), ("1", "ann", "2024-03-01", "-4"))

    (row,) = rows_of(revenue_by_day(frame_of(lines), as_of=AS_OF), by="day")

    assert (row["day"], row["revenue"], row["purchases"]) == (day_number(date(2024, 3, 1)), 6.0, 1)


@pytest.mark.parametrize(
    ("last", "width", "buyers"),
    [
        ("2024-03-31", 31, 3),
        ("2024-03-01", 1, 2),
        ("2024-03-31", 30, 1),  # ann only returned
        ("2024-03-30", 29, 0),
        ("2024-04-01", 2, 1),  # two orders, one customer
    ],
)
def test_buyers_of_a_period_are_counted_once_with_both_ends_inclusive(frame_of, last, width, buyers):
    day = date.fromisoformat(last)
    found = rows_of(activity_by_bucket(frame_of(LINES), last=day, width=width, buckets=1), by="bucket")

    assert sum(row["buyers"] for row in found) == buyers


def test_an_order_that_began_before_the_first_period_is_in_none(frame_of):
    """It is not cut in two: its later line does not make an order of its own."""
    lines = order_lines(("1", "ann", "2024-03-24", "10"), ("1", "ann", "2024-03-25", "5"))

    assert rows_of(activity_by_bucket(frame_of(lines), last=AS_OF, width=7, buckets=1), by="bucket") == []


def test_periods_are_counted_back_from_the_last_day(frame_of):
    lines = order_lines(
        ("1", "ann", "2024-03-31", "10"),  # newest day of the newest period
        ("2", "ann", "2024-03-25", "5"),  # its oldest
        ("R", "bob", "2024-03-28", "-2"),
        ("3", "ann", "2024-03-24", "7"),  # newest day of the one before
        ("4", "bob", "2024-03-18", "0.5"),  # its oldest
        ("5", "bob", "2024-03-17", "100"),  # before both
        ("6", "bob", "2024-04-01", "100"),  # after both
    )

    rows = rows_of(activity_by_bucket(frame_of(lines), last=AS_OF, width=7, buckets=2), by="bucket")

    assert rows == [
        {"bucket": 0, "revenue": 13.0, "purchases": 2, "purchase_total": 15.0, "buyers": 1},
        {"bucket": 1, "revenue": 7.5, "purchases": 2, "purchase_total": 7.5, "buyers": 2},
    ]


ORDER = st.tuples(
    st.integers(0, 12),
    st.integers(0, 99).map(lambda back: (AS_OF + timedelta(days=5 - back)).isoformat()),
    st.decimals(-50, 100, places=2).map(str),
)


@given(st.lists(ORDER, min_size=1, max_size=40), st.integers(1, 120))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_days_and_periods_add_up_to_the_revenue_of_all_orders(frame_of, drawn, width):
    # A day of its own for each order, so that no line of it lies outside the period.
    lines = order_lines(*[(f"{n}-{day}", f"c{n % 4}", day, amount) for n, day, amount in drawn])
    total = float(sum(Decimal(amount) for _, day, amount in drawn if day <= AS_OF.isoformat()))
    # One frame: 100 days are in it, however wide a period is.
    frame = frame_of(lines)

    days = rows_of(revenue_by_day(frame, as_of=AS_OF), by="day")
    buckets = rows_of(
        activity_by_bucket(frame, last=AS_OF, width=width, buckets=100 // width + 1), by="bucket"
    )

    assert round(sum(row["revenue"] for row in days), 4) == total
    assert round(sum(row["revenue"] for row in buckets), 4) == total
    assert sum(row["purchases"] for row in days) == sum(row["purchases"] for row in buckets)

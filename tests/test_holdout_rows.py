"""Rows before and after a cut, by purchase day and by calendar day, on every engine."""

from datetime import date, timedelta
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.analytics.customers import customer_days, customer_metrics
from crm.analytics.holdout_rows import (
    holdout_rows,
    holdout_rows_of_days,
    orders_across,
    purchase_days_of,
    purchases_by_day,
    purchases_by_day_of_days,
)
from crm.analytics.tables import day_number
from crm.errors import MissingColumns
from tests.conftest import on_duckdb, order_lines, rows_of

CUT, AS_OF = date(2024, 6, 30), date(2024, 9, 30)  # 92 days after the cut
FIRST = date(2020, 1, 1)  # before all orders

LINES = order_lines(
    ("1", "ann", "2023-07-01", "10.10"),  # 366 days before the first day after the cut: in no window
    ("2", "ann", "2023-07-02", "5.00"),  # a year before that day: the window of a year ago begins
    ("3", "ann", "2023-10-01", "6.00"),  # a year before the as-of day, less a day of the leap year: it ends
    ("4", "ann", "2023-10-02", "7.00"),  # past it
    ("5", "ann", "2024-03-30", "8.00"),  # 92 days before the cut: in no window
    ("6", "ann", "2024-03-31", "9.00"),  # the window that ends with the cut begins
    ("7", "ann", "2024-06-30", "0.20"),  # on the cut
    ("8", "ann", "2024-06-30", "0.10"),
    ("9", "ann", "2024-07-01", "20.00"),  # the day after it
    ("10", "ann", "2024-09-30", "30.00"),  # on the as-of day
    ("11", "ann", "2024-09-30", "1.00"),  # the same day again
    ("R1", "ann", "2024-09-15", "-4.00"),  # a later return
    ("12", "ann", "2024-10-01", "999.00"),  # after it all
    ("13", "bob", "2024-05-01", "12.00"),  # bought once
    ("R2", "bob", "2024-05-11", "-2.00"),
    ("14", "cat", "2024-07-01", "50.00"),  # came after the cut
    ("R3", "dot", "2024-06-01", "-3.00"),  # only returned before it
    ("15", "dot", "2024-07-01", "60.00"),
)


def test_what_was_known_at_the_cut_and_what_came_after_is_what_adding_up_by_hand_gives(frame_of):
    rows = rows_of(holdout_rows(frame_of(LINES), cut=CUT, as_of=AS_OF))

    assert rows == [
        {
            "customer_id": "ann",
            "purchase_days": 7,
            "recency_days": 0,
            "tenure_days": 365,
            "repeat_spend": pytest.approx(35.30),
            "revenue": pytest.approx(45.40),
            "purchase_total": pytest.approx(45.40),
            "later_purchase_days": 2,
            "later_revenue": 47.0,
            "previous_purchase_days": 2,
            "previous_revenue": pytest.approx(9.30),
            "year_ago_purchase_days": 2,
            "year_ago_revenue": 11.0,
        },
        {
            "customer_id": "bob",
            "purchase_days": 1,
            "recency_days": 60,
            "tenure_days": 60,
            "repeat_spend": 0.0,
            "revenue": 10.0,
            "purchase_total": 12.0,
            "later_purchase_days": 0,
            "later_revenue": 0.0,
            "previous_purchase_days": 1,
            "previous_revenue": 10.0,
            "year_ago_purchase_days": 0,
            "year_ago_revenue": 0.0,
        },
    ]


def test_a_line_that_an_order_gets_after_the_cut_changes_nothing_known_at_it(frame_of):
    """The line is later revenue; it makes no purchase day of its own, and no purchase of a return."""
    lines = order_lines(
        ("1", "ann", "2024-06-01", "10"),
        ("1", "ann", "2024-07-05", "-12"),  # with it, order 1 is no purchase any more
        ("2", "bob", "2024-06-01", "3"),
        ("3", "bob", "2024-06-20", "-5"),
        ("3", "bob", "2024-07-05", "50"),  # with it, order 3 is a purchase
    )

    rows = rows_of(holdout_rows(frame_of(lines), cut=CUT, as_of=AS_OF))

    named = (
        "customer_id",
        "purchase_days",
        "recency_days",
        "revenue",
        "later_purchase_days",
        "later_revenue",
    )
    assert [tuple(row[name] for name in named) for row in rows] == [
        ("ann", 1, 29, 10.0, 0, -12.0),
        ("bob", 1, 29, -2.0, 0, 50.0),
    ]


def test_days_added_up_before_give_the_same_where_no_order_reaches_over_the_cut(frame_of):
    days = customer_days(frame_of(LINES), as_of=AS_OF)

    assert rows_of(orders_across(days, cut=CUT)) == []
    assert rows_of(holdout_rows_of_days(days, cut=CUT, as_of=AS_OF)) == rows_of(
        holdout_rows(frame_of(LINES), cut=CUT, as_of=AS_OF)
    )


def test_an_order_with_lines_on_both_sides_of_the_cut_is_found(frame_of):
    """Order 2 goes on after the cut, in a day's row with order 1, which does not."""
    lines = order_lines(
        ("1", "ann", "2024-06-01", "10"),
        ("2", "ann", "2024-06-01", "5"),
        ("2", "ann", "2024-07-01", "5"),
        ("3", "bob", "2024-06-30", "1"),
        ("3", "bob", "2024-06-01", "1"),
        ("4", "cat", "2024-07-01", "1"),
        ("4", "cat", "2024-07-02", "1"),
        ("5", "dot", "2024-06-30", "1"),
        ("5", "dot", "2024-10-01", "1"),  # after the as-of day
    )
    days = customer_days(frame_of(lines), as_of=AS_OF)

    assert [row["customer_id"] for row in rows_of(orders_across(days, cut=CUT))] == ["ann"]


def test_a_window_of_a_year_ago_reaches_past_the_cut_where_more_than_a_year_follows_it(frame_of):
    lines = order_lines(
        ("1", "ann", "2024-06-01", "10"),
        ("2", "ann", "2024-08-01", "20"),
        ("3", "ann", "2025-07-30", "40"),
        ("4", "ann", "2025-08-01", "80"),
    )

    [row] = rows_of(holdout_rows(frame_of(lines), cut=CUT, as_of=date(2025, 8, 2)))

    assert (row["later_purchase_days"], row["later_revenue"]) == (3, 140.0)
    assert (row["year_ago_purchase_days"], row["year_ago_revenue"]) == (2, 30.0)
    assert (row["previous_purchase_days"], row["previous_revenue"]) == (1, 10.0)


def test_a_cut_before_all_orders_leaves_nobody(frame_of):
    assert rows_of(holdout_rows(frame_of(LINES), cut=date(2000, 1, 1), as_of=AS_OF)) == []


def test_a_notebooks_frame_of_dates_and_floats_is_enough():
    orders = pd.DataFrame(
        {
            "order_id": ["1", "2", "3"],
            "customer_id": ["a", "a", "a"],
            "ordered_at": pd.to_datetime(["2024-06-01", "2024-06-30", "2024-07-01"]),
            "amount": [0.1, 0.2, 0.4],
        }
    )

    rows = holdout_rows(orders, cut=CUT, as_of=AS_OF)

    assert isinstance(rows, pd.DataFrame)
    assert float(rows["repeat_spend"][0]) == 0.2
    assert float(rows["later_revenue"][0]) == 0.4
    with pytest.raises(MissingColumns, match="no column amount"):
        holdout_rows(orders.drop(columns="amount"), cut=CUT, as_of=AS_OF)


def test_the_purchase_days_of_a_customer_hold_what_was_bought_on_them(frame_of):
    lines = order_lines(
        ("1", "ann", "2024-01-10", "10.10"),
        ("1", "ann", "2024-01-10", "5.20"),
        ("2", "ann", "2024-01-10", "4.70"),
        ("R1", "ann", "2024-01-10", "-9.00"),
        ("R2", "ann", "2024-02-10", "-1.00"),  # no purchase, so no purchase day
        ("3", "bob", "2024-06-30", "0.30"),
        ("4", "bob", "2024-07-01", "1.00"),  # after the day asked for
    )

    rows = rows_of(purchase_days_of(frame_of(lines), as_of=CUT))

    assert rows == [
        {"customer_id": "ann", "day": day_number(date(2024, 1, 10)), "purchase_total": 20.0},
        {"customer_id": "bob", "day": day_number(CUT), "purchase_total": 0.3},
    ]


def test_each_day_counts_the_customers_who_bought_on_it_and_were_known_at_the_cut(frame_of):
    cut = date(2024, 1, 3)
    lines = order_lines(
        ("1", "ann", "2024-01-01", "1"),
        ("2", "ann", "2024-01-01", "1"),  # the same day again
        ("3", "ann", "2024-01-02", "1"),
        ("4", "bob", "2024-01-02", "1"),
        ("R1", "cat", "2024-01-01", "-1"),
        ("5", "cat", "2024-01-03", "1"),  # the first day that she bought
        ("6", "bob", "2024-01-04", "1"),
        ("6", "bob", "2024-01-05", "1"),  # the same order: no day of its own
        ("7", "cat", "2024-01-04", "1"),
        ("8", "ann", "2024-07-01", "1"),  # after the as-of day
        ("9", "dan", "2024-01-03", "1"),
        ("9", "dan", "2024-01-04", "-1"),  # taken back after the cut: known by then, and no day less
        ("10", "dan", "2024-01-06", "1"),
        ("11", "eve", "2024-01-04", "1"),  # came after the cut
    )

    def counted(after):
        rows = purchases_by_day(frame_of(lines), cut=cut, as_of=CUT, after=after)
        first = day_number(date(2024, 1, 1))
        return [(row["day"] - first, row["purchases"]) for row in rows_of(rows, by="day")]

    assert counted(date(2023, 12, 31)) == [(0, 1), (1, 2), (2, 2), (3, 2), (5, 1)]
    assert counted(date(2024, 1, 2)) == [(2, 2), (3, 2), (5, 1)]


LINE = st.tuples(
    st.sampled_from("123456789"),
    st.dates(date(2022, 6, 1), date(2024, 12, 31)).map(date.isoformat),
    st.decimals(-50, 100, places=2).map(str),
)


@pytest.mark.slow
@given(st.lists(LINE, min_size=1, max_size=40), st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_what_is_known_at_the_cut_is_the_table_of_that_day_and_nothing_is_lost_after_it(lines, later):
    as_of = CUT + timedelta(days=later)
    table = order_lines(*[(order, f"c{int(order) % 3}", day, amount) for order, day, amount in lines])
    frame = on_duckdb(table)

    rows = rows_of(holdout_rows(frame, cut=CUT, as_of=as_of))
    metrics = rows_of(customer_metrics(frame, as_of=CUT))
    after = {row["customer_id"]: row for row in rows_of(customer_metrics(frame, as_of=as_of))}

    by_day = customer_days(frame, as_of=as_of)
    sides = {(order, day <= CUT.isoformat()) for order, day, _ in lines if day <= as_of.isoformat()}
    across = any((order, True) in sides and (order, False) in sides for order, *_ in lines)
    assert bool(rows_of(orders_across(by_day, cut=CUT))) == across
    purchases = rows_of(purchases_by_day(frame, cut=CUT, as_of=as_of, after=FIRST), by="day")
    if not across:
        assert rows_of(holdout_rows_of_days(by_day, cut=CUT, as_of=as_of)) == rows
        assert rows_of(purchases_by_day_of_days(by_day, cut=CUT, after=FIRST), by="day") == purchases

    known = ("customer_id", "purchase_days", "recency_days", "tenure_days", "repeat_spend", "revenue")
    assert [[row[name] for name in known] for row in rows] == [
        [row[name] for name in known] for row in metrics if row["orders"]
    ]
    for row in rows:
        total = Decimal(str(row["revenue"])) + Decimal(str(row["later_revenue"]))
        assert total == Decimal(str(after[row["customer_id"]]["revenue"]))
    for what, middle in (("purchase_days", True), ("later_purchase_days", False)):
        of_days = [day["purchases"] for day in purchases if (day["day"] <= day_number(CUT)) is middle]
        assert sum(of_days) == sum(row[what] for row in rows)

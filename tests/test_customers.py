"""The per-customer table, on every engine."""

from datetime import date
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.analytics.customers import customer_days, customer_metrics, order_totals, purchase_histories
from crm.analytics.tables import day_number
from crm.errors import MissingColumns
from tests.conftest import on_duckdb, order_lines, rows_of

AS_OF = date(2024, 3, 31)

LINES = order_lines(
    ("1", "ann", "2024-01-10", "10.10"),  # two lines, one order
    ("1", "ann", "2024-01-10", "5.20"),
    ("2", "ann", "2024-01-10", "4.70"),  # a second order on the same day
    ("3", "ann", "2024-03-01", "20.00"),
    ("R1", "ann", "2024-03-05", "-5.00"),  # a return
    ("4", "bob", "2022-02-01", "100.00"),  # more than a year before the as-of day
    ("5", "bob", "2024-03-31", "0.30"),  # on the as-of day itself
    ("6", "bob", "2024-04-01", "999.00"),  # after it
    ("R2", "cat", "2024-02-02", "-7.00"),  # only ever returned
    ("7", "dot", "2024-02-02", "0.10"),  # 0.1 + 0.2 - 0.3 is no purchase
    ("7", "dot", "2024-02-02", "0.20"),
    ("7", "dot", "2024-02-02", "-0.30"),
)


def test_every_metric_of_a_customer_is_what_adding_up_by_hand_gives(frame_of):
    rows = rows_of(customer_metrics(frame_of(LINES), as_of=AS_OF))

    ann, bob, cat, dot = rows
    assert ann == {
        "customer_id": "ann",
        "first_order_day": date(2024, 1, 10),
        "last_order_day": date(2024, 3, 1),
        "orders": 3,
        "purchase_days": 2,
        "returns": 1,
        "revenue": 35.0,
        "annual_revenue": 35.0,
        "purchase_total": 40.0,
        "repeat_spend": 20.0,  # not the 4.70, which is of the first day too
        "average_order_value": pytest.approx(40 / 3),
        "recency_days": 30,
        "tenure_days": 81,
        "lifecycle_years": pytest.approx(81 / 365),
    }
    assert (bob["orders"], bob["revenue"], bob["annual_revenue"], bob["recency_days"]) == (2, 100.3, 0.3, 0)
    assert (cat["orders"], cat["returns"], cat["revenue"]) == (0, 1, -7.0)
    assert cat["first_order_day"] is cat["recency_days"] is cat["average_order_value"] is None
    assert (dot["orders"], dot["returns"], dot["revenue"]) == (0, 1, 0.0)
    assert [(row["purchase_total"], row["repeat_spend"]) for row in (bob, cat, dot)] == [
        (100.3, 0.3),
        (0.0, None),
        (0.0, None),
    ]


def exact(frame, name):
    """Return a money column by customer, with every digit."""
    rows = frame.select("customer_id", name).collect().iter_rows()
    return {key: getattr(value, "as_py", lambda value=value: value)() for key, value in rows}


def test_repeat_spend_is_exact_for_the_largest_amounts_and_for_days_before_1970(frame_of):
    """Of a largest amount on the first day and of one on a later day, no digit is lost."""
    most = "99999999999999.9999"
    lines = order_lines(
        ("1", "ann", "1969-12-30", most),
        ("2", "ann", "1969-12-30", most),
        ("3", "ann", "2024-01-01", "0.0001"),
        ("R1", "ann", "1969-12-29", "-1"),  # a return before the first purchase is not its day
        ("4", "bob", "2024-01-01", "0.0001"),
        ("5", "bob", "2024-01-02", most),
        ("6", "bob", "2024-01-02", "-1"),  # a return on a purchase day takes nothing off the purchases
        ("7", "cat", "2024-01-02", "3.5"),
    )

    metrics = customer_metrics(frame_of(lines), as_of=AS_OF)

    assert exact(metrics, "repeat_spend") == {
        "ann": Decimal("0.0001"),
        "bob": Decimal(most),
        "cat": Decimal(0),
    }
    assert exact(metrics, "purchase_total")["ann"] == 2 * Decimal(most) + Decimal("0.0001")


def test_customers_of_one_history_are_counted_and_added_up_together(frame_of):
    """Histories tell purchase days, not orders or money; those who only returned have none."""
    lines = order_lines(
        ("1", "ann", "2024-03-01", "10"),
        ("2", "ann", "2024-03-11", "20.50"),
        ("3", "bob", "2024-03-01", "1"),
        ("4", "bob", "2024-03-01", "2"),
        ("5", "bob", "2024-03-11", "4.25"),
        ("R1", "bob", "2024-03-20", "-3"),
        ("6", "cat", "2024-03-01", "7"),
        ("R2", "dot", "2024-03-01", "-7"),
    )

    histories = purchase_histories(customer_metrics(frame_of(lines), as_of=AS_OF))

    assert rows_of(histories, by="purchase_days") == [
        {
            "purchase_days": 1,
            "recency_days": 30,
            "tenure_days": 30,
            "customers": 1,
            "repeat_spend": 0.0,
            "revenue": 7.0,
            "purchase_total": 7.0,
        },
        {
            "purchase_days": 2,
            "recency_days": 20,
            "tenure_days": 30,
            "customers": 2,
            "repeat_spend": 24.75,
            "revenue": 34.75,
            "purchase_total": 37.75,
        },
    ]


def test_an_as_of_day_before_all_orders_gives_no_customers(frame_of):
    assert rows_of(customer_metrics(frame_of(LINES), as_of=date(2000, 1, 1))) == []


def test_orders_are_totalled_over_their_lines(frame_of):
    totals = rows_of(order_totals(frame_of(LINES), as_of=AS_OF), by="order_id")

    assert [(row["order_id"], row["total"]) for row in totals] == [
        ("1", 15.3),
        ("2", 4.7),
        ("3", 20.0),
        ("4", 100.0),
        ("5", 0.3),
        ("7", 0.0),
        ("R1", -5.0),
        ("R2", -7.0),
    ]


def test_a_customers_day_holds_the_orders_that_began_on_it(frame_of):
    lines = order_lines(
        ("1", "ann", "2024-01-10", "5"),
        ("1", "ann", "2024-01-12", "2.50"),  # a later line of the same order
        ("2", "ann", "2024-01-10", "-3"),
        ("3", "ann", "2024-01-12", "1"),
        ("4", "bob", "2024-01-10", "-2"),
        ("5", "bob", "2025-01-10", "9"),  # after the as-of day
    )

    rows = rows_of(customer_days(frame_of(lines), as_of=AS_OF), by=["customer_id", "day"])

    tenth, twelfth = (day_number(date(2024, 1, day)) for day in (10, 12))
    names = ("customer_id", "day", "orders", "all_orders", "revenue", "purchase_total", "last_line_day")
    assert rows == [
        dict(zip(names, ("ann", tenth, 1, 2, 4.5, 7.5, twelfth), strict=True)),
        dict(zip(names, ("ann", twelfth, 1, 1, 1.0, 1.0, twelfth), strict=True)),
        dict(zip(names, ("bob", tenth, 0, 1, -2.0, 0.0, tenth), strict=True)),
    ]


def test_a_pandas_frame_with_dates_and_floats_is_enough():
    """A notebook user has ordered_at and float amounts, and gets a pandas frame back."""
    orders = pd.DataFrame(
        {
            "order_id": ["1", "1", "1"],
            "customer_id": ["a", "a", "a"],
            "ordered_at": pd.to_datetime(["2024-01-01 23:59"] * 3),
            "amount": [0.1, 0.2, -0.3],
        }
    )

    metrics = customer_metrics(orders, as_of=date(2024, 1, 2))

    assert isinstance(metrics, pd.DataFrame)
    assert list(metrics["orders"]) == [0]
    assert list(metrics["returns"]) == [1]


def test_a_missing_column_is_named_with_those_there_are(frame_of):
    frame = frame_of(LINES).drop("amount")

    with pytest.raises(MissingColumns, match=r"no column amount.*Found: order_id"):
        customer_metrics(frame, as_of=AS_OF)


LINE = st.tuples(
    st.sampled_from("123456"),
    st.dates(date(2023, 1, 1), date(2024, 3, 31)).map(date.isoformat),
    st.decimals(-100, 100, places=2).map(str),
)


@pytest.mark.slow
@given(st.lists(LINE, min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_repeat_spend_is_what_the_days_after_the_first_add_up_to(lines):
    rows = [(order, f"c{int(order) % 3}", day, amount) for order, day, amount in lines]
    metrics = customer_metrics(on_duckdb(order_lines(*rows)), as_of=AS_OF)

    totals, placed = {}, {}
    for order, customer, day, amount in rows:
        totals[customer, order] = totals.get((customer, order), 0) + Decimal(amount)
        placed[customer, order] = min(day, placed.get((customer, order), day))
    expected = {}
    for customer, _ in totals:
        bought = [(placed[key], total) for key, total in totals.items() if key[0] == customer and total > 0]
        first = min((day for day, _ in bought), default=None)
        expected[customer] = sum(total for day, total in bought if day > first) if bought else None
    assert exact(metrics, "repeat_spend") == expected


@pytest.mark.slow
@given(st.lists(LINE, min_size=1, max_size=30), st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_order_of_rows_and_the_split_into_lines_change_nothing(lines, random):
    """Same metrics for shuffled rows, and for a line split in two halves of the same sum."""
    rows = [(f"{order}", f"c{int(order) % 3}", day, amount) for order, day, amount in lines]
    shuffled = [*rows, ("1", "c1", rows[0][2] if rows[0][0] == "1" else "2024-03-31", "0")]
    base = [*shuffled]
    random.shuffle(shuffled)

    def metrics(table_rows):
        frame = on_duckdb(order_lines(*table_rows))
        return rows_of(customer_metrics(frame, as_of=AS_OF))

    assert metrics(shuffled) == metrics(base)
    assert sum(row["revenue"] for row in metrics(base)) == pytest.approx(sum(float(row[3]) for row in base))

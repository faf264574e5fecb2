"""Cohorts by the month of the first purchase: what they brought, month by month."""

import math
from collections import defaultdict
from datetime import date, timedelta

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.analytics.cohorts import (
    ENOUGH_SHARE,
    cohort_values,
    month_of,
    month_text,
    payback_month,
    value_curves,
)
from tests.conftest import order_lines, rows_of

KEYS = ["cohort", "months_over", "age"]
JANUARY, MARCH = 2024 * 12, 2024 * 12 + 2

# A twelfth of 365 days: age 0 is the first 31 days (0 to 30), age 1 the next 30 (31 to 60), age 2 the next 31 (61 to 91).
LINES = order_lines(
    ("R0", "ann", "2023-12-31", "-5"),  # a return before any purchase belongs to no month
    ("1", "ann", "2024-01-01", "10"),
    ("1", "ann", "2024-01-01", "2.50"),
    ("2", "ann", "2024-01-31", "20"),  # day 30: still her first month
    ("3", "ann", "2024-02-01", "30"),  # day 31: her second
    ("R1", "ann", "2024-03-01", "-4"),  # day 60, a return
    ("4", "ann", "2024-03-02", "100"),  # day 61: her third
    ("5", "bob", "2024-01-31", "7"),
    ("6", "bob", "2024-03-02", "1"),  # day 31
    ("7", "cat", "2024-03-01", "50"),
    ("8", "dot", "2024-03-31", "60"),  # the as-of day itself
    ("9", "dot", "2024-04-01", "999"),  # after it
    ("R2", "eve", "2024-01-05", "-30"),  # never bought
)
AS_OF = date(2024, 3, 31)


def test_each_cohort_is_summed_by_the_customers_own_months(frame_of):
    rows = rows_of(cohort_values(frame_of(LINES), as_of=AS_OF), by=KEYS)

    # By 31 March 91 days of Ann's are over (2 months), 61 of Bob's (2), 31 of Cat's (1) and 1 of Dot's (0).
    assert rows == [
        {"cohort": JANUARY, "months_over": 2, "age": 0, "customers": 2, "revenue": 39.5},
        {"cohort": JANUARY, "months_over": 2, "age": 1, "customers": 2, "revenue": 27.0},
        {"cohort": JANUARY, "months_over": 2, "age": 2, "customers": 1, "revenue": 100.0},
        {"cohort": MARCH, "months_over": 0, "age": 0, "customers": 1, "revenue": 60.0},
        {"cohort": MARCH, "months_over": 1, "age": 0, "customers": 1, "revenue": 50.0},
    ]


def test_cohorts_can_be_those_of_another_table(frame_of):
    by = pa.table({"customer_id": ["ann", "bob", "cat"], "cohort": ["web", "fair", "web"]})

    rows = rows_of(cohort_values(frame_of(LINES), as_of=AS_OF, by=frame_of(by)), by=KEYS)

    assert [(row["cohort"], row["months_over"], row["age"], row["revenue"]) for row in rows] == [
        ("Unknown", 0, 0, 60.0),
        ("fair", 2, 0, 7.0),
        ("fair", 2, 1, 1.0),
        ("web", 1, 0, 50.0),
        ("web", 2, 0, 32.5),
        ("web", 2, 1, 26.0),
        ("web", 2, 2, 100.0),
    ]


def test_before_the_first_order_there_are_no_cohorts(frame_of):
    frame = cohort_values(frame_of(LINES), as_of=date(2023, 1, 1))

    assert rows_of(frame, by=KEYS) == []


def test_a_pandas_frame_is_answered_with_a_pandas_frame():
    values = cohort_values(LINES.to_pandas(), as_of=AS_OF)

    assert isinstance(values, pd.DataFrame)
    assert value_curves(values)["value"].tolist()[:2] == [19.75, 33.25]


def test_months_are_numbered_and_read_alike(frame_of):
    days = [date(1999, 12, 31), date(2000, 1, 1), date(2024, 2, 29)]
    frame = frame_of(pa.table({"day": pa.array(days, pa.date32())}))

    rows = rows_of(frame.with_columns(month=month_of(nw.col("day"))), by="month")

    assert [month_text(row["month"]) for row in rows] == ["1999-12", "2000-01", "2024-02"]


# Curves


def collected(lines, as_of, by=None):
    frame = nw.from_native(lines.to_pandas(types_mapper=pd.ArrowDtype)).lazy()
    other = None if by is None else nw.from_native(by.to_pandas(types_mapper=pd.ArrowDtype)).lazy()
    return cohort_values(frame, as_of=as_of, by=other).collect().to_native()


def curves(lines, as_of, by=None, **options):
    found = value_curves(collected(lines, as_of, by), **options)
    return {
        cohort: [None if math.isnan(value) else round(value, 9) for value in rows["value"]]
        for cohort, rows in found.groupby("cohort")
    }


def test_curves_add_up_per_customer_and_blank_what_is_not_over_for_all():
    assert curves(LINES, AS_OF) == {"2024-01": [19.75, 33.25, None], "2024-03": [None, None]}
    # Ann's third month is over on her 92nd day, but Bob's is on his, 1 May, when her fourth is too.
    assert curves(LINES, date(2024, 4, 1))["2024-01"] == [19.75, 33.25, None, None]
    assert curves(LINES, date(2024, 4, 30))["2024-01"] == [19.75, 33.25, None, None]
    assert curves(LINES, date(2024, 5, 1))["2024-01"] == [19.75, 33.25, 83.25, None, None]


def test_a_month_is_over_on_its_last_day():
    lines = order_lines(("1", "ann", "2024-01-01", "10"))

    assert curves(lines, date(2024, 1, 30)) == {"2024-01": [None]}
    assert curves(lines, date(2024, 1, 31)) == {"2024-01": [10.0, None]}  # its 31st day
    assert curves(lines, date(2024, 1, 1) + timedelta(days=364))["2024-01"] == [10.0] * 12 + [None]


def test_a_month_without_revenue_keeps_the_value_of_the_one_before():
    lines = order_lines(("1", "ann", "2024-01-01", "10"), ("2", "ann", "2024-04-10", "5"))

    assert curves(lines, date(2024, 5, 15))["2024-01"] == [10.0, 10.0, 10.0, 15.0, None]


def test_margin_takes_its_share_of_the_curve():
    assert curves(LINES, AS_OF, margin=0.4)["2024-01"] == [7.9, 13.3, None]


def test_a_curve_says_its_cohorts_size_and_months_in_order():
    found = value_curves(collected(LINES, AS_OF))

    assert found.columns.tolist() == ["cohort", "months", "customers", "value"]
    assert found[["cohort", "months", "customers"]].to_numpy().tolist() == [
        ["2024-01", 0, 2],
        ["2024-01", 1, 2],
        ["2024-01", 2, 2],
        ["2024-03", 0, 2],
        ["2024-03", 1, 2],
    ]


def test_without_rows_there_are_no_curves():
    found = value_curves(collected(LINES, date(2023, 1, 1)))

    assert found.empty
    assert found.columns.tolist() == ["cohort", "months", "customers", "value"]


def test_a_group_that_customers_still_join_counts_those_for_whom_the_month_is_over():
    by = pa.table({"customer_id": ["ann", "bob", "cat", "dot"], "cohort": ["web"] * 4})

    # Month 0 is over for Ann, Bob and Cat: (32.5 + 7 + 50) / 3; month 1 for Ann and Bob: + (26 + 1) / 2.
    assert curves(LINES, AS_OF, by, share=ENOUGH_SHARE) == {"web": [29.833333333, 43.333333333, None]}
    assert curves(LINES, AS_OF, by) == {"web": [None, None, None]}
    assert curves(LINES, AS_OF, by, share=0.6) == {"web": [29.833333333, None, None]}


@st.composite
def shops(draw):
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from("abcdef"), st.integers(0, 500), st.integers(-300, 900)),
            min_size=1,
            max_size=40,
        )
    )
    start = date(2023, 1, 1)
    return [
        (str(number), who, (start + timedelta(days=day)).isoformat(), str(amount))
        for number, (who, day, amount) in enumerate(rows)
    ]


@settings(max_examples=60, deadline=None)
@given(shops(), st.integers(0, 600))
def test_curves_are_what_a_loop_over_customers_gives(rows, length):
    as_of = date(2023, 1, 1) + timedelta(days=length)
    orders = defaultdict(list)
    for _, who, day, amount in rows:
        if date.fromisoformat(day) <= as_of:
            orders[who].append((date.fromisoformat(day), int(amount)))
    cohorts = defaultdict(list)
    for lines in orders.values():
        first = min((day for day, amount in lines if amount > 0), default=None)
        if first is not None:
            since = [((day - first).days, amount) for day, amount in lines if day >= first]
            cohorts[first.strftime("%Y-%m")].append((first, since))
    expected = {}
    for cohort, members in cohorts.items():
        oldest = max((as_of - first).days + 1 for first, _ in members)
        expected[cohort] = []
        for month in range(oldest * 12 // 365 + 1):
            over = all(((as_of - first).days + 1) * 12 >= (month + 1) * 365 for first, _ in members)
            total = sum(
                amount for _, since in members for day, amount in since if day * 12 < (month + 1) * 365
            )
            expected[cohort].append(pytest.approx(total / len(members)) if over else None)

    assert curves(order_lines(*rows), as_of) == expected


# Payback


def test_payback_is_the_first_month_that_reaches_the_cost():
    curve = [(0, 10.0), (1, 25.0), (2, 20.0), (3, math.nan)]

    assert payback_month(curve, 10) == 0
    assert payback_month(curve, 10.01) == 1
    assert payback_month(reversed(curve), 22) == 1
    assert payback_month(curve, 25.01) is None
    assert payback_month([], 0) is None

"""Lifetime value by discounted cash flow, its assumptions and the test of the rule behind it."""

import math
from datetime import date, timedelta
from decimal import Decimal

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.analytics import lifetime_value as ltv
from crm.analytics.lifetime_value import Assumptions, FlatRevenueTest, dcf_lifetime_value, value_bins
from crm.errors import InvalidValue
from crm.schema import MONEY
from tests.conftest import order_lines, rows_of

CUSTOMERS = pa.table(
    {
        "customer_id": ["free", "own cost", "nothing bought", "returned"],
        "annual_revenue": pa.array([Decimal("100"), Decimal("100"), Decimal("0"), Decimal("-50")], MONEY),
        "acquisition_cost": pa.array([None, Decimal("12.5"), None, Decimal("0")], MONEY),
    }
)


def values(frame_of, assumptions):
    frame = frame_of(CUSTOMERS).with_columns(value=dcf_lifetime_value(assumptions))
    return {row["customer_id"]: row["value"] for row in rows_of(frame)}


# The formula


def test_without_discount_the_value_is_the_plain_sum(frame_of):
    result = values(frame_of, Assumptions(years=4, discount_rate=0))

    assert result == {"free": 400.0, "own cost": 387.5, "nothing bought": 0.0, "returned": -200.0}


def test_one_year_at_a_hundred_percent_halves(frame_of):
    result = values(frame_of, Assumptions(years=1, discount_rate=1))

    assert result == {"free": 50.0, "own cost": 37.5, "nothing bought": 0.0, "returned": -25.0}


def test_a_customers_own_acquisition_cost_comes_before_the_general_one(frame_of):
    result = values(frame_of, Assumptions(years=1, discount_rate=0, acquisition_cost=30))

    assert result == {"free": 70.0, "own cost": 87.5, "nothing bought": -30.0, "returned": -50.0}


def test_margin_takes_its_share_of_revenue_and_not_of_cost(frame_of):
    result = values(frame_of, Assumptions(years=2, discount_rate=0, margin=0.25, acquisition_cost=10))

    assert result == {"free": 40.0, "own cost": 37.5, "nothing bought": -10.0, "returned": -25.0}


def test_three_years_at_ten_percent_are_what_a_pocket_calculator_gives(frame_of):
    result = values(frame_of, Assumptions(years=3, discount_rate=0.1))

    # 100 / 1.1 + 100 / 1.21 + 100 / 1.331
    assert result["free"] == pytest.approx(90.909091 + 82.644628 + 75.131480, abs=1e-6)


@given(st.integers(1, 100), st.floats(0.0001, 1))
def test_the_annuity_is_the_closed_form_of_the_sum(years, rate):
    assert Assumptions(years=years, discount_rate=rate).annuity == pytest.approx(
        -math.expm1(-years * math.log1p(rate)) / rate
    )


# What is refused


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"discount_rate": -0.05}, "The discount rate is −5 % a year."),
        ({"discount_rate": 1.07}, "The discount rate is 107 % a year."),
        ({"discount_rate": 12}, "The discount rate is 1200 % a year."),
        ({"discount_rate": 1.00001}, "The discount rate is 100.001 % a year."),
        ({"margin": -0.2}, "The margin is −20 %."),
        ({"margin": 1.5}, "The margin is 150 %."),
        ({"years": 0}, "The horizon is 0 years."),
        ({"years": -3}, "The horizon is −3 years."),
        ({"years": 101}, "The horizon is 101 years."),
        ({"years": 2.5}, "The horizon is 2.5 years."),
        ({"acquisition_cost": -5}, "The acquisition cost is −5.00."),
        ({"acquisition_cost": 2e12}, "The acquisition cost is 2,000,000,000,000.00."),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_an_assumption_that_cannot_be_is_refused_in_a_managers_words(wrong, said):
    with pytest.raises(InvalidValue) as refused:
        Assumptions(**wrong)

    assert refused.value.message == said
    assert refused.value.hint.startswith("Choose a")


@pytest.mark.parametrize("name", ["years", "discount_rate", "margin", "acquisition_cost"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(name, value):
    with pytest.raises(InvalidValue):
        Assumptions(**{name: value})


def test_the_ends_of_every_range_are_taken():
    Assumptions(years=1, discount_rate=0, margin=0, acquisition_cost=0)
    Assumptions(years=100, discount_rate=1, margin=1, acquisition_cost=999_999_999_999.99)


# Bins


def test_values_fall_into_bins_and_the_ends_take_what_lies_beyond(frame_of):
    amounts = [-999.0, -10.1, -10.0, -0.1, 0.0, 9.9, 10.0, 29.9, 30.0, 1e9]
    frame = frame_of(pa.table({"value": amounts}))

    rows = rows_of(frame.with_columns(bin=value_bins(nw.col("value"), low=-10, width=10, bins=4)), by="value")

    assert {row["value"]: row["bin"] for row in rows} == dict(
        zip(amounts, [0, 0, 0, 0, 1, 1, 2, 3, 3, 3], strict=True)
    )


# The test of the rule


def test_the_rule_is_tested_on_a_year_or_on_half_of_a_shorter_history():
    # 366 days of 2024: a year after the cut, a year before it.
    assert ltv.test_window(date(2020, 5, 1), date(2024, 12, 31)) == (date(2024, 1, 1), 365)
    # 1 to 5 January against 6 to 10 January.
    assert ltv.test_window(date(2024, 1, 1), date(2024, 1, 10)) == (date(2024, 1, 5), 5)
    # Of 11 days the first is left out.
    assert ltv.test_window(date(2024, 1, 1), date(2024, 1, 11)) == (date(2024, 1, 6), 5)
    assert ltv.test_window(date(2024, 1, 1), date(2024, 1, 1)) == (date(2024, 1, 1), 0)


@given(st.dates(date(1990, 1, 1), date(2030, 1, 1)), st.integers(0, 2000))
def test_both_halves_of_the_window_lie_within_the_history(first, length):
    as_of = first + timedelta(days=length)
    cut, days = ltv.test_window(first, as_of)

    assert cut + timedelta(days=days) == as_of
    assert cut - timedelta(days=days) + timedelta(days=1) >= first
    assert days == 365 or 2 * days in (length, length + 1)


def test_revenue_before_and_after_the_cut_is_that_of_customers_there_by_then(frame_of):
    lines = order_lines(
        ("0", "ann", "2024-01-05", "800"),  # the day before the first half
        ("1", "ann", "2024-01-06", "10.10"),  # first day of the first half
        ("2", "ann", "2024-01-10", "5.20"),  # the cut itself
        ("3", "ann", "2024-01-11", "4"),  # first day of the second half
        ("R", "ann", "2024-01-15", "-1.50"),  # last day of it, a return
        ("4", "ann", "2024-01-16", "999"),  # after it
        ("5", "bob", "2023-01-01", "700"),  # known by the cut, before the first half
        ("6", "bob", "2024-01-12", "3"),
        ("7", "cat", "2024-01-11", "500"),  # came after the cut: nobody could have forecast her
        ("8", "dot", "2022-01-01", "600"),  # bought in neither half
    )

    row = rows_of(ltv.flat_revenue_halves(frame_of(lines), cut=date(2024, 1, 10), days=5), by="customers")

    assert row == [{"customers": 2, "predicted": pytest.approx(15.3), "actual": 5.5}]


def test_a_window_without_orders_has_no_customers_and_no_revenue(frame_of):
    lines = order_lines(("1", "ann", "2020-01-06", "10"))

    rows = rows_of(ltv.flat_revenue_halves(frame_of(lines), cut=date(2024, 1, 10), days=5), by="customers")

    assert rows == [{"customers": 0, "predicted": 0.0, "actual": 0.0}]


def test_bias_is_the_error_as_a_share_of_what_came():
    def bias(predicted, actual):
        return FlatRevenueTest(date(2024, 1, 1), 365, predicted, actual, 10).bias

    assert bias(150.0, 100.0) == 0.5
    assert bias(80.0, 100.0) == pytest.approx(-0.2)
    assert bias(100.0, 100.0) == 0
    assert bias(0.0, 100.0) == -1
    assert bias(100.0, 0.0) is None
    assert bias(100.0, -5.0) is None
    assert bias(None, None) is None


# The verdict


@pytest.mark.parametrize(
    ("predicted", "actual", "said"),
    [
        (120.0, 100.0, ()),
        (80.0, 100.0, ()),
        (121.0, 100.0, ("On this history the rule was off by +21.0%, more than 20%.",)),
        (79.0, 100.0, ("On this history the rule was off by −21.0%, more than 20%.",)),
    ],
)
def test_the_rule_is_usable_up_to_a_fifth_off(predicted, actual, said):
    test = FlatRevenueTest(date(2025, 6, 30), 365, predicted, actual, 10)

    assert test.verdict_reasons == said
    assert test.usable is (not said)


def test_without_a_figure_to_compare_with_the_rule_is_not_usable():
    test = FlatRevenueTest(date(2025, 6, 30), 365, 100.0, 0.0, 10)

    assert len(test.verdict_reasons) == 1
    assert not test.usable


def test_a_refused_test_gives_its_own_reasons():
    test = FlatRevenueTest(None, 0, None, None, 0, ("There are no orders up to this day.",))

    assert test.verdict_reasons == ("There are no orders up to this day.",)
    assert not test.usable


def test_assumptions_are_said_in_words():
    assert Assumptions().sentence() == "Lifetime value: 3 years at 10 % a year, margin 100 %"
    assert Assumptions(1, 0.075, 0.1, 30).sentence() == (
        "Lifetime value: 1 year at 7.5 % a year, margin 10 %, acquisition cost 30.00 where a contact states none"
    )

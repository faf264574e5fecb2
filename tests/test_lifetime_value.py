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
from crm.analytics.lifetime_value import (
    Assumptions,
    FlatRevenueTest,
    Retention,
    Swing,
    bridge,
    dcf_lifetime_value,
    tornado,
    value_bins,
)
from crm.errors import InvalidValue
from crm.schema import MONEY
from tests.conftest import order_lines, rows_of
from tests.spelling import plain

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


# What winning a customer cost

BY_CHANNEL = pa.table(
    {
        "customer_id": [
            "own",
            "search",
            "spelled otherwise",
            "chinese",
            "other channel",
            "no channel",
            "blank",
        ],
        "channel": ["search", "search", "\u3000SEARCH \t", "微信", "fair", None, " "],
        "annual_revenue": pa.array([Decimal("100")] * 7, MONEY),
        "acquisition_cost": pa.array([Decimal("0"), *[None] * 6], MONEY),
    }
)


def test_a_channels_cost_stands_between_the_contacts_own_and_the_general_one(frame_of):
    assumptions = Assumptions(
        years=1, discount_rate=0, acquisition_cost=7, channel_costs=((" Search", 12), ("微信", 3.5))
    )
    frame = frame_of(BY_CHANNEL).with_columns(
        cost=ltv.acquisition_cost_of(assumptions), value=dcf_lifetime_value(assumptions)
    )

    rows = {row["customer_id"]: (row["cost"], row["value"]) for row in rows_of(frame)}

    assert rows == {
        "own": (0.0, 100.0),
        "search": (12.0, 88.0),
        "spelled otherwise": (12.0, 88.0),
        "chinese": (3.5, 96.5),
        "other channel": (7.0, 93.0),
        "no channel": (7.0, 93.0),
        "blank": (7.0, 93.0),
    }


def test_without_costs_by_channel_a_table_needs_no_channel(frame_of):
    frame = frame_of(CUSTOMERS).with_columns(cost=ltv.acquisition_cost_of(Assumptions(acquisition_cost=4)))

    assert [row["cost"] for row in rows_of(frame)] == [4.0, 4.0, 12.5, 0.0]


def test_costs_by_channel_come_back_from_json_whatever_the_order():
    costs = ((" search ", 12), ("fair", 0.5))
    stored = ltv.channel_costs_as_json(costs)

    assert stored == {"search": 12.0, "fair": 0.5}
    assert ltv.channel_costs_from(stored) == (("fair", 0.5), ("search", 12.0))
    assert ltv.channel_costs_from(dict(reversed(stored.items()))) == ltv.channel_costs_from(stored)
    assert ltv.channel_costs_from(None) == ltv.channel_costs_from({}) == ()


@pytest.mark.parametrize("stored", [[1], "search", {"search": "12"}, {"search": None}, {"search": True}])
def test_what_is_no_table_of_costs_is_refused(stored):
    with pytest.raises(InvalidValue, match="not amounts by channel"):
        ltv.channel_costs_from(stored)


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
        ({"channel_costs": (("ad", -1),)}, "The acquisition cost of the channel “ad” is −1.00."),
        ({"channel_costs": (("ad", math.nan),)}, "The acquisition cost of the channel “ad” is nan."),
        (
            {"channel_costs": (("ad", 1e12),)},
            "The acquisition cost of the channel “ad” is 1,000,000,000,000.00.",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_an_assumption_that_cannot_be_is_refused_in_a_managers_words(wrong, said):
    with pytest.raises(InvalidValue) as refused:
        Assumptions(**wrong)

    assert refused.value.message == said
    assert refused.value.hint.startswith("Choose a")


def test_a_channel_has_one_cost_and_a_name():
    with pytest.raises(InvalidValue, match="The channel “Ad” has more than one acquisition cost"):
        Assumptions(channel_costs=(("ad", 1), (" Ad ", 2)))
    with pytest.raises(InvalidValue, match="names no channel"):
        Assumptions(channel_costs=((" ", 1),))


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
        (121.0, 100.0, ("On this history the rule was off by +21.0 %, more than 20 %.",)),
        (79.0, 100.0, ("On this history the rule was off by −21.0 %, more than 20 %.",)),
    ],
)
def test_the_rule_is_usable_up_to_a_fifth_off(predicted, actual, said):
    test = FlatRevenueTest(date(2025, 6, 30), 365, predicted, actual, 10)

    assert tuple(map(plain, test.verdict_reasons)) == said
    assert test.usable is (not said)


def test_without_a_figure_to_compare_with_the_rule_is_not_usable():
    missed = FlatRevenueTest(date(2025, 6, 30), 365, 100.0, 0.0, 10)
    empty = FlatRevenueTest(date(2025, 6, 30), 365, 0.0, 0.0, 10)

    assert (missed.failed, missed.verdict_reasons) == (
        True,
        ("What the rule predicted did not come at all.",),
    )
    assert (empty.failed, len(empty.verdict_reasons)) == (False, 1)
    assert not missed.usable
    assert not empty.usable


def test_a_refused_test_gives_its_own_reasons():
    test = FlatRevenueTest(None, 0, None, None, 0, ("There are no orders up to this day.",))

    assert test.verdict_reasons == ("There are no orders up to this day.",)
    assert not test.usable


def test_assumptions_are_said_in_words():
    assert Assumptions().sentence() == "Lifetime value: 3 years at 10 % a year, margin 100 %"
    assert Assumptions(1, 0.075, 0.1, 30).sentence() == (
        "Lifetime value: 1 year at 7.5 % a year, margin 10 %, acquisition cost 30.00 where a contact states none"
    )
    assert Assumptions(channel_costs=(("ad", 2.5), ("fair", 1200))).sentence() == (
        "Lifetime value: 3 years at 10 % a year, margin 100 %, acquisition cost by channel "
        "(ad 2.50; fair 1,200.00; any other 0.00) where a contact states none"
    )


# Retention


def test_retention_counts_who_bought_before_and_again_after_the_cut(frame_of):
    lines = order_lines(
        ("1", "both", "2024-01-06", "10"),  # first day of the first half
        ("2", "both", "2024-01-15", "10"),  # last day of the second
        ("3", "left", "2024-01-10", "10"),  # the cut itself
        ("4", "left", "2024-01-16", "10"),  # after the second half
        ("5", "twice", "2024-01-07", "10"),
        ("6", "twice", "2024-01-08", "10"),
        ("7", "twice", "2024-01-11", "10"),  # first day of the second half
        ("8", "twice", "2024-01-12", "10"),
        ("9", "new", "2024-01-11", "10"),
        ("A", "long ago", "2024-01-05", "10"),  # the day before the first half
        ("B", "long ago", "2024-01-12", "10"),
        ("C", "returned", "2024-01-09", "10"),
        ("D", "returned", "2024-01-12", "-10"),  # a return is no purchase
        ("E", "never bought", "2024-01-09", "-10"),
    )

    row = rows_of(ltv.yearly_retention(frame_of(lines), cut=date(2024, 1, 10), days=5), by="customers")

    assert row == [{"customers": 4, "kept": 2}]


def test_retention_of_no_orders_is_of_nobody(frame_of):
    lines = order_lines(("1", "ann", "2020-01-06", "10"))

    rows = rows_of(ltv.yearly_retention(frame_of(lines), cut=date(2024, 1, 10), days=5), by="customers")

    assert rows == [{"customers": 0, "kept": 0}]
    assert Retention(date(2024, 1, 10), 365, 0, 0).rate is None
    assert "Nobody bought" in Retention(date(2024, 1, 10), 365, 0, 0).sentence()


def test_the_share_of_a_part_of_a_year_is_made_yearly():
    assert Retention(date(2025, 6, 30), 365, 200, 150).rate == 0.75
    assert Retention(date(2025, 6, 30), 73, 10, 5).rate == pytest.approx(0.5**5)
    assert Retention(date(2025, 6, 30), 73, 10, 0).rate == 0
    assert Retention(date(2025, 6, 30), 73, 10, 10).rate == 1
    assert Retention(None, 20, 0, 0, ("Too short.",)).rate is None


def test_retention_is_said_in_words():
    assert plain(Retention(date(2025, 6, 30), 365, 1200, 600).sentence()) == (
        "Of the 1,200 customers who bought in the 365 days up to 30 Jun 2025, 600 (50 %) bought again in the "
        "365 days after."
    )
    assert plain(Retention(date(2025, 6, 30), 73, 10, 9).sentence()).endswith(
        "after; a year at that pace keeps 59 %, and more where customers buy more rarely than every 73 days."
    )
    assert Retention(None, 20, 0, 0, ("Too short.", "Really.")).sentence() == "Too short. Really."


def test_the_retained_annuity_is_what_a_pocket_calculator_gives():
    # 0.5 / 1.1 + 0.25 / 1.21
    assert Assumptions(years=2, discount_rate=0.1).retained_annuity(0.5) == pytest.approx(
        0.4545454545 + 0.2066115702
    )
    assert Assumptions(years=3, discount_rate=0).retained_annuity(0) == 0


@given(st.integers(1, 100), st.floats(0, 1))
def test_where_nobody_leaves_the_retained_annuity_is_the_plain_one(years, rate):
    assumptions = Assumptions(years=years, discount_rate=rate)

    assert assumptions.retained_annuity(1) == pytest.approx(assumptions.annuity)
    assert assumptions.retained_annuity(0.5) < assumptions.annuity


# The bridge


def test_the_bridge_of_two_undiscounted_years_can_be_added_up_by_hand():
    steps = bridge(
        Assumptions(years=2, discount_rate=0, margin=0.5),
        annual_revenue=1000,
        retention=0.6,
        model_years=[700, 500, 400],
        acquisition_cost=100,
    )

    assert [(step.name, step.kind, step.change) for step in steps] == [
        ("DCF, flat revenue", "total", 900.0),  # (1000 + 1000) / 2 − 100
        ("Customers leave", "change", pytest.approx(-520)),  # 600 + 360 in place of 2000, halved
        ("First year by the model", "change", pytest.approx(80)),  # 700 + 420 in place of 600 + 360
        ("Later years by the model", "change", pytest.approx(40)),  # 500 in place of 420
        ("Lifetime value by the model", "total", 500.0),  # (700 + 500) / 2 − 100
    ]
    assert [plain(step.why) for step in steps] == [
        "Revenue of the last 365 days, 1,000, comes again every year for 2 years, at a margin of 50 % and 0 % "
        "a year, less 100 for winning the customers.",
        "A year keeps 60 % of the customers who buy, so 1,000 a year become 600 in the first and 360 in year 2.",
        "The model expects 700 in the first year; last year's revenue and retention give 600.",
        "After the first year the model expects 500; 60 % kept every year would give 420.",
        "The model expects 1,200 in 2 years, at a margin of 50 % and 0 % a year, less 100 for winning the "
        "customers.",
    ]


def test_where_retention_is_not_known_the_model_is_compared_with_flat_revenue():
    steps = bridge(
        Assumptions(years=2, discount_rate=1),
        annual_revenue=1000,
        retention=None,
        model_years=[800, 600],
        acquisition_cost=0,
    )

    assert [(step.name, step.change) for step in steps] == [
        ("DCF, flat revenue", 750.0),
        ("First year by the model", -150.0),
        ("Later years by the model", -50.0),
        ("Lifetime value by the model", 550.0),
    ]
    assert steps[1].why == "The model expects 800 in the first year; last year's revenue gives 1,000."
    assert steps[2].why == "After the first year the model expects 600; the same every year would give 800."


def test_a_horizon_of_one_year_has_no_later_years():
    steps = bridge(
        Assumptions(years=1, discount_rate=0),
        annual_revenue=10,
        retention=0.5,
        model_years=[4],
        acquisition_cost=1,
    )

    assert [(step.name, step.change) for step in steps] == [
        ("DCF, flat revenue", 9.0),
        ("Customers leave", -5.0),
        ("First year by the model", -1.0),
        ("Lifetime value by the model", 3.0),
    ]
    assert steps[1].why.endswith("so 10 a year become 5 in the first.")


def test_where_everybody_leaves_the_model_brings_its_first_year_and_then_the_rest():
    steps = bridge(
        Assumptions(years=2, discount_rate=0),
        annual_revenue=100,
        retention=0.0,
        model_years=[30, 20],
        acquisition_cost=0,
    )

    assert [step.change for step in steps] == [200.0, -200.0, 30.0, 20.0, 50.0]


MONEY_OF_A_SHOP = st.floats(-1e12, 1e12)


@given(
    st.integers(1, 100),
    st.floats(0, 1),
    st.floats(0, 1),
    MONEY_OF_A_SHOP,
    st.none() | st.floats(0, 1),
    st.lists(MONEY_OF_A_SHOP, min_size=100, max_size=101),
    st.floats(0, 1e12),
)
def test_the_steps_of_the_bridge_add_up_to_the_last_digit(
    years, rate, margin, annual_revenue, retention, model_years, cost
):
    assumptions = Assumptions(years=years, discount_rate=rate, margin=margin)
    first, *changes, last = bridge(
        assumptions,
        annual_revenue=annual_revenue,
        retention=retention,
        model_years=model_years,
        acquisition_cost=cost,
    )

    assert math.fsum([first.change, *(step.change for step in changes)]) == last.change
    assert (first.kind, last.kind, {step.kind for step in changes}) == ("total", "total", {"change"})
    # Both ends are what their own formulas say; a sum of large amounts of both signs has lost digits.
    scale = 1e-9 * (abs(annual_revenue) + max(map(abs, model_years)) + cost)
    assert first.change == pytest.approx(
        annual_revenue * margin * assumptions.annuity - cost, abs=years * scale
    )
    assert last.change == pytest.approx(
        sum(model_years[t] * margin * (1 + rate) ** -(t + 1) for t in range(years)) - cost, abs=years * scale
    )
    if retention is not None:
        adjusted = annual_revenue * margin * assumptions.retained_annuity(retention) - cost
        assert first.change + changes[0].change == pytest.approx(adjusted, abs=years * scale)


def test_a_bridge_needs_every_year_of_the_horizon():
    with pytest.raises(ValueError, match="2 years are expected, 3 are asked for"):
        bridge(Assumptions(years=3), annual_revenue=1, retention=1, model_years=[1, 1], acquisition_cost=0)


# The tornado


def swings(assumptions, **changes):
    values = {"model_years": [1000, 500, 200], "acquisition_cost": 100, **changes}
    return {swing.factor: swing for swing in tornado(assumptions, **values)}


def test_the_tornado_moves_one_factor_at_a_time():
    # Without discount: (1000 + 500) × 0.5 − 100 = 650.
    found = swings(Assumptions(years=2, discount_rate=0, margin=0.5), interval=(400.0, 900.0))

    # 0 % is as low as a discount rate goes; at 5 %: 500 / 1.05 + 250 / 1.1025 − 100
    assert found["Discount rate"] == Swing(
        "Discount rate", pytest.approx(602.947846), 650.0, "5 % a year", "0 % a year"
    )
    assert found["Horizon"] == Swing("Horizon", 400.0, 750.0, "1 year", "3 years")
    assert found["Margin"] == Swing("Margin", pytest.approx(500), pytest.approx(800), "40 %", "60 %")
    assert found["Acquisition cost"] == Swing("Acquisition cost", 630.0, 670.0, "20 % more", "20 % less")
    assert found["Spend per order"] == Swing(
        "Spend per order", pytest.approx(575), pytest.approx(725), "10 % less", "10 % more"
    )
    assert found["Customers' purchasing"] == Swing(
        "Customers' purchasing", 400.0, 900.0, "fewer orders", "more orders"
    )
    assert list(found) == [
        "Customers' purchasing",
        "Horizon",
        "Margin",
        "Spend per order",
        "Discount rate",
        "Acquisition cost",
    ]


def test_a_factor_goes_as_far_as_its_range():
    found = swings(Assumptions(years=1, discount_rate=0.98, margin=1), model_years=[1000, 500])

    assert (found["Discount rate"].low_label, found["Discount rate"].high_label) == (
        "100 % a year",
        "93 % a year",
    )
    assert (found["Margin"].low_label, found["Margin"].high_label) == ("90 %", "100 %")
    assert (found["Horizon"].low_label, found["Horizon"].high_label) == ("1 year", "2 years")
    long = swings(Assumptions(years=100), model_years=[1] * 101)
    assert (long["Horizon"].low_label, long["Horizon"].high_label) == ("99 years", "100 years")


def test_a_factor_that_moves_nothing_is_left_out():
    found = swings(Assumptions(years=1), model_years=[1000], acquisition_cost=0, interval=None)

    assert set(found) == {"Discount rate", "Margin", "Spend per order"}
    assert swings(Assumptions(), model_years=[0, 0, 0], acquisition_cost=0) == {}


@given(
    st.integers(1, 6),
    st.floats(0, 1),
    st.floats(0, 1),
    st.lists(st.floats(0, 1e9), min_size=7, max_size=7),
    st.floats(0, 1e9),
)
def test_the_total_lies_within_every_swing_and_the_widest_comes_first(years, rate, margin, model_years, cost):
    assumptions = Assumptions(years=years, discount_rate=rate, margin=margin)
    total = ltv.value_of_years(assumptions, model_years, cost)
    found = tornado(assumptions, model_years=model_years, acquisition_cost=cost)

    tiny = 1e-9 * (sum(model_years) + cost)
    assert all(swing.low - tiny <= total <= swing.high + tiny for swing in found)
    assert [swing.width for swing in found] == sorted((swing.width for swing in found), reverse=True)

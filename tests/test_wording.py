"""Numbers and days read as people say them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from crm import wording
from crm.wording import Measure

S = wording.SPACE
W = wording.WIDE

MISSING = [None, float("nan"), float("inf"), np.nan, pd.NA, Decimal("NaN")]


@pytest.mark.parametrize("value", MISSING, ids=repr)
@pytest.mark.parametrize(
    "write",
    [
        wording.count,
        wording.compact,
        wording.money,
        wording.money_exact,
        wording.percent,
        wording.percent_exact,
    ]
    + [wording.signed_percent, wording.years, wording.days]
    + [
        getattr(Measure("M", kind), how)
        for kind in ("money", "count", "number", "percent", "days", "years")
        for how in ("text", "exact")
    ],
)
def test_what_is_undefined_is_a_dash(write, value):
    assert write(value) == "–"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (wording.count(1234567), "1,234,567"),
        (wording.count(-12), "−12"),
        (wording.count(-0.2), "0"),
        (wording.compact(950), "950"),
        (wording.compact(2.54), "2.5"),
        (wording.compact(9876), "9,876"),
        (wording.compact(9999.6), f"10{S}k"),
        (wording.compact(12_345), f"12.3{S}k"),
        (wording.compact(345_678), f"346{S}k"),
        (wording.compact(999_499), f"999{S}k"),
        (wording.compact(999_700), f"1{S}M"),
        (wording.compact(1_243_567), f"1.2{S}M"),
        (wording.compact(-3_400_000_000), f"−3.4{S}bn"),
        (wording.money(12.5, "GBP"), "£12.50"),
        (wording.money(12, "GBP"), "£12"),
        (wording.money(999.996, "GBP"), "£1,000"),
        (wording.money(-12345.4, "EUR"), "−€12,345"),
        (wording.money(1_243_567, "GBP"), f"£1.2{S}M"),
        (wording.money(345_678, "SEK"), f"SEK{S}346{S}k"),
        (wording.money(345_678), f"346{S}k"),
        (wording.money_exact(Decimal("-1234567890123.4550"), "GBP"), "−£1,234,567,890,123.46"),
        (wording.percent(0.342), f"34{S}%"),
        (wording.percent(0), f"0{S}%"),
        (wording.percent(1), f"100{S}%"),
        (wording.percent(0.004), f"0.4{S}%"),
        (wording.percent(0.0001), f"<{S}0.1{S}%"),
        (wording.percent(0.995), f"99.5{S}%"),
        (wording.percent(0.99999), f">{S}99.9{S}%"),
        (wording.percent_exact(0.34213), f"34.21{S}%"),
        (wording.signed_percent(0.034), f"+3.4{S}%"),
        (wording.signed_percent(-0.0001), f"0{S}%"),
        (wording.change(112, 100), f"+12{S}%"),
        (wording.change(88, 100), f"−12{S}%"),
        (wording.change(100, 100), f"0{S}%"),
        (wording.change(5, 0), "–"),
        (wording.change(5, None), "–"),
        (wording.change(None, 5), "–"),
        (wording.change(5, -5), "–"),
        (wording.day(date(2025, 3, 12)), f"12{W}Mar{W}2025"),
        (wording.day(pd.NaT), "–"),
        (wording.day(None), "–"),
        (wording.month(date(2025, 3, 12)), f"Mar{W}2025"),
        (wording.moment(datetime(2025, 3, 2, 4, 5, tzinfo=UTC)), f"2{W}Mar{W}2025, 04:05"),
        (wording.years(2.44), f"2.4{S}years"),
        (wording.years(1), f"1{S}year"),
        (wording.days(1), f"1{S}day"),
        (wording.days(34), f"34{S}days"),
    ],
)
def test_numbers_read_as_people_say_them(written, expected):
    assert written == expected


def test_a_measure_names_its_unit_once_and_writes_short_and_in_full():
    revenue = Measure("Revenue", "money", "GBP")
    assert revenue.axis_title == "Revenue (GBP)"
    assert Measure("Revenue", "money").axis_title == "Revenue (shop currency)"
    assert Measure("Rate", "percent").axis_title == "Rate (%)"
    assert (revenue.text(1234567.8), revenue.exact(1234567.8)) == (f"£1.2{S}M", "£1,234,567.80")
    orders = Measure("Orders", "count", unit="orders")
    assert (orders.axis_title, orders.text(12345), orders.exact(12345)) == (
        "Orders (orders)",
        "12,345",
        f"12,345{S}orders",
    )

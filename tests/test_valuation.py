"""Bins of value: round, without an empty end, and each as full as the audience behind it."""

import math
from datetime import date
from decimal import Decimal

import pytest

from crm import audiences
from crm.analytics.lifetime_value import Assumptions
from crm.audiences import Leaf

AS_OF = date(2025, 6, 30)
AS_BOUGHT = Assumptions(years=1, discount_rate=0, margin=1)
"""A customer is worth what the last year brought."""


@pytest.fixture
def bins_of(workbench, csv_file):
    """Return a function that imports one order of each amount and returns the bins of value."""

    def found(amounts):
        orders = [f"O{at},C{at},2025-06-01,{amount}" for at, amount in enumerate(amounts)]
        file = csv_file("order_id,customer_id,order_date,amount", *orders)
        workbench.importer.run(file, kind="orders", actor="test", source="command line")
        return workbench.valuation.dcf(AS_BOUGHT, as_of=AS_OF).bins

    return found


def behind(workbench, low, high):
    """How many customers a click on a bin lists."""
    ends = [Leaf("dcf_lifetime_value", ">=", Decimal(str(low)))]
    if not math.isnan(high):
        ends.append(Leaf("dcf_lifetime_value", "<", Decimal(str(high))))
    return workbench.audience_size(audiences.All(tuple(ends)), as_of=AS_OF, assumptions=AS_BOUGHT)


def test_bins_end_with_the_last_that_holds_somebody(bins_of, workbench):
    """From 5 to 279 in bins of 10 widths of forty would reach to 400."""
    found = bins_of([5, 15, 15, 130, 272, *[279] * 5])

    assert list(found["low"]) == [10.0 * at for at in range(28)]
    assert list(found["high"]) == [10.0 * at for at in range(1, 29)]
    assert found["customers"].sum() == 10
    assert list(found["customers"].iloc[[0, 1, 13, 27]]) == [1, 2, 1, 6]
    for row in found.itertuples():
        assert behind(workbench, row.low, row.high) == row.customers


def test_the_last_of_forty_bins_is_open_where_values_lie_beyond_it(bins_of, workbench):
    found = bins_of([*range(1, 100), 5000])

    assert len(found) == 40
    assert found["high"].isna().sum() == 1
    last = found.iloc[-1]
    assert (
        last["customers"]
        == behind(workbench, last["low"], last["high"])
        == 1 + sum(at >= last["low"] for at in range(1, 100))
    )
    assert found["customers"].sum() == 100


def test_values_that_are_all_alike_are_one_bin(bins_of):
    found = bins_of([120, 120, 120])

    assert found.to_dict("list") == {"low": [120.0], "high": [121.0], "customers": [3]}


def test_nobody_has_no_bins(workbench):
    found = workbench.valuation.dcf(AS_BOUGHT, as_of=AS_OF).bins

    assert list(found.columns) == ["low", "high", "customers"]
    assert found.empty

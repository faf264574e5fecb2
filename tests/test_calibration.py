"""A small sample of `python -m tests.calibration`: intervals that were far too narrow or wide would show."""

import pytest

from tests.calibration import FUTURE_HOLDS, MODELS, PARAMETERS_HOLD, calibrate

RUNS = 25


@pytest.fixture(scope="module")
def found():
    return calibrate(RUNS).coverages


def together(coverages):
    return sum(one.held for one in coverages) / sum(one.asked for one in coverages)


@pytest.mark.slow
def test_the_intervals_of_the_parameters_hold_the_truth_about_as_often_as_they_say(found):
    """Of 25 shops an honest 95 % interval holds it in fewer than 20 less than once in a thousand times."""
    parameters = {name: one for name, one in found.items() if (one.low, one.high) == PARAMETERS_HOLD}

    assert len(parameters) == 3 * 4 + 3
    assert {name: one.held for name, one in parameters.items() if one.held < 20} == {}
    assert not any(one.missing for one in parameters.values())
    assert PARAMETERS_HOLD[0] <= together(parameters.values()) <= PARAMETERS_HOLD[1]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_the_intervals_of_one_customers_future_hold_it_for_75_to_85_of_100(found, model):
    for name in ("one customer's orders", "one customer's revenue"):
        assert FUTURE_HOLDS[0] <= found[f"{model} {name}"].share <= FUTURE_HOLDS[1], name


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_the_intervals_of_all_customers_hold_what_they_promise(found, model):
    assert found[f"{model} the same, all customers"].right


@pytest.mark.slow
def test_the_intervals_of_a_shops_revenue_hold_it_about_as_often_as_they_say(found):
    """Of 75 shops 80 % ± 3 standard errors."""
    assert 0.66 < together([found[f"{model} the shop's revenue"] for model in MODELS]) < 0.94

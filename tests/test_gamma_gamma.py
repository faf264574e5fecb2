"""Gamma-Gamma against its literature, against brute force, and against bad input."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from crm.analytics import gamma_gamma
from crm.analytics.gamma_gamma import SpendFit
from crm.errors import ClienteleError, NotEnoughData
from tests import cdnow, simulate

NOTE = SpendFit(6.25, 3.74, 15.44, 0.0, 0.0)
"""p, q and v as Fader & Hardie 2013 (note 025) print them."""


def log_likelihood_of_the_story(p, q, v, x, spend):
    """Return ln density of the mean spend of x purchases, summed over kinds of customers.

    A customer's purchases are gamma(p) with an own rate ν, so their mean is gamma(p x) with the rate ν x;
    ν is gamma(q) with the rate v over customers. The sum over ln ν is the trapezoid rule's.
    """
    mean = spend / x
    shape, rate = p * x + q, v + spend
    step = min(0.3, 0.6 / np.sqrt(shape))
    centre = np.log(shape / rate)
    ln_nu = np.arange(centre - 40 / shape - 12 / np.sqrt(shape), centre + 4 + 12 / np.sqrt(shape), step)
    nu = np.exp(ln_nu)
    kind = q * np.log(v) - special.gammaln(q) + q * ln_nu - v * nu
    of_kind = (
        p * x * (ln_nu + np.log(x)) - special.gammaln(p * x) + (p * x - 1) * np.log(mean) - nu * x * mean
    )
    return float(special.logsumexp(kind + of_kind + np.log(step)))


# --- what is published --------------------------------------------------------------------------------


def test_fader_hardie_2013_mean_spend_of_the_population():
    assert NOTE.mean_spend == pytest.approx(35.2, abs=0.05)


def test_hardie_note_025_xls_expected_spend_of_the_first_ten_customers():
    """Their repeat purchases and mean spend as the note's spreadsheet lists them; it rounds p, q and v."""
    x = np.array([2, 1, 0, 0, 0, 7, 1, 0, 2, 0])
    mean = np.array([22.35, 11.77, 0, 0, 0, 73.74, 11.77, 0, 25.55, 0])
    published = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]

    assert NOTE.expected_spend(x, x * mean) == pytest.approx(published, abs=0.1)


@pytest.fixture(scope="module")
def sample():
    return cdnow.customers("sample")


@pytest.mark.real
def test_fader_hardie_2013_gamma_gamma_parameters_of_cdnow(sample):
    found = gamma_gamma.fit(sample.x, sample.repeat_spend)

    assert found.customers == 946
    assert (found.p, found.q, found.v) == pytest.approx((6.25, 3.74, 15.44), abs=5e-3)
    assert (found.p, found.q, found.v) == pytest.approx((6.2496, 3.7442, 15.4435), abs=6e-5)
    assert found.mean_spend == pytest.approx(35.2, abs=0.05)


@pytest.mark.real
def test_clvtools_log_likelihood_of_mean_spend_and_jmr_2005_of_total_spend(sample):
    found = gamma_gamma.fit(sample.x, sample.repeat_spend)

    assert found.log_likelihood == pytest.approx(-4055.9177, abs=6e-5)
    total = found.log_likelihood - np.log(sample.x[sample.x > 0]).sum()
    assert total == pytest.approx(-4659, abs=0.5)
    assert total == pytest.approx(-4659.29, abs=5e-3)


@pytest.mark.real
def test_fader_hardie_2013_spend_hardly_depends_on_frequency(sample):
    again = sample.x > 0
    x, means = sample.x[again], sample.repeat_spend[again] / sample.x[again]

    assert means.mean() == pytest.approx(35.08, abs=5e-3)
    assert np.corrcoef(x, means)[0, 1] == pytest.approx(0.11, abs=5e-3)
    usual = means < means.max()
    assert np.corrcoef(x[usual], means[usual])[0, 1] == pytest.approx(0.06, abs=5e-3)


@pytest.mark.real
def test_hardie_note_025_xls_expected_spend_of_the_first_ten_customers_from_their_orders(sample):
    expected = NOTE.expected_spend(sample.x[:10], sample.repeat_spend[:10])

    assert expected == pytest.approx(
        [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17], abs=0.1
    )


@pytest.mark.real
def test_own_gamma_gamma_parameters_of_78_weeks():
    seen = cdnow.customers("sample", cdnow.ENDED)
    found = gamma_gamma.fit(seen.x, seen.repeat_spend)

    assert (found.p, found.q, found.v) == pytest.approx((4.6835, 4.1898, 24.3906), abs=6e-5)
    assert found.mean_spend == pytest.approx(35.81, abs=5e-3)
    assert round(found.mean_spend) == 36  # Fader, Hardie & Lee 2005 (JMR)


# --- against brute force ------------------------------------------------------------------------------

positive = st.floats(0.3, 20)
purchases = st.lists(st.tuples(st.integers(1, 60), st.floats(0.01, 5_000)), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(positive, positive, st.floats(0.1, 500), purchases)
def test_the_likelihood_is_that_of_the_story_summed_over_kinds_of_customers(p, q, v, rows):
    x, means = map(np.array, zip(*rows, strict=True))
    truly = sum(log_likelihood_of_the_story(p, q, v, *row) for row in zip(x, x * means, strict=True))

    found = gamma_gamma.log_likelihood({"p": p, "q": q, "v": v}, x, x * means)
    assert found == pytest.approx(truly, rel=1e-8, abs=1e-7)


def test_a_fit_of_a_made_up_shop_is_the_maximum_of_the_brute_force_likelihood():
    shop = simulate.make("bg_nbd", simulate.CDNOW["bg_nbd"], customers=1_000, seed=3)
    again = shop.x > 0
    rows = list(zip(shop.x[again], shop.spend[again], strict=True))
    found = gamma_gamma.fit(shop.x, shop.spend)

    def brute_force(**values):
        return sum(log_likelihood_of_the_story(*values.values(), *row) for row in rows)

    best = brute_force(**found.parameters)
    assert found.log_likelihood == pytest.approx(best, abs=1e-6)
    for name, value in found.parameters.items():
        for factor in (0.97, 1.03):
            assert brute_force(**{**found.parameters, name: factor * value}) < best


def test_a_fit_of_a_large_made_up_shop_finds_the_parameters_it_was_made_from():
    shop = simulate.make("mbg_nbd", simulate.CDNOW["mbg_nbd"], customers=100_000, seed=7)
    found = gamma_gamma.fit(shop.x, shop.spend)
    off = np.log([found.parameters[name] / value for name, value in simulate.SPEND.items()])

    assert found.converged
    # χ² of three parameters together: 99.99 % of shops lie below 21.1.
    assert off @ np.linalg.inv(found.covariance) @ off < 21.1
    assert np.sqrt(np.diag(found.covariance)).max() < 0.1


def test_expected_spend_is_right_on_average_among_those_who_spent_little_and_much():
    shop = simulate.make("pareto_nbd", simulate.CDNOW["pareto_nbd"], customers=200_000, seed=5, weeks=104)
    truth = SpendFit(**simulate.SPEND, log_likelihood=0.0, customers=0.0)
    expected = truth.expected_spend(shop.x, shop.spend)
    bought = shop.later > 0
    seen = shop.later_spend[bought] / shop.later[bought]
    forecast = expected[bought]

    for low, high in ((0, 20), (20, 30), (30, 35), (35, 50), (50, np.inf)):
        part = (forecast >= low) & (forecast < high)
        error = seen[part] - forecast[part]
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(part.sum())


def test_equal_customers_may_be_given_once_with_their_count():
    shop = simulate.make("bg_nbd", simulate.CDNOW["bg_nbd"], customers=2_000, seed=6)
    customers = 1 + np.arange(2_000) % 3
    once = gamma_gamma.fit(shop.x, shop.spend, customers)
    each = gamma_gamma.fit(np.repeat(shop.x, customers), np.repeat(shop.spend, customers))

    assert once.log_likelihood == pytest.approx(each.log_likelihood, rel=1e-10)
    assert once.parameters == pytest.approx(each.parameters, rel=1e-5)
    assert once.customers == each.customers


def test_money_in_another_currency_changes_v_alone():
    shop = simulate.make("bg_nbd", simulate.CDNOW["bg_nbd"], customers=3_000, seed=8)
    euros, yen = (gamma_gamma.fit(shop.x, rate * shop.spend) for rate in (1, 163.4))

    assert (yen.p, yen.q) == pytest.approx((euros.p, euros.q), rel=1e-5)
    assert yen.v == pytest.approx(163.4 * euros.v, rel=1e-5)
    again = shop.x > 0
    assert yen.log_likelihood == pytest.approx(euros.log_likelihood - again.sum() * np.log(163.4), rel=1e-9)


@given(st.integers(0, 200), st.floats(0.01, 1e6))
def test_expected_spend_lies_between_the_customers_own_mean_and_the_populations(x, mean):
    expected = float(NOTE.expected_spend(x, x * mean)[0])
    low, high = sorted([mean, NOTE.mean_spend]) if x else (NOTE.mean_spend,) * 2

    assert low * (1 - 1e-9) <= expected <= high * (1 + 1e-9)


def test_expected_spend_is_a_line_in_total_spend():
    first, second = NOTE.coefficients([0, 3])

    assert first + second * [0, 90.0] == pytest.approx(NOTE.expected_spend([0, 3], [0, 90.0]))


# --- bad input ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "spend"),
    [
        pytest.param([], [], id="nobody"),
        pytest.param([3], [90.0], id="one customer"),
        pytest.param([0, 0, 0], [0.0, 0.0, 0.0], id="only one-time buyers"),
        pytest.param([1, 2], [10.0, 0.0], id="a spend of nothing"),
        pytest.param([1, 2], [10.0, -5.0], id="a spend below nothing"),
        pytest.param([1, 2, 3], [10.0, 20.0, 30.0], id="the same spend everywhere"),
    ],
)
def test_spend_that_says_nothing_is_refused_with_a_reason(x, spend):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(NotEnoughData):
            gamma_gamma.fit(x, spend)


@pytest.mark.parametrize(
    ("x", "spend"),
    [
        pytest.param([1, 1], [1.0, 1e6], id="two, a million apart"),
        pytest.param([500, 1], [0.01, 1e9], id="500 purchases of nearly nothing"),
        pytest.param([1, 2, 3, 4], [10.0, 20.001, 30.0, 40.0], id="nearly the same everywhere"),
        pytest.param([2] * 50, [20.0] * 49 + [1e7], id="one whale"),
    ],
)
def test_a_fit_of_odd_spend_is_finite_or_refused(x, spend):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            found = gamma_gamma.fit(x, spend)
            expected = found.expected_spend(x, spend)
        except ClienteleError:
            return
    assert np.all(np.isfinite([found.p, found.q, found.v, found.log_likelihood]))
    assert np.all(np.isfinite(expected) & (expected > 0))


def test_a_mean_that_does_not_exist_is_refused():
    """With q at or below 1, what a customer without a repeat purchase spends has no mean."""
    wild = SpendFit(2.0, 0.9, 10.0, 0.0, 0.0)

    assert wild.mean_spend is None
    with pytest.raises(NotEnoughData, match="no mean"):
        wild.expected_spend([0, 1], [0.0, 10.0])

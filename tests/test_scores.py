"""Orders and money to come, and whether the intervals hold what they promise."""

import numpy as np
import pytest

from crm.analytics import btyd, gamma_gamma, scores
from crm.analytics.btyd import Fit, Histories
from crm.analytics.gamma_gamma import SpendFit
from crm.analytics.lifetime_value import Assumptions
from crm.analytics.scores import Predictor
from tests import simulate

SPEND = SpendFit(6.25, 3.74, 15.44, -4000.0, 900)

FITS = {
    "bg_nbd": Fit("bg_nbd", {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.5}, -1.0, 50_000),
    "mbg_nbd": Fit("mbg_nbd", {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.5}, -1.0, 50_000),
    "pareto_nbd": Fit("pareto_nbd", {"r": 0.6, "alpha": 6.0, "s": 0.6, "beta": 12.0}, -1.0, 50_000),
}

CUSTOMERS = Histories([0, 1, 2, 7, 40], [0, 3, 30, 35, 38], [39, 39, 39, 39, 39])

models = pytest.mark.parametrize("model", btyd.MODELS)


# Orders


@models
def test_the_probabilities_of_every_count_add_up_to_the_expected_orders_and_their_square(model):
    fit = FITS[model]
    at_least = np.array([fit.at_least(CUSTOMERS, 52, count) for count in range(1, 600)])
    counts = np.arange(1, 600)[:, None]

    assert at_least.sum(axis=0) == pytest.approx(fit.expected_orders(CUSTOMERS, 52), rel=1e-7)
    assert ((2 * counts - 1) * at_least).sum(axis=0) == pytest.approx(
        fit.second_moment(CUSTOMERS, 52), rel=1e-6
    )


@models
def test_the_orders_of_single_years_add_up_to_those_of_all_of_them(model):
    fit = FITS[model]

    yearly = scores.yearly_orders(fit, CUSTOMERS, 4)

    assert yearly.sum(axis=1) == pytest.approx(fit.expected_orders(CUSTOMERS, 4 * btyd.YEAR_WEEKS))
    assert (np.diff(yearly, axis=1) < 0).all(), "somebody may leave every year"


@models
def test_an_interval_promises_what_its_ends_hold(model):
    predictor = Predictor(FITS[model], SPEND)

    found = scores.order_interval(predictor, CUSTOMERS, 39)

    held = []
    for row, (low, high) in enumerate(zip(found.low, found.high, strict=True)):
        one = Histories(CUSTOMERS.x[row], CUSTOMERS.t_x[row], CUSTOMERS.T[row])
        at_least = [FITS[model].at_least(one, 39, count)[0] for count in range(400)]
        mass = -np.diff(at_least)
        held.append(sum(part for count, part in enumerate(mass) if low <= count <= high))
    assert found.promised == pytest.approx(held, abs=1e-9)
    assert (found.low <= found.high).all()
    assert (found.low >= 0).all()


def test_somebody_who_has_almost_surely_left_has_the_interval_of_nothing():
    gone = Histories([20], [5.0], [200.0])

    found = scores.order_interval(Predictor(FITS["bg_nbd"], SPEND), gone, 52)

    assert (found.low[0], found.high[0]) == (0, pytest.approx(0, abs=0.5))
    assert found.promised[0] > 0.99


# Money


def money_of(predictor, repeat_spend, **choice):
    found = scores.money(predictor, CUSTOMERS, **choice)
    return {
        name: pair[0] + pair[1] * repeat_spend
        for name, pair in (("expected", found.expected), ("low", found.low), ("high", found.high))
    }


@models
def test_money_is_expected_orders_times_expected_spend_times_what_is_kept(model):
    spend = np.array([0.0, 20.0, 90.0, 200.0, 1500.0])
    predictor = Predictor(FITS[model], SPEND, kept_share=0.9)

    found = money_of(predictor, spend, years=1, weights=np.ones(1), weeks=13)

    orders = FITS[model].expected_orders(CUSTOMERS, 13)
    assert found["expected"] == pytest.approx(0.9 * orders * SPEND.expected_spend(CUSTOMERS.x, spend))
    assert (found["low"] <= found["high"]).all()


def test_years_are_discounted_at_their_ends_as_the_formula_does():
    assumptions = Assumptions(years=3, discount_rate=0.10, margin=0.4)
    spend = np.full(5, 100.0)
    predictor = Predictor(FITS["bg_nbd"], SPEND)

    found = money_of(predictor, spend, years=3, weights=assumptions.weights)

    yearly = scores.yearly_orders(FITS["bg_nbd"], CUSTOMERS, 3)
    by_hand = 0.4 * (yearly[:, 0] / 1.1 + yearly[:, 1] / 1.21 + yearly[:, 2] / 1.331)
    assert found["expected"] == pytest.approx(by_hand * SPEND.expected_spend(CUSTOMERS.x, spend))


def test_without_discount_and_margin_a_year_is_worth_its_revenue():
    assert Assumptions(years=2, discount_rate=0).weights == pytest.approx([1, 1])
    assert Assumptions(years=1, discount_rate=1).weights == pytest.approx([0.5])


@pytest.mark.parametrize("q", [1.6, 2.0, 2.5, 4.0])
@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0.0, 1.0), (1, 5.0, 8.0), (3, 30.0, 39.0)])
def test_the_interval_of_money_holds_where_spend_has_hardly_a_variance(q, x, t_x, T):
    """Of somebody with few purchases and q near 2, moments say little of the money; drawn 40,000 times."""
    draw = np.random.default_rng(7)
    r, alpha, s, beta = (FITS["pareto_nbd"].parameters[name] for name in ("r", "alpha", "s", "beta"))
    one = Histories(x, t_x, T)
    predictor = Predictor(FITS["pareto_nbd"], SpendFit(4.0, q, 20.0, -1.0, 900))
    spent = 25.0 * x
    money = scores.money(predictor, one, years=1, weights=np.ones(1), weeks=104)
    low, high = (float(pair[0][0] + pair[1][0] * spent) for pair in (money.low, money.high))

    count = 40_000
    alive = draw.random(count) < FITS["pareto_nbd"].probability_alive(one)[0]
    leaves = draw.exponential(1 / draw.gamma(s, 1 / (beta + T), count))
    orders = draw.poisson(draw.gamma(r + x, 1 / (alpha + T), count) * np.minimum(leaves, 104)) * alive
    scale = 1 / draw.gamma(4.0 * x + q, 1 / (20.0 + spent), count)
    came = np.where(orders > 0, draw.gamma(np.maximum(4.0 * orders, 1e-9)) * scale, 0.0)

    assert np.mean((low <= came) & (came <= high)) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("years", "rate"), [(1, 0.1), (3, 0.1), (10, 0.03), (30, 0.3), (100, 1.0), (100, 0.1)]
)
def test_money_far_ahead_is_as_uncertain_as_it_counts(years, rate):
    """Over long horizons most purchases come late and count little; lives of 4,000 customers, drawn and discounted."""
    draw = np.random.default_rng(3)
    parameters = {"r": 1.2, "alpha": 8.0, "s": 0.8, "beta": 30.0}
    r, alpha, s, beta = parameters.values()
    count = 4_000
    T = draw.uniform(26, 104, count)
    buys, leaves = draw.gamma(r, 1 / alpha, count), draw.exponential(1 / draw.gamma(s, 1 / beta, count))
    scale = draw.gamma(SPEND.q, 1 / SPEND.v, count)
    weights = (1 + rate) ** -np.arange(1.0, years + 1)
    x, t_x, spent, came = np.zeros(count, int), np.zeros(count), np.zeros(count), np.zeros(count)
    for one in range(count):
        end = min(leaves[one], T[one] + btyd.YEAR_WEEKS * years)
        times = np.sort(draw.uniform(0, end, draw.poisson(buys[one] * end)))
        each = draw.gamma(SPEND.p, 1 / scale[one], len(times))
        past = times <= T[one]
        x[one], spent[one] = past.sum(), each[past].sum()
        t_x[one] = times[past][-1] if past.any() else 0
        came[one] = each[~past] @ weights[((times[~past] - T[one]) / btyd.YEAR_WEEKS).astype(int)]
    predictor = Predictor(Fit("pareto_nbd", parameters, 0.0, 50_000), SPEND)
    found = scores.money(predictor, Histories(x, t_x, T), years=years, weights=weights)
    expected, low, high, deviation = (
        first + second * spent for first, second in (found.expected, found.low, found.high, found.deviation)
    )

    assert np.sqrt((deviation**2).sum() / ((came - expected) ** 2).sum()) == pytest.approx(1, abs=0.15)
    likely = high > 0
    assert np.mean((low <= came)[likely] & (came <= high)[likely]) == pytest.approx(0.8, abs=0.05)
    assert np.mean(expected[likely] > high[likely]) < 0.15


# Calibration on simulated shops


def shop(model, parameters, customers, seed):
    return simulate.make(model, parameters, customers=customers, seed=seed, weeks=52.0, observed=(8.0, 104.0))


@pytest.mark.slow
@models
def test_eighty_percent_intervals_hold_the_customers_they_promise(model):
    """Over the customers of simulated shops, fitted anew: as many as promised, and 75 to 85 % of those for
    whom 80 % can be held at all. Of a customer who buys nothing with 90 % no interval holds less than 90 %.
    """
    parameters = {
        name: value
        for name, value in {"r": 1.1, "alpha": 5.0, "a": 0.8, "b": 3.5, "s": 0.7, "beta": 20.0}.items()
        if name in btyd.PARAMETERS[model]
    }
    orders_held, money_held, promised, can_be_held = [], [], [], []
    for seed in range(6):
        made = shop(model, parameters, 1500, seed)
        histories = Histories(made.x, made.t_x, made.T)
        fit = btyd.fit(model, histories)
        predictor = Predictor(fit, gamma_gamma.fit(made.x, made.spend))
        orders = scores.order_interval(predictor, histories, 52)
        money = scores.money(predictor, histories, years=1, weights=np.ones(1), weeks=52)
        low, high = (pair[0] + pair[1] * made.spend for pair in (money.low, money.high))
        orders_held.append((orders.low <= made.later) & (made.later <= orders.high))
        money_held.append((low <= made.later_spend) & (made.later_spend <= high))
        promised.append(orders.promised)
        can_be_held.append(fit.at_least(histories, 52, 1) >= 0.2)
    orders_held, money_held, promised, can_be_held = map(
        np.concatenate, (orders_held, money_held, promised, can_be_held)
    )

    assert orders_held.mean() == pytest.approx(promised.mean(), abs=0.01)
    assert 0.75 <= orders_held[can_be_held].mean() <= 0.85
    assert 0.75 <= money_held[can_be_held].mean() <= 0.85


@pytest.mark.slow
def test_the_interval_of_the_total_holds_four_totals_of_five():
    inside = []
    for seed in range(60):
        made = shop("bg_nbd", {"r": 0.8, "alpha": 6.0, "a": 0.8, "b": 3.0}, 1200, 1000 + seed)
        histories = Histories(made.x, made.t_x, made.T)
        predictor = Predictor(btyd.fit("bg_nbd", histories), gamma_gamma.fit(made.x, made.spend))
        money = scores.money(predictor, histories, years=1, weights=np.ones(1), weeks=52)
        expected, deviation = (pair[0] + pair[1] * made.spend for pair in (money.expected, money.deviation))
        loadings = np.array([(pair[0] + pair[1] * made.spend).sum() for pair in money.loadings])
        low, high = scores.total_interval(float(expected.sum()), float(deviation @ deviation), loadings)
        inside.append(low <= made.later_spend.sum() <= high)

    # 60 runs at 80 %: 38 and fewer, or 58 and more, come by chance once in a thousand times.
    assert 39 <= sum(inside) <= 57


def test_the_interval_of_being_alive_narrows_as_parameters_get_certain():
    wide = Fit("bg_nbd", FITS["bg_nbd"].parameters, -1.0, 900, covariance=np.diag([0.01, 0.02, 0.05, 0.05]))
    narrow = Fit("bg_nbd", FITS["bg_nbd"].parameters, -1.0, 900, covariance=np.diag([1e-6] * 4))
    alive = wide.probability_alive(CUSTOMERS)

    low, high = scores.alive_interval(wide, CUSTOMERS)
    close_low, close_high = scores.alive_interval(narrow, CUSTOMERS)

    assert ((low <= alive + 1e-12) & (alive <= high + 1e-12)).all()
    assert ((close_high - close_low) <= (high - low) + 1e-12).all()
    assert close_high[2] - close_low[2] < 0.01 < high[2] - low[2]

"""The test of a forecast on the past, and the verdict: usable, usable with care, or refused.

A model is fitted to the history up to a cut; what it predicts for the weeks after the cut is held against
what came, beside two rules that need no model.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd

from crm import wording
from crm.analytics import scores
from crm.analytics.btyd import TITLES, WEEK_DAYS, Fit, Floats, Histories, ModelName
from crm.analytics.gamma_gamma import SpendFit
from crm.analytics.lifetime_value import TRUSTED_BIAS, bias_of
from crm.analytics.profiles import HISTORY
from crm.analytics.scores import Predictor
from crm.analytics.tables import day_number

Grade = Literal["usable", "care", "refused"]

GRADES: Mapping[Grade, str] = {"usable": "Usable", "care": "Usable with care", "refused": "Refused"}

MIN_CUSTOMERS = 500
MIN_HISTORY_DAYS = 180
MAX_SILENT_DAYS = 30
MIN_REPEATERS = 100
MIN_FREQUENT = 10
"""Customers with three purchase days or more. These gates are Klaviyo's, or stricter."""

USABLE_BIAS = 0.10
"""Up to here a forecast's error in the past is usable; beyond TRUSTED_BIAS it is refused."""

CARE_CORRELATION, TRUSTED_CORRELATION = 0.20, 0.40
"""Of orders and mean spend: Gamma-Gamma presumes none."""

NOBODY_LEAVES = 0.98
"""Of a model that finds more of all customers still there, the leaving is not in the data."""

EVERYBODY_LEFT = 0.02

SURE_SHAPE = 1.5
"""Gamma-Gamma's q below which, one standard error down, the mean spend of all is not well known."""

CLEARLY_LIKELIER = 2.0
"""Gain in log-likelihood, at as many parameters, from which one model is clearly likelier than another."""

CLEARLY_BETTER = 0.01
"""By this share of the model's error a naive rule must be nearer to speak against it."""

MIN_HOLDOUT_WEEKS, MAX_HOLDOUT_WEEKS = 4, 52

MOST_POINTS = 13
"""Points of the tracking curve after the cut."""

FREQUENCY_CLASSES = 7
"""Repeat purchase days from here on are one class, as in the papers' charts."""


@dataclass(frozen=True)
class NaiveRule:
    """A forecast without a model: its name, what it would have said, and how far off it was.

    orders, revenue: totals of the holdout. rmse: root of the mean square error of one customer's orders.
    """

    name: str
    orders: float
    orders_bias: float | None
    revenue: float
    revenue_bias: float | None
    rmse: float


@dataclass(frozen=True)
class Candidate:
    """One model at the choice: how likely it makes the history up to the cut, and how it did after it.

    customers: those it was fitted to for the choice, a part of all where there are very many.
    """

    model: ModelName
    log_likelihood: float
    customers: int
    predicted: float
    bias: float | None
    rmse: float
    share_alive: float


@dataclass(frozen=True)
class HoldoutTest:
    """What was predicted for the weeks after the cut, beside what came.

    Orders are purchase days of the customers known at the cut; revenue is theirs, returns taken out.
    low, high: 80 % interval. inside: share of customers whose orders lay inside their own 80 % interval;
    promised: the share that those intervals hold by their own account (whole numbers hold more than 80 %).
    classes: one row per number of repeat purchase days before the cut: repeats, customers, predicted,
    actual (orders). deciles: one row per tenth of customers by predicted revenue, best first: decile,
    customers, predicted, actual (revenue). chance, shift: variance of the total of orders by the customers'
    own chances, and by the uncertainty of the parameters. tracking: what `tracking` makes of it, where it
    was asked for.
    """

    cut: date
    as_of: date
    model: ModelName
    parameters: dict[str, float]
    log_likelihood: float
    customers: int
    predicted: float
    low: float
    high: float
    actual: float
    predicted_revenue: float
    low_revenue: float
    high_revenue: float
    actual_revenue: float
    correlation: float | None
    rmse: float
    inside: float
    promised: float
    naive: tuple[NaiveRule, ...]
    classes: tuple[dict[str, Any], ...]
    deciles: tuple[dict[str, Any], ...]
    chance: float
    shift: float
    tracking: tuple[dict[str, Any], ...] = ()

    @property
    def weeks(self) -> float:
        """Length of the holdout."""
        return (self.as_of - self.cut).days / WEEK_DAYS

    @property
    def bias(self) -> float | None:
        """(Predicted − actual) ÷ actual orders; nothing when there were none."""
        return bias_of(self.predicted, self.actual)

    @property
    def revenue_bias(self) -> float | None:
        """(Predicted − actual) ÷ actual revenue; nothing when no more came in than went back."""
        return bias_of(self.predicted_revenue, self.actual_revenue)

    @property
    def finite(self) -> bool:
        """Whether the model gave numbers at all."""
        return bool(np.all(np.isfinite((self.predicted, self.predicted_revenue, self.low, self.high))))

    def sentence(self) -> str:
        """Return the outcome in a manager's words."""
        change = "" if self.revenue_bias is None else f" ({wording.signed_percent(self.revenue_bias, 1)})"
        return (
            f"Fitted on data to {wording.day(self.cut)}. Predicted {self.predicted_revenue:,.0f} for the next "
            f"{self.weeks:g} weeks; it was {self.actual_revenue:,.0f}{change}."
        )


@dataclass(frozen=True)
class Reason:
    """One finding about a forecast: how bad, what was found, and what would help."""

    grade: Grade
    found: str
    help: str


@dataclass(frozen=True)
class Verdict:
    """Whether a forecast may be used, and why."""

    reasons: tuple[Reason, ...] = ()

    @property
    def grade(self) -> Grade:
        """The worst of the reasons; usable without any."""
        grades = {reason.grade for reason in self.reasons}
        return "refused" if "refused" in grades else "care" if "care" in grades else "usable"

    @property
    def usable(self) -> bool:
        """Whether numbers of the forecast are shown at all."""
        return self.grade != "refused"


@dataclass(frozen=True)
class Facts:
    """What the gates look at: counts of customers with a purchase, and days of history.

    customers; repeaters (two purchase days or more); frequent (three or more); first and last order day;
    spend_correlation: of repeat purchase days and mean repeat spend, over repeaters.
    """

    customers: int
    repeaters: int
    frequent: int
    first: date
    last: date
    spend_correlation: float | None


def default_cut(first: date, as_of: date) -> date:
    """Return the day to cut a history at: whole weeks, the last quarter of it, at most a year."""
    quarter = round((as_of - first).days / 4 / WEEK_DAYS)
    return as_of - timedelta(weeks=min(MAX_HOLDOUT_WEEKS, max(MIN_HOLDOUT_WEEKS, quarter)))


def gates(facts: Facts, as_of: date) -> tuple[Reason, ...]:
    """Return why a history is too small to fit a model to; nothing where it is large enough."""
    found = []
    days = (as_of - facts.first).days + 1
    if facts.customers < MIN_CUSTOMERS:
        found.append(
            Reason(
                "refused",
                f"{wording.counted(facts.customers, 'customer')} bought; a forecast takes at least {MIN_CUSTOMERS}.",
                "Import the orders of more customers, or wait until there are more.",
            )
        )
    if days < MIN_HISTORY_DAYS:
        found.append(
            Reason(
                "refused",
                f"The orders cover {wording.counted(days, 'day')}; a forecast takes at least {MIN_HISTORY_DAYS}.",
                "Import older orders too.",
            )
        )
    if (as_of - facts.last).days > MAX_SILENT_DAYS:
        found.append(
            Reason(
                "refused",
                f"The last order came on {wording.day(facts.last)}, {wording.counted((as_of - facts.last).days, 'day')} before the as-of day.",
                "Import the orders since, or choose an earlier as-of day.",
            )
        )
    if facts.repeaters < MIN_REPEATERS or facts.frequent < MIN_FREQUENT:
        found.append(
            Reason(
                "refused",
                f"{wording.counted(facts.repeaters, 'customer')} bought on two days or more and {facts.frequent:,} on three "
                f"or more; a forecast takes at least {MIN_REPEATERS} and {MIN_FREQUENT}.",
                "Check that customers keep their ID from order to order, or import a longer history.",
            )
        )
    return tuple(found)


def judge(
    facts: Facts,
    as_of: date,
    *,
    fit: Fit | None,
    share_alive: float | None,
    test: HoldoutTest | None,
    spend: SpendFit | None = None,
) -> Verdict:
    """Return the verdict on a forecast, from its gates, its parameters and its test."""
    reasons = list(gates(facts, as_of))
    if fit is not None and share_alive is not None:
        reasons += _parameters(fit, share_alive)
    if test is not None:
        reasons += _outcome(test)
    if spend is not None:
        reasons += _spend(spend)
    if facts.spend_correlation is not None:
        reasons += _independence(facts.spend_correlation)
    return Verdict(tuple(reasons))


def _parameters(fit: Fit, share_alive: float) -> list[Reason]:
    longer = "A longer history, or the customers of one kind alone, may show who leaves."
    if share_alive > NOBODY_LEAVES:
        return [
            Reason(
                "refused",
                f"Almost nobody seems to leave in this model: it takes {_share(share_alive)} of all customers for still "
                "there. The data do not support an estimate of who has left.",
                longer,
            )
        ]
    if share_alive < EVERYBODY_LEFT:
        return [
            Reason(
                "refused",
                f"Almost everybody seems to have left in this model: it takes {_share(share_alive)} of all customers for "
                "still there.",
                "Check that the newest orders are imported.",
            )
        ]
    if not fit.converged or fit.covariance is None:
        return [
            Reason(
                "care",
                f"The data hardly tell the parameters of {fit.title}, so its intervals are too narrow.",
                longer,
            )
        ]
    return []


def _spend(spend: SpendFit) -> list[Reason]:
    """One standard error towards 1, where the mean of all has no end, q may not reach it."""
    error = float(np.sqrt(spend.covariance[1, 1])) if spend.covariance is not None else 0.0
    least = spend.q * np.exp(-error)
    if least <= SURE_SHAPE:
        return [
            Reason(
                "refused" if least <= 1 else "care",
                "What customers spend differs so much that the spend of those with a single purchase day is a guess "
                f"(q {spend.q:.2f}).",
                "Look at wholesale and private customers apart, or check the largest orders.",
            )
        ]
    if not spend.converged or spend.covariance is None:
        return [
            Reason(
                "care",
                "The data hardly tell the parameters of Gamma-Gamma, so the intervals of money are too narrow.",
                "A longer history, with more repeat purchases, may show how spend differs.",
            )
        ]
    return []


def _outcome(test: HoldoutTest) -> list[Reason]:
    if not test.finite:
        return [
            Reason("refused", "The model gives no finite number for the holdout.", "Import a longer history.")
        ]
    found = []
    for what, few, many, bias, predicted, actual in (
        ("orders", "few", "many", test.bias, test.predicted, test.actual),
        ("revenue", "little", "much", test.revenue_bias, test.predicted_revenue, test.actual_revenue),
    ):
        if bias is None:
            found.append(
                Reason(
                    "refused",
                    f"There was no {what} in the {test.weeks:g} weeks after {wording.day(test.cut)} to hold the forecast against.",
                    "Choose a longer holdout, or an as-of day with orders before it.",
                )
            )
        elif abs(bias) > USABLE_BIAS:
            found.append(
                Reason(
                    "refused" if abs(bias) > TRUSTED_BIAS else "care",
                    f"In the {test.weeks:g} weeks to {wording.day(test.as_of)} it forecast {wording.percent(abs(bias), 1)} too {few if bias < 0 else many} {what}: "
                    f"{predicted:,.0f} against {actual:,.0f}.",
                    "The model knows no seasons, prices or campaigns: try a holdout that covers a whole year, or an "
                    "as-of day outside the season.",
                )
            )
    for rule in test.naive:
        further = abs(test.bias or 0) > abs(rule.orders_bias) if rule.orders_bias is not None else False
        if rule.rmse < test.rmse * (1 - CLEARLY_BETTER):
            found.append(
                Reason(
                    "refused" if further else "care",
                    f"“{rule.name}” foretold the single customer better: it was typically off by {rule.rmse:.2f} orders, "
                    f"the model by {test.rmse:.2f}.",
                    "Plan by that rule, or import a longer history.",
                )
            )
    return found


def _independence(correlation: float) -> list[Reason]:
    if abs(correlation) <= CARE_CORRELATION:
        return []
    return [
        Reason(
            "refused" if abs(correlation) > TRUSTED_CORRELATION else "care",
            "What customers spend on a purchase day depends on how often they buy "
            f"(correlation {wording.with_minus(f'{correlation:+.2f}')}); the model of spend presumes that it does not.",
            "Look at wholesale and private customers apart.",
        )
    ]


def choose(candidates: Sequence[Candidate]) -> tuple[ModelName, str]:
    """Return the model to use of several fitted to the same history, and why, in a sentence.

    BG/NBD, the best known, unless another is clearly likelier on the history up to the cut and nearer to what
    came after it; a model in which nobody leaves gives way to one in which somebody does.
    """
    chosen = candidates[0]
    why = f"{TITLES[chosen.model]} is the standard, and no other was both clearly likelier and nearer in the holdout."
    for rival in candidates[1:]:
        gain = rival.log_likelihood - chosen.log_likelihood
        nearer = abs(rival.bias or 0) < abs(chosen.bias or 0)
        nobody_leaves = chosen.share_alive > NOBODY_LEAVES
        near = nearer or (nobody_leaves and abs(rival.bias or 0) <= TRUSTED_BIAS)
        if not near or rival.share_alive > NOBODY_LEAVES:
            continue
        if nobody_leaves:
            why = (
                f"In {TITLES[chosen.model]} almost nobody leaves; in {TITLES[rival.model]} some do, and in the holdout "
                f"it was off by {wording.signed_percent(rival.bias or 0, 1)} against {wording.signed_percent(chosen.bias or 0, 1)}."
            )
            chosen = rival
        elif gain > CLEARLY_LIKELIER:
            why = (
                f"{TITLES[rival.model]} is clearly likelier than {TITLES[chosen.model]} (log-likelihood +{gain:,.1f}) and "
                f"was nearer in the holdout ({wording.signed_percent(rival.bias or 0, 1)} against {wording.signed_percent(chosen.bias or 0, 1)})."
            )
            chosen = rival
    return chosen.model, why


def candidate(
    fit: Fit, keys: Histories, back: "np.ndarray[Any, np.dtype[np.int64]]", later: Floats, weeks: float
) -> Candidate:
    """Return how `fit` did in the `weeks` after the cut.

    keys: the distinct histories at the cut; back: which of them each customer had; later: purchase days of
    each customer after it.
    """
    expected = fit.expected_orders(keys, weeks)
    came = np.bincount(back, later, len(keys))
    # Σ (expected − later)² without a number for each customer.
    square = float(keys.customers @ expected**2 - 2 * (expected @ came) + later @ later)
    predicted, customers = float(keys.customers @ expected), float(keys.customers.sum())
    return Candidate(
        fit.model,
        fit.log_likelihood,
        int(fit.customers),
        predicted,
        bias_of(predicted, float(later.sum())),
        float(np.sqrt(max(square, 0.0) / customers)),
        float(keys.customers @ fit.probability_alive(keys) / customers),
    )


def histories_of(rows: pd.DataFrame) -> tuple[Histories, np.ndarray]:
    """Return the distinct histories of customers, and which of them each row has."""
    columns = [rows[name].to_numpy(np.int64) for name in HISTORY]
    packed = (columns[0] << 40) | (columns[1] << 20) | columns[2]
    keys, back, counts = np.unique(packed, return_inverse=True, return_counts=True)
    low = (1 << 20) - 1
    return Histories.of_days(keys >> 40, (keys >> 20) & low, keys & low, counts), back


def run(
    predictor: Predictor,
    rows: pd.DataFrame,
    *,
    cut: date,
    as_of: date,
    first: date,
    known: "tuple[Histories, np.ndarray[Any, np.dtype[np.int64]]] | None" = None,
) -> HoldoutTest:
    """Return the test of `predictor`, fitted to what was known at `cut`.

    rows: one row per customer with a purchase by `cut`, as `holdout_rows` makes them. first: the first day
    of the history. known: `histories_of(rows)`, where it is at hand.
    """
    weeks = (as_of - cut).days / WEEK_DAYS
    keys, back = known or histories_of(rows)
    spend = rows["repeat_spend"].to_numpy(float)
    actual, revenue = rows["later_purchase_days"].to_numpy(float), rows["later_revenue"].to_numpy(float)
    fit = predictor.orders

    # Independent of each other, and NumPy works on one core at a time.
    with ThreadPoolExecutor(2) as pool:
        of_money = pool.submit(
            scores.money, predictor, keys, years=1, weights=np.ones(1), weeks=weeks, ends=False
        )
        of_orders = pool.submit(scores.order_interval, predictor, keys, weeks)
        expected = fit.expected_orders(keys, weeks)
        each = expected[back]
        chance = float(keys.customers @ (fit.second_moment(keys, weeks) - expected**2))
        moves = scores.changes(fit, lambda moved: moved.expected_orders(keys, weeks), expected)
        shifts = np.array([keys.customers @ change for change in moves])
        money, interval = of_money.result(), of_orders.result()
    low, high = scores.total_interval(float(each.sum()), chance, shifts)

    worth = money.expected[0][back] + money.expected[1][back] * spend
    spread = money.deviation[0][back] + money.deviation[1][back] * spend
    loads = np.array([float((part[0][back] + part[1][back] * spend).sum()) for part in money.loadings])
    low_revenue, high_revenue = scores.total_interval(float(worth.sum()), float(spread @ spread), loads)

    inside = (actual >= interval.low[back]) & (actual <= interval.high[back])
    varies = len(each) > 1 and float(each.std()) > 0 and float(actual.std()) > 0
    return HoldoutTest(
        cut=cut,
        as_of=as_of,
        model=fit.model,
        parameters=dict(fit.parameters),
        log_likelihood=fit.log_likelihood,
        customers=len(rows),
        predicted=float(each.sum()),
        low=low,
        high=high,
        actual=float(actual.sum()),
        predicted_revenue=float(worth.sum()),
        low_revenue=low_revenue,
        high_revenue=high_revenue,
        actual_revenue=float(revenue.sum()),
        correlation=float(np.corrcoef(each, actual)[0, 1]) if varies else None,
        rmse=float(np.sqrt(np.mean((each - actual) ** 2))),
        inside=float(inside.mean()),
        promised=float(interval.promised[back].mean()),
        naive=_naive(rows, cut=cut, as_of=as_of, first=first),
        classes=_classes(rows["purchase_days"].to_numpy(np.int64) - 1, each, actual),
        deciles=_deciles(worth, revenue),
        chance=chance,
        shift=float(shifts @ shifts),
    )


def naive_window(first: date, cut: date, as_of: date) -> str | None:
    """Return which columns of `holdout_rows` the naive rule repeats: year_ago, or previous in a short history.

    Nothing where neither lies within the history: a rule is no rival that repeats days nobody knows of.
    """
    days = as_of - cut
    if first <= cut - timedelta(days=365) and days.days <= 365:
        return "year_ago"
    return "previous" if first <= cut - days + timedelta(days=1) else None


def _naive(rows: pd.DataFrame, *, cut: date, as_of: date, first: date) -> tuple[NaiveRule, ...]:
    days = (as_of - cut).days
    weeks = days / WEEK_DAYS
    actual, revenue = rows["later_purchase_days"].to_numpy(float), rows["later_revenue"].to_numpy(float)
    watched = float(rows["tenure_days"].sum()) / WEEK_DAYS
    repeats = float((rows["purchase_days"] - 1).sum())
    bought = float(rows["purchase_days"].sum())
    rate = repeats / watched * weeks if watched else 0.0
    per_order = float(rows["revenue"].sum()) / bought if bought else 0.0
    average = np.full(len(rows), rate)

    def rule(name: str, orders: Floats, money: float) -> NaiveRule:
        return NaiveRule(
            name,
            float(orders.sum()),
            bias_of(float(orders.sum()), float(actual.sum())),
            money,
            bias_of(money, float(revenue.sum())),
            float(np.sqrt(np.mean((orders - actual) ** 2))),
        )

    rules = []
    source = naive_window(first, cut, as_of)
    if source is not None:
        name = "Same as a year before" if source == "year_ago" else f"Same as the {weeks:g} weeks before"
        repeated = rows[f"{source}_purchase_days"].to_numpy(float)
        rules.append(rule(name, repeated, float(rows[f"{source}_revenue"].sum())))
    rules.append(rule("Everybody buys the average", average, float(average.sum()) * per_order))
    return tuple(rules)


def _classes(x: np.ndarray, predicted: Floats, actual: Floats) -> tuple[dict[str, Any], ...]:
    group = np.minimum(x, FREQUENCY_CLASSES)
    counts = np.bincount(group, minlength=FREQUENCY_CLASSES + 1)
    sums = [np.bincount(group, part, FREQUENCY_CLASSES + 1) for part in (predicted, actual)]
    return tuple(
        {
            "repeats": f"{number}+" if number == FREQUENCY_CLASSES else str(number),
            "customers": int(counts[number]),
            "predicted": float(sums[0][number]),
            "actual": float(sums[1][number]),
        }
        for number in range(FREQUENCY_CLASSES + 1)
        if counts[number]
    )


def _deciles(predicted: Floats, actual: Floats) -> tuple[dict[str, Any], ...]:
    best_first = np.argsort(-predicted, kind="stable")
    return tuple(
        {
            "decile": number,
            "customers": len(part),
            "predicted": float(predicted[part].sum()),
            "actual": float(actual[part].sum()),
        }
        for number, part in enumerate(np.array_split(best_first, 10), 1)
        if len(part)
    )


def tracked_from(first: date, cut: date, as_of: date) -> date:
    """Return the day after which the tracking curve begins: twice as long before the cut as after it."""
    return max(first - timedelta(days=1), cut - 2 * (as_of - cut))


def tracking(
    test: HoldoutTest, keys: Histories, daily: pd.DataFrame, *, first: date
) -> tuple[dict[str, Any], ...]:
    """Return the cumulative curve of a test: repeat purchase days of the customers known at its cut.

    keys: their histories at the cut. daily: one row per day number, as `purchases_by_day` makes them of
    these customers, all after `tracked_from`. first: the first day of the history.
    To one row per week end: week_end, actual, predicted, low, high. Up to the cut, predicted is what the
    model makes of everybody's first purchase; after it, what it expects of each customer's own history, from
    what was really reached at the cut, with the 80 % interval.
    """
    cut, as_of = test.cut, test.as_of
    fit = Fit(test.model, test.parameters, test.log_likelihood, test.customers)
    bought = daily.sort_values("day")
    day, counts = bought["day"].to_numpy(np.int64), bought["purchases"].to_numpy(float)
    sums = np.concatenate([[0.0], np.cumsum(counts)])
    tenure, of = np.unique(keys.T, return_inverse=True)
    new = np.bincount(of, keys.customers)
    arrived = day_number(cut) - np.rint(tenure * WEEK_DAYS).astype(np.int64)
    # The rows may begin later than the history; what was reached by the cut is known of each customer.
    at_cut = float(keys.customers @ (keys.x + 1))
    earlier = at_cut - float(counts[day <= day_number(cut)].sum())

    def actual_by(when: date) -> float:
        """Purchase days up to a day, less first ones, which are no repeats."""
        until = day_number(when)
        reached = earlier + float(sums[np.searchsorted(day, until, side="right")])
        return reached - float(new[arrived <= until].sum())

    past = (cut - tracked_from(first, cut, as_of)).days // WEEK_DAYS
    before = [cut - timedelta(weeks=back) for back in range(past, -1, -1)]
    step = max(1, len(before) // 40)  # as many points as a chart can show
    before = before[::-1][::step][::-1]
    rows = []
    for when in before:
        known = arrived <= day_number(when)
        ages = (day_number(when) - arrived[known]) / WEEK_DAYS
        expected = float(new[known] @ fit.expected_orders_of_new(ages)) if known.any() else 0.0
        rows.append(
            {"week_end": when, "actual": actual_by(when), "predicted": expected, "low": None, "high": None}
        )
    start, total = actual_by(cut), (as_of - cut).days / WEEK_DAYS
    points = np.unique(np.round(np.linspace(0, total, min(MOST_POINTS, max(2, round(total))) + 1)[1:], 6))
    ahead = [float(keys.customers @ fit.expected_orders(keys, float(weeks))) for weeks in points]
    for weeks, expected in zip(points, ahead, strict=True):
        share = expected / ahead[-1] if ahead[-1] else 0.0
        width = scores.Z * float(np.sqrt(max(0.0, test.chance * share + test.shift * share**2)))
        when = cut + timedelta(days=round(float(weeks) * WEEK_DAYS))
        rows.append(
            {
                "week_end": when,
                "actual": actual_by(when),
                "predicted": start + expected,
                "low": start + max(0.0, expected - width),
                "high": start + expected + width,
            }
        )
    return tuple(rows)


def spend_correlation(rows: pd.DataFrame) -> float | None:
    """Return the correlation of repeat purchase days and mean repeat spend, over customers with a repeat."""
    x = rows["purchase_days"].to_numpy(float) - 1
    kept = x > 0
    if kept.sum() < 3:
        return None
    count, mean = x[kept], rows["repeat_spend"].to_numpy(float)[kept] / x[kept]
    if not (count.std() > 0 and mean.std() > 0):
        return None
    return float(np.corrcoef(count, mean)[0, 1])


def _share(share: float) -> str:
    return f"more than {wording.percent(0.999, 1)}" if share > 0.9995 else wording.percent(share, 1)

"""What a fitted model says of every customer: still there?, orders, money, each with its interval.

Everything a customer's forecast depends on is her history (x, t_x, T) and her repeat spend S, and money is
linear in S: Gamma-Gamma expects p (v + S) ÷ (p x + q − 1) of each purchase day. So all work is done once for
each distinct history; what S adds is one multiplication, which any engine can do.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crm.analytics.btyd import YEAR_WEEKS, Fit, Floats, Histories, Integers
from crm.analytics.gamma_gamma import SpendFit

LEVEL = 0.80
"""Share of cases that an interval is to hold."""

TAIL = (1 - LEVEL) / 2

Z = 1.2815515655446004
"""The standard normal distribution lies between −Z and Z with probability `LEVEL`."""

FEW_CUSTOMERS = 20_000
"""Below, an interval of one customer's orders is averaged over parameters as uncertain as they are. Above,
parameters are known to a percent, which no longer shows beside the chance in one customer's own purchases."""

LOADINGS = 7
"""Directions in which the parameters are uncertain: four of the model of orders, three of spend."""

MOST_ORDERS = 5_000


@dataclass(frozen=True, eq=False)
class Predictor:
    """A fitted model of orders and of spend, and the share of purchases that is not returned."""

    orders: Fit
    spend: SpendFit
    kept_share: float = 1.0

    def moved(self) -> Iterator["Predictor"]:
        """Yield the predictor at points around its estimate that have the estimate's own covariance."""
        for direction in _directions(self.orders):
            for sign in (2.0, -2.0):
                yield Predictor(self.orders.moved(sign * direction), self.spend, self.kept_share)


@dataclass(frozen=True, eq=False)
class OrderInterval:
    """Where the number of purchase days in some weeks will lie: ends, and the probability the ends hold."""

    low: Floats
    high: Floats
    promised: Floats


@dataclass(frozen=True, eq=False)
class Money:
    """Money to come, each array one entry per history: a first part, and a second that takes repeat spend.

    expected, low, high: money = first + second × repeat spend. deviation: standard deviation by the
    customer's own chance. loadings: what one standard error in each direction of the parameters changes.
    """

    expected: tuple[Floats, Floats]
    low: tuple[Floats, Floats]
    high: tuple[Floats, Floats]
    deviation: tuple[Floats, Floats]
    loadings: tuple[tuple[Floats, Floats], ...]


def order_interval(predictor: Predictor, histories: Histories, weeks: float) -> OrderInterval:
    """Return the 80 % interval of the purchase days of a customer with each history in the next `weeks`.

    Where none at all has a probability of 10 % or more, the interval starts at 0 and leaves 20 % above;
    else it leaves 10 % on either side. Ends are mid-quantiles (Parzen 2004, Statistical Science 19(4),
    652-662): a count stands for the stretch half a purchase around it, so that over many customers the
    intervals hold what they promise, neither more nor less, as far as whole numbers allow.
    """
    points = [predictor]
    if predictor.orders.customers < FEW_CUSTOMERS:
        points = list(predictor.moved()) or points
    alive = [point.orders.probability_alive(histories) for point in points]
    known, back = histories.pairs

    def above(orders: int, rows: np.ndarray) -> Floats:
        """P(Y ≥ orders) of some rows."""
        wanted, place = np.unique(back[rows], return_inverse=True)
        some = Histories(known.x[wanted], known.t_x[wanted], known.T[wanted])
        parts = [
            there[rows] * point.orders.at_least_alive(some, weeks, orders)[place]
            for point, there in zip(points, alive, strict=True)
        ]
        return np.asarray(sum(parts) / len(parts))

    every = np.arange(len(histories))
    at_least_one = above(1, every)
    from_0 = 1 - at_least_one >= TAIL
    low_level = np.where(from_0, 0.0, TAIL)
    high_level = np.where(from_0, LEVEL, 1 - TAIL)
    low = np.zeros(len(histories))
    high = np.zeros(len(histories))
    promised = np.zeros(len(histories))
    open_rows, before, beyond = every, np.ones(len(histories)), at_least_one
    for count in range(MOST_ORDERS):
        # P(Y < count) and P(Y ≤ count) of the rows whose upper end is not found yet.
        under, up_to = 1 - before, 1 - beyond
        mass = np.maximum(up_to - under, 1e-300)
        reached = (under <= low_level[open_rows]) & (low_level[open_rows] < up_to)
        reached &= ~from_0[open_rows]
        low[open_rows[reached]] = count - 0.5 + (low_level[open_rows] - under)[reached] / mass[reached]
        share = (high_level[open_rows] - under) / mass
        found = share <= 1
        ends = np.where(found, count - 0.5 + share, 0.0)
        high[open_rows[found]] = ends[found]
        inside = (count >= low[open_rows]) & (~found | (count <= ends)) & (low_level[open_rows] < up_to)
        promised[open_rows] += np.where(inside, mass, 0.0)
        open_rows, before = open_rows[~found], beyond[~found]
        if not len(open_rows):
            break
        beyond = above(count + 2, open_rows)
    return OrderInterval(np.maximum(low, 0), np.maximum(high, 0), promised)


def yearly_orders(fit: Fit, histories: Histories, years: int) -> Floats:
    """Return expected purchase days in each of the next `years` of 365 days: one column per year."""
    alive = fit.probability_alive(histories)
    known, back = histories.pairs
    return np.asarray(alive[:, None] * _each_period(fit, known, _year_ends(years))[back])


def _year_ends(years: int) -> Floats:
    """Return the ends of the next `years` of 365 days, in weeks."""
    return np.asarray(YEAR_WEEKS * np.arange(1.0, years + 1))


def _each_period(fit: Fit, known: Histories, ends: Floats) -> Floats:
    """Return purchase days in each of the periods with these ends, of customers known not to have left yet."""
    return np.diff(fit.expected_orders_alive_at(known, ends), axis=1, prepend=0.0)


def money(
    predictor: Predictor,
    histories: Histories,
    *,
    years: int,
    weights: Sequence[float] | Floats,
    weeks: float | None = None,
    ends: bool = True,
) -> Money:
    """Return the money to come within `years`, or within `weeks`, each year's worth `weights` of its money.

    weights: for each year, what 1 of its revenue counts today: margin ÷ (1 + d)^t, or 1 for plain revenue.
    Returns are taken out by the predictor's `kept_share`. Without `ends`, low and high are left at 0: a sum
    over customers has no use for them.
    """
    periods = np.array([weeks]) if weeks is not None else _year_ends(years)
    worth = predictor.kept_share * np.asarray(weights, dtype=np.float64)[: len(periods)]
    known, back = histories.pairs

    def counted(fit: Fit) -> Floats:
        return np.asarray(
            fit.probability_alive(histories) * (_each_period(fit, known, periods) @ worth)[back]
        )

    fit, spend = predictor.orders, predictor.spend
    alive, ahead = fit.probability_alive(histories), _each_period(fit, known, periods)
    orders = alive * (ahead @ worth)[back]
    first, second = spend.coefficients(histories.x)
    expected = (orders * first, orders * second)

    loadings: list[tuple[Floats, Floats]] = []
    for change in changes(fit, counted, orders):
        loadings.append((change * first, change * second))
    nothing = np.zeros(len(histories))
    loadings += [(nothing, nothing)] * (LOADINGS - 3 - len(loadings))
    for step in _directions(spend):
        more, less = (_coefficients(spend.moved(sign * step), histories) for sign in (1.0, -1.0))
        loadings.append((orders * (more[0] - less[0]) / 2, orders * (more[1] - less[1]) / 2))
    loadings += [(nothing, nothing)] * (LOADINGS - len(loadings))

    # In units of v + S, which is all that a customer's own spend changes, and of the year that counts most.
    shape = spend.p * histories.x + spend.q
    most = float(worth.max())
    relative = worth / most if most > 0 else np.ones_like(worth)
    plain = alive * (ahead @ relative)[back]
    squares = ahead @ relative**2
    products = squares + fit.weighted_pairs_alive(known, periods, relative)
    spread = alive * (spend.p**2 * products + spend.p * squares)[back]
    mean = orders * spend.p / (shape - 1)
    # Below 2 the mean spend of one without repeats has no variance; the floor keeps an interval finite.
    second_moment = most**2 * spread / ((shape - 1) * np.maximum(shape - 2, 0.25))
    chance = np.sqrt(np.maximum(second_moment - mean**2, 0.0))
    uncertain = sum(part[1] ** 2 for part in loadings)
    low, high = nothing, nothing
    if ends:
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.where(mean > 0, uncertain / mean**2, 0.0)
        some = np.maximum(fit.at_least(histories, float(periods[-1]), 1), 1e-12)
        first_moment = spend.p * plain / some
        low, high = _ends(some, first_moment, spread / some + first_moment**2 * shift, shape)
        low, high = low * most, high * most
    return Money(
        expected=expected,
        low=(low * spend.v, low),
        high=(high * spend.v, high),
        deviation=(chance * spend.v, chance),
        loadings=tuple(loadings),
    )


def total_interval(expected: float, variance: float, loadings: Floats) -> tuple[float, float]:
    """Return the 80 % interval of the sum of many customers' money.

    variance: of the customers' own chances, which add up; loadings: the sums of theirs, for an error in the
    parameters moves all customers together.
    """
    reach = Z * float(np.sqrt(variance + float(loadings @ loadings)))
    return max(0.0, expected - reach), expected + reach


def changes(fit: Fit, answer: Callable[[Fit], Floats], here: Floats | None = None) -> Iterator[Floats]:
    """Yield how much one standard error in each direction of the parameters changes what `answer` gives.

    From both sides of the estimate. Of many customers, whose errors are so small that the answer is straight
    over them, from one side of `here`, what it gives at the estimate.
    """
    for direction in _directions(fit):
        above = answer(fit.moved(direction))
        if here is not None and fit.customers >= FEW_CUSTOMERS:
            yield above - here
        else:
            yield (above - answer(fit.moved(-direction))) / 2


def alive_interval(fit: Fit, histories: Histories) -> tuple[Floats, Floats]:
    """Return the 80 % interval of each probability of being alive, by the uncertainty of the parameters."""
    alive = np.clip(fit.probability_alive(histories), 1e-12, 1 - 1e-12)
    odds = np.log(alive / (1 - alive))
    variance = np.zeros(len(histories))

    def log_odds(moved: Fit) -> Floats:
        share = np.clip(moved.probability_alive(histories), 1e-12, 1 - 1e-12)
        return np.asarray(np.log(share / (1 - share)))

    for change in changes(fit, log_odds):
        variance += change**2
    reach = Z * np.sqrt(variance)
    sure = np.isin(fit.probability_alive(histories), (0.0, 1.0))
    low, high = 1 / (1 + np.exp(reach - odds)), 1 / (1 + np.exp(-reach - odds))
    return np.where(sure, np.round(alive), low), np.where(sure, np.round(alive), high)


def _directions(fit: Fit | SpendFit) -> list[Floats]:
    """Return independent steps of one standard error each in the logarithms of the parameters."""
    if fit.covariance is None:
        return []
    values, vectors = np.linalg.eigh(fit.covariance)
    return [
        np.clip(np.sqrt(max(value, 0.0)) * vector, -1.0, 1.0)
        for value, vector in zip(values, vectors.T, strict=True)
    ]


def _coefficients(spend: SpendFit, histories: Histories) -> tuple[Floats, Floats]:
    below = np.maximum(spend.p * histories.x + spend.q - 1, 1e-6)
    return spend.p * spend.v / below, spend.p / below


def _ends(
    some: Floats, mean: Floats, square: Floats, shape: NDArray[np.floating[Any]]
) -> tuple[Floats, Floats]:
    """Return the ends of the 80 % interval of a customer's money, in units of v + S.

    some: the probability of any purchase. mean, square: moments of the money of those who buy, in units of
    their own scale, and taken for gamma distributed with them. shape: p x + q; that scale is itself unknown,
    one over a gamma of this shape, which makes a beta prime distribution of the money. It needs no moments,
    which few purchases do not have.
    """
    from scipy.special import betaincinv

    g = mean**2 / np.maximum(square - mean**2, 1e-9 * mean**2 + 1e-300)
    nobody = 1 - some
    from_0 = nobody >= TAIL

    def quantile(rows: Integers, level: float) -> Floats:
        rest = np.clip((level - nobody[rows]) / some[rows], 0, 1 - 1e-12)
        place = betaincinv(g[rows], shape[rows], rest)
        return np.asarray(mean[rows] / g[rows] * place / np.maximum(1 - place, 1e-12))

    low, high = np.zeros_like(nobody), np.zeros_like(nobody)
    sure, likely = np.flatnonzero(~from_0), np.flatnonzero(from_0 & (nobody < LEVEL))
    low[sure], high[sure] = quantile(sure, TAIL), quantile(sure, 1 - TAIL)
    high[likely] = quantile(likely, LEVEL)
    return low, high

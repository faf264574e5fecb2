"""Buy till you die: how many purchases each customer still makes, by BG/NBD, MBG/NBD or Pareto/NBD.

All three let a living customer buy at random at a rate of her own, rates being gamma distributed over
customers (shape r, rate alpha). They differ in how she leaves:

- BG/NBD (Fader, Hardie & Lee 2005, Marketing Science 24(2), 275-284): after any repeat purchase, with a
  probability of her own, beta distributed (a, b).
- MBG/NBD (Batislam, Denizel & Filiztekin 2007, Int. J. of Research in Marketing 24(3), 201-209): the
  same, and after the first purchase too.
- Pareto/NBD (Schmittlein, Morrison & Colombo 1987, Management Science 33(1), 1-24): at any moment, at a
  rate of her own, gamma distributed (shape s, rate beta).

A customer enters by three numbers: x repeat purchase days, t_x weeks from the first purchase to the last,
T weeks from the first purchase to the as-of day. Equal customers give equal answers, so everything is
computed once for each distinct history.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crm.errors import InvalidValue, NotEnoughData

WEEK_DAYS = 7
YEAR_WEEKS = 365 / WEEK_DAYS

ModelName = Literal["bg_nbd", "mbg_nbd", "pareto_nbd"]

MODELS: tuple[ModelName, ...] = get_args(ModelName)

TITLES: Mapping[ModelName, str] = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD"}

PARAMETERS: Mapping[ModelName, tuple[str, ...]] = {
    "bg_nbd": ("r", "alpha", "a", "b"),
    "mbg_nbd": ("r", "alpha", "a", "b"),
    "pareto_nbd": ("r", "alpha", "s", "beta"),
}

LN_BOUND = 14.0
"""Parameters are sought between e^-14 and e^14; one that ends there has left the data behind."""

COARSE_ROWS = 4_000
"""Of more distinct histories than this, a part is fitted first, and all of them from where that ends."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Histories:
    """Distinct purchase histories, one entry each, and how many customers share it.

    x: repeat purchase days. t_x: weeks from the first to the last purchase. T: weeks from the first
    purchase to the end of observation. customers: weights, 1 each unless said otherwise.
    """

    x: Integers
    t_x: Floats
    T: Floats
    customers: Floats

    def __init__(
        self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, customers: ArrayLike | None = None
    ) -> None:
        object.__setattr__(self, "x", np.atleast_1d(np.asarray(x, dtype=np.int64)))
        object.__setattr__(self, "t_x", np.atleast_1d(np.asarray(t_x, dtype=np.float64)))
        object.__setattr__(self, "T", np.atleast_1d(np.asarray(T, dtype=np.float64)))
        weights = np.ones(len(self.x)) if customers is None else np.asarray(customers, dtype=np.float64)
        object.__setattr__(self, "customers", np.atleast_1d(weights))
        if not len(self.x) == len(self.t_x) == len(self.T) == len(self.customers):
            raise InvalidValue("The columns of the histories differ in length.", "Give one entry each.")
        in_order = (self.x >= 0) & (self.t_x >= 0) & (self.t_x <= self.T * (1 + 1e-12))
        if not bool(np.all(in_order & np.isfinite(self.T))):
            raise InvalidValue(
                "A history has a last purchase after its end, or a negative count.",
                "Every history needs 0 ≤ t_x ≤ T and x ≥ 0.",
            )

    @classmethod
    def of_days(
        cls,
        purchase_days: ArrayLike,
        recency_days: ArrayLike,
        tenure_days: ArrayLike,
        customers: ArrayLike | None = None,
    ) -> "Histories":
        """Return the histories of customers as the per-customer table describes them, days made weeks."""
        tenure = np.atleast_1d(np.asarray(tenure_days, dtype=np.float64))
        recency = np.atleast_1d(np.asarray(recency_days, dtype=np.float64))
        bought = np.atleast_1d(np.asarray(purchase_days, dtype=np.int64))
        return cls(bought - 1, (tenure - recency) / WEEK_DAYS, tenure / WEEK_DAYS, customers)

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def groups(self) -> "list[tuple[int, Integers, Floats, Integers]]":
        """Those of one x together: x, where they stand, their distinct T, and which of these each has."""
        if not len(self):
            return []
        order = np.lexsort((self.T, self.x))
        parts = np.split(order, np.flatnonzero(np.diff(self.x[order])) + 1)
        found = []
        for part in parts:
            T = self.T[part]
            back = np.concatenate([[0], np.cumsum(np.diff(T) > 0)])
            found.append((int(self.x[part[0]]), part, T[np.unique(back, return_index=True)[1]], back))
        return found

    @cached_property
    def pairs(self) -> "tuple[Histories, Integers]":
        """The distinct pairs of x and T, and which of them each history has: all that the future of one who
        is still a customer depends on.
        """
        x = np.concatenate([np.full(len(T), x) for x, _, T, _ in self.groups] or [np.empty(0)])
        T = np.concatenate([T for _, _, T, _ in self.groups] or [np.empty(0)])
        back = np.empty(len(self), dtype=np.int64)
        start = 0
        for _, where, of, at in self.groups:
            back[where] = start + at
            start += len(of)
        return Histories(x, np.zeros(len(T)), T), back

    def part(self, step: int) -> "Histories":
        """Return every `step`-th of the histories, in the order of x, t_x and T."""
        order = np.lexsort((self.T, self.t_x, self.x))[::step]
        return Histories(self.x[order], self.t_x[order], self.T[order], self.customers[order])


NEW = Histories(0, 0.0, 0.0)
"""Somebody who has just bought for the first time."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model: its parameters and what they say of a history.

    parameters: by the names of `PARAMETERS`, time in weeks. log_likelihood: of all `customers`, natural
    logarithm. covariance: of the logarithms of the parameters (the inverse of the observed information);
    nothing where the likelihood is flat. converged: whether the search ended inside its bounds.
    """

    model: ModelName
    parameters: dict[str, float]
    log_likelihood: float
    customers: float
    covariance: Floats | None = None
    converged: bool = True

    @property
    def title(self) -> str:
        """The model's name as the field writes it."""
        return TITLES[self.model]

    @property
    def standard_errors(self) -> dict[str, float | None]:
        """Standard error of each parameter, by the delta method; nothing where the likelihood is flat."""
        if self.covariance is None:
            return dict.fromkeys(self.parameters)
        errors = np.sqrt(np.diag(self.covariance))
        return {
            name: float(value * error)
            for (name, value), error in zip(self.parameters.items(), errors, strict=True)
        }

    def moved(self, step: Floats) -> "Fit":
        """Return the model with `step` added to the logarithms of its parameters."""
        moved = {
            name: float(value * np.exp(one))
            for (name, value), one in zip(self.parameters.items(), step, strict=True)
        }
        return replace(self, parameters=moved)

    def probability_alive(self, histories: Histories) -> Floats:
        """Return the probability that a customer with each history has not left."""
        return _family(self.model).probability_alive(_values(self), histories)

    def expected_orders(self, histories: Histories, weeks: float) -> Floats:
        """Return how many purchase days to expect in the `weeks` after each history."""
        return self.probability_alive(histories) * self.expected_orders_alive(histories, weeks)

    def expected_orders_alive(self, histories: Histories, weeks: float) -> Floats:
        """Return what `expected_orders` would be if the customer was known not to have left yet."""
        _require_weeks(weeks)
        return _family(self.model).expected(_values(self), histories, weeks)

    def expected_orders_alive_at(self, histories: Histories, weeks: ArrayLike) -> Floats:
        """Return `expected_orders_alive` for several lengths of time: a row per history, a column per length."""
        ahead = np.atleast_1d(np.asarray(weeks, dtype=np.float64))
        for one in ahead:
            _require_weeks(float(one))
        return _family(self.model).expected_at(_values(self), histories, ahead)

    def expected_orders_of_new(self, weeks: ArrayLike) -> Floats:
        """Return E[X(t)]: the repeat purchase days of somebody in the `weeks` (many) after her first purchase."""
        ahead = np.atleast_1d(np.asarray(weeks, dtype=np.float64))
        family, values = _family(self.model), _values(self)
        return family.probability_alive(values, NEW) * family.expected_of_new(values, ahead)

    def second_moment(self, histories: Histories, weeks: float) -> Floats:
        """Return the expected square of the number of purchase days in the `weeks` after each history."""
        return self.probability_alive(histories) * self.second_moment_alive(histories, weeks)

    def second_moment_alive(self, histories: Histories, weeks: float) -> Floats:
        """Return what `second_moment` would be if the customer was known not to have left yet."""
        return self.expected_orders_alive(histories, weeks) + self.weighted_pairs_alive(
            histories, [weeks], [1.0]
        )

    def weighted_pairs_alive(self, histories: Histories, weeks: ArrayLike, weights: ArrayLike) -> Floats:
        """Return the expected sum over every two purchase days ahead, either first, of both their weights' product.

        Of a customer known not to have left yet. weeks: ends of the periods ahead, ascending; weights: what a
        purchase day in each period counts. With Z the weighted sum of the purchase days of all periods, this
        is E[Z²] but for what each purchase day makes with itself.
        """
        ends, worth = np.asarray(weeks, dtype=np.float64), np.asarray(weights, dtype=np.float64)
        for end in ends:
            _require_weeks(float(end))
        family, values = _family(self.model), _values(self)
        pairs = np.diff(family.pairs(values, histories, ends), axis=1, prepend=0.0) @ worth**2
        if np.all(worth == worth[0]):
            return _floats(pairs)
        # Of two purchases the chance hangs on the later one's moment alone. Those whose earlier one lies in a
        # period before have been given the weight of the later one twice: the difference is put right.
        starts = np.append(0.0, ends[:-1])
        earlier = np.append(0.0, np.cumsum(worth * (ends - starts))[:-1])
        later = np.diff(family.later(values, histories, ends), axis=1, prepend=0.0)
        return _floats(pairs + later @ (2 * worth * (earlier - starts * worth)))

    def at_least(self, histories: Histories, weeks: float, orders: int) -> Floats:
        """Return the probability of `orders` or more purchase days in the `weeks` after each history."""
        if orders <= 0:
            return np.ones(len(histories))
        return self.probability_alive(histories) * self.at_least_alive(histories, weeks, orders)

    def at_least_alive(self, histories: Histories, weeks: float, orders: int) -> Floats:
        """Return what `at_least` would be if the customer was known not to have left yet; `orders` ≥ 1."""
        _require_weeks(weeks)
        return _family(self.model).at_least(_values(self), histories, weeks, orders)

    def discounted_expected_orders(
        self, histories: Histories, *, rate: float, weeks: float | None = None
    ) -> Floats:
        """Return the expected purchase days after each history, each discounted continuously.

        rate: per week, such as ln 1.15 ÷ 52 for 15 % a year. weeks: horizon; without one, without end,
        which is the DERT of Fader, Hardie & Lee 2005 (J. of Marketing Research 42(4), 415-430).
        """
        if weeks is None and not rate > 0:
            raise InvalidValue(
                "Without an end, purchases must be discounted at a rate above 0.",
                "State a horizon, or a rate above 0.",
            )
        if not 0 <= rate < np.inf:
            raise InvalidValue(f"The discount rate is {rate:g} a week.", "Choose a rate of 0 or more.")
        if weeks is not None:
            _require_weeks(weeks)
        return self.probability_alive(histories) * _family(self.model).discounted(
            _values(self), histories, rate, weeks
        )


def fit(model: ModelName, histories: Histories) -> Fit:
    """Return `model` fitted to `histories` by maximum likelihood.

    Raises NotEnoughData where nobody bought twice or nobody was watched for a day: every rate of
    purchase and of leaving would be as likely as any other.
    """
    _require_repeaters(histories)
    family = _family(model)
    start = np.log(family.start(histories))
    if len(histories) > COARSE_ROWS:
        coarse = family.prepared(histories.part(len(histories) // COARSE_ROWS))
        start, _, scale = maximise(coarse, start)
        whole = family.prepared(histories)
        share = float(histories.customers.sum()) / float(coarse.customers)
        found, inside, information = maximise(whole, start, information=scale * share)
    else:
        whole = family.prepared(histories)
        found, inside, information = maximise(whole, start)
    value, _ = whole(found)
    return Fit(
        model,
        dict(zip(PARAMETERS[model], map(float, np.exp(found)), strict=True)),
        float(value),
        float(histories.customers.sum()),
        inverse(information),
        inside,
    )


def log_likelihood(model: ModelName, parameters: Mapping[str, float], histories: Histories) -> float:
    """Return the natural logarithm of the likelihood of all customers, as the papers define it."""
    value, _ = _family(model).prepared(histories)(_logarithms(model, parameters))
    return float(value)


def gradient(model: ModelName, parameters: Mapping[str, float], histories: Histories) -> Floats:
    """Return the derivatives of `log_likelihood` by the logarithms of the parameters, in their order."""
    _, slope = _family(model).prepared(histories)(_logarithms(model, parameters))
    return slope


def _logarithms(model: ModelName, parameters: Mapping[str, float]) -> Floats:
    return _floats(np.log([parameters[name] for name in PARAMETERS[model]]))


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _values(found: Fit) -> Floats:
    return np.array([found.parameters[name] for name in PARAMETERS[found.model]])


def _require_weeks(weeks: float) -> None:
    if not 0 <= weeks < np.inf:
        raise InvalidValue(f"The horizon is {weeks:g} weeks.", "Choose 0 weeks or more.")


def _require_repeaters(histories: Histories) -> None:
    if not len(histories) or not bool(np.any(histories.T > 0)):
        raise NotEnoughData(
            "All purchases fall on one day, so nothing can be said of the days to come.",
            "Import a longer history of orders.",
        )
    if not bool(np.any(histories.x > 0)):
        raise NotEnoughData(
            "No customer has bought on two days, so nothing can be said of coming back.",
            "Import a longer history of orders, or check that customers keep their ID from order to order.",
        )


# --- maximum likelihood -------------------------------------------------------------------------------

Objective = Callable[[Floats], tuple[float, Floats]]
"""From the logarithms of parameters to a log-likelihood and its derivatives by them."""


def maximise(
    objective: Objective, start: Floats, *, information: Floats | None = None
) -> tuple[Floats, bool, Floats]:
    """Return the logarithms of parameters where `objective` is largest, whether inside the bounds, and
    the observed information (minus the second derivatives) there.

    `information`, where it is roughly known at `start`, makes the search take straight steps.
    """
    from scipy.optimize import minimize

    turn = np.eye(len(start))
    if information is not None:
        values, vectors = np.linalg.eigh(information)
        if values[0] > 1e-9 * values[-1] > 0:
            turn = vectors / np.sqrt(values)
    # As a share of what it is at the start: the same steps and the same end for any number of customers.
    unit = max(abs(objective(start)[0]), 1.0) if information is None else 1.0

    def turned(place: Floats) -> tuple[float, Floats]:
        # A wall outside the bounds that pushes back smoothly: turned axes have no box of their own.
        at = start + turn @ place
        inside = np.clip(at, -LN_BOUND, LN_BOUND)
        value, slope = objective(inside)
        over = at - inside
        pushed = np.where(over == 0, slope, 0.0) / unit - 2 * over
        return -value / unit + float(over @ over), -(turn.T @ pushed)

    # Not L-BFGS-B, whose linear algebra wakes all cores for four numbers.
    tolerance = 1e-8 if information is None else 1e-3  # in turned axes, a step of 1 is one standard error
    found = minimize(
        turned, np.zeros(len(start)), jac=True, method="BFGS", options={"gtol": tolerance, "maxiter": 300}
    )
    at = np.clip(start + turn @ found.x, -LN_BOUND, LN_BOUND)
    at, information = _polished(objective, at)
    return at, bool(np.all(np.abs(at) < LN_BOUND - 0.05)), information


def _polished(objective: Objective, at: Floats) -> tuple[Floats, Floats]:
    """Return the maximum next to `at` by one step of Newton's method, and the observed information.

    The second derivatives are differences of the exact first ones.
    """
    step = 1e-5
    here = objective(at)[1]
    rows = []
    for number in range(len(at)):
        move = np.zeros(len(at))
        move[number] = step
        rows.append((here - objective(at + move)[1]) / step)
    second = np.array(rows)
    information = (second + second.T) / 2
    covariance = inverse(information)
    if covariance is not None:
        last = covariance @ here
        if np.all(np.abs(last) < 0.01) and np.all(np.abs(at + last) < LN_BOUND):
            at = at + last
    return at, information


def dot(one: Floats, other: Floats) -> float:
    """Return Σ one × other, on one core: waking the others takes longer than the sum."""
    return float(np.einsum("i,i->", one, other))


def inverse(information: Floats) -> Floats | None:
    """Return the covariance that an observed information stands for, or nothing where it is flat."""
    try:
        values = np.linalg.eigvalsh(information)
    except np.linalg.LinAlgError:
        return None
    if not np.all(np.isfinite(values)) or values[0] <= 1e-10 * values[-1]:
        return None
    return _floats(np.linalg.inv(information))


# --- the three models ---------------------------------------------------------------------------------


class _Family:
    """What a model computes; `values` are its four parameters in order."""

    def start(self, histories: Histories) -> Floats:
        raise NotImplementedError

    def prepared(self, histories: Histories) -> "_Likelihood":
        raise NotImplementedError

    def probability_alive(self, values: Floats, histories: Histories) -> Floats:
        raise NotImplementedError

    def expected(self, values: Floats, histories: Histories, weeks: float) -> Floats:
        """E[Y | alive], Y purchase days in the weeks ahead."""
        raise NotImplementedError

    def expected_at(self, values: Floats, histories: Histories, weeks: Floats) -> Floats:
        """E[Y | alive], one column for each length of time."""
        return np.column_stack([self.expected(values, histories, float(one)) for one in weeks])

    def expected_of_new(self, values: Floats, weeks: Floats) -> Floats:
        """E[Y | alive] of somebody new, for many lengths of time."""
        raise NotImplementedError

    def pairs(self, values: Floats, histories: Histories, weeks: Floats) -> Floats:
        """E[Y (Y − 1) | alive], one column for each length of time."""
        raise NotImplementedError

    def later(self, values: Floats, histories: Histories, weeks: Floats) -> Floats:
        """∫ c(v) dv, one column for each length of time, where c(v) du dv is the chance of purchases at u and v.

        For any u < v ahead: a customer who is to buy at v is there at u, and buys at u as at any moment before.
        """
        raise NotImplementedError

    def at_least(self, values: Floats, histories: Histories, weeks: float, orders: int) -> Floats:
        """P(Y ≥ orders | alive)."""
        raise NotImplementedError

    def discounted(self, values: Floats, histories: Histories, rate: float, weeks: float | None) -> Floats:
        """∫ e^(−rate s) dE[Y(s) | alive]."""
        raise NotImplementedError


class _Likelihood:
    """A log-likelihood of fixed histories as a function of the logarithms of the parameters."""

    def __init__(self, histories: Histories) -> None:
        self.customers = float(histories.customers.sum())
        self.weights = histories.customers
        self.x, self.at_x = np.unique(histories.x, return_inverse=True)
        self.by_x = _floats(np.bincount(self.at_x, self.weights))

    def __call__(self, place: Floats) -> tuple[float, Floats]:
        raise NotImplementedError


@cache
def _family(model: ModelName) -> _Family:
    match model:
        case "bg_nbd":
            return _BetaGeometric(after_first=False)
        case "mbg_nbd":
            return _BetaGeometric(after_first=True)
        case "pareto_nbd":
            return _ParetoNBD()
    raise InvalidValue(f"There is no model called {model!r}.", f"Choose one of {', '.join(MODELS)}.")


def _rate_start(histories: Histories) -> tuple[float, float]:
    """Return r and alpha of a population that buys as often as this one while it is watched."""
    bought = float(histories.customers @ histories.x)
    watched = float(histories.customers @ histories.T)
    return 0.5, 0.5 * watched / bought


class _BetaGeometric(_Family):
    """BG/NBD and MBG/NBD: the second has one more occasion to leave, that of the first purchase.

    With n occasions (x, or x + 1), survival of all of them has probability B(a, b + n) ÷ B(a, b), which is
    all that sets the two apart.
    """

    def __init__(self, *, after_first: bool) -> None:
        self.first = int(after_first)

    def start(self, histories: Histories) -> Floats:
        return np.array([*_rate_start(histories), 1.0, 3.0])

    def prepared(self, histories: Histories) -> _Likelihood:
        return _BetaGeometricLikelihood(histories, self.first)

    def probability_alive(self, values: Floats, histories: Histories) -> Floats:
        r, alpha, a, b = values
        n = histories.x + self.first
        with np.errstate(divide="ignore", over="ignore"):
            odds = np.where(n > 0, np.log(a) - np.log(np.maximum(b + n - 1, 1e-300)), -np.inf) + (
                r + histories.x
            ) * (np.log(alpha + histories.T) - np.log(alpha + histories.t_x))
            return _floats(1 / (1 + np.exp(odds)))

    def expected(self, values: Floats, histories: Histories, weeks: float) -> Floats:
        return self.expected_at(values, histories, np.array([weeks]))[:, 0]

    def expected_at(self, values: Floats, histories: Histories, weeks: Floats) -> Floats:
        return self._over_leaving(values, histories, weeks, _orders_at)

    def expected_of_new(self, values: Floats, weeks: Floats) -> Floats:
        r, alpha, a, b = values
        return _over_beta(a, b + self.first, weeks / alpha, r, _orders_at)

    def pairs(self, values: Floats, histories: Histories, weeks: Floats) -> Floats:
        return self._over_leaving(values, histories, weeks, _pairs_at)

    def later(self, values: Floats, histories: Histories, weeks: Floats) -> Floats:
        r, alpha, _, _ = values
        rate = (r + histories.x) / (alpha + histories.T)
        return _floats(rate[:, None] * self._over_leaving(values, histories, weeks, _later_at))

    def at_least(self, values: Floats, histories: Histories, weeks: float, orders: int) -> Floats:
        from scipy.special import betainc, betaln

        r, alpha, a, b = values
        c = b + histories.x + self.first
        survives = np.exp(betaln(a, c + orders - 1) - betaln(a, c))
        bought = betainc(orders, r + histories.x, weeks / (alpha + histories.T + weeks))
        return _floats(survives * bought)

    def discounted(self, values: Floats, histories: Histories, rate: float, weeks: float | None) -> Floats:
        r, alpha, a, b = values
        found = np.empty(len(histories))
        for x, where, T, back in histories.groups:
            k = r + x
            answer = np.empty(len(T))
            for start in range(0, len(T), 64):
                A = (alpha + T[start : start + 64])[:, None]
                s, weight = _discount_nodes(A, rate, weeks)
                z = s / A
                # The rate of purchase s weeks on, of those still there: k ÷ A · E[(1 + p z)^−(k + 1)].
                shape = z.shape
                rates = _over_beta(a, b + x + self.first, z.ravel(), k, _rate_at).reshape(shape) * k / A
                answer[start : start + 64] = (weight * rates).sum(axis=1)
            found[where] = answer[back]
        return found

    def _over_leaving(
        self, values: Floats, histories: Histories, weeks: Floats, what: "_OfLeaving"
    ) -> Floats:
        """Return the mean of `what` over the probability of leaving: a row per history, a column per length."""
        r, alpha, a, b = values
        found = np.empty((len(histories), len(weeks)))
        for x, where, T, back in histories.groups:
            z = weeks / (alpha + T)[:, None]
            answer = _over_beta(a, b + x + self.first, z.ravel(), r + x, what)
            found[where] = answer.reshape(z.shape)[back]
        return found


class _BetaGeometricLikelihood(_Likelihood):
    def __init__(self, histories: Histories, first: int) -> None:
        super().__init__(histories)
        self.n = self.x + first
        self.T, self.at_T = np.unique(histories.T, return_inverse=True)
        self.t, self.at_t = np.unique(histories.t_x, return_inverse=True)
        self.by_T, self.by_t = len(self.T), len(self.t)

    def __call__(self, place: Floats) -> tuple[float, Floats]:
        from scipy.special import digamma, gammaln

        r, alpha, a, b = np.exp(place)
        x, n, weights = self.x, self.n, self.weights
        fixed = (
            gammaln(r + x)
            - gammaln(r)
            + r * np.log(alpha)
            + gammaln(a + b)
            - gammaln(b)
            + gammaln(b + n)
            - gammaln(a + b + n)
        )
        k = (r + x)[self.at_x]
        ends, lasts = np.log(alpha + self.T), np.log(alpha + self.t)
        stays = -k * ends[self.at_T]
        with np.errstate(divide="ignore"):
            leaving = np.where(n > 0, np.log(a) - np.log(np.maximum(b + n - 1, 1e-300)), -np.inf)
        leaves = leaving[self.at_x] - k * lasts[self.at_t]
        # ln(e^stays + e^leaves), and the share of leaves in it, from one exponential.
        gap = leaves - stays
        small = np.exp(-np.abs(gap))
        either = np.maximum(stays, leaves) + np.log1p(small)
        left = np.where(gap > 0, 1.0, small) / (1 + small)
        value = dot(self.by_x, fixed) + dot(weights, either)

        gone = weights * left
        there = weights - gone
        gone_x = np.bincount(self.at_x, gone, len(x))
        d_r = self.by_x @ (digamma(r + x) - digamma(r) + np.log(alpha))
        there_T, gone_t = np.bincount(self.at_T, there, self.by_T), np.bincount(self.at_t, gone, self.by_t)
        d_r -= there_T @ ends + gone_t @ lasts
        d_alpha = self.customers * r / alpha
        d_alpha -= np.bincount(self.at_T, there * k, self.by_T) @ (1 / (alpha + self.T))
        d_alpha -= np.bincount(self.at_t, gone * k, self.by_t) @ (1 / (alpha + self.t))
        both = digamma(a + b) - digamma(a + b + n)
        d_a = self.by_x @ both + gone_x.sum() / a
        with np.errstate(divide="ignore", invalid="ignore"):
            d_b = self.by_x @ (both + digamma(b + n) - digamma(b)) - float(
                np.where(gone_x > 0, gone_x / (b + n - 1), 0).sum()
            )
        return value, np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])


class _ParetoNBD(_Family):
    """Pareto/NBD. The integral over the moment of leaving is done by Gauss-Legendre quadrature on a
    logarithmic scale, where the integrand has no singularity within π of the real line: closed forms by
    the Gaussian hypergeometric function overflow for frequent buyers.
    """

    def start(self, histories: Histories) -> Floats:
        return np.array([*_rate_start(histories), 0.6, max(1.0, float(histories.T.max()) / 4)])

    def prepared(self, histories: Histories) -> _Likelihood:
        return _ParetoLikelihood(histories)

    def probability_alive(self, values: Floats, histories: Histories) -> Floats:
        r, alpha, s, beta = values
        stays = -(r + histories.x) * np.log(alpha + histories.T) - s * np.log(beta + histories.T)
        found = np.empty(len(histories))
        for rows, part in _integrals(values, histories.x + r, histories.t_x, histories.T):
            leaves = np.log(s) + part.level + np.log(part.total)
            found[rows] = 1 / (1 + np.exp(np.clip(leaves - stays[rows], -745, 700)))
        return found

    def expected(self, values: Floats, histories: Histories, weeks: float) -> Floats:
        r, alpha, s, beta = values
        k, A, B = r + histories.x, alpha + histories.T, beta + histories.T
        return _floats(k * B / A * _power_integral(np.log1p(weeks / B), s - 1))

    def expected_of_new(self, values: Floats, weeks: Floats) -> Floats:
        r, alpha, s, beta = values
        return _floats(r * beta / alpha * _power_integral(np.log1p(weeks / beta), s - 1))

    def pairs(self, values: Floats, histories: Histories, weeks: Floats) -> Floats:
        # λ² · 2 ∫ u P(still there at u) du: k (k + 1) ÷ A² and (B ÷ (B + u))^s, B-scaled.
        r, alpha, s, beta = values
        k, A, B = (part[:, None] for part in (r + histories.x, alpha + histories.T, beta + histories.T))
        span = np.log1p(weeks / B)
        # ∫ u (1 + u/B)^−s du = B² ∫ (e^v − 1) e^(−(s − 1) v) dv
        moments = _power_integral(span, s - 2) - _power_integral(span, s - 1)
        return _floats(2 * k * (k + 1) * (B / A) ** 2 * moments)

    def later(self, values: Floats, histories: Histories, weeks: Floats) -> Floats:
        r, alpha, s, beta = values
        k, A, B = (part[:, None] for part in (r + histories.x, alpha + histories.T, beta + histories.T))
        return _floats(k * (k + 1) * B / A**2 * _power_integral(np.log1p(weeks / B), s - 1))

    def at_least(self, values: Floats, histories: Histories, weeks: float, orders: int) -> Floats:
        from scipy.special import gammaln

        if weeks == 0:
            return np.zeros(len(histories))
        r, alpha, s, beta = values
        k, A, B = (part[:, None] for part in (r + histories.x, alpha + histories.T, beta + histories.T))
        # When the n-th purchase comes, v = u ÷ (A + u) is beta distributed (n, k); she must be there still.
        # Nodes go where that has its weight: of thousands of purchases it is a peak in a long stretch of nothing.
        nodes, weights = _legendre(48)
        foot, head = max(0.0, orders - 9 * orders**0.5), orders + 12 * orders**0.5 + 40
        low, high = foot / (foot + k + 12 * k**0.5 + 40), head / (head + np.maximum(0.0, k - 9 * k**0.5))
        top = np.minimum(weeks / (A + weeks), high)
        low = np.minimum(low, top)
        v = low + (top - low) * nodes
        u = A * v / (1 - v)
        scale = gammaln(k + orders) - gammaln(k) - gammaln(orders)
        with np.errstate(divide="ignore"):
            density = np.exp(scale + (orders - 1) * np.log(v) + (k - 1) * np.log1p(-v))
        found = (weights * density * (B / (B + u)) ** s).sum(axis=1) * (top - low)[:, 0]
        return _floats(np.clip(found, 0.0, 1.0))

    def discounted(self, values: Floats, histories: Histories, rate: float, weeks: float | None) -> Floats:
        r, alpha, s, beta = values
        T, back = np.unique(histories.T, return_inverse=True)
        B = (beta + T)[:, None]
        u, weight = _discount_nodes(B, rate, weeks)
        worth = (weight * (B / (B + u)) ** s).sum(axis=1)
        return _floats((r + histories.x) / (alpha + histories.T) * worth[back])


class _ParetoLikelihood(_Likelihood):
    def __init__(self, histories: Histories) -> None:
        super().__init__(histories)
        self.t, self.T = histories.t_x, histories.T
        self.every_x = histories.x.astype(np.float64)

    def __call__(self, place: Floats) -> tuple[float, Floats]:
        from scipy.special import digamma, gammaln

        values = np.exp(place)
        r, alpha, s, beta = values
        x = self.x
        fixed = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        value = float(self.by_x @ fixed)
        slope = np.array(
            [
                self.by_x @ (digamma(r + x) - digamma(r) + np.log(alpha)),
                self.customers * r / alpha,
                self.customers * np.log(beta),
                self.customers * s / beta,
            ]
        )
        every_k = self.every_x + r
        for rows, part in _integrals(values, every_k, self.t, self.T, slopes=True):
            k, T, weights = every_k[rows], self.T[rows], self.weights[rows]
            end_a, end_b = np.log(alpha + T), np.log(beta + T)
            stays, leaves = -k * end_a - s * end_b, np.log(s) + part.level + np.log(part.total)
            gap = leaves - stays
            small = np.exp(-np.abs(gap))
            value += dot(weights, np.maximum(stays, leaves) + np.log1p(small))
            left = np.where(gap > 0, 1.0, small) / (1 + small)
            gone, there = weights * left, weights * (1 - left)
            slope[0] -= dot(there, end_a) + dot(gone, part.mean_log_a)
            slope[1] -= dot(there * k, 1 / (alpha + T)) + dot(gone * k, part.mean_over_a)
            slope[2] += gone.sum() / s - dot(there, end_b) - dot(gone, part.mean_log_b)
            slope[3] -= s * dot(there, 1 / (beta + T)) + (s + 1) * dot(gone, part.mean_over_b)
        return value, slope * values


@dataclass(frozen=True, eq=False)
class _Integral:
    """∫ (α + y)^−k (β + y)^−(s + 1) dy from t_x to T, as e^level · total, and means under its integrand."""

    level: Floats
    total: Floats
    mean_log_a: Floats
    mean_over_a: Floats
    mean_log_b: Floats
    mean_over_b: Floats


_NOTHING = np.empty(0)

_NODES = ((4.0, 1.6, 8), (12.0, 2.5, 12), (20.0, 4.0, 16), (40.0, 8.0, 24), (np.inf, np.inf, 40))
"""Up to which fall of the integrand (in e-folds) and which length of the interval so many nodes give 12 digits."""


def _integrals(
    values: Floats, k: Floats, t: Floats, T: Floats, *, slopes: bool = False
) -> Iterator[tuple[Integers, _Integral]]:
    """Yield rows and the Pareto/NBD integral of each, those together that need as many nodes."""
    _, alpha, s, beta = values
    low, high = min(alpha, beta), max(alpha, beta)
    a_is_low = alpha <= beta
    base = np.log(low + t)
    length = np.log(low + T) - base
    near = (low + t) / (high + t)
    fall = (k - 1 + (s + 1) * near) if a_is_low else (s + k * near)
    with np.errstate(divide="ignore"):
        length = np.where(fall > 0, np.minimum(length, 36 / np.maximum(fall, 1e-12)), length)
    steepness = (k + s) * length
    done = np.zeros(len(k), dtype=bool)
    for most_fall, most_length, count in _NODES:
        rows = np.flatnonzero(~done & (steepness <= most_fall) & (length <= most_length))
        done[rows] = True
        nodes, weights = _legendre(count)
        for start in range(0, len(rows), 100_000 // count):
            part = rows[start : start + 100_000 // count]
            step = length[part][:, None] * nodes
            grown = np.exp(step)
            grown *= (low + t[part])[:, None]  # low + y
            far = grown + (high - low)  # high + y
            log_low, log_far = base[part][:, None] + step, np.log(far)
            log_a, log_b = (log_low, log_far) if a_is_low else (log_far, log_low)
            height = -k[part][:, None] * log_a - (s + 1) * log_b + log_low
            level = height.max(axis=1)
            mass = np.exp(height - level[:, None])
            mass *= weights
            total = mass.sum(axis=1)
            means = [_NOTHING] * 4
            if slopes:
                of_a, of_b = (grown, far) if a_is_low else (far, grown)
                parts = (log_a, 1 / of_a, log_b, 1 / of_b)
                means = [_floats(np.einsum("ij,ij->i", mass, what) / total) for what in parts]
            yield part, _Integral(level, np.maximum(total * length[part], 1e-300), *means)


# --- quadrature ---------------------------------------------------------------------------------------


@cache
def _legendre(count: int) -> tuple[Floats, Floats]:
    """Return the nodes and weights of Gauss-Legendre quadrature on 0 to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def _discount_nodes(scale: Floats, rate: float, weeks: float | None) -> tuple[Floats, Floats]:
    """Return moments u ahead, one row per entry of `scale` (a column), and weights that hold e^(−rate u).

    On the scale v = ln(1 + u ÷ scale), where powers of 1 + u ÷ scale are exponentials.
    """
    limit = np.inf if weeks is None else weeks
    if rate > 0:
        limit = np.minimum(limit, 40 / rate)
    span = np.log1p(limit / scale)
    nodes, weights = _legendre(96)
    v = span * nodes
    u = scale * np.expm1(v)
    return u, span * weights * (scale + u) * np.exp(-rate * u)


def _power_integral(span: Floats, power: float) -> Floats:
    """Return ∫ e^(−power v) dv from 0 to `span`, also where `power` is 0 or close to it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(power * span) < 1e-12, span, -np.expm1(-power * span) / (power or 1.0))


_OfLeaving = Callable[[Floats, Floats, float], tuple[Floats, Floats, Floats]]
"""From p (columns), z (rows) and k: the value at p → 0, at p = 1, and at every p."""


def _orders_at(p: Floats, z: Floats, k: float) -> tuple[Floats, Floats, Floats]:
    """(1 − (1 + p z)^−k) ÷ p: expected purchases of a customer who leaves after each with probability p."""
    return k * z, -np.expm1(-k * np.log1p(z)), -np.expm1(-k * np.log1p(p * z)) / p


def _pairs_at(p: Floats, z: Floats, k: float) -> tuple[Floats, Floats, Floats]:
    """E[Y (Y − 1)] of a customer who leaves after each purchase with probability p."""
    pz = p * z
    first = k * (k + 1) * z**2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        exact = 2 * (1 - p) * (-np.expm1(-k * np.log1p(pz)) - k * pz * (1 + pz) ** (-k - 1)) / p**2
    series = (1 - p) * first * (1 - 2 / 3 * (k + 2) * pz)
    return first, np.zeros_like(z), np.where((k + 2) * pz < 1e-4, series, exact)


def _later_at(p: Floats, z: Floats, k: float) -> tuple[Floats, Floats, Floats]:
    """(1 − p) (1 − (1 + p z)^−(k + 1)) ÷ p: of such a customer, `later` as a share of her rate at first."""
    return (k + 1) * z, np.zeros_like(z), -(1 - p) * np.expm1(-(k + 1) * np.log1p(p * z)) / p


def _rate_at(p: Floats, z: Floats, k: float) -> tuple[Floats, Floats, Floats]:
    """(1 + p z)^−(k + 1): how fast such a customer still buys, as a share of the rate at first."""
    return np.ones_like(z), (1 + z) ** (-k - 1), (1 + p * z) ** (-k - 1)


def _over_beta(a: float, c: float, z: Floats, k: float, what: _OfLeaving) -> Floats:
    """Return the mean of `what` over p, beta distributed (a, c), one entry per entry of `z`.

    By the trapezoidal rule in ln(p ÷ (1 − p)), which converges geometrically, after the straight line
    between the values at 0 and 1 is taken out: what is left vanishes at both ends, so a or c close to 0
    needs no long tail.
    """
    from scipy.special import betaln, polygamma

    foot, top = _reach(a, c, float(np.max(z)) * (k + 1) + 1)
    spread = float(np.sqrt(polygamma(1, a) + polygamma(1, c)))
    step = min(0.4, 0.75 * spread)
    count = min(int(np.ceil((top - foot) / step)) + 1, 4000)
    w = np.linspace(foot, top, count)
    ln_p, ln_q = -np.logaddexp(0, -w), -np.logaddexp(0, w)
    weight = np.exp(a * ln_p + c * ln_q - betaln(a, c)) * (w[1] - w[0])
    p = np.exp(ln_p)
    found = np.empty(len(z))
    for start in range(0, len(z), 2_000):
        part = z[start : start + 2_000]
        at_0, at_1, values = what(p, part[:, None], k)
        at_0, at_1 = at_0.ravel(), at_1.ravel()
        line = at_0[:, None] * np.exp(ln_q) + at_1[:, None] * p
        found[start : start + 2_000] = (values - line) @ weight + (c * at_0 + a * at_1) / (a + c)
    return found


def _reach(a: float, c: float, steepness: float) -> tuple[float, float]:
    """Return between which ln(p ÷ (1 − p)) the integrand of `_over_beta` lies, but for e^-36 of its weight.

    Beyond the middle it falls with the density, and as p does below 1 ÷ steepness and 1 − p does above 1/2.
    """

    def density(w: float) -> float:
        return -a * float(np.logaddexp(0, -w)) - c * float(np.logaddexp(0, w))

    mode = math.log(a / c)
    peak, turn = density(mode), -math.log(steepness)

    def reach(sign: float) -> float:
        def fall(distance: float) -> float:
            w = mode + sign * distance
            return peak - density(w) + max(0.0, turn - w if sign < 0 else w)

        far = 1.0
        while fall(far) < 36:
            far *= 2
        near = far / 2
        for _ in range(6):
            middle = (near + far) / 2
            near, far = (middle, far) if fall(middle) < 36 else (near, middle)
        return mode + sign * far

    return reach(-1.0), reach(1.0)

"""Gamma-Gamma: what a customer spends on a purchase day, from what she has spent so far.

Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value" (note 025 at brucehardie.com): each
purchase is gamma distributed (shape p) around a mean of the customer's own, and those means are spread
over customers by q and v. It presumes that what people spend does not depend on how often they buy.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from crm.analytics.btyd import Floats, dot, inverse, maximise
from crm.errors import NotEnoughData

PARAMETERS = ("p", "q", "v")


@dataclass(frozen=True, eq=False)
class SpendFit:
    """A fitted Gamma-Gamma model.

    p, q: shapes, without unit. v: scale, in money. log_likelihood: of the mean spend of the `customers`
    with a repeat purchase. covariance: of the logarithms of p, q and v; nothing where the likelihood is flat.
    """

    p: float
    q: float
    v: float
    log_likelihood: float
    customers: float
    covariance: Floats | None = None
    converged: bool = True

    @property
    def parameters(self) -> dict[str, float]:
        """p, q and v by name."""
        return {"p": self.p, "q": self.q, "v": self.v}

    @property
    def standard_errors(self) -> dict[str, float | None]:
        """Standard error of each parameter, by the delta method; nothing where the likelihood is flat."""
        if self.covariance is None:
            return dict.fromkeys(PARAMETERS)
        errors = np.sqrt(np.diag(self.covariance))
        return {
            name: float(value * error)
            for (name, value), error in zip(self.parameters.items(), errors, strict=True)
        }

    @property
    def mean_spend(self) -> float | None:
        """Mean spend of a purchase day over all customers, p v ÷ (q − 1); nothing where it is infinite."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else None

    def moved(self, step: Floats) -> "SpendFit":
        """Return the model with `step` added to the logarithms of p, q and v."""
        p, q, v = np.array([self.p, self.q, self.v]) * np.exp(step)
        return SpendFit(float(p), float(q), float(v), self.log_likelihood, self.customers)

    def coefficients(self, x: ArrayLike) -> tuple[Floats, Floats]:
        """Return the two numbers that make a customer's expected spend of her total repeat spend.

        Expected spend on a purchase day = first + second × repeat spend, for x repeat purchase days.
        Raises NotEnoughData where q ≤ 1: somebody without a repeat purchase would be expected to spend
        without bound.
        """
        count = np.atleast_1d(np.asarray(x, dtype=np.float64))
        if self.q <= 1:
            raise NotEnoughData(
                "What customers spend differs so much that it has no mean in this model.",
                "Check the largest orders, or take wholesale customers out.",
            )
        below = self.p * count + self.q - 1
        return self.p * self.v / below, self.p / below

    def expected_spend(self, x: ArrayLike, repeat_spend: ArrayLike) -> Floats:
        """Return what to expect a customer to spend on a purchase day, in money.

        x: repeat purchase days. repeat_spend: money spent on them in all, x × their mean.
        """
        first, second = self.coefficients(x)
        return first + second * np.atleast_1d(np.asarray(repeat_spend, dtype=np.float64))


def fit(x: ArrayLike, repeat_spend: ArrayLike, customers: ArrayLike | None = None) -> SpendFit:
    """Return the model fitted by maximum likelihood to the customers with a repeat purchase.

    x: repeat purchase days; repeat_spend: money spent on them in all; customers: how many share both.
    Customers with x = 0 say nothing of spend here and are left out, as in the note.
    Raises NotEnoughData with fewer than two of them, with spend of 0 or less, or with equal spend everywhere.
    """
    count = np.atleast_1d(np.asarray(x, dtype=np.int64))
    spend = np.atleast_1d(np.asarray(repeat_spend, dtype=np.float64))
    weights = np.ones(len(count)) if customers is None else np.asarray(customers, dtype=np.float64)
    kept = (count > 0) & (weights > 0)
    count, spend, weights = count[kept], spend[kept], weights[kept]
    if not np.all(spend > 0):
        raise NotEnoughData(
            "Some repeat purchases sum to 0 or less, for which Gamma-Gamma has no probability.",
            "Only purchases above 0 count; check the file's amounts.",
        )
    means = spend / np.maximum(count, 1)
    if weights.sum() < 2 or float(np.ptp(np.log(means))) < 1e-9:
        raise NotEnoughData(
            "Fewer than two customers with different repeat spend: nothing can be said of how spend differs.",
            "Import a longer history of orders.",
        )
    objective = _Likelihood(count, spend, weights)
    mean = float(weights @ means / weights.sum())
    start = np.log(np.array([2.0, 3.0, mean]))
    found, inside, information = maximise(objective, start)
    value, _ = objective(found)
    p, q, v = map(float, np.exp(found))
    return SpendFit(p, q, v, float(value), float(weights.sum()), inverse(information), inside)


def log_likelihood(parameters: dict[str, float], x: ArrayLike, repeat_spend: ArrayLike) -> float:
    """Return the natural logarithm of the likelihood of the customers' mean repeat spend, as in the note.

    The form that takes total spend instead, of Fader, Hardie & Lee 2005 (J. of Marketing Research 42(4)),
    is smaller by Σ ln x.
    """
    count = np.atleast_1d(np.asarray(x, dtype=np.int64))
    spend = np.atleast_1d(np.asarray(repeat_spend, dtype=np.float64))
    kept = count > 0
    objective = _Likelihood(count[kept], spend[kept], np.ones(int(kept.sum())))
    value, _ = objective(np.log(np.array([parameters[name] for name in PARAMETERS])))
    return float(value)


class _Likelihood:
    def __init__(self, x: Any, spend: Floats, weights: Floats) -> None:
        self.x, at_x = np.unique(x, return_inverse=True)
        self.weights, self.spend = weights, spend
        self.every_x = x.astype(np.float64)
        self.by_x = np.bincount(at_x, weights)
        self.customers = float(weights.sum())
        self.weighted_x = weights * self.every_x
        logs = np.log(spend)
        self.logs = dot(self.weighted_x, logs)
        # (p x − 1) ln m + p x ln x, with m = spend ÷ x, is p x ln spend − ln m.
        self.fixed = -dot(weights, logs - np.log(self.every_x))

    def __call__(self, place: Floats) -> tuple[float, Floats]:
        from scipy.special import digamma, gammaln

        p, q, v = np.exp(place)
        px = p * self.x
        ends = np.log(v + self.spend)
        value = float(self.by_x @ (gammaln(px + q) - gammaln(px))) + self.customers * (
            q * np.log(v) - gammaln(q)
        )
        of_x, of_one = dot(self.weighted_x, ends), dot(self.weights, ends)
        value += p * self.logs + self.fixed - p * of_x - q * of_one
        both = digamma(px + q)
        d_p = float((self.by_x * self.x) @ (both - digamma(px))) + self.logs - of_x
        d_q = float(self.by_x @ both) + self.customers * (np.log(v) - digamma(q)) - of_one
        over = 1 / (v + self.spend)
        d_v = self.customers * q / v - p * dot(self.weighted_x, over) - q * dot(self.weights, over)
        return value, np.array([d_p * p, d_q * q, d_v * v])

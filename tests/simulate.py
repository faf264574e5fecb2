"""Shops made up from known parameters, by the models' own stories, for the tests and the bench."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CDNOW: dict[str, dict[str, float]] = {
    "bg_nbd": {"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259},
    "mbg_nbd": {"r": 0.5248, "alpha": 6.1831, "a": 0.8914, "b": 1.6140},
    "pareto_nbd": {"r": 0.5533, "alpha": 10.5776, "s": 0.6062, "beta": 11.6692},
}
"""What each model finds in the CDNOW sample; a shop like any other to start from."""

SPEND: dict[str, float] = {"p": 6.25, "q": 3.74, "v": 15.44}
"""What the Gamma-Gamma model finds there."""

BUSY: dict[str, dict[str, float]] = {
    "bg_nbd": {"r": 1.2, "alpha": 8.0, "a": 0.8, "b": 8.0},
    "mbg_nbd": {"r": 1.2, "alpha": 8.0, "a": 0.8, "b": 8.0},
    "pareto_nbd": {"r": 1.2, "alpha": 8.0, "s": 0.8, "beta": 30.0},
}
"""A shop where most customers come back, about eight times a year while they do."""


@dataclass(frozen=True)
class Shop:
    """Customers with what is seen of them, what is true of them, and what they do afterwards.

    One entry per customer. Times are weeks since the customer's first purchase; `x` counts repeat
    purchases in (0, T], `t_x` is the last of them, `spend` is their money; `later` counts those in
    (T, T + weeks]. A customer buys at `rate` while `alive`, and spends gamma(p) × `scale`.
    """

    x: NDArray[np.int64]
    t_x: NDArray[np.float64]
    T: NDArray[np.float64]
    spend: NDArray[np.float64]
    later: NDArray[np.int64]
    later_spend: NDArray[np.float64]
    rate: NDArray[np.float64]
    alive: NDArray[np.bool_]
    scale: NDArray[np.float64]

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return len(self.x)

    def in_days(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return purchase_days, recency_days and tenure_days, as a table of orders by day would have them.

        Times are rounded to whole days and purchases are not merged: each counts as a day of its own.
        """
        tenure = np.rint(7 * self.T).astype(np.int64)
        last = np.minimum(np.ceil(7 * self.t_x).astype(np.int64), tenure)
        return self.x + 1, tenure - last, tenure


def make(
    model: str,
    parameters: dict[str, float],
    *,
    customers: int,
    seed: int,
    weeks: float = 39.0,
    observed: tuple[float, float] = (26.0, 39.0),
    spend: dict[str, float] | None = None,
) -> Shop:
    """Return a shop whose customers buy, leave and spend as `model` says.

    The first purchases fall evenly over the time that makes T lie in `observed`, on whole days. All models
    have purchases at the customer's own steady rate, gamma(r, alpha) over customers. In Pareto/NBD the time
    until the customer leaves is exponential at a rate that is gamma(s, beta) over customers; in BG/NBD the
    customer leaves with a beta(a, b) probability after each repeat purchase, in MBG/NBD after the first
    purchase too.
    """
    draw = np.random.default_rng(seed)
    first, last = observed
    T = draw.integers(round(7 * first), round(7 * last) + 1, customers) / 7.0
    rate = draw.gamma(parameters["r"], 1 / parameters["alpha"], customers)
    if model == "pareto_nbd":
        x, t_x, later, alive = _until_a_time(draw, parameters, rate, T, weeks)
    else:
        x, t_x, later, alive = _until_a_purchase(model, draw, parameters, rate, T, weeks)
    of = spend or SPEND
    scale = 1 / draw.gamma(of["q"], 1 / of["v"], customers)
    return Shop(
        x=x,
        t_x=t_x,
        T=T,
        spend=_sum_of(draw, x, of["p"], scale),
        later=later,
        later_spend=_sum_of(draw, later, of["p"], scale),
        rate=rate,
        alive=alive,
        scale=scale,
    )


def purchases(
    shop: Shop, *, p: float = SPEND["p"], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return every purchase until T, the first ones included: customer, days before the end, money.

    Between the first and the last purchase of a customer the others fall evenly; a customer's repeat
    purchases sum to the shop's `spend`.
    """
    draw = np.random.default_rng(seed)
    customer = np.repeat(np.arange(shop.customers), shop.x)
    last = np.zeros(len(customer), dtype=bool)
    last[np.cumsum(shop.x)[shop.x > 0] - 1] = True
    moment = shop.t_x[customer] * np.where(last, 1.0, draw.random(len(customer)))
    share = draw.gamma(p, size=len(customer))
    money = share / np.bincount(customer, share, shop.customers)[customer] * shop.spend[customer]
    first = draw.gamma(p, size=shop.customers) * shop.scale
    until_end = np.floor(7 * (shop.T[customer] - moment) + 1e-9).astype(np.int64)
    return (
        np.concatenate([np.arange(shop.customers), customer]),
        np.concatenate([np.rint(7 * shop.T).astype(np.int64), until_end]),
        np.concatenate([first, money]),
    )


def _until_a_time(
    draw: np.random.Generator, parameters: dict[str, float], rate: Any, T: Any, weeks: float
) -> Any:
    """Pareto/NBD: purchases stop at a moment of their own."""
    leaving = draw.gamma(parameters["s"], 1 / parameters["beta"], len(T))
    with np.errstate(divide="ignore", over="ignore"):
        end = draw.exponential(1.0, len(T)) / leaving
    seen = np.minimum(end, T)
    x = draw.poisson(rate * seen)
    later = draw.poisson(rate * (np.minimum(end, T + weeks) - seen))
    return x, _last_of(draw, x, seen), later, end > T


def _until_a_purchase(
    model: str, draw: np.random.Generator, parameters: dict[str, float], rate: Any, T: Any, weeks: float
) -> Any:
    """BG/NBD and MBG/NBD: purchases stop after one of them, MBG's perhaps after the very first."""
    leaving = np.clip(draw.beta(parameters["a"], parameters["b"], len(T)), 1e-12, 1.0)
    last_purchase = draw.geometric(leaving) - (1 if model == "mbg_nbd" else 0)
    would = draw.poisson(rate * T)
    alive = would < last_purchase
    x = np.minimum(would, last_purchase)
    # Of `would` purchases spread evenly over (0, T], the x-th in order: T times a beta(x, would - x + 1).
    t_x = np.where(x > 0, T * draw.beta(np.maximum(x, 1), would - x + 1), 0.0)
    later = np.where(alive, np.minimum(last_purchase - x, draw.poisson(rate * weeks)), 0)
    return x, t_x, later, alive


def _last_of(draw: np.random.Generator, x: Any, seen: Any) -> Any:
    """Return the last of x moments spread evenly over (0, seen], 0 where there is none."""
    return np.where(x > 0, seen * draw.random(len(x)) ** (1 / np.maximum(x, 1)), 0.0)


def _sum_of(draw: np.random.Generator, purchases: Any, p: float, scale: Any) -> Any:
    """Return the money of so many purchases, each gamma(p) in the customer's own scale."""
    return np.where(purchases > 0, draw.gamma(np.maximum(p * purchases, 1e-9)) * scale, 0.0)

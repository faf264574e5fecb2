"""The models once more, straight from their assumptions: every quantity as a sum over kinds of customers.

A customer buys at an own rate λ and leaves at an own rate μ (Pareto/NBD) or with an own probability p
(BG/NBD, MBG/NBD). What one customer of known λ and μ or p does is elementary; the sum over a fine grid of
λ and μ or p, weighted by how common they are, is the model. No closed form of the papers stands here and no
line of `crm`, so agreement means something. In ln λ, ln μ and logit p the integrands are analytic and fade at
both ends, where the trapezoid rule gives ten digits and more from a coarse grid.
"""

import numpy as np
from scipy import special

STEP = 0.35


def _log_gamma_grid(shape, slow, fast, more=0):
    """Values on which gamma(shape, rate) of every rate from `slow` to `fast` has all its weight, and the step.

    Fine enough to be multiplied by a power of `more`.
    """
    step = min(STEP, 0.6 / np.sqrt(shape + more))
    low = np.log(shape / fast) - 40 / shape - 12 / np.sqrt(shape)
    high = np.log((shape + 12 * np.sqrt(shape) + 45) / slow)
    return np.arange(low, high, step), step


class Customer:
    """One customer's history under a model: x repeat purchases, the last at t_x, watched until T.

    counts: of how many further purchases the probability can be asked.
    """

    def __init__(self, model, parameters, x, t_x, T, *, counts=0):
        self.model = model
        r, alpha, first, second = parameters.values()
        log_rate, step = _log_gamma_grid(r + x, alpha + t_x, alpha + T, counts)
        buying = np.exp(log_rate)[:, None]
        log_buying = log_rate[:, None]
        weight = r * np.log(alpha) - special.gammaln(r) + r * log_buying - alpha * buying + np.log(step)
        if model == "pareto_nbd":
            log_leaving, step = _log_gamma_grid(first, second, second + T)
            leaving = np.exp(log_leaving)[None, :]
            weight = weight + first * np.log(second) - special.gammaln(first) + first * log_leaving[None, :]
            weight = weight - second * leaving + np.log(step)
            total = buying + leaving
            alive = x * log_buying - total * T
            gone = log_leaving[None, :] + x * log_buying - np.log(total) - total * t_x
            with np.errstate(divide="ignore"):
                gone = gone + np.log(-np.expm1(-total * (T - t_x)))
        else:
            spread = np.sqrt(special.polygamma(1, first) + special.polygamma(1, second + x))
            step = min(STEP, 0.6 * spread)
            logit = np.arange(-40 / first - 12, 40 / second + 12, step)[None, :]
            leaving = special.expit(logit)
            stays, leaves = special.log_expit(-logit), special.log_expit(logit)
            weight = weight + first * leaves + second * stays - special.betaln(first, second) + np.log(step)
            chances = x + 1 if model == "mbg_nbd" else x
            alive = chances * stays + x * log_buying - buying * T
            gone = leaves + (chances - 1) * stays + x * log_buying - buying * t_x
            if chances == 0:
                gone = np.full_like(alive, -np.inf)
        self._log_alive = weight + alive
        self._log_likelihood = special.logsumexp(np.logaddexp(self._log_alive, weight + gone))
        self._posterior = np.exp(self._log_alive - self._log_likelihood)
        self._buying, self._leaving = buying, leaving

    def log_likelihood(self):
        """Return ln P(this history)."""
        return float(self._log_likelihood)

    def probability_alive(self):
        """Return P(still a customer at T | this history)."""
        return float(self._posterior.sum())

    def _expected(self, of):
        """Return E[of(this kind); still a customer at T | this history]."""
        return float((self._posterior * of).sum())

    def expected_orders(self, weeks):
        """Return E[Y(weeks) | this history]."""
        return self.discounted_expected_orders(0.0, weeks)

    def discounted_expected_orders(self, rate, weeks=None):
        """Return the integral of e^(-rate t) dE[Y(t)] up to `weeks`, or without end."""
        leaving = self._leaving if self.model == "pareto_nbd" else self._buying * self._leaving
        total = leaving + rate
        return self._expected(
            self._buying * (1 / total if weeks is None else weeks * special.exprel(-total * weeks))
        )

    def at_least(self, weeks, n):
        """Return P(Y(weeks) >= n | this history), n at least 1."""
        if self.model == "pareto_nbd":
            total = self._buying + self._leaving
            return self._expected((self._buying / total) ** n * special.gammainc(n, total * weeks))
        return self._expected((1 - self._leaving) ** (n - 1) * special.gammainc(n, self._buying * weeks))

    def before_and_after(self, first, last):
        """Return E[Y(first) (Y(last) - Y(first)) | this history], summed over the counts up to `first`."""
        counts = np.arange(1, 400)[:, None, None]
        bought = np.exp(
            special.xlogy(counts, self._buying * first) - self._buying * first - special.gammaln(counts + 1)
        )
        if self.model == "pareto_nbd":
            rate, there = self._leaving, bought * np.exp(-self._leaving * first)
        else:
            rate, there = self._buying * self._leaving, bought * (1 - self._leaving) ** counts
        span = last - first
        return self._expected(
            (counts * there).sum(axis=0) * self._buying * span * special.exprel(-rate * span)
        )

    def second_moment(self, weeks):
        """Return E[Y(weeks)² | this history], summed over all counts."""
        total, n = 0.0, 1
        while True:
            term = (2 * n - 1) * self.at_least(weeks, n)
            total += term
            if n > 3 and term < 1e-12 * total:
                return total
            n += 1


def log_likelihood(model, parameters, x, t_x, T):
    """Return ln P of the histories together."""
    return sum(Customer(model, parameters, *one).log_likelihood() for one in zip(x, t_x, T, strict=True))

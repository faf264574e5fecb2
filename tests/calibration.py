"""Do the intervals hold what they say? Many made-up shops, fitted; how often the truth lies inside.

`python -m tests.calibration [runs]` prints a table, 200 shops of each model unless told otherwise. A 95 %
interval of a parameter must hold the truth in 90 to 99 % of them. An 80 % interval of one customer's future
must hold it in 75 to 85 % of those customers for whom "none" alone would not: where no further purchase has
a probability of 80 % or more, every interval that starts at 0 holds more, and is only asked to hold what it
promises. So must the interval of all customers together.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from crm.analytics import btyd, gamma_gamma, scores
from crm.analytics.btyd import MODELS, Histories, ModelName
from tests import simulate
from tests.simulate import Shop

RUNS = 200
CUSTOMERS = 5_000
NORMAL_95 = 1.959964
"""Half the width of a 95 % interval, in standard errors."""

WEEKS_AHEAD = 39.0

PARAMETERS_HOLD = (0.90, 0.99)
"""In which share of the shops a 95 % interval must hold the true parameter."""

FUTURE_HOLDS = (0.75, 0.85)
"""In which share of the customers, or shops, an 80 % interval must hold what comes."""

PROMISE_KEPT = 0.02
"""How far from what they promise the intervals of all customers may be."""


@dataclass
class Coverage:
    """How many intervals were looked at, how many held the truth, and between which shares they should."""

    low: float
    high: float
    asked: int = 0
    held: int = 0
    missing: int = 0

    @property
    def share(self) -> float:
        """Share of intervals that held the truth; one that could not be given did not."""
        return self.held / self.asked

    @property
    def right(self) -> bool:
        """Whether that is neither too few nor too many."""
        return self.low <= self.share <= self.high


@dataclass
class Calibration:
    """What has been counted so far, by name."""

    coverages: dict[str, Coverage] = field(default_factory=dict)

    def add(self, name: str, within: tuple[float, float], held: NDArray[np.bool_] | bool | None) -> None:
        """Count more intervals under a name: whether each held the truth, or that there was none."""
        found = self.coverages.setdefault(name, Coverage(*within))
        found.asked += 1 if held is None else np.size(held)
        found.held += int(np.sum(held)) if held is not None else 0
        found.missing += held is None


def shops(model: str, runs: int, *, customers: int = CUSTOMERS, seed: int = 1) -> Iterator[Shop]:
    """Yield made-up shops like CDNOW, each of other customers, watched for 26 to 39 weeks."""
    for run in range(runs):
        yield simulate.make(
            model, simulate.CDNOW[model], customers=customers, seed=1_000 * seed + run, weeks=WEEKS_AHEAD
        )


def of_parameters(model: str, shop: Shop, counted: Calibration) -> None:
    """Count whether each parameter's 95 % interval, normal in the logarithm, holds the truth."""
    found = btyd.fit(model, Histories(shop.x, shop.t_x, shop.T))
    _count(model, simulate.CDNOW[model], found.parameters, found.covariance, counted)


def of_spend(shop: Shop, counted: Calibration) -> None:
    """Count the same of Gamma-Gamma."""
    found = gamma_gamma.fit(shop.x, shop.spend)
    _count("gamma_gamma", simulate.SPEND, found.parameters, found.covariance, counted)


def _count(model, truth, parameters, covariance, counted: Calibration) -> None:
    for place, (name, value) in enumerate(truth.items()):
        inside = None
        if covariance is not None:
            off = abs(np.log(parameters[name] / value)) / np.sqrt(covariance[place, place])
            inside = bool(off <= NORMAL_95)
        counted.add(f"{model} {name}", PARAMETERS_HOLD, inside)


def of_customers(model: ModelName, shop: Shop, counted: Calibration) -> None:
    """Count whether the 80 % intervals hold what each customer, and all together, buy and spend next."""
    histories = Histories(shop.x, shop.t_x, shop.T)
    predictor = scores.Predictor(btyd.fit(model, histories), gamma_gamma.fit(shop.x, shop.spend))
    some = predictor.orders.at_least(histories, WEEKS_AHEAD, 1) > 0.2

    orders = scores.order_interval(predictor, histories, WEEKS_AHEAD)
    inside = (shop.later >= orders.low) & (shop.later <= orders.high)
    counted.add(f"{model} one customer's orders", FUTURE_HOLDS, inside[some])
    promised = float(orders.promised.mean())
    counted.add(
        f"{model} the same, all customers", (promised - PROMISE_KEPT, promised + PROMISE_KEPT), inside
    )

    money = scores.money(predictor, histories, years=1, weights=np.ones(1), weeks=WEEKS_AHEAD)

    def spent(pair):
        return pair[0] + pair[1] * shop.spend

    inside = (shop.later_spend >= spent(money.low)) & (shop.later_spend <= spent(money.high))
    counted.add(f"{model} one customer's revenue", FUTURE_HOLDS, inside[some])
    low, high = scores.total_interval(
        float(spent(money.expected).sum()),
        float((spent(money.deviation) ** 2).sum()),
        np.array([spent(pair).sum() for pair in money.loadings]),
    )
    counted.add(f"{model} the shop's revenue", FUTURE_HOLDS, bool(low <= shop.later_spend.sum() <= high))


CHECKS: dict[str, tuple[Callable[[Shop, Calibration], None], ...]] = {
    model: (
        partial(of_parameters, model),
        partial(of_customers, model),
        *((of_spend,) if model == "bg_nbd" else ()),
    )
    for model in MODELS
}
"""What is counted in each shop of a model."""


def calibrate(
    runs: int, *, models: Sequence[str] = MODELS, customers: int = CUSTOMERS, seed: int = 1
) -> Calibration:
    """Return the coverage of everything in `CHECKS` over so many shops of each model."""
    counted = Calibration()
    for model in models:
        for shop in shops(model, runs, customers=customers, seed=seed):
            for check in CHECKS[model]:
                check(shop, counted)
    return counted


def main(arguments: Sequence[str]) -> int:
    """Print the table; return 1 when an interval holds too little or too much."""
    runs = int(arguments[0]) if arguments else RUNS
    found = calibrate(runs).coverages
    for name, one in found.items():
        note = f", {one.missing} without an interval" if one.missing else ""
        sys.stdout.write(
            f"{name:40} {100 * one.share:5.1f} % of {one.asked:,}{note}{'' if one.right else '  <-- wrong'}\n"
        )
    return int(not all(one.right for one in found.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

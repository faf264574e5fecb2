"""Fitting the forecast models: ours, lifetimes and pymc-marketing, round by round, at the same likelihood."""

import importlib.util
import json
import subprocess
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest.mock import patch

import narwhals as nw
import numpy as np
import pandas as pd

from crm.analytics import btyd, gamma_gamma
from crm.analytics.btyd import MODELS, TITLES, Histories, ModelName
from crm.engine import Lazy
from crm.settings import Settings, load_settings
from crm.workbench import Workbench
from tests import simulate
from tests.bench import report, shop
from tests.bench.report import Bound, Section
from tests.bench.timing import Timing, interleave, ratio, say

ROOT = Path(__file__).resolve().parent.parent.parent
PEER_PYTHON = ROOT / ".venv-bench-pymc" / "bin" / "python"
PEER_SCRIPT = Path(__file__).with_name("pymc_peer.py")

LIFETIMES_FACTOR = 5.0
PYMC_FACTOR = 10.0
PARETO_FACTOR = 5.0
SAME_LIKELIHOOD = 1e-6
WHOLE_FACTOR = 3.0

FORECASTS = (
    "probability_alive", "expected_orders_12m", "lifetime_value", "lifetime_value_low", "lifetime_value_high",
)  # fmt: skip
"""What every customer's forecast is to hold."""

OBSERVED = (26.0, 52.0)
"""Weeks that the made-up customers are watched for."""

Parameters = dict[str, float]


class Customers:
    """The customers of a made-up shop, one entry each: x, t_x and T in weeks of whole days, repeat spend."""

    def __init__(self, model: ModelName, customers: int, seed: int = 1) -> None:
        shop = simulate.make(model, simulate.CDNOW[model], customers=customers, seed=seed, observed=OBSERVED)
        self.purchase_days, self.recency_days, self.tenure_days = shop.in_days()
        each = Histories.of_days(self.purchase_days, self.recency_days, self.tenure_days)
        self.x, self.t_x, self.T = each.x, each.t_x, each.T
        self.spend = np.round(shop.spend, 2)
        self.spend[(self.x > 0) & (self.spend < 0.01)] = 0.01

    def distinct(self) -> Histories:
        """Return the distinct histories with their counts, as the engine hands them over."""
        days = int(self.tenure_days.max()) + 1
        key = (self.purchase_days * days + self.recency_days) * days + self.tenure_days
        found, customers = np.unique(key, return_counts=True)
        rest, tenure = np.divmod(found, days)
        bought, recency = np.divmod(rest, days)
        return Histories.of_days(bought, recency, tenure, customers)

    def save(self, path: Path) -> None:
        """Write the customers for a process that does not know us."""
        np.savez(path, x=self.x, t_x=self.t_x, T=self.T, spend=self.spend)


def ours(customers: Customers) -> dict[str, Parameters]:
    """Group, and fit BG/NBD and Gamma-Gamma, standard errors included."""
    found = btyd.fit("bg_nbd", customers.distinct())
    spend = gamma_gamma.fit(customers.x, customers.spend)
    return {"bg_nbd": found.parameters, "gamma_gamma": spend.parameters}


def in_lifetimes(customers: Customers, *, distinct: bool = False) -> dict[str, Parameters]:
    """Fit the same with lifetimes, of every customer as its manual does, or of the distinct histories."""
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if distinct:
            rows = customers.distinct()
            weights = rows.customers.astype(int)
            orders = BetaGeoFitter().fit(rows.x, rows.t_x, rows.T, weights=weights)
        else:
            orders = BetaGeoFitter().fit(customers.x, customers.t_x, customers.T)
        again = customers.x > 0
        means = customers.spend[again] / customers.x[again]
        spend = GammaGammaFitter().fit(pd.Series(customers.x[again]), pd.Series(means))
    return {
        "bg_nbd": {name: float(value) for name, value in orders.params_.items()},
        "gamma_gamma": {name: float(value) for name, value in spend.params_.items()},
    }


def pareto_in_lifetimes(customers: Customers) -> Parameters:
    """Fit Pareto/NBD with lifetimes."""
    from lifetimes import ParetoNBDFitter

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = ParetoNBDFitter().fit(customers.x, customers.t_x, customers.T)
    return {name: float(value) for name, value in found.params_.items()}


class PymcMarketing:
    """pymc-marketing in a child process that stays up, so that imports and compilation are not measured."""

    def __enter__(self) -> "PymcMarketing":
        self._process = subprocess.Popen(
            [str(PEER_PYTHON), str(PEER_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._process.communicate(timeout=20)

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request and return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        reply: dict[str, Any] = json.loads(line) if line else {"error": "it ended"}
        if "error" in reply:
            raise RuntimeError(f"pymc-marketing: {reply['error']}")
        return reply


def likelihoods(
    customers: Customers, found: Mapping[str, Mapping[str, Parameters]]
) -> dict[str, dict[str, float]]:
    """Return ln L of each contender's parameters by our functions, per model; equal customers counted once."""
    distinct = customers.distinct()
    by_model: dict[str, dict[str, float]] = {}
    for contender, models in found.items():
        for model, parameters in models.items():
            if model == "gamma_gamma":
                value = gamma_gamma.log_likelihood(parameters, customers.x, customers.spend)
            else:
                value = btyd.log_likelihood(model, parameters, distinct)  # type: ignore[arg-type]
            by_model.setdefault(model, {})[contender] = value
    return by_model


def gaps(values: Mapping[str, float]) -> dict[str, float]:
    """Return how far each likelihood lies below the best of them, relative to it."""
    best = max(values.values())
    return {name: (best - value) / abs(best) for name, value in values.items()}


def section(folder: Path, *, quick: bool, rounds: int) -> Section:
    """Compare the fits, and show how the cost grows."""
    size = 5_000 if quick else 100_000
    customers = Customers("bg_nbd", size)
    distinct = len(customers.distinct())
    found: dict[str, dict[str, Parameters]] = {}

    def keep(name: str, fit: Callable[[], dict[str, Parameters]]) -> Callable[[], None]:
        def run() -> None:
            found[name] = fit()

        return run

    contenders: dict[str, Callable[[], object]] = {"ours": keep("ours", lambda: ours(customers))}
    notes: list[str] = []
    has_lifetimes = importlib.util.find_spec("lifetimes") is not None
    if has_lifetimes:
        contenders["lifetimes"] = keep("lifetimes", lambda: in_lifetimes(customers))
        contenders["lifetimes, distinct rows"] = keep(
            "lifetimes, distinct rows", lambda: in_lifetimes(customers, distinct=True)
        )
    else:
        notes.append(_skip("lifetimes is not installed, so it was not measured."))
    if PEER_PYTHON.exists():
        with PymcMarketing() as peer:
            versions = peer.ask(versions=True)
            customers.save(folder / "customers.npz")
            peer.ask(load=str(folder / "customers.npz"))
            contenders["pymc-marketing"] = keep(
                "pymc-marketing", lambda: peer.ask(fit=["bg_nbd", "gamma_gamma"])
            )
            times = interleave(contenders, rounds=rounds)
        notes.append(
            "pymc-marketing runs in a process of its own that stays up ("
            + ", ".join(f"{name} {version}" for name, version in versions.items())
            + '): `fit(method="map")` with flat priors, which makes it maximum likelihood. The warm-up round '
            "takes its import and compilation; every round fits new model objects, as ours and lifetimes do."
        )
    else:
        notes.append(
            _skip("pymc-marketing is not installed (it needs Python 3.12 or newer), so it was not measured.")
        )
        times = interleave(contenders, rounds=rounds)
    by_model = likelihoods(customers, found)
    off = {model: gaps(values) for model, values in by_model.items()}
    bounds = [
        Bound(
            f"Fit of BG/NBD and Gamma-Gamma, {size:,} customers: at least {factor:g} × faster than {name}",
            str(against := ratio(times[name], times["ours"])) + " ×",
            against.median >= factor,
        )
        for name, factor in (("lifetimes", LIFETIMES_FACTOR), ("pymc-marketing", PYMC_FACTOR))
        if name in times
    ]
    worst = max(off[model]["ours"] for model in off)
    bounds.append(
        Bound(
            f"Our likelihood: within {SAME_LIKELIHOOD:g}, relative, of the best",
            f"{worst:.1e}" if worst else "ours is the best",
            worst <= SAME_LIKELIHOOD,
        )
    )
    result = Section(
        f"Fitting forecasts of {size:,} customers",
        "BG/NBD and Gamma-Gamma by maximum likelihood, of customers made up by the models themselves with the "
        f"parameters of CDNOW, watched for half a year to a year. From arrays with one entry per customer. "
        f"Ours groups them to {distinct:,} distinct histories first, which is counted, and adds standard errors. "
        "lifetimes is measured as its manual has it, customer by customer, and with the weights that it accepts "
        "as well. ln L of everybody's parameters by our function; its gap is that to the best, relative.",
        ("", "seconds", "spread", "times as long as ours", "gap of ln L, BG/NBD", "Gamma-Gamma"),
        [
            (
                name,
                f"{timing.seconds:.3f}",
                timing.spread,
                "1" if name == "ours" else str(ratio(timing, times["ours"])),
                *(f"{off[model][name]:.1e}" for model in ("bg_nbd", "gamma_gamma")),
            )
            for name, timing in times.items()
        ],
        bounds,
        notes,
    )
    if has_lifetimes:
        _pareto(result, size, quick=quick)
    _growth(result, quick=quick)
    _from_orders(result, folder, quick=quick, rounds=rounds)
    return result


def _pareto(result: Section, size: int, *, quick: bool) -> None:
    """Add Pareto/NBD against lifetimes, which takes its time: two rounds, none to warm up."""
    say("  Pareto/NBD")
    customers = Customers("pareto_nbd", size)
    found: dict[str, Parameters] = {}

    def run_ours() -> None:
        found["ours"] = btyd.fit("pareto_nbd", customers.distinct()).parameters

    def run_lifetimes() -> None:
        found["lifetimes"] = pareto_in_lifetimes(customers)

    times = interleave(
        {"ours": run_ours, "lifetimes": run_lifetimes}, rounds=1 if quick else 2, warm_up=False
    )
    off = gaps(
        likelihoods(customers, {name: {"pareto_nbd": one} for name, one in found.items()})["pareto_nbd"]
    )
    against = ratio(times["lifetimes"], times["ours"])
    rows = [
        (
            name,
            f"{timing.seconds:.3f}",
            timing.spread,
            "1" if name == "ours" else str(against),
            f"{off[name]:.1e}",
        )
        for name, timing in times.items()
    ]
    result.notes += [
        f"Pareto/NBD of {size:,} customers whom that model made up, {len(customers.distinct()):,} distinct histories:",
        report.table(("", "seconds", "spread", "times as long as ours", "gap of ln L"), rows),
    ]
    result.bounds += [
        Bound(
            f"Fit of Pareto/NBD, {size:,} customers: at least {PARETO_FACTOR:g} × faster than lifetimes",
            f"{against} ×",
            against.median >= PARETO_FACTOR,
        ),
        Bound(
            f"Our likelihood of Pareto/NBD: within {SAME_LIKELIHOOD:g}, relative, of the better",
            f"{off['ours']:.1e}" if off["ours"] else "ours is the better",
            off["ours"] <= SAME_LIKELIHOOD,
        ),
    ]


def _growth(result: Section, *, quick: bool) -> None:
    """Add how the fits' cost grows with the customers: seconds, and likelihoods computed of all histories."""
    say("  how the cost grows")
    rows = []
    for size in (1_000, 3_000, 10_000) if quick else (10_000, 100_000, 1_000_000):
        customers = Customers("bg_nbd", size)
        distinct = customers.distinct()
        fits: dict[str, Callable[[], object]] = {
            TITLES[model]: lambda model=model, of=distinct: btyd.fit(model, of) for model in MODELS
        }
        fits["Gamma-Gamma"] = lambda of=customers: gamma_gamma.fit(of.x, of.spend)
        times = {"grouping": Timing()} | interleave(
            {"grouping": customers.distinct, **fits}, rounds=1 if quick else 3, warm_up=False
        )
        cells = [f"{times['grouping'].seconds:.3f}"]
        cells += [f"{times[name].seconds:.3f} ({evaluations(fit)})" for name, fit in fits.items()]
        rows.append((f"{size:,}", f"{len(distinct):,}", *cells))
    result.notes += [
        "How the cost grows with the customers: seconds of the grouping and of each fit of what is grouped, and in "
        "brackets how often the likelihood of all histories was computed with its derivatives, the times "
        "for the standard errors included (a search over a part of the histories, where there are many, goes "
        "before and is not counted). The Gamma-Gamma model is fitted to every customer with a repeat purchase.",
        report.table(
            ("customers", "distinct histories", "grouping", *(TITLES[one] for one in MODELS), "Gamma-Gamma"),
            rows,
        ),
    ]


def _from_orders(result: Section, folder: Path, *, quick: bool, rounds: int) -> None:
    """Add the way from orders to every customer's forecast, beside that to the per-customer table alone."""
    customers = 5_000 if quick else 1_000_000
    say(f"  making a shop of {customers:,} customers who leave")
    lake = shop.make_leaving(folder / "lake", customers=customers)
    fresh = iter(range(1_000))
    shown: list[str] = []

    def settings() -> Settings:
        home = folder / f"home-{next(fresh)}"
        home.mkdir()
        return load_settings(home=home, lake_url=lake.root, engine="duckdb", database_url="")

    def table() -> None:
        workbench = Workbench.open(settings())
        found = workbench.engine.row(workbench.engine.customers(as_of=shop.AS_OF).select(nw.all().count()))
        assert found["customer_id"] == customers
        workbench.close()

    def with_forecasts() -> None:
        workbench = Workbench.open(settings())
        found = _every_value(workbench, workbench.customers(as_of=shop.AS_OF))
        assert all(found[name] > 0 for name in FORECASTS), found
        shown[:] = [workbench.forecasting.forecast(as_of=shop.AS_OF).sentence()]
        workbench.close()

    times = interleave(
        {"forecasts": with_forecasts, "table": table},
        rounds=2 if quick else min(3, rounds),
        warm_up=not quick,
    )
    against = ratio(times["forecasts"], times["table"])
    result.notes += [
        f"From the orders of {customers:,} customers (BG/NBD's own, about six purchases each) to the whole "
        "per-customer table, every value of it computed, in a new store each time: without a forecast, and with "
        "everything a forecast takes: three models fitted to what was known before the holdout, the better one "
        "chosen, tested, fitted again to everything, kept, and every customer's probability, orders and lifetime "
        f"value with their intervals. It says: “{shown[0]}”",
        report.table(
            ("", "seconds", "spread", "ratio"),
            [
                ("with every customer's forecast", f"{times['forecasts'].seconds:.2f}", times["forecasts"].spread,
                 str(against)),
                ("`engine.customers` alone", f"{times['table'].seconds:.2f}", times["table"].spread, "1"),
            ],
        ),
    ]  # fmt: skip
    result.bounds.append(
        Bound(
            f"From orders to the forecasts of {customers:,} customers: at most {WHOLE_FACTOR:g} × "
            "the per-customer table alone",
            f"{against} ×",
            against.median <= WHOLE_FACTOR,
        )
    )


def _every_value(workbench: Workbench, customers: Lazy) -> dict[str, Any]:
    """Return the sum of every column of numbers and the count of every other: none is left uncomputed."""
    asked = [
        nw.col(name).sum() if kind.is_numeric() else nw.col(name).count()
        for name, kind in customers.collect_schema().items()
    ]
    return workbench.engine.row(customers.select(asked))


def evaluations(fit: Callable[[], object]) -> int:
    """Return how often a fit computes the likelihood in its last search, that of all the data."""
    searches: list[int] = []
    search = btyd.maximise

    def counting(objective: btyd.Objective, start: btyd.Floats, **options: Any) -> Any:
        searches.append(0)

        def counted(place: btyd.Floats) -> tuple[float, btyd.Floats]:
            searches[-1] += 1
            return objective(place)

        return search(counted, start, **options)

    with patch.object(btyd, "maximise", counting), patch.object(gamma_gamma, "maximise", counting):
        fit()
    return searches[-1]


def _skip(reason: str) -> str:
    say(f"  {reason}")
    return reason

"""Forecasts of what is stored: fitted once per version of the orders, tested, judged and kept.

A forecast rests on the orders up to an as-of day and on what was asked: which model (or the better one), and
how long a holdout to test it on. It is kept in the records with the version of the orders, so yesterday's can
be shown again; what it says of each customer is computed from it whenever it is asked for.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, cast

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa

from crm import wording
from crm.analytics import backtest, btyd, gamma_gamma
from crm.analytics import scores as scoring
from crm.analytics.backtest import Candidate, Facts, HoldoutTest, NaiveRule, Reason, Verdict
from crm.analytics.btyd import WEEK_DAYS, YEAR_WEEKS, Fit, Floats, Histories, ModelName
from crm.analytics.cohorts import month_text
from crm.analytics.customers import YEAR_DAYS
from crm.analytics.gamma_gamma import SpendFit
from crm.analytics.holdout_rows import (
    holdout_rows,
    holdout_rows_of_days,
    orders_across,
    purchases_by_day,
    purchases_by_day_of_days,
)
from crm.analytics.lifetime_value import Assumptions
from crm.analytics.profiles import HISTORY, LOADING_NAMES, Scores
from crm.analytics.scores import Predictor
from crm.analytics.segments import Bands
from crm.engine import Engine
from crm.errors import Conflict, InvalidValue, NotEnoughData
from crm.records.database import Records
from crm.records.forecasts import amend_forecast, find_forecast, keep_forecast, list_forecasts

AUTO = "auto"
"""Asked for where the better model is to be found by likelihood and holdout."""

FORMAT = 1
"""Shape of a kept forecast; one of another shape is made anew."""

KEPT_IN_MEMORY = 16

MONTH_DAYS = YEAR_DAYS / 12

THREADS = 2

CHOICE_ROWS = 60_000
"""Of more distinct histories than twice this, models are compared on a part: that decides it as well."""

FORECAST_MONTHS = 12
"""How far the curves of cohorts are drawn on."""


class Question(NamedTuple):
    """What a forecast answers: which orders, up to which day, by which model, tested on how many weeks."""

    orders_version: int
    as_of: date
    model: str
    holdout_weeks: int | None


@dataclass(frozen=True, eq=False)
class Forecast:
    """A model fitted to the orders up to `as_of`, with its test and the verdict on it.

    asked: model (or "auto") and weeks of holdout (or nothing for the default) as they were asked for.
    fit, spend: nothing where the history could not carry them. kept_share: revenue ÷ purchases, the rest
    having been returned. share_alive: mean probability of still being a customer. candidates: the models
    compared, where the better one was asked for; why: how the choice fell. key: equal ones are the same forecast.
    """

    as_of: date
    orders_version: int
    asked_model: str
    asked_weeks: int | None
    verdict: Verdict = field(default_factory=Verdict)
    made_at: datetime | None = None
    facts: Facts | None = None
    fit: Fit | None = None
    spend: SpendFit | None = None
    kept_share: float = 1.0
    share_alive: float | None = None
    candidates: tuple[Candidate, ...] = ()
    why: str = ""
    test: HoldoutTest | None = None
    key: str = ""

    @property
    def question(self) -> Question:
        """What it answers."""
        return Question(self.orders_version, self.as_of, self.asked_model, self.asked_weeks)

    @property
    def usable(self) -> bool:
        """Whether numbers of this forecast are shown at all."""
        return self.verdict.usable and self.fit is not None and self.spend is not None

    def sentence(self) -> str:
        """Return the model, the verdict and the test in words, as an export says them."""
        grade = backtest.GRADES[self.verdict.grade].lower()
        if not self.usable or self.fit is None or self.test is None:
            return "No forecast: " + " ".join(reason.found for reason in self.verdict.reasons)
        return f"Forecast by {self.fit.title}, {grade}. {self.test.sentence()}"

    @property
    def predictor(self) -> Predictor:
        """The model of orders and of spend. Raises NotEnoughData where the verdict is refused."""
        if not self.usable or self.fit is None or self.spend is None:
            raise NotEnoughData(
                "There is no forecast: " + " ".join(reason.found for reason in self.verdict.reasons),
                " ".join(reason.help for reason in self.verdict.reasons),
            )
        return Predictor(self.fit, self.spend, self.kept_share)


class Forecasting:
    """The forecasts of one store."""

    def __init__(self, engine: Engine, records: Records, bands: Callable[[], Bands] = Bands) -> None:
        self._engine = engine
        self._records = records
        self._bands = bands  # no forecast rests on them, but what was bought is kept by them
        # Whoever asks for what is kept takes the first alone, and waits for nobody who fits or computes.
        self._lock = threading.Lock()
        self._computing = threading.RLock()
        self._fitting = threading.RLock()
        self._kept: OrderedDict[Question, Forecast] = OrderedDict()
        self._scores: OrderedDict[str, Scores] = OrderedDict()
        self._read: tuple[tuple[int, date], pd.DataFrame, Histories] | None = None

    def forecast(self, *, as_of: date, model: str = AUTO, holdout_weeks: int | None = None) -> Forecast:
        """Return the forecast for a question, made now if it was not kept.

        model: one of btyd.MODELS, or "auto". holdout_weeks: how much of the end to test on; by default the
        last quarter. Raises InvalidValue for others.
        """
        _require(model, holdout_weeks)
        question = Question(self._engine.orders_version(), as_of, model, holdout_weeks)
        if (kept := self._recall(question)) is not None:
            return kept
        with self._fitting:
            kept = self._recall(question)
            return kept if kept is not None else self._keep(question, self._make(question))

    def _recall(self, question: Question) -> Forecast | None:
        """Return the forecast for a question, if it is kept in memory or in the records."""
        with self._lock:
            if question in self._kept:
                self._kept.move_to_end(question)
                return self._kept[question]
        found = self._find(question)
        return None if found is None else self._keep(question, found)

    def _keep(self, question: Question, forecast: Forecast) -> Forecast:
        with self._lock:
            self._kept[question] = forecast
            self._kept.move_to_end(question)
            while len(self._kept) > KEPT_IN_MEMORY:
                self._kept.popitem(last=False)
        return forecast

    def tracked(self, forecast: Forecast) -> Forecast:
        """Return the forecast with the tracking curve of its test, which is drawn when it is first asked for.

        That of an earlier version of the orders stays as it was kept: its orders are gone.
        """
        test, facts = forecast.test, forecast.facts
        question = forecast.question
        if test is None or facts is None or test.tracking:
            return forecast
        with self._fitting:
            forecast = self._recall(question) or forecast
            if forecast.test is not None and forecast.test.tracking:
                return forecast
            if forecast.orders_version != self._engine.orders_version():
                return forecast
            with self._engine.days_at_hand(as_of=test.as_of) as at_hand:
                days = self._telling_apart(at_hand, test.cut)
                keys, _ = backtest.histories_of(self._known_at(test.cut, test.as_of, facts.first, days))
                daily = self._purchases_by_day(test.cut, test.as_of, facts.first, days)
            curve = backtest.tracking(test, keys, daily, first=facts.first)
            drawn = replace(forecast, test=replace(test, tracking=curve))
            with suppress(Conflict), self._records.write() as session:  # as in _make
                if self._engine.orders_version() != forecast.orders_version:
                    return forecast  # orders came in: the curve is of neither version
                row = find_forecast(session, **question._asdict())
                if row is not None:
                    amend_forecast(session, row, test=_as_json(drawn)["test"])
            return self._keep(question, drawn)

    def earlier(self, *, limit: int = 20) -> list[Forecast]:
        """Return the forecasts kept last, newest first, those of earlier versions of the orders among them."""
        with self._records.read() as session:
            rows = list_forecasts(session, limit=limit)
            return [_from_json(row.body, row.made_at) for row in rows if row.body.get("format") == FORMAT]

    def scores(self, forecast: Forecast, assumptions: Assumptions) -> Scores | None:
        """Return what `forecast` says of each distinct history, under `assumptions`; nothing if refused.

        Raises Conflict where orders have come in since it was asked for, as do the other answers.
        """
        if not forecast.usable:
            return None
        key = f"{forecast.key}/{assumptions.years}/{assumptions.discount_rate!r}/{assumptions.margin!r}"
        if (kept := self._kept_scores(key)) is not None:
            return kept
        with self._computing:
            if (kept := self._kept_scores(key)) is not None:
                return kept
            made = Scores(key, self._score(forecast, assumptions))
            with self._lock:
                self._scores[key] = made
                while len(self._scores) > KEPT_IN_MEMORY // 2:
                    self._scores.popitem(last=False)
            return made

    def _kept_scores(self, key: str) -> Scores | None:
        with self._lock:
            if key in self._scores:
                self._scores.move_to_end(key)
            return self._scores.get(key)

    def years_ahead(self, forecast: Forecast, years: int) -> tuple[float, ...]:
        """Return the revenue of all customers that `forecast` expects in each coming year of 365 days.

        Money, before margin and discount.
        """
        rows, keys = self._histories_of(forecast)
        yearly = scoring.yearly_orders(forecast.predictor.orders, keys, years)
        return tuple(map(float, _spend_weights(forecast.predictor, rows, keys) @ yearly))

    def cohorts_ahead(self, forecast: Forecast) -> pd.DataFrame:
        """Return what `forecast` expects of the customers of each month of first purchase, month by month.

        To one row per cohort (such as "2025-03") and months ahead of the as-of day (from 0): cohort, months,
        customers, ahead (revenue per customer from the as-of day on), age (mean months since their first
        purchase on the as-of day).
        """
        rows, keys = self._histories_of(forecast)
        fit, weight = forecast.predictor.orders, _spend_weights(forecast.predictor, rows, keys)
        day = pd.Timestamp(forecast.as_of) - pd.to_timedelta(rows["tenure_days"], unit="D")
        month = (day.dt.year * 12 + day.dt.month - 1).to_numpy(np.int64)
        months, of = np.unique(month, return_inverse=True)
        members = np.bincount(of, keys.customers)
        ages = np.bincount(of, keys.customers * rows["tenure_days"].to_numpy(float)) / members / MONTH_DAYS
        steps = np.arange(FORECAST_MONTHS + 1)
        if_alive = fit.expected_orders_alive_at(keys, steps * (MONTH_DAYS / WEEK_DAYS))
        brings = (weight * fit.probability_alive(keys))[:, None] * if_alive
        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "cohort": [month_text(int(one)) for one in months],
                        "months": step,
                        "customers": members.astype(int),
                        "ahead": np.bincount(of, brings[:, step]) / members,
                        "age": ages,
                    }
                )
                for step in steps
            ],
            ignore_index=True,
        )

    # How it comes about

    def _find(self, question: Question) -> Forecast | None:
        with self._records.read() as session:
            row = find_forecast(session, **question._asdict())
            if row is None or not self._is_answer(row.body):
                return None
            return _from_json(row.body, row.made_at)

    def _is_answer(self, body: Mapping[str, Any]) -> bool:
        """Return whether a kept forecast has today's shape and rests on the very orders that are in the lake.

        A lake that was made anew, or put back from a copy, counts its versions anew.
        """
        return body.get("format") == FORMAT and body.get("orders") == self._engine.orders_mark()

    def _make(self, question: Question) -> Forecast:
        mark = self._engine.orders_mark()
        made = self._fitted(question)
        body = {**_as_json(made), "orders": mark}
        try:
            with self._records.write() as session:
                # Orders that came in while it was fitted make it one of neither version; it is shown and not kept.
                if self._engine.orders_version() != question.orders_version:
                    return replace(made, key=f"{question}, {id(made)}")
                row = find_forecast(session, **question._asdict())
                if row is not None and not self._is_answer(row.body):
                    session.delete(row)
                    session.flush()
                row = keep_forecast(session, **question._asdict(), body=body)
                return _from_json(row.body, row.made_at)
        except Conflict:
            # Somebody else is writing, such as an import of contacts: to keep it is no part of the answer.
            return _from_json(body, None)

    def _fitted(self, question: Question) -> Forecast:
        with self._engine.days_at_hand(as_of=question.as_of) as days:
            return self._fitted_to(days, question)

    def _fitted_to(self, days: nw.LazyFrame[Any] | None, question: Question) -> Forecast:
        _, as_of, asked, weeks = question
        made = Forecast(as_of, question.orders_version, asked, weeks)
        rows, keys = self._histories(as_of)
        if rows.empty:
            reason = Reason(
                "refused",
                f"Nobody had bought by {wording.day(as_of)}.",
                "Choose a later as-of day, or import orders.",
            )
            return replace(made, verdict=Verdict((reason,)))
        spenders = self._spenders(as_of)
        facts = _facts(rows, spenders, as_of)
        if backtest.gates(facts, as_of):
            verdict = backtest.judge(facts, as_of, fit=None, share_alive=None, test=None)
            return replace(made, facts=facts, verdict=verdict)

        cut = backtest.default_cut(facts.first, as_of) if weeks is None else as_of - timedelta(weeks=weeks)
        try:
            known = self._known_at(cut, as_of, facts.first, self._telling_apart(days, cut))
            repeaters = int((known["purchase_days"] > 1).sum())
            if repeaters < backtest.MIN_REPEATERS:
                raise NotEnoughData(
                    f"{f'Only {repeaters:,}' if repeaters else 'No'} customers had bought on two days or more by "
                    f"{wording.day(cut)}, where the holdout of {(as_of - cut).days // WEEK_DAYS} weeks begins.",
                    "Choose a shorter holdout, or import a longer history.",
                )
            past, back = backtest.histories_of(known)
            later, length = known["later_purchase_days"].to_numpy(float), (as_of - cut).days / WEEK_DAYS
            # NumPy works on one core at a time.
            with ThreadPoolExecutor(THREADS) as pool:
                spent = pool.submit(_spend_fit, known), pool.submit(_spend_fit, spenders)
                sample = past.part(max(1, len(past) // CHOICE_ROWS))

                def compared(name: ModelName) -> Candidate:
                    return backtest.candidate(btyd.fit(name, sample), past, back, later, length)

                tried = btyd.MODELS if asked == AUTO else (cast("ModelName", asked),)
                candidates = tuple(pool.map(compared, tried))
                chosen, why = backtest.choose(candidates)
                if asked != AUTO:
                    why = f"{btyd.TITLES[chosen]} was asked for."
                whole = pool.submit(btyd.fit, chosen, keys)
                before, spend = (one.result() for one in spent)
                share = _kept_share(known["revenue"], known["purchase_total"])
                test = backtest.run(
                    Predictor(btyd.fit(chosen, past), before, share),
                    known,
                    cut=cut,
                    as_of=as_of,
                    first=facts.first,
                    known=(past, back),
                )
                fit = whole.result()
        except NotEnoughData as error:
            reason = Reason("refused", error.message, error.hint)
            return replace(made, facts=facts, verdict=Verdict((reason,)))
        if not test.finite:
            verdict = backtest.judge(facts, as_of, fit=None, share_alive=None, test=test)
            return replace(made, facts=facts, verdict=verdict)  # no number of it can be kept or shown
        alive = float(keys.customers @ fit.probability_alive(keys) / keys.customers.sum())
        return replace(
            made,
            facts=facts,
            fit=fit,
            spend=spend,
            kept_share=_kept_share(rows["revenue"], rows["purchase_total"]),
            share_alive=alive,
            candidates=candidates,
            why=why,
            test=test,
            verdict=backtest.judge(facts, as_of, fit=fit, share_alive=alive, test=test, spend=spend),
        )

    def _histories_of(self, forecast: Forecast) -> tuple[pd.DataFrame, Histories]:
        """Return the histories that `forecast` was made from. Raises Conflict where orders came in since."""
        found = self._histories(forecast.as_of)
        self.require_newest(forecast)
        return found

    def require_newest(self, forecast: Forecast) -> None:
        """Raise Conflict where orders came in since `forecast` was asked for: what is read now is not its own."""
        if self._engine.orders_version() != forecast.orders_version:
            raise Conflict(
                "Orders came in while this was computed.", "Ask again: the next answer rests on all of them."
            )

    def _histories(self, as_of: date) -> tuple[pd.DataFrame, Histories]:
        """Return the distinct histories up to `as_of`, in order, as `purchase_histories` has them, money as floats."""
        version = self._engine.orders_version()
        with self._computing:
            if self._read is None or self._read[0] != (version, as_of):
                names = list(HISTORY)
                money = nw.col("repeat_spend", "revenue", "purchase_total").cast(nw.Float64)
                found = self._engine.histories(as_of=as_of, bands=self._bands()).select(
                    *names, "customers", money
                )
                rows = self._engine.collect(found).sort_values(names).reset_index(drop=True)
                bought, silent, tenure = (rows[name].to_numpy(np.int64) for name in names)
                keys = Histories.of_days(bought, silent, tenure, rows["customers"].to_numpy(float))
                self._read = (version, as_of), rows, keys
            return self._read[1:]

    def _telling_apart(self, days: nw.LazyFrame[Any] | None, cut: date) -> nw.LazyFrame[Any] | None:
        """Return `days`, if they are at hand and tell what was known at `cut` from what came after it."""
        return None if days is None or self._engine.count(orders_across(days, cut=cut)) else days

    def _known_at(self, cut: date, as_of: date, first: date, days: nw.LazyFrame[Any] | None) -> pd.DataFrame:
        """Return what of `holdout_rows` the test looks at, money as floats; `days` as `_telling_apart` has them."""
        if days is not None:
            rows = holdout_rows_of_days(days, cut=cut, as_of=as_of)
        else:
            rows = holdout_rows(self._engine.orders(), cut=cut, as_of=as_of)
        windows = ["later", *filter(None, [backtest.naive_window(first, cut, as_of)])]
        names = [*HISTORY, "repeat_spend", "revenue", "purchase_total"]
        names += [f"{of}_{what}" for of in windows for what in ("purchase_days", "revenue")]
        return self._engine.collect(rows.select(nw.col(*names).cast(nw.Float64)))

    def _purchases_by_day(
        self, cut: date, as_of: date, first: date, days: nw.LazyFrame[Any] | None
    ) -> pd.DataFrame:
        """Return `purchases_by_day` as far back as the curve is drawn; `days` as `_telling_apart` has them."""
        after = backtest.tracked_from(first, cut, as_of)
        if days is not None:
            rows = purchases_by_day_of_days(days, cut=cut, after=after)
        else:
            rows = purchases_by_day(self._engine.orders(), cut=cut, as_of=as_of, after=after)
        return self._engine.collect(rows)

    def _spenders(self, as_of: date) -> pd.DataFrame:
        """Return purchase days and repeat spend of each customer with a repeat purchase."""
        bought = self._engine.purchases(as_of=as_of, bands=self._bands())
        again = bought.filter(nw.col("purchase_days") > 1)
        return self._engine.collect(again.select("purchase_days", nw.col("repeat_spend").cast(nw.Float64)))

    def _score(self, forecast: Forecast, assumptions: Assumptions) -> pa.Table:
        predictor = forecast.predictor
        rows, keys = self._histories_of(forecast)
        with ThreadPoolExecutor(THREADS) as pool:
            of_orders = pool.submit(scoring.order_interval, predictor, keys, YEAR_WEEKS)
            money = scoring.money(predictor, keys, years=assumptions.years, weights=assumptions.weights)
            orders = of_orders.result()
        columns: dict[str, Any] = {name: pa.array(rows[name].to_numpy(np.int64)) for name in HISTORY}
        columns |= {
            "probability_alive": predictor.orders.probability_alive(keys),
            "expected_orders_12m": predictor.orders.expected_orders(keys, YEAR_WEEKS),
            "expected_orders_12m_low": orders.low,
            "expected_orders_12m_high": orders.high,
        }
        pairs = {"value": money.expected, "low": money.low, "high": money.high, "deviation": money.deviation}
        pairs |= dict(zip(LOADING_NAMES, money.loadings, strict=True))
        for name, pair in pairs.items():
            columns |= {f"{name}_0": pair[0], f"{name}_1": pair[1]}
        return pa.table(columns)


def _spend_weights(predictor: Predictor, rows: pd.DataFrame, keys: Histories) -> Floats:
    """Return what one purchase day of all customers who share a history brings together."""
    first, second = predictor.spend.coefficients(keys.x)
    spent = rows["repeat_spend"].to_numpy(float)
    return np.asarray(predictor.kept_share * (first * keys.customers + second * spent))


def _require(model: str, holdout_weeks: int | None) -> None:
    if model != AUTO and model not in btyd.MODELS:
        raise InvalidValue(
            f"There is no model called {model!r}.", f"Choose one of {', '.join((AUTO, *btyd.MODELS))}."
        )
    low, high = backtest.MIN_HOLDOUT_WEEKS, backtest.MAX_HOLDOUT_WEEKS
    if holdout_weeks is not None and not (
        low <= holdout_weeks <= high and int(holdout_weeks) == holdout_weeks
    ):
        raise InvalidValue(
            f"The holdout is {holdout_weeks:g} weeks.", f"Choose whole weeks from {low} to {high}."
        )


def _facts(rows: pd.DataFrame, spenders: pd.DataFrame, as_of: date) -> Facts:
    counts = rows["customers"]
    return Facts(
        customers=int(counts.sum()),
        repeaters=int(counts[rows["purchase_days"] >= 2].sum()),
        frequent=int(counts[rows["purchase_days"] >= 3].sum()),
        first=as_of - timedelta(days=int(rows["tenure_days"].max())),
        last=as_of - timedelta(days=int(rows["recency_days"].min())),
        spend_correlation=backtest.spend_correlation(spenders),
    )


def _spend_fit(rows: pd.DataFrame) -> SpendFit:
    count, spend = rows["purchase_days"].to_numpy(np.int64) - 1, rows["repeat_spend"].to_numpy(float)
    # Engines give rows in any order, and sums of floats hang on theirs.
    order = np.lexsort((spend, count))
    found = gamma_gamma.fit(count[order], spend[order])
    found.coefficients([0])  # refuses a spend without a mean
    return found


def _kept_share(revenue: "pd.Series[float]", purchases: "pd.Series[float]") -> float:
    bought = float(purchases.sum())
    return min(1.0, max(0.0, float(revenue.sum()) / bought)) if bought > 0 else 1.0


# --- kept in the records ------------------------------------------------------------------------------


def _as_json(forecast: Forecast) -> dict[str, Any]:
    body = {
        "format": FORMAT,
        "as_of": forecast.as_of,
        "orders_version": forecast.orders_version,
        "asked_model": forecast.asked_model,
        "asked_weeks": forecast.asked_weeks,
        "facts": forecast.facts and asdict(forecast.facts),
        "fit": forecast.fit and _plain_fit(forecast.fit),
        "spend": forecast.spend and _plain_fit(forecast.spend),
        "kept_share": forecast.kept_share,
        "share_alive": forecast.share_alive,
        "candidates": [asdict(one) for one in forecast.candidates],
        "why": forecast.why,
        "test": forecast.test and asdict(forecast.test),
        "reasons": [asdict(reason) for reason in forecast.verdict.reasons],
    }
    plain: dict[str, Any] = _plain(body)
    return plain


def _plain_fit(fit: Fit | SpendFit) -> dict[str, Any]:
    values = {one.name: getattr(fit, one.name) for one in fields(fit)}
    if fit.covariance is not None:
        values["covariance"] = fit.covariance.tolist()
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _from_json(body: Mapping[str, Any], made_at: datetime | None) -> Forecast:
    day = date.fromisoformat
    facts = body["facts"]
    test = body["test"]
    if facts:
        facts = Facts(**{**facts, "first": day(facts["first"]), "last": day(facts["last"])})
    if test:
        tracking = tuple({**row, "week_end": day(row["week_end"])} for row in test["tracking"])
        known: dict[str, Any] = {
            **test,
            "cut": day(test["cut"]),
            "as_of": day(test["as_of"]),
            "naive": tuple(NaiveRule(**rule) for rule in test["naive"]),
            "classes": tuple(test["classes"]),
            "deciles": tuple(test["deciles"]),
            "tracking": tracking,
        }
        test = HoldoutTest(**known)
    fit = body["fit"] and Fit(**{**body["fit"], "covariance": _matrix(body["fit"]["covariance"])})
    spend = body["spend"] and SpendFit(
        **{**body["spend"], "covariance": _matrix(body["spend"]["covariance"])}
    )
    return Forecast(
        as_of=day(body["as_of"]),
        orders_version=body["orders_version"],
        made_at=made_at,
        asked_model=body["asked_model"],
        asked_weeks=body["asked_weeks"],
        facts=facts or None,
        fit=fit or None,
        spend=spend or None,
        kept_share=body["kept_share"],
        share_alive=body["share_alive"],
        candidates=tuple(Candidate(**one) for one in body["candidates"]),
        why=body["why"],
        test=test or None,
        verdict=Verdict(tuple(Reason(**reason) for reason in body["reasons"])),
        key=f"{body['orders_version']}/{body['as_of']}/{body['asked_model']}/{body['asked_weeks']}",
    )


def _matrix(rows: list[list[float]] | None) -> Floats | None:
    return None if rows is None else np.array(rows)

"""What customers are worth: by the DCF formula, by the forecast, and from the one to the other."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from crm import wording
from crm.analytics import scores as scoring
from crm.analytics.acquisition import (
    acquisition_by_channel,
    acquisition_by_cohort,
    acquisition_table,
    channel_of,
)
from crm.analytics.btyd import WEEK_DAYS, YEAR_WEEKS, Histories
from crm.analytics.cohorts import ENOUGH_SHARE, cohort_text, cohort_values, value_curves
from crm.analytics.customers import with_purchase
from crm.analytics.holdout_rows import purchase_days_of
from crm.analytics.lifetime_value import (
    MIN_TEST_DAYS,
    Assumptions,
    FlatRevenueTest,
    Retention,
    Step,
    Swing,
    bridge,
    flat_revenue_halves,
    test_window,
    tornado,
    value_bins,
    yearly_retention,
)
from crm.analytics.loyalty import rate
from crm.analytics.profiles import LOADING_NAMES
from crm.analytics.segments import Bands, find_scheme, in_order
from crm.analytics.tables import day_number, day_of
from crm.engine import Engine, Lazy
from crm.errors import NotFound
from crm.forecasting import Forecast, Forecasting

HISTOGRAM_BINS = 40

SHARES = (0.001, 0.01, 0.05, 0.10, 0.20, 0.50)
"""Parts of the customers, the most valuable first, whose share of the value is said."""

PATH_POINTS = 240


SILENCE_DAYS = 30
"""How much further silence a customer's outlook is told for."""

AHEAD_DAYS = 90
"""How far the path of a customer's probability is drawn on, in silence."""


@dataclass(frozen=True)
class LifetimeValue:
    """DCF lifetime value of the customers with a purchase, and how its rule did in the past.

    bins: one row per bin of value: low, high, customers; the last bin holds somebody, and has no upper end where
    values lie further beyond.
    segments: one row per segment: segment, customers, lifetime_value (sum), mean, acquisition_cost (sum).
    """

    as_of: date
    assumptions: Assumptions
    customers: int
    total: float
    mean: float | None
    median: float | None
    annual_revenue: float
    acquisition_cost: float
    below_cost: int
    bins: pd.DataFrame
    segments: pd.DataFrame
    test: FlatRevenueTest
    retention: Retention

    @property
    def retained_total(self) -> float | None:
        """What they are worth if each year keeps the share that `retention` found; nothing where it found none."""
        rate, given = self.retention.rate, self.assumptions
        if rate is None:
            return None
        return self.annual_revenue * given.margin * given.retained_annuity(rate) - self.acquisition_cost


@dataclass(frozen=True)
class ForecastValue:
    """Lifetime value by the forecast, of the customers with a purchase.

    total, low, high: money less acquisition cost, with its 80 % interval. alive: how many are likely still
    customers. orders_12m, revenue_12m: expected of the next 365 days. bins, segments: as `LifetimeValue` has
    them, segments with low and high as well and alive. concentration: customers_share (the most
    valuable first, after acquisition cost) and value_share, before it; whales: that at the `SHARES`.
    steps, swings: from the DCF formula to the forecast, and what moves it.
    """

    as_of: date
    assumptions: Assumptions
    customers: int
    total: float
    low: float
    high: float
    mean: float | None
    median: float | None
    acquisition_cost: float
    below_cost: int
    alive: float
    orders_12m: float
    revenue_12m: float
    bins: pd.DataFrame
    segments: pd.DataFrame
    concentration: pd.DataFrame
    whales: tuple[tuple[float, float], ...]
    steps: tuple[Step, ...]
    swings: tuple[Swing, ...]


@dataclass(frozen=True)
class Acquisition:
    """What winning customers cost and when it was back, by channel and by month of the first purchase.

    channels, cohorts: the rows of `acquisition_table`. curves: one row per cohort and month since the first
    purchase: cohort, months, customers, value (cumulative margin per customer; blank where the month is not
    over for all), forecast (from the last value on; blank elsewhere). cost: acquisition cost per customer, over all.
    """

    channels: pd.DataFrame
    cohorts: pd.DataFrame
    curves: pd.DataFrame
    cost: float | None


@dataclass(frozen=True)
class Interval:
    """A number with the ends of its 80 % interval."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True)
class CustomerForecast:
    """What the forecast says of one customer.

    gap_days: median of the days between her purchase days; nothing after a single one. after_order,
    after_silence: the probability that she is still a customer if she bought on the as-of day, and if she
    stayed silent for `SILENCE_DAYS` more. path: one row per day looked at: day, probability (in that day's
    evening); the last `AHEAD_DAYS` are those after the as-of day, if she stays silent. purchases: her
    purchase days. told_apart: whether the model can take somebody like her for gone at all.
    """

    as_of: date
    silent_days: int
    gap_days: float | None
    alive: Interval
    orders_12m: Interval
    revenue_12m: Interval
    lifetime_value: Interval
    after_order: float
    after_silence: float
    path: pd.DataFrame
    purchases: tuple[date, ...]
    told_apart: bool = True


class Valuation:
    """Lifetime values of one store."""

    def __init__(self, engine: Engine, forecasting: Forecasting, bands: Callable[[], Bands]) -> None:
        self._engine = engine
        self._forecasting = forecasting
        self._bands = bands

    def forecast(self, assumptions: Assumptions, *, as_of: date) -> Forecast:
        """Return the forecast that `assumptions` ask for."""
        return self._forecasting.forecast(
            as_of=as_of, model=assumptions.model, holdout_weeks=assumptions.holdout_weeks
        )

    def customers(self, assumptions: Assumptions, *, as_of: date, forecast: Forecast | None = None) -> Lazy:
        """Return the per-customer table with its forecasts, empty where the verdict is refused.

        forecast: the one that `assumptions` ask for, from a caller who says more of it.
        """
        forecast = forecast or self.forecast(assumptions, as_of=as_of)
        return self._scored(self._engine.customers, assumptions, as_of, forecast)

    def _valued(self, assumptions: Assumptions, as_of: date) -> Lazy:
        forecast = self.forecast(assumptions, as_of=as_of)
        return with_purchase(self._scored(self._engine.valued, assumptions, as_of, forecast))

    def _scored(
        self, ask: Callable[..., Lazy], assumptions: Assumptions, as_of: date, forecast: Forecast
    ) -> Lazy:
        """Return what `ask` of the engine gives with the scores of `forecast`, both of the same orders."""
        scores = self._forecasting.scores(forecast, assumptions)
        found = ask(as_of=as_of, bands=self._bands(), assumptions=assumptions, scores=scores)
        self._forecasting.require_newest(forecast)
        return found

    # The DCF formula

    def dcf(self, assumptions: Assumptions, *, as_of: date, scheme: str = "value_class") -> LifetimeValue:
        """Return DCF lifetime values under `assumptions`, and the test of the rule they rest on."""
        found = find_scheme(scheme)
        value = nw.col("dcf_lifetime_value")
        # Without forecasts: the formula needs none, and waits for none.
        buyers = with_purchase(self._engine.valued(as_of=as_of, bands=self._bands(), assumptions=assumptions))
        totals = self._engine.row(
            buyers.select(
                customers=nw.len(),
                total=value.sum(),
                annual_revenue=nw.col("annual_revenue").sum(),
                cost=nw.col("cost").sum(),
                below_cost=(value < 0).cast(nw.Int64).sum(),
                low=value.min(),
                median=value.median(),
                quantile=value.quantile(0.98, interpolation="linear"),
            )
        )
        customers = int(totals["customers"])
        segments = self._engine.collect(
            buyers.with_columns(segment=nw.col(found.column))
            .group_by("segment")
            .agg(
                customers=nw.len(),
                lifetime_value=value.sum(),
                mean=value.mean(),
                acquisition_cost=nw.col("cost").sum(),
            )
        )
        return LifetimeValue(
            as_of=as_of,
            assumptions=assumptions,
            customers=customers,
            total=float(totals["total"] or 0),
            mean=rate(float(totals["total"] or 0), customers),
            median=totals["median"],
            annual_revenue=float(totals["annual_revenue"] or 0),
            acquisition_cost=float(totals["cost"] or 0),
            below_cost=int(totals["below_cost"] or 0),
            bins=self._bins(buyers, "dcf_lifetime_value", totals),
            segments=in_order(segments, found),
            test=self.flat_revenue_test(as_of=as_of),
            retention=self.retention(as_of=as_of),
        )

    def flat_revenue_test(self, *, as_of: date) -> FlatRevenueTest:
        """Return how "the next period brings what the last one did" held on this history."""
        cut, days, reason = self._window(
            as_of,
            short="The orders cover {covered}; the test needs at least "
            f"{2 * MIN_TEST_DAYS}: one half to predict from and one to compare with.",
        )
        if cut is None or reason:
            return FlatRevenueTest(cut, days, None, None, 0, (reason,))
        row = self._engine.row(flat_revenue_halves(self._engine.orders(), cut=cut, days=days))
        return FlatRevenueTest(
            cut, days, float(row["predicted"] or 0), float(row["actual"] or 0), int(row["customers"])
        )

    def retention(self, *, as_of: date) -> Retention:
        """Return what share of the customers came back, in the same windows as the DCF formula's test."""
        cut, days, reason = self._window(as_of, short="The orders cover too few days to count who came back.")
        if cut is None or reason:
            return Retention(cut, days, 0, 0, (reason,))
        row = self._engine.row(yearly_retention(self._engine.orders(), cut=cut, days=days))
        return Retention(cut, days, int(row["customers"]), int(row["kept"]))

    def _window(self, as_of: date, *, short: str) -> tuple[date | None, int, str]:
        """Return where to cut the history in two, the days on either side, and why it cannot be, if so."""
        spread = self._engine.days()
        if spread is None or spread[0] > as_of:
            return None, 0, "There are no orders up to this day."
        cut, days = test_window(spread[0], as_of)
        covered = wording.days((as_of - spread[0]).days + 1)
        return cut, days, "" if days >= MIN_TEST_DAYS else short.format(covered=covered)

    # The forecast

    def by_forecast(
        self, assumptions: Assumptions, *, as_of: date, scheme: str = "value_class"
    ) -> ForecastValue:
        """Return lifetime values by the forecast. Raises NotEnoughData where its verdict is refused."""
        forecast = self.forecast(assumptions, as_of=as_of)
        years = self._forecasting.years_ahead(forecast, assumptions.years + 1)
        found = find_scheme(scheme)
        buyers = self._valued(assumptions, as_of)
        value = nw.col("lifetime_value")
        totals = self._engine.row(
            buyers.select(
                low=value.min(),
                median=value.median(),
                quantile=value.quantile(0.98, interpolation="linear"),
                below_cost=(value < 0).cast(nw.Int64).sum(),
                annual_revenue=nw.col("annual_revenue").sum(),
                orders_12m=nw.col("expected_orders_12m").sum(),
            )
        )
        sums = self._engine.collect(_group_sums(buyers.with_columns(segment=nw.col(found.column))))
        segments = _valued_groups(sums)
        # Every customer is in one segment, and all that an interval is made of adds up.
        every = _valued_groups(sums.drop(columns="segment").sum().to_frame().T).iloc[0]
        customers, cost = int(every["customers"]), float(every["acquisition_cost"])
        annual = float(totals["annual_revenue"] or 0)
        concentration, whales = self._concentration(buyers)
        kept = self.retention(as_of=as_of).rate
        return ForecastValue(
            as_of=as_of,
            assumptions=assumptions,
            customers=customers,
            total=float(every["lifetime_value"]),
            low=float(every["low"]),
            high=float(every["high"]),
            mean=rate(float(every["lifetime_value"]), customers),
            median=totals["median"],
            acquisition_cost=cost,
            below_cost=int(totals["below_cost"] or 0),
            alive=float(every["alive"]),
            orders_12m=float(totals["orders_12m"] or 0),
            revenue_12m=years[0],
            bins=self._bins(buyers, "lifetime_value", {**totals, "customers": customers}),
            segments=in_order(segments, found),
            concentration=concentration,
            whales=whales,
            steps=bridge(
                assumptions,
                annual_revenue=annual,
                retention=kept,
                model_years=years[: assumptions.years],
                acquisition_cost=cost,
            ),
            swings=tuple(
                tornado(
                    assumptions,
                    model_years=years,
                    acquisition_cost=cost,
                    interval=(float(every["low"]), float(every["high"])),
                )
            ),
        )

    def acquisition(self, assumptions: Assumptions, *, as_of: date) -> Acquisition:
        """Return what winning customers cost and when it was back; with the forecast where there is one."""
        forecast = self.forecast(assumptions, as_of=as_of)
        customers = self.customers(assumptions, as_of=as_of)
        orders = self._engine.orders()
        curves = value_curves(
            self._engine.collect(cohort_values(orders, as_of=as_of)), margin=assumptions.margin
        )
        by = customers.select("customer_id", cohort=channel_of())
        of_channels = value_curves(
            self._engine.collect(cohort_values(orders, as_of=as_of, by=by)),
            margin=assumptions.margin,
            share=ENOUGH_SHARE,
        )
        channels = self._engine.collect(acquisition_by_channel(customers, assumptions=assumptions))
        cohorts = self._engine.collect(acquisition_by_cohort(customers, assumptions=assumptions))
        grown = pd.DataFrame(columns=["cohort", "months", "value"])
        if forecast.usable:
            ahead = self._forecasting.cohorts_ahead(forecast)
            grown = _grown(curves, ahead, cohorts, assumptions.margin)
        drawn = curves.merge(
            grown.rename(columns={"value": "forecast"}), on=["cohort", "months"], how="outer"
        )
        drawn["customers"] = drawn.groupby("cohort")["customers"].transform("max")
        spent, won = float(channels["acquisition_cost"].sum()), int(channels["customers"].sum())
        return Acquisition(
            channels=acquisition_table(channels, of_channels),
            cohorts=acquisition_table(cohorts, curves, forecast=grown),
            curves=drawn.sort_values(["cohort", "months"]).reset_index(drop=True),
            cost=spent / won if won and spent else None,
        )

    def customer(self, customer_id: str, assumptions: Assumptions, *, as_of: date) -> CustomerForecast | None:
        """Return what the forecast says of one customer; nothing where it is refused or she never bought."""
        forecast = self.forecast(assumptions, as_of=as_of)
        if not forecast.usable:
            return None
        orders = self._engine.orders().filter(nw.col("customer_id") == customer_id)
        bought = self._engine.collect(purchase_days_of(orders, as_of=as_of)).sort_values("day")
        if bought.empty:
            return None
        days = bought["day"].to_numpy(np.int64)
        spent = float(bought["purchase_total"].iloc[1:].sum())
        predictor, today = forecast.predictor, day_number(as_of)
        fit = predictor.orders
        now = _histories_by(days, np.array([today]))
        low, high = scoring.alive_interval(fit, now)
        orders_12m = scoring.order_interval(predictor, now, YEAR_WEEKS)
        year = scoring.money(predictor, now, years=1, weights=np.ones(1), weeks=YEAR_WEEKS)
        rows = self._engine.collect(
            self.customers(assumptions, as_of=as_of).filter(nw.col("customer_id") == customer_id)
        )
        if rows.empty:
            raise NotFound(f"There is no customer {customer_id!r}.", "Check the ID.")
        value = rows.iloc[0]
        # The eves of purchases too, so that a purchase is a step and not a slope.
        looked_at = np.unique(
            np.concatenate(
                [
                    np.linspace(days[0], today, PATH_POINTS).round().astype(np.int64),
                    np.linspace(today, today + AHEAD_DAYS, AHEAD_DAYS // 5 + 1).round().astype(np.int64),
                    days,
                    days[1:] - 1,
                ]
            )
        )
        gaps = np.diff(days)
        return CustomerForecast(
            as_of=as_of,
            silent_days=int(today - days[-1]),
            gap_days=float(np.median(gaps)) if len(gaps) else None,
            alive=Interval(float(fit.probability_alive(now)[0]), float(low[0]), float(high[0])),
            orders_12m=Interval(
                float(fit.expected_orders(now, YEAR_WEEKS)[0]),
                float(orders_12m.low[0]),
                float(orders_12m.high[0]),
            ),
            revenue_12m=Interval(
                *(float(pair[0][0] + pair[1][0] * spent) for pair in (year.expected, year.low, year.high))
            ),
            lifetime_value=Interval(*(float(value[f"lifetime_value{end}"]) for end in ("", "_low", "_high"))),
            after_order=float(
                fit.probability_alive(_histories_by(np.union1d(days, [today]), np.array([today])))[0]
            ),
            after_silence=float(
                fit.probability_alive(_histories_by(days, np.array([today + SILENCE_DAYS])))[0]
            ),
            path=pd.DataFrame(
                {
                    "day": [day_of(int(day)) for day in looked_at],
                    "probability": fit.probability_alive(_histories_by(days, looked_at)),
                }
            ),
            purchases=tuple(day_of(int(day)) for day in days),
            # In BG/NBD customers leave after a repeat purchase only.
            told_apart=fit.model != "bg_nbd" or len(days) > 1,
        )

    def _concentration(self, buyers: Lazy) -> tuple[pd.DataFrame, tuple[tuple[float, float], ...]]:
        rows = self._engine.collect(buyers.select("lifetime_value", "future_value"))
        # The most valuable are those that a list by lifetime value begins with, after their own cost.
        rows = rows.sort_values(["lifetime_value", "future_value"], ascending=False)
        sums = np.cumsum(rows["future_value"].to_numpy(float))
        if not len(sums) or not sums[-1] > 0:
            return pd.DataFrame({"customers_share": [], "value_share": []}), ()
        points = np.unique(np.round(np.linspace(0, len(sums), 201)).astype(int))
        shares = np.concatenate([[0.0], sums / sums[-1]])
        curve = pd.DataFrame({"customers_share": points / len(sums), "value_share": shares[points]})
        whales = tuple(
            (share, float(shares[round(share * len(sums))])) for share in SHARES if share * len(sums) >= 1
        )
        return curve, whales

    def _bins(self, buyers: Lazy, column: str, totals: dict[str, Any]) -> pd.DataFrame:
        if not totals["customers"]:
            return pd.DataFrame(columns=["low", "high", "customers"])
        low, high = float(totals["low"]), float(totals["quantile"])
        width = _round_width((high - low) / HISTOGRAM_BINS)
        start = width * (low // width)
        # One bin more than is shown: who is in it lies beyond the last.
        number = value_bins(nw.col(column), low=start, width=width, bins=HISTOGRAM_BINS + 1)
        counts = self._engine.collect(
            buyers.with_columns(bin=number).group_by("bin").agg(customers=nw.len())
        ).set_index("bin")["customers"]
        beyond = int(counts.get(HISTOGRAM_BINS, 0))
        shown = HISTOGRAM_BINS if beyond else int(counts.index.max()) + 1
        customers = counts.reindex(range(shown), fill_value=0).astype(int).to_list()
        customers[-1] += beyond
        edges = [start + width * place for place in range(shown + 1)]
        return pd.DataFrame(
            {"low": edges[:-1], "high": [*edges[1:-1], None if beyond else edges[-1]], "customers": customers}
        )


def outlook(found: CustomerForecast, *, money: Callable[[float], str] = "{:,.0f}".format) -> tuple[str, ...]:
    """Return what the forecast says of one customer in sentences: so far, what to expect, what would change it.

    `money` writes an amount.
    """
    silence = (
        f"silent for {wording.days(found.silent_days)}" if found.silent_days else "bought on the as-of day"
    )
    if found.gap_days is not None:
        pace = "day" if found.gap_days == 1 else wording.days(found.gap_days)
        so_far = f"Usually orders every {pace}; {silence}."
    elif found.silent_days:
        so_far = f"Bought on one day so far; {silence}."
    else:
        so_far = "Bought for the first time on the as-of day."
    more = f"{SILENCE_DAYS} more days of silence"
    if not found.told_apart:
        alive = (
            "Nobody leaves before a second purchase in this model, so it cannot tell whether one purchase was "
            "the last."
        )
        change = "A second purchase would show how often they buy."
    else:
        likely = f"{_with_ends(found.alive)} likely still a customer."
        alive = likely[0].upper() + likely[1:]
        change = (
            f"An order today would make it {_percent(found.after_order)}; {more} {_percent(found.after_silence)}."
            if found.silent_days
            else f"{more} would make it {_percent(found.after_silence)}."
        )
    orders, revenue = found.orders_12m, found.revenue_12m
    many = f"{orders.expected:.1f}" if orders.expected >= 0.05 else "under 0.1"
    if revenue.high <= 0:
        coming = (
            f"Expected in 12 months: {many} orders, {money(revenue.expected)}. Of five customers like this one, "
            "four or more order nothing."
        )
    else:
        coming = (
            f"Expected in 12 months: {many} orders ({orders.low:.1f} to {orders.high:.1f}), "
            f"{money(revenue.expected)} ({money(revenue.low)} to {money(revenue.high)})."
        )
    return (so_far, alive, coming, change)


def _percent(share: float) -> str:
    """Return a share as a percentage; 0 % and 100 % are only what is exactly that."""
    if 0 < share < 0.005:
        return f"under 1{wording.SPACE}%"
    if 0.995 <= share < 1:
        return f"over 99{wording.SPACE}%"
    return f"{100 * share:.0f}{wording.SPACE}%"


def _with_ends(share: Interval) -> str:
    low, high = (f"{100 * end:.0f}" for end in (share.low, share.high))
    return _percent(share.expected) + (f" ({low} to {high})" if low != high else "")


def _histories_by(
    days: "np.ndarray[Any, np.dtype[np.int64]]", evenings: "np.ndarray[Any, np.dtype[np.int64]]"
) -> Histories:
    """Return the history of one customer who bought on the distinct `days`, as known on each of the evenings."""
    bought = np.searchsorted(days, evenings, side="right")
    return Histories(bought - 1, (days[bought - 1] - days[0]) / WEEK_DAYS, (evenings - days[0]) / WEEK_DAYS)


def _group_sums(buyers: Lazy) -> Lazy:
    loadings = {name: nw.col(name).sum() for name in LOADING_NAMES}
    return (
        buyers.with_columns(variance=nw.col("value_deviation") * nw.col("value_deviation"))
        .group_by("segment")
        .agg(
            customers=nw.len(),
            future_value=nw.col("future_value").sum(),
            acquisition_cost=nw.col("cost").sum(),
            alive=nw.col("probability_alive").sum(),
            variance=nw.col("variance").sum(),
            **loadings,
        )
    )


def _valued_groups(sums: pd.DataFrame) -> pd.DataFrame:
    """Return groups of customers with their lifetime value, its interval and its mean."""
    names = list(LOADING_NAMES)
    ends = [
        scoring.total_interval(float(value), float(variance), np.asarray(loads, dtype=float))
        for value, variance, loads in zip(
            sums["future_value"], sums["variance"], sums[names].to_numpy(float), strict=True
        )
    ]
    cost = sums["acquisition_cost"].astype(float)
    sums["lifetime_value"] = sums["future_value"].astype(float) - cost
    sums["low"] = [low for low, _ in ends] - cost
    sums["high"] = [high for _, high in ends] - cost
    sums["mean"] = sums["lifetime_value"] / sums["customers"]
    return sums.drop(columns=[*names, "variance", "future_value"])


def _grown(curves: pd.DataFrame, ahead: pd.DataFrame, cohorts: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return how the curves of cohorts go on: cohort, months, value, from the last observed month.

    ahead: the rows of `Forecasting.cohorts_ahead`; cohorts: those of `acquisition_by_cohort`, whose margin is
    what each cohort has brought up to the as-of day.
    """
    rows = []
    observed = curves.dropna(subset=["value"]).sort_values("months").groupby("cohort").last()
    last = {
        str(cohort): (int(month), float(value))
        for cohort, month, value in zip(observed.index, observed["months"], observed["value"], strict=True)
    }
    so_far = {
        cohort_text(cohort): float(brought) / members
        for cohort, brought, members in zip(
            cohorts["cohort"], cohorts["margin"], cohorts["customers"], strict=True
        )
    }
    for cohort, coming in ahead.groupby("cohort"):
        age, points = float(coming["age"].iloc[0]), coming.sort_values("months")
        start = last.get(str(cohort))
        if start is not None:
            rows.append((cohort, *start))
        first = 0 if start is None else start[0] + 1
        for month in range(first, int(age) + len(points) - 1):
            # Values stand at the end of their month, which lies so far ahead of the as-of day.
            distance = month + 1 - age
            if distance <= 0:
                continue
            more = float(np.interp(distance, points["months"], points["ahead"]))
            rows.append((cohort, month, so_far[str(cohort)] + more * margin))
    return pd.DataFrame(rows, columns=["cohort", "months", "value"])


def _round_width(width: float) -> float:
    """Return the next width that reads well: 1, 2 or 5 times a power of ten."""
    if width <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(width))) - 1 if width >= 1 else -3)
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if step * power >= width:
            return step * power
    return width

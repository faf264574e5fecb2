"""Lifetime value by discounted cash flow, less acquisition cost: of flat revenue, and of what a model expects."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

import narwhals as nw

from crm import wording
from crm.analytics.customers import YEAR_DAYS, order_totals
from crm.analytics.tables import day_number, table_function
from crm.errors import InvalidValue
from crm.schema import BLANKS

MAX_YEARS = 100

TRUSTED_BIAS = 0.20
"""Beyond this share, the rule was too far off in the past to plan money by."""


@dataclass(frozen=True)
class Assumptions:
    """What a lifetime value rests on, by the DCF formula or by a forecast, all set by the user.

    years: horizon n, whole years. discount_rate: d, per year, 0.10 is 10 %. margin: share of revenue
    that is profit. acquisition_cost: money spent to win a customer whose contact states no cost.
    channel_costs: the same by the contact's acquisition channel, each channel once; it comes before the
    general one. Spaces around a channel and its letters' case do not matter. model, holdout_weeks: which
    forecast: one of btyd.MODELS or "auto", and how many weeks it is tested on; by default the last
    quarter of the history.
    """

    years: int = 3
    discount_rate: float = 0.10
    margin: float = 1.0
    acquisition_cost: float = 0.0
    channel_costs: tuple[tuple[str, float], ...] = ()
    model: str = "auto"
    holdout_weeks: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.years <= MAX_YEARS or int(self.years) != self.years:
            raise InvalidValue(
                f"The horizon is {wording.with_minus(f'{self.years:g}')} years.",
                f"Choose a whole number from 1 to {MAX_YEARS} years.",
            )
        if not 0 <= self.discount_rate <= 1:
            raise InvalidValue(
                f"The discount rate is {wording.with_minus(f'{100 * self.discount_rate:g}')} % a year.",
                "Choose a rate from 0 % to 100 % a year; money later is never worth more than money now.",
            )
        if not 0 <= self.margin <= 1:
            raise InvalidValue(
                f"The margin is {wording.with_minus(f'{100 * self.margin:g}')} %.",
                "Choose a share from 0 % to 100 %.",
            )
        if not 0 <= self.acquisition_cost < 1e12:
            raise InvalidValue(
                f"The acquisition cost is {wording.with_minus(f'{self.acquisition_cost:,.2f}')}.",
                "Choose an amount of 0 or more, below 1,000 billion.",
            )
        seen: set[str] = set()
        for channel, cost in self.channel_costs:
            if not (key := channel_key(channel)):
                raise InvalidValue(
                    "An acquisition cost names no channel.",
                    "Name the channel, or take the line out; the general cost is for contacts without one.",
                )
            if key in seen:
                raise InvalidValue(
                    f"The channel “{channel.strip()}” has more than one acquisition cost.",
                    "Keep one of them.",
                )
            seen.add(key)
            if not 0 <= cost < 1e12:
                raise InvalidValue(
                    f"The acquisition cost of the channel “{channel.strip()}” is {wording.with_minus(f'{cost:,.2f}')}.",
                    "Choose an amount of 0 or more, below 1,000 billion.",
                )

    def sentence(self) -> str:
        """Return the assumptions in words, such as “Lifetime value: 3 years at 10 % a year, margin 100 %”."""
        general = f"{self.acquisition_cost:,.2f}"
        costs = [general] if self.acquisition_cost else []
        if self.channel_costs:
            listed = "; ".join(f"{channel.strip()} {cost:,.2f}" for channel, cost in self.channel_costs)
            costs = [f"by channel ({listed}; any other {general})"]
        cost = "".join(f", acquisition cost {words} where a contact states none" for words in costs)
        return (
            f"Lifetime value: {wording.counted(self.years, 'year')} at {self.discount_rate * 100:.10g} % "
            f"a year, margin {self.margin * 100:.10g} %{cost}"
        )

    @property
    def weights(self) -> tuple[float, ...]:
        """What 1 of revenue in each of the coming years is worth today: margin ÷ (1 + d)^t."""
        return tuple(self.margin * (1 + self.discount_rate) ** -t for t in range(1, self.years + 1))

    @property
    def annuity(self) -> float:
        """Σ_{t=1..n} 1 ÷ (1 + d)^t: what 1 of profit a year is worth today."""
        return sum((1 + self.discount_rate) ** -t for t in range(1, self.years + 1))

    def retained_annuity(self, retention: float) -> float:
        """Σ_{t=1..n} r^t ÷ (1 + d)^t: the annuity where only the share r of profit is left each year."""
        return sum((retention / (1 + self.discount_rate)) ** t for t in range(1, self.years + 1))


def bias_of(predicted: float, actual: float) -> float | None:
    """Return (predicted − actual) ÷ actual; nothing where actual is 0 or less."""
    return (predicted - actual) / actual if actual > 0 else None


def channel_key(channel: str) -> str:
    """Return a channel's name as channels are compared: without blanks around it, in lower case."""
    return channel.strip(BLANKS).lower()


def acquisition_cost_of(assumptions: Assumptions) -> nw.Expr:
    """Return what winning the customer cost, in money.

    From acquisition_cost (the contact's own) and, where `assumptions` name channels, channel (where the
    customer came from): the own cost, else that of the channel, else the general one.
    """
    cost = nw.lit(float(assumptions.acquisition_cost))
    channel = nw.col("channel").str.strip_chars(BLANKS).str.to_lowercase()
    for name, known in assumptions.channel_costs:
        cost = nw.when(channel == channel_key(name)).then(nw.lit(float(known))).otherwise(cost)
    return nw.coalesce(nw.col("acquisition_cost").cast(nw.Float64), cost)


def channel_costs_as_json(costs: tuple[tuple[str, float], ...]) -> dict[str, float]:
    """Return acquisition costs by channel as a JSON object, channel → money per customer."""
    return {channel.strip(BLANKS): float(cost) for channel, cost in costs}


def channel_costs_from(stored: Any) -> tuple[tuple[str, float], ...]:
    """Return the acquisition costs that a JSON object of channel → money describes, by channel.

    Nothing stored is no cost. The database may give the channels in any order, so they are sorted here:
    equal tables make equal assumptions. Raises InvalidValue for what is no such object.
    """
    if stored is None:
        return ()
    if not isinstance(stored, Mapping) or any(
        isinstance(cost, bool) or not isinstance(cost, int | float) for cost in stored.values()
    ):
        raise InvalidValue(
            "The stored acquisition costs are not amounts by channel.", "Enter them again on the settings."
        )
    return tuple(sorted((str(channel), float(cost)) for channel, cost in stored.items()))


def dcf_lifetime_value(assumptions: Assumptions) -> nw.Expr:
    """Return Σ_{t=1..n} annual revenue × margin ÷ (1 + d)^t − acquisition cost, in money.

    From annual_revenue (revenue of the 365 days up to the as-of day, taken as flat) and
    what `acquisition_cost_of` needs. The first year is already discounted once.
    """
    factor = assumptions.margin * assumptions.annuity
    return nw.col("annual_revenue").cast(nw.Float64) * factor - acquisition_cost_of(assumptions)


def value_bins(value: nw.Expr, *, low: float, width: float, bins: int) -> nw.Expr:
    """Return the number, from 0, of the bin that `value` falls in; the ends take what lies beyond."""
    number = ((value - low) * (1 / width)).floor().cast(nw.Int64)
    return nw.when(number < 0).then(nw.lit(0)).when(number >= bins).then(nw.lit(bins - 1)).otherwise(number)


@dataclass(frozen=True)
class FlatRevenueTest:
    """How well "the next period brings what the last one did" held on the stored orders.

    The forecast's own rule, put to the past: of the customers with an order by `cut`, revenue of the
    `days` up to `cut` is the prediction for the `days` after it. `reasons` is not empty when the history
    cannot carry the test, and then there are no figures.
    """

    cut: date | None
    days: int
    predicted: float | None
    actual: float | None
    customers: int
    reasons: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Return the outcome in words, or why there is none."""
        if self.cut is None or self.predicted is None or self.actual is None:
            return " ".join(self.reasons)
        change = "" if self.bias is None else f" ({wording.signed_percent(self.bias, 1)})"
        return (
            f"Told on {wording.day(self.cut)}, the rule would have predicted {self.predicted:,.0f} for the "
            f"{self.days} days after it, from the {wording.counted(self.customers, 'customer')} known by then; "
            f"it was {self.actual:,.0f}{change}."
        )

    @property
    def usable(self) -> bool:
        """Whether the rule did well enough on this history to plan money by."""
        return not self.verdict_reasons

    @property
    def verdict_reasons(self) -> tuple[str, ...]:
        """Why the rule's figures are not to plan money by, in sentences; empty when nothing speaks against it."""
        if self.reasons:
            return self.reasons
        if self.failed:
            return ("What the rule predicted did not come at all.",)
        if self.bias is None:
            return ("Nothing was predicted and nothing came, so there is nothing to compare.",)
        if abs(self.bias) > TRUSTED_BIAS:
            return (
                f"On this history the rule was off by {wording.signed_percent(self.bias, 1)}, more than {wording.percent(TRUSTED_BIAS)}.",
            )
        return ()

    @property
    def failed(self) -> bool:
        """Whether the rule predicted revenue, and no more came in than went back: no percentage says how far off."""
        return self.bias is None and (self.predicted or 0) > 0

    @property
    def bias(self) -> float | None:
        """(Predicted − actual) ÷ actual; nothing when nothing came, or more went back than came."""
        if self.predicted is None or self.actual is None:
            return None
        return bias_of(self.predicted, self.actual)


MIN_TEST_DAYS = 60
"""Shorter halves say more about the calendar than about customers."""


def test_window(first: date, as_of: date) -> tuple[date, int]:
    """Return the day to cut a history at and the days on either side: a year, or half of what there is."""
    days = min(365, ((as_of - first).days + 1) // 2)
    return as_of - timedelta(days=days), days


def flat_revenue_halves(orders: nw.LazyFrame[Any], *, cut: date, days: int) -> nw.LazyFrame[Any]:
    """Return revenue before and after `cut` of the customers who were there by then.

    From one row per order line: customer_id, day, amount.
    To one row: customers (of those, who ordered in either half), predicted (money: revenue of the `days`
    up to `cut`), actual (money: of the `days` after).
    """
    middle = day_number(cut)
    known = orders.filter(nw.col("day") <= middle).select("customer_id").unique()
    near = orders.filter((nw.col("day") > middle - days) & (nw.col("day") <= middle + days))
    return (
        near.join(known, on="customer_id", how="semi")
        .with_columns(
            before=nw.when(nw.col("day") <= middle).then(nw.col("amount")),
            after=nw.when(nw.col("day") > middle).then(nw.col("amount")),
        )
        .select(
            customers=nw.col("customer_id").n_unique(),
            predicted=nw.col("before").sum(),
            actual=nw.col("after").sum(),
        )
        .with_columns(nw.col("customers").fill_null(0))
    )


# How many customers leave


@dataclass(frozen=True)
class Retention:
    """How many of the customers who bought in the `days` up to `cut` bought again in the `days` after.

    `reasons` is not empty when the history cannot tell, and then there is no rate.
    """

    cut: date | None
    days: int
    customers: int
    kept: int
    reasons: tuple[str, ...] = ()

    @property
    def share(self) -> float | None:
        """Kept ÷ customers, over `days`; nothing where nobody bought."""
        return None if self.reasons or not self.customers else self.kept / self.customers

    @property
    def rate(self) -> float | None:
        """The share that a year keeps: over a shorter window, as if every such window kept the same share.

        That makes too little of customers who buy more rarely than the window is long.
        """
        return None if self.share is None or not self.days else self.share ** (YEAR_DAYS / self.days)

    def sentence(self) -> str:
        """Return the outcome in words, or why there is none."""
        if self.reasons:
            return " ".join(self.reasons)
        if self.cut is None or self.share is None or self.rate is None:
            return "Nobody bought in the period that retention is counted from."
        yearly = (
            ""
            if self.days == YEAR_DAYS
            else f"; a year at that pace keeps {wording.percent(self.rate)}, and more where customers buy more rarely than "
            f"every {self.days} days"
        )
        return (
            f"Of the {wording.counted(self.customers, 'customer')} who bought in the {self.days} days up to "
            f"{wording.day(self.cut)}, {self.kept:,} ({wording.percent(self.share)}) bought again in the {self.days} days "
            f"after{yearly}."
        )


@table_function
def yearly_retention(orders: nw.LazyFrame[Any], *, cut: date, days: int) -> nw.LazyFrame[Any]:
    """Return how many customers came back after `cut`; `Retention` makes a yearly rate of it.

    From one row per order line: order_id, customer_id, day, amount.
    To one row: customers (with a purchase in the `days` up to `cut`), kept (of those, with a purchase in
    the `days` after it).
    """
    middle = day_number(cut)
    totals: nw.LazyFrame[Any] = order_totals(orders, as_of=cut + timedelta(days=days))
    purchases = totals.filter((nw.col("total") > 0) & (nw.col("day") > middle - days))
    return (
        purchases.with_columns(
            before=(nw.col("day") <= middle).cast(nw.Int64), after=(nw.col("day") > middle).cast(nw.Int64)
        )
        .group_by("customer_id")
        .agg(before=nw.col("before").max(), after=nw.col("after").max())
        .with_columns(kept=nw.col("before") * nw.col("after"))
        .select(customers=nw.col("before").sum(), kept=nw.col("kept").sum())
        .with_columns(nw.col("customers", "kept").fill_null(0).cast(nw.Int64))
    )


# From the flat formula to the model, and what moves the model's total


def value_of_years(assumptions: Assumptions, model_years: Sequence[float], acquisition_cost: float) -> float:
    """Return Σ_{t=1..n} revenue of year t × margin ÷ (1 + d)^t − acquisition cost, in money.

    `model_years` are the revenues expected of year 1, 2, …, before margin and discount, n of them or
    more; `acquisition_cost` is that of all customers together.
    """
    return math.fsum(_present(assumptions, model_years)) - acquisition_cost


def _present(assumptions: Assumptions, revenues: Sequence[float]) -> list[float]:
    """Return what the revenue of each year of the horizon is worth today, after margin."""
    if len(revenues) < assumptions.years:
        raise ValueError(f"{len(revenues)} years are expected, {assumptions.years} are asked for.")
    return [revenue * weight for revenue, weight in zip(revenues, assumptions.weights, strict=False)]


@dataclass(frozen=True)
class Step:
    """One bar of the bridge: a total, or a `change` (money) to the total before, and why."""

    name: str
    change: float
    kind: Literal["total", "change"]
    why: str


def bridge(
    assumptions: Assumptions,
    *,
    annual_revenue: float,
    retention: float | None,
    model_years: Sequence[float],
    acquisition_cost: float,
) -> tuple[Step, ...]:
    """Return the steps from the DCF formula to the model's lifetime value, for all customers together.

    `annual_revenue` is that of the last 365 days, of the customers with a purchase; `retention` the
    share of them that a year keeps, or nothing where it is not known: then no step says so and the next
    one starts from flat revenue. `model_years` and `acquisition_cost` as `value_of_years` takes them.
    The first total and the changes add up to the last total, to the last digit.
    """
    years = range(1, assumptions.years + 1)
    kept = 1.0 if retention is None else retention
    flat = [annual_revenue for _ in years]
    leaving = [annual_revenue * kept**t for t in years]
    first = [model_years[0] * kept ** (t - 1) for t in years]
    model = list(model_years[: assumptions.years])
    paths = (flat, leaving, first, model)
    start, left, begun, end = _on_one_grid(
        [value_of_years(assumptions, path, acquisition_cost) for path in paths]
    )
    n = assumptions.years
    span = "1 year" if n == 1 else f"{n} years"
    terms = (
        f"at a margin of {assumptions.margin * 100:.10g} % and {assumptions.discount_rate * 100:.10g} % a year, "
        f"less {_money(acquisition_cost)} for winning the customers."
    )
    steps = [
        Step(
            "DCF, flat revenue",
            start,
            "total",
            f"Revenue of the last 365 days, {_money(annual_revenue)}, comes again every year for {span}, {terms}",
        )
    ]
    if retention is not None:
        steps.append(
            Step(
                "Customers leave",
                left - start,
                "change",
                f"A year keeps {wording.percent(retention)} of the customers who buy, so {_money(annual_revenue)} a year "
                f"become {_money(leaving[0])} in the first"
                + (f" and {_money(leaving[-1])} in year {n}." if n > 1 else "."),
            )
        )
    before = f"last year's revenue{'' if retention is None else ' and retention'}"
    steps.append(
        Step(
            "First year by the model",
            begun - left,
            "change",
            f"The model expects {_money(model[0])} in the first year; {before} "
            f"{'gives' if retention is None else 'give'} {_money(leaving[0])}.",
        )
    )
    if n > 1:
        same = "the same every year" if retention is None else f"{wording.percent(retention)} kept every year"
        steps.append(
            Step(
                "Later years by the model",
                end - begun,
                "change",
                f"After the first year the model expects {_money(math.fsum(model[1:]))}; "
                f"{same} would give {_money(math.fsum(first[1:]))}.",
            )
        )
    steps.append(
        Step(
            "Lifetime value by the model",
            end,
            "total",
            f"The model expects {_money(math.fsum(model))} in {span}, {terms}",
        )
    )
    return tuple(steps)


def _on_one_grid(amounts: Sequence[float]) -> list[float]:
    """Return the amounts rounded to a common power of two, so that their differences are exact.

    It is twice the distance of floats at the largest of them: no difference needs more digits than a
    float has, and nothing that could be read on a page is lost.
    """
    step = 2 * math.ulp(max(map(abs, amounts)))
    return [round(amount / step) * step for amount in amounts]


def _money(amount: float) -> str:
    return wording.money(amount) if abs(amount) < 100 else wording.count(amount)


@dataclass(frozen=True)
class Swing:
    """What one factor does to the total: the lower and the higher total, and what makes each of them."""

    factor: str
    low: float
    high: float
    low_label: str
    high_label: str

    @property
    def width(self) -> float:
        """High − low, in money."""
        return self.high - self.low


def tornado(
    assumptions: Assumptions,
    *,
    model_years: Sequence[float],
    acquisition_cost: float,
    interval: tuple[float, float] | None = None,
) -> list[Swing]:
    """Return how far each factor alone moves the model's lifetime value, widest first.

    Discount rate ± 5 points, horizon ± 1 year, margin ± 10 points (each as far as its range goes),
    acquisition cost ± 20 %, spend per order ± 10 %, and customers' purchasing: the `interval` of the
    total that the model itself gives. `model_years` and `acquisition_cost` as `value_of_years` takes
    them; the horizon grows only where a year n + 1 is expected. A factor that moves nothing is left out.
    """

    def total(spend: float = 1.0, cost: float = 1.0, **changed: Any) -> float:
        years = [revenue * spend for revenue in model_years]
        return value_of_years(replace(assumptions, **changed), years, acquisition_cost * cost)

    rates = [min(max(assumptions.discount_rate + points, 0.0), 1.0) for points in (-0.05, 0.05)]
    margins = [min(max(assumptions.margin + points, 0.0), 1.0) for points in (-0.10, 0.10)]
    longest = min(MAX_YEARS, len(model_years), assumptions.years + 1)
    spans = [max(1, assumptions.years - 1), max(longest, assumptions.years)]
    ends: list[tuple[str, list[tuple[float, str]]]] = [
        ("Discount rate", [(total(discount_rate=rate), f"{rate * 100:.10g} % a year") for rate in rates]),
        ("Horizon", [(total(years=n), "1 year" if n == 1 else f"{n} years") for n in spans]),
        ("Margin", [(total(margin=margin), f"{margin * 100:.10g} %") for margin in margins]),
        (
            "Acquisition cost",
            [(total(cost=0.8), "20 % less"), (total(cost=1.2), "20 % more")],
        ),
        ("Spend per order", [(total(spend=0.9), "10 % less"), (total(spend=1.1), "10 % more")]),
    ]
    if interval is not None:
        low, high = interval
        ends.append(("Customers' purchasing", [(low, "fewer orders"), (high, "more orders")]))
    swings = []
    for factor, pair in ends:
        (low, low_label), (high, high_label) = sorted(pair, key=lambda end: end[0])
        if high > low:
            swings.append(Swing(factor, low, high, low_label, high_label))
    return sorted(swings, key=lambda swing: -swing.width)

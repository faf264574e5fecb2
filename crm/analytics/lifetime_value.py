"""Lifetime value by discounted cash flow: flat annual revenue, discounted yearly, less acquisition cost."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import narwhals as nw

from crm.analytics.tables import day_number
from crm.errors import InvalidValue

MAX_YEARS = 100

TRUSTED_BIAS = 0.20
"""Beyond this share, the rule was too far off in the past to plan money by."""


@dataclass(frozen=True)
class Assumptions:
    """What a DCF lifetime value rests on, all set by the user.

    years: horizon n, whole years. discount_rate: d, per year, 0.10 is 10 %. margin: share of revenue
    that is profit. acquisition_cost: money spent to win a customer whose contact states no cost.
    """

    years: int = 3
    discount_rate: float = 0.10
    margin: float = 1.0
    acquisition_cost: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.years <= MAX_YEARS or int(self.years) != self.years:
            raise InvalidValue(
                f"The horizon is {_signed(f'{self.years:g}')} years.",
                f"Choose a whole number from 1 to {MAX_YEARS} years.",
            )
        if not 0 <= self.discount_rate <= 1:
            raise InvalidValue(
                f"The discount rate is {_signed(f'{100 * self.discount_rate:g}')} % a year.",
                "Choose a rate from 0 % to 100 % a year; money later is never worth more than money now.",
            )
        if not 0 <= self.margin <= 1:
            raise InvalidValue(
                f"The margin is {_signed(f'{100 * self.margin:g}')} %.", "Choose a share from 0 % to 100 %."
            )
        if not 0 <= self.acquisition_cost < 1e12:
            raise InvalidValue(
                f"The acquisition cost is {_signed(f'{self.acquisition_cost:,.2f}')}.",
                "Choose an amount of 0 or more, below 1,000 billion.",
            )

    def sentence(self) -> str:
        """Return the assumptions in words, such as “Lifetime value: 3 years at 10 % a year, margin 100 %”."""
        cost = f", acquisition cost {self.acquisition_cost:,.2f} where a contact states none"
        return (
            f"Lifetime value: {self.years} year{'s' if self.years > 1 else ''} at {self.discount_rate * 100:.10g} % "
            f"a year, margin {self.margin * 100:.10g} %{cost if self.acquisition_cost else ''}"
        )

    @property
    def annuity(self) -> float:
        """Σ_{t=1..n} 1 ÷ (1 + d)^t: what 1 of profit a year is worth today."""
        return sum((1 + self.discount_rate) ** -t for t in range(1, self.years + 1))


def _signed(number: str) -> str:
    return number.replace("-", "−")


def dcf_lifetime_value(assumptions: Assumptions) -> nw.Expr:
    """Return Σ_{t=1..n} annual revenue × margin ÷ (1 + d)^t − acquisition cost, in money.

    From annual_revenue (revenue of the 365 days up to the as-of day, taken as flat) and
    acquisition_cost (the contact's own; where empty, that of `assumptions`). The first year is already
    discounted once.
    """
    factor = assumptions.margin * assumptions.annuity
    cost = nw.col("acquisition_cost").cast(nw.Float64).fill_null(assumptions.acquisition_cost)
    return nw.col("annual_revenue").cast(nw.Float64) * factor - cost


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
        change = "" if self.bias is None else f" ({self.bias:+.1%})"
        return (
            f"Told on {self.cut.isoformat()}, the rule would have predicted {self.predicted:,.0f} for the "
            f"{self.days} days after it, from the {self.customers:,} customers known by then; "
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
        if self.bias is None:
            return ("No more came in than went back after the cut, so there is nothing to compare with.",)
        if abs(self.bias) > TRUSTED_BIAS:
            return (
                f"On this history the rule was off by {_signed(f'{self.bias:+.1%}')}, more than {TRUSTED_BIAS:.0%}.",
            )
        return ()

    @property
    def bias(self) -> float | None:
        """(Predicted − actual) ÷ actual; nothing when nothing came, or more went back than came."""
        if self.predicted is None or self.actual is None or self.actual <= 0:
            return None
        return (self.predicted - self.actual) / self.actual


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

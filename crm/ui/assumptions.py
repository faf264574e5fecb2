"""The assumptions behind a lifetime value, as the link carries them from page to page."""

from collections.abc import Collection
from datetime import date

import streamlit as st

from crm import wording
from crm.analytics.backtest import MAX_HOLDOUT_WEEKS, MIN_HOLDOUT_WEEKS
from crm.analytics.btyd import MODELS, TITLES
from crm.analytics.lifetime_value import Assumptions
from crm.analytics.profiles import FORECAST_FIELDS
from crm.errors import ClienteleError, InvalidValue, NotEnoughData
from crm.forecasting import AUTO
from crm.ui import cache, choices, state
from crm.ui.widgets import plain, show_error

NAMES = (
    "years", "discount_rate", "margin", "cost_by", "acquisition_cost", "marketing_expense", "model", "holdout",
)  # fmt: skip
"""What the link says of them, each only where it differs from the default."""

MODEL_CHOICES: dict[str, str] = {AUTO: "Best of three", **{str(name): TITLES[name] for name in MODELS}}

LAST_QUARTER = 0
"""Asked for as a holdout where it is to be the last quarter of the history."""

FIELD_NAME = "dcf_lifetime_value"


def in_link(as_of: date) -> Assumptions:
    """Return the assumptions that the link carries; what it cannot mean is said, and the default used instead.

    Acquisition costs by channel are stored, not linked: they are among them on every page.
    """
    default = cache.workbench().assumptions()
    try:
        years = choices.number_asked("Horizon, years", name="years", default=default.years, whole=True)
        rate = choices.number_asked(
            "Discount rate", name="discount_rate", default=default.discount_rate * 100
        )
        margin = choices.number_asked("Margin", name="margin", default=default.margin * 100)
        if state.from_link("cost_by") == "marketing":
            expense = choices.number_asked("Marketing expense", name="marketing_expense", default=0)
            cost = cost_per_customer(expense, as_of=as_of)
        else:
            cost = choices.number_asked("Acquisition cost", name="acquisition_cost", default=0)
        weeks = choices.number_asked("Holdout, weeks", name="holdout", default=LAST_QUARTER, whole=True)
        return cache.workbench().assumptions(
            years=int(years),
            discount_rate=rate / 100,
            margin=margin / 100,
            acquisition_cost=cost,
            model=_model_asked(),
            holdout_weeks=holdout_weeks(weeks),
        )
    except ClienteleError as error:
        show_error(error)
        return default


def _model_asked() -> str:
    asked = state.from_link("model") or AUTO
    if asked not in MODEL_CHOICES:
        raise InvalidValue(
            f"The link asks for the model “{asked[:40]}”, which there is not.",
            f"Choose one of {', '.join(MODEL_CHOICES)}.",
        )
    return asked


def holdout_weeks(asked: float) -> int | None:
    """Return the weeks of holdout asked for; nothing, for the last fourth, where 0 is. Raises InvalidValue."""
    if asked == LAST_QUARTER:
        return None
    if not MIN_HOLDOUT_WEEKS <= asked <= MAX_HOLDOUT_WEEKS:
        raise InvalidValue(
            f"The holdout is {wording.count(asked)} weeks.",
            f"Choose whole weeks from {MIN_HOLDOUT_WEEKS} to {MAX_HOLDOUT_WEEKS}, or {LAST_QUARTER} for the last "
            "fourth of the history.",
        )
    return int(asked)


def cost_per_customer(expense: float, *, as_of: date) -> float:
    """Return marketing expense ÷ new customers of the 365 days up to `as_of`. Raises NotEnoughData."""
    arrived = cache.new_customers(as_of=as_of)
    if not arrived:
        raise NotEnoughData(
            "Nobody bought for the first time in the 365 days up to the as-of day.",
            "State the acquisition cost per customer instead.",
        )
    return expense / arrived


def note(assumptions: Assumptions, fields: Collection[str], *, as_of: date | None = None) -> None:
    """Write what the lifetime values on the screen rest on, where one of `fields` is such a value.

    With `as_of`, also how the forecast was tested or why there is none, where one of `fields` is forecast.
    """
    forecast = not set(fields).isdisjoint(FORECAST_FIELDS)
    if FIELD_NAME in fields or forecast:
        st.caption(plain(f"{assumptions.sentence()}. Set on the Lifetime value page."))
    if forecast and as_of is not None:
        st.caption(plain(cache.forecast(assumptions, as_of=as_of).sentence()))

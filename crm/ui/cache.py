"""Answers kept between runs, keyed by the version of what is stored and the frozen question.

No frame is ever a key: large ones are hashed from a sample and give stale answers. Every cache is bounded.
"""

from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from crm import audiences
from crm.analytics.lifetime_value import Assumptions
from crm.analytics.segments import Bands
from crm.forecasting import Forecast
from crm.schema import Field
from crm.settings import load_settings
from crm.valuation import Acquisition, CustomerForecast, ForecastValue, LifetimeValue
from crm.workbench import Loyalty, Overview, Segments, Workbench

HOUR = 3600
Stamp = tuple[int | str, ...]


@st.cache_resource(show_spinner="Opening the store …", on_release=lambda workbench: workbench.close())
def workbench() -> Workbench:
    """Return the one workbench of this server."""
    return Workbench.open(load_settings())


def stamp() -> Stamp:
    """Return the version of the stores, of the bands and of channels' costs: equal stamps, equal answers."""
    opened = workbench()
    opened.importer.recover()  # what a command that was killed meanwhile left half done counts nowhere
    version = opened.version()
    opened.forecast_in_background(version.orders)
    return (version.orders, version.responses, version.contacts, repr((opened.bands(), opened.assumptions())))


def days() -> tuple[date, date] | None:
    """Return the first and last day with an order."""
    return _days(workbench().engine.orders_version())


@st.cache_data(ttl=HOUR, max_entries=8, show_spinner=False)
def _days(orders: int) -> tuple[date, date] | None:
    del orders
    return workbench().days()


def overview(*, as_of: date, days: int) -> Overview:
    """Return `Workbench.overview`."""
    return _overview(stamp(), as_of, days)


@st.cache_data(ttl=HOUR, max_entries=32, show_spinner="Adding up …")
def _overview(at: Stamp, as_of: date, days: int) -> Overview:
    del at
    return workbench().overview(as_of=as_of, days=days)


def segments(scheme: str, *, as_of: date) -> Segments:
    """Return `Workbench.segments`."""
    return _segments(stamp(), scheme, as_of)


@st.cache_data(ttl=HOUR, max_entries=64, show_spinner="Dividing customers …")
def _segments(at: Stamp, scheme: str, as_of: date) -> Segments:
    del at
    return workbench().segments(scheme, as_of=as_of)


def dcf(assumptions: Assumptions, *, as_of: date, scheme: str) -> LifetimeValue:
    """Return `Valuation.dcf`."""
    return _dcf(stamp(), assumptions, as_of, scheme)


@st.cache_data(ttl=HOUR, max_entries=64, show_spinner="Discounting …")
def _dcf(at: Stamp, assumptions: Assumptions, as_of: date, scheme: str) -> LifetimeValue:
    del at
    return workbench().valuation.dcf(assumptions, as_of=as_of, scheme=scheme)


def forecast(assumptions: Assumptions, *, as_of: date) -> Forecast:
    """Return `Valuation.forecast`."""
    return _forecast(workbench().engine.orders_version(), assumptions.model, assumptions.holdout_weeks, as_of)


@st.cache_data(ttl=HOUR, max_entries=32, show_spinner="Fitting, and testing on the past …")
def _forecast(orders: int, model: str, holdout_weeks: int | None, as_of: date) -> Forecast:
    del orders
    forecasting = workbench().forecasting
    made = forecasting.forecast(as_of=as_of, model=model, holdout_weeks=holdout_weeks)
    return forecasting.tracked(made)


def by_forecast(assumptions: Assumptions, *, as_of: date, scheme: str) -> ForecastValue:
    """Return `Valuation.by_forecast`."""
    return _by_forecast(stamp(), assumptions, as_of, scheme)


@st.cache_data(ttl=HOUR, max_entries=64, show_spinner="Looking ahead …")
def _by_forecast(at: Stamp, assumptions: Assumptions, as_of: date, scheme: str) -> ForecastValue:
    del at
    return workbench().valuation.by_forecast(assumptions, as_of=as_of, scheme=scheme)


def acquisition(assumptions: Assumptions, *, as_of: date) -> Acquisition:
    """Return `Valuation.acquisition`."""
    return _acquisition(stamp(), assumptions, as_of)


@st.cache_data(ttl=HOUR, max_entries=32, show_spinner="Adding up …")
def _acquisition(at: Stamp, assumptions: Assumptions, as_of: date) -> Acquisition:
    del at
    return workbench().valuation.acquisition(assumptions, as_of=as_of)


def customer_forecast(customer_id: str, assumptions: Assumptions, *, as_of: date) -> CustomerForecast | None:
    """Return `Valuation.customer`."""
    return _customer_forecast(stamp(), customer_id, assumptions, as_of)


@st.cache_data(ttl=HOUR, max_entries=256, show_spinner=False)
def _customer_forecast(
    at: Stamp, customer_id: str, assumptions: Assumptions, as_of: date
) -> CustomerForecast | None:
    del at
    return workbench().valuation.customer(customer_id, assumptions, as_of=as_of)


def new_customers(*, as_of: date) -> int:
    """Return `Workbench.new_customers` of the last 365 days."""
    return _new_customers(stamp(), as_of)


@st.cache_data(ttl=HOUR, max_entries=32, show_spinner=False)
def _new_customers(at: Stamp, as_of: date) -> int:
    del at
    return workbench().new_customers(as_of=as_of)


def loyalty(*, as_of: date, scheme: str) -> Loyalty:
    """Return `Workbench.loyalty`."""
    return _loyalty(stamp(), as_of, scheme)


@st.cache_data(ttl=HOUR, max_entries=64, show_spinner="Adding up …")
def _loyalty(at: Stamp, as_of: date, scheme: str) -> Loyalty:
    del at
    return workbench().loyalty(as_of=as_of, scheme=scheme)


def audience_page(rule: audiences.Rule, *, as_of: date, **choice: Any) -> tuple[pd.DataFrame, int]:
    """Return `Workbench.audience_page`."""
    return _audience_page(stamp(), audiences.to_json(rule), as_of, tuple(sorted(choice.items())))


@st.cache_data(ttl=HOUR, max_entries=128, show_spinner=False)
def _audience_page(
    at: Stamp, rule: str, as_of: date, choice: tuple[tuple[str, Any], ...]
) -> tuple[pd.DataFrame, int]:
    del at
    return workbench().audience_page(audiences.parse(rule), as_of=as_of, **dict(choice))


def audience_size(rule: audiences.Rule, *, as_of: date, assumptions: Assumptions | None = None) -> int:
    """Return `Workbench.audience_size`."""
    return _audience_size(stamp(), audiences.to_json(rule), as_of, assumptions or workbench().assumptions())


@st.cache_data(ttl=HOUR, max_entries=256, show_spinner=False)
def _audience_size(at: Stamp, rule: str, as_of: date, assumptions: Assumptions) -> int:
    del at
    return workbench().audience_size(audiences.parse(rule), as_of=as_of, assumptions=assumptions)


def field_values(field: str, *, as_of: date) -> list[str]:
    """Return `Workbench.field_values`."""
    return _field_values(stamp(), field, as_of)


@st.cache_data(ttl=HOUR, max_entries=64, show_spinner=False)
def _field_values(at: Stamp, field: str, as_of: date) -> list[str]:
    del at
    return workbench().field_values(field, as_of=as_of)


def currencies() -> tuple[str, ...]:
    """Return `Workbench.currencies`."""
    return _currencies(workbench().engine.orders_version())


@st.cache_data(ttl=HOUR, max_entries=8, show_spinner=False)
def _currencies(orders: int) -> tuple[str, ...]:
    del orders
    return workbench().currencies()


def fields() -> dict[str, Field]:
    """Return `Workbench.fields` by name: those of every store, then the contacts' attributes by title."""
    return {field.name: field for field in workbench().fields()}


def bands() -> Bands:
    """Return `Workbench.bands`."""
    return workbench().bands()

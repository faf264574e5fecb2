"""What customers are worth, under assumptions one can see and change, and how far the forecast can be trusted."""

import streamlit as st

from crm.analytics.segments import SCHEMES
from crm.ui import cache, empty, forecasts, frame, holdout_tests, lifetime_value
from crm.ui.acquisition import acquisition_view
from crm.ui.choices import choose_from, choose_one
from crm.ui.widgets import definition_note, page_header

VIEWS = {
    "customers": "Customers and segments",
    "test": "Test",
    "dcf": "DCF beside it",
    "cohorts": "Cohorts and acquisition",
}

page_header("Lifetime value", "What our customers are worth today, and how far to trust the figure.")
as_of = frame.as_of() or empty.no_data()
assumptions = lifetime_value.choose_assumptions(as_of)
forecast = cache.forecast(assumptions, as_of=as_of)
if forecast.facts is None:
    empty.nobody_yet(as_of)

forecasts.show_verdict(forecast)
views = VIEWS if forecast.usable else {name: title for name, title in VIEWS.items() if name != "customers"}
kpi_slot = st.container()
show, compare = st.columns([5, 2], vertical_alignment="bottom")
with show:
    view = choose_one("Show", views, name="view", default=next(iter(VIEWS)) if forecast.usable else "dcf")
scheme = "value_class"
if view in ("customers", "dcf"):
    titles = {scheme.name: scheme.title for scheme in SCHEMES}
    with compare:
        scheme = choose_from("Compare by", titles, name="by", default=scheme)
flat = cache.dcf(assumptions, as_of=as_of, scheme=scheme)
found = cache.by_forecast(assumptions, as_of=as_of, scheme=scheme) if forecast.usable else None
if found is not None:
    with kpi_slot:
        forecasts.key_figures(forecast, found)
        definition_note(forecasts.formula(found, forecast), as_of)

if view == "customers" and found is not None:
    forecasts.customers_view(found, flat, scheme, assumptions, as_of)
elif view == "test":
    holdout_tests.show_test(forecast)
elif view == "dcf":
    lifetime_value.dcf_view(flat, found, scheme)
elif view == "cohorts":
    acquisition_view(cache.acquisition(assumptions, as_of=as_of), as_of, forecast=forecast.usable)
holdout_tests.earlier_forecasts(forecast)

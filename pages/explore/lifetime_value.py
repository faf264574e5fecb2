"""What customers are worth, under assumptions one can see and change, and how well the rule held in the past."""

import streamlit as st

from crm.analytics.segments import SCHEMES
from crm.charts import backtest_bars, histogram, ranked_bar
from crm.theme import Measure
from crm.ui import cache, empty, frame, lifetime_value, measures
from crm.ui.choices import choose_one
from crm.ui.links import clickable_chart, open_segment
from crm.ui.widgets import Kpi, definition_note, kpi_row, page_header, show_chart

page_header("Lifetime value", "What our customers are worth today, and how far to trust the figure.")
as_of = frame.as_of() or empty.no_data()
assumptions = lifetime_value.choose_assumptions(as_of)
titles = {scheme.name: scheme.title for scheme in SCHEMES}
name = choose_one("Compare by", titles, name="by", default="value_class")
found = cache.lifetime_value(assumptions, as_of=as_of, scheme=name)
if not found.customers:
    empty.nobody_yet(as_of)

worth, cost = measures.money("Lifetime value"), measures.money("Acquisition cost")
kpi_row(
    [
        Kpi(title, measure.text(value), help=meaning, exact=measure.exact(value))
        for title, measure, value, meaning in (
            ("Total value", worth, found.total, "Lifetime value of all customers with a purchase."),
            ("Mean value", worth, found.mean, "Total value ÷ customers with a purchase."),
            ("Median value", worth, found.median, "Half of the customers are worth more."),
            ("Acquisition cost", cost, found.acquisition_cost, "In all, over customers with a purchase."),
            (
                "Below their cost",
                Measure("Customers"),
                found.below_cost,
                "Customers whose value is less than 0: their margin does not bring back what winning them cost.",
            ),
        )
    ]
)
definition_note(lifetime_value.formula(found), as_of)
verdict, test = st.columns([2, 3], gap="large", vertical_alignment="center")
with verdict:
    lifetime_value.show_verdict(found.test)
with test:
    show_chart(
        backtest_bars(
            lifetime_value.halves(found.test),
            "period",
            title="Did “next year like last year” hold before?",
            measure=measures.money("Revenue"),
            period_title="Period predicted",
            empty=" ".join(found.test.reasons) or "Nothing to compare.",
        ),
        key="value_test",
    )

show_chart(
    histogram(
        found.bins,
        title="How is value spread over customers?",
        measure=worth,
        marks=[(found.mean or 0, "Mean"), (found.median or 0, "Median")],
    ),
    key="value_histogram",
)
picked = clickable_chart(
    ranked_bar(
        found.segments,
        "segment",
        "lifetime_value",
        title="Which segments hold the value?",
        measure=worth,
        details=[("customers", Measure("Customers")), ("mean", measures.money("Mean value"))],
    ),
    key=f"value_{name}",
)
definition_note("Click a segment to see its customers.", as_of)
lifetime_value.segment_values(found, name)
open_segment(next(scheme for scheme in SCHEMES if scheme.name == name), picked)

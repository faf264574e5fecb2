"""How the business does in a period, beside the period before, and which customers to look at."""

import streamlit as st

from crm import wording
from crm.charts import revenue_over_time, segment_treemap
from crm.ui import cache, empty, frame, measures
from crm.ui.choices import choose_one
from crm.ui.links import clickable_chart, open_segment
from crm.ui.segment_tables import segment_table
from crm.ui.widgets import Kpi, definition_note, kpi_row, page_header, show_chart
from crm.wording import Measure

PERIODS = {"30": "30 days", "90": "90 days", "365": "365 days"}
MONTHS = 24

page_header("Overview", "How the business does, and which customers to look at.")
as_of = frame.as_of() or empty.no_data()
days = int(choose_one("Period", PERIODS, name="days", default="90"))
found = cache.overview(as_of=as_of, days=days)
if not found.rfm.customers:
    empty.nobody_yet(as_of)
measures.note_mixed_currencies()

revenue = measures.money("Revenue")
order_value = measures.money("Average order value")
kpi_row(
    [
        Kpi(
            measure.title,
            measure.text(figure.now),
            delta=figure.change,
            delta_description=f"against the {days} days before",
            help=meaning,
            series=figure.series,
            exact=measure.exact(figure.now),
        )
        for measure, figure, meaning in (
            (revenue, found.revenue, "Sum of all amounts in the period, returns included."),
            (
                Measure("Purchases"),
                found.purchases,
                "Orders of the period whose lines sum to more than 0.",
            ),
            (Measure("Buying customers"), found.buyers, "Customers with a purchase in the period."),
            (
                Measure("New customers"),
                found.new_customers,
                "Customers whose first purchase lies in the period.",
            ),
            (
                order_value,
                found.average_order_value,
                "Sum of the purchases' totals ÷ number of purchases in the period.",
            ),
        )
    ]
)
definition_note(
    f"The period runs from {wording.day(found.first)} to {wording.day(as_of)}, both days included. "
    "“–”: the period before is not wholly on record."
)
show_chart(
    revenue_over_time(
        found.months.tail(MONTHS),
        title="What came in each month, and a year before?",
        measure=revenue,
        before="year_before" if found.months["year_before"].notna().any() else None,
        as_of=as_of,
    ),
    key="overview_months",
)
picked = clickable_chart(
    segment_treemap(
        found.rfm.rows,
        "segment",
        title=found.rfm.scheme.question,
        details=[("revenue", revenue), ("orders", Measure("Orders"))],
    ),
    key="overview_rfm",
)
definition_note("Click a tile to see its customers. " + found.rfm.scheme.meaning, as_of)

st.subheader("What to look at", anchor=False)
segment_table(found.rfm, key="overview_segments", actions=True)
open_segment(found.rfm.scheme, picked)

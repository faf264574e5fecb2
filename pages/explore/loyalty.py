"""Whether customers come back, answer and recommend, in all and by segment."""

import streamlit as st

from crm import theme
from crm.analytics.segments import SCHEMES, find_scheme
from crm.charts import ranked_bar
from crm.ui import cache, empty, frame, loyalty
from crm.ui.choices import choose_one
from crm.ui.links import clickable_chart, open_lifecycle_year, open_segment
from crm.ui.widgets import definition_note, kpi_row, page_header
from crm.wording import Measure

page_header("Loyalty", "Whether our customers come back, answer and recommend us.")
as_of = frame.as_of() or empty.no_data()
titles = {scheme.name: scheme.title for scheme in SCHEMES}
with st.container(horizontal=True, gap="large"):
    name = choose_one("Compare by", titles, name="segments", default="rfm")
    found = cache.loyalty(as_of=as_of, scheme=name)
    rate = choose_one("Rate compared", loyalty.rates(found), name="rate", default="repeat_rate")
if not found.customers:
    empty.nobody_yet(as_of)

kpi_row(loyalty.kpis(found))
if not loyalty.answered(found):
    loyalty.no_answers()

picked_years = []
for column, value, measure, question in zip(
    st.columns(2, gap="large"),
    ("customers", "repeat_rate"),
    (Measure("Customers"), Measure("Repeat rate", "percent")),
    ("How long have customers been with us?", "And do they come back?"),
    strict=True,
):
    years = ranked_bar(
        found.lifecycle,
        "segment",
        value,
        title=question,
        measure=measure,
        keep_order=True,
        whole=value == "repeat_rate",
        colour=theme.ACCENT,
        label=loyalty.year_name,
    )
    with column:
        picked_years.append(clickable_chart(years, key=f"loyalty_years_{value}"))
picked = clickable_chart(
    ranked_bar(
        found.segments,
        "segment",
        rate,
        title=f"Which segments have the highest {loyalty.RATES[rate].lower()}?",
        measure=Measure(loyalty.RATES[rate], "percent"),
        details=[("customers", Measure("Customers")), ("purchases", Measure("Purchases"))],
        empty="No purchases to compare.",
    ),
    key=f"loyalty_{name}_{rate}",
)
definition_note("Click a bar to see its customers. " + loyalty.DEFINITIONS, as_of)

st.subheader(f"By {find_scheme(name).title}", anchor=False)
loyalty.segment_rates(found, name)
st.subheader("By lifecycle year", anchor=False)
loyalty.lifecycle_rates(found)
open_lifecycle_year(next(filter(None, picked_years), None))
open_segment(find_scheme(name), picked)

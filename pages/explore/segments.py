"""Who the customers are: each scheme divides all of them, and every segment opens its customers."""

import streamlit as st

from crm.analytics.segments import SCHEMES, meaning_of
from crm.charts import ranked_bar, segment_treemap
from crm.ui import bands, cache, empty, frame, measures
from crm.ui.choices import choose_one
from crm.ui.links import clickable_chart, open_segment
from crm.ui.segment_tables import note_unknown, segment_table
from crm.ui.widgets import definition_note, page_header
from crm.wording import Measure

page_header("Segments", "Who our customers are: every customer with a purchase is in exactly one segment.")
as_of = frame.as_of() or empty.no_data()
titles = {scheme.name: scheme.title for scheme in SCHEMES}
with st.container(horizontal=True, gap="large"):
    name = choose_one("Divide customers by", titles, name="scheme", default="rfm")
    kind = choose_one("Shown as", {"bars": "Bars", "tiles": "Tiles"}, name="chart", default="bars")
found = cache.segments(name, as_of=as_of)
if not found.customers:
    empty.nobody_yet(as_of)

details = [("revenue", measures.money("Revenue")), ("orders", Measure("Orders"))]
if kind == "tiles":
    figure = segment_treemap(found.rows, "segment", title=found.scheme.question, details=details)
else:
    figure = ranked_bar(
        found.rows,
        "segment",
        "customers",
        title=found.scheme.question,
        measure=Measure("Customers"),
        details=details,
        keep_order=True,
    )
picked = clickable_chart(figure, key=f"segments_{name}_{kind}")
definition_note("Click a segment to see its customers. " + meaning_of(found.scheme, cache.bands()), as_of)

note_unknown(found)
segment_table(found, key=f"segments_{name}")
bands.edit(found.scheme)
open_segment(found.scheme, picked)

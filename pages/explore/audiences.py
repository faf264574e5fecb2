"""Customers that a rule holds for: built here or linked to, counted, listed, saved and exported."""

import streamlit as st

from crm import audiences, wording
from crm.ui import assumptions, cache, empty, frame
from crm.ui.choices import choose_from, choose_many, choose_one
from crm.ui.downloads import export_menu
from crm.ui.links import open_customer
from crm.ui.rule_builder import EVERYONE, build_rule, rule_as_text
from crm.ui.saved_audiences import bar
from crm.ui.tables import PAGE_SIZE, customer_list
from crm.ui.widgets import definition_note, page_header, plain

SHOWN = ["name", "rfm_segment", "value_class", "orders", "revenue", "last_order_day", "city"]

page_header("Audiences", "Find the customers that a rule holds for; list, save and export them.")
as_of = frame.as_of() or empty.no_data()
assumed = assumptions.in_link(as_of)
saved_slot = st.container()
with st.container(border=True, gap="small"):
    rule = build_rule(as_of=as_of)
with saved_slot:
    name = bar(rule)
if rule is None:
    rule_as_text(rule)
    st.stop()

built = rule
ways = {"everybody": "Everybody", "email": "May be e-mailed", "phone": "May be phoned"}
reach = choose_one(
    "Reach",
    ways,
    name="reach",
    default="everybody",
    meaning="Only customers with that address on record who said yes to being reached there.",
)
if reach == "email":
    rule = audiences.reachable(rule, by="email")
elif reach == "phone":
    rule = audiences.reachable(rule, by="phone")
total = cache.audience_size(rule, as_of=as_of, assumptions=assumed)
everyone = cache.audience_size(EVERYONE, as_of=as_of)
share = wording.percent(total / everyone) if everyone else wording.UNDEFINED
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    st.markdown(
        f"### {wording.counted(total, 'customer')} — {share} of {everyone:,} on record", width="content"
    )
    export_slot = st.container(width="content")
st.markdown(plain(audiences.sentence(rule)))

titles = {name: field.title for name, field in cache.fields().items()}
with st.expander("Columns and order", icon=":material/view_column:"):
    columns = choose_many(
        "Columns", {k: v for k, v in titles.items() if k != "customer_id"}, name="columns", default=SHOWN
    )
    by = choose_from("Sorted by", titles, name="sorted", default="revenue")
    order = choose_one(
        "Order", {"down": "Largest first", "up": "Smallest first"}, name="order", default="down"
    )
with export_slot:
    export_menu(
        rule,
        as_of=as_of,
        rows=total,
        columns=columns,
        name=name or "customers",
        by=by,
        descending=order == "down",
        assumptions=assumed,
    )
if not total:
    st.info("Nobody meets this rule. Take a condition away, or widen one.", icon=":material/person_off:")

assumptions.note(assumed, {*columns, by, *audiences.fields(rule)}, as_of=as_of)
picked = customer_list(
    lambda page: cache.audience_page(
        rule,
        as_of=as_of,
        by=by,
        descending=order == "down",
        page=page,
        size=PAGE_SIZE,
        columns=tuple(columns),
        assumptions=assumed,
    ),
    columns,
    key="audience",
)
definition_note("Every customer named by an order, an answer or a contact can be found here.", as_of)
rule_as_text(built)
if picked is not None:
    open_customer(picked)

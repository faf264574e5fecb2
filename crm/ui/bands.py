"""The form for the limits between segments."""

import zlib
from dataclasses import replace

import pandas as pd
import streamlit as st

from crm.analytics.segments import INCOME_UNIT, OTHER_REGION, Bands, Scheme
from crm.errors import ClienteleError, InvalidValue
from crm.schema import UNKNOWN
from crm.ui import cache, state
from crm.ui.widgets import show_error


def edit(scheme: Scheme) -> None:
    """Write a form for the bands of `scheme`, closed at first; saving can be undone."""
    if scheme.name not in _FORMS:
        return
    now = cache.bands()
    # Named by what it starts from, so that after a save it starts from what was saved.
    key = f"bands_{scheme.name}_{zlib.crc32(repr(now).encode())}"
    with st.expander("Edit the bands", icon=":material/tune:"), st.form(key, border=False):
        try:
            wanted = _FORMS[scheme.name](now, key)
            problem = None
        except ClienteleError as error:
            wanted, problem = now, error
        if st.form_submit_button("Save", type="primary"):
            if problem is not None:
                show_error(problem)
            else:
                _save(wanted, scheme)


def _save(wanted: Bands, scheme: Scheme) -> None:
    event = cache.workbench().save_bands(wanted, actor=state.actor())
    state.say(
        f"The bands of “{scheme.title}” are as you set them."
        if event
        else "The bands were like that already; nothing changed.",
        undo_event=event,
    )
    st.rerun()


def _purchase_power(now: Bands, key: str) -> Bands:
    st.caption(f"Annual income ÷ {INCOME_UNIT:,}. Whoever is over neither limit is C.")
    a, b = st.columns(2)
    over_a = a.number_input("A: over", value=float(now.purchase_power[0]), key=f"{key}_a", step=5.0)
    over_b = b.number_input("B: over", value=float(now.purchase_power[1]), key=f"{key}_b", step=5.0)
    return replace(now, purchase_power=(over_a, over_b))


def _value_class(now: Bands, key: str) -> Bands:
    st.caption("Customers sorted by revenue, highest first. Shares of all revenue, in %.")
    a, b = st.columns(2)
    first = a.number_input("A: up to, %", value=now.value_class[0] * 100, key=f"{key}_a", step=1.0)
    second = b.number_input("B: up to, %", value=now.value_class[1] * 100, key=f"{key}_b", step=1.0)
    return replace(now, value_class=(round(first / 100, 6), round(second / 100, 6)))


def _age_group(now: Bands, key: str) -> Bands:
    st.caption("Age in full years on the as-of day.")
    a, b = st.columns(2)
    young = a.number_input("Young: under", value=now.age_group[0], key=f"{key}_a", step=1)
    middle = b.number_input("Middle-aged: under", value=now.age_group[1], key=f"{key}_b", step=1)
    return replace(now, age_group=(young, middle))


def _region(now: Bands, key: str) -> Bands:
    st.caption(
        f"One row per city. Cities that are not in the table are in {OTHER_REGION}; "
        f"customers without a city are {UNKNOWN}."
    )
    rows = [(city, region) for region, cities in now.regions.items() for city in cities]
    edited = st.data_editor(
        pd.DataFrame(rows, columns=["city", "region"], dtype="str"),
        num_rows="dynamic",
        hide_index=True,
        key=f"{key}_cities",
        column_config={
            "city": st.column_config.TextColumn("City", required=True),
            "region": st.column_config.TextColumn("Region", required=True),
        },
        alt="Region of each city",
    )
    regions: dict[str, list[str]] = {}
    for city, region in edited.itertuples(index=False):
        if pd.isna(city) or not str(city).strip():
            continue
        if pd.isna(region) or not str(region).strip() or str(region).strip() == UNKNOWN:
            raise InvalidValue(
                f"The city {city} has no region.", f"Name one; “{UNKNOWN}” is for customers without a city."
            )
        regions.setdefault(str(region).strip(), []).append(str(city).strip())
    return replace(now, regions={region: tuple(cities) for region, cities in regions.items()})


_FORMS = {
    "purchase_power": _purchase_power,
    "value_class": _value_class,
    "age_group": _age_group,
    "region": _region,
}

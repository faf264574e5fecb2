"""Tables of segments, and lists of customers a page at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from crm import wording
from crm.analytics.segments import SCHEMES, meaning_of
from crm.errors import InvalidValue
from crm.schema import SHARE, Field, Type, field_of
from crm.ui import cache, measures, state
from crm.ui.choices import page_asked
from crm.ui.widgets import plain, show_error
from crm.wording import Measure

PAGE_SIZE = 50

_FORMATS = {"count": "%,d", "money": "%,.2f", "percent": "%.1f %%", "number": "%,.1f", "days": "%,.1f", "years": "%,.1f"}  # fmt: skip


_WIDTHS = {"rfm_segment": 150, "name": 130}
"""Pixels that the longest names take; Streamlit measures only the first rows."""


@dataclass(frozen=True)
class Column:
    """One column of a table: its name in the rows, what its numbers mean (text has no measure), its definition."""

    name: str
    title: str = ""
    measure: Measure | None = None
    help: str = ""
    width: int | None = None


def table(
    rows: pd.DataFrame,
    columns: Sequence[Column],
    *,
    key: str,
    alt: str,
    opens: str | None = None,
    opens_help: str = "",
) -> int | None:
    """Write a table and return the position of the row whose button was clicked, or nothing.

    The column `opens` is written as buttons, which lead to what the row stands for.
    """
    config: dict[str, Any] = {column.name: _config(column) for column in columns}
    shown = rows[[column.name for column in columns]]
    shares = [column.name for column in columns if column.measure and column.measure.kind == "percent"]
    shown = shown.assign(**{name: shown[name] * 100 for name in shares})
    if opens is not None:
        title = next(column.title for column in columns if column.name == opens)
        shown = shown.assign(**{opens: shown[opens].astype(str)})
        config[opens] = st.column_config.ButtonColumn(
            title, help=opens_help, pinned=True, alignment="left", type="tertiary", key=f"{key}_open"
        )
    st.dataframe(
        shown,
        hide_index=True,
        column_config=config,
        key=key,
        alt=alt,
        placeholder=wording.UNDEFINED,
        height="content",
    )
    clicked = state.get(f"{key}_open") if opens is not None else None
    return None if clicked is None else int(clicked["row"])


def customer_list(
    fetch: Callable[[int], tuple[pd.DataFrame, int]], columns: Sequence[str], *, key: str
) -> str | None:
    """Write one page of a list of customers, and return the customer whose ID was clicked, or nothing.

    `fetch` takes the number of a page, from 1, and returns its rows and how many there are in all. The number stands
    in the link; a page that does not exist is refused with a way to the first one.
    """
    try:
        number = page_asked()
        rows, total = fetch(number)
    except InvalidValue as error:
        show_error(error)
        st.button("Go to page 1", key=f"{key}_first", on_click=_turn_back, icon=":material/first_page:")
        return None
    if not total:
        return None
    fields, meanings = cache.fields(), field_meanings()
    shown = [_of_field(fields[name], meanings) for name in columns if name != "customer_id"]
    clicked = table(
        rows,
        [Column("customer_id", "Customer ID"), *shown],
        key=key,
        alt=f"Page {number} of a list of {total:,} customers",
        opens="customer_id",
        opens_help="Click an ID to open the customer.",
    )
    pages = -(-total // PAGE_SIZE)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        first = (number - 1) * PAGE_SIZE + 1
        st.caption(f"{first:,} to {first + len(rows) - 1:,} of {total:,}")
        if pages > 1:
            # A key of its own for each page: a value put under one key would override what the link asks for.
            turner = f"{key}_page_{number}"
            st.pagination(pages, default=number, key=turner, on_change=_turn, args=(turner,))
    return None if clicked is None else str(rows["customer_id"].iloc[clicked])


def _turn(key: str) -> None:
    number = state.get(key)
    state.into_link(page=None if number in (None, 1) else str(number))


def _turn_back() -> None:
    state.into_link(page=None)


def field_meanings() -> dict[str, str]:
    """Return what each field means; of schemes, with the bands as they were last edited."""
    bands = cache.bands()
    edited = {scheme.column: meaning_of(scheme, bands) for scheme in SCHEMES if scheme.name != "rfm"}
    return {name: edited.get(name, field.meaning) for name, field in cache.fields().items()}


def _of_field(field: Field, meanings: Mapping[str, str]) -> Column:
    measure = Measure("", "percent") if field.unit == SHARE else _MEASURES.get(field.type)
    return Column(field.name, field.title, measure, plain(meanings[field.name]))


_MEASURES: dict[Type, Measure] = {
    "integer": Measure("", "count"),
    "number": Measure("", "number"),
    "money": Measure("", "money"),
}


def _config(column: Column) -> Any:
    title, told = column.title or column.name, column.help or None
    field = field_of(column.name)
    if column.measure is not None:
        unit = measures.currency() if column.measure.kind == "money" else None
        return st.column_config.NumberColumn(
            f"{title} ({unit})" if unit else title,
            format=_FORMATS[column.measure.kind],
            help=told,
            width=column.width,
        )
    if field is not None and field.type == "date":
        return st.column_config.DateColumn(title, format="D MMM YYYY", help=told, width=column.width)
    if field is not None and field.type == "yes/no":
        return st.column_config.CheckboxColumn(title, help=told, width=column.width)
    width = column.width or _WIDTHS.get(column.name)
    return st.column_config.TextColumn(title, help=told, width=width)

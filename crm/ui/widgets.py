"""The parts that pages are composed of: header, key figures, charts, notes, refusals and empty states."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, TypeAlias, cast

import streamlit as st

from crm import charts, wording
from crm.errors import ClienteleError

Page: TypeAlias = Any
"""What `st.page_link` accepts: a page object of `st.navigation`, or the path of its script."""

_MODE_BAR = (
    "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "resetScale2d", "select2d", "lasso2d",
    "hoverClosestCartesian", "hoverCompareCartesian", "toggleSpikelines",
)  # fmt: skip
"""Buttons that charts which stay still have no use for; the picture and the full screen remain."""

_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_{}[]<>#|~$:"})


@dataclass(frozen=True)
class Kpi:
    """One key figure of a `kpi_row`.

    `value_text` is written by crm.wording. `delta` is a share (0.12 is +12 %) or None when the change is undefined,
    which reads "–"; it is shown only together with `delta_description` ("vs previous 90 days"). `delta_text`
    replaces its format, for changes in points or days. `good` says which direction is welcome. `exact` is the
    value in full and is shown with `help`, the figure's definition. `series` draws the course behind it, oldest first.
    `note` stands below in small letters: the interval, or the share of the whole.
    """

    label: str
    value_text: str
    delta: float | None = None
    delta_description: str | None = None
    help: str = ""
    series: Sequence[wording.Number] = field(default=())
    exact: str = ""
    delta_text: str = ""
    good: Literal["up", "down", "neither"] = "up"
    note: str = ""


def page_header(title: str, purpose: str) -> None:
    """Write the page's title and, below it, its purpose in one line."""
    with st.container(gap="xsmall"):
        st.title(title, anchor=False)
        st.markdown(f":gray[{plain(purpose)}]")


def kpi_row(kpis: Sequence[Kpi], *, key: str = "kpis") -> None:
    """Write key figures side by side, as many as the screen has room for: two on a phone.

    What they are compared with stands below, once for each wording.
    """
    if not kpis:
        return
    with st.container(gap="xsmall"):
        with st.grid(
            columns=len(kpis) if len(kpis) < 6 else -(-len(kpis) // 2),
            min_column_width=150,
            gap="small",
            border=True,
            key=key,
        ) as grid:
            for kpi in kpis:
                with grid.cell(), st.container(gap="xxsmall"):
                    _metric(kpi)
        compared = dict.fromkeys(kpi.delta_description for kpi in kpis if kpi.delta_description)
        if compared:
            st.caption(plain(f"Change {'; '.join(compared)}."))


def _metric(kpi: Kpi) -> None:
    delta = wording.as_number(kpi.delta)
    moved = delta is not None and not wording.signed_percent(delta).startswith("0")
    welcome = (
        None if not moved or kpi.good == "neither" or delta is None else (delta > 0) == (kpi.good == "up")
    )
    course = [number for number in (wording.as_number(value) for value in kpi.series) if number is not None]
    text = kpi.delta_text if kpi.delta_text and delta is not None else wording.signed_percent(delta)
    meaning = "\n\n".join(part for part in (f"**{plain(kpi.exact)}**" if kpi.exact else "", kpi.help) if part)
    # The metric's own label is cut where it does not fit; text breaks into lines.
    st.markdown(f":small[{plain(kpi.label)}]", help=meaning or None)
    st.metric(
        plain(kpi.label),
        plain(kpi.value_text),
        label_visibility="collapsed",
        delta=text if kpi.delta_description is not None else None,
        delta_color="gray" if welcome is None else "green" if welcome else "red",
        # The text holds a true minus sign, which Streamlit would take for a rise.
        delta_arrow=("up" if delta > 0 else "down") if moved and delta is not None else "off",
        chart_data=course if len(course) > 1 else None,
        chart_type="area",
    )
    if kpi.note:
        st.caption(plain(kpi.note))


def show_chart(figure: charts.Figure, *, key: str, selectable: bool = False, alt: str | None = None) -> Any:
    """Write a chart below its question and return what was clicked, or None.

    That is the segment's name (or the month, or the period), or a tuple where it takes two to say it: (low, high) of a
    bin, (line, column) of a heat map. A second click on it takes the choice back. Without `selectable` always None. The
    figure's title becomes a heading of the page, which breaks into lines on a phone where a title inside the figure
    would be cut. `alt` defaults to the figure in words.
    """
    title, words, drawn = (
        charts.title_of(figure),
        alt or charts.words_of(figure),
        charts.without_title(figure),
    )
    with st.container(gap="xsmall"):
        if title:
            st.subheader(plain(title), anchor=False)
        if not selectable:
            st.plotly_chart(drawn, key=key, config=_config(key), alt=words)
            return None
        if charts.tiles_of(drawn):
            return _show_tiles(drawn, key=key, alt=words)
        return clicked(
            st.plotly_chart(
                drawn, key=key, config=_config(key), alt=words, on_select="rerun", selection_mode="points"
            )
        )


def _show_tiles(figure: charts.Figure, *, key: str, alt: str) -> str | None:
    """Write a treemap, frame the tile that was clicked and return its name.

    Plotly answers a click on a tile by filling the whole chart with it, and cannot be told not to. So each click is
    remembered here and the chart is drawn anew under the next key: `key`, `key-1`, `key-2`, …
    """
    choice: dict[str, Any] = st.session_state.setdefault(f"{key}.choice", {"turn": 0, "name": None})
    turn_key = f"{key}-{choice['turn']}" if choice["turn"] else key

    def remember() -> None:
        name = clicked(st.session_state.get(turn_key))
        st.session_state[f"{key}.choice"] = {
            "turn": choice["turn"] + 1,
            "name": None if name == choice["name"] else name,
        }

    name = choice["name"] if choice["name"] in charts.tiles_of(figure) else None
    if name is not None:
        figure = charts.with_tile_framed(figure, name)
    event = st.plotly_chart(
        figure, key=turn_key, config=_config(key), alt=alt, on_select=remember, selection_mode="points"
    )
    return cast("str | None", clicked(event) or name)


def _config(key: str) -> dict[str, Any]:
    """Return Plotly's settings: no logo, a picture and the full screen, nothing that moves under a finger."""
    return {
        "displaylogo": False,
        "responsive": True,
        "scrollZoom": False,
        "doubleClick": False,
        "modeBarButtonsToRemove": list(_MODE_BAR),
        "toImageButtonOptions": {"filename": key, "scale": 2},
    }


def clicked(event: Any) -> Any:
    """Return what the first selected mark of a chart stands for, as `show_chart` does.

    `event` is what `st.plotly_chart` returns or keeps in the session: bars and markers carry `customdata`, tiles of
    a treemap carry their `id`.
    """
    try:
        points = event["selection"]["points"]
    except (KeyError, TypeError):
        return None
    for point in points or []:
        data = point.get("customdata")
        if isinstance(data, list | tuple) and data:
            return data[0] if len(data) == 1 else tuple(data)
        name = data or point.get("id")
        if name:
            return name
    return None


def definition_note(text: str, as_of: date | None = None) -> None:
    """Write how the figures above are defined and up to which day they count."""
    upto = f" As of {wording.day(as_of)}." if as_of else ""
    st.caption(f"{plain(text)}{upto}")


def show_error(error: ClienteleError) -> None:
    """Write a refusal: what was found, and what to do about it."""
    st.error(plain(error.hint), title=plain(error.message), icon=":material/error:")


def empty_state(
    title: str,
    what_to_do: str,
    *,
    page: Page | None = None,
    page_label: str = "",
) -> None:
    """Write what is missing here and what to do next, with a link to where it is done."""
    with st.container(border=True, gap="small"):
        st.subheader(plain(title), anchor=False)
        st.markdown(plain(what_to_do))
        if page is not None:
            st.page_link(page, label=plain(page_label) or None, icon=":material/arrow_forward:")


def plain(text: str) -> str:
    """Return `text` so that Markdown shows it letter for letter: names come from files."""
    return text.translate(_MARKDOWN)

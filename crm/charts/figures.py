"""What all figures are made of: a bare figure, its axes and legend, the columns of small tables, and words.

The modules beside this one take their pieces from here; pages take figures from `crm.charts`.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from html import escape, unescape
from textwrap import wrap
from typing import Any, TypeAlias

import narwhals as nw
import plotly.graph_objects as go

from crm import theme, wording
from crm.wording import Measure, Number

Figure: TypeAlias = go.Figure

Rows: TypeAlias = Any
"""A frame that Narwhals knows, or a sequence of mappings from column name to value."""

Details: TypeAlias = Sequence[tuple[str, Measure]]
"""Further columns that are shown when one points at a mark."""

CUSTOMERS = Measure("Customers")

TITLE_ROOM = 44
"""Pixels above the marks for the title."""

TOOL_ROOM = 30
"""Pixels above the marks for the tool bar, which a phone shows all the time, and for the legend beside it."""

BAR_PITCH = 32
"""Pixels from one horizontal bar to the next: a finger finds its bar."""

_NAME_WIDTH = 20
"""Letters of a category's name on one line, so that a phone keeps room for the bars."""


def empty_figure(sentence: str, *, title: str = "") -> go.Figure:
    """Return a figure without marks that says `sentence` where they would be."""
    figure = bare_figure(title, height=TITLE_ROOM + 96 if title else 96)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(
        text="<br>".join(wrap(escape(sentence), 44)),
        showarrow=False,
        xref="paper",
        yref="paper",
        x=0.5,
        y=0.5,
        font={"size": 14, "color": theme.TEXT},
    )
    figure.update_layout(meta={"alt": f"{title}: {sentence}" if title else sentence})
    return figure


def title_of(figure: Figure) -> str:
    """Return the question that a figure answers, as plain text."""
    return unescape(figure.layout.title.text or "")


def words_of(figure: Figure) -> str:
    """Return the figure in words, for those who do not see it."""
    return str((figure.layout.meta or {}).get("alt") or title_of(figure))


def without_title(figure: Figure) -> Figure:
    """Return a copy without the title and its room, for a page that writes the title itself."""
    copy = go.Figure(figure)
    if title_of(figure):
        copy.layout.title = None
        copy.update_layout(
            margin={"t": copy.layout.margin.t - TITLE_ROOM},
            height=copy.layout.height - TITLE_ROOM,
        )
    return copy


def tiles_of(figure: Figure) -> list[str]:
    """Return the names of a treemap's tiles; of any other figure, none."""
    return [str(tile) for trace in figure.data if trace.type == "treemap" for tile in trace.ids]


def with_tile_framed(figure: Figure, name: str) -> Figure:
    """Return a copy of a treemap with a frame around the tile `name`."""
    line = {"color": theme.TEXT, "width": [3 if tile == name else 0 for tile in tiles_of(figure)]}
    return go.Figure(figure).update_traces(marker={"line": line}, selector={"type": "treemap"})


def bare_figure(title: str, *, height: int) -> go.Figure:
    """Return a bare figure: see-through, so that the page's own colour shows, and still under a finger."""
    figure = go.Figure()
    figure.update_layout(
        title={"text": escape(title)},
        height=height,
        margin={"l": 0, "r": 4, "t": (TITLE_ROOM if title else 0) + TOOL_ROOM, "b": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        font={"color": theme.TEXT, "size": 12},
        hoverlabel={"align": "left", "font": {"color": theme.TEXT, "size": 13}},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": theme.GREY, "activecolor": theme.ACCENT},
        separators=".,",
        meta={"alt": title},
    )
    # A drag would otherwise zoom where a phone's user means to scroll the page.
    axis = {"fixedrange": True, "tickfont": {"color": theme.TEXT, "size": 12}}
    axis_title = {"font": {"color": theme.TEXT, "size": 12}}
    figure.update_xaxes(**axis, title={**axis_title, "standoff": 16})
    figure.update_yaxes(**axis, title={**axis_title, "standoff": 10})
    return figure


def add_legend(figure: go.Figure) -> None:
    """Add a legend above the marks, on the left, that a click does not change."""
    figure.update_layout(
        showlegend=True,
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "itemclick": False,
            "itemdoubleclick": False,
            "font": {"color": theme.TEXT, "size": 12},
        },
    )


def add_names(figure: go.Figure, names: Sequence[str], *, title: str = "") -> None:
    """Write `names` in front of horizontal bars that stand at "0", "1", "2", … from the top."""
    places = [str(position) for position in range(len(names))]
    figure.update_yaxes(
        title_text=title,
        type="category",
        autorange="reversed",
        tickvals=places,
        ticktext=[folded(name) for name in names],
        tickfont={"size": 13},
        showgrid=False,
        ticklabelstandoff=4,
    )


def add_values(figure: go.Figure, texts: Sequence[str]) -> None:
    """Write `texts` behind horizontal bars, in a column of their own on the right.

    They are right-aligned as in a table: on no screen do they run into a bar.
    """
    figure.update_layout(margin={"r": 12 + 8 * max(len(text) for text in texts)})
    for position, text in enumerate(texts):
        figure.add_annotation(
            xref="paper",
            x=1,
            xshift=figure.layout.margin.r,
            xanchor="right",
            y=str(position),
            text=text,
            showarrow=False,
            font={"size": 13},
        )


def hide_value_axis(
    figure: go.Figure, measure: Measure, places: Sequence[float], *, last: float | None = None
) -> None:
    """Run the axis of horizontal bars over `places` and 0, or up to `last`, without ticks.

    For bars whose values stand beside them as text.
    """
    first = min(0.0, *places, 0.0)
    last = max(0.0, *places, 0.0) if last is None else last
    figure.update_xaxes(
        title_text=measure.axis_title,
        range=[first, last if last > first else 1],
        showticklabels=False,
        showgrid=False,
        zeroline=True,
        zerolinecolor=theme.GREY,
        zerolinewidth=1,
    )


def prediction_hovers(
    heads: Sequence[str],
    predicted: Sequence[float | None],
    actual: Sequence[float | None],
    lows: Sequence[float | None],
    highs: Sequence[float | None],
    *,
    measure: Measure,
    interval_title: str = "Interval",
) -> list[str]:
    """Return what stands beside each point of a forecast that was tested: both figures and how far off it was."""
    hovers = []
    for head, guess, fact, foot, top in zip(heads, predicted, actual, lows, highs, strict=True):
        lines = [
            f"<b>{escape(head)}</b>",
            f"Predicted: {measure.exact(guess)}",
            f"Actual: {measure.exact(fact)}",
        ]
        if foot is not None and top is not None:
            lines.append(f"{escape(interval_title)}: {measure.exact(foot)} to {measure.exact(top)}")
        lines.append(f"Error: {wording.change(guess, fact)}")
        hovers.append("<br>".join(lines))
    return hovers


def value_axis(measure: Measure, values: Sequence[float | None]) -> dict[str, Any]:
    """Return ticks at round numbers, written as `measure` writes them, over `values` and 0."""
    known = [value for value in values if value is not None]
    low, high = min(0.0, *known, 0.0), max(0.0, *known, 0.0)
    if high == low:
        high = 1.0
    magnitude = 10.0 ** math.floor(math.log10((high - low) / 4))
    for step in (factor * magnitude for factor in (1, 2, 2.5, 5, 10, 20, 50, 100)):
        ticks = [number * step for number in range(math.floor(low / step), math.ceil(high / step) + 1)]
        texts = [measure.text(tick) for tick in ticks]
        if measure.kind == "count" and step < 1:
            continue  # there is no half a customer
        if len(ticks) <= 7 and len(set(texts)) == len(texts):  # wider apart where rounding makes two alike
            break
    return {
        "tickvals": ticks,
        "ticktext": texts,
        "range": [min(low * 1.05, ticks[0] if low else 0), max(high * 1.05, ticks[-1])],
        "zeroline": True,
        "zerolinecolor": theme.GREY,
        "zerolinewidth": 1,
        "ticklabelstandoff": 4,
    }


def day_ticks(first: date, last: date) -> dict[str, Any]:
    """Return ticks of a time axis over these days, few enough for a phone and each told from the next.

    Closer than a month they are written with their day, else as `month_ticks` writes them.
    """
    # Plotly's own choice knows nothing of the format, and would write "Jun" for each of two days of June.
    for step in (1, 2, 3, 7, 14):
        if (last - first).days <= step * 6:
            return {"tick0": first, "dtick": step * 86_400_000, "tickformat": "%-d %b\n%Y", "tickangle": 0}
    return month_ticks(first, last, most=9)


def month_ticks(first: date, last: date, *, most: int) -> dict[str, Any]:
    """Return ticks of a time axis over these days at `most` first days of months, of half-years or years at 8."""
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    steps = ((1, most), (2, most), (3, most), *((step, 8) for step in (6, 12, 24, 60, 120, 240)))
    step = next((step for step, ticks in steps if months <= step * ticks), 600)
    return {
        "tick0": date(2000, 1, 1),
        "dtick": f"M{step}",
        "tickformat": "%b\n%Y" if step < 12 else "%Y",
        "tickangle": 0,
    }


def column_of(rows: Rows, name: str) -> list[Any]:
    """Return one column of `rows` as a list."""
    if isinstance(rows, Sequence):
        return [row[name] for row in rows]
    frame: nw.DataFrame[Any] = (
        rows if isinstance(rows, nw.DataFrame) else nw.from_native(rows, eager_only=True)
    )
    return frame[name].to_list()


def numbers_of(rows: Rows, name: str) -> list[float | None]:
    """Return one column as floats, None where a value is undefined."""
    return [wording.as_number(value) for value in column_of(rows, name)]


def any_known(values: Sequence[Number]) -> bool:
    """Return whether there is anything to draw."""
    return any(value is not None for value in values)


def day_of(value: Any) -> date:
    """Return the day that a cell of a time column names: a date, a time stamp or "2025-03" text."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value)
    return date.fromisoformat(f"{text}-01" if len(text) == len("2025-03") else text[:10])


def folded(name: str) -> str:
    """Return a name on at most two lines; a longer one ends in "…" and is whole in the hover text."""
    lines = wrap(name, _NAME_WIDTH, max_lines=2, placeholder="…") or [""]
    return "<br>".join(escape(line) for line in lines)


def colour_between(
    value: float | None, low: float, high: float, scale: Sequence[str] = theme.SEQUENTIAL
) -> str:
    """Return the colour between the ends of `scale` that `value` has between `low` and `high`."""
    if value is None:
        return theme.GREY
    place = (value - low) / (high - low) * (len(scale) - 1) if high > low else 0.0
    left = min(int(place), len(scale) - 2)
    part = place - left
    pairs = zip(*(_channels(colour) for colour in scale[left : left + 2]), strict=True)
    return "#" + "".join(f"{round(one + (other - one) * part):02X}" for one, other in pairs)


def seen_through(colour: str, opacity: float) -> str:
    """Return `colour` so that the page, light or dark, shines through it."""
    red, green, blue = _channels(colour)
    return f"rgba({red}, {green}, {blue}, {opacity:g})"


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[start : start + 2], 16) for start in (1, 3, 5))


def describe(figure: go.Figure, pairs: Sequence[tuple[str, str]], *, limit: int = 12) -> None:
    """Write the figure in words for those who do not see it: the title and the first `limit` marks."""
    told = "; ".join(f"{name} {text}" for name, text in pairs[:limit])
    rest = f"; and {len(pairs) - limit} more" if len(pairs) > limit else ""
    alt: Mapping[str, str] = {"alt": f"{figure.layout.meta['alt']} {told}{rest}."}
    figure.update_layout(meta=dict(alt))

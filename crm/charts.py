"""Figures from small tables: each answers the question in its title.

Every function takes rows and column names first and its presentation by keyword, and returns a
`plotly.graph_objects.Figure`. Rows are a pandas, Arrow or Narwhals frame, or a list of dictionaries. What is
undefined (None, NaN) is left out or drawn as a gap, never as 0; no rows at all give `empty_figure`.

Every mark says what it stands for: the first item of its `customdata`, or the `id` of a tile, is the name of the
segment (or the month, or the bin) that a click asks for. `layout.meta["alt"]` holds the figure in words.
"""

import calendar
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from html import escape, unescape
from textwrap import wrap
from typing import Any, TypeAlias

import narwhals as nw
import plotly.graph_objects as go

from crm import theme
from crm.theme import Measure, Number

Figure: TypeAlias = go.Figure

Rows: TypeAlias = Any
"""A frame that Narwhals knows, or a sequence of mappings from column name to value."""

Details: TypeAlias = Sequence[tuple[str, Measure]]
"""Further columns that are shown when one points at a mark."""

_CUSTOMERS = Measure("Customers")

_TITLE_ROOM = 44
"""Pixels above the marks for the title."""

_TOOL_ROOM = 30
"""Pixels above the marks for the tool bar, which a phone shows all the time, and for the legend beside it."""

_BAR_PITCH = 32
"""Pixels from one horizontal bar to the next: a finger finds its bar."""

_NAME_WIDTH = 20
"""Letters of a category's name on one line, so that a phone keeps room for the bars."""


_INDENT = "\N{EN SPACE}"
"""Keeps a tile's text off its edge, for which Plotly has no setting."""


def empty_figure(sentence: str, *, title: str = "") -> go.Figure:
    """Return a figure without marks that says `sentence` where they would be."""
    figure = _figure(title, height=_TITLE_ROOM + 96 if title else 96)
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


def revenue_over_time(
    rows: Rows,
    x: str = "month",
    y: str = "revenue",
    *,
    title: str,
    measure: Measure | None = None,
    before: str | None = None,
    before_label: str = "A year before",
    as_of: date | None = None,
    empty: str = "There are no orders in this period.",
) -> go.Figure:
    """Return bars of `y` by calendar month, the last one hatched when `as_of` lies before its end.

    From one row per month: `x` (its first day), `y`, and `before`, the same month of the period compared
    with, which is drawn faint and wider behind the bar. A click gives the month as "2025-03".
    """
    measure = measure or Measure("Revenue", "money")
    months = [_day(value) for value in _column(rows, x)]
    now = _numbers(rows, y)
    if not _any(now):
        return empty_figure(empty, title=title)
    last = max(month for month, value in zip(months, now, strict=True) if value is not None)
    unfinished = (
        as_of is not None and (as_of.year, as_of.month) == (last.year, last.month) and not _ends(as_of)
    )
    figure = _figure(title, height=320)

    compared = _numbers(rows, before) if before else [None] * len(now)
    if before and _any(compared):
        figure.add_bar(
            x=months,
            y=compared,
            name=before_label,
            width=_month_widths(months, 0.86),
            marker={"color": theme.FAINT, "line": {"width": 0}},
            hoverinfo="skip",
        )

    texts = []
    for month, value, old in zip(months, now, compared, strict=True):
        so_far = (
            f"1–{as_of.day} {theme.month(month)}, not over" if as_of and unfinished and month == last else ""
        )
        lines = [f"<b>{so_far or theme.month(month)}</b>", f"{measure.title}: {measure.exact(value)}"]
        if before:
            lines.append(f"{escape(before_label)}: {measure.exact(old)}")
            if not so_far:  # part of a month against a whole one says nothing
                lines.append(f"Change: {theme.change(value, old)}")
        texts.append("<br>".join(lines))
    hatched = [unfinished and month == last for month in months]
    figure.add_bar(
        x=months,
        y=now,
        name=measure.title,
        width=_month_widths(months, 0.56),
        marker={
            "color": theme.ACCENT,
            "line": {"width": [1.2 if on else 0 for on in hatched], "color": theme.ACCENT},
            "pattern": {
                "shape": ["/" if on else "" for on in hatched],
                "fillmode": "replace",
                "size": 6,
                "solidity": 0.5,
            },
        },
        customdata=[[f"{month:%Y-%m}"] for month in months],
        hovertext=texts,
        hovertemplate="%{hovertext}<extra></extra>",
        unselected={"marker": {"opacity": 0.45}},
    )
    figure.update_layout(barmode="overlay")
    if before:
        _add_legend(figure)
    figure.update_xaxes(
        title_text=f"Month (hatched: 1–{as_of.day} {theme.month(as_of)})"
        if as_of and unfinished
        else "Month",
        type="date",
        tickformat="%b\n%Y",
        ticklabelmode="instant",
        hoverformat="%b %Y",
        tickvals=months if len(months) <= 6 else None,
        nticks=12,  # a phone has room for twelve
    )
    figure.update_yaxes(title_text=measure.axis_title, **_value_axis(measure, [*now, *compared]))
    _describe(
        figure, [(theme.month(month), measure.text(value)) for month, value in zip(months, now, strict=True)]
    )
    return figure


def segment_treemap(
    rows: Rows,
    segment: str,
    size: str = "customers",
    colour_value: str | None = None,
    *,
    title: str,
    measure: Measure = _CUSTOMERS,
    colour_measure: Measure | None = None,
    details: Details = (),
    empty: str = "There are no customers to divide yet.",
) -> go.Figure:
    """Return one tile per segment, as large as its `size`, in the segment's own colour.

    From one row per segment: `segment`, `size` (described by `measure`) and the columns of `details`. With
    `colour_value` the tiles are shaded by that column, described by `colour_measure`, instead. Each tile says
    its name, its size, its share and the first of `details`; a click gives the segment as the tile's id.
    """
    names = [str(name) for name in _column(rows, segment)]
    sizes = _numbers(rows, size)
    kept = [index for index, value in enumerate(sizes) if value is not None and value > 0]
    if not kept:
        return empty_figure(empty, title=title)
    names, sizes = [names[index] for index in kept], [sizes[index] for index in kept]
    total = math.fsum(value or 0 for value in sizes)
    extra = [(what, [_numbers(rows, column)[index] for index in kept]) for column, what in details]
    shades = [_numbers(rows, colour_value)[index] for index in kept] if colour_value else []
    if colour_value:
        extra.append((colour_measure or Measure(colour_value, "number"), shades))

    heads, texts, hovers = [], [], []
    for position, name in enumerate(names):
        value = sizes[position]
        share = (value or 0) / total
        second = [
            _short(what.text(values[position]), what.title.lower(), share=share) for what, values in extra[:1]
        ]
        lines = [f"{measure.text(value)} · {theme.percent(share)}", *second]
        # A small tile has room for less; what it leaves out is in the hover text.
        texts.append(_tile_text(lines if share >= 0.06 else lines[:1] if share >= 0.03 else []))
        heads.append(_tile_text([f"<b>{escape(line)}</b>" for line in wrap(name, 12)]))
        hovers.append(
            "<br>".join(
                [
                    f"<b>{escape(name)}</b>",
                    f"{measure.title}: {measure.exact(value)}",
                    f"Share: {theme.percent_exact(share)}",
                    *(f"{what.title}: {what.exact(values[position])}" for what, values in extra),
                ]
            )
        )

    marker: dict[str, Any] = {
        "pad": {"t": 0, "l": 0, "r": 0, "b": 0},
        "line": {"width": 0},
        "cornerradius": 3,
    }
    font: dict[str, Any] = {"size": 12}
    if colour_value:
        shade_measure = extra[-1][0]
        known = [shade for shade in shades if shade is not None]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        colours = [_shade(shade, low, high) for shade in shades]
        ticks = sorted({low, high})
        figure_bar = {
            "title": {
                "text": shade_measure.axis_title,
                "side": "top",
                "font": {"color": theme.TEXT, "size": 12},
            },
            "orientation": "h",
            "thickness": 8,
            "len": 0.6,
            "x": 0,
            "xanchor": "left",
            "y": -0.02,
            "yanchor": "top",
            "tickvals": ticks,
            "ticktext": [shade_measure.text(tick) for tick in ticks],
            "tickfont": {"color": theme.TEXT, "size": 12},
            "xpad": 24,  # half the width of the figures at its ends
            "ypad": 0,
            "outlinewidth": 0,
        }
    else:
        figure_bar = None
        colours = [theme.segment_colour(name) for name in names]
    marker["colors"] = colours
    font["color"] = [theme.text_on(colour) for colour in colours]

    figure = _figure(title, height=430)
    # All tiles speak in one size; a text that does not fit in it is left out rather than shrunk.
    figure.update_layout(uniformtext={"minsize": 11, "mode": "hide"})
    figure.add_treemap(
        ids=names,
        labels=heads,
        parents=[""] * len(names),
        values=sizes,
        text=texts,
        textinfo="label+text",
        hovertext=hovers,
        hovertemplate="%{hovertext}<extra></extra>",
        marker=marker,
        textfont=font,
        tiling={"packing": "squarify", "squarifyratio": 1, "pad": 2},
        pathbar={"visible": False},
        root={"color": "rgba(0,0,0,0)"},
        sort=True,
    )
    if figure_bar:
        # A treemap shades its tiles before it knows our text colours, so the tiles come with their colours
        # and the scale is drawn by a mark nobody sees.
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="markers",
            marker={
                "color": [low],
                "cmin": low - 1e-9 * abs(low),  # a tick on the very edge would be dropped
                "cmax": high if high > low else low + 1,
                "colorscale": _scale(theme.SEQUENTIAL),
                "showscale": True,
                "colorbar": figure_bar,
            },
            hoverinfo="skip",
            showlegend=False,
        )
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
        figure.update_layout(margin={"b": 56})
    shares = [f"{measure.text(value)} ({theme.percent((value or 0) / total)})" for value in sizes]
    _describe(figure, list(zip(names, shares, strict=True)))
    return figure


def ranked_bar(
    rows: Rows,
    category: str,
    value: str,
    *,
    title: str,
    measure: Measure,
    category_title: str = "",
    details: Details = (),
    keep_order: bool = False,
    whole: bool = False,
    colour: str | Callable[[str], str] = theme.segment_colour,
    low: str | None = None,
    high: str | None = None,
    label: Callable[[str], str] = str,
    empty: str = "There is nothing to compare yet.",
) -> go.Figure:
    """Return horizontal bars, the largest on top, each with its value behind it.

    From one row per category: `category`, `value`, the columns of `details`, and `low` and `high` where an
    interval is to be drawn. `keep_order` keeps the order of the rows (stages, age bands); `whole` runs the axis of a share
    from 0 to 100 %. `colour` is one colour or gives one for a name; `label` writes the name for the axis. A click
    gives the category. An undefined value has no bar and reads "–".
    """
    raw = _column(rows, category)
    values = _numbers(rows, value)
    if not _any(values):
        return empty_figure(empty, title=title)
    extra = [(what, _numbers(rows, column)) for column, what in details]
    order = list(range(len(raw)))
    if not keep_order:
        order.sort(
            key=lambda index: -math.inf if values[index] is None else values[index] or 0.0, reverse=True
        )
    names = [str(raw[index]) for index in order]
    sizes = [values[index] for index in order]
    lows = [_numbers(rows, low)[index] if low else None for index in order]
    highs = [_numbers(rows, high)[index] if high else None for index in order]

    hovers = []
    for position, index in enumerate(order):
        lines = [
            f"<b>{escape(label(names[position]))}</b>",
            f"{measure.title}: {measure.exact(values[index])}",
        ]
        if lows[position] is not None and highs[position] is not None:
            lines.append(f"Between {measure.exact(lows[position])} and {measure.exact(highs[position])}")
        lines += [f"{what.title}: {what.exact(column[index])}" for what, column in extra]
        hovers.append("<br>".join(lines))

    known = [number for number in (*sizes, *lows, *highs) if number is not None]
    first, last = min(0.0, *known, 0.0), 1.0 if whole else max(0.0, *known, 0.0)
    figures = [measure.text(size) for size in sizes]
    figure = _figure(title, height=_BAR_PITCH * len(names) + _TITLE_ROOM + _TOOL_ROOM + 36)
    figure.update_layout(margin={"r": 12 + 8 * max(len(text) for text in figures)})
    figure.add_bar(
        x=sizes,
        y=[str(position) for position in range(len(names))],
        orientation="h",
        marker={"color": [colour if isinstance(colour, str) else colour(name) for name in names]},
        width=0.62,
        customdata=[[name] for name in names],
        hovertext=hovers,
        hovertemplate="%{hovertext}<extra></extra>",
        unselected={"marker": {"opacity": 0.45}},
        error_x=_interval(sizes, lows, highs) if low and high else None,
    )
    # The values stand in a column of their own, right-aligned as in a table: on no screen do they run into a bar.
    for position, text in enumerate(figures):
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
    figure.update_xaxes(
        title_text=measure.axis_title,
        range=[first, last if last > first else 1],
        showticklabels=False,
        showgrid=False,
        zeroline=True,
        zerolinecolor=theme.GREY,
        zerolinewidth=1,
    )
    figure.update_yaxes(
        title_text=category_title,
        type="category",
        autorange="reversed",
        tickvals=[str(position) for position in range(len(names))],
        ticktext=[_folded(label(name)) for name in names],
        tickfont={"size": 13},
        showgrid=False,
        ticklabelstandoff=4,
    )
    _describe(figure, [(label(name), measure.text(size)) for name, size in zip(names, sizes, strict=True)])
    return figure


def histogram(
    rows: Rows,
    low: str = "low",
    high: str = "high",
    count: str = "customers",
    *,
    title: str,
    measure: Measure,
    count_measure: Measure = _CUSTOMERS,
    marks: Sequence[tuple[float, str]] = (),
    empty: str = "There are no values to count yet.",
) -> go.Figure:
    """Return one column per bin, as high as the number of customers in it.

    From one row per bin, in order: `low` and `high`, its edges in units of `measure`, and `count`. An edge that
    is None or infinite is open ("and more"). All columns are equally wide, whatever their bins span, and the
    edges are written between them. `marks` are values shown as vertical lines with their names. A click gives
    the edges.
    """
    lows, highs, counts = _numbers(rows, low), _numbers(rows, high), _numbers(rows, count)
    if not counts or not math.fsum(number or 0 for number in counts):
        return empty_figure(empty, title=title)
    total = math.fsum(number or 0 for number in counts)
    names = []
    for foot, top in zip(lows, highs, strict=True):
        if foot is None:
            names.append(f"Below {measure.text(top)}")
        elif top is None:
            names.append(f"{measure.text(foot)} and more")
        else:
            names.append(f"{measure.text(foot)} to {measure.text(top)}")
    figure = _figure(title, height=320)
    figure.add_bar(
        x=list(range(len(counts))),
        y=counts,
        width=0.94,
        marker={"color": theme.ACCENT},
        customdata=[list(edges) for edges in zip(lows, highs, strict=True)],
        hovertext=[
            f"<b>{name}</b><br>{count_measure.title}: {count_measure.exact(number)}"
            f"<br>Share: {theme.percent_exact((number or 0) / total)}"
            for name, number in zip(names, counts, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        unselected={"marker": {"opacity": 0.45}},
    )
    longest = max(len(measure.text(foot)) for foot in lows)
    room = 6 if longest <= 6 else 4  # as many labels stand side by side on a phone
    step = max(1, math.ceil(len(counts) / room))
    ticks = [index for index, foot in enumerate(lows) if index % step == 0 and foot is not None]
    edge_places, edge_texts = [index - 0.5 for index in ticks], [measure.text(lows[index]) for index in ticks]
    if len(counts) % step == 0 and highs[-1] is not None:
        edge_places.append(len(counts) - 0.5)
        edge_texts.append(measure.text(highs[-1]))
    for position, (at, name) in enumerate(marks):
        place = _place(at, lows, highs)
        if place is None:
            continue
        right = place > len(counts) / 2
        figure.add_vline(x=place, line={"width": 1.2, "dash": "dot", "color": theme.GREY})
        figure.add_annotation(
            x=place,
            y=1,
            yref="paper",
            yanchor="bottom",
            yshift=2 + 18 * position,
            text=f"{escape(name)} {measure.text(at)}",
            showarrow=False,
            xanchor="right" if right else "left",
            font={"size": 12},
        )
    figure.update_layout(bargap=0, margin={"t": figure.layout.margin.t + 18 * max(0, len(marks) - 1)})
    figure.update_xaxes(
        title_text=measure.axis_title,
        tickvals=edge_places,
        ticktext=edge_texts,
        tickangle=0,
        ticks="outside",
        ticklen=4,
        range=[-0.55, len(counts) - 0.45],
    )
    figure.update_yaxes(title_text=count_measure.axis_title, **_value_axis(count_measure, counts))
    _describe(
        figure, [(name, count_measure.text(number)) for name, number in zip(names, counts, strict=True)]
    )
    return figure


def backtest_bars(
    rows: Rows,
    period: str,
    predicted: str = "predicted",
    actual: str = "actual",
    *,
    title: str,
    measure: Measure,
    period_title: str,
    low: str | None = None,
    high: str | None = None,
    empty: str = "The history is too short to test a forecast on it.",
) -> go.Figure:
    """Return what was predicted beside what happened, per period or group, with the interval if there is one.

    From one row per `period` (a week, a month, a group; in order): `predicted` and `actual` in units of
    `measure`, and `low` and `high` of the prediction. A click gives the period.
    """
    periods = [str(name) for name in _column(rows, period)]
    forecast, facts = _numbers(rows, predicted), _numbers(rows, actual)
    if not _any(facts) or not _any(forecast):
        return empty_figure(empty, title=title)
    lows = _numbers(rows, low) if low else [None] * len(periods)
    highs = _numbers(rows, high) if high else [None] * len(periods)
    hovers = []
    for name, guess, fact, foot, top in zip(periods, forecast, facts, lows, highs, strict=True):
        lines = [
            f"<b>{escape(name)}</b>",
            f"Predicted: {measure.exact(guess)}",
            f"Actual: {measure.exact(fact)}",
        ]
        if foot is not None and top is not None:
            lines.append(f"Interval: {measure.exact(foot)} to {measure.exact(top)}")
        lines.append(f"Error: {theme.change(guess, fact)}")
        hovers.append("<br>".join(lines))
    shared = {
        "x": periods,
        "customdata": [[name] for name in periods],
        "hovertext": hovers,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "unselected": {"marker": {"opacity": 0.45}},
    }
    figure = _figure(title, height=320)
    figure.add_bar(y=facts, name="Actual", marker={"color": theme.GREY}, **shared)
    figure.add_bar(
        y=forecast,
        name="Predicted",
        marker={"color": theme.ACCENT},
        error_y=_interval(forecast, lows, highs) if low and high else None,
        **shared,
    )
    figure.update_layout(barmode="group", bargap=0.28, bargroupgap=0.04)
    _add_legend(figure)
    figure.update_xaxes(title_text=period_title, type="category", nticks=12, tickangle=0)
    figure.update_yaxes(title_text=measure.axis_title, **_value_axis(measure, [*facts, *forecast, *highs]))
    _describe(
        figure,
        [
            (name, f"predicted {measure.text(guess)}, actual {measure.text(fact)}")
            for name, guess, fact in zip(periods, forecast, facts, strict=True)
        ],
    )
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
            margin={"t": copy.layout.margin.t - _TITLE_ROOM},
            height=copy.layout.height - _TITLE_ROOM,
        )
    return copy


def tiles_of(figure: Figure) -> list[str]:
    """Return the names of a treemap's tiles; of any other figure, none."""
    return [str(tile) for trace in figure.data if trace.type == "treemap" for tile in trace.ids]


def with_tile_framed(figure: Figure, name: str) -> Figure:
    """Return a copy of a treemap with a frame around the tile `name`."""
    line = {"color": theme.TEXT, "width": [3 if tile == name else 0 for tile in tiles_of(figure)]}
    return go.Figure(figure).update_traces(marker={"line": line}, selector={"type": "treemap"})


def _figure(title: str, *, height: int) -> go.Figure:
    """Return a bare figure: see-through, so that the page's own colour shows, and still under a finger."""
    figure = go.Figure()
    figure.update_layout(
        title={"text": escape(title)},
        height=height,
        margin={"l": 0, "r": 4, "t": (_TITLE_ROOM if title else 0) + _TOOL_ROOM, "b": 0},
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


def _add_legend(figure: go.Figure) -> None:
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


def _value_axis(measure: Measure, values: Sequence[float | None]) -> dict[str, Any]:
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


def _column(rows: Rows, name: str) -> list[Any]:
    """Return one column of `rows` as a list."""
    if isinstance(rows, Sequence):
        return [row[name] for row in rows]
    frame: nw.DataFrame[Any] = (
        rows if isinstance(rows, nw.DataFrame) else nw.from_native(rows, eager_only=True)
    )
    return frame[name].to_list()


def _numbers(rows: Rows, name: str) -> list[float | None]:
    """Return one column as floats, None where a value is undefined."""
    return [theme.as_number(value) for value in _column(rows, name)]


def _any(values: Sequence[Number]) -> bool:
    return any(value is not None for value in values)


def _day(value: Any) -> date:
    """Return the day that a cell of a time column names: a date, a time stamp or "2025-03" text."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value)
    return date.fromisoformat(f"{text}-01" if len(text) == len("2025-03") else text[:10])


def _ends(day: date) -> bool:
    """Return whether `day` is the last of its month."""
    return day.day == calendar.monthrange(day.year, day.month)[1]


def _month_widths(months: Sequence[date], share: float) -> list[float]:
    """Return bars' widths on a time axis (milliseconds): `share` of the shortest month, so that all are alike."""
    return [28 * 86_400_000 * share] * len(months)


def _interval(
    values: Sequence[float | None], lows: Sequence[float | None], highs: Sequence[float | None]
) -> dict[str, Any]:
    """Return the error bars that reach from `lows` to `highs`; a value without both ends has none."""
    known = [None not in ends for ends in zip(values, lows, highs, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": [
            max(0.0, (top or 0) - (at or 0)) if on else None
            for at, top, on in zip(values, highs, known, strict=True)
        ],
        "arrayminus": [
            max(0.0, (at or 0) - (foot or 0)) if on else None
            for at, foot, on in zip(values, lows, known, strict=True)
        ],
        "color": theme.TEXT,
        "thickness": 1.2,
        "width": 3,
    }


def _place(value: float, lows: Sequence[float | None], highs: Sequence[float | None]) -> float | None:
    """Return where `value` lies among columns 1 apart, or None when it is in none of them."""
    for index, (low, high) in enumerate(zip(lows, highs, strict=True)):
        if (low is None or low <= value) and (high is None or value < high):
            inside = 0.5 if low is None or high is None else (value - low) / (high - low)
            return index - 0.5 + inside
    return None


def _folded(name: str) -> str:
    """Return a name on at most two lines; a longer one ends in "…" and is whole in the hover text."""
    lines = wrap(name, _NAME_WIDTH, max_lines=2, placeholder="…") or [""]
    return "<br>".join(escape(line) for line in lines)


def _short(figure: str, name: str, *, share: float) -> str:
    """Return a figure with its name where a tile of this share has room for both on a phone."""
    return f"{figure} {name}" if share >= 0.1 and len(figure) + len(name) < 18 else figure


def _tile_text(lines: Sequence[str]) -> str:
    return "<br>".join(_INDENT + line for line in lines)


def _scale(colours: Sequence[str]) -> list[list[Any]]:
    return [[index / (len(colours) - 1), colour] for index, colour in enumerate(colours)]


def _shade(value: float | None, low: float, high: float) -> str:
    """Return the colour between the ends of the sequential scale that `value` has between `low` and `high`."""
    if value is None:
        return theme.GREY
    place = (value - low) / (high - low) * (len(theme.SEQUENTIAL) - 1) if high > low else 0.0
    left = min(int(place), len(theme.SEQUENTIAL) - 2)
    part = place - left
    pairs = zip(*(_channels(colour) for colour in theme.SEQUENTIAL[left : left + 2]), strict=True)
    return "#" + "".join(f"{round(one + (other - one) * part):02X}" for one, other in pairs)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[start : start + 2], 16) for start in (1, 3, 5))


def _describe(figure: go.Figure, pairs: Sequence[tuple[str, str]], *, limit: int = 12) -> None:
    """Write the figure in words for those who do not see it: the title and the first `limit` marks."""
    told = "; ".join(f"{name} {text}" for name, text in pairs[:limit])
    rest = f"; and {len(pairs) - limit} more" if len(pairs) > limit else ""
    alt: Mapping[str, str] = {"alt": f"{figure.layout.meta['alt']} {told}{rest}."}
    figure.update_layout(meta=dict(alt))

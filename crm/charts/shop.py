"""Figures of the shop as it is: revenue by month, segments, rankings, distributions, and a forecast that was tested."""

import calendar
import math
from collections.abc import Callable, Sequence
from datetime import date
from html import escape
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from crm import theme, wording
from crm.charts.figures import (
    BAR_PITCH,
    CUSTOMERS,
    TITLE_ROOM,
    TOOL_ROOM,
    Details,
    Rows,
    add_legend,
    add_names,
    add_values,
    any_known,
    bare_figure,
    colour_between,
    column_of,
    day_of,
    describe,
    empty_figure,
    hide_value_axis,
    month_ticks,
    numbers_of,
    prediction_hovers,
    value_axis,
)
from crm.wording import Measure

_ROUND = ("1.000000", "2.000000", "5.000000")
"""The leading digits of a step that reads well."""

_INDENT = "\N{EN SPACE}"
"""Keeps a tile's text off its edge, for which Plotly has no setting."""


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
    months = [day_of(value) for value in column_of(rows, x)]
    now = numbers_of(rows, y)
    if not any_known(now):
        return empty_figure(empty, title=title)
    last = max(month for month, value in zip(months, now, strict=True) if value is not None)
    unfinished = (
        as_of is not None and (as_of.year, as_of.month) == (last.year, last.month) and not _ends(as_of)
    )
    figure = bare_figure(title, height=320)

    compared = numbers_of(rows, before) if before else [None] * len(now)
    if before and any_known(compared):
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
            f"1–{as_of.day} {wording.month(month)}, not over"
            if as_of and unfinished and month == last
            else ""
        )
        lines = [f"<b>{so_far or wording.month(month)}</b>", f"{measure.title}: {measure.exact(value)}"]
        if before:
            lines.append(f"{escape(before_label)}: {measure.exact(old)}")
            if not so_far:  # part of a month against a whole one says nothing
                lines.append(f"Change: {wording.change(value, old)}")
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
        add_legend(figure)
    figure.update_xaxes(
        title_text=f"Month (hatched: 1–{as_of.day} {wording.month(as_of)})"
        if as_of and unfinished
        else "Month",
        type="date",
        ticklabelmode="instant",
        hoverformat="%b %Y",
        **month_ticks(min(months), max(months), most=12),  # a phone has room for twelve
    )
    figure.update_yaxes(title_text=measure.axis_title, **value_axis(measure, [*now, *compared]))
    describe(
        figure,
        [(wording.month(month), measure.text(value)) for month, value in zip(months, now, strict=True)],
    )
    return figure


def segment_treemap(
    rows: Rows,
    segment: str,
    size: str = "customers",
    colour_value: str | None = None,
    *,
    title: str,
    measure: Measure = CUSTOMERS,
    colour_measure: Measure | None = None,
    details: Details = (),
    empty: str = "There are no customers to divide yet.",
) -> go.Figure:
    """Return one tile per segment, as large as its `size`, in the segment's own colour.

    From one row per segment: `segment`, `size` (described by `measure`) and the columns of `details`. With
    `colour_value` the tiles are shaded by that column, described by `colour_measure`, instead. Each tile says
    its name, its size, its share and the first of `details`; a click gives the segment as the tile's id.
    """
    names = [str(name) for name in column_of(rows, segment)]
    sizes = numbers_of(rows, size)
    kept = [index for index, value in enumerate(sizes) if value is not None and value > 0]
    if not kept:
        return empty_figure(empty, title=title)
    names, sizes = [names[index] for index in kept], [sizes[index] for index in kept]
    total = math.fsum(value or 0 for value in sizes)
    extra = [(what, [numbers_of(rows, column)[index] for index in kept]) for column, what in details]
    shades = [numbers_of(rows, colour_value)[index] for index in kept] if colour_value else []
    if colour_value:
        extra.append((colour_measure or Measure(colour_value, "number"), shades))

    heads, texts, hovers = [], [], []
    for position, name in enumerate(names):
        value = sizes[position]
        share = (value or 0) / total
        second = [
            _short(what.text(values[position]), what.title.lower(), share=share) for what, values in extra[:1]
        ]
        lines = [f"{measure.text(value)} · {wording.percent(share)}", *second]
        # A small tile has room for less; what it leaves out is in the hover text.
        texts.append(_tile_text(lines if share >= 0.06 else lines[:1] if share >= 0.03 else []))
        heads.append(_tile_text([f"<b>{escape(line)}</b>" for line in wrap(name, 12)]))
        hovers.append(
            "<br>".join(
                [
                    f"<b>{escape(name)}</b>",
                    f"{measure.title}: {measure.exact(value)}",
                    f"Share: {wording.percent_exact(share)}",
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
        colours = [colour_between(shade, low, high) for shade in shades]
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

    figure = bare_figure(title, height=430)
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
    shares = [f"{measure.text(value)} ({wording.percent((value or 0) / total)})" for value in sizes]
    describe(figure, list(zip(names, shares, strict=True)))
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
    raw = column_of(rows, category)
    values = numbers_of(rows, value)
    if not any_known(values):
        return empty_figure(empty, title=title)
    extra = [(what, numbers_of(rows, column)) for column, what in details]
    order = list(range(len(raw)))
    if not keep_order:
        order.sort(
            key=lambda index: -math.inf if values[index] is None else values[index] or 0.0, reverse=True
        )
    names = [str(raw[index]) for index in order]
    sizes = [values[index] for index in order]
    lows = [numbers_of(rows, low)[index] if low else None for index in order]
    highs = [numbers_of(rows, high)[index] if high else None for index in order]

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
    figure = bare_figure(title, height=BAR_PITCH * len(names) + TITLE_ROOM + TOOL_ROOM + 36)
    for part, interval in _with_intervals(sizes, lows, highs):
        figure.add_bar(
            x=part,
            y=[str(position) for position in range(len(names))],
            orientation="h",
            marker={"color": [colour if isinstance(colour, str) else colour(name) for name in names]},
            width=0.62,
            offsetgroup="values",
            customdata=[[name] for name in names],
            hovertext=hovers,
            hovertemplate="%{hovertext}<extra></extra>",
            unselected={"marker": {"opacity": 0.45}},
            error_x=interval,
        )
    add_names(figure, [label(name) for name in names], title=category_title)
    add_values(figure, [measure.text(size) for size in sizes])
    hide_value_axis(figure, measure, known, last=1.0 if whole else None)
    describe(figure, [(label(name), measure.text(size)) for name, size in zip(names, sizes, strict=True)])
    return figure


def histogram(
    rows: Rows,
    low: str = "low",
    high: str = "high",
    count: str = "customers",
    *,
    title: str,
    measure: Measure,
    count_measure: Measure = CUSTOMERS,
    marks: Sequence[tuple[float, str]] = (),
    empty: str = "There are no values to count yet.",
) -> go.Figure:
    """Return one column per bin, as high as the number of customers in it.

    From one row per bin, in order: `low` and `high`, its edges in units of `measure`, and `count`. An edge that
    is None or infinite is open ("and more"). All columns are equally wide, whatever their bins span, and edges
    are written between them: 0, if it is one, and of bins of one width its round multiples. `marks` are values
    shown as vertical lines with their names. A click gives the edges.
    """
    lows, highs, counts = numbers_of(rows, low), numbers_of(rows, high), numbers_of(rows, count)
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
    figure = bare_figure(title, height=320)
    figure.add_bar(
        x=list(range(len(counts))),
        y=counts,
        width=0.94,
        marker={"color": theme.ACCENT},
        customdata=[list(edges) for edges in zip(lows, highs, strict=True)],
        hovertext=[
            f"<b>{name}</b><br>{count_measure.title}: {count_measure.exact(number)}"
            f"<br>Share: {wording.percent_exact((number or 0) / total)}"
            for name, number in zip(names, counts, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        unselected={"marker": {"opacity": 0.45}},
    )
    longest = max(len(measure.text(foot)) for foot in lows)
    room = 6 if longest <= 6 else 4  # as many labels stand side by side on a phone
    edges = [*lows, highs[-1]]
    ticks = _edge_ticks(edges, room)
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
        tickvals=[index - 0.5 for index in ticks],
        ticktext=[measure.text(edges[index]) for index in ticks],
        tickangle=0,
        ticks="outside",
        ticklen=4,
        range=[-0.55, len(counts) - 0.45],
    )
    figure.update_yaxes(title_text=count_measure.axis_title, **value_axis(count_measure, counts))
    describe(figure, [(name, count_measure.text(number)) for name, number in zip(names, counts, strict=True)])
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
    periods = [str(name) for name in column_of(rows, period)]
    forecast, facts = numbers_of(rows, predicted), numbers_of(rows, actual)
    if not any_known(facts) or not any_known(forecast):
        return empty_figure(empty, title=title)
    lows = numbers_of(rows, low) if low else [None] * len(periods)
    highs = numbers_of(rows, high) if high else [None] * len(periods)
    hovers = prediction_hovers(
        periods,
        forecast,
        facts,
        lows,
        highs,
        measure=measure,
    )
    shared = {
        "x": periods,
        "customdata": [[name] for name in periods],
        "hovertext": hovers,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "unselected": {"marker": {"opacity": 0.45}},
    }
    figure = bare_figure(title, height=320)
    figure.add_bar(y=facts, name="Actual", marker={"color": theme.GREY}, offsetgroup="actual", **shared)
    for position, (part, interval) in enumerate(_with_intervals(forecast, lows, highs)):
        figure.add_bar(
            y=part,
            name="Predicted",
            marker={"color": theme.ACCENT},
            offsetgroup="predicted",
            error_y=interval,
            showlegend=position == 0,
            **shared,
        )
    figure.update_layout(barmode="group", bargap=0.28, bargroupgap=0.04)
    add_legend(figure)
    step = math.ceil(
        len(periods) / 12
    )  # a phone has room for twelve short names, or for words on several lines
    letters = max(5, 40 // len(periods))
    figure.update_xaxes(
        title_text=period_title,
        type="category",
        tickvals=periods[::step],
        ticktext=[
            "<br>".join(escape(line) for line in wrap(name, letters, break_long_words=False))
            for name in periods[::step]
        ],
        tickangle=0,
    )
    figure.update_yaxes(
        title_text=measure.axis_title, **value_axis(measure, [*facts, *forecast, *lows, *highs])
    )
    describe(
        figure,
        [
            (name, f"predicted {measure.text(guess)}, actual {measure.text(fact)}")
            for name, guess, fact in zip(periods, forecast, facts, strict=True)
        ],
    )
    return figure


def _ends(day: date) -> bool:
    """Return whether `day` is the last of its month."""
    return day.day == calendar.monthrange(day.year, day.month)[1]


def _month_widths(months: Sequence[date], share: float) -> list[float]:
    """Return bars' widths on a time axis (milliseconds): `share` of the shortest month, so that all are alike."""
    return [28 * 86_400_000 * share] * len(months)


def _with_intervals(
    values: Sequence[float | None], lows: Sequence[float | None], highs: Sequence[float | None]
) -> list[tuple[list[float | None], dict[str, Any] | None]]:
    """Return the values of bars with the error bars from `lows` to `highs`, and of those without both ends.

    Each is as long as `values`, with None for the other's, and is left out when it has none of its own.
    """
    # Plotly draws a missing end as a cap at the value itself: bars without an interval need a trace of their own.
    known = [None not in ends for ends in zip(values, lows, highs, strict=True)]
    told = [value if on else None for value, on in zip(values, known, strict=True)]
    rest = [None if on else value for value, on in zip(values, known, strict=True)]
    interval = {
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
    parts: list[tuple[list[float | None], dict[str, Any] | None]] = []
    if any(known):
        parts.append((told, interval))
    if any_known(rest) or not parts:
        parts.append((rest, None))
    return parts


def _edge_ticks(edges: Sequence[float | None], room: int) -> list[int]:
    """Return which of the bins' `edges` are written: 0 if it is one, and others as far apart, about `room`."""
    known = {index: edge for index, edge in enumerate(edges) if edge is not None}
    least = max(1, math.ceil((len(edges) - 1) / room))
    widths = [later - edge for index, edge in known.items() if (later := known.get(index + 1)) is not None]
    if not widths or not math.isclose(min(widths), max(widths), rel_tol=1e-6):
        nought = next((index for index, edge in known.items() if edge == 0), 0)
        return [index for index in known if (index - nought) % least == 0]
    width = widths[0]

    def multiples(step: int) -> list[int]:
        return [index for index, edge in known.items() if round(edge / width) % step == 0]

    steps = (step for step in range(least, len(edges)) if f"{step * width:e}"[:8] in _ROUND)
    ticks = next((multiples(step) for step in steps), [])
    return ticks if len(ticks) > 2 else multiples(least)


def _place(value: float, lows: Sequence[float | None], highs: Sequence[float | None]) -> float | None:
    """Return where `value` lies among columns 1 apart, or None when it is in none of them."""
    for index, (low, high) in enumerate(zip(lows, highs, strict=True)):
        if (low is None or low <= value) and (high is None or value < high):
            inside = 0.5 if low is None or high is None else (value - low) / (high - low)
            return index - 0.5 + inside
    return None


def _short(figure: str, name: str, *, share: float) -> str:
    """Return a figure with its name where a tile of this share has room for both on a phone."""
    return f"{figure} {name}" if share >= 0.1 and len(figure) + len(name) < 18 else figure


def _tile_text(lines: Sequence[str]) -> str:
    return "<br>".join(_INDENT + line for line in lines)


def _scale(colours: Sequence[str]) -> list[list[Any]]:
    return [[index / (len(colours) - 1), colour] for index, colour in enumerate(colours)]

"""Figures of what customers are expected to be worth: the forecast's test, its reasons, its range and its course."""

from collections.abc import Sequence
from datetime import date, timedelta
from html import escape
from itertools import pairwise
from math import hypot
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from crm import theme, wording
from crm.charts.figures import (
    TITLE_ROOM,
    TOOL_ROOM,
    Rows,
    add_legend,
    add_names,
    add_values,
    any_known,
    bare_figure,
    colour_between,
    column_of,
    day_of,
    day_ticks,
    describe,
    empty_figure,
    hide_value_axis,
    numbers_of,
    prediction_hovers,
    seen_through,
    value_axis,
)
from crm.wording import Measure

_GAIN, _LOSS = theme.ACCENT, theme.CATEGORICAL[3]
"""Teal and rust, the ends of the diverging scale, in the tones that stand out on a light and on a dark page."""

_OLD_TO_NEW = (theme.CATEGORICAL[1], theme.ACCENT)
"""The first and the last cohort; all between them stand out on both pages too."""

_NAMED_ENDS = 4
"""So many cohorts are all named at the ends of their curves; of more, the first and the last."""

_PITCH = 40
"""Pixels from one horizontal bar to the next where names take two lines."""

_LABEL_ROOM = 20
"""Pixels above the marks for a line of text that belongs to a place along the axis."""

_LEGEND_ROOM = 16
"""Pixels more for a legend that is too wide for a place beside the tool bar of a phone."""

_PHONE = 230
"""Pixels that names leave to horizontal bars on a phone."""

_LETTER = 7
"""Pixels of a letter of 12 pixels' height, on average and generously."""

_DOT_REACH = 0.04
"""Part of the axes' length around a labelled dot in which no point of the curve takes a click.

Plotly gives a click to the smaller of two marks under it. On a phone this is twice the dot's radius.
"""


def tracking_curve(
    rows: Rows,
    x: str = "week_end",
    actual: str = "actual",
    predicted: str = "predicted",
    *,
    low: str | None = None,
    high: str | None = None,
    cut: date,
    title: str,
    measure: Measure,
    x_title: str = "Week to",
    interval_title: str = "Interval",
    empty: str = "The history is too short to test a forecast on it.",
) -> go.Figure:
    """Return what happened and what was predicted as two rising lines, with the day of the fit between them.

    From one row per week, in order: `x` (its last day), `actual` and `predicted`, both summed from the first week
    on, in units of `measure`; `low` and `high` of the prediction, drawn as a band where a row has both. `cut` is
    the last day that the model was fitted on. A click gives the day as "2025-06-29".
    """
    days = [day_of(value) for value in column_of(rows, x)]
    facts, forecast = numbers_of(rows, actual), numbers_of(rows, predicted)
    if not any_known(facts) and not any_known(forecast):
        return empty_figure(empty, title=title)
    lows = numbers_of(rows, low) if low else [None] * len(days)
    highs = numbers_of(rows, high) if high else [None] * len(days)
    hovers = prediction_hovers(
        [f"{x_title} {wording.day(day)}" for day in days],
        forecast,
        facts,
        lows,
        highs,
        measure=measure,
        interval_title=interval_title,
    )
    shared: dict[str, Any] = {
        "x": days,
        "mode": "lines+markers",
        "customdata": [[day.isoformat()] for day in days],
        "hovertext": hovers,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "showlegend": False,
    }

    figure = bare_figure(title, height=360)
    band_days, band_values = _band(days, lows, highs)
    if band_days:
        figure.add_scatter(
            x=band_days,
            y=band_values,
            mode="lines",
            line={"width": 0},
            fill="toself",
            fillcolor=seen_through(theme.ACCENT, 0.3),
            name=interval_title,
            hoverinfo="skip",
            showlegend=True,
        )
    figure.add_scatter(
        y=facts,
        name="Actual",
        line={"color": theme.GREY, "width": 3.5},
        marker=_points(facts, theme.GREY),
        selected={"marker": {"opacity": 1}},
        **shared,
    )
    figure.add_scatter(
        y=forecast,
        name="Predicted",
        line={"color": theme.ACCENT, "width": 2, "dash": "6px,3px"},
        marker=_points(forecast, theme.ACCENT),
        selected={"marker": {"opacity": 1}},
        **shared,
    )
    _explain_line(figure, "Actual", theme.GREY, "solid", width=3.5)
    _explain_line(figure, "Predicted", theme.ACCENT, "6px,3px")
    _mark_day(figure, cut, f"Fitted up to {wording.day(cut)}", days)
    _add_legend_row(figure)
    figure.update_xaxes(title_text=x_title)
    figure.update_yaxes(
        title_text=measure.axis_title, **value_axis(measure, [*facts, *forecast, *lows, *highs])
    )
    fitted = [row for row, day in enumerate(days) if day <= cut]
    told = sorted({fitted[-1] if fitted else 0, len(days) - 1})
    describe(
        figure,
        [
            ("fitted up to", wording.day(cut)),
            *(
                (
                    f"up to {wording.day(days[row])}",
                    f"predicted {measure.text(forecast[row])}, actual {measure.text(facts[row])}",
                )
                for row in told
            ),
        ],
    )
    return figure


def bridge(
    rows: Rows,
    step: str = "step",
    change: str = "change",
    kind: str = "kind",
    *,
    title: str,
    measure: Measure,
    why: str | None = None,
    empty: str = "There are no two figures to compare yet.",
) -> go.Figure:
    """Return the way from a first total to a last one: a bar for each total and for each change between them.

    From one row per step, in order: `step` names it, `kind` is "total" or "change", and `change` is the total
    itself or what is added to the one before (less than 0: taken off). `why` is a column with the reason in words,
    shown when one points at the bar. A click gives the step. An undefined change has no bar and reads "–".
    """
    names = [str(name) for name in column_of(rows, step)]
    sizes = numbers_of(rows, change)
    if not any_known(sizes):
        return empty_figure(empty, title=title)
    totals = [value == "total" for value in column_of(rows, kind)]
    reasons = column_of(rows, why) if why else [None] * len(names)

    starts: list[float | None] = []
    ends: list[float | None] = []
    texts, hovers = [], []
    reached = 0.0
    for name, size, total, reason in zip(names, sizes, totals, reasons, strict=True):
        start = 0.0 if total else reached
        starts.append(None if size is None else start)
        ends.append(None if size is None else start + size)
        reached = reached if size is None else start + size
        texts.append(measure.text(size) if total else _signed(size, measure.text(size)))
        lines = [f"<b>{escape(name)}</b>"]
        if total:
            lines.append(f"{measure.title}: {measure.exact(size)}")
        else:
            lines += [
                f"Change: {_signed(size, measure.exact(size))}",
                f"{measure.title} after it: {measure.exact(reached)}",
            ]
        if reason is not None and reason == reason:  # noqa: PLR0124 - a frame's empty text is unlike itself
            lines += [escape(line) for line in wrap(str(reason), 44)]
        hovers.append("<br>".join(lines))

    figure = bare_figure(title, height=_PITCH * len(names) + TITLE_ROOM + TOOL_ROOM + 36)
    figure.add_bar(
        x=[None if end is None else end - (start or 0.0) for start, end in zip(starts, ends, strict=True)],
        base=starts,
        y=[str(position) for position in range(len(names))],
        orientation="h",
        marker={
            "color": [
                theme.SLATE if total else _LOSS if (size or 0) < 0 else _GAIN
                for total, size in zip(totals, sizes, strict=True)
            ]
        },
        width=0.62,
        customdata=[[name] for name in names],
        hovertext=hovers,
        hovertemplate="%{hovertext}<extra></extra>",
        unselected={"marker": {"opacity": 0.45}},
    )
    drawn = [row for row, end in enumerate(ends) if end is not None]
    for row, following in pairwise(drawn):
        figure.add_shape(
            type="line",
            x0=ends[row],
            x1=ends[row],
            y0=row + 0.31,
            y1=following - 0.31,
            line={"color": theme.GREY, "width": 1},
        )
    add_names(figure, names)
    add_values(figure, texts)
    known = [place for place in (*starts, *ends) if place is not None]
    hide_value_axis(figure, measure, known)
    describe(figure, list(zip(names, texts, strict=True)))
    return figure


def tornado(
    rows: Rows,
    factor: str = "factor",
    low: str = "low",
    high: str = "high",
    *,
    base: float,
    title: str,
    measure: Measure,
    low_label: str = "low_label",
    high_label: str = "high_label",
    base_label: str = "Now",
    empty: str = "There is no assumption to change yet.",
) -> go.Figure:
    """Return how far each assumption moves a figure away from `base`, the one that moves it furthest on top.

    From one row per assumption: `factor` names it, `low` and `high` are the figure (in units of `measure`) at its
    low and at its high setting, and `low_label` and `high_label` name these settings ("5 %", "15 %"). Either may
    lie on either side of `base`. A click gives the factor. An undefined end has no bar.
    """
    raw = [str(name) for name in column_of(rows, factor)]
    lows, highs = numbers_of(rows, low), numbers_of(rows, high)
    if not any_known([*lows, *highs]):
        return empty_figure(empty, title=title)

    def width(row: int) -> float:
        ends = [end for end in (lows[row], highs[row]) if end is not None]
        return max(base, *ends) - min(base, *ends) if ends else -1.0

    order = sorted(range(len(raw)), key=width, reverse=True)
    names = [raw[row] for row in order]
    settings = [
        ["" if text is None or text != text else str(text) for text in column_of(rows, column)]  # noqa: PLR0124
        for column in (low_label, high_label)
    ]
    sides = [
        [(values[row], texts[row]) for row in order]
        for values, texts in zip((lows, highs), settings, strict=True)
    ]
    hovers = [
        "<br>".join(
            [
                f"<b>{escape(name)}</b>",
                *(
                    f"{escape(text)}: {measure.exact(end)} ({wording.change(end, base)})"
                    for end, text in (sides[0][position], sides[1][position])
                    if end is not None
                ),
                f"{escape(base_label)}: {measure.exact(base)}",
            ]
        )
        for position, name in enumerate(names)
    ]

    figure = bare_figure(title, height=_PITCH * len(names) + TITLE_ROOM + TOOL_ROOM + _LABEL_ROOM + 60)
    for side, name in zip(sides, (low, high), strict=True):
        figure.add_bar(
            x=[None if end is None else end - base for end, _ in side],
            base=base,
            y=[str(position) for position in range(len(names))],
            orientation="h",
            name=name,
            marker={"color": [_LOSS if end is not None and end < base else _GAIN for end, _ in side]},
            width=0.62,
            customdata=[[factor_name] for factor_name in names],
            hovertext=hovers,
            hovertemplate="%{hovertext}<extra></extra>",
            unselected={"marker": {"opacity": 0.45}},
        )
    left = right = 0
    for position, ends in enumerate(zip(*sides, strict=True)):
        for end, text, is_left in _tornado_labels(ends[0], ends[1], base):
            lines = [line for line in (text, measure.text(end)) if line]
            letters = max(len(line) for line in lines)
            left, right = (max(left, letters), right) if is_left else (left, max(right, letters))
            figure.add_annotation(
                x=end,
                y=str(position),
                xanchor="right" if is_left else "left",
                xshift=-4 if is_left else 4,
                align="right" if is_left else "left",
                text="<br>".join(escape(line) for line in lines),
                showarrow=False,
                font={"size": 12},
            )
    known = [end for end in (*lows, *highs, base) if end is not None]
    first, last = min(known), max(known)
    span = (last - first) or 1.0
    bars = max(80, _PHONE - _LETTER * (left + right))
    shown = [first - span * (_LETTER * left + 8) / bars, last + span * (_LETTER * right + 8) / bars]
    figure.update_xaxes(
        title_text=measure.axis_title, range=shown, showticklabels=False, showgrid=False, zeroline=False
    )
    add_names(figure, names)
    figure.add_vline(x=base, line={"width": 1.2, "color": theme.TEXT})
    _label_above(
        figure,
        base,
        f"{escape(base_label)} {measure.text(base)}",
        to_left=base - shown[0] > shown[1] - base,
    )
    figure.update_layout(barmode="overlay")
    figure.update_layout(margin={"t": figure.layout.margin.t + _LABEL_ROOM})
    describe(
        figure,
        [
            (base_label, measure.text(base)),
            *(
                (
                    name,
                    " and ".join(f"{measure.text(end)} at {text}" for end, text in ends if end is not None),
                )
                for name, *ends in zip(names, *sides, strict=True)
            ),
        ],
    )
    return figure


def cohort_curves(
    rows: Rows,
    cohort: str = "cohort",
    age: str = "months",
    value: str = "value",
    forecast: str = "forecast",
    *,
    title: str,
    measure: Measure,
    payback: float | None = None,
    payback_label: str = "Acquisition cost",
    empty: str = "No month has new customers yet.",
    unfinished: str = "No month is over yet for all of its customers.",
) -> go.Figure:
    """Return one rising line per cohort: what its customers brought so far, and dashed what they are expected to.

    From one row per cohort and month: `cohort` (the month of the first purchase), `age` (months since then),
    `value` and `forecast`, both cumulative and per customer of the cohort, in units of `measure`. A row has the
    one, the other, or both where the forecast begins; a month that is not over has neither. `payback` is the
    value at which a customer has paid for being won. A click gives the cohort as "2025-03". Cohorts without any
    value give a figure that says `unfinished`, no cohort at all one that says `empty`.
    """
    found: dict[date, list[tuple[float, float | None, float | None]]] = {}
    columns = (numbers_of(rows, age), numbers_of(rows, value), numbers_of(rows, forecast))
    for name, months, fact, guess in zip(column_of(rows, cohort), *columns, strict=True):
        if months is not None:
            found.setdefault(day_of(name), []).append((months, fact, guess))
    curves = {
        start: sorted(points)
        for start, points in sorted(found.items())
        if any_known([number for _, *numbers in points for number in numbers])
    }
    if not curves:
        return empty_figure(unfinished if found else empty, title=title)

    figure = bare_figure(title, height=380)
    tells: list[tuple[str, str]] = []
    ends: dict[date, tuple[float, float]] = {}
    for position, (start, points) in enumerate(curves.items()):
        colour = colour_between(max(position, len(curves) == 1), 0, max(1, len(curves) - 1), _OLD_TO_NEW)
        ages = [months for months, *_ in points]
        facts, guesses = [fact for _, fact, _ in points], [guess for *_, guess in points]
        repaid = _repaid(points, payback)
        hovers = []
        for months, fact, guess in points:
            lines = [
                f"<b>Customers of {wording.month(start)}</b>",
                f"{_months(months)} after the first purchase",
            ]
            if fact is not None:
                lines.append(f"{measure.title}: {measure.exact(fact)}")
            if guess is not None and fact is None:
                lines.append(f"{measure.title}, expected: {measure.exact(guess)}")
            if payback is not None:
                lines.append(f"{escape(payback_label)}: {measure.exact(payback)}, {repaid}")
            hovers.append("<br>".join(lines))
        for name, numbers, dash in (("Observed", facts, "solid"), ("Expected", guesses, "5px,3px")):
            if not any_known(numbers):
                continue
            # A month that is over for most and not for all is neither observed nor expected: the curve goes on.
            told_of = [at for at, number in enumerate(numbers) if number is not None or name == "Observed"]
            values = [numbers[at] for at in told_of]
            figure.add_scatter(
                x=[ages[at] for at in told_of],
                y=values,
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 2 if len(curves) <= 6 else 1.5, "dash": dash},
                marker=_points(values, colour),
                customdata=[[f"{start:%Y-%m}"]] * len(values),
                hovertext=[hovers[at] for at in told_of],
                hovertemplate="%{hovertext}<extra></extra>",
                selected={"marker": {"opacity": 1}},
                showlegend=False,
            )
        last_fact = _last(ages, facts)
        last_guess = _last(ages, guesses)
        end = last_guess or last_fact
        if end:
            ends[start] = end
        told = [f"{measure.text(at[1])} after {_months(at[0])}" for at in (last_fact,) if at]
        if last_guess and (not last_fact or last_guess[0] > last_fact[0]):
            told.append(f"{measure.text(last_guess[1])} expected after {wording.count(last_guess[0])}")
        tells.append((wording.month(start), ", ".join(told)))

    named = sorted(ends) if len(ends) <= _NAMED_ENDS else [min(curves), max(curves)]
    _name_ends(figure, {start: ends[start] for start in named})
    if payback is not None:
        _draw_payback(
            figure, payback, f"{escape(payback_label)} {measure.text(payback)}", list(ends.values())
        )
        tells.insert(0, (payback_label, measure.text(payback)))
    if any(trace.name == "Expected" for trace in figure.data):
        for name, dash in (("Observed", "solid"), ("Expected", "5px,3px")):
            _explain_line(figure, name, theme.TEXT, dash)  # in no cohort's colour: it stands for all
        add_legend(figure)
    oldest = max(months for months, _ in ends.values())
    step = next(step for step in (1, 2, 3, 6, 12, 24, 60, 120, 1200) if oldest / step <= 8 or step == 1200)
    figure.update_xaxes(
        title_text="Months since the first purchase",
        range=[-0.02 * max(oldest, 1), max(oldest, 1) * 1.01],
        dtick=step,
        tick0=0,
        zeroline=False,
    )
    numbers = [number for points in curves.values() for _, *pair in points for number in pair]
    figure.update_yaxes(title_text=measure.axis_title, **value_axis(measure, [*numbers, payback]))
    describe(figure, tells)
    return figure


def alive_path(
    rows: Rows,
    day: str = "day",
    probability: str = "probability",
    *,
    purchases: Sequence[date],
    title: str,
    today: date,
    empty: str = "There is no purchase yet.",
) -> go.Figure:
    """Return how likely a customer was still one, day by day, above the days of the purchases.

    From one row per day, in order: `day` and `probability` (0 to 1), as the model saw it on that day. Rows after
    `today`, the last day observed, are drawn dashed: what becomes of it if no order comes. `purchases` are the days
    with a purchase. A click gives the day as "2025-06-29".
    """
    days = [day_of(value) for value in column_of(rows, day)]
    chances = numbers_of(rows, probability)
    if not any_known(chances):
        return empty_figure(empty, title=title)
    bought = sorted({day_of(value) for value in purchases})
    past: list[float | None] = [
        chance if at <= today else None for at, chance in zip(days, chances, strict=True)
    ]
    rest = [row for row, at in enumerate(days) if at > today]
    ahead: list[float | None] = [None] * len(days)
    if rest:
        for row in range(
            max(0, rest[0] - 1), len(days)
        ):  # from the last day observed on, so that the two meet
            ahead[row] = chances[row]

    hovers = []
    for at, chance in zip(days, chances, strict=True):
        before = [purchase for purchase in bought if purchase <= min(at, today)]
        lines = [
            f"<b>{wording.day(at)}</b>",
            f"{wording.percent(chance)} {'likely ' if chance is not None else ''}still a customer",
        ]
        if before:
            lines.append(
                "Day of a purchase"
                if at == before[-1]
                else f"{wording.days((at - before[-1]).days)} after the last purchase"
            )
        if at > today:
            lines.append("if no order comes")
        hovers.append("<br>".join(lines))

    figure = bare_figure(title, height=300)
    for name, values, dash in (
        ("So far", past, "solid"),
        ("If no order comes", ahead, "5px,3px"),
    ):
        if not any_known(values):
            continue
        figure.add_scatter(
            x=days,
            y=values,
            name=name,
            mode="lines+markers",
            showlegend=False,
            line={"color": theme.ACCENT, "width": 2.2, "dash": dash},
            marker=_points(values, theme.ACCENT),
            customdata=[[at.isoformat()] for at in days],
            hovertext=hovers,
            hovertemplate="%{hovertext}<extra></extra>",
            selected={"marker": {"opacity": 1}},
        )
    if bought:
        gaps = [None, *((later - earlier).days for earlier, later in pairwise(bought))]
        figure.add_scatter(
            x=bought,
            y=[-0.06] * len(bought),
            name="Purchases",
            mode="markers",
            marker={
                "symbol": "line-ns-open",
                "size": 9,
                "color": theme.TEXT,
                "line": {"width": 1.4, "color": theme.TEXT},
            },
            customdata=[[at.isoformat()] for at in bought],
            hovertext=[
                f"<b>{wording.day(at)}</b><br>"
                + ("First purchase" if gap is None else f"Purchase, {wording.days(gap)} after the one before")
                for at, gap in zip(bought, gaps, strict=True)
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            showlegend=False,
        )
    now = _last([at.toordinal() for at in days], past)
    current = wording.percent(now[1]) if now else wording.UNDEFINED
    _mark_day(figure, today, f"{current} on {wording.day(today)}", [*days, *bought])
    if any_known(ahead):
        _explain_line(figure, "So far", theme.ACCENT, "solid")
        _explain_line(figure, "If no order comes", theme.ACCENT, "5px,3px")
        _add_legend_row(figure)
    else:
        figure.update_layout(margin={"t": figure.layout.margin.t + _LABEL_ROOM})
    figure.update_xaxes(title_text="Day")
    axis = value_axis(Measure("", "percent"), [0.0, 1.0])
    axis["range"] = [-0.12, 1.02]
    axis["tickvals"], axis["ticktext"] = [-0.06, *axis["tickvals"][1:]], ["Orders", *axis["ticktext"][1:]]
    figure.update_yaxes(title_text="Still a customer (%)", **axis)
    tells = [(f"on {wording.day(today)}", current), ("purchases", wording.count(len(bought)))]
    if bought:
        tells.append(("the last on", wording.day(bought[-1])))
    last = _last(list(range(len(days))), ahead)
    if rest and last:
        tells.append(
            (f"on {wording.day(days[int(last[0])])}", f"{wording.percent(last[1])} if no order comes")
        )
    describe(figure, tells)
    return figure


def concentration(
    rows: Rows,
    share_of_customers: str = "customers_share",
    share_of_value: str = "value_share",
    *,
    title: str,
    marks: Sequence[tuple[float, float, str]] = (),
    value_title: str = "Share of value",
    empty: str = "There is no value to divide yet.",
) -> go.Figure:
    """Return how much of the value the first customers hold, beside what they would hold if all were alike.

    From one row per point, in order: `share_of_customers` (0 to 1, those with the highest value first) and
    `share_of_value`, theirs. `marks` are points with their words: (0.01, 0.12, "Top 1 % hold 12 %"). A click gives
    the share of customers; on a marked point and close around it, the mark's own.
    """
    shares, values = numbers_of(rows, share_of_customers), numbers_of(rows, share_of_value)
    if not any_known(values):
        return empty_figure(empty, title=title)
    figure = bare_figure(title, height=380)
    figure.add_scatter(
        x=shares,
        y=values,
        name="As it is",
        mode="lines",
        line={"color": theme.ACCENT, "width": 2.4},
        fill="tozeroy",
        fillcolor=seen_through(theme.ACCENT, 0.08),
        hoverinfo="skip",
    )
    points = _points(values, theme.ACCENT)
    free = [
        row
        for row, (share, part) in enumerate(zip(shares, values, strict=True))
        if share is None
        or part is None
        or all(hypot(share - at, part - held) > _DOT_REACH for at, held, _ in marks)
    ]
    figure.add_scatter(
        x=[shares[row] for row in free],
        y=[values[row] for row in free],
        name="As it is",
        mode="markers",
        marker={**points, "opacity": [points["opacity"][row] for row in free]},
        customdata=[[shares[row]] for row in free],
        hovertext=[
            f"<b>Top {wording.percent_exact(shares[row])} of customers</b>"
            f"<br>{escape(value_title)}: {wording.percent_exact(values[row])}"
            for row in free
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        selected={"marker": {"opacity": 1}},
        showlegend=False,
    )
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        name="If all were alike",
        mode="lines",
        line={"color": theme.GREY, "width": 1, "dash": "4px,4px"},
        hoverinfo="skip",
    )
    if marks:
        figure.add_scatter(
            x=[share for share, *_ in marks],
            y=[part for _, part, _ in marks],
            mode="markers",
            marker={"color": theme.ACCENT, "size": 9},
            customdata=[[share] for share, *_ in marks],
            hovertext=[f"<b>{escape(text)}</b>" for *_, text in marks],
            hovertemplate="%{hovertext}<extra></extra>",
            showlegend=False,
        )
    lowest = 0.03
    for share, part, text in sorted(marks):
        # Under the curve, the lower the flatter it is, and each above the one before.
        place = max(lowest, part - 0.06 * min(1.0, share / 0.2))
        lowest = place + 0.065
        to_left = share > 0.55
        figure.add_annotation(
            x=share,
            y=place,
            text=escape(text),
            showarrow=False,
            xanchor="right" if to_left else "left",
            xshift=0 if to_left else 8,
            font={"size": 12},
        )
    figure.add_annotation(
        x=0.62,
        y=0.62,
        xanchor="left",
        yanchor="top",
        text="If all were alike",
        showarrow=False,
        font={"size": 12},
    )
    figure.update_layout(margin={"r": 20})  # half of "100 %"
    parts = Measure("", "percent")
    figure.update_xaxes(
        title_text="Share of customers, the highest value first (%)",
        **{**value_axis(parts, [0.0, 1.0]), "range": [-0.02, 1.01], "zeroline": False},
    )
    figure.update_yaxes(title_text=f"{value_title} (%)", **value_axis(parts, [*values, 1.0]))
    told: list[tuple[float | None, float | None]] = [(share, part) for share, part, _ in marks]
    told = told or list(zip(shares, values, strict=True))
    describe(
        figure, [(f"top {wording.percent(share)}", f"hold {wording.percent(part)}") for share, part in told]
    )
    return figure


def _signed(value: float | None, text: str) -> str:
    """Return `text`, the format of `value`, with a plus sign where it stands for a gain."""
    return f"+{text}" if value is not None and value > 0 else text


def _tornado_labels(
    low: tuple[float | None, str], high: tuple[float | None, str], base: float
) -> list[tuple[float, str, bool]]:
    """Return the ends of one row that get a label, each with its words and whether these stand on its left."""
    (foot, foot_text), (top, top_text) = low, high
    if foot is None or top is None:
        return [(end, text, end < base) for end, text in (low, high) if end is not None]
    if (foot < base and top < base) or (foot > base and top > base):
        # The shorter of two bars on one side lies on the longer one, where its label would not be read.
        end, text = (foot, foot_text) if abs(foot - base) >= abs(top - base) else (top, top_text)
        return [(end, text, end < base)]
    foot_is_left = foot < base or (foot == base and top >= base)
    return [(foot, foot_text, foot_is_left), (top, top_text, not foot_is_left)]


def _points(values: Sequence[float | None], colour: str) -> dict[str, Any]:
    """Return markers for a line: they take clicks unseen, and show where no line reaches a value."""
    known = [value is not None for value in values]
    alone = [
        here and not before and not after
        for before, here, after in zip([False, *known[:-1]], known, [*known[1:], False], strict=True)
    ]
    return {"size": 7, "color": colour, "opacity": [1 if on else 0 for on in alone]}


def _band(
    days: Sequence[date], lows: Sequence[float | None], highs: Sequence[float | None]
) -> tuple[list[date | None], list[float | None]]:
    """Return the outline of the area between `lows` and `highs`, one closed piece per stretch that has both."""
    xs: list[date | None] = []
    ys: list[float | None] = []
    stretch: list[tuple[date, float, float]] = []
    for day, low, high in [*zip(days, lows, highs, strict=True), (date.max, None, None)]:
        if low is not None and high is not None:
            stretch.append((day, low, high))
        elif stretch:
            if xs:
                xs.append(None)
                ys.append(None)
            xs += [at for at, *_ in stretch] + [at for at, *_ in reversed(stretch)]
            ys += [foot for _, foot, _ in stretch] + [top for *_, top in reversed(stretch)]
            stretch = []
    return xs, ys


def _mark_day(figure: go.Figure, day: date, text: str, days: Sequence[date]) -> None:
    """Draw a vertical line at `day` with its words above, on a time axis over `days`."""
    first, last = min([*days, day]), max([*days, day])
    room = timedelta(days=max(1, round((last - first).days * 0.015)))
    figure.update_xaxes(
        type="date",
        range=[first - room, last + room],
        ticklabelmode="instant",
        hoverformat="%d %b %Y",
        **day_ticks(first, last),
    )
    figure.add_vline(x=day, line={"width": 1.2, "dash": "dot", "color": theme.TEXT})
    _label_above(figure, day, text, to_left=day - first > last - day)


def _label_above(figure: go.Figure, place: date | float, text: str, *, to_left: bool) -> None:
    """Write `text` above the marks, beside a vertical line at `place`, towards the side with more room."""
    figure.add_annotation(
        x=place,
        y=1,
        yref="paper",
        yanchor="bottom",
        xanchor="right" if to_left else "left",
        xshift=4 if to_left else -4,
        text=text,
        showarrow=False,
        font={"size": 12},
    )


def _explain_line(figure: go.Figure, name: str, colour: str, dash: str, *, width: float = 2) -> None:
    """Add a line to the legend alone: the drawn ones would show their unseen markers there."""
    figure.add_scatter(
        x=[None],
        y=[None],
        mode="lines",
        name=name,
        line={"color": colour, "width": width, "dash": dash},
        hoverinfo="skip",
        showlegend=True,
    )


def _add_legend_row(figure: go.Figure) -> None:
    """Add a legend in a row of its own below the tool bar, over a line of text above the marks."""
    add_legend(figure)
    figure.update_layout(margin={"t": figure.layout.margin.t + _LABEL_ROOM + _LEGEND_ROOM})
    marks = figure.layout.height - figure.layout.margin.t - 56  # below them the axis with its title
    figure.update_layout(legend={"y": 1 + (_LABEL_ROOM + 2) / marks})


def _last(places: Sequence[float], values: Sequence[float | None]) -> tuple[float, float] | None:
    """Return the last value with its place, or None when there is none."""
    return next(
        (
            (place, value)
            for place, value in zip(reversed(places), reversed(values), strict=True)
            if value is not None
        ),
        None,
    )


def _repaid(points: Sequence[tuple[float, float | None, float | None]], payback: float | None) -> str:
    """Return in words when a cohort's curve reaches `payback`."""
    for index, words in ((1, "reached"), (2, "expected to be reached")):
        for point in points:
            number = point[index]
            if payback is not None and number is not None and number >= payback:
                return f"{words} after {_months(point[0])}"
    return "not reached in this time"


def _months(age: float) -> str:
    return "1 month" if age == 1 else f"{wording.count(age)} months"


def _name_ends(figure: go.Figure, ends: dict[date, tuple[float, float]]) -> None:
    """Write the names of cohorts behind the ends of their lines, none upon another: the highest end first."""
    figure.update_layout(margin={"r": 62})
    longest = max(months for months, _ in ends.values()) or 1.0
    tallest = max(abs(value) for _, value in ends.values()) or 1.0
    placed: list[tuple[float, float]] = []
    for start, (months, value) in sorted(ends.items(), key=lambda one: -one[1][1]):
        # Beside the longest line there is room for the names of those that end shortly before.
        beside = longest if months > 0.8 * longest else months
        # In pixels of a chart of common width, from the ends of the axes.
        across, at = beside / longest * 600, value / tallest * 280
        # A line that ends before others do ends among them; below it there are fewer.
        up = at if beside == longest else at - 11
        while any(abs(across - left) < 66 and abs(up - base) < 15 for left, base in placed):
            up -= 1
        placed.append((across, up))
        figure.add_annotation(
            x=beside,
            y=value,
            xanchor="left",
            xshift=5,
            yshift=round(up - at),
            text=wording.month(start),
            showarrow=False,
            font={"size": 12},
        )


def _draw_payback(figure: go.Figure, payback: float, text: str, ends: Sequence[tuple[float, float]]) -> None:
    """Draw a level line with its words at its right end, on the side with fewer curves."""
    low = payback < 0.08 * max(value for _, value in ends)  # below it is the axis
    below = not low and sum(value >= payback for _, value in ends) * 2 >= len(ends)
    figure.add_hline(y=payback, line={"width": 1.4, "dash": "dot", "color": theme.TEXT})
    figure.add_annotation(
        x=1,
        xref="paper",
        xanchor="right",
        y=payback,
        yanchor="top" if below else "bottom",
        text=text,
        showarrow=False,
        font={"size": 12},
    )

"""Figures of forecasts show what they are given: lines, bands, bridges, gaps, words and what a click asks for."""

import math
from datetime import date, timedelta

import pandas as pd
import plotly.graph_objects as go
import pytest

from crm import charts, theme, wording
from crm.wording import Measure

GBP = Measure("Lifetime value", "money", "GBP")
S, W = wording.SPACE, wording.WIDE
CUT, TODAY = date(2025, 6, 30), date(2025, 3, 10)

WEEKS = [
    {"week_end": date(2025, 6, 22), "actual": 100.0, "predicted": 90.0, "low": None, "high": None},
    {"week_end": date(2025, 6, 29), "actual": 120.0, "predicted": 110.0, "low": 100.0, "high": 125.0},
    {"week_end": date(2025, 7, 6), "actual": None, "predicted": 130.0, "low": 115.0, "high": 150.0},
    {"week_end": date(2025, 7, 13), "actual": 160.0, "predicted": 150.0, "low": None, "high": 180.0},
]
STEPS = [
    {"step": "DCF <formula>", "change": 1000.0, "kind": "total", "reason": None},
    {"step": "Customers who leave", "change": -400.5, "kind": "change", "reason": "Not all <stay>."},
    {"step": "Unknown", "change": None, "kind": "change", "reason": None},
    {"step": "New orders", "change": 150.0, "kind": "change", "reason": None},
    {"step": "Model", "change": 749.5, "kind": "total", "reason": None},
]
FACTORS = [
    {"factor": "Returns", "low": 95.0, "high": None, "low_label": "4 %", "high_label": None},
    {"factor": "Margin <net>", "low": 60.0, "high": 140.0, "low_label": "30 %", "high_label": "50 %"},
    {"factor": "Discount rate", "low": 120.0, "high": 90.0, "low_label": "5 %", "high_label": "15 %"},
    {"factor": "Untested", "low": None, "high": None, "low_label": "a", "high_label": "b"},
]
COHORTS = [
    {"cohort": "2025-02", "months": 0, "value": 12.0, "forecast": 12.0},
    {"cohort": "2025-02", "months": 1, "value": None, "forecast": 18.0},
    {"cohort": "2025-02", "months": 2, "value": None, "forecast": 22.0},
    {"cohort": "2025-01", "months": 0, "value": 10.0, "forecast": None},
    {"cohort": "2025-01", "months": 1, "value": 15.0, "forecast": 15.0},
    {"cohort": "2025-01", "months": 2, "value": None, "forecast": 21.0},
    {"cohort": "2025-01", "months": 3, "value": None, "forecast": None},
]
DAYS = [
    {"day": date(2025, 1, 1), "probability": 1.0},
    {"day": date(2025, 2, 1), "probability": 0.8},
    {"day": date(2025, 2, 15), "probability": None},
    {"day": date(2025, 3, 10), "probability": 0.62},
    {"day": date(2025, 4, 10), "probability": 0.3},
]
SHARES = [
    {"customers_share": 0.0, "value_share": 0.0},
    {"customers_share": 0.01, "value_share": 0.12},
    {"customers_share": 0.5, "value_share": None},
    {"customers_share": 1.0, "value_share": 1.0},
]


def tracking(rows, **options):
    options = {"low": "low", "high": "high", "cut": CUT, **options}
    return charts.tracking_curve(rows, title="Did it hold?", measure=Measure("Orders so far"), **options)


def way(rows, **options):
    return charts.bridge(rows, title="Why is it less?", measure=GBP, why="reason", **options)


def moves(rows, **options):
    return charts.tornado(
        rows, base=options.pop("base", 100.0), title="What moves it?", measure=GBP, **options
    )


def cohorts(rows, **options):
    return charts.cohort_curves(rows, title="When do they pay back?", measure=GBP, **options)


def alive(rows, **options):
    options = {"purchases": [date(2025, 2, 1), date(2025, 1, 1)], "today": TODAY, **options}
    return charts.alive_path(rows, title="Is she still a customer?", **options)


def shares(rows, **options):
    options = {"marks": [(0.01, 0.12, "Top 1 % hold 12 %")], **options}
    return charts.concentration(rows, title="Who holds it?", **options)


ALL = {tracking: WEEKS, way: STEPS, moves: FACTORS, cohorts: COHORTS, alive: DAYS, shares: SHARES}
EACH = pytest.mark.parametrize(
    ("draw", "rows"), ALL.items(), ids=lambda value: getattr(value, "__name__", "")
)


def named(figure, name):
    """The drawn traces of this name; the legend's own have no values."""
    return [trace for trace in figure.data if trace.name == name and list(trace.x) != [None]]


def targets(trace):
    return [item[0] for item in trace.customdata]


@EACH
def test_every_figure_has_a_question_words_and_marks(draw, rows):
    figure = draw(rows)
    assert isinstance(figure, go.Figure)
    assert figure.layout.title.text.endswith("?")
    assert figure.layout.meta["alt"].startswith(f"{figure.layout.title.text} ")
    assert len(figure.layout.meta["alt"]) > len(figure.layout.title.text) + 10
    assert figure.data


@EACH
def test_a_frame_gives_the_same_figure_as_a_list(draw, rows):
    assert draw(pd.DataFrame(rows)).to_json() == draw(rows).to_json()


@EACH
def test_no_rows_give_a_sentence_instead_of_marks(draw, rows):
    figure = draw([])
    assert not figure.data
    assert figure.layout.annotations[0].text
    assert draw(pd.DataFrame({name: [] for row in rows for name in row})).to_json() == figure.to_json()


@EACH
def test_rows_without_a_single_value_give_a_sentence_too(draw, rows):
    key = next(iter(rows[0]))
    kept = {key, "kind", "months", "customers_share"}
    assert not draw([{name: row[name] if name in kept else None for name in row} for row in rows]).data


@EACH
def test_one_row_is_drawn(draw, rows):
    figure = draw(rows[:1])
    drawn = [trace for trace in figure.data if trace.customdata is not None]
    assert drawn
    for trace in drawn:
        if (
            trace.type == "scatter"
            and trace.mode == "lines+markers"
            and any(value is not None for value in trace.y)
        ):
            assert 1 in trace.marker.opacity, "a value without neighbours is seen as a point"


@EACH
def test_rows_of_zeros_are_drawn_as_zeros(draw, rows):
    zeros = [
        {name: 0.0 if isinstance(value, float) and name != "customers_share" else value
         for name, value in row.items()}
        for row in rows
    ]  # fmt: skip
    figure = draw(zeros, base=0.0) if draw is moves else draw(zeros)
    first = next(trace for trace in figure.data if trace.customdata is not None)
    values = [value for value in (first.x if first.type == "bar" else first.y) if value is not None]
    assert values
    assert set(values) == {0.0}
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert axis.range is None or axis.range[0] < axis.range[1]


@EACH
def test_pages_shine_through_and_nothing_moves_under_a_finger(draw, rows):
    figure = draw(rows)
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.xaxis.fixedrange
    assert figure.layout.yaxis.fixedrange


@EACH
def test_every_mark_that_shows_something_says_what_a_click_asks_for(draw, rows):
    for trace in draw(rows).data:
        if trace.hoverinfo != "skip":
            assert len(trace.customdata) == len(trace.x)
            assert all(len(item) == 1 for item in trace.customdata)
            assert trace.type == "bar" or "markers" in trace.mode, "a line alone takes no click"


def test_tracking_leaves_gaps_and_tells_fact_from_forecast_by_the_dash():
    figure = tracking(WEEKS)
    (facts,), (forecast,) = named(figure, "Actual"), named(figure, "Predicted")
    assert list(facts.y) == [100.0, 120.0, None, 160.0]
    assert list(forecast.y) == [90.0, 110.0, 130.0, 150.0]
    assert (facts.line.dash, forecast.line.dash) == (None, "6px,3px")
    assert list(facts.marker.opacity) == [0, 0, 0, 1]
    assert targets(facts) == ["2025-06-22", "2025-06-29", "2025-07-06", "2025-07-13"]
    assert facts.hovertext[0].endswith(f"Predicted: 90<br>Actual: 100<br>Error: −10{S}%")
    assert "Actual: –" in forecast.hovertext[2]
    assert "Interval: 115 to 150" in forecast.hovertext[2]
    assert "Interval" not in forecast.hovertext[3]


def test_the_band_covers_only_rows_with_both_ends():
    (band,) = named(tracking(WEEKS), "Interval")
    assert list(band.x) == [date(2025, 6, 29), date(2025, 7, 6), date(2025, 7, 6), date(2025, 6, 29)]
    assert list(band.y) == [100.0, 115.0, 150.0, 125.0]
    apart = [{**row, "low": None} if index == 2 else {**row, "low": 1.0, "high": 2.0}
             for index, row in enumerate(WEEKS)]  # fmt: skip
    assert list(named(tracking(apart), "Interval")[0].y) == [1.0, 1.0, 2.0, 2.0, None, 1.0, 2.0]
    assert not named(tracking(WEEKS, low=None, high=None), "Interval")


def test_the_day_of_the_fit_stands_at_its_line_and_in_the_words():
    figure = tracking(WEEKS)
    day = f"30{W}Jun{W}2025"
    assert figure.layout.shapes[0].x0 == CUT
    assert figure.layout.annotations[0].text == f"Fitted up to {day}"
    assert f"fitted up to {day}; up to 29{W}Jun{W}2025 predicted 110, actual 120" in charts.words_of(figure)
    assert charts.words_of(figure).endswith("predicted 150, actual 160.")


def test_a_bridge_starts_each_change_where_the_last_one_ended():
    bar = way(STEPS).data[0]
    assert list(bar.base) == [0.0, 1000.0, None, 599.5, 0.0]
    assert list(bar.x) == [1000.0, -400.5, None, 150.0, 749.5]
    assert targets(bar) == [row["step"] for row in STEPS]
    assert [(line.x0, line.y0, line.y1) for line in way(STEPS).layout.shapes] == [
        (1000.0, 0.31, 0.69),
        (599.5, 1.31, 2.69),
        (749.5, 3.31, 3.69),
    ]


def test_a_bridge_writes_changes_with_their_signs_and_tells_them_by_colour():
    figure = way(STEPS)
    assert [note.text for note in figure.layout.annotations] == [
        "£1,000",
        "−£400.50",
        "–",
        "+£150",
        "£749.50",
    ]
    assert list(figure.data[0].marker.color)[:2] == [theme.SLATE, theme.CATEGORICAL[3]]
    assert figure.data[0].marker.color[3] == theme.ACCENT
    assert "Customers who leave −£400.50" in charts.words_of(figure)


def test_a_bridge_tells_the_reason_when_one_points_at_it():
    hovers = way(STEPS).data[0].hovertext
    assert hovers[1].splitlines() == [
        "<b>Customers who leave</b><br>Change: −£400.50<br>Lifetime value after it: £599.50<br>Not all &lt;stay&gt;."
    ]
    assert hovers[0] == "<b>DCF &lt;formula&gt;</b><br>Lifetime value: £1,000.00"
    assert "Change: –" in hovers[2]


def test_a_bridge_below_zero_has_room_on_the_left():
    rows = [
        {"step": "Now", "change": -50.0, "kind": "total", "reason": None},
        {"step": "Worse", "change": -30.0, "kind": "change", "reason": None},
        {"step": "Then", "change": -80.0, "kind": "total", "reason": None},
    ]
    figure = way(rows)
    assert list(figure.data[0].base) == [0.0, -50.0, 0.0]
    assert tuple(figure.layout.xaxis.range) == (-80.0, 0.0)
    assert [note.text for note in figure.layout.annotations] == ["−£50", "−£30", "−£80"]


def test_a_tornado_has_the_widest_on_top_and_gaps_where_an_end_is_undefined():
    low, high = moves(FACTORS).data
    assert targets(low) == ["Margin <net>", "Discount rate", "Returns", "Untested"]
    assert (low.base, list(low.x)) == (100.0, [-40.0, 20.0, -5.0, None])
    assert list(high.x) == [40.0, -10.0, None, None]
    assert list(low.marker.color)[:2] == [theme.CATEGORICAL[3], theme.ACCENT]
    assert low.hovertext[0] == (
        f"<b>Margin &lt;net&gt;</b><br>30 %: £60.00 (−40{S}%)<br>50 %: £140.00 (+40{S}%)<br>Now: £100.00"
    )


def test_a_tornado_says_which_setting_gave_which_end():
    notes = {(note.text, note.xanchor): note.x for note in moves(FACTORS).layout.annotations}
    assert notes[("30 %<br>£60", "right")] == 60.0
    assert notes[("50 %<br>£140", "left")] == 140.0
    assert notes[("5 %<br>£120", "left")] == 120.0
    assert notes[("15 %<br>£90", "right")] == 90.0
    assert "Now £100" in {text for text, _ in notes}
    assert "Discount rate £120 at 5 % and £90 at 15 %" in charts.words_of(moves(FACTORS))


def test_a_tornado_whose_ends_lie_on_one_side_or_at_zero_stays_legible():
    def labels(low, high, base):
        row = {"factor": "x", "low": low, "high": high, "low_label": "L", "high_label": "H"}
        notes = moves([row], base=base).layout.annotations
        return [(note.text[0], note.xanchor) for note in notes if note.text[0] in "LH"]

    assert labels(80.0, 90.0, 100.0) == [("L", "right")]
    assert labels(110.0, 130.0, 100.0) == [("H", "left")]
    assert labels(100.0, 100.0, 100.0) == [("L", "right"), ("H", "left")]
    assert labels(100.0, 70.0, 100.0) == [("L", "left"), ("H", "right")]
    zero = moves([{"factor": "x", "low": 0.0, "high": 10.0, "low_label": "L", "high_label": "H"}], base=5.0)
    assert zero.data[0].marker.color == (theme.CATEGORICAL[3],)
    assert labels(-30.0, -10.0, -20.0) == [("L", "right"), ("H", "left")]


def test_cohorts_are_solid_where_observed_and_dashed_where_expected():
    figure = cohorts(COHORTS)
    observed, expected = named(figure, "Observed"), named(figure, "Expected")
    assert [targets(trace)[0] for trace in observed] == ["2025-01", "2025-02"]
    assert list(observed[0].y) == [10.0, 15.0, None, None]
    assert (list(expected[0].x), list(expected[0].y)) == ([1, 2], [15.0, 21.0])
    assert len(expected[0].hovertext) == len(expected[0].customdata) == 2
    assert {trace.line.dash for trace in observed} == {"solid"}
    assert {trace.line.dash for trace in expected} == {"5px,3px"}
    assert [trace.line.color for trace in observed] == [trace.line.color for trace in expected]
    assert observed[1].line.color == theme.ACCENT
    assert f"<b>Customers of Jan{W}2025</b>" in observed[0].hovertext[1]
    assert figure.layout.xaxis.range[1] < 3, "a month that is over for nobody takes no room"


def test_only_the_first_and_the_last_cohort_are_named_at_their_lines():
    many = [
        {"cohort": date(2023 + month // 12, month % 12 + 1, 1), "months": age, "value": float(age + month),
         "forecast": None}
        for month in range(24)
        for age in range(24 - month)
    ]  # fmt: skip
    figure = cohorts(many)
    assert [note.text for note in figure.layout.annotations] == [f"Jan{W}2023", f"Dec{W}2024"]
    assert len(named(figure, "Observed")) == 24
    assert len({trace.line.color for trace in figure.data}) == 24
    assert not figure.layout.showlegend
    for trace in figure.data:
        for page in (theme.PAPER, theme.NIGHT):
            assert theme.contrast(trace.line.color, page) >= 2.9


def test_few_cohorts_are_all_named_none_upon_another():
    close = [
        {"cohort": date(2025, month, 1), "months": age, "value": value, "forecast": None}
        for month, value in ((1, 50.0), (2, 50.5), (3, 51.0), (4, 20.0))
        for age in (0, 10)
    ]
    notes = {note.text[:3]: note for note in cohorts(close).layout.annotations}
    assert list(notes) == ["Mar", "Feb", "Jan", "Apr"]
    assert notes["Mar"].yshift == notes["Apr"].yshift == 0
    heights = [notes[name].y / 51 * 280 + notes[name].yshift for name in ("Mar", "Feb", "Jan")]
    assert heights[0] - heights[1] >= 14
    assert heights[1] - heights[2] >= 14


def test_a_month_over_for_most_customers_does_not_break_the_expected_curve():
    gap = [
        {"cohort": date(2025, 1, 1), "months": age, "value": value, "forecast": forecast}
        for age, value, forecast in ((0, 10.0, None), (1, 15.0, 15.0), (2, None, None), (3, None, 24.0))
    ]
    (expected,) = named(cohorts(gap), "Expected")
    assert (list(expected.x), list(expected.y)) == ([1, 3], [15.0, 24.0])
    assert set(expected.marker.opacity) == {0}


def test_cohorts_of_which_no_month_is_over_are_not_denied():
    rows = [{**row, "value": None, "forecast": None} for row in COHORTS]
    assert cohorts(rows).layout.annotations[0].text == "No month is over yet for all of its<br>customers."
    assert cohorts([]).layout.annotations[0].text == "No month has new customers yet."


def test_the_payback_line_is_labelled_and_says_when_a_cohort_reaches_it():
    figure = cohorts(COHORTS, payback=14.0)
    assert figure.layout.shapes[0].y0 == 14.0
    assert "Acquisition cost £14" in [note.text for note in figure.layout.annotations]
    january, february = (trace.hovertext[0] for trace in named(figure, "Observed"))
    assert january.endswith("Acquisition cost: £14.00, reached after 1 month")
    assert february.endswith("expected to be reached after 1 month")
    assert "not reached" in named(cohorts(COHORTS, payback=99.0), "Observed")[0].hovertext[0]
    assert cohorts(COHORTS, payback=99.0).layout.yaxis.range[1] >= 99.0
    assert not cohorts(COHORTS).layout.shapes
    assert f"Jan{W}2025 £15 after 1 month, £21 expected after 2" in charts.words_of(figure)


def test_the_path_is_dashed_after_today_and_both_parts_meet():
    figure = alive(DAYS)
    (past,), (ahead,) = named(figure, "So far"), named(figure, "If no order comes")
    assert list(past.y) == [1.0, 0.8, None, 0.62, None]
    assert list(ahead.y) == [None, None, None, 0.62, 0.3]
    assert (past.line.dash, ahead.line.dash) == ("solid", "5px,3px")
    assert not named(alive(DAYS[:4]), "If no order comes")
    assert figure.layout.annotations[0].text == f"62{S}% on 10{W}Mar{W}2025"


def ticks_of(axis):
    """The texts of a time axis between the ends of its range, as Plotly writes them, each with its day."""
    first, last = (pd.Timestamp(end) for end in axis.range)
    day = pd.Timestamp(axis.tick0)
    months = isinstance(axis.dtick, str)
    step = pd.DateOffset(months=int(axis.dtick[1:])) if months else pd.Timedelta(axis.dtick, "ms")
    while day < first:
        day += step
    found = []
    while day <= last:
        found.append((day.date(), f"{day:{axis.tickformat.replace('%-d', '%d')}}"))
        day += step
    return found


LENGTHS = (
    0,
    1,
    3,
    6,
    7,
    12,
    15,
    20,
    42,
    50,
    84,
    85,
    100,
    200,
    270,
    290,
    400,
    550,
    800,
    1100,
    1500,
    2500,
    3653,
    9000,
)


@pytest.mark.parametrize("length", LENGTHS)
def test_no_two_ticks_of_a_time_axis_read_alike_however_long_it_is(length):
    first = TODAY - timedelta(days=length)
    path = [{"day": first, "probability": 1.0}, {"day": TODAY, "probability": 0.5}]
    weeks = [{"week_end": row["day"], "actual": 1.0, "predicted": 1.0} for row in path]
    for figure in (
        alive(path, purchases=[first]),
        tracking(weeks, low=None, high=None, cut=TODAY),
    ):
        axis = figure.layout.xaxis
        ticks = ticks_of(axis)
        texts = [text for _, text in ticks]
        assert len(set(texts)) == len(texts)
        assert 1 <= len(ticks) <= 9
        assert length < 2 or len(ticks) >= 2
        if "%d" not in axis.tickformat and "%-d" not in axis.tickformat:
            assert {day.day for day, _ in ticks} == {1}, "a month alone stands at its first day"
        if "%b" not in axis.tickformat:
            assert {day.month for day, _ in ticks} == {1}


def test_purchases_stand_below_the_path_and_everything_is_said_in_words():
    figure = alive(DAYS)
    (ticks,) = named(figure, "Purchases")
    assert targets(ticks) == ["2025-01-01", "2025-02-01"]
    assert max(ticks.y) < 0
    assert ticks.hovertext[1].endswith(f"Purchase, 31{S}days after the one before")
    path = named(figure, "So far")[0]
    assert path.hovertext[1].endswith("Day of a purchase")
    assert path.hovertext[3].endswith(f"62{S}% likely still a customer<br>37{S}days after the last purchase")
    assert path.hovertext[4].endswith("if no order comes")
    assert charts.words_of(figure).startswith(
        f"Is she still a customer? on 10{W}Mar{W}2025 62{S}%; purchases 2;"
    )
    assert not named(alive(DAYS, purchases=[]), "Purchases")


def test_concentration_marks_points_and_draws_the_even_split():
    figure = shares(SHARES)
    curve, points, even, marked = figure.data
    assert list(curve.y) == [0.0, 0.12, None, 1.0]
    assert curve.mode == "lines"
    assert targets(points) == [0.0, 0.5, 1.0]
    assert (list(even.x), list(even.y)) == ([0, 1], [0, 1])
    assert even.line.dash
    assert targets(marked) == [0.01]
    assert "Top 1 % hold 12 %" in [note.text for note in figure.layout.annotations]
    assert charts.words_of(figure) == f"Who holds it? top 1{S}% hold 12{S}%."


def test_a_click_near_a_marked_point_of_the_concentration_finds_that_mark_alone():
    """Points of half a percent lie about a pixel apart: the curve's own leave the marks room on both axes."""
    rows = [{"customers_share": at / 200, "value_share": 1 - (1 - at / 200) ** 4} for at in range(201)]
    marks = [(at, 1 - (1 - at) ** 4, f"Top {at}") for at in (0.01, 0.1, 0.2, 0.5)]
    curve, points, _, marked = shares(rows, marks=marks).data
    assert len(curve.x) == 201
    assert targets(marked) == list(marked.x) == [0.01, 0.1, 0.2, 0.5]
    assert targets(points) == list(points.x)
    for at, held, _ in marks:
        assert min(math.hypot(x - at, y - held) for x, y in zip(points.x, points.y, strict=True)) > 0.04
    assert {0.05, 0.15, 0.35, 0.8, 1.0} <= set(targets(points))
    assert points.hovertext[targets(points).index(0.055)].startswith(f"<b>Top 5.50{S}% of customers</b>")
    assert len(points.marker.opacity) == len(points.x)
    assert set(points.marker.opacity) == {0}
    assert len(shares(rows, marks=()).data[1].x) == 201


def test_labels_of_marks_that_lie_close_stand_apart():
    close = [(0.01, 0.1, "a"), (0.02, 0.11, "b"), (0.03, 0.12, "c")]
    places = [note.y for note in shares(SHARES, marks=close).layout.annotations if note.text in "abc"]
    assert places[1] - places[0] >= 0.06
    assert places[2] - places[1] >= 0.06


def test_a_share_above_one_or_below_zero_is_inside_the_axis():
    rows = [{"customers_share": 0.5, "value_share": 1.3}, {"customers_share": 1.0, "value_share": -0.2}]
    low, high = shares(rows, marks=()).layout.yaxis.range
    assert low <= -0.2
    assert high >= 1.3
    assert f"top 50{S}% hold 130{S}%" in charts.words_of(shares(rows, marks=()))


def test_a_forecast_is_compared_by_class_with_names_that_fit_a_phone():
    names = ["0", "1", "2", "3", "4", "5", "6", "7 and more"]
    rows = [{"class": name, "predicted": 1.5, "actual": 1.2, "low": -1.0, "high": 2.0} for name in names]
    figure = charts.backtest_bars(
        rows, "class", title="?", measure=Measure("Orders per customer", "number"), period_title="Repeat orders",
        low="low", high="high",
    )  # fmt: skip
    assert list(figure.layout.xaxis.tickvals) == names
    assert figure.layout.xaxis.ticktext[-1] == "7 and<br>more"
    assert targets(figure.data[0]) == names
    assert figure.layout.yaxis.range[0] <= -1.0
    assert "Predicted: 1.5<br>Actual: 1.2<br>Interval: −1 to 2" in figure.data[1].hovertext[0]

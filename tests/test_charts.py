"""Figures show what they are given: marks, units, gaps, colours and what a click asks for."""

import math
from datetime import date

import pandas as pd
import plotly.graph_objects as go
import pytest

from crm import charts, theme, wording
from crm.wording import Measure

GBP = Measure("Revenue", "money", "GBP")
RATE = Measure("Repeat rate", "percent")
S = wording.SPACE

SEGMENTS = [
    {"segment": "Lost", "customers": 30, "revenue": 300.0, "rate": None},
    {"segment": "Champions", "customers": 60, "revenue": 6000.5, "rate": 0.75},
    {"segment": "A <b>&", "customers": 10, "revenue": -50.0, "rate": 0.0},
]
MONTHS = [
    {"month": date(2025, 1, 1), "revenue": 100.0, "before": 80.0},
    {"month": date(2025, 2, 1), "revenue": None, "before": 90.0},
    {"month": date(2025, 3, 1), "revenue": 40.0, "before": None},
]
BINS = [
    {"low": None, "high": 0, "customers": 1},
    {"low": 0, "high": 10, "customers": 6},
    {"low": 10, "high": 100, "customers": 2},
    {"low": 100, "high": math.inf, "customers": 1},
]
WEEKS = [
    {"week": 1, "predicted": 10.0, "actual": 12.0, "low": 8.0, "high": 13.0},
    {"week": 2, "predicted": 11.0, "actual": None, "low": None, "high": None},
]


def over_time(rows, **options):
    return charts.revenue_over_time(rows, title="How did revenue develop?", measure=GBP, **options)


def treemap(rows, **options):
    return charts.segment_treemap(rows, "segment", "customers", title="Who are they?", **options)


def bars(rows, **options):
    return charts.ranked_bar(rows, "segment", "revenue", title="Who brings it?", measure=GBP, **options)


def bins(rows, **options):
    return charts.histogram(
        rows, title="How is it spread?", measure=Measure("Lifetime value", "money", "GBP"), **options
    )


def test_of_forecast(rows):
    return charts.backtest_bars(
        rows,
        "week",
        title="Was it right?",
        measure=Measure("Orders"),
        period_title="Week",
        low="low",
        high="high",
    )


test_of_forecast.__test__ = False


ALL = {
    over_time: MONTHS,
    treemap: SEGMENTS,
    bars: SEGMENTS,
    bins: BINS,
    test_of_forecast: WEEKS,
}
EACH = pytest.mark.parametrize(
    ("draw", "rows"), ALL.items(), ids=lambda value: getattr(value, "__name__", "")
)


@EACH
def test_every_figure_has_a_question_words_and_marks(draw, rows):
    figure = draw(rows)
    assert isinstance(figure, go.Figure)
    assert figure.layout.title.text.endswith("?")
    assert figure.layout.meta["alt"].startswith(figure.layout.title.text)
    assert len(figure.layout.meta["alt"]) > len(figure.layout.title.text) + 5
    assert figure.data


@EACH
def test_a_frame_gives_the_same_figure_as_a_list(draw, rows):
    assert draw(pd.DataFrame(rows)).to_json() == draw(rows).to_json()


@EACH
def test_no_rows_give_a_sentence_instead_of_marks(draw, rows):
    figure = draw([])
    assert not figure.data
    assert figure.layout.annotations[0].text
    assert figure.layout.title.text == draw(rows).layout.title.text
    assert draw(pd.DataFrame({name: [] for row in rows for name in row})).to_json() == figure.to_json()


@EACH
def test_rows_without_a_single_value_give_a_sentence_too(draw, rows):
    undefined = [
        {name: value if isinstance(value, str | date) else None for name, value in row.items()}
        for row in rows
    ]
    assert not draw(undefined).data


@EACH
def test_pages_shine_through_and_nothing_moves_under_a_finger(draw, rows):
    figure = draw(rows)
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.xaxis.fixedrange
    assert figure.layout.yaxis.fixedrange


def test_axes_name_their_units():
    assert over_time(MONTHS).layout.yaxis.title.text == "Revenue (GBP)"
    assert over_time(MONTHS).layout.xaxis.title.text == "Month"
    assert bars(SEGMENTS).layout.xaxis.title.text == "Revenue (GBP)"
    assert bins(BINS).layout.xaxis.title.text == "Lifetime value (GBP)"
    assert bins(BINS).layout.yaxis.title.text == "Customers"
    assert test_of_forecast(WEEKS).layout.yaxis.title.text == "Orders"


def test_undefined_values_are_gaps_not_zeros():
    assert list(over_time(MONTHS, before="before").data[0].y) == [80.0, 90.0, None]
    assert list(over_time(MONTHS).data[0].y) == [100.0, None, 40.0]
    rated = charts.ranked_bar(SEGMENTS, "segment", "rate", title="?", measure=RATE)
    assert list(rated.data[0].x) == [0.75, 0.0, None]
    assert [note.text for note in rated.layout.annotations] == [f"75{S}%", f"0{S}%", "–"]
    assert list(test_of_forecast(WEEKS).data[0].y) == [12.0, None]


def test_bars_without_an_interval_have_no_error_bar():
    """Plotly would draw a cap for a missing end: those bars are a trace of their own, in the same place."""
    facts, told, rest = test_of_forecast(WEEKS).data
    assert list(told.y) == [10.0, None]
    assert list(told.error_y.array) == [3.0, None]
    assert list(told.error_y.arrayminus) == [2.0, None]
    assert list(rest.y) == [None, 11.0]
    assert rest.error_y.array is None
    assert told.offsetgroup == rest.offsetgroup != facts.offsetgroup
    assert (told.showlegend, rest.showlegend) == (True, False)
    assert [list(trace.x) for trace in (told, rest)] == [["1", "2"]] * 2
    assert [item[0] for item in rest.customdata] == ["1", "2"]

    whole, none = ([{**row, "low": end, "high": end} for row in WEEKS] for end in (9.0, None))
    assert [trace.error_y.array is None for trace in test_of_forecast(whole).data] == [True, False]
    assert [trace.error_y.array is None for trace in test_of_forecast(none).data] == [True, True]
    ranked = charts.ranked_bar(WEEKS, "week", "predicted", title="?", measure=RATE, low="low", high="high")
    assert [list(trace.x) for trace in ranked.data] == [[None, 10.0], [11.0, None]]
    assert [trace.error_x.array is None for trace in ranked.data] == [False, True]


def test_a_click_says_what_it_asks_for():
    assert [list(item) for item in over_time(MONTHS).data[0].customdata] == [
        ["2025-01"],
        ["2025-02"],
        ["2025-03"],
    ]
    assert list(treemap(SEGMENTS).data[0].ids) == ["Lost", "Champions", "A <b>&"]
    assert [item[0] for item in bars(SEGMENTS).data[0].customdata] == ["Champions", "Lost", "A <b>&"]
    assert [tuple(item) for item in bins(BINS).data[0].customdata][1:3] == [(0, 10), (10, 100)]
    assert [item[0] for item in test_of_forecast(WEEKS).data[0].customdata] == ["1", "2"]


def test_a_segment_has_the_same_colour_in_every_figure():
    tiles, rows = treemap(SEGMENTS).data[0], bars(SEGMENTS).data[0]
    in_tiles = dict(zip(tiles.ids, tiles.marker.colors, strict=True))
    in_bars = {item[0]: colour for item, colour in zip(rows.customdata, rows.marker.color, strict=True)}
    assert in_tiles == in_bars
    assert in_tiles["Champions"] == theme.SEGMENT_COLOURS["Champions"]


def test_names_from_files_are_shown_letter_for_letter():
    """A name that looks like markup is text, in labels and in what pointing at it shows."""
    assert "A &lt;b&gt;&amp;" in bars(SEGMENTS).layout.yaxis.ticktext
    assert any("A &lt;b&gt;&amp;" in text for text in treemap(SEGMENTS).data[0].hovertext)


def test_pointing_shows_values_in_full():
    assert "£6,000.50" in bars(SEGMENTS).data[0].hovertext[0]
    assert "Revenue: −£50.00" in bars(SEGMENTS).data[0].hovertext[2]
    detailed = treemap(SEGMENTS, details=[("revenue", GBP)]).data[0]
    assert "Share: 60.00" in detailed.hovertext[1]
    assert "£6,000.50" in detailed.hovertext[1]


def test_the_month_that_is_not_over_is_hatched_and_not_compared():
    figure = over_time(MONTHS, before="before", as_of=date(2025, 3, 12))
    assert list(figure.data[1].marker.pattern.shape) == ["", "", "/"]
    assert figure.layout.xaxis.title.text == f"Month (hatched: 1–12 Mar{wording.WIDE}2025)"
    assert "Change" not in figure.data[1].hovertext[2]
    assert f"+25{S}%" in figure.data[1].hovertext[0]
    over = over_time(MONTHS, as_of=date(2025, 3, 31))
    assert list(over.data[0].marker.pattern.shape) == ["", "", ""]


def test_months_may_be_text_or_time_stamps():
    for months in (
        ["2025-01", "2025-02", "2025-03"],
        pd.to_datetime(["2025-01-01", "2025-02-01", "2025-03-01"]),
    ):
        rows = pd.DataFrame({"month": months, "revenue": [1.0, 2.0, 3.0]})
        assert list(over_time(rows).data[0].x) == [date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1)]


def test_bars_are_ranked_unless_their_order_means_something():
    assert list(bars(SEGMENTS).data[0].x) == [6000.5, 300.0, -50.0]
    assert list(bars(SEGMENTS, keep_order=True).data[0].x) == [300.0, 6000.5, -50.0]


def test_a_share_of_a_whole_is_drawn_on_the_whole():
    rated = charts.ranked_bar(SEGMENTS, "segment", "rate", title="?", measure=RATE, whole=True)
    assert tuple(rated.layout.xaxis.range) == (0.0, 1.0)


def test_tiles_add_up_and_leave_out_empty_segments():
    figure = treemap([*SEGMENTS, {"segment": "Promising", "customers": 0, "revenue": 0.0}])
    assert sum(figure.data[0]["values"]) == 100
    assert "Promising" not in figure.data[0].ids


def test_tiles_can_be_shaded_by_a_value():
    figure = treemap(SEGMENTS, colour_value="revenue", colour_measure=GBP)
    lost, champions, odd = figure.data[0].marker.colors
    assert (odd, champions) == (theme.SEQUENTIAL[0], theme.SEQUENTIAL[-1])
    assert theme.luminance(champions) < theme.luminance(lost) < theme.luminance(odd)
    assert figure.data[1].marker.colorbar.title.text == "Revenue (GBP)"
    alike = treemap([{"segment": "A", "customers": 1, "revenue": 5.0}], colour_value="revenue")
    assert alike.data[0].marker.colors == (theme.SEQUENTIAL[0],)


def test_open_ends_and_marks_of_a_histogram_are_placed():
    figure = bins(BINS, marks=[(55, "Mean"), (5, "Median"), (-3, "Below")])
    assert [shape.x0 for shape in figure.layout.shapes] == [
        pytest.approx(2.0),
        pytest.approx(1.0),
        pytest.approx(0.0),
    ]
    assert "Below £0" in figure.data[0].hovertext[0]
    assert "£100 and more" in figure.data[0].hovertext[3]
    assert list(figure.data[0].y) == [1, 6, 2, 1]
    assert "£0" in figure.layout.xaxis.ticktext


@pytest.mark.parametrize(
    ("low", "width", "number", "written"),
    [
        (-500, 500, 40, ["£0", "£5,000", "£10,000", "£15,000"]),
        (-30, 10, 31, ["£0", "£100", "£200"]),
        (-4000, 200, 33, ["−£4,000", "−£2,000", "£0", "£2,000"]),
        (0, 2, 7, ["£0", "£4", "£8", "£12"]),
        (0, 0.2, 7, ["£0", "£0.40", "£0.80", "£1.20"]),
        (123, 1, 1, ["£123", "£124"]),
        (120, 10, 40, ["£200", "£300", "£400", "£500"]),
    ],
)
def test_a_histogram_is_written_at_round_values_and_at_0(low, width, number, written):
    rows = [{"low": low + width * at, "high": low + width * (at + 1), "customers": 1} for at in range(number)]
    axis = bins(rows).layout.xaxis
    assert list(axis.ticktext) == written
    for at, text in zip(axis.tickvals, axis.ticktext, strict=True):
        assert GBP.text(low + width * (at + 0.5)) == text


def test_zero_is_written_between_bins_of_any_width():
    edges = [None, -40, -15, -1, 0, 3, 8, 21, 55, 100]
    rows = [
        {"low": foot, "high": top, "customers": 1}
        for foot, top in zip(edges, [*edges[1:], None], strict=True)
    ]
    assert list(bins(rows).layout.xaxis.ticktext) == ["−£15", "£0", "£8", "£55"]


@pytest.mark.parametrize("count", [1, 2, 6, 7, 11, 12, 13, 24, 25, 36, 37, 48, 60, 96, 120, 400])
def test_months_are_written_once_each_however_many_there_are(count):
    months = [date(2001 + at // 12, at % 12 + 1, 1) for at in range(count)]
    axis = over_time([{"month": month, "revenue": 1.0} for month in months]).layout.xaxis
    step = int(axis.dtick[1:])
    assert axis.dtick[0] == "M"
    assert axis.tick0 == date(2000, 1, 1)
    assert math.ceil(count / step) <= 12
    assert axis.tickformat == ("%b\n%Y" if step < 12 else "%Y")
    assert step == 1 or count > 12


@pytest.mark.parametrize("values", [[0.2], [3.0, 7.0], [1e9, 2.0], [-5.0, 12.0], [0.0], [-4.0, -9.0]])
def test_value_axes_have_few_round_ticks_over_all_values(values):
    rows = [{"week": index, "predicted": value, "actual": value} for index, value in enumerate(values)]
    axis = charts.backtest_bars(
        rows, "week", title="?", measure=Measure("x", "number"), period_title="w"
    ).layout.yaxis
    assert 2 <= len(axis.tickvals) <= 8
    assert axis.range[0] <= min(values)
    assert axis.range[1] >= max(values)
    assert len(set(axis.ticktext)) == len(axis.ticktext)


def test_every_text_of_a_figure_follows_the_page():
    figure = over_time(MONTHS, before="before")
    for font in (
        figure.layout.xaxis.tickfont,
        figure.layout.yaxis.title.font,
        figure.layout.legend.font,
        figure.layout.hoverlabel.font,
    ):
        assert font.color == theme.TEXT

"""The parts of a page, run without a browser."""

import pytest
from streamlit.testing.v1 import AppTest

from crm import wording
from crm.ui.widgets import clicked, plain


def run(script):
    return AppTest.from_function(script, default_timeout=30).run()


def test_key_figures_show_sign_arrow_and_dash():
    def page():
        from crm.ui.widgets import Kpi, kpi_row

        kpi_row(
            [
                Kpi("Revenue", "£1", 0.124, "vs last month", "What came in.", [1, None, 3], exact="£1.00"),
                Kpi("Customers", "5", -0.1, "vs last month"),
                Kpi("Days", "5", -0.1, "vs last month", good="down"),
                Kpi("Flat", "5", 0.0, "vs last month"),
                Kpi("New", "5", None, "vs last month"),
                Kpi("Alone", "5"),
                Kpi("Rate", "34 %", 0.05, "vs last month", delta_text="+2 points"),
            ]
        )

    app = run(page)
    assert not app.exception
    metrics = app.metric
    assert [metric.value for metric in metrics] == ["£1", "5", "5", "5", "5", "5", "34 %"]
    assert [metric.delta for metric in metrics] == [
        f"+12{wording.SPACE}%", f"−10{wording.SPACE}%", f"−10{wording.SPACE}%", f"0{wording.SPACE}%", "–", "", "+2 points",
    ]  # fmt: skip
    protos = [metric.proto for metric in metrics]
    from streamlit.proto.Metric_pb2 import Metric

    up, down, none = Metric.MetricDirection.UP, Metric.MetricDirection.DOWN, Metric.MetricDirection.NONE
    assert [proto.direction for proto in protos] == [up, down, down, none, none, none, up]
    green, red, grey = Metric.MetricColor.GREEN, Metric.MetricColor.RED, Metric.MetricColor.GRAY
    assert [proto.color for proto in protos][:5] == [green, red, green, grey, grey]
    assert list(protos[0].chart_data) == [1.0, 3.0]
    assert app.markdown[0].proto.help == "**£1.00**\n\nWhat came in."
    assert app.caption[0].value == "Change vs last month."


def test_a_refusal_shows_what_was_found_and_what_to_do():
    def page():
        from crm.errors import NotFound
        from crm.ui.widgets import show_error

        show_error(NotFound("There is no *segment* called $x.", "Choose another."))

    app = run(page)
    assert app.error[0].proto.title == plain("There is no *segment* called $x.")
    assert app.error[0].value == "Choose another."


def test_a_chart_has_its_question_as_heading_and_is_told_in_words():
    def page():
        import streamlit as st

        from crm import charts
        from crm.ui.widgets import show_chart
        from crm.wording import Measure

        rows = [{"segment": "Lost", "customers": 3}, {"segment": "Loyal", "customers": 1}]
        st.session_state.said = [
            show_chart(
                charts.ranked_bar(
                    rows, "segment", "customers", title="Who & why?", measure=Measure("Customers")
                ),
                key="bars",
                selectable=True,
            ),
            show_chart(charts.segment_treemap(rows, "segment", title="Who?"), key="tiles", selectable=True),
        ]

    app = AppTest.from_function(page, default_timeout=30)
    app.session_state["bars"] = {
        "selection": {"points": [{"customdata": ["Lost"]}], "point_indices": [0], "box": [], "lasso": []}
    }
    app.run()
    assert not app.exception
    assert [heading.value for heading in app.subheader] == ["Who & why?", "Who?"]
    charts_shown = app.get("plotly_chart")
    assert charts_shown[0].proto.alt == "Who & why? Lost 3; Loyal 1."
    assert '"text": "Who' not in charts_shown[0].proto.spec
    assert app.session_state["said"] == ["Lost", None]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([{"customdata": ["Lost"]}], "Lost"),
        ([{"customdata": [0, 10]}], (0, 10)),
        ([{"customdata": "Lost"}], "Lost"),
        ([{"label": "<b>Lost</b>", "id": "Lost", "parent": ""}], "Lost"),
        ([{"x": 1}], None),
        ([], None),
    ],
)
def test_a_click_is_read_from_bars_and_from_tiles(points, expected):
    assert clicked({"selection": {"points": points}}) == expected


@pytest.mark.parametrize("event", [None, {}, {"selection": None}])
def test_no_selection_is_no_click(event):
    assert clicked(event) is None


def test_an_empty_state_says_what_to_do_next():
    def page():
        from datetime import date

        from crm.ui.widgets import definition_note, empty_state, page_header

        page_header("Tickets", "What customers ask.")
        empty_state(
            "No tickets yet",
            "Open one from a contact.",
            page="https://example.com",
            page_label="Open contacts",
        )
        definition_note("Revenue: returns included.", date(2025, 3, 12))

    app = run(page)
    assert not app.exception
    assert app.title[0].value == "Tickets"
    assert app.subheader[0].value == "No tickets yet"
    assert app.get("page_link")[0].proto.label == "Open contacts"
    assert app.caption[0].value.endswith(f"As of {wording.day(__import__('datetime').date(2025, 3, 12))}.")

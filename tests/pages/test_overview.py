"""The overview page."""

import json

from streamlit.testing.v1 import AppTest

from crm.analytics import rfm
from crm.ui import state
from tests.pages.conftest import link_of, open_page, text_of


def test_without_orders_it_says_what_to_do_next(empty_app: AppTest) -> None:
    """The empty store leads to the import page and to the sample shop."""
    assert "There are no orders yet." in text_of(empty_app)
    assert empty_app.button(key="load_sample").label == "Load the sample shop"
    assert not empty_app.metric


def test_the_sample_shop_is_one_click_away(empty_app: AppTest) -> None:
    """Loading it from the empty state shows its figures on the next run."""
    empty_app.button(key="load_sample").click().run()

    assert not empty_app.exception
    assert len(empty_app.metric) == 5
    assert "4,700 customers with a purchase" in text_of(empty_app)


def test_every_figure_is_compared_and_defined(sample_app: AppTest, shop) -> None:
    """Five key figures, each with its change, beside the workbench's own numbers."""
    labels = ["Revenue", "Purchases", "Buying customers", "New customers", "Average order value"]
    overview = shop.overview(as_of=shop.as_of(), days=90)

    assert [metric.label for metric in sample_app.metric] == labels
    assert sample_app.metric[1].value == f"{overview.purchases.now:,.0f}"
    assert all(metric.delta for metric in sample_app.metric)
    assert "against the 90 days before" in text_of(sample_app)


def test_the_period_stands_in_the_link(sample_app: AppTest) -> None:
    """A chosen period is written into the link, and a link with a period opens with it."""
    sample_app.segmented_control(key="choice_days").set_value("365").run()
    assert link_of(sample_app, "days") == "365"
    assert "against the 365 days before" in text_of(sample_app)

    open_page(sample_app, state.OVERVIEW, days="30")
    assert "against the 30 days before" in text_of(sample_app)


def test_a_period_before_which_nothing_is_on_record_has_no_change(sample_app: AppTest) -> None:
    """Where the period before is not wholly on record, the change is undefined, not 0 %."""
    open_page(sample_app, state.OVERVIEW, days="365", as_of="2024-06-30")

    assert [metric.delta for metric in sample_app.metric] == ["–"] * 5


def test_nonsense_in_the_link_is_answered_and_the_page_still_stands(sample_app: AppTest) -> None:
    """A period that does not exist is named, and the default is shown."""
    open_page(sample_app, state.OVERVIEW, days="soon", as_of="yesterday")

    assert "“soon”" in text_of(sample_app)
    assert "“yesterday” in the link is not a day" in text_of(sample_app)
    assert len(sample_app.metric) == 5


def test_a_day_before_all_orders_is_no_error(sample_app: AppTest) -> None:
    """Nobody had bought by then, and the page says so."""
    open_page(sample_app, state.OVERVIEW, as_of="2001-01-01")

    assert "Nobody had bought by 1 Jan 2001." in text_of(sample_app)
    assert not sample_app.exception
    assert not sample_app.error


def test_the_table_names_every_segment_and_what_helps(sample_app: AppTest) -> None:
    """All 11 segments stand in the table, each with something to do, and add up to all customers."""
    table = sample_app.dataframe[0].value

    assert list(table["segment"]) == list(rfm.SEGMENTS)
    assert table["action"].notna().all()
    assert set(rfm.ACTIONS) == set(rfm.SEGMENTS)
    assert table["customers"].sum() == 4700


def test_a_clicked_tile_opens_its_customers(sample_app: AppTest) -> None:
    """The treemap leads to the audience of the segment that was clicked."""
    sample_app.session_state["overview_rfm_0"] = {"selection": {"points": [{"id": "Champions"}]}}
    sample_app.run()

    assert sample_app.title[0].value == "Audiences"
    assert json.loads(link_of(sample_app, "rule")) == {
        "field": "rfm_segment",
        "op": "=",
        "value": "Champions",
    }

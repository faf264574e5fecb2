"""The lifetime-value page as a manager meets it: the verdict first, and from a mark to its customers."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.driving import PATIENCE, Server

pytestmark = pytest.mark.browser


def test_from_the_verdict_to_the_customers_of_a_segment(shop: Server, visit: Visitor):
    """The bar's table and the list behind the bar count the same customers, the most valuable first."""
    tab = visit(shop).open("lifetime_value")
    tab.expect_text("Usable: on your own history the forecast was off by")
    tab.expect_text("Fitted on data to 30 Sep 2025.")
    tab.expect_text("Which segments hold the value?")
    tab.settle()
    chart = tab.page.locator(".st-key-value_value_class")
    names = chart.locator(".js-plotly-plot").evaluate("plot => plot.data[0].customdata.map(item => item[0])")
    bar = chart.locator(".barlayer .point path").nth(names.index("A"))
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    assert box is not None
    tab.page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)

    tab.expect_title("Audiences")
    tab.expect_text("1,492 customers")
    expect(tab.page).to_have_url(re.compile("sorted=lifetime_value"), timeout=PATIENCE)
    tab.expect_whole()


def test_every_view_of_the_forecast_is_drawn(shop: Server, visit: Visitor):
    """Each choice stands in the link and draws its charts; nothing breaks, and nobody outside is asked."""
    tab = visit(shop).open("lifetime_value")
    for title, question in (
        ("Test", "Did the forecast follow what came?"),
        ("DCF beside it", "What moves the forecast most?"),
        ("Cohorts and acquisition", "When does a customer pay back what winning one cost?"),
        ("Customers and segments", "How few customers hold the value?"),
    ):
        tab.page.get_by_test_id("stMain").get_by_role("radio", name=title).click()
        tab.expect_text(question)
        tab.settle()
        tab.expect_whole()
    assert not tab.outsiders()
    assert not tab.complaints

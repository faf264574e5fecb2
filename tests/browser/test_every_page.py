"""What holds on every page: it fits a phone, bears both themes, asks nobody outside, and can be heard as well as seen."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.driving import Server, Visit

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
PAGES = {
    "": "Overview",
    "segments": "Segments",
    "lifetime_value": "Lifetime value",
    "loyalty": "Loyalty",
    "audiences": "Audiences",
    "contacts": "Contacts",
    "tickets": "Tickets",
    "import_file": "Import",
    "connect": "Connect",
    "history": "Import history",
}
_TOO_WIDE = """() => [document.scrollingElement, document.querySelector('[data-testid="stMain"]')]
    .filter(box => box.scrollWidth > box.clientWidth).map(box => `${box.tagName}: ${box.scrollWidth} in ${box.clientWidth}`)"""
_NAME = """element => element.getAttribute('aria-label')
    || element.querySelector('[role=region][aria-label], table[aria-label], caption')?.getAttribute('aria-label')
    || element.querySelector('caption')?.textContent || ''"""


def every_page(tab: Visit) -> Iterator[str]:
    """Open one page after the other, the page of one customer last, and give its title."""
    for path, title in PAGES.items():
        tab.open(path)
        tab.expect_title(title)
        tab.settle()
        yield title
    tab.open("contacts")
    customer = tab.cells()[1][0]
    tab.open("contacts", customer=customer)
    expect(tab.page.get_by_role("tab", name="Contact")).to_be_visible()
    tab.settle()
    yield "one customer"


def test_no_page_scrolls_sideways_on_a_phone(shop: Server, visit: Visitor):
    tab = visit(shop, viewport=PHONE, is_mobile=True, has_touch=True).open()
    wide = {title: found for title in every_page(tab) if (found := tab.page.evaluate(_TOO_WIDE))}
    assert wide == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_loads_without_a_complaint_and_asks_nobody_outside(
    shop: Server, visit: Visitor, scheme: str
):
    tab = visit(shop, color_scheme=scheme).open()
    complaints = {}
    for title in every_page(tab):
        tab.expect_whole()
        if tab.complaints:
            complaints[title] = list(tab.complaints)
            tab.complaints.clear()
    assert complaints == {}
    assert tab.outsiders() == []
    background = tab.page.get_by_test_id("stApp").evaluate("app => getComputedStyle(app).backgroundColor")
    brightness = sum(int(part) for part in background.removeprefix("rgb(").rstrip(")").split(",")[:3]) / 3
    assert (brightness > 128) == (scheme == "light")


def test_every_chart_and_table_has_a_name_and_every_page_one_heading(shop: Server, visit: Visitor):
    tab = visit(shop).open()
    nameless, headings, charts, tables = [], {}, 0, 0
    for title in every_page(tab):
        main = tab.page.get_by_test_id("stMain")
        headings[title] = main.get_by_role("heading", level=1).count()
        for kind in ("stPlotlyChart", "stDataFrame", "stTable"):
            found = main.get_by_test_id(kind)
            for number in range(found.count()):
                if not found.nth(number).evaluate(_NAME).strip():
                    nameless.append(f"{title}: {kind} {number + 1}")
        charts += main.get_by_test_id("stPlotlyChart").count()
        tables += main.get_by_test_id("stDataFrame").count()
    assert nameless == []
    assert headings == dict.fromkeys([*PAGES.values(), "one customer"], 1)
    assert charts > 6
    assert tables > 5

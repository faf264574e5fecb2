"""A manager's way through the app in a real browser: from an empty store to a file of customers and back."""

import csv
import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from crm.analytics.rfm import SEGMENT_CODES
from tests.browser.conftest import Visitor
from tests.browser.driving import PATIENCE, Server, Visit

pytestmark = pytest.mark.browser

EMPTY = "There are no orders yet."
PURCHASES = [1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 12]
"""Orders of each of the twelve customers, sixty in all."""

LAST = date(2024, 6, 30)


@dataclass(frozen=True)
class Known:
    """What one customer of the made-up file must come out as."""

    orders: int
    revenue: Decimal
    last: date
    segment: str


def write_orders(path: Path) -> dict[str, Known]:
    """Write sixty orders of twelve customers and one row without a date; return what is known of each customer."""
    lines, facts = [], {}
    for number, orders in enumerate(PURCHASES):
        customer = f"0{100 + number}"  # an ID, not a number: its zero must survive
        days = [LAST - timedelta(days=(11 - number) * 9 + 7 * place) for place in range(orders)]
        amounts = [Decimal(f"{10 + number}.{25 + place:02d}") for place in range(orders)]
        lines += [
            [f"N{number:02d}-{place:02d}", customer, day.isoformat(), str(amount)]
            for place, (day, amount) in enumerate(zip(days, amounts, strict=True))
        ]
        facts[customer] = (orders, sum(amounts, Decimal(0)), max(days))
    lines.insert(30, ["N99-00", "0105", "no day at all", "12.50"])
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["Order No", "Customer ID", "Order date", "Amount"], *lines])
    return {
        customer: Known(orders, revenue, last, _segment(facts, customer))
        for customer, (orders, revenue, last) in facts.items()
    }


def _segment(facts: dict[str, tuple[int, Decimal, date]], customer: str) -> str:
    """Return the RFM segment by its definition: 1 + floor(5 × customers strictly worse ÷ customers)."""
    orders, revenue, last = facts[customer]
    worse = [
        sum(other[2] < last for other in facts.values()),
        sum(other[0] < orders for other in facts.values()),
        sum(other[1] < revenue for other in facts.values()),
    ]
    recency, frequency, monetary = (1 + 5 * count // len(facts) for count in worse)
    code = 100 * recency + 10 * frequency + monetary
    return next(name for name, codes in SEGMENT_CODES.items() if code in codes)


def bar_counts(visit: Visit, key: str) -> dict[str, int]:
    """Return the customers that the chart writes beside each bar, by segment."""
    chart = visit.page.locator(f".st-key-{key}")
    names = chart.locator(".js-plotly-plot").evaluate("plot => plot.data[0].customdata.map(item => item[0])")
    written = chart.locator(".annotation-text").all_text_contents()
    return {name: int(text.replace(",", "")) for name, text in zip(names, written, strict=True)}


def click_bar(visit: Visit, key: str, name: str) -> None:
    """Click the middle of a bar, as a hand does."""
    chart = visit.page.locator(f".st-key-{key}")
    place = list(bar_counts(visit, key)).index(name)
    bar = chart.locator(".barlayer .point path").nth(place)
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    assert box is not None
    visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def choose(visit: Visit, label: str, option: str) -> None:
    """Choose an option of a list that drops down."""
    visit.page.get_by_role("combobox", name=re.compile(f"{re.escape(label)}")).click()
    visit.page.get_by_role("option", name=option, exact=True).click()


def test_the_first_visitor_of_a_server_may_come_by_a_deep_link(fresh: Server, visit: Visitor):
    """Nothing has told the server yet which pages there are."""
    tab = visit(fresh).open("segments")
    tab.expect_title("Segments")
    tab.expect_text(EMPTY)
    expect(tab.page.get_by_test_id("stSidebarNavLink")).to_have_count(10)
    expect(tab.page.get_by_role("dialog")).to_have_count(0)
    tab.expect_whole()


def test_an_empty_store_says_what_to_do_and_the_sample_shop_comes_and_goes_in_one_click(
    fresh: Server, visit: Visitor
):
    tab = visit(fresh).open()
    tab.expect_text(EMPTY)
    for title in ("Segments", "Lifetime value", "Loyalty", "Audiences"):
        tab.go_to(title)
        tab.expect_text(EMPTY)
        expect(tab.page.get_by_test_id("stMain").get_by_role("link", name="Import a file")).to_be_visible()
    tab.go_to("Segments")
    tab.press("Load the sample shop")
    tab.expect_text("customers with a purchase")
    tab.settle()
    assert sum(bar_counts(tab, "segments_rfm_bars").values()) > 1000

    tab.go_to("Import")
    tab.press("Remove the sample shop")
    tab.press("Remove the sample shop now")
    tab.expect_text("The sample shop is gone")
    tab.go_to("Overview")
    tab.expect_text(EMPTY)
    tab.expect_whole()


def test_from_a_file_to_a_segment_to_a_file_every_number_is_the_same(
    fresh: Server, visit: Visitor, tmp_path: Path
):
    known = write_orders(tmp_path / "orders.csv")
    tab = visit(fresh).open().go_to("Import")
    page = tab.page

    page.locator("input[type=file]").set_input_files(tmp_path / "orders.csv")
    tab.expect_text("was read and waits.")
    tab.expect_text("61 rows read = 60 created + 0 updated + 0 unchanged + 0 skipped + 1 rejected")

    choose(tab, "Amount", "Not in the file")
    assert "amount" in tab.refusal().lower()
    expect(page.get_by_role("button", name="Import orders.csv")).to_have_count(0)
    choose(tab, "Amount", "Amount")
    tab.expect_text("61 rows read = 60 created + 0 updated + 0 unchanged + 0 skipped + 1 rejected")
    tab.expect_text("1 rejected row")

    tab.press("Import orders.csv")
    tab.expect_text("6. orders.csv is imported")
    tab.expect_text("61 rows read = 60 created + 0 updated + 0 unchanged + 0 skipped + 1 rejected")

    tab.go_to("Segments")
    tab.expect_text("12 customers with a purchase")
    by_segment: dict[str, list[str]] = {}
    for customer, facts in known.items():
        by_segment.setdefault(facts.segment, []).append(customer)
    on_chart = {name: count for name, count in bar_counts(tab, "segments_rfm_bars").items() if count}
    assert on_chart == {name: len(customers) for name, customers in by_segment.items()}

    chosen = max(by_segment, key=lambda name: len(by_segment[name]))
    members = sorted(by_segment[chosen])
    click_bar(tab, "segments_rfm_bars", chosen)
    tab.expect_title("Audiences")
    tab.expect_text(f"{on_chart[chosen]} customers —")
    header, *rows = tab.cells()
    ids, revenue = (
        header.index("Customer ID"),
        next(i for i, title in enumerate(header) if "Revenue" in title),
    )
    shown = {row[ids]: Decimal(row[revenue].replace(",", "")) for row in rows}
    assert sorted(shown) == members

    tab.press("Export")
    page.get_by_text("CSV for programs", exact=True).click()
    number = f"{len(members)} customer{'s' if len(members) != 1 else ''}"
    with page.expect_download(timeout=PATIENCE) as download:
        tab.press(f"Download {number} as CSV for programs")
    assert download.value.suggested_filename.endswith(".csv")
    download.value.save_as(tmp_path / "exported.csv")
    with (tmp_path / "exported.csv").open(newline="", encoding="utf-8-sig") as file:
        exported = {row["customer_id"]: row for row in csv.DictReader(file)}
    assert sorted(exported) == members
    for customer, row in exported.items():
        facts = known[customer]
        assert int(row["orders"]) == facts.orders
        assert Decimal(row["revenue"]) == facts.revenue == shown[customer]
        assert row["last_order_day"] == facts.last.isoformat()
        assert row["rfm_segment"] == facts.segment

    tab.go_to("Import history")
    tab.click_row(0)
    tab.expect_title("orders.csv")
    tab.press("Undo this import")
    tab.press("Undo the import of orders.csv")
    tab.expect_text("Undid the import of orders.csv.")
    tab.go_to("Overview")
    tab.expect_text(EMPTY)
    tab.go_to("Contacts")
    tab.expect_text("There are no customers yet.")
    tab.expect_whole()


@pytest.mark.parametrize(
    ("path", "link", "words", "title"),
    [
        ("contacts", {"customer": "nobody"}, "There is no customer", None),
        ("contacts", {"page": "999999"}, "There is no page", "Contacts"),
        ("contacts", {"page": "-1"}, "is not the number of a page", "Contacts"),
        ("audiences", {"page": "999999"}, "There is no page", "Audiences"),
        ("history", {"page": "99"}, "There is no page", "Import history"),
        ("history", {"import": "none"}, "import", None),
        ("tickets", {"ticket": "banana"}, "ticket", None),
        ("lifetime_value", {"discount_rate": "-5"}, "The discount rate is −5 % a year", "Lifetime value"),
        ("lifetime_value", {"years": "many"}, "“many”", "Lifetime value"),
        ("segments", {"scheme": "zodiac"}, "“zodiac”", "Segments"),
        ("audiences", {"rule": "{not json"}, "rule", "Audiences"),
    ],
)
def test_nonsense_in_a_link_is_answered_in_words(
    shop: Server, visit: Visitor, path: str, link: dict[str, str], words: str, title: str | None
):
    tab = visit(shop).open().open(path, **link)
    assert words in tab.refusal()
    if title is not None:
        tab.expect_title(title)
    tab.expect_whole()
    tab.go_to("Loyalty")
    expect(tab.page.get_by_test_id("stPlotlyChart").first).to_be_visible()
    tab.expect_whole()


def test_a_day_that_is_none_is_told_and_the_last_day_is_shown(shop: Server, visit: Visitor):
    tab = visit(shop).open().open("segments", as_of="banana")
    tab.expect_text("“banana” in the link is not a day")
    tab.expect_text("customers with a purchase")
    tab.settle().expect_whole()
    assert sum(bar_counts(tab, "segments_rfm_bars").values()) > 1000


def test_an_error_nobody_foresaw_is_an_id_on_the_page_and_the_same_id_in_the_log(
    own_shop: Server, visit: Visitor
):
    tab = visit(own_shop).open()
    tab.expect_title("Overview")
    parts = [
        path for path in own_shop.home.glob("lake/orders/**/*.parquet") if "_delta_log" not in path.parts
    ]
    assert parts
    for path in parts:
        path.rename(path.with_suffix(".away"))
    tab.open("segments", as_of="2025-03-31")
    alert = tab.expect_text("Something unexpected went wrong").inner_text()
    number = re.search(r"\(([0-9a-f]{8})\)", alert)
    assert number, alert
    said = tab.page.locator("body").inner_text()
    assert "Traceback" not in said
    assert str(own_shop.home) not in said
    expect(tab.page.get_by_test_id("stException")).to_have_count(0)
    logged = [json.loads(line) for line in own_shop.logged().splitlines() if line.startswith("{")]
    assert [line["kind"] for line in logged if line.get("id") == number.group(1)]

    for path in parts:
        path.with_suffix(".away").rename(path)
    tab.open("segments", as_of="2025-03-31")
    tab.expect_text("customers with a purchase")
    tab.expect_whole()


def test_of_two_tabs_on_one_contact_the_second_is_told_and_loses_nothing(own_shop: Server, visit: Visitor):
    first = visit(own_shop).open().go_to("Contacts")
    customer = first.cells()[1][0]
    first.open("contacts", customer=customer)
    second = visit(own_shop).open("contacts", customer=customer)

    city, company = ("textbox", "City"), ("textbox", "Company")
    for tab, (role, name), text in ((first, city, "Leeds"), (second, company, "Tea & Co")):
        tab.page.get_by_role(role, name=name, exact=True).fill(text)
    before = second.page.get_by_role("textbox", name="City", exact=True).input_value()
    first.press("Save contact")
    first.expect_text("Saved the contact of")

    second.press("Save contact")
    told = second.refusal()
    assert "somebody else" in told
    assert "City" in told
    differing = second.page.get_by_test_id("stTable").inner_text()
    assert "Leeds" in differing
    assert "Tea & Co" in differing
    assert before in differing
    expect(second.page.get_by_role("textbox", name="Company", exact=True)).to_have_value("Tea & Co")

    third = visit(own_shop).open("contacts", customer=customer)
    expect(third.page.get_by_role("textbox", name="City", exact=True)).to_have_value("Leeds")

    second.press("Take what is stored")
    expect(second.page.get_by_role("textbox", name="City", exact=True)).to_have_value(
        "Leeds", timeout=PATIENCE
    )
    second.page.get_by_role("textbox", name="Company", exact=True).fill("Tea & Co")
    second.press("Save contact")
    second.expect_text("Saved the contact of")
    third.open("contacts", customer=customer)
    expect(third.page.get_by_role("textbox", name="City", exact=True)).to_have_value("Leeds")
    expect(third.page.get_by_role("textbox", name="Company", exact=True)).to_have_value("Tea & Co")
    third.expect_whole()

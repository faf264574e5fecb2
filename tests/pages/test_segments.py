"""The segments page: every number on it is the number of customers behind it."""

import zlib
from datetime import date
from itertools import product

import pytest
from streamlit.testing.v1 import AppTest

from crm.analytics.segments import SCHEMES, Bands, find_scheme, meaning_of
from crm.schema import UNKNOWN
from crm.ui import cache, state
from crm.workbench import segment_rule
from tests.pages.conftest import link_of, open_page, text_of

NAMES = [scheme.name for scheme in SCHEMES]


def test_without_orders_it_says_what_to_do_next(empty_app: AppTest) -> None:
    """The empty store leads on instead of drawing nothing."""
    open_page(empty_app, state.SEGMENTS)

    assert "There are no orders yet." in text_of(empty_app)
    assert not empty_app.exception


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("day", [None, date(2024, 2, 29)])
def test_the_list_behind_each_segment_is_as_long_as_its_bar(shop, name: str, day: date | None) -> None:
    """For every segment of every scheme, on the last and on an earlier day, chart and list agree."""
    as_of = shop.as_of(day)
    segments = shop.segments(name, as_of=as_of)
    shown = dict(zip(segments.rows["segment"], segments.rows["customers"], strict=True))
    listed = {
        segment: shop.audience_page(segment_rule(segments.scheme, segment), as_of=as_of)[1]
        for segment in shown
    }

    assert listed == shown
    assert sum(listed.values()) == segments.customers


def test_customers_without_a_purchase_are_in_no_segment(shop) -> None:
    """Unknown income is common among those who never bought; the rule leaves them out, as the chart does."""
    as_of = shop.as_of()
    scheme = find_scheme("purchase_power")
    segments = shop.segments("purchase_power", as_of=as_of)
    unknown = segments.rows.set_index("segment").loc[UNKNOWN, "customers"]
    from crm.audiences import Leaf

    assert shop.audience_size(Leaf(scheme.column, "=", UNKNOWN), as_of=as_of) > unknown
    assert shop.audience_size(segment_rule(scheme, UNKNOWN), as_of=as_of) == unknown


def test_each_scheme_has_a_page_of_its_own_link(sample_app: AppTest) -> None:
    """Scheme and chart come from the link; table and total line hold all customers with a purchase."""
    for name, chart in product(NAMES, ["bars", "tiles"]):
        open_page(sample_app, state.SEGMENTS, scheme=name, chart=chart)

        assert not sample_app.exception
        assert sample_app.dataframe[0].value["customers"].sum() == 4700
        assert "4,700 customers with a purchase" in text_of(sample_app)
        assert find_scheme(name).question in text_of(sample_app)


def test_an_unknown_scheme_in_the_link_is_answered(sample_app: AppTest) -> None:
    """The message names what was asked for, and RFM is shown."""
    open_page(sample_app, state.SEGMENTS, scheme="zodiac")

    assert "“zodiac”" in text_of(sample_app)
    assert len(sample_app.dataframe[0].value) == 11


@pytest.mark.parametrize("chart", ["bars", "tiles"])
def test_a_clicked_mark_opens_as_many_customers(sample_app: AppTest, chart: str) -> None:
    """The count on the Audiences page is the count of the mark."""
    open_page(sample_app, state.SEGMENTS, scheme="region", chart=chart)
    rows = sample_app.dataframe[0].value.set_index("segment")["customers"]
    point = {"customdata": ["Unknown"]} if chart == "bars" else {"id": "Unknown"}
    sample_app.session_state[f"segments_region_{chart}_0"] = {"selection": {"points": [point]}}
    sample_app.run()

    assert sample_app.title[0].value == "Audiences"
    assert f"{rows['Unknown']:,} customers" in text_of(sample_app)


def test_bands_can_be_edited_and_the_edit_undone(sample_app: AppTest) -> None:
    """Moving a limit moves customers between segments and its sentence with it; undo brings both back."""
    open_page(sample_app, state.SEGMENTS, scheme="age_group")
    before = sample_app.dataframe[0].value.set_index("segment")["customers"].to_dict()
    young = next(item for item in sample_app.number_input if item.label == "Young: under")
    young.set_value(40)
    next(button for button in sample_app.button if button.label == "Save").click().run()

    after = sample_app.dataframe[0].value.set_index("segment")["customers"].to_dict()
    assert after["Young"] > before["Young"]
    assert sum(after.values()) == sum(before.values())
    assert "under 40 Young" in text_of(sample_app)

    next(button for button in sample_app.button if button.label == "Undo").click().run()
    assert sample_app.dataframe[0].value.set_index("segment")["customers"].to_dict() == before
    assert "under 30 Young" in text_of(sample_app)


def test_bands_that_make_no_sense_are_refused_in_words(sample_app: AppTest) -> None:
    """Young above Middle-aged: nothing is saved, and the message says what was found."""
    open_page(sample_app, state.SEGMENTS, scheme="age_group")
    next(item for item in sample_app.number_input if item.label == "Young: under").set_value(70)
    next(button for button in sample_app.button if button.label == "Save").click().run()

    assert "Young is under 70 and Middle-aged under 60." in text_of(sample_app)
    assert "under 30 Young" in text_of(sample_app)


def test_a_city_can_be_put_into_another_region(sample_app: AppTest) -> None:
    """A new row of the table of cities makes a new region, which the chart then shows."""
    open_page(sample_app, state.SEGMENTS, scheme="region")
    editor = f"bands_region_{zlib.crc32(repr(cache.bands()).encode())}_cities"
    sample_app.session_state[editor] = {
        "edited_rows": {},
        "added_rows": [{"city": "Chengdu", "region": "West"}],
        "deleted_rows": [],
    }
    next(button for button in sample_app.button if button.label == "Save").click().run()

    assert "West" in set(sample_app.dataframe[0].value["segment"])
    assert "Chengdu: West" in text_of(sample_app)
    assert sample_app.dataframe[0].value["customers"].sum() == 4700


def test_the_meaning_of_a_scheme_follows_its_bands() -> None:
    """What the page says of a scheme is what it does."""
    bands = Bands(
        purchase_power=(80, 20), value_class=(0.7, 0.9), age_group=(25, 50), regions={"East": ("Hangzhou",)}
    )
    said = {name: meaning_of(find_scheme(name), bands) for name in NAMES}

    assert "over 80 is A, over 20 is B" in said["purchase_power"]
    assert "first 70 %, B the next 20 %" in said["value_class"]
    assert "under 25 Young, under 50 Middle-aged" in said["age_group"]
    assert "Hangzhou: East" in said["region"]
    assert said["rfm"] == find_scheme("rfm").meaning


def test_the_chosen_scheme_stands_in_the_link(sample_app: AppTest) -> None:
    """Whoever gets the link sees the same scheme."""
    open_page(sample_app, state.SEGMENTS)
    sample_app.segmented_control(key="choice_scheme").set_value("value_class").run()

    assert link_of(sample_app, "scheme") == "value_class"


def test_a_scheme_that_needs_contacts_says_so_without_them(sample_app: AppTest) -> None:
    """Without contacts nobody's city is known; the page names the file that would tell."""
    importer = cache.workbench().importer
    contacts = next(item["import_id"] for item in importer.history() if item["kind"] == "contacts")
    importer.undo(contacts, actor="test", any_order=True)
    open_page(sample_app, state.SEGMENTS, scheme="region")

    assert "Region is not known for any customer." in text_of(sample_app)
    assert sample_app.dataframe[0].value["customers"].sum() == 4700

"""The loyalty page."""

from itertools import product

from streamlit.testing.v1 import AppTest

from crm.analytics.segments import SCHEMES
from crm.ui import cache, loyalty, state
from crm.workbench import lifecycle_rule
from tests.pages.conftest import open_page, text_of


def test_without_orders_it_says_what_to_do_next(empty_app: AppTest) -> None:
    """The empty store leads on."""
    open_page(empty_app, state.LOYALTY)

    assert "There are no orders yet." in text_of(empty_app)
    assert not empty_app.exception


def test_key_figures_are_those_of_the_workbench(sample_app: AppTest, shop) -> None:
    """Rates, lifecycle and NPS with its standard error and number of answers."""
    found = shop.loyalty(as_of=shop.as_of())
    open_page(sample_app, state.LOYALTY)

    labels = [metric.label for metric in sample_app.metric]
    assert labels == [
        "Repeat rate",
        "Feedback rate",
        "Recommendation rate",
        "Mean lifecycle",
        f"NPS, n = {found.nps.answers:,}",
    ]
    assert sample_app.metric[4].value == f"+{found.nps.score:.0f} ± {found.nps.standard_error:.1f}"


def test_rates_are_the_quotients_of_the_sums_shown(shop) -> None:
    """Answers and purchases of the segments add up to those of all customers, and so do the lifecycle years."""
    found = shop.loyalty(as_of=shop.as_of())

    for rows in (found.segments, found.lifecycle):
        assert rows["customers"].sum() == found.customers
        assert rows["purchases"].sum() == found.purchases
        assert rows["feedback_answers"].sum() == found.feedback_answers
        assert rows["recommendations"].sum() == found.recommendations
    assert found.feedback_rate == found.feedback_answers / found.purchases


def test_every_rate_by_every_scheme(sample_app: AppTest) -> None:
    """Scheme and rate come from the link."""
    for scheme, rate in product(SCHEMES, loyalty.RATES):
        open_page(sample_app, state.LOYALTY, segments=scheme.name, rate=rate)

        assert not sample_app.exception
        assert not sample_app.error
        assert f"Which segments have the highest {loyalty.RATES[rate].lower()}?" in text_of(sample_app)
        assert set(sample_app.dataframe[0].value["segment"]) <= set(scheme.segments)
        assert sample_app.dataframe[0].value["customers"].sum() == 4700


def test_the_list_behind_each_lifecycle_year_is_as_long_as_its_bar(shop) -> None:
    """Chart and list agree for every year."""
    as_of = shop.as_of()
    years = shop.loyalty(as_of=as_of).lifecycle
    listed = [shop.audience_size(lifecycle_rule(int(year)), as_of=as_of) for year in years["segment"]]

    assert listed == list(years["customers"])


def test_a_clicked_year_opens_its_customers(sample_app: AppTest) -> None:
    """The bar of the second year leads to its customers."""
    open_page(sample_app, state.LOYALTY)
    second = sample_app.dataframe[1].value["customers"].iloc[1]
    sample_app.session_state["loyalty_years_repeat_rate_0"] = {
        "selection": {"points": [{"customdata": ["1"]}]}
    }
    sample_app.run()

    assert sample_app.title[0].value == "Audiences"
    assert f"{second:,} customers" in text_of(sample_app)


def test_without_answers_it_says_which_file_brings_them(sample_app: AppTest) -> None:
    """Rates made of answers are undefined, not 0 %, and the page leads to the import of responses."""
    importer = cache.workbench().importer
    responses = next(item["import_id"] for item in importer.history() if item["kind"] == "responses")
    importer.undo(responses, actor="test")
    open_page(sample_app, state.LOYALTY)

    assert [metric.value for metric in sample_app.metric][1:3] == ["–", "–"]
    assert "There are no answers of customers yet." in text_of(sample_app)
    assert list(sample_app.dataframe[0].value) == ["segment", "customers", "repeat_rate", "purchases"]
    assert sample_app.get("page_link")


def test_years_are_counted_as_people_count_them() -> None:
    """The first year is the one after no full year."""
    assert [loyalty.year_name(str(year)) for year in (0, 1, 2, 3, 10, 11, 12, 20)] == [
        "1st year", "2nd year", "3rd year", "4th year", "11th year", "12th year", "13th year", "21st year",
    ]  # fmt: skip

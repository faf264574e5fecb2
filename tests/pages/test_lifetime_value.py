"""The lifetime-value page."""

import io
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from crm import audiences
from crm.analytics.lifetime_value import Assumptions, FlatRevenueTest
from crm.audiences import Leaf
from crm.ui import downloads, forecasts, holdout_tests, lifetime_value, state
from tests.pages.conftest import link_of, open_page, text_of


def test_without_orders_it_says_what_to_do_next(empty_app: AppTest) -> None:
    """The empty store leads on."""
    open_page(empty_app, state.LIFETIME_VALUE)

    assert "There are no orders yet." in text_of(empty_app)
    assert not empty_app.exception


def test_the_formula_with_its_numbers_gives_the_total(shop) -> None:
    """Revenue × margin × annuity − cost is the total that is shown, to the cent."""
    assumptions = Assumptions(years=5, discount_rate=0.08, margin=0.4, acquisition_cost=25)
    found = shop.valuation.dcf(assumptions, as_of=shop.as_of())
    by_hand = found.annual_revenue * 0.4 * assumptions.annuity - found.acquisition_cost

    assert math.isclose(found.total, by_hand, rel_tol=1e-9)
    assert found.segments["lifetime_value"].sum() == pytest.approx(found.total)
    assert found.bins["customers"].sum() == found.customers
    assert f"= {found.total:,.2f}, over 4,700 customers" in lifetime_value.formula(found)


def test_verdict_key_figures_and_formula_come_first(sample_app: AppTest) -> None:
    """The grade with the test behind it, six figures with their exact values, and the formula with its numbers."""
    open_page(sample_app, state.LIFETIME_VALUE)
    said = text_of(sample_app)

    assert "Usable: on your own history the forecast was off by +0.5 %." in said
    assert (
        "Fitted on data to 30 Sep 2025. Predicted 3,119,518 for the next 39 weeks; it was 3,103,942" in said
    )
    assert "Model: BG/NBD is the standard" in said
    assert [metric.label for metric in sample_app.metric] == [
        "Lifetime value",
        "Mean per customer",
        "Likely still customers",
        "Expected orders",
        "Expected revenue",
        "Below their cost",
    ]
    assert "80 %: CN¥9.2 M to CN¥10.1 M" in said
    assert "9,912,855.93 − 258,975.40 = 9,653,880.53, over 4,700 customers" in said


def test_the_formula_of_the_forecast_adds_up(shop) -> None:
    """The total is what segments add up to, and lies inside its interval."""
    found = shop.valuation.by_forecast(shop.assumptions(), as_of=shop.as_of())
    forecast = shop.valuation.forecast(shop.assumptions(), as_of=shop.as_of())

    assert found.segments["lifetime_value"].sum() == pytest.approx(found.total)
    assert found.low < found.total < found.high
    assert f"= {found.total:,.2f}, over 4,700 customers" in forecasts.formula(found, forecast)


@pytest.mark.parametrize(
    ("view", "questions"),
    [
        (
            None,
            {
                "Which segments hold the value?",
                "How is value spread over customers?",
                "How few customers hold the value?",
                "Who are the most valuable?",
            },
        ),
        (
            "test",
            {
                "Did the forecast follow what came?",
                "Was it nearer than a simple rule?",
                "Does it hold for rare and frequent buyers?",
                "Does it find the best customers?",
                "Why this model?",
                "What did the fit find?",
            },
        ),
        (
            "dcf",
            {
                "What are our customers worth, three ways?",
                "Why do formula and forecast differ?",
                "What moves the forecast most?",
                "Did “next year like last year” hold before?",
                "How is value spread over customers?",
                "Which segments hold the value by the formula?",
            },
        ),
        (
            "cohorts",
            {
                "When does a customer pay back what winning one cost?",
                "Which channels bring customers that pay?",
                "Which months brought customers that pay?",
            },
        ),
    ],
)
def test_every_view_answers_its_questions(sample_app: AppTest, view: str | None, questions: set[str]) -> None:
    """The link says which view is open."""
    open_page(sample_app, state.LIFETIME_VALUE, **({"view": view} if view else {}))

    assert {heading.value.replace("\\", "") for heading in sample_app.subheader} == questions
    assert not sample_app.exception
    assert not sample_app.error


def test_the_three_forms_stand_in_one_table(sample_app: AppTest, shop) -> None:
    """Flat, with retention and forecast, under the same assumptions; the bridge begins and ends at two of them."""
    given = shop.assumptions(years=2, margin=0.5)
    found = shop.valuation.by_forecast(given, as_of=shop.as_of())
    open_page(sample_app, state.LIFETIME_VALUE, view="dcf", years="2", margin="50")
    forms = table_of(sample_app, "form").set_index("form")["total"]

    assert forms["Forecast"] == pytest.approx(found.total)
    assert forms["DCF, flat revenue"] == pytest.approx(found.steps[0].change)
    assert forms["DCF with retention"] == pytest.approx(sum(step.change for step in found.steps[:2]))


def test_the_test_is_beside_two_simple_rules_and_its_intervals_are_checked(sample_app: AppTest, shop) -> None:
    """The table says by how much each was off, and the words how many customers lay inside their interval."""
    test = shop.valuation.forecast(shop.assumptions(), as_of=shop.as_of()).test
    open_page(sample_app, state.LIFETIME_VALUE, view="test")
    rules = table_of(sample_app, "rule").set_index("rule")

    assert list(rules.index) == ["BG/NBD", "Same as a year before", "Everybody buys the average"]
    assert rules.loc["BG/NBD", "revenue_bias"] == pytest.approx(100 * test.revenue_bias)
    assert rules.loc["BG/NBD", "rmse"] == f"{test.rmse:.3f}"
    assert "83 % of the customers lay inside their own 80 % interval, which promises 84 %" in text_of(
        sample_app
    )
    assert list(table_of(sample_app, "log_likelihood")["model"]) == ["BG/NBD", "MBG/NBD", "Pareto/NBD"]


def test_the_file_of_the_test_holds_its_table(shop) -> None:
    """One row for the model and one for each simple rule, with full digits."""
    test = shop.valuation.forecast(shop.assumptions(), as_of=shop.as_of()).test
    rows = pd.read_csv(io.BytesIO(holdout_tests.csv_of(test)), comment="#")

    assert list(rows.iloc[:, 0]) == ["BG/NBD", *(rule.name for rule in test.naive)]
    assert rows["revenue"].iloc[0] == pytest.approx(test.predicted_revenue, abs=0.01)
    assert set(rows["actual_orders"]) == {test.actual}


def test_another_model_and_holdout_are_asked_for_in_the_link(sample_app: AppTest) -> None:
    """The choice changes the verdict's words and stands in the link; the forecast before can be shown again."""
    open_page(sample_app, state.LIFETIME_VALUE)
    sample_app.selectbox(key="choice_model").set_value("pareto_nbd").run()
    sample_app.number_input(key="choice_holdout").set_value(52).run()

    assert link_of(sample_app, "model") == "pareto_nbd"
    assert link_of(sample_app, "holdout") == "52"
    assert "Pareto/NBD was asked for." in text_of(sample_app)
    assert "for the next 52 weeks" in text_of(sample_app)

    kept = table_of(sample_app, "made_at")
    assert set(kept["model"]) == {"BG/NBD", "Pareto/NBD"}
    sample_app.selectbox(key="choice_earlier").set_value(
        next(name for name in sample_app.selectbox(key="choice_earlier").options if "BG/NBD" in name)
    ).run()
    assert "for the next 39 weeks" in text_of(sample_app)
    assert not sample_app.exception


@pytest.mark.parametrize("page", [state.LIFETIME_VALUE, state.AUDIENCES])
@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({"model": "foo"}, "“foo”"),
        ({"holdout": "9999"}, "The holdout is 9,999 weeks."),
        ({"holdout": "-4"}, "The holdout is −4 weeks."),
        ({"holdout": "soon"}, "“soon”, which is not a whole number"),
        ({"years": "0"}, "The horizon is 0 years."),
    ],
)
def test_what_the_link_cannot_mean_is_said_on_every_page(
    sample_app: AppTest, page: str, link: dict[str, str], said: str
) -> None:
    """Never a page that broke."""
    open_page(sample_app, page, columns="lifetime_value", **link)

    assert said in text_of(sample_app)
    assert "Something unexpected" not in text_of(sample_app)


def test_a_refused_forecast_shows_no_number_and_says_what_would_help(sample_app: AppTest) -> None:
    """Three months of orders: the formula and what was observed remain, on the page and in the list."""
    open_page(sample_app, state.LIFETIME_VALUE, as_of="2023-09-15")
    said = text_of(sample_app)

    assert "Refused: there is no forecast of lifetime value." in said
    assert (
        "The orders cover 77 days; a forecast takes at least 180. *What would help:* Import older orders"
        in said
    )
    assert not sample_app.metric
    forms = table_of(sample_app, "form").set_index("form")["total"]
    assert forms["DCF, flat revenue"] > 0
    assert math.isnan(forms["Forecast"])

    open_page(sample_app, state.LIFETIME_VALUE, as_of="2023-09-15", view="cohorts")
    assert "Only what was observed." in text_of(sample_app)
    assert not sample_app.exception

    open_page(sample_app, state.LIFETIME_VALUE, as_of="2023-09-15", view="test")
    assert "The history could not carry a test." in text_of(sample_app)

    open_page(sample_app, state.AUDIENCES, as_of="2023-09-15", columns="lifetime_value")
    assert sample_app.dataframe[0].value["lifetime_value"].isna().all()


def test_costs_by_channel_are_saved_counted_and_undone(sample_app: AppTest) -> None:
    """A cost saved here stands in every page's assumptions; undo brings the old one back."""
    open_page(sample_app, state.LIFETIME_VALUE)
    fields = [field for field in sample_app.number_input if "channel_costs" in str(field.key)]
    assert [field.label for field in fields] == ["Marketplace", "Referral", "Search", "Social", "Store"]
    fields[2].set_value(-5)
    sample_app.button(key=form_button(sample_app)).click().run()
    assert "The acquisition cost of the channel “Search” is −5.00." in text_of(sample_app)

    search = next(field for field in sample_app.number_input if field.label == "Search")
    search.set_value(100000)
    sample_app.button(key=form_button(sample_app)).click().run()
    assert "The acquisition costs by channel are as you set them." in text_of(sample_app)
    assert "= 9,653,880.53" not in text_of(sample_app)

    open_page(sample_app, state.AUDIENCES, columns="dcf_lifetime_value")
    assert "by channel (Search 100,000.00; any other 0.00)" in text_of(sample_app)

    open_page(sample_app, state.LIFETIME_VALUE)
    next(button for button in sample_app.button if button.label == "Undo").click().run()
    assert "= 9,653,880.53" in text_of(sample_app)
    assert next(field for field in sample_app.number_input if field.label == "Search").value is None


def form_button(app: AppTest) -> str:
    """Return the key of the form's button for the costs by channel."""
    return next(str(button.key) for button in app.button if button.label == "Save")


def table_of(app: AppTest, column: str) -> pd.DataFrame:
    """Return the first table that has a column."""
    return next(table.value for table in app.dataframe if column in table.value)


def test_the_marks_of_every_chart_lead_to_their_customers(sample_app: AppTest, shop) -> None:
    """A bin, a share of the best and a cohort: as many customers as the chart counts."""
    found = shop.valuation.by_forecast(shop.assumptions(), as_of=shop.as_of())
    low, high, inside = found.bins.iloc[3]
    cohorts = shop.valuation.acquisition(shop.assumptions(), as_of=shop.as_of()).cohorts.set_index("cohort")
    best = round(0.1 * found.customers)
    for key, mark, wanted, view in (
        ("value_histogram_0", [low, high], inside, None),
        ("value_concentration_0", [0.1], best, None),
        ("value_cohorts_0", ["2025-03"], cohorts.loc["2025-03", "customers"], "cohorts"),
    ):
        open_page(sample_app, state.LIFETIME_VALUE, **({"view": view} if view else {}))
        sample_app.session_state[key] = {"selection": {"points": [{"customdata": mark}]}}
        sample_app.run()

        assert sample_app.title[0].value == "Audiences"
        assert f"{wanted:,.0f} customers" in text_of(sample_app)


def test_the_last_bin_and_a_channel_lead_to_their_customers(sample_app: AppTest, shop) -> None:
    """A bin without an upper end, and a name of the table by channel."""
    found = shop.valuation.by_forecast(shop.assumptions(), as_of=shop.as_of())
    channels = shop.valuation.acquisition(shop.assumptions(), as_of=shop.as_of()).channels
    last = found.bins.iloc[-1]
    open_page(sample_app, state.LIFETIME_VALUE)
    mark = {"selection": {"points": [{"customdata": [last["low"], None]}]}}
    sample_app.session_state["value_histogram_0"] = mark
    sample_app.run()
    assert f"{last['customers']:,.0f} customers" in text_of(sample_app)

    open_page(sample_app, state.LIFETIME_VALUE, view="cohorts")
    sample_app.session_state["acquisition_channels_open"] = {"row": 1}
    sample_app.run()
    assert f"{channels['customers'].iloc[1]:,} customers" in text_of(sample_app)


def test_all_customers_by_value_are_a_click_away(sample_app: AppTest) -> None:
    """The list opens sorted by lifetime value, ready to be exported."""
    open_page(sample_app, state.LIFETIME_VALUE)
    best = table_of(sample_app, "customer")["lifetime_value"]
    sample_app.button(key="export_all").click().run()
    listed = sample_app.dataframe[0].value["lifetime_value"]

    assert sample_app.title[0].value == "Audiences"
    assert list(listed.iloc[:10]) == pytest.approx(list(best))
    assert listed.is_monotonic_decreasing


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({"discount_rate": "-5"}, "The discount rate is −5 % a year."),
        ({"discount_rate": "150"}, "The discount rate is 150 % a year."),
        ({"years": "0"}, "The horizon is 0 years."),
        ({"margin": "101"}, "The margin is 101 %."),
        ({"acquisition_cost": "-1"}, "The acquisition cost is"),
    ],
)
def test_an_impossible_assumption_is_refused_and_can_be_mended(
    sample_app: AppTest, link: dict[str, str], said: str
) -> None:
    """The message says what was found, the inputs stay, and a possible value brings the page back."""
    open_page(sample_app, state.LIFETIME_VALUE, **link)
    assert said.replace("-", "−") in text_of(sample_app).replace("-", "−")
    assert not sample_app.metric

    name = next(iter(link))
    sample_app.number_input(key=f"choice_{name}").set_value(5).run()
    assert len(sample_app.metric) == 6
    assert not sample_app.error


@pytest.mark.parametrize("value", ["abc", "nan", "inf", "1e400", "2.5"])
def test_nonsense_in_the_link_is_answered(sample_app: AppTest, value: str) -> None:
    """What is no whole number of years is named; three years are shown."""
    open_page(sample_app, state.LIFETIME_VALUE, years=value)

    assert f"“{value}”, which is not a whole number" in text_of(sample_app)
    assert len(sample_app.metric) == 6


def test_assumptions_stand_in_the_link(sample_app: AppTest) -> None:
    """A changed rate is written into the link; the default leaves it."""
    open_page(sample_app, state.LIFETIME_VALUE)
    sample_app.number_input(key="choice_discount_rate").set_value(7.5).run()
    assert link_of(sample_app, "discount_rate") == "7.5"
    assert "discounted by 7.5 % a year" in text_of(sample_app)

    sample_app.number_input(key="choice_discount_rate").set_value(10.0).run()
    assert link_of(sample_app, "discount_rate") is None


def test_marketing_expense_is_shared_among_new_customers(sample_app: AppTest, shop) -> None:
    """The second way to state the cost: expense ÷ new customers of the last 365 days."""
    arrived = shop.new_customers(as_of=shop.as_of())
    expense = arrived * 30
    open_page(
        sample_app, state.LIFETIME_VALUE, cost_by="marketing", marketing_expense=str(expense), view="dcf"
    )

    assert f"÷ {arrived:,} new customers = 30.00 each" in text_of(sample_app)
    assert "the 30.00 set above" in text_of(sample_app)


def test_too_short_a_history_is_refused_with_the_reason(sample_app: AppTest) -> None:
    """Three months of orders carry no test, and the page says so instead of drawing one."""
    open_page(sample_app, state.LIFETIME_VALUE, as_of="2023-09-15")
    said = text_of(sample_app)

    assert "could not be tested on your history" in said
    assert "The orders cover 77 days; the test needs at least 120" in said
    assert "Do not use these figures for budgets without care." in said


@pytest.mark.parametrize(("predicted", "warned"), [(121, True), (79, True), (120, False), (100, False)])
def test_a_rule_that_was_far_off_is_warned_of(sample_app: AppTest, predicted: float, warned: bool) -> None:
    """More than 20 % off, either way, is said in a warning."""
    from datetime import date
    from unittest.mock import patch

    test = FlatRevenueTest(date(2025, 6, 30), 365, predicted, 100, 10)
    with patch("crm.valuation.Valuation.flat_revenue_test", return_value=test):
        open_page(sample_app, state.LIFETIME_VALUE, view="dcf")

    assert ("Do not use these figures for budgets" in text_of(sample_app)) is warned
    assert bool(sample_app.warning) is warned


def test_a_rule_of_which_nothing_came_true_has_failed_and_was_not_untested(sample_app: AppTest) -> None:
    """As in a shop of one-time buyers: those known by the cut never came again."""
    from datetime import date
    from unittest.mock import patch

    test = FlatRevenueTest(date(2025, 6, 30), 365, 21_900, 0, 450)
    with patch("crm.valuation.Valuation.flat_revenue_test", return_value=test):
        open_page(sample_app, state.LIFETIME_VALUE, view="dcf")

    said = text_of(sample_app)
    assert "the rule failed: what it predicted did not come" in said
    assert (
        "predicted 21,900 for the 365 days after it, from the 450 customers known by then; it was 0." in said
    )


def test_a_clicked_segment_opens_its_customers(sample_app: AppTest) -> None:
    """The bar of value class A leads to its customers."""
    open_page(sample_app, state.LIFETIME_VALUE)
    customers = table_of(sample_app, "segment").set_index("segment").loc["A", "customers"]
    sample_app.session_state["value_value_class_0"] = {"selection": {"points": [{"customdata": ["A"]}]}}
    sample_app.run()

    assert sample_app.title[0].value == "Audiences"
    assert f"{customers:,} customers" in text_of(sample_app)
    assert sample_app.dataframe[0].value["lifetime_value"].is_monotonic_decreasing


def test_list_and_file_of_a_segment_hold_the_values_of_the_page(
    sample_app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under other assumptions, a segment's bar is the sum over the rows of its exported file."""
    made: list[tuple[Callable[[], bytes], str]] = []
    whole = downloads.file_maker

    def watched(workbench: Any, rule: Any, **options: Any) -> Callable[[], bytes]:
        make = whole(workbench, rule, **options)
        definition = workbench.export_rows(
            **{name: options[name] for name in ("as_of", "columns", "assumptions")}, rule=rule
        )[1]
        made.append((make, definition))
        return make

    monkeypatch.setattr(downloads, "file_maker", watched)
    open_page(
        sample_app, state.LIFETIME_VALUE, years="1", margin="10", cost_by="marketing", marketing_expense="1234567.5", view="dcf"
    )  # fmt: skip
    bar = table_of(sample_app, "segment").set_index("segment").loc["B"]
    sample_app.session_state["dcf_value_class_0"] = {"selection": {"points": [{"customdata": ["B"]}]}}
    sample_app.run()
    rows = pd.read_excel(io.BytesIO(made[-1][0]()), engine="calamine")

    assert len(rows) == bar["customers"]
    assert rows["dcf_lifetime_value"].sum() == pytest.approx(bar["lifetime_value"], abs=0.00005 * len(rows))
    assert "Lifetime value: 1 year at 10 % a year, margin 10 %, acquisition cost" in made[-1][1]

    open_page(
        sample_app,
        state.AUDIENCES,
        **{name: str(link_of(sample_app, name)) for name in ("rule", "years", "margin")},
        columns="dcf_lifetime_value",
    )
    listed = sample_app.dataframe[0].value.set_index("customer_id")["dcf_lifetime_value"]
    customer = str(listed.idxmax())
    assert "Lifetime value: 1 year at 10 % a year, margin 10 %. Set on" in text_of(sample_app)

    open_page(sample_app, state.CONTACTS, customer=customer, years="1", margin="10")
    assert re.search(rf"by the DCF formula \D*{listed.max():,.2f}", text_of(sample_app))


def test_a_rule_on_the_value_counts_under_the_assumptions_of_the_link(sample_app: AppTest, shop) -> None:
    """The same rule holds for fewer customers over one year at a tenth of the margin."""
    rule = Leaf("dcf_lifetime_value", ">", Decimal(500))
    few = Assumptions(years=1, margin=0.1)
    wanted = {
        given: shop.audience_size(rule, as_of=shop.as_of(), assumptions=given)
        for given in (Assumptions(), few)
    }
    assert 0 < wanted[few] < wanted[Assumptions()]

    text = audiences.to_json(rule)
    open_page(sample_app, state.AUDIENCES, rule=text)
    assert f"{wanted[Assumptions()]:,} customers" in text_of(sample_app)
    assert "Lifetime value: 3 years at 10 % a year, margin 100 %." in text_of(sample_app)

    open_page(sample_app, state.AUDIENCES, rule=text, years="1", margin="10")
    assert f"{wanted[few]:,} customers" in text_of(sample_app)

    open_page(sample_app, state.AUDIENCES, rule=text, years="many")
    assert "“many”, which is not a whole number" in text_of(sample_app)
    assert f"{wanted[Assumptions()]:,} customers" in text_of(sample_app)


def test_an_export_without_lifetime_values_names_no_assumptions(shop) -> None:
    """They stand in the definition only where they matter."""
    said = {
        columns: shop.export_rows(as_of=shop.as_of(), columns=columns)[1]
        for columns in (None, ("customer_id", "revenue"))
    }

    whole = (
        "All customers. Lifetime value: 3 years at 10 % a year, margin 100 %. Forecast by BG/NBD, usable. "
    )
    assert str(said[None]).startswith(whole)
    assert said["customer_id", "revenue"] == "All customers"

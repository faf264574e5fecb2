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
from crm.ui import downloads, lifetime_value, state
from tests.pages.conftest import link_of, open_page, text_of


def test_without_orders_it_says_what_to_do_next(empty_app: AppTest) -> None:
    """The empty store leads on."""
    open_page(empty_app, state.LIFETIME_VALUE)

    assert "There are no orders yet." in text_of(empty_app)
    assert not empty_app.exception


def test_the_formula_with_its_numbers_gives_the_total(shop) -> None:
    """Revenue × margin × annuity − cost is the total that is shown, to the cent."""
    assumptions = Assumptions(years=5, discount_rate=0.08, margin=0.4, acquisition_cost=25)
    found = shop.lifetime_value(assumptions, as_of=shop.as_of())
    by_hand = found.annual_revenue * 0.4 * assumptions.annuity - found.acquisition_cost

    assert math.isclose(found.total, by_hand, rel_tol=1e-9)
    assert found.segments["lifetime_value"].sum() == pytest.approx(found.total)
    assert found.bins["customers"].sum() == found.customers
    assert f"= {found.total:,.2f}, over 4,700 customers" in lifetime_value.formula(found)


def test_key_figures_formula_and_test_are_shown(sample_app: AppTest) -> None:
    """Five figures, the formula in words, and how the rule did on the shop's own history."""
    open_page(sample_app, state.LIFETIME_VALUE)
    said = text_of(sample_app)

    assert [metric.label for metric in sample_app.metric] == [
        "Total value",
        "Mean value",
        "Median value",
        "Acquisition cost",
        "Below their cost",
    ]
    assert "each year for 3 years, discounted by 10 % a year" in said
    assert "the rule would have predicted 3,843,373" in said
    assert len(sample_app.get("plotly_chart")) == 3


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
    assert len(sample_app.metric) == 5
    assert not sample_app.error


@pytest.mark.parametrize("value", ["abc", "nan", "inf", "1e400", "2.5"])
def test_nonsense_in_the_link_is_answered(sample_app: AppTest, value: str) -> None:
    """What is no whole number of years is named; three years are shown."""
    open_page(sample_app, state.LIFETIME_VALUE, years=value)

    assert f"“{value}”, which is not a whole number" in text_of(sample_app)
    assert len(sample_app.metric) == 5


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
    open_page(sample_app, state.LIFETIME_VALUE, cost_by="marketing", marketing_expense=str(expense))

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
    with patch("crm.workbench.Workbench.flat_revenue_test", return_value=test):
        open_page(sample_app, state.LIFETIME_VALUE)

    assert ("Do not use these figures for budgets" in text_of(sample_app)) is warned
    assert bool(sample_app.warning) is warned


def test_a_clicked_segment_opens_its_customers(sample_app: AppTest) -> None:
    """The bar of value class A leads to its customers."""
    open_page(sample_app, state.LIFETIME_VALUE)
    customers = sample_app.dataframe[0].value.set_index("segment").loc["A", "customers"]
    sample_app.session_state["value_value_class_0"] = {"selection": {"points": [{"customdata": ["A"]}]}}
    sample_app.run()

    assert sample_app.title[0].value == "Audiences"
    assert f"{customers:,} customers" in text_of(sample_app)


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
        sample_app, state.LIFETIME_VALUE, years="1", margin="10", cost_by="marketing", marketing_expense="1234567.5"
    )  # fmt: skip
    bar = sample_app.dataframe[0].value.set_index("segment").loc["B"]
    sample_app.session_state["value_value_class_0"] = {"selection": {"points": [{"customdata": ["B"]}]}}
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
    assert re.search(rf"Lifetime value \*\*\D*{listed.max():,.2f}", text_of(sample_app))


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

    assert said[None] == "All customers. Lifetime value: 3 years at 10 % a year, margin 100 %"
    assert said["customer_id", "revenue"] == "All customers"

"""The contacts page: all customers, one of them, a new one."""

from datetime import date
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from crm.records.contacts import find_contact, get_contact, save_contact
from crm.ui import cache, state
from tests.pages.conftest import link_of, open_page, text_of

SOMEBODY = "C00641"


def stored(customer_id: str) -> Any:
    with cache.workbench().records.read() as session:
        return get_contact(session, customer_id)


def field(app: AppTest, label: str) -> Any:
    """Return the widget of the form called `label`."""
    every = (*app.text_input, *app.text_area, *app.selectbox, *app.date_input, *app.number_input)
    return next(widget for widget in every if widget.label == label)


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def test_an_empty_store_leads_to_the_import_and_to_a_first_contact(empty_app: AppTest) -> None:
    """Nothing is there yet, and the page says what to do."""
    open_page(empty_app, state.CONTACTS)

    assert "There are no customers yet." in text_of(empty_app)
    assert not empty_app.exception
    press(empty_app, "New contact")
    assert link_of(empty_app, "new") == "1"


def test_every_customer_stands_in_the_list(sample_app: AppTest, shop) -> None:
    """The count is the workbench's own, a page holds 50, and the best comes first."""
    open_page(sample_app, state.CONTACTS)
    table = sample_app.dataframe[0].value

    everybody = shop.engine.count(shop.customers(as_of=shop.as_of()))
    assert f"**{everybody:,}** customers" in text_of(sample_app)
    assert len(table) == 50
    assert table["revenue"].is_monotonic_decreasing
    assert f"1 to 50 of {everybody:,}" in text_of(sample_app)


def test_a_search_is_counted_and_stands_in_the_link(sample_app: AppTest) -> None:
    """What is typed narrows the list; a link with a search opens with it."""
    open_page(sample_app, state.CONTACTS, q="fang sun")
    table = sample_app.dataframe[0].value

    assert table["name"].str.lower().str.contains("fang sun").all()
    assert f"**{len(table)}** of 5,000 customers" in text_of(sample_app)

    sample_app.text_input(key="q").set_value("nobody at all").run()
    assert "None of the 5,000 customers has “nobody at all”" in text_of(sample_app)


def test_pages_and_order_stand_in_the_link(sample_app: AppTest) -> None:
    """The second page by ID begins where the first one ends, and a page that is not there is refused."""
    open_page(sample_app, state.CONTACTS, sort="customer_id")
    first = list(sample_app.dataframe[0].value["customer_id"])
    open_page(sample_app, state.CONTACTS, sort="customer_id", page="2")
    second = list(sample_app.dataframe[0].value["customer_id"])
    assert first == sorted(first)
    assert first[-1] < second[0]

    open_page(sample_app, state.CONTACTS, page="9999")
    assert "There is no page 9999" in text_of(sample_app)


def test_a_link_opens_one_customer_with_figures_orders_tickets_and_answers(sample_app: AppTest, shop) -> None:
    """The figures are the workbench's own, and each tab counts what is in it."""
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    known = shop.find_customer(SOMEBODY, as_of=shop.as_of())
    _, orders = shop.customer_orders(SOMEBODY)
    _, answers = shop.customer_answers(SOMEBODY)

    assert sample_app.title[0].value == known["name"]
    figures = {metric.label: metric.value for metric in sample_app.metric}
    assert figures["Orders"] == str(known["orders"])
    assert figures["Days since last order"] == str(known["recency_days"])
    assert [tab.label for tab in sample_app.tabs] == [
        "Contact",
        f"Order lines ({orders})",
        "Tickets (0)",
        f"Answers ({answers})",
    ]
    assert f"**{known['rfm_segment']}**" in text_of(sample_app)


FREQUENT, ONCE, NEVER = "C00098", "C03814", "C01075"
"""Customers of the sample shop: with fifteen orders, with a single one long ago, with none."""


def charts_of(app: AppTest) -> list[str]:
    return [chart.proto.id for chart in app.get("plotly_chart")]


def test_one_customer_is_told_in_words_with_a_curve_and_what_would_change_it(
    sample_app: AppTest, shop
) -> None:
    """The words are those of the valuation, in the shop's currency; the value is that of the lists."""
    open_page(sample_app, state.CONTACTS, customer=FREQUENT)
    said = text_of(sample_app)
    found = shop.valuation.customer(FREQUENT, shop.assumptions(), as_of=shop.as_of())
    known = shop.find_customer(FREQUENT, as_of=shop.as_of())

    assert "Usually orders every 45.5 days; silent for 104 days." in said
    assert f"**{100 * found.alive.expected:.0f} % (85 to 86) likely still a customer.**" in said
    assert f"Expected in 12 months: {found.orders_12m.expected:.1f} orders (0.0 to 6.4), CN¥1,491" in said
    assert f"Lifetime value **CN¥{known['lifetime_value']:,.0f}** (−CN¥43.23 to CN¥5,037)" in said
    assert "What would change it: an order today would make it 97 %; 30 more days of silence 79 %." in said
    assert "Is this customer still with us?" in said
    assert len(charts_of(sample_app)) == 1


def test_a_customer_of_one_purchase_is_not_called_certain(sample_app: AppTest) -> None:
    """BG/NBD lets nobody leave before a second purchase, so its 100 % would say nothing: no curve, no share."""
    open_page(sample_app, state.CONTACTS, customer=ONCE)
    said = text_of(sample_app)

    assert "Bought on one day so far; silent for 206 days." in said
    assert "it cannot tell whether one purchase was the last" in said
    assert "100 %" not in said.replace("margin 100 %", "")
    assert not charts_of(sample_app)


def test_a_customer_without_a_purchase_has_no_outlook(sample_app: AppTest) -> None:
    """Neither a forecast nor a formula says anything of them."""
    open_page(sample_app, state.CONTACTS, customer=NEVER)

    assert "Lifetime value" not in text_of(sample_app)
    assert not charts_of(sample_app)
    assert not sample_app.exception


def test_a_refused_forecast_leaves_a_customer_the_formula_and_the_reason(sample_app: AppTest, shop) -> None:
    """No probability, no expectation: only the DCF value, and why."""
    open_page(sample_app, state.CONTACTS, customer=FREQUENT, as_of="2023-12-31")
    said = text_of(sample_app)
    known = shop.find_customer(FREQUENT, as_of=date(2023, 12, 31))

    assert f"Lifetime value (DCF) **CN¥{known['dcf_lifetime_value']:,.2f}**" in said
    assert "No forecast: 459 customers bought; a forecast takes at least 500." in said
    assert "likely still a customer" not in said
    assert "Expected in 12 months" not in said
    assert not charts_of(sample_app)


@pytest.mark.parametrize("nobody", ["nope", "<b>x", "C00641 "])
def test_an_unknown_customer_is_named_and_nothing_else_is_shown(sample_app: AppTest, nobody: str) -> None:
    """Only the refusal and the way back to the list."""
    open_page(sample_app, state.CONTACTS, customer=nobody)

    assert f"There is no customer {nobody!r}." in text_of(sample_app)
    assert not sample_app.title
    assert not sample_app.metric
    press(sample_app, "All customers")
    assert sample_app.title[0].value == "Contacts"


def test_an_edit_is_stored_said_and_can_be_undone(sample_app: AppTest) -> None:
    """What was typed is what is stored; one click takes it back, in the form as well."""
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    before = stored(SOMEBODY)
    field(sample_app, "City").set_value("Berlin")
    field(sample_app, "Annual income").set_value("81234.5")
    field(sample_app, "E-mail consent").set_value("Yes")
    press(sample_app, "Save contact")

    after = stored(SOMEBODY)
    assert (after.city, str(after.annual_income), after.email_consent) == ("Berlin", "81234.5000", True)
    assert (after.name, after.birth_date, after.phone) == (before.name, before.birth_date, before.phone)
    assert f"Saved the contact of {before.name}." in text_of(sample_app)

    press(sample_app, "Undo")
    assert stored(SOMEBODY).city == before.city
    assert field(sample_app, "City").value == before.city


def test_saving_without_a_change_changes_nothing(sample_app: AppTest) -> None:
    """No version, no entry in the log, and the page says so."""
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    version = stored(SOMEBODY).version
    press(sample_app, "Save contact")

    assert stored(SOMEBODY).version == version
    assert "was as you sent it already" in sample_app.toast[0].value


def test_a_value_that_breaks_a_rule_is_refused_in_words(sample_app: AppTest) -> None:
    """The refusal names the field, what was typed stays, nothing is stored."""
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    field(sample_app, "E-mail").set_value("nowhere")
    press(sample_app, "Save contact")

    assert "The e-mail address is not one" in text_of(sample_app)
    assert field(sample_app, "E-mail").value == "nowhere"
    assert stored(SOMEBODY).email != "nowhere"


def change_elsewhere(customer_id: str, **values: object) -> None:
    with cache.workbench().records.write() as session:
        save_contact(session, customer_id=customer_id, values=values, actor="somebody else")


def test_a_second_tab_that_was_faster_is_not_overwritten(sample_app: AppTest) -> None:
    """The stale form is refused, what differs is shown, and either may be kept."""
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    change_elsewhere(SOMEBODY, city="Rome")
    field(sample_app, "City").set_value("Paris")
    press(sample_app, "Save contact")

    assert "somebody else changed it" in text_of(sample_app)
    differing = sample_app.table[0].value
    assert differing.to_numpy().tolist() == [["City", "Rome", "Paris"]]
    assert stored(SOMEBODY).city == "Rome"

    press(sample_app, "Keep mine")
    assert stored(SOMEBODY).city == "Paris"


def test_what_somebody_else_stored_can_be_taken(sample_app: AppTest) -> None:
    """The form begins anew from what is stored."""
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    change_elsewhere(SOMEBODY, city="Rome")
    field(sample_app, "City").set_value("Paris")
    press(sample_app, "Save contact")
    press(sample_app, "Take what is stored")

    assert field(sample_app, "City").value == "Rome"
    field(sample_app, "City").set_value("Milan")
    press(sample_app, "Save contact")
    assert stored(SOMEBODY).city == "Milan"


def test_a_deletion_names_the_contact_and_can_be_undone(sample_app: AppTest) -> None:
    """The orders stay; the undo and the bin both bring the contact back."""
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    name = stored(SOMEBODY).name
    assert f"Put the contact of {name} ({SOMEBODY}) into the bin?" in text_of(sample_app)
    press(sample_app, f"Yes, delete the contact of {name}")

    assert stored(SOMEBODY) is None
    assert sample_app.title[0].value == "Contacts"
    assert f"Deleted the contact of {name}." in text_of(sample_app)
    press(sample_app, "Undo")
    assert stored(SOMEBODY).name == name

    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    press(sample_app, f"Yes, delete the contact of {name}")
    press(sample_app, "Restore")
    assert stored(SOMEBODY).name == name


def test_a_customer_of_orders_alone_gets_a_contact_when_one_is_written(sample_app: AppTest) -> None:
    """Before that there is none, and the orders stand there all the same."""
    with cache.workbench().records.read() as session:
        contact = find_contact(session, SOMEBODY)
    change_elsewhere(SOMEBODY)
    del contact
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    press(sample_app, f"Yes, delete the contact of {stored(SOMEBODY).name}")
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    assert "no contact details yet" in text_of(sample_app)
    assert len(sample_app.metric) == 4

    field(sample_app, "Name").set_value("Anna Meyer")
    press(sample_app, "Save contact")
    assert stored(SOMEBODY).name == "Anna Meyer"


def test_a_new_contact_opens_once_it_is_made(empty_app: AppTest) -> None:
    """It needs no orders, and a second one under its ID is refused with a way to the first."""
    open_page(empty_app, state.CONTACTS, new="1")
    field(empty_app, "Customer ID").set_value("A 1")
    field(empty_app, "Name").set_value("Anna Meyer")
    press(empty_app, "Make contact")

    assert link_of(empty_app, "customer") == "A 1"
    assert empty_app.title[0].value == "Anna Meyer"
    assert "no orders yet" in text_of(empty_app)

    open_page(empty_app, state.CONTACTS, new="1")
    field(empty_app, "Customer ID").set_value("A 1")
    field(empty_app, "Name").set_value("Somebody else")
    press(empty_app, "Make contact")
    assert "has a contact already" in text_of(empty_app)
    assert stored("A 1").name == "Anna Meyer"


def test_a_new_contact_without_an_id_is_refused(empty_app: AppTest) -> None:
    """The ID is what meets the orders."""
    open_page(empty_app, state.CONTACTS, new="1")
    press(empty_app, "Make contact")

    assert "The customer ID is empty." in text_of(empty_app)


def test_a_customer_who_first_bought_later_is_no_stranger(sample_app: AppTest) -> None:
    """Before the first order there are no figures, and the page says why instead of denying the customer."""
    change_elsewhere(SOMEBODY)
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    press(sample_app, f"Yes, delete the contact of {stored(SOMEBODY).name}")
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY, as_of="2001-01-01")

    assert "came after 1 Jan 2001" in text_of(sample_app)
    assert not sample_app.error

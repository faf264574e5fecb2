"""Custom attributes on the pages: in a contact's form, in the rule builder, in the columns of a list."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from crm.records import bulk, custom_fields, imports
from crm.records.contacts import save_contact
from crm.ui import cache, state
from tests.pages.conftest import link_of, open_page, text_of
from tests.pages.test_contacts import field, press, stored

SOMEBODY = "C00641"
TIER = "custom_text_loyalty_tier"
POINTS = "custom_number_points"


@pytest.fixture
def import_id(sample_app: AppTest) -> str:
    """An import that brought two attributes of a customer of the sample shop."""
    rows = [{"customer_id": SOMEBODY, "attributes": '{"loyalty_tier": "00123", "points": "12.50"}'}]
    with cache.workbench().records.write() as session:
        opened = imports.create_import(session, kind="contacts", file_name="c.csv", sha256="c").id
        custom_fields.register(
            session,
            {"Loyalty-Tier": ("loyalty_tier", "text"), "Points": ("points", "number")},
            opened,
        )
        bulk.write_contacts(session, rows, policy="overwrite", import_id=opened)
        imports.close_import(session, import_id=opened, rows_read=1, updated=1)
    return opened


@pytest.mark.usefixtures("import_id")
def test_a_contacts_attributes_are_shown_edited_and_undone(sample_app: AppTest) -> None:
    """As text, letter for letter; an empty one goes; one click takes the edit back."""
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    assert field(sample_app, "Loyalty-Tier").value == "00123"
    assert field(sample_app, "Points").value == "12.50"
    version = stored(SOMEBODY).version
    press(sample_app, "Save contact")
    assert stored(SOMEBODY).version == version

    field(sample_app, "Loyalty-Tier").set_value("gold")
    field(sample_app, "Points").set_value("")
    press(sample_app, "Save contact")
    assert stored(SOMEBODY).attributes == {"loyalty_tier": "gold"}
    (edit, *_), _ = cache.workbench().edits()
    assert edit.fields == ("Loyalty-Tier", "Points")

    press(sample_app, "Undo")
    assert stored(SOMEBODY).attributes == {"loyalty_tier": "00123", "points": "12.50"}
    assert field(sample_app, "Points").value == "12.50"
    assert not sample_app.exception


@pytest.mark.usefixtures("import_id")
def test_somebody_elses_edit_of_an_attribute_is_shown_beside_ones_own(sample_app: AppTest) -> None:
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    with cache.workbench().records.write() as session:
        values = {"attributes": {"loyalty_tier": "theirs"}}
        save_contact(session, customer_id=SOMEBODY, values=values, actor="ada")
    field(sample_app, "Loyalty-Tier").set_value("mine")
    press(sample_app, "Save contact")

    assert "differing from yours" in text_of(sample_app)
    assert sample_app.table[0].value.to_dict("records") == [
        {"Field": "Loyalty-Tier", "Stored now": "theirs", "In your form": "mine"}
    ]
    press(sample_app, "Keep mine")
    assert stored(SOMEBODY).attributes == {"loyalty_tier": "mine", "points": "12.50"}


@pytest.mark.usefixtures("import_id")
def test_a_new_contact_can_have_attributes(sample_app: AppTest) -> None:
    open_page(sample_app, state.CONTACTS, new="1")
    field(sample_app, "Customer ID").set_value("brand new")
    field(sample_app, "Points").set_value("7")
    press(sample_app, "Make contact")

    assert stored("brand new").attributes == {"points": "7"}


@pytest.mark.usefixtures("import_id")
def test_the_rule_builder_offers_attributes_by_the_titles_they_came_with(sample_app: AppTest) -> None:
    """Chosen, compared with a known value, counted and listed."""
    open_page(sample_app, state.AUDIENCES)
    sample_app.button(key="rule_add").click().run()
    box = next(box for box in sample_app.selectbox if box.label == "Field")
    assert box.options[-2:] == ["Loyalty-Tier", "Points"]
    box.set_value(TIER).run()
    values = next(box for box in sample_app.multiselect if box.label == "Values")
    assert values.options == ["00123"]
    values.set_value(["00123"]).run()

    assert "1 customer — " in text_of(sample_app)
    assert json.loads(link_of(sample_app, "rule") or "") == {"field": TIER, "op": "in", "value": ["00123"]}
    assert not sample_app.exception


@pytest.mark.usefixtures("import_id")
def test_attributes_can_be_columns_of_the_list(sample_app: AppTest) -> None:
    rule = json.dumps({"field": POINTS, "op": ">", "value": 12})
    open_page(sample_app, state.AUDIENCES, rule=rule, columns=f"{TIER},{POINTS}", sorted=POINTS)

    assert "Points over 12" in text_of(sample_app)
    rows = sample_app.dataframe[0].value
    assert rows[[TIER, POINTS]].to_dict("records") == [{TIER: "00123", POINTS: 12.5}]
    assert not sample_app.exception


def test_a_rule_over_an_attribute_that_is_gone_says_so(sample_app: AppTest, import_id: str) -> None:
    """Nobody meets it, the condition stays in the form, and nothing breaks."""
    rule = json.dumps({"field": POINTS, "op": ">", "value": 12})
    open_page(sample_app, state.AUDIENCES, rule=rule)
    assert "1 customer — " in text_of(sample_app)
    cache.workbench().importer.undo(import_id, actor="test")
    open_page(sample_app, state.AUDIENCES, rule=rule)

    assert "Points came with a contacts file whose import was undone." in text_of(sample_app)
    assert "0 customers — " in text_of(sample_app)
    assert next(box for box in sample_app.selectbox if box.label == "Field").value == POINTS
    assert not sample_app.exception

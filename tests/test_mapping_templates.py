"""Mappings under a name: kept, replaced only when asked, deleted with a way back."""

import pytest

from crm.errors import Conflict, InvalidValue, NotFound
from crm.imports.mapping import Mapping, apply_template
from crm.records import audit, imports
from crm.records.database import Records

ORDERS = Mapping(
    "orders",
    {"customer_id": "Customer", "amount": "Total"},
    {"ordered_at": ("Date", "Time")},
    {"currency": "EUR"},
)


def save(
    records: Records, name: str = "Shop", mapping: Mapping = ORDERS, *, overwrite: bool = False
) -> int | None:
    with records.write() as session:
        return imports.save_template(
            session, name=name, kind=mapping.kind, mapping=mapping.as_dict(), actor="ada", overwrite=overwrite
        ).event_id


def found(records: Records, name: str = "Shop") -> Mapping:
    with records.read() as session:
        template = imports.find_template(session, name)
        return Mapping.from_dict(template.kind, template.mapping)  # type: ignore[arg-type]


def names(records: Records, **which: str) -> list[str]:
    with records.read() as session:
        return [template.name for template in imports.list_templates(session, **which)]


def test_a_template_keeps_the_whole_mapping(records: Records):
    save(records, " Shop ")
    assert found(records) == ORDERS
    save(records, "addresses", Mapping("contacts", {"customer_id": "id"}, attributes={"Points": "pts"}))
    assert found(records, "addresses").attributes == {"Points": "pts"}
    assert names(records) == ["addresses", "Shop"]
    assert names(records, kind="orders") == ["Shop"]


def test_a_template_is_replaced_only_when_that_is_asked_for(records: Records):
    save(records)
    other = Mapping("orders", {"customer_id": "Buyer"})
    with pytest.raises(Conflict, match="“Shop” already"):
        save(records, mapping=other)
    assert found(records) == ORDERS
    assert save(records) is None, "nothing had to change"
    event = save(records, mapping=other, overwrite=True)
    assert found(records) == other
    assert event is not None
    with records.write() as session:
        audit.undo_event(session, event_id=event, actor="eve")
    assert found(records) == ORDERS


@pytest.mark.parametrize("name", ["", "  ", "x" * 121])
def test_a_template_needs_a_name(records: Records, name: str):
    with pytest.raises(InvalidValue, match="template's name"):
        save(records, name)


def test_a_deleted_template_comes_back(records: Records):
    created = save(records)
    with records.write() as session:
        event = imports.delete_template(session, "Shop", actor="eve")
    with pytest.raises(NotFound, match="no template “Shop”"):
        found(records)
    with records.write() as session, pytest.raises(NotFound):
        imports.delete_template(session, "Shop", actor="eve")
    with records.write() as session:
        restored = audit.undo_event(session, event_id=event, actor="ada")
    assert found(records) == ORDERS
    with records.read() as session:
        acts = [(row.act, row.undone_at is not None) for row in audit.list_edits(session)[0]]
    assert acts == [("template.restored", False), ("template.deleted", True), ("template.created", False)]
    with records.write() as session:
        audit.undo_event(session, event_id=restored, actor="ada")
    assert names(records) == []
    with records.write() as session:
        audit.undo_event(session, event_id=event, actor="ada")
        audit.undo_event(session, event_id=created or 0, actor="ada")
    assert names(records) == []


def test_an_act_is_not_undone_over_a_later_one(records: Records):
    created = save(records)
    save(records, mapping=Mapping("orders", {"customer_id": "Buyer"}), overwrite=True)
    with records.write() as session, pytest.raises(Conflict, match="changed again since"):
        audit.undo_event(session, event_id=created or 0, actor="eve")
    with records.write() as session:
        event = imports.delete_template(session, "Shop", actor="eve")
    save(records)
    with records.write() as session, pytest.raises(Conflict, match="changed again since"):
        audit.undo_event(session, event_id=event, actor="eve")


def test_a_template_is_fitted_to_headers_regardless_of_case_and_blanks():
    template = Mapping(
        "contacts",
        {"customer_id": "Customer ID", "email": "E-Mail", "city": "Town"},
        {"name": ("First Name", "Last Name")},
        {"channel": "fair"},
        {"Points": "Loyalty points", "Shoe": "Shoe size"},
    )
    fitted = apply_template(template, ["customerid", "E-MAIL", " first name", "last  NAME", "LOYALTY POINTS"])
    assert fitted.mapping == Mapping(
        "contacts",
        {"customer_id": "customerid", "email": "E-MAIL"},
        {"name": (" first name", "last  NAME")},
        {"channel": "fair"},
        {"Points": "LOYALTY POINTS"},
    )
    assert fitted.lacking == ("Town", "Shoe size")
    assert apply_template(template, ["Customer ID", "First name"]).mapping.joined == {}


def test_a_header_in_the_very_same_letters_goes_first():
    template = Mapping("orders", {"customer_id": "ID", "order_id": "id"})
    assert apply_template(template, ["id", "ID"]).mapping.columns == {"customer_id": "ID", "order_id": "id"}

"""One contact: created, edited, deleted and restored."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import text

from crm.errors import Conflict, InvalidValue, NotFound, StaleRecord
from crm.records import audit, bulk, changes, contacts
from crm.records.database import Records

EVERY_FIELD = {
    "name": "李雷",
    "company": "Ärzte & Söhne",
    "email": "li@example.com",
    "phone": "+44 20 7946 0000",
    "gender": "f",
    "birth_date": date(1990, 2, 28),
    "age": 36,
    "city": "Beijing",
    "country": "China",
    "annual_income": Decimal("99999999999999.9999"),
    "channel": "web",
    "acquisition_cost": Decimal("0.0001"),
    "joined_on": date(2020, 12, 31),
    "email_consent": True,
    "phone_consent": False,
    "note": "two\nlines",
}


def test_every_field_comes_back_as_it_was_saved(records: Records):
    with records.write() as session:
        saved = contacts.save_contact(session, customer_id="c", values=EVERY_FIELD, actor="ada")

    assert saved.record.version == 1
    with records.read() as session:
        found = contacts.find_contact(session, "c")
        assert {field: getattr(found, field) for field in EVERY_FIELD} == EVERY_FIELD
        assert found.import_id is None
        assert found.created_at == found.updated_at or found.created_at < found.updated_at


@pytest.mark.parametrize(
    "customer_id", ["00123", "NA", "客户", "1234567890123456789", " 7 ", "é", "e\u0301", "A", "a"]
)
def test_ids_survive_byte_for_byte(records: Records, customer_id: str):
    with records.write() as session:
        for other in ("123", "na", "7", "A", "a", "é", "e\u0301", customer_id):
            contacts.save_contact(session, customer_id=other, values={"name": other}, actor="ada")

    with records.read() as session:
        found = contacts.find_contact(session, customer_id)
        assert found.customer_id.encode() == customer_id.encode() == (found.name or "").encode()
        stored = session.execute(text("SELECT customer_id FROM contacts")).scalars().all()
        assert stored.count(customer_id) == 1


def test_only_the_given_fields_change(records: Records):
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"name": "Ada", "city": "Rome"}, actor="ada")
        edited = contacts.save_contact(session, customer_id="c", values={"city": ""}, version=1, actor="bob")

    assert (edited.record.name, edited.record.city, edited.record.version) == ("Ada", None, 2)


def test_saving_what_is_stored_is_no_change(records: Records):
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"name": "Ada"}, actor="ada")
    with records.write() as session:
        again = contacts.save_contact(
            session, customer_id="c", values={"name": "Ada"}, version=1, actor="ada"
        )
        assert changes.latest_change(session) == 1

    assert (again.event_id, again.record.version) == (None, 1)


def test_stale_edit_is_refused_naming_the_fields_that_differ(records: Records):
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"name": "Ada", "city": "Rome"}, actor="ada")
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"city": "Paris"}, version=1, actor="bob")

    mine = {"name": "Ada", "city": "Oslo"}
    with pytest.raises(StaleRecord, match="City") as refusal, records.write() as session:
        contacts.save_contact(session, customer_id="c", values=mine, version=1, actor="ada")
    assert "Name" not in refusal.value.message
    with records.read() as session:
        assert contacts.find_contact(session, "c").city == "Paris"


def test_same_person_saves_twice_with_the_version_got_back(records: Records):
    with records.write() as session:
        first = contacts.save_contact(session, customer_id="c", values={"age": 1}, actor="ada").record.version
    with records.write() as session:
        second = contacts.save_contact(
            session, customer_id="c", values={"age": 2}, version=first, actor="ada"
        )
        version = second.record.version
    with records.write() as session:
        third = contacts.save_contact(
            session, customer_id="c", values={"age": 3}, version=version, actor="ada"
        )

    assert third.record.age == 3


def test_new_contact_does_not_overwrite_one_there_is(records: Records):
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"name": "Ada"}, version=0, actor="ada")

    with pytest.raises(Conflict, match="already"), records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"name": "Bob"}, version=0, actor="bob")


def test_edit_of_a_deleted_contact_is_refused(records: Records):
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"name": "Ada"}, actor="ada")
        contacts.delete_contact(session, customer_id="c", version=1, actor="bob")

    with pytest.raises(StaleRecord, match="deleted"), records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"name": "Eve"}, version=1, actor="ada")


def test_deleted_contact_is_in_the_bin_and_comes_back_as_it_was(records: Records):
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values=EVERY_FIELD, actor="ada")
        contacts.delete_contact(session, customer_id="c", actor="ada")

    with records.read() as session:
        assert contacts.get_contact(session, "c") is None
        binned, total = contacts.list_bin(session)
        assert ([contact.customer_id for contact in binned], total) == (["c"], 1)
    with pytest.raises(NotFound, match="bin"), records.read() as session:
        contacts.find_contact(session, "c")
    with records.write() as session:
        restored = contacts.restore_contact(session, customer_id="c", actor="ada").record

    assert {field: getattr(restored, field) for field in EVERY_FIELD} == EVERY_FIELD
    with records.read() as session:
        assert contacts.list_bin(session) == ([], 0)


def test_saving_a_contact_in_the_bin_restores_it(records: Records):
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"name": "Ada", "city": "Rome"}, actor="ada")
        contacts.delete_contact(session, customer_id="c", actor="ada")
        saved = contacts.save_contact(
            session, customer_id="c", values={"name": "Eve"}, version=0, actor="ada"
        )

    assert (saved.record.name, saved.record.city, saved.record.deleted_at) == ("Eve", "Rome", None)


def test_stale_delete_is_refused(records: Records):
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"age": 1}, actor="ada")
        contacts.save_contact(session, customer_id="c", values={"age": 2}, actor="bob")

    with pytest.raises(StaleRecord), records.write() as session:
        contacts.delete_contact(session, customer_id="c", version=1, actor="ada")


def test_what_is_not_there_is_not_found(records: Records):
    with records.read() as session:
        assert contacts.get_contact(session, "c") is None
    for act in (contacts.delete_contact, contacts.restore_contact):
        with pytest.raises(NotFound, match="no contact"), records.write() as session:
            act(session, customer_id="c", actor="ada")


def test_a_bad_value_an_import_brought_does_not_stop_the_edit_of_another_field(records: Records):
    with records.write() as session:
        rows = [{"customer_id": "c", "email": "not one", "city": "Rome"}]
        bulk.write_contacts(session, rows, policy="overwrite", import_id="i")
        form = {"email": "not one", "city": "Oslo"}
        assert contacts.save_contact(session, customer_id="c", values=form, actor="ada").record.city == "Oslo"

    with pytest.raises(InvalidValue), records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"email": "nor this"}, actor="ada")


def test_every_act_is_logged_with_before_and_after(records: Records):
    with records.write() as session:
        created = contacts.save_contact(
            session, customer_id="c", values={"annual_income": "12.5"}, actor="ada"
        )
        edited = contacts.save_contact(session, customer_id="c", values={"name": "Ada"}, actor="bob")
        deleted = contacts.delete_contact(session, customer_id="c", actor="eve")
        restored = contacts.restore_contact(session, customer_id="c", actor="eve")

    with records.read() as session:
        events, total = audit.list_events(session, subject_kind="contact", subject_id="c")
        assert total == 4
        assert [(event.act, event.actor, event.id) for event in reversed(events)] == [
            ("contact.created", "ada", created.event_id),
            ("contact.edited", "bob", edited.event_id),
            ("contact.deleted", "eve", deleted.event_id),
            ("contact.restored", "eve", restored.event_id),
        ]
        first, second = events[3], events[2]
        assert first.before is None
        assert first.after is not None
        assert (first.after["annual_income"], first.after["name"]) == ("12.5000", None)
        assert second.before == first.after
        assert second.after == {**first.after, "name": "Ada", "version": 2}

"""The log, and taking an act back."""

from typing import Any

import pytest

from crm.errors import Conflict, NotFound
from crm.records import audiences, audit, bulk, contacts, settings_values, tickets
from crm.records.database import Records


def undo(records: Records, event_id: int | None) -> int:
    assert event_id is not None
    with records.write() as session:
        return audit.undo_event(session, event_id=event_id, actor="bob")


def save(records: Records, **values: Any) -> int | None:
    with records.write() as session:
        return contacts.save_contact(session, customer_id="c", values=values, actor="ada").event_id


def test_edit_is_taken_back_and_made_again(records: Records):
    save(records, name="Ada", annual_income="12.5", birth_date="1990-02-28", email_consent=True)
    edit = save(records, name="Eve", annual_income=None, birth_date=None, email_consent=None)

    undone = undo(records, edit)
    with records.read() as session:
        contact = contacts.find_contact(session, "c")
        assert (contact.name, str(contact.annual_income), str(contact.birth_date), contact.email_consent) == (
            "Ada",
            "12.5000",
            "1990-02-28",
            True,
        )
    undo(records, undone)
    with records.read() as session:
        contact = contacts.find_contact(session, "c")
        assert (contact.name, contact.annual_income, contact.birth_date) == ("Eve", None, None)
    undo(records, edit)  # in force again, so it can be taken back again
    with records.read() as session:
        assert contacts.find_contact(session, "c").name == "Ada"


def test_undo_is_logged_as_what_it_does(records: Records):
    edit = save(records, name="Ada")
    with records.write() as session:
        deleted = contacts.delete_contact(session, customer_id="c", actor="ada").event_id

    restored = undo(records, deleted)
    removed = undo(records, edit)

    with records.read() as session:
        events = {event.id: event for event in audit.list_events(session)[0]}
    assert [(events[i].act, events[i].actor, events[i].undoes_id) for i in (restored, removed)] == [
        ("contact.restored", "bob", deleted),
        ("contact.deleted", "bob", edit),
    ]
    assert events[edit or 0].undone_at is not None


def test_act_taken_back_already_is_refused(records: Records):
    edit = save(records, name="Ada")
    undo(records, edit)

    with pytest.raises(Conflict, match="already"):
        undo(records, edit)


def test_act_on_a_field_changed_again_is_refused_by_name(records: Records):
    save(records, name="Ada", city="Rome", age=1)
    edit = save(records, name="Eve", city="Oslo")
    later = save(records, city="Paris", age=2)

    with pytest.raises(Conflict, match="City") as refusal:
        undo(records, edit)

    assert "Name" not in refusal.value.message
    undo(records, later)
    undo(records, edit)
    with records.read() as session:
        contact = contacts.find_contact(session, "c")
        assert (contact.name, contact.city, contact.age) == ("Ada", "Rome", 1)


def test_fields_the_act_did_not_touch_stay(records: Records):
    save(records, name="Ada")
    edit = save(records, name="Eve")
    save(records, city="Rome")

    undo(records, edit)

    with records.read() as session:
        contact = contacts.find_contact(session, "c")
        assert (contact.name, contact.city) == ("Ada", "Rome")


def test_edit_of_a_record_in_the_bin_is_not_taken_back(records: Records):
    save(records, name="Ada")
    edit = save(records, name="Eve")
    with records.write() as session:
        contacts.delete_contact(session, customer_id="c", actor="ada")

    with pytest.raises(Conflict, match="Bin"):
        undo(records, edit)


def test_contact_created_and_edited_since_is_not_removed(records: Records):
    created = save(records, name="Ada")
    save(records, city="Rome")

    with pytest.raises(Conflict, match="City"):
        undo(records, created)


def test_contact_that_went_with_its_import_is_gone(records: Records):
    with records.write() as session:
        bulk.write_contacts(session, [{"customer_id": "c"}], policy="skip", import_id="i")
    edit = save(records, name="Ada")
    with records.write() as session:
        bulk.undo_contact_import(session, "i", force=True)

    with pytest.raises(NotFound, match="gone for good"):
        undo(records, edit)


def test_acts_without_images_are_refused(records: Records):
    with records.write() as session:
        told = audit.record(session, actor="a", act="import.done", subject_kind="import", subject_id="i")

    with pytest.raises(Conflict, match="cannot be undone from the log"):
        undo(records, told)
    with pytest.raises(NotFound):
        undo(records, 10**6)


def test_stale_form_is_refused_after_an_undo(records: Records):
    save(records, name="Ada")
    edit = save(records, name="Eve")
    undo(records, edit)

    with records.read() as session:
        assert contacts.find_contact(session, "c").version == 3


def test_acts_on_a_ticket_and_its_comments_are_taken_back(records: Records):
    with records.write() as session:
        created = tickets.create_ticket(session, customer_id="c", subject="Late", actor="ada")
        ticket_id = created.record.id
        solved = tickets.update_ticket(session, ticket_id=ticket_id, values={"status": "solved"}, actor="ada")
        comment = tickets.add_comment(session, ticket_id=ticket_id, body="Sorry", actor="ada")
        deleted = tickets.delete_ticket(session, ticket_id=ticket_id, actor="ada")

    undo(records, deleted.event_id)
    undo(records, comment.event_id)
    with records.read() as session:
        assert tickets.list_comments(session, ticket_id) == []
        assert tickets.find_ticket(session, ticket_id).solved_at is not None
    undo(records, solved.event_id)
    with records.read() as session:
        ticket = tickets.find_ticket(session, ticket_id)
        assert (ticket.status, ticket.solved_at) == ("open", None)
    undo(records, created.event_id)
    with pytest.raises(NotFound), records.read() as session:
        tickets.find_ticket(session, ticket_id)


def test_acts_on_an_audience_are_taken_back(records: Records):
    with records.write() as session:
        created = audiences.save_audience(session, name="A", rule={"all": []}, actor="ada")
        audience_id = created.record.id
        edited = audiences.save_audience(
            session, audience_id=audience_id, name="B", rule={"any": [1]}, actor="ada"
        )
        deleted = audiences.delete_audience(session, audience_id=audience_id, actor="ada")

    undo(records, deleted.event_id)
    undo(records, edited.event_id)
    with records.read() as session:
        found = audiences.find_audience(session, audience_id=audience_id)
        assert (found.name, found.rule) == ("A", {"all": []})
    undo(records, created.event_id)
    with records.read() as session:
        assert audiences.list_audiences(session) == []


def test_deleted_audience_whose_name_is_taken_is_not_brought_back(records: Records):
    with records.write() as session:
        first = audiences.save_audience(session, name="A", rule={}, actor="ada").record.id
        deleted = audiences.delete_audience(session, audience_id=first, actor="ada").event_id
        audiences.save_audience(session, name="A", rule={}, actor="ada")

    with pytest.raises(Conflict, match="same name"):
        undo(records, deleted)


def test_setting_is_put_back_to_none_and_to_its_value(records: Records):
    with records.write() as session:
        first = settings_values.set_value(session, key="k", value={"a": [1]}, actor="ada").event_id
        second = settings_values.set_value(session, key="k", value=[2], actor="ada").event_id

    undo(records, second)
    with records.read() as session:
        assert settings_values.get_value(session, "k") == {"a": [1]}
    undo(records, first)
    with records.read() as session:
        assert settings_values.get_value(session, "k", "default") == "default"


def test_log_is_listed_newest_first_in_pages(records: Records):
    for age in range(5):
        save(records, age=age)
    with records.write() as session:
        tickets.create_ticket(session, customer_id="c", subject="s", actor="eve")

    with records.read() as session:
        page, total = audit.list_events(session, subject_kind="contact", subject_id="c", offset=1, limit=2)
        assert (total, [event.after["age"] for event in page if event.after]) == (5, [3, 2])
        assert audit.list_events(session, actor="eve")[1] == 1
        assert audit.list_events(session, subject_kind="ticket", subject_id=1)[1] == 1
        assert audit.list_events(session)[1] == 6

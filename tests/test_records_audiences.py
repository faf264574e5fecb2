"""Saved audiences."""

import pytest

from crm.errors import Conflict, InvalidValue, NotFound, StaleRecord
from crm.records import audiences
from crm.records.database import Records

RULE = {
    "all": [{"field": "revenue", "is": ">", "value": 100}, {"field": "city", "is": "in", "value": ["北京"]}]
}


def save(records: Records, name: str) -> int:
    with records.write() as session:
        return audiences.save_audience(session, name=name, rule=RULE, actor="ada").record.id


def test_audience_is_found_by_id_and_by_name_with_its_rule(records: Records):
    audience_id = save(records, "Big spenders")

    with records.read() as session:
        by_id = audiences.find_audience(session, audience_id=audience_id)
        by_name = audiences.find_audience(session, name="Big spenders")
    assert by_id.id == by_name.id
    assert (by_id.rule, by_id.created_by, by_id.version) == (RULE, "ada", 1)


def test_audiences_are_listed_by_name_whatever_the_case(records: Records):
    for name in ("b", "C", "a", "ä"):
        save(records, name)

    with records.read() as session:
        assert [audience.name for audience in audiences.list_audiences(session)] == ["a", "b", "C", "ä"]


def test_name_is_taken_once(records: Records):
    save(records, "A")
    other = save(records, "B")

    with pytest.raises(Conflict, match="“A”"):
        save(records, "A")
    with pytest.raises(Conflict), records.write() as session:
        audiences.save_audience(session, audience_id=other, name="A", rule=RULE, actor="ada")


def test_name_of_a_deleted_audience_is_free_until_it_is_restored(records: Records):
    first = save(records, "A")
    with records.write() as session:
        audiences.delete_audience(session, audience_id=first, actor="ada")
    save(records, "A")

    with pytest.raises(Conflict), records.write() as session:
        audiences.restore_audience(session, audience_id=first, actor="ada")
    with records.read() as session:
        assert [audience.id for audience in audiences.list_audiences(session, deleted=True)] == [first]
        assert audiences.find_audience(session, name="A").id != first


def test_stale_edit_is_refused(records: Records):
    audience_id = save(records, "A")
    with records.write() as session:
        audiences.save_audience(session, audience_id=audience_id, name="B", rule=RULE, version=1, actor="ada")

    with pytest.raises(StaleRecord), records.write() as session:
        audiences.save_audience(session, audience_id=audience_id, name="A", rule={}, version=1, actor="bob")


def test_saving_what_is_stored_is_no_change(records: Records):
    audience_id = save(records, "A")
    with records.write() as session:
        again = audiences.save_audience(
            session, audience_id=audience_id, name="A", rule=dict(RULE), version=1, actor="ada"
        )

    assert again.event_id is None


@pytest.mark.parametrize("name", ["", "  ", "x" * 121, "a\nb"])
def test_unusable_names_are_refused(records: Records, name: str):
    with pytest.raises(InvalidValue):
        save(records, name)


def test_deleted_audience_is_not_found_and_comes_back(records: Records):
    audience_id = save(records, "A")
    with records.write() as session:
        audiences.delete_audience(session, audience_id=audience_id, actor="ada")

    with pytest.raises(NotFound), records.read() as session:
        audiences.find_audience(session, audience_id=audience_id)
    with records.write() as session:
        audiences.restore_audience(session, audience_id=audience_id, actor="ada")
    with records.read() as session:
        assert audiences.find_audience(session, name="A").rule == RULE

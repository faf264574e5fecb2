"""The editable tables of the workbench."""

import pytest

from crm.analytics.lifetime_value import channel_costs_as_json, channel_costs_from
from crm.errors import InvalidValue
from crm.records import audit, settings_values
from crm.records.database import Records


def test_value_is_stored_changed_and_logged(records: Records):
    with records.read() as session:
        assert settings_values.get_value(session, "regions") is None
        assert settings_values.get_value(session, "regions", {}) == {}
    for value in ({"北京": "North"}, [1, 2.5, "x", None], False, 0):
        with records.write() as session:
            settings_values.set_value(session, key="regions", value=value, actor="ada")
        with records.read() as session:
            assert settings_values.get_value(session, "regions", "default") == value

    with records.read() as session:
        assert audit.list_events(session, subject_kind="setting", subject_id="regions")[1] == 4


def test_same_value_is_no_change(records: Records):
    with records.write() as session:
        settings_values.set_value(session, key="k", value=[1], actor="ada")
        assert settings_values.set_value(session, key="k", value=[1], actor="ada").event_id is None


def test_none_takes_the_value_away(records: Records):
    with records.write() as session:
        settings_values.set_value(session, key="k", value=[1], actor="ada")
        settings_values.set_value(session, key="k", value=None, actor="ada")

    with records.read() as session:
        assert settings_values.get_value(session, "k", "default") == "default"


def test_key_without_a_name_is_refused(records: Records):
    with pytest.raises(InvalidValue), records.write() as session:
        settings_values.set_value(session, key=" ", value=1, actor="ada")


def test_acquisition_costs_by_channel_are_undone_and_done_again(records: Records):
    costs = (("fair", 0.5), ("搜索", 12.0))

    def stored() -> tuple[tuple[str, float], ...]:
        with records.read() as session:
            return channel_costs_from(settings_values.get_value(session, "acquisition_costs"))

    with records.write() as session:
        saved = settings_values.set_value(
            session, key="acquisition_costs", value=channel_costs_as_json(costs), actor="ada"
        )
    assert stored() == costs
    with records.write() as session:
        undone = audit.undo_event(session, event_id=saved.event_id, actor="ada")
    assert stored() == ()
    with records.write() as session:
        audit.undo_event(session, event_id=undone, actor="ada")
    assert stored() == costs

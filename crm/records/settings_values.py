"""The editable tables of the workbench: bands of a scheme, the region of each city."""

from typing import Any

from sqlalchemy.orm import Session

from crm.errors import InvalidValue
from crm.records.audit import Change, record_change
from crm.records.columns import now, same_document
from crm.records.images import image_of
from crm.records.models import SettingsValue


def get_value(session: Session, key: str, default: Any = None) -> Any:
    """Return the value stored under `key`, or `default` where none is."""
    stored = session.get(SettingsValue, key)
    return default if stored is None or stored.value is None else stored.value


def set_value(session: Session, *, key: str, value: Any, actor: str) -> Change[SettingsValue]:
    """Store a JSON value under `key`; None takes it away. Raises InvalidValue for an empty key."""
    if not key.strip():
        raise InvalidValue("The setting has no name.", "Give it one.")
    stored = session.get(SettingsValue, key, with_for_update=True)
    if stored is None:
        stored = SettingsValue(key=key, value=None)
        session.add(stored)
        session.flush()
    if same_document(stored.value, value):
        return Change(stored, None)
    before = image_of(stored)
    stored.value = value
    stored.updated_at = now()
    return record_change(
        session, actor=actor, act="setting.edited", subject_kind="setting", subject=stored, before=before
    )

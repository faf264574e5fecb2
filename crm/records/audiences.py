"""Saved audiences: a name and a rule over the customers' fields."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.errors import Conflict, StaleRecord
from crm.records.audit import Change, record_change
from crm.records.columns import now, same_document
from crm.records.images import image_of
from crm.records.models import Audience
from crm.records.named import find_named, list_named
from crm.records.rules import check_text

NAME_LENGTH = 120


def list_audiences(session: Session, *, deleted: bool = False) -> Sequence[Audience]:
    """Return the saved audiences by name; with `deleted`, those in the bin."""
    return list_named(session, Audience, deleted=deleted)


def find_audience(
    session: Session, *, audience_id: int | None = None, name: str | None = None, deleted: bool = False
) -> Audience:
    """Return the audience with an id, or the one with a name. Raises NotFound; also in the bin unless `deleted`."""
    return find_named(
        session,
        Audience,
        record_id=audience_id,
        name=name,
        deleted=deleted,
        noun="audience",
        among="saved audiences",
    )


def save_audience(
    session: Session,
    *,
    name: str,
    rule: dict[str, Any],
    actor: str,
    audience_id: int | None = None,
    version: int | None = None,
) -> Change[Audience]:
    """Create an audience, or change the one with `audience_id`.

    Raises InvalidValue for an unusable name, Conflict when another audience has it, NotFound, and
    StaleRecord when the audience is no longer at `version`.
    """
    name = check_text("The audience's name", name, length=NAME_LENGTH, required=True)
    if audience_id is None:
        _refuse_taken(session, name=name, but=None)
        audience = Audience(name=name, rule=rule, created_by=actor)
        session.add(audience)
        return record_change(
            session,
            actor=actor,
            act="audience.created",
            subject_kind="audience",
            subject=audience,
            before=None,
        )
    audience = _hold(session, audience_id=audience_id)
    if version is not None and audience.version != version:
        raise StaleRecord(
            f"Somebody else changed the audience “{audience.name}” since it was opened.",
            "Open it again and repeat the change.",
        )
    if audience.name == name and same_document(audience.rule, rule):
        return Change(audience, None)
    _refuse_taken(session, name=name, but=audience.id)
    before = image_of(audience)
    audience.name, audience.rule, audience.updated_at = name, rule, now()
    return record_change(
        session, actor=actor, act="audience.edited", subject_kind="audience", subject=audience, before=before
    )


def delete_audience(session: Session, *, audience_id: int, actor: str) -> Change[Audience]:
    """Put an audience into the bin. Raises NotFound."""
    audience = _hold(session, audience_id=audience_id)
    before = image_of(audience)
    audience.deleted_at = audience.updated_at = now()
    return record_change(
        session, actor=actor, act="audience.deleted", subject_kind="audience", subject=audience, before=before
    )


def restore_audience(session: Session, *, audience_id: int, actor: str) -> Change[Audience]:
    """Take an audience out of the bin. Raises NotFound, and Conflict when its name is taken by now."""
    audience = _hold(session, audience_id=audience_id, deleted=True)
    if audience.deleted_at is None:
        return Change(audience, None)
    _refuse_taken(session, name=audience.name, but=audience.id)
    before = image_of(audience)
    audience.deleted_at, audience.updated_at = None, now()
    return record_change(
        session,
        actor=actor,
        act="audience.restored",
        subject_kind="audience",
        subject=audience,
        before=before,
    )


def _hold(session: Session, *, audience_id: int, deleted: bool = False) -> Audience:
    """Return an audience as it is now and keep others from changing it until the transaction ends."""
    audience = find_audience(session, audience_id=audience_id, deleted=deleted)
    session.refresh(audience, with_for_update=True)
    return audience


def _refuse_taken(session: Session, *, name: str, but: int | None) -> None:
    query = select(Audience.id).where(Audience.name == name, Audience.deleted_at.is_(None))
    if session.scalars(query.where(Audience.id != but) if but is not None else query).first() is not None:
        raise Conflict(f"Another audience is called “{name}”.", "Choose another name.")

"""The log of every act, with the record before and after; and taking an act back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from crm.errors import Conflict, NotFound
from crm.records.changes import lock_contacts
from crm.records.columns import now
from crm.records.images import Image, changed_fields, image_of, put_back, titles_of
from crm.records.models import (
    Audience,
    Base,
    Connection,
    Contact,
    Event,
    ImportChange,
    MappingTemplate,
    SettingsValue,
    Ticket,
    TicketComment,
)

Record = TypeVar("Record", bound=Base)

_SUBJECTS: dict[str, type[Any]] = {
    "contact": Contact,
    "ticket": Ticket,
    "comment": TicketComment,
    "audience": Audience,
    "connection": Connection,
    "setting": SettingsValue,
}


TEMPLATE = "template"
"""Subject kind of a mapping's template: it has no bin, so what it was is all in the log."""


@dataclass(frozen=True)
class Change(Generic[Record]):
    """A record after an act, and the id of the act's event; none when nothing had to change."""

    record: Record
    event_id: int | None


def record(
    session: Session,
    *,
    actor: str,
    act: str,
    subject_kind: str,
    subject_id: str | int,
    before: Image | None = None,
    after: Image | None = None,
    undoes_id: int | None = None,
) -> int:
    """Write an act into the log and return its event's id.

    `act` says what was done, such as `contact.edited`; `before` and `after` are images of the record,
    none where it did not exist.
    """
    event = Event(
        actor=actor,
        act=act,
        subject_kind=subject_kind,
        subject_id=str(subject_id),
        before=before,
        after=after,
        undoes_id=undoes_id,
    )
    session.add(event)
    session.flush()
    return event.id


def record_change(
    session: Session, *, actor: str, act: str, subject_kind: str, subject: Record, before: Image | None
) -> Change[Record]:
    """Write what became of `subject` since the image `before`, and log it."""
    session.flush()
    event_id = record(
        session,
        actor=actor,
        act=act,
        subject_kind=subject_kind,
        subject_id=_key_of(subject),
        before=before,
        after=image_of(subject),
    )
    return Change(subject, event_id)


def find_event(session: Session, *, event_id: int) -> Event:
    """Return one event of the log. Raises NotFound."""
    event = session.get(Event, event_id)
    if event is None:
        raise NotFound(f"The log has no entry {event_id}.", "Open the history and choose one from there.")
    return event


def list_events(
    session: Session,
    *,
    subject_kind: str | None = None,
    subject_id: str | int | None = None,
    actor: str | None = None,
    offset: int = 0,
    limit: int = 50,
) -> tuple[Sequence[Event], int]:
    """Return a page of the log, newest first, and how many entries match in all."""
    query = select(Event)
    if subject_kind is not None:
        query = query.where(Event.subject_kind == subject_kind)
    if subject_id is not None:
        query = query.where(Event.subject_id == str(subject_id))
    if actor is not None:
        query = query.where(Event.actor == actor)
    total = session.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    return session.scalars(query.order_by(Event.id.desc()).offset(offset).limit(limit)).all(), total


def list_edits(session: Session, *, offset: int = 0, limit: int = 50) -> tuple[Sequence[Event], int]:
    """Return a page of the acts on single records, newest first, and how many there are in all."""
    query = select(Event).where(Event.subject_kind.in_([*_SUBJECTS, TEMPLATE]))
    total = session.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    return session.scalars(query.order_by(Event.id.desc()).offset(offset).limit(limit)).all(), total


def undo_event(session: Session, *, event_id: int, actor: str) -> int:
    """Take one act back and return the id of the event that says so; undoing that one does it again.

    An edit gets its fields back, a deleted record leaves the bin, a created one goes into it. Fields
    that the act did not touch stay as they are. Raises Conflict when a field of the act was changed
    again since, or the act was taken back already; NotFound when the record is gone for good.
    """
    event = find_event(session, event_id=event_id)
    if event.subject_kind == TEMPLATE:
        return _undo_template(session, event, actor)
    model = _SUBJECTS.get(event.subject_kind)
    if model is None or event.after is None:
        raise Conflict(
            f"The act {event.act} cannot be undone from the log.",
            "An import is undone in the import history.",
        )
    if model is Contact:
        lock_contacts(session)
    session.refresh(event, with_for_update=True)
    if event.undone_at is not None:
        raise Conflict("This act was undone already.", "Load the page again.")
    key = event.subject_id if model in (Contact, SettingsValue) else int(event.subject_id)
    subject = session.get(model, key, with_for_update=model is not Contact, populate_existing=True)
    if subject is None:
        raise NotFound(
            f"The {event.subject_kind} of this act is gone for good.",
            "It went with the import that had brought it; import it again.",
        )
    current = image_of(subject)
    fields = changed_fields(event.before or {}, event.after)
    _refuse_if_changed_since(event, current, fields)
    if event.before is None:
        subject.deleted_at = now()
    else:
        put_back(subject, event.before, fields)
    subject.updated_at = now()
    session.flush()
    after = image_of(subject)
    if isinstance(subject, Contact):
        _keep_import_undoable(session, subject, event, after)
    event.undone_at = now()
    if event.undoes_id is not None:
        find_event(session, event_id=event.undoes_id).undone_at = None
    return record(
        session,
        actor=actor,
        act=_act(event.subject_kind, current, after),
        subject_kind=event.subject_kind,
        subject_id=event.subject_id,
        before=current,
        after=after,
        undoes_id=event.id,
    )


def template_image(template: MappingTemplate | None, image: Image | None = None) -> Image:
    """Return what a template is as plain values; of one that is gone, what it was and that it is gone."""
    if template is None:
        return {**(image or {}), "deleted": True}
    return {
        "name": template.name,
        "kind": template.kind,
        "mapping": dict(template.mapping),
        "created_by": template.created_by,
        "deleted": False,
    }


def _undo_template(session: Session, event: Event, actor: str) -> int:
    session.refresh(event, with_for_update=True)
    if event.undone_at is not None:
        raise Conflict("This act was undone already.", "Load the page again.")
    template = session.get(MappingTemplate, event.subject_id, with_for_update=True, populate_existing=True)
    current = template_image(template, event.after)
    if current != event.after:
        raise Conflict(
            f"The template “{event.subject_id}” was changed again since.", "Undo the later change first."
        )
    goal = event.before or template_image(None, event.after)
    if template is not None and goal["deleted"]:
        session.delete(template)
    elif not goal["deleted"]:
        values = {name: goal[name] for name in ("name", "kind", "mapping", "created_by")}
        session.merge(MappingTemplate(**values))
    event.undone_at = now()
    if event.undoes_id is not None:
        find_event(session, event_id=event.undoes_id).undone_at = None
    done = "deleted" if goal["deleted"] else "restored" if current["deleted"] else "edited"
    return record(
        session,
        actor=actor,
        act=f"{TEMPLATE}.{done}",
        subject_kind=TEMPLATE,
        subject_id=event.subject_id,
        before=current,
        after=goal,
        undoes_id=event.id,
    )


def _refuse_if_changed_since(event: Event, current: Image, fields: list[str]) -> None:
    after = event.after or {}
    again = [field for field in changed_fields(current, after) if field in fields]
    if "deleted_at" in current and current["deleted_at"] is not None and "deleted_at" not in fields:
        again.append("deleted_at")
    if again:
        raise Conflict(
            f"The {event.subject_kind} was changed again since: {titles_of(again)}.",
            "Undo the later change first, or edit the record by hand.",
        )


def _act(kind: str, before: Image, after: Image) -> str:
    if kind == "setting" or before["deleted_at"] == after["deleted_at"]:
        return f"{kind}.edited"
    return f"{kind}.deleted" if after["deleted_at"] else f"{kind}.restored"


def _keep_import_undoable(session: Session, contact: Contact, event: Event, after: Image) -> None:
    """Tell the import that wrote the contact last that it is again as the import had left it."""
    if event.before is None or changed_fields(event.before, after):
        return
    session.execute(
        update(ImportChange)
        .where(
            ImportChange.import_id == contact.import_id,
            ImportChange.customer_id == contact.customer_id,
            ImportChange.version_after == event.before["version"],
        )
        .values(version_after=contact.version)
        .execution_options(synchronize_session=False)
    )


def _key_of(subject: Base) -> str | int:
    return subject.key if isinstance(subject, SettingsValue) else _first_key(subject)


def _first_key(subject: Base) -> str | int:
    key: str | int = subject.__mapper__.primary_key_from_instance(subject)[0]
    return key

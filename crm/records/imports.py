"""The history of imports, and the mappings that worked before."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.errors import Conflict, InvalidValue, NotFound
from crm.records.audit import TEMPLATE, Change, record, template_image
from crm.records.changes import lock_contacts
from crm.records.columns import now, same_document
from crm.records.models import Import, ImportChange, MappingMemory, MappingTemplate
from crm.records.rules import check_text

TEMPLATE_NAME_LENGTH = 120

_FORCED = "undo forced"
_AGAIN = "undone before"

Source = Literal["page", "command line", "connection"]
Outcome = Literal["done", "failed"]


def new_id() -> str:
    """Return an id for an import: 12 hexadecimal digits."""
    return secrets.token_hex(6)


def create_import(
    session: Session,
    *,
    kind: str,
    file_name: str,
    sha256: str,
    actor: str = "",
    source: Source = "page",
    sample: bool = False,
    mapping: Mapping[str, Any] | None = None,
    lake_versions: Mapping[str, int] | None = None,
    connection_id: int | None = None,
    import_id: str = "",
) -> Import:
    """Open an import and return it; its number follows the last one's.

    Its id is `import_id`, unless that is empty or was used before; then a new one.
    """
    lock_contacts(session)  # two imports that begin at once shall not get the same number
    last = session.execute(select(func.coalesce(func.max(Import.number), 0))).scalar_one()
    free = import_id and session.get(Import, import_id) is None
    opened = Import(
        id=import_id if free else new_id(),
        number=last + 1,
        kind=kind,
        file_name=file_name,
        sha256=sha256,
        actor=actor,
        source=source,
        sample=sample,
        mapping=dict(mapping or {}),
        lake_versions=dict(lake_versions or {}),
        connection_id=connection_id,
    )
    session.add(opened)
    session.flush()
    return opened


def close_import(
    session: Session,
    *,
    import_id: str,
    status: Outcome = "done",
    rows_read: int = 0,
    created: int = 0,
    updated: int = 0,
    unchanged: int = 0,
    skipped: int = 0,
    rejected: int = 0,
    assumed: Sequence[str] = (),
    warnings: Sequence[str] = (),
    rejects_file: str | None = None,
    lake_versions: Mapping[str, int] | None = None,
    seconds: float | None = None,
) -> Import:
    """Close an open import with what became of its rows.

    Raises NotFound, Conflict when it is not open, and InvalidValue when the rows of an import that is
    done do not add up: rows read = created + updated + unchanged + skipped + rejected.
    """
    closing = find_import(session, import_id)
    if closing.status != "open":
        raise Conflict(
            f"The import of {closing.file_name} is {closing.status} already.", "Start a new import."
        )
    counted = created + updated + unchanged + skipped + rejected
    if status == "done" and counted != rows_read:
        raise InvalidValue(
            f"{rows_read} rows were read, but {counted} are accounted for.",
            "Nothing was imported. Keep the file and report this.",
        )
    closing.status = status
    closing.finished_at = now()
    closing.rows_read, closing.rejected = rows_read, rejected
    closing.created, closing.updated, closing.unchanged, closing.skipped = (
        created,
        updated,
        unchanged,
        skipped,
    )
    closing.assumed, closing.warnings = list(assumed), list(warnings)
    closing.rejects_file, closing.seconds = rejects_file, seconds
    if lake_versions is not None:
        closing.lake_versions = dict(lake_versions)
    session.flush()
    return closing


def find_import(session: Session, import_id: str) -> Import:
    """Return one import. Raises NotFound."""
    found = session.get(Import, import_id)
    if found is None:
        raise NotFound(f"There is no import {import_id}.", "Choose one from the import history.")
    return found


def list_imports(
    session: Session,
    *,
    kind: str | None = None,
    status: str | None = None,
    offset: int = 0,
    limit: int = 50,
) -> tuple[Sequence[Import], int]:
    """Return a page of the imports, newest first, and how many match in all."""
    query = select(Import)
    if kind is not None:
        query = query.where(Import.kind == kind)
    if status is not None:
        query = query.where(Import.status == status)
    total = session.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    return session.scalars(query.order_by(Import.number.desc()).offset(offset).limit(limit)).all(), total


def list_open_imports(session: Session) -> Sequence[Import]:
    """Return the imports begun and not ended, or half undone, oldest first: what a killed process leaves."""
    half = select(Import).where(Import.status.in_(["open", "undoing"]))
    return session.scalars(half.order_by(Import.number)).all()


def find_same_file(session: Session, *, kind: str, sha256: str) -> Import | None:
    """Return the last import in force of a file with these very bytes, or None."""
    same = select(Import).where(Import.kind == kind, Import.sha256 == sha256, Import.status == "done")
    return session.scalars(same.order_by(Import.number.desc()).limit(1)).first()


def latest_undoable(session: Session) -> Import | None:
    """Return the last import in force, the first to be undone; None when there is none."""
    done = select(Import).where(Import.status == "done")
    return session.scalars(done.order_by(Import.number.desc()).limit(1)).first()


def begin_undo(session: Session, import_id: str, *, any_order: bool = False, force: bool = False) -> Import:
    """Mark an import in force as being undone, and return it; `force` is kept for whoever has to finish it.

    An import that is undone but had left contacts as they are, because they were edited since, can be
    undone once more with `force`. Raises NotFound, and Conflict when there is nothing to undo or, without
    `any_order`, a later import is in force.
    """
    lock_contacts(session)  # nothing may begin or be undone in between
    undoing = find_import(session, import_id)
    last = latest_undoable(session)
    again = force and left_edited(session, undoing)
    if undoing.status != "done" and not again:
        raise Conflict(
            f"The import of {undoing.file_name} is {undoing.status}; there is nothing to undo.",
            "Choose an import that is done.",
        )
    if last is not None and last.number > undoing.number and not any_order:
        raise Conflict(
            f"The import of {last.file_name} came after the one of {undoing.file_name}.",
            "Undo the later import first.",
        )
    undoing.status = "undoing"
    undoing.mapping = {**undoing.mapping, _FORCED: force, _AGAIN: again}
    session.flush()
    return undoing


def left_edited(session: Session, undone: Import) -> bool:
    """Say whether an import that is undone left contacts as they are, which can still be forced back."""
    left = select(ImportChange.customer_id).where(ImportChange.import_id == undone.id).limit(1)
    return undone.status == "undone" and session.execute(left).first() is not None


def undo_is_forced(undoing: Import) -> bool:
    """Say whether an undo that was begun also takes back contacts that were edited since."""
    return bool(undoing.mapping.get(_FORCED, False))


def end_undo(session: Session, import_id: str, *, undone: bool, actor: str = "") -> Import:
    """Mark an import that is being undone as undone, or, where that was refused, as in force again."""
    ending = find_import(session, import_id)
    if ending.status != "undoing":
        raise Conflict(f"The import of {ending.file_name} is {ending.status}.", "Open the history again.")
    ending.status = "undone" if undone or ending.mapping.get(_AGAIN) else "done"
    if undone:
        ending.undone_at = now()
        record(session, actor=actor, act="import.undone", subject_kind="import", subject_id=import_id)
    session.flush()
    return ending


@dataclass(frozen=True)
class Remembered:
    """A mapping confirmed before for the same headers."""

    kind: str
    mapping: dict[str, Any]


def remember_mapping(
    session: Session, *, headers: Sequence[str], kind: str, mapping: Mapping[str, Any]
) -> None:
    """Keep a mapping for the next file with these headers, in whatever order and case."""
    signature = header_signature(headers)
    known = session.get(MappingMemory, signature, with_for_update=True)
    if known is None:
        session.add(MappingMemory(signature=signature, kind=kind, mapping=dict(mapping)))
    else:
        known.kind, known.mapping, known.used_at = kind, dict(mapping), now()
    session.flush()


def recall_mapping(session: Session, *, headers: Sequence[str]) -> Remembered | None:
    """Return the mapping last confirmed for a file with these headers, or None."""
    known = session.get(MappingMemory, header_signature(headers))
    return None if known is None else Remembered(known.kind, dict(known.mapping))


def header_signature(headers: Sequence[str]) -> str:
    """Return a fingerprint of a file's headers that does not depend on their order, case or outer spaces."""
    plain = sorted(header.strip().casefold() for header in headers)
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def list_templates(session: Session, *, kind: str | None = None) -> Sequence[MappingTemplate]:
    """Return the templates of mappings by name, of one kind of file or all."""
    query = select(MappingTemplate)
    if kind is not None:
        query = query.where(MappingTemplate.kind == kind)
    return session.scalars(query.order_by(func.lower(MappingTemplate.name), MappingTemplate.name)).all()


def find_template(session: Session, name: str) -> MappingTemplate:
    """Return the template with a name. Raises NotFound."""
    found = session.get(MappingTemplate, name.strip())
    if found is None:
        raise NotFound(f"There is no template “{name}”.", "Choose one from the list of templates.")
    return found


def save_template(
    session: Session, *, name: str, kind: str, mapping: Mapping[str, Any], actor: str, overwrite: bool = False
) -> Change[MappingTemplate]:
    """Keep a mapping, as `as_dict` gives it, under a name, for files whose headers are not always the same.

    Raises InvalidValue for an unusable name, and Conflict when a template has it already, unless `overwrite`.
    """
    name = check_text("The template's name", name, length=TEMPLATE_NAME_LENGTH, required=True).strip()
    known = session.get(MappingTemplate, name, with_for_update=True, populate_existing=True)
    if known is None:
        before, done = None, "created"
        known = MappingTemplate(name=name, kind=kind, mapping=dict(mapping), created_by=actor)
        session.add(known)
    else:
        if known.kind == kind and same_document(known.mapping, dict(mapping)):
            return Change(known, None)
        if not overwrite:
            raise Conflict(
                f"There is a template “{name}” already.", "Choose another name, or replace the template."
            )
        before, done = template_image(known), "edited"
        known.kind, known.mapping, known.used_at = kind, dict(mapping), now()
    session.flush()
    event_id = record(
        session,
        actor=actor,
        act=f"{TEMPLATE}.{done}",
        subject_kind=TEMPLATE,
        subject_id=name,
        before=before,
        after=template_image(known),
    )
    return Change(known, event_id)


def delete_template(session: Session, name: str, *, actor: str) -> int:
    """Delete a template and return the id of the event that undoes it. Raises NotFound."""
    template = find_template(session, name)
    before = template_image(template)
    session.delete(template)
    session.flush()
    return record(
        session,
        actor=actor,
        act=f"{TEMPLATE}.deleted",
        subject_kind=TEMPLATE,
        subject_id=before["name"],
        before=before,
        after=template_image(None, before),
    )

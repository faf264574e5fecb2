"""Records that people call by a name which is theirs alone among those not in the bin."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.errors import NotFound
from crm.records.models import Audience, Connection

Named = TypeVar("Named", Audience, Connection)


def list_named(session: Session, table: type[Named], *, deleted: bool) -> Sequence[Named]:
    """Return the records of a table by name; with `deleted`, those in the bin."""
    query = select(table).where(table.deleted_at.is_not(None) if deleted else table.deleted_at.is_(None))
    return session.scalars(query.order_by(func.lower(table.name), table.id)).all()


def find_named(
    session: Session,
    table: type[Named],
    *,
    record_id: int | None,
    name: str | None,
    deleted: bool,
    noun: str,
    among: str,
) -> Named:
    """Return the record with an id, or the one with a name; of several in the bin the newest.

    Raises NotFound, in which it is a `noun` and can be chosen from the list of `among`; for one in the bin
    too, unless `deleted`.
    """
    query = select(table).where(table.name == name if record_id is None else table.id == record_id)
    if not deleted:
        query = query.where(table.deleted_at.is_(None))
    found = session.scalars(query.order_by(table.id.desc()).limit(1)).first()
    if found is None:
        wanted = f"called {name!r}" if record_id is None else f"number {record_id}"
        raise NotFound(f"There is no {noun} {wanted}.", f"Choose one from the list of {among}.")
    return found

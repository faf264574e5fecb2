"""Saved connections to databases: what is read from where, how it is mapped, how far it was read.

The password stands in its own column, encrypted; no image, event or answer of this module holds it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from crm.errors import Conflict, InvalidValue, StaleRecord
from crm.records.audit import Change, record_change
from crm.records.columns import now, same_document
from crm.records.images import image_of
from crm.records.models import Connection, Import
from crm.records.named import find_named, list_named
from crm.records.rules import check_text

NAME_LENGTH = 120

PLACE = ("driver", "host", "port", "database", "username", "tls")
"""Fields that say where a password is shown; a password is good for these values alone."""

READ = ("source", "new_column")
"""Fields that say what is read; where one changes, how far it was read means nothing any more."""

FIELDS = (*PLACE, *READ, "kind", "mapping", "options")


def list_connections(session: Session, *, deleted: bool = False) -> Sequence[Connection]:
    """Return the saved connections by name; with `deleted`, those in the bin."""
    return list_named(session, Connection, deleted=deleted)


def find_connection(
    session: Session, *, connection_id: int | None = None, name: str | None = None, deleted: bool = False
) -> Connection:
    """Return the connection with an id, or the one with a name. Raises NotFound; in the bin only if `deleted`."""
    return find_named(
        session,
        Connection,
        record_id=connection_id,
        name=name,
        deleted=deleted,
        noun="connection",
        among="connections",
    )


def place_of(connection: Connection | Mapping[str, Any]) -> dict[str, Any]:
    """Return where a connection's password is shown, which it is encrypted for."""
    if isinstance(connection, Connection):
        return {field: getattr(connection, field) for field in PLACE}
    return {field: connection.get(field) for field in PLACE}


def create_connection(
    session: Session, *, name: str, values: Mapping[str, Any], password: str | None, actor: str
) -> Change[Connection]:
    """Save a connection; `password` is encrypted already (`secrets.Keys.hide`), or None: it is asked each time.

    Raises InvalidValue for an unusable name or a field that a connection does not have, Conflict when
    another connection has the name.
    """
    name = _usable_name(session, name, but=None)
    connection = Connection(name=name, **_known(values), password=password, created_by=actor)
    session.add(connection)
    return record_change(
        session,
        actor=actor,
        act="connection.created",
        subject_kind="connection",
        subject=connection,
        before=None,
    )


def update_connection(
    session: Session,
    *,
    connection_id: int,
    version: int,
    name: str,
    values: Mapping[str, Any],
    password: str | None = None,
    forget_password: bool = False,
    actor: str,
) -> Change[Connection]:
    """Change a connection; fields that `values` leaves out stay. A saved password stays unless there is another.

    It goes when server, user or encryption change, and with `forget_password`. How far was read is
    forgotten when what is read changes. Raises as `create_connection`, NotFound, and StaleRecord when the
    connection is no longer at `version`.
    """
    connection = _hold(session, connection_id=connection_id)
    if connection.version != version:
        raise StaleRecord(
            f"Somebody else changed the connection “{connection.name}” since it was opened.",
            "Open it again and repeat the change.",
        )
    name = _usable_name(session, name, but=connection.id)
    values = _known(values)
    before = image_of(connection)
    moved = any(field in values and values[field] != getattr(connection, field) for field in PLACE)
    reads_other = any(
        field in values and not same_document(values[field], getattr(connection, field)) for field in READ
    )
    changed = name != connection.name or any(
        not same_document(value, getattr(connection, field)) for field, value in values.items()
    )
    forgets = (moved or forget_password) and connection.password is not None
    if not changed and password is None and not forgets:
        return Change(connection, None)
    connection.name = name
    for field, value in values.items():
        setattr(connection, field, value)
    if password is not None or forgets:
        connection.password = password
    if moved or reads_other:
        connection.read_up_to = None
    connection.updated_at = now()
    return record_change(
        session,
        actor=actor,
        act="connection.edited",
        subject_kind="connection",
        subject=connection,
        before=before,
    )


def delete_connection(session: Session, *, connection_id: int, actor: str) -> Change[Connection]:
    """Put a connection into the bin. Its imports stay. Raises NotFound."""
    return _put(session, connection_id=connection_id, binned=True, actor=actor)


def restore_connection(session: Session, *, connection_id: int, actor: str) -> Change[Connection]:
    """Take a connection out of the bin. Raises NotFound, and Conflict when its name is taken by now."""
    return _put(session, connection_id=connection_id, binned=False, actor=actor)


def keep_how(
    session: Session,
    *,
    connection_id: int,
    version: int,
    kind: str,
    mapping: Mapping[str, Any],
    options: Mapping[str, Any],
    read_up_to: str | None,
) -> bool:
    """Note how the rows of a connection were imported and how far they were read; return whether it was.

    It is not where the connection was changed since `version`: what was imported is then not what it reads
    now, and the next refresh reads all of it again, which changes nothing. The version stays as it is, so a
    form that is open beside a nightly refresh can be saved.
    """
    result = session.execute(
        update(Connection)
        .where(Connection.id == connection_id, Connection.version == version, Connection.deleted_at.is_(None))
        .values(
            kind=kind,
            mapping=dict(mapping),
            options=dict(options),
            read_up_to=read_up_to,
            refreshed_at=now(),
        )
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]


def undone_since(session: Session, connection: Connection) -> bool:
    """Return whether an import of this connection was taken back since the last refresh.

    Its rows are gone then though they were read: the next refresh has to read from the beginning.
    """
    last_undone = session.scalar(
        select(func.max(Import.undone_at)).where(
            Import.connection_id == connection.id, Import.status == "undone"
        )
    )
    if last_undone is None or connection.refreshed_at is None:
        return last_undone is not None
    return last_undone >= connection.refreshed_at


def rows_by_connection(session: Session) -> dict[int, int]:
    """Return how many rows the imports in force have brought, by connection."""
    found = session.execute(
        select(Import.connection_id, func.sum(Import.rows_read))
        .where(Import.connection_id.is_not(None), Import.status == "done")
        .group_by(Import.connection_id)
    )
    return {int(connection_id): int(rows) for connection_id, rows in found if connection_id is not None}


def _put(session: Session, *, connection_id: int, binned: bool, actor: str) -> Change[Connection]:
    connection = _hold(session, connection_id=connection_id, deleted=True)
    if (connection.deleted_at is not None) == binned:
        return Change(connection, None)
    if not binned:
        _refuse_taken(session, name=connection.name, but=connection.id)
    before = image_of(connection)
    connection.deleted_at = now() if binned else None
    connection.updated_at = now()
    return record_change(
        session,
        actor=actor,
        act="connection.deleted" if binned else "connection.restored",
        subject_kind="connection",
        subject=connection,
        before=before,
    )


def _hold(session: Session, *, connection_id: int, deleted: bool = False) -> Connection:
    """Return a connection as it is now and keep others from changing it until the transaction ends."""
    connection = find_connection(session, connection_id=connection_id, deleted=deleted)
    session.refresh(connection, with_for_update=True)
    return connection


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        raise InvalidValue(
            f"A connection has no field {', '.join(unknown)}.", f"Its fields are {', '.join(FIELDS)}."
        )
    return dict(values)


def _usable_name(session: Session, name: str, *, but: int | None) -> str:
    name = check_text("The connection's name", name, length=NAME_LENGTH, required=True).strip()
    _refuse_taken(session, name=name, but=but)
    return name


def _refuse_taken(session: Session, *, name: str, but: int | None) -> None:
    query = select(Connection.id).where(Connection.name == name, Connection.deleted_at.is_(None))
    if session.scalars(query.where(Connection.id != but) if but is not None else query).first() is not None:
        raise Conflict(f"Another connection is called “{name}”.", "Choose another name.")

"""Writing many contacts at once, and taking an import of contacts back.

Rows are staged in a temporary table and compared inside the database: one pass of each kind, whatever
their number. What a row was before goes into `import_changes` in the same transaction.

A contact that an import created leaves the table for good when the import is undone; its ID stays as a
`Tombstone`, so that a mirror of the contacts learns of it.
"""

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from sqlalchemy import Column as SqlColumn
from sqlalchemy import (
    ColumnElement,
    Executable,
    Integer,
    MetaData,
    Table,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased
from sqlalchemy.schema import CreateTable, DropTable

from crm.errors import InvalidValue
from crm.records.arrow import CONTACT_FIELDS, CONTACT_ROWS, blank_to_null, to_sqlite
from crm.records.changes import lock_contacts, next_change
from crm.records.columns import now
from crm.records.images import IMPORT_IMAGE, from_image_in_sql, image_in_sql
from crm.records.models import Contact, ImportChange, Tombstone
from crm.records.rules import ID_LENGTH
from crm.schema import column_of

Policy = Literal["overwrite", "fill", "skip"]

_STAGED_AT_ONCE = 50_000


@dataclass(frozen=True)
class Counts:
    """What became of the rows of a table; the four add up to their number.

    `created` counts contacts that were not listed before, those that came back from the bin included.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Undone:
    """What undoing an import did: contacts put back, contacts removed, and those left as they are.

    `conflicts` are the IDs of contacts that were changed since the import.
    """

    put_back: int
    removed: int
    conflicts: list[str] = field(default_factory=list)


def write_contacts(
    session: Session, rows: pa.Table | Iterable[Mapping[str, object]], *, policy: Policy, import_id: str
) -> Counts:
    """Write contacts of an import and return what became of each row.

    From one row per contact: customer_id and any of `arrow.CONTACT_ROWS`; only the columns present are
    written. `overwrite` writes every cell, an empty one too; `fill` writes only where the contact has
    nothing; `skip` leaves contacts that exist alone. A contact in the bin comes back (with the values
    of the row, under `fill` with its own where it has them). Rows that name a customer again are first
    folded into one (the last wins under `overwrite`, the first under `skip`, the first value of each
    field under `fill`) and count as skipped.

    Raises InvalidValue for a column no contact has, a value of the wrong type, or an unusable ID. The
    rules of a form are not applied: the check of a file has its own.
    """
    table = _as_contacts(rows)
    unique = _one_row_per_customer(table, policy)
    repeated = table.num_rows - unique.num_rows
    if not unique.num_rows:
        return Counts()
    # In the order of the key, the rows go into its index one beside the other.
    unique = unique.take(pc.sort_indices(unique["customer_id"]))
    lock_contacts(session)
    staged = _stage(session, unique)
    counts = _merge(session, staged, list(unique.column_names[1:]), policy, import_id)
    session.execute(DropTable(staged))
    session.expire_all()
    return Counts(counts.created, counts.updated, counts.unchanged, counts.skipped + repeated)


def _as_contacts(rows: pa.Table | Iterable[Mapping[str, object]]) -> pa.Table:
    """Return the rows as a table whose first column is the ID, every column of its own type."""
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(_alike(rows))
    if not isinstance(rows, pa.Table) and not table.num_columns:
        return CONTACT_ROWS.empty_table()
    unknown = sorted(set(table.column_names) - set(CONTACT_ROWS.names))
    if unknown or "customer_id" not in table.column_names or len(set(table.column_names)) < table.num_columns:
        raise InvalidValue(
            f"The rows have the columns {', '.join(table.column_names)}.",
            f"Give customer_id and any of {', '.join(CONTACT_FIELDS)}, each once.",
        )
    table = table.select(["customer_id", *(name for name in CONTACT_FIELDS if name in table.column_names)])
    columns = {}
    for name in table.column_names:
        type_ = CONTACT_ROWS.field(name).type
        try:
            column = table[name]
            if pa.types.is_integer(column.type) and pa.types.is_decimal(type_):
                column = column.cast(pa.decimal128(19, 0))  # Arrow casts no integer to a narrower decimal
            column = column.cast(type_)
            if name == "age":
                column.cast(pa.int32())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            title = column_of("contacts", name).title
            raise InvalidValue(
                f"The column {title} holds values that are no {type_}.", "Check how the column is read."
            ) from None
        columns[name] = blank_to_null(column) if pa.types.is_string(type_) else column
    for name, column in columns.items():
        if pa.types.is_string(column.type) and pc.any(pc.match_substring(column, "\0")).as_py():
            raise InvalidValue(
                f"The column {column_of('contacts', name).title} holds a NUL character.",
                "Remove it from the file.",
            )
    ids = columns["customer_id"]
    if ids.null_count or (len(ids) and pc.max(pc.utf8_length(ids)).as_py() > ID_LENGTH):
        raise InvalidValue(
            f"A customer ID is empty or longer than {ID_LENGTH} characters.", "Reject that row first."
        )
    return pa.table(columns)


def _alike(rows: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    given = [dict(row) for row in rows]
    if any(row.keys() != given[0].keys() for row in given):
        raise InvalidValue(
            "The rows do not all have the same fields.", "Give every row every field, empty as None."
        )
    return given


def _one_row_per_customer(table: pa.Table, policy: Policy) -> pa.Table:
    ids = table["customer_id"]
    if pc.count_distinct(ids).as_py() == len(ids):
        return table
    position = pa.array(range(table.num_rows), pa.int64())
    if policy != "fill":
        which = "max" if policy == "overwrite" else "min"
        rows = pa.table({"customer_id": ids, "row": position}).group_by("customer_id")
        return table.take(rows.aggregate([("row", which)])[f"row_{which}"])
    fields = table.column_names[1:]
    # The row of each field's first value; a null where no row has one, and taking it gives a null.
    holding = {name: pc.if_else(pc.is_valid(table[name]), position, None) for name in fields}
    first = pa.table({"customer_id": ids, **holding}).group_by("customer_id")
    rows = first.aggregate([(name, "min") for name in fields])
    folded = {name: table[name].take(rows[f"{name}_min"]) for name in fields}
    return pa.table({"customer_id": rows["customer_id"], **folded})


def _stage(session: Session, table: pa.Table) -> Table:
    """Put the rows into a temporary table of this connection and return it."""
    columns = Contact.__table__.columns
    staged = Table(
        "staged_contacts",
        MetaData(),
        *(SqlColumn(name, columns[name].type) for name in table.column_names),
        prefixes=["TEMPORARY"],
    )
    session.execute(CreateTable(staged))
    driver: Any = session.connection().connection.driver_connection
    names = ", ".join(table.column_names)
    if _dialect(session) == "sqlite":
        marks = ", ".join("?" * table.num_columns)
        for batch in table.to_batches(max_chunksize=_STAGED_AT_ONCE):
            stored = zip(*(to_sqlite(column) for column in batch.columns), strict=True)
            driver.executemany(f"INSERT INTO staged_contacts ({names}) VALUES ({marks})", stored)
        return staged
    # Every value quoted, no null is: the one way a CSV tells an empty text from none.
    form = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY staged_contacts ({names}) FROM STDIN (FORMAT csv)") as copy,
    ):
        for batch in table.to_batches(max_chunksize=_STAGED_AT_ONCE):
            lines = io.BytesIO()
            pyarrow.csv.write_csv(batch, lines, form)
            copy.write(lines.getvalue())
    _measure(session, staged)
    return staged


def _merge(session: Session, staged: Table, fields: list[str], policy: Policy, import_id: str) -> Counts:
    """Write the staged rows into the contacts, images first, and count."""
    same = Contact.customer_id == staged.c.customer_id
    in_bin = Contact.deleted_at.is_not(None)
    values, differs = _new_values(staged, fields, policy)
    changes = or_(in_bin, differs)
    both = staged.outerjoin(Contact, same)
    rows, found, restored, changing = session.execute(
        select(
            func.count(),
            func.count(Contact.customer_id),
            _how_many(in_bin),
            _how_many(and_(Contact.customer_id.is_not(None), changes)),
        ).select_from(both)
    ).one()
    new = rows - found
    touched = changing - restored
    if changing:
        _remember(
            session,
            select(
                literal(import_id),
                Contact.customer_id,
                image_in_sql(_dialect(session)),
                Contact.version + 1,
            )
            .select_from(staged.join(Contact, same))
            .where(changes),
        )
        _run(
            session,
            update(Contact)
            .where(same, changes)
            .values(
                **values,
                deleted_at=None,
                updated_at=now(),
                import_id=import_id,
                version=Contact.version + 1,
                change_seq=next_change(session),
            ),
        )
    if new:
        _insert_new(session, staged, both, fields, import_id)
    skipped = found - restored if policy == "skip" else 0
    return Counts(
        created=new + restored,
        updated=touched,
        unchanged=found - restored - touched - skipped,
        skipped=skipped,
    )


def _new_values(
    staged: Table, fields: list[str], policy: Policy
) -> tuple[dict[str, ColumnElement[Any]], ColumnElement[bool]]:
    """Return the values an existing contact gets, and the condition that one of them is new."""
    old = {name: Contact.__table__.columns[name] for name in fields}
    if policy == "fill":
        values: dict[str, ColumnElement[Any]] = {
            name: func.coalesce(old[name], staged.c[name], type_=old[name].type) for name in fields
        }
        new = [and_(old[name].is_(None), staged.c[name].is_not(None)) for name in fields]
    else:
        values = {name: staged.c[name] for name in fields}
        new = [old[name].is_distinct_from(staged.c[name]) for name in fields]
    nothing = literal(1) == literal(0)
    return values, nothing if policy == "skip" else or_(nothing, *new)


def _insert_new(session: Session, staged: Table, both: Any, fields: list[str], import_id: str) -> None:
    gone = session.execute(select(func.count()).select_from(Tombstone)).scalar_one()
    source = both.outerjoin(Tombstone, Tombstone.customer_id == staged.c.customer_id) if gone else both
    version = func.coalesce(Tombstone.version, 0) + 1 if gone else literal(1)
    is_new = Contact.customer_id.is_(None)
    _remember(
        session,
        select(literal(import_id), staged.c.customer_id, null(), version).select_from(source).where(is_new),
    )
    moment = literal(now(), Contact.__table__.columns["created_at"].type)
    added = select(
        staged.c.customer_id,
        *(staged.c[name] for name in fields),
        moment,
        moment,
        literal(import_id),
        version,
        literal(next_change(session)),
    )
    names = ["customer_id", *fields, "created_at", "updated_at", "import_id", "version", "change_seq"]
    _run(session, insert(Contact).from_select(names, added.select_from(source).where(is_new)))
    if gone:
        _run(session, delete(Tombstone).where(Tombstone.customer_id.in_(select(staged.c.customer_id))))


def _remember(session: Session, images: Any) -> None:
    """Store before-images; an import that writes a contact twice keeps the first."""
    upsert: Callable[..., Any] = sqlite.insert if _dialect(session) == "sqlite" else postgresql.insert
    rows = upsert(ImportChange).from_select(["import_id", "customer_id", "before", "version_after"], images)
    _run(
        session,
        rows.on_conflict_do_update(
            index_elements=["import_id", "customer_id"],
            set_={"version_after": rows.excluded.version_after},
        ),
    )


def undo_contact_import(session: Session, import_id: str, *, force: bool = False) -> Undone:
    """Put every contact that an import wrote back as it was before, and remove those it created.

    Contacts that were changed since are left as they are and returned as conflicts, unless `force`; they
    can still be forced later. A contact that is gone for good stays gone. Undo the last import first:
    what a later one wrote is such a change.
    """
    lock_contacts(session)
    session.flush()
    undoing = Table(
        "undone_contacts",
        MetaData(),
        SqlColumn("customer_id", Contact.__table__.columns["customer_id"].type, primary_key=True),
        SqlColumn("was_new", Integer),
        prefixes=["TEMPORARY"],
    )
    session.execute(CreateTable(undoing))
    change = aliased(ImportChange, name="change")
    of_import = and_(change.import_id == import_id, change.customer_id == Contact.customer_id)
    edited = Contact.version != change.version_after
    wanted = select(change.customer_id, case((change.before.is_(None), 1), else_=0)).where(of_import)
    _run(
        session,
        insert(undoing).from_select(
            ["customer_id", "was_new"],
            wanted if force else wanted.where(Contact.version == change.version_after),
        ),
    )
    _measure(session, undoing)
    conflicts = (
        []
        if force
        else list(
            session.scalars(
                select(Contact.customer_id).where(of_import, edited).order_by(Contact.customer_id)
            )
        )
    )
    undone = _put_back(session, undoing, import_id)
    session.execute(DropTable(undoing))
    session.expire_all()
    return Undone(undone.put_back, undone.removed, conflicts)


def edited_since_import(session: Session, import_id: str) -> list[str]:
    """Return the IDs of the contacts that an import wrote and somebody changed since: undoing leaves them."""
    written = and_(
        ImportChange.import_id == import_id,
        ImportChange.customer_id == Contact.customer_id,
        Contact.version != ImportChange.version_after,
    )
    return list(
        session.scalars(select(Contact.customer_id).join(ImportChange, written).order_by(Contact.customer_id))
    )


def _put_back(session: Session, undoing: Table, import_id: str) -> Undone:
    every, new = session.execute(
        select(func.count(), _how_many(undoing.c.was_new == 1)).select_from(undoing)
    ).one()
    were_new = select(undoing.c.customer_id).where(undoing.c.was_new == 1)
    if new:
        seq = literal(next_change(session))
        _run(
            session,
            insert(Tombstone).from_select(
                ["customer_id", "version", "change_seq"],
                select(Contact.customer_id, Contact.version, seq).where(Contact.customer_id.in_(were_new)),
            ),
        )
        _run(session, delete(Contact).where(Contact.customer_id.in_(were_new)))
    if every - new:
        _restore_images(session, undoing, import_id)
    # Two statements: with an OR between them PostgreSQL would compare every row with every other.
    of_import = ImportChange.import_id == import_id
    still_there = select(Contact.customer_id).where(Contact.customer_id == ImportChange.customer_id).exists()
    _run(
        session,
        delete(ImportChange).where(of_import, ImportChange.customer_id.in_(select(undoing.c.customer_id))),
    )
    _run(session, delete(ImportChange).where(of_import, ~still_there))
    return Undone(every - new, new)


def _restore_images(session: Session, undoing: Table, import_id: str) -> None:
    dialect = _dialect(session)
    change = aliased(ImportChange, name="change")
    earlier: Any = ImportChange.__table__.alias("earlier")
    restored = and_(
        undoing.c.was_new == 0,
        change.import_id == import_id,
        change.customer_id == undoing.c.customer_id,
        Contact.customer_id == undoing.c.customer_id,
    )
    _run(
        session,
        update(Contact)
        .where(restored)
        .values(
            {
                name: from_image_in_sql(dialect, change.before, name)
                for name in IMPORT_IMAGE
                if name != "version"
            }
            | {"version": Contact.version + 1, "change_seq": next_change(session)}
        ),
    )
    # The contact is again as the import before had left it, so that one can be undone in its turn.
    _run(
        session,
        update(earlier)
        .where(
            restored,
            earlier.c.import_id == Contact.import_id,
            earlier.c.customer_id == Contact.customer_id,
            earlier.c.version_after == from_image_in_sql(dialect, change.before, "version"),
        )
        .values(version_after=Contact.version),
    )


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _measure(session: Session, table: Table) -> None:
    """Tell PostgreSQL how many rows a new table has; it plans for a handful otherwise."""
    if _dialect(session) == "postgresql":
        session.connection().exec_driver_sql(f"ANALYZE {table.name}")


def _run(session: Session, statement: Executable) -> None:
    session.execute(statement, execution_options={"synchronize_session": False})


def _dialect(session: Session) -> str:
    return session.connection().dialect.name

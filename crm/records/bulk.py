"""Writing many contacts at once, and taking an import of contacts back.

Rows are staged in a temporary table and compared inside the database: one pass of each kind, whatever
their number. What a row was before goes into `import_changes` in the same transaction.

A contact that an import created leaves the table for good when the import is undone; its ID stays as a
`Tombstone`, so that a mirror of the contacts learns of it.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
from sqlalchemy import Column as SqlColumn
from sqlalchemy import (
    ColumnElement,
    Executable,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased
from sqlalchemy.schema import CreateTable, DropTable

from crm.errors import InvalidValue
from crm.records.arrow import ATTRIBUTES, CONTACT_FIELDS, KEY_ROWS, WRITTEN_ROWS, blank_to_null, to_sqlite
from crm.records.changes import lock_contacts, next_change, read_rows
from crm.records.columns import now
from crm.records.custom_fields import unregister_unused
from crm.records.images import (
    IMPORT_IMAGE,
    changed_fields,
    from_image_in_sql,
    image_in_sql,
    image_of,
    title_of,
    value_in,
)
from crm.records.models import Contact, CustomField, ImportChange, Tombstone
from crm.records.rules import ID_LENGTH
from crm.schema import column_of

Policy = Literal["overwrite", "fill", "skip"]

_STAGED_AT_ONCE = 50_000

_FIELDS = (*CONTACT_FIELDS, ATTRIBUTES)


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

    From one row per contact: customer_id and any of `arrow.WRITTEN_ROWS`; only the columns present are
    written. `overwrite` writes every cell, an empty one too; `fill` writes only where the contact has
    nothing; `skip` leaves contacts that exist alone. A contact in the bin comes back (with the values
    of the row, under `fill` with its own where it has them). Rows that name a customer again are first
    folded into one (the last wins under `overwrite`, the first under `skip`, the first value of each
    field under `fill`) and count as skipped.

    `attributes` is the text of a JSON object: name → text of each custom attribute of the file, null or
    "" where its cell is empty. Each is written by the policy as if it were a column; those that the
    object does not name stay.

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
        return WRITTEN_ROWS.empty_table()
    unknown = sorted(set(table.column_names) - set(WRITTEN_ROWS.names))
    if unknown or "customer_id" not in table.column_names or len(set(table.column_names)) < table.num_columns:
        raise InvalidValue(
            f"The rows have the columns {', '.join(table.column_names)}.",
            f"Give customer_id and any of {', '.join(_FIELDS)}, each once.",
        )
    table = table.select(["customer_id", *(name for name in _FIELDS if name in table.column_names)])
    columns = {}
    for name in table.column_names:
        type_ = WRITTEN_ROWS.field(name).type
        try:
            column = table[name]
            if pa.types.is_integer(column.type) and pa.types.is_decimal(type_):
                column = column.cast(pa.decimal128(19, 0))  # Arrow casts no integer to a narrower decimal
            column = column.cast(type_)
            if name == "age":
                column.cast(pa.int32())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            title = _title(name)
            raise InvalidValue(
                f"The column {title} holds values that are no {type_}.", "Check how the column is read."
            ) from None
        columns[name] = blank_to_null(column) if pa.types.is_string(type_) else column
    for name, column in columns.items():
        if pa.types.is_string(column.type) and pc.any(pc.match_substring(column, "\0")).as_py():
            raise InvalidValue(
                f"The column {_title(name)} holds a NUL character.",
                "Remove it from the file.",
            )
    if ATTRIBUTES in columns:
        columns[ATTRIBUTES] = _as_objects(columns[ATTRIBUTES])
    ids = columns["customer_id"]
    if ids.null_count or (len(ids) and pc.max(pc.utf8_length(ids)).as_py() > ID_LENGTH):
        raise InvalidValue(
            f"A customer ID is empty or longer than {ID_LENGTH} characters.", "Reject that row first."
        )
    return pa.table(columns)


def _title(name: str) -> str:
    return "Attributes" if name == ATTRIBUTES else column_of("contacts", name).title


_EMPTY_VALUE = r':\s*""'
"""An empty text as a value: inside a text, every quote has a backslash before it."""

_CHECKED_AT_ONCE = 100_000


def _as_objects(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts of JSON objects, checked, with null for their empty values."""
    # Line breaks stand between the values, where any blank means the same.
    lines = pc.replace_substring_regex(column, r"[\r\n]", " ")
    objects = pc.replace_substring_regex(lines, _EMPTY_VALUE, ":null")
    present = objects.drop_null()
    for start in range(0, len(present), _CHECKED_AT_ONCE):
        if not _are_objects(present.slice(start, _CHECKED_AT_ONCE)):
            raise InvalidValue(
                "The attributes of a contact are not a JSON object of texts.", "Check how the file is read."
            )
    escaped = pc.fill_null(pc.match_substring(objects, "\\u"), False)
    if not pc.any(escaped).as_py():
        return objects
    spelled = [_spelled_out(text) for text in objects.filter(escaped).to_pylist()]
    whole, mask = objects.combine_chunks(), escaped.combine_chunks()
    return pa.chunked_array([pc.replace_with_mask(whole, mask, pa.array(spelled, whole.type))])


def _spelled_out(text: str) -> str:
    """Return the text of a JSON object whose characters stand for themselves.

    SQLite takes a name with an escaped character for another name.
    """
    values = json.loads(text)
    if any(re.search("[\0\ud800-\udfff]", part or "") for pair in values.items() for part in pair):
        raise InvalidValue(
            "The attributes hold a character that no database can hold.", "Remove it from the file."
        )
    return json.dumps(values, ensure_ascii=False)


def _are_objects(texts: pa.ChunkedArray) -> bool:
    lines = texts.cast(pa.binary()).combine_chunks()
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), b"\n")[0].as_buffer()
    # An object has to fit into two blocks.
    blocks = pyarrow.json.ReadOptions(block_size=max(1 << 20, pc.max(pc.binary_length(lines)).as_py() + 1))
    try:
        read = pyarrow.json.read_json(pa.BufferReader(whole), read_options=blocks)
    except pa.ArrowInvalid:
        return False
    # Texts that look like moments are read as such.
    texts_alone = (pa.types.is_string, pa.types.is_timestamp, pa.types.is_null)
    return read.num_rows == len(texts) and all(
        re.fullmatch(r"\w+", one.name) and any(is_a(one.type) for is_a in texts_alone) for one in read.schema
    )


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
    fields = [name for name in table.column_names[1:] if name != ATTRIBUTES]
    # The row of each field's first value; a null where no row has one, and taking it gives a null.
    holding = {name: pc.if_else(pc.is_valid(table[name]), position, None) for name in fields}
    first = pa.table({"customer_id": ids, **holding}).group_by("customer_id")
    rows = first.aggregate([(name, "min") for name in fields])
    folded = {name: table[name].take(rows[f"{name}_min"]) for name in fields}
    if ATTRIBUTES in table.column_names:
        objects = _first_of_each_attribute(ids, table[ATTRIBUTES])
        folded[ATTRIBUTES] = pa.array(map(objects.get, rows["customer_id"].to_pylist()), pa.string())
    return pa.table({"customer_id": rows["customer_id"], **folded})


def _first_of_each_attribute(ids: pa.ChunkedArray, objects: pa.ChunkedArray) -> dict[str, str]:
    """Return one object per customer: of every attribute the first value that is not empty."""
    found: dict[str, str] = {}
    for customer_id, text in zip(ids.to_pylist(), objects.to_pylist(), strict=True):
        if text is None:
            continue
        if customer_id not in found:
            found[customer_id] = text
            continue
        given = {name: value for name, value in json.loads(text).items() if value is not None}
        before = {name: value for name, value in json.loads(found[customer_id]).items() if value is not None}
        found[customer_id] = json.dumps({**given, **before}, ensure_ascii=False)
    return found


def _stage(session: Session, table: pa.Table) -> Table:
    """Put the rows into a temporary table of this connection and return it."""
    columns = Contact.__table__.columns
    on_sqlite = _dialect(session) == "sqlite"
    staged = Table(
        "staged_contacts",
        MetaData(),
        *(
            SqlColumn(name, Text() if name == ATTRIBUTES and on_sqlite else columns[name].type)
            for name in table.column_names
        ),
        prefixes=["TEMPORARY"],
    )
    session.execute(CreateTable(staged))
    driver: Any = session.connection().connection.driver_connection
    names = ", ".join(table.column_names)
    if on_sqlite:
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
    values, differs = _new_values(staged, fields, policy, _dialect(session))
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
    staged: Table, fields: list[str], policy: Policy, dialect: str
) -> tuple[dict[str, ColumnElement[Any]], ColumnElement[bool]]:
    """Return the values an existing contact gets, and the condition that one of them is new."""
    plain = {name: Contact.__table__.columns[name] for name in fields if name != ATTRIBUTES}
    if policy == "fill":
        values: dict[str, ColumnElement[Any]] = {
            name: func.coalesce(old, staged.c[name], type_=old.type) for name, old in plain.items()
        }
        new = [and_(old.is_(None), staged.c[name].is_not(None)) for name, old in plain.items()]
    else:
        values = {name: staged.c[name] for name in plain}
        new = [old.is_distinct_from(staged.c[name]) for name, old in plain.items()]
    if ATTRIBUTES in fields:
        merge = _merged_in_sqlite if dialect == "sqlite" else _merged_in_postgresql
        values[ATTRIBUTES], changed = merge(staged.c[ATTRIBUTES], policy)
        new.append(changed)
    nothing = literal(1) == literal(0)
    return values, nothing if policy == "skip" else or_(nothing, *new)


def _merged_in_sqlite(
    given: ColumnElement[Any], policy: Policy
) -> tuple[ColumnElement[Any], ColumnElement[bool]]:
    """Return a contact's attributes with those `given` written over or beside them, and whether one is new."""
    old = type_coerce(Contact.attributes, Text)
    stored, none = func.coalesce(old, "{}"), "{}"
    # A patch takes away what it names as null; an old value written again over the new one stays.
    over = func.json_patch(stored, given)
    beside = func.json_patch(func.json_patch(stored, func.json_patch(none, given)), stored)
    patched = beside if policy == "fill" else over
    merged = case((given.is_(None), old), else_=func.nullif(patched, none))
    # The texts are the same where nothing changes, unless somebody spelled them in another way: then the
    # values decide, one by one.
    one = func.json_each(given).table_valued("key", "value")
    known = func.json_extract(old, func.printf('$."%s"', one.c.key))
    changed = one.c.value.is_distinct_from(known)
    if policy == "fill":
        changed = and_(one.c.value.is_not(None), known.is_(None))
    differs = and_(given.is_not(None), old.is_distinct_from(merged))
    return merged, and_(differs, exists(select(1).select_from(one).where(changed)))


def _merged_in_postgresql(
    given: ColumnElement[Any], policy: Policy
) -> tuple[ColumnElement[Any], ColumnElement[bool]]:
    old: Any = type_coerce(Contact.attributes, postgresql.JSONB)
    stored, added = func.coalesce(old, _no_attributes()), func.coalesce(given, _no_attributes())
    # Of two objects joined, the second's values win; what a file names as empty goes.
    filled = func.jsonb_strip_nulls(added).op("||")(stored)
    both = filled if policy == "fill" else func.jsonb_strip_nulls(stored.op("||")(added))
    merged = func.nullif(both, _no_attributes())
    return merged, old.is_distinct_from(merged)


def _no_attributes() -> ColumnElement[Any]:
    return sql_cast(literal_column("'{}'"), postgresql.JSONB)


def _as_new(column: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """Return a staged value as a contact that is new gets it: attributes without those that are empty."""
    if column.name != ATTRIBUTES:
        return column
    if dialect == "sqlite":
        return func.nullif(func.json_patch("{}", column), "{}")
    return func.nullif(func.jsonb_strip_nulls(column), _no_attributes())


def _insert_new(session: Session, staged: Table, both: Any, fields: list[str], import_id: str) -> None:
    dialect = _dialect(session)
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
        *(_as_new(staged.c[name], dialect) for name in fields),
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
    what a later one wrote is such a change. Custom attributes that only undone imports brought are
    unregistered.
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
    unregister_unused(session)
    session.expire_all()
    return Undone(undone.put_back, undone.removed, conflicts)


class Edited(NamedTuple):
    """A contact that an import wrote and somebody changed since: what undoing the import would overwrite.

    `differences` are the fields that would change: title, value now, value that the undo would put back,
    as in an image, None where there is none. A contact that the import `created` would go as a whole.
    """

    customer_id: str
    name: str
    differences: list[tuple[str, Any, Any]]
    created: bool


def ids_edited_since_import(session: Session, import_id: str) -> list[str]:
    """Return the IDs of the contacts that an import wrote and somebody changed since: undoing leaves them."""
    written = _edited_since(import_id)
    return list(
        session.scalars(select(Contact.customer_id).join(ImportChange, written).order_by(Contact.customer_id))
    )


def edited_since_import(session: Session, import_id: str, limit: int = 20) -> list[Edited]:
    """Return the first of the contacts that an import wrote and somebody changed since, by ID, with both values.

    A contact whose every value is as it was before the import is listed too, with no differences.
    """
    found = session.execute(
        select(Contact, ImportChange.before)
        .join(ImportChange, _edited_since(import_id))
        .order_by(Contact.customer_id)
        .limit(limit)
    )
    titles = {f"attributes.{row.name}": row.title for row in session.scalars(select(CustomField))}
    edited = []
    for contact, before in found:
        current = image_of(contact)
        # A contact that was not there had nothing, and an older image may lack a newer column.
        then = {**dict.fromkeys(current), **{k: v for k, v in (before or {}).items() if k in current}}
        differences = [
            (titles.get(one) or title_of(one), value_in(current, one), value_in(then, one))
            for one in changed_fields(then, current)
        ]
        name = contact.name or contact.company or ""
        edited.append(Edited(contact.customer_id, name, differences, before is None))
    return edited


def _edited_since(import_id: str) -> ColumnElement[bool]:
    return and_(
        ImportChange.import_id == import_id,
        ImportChange.customer_id == Contact.customer_id,
        Contact.version != ImportChange.version_after,
    )


def known_keys(session: Session, by: Literal["email", "phone"]) -> pa.Table:
    """Return whose each e-mail address or phone number is, as `arrow.KEY_ROWS`, in no order.

    Addresses are as stored, not normalised, and one may belong to several contacts. Contacts in the bin
    come too, marked `deleted`; contacts without the address do not.
    """
    if by not in ("email", "phone"):
        raise InvalidValue(f"Contacts are not found by {by}.", "Use email or phone.")
    query = f"SELECT customer_id, {by}, deleted_at IS NOT NULL FROM contacts WHERE {by} IS NOT NULL"
    return pa.Table.from_batches(list(read_rows(session, query, KEY_ROWS, 200_000)), KEY_ROWS)


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

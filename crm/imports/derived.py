"""The rows of a file as they are checked: with columns that the mapping makes of others.

From the rows as they came to a view of them with further columns: joined cells, constants, and for contacts
that are known by e-mail or phone the customer they were found to be. Cells that an export of ours guarded
against spreadsheet formulas are without that guard.
"""

from dataclasses import dataclass, replace
from typing import Literal

import duckdb
import pyarrow as pa

from crm import wording
from crm.errors import MissingColumns
from crm.imports import addresses, values
from crm.imports.mapping import Mapping, derived_columns, effective
from crm.imports.reading import RawTable, drop, identifier, one_row
from crm.imports.values import Cells
from crm.schema import column_of

Key = Literal["customer_id", "email", "phone"]

SEVERAL = "_several"
"""Column of the view that says that several customers have the row's e-mail address or phone number."""


@dataclass(frozen=True)
class Rows:
    """Rows ready to be checked: the view that has them, and a mapping whose every field is a column of it.

    `key_source` is the source column that finds the customer, where that is not the customer ID; then the
    view has the column `SEVERAL`. `assumed` are sentences.
    """

    raw: RawTable
    mapping: Mapping
    assumed: tuple[str, ...] = ()
    key_source: str | None = None


def rows_to_check(
    connection: duckdb.DuckDBPyConnection,
    raw: RawTable,
    mapping: Mapping,
    *,
    key: Key = "customer_id",
    country: str | None = None,
    known: pa.Table | None = None,
    unguard: bool = False,
) -> Rows:
    """Return the rows of a file with the columns that its mapping makes.

    `unguard` takes the apostrophe off cells that an export of ours for spreadsheets put before formulas.
    `known`, for a key other than the customer ID, has a row per contact that has it: customer_id, value,
    deleted. A row is the customer whose contact has its key; where none has, the one that its own customer
    ID names; where it has none, a new one whose ID is the key.
    """
    plain = effective(mapping, raw.columns)
    made = derived_columns(mapping, raw.columns)
    assumed: list[str] = []
    used = {*mapping.columns.values(), *mapping.attributes.values()}
    used |= {source for sources in mapping.joined.values() for source in sources}
    guarded = _guarded(connection, raw, [name for name in raw.columns if unguard and name in used])
    view = raw
    if guarded:
        cells = ", ".join(
            f"{values.unguarded_sql(identifier(name))} AS {identifier(name)}" for name in guarded
        )
        view = _layer(connection, view, f"SELECT * REPLACE ({cells}) FROM {identifier(view.table)}", "bare")
        count = sum(guarded.values())
        assumed.append(
            f"{wording.counted(count, 'cell')} guarded against spreadsheet formulas "
            "read without the apostrophe before them."
        )
    if made:
        cells = ", ".join(f"{sql} AS {identifier(name)}" for name, sql in made.items())
        view = _layer(
            connection, view, f"SELECT *, {cells} FROM {identifier(view.table)}", "made", tuple(made)
        )
    if mapping.kind != "contacts" or key == "customer_id":
        return Rows(view, plain, tuple(assumed))
    return _found(connection, view, plain, key=key, country=country, known=known, assumed=assumed)


def _layer(
    connection: duckdb.DuckDBPyConnection, below: RawTable, query: str, name: str, more: tuple[str, ...] = ()
) -> RawTable:
    table = f"{below.table}_{name}"
    drop(connection, table)
    connection.execute(f"CREATE VIEW {identifier(table)} AS {query}")
    return replace(below, table=table, columns=(*below.columns, *more))


def _guarded(connection: duckdb.DuckDBPyConnection, raw: RawTable, columns: list[str]) -> dict[str, int]:
    """Return the columns that hold guarded cells, and how many each."""
    if not columns:
        return {}
    counts = one_row(
        connection,
        "SELECT "
        + ", ".join(
            f"count(*) FILTER (starts_with({identifier(name)}, '''') AND "
            f"{values.unguarded_sql(identifier(name))} <> {identifier(name)})"
            for name in columns
        )
        + f" FROM {identifier(raw.table)}",
    )
    return {name: count for name, count in zip(columns, counts, strict=True) if count}


def _found(
    connection: duckdb.DuckDBPyConnection,
    view: RawTable,
    mapping: Mapping,
    *,
    key: Key,
    country: str | None,
    known: pa.Table | None,
    assumed: list[str],
) -> Rows:
    title = column_of("contacts", key).title
    source = mapping.columns.get(key)
    if source is None:
        raise MissingColumns(
            f"The file has no column for the {title}, by which its customers are to be found.",
            "Choose the column, or find the customers by their ID.",
        )
    own = mapping.columns.get("customer_id")
    cells = Cells(connection, view.table, [source] + ([own] if own else []))
    given = f"nullif({cells.trimmed(own)}, '')" if own else "NULL"
    stored = f"{view.table}_known"
    connection.register("_known_contacts", known if known is not None else _NOBODY)
    try:
        connection.execute(
            f"CREATE OR REPLACE TABLE {identifier(stored)} AS SELECT * FROM _known_contacts WHERE value <> ''"
        )
    finally:
        connection.unregister("_known_contacts")
    if key == "email":
        value = addresses.email_key_sql(identifier(source))
        theirs = addresses.email_key_sql("value")
    else:
        found = addresses.phones(
            cells, source, country=country, country_source=mapping.columns.get("country")
        )
        value = found.key
        theirs = addresses.phones(Cells(connection, stored, ["value"]), "value", country=country).key
    several = f"{view.table}_keys"
    # A contact in the bin is meant only where no live one has the key.
    connection.execute(
        f"CREATE OR REPLACE TABLE {identifier(several)} AS SELECT key, min(customer_id) AS found, count(*) AS n FROM "
        f"(SELECT key, customer_id, deleted, bool_and(deleted) OVER (PARTITION BY key) AS all_gone FROM "
        f"(SELECT {theirs} AS key, customer_id, deleted FROM {identifier(stored)})) "
        "WHERE key IS NOT NULL AND key <> '' AND (NOT deleted OR all_gone) GROUP BY key"
    )
    name = f"Customer by {title.lower()}"
    (matched,) = one_row(
        connection,
        f"SELECT count(*) FROM {identifier(view.table)} WHERE {value} IN (SELECT key FROM {identifier(several)})",
    )
    assumed.append(
        f"Customers found by their {title[:1].lower()}{title[1:]}: {matched:,} rows name one that is stored; "
        + (
            f"the others have the ID in “{own}”, or the {title[:1].lower()}{title[1:]} as theirs where that is empty."
            if own
            else f"the {title[:1].lower()}{title[1:]} becomes the customer ID of the others."
        )
    )
    query = (
        f"SELECT r.*, coalesce(k.n > 1, false) AS {SEVERAL}, "
        f"coalesce(k.found, {given}, nullif(r._key, ''), '') AS {identifier(name)} "
        f"FROM (SELECT *, {value} AS _key FROM {identifier(view.table)}) r "
        f"LEFT JOIN {identifier(several)} k ON k.key = r._key"
    )
    view = _layer(connection, view, query, "found", (name,))
    columns = {**mapping.columns, "customer_id": name}
    return Rows(view, replace(mapping, columns=columns), tuple(assumed), source)


_NOBODY = pa.table(
    {
        "customer_id": pa.array([], pa.string()),
        "value": pa.array([], pa.string()),
        "deleted": pa.array([], pa.bool_()),
    }
)

"""Contacts as Arrow columns, and Arrow columns as SQLite stores them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from crm.schema import CONTACT_COLUMNS, MONEY

_ARROW: dict[str, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "money": MONEY,
    "date": pa.date32(),
    "yes/no": pa.bool_(),
}

CONTACT_FIELDS: tuple[str, ...] = tuple(c.name for c in CONTACT_COLUMNS if c.name != "customer_id")
"""Names of the contact columns that hold values, in the order of `schema.CONTACT_COLUMNS`."""

CONTACT_ROWS: pa.Schema = pa.schema([(column.name, _ARROW[column.type]) for column in CONTACT_COLUMNS])
"""One row per contact: the columns of files of kind `contacts`."""

ATTRIBUTES = "attributes"
"""Column of a contact's custom attributes: the text of a JSON object, name → text."""

WRITTEN_ROWS: pa.Schema = pa.schema([*CONTACT_ROWS, (ATTRIBUTES, pa.string())])
"""One row per contact as an import writes it: `CONTACT_ROWS` and its attributes."""

CHANGED_ROWS: pa.Schema = pa.schema(
    [*CONTACT_ROWS, ("deleted", pa.bool_()), ("version", pa.int64()), (ATTRIBUTES, pa.string())]
)
"""One row per changed contact: `CONTACT_ROWS`, whether it is deleted, its version, its attributes."""

KEY_ROWS: pa.Schema = pa.schema(
    [("customer_id", pa.string()), ("value", pa.string()), ("deleted", pa.bool_())]
)
"""One row per contact with an address: whose, the address as stored, whether the contact is in the bin."""

_UNITS = pa.decimal128(19, 0)


def from_sqlite(stored: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Return a column as SQLite stores it (days as text, money as 1/10,000, yes as 1) as Arrow's `type_`."""
    if pa.types.is_date32(type_):
        return pa.array(stored, pa.string()).cast(type_)
    if pa.types.is_decimal(type_):
        return _with_type(pa.array(stored, pa.int64()).cast(_UNITS), type_)
    if pa.types.is_boolean(type_):
        return pa.array(stored, pa.int64()).cast(type_)
    return pa.array(stored, type_)


def to_sqlite(column: pa.Array) -> list[Any]:
    """Return an Arrow column as the Python values SQLite stores; the inverse of `from_sqlite`."""
    if pa.types.is_date32(column.type):
        column = column.cast(pa.string())
    elif pa.types.is_decimal(column.type):
        column = _with_type(column, _UNITS).cast(pa.int64())
    elif pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return list(column.to_pylist())


def _with_type(column: pa.Array, type_: pa.DataType) -> pa.Array:
    """Return the same 128-bit integers read with another scale: exact, and no arithmetic at all."""
    return pa.Array.from_buffers(type_, len(column), column.buffers(), offset=column.offset)


def blank_to_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a text column whose empty texts are nulls."""
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)

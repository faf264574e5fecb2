"""A record as a JSON document, and back: the before and after of the log and of imports.

Money is text with four places, days and moments are ISO text: nothing is lost, and both databases
write the same.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Numeric,
    Text,
    case,
    func,
    null,
    type_coerce,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import QueryableAttribute, object_mapper
from sqlalchemy.types import TypeEngine

from crm.records.columns import MONEY_SCALE, Moment, Money, same_document
from crm.records.models import Base, Contact
from crm.schema import CONTACT_COLUMNS

Image = dict[str, Any]

BOOKKEEPING = frozenset(
    {
        "version",
        "change_seq",
        "created_at",
        "updated_at",
        "import_id",
        "created_by",
        "refreshed_at",
        "password",
    }
)
"""Columns that say something about the record's row, not about its subject; an undo leaves them alone.

A connection's password is one of them: it stands in no image, encrypted or not.
"""

ATTRIBUTE = "attributes."
"""What the name of a custom attribute begins with where fields are listed."""

_TITLES = {column.name: column.title for column in CONTACT_COLUMNS} | {
    "deleted_at": "Bin",
    "rule": "Rule",
    "value": "Value",
}


def title_of(field: str) -> str:
    """Return a field's name as people see it; of an attribute, without its registered title, the nearest."""
    plain = field.removeprefix(ATTRIBUTE)
    return _TITLES.get(field) or plain.replace("_", " ").capitalize()


def titles_of(fields: list[str]) -> str:
    """Return the fields' names as people see them, with commas between."""
    return ", ".join(title_of(field) for field in fields)


def image_of(record: Base) -> Image:
    """Return a record's columns as JSON values, `version` included where it has one."""
    image = {}
    for column in object_mapper(record).columns:
        if column.key == "version" or (column.key not in BOOKKEEPING and not column.primary_key):
            image[column.key] = _to_json(getattr(record, column.key))
    return image


def changed_fields(before: Image, after: Image) -> list[str]:
    """Return the fields whose values differ, in the order of `after`; attributes one by one, by name."""
    changed = []
    for field in after:
        if field == "version" or (field in before and same_document(before[field], after[field])):
            continue
        changed += _changed_attributes(before, after) if field == "attributes" else [field]
    return changed


def _changed_attributes(before: Image, after: Image) -> list[str]:
    old, new = before.get("attributes") or {}, after["attributes"] or {}
    return [ATTRIBUTE + name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]


def value_in(image: Image, field: str) -> Any:
    """Return the value of a field, or of an attribute as `changed_fields` names it, in an image."""
    if field.startswith(ATTRIBUTE):
        return (image.get("attributes") or {}).get(field.removeprefix(ATTRIBUTE))
    return image.get(field)


def put_back(record: Base, image: Image, fields: list[str]) -> None:
    """Set `fields` of a record, named as by `changed_fields`, to their values in `image`."""
    columns = object_mapper(record).columns
    for field in fields:
        if field.startswith(ATTRIBUTE) and isinstance(record, Contact):
            set_attribute(record, field.removeprefix(ATTRIBUTE), value_in(image, field))
            continue
        setattr(record, field, _from_json(image[field], columns[field].type))


def set_attribute(contact: Contact, name: str, value: str | None) -> None:
    """Set one custom attribute of a contact, or take it away; the last one leaves nothing, never {}."""
    # A new object: a change inside the old one would go unnoticed.
    kept = {other: text for other, text in (contact.attributes or {}).items() if other != name}
    contact.attributes = (kept if value is None else {**kept, name: value}) or None


def _to_json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:.4f}"
    if isinstance(value, date):  # a datetime is a date
        return value.isoformat()
    return value


def _from_json(value: Any, type_: TypeEngine[Any]) -> Any:
    if value is None:
        return None
    if isinstance(type_, Money):
        return Decimal(value)
    if isinstance(type_, Moment):
        return datetime.fromisoformat(value).astimezone(UTC)
    if isinstance(type_, Date):
        return date.fromisoformat(value)
    return value


IMPORT_IMAGE: tuple[str, ...] = tuple(
    column.key for column in Contact.__table__.columns if column.key not in {"customer_id", "change_seq"}
)
"""What an import's before-image holds: undoing an import puts the whole row back, dates included."""


def image_in_sql(dialect: str) -> ColumnElement[Any]:
    """Return the SQL expression of a contact's before-image, built inside the database."""
    pairs: list[Any] = []
    for name in IMPORT_IMAGE:
        column = cast("Column[Any]", Contact.__table__.columns[name])
        pairs += [name, _json_in_sqlite(column) if dialect == "sqlite" else _json_in_postgresql(column)]
    return func.json_object(*pairs) if dialect == "sqlite" else func.jsonb_build_object(*pairs)


def from_image_in_sql(
    dialect: str, image: QueryableAttribute[Any] | ColumnElement[Any], name: str
) -> ColumnElement[Any]:
    """Return the SQL expression of the column `name` of a contact, read out of its before-image."""
    type_ = Contact.__table__.columns[name].type
    if dialect == "sqlite":
        value: ColumnElement[Any] = func.json_extract(image, f"$.{name}")
        if isinstance(type_, Money):
            value = sql_cast(func.replace(value, ".", ""), BigInteger)
        elif isinstance(type_, Moment):
            value = func.replace(func.substr(value, 1, 26), "T", " ")
    else:
        text = cast("ColumnElement[Any]", image).op("->>")(name)
        value = sql_cast(text, _postgresql_type(type_))
    return type_coerce(value, type_)


def _postgresql_type(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    if isinstance(type_, Money):
        return Numeric(18, 4)
    if isinstance(type_, Moment):
        return DateTime(timezone=True)
    return type_


def _json_in_sqlite(column: Column[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, Money):
        units = type_coerce(column, Integer)
        whole = func.printf(
            "%s%d.%04d",
            case((units < 0, "-"), else_=""),
            func.abs(units).op("/")(MONEY_SCALE),
            func.abs(units).op("%")(MONEY_SCALE),
        )
        return case((units.is_(None), null()), else_=whole)
    if isinstance(column.type, Moment):
        stored = type_coerce(column, Text)
        return func.replace(stored, " ", "T").op("||")("+00:00")
    if isinstance(column.type, JSON):
        return func.json(type_coerce(column, Text))
    if isinstance(column.type, Boolean):
        return func.json(case((column.is_(True), "true"), (column.is_(False), "false")))
    return type_coerce(column, Text) if isinstance(column.type, Date) else column


def _json_in_postgresql(column: Column[Any]) -> ColumnElement[Any]:
    return sql_cast(column, Text) if isinstance(column.type, Money) else column

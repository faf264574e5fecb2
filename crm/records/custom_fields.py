"""Custom attributes of contacts: which there are, of what type, and what fits a type.

Values are kept as text, letter for letter, in `contacts.attributes`. The type of an attribute is decided
at the first import over all its values and never changes; a later value that does not fit it is kept all
the same and counts as missing where the attribute is filtered or summed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Text, delete, exists, func, insert, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from crm.records.changes import lock_contacts, next_change
from crm.records.columns import now
from crm.records.models import Contact, CustomField, Import
from crm.schema import FIELD, FIELDS, Field, Type, custom_field_name, custom_name, field_of

NUMBER = r"-?(0|[1-9][0-9]{0,14})([.][0-9]{1,14})?"
"""What a plain number is like; `MOST_DIGITS` says how long."""

MOST_DIGITS = 15
"""Digits that a number on every engine keeps."""

DAY = r"[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
"""What a day is like; February has fewer all the same."""

YES = ("yes", "y", "true", "ja", "是")
NO = ("no", "n", "false", "nein", "否")
"""Answers, in lower case; 1 and 0 are numbers."""

LONGEST = 10_000
"""Letters of a value typed by hand."""

_EXAMPLES = 3

_TITLES = frozenset(field.title.casefold() for field in FIELDS)


@dataclass(frozen=True)
class Planned:
    """The attributes that a file brings: header → name and type, and what should be said about them."""

    fields: dict[str, tuple[str, Type]]
    warnings: tuple[str, ...] = ()


def list_custom_fields(session: Session) -> tuple[Field, ...]:
    """Return the registered attributes as fields of the per-customer table, by title."""
    rows = session.scalars(select(CustomField)).all()
    return tuple(_field(row) for row in sorted(rows, key=lambda row: (row.title.casefold(), row.name)))


def attribute_of(field: str) -> str | None:
    """Return the name under which a field's attribute is stored; none for a field that is no attribute."""
    if field in FIELD or field_of(field) is None:
        return None
    return field.split("_", 2)[2]


def _field(row: CustomField) -> Field:
    type_ = cast("Type", row.type)
    title = f"{row.title} (attribute)" if row.title.casefold() in _TITLES else row.title
    meaning = "Attribute that a contacts file brought"
    return Field(custom_field_name(row.name, type_), type_, title, meaning, "", "contact")


def plan_fields(session: Session, columns: Mapping[str, pa.ChunkedArray | pa.Array]) -> Planned:
    """Return under which name and type each attribute of a contacts file will be stored.

    `columns` are all values of each, as text, by header. An attribute that is known already keeps its
    type; values that do not fit it are warned about. Headers that make the same name get a number.
    Writes nothing.
    """
    known = {row.name: row for row in session.scalars(select(CustomField))}
    fields: dict[str, tuple[str, Type]] = {}
    warnings = []
    taken: set[str] = set()
    by_title = {row.title.casefold(): name for name, row in known.items()}
    # A header that is known comes first, so that none is given to another attribute for the order of columns.
    settled = {title: by_title[title.casefold()] for title in columns if title.casefold() in by_title}
    for title, values in columns.items():
        # The header of an export is the field's name: it leads back to the attribute it came from.
        name = settled.get(title) or attribute_of(title) or ""
        if not name or name in taken:
            plain = custom_name(title)
            name, number = plain, 2
            while name in taken or name in known or name in settled.values():
                name, number = f"{plain}_{number}", number + 1
        taken.add(name)
        if name not in known:
            fields[title] = (name, type_of(values))
            continue
        type_ = cast("Type", known[name].type)
        fields[title] = (name, type_)
        if sentence := _misfits(title, type_, values):
            warnings.append(sentence)
    return Planned(fields, tuple(warnings))


def register(
    session: Session, fields: Mapping[str, tuple[str, Type]], import_id: str | None
) -> dict[str, Type]:
    """Register the attributes that are new, and return the type of each by name, the known ones included.

    `fields` are names and types by title, as `plan_fields` gave them. The type of a known one stays.
    """
    lock_contacts(session)
    known = {row.name: row for row in session.scalars(select(CustomField))}
    new = [
        {"name": name, "title": title, "type": type_, "import_id": import_id, "created_at": now()}
        for title, (name, type_) in fields.items()
        if name not in known
    ]
    if new:
        session.execute(insert(CustomField), new)
        next_change(session)  # a mirror that follows the contacts learns of the new columns
    types = dict(fields.values())
    return types | {name: cast("Type", row.type) for name, row in known.items() if name in types}


def unregister_unused(session: Session) -> list[str]:
    """Forget the attributes whose import is not in force and which no contact has, and return their names.

    A contact in the bin counts: it may come back.
    """
    in_force = select(Import.id).where(Import.status.in_(["open", "done"]))
    brought = select(CustomField.name).where(
        CustomField.import_id.is_not(None), CustomField.import_id.not_in(in_force)
    )
    gone = [name for name in session.scalars(brought) if not _is_used(session, name)]
    if gone:
        session.execute(delete(CustomField).where(CustomField.name.in_(gone)))
        next_change(session)
    return gone


def _is_used(session: Session, name: str) -> bool:
    if session.connection().dialect.name == "sqlite":
        path = f'$."{name}"'
        has = func.json_extract(type_coerce(Contact.attributes, Text), path).is_not(None)
    else:
        has = type_coerce(Contact.attributes, JSONB).has_key(name)
    found = select(exists().where(Contact.attributes.is_not(None), has))
    return bool(session.execute(found).scalar())


# What fits a type


def type_of(values: pa.ChunkedArray | pa.Array) -> Type:
    """Return the type of an attribute with these values, as text: the first that all that are not empty fit."""
    given = _given(values)
    if not len(given):
        return "text"
    types: tuple[Type, ...] = ("number", "date", "yes/no")
    return next((type_ for type_ in types if pc.all(fits(type_, given)).as_py()), "text")


def fits(type_: Type, values: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return whether each value, as text, fits a type; null where there is none."""
    if type_ == "number":
        plain = pc.match_substring_regex(values, f"^{NUMBER}$")
        digits = pc.utf8_length(pc.replace_substring_regex(values, "[-.]", ""))
        return pc.and_(plain, pc.less_equal(digits, MOST_DIGITS))
    if type_ == "date":
        alike = pc.match_substring_regex(values, f"^{DAY}$")
        moments = pc.strptime(values, format="%Y-%m-%d", unit="s", error_is_null=True)
        # 30 February is read as 1 March.
        same = pc.equal(pc.strftime(moments, format="%Y-%m-%d"), values)
        return pc.and_(alike, pc.fill_null(same, False))
    if type_ == "yes/no":
        return pc.is_in(pc.utf8_lower(values), pa.array([*YES, *NO]))
    return pc.is_valid(values)


def in_sql(type_: Type, value: str) -> str:
    """Return DuckDB's expression for a value of an attribute's type; null where `value` does not fit it."""
    match type_:
        case "number":
            long = f"length(replace(replace({value}, '-', ''), '.', '')) <= {MOST_DIGITS}"
            return f"CASE WHEN regexp_full_match({value}, '{NUMBER}') AND {long} THEN TRY_CAST({value} AS DOUBLE) END"
        case "date":
            return f"CASE WHEN regexp_full_match({value}, '{DAY}') THEN TRY_CAST({value} AS DATE) END"
        case "yes/no":
            yes, no = (", ".join(f"'{word}'" for word in words) for words in (YES, NO))
            return (
                f"CASE WHEN lower({value}) IN ({yes}) THEN true WHEN lower({value}) IN ({no}) THEN false END"
            )
    return value


def _given(values: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    present = pc.and_(pc.is_valid(values), pc.fill_null(pc.not_equal(values, ""), False))
    return values.filter(present)


_KIND = {"number": "plain numbers", "date": "days such as 2025-03-12", "yes/no": "yes or no"}


def _misfits(title: str, type_: Type, values: pa.ChunkedArray | pa.Array) -> str:
    given = _given(values)
    odd = given.filter(pc.invert(fits(type_, given))) if len(given) else given
    if not len(odd):
        return ""
    examples = [f"“{value[:40]}”" for value in pc.unique(odd)[:_EXAMPLES].to_pylist()]
    some = "value is" if len(odd) == 1 else "values are"
    return (
        f"{title} holds {_KIND[type_]} since its first import; {len(odd):,} {some} not, such as "
        f"{_listed(examples)}. They are kept as text and count as missing in filters on {title}."
    )


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last

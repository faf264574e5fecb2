"""What a value typed by a user must be like before it is stored."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from crm.errors import InvalidValue
from crm.records.arrow import CONTACT_FIELDS
from crm.schema import CONTACT_COLUMNS, Column

ID_LENGTH = 255
OLDEST = 130
_LENGTHS = {"email": 254, "phone": 60, "gender": 60, "note": 10_000}
_LENGTH = 250
_LARGEST = Decimal(10) ** 14

# Line breaks and tabs are writing in a note and a fault of the source anywhere else.
_CONTROL = r"[\x00-\x1f\x7f-\x9f]"
_CONTROL_IN_PROSE = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
_EMAIL = r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$"
_PROSE = frozenset({"note"})
_NOT_NEGATIVE = frozenset({"annual_income", "acquisition_cost"})

_COLUMNS: dict[str, Column] = {c.name: c for c in CONTACT_COLUMNS if c.name in CONTACT_FIELDS}


def check_customer_id(value: object) -> str:
    """Return a customer ID as it came. Raises InvalidValue when it is empty, too long or unprintable."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue("The customer ID is empty.", "Enter the ID as your source writes it.")
    return _printable("The customer ID", value, length=ID_LENGTH, prose=False)


def check_text(what: str, value: object, *, length: int, required: bool = False, prose: bool = False) -> str:
    """Return a text as it came. Raises InvalidValue when it is no text, too long, unprintable, or missing."""
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise InvalidValue(f"{what} is not a text.", "Enter a text.")
    if required and not value.strip():
        raise InvalidValue(f"{what} is empty.", "Enter one.")
    return _printable(what, value, length=length, prose=prose)


def read_contact_values(values: Mapping[str, object]) -> dict[str, Any]:
    """Return a contact's values as the database keeps them; an empty text becomes None.

    Raises InvalidValue for a field no contact has, or a value that is not of the field's type.
    """
    unknown = sorted(set(values) - set(_COLUMNS))
    if unknown:
        raise InvalidValue(
            f"A contact has no field {', '.join(unknown)}.", f"Its fields are {', '.join(CONTACT_FIELDS)}."
        )
    return {name: _read(_COLUMNS[name], value) for name, value in values.items()}


def check_contact_value(name: str, value: Any) -> None:
    """Raise InvalidValue when a value of the right type breaks the rule of its field."""
    title = _COLUMNS[name].title
    if value is None:
        return
    if isinstance(value, str):
        _printable(title, value, length=_LENGTHS.get(name, _LENGTH), prose=name in _PROSE)
    if name == "email" and not re.match(_EMAIL, value):
        raise InvalidValue(
            "The e-mail address is not one: it needs a name, an @ and a domain.",
            "Correct it, such as anna@example.com, or leave it empty.",
        )
    if name == "age" and not 0 <= value <= OLDEST:
        raise InvalidValue(f"The age is {value}.", f"Enter an age from 0 to {OLDEST}, or leave it empty.")
    if name in _NOT_NEGATIVE and value < 0:
        raise InvalidValue(f"{title} is {value}, less than 0.", "Enter 0 or more, or leave it empty.")


def _printable(what: str, value: str, *, length: int, prose: bool) -> str:
    if len(value) > length:
        raise InvalidValue(f"{what} has {len(value)} characters.", f"Shorten it to {length}.")
    pattern = _CONTROL_IN_PROSE if prose else _CONTROL
    # A lone surrogate is half a character: no database and no file can hold it.
    if re.search(pattern, value) or re.search("[\ud800-\udfff]", value):
        raise InvalidValue(f"{what} holds a character that cannot be printed.", "Type it again by hand.")
    return value


def _read(column: Column, value: object) -> Any:
    if value is None or (isinstance(value, str) and value == ""):
        return None
    if column.type == "text" and isinstance(value, str):
        return value
    if column.type == "integer" and isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) or value.is_integer():
            return int(value)
    elif (
        column.type == "money"
        and isinstance(value, int | float | Decimal | str)
        and not isinstance(value, bool)
    ):
        return _money(column, value)
    elif column.type == "date" and isinstance(value, date) and not isinstance(value, datetime):
        return value
    elif column.type == "date" and isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    elif column.type == "yes/no" and isinstance(value, bool):
        return value
    raise InvalidValue(f"{column.title} is not {_WANTED[column.type]}.", "Correct it, or leave it empty.")


_WANTED = {
    "text": "a text",
    "integer": "a whole number",
    "money": "an amount of money",
    "date": "a date such as 2025-03-12",
    "yes/no": "yes or no",
}


def _money(column: Column, value: float | Decimal | str) -> Decimal:
    try:
        # Through text: a float's shortest text is the number that was typed.
        amount = Decimal(str(value))
        exact = amount.quantize(Decimal("0.0001"))
    except InvalidOperation:
        raise InvalidValue(
            f"{column.title} is not an amount of money.", "Enter a number, such as 1234.50."
        ) from None
    if not amount.is_finite() or abs(amount) >= _LARGEST or exact != amount:
        raise InvalidValue(
            f"{column.title} has too many digits.",
            "Enter a number with at most 14 digits before the point and 4 after it.",
        )
    return exact

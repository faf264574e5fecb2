"""Audiences: a saved rule over the per-customer table, as JSON, as a filter and as a sentence.

A rule is a tree. Groups are `{"all": […]}`, `{"any": […]}` and `{"not": …}`; a leaf is
`{"field": …, "op": …, "value": …}` over a field of `schema.FIELDS` or a custom attribute's (`schema.field_of`).

What a leaf says of a customer whose value is missing is the same on every engine:

- every comparison is false, `!=` included: it holds for known values that differ;
- `is_empty` is true, as it is for blank text;
- `not` is the plain complement: `{"not": {"field": "city", "op": "=", "value": "Rome"}}` holds for
  customers without a city too.

Text is compared letter for letter, money to four decimals. `contains` looks for the text as it stands, in capitals or not.
`between` includes both ends. Not-a-number counts as missing.
"""

import heapq
import json
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from itertools import count
from typing import Literal, get_args

import narwhals as nw
from rapidfuzz import fuzz, process

from crm.errors import InvalidValue
from crm.schema import FIELD, SHARE, Field, Type, field_of

Op = Literal["=", "!=", ">", ">=", "<", "<=", "in", "contains", "between", "is_empty"]
Scalar = str | int | Decimal | date | bool
Value = Scalar | tuple[Scalar, ...] | None

MAX_DEPTH = 10
"""Groups that may stand inside one another."""

MAX_CONDITIONS = 250
"""Conditions in one rule."""

MAX_CHOICES = 10_000
"""Values in one list."""

MAX_LETTERS = 1_000
"""Letters in one text value."""

_ORDERED: tuple[Op, ...] = ("=", "!=", ">", ">=", "<", "<=", "between", "in", "is_empty")

OPERATORS: dict[Type, tuple[Op, ...]] = {
    "text": ("=", "!=", "in", "contains", "is_empty"),
    "integer": _ORDERED,
    "number": _ORDERED,
    "money": _ORDERED,
    "date": _ORDERED,
    "yes/no": ("=", "!=", "is_empty"),
}
"""The operators that a field of each type has, in the order a form offers them."""

_NUMERIC = ("integer", "number", "money")

_PHRASES: dict[Op, str] = {
    "=": "is",
    "!=": "is other than",
    ">": "over",
    ">=": "at least",
    "<": "under",
    "<=": "at most",
    "in": "is",
    "contains": "contains",
    "between": "between",
    "is_empty": "is empty",
}
_DATE_PHRASES: dict[Op, str] = {">": "after", ">=": "on or after", "<": "before", "<=": "on or before"}


@dataclass(frozen=True)
class Leaf:
    """One condition on one field."""

    field: str
    op: Op
    value: Value = None


@dataclass(frozen=True)
class All:
    """Every rule holds; without rules, every customer."""

    rules: tuple["Rule", ...]


@dataclass(frozen=True)
class Any:
    """At least one rule holds."""

    rules: tuple["Rule", ...]


@dataclass(frozen=True)
class Not:
    """The rule does not hold."""

    rule: "Rule"


Rule = All | Any | Not | Leaf


def parse(rule: str | dict[str, object]) -> Rule:
    """Return the rule tree that JSON text, or the same as a dict, describes.

    `{"field": …, "op": "is_empty"}` needs no value; `"value": false` turns it round.
    Raises InvalidValue, in words, for anything that is not a rule: an unknown field (naming the nearest),
    an operator that the field's type lacks, a value of another type, a tree too deep or too large.
    """
    # One number is drawn per condition, so a hostile tree is refused before it is built.
    return _rule(_loads(rule) if isinstance(rule, str) else rule, depth=0, drawn=count(1))


def expression(rule: Rule) -> nw.Expr:
    """Return the filter of a rule: true or false, never null, for each row of the per-customer table.

    The expression runs on Narwhals frames over DuckDB, Spark Connect and pandas with one answer. Money may be
    decimals or floats: it is compared to the ten-thousandth, as the lake stores it.
    """
    return _expression(rule)[1]


def sentence(rule: Rule) -> str:
    """Return the rule in plain words, such as “Revenue over 1,000 and RFM segment is Champions or Loyal”."""
    words = _sentence(rule, inside=None)
    return words[0].upper() + words[1:]


def to_json(rule: Rule) -> str:
    """Return the rule as JSON text, for which `parse(to_json(rule)) == rule`."""
    return json.dumps(_plain(rule), ensure_ascii=False, separators=(",", ":"))


def fields(rule: Rule) -> set[str]:
    """Return the names of the fields that the rule reads."""
    match rule:
        case Leaf(field):
            return {field}
        case Not(inner):
            return fields(inner)
        case All(rules) | Any(rules):
            return set().union(*(fields(part) for part in rules))


def unmet(rule: Rule, names: Collection[str]) -> Rule:
    """Return the rule for when nothing is known of the fields `names`: nobody meets a condition on one of them.

    Nor its opposite: “not likely to leave” is no more known of a customer than “likely to leave”. That a field
    is empty stays a fact.
    """
    return _unmet(rule, names, turned=False)


def _unmet(rule: Rule, names: Collection[str], *, turned: bool) -> Rule:
    match rule:
        case Leaf(field, op):
            if field not in names or op == "is_empty":
                return rule
            return All(()) if turned else Any(())
        case Not(inner):
            return Not(_unmet(inner, names, turned=not turned))
        case All(rules):
            return All(tuple(_unmet(part, names, turned=turned) for part in rules))
        case Any(rules):
            return Any(tuple(_unmet(part, names, turned=turned) for part in rules))


def reachable(rule: Rule, *, by: Literal["email", "phone"]) -> Rule:
    """Return the rule narrowed to customers who have that address and said yes to being reached there.

    Consent that is not on record is not consent.
    """
    return All((rule, Leaf(f"{by}_consent", "=", True), Not(Leaf(by, "is_empty"))))


def phrase(op: Op, type_: Type) -> str:
    """Return the words for an operator on fields of a type: `>` is “over” for numbers, “after” for dates."""
    return _DATE_PHRASES.get(op, _PHRASES[op]) if type_ == "date" else _PHRASES[op]


# Reading


def _loads(text: str) -> object:
    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_no_duplicates,
        )
    except (ValueError, RecursionError) as error:
        where = f" (character {error.pos + 1})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidValue(
            f"The rule is not readable JSON{where}.",
            'Write it like {"all": [{"field": "revenue", "op": ">", "value": 1000}]}.',
        ) from None


def _no_constant(text: str) -> object:
    raise ValueError(text)


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    node = dict(pairs)
    if len(node) < len(pairs):
        raise InvalidValue(
            "The rule names the same part twice in one condition.",
            'Put the two conditions into a list: {"all": [ … , … ]}.',
        )
    return node


def _rule(node: object, *, depth: int, drawn: Iterator[int]) -> Rule:
    if not isinstance(node, dict):
        raise InvalidValue(
            f"A condition must be an object in braces, not {_quoted(node)}.",
            'Write it like {"field": "revenue", "op": ">", "value": 1000}.',
        )
    keys = set(node)
    if "field" in keys or "op" in keys:
        _draw(drawn)
        return _leaf(node)
    if len(keys) != 1 or not keys <= {"all", "any", "not"}:
        named = ", ".join(sorted(_quoted(key) for key in keys)) or "nothing"
        raise InvalidValue(
            f"A condition holds {named}; it needs exactly one of “all”, “any”, “not”, or a “field” with an “op”.",
            'Write it like {"field": "revenue", "op": ">", "value": 1000}.',
        )
    if depth == MAX_DEPTH:
        raise InvalidValue(
            f"The rule has groups more than {MAX_DEPTH} deep.",
            "Write it with fewer groups inside one another.",
        )
    word, inner = next(iter(node.items()))
    if word == "not":
        return Not(_rule(inner, depth=depth + 1, drawn=drawn))
    if not isinstance(inner, list):
        raise InvalidValue(
            f"“{word}” needs a list of conditions in square brackets, not {_quoted(inner)}.",
            f'Write it like {{"{word}": [{{"field": "revenue", "op": ">", "value": 1000}}]}}.',
        )
    if not inner:
        _draw(drawn)
        if word == "any":
            raise InvalidValue(
                "“any” has no conditions, so no customer could match.", "Add a condition or remove the group."
            )
    parts = tuple(_rule(part, depth=depth + 1, drawn=drawn) for part in inner)
    return All(parts) if word == "all" else Any(parts)


def _draw(drawn: Iterator[int]) -> None:
    if next(drawn) > MAX_CONDITIONS:
        raise InvalidValue(
            f"The rule has more than {MAX_CONDITIONS} conditions.",
            "Use one “in” list for many values of a field, or split the audience.",
        )


def _leaf(node: dict[str, object]) -> Rule:
    if extra := sorted(_quoted(key) for key in set(node) - {"field", "op", "value"}):
        raise InvalidValue(
            f"A condition holds {', '.join(extra)}, which means nothing here.",
            "It takes “field”, “op” and “value”.",
        )
    field = _field(node.get("field"))
    op = _op(node.get("op"), field)
    value = node.get("value")
    if op == "is_empty":
        if value is not None and not isinstance(value, bool):
            raise InvalidValue(
                f"“is_empty” on {field.title} has the value {_quoted(value)}.",
                "Leave the value out, or write false for “is not empty”.",
            )
        empty = Leaf(field.name, op)
        return Not(empty) if value is False else empty
    if value is None:
        raise InvalidValue(
            f"The condition on {field.title} has no value.", "Give one, or use “is_empty” for missing values."
        )
    if op in ("in", "between"):
        return Leaf(field.name, op, _values(field, op, value))
    return Leaf(field.name, op, _scalar(field, op, value))


def _field(name: object) -> Field:
    if isinstance(name, str) and (found := field_of(name)) is not None:
        return found
    if not isinstance(name, str) or not name:
        raise InvalidValue(
            f"A condition names {_quoted(name)} as its field.",
            "Name a field of the customer table, such as revenue.",
        )
    # A title typed instead of a name ("RFM segment") finds its field too.
    known = {field.name: f"{field.name} {field.title}".lower() for field in FIELD.values()}
    query = name[:100].lower().replace("_", " ")
    near = [
        key
        for _, score, key in process.extract(query, known, scorer=fuzz.token_set_ratio, limit=3)
        if score >= 55
    ]
    hint = f"Did you mean {_or(near)}?" if near else f"The fields are {', '.join(FIELD)}."
    raise InvalidValue(f"There is no field {_quoted(name)}.", hint)


def _known(name: str) -> Field:
    """Return the field of a leaf, which was found when the rule was read or is named in the code."""
    found = field_of(name)
    if found is None:
        raise KeyError(name)
    return found


def _op(op: object, field: Field) -> Op:
    for known in OPERATORS[field.type]:
        if op == known:
            return known
    allowed = ", ".join(OPERATORS[field.type])
    if op in get_args(Op):
        raise InvalidValue(
            f"{field.title} is {_KIND[field.type]} and cannot be compared with {op}.",
            f"Use one of {allowed}.",
        )
    raise InvalidValue(
        f"{_quoted(op)} is not a comparison that {field.title} knows.", f"Use one of {allowed}."
    )


_KIND: dict[Type, str] = {
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "money": "an amount of money",
    "date": "a day",
    "yes/no": "yes or no",
}


def _values(field: Field, op: Op, value: object) -> tuple[Scalar, ...]:
    if not isinstance(value, list | tuple):
        wanted = "two values" if op == "between" else "a list of values"
        raise InvalidValue(
            f"“{op}” on {field.title} needs {wanted} in square brackets, not {_quoted(value)}.",
            f'Write it like {{"field": "{field.name}", "op": "{op}", "value": [ … , … ]}}.',
        )
    if op == "between" and len(value) != 2:
        raise InvalidValue(
            f"“between” on {field.title} has {len(value)} values.",
            "Give the lowest and the highest: two values.",
        )
    if not value:
        raise InvalidValue(
            f"The list for {field.title} is empty, so no customer could match.", "Add a value or remove it."
        )
    if len(value) > MAX_CHOICES:
        raise InvalidValue(
            f"The list for {field.title} has {len(value):,} values; {MAX_CHOICES:,} is the most.",
            "Split the audience, or find a field that says what these customers have in common.",
        )
    read = tuple(_scalar(field, op, item) for item in value)
    if op == "between" and read[0] > read[1]:  # type: ignore[operator]  # both of the field's one type
        raise InvalidValue(
            f"“between” on {field.title} runs from {_say(read[0])} down to {_say(read[1])}, which no value can meet.",
            "Write the lower value first.",
        )
    return read


def _scalar(field: Field, op: Op, value: object) -> Scalar:
    match field.type:
        case "text":
            return _text(field, op, value)
        case "date":
            return _day(field, value)
        case "yes/no":
            return _yes_no(field, value)
        case _:
            number = _number(field, value)
            if field.type == "money" and number != number.quantize(Decimal("0.0001")):
                raise InvalidValue(
                    f"{field.title} is compared to four decimals; {_say(number)} has more.",
                    "Leave out the rest of the decimals.",
                )
            if field.type != "integer":
                return number
            if number != int(number):
                raise InvalidValue(
                    f"{field.title} is a whole number; {_say(number)} is not.",
                    "Leave out the decimals: over 2.5 is at least 3.",
                )
            return int(number)


def _text(field: Field, op: Op, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValue(
            f"{field.title} is text, and {_quoted(value)} is not.",
            "Put the value in quotes: “00123” and 123 are different.",
        )
    if len(value) > MAX_LETTERS:
        raise InvalidValue(
            f"The text for {field.title} has {len(value):,} letters; {MAX_LETTERS:,} is the most.",
            "Shorten it, or use “contains” with a part of it.",
        )
    if not value or (op != "contains" and not value.strip(_BLANK)):
        raise InvalidValue(
            f"The text for {field.title} is blank.", "Use “is_empty” to find customers without a value."
        )
    # No store can hold these two, so no customer could match; some engines fail on them.
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise InvalidValue(
            f"The text for {field.title} holds a character that is no letter.", "Type the value again."
        )
    return value


_DECIMAL = re.compile(r"[-+]?[0-9]{1,20}(\.[0-9]{1,20})?")


def _number(field: Field, value: object) -> Decimal:
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        value = Decimal(value.strip())
    elif isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidValue(
            f"{field.title} is {_KIND[field.type]}, and {_quoted(value)} is not.",
            "Write digits with a point for decimals and nothing between thousands, such as 1250.50.",
        )
    number = Decimal(value)
    if not number:
        return Decimal(0)
    # Any decimal of 15 digits survives the way to a float and back; not every one of 16 does.
    if number.is_finite() and -16 < number.adjusted() < 15:
        digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
        if len(digits) <= 15:
            return number
    raise InvalidValue(f"The number for {field.title} cannot be compared exactly.", "Use at most 15 digits.")


def _day(field: Field, value: object) -> date:
    if isinstance(value, datetime) or not isinstance(value, str | date):
        day = None
    elif isinstance(value, date):
        return value
    else:
        try:
            # `fromisoformat` also takes week dates and days without dashes.
            day = date.fromisoformat(value) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) else None
        except ValueError:
            day = None
    if day is None:
        raise InvalidValue(
            f"{field.title} is a day, and {_quoted(value)} is not one.",
            "Write year, month and day, such as 2025-03-12.",
        )
    return day


def _yes_no(field: Field, value: object) -> bool:
    answer = {"yes": True, "true": True, "no": False, "false": False}.get(str(value).strip().lower())
    if answer is None or not isinstance(value, str | bool):
        raise InvalidValue(
            f"{field.title} is yes or no, and {_quoted(value)} is neither.", "Write true or false."
        )
    return answer


# Filtering

# Whitespace in Unicode's sense, spelled out because every engine means something else by “space”.
_BLANK = "".join(
    map(chr, [*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
              0x2028, 0x2029, 0x202F, 0x205F, 0x3000])
)  # fmt: skip


def _expression(rule: Rule) -> tuple[int, nw.Expr]:
    """Return the depth of the engine's expression, and the expression."""
    match rule:
        case Leaf():
            # The deepest leaf has eight calls inside one another.
            return 8, _condition(rule)
        case Not(inner):
            depth, expr = _expression(inner)
            return depth + 1, ~expr
        case All(()) | Any(()):
            # A bare true is one value, not one per row, and filters refuse it.
            known = nw.col("customer_id").is_null()
            everyone = known | ~known
            return 3, everyone if isinstance(rule, All) else ~everyone
        case All(rules) | Any(rules):
            return _joined([_expression(part) for part in rules], by_all=isinstance(rule, All))


def _joined(parts: list[tuple[int, nw.Expr]], *, by_all: bool) -> tuple[int, nw.Expr]:
    """Return the parts joined by and / or into the shallowest tree of two-way joins.

    Spark Connect takes about 50 calls inside one another (the limit of its messages) and pandas some 200
    (Python's stack); a plain chain of 250 conditions breaks both.
    """
    order = count(len(parts))
    queue = [(depth, place, expr) for place, (depth, expr) in enumerate(parts)]
    heapq.heapify(queue)
    while len(queue) > 1:
        left, right = heapq.heappop(queue), heapq.heappop(queue)
        joined = left[2] & right[2] if by_all else left[2] | right[2]
        heapq.heappush(queue, (1 + max(left[0], right[0]), next(order), joined))
    return queue[0][0], queue[0][2]


def _condition(leaf: Leaf) -> nw.Expr:
    type_ = _known(leaf.field).type
    column = nw.col(leaf.field)
    missing = column.is_null()
    if type_ in _NUMERIC:
        column = column.cast(nw.Float64)
        missing = missing | column.is_nan()
        if type_ == "money":
            # Arrow makes 1.0050000000000001 of the decimal 1.005; `round` differs on halves.
            column = (column * 10_000 + 0.5).floor()
    elif type_ == "date":
        column = column.cast(nw.Date)
    if leaf.op == "is_empty":
        blank = ~column.str.contains(f"[^{_BLANK}]") if type_ == "text" else missing
        return missing | blank
    if leaf.op == "contains":
        holds = column.str.contains(_pattern(str(leaf.value)))
    else:
        holds = _compared(column, leaf.op, _native(leaf.value, type_))
    # pandas says that a missing value differs from 5, so nulls are not left to speak for themselves; and
    # false is what null and false make, true what null or true make, so none is left.
    return holds & ~missing


def _native(value: Value, type_: Type) -> object:
    """Return the value as the column is compared: money in ten-thousandths, numbers as floats."""
    if isinstance(value, tuple):
        return [_native(item, type_) for item in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and type_ == "money":
        # The column's own arithmetic, so that amounts too large for ten-thousandths stay equal to themselves.
        return float(math.floor(float(value) * 10_000 + 0.5))
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return float(value)
    return value


def _compared(column: nw.Expr, op: Op, value: object) -> nw.Expr:
    match op, value:
        case "=", _:
            return column == value
        case "!=", _:
            return column != value
        case ">", _:
            return column > value
        case ">=", _:
            return column >= value
        case "<", _:
            return column < value
        case "<=", _:
            return column <= value
        case "between", [low, high]:
            return (column >= low) & (column <= high)
        case _, list():
            return column.is_in(value)
    raise AssertionError(op)


def _pattern(text: str) -> str:
    """Return a regular expression for the text, any letter in any case, that all engines read alike.

    Engines lower-case differently (final sigma, dotted I), so the cases of each letter are spelled out.
    """
    return "".join(_letter(letter) for letter in text)


def _letter(letter: str) -> str:
    cases = _cases().get(_folded(letter), letter)
    if len(cases) > 1:
        return f"[{cases}]"
    return f"\\{letter}" if letter in r"\.+*?()|[]{}^$" else letter


def _folded(letter: str) -> str:
    """Return the one letter that stands for all cases of a letter."""
    return next((form for form in (letter.casefold(), letter.lower()) if len(form) == 1), letter)


@cache
def _cases() -> dict[str, str]:
    """Return the letters with more than one case, by their folded form."""
    forms: dict[str, str] = defaultdict(str)
    # Letters with case live in Unicode's first two planes; surrogates are no letters.
    for letter in map(chr, [*range(0xD800), *range(0xE000, 0x20000)]):
        forms[_folded(letter)] += letter
    return {folded: letters for folded, letters in forms.items() if len(letters) > 1}


# Saying

_SHOWN = 20
"""Values of a list that a sentence names."""


def _sentence(rule: Rule, *, inside: str | None) -> str:
    match rule:
        case Leaf():
            return _words(rule)
        case Not(Leaf(field, "is_empty")):
            return f"{_known(field).title} is not empty"
        case Not(inner):
            return f"not ({_sentence(inner, inside=None)})"
        case All(()) | Any(()):
            return "all customers" if isinstance(rule, All) else "no customers"
        case All((only,)) | Any((only,)):
            return _sentence(only, inside=inside)
        case All(rules) | Any(rules):
            word = "and" if isinstance(rule, All) else "or"
            joined = f" {word} ".join(_sentence(part, inside=word) for part in rules)
            return joined if inside in (None, word) else f"({joined})"


def _words(leaf: Leaf) -> str:
    field = _known(leaf.field)
    say = _say_share if field.unit == SHARE else _say
    start = f"{field.title} {phrase(leaf.op, field.type)}"
    match leaf.op, leaf.value:
        case "is_empty", _:
            return start
        case "between", (low, high):
            return f"{start} {say(low)} and {say(high)}"
        case "contains", str(text):
            return f"{start} “{_printable(text)}”"
        case _, tuple(values) if len(values) > _SHOWN:
            first = ", ".join(say(value) for value in values[:3])
            return f"{start} one of {len(values):,} values ({first} …)"
        case _, tuple(values):
            return f"{start} {_or([say(value) for value in values])}"
        case _, value:
            return f"{start} {say(value)}"


def _say_share(value: object) -> str:
    """Return a share as people say it: 0.62 is 62 %."""
    return f"{_say(value * 100)} %" if isinstance(value, Decimal) else _say(value)


_PLAIN = re.compile(r"[\w@.\-'’&/]+( [\w@.\-'’&/]+)*")
_JOINS = re.compile(r"\b(and|or|not)\b", re.IGNORECASE)


def _say(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | Decimal():
            text = f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        case date():
            # No strftime: its month names follow the machine's language.
            month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
            return f"{value.day} {month[value.month - 1]} {value.year}"
        case _:
            text = _printable(str(value))
            # Quotes only where the sentence could be read in another way.
            return text if _PLAIN.fullmatch(text) and not _JOINS.search(text) else f"“{text}”"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _or(words: list[str]) -> str:
    return " or ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _quoted(value: object) -> str:
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    if value is None:
        return "nothing"
    text = str(value)[:41] if isinstance(value, str) else repr(value)[:41]
    return f"“{_printable(text[:40])}{'…' if len(text) > 40 else ''}”"


# Writing


def _plain(rule: Rule) -> dict[str, object]:
    match rule:
        case Leaf(field, "is_empty"):
            return {"field": field, "op": "is_empty"}
        case Leaf(field, op, value):
            return {"field": field, "op": op, "value": _plain_value(value)}
        case Not(inner):
            return {"not": _plain(inner)}
        case All(rules):
            return {"all": [_plain(part) for part in rules]}
        case Any(rules):
            return {"any": [_plain(part) for part in rules]}


def _plain_value(value: Value) -> object:
    match value:
        case tuple():
            return [_plain_value(item) for item in value]
        case Decimal():
            # At most 15 digits, so the float prints as the same decimal.
            return int(value) if value == int(value) else float(value)
        case date():
            return value.isoformat()
        case _:
            return value

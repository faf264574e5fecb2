"""Which column of a file is which canonical field: guessed with a reason, checked, remembered by header."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rapidfuzz import fuzz, process

from crm.errors import InvalidValue, MissingColumns
from crm.imports.dialect import is_value
from crm.schema import KINDS, Column, Kind, column_of

REJECT_COLUMNS = ("rejected_line", "rejected_column", "rejected_value", "rejected_reason", "rejected_advice")
"""Columns that a file of rejected rows carries beside its own; they are never taken for data."""

_FUZZY_DOUBT = 0.15

# A bare "ID" names whatever the file is about; only the kind of file says what that is.
_GENERIC: dict[Kind, dict[str, str]] = {
    "orders": {"id": "order_id", "编号": "order_id"},
    "contacts": {"id": "customer_id", "编号": "customer_id"},
    "responses": {"id": "response_id", "编号": "response_id"},
}
# Headers of a date that do not tell an order from a sign-up.
_ANY_DATE = {"date", "datetime", "time", "timestamp", "created", "createdat", "日期", "时间"}

_PHONE = re.compile(r"\+?[\d ()/.-]{6,20}")


@dataclass(frozen=True)
class Mapping:
    """Where each canonical field of a kind comes from.

    `columns`: field → source column. `joined`: field → source columns whose cells are joined with a blank.
    `constants`: field → the one text that holds for every row. `attributes`, of contacts alone: header of a
    custom attribute → source column. A field stands in one of the first three at most.
    """

    kind: Kind
    columns: dict[str, str]
    joined: dict[str, tuple[str, ...]] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the mapping as plain values for JSON, without its kind."""
        return {
            "columns": dict(self.columns),
            "joined": {name: list(sources) for name, sources in self.joined.items()},
            "constants": dict(self.constants),
            "attributes": dict(self.attributes),
        }

    @classmethod
    def from_dict(cls, kind: Kind, plain: Pairs[str, Any]) -> "Mapping":
        """Return the mapping that `as_dict` gave; a plain dict of columns, as kept before, is one too."""
        if "columns" not in plain or not isinstance(plain["columns"], dict):
            return cls(kind, dict(plain))
        return cls(
            kind,
            dict(plain["columns"]),
            {name: tuple(sources) for name, sources in plain.get("joined", {}).items()},
            dict(plain.get("constants", {})),
            dict(plain.get("attributes", {})),
        )


@dataclass(frozen=True)
class Guess:
    """A guessed mapping: for each mapped field how sure (0 to 1) and why."""

    mapping: Mapping
    confidence: dict[str, float]
    reason: dict[str, str]


def normalise(header: str) -> str:
    """Return a header in lower case without spaces, punctuation and what stands in brackets."""
    return "".join(_words(header))


def _words(header: str) -> list[str]:
    text = unicodedata.normalize("NFKC", header)
    outside = re.sub(r"\([^)]*\)|\[[^\]]*\]|【[^】]*】", " ", text)
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", outside if re.search(r"\w", outside) else text)
    return [word.casefold() for word in re.split(r"[\W_]+", spaced) if word]


def signature(columns: Sequence[str]) -> str:
    """Return a name for a set of headers, the same whatever their order: mappings are remembered by it."""
    return hashlib.sha256("\x1f".join(sorted(columns)).encode()).hexdigest()[:32]


def guess(kind: Kind, columns: Sequence[str], samples: Pairs[str, Sequence[str]] | None = None) -> Guess:
    """Return the likeliest mapping of a file's columns, each source column used once.

    `samples` are cells by source column; they settle what headers leave open, and are all there is to go by
    in a file without a header. Fields that nothing fits are left out; `validate` says what is then missing.
    """
    seen = {
        name: [cell.strip() for cell in (samples or {}).get(name, ()) if cell.strip()] for name in columns
    }
    usable = [name for name in columns if name not in REJECT_COLUMNS]
    offers: list[tuple[float, int, int, int, str, str, str]] = []
    for rank, column in enumerate(KINDS[kind]):
        for place, source in enumerate(usable):
            score, preference, reason = _score(kind, column, source)
            if score:
                fit = _fit(column, seen[source])
                score = round(score * fit, 2)
                if fit < 1:
                    reason += ", though its values do not look like it"
                offers.append((-score, preference, rank, place, column.name, source, reason))
    chosen: dict[str, tuple[str, float, str]] = {}
    taken: set[str] = set()
    for negative, _, _, _, name, source, reason in sorted(offers):
        if name not in chosen and source not in taken and -negative >= 0.3:
            chosen[name] = (source, -negative, reason)
            taken.add(source)
    for name, source in _by_values(
        kind, [source for source in usable if source not in taken], seen, set(chosen)
    ):
        chosen[name] = (source, 0.3, "its values look like it")
    ordered = [column.name for column in KINDS[kind] if column.name in chosen]
    return Guess(
        Mapping(kind, {name: chosen[name][0] for name in ordered}),
        {name: chosen[name][1] for name in ordered},
        {name: chosen[name][2] for name in ordered},
    )


def _score(kind: Kind, column: Column, source: str) -> tuple[float, int, str]:
    """Return how well a header names a field, its place among the field's names, and why."""
    words = _words(source)
    header = "".join(words)
    known = (normalise(column.name), *column.synonyms)
    if header in known:
        # Synonyms stand in the order of preference: the earlier one wins where a file has both.
        return 1.0, known.index(header), "the header is a known name of it"
    if normalise(column.title) == header:
        return 0.98, 0, "the header is its title"
    if _GENERIC[kind].get(header) == column.name:
        return 0.8, 0, f"the header names what a file of {kind} is about"
    inside = max((name for name in known if _holds(words, name)), key=len, default="")
    by_part = 0.45 + 0.4 * len(inside) / len(header) if inside else 0.0
    found = process.extractOne(header, known, scorer=fuzz.ratio) if len(header) > 3 else None
    by_spelling = found[1] / 100 - _FUZZY_DOUBT if found and found[1] >= 82 else 0.0
    if by_part >= by_spelling and by_part > 0.55:
        return by_part, known.index(inside), f"the header contains “{inside}”"
    if found and by_spelling:
        return by_spelling, known.index(found[0]), f"the header is spelled like “{found[0]}”"
    return 0.0, 0, ""


def _holds(words: Sequence[str], name: str) -> bool:
    """Return whether a name is made of whole words of a header, so that a discount is no count."""
    if not name.isascii():
        return len(name) > 1 and name in "".join(words)
    if len(name) < 3:
        return False
    return any(
        "".join(words[start:stop]) == name
        for start in range(len(words))
        for stop in range(start + 1, len(words) + 1)
    )


def _fit(column: Column, cells: Sequence[str]) -> float:
    """Return 1 where a column's values can be of the field's type, less where most cannot."""
    if not cells:
        return 1.0
    share = sum(_looks(column, cell) for cell in cells) / len(cells)
    return 1.0 if share >= 0.5 else 0.4 + share


def _looks(column: Column, cell: str) -> bool:
    if column.name == "email":
        return "@" in cell
    if column.name == "phone":
        return bool(_PHONE.fullmatch(cell))
    if column.type in {"money", "number", "integer"}:
        return bool(re.search(r"\d", cell)) and not re.search(r"[A-Za-z]{4,}|@|\d[:/]\d|\d-\d", cell)
    if column.type in {"timestamp", "date"}:
        return bool(re.search(r"\d", cell)) and (
            is_value(cell) or bool(re.search(r"\d[年月/.-]|[A-Za-z]{3}", cell))
        )
    if column.name in {"name", "city", "country", "gender"}:
        return not is_value(cell) or cell.isdigit()
    return True


def _by_values(
    kind: Kind, free: list[str], seen: Pairs[str, Sequence[str]], done: set[str]
) -> list[tuple[str, str]]:
    """Return fields of nameless columns ("Column 3") by what their cells look like."""
    nameless = [source for source in free if re.fullmatch(r"Column \d+", source) and seen[source]]
    found: list[tuple[str, str]] = []

    def take(field: str, fits: list[str]) -> None:
        if field not in done and fits and field in {column.name for column in KINDS[kind]}:
            found.append((field, fits[0]))
            nameless.remove(fits[0])

    def share(source: str, pattern: str) -> float:
        return sum(bool(re.fullmatch(pattern, cell)) for cell in seen[source]) / len(seen[source])

    dates = r"(19|20)\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])|\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}.*"
    take("email", [source for source in nameless if share(source, r"[^@\s]+@[^@\s]+") > 0.8])
    moment = {"orders": "ordered_at", "responses": "responded_at", "contacts": "joined_on"}[kind]
    take(moment, [source for source in nameless if share(source, dates) > 0.8])
    take(
        "amount", [source for source in nameless if share(source, r"[-+(¥￥$€£]*[\d.,]*[.,]\d{1,4}\)?") > 0.5]
    )
    take("customer_id", [source for source in nameless if share(source, r"\S{1,64}") > 0.8])
    return found


def validate(mapping: Mapping, columns: Sequence[str]) -> None:
    """Refuse a mapping that the file cannot serve.

    Orders need the customer, the order date and the amount (or quantity and unit price); contacts the
    customer; responses the customer, the response date and feedback or recommendation. Raises
    MissingColumns naming what is missing and what was found, InvalidValue for an unknown field.
    """
    known = [column.name for column in KINDS[mapping.kind]]
    for name, source in mapping.columns.items():
        if name not in known:
            raise InvalidValue(
                f"A file of {mapping.kind} has no field “{name}”.", f"The fields are: {', '.join(known)}."
            )
        if source not in columns:
            raise MissingColumns(
                f"The file has no column “{source}”, which is to be the {_title(mapping.kind, name)}. "
                f"Found: {_listed(columns)}.",
                "Choose one of the columns found.",
            )
    present = mapping.columns.keys()
    missing = [
        _title(mapping.kind, column.name)
        for column in KINDS[mapping.kind]
        if column.required and column.name not in present
    ]
    if mapping.kind == "orders" and "amount" not in present:
        lacking = [name for name in ("quantity", "unit_price") if name not in present]
        if len(lacking) == 2:
            missing.append("amount (or for quantity and unit price)")
        elif lacking:
            missing.append(f"amount (or for the {_title('orders', lacking[0])})")
    if mapping.kind == "responses" and not {"feedback", "recommendation"} & present:
        missing.append("feedback or the recommendation")
    if missing:
        raise MissingColumns(
            f"The file has no column for the {', nor for the '.join(missing)}. Found: {_listed(columns)}.",
            "Choose the columns by hand if they bear other names, or export the file again with them.",
        )


def _title(kind: Kind, name: str) -> str:
    title = column_of(kind, name).title
    # "Customer ID" in a sentence is "customer ID", "E-mail" is "e-mail".
    return title[:1].lower() + title[1:]


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:30])
    return shown if len(columns) <= 30 else f"{shown} and {len(columns) - 30} more"


def guess_kind(columns: Sequence[str]) -> Kind:
    """Return which kind of file the headers are likeliest of."""
    explained: dict[Kind, float] = {}
    complete: dict[Kind, bool] = {}
    for kind in KINDS:
        found = guess(kind, columns)
        explained[kind] = sum(score for score in found.confidence.values() if score >= 0.6)
        try:
            validate(found.mapping, columns)
            complete[kind] = True
        except MissingColumns:
            complete[kind] = False
        if kind == "orders" and complete[kind]:
            fields = found.mapping.columns
            if "order_id" in fields or normalise(fields["ordered_at"]) not in _ANY_DATE:
                return "orders"
    # A kind that lacks a required field may still be what is meant, if it explains two columns more.
    ranked: list[Kind] = ["orders", "responses", "contacts"]
    return max(ranked, key=lambda kind: explained[kind] + (1.5 if complete[kind] else 0))

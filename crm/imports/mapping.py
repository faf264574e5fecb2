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
from crm.imports import values
from crm.imports.dialect import is_value
from crm.imports.reading import identifier, literal
from crm.imports.values import BLANKS
from crm.schema import FIELD, KINDS, Column, Kind, column_of

REJECT_COLUMNS = (
    "rejected_line",
    "rejected_column",
    "rejected_value",
    "rejected_reason",
    "rejected_advice",
    "rejected_import",
)
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
_CLOCK = re.compile(r"\d{1,2}(:\d{2}){1,2}(\.\d+)?( ?[AaPp]\.?[Mm]\.?)?|\d{1,2}[时時点]\d{1,2}分?")
_MIDNIGHT = re.compile(r"\b0?0:00(:00(\.0+)?)?$")
_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]"
_ASIAN = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_NAMELESS = re.compile(r"Column \d+")

_FIRST = {"firstname", "givenname", "forename", "fname", "first", "vorname", "prénom", "prenom", "nombre", "nome",
          "voornaam", "contactfirstname", "customerfirstname", "billingfirstname", "名"}  # fmt: skip
_MIDDLE = {"middlename", "secondname", "middleinitial"}
_LAST = {"lastname", "surname", "familyname", "lname", "last", "nachname", "familienname", "nomdefamille", "apellido",
         "apellidos", "cognome", "sobrenome", "achternaam", "contactlastname", "customerlastname", "billinglastname",
         "姓", "姓氏"}  # fmt: skip
_TIMES = {"time", "ordertime", "timeofday", "transactiontime", "saletime", "purchasetime", "clock", "uhrzeit", "zeit",
          "heure", "hora", "ora", "tijd", "时间", "下单时间", "交易时间", "时刻"}  # fmt: skip
_MOMENTS: dict[Kind, str] = {"orders": "ordered_at", "responses": "responded_at", "contacts": "joined_on"}

# What cells look like that say by themselves what they are.
_AN_EMAIL = r"[^@\s]+@[^@\s]+"
_A_PHONE = r"\+\d[\d ().-]{6,18}|1[3-9]\d{9}|\(\d{2,5}\)[\d -]{5,12}"
_A_DATE = (
    r"(19|20)\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])|\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}.*"
    r"|\d{1,2}\.? [A-Za-zÀ-ÿ]{3,10}\.?,? \d{4}.*|[A-Za-zÀ-ÿ]{3,10}\.? \d{1,2},? \d{4}.*"
)
_AN_AMOUNT = r"[-+(¥￥$€£]*[\d.,]*[.,]\d{1,4}\)?"
_AN_ID = (
    r"[A-Za-z]{0,6}[-_#]?\d{3,}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{16,32}"
    r"|(?=\w*\d)(?=\w*[A-Z])\w{15,18}"
)
# Headers of numbers that are no id, of money that was not paid for the goods, and of a no that reads like a yes.
_NO_ID = re.compile(
    r"zip|postal|postcode|plz|year|phone|fax|score|points|spen[dt]|order|count|邮编|邮政|电话|年|积分"
)
_OTHER_MONEY = re.compile(
    r"discount|tax|vat|shipping|freight|tip|fee|profit|margin|cost|refund|balance|score|rate|weight|lat|lon"
    r"|折扣|优惠|税|运费|邮费|红包|积分|成本|退款|重量"
)
_REFUSAL = re.compile(r"unsub|optout|optedout|donot|notcall|noemail|退订|拒绝|拒收")

IDS = ("customer_id", "order_id", "response_id")
"""Fields that tell rows apart; they can be no constant."""


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
    in a file without a header. First and last name are joined, and a date with the time in a column of its
    own. Of contacts, every column left over becomes an attribute. Fields that nothing fits are left out;
    `validate` says what is then missing.
    """
    seen = {
        name: [cell.strip() for cell in (samples or {}).get(name, ()) if cell.strip()] for name in columns
    }
    usable = [name for name in columns if name not in REJECT_COLUMNS]
    offers: list[tuple[float, int, int, int, str, str, str]] = []
    for rank, column in enumerate(KINDS[kind]):
        for place, source in enumerate(usable):
            score, preference, reason = _score(kind, column, source, seen[source])
            if score:
                fit = _fit(column, seen[source])
                score = round(score * fit, 2)
                if fit < 1:
                    reason += ", though its values do not look like it"
                offers.append((-score, preference, rank, place, column.name, source, reason))
    pair = _names(usable, seen) if kind == "contacts" else ()
    if any(offer[4] == "name" and -offer[0] >= 0.9 and offer[5] not in pair for offer in offers):
        pair = ()  # the full name has a column of its own
    chosen: dict[str, tuple[str, float, str]] = {}
    taken: set[str] = set(pair)
    for negative, _, _, _, name, source, reason in sorted(offers):
        if name == "name" and pair:
            continue
        if name not in chosen and source not in taken and -negative >= 0.3:
            chosen[name] = (source, -negative, reason)
            taken.add(source)
    free = [source for source in usable if source not in taken]
    done = {*chosen, *(["name"] if pair else [])}
    for name, source, sureness, reason in _by_values(kind, free, seen, done):
        chosen[name] = (source, sureness, reason)
        taken.add(source)
    if samples is not None:
        _leave_out_torn_totals(chosen, samples)
    joined: dict[str, tuple[str, ...]] = {"name": pair} if pair else {}
    sure = {name: found[1] for name, found in chosen.items()} | dict.fromkeys(joined, 0.95)
    why = {name: found[2] for name, found in chosen.items()}
    why |= dict.fromkeys(joined, "the headers are the parts of it")
    moment = _MOMENTS[kind]
    if moment in chosen and kind != "contacts":
        clock = _clock_beside(chosen[moment][0], [name for name in usable if name not in taken], seen)
        if clock is not None:
            joined[moment] = (chosen.pop(moment)[0], clock)
            why[moment] += f", and “{clock}” holds the times"
            taken.add(clock)
    attributes = {}
    if kind == "contacts":
        ours = _computed(columns)
        attributes = {
            name: name for name in usable if name.strip() and name not in taken and name not in ours
        }
    ordered = [column.name for column in KINDS[kind] if column.name in chosen or column.name in joined]
    return Guess(
        Mapping(
            kind,
            {name: chosen[name][0] for name in ordered if name in chosen},
            {name: joined[name] for name in ordered if name in joined},
            attributes=attributes,
        ),
        {name: sure[name] for name in ordered},
        {name: why[name] for name in ordered},
    )


def _names(usable: Sequence[str], seen: Pairs[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the columns that make a full name, in the order in which it is written."""
    found: dict[str, str] = {}
    for source in usable:
        header = normalise(source)
        for part, known in (("first", _FIRST), ("middle", _MIDDLE), ("last", _LAST)):
            if header in known:
                found.setdefault(part, source)
    if "first" not in found or "last" not in found:
        return ()
    cells = [*seen[found["first"]], *seen[found["last"]]]
    asian = sum(bool(_ASIAN.search(cell)) for cell in cells) * 2 > len(cells)
    if asian or (not cells and _ASIAN.search(found["last"])):
        return (found["last"], found["first"])
    return tuple(found[part] for part in ("first", "middle", "last") if part in found)


def _clock_beside(date: str, free: Sequence[str], seen: Pairs[str, Sequence[str]]) -> str | None:
    """Return the column with the time of day that belongs to a column of bare dates, if there is one."""
    if not seen[date] or any(_CLOCK.search(cell) and not _MIDNIGHT.search(cell) for cell in seen[date]):
        return None
    return next(
        (
            source
            for source in free
            if normalise(source) in _TIMES and seen[source] and all(map(_CLOCK.fullmatch, seen[source]))
        ),
        None,
    )


def _leave_out_torn_totals(
    chosen: dict[str, tuple[str, float, str]], samples: Pairs[str, Sequence[str]]
) -> None:
    """Leave out an amount that only the first line of an order has, where each line has quantity and unit price."""
    if not {"amount", "quantity", "unit_price", "order_id"} <= chosen.keys():
        return
    cells = {
        name: samples.get(chosen[name][0], ()) for name in ("amount", "quantity", "unit_price", "order_id")
    }
    last, torn = None, False
    for amount, order in zip(cells["amount"], cells["order_id"], strict=False):
        torn = torn or (not amount.strip() and order == last)
        last = order
    if torn and all(cell.strip() for name in ("quantity", "unit_price") for cell in cells[name]):
        del chosen["amount"]


def _computed(columns: Sequence[str]) -> set[str]:
    """Return the columns that an export of ours computed: what comes back is no attribute."""
    made = {name for name, field in FIELD.items() if field.source != "contact" and name != "customer_id"}
    found = made & set(columns)
    return found if any("_" in name for name in found) else set()


def _score(kind: Kind, column: Column, source: str, cells: Sequence[str]) -> tuple[float, int, str]:
    """Return how well a header names a field, its place among the field's names, and why."""
    words = _words(source)
    header = "".join(words)
    if column.type == "yes/no" and _REFUSAL.search(header):
        return 0.0, 0, ""
    if (kind, column.name, header) == ("orders", "order_id", "name"):
        # Shopify's: every line of an order has it, while "Id" stands on its first line alone.
        numbered = bool(cells) and all(re.fullmatch(r"#?[A-Za-z]*-?\d+[A-Za-z]?", cell) for cell in cells)
        return (0.85, 0, "its values are order numbers") if numbered else (0.0, 0, "")
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
    kind: Kind, free: Sequence[str], seen: Pairs[str, Sequence[str]], done: set[str]
) -> list[tuple[str, str, float, str]]:
    """Return fields of columns whose header says nothing, by what their cells look like: sure how far, and why.

    A nameless column ("Column 3") is taken for the first field it fits. One with a header is taken only where
    no other column fits as well.
    """
    fields = {column.name for column in KINDS[kind]}
    left = [source for source in free if seen[source]]
    found: list[tuple[str, str, float, str]] = []

    def take(
        field: str, pattern: str, least: float, *, named: bool = True, but: re.Pattern[str] | None = None
    ) -> None:
        if field not in fields or field in done or any(field == name for name, *_ in found):
            return
        fits = [
            source
            for source in left
            if sum(bool(re.fullmatch(pattern, cell)) for cell in seen[source]) > least * len(seen[source])
            and not (but and but.search(normalise(source)))
        ]
        nameless = [source for source in fits if _NAMELESS.fullmatch(source)]
        if nameless:
            found.append((field, nameless[0], 0.3, "its values look like it"))
        elif named and len(fits) == 1:
            found.append((field, fits[0], 0.4, "its values look like it, though its header does not say so"))
        else:
            return
        left.remove(found[-1][1])

    take("email", _AN_EMAIL, 0.8)
    take(_MOMENTS[kind], _A_DATE, 0.8, named=kind != "contacts")
    take("phone", _A_PHONE, 0.8)
    if not {"quantity", "unit_price"} <= done:
        take("amount", _AN_AMOUNT, 0.5, named=False)
        take("amount", rf"{_AN_AMOUNT}|[-+(]*[¥￥$€£] ?[\d.,]+\)?", 0.8, but=_OTHER_MONEY)
    nameless = [source for source in left if _NAMELESS.fullmatch(source)]
    if nameless:
        left[:] = nameless
        take("customer_id", r"\S{1,64}", 0.8)
    elif kind != "contacts":
        # A shop's orders often name the buyer by nothing but the e-mail address.
        count = len(found)
        take("customer_id", _AN_EMAIL, 0.8)
        if len(found) > count:
            reason = "the e-mail address is all that names the customer"
            found[-1] = (found[-1][0], found[-1][1], 0.5, reason)
    take("customer_id", _AN_ID, 0.95, but=_NO_ID)
    return found


def source_sql(mapping: Mapping, field: str) -> str:
    """Return SQL, over the columns of the file, of the text that a mapped field has in each row.

    Joined cells are without the blanks around them, empty ones left out, with one blank between them; none
    between two letters of Chinese, Japanese or Korean: 王 and 小明 make 王小明. A midnight that a spreadsheet
    wrote behind a date gives way to the time it is joined with. Raises KeyError for a field that is not mapped.
    """
    if field in mapping.columns:
        return identifier(mapping.columns[field])
    if field in mapping.constants:
        return literal(mapping.constants[field])
    return _joined_sql(mapping.joined[field], moment=column_of(mapping.kind, field).type == "timestamp")


def _joined_sql(sources: Sequence[str], *, moment: bool) -> str:
    parts = [f"trim({identifier(source)}, {BLANKS})" for source in sources]
    if moment and len(parts) > 1:
        bare = rf"regexp_replace({parts[0]}, '[ T]0?0:00(:00(\.0+)?)?$', '')"
        parts[0] = f"CASE WHEN {parts[1]} <> '' THEN {bare} ELSE {parts[0]} END"
    given = ", ".join(f"nullif({part}, '')" for part in parts)
    together = f"concat_ws(chr(31), {given})"
    if not moment:
        for _ in range(2):  # of three parts of one letter each, the first pass joins two
            together = rf"regexp_replace({together}, '({_CJK})\x1f({_CJK})', '\1\2', 'g')"
    return f"replace({together}, chr(31), ' ')"


def derived_columns(mapping: Mapping, columns: Sequence[str] = ()) -> dict[str, str]:
    """Return the columns that a mapping makes of others, by the name under which people see them, as SQL.

    The names are unlike one another and unlike `columns`, the file's own: "First name + Last name",
    "EUR (for every row)".
    """
    return {name: source_sql(mapping, field) for field, name in _virtual(mapping, columns).items()}


def effective(mapping: Mapping, columns: Sequence[str] = ()) -> Mapping:
    """Return the mapping with every field from one column, those of `derived_columns` included."""
    named = {**mapping.columns, **_virtual(mapping, columns)}
    order = [column.name for column in KINDS[mapping.kind] if column.name in named]
    return Mapping(
        mapping.kind, {field: named[field] for field in order}, attributes=dict(mapping.attributes)
    )


def _virtual(mapping: Mapping, columns: Sequence[str]) -> dict[str, str]:
    """Return the name of the column made for each joined or constant field."""
    wanted = {field: " + ".join(sources) for field, sources in mapping.joined.items()}
    wanted |= {field: f"{text} (for every row)" for field, text in mapping.constants.items()}
    own = {*columns, *mapping.columns.values(), *mapping.attributes.values()}
    own |= {source for sources in mapping.joined.values() for source in sources}
    # DuckDB does not tell columns apart by case.
    taken = {name.casefold() for name in own}
    names: dict[str, str] = {}
    for chosen in [column.name for column in KINDS[mapping.kind] if column.name in wanted]:
        name, number = wanted[chosen], 1
        while name.casefold() in taken:
            number += 1
            name = f"{wanted[chosen]} ({number})"
        taken.add(name.casefold())
        names[chosen] = name
    return names


@dataclass(frozen=True)
class Applied:
    """A mapping fitted to another file: `lacking` are the headers it names that the file does not have."""

    mapping: Mapping
    lacking: tuple[str, ...]


def apply_template(template: Mapping, columns: Sequence[str]) -> Applied:
    """Return a mapping with its columns named as in a file, regardless of case and blanks in the headers.

    What the file lacks is named and left out: a field, a joined field as a whole, an attribute.
    """
    present: dict[str, str] = {}
    for column in columns:
        present.setdefault(_plain(column), column)
    lacking: dict[str, None] = {}

    def find(source: str) -> str | None:
        found = source if source in columns else present.get(_plain(source))
        if found is None:
            lacking[source] = None
        return found

    fields = {field: find(source) for field, source in template.columns.items()}
    parts = {field: [find(source) for source in sources] for field, sources in template.joined.items()}
    attributes = {title: find(source) for title, source in template.attributes.items()}
    fitted = Mapping(
        template.kind,
        {field: source for field, source in fields.items() if source is not None},
        {
            field: tuple(source for source in sources if source is not None)
            for field, sources in parts.items()
            if None not in sources
        },
        dict(template.constants),
        {title: source for title, source in attributes.items() if source is not None},
    )
    return Applied(fitted, tuple(lacking))


def _plain(header: str) -> str:
    return "".join(unicodedata.normalize("NFKC", header).casefold().split())


def validate(mapping: Mapping, columns: Sequence[str]) -> None:
    """Refuse a mapping that the file cannot serve.

    Orders need the customer, the order date and the amount (or quantity and unit price); contacts the
    customer; responses the customer, the response date and feedback or recommendation: each from a column,
    joined columns or, but for ids, a constant. Raises MissingColumns naming what is missing and what was
    found, InvalidValue for an unknown field, one with two sources, or a constant that is no value of it.
    """
    _refuse_unknown(mapping)
    sources = [(f"the {_title(mapping.kind, name)}", source) for name, source in mapping.columns.items()]
    for name, parts in mapping.joined.items():
        sources += [(f"part of the {_title(mapping.kind, name)}", source) for source in parts]
    sources += [(f"the attribute “{title}”", source) for title, source in mapping.attributes.items()]
    for what, source in sources:
        if source not in columns:
            raise MissingColumns(
                f"The file has no column “{source}”, which is to be {what}. Found: {_listed(columns)}.",
                "Choose one of the columns found.",
            )
    for name, text in mapping.constants.items():
        _refuse_constant(mapping.kind, column_of(mapping.kind, name), text)
    present = {*mapping.columns, *mapping.joined, *mapping.constants}
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


def _refuse_unknown(mapping: Mapping) -> None:
    """Refuse fields that there are not, and those with two sources or parts that make no value."""
    known = [column.name for column in KINDS[mapping.kind]]
    fields = [*mapping.columns, *mapping.joined, *mapping.constants]
    for name in fields:
        if name not in known:
            raise InvalidValue(
                f"A file of {mapping.kind} has no field “{name}”.", f"The fields are: {', '.join(known)}."
            )
        if fields.count(name) > 1:
            raise InvalidValue(
                f"The {_title(mapping.kind, name)} has two sources.",
                "Take it from a column, from joined columns or from one text for every row.",
            )
    for name, parts in mapping.joined.items():
        if column_of(mapping.kind, name).type not in {"text", "date", "timestamp"}:
            raise InvalidValue(
                f"The {_title(mapping.kind, name)} cannot be joined from several columns.",
                "Choose the one column that holds it.",
            )
        if not parts:
            raise InvalidValue(
                f"No columns are chosen to be joined for the {_title(mapping.kind, name)}.",
                "Choose them, or leave the field out.",
            )
    if mapping.attributes and mapping.kind != "contacts":
        raise InvalidValue(
            f"A file of {mapping.kind} brings no attributes.", "Only contacts have attributes of your own."
        )
    if not all(title.strip() for title in mapping.attributes):
        raise InvalidValue("An attribute has no name.", "Name it, or leave its column out.")


def _refuse_constant(kind: Kind, column: Column, text: str) -> None:
    title = _title(kind, column.name)
    if column.name in IDS:
        raise InvalidValue(
            f"The {title} cannot be the same for every row.", "Choose the column that tells the rows apart."
        )
    if not values.can_be(column.type, text):
        raise InvalidValue(f"“{text}” cannot be the {title} of every row.", values.HOW_TO_WRITE[column.type])


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

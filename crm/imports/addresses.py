"""E-mail addresses and telephone numbers checked over whole columns, as SQL expressions on DuckDB.

E-mail: what email-validator accepts without asking the network (RFC 5321, 5322, 6531, 5891). Telephone: E.164
with the plans of phonenumbers (Google's libphonenumber), whose patterns become regular expressions of the calling
codes that occur in a file; nothing is called row by row. A cell stays stored as it came: E.164 only serves for the
check and for recognising the same number written in two ways.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import duckdb
import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from crm import wording
from crm.imports.countries import checked_country, country_of
from crm.imports.reading import identifier, literal, one_row
from crm.imports.values import BLANKS, Cells, words

# --- e-mail --------------------------------------------------------------------------------------------

EMAIL_REASON = "The e-mail address is not one."
EMAIL_ADVICE = "Write it like anna@example.com, one in the cell; or leave the cell empty."

_ATEXT = r"a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~"
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_ASCII_EMAIL = rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*@(?:{_LABEL}\.)+(?:[a-zA-Z0-9][a-zA-Z0-9-]*)?[a-zA-Z]"
_HIGH = r"\x{80}-\x{10FFFF}"
_WIDE = r"\p{L}\p{M}\p{N}"
_WIDE_LABEL = rf"[\p{{L}}\p{{N}}](?:[{_WIDE}-]*[{_WIDE}])?"
_WIDE_TOP = rf"(?:[\p{{L}}\p{{N}}][{_WIDE}-]*)?[\p{{L}}\p{{M}}]"
_DOT = "[.。．｡]"
_WIDE_EMAIL = rf"[{_ATEXT}{_HIGH}]+(?:\.[{_ATEXT}{_HIGH}]+)*@(?:{_WIDE_LABEL}{_DOT})+{_WIDE_TOP}"
# What no address holds anywhere: blanks, invisible and unassigned characters, an accent without its letter.
_UNSAFE = r"[^\p{L}\p{M}\p{N}\p{P}\p{S}]|^\p{M}|@\p{M}"
# Names that are never reached from outside (IANA's special-use domains), and labels kept for what is to come.
_RESERVED = r"(?i)\.(?:arpa|invalid|local|localhost|onion|test)$|@(?:.*\.)?(?:[^x.][^.]|x[^n.])--"


def email_problem_sql(cell: str) -> str:
    """Return SQL that is true where a cell, blanks around it taken off and not empty, is no e-mail address."""
    return (
        f"NOT ((regexp_full_match({cell}, {literal(_ASCII_EMAIL)}) OR "
        f"(regexp_full_match({cell}, {literal(_WIDE_EMAIL)}) AND NOT regexp_matches({cell}, {literal(_UNSAFE)}))) "
        f"AND strlen({cell}) <= 254 AND NOT regexp_matches({cell}, {literal(_RESERVED)}) "
        f"AND (length({cell}) < 66 OR NOT regexp_matches({cell}, '@(?:.*\\.)?[^.@]{{64}}')))"
    )


def email_key_sql(cell: str) -> str:
    """Return SQL of what two cells with the same address have in common: no blanks around it, lower case.

    Dots and what follows a plus sign stay: whether they matter is up to the mail's provider.
    """
    return f"lower(trim({cell}, {BLANKS}))"


# --- telephone -----------------------------------------------------------------------------------------

PHONE_REASON = "The phone number is not one: it needs 4 to 17 digits and no other text."
PHONE_ADVICE = "Write one number with digits, such as +44 20 7946 0000; or leave the cell empty."

_FOREIGN_DIGITS = "".join(chr(start + digit) for start in (0xFF10, 0x0660, 0x06F0) for digit in range(10))
_FOREIGN_SIGNS = "＋－（）／．\u3000\u00a0\u202f\u2009"
_PLAIN_SIGNS = "+-()/.    "
_SIGNS = r"0-9 ().\-/"
_MORE_SIGNS = r"\s\[\]‐-―−ー·•~\x{00ad}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}"
_EXTENSION = (
    r"(?:[;,]?\s*(?:ext(?:n|ension)?|int|anexo|доб|x|#|转|分机|durchwahl|dw|poste)\s*[.:=]?\s*\d{1,7}\s*)?"
)
_DIGITS = r"(?:\+|00|011)?[0-9]{4,17}"
_NUMBER = (
    rf"(?i)(?:tel\.?:?|phone:?|电话[:：]?|手机[:：]?)?\s*([\s(]*\+?[{_SIGNS}{_MORE_SIGNS}]*){_EXTENSION}"
)

_TYPES = ("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager",
          "uan", "voicemail")  # fmt: skip


@dataclass(frozen=True)
class Phones:
    """How a column of telephone numbers is checked: SQL over the table, and what is to be said about it.

    `problem` is true where a cell that is not empty cannot be a number at all, `e164` is the number with its
    calling code or null where no country is known, `key` what two cells with the same number have in common,
    `doubtful` true where a number does not follow its country's plan. `warnings` are sentences with counts.
    """

    problem: str
    e164: str
    key: str
    doubtful: str
    warnings: list[str]


def phones(
    cells: Cells, source: str, *, country: str | None = None, country_source: str | None = None
) -> Phones:
    """Return how the numbers of a column are checked, decided over all its cells.

    A number that does not say its country is of the country that the cell of `country_source` names, else of
    `country` (a code or a name); where neither is known it is not checked. Raises InvalidValue for a `country`
    that is none.
    """
    cell = cells.trimmed(source)
    region = region_sql(cells, country, country_source)
    own = region.sql if region.sql is not None else "NULL::VARCHAR"
    connection, seen = cells.connection, identifier(f"{cells.table}_phones")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {seen} AS SELECT cell, region, {_digits('cell')} AS digits FROM "
        f"(SELECT {cell} AS cell, {own} AS region FROM {identifier(cells.table)} WHERE {cell} <> '')"
    )
    try:
        codes = _codes_of(connection, seen, region.regions)
        e164 = _e164("digits", "region" if region.sql is not None else None, codes, region.regions)
        unchecked, doubtful, example = one_row(
            connection,
            "SELECT count(*) FILTER (e164 IS NULL), count(*) FILTER (NOT valid), min(cell) FILTER (NOT valid) "
            f"FROM (SELECT cell, e164, {phone_valid_sql('e164', codes)} AS valid FROM "
            f"(SELECT cell, {e164} AS e164 FROM {seen} WHERE digits IS NOT NULL))",
        )
    finally:
        connection.execute(f"DROP TABLE IF EXISTS {seen}")
    e164 = phone_e164_sql(cell, region.sql, codes, regions=region.regions)
    warnings = []
    if unchecked:
        warnings.append(
            f"{wording.counted(unchecked, 'phone number')} without a country code "
            f"{'were' if unchecked != 1 else 'was'} not checked; choose the country they are in to have them checked."
        )
    if doubtful:
        warnings.append(
            f"{wording.counted(doubtful, 'phone number')}, such as {example}, "
            f"{'do' if doubtful != 1 else 'does'} not follow the numbering of "
            f"{'their' if doubtful != 1 else 'its'} country and {'were' if doubtful != 1 else 'was'} kept."
        )
    return Phones(
        problem=phone_problem_sql(cell),
        e164=e164,
        key=phone_key_sql(cell, region.sql, codes, regions=region.regions),
        doubtful=f"NOT coalesce({phone_valid_sql(e164, codes)}, true)",
        warnings=warnings,
    )


@dataclass(frozen=True)
class Regions:
    """Which country each row's number is in: SQL of its alpha-2 code or null, and the codes that occur."""

    sql: str | None
    regions: tuple[str, ...]


def region_sql(cells: Cells, country: str | None, country_source: str | None) -> Regions:
    """Return the SQL of each row's country: the one its cell names, else `country`. Raises InvalidValue."""
    chosen = checked_country(country) if country else None
    otherwise = literal(chosen) if chosen else "NULL"
    if country_source is None:
        return Regions(literal(chosen) if chosen else None, (chosen,) if chosen else ())
    cell = cells.trimmed(country_source)
    written = cells.connection.execute(
        f"SELECT DISTINCT {cell} FROM {identifier(cells.table)} WHERE length({cell}) BETWEEN 1 AND 60 LIMIT 20000"
    ).fetchall()
    names: dict[str, list[str]] = {}
    for (name,) in written:
        found = country_of(name)
        if found:
            names.setdefault(found, []).append(name)
    if not names:
        return Regions(literal(chosen) if chosen else None, (chosen,) if chosen else ())
    branches = " ".join(
        f"WHEN {cell} IN {words(given)} THEN {literal(code)}" for code, given in names.items()
    )
    return Regions(f"CASE {branches} ELSE {otherwise} END", tuple({*names, *([chosen] if chosen else [])}))


def _codes_of(connection: duckdb.DuckDBPyConnection, seen: str, regions: Sequence[str]) -> tuple[str, ...]:
    """Return the calling codes that the digits of a table may have: those written and those of the countries."""
    abroad = {_metadata(name).international_prefix or "00" for name in regions} | {"00", "011"}
    starts = f"SELECT DISTINCT left(digits, 8) AS d FROM {seen} WHERE digits IS NOT NULL"
    found = {code for name in regions if (code := calling_code_of(name))}
    for prefix in [r"\+", *sorted(abroad)]:
        rows = connection.execute(
            f"SELECT DISTINCT regexp_extract(regexp_replace(d, {literal(f'^(?:{prefix})')}, ''), "
            f"{literal(f'^(?:{_ALL_CODES})')}) FROM ({starts}) WHERE regexp_matches(d, {literal(f'^(?:{prefix})')})"
        ).fetchall()
        found |= {row[0] for row in rows}
    return tuple(sorted(found - {""}, key=lambda code: (len(code), code)))


def calling_code_of(country: str) -> str | None:
    """Return the calling code of a country, given by its alpha-2 code: `44` for `GB`; None where it has none."""
    code = phonenumbers.country_code_for_region(country.upper())
    return str(code) if code else None


def phone_problem_sql(cell: str) -> str:
    """Return SQL that is true where a cell, blanks taken off and not empty, cannot be a telephone number."""
    return f"({_digits(cell)} IS NULL)"


def phone_e164_sql(
    cell: str,
    country: str | None = None,
    codes: Sequence[str] | None = None,
    *,
    regions: Iterable[str] | None = None,
) -> str:
    """Return SQL of a cell's number as +, calling code and national number: `+442079460000`.

    `country` is SQL of the alpha-2 code of the country that a number without calling code is in, null where it is
    not known; `regions` are the codes that it can give. `codes` are the calling codes that occur; None: all. Null
    where the country is not known, or the cell holds no number.
    """
    inside = tuple(regions) if regions is not None else tuple(sorted(phonenumbers.SUPPORTED_REGIONS))
    return _let("d", _digits(cell), _e164("d", country, codes, inside))


def phone_valid_sql(e164: str, codes: Sequence[str] | None = None) -> str:
    """Return SQL that is true where a number in E.164 follows its country's plan, null where the number is."""
    written = [code for code in (codes if codes is not None else _CODES) if code in _CODES]
    branches = " ".join(
        f"WHEN {literal(code)} THEN regexp_full_match(e, {literal(_PLUS + code + '(?:' + _plan(code) + ')')})"
        for code in written
    )
    chosen = f"CASE {_code('substr(e, 2)')} {branches} ELSE false END" if branches else "false"
    return _let("e", e164, f"CASE WHEN e IS NOT NULL THEN {chosen} END")


def phone_key_sql(
    cell: str,
    country: str | None = None,
    codes: Sequence[str] | None = None,
    *,
    regions: Iterable[str] | None = None,
) -> str:
    """Return SQL of what two cells with the same number have in common: its E.164 form, else its digits."""
    return f"coalesce({phone_e164_sql(cell, country, codes, regions=regions)}, {_digits(cell)})"


def _let(name: str, value: str, body: str) -> str:
    """Return SQL of `body` in which `name` stands for `value`, computed once."""
    return f"list_extract(list_transform([{value}], lambda {name}: {body}), 1)"


def _translated(cell: str) -> str:
    return f"translate({cell}, '{_FOREIGN_DIGITS}{_FOREIGN_SIGNS}', '{'0123456789' * 3}{_PLAIN_SIGNS}')"


def _digits(cell: str) -> str:
    """Return SQL of a cell's digits, with a plus sign in front if it has one, or null if it is no number."""
    slow = f"regexp_replace(regexp_extract({_translated(cell)}, {literal(f'^{_NUMBER}$')}, 1), '[^0-9+]', '', 'g')"
    checked = _let("s", slow, f"CASE WHEN regexp_full_match(s, {literal(_DIGITS)}) THEN s END")
    return _let(
        "b", f"translate({cell}, ' ().-/', '')",
        f"CASE WHEN regexp_full_match(b, {literal(_DIGITS)}) THEN b ELSE {checked} END",
    )  # fmt: skip


def _e164(d: str, country: str | None, codes: Sequence[str] | None, regions: Sequence[str]) -> str:
    """Return SQL of digits, the name of a column or a variable, as E.164."""
    written = [code for code in (codes if codes is not None else _CODES) if code in _CODES]
    known = [name for name in sorted(regions) if calling_code_of(name)] if country is not None else []
    # First what stands behind the sign or the prefix for calls abroad, if there is one; else as dialled at home.
    abroad = " ".join(
        f"WHEN {literal(name)} THEN {_behind(d, _metadata(name).international_prefix or '00')}"
        for name in known
    )
    anywhere = (
        f"CASE WHEN regexp_full_match({d}, '00[1-9][0-9]{{6,14}}') THEN substr({d}, 3) "
        f"WHEN regexp_full_match({d}, '011[1-9][0-9]{{8,14}}') THEN substr({d}, 4) END"
    )
    by_country = f"WHEN r IS NOT NULL THEN CASE r {abroad} END" if abroad else ""
    outside = f"CASE WHEN starts_with({d}, '+') THEN substr({d}, 2) {by_country} ELSE {anywhere} END"
    home = " ".join(f"WHEN {literal(name)} THEN {_of_region(d, name)}" for name in known)
    national = f"CASE r {home} END" if home else "NULL::VARCHAR"
    body = _let("i", outside, f"CASE WHEN i IS NOT NULL THEN {_with_code('i', written)} ELSE {national} END")
    return body if country is None else _let("r", country, body)


def _behind(digits: str, prefix: str) -> str:
    """Return SQL of the digits behind a prefix for calls abroad, null where they do not begin with it."""
    stripped = f"regexp_replace({digits}, {literal(f'^(?:{prefix})')}, '')"
    return f"CASE WHEN regexp_matches({digits}, {literal(f'^(?:{prefix})[1-9]')}) THEN {stripped} END"


def _code(digits: str) -> str:
    return f"regexp_extract({digits}, {literal(f'^({_ALL_CODES})')}, 1)"


def _with_code(digits: str, codes: Sequence[str]) -> str:
    """Return SQL of digits that begin with a calling code as E.164, without a national prefix behind it."""
    branches = []
    for code in codes:
        name = phonenumbers.region_code_for_country_code(int(code))
        if name == "001" or not _metadata(name).national_prefix_for_parsing:
            continue
        rest = f"substr(x, {len(code) + 1})"
        branches.append(f"WHEN {literal(code)} THEN {literal('+' + code)} || {_without_prefix(rest, name)}")
    if not branches:
        return f"('+' || {digits})"
    return _let("x", digits, f"CASE {_code('x')} {' '.join(branches)} ELSE '+' || x END")


def _of_region(digits: str, name: str) -> str:
    """Return SQL of digits as they are dialled inside a country as E.164."""
    code = calling_code_of(name) or ""
    metadata = _metadata(name)
    general = literal(_pattern(metadata.general_desc))
    longest = max(_lengths(metadata))
    rest = _without_prefix(f"substr({digits}, {len(code) + 1})", name)
    # The calling code may stand there without a sign: 49 30 1234567.
    spoken = (
        f"starts_with({digits}, '{code}') AND (length({digits}) > {longest} OR "
        f"(NOT regexp_full_match({digits}, {general}) AND regexp_full_match({rest}, {general})))"
    )
    return f"'+{code}' || CASE WHEN {spoken} THEN {rest} ELSE {_without_prefix(digits, name)} END"


def _without_prefix(number: str, name: str) -> str:
    """Return SQL of a national number without the prefix dialled inside its country, as libphonenumber takes it off."""
    metadata = _metadata(name)
    prefix = metadata.national_prefix_for_parsing
    if not prefix:
        return number
    start, general = literal(f"^(?:{prefix})"), literal(_pattern(metadata.general_desc))
    lengths = _lengths(metadata)
    stripped = f"regexp_replace(n, {start}, '')"
    groups = re.compile(prefix).groups
    if metadata.national_prefix_transform_rule and groups:
        stripped = (
            f"CASE WHEN regexp_extract(n, {start}, {groups}) <> '' "
            f"THEN regexp_replace(n, {start}, {literal(metadata.national_prefix_transform_rule)}) ELSE {stripped} END"
        )
    possible = f"(length(s) IN ({', '.join(map(str, lengths))}) OR length(s) > {max(lengths)})"
    kept = (
        f"CASE WHEN {possible} AND (regexp_full_match(s, {general}) OR NOT regexp_full_match(n, {general})) "
        "THEN s ELSE n END"
    )
    return _let(
        "n", number, f"CASE WHEN regexp_matches(n, {start}) THEN {_let('s', stripped, kept)} ELSE n END"
    )


@cache
def _plan(code: str) -> str:
    """Return the pattern of the national numbers in use under a calling code, in all its countries."""
    found: dict[str, None] = {}
    for name in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]:
        metadata = PhoneMetadata.metadata_for_nongeo_region(int(code)) if name == "001" else _metadata(name)
        for type_ in _TYPES:
            if pattern := _pattern(getattr(metadata, type_)):
                found[pattern] = None
    return "|".join(found)


def _pattern(description: PhoneNumberDesc | None) -> str:
    return (description.national_number_pattern or "") if description is not None else ""


def _lengths(metadata: PhoneMetadata) -> tuple[int, ...]:
    general = metadata.general_desc
    return (general.possible_length if general is not None else ()) or (17,)


def _metadata(name: str) -> PhoneMetadata:
    found = PhoneMetadata.metadata_for_region(name)
    assert found is not None, name  # noqa: S101  # every region that is asked for has one
    return found


_PLUS = r"\+"
_CODES = tuple(map(str, sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)))
_ALL_CODES = "|".join(_CODES)

"""E-mail addresses and telephone numbers: the same verdicts as the libraries that look at them one by one."""

import unicodedata
from collections.abc import Iterator, Sequence

import duckdb
import phonenumbers
import pyarrow as pa
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from crm.errors import InvalidValue
from crm.imports.addresses import (
    calling_code_of,
    email_key_sql,
    email_problem_sql,
    phone_e164_sql,
    phone_key_sql,
    phone_problem_sql,
    phone_valid_sql,
    phones,
)
from crm.imports.countries import checked_country, country_of
from crm.imports.values import Cells

connection = duckdb.connect(":memory:")


def of_each(sql: str, cells: Sequence[str], countries: Sequence[str] | None = None) -> list[object]:
    """Return what an expression over `cell` and `country` gives for each cell."""
    table = pa.table(
        {
            "n": range(len(cells)),
            "cell": pa.array(cells, pa.string()),
            "country": pa.array(countries or [None] * len(cells), pa.string()),
        }
    )
    connection.register("given", table)
    rows = connection.execute(f"SELECT {sql} FROM given ORDER BY n").fetchall()
    return [row[0] for row in rows]


# --- e-mail --------------------------------------------------------------------------------------------


def is_address(text: str) -> bool:
    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


LOCALS = [
    "anna", "anna.berg", "anna+shop", "a", "A.B-C_d", "o'hara", "!#$%&'*+-/=?^_`{|}~", "1", ".anna", "anna.", "an..na",
    "an na", "an@na", "", "anna<x>", '"anna"', "an,na", "an;na", "an:na", "(anna)", "[anna]", "an\\na", "müller",
    "李雷", "анна", "an\tna", "an\u200bna", "an\u00a0na", "\u0301anna", "anna\u0301", "ann\u202ea", "x" * 64, "x" * 65,
    "x" * 200, "😀", "an＠na", "an\u3000na", "\ue000", "\U000e0fff",
]  # fmt: skip
DOMAINS = [
    "example.com", "Example.COM", "mail.example.co.uk", "example", "example.c", "example.123", "example.c0m",
    "example.co1", "1.2.3.4", "[1.2.3.4]", "127.0.0.1", "-example.com", "example-.com", "exa--mple.com",
    "ab--cd.com", "AB--cd.com", "x--y.com", "xa--b.com", "mail.ab--cd.com", "xn--bcher-kva.example", "xn--p1ai.xn--p1ai", "exa_mple.com", "example..com",
    ".example.com", "example.com.", "exam ple.com", "example,com", "example.com>", "münchen.de", "例子.中国", "例子。中国",
    "例子．com", "пример.рф", "😀.com", "x.test", "x.local", "x.LOCAL", "x.invalid", "x.localhost", "x.onion", "x.arpa", "localhost",
    "test", "mytest", "a.mytest", "a.localx", "x" * 63 + ".com", "x" * 64 + ".com", ".".join(["x" * 60] * 4) + ".com",
    "mail." + "y" * 64 + ".com", "a.b.c.d.e.f.g", "exam\u200bple.com", "\u0301a.com", "a@b.com", "a.com@", "مثال.إختبار", "ex\u0301ample.com",
    "日本.jp", "bücher.example", "ﬁ.com", "ss.de", "ß.de", "example.com/", "1.com", "9a.com", "a.b", "a.1b", "a.b1", "a.-b", "a.b-",
]  # fmt: skip


KNOWN = {
    # In other scripts a domain's letters are judged by kind, not by IDNA's tables: mail to these fails later.
    "1.אב.com": "left-to-right and right-to-left labels mixed",
    "xn--zzzz.com": "Punycode that stands for no letters",
    "㎘.com": "a sign that IDNA spells out as letters (kl)",
}
"""Domains judged otherwise than by email-validator, and why."""


def test_an_address_is_what_email_validator_accepts() -> None:
    cells = [f"{local}@{domain}" for local in LOCALS for domain in DOMAINS]
    cells += [*LOCALS, *DOMAINS[:20], "@", "a@", "@b.com", "a@b@c.com", "mailto:a@b.com", "Anna <a@b.com>"]
    cells = [cell.strip() for cell in cells if cell.strip()]
    problems = of_each(email_problem_sql("cell"), cells)
    assert len(cells) > 2500
    assert 200 < problems.count(False) < 1500
    differing = [
        cell for cell, problem in zip(cells, problems, strict=True) if problem is not (not is_address(cell))
    ]
    assert differing == []


@pytest.mark.parametrize("domain", KNOWN)
def test_where_the_verdict_on_an_address_differs_is_known(domain: str) -> None:
    (problem,) = of_each(email_problem_sql("cell"), [f"a@{domain}"])
    assert problem is is_address(f"a@{domain}"), "no difference any more"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.emails(),
            st.builds("{}@{}".format, st.text(min_size=1, max_size=12), st.sampled_from(DOMAINS[:12])),
            st.builds(
                "{}@{}".format,
                st.sampled_from(LOCALS[:8]),
                st.text("abcxyz0123456789-._ @", min_size=1, max_size=20),
            ),
        ),
        min_size=20,
        max_size=40,
    )
)
@example(["a@b.c--d.com", "a@x" + "-" * 2 + "y.de", "a@b." + "c" * 63, "é@b.de"])
def test_any_address_is_what_email_validator_accepts(given_cells: list[str]) -> None:
    cells = [cell.strip() for cell in given_cells if cell.strip() and "\0" not in cell]
    # What Unicode has assigned differs between this Python's tables and DuckDB's.
    cells = [cell for cell in cells if all(unicodedata.category(sign) != "Cn" for sign in cell)]
    wrong = of_each(email_problem_sql("cell"), cells)
    for cell, problem in zip(cells, wrong, strict=True):
        if all(ord(sign) < 0x250 for sign in cell.rpartition("@")[2]):
            assert bool(problem) != is_address(cell), cell


def test_the_key_of_an_address_is_its_lower_case() -> None:
    cells = [" Anna@Example.COM\u00a0", "a.b+c@x.de"]
    assert of_each(email_key_sql("cell"), cells) == ["anna@example.com", "a.b+c@x.de"]


# --- telephone -----------------------------------------------------------------------------------------

TYPES = (
    PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE, PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST, PhoneNumberType.VOIP, PhoneNumberType.PERSONAL_NUMBER, PhoneNumberType.PAGER,
    PhoneNumberType.UAN, PhoneNumberType.VOICEMAIL,
)  # fmt: skip


def numbers() -> Iterator[tuple[str, str | None]]:
    """Yield example numbers of all countries as people write them, each with the country it needs."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for type_ in TYPES:
            number = phonenumbers.example_number_for_type(region, type_)
            if number is None:
                continue
            code, bare = str(number.country_code), phonenumbers.national_significant_number(number)
            at_home = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
            yield phonenumbers.format_number(number, PhoneNumberFormat.E164), None
            yield phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL), None
            yield f"+{code} (0){bare}", None
            yield f"+{code} {at_home}", None
            yield f"+{code}{bare}1", None
            yield at_home, region
            yield code + bare, region
            yield bare[:-1], region
            for other in ("US", "DE", "AU", "JP"):
                yield phonenumbers.format_out_of_country_calling_number(number, other), other
    for code in phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS:
        number = phonenumbers.example_number_for_non_geo_entity(code)
        yield phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL), None


def as_the_library_reads(cell: str, region: str | None) -> tuple[str | None, bool]:
    try:
        number = phonenumbers.parse(cell, region)
    except phonenumbers.NumberParseException:
        return None, False
    return phonenumbers.format_number(number, PhoneNumberFormat.E164), phonenumbers.is_valid_number(number)


@pytest.mark.slow
def test_numbers_of_all_countries_are_read_as_libphonenumber_reads_them() -> None:
    given_cells = list(numbers())
    cells, regions = [cell for cell, _ in given_cells], [region or "" for _, region in given_cells]
    e164 = phone_e164_sql("cell", "nullif(country, '')")
    found = of_each(f"[{e164}, {phone_valid_sql(e164)}::VARCHAR]", cells, regions)
    differing = []
    for (cell, region), both in zip(given_cells, found, strict=True):
        expected, valid = as_the_library_reads(cell, region)
        assert isinstance(both, list)
        if (both[1] == "true") is not valid or (valid and both[0] != expected):
            differing.append((cell, region, both, expected, valid))
    assert len(given_cells) > 12_000
    assert len(differing) <= len(given_cells) * 0.001, differing[:20]


@pytest.mark.parametrize(
    ("cell", "country", "expected"),
    [
        ("+44 (0)20 7946 0000", None, "+442079460000"),
        ("0044 20 7946 0000", None, "+442079460000"),
        ("tel: +44-20-7946-0000 ext. 12", None, "+442079460000"),
        ("+44 20 7946 0000 x5", None, "+442079460000"),
        ("０１０－１２３４－５６７８", "KR", "+821012345678"),
        ("٠١٠١٢٣٤٥٦٧٨", "EG", "+201012345678"),
        ("13800138000", "CN", "+8613800138000"),
        ("8613800138000", "CN", "+8613800138000"),
        ("010-62552345转12", "CN", "+861062552345"),
        ("030/123456", "DE", "+4930123456"),
        ("06 12345678", "IT", "+390612345678"),
        ("(212) 555-0100", "US", "+12125550100"),
        ("011 44 20 7946 0000", "US", "+442079460000"),
        ("011 44 20 7946 0000", None, "+442079460000"),
        ("011 1234567", None, None),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("020 7946 0000", None, None),
        ("+999 1234567", None, "+9991234567"),
        ("no phone", "GB", None),
    ],
)
def test_a_number_is_read_as_people_write_it(cell: str, country: str | None, expected: str | None) -> None:
    region = f"'{country}'" if country else None
    assert of_each(phone_e164_sql("cell", region, regions=[country] if country else None), [cell]) == [
        expected
    ]


def test_what_cannot_be_a_number_is_a_problem_and_an_old_number_is_none() -> None:
    cells = ["call me", "123", "123456789012345678", "1-800-FLOWERS", "anna@example.com", "+", "12+345678", "020 1234; 020 5678 9012 3456 7",
             "1234", "+44 20 79460000", "(0)20 1234", "020 / 1234", "+49 30 123456 Durchwahl 9"]  # fmt: skip
    assert of_each(phone_problem_sql("cell"), cells) == [True] * 8 + [False] * 5


def test_the_key_of_a_number_is_the_same_however_it_is_written() -> None:
    cells = ["+44 20 7946 0000", "0044 (0)20 7946-0000", "020 7946 0000", "(020) 79460000"]
    assert of_each(phone_key_sql("cell", "'GB'", regions=["GB"]), cells) == ["+442079460000"] * 4
    assert of_each(phone_key_sql("cell"), cells)[2:] == ["02079460000"] * 2


def as_cells(columns: dict[str, list[str]]) -> Cells:
    connection.execute("DROP TABLE IF EXISTS raw")
    connection.register("columns_given", pa.table(columns))
    connection.execute("CREATE TABLE raw AS SELECT * FROM columns_given")
    return Cells(connection, "raw", list(columns))


def test_a_column_is_checked_by_the_country_of_each_row() -> None:
    cells = as_cells(
        {
            "phone": ["030 123456", "13800138000", "020 7946 0000", "", "+44 20 7946 0000", "+44 20 79"],
            "country": ["Deutschland", "中国", "", "", "FR", "DE"],
        }
    )
    found = phones(cells, "phone", country_source="country")
    rows = connection.execute(f"SELECT {found.e164}, {found.doubtful}, {found.problem} FROM raw").fetchall()
    assert [row[0] for row in rows] == [
        "+4930123456",
        "+8613800138000",
        None,
        None,
        "+442079460000",
        "+442079",
    ]
    assert [row[1] for row in rows] == [False, False, False, False, False, True]
    assert found.warnings == [
        "1 phone number without a country code was not checked; choose the country they are in to have them checked.",
        "1 phone number, such as +44 20 79, does not follow the numbering of its country and was kept.",
    ]
    assert phones(cells, "phone", country="gb", country_source="country").warnings[1:] == []
    assert phones(cells, "phone", country="GB").doubtful != found.doubtful


def test_a_column_without_any_country_is_counted_and_left_alone() -> None:
    cells = as_cells({"phone": [f"020 7946 {number:04}" for number in range(312)]})
    assert phones(cells, "phone").warnings == [
        "312 phone numbers without a country code were not checked; choose the country they are in to have them checked."
    ]


def test_only_the_calling_codes_that_occur_are_looked_for() -> None:
    cells = as_cells({"phone": ["+44 20 7946 0000", "0049 30 123456", "011 81 3 1234 5678"]})
    found = phones(cells, "phone", country="US")
    assert found.warnings == [
        "1 phone number, such as 0049 30 123456, does not follow the numbering of its country and was kept."
    ]
    assert "'44'" in found.e164
    assert "'66'" not in found.e164


# --- countries -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Germany", "DE"), ("DEUTSCHLAND", "DE"), ("德国", "DE"), ("deu", "DE"), ("U.K.", "GB"), ("England", "GB"),
        ("中国大陆", "CN"), ("Côte d'Ivoire", "CI"), ("The Netherlands", "NL"), (" us ", "US"), ("日本", "JP"),
        ("NA", None), ("Namibia", "NA"), ("Atlantis", None), ("", None),
    ],
)  # fmt: skip
def test_a_country_is_known_by_code_and_name(text: str, code: str | None) -> None:
    assert country_of(text) == code


def test_every_region_with_telephones_is_a_country() -> None:
    assert {
        country_of(code) or "NA" for code in phonenumbers.SUPPORTED_REGIONS
    } == phonenumbers.SUPPORTED_REGIONS
    assert calling_code_of("GB") == "44"
    assert calling_code_of("cn") == "86"
    assert calling_code_of("ZZ") is None
    assert checked_country("na") == "NA"
    with pytest.raises(InvalidValue, match="Atlantis"):
        checked_country("Atlantis")

"""Cells as people write them: dates, numbers, what is asked, and what is refused."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.errors import InvalidValue
from crm.formulas import guard, unguard
from crm.imports.values import (
    HOW_TO_WRITE,
    NO,
    YES,
    Cells,
    Question,
    can_be,
    checked_options,
    dates,
    numbers,
    unguarded_sql,
)

connection = duckdb.connect(":memory:")


def cells_of(*cells: str) -> Cells:
    connection.execute("CREATE OR REPLACE TABLE raw (n INTEGER, cell VARCHAR)")
    connection.executemany("INSERT INTO raw VALUES (?, ?)", list(enumerate(cells)))
    return Cells(connection, "raw", ["cell"])


def moments(*cells: str, order: str | None = None, counted: str | None = None) -> list[datetime | None]:
    found = dates(cells_of(*cells), ["cell"], order=order, latest_year=2026, numbers=counted)
    return [
        row[0] for row in connection.execute(f"SELECT {found.sql['cell']} FROM raw ORDER BY n").fetchall()
    ]


def amounts(*cells: str, decimal: str | None = ".") -> list[Decimal | None]:
    sql = numbers(cells_of(*cells), ["cell"], decimal=decimal).sql["cell"]
    rows = connection.execute(f"SELECT TRY_CAST({sql} AS DECIMAL(24,4)) FROM raw ORDER BY n").fetchall()
    return [row[0] for row in rows]


def at(*parts: int) -> datetime:
    return datetime(*parts)  # noqa: DTZ001


# --- dates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        "4. März 2025", "4. Mrz. 2025", "04 maart 2025", "4 mrt. 2025", "4 mars 2025", "Mardi 4 mars 2025", "mardi, 4 mars 2025",
        "4 de marzo de 2025", "mar 4 mar 2025", "4 marzo 2025", "4 de março de 2025", "terça-feira 4 março 2025", "Di., 4. März 2025",
        "4-mrt-25", "4/març/2025".replace("març", "mars"), "March 4, 2025", "4 mar 2025", "４ mars ２０２５", "２０２５年３月４日", "２０２５－３－４",
        "Tuesday, March 4, 2025", "4 MÄRZ 2025",
    ],
)  # fmt: skip
def test_a_month_is_known_by_its_name_in_seven_languages(cell: str) -> None:
    assert moments(cell, "2025-01-01")[0] == at(2025, 3, 4)


@pytest.mark.parametrize(
    ("names", "month"),
    [
        ("januar jänner janvier enero gennaio janeiro januari", 1), ("février febr febrero febbraio fevereiro februari", 2),
        ("avril abril aprile april", 4), ("mai mayo maggio maio mei", 5), ("juni juin junio giugno junho", 6),
        ("juli juillet julio luglio julho", 7), ("août agosto augustus", 8),
        ("sept septembre septiembre settembre setembro", 9), ("oktober octobre octubre ottobre outubro", 10),
        ("novembre noviembre novembro", 11), ("dezember décembre diciembre dicembre dezembro", 12),
    ],
)  # fmt: skip
def test_every_month_is_known_in_every_language(names: str, month: int) -> None:
    written = [name for name in names.split() if name != "febr"]
    assert moments(*(f"4. {name} 2025 15:16" for name in written)) == [at(2025, month, 4, 15, 16)] * len(
        written
    )


def test_a_month_of_no_language_is_no_date() -> None:
    assert moments("4 Smarch 2025", "4 ma 2025", "4. Märzen 2025", "2025-01-01")[:3] == [None] * 3


def test_days_of_a_spreadsheet_are_asked_about_and_read() -> None:
    cells = ["45000", "45000.5", "45001", "2025-03-04"]
    with pytest.raises(Question) as asked:
        moments(*cells)
    assert asked.value.option == "date_numbers"
    assert [answer for answer, _ in asked.value.choices] == ["excel", "no"]
    assert moments(*cells, counted="excel") == [
        at(2023, 3, 15), at(2023, 3, 15, 12), at(2023, 3, 16), at(2025, 3, 4),
    ]  # fmt: skip
    assert moments(*cells, counted="no") == [None, None, None, at(2025, 3, 4)]


@pytest.mark.parametrize(
    ("cell", "answer", "moment"),
    [("1700000000", "seconds", at(2023, 11, 14, 22, 13, 20)), ("1700000000250", "milliseconds", at(2023, 11, 14, 22, 13, 20, 250000))],
)  # fmt: skip
def test_seconds_of_a_computer_are_asked_about_and_read(cell: str, answer: str, moment: datetime) -> None:
    with pytest.raises(Question) as asked:
        moments(cell, cell)
    assert [name for name, _ in asked.value.choices] == [answer, "no"]
    assert moments(cell, counted=answer) == [moment]


def test_a_few_numbers_among_dates_are_not_asked_about() -> None:
    assert moments("45000", "2025-03-04", "2025-03-05") == [None, at(2025, 3, 4), at(2025, 3, 5)]
    assert moments("99999", "99998") == [None, None], "no day that a spreadsheet would show"


def test_what_numbers_were_read_as_is_said() -> None:
    found = dates(cells_of("45000"), ["cell"], order=None, latest_year=2026, numbers="excel")
    assert found.sentences == ["Numbers in “cell” were read as days as spreadsheets count them."]
    assert found.unread == {}
    assert found.examples == {"cell": "45000"}


# --- numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("１２３", "123"), ("￥１，２３４．５", "1234.5"), ("－３", "-3"), ("（１２．５０）", "-12.5"), ("1’234.50", "1234.5"),
        ("1.2万", "12000"), ("12万", "120000"), ("￥3.5万元", "35000"), ("-1.5千", "-1500"), ("2亿", "200000000"),
        ("1,234.5万", "12345000"), ("1e5", "100000"), ("1.5E+3", "1500"), ("¥1,200", "1200"), ("12-", "-12"),
    ],
)  # fmt: skip
def test_a_number_is_read_as_people_write_it(cell: str, number: str) -> None:
    assert amounts(cell) == [Decimal(number)]


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1 234,56", "1234.56"), ("1’234,56", "1234.56"), ("１．２３４，５６", "1234.56"), ("1\u202f234,5 €", "1234.5"), ("(1.234,50)", "-1234.5")],
)  # fmt: skip
def test_a_number_with_a_decimal_comma_is_read(cell: str, number: str) -> None:
    assert amounts(cell, decimal=",") == [Decimal(number)]
    assert amounts(cell, "1,5", decimal=None)[0] == Decimal(number)


@pytest.mark.parametrize(
    "cell",
    ["12%", "１２％", "1.2.3", "1,2,3.4.5", "--5", "(-5)", "-(5)", "- -5", "5--", "-5-", "12万5", "万", "1.2 million", "1万2千", "10,00万",
     "1,2.3", "1.2k", "五", "1_000", "12 34", "1 2", ".", "-", "¥", "1e", "e5", "1e5.5", "1e555", "0x1F", "∞", "½"],
)  # fmt: skip
def test_what_is_no_number_is_not_taken_for_one(cell: str) -> None:
    assert amounts(cell) == [None]
    assert amounts(cell, decimal=",") == [None] or cell in {"10,00万"}


def test_ten_thousands_need_a_decimal_point() -> None:
    assert amounts("1,2万", "3,5", decimal=",") == [None, Decimal("3.5")]
    assert amounts("1,2万") == [None]


@given(st.decimals(-(10**9), 10**9, places=2), st.sampled_from([".", ","]))
def test_a_number_grouped_in_thousands_is_itself(number: Decimal, mark: str) -> None:
    written = f"{number:,}"
    if mark == ",":
        written = written.translate(str.maketrans(",.", ".,"))
    wide = written.translate({ord(sign): ord(sign) + 0xFEE0 for sign in "0123456789.,-"})
    assert amounts(written, wide, decimal=mark) == [number, number]


# --- answers, constants and the guard ------------------------------------------------------------------


def test_options_are_checked() -> None:
    given_options = {"date_numbers": "excel", "key": "email", "country": "Deutschland", "decimal": ","}
    assert checked_options(given_options) == {**given_options, "country": "DE"}
    assert checked_options(None) == {}
    with pytest.raises(InvalidValue, match="country “Atlantis”"):
        checked_options({"country": "Atlantis"})
    with pytest.raises(InvalidValue, match="“key” cannot be “name”"):
        checked_options({"key": "name"})
    with pytest.raises(InvalidValue, match="no option “colour”"):
        checked_options({"colour": "red"})


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("text", ["EUR", "1"], ["", "  "]),
        ("timestamp", ["2025-03-04", "04.03.2025", "3/25/2025 3:04 PM"], ["yesterday", "2025-13-41", "45000", "0001-01-01", ""]),
        ("date", ["1990-05-06"], ["soon"]),
        ("money", ["12.50", "12,50", "¥1,200"], ["free", "12%"]),
        ("integer", ["3"], ["3.5", "x"]),
        ("number", ["3.5"], ["three"]),
        ("yes/no", ["yes", "否", "TRUE"], ["maybe", "2"]),
    ],
)  # fmt: skip
def test_a_text_for_every_row_has_to_be_a_value(type_: str, good: list[str], bad: list[str]) -> None:
    check: Callable[..., bool] = can_be
    assert [check(type_, text) for text in good] == [True] * len(good)
    assert [check(type_, text) for text in bad] == [False] * len(bad)
    assert HOW_TO_WRITE[type_]  # type: ignore[index]


def test_no_word_means_yes_and_no() -> None:
    assert not set(YES) & set(NO)
    assert all(word == word.lower() for word in YES + NO)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8), max_size=30
    )
)
def test_the_guard_against_formulas_is_taken_off_as_the_export_put_it_on(texts: list[str]) -> None:
    texts = [
        *texts,
        *("'" + text for text in texts),
        *("=" + text for text in texts),
        "+4420",
        "-1",
        "'-1",
        "'=1",
        "''=1",
        "\t'=",
        "'@",
    ]
    cells_of(*texts, *map(guard, texts))
    rows = [
        row[0] for row in connection.execute(f"SELECT {unguarded_sql('cell')} FROM raw ORDER BY n").fetchall()
    ]
    assert rows[: len(texts)] == [unguard(text) for text in texts]
    assert rows[len(texts) :] == texts

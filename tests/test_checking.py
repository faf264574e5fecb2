"""Checking: every row is accepted, rejected with a reason, or skipped; what is open is asked."""

import csv
import io
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.errors import ClienteleError, InvalidValue, MissingColumns, UnreadableFile
from crm.imports import checking
from crm.imports.checking import Checked, Question, check, write_rejects
from crm.imports.mapping import REJECT_COLUMNS, Mapping, guess
from crm.imports.reading import RawTable, detect, identifier, read, sample
from crm.schema import CONTACT_COLUMNS, ORDERS, RESPONSES, Kind
from tests.conftest import SHARED

TODAY = date(2026, 6, 1)


def at(*parts: int) -> datetime:
    """Return a moment of the source's clock, which has no zone."""
    return datetime(*parts)  # noqa: DTZ001


class Shop:
    """A folder and a connection in which small files are read and checked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = duckdb.connect()
        self.raw: RawTable

    def read(self, path: Path) -> RawTable:
        self.raw = read(
            path, detect(path), connection=self.connection, table="raw", scratch=self.folder / "scratch"
        )
        return self.raw

    def check(
        self, text: str, kind: Kind = "orders", columns: dict[str, str] | None = None, **options: str
    ) -> Checked:
        path = self.folder / "file.csv"
        path.write_bytes(text.encode())
        raw = self.read(path)
        mapping = (
            Mapping(kind, columns)
            if columns
            else guess(kind, raw.columns, sample(self.connection, raw)).mapping
        )
        return check(self.connection, raw, mapping, options, today=TODAY)

    def rows(self, table: str | None, columns: str) -> list[Any]:
        assert table is not None
        found = self.connection.execute(f"SELECT {columns} FROM {identifier(table)} ORDER BY ALL").fetchall()
        return [row[0] if len(row) == 1 else row for row in found]

    def reasons(self, checked: Checked) -> list[tuple[int, str, str, str]]:
        return self.rows(checked.rejected_table, '_line, "column", value, reason')


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    opened = Shop(tmp_path)
    yield opened
    opened.connection.close()


def orders(*rows: str) -> str:
    return "order_id,customer_id,date,amount\n" + "\n".join(rows) + "\n"


# --- shape -----------------------------------------------------------------------------------------------


def as_stored(schema: pa.Schema) -> list[tuple[str, str]]:
    names = {"string": "VARCHAR", "int32": "INTEGER", "timestamp[us]": "TIMESTAMP", "bool": "BOOLEAN",
             "decimal128(18, 4)": "DECIMAL(18,4)"}  # fmt: skip
    return [(field.name, names[str(field.type)]) for field in schema if field.name != "import_id"]


def described(shop: Shop, table: str | None) -> list[tuple[str, str]]:
    assert table is not None
    return [row[:2] for row in shop.connection.execute(f"DESCRIBE {identifier(table)}").fetchall()]


PLACES = [("_row", "BIGINT"), ("_line", "BIGINT")]


def test_accepted_rows_have_the_columns_and_types_of_the_lake(shop: Shop) -> None:
    checked = shop.check("customer,date,amount,feedback,recommendation\nc1,2025-01-01,5,fine,9\n")
    assert described(shop, checked.accepted_table) == as_stored(ORDERS) + PLACES
    assert described(shop, checked.responses_table) == as_stored(RESPONSES)
    checked = shop.check("customer,date,feedback\nc1,2025-01-01,fine\n", "responses")
    assert described(shop, checked.accepted_table) == as_stored(RESPONSES) + PLACES
    checked = shop.check("customer,name\nc1,Ann\n", "contacts")
    types = {
        "text": "VARCHAR",
        "date": "DATE",
        "integer": "INTEGER",
        "money": "DECIMAL(18,4)",
        "yes/no": "BOOLEAN",
    }
    assert described(shop, checked.accepted_table) == [
        (column.name, types[column.type]) for column in CONTACT_COLUMNS
    ] + PLACES  # fmt: skip


def test_a_checked_order_file(shop: Shop) -> None:
    checked = shop.check(
        orders("A1,c1,2025-01-02 10:30,12.50", "A1,c1,2025-01-02 10:30,-2.5", "A2,c2,2025-02-03 00:00,7")
    )
    assert (checked.rows_read, checked.accepted, checked.rejected, checked.skipped) == (3, 3, 0, 0)
    assert shop.rows(checked.accepted_table, 'order_id, customer_id, ordered_at, "day", amount, _line') == [
        ("A1", "c1", at(2025, 1, 2, 10, 30), 20090, Decimal("-2.5000"), 3),
        ("A1", "c1", at(2025, 1, 2, 10, 30), 20090, Decimal("12.5000"), 2),
        ("A2", "c2", at(2025, 2, 3), 20122, Decimal("7.0000"), 4),
    ]
    assert checked.responses_table is None
    said = " ".join(checked.assumed)
    for word in (
        "UTF-8",
        "commas",
        "names the columns",
        "Customer ID from “customer_id”",
        "year, month, day",
        "point",
    ):
        assert word in said
    assert checked.warnings == ()


# --- rows that cannot be accepted ------------------------------------------------------------------------


def test_a_row_is_rejected_for_the_first_reason_with_its_line_and_value(shop: Shop) -> None:
    checked = shop.check(
        orders("A1,,2025-01-01,5", "A2, \u3000,soon,x", f"A3,{'x' * 256},2025-01-01,5", ",c1,2025-01-01,5",
               "A5,c1,,5", "A6,c1,2025-02-30,5", "A7,c1,soon,x", "A8,c1,2025-01-01,", "A9,c1,2025-01-01,five",
               "B1,c1,2025-01-01,123456789012345", "B2,c1,0001-01-01,5", "B3,c1,2025-01-01,1,2", "B4,c1,2025-01-02,5")
    )  # fmt: skip
    assert [(line, column, reason) for line, column, _, reason in shop.reasons(checked)] == [
        (2, "customer_id", "The customer ID is empty."),
        (3, "customer_id", "The customer ID is empty."),
        (4, "customer_id", "The customer ID is longer than 255 characters."),
        (5, "order_id", "The order ID is empty."),
        (6, "date", "The order date is empty."),
        (7, "date", "The order date cannot be read as a date."),
        (8, "date", "The order date cannot be read as a date."),
        (9, "amount", "The amount is empty."),
        (10, "amount", "The amount is not a number."),
        (11, "amount", "The amount is too large to be kept exactly."),
        (12, "date", "The order date is not between the years 1900 and 2100."),
        (13, "", "The row has 5 cells instead of 4."),
    ]
    assert [value for _, _, value, _ in shop.reasons(checked)][5:7] == ["2025-02-30", "soon"]
    assert all(shop.rows(checked.rejected_table, "advice"))
    assert (checked.rows_read, checked.accepted, checked.rejected) == (13, 1, 12)


def test_identifiers_are_kept_byte_for_byte(shop: Shop) -> None:
    ids = ["00123", "123", "NA", "Null", "+44 1", "1e5", " 7", "7", "12345678901234567890", "Ä", "C1", "c1"]
    checked = shop.check(orders(*(f"o{n},{name},2025-01-01,1" for n, name in enumerate(ids))))
    assert shop.rows(checked.accepted_table, "customer_id") == sorted(ids)
    assert any("1 customer ID with blanks" in warning for warning in checked.warnings)


def test_lines_of_an_order_that_began_with_another_customer_are_rejected(shop: Shop) -> None:
    checked = shop.check(
        orders(
            "A1,zoe,2025-01-01,1",
            "A1,ann,2025-01-01,2",
            "A1,zoe,2025-01-01,3",
            "A2,,2025-01-01,4",
            "A2,ann,2025-01-01,4",
        )
    )
    assert shop.rows(checked.accepted_table, "order_id, customer_id, amount") == [
        ("A1", "zoe", Decimal(1)), ("A1", "zoe", Decimal(3)), ("A2", "ann", Decimal(4)),
    ]  # fmt: skip
    assert (3, "customer_id", "ann", "The order A1 belongs to customer zoe.") in shop.reasons(checked)
    assert any(
        "2 orders with some lines accepted and some rejected" in warning for warning in checked.warnings
    )


def test_a_file_without_any_date_is_refused(shop: Shop) -> None:
    with pytest.raises(UnreadableFile, match=r"No cell of “date” can be read as a date\. Found: “soon”"):
        shop.check(orders("A1,c1,soon,5", "A2,c1,,5"))
    with pytest.raises(UnreadableFile, match="all are empty"):
        shop.check(orders("A1,c1,,5", "A2,c1,,5"))


def test_a_missing_column_is_refused(shop: Shop) -> None:
    with pytest.raises(MissingColumns, match="order date"):
        shop.check("customer,total\nc1,5\n")


def test_counts_that_do_not_add_up_stop_the_import(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking._Check, "_reject", lambda self: self._connection.execute(
        f"CREATE TABLE {self._rejected} (_row BIGINT)"))  # fmt: skip
    with pytest.raises(ClienteleError, match="does not add up"):
        shop.check(orders("A1,,2025-01-01,5", "A1,c1,2025-01-01,5"))


# --- dates -----------------------------------------------------------------------------------------------

MARCH_4 = at(2025, 3, 4)


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2025-03-04", MARCH_4),
        ("2025-3-4", MARCH_4),
        ("2025/03/04", MARCH_4),
        ("2025.3.4", MARCH_4),
        ("20250304", MARCH_4),
        ("20250304151617", at(2025, 3, 4, 15, 16, 17)),
        ("2025年3月4日", MARCH_4),
        ("2025年03月04日 15:16", at(2025, 3, 4, 15, 16)),
        ("2025年3月4日 下午3:16", at(2025, 3, 4, 15, 16)),
        ("2025-03-04 15:16:17", at(2025, 3, 4, 15, 16, 17)),
        ("2025-03-04T15:16:17.25", at(2025, 3, 4, 15, 16, 17, 250000)),
        ("2025-03-04T15:16:17.1234567Z", at(2025, 3, 4, 15, 16, 17, 123456)),
        ("2025-03-04 15:16:17+08:00", at(2025, 3, 4, 15, 16, 17)),
        ("2025-03-04 15:16:17 UTC", at(2025, 3, 4, 15, 16, 17)),
        ("2025/3/4 3:16 PM", at(2025, 3, 4, 15, 16)),
        ("2025-03-04 12:16:17am", at(2025, 3, 4, 0, 16, 17)),
        ("4 Mar 2025", MARCH_4),
        ("04-Mar-2025", MARCH_4),
        ("04-Mar-25", MARCH_4),
        ("March 4 2025 15:16", at(2025, 3, 4, 15, 16)),
        ("4th March 2025", MARCH_4),
        ("Tue 4 Mar 2025 15:16:17 +0000", at(2025, 3, 4, 15, 16, 17)),
        ("04.03.2025", MARCH_4),
        ("4.3.25 15:16", at(2025, 3, 4, 15, 16)),
        (" 2025-03-04 ", MARCH_4),
        ("2025-03-04\u202f3:16\u00a0PM", at(2025, 3, 4, 15, 16)),
    ],
)
def test_dates_as_people_write_them(cell: str, moment: datetime, shop: Shop) -> None:
    checked = shop.check(orders(f"A1,c1,{cell},5", "A2,c1,2025-01-01,6"))
    assert shop.rows(checked.accepted_table, "order_id, ordered_at")[0] == ("A1", moment)


@pytest.mark.parametrize(
    "cell",
    ["2025-13-01", "2025-02-29", "20251301", "0304", "2025", "45000", "1741046400", "12:30", "4 Marzec 2025", "2025-03-04 25:00",
     "2025-03", "4 Smarch 2025", "2025-03-04x", "2025-03-0412:00", "-", "N/A"],
)  # fmt: skip
def test_what_is_no_date_is_rejected(cell: str, shop: Shop) -> None:
    checked = shop.check(orders(f"A1,c1,{cell},5", "A2,c1,2025-01-01,6"))
    assert [reason for *_, reason in shop.reasons(checked)] == ["The order date cannot be read as a date."]


def test_a_day_beyond_12_anywhere_in_the_column_settles_the_order(shop: Shop) -> None:
    rows = [f"A{n},c1,0{n % 9 + 1}/04/2025,5" for n in range(3000)]
    checked = shop.check(orders(*rows, "Z,c1,25/04/2025,5"))
    assert shop.rows(checked.accepted_table, "DISTINCT month(ordered_at)") == [4]
    assert any("day, month, year (which 25/04/2025 proves)" in line for line in checked.assumed)
    checked = shop.check(orders("A1,c1,03/04/2025 3:05 PM,5", "A2,c1,03/25/2025 11:00 AM,5"))
    assert shop.rows(checked.accepted_table, "ordered_at")[0] == at(2025, 3, 4, 15, 5)


def test_a_column_that_fits_both_orders_is_asked(shop: Shop) -> None:
    text = orders("A1,c1,03/04/2025,5", "A2,c1,05/06/2025,5")
    with pytest.raises(Question, match="day first or month first") as asked:
        shop.check(text)
    question = asked.value
    assert (question.option, question.field) == ("date_order", "date")
    assert [answer for answer, _ in question.choices] == ["dmy", "mdy"]
    assert "03/04/2025" in question.examples
    assert shop.rows(shop.check(text, date_order="dmy").accepted_table, "ordered_at")[0] == at(2025, 4, 3)
    checked = shop.check(text, date_order="mdy")
    assert shop.rows(checked.accepted_table, "ordered_at")[0] == MARCH_4
    assert any("as chosen" in line for line in checked.assumed)


def test_a_column_of_both_orders_is_asked_and_the_rest_rejected(shop: Shop) -> None:
    text = orders("A1,c1,13/04/2025,5", "A2,c1,04/13/2025,5")
    with pytest.raises(Question, match="can only be read day first"):
        shop.check(text)
    checked = shop.check(text, date_order="dmy")
    assert shop.rows(checked.accepted_table, "order_id") == ["A1"]
    assert [value for _, _, value, _ in shop.reasons(checked)] == ["04/13/2025"]


def test_dates_that_are_the_same_either_way_are_not_asked(shop: Shop) -> None:
    assert shop.check(orders("A1,c1,01/01/2025,5", "A2,c1,02/02/2025,5")).accepted == 2


def test_a_time_zone_is_left_out_and_said(shop: Shop) -> None:
    checked = shop.check(orders("A1,c1,2025-03-04T23:30:00+02:00,5"))
    assert shop.rows(checked.accepted_table, "ordered_at") == [at(2025, 3, 4, 23, 30)]
    assert any("time zone" in line and "left out" in line for line in checked.assumed)


def test_years_of_two_digits_lie_in_the_past(shop: Shop) -> None:
    checked = shop.check("customer,birthday\nc1,13/02/45\nc2,13/02/26\nc3,13/02/27\n", "contacts")
    assert shop.rows(checked.accepted_table, "birth_date") == [
        date(1927, 2, 13), date(1945, 2, 13), date(2026, 2, 13),
    ]  # fmt: skip
    assert any("1927 to 2026" in line for line in checked.assumed)


# --- numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1,234.56", "1234.56"), ("1,234,567.8", "1234567.8"), ("(12.50)", "-12.5"), ("12-", "-12"), ("¥1,200.00", "1200"),
        ("￥88元", "88"), ("-$5.10", "-5.1"), ("$-5.10", "-5.1"), ("US$ 12", "12"), ("12.00 USD", "12"), (".5", "0.5"), ("5.", "5"),
        ("+3", "3"), ("−3", "-3"), ("1 234.5", "1234.5"), ("1'234.50", "1234.5"), ("1e-03", "0.001"), ("0.00005", "0.0001"),
        ("-0.00005", "-0.0001"), ("0.00004999999999", "0"), ("99999999999999.9999", "99999999999999.9999"), ("1,00,000.00", "100000"),
        (" 7 ", "7"), ("0", "0"),
    ],
)  # fmt: skip
def test_numbers_with_a_decimal_point(cell: str, number: str, shop: Shop) -> None:
    checked = shop.check(orders(f'A1,c1,2025-01-01,"{cell}"', "A2,c1,2025-01-01,1.5"))
    assert shop.rows(checked.accepted_table, "order_id, amount")[0] == ("A1", Decimal(number))


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1.234,56", "1234.56"), ("-3,20 €", "-3.2"), ("(1.000,00)", "-1000"), ("1.000", "1000"), ("1 234,5", "1234.5"), ("12", "12"),
     ("1.234.567", "1234567")],
)  # fmt: skip
def test_numbers_with_a_decimal_comma(cell: str, number: str, shop: Shop) -> None:
    text = f"order_id;customer;date;amount\nA1;c1;2025-01-01;{cell}\nA2;c1;2025-01-01;1,5\n"
    checked = shop.check(text)
    assert shop.rows(checked.accepted_table, "order_id, amount")[0] == ("A1", Decimal(number))
    assert any("decimal mark is the comma" in line for line in checked.assumed)


@pytest.mark.parametrize(
    "cell", ["12%", "--5", "(-5)", "1.2.3", "12a", "5 pieces", "1_000", "0x10", "1e400", "N/A", "nan", "inf", "5-5", "$"]
)  # fmt: skip
def test_what_is_no_number_is_rejected(cell: str, shop: Shop) -> None:
    checked = shop.check(orders(f"A1,c1,2025-01-01,{cell}", "A2,c1,2025-01-01,1.5"), decimal=".")
    assert [reason for *_, reason in shop.reasons(checked)] == ["The amount is not a number."]


def test_an_undecidable_decimal_mark_is_asked(shop: Shop) -> None:
    text = orders("A1,c1,2025-01-01,1.234", "A2,c1,2025-01-01,2.500", "A3,c1,2025-01-01,7")
    with pytest.raises(Question) as asked:
        shop.check(text)
    assert (asked.value.option, asked.value.field) == ("decimal", "amount")
    assert shop.rows(shop.check(text, decimal=".").accepted_table, "sum(amount)") == [Decimal("10.734")]
    assert shop.rows(shop.check(text, decimal=",").accepted_table, "sum(amount)") == [Decimal("3741")]


def test_one_telling_cell_anywhere_in_the_file_settles_the_decimal_mark(shop: Shop) -> None:
    text = "customer,date,quantity,unit_price\nc1,2025-01-01,1.250,2.99\nc1,2025-01-02,2.500,3.99\n"
    checked = shop.check(text)
    assert shop.rows(checked.accepted_table, "amount") == [Decimal("3.7375"), Decimal("9.9750")]


def test_both_decimal_marks_are_asked(shop: Shop) -> None:
    with pytest.raises(Question, match=r"decimal point.*decimal comma"):
        shop.check("order;customer;date;amount\nA;c;2025-01-01;1.5\nB;c;2025-01-01;1,5\n")


def test_unknown_options_are_refused(shop: Shop) -> None:
    with pytest.raises(InvalidValue, match="no option “colour”"):
        shop.check(orders("A1,c1,2025-01-01,5"), colour="red")
    with pytest.raises(InvalidValue, match="cannot be “ymd”"):
        shop.check(orders("A1,c1,2025-01-01,5"), date_order="ymd")


def test_a_product_is_exact_and_rounded_half_up_once(shop: Shop) -> None:
    text = (
        "customer,date,quantity,unit_price\nc1,2025-01-01,3,0.00125\nc1,2025-01-02,-1,0.00005\nc1,2025-01-03,0.1,0.2\n"
        "c1,2025-01-04,99999999999,99999999999\nc1,2025-01-05,,5\nc1,2025-01-06,2,\n"
    )
    checked = shop.check(text)
    assert shop.rows(checked.accepted_table, "ordered_at, amount, quantity") == [
        (at(2025, 1, 1), Decimal("0.0038"), Decimal(3)),
        (at(2025, 1, 2), Decimal("-0.0001"), Decimal(-1)),
        (at(2025, 1, 3), Decimal("0.0200"), Decimal("0.1")),
    ]
    assert [reason for *_, reason in shop.reasons(checked)] == [
        "Quantity × unit price is too large to be kept exactly.",
        "The quantity is empty.",
        "The unit price is empty.",
    ]
    assert any(
        "2 numbers of “unit_price” with more than 4 decimal places" in line for line in checked.warnings
    )


MONEY = st.decimals(-(10**9), 10**9, places=3)


@pytest.mark.slow
@given(lines=st.lists(st.tuples(st.integers(-5000, 5000), MONEY), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_amounts_equal_exact_arithmetic(lines: list[tuple[int, Decimal]], shop: Shop) -> None:
    text = "customer,date,quantity,unit_price\n" + "".join(f"c,2025-01-01,{q},{p:f}\n" for q, p in lines)
    checked = shop.check(text, decimal=".")
    found = shop.connection.execute(f"SELECT amount FROM {checked.accepted_table} ORDER BY _row").fetchall()
    assert [row[0] for row in found] == [
        (q * p).quantize(Decimal("0.0001"), ROUND_HALF_UP) for q, p in lines
    ]  # fmt: skip


# --- derived ids -----------------------------------------------------------------------------------------


def test_derived_order_ids_are_the_same_for_the_same_file(shop: Shop) -> None:
    text = "customer,date,amount\nb,2025-01-01 9:00,1\na,2025-01-01,2\nb,2025-01-01 8:00,3\nb,2025-01-02,4\nb,2025-01-01,x\nb,2025-01-01,5\n"
    checked = shop.check(text)
    first = shop.rows(checked.accepted_table, "order_id, amount")
    assert first == [
        ("~a~20250101~1", Decimal(2)), ("~b~20250101~1", Decimal(1)), ("~b~20250101~2", Decimal(3)),
        ("~b~20250101~4", Decimal(5)), ("~b~20250102~1", Decimal(4)),
    ]  # fmt: skip
    assert shop.rows(shop.check(text).accepted_table, "order_id, amount") == first
    assert any("does not number its orders" in line for line in checked.assumed)


ROW = st.tuples(
    st.sampled_from(["a", "b", "a~20250101", "~", " "]),
    st.sampled_from(["2025-01-01", "2025-01-02 10:00:00", "x"]),
    st.sampled_from(["1.5", "2", "x", ""]),
)


@pytest.mark.slow
@given(rows=st.lists(ROW, min_size=1, max_size=20), others=st.lists(ROW, max_size=10), seed=st.randoms())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_derived_ids_do_not_depend_on_other_customers(
    rows: list[tuple[str, ...]], others: list[tuple[str, ...]], seed: Any, shop: Shop
) -> None:
    def ids(table: list[tuple[str, ...]]) -> dict[str, list[str]]:
        text = "customer,date,amount\n" + "".join(
            ",".join(row) + "\n" for row in [*table, ("end", "2025-01-01", "9.5")]
        )
        checked = shop.check(text)
        found: dict[str, list[str]] = defaultdict(list)
        for customer, order_id in shop.connection.execute(
            f"SELECT customer_id, order_id FROM {checked.accepted_table} ORDER BY _row"
        ).fetchall():
            found[customer].append(order_id)
        assert max(Counter(name for names in found.values() for name in names).values()) == 1
        return found

    alone = ids(rows)
    mixed = [*rows]
    for other in others:
        mixed.insert(seed.randint(0, len(mixed)), ("z" + other[0], *other[1:]))
    together = ids(mixed)
    assert {customer: together[customer] for customer in alone} == dict(alone)


# --- answers ---------------------------------------------------------------------------------------------


def test_answers_in_an_order_file_make_one_response_an_order(shop: Shop) -> None:
    text = (
        "order_id,customer,date,amount,feedback,recommendation\n"
        "A,c1,2025-01-01,1,,\nA,c1,2025-01-01 9:00,1,good,9\nA,c1,2025-01-01,1,bad,3\n"
        "B,c2,2025-01-02,1, ,yes\nC,c3,2025-01-03,1,,\nD,c4,2025-01-04,1,,8\nE,c5,2025-01-05,1,,no\nF,,2025-01-05,1,lost,1\n"
    )
    checked = shop.check(text)
    assert shop.rows(
        checked.responses_table,
        'response_id, customer_id, order_id, "day", feedback, recommendation, recommended',
    ) == [
        ("~A", "c1", "A", 20089, "good", 9, True),
        ("~B", "c2", "B", 20090, None, None, True),
        ("~D", "c4", "D", 20092, None, 8, False),
        ("~E", "c5", "E", 20093, None, None, False),
    ]
    assert any("1 order with different answers" in line for line in checked.warnings)


def test_recommendations_on_no_scale_we_know_are_rejected(shop: Shop) -> None:
    text = "customer,date,recommendation\n" + "".join(
        f"c{n},2025-01-01,{value}\n"
        for n, value in enumerate(["0", "10", "8.0", "是", "否", "11", "-1", "7.5", "maybe", "150"])
    )
    checked = shop.check(text, "responses")
    assert shop.rows(checked.accepted_table, "customer_id, recommendation, recommended") == [
        ("c0", 0, False), ("c1", 10, True), ("c2", 8, False), ("c3", None, True), ("c4", None, False),
    ]  # fmt: skip
    assert [value for _, _, value, _ in shop.reasons(checked)] == ["11", "-1", "7.5", "maybe", "150"]


def test_a_scale_of_five_stars_is_asked_not_taken_for_ten(shop: Shop) -> None:
    text = "customer,date,recommendation\n" + "".join(f"c{n},2025-01-01,{n % 5 + 1}\n" for n in range(20))
    with pytest.raises(Question, match="from 1 to 5 only") as asked:
        shop.check(text, "responses")
    assert [answer for answer, _ in asked.value.choices] == ["0-10", "other"]
    assert shop.check(text, "responses", recommendation="0-10").accepted == 20
    assert shop.check(text, "responses", recommendation="other").rejected == 20


def test_zeros_and_ones_are_asked_unless_words_stand_beside_them(shop: Shop) -> None:
    text = "customer,date,recommendation\nc1,2025-01-01,1\nc2,2025-01-01,0\n"
    with pytest.raises(Question) as asked:
        shop.check(text, "responses")
    assert [answer for answer, _ in asked.value.choices] == ["0-10", "yes-no", "other"]
    checked = shop.check(text, "responses", recommendation="yes-no")
    assert shop.rows(checked.accepted_table, "recommendation, recommended") == [(None, False), (None, True)]
    checked = shop.check(text + "c3,2025-01-01,yes\n", "responses")
    assert shop.rows(checked.accepted_table, "recommended") == [False, True, True]


def test_a_scale_of_a_hundred_is_rejected_whole(shop: Shop) -> None:
    text = "customer,date,recommendation\n" + "".join(f"c{n},2025-01-01,{n * 5}\n" for n in range(20))
    assert shop.check(text, "responses").rejected == 20


def test_responses_get_derived_ids_or_keep_the_last_of_each(shop: Shop) -> None:
    checked = shop.check(
        "customer,date,comment\nc1,2025-01-01,a\nc1,2025-01-01,b\nc2,2025-01-01,\n", "responses"
    )
    assert shop.rows(checked.accepted_table, "response_id, feedback") == [
        ("~c1~20250101~1", "a"), ("~c1~20250101~2", "b"),
    ]  # fmt: skip
    assert [reason for *_, reason in shop.reasons(checked)] == [
        "The row holds neither feedback nor a recommendation."
    ]
    checked = shop.check(
        "response_id,customer,date,comment\nr1,c1,2025-01-01,a\nr1,c1,2025-01-02,b\n", "responses"
    )
    assert shop.rows(checked.accepted_table, "response_id, feedback, order_id") == [("r1", "b", None)]
    assert checked.skipped == 1


# --- contacts --------------------------------------------------------------------------------------------


def test_contacts_are_typed(shop: Shop) -> None:
    text = (
        "客户ID,姓名,邮箱,年龄,年收入,出生日期,邮件订阅,城市\n"
        "001,王小明,ming@example.cn,34,\"1,234,567.50\",1990年5月6日,是,北京\n002,Null, ,N/A,unknown,-,否,NA\n"
    )  # fmt: skip
    checked = shop.check(text, "contacts")
    fields = "customer_id, name, email, age, annual_income, birth_date, email_consent, city, phone_consent"
    assert shop.rows(checked.accepted_table, fields) == [
        ("001", "王小明", "ming@example.cn", 34, Decimal("1234567.5"), date(1990, 5, 6), True, "北京", None),
        ("002", "Null", None, None, None, None, False, "NA", None),
    ]
    assert any("1 cell of “年龄” with a word for nothing" in line for line in checked.assumed)


@pytest.mark.parametrize(
    ("header", "cell", "reason"),
    [
        ("age", "131", "The age is not a whole number from 0 to 130."),
        ("age", "-1", "The age is not a whole number from 0 to 130."),
        ("age", "34.5", "The age is not a whole number from 0 to 130."),
        ("age", "old", "The age is not a number."),
        ("income", "-5", "The annual income is below 0."),
        ("income", "lots", "The annual income is not a number."),
        ("email", "ann", "The e-mail address is not one, such as name@example.com."),
        ("email", "a@b@c", "The e-mail address is not one, such as name@example.com."),
        ("email", "@b", "The e-mail address is not one, such as name@example.com."),
        ("birthday", "1990-02-30", "The birth date cannot be read as a date."),
        ("birthday", "1790-02-01", "The birth date is not between the years 1900 and 2100."),
        ("newsletter", "perhaps", "The e-mail consent is neither yes nor no."),
    ],
)
def test_contacts_with_an_impossible_value_are_rejected(
    header: str, cell: str, reason: str, shop: Shop
) -> None:
    columns = {"age": "age", "income": "annual_income", "email": "email", "birthday": "birth_date",
               "newsletter": "email_consent"}  # fmt: skip
    mapping = {"customer_id": "customer", columns[header]: header}
    good = {"age": "30", "income": "5", "email": "a@b.org", "birthday": "1990-01-01", "newsletter": "no"}[
        header
    ]
    checked = shop.check(f"customer,{header}\nc1,{cell}\nc2,{good}\nc3,\n", "contacts", mapping)
    assert shop.reasons(checked) == [(2, header, cell, reason)]
    assert checked.accepted == 2


def test_of_a_contact_that_comes_twice_every_sound_row_is_kept_for_the_policy(shop: Shop) -> None:
    checked = shop.check("customer,name,age\nc1,Old,1\nc2,Bea,2\nc1,New,3\nc1,Bad,999\n", "contacts")
    assert shop.rows(checked.accepted_table, "customer_id, name") == [
        ("c1", "New"), ("c1", "Old"), ("c2", "Bea"),
    ]  # fmt: skip
    assert (checked.rows_read, checked.accepted, checked.rejected, checked.skipped) == (4, 3, 1, 0)
    assert any("1 row of a customer whom another row" in warning for warning in checked.warnings)


# --- warnings --------------------------------------------------------------------------------------------


def test_warnings_in_words(shop: Shop) -> None:
    rows = [f"o{n},big,2025-01-01,5,EUR" for n in range(15)] + [
        f"p{n},c{n},2025-01-01,5,USD" for n in range(10)
    ]
    rows += ["x,c1,2027-01-01,1,USD", "x,c1,2027-01-01,1,USD"]
    checked = shop.check("order_id,customer,date,amount,currency\n" + "\n".join(rows))
    said = " ".join(checked.warnings)
    for words in (
        "2 rows dated after today",
        "1 row the same as an earlier row",
        "customer big has 15 of 27",
        "EUR, USD",
    ):
        assert words in said
    checked = shop.check(
        "customer,income (k$)\nc1,5\n",
        "contacts",
        {"customer_id": "customer", "annual_income": "income (k$)"},
    )
    assert any("thousands" in warning for warning in checked.warnings)


# --- rejected rows as a file -----------------------------------------------------------------------------


def rejected_file(shop: Shop, checked: Checked) -> list[list[str]]:
    path = shop.folder / "rejects.csv"
    write_rejects(shop.connection, shop.raw, checked, path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_rejected_rows_come_back_as_they_were(shop: Shop) -> None:
    text = (
        'order_id,customer_id,date,amount,"my ""note"""\n'
        'A1,,2025-01-01,5,"=1+1,\nnext"\nA2,c1,2025-01-01,x,00123\nA3,c1,2025-01-01\nA4,c1,2025-01-01,5,ok\n'
    )
    header, *rows = rejected_file(shop, shop.check(text))
    assert header == ["order_id", "customer_id", "date", "amount", 'my "note"', *REJECT_COLUMNS]
    assert rows[0][:8] == ["A1", "", "2025-01-01", "5", "=1+1,\nnext", "2", "customer_id", ""]
    assert rows[1][:8] == ["A2", "c1", "2025-01-01", "x", "00123", "4", "amount", "x"]
    assert rows[2][5:9] == ["5", "", "A3,c1,2025-01-01", "The row has 3 cells instead of 5."]
    assert len(rows) == 3


def test_a_mended_rejects_file_keeps_its_derived_ids(shop: Shop) -> None:
    checked = shop.check(
        "customer,date,amount\nc1,2025-01-01,5\nc1,2025-01-01,x\n,2025-01-01,7\nc1,2025-01-01,8\n"
    )
    before = set(shop.rows(checked.accepted_table, "order_id"))
    header, *rows = rejected_file(shop, checked)
    assert header[:4] == ["customer", "date", "amount", "order_id"]
    rows[0][2], rows[1][0] = "6", "c1"
    mended = io.StringIO()
    csv.writer(mended).writerows([header, *rows])
    again = shop.check(mended.getvalue())
    assert again.mapping.columns["order_id"] == "order_id"
    assert again.mapping.columns["amount"] == "amount"
    after = shop.rows(again.accepted_table, "order_id")
    assert "~c1~20250101~2" in after
    assert not before & set(after)
    assert again.accepted == 2


# --- conservation ----------------------------------------------------------------------------------------

CELL = st.one_of(
    st.sampled_from(["", " ", "c1", "2025-01-01", "5", "-1.25", "x", "1,5", "9", "yes", "a@b", "03/14/2025", "\u3000", "NA", "9" * 20]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6),
)  # fmt: skip
FIELDS: dict[Kind, list[str]] = {
    "orders": [
        "order_id",
        "customer_id",
        "ordered_at",
        "amount",
        "quantity",
        "unit_price",
        "feedback",
        "recommendation",
    ],
    "contacts": ["customer_id", "name", "email", "age", "birth_date", "annual_income", "email_consent"],
    "responses": ["response_id", "customer_id", "responded_at", "feedback", "recommendation"],
}


@pytest.mark.slow
@given(data=st.data(), kind=st.sampled_from(list(FIELDS)))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_is_accepted_rejected_or_skipped(data: st.DataObject, kind: Kind, shop: Shop) -> None:
    fields = FIELDS[kind]
    rows = data.draw(st.lists(st.tuples(*[CELL] * len(fields)), min_size=1, max_size=15))
    good = {"customer_id": "c1", "ordered_at": "2025-01-01", "responded_at": "2025-01-01", "amount": "5.5", "quantity": "1",
            "unit_price": "5.5", "feedback": "ok", "recommendation": "9", "order_id": "A", "response_id": "R", "age": "3"}  # fmt: skip
    path = shop.folder / "file.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([fields, *rows, [good.get(field, "") for field in fields]])
    raw = shop.read(path)
    columns = dict(zip(fields, raw.columns, strict=True))
    for optional in ("order_id", "response_id"):
        if data.draw(st.booleans()):
            columns.pop(optional, None)
    options = {"date_order": "mdy", "decimal": ".", "recommendation": "0-10"}
    checked = check(shop.connection, raw, Mapping(kind, columns), options, today=TODAY)
    assert checked.accepted + checked.rejected + checked.skipped == checked.rows_read == len(rows) + 1
    tables = [checked.accepted_table, checked.rejected_table, *filter(None, [checked.skipped_table])]
    seen = [row for table in tables for row in shop.rows(table, "_row")]
    assert sorted(seen) == list(range(1, len(rows) + 2))
    assert len(rejected_file(shop, checked)) == checked.rejected + 1
    if kind == "orders":
        assert shop.rows(
            checked.accepted_table,
            "count(*) FILTER (order_id IS NULL OR amount IS NULL OR customer_id IS NULL)",
        ) == [0]


def test_a_rejected_cell_of_any_length_is_read_back(shop: Shop) -> None:
    long = "x" * 200_000
    checked = shop.check(
        f"order,customer,date,amount,product\nA1,,2025-01-02,5,{long}\nA2,c2,2025-01-02,{long},tea\n"
        "A3,c3,2025-01-02,5,tea\n"
    )
    path = shop.folder / "rejects.csv"
    write_rejects(shop.connection, shop.raw, checked, path)
    reasons, first = checking.read_rejects(path)
    assert reasons == [("The amount is not a number.", 1), ("The customer ID is empty.", 1)]
    assert [(row["line"], row["value"]) for row in first] == [(2, ""), (3, long)]


# --- real data -------------------------------------------------------------------------------------------


@pytest.mark.real
def test_online_retail_to_the_penny(shop: Shop) -> None:
    with zipfile.ZipFile(SHARED / "online_retail" / "online_retail.csv.zip") as file:
        (name,) = [name for name in file.namelist() if name.endswith(".csv")]
        path = Path(file.extract(name, shop.folder))
    raw = shop.read(path)
    mapping = guess("orders", raw.columns, sample(shop.connection, raw)).mapping
    checked = check(shop.connection, raw, mapping, today=TODAY)
    assert (checked.rows_read, checked.accepted, checked.rejected) == (541_909, 406_829, 135_080)
    assert shop.rows(
        checked.accepted_table, "sum(amount), count(DISTINCT order_id), count(DISTINCT customer_id)"
    ) == [(Decimal("8300065.8140"), 22_190, 4_372)]  # fmt: skip
    assert shop.rows(checked.rejected_table, "DISTINCT reason") == ["The customer ID is empty."]
    assert shop.rows(checked.accepted_table, "min(ordered_at)::DATE, max(ordered_at)::DATE") == [
        (date(2010, 12, 1), date(2011, 12, 9))
    ]
    assert any(warning.startswith("5,268 rows the same") for warning in checked.warnings)


@pytest.mark.real
def test_cdnow_to_the_cent(shop: Shop) -> None:
    raw = shop.read(SHARED / "cdnow" / "CDNOW_master.txt")
    mapping = guess("orders", raw.columns, sample(shop.connection, raw)).mapping
    checked = check(shop.connection, raw, mapping, today=TODAY)
    assert (checked.rows_read, checked.accepted, checked.rejected) == (69_659, 69_659, 0)
    assert shop.rows(
        checked.accepted_table, "sum(amount), count(DISTINCT customer_id), sum(quantity), count(DISTINCT order_id)"
    ) == [(Decimal("2500315.6300"), 23_570, Decimal(167_881), 69_659)]  # fmt: skip
    assert any(warning.startswith("255 rows the same") for warning in checked.warnings)

"""Mapping: the right column for each field with no help, and plain words when one is missing."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.errors import InvalidValue, MissingColumns
from crm.imports.mapping import (
    REJECT_COLUMNS,
    Mapping,
    guess,
    guess_kind,
    normalise,
    signature,
    validate,
)
from crm.schema import KINDS, Kind

RETAIL = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
]

FILES: list[tuple[str, Kind, dict[str, str]]] = [
    (
        ",".join(RETAIL), "orders",
        {"order_id": "InvoiceNo", "customer_id": "CustomerID", "ordered_at": "InvoiceDate",
         "quantity": "Quantity", "unit_price": "UnitPrice", "product": "StockCode"},
    ),
    (
        "customer_id,date,number_of_cds,dollar_value", "orders",
        {"customer_id": "customer_id", "ordered_at": "date", "amount": "dollar_value", "quantity": "number_of_cds"},
    ),
    ("客户ID,订单日期,金额", "orders", {"customer_id": "客户ID", "ordered_at": "订单日期", "amount": "金额"}),
    (
        "客户ID,姓名,年收入,年龄,城市", "contacts",
        {"customer_id": "客户ID", "name": "姓名", "age": "年龄", "city": "城市", "annual_income": "年收入"},
    ),
    (
        "订单编号,会员编号,下单时间,订单金额(元),商品名称,渠道", "orders",
        {"order_id": "订单编号", "customer_id": "会员编号", "ordered_at": "下单时间", "amount": "订单金额(元)",
         "product": "商品名称", "channel": "渠道"},
    ),
    (
        "Order ID,Order Date (UTC),Customer Name,Customer ID,Sales,Quantity,Discount,Profit,Ship Date", "orders",
        {"order_id": "Order ID", "customer_id": "Customer ID", "ordered_at": "Order Date (UTC)", "amount": "Sales",
         "quantity": "Quantity"},
    ),
    (
        "id,full-name,E-Mail Address,Phone number,created_at,Annual Income ($)", "contacts",
        {"customer_id": "id", "name": "full-name", "email": "E-Mail Address", "phone": "Phone number",
         "joined_on": "created_at", "annual_income": "Annual Income ($)"},
    ),
    (
        "customer,survey date,NPS score,comment", "responses",
        {"customer_id": "customer", "responded_at": "survey date", "feedback": "comment", "recommendation": "NPS score"},
    ),
    (
        "order_total_usd,order_date,client_id", "orders",
        {"customer_id": "client_id", "ordered_at": "order_date", "amount": "order_total_usd"},
    ),
    (
        "Kundennummer;Bestelldatum;Betrag;Menge".replace(";", ","), "orders",
        {"customer_id": "Kundennummer", "ordered_at": "Bestelldatum", "amount": "Betrag", "quantity": "Menge"},
    ),
    (
        "Cust. No.,Purchse Date,Total Amount", "orders",
        {"customer_id": "Cust. No.", "ordered_at": "Purchse Date", "amount": "Total Amount"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("header", "kind", "expected"), FILES, ids=[file[0][:30] for file in FILES])
def test_headers_of_many_shops_are_mapped_with_no_help(
    header: str, kind: Kind, expected: dict[str, str]
) -> None:
    columns = header.split(",")
    found = guess(kind, columns)
    assert found.mapping.columns == expected
    assert guess_kind(columns) == kind
    validate(found.mapping, columns)
    assert found.confidence.keys() == found.reason.keys() == expected.keys()
    assert all(0 < score <= 1 for score in found.confidence.values())


def test_a_file_of_orders_and_people_serves_both_kinds() -> None:
    columns = ["客户ID", "订单日期", "金额", "姓名", "年收入", "年龄", "城市"]
    assert guess("orders", columns).mapping.columns == FILES[2][2]
    assert guess("contacts", columns).mapping.columns == FILES[3][2]
    assert guess_kind(columns) == "orders"


def test_an_incomplete_order_file_is_still_one_of_orders() -> None:
    columns = ["Order #", "Cust. No.", "Purchse Date", "Amnt", "Qty"]
    assert guess_kind(columns) == "orders"
    with pytest.raises(MissingColumns, match="amount"):
        validate(guess("orders", columns).mapping, columns)


def test_a_discount_is_no_count_and_spending_no_spend() -> None:
    assert "quantity" not in guess("orders", ["customer", "date", "amount", "Discount"]).mapping.columns
    assert "amount" not in guess("orders", ["customer", "Spending Score (1-100)"]).mapping.columns


def test_values_decide_between_two_headers() -> None:
    columns = ["customer", "date", "time", "amount"]
    samples = {
        "customer": ["1", "2"], "date": ["Monday", "Friday"], "time": ["2025-01-02", "2025-01-03"], "amount": ["5", "6"],
    }  # fmt: skip
    assert guess("orders", columns, samples).mapping.columns["ordered_at"] == "time"
    assert guess("orders", columns).mapping.columns["ordered_at"] == "date"


def test_columns_without_names_are_guessed_by_their_values() -> None:
    samples = {
        "Column 1": ["00004", "00004"], "Column 2": ["0001", "0001"], "Column 3": ["19970101", "19970118"],
        "Column 4": ["2", "2"], "Column 5": ["29.33", "29.73"],
    }  # fmt: skip
    found = guess("orders", list(samples), samples)
    assert found.mapping.columns == {
        "customer_id": "Column 1", "ordered_at": "Column 3", "amount": "Column 5",
    }  # fmt: skip
    assert set(found.confidence.values()) == {0.3}


def test_columns_of_a_rejects_file_are_never_data() -> None:
    columns = ["customer", "date", "quantity", "price", *REJECT_COLUMNS]
    assert not set(REJECT_COLUMNS) & set(guess("orders", columns).mapping.columns.values())


@given(
    kind=st.sampled_from(list(KINDS)),
    columns=st.lists(
        st.one_of(
            st.text(max_size=12),
            st.sampled_from([name for kind in KINDS.values() for column in kind for name in column.synonyms]),
        ),
        unique=True,
        max_size=12,
    ),
)
def test_each_source_column_is_used_once(kind: Kind, columns: list[str]) -> None:
    found = guess(kind, columns)
    assert max(Counter(found.mapping.columns.values()).values(), default=1) == 1
    assert set(found.mapping.columns.values()) <= set(columns)
    assert guess_kind(columns) in KINDS


def test_headers_are_normalised() -> None:
    assert normalise("Customer-ID") == normalise("customer_id") == normalise(" CUSTOMER.ID ") == "customerid"
    assert normalise("Amount (USD)") == "amount"
    assert normalise("金额（元）") == "金额"
    assert normalise("(total)") == "total"


def test_the_signature_is_the_same_in_any_order() -> None:
    assert signature(["a", "b"]) == signature(["b", "a"])
    assert signature(["a", "b"]) != signature(["a", "B"]) != signature(["ab"])


@pytest.mark.parametrize(
    ("kind", "columns", "words"),
    [
        ("orders", {"customer_id": "client", "amount": "total"}, "no column for the order date. Found: client, total"),
        ("orders", {"customer_id": "client", "ordered_at": "total"}, "amount (or for quantity and unit price)"),
        (
            "orders", {"customer_id": "client", "ordered_at": "total", "quantity": "other"},
            "amount (or for the unit price)",
        ),
        ("orders", {}, "customer ID, nor for the order date, nor for the amount"),
        ("contacts", {"name": "client"}, "no column for the customer ID"),
        ("responses", {"customer_id": "client", "responded_at": "total"}, "feedback or the recommendation"),
        ("contacts", {"customer_id": "absent"}, "no column “absent”, which is to be the customer ID"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_together_with_what_is_there(
    kind: Kind, columns: dict[str, str], words: str
) -> None:
    with pytest.raises(MissingColumns) as refusal:
        validate(Mapping(kind, columns), ["client", "total", "other"])
    assert words in refusal.value.message
    assert "client, total, other" in refusal.value.message
    assert refusal.value.hint


def test_quantity_and_unit_price_stand_in_for_the_amount() -> None:
    columns = {"customer_id": "c", "ordered_at": "d", "quantity": "q", "unit_price": "p"}
    validate(Mapping("orders", columns), ["c", "d", "q", "p"])


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(InvalidValue, match="no field “price”"):
        validate(Mapping("orders", {"price": "a"}), ["a"])


def test_a_long_header_is_not_listed_whole() -> None:
    with pytest.raises(MissingColumns) as refusal:
        validate(Mapping("contacts", {}), [f"column{n}" for n in range(2000)])
    assert "and 1970 more" in refusal.value.message

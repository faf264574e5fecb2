"""What a contact's value must be like when it is typed into a form."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.errors import InvalidValue
from crm.records.rules import (
    ID_LENGTH,
    check_contact_value,
    check_customer_id,
    check_text,
    read_contact_values,
)


@pytest.mark.parametrize(
    "customer_id",
    ["00123", "NA", "null", "客户", "1234567890123456789", " 7 ", "+44", "1e5", "é", "e\u0301", "'; --"],
)
def test_ids_are_kept_letter_for_letter(customer_id: str):
    assert check_customer_id(customer_id) == customer_id


@pytest.mark.parametrize(
    "customer_id", ["", "  ", None, 7, "a\x00b", "a\nb", "x" * (ID_LENGTH + 1), "\ud800"]
)
def test_unusable_ids_are_refused(customer_id: object):
    with pytest.raises(InvalidValue):
        check_customer_id(customer_id)


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("name", "NA", "NA"),
        ("name", "", None),
        ("name", None, None),
        ("age", 30, 30),
        ("age", 30.0, 30),
        ("annual_income", "1234.5", Decimal("1234.5000")),
        ("annual_income", 0.1, Decimal("0.1000")),
        ("annual_income", 99_999_999_999_999, Decimal("99999999999999.0000")),
        ("birth_date", "1990-02-28", date(1990, 2, 28)),
        ("birth_date", date(1990, 2, 28), date(1990, 2, 28)),
        ("email_consent", False, False),
    ],
)
def test_values_are_read_as_their_field(field: str, value: object, stored: object):
    assert read_contact_values({field: value}) == {field: stored}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("age", 30.5),
        ("age", True),
        ("age", float("inf")),
        ("age", "thirty"),
        ("annual_income", "12,5"),
        ("annual_income", float("nan")),
        ("annual_income", "Infinity"),
        ("annual_income", Decimal("0.00001")),
        ("annual_income", 10**14),
        ("annual_income", "1e400"),
        ("annual_income", False),
        ("birth_date", "28.02.1990"),
        ("birth_date", datetime(1990, 2, 28, tzinfo=UTC)),
        ("email_consent", 1),
        ("name", 5),
        ("customer_id", "other"),
        ("version", 3),
        ("income", 3),
    ],
)
def test_values_of_another_type_and_unknown_fields_are_refused(field: str, value: object):
    with pytest.raises(InvalidValue):
        read_contact_values({field: value})


RULES: list[tuple[str, Any, bool]] = [
    ("email", "anna@example.com", True),
    ("email", "a.b+c@sub.example.co.uk", True),
    ("email", "名@例子.中国", True),
    ("email", "anna", False),
    ("email", "anna@", False),
    ("email", "anna@example", False),
    ("email", "a b@example.com", False),
    ("email", "a@b@example.com", False),
    ("email", "anna@example.", False),
    ("age", 0, True),
    ("age", 130, True),
    ("age", -1, False),
    ("age", 131, False),
    ("annual_income", Decimal("0.0000"), True),
    ("annual_income", Decimal("-0.0100"), False),
    ("acquisition_cost", Decimal("-1.0000"), False),
    ("name", "x" * 250, True),
    ("name", "x" * 251, False),
    ("name", "two\nlines", False),
    ("name", "be\x07ll", False),
    ("name", "c1 \x85", False),
    ("name", "李雷 O'Brien 🙂", True),
    ("note", "two\nlines\tand a tab", True),
    ("note", "nul \x00", False),
    ("note", "x" * 10_001, False),
]


@pytest.mark.parametrize(("field", "value", "good"), RULES)
def test_a_form_is_held_to_the_rule_of_each_field(field: str, value: Any, good: bool):
    if good:
        check_contact_value(field, value)
    else:
        with pytest.raises(InvalidValue):
            check_contact_value(field, value)


@given(st.text(max_size=300))
def test_a_text_is_returned_as_it_came_or_refused(value: str):
    try:
        assert check_text("It", value, length=250) == value
    except InvalidValue:
        assert len(value) > 250 or re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", value)


@given(st.decimals(min_value=0, max_value=Decimal("99999999999999.9999"), places=4))
def test_money_of_four_places_is_kept_exactly(amount: Decimal):
    assert read_contact_values({"annual_income": str(amount)}) == {"annual_income": amount}

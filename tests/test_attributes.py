"""Custom attributes of contacts in the per-customer table, in audiences and in exports, on both engines."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook

from crm import audiences, exports
from crm.errors import InvalidValue
from crm.records import bulk, custom_fields, imports
from crm.records.contacts import delete_contact, save_contact
from crm.schema import FIELDS
from crm.settings import load_settings
from crm.workbench import Workbench

AS_OF = date(2024, 3, 31)
ORDERS = ("order_id,customer_id,order date,amount", "1,ann,2024-01-10,10.10", "2,eve,2024-03-01,20.00")
STATIC = [field.name for field in FIELDS]

COLUMNS: dict[str, list[str | None]] = {
    "Loyalty points": ["12.5", "-3", None, "many"],
    "Tier": ["00123", "gold", None, ""],
    "Since": ["2024-02-29", "2023-02-29", None, "2024-01-01"],
    "Club": ["Yes", "no", "perhaps", None],
}
TYPES = {"Loyalty points": "number", "Tier": "text", "Since": "date", "Club": "yes/no"}
PEOPLE = ["ann", "bob", "cat", "dot"]
NUMBER, TIER, SINCE, CLUB = (
    "custom_number_loyalty_points", "custom_text_tier", "custom_date_since", "custom_yesno_club"
)  # fmt: skip


def bring(workbench: Workbench, columns: dict[str, list[str | None]], types: dict[str, str]) -> str:
    """Import contacts as the importer does: registered, then written, under an import of their own."""
    names = {title: title.lower().replace(" ", "_") for title in columns}
    rows = [
        {"customer_id": person, "attributes": json.dumps({names[t]: v[place] for t, v in columns.items()})}
        for place, person in enumerate(PEOPLE)
    ]
    with workbench.records.write() as session:
        import_id = imports.create_import(session, kind="contacts", file_name="c.csv", sha256="c").id
        custom_fields.register(session, {t: (names[t], types[t]) for t in columns}, import_id)
        counts = bulk.write_contacts(session, rows, policy="overwrite", import_id=import_id)
        imports.close_import(
            session, import_id=import_id, rows_read=4, created=counts.created, updated=counts.updated
        )
    return import_id


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def empty_shop(request, home, csv_file):
    """A workbench with two orders and no contacts, on each engine."""
    engine = "duckdb" if request.param == "duckdb" else request.getfixturevalue("spark_url")
    workbench = Workbench.open(load_settings(home=home, engine=engine))
    workbench.importer.run(
        csv_file(*ORDERS, name="orders.csv"), kind="orders", actor="test", source="command line"
    )
    yield workbench
    workbench.close()


@pytest.fixture
def shop(empty_shop):
    """The same after a file of four contacts with an attribute of each type."""
    bring(empty_shop, COLUMNS, TYPES)
    return empty_shop


def customers(workbench: Workbench, *columns: str) -> dict[str, Any]:
    table = workbench.engine.batches(workbench.customers(as_of=AS_OF)).read_all()
    rows = {
        row["customer_id"]: tuple(row[name] for name in columns) for row in table.select(
            ["customer_id", *columns]
        ).to_pylist()
    }  # fmt: skip
    return rows if columns else table.column_names


def test_every_attribute_is_a_column_of_its_type_and_what_does_not_fit_is_missing(shop):
    assert customers(shop) == [*STATIC, CLUB, NUMBER, SINCE, TIER]
    assert customers(shop, NUMBER, TIER, SINCE, CLUB) == {
        "ann": (12.5, "00123", date(2024, 2, 29), True),
        "bob": (-3.0, "gold", None, False),
        "cat": (None, None, None, None),
        "dot": (None, None, date(2024, 1, 1), None),
        "eve": (None, None, None, None),
    }
    assert [field.title for field in shop.fields()[len(FIELDS) :]] == [
        "Club",
        "Loyalty points",
        "Since",
        "Tier",
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e5", None), (" 5", None), ("+5", None), ("007", None), ("1_000", None), ("nan", None), ("inf", None),
     ("1234567890123456", None), ("123456789012345", 123456789012345.0), ("-0.5", -0.5), ("5.", None),
     ("0", 0.0), ("5\n", None)],
)  # fmt: skip
def test_what_counts_as_a_number_is_what_made_the_attribute_a_number(workbench, text, number):
    """The table and the type's decision read a text alike."""
    bring(workbench, {"N": [text, "1", "1", "1"]}, {"N": "number"})

    assert customers(workbench, "custom_number_n")["ann"] == (number,)
    assert custom_fields.fits("number", pa.array([text])).to_pylist() == [number is not None]


def test_edits_deletions_and_new_attributes_reach_a_table_that_is_kept(empty_shop):
    """After the first question, without opening anything anew."""
    assert customers(empty_shop) == STATIC
    bring(empty_shop, {"Tier": COLUMNS["Tier"]}, TYPES)
    assert customers(empty_shop, TIER) == {
        "ann": ("00123",), "bob": ("gold",), "cat": (None,), "dot": (None,), "eve": (None,)
    }  # fmt: skip

    with empty_shop.records.write() as session:
        save_contact(session, customer_id="cat", values={"attributes": {"tier": "silver"}}, actor="test")
        save_contact(session, customer_id="ann", values={"attributes": {"tier": None}}, actor="test")
        delete_contact(session, customer_id="bob", actor="test")
    assert customers(empty_shop, TIER) == {
        "ann": (None,),
        "cat": ("silver",),
        "dot": (None,),
        "eve": (None,),
    }

    points = bring(empty_shop, {"Points": ["1", "2", "3", "4"]}, {"Points": "number"})
    assert customers(empty_shop, TIER, "custom_number_points")["cat"] == ("silver", 3.0)
    empty_shop.importer.undo(points, actor="test")
    assert customers(empty_shop) == [*STATIC, TIER]


def found(workbench: Workbench, rule: str | dict[str, object]) -> list[str]:
    rows, total = workbench.audience_page(
        audiences.parse(rule), as_of=AS_OF, by="customer_id", descending=False, columns=["customer_id"]
    )
    assert total == len(rows) == workbench.audience_size(audiences.parse(rule), as_of=AS_OF)
    return list(rows["customer_id"])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"field": NUMBER, "op": ">", "value": 0}, ["ann"]),
        ({"field": NUMBER, "op": "between", "value": [-3, 12.5]}, ["ann", "bob"]),
        ({"field": NUMBER, "op": "is_empty"}, ["cat", "dot", "eve"]),
        ({"field": TIER, "op": "=", "value": "00123"}, ["ann"]),
        ({"field": TIER, "op": "in", "value": ["gold", "123"]}, ["bob"]),
        ({"field": TIER, "op": "contains", "value": "OL"}, ["bob"]),
        ({"field": SINCE, "op": ">=", "value": "2024-01-01"}, ["ann", "dot"]),
        ({"field": CLUB, "op": "=", "value": False}, ["bob"]),
        ({"not": {"field": CLUB, "op": "=", "value": True}}, ["bob", "cat", "dot", "eve"]),
    ],
)
def test_audiences_filter_on_attributes(shop, rule, expected):
    assert found(shop, rule) == expected


def test_an_attribute_in_a_rule_is_read_said_and_written_back():
    rule = audiences.parse({"field": NUMBER, "op": ">=", "value": 10})

    assert audiences.sentence(rule) == "Loyalty points at least 10"
    assert audiences.parse(audiences.to_json(rule)) == rule
    for name, op, value in ((NUMBER, "contains", "x"), ("custom_money_x", "=", 1), ("custom_text_", "=", "")):
        with pytest.raises(InvalidValue):
            audiences.parse({"field": name, "op": op, "value": value})


def test_an_attribute_that_is_gone_is_empty_for_everybody(empty_shop):
    """An audience saved before the undo of the import still opens."""
    import_id = bring(empty_shop, COLUMNS, TYPES)
    rules = [
        {"field": NUMBER, "op": ">", "value": 0},
        {"field": TIER, "op": "=", "value": "gold"},
        {"field": SINCE, "op": ">", "value": "2000-01-01"},
        {"field": CLUB, "op": "=", "value": True},
    ]
    assert all(found(empty_shop, rule) for rule in rules)
    empty_shop.importer.undo(import_id, actor="test")

    assert [found(empty_shop, rule) for rule in rules] == [[], [], [], []]
    assert found(empty_shop, {"field": TIER, "op": "is_empty"}) == ["ann", "eve"]
    rule = audiences.parse({"all": [rules[0], {"field": "revenue", "op": ">", "value": 0}]})
    assert empty_shop.unknown_attributes(rule) == ["Loyalty points"]
    assert empty_shop.field_values(TIER, as_of=AS_OF) == []
    reader, definition = empty_shop.export_rows(as_of=AS_OF, rule=rule)
    assert "Revenue over 0. No customer has the attribute Loyalty points." in definition
    assert reader.schema.names == STATIC


def test_lists_can_be_sorted_by_attributes_and_offer_their_values(shop):
    rows, _ = shop.audience_page(audiences.All(()), as_of=AS_OF, by=NUMBER, columns=[TIER])

    assert list(rows["customer_id"])[:2] == ["ann", "bob"]
    assert list(rows.columns) == ["customer_id", NUMBER, TIER]
    assert sorted(shop.field_values(TIER, as_of=AS_OF)) == ["00123", "gold"]
    with pytest.raises(InvalidValue):
        shop.audience_page(audiences.All(()), as_of=AS_OF, by="custom_text_nothing")


def test_exports_hold_attributes_letter_for_letter_with_their_titles(shop, tmp_path: Path):
    for suffix in ("csv", "xlsx", "parquet"):
        shop.export(tmp_path / f"all.{suffix}", as_of=AS_OF)

    lines = (tmp_path / "all.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].endswith(f'"{CLUB}","{NUMBER}","{SINCE}","{TIER}"')
    assert lines[1].endswith('"true","12.5","2024-02-29","00123"')
    table = pq.read_table(tmp_path / "all.parquet")
    assert table.column_names == [*STATIC, CLUB, NUMBER, SINCE, TIER]
    assert table.field(NUMBER).type == pa.float64()
    assert table.field(NUMBER).metadata[exports.TITLE.encode()] == b"Loyalty points"
    assert table.sort_by("customer_id")[TIER].to_pylist() == ["00123", "gold", None, None, None]
    book = CalamineWorkbook.from_path(tmp_path / "all.xlsx")
    assert book.get_sheet_by_name("Data").to_python()[1][-1] == "00123"  # a text; a number would be 123.0
    titles = {row[0]: row[1] for row in book.get_sheet_by_name("About").to_python()}
    assert (titles[NUMBER], titles["revenue"]) == ("Loyalty points", "Revenue")


def test_an_attribute_called_like_a_field_is_told_apart(workbench):
    bring(workbench, {"City": ["a", "b", "c", "d"]}, {"City": "text"})

    assert [field.title for field in workbench.fields()][-1] == "City (attribute)"
    assert customers(workbench, "city", "custom_text_city")["ann"] == (None, "a")

"""Custom attributes in the records: their types, written by imports and by hand, and taken back."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from crm.errors import Conflict, InvalidValue, StaleRecord
from crm.records import audit, bulk, changes, contacts, custom_fields, images, imports
from crm.records.bulk import Counts, Policy
from crm.records.database import Records
from crm.records.models import Contact, ImportChange, Tombstone

Row = dict[str, Any]


def row(customer_id: str, /, *, name: str | None = None, **attributes: str | None) -> Row:
    return {
        "customer_id": customer_id,
        "name": name,
        "attributes": json.dumps(attributes) if attributes else None,
    }


def write(records: Records, *rows: Row, policy: Policy = "overwrite", import_id: str = "i") -> Counts:
    with records.write() as session:
        return bulk.write_contacts(session, list(rows), policy=policy, import_id=import_id)


def register(records: Records, **types: str) -> None:
    with records.write() as session:
        custom_fields.register(session, {name.title(): (name, type_) for name, type_ in types.items()}, None)


def stored(records: Records) -> dict[str, dict[str, str] | None]:
    with records.read() as session:
        return dict(session.execute(select(Contact.customer_id, Contact.attributes)).all())


def save(records: Records, customer_id: str, **attributes: str | None) -> int | None:
    with records.write() as session:
        values = {"attributes": attributes}
        return contacts.save_contact(session, customer_id=customer_id, values=values, actor="ada").event_id


# Types


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["1", "-20", "3.50", "0", "0.001", "", None, "123456789012345"], "number"),
        (["1", "007"], "text"),
        (["1", "1234567890123456"], "text"),
        (["1e5"], "text"),
        (["+5"], "text"),
        (["1,5"], "text"),
        (["1.23456789012345"], "number"),
        (["12.34567890123456"], "text"),
        (["2024-02-29", ""], "date"),
        (["2023-02-29"], "text"),
        (["2024-1-1"], "text"),
        (["2024-01-01 10:00"], "text"),
        (["Yes", "no", "TRUE", "是"], "yes/no"),
        (["yes", "perhaps"], "text"),
        (["1\n"], "text"),
        (["NA", "客户"], "text"),
        (["", None], "text"),
        ([], "text"),
    ],
)
def test_a_type_is_what_every_value_fits(values: list[str | None], type_: str):
    assert custom_fields.type_of(pa.array(values, pa.string())) == type_
    assert custom_fields.type_of(pa.chunked_array([pa.array(values, pa.string())])) == type_


def test_a_new_attribute_is_planned_with_its_name_and_type_and_then_registered(records: Records):
    columns = {"Loyalty Points": pa.array(["1", "2"]), "会员等级": pa.array(["金", None])}
    with records.write() as session:
        planned = custom_fields.plan_fields(session, columns)
        assert planned.fields == {
            "Loyalty Points": ("loyalty_points", "number"),
            "会员等级": ("会员等级", "text"),
        }
        assert planned.warnings == ()
        assert custom_fields.list_custom_fields(session) == ()
        before = changes.latest_change(session)
        types = custom_fields.register(session, planned.fields, "i")

    assert types == {"loyalty_points": "number", "会员等级": "text"}
    with records.read() as session:
        fields = custom_fields.list_custom_fields(session)
        assert changes.latest_change(session) > before  # or a mirror would not learn of them
    assert [(one.name, one.title, one.type) for one in fields] == [
        ("custom_number_loyalty_points", "Loyalty Points", "number"),
        ("custom_text_会员等级", "会员等级", "text"),
    ]


def test_a_known_attribute_keeps_its_type_and_what_does_not_fit_is_said(records: Records):
    register(records, points="number")
    with records.write() as session:
        planned = custom_fields.plan_fields(session, {"POINTS": pa.array(["5", "many", "007", "many", ""])})
        assert custom_fields.register(session, planned.fields, "j") == {"points": "number"}
        assert [one.title for one in custom_fields.list_custom_fields(session)] == ["Points"]

    assert planned.fields == {"POINTS": ("points", "number")}
    assert planned.warnings == (
        "POINTS holds plain numbers since its first import; 3 values are not, such as “many” and “007”. "
        "They are kept as text and count as missing in filters on POINTS.",
    )


def test_headers_alike_get_names_of_their_own_and_an_exports_header_leads_back(records: Records):
    columns = ["Tier", "tier!", "custom_text_shop", "custom_text_"]
    with records.read() as session:
        planned = custom_fields.plan_fields(session, {name: pa.array(["a"]) for name in columns})

    assert [planned.fields[name][0] for name in columns] == ["tier", "tier_2", "shop", "custom_text_"]


# Imports


def test_attributes_are_stored_letter_for_letter_and_never_as_an_empty_object(records: Records):
    odd = {"code": "00123", "text": 'quote " \\ back\nline :"" ', "客户": "NA", "emoji": "😀", "blank": " "}
    given = {"customer_id": "a", "name": None, "attributes": json.dumps(odd)}  # escapes beyond ASCII

    counts = write(records, given, row("b", tier="", code=None), row("c"), row("d", tier="gold", code=""))

    assert counts == Counts(created=4)
    assert stored(records) == {"a": odd, "b": None, "c": None, "d": {"tier": "gold"}}
    with records.read() as session:
        mirrored = [one for batch in changes.contacts_changed_since(session, 0) for one in batch.to_pylist()]
    texts = {one["customer_id"]: one["attributes"] for one in mirrored}
    assert texts["b"] is texts["c"] is None
    assert json.loads(texts["a"]) == odd


def test_overwrite_replaces_and_removes_the_files_attributes_and_leaves_others(records: Records):
    write(records, row("a", tier="gold", shop="Rome", code="1"), row("b", tier="gold"), row("c", tier="gold"))

    counts = write(
        records,
        row("a", tier="silver", shop=""),
        row("b", tier=None),
        row("c"),
        row("d", tier="new"),
        import_id="j",
    )

    assert counts == Counts(created=1, updated=2, unchanged=1)
    assert stored(records) == {
        "a": {"code": "1", "tier": "silver"},
        "b": None,
        "c": {"tier": "gold"},
        "d": {"tier": "new"},
    }


def test_fill_adds_only_attributes_that_are_missing(records: Records):
    write(records, row("a", tier="gold"), row("b"), row("c", tier="gold", shop="Rome"))

    counts = write(
        records,
        row("a", tier="silver", shop="Oslo"),
        row("b", tier="silver", shop=""),
        row("c", tier="silver", shop=""),
        policy="fill",
        import_id="j",
    )

    assert counts == Counts(updated=2, unchanged=1)
    assert stored(records) == {
        "a": {"tier": "gold", "shop": "Oslo"},
        "b": {"tier": "silver"},
        "c": {"tier": "gold", "shop": "Rome"},
    }


def test_skip_leaves_attributes_of_contacts_that_exist(records: Records):
    write(records, row("a", tier="gold"))

    assert write(records, row("a", tier="x"), row("b", tier="y"), policy="skip", import_id="j") == Counts(
        created=1, skipped=1
    )
    assert stored(records) == {"a": {"tier": "gold"}, "b": {"tier": "y"}}


@pytest.mark.parametrize("policy", ["overwrite", "fill"])
def test_the_same_attributes_in_another_order_or_spelling_are_no_change(records: Records, policy: Policy):
    register(records, tier="text", shop="text")
    write(records, row("a", tier="é", shop="Rome"))
    save(records, "b", tier="é", shop="Rome")  # written by hand: spelled as Python does
    again = [
        {"customer_id": one, "attributes": text}
        for one, text in (("a", '{"shop":"Rome", "tier":"\\u00e9"}'), ("b", '{ "tier":"é",\n"shop":"Rome"}'))
    ]

    assert write(records, *again, policy=policy, import_id="j") == Counts(unchanged=2)


def test_a_value_longer_than_a_block_of_the_reader_is_kept(records: Records):
    long = "x" * 3_000_000

    assert write(records, row("a", tier=long), row("b", tier="1")) == Counts(created=2)
    assert stored(records) == {"a": {"tier": long}, "b": {"tier": "1"}}


def test_rows_of_one_customer_are_folded_attribute_by_attribute_under_fill(records: Records):
    rows = [row("a", tier="", shop="Rome"), row("a", tier="gold", shop="Oslo"), row("b", tier="x"), row("a")]

    assert write(records, *rows, policy="fill") == Counts(created=2, skipped=2)
    assert stored(records) == {"a": {"tier": "gold", "shop": "Rome"}, "b": {"tier": "x"}}


@pytest.mark.parametrize(
    "text", ["[1]", '"text"', "{", '{"a": 1}', '{"a": {"b": "c"}}', '{"a": ["b"]}', '{"a": "\\u0000"}',
             '{"a": "\\ud83d"}', "{}{}", '{"a": true}', "5", " ", '{"a b": "c"}', '{"": "c"}'],
)  # fmt: skip
def test_what_is_no_object_of_texts_is_refused(records: Records, text: str):
    with pytest.raises(InvalidValue, match="ttributes"):
        write(records, {**row("a"), "attributes": text}, row("b", tier="gold"))
    assert stored(records) == {}


def test_undo_puts_attributes_back_and_forgets_those_nobody_has(records: Records):
    with records.write() as session:
        first = imports.create_import(session, kind="contacts", file_name="a.csv", sha256="1").id
        custom_fields.register(session, {"Tier": ("tier", "text")}, first)
    write(records, row("a", tier="gold"), row("b", name="Ada"), import_id=first)
    with records.write() as session:
        imports.close_import(session, import_id=first)
        second = imports.create_import(session, kind="contacts", file_name="b.csv", sha256="2").id
        custom_fields.register(
            session,
            {"Tier": ("tier", "number"), "Shop": ("shop", "text"), "Empty": ("empty", "text")},
            second,
        )
    write(records, row("a", tier="x", shop="Rome"), row("b", shop="Oslo"), import_id=second)
    with records.write() as session:
        imports.close_import(session, import_id=second)

    def titles() -> list[str]:
        with records.read() as session:
            return [one.title for one in custom_fields.list_custom_fields(session)]

    assert titles() == ["Empty", "Shop", "Tier"]
    for import_id, left, known in (
        (second, {"a": {"tier": "gold"}, "b": None}, ["Tier"]),
        (first, {}, []),
    ):
        with records.write() as session:
            imports.begin_undo(session, import_id)
            assert bulk.undo_contact_import(session, import_id).conflicts == []
            imports.end_undo(session, import_id, undone=True)
        assert stored(records) == left
        assert titles() == known


def test_an_attribute_that_a_contact_in_the_bin_has_is_not_forgotten(records: Records):
    with records.write() as session:
        custom_fields.register(session, {"Tier": ("tier", "text")}, "i")
        bulk.write_contacts(session, [row("a", tier="gold")], policy="overwrite", import_id="other")
        contacts.delete_contact(session, customer_id="a", actor="ada")
        assert custom_fields.unregister_unused(session) == []
        bulk.undo_contact_import(session, "other", force=True)
        assert custom_fields.list_custom_fields(session) == ()


# By hand


def test_an_attribute_edited_by_hand_is_versioned_logged_and_undone_alone(records: Records):
    register(records, tier="text", points="number")
    write(records, row("a", tier="gold", points="5"))
    first = save(records, "a", tier="silver")
    second = save(records, "a", points="")
    assert stored(records) == {"a": {"tier": "silver"}}
    assert save(records, "a", tier="silver", points=None) is None

    with records.write() as session:
        event = audit.find_event(session, event_id=second)
        assert images.changed_fields(event.before, event.after) == ["attributes.points"]
        audit.undo_event(session, event_id=first, actor="bob")  # though another attribute changed since
    assert stored(records) == {"a": {"tier": "gold"}}
    with records.write() as session:
        audit.undo_event(session, event_id=second, actor="bob")
    assert stored(records) == {"a": {"tier": "gold", "points": "5"}}


def test_undoing_an_attributes_edit_after_a_later_one_is_refused_in_words(records: Records):
    register(records, loyalty_points="number")
    first = save(records, "a", loyalty_points="1")
    save(records, "a", loyalty_points="2")
    third = save(records, "a", loyalty_points="3")
    with records.write() as session, pytest.raises(Conflict, match="Loyalty points"):
        audit.undo_event(session, event_id=third - 1, actor="bob")
    assert first < third


def test_a_contact_made_by_hand_has_its_attributes(records: Records):
    register(records, tier="text")
    save(records, "a", tier="gold")
    save(records, "b", tier="")
    assert stored(records) == {"a": {"tier": "gold"}, "b": None}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [({"unknown": "x"}, "no attribute unknown"), ({"tier": "x\0"}, "Tier holds a character"),
     ({"tier": "x" * 10_001}, "Tier has 10001 characters"), ({"tier": 5}, "not texts"), ("tier", "not texts")],
)  # fmt: skip
def test_an_attribute_that_cannot_be_stored_is_refused(records: Records, attributes: Any, message: str):
    register(records, tier="text")
    with records.write() as session, pytest.raises(InvalidValue, match=message):
        contacts.save_contact(session, customer_id="a", values={"attributes": attributes}, actor="ada")


def test_a_stale_edit_names_the_attributes_that_differ(records: Records):
    register(records, tier="text")
    write(records, row("a", tier="gold"))
    save(records, "a", tier="silver")
    with records.write() as session, pytest.raises(StaleRecord, match="differing from yours: Tier"):
        contacts.save_contact(
            session, customer_id="a", values={"attributes": {"tier": "x"}}, actor="bob", version=1
        )


# What an undo left


def test_edits_since_an_import_are_listed_with_both_values(records: Records):
    register(records, tier="text", shop="text")
    write(records, row("a", name="Ann", tier="gold"), row("b", name="Bob"), import_id="first")
    write(
        records, row("a", name="Ann", tier="x"), row("b", name="Bo"), row("c", name="Cy"), import_id="second"
    )
    with records.write() as session:
        values = {"city": "Rome", "attributes": {"tier": "silver", "shop": "Oslo"}}
        contacts.save_contact(session, customer_id="a", values=values, actor="ada")
        contacts.save_contact(session, customer_id="c", values={"name": "Cyd"}, actor="ada")

    with records.read() as session:
        assert bulk.ids_edited_since_import(session, "second") == ["a", "c"]
        listed = bulk.edited_since_import(session, "second")
        assert bulk.edited_since_import(session, "second", limit=1) == listed[:1]

    assert [(one.customer_id, one.name, one.created) for one in listed] == [
        ("a", "Ann", False),
        ("c", "Cyd", True),
    ]
    assert listed[0].differences == [
        ("City", "Rome", None),
        ("Shop", "Oslo", None),
        ("Tier", "silver", "gold"),
    ]
    assert listed[1].differences == [("Name", "Cyd", None)]


def test_contacts_left_by_an_undo_can_be_forced_back_later(records: Records):
    write(records, row("a", name="Ann"), row("b", name="Bob"), import_id="first")
    with records.write() as session:
        second = imports.create_import(session, kind="contacts", file_name="b.csv", sha256="2").id
        bulk.write_contacts(
            session, [row("a", name="x"), row("b", name="y")], policy="overwrite", import_id=second
        )
        imports.close_import(session, import_id=second)
        contacts.save_contact(session, customer_id="a", values={"name": "Anna"}, actor="ada")

    def undo(*, force: bool) -> list[str]:
        with records.write() as session:
            imports.begin_undo(session, second, force=force)
            conflicts = bulk.undo_contact_import(session, second, force=force).conflicts
            imports.end_undo(session, second, undone=True)
            return conflicts

    def names() -> dict[str, str]:
        with records.read() as session:
            return dict(session.execute(select(Contact.customer_id, Contact.name)).all())

    assert undo(force=False) == ["a"]
    assert names() == {"a": "Anna", "b": "Bob"}
    with records.read() as session:
        assert imports.left_edited(session, imports.find_import(session, second))
        assert bulk.ids_edited_since_import(session, second) == ["a"]
    with pytest.raises(Conflict, match="nothing to undo"):
        undo(force=False)
    assert undo(force=True) == []
    assert names() == {"a": "Ann", "b": "Bob"}
    with pytest.raises(Conflict, match="nothing to undo"):
        undo(force=True)


def test_a_forced_undo_that_is_refused_leaves_the_import_undone(records: Records):
    with records.write() as session:
        first = imports.create_import(session, kind="contacts", file_name="b.csv", sha256="2").id
        bulk.write_contacts(session, [row("a", name="x")], policy="overwrite", import_id=first)
        imports.close_import(session, import_id=first)
        contacts.save_contact(session, customer_id="a", values={"name": "Anna"}, actor="ada")
        imports.begin_undo(session, first)
        bulk.undo_contact_import(session, first)
        imports.end_undo(session, first, undone=True)
        imports.begin_undo(session, first, force=True)
        assert imports.end_undo(session, first, undone=False).status == "undone"
        later = imports.create_import(session, kind="orders", file_name="c.csv", sha256="3").id
        imports.close_import(session, import_id=later)
        with pytest.raises(Conflict, match="came after"):
            imports.begin_undo(session, first, force=True)


# Keys


@pytest.mark.parametrize("by", ["email", "phone"])
def test_known_keys_are_everybodys_addresses_as_stored(records: Records, by: Any):
    with records.write() as session:
        rows = [
            {"customer_id": "a", by: "Ann@Example.com"},
            {"customer_id": "b", by: "Ann@Example.com"},
            {"customer_id": "c", by: None},
            {"customer_id": "d", by: '+44 "x",\n'},
        ]
        bulk.write_contacts(session, rows, policy="overwrite", import_id="i")
        contacts.delete_contact(session, customer_id="b", actor="ada")
    with records.read() as session:
        keys = bulk.known_keys(session, by)
        assert sorted(keys.to_pylist(), key=lambda one: one["customer_id"]) == [
            {"customer_id": "a", "value": "Ann@Example.com", "deleted": False},
            {"customer_id": "b", "value": "Ann@Example.com", "deleted": True},
            {"customer_id": "d", "value": '+44 "x",\n', "deleted": False},
        ]


def test_without_contacts_there_are_no_keys_and_no_other_field_is_one(records: Records):
    with records.read() as session:
        assert bulk.known_keys(session, "email").num_rows == 0
        with pytest.raises(InvalidValue, match="not found by name"):
            bulk.known_keys(session, "name")  # type: ignore[arg-type]


# Any imports


NAMES = st.sampled_from(["tier", "客户", "a_b"])
VALUES = st.sampled_from(
    [None, "", "gold", "00123", 'a "quote"', "back\\slash", "é", 'x:""', "😀", ": ", "null"]
)
GIVEN = st.none() | st.dictionaries(NAMES, VALUES, max_size=3)
IMPORT = st.tuples(
    st.sampled_from(["overwrite", "fill", "skip"]), st.dictionaries(st.sampled_from("abc"), GIVEN, min_size=1)
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(IMPORT, min_size=1, max_size=4), ascii_only=st.booleans())
@example(acts=[("overwrite", {"a": {"客户": "x"}}), ("overwrite", {"a": {"客户": None}})], ascii_only=True)
def test_any_imports_write_by_their_policies_and_are_undone_last_first(
    records: Records, acts: list[tuple[Policy, dict[str, dict[str, str | None] | None]]], ascii_only: bool
):
    """The policies in plain Python, attribute by attribute, are what both databases do."""
    with records.write() as session:
        for table in (ImportChange, Tombstone, Contact):
            session.execute(delete(table))
    expected: dict[str, dict[str, str]] = {}
    states = []
    for number, (policy, file) in enumerate(acts):
        states.append(dict(expected))
        counts = {"created": 0, "updated": 0, "unchanged": 0, "skipped": 0}
        for customer_id, given_ in file.items():
            named = given_ or {}
            values = {name: value for name, value in named.items() if value}
            old = expected.get(customer_id)
            if old is None:
                new, act = values, "created"
            elif policy == "skip":
                new, act = old, "skipped"
            else:
                kept = {name: value for name, value in old.items() if policy == "fill" or name not in named}
                new = {**values, **kept}
                act = "unchanged" if new == old else "updated"
            expected[customer_id] = new
            counts[act] += 1
        rows = [
            {
                "customer_id": one,
                "attributes": None if value is None else json.dumps(value, ensure_ascii=ascii_only),
            }
            for one, value in file.items()
        ]
        assert write(records, *rows, policy=policy, import_id=f"i{number}") == Counts(**counts)
        assert {one: value or {} for one, value in stored(records).items()} == expected
    for number, state in reversed(list(enumerate(states))):
        with records.write() as session:
            assert bulk.undo_contact_import(session, f"i{number}").conflicts == []
        assert {one: value or {} for one, value in stored(records).items()} == state

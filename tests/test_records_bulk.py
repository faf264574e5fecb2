"""Many contacts: written by an import and put back."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from crm.errors import InvalidValue, StaleRecord
from crm.records import audit, bulk, changes, contacts
from crm.records.bulk import Counts, Policy, Undone
from crm.records.database import Records
from crm.records.models import ChangeCounter, Contact, Event, ImportChange, Tombstone

FIELDS = [c.key for c in Contact.__table__.columns if c.key not in {"version", "change_seq"}]

Row = dict[str, Any]


def write(records: Records, rows: Any, *, policy: Policy = "overwrite", import_id: str = "i") -> Counts:
    with records.write() as session:
        return bulk.write_contacts(session, rows, policy=policy, import_id=import_id)


def undo(records: Records, import_id: str, *, force: bool = False) -> Undone:
    with records.write() as session:
        return bulk.undo_contact_import(session, import_id, force=force)


def stored(records: Records, *fields: str) -> dict[str, Any]:
    """The listed contacts' values by customer."""
    with records.read() as session:
        found = session.scalars(select(Contact).where(Contact.deleted_at.is_(None))).all()
    return {contact.customer_id: tuple(getattr(contact, field) for field in fields) for contact in found}


def everything(session: Session) -> list[tuple[Any, ...]]:
    """Every row of the table, the bin and the dates included."""
    found = session.scalars(select(Contact).order_by(Contact.customer_id)).all()
    return [tuple(getattr(contact, field) for field in FIELDS) for contact in found]


FULL: Row = {
    "customer_id": "00123",
    "name": "NA",
    "company": "=1+2",
    "email": 'quote " and, comma',
    "phone": "+44",
    "gender": "\\N",
    "birth_date": date(1900, 1, 1),
    "age": 0,
    "city": "a\tb\nc",
    "country": "客户",
    "annual_income": Decimal("99999999999999.9999"),
    "channel": "null",
    "acquisition_cost": Decimal("-0.5000"),
    "joined_on": date(9999, 12, 31),
    "email_consent": True,
    "phone_consent": False,
    "note": " spaces ",
}
EMPTY: Row = {**dict.fromkeys(FULL), "customer_id": "NA"}


def test_every_value_is_stored_as_it_came_and_read_back_by_the_mirror(records: Records):
    assert write(records, [FULL, EMPTY]) == Counts(created=2)

    names = list(FULL)
    assert stored(records, *names) == {"00123": tuple(FULL.values()), "NA": tuple(EMPTY.values())}
    with records.read() as session:
        batches = list(changes.contacts_changed_since(session, 0))
    rows = sorted((row for batch in batches for row in batch.to_pylist()), key=lambda row: row["customer_id"])
    rest = {"deleted": False, "version": 1, "attributes": None}
    assert rows == [{**FULL, **rest}, {**EMPTY, **rest}]


def test_arrow_table_of_other_widths_is_taken(records: Records):
    table = pa.table(
        {
            "age": pa.array([30], pa.int32()),
            "customer_id": pa.array(["c"], pa.large_string()),
            "annual_income": pa.array([50_000], pa.int64()),
            "acquisition_cost": pa.array([0.1], pa.float64()),
            "joined_on": pa.array(["2020-02-29"]),
        }
    )

    assert write(records, table) == Counts(created=1)
    assert stored(records, "age", "annual_income", "acquisition_cost", "joined_on") == {
        "c": (30, Decimal(50_000), Decimal("0.1"), date(2020, 2, 29))
    }


def test_same_rows_again_are_no_change(records: Records):
    write(records, [FULL, EMPTY])

    assert write(records, [FULL, EMPTY], import_id="again") == Counts(unchanged=2)
    with records.read() as session:
        assert changes.latest_change(session) == 1
        assert session.execute(select(func.count()).where(ImportChange.import_id == "again")).scalar() == 0


def test_overwrite_writes_the_columns_of_the_file_and_no_other(records: Records):
    write(records, [{"customer_id": "c", "name": "Ada", "city": "Rome", "age": 30}])

    counts = write(records, [{"customer_id": "c", "name": "Eve", "city": ""}], import_id="j")

    assert counts == Counts(updated=1)
    assert stored(records, "name", "city", "age", "import_id") == {"c": ("Eve", None, 30, "j")}


def test_fill_writes_only_where_there_is_nothing(records: Records):
    write(
        records,
        [
            {"customer_id": "c", "name": "Ada", "city": None},
            {"customer_id": "d", "name": "Bob", "city": "Oslo"},
        ],
    )

    rows = [
        {"customer_id": "c", "name": "Eve", "city": "Rome"},
        {"customer_id": "d", "name": "Eve", "city": "Rome"},
        {"customer_id": "e", "name": "Eve", "city": None},
    ]
    counts = write(records, rows, policy="fill", import_id="j")

    assert counts == Counts(created=1, updated=1, unchanged=1)
    assert stored(records, "name", "city") == {"c": ("Ada", "Rome"), "d": ("Bob", "Oslo"), "e": ("Eve", None)}


def test_skip_leaves_contacts_that_exist(records: Records):
    write(records, [{"customer_id": "c", "name": "Ada"}])

    rows = [{"customer_id": "c", "name": "Eve"}, {"customer_id": "d", "name": "Eve"}]
    assert write(records, rows, policy="skip", import_id="j") == Counts(created=1, skipped=1)
    assert stored(records, "name") == {"c": ("Ada",), "d": ("Eve",)}


@pytest.mark.parametrize(
    ("policy", "name", "city"),
    [("overwrite", "Eve", "Rome"), ("fill", "Ada", "Rome"), ("skip", "Eve", "Rome")],
)
def test_contact_in_the_bin_that_comes_again_is_restored(
    records: Records, policy: Policy, name: str, city: str
):
    write(records, [{"customer_id": "c", "name": "Ada"}])
    with records.write() as session:
        contacts.delete_contact(session, customer_id="c", actor="ada")
        before = everything(session)

    row = {"customer_id": "c", "name": "Eve", "city": "Rome"}
    assert write(records, [row], policy=policy, import_id="j") == Counts(created=1)
    assert stored(records, "name", "city") == {"c": (name, city)}
    assert undo(records, "j") == Undone(put_back=1, removed=0)
    with records.read() as session:
        assert everything(session) == before


@pytest.mark.parametrize(
    ("policy", "name", "city"), [("overwrite", "Eve", None), ("fill", "Ada", "Rome"), ("skip", "Ada", None)]
)
def test_customer_named_twice_is_one_contact_and_every_row_is_counted(
    records: Records, policy: Policy, name: str, city: str | None
):
    rows = [
        {"customer_id": "c", "name": "Ada", "city": None},
        {"customer_id": "d", "name": "Dan", "city": None},
        {"customer_id": "c", "name": "Bob", "city": "Rome"},
        {"customer_id": "c", "name": "Eve", "city": None},
    ]

    assert write(records, rows, policy=policy) == Counts(created=2, skipped=2)
    assert stored(records, "name", "city") == {"c": (name, city), "d": ("Dan", None)}


def test_no_rows_are_no_change(records: Records):
    assert write(records, []) == Counts()
    assert write(records, pa.table({"customer_id": pa.array([], pa.string())})) == Counts()


def test_ids_alone_make_bare_contacts(records: Records):
    assert write(records, [{"customer_id": "c"}]) == Counts(created=1)
    assert write(records, [{"customer_id": "c"}, {"customer_id": "d"}]) == Counts(created=1, unchanged=1)


@pytest.mark.parametrize(
    "rows",
    [
        [{"name": "Ada"}],
        [{"customer_id": None, "name": "Ada"}],
        [{"customer_id": "", "name": "Ada"}],
        [{"customer_id": "c" * 256}],
        [{"customer_id": "c", "surname": "Ada"}],
        [{"customer_id": "c", "age": "old"}],
        [{"customer_id": "c", "age": 2**31}],
        [{"customer_id": "c", "annual_income": Decimal(10) ** 14}],
        [{"customer_id": "c", "name": "nul \x00"}],
        [{"customer_id": "c", "name": "Ada"}, {"customer_id": "d", "city": "Rome"}],
    ],
)
def test_rows_that_cannot_be_stored_are_refused_and_nothing_is_written(
    records: Records, rows: list[Mapping[str, object]]
):
    with pytest.raises(InvalidValue):
        write(records, rows)

    assert stored(records) == {}


def test_undo_puts_every_row_back_as_it_was(records: Records):
    write(records, [FULL, EMPTY, {**EMPTY, "customer_id": "same", "name": "Same"}], import_id="i")
    with records.read() as session:
        before = everything(session)
    rows = [
        {**FULL, "name": "Eve", "annual_income": None, "email_consent": False},
        {**EMPTY, "birth_date": date(2000, 1, 1), "acquisition_cost": Decimal("0.0001")},
        {**EMPTY, "customer_id": "same", "name": "Same"},
        {**EMPTY, "customer_id": "new"},
    ]

    assert write(records, rows, import_id="j") == Counts(created=1, updated=2, unchanged=1)
    assert undo(records, "j") == Undone(put_back=2, removed=1)

    with records.read() as session:
        assert everything(session) == before
        assert session.scalars(select(Tombstone.customer_id)).all() == ["new"]
        assert session.scalars(select(ImportChange.import_id).distinct()).all() == ["i"]


def test_undo_is_told_to_the_mirror(records: Records):
    write(records, [{"customer_id": "c", "name": "Ada"}])
    write(records, [{"customer_id": "c", "name": "Eve"}, {"customer_id": "d", "name": "Dan"}], import_id="j")
    with records.read() as session:
        seen = changes.latest_change(session)

    undo(records, "j")

    with records.read() as session:
        changed = [
            row for batch in changes.contacts_changed_since(session, seen) for row in batch.to_pylist()
        ]
        assert changes.latest_change(session) == seen + 1
    told = {row["customer_id"]: (row["name"], row["deleted"]) for row in changed}
    assert told == {"c": ("Ada", False), "d": (None, True)}


def test_undo_a_second_time_finds_nothing(records: Records):
    write(records, [{"customer_id": "c"}])

    assert undo(records, "i") == Undone(put_back=0, removed=1)
    assert undo(records, "i") == Undone(put_back=0, removed=0)
    assert undo(records, "unknown") == Undone(put_back=0, removed=0)


def test_contacts_edited_since_are_left_and_named_until_forced(records: Records):
    write(records, [{"customer_id": "c", "name": "Ada"}, {"customer_id": "e", "name": "Eli"}])
    rows = [{"customer_id": name, "name": "Eve"} for name in "cden"]
    write(records, rows, import_id="j")
    with records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"city": "Rome"}, actor="ada")
        contacts.save_contact(session, customer_id="d", values={"city": "Rome"}, actor="ada")

    with records.read() as session:
        assert bulk.ids_edited_since_import(session, "j") == ["c", "d"]
    assert undo(records, "j") == Undone(put_back=1, removed=1, conflicts=["c", "d"])
    assert stored(records, "name", "city") == {
        "c": ("Eve", "Rome"),
        "d": ("Eve", "Rome"),
        "e": ("Eli", None),
    }
    assert undo(records, "j", force=True) == Undone(put_back=1, removed=1)
    assert stored(records, "name", "city") == {"c": ("Ada", None), "e": ("Eli", None)}


def test_edit_taken_back_is_no_conflict(records: Records):
    write(records, [{"customer_id": "c", "name": "Ada"}])
    with records.write() as session:
        edit = contacts.save_contact(session, customer_id="c", values={"name": "Eve"}, actor="ada")
        assert edit.event_id is not None
        audit.undo_event(session, event_id=edit.event_id, actor="ada")

    assert undo(records, "i") == Undone(put_back=0, removed=1)


def test_imports_are_undone_one_after_the_other(records: Records):
    for number in range(4):
        rows = [{"customer_id": name, "age": number} for name in ("c", f"{number}")]
        write(records, rows, import_id=f"i{number}")

    for number in (3, 2, 1):
        assert undo(records, f"i{number}") == Undone(put_back=1, removed=1)
        assert stored(records, "age")["c"] == (number - 1,)
    assert undo(records, "i0") == Undone(put_back=0, removed=2)
    assert stored(records) == {}


def test_import_in_several_pieces_is_undone_as_one(records: Records):
    write(records, [{"customer_id": "old", "name": "Old"}], import_id="before")
    write(records, [{"customer_id": "old", "name": "A"}, {"customer_id": "new", "name": "A"}])
    write(records, [{"customer_id": "old", "name": "B"}, {"customer_id": "new", "name": "B"}])

    assert undo(records, "i") == Undone(put_back=1, removed=1)
    assert stored(records, "name", "import_id") == {"old": ("Old", "before")}


def test_customer_who_comes_again_after_an_undo_goes_on_counting_versions(records: Records):
    write(records, [{"customer_id": "c", "name": "Ada"}])
    undo(records, "i")
    write(records, [{"customer_id": "c", "name": "Eve"}], import_id="j")

    with pytest.raises(StaleRecord), records.write() as session:
        contacts.save_contact(session, customer_id="c", values={"name": "Old form"}, version=1, actor="ada")
    with records.read() as session:
        assert contacts.find_contact(session, "c").version == 2
        assert session.scalars(select(Tombstone)).all() == []
    undo(records, "j")
    with records.write() as session:
        assert contacts.save_contact(session, customer_id="c", values={}, actor="ada").record.version == 3
        assert session.scalars(select(Tombstone)).all() == []


def test_writing_and_undoing_are_one_change_each_and_leave_no_temporary_table(records: Records):
    with records.write() as session:
        for number in range(3):
            bulk.write_contacts(session, [{"customer_id": f"{number}"}], policy="skip", import_id="i")
        bulk.undo_contact_import(session, "i")
        bulk.write_contacts(session, [{"customer_id": "x"}], policy="skip", import_id="j")

    with records.read() as session:
        assert changes.latest_change(session) == 1
    assert set(stored(records)) == {"x"}


def test_rehearsal_counts_and_writes_nothing(records: Records):
    write(records, [{"customer_id": "c", "name": "Ada"}])
    with records.rehearse() as session:
        rows = [{"customer_id": "c", "name": "Eve"}, {"customer_id": "d", "name": "Eve"}]
        counts = bulk.write_contacts(session, rows, policy="overwrite", import_id="j")

    assert counts == Counts(created=1, updated=1)
    assert stored(records, "name") == {"c": ("Ada",)}
    with records.read() as session:
        assert changes.latest_change(session) == 1
    assert write(records, rows, import_id="j") == counts


def _write_each(session: Session, *tables: list[Row]) -> None:
    for rows in tables:
        bulk.write_contacts(session, rows, policy="overwrite", import_id="i")


def test_failed_import_leaves_nothing(records: Records):
    with pytest.raises(InvalidValue), records.write() as session:
        _write_each(session, [FULL], [{"name": "no ID"}])

    with records.read() as session:
        assert everything(session) == []
        assert session.scalars(select(ImportChange)).all() == []
    assert write(records, [FULL]) == Counts(created=1)


def test_more_rows_than_are_staged_at_once(records: Records, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("crm.records.bulk._STAGED_AT_ONCE", 7)
    monkeypatch.setattr("crm.records.changes._ROWS_AT_ONCE", 3)
    rows = pa.table({"customer_id": [f"{number:03}" for number in range(50)], "age": list(range(50))})

    assert write(records, rows) == Counts(created=50)
    with records.read() as session:
        batches = list(changes.contacts_changed_since(session, 0, batch=9))
    assert sum(batch.num_rows for batch in batches) == 50
    assert max(batch.num_rows for batch in batches) < 50
    assert stored(records, "age") == {f"{number:03}": (number,) for number in range(50)}


IDS = st.sampled_from(["00123", "NA", "客户", "1234567890123456789", "d"])
ROW = st.fixed_dictionaries(
    {
        "customer_id": IDS,
        "name": st.sampled_from([None, "", "Ada", "Eve", 'a "quote"', "line\nbreak"]),
        "annual_income": st.sampled_from(
            [None, Decimal("-0.0001"), Decimal("12.5"), Decimal("99999999999999.9999")]
        ),
        "joined_on": st.sampled_from([None, date(2020, 2, 29), date(1, 1, 1)]),
        "email_consent": st.sampled_from([None, True, False]),
    }
)
ACT = st.one_of(
    st.tuples(
        st.just("import"),
        st.lists(ROW, min_size=1, max_size=6),
        st.sampled_from(["overwrite", "fill", "skip"]),
    ),
    st.tuples(st.just("save"), ROW, st.none()),
    st.tuples(st.just("delete"), IDS, st.none()),
    st.tuples(st.just("restore"), IDS, st.none()),
)


def act_on(session: Session, act: tuple[str, Any, Any], number: int) -> int | str | None:
    """Do one act; return what undoes it: an import's id or an event's."""
    kind, what, policy = act
    if kind == "import":
        counts = bulk.write_contacts(session, what, policy=policy, import_id=f"i{number}")
        total = counts.created + counts.updated + counts.unchanged + counts.skipped
        assert total == len(what)
        return f"i{number}"
    if kind == "save":
        values = {
            field: value for field, value in what.items() if field not in {"customer_id", "annual_income"}
        }
        values["name"] = (values["name"] or "").replace("\n", " ")
        return contacts.save_contact(
            session, customer_id=what["customer_id"], values=values, actor="a"
        ).event_id
    found = contacts.get_contact(session, what, deleted=True)
    if found is None or (kind == "delete" and found.deleted_at):
        return None
    if kind == "delete":
        return contacts.delete_contact(session, customer_id=what, actor="a").event_id
    return contacts.restore_contact(session, customer_id=what, actor="a").event_id


def listed(session: Session) -> dict[str, tuple[Any, ...]]:
    """The contacts people see, without the dates a hand's undo moves."""
    hidden = {"created_at", "updated_at", "import_id"}
    found = session.scalars(select(Contact).where(Contact.deleted_at.is_(None))).all()
    return {
        contact.customer_id: tuple(getattr(contact, field) for field in FIELDS if field not in hidden)
        for contact in found
    }


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACT, max_size=8))
def test_any_acts_undone_last_first_give_the_state_before(records: Records, acts: list[tuple[str, Any, Any]]):
    """Imports, edits, deletes and restores in any order; a mirror that follows agrees at every step."""
    with records.write() as session:
        for table in (Event, ImportChange, Tombstone, Contact):
            session.execute(delete(table))
        bulk.write_contacts(
            session, [{"customer_id": "d", "name": "First"}], policy="overwrite", import_id="first"
        )
    mirror: dict[str, Any] = {}
    with records.read() as session:
        # Before the first change of this example; the counter goes on over all of them.
        seen = session.execute(select(ChangeCounter.value)).scalar_one() - 1
    done: list[tuple[dict[str, Any], int | str | None]] = []
    for number, act in enumerate(acts):
        with records.write() as session:
            before = listed(session)
            done.append((before, act_on(session, act, number)))
        seen = follow(records, mirror, seen)
    for before, undoing in reversed(done):
        with records.write() as session:
            if isinstance(undoing, str):
                assert bulk.undo_contact_import(session, undoing).conflicts == []
            elif undoing is not None:
                audit.undo_event(session, event_id=undoing, actor="a")
        with records.read() as session:
            assert listed(session) == before
        seen = follow(records, mirror, seen)


def follow(records: Records, mirror: dict[str, Any], seen: int) -> int:
    """Bring the mirror up to date, check it against the table, and return the number it has come to."""
    with records.read() as session:
        latest = changes.latest_change(session)
        for batch in changes.contacts_changed_since(session, seen):
            for row in batch.to_pylist():
                mirror.pop(row["customer_id"], None)
                if not row["deleted"]:
                    mirror[row["customer_id"]] = row["name"]
        assert mirror == {name: values[FIELDS.index("name")] for name, values in listed(session).items()}
    return latest

"""The history of imports and the memory of mappings."""

import re
import threading

import pytest

from crm.errors import Conflict, InvalidValue, NotFound
from crm.records import audit, imports
from crm.records.database import Records


def begin(records: Records, *, kind: str = "orders", sha256: str = "abc") -> str:
    with records.write() as session:
        return imports.create_import(
            session,
            kind=kind,
            file_name="订单.csv",
            sha256=sha256,
            actor="ada",
            source="command line",
            mapping={"amount": "金额"},
            lake_versions={"orders": 3},
        ).id


def end(records: Records, import_id: str, **counts: int) -> None:
    with records.write() as session:
        imports.close_import(session, import_id=import_id, rows_read=sum(counts.values()), **counts)


def undo(records: Records, import_id: str) -> None:
    with records.write() as session:
        imports.begin_undo(session, import_id)
        imports.end_undo(session, import_id, undone=True, actor="eve")


def test_import_keeps_what_came_and_what_became_of_it(records: Records):
    import_id = begin(records)
    assert re.fullmatch("[0-9a-f]{12}", import_id)
    with records.write() as session:
        imports.close_import(
            session,
            import_id=import_id,
            rows_read=15,
            created=1,
            updated=2,
            unchanged=3,
            skipped=4,
            rejected=5,
            assumed=["The file is UTF-8."],
            warnings=["5 rows were rejected."],
            rejects_file="rejects.csv",
            seconds=0.5,
        )

    with records.read() as session:
        found = imports.find_import(session, import_id)
    assert (found.kind, found.file_name, found.sha256, found.source, found.sample) == (
        "orders",
        "订单.csv",
        "abc",
        "command line",
        False,
    )
    assert (found.status, found.rows_read, found.created, found.rejected) == ("done", 15, 1, 5)
    assert (found.mapping, found.lake_versions) == ({"amount": "金额"}, {"orders": 3})
    assert (found.assumed, found.warnings) == (["The file is UTF-8."], ["5 rows were rejected."])
    assert found.finished_at is not None
    assert found.finished_at >= found.started_at


def test_rows_that_do_not_add_up_stop_the_import(records: Records):
    import_id = begin(records)

    with pytest.raises(InvalidValue, match="3 rows were read, but 2"), records.write() as session:
        imports.close_import(session, import_id=import_id, rows_read=3, created=2)
    with records.read() as session:
        assert imports.find_import(session, import_id).status == "open"


def test_failed_import_is_closed_without_adding_up(records: Records):
    import_id = begin(records)
    with records.write() as session:
        imports.close_import(session, import_id=import_id, status="failed", rows_read=3)

    with records.read() as session:
        assert imports.find_import(session, import_id).status == "failed"
        assert imports.latest_undoable(session) is None
    with pytest.raises(Conflict, match="failed already"):
        end(records, import_id)


def test_imports_are_listed_newest_first_in_pages(records: Records):
    made = [begin(records, kind=kind) for kind in ("orders", "contacts", "orders", "orders")]
    end(records, made[0])

    with records.read() as session:
        page, total = imports.list_imports(session, kind="orders", offset=1, limit=1)
        assert ([found.id for found in page], total) == ([made[2]], 3)
        assert imports.list_imports(session, status="done")[1] == 1
        assert [found.id for found in imports.list_open_imports(session)] == made[1:]
        assert [found.number for found in imports.list_imports(session)[0]] == [4, 3, 2, 1]


def test_imports_that_begin_at_once_get_numbers_of_their_own(records: Records):
    threads = [threading.Thread(target=begin, args=(records,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with records.read() as session:
        assert [found.number for found in imports.list_imports(session)[0]] == [6, 5, 4, 3, 2, 1]


def test_same_file_is_recognised_while_its_import_is_in_force(records: Records):
    import_id = begin(records, sha256="f00")
    with records.read() as session:
        assert imports.find_same_file(session, kind="orders", sha256="f00") is None
    end(records, import_id)

    with records.read() as session:
        same = imports.find_same_file(session, kind="orders", sha256="f00")
        assert same is not None
        assert same.id == import_id
        assert imports.find_same_file(session, kind="contacts", sha256="f00") is None
    undo(records, import_id)
    with records.read() as session:
        assert imports.find_same_file(session, kind="orders", sha256="f00") is None


def test_last_import_is_undone_first(records: Records):
    first, second = begin(records), begin(records)
    for import_id in (first, second):
        end(records, import_id)

    with pytest.raises(Conflict, match="came after"):
        undo(records, first)
    for import_id in (second, first):
        with records.read() as session:
            last = imports.latest_undoable(session)
            assert last is not None
            assert last.id == import_id
        undo(records, import_id)
    with records.read() as session:
        assert imports.latest_undoable(session) is None
        undone = imports.find_import(session, first)
        assert (undone.status, undone.undone_at is not None) == ("undone", True)
        assert audit.list_events(session, subject_kind="import", subject_id=first, actor="eve")[1] == 1
    with pytest.raises(Conflict, match="nothing to undo"):
        undo(records, first)
    with pytest.raises(NotFound), records.read() as session:
        imports.find_import(session, "none")


def test_import_that_only_added_can_be_undone_from_under_later_ones(records: Records):
    first, second = begin(records), begin(records)
    for import_id in (first, second):
        end(records, import_id)

    with records.write() as session:
        imports.begin_undo(session, first, any_order=True)
        imports.end_undo(session, first, undone=True, actor="eve")

    with records.read() as session:
        assert imports.find_import(session, first).status == "undone"
        assert imports.find_import(session, second).status == "done"


def test_half_done_undo_is_found_and_can_be_given_up(records: Records):
    import_id = begin(records)
    end(records, import_id)
    with records.write() as session:
        imports.begin_undo(session, import_id)

    with records.read() as session:
        assert [found.id for found in imports.list_open_imports(session)] == [import_id]
    with records.write() as session:
        imports.end_undo(session, import_id, undone=False)
    with records.read() as session:
        kept = imports.find_import(session, import_id)
        assert (kept.status, kept.undone_at) == ("done", None)
        assert audit.list_events(session, subject_kind="import")[1] == 0
    with pytest.raises(Conflict), records.write() as session:
        imports.end_undo(session, import_id, undone=True)


def test_mapping_is_recalled_for_the_same_headers_in_any_order_and_case(records: Records):
    with records.write() as session:
        imports.remember_mapping(
            session, headers=["Name", "客户ID "], kind="contacts", mapping={"name": "Name"}
        )
    with records.write() as session:
        imports.remember_mapping(
            session, headers=["客户ID", "name"], kind="contacts", mapping={"name": "name"}
        )

    with records.read() as session:
        known = imports.recall_mapping(session, headers=["NAME", "客户id"])
        assert known == imports.Remembered("contacts", {"name": "name"})
        assert imports.recall_mapping(session, headers=["name"]) is None
        assert imports.recall_mapping(session, headers=["name", "name", "客户id"]) is None

"""The lake: commits that carry their import, replacement by key, and undo by going back a version."""

from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from crm import schema
from crm.errors import Conflict, NotFound
from crm.lake import DELETED, Lake


def rows(*keys, import_id, gone=None):
    """Return a reader of order lines named by (order_id, line), or a change set when `gone` is given."""
    table = pa.Table.from_pylist(
        [
            {
                "order_id": order,
                "line": line,
                "customer_id": "c",
                "amount": Decimal("1.0000"),
                "import_id": import_id,
            }
            for order, line in keys
        ],
        schema=schema.ORDERS,
    )
    if gone is not None:
        table = table.append_column(DELETED, pa.array(gone, pa.bool_()))
    return table.to_reader()


@pytest.fixture
def lake(tmp_path):
    return Lake.open(str(tmp_path / "lake"))


def held(lake):
    _, files = lake.files("orders")
    if not files:
        return []
    return sorted(duckdb.sql(f"SELECT order_id, line FROM read_parquet({files})").fetchall())


def test_opening_twice_makes_the_tables_once(lake):
    again = Lake.open(lake.root)

    assert [again.version(name) for name in ("orders", "responses")] == [0, 0]
    assert again.files("orders") == (0, [])


def test_one_commit_replaces_deletes_and_adds(lake):
    lake.append("orders", rows(("a", 1), ("a", 2), ("b", 1), import_id="1"), import_id="1")

    lake.change(
        "orders", rows(("a", 1), ("a", 2), ("c", 1), import_id="2", gone=[False, True, False]), import_id="2"
    )

    assert held(lake) == [("a", 1), ("b", 1), ("c", 1)]
    assert lake.version("orders") == 2
    assert (lake.commit_of("orders", "1"), lake.commit_of("orders", "2")) == (1, 2)


def test_undo_restores_what_a_change_replaced(lake):
    lake.append("orders", rows(("a", 1), ("a", 2), import_id="1"), import_id="1")
    lake.change("orders", rows(("a", 1), ("a", 2), import_id="2", gone=[False, True]), import_id="2")

    assert lake.undo("orders", import_id="2")

    assert held(lake) == [("a", 1), ("a", 2)]
    assert lake.commit_of("orders", "2") is None
    assert not lake.undo("orders", import_id="2")


def test_imports_are_undone_one_after_the_other_back_to_nothing(lake):
    """Also where the earlier one was itself a change, and undoing it follows the undo of a later one."""
    lake.append("orders", rows(("a", 1), import_id="1"), import_id="1")
    lake.change("orders", rows(("a", 1), ("b", 1), import_id="2", gone=[True, False]), import_id="2")
    lake.append("orders", rows(("c", 1), import_id="3"), import_id="3")

    for import_id, left in (("3", [("b", 1)]), ("2", [("a", 1)]), ("1", [])):
        assert lake.undo("orders", import_id=import_id)
        assert held(lake) == left


def test_what_was_merely_added_can_go_from_under_later_imports(lake):
    lake.append("orders", rows(("a", 1), import_id="1"), import_id="1")
    lake.append("orders", rows(("b", 1), import_id="2"), import_id="2")

    assert lake.undo("orders", import_id="1")

    assert held(lake) == [("b", 1)]


def test_a_change_under_a_later_import_is_not_undone(lake):
    lake.append("orders", rows(("a", 1), import_id="1"), import_id="1")
    lake.change("orders", rows(("a", 1), import_id="2", gone=[True]), import_id="2")
    lake.append("orders", rows(("b", 1), import_id="3"), import_id="3")

    with pytest.raises(Conflict, match="another import came after"):
        lake.undo("orders", import_id="2")

    assert held(lake) == [("b", 1)]


def test_an_import_that_never_wrote_has_nothing_to_undo(lake):
    assert not lake.undo("orders", import_id="nobody")
    assert lake.commit_of("orders", "nobody") is None


def test_an_unknown_table_is_refused(lake):
    with pytest.raises(NotFound, match="no table 'deals'"):
        lake.version("deals")


def test_undo_does_not_bring_back_what_was_taken_out_from_under_it(lake):
    """A first import is taken out after a second one was added; undoing the second leaves nothing."""
    lake.append("orders", rows(("a", 1), import_id="1"), import_id="1")
    lake.append("orders", rows(("b", 1), import_id="2"), import_id="2")

    lake.undo("orders", import_id="1")
    lake.undo("orders", import_id="2")

    assert held(lake) == []


def test_undo_of_a_change_restores_all_but_what_was_taken_out_since(lake):
    lake.append("orders", rows(("a", 1), import_id="1"), import_id="1")
    lake.append("orders", rows(("b", 1), import_id="2"), import_id="2")
    lake.change("orders", rows(("b", 1), ("c", 1), import_id="3", gone=[True, False]), import_id="3")

    lake.undo("orders", import_id="1")
    lake.undo("orders", import_id="3")

    assert held(lake) == [("b", 1)]


def test_a_folder_may_have_blanks_and_letters_of_any_script(tmp_path):
    lake = Lake.open(str(tmp_path / "my störe 数据"))
    lake.append("orders", rows(("a", 1), import_id="1"), import_id="1")

    assert held(lake) == [("a", 1)]

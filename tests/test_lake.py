"""The lake: commits that carry their import, files that take the place of others, and undo by going back a version."""

from decimal import Decimal
from itertools import count
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm import schema
from crm.errors import Conflict, NotFound
from crm.lake import Lake


@pytest.fixture
def write(lake, tmp_path):
    """Bring orders into the lake as an import, in place of the files that hold the orders of `replaced`."""
    numbers = count()

    def written(import_id, *orders, replaced=()):
        gone, kept = [], []
        for file in lake.files("orders")[1]:
            inside = [row[0] for row in duckdb.sql(f"SELECT order_id FROM read_parquet('{file}')").fetchall()]
            if set(inside) & set(replaced):
                gone.append(file)
                kept += [order for order in inside if order not in replaced]
        table = pa.Table.from_pylist(
            [
                {
                    "order_id": order,
                    "customer_id": "c",
                    "day": 7,
                    "amount": Decimal("1.0000"),
                    "import_id": by,
                }
                for by, several in ((import_id, orders), ("kept", kept))
                for order in several
            ],
            schema=schema.ORDERS,
        )
        path = tmp_path / f"{next(numbers)}.parquet"
        pq.write_table(table, path)
        lake.commit("orders", [path], import_id=import_id, removed=gone)

    return written


@pytest.fixture
def lake(tmp_path):
    return Lake.open(str(tmp_path / "lake"))


def held(lake):
    _, files = lake.files("orders")
    if not files:
        return []
    return sorted(row[0] for row in duckdb.sql(f"SELECT order_id FROM read_parquet({files})").fetchall())


def test_opening_twice_makes_the_tables_once(lake):
    again = Lake.open(lake.root)

    assert [again.version(name) for name in ("orders", "responses")] == [0, 0]
    assert again.files("orders") == (0, [])


def test_one_commit_adds_files_and_takes_others_out(lake, write):
    write("1", "a", "b")

    write("2", "a2", "c", replaced=["a"])

    assert held(lake) == ["a2", "b", "c"]
    assert lake.version("orders") == 2
    assert (lake.commit_of("orders", "1"), lake.commit_of("orders", "2")) == (1, 2)


def test_the_caller_keeps_its_files(lake, tmp_path):
    path = tmp_path / "mine.parquet"
    pq.write_table(schema.ORDERS.empty_table(), path)

    lake.commit("orders", [path], import_id="1")

    assert path.is_file()
    assert lake.files("orders") == (1, [])


def test_files_that_are_gone_stop_the_commit_and_leave_nothing_behind(lake, write, tmp_path):
    write("1", "a")
    before = sorted(Path(lake.path("orders")).rglob("*"))
    path = tmp_path / "more.parquet"
    pq.write_table(pa.Table.from_pylist([{"order_id": "b", "day": 1}], schema=schema.ORDERS), path)

    with pytest.raises(Conflict, match="changed meanwhile"):
        lake.commit("orders", [path], import_id="2", removed=["nowhere/part-0.parquet"])

    assert held(lake) == ["a"]
    assert sorted(Path(lake.path("orders")).rglob("*")) == before


def test_undo_restores_what_a_change_replaced(lake, write):
    write("1", "a", "b")
    write("2", "a2", replaced=["a", "b"])

    assert lake.undo("orders", import_id="2")

    assert held(lake) == ["a", "b"]
    assert lake.commit_of("orders", "2") is None
    assert not lake.undo("orders", import_id="2")


def test_imports_are_undone_one_after_the_other_back_to_nothing(lake, write):
    """Also where the earlier one was itself a change, and undoing it follows the undo of a later one."""
    write("1", "a")
    write("2", "b", replaced=["a"])
    write("3", "c")

    for import_id, left in (("3", ["b"]), ("2", ["a"]), ("1", [])):
        assert lake.undo("orders", import_id=import_id)
        assert held(lake) == left


def test_what_was_merely_added_can_go_from_under_later_imports(lake, write):
    write("1", "a")
    write("2", "b")

    assert lake.undo("orders", import_id="1")

    assert held(lake) == ["b"]


def test_a_change_under_a_later_import_is_not_undone(lake, write):
    write("1", "a")
    write("2", "a2", replaced=["a"])
    write("3", "b")

    with pytest.raises(Conflict, match="another import came after"):
        lake.undo("orders", import_id="2")

    assert held(lake) == ["a2", "b"]


def test_an_import_that_never_wrote_has_nothing_to_undo(lake):
    assert not lake.undo("orders", import_id="nobody")
    assert lake.commit_of("orders", "nobody") is None


def test_an_unknown_table_is_refused(lake):
    with pytest.raises(NotFound, match="no table 'deals'"):
        lake.version("deals")


def test_undo_does_not_bring_back_what_was_taken_out_from_under_it(lake, write):
    """A first import is taken out after a second one was added; undoing the second leaves nothing."""
    write("1", "a")
    write("2", "b")

    lake.undo("orders", import_id="1")
    lake.undo("orders", import_id="2")

    assert held(lake) == []


def test_undo_of_a_change_restores_all_but_what_was_taken_out_since(lake, write):
    write("1", "a")
    write("2", "b")
    write("3", "c", replaced=["b"])

    lake.undo("orders", import_id="1")
    lake.undo("orders", import_id="3")

    assert held(lake) == ["b"]


def test_a_folder_may_have_blanks_and_letters_of_any_script(tmp_path):
    lake = Lake.open(str(tmp_path / "my störe 数据"))
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist([{"order_id": "a", "day": 1}], schema=schema.ORDERS), path)

    lake.commit("orders", [path], import_id="1")

    assert held(lake) == ["a"]


def test_an_import_of_which_nothing_is_left_is_undone_all_the_same(lake, write):
    """Its rows were all replaced since; undoing what replaced them does not bring them back."""
    write("1", "a")
    write("2", "a2", "b", replaced=["a"])

    lake.undo("orders", import_id="1")
    lake.undo("orders", import_id="2")

    assert held(lake) == []
    assert not lake.undo("orders", import_id="1")

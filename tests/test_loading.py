"""Imports as one act over two stores: counts that add up, replacement by order, undo, and crashes."""

import os
import subprocess
import sys
import textwrap
from datetime import datetime
from pathlib import Path

import narwhals as nw
import pytest

from crm import sample
from crm.errors import ClienteleError, Conflict, InvalidValue, MissingColumns, NotFound, UnreadableFile
from crm.imports.values import Question
from crm.records.contacts import find_contact, save_contact
from crm.records.imports import list_imports
from tests.conftest import SHARED

ORDERS = (
    "order_id,customer_id,order date,amount,product",
    "1,ann,2024-01-10,10.10,tea",
    "1,ann,2024-01-10,5.20,cup",
    "2,bob,2024-02-01,7.00,tea",
    "3,,2024-02-02,9.00,tea",
)


def run(workbench, path, **options):
    return workbench.importer.run(path, actor="test", source="command line", **options)


def lines_of(workbench):
    """Return what the lake holds of each order line, without the import that brought it."""
    rows = workbench.engine.collect(
        workbench.engine.orders().select("order_id", "customer_id", "amount", "product")
    )
    return sorted(tuple(row) for row in rows.itertuples(index=False))


def counts(report):
    assert report.rows_read == (
        report.created + report.updated + report.unchanged + report.skipped + report.rejected
    )
    return report.created, report.updated, report.unchanged, report.skipped, report.rejected


def test_every_row_is_accounted_for_and_a_second_time_nothing_changes(workbench, csv_file):
    path = csv_file(*ORDERS)

    first, second = run(workbench, path), run(workbench, path)

    assert counts(first) == (3, 0, 0, 0, 1)
    assert counts(second) == (0, 0, 3, 0, 1)
    assert lines_of(workbench) == [
        ("1", "ann", 5.20, "cup"),
        ("1", "ann", 10.10, "tea"),
        ("2", "bob", 7.00, "tea"),
    ]


def test_an_order_named_again_is_replaced_whole_and_undo_brings_it_back(workbench, csv_file):
    """A line that the new file leaves out is gone, one it adds is there, and undo restores both."""
    run(workbench, csv_file(*ORDERS))
    before = lines_of(workbench)

    report = run(
        workbench,
        csv_file(
            ORDERS[0],
            "1,ann,2024-01-10,11.00,tea",
            "2,bob,2024-02-01,7.00,tea",
            "4,cat,2024-03-01,1.00,pot",
            name="second.csv",
        ),
    )

    assert counts(report) == (1, 1, 1, 0, 0)
    assert lines_of(workbench) == [
        ("1", "ann", 11.00, "tea"),
        ("2", "bob", 7.00, "tea"),
        ("4", "cat", 1.00, "pot"),
    ]
    workbench.importer.undo(report.import_id, actor="test")
    assert lines_of(workbench) == before


def test_undo_of_the_only_import_leaves_an_empty_lake(workbench, csv_file):
    report = run(workbench, csv_file(*ORDERS))

    workbench.importer.undo(report.import_id, actor="test")

    assert lines_of(workbench) == []
    assert workbench.days() is None
    with pytest.raises(Conflict, match="is undone"):
        workbench.importer.undo(report.import_id, actor="test")


def test_the_last_import_is_undone_first(workbench, csv_file):
    first = run(workbench, csv_file(*ORDERS))
    second = run(workbench, csv_file(ORDERS[0], "9,dot,2024-03-01,1.00,pot", name="second.csv"))

    with pytest.raises(Conflict, match=r"second\.csv came after"):
        workbench.importer.undo(first.import_id, actor="test")

    workbench.importer.undo(second.import_id, actor="test")
    workbench.importer.undo(first.import_id, actor="test")
    assert lines_of(workbench) == []


def test_an_unknown_import_is_refused(workbench):
    with pytest.raises(NotFound, match="no import"):
        workbench.importer.undo("nope", actor="test")


def test_answers_in_an_orders_file_become_responses(workbench, csv_file):
    """One answer an order, counted with the order's rows; a changed answer is an update."""
    head = "order_id,customer_id,order date,amount,feedback,recommendation"
    run(workbench, csv_file(head, "1,ann,2024-01-10,10,fine,9", "2,bob,2024-01-11,5,,"))

    stored = workbench.engine.collect(workbench.engine.responses())
    assert list(stored["customer_id"]) == ["ann"]
    assert list(stored["recommended"]) == [True]
    again = run(
        workbench,
        csv_file(head, "1,ann,2024-01-10,10,meh,6", "2,bob,2024-01-11,5,,", name="second.csv"),
    )
    assert counts(again) == (0, 1, 1, 0, 0)
    assert list(workbench.engine.collect(workbench.engine.responses())["feedback"]) == ["meh"]
    workbench.importer.undo(again.import_id, actor="test")
    assert list(workbench.engine.collect(workbench.engine.responses())["feedback"]) == ["fine"]


def test_an_answer_that_the_file_no_longer_holds_is_withdrawn(workbench, csv_file):
    """Its order counts as updated, and undo brings the answer back."""
    head = "order_id,customer_id,order date,amount,feedback,recommendation"
    run(workbench, csv_file(head, "1,ann,2024-01-10,10,fine,9", "2,bob,2024-01-11,5,meh,6"))

    again = run(workbench, csv_file(head, "1,ann,2024-01-10,10,,", "2,bob,2024-01-11,5,meh,6", name="2.csv"))

    assert counts(again) == (0, 1, 1, 0, 0)
    stored = workbench.engine.collect(workbench.engine.responses())
    assert list(stored["customer_id"]) == ["bob"]
    workbench.importer.undo(again.import_id, actor="test")
    stored = workbench.engine.collect(workbench.engine.responses())
    assert sorted(stored["customer_id"]) == ["ann", "bob"]


def test_a_mapping_is_remembered_for_the_same_headers_in_another_case(workbench, csv_file):
    run(workbench, csv_file("Who,When,Amount", "ann,2024-01-10,3"), kind="orders",
        columns={"customer_id": "Who", "ordered_at": "When"})  # fmt: skip

    again = run(workbench, csv_file("WHO ,when,amount", "bob,2024-01-11,4", name="2.csv"))

    assert counts(again) == (1, 0, 0, 0, 0)


def test_a_store_may_lie_in_a_folder_of_any_name(tmp_path, csv_file):
    from crm.settings import load_settings
    from crm.workbench import Workbench

    workbench = Workbench.open(load_settings(home=tmp_path / "Jörgs störe 数据"))
    run(workbench, csv_file(*ORDERS))

    assert len(lines_of(workbench)) == 3
    workbench.close()


@pytest.mark.slow
def test_undoing_an_own_import_does_not_bring_a_removed_sample_back(workbench, csv_file):
    sample.load(workbench.importer, actor="test", source="page")
    own = run(workbench, csv_file(*ORDERS))
    sample.remove(workbench.importer, actor="test")

    workbench.importer.undo(own.import_id, actor="test")

    assert lines_of(workbench) == []


@pytest.mark.slow
def test_a_sample_broken_off_is_taken_out_and_loaded_anew(workbench, monkeypatch):
    """Ctrl-C in the middle of the first start leaves a store that the next start fills."""
    real = workbench.importer.run

    def stopped(path, **options):
        if options["kind"] == "orders":
            raise KeyboardInterrupt
        return real(path, **options)

    monkeypatch.setattr(workbench.importer, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        sample.load(workbench.importer, actor="test", source="page")
    monkeypatch.undo()

    assert workbench.importer.sample_imports() == []
    assert sample.load(workbench.importer, actor="test", source="page")
    assert sample.load_if_fresh(workbench.importer, actor="test") == []
    assert sample.was_ever_used(workbench.settings)


CONTACTS = ("customer_id,name,city,email", "ann,Ann,Bath,ann@example.com", "bob,Bob,,bob@example.com")


def test_contacts_are_updated_by_the_policy_and_undo_brings_the_old_values_back(workbench, csv_file):
    run(workbench, csv_file(*CONTACTS))
    newer = csv_file("customer_id,name,city", "ann,Anna,York", "bob,,York", "cat,Cat,Hull", name="newer.csv")

    filled = run(workbench, newer, options={"policy": "fill"})

    assert counts(filled) == (1, 1, 1, 0, 0)
    with workbench.records.read() as session:
        assert find_contact(session, "ann").name == "Ann"
        assert find_contact(session, "bob").city == "York"
        assert find_contact(session, "bob").email == "bob@example.com"
    workbench.importer.undo(filled.import_id, actor="test")
    with workbench.records.read() as session:
        assert find_contact(session, "bob").city is None
        with pytest.raises(NotFound):
            find_contact(session, "cat")


def test_a_contact_edited_since_is_left_alone_and_named(workbench, csv_file):
    imported = run(workbench, csv_file(*CONTACTS))
    with workbench.records.write() as session:
        save_contact(session, customer_id="ann", values={"city": "Wells"}, actor="test")

    undone = workbench.importer.undo(imported.import_id, actor="test")

    assert undone.conflicts == ["ann"]
    with workbench.records.read() as session:
        assert find_contact(session, "ann").city == "Wells"


def test_a_dry_run_says_what_would_happen_and_writes_nothing(workbench, csv_file):
    orders = run(workbench, csv_file(*ORDERS), dry_run=True)
    contacts = run(workbench, csv_file(*CONTACTS, name="c.csv"), dry_run=True)

    assert counts(orders) == (3, 0, 0, 0, 1)
    assert counts(contacts) == (2, 0, 0, 0, 0)
    assert lines_of(workbench) == []
    assert workbench.importer.history() == []
    assert workbench.version().contacts == 0


def test_the_mapping_given_beats_the_guess_and_is_remembered(workbench, csv_file):
    path = csv_file("who,when,customer,amount", "ann,2024-01-01,x,3", "bob,2024-01-02,y,4")

    run(workbench, path, kind="orders", columns={"customer_id": "who", "ordered_at": "when"})

    assert {line[1] for line in lines_of(workbench)} == {"ann", "bob"}
    prepared = workbench.importer.prepare(path)
    assert workbench.importer.mapping_for(prepared).columns["customer_id"] == "who"
    prepared.close()


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", UnreadableFile, "empty"),
        (b"customer_id,order date,amount\n", UnreadableFile, "no rows"),
        (b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x01\x02\x03" * 40, UnreadableFile, "program"),
        (b"customer_id,amount\nann,3\nbob,4\n", MissingColumns, "date"),
        (
            b"customer_id,order_date,amount\nann,soon,3\nbob,later,4\n",
            (UnreadableFile, MissingColumns),
            "date",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words_and_changes_nothing(
    workbench, tmp_path, content, error, words
):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)

    with pytest.raises(error) as refused:
        run(workbench, path, kind="orders")

    assert words in refused.value.message.lower()
    assert refused.value.hint
    assert lines_of(workbench) == []
    assert workbench.importer.history() == []
    assert not list(workbench.settings.scratch.glob("import-*"))


def test_a_missing_file_and_an_unknown_policy_are_refused(workbench, csv_file, tmp_path):
    with pytest.raises(NotFound, match="no file"):
        run(workbench, tmp_path / "absent.csv")
    with pytest.raises(InvalidValue, match="policy"):
        run(workbench, csv_file(*CONTACTS), options={"policy": "guess"})


def test_an_error_while_writing_leaves_nothing(workbench, csv_file, monkeypatch):
    from crm.lake import Lake

    def full(self, table, added, *, import_id, removed=()):
        raise OSError("No space left on device")

    monkeypatch.setattr(Lake, "commit", full)

    with pytest.raises(ClienteleError, match="disk is full; nothing was imported"):
        run(workbench, csv_file(*ORDERS))

    assert lines_of(workbench) == []
    assert [row["status"] for row in workbench.importer.history()] == ["failed"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("crm.lake.Lake.commit:before", False),  # the import's row is open, nothing is in the lake
        ("crm.lake.Lake.commit:after", True),  # the lake's commit is there, the row is still open
        ("crm.records.imports.close_import:before", True),
        ("crm.records.imports.end_undo:before", None),  # half undone: the undo is finished
    ],
)
def test_a_process_that_dies_leaves_all_of_an_import_or_nothing(home, csv_file, where, kept):
    """The next start closes what was written whole, takes back what was not, and ends a half undo."""
    path = csv_file(*ORDERS)
    name, _, moment = where.partition(":")
    module, _, attribute = name.rpartition(".")
    script = textwrap.dedent(f"""
        import importlib, os, sys
        from pathlib import Path
        from crm.settings import load_settings
        from crm.workbench import Workbench
        owner_name, attribute = {module!r}, {attribute!r}
        try:
            owner = importlib.import_module(owner_name)
        except ModuleNotFoundError:
            parent, _, cls = owner_name.rpartition(".")
            owner = getattr(importlib.import_module(parent), cls)
        original = getattr(owner, attribute)
        def dying(*args, **kwargs):
            if {moment!r} == "after":
                original(*args, **kwargs)
            os._exit(9)
        workbench = Workbench.open(load_settings(home=Path({str(home)!r})))
        undo = attribute == "end_undo"
        if not undo:
            setattr(owner, attribute, dying)
        report = workbench.importer.run(Path({str(path)!r}), actor="test", source="command line")
        setattr(owner, attribute, dying)
        workbench.importer.undo(report.import_id, actor="test")
    """)
    died = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent.parent, check=False)
    assert died.returncode == 9

    from crm.settings import load_settings
    from crm.workbench import Workbench

    workbench = Workbench.open(load_settings(home=home))
    try:
        assert len(lines_of(workbench)) == (3 if kept else 0)
        status = [row["status"] for row in workbench.importer.history()]
        assert status == [{True: "done", False: "failed", None: "undone"}[kept]]
        again = run(workbench, path)
        assert counts(again) == ((0, 0, 3, 0, 1) if kept else (3, 0, 0, 0, 1))
    finally:
        workbench.close()


@pytest.mark.slow
def test_the_sample_shop_is_taken_out_from_under_later_imports(workbench, csv_file):
    """One act, any order; what the user brought stays."""
    loaded = sample.load(workbench.importer, actor="test", source="page")
    with pytest.raises(Conflict, match="loaded already"):
        sample.load(workbench.importer, actor="test", source="page")
    run(workbench, csv_file(*ORDERS))

    removed = sample.remove(workbench.importer, actor="test")

    assert [report.kind for report in loaded] == ["contacts", "orders", "responses"]
    assert removed == 3
    assert {line[1] for line in lines_of(workbench)} == {"ann", "bob"}
    customers = workbench.customers(as_of=workbench.as_of()).select("customer_id")
    assert sorted(workbench.engine.collect(customers)["customer_id"]) == ["ann", "bob"]
    assert sample.remove(workbench.importer, actor="test") == 0
    with workbench.records.read() as session:
        assert {row.status for row in list_imports(session)[0]} == {"done", "undone"}


@pytest.mark.real
def test_online_retail_gives_its_published_figures_and_undoes(workbench, tmp_path):
    import zipfile

    with zipfile.ZipFile(SHARED / "online_retail" / "online_retail.csv.zip") as archive:
        archive.extractall(tmp_path)

    first = run(workbench, tmp_path / "online_retail.csv", kind="orders")
    second = run(workbench, tmp_path / "online_retail.csv", kind="orders")

    assert first.rows_read == 541_909
    assert counts(first) == (406_829, 0, 0, 0, 135_080)
    assert first.reasons == (("The customer ID is empty.", 135_080),)
    assert counts(second) == (0, 0, 406_829, 0, 135_080)
    as_of = workbench.as_of()
    totals = workbench.engine.row(
        workbench.customers(as_of=as_of).select(
            customers=nw.len(), purchases=nw.col("orders").sum(), revenue=nw.col("revenue").sum()
        )
    )
    assert (totals["customers"], totals["purchases"]) == (4_372, 18_532)
    assert round(float(totals["revenue"]), 2) == 8_300_065.81
    for scheme in ("rfm", "value_class", "purchase_power", "age_group", "region"):
        assert workbench.segments(scheme, as_of=as_of).customers == 4_338
    workbench.importer.undo(second.import_id, actor="test")
    assert workbench.segments("rfm", as_of=as_of).customers == 4_338
    workbench.importer.undo(first.import_id, actor="test")
    assert lines_of(workbench) == []


@pytest.mark.real
def test_cdnow_gives_its_published_figures(workbench):
    report = run(workbench, SHARED / "cdnow" / "CDNOW_master.txt", kind="orders")

    assert counts(report) == (69_659, 0, 0, 0, 0)
    totals = workbench.engine.row(
        workbench.customers(as_of=workbench.as_of()).select(
            customers=nw.len(), revenue=nw.col("revenue").sum()
        )
    )
    assert totals["customers"] == 23_570
    assert round(float(totals["revenue"]), 2) == 2_500_315.63


TORN = (
    "order_id,customer_id,order date,amount,product",
    "1,ann,2024-01-10,10.10,tea",
    "1,ann,2024-01-10,ten,cup",
    "2,bob,2024-02-01,,tea",
)


def mended(workbench, report, csv_file, *corrections, name="mended.csv"):
    """Return the file of an import's rejected rows with each (wrong, right) corrected, as a user saves it."""
    text = workbench.importer.rejects_path(report.import_id).read_text(encoding="utf-8-sig")
    head, *rows = text.splitlines()
    for number, (wrong, right) in enumerate(corrections):
        assert wrong in rows[number]
        rows[number] = rows[number].replace(wrong, right, 1)
    return csv_file(head, *rows, name=name)


def test_mended_rows_join_the_lines_of_their_order_and_coming_twice_change_nothing(workbench, csv_file):
    """The whole is what the file would have been without its faults, and undo takes the mended lines out."""
    first = run(workbench, csv_file(*TORN))
    assert counts(first) == (1, 0, 0, 0, 2)
    assert any("until the mended file" in warning for warning in first.warnings)
    before = lines_of(workbench)

    path = mended(workbench, first, csv_file, ("ten", "5.20"), ("2024-02-01,", "2024-02-01,7"))
    second, again = run(workbench, path), run(workbench, path)

    assert counts(second) == (1, 1, 0, 0, 0)
    assert counts(again) == (0, 0, 2, 0, 0)
    assert lines_of(workbench) == [
        ("1", "ann", 5.20, "cup"),
        ("1", "ann", 10.10, "tea"),
        ("2", "bob", 7.00, "tea"),
    ]
    workbench.importer.undo(again.import_id, actor="test")
    workbench.importer.undo(second.import_id, actor="test")
    assert lines_of(workbench) == before


def test_mended_rows_of_a_file_without_order_ids_take_their_own_place(workbench, csv_file):
    """Mended wrongly and then rightly, a row is there once."""
    head = "customer_id,order date,amount"
    first = run(workbench, csv_file(head, "ann,2024-01-10,1", "ann,2024-01-10,x", "ann,2024-01-10,3"))

    run(workbench, mended(workbench, first, csv_file, (",x", ",20"), name="wrong.csv"))
    right = run(workbench, mended(workbench, first, csv_file, (",x", ",2"), name="right.csv"))

    assert counts(right) == (0, 1, 0, 0, 0)
    assert [line[2] for line in lines_of(workbench)] == [1, 2, 3]


def test_mended_rows_that_equal_a_stored_line_are_lines_of_their_own(workbench, csv_file):
    """Two equal lines are two lines, unless the mended file came before."""
    head = "order_id,customer_id,order date,amount,product"
    first = run(workbench, csv_file(head, "1,ann,2024-01-10,5,tea", "1,ann,2024-01-10,5.x,tea"))

    path = mended(workbench, first, csv_file, ("5.x", "5"))
    run(workbench, path)
    again = run(workbench, path)

    assert lines_of(workbench) == [("1", "ann", 5, "tea"), ("1", "ann", 5, "tea")]
    assert counts(again) == (0, 0, 1, 0, 0)
    assert any("changed since these rows were rejected" in warning for warning in again.warnings)


def test_mended_rows_of_another_customer_than_their_order_are_refused(workbench, csv_file):
    head = "order_id,customer_id,order date,amount,product"
    first = run(workbench, csv_file(head, "1,ann,2024-01-10,5,tea", "1,bob,2024-01-10,6,cup"))
    before = lines_of(workbench)

    with pytest.raises(Conflict, match="1 is of ann, here of bob"):
        run(workbench, mended(workbench, first, csv_file, ("6,cup", "6,cup")))

    assert lines_of(workbench) == before


def test_mended_rows_are_read_as_the_file_they_come_from(workbench, csv_file):
    """That day and month stand in American order was shown by a row that is no longer there."""
    head = "order_id,customer_id,order date,amount"
    first = run(workbench, csv_file(head, "1,ann,01.13.2024,5", "2,bob,02.03.2024,x"))

    run(workbench, mended(workbench, first, csv_file, (",x", ",6")))

    days = workbench.engine.collect(workbench.engine.orders().select("order_id", "ordered_at"))
    assert [str(day.date()) for day in days.sort_values("order_id")["ordered_at"]] == [
        "2024-01-13",
        "2024-02-03",
    ]


FIRST_ROWS = 20_001


@pytest.mark.parametrize(
    ("usual", "odd", "read"),
    [
        ("01/01/2025", "01/02/2025", None),  # month first or day first?
        ("20250304", "2025034", False),
        ("2025-03-04 10:00", "2025-03-04 10:5", False),
        ("2025-03-04T10:00:00Z", "2025-03-04T10:00:00X", False),
        ("2025-03-04", "2025-3-4", True),
        ("2025-03-04", "2025-03-04 10:00", True),
    ],
)
def test_a_date_written_otherwise_far_down_is_read_as_if_it_came_first(workbench, csv_file, usual, odd, read):
    """The first rows decide nothing that a later one speaks against."""
    head = "order_id,customer_id,order date,amount"
    rows = [f"{number},ann,{usual},1.5" for number in range(FIRST_ROWS)]
    path = csv_file(head, *rows, f"odd,bob,{odd},2.5")

    if read is None:
        with pytest.raises(Question, match="day first or month first"):
            run(workbench, path)
        return
    report = run(workbench, path)

    assert (report.created, report.rejected) == (FIRST_ROWS + read, 1 - read)


def test_a_header_may_be_called_anything(workbench, csv_file):
    """Also what the check calls columns of its own."""
    report = run(
        workbench, csv_file("Order ID,Customer,Order date,Amount,moment,_key,_row", "1,a,2025-01-02,3,x,y,z")
    )
    assert report.created == 1
    contacts = csv_file("Customer ID,E-mail,_key,_several", "1,a@b.org,x,y", name="contacts.csv")
    assert run(workbench, contacts, kind="contacts", options={"key": "email"}).created == 1


def test_numbers_that_count_days_are_read_as_they_are_said_to_be(workbench, csv_file):
    path = csv_file("order_id,customer_id,order date,amount", "1,ann,45000,5", "2,bob,45001,6")

    with pytest.raises(Question, match="what do they count"):
        run(workbench, path)
    run(workbench, path, options={"date_numbers": "excel"})

    days = workbench.engine.collect(workbench.engine.orders().select("ordered_at"))
    assert sorted(str(day.date()) for day in days["ordered_at"]) == ["2023-03-15", "2023-03-16"]


def test_orders_of_next_year_are_not_a_century_old(workbench, csv_file):
    year = datetime.now().astimezone().year + 1
    run(workbench, csv_file("order_id,customer_id,order date,amount", f"1,ann,13/01/{year % 100:02},5"))

    days = workbench.engine.collect(workbench.engine.orders().select("ordered_at"))
    assert [day.year for day in days["ordered_at"]] == [year]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("overwrite", (None, "Rome")), ("fill", ("Ann", "Rome")), ("skip", ("Ann", None))],
)
def test_a_policy_decides_which_rows_of_a_customer_count(workbench, csv_file, policy, expected):
    path = csv_file("customer_id,name,city", "1,Ann,", "1,,Rome")

    report = run(workbench, path, kind="contacts", options={"policy": policy})

    assert counts(report) == (1, 0, 0, 1, 0)
    with workbench.records.read() as session:
        contact = find_contact(session, "1")
        assert (contact.name, contact.city) == expected


def test_attributes_keep_their_names_whatever_stands_beside_them(workbench, csv_file):
    run(workbench, csv_file("Customer ID,Name,Score,Score %", "1,Ann,5,50"), kind="contacts")
    run(workbench, csv_file("Customer ID,Name,Score %", "1,Ann,77", name="second.csv"), kind="contacts")
    with workbench.records.read() as session:
        assert find_contact(session, "1").attributes == {"score": "5", "score_2": "77"}

    run(workbench, csv_file("Customer ID,Name,Score", "1,Ann,", name="third.csv"), kind="contacts")
    with workbench.records.read() as session:
        assert find_contact(session, "1").attributes == {"score_2": "77"}


def test_an_attribute_from_a_column_that_is_not_there_is_refused(workbench, csv_file):
    with pytest.raises(MissingColumns, match="no column “Typo”"):
        run(workbench, csv_file("Customer ID,Name", "1,Ann"), kind="contacts", attributes={"Typo": "Typo"})


def test_a_file_whose_name_is_no_text_is_read(workbench, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.csv"))
    path.write_text("\n".join(ORDERS))

    assert counts(run(workbench, path)) == (3, 0, 0, 0, 1)


def test_a_file_that_is_written_to_meanwhile_is_refused(workbench, csv_file):
    path = csv_file(*ORDERS)
    prepared = workbench.importer.prepare(path)
    chosen = workbench.importer.mapping_for(prepared)
    path.write_text("\n".join([*ORDERS, "9,eve,2024-03-01,1,pot"]))

    with pytest.raises(Conflict, match="was changed while"):
        workbench.importer.check(prepared, chosen)
    prepared.close()


def test_customers_found_by_a_key_that_may_be_others_by_now_are_not_written(workbench, csv_file):
    prepared = workbench.importer.prepare(csv_file("name,email", "New,n@x.org"))
    chosen = workbench.importer.mapping_for(prepared, kind="contacts")
    checked = workbench.importer.check(prepared, chosen, {"key": "email"})
    with workbench.records.write() as session:
        save_contact(session, customer_id="Q2", values={"email": "n@x.org"}, actor="somebody")

    with pytest.raises(Conflict, match="Contacts were changed"):
        workbench.importer.commit(prepared, checked, actor="test", source="page")

    checked = workbench.importer.check(prepared, chosen, {"key": "email"})
    assert workbench.importer.commit(prepared, checked, actor="test", source="page").updated == 1
    prepared.close()


def test_an_answer_goes_where_its_order_goes(workbench, csv_file):
    """Also when the file that moves the order says nothing of answers; and back with the undo."""
    head = "order_id,customer_id,order date,amount"
    run(workbench, csv_file(head + ",feedback", "1,ann,2024-01-10,10,fine", "2,bob,2024-01-11,5,meh"))

    moved = run(workbench, csv_file(head, "1,cat,2024-01-10,10", "2,bob,2024-01-11,6", name="second.csv"))

    def answers():
        stored = workbench.engine.collect(workbench.engine.responses())
        return sorted(zip(stored["customer_id"], stored["feedback"], strict=True))

    assert counts(moved) == (0, 2, 0, 0, 0)
    assert answers() == [("bob", "meh"), ("cat", "fine")]
    workbench.importer.undo(moved.import_id, actor="test")
    assert answers() == [("ann", "fine"), ("bob", "meh")]

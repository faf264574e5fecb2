"""The import page: from a file to figures that reconcile, and back."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
import xlsxwriter
from streamlit.testing.v1 import AppTest

from crm.errors import Conflict
from crm.imports.jobs import Progress
from crm.records.contacts import save_contact
from crm.settings import ROOT
from crm.ui import cache, state, uploads
from tests.pages.conftest import open_page, text_of
from tests.pages.test_contacts import press, stored

ORDERS = b"""Order,Customer,Date,Amount
1,anna,2025-01-05,10.50
2,bob,2025-02-07,20
3,,2025-02-08,30
4,bob,soon,40
"""
CONTACTS = b"""customer_id,name,city
anna,Anna Meyer,Berlin
bob,,Rome
"""


def upload(app: AppTest, data: bytes, name: str = "orders.csv") -> AppTest:
    app.file_uploader[0].upload(name, data).run()
    return until(app, lambda: not [button for button in app.button if "_cancel" in str(button.key)])


def until(app: AppTest, true: Callable[[], bool]) -> AppTest:
    """Run the app until something is true that the background brings about."""
    for _ in range(200):
        if true():
            return app
        time.sleep(0.05)
        app.run()
    raise AssertionError(text_of(app))


def import_it(app: AppTest) -> AppTest:
    """Press the button and wait for the end of the import."""
    app.button(key="import_now").click().run()
    return until(app, lambda: "is imported" in text_of(app))


def history() -> list[dict[str, Any]]:
    return cache.workbench().importer.history()


def chosen(app: AppTest, title: str) -> Any:
    """Return the choice of column for a field."""
    return next(box for box in app.selectbox if box.label.startswith(title))


def leftovers() -> list[str]:
    """Return what uploads have left behind in the scratch folder."""
    scratch = cache.workbench().settings.scratch
    return [path.name for path in (*scratch.glob("uploads/*"), *scratch.glob("import-*"))]


def test_a_file_becomes_figures_that_reconcile(empty_app: AppTest) -> None:
    """Read, mapped, checked, imported: every row is in one of the five counts, before and after."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, ORDERS)
    assert empty_app.segmented_control[0].value == "orders"
    assert (chosen(empty_app, "Customer ID").value, chosen(empty_app, "Amount").value) == (
        "Customer",
        "Amount",
    )
    assert "4 rows, 4 columns" in text_of(empty_app)
    sum_of_it = "**4** rows read = 2 created + 0 updated + 0 unchanged + 0 skipped + 2 rejected"
    assert sum_of_it in text_of(empty_app)
    assert history() == []

    import_it(empty_app)
    assert sum_of_it in text_of(empty_app)
    assert [(row["created"], row["rejected"], row["actor"]) for row in history()] == [
        (2, 2, "test@example.com")
    ]
    assert cache.workbench().engine.count(cache.workbench().engine.orders()) == 2
    assert not leftovers()

    open_page(empty_app, state.OVERVIEW)
    assert not empty_app.exception
    assert empty_app.metric


def test_rejected_rows_are_shown_with_reason_and_advice(empty_app: AppTest) -> None:
    """Why and how often, the first of them, and all of them to download."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, ORDERS)
    reasons, first = (table.value for table in empty_app.dataframe[-2:])

    assert sorted(reasons["reason"]) == [
        "The customer ID is empty.",
        "The order date cannot be read as a date.",
    ]
    assert list(first["line"]) == ["4", "5"]
    assert list(first["value"]) == ["", "soon"]
    assert empty_app.get("download_button")


def test_the_same_file_again_is_said_and_changes_nothing(empty_app: AppTest) -> None:
    """It may be imported all the same."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, ORDERS)
    import_it(empty_app)
    press(empty_app, "Import another file")
    upload(empty_app, ORDERS, "orders copy.csv")

    assert "This very file was imported before" in text_of(empty_app)
    assert "will change nothing" in text_of(empty_app)
    import_it(empty_app)
    assert [row["unchanged"] for row in history()] == [2, 0]


def test_an_import_is_undone_from_its_result(empty_app: AppTest) -> None:
    """The page says so and waits for the next file."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, ORDERS)
    import_it(empty_app)
    assert "Take back the import of orders.csv?" in text_of(empty_app)
    press(empty_app, "Undo the import of orders.csv")

    assert history()[0]["status"] == "undone"
    assert cache.days() is None
    assert "Undid the import of orders" in empty_app.toast[0].value
    assert empty_app.file_uploader


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"", "empty.csv", "empty"),
        (b"Order,Customer,Date,Amount\n", "header.csv", "no rows"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "picture.csv", "picture"),
        (b"PK\x03\x04" + b"[Content_Types].xml" + bytes(64), "book.xlsx", "damaged"),
    ],
    ids=["empty", "header only", "picture", "broken workbook"],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(
    empty_app: AppTest, data: bytes, name: str, said: str
) -> None:
    """The refusal says what was found; the next file is taken as if nothing had been."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, data, name)
    assert said in text_of(empty_app)
    assert not leftovers()
    open_page(empty_app, state.IMPORT)

    upload(empty_app, ORDERS)
    assert not empty_app.error
    assert "**4** rows read" in text_of(empty_app)


def test_a_file_without_a_date_waits_for_the_right_column(empty_app: AppTest) -> None:
    """What is missing is named; a column chosen by hand is used and stays chosen on the way to another page."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, b"who,shipped,paid\nanna,2025-01-05,10\nbob,2025-02-07,20\n")
    empty_app.segmented_control[0].set_value("orders").run()
    assert "no column for" in text_of(empty_app)
    assert not [button for button in empty_app.button if button.key == "import_now"]

    for title, source in (("Customer ID", "who"), ("Order date", "shipped"), ("Amount", "paid")):
        chosen(empty_app, title).set_value(source).run()
    assert "**2** rows read = 2 created" in text_of(empty_app)

    open_page(empty_app, state.HISTORY)
    open_page(empty_app, state.IMPORT)
    assert chosen(empty_app, "Order date").value == "shipped"
    assert "**2** rows read = 2 created" in text_of(empty_app)
    import_it(empty_app)
    press(empty_app, "Import another file")
    upload(empty_app, b"who,shipped,paid\ncarl,2025-03-05,10\n")
    assert chosen(empty_app, "Order date").value == "shipped"
    assert "as the last time with these headers" in text_of(empty_app)


def test_a_date_that_can_be_read_two_ways_is_asked_not_guessed(empty_app: AppTest) -> None:
    """There is no check before the answer, and the answer decides."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, b"Order,Customer,Date,Amount\n1,anna,03/04/2025,10\n2,bob,05/06/2025,20\n")
    question = empty_app.radio[0]
    assert "can be read day first or month first" in question.label
    assert question.value is None
    assert not [button for button in empty_app.button if button.key == "import_now"]

    question.set_value("mdy").run()
    assert "**2** rows read = 2 created" in text_of(empty_app)
    import_it(empty_app)
    days = cache.days()
    assert days is not None
    assert [day.isoformat() for day in days] == ["2025-03-04", "2025-05-06"]


def test_contacts_are_updated_by_the_policy_chosen(empty_app: AppTest) -> None:
    """Fill leaves what is there; the counts say so before and after."""
    with cache.workbench().records.write() as session:
        save_contact(session, customer_id="anna", values={"city": "Paris"}, actor="test")
    open_page(empty_app, state.IMPORT)
    upload(empty_app, CONTACTS, "contacts.csv")
    policy = next(radio for radio in empty_app.radio if radio.label == "Contacts that exist already")
    policy.set_value("fill").run()
    assert "**2** rows read = 1 created + 1 updated" in text_of(empty_app)

    import_it(empty_app)
    assert (stored("anna").name, stored("anna").city) == ("Anna Meyer", "Paris")
    assert stored("bob").city == "Rome"


def test_a_second_click_makes_no_second_import(empty_app: AppTest) -> None:
    """A running import is the upload's only one."""
    from crm.ui.uploads import Upload

    open_page(empty_app, state.IMPORT)
    upload(empty_app, ORDERS)
    workbench = cache.workbench()
    path = workbench.settings.scratch / "again.csv"
    path.write_bytes(ORDERS)
    waiting = Upload(workbench.importer.prepare(path))
    mapped = workbench.importer.mapping_for(waiting.prepared)
    found = waiting.check(mapped, {}, "overwrite")
    assert found is not None
    for _ in range(2):
        waiting.start(found[0], policy="overwrite", actor="test")
    assert waiting.run is not None
    assert waiting.run.wait(20)

    assert len(history()) == 1


def test_a_file_let_go_is_gone(empty_app: AppTest) -> None:
    """Neither its rows nor its bytes stay."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, ORDERS)
    assert leftovers()
    press(empty_app, "Let go of it")

    assert "waits" not in text_of(empty_app)
    assert not leftovers()


def test_the_sample_shop_comes_and_goes(empty_app: AppTest) -> None:
    """One click to load it, one confirmed click to remove it, and one's own import stays."""
    open_page(empty_app, state.IMPORT)
    empty_app.button(key="load_sample").click().run()
    assert "The sample shop is loaded." in text_of(empty_app)
    upload(empty_app, ORDERS)
    import_it(empty_app)

    press(empty_app, "Import another file")
    press(empty_app, "Remove the sample shop now")
    assert [row["status"] for row in history()] == ["done", "undone", "undone", "undone"]
    assert empty_app.button(key="load_sample")
    assert cache.workbench().engine.count(cache.workbench().engine.orders()) == 2


def test_an_import_that_fails_says_so_and_can_be_tried_again(
    empty_app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file still waits, its mapping and its check with it."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, ORDERS)
    importer = cache.workbench().importer

    def refuse(*_: object, **__: object) -> None:
        raise Conflict("Another import is running.", "Wait until it has ended, then try again.")

    with monkeypatch.context() as patched:
        patched.setattr(importer, "commit", refuse)
        empty_app.button(key="import_now").click().run()
        until(empty_app, lambda: "Another import is running." in text_of(empty_app))
    assert history() == []

    import_it(empty_app)
    assert history()[0]["created"] == 2


# --- how it was read ------------------------------------------------------------------------------------


def workbook() -> bytes:
    """Return a workbook whose first sheet says nothing of orders and whose second one does."""
    made = io.BytesIO()
    with xlsxwriter.Workbook(made) as book:
        for name, rows in (
            ("Notes", [["What", "Who"], ["checked", "mei"]]),
            ("Sales", [["Order", "Customer", "Date", "Amount"], ["1", "anna", "2025-01-05", 10.5]]),
        ):
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return made.getvalue()


def read_again(app: AppTest, **choices: Any) -> AppTest:
    """Make choices of how the file is read, by the beginning of their widget's name, and read it again."""
    for name, value in choices.items():
        widget = next(
            box for box in (*app.selectbox, *app.number_input) if box.label.lower().startswith(name)
        )
        widget.set_value(value)
    next(button for button in app.button if button.label == "Read again").click().run()
    return until(app, lambda: not [button for button in app.button if "_cancel" in str(button.key)])


def preview(app: AppTest) -> pd.DataFrame:
    return app.dataframe[0].value


def test_everything_assumed_is_said_with_the_first_rows(empty_app: AppTest) -> None:
    open_page(empty_app, state.IMPORT)
    upload(empty_app, "Kunde;Datum;Betrag\nanna;05.01.2025;10,50\n".encode("utf-16"))
    assert "UTF-16" in text_of(empty_app)
    assert "semicolons" in text_of(empty_app)
    assert preview(empty_app).to_dict("records") == [
        {"Kunde": "anna", "Datum": "05.01.2025", "Betrag": "10,50"}
    ]


def test_a_file_is_read_differently_as_chosen(empty_app: AppTest) -> None:
    """Header, lines above and delimiter; a choice that cannot be is refused and the reading before kept."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, ORDERS)
    read_again(empty_app, rows=0)
    assert next(iter(preview(empty_app))) == "Column 1"
    assert len(preview(empty_app)) == 5

    read_again(empty_app, rows=1, lines=2)
    assert list(preview(empty_app).columns)[:2] == ["2", "bob"]
    assert len(preview(empty_app)) == 2

    read_again(empty_app, lines=900)
    assert "What was read before is kept" in text_of(empty_app)
    assert list(preview(empty_app).columns)[:2] == ["2", "bob"]
    assert len(leftovers()) == 2  # the upload, and one reading of it


def test_a_sheet_of_a_workbook_is_chosen(empty_app: AppTest) -> None:
    open_page(empty_app, state.IMPORT)
    upload(empty_app, workbook(), "book.xlsx")
    read_again(empty_app, sheet="Sales")
    assert "Sales" in text_of(empty_app)
    assert preview(empty_app)["Customer"].tolist() == ["anna"]
    import_it(empty_app)
    assert (history()[0]["created"], history()[0]["file_name"]) == (1, "book.xlsx")


def test_a_doubtful_encoding_is_asked_with_a_line_in_each(empty_app: AppTest) -> None:
    """Nothing is mapped before the answer; it decides what is stored."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, "Order,Customer,Date,Amount\n1,œuvre,2025-01-05,10\n".encode("cp1252"))
    question = empty_app.radio[0]
    assert "more than one encoding" in question.label
    assert question.value is None
    assert len(question.options) > 1
    assert "1,œuvre,2025-01-05,10" in str(question.proto.captions)
    assert not empty_app.segmented_control

    question.set_value("cp1252").run()
    press(empty_app, "Read it so")
    until(empty_app, lambda: bool(empty_app.segmented_control))
    assert preview(empty_app)["Customer"].tolist() == ["œuvre"]
    assert not empty_app.radio


# --- which column is what -------------------------------------------------------------------------------


def test_several_columns_are_joined(empty_app: AppTest) -> None:
    """In the order in which they are chosen, with a blank."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, b"customer_id,city,street\n1,Bonn,Am Markt\n2,Rome,\n", "contacts.csv")
    chosen(empty_app, "Note").set_value("\x1fjoin").run()
    next(box for box in empty_app.multiselect if "Note" in box.label).set_value(["street", "city"]).run()
    assert "Am Markt Bonn, Rome (chosen by you)" in text_of(empty_app)
    import_it(empty_app)
    assert (stored("1").note, stored("2").note) == ("Am Markt Bonn", "Rome")
    assert "Note: street + city" in text_of(empty_app)


def test_a_field_is_the_same_for_every_row(empty_app: AppTest) -> None:
    open_page(empty_app, state.IMPORT)
    upload(empty_app, ORDERS)
    chosen(empty_app, "Currency").set_value("\x1fsame").run()
    assert "Write what holds for every row." in text_of(empty_app)
    next(box for box in empty_app.text_input if "Currency" in box.label).set_value("EUR").run()
    import_it(empty_app)
    assert cache.currencies() == ("EUR",)
    assert "Currency: EUR, the same for every row" in text_of(empty_app)


def test_columns_left_over_become_custom_attributes_unless_taken_out(empty_app: AppTest) -> None:
    open_page(empty_app, state.IMPORT)
    upload(empty_app, b"customer_id,Loyalty points,Shoe size,Secret\nanna,10,38,x\n", "contacts.csv")
    kept = next(box for box in empty_app.multiselect if box.label == "Custom attributes")
    assert kept.value == ["Loyalty points", "Shoe size", "Secret"]
    kept.set_value(["Loyalty points", "Shoe size"]).run()
    chosen(empty_app, "Note").set_value("Shoe size").run()
    kept = next(box for box in empty_app.multiselect if box.label == "Custom attributes")
    assert kept.value == ["Loyalty points"]
    import_it(empty_app)
    assert list(stored("anna").attributes.values()) == ["10"]
    assert "Loyalty points, as a custom attribute" in text_of(empty_app)


def test_contacts_are_recognised_by_what_is_chosen(empty_app: AppTest) -> None:
    """By e-mail, a row is the contact that has the same address, whatever its ID."""
    with cache.workbench().records.write() as session:
        save_contact(session, customer_id="K1", values={"email": "Anna@Example.com"}, actor="test")
    open_page(empty_app, state.IMPORT)
    upload(empty_app, b"customer_id,email,city\nX9,anna@example.com,Bonn\n", "contacts.csv")
    assert "**1** rows read = 1 created" in text_of(empty_app)
    key = next(box for box in empty_app.segmented_control if box.label == "A contact is recognised by")
    key.set_value("email").run()
    assert "**1** rows read = 0 created + 1 updated" in text_of(empty_app)
    import_it(empty_app)
    assert stored("K1").city == "Bonn"


def test_a_mapping_is_kept_under_a_name_and_applied_to_another_file(empty_app: AppTest) -> None:
    """What the other file lacks is named; the template can be replaced, deleted, and that undone."""
    open_page(empty_app, state.IMPORT)
    upload(empty_app, b"who,when,paid,shipped\nanna,2025-01-05,10,2025-01-09\n")
    empty_app.segmented_control[0].set_value("orders").run()
    for title, source in (("Customer ID", "who"), ("Order date", "shipped"), ("Amount", "paid")):
        chosen(empty_app, title).set_value(source).run()
    chosen(empty_app, "Currency").set_value("\x1fsame").run()
    next(box for box in empty_app.text_input if "Currency" in box.label).set_value("EUR").run()
    next(box for box in empty_app.text_input if box.label == "Name of the template").set_value("Shop A").run()
    press(empty_app, "Keep it")
    press(empty_app, "Let go of it")

    upload(empty_app, b"Extra,Who,Shipped,Paid\nx,bob,2025-02-05,20\n", "other.csv")
    empty_app.segmented_control[0].set_value("orders").run()
    template = next(box for box in empty_app.selectbox if box.label == "Template")
    assert template.value is None
    template.set_value("Shop A").run()
    assert (chosen(empty_app, "Customer ID").value, chosen(empty_app, "Order date").value) == (
        "Who",
        "Shipped",
    )
    assert "as the template says" in text_of(empty_app)
    assert "The file has all of its columns." in text_of(empty_app)
    assert "**1** rows read = 1 created" in text_of(empty_app)
    import_it(empty_app)
    assert cache.currencies() == ("EUR",)

    press(empty_app, "Import another file")
    upload(empty_app, b"Who,Paid\nbob,20\n", "less.csv")
    empty_app.segmented_control[0].set_value("orders").run()
    next(box for box in empty_app.selectbox if box.label == "Template").set_value("Shop A").run()
    assert "The file has no shipped." in text_of(empty_app)
    press(empty_app, "Delete this template")
    assert not [box for box in empty_app.selectbox if box.label == "Template"]
    press(empty_app, "Undo")
    assert [box for box in empty_app.selectbox if box.label == "Template"]


# --- work that lasts ------------------------------------------------------------------------------------


class Slow:
    """An act of the importer that waits until it is told to go on, or is cancelled."""

    def __init__(self, act: Callable[..., Any]) -> None:
        self.act, self.go = act, threading.Event()

    def __call__(self, *args: Any, progress: Progress, **values: Any) -> Any:
        limit = time.monotonic() + 30
        while not self.go.wait(0.02):
            assert time.monotonic() < limit
            progress.check()
        return self.act(*args, progress=progress, **values)


@pytest.fixture
def slow(empty_app: AppTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Slow]]:
    """Return a function that makes an act of the importer wait; pages wait hardly at all."""
    del empty_app
    made: list[Slow] = []
    monkeypatch.setattr(uploads, "AT_ONCE_S", 0.05)

    def slowed(name: str) -> Slow:
        importer = cache.workbench().importer
        made.append(Slow(getattr(importer, name)))
        monkeypatch.setattr(importer, name, made[-1])
        return made[-1]

    yield slowed
    for act in made:
        act.go.set()


def begin_upload(app: AppTest, data: bytes, name: str) -> None:
    app.file_uploader[0].upload(name, data).run()


def bars(app: AppTest) -> list[str]:
    return [bar.proto.text for bar in app.get("progress")]


def test_a_long_reading_is_followed_and_survives_the_way_to_another_page(
    empty_app: AppTest, slow: Callable[[str], Slow]
) -> None:
    reading = slow("prepare")
    open_page(empty_app, state.IMPORT)
    begin_upload(empty_app, ORDERS, "orders.csv")
    assert "Reading orders.csv" in text_of(empty_app)
    assert len(bars(empty_app)) == 1
    open_page(empty_app, state.HISTORY)
    open_page(empty_app, state.IMPORT)
    assert len(bars(empty_app)) == 1

    reading.go.set()
    until(empty_app, lambda: "**4** rows read" in text_of(empty_app))
    assert not bars(empty_app)


def test_a_reading_is_cancelled_and_leaves_nothing(empty_app: AppTest, slow: Callable[[str], Slow]) -> None:
    slow("prepare")
    open_page(empty_app, state.IMPORT)
    begin_upload(empty_app, ORDERS, "orders.csv")
    press(empty_app, "Cancel")
    until(empty_app, lambda: "The reading was cancelled" in text_of(empty_app))
    assert "waits" not in text_of(empty_app)
    assert not leftovers()


def test_a_long_check_is_cancelled_and_made_again(empty_app: AppTest, slow: Callable[[str], Slow]) -> None:
    checking = slow("check")
    open_page(empty_app, state.IMPORT)
    begin_upload(empty_app, ORDERS, "orders.csv")
    until(empty_app, lambda: "Checking orders.csv" in text_of(empty_app))
    press(empty_app, "Cancel")
    until(empty_app, lambda: "The check was cancelled" in text_of(empty_app))
    assert not [button for button in empty_app.button if button.key == "import_now"]

    checking.go.set()
    press(empty_app, "Check again")
    until(empty_app, lambda: "**4** rows read" in text_of(empty_app))


def test_an_import_is_cancelled_changes_nothing_and_can_be_started_again(
    empty_app: AppTest, slow: Callable[[str], Slow]
) -> None:
    open_page(empty_app, state.IMPORT)
    upload(empty_app, ORDERS)
    until(empty_app, lambda: "5. The import" in text_of(empty_app))
    committing = slow("commit")
    empty_app.button(key="import_now").click().run()
    assert "Importing orders.csv" in text_of(empty_app)
    assert not empty_app.file_uploader
    press(empty_app, "Cancel")
    until(empty_app, lambda: "The import was cancelled; nothing was changed." in text_of(empty_app))
    assert history() == []

    committing.go.set()
    until(empty_app, lambda: bool([b for b in empty_app.button if b.key == "import_now"]))
    import_it(empty_app)
    assert history()[0]["created"] == 2


def test_the_same_file_in_two_sessions_is_one_import(empty_app: AppTest, slow: Callable[[str], Slow]) -> None:
    """The second session is told who brings it in, sees how far it is, and gets the same result."""
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    for app in (empty_app, other):
        open_page(app, state.IMPORT)
        begin_upload(app, ORDERS, "orders.csv")
    for app in (empty_app, other):
        until(app, lambda: bool([b for b in app.button if b.key == "import_now"]))  # noqa: B023
    committing = slow("commit")
    for app in (empty_app, other):
        app.button(key="import_now").click().run()
    assert "is being imported already" not in text_of(empty_app)
    assert "This very file is being imported already" in text_of(other)

    committing.go.set()
    for app in (empty_app, other):
        until(app, lambda: "orders.csv is imported" in text_of(app))  # noqa: B023
    assert len(history()) == 1

"""The import page: from a file to figures that reconcile, and back."""

import time
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from crm.errors import Conflict
from crm.records.contacts import save_contact
from crm.ui import cache, state
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
    return app.file_uploader[0].upload(name, data).run()


def import_it(app: AppTest) -> AppTest:
    """Press the button and wait for the end of the import."""
    app.button(key="import_now").click().run()
    for _ in range(200):
        if "is imported" in text_of(app):
            return app
        time.sleep(0.05)
        app.run()
    raise AssertionError(text_of(app))


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
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "picture.csv", "not a text file"),
        (b"PK\x03\x04" + b"[Content_Types].xml" + bytes(64), "book.xlsx", "Excel workbook"),
    ],
    ids=["empty", "header only", "picture", "workbook"],
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
    checked, _ = waiting.check(mapped, {}, "overwrite")
    for _ in range(2):
        waiting.start(checked, policy="overwrite", actor="test")
    assert waiting.run is not None
    assert waiting.run.over.wait(20)

    assert len(history()) == 1
    assert not path.exists()


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
        for _ in range(200):
            if "Another import is running." in text_of(empty_app):
                break
            time.sleep(0.05)
            empty_app.run()
    assert "Another import is running." in text_of(empty_app)
    assert history() == []

    import_it(empty_app)
    assert history()[0]["created"] == 2

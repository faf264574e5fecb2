"""The import history: the list, one import, and undoing it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from crm.imports.jobs import Cancelled, Job
from crm.records.contacts import save_contact
from crm.ui import cache, state, uploads
from tests.pages.conftest import open_page, text_of
from tests.pages.test_contacts import press, stored
from tests.pages.test_import_file import CONTACTS, ORDERS


def bring(folder: Path, name: str, data: bytes) -> str:
    """Import a file and return the import's id."""
    path = folder / name
    path.write_bytes(data)
    return cache.workbench().importer.run(path, actor="mei", source="page").import_id


def status(import_id: str) -> str:
    return str(cache.workbench().importer.details(import_id)["status"])


def edit(customer_id: str, **values: object) -> None:
    with cache.workbench().records.write() as session:
        save_contact(session, customer_id=customer_id, values=values, actor="test")


def test_an_empty_history_leads_to_the_import(empty_app: AppTest) -> None:
    """There is nothing yet."""
    open_page(empty_app, state.HISTORY)

    assert "Nothing was imported yet." in text_of(empty_app)
    assert not empty_app.dataframe


def test_removing_the_sample_shop_says_what_goes_with_it(sample_app: AppTest) -> None:
    """Contacts of the sample go even where one's own files updated them, and that is said before."""
    open_page(sample_app, state.HISTORY)

    assert "Contacts of the sample go, also those that your own files updated" in text_of(sample_app)


def test_edits_stand_below_the_imports_and_can_be_undone_there(empty_app: AppTest) -> None:
    """Who did what to which fields; a refusal to undo is said in words."""
    edit("anna", name="Anna", city="Rome")
    edit("anna", city="Paris")
    open_page(empty_app, state.HISTORY)
    assert "test **created** contact anna, Anna" in text_of(empty_app)
    assert "test **edited** contact anna, Anna: City" in text_of(empty_app)

    buttons = [button for button in empty_app.button if button.label == "Undo"]
    assert len(buttons) == 2
    buttons[1].click().run()
    assert "was changed again since" in empty_app.toast[0].value
    assert stored("anna").city == "Paris"

    next(button for button in empty_app.button if button.label == "Undo").click().run()
    assert stored("anna").city == "Rome"
    assert "(undone)" in text_of(empty_app)


def test_every_import_stands_in_the_list_newest_first(sample_app: AppTest, tmp_path: Path) -> None:
    """Who, what, when, and five counts that add up to what was read."""
    bring(tmp_path, "orders.csv", ORDERS)
    open_page(sample_app, state.HISTORY)
    table = sample_app.dataframe[0].value

    assert list(table["file"]) == [
        "orders.csv",
        *(f"{name}.csv (sample shop)" for name in ("responses", "orders", "contacts")),
    ]
    assert table["actor"].iloc[0] == "mei"
    counts = table[["created", "updated", "unchanged", "skipped", "rejected"]].sum(axis=1)
    assert (counts == table["rows_read"]).all()


def test_one_import_shows_its_counts_mapping_and_rejects(empty_app: AppTest, tmp_path: Path) -> None:
    """The same sum as on the import page, and the rejected rows to download."""
    import_id = bring(tmp_path, "orders.csv", ORDERS)
    open_page(empty_app, state.HISTORY, **{"import": import_id})

    assert "**4** rows read = 2 created + 0 updated + 0 unchanged + 0 skipped + 2 rejected" in text_of(
        empty_app
    )
    assert "Customer ID: Customer" in text_of(empty_app)
    assert sorted(empty_app.dataframe[0].value["rows"]) == [1, 1]
    assert empty_app.get("download_button")


def test_an_unknown_import_is_answered(empty_app: AppTest) -> None:
    """With a refusal and the way back."""
    open_page(empty_app, state.HISTORY, **{"import": "nope"})
    assert "There is no import nope." in text_of(empty_app)

    press(empty_app, "All imports")
    assert empty_app.title[0].value == "Import history"


def test_imports_are_undone_last_one_first(empty_app: AppTest, tmp_path: Path) -> None:
    """An earlier one is refused in words, naming what stands in the way."""
    first = bring(tmp_path, "orders.csv", ORDERS)
    last = bring(tmp_path, "more.csv", ORDERS.replace(b"10.50", b"99"))
    open_page(empty_app, state.HISTORY, **{"import": first})
    assert "more.csv was imported after it" in text_of(empty_app)
    assert not [button for button in empty_app.button if button.label.startswith("Undo the import")]

    open_page(empty_app, state.HISTORY, **{"import": last})
    press(empty_app, "Undo the import of more.csv")
    assert (status(first), status(last)) == ("done", "undone")
    assert "undone" in text_of(empty_app)
    open_page(empty_app, state.HISTORY, **{"import": first})
    press(empty_app, "Undo the import of orders.csv")
    assert cache.days() is None


def test_contacts_edited_since_are_listed_with_what_differs_and_asked_about(
    empty_app: AppTest, tmp_path: Path
) -> None:
    """Left as they are or put back too: the user says which, and sees what an edit is worth."""
    edit("anna", city="Oslo")
    import_id = bring(tmp_path, "contacts.csv", CONTACTS)
    edit("anna", city="Paris")
    edit("bob", name="Bob")
    open_page(empty_app, state.HISTORY, **{"import": import_id})
    assert "**2** of its contacts were edited since" in text_of(empty_app)
    assert differences(empty_app) == [
        ("anna, Anna Meyer", "Name", "Anna Meyer", "empty"),
        ("", "City", "Paris", "Oslo"),
        ("bob, Bob", "The whole contact", "Edited after the import", "Did not exist"),
    ]
    sure = empty_app.button(key=f"undo_sure_{import_id}")
    assert sure.disabled

    empty_app.radio(key=f"undo_edited_{import_id}").set_value("keep").run()
    press(empty_app, "Undo the import of contacts.csv")
    assert stored("anna").city == "Paris"
    assert stored("bob").name == "Bob"
    assert "2 edited contacts were left" in empty_app.toast[0].value


def differences(app: AppTest) -> list[tuple[str, ...]]:
    """Return the rows of the table that lists edits, without their wrapping in Markdown."""
    table = app.table[0].value
    assert list(table.columns) == ["Contact", "Field", "Now", "Before the import"]
    return [tuple(str(cell).replace("\\", "") for cell in row) for row in table.itertuples(index=False)]


def test_what_an_undo_left_can_be_put_back_later(empty_app: AppTest, tmp_path: Path) -> None:
    """By force, from the import that is undone already; then nothing is left to ask."""
    edit("anna", city="Oslo")
    import_id = bring(tmp_path, "contacts.csv", CONTACTS)
    edit("anna", city="Paris")
    open_page(empty_app, state.HISTORY, **{"import": import_id})
    empty_app.radio(key=f"undo_edited_{import_id}").set_value("keep").run()
    press(empty_app, "Undo the import of contacts.csv")
    assert "1 contact was left as it was" in text_of(empty_app)
    assert ("", "City", "Paris", "Oslo") in differences(empty_app)

    press(empty_app, "Put these back too; the edits are lost")
    assert stored("anna").city == "Oslo"
    assert status(import_id) == "undone"
    assert not empty_app.table


def test_contacts_edited_since_can_be_taken_back_too(empty_app: AppTest, tmp_path: Path) -> None:
    """By force, the edits are lost."""
    import_id = bring(tmp_path, "contacts.csv", CONTACTS)
    edit("anna", city="Paris")
    open_page(empty_app, state.HISTORY, **{"import": import_id})
    empty_app.radio(key=f"undo_edited_{import_id}").set_value("force").run()
    press(empty_app, "Undo the import of contacts.csv")

    assert stored("anna") is None
    assert status(import_id) == "undone"


@pytest.fixture
def running(empty_app: AppTest) -> Iterator[Job]:
    """An import under way in another session."""
    del empty_app
    job = uploads.jobs().start(
        work="import", file_name="big_orders.csv", actor="mei", source="page", kind="orders"
    )
    yield job
    job.finish()


@pytest.mark.parametrize("page", [state.HISTORY, state.IMPORT])
def test_an_import_of_another_session_is_seen_under_way(empty_app: AppTest, running: Job, page: str) -> None:
    """Who, what, how far and how fast, on top of the history and where files are imported."""
    running("Writing", 2_500, 10_000)
    open_page(empty_app, page)
    for _ in range(200):
        bars = empty_app.get("progress")
        if bars and "Writing" in bars[0].proto.text:
            break
        time.sleep(0.05)
        empty_app.run()
    assert "An import of **big_orders.csv** by mei is running" in text_of(empty_app)
    assert "2,500 of 10,000 rows" in bars[0].proto.text
    assert 30 < bars[0].proto.value < 70


def work_on(job: Job) -> None:
    for _ in range(200):
        job.check()
        time.sleep(0.05)


def test_an_import_of_another_session_can_be_cancelled(empty_app: AppTest, running: Job) -> None:
    """Its own session is told; the history says that it came to nothing."""
    open_page(empty_app, state.HISTORY)
    press(empty_app, "Cancel")
    with pytest.raises(Cancelled):
        work_on(running)
    running.fail(Cancelled())
    empty_app.run()
    assert "is running" not in text_of(empty_app)
    assert "**big_orders.csv** by mei: The import was cancelled; nothing was changed." in text_of(empty_app)


def test_what_is_in_force_is_not_to_be_cancelled(empty_app: AppTest, running: Job) -> None:
    running.commit_point()
    open_page(empty_app, state.HISTORY)
    assert next(button for button in empty_app.button if button.label == "Cancel").disabled

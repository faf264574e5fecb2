"""The Connect page: from an empty list over test, choice, preview and mapping to rows that can be refreshed and undone."""

import sqlite3
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from crm.imports.connecting import Connecting
from crm.settings import load_settings
from crm.ui import state
from crm.workbench import Workbench
from tests.fixtures_databases import KEY, PASSWORD, Server, make_sqlite
from tests.pages.conftest import link_of, open_page, text_of


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A SQLite file that lies in the folder of sources of the app's store."""
    path = make_sqlite(tmp_path / "home" / "sources")
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE sales (order_id TEXT, customer_id TEXT, order_date TEXT, amount TEXT)"
        )
        connection.execute(
            "INSERT INTO sales VALUES ('1', 'anna', '2024-01-05', '100.50'), ('2', 'bob', '2024-02-05', '20')"
        )
    connection.close()
    return path


def field(app: AppTest, kind: str, label: str) -> object:
    """Return the one widget of a kind with a label."""
    found = [widget for widget in getattr(app, kind) if widget.label == label]
    assert len(found) == 1, f"{len(found)} {kind} are called {label}: {[w.label for w in getattr(app, kind)]}"
    return found[0]


def press(app: AppTest, label: str) -> AppTest:
    field(app, "button", label).click()  # type: ignore[attr-defined]
    return app.run()


def choose(app: AppTest, label: str, value: str) -> AppTest:
    field(app, "selectbox", label).set_value(value)  # type: ignore[attr-defined]
    return app.run()


def control(app: AppTest, label: str, value: str) -> AppTest:
    field(app, "segmented_control", label).set_value(value)  # type: ignore[attr-defined]
    return app.run()


def settled(app: AppTest) -> AppTest:
    """Run the page until nothing runs in the background any more."""
    import time

    for _ in range(100):
        app.run()
        if not app.get("progress"):
            return app
        time.sleep(0.1)
    raise AssertionError(text_of(app))


def connect(app: AppTest, *, table: str = "sales") -> AppTest:
    """Open a new connection to the SQLite file, tested, with a table chosen."""
    open_page(app, state.CONNECT)
    press(app, "New connection")
    control(app, "Kind of database", "sqlite")
    choose(app, "File", "shop.sqlite3")
    press(app, "Test connection")
    return choose(app, "Table or view", table)


def test_the_empty_page_says_what_it_is_for_and_what_can_be_reached(empty_app: AppTest):
    open_page(empty_app, state.CONNECT)
    said = text_of(empty_app)
    assert "No database is connected yet." in said
    assert "Nothing is ever written there" in said
    assert "public addresses, on the ports 3306, 3307, 5432, 5433" in said
    assert "CLIENTELE_ALLOWED_NETWORKS" in said
    press(empty_app, "New connection")
    assert link_of(empty_app, "connection") == "new"


def test_a_table_is_tested_previewed_mapped_imported_and_refreshed(source: Path, empty_app: AppTest):
    app = connect(empty_app)
    assert not app.exception
    assert "tables and views can be read" in app.success[0].value
    assert list(app.dataframe[0].value["customer_id"]) == ["anna", "bob"]

    field(app, "text_input", "Name of the connection").set_value("Till")  # type: ignore[attr-defined]
    choose(app, "What tells new rows", "order_date")
    press(app, "Save and fetch")
    settled(app)
    assert "Till: sales" in text_of(app)
    assert "2 rows, 4 columns" in text_of(app)
    press(app, "Import Till\\: sales")
    settled(app)
    assert "Till: sales is imported" in text_of(app)

    press(app, "All connections")
    assert "2 rows imported, last refreshed" in text_of(app)
    assert "New rows are told by “order_date”" in text_of(app)
    with sqlite3.connect(source) as connection:
        connection.execute("INSERT INTO sales VALUES ('3', 'cleo', '2024-03-05', '7')")
    connection.close()
    press(app, "Refresh")
    settled(app)
    assert "Till: sales is imported" in text_of(app)
    assert not app.exception
    press(app, "All connections")
    assert "4 rows imported" in text_of(app), "two, and two more of which one was the row at the boundary"


def test_a_sqlite_file_is_brought_on_the_page_and_replaced_by_a_fresh_copy(
    tmp_path: Path, empty_app: AppTest
):
    path = make_sqlite(tmp_path / "elsewhere", "till.db")
    app = open_page(empty_app, state.CONNECT, connection="new")
    control(app, "Kind of database", "sqlite")
    for copy in ("first", "second"):
        with sqlite3.connect(path) as connection:
            connection.execute(f"CREATE TABLE of_{copy}_copy (a)")
        connection.close()
        app.file_uploader[0].upload("till.db", path.read_bytes()).run()
        assert field(app, "selectbox", "File").value == "till.db"  # type: ignore[attr-defined]
        press(app, "Test connection")
        assert f"of_{copy}_copy" in field(app, "selectbox", "Table or view").options  # type: ignore[attr-defined]
        app.session_state["_tested"] = None
    assert [kept.name for kept in (tmp_path / "home" / "sources").iterdir()] == ["till.db"]
    app.file_uploader[0].upload("notes.txt", b"no database").run()
    assert any("not a SQLite file" in toast.value for toast in app.toast)


def test_removing_a_connection_can_be_undone(source: Path, empty_app: AppTest):
    app = connect(empty_app)
    field(app, "text_input", "Name of the connection").set_value("Till")  # type: ignore[attr-defined]
    press(app, "Save")
    assert "Till" in text_of(app)
    press(app, "Remove")
    assert "No database is connected yet." in text_of(app)
    press(app, "Undo")
    assert "SQLite file, shop.sqlite3: sales" in text_of(app)


def test_a_connection_can_be_edited_and_a_stale_edit_is_refused(
    source: Path, empty_app: AppTest, tmp_path: Path
):
    app = connect(empty_app)
    field(app, "text_input", "Name of the connection").set_value("Till")  # type: ignore[attr-defined]
    press(app, "Save")
    press(app, "Edit")
    press(app, "Test connection")
    assert field(app, "selectbox", "Table or view").value == "sales"  # type: ignore[attr-defined]
    workbench = Workbench.open(load_settings())
    of = Connecting(workbench.settings, workbench.records, workbench.importer)
    one = of.find(name="Till")
    of.save(name="Till 2", login=one.login(), source=one.source, keep_password=False, actor="bob",
            connection_id=one.connection_id, version=one.version)  # fmt: skip
    workbench.close()
    choose(app, "Table or view", "orders")
    press(app, "Save")
    assert any("Somebody else changed" in toast.value for toast in app.toast)


def test_a_select_that_is_wrong_is_told_in_words(source: Path, empty_app: AppTest):
    app = connect(empty_app)
    control(app, "What to read", "select")
    field(app, "text_area", "SELECT").set_value("SELECT nonsense FROM sales")  # type: ignore[attr-defined]
    app.run()
    assert "no such column: nonsense" in text_of(app)
    assert not app.exception


def test_a_refused_connection_says_the_one_sentence_and_keeps_what_was_typed(empty_app: AppTest):
    open_page(empty_app, state.CONNECT, connection="new")
    app = empty_app
    for label, value in (
        ("Host", "127.0.0.1"),
        ("Database", "shop"),
        ("User name", "reader"),
        ("Password", PASSWORD),
    ):
        field(app, "text_input", label).set_value(value)  # type: ignore[attr-defined]
    press(app, "Test connection")
    assert "Could not connect to the database." in text_of(app)
    assert field(app, "text_input", "Host").value == "127.0.0.1"  # type: ignore[attr-defined]
    assert PASSWORD not in text_of(app)
    control(app, "Kind of database", "mysql")
    assert field(app, "number_input", "Port").value == 3306  # type: ignore[attr-defined]


@pytest.mark.parametrize("link", ["99", "x", "-1", "9" * 30])
def test_a_link_to_no_connection_is_refused_in_words(link: str, empty_app: AppTest):
    open_page(empty_app, state.CONNECT, connection=link)
    assert not empty_app.exception
    assert empty_app.error


@pytest.mark.postgres
def test_a_password_that_is_not_saved_is_asked_each_time_and_a_saved_one_never(
    postgres_source: Server, empty_app: AppTest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CLIENTELE_ALLOWED_NETWORKS", "127.0.0.0/8")
    monkeypatch.setenv("CLIENTELE_ALLOWED_PORTS", str(postgres_source.port))
    monkeypatch.setenv("CLIENTELE_SECRET_KEY", KEY)
    import streamlit as st

    st.cache_resource.clear()
    app = open_page(empty_app, state.CONNECT, connection="new")
    for label, value in (
        ("Host", "127.0.0.1"),
        ("Database", "shop"),
        ("User name", "reader"),
        ("Password", PASSWORD),
    ):
        field(app, "text_input", label).set_value(value)  # type: ignore[attr-defined]
    field(app, "number_input", "Port").set_value(postgres_source.port)  # type: ignore[attr-defined]
    choose(app, "Encryption (TLS)", "disable")
    press(app, "Test connection")
    choose(app, "Table or view", "public.orders")
    field(app, "text_input", "Name of the connection").set_value("Shop")  # type: ignore[attr-defined]
    field(app, "checkbox", "Save the password, encrypted").uncheck()  # type: ignore[attr-defined]
    press(app, "Save")
    assert [widget.label for widget in app.text_input] == ["Password of reader"]
    field(app, "text_input", "Password of reader").set_value(PASSWORD)  # type: ignore[attr-defined]
    press(app, "Import")
    settled(app)
    assert "**Shop: public.orders**: 3 rows, 8 columns" in text_of(app)
    press(app, "Let go of it")
    press(app, "Edit")
    field(app, "text_input", "Password").set_value(PASSWORD)  # type: ignore[attr-defined]
    press(app, "Test connection")
    field(app, "checkbox", "Save the password, encrypted").check()  # type: ignore[attr-defined]
    press(app, "Save")
    assert not app.text_input
    press(app, "Import")
    settled(app)
    assert "**Shop: public.orders**: 3 rows, 8 columns" in text_of(app)
    assert not app.exception
    assert app.session_state._state.filtered_state
    assert PASSWORD not in str([value for key, value in app.session_state._state.filtered_state.items()])

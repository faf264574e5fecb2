"""A saved connection brings rows in, remembers how and how far, and never lets its password be seen."""

import dataclasses
import io
import json
import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crm import cli
from crm.errors import ClienteleError, Conflict, InvalidValue, NotFound, StaleRecord, UnsafeSetting
from crm.imports import loading
from crm.imports.connecting import Connecting, NoRows
from crm.imports.drivers import Login
from crm.imports.jobs import Cancelled, Jobs
from crm.records import connections
from crm.records.audit import list_edits, undo_event
from crm.records.database import Records
from crm.records.models import Connection, Event
from crm.records.secrets import Keys
from crm.settings import load_settings
from crm.workbench import Workbench
from tests.fixtures_databases import KEY, PASSWORD, Server, make_sqlite, settings_for

PLACE = {
    "driver": "postgresql", "host": "db.example.com", "port": 5432, "database": "shop", "username": "reader",
    "tls": "require",
}  # fmt: skip
VALUES = {**PLACE, "source": {"table": "public.orders"}, "new_column": "changed"}


# --- what is kept -------------------------------------------------------------------------------------


def make(records: Records, **more: Any) -> Connection:
    given = {"name": "Shop", "values": VALUES, "password": "hidden", "actor": "anna", **more}
    with records.write() as session:
        return connections.create_connection(session, **given).record


def test_a_connection_is_saved_found_and_listed_by_name(records: Records):
    made = make(records)
    make(records, name="archive", password=None)
    with records.read() as session:
        assert [one.name for one in connections.list_connections(session)] == ["archive", "Shop"]
        found = connections.find_connection(session, name="Shop")
        assert (found.id, found.host, found.source, found.version) == (
            made.id,
            "db.example.com",
            VALUES["source"],
            1,
        )
        with pytest.raises(NotFound):
            connections.find_connection(session, name="nothing")


def test_two_connections_cannot_have_one_name(records: Records):
    made = make(records)
    with pytest.raises(Conflict):
        make(records)
    with records.write() as session:
        connections.delete_connection(session, connection_id=made.id, actor="anna")
    make(records)
    with pytest.raises(Conflict), records.write() as session:
        connections.restore_connection(session, connection_id=made.id, actor="anna")


@pytest.mark.parametrize(("name", "values"), [("", VALUES), (" ", VALUES), ("x" * 121, VALUES), ("x", {"id": 1}),
                                              ("x", {"password": "p"}), ("a\nb", VALUES)])  # fmt: skip
def test_what_cannot_be_saved_is_refused(records: Records, name: str, values: dict[str, Any]):
    with pytest.raises(InvalidValue):
        make(records, name=name, values=values)


def change(records: Records, made: Connection, *, version: int, **more: Any) -> Connection:
    given = {"name": made.name, "values": {}, "actor": "bob", **more}
    with records.write() as session:
        return connections.update_connection(session, connection_id=made.id, version=version, **given).record


def test_an_edit_at_an_old_version_is_refused_and_the_same_again_is_no_edit(records: Records):
    made = make(records)
    edited = change(records, made, version=1, values={"new_column": "id"})
    assert edited.version == 2
    with pytest.raises(StaleRecord):
        change(records, made, version=1, values={"new_column": "day"})
    assert change(records, made, version=2, values={"new_column": "id"}).version == 2


@pytest.mark.parametrize("field", connections.PLACE)
def test_a_saved_password_goes_when_it_would_be_shown_elsewhere(records: Records, field: str):
    made = make(records)
    other = {"port": 5433, "driver": "mysql", "tls": "disable"}.get(field, "other")
    assert change(records, made, version=1, values={"new_column": "x"}).password == "hidden"
    assert change(records, made, version=2, values={field: other}).password is None


def test_how_far_was_read_is_forgotten_when_something_else_is_read(records: Records):
    made = make(records)
    keep = {"kind": "orders", "mapping": {"columns": {"order_id": "id"}}, "options": {}, "read_up_to": "2024"}
    with records.write() as session:
        assert connections.keep_how(session, connection_id=made.id, version=1, **keep)
    with records.read() as session:
        kept = connections.find_connection(session, connection_id=made.id)
        assert (kept.read_up_to, kept.version, kept.kind) == ("2024", 1, "orders"), (
            "an open form is not stale now"
        )
    assert change(records, made, version=1, name="Shop 2").read_up_to == "2024"
    assert (
        change(records, made, version=2, name="Shop 2", values={"source": {"table": "b"}}).read_up_to is None
    )
    with records.write() as session:
        assert not connections.keep_how(session, connection_id=made.id, version=1, **keep), "it reads b now"


def test_no_event_and_no_image_holds_the_password(records: Records):
    made = make(records, password="needle-encrypted")
    change(records, made, version=1, password="needle-encrypted-2")
    with records.write() as session:
        connections.delete_connection(session, connection_id=made.id, actor="anna")
    with records.read() as session:
        events = session.scalars(select(Event)).all()
        assert [event.act for event in events] == [
            "connection.created",
            "connection.edited",
            "connection.deleted",
        ]
        assert "needle" not in json.dumps([[event.before, event.after] for event in events])
        assert "needle" not in repr(session.scalars(select(Connection)).all())


def test_removing_one_can_be_undone_and_its_password_still_works(records: Records):
    made = make(records)
    with records.write() as session:
        removed = connections.delete_connection(session, connection_id=made.id, actor="anna")
    with records.read() as session:
        assert connections.list_connections(session) == []
        assert [one.id for one in connections.list_connections(session, deleted=True)] == [made.id]
        assert list_edits(session)[1] == 2
    with records.write() as session:
        undo_event(session, event_id=removed.event_id or 0, actor="anna")
    with records.read() as session:
        assert connections.find_connection(session, name="Shop").password == "hidden"


def test_undoing_a_move_to_another_server_does_not_take_the_password_along(records: Records):
    keys = Keys([KEY])
    made = make(records, password=keys.hide(PASSWORD, place=PLACE))
    moved = {**PLACE, "host": "evil.example.com"}
    with records.write() as session:
        edited = connections.update_connection(
            session, connection_id=made.id, version=1, name="Shop", values=moved,
            password=keys.hide("his own", place=moved), actor="mallory",
        )  # fmt: skip
        assert edited.event_id is not None
    with records.write() as session:
        undo_event(session, event_id=edited.event_id, actor="anna")
    with records.read() as session:
        back = connections.find_connection(session, name="Shop")
        assert back.host == "db.example.com"
        with pytest.raises(ClienteleError, match="another server"):
            keys.reveal(back.password or "", place=connections.place_of(back))


# --- passwords ----------------------------------------------------------------------------------------


def test_a_password_comes_back_for_its_own_place_alone():
    keys = Keys([KEY])
    hidden = keys.hide(PASSWORD, place=PLACE)
    assert PASSWORD not in hidden
    assert keys.reveal(hidden, place=dict(reversed(PLACE.items()))) == PASSWORD
    for field in PLACE:
        with pytest.raises(ClienteleError, match="another server"):
            keys.reveal(hidden, place={**PLACE, field: "other"})


def test_a_new_key_in_front_still_reads_what_the_old_one_wrote():
    old, new = "o" * 32, "n" * 32
    hidden = Keys([old]).hide(PASSWORD, place=PLACE)
    assert Keys([new, old]).reveal(hidden, place=PLACE) == PASSWORD
    fresh = Keys([new, old]).hide(PASSWORD, place=PLACE)
    assert Keys([new]).reveal(fresh, place=PLACE) == PASSWORD
    for keys in (Keys([new]), Keys([])):
        with pytest.raises(ClienteleError, match="cannot be read"):
            keys.reveal(hidden, place=PLACE)
    with pytest.raises(ClienteleError, match="cannot be read"):
        Keys([old]).reveal(hidden[:-4] + "AAAA", place=PLACE)


def test_without_a_key_saving_a_password_is_refused_in_words():
    with pytest.raises(UnsafeSetting, match="without saving the password"):
        Keys([]).hide(PASSWORD, place=PLACE)


def test_the_key_must_be_long_and_is_never_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLIENTELE_SECRET_KEY", "needle-short-key")
    with pytest.raises(UnsafeSetting, match="32 bytes") as refusal:
        load_settings()
    assert "needle" not in str(refusal.value)
    monkeypatch.setenv("CLIENTELE_SECRET_KEY", f"{KEY},needle-second-key-of-32-bytes-and-more")
    settings = load_settings()
    assert settings.keys == (KEY, "needle-second-key-of-32-bytes-and-more")
    assert "needle" not in f"{settings!r} {settings} {settings.model_dump()}"


# --- from the database to the lake --------------------------------------------------------------------

LOGIN = Login("sqlite", "shop.sqlite3")
TABLE = {"table": "sales"}


class Shop:
    """A workbench, its connections, and a SQLite file to fetch from."""

    def __init__(self, home: Path) -> None:
        self.settings = settings_for(home)
        self.workbench = Workbench.open(self.settings)
        self.connecting = Connecting(self.settings, self.workbench.records, self.workbench.importer)
        self.path = make_sqlite(self.settings.sources)
        self.run(
            "CREATE TABLE sales (order_id TEXT, customer_id TEXT, order_date TEXT, amount TEXT, changed TEXT)",
            "INSERT INTO sales VALUES ('1', 'anna', '2024-01-05', '100.50', '2024-01-05 10:00:00'), "
            "('2', 'bob', '2024-02-05', '20', '2024-02-05 10:00:00')",
        )

    def run(self, *statements: str) -> None:
        with sqlite3.connect(self.path) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def save(self, **more: Any) -> None:
        given = {
            "name": "Sales", "login": LOGIN, "source": TABLE, "new_column": "changed", "keep_password": False,
            "actor": "anna", **more,
        }  # fmt: skip
        self.connecting.save(**given)

    def refresh(self, **more: Any) -> loading.Report | None:
        return self.connecting.refresh(self.connecting.find(name="Sales"), actor="cron", **more)

    def total(self) -> tuple[int, float]:
        rows = self.workbench.engine.collect(self.workbench.engine.orders())
        return len(rows), float(sum(rows["amount"]))


@pytest.fixture
def shop(home: Path) -> Any:
    opened = Shop(home)
    yield opened
    opened.workbench.close()


def test_the_first_refresh_maps_as_for_a_file_and_is_remembered(shop: Shop):
    shop.save()
    report = shop.refresh()
    assert report is not None
    assert (report.kind, report.rows_read, report.created) == ("orders", 2, 2)

    saved = shop.connecting.find(name="Sales")
    assert (saved.kind, saved.read_up_to, saved.is_ready, saved.rows) == (
        "orders",
        "2024-02-05 10:00:00",
        True,
        2,
    )
    assert saved.mapping["columns"]["amount"] == "amount"
    details = shop.workbench.importer.details(report.import_id)
    assert (details["source"], details["file_name"], details["actor"]) == (
        "connection",
        "Sales: sales",
        "cron",
    )


def test_a_refresh_brings_what_is_new_and_repeats_change_nothing(shop: Shop):
    shop.save()
    shop.refresh()
    again = shop.refresh()
    assert again is not None
    assert (again.rows_read, again.created, again.unchanged) == (1, 0, 1), (
        "the row at the boundary, unchanged"
    )
    shop.run(
        "INSERT INTO sales VALUES ('3', 'anna', '2024-02-05', '7', '2024-02-05 10:00:00')",  # the same second
        "INSERT INTO sales VALUES ('4', 'cleo', '2024-03-05', '9.25', '2024-03-05 10:00:00')",
        "UPDATE sales SET amount = '21', changed = '2024-03-06 10:00:00' WHERE order_id = '2'",
    )
    new = shop.refresh()
    assert new is not None
    assert (new.rows_read, new.created, new.updated) == (3, 2, 1)
    assert shop.total() == (4, 100.50 + 21 + 7 + 9.25)
    assert shop.connecting.find(name="Sales").read_up_to == "2024-03-06 10:00:00"


def test_without_a_column_that_tells_new_rows_all_come_each_time(shop: Shop):
    shop.save(new_column=None)
    shop.refresh()
    again = shop.refresh()
    assert again is not None
    assert (again.rows_read, again.unchanged) == (2, 2)


def test_after_an_undo_everything_is_fetched_again(shop: Shop):
    shop.save()
    report = shop.refresh()
    assert report is not None
    shop.workbench.importer.undo(report.import_id, actor="anna")
    assert shop.total()[0] == 0
    again = shop.refresh()
    assert again is not None
    assert (again.rows_read, again.created) == (2, 2)
    assert any("undone since" in sentence for sentence in again.assumed)
    third = shop.refresh()
    assert third is not None
    assert third.rows_read == 1


def test_a_refresh_that_fails_notes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.save()

    class PowerLost(Exception):
        pass

    def lose(*_: Any, **__: Any) -> None:
        raise PowerLost

    with monkeypatch.context() as patched:
        patched.setattr(connections, "keep_how", lose)
        with pytest.raises(PowerLost):
            shop.refresh()
    saved = shop.connecting.find(name="Sales")
    assert (saved.read_up_to, saved.is_ready, saved.rows, shop.total()[0]) == (None, False, 0, 0)
    assert shop.refresh() is not None


def test_a_refresh_can_be_cancelled_and_leaves_nothing(shop: Shop):
    shop.save(source={"select": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS x FROM n"},
              new_column=None)  # fmt: skip
    jobs = Jobs(shop.settings.home)
    job = jobs.start(
        work="import", file_name="Sales", actor="anna", source="page", stages=("Reading", "Writing")
    )
    threading.Timer(0.5, jobs.cancel, args=(job.id,)).start()
    with pytest.raises(Cancelled), job:
        shop.refresh(progress=job)
    assert jobs.find(job.id).status == "cancelled"
    assert shop.total()[0] == 0
    assert not list(shop.settings.scratch.glob("import-*"))


def test_no_rows_at_all_are_told_and_no_new_rows_are_no_error(shop: Shop):
    shop.save()
    shop.refresh()
    shop.run("DELETE FROM sales")
    assert shop.refresh() is None
    with pytest.raises(NoRows, match="no rows"):
        shop.refresh(everything=True)
    assert not list(shop.settings.scratch.glob("import-*")), "nothing is left behind"


def test_what_is_mapped_and_answered_is_kept_for_the_next_time(shop: Shop):
    shop.run(
        "CREATE TABLE odd (nr TEXT, who TEXT, tag TEXT, sum TEXT)",
        "INSERT INTO odd VALUES ('1', 'a', '03/04/2024', '5')",
    )
    shop.save(source={"table": "odd"}, new_column=None)
    columns = {"order_id": "nr", "customer_id": "who", "ordered_at": "tag", "amount": "sum"}
    with pytest.raises(ClienteleError):
        shop.refresh(kind="orders", columns=columns)
    first = shop.refresh(kind="orders", columns=columns, options={"date_order": "dmy"})
    assert first is not None
    assert first.created == 1
    assert shop.connecting.find(name="Sales").options == {"date_order": "dmy"}
    again = shop.refresh()
    assert again is not None
    assert again.unchanged == 1


def test_a_select_is_fetched_too(shop: Shop):
    shop.save(
        source={
            "select": "SELECT order_id, customer_id, order_date, amount FROM sales WHERE customer_id = 'bob';"
        },
        new_column=None,
    )
    report = shop.refresh()
    assert report is not None
    assert (report.rows_read, report.file_name) == (1, "Sales: a SELECT")


@pytest.mark.parametrize(
    "name", ["shop.db", "../../evil.db", "a b.sqlite", ".hidden", "x" * 300, "a?mode=rwc", "客户.db"]
)
def test_a_sqlite_file_is_kept_under_a_harmless_name(shop: Shop, name: str):
    kept = shop.connecting.keep_file(name, lambda path: path.write_bytes(shop.path.read_bytes()))
    assert kept in shop.connecting.files()
    assert (shop.settings.sources / kept).resolve().parent == shop.settings.sources.resolve()
    assert "orders" in shop.connecting.test(Login("sqlite", kept)).tables


def test_a_file_that_is_no_database_is_not_kept(shop: Shop):
    with pytest.raises(InvalidValue, match="not a SQLite file"):
        shop.connecting.keep_file("a.db", lambda path: path.write_text("a,b\n1,2\n"))
    assert shop.connecting.files() == ["shop.sqlite3"]
    assert [path.name for path in shop.settings.sources.iterdir()] == ["shop.sqlite3"]


@pytest.mark.postgres
def test_a_saved_password_opens_the_database_and_is_nowhere_to_be_seen(
    home: Path, postgres_source: Server, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    settings = settings_for(home, postgres_source.port)
    workbench = Workbench.open(settings)
    connecting = Connecting(settings, workbench.records, workbench.importer)
    login = Login("postgresql", "shop", "127.0.0.1", postgres_source.port, "reader", PASSWORD, tls="disable")
    given = {"name": "Shop", "source": {"table": "public.orders"}, "new_column": "id", "actor": "anna"}
    connecting.save(login=login, keep_password=True, **given)
    saved = connecting.find(name="Shop")
    assert saved.has_password
    assert connecting.test(connecting.login_of(saved)).server.startswith("PostgreSQL")
    columns = {"order_id": "id", "customer_id": "customer", "ordered_at": "day", "amount": "amount"}
    report = connecting.refresh(saved, actor="anna", kind="orders", columns=columns)
    assert report is not None
    assert (report.rows_read, report.created) == (3, 2), "the third has no day"
    kept = connecting.save(login=dataclasses.replace(login, password=""), keep_password=True, connection_id=saved.connection_id,
                           version=saved.version, **{**given, "name": "Shop 2"})  # fmt: skip
    saved = connecting.find(connection_id=kept)
    assert saved.has_password, "an empty field leaves the password as it is"
    connecting.save(login=dataclasses.replace(login, password=""), keep_password=False, connection_id=kept,
                    version=saved.version, **given)  # fmt: skip
    saved = connecting.find(connection_id=kept)
    with pytest.raises(InvalidValue, match="not saved"):
        connecting.login_of(saved)
    workbench.close()

    seen = "\n".join(
        [*capfd.readouterr(), caplog.text, repr(saved), repr(connecting.connections()), repr(login)]
    )
    assert PASSWORD not in seen
    on_disk = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert PASSWORD.encode() not in on_disk


# --- without a browser --------------------------------------------------------------------------------


def run(home: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = cli.main(["--home", str(home), *arguments])
    written = capsys.readouterr()
    return status, written.out, written.err


def test_the_command_line_adds_lists_tests_refreshes_and_removes(
    shop: Shop, home: Path, capsys: pytest.CaptureFixture[str]
):
    add = ["connect", "add", "Sales", "--driver", "sqlite", "--database", "shop.sqlite3", "--table", "sales",
           "--new-column", "changed", "--json"]  # fmt: skip
    status, out, _ = run(home, capsys, *add)
    added = json.loads(out)
    assert (status, added["columns"][0], added["server"]) == (0, "order_id", "SQLite file")

    assert json.loads(run(home, capsys, "connect", "test", "Sales", "--json")[1])["tables"][0] == "big"
    report = json.loads(run(home, capsys, "refresh", "Sales", "--json")[1])
    assert (report["rows_read"], report["created"], report["connection"]) == (2, 2, "Sales")
    listed = json.loads(run(home, capsys, "connect", "list", "--json")[1])["connections"]
    assert [(one["name"], one["rows"], one["read_up_to"]) for one in listed] == [
        ("Sales", 2, "2024-02-05 10:00:00")
    ]
    assert "has no new rows" not in run(home, capsys, "refresh", "Sales")[1]
    assert run(home, capsys, "connect", "remove", "Sales")[0] == 0
    status, out, err = run(home, capsys, "refresh", "Sales")
    assert (status, out) == (2, "")
    assert "There is no connection called 'Sales'." in err


def test_a_password_comes_from_the_environment_or_standard_input_and_never_as_an_argument(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    from crm.imports import connecting as of

    given: list[str] = []

    def test(self: Connecting, login: Login) -> Any:
        given.append(login.password)
        raise InvalidValue("Stop.", "Here.")

    monkeypatch.setattr(of.Connecting, "test", test)
    add = [
        "connect",
        "add",
        "S",
        "--driver",
        "mysql",
        "--host",
        "h",
        "--database",
        "d",
        "--user",
        "u",
        "--table",
        "t",
    ]
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    run(home, capsys, *add, "--password-env", "SHOP_PASSWORD")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\nmore"))
    run(home, capsys, *add, "--password-stdin")
    assert given == [PASSWORD, PASSWORD]
    assert "There is no variable NOTHING" in run(home, capsys, *add, "--password-env", "NOTHING")[2]
    with pytest.raises(SystemExit):
        run(home, capsys, *add, "--password", PASSWORD)

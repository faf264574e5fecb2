"""Rows come out of PostgreSQL, MariaDB and SQLite exactly, nothing can be written, nobody is reached by trick."""

import dataclasses
import logging
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crm.errors import ClienteleError, InvalidValue, NotConnected, NotFound
from crm.imports import databases, drivers, network
from crm.imports.drivers import Login
from crm.settings import Settings, load_settings
from tests.fixtures_databases import (
    NAME,
    PASSWORD,
    Server,
    connect_mariadb,
    connect_postgres,
    make_sqlite,
    settings_for,
)


@dataclasses.dataclass
class Place:
    """A database to read in a test: how to enter it, what its table of orders is called."""

    login: Login
    settings: Settings
    orders: str
    odd: str
    big: str
    count: Callable[[], int]


SERVERS = [
    pytest.param("postgresql", marks=pytest.mark.postgres),
    pytest.param("mysql", marks=pytest.mark.slow),
    "sqlite",
]


@pytest.fixture(params=SERVERS)
def place(request: pytest.FixtureRequest, home: Path) -> Place:
    """Each of the three databases, entered as its owner: what cannot be written is refused by the session."""
    if request.param == "sqlite":
        settings = settings_for(home)
        path = make_sqlite(settings.sources)

        def count() -> int:
            with sqlite3.connect(path) as connection:
                return int(connection.execute("SELECT count(*) FROM orders").fetchone()[0])

        return Place(Login("sqlite", "shop.sqlite3"), settings, "orders", 'odd "T 100%%', "big", count)
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres_source")
        connect, odd, schema, tls = connect_postgres, 'odd "schema.T 100%%', "public", "disable"
    else:
        server = request.getfixturevalue("mariadb_source")
        connect, odd, schema, tls = connect_mariadb, "shop.odd `T 100%%", "shop", "require"

    def count() -> int:
        with connect(server.port) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT count(*) FROM orders")
            return int(cursor.fetchone()[0])

    login = Login(server.driver, "shop", "127.0.0.1", server.port, "boss", PASSWORD, tls=tls)
    settings = settings_for(home, server.port, ca_file=str(server.ca))
    return Place(login, settings, f"{schema}.orders", odd, f"{schema}.big", count)


def rows_of(fetched: databases.Fetched) -> list[dict[str, Any]]:
    return pa.ipc.open_stream(fetched.opened.path).read_all().to_pylist()


# --- reading ------------------------------------------------------------------------------------------


def test_a_table_comes_as_text_exactly_as_the_server_writes_it(place: Place, tmp_path: Path):
    fetched = databases.fetch(place.login, {"table": place.orders}, settings=place.settings, scratch=tmp_path)

    rows = rows_of(fetched)
    assert fetched.rows == fetched.opened.rows_counted == 3
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert [row["customer"] for row in rows] == ["anna", 'Bob, "the" 100%', "客户"]
    assert [row["note"] for row in rows] == ["", "two\nlines", ""]
    assert [row["day"] for row in rows] == ["2024-01-05", "2024-02-05", ""]
    assert [(row["_row"], row["_line"]) for row in rows] == [(1, 1), (2, 2), (3, 3)]
    if place.login.driver == "sqlite":
        assert [row["amount"] for row in rows] == ["100.5", "-0.1", "100000000000000000000"]
    else:
        assert [row["amount"] for row in rows] == ["100.5000", "-0.1000", "12345678901234.5678"]
        # Written with +01:00 in PostgreSQL, and in a session of UTC in MariaDB: one moment.
        assert rows[0]["placed"].startswith("2024-01-05 09:00:00")
    if place.login.driver == "postgresql":
        assert [row["gift"] for row in rows] == ["true", "false", ""]
        assert rows[0]["placed"].endswith("+00")
    if place.login.driver == "mysql":
        assert [row["flag"] for row in rows] == ["1", "0", ""]


def test_the_file_is_an_arrow_stream_of_text_columns_and_two_numbers(place: Place, tmp_path: Path):
    fetched = databases.fetch(place.login, {"table": place.orders}, settings=place.settings, scratch=tmp_path)

    schema = pa.ipc.open_stream(fetched.opened.path).schema
    assert fetched.opened.form == "table"
    assert {str(field.type) for field in schema if not field.name.startswith("_")} == {"string"}
    assert [(name, str(schema.field(name).type)) for name in schema.names[-2:]] == [
        ("_row", "int64"),
        ("_line", "int64"),
    ]


def test_names_that_need_quoting_are_read_and_bytes_are_told(place: Place):
    if place.login.driver == "sqlite":
        with pytest.raises(InvalidValue, match="bytes"):
            databases.preview(place.login, {"table": place.odd}, settings=place.settings)
        return
    first = databases.preview(place.login, {"table": place.odd}, settings=place.settings)
    assert first.columns == {"a%b": ["7"]}
    assert first.sentences == ("Left out, because they hold bytes: photo.",)
    quoted = '"odd ""schema"."T 100%%"' if place.login.driver == "postgresql" else "`odd ``T 100%%`"
    with pytest.raises(InvalidValue, match="photo"):
        databases.preview(place.login, {"select": f"SELECT photo FROM {quoted}"}, settings=place.settings)


def test_a_written_select_may_hold_percent_signs_a_comment_and_a_semicolon(place: Place):
    select = "SELECT customer FROM orders WHERE customer LIKE '%100\\%' ESCAPE '\\' -- the % sign ; "
    if place.login.driver == "mysql":
        select = select.replace("'\\'", "'\\\\'")
    first = databases.preview(place.login, {"select": select}, settings=place.settings)
    assert first.columns == {"customer": ['Bob, "the" 100%']}


def test_columns_of_one_name_are_told_apart_as_in_files(place: Place):
    select = {"select": 'SELECT id, customer AS "Id", \'\' AS "_row" FROM orders WHERE id = 1'}
    if place.login.driver == "mysql":
        select = {"select": "SELECT id, customer AS `_row`, 1 AS `_line` FROM orders WHERE id = 1"}
        assert list(databases.preview(place.login, select, settings=place.settings).columns) == [
            "id", "_row (2)", "_line (2)",
        ]  # fmt: skip
    else:
        second = "Id:1" if place.login.driver == "sqlite" else "Id (2)"  # SQLite itself tells them apart so
        assert list(databases.preview(place.login, select, settings=place.settings).columns) == [
            "id", second, "_row (2)",
        ]  # fmt: skip


def test_a_test_tells_the_server_its_tables_and_whether_the_user_could_write(place: Place):
    facts = databases.test(place.login, settings=place.settings)

    assert {place.orders, place.odd, place.big} == set(facts.tables)
    assert facts.server.split()[0] in {"PostgreSQL", "MariaDB", "SQLite"}
    assert facts.can_write is (place.login.driver != "sqlite")
    if place.login.driver != "sqlite":
        assert "may also write" in facts.sentences[0]
        reader = dataclasses.replace(place.login, username="reader")
        assert databases.test(reader, settings=place.settings).can_write is False


def test_only_new_rows_come_and_none_of_the_boundary_is_lost(place: Place, tmp_path: Path):
    def fetch(after: str | None, column: str = "changed") -> databases.Fetched:
        return databases.fetch(
            place.login,
            {"table": place.orders},
            settings=place.settings,
            scratch=tmp_path,
            new_column=column,
            after=after,
        )

    first = fetch(None)
    assert (first.rows, first.read_up_to) == (3, "2024-02-05 10:00:00")
    again = fetch(first.read_up_to)
    assert [row["id"] for row in rows_of(again)] == ["2", "3"]
    assert "Only rows whose changed is 2024-02-05 10:00:00 or later were fetched." in again.opened.sentences
    by_number = fetch("2", "id")
    assert ([row["id"] for row in rows_of(by_number)], by_number.read_up_to) == (["2", "3"], "3")
    nothing_known = fetch("2024-02-01", "day")
    assert [row["id"] for row in rows_of(nothing_known)] == ["2", "3"], "an empty value may be new"


def test_numbers_are_compared_as_numbers(place: Place, tmp_path: Path):
    fetched = databases.fetch(
        place.login,
        {"table": place.big},
        settings=place.settings,
        scratch=tmp_path,
        new_column="id",
        after="9999",
    )
    assert (fetched.rows, fetched.read_up_to) == (2002, "12000")


def test_the_row_limit_says_that_there_is_more_and_remembers_nothing(place: Place, tmp_path: Path):
    settings = place.settings.model_copy(update={"fetch_rows": 7000})
    told: list[int] = []
    fetched = databases.fetch(
        place.login,
        {"table": place.big},
        settings=settings,
        scratch=tmp_path,
        new_column="id",
        progress=told.append,
    )
    assert (fetched.rows, len(rows_of(fetched)), fetched.read_up_to) == (7000, 7000, None)
    assert "Only the first 7,000 rows were fetched" in fetched.opened.sentences[-1]
    assert told[-1] == 7000


def test_a_progress_that_raises_ends_the_fetch(place: Place, tmp_path: Path):
    class StopNow(Exception):
        pass

    def stop(rows: int) -> None:
        raise StopNow

    with pytest.raises(StopNow):
        databases.fetch(
            place.login, {"table": place.big}, settings=place.settings, scratch=tmp_path, progress=stop
        )


ENDLESS = {
    "postgresql": "SELECT pg_sleep(60)::text AS x",
    "mysql": "SELECT SLEEP(60) AS x",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS x FROM n",
}


def test_a_query_that_does_not_end_is_ended(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(databases, "SECONDS", 1)
    began = time.monotonic()
    with pytest.raises(ClienteleError, match=r"longer than|too long"):
        databases.preview(place.login, {"select": ENDLESS[place.login.driver]}, settings=place.settings)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "source", [{}, {"table": "a", "select": "SELECT 1"}, {"select": " ; "}, {"select": "\0"}]
)
def test_a_source_is_one_table_or_one_select(source: dict[str, str], home: Path):
    settings = settings_for(home)
    make_sqlite(settings.sources)
    with pytest.raises(InvalidValue):
        databases.preview(Login("sqlite", "shop.sqlite3"), source, settings=settings)


def test_a_table_is_one_of_those_that_the_database_lists(place: Place):
    for name in ("nothing", "orders; DROP TABLE orders", 'orders" --', "pg_catalog.pg_authid", "mysql.user"):
        with pytest.raises(NotFound):
            databases.preview(place.login, {"table": name}, settings=place.settings)


def test_what_is_wrong_with_a_select_is_told_in_the_servers_words(place: Place):
    with pytest.raises(InvalidValue, match="nonsense"):
        databases.preview(place.login, {"select": "SELECT nonsense FROM orders"}, settings=place.settings)


# --- nothing is written -------------------------------------------------------------------------------

WRITES = [
    "INSERT INTO orders (id) VALUES (9)",
    "DELETE FROM orders",
    "UPDATE orders SET note = 'x'",
    "DROP TABLE orders",
    "CREATE TABLE mine (a int)",
    "TRUNCATE TABLE orders",
    "SELECT 1) AS q; DELETE FROM orders; --",
    "SELECT 1) AS q; COMMIT; BEGIN; DELETE FROM orders; COMMIT; SELECT * FROM (SELECT 1",
    "SELECT 1; SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; DELETE FROM orders",
    "WITH gone AS (DELETE FROM orders RETURNING id) SELECT id FROM gone",
    "SELECT sneaky() AS x",
    "SELECT * FROM orders FOR UPDATE",
    "SELECT set_config('transaction_read_only', 'off', false), sneaky()",
    "SELECT 1 INTO OUTFILE '/tmp/clientele-outfile'",
    "SELECT 1) AS a INTO OUTFILE '/tmp/clientele-outfile' -- ",
    "SELECT 1) AS a INTO OUTFILE '/tmp/clientele-outfile' #",
    "SELECT 1) AS a INTO OUTFILE '/tmp/clientele-outfile' /*",
    "PRAGMA writable_schema = ON",
    "SELECT * FROM pragma_database_list",
    "ATTACH DATABASE '/tmp/clientele-attached' AS other",
    "SELECT load_extension('/tmp/x')",
    "VACUUM INTO '/tmp/clientele-vacuum'",
]


@pytest.mark.parametrize("write", WRITES)
def test_no_select_writes_though_the_user_could(place: Place, write: str, tmp_path: Path):
    before = place.count()
    for run in (
        lambda: databases.preview(place.login, {"select": write}, settings=place.settings),
        lambda: databases.fetch(place.login, {"select": write}, settings=place.settings, scratch=tmp_path),
    ):
        try:
            run()
        except ClienteleError:
            continue
        assert "FOR UPDATE" in write, "only that is a reading SELECT, where the server takes it for one"
    assert place.count() == before == 3
    assert not [name for name in ("outfile", "attached", "vacuum") if Path(f"/tmp/clientele-{name}").exists()]


def test_a_sqlite_file_is_not_touched(home: Path, tmp_path: Path):
    settings = settings_for(home)
    path = make_sqlite(settings.sources)
    before = (path.read_bytes(), path.stat().st_mtime_ns, sorted(settings.sources.iterdir()))
    databases.fetch(Login("sqlite", path.name), {"table": "orders"}, settings=settings, scratch=tmp_path)
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(settings.sources.iterdir())) == before


# --- nobody is reached by trick -----------------------------------------------------------------------


@pytest.fixture
def packets(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to connect, by a socket of Python's or by libpq."""
    import psycopg

    tried: list[Any] = []

    def spy(name: str) -> Callable[..., Any]:
        def connect(*args: Any, **values: Any) -> Any:
            tried.append((name, args, values))
            raise OSError("the spy lets nothing through")

        return connect

    monkeypatch.setattr(socket.socket, "connect", spy("connect"))
    monkeypatch.setattr(socket.socket, "connect_ex", spy("connect_ex"))
    monkeypatch.setattr(socket, "create_connection", spy("create_connection"))
    monkeypatch.setattr(psycopg.Connection, "connect", spy("libpq"))
    return tried


GOOD = {"driver": "postgresql", "host": "1.1.1.1", "port": 5432, "database": "shop", "username": "u"}

HOSTILE: list[dict[str, Any]] = [
    # inside the machine and the company
    *({"host": host} for host in (
        "127.0.0.1", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0.0.0.0", "localhost", "::1", "[::1]", "::",
        "10.0.0.5", "172.16.3.4", "192.168.1.1", "100.64.0.1", "169.254.169.254", "169.254.1.1", "168.63.129.16",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "fd00:ec2::254", "fe80::1", "fc00::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
    )),
    # more than one host, sockets, addresses
    *({"host": host} for host in (
        "1.1.1.1,127.0.0.1", "a,b", "/var/run/postgresql", "/tmp/mysql.sock", "@abstract", "", " ", "1.1.1.1:5432",
        "u:p@1.1.1.1", "1.1.1.1/shop", "1.1.1.1?host=/var/run", "postgresql://1.1.1.1", "fe80::1%eth0", "a\nb", "a\r\n",
        "a\0b", "1.1.1.1 hostaddr=127.0.0.1", "x" * 300,
    )),
    # keys of a connection string in other fields
    *({"database": name} for name in (
        "shop host=127.0.0.1", "shop passfile=/etc/passwd", "service=other", "shop' sslrootcert='/etc/passwd",
        "shop?host=/var/run", "postgresql://127.0.0.1/shop", "shop\nhost=127.0.0.1", "shop\0", "../shop", "",
    )),
    *({"username": name} for name in ("u\nhost=127.0.0.1", "u\0", "")),
    {"password": "p\0"}, {"password": "p\r\nhost=127.0.0.1"},
    # other drivers
    *({"driver": driver} for driver in (
        "duckdb", "shillelagh", "mysql+aiomysql", "postgresql+pg8000", "sqlite+pysqlite", "SQLITE", "oracle", "",
    )),
    # ports
    *({"port": port} for port in (22, 25, 80, 443, 6379, 8080, 0, -1, 65536, 5434)),
    {"tls": "allow"}, {"tls": "prefer"}, {"tls": ""},
    # files
    *({"driver": "sqlite", "database": name} for name in (
        "/etc/passwd", "../records.sqlite3", "..", ".", "", "a/b", "a\\b", "sqlite:///x", ":memory:", "file:x?mode=rwc",
        "x?mode=rwc", "missing.sqlite3", "notes.txt", "link.sqlite3", "x\0", "%2e%2e", ".hidden", "folder",
    )),
]  # fmt: skip


CASES = [
    (driver, change)
    for change in HOSTILE
    for driver in ("postgresql", "mysql")
    if not (driver == "mysql" and ("driver" in change or change == {"database": ""}))
]
"""Each with both servers, but for what names its own driver, and MySQL's database, which may be left open."""


@pytest.mark.parametrize(("driver", "change"), CASES, ids=lambda value: repr(value)[:60])
def test_a_hostile_connection_is_refused_before_a_packet_is_sent(
    driver: str, change: dict[str, Any], home: Path, packets: list[Any]
):
    settings = load_settings(home=home)
    make_sqlite(home, "records.sqlite3")
    settings.sources.mkdir(parents=True)
    (settings.sources / "notes.txt").write_text("no database")
    (settings.sources / "link.sqlite3").symlink_to(home / "records.sqlite3")
    (settings.sources / "folder").mkdir()
    login = Login(**{**GOOD, "driver": driver, "password": PASSWORD, **change})
    with pytest.raises(ClienteleError) as refusal:
        databases.test(login, settings=settings)

    assert packets == []
    assert PASSWORD not in str(refusal.value)
    assert isinstance(refusal.value, InvalidValue | NotConnected)


def test_the_same_good_login_does_send_a_packet(home: Path, packets: list[Any]):
    """What the test before relies on: the spy sees an attempt, and it goes to the address that was looked at."""
    for driver in ("postgresql", "mysql"):
        with pytest.raises(NotConnected):
            databases.test(Login(**{**GOOD, "driver": driver}), settings=load_settings(home=home))
    assert [name for name, *_ in packets] == ["libpq", "create_connection"]
    assert packets[0][2]["hostaddr"] == "1.1.1.1"
    assert packets[1][1][0] == ("1.1.1.1", 5432)


@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
@pytest.mark.parametrize("first", [["93.184.216.34"], ["93.184.216.34", "10.0.0.1"]])
def test_a_name_is_asked_for_once_and_that_address_is_connected_to(
    driver: str, first: list[str], home: Path, packets: list[Any], monkeypatch: pytest.MonkeyPatch
):
    """A resolver that answers differently the second time gets no second time."""
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        answers = first if not asked else ["127.0.0.1"]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port)) for answer in answers]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(NotConnected):
        databases.test(
            Login(**{**GOOD, "driver": driver, "host": "rebind.example.com"}),
            settings=load_settings(home=home),
        )
    assert asked == ["rebind.example.com"]
    if len(first) > 1:
        assert packets == [], "one address of two is private"
    else:
        reached = packets[0][2]["hostaddr"] if driver == "postgresql" else packets[0][1][0][0]
        assert reached == first[0]


def test_all_failures_have_the_same_words(home: Path, packets: list[Any], monkeypatch: pytest.MonkeyPatch):
    said = set()
    for host in ("1.1.1.1", "10.0.0.1", "127.0.0.1", "169.254.169.254", "no-such-host.invalid"):
        for driver in ("postgresql", "mysql"):
            with pytest.raises(NotConnected) as refusal:
                databases.test(
                    Login(**{**GOOD, "driver": driver, "host": host}), settings=load_settings(home=home)
                )
            said.add(str(refusal.value))
    with pytest.raises(NotConnected) as refusal:
        databases.test(Login("sqlite", "missing"), settings=load_settings(home=home))
    assert said == {str(refusal.value)}


@pytest.mark.parametrize("name", ["PGSERVICE"])
def test_a_service_of_the_environment_is_refused(
    name: str, home: Path, packets: list[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, "other")
    with pytest.raises(ClienteleError, match="PGSERVICE"):
        databases.test(Login(**GOOD), settings=load_settings(home=home))
    assert packets == []


@pytest.mark.postgres
def test_nothing_of_libpq_s_environment_and_home_takes_part(
    postgres_source: Server, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each variable alone would end the connection or lead it astray."""
    from psycopg import pq

    monkeypatch.setenv("HOME", str(tmp_path))
    for option in pq.Conninfo.get_defaults():
        if option.envvar and option.keyword != b"service":
            monkeypatch.setenv(option.envvar.decode(), "/var/run/nonsense")
    monkeypatch.setenv("PGSERVICEFILE", "/etc/passwd")
    login = Login("postgresql", "shop", "127.0.0.1", postgres_source.port, "boss", PASSWORD, tls="disable")
    assert databases.test(login, settings=settings_for(home, postgres_source.port)).server.startswith(
        "PostgreSQL"
    )


def test_listed_networks_and_ports_are_reached_and_metadata_never():
    from ipaddress import ip_address, ip_network

    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    reach = network.may_be_reached
    assert reach(ip_address("10.1.2.3"), networks=[ip_network("10.1.0.0/16")])
    assert not reach(ip_address("10.2.2.3"), networks=[ip_network("10.1.0.0/16")])
    assert reach(ip_address("::ffff:10.1.2.3"), networks=[ip_network("10.1.0.0/16")])
    for never in (
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "0.0.0.0",
        "224.0.0.1",
        "100.100.100.200",
    ):
        assert not reach(ip_address(never), networks=everything), never
    assert load_settings(allowed_ports="6432, 13306").ports == {5432, 5433, 3306, 3307, 6432, 13306}


# --- servers that are not what they say ---------------------------------------------------------------


@pytest.fixture
def rogue() -> Iterator[Callable[..., int]]:
    """Return a function that starts a server which answers as told, and returns its port; it keeps what it heard."""
    servers: list[socket.socket] = []

    def start(talk: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        servers.append(listener)

        def serve() -> None:
            while True:
                try:
                    line, _ = listener.accept()
                except OSError:
                    return
                with line:
                    line.settimeout(20)
                    try:
                        talk(line)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in servers:
        listener.close()


def packet(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number]) + body


def greeting(plugin: bytes) -> bytes:
    """What a MySQL server says first: no TLS, one way of logging in."""
    flags = 0x00FFF7DF & ~0x800
    return packet(
        0,
        b"\x0a8.0.99\0" + b"\1\0\0\0" + b"12345678\0" + (flags & 0xFFFF).to_bytes(2, "little") + b"\x2d\2\0"
        + ((flags >> 16) | 0x8).to_bytes(2, "little") + b"\x15" + b"\0" * 10 + b"123456789012\0" + plugin + b"\0",
    )  # fmt: skip


OK = b"\0\0\0\2\0\0\0"


@pytest.mark.slow
def test_a_server_that_asks_for_a_local_file_gets_none(rogue: Callable[..., int], home: Path, tmp_path: Path):
    secret = tmp_path / "secret.txt"
    secret.write_text("needle in a file")
    heard: list[bytes] = []

    def talk(line: socket.socket) -> None:
        line.sendall(greeting(b"mysql_native_password"))
        heard.append(line.recv(4096))
        line.sendall(packet(2, OK))
        while asked := line.recv(4096):
            heard.append(asked)
            line.sendall(packet(1, b"\xfb" + str(secret).encode()))

    port = rogue(talk)
    with pytest.raises(NotConnected):
        databases.test(
            Login("mysql", "shop", "127.0.0.1", port, "u", PASSWORD, tls="disable"),
            settings=settings_for(home, port),
        )
    assert len(heard) >= 2, "it was asked something, and asked for the file"
    assert b"needle" not in b"".join(heard)
    # The client said from the start that it sends no files: CLIENT_LOCAL_FILES is bit 7.
    assert not int.from_bytes(heard[0][4:8], "little") & 0x80


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog", b"sha256_password"])
def test_a_server_that_asks_for_the_password_as_it_is_gets_none(
    plugin: bytes, rogue: Callable[..., int], home: Path
):
    heard: list[bytes] = []

    def talk(line: socket.socket) -> None:
        line.sendall(greeting(b"mysql_native_password"))
        heard.append(line.recv(4096))
        line.sendall(packet(2, b"\xfe" + plugin + b"\0" + (b"\2Password: " if plugin == b"dialog" else b"")))
        heard.append(line.recv(4096))

    port = rogue(talk)
    with pytest.raises(NotConnected):
        databases.test(
            Login("mysql", "shop", "127.0.0.1", port, "u", PASSWORD, tls="disable"),
            settings=settings_for(home, port),
        )
    assert PASSWORD.encode() not in b"".join(heard)


def test_a_postgresql_that_asks_for_the_password_as_it_is_gets_none(rogue: Callable[..., int], home: Path):
    heard: list[bytes] = []

    def talk(line: socket.socket) -> None:
        heard.append(line.recv(4096))
        line.sendall(b"R\0\0\0\x08\0\0\0\x03")  # AuthenticationCleartextPassword
        heard.append(line.recv(4096))

    port = rogue(talk)
    with pytest.raises(NotConnected):
        databases.test(
            Login("postgresql", "shop", "127.0.0.1", port, "u", PASSWORD, tls="disable"),
            settings=settings_for(home, port),
        )
    assert heard
    assert PASSWORD.encode() not in b"".join(heard)


@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_asked_to_encrypt_nothing_is_said_to_a_server_that_does_not(
    driver: str, rogue: Callable[..., int], home: Path
):
    heard: list[bytes] = []

    def talk(line: socket.socket) -> None:
        if driver == "mysql":
            line.sendall(greeting(b"mysql_native_password"))
        while said := line.recv(4096):
            heard.append(said)
            line.sendall(b"N" if driver == "postgresql" else packet(2, OK))

    port = rogue(talk)
    for tls in ("require", "verify-full"):
        with pytest.raises(NotConnected):
            databases.test(
                Login(driver, "shop", "127.0.0.1", port, "needle-user", PASSWORD, tls=tls),
                settings=settings_for(home, port),
            )
    assert b"needle" not in b"".join(heard)


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_a_server_that_says_nothing_is_left_after_a_while(
    driver: str, rogue: Callable[..., int], home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(drivers, "CONNECT_SECONDS", 2)
    port = rogue(lambda line: time.sleep(8))
    began = time.monotonic()
    with pytest.raises(NotConnected):
        databases.test(
            Login(driver, "shop", "127.0.0.1", port, "u", PASSWORD, tls="disable"),
            settings=settings_for(home, port),
        )
    assert time.monotonic() - began < 7


# --- encryption and passwords -------------------------------------------------------------------------


@pytest.fixture(params=["postgres_with_tls", pytest.param("mariadb_source", marks=pytest.mark.slow)])
def secure(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(request.param)
    return server


def test_the_name_on_the_certificate_is_checked_against_the_host(
    secure: Server, home: Path, monkeypatch: pytest.MonkeyPatch
):
    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    def attempt(host: str, tls: str, *, ca: bool = True) -> databases.Facts:
        settings = settings_for(home, secure.port, **({"ca_file": str(secure.ca)} if ca else {}))
        return databases.test(
            Login(secure.driver, "shop", host, secure.port, "reader", PASSWORD, tls=tls), settings=settings
        )

    assert attempt(NAME, "verify-full").can_write is False
    assert attempt("other.example.test", "require").tables
    with pytest.raises(NotConnected):
        attempt("other.example.test", "verify-full")
    with pytest.raises(NotConnected):
        attempt(NAME, "verify-full", ca=False)


def test_wrong_password_unknown_database_and_closed_port_have_the_same_words(place: Place):
    if place.login.driver == "sqlite":
        pytest.skip("a file has no password")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = int(probe.getsockname()[1])
    settings = place.settings.model_copy(update={"allowed_ports": f"{place.login.port},{closed}"})
    said = set()
    for change in (
        {"password": "wrong"},
        {"database": "nothing"},
        {"username": "nobody"},
        {"port": closed},
        {"host": "10.0.0.1"},
    ):
        with pytest.raises(NotConnected) as refusal:
            databases.test(dataclasses.replace(place.login, **change), settings=settings)
        said.add(str(refusal.value))
    assert len(said) == 1


def test_the_password_is_in_no_log_no_error_and_no_repr(
    place: Place, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    said = [repr(place.login), str(place.login)]
    for change in (
        {},
        {"database": "nothing"},
        {"username": "needle-user"},
        {"port": 5433},
        {"tls": "verify-full"},
    ):
        login = dataclasses.replace(place.login, **change)
        for run in (
            lambda login=login: databases.test(login, settings=place.settings),
            lambda login=login: databases.preview(login, {"select": "SELECT 1 +"}, settings=place.settings),
        ):
            try:
                said.append(repr(run()))
            except Exception as error:
                link: BaseException | None = error
                while link is not None:
                    said.append(f"{link!r} {link}")
                    link = link.__cause__
    captured = capfd.readouterr()
    everything = "\n".join([*said, captured.out, captured.err, caplog.text])
    assert PASSWORD not in everything
    assert PASSWORD.encode("unicode_escape").decode() not in everything
    if place.login.driver != "sqlite":
        assert "not connected" in everything, "failures are logged by their kind"
        assert "needle-user" not in captured.err + caplog.text

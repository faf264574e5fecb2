"""One session with each kind of database: how it is opened, kept to reading, asked and cut off.

That nothing can be written is the server's doing, never that of looking at the SQL: PostgreSQL and MySQL run
a read-only transaction in which one statement at a time is taken, SQLite opens the file unchangeable and
asks us about every step. A written SELECT may still call whatever the database user may call, so a user
who can only read is what docs/connections.md asks for.
"""

import os
import re
import socket
import sqlite3
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from crm.errors import ClienteleError, InvalidValue, UnsafeSetting
from crm.imports.network import Unreachable, address_of
from crm.settings import Settings

Driver = Literal["postgresql", "mysql", "sqlite"]
Tls = Literal["disable", "require", "verify-full"]

CONNECT_SECONDS = 10
ROWS_AT_ONCE = 5_000
_TABLES = 5_000
"""Tables that are listed at most; a database of more is asked with a SELECT."""


@dataclass(frozen=True)
class Login:
    """A database and how it is entered. Of SQLite `database` is the name of a file in the folder of sources."""

    driver: Driver
    database: str
    host: str = ""
    port: int | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = "require"


@dataclass(frozen=True)
class Field:
    """A column of a result; `binary` when its cells are bytes, which are no text."""

    name: str
    binary: bool = False


class Session(ABC):
    """A database that is open for reading."""

    ACCESS: ClassVar[str]
    """SQL that gives one row with whether this user could write, NULL when that cannot be told."""

    TABLES: ClassVar[str]
    """SQL that gives schema and name of every table and view that can be read."""

    DRIVER: ClassVar[str]
    ENGINE: ClassVar[dict[str, Any]] = {}

    def __init__(self, connection: Connection, raw: Any, cut: Callable[[], None]) -> None:
        self.connection = connection
        self.raw = raw
        self.cut = cut
        """Ends the connection at once, from whichever thread; what runs on it fails."""

    @classmethod
    @abstractmethod
    def connect(cls, login: Login, settings: Settings, limit: "_Limit") -> Any:
        """Return a connection of the driver that can only read, watched by `limit`.

        Raises Unreachable, before a packet is sent, for an address that may not be reached.
        """

    @abstractmethod
    def settle(self, seconds: int) -> None:
        """Begin the one transaction of the session: read-only, limited in time, texts written one way."""

    @abstractmethod
    def server(self) -> str:
        """Return what the database is, such as PostgreSQL 18.1."""

    @abstractmethod
    def literal(self, value: str) -> str:
        """Return a value as SQL writes it."""

    @abstractmethod
    def largest(self, column: str, query: str) -> str | None:
        """Return the largest value of a query's column as text, by the database's own order."""

    def bound(self, column: str, query: str, value: str) -> str:
        """Return a value that `largest` gave as SQL that compares with the column as its values do."""
        del column, query
        return self.literal(value)

    @abstractmethod
    def fields(self, query: str) -> list[Field]:
        """Return the columns of a query."""

    def can_write(self) -> bool | None:
        """Return whether the database says that this user could write, None where it does not say."""
        found = self._all(self.ACCESS)
        return None if not found or found[0][0] is None else str(found[0][0]) in {"1", "t", "true", "True"}

    def tables(self) -> list[tuple[str, str]]:
        """Return schema and name of the tables and views that can be read; the schema is empty in SQLite."""
        return [(str(schema), str(name)) for schema, name in self._all(self.TABLES)[:_TABLES]]

    def quoted(self, name: str) -> str:
        """Return a name as SQL writes it."""
        dialect = self.connection.dialect
        quoted = dialect.identifier_preparer.quote_identifier(name)
        # The preparer doubles % for drivers that fill in values by it; ours are asked not to.
        return quoted.replace("%%", "%") if dialect.paramstyle in {"format", "pyformat"} else quoted

    def columns(self, query: str) -> Iterator[list[list[str]]]:
        """Yield a query's cells as text, column by column, a few thousand rows at a time as they come."""
        result = self.stream(query)
        try:
            while rows := result.fetchmany(ROWS_AT_ONCE):
                yield [self.cells(index, column) for index, column in enumerate(zip(*rows, strict=True))]
        finally:
            with suppress(Exception):  # what it would say is what ended the reading
                result.close()

    def cells(self, index: int, column: Sequence[Any]) -> list[str]:
        """Return the cells of the column at `index` as text; nothing becomes an empty one.

        Raises InvalidValue for bytes.
        """
        del index
        return ["" if cell is None else cell for cell in column]

    def stream(self, query: str) -> Any:
        """Run a query whose rows stay on the server until they are asked for."""
        # The server side also takes one statement only, where the driver's ordinary way would take several.
        return self.connection.exec_driver_sql(
            query, execution_options={"stream_results": True, "no_parameters": True}
        )

    def _all(self, query: str) -> list[Any]:
        result = self.stream(query)
        try:
            return list(result.fetchall())
        finally:
            result.close()


def binary(column: str = "") -> InvalidValue:
    """Return the refusal of cells that are bytes."""
    return InvalidValue(
        f"The column “{column}” holds bytes, which are no text."
        if column
        else "A cell holds bytes, no text.",
        "Write a SELECT that leaves the column out, or turns it into text.",
    )


# --- opening ------------------------------------------------------------------------------------------


@contextmanager
def opened(login: Login, settings: Settings, *, seconds: int) -> Iterator[Session]:
    """Open a database for reading, for `seconds` at most from the login on.

    Raises Unreachable, in the same words whatever the reason, when it cannot be opened.
    """
    session_type = _SESSIONS[login.driver]
    limit = _Limit(seconds)
    engine = create_engine(
        URL.create(session_type.DRIVER, database=login.database),
        creator=lambda: session_type.connect(login, settings, limit),
        poolclass=NullPool,
        hide_parameters=True,
        **session_type.ENGINE,
    )
    try:
        try:
            connection = engine.connect()
        except ClienteleError:
            raise
        except Exception as error:
            raise Unreachable(_reason_of(error)) from None
        with connection:
            try:
                session: Session = session_type(
                    connection, connection.connection.driver_connection, limit.cut
                )
                try:
                    session.settle(seconds)
                except Exception as error:
                    raise Unreachable(_reason_of(error)) from None
                yield session
            except BaseException:
                limit.cut()  # else closing would first read the rest of what was asked
                connection.invalidate()
                raise
    except DBAPIError as error:
        if limit.reached:
            raise too_long(seconds) from None
        raise _in_words(error) from None
    except (OSError, RuntimeError, ValueError, UnicodeError) as error:
        # What drivers raise for an answer that is none: a rogue server's, or text that is not UTF-8.
        if limit.reached:
            raise too_long(seconds) from None
        raise InvalidValue(
            "The database gave an answer that cannot be read.",
            "Check that it is the kind of database you chose and that its texts are UTF-8.",
        ) from error
    finally:
        limit.end()
        engine.dispose()


def too_long(seconds: int) -> ClienteleError:
    """Return the refusal of a query that took longer than it may."""
    return InvalidValue(
        f"The database took longer than {seconds} seconds.",
        "Ask for fewer rows or columns. How long a whole fetch may take is set by CLIENTELE_FETCH_SECONDS.",
    )


class _Limit:
    """Cuts a connection off when its time is up, whatever the server does: it may be no database at all."""

    def __init__(self, seconds: int) -> None:
        self.reached = False
        self._ends = time.monotonic() + seconds
        self._cut: Any = None
        self._timer = threading.Timer(seconds, self._end_of_time)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, cut: Any) -> None:
        """Let `cut` end the connection."""
        self._cut = cut
        if self.reached:
            self.cut()

    def cut(self) -> None:
        """End the connection now."""
        if self._cut is not None:
            with suppress(Exception):  # it has ended already
                self._cut()

    def end(self) -> None:
        """Forget the connection."""
        self._timer.cancel()

    def _end_of_time(self) -> None:
        self.reached = True
        self.cut()


def _reason_of(error: BaseException) -> str:
    """Return what kind of failure it was, for the log: no address, no name, no word of the server's."""
    inner = getattr(error, "orig", None) or error
    code = getattr(inner, "sqlstate", None) or (inner.args[0] if inner.args else "")
    known = code if isinstance(code, int) or (isinstance(code, str) and len(code) == 5) else ""
    return f"{type(inner).__name__} {known}".strip()


# What is wrong with a statement names columns and tables only; other messages may quote a row.
_STATEMENT_WRONG = {"1044", "1046", "1051", "1052", "1054", "1060", "1064", "1142", "1143", "1146", "1222", "1248",
                    "1290", "1305", "1356", "1370", "1792"}  # fmt: skip


def _in_words(error: DBAPIError) -> ClienteleError:
    inner: Any = error.orig
    state = getattr(inner, "sqlstate", None) or ""
    number = str(inner.args[0]) if inner is not None and inner.args else ""
    said = ""
    if number in _STATEMENT_WRONG:
        said = str(inner.args[1]) if len(inner.args) > 1 else ""
    elif state.startswith(("42", "25006")):
        said = str(getattr(getattr(inner, "diag", None), "message_primary", "") or "")
    elif isinstance(inner, sqlite3.Error) and getattr(inner, "sqlite_errorname", "") in {
        "SQLITE_ERROR",
        "SQLITE_AUTH",
    }:
        said = number
    elif isinstance(inner, sqlite3.Error):
        return InvalidValue("The SQLite file cannot be read.", "Check the file, or bring a fresh copy of it.")
    if state == "57014" or number in {"1969", "3024"}:
        return InvalidValue(
            "The database took too long.",
            "Ask for fewer rows or columns, or for a view that is prepared for it.",
        )
    if said:
        words = " ".join(said.split())[:300].rstrip(".")
        return InvalidValue(
            f"The database refused: {words}.", "Correct the SELECT, or let the user read what it asks for."
        )
    return InvalidValue(
        f"The database ended the query ({type(inner).__name__} {state or number[:5]}).".replace(" )", ")"),
        "Try again; if it stays, let the database's administrator look at its log.",
    )


# --- PostgreSQL ---------------------------------------------------------------------------------------


class _Postgresql(Session):
    DRIVER = "postgresql+psycopg"
    ENGINE: ClassVar[dict[str, Any]] = {"use_native_hstore": False}
    # Who may write one table may write; who owns one may grant it to himself.
    ACCESS = """
        SELECT EXISTS (
            SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
              AND n.nspname NOT LIKE 'pg\\_t%'
              AND pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        ) OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
    """
    TABLES = """
        SELECT n.nspname, c.relname
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
          AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_t%'
          AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
          AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
        ORDER BY n.nspname <> 'public', n.nspname, c.relname
    """
    _BYTEA, _BOOL = 17, 16

    _bools: frozenset[int] = frozenset()

    @classmethod
    def connect(cls, login: Login, settings: Settings, limit: _Limit) -> Any:
        import psycopg
        from psycopg import pq

        if os.environ.get("PGSERVICE"):
            # The one variable that no parameter can overrule.
            raise UnsafeSetting(
                "PGSERVICE is set where Clientele runs; it would change what is connected to.",
                "Remove it from the environment of the service and start again.",
            )
        port = login.port or 5432
        address = address_of(login.host, port, networks=settings.networks)
        given: dict[str, Any] = {
            "host": login.host.strip("[]"),
            "hostaddr": address,
            "port": port,
            "dbname": login.database,
            "user": login.username,
            "password": login.password,
            "connect_timeout": CONNECT_SECONDS,
            "client_encoding": "utf8",
            "application_name": "clientele",
            "sslmode": login.tls,
            "sslcertmode": "disable",
            "gssencmode": "disable",
            "passfile": os.devnull,
            "target_session_attrs": "any",
            "load_balance_hosts": "disable",
            "channel_binding": "prefer",
            "sslnegotiation": "postgres",
            "sslsni": "1",
            "tcp_user_timeout": "60000",
            "min_protocol_version": "3.0",
            "max_protocol_version": "3.0",
            # Without TLS the password is proved, never sent.
            "require_auth": "!password,!gss,!sspi" if login.tls == "disable" else "!gss,!sspi",
            # Set, or a file in the home folder would be read; of a name that no file has.
            "sslrootcert": _authorities(settings) if login.tls == "verify-full" else _NO_FILE,
            "sslcert": _NO_FILE,
            "sslkey": _NO_FILE,
            "sslcrl": _NO_FILE,
        }
        # What is left, the environment would fill: each gets what it is without one.
        for option in pq.Conninfo.get_defaults():
            name = option.keyword.decode()
            if option.envvar and name not in given and name != "service":
                given[name] = (option.compiled or b"").decode()
        raw = psycopg.Connection.connect(autocommit=True, **given)
        limit.watch(lambda: _shut(raw.fileno()))
        try:
            raw.execute("SET default_transaction_read_only = on")
            raw.autocommit = False
            raw.read_only = True
            raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        except BaseException:
            raw.close()
            raise
        return raw

    def settle(self, seconds: int) -> None:
        """Write dates, numbers and bytes the one way that can be read again, whatever the server's habits."""
        for name, value in (
            ("statement_timeout", str(seconds * 1000)),
            ("DateStyle", "ISO, YMD"),
            ("IntervalStyle", "iso_8601"),
            ("TimeZone", "UTC"),
            ("extra_float_digits", "1"),
            ("bytea_output", "hex"),
        ):
            self._all(f"SELECT pg_catalog.set_config({self.literal(name)}, {self.literal(value)}, true)")

    def server(self) -> str:
        version = self._all("SELECT pg_catalog.current_setting('server_version')")[0][0]
        return f"PostgreSQL {str(version).split()[0]}"

    def literal(self, value: str) -> str:
        from psycopg import sql

        return sql.Literal(value).as_string(self.raw)

    def largest(self, column: str, query: str) -> str | None:
        found: str | None = self._all(f"SELECT max(q.{self.quoted(column)})::text FROM ({query}\n) AS q")[0][
            0
        ]
        return found

    def fields(self, query: str) -> list[Field]:
        from psycopg.types.string import TextLoader

        result = self.stream(f"SELECT * FROM ({query}\n) AS q LIMIT 0")
        description = result.cursor.description
        result.close()
        # From here on every type comes as the server writes it.
        for column in description:
            self.raw.adapters.register_loader(column.type_code, TextLoader)
        self._bools = frozenset(
            index for index, column in enumerate(description) if column.type_code == self._BOOL
        )
        return [Field(column.name, column.type_code == self._BYTEA) for column in description]

    def cells(self, index: int, column: Sequence[Any]) -> list[str]:
        if index in self._bools:
            return [_YES_NO.get(cell, "") for cell in column]
        return super().cells(index, column)


_YES_NO = {"t": "true", "f": "false"}
_NO_FILE = "/nonexistent/clientele"


def _shut(number: int) -> None:
    """End the connection behind a file number, for both sides and for whoever waits for it."""
    with socket.socket(fileno=os.dup(number)) as other:
        other.shutdown(socket.SHUT_RDWR)


_SYSTEMS_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Red Hat, Fedora
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)


def _authorities(settings: Settings) -> str:
    """Return the file of the authorities that may vouch for a server. Raises UnsafeSetting where there is none."""
    for file in (settings.ca_file, ssl.get_default_verify_paths().cafile, *_SYSTEMS_AUTHORITIES):
        if file and Path(file).is_file():
            return file
    raise UnsafeSetting(
        "This machine has no list of authorities that could vouch for a server.",
        "Let your administrator set CLIENTELE_CA_FILE, or choose encryption without that.",
    )


# --- MySQL and MariaDB --------------------------------------------------------------------------------


class _MySql(Session):
    DRIVER = "mysql+pymysql"
    ENGINE: ClassVar[dict[str, Any]] = {}
    # Rights of roles stand elsewhere, so with a role in force nothing can be said.
    ACCESS = """
        SELECT CASE WHEN EXISTS (
            SELECT 1 FROM (
                SELECT grantee, privilege_type FROM information_schema.user_privileges
                UNION ALL SELECT grantee, privilege_type FROM information_schema.schema_privileges
                UNION ALL SELECT grantee, privilege_type FROM information_schema.table_privileges
            ) AS granted
            WHERE privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'CREATE', 'DROP', 'ALTER', 'FILE', 'SUPER')
              AND grantee = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''',
                                   SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')
        ) THEN 1 WHEN COALESCE(CURRENT_ROLE(), 'NONE') <> 'NONE' THEN NULL ELSE 0 END
    """
    TABLES = """
        SELECT table_schema, table_name FROM information_schema.tables
        WHERE table_schema NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')
        ORDER BY table_schema <> COALESCE(DATABASE(), ''), table_schema, table_name
    """

    @classmethod
    def connect(cls, login: Login, settings: Settings, limit: _Limit) -> Any:
        import pymysql

        port = login.port or 3306
        address = address_of(login.host, port, networks=settings.networks)
        tls: dict[str, Any] = {"ssl_disabled": True}
        if login.tls != "disable":
            context = ssl.create_default_context(
                cafile=_authorities(settings) if login.tls == "verify-full" else None
            )
            if login.tls == "require":
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            tls = {"ssl": context}
        raw = pymysql.Connection(
            host=login.host.strip("[]"),  # the name that its certificate must bear; the socket is ours
            port=port,
            user=login.username,
            password=login.password.encode(),
            database=login.database or None,
            charset="utf8mb4",
            local_infile=False,
            read_default_file=None,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=settings.fetch_seconds,
            write_timeout=CONNECT_SECONDS,
            autocommit=False,
            defer_connect=True,
            program_name="clientele",
            # Without TLS the password is proved, never sent.
            auth_plugin_map=dict.fromkeys(_SENDS_PASSWORD, _Refusing) if login.tls == "disable" else None,
            **tls,
        )
        line = socket.create_connection((address, port), CONNECT_SECONDS)
        limit.watch(lambda: line.shutdown(socket.SHUT_RDWR))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        handshake = threading.Timer(CONNECT_SECONDS, limit.cut)
        handshake.daemon = True
        handshake.start()
        try:
            raw.connect(line)
            if raw._sock is not line:
                limit.watch(lambda: _shut(raw._sock.fileno()))
        finally:
            handshake.cancel()
        return raw

    def settle(self, seconds: int) -> None:
        """Keep the session to reading, one moment of the database, and its texts to one way of writing."""
        maria = "mariadb" in str(self.raw.server_version).lower()
        with self.raw.cursor() as cursor:
            cursor.execute("ROLLBACK")
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            cursor.execute("SET SESSION time_zone = '+00:00'")
            with suppress(Exception):  # older servers have no such limit; ours ends the connection then
                cursor.execute(
                    f"SET SESSION max_statement_time = {int(seconds)}"
                    if maria
                    else f"SET SESSION max_execution_time = {int(seconds) * 1000}"
                )
            cursor.execute("START TRANSACTION READ ONLY")
        # From here on every type comes as the server writes it.
        self.raw.decoders = {}

    def server(self) -> str:
        version = str(self.raw.server_version)
        number = version.split("-", maxsplit=1)[0]
        return f"MariaDB {number}" if "mariadb" in version.lower() else f"MySQL {number}"

    def literal(self, value: str) -> str:
        return str(self.raw.escape(value))

    def largest(self, column: str, query: str) -> str | None:
        found = self._all(f"SELECT CAST(MAX(q.{self.quoted(column)}) AS CHAR) FROM ({query}\n) AS q")[0][0]
        if isinstance(found, bytes):
            raise binary(column)
        return None if found is None else str(found)

    def fields(self, query: str) -> list[Field]:
        from pymysql.connections import TEXT_TYPES
        from pymysql.constants import FIELD_TYPE

        result = self.stream(f"SELECT * FROM ({query}\n) AS q LIMIT 0")
        described = result.cursor._result.fields
        result.close()
        bits = FIELD_TYPE.BIT
        return [
            Field(
                column.name,
                column.type_code == FIELD_TYPE.GEOMETRY
                or (
                    column.type_code in TEXT_TYPES
                    and column.type_code != bits
                    and column.charsetnr == _BINARY
                ),
            )
            for column in described
        ]

    def cells(self, index: int, column: Sequence[Any]) -> list[str]:
        del index  # of the columns that are fetched only those of type BIT come as bytes
        return [
            "" if cell is None else str(int.from_bytes(cell, "big")) if isinstance(cell, bytes) else cell
            for cell in column
        ]


_BINARY = 63
"""The character set of MySQL that says that there is none."""

_SENDS_PASSWORD = ("mysql_clear_password", "dialog")


class _Refusing:
    """Stands for the ways of logging in that send the password as it is."""

    def __init__(self, connection: object) -> None:
        del connection

    def authenticate(self, packet: object) -> None:
        import pymysql

        del packet
        raise pymysql.OperationalError(2059, "refused")


# --- SQLite -------------------------------------------------------------------------------------------


class _Sqlite(Session):
    DRIVER = "sqlite+pysqlite"
    ENGINE: ClassVar[dict[str, Any]] = {}
    ACCESS = "SELECT 0"
    TABLES = """
        SELECT '', name FROM sqlite_master
        WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name
    """

    @classmethod
    def connect(cls, login: Login, settings: Settings, limit: _Limit) -> Any:
        path = source_file(login.database, settings)
        raw = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro&immutable=1",
            uri=True,
            check_same_thread=False,
            isolation_level=None,
        )
        raw.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 256 * 1024 * 1024)
        for pragma in ("trusted_schema=OFF", "query_only=ON", "cell_size_check=ON", "mmap_size=0"):
            raw.execute(f"PRAGMA {pragma}")
        limit.watch(raw.interrupt)
        return raw

    def settle(self, seconds: int) -> None:
        """Let SQLite ask about every step of a statement from here on."""
        del seconds
        self.raw.create_function("regexp", 2, None)  # the dialect's own, which no time limit can interrupt
        self.raw.set_authorizer(_only_reading)

    def server(self) -> str:
        return "SQLite file"

    def literal(self, value: str) -> str:
        return "'" + value.replace("'", "''") + "'"

    def largest(self, column: str, query: str) -> str | None:
        largest, _ = self._largest(column, query)
        return largest

    def bound(self, column: str, query: str, value: str) -> str:
        _, kind = self._largest(column, query)
        # A number compares with numbers only when it is written as one.
        return value if kind != "text" and re.fullmatch(r"-?\d+(\.\d+)?", value) else self.literal(value)

    def _largest(self, column: str, query: str) -> tuple[str | None, str]:
        name = self.quoted(column)
        largest, kind, kinds = self._all(
            f"SELECT max(q.{name}), typeof(max(q.{name})), count(DISTINCT typeof(q.{name}) = 'text') "
            f"FROM ({query}\n) AS q WHERE q.{name} IS NOT NULL"
        )[0]
        if kinds > 1:
            # SQLite sorts all numbers before all texts: what is new could not be told.
            raise InvalidValue(
                f"The column “{column}” holds numbers and texts.",
                "Choose another column to tell new rows by, or none.",
            )
        return _sqlite_text(largest) or None, str(kind)

    def fields(self, query: str) -> list[Field]:
        result = self.stream(f"SELECT * FROM ({query}\n) AS q LIMIT 0")
        names = list(result.keys())
        result.close()
        return [Field(str(name)) for name in names]

    def cells(self, index: int, column: Sequence[Any]) -> list[str]:
        del index
        return [cell if isinstance(cell, str) else _sqlite_text(cell) for cell in column]


def _sqlite_text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bytes):
        raise binary()
    if isinstance(cell, float):
        plain = repr(cell)
        return f"{Decimal(plain):f}" if "e" in plain else plain
    return str(cell)


_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_FUNCTIONS_REFUSED = {
    "load_extension",
    "fts3_tokenizer",
    "readfile",
    "writefile",
    "edit",
    "zeroblob",
    "randomblob",
}


def _only_reading(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Allow reading tables and calling functions; nothing else, PRAGMA and ATTACH included."""
    del first
    if action in _READING:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FUNCTIONS_REFUSED:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def source_file(name: str, settings: Settings) -> Path:
    """Return the path of a SQLite file in the folder of sources. Raises Unreachable for any other.

    A link in the folder that leads out of it is another.
    """
    folder = settings.sources.resolve()
    path = folder / name
    if not is_file_name(name) or not path.is_file() or path.resolve() != path:
        raise Unreachable("no such file")
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            raise Unreachable("not a SQLite file")
    return path


def is_file_name(name: str) -> bool:
    """Return whether a text is the name of one file, no path."""
    return (
        0 < len(name) <= 255
        and not name.startswith(".")
        and not any(sign in name for sign in "/\\:?#%")
        and name.isprintable()
    )


_SESSIONS: dict[str, type[Session]] = {"postgresql": _Postgresql, "mysql": _MySql, "sqlite": _Sqlite}


def left_in_log(name: str, settings: Settings) -> bool:
    """Return whether a SQLite file has a write-ahead log beside it, of which an unchangeable file is read without."""
    log = settings.sources / f"{name}-wal"
    return is_file_name(name) and log.is_file() and log.stat().st_size > 0

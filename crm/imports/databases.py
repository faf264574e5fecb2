"""Rows out of a company's database: PostgreSQL, MySQL, MariaDB or a SQLite file, read and never written.

A connection is form fields, no address to be typed freely: an address could name a file, a socket, another
driver. Which servers may be reached says `crm.imports.network`, how a session is kept to reading
`crm.imports.drivers`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import structlog

from crm.errors import InvalidValue, NotFound, UnreadableFile
from crm.imports import drivers
from crm.imports.dialect import MAX_COLUMNS
from crm.imports.drivers import Driver, Login, Session, Tls
from crm.imports.formats import Opened
from crm.imports.headings import unique_names
from crm.imports.network import Unreachable, check_host
from crm.settings import Settings

DRIVERS: dict[Driver, str] = {
    "postgresql": "PostgreSQL",
    "mysql": "MySQL or MariaDB",
    "sqlite": "SQLite file",
}
TLS: dict[Tls, str] = {
    "verify-full": "Encrypted, and the server shows who it is",
    "require": "Encrypted",
    "disable": "Not encrypted",
}
PORTS: dict[Driver, int] = {"postgresql": 5432, "mysql": 3306}

SECONDS = 30
"""How long a test or a preview may take from the login on."""

PREVIEW_ROWS = 20
_LARGEST_BYTES = 50 * 1024**3
_LONGEST_SELECT = 20_000
_LENGTH = 255

Source = Mapping[str, str]
"""What is read: {"table": "schema.name"} or {"select": "SELECT …"}."""

Progress = Callable[[int], None]
"""Told how many rows have come; what it raises ends the fetch."""

During = Callable[[Callable[[], object]], AbstractContextManager[None]]
"""Given what ends the fetch at once, a context in which it may be called: `jobs.Progress.during`."""


@dataclass(frozen=True)
class Facts:
    """What a test found: the server, the tables that can be read, and what is to be known about it."""

    server: str
    tables: tuple[str, ...]
    can_write: bool | None
    sentences: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as plain values for JSON."""
        return {
            "server": self.server,
            "tables": list(self.tables),
            "can_write": self.can_write,
            "notes": list(self.sentences),
        }


@dataclass(frozen=True)
class Preview:
    """The first rows of a source as text, by column, and what is to be known about them."""

    columns: dict[str, list[str]]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Fetched:
    """Rows that were fetched: the table of text they are in, how many, and how far it was read."""

    opened: Opened
    rows: int
    read_up_to: str | None


def checked(login: Login, *, settings: Settings) -> Login:
    """Return a login whose fields can be used. Raises InvalidValue naming the first that cannot; asks nobody.

    Of a SQLite file everything but its name is left out.
    """
    if login.driver not in get_args(Driver):
        raise InvalidValue(
            "There is no such kind of database here.", f"Choose one of {', '.join(DRIVERS.values())}."
        )
    for what, value in (
        ("host", login.host),
        ("database", login.database),
        ("user name", login.username),
        ("password", login.password),
    ):
        if len(value) > _LENGTH * (4 if what == "password" else 1) or not (
            value == "" or value.isprintable()
        ):
            raise InvalidValue(
                f"The {what} is too long or holds a character that cannot be typed.", "Type it again."
            )
    if login.driver == "sqlite":
        if not drivers.is_file_name(login.database):
            raise InvalidValue(
                "That is not the name of a SQLite file.", "Choose one of the files that were brought here."
            )
        return Login("sqlite", login.database, tls="disable")
    if login.tls not in get_args(Tls):
        raise InvalidValue("There is no such encryption.", f"Choose one of {', '.join(TLS)}.")
    check_host(login.host)
    if not re.fullmatch(r"[\w.\-+$#@ ]*", login.database) or (
        login.driver == "postgresql" and not login.database
    ):
        raise InvalidValue("The database is not a name alone.", "Enter its name, such as shop.")
    if not login.username:
        raise InvalidValue("The user name is empty.", "Enter that of a user who can only read.")
    port = PORTS[login.driver] if login.port is None else login.port
    if port not in settings.ports:
        raise InvalidValue(
            f"Port {port} is not one that databases are connected to.",
            f"Use one of {', '.join(map(str, sorted(settings.ports)))}, or let your administrator add it "
            "(CLIENTELE_ALLOWED_PORTS).",
        )
    return Login(login.driver, login.database, login.host, port, login.username, login.password, login.tls)


def check_source(source: Source) -> dict[str, str]:
    """Return a source that can be asked for. Raises InvalidValue."""
    table, select = source.get("table", ""), source.get("select", "").strip().rstrip(";").rstrip()
    if bool(table) == bool(select) or len(select) > _LONGEST_SELECT or "\0" in select + table:
        raise InvalidValue("There is no one table or SELECT to read.", "Choose a table, or write a SELECT.")
    return {"table": table} if table else {"select": select}


def test(login: Login, *, settings: Settings) -> Facts:
    """Return what can be told about a database without reading a row of it.

    Raises InvalidValue for a field that cannot be used, NotConnected in one and the same words for every
    connection that fails.
    """
    with _session(login, settings, seconds=SECONDS) as session:
        tables = tuple(_text_of(place) for place in session.tables())
        can_write = session.can_write()
        return Facts(session.server(), tables, can_write, _about(login, can_write, settings))


def tables(login: Login, *, settings: Settings) -> list[str]:
    """Return the tables and views that can be read, as `schema.name`, of SQLite as `name`; raises as `test`."""
    with _session(login, settings, seconds=SECONDS) as session:
        return [_text_of(place) for place in session.tables()]


def preview(login: Login, source: Source, *, settings: Settings, limit: int = PREVIEW_ROWS) -> Preview:
    """Return the first rows of a source as text. Raises as `test` and `fetch`."""
    with _session(login, settings, seconds=SECONDS) as session:
        query, names, sentences = _query(session, source)
        columns: dict[str, list[str]] = {name: [] for name in names}
        for batch in session.columns(f"{query} LIMIT {int(limit)}"):
            for name, cells in zip(columns, batch, strict=True):
                columns[name] += cells
        return Preview(columns, sentences)


def fetch(
    login: Login,
    source: Source,
    *,
    settings: Settings,
    scratch: Path,
    new_column: str | None = None,
    after: str | None = None,
    progress: Progress | None = None,
    during: During | None = None,
) -> Fetched:
    """Fetch rows as text into a table in `scratch` and return it, with the largest value of `new_column`.

    Cells come as the server writes them: decimals with all their digits, days and times in ISO 8601 (those
    with a zone in UTC), true and false; nothing is an empty text; bytes are refused. All is read at one
    moment of the database.

    With `new_column` and `after` only rows come whose value is `after` or larger, or empty. Equal values are
    asked for again on purpose: rows written in the same second as the last one fetched would be lost
    otherwise, and an import replaces a row that comes again by its ID, so that this is no change. What
    the database's user wrote late with an older value does not come.

    Raises InvalidValue for a source or a column that cannot be used and for a refusal of the database's
    words, NotFound for a table that cannot be seen, NotConnected, UnreadableFile for too much of it.
    """
    limit = settings.fetch_rows
    with _session(login, settings, seconds=settings.fetch_seconds) as session:
        query, names, sentences = _query(session, source, new_column=new_column, after=after)
        largest: str | None = None
        if new_column is not None:
            largest = session.largest(_column(session, source, new_column), _base(session, source))
        path = scratch / "fetched.arrows"
        # One more than may come, which tells that there are more.
        with nullcontext() if during is None else during(session.cut):
            rows = _write(session, f"{query} LIMIT {limit + 1}", names, path, limit=limit, progress=progress)
    if rows > limit:
        # What was left out may hold any value: the next fetch begins where this one did.
        rows, largest = limit, after
        sentences = (
            *sentences,
            f"Only the first {limit:,} rows were fetched, the most that CLIENTELE_FETCH_ROWS allows: "
            "there are more in the database.",
        )
    return Fetched(
        Opened(form="table", path=path, encoding="", sentences=sentences, rows_counted=rows),
        rows,
        largest if largest is not None else after,
    )


# --- parts --------------------------------------------------------------------------------------------


@contextmanager
def _session(login: Login, settings: Settings, *, seconds: int) -> Iterator[Session]:
    """Open a login that is checked first; what fails is logged by its kind, without a name or an address."""
    login = checked(login, settings=settings)
    try:
        with drivers.opened(login, settings, seconds=seconds) as session:
            yield session
    except Unreachable as error:
        structlog.get_logger().warning("not connected", driver=login.driver, reason=error.reason)
        raise


def _text_of(place: tuple[str, str]) -> str:
    return f"{place[0]}.{place[1]}" if place[0] else place[1]


def _base(session: Session, source: Source) -> str:
    """Return a source as a SELECT; a table's name is one that the database itself lists."""
    asked = check_source(source)
    if "select" in asked:
        return asked["select"]
    for schema, name in session.tables():
        if _text_of((schema, name)) == asked["table"]:
            place = f"{session.quoted(schema)}.{session.quoted(name)}" if schema else session.quoted(name)
            return f"SELECT * FROM {place}"
    raise NotFound(
        f"The database shows no table {asked['table'][:100]} to this user.",
        "Choose one of the list, or let the user read it.",
    )


def _query(
    session: Session, source: Source, *, new_column: str | None = None, after: str | None = None
) -> tuple[str, list[str], tuple[str, ...]]:
    """Return the SELECT to run, without a limit, the columns it brings, and what is to be known about them."""
    base = _base(session, source)
    fields = session.fields(base)
    if len(fields) > MAX_COLUMNS:
        raise UnreadableFile(
            f"The source has {len(fields):,} columns; up to {MAX_COLUMNS:,} can be read.",
            "Write a SELECT of the columns that are needed.",
        )
    bytes_in = [field.name for field in fields if field.binary]
    sentences: tuple[str, ...] = ()
    wanted = "*"
    if bytes_in and ("select" in source or len(bytes_in) == len(fields)):
        raise drivers.binary(bytes_in[0])
    if bytes_in:
        fields = [field for field in fields if not field.binary]
        wanted = ", ".join(f"q.{session.quoted(field.name)}" for field in fields)
        sentences = (f"Left out, because they hold bytes: {', '.join(bytes_in)}.",)
    query = f"SELECT {wanted} FROM ({base}\n) AS q"
    if new_column is not None and after is not None:
        name = session.quoted(_column(session, source, new_column, [field.name for field in fields]))
        query += f" WHERE q.{name} >= {session.bound(new_column, base, after)} OR q.{name} IS NULL"
        sentences = (*sentences, f"Only rows whose {new_column} is {after} or later were fetched.")
    return query, unique_names([" ".join(field.name.split()) for field in fields]), sentences


def _column(session: Session, source: Source, wanted: str, names: list[str] | None = None) -> str:
    """Return the name of the column that tells new rows. Raises InvalidValue when the source has none such."""
    known = names if names is not None else [field.name for field in session.fields(_base(session, source))]
    if known.count(wanted) != 1:
        raise InvalidValue(
            f"The source has no one column called {wanted[:100]}.",
            "Choose another column to tell new rows by.",
        )
    return wanted


def _about(login: Login, can_write: bool | None, settings: Settings) -> tuple[str, ...]:
    sentences = []
    if can_write:
        sentences.append(
            "This user may also write. Nothing is written from here, but a user who can only read is safer."
        )
    elif can_write is None:
        sentences.append("Whether this user could write, the database does not tell.")
    if login.driver == "sqlite" and drivers.left_in_log(login.database, settings):
        sentences.append("There is a write-ahead log beside the file; what stands only in it is not read.")
    if login.driver != "sqlite" and login.tls == "disable":
        sentences.append("The connection is not encrypted: whoever is on the way can read along.")
    if login.driver != "sqlite" and login.tls == "require":
        sentences.append("The connection is encrypted; that the server is the right one was not checked.")
    return tuple(sentences)


def _write(
    session: Session, query: str, names: list[str], path: Path, *, limit: int, progress: Progress | None
) -> int:
    """Write the rows of a query as Arrow and return how many came; more than `limit` are counted, not written."""
    schema = pa.schema(
        [
            *(pa.field(name, pa.string()) for name in names),
            pa.field("_row", pa.int64()),
            pa.field("_line", pa.int64()),
        ]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    came = size = 0
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as sink:
        for columns in session.columns(query):
            height = len(columns[0])
            kept = min(height, limit - came)
            if kept > 0:
                numbers = pa.array(range(came + 1, came + kept + 1), pa.int64())
                arrays = [
                    pa.array(column[:kept] if kept < height else column, pa.string()) for column in columns
                ]
                batch = pa.RecordBatch.from_arrays([*arrays, numbers, numbers], schema=schema)
                size += batch.nbytes
                sink.write_batch(batch)
            came += height
            if size > _LARGEST_BYTES:
                raise UnreadableFile(
                    f"The source has more than {_LARGEST_BYTES // 1024**3} GB of text.",
                    "Write a SELECT of the columns and rows that are needed.",
                )
            if progress is not None:
                progress(min(came, limit))
    return came

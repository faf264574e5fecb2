"""Opening the records: one database, one transaction at a time for writers, a steady view for readers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self, cast

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from crm.errors import ClienteleError, Conflict, StaleRecord, UnsafeSetting
from crm.records.changes import forget_change, stamp_changes

HEAD = "0003"
"""Revision the code is written for; a test holds it equal to Alembic's head."""

MIGRATIONS = Path(__file__).with_name("migrations")

BUSY_SECONDS = 5
"""How long a writer waits for the one before it."""

_MIGRATION_BUSY_SECONDS = 120

# Alembic keeps the running environment in a global of its own.
_migrating = threading.Lock()


class RecordsSession(Session):
    """A session that numbers what it changes; see `crm.records.changes`."""


event.listen(RecordsSession, "before_flush", stamp_changes)
event.listen(RecordsSession, "after_commit", forget_change)
event.listen(RecordsSession, "after_soft_rollback", forget_change)


class Records:
    """The records database: `with records.write() as session`, `with records.read() as session`.

    A write is one transaction, committed at the end of the block and rolled back when it raises; a read
    sees one moment of the database and cannot write. Rows stay usable after the block.
    """

    def __init__(self, *, writing: Engine, reading: Engine) -> None:
        self._writing = writing
        self._reading = reading
        self._write_session = sessionmaker(writing, class_=RecordsSession, expire_on_commit=False)
        self._read_session = sessionmaker(reading, class_=RecordsSession, expire_on_commit=False)
        # SQLite before 3.51.3 can damage a file whose log is reset while another connection writes;
        # one writer at a time, its commit included, keeps a process clear of that.
        self._writer = threading.Lock() if writing.dialect.name == "sqlite" else None

    @classmethod
    def open(cls, url: str) -> Self:
        """Return the records at an SQLAlchemy URL: a SQLite file, whose folder is made, or PostgreSQL.

        Connects to nothing yet. Raises UnsafeSetting for any other database.
        """
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise _unusable("is not a database URL") from None
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            if not parsed.database or parsed.database == ":memory:" or "mode" in parsed.query:
                raise _unusable("names no SQLite file")
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            writing, reading = (
                create_engine(parsed, hide_parameters=True, pool_pre_ping=True) for _ in range(2)
            )
            _prepare_sqlite(writing, begin="BEGIN IMMEDIATE")
            _prepare_sqlite(reading, begin="BEGIN", more=("PRAGMA query_only=ON",))
            return cls(writing=writing, reading=reading)
        if backend != "postgresql":
            raise _unusable(f"names a database of kind {backend}")
        try:
            writing = create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                hide_parameters=True,
                pool_pre_ping=True,
                connect_args={"connect_timeout": 10},
            )
        except NoSuchModuleError:
            raise _unusable("names a driver that is not installed") from None
        reading = writing.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        return cls(writing=writing, reading=reading)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writing.dialect.name

    def migrate(self) -> None:
        """Bring the tables to the state this code is written for: all of it, or nothing.

        One query when they already are. Two processes may start at once: the second waits. Raises
        ClienteleError when a newer version of the program has written the records.
        """
        if self._revision() == HEAD:
            return
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with _migrating, plain_errors(), self.migrating() as connection:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                if "locate revision" not in str(error):
                    raise
                raise ClienteleError(
                    "The records were written by a newer version of Clientele.",
                    "Start that version, or restore a backup made with this one.",
                ) from None

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Give a connection on which a migration can rebuild tables; foreign keys are checked by it at the end."""
        with self._writing.connect() as connection:
            if self.dialect == "sqlite":
                # Neither can be set inside a transaction, so the driver is spoken to directly.
                raw: Any = connection.connection.driver_connection
                raw.execute("PRAGMA foreign_keys=OFF")
                raw.execute(f"PRAGMA busy_timeout={_MIGRATION_BUSY_SECONDS * 1000}")
            try:
                yield connection
            finally:
                if self.dialect == "sqlite":
                    connection.invalidate()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session whose one transaction is committed at the end, or rolled back on an error.

        Raises StaleRecord, Conflict or ClienteleError in place of the database's own errors.
        """
        with plain_errors(), self._alone(), self._write_session.begin() as session:
            yield session

    @contextmanager
    def rehearse(self) -> Iterator[Session]:
        """Give a session that may write and is always rolled back: what would happen, without it happening."""
        with plain_errors(), self._alone(), self._write_session() as session:
            session.begin()
            try:
                yield session
            finally:
                session.rollback()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees the database as it is at its first query, and cannot write."""
        with plain_errors(), self._read_session() as session:
            yield session

    def close(self) -> None:
        """Give all connections back."""
        self._reading.dispose()
        self._writing.dispose()

    def _alone(self) -> Any:
        return nullcontext() if self._writer is None else _held(self._writer)

    def _revision(self) -> str | None:
        try:
            with plain_errors(), self._reading.connect() as connection:
                return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        except (OperationalError, ProgrammingError):
            return None  # no such table: a new database


def _prepare_sqlite(engine: Engine, *, begin: str, more: tuple[str, ...] = ()) -> None:
    """Make every connection durable, patient and strict, and every transaction start as `begin`.

    The driver would otherwise start transactions late (so that one write in two fails under load) and
    not at all before DDL (so that a failing migration leaves half a schema).
    """
    pragmas = (
        f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}",  # first: going into WAL may have to wait
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
        "PRAGMA secure_delete=ON",
        "PRAGMA trusted_schema=OFF",
        *more,
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(pragma)
        # SQLite's own knows only the 26 letters of English; a search shall find Ä by ä.
        connection.create_function("lower", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


@contextmanager
def _held(lock: threading.Lock) -> Iterator[None]:
    if not lock.acquire(timeout=BUSY_SECONDS):
        raise _busy()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the database's errors that a user can do something about into words.

    The originals are not chained: PostgreSQL's quote the values of the row.
    """
    try:
        yield
    except StaleDataError:
        raise StaleRecord(
            "Somebody else changed the record since it was opened.",
            "Open it again and repeat the change.",
        ) from None
    except PoolTimeout:
        raise _busy() from None
    except IntegrityError:
        raise Conflict(
            "The change does not fit what is stored: another record has the same name or ID, "
            "or one that it belongs to is gone.",
            "Load the page again and check the record's name or ID.",
        ) from None
    except DBAPIError as error:
        plain = _in_words(error)
        if plain is None:
            raise
        raise plain from None


def _in_words(error: DBAPIError) -> ClienteleError | None:
    code = str(getattr(error.orig, "sqlite_errorname", "") or getattr(error.orig, "sqlstate", "") or "")
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or code in {"40P01", "40001", "55P03"}:
        return _busy()
    # SHMSIZE: the file beside the log, which every first connection needs, could not be made.
    if code.startswith(("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")) or code == "53100":
        return ClienteleError(
            "The disk of the records is full; nothing was changed.", "Free some space and try again."
        )
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return ClienteleError(
            "The file of the records is damaged.", "Restore the last backup; nothing was changed by this act."
        )
    cut_off = error.connection_invalidated or code.startswith(("08", "57P", "28", "SQLITE_CANTOPEN"))
    if cut_off or (isinstance(error, OperationalError) and not code):
        return ClienteleError(
            "The records database cannot be reached.",
            "Check that it runs and that its address and password are right, then try again.",
        )
    return None


def _busy() -> Conflict:
    return Conflict(
        "Another change is being written, such as an import; yours was not made.",
        "Wait a moment and try again.",
    )


def _unusable(fact: str) -> UnsafeSetting:
    return UnsafeSetting(
        f"CLIENTELE_DATABASE_URL {fact}.",
        "Leave it empty for a file in the store, or use postgresql+psycopg://user:password@host/name.",
    )


def interrupt_of(session: Session) -> Callable[[], object]:
    """Return a function that, called from another thread, stops the statement that a session is running."""
    driver: Any = session.connection().connection.driver_connection
    return cast("Callable[[], object]", driver.interrupt if hasattr(driver, "interrupt") else driver.cancel)

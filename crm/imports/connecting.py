"""From a saved connection to an import: testing, saving, looking, fetching, refreshing.

The page and the command line both stand on this. A password goes in and comes out only as part of a
`Login`; what is given to be shown holds none.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any

from crm.errors import ClienteleError, InvalidValue, NotFound
from crm.imports import databases, mapping
from crm.imports.databases import Facts, Preview, Source
from crm.imports.drivers import Driver, Login, Tls
from crm.imports.formats import Opened
from crm.imports.jobs import Progress, say_nothing
from crm.imports.loading import DEFAULT_POLICY, POLICIES, Importer, Policy, Prepared, Report
from crm.records import connections as saved
from crm.records.database import Records
from crm.records.models import Connection
from crm.records.secrets import Keys
from crm.schema import KINDS, Kind
from crm.settings import Settings


@dataclass(frozen=True)
class Saved:
    """A saved connection as it may be shown: everything but the password."""

    connection_id: int
    version: int
    name: str
    driver: Driver
    host: str
    port: int | None
    database: str
    username: str
    tls: Tls
    has_password: bool
    source: dict[str, str]
    kind: Kind | None
    mapping: dict[str, Any]
    options: dict[str, str]
    new_column: str | None
    read_up_to: str | None
    refreshed_at: str | None
    rows: int

    @property
    def server(self) -> str:
        """Where it is, in words: kind, host and database."""
        place = self.database if self.driver == "sqlite" else f"{self.database} on {self.host}"
        return f"{databases.DRIVERS[self.driver]}, {place}"

    @property
    def what(self) -> str:
        """What is read: the table, or that it is a SELECT."""
        return self.source.get("table") or "a SELECT"

    @property
    def is_ready(self) -> bool:
        """Whether it can be refreshed unseen: its rows were imported once, so it is known what its columns are."""
        return self.kind is not None and bool(self.mapping)

    def login(self, password: str = "") -> Login:
        """Return the login of this connection with a password."""
        return Login(self.driver, self.database, self.host, self.port, self.username, password, tls=self.tls)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON; there is no password among them."""
        return {
            "name": self.name,
            "driver": self.driver,
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "username": self.username,
            "tls": self.tls,
            "password_saved": self.has_password,
            "source": self.source,
            "kind": self.kind,
            "new_column": self.new_column,
            "read_up_to": self.read_up_to,
            "refreshed_at": self.refreshed_at,
            "rows": self.rows,
        }


@dataclass(frozen=True)
class Ready:
    """Rows of a connection that were fetched and wait for their mapping, and what to note once they are in force."""

    connection: Saved
    prepared: Prepared
    read_up_to: str | None

    def noting(self, chosen: mapping.Mapping, options: Mapping[str, str]) -> Callable[[Any, Report], None]:
        """Return what `Importer.commit` is to do beside closing the import: keep the mapping and how far was read."""

        def note(session: Any, report: Report) -> None:
            del report
            saved.keep_how(
                session,
                connection_id=self.connection.connection_id,
                version=self.connection.version,
                kind=chosen.kind,
                mapping=chosen.as_dict(),
                options=options,
                read_up_to=self.read_up_to,
            )

        return note


class Connecting:
    """The connections of one store."""

    def __init__(self, settings: Settings, records: Records, importer: Importer) -> None:
        self._settings = settings
        self._records = records
        self._importer = importer
        self._keys = Keys(settings.keys)

    # What there is

    @property
    def can_save_passwords(self) -> bool:
        """Whether a password can be saved: a key is set."""
        return self._keys.can_save

    def connections(self) -> list[Saved]:
        """Return the saved connections by name."""
        with self._records.read() as session:
            rows = saved.rows_by_connection(session)
            return [_shown(found, rows.get(found.id, 0)) for found in saved.list_connections(session)]

    def find(self, *, name: str | None = None, connection_id: int | None = None) -> Saved:
        """Return one saved connection. Raises NotFound."""
        with self._records.read() as session:
            found = saved.find_connection(session, name=name, connection_id=connection_id)
            return _shown(found, saved.rows_by_connection(session).get(found.id, 0))

    def files(self) -> list[str]:
        """Return the names of the SQLite files in the folder of sources."""
        folder = self._settings.sources
        if not folder.is_dir():
            return []
        beside = ("-wal", "-shm", "-journal")
        return sorted(
            path.name for path in folder.iterdir() if path.is_file() and not path.name.endswith(beside)
        )

    def keep_file(self, name: str, content: Callable[[Path], object]) -> str:
        """Put a SQLite file into the folder of sources and return the name it has there.

        `content` writes it to a path. Raises InvalidValue when it is no SQLite file; an earlier file of the
        name is replaced, so that a fresh copy is what the next refresh reads.
        """
        kept = "".join(sign if sign.isalnum() or sign in "._- " else "_" for sign in Path(name).name).lstrip(
            ". "
        )
        kept = kept[-120:].lstrip(". ") or "database.sqlite3"
        self._settings.sources.mkdir(parents=True, exist_ok=True)
        handle, draft_name = tempfile.mkstemp(prefix=".", dir=self._settings.sources)
        os.close(handle)
        draft = Path(draft_name)
        try:
            content(draft)
            with draft.open("rb") as file:
                if file.read(16) != b"SQLite format 3\0":
                    raise InvalidValue(
                        f"{kept} is not a SQLite file.", "Choose the file of the database itself."
                    )
            draft.replace(self._settings.sources / kept)
        finally:
            draft.unlink(missing_ok=True)
        return kept

    # Looking

    def login_of(self, connection: Saved, password: str | None = None) -> Login:
        """Return the login of a saved connection, with the saved password unless one is given.

        Raises ClienteleError when there is none, or it cannot be read with the key that is set.
        """
        if connection.driver == "sqlite":
            return connection.login()
        if password is not None:
            return connection.login(password)
        with self._records.read() as session:
            found = saved.find_connection(session, connection_id=connection.connection_id)
            hidden, place = found.password, saved.place_of(found)
        if hidden is None:
            raise InvalidValue(
                f"The password of “{connection.name}” is not saved.",
                "Enter it, or give it in the environment.",
            )
        return connection.login(self._keys.reveal(hidden, place=place))

    def completed(self, login: Login, *, connection_id: int | None) -> Login:
        """Return a login with the password saved with a connection, where it has none itself.

        Raises ClienteleError when it goes elsewhere than the password was given for.
        """
        if login.password or login.driver == "sqlite" or connection_id is None:
            return login
        with self._records.read() as session:
            hidden = saved.find_connection(session, connection_id=connection_id).password
        if hidden is None:
            return login
        place = saved.place_of(vars(databases.checked(login, settings=self._settings)))
        return replace(login, password=self._keys.reveal(hidden, place=place))

    def test(self, login: Login) -> Facts:
        """Return what can be told about a database; see `databases.test`."""
        return databases.test(login, settings=self._settings)

    def preview(self, login: Login, source: Source) -> Preview:
        """Return the first rows of a source; see `databases.preview`."""
        return databases.preview(login, source, settings=self._settings)

    # Saving

    def save(
        self,
        *,
        name: str,
        login: Login,
        source: Source,
        new_column: str | None = None,
        keep_password: bool,
        actor: str,
        connection_id: int | None = None,
        version: int | None = None,
    ) -> int:
        """Create a connection, or change the one with `connection_id` at `version`; return its id.

        An empty password of a connection that has one leaves it as it is. Raises InvalidValue, Conflict,
        NotFound, StaleRecord, and UnsafeSetting when the password is to be kept and no key is set.
        """
        login = databases.checked(login, settings=self._settings)
        values = {
            "driver": login.driver,
            "host": login.host,
            "port": login.port,
            "database": login.database,
            "username": login.username,
            "tls": login.tls,
            "source": databases.check_source(source),
            "new_column": new_column or None,
        }
        hidden = None
        if keep_password and login.password:
            hidden = self._keys.hide(login.password, place=saved.place_of(values))
        with self._records.write() as session:
            if connection_id is None:
                change = saved.create_connection(
                    session, name=name, values=values, password=hidden, actor=actor
                )
            else:
                change = saved.update_connection(
                    session,
                    connection_id=connection_id,
                    version=version if version is not None else -1,
                    name=name,
                    values=values,
                    password=hidden,
                    forget_password=not keep_password,
                    actor=actor,
                )
            return int(change.record.id)

    def remove(self, connection_id: int, *, actor: str) -> int | None:
        """Put a connection into the bin and return the event to undo it by. What it brought stays."""
        with self._records.write() as session:
            return saved.delete_connection(session, connection_id=connection_id, actor=actor).event_id

    # Fetching

    def fetch(
        self,
        connection: Saved,
        *,
        password: str | None = None,
        everything: bool = False,
        progress: Progress = say_nothing,
    ) -> Ready:
        """Fetch a connection's rows, the new ones where it can tell, and return them to be mapped and checked.

        All of them come with `everything`, and when an import of this connection was undone since: its rows
        are gone, though they were read. Raises as `databases.fetch`, and NotFound when there is no row.
        """
        progress("Reading")
        login = self.login_of(connection, password)
        with self._records.read() as session:
            found = saved.find_connection(session, connection_id=connection.connection_id)
            again = saved.undone_since(session, found)
        after = None if everything or again else connection.read_up_to
        self._settings.scratch.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"import-{os.getpid()}-", dir=self._settings.scratch))
        try:
            fetched = databases.fetch(
                login,
                connection.source,
                settings=self._settings,
                scratch=scratch,
                new_column=connection.new_column,
                after=after,
                progress=lambda rows: progress("Reading", rows, 0),
                during=progress.during,
            )
            if not fetched.rows:
                raise NoRows(after is not None)
            opened = fetched.opened
            if again and connection.read_up_to is not None and not everything:
                opened = _saying(
                    opened,
                    "All rows were fetched again: an import of this connection was undone since the last time.",
                )
            prepared = self._importer.prepare_opened(
                opened, file_name=f"{connection.name}: {connection.what}", scratch=scratch, progress=progress
            )
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        return Ready(connection, prepared, fetched.read_up_to)

    def refresh(
        self,
        connection: Saved,
        *,
        actor: str,
        password: str | None = None,
        everything: bool = False,
        kind: Kind | None = None,
        columns: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        progress: Progress = say_nothing,
    ) -> Report | None:
        """Fetch new rows and import them as the last time; return what became of them, nothing without new rows.

        The first time, or with `columns`, the mapping is guessed as for a file; `options` go before those
        kept. How far was read is noted in the transaction that closes the import: both, or neither. Raises
        a Question when the rows leave open what the earlier ones did not, and as `fetch`.
        """
        try:
            ready = self.fetch(connection, password=password, everything=everything, progress=progress)
        except NoRows as error:
            if error.of_the_new:
                return None
            raise
        try:
            if (
                connection.kind is not None
                and connection.mapping
                and not columns
                and kind in (None, connection.kind)
            ):
                chosen = mapping.Mapping.from_dict(connection.kind, connection.mapping)
            else:
                chosen = self._importer.mapping_for(
                    ready.prepared, kind=kind or connection.kind, columns=columns
                )
            answers = {**connection.options, **(options or {})}
            return self.bring_in(ready, chosen, answers, actor=actor, progress=progress)
        finally:
            ready.prepared.close()

    def bring_in(
        self,
        ready: Ready,
        chosen: mapping.Mapping,
        options: Mapping[str, str],
        *,
        actor: str,
        progress: Progress = say_nothing,
    ) -> Report:
        """Check and import rows that were fetched; see `Importer.check` and `Importer.commit`."""
        answers = {name: value for name, value in options.items() if name != "policy"}
        checked = self._importer.check(ready.prepared, chosen, answers, progress=progress)
        return self._importer.commit(
            ready.prepared,
            checked,
            policy=_policy(options.get("policy", DEFAULT_POLICY)),
            actor=actor,
            source="connection",
            progress=progress,
            connection_id=ready.connection.connection_id,
            beside=ready.noting(chosen, options),
        )


class NoRows(NotFound):
    """The database had no rows to give; `of_the_new` says that it was asked for new ones only."""

    def __init__(self, of_the_new: bool) -> None:
        super().__init__(
            "The database has no new rows." if of_the_new else "The source has no rows.",
            "Nothing was imported." if of_the_new else "Choose another table, or look at the SELECT.",
        )
        self.of_the_new = of_the_new


def _policy(text: str) -> Policy:
    for policy in POLICIES:
        if policy == text:
            return policy
    raise InvalidValue(f"There is no policy {text!r}.", f"Choose one of {', '.join(POLICIES)}.")


def _saying(opened: Opened, sentence: str) -> Opened:
    return replace(opened, sentences=(*opened.sentences, sentence))


def _shown(found: Connection, rows: int) -> Saved:
    kind = next((known for known in KINDS if known == found.kind), None)
    if found.driver not in databases.DRIVERS or found.tls not in databases.TLS:
        raise ClienteleError(
            f"The connection “{found.name}” is of a kind that this version does not know.",
            "Start a newer version.",
        )
    return Saved(
        connection_id=found.id,
        version=found.version,
        name=found.name,
        driver=found.driver,
        host=found.host,
        port=found.port,
        database=found.database,
        username=found.username,
        tls=found.tls,
        has_password=found.password is not None,
        source=dict(found.source),
        kind=kind,
        mapping=dict(found.mapping),
        options=dict(found.options),
        new_column=found.new_column,
        read_up_to=found.read_up_to,
        refreshed_at=None
        if found.refreshed_at is None
        else found.refreshed_at.astimezone(UTC).isoformat(timespec="seconds"),
        rows=rows,
    )

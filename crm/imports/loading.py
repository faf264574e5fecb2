"""Bringing a checked file into the stores as one act, and taking it back.

The lake is written first, in one commit per table that carries the import's id; then the import's row is
closed together with the contacts in one transaction. An import found open later is closed if all its
commits are there and taken back if not: killing the process at any moment leaves all of it or nothing.
"""

import fcntl
import gzip
import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any, Literal, get_args

import duckdb
import pyarrow as pa

from crm import schema
from crm.errors import ClienteleError, Conflict, InvalidValue, NotFound
from crm.imports import checking, mapping, reading
from crm.imports.checking import Checked
from crm.imports.reading import RawTable, identifier, literal
from crm.lake import DELETED, KEYS, Lake
from crm.logs import log_unexpected
from crm.records import bulk
from crm.records import imports as records_of
from crm.records.database import Records
from crm.records.models import Import
from crm.schema import Kind
from crm.settings import Settings

Policy = Literal["overwrite", "fill", "skip"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
DEFAULT_POLICY: Policy = "overwrite"

Progress = Callable[[str], None]

_GROUP = {"orders": "order_id", "responses": "response_id"}
"""What is replaced as one when a file names it again."""


def say_nothing(stage: str) -> None:
    """Report no progress."""
    del stage


@dataclass
class Prepared:
    """A file that was read and waits for its mapping: rows as text in a DuckDB connection of its own."""

    path: Path
    file_name: str
    sha256: str
    connection: duckdb.DuckDBPyConnection
    raw: RawTable
    sample: dict[str, list[str]]
    scratch: Path

    def guess(self, kind: Kind | None = None) -> mapping.Guess:
        """Return the likeliest mapping, of `kind` or of the kind that the headers tell."""
        chosen = kind or mapping.guess_kind(self.raw.columns)
        return mapping.guess(chosen, self.raw.columns, self.sample)

    def close(self) -> None:
        """Let go of the rows and the files they spilled to."""
        self.connection.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


@dataclass(frozen=True)
class Report:
    """What an import did, or would do: rows_read is the sum of the five counts after it.

    reasons: pairs of a reason and the number of rows rejected for it, most frequent first.
    """

    import_id: str
    kind: Kind
    file_name: str
    rows_read: int
    created: int
    updated: int
    unchanged: int
    skipped: int
    rejected: int
    rejects_file: str | None
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]
    reasons: tuple[tuple[str, int], ...]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        values = asdict(self)
        values["reasons"] = [{"reason": reason, "rows": rows} for reason, rows in self.reasons]
        return values


@dataclass(frozen=True)
class Undone:
    """An import taken back; `conflicts` are contacts left as they are because they were edited since."""

    import_id: str
    file_name: str
    conflicts: list[str]


@dataclass(frozen=True)
class UndoOutlook:
    """Whether an import is in force, the last import if a later one stands in the way, and edits since.

    `edited` are the IDs of the contacts that were edited since the import had written them.
    """

    in_force: bool
    later: dict[str, Any] | None
    edited: list[str]


@dataclass(frozen=True)
class _Plan:
    """What a checked file changes: rows by what becomes of them, and which tables are written how."""

    created: int
    updated: int
    unchanged: int
    skipped: int
    tables: dict[str, Literal["append", "change"]]


class Importer:
    """Imports into one pair of stores, one at a time, whichever process they come from."""

    def __init__(self, settings: Settings, lake: Lake, records: Records) -> None:
        self._settings = settings
        self._lake = lake
        self._records = records

    # Reading and checking

    def prepare(self, path: Path, *, file_name: str | None = None) -> Prepared:
        """Read a file and return it, to be mapped and checked. Raises UnreadableFile; writes nothing."""
        name = file_name or path.name
        if not path.is_file():
            raise NotFound(f"There is no file {name}.", "Check the name and the folder.")
        self._settings.scratch.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix="import-", dir=self._settings.scratch))
        connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": self._settings.memory_limit,
                "temp_directory": str(scratch / "spill"),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        try:
            dialect = reading.detect(path)
            raw = reading.read(path, dialect, connection=connection, table="raw", scratch=scratch)
            sample = reading.sample(connection, raw)
        except BaseException:
            connection.close()
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        return Prepared(path, name, _sha256(path), connection, raw, sample, scratch)

    def check(
        self, prepared: Prepared, chosen: mapping.Mapping, options: Mapping[str, str] | None = None
    ) -> Checked:
        """Check every row of a prepared file; see `checking.check`."""
        return checking.check(prepared.connection, prepared.raw, chosen, options)

    def preview(self, prepared: Prepared, checked: Checked, *, policy: Policy = DEFAULT_POLICY) -> Report:
        """Return what committing would do to the stores as they are now. Writes nothing."""
        plan = self._plan(prepared, checked, policy)
        return self._report(prepared, checked, plan)

    # Committing

    def commit(
        self,
        prepared: Prepared,
        checked: Checked,
        *,
        policy: Policy = DEFAULT_POLICY,
        actor: str,
        source: records_of.Source,
        sample: bool = False,
        progress: Progress = say_nothing,
        started: float | None = None,
    ) -> Report:
        """Write a checked file into the stores as one act and return what became of its rows."""
        began = time.monotonic() if started is None else started
        with self._alone():
            self._recover()
            progress("Comparing with what is stored")
            plan = self._plan(prepared, checked, policy)
            with self._records.write() as session:
                opened = records_of.create_import(
                    session,
                    kind=checked.kind,
                    file_name=prepared.file_name,
                    sha256=prepared.sha256,
                    actor=actor,
                    source=source,
                    sample=sample,
                    mapping={"columns": checked.mapping.columns, "policy": policy},
                    lake_versions={table: self._lake.version(table) for table in plan.tables},
                )
                import_id = opened.id
                rejects = f"{import_id}.csv" if checked.rejected else None
                opened.rejects_file = rejects
                opened.assumed, opened.warnings = list(checked.assumed), list(checked.warnings)
                opened.rows_read, opened.rejected = checked.rows_read, checked.rejected
                opened.created, opened.updated = plan.created, plan.updated
                opened.unchanged, opened.skipped = plan.unchanged, plan.skipped
            try:
                if rejects:
                    progress("Setting rejected rows aside")
                    self.rejects_folder.mkdir(parents=True, exist_ok=True)
                    checking.write_rejects(
                        prepared.connection, prepared.raw, checked, self.rejects_folder / rejects
                    )
                progress("Writing")
                for table, how in plan.tables.items():
                    self._write(prepared, table, how, import_id)
                report = replace(
                    self._report(prepared, checked, plan),
                    import_id=import_id,
                    rejects_file=str(self.rejects_folder / rejects) if rejects else None,
                    seconds=round(time.monotonic() - began, 3),
                )
                with self._records.write() as session:
                    if checked.kind == "contacts":
                        rows = self._contact_rows(prepared, checked)
                        counts = bulk.write_contacts(session, rows, policy=policy, import_id=import_id)
                        report = replace(
                            report,
                            created=counts.created,
                            updated=counts.updated,
                            unchanged=counts.unchanged,
                            skipped=counts.skipped + checked.skipped,
                        )
                    records_of.remember_mapping(
                        session,
                        headers=prepared.raw.columns,
                        kind=checked.kind,
                        mapping=checked.mapping.columns,
                    )
                    self._close(session, report)
            except BaseException:
                self._take_back(import_id, tuple(plan.tables))
                raise
        return report

    def run(
        self,
        path: Path,
        *,
        kind: Kind | None = None,
        columns: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        dry_run: bool = False,
        actor: str,
        source: records_of.Source,
        sample: bool = False,
        file_name: str | None = None,
    ) -> Report:
        """Import a file from beginning to end: read, guess what `columns` leave open, check, commit."""
        began = time.monotonic()
        answers = dict(options or {})
        policy = _policy(answers.pop("policy", DEFAULT_POLICY))
        prepared = self.prepare(path, file_name=file_name)
        try:
            chosen = self.mapping_for(prepared, kind=kind, columns=columns)
            checked = self.check(prepared, chosen, answers)
            if dry_run:
                return self.preview(prepared, checked, policy=policy)
            return self.commit(
                prepared, checked, policy=policy, actor=actor, source=source, sample=sample, started=began
            )
        finally:
            prepared.close()

    def mapping_for(
        self, prepared: Prepared, *, kind: Kind | None = None, columns: Mapping[str, str] | None = None
    ) -> mapping.Mapping:
        """Return the mapping to begin with: `columns` as given, else as remembered, the rest guessed.

        Raises MissingColumns for a given column that the file does not have.
        """
        with self._records.read() as session:
            known = records_of.recall_mapping(session, headers=prepared.raw.columns)
        if known is not None and kind in (None, known.kind):
            # Headers are remembered whatever their case; the columns bear the names of this file.
            present = {column.strip().casefold(): column for column in prepared.raw.columns}
            recalled = {
                field: present.get(column.strip().casefold()) for field, column in known.mapping.items()
            }
            columns_of = {field: column for field, column in recalled.items() if column is not None}
            guessed = mapping.Mapping(known.kind, columns_of)  # type: ignore[arg-type]
        else:
            guessed = prepared.guess(kind).mapping
        if not columns:
            return guessed
        taken = set(columns.values())
        kept = {field: column for field, column in guessed.columns.items() if column not in taken}
        chosen = {**kept, **columns}
        return mapping.Mapping(guessed.kind, {field: column for field, column in chosen.items() if column})

    # History and undo

    @property
    def rejects_folder(self) -> Path:
        """Folder of the files of rejected rows, named by their import."""
        return self._settings.home / "rejects"

    def history(self, *, limit: int = 200) -> list[dict[str, Any]]:
        """Return the imports, newest first, as plain values."""
        with self._records.read() as session:
            rows, _ = records_of.list_imports(session, limit=limit)
            return [_as_row(row) for row in rows]

    def history_page(self, *, page: int = 1, size: int = 25) -> tuple[list[dict[str, Any]], int]:
        """Return page `page`, from 1, of the imports, newest first, and how many there are in all."""
        with self._records.read() as session:
            rows, total = records_of.list_imports(session, offset=(page - 1) * size, limit=size)
            return [_as_row(row) for row in rows], total

    def details(self, import_id: str) -> dict[str, Any]:
        """Return one import as plain values, with its `columns` (field → source column) and its `policy`.

        Raises NotFound.
        """
        with self._records.read() as session:
            row = records_of.find_import(session, import_id)
            mapped = row.mapping or {}
            return {
                **_as_row(row),
                "columns": dict(mapped.get("columns", {})),
                "policy": mapped.get("policy", ""),
            }

    def same_file(self, prepared: Prepared, *, kind: Kind) -> dict[str, Any] | None:
        """Return the last import in force of these very bytes as the same kind, or nothing."""
        with self._records.read() as session:
            found = records_of.find_same_file(session, kind=kind, sha256=prepared.sha256)
            return None if found is None else _as_row(found)

    def rejects_path(self, import_id: str) -> Path | None:
        """Return the file of an import's rejected rows, or nothing where there is none. Raises NotFound."""
        with self._records.read() as session:
            name = records_of.find_import(session, import_id).rejects_file
        path = self.rejects_folder / Path(name).name if name else None
        return path if path is not None and path.is_file() else None

    def outlook(self, import_id: str) -> UndoOutlook:
        """Return what stands in the way of undoing an import now. Raises NotFound."""
        with self._records.read() as session:
            row = records_of.find_import(session, import_id)
            last = records_of.latest_undoable(session)
            later = None if last is None or last.id == row.id else _as_row(last)
            edited = bulk.edited_since_import(session, import_id) if row.kind == "contacts" else []
            return UndoOutlook(row.status == "done", later, edited)

    def undo(self, import_id: str, *, actor: str, force: bool = False, any_order: bool = False) -> Undone:
        """Take an import back, what it updated included; the last one first.

        Contacts edited since are left as they are and named, unless `force`. `any_order` takes out an
        import from under later ones, which only one that merely added rows allows. Raises NotFound, and
        Conflict when a later import stands in the way.
        """
        with self._alone():
            self._recover()
            with self._records.write() as session:
                undone = records_of.begin_undo(session, import_id, any_order=any_order, force=force)
                kind, name = undone.kind, undone.file_name
            try:
                return Undone(import_id, name, self._finish_undo(import_id, kind, actor=actor, force=force))
            except ClienteleError:
                with self._records.write() as session:
                    records_of.end_undo(session, import_id, undone=False)
                raise

    def sample_imports(self) -> list[str]:
        """Return the ids of the sample shop's imports in force, newest first."""
        with self._records.read() as session:
            rows, _ = records_of.list_imports(session, status="done", limit=10_000)
            return [row.id for row in rows if row.sample]

    def recover(self) -> None:
        """End what a killed process left half done, unless another process is at work right now."""
        with self._records.read() as session:
            if not records_of.list_open_imports(session):
                return
        try:
            with self._alone(wait=False):
                self._recover()
        except Conflict:
            return

    # Parts

    def _recover(self) -> None:
        with self._records.read() as session:
            open_imports = [
                (
                    row.id,
                    row.kind,
                    row.status,
                    tuple(row.lake_versions),
                    row.actor,
                    records_of.undo_is_forced(row),
                )
                for row in records_of.list_open_imports(session)
            ]
        for import_id, kind, status, tables, actor, force in open_imports:
            try:
                if status == "undoing":
                    self._finish_undo(import_id, kind, actor=actor, force=force)
                elif tables and all(self._lake.commit_of(table, import_id) is not None for table in tables):
                    with self._records.write() as session:
                        found = records_of.find_import(session, import_id)
                        self._close(session, _report_of(found))
                else:
                    self._take_back(import_id, tables)
            except Exception as error:  # the app must open all the same; the next start tries again
                log_unexpected(error)

    def _take_back(self, import_id: str, tables: tuple[str, ...]) -> None:
        for table in tables:
            self._lake.undo(table, import_id=import_id)
        (self.rejects_folder / f"{import_id}.csv").unlink(missing_ok=True)
        with self._records.write() as session:
            records_of.close_import(session, import_id=import_id, status="failed")

    def _finish_undo(self, import_id: str, kind: str, *, actor: str, force: bool) -> list[str]:
        for table in schema.LAKE:
            self._lake.undo(table, import_id=import_id)
        with self._records.write() as session:
            conflicts = (
                bulk.undo_contact_import(session, import_id, force=force).conflicts
                if kind == "contacts"
                else []
            )
            records_of.end_undo(session, import_id, undone=True, actor=actor)
        return list(conflicts)

    def _close(self, session: Any, report: Report) -> None:
        records_of.close_import(
            session,
            import_id=report.import_id,
            rows_read=report.rows_read,
            created=report.created,
            updated=report.updated,
            unchanged=report.unchanged,
            skipped=report.skipped,
            rejected=report.rejected,
            assumed=report.assumed,
            warnings=report.warnings,
            rejects_file=Path(report.rejects_file).name if report.rejects_file else None,
            seconds=report.seconds,
        )

    def _plan(self, prepared: Prepared, checked: Checked, policy: Policy) -> _Plan:
        if checked.kind == "contacts":
            return self._plan_contacts(prepared, checked, policy)
        run = prepared.connection.execute
        tables: dict[str, Literal["append", "change"]] = {}
        sources = {checked.kind: identifier(checked.accepted_table)}
        about = ""
        if checked.kind == "orders" and {"feedback", "recommendation"} & checked.mapping.columns.keys():
            # The answers are the orders' own: one that the file no longer holds is withdrawn.
            sources["responses"] = (
                _EMPTY_RESPONSES if checked.responses_table is None else identifier(checked.responses_table)
            )
            about = f"SELECT {_ANSWER_OF} FROM {identifier(checked.accepted_table)} a"
        for table, source in sources.items():
            self._compare(prepared, table, source, about=about if table != checked.kind else "")
            counts = dict(run(f"SELECT status, count(*) FROM {table}_status GROUP BY status").fetchall())
            if counts.get("updated"):
                tables[table] = "change"
            elif counts.get("created"):
                tables[table] = "append"
        # A row of an orders file is changed when its order is, or the answer that came with the order.
        answered = "responses" in sources and checked.kind == "orders"
        answer = f"LEFT JOIN responses_status r ON r.response_id = {_ANSWER_OF}" if answered else ""
        group = _GROUP[checked.kind]
        status = (
            "CASE WHEN s.status = 'unchanged' AND r.status <> 'unchanged' THEN 'updated' ELSE s.status END"
        )
        rows = dict(
            run(
                f"SELECT {status if answered else 's.status'} AS became, count(*) "
                f"FROM {identifier(checked.accepted_table)} a JOIN {checked.kind}_status s USING ({group}) "
                f"{answer} GROUP BY became"
            ).fetchall()
        )
        return _Plan(
            int(rows.get("created", 0)),
            int(rows.get("updated", 0)),
            int(rows.get("unchanged", 0)),
            checked.skipped,
            tables,
        )

    def _compare(self, prepared: Prepared, table: str, source: str, *, about: str = "") -> None:
        """Make <table>_rows (what the file says), _stored (what the lake says of the same) and _status.

        `about` is a query of further ids that the file speaks of, even where it says nothing of them.
        """
        run = prepared.connection.execute
        group = _GROUP[table]
        names = ", ".join(identifier(name) for name in schema.LAKE[table].names if name != "import_id")
        for made in ("stored", "status"):
            run(f"DROP TABLE IF EXISTS {table}_{made}")
        run(f"DROP VIEW IF EXISTS {table}_rows")
        run(f"CREATE VIEW {table}_rows AS SELECT {names} FROM {source}")
        _, files = self._lake.files(table)
        if not files:
            run(f"CREATE TABLE {table}_stored AS SELECT {names} FROM {table}_rows LIMIT 0")
            run(
                f"CREATE TABLE {table}_status AS SELECT DISTINCT {group}, 'created' AS status FROM {table}_rows"
            )
            return
        lake = f"read_parquet([{', '.join(literal(file) for file in files)}])"
        run(
            f"CREATE TABLE {table}_stored AS SELECT {names} FROM {lake} "
            f"WHERE {group} IN (SELECT {group} FROM {table}_rows{' UNION ALL ' + about if about else ''})"
        )
        # Two orders are the same when each line of the one stands in the other: counted over both.
        run(
            f"""
            CREATE TABLE {table}_status AS
            WITH both_sides AS (
                SELECT {names}, 1 AS side FROM {table}_rows UNION ALL SELECT {names}, 2 FROM {table}_stored
            ), lines AS (
                SELECT {group}, bool_or(side = 2) AS known, bool_or(side = 1) AND bool_or(side = 2) AS same
                FROM both_sides GROUP BY {names}
            )
            SELECT {group}, CASE WHEN NOT bool_or(known) THEN 'created'
                                 WHEN bool_and(same) THEN 'unchanged' ELSE 'updated' END AS status
            FROM lines GROUP BY {group}
            """
        )

    def _plan_contacts(self, prepared: Prepared, checked: Checked, policy: Policy) -> _Plan:
        """Count by writing and rolling back: the same code that will write, so the same answer."""
        rows = self._contact_rows(prepared, checked)
        with self._records.rehearse() as session:
            counts = bulk.write_contacts(session, rows, policy=policy, import_id="rehearsal")
        return _Plan(counts.created, counts.updated, counts.unchanged, counts.skipped + checked.skipped, {})

    def _contact_rows(self, prepared: Prepared, checked: Checked) -> pa.Table:
        names = ["customer_id", *(name for name in checked.mapping.columns if name != "customer_id")]
        return prepared.connection.sql(
            f"SELECT {', '.join(names)} FROM {identifier(checked.accepted_table)} ORDER BY _row"
        ).to_arrow_table()

    def _write(
        self, prepared: Prepared, table: str, how: Literal["append", "change"], import_id: str
    ) -> None:
        columns = schema.LAKE[table]
        group, keys = _GROUP[table], KEYS[table]
        typed = ", ".join(
            f"{literal(import_id)} AS import_id"
            if field.name == "import_id"
            else f"CAST({identifier(field.name)} AS {_SQL_TYPES[str(field.type)]}) AS {identifier(field.name)}"
            for field in columns
        )
        changed = f"SELECT {group} FROM {table}_status WHERE status <> 'unchanged'"
        query = f"SELECT {typed} FROM {table}_rows WHERE {group} IN ({changed})"
        if how == "append":
            rows = prepared.connection.sql(query).to_arrow_reader(250_000)
            self._lake.append(table, rows.cast(columns), import_id=import_id)
            return
        gone = (
            f"SELECT {typed} FROM {table}_stored s WHERE {group} IN ({changed}) AND NOT EXISTS "
            f"(SELECT 1 FROM {table}_rows f WHERE {' AND '.join(f'f.{key} = s.{key}' for key in keys)})"
        )
        change = f"SELECT *, false AS {DELETED} FROM ({query}) UNION ALL SELECT *, true FROM ({gone})"
        rows = prepared.connection.sql(change).to_arrow_reader(250_000)
        self._lake.change(
            table, rows.cast(columns.append(pa.field(DELETED, pa.bool_()))), import_id=import_id
        )

    def _report(self, prepared: Prepared, checked: Checked, plan: _Plan) -> Report:
        reasons = prepared.connection.execute(
            f"SELECT reason, count(*) AS rows FROM {identifier(checked.rejected_table)} "
            "GROUP BY reason ORDER BY rows DESC, reason"
        ).fetchall()
        return Report(
            import_id="",
            kind=checked.kind,
            file_name=prepared.file_name,
            rows_read=checked.rows_read,
            created=plan.created,
            updated=plan.updated,
            unchanged=plan.unchanged,
            skipped=plan.skipped,
            rejected=checked.rejected,
            rejects_file=None,
            assumed=tuple(checked.assumed),
            warnings=tuple(checked.warnings),
            reasons=tuple((str(reason), int(rows)) for reason, rows in reasons),
            seconds=0.0,
        )

    @contextmanager
    def _alone(self, *, wait: bool = True) -> Iterator[None]:
        """Hold the one right to write imports; the system takes it from a process that dies."""
        self._settings.home.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + (30 if wait else 0)
        with (self._settings.home / "import.lock").open("a") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise Conflict(
                            "Another import is running.", "Wait until it has ended, then try again."
                        ) from None
                    time.sleep(0.1)
            yield


_SQL_TYPES = {
    "string": "VARCHAR",
    "int32": "INTEGER",
    "timestamp[us]": "TIMESTAMP",
    "decimal128(18, 4)": "DECIMAL(18, 4)",
    "bool": "BOOLEAN",
}


_ANSWER_OF = "'~' || a.order_id"
"""The id of the answer that came with an order `a`; see `checking`."""

_EMPTY_RESPONSES = (
    "(SELECT "
    + ", ".join(
        f"CAST(NULL AS {_SQL_TYPES[str(field.type)]}) AS {identifier(field.name)}"
        for field in schema.RESPONSES
        if field.name != "import_id"
    )
    + " LIMIT 0)"
)


def _policy(text: str) -> Policy:
    for policy in POLICIES:
        if policy == text:
            return policy
    raise InvalidValue(f"There is no policy {text!r}.", f"Choose one of {', '.join(POLICIES)}.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _as_row(row: Import) -> dict[str, Any]:
    def moment(value: Any) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat(timespec="seconds")

    return {
        "import_id": row.id,
        "kind": row.kind,
        "file_name": row.file_name,
        "status": row.status,
        "sample": row.sample,
        "source": row.source,
        "actor": row.actor,
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
        "undone_at": moment(row.undone_at),
        "rows_read": row.rows_read,
        "created": row.created,
        "updated": row.updated,
        "unchanged": row.unchanged,
        "skipped": row.skipped,
        "rejected": row.rejected,
        "rejects_file": row.rejects_file,
        "assumed": list(row.assumed),
        "warnings": list(row.warnings),
        "seconds": row.seconds,
    }


def _report_of(row: Import) -> Report:
    return Report(
        import_id=row.id,
        kind=row.kind,  # type: ignore[arg-type]
        file_name=row.file_name,
        rows_read=row.rows_read,
        created=row.created,
        updated=row.updated,
        unchanged=row.unchanged,
        skipped=row.skipped,
        rejected=row.rejected,
        rejects_file=row.rejects_file,
        assumed=tuple(row.assumed),
        warnings=tuple(row.warnings),
        reasons=(),
        seconds=0.0,
    )


def unpack(path: Path, folder: Path) -> Path:
    """Unpack a .gz file of ours into `folder` and return where."""
    target = folder / path.name.removesuffix(".gz")
    with gzip.open(path, "rb") as packed, target.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return target

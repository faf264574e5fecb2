"""Bringing a checked file into the stores as one act, and taking it back.

Orders and answers are checked into Parquet files shaped as the lake's, so that bringing them into force is to
name those files in one commit per table that carries the import's id; then the import's row is closed
together with the contacts in one transaction. An import found open later is closed if all its
commits are there and taken back if not: killing the process at any moment leaves all of it or nothing.
"""

import fcntl
import gzip
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, get_args

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from crm import schema
from crm.errors import ClienteleError, Conflict, InvalidValue, MissingColumns, NotFound
from crm.imports import checking, mapping, values
from crm.imports import reading as reading_of
from crm.imports.checking import SQL_TYPES, Checked
from crm.imports.dialect import BOM, Dialect
from crm.imports.encodings import encoding_name
from crm.imports.formats import Opened, Reading, open_file
from crm.imports.jobs import Progress, machine, say_nothing
from crm.imports.mapping import REJECT_COLUMNS
from crm.imports.reading import RawTable, identifier, literal
from crm.lake import Lake, full_disk_in_words
from crm.logs import log_unexpected
from crm.records import bulk, custom_fields
from crm.records import imports as records_of
from crm.records.changes import latest_change
from crm.records.database import Records, interrupt_of
from crm.records.models import Import
from crm.schema import Kind
from crm.settings import Settings

Policy = Literal["overwrite", "fill", "skip"]
MEMORY = "1GB"
"""Memory that the rows of one file may take before they spill to disk."""

POLICIES: tuple[Policy, ...] = get_args(Policy)
DEFAULT_POLICY: Policy = "overwrite"

MARGIN = 16 << 20
"""Bytes that must be free on the store's disk beside as many as a file has, before it is read."""

KEPT_FREE = 2 << 20
"""Bytes kept free while an import is written: a disk that fills up then still has room to take it back."""


class Wanted(TypedDict, total=False):
    """How a file shall be brought in, as far as somebody says so; see `mapping.Mapping`.

    What stands here goes before the `template`, which goes before what is remembered or guessed.
    """

    kind: Kind | None
    columns: Mapping[str, str] | None
    joined: Mapping[str, Sequence[str]] | None
    constants: Mapping[str, str] | None
    attributes: Mapping[str, str] | None
    template: str | None


_GROUP = {"orders": "order_id", "responses": "response_id"}
"""What is replaced as one when a file names it again."""


@dataclass
class Prepared:
    """A file that was read and waits for its mapping: rows as text in a DuckDB connection of its own.

    `reading` is what the user chose about the reading.
    """

    path: Path
    file_name: str
    sha256: str
    connection: duckdb.DuckDBPyConnection
    raw: RawTable
    sample: dict[str, list[str]]
    scratch: Path
    opened: Opened
    reading: Reading
    seen: tuple[int, int]

    def check_unchanged(self) -> None:
        """Raise Conflict when the file was written to since it was read."""
        if _state_of(self.path) != self.seen:
            raise Conflict(
                f"{self.file_name} was changed while it was being imported.",
                "Nothing was imported. Wait until it is complete, then try again.",
            )

    @property
    def dialect(self) -> Dialect | None:
        """How a text file writes its table; nothing for other files."""
        return self.raw.dialect

    @property
    def guarded(self) -> bool:
        """Whether the file may be an export of ours for spreadsheets: UTF-8 text that begins with its mark."""
        if self.opened.form != "text" or set(REJECT_COLUMNS) <= set(self.raw.columns):
            return False
        with self.path.open("rb") as file:
            return file.read(len(BOM)) == BOM

    def guess(self, kind: Kind | None = None) -> mapping.Guess:
        """Return the likeliest mapping, of `kind` or of the kind that the headers tell."""
        chosen = kind or mapping.guess_kind(self.raw.columns)
        return mapping.guess(chosen, self.raw.columns, self.sample)

    def close(self) -> None:
        """Let go of the rows and the files they spilled to."""
        self.connection.close()
        shutil.rmtree(self.scratch, ignore_errors=True)


BeforeCheck = Callable[[Prepared, mapping.Mapping, Mapping[str, str], Policy], None]


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
    """What a checked file changes: rows by what becomes of them, and the lake's tables that are written.

    `tables` says of each whether what is stored of the same orders or answers changes too. `warnings` are
    sentences about what is stored.
    """

    created: int
    updated: int
    unchanged: int
    skipped: int
    tables: dict[str, bool]
    warnings: tuple[str, ...] = ()


class Importer:
    """Imports into one pair of stores, one at a time, whichever process they come from."""

    def __init__(self, settings: Settings, lake: Lake, records: Records) -> None:
        self._settings = settings
        self._lake = lake
        self._records = records

    # Reading and checking

    def prepare(
        self,
        path: Path,
        *,
        file_name: str | None = None,
        reading: Reading | None = None,
        progress: Progress = say_nothing,
    ) -> Prepared:
        """Read a file and return it, to be mapped and checked; changes nothing.

        Raises UnreadableFile, and ClienteleError when the store's disk has too little room for it.
        """
        name = (file_name or path.name).encode("utf-8", "replace").decode()
        check_there(path, name)
        progress("Reading")
        with full_disk_in_words():
            scratch = self._new_scratch()
        try:
            _check_room(scratch, path.stat().st_size + MARGIN, name)
            path = _readable(path, scratch)
            seen = _state_of(path)
            with full_disk_in_words(), ThreadPoolExecutor(1) as beside:
                digest = beside.submit(_sha256, path)
                opened = open_file(path, name=name, scratch=scratch, reading=reading or Reading())
                made = self._read(opened, reading or Reading(), scratch, progress)
                return Prepared(
                    path, name, digest.result(), *made, scratch, opened, reading or Reading(), seen
                )
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise

    def prepare_opened(
        self,
        opened: Opened,
        *,
        file_name: str,
        scratch: Path | None = None,
        progress: Progress = say_nothing,
    ) -> Prepared:
        """Return rows that came as a table of text cells, from a database say, to be mapped and checked."""
        with full_disk_in_words():
            folder = scratch or self._new_scratch()
        try:
            with full_disk_in_words(), ThreadPoolExecutor(1) as beside:
                digest = beside.submit(_sha256, opened.path)
                made = self._read(opened, Reading(), folder, progress)
                return Prepared(
                    opened.path,
                    file_name,
                    digest.result(),
                    *made,
                    folder,
                    opened,
                    Reading(),
                    _state_of(opened.path),
                )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _new_scratch(self) -> Path:
        self._settings.scratch.mkdir(parents=True, exist_ok=True)
        # The process is named so that its folders can be told from those of one that died.
        return Path(tempfile.mkdtemp(prefix=f"import-{machine()}-{os.getpid()}-", dir=self._settings.scratch))

    def _read(
        self, opened: Opened, reading: Reading, scratch: Path, progress: Progress
    ) -> tuple[duckdb.DuckDBPyConnection, RawTable, dict[str, list[str]]]:
        connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": _smaller(self._settings.memory_limit, MEMORY),
                "temp_directory": str(scratch / "spill"),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                **({"threads": str(self._settings.threads)} if self._settings.threads else {}),
            },
        )
        try:
            # Without it a query does not tell how far it is; nothing is printed.
            connection.execute("SET enable_progress_bar = true")
            connection.execute("SET enable_progress_bar_print = false")
            with progress.during(connection.interrupt, lambda: connection.query_progress() / 100):
                if opened.form == "text":
                    found = reading_of.detect(opened.path, reading)
                    dialect = replace(found, encoding=opened.encoding)
                    raw = reading_of.read(
                        opened.path, dialect, connection=connection, table="raw", scratch=scratch, lazily=True
                    )
                    raw = replace(raw, sentences=(*opened.sentences, *raw.sentences))
                else:
                    raw = reading_of.read_table(
                        opened.path,
                        sentences=opened.sentences,
                        rows_counted=opened.rows_counted,
                        connection=connection,
                        table="raw",
                        scratch=scratch,
                    )
                sample = reading_of.sample(connection, raw)
        except BaseException:
            connection.close()
            raise
        return connection, raw, sample

    def check(
        self,
        prepared: Prepared,
        chosen: mapping.Mapping,
        options: Mapping[str, str] | None = None,
        *,
        progress: Progress = say_nothing,
    ) -> Checked:
        """Check every row of a prepared file; see `checking.check`."""
        answers = {name: value for name, value in (options or {}).items() if name in values.OPTIONS}
        answers = {**self._answers_of_origin(prepared), **answers}
        import_id = records_of.new_id()
        progress("Checking")
        prepared.check_unchanged()
        run = prepared.connection
        with progress.during(run.interrupt, lambda: run.query_progress() / 100), full_disk_in_words():
            if prepared.raw.straight is not None:
                checked = checking.check_straight(
                    run,
                    prepared.raw,
                    chosen,
                    answers,
                    folder=prepared.scratch / "orders",
                    import_id=import_id,
                    unguard=prepared.guarded,
                )
                progress.check()
                if checked is not None:
                    prepared.check_unchanged()
                    return checked
                prepared.raw = reading_of.store(run, prepared.raw, scratch=prepared.scratch)
            known, found_at = None, None
            if chosen.kind == "contacts" and answers.get("key", "customer_id") != "customer_id":
                by: Literal["email", "phone"] = "email" if answers["key"] == "email" else "phone"
                with self._records.read() as session:
                    known = bulk.known_keys(session, by)
                    found_at = latest_change(session)
            planned = self._plan_attributes(prepared, chosen)
            checked = checking.check(
                run,
                prepared.raw,
                chosen,
                answers,
                known=known,
                unguard=prepared.guarded,
                attributes={title: name for title, (name, _) in planned.fields.items()},
            )
        return replace(
            checked,
            attributes=planned.fields,
            warnings=(*checked.warnings, *planned.warnings),
            import_id=import_id,
            found_at=found_at,
        )

    def _answers_of_origin(self, prepared: Prepared) -> dict[str, str]:
        """Return how the file was read whose rejected rows, mended by now, these are."""
        answers: dict[str, str] = {}
        with self._records.read() as session:
            for origin in _origins(prepared):
                with suppress(NotFound):
                    answers |= records_of.find_import(session, origin).mapping.get("decided", {})
        return answers

    def _plan_attributes(self, prepared: Prepared, chosen: mapping.Mapping) -> custom_fields.Planned:
        if not chosen.attributes:
            return custom_fields.Planned({})
        for source in chosen.attributes.values():
            if source not in prepared.raw.columns:
                raise MissingColumns(
                    f"The file has no column “{source}”, which is to be kept as an attribute.",
                    f"Choose among those found: {', '.join(prepared.raw.columns[:30])}.",
                )
        sources = ", ".join(dict.fromkeys(identifier(source) for source in chosen.attributes.values()))
        cells = prepared.connection.sql(f"SELECT {sources} FROM {identifier(prepared.raw.table)}")
        columns = cells.to_arrow_table()
        with self._records.read() as session:
            planned = custom_fields.plan_fields(
                session, {title: columns[source] for title, source in chosen.attributes.items()}
            )
            known = {
                custom_fields.attribute_of(field.name) for field in custom_fields.list_custom_fields(session)
            }
        # A new column that is empty throughout would be a field with nothing to filter on.
        kept = {
            title: field
            for title, field in planned.fields.items()
            if field[0] in known
            or pc.any(pc.not_equal(pc.utf8_trim_whitespace(columns[chosen.attributes[title]]), "")).as_py()
        }
        return replace(planned, fields=kept)

    def preview(
        self,
        prepared: Prepared,
        checked: Checked,
        *,
        policy: Policy = DEFAULT_POLICY,
        progress: Progress = say_nothing,
    ) -> Report:
        """Return what committing would do to the stores as they are now. Writes nothing."""
        progress("Comparing with what is stored")
        with progress.during(prepared.connection.interrupt), full_disk_in_words():
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
        connection_id: int | None = None,
        beside: Callable[[Any, Report], None] | None = None,
    ) -> Report:
        """Write a checked file into the stores as one act and return what became of its rows.

        Raises Conflict while another import runs, and Cancelled, before the commit point, when `progress`
        was cancelled; then, as after every error, nothing is changed.
        """
        began = time.monotonic() if started is None else started
        run = prepared.connection
        with self._alone(), full_disk_in_words():
            self._recover()
            progress("Comparing with what is stored")
            with progress.during(run.interrupt):
                plan = self._plan(prepared, checked, policy)
            import_id = ""
            kept_free = prepared.scratch / "kept-free"
            try:
                kept_free.write_bytes(bytes(KEPT_FREE))
                with self._records.write() as session:
                    opened = records_of.create_import(
                        session,
                        kind=checked.kind,
                        file_name=prepared.file_name,
                        sha256=prepared.sha256,
                        actor=actor,
                        source=source,
                        sample=sample,
                        mapping={
                            **checked.mapping.as_dict(),
                            "policy": policy,
                            "decided": dict(checked.decided),
                        },
                        lake_versions={table: self._lake.version(table) for table in plan.tables},
                        connection_id=connection_id,
                        import_id=checked.import_id,
                    )
                    import_id = opened.id
                    rejects = f"{import_id}.csv" if checked.rejected else None
                    opened.rejects_file = rejects
                    opened.assumed = list(checked.assumed)
                    opened.warnings = [*checked.warnings, *plan.warnings]
                    opened.rows_read, opened.rejected = checked.rows_read, checked.rejected
                    opened.created, opened.updated = plan.created, plan.updated
                    opened.unchanged, opened.skipped = plan.unchanged, plan.skipped
                if rejects:
                    progress("Setting rejected rows aside")
                    self.rejects_folder.mkdir(parents=True, exist_ok=True)
                    checking.write_rejects(
                        run,
                        prepared.raw,
                        replace(checked, import_id=import_id),
                        self.rejects_folder / rejects,
                    )
                progress("Writing", 0, checked.rows_read)
                with progress.during(run.interrupt):
                    staged = {
                        table: self._stage(prepared, checked, table, import_id, changes=changes)
                        for table, changes in plan.tables.items()
                    }
                if checked.kind != "contacts":
                    progress.commit_point()
                for table, (added, removed) in staged.items():
                    self._lake.commit(table, added, import_id=import_id, removed=removed)
                report = replace(
                    self._report(prepared, checked, plan),
                    import_id=import_id,
                    rejects_file=str(self.rejects_folder / rejects) if rejects else None,
                    seconds=round(time.monotonic() - began, 3),
                )
                with self._records.write() as session:
                    if checked.found_at is not None and latest_change(session) != checked.found_at:
                        raise Conflict(
                            "Contacts were changed while this file waited, so its rows may be of others by now.",
                            "Nothing was imported. Check the file again, then import it.",
                        )
                    if checked.kind == "contacts":
                        with progress.during(interrupt_of(session)):
                            report = self._write_contacts(session, prepared, checked, report, policy)
                        progress.commit_point()
                    progress("Closing")
                    records_of.remember_mapping(
                        session,
                        headers=prepared.raw.columns,
                        kind=checked.kind,
                        mapping=checked.mapping.as_dict(),
                    )
                    self._close(session, report)
                    if beside is not None:
                        beside(session, report)
            except BaseException:
                kept_free.unlink(missing_ok=True)
                if import_id:
                    try:
                        self._take_back(import_id, tuple(plan.tables))
                    except Exception as error:
                        log_unexpected(error)
                        raise ClienteleError(
                            "The import broke off and could not be taken back at once.",
                            "See that the store's disk has room and start Clientele again: that ends it, "
                            "and the import history says how.",
                        ) from error
                raise
            finally:
                kept_free.unlink(missing_ok=True)
        return report

    def _write_contacts(
        self, session: Any, prepared: Prepared, checked: Checked, report: Report, policy: Policy
    ) -> Report:
        if checked.attributes:
            custom_fields.register(session, checked.attributes, report.import_id)
        rows = self._contact_rows(prepared, checked)
        counts = bulk.write_contacts(session, rows, policy=policy, import_id=report.import_id)
        return replace(
            report,
            created=counts.created,
            updated=counts.updated,
            unchanged=counts.unchanged,
            skipped=counts.skipped + checked.skipped,
        )

    def run(
        self,
        path: Path,
        *,
        options: Mapping[str, str] | None = None,
        dry_run: bool = False,
        actor: str,
        source: records_of.Source,
        sample: bool = False,
        file_name: str | None = None,
        progress: Progress = say_nothing,
        before_check: BeforeCheck | None = None,
        **wanted: Unpack[Wanted],
    ) -> Report:
        """Import a file from beginning to end: read, guess what is left open, check, commit.

        `options` say how the file is read (see `formats.Reading`), answer questions (see `values.OPTIONS`) and
        choose the `policy` of contacts. `before_check` hears how the file will be brought in and may raise to
        stop it. Raises InvalidValue for an option that there is not.
        """
        began = time.monotonic()
        reading, answers, policy = sorted_options(options)
        prepared = self.prepare(path, file_name=file_name, reading=reading, progress=progress)
        try:
            ask_for_encoding(prepared)
            chosen = self.mapping_for(prepared, **wanted)
            if before_check is not None:
                before_check(prepared, chosen, answers, policy)
            checked = self.check(prepared, chosen, answers, progress=progress)
            if dry_run:
                return self.preview(prepared, checked, policy=policy, progress=progress)
            return self.commit(
                prepared,
                checked,
                policy=policy,
                actor=actor,
                source=source,
                sample=sample,
                progress=progress,
                started=began,
            )
        finally:
            prepared.close()

    def mapping_for(self, prepared: Prepared, **wanted: Unpack[Wanted]) -> mapping.Mapping:
        """Return the mapping to begin with: as wanted, else of the template, as remembered, the rest guessed.

        Raises MissingColumns for a given column that the file does not have, NotFound for a template that
        there is not.
        """
        begun = self._begun(prepared, wanted.get("kind"), wanted.get("template"))
        columns = dict(wanted.get("columns") or {})
        joined = {field: tuple(sources) for field, sources in (wanted.get("joined") or {}).items()}
        constants = dict(wanted.get("constants") or {})
        attributes = wanted.get("attributes")
        given = {*columns, *joined, *constants}
        taken = {*columns.values(), *(attributes or {}).values()}
        taken |= {source for sources in joined.values() for source in sources}
        kept_columns = {
            field: column
            for field, column in begun.columns.items()
            if column not in taken and field not in given
        }
        kept_joined = {
            field: sources
            for field, sources in begun.joined.items()
            if field not in given and not taken & set(sources)
        }
        kept_constants = {field: text for field, text in begun.constants.items() if field not in given}
        if attributes is None:
            attributes = {title: source for title, source in begun.attributes.items() if source not in taken}
        return mapping.Mapping(
            begun.kind,
            {field: column for field, column in {**kept_columns, **columns}.items() if column},
            {**kept_joined, **joined},
            {**kept_constants, **constants},
            dict(attributes),
        )

    def _begun(self, prepared: Prepared, kind: Kind | None, template: str | None) -> mapping.Mapping:
        headers = prepared.raw.columns
        with self._records.read() as session:
            if template is not None:
                kept = records_of.find_template(session, template)
                return mapping.apply_template(
                    mapping.Mapping.from_dict(kept.kind, kept.mapping),  # type: ignore[arg-type]
                    headers,
                ).mapping
            known = records_of.recall_mapping(session, headers=headers)
        if known is None or kind not in (None, known.kind):
            return prepared.guess(kind).mapping
        remembered = mapping.Mapping.from_dict(known.kind, known.mapping)  # type: ignore[arg-type]
        return mapping.apply_template(remembered, headers).mapping

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
        """Return one import as plain values, with its `policy` and what each field was made of.

        `columns`, `joined`, `constants` and `attributes` are those of a mapping. Raises NotFound.
        """
        with self._records.read() as session:
            row = records_of.find_import(session, import_id)
            mapped = row.mapping or {}
            return {
                **_as_row(row),
                **{
                    name: dict(mapped.get(name, {}))
                    for name in ("columns", "joined", "constants", "attributes")
                },
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
            edited = bulk.ids_edited_since_import(session, import_id) if row.kind == "contacts" else []
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
        if open_imports:
            try:
                self._lake.sweep()
            except Exception as error:  # stray files harm nobody
                log_unexpected(error)

    def _take_back(self, import_id: str, tables: tuple[str, ...]) -> None:
        """End an import that is open as failed; one that is in force, or was never written down, is left."""
        with self._records.read() as session:
            if all(
                row.id != import_id or row.status != "open" for row in records_of.list_open_imports(session)
            ):
                return
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
        tables: dict[str, bool] = {}
        sources = {checked.kind: identifier(checked.accepted_table)}
        mended = _origins(prepared) if checked.kind == "orders" else ()
        warnings: list[str] = []
        about = ""
        if checked.kind == "orders" and {"feedback", "recommendation"} & checked.mapping.columns.keys():
            sources["responses"] = (
                _EMPTY_RESPONSES if checked.responses_table is None else identifier(checked.responses_table)
            )
            if not mended:
                # The answers are the orders' own: one that the file no longer holds is withdrawn.
                about = f"SELECT {_ANSWER_OF} FROM {identifier(checked.accepted_table)} a"
        for table, source in sources.items():
            own = table == checked.kind
            warnings += self._compare(
                prepared, table, source, about="" if own else about, mended=mended if own else ()
            )
            updated, any_new = run(
                f"SELECT (SELECT count(*) FROM {table}_status WHERE status = 'updated'), EXISTS ("
                f"SELECT 1 FROM {table}_rows WHERE {_GROUP[table]} NOT IN (SELECT {_GROUP[table]} FROM {table}_status))"
            ).fetchall()[0]
            if updated or any_new:
                tables[table] = bool(updated)
        if (
            tables.get("orders")
            and "responses" not in sources
            and self._find_moved_answers(prepared, checked)
        ):
            tables["responses"] = True
        group = _GROUP[checked.kind]
        if "responses" not in sources or checked.kind == "responses":
            status = f"SELECT {group}, status FROM {checked.kind}_status"
        else:
            # A row of an orders file is changed when its order is, or the answer that came with the order.
            status = (
                "SELECT s.order_id, CASE WHEN s.status = 'unchanged' AND (r.status = 'updated' OR "
                "(r.status IS NULL AND n.response_id IS NOT NULL)) THEN 'updated' ELSE s.status END AS status "
                f"FROM orders_status s LEFT JOIN responses_status r ON r.response_id = {_ANSWER_OF.replace('a.', 's.')} "
                f"LEFT JOIN responses_rows n ON n.response_id = {_ANSWER_OF.replace('a.', 's.')}"
            )
        rows = dict(
            run(
                f"SELECT status, count(*) FROM {identifier(checked.accepted_table)} JOIN ({status}) USING ({group}) "
                "GROUP BY status"
            ).fetchall()
        )
        updated, unchanged = int(rows.get("updated", 0)), int(rows.get("unchanged", 0))
        return _Plan(
            checked.accepted - updated - unchanged,
            updated,
            unchanged,
            checked.skipped,
            tables,
            tuple(warnings),
        )

    def _compare(
        self, prepared: Prepared, table: str, source: str, *, about: str = "", mended: Sequence[str] = ()
    ) -> list[str]:
        """Make <table>_rows (what shall be stored), _stored (what the lake says of the same) and _status.

        The status has what is stored already: unchanged or updated. `about` is a query of further ids that
        the file speaks of, even where it says nothing of them. Rows that the imports `mended` rejected come
        beside the lines that their orders have; in an order that was changed since, only those that it does not
        have yet. Returns sentences to warn with. Raises Conflict where a mended row names another customer than
        its order.
        """
        warnings: list[str] = []
        run = prepared.connection.execute
        group = _GROUP[table]
        names = ", ".join(identifier(name) for name in schema.LAKE[table].names if name != "import_id")
        run(f"DROP VIEW IF EXISTS {table}_rows")
        for made in ("stored", "status"):
            run(f"DROP TABLE IF EXISTS {table}_{made}")
        named = f"SELECT {group} FROM {source}{' UNION ALL ' + about if about else ''}"
        rows = f"SELECT {names} FROM {source}"
        _, files = self._lake.files(table)
        if mended and files:
            # An order without an ID of its own is one line, which a mended one takes the place of.
            kept = f"SELECT {names} FROM {table}_stored WHERE NOT starts_with(order_id, '~')"
            origins = ", ".join(literal(origin) for origin in mended)
            changed = f"SELECT order_id FROM {table}_stored WHERE import_id NOT IN ({origins})"
            rows = (
                f"{kept} UNION ALL {rows} WHERE order_id NOT IN ({changed}) "
                f"UNION ALL ({rows} WHERE order_id IN ({changed}) EXCEPT ALL {kept})"
            )
        if not files:
            run(f"CREATE VIEW {table}_rows AS {rows}")
            run(
                f"CREATE TABLE {table}_stored AS SELECT {names}, '' AS import_id, '' AS filename "
                f"FROM {table}_rows LIMIT 0"
            )
            run(f"CREATE TABLE {table}_status AS SELECT {group}, '' AS status FROM {table}_rows LIMIT 0")
            return warnings
        run(
            f"CREATE TABLE {table}_stored AS SELECT {names}, import_id, filename FROM "
            f"read_parquet([{', '.join(literal(file) for file in files)}], filename = true) WHERE {group} IN ({named})"
        )
        if mended:
            warnings += self._look_at_mended(prepared, source, changed)
        run(f"CREATE VIEW {table}_rows AS {rows}")
        # Two orders are the same when each line stands in both as often as in the other.
        run(
            f"""
            CREATE TABLE {table}_status AS
            WITH both_sides AS (
                SELECT {names}, 1 AS side FROM {table}_rows WHERE {group} IN (SELECT {group} FROM {table}_stored)
                UNION ALL SELECT {names}, -1 FROM {table}_stored
            ), lines AS (
                SELECT {group}, sum(side) = 0 AS same FROM both_sides GROUP BY {names}
            )
            SELECT {group}, CASE WHEN bool_and(same) THEN 'unchanged' ELSE 'updated' END AS status
            FROM lines GROUP BY {group}
            """
        )
        return warnings

    def _find_moved_answers(self, prepared: Prepared, checked: Checked) -> bool:
        """Compare the answers of orders that are another customer's now, and return whether there are any.

        A file that says nothing of answers leaves them as they are, but they go where their order goes.
        """
        _, files = self._lake.files("responses")
        if not files:
            return False
        names = ", ".join(
            "o.customer_id" if name == "customer_id" else f"r.{identifier(name)}"
            for name in schema.RESPONSES.names
            if name != "import_id"
        )
        moved = (
            f"(SELECT {names} FROM read_parquet([{', '.join(literal(file) for file in files)}]) r "
            "JOIN (SELECT order_id, any_value(customer_id) AS customer_id "
            f"FROM {identifier(checked.accepted_table)} JOIN orders_status USING (order_id) "
            "WHERE status = 'updated' GROUP BY order_id) o "
            f"ON r.response_id = {_ANSWER_OF.replace('a.', 'o.')} WHERE r.customer_id <> o.customer_id)"
        )
        self._compare(prepared, "responses", moved)
        return bool(prepared.connection.execute("SELECT count(*) FROM responses_status").fetchall()[0][0])

    def _look_at_mended(self, prepared: Prepared, source: str, changed: str) -> list[str]:
        """Refuse mended rows of another customer than their order's, and warn of orders `changed` since."""
        run = prepared.connection.execute
        strangers = run(
            f"SELECT DISTINCT order_id, s.customer_id, f.customer_id FROM {source} f JOIN orders_stored s "
            "USING (order_id) WHERE s.customer_id <> f.customer_id ORDER BY 1 LIMIT 3"
        ).fetchall()
        if strangers:
            told = "; ".join(f"{order} is of {owner}, here of {other}" for order, owner, other in strangers)
            raise Conflict(
                f"Mended rows name another customer than the order they belong to: {told}.",
                "Correct the customer or the order ID of these rows, then import the file again.",
            )
        number = run(
            f"SELECT count(DISTINCT order_id) FROM {source} WHERE order_id IN ({changed}) "
            "AND NOT starts_with(order_id, '~')"
        ).fetchall()[0][0]
        if not number:
            return []
        return [
            f"{number:,} order{'s were' if number != 1 else ' was'} changed since these rows were rejected: only rows "
            "that are not stored yet were added. Look whether a row is there twice, once mended otherwise."
        ]

    def _plan_contacts(self, prepared: Prepared, checked: Checked, policy: Policy) -> _Plan:
        """Count by writing and rolling back: the same code that will write, so the same answer."""
        rows = self._contact_rows(prepared, checked)
        with self._records.rehearse() as session:
            counts = bulk.write_contacts(session, rows, policy=policy, import_id="rehearsal")
        return _Plan(counts.created, counts.updated, counts.unchanged, counts.skipped + checked.skipped, {})

    def _contact_rows(self, prepared: Prepared, checked: Checked) -> pa.Table:
        given = {**checked.mapping.columns, **checked.mapping.joined, **checked.mapping.constants}
        names = ["customer_id", *(name for name in given if name != "customer_id")]
        names += ["attributes"] if checked.attributes else []
        return prepared.connection.sql(
            f"SELECT {', '.join(names)} FROM {identifier(checked.accepted_table)} ORDER BY _row"
        ).to_arrow_table()

    def _stage(
        self, prepared: Prepared, checked: Checked, table: str, import_id: str, *, changes: bool
    ) -> tuple[list[Path], list[str]]:
        """Return files of rows to bring into the lake, and the lake's files that they take the place of."""
        run = prepared.connection.execute
        group = _GROUP[table]
        stored = int(run(f"SELECT count(*) FROM {table}_status").fetchall()[0][0])
        if not stored and checked.staged and table == checked.kind and checked.import_id == import_id:
            return list(checked.staged), []
        columns = schema.LAKE[table]
        typed = ", ".join(
            f"{literal(import_id)} AS import_id"
            if field.name == "import_id"
            else f"CAST({identifier(field.name)} AS {SQL_TYPES[str(field.type)]}) AS {identifier(field.name)}"
            for field in columns
        )
        same = f"SELECT {group} FROM {table}_status WHERE status = 'unchanged'"
        query = f"SELECT {typed} FROM {table}_rows" + (f" WHERE {group} NOT IN ({same})" if stored else "")
        touched: list[str] = []
        if changes:
            other = f"SELECT {group} FROM {table}_status WHERE status = 'updated'"
            touched = [
                str(row[0])
                for row in run(
                    f"SELECT DISTINCT filename FROM {table}_stored WHERE {group} IN ({other})"
                ).fetchall()
            ]
            every = ", ".join(identifier(name) for name in columns.names)
            kept = f"read_parquet([{', '.join(literal(file) for file in touched)}])"
            query = f"SELECT {every} FROM {kept} WHERE {group} NOT IN ({other}) UNION ALL {query}"
        folder = prepared.scratch / f"{table}-{import_id}"
        shutil.rmtree(folder, ignore_errors=True)
        run(
            f"COPY ({query}) TO {literal(str(folder))} (FORMAT parquet, ROW_GROUPS_PER_FILE {checking.GROUPS_PER_FILE})"
        )
        return sorted(folder.iterdir()), touched

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
            warnings=(*checked.warnings, *plan.warnings),
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


_ANSWER_OF = "'~' || a.order_id"
"""The id of the answer that came with an order `a`; see `checking`."""

_EMPTY_RESPONSES = (
    "(SELECT "
    + ", ".join(
        f"CAST(NULL AS {SQL_TYPES[str(field.type)]}) AS {identifier(field.name)}"
        for field in schema.RESPONSES
        if field.name != "import_id"
    )
    + " LIMIT 0)"
)


def check_there(path: Path, name: str) -> None:
    """Raise NotFound when there is no file."""
    if not path.is_file():
        raise NotFound(f"There is no file {name}.", "Check the name and the folder.")


def _state_of(path: Path) -> tuple[int, int]:
    """Return what tells whether a file was written to: its size, and when that was last done."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _readable(path: Path, scratch: Path) -> Path:
    """Return the path, or a link to it where its name is no text, which DuckDB cannot open."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        # Not a symbolic link: DuckDB looks where that leads.
        link = scratch / "file"
        try:
            os.link(path, link)
        except OSError:
            shutil.copyfile(path, link)
        return link
    return path


def _origins(prepared: Prepared) -> tuple[str, ...]:
    """Return the imports that rejected the rows of a file, where it is one of rejected rows."""
    if not set(REJECT_COLUMNS) <= set(prepared.raw.columns):
        return ()
    found = prepared.connection.execute(
        f"SELECT DISTINCT {identifier(REJECT_COLUMNS[-1])} FROM {identifier(prepared.raw.table)} LIMIT 100"
    ).fetchall()
    return tuple(str(row[0]) for row in found)


def _smaller(one: str, other: str) -> str:
    """Return the smaller of two sizes such as 4GB and 900MB."""
    units = {"MB": 1e6, "GB": 1e9, "TB": 1e12, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}

    def size(text: str) -> float:
        number = text.rstrip("BMGTi ")
        return float(number) * units[text[len(number) :].strip()]

    return min(one, other, key=size)


def _check_room(folder: Path, needed: int, name: str) -> None:
    """Raise ClienteleError when the disk of `folder` has less than `needed` bytes free for the file `name`."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ClienteleError(
            f"The disk of the store has {free >> 20:,} MB free; to import {name} takes at least "
            f"{-(-needed >> 20):,} MB.",
            "Nothing was imported. Free some space, then try again.",
        )


def sorted_options(options: Mapping[str, str] | None) -> tuple[Reading, dict[str, str], Policy]:
    """Return how a file is to be read, the answers to its questions, and the policy. Raises InvalidValue."""
    reading, answers = Reading.from_options(options or {})
    policy = policy_of(answers.pop("policy", DEFAULT_POLICY))
    values.checked_options(answers)
    return reading, answers, policy


def ask_for_encoding(prepared: Prepared) -> None:
    """Raise Question when a text may be in several encodings, nobody has chosen one, and nobody can be shown."""
    doubts = prepared.opened.doubts
    if not doubts or prepared.reading.encoding is not None:
        return
    likely = prepared.opened.encoding
    raise values.Question(
        option="encoding",
        field="",
        choices=tuple((name, encoding_name(name)) for name in dict.fromkeys((likely, *doubts))),
        examples=(),
        question=f"The file may be text in {encoding_name(likely)}, and in other encodings as well: which is meant?",
    )


def policy_of(text: str) -> Policy:
    """Return a policy by its name. Raises InvalidValue."""
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

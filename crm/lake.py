"""The lake: Delta tables of facts, each change one commit that carries its import's id."""

import errno
import json
import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from crm import schema
from crm.errors import ClienteleError, Conflict, NotFound

IMPORT_KEY = "clientele.import"
UNDO_KEY = "clientele.undo"

CHANGE_KEY = "clientele.changed"
"""Mark of a commit that also took rows out; undoing it means going back to the version before."""

# Undo goes back through the log, so the log is never trimmed.
_FOR_EVER = {"delta.enableExpiredLogCleanup": "false", "delta.logRetentionDuration": "interval 36500 days"}


@dataclass(frozen=True)
class Lake:
    """The tables of schema.LAKE in one folder.

    Every write is one Delta commit: a reader sees all of it or nothing, and the versions before stay
    readable, which is what undo restores.
    """

    root: str

    @classmethod
    def open(cls, root: str) -> "Lake":
        """Return the lake in the folder `root`, its tables made when they are not there."""
        lake = cls(root)
        for name, columns in schema.LAKE.items():
            path = Path(lake.path(name))
            if not (path / "_delta_log").is_dir():
                path.mkdir(parents=True, exist_ok=True)
                DeltaTable.create(str(path), columns, mode="ignore", name=name, configuration=_FOR_EVER)
        return lake

    def path(self, table: str) -> str:
        """Return the folder of `table`."""
        return f"{self.root}/{table}"

    def version(self, table: str) -> int:
        """Return the number of the newest commit of `table`."""
        return self._table(table).version()

    def files(self, table: str) -> tuple[int, list[str]]:
        """Return the newest version of `table` and the Parquet files it consists of."""
        opened = self._table(table)
        # Delta names files as URIs; on disk a blank is a blank.
        return opened.version(), [unquote(file) for file in opened.file_uris()]

    def commit(
        self, table: str, added: Sequence[Path], *, import_id: str, removed: Collection[str] = ()
    ) -> None:
        """Add the Parquet files `added` and take out the files `removed`, in one commit.

        The files' columns are those of schema.LAKE[table]. They are linked, or on another disk copied, into the
        table's folder under names of their own, so that the caller keeps its files and may try again.
        `removed` are files as `files` names them; what of their rows shall stay is in `added`.
        """
        opened = self._table(table)
        moment = time.time_ns() // 1_000_000
        actions: list[AddAction | RemoveAction] = []
        placed: list[Path] = []
        marks = {IMPORT_KEY: import_id} | ({CHANGE_KEY: "yes"} if removed else {})
        with _plain_words():
            try:
                for file in added:
                    rows = pq.ParquetFile(file).metadata
                    if rows.num_rows:
                        target = Path(self.path(table)) / f"part-{uuid.uuid4()}.parquet"
                        placed.append(target)
                        _place(file, target)
                        actions.append(_added(target, rows, moment))
                gone = {Path(file).name for file in removed}
                for uri in opened.file_uris():
                    if (name := Path(unquote(uri)).name) in gone:
                        gone.discard(name)
                        actions.append(RemoveAction(name, True, moment))
                if gone:
                    raise Conflict("The store was changed meanwhile.", "Nothing was changed. Try again.")
                opened.create_write_transaction(
                    actions,
                    "append",
                    opened.schema(),
                    commit_properties=CommitProperties(custom_metadata=marks),
                )
            except BaseException:
                if self.commit_of(table, import_id) is None:
                    for target in placed:
                        target.unlink(missing_ok=True)
                raise

    def commit_of(self, table: str, import_id: str) -> int | None:
        """Return the version in which an import wrote `table`, unless it wrote nothing or was undone."""
        for commit in self._table(table).history():
            if commit.get(UNDO_KEY) == import_id:
                return None
            if commit.get(IMPORT_KEY) == import_id:
                return int(commit["version"])
        return None

    def undo(self, table: str, *, import_id: str) -> bool:
        """Take back what an import did to `table`; return whether there was anything to take back.

        When nothing was written since, the version before is restored whole, updates included. When
        something was, only an import that merely added rows can be taken out from under it; otherwise
        Conflict is raised.
        """
        opened = self._table(table)
        commits = opened.history()
        undone = {commit[UNDO_KEY] for commit in commits if UNDO_KEY in commit}
        written = next((commit for commit in commits if commit.get(IMPORT_KEY) == import_id), None)
        if written is None or import_id in undone:
            return False
        version = int(written["version"])
        after = {
            commit[IMPORT_KEY]
            for commit in commits
            if IMPORT_KEY in commit and int(commit["version"]) > version
        }
        # Imports from before this one that were taken out since: the version before still holds their rows.
        taken_out = {
            commit[UNDO_KEY] for commit in commits if UNDO_KEY in commit and int(commit["version"]) > version
        } - after
        properties = CommitProperties(custom_metadata={UNDO_KEY: import_id})
        with _plain_words():
            if CHANGE_KEY not in written and (after - undone or taken_out):
                _delete(opened, {import_id}, properties)
            elif after - undone:
                raise Conflict(
                    "This import changed orders that were there before, and another import came after it.",
                    "Undo the later imports first, the newest before the others.",
                )
            elif taken_out:
                # The mark comes with the last step: an undo that dies in between is simply done again.
                opened.restore(version - 1)
                _delete(DeltaTable(self.path(table)), taken_out, properties)
            else:
                opened.restore(version - 1, commit_properties=properties)
        return True

    def sweep(self) -> int:
        """Remove the Parquet files that no version names, old ones included, and return how many there were.

        A process that died before its commit leaves such files. Only for whoever holds the right to write.
        """
        removed = 0
        for table in schema.LAKE:
            strays = {file.name: file for file in Path(self.path(table)).glob("*.parquet")}
            for name in self._ever_named(table) if strays else ():
                strays.pop(name, None)
            for file in strays.values():
                file.unlink(missing_ok=True)
            removed += len(strays)
        return removed

    def _ever_named(self, table: str) -> set[str]:
        log = Path(self.path(table)) / "_delta_log"
        named = set()
        for version in range(self.version(table) + 1):
            # A gap in the log is an error here: what it named would look like nobody's.
            for line in (log / f"{version:020}.json").read_text(encoding="utf-8").splitlines():
                told = json.loads(line)
                for act in ("add", "remove"):
                    if act in told:
                        named.add(Path(unquote(told[act]["path"])).name)
        return named

    def _table(self, name: str) -> DeltaTable:
        if name not in schema.LAKE:
            raise NotFound(
                f"The lake has no table {name!r}.", "Choose one of " + ", ".join(schema.LAKE) + "."
            )
        return DeltaTable(self.path(name))


def _place(file: Path, target: Path) -> None:
    """Make `target` the same file as `file`, its bytes on the disk before anything names it."""
    try:
        os.link(file, target)
    except OSError as error:
        if is_full_disk(error):
            raise
        shutil.copyfile(file, target)
    with target.open("rb") as opened:
        os.fsync(opened.fileno())


def _added(file: Path, rows: pq.FileMetaData, moment: int) -> AddAction:
    stats: dict[str, object] = {"numRecords": rows.num_rows}
    place = rows.schema.names.index("day")
    days = [rows.row_group(group).column(place).statistics for group in range(rows.num_row_groups)]
    if all(day is not None and day.has_min_max for day in days):
        stats["minValues"] = {"day": min(day.min for day in days)}
        stats["maxValues"] = {"day": max(day.max for day in days)}
    return AddAction(file.name, file.stat().st_size, {}, moment, True, json.dumps(stats))


def _delete(opened: DeltaTable, imports: set[str], properties: CommitProperties) -> None:
    """Delete the rows of some imports in a commit that bears a mark, which it does without rows too."""
    before = opened.version()
    opened.delete(_of_imports(imports), commit_properties=properties)
    if DeltaTable(opened.table_uri).version() == before:
        opened.create_write_transaction([], "append", opened.schema(), commit_properties=properties)


def _of_imports(ids: set[str]) -> str:
    quoted = ", ".join("'" + one.replace("'", "''") + "'" for one in sorted(ids))
    return f"import_id IN ({quoted})"


@contextmanager
def _plain_words() -> Iterator[None]:
    """Turn what the storage says into what a user can act on; nothing was committed in either case."""
    try:
        with full_disk_in_words():
            yield
    except CommitFailedError as error:
        raise Conflict(
            "Somebody else wrote to the store at the same moment.", "Nothing was changed. Try again."
        ) from error


_FULL = ("No space left", "max_temp_directory_size")
"""What tells of a full disk in the words of a library; the second is DuckDB's limit: most of what was free."""


def is_full_disk(error: BaseException) -> bool:
    """Return whether an error, whoever raised it, says that a disk has no room."""
    full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return full or any(sign in str(error) for sign in _FULL)


@contextmanager
def full_disk_in_words() -> Iterator[None]:
    """Raise ClienteleError for a full disk, and every other error as it is; nothing was committed."""
    try:
        yield
    except Exception as error:
        if is_full_disk(error):
            raise disk_full() from error
        raise


def disk_full() -> ClienteleError:
    """Return the words for a disk without room; nothing was committed."""
    return ClienteleError("The disk is full; nothing was imported.", "Free some space, then try again.")

"""The lake: Delta tables of facts, each change one commit that carries its import's id."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from crm import schema
from crm.errors import ClienteleError, Conflict, NotFound

IMPORT_KEY = "clientele.import"
UNDO_KEY = "clientele.undo"

KEYS: dict[str, tuple[str, ...]] = {"orders": ("order_id", "line"), "responses": ("response_id",)}
"""What names one row of each table."""

# Undo goes back through the log, so the log is never trimmed.
_FOR_EVER = {"delta.enableExpiredLogCleanup": "false", "delta.logRetentionDuration": "interval 36500 days"}

DELETED = "_deleted"
"""Column of a change set that says the row goes."""


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

    def append(self, table: str, rows: pa.RecordBatchReader, *, import_id: str) -> None:
        """Add `rows`, shaped as schema.LAKE[table], in one commit."""
        with _plain_words():
            write_deltalake(self._table(table), rows, mode="append", commit_properties=_mark(import_id))

    def change(self, table: str, rows: pa.RecordBatchReader, *, import_id: str) -> None:
        """Replace, add and delete rows by their key in one commit.

        From rows shaped as schema.LAKE[table] with the further column `_deleted`: a row whose key is
        stored replaces it, or deletes it when `_deleted` holds; any other row is added.
        """
        columns = schema.LAKE[table].names
        matching = " AND ".join(f"old.{key} = new.{key}" for key in KEYS[table])
        values = {name: f"new.{name}" for name in columns}
        with _plain_words():
            (
                self._table(table)
                .merge(
                    rows,
                    predicate=matching,
                    source_alias="new",
                    target_alias="old",
                    commit_properties=_mark(import_id),
                )
                .when_matched_delete(predicate=f"new.{DELETED}")
                .when_matched_update(values, predicate=f"NOT new.{DELETED}")
                .when_not_matched_insert(values, predicate=f"NOT new.{DELETED}")
                .execute()
            )

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
            if written["operation"] == "WRITE" and (after - undone or taken_out):
                opened.delete(_of_imports({import_id}), commit_properties=properties)
            elif after - undone:
                raise Conflict(
                    "This import changed orders that were there before, and another import came after it.",
                    "Undo the later imports first, the newest before the others.",
                )
            elif taken_out:
                # The mark comes with the last step: an undo that dies in between is simply done again.
                opened.restore(version - 1)
                opened.delete(_of_imports(taken_out), commit_properties=properties)
            else:
                opened.restore(version - 1, commit_properties=properties)
        return True

    def _table(self, name: str) -> DeltaTable:
        if name not in schema.LAKE:
            raise NotFound(
                f"The lake has no table {name!r}.", "Choose one of " + ", ".join(schema.LAKE) + "."
            )
        return DeltaTable(self.path(name))


def _mark(import_id: str) -> CommitProperties:
    return CommitProperties(custom_metadata={IMPORT_KEY: import_id})


def _of_imports(ids: set[str]) -> str:
    quoted = ", ".join("'" + one.replace("'", "''") + "'" for one in sorted(ids))
    return f"import_id IN ({quoted})"


@contextmanager
def _plain_words() -> Iterator[None]:
    """Turn what the storage says into what a user can act on; nothing was committed in either case."""
    try:
        yield
    except CommitFailedError as error:
        raise Conflict(
            "Somebody else wrote to the store at the same moment.", "Nothing was changed. Try again."
        ) from error
    except DeltaError as error:
        if "No space left" in str(error):
            raise _disk_full() from error
        raise
    except OSError as error:
        if "No space left" in str(error):
            raise _disk_full() from error
        raise


def _disk_full() -> ClienteleError:
    return ClienteleError("The disk is full; nothing was imported.", "Free some space, then try again.")

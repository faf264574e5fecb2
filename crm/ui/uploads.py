"""Files on their way in: written to disk once, read once, kept by the server until they are imported.

The session holds an upload's id and the file's name alone. What was read, the last check and a running import
belong to the server, so a closed tab stops no import.
"""

import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import DeletedFile

from crm.errors import ClienteleError, NotFound
from crm.imports import checking, mapping
from crm.imports.checking import Checked, Question
from crm.imports.loading import Policy, Prepared, Report
from crm.logs import log_unexpected
from crm.ui import cache, state

UPLOADER = "upload"
KEPT = 6
"""Files that wait at once; each holds its rows in memory until it is imported, let go or forgotten."""

_WAITING = "_upload"
_NAME = "_upload_name"
_REFUSED = "_upload_refused"
_DAY = 24 * 3600


@dataclass
class Run:
    """An import under way: the stages it has reached and when, and how it ended."""

    rows: int
    began: float = field(default_factory=time.monotonic)
    stages: list[tuple[float, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    report: Report | None = None
    error: ClienteleError | None = None

    def reach(self, stage: str) -> None:
        """Note that a stage has begun."""
        self.stages.append((time.monotonic() - self.began, stage))


class Upload:
    """A file that was read and waits for its mapping, its check and its import."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.run: Run | None = None
        self._rows = threading.Lock()  # one thread at a time may ask the file's rows
        self._life = threading.Lock()
        self._importing = False
        self._gone = False
        self._closed = False
        self._checked: tuple[object, Checked] | None = None
        self._planned: tuple[object, Report] | None = None
        self._questions: dict[str, dict[str, Question]] = {}

    def questions(self, chosen: mapping.Mapping) -> dict[str, Question]:
        """Return what was asked so far under a mapping, by option."""
        return self._questions.setdefault(_text(chosen), {})

    def check(
        self, chosen: mapping.Mapping, answers: Mapping[str, str], policy: Policy
    ) -> tuple[Checked, Report]:
        """Return the check of every row, and what importing would do now; the last of each is kept.

        Raises Question, after noting it, MissingColumns, UnreadableFile, and NotFound once it was let go.
        """
        workbench = cache.workbench()
        with self._asking():
            asked = (_text(chosen), tuple(sorted(answers.items())))
            if self._checked is None or self._checked[0] != asked:
                self._checked = self._planned = None
                try:
                    checked = workbench.importer.check(self.prepared, chosen, answers)
                except Question as question:
                    self.questions(chosen)[question.option] = question
                    raise
                self._checked = (asked, checked)
            checked = self._checked[1]
            at = (policy, workbench.version())
            if self._planned is None or self._planned[0] != at:
                self._planned = (at, workbench.importer.preview(self.prepared, checked, policy=policy))
            return checked, self._planned[1]

    def first_rejects(self, checked: Checked) -> list[dict[str, object]]:
        """Return the first rejected rows; see `checking.rejected_rows`."""
        with self._asking():
            return checking.rejected_rows(self.prepared.connection, checked)

    def rejects(self, checked: Checked) -> bytes:
        """Return all rejected rows as a CSV file; see `checking.write_rejects`."""
        with self._asking():
            path = self.prepared.scratch / "rejects.csv"
            checking.write_rejects(self.prepared.connection, self.prepared.raw, checked, path)
            return path.read_bytes()

    def start(self, checked: Checked, *, policy: Policy, actor: str) -> None:
        """Import in the background. A second call while it runs, or after it is done, does nothing."""
        with self._life:
            if self._gone or (self.run is not None and self.run.error is None):
                return
            self.run = Run(checked.rows_read)
            self._importing = True
        threading.Thread(target=self._import, args=(self.run, checked, policy, actor), name="import").start()

    def close(self) -> None:
        """Let go of the rows and the file; a check or an import under way does so when it ends."""
        with self._life:
            self._gone = True
        self._let_go()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Hold the rows for one thread, and let go of them after it where that was asked for meanwhile."""
        try:
            with self._rows:
                if self._gone:
                    raise NotFound("The file is no longer kept here.", "Choose it again.")
                yield
        finally:
            self._let_go()

    def _import(self, run: Run, checked: Checked, policy: Policy, actor: str) -> None:
        try:
            with self._rows:
                run.report = cache.workbench().importer.commit(
                    self.prepared, checked, policy=policy, actor=actor, source="page", progress=run.reach
                )
        except ClienteleError as error:
            run.error = error
        except Exception as error:
            run.error = ClienteleError(
                f"Something unexpected went wrong ({log_unexpected(error)}).",
                "Nothing was imported. Try again; if it stays, tell your administrator the number.",
            )
        finally:
            with self._life:
                self._importing = False
                self._gone = self._gone or run.report is not None
            try:
                self._let_go()
            finally:
                run.over.set()

    def _let_go(self) -> None:
        """Close what is gone, once; where a thread holds the rows, leave it to that thread."""
        with self._life:
            if not self._gone or self._importing or self._closed or not self._rows.acquire(blocking=False):
                return
            try:
                self._closed = True
                self.prepared.close()
                self.prepared.path.unlink(missing_ok=True)
            finally:
                self._rows.release()


def _text(chosen: mapping.Mapping) -> str:
    return repr((chosen.kind, sorted(chosen.columns.items())))


def take_in() -> None:
    """Put the file that was just chosen on disk, free what the upload holds in memory, forget the one before."""
    chosen = state.get(UPLOADER)
    if isinstance(chosen, DeletedFile):
        return  # the one that was taken in before, its memory freed
    forget()
    if chosen is None:
        return
    folder = _folder()
    upload_id = secrets.token_hex(16)
    with _path(upload_id, chosen.name).open("wb") as file:
        shutil.copyfileobj(chosen, file, 1 << 20)
    state.put(_WAITING, upload_id)
    state.put(_NAME, chosen.name)
    _free(chosen.file_id)
    _clear(folder)


def _clear(folder: Path) -> None:
    """Remove what a server that was killed has left."""
    for old in folder.iterdir():
        with suppress(FileNotFoundError):  # another session's upload may go at any moment
            if old.stat().st_mtime < time.time() - _DAY:
                old.unlink()


def _free(file_id: str) -> None:
    """Give back the memory of an uploaded file, which Streamlit would hold as long as the session lasts."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file_id)


def current() -> Upload | None:
    """Return the file that waits in this session, read; nothing when there is none or it was refused."""
    upload_id, name = state.get(_WAITING), state.get(_NAME)
    if upload_id is None:
        return None
    try:
        return _opened(upload_id, name)
    except ClienteleError as error:
        _path(upload_id, name).unlink(missing_ok=True)
        forget()
        state.put(_REFUSED, error)
        return None


def refused() -> ClienteleError | None:
    """Return why the file that was chosen last could not be read, or nothing."""
    error: ClienteleError | None = state.get(_REFUSED)
    return error


def forget() -> None:
    """Let go of the file that waits in this session, and of why one was refused."""
    upload_id, name = state.get(_WAITING), state.get(_NAME)
    state.drop(_WAITING, _NAME, _REFUSED)
    if upload_id is not None:
        _opened.clear(upload_id, name)


@st.cache_resource(
    ttl=cache.HOUR * 4,
    max_entries=KEPT,
    show_spinner="Reading the file …",
    on_release=lambda upload: upload.close(),
)
def _opened(upload_id: str, name: str) -> Upload:
    path = _path(upload_id, name)
    if not path.is_file():
        raise NotFound("The file is no longer kept here.", "Choose it again.")
    return Upload(cache.workbench().importer.prepare(path, file_name=name))


def _folder() -> Path:
    folder = cache.workbench().settings.scratch / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _path(upload_id: str, name: str) -> Path:
    suffix = Path(name).suffix
    known = suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", suffix) else ""
    return _folder() / f"{upload_id}{known}"

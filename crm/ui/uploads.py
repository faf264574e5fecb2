"""Files on their way in: written to disk once, read once, kept by the server until they are imported.

The session holds an upload's id and the file's name alone. What was read, the last check and whatever runs in
the background belong to the server, so a closed tab stops nothing.
"""

import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import DeletedFile

from crm.errors import ClienteleError, NotFound
from crm.imports import checking, mapping
from crm.imports.checking import Checked, Question
from crm.imports.formats import Reading
from crm.imports.jobs import Cancelled, Job, Jobs, State
from crm.imports.loading import Policy, Prepared, Report
from crm.imports.running import act_of
from crm.lake import full_disk_in_words
from crm.logs import log_unexpected
from crm.ui import cache, state

UPLOADER = "upload"
KEPT = 6
"""Files that wait at once; each holds its rows in memory until it is imported, let go or forgotten."""

AT_ONCE_S = 1.0
"""Seconds that a page waits for work in the background before it shows how far it is instead."""

_WAITING = "_upload"
_NAME = "_upload_name"
_REFUSED = "_upload_refused"
_DAY = 24 * 3600


def jobs() -> Jobs:
    """Return the jobs of this server's store."""
    return Jobs(cache.workbench().settings.home)


class Task:
    """Work on a file in the background: that of a job of this server, or of one elsewhere that was joined."""

    def __init__(self, found: Job | State) -> None:
        self.joined = isinstance(found, State)
        self.error: ClienteleError | None = None
        self._job = found if isinstance(found, Job) else None
        self._state = found.state if isinstance(found, Job) else found
        self._over = threading.Event()

    @property
    def state(self) -> State:
        """How far the work is."""
        if self._job is not None:
            return self._job.state
        with suppress(NotFound):
            self._state = jobs().find(self._state.id)
        return self._state

    @property
    def over(self) -> bool:
        """Whether the work has ended, well or not, and what it held is let go of."""
        if not self.joined:
            return self._over.is_set()
        told = self.state
        if told.status == "running":
            return False
        if told.status == "cancelled":
            self.error = Cancelled(told.message, told.hint)
        elif told.status == "failed":
            self.error = ClienteleError(told.message, told.hint)
        return True

    def wait(self, seconds: float) -> bool:
        """Return whether the work ended within that many seconds."""
        return self.over if self.joined else self._over.wait(seconds)

    def cancel(self) -> None:
        """Ask the work to stop. Raises Conflict when it is too late."""
        if not self.over:
            jobs().cancel(self.state.id)

    def run(self, job: Job, act: Callable[[Job], Mapping[str, Any]], *, last: Callable[[], None]) -> None:
        """Do `act` in a thread; what it returns is told to `Job.finish`. `last` is done before it is over."""

        def work() -> None:
            try:
                job.finish(**act(job))
            except ClienteleError as error:
                self.error = error
            except Exception as error:
                self.error = ClienteleError(
                    f"Something unexpected went wrong ({log_unexpected(error)}).",
                    "Nothing was changed. Try again; if it stays, tell your administrator the number.",
                )
            try:
                last()
            finally:
                if self.error is not None:
                    job.fail(self.error)
                self._over.set()

        threading.Thread(target=work, name=f"{job.state.work} {job.id}").start()


class Upload:
    """A file that was read and waits for its mapping, its check and its import.

    `closed` is called once, after its rows were let go of.
    """

    def __init__(self, prepared: Prepared, *, closed: Callable[[], object] = lambda: None) -> None:
        self.prepared = prepared
        self.checking: Task | None = None
        self.run: Task | None = None
        self._rows = threading.Lock()  # one thread at a time may ask the file's rows
        self._life = threading.Lock()
        self._importing = False
        self._gone = False
        self._closed = False
        self._when_closed = closed
        self._asked: tuple[object, ...] | None = None
        self._checked: tuple[object, Checked] | None = None
        self._found: tuple[Checked, Report] | None = None
        self._questions: dict[str, dict[str, Question]] = {}

    def questions(self, chosen: mapping.Mapping) -> dict[str, Question]:
        """Return what was asked so far under a mapping, by option."""
        return self._questions.setdefault(_text(chosen), {})

    def check(
        self, chosen: mapping.Mapping, answers: Mapping[str, str], policy: Policy, *, actor: str = ""
    ) -> tuple[Checked, Report] | None:
        """Return the check of every row, and what importing would do now; nothing while that is under way.

        Then `checking` tells how far it is. A check of other choices that still runs is cancelled. Raises
        Question, after noting it, MissingColumns, UnreadableFile, Cancelled, and NotFound once the file was
        let go.
        """
        how = (_text(chosen), tuple(sorted(answers.items())))
        asked = (how, policy, cache.workbench().version())
        with self._life:
            if self._gone:
                raise _let_go_of()
            if self._asked != asked or self.checking is None:
                if self.checking is not None and not self.checking.over:
                    with suppress(ClienteleError):
                        self.checking.cancel()
                self._asked, self._found = asked, None
                self.checking = self._start_check(chosen, answers, policy, asked, actor)
            task = self.checking
        if not task.wait(AT_ONCE_S):
            return None
        if task.error is not None:
            raise task.error
        return self._found

    def check_again(self) -> None:
        """Forget the last check, so that the next question makes it anew."""
        with self._life:
            if self.checking is None or self.checking.over:
                self._asked = None

    def _start_check(
        self,
        chosen: mapping.Mapping,
        answers: Mapping[str, str],
        policy: Policy,
        asked: tuple[object, ...],
        actor: str,
    ) -> Task:
        importer = cache.workbench().importer
        raw = self.prepared.raw
        job = jobs().start(
            work="check",
            kind=chosen.kind,
            file_name=self.prepared.file_name,
            actor=actor,
            source="page",
            rows_total=raw.row_count,
        )

        def act(job: Job) -> dict[str, Any]:
            with self._asking():
                job.check()
                if self._checked is None or self._checked[0] != asked[0]:
                    self._checked = None
                    try:
                        checked = importer.check(self.prepared, chosen, answers, progress=job)
                    except Question as question:
                        self.questions(chosen)[question.option] = question
                        raise
                    self._checked = (asked[0], checked)
                checked = self._checked[1]
                found = checked, importer.preview(self.prepared, checked, policy=policy, progress=job)
            if self._asked == asked:
                self._found = found
            return {}

        task = Task(job)
        task.run(job, act, last=self._let_go)
        return task

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

    def start(
        self, checked: Checked, *, policy: Policy, actor: str, answers: Mapping[str, str] | None = None
    ) -> None:
        """Import in the background. A second call while it runs, or after it is done, does nothing.

        Where another session or a command imports the same file in the same way, its import is joined.
        """
        with self._life:
            if self._gone or (self.run is not None and not (self.run.over and self.run.error is not None)):
                return
            prepared = self.prepared
            found = jobs().start_or_join(
                act_of(
                    sha256=prepared.sha256,
                    reading=prepared.reading,
                    kind=checked.kind,
                    mapping=checked.mapping.as_dict(),
                    answers=answers or {},
                    policy=policy,
                ),
                work="import",
                kind=checked.kind,
                file_name=prepared.file_name,
                actor=actor,
                source="page",
                rows_total=checked.rows_read,
            )
            self.run = Task(found)
            if isinstance(found, State):
                return
            self._importing = True

        def act(job: Job) -> dict[str, Any]:
            with self._rows:
                report = self.bring_in(checked, policy, dict(answers or {}), actor=actor, job=job)
            with self._life:
                self._gone = True
            return {"import_id": report.import_id, "report": report.as_dict()}

        self.run.run(found, act, last=self._end_import)

    def bring_in(
        self, checked: Checked, policy: Policy, answers: dict[str, str], *, actor: str, job: Job
    ) -> Report:
        """Commit the rows; those that did not come as a file have more to note than a file's."""
        del answers
        return cache.workbench().importer.commit(
            self.prepared, checked, policy=policy, actor=actor, source="page", progress=job
        )

    def close(self) -> None:
        """Let go of the rows and the file; a check or an import under way does so when it ends."""
        with self._life:
            self._gone = True
            task = self.checking
        if task is not None and not task.over:
            with suppress(ClienteleError):
                task.cancel()
        self._let_go()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Hold the rows for one thread, and let go of them after it where that was asked for meanwhile."""
        try:
            with self._rows:
                if self._gone:
                    raise _let_go_of()
                yield
        finally:
            self._let_go()

    def _end_import(self) -> None:
        with self._life:
            self._importing = False
        self._let_go()

    def _let_go(self) -> None:
        """Close what is gone, once; where a thread holds the rows, leave it to that thread."""
        with self._life:
            if not self._gone or self._importing or self._closed or not self._rows.acquire(blocking=False):
                return
            try:
                self._closed = True
                self.prepared.close()
            finally:
                self._rows.release()
                self._when_closed()


def _text(chosen: mapping.Mapping) -> str:
    return repr((chosen.kind, chosen.as_dict()))


def _let_go_of() -> NotFound:
    return NotFound("The file is no longer kept here.", "Choose it again.")


class Waiting:
    """A file on disk that waits in a session: what was read of it, or how far its reading is."""

    def __init__(self, path: Path, name: str, *, actor: str) -> None:
        self.path, self.name = path, name
        self.upload: Upload | None = None
        self.reading = Reading()
        self.task: Task | None = None
        self._actor = actor
        self._life = threading.Lock()
        self._gone = False
        self._held = 0  # a reading and what was read need the file: it goes after the last of them
        self.read(self.reading)

    def read(self, reading: Reading) -> None:
        """Read the file in the background, as `reading` says. A second call while that runs does nothing."""
        with self._life:
            if self._gone or (self.task is not None and not self.task.over):
                return
            if self.upload is not None and self.upload.run is not None and not self.upload.run.over:
                return
            job = jobs().start(work="reading", file_name=self.name, actor=self._actor, source="page")
            self.task = Task(job)
            self._held += 1
        importer = cache.workbench().importer

        def act(job: Job) -> dict[str, Any]:
            prepared = importer.prepare(self.path, file_name=self.name, reading=reading, progress=job)
            read = Upload(prepared, closed=self._give_back)
            with self._life:
                self._held += 1
                before, self.upload = (read if self._gone else self.upload), (None if self._gone else read)
                self.reading = reading
            if before is not None:
                before.close()
            return {}

        self.task.run(job, act, last=self._give_back)

    def close(self) -> None:
        """Let go of the file and of what was read of it; what runs does so when it ends."""
        with self._life:
            self._gone = True
            task, upload = self.task, self.upload
        if task is not None and not task.over:
            with suppress(ClienteleError):
                task.cancel()
        if upload is not None:
            upload.close()

    def _give_back(self) -> None:
        with self._life:
            self._held -= 1
            if not self._held:
                self.path.unlink(missing_ok=True)


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
    path = _path(upload_id, chosen.name)
    try:
        with full_disk_in_words(), path.open("wb") as file:
            shutil.copyfileobj(chosen, file, 1 << 20)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        _free(chosen.file_id)
    state.put(_WAITING, upload_id)
    state.put(_NAME, chosen.name)
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


def waiting() -> Waiting | None:
    """Return the file that waits in this session, read or being read; nothing when there is none.

    A file that cannot be read is let go of, and `refused` says why.
    """
    upload_id, name = state.get(_WAITING), state.get(_NAME)
    if upload_id is None:
        return None
    try:
        found = _kept(upload_id, name)
        if found.task is not None and found.task.wait(AT_ONCE_S):
            error = found.task.error
            if found.upload is None and error is not None:
                raise error
    except ClienteleError as error:
        forget()
        state.put(_REFUSED, error)
        return None
    return found


def refused() -> ClienteleError | None:
    """Return why the file that was chosen last could not be read, or nothing."""
    error: ClienteleError | None = state.get(_REFUSED)
    return error


def forget() -> None:
    """Let go of the file that waits in this session, and of why one was refused."""
    upload_id, name = state.get(_WAITING), state.get(_NAME)
    state.drop(_WAITING, _NAME, _REFUSED)
    if upload_id is not None:
        _kept.clear(upload_id, name)


@st.cache_resource(
    ttl=cache.HOUR * 4, max_entries=KEPT, show_spinner=False, on_release=lambda waiting: waiting.close()
)
def _kept(upload_id: str, name: str) -> Waiting:
    path = _path(upload_id, name)
    if not path.is_file():
        raise _let_go_of()
    return Waiting(path, name, actor=state.actor())


def _folder() -> Path:
    folder = cache.workbench().settings.scratch / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _path(upload_id: str, name: str) -> Path:
    suffix = Path(name).suffix
    known = suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", suffix) else ""
    return _folder() / f"{upload_id}{known}"

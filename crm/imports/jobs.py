"""Work on a file under way: how far it is, who started it, and the way to stop it.

A job is one reading, check or import. What is known of it stands in `<home>/jobs/<id>.json`, replaced as a
whole at most four times a second by the process that does the work and read by every other: the page of
another session, the command line. Not in the records database: on SQLite that has one writer, and progress
must not wait behind the very transaction it reports. For the same reason a wish to cancel is a file beside
it, `<id>.cancel`.
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NotRequired, Protocol, TypedDict, Unpack

from crm.errors import ClienteleError, Conflict, NotFound
from crm.lake import is_full_disk

STAGES = {
    "Reading": 40,
    "Checking": 30,
    "Comparing with what is stored": 10,
    "Setting rejected rows aside": 1,
    "Writing": 17,
    "Closing": 2,
}
"""The stages of an import in their order, and how much of the time each usually takes (measured, of 100)."""

Work = Literal["reading", "check", "import"]
STAGES_OF: dict[Work, tuple[str, ...]] = {
    "reading": ("Reading",),
    "check": ("Checking", "Comparing with what is stored"),
    "import": ("Comparing with what is stored", "Setting rejected rows aside", "Writing", "Closing"),
}
"""The stages of each part where a person decides between them; a command goes through all in one job."""

Status = Literal["running", "done", "failed", "cancelled"]

SILENT_S = 60.0
"""Seconds without a heartbeat after which a job counts as dead, whatever its process ID says."""

_TICK_S = 0.25
_BEAT_S = 2.0
_KEPT_S = 24 * 3600.0
_TOO_LATE = "It is too late to cancel: the import of {} is in force."


class Cancelled(ClienteleError):
    """The work was stopped because somebody asked for it."""

    def __init__(
        self,
        message: str = "The import was cancelled; nothing was changed.",
        hint: str = "Start it again whenever you like.",
    ) -> None:
        super().__init__(message, hint)


class Progress(Protocol):
    """What an importer tells of its work, and asks: whether it is to go on."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Say that `done` of `total` rows of a stage are done; `stage` is a word of STAGES. Raises Cancelled."""

    def check(self) -> None:
        """Raise Cancelled when the work was cancelled and is not in force yet."""

    def during(
        self, interrupt: Callable[[], object], share: Callable[[], float] | None = None
    ) -> AbstractContextManager[None]:
        """Call `interrupt` when the work is cancelled while the block runs; the block then raises Cancelled.

        `share` returns how much of the stage is done, from 0 to 1 (less than 0: not known), and is asked from
        another thread. For a connection of DuckDB: `during(connection.interrupt)`.
        """

    def commit_point(self) -> None:
        """Say that what comes now puts the work in force. Raises Cancelled, for the last time."""


class _Silence:
    """Progress that nobody follows and nobody can cancel."""

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        del stage, done, total

    def check(self) -> None:
        return

    @contextmanager
    def during(
        self, interrupt: Callable[[], object], share: Callable[[], float] | None = None
    ) -> Iterator[None]:
        del interrupt, share
        yield

    def commit_point(self) -> None:
        return


say_nothing: Progress = _Silence()
"""Report no progress and never stop."""


@dataclass(frozen=True)
class State:
    """What is known of a job, as its file says.

    `key` names the act: equal keys are the same file brought in the same way. `kind` is the kind of file, empty
    while it is not known. `percent` is 0 to 100 over all `stages` and never falls. `rows_done` of `rows_total`
    rows of the stage are done (0 of 0: not counted), `rows_per_second` in this stage. Times are UTC seconds
    since 1970. `in_force`: the commit point is behind it. `report` is what a done import did.
    """

    id: str
    key: str
    work: Work
    kind: str
    file_name: str
    actor: str
    source: str
    pid: int
    host: str
    stages: tuple[str, ...]
    started_at: float
    heartbeat: float
    stage: str = ""
    percent: float = 0.0
    rows_done: int = 0
    rows_total: int = 0
    rows_per_second: float = 0.0
    status: Status = "running"
    in_force: bool = False
    message: str = ""
    hint: str = ""
    import_id: str = ""
    ended_at: float | None = None
    report: dict[str, Any] | None = None

    @property
    def seconds(self) -> float:
        """Seconds that the work took, or has taken until its last heartbeat."""
        return max(0.0, (self.ended_at or self.heartbeat) - self.started_at)

    @property
    def started(self) -> str:
        """When it was started, as ISO text in UTC."""
        return datetime.fromtimestamp(self.started_at, UTC).isoformat(timespec="seconds")


class Job:
    """A job of this process: the progress that its work reports to, followed by a thread of its own.

    Used as a context it ends as its block does: done, failed with the words of a refusal, or cancelled. The
    thread alone writes the file while the work goes on, so that the work never waits for the disk.
    """

    def __init__(self, jobs: "Jobs", state: State) -> None:
        self.over = threading.Event()
        self._jobs = jobs
        self._state = state
        self._lock = threading.RLock()
        self._written = state
        self._stage_began = time.monotonic()
        self._cancelled = threading.Event()
        self._interrupts: dict[int, Callable[[], object]] = {}
        self._share: Callable[[], float] | None = None
        threading.Thread(target=self._follow, name=f"job {state.id}", daemon=True).start()

    @property
    def id(self) -> str:
        """Name of the job."""
        return self._state.id

    @property
    def state(self) -> State:
        """What is known now, ahead of the file by a quarter of a second at most."""
        return self._state

    # What the work says

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Note how far a stage is; see `Progress`."""
        self.check()
        with self._lock:
            if stage != self._state.stage:
                self._stage_began = time.monotonic()
            self._reach(stage, done, total, done / total if total else 0.0)

    def _reach(self, stage: str, done: int, total: int, share: float) -> None:
        if self._state.status != "running":
            return
        seconds = time.monotonic() - self._stage_began
        self._state = replace(
            self._state,
            stage=stage,
            percent=max(self._state.percent, _percent(self._state.stages, stage, share)),
            rows_done=done,
            rows_total=total or self._state.rows_total,
            rows_per_second=round(done / seconds, 1) if done and seconds >= _TICK_S else 0.0,
        )

    def check(self) -> None:
        """Raise Cancelled when the work was cancelled and is not in force yet."""
        if self._cancelled.is_set() and not self._state.in_force:
            raise Cancelled

    @contextmanager
    def during(
        self, interrupt: Callable[[], object], share: Callable[[], float] | None = None
    ) -> Iterator[None]:
        """Interrupt the block when the work is cancelled; see `Progress`."""
        token = object()
        with self._lock:
            self._interrupts[id(token)] = interrupt
            before, self._share = self._share, share or self._share
        try:
            self.check()
            yield
        except Exception:
            # An interrupted query fails with an error of its library, perhaps wrapped by another one.
            self.check()
            raise
        finally:
            with self._lock:
                del self._interrupts[id(token)]
                self._share = before
        self.check()

    def commit_point(self) -> None:
        """Refuse to be cancelled from here on. Raises Cancelled when that came first."""
        with self._jobs.locked():
            if self._jobs.is_cancelled(self.id):
                self._cancelled.set()
            self.check()
            with self._lock:
                self._state = replace(self._state, in_force=True)
                self._write()

    def claim(self, key: str, *, kind: str = "") -> State | None:
        """Take on a key that was not known at the start; where it is taken, return the job that has it.

        The two are then the same act: this one is to end, and to say what the other says.
        """
        with self._jobs.locked():
            other = self._jobs.running(key)
            if other is not None and other.id != self.id:
                return other
            with self._lock:
                self._state = replace(self._state, key=key, kind=kind or self._state.kind)
                self._write()
        return None

    # How it ends

    def finish(
        self, *, import_id: str = "", report: Mapping[str, Any] | None = None, message: str = ""
    ) -> None:
        """End well, with what it did. A second end does nothing."""
        self._end(
            "done",
            percent=100.0,
            import_id=import_id,
            report=None if report is None else dict(report),
            message=message,
        )

    def fail(self, error: BaseException) -> None:
        """End with an error: cancelled, or failed in its words. A second end does nothing."""
        if isinstance(error, Cancelled | KeyboardInterrupt):
            told = error if isinstance(error, Cancelled) else Cancelled()
            self._end("cancelled", message=told.message, hint=told.hint)
        elif isinstance(error, ClienteleError):
            self._end("failed", message=error.message, hint=error.hint)
        else:
            self._end(
                "failed",
                message="It ended with something unexpected; nothing was changed.",
                hint="Try again; the server's log says more.",
            )

    def _end(self, status: Status, **told: Any) -> None:
        with self._lock:
            if self._state.status != "running":
                return
            now = time.time()
            self._state = replace(
                self._state, status=status, ended_at=now, heartbeat=now, in_force=status == "done", **told
            )
            self.over.set()
            if self._state.work == "import":
                self._write()
            else:
                self._jobs.forget(self.id)  # nobody looks back at a reading or a check
        self._jobs.forget_cancel(self.id)

    def __enter__(self) -> "Job":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, trace
        if error is None:
            self.finish()
        else:
            self.fail(error)

    # The thread beside it

    def _follow(self) -> None:
        while not self.over.wait(_TICK_S):
            if not self._cancelled.is_set() and self._jobs.is_cancelled(self.id):
                self._cancelled.set()
            with self._lock:
                share = self._share
                stop = [*self._interrupts.values()] if self._cancelled.is_set() else []
            if not self._state.in_force:
                # Again at every tick: between two queries an interruption finds nothing to stop.
                for interrupt in stop:
                    with suppress(Exception):
                        interrupt()
            self._ask(share)
            with self._lock:
                if self.over.is_set():
                    return
                if self._state != self._written or time.time() - self._state.heartbeat > _BEAT_S:
                    self._state = replace(self._state, heartbeat=time.time())
                    self._write()

    def _ask(self, share: Callable[[], float] | None) -> None:
        if share is None:
            return
        try:
            part = share()
        except Exception:
            return  # what is only asked for the bar's sake must not stop the work
        with self._lock:
            state = self._state
            if 0 < part <= 1 and self._share is share:
                rows = max(state.rows_done, int(part * state.rows_total))
                self._reach(state.stage, rows, state.rows_total, part)

    def _write(self) -> None:
        self._written = self._state
        # A full disk stops the work where it writes its data; that its progress is not seen must not.
        with suppress(OSError):
            self._jobs.write(self._state)


def _percent(stages: tuple[str, ...], stage: str, share: float) -> float:
    """Return how much of the whole is done when `share` of `stage` is, below 100."""
    whole = sum(STAGES.get(name, 0) for name in stages) or 1
    if stage not in stages:
        return 0.0
    before = sum(STAGES.get(name, 0) for name in stages[: stages.index(stage)])
    done = before + STAGES.get(stage, 0) * min(max(share, 0.0), 1.0)
    return round(min(100 * done / whole, 99.0), 1)


class Told(TypedDict):
    """What is known of a job when it starts; see `State`."""

    work: Work
    file_name: str
    actor: str
    source: str
    kind: NotRequired[str]
    stages: NotRequired[tuple[str, ...]]
    rows_total: NotRequired[int]


class Jobs:
    """All jobs of one store, whichever process they run in."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "jobs"

    def start(self, *, key: str = "", **told: Unpack[Told]) -> Job:
        """Start a job of this process. Raises ClienteleError when its file cannot be written."""
        now = time.time()
        state = State(
            id=secrets.token_hex(8),
            key=key,
            work=told["work"],
            kind=told.get("kind", ""),
            file_name=told["file_name"],
            actor=told["actor"],
            source=told["source"],
            pid=os.getpid(),
            host=socket.gethostname(),
            stages=told.get("stages") or STAGES_OF[told["work"]],
            started_at=now,
            heartbeat=now,
            rows_total=told.get("rows_total", 0),
        )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.write(state)
        except OSError as error:
            full = is_full_disk(error)
            raise ClienteleError(
                "The disk of the store is full." if full else "The folder of the store cannot be written to.",
                "Nothing was changed. Ask your administrator to make room, then try again."
                if full
                else "Nothing was changed. Ask your administrator to look at its permissions.",
            ) from None
        return Job(self, state)

    def start_or_join(self, key: str, **told: Unpack[Told]) -> Job | State:
        """Start the job of a key, or return what is known of the one that runs it already."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.locked():
            return self.running(key) or self.start(key=key, **told)

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop, wherever it runs; it does so within half a second.

        Raises NotFound, and Conflict when the import is in force or the job is over.
        """
        with self.locked():
            state = self.find(job_id)
            if state.in_force:
                raise Conflict(_TOO_LATE.format(state.file_name), "Undo it instead.")
            if state.status != "running":
                raise Conflict(
                    f"The work on {state.file_name} is over already.", "Look at the import history."
                )
            self._cancel_file(job_id).touch()

    # Looking

    def find(self, job_id: str) -> State:
        """Return what is known of a job. Raises NotFound."""
        state = self._read(self._folder / f"{job_id}.json") if re.fullmatch(r"[0-9a-f]{16}", job_id) else None
        if state is None:
            raise NotFound("There is no such work under way.", "Look at the import history.")
        return _seen(state)

    def list_jobs(self, *, work: Work | None = None) -> list[State]:
        """Return what is known of all jobs, or those of one sort of work, newest first."""
        found = [_seen(state) for path in self._files() if (state := self._read(path)) is not None]
        chosen = [state for state in found if work in (None, state.work)]
        return sorted(chosen, key=lambda state: (-state.started_at, state.id))

    def list_running(self, *, work: Work | None = None) -> list[State]:
        """Return the jobs under way, newest first."""
        return [state for state in self.list_jobs(work=work) if state.status == "running"]

    def running(self, key: str) -> State | None:
        """Return the job under way that has a key, or nothing."""
        return next((state for state in self.list_running() if key and state.key == key), None)

    def wait(self, job_id: str, *, told: Callable[[State], object] | None = None) -> State:
        """Return a job once it is over; `told` hears of its progress meanwhile. Raises NotFound."""
        while True:
            state = self.find(job_id)
            if told is not None:
                told(state)
            if state.status != "running":
                return state
            time.sleep(_TICK_S)

    # Tidying

    def sweep(self, scratch: Path | None = None) -> None:
        """Remove what is of no use: jobs a day old, and in `scratch` folders of processes that are gone.

        A job whose process died is marked failed. What it left in the stores is not decided here but by
        `Importer.recover`.
        """
        for path in self._files():
            state = self._read(path)
            if state is None:
                continue
            seen = _seen(state)
            if seen.status != "running" and time.time() - (seen.ended_at or seen.heartbeat) > _KEPT_S:
                path.unlink(missing_ok=True)
                self.forget_cancel(seen.id)
            elif seen is not state:
                with suppress(OSError):
                    self.write(seen)
        for stray in [*self._folder.glob("*.tmp"), *self._folder.glob("*.cancel")]:
            if _age(stray) > _KEPT_S:
                stray.unlink(missing_ok=True)
        for folder in scratch.glob("import-*") if scratch is not None else ():
            # A process ID means something on its own machine only; what another left goes after a day.
            named = re.match(rf"import-{re.escape(machine())}-(\d+)-", folder.name)
            if _age(folder) > _KEPT_S or (named is not None and not _lives(int(named[1]))):
                shutil.rmtree(folder, ignore_errors=True)

    # Files

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the one right to start, cancel or commit; no process holds it longer than a moment."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def is_cancelled(self, job_id: str) -> bool:
        """Return whether somebody asked a job to stop."""
        return self._cancel_file(job_id).exists()

    def forget(self, job_id: str) -> None:
        """Remove what is known of a job that is over."""
        with suppress(OSError):
            (self._folder / f"{job_id}.json").unlink(missing_ok=True)

    def forget_cancel(self, job_id: str) -> None:
        """Remove the wish to stop a job that is over."""
        with suppress(OSError):
            self._cancel_file(job_id).unlink(missing_ok=True)

    def write(self, state: State) -> None:
        """Replace a job's file; a reader sees the one before or this one, never a part. Raises OSError."""
        target = self._folder / f"{state.id}.json"
        draft = target.with_suffix(f".{os.getpid()}.tmp")
        try:
            draft.write_text(json.dumps(asdict(state), ensure_ascii=False, default=str), encoding="utf-8")
            draft.replace(target)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def _cancel_file(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.cancel"

    def _files(self) -> list[Path]:
        return list(self._folder.glob("*.json"))

    def _read(self, path: Path) -> State | None:
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            known = {field.name for field in fields(State)}
            found = {name: value for name, value in told.items() if name in known}
            return State(**{**found, "stages": tuple(found.get("stages", ()))})
        except (OSError, ValueError, TypeError, AttributeError):
            return None  # gone meanwhile, or of another version


def _seen(state: State) -> State:
    """Return a job as it stands: failed, where it says that it runs and nothing runs it."""
    if state.status != "running":
        return state
    silent = time.time() - state.heartbeat > SILENT_S
    gone = state.host == socket.gethostname() and not _lives(state.pid)
    if not silent and not gone:
        return state
    return replace(
        state,
        status="failed",
        ended_at=state.heartbeat,
        message=f"The work on {state.file_name} ended with its server"
        + (" while it was put in force." if state.in_force else "; nothing was changed."),
        hint="The import history says what became of it." if state.in_force else "Start it again.",
    )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def machine() -> str:
    """Return this machine's name as part of a file's name; another container is another machine."""
    return re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname()) or "_"


def key_of(
    *, sha256: str, kind: str, mapping: Mapping[str, Any], options: Mapping[str, str] | None = None
) -> str:
    """Return the name of an act: the same bytes brought in the same way have the same key."""
    told = json.dumps([sha256, kind, mapping, dict(options or {})], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()[:32]

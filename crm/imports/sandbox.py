"""Runs one function in a process of its own, with bounds on memory and time: a hostile file ends only that.

A workbook of two kilobytes can make its reader ask for 500 GB and abort, which no `except` survives. So
whatever a library parses is parsed in a child: `python -m crm.imports.sandbox JOB.json`. The child knows
nothing of the settings and imports what the one function needs; it gives back JSON.
"""

import contextlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crm import errors
from crm.errors import ClienteleError, UnreadableFile

# Neither is there on Windows, where the time-out remains.
try:
    import fcntl
    import resource
except ImportError:  # pragma: no cover
    fcntl = resource = None  # type: ignore[assignment]

_ROOT = Path(__file__).resolve().parents[2]
_MAX_RESULT = 4 << 20
_NO_ROOM = 1 << 20
_SLOTS = os.cpu_count() or 1
_IN_THIS_PROCESS = threading.BoundedSemaphore(_SLOTS)

_SAVE_AS_CSV = (
    "Open it in the program it comes from, save the table as CSV with UTF-8 encoding, and import that."
)


@dataclass(frozen=True)
class Limits:
    """What a child may use: bytes of memory, seconds of processor and of wall clock, bytes of one file.

    `patience` is for how many seconds a free place is waited for; there is one per core.
    """

    memory: int = 2 << 30
    processor: int = 120
    seconds: int = 180
    file_size: int = (4 << 30) + (64 << 20)
    patience: int = 600


def run(
    function: str,
    arguments: Mapping[str, Any],
    *,
    scratch: Path,
    what: str = "file",
    limits: Limits | None = None,
) -> dict[str, Any]:
    """Return what `function` ("module:name") answers to `arguments`, all of it JSON, run in a child process.

    A ClienteleError raised in the child is raised here. A crash, too much memory and too much time become
    an UnreadableFile that calls the file `what`. Waits while as many children run as there are cores.
    """
    limits = limits or Limits()
    scratch = scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    job = scratch / f"{uuid.uuid4().hex}.json"
    answer = job.with_suffix(".answer.json")
    order = {
        "function": function,
        "arguments": dict(arguments),
        "answer": str(answer),
        "limits": asdict(limits),
    }
    job.write_text(json.dumps(order))
    try:
        with _place(limits.patience) as held:
            code = _run_child(job, limits.seconds, held)
        return _answer(answer, code, what=what, limits=limits)
    finally:
        job.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)


def _run_child(job: Path, seconds: int, held: int | None) -> int | None:
    """Return the exit code of the child, or None when it had to be ended."""
    # Not the whole environment: it holds passwords that a broken parser has no need of.
    kept = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {
        "PYTHONPATH": str(_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        # Threads and arenas reserve address space that the limit on memory counts.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own job file
        [sys.executable, "-m", "crm.imports.sandbox", str(job)],
        env=environment,
        cwd=job.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a library's last words may hold cells of the file
        start_new_session=True,
        # The place is given back when the child ends, even if this process is killed before.
        pass_fds=() if held is None else (held,),
    )
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(child.pid, signal.SIGKILL)
            else:  # pragma: no cover
                child.kill()
        child.wait()


def _answer(path: Path, code: int | None, *, what: str, limits: Limits) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if code == 0 and path.is_file() and path.stat().st_size <= _MAX_RESULT:
        answer = json.loads(path.read_text())
    if "value" in answer:
        return dict(answer["value"])
    if "refused" in answer:
        kind, message, hint = answer["refused"]
        found = getattr(errors, kind, UnreadableFile)
        raise found(message, hint)
    ended_for_time = code is None or (resource is not None and code == -signal.SIGXCPU)
    if ended_for_time:
        raise UnreadableFile(
            f"Reading the {what} took more than {limits.seconds} seconds and was stopped.", _SAVE_AS_CSV
        )
    # A library written in Rust aborts when memory is refused; the kernel kills.
    if answer.get("memory") or code in (-getattr(signal, "SIGABRT", 6), -getattr(signal, "SIGKILL", 9)):
        raise UnreadableFile(
            f"The {what} would need more memory than one file may take ({limits.memory >> 20:,} MB).",
            _SAVE_AS_CSV,
        )
    # What was written before the disk was full is still there, so that the disk still is.
    if shutil.disk_usage(path.parent).free < _NO_ROOM:
        from crm.lake import disk_full  # not for the child: its memory is counted

        raise disk_full()
    raise UnreadableFile(
        f"The {what} is damaged, or written in a way that cannot be read: reading it broke off.", _SAVE_AS_CSV
    )


@contextlib.contextmanager
def _place(patience: int) -> Iterator[int | None]:
    """Hold one of as many places as there are cores, shared by all processes of this user."""
    until = time.monotonic() + patience
    if fcntl is None:  # pragma: no cover
        if not _IN_THIS_PROCESS.acquire(timeout=patience):
            raise _busy()
        try:
            yield None
        finally:
            _IN_THIS_PROCESS.release()
        return
    folder = Path(tempfile.gettempdir())
    while True:
        for number in range(_SLOTS):
            lock = folder / f"clientele-reading-{os.getuid()}-{number}.lock"
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            try:
                yield descriptor
            finally:
                os.close(descriptor)
            return
        if time.monotonic() >= until:
            raise _busy()
        time.sleep(0.05)


def _busy() -> ClienteleError:
    return errors.Conflict(
        "Other files are being read, as many as this machine reads at a time.",
        "Try again when they are done.",
    )


# --- in the child -----------------------------------------------------------------------------------------


def _bind(limits: Limits) -> None:
    if resource is None:  # pragma: no cover
        return
    with contextlib.suppress(OSError):
        os.nice(10)
    for kind, amount in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_NOFILE, 256),
    ):
        _lower(kind, amount, amount)
    _lower(resource.RLIMIT_CPU, limits.processor, limits.processor + 5)
    # If the parent is gone nobody else ends an endless child.
    signal.setitimer(signal.ITIMER_REAL, limits.seconds + 5)


def _lower(kind: int, soft: int, hard: int) -> None:
    _, allowed = resource.getrlimit(kind)
    if allowed != resource.RLIM_INFINITY:
        soft, hard = min(soft, allowed), min(hard, allowed)
    # macOS knows some of these limits by name only.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (soft, hard))


def _main(job: Path) -> None:
    order = json.loads(job.read_text())
    _bind(Limits(**order["limits"]))
    module, _, name = order["function"].partition(":")
    answer: dict[str, Any]
    try:
        answer = {"value": getattr(importlib.import_module(module), name)(**order["arguments"])}
    except ClienteleError as refusal:
        answer = {"refused": [type(refusal).__name__, refusal.message, refusal.hint]}
    except MemoryError:
        answer = {"memory": True}
    except BaseException as failure:  # a panic of a Rust library is no Exception
        answer = {"broken": type(failure).__name__}
    path = Path(order["answer"])
    path.write_text(json.dumps(answer))
    # No farewell of libraries that may be in any state by now.
    os._exit(0)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))

"""Imports that are killed, fail or find the disk full, held to one promise: all of it, or nothing.

`python -m tests.faults 50 [seed]` kills the real command at that many moments of chance and prints what came
of it; `python -m tests.faults steps` kills it at every step of the commit, one after another, until it gets
through; `python -m tests.faults errors` raises an error at each of them instead, and `python -m tests.faults
full` fills the disk, a small one of its own where it may mount that (under `unshare -rm`, or as root), at
each of them and while the file is read. A number behind these three takes only every so many-th step.
`python -m tests.faults together 10` has four processes import the same file at once, so many times.

Whatever opens a store does so in a process forked for that alone: what is killed takes nothing with it, and
the libraries are loaded once.
"""

import contextlib
import errno
import faulthandler
import itertools
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECOVERY_S = 2.0
KINDS = ("orders", "contacts")


# --- the files and the store before -----------------------------------------------------------------------


def write_files(folder: Path, *, rows: int) -> dict[str, Path]:
    """Write two files of each kind: the second changes some of the first, brings new rows and rows to reject."""
    rng = random.Random(rows)
    folder.mkdir(parents=True, exist_ok=True)

    def order(number: int) -> str:
        answer = rng.choice(("fine", "slow", "")) if number % 2 else ""
        score = rng.randrange(11) if number % 3 == 0 else ""
        day = f"2024-{1 + number % 12:02}-{1 + number % 28:02}"
        return f"{number},c{number % (rows // 4 + 1)},{day},{rng.randrange(100, 99_999) / 100},tea {number % 7},{answer},{score}"

    def contact(number: int, more: str) -> str:
        return f"c{number},Name {number},c{number}@example.org,Town {number % 50},{rng.randrange(5)}{more}"

    head = "order_id,customer_id,order date,amount,product,feedback,recommendation"
    contacts = "customer_id,name,email,city,Shoe size"
    bad = "2024-13-45"
    files = {
        "orders before": [head, *(order(n) for n in range(rows))],
        "orders": [
            head,
            *(order(n) for n in range(rows // 2, rows + rows // 2)),
            f"x1,c1,{bad},1.00,tea,,",
            f"x2,,{bad},1.00,tea,,",
        ],
        "contacts before": [contacts, *(contact(n, "") for n in range(rows))],
        "contacts": [
            contacts + ",Loyalty points",
            *(contact(n, f",{rng.randrange(900)}") for n in range(rows // 2, rows + rows // 2)),
            ",Nobody,no@example.org,Town,1,1",
        ],
    }
    paths = {}
    for name, lines in files.items():
        paths[name] = folder / f"{name}.csv"
        paths[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return paths


@dataclass
class Ground:
    """A store to copy, the two files to import into it, and what the store holds before and after each."""

    folder: Path
    files: dict[str, Path]
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def lay(cls, folder: Path, *, rows: int) -> "Ground":
        """Make the store with the first two files in it, and import each second one undisturbed into a copy."""
        ground = cls(folder, write_files(folder / "files", rows=rows))
        for name in ("orders before", "contacts before"):
            ground.bring(folder / "base", ground.files[name])
        ground.before = look(folder / "base")["data"]
        for kind in KINDS:
            home = ground.copy(f"after-{kind}")
            ground.bring(home, ground.files[kind])
            ground.after[kind] = look(home)["data"]
            assert ground.after[kind] != ground.before
        return ground

    def copy(self, name: str) -> Path:
        """Return the folder of a fresh copy of the store."""
        home = self.folder / name
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.folder / "base", home)
        return home

    def bring(self, home: Path, file: Path) -> None:
        """Import a file undisturbed."""
        code, words = forked(command, home, file)
        assert code == 0, words

    def faults_of(self, home: Path, kind: str, *, killed: bool = True) -> tuple[list[str], dict[str, Any]]:
        """Open a store after a fault, import the file again, and return what is not as promised, and the state."""
        found = look(home)
        faults = []
        if found["data"] not in (self.before, self.after[kind]):
            differing = [
                name
                for name in found["data"]
                if found["data"][name] not in (self.before[name], self.after[kind][name])
            ]
            faults.append(f"neither all nor nothing: {', '.join(differing) or 'tables of both'}")
        faults += found["faults"]
        if killed and found["recovery"] > RECOVERY_S:
            faults.append(f"recovery took {found['recovery']:.2f} s")
        self.bring(home, self.files[kind])
        again = look(home)
        if again["data"] != self.after[kind]:
            faults.append("importing it again does not give the same state")
        return faults + [f"after the second import: {fault}" for fault in again["faults"]], found


# --- looking ----------------------------------------------------------------------------------------------


def look(home: Path) -> dict[str, Any]:
    """Open a store in a process of its own, as the next start would, and return what it holds."""
    return forked(_look, home)


def _look(home: Path) -> dict[str, Any]:
    from crm.imports import loading
    from crm.settings import load_settings
    from crm.workbench import Workbench

    took = []
    recover = loading.Importer.recover

    def timed(importer: loading.Importer) -> None:
        began = time.perf_counter()
        recover(importer)
        took.append(time.perf_counter() - began)

    loading.Importer.recover = timed
    workbench = Workbench.open(load_settings(home=home))
    try:
        return {"recovery": took[0], **held_by(workbench)}
    finally:
        loading.Importer.recover = recover
        workbench.close()


def held_by(workbench: Any) -> dict[str, Any]:
    """Return a fingerprint of each table, without ids and times of imports, and what stands where it must not.

    Rows that an import brought are told by its file's name and whether it is in force.
    """
    import duckdb

    home = workbench.settings.home
    run = duckdb.connect(config={"threads": "1"})
    run.execute("CREATE TABLE imports (id VARCHAR, said VARCHAR)")
    with workbench.records.read() as session:
        from sqlalchemy import text

        imports = session.execute(text("SELECT id, file_name, status, rejects_file FROM imports")).all()
        for one in imports:
            run.execute("INSERT INTO imports VALUES (?, ?)", [one.id, f"{one.file_name} {one.status}"])
        names = {one.id: f"{one.file_name} {one.status}" for one in imports}
        records = {
            "contacts": "SELECT import_id, customer_id, name, company, email, phone, gender, birth_date, age, city, "
            "country, annual_income, channel, acquisition_cost, joined_on, email_consent, phone_consent, note, "
            "attributes, deleted_at FROM contacts ORDER BY customer_id",
            "attributes": "SELECT import_id, name, title, type FROM custom_fields ORDER BY name",
            "images": "SELECT import_id, customer_id FROM import_changes ORDER BY import_id, customer_id",
        }
        data = {}
        for name, query in records.items():
            rows = [(names.get(first, first), *rest) for first, *rest in session.execute(text(query))]
            data[name] = _digest(repr(sorted(map(repr, rows))))
    faults = []
    for table in ("orders", "responses"):
        _, files = workbench.lake.files(table)
        if files:
            [(digest,)] = run.execute(
                "SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM (SELECT CAST((r, i.said) AS VARCHAR) AS line "
                f"FROM (SELECT * EXCLUDE (import_id) FROM read_parquet({files!r})) r "
                f"POSITIONAL JOIN (SELECT import_id FROM read_parquet({files!r})) k LEFT JOIN imports i ON i.id = k.import_id)"
            ).fetchall()
        else:
            digest = ""
        data[table] = str(digest)
        folder = Path(workbench.lake.path(table))
        named = _named_by_any_version(folder)
        strays = {one.name for one in folder.glob("*.parquet")} - named
        if strays:
            faults.append(f"{len(strays)} files of {table} are named by no version")
    half = [one.status for one in imports if one.status not in ("done", "failed", "undone")]
    if half:
        faults.append(f"imports are {', '.join(half)}")
    there = {one.name for one in (home / "rejects").glob("*")}
    listed = {one.rejects_file for one in imports if one.status == "done" and one.rejects_file}
    if there != listed:
        faults.append(f"{len(there - listed)} files of rejected rows too many, {len(listed - there)} missing")
    left = [one.name for one in (home / "scratch").glob("import-*") if f"-{os.getpid()}-" not in one.name]
    if left:
        faults.append(f"{len(left)} folders of gone processes are left in scratch")
    return {"data": data, "faults": faults, "statuses": sorted(one.status for one in imports)}


def _named_by_any_version(folder: Path) -> set[str]:
    named = set()
    for version in (folder / "_delta_log").glob("*.json"):
        for line in version.read_text().splitlines():
            added = json.loads(line).get("add")
            if added:
                named.add(added["path"])
    return named


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


# --- doing it ---------------------------------------------------------------------------------------------


class Forked:
    """A function that runs in a forked process."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._reading, writing = os.pipe()
        self._child = os.fork()
        if self._child:
            os.close(writing)
            return
        code = 1
        try:
            os.close(self._reading)
            faulthandler.enable()
            answer = function(*arguments)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(answer, pipe)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def answer(self) -> Any:
        """Return what the function returns, or, where the process was killed, the signal's number, negative."""
        with os.fdopen(self._reading, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(self._child, 0)
        if os.WIFSIGNALED(status):
            return -os.WTERMSIG(status)
        assert os.WEXITSTATUS(status) == 0, "the forked process failed, see above"
        return pickle.loads(answer)


def forked(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a forked process and return what it returns; see `Forked.answer`."""
    return Forked(function, *arguments).answer()


def command(home: Path, file: Path, *more: str) -> tuple[int, str]:
    """Run the command that imports a file; return its exit status and what it said on standard error."""
    import io

    from crm import cli

    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        code = cli.main(["--home", str(home), "import", str(file), *more])
    return code, said.getvalue()


def reading_points() -> list[tuple[Any, str]]:
    """Return the steps before a commit, as `points` does."""
    from crm.imports import formats, jobs, loading

    return [
        (jobs.Jobs, "start"),
        (loading.Importer, "prepare"),
        (formats, "_open"),
        (loading.Importer, "_read"),
        (loading.Importer, "check"),
        (loading.Importer, "commit"),
    ]


def points() -> list[tuple[Any, str]]:
    """Return the steps of a commit, as the objects and the names of their functions."""
    from deltalake import DeltaTable

    from crm import lake
    from crm.imports import checking, loading
    from crm.records import bulk, custom_fields, imports

    return [
        (imports, "create_import"),
        (checking, "write_rejects"),
        (loading.Importer, "_stage"),
        (lake.Lake, "commit"),
        (lake, "_place"),
        (DeltaTable, "create_write_transaction"),
        (custom_fields, "register"),
        (bulk, "write_contacts"),
        (imports, "remember_mapping"),
        (imports, "close_import"),
    ]


@contextlib.contextmanager
def armed(strike: Callable[[str], None], *, reading: bool = False) -> Iterator[None]:
    """Call `strike` with the name of every step, just before and just after it, the commits of the records too."""
    from sqlalchemy import event

    from crm.records.database import RecordsSession

    changed = []

    def around(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def struck(*args: Any, **kwargs: Any) -> Any:
            strike(f"before {name}")
            answer = original(*args, **kwargs)
            strike(f"after {name}")
            return answer

        changed.append((owner, name, original))
        setattr(owner, name, struck)

    def before(session: Any) -> None:
        strike("before the records commit")

    def after(session: Any) -> None:
        strike("after the records commit")

    for owner, name in [*(reading_points() if reading else ()), *points()]:
        around(owner, name)
    event.listen(RecordsSession, "before_commit", before)
    event.listen(RecordsSession, "after_commit", after)
    try:
        yield
    finally:
        for owner, name, original in changed:
            setattr(owner, name, original)
        event.remove(RecordsSession, "before_commit", before)
        event.remove(RecordsSession, "after_commit", after)


class Counted:
    """Calls `act` at the n-th step of all, and keeps the names of the steps in `trace`."""

    def __init__(self, number: int, act: Callable[[], None], trace: Path | None = None) -> None:
        self.number, self.act, self.trace = number, act, trace
        self.seen: list[str] = []

    def __call__(self, step: str) -> None:
        self.seen.append(step)
        if len(self.seen) == self.number:
            if self.trace is not None:
                self.trace.write_text(step)
            self.act()


def kill() -> None:
    """End this process as nothing else does: at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def _killed_at(home: Path, file: Path, number: int, trace: Path) -> tuple[int, str]:
    with armed(Counted(number, kill, trace)):
        return command(home, file)


def kill_at_every_step(
    ground: Ground, kind: str, *, stride: int = 1
) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Kill the import at its first step, the one `stride` later, … until it gets through: SQLite's loop.

    Yields the step, what was not as promised, and the state that the next start found.
    """
    for number in itertools.count(1, stride):
        home, trace = ground.copy("killed"), ground.folder / "step"
        ended = forked(_killed_at, home, ground.files[kind], number, trace)
        if ended != -signal.SIGKILL:
            assert ended[0] == 0, ended
            return
        step = f"{number}: {trace.read_text()}"
        yield step, *ground.faults_of(home, kind)


def _recovery_killed_at(home: Path, number: int, trace: Path) -> None:
    from deltalake import DeltaTable

    with armed(counted := Counted(number, kill, trace)):
        for name in ("restore", "delete"):
            original = getattr(DeltaTable, name)

            def struck(*args: Any, _original: Any = original, _name: str = name, **kwargs: Any) -> Any:
                counted(f"before {_name}")
                answer = _original(*args, **kwargs)
                counted(f"after {_name}")
                return answer

            setattr(DeltaTable, name, struck)
        _look(home)


def kill_the_recovery(ground: Ground) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Kill an import between its two tables, then every recovery at one step more, until one gets through."""
    trace = ground.folder / "step"
    for number in itertools.count(1):
        home = ground.copy("killed")
        assert forked(_killed_between_tables, home, ground.files["orders"]) == -signal.SIGKILL
        if forked(_recovery_killed_at, home, number, trace) != -signal.SIGKILL:
            return
        yield f"recovery {number}: {trace.read_text()}", *ground.faults_of(home, "orders")


def _killed_between_tables(home: Path, file: Path) -> None:
    commits = []

    def strike(step: str) -> None:
        if step == "after commit":
            commits.append(step)
            kill()

    with armed(strike):
        command(home, file)


def raise_at_every_step(
    ground: Ground, kind: str, error: str, *, stride: int = 1
) -> Iterator[tuple[str, list[str]]]:
    """Raise an error at each step of a commit, look, and commit the same prepared file again."""
    for number in itertools.count(1, stride):
        home = ground.copy("failed")
        step, faults = forked(
            _raised_at, home, ground.files[kind], number, error, ground.before, ground.after[kind]
        )
        if not step:
            return
        found, _ = ground.faults_of(home, kind)
        yield f"{number}: {step}", faults + found


def _raised_at(
    home: Path, file: Path, number: int, error: str, before: dict[str, str], after: dict[str, str]
) -> tuple[str, list[str]]:
    from crm.errors import ClienteleError
    from crm.settings import load_settings
    from crm.workbench import Workbench

    def fail() -> None:
        if error == "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        if error == "stopped":
            raise KeyboardInterrupt
        raise RuntimeError("a fault")

    faults = []
    workbench = Workbench.open(load_settings(home=home))
    try:
        importer = workbench.importer
        prepared = importer.prepare(file)
        try:
            checked = importer.check(prepared, importer.mapping_for(prepared))
            counted = Counted(number, fail)
            told: BaseException | None = None
            with armed(counted):
                try:
                    importer.commit(prepared, checked, actor="test", source="command line")
                except BaseException as raised:
                    told = raised
            if told is None:
                return "", []
            step = counted.seen[number - 1]
            last = step == "after the records commit" and counted.seen[:number].count(step) == 2
            if (
                error == "full"
                and not last
                and not (isinstance(told, ClienteleError) and "disk" in told.message)
            ):
                faults.append(f"it says {type(told).__name__} instead of that the disk is full")
            found = held_by(workbench)
            faults += found["faults"]
            in_force = found["statuses"].count("done") == 3
            if found["data"] != (after if in_force else before):
                faults.append(f"changed after an error ({found['statuses']})")
            begun = "after the records commit" in counted.seen[:number]
            if not in_force and found["statuses"].count("failed") != begun:
                faults.append(f"the import is not failed ({found['statuses']})")
            importer.commit(prepared, checked, actor="test", source="command line")
            found = held_by(workbench)
            faults += [f"second try: {fault}" for fault in found["faults"]]
            if found["data"] != after:
                faults.append("a second try of the same file gives another state")
        finally:
            prepared.close()
        return step, faults
    finally:
        workbench.close()


def real_command(home: Path, file: Path) -> "subprocess.Popen[bytes]":
    """Start the real command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "crm", "--home", str(home), "import", str(file)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _began(home: Path, process: "subprocess.Popen[bytes]", jobs: int) -> None:
    """Wait until the command has started its work."""
    while process.poll() is None and len(list((home / "jobs").glob("*.json"))) <= jobs:
        time.sleep(0.002)


def kill_at_random(
    ground: Ground, moments: int, seed: int
) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Kill the real command at moments of chance between the start of its work and its end."""
    rng = random.Random(seed)
    whole: dict[str, float] = {}
    for number in range(moments):
        kind = KINDS[number % 2]
        while True:
            home = ground.copy("killed")
            jobs = len(list((home / "jobs").glob("*.json")))
            process = real_command(home, ground.files[kind])
            _began(home, process, jobs)
            began = time.monotonic()
            # Spread evenly, so that few moments already cover the whole of it.
            part = (number // 2 + rng.random()) / max(1, (moments + 1) // 2)
            delay = part * whole[kind] if kind in whole else None
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(delay)
            process.kill()
            if process.wait() < 0:
                break
            # It had ended before, the first time on purpose; how long it takes depends on what else runs.
            took = time.monotonic() - began
            whole[kind] = min(took, whole.get(kind, took))
        told = f"{kind} after {delay:.3f} of {whole[kind]:.3f} s"
        yield told, *ground.faults_of(home, kind)


def mount_small_disk(folder: Path, megabytes: int) -> bool:
    """Put a small disk under `folder`, in memory; return whether this process may."""
    folder.mkdir(parents=True, exist_ok=True)
    how = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    return (
        shutil.which("mount") is not None
        and subprocess.run(how, check=False, capture_output=True).returncode == 0
    )


FILLER = "filler"


def fill(folder: Path, spare: int) -> None:
    """Fill the disk of `folder` but for `spare` bytes."""
    with (folder / FILLER).open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while (free := shutil.disk_usage(folder).free - spare) > 0:
            file.write(bytes(min(free, 1 << 20)))


def forbid_writing() -> None:
    """Let no file of this process grow any more: a full disk where none can be mounted."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _filled_at(home: Path, file: Path, number: int, act: Callable[[], None], trace: Path) -> tuple[int, str]:
    with armed(Counted(number, act, trace), reading=True):
        return command(home, file)


def fill_at_every_step(
    ground: Ground, kind: str, *, mounted: bool, spare: int = 0, stride: int = 1
) -> Iterator[tuple[str, list[str], None]]:
    """Fill the disk at each step of an import; what it says, what the full disk holds, what is free afterwards."""
    trace = ground.folder.parent / "step"
    for number in itertools.count(1, stride):
        home = ground.copy("full")
        trace.unlink(missing_ok=True)
        free = shutil.disk_usage(home).free

        def act() -> None:
            fill(ground.folder, spare) if mounted else forbid_writing()

        code, words = forked(_filled_at, home, ground.files[kind], number, act, trace)
        if not trace.exists():
            assert code == 0, words
            return
        faults = []
        if mounted:
            found = look(home)  # the disk is still full
            if found["data"] != (ground.after[kind] if code == 0 else ground.before):
                faults.append(f"changed on the full disk ({found['statuses']})")
            fill(ground.folder, 0)
            started, told = forked(command, home, ground.folder / "absent.csv")
            if started != 2 or "unexpected" in told:
                faults.append(f"a start on the full disk ends with {started}: {told}")
        (ground.folder / FILLER).unlink(missing_ok=True)
        if code not in (0, 2) or (code and mounted and "unexpected" in words):
            faults.append(f"ended with {code}: {words}")
        elif code and mounted and "disk" not in words:
            faults.append(f"says nothing of the disk: {words}")
        found = look(home)
        # Where nothing may be written it cannot be taken back either, and the next start ends it as it stands.
        promised = [ground.after[kind]] if code == 0 else [ground.before]
        promised += [] if mounted or "taken back at once" not in words else [ground.after[kind]]
        if found["data"] not in promised:
            faults.append(f"changed ({found['statuses']})")
        taken = free - shutil.disk_usage(home).free
        if code and mounted and taken > 1 << 20:
            faults.append(f"{taken >> 10} KB are not given back")
        again, _ = ground.faults_of(home, kind, killed=False)
        yield (
            f"{number}: {trace.read_text()} ({code}: {words.strip().partition(chr(10))[0]})",
            faults + again,
            None,
        )


def import_together(home: Path, file: Path, processes: int = 4) -> list[dict[str, Any]]:
    """Import a file in so many processes at the same moment; return the report of each."""
    start = time.time() + 0.5
    each = [Forked(_import_at, home, file, start) for _ in range(processes)]
    reports = [one.answer() for one in each]
    assert all(isinstance(report, dict) for report in reports), f"a process was killed: {reports}"
    return reports


def _import_at(home: Path, file: Path, start: float) -> dict[str, Any]:
    from crm.imports.jobs import Jobs
    from crm.imports.running import import_file
    from crm.settings import load_settings
    from crm.workbench import Workbench

    workbench = Workbench.open(load_settings(home=home))
    try:
        time.sleep(max(0.0, start - time.time()))
        report = import_file(
            workbench.importer, Jobs(workbench.settings.home), file, actor="test", source="command line"
        )
        return report.as_dict()
    finally:
        workbench.close()


def together(folder: Path, times: int) -> Iterator[tuple[str, list[str], None]]:
    """Import files into empty stores, four processes at once; one alone shall have brought the rows."""
    files = write_files(folder / "files", rows=500)
    for number in range(times):
        for kind in KINDS:
            home = folder / f"{kind}-{number}"
            reports = import_together(home, files[f"{kind} before"])
            created = {report["import_id"]: report["created"] for report in reports}
            told = [(report["created"], report["unchanged"], report["rejected"]) for report in reports]
            faults = []
            if sorted(created.values())[-1:] != [500] or sum(created.values()) != 500:
                faults.append("more or less than one import brought the rows")
            if any(row not in ((500, 0, 0), (0, 500, 0)) for row in told):
                faults.append("an import did something else")
            found = forked(_counted, home)
            if found[kind] != (500, 500):
                faults.append(f"rows and ids stored: {found[kind]}")
            yield f"{kind}: {len(created)} imports, {told}", faults + found["faults"], None
            forked(_undo_all, home)  # the records of the next turn may be the same database


def _counted(home: Path) -> dict[str, Any]:
    import duckdb
    from sqlalchemy import text

    from crm.settings import load_settings
    from crm.workbench import Workbench

    workbench = Workbench.open(load_settings(home=home))
    try:
        _, files = workbench.lake.files("orders")
        orders = (
            duckdb.sql(f"SELECT count(*), count(DISTINCT order_id) FROM read_parquet({files!r})").fetchall()
            if files
            else [()]
        )
        with workbench.records.read() as session:
            contacts = session.execute(
                text("SELECT count(*), count(DISTINCT customer_id) FROM contacts")
            ).one()
        return {
            "orders": tuple(orders[0]),
            "contacts": tuple(contacts),
            "faults": held_by(workbench)["faults"] if workbench.records.dialect == "sqlite" else [],
        }
    finally:
        workbench.close()


def _undo_all(home: Path) -> None:
    from crm.settings import load_settings
    from crm.workbench import Workbench

    workbench = Workbench.open(load_settings(home=home))
    try:
        for row in workbench.importer.history():
            if row["status"] == "done":
                workbench.importer.undo(row["import_id"], actor="test")
    finally:
        workbench.close()


def load_everything() -> None:
    """Import what an import needs, so that forked processes find it loaded."""
    import crm.cli
    import crm.imports.running
    import crm.workbench  # noqa: F401


NO_DISK = "NO DISK COULD BE MOUNTED: writing is forbidden instead"


def fill_while_converting(ground: Ground) -> Iterator[tuple[str, list[str], None]]:
    """Fill the disk but for little before a file that is no text is opened: it must not be called damaged."""
    import pandas as pd

    rows = pd.concat([pd.read_csv(ground.files["orders"], dtype=str)] * 10)
    made = ground.folder.parent / "made"
    made.mkdir()
    rows.to_excel(made / "o.xlsx", index=False)
    rows.to_parquet(made / "o.parquet")
    rows.to_csv(made / "o.csv.gz", index=False)
    trace = ground.folder.parent / "step"
    for file in sorted(made.iterdir()):
        for spare in (0, 16 << 10, 48 << 10):
            home = ground.copy("full")

            def act(spare: int = spare) -> None:
                fill(ground.folder, spare)

            code, words = forked(_filled_at, home, file, 4, act, trace)
            (ground.folder / FILLER).unlink()
            faults = [] if code == 2 and "The disk is full" in words else [f"ended with {code}: {words}"]
            faults += [] if look(home)["data"] == ground.before else ["changed"]
            yield f"{file.name}, {spare >> 10} KB left, {trace.read_text()}", faults, None


def _full_disks(ground: Ground, *, mounted: bool, stride: int) -> Iterator[Any]:
    if mounted:
        yield from fill_while_converting(ground)
    for kind in KINDS:
        # As another program writes it, so that reading has to write a copy.
        text = ground.files[kind].read_text(encoding="utf-8")
        ground.files[kind].write_text(text, encoding="utf-16")
        for spare in (0, 200 << 10) if mounted else (0,):
            for step, faults, found in fill_at_every_step(
                ground, kind, mounted=mounted, spare=spare, stride=stride
            ):
                yield f"{kind}, {spare >> 10} KB left, {step}", faults, found


def _errors(ground: Ground, *, stride: int) -> Iterator[Any]:
    for error in ("unexpected", "full", "stopped"):
        for kind in KINDS:
            for step, faults in raise_at_every_step(ground, kind, error, stride=stride):
                yield f"{kind}, {error}, {step}", faults, None


def main(arguments: list[str]) -> int:
    """Run one of the trials and print each fault; the exit status is 1 where there was one."""
    load_everything()
    what, *more = arguments or ["50"]
    stride = int(more[0]) if more and not what.isdigit() else 1
    bad = number = in_force = 0
    slowest = 0.0
    with (
        tempfile.TemporaryDirectory(prefix="clientele-faults-") as folder,
        contextlib.ExitStack() as at_end,
    ):
        place = Path(folder) / "disk"
        mounted = what == "full" and mount_small_disk(place, 64)
        if mounted:
            at_end.callback(subprocess.run, ["umount", str(place)], check=False)
        trials: Iterator[Any]
        if what == "together":
            trials = together(place, stride)
        else:
            ground = Ground.lay(place, rows=40_000 if what.isdigit() else 300)
            if what.isdigit():
                trials = kill_at_random(ground, int(what), int(more[0]) if more else 1)
            elif what == "steps":
                trials = itertools.chain(
                    *(kill_at_every_step(ground, kind, stride=stride) for kind in KINDS),
                    kill_the_recovery(ground),
                )
            elif what in ("full", "forbidden"):
                print("a disk of 64 MB" if mounted else NO_DISK)  # noqa: T201
                trials = _full_disks(ground, mounted=mounted, stride=stride)
            else:
                trials = _errors(ground, stride=stride)
        for step, faults, found in trials:
            number += 1
            bad += bool(faults)
            if found is not None:
                slowest = max(slowest, found["recovery"])
                in_force += len(found["statuses"]) == 3 and "failed" not in found["statuses"]
            print(f"{step}: {'; '.join(faults) or 'as promised'}", flush=True)  # noqa: T201
    print(f"{number - bad} of {number} as promised, {in_force} in force, slowest recovery {slowest:.3f} s")  # noqa: T201
    return 1 if bad or not number else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

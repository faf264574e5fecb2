"""Work under way is seen from everywhere, stops when asked, happens once, and is not mourned for ever."""

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import duckdb
import pytest

from crm.errors import ClienteleError, Conflict, InvalidValue, NotFound
from crm.imports import jobs as module
from crm.imports.jobs import STAGES, STAGES_OF, Cancelled, Job, Jobs, State, key_of, machine, say_nothing

PATIENCE = 20.0
SLOW_QUERY = "SELECT count(*) FROM range(100000000000) a WHERE hash(a.range) % 7 = 8"


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path)


def begin(jobs: Jobs, *, key: str = "", work: module.Work = "import", name: str = "orders.csv") -> Job:
    return jobs.start(work=work, file_name=name, actor="mei", source="page", kind="orders", key=key)


def eventually(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < limit, "it did not come true"
        time.sleep(0.02)


def run_elsewhere(home: Path, script: str) -> "subprocess.Popen[str]":
    """Run a script in another process, with `jobs` and `begin` of this store at hand."""
    head = f"""
        import sys, time
        from pathlib import Path
        from crm.imports.jobs import Job, Jobs, State, Cancelled
        jobs = Jobs(Path({str(home)!r}))
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def test_a_job_is_seen_by_every_process_with_who_what_and_how_far(jobs: Jobs, tmp_path: Path):
    job = begin(jobs)
    job("Writing", 250, 1000)
    eventually(lambda: jobs.find(job.id).stage == "Writing")

    elsewhere = run_elsewhere(tmp_path, f"print(jobs.find({job.id!r}))")
    said, _ = elsewhere.communicate(timeout=PATIENCE)
    for told in ("'mei'", "'orders.csv'", "'Writing'", "rows_done=250", "rows_total=1000", "'running'"):
        assert told in said
    job.finish(import_id="abc", report={"created": 3})
    done = jobs.find(job.id)
    assert (done.status, done.percent, done.import_id, done.report) == ("done", 100, "abc", {"created": 3})


def test_every_stage_has_its_share_of_the_whole():
    assert sum(STAGES.values()) == 100
    assert {stage for stages in STAGES_OF.values() for stage in stages} == set(STAGES)


def test_the_percentage_never_falls_and_is_100_only_at_the_end(jobs: Jobs):
    """Whatever the stages say: going back to an earlier one, counting again from nothing, too many rows."""
    job = jobs.start(work="import", file_name="f", actor="", source="", stages=tuple(STAGES))
    seen = [job.state.percent]
    for stage, done, total in [
        *[("Reading", rows, 100) for rows in (0, 50, 20, 100, 300)],
        *[("Checking", rows, 100) for rows in (0, 99)],
        ("Reading", 1, 100),
        ("Checking", 5, 0),
        ("No stage at all", 1, 1),
        ("Writing", 100, 100),
        ("Closing", 1, 1),
    ]:
        job(stage, done, total)
        seen.append(job.state.percent)
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[2] == pytest.approx(20)
    assert seen[-1] < 100
    job.finish()
    assert job.state.percent == 100


def test_the_file_follows_a_job_and_its_readers_see_the_percentage_rise(jobs: Jobs):
    """Written by a thread of its own, never by the work; a reader never meets half a file."""
    job, seen = begin(jobs, work="reading"), []
    for rows in range(0, 1001, 4):
        job("Reading", rows, 1000)
        seen.append(jobs.find(job.id))
        time.sleep(0.004)
    job.finish()
    percents = [state.percent for state in seen]
    assert percents == sorted(percents)
    changes = len(set(percents))
    assert 2 <= changes <= 2 + 4 * seen[-1].seconds * 2
    assert any(state.rows_per_second > 0 for state in seen)


def test_an_engine_that_tells_how_far_it_is_moves_the_bar(jobs: Jobs):
    job, share = begin(jobs, work="reading"), [0.0]
    job("Reading", 0, 2000)
    with job.during(lambda: None, lambda: share[0]):
        share[0] = 0.5
        eventually(lambda: job.state.rows_done == 1000)
        assert job.state.percent == 50
        share[0] = -1.0  # DuckDB between two queries
        time.sleep(0.6)
        assert job.state.percent == 50
    job.finish()


@pytest.mark.parametrize("stage", STAGES)
def test_a_job_is_cancelled_at_every_stage_from_another_process(jobs: Jobs, tmp_path: Path, stage: str):
    """The next word of the work stops it."""
    job = jobs.start(work="import", file_name="f", actor="", source="", stages=tuple(STAGES))
    job(stage, 1, 10)
    asked = run_elsewhere(tmp_path, f"jobs.cancel({job.id!r})")
    assert asked.wait(PATIENCE) == 0

    with pytest.raises(Cancelled, match="nothing was changed"), job:
        eventually_stopped(job)
    assert jobs.find(job.id).status == "cancelled"
    assert not list(tmp_path.glob("jobs/*.cancel"))


def eventually_stopped(job: Job) -> None:
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        job.check()
        time.sleep(0.01)


def test_a_long_query_is_interrupted(jobs: Jobs):
    """Within 3 seconds: the query itself never looks up."""
    job, connection = begin(jobs), duckdb.connect()
    threading.Timer(0.3, jobs.cancel, [job.id]).start()
    began = time.monotonic()
    with pytest.raises(Cancelled), job, job.during(connection.interrupt):
        connection.execute(SLOW_QUERY).fetchall()
    assert time.monotonic() - began < 3
    assert jobs.find(job.id).status == "cancelled"
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_an_error_of_the_work_itself_stays_what_it_is(jobs: Jobs):
    job = begin(jobs)
    with pytest.raises(ZeroDivisionError), job, job.during(lambda: None):
        raise ZeroDivisionError
    failed = jobs.find(job.id)
    assert (failed.status, "unexpected" in failed.message) == ("failed", True)


def test_a_refusal_ends_a_job_in_its_own_words(jobs: Jobs):
    job = begin(jobs)
    with pytest.raises(InvalidValue), job:
        raise InvalidValue("There is no option x.", "Use y.")
    failed = jobs.find(job.id)
    assert (failed.status, failed.message, failed.hint) == ("failed", "There is no option x.", "Use y.")


def test_what_is_in_force_cannot_be_cancelled(jobs: Jobs):
    """The commit point is passed once; then the way back is to undo."""
    job = begin(jobs)
    job.commit_point()
    with pytest.raises(Conflict, match="too late") as refused:
        jobs.cancel(job.id)
    assert "Undo" in refused.value.hint
    job("Closing")
    job.finish()
    with pytest.raises(Conflict):
        jobs.cancel(job.id)


def test_a_wish_to_cancel_that_comes_first_stops_the_commit(jobs: Jobs):
    """However short before: the file is looked at under the lock, not only four times a second."""
    job = begin(jobs)
    jobs.cancel(job.id)
    with pytest.raises(Cancelled):
        job.commit_point()
    assert not job.state.in_force


def test_the_same_act_started_twice_in_one_process_is_one(jobs: Jobs):
    first = jobs.start_or_join("key", work="import", file_name="f", actor="mei", source="page")
    second = jobs.start_or_join("key", work="import", file_name="f", actor="bob", source="page")
    other = jobs.start_or_join("other", work="import", file_name="g", actor="bob", source="page")
    assert isinstance(first, Job)
    assert isinstance(second, State)
    assert isinstance(other, Job)
    assert (second.id, second.actor) == (first.id, "mei")
    first.finish()
    again = jobs.start_or_join("key", work="import", file_name="f", actor="bob", source="page")
    assert isinstance(again, Job)
    for job in (again, other):
        job.finish()


@pytest.mark.slow
def test_the_same_file_from_several_processes_at_once_is_one_import(jobs: Jobs, tmp_path: Path):
    """All begin at the same moment; one does it, the others wait and say what it did."""
    script = """
        sys.stdin.readline()
        found = jobs.start_or_join("same", work="import", file_name="f", actor="", source="command line")
        if isinstance(found, Job):
            time.sleep(1.5)
            found.finish(import_id="the one", report={"created": 7})
            print("did it", 7)
        else:
            print("joined", jobs.wait(found.id).report["created"])
    """
    workers = [run_elsewhere(tmp_path, script) for _ in range(4)]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = sorted(worker.communicate(timeout=60)[0].strip() for worker in workers)
    assert said == ["did it 7", "joined 7", "joined 7", "joined 7"]
    assert len(jobs.list_jobs()) == 1


def test_a_key_that_is_known_only_later_can_be_claimed(jobs: Jobs):
    first, second = begin(jobs), begin(jobs)
    assert first.claim("key", kind="contacts") is None
    assert first.claim("key") is None
    taken = second.claim("key")
    assert taken is not None
    assert taken.id == first.id
    assert jobs.find(first.id).kind == "contacts"
    for job in (first, second):
        job.finish()


def test_a_job_whose_process_was_killed_is_failed_and_its_key_is_free(jobs: Jobs, tmp_path: Path):
    script = """
        job = jobs.start(work="import", file_name="orders.csv", actor="mei", source="page", key="key")
        print(job.id, flush=True)
        time.sleep(600)
    """
    worker = run_elsewhere(tmp_path, script)
    assert worker.stdout is not None
    job_id = worker.stdout.readline().strip()
    assert jobs.find(job_id).status == "running"
    worker.kill()
    worker.wait()

    dead = jobs.find(job_id)
    assert (dead.status, "ended with its server; nothing was changed" in dead.message) == ("failed", True)
    with pytest.raises(Conflict):
        jobs.cancel(job_id)
    assert jobs.running("key") is None
    jobs.sweep()
    stored = json.loads((tmp_path / "jobs" / f"{job_id}.json").read_text())
    assert stored["status"] == "failed"


def test_a_job_of_another_machine_counts_as_dead_after_a_minute_of_silence(jobs: Jobs):
    job = begin(jobs)
    job.finish()
    silent = replace(job.state, status="running", host="elsewhere", pid=2**22 + 1, heartbeat=time.time() - 30)
    jobs.write(silent)
    assert jobs.find(job.id).status == "running"
    jobs.write(replace(silent, heartbeat=time.time() - 61))
    assert jobs.find(job.id).status == "failed"


def test_a_job_that_dies_while_it_is_put_in_force_does_not_promise_that_nothing_changed(jobs: Jobs):
    job = begin(jobs)
    job.finish()
    jobs.write(replace(job.state, status="running", in_force=True, heartbeat=time.time() - 61))
    dead = jobs.find(job.id)
    assert "nothing was changed" not in dead.message
    assert "history" in dead.hint


def test_a_job_that_works_on_in_silence_keeps_its_heartbeat(jobs: Jobs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_BEAT_S", 0.3)
    job = begin(jobs)
    before = jobs.find(job.id).heartbeat
    eventually(lambda: jobs.find(job.id).heartbeat > before)
    job.finish()


def test_old_jobs_and_the_folders_of_dead_processes_are_swept(jobs: Jobs, tmp_path: Path):
    """What lives stays: a running job, one that ended today, the folder of this process."""
    running, fresh, old = begin(jobs), begin(jobs), begin(jobs)
    fresh.finish()
    old.finish()
    jobs.write(replace(old.state, ended_at=time.time() - 2 * 24 * 3600))
    scratch = tmp_path / "scratch"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine, theirs, ancient, unnamed, upload = (
        scratch / name
        for name in (
            f"import-{machine()}-{os.getpid()}-a",
            f"import-{machine()}-{gone.pid}-b",
            "import-x1",
            "import-x2",
            "uploads",
        )
    )
    for folder in (mine, theirs, ancient, unnamed, upload):
        folder.mkdir(parents=True)
        (folder / "rows").write_text("x")
    os.utime(ancient, (time.time() - 2 * 24 * 3600,) * 2)

    jobs.sweep(scratch)
    assert {state.id for state in jobs.list_jobs()} == {running.id, fresh.id}
    assert {path.name for path in scratch.iterdir()} == {mine.name, unnamed.name, "uploads"}
    running.finish()


def test_a_broken_or_newer_file_is_passed_over(jobs: Jobs, tmp_path: Path):
    job = begin(jobs)
    job.finish()
    folder = tmp_path / "jobs"
    (folder / "0123456789abcdef.json").write_text("{half")
    newer = {**asdict(job.state), "id": "fedcba9876543210", "not_known_yet": 1}
    (folder / "fedcba9876543210.json").write_text(json.dumps(newer))
    assert {state.id for state in jobs.list_jobs()} == {job.id, "fedcba9876543210"}
    with pytest.raises(NotFound):
        jobs.find("0123456789abcdef")
    with pytest.raises(NotFound):
        jobs.find("../../etc/passwd")


def test_a_store_that_cannot_be_written_to_is_said_in_words(tmp_path: Path):
    (tmp_path / "jobs").write_text("in the way")
    with pytest.raises(ClienteleError, match="cannot be written"):
        begin(Jobs(tmp_path))


def test_that_progress_cannot_be_written_does_not_stop_the_work(jobs: Jobs, monkeypatch: pytest.MonkeyPatch):
    job = begin(jobs)

    def full(state: State) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jobs, "write", full)
    job("Writing", 1, 2)
    job.commit_point()
    job.finish(import_id="abc")
    assert job.state.status == "done"


def test_a_reading_and_a_check_leave_nothing_behind(jobs: Jobs):
    for work in ("reading", "check"):
        job = begin(jobs, work=work)
        assert [state.work for state in jobs.list_running()] == [work]
        job.finish()
    assert jobs.list_jobs() == []


def test_a_second_end_changes_nothing(jobs: Jobs):
    job = begin(jobs)
    job.finish(import_id="abc")
    job.fail(Cancelled())
    assert jobs.find(job.id).status == "done"


def test_the_key_of_an_act_is_told_by_bytes_kind_mapping_and_options():
    told = {"sha256": "a", "kind": "orders", "mapping": {"columns": {"amount": "x", "product": "y"}}}
    key = key_of(**told, options={"policy": "fill", "decimal": ","})
    assert key == key_of(
        **{**told, "mapping": {"columns": {"product": "y", "amount": "x"}}},
        options={"decimal": ",", "policy": "fill"},
    )
    others = [
        key_of(**{**told, "sha256": "b"}),
        key_of(**{**told, "kind": "contacts"}),
        key_of(**told, options={"policy": "skip"}),
        key_of(**told),
    ]
    assert len({key, *others}) == 5


def test_silence_neither_stops_nor_says_anything():
    say_nothing("Reading", 1, 2)
    say_nothing.check()
    say_nothing.commit_point()
    with say_nothing.during(lambda: None):
        pass

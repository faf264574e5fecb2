"""Imports that are killed, fail or find the disk full: all of it, or nothing. The trials are in `tests.faults`.

By default a sample of them runs; the variable `FAULTS=all` runs each (so does `python -m tests.faults`).
"""

import os
import shutil
import subprocess
import sys
import warnings
from collections import namedtuple
from pathlib import Path

import pytest
from deltalake import DeltaTable

from crm.errors import ClienteleError
from crm.imports import jobs, loading
from crm.lake import Lake
from crm.records import imports as records_of
from tests import faults
from tests.test_loading import ORDERS, counts, lines_of, run

ALL = os.environ.get("FAULTS") == "all"


def trial(*arguments: str, before: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> str:
    """Run a trial as its own program, which is to find nothing wrong, and return what it printed."""
    ended = subprocess.run(
        [*before, sys.executable, "-m", "tests.faults", *arguments],
        cwd=faults.ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = [line for line in ended.stdout.splitlines() if not line.endswith("as promised")]
    assert ended.returncode == 0, "\n".join([*wrong, ended.stderr])
    return ended.stdout


@pytest.mark.slow
def test_a_command_killed_at_any_moment_leaves_all_or_nothing():
    told = trial("50" if ALL else "6")

    assert told.count("as promised\n") == (50 if ALL else 6)


@pytest.mark.slow
def test_a_kill_at_every_step_of_the_commit_and_of_the_recovery_leaves_all_or_nothing():
    """Both tables of an orders file, contacts with new attributes, and a recovery that is killed too."""
    told = trial("steps", "1" if ALL else "3")

    assert "before create_write_transaction" in told or not ALL
    assert "recovery 1: before restore" in told


@pytest.mark.slow
def test_an_error_at_every_step_changes_nothing_and_the_same_file_can_be_tried_again():
    """Something unexpected, a full disk, and a stop from the keyboard, which may come after the last step."""
    told = trial("errors", "1" if ALL else "5")

    assert all(error in told for error in ("unexpected", "full", "stopped"))


def mounting(folder: Path) -> tuple[str, ...] | None:
    """Return what to put before a command so that it may mount a disk of its own, or nothing where none may."""
    for before in (("unshare", "-m"), ("unshare", "-rm")):
        tried = [*before, "mount", "-t", "tmpfs", "tmpfs", str(folder)]
        if (
            shutil.which(before[0])
            and subprocess.run(tried, capture_output=True, check=False).returncode == 0
        ):
            return before
    return None


@pytest.mark.slow
def test_a_full_disk_is_said_and_nothing_is_changed_wherever_it_fills_up(tmp_path):
    before = mounting(tmp_path)
    told = trial("full", "1" if ALL else "7", before=before or ())

    if before is None:
        assert faults.NO_DISK in told
        warnings.warn("No disk can be mounted here; files were forbidden to grow instead.", stacklevel=1)
    else:
        assert faults.NO_DISK not in told


@pytest.mark.slow
def test_where_no_disk_can_be_mounted_files_that_may_not_grow_do_as_well(tmp_path):
    told = trial("forbidden", "1" if ALL else "7")

    assert faults.NO_DISK in told


@pytest.mark.slow
def test_four_imports_of_the_same_file_at_once_bring_its_rows_once():
    trial("together", "10" if ALL else "3")


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("records_url", ["postgresql"], indirect=True)
def test_four_imports_at_once_bring_the_rows_once_on_postgresql(records_url):
    trial("together", "1", environment={"CLIENTELE_DATABASE_URL": records_url})


def test_a_stop_after_the_last_step_leaves_the_import_in_force(workbench, csv_file, monkeypatch):
    """What is in force is not taken back by an error that comes too late to change it."""
    from sqlalchemy import event

    from crm.records.database import RecordsSession

    commits = []

    def stop(session):
        commits.append(session)
        if len(commits) == 2:
            raise KeyboardInterrupt

    event.listen(RecordsSession, "after_commit", stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(workbench, csv_file(*ORDERS))
    finally:
        event.remove(RecordsSession, "after_commit", stop)

    [row] = workbench.importer.history()
    assert row["status"] == "done"
    assert len(lines_of(workbench)) == 3
    assert workbench.importer.rejects_path(row["import_id"]) is not None


def test_an_error_just_after_the_import_was_begun_does_not_leave_it_open(workbench, csv_file, monkeypatch):
    original = records_of.create_import

    def failing(session, **told):
        opened = original(session, **told)
        monkeypatch.setattr(records_of, "create_import", original)
        session.info["fail"] = True
        return opened

    from sqlalchemy import event

    from crm.records.database import RecordsSession

    def fail(session):
        if session.info.pop("fail", False):
            raise RuntimeError

    monkeypatch.setattr(records_of, "create_import", failing)
    event.listen(RecordsSession, "after_commit", fail)
    try:
        with pytest.raises(RuntimeError):
            run(workbench, csv_file(*ORDERS))
    finally:
        event.remove(RecordsSession, "after_commit", fail)

    assert [row["status"] for row in workbench.importer.history()] == ["failed"]
    assert counts(run(workbench, csv_file(*ORDERS))) == (3, 0, 0, 0, 1)


def test_files_of_a_killed_import_are_swept_and_those_of_old_versions_stay(workbench, csv_file):
    """What no version names goes at the next start; what undo may need stays."""
    run(workbench, csv_file(*ORDERS))
    before = lines_of(workbench)
    changed = run(workbench, csv_file(ORDERS[0], "1,ann,2024-01-10,99,tea", name="second.csv"))
    folder = Path(workbench.lake.path("orders"))
    kept = set(folder.glob("*.parquet"))
    stray = folder / "part-of-nobody.parquet"
    shutil.copy(next(iter(kept)), stray)

    workbench.importer.recover()
    assert stray.exists()  # no import was cut off, so nobody looks

    with workbench.records.write() as session:
        records_of.create_import(session, kind="orders", file_name="killed.csv", sha256="")
    workbench.importer.recover()

    assert set(folder.glob("*.parquet")) == kept
    workbench.importer.undo(changed.import_id, actor="test")
    assert lines_of(workbench) == before
    assert workbench.lake.sweep() == 0


def test_a_gap_in_the_log_stops_the_sweep(workbench, csv_file):
    run(workbench, csv_file(*ORDERS))
    folder = Path(workbench.lake.path("orders"))
    shutil.copy(next(folder.glob("*.parquet")), folder / "stray.parquet")
    DeltaTable(str(folder)).create_checkpoint()
    (folder / "_delta_log" / f"{0:020}.json").rename(folder / "_delta_log" / "away")

    with pytest.raises(OSError, match="No such file"):
        workbench.lake.sweep()

    assert (folder / "stray.parquet").exists()


def test_a_file_without_orders_leaves_no_file_in_the_lake(tmp_path):
    import pyarrow.parquet as pq

    from crm import schema

    lake = Lake.open(str(tmp_path / "lake"))
    pq.write_table(schema.ORDERS.empty_table(), tmp_path / "empty.parquet")

    lake.commit("orders", [tmp_path / "empty.parquet"], import_id="1")

    assert lake.files("orders")[1] == []
    assert not list(Path(lake.path("orders")).glob("*.parquet"))


def test_a_disk_with_too_little_room_is_refused_before_anything_is_read(workbench, csv_file, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(100 << 20, 95 << 20, 5 << 20))

    with pytest.raises(ClienteleError) as refused:
        run(workbench, csv_file(*ORDERS))

    assert refused.value.message == (
        "The disk of the store has 5 MB free; to import file.csv takes at least 17 MB."
    )
    assert workbench.importer.history() == []
    assert not list(workbench.settings.scratch.glob("import-*"))


def test_a_job_that_cannot_be_written_leaves_no_draft(tmp_path, monkeypatch):
    kept = jobs.Jobs(tmp_path)
    job = kept.start(work="import", file_name="a.csv", actor="test", source="page")

    def full(path, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        kept.write(job.state)
    monkeypatch.undo()

    assert not list((tmp_path / "jobs").glob("*.tmp"))
    job.finish()


def test_room_is_kept_for_taking_an_import_back_and_given_back(workbench, csv_file, monkeypatch):
    """While the lake is written the room is there; after an error, as after success, it is not."""
    kept = []
    commit = Lake.commit

    def watched(lake, table, added, **told):
        kept.extend(file.stat().st_size for file in workbench.settings.scratch.rglob("kept-free"))
        commit(lake, table, added, **told)

    monkeypatch.setattr(Lake, "commit", watched)
    importer = workbench.importer
    prepared = importer.prepare(csv_file(*ORDERS))
    checked = importer.check(prepared, importer.mapping_for(prepared))
    importer.commit(prepared, checked, actor="test", source="page")

    assert kept == [loading.KEPT_FREE]
    assert not list(prepared.scratch.rglob("kept-free"))
    prepared.close()


def test_an_import_that_cannot_be_taken_back_is_not_said_to_have_changed_nothing(
    workbench, csv_file, monkeypatch
):
    """The next start ends it one way or the other; until then nobody knows."""

    def broken(*told, **more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(records_of, "close_import", broken)
        with pytest.raises(ClienteleError, match="could not be taken back at once"):
            run(workbench, csv_file(*ORDERS))
    workbench.importer.recover()

    assert [row["status"] for row in workbench.importer.history()] == ["failed"]
    assert lines_of(workbench) == []

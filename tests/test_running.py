"""A file brought in without a page is a job like any other: seen, cancelled, and done once."""

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm.errors import InvalidValue, NotFound
from crm.imports.formats import Reading
from crm.imports.jobs import Cancelled, Jobs
from crm.imports.running import act_of, import_file
from crm.settings import ROOT
from crm.ui import cache
from crm.ui.uploads import Upload
from crm.workbench import Workbench

ORDERS = ["Order,Customer,Date,Amount", "1,anna,2025-01-05,10.50", "2,bob,2025-02-07,20", "3,,2025-02-08,30"]


@pytest.fixture
def jobs(workbench: Workbench) -> Jobs:
    return Jobs(workbench.settings.home)


def bring(workbench: Workbench, jobs: Jobs, path: Path, **given: Any) -> Any:
    return import_file(workbench.importer, jobs, path, actor="test", source="command line", **given)


def done(workbench: Workbench) -> list[str]:
    return [row["import_id"] for row in workbench.importer.history() if row["status"] == "done"]


def test_it_does_what_the_importer_does_and_says_so_as_a_job(
    workbench: Workbench, jobs: Jobs, csv_file: Callable[..., Path]
):
    report = bring(workbench, jobs, csv_file(*ORDERS), options={"policy": "fill"})
    assert (report.rows_read, report.created, report.rejected) == (3, 2, 1)
    assert done(workbench) == [report.import_id]
    (job,) = jobs.list_jobs()
    assert (job.status, job.percent, job.import_id, job.kind) == ("done", 100, report.import_id, "orders")
    assert (job.report or {})["created"] == 2


def test_what_cannot_be_is_refused_before_there_is_a_job(
    workbench: Workbench, jobs: Jobs, csv_file: Callable[..., Path], tmp_path: Path
):
    for options in ({"policy": "burn"}, {"colour": "red"}):
        with pytest.raises(InvalidValue):
            bring(workbench, jobs, csv_file(*ORDERS), options=options)
    with pytest.raises(NotFound):
        bring(workbench, jobs, tmp_path / "nowhere.csv")
    assert jobs.list_jobs() == []


def test_a_refusal_ends_the_job_in_its_words(workbench: Workbench, jobs: Jobs, csv_file: Callable[..., Path]):
    with pytest.raises(InvalidValue):
        bring(workbench, jobs, csv_file(*ORDERS), constants={"currency": ""}, columns={"nonsense": "Order"})
    (job,) = jobs.list_jobs()
    assert (job.status, "nonsense" in job.message) == ("failed", True)
    assert list(workbench.settings.scratch.glob("import-*")) == []


def slowly(workbench: Workbench, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Make the check of the importer wait until it is told to go on, or is cancelled."""
    go, check = threading.Event(), workbench.importer.check

    def checked(*args: Any, progress: Any, **values: Any) -> Any:
        while not go.wait(0.02):
            progress.check()
        return check(*args, progress=progress, **values)

    monkeypatch.setattr(workbench.importer, "check", checked)
    return go


def eventually(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + 20
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_it_is_cancelled_from_elsewhere(
    workbench: Workbench, jobs: Jobs, csv_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    slowly(workbench, monkeypatch)
    asked = threading.Thread(
        target=lambda: (eventually(lambda: bool(jobs.list_running())), jobs.cancel(jobs.list_running()[0].id))
    )
    asked.start()
    with pytest.raises(Cancelled):
        bring(workbench, jobs, csv_file(*ORDERS))
    asked.join()
    assert done(workbench) == []
    assert jobs.list_jobs()[0].status == "cancelled"


def test_a_page_joins_the_import_of_a_command(
    workbench: Workbench, jobs: Jobs, csv_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    """The same bytes, read the same way: whoever came second follows the first."""
    monkeypatch.setattr(cache, "workbench", lambda: workbench)
    path = csv_file(*ORDERS)
    upload = Upload(workbench.importer.prepare(path))
    chosen = workbench.importer.mapping_for(upload.prepared)
    checked = workbench.importer.check(upload.prepared, chosen)
    go, reports = slowly(workbench, monkeypatch), []
    command = threading.Thread(target=lambda: reports.append(bring(workbench, jobs, path)))
    command.start()
    eventually(lambda: any(job.key for job in jobs.list_running()))
    upload.start(checked, policy="overwrite", actor="mei")
    assert upload.run is not None
    assert upload.run.joined
    go.set()
    command.join()
    assert upload.run.over
    assert upload.run.state.import_id == reports[0].import_id
    assert len(done(workbench)) == 1
    upload.close()


def test_a_command_joins_the_import_of_a_page_and_reports_it(
    workbench: Workbench, jobs: Jobs, csv_file: Callable[..., Path]
):
    """And leaves no second job behind."""
    path = csv_file(*ORDERS)
    prepared = workbench.importer.prepare(path)
    chosen = workbench.importer.mapping_for(prepared)
    key = act_of(
        sha256=prepared.sha256,
        reading=prepared.reading,
        kind="orders",
        mapping=chosen.as_dict(),
        answers={"key": "customer_id"},
        policy="overwrite",
    )
    job = jobs.start_or_join(key, work="import", file_name="f", actor="mei", source="page")
    said: list[Any] = []
    reports: list[Any] = []
    command = threading.Thread(target=lambda: reports.append(bring(workbench, jobs, path, told=said.append)))
    command.start()
    eventually(lambda: bool(said))
    checked = workbench.importer.check(prepared, chosen)
    report = workbench.importer.commit(prepared, checked, actor="mei", source="page")
    job.finish(import_id=report.import_id, report=report.as_dict())
    command.join()
    assert reports == [report]
    assert [state.id for state in jobs.list_jobs()] == [job.id]
    prepared.close()


@pytest.mark.slow
def test_three_commands_with_the_same_file_at_once_make_one_import(
    workbench: Workbench, jobs: Jobs, csv_file: Callable[..., Path]
):
    script = f"""
        import sys, time
        from pathlib import Path
        from crm.imports.jobs import Jobs
        from crm.imports.running import import_file
        from crm.settings import load_settings
        from crm.workbench import Workbench
        workbench = Workbench.open(load_settings(home=Path({str(workbench.settings.home)!r})))
        check = workbench.importer.check
        def slow(*args, **values):
            time.sleep(3)
            return check(*args, **values)
        workbench.importer.check = slow
        print("ready", flush=True)
        sys.stdin.readline()
        report = import_file(workbench.importer, Jobs(workbench.settings.home),
                             Path({str(csv_file(*ORDERS))!r}), actor="cron", source="command line")
        print(report.import_id, report.created, report.rejected, flush=True)
    """
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    said = {worker.communicate(timeout=60)[0] for worker in _all_told(workers)}
    (import_id,) = done(workbench)
    assert said == {f"{import_id} 2 1\n"}


def _all_told(workers: "list[subprocess.Popen[str]]") -> "list[subprocess.Popen[str]]":
    """Let every worker begin before the first one is waited for."""
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return workers


def test_two_sheets_of_one_workbook_are_two_imports():
    """The same bytes read differently are something else."""
    told = {"sha256": "a", "kind": "orders", "mapping": {}, "answers": {}, "policy": "overwrite"}
    keys = {act_of(reading=Reading(sheet=sheet), **told) for sheet in ("Jan", "Feb", None)}

    assert len(keys) == 3

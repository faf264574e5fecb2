"""An import that is cancelled at any stage leaves the state before, and the next one finds nothing in its way."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crm.errors import Conflict
from crm.imports.jobs import STAGES, Cancelled, Job, Jobs
from crm.ui import cache, uploads
from crm.ui.uploads import Upload
from crm.workbench import Workbench

ORDERS = ["Order,Customer,Date,Amount", "1,anna,2025-01-05,10.50", "2,bob,2025-02-07,20", "3,,2025-02-08,30"]
MORE = ["Order,Customer,Date,Amount", "2,bob,2025-02-07,99", "9,carl,2025-03-07,20", "8,,2025-02-08,30"]
CONTACTS = ["customer_id,name,city", "anna,Anna Meyer,Berlin", ",Nobody,Rome"]
MORE_CONTACTS = ["customer_id,name,city", "anna,Anna Meyer,Paris", "bob,Bob,Rome", ",Nobody,Rome"]


class Stopping:
    """The progress of a job that somebody cancels in the moment in which a stage begins."""

    def __init__(self, job: Job, jobs: Jobs, stage: str) -> None:
        self.job, self.jobs, self.stage = job, jobs, stage
        self.refused: Conflict | None = None

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        self.job(stage, done, total)
        if stage != self.stage:
            return
        try:
            self.jobs.cancel(self.job.id)
        except Conflict as error:
            self.refused = error
            return
        time.sleep(0.6)  # what the watching thread needs to see it
        self.stage = ""

    def check(self) -> None:
        self.job.check()

    @contextmanager
    def during(
        self, interrupt: Callable[[], object], share: Callable[[], float] | None = None
    ) -> Iterator[None]:
        with self.job.during(interrupt, share):
            yield

    def commit_point(self) -> None:
        self.job.commit_point()


def everything(workbench: Workbench) -> dict[str, Any]:
    """Return all that is stored, and what may be left lying about."""
    with workbench.records.read() as session:
        contacts = session.connection().exec_driver_sql(
            "SELECT customer_id, name, city FROM contacts WHERE deleted_at IS NULL ORDER BY customer_id"
        )
        orders = workbench.engine.orders().collect()
        return {
            "contacts": [tuple(row) for row in contacts],
            "orders": sorted(map(str, orders.drop(["import_id"]).rows())),
            "in force": [row["import_id"] for row in workbench.importer.history() if row["status"] == "done"],
            "open": [row for row in workbench.importer.history() if row["status"] == "open"],
            "rejects": sorted(path.name for path in workbench.importer.rejects_folder.glob("*")),
            "scratch": sorted(path.name for path in workbench.settings.scratch.glob("import-*")),
        }


@pytest.mark.slow
@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "Closing"])
@pytest.mark.parametrize(
    ("before", "lines"), [(ORDERS, MORE), (CONTACTS, MORE_CONTACTS)], ids=["orders", "contacts"]
)
def test_cancelling_at_any_stage_leaves_the_state_before(
    workbench: Workbench, csv_file: Callable[..., Path], before: list[str], lines: list[str], stage: str
):
    """Changes and rejects included; the same file is then imported as if nothing had been."""
    importer, jobs = workbench.importer, Jobs(workbench.settings.home)
    importer.run(csv_file(*before, name="before.csv"), actor="test", source="page")
    was = everything(workbench)
    path = csv_file(*lines, name="more.csv")

    job = jobs.start(work="import", file_name="more.csv", actor="", source="", stages=tuple(STAGES))
    with pytest.raises(Cancelled), job:
        importer.run(path, actor="test", source="page", progress=Stopping(job, jobs, stage))
    assert jobs.find(job.id).status == "cancelled"
    assert everything(workbench) == was

    report = importer.run(path, actor="test", source="page")
    assert (report.created, report.updated, report.rejected) == (1, 1, 1)
    assert everything(workbench)["in force"] == [report.import_id, *was["in force"]]


@pytest.mark.slow
@pytest.mark.parametrize("lines", [ORDERS, CONTACTS], ids=["orders", "contacts"])
def test_closing_is_too_late_to_cancel(workbench: Workbench, csv_file: Callable[..., Path], lines: list[str]):
    """It is said so, and the import is in force."""
    jobs = Jobs(workbench.settings.home)
    job = jobs.start(work="import", file_name="f", actor="", source="", stages=tuple(STAGES))
    stopping = Stopping(job, jobs, "Closing")
    with job:
        report = workbench.importer.run(csv_file(*lines), actor="test", source="page", progress=stopping)
    assert stopping.refused is not None
    assert "too late" in stopping.refused.message
    assert everything(workbench)["in force"] == [report.import_id]


@pytest.mark.slow
def test_a_long_check_stops_within_three_seconds(workbench: Workbench, tmp_path: Path):
    path = tmp_path / "long.csv"
    duckdb.sql(
        "COPY (SELECT 'O' || range AS \"Order\", 'c' || range % 9999 AS Customer, DATE '2020-01-01' + "
        f"(range % 1800)::INT AS \"Date\", range % 900 AS Amount FROM range(2000000)) TO '{path}' (HEADER)"
    )
    jobs = Jobs(workbench.settings.home)
    prepared = workbench.importer.prepare(path)
    job = jobs.start(work="check", file_name="long.csv", actor="", source="")
    chosen = workbench.importer.mapping_for(prepared)
    asked = threading.Timer(0.5, jobs.cancel, [job.id])
    asked.start()
    with pytest.raises(Cancelled), job:
        workbench.importer.check(prepared, chosen, progress=job)
    stopped = time.time()
    asked.join()
    assert stopped - job.state.started_at < 3.5
    prepared.close()


@pytest.mark.slow
def test_an_import_cancelled_while_it_wrote_is_started_again_from_the_page(
    workbench: Workbench, csv_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    """What the first attempt had written is gone, and what the check had written is written again."""
    monkeypatch.setattr(cache, "workbench", lambda: workbench)
    monkeypatch.setattr(uploads, "AT_ONCE_S", 20)
    commit = workbench.importer.commit

    def cancelled(*args: Any, progress: Job, **values: Any) -> Any:
        stopping = Stopping(progress, Jobs(workbench.settings.home), "Writing")
        return commit(*args, progress=stopping, **values)

    upload = Upload(workbench.importer.prepare(csv_file(*ORDERS[:3])))
    chosen = workbench.importer.mapping_for(upload.prepared)
    for attempt in (cancelled, commit):
        monkeypatch.setattr(workbench.importer, "commit", attempt)
        found = upload.check(chosen, {}, "overwrite")
        assert found is not None
        upload.start(found[0], policy="overwrite", actor="test")
        assert upload.run is not None
        assert upload.run.wait(20)
    assert upload.run.error is None
    assert upload.run.state.report is not None
    assert upload.run.state.report["created"] == 2
    assert len(everything(workbench)["in force"]) == 1
    assert everything(workbench)["scratch"] == []

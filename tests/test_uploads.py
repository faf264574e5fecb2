"""A file that waits is let go of by the last thread that asks its rows, never under one."""

import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crm.errors import Conflict, NotFound
from crm.imports.formats import Reading
from crm.imports.jobs import Cancelled, Jobs
from crm.imports.mapping import Mapping
from crm.ui import cache, uploads
from crm.ui.uploads import Upload, Waiting


class File:
    """A file as an importer prepared it, which notes that it was closed."""

    def __init__(self, folder: Path) -> None:
        self.scratch, self.connection = folder, None
        self.raw = SimpleNamespace(row_count=1)
        self.file_name, self.sha256 = "file.csv", "abc"
        self.reading = Reading()
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Held:
    """A function that says when it was entered and returns when it is told, or when the work is cancelled."""

    def __init__(self, outcome: Any) -> None:
        self.entered, self.go, self.outcome = threading.Event(), threading.Event(), outcome

    def __call__(self, *_: Any, progress: Any = None, **__: Any) -> Any:
        self.entered.set()
        limit = time.monotonic() + 20
        while not self.go.wait(0.02):
            assert time.monotonic() < limit
            if progress is not None:
                progress.check()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def waiting(tmp_path: Path) -> File:
    return File(tmp_path)


@pytest.fixture(autouse=True)
def importer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An importer whose acts a test sets, in a workbench of its own."""
    made = SimpleNamespace()
    workbench = SimpleNamespace(
        importer=made, settings=SimpleNamespace(home=tmp_path / "home"), version=lambda: 1
    )
    monkeypatch.setattr(cache, "workbench", lambda: workbench)
    monkeypatch.setattr(uploads, "AT_ONCE_S", 0.05)
    return made


MAPPING = Mapping("orders", {"amount": "a"})
CHECKED = SimpleNamespace(rows_read=1, kind="orders", mapping=MAPPING)
REPORT = SimpleNamespace(import_id="abcdef", as_dict=lambda: {"created": 1})


def start(upload: Upload) -> None:
    upload.start(CHECKED, policy="overwrite", actor="test")  # type: ignore[arg-type]


def check(upload: Upload, **answers: str) -> Any:
    return upload.check(MAPPING, answers, "overwrite")


def test_letting_go_waits_for_the_thread_that_asks_the_rows(waiting: File, monkeypatch: pytest.MonkeyPatch):
    asking = Held([{"line": 2}])
    monkeypatch.setattr(uploads.checking, "rejected_rows", asking)
    upload, found = Upload(waiting), []  # type: ignore[arg-type]
    thread = threading.Thread(target=lambda: found.extend(upload.first_rejects(None)))  # type: ignore[arg-type]
    thread.start()
    assert asking.entered.wait(20)

    upload.close()
    assert waiting.closed == 0

    asking.go.set()
    thread.join(20)
    assert found == [{"line": 2}]
    assert waiting.closed == 1


def test_a_file_let_go_is_closed_once_and_asked_no_more(waiting: File):
    told: list[str] = []
    upload = Upload(waiting, closed=lambda: told.append("closed"))  # type: ignore[arg-type]
    upload.close()
    upload.close()
    for ask in (lambda: upload.first_rejects(None), lambda: check(upload)):  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            ask()
    start(upload)
    assert upload.run is None
    assert (waiting.closed, told) == (1, ["closed"])


@pytest.mark.parametrize("outcome", [REPORT, Conflict("No.", "Wait.")], ids=["done", "refused"])
def test_letting_go_waits_for_a_running_import(outcome: Any, waiting: File, importer: SimpleNamespace):
    importer.commit = committing = Held(outcome)
    upload = Upload(waiting)  # type: ignore[arg-type]
    start(upload)
    assert committing.entered.wait(20)

    upload.close()
    assert waiting.closed == 0

    committing.go.set()
    assert upload.run is not None
    assert upload.run.wait(20)
    assert waiting.closed == 1


def test_a_failed_import_leaves_the_file_waiting_and_can_be_tried_again(
    waiting: File, importer: SimpleNamespace
):
    importer.commit = failing = Held(Conflict("No.", "Wait."))
    failing.go.set()
    upload = Upload(waiting)  # type: ignore[arg-type]
    start(upload)
    assert upload.run is not None
    assert upload.run.wait(20)
    assert str(upload.run.error) == "No. Wait."
    assert waiting.closed == 0

    failing.outcome = REPORT
    start(upload)
    assert upload.run.wait(20)
    assert upload.run.state.import_id == "abcdef"
    assert waiting.closed == 1


def test_an_import_is_cancelled_and_the_file_waits_on(waiting: File, importer: SimpleNamespace):
    importer.commit = committing = Held(REPORT)
    upload = Upload(waiting)  # type: ignore[arg-type]
    start(upload)
    assert committing.entered.wait(20)
    assert upload.run is not None
    upload.run.cancel()
    assert upload.run.wait(20)

    assert isinstance(upload.run.error, Cancelled)
    assert upload.run.state.status == "cancelled"
    assert waiting.closed == 0


def test_two_sessions_with_the_same_file_make_one_import(tmp_path: Path, importer: SimpleNamespace):
    """The second one follows the first, and ends as it does."""
    calls = []
    importer.commit = committing = Held(REPORT)
    uploaded = [Upload(File(tmp_path)) for _ in range(2)]  # type: ignore[arg-type]
    for upload in uploaded:
        start(upload)
        start(upload)
        calls.append(committing.entered.wait(20))
    first, second = (upload.run for upload in uploaded)
    assert first is not None
    assert second is not None
    assert (first.joined, second.joined) == (False, True)
    assert not second.over
    assert len(Jobs(tmp_path / "home").list_jobs()) == 1

    committing.go.set()
    assert first.wait(20)
    assert second.over
    assert (second.error, second.state.import_id) == (None, "abcdef")


def test_a_joined_import_that_fails_says_the_same_to_both(tmp_path: Path, importer: SimpleNamespace):
    importer.commit = committing = Held(Conflict("No.", "Wait."))
    uploaded = [Upload(File(tmp_path)) for _ in range(2)]  # type: ignore[arg-type]
    for upload in uploaded:
        start(upload)
    committing.go.set()
    for upload in uploaded:
        assert upload.run is not None
        upload.run.wait(20)
        assert upload.run.over
        assert str(upload.run.error) == "No. Wait."


def test_a_check_that_lasts_is_followed_and_one_of_other_choices_replaces_it(
    waiting: File, importer: SimpleNamespace
):
    importer.check = slow = Held(CHECKED)
    importer.preview = lambda *_, **__: REPORT
    upload = Upload(waiting)  # type: ignore[arg-type]
    assert check(upload) is None
    assert upload.checking is not None
    first = upload.checking
    assert (first.state.work, first.state.stages[0]) == ("check", "Checking")
    assert check(upload) is None
    assert upload.checking is first  # a rerun starts nothing

    assert check(upload, decimal=",") is None
    assert upload.checking is not first
    assert first.wait(20)
    assert isinstance(first.error, Cancelled)
    slow.go.set()
    assert upload.checking.wait(20)
    assert check(upload, decimal=",") == (CHECKED, REPORT)


def test_a_cancelled_check_stays_cancelled_until_it_is_asked_for_again(
    waiting: File, importer: SimpleNamespace
):
    importer.check = slow = Held(CHECKED)
    importer.preview = lambda *_, **__: REPORT
    upload = Upload(waiting)  # type: ignore[arg-type]
    check(upload)
    assert upload.checking is not None
    upload.checking.cancel()
    assert upload.checking.wait(20)
    for _ in range(2):
        with pytest.raises(Cancelled):
            check(upload)
    slow.go.set()
    upload.check_again()
    check(upload)
    assert upload.checking.wait(20)
    assert check(upload) == (CHECKED, REPORT)


def file_in(folder: Path) -> Path:
    path = folder / "upload.csv"
    path.write_text("order\n", encoding="utf-8")
    return path


def test_a_file_stays_on_disk_as_long_as_something_reads_it(tmp_path: Path, importer: SimpleNamespace):
    """Its rows may still be in it alone; another reading takes over from the one before."""
    first, second = File(tmp_path), File(tmp_path)
    importer.prepare = lambda *_, **__: first
    kept = Waiting(file_in(tmp_path), "file.csv", actor="test")
    assert kept.task is not None
    assert kept.task.wait(20)
    before = kept.upload

    importer.prepare = lambda *_, **__: second
    kept.read(Reading(delimiter=";"))
    assert kept.task.wait(20)
    assert kept.upload is not before
    assert kept.reading.delimiter == ";"
    assert (first.closed, second.closed) == (1, 0)
    assert kept.path.exists()

    kept.close()
    assert second.closed == 1
    assert not kept.path.exists()


def test_another_reading_that_fails_keeps_the_one_before(tmp_path: Path, importer: SimpleNamespace):
    first = File(tmp_path)
    importer.prepare = lambda *_, **__: first
    kept = Waiting(file_in(tmp_path), "file.csv", actor="test")
    assert kept.task is not None
    assert kept.task.wait(20)
    before = kept.upload

    importer.prepare = failing = Held(Conflict("No.", "Wait."))
    failing.go.set()
    kept.read(Reading(delimiter=";"))
    assert kept.task.wait(20)
    assert kept.upload is before
    assert kept.reading.delimiter is None
    assert first.closed == 0
    assert kept.path.exists()


def test_letting_go_cancels_a_reading_and_removes_the_file_after_it(
    tmp_path: Path, importer: SimpleNamespace
):
    importer.prepare = reading = Held(File(tmp_path))
    kept = Waiting(file_in(tmp_path), "file.csv", actor="test")
    assert reading.entered.wait(20)
    kept.close()
    assert kept.task is not None
    assert kept.task.wait(20)
    assert isinstance(kept.task.error, Cancelled)
    assert not kept.path.exists()


def test_a_file_let_go_in_the_very_moment_it_was_read_is_closed(tmp_path: Path, importer: SimpleNamespace):
    read = File(tmp_path)
    importer.prepare = reading = Held(read)
    kept = Waiting(file_in(tmp_path), "file.csv", actor="test")
    assert reading.entered.wait(20)
    reading.go.set()
    kept.close()
    assert kept.task is not None
    assert kept.task.wait(20)
    assert kept.upload is None or read.closed == 1
    assert not kept.path.exists()


def test_old_files_go_and_one_that_vanishes_meanwhile_is_no_fault(tmp_path: Path):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    for path in (old, new):
        path.write_text("x", encoding="utf-8")
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    (tmp_path / "vanished.csv").symlink_to(tmp_path / "nowhere.csv")

    uploads._clear(tmp_path)

    assert not old.exists()
    assert new.exists()

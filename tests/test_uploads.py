"""A file that waits is let go of by the last thread that asks its rows, never under one."""

import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crm.errors import Conflict, NotFound
from crm.ui import cache, uploads
from crm.ui.uploads import Upload


class Waiting:
    """A file as an importer prepared it, which notes that it was closed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "file.csv"
        self.path.write_text("order\n", encoding="utf-8")
        self.scratch, self.raw, self.connection = folder, None, None
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Held:
    """A function that says when it was entered and returns when it is told."""

    def __init__(self, outcome: Any) -> None:
        self.entered, self.go, self.outcome = threading.Event(), threading.Event(), outcome

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.entered.set()
        assert self.go.wait(20)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def waiting(tmp_path: Path) -> Waiting:
    return Waiting(tmp_path)


def test_letting_go_waits_for_the_thread_that_asks_the_rows(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
):
    asking = Held([{"line": 2}])
    monkeypatch.setattr(uploads.checking, "rejected_rows", asking)
    upload, found = Upload(waiting), []  # type: ignore[arg-type]
    thread = threading.Thread(target=lambda: found.extend(upload.first_rejects(None)))  # type: ignore[arg-type]
    thread.start()
    assert asking.entered.wait(20)

    upload.close()
    assert waiting.closed == 0
    assert waiting.path.exists()

    asking.go.set()
    thread.join(20)
    assert found == [{"line": 2}]
    assert waiting.closed == 1
    assert not waiting.path.exists()


def test_a_file_let_go_is_closed_once_and_asked_no_more(waiting: Waiting):
    upload = Upload(waiting)  # type: ignore[arg-type]
    upload.close()
    upload.close()
    with pytest.raises(NotFound):
        upload.first_rejects(None)  # type: ignore[arg-type]
    upload.start(SimpleNamespace(rows_read=1), policy="overwrite", actor="test")  # type: ignore[arg-type]
    assert upload.run is None
    assert waiting.closed == 1


@pytest.mark.parametrize("outcome", [SimpleNamespace(import_id="i"), Conflict("No.", "Wait.")])
def test_letting_go_waits_for_a_running_import(
    outcome: Any, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
):
    committing = Held(outcome)
    monkeypatch.setattr(
        cache, "workbench", lambda: SimpleNamespace(importer=SimpleNamespace(commit=committing))
    )
    upload = Upload(waiting)  # type: ignore[arg-type]
    upload.start(SimpleNamespace(rows_read=1), policy="overwrite", actor="test")  # type: ignore[arg-type]
    assert committing.entered.wait(20)

    upload.close()
    assert waiting.closed == 0

    committing.go.set()
    assert upload.run is not None
    assert upload.run.over.wait(20)
    assert waiting.closed == 1
    assert not waiting.path.exists()


def test_a_failed_import_leaves_the_file_waiting(waiting: Waiting, monkeypatch: pytest.MonkeyPatch):
    failing = Held(Conflict("No.", "Wait."))
    failing.go.set()
    monkeypatch.setattr(cache, "workbench", lambda: SimpleNamespace(importer=SimpleNamespace(commit=failing)))
    upload = Upload(waiting)  # type: ignore[arg-type]
    upload.start(SimpleNamespace(rows_read=1), policy="overwrite", actor="test")  # type: ignore[arg-type]
    assert upload.run is not None
    assert upload.run.over.wait(20)
    assert waiting.closed == 0
    assert waiting.path.exists()


def test_old_files_go_and_one_that_vanishes_meanwhile_is_no_fault(tmp_path: Path):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    for path in (old, new):
        path.write_text("x", encoding="utf-8")
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    (tmp_path / "vanished.csv").symlink_to(tmp_path / "nowhere.csv")

    uploads._clear(tmp_path)

    assert not old.exists()
    assert new.exists()

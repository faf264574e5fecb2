"""Whatever happens in the child, the parent goes on and says in words what happened."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from crm.errors import Conflict, InvalidValue, UnreadableFile
from crm.imports import sandbox
from crm.imports.sandbox import Limits

TASKS = "tests.sandboxed_tasks"

needs_limits = pytest.mark.skipif(sandbox.resource is None, reason="this platform has no limits on processes")


def run(name, scratch, limits=None, **arguments):
    return sandbox.run(f"{TASKS}:{name}", arguments, scratch=scratch, what="workbook", limits=limits)


def test_a_function_runs_in_a_process_of_its_own(tmp_path):
    answer = run("add", tmp_path, left=1, right=2)

    assert answer["sum"] == 3
    assert answer["process"] != os.getpid()
    assert not {"pandas", "streamlit", "duckdb", "pydantic", "numpy"} & set(answer["modules"])
    assert not list(tmp_path.iterdir())


@needs_limits
def test_the_child_is_bounded_and_knows_no_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIENTELE_DATABASE_URL", "postgresql+psycopg://me:secret@host/db")

    answer = run("describe", tmp_path)

    assert answer["memory"] == 2 << 30
    assert answer["core"] == 0
    assert answer["nice"] >= os.nice(0)
    assert "secret" not in str(answer["environment"])


def test_a_refusal_comes_back_as_it_was(tmp_path):
    with pytest.raises(InvalidValue) as refusal:
        run("refuse", tmp_path)

    assert (refusal.value.message, refusal.value.hint) == ("It is wrong.", "Do it right.")


@needs_limits
@pytest.mark.parametrize("name", ["fill_memory", "abort", "kill"])
def test_too_much_memory_is_said_in_words(tmp_path, name):
    """Memory refused to Python is an exception, to Rust an abort, and by the kernel a kill."""
    with pytest.raises(UnreadableFile, match=r"The workbook would need more memory than one file may take"):
        run(name, tmp_path)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["crash", "break_off", "panic", "no_such_function"])
def test_a_crash_is_said_in_words_without_what_the_file_holds(tmp_path, name):
    with pytest.raises(UnreadableFile, match="The workbook is damaged") as refusal:
        run(name, tmp_path)

    assert "secret" not in str(refusal.value)


def test_too_much_time_is_said_in_words(tmp_path):
    begun = time.monotonic()

    with pytest.raises(UnreadableFile, match="took more than 1 seconds"):
        run("sleep", tmp_path, Limits(seconds=1), seconds=60)

    assert time.monotonic() - begun < 30


@needs_limits
def test_too_much_processor_time_is_said_in_words(tmp_path):
    with pytest.raises(UnreadableFile, match="took more than"):
        run("spin", tmp_path, Limits(processor=1))


@needs_limits
def test_what_the_child_started_ends_with_it(tmp_path):
    note = tmp_path / "pid"

    with pytest.raises(UnreadableFile):
        run("sleep_with_a_child", tmp_path, Limits(seconds=2), seconds=60, note=str(note))

    grandchild = int(note.read_text())
    until = time.monotonic() + 10
    while psutil.pid_exists(grandchild) and psutil.Process(grandchild).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.05)


@needs_limits
def test_no_more_children_run_than_there_are_places(tmp_path, monkeypatch):
    """Another child finds no place while the only one is taken, and finds it afterwards."""
    monkeypatch.setattr(sandbox, "_SLOTS", 1)
    monkeypatch.setattr(sandbox.tempfile, "gettempdir", lambda: str(tmp_path))
    thread = threading.Thread(target=run, args=("sleep", tmp_path / "a"), kwargs={"seconds": 2})
    thread.start()
    while not list(tmp_path.glob("*.lock")) or not list((tmp_path / "a").glob("*.json")):
        time.sleep(0.01)
    time.sleep(0.2)

    with pytest.raises(Conflict, match="Other files are being read"):
        run("add", tmp_path / "b", Limits(patience=0), left=1, right=2)
    assert run("add", tmp_path / "b", left=1, right=2)["sum"] == 3

    thread.join()


def test_it_works_in_threads_and_in_another_process(tmp_path):
    """As in Streamlit's threads, and as from the command line in any folder."""
    answers = []
    threads = [
        threading.Thread(target=lambda at=at: answers.append(run("add", tmp_path, left=at, right=1)["sum"]))
        for at in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [1, 2, 3, 4]

    code = (
        "import sys; from pathlib import Path; from crm.imports import sandbox; "
        f"print(sandbox.run('{TASKS}:add', {{'left': 1, 'right': 2}}, scratch=Path(sys.argv[1]))['sum'])"
    )
    root = Path(sandbox.__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, "scratch"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "3"

"""Files of order lines into the lake and back, beside what DuckDB and pandas do with the same file."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from tests.bench.report import Bound, Section
from tests.bench.timing import Ratio, say

ROOT = Path(__file__).resolve().parent.parent.parent
FLOOR_FACTOR, PANDAS_FACTOR, MEMORY_GB = 1.5, 10.0, 1.5
MONTH_FACTOR, MONTH_GRACE = 1.5, 3.0

_TYPES = (
    "{'order_id': 'VARCHAR', 'customer_id': 'VARCHAR', 'ordered_at': 'DATE', 'amount': 'DECIMAL(18,4)', "
    "'product': 'VARCHAR'}"
)


def make(path: Path, lines: int, *, first: int = 0, changed: int = 0) -> Path:
    """Write a CSV of order lines `first` to `first + lines` of one endless shop, 5 lines to 2 orders.

    A tenth as many customers as 10 million lines, in the order of time, 10,000 lines a day. Of the orders, one
    in `changed` has other amounts than in the shop; 0: none.
    """
    amount = "(hash(i) % 20000) / 100.0"
    if changed:
        amount = f"CASE WHEN (i * 2 // 5) % {changed} = 0 THEN 1 ELSE 0 END + {amount}"
    duckdb.execute(
        f"""COPY (SELECT 'O' || lpad((i * 2 // 5)::VARCHAR, 9, '0') AS order_id,
                   'C' || lpad((hash(i * 2 // 5) % 1000000)::VARCHAR, 8, '0') AS customer_id,
                   (DATE '2019-01-01' + (i // 10000)::INTEGER) AS ordered_at,
                   ({amount})::DECIMAL(10, 2) AS amount, 'P' || lpad((hash(i * 7) % 5000)::VARCHAR, 5, '0') AS product
                 FROM range({first}, {first + lines}) AS t (i)) TO '{path}' (HEADER)"""
    )
    return path


# --- what runs in a process of its own, so that its memory can be told -----------------------------------


def _ours(home: str, file: str) -> dict[str, Any]:
    from crm.settings import load_settings
    from crm.workbench import Workbench

    workbench = Workbench.open(load_settings(home=Path(home), engine="duckdb", database_url="", lake_url=""))
    clock = time.perf_counter()
    report = workbench.importer.run(Path(file), kind="orders", actor="bench", source="command line")
    seconds = time.perf_counter() - clock
    assert report.rejected == 0, report.reasons
    stored = workbench.engine.count(workbench.engine.orders())
    workbench.close()
    return {"seconds": seconds, "import_id": report.import_id, "stored": stored, "created": report.created,
            "updated": report.updated, "unchanged": report.unchanged}  # fmt: skip


def _undo(home: str, import_id: str) -> dict[str, Any]:
    from crm.settings import load_settings
    from crm.workbench import Workbench

    workbench = Workbench.open(load_settings(home=Path(home), engine="duckdb", database_url="", lake_url=""))
    clock = time.perf_counter()
    workbench.importer.undo(import_id, actor="bench")
    seconds = time.perf_counter() - clock
    stored = workbench.engine.count(workbench.engine.orders())
    workbench.close()
    return {"seconds": seconds, "stored": stored}


def _floor(file: str, out: str) -> dict[str, Any]:
    connection = duckdb.connect()
    clock = time.perf_counter()
    (rows,) = connection.execute(
        f"COPY (SELECT * FROM read_csv('{file}', columns = {_TYPES}, header = true)) TO '{out}'"
    ).fetchall()
    return {"seconds": time.perf_counter() - clock, "stored": rows[0]}


def _pandas(file: str, out: str, through: str) -> dict[str, Any]:
    import sqlite3

    import pandas as pd
    import sqlalchemy as sa

    clock = time.perf_counter()
    frame = pd.read_csv(file)
    if through == "driver":
        with sqlite3.connect(out) as connection:
            stored = frame.to_sql("orders", connection, index=False)
    else:
        stored = frame.to_sql("orders", sa.create_engine(f"sqlite:///{out}"), index=False)
    return {"seconds": time.perf_counter() - clock, "stored": stored}


_TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "ours": _ours,
    "undo": _undo,
    "floor": _floor,
    "pandas": _pandas,
}


def _apart(task: str, *arguments: object) -> dict[str, Any]:
    """Run a task in a process of its own and return what it says, `peak_gb` included."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.imports", task, *map(str, arguments)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    say(f"    {task}: {found['seconds']:.2f} s, {found['peak_gb']:.2f} GB")
    return found


def main(task: str, *arguments: str) -> int:
    """Run one task and print what it found as JSON."""
    found = _TASKS[task](*arguments)
    found["peak_gb"] = _peak_gb()
    print(json.dumps(found))  # noqa: T201 - the answer to the process that asked
    return 0


def _peak_gb() -> float:
    """Return the most memory that this process has held; what getrusage says includes its parent's."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1e6


# --- the section ----------------------------------------------------------------------------------------


@dataclass
class _Measured:
    lines: int
    size: int
    ours: list[dict[str, Any]]
    floor: list[dict[str, Any]]
    undo: list[dict[str, Any]]

    @property
    def ratio(self) -> Ratio:
        rounds = [one["seconds"] / peer["seconds"] for one, peer in zip(self.ours, self.floor, strict=True)]
        return Ratio(median(rounds), min(rounds), max(rounds))


def _seconds(runs: list[dict[str, Any]]) -> float:
    return median(run["seconds"] for run in runs)


def _measure(folder: Path, lines: int, rounds: int, *, keep: Path | None = None) -> _Measured:
    file = make(folder / f"{lines}.csv", lines)
    found = _Measured(lines, file.stat().st_size, [], [], [])
    for number in range(rounds):
        home = folder / "home"
        found.ours.append(_apart("ours", home, file))
        found.floor.append(_apart("floor", file, folder / "floor.parquet"))
        assert found.ours[-1]["stored"] == found.floor[-1]["stored"] == lines
        if keep is not None and number == rounds - 1:
            shutil.copytree(home, keep)
        found.undo.append(_apart("undo", home, found.ours[-1]["import_id"]))
        assert found.undo[-1]["stored"] == 0
        shutil.rmtree(home)
    return found


def section(folder: Path, *, quick: bool, rounds: int = 3) -> Section:
    """Measure and return the section of the benchmark's page."""
    sizes = (1_000, 10_000, 50_000) if quick else (100_000, 1_000_000, 10_000_000)
    month = 2_000 if quick else 200_000
    stored = folder / "stored"
    found = []
    for lines in sizes:
        say(f"  {lines:,} lines")
        found.append(_measure(folder, lines, rounds, keep=stored if lines == sizes[-1] else None))
    say("  pandas")
    middle = folder / f"{sizes[1]}.csv"
    pandas: dict[str, list[dict[str, Any]]] = {"engine": [], "driver": []}
    for _ in range(rounds):
        for through, runs in pandas.items():
            runs.append(_apart("pandas", middle, folder / "pandas.sqlite", through))
            (folder / "pandas.sqlite").unlink()
    say("  a month that overlaps by half")
    file = make(folder / "month.csv", month, first=sizes[-1] - month // 2, changed=100)
    alone, onto, back = [], [], []
    for _ in range(rounds):
        alone.append(_apart("ours", folder / "alone", file))
        shutil.rmtree(folder / "alone")
        onto.append(_apart("ours", stored, file))
        assert onto[-1]["created"] + onto[-1]["updated"] + onto[-1]["unchanged"] == month
        assert onto[-1]["updated"] > 0 < onto[-1]["unchanged"]
        back.append(_apart("undo", stored, onto[-1]["import_id"]))
        assert back[-1]["stored"] == sizes[-1]
    largest = found[-1]
    peer, bare = (_seconds(runs) / _seconds(found[1].ours) for runs in pandas.values())
    limit = MONTH_FACTOR * _seconds(alone) + MONTH_GRACE
    memory = max(run["peak_gb"] for run in largest.ours)
    slowest_undo = max(_seconds(one.undo) / _seconds(one.ours) for one in found)
    rows = [
        (
            f"{one.lines:,} lines, {one.size / 1e6:,.0f} MB",
            f"{_seconds(one.ours):.2f}",
            f"{_seconds(one.floor):.2f}",
            str(one.ratio),
            f"{max(run['peak_gb'] for run in one.ours):.2f}",
            f"{_seconds(one.undo):.2f}",
        )
        for one in found
    ]
    return Section(
        "Order files into the lake",
        "`Importer.run` from the file to a committed lake: the format found, every line counted, every cell checked, "
        "one customer for each order, repeated rows, gaps and future dates looked for, compared with what is stored, "
        "committed with its undo. The peer is the least that can be done with the file: DuckDB told every type, "
        "`COPY (SELECT * FROM read_csv(…)) TO 'x.parquet'`, no check of any kind. Each run is a process of its own, its "
        "time taken inside, so that its peak memory can be told.",
        ("", "ours, seconds", "COPY, seconds", "ratio", "peak, GB", "undo, seconds"),
        rows,
        [
            Bound(
                f"{largest.lines:,} lines, all checks on: at most {FLOOR_FACTOR} × DuckDB's bare COPY",
                f"{largest.ratio} ×",
                largest.ratio.median <= FLOOR_FACTOR,
            ),
            Bound(
                f"{largest.lines:,} lines: under {MEMORY_GB} GB of memory",
                f"{memory:.2f} GB",
                memory < MEMORY_GB,
            ),
            Bound(
                f"{found[1].lines:,} lines: at least {PANDAS_FACTOR:g} × faster than pandas.read_csv and to_sql",
                f"{peer:.1f} × through SQLAlchemy, {bare:.1f} × through the bare driver",
                min(peer, bare) >= PANDAS_FACTOR,
            ),
            Bound(
                "Undoing an import of orders: at most the time of the import",
                f"{slowest_undo:.2f} ×",
                slowest_undo <= 1,
            ),
            Bound(
                f"{month:,} lines that overlap {largest.lines:,} stored ones by half: at most {MONTH_FACTOR} × their "
                f"import into an empty lake plus {MONTH_GRACE:g} s",
                f"{_seconds(onto):.2f} s of {limit:.2f} s",
                _seconds(onto) <= limit,
            ),
        ],
        [
            f"pandas takes {_seconds(pandas['engine']):.2f} s for {found[1].lines:,} lines through an engine of SQLAlchemy, "
            f"{_seconds(pandas['driver']):.2f} s through the bare driver of SQLite. The month takes {_seconds(alone):.2f} s "
            f"into an empty lake and {_seconds(onto):.2f} s onto {largest.lines:,} lines, where one stored order in a "
            f"hundred changes; undoing it {_seconds(back):.2f} s."
        ],
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

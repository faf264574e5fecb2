"""What was measured, as Markdown: tables, bounds kept or missed, and the machine it was measured on."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

VERSIONS = (
    "duckdb", "narwhals", "deltalake", "pyarrow", "pandas", "numpy", "streamlit", "plotly", "sqlalchemy",
    "lifetimes", "pyspark-client", "pysail", "playwright",
)  # fmt: skip


@dataclass(frozen=True)
class Bound:
    """One promise about speed, what was measured, and whether it was kept."""

    promise: str
    measured: str
    kept: bool


@dataclass
class Section:
    """One subject: what was done, a table, the bounds it answers to, and what was left out."""

    title: str
    text: str
    columns: tuple[str, ...] = ()
    rows: list[Sequence[str]] = field(default_factory=list)
    bounds: list[Bound] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def markdown(sections: Sequence[Section], *, quick: bool) -> str:
    """Return the whole page."""
    parts = [
        "# Benchmarks",
        "Written by `make bench`; do not edit. Ours and its peer run in turn on the same machine, round by round. "
        "Times are medians; ratios are ours ÷ peer of neighbouring runs, their median and (lowest–highest). Quote "
        "the ratios: seconds belong to the machine.",
    ]
    if quick:
        parts.append("**Small sizes (`--quick`): the results were compared, the times mean little.**")
    bounds = [bound for section in sections for bound in section.bounds]
    if bounds and not quick:
        rows = [(b.promise, b.measured, "kept" if b.kept else "**missed**") for b in bounds]
        parts += ["## Promises", table(("promise", "measured", ""), rows)]
    for section in sections:
        parts += [f"## {section.title}", section.text]
        if section.rows:
            parts.append(table(section.columns, section.rows))
        parts += section.notes
    parts += ["## Machine and versions", table(("", ""), machine())]
    return "\n\n".join(parts) + "\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; every column but the first stands to the right when it holds figures."""
    figures = [
        all(row[place][:1].isdigit() or row[place] in ("", "–") for row in rows)
        for place in range(len(columns))
    ]
    rule = ["---:" if right and place else "---" for place, right in enumerate(figures)]
    lines = [columns, rule, *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def machine() -> list[tuple[str, str]]:
    """Return what the numbers depend on: processor, memory, load, versions."""
    found = [
        ("when", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"),
        ("load when written", " ".join(f"{load:.1f}" for load in os.getloadavg())),
        ("system", f"{platform.system()} {platform.release().split('-')[0]}"),
        ("Python", platform.python_version()),
    ]
    for name in VERSIONS:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            found.append((name, "not installed"))
    return found


def _processor() -> str:
    cpus = Path("/proc/cpuinfo")
    if cpus.is_file():
        for line in cpus.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

"""The sample shop: made-up data to look around in, taken out again in one act."""

import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from crm.errors import Conflict
from crm.schema import Kind
from crm.settings import ROOT, Settings

if TYPE_CHECKING:
    from crm.imports.loading import Importer, Report
    from crm.records.imports import Source

FOLDER = ROOT / "data" / "sample"
FILES: tuple[tuple[Kind, str], ...] = (
    ("contacts", "contacts.csv.gz"),
    ("orders", "orders.csv.gz"),
    ("responses", "responses.csv.gz"),
)


def was_ever_used(settings: Settings) -> bool:
    """Say quickly whether anything was ever imported here; False where only opening the store can tell.

    Opening both stores for this question would double the time of every start.
    """
    file = settings.home / "records.sqlite3"
    if settings.database_url or not file.is_file():
        return False
    counts = "SELECT count(*) FILTER (WHERE NOT sample), count(*) FILTER (WHERE sample AND status = 'done') FROM imports"
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            own, loaded = connection.execute(counts).fetchone()
            ever = connection.execute("SELECT 1 FROM imports WHERE status <> 'failed' LIMIT 1").fetchone()
    except sqlite3.Error:
        return False
    # A start that was broken off may have left a part of the sample.
    return ever is not None and (own > 0 or loaded in (0, len(FILES)))


def load_if_fresh(importer: "Importer", *, actor: str) -> "list[Report]":
    """Load the sample shop where nothing was ever imported, or where loading it was broken off."""
    history = [row for row in importer.history() if row["status"] != "failed"]
    if any(not row["sample"] for row in history):
        return []
    if history and len(importer.sample_imports()) in (0, len(FILES)):
        return []
    return load(importer, actor=actor, source="command line")


def load(importer: "Importer", *, actor: str, source: "Source") -> "list[Report]":
    """Import the sample shop and return what became of its three files.

    Raises Conflict when it is loaded already.
    """
    from crm.imports.loading import unpack

    loaded = len(importer.sample_imports())
    if loaded == len(FILES):
        raise Conflict("The sample shop is loaded already.", "Take it out first if you want it anew.")
    if loaded:
        remove(importer, actor=actor)
    reports = []
    try:
        with tempfile.TemporaryDirectory() as scratch:
            for kind, name in FILES:
                file = unpack(FOLDER / name, Path(scratch))
                reports.append(importer.run(file, kind=kind, actor=actor, source=source, sample=True))
    except BaseException:
        remove(importer, actor=actor)
        raise
    return reports


def remove(importer: "Importer", *, actor: str) -> int:
    """Take the sample shop out from under whatever came after it; return how many files went.

    Contacts of the sample that were edited go too: they were made up with the rest.
    """
    loaded = importer.sample_imports()
    for import_id in loaded:
        importer.undo(import_id, actor=actor, force=True, any_order=True)
    return len(loaded)

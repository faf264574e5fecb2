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
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT 1 FROM imports LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return False


def load(importer: "Importer", *, actor: str, source: "Source") -> "list[Report]":
    """Import the sample shop and return what became of its three files.

    Raises Conflict when it is loaded already.
    """
    from crm.imports.loading import unpack

    if importer.sample_imports():
        raise Conflict("The sample shop is loaded already.", "Take it out first if you want it anew.")
    with tempfile.TemporaryDirectory() as scratch:
        return [
            importer.run(
                unpack(FOLDER / name, Path(scratch)), kind=kind, actor=actor, source=source, sample=True
            )
            for kind, name in FILES
        ]


def remove(importer: "Importer", *, actor: str) -> int:
    """Take the sample shop out from under whatever came after it; return how many files went.

    Contacts of the sample that were edited go too: they were made up with the rest.
    """
    loaded = importer.sample_imports()
    for import_id in loaded:
        importer.undo(import_id, actor=actor, force=True, any_order=True)
    return len(loaded)

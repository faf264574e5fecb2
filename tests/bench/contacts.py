"""Contacts written into the records and taken back, beside a bare bulk insert of the same rows."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import func, insert, select

from crm.records import bulk
from crm.records.bulk import Counts, Policy
from crm.records.database import Records
from crm.records.models import Contact, ImportChange
from tests.bench import report
from tests.bench.report import Bound, Section
from tests.bench.timing import say

INSERT_FACTOR = 5.0
ROWS, QUICK_ROWS = 1_000_000, 5_000
BATCH = 10_000

_CITIES = ("Beijing", "Shanghai", "Guangzhou", "Shenzhen", "Rome", "Oslo", "New York", "São Paulo")
_SOURCES = ("search", "friend", "fair", "newsletter", "shop")
_TIERS = ("gold", "silver", "bronze")


def make(rows: int) -> pa.Table:
    """Return so many contacts as an import gives them: 15 columns, three attributes among them."""
    draw = np.random.default_rng(7)
    ids = np.arange(rows)
    draw.shuffle(ids)
    number = [f"{one:07d}" for one in ids]
    city, source, tier = (draw.integers(0, len(of), rows) for of in (_CITIES, _SOURCES, _TIERS))
    born = draw.integers(0, 20_000, rows)
    joined = draw.integers(0, 3_000, rows)
    income = draw.integers(2_000_000, 20_000_000, rows)
    first, start = date(1950, 1, 1), date(2015, 1, 1)
    return pa.table(
        {
            "customer_id": [f"C{one}" for one in number],
            "name": [f"First{one[:3]} Last{one[3:]}" for one in number],
            "company": [f"Company {one[-4:]} Ltd" if one[-1] < "3" else None for one in number],
            "email": [f"person{one}@example.com" for one in number],
            "phone": [f"+4420{one}" for one in number],
            "gender": ["female" if one % 2 else "male" for one in ids],
            "birth_date": pa.array([first + timedelta(days=int(days)) for days in born], pa.date32()),
            "city": [_CITIES[place] for place in city],
            "country": ["China" if place < 4 else None for place in city],
            "annual_income": [Decimal(int(cents)) / 100 for cents in income],
            "channel": [_SOURCES[place] for place in source],
            "joined_on": pa.array([start + timedelta(days=int(days)) for days in joined], pa.date32()),
            "email_consent": pa.array(draw.integers(0, 2, rows).astype(bool)),
            "note": ["Met at the fair" if one % 20 == 0 else None for one in ids],
            "attributes": [
                json.dumps({"tier": _TIERS[place], "points": str(one), "shop": _CITIES[other]})
                for place, one, other in zip(tier, ids, city, strict=True)
            ],
        }
    )


def changed(table: pa.Table) -> pa.Table:
    """Return the same contacts, every second one with another city and another attribute."""
    odd = pa.array(np.arange(table.num_rows) % 2 == 1)
    city = pc.if_else(odd, pc.binary_join_element_wise(table["city"], "2", "-"), table["city"])
    moved = pc.replace_substring(table["attributes"], '"points": "', '"points": "9')
    attributes = pc.if_else(odd, moved, table["attributes"])
    names = table.column_names
    return table.set_column(names.index("city"), "city", city).set_column(
        names.index("attributes"), "attributes", attributes
    )


@dataclass
class Shop:
    """Records of their own in a folder, empty at first."""

    records: Records

    @classmethod
    def at(cls, folder: Path) -> "Shop":
        """Return new records in `folder`."""
        records = Records.open(f"sqlite:///{folder / 'records.sqlite3'}")
        records.migrate()
        return cls(records)

    def insert(self, table: pa.Table) -> tuple[float, float]:
        """Insert the rows bare; return seconds of the inserts alone, and with the making of the dicts."""
        alone = 0.0
        began = time.perf_counter()
        with self.records.write() as session:
            for batch in table.to_batches(max_chunksize=BATCH):
                rows = batch.to_pylist()
                for row in rows:
                    row["attributes"] = json.loads(row["attributes"])
                    row.update(version=1, change_seq=1)
                started = time.perf_counter()
                session.execute(insert(Contact.__table__), rows)
                alone += time.perf_counter() - started
            started = time.perf_counter()
        ended = time.perf_counter()
        return alone + ended - started, ended - began

    def write(self, table: pa.Table, policy: Policy, import_id: str) -> tuple[float, Counts]:
        """Import the rows; return seconds, commit included, and what became of them."""
        began = time.perf_counter()
        with self.records.write() as session:
            counts = bulk.write_contacts(session, table, policy=policy, import_id=import_id)
        return time.perf_counter() - began, counts

    def undo(self, import_id: str) -> float:
        """Undo an import; return seconds."""
        began = time.perf_counter()
        with self.records.write() as session:
            undone = bulk.undo_contact_import(session, import_id)
        assert not undone.conflicts
        return time.perf_counter() - began

    def state(self) -> tuple[int, int, int | None]:
        """Return how many contacts and before-images there are, and a sum over the contacts' fields."""
        fields = func.length(Contact.name) + func.length(Contact.city)
        with self.records.read() as session:
            contacts, letters = session.execute(
                select(func.count(), func.sum(fields)).select_from(Contact)
            ).one()
            return contacts, session.scalar(select(func.count()).select_from(ImportChange)) or 0, letters


def measure(folder: Path, rows: int) -> dict[str, float]:
    """Return seconds of each act on so many contacts, checking what each did."""
    table = make(rows)
    other = changed(table)
    half = rows // 2
    found: dict[str, float] = {}

    def note(name: str, seconds: float) -> None:
        found[name] = seconds
        say(f"    {name}: {seconds:.2f} s")

    bare = Shop.at(_new(folder, "bare"))
    alone, whole = bare.insert(table.sort_by("customer_id"))  # the order that suits its index best
    note("insert", alone)
    note("insert, dicts too", whole)
    bare.records.close()

    shop = Shop.at(_new(folder, "shop"))
    seconds, counts = shop.write(table, "overwrite", "a")
    assert counts == Counts(created=rows), counts
    note("new", seconds)
    filled = shop.state()
    seconds, counts = shop.write(other, "overwrite", "b")
    assert counts == Counts(updated=half, unchanged=rows - half), counts
    note("half changed", seconds)
    note("undo of half changed", shop.undo("b"))
    assert shop.state() == filled
    seconds, counts = shop.write(table, "overwrite", "c")
    assert counts == Counts(unchanged=rows), counts
    note("nothing changed", seconds)
    blanks = table.drop_columns(["company"]).append_column("company", pa.array(["Filled Ltd"] * rows))
    seconds, counts = shop.write(blanks, "fill", "d")
    lacking = table["company"].null_count
    assert counts == Counts(updated=lacking, unchanged=rows - lacking), counts
    note("fill", seconds)
    note("undo of fill", shop.undo("d"))
    seconds, counts = shop.write(other, "skip", "e")
    assert counts == Counts(skipped=rows), counts
    note("skip", seconds)
    assert shop.state() == filled
    note("undo of new", shop.undo("a"))
    assert shop.state() == (0, 0, None)
    shop.records.close()
    return found


def _new(folder: Path, name: str) -> Path:
    folder = folder / name
    folder.mkdir()
    return folder


def section(folder: Path, *, quick: bool) -> Section:
    """Measure once and return the section of the benchmark's page."""
    rows = QUICK_ROWS if quick else ROWS
    found = measure(folder, rows)
    base = found["insert"]
    titles = {
        "insert": "bare insert, its dicts given",
        "insert, dicts too": "bare insert, its dicts made from the same table",
        "new": "import, all new (overwrite)",
        "half changed": "import, half of them changed (overwrite)",
        "nothing changed": "import, nothing changed (overwrite)",
        "fill": "import, fill blanks only",
        "skip": "import, skip those that exist",
        "undo of new": "undo of all new",
        "undo of half changed": "undo of half changed",
        "undo of fill": "undo of fill",
    }
    writes = ("new", "half changed", "nothing changed", "fill", "skip")
    undos = {"undo of new": "new", "undo of half changed": "half changed", "undo of fill": "fill"}
    slowest = max(writes, key=found.__getitem__)
    worst = max(undos, key=lambda name: found[name] / found[undos[name]])
    return Section(
        f"{rows:,} contacts into the records and back",
        "`bulk.write_contacts` compares every row with what is stored, writes by a policy and keeps what each contact "
        "was before, all in one transaction; `undo_contact_import` puts it back. The peer is "
        f"`session.execute(insert(Contact.__table__), …)` in batches of {BATCH:,} into an empty table: no comparison, no "
        "policy, no undo. Both on SQLite with the same settings, commit included, the same rows of 15 columns with "
        "three custom attributes, from the same Arrow table, for the peer sorted by its key. The ratio is to the insert alone, the making of its "
        "dicts not counted. Counts and states are checked after every step.",
        ("", "seconds", "ratio to the bare insert", "contacts a second"),
        [
            (titles[name], f"{found[name]:.2f}", f"{found[name] / base:.2f}", f"{rows / found[name]:,.0f}")
            for name in titles
        ],
        [
            Bound(
                f"{rows:,} contacts with policies and undo data: at most {INSERT_FACTOR:g} × a bare bulk insert",
                f"slowest: {titles[slowest]}, {found[slowest] / base:.2f} ×",
                found[slowest] <= INSERT_FACTOR * base,
            ),
            Bound(
                "Undoing an import of contacts: at most the time of the import",
                f"slowest: {titles[worst]}, {found[worst] / found[undos[worst]]:.2f} ×",
                found[worst] <= found[undos[worst]],
            ),
        ],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; return 1 when a bound was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.contacts", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows: checks counts, times mean little")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        measured = section(Path(folder), quick=options.quick)
    say(report.table(measured.columns, measured.rows))
    for bound in measured.bounds:
        say(f"{'kept' if bound.kept else 'MISSED'}: {bound.promise}: {bound.measured}")
    return 0 if options.quick or all(bound.kept for bound in measured.bounds) else 1


if __name__ == "__main__":
    sys.exit(main())

"""What a file brought survives import, edit, export and import again, letter for letter, in every format."""

import csv
from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from crm.audiences import Leaf
from crm.records.contacts import save_contact
from crm.records.models import Contact
from crm.schema import BLANKS
from crm.settings import load_settings
from crm.workbench import Workbench

AS_OF = date(2026, 6, 1)
VALUES = 100
RUNS = 50
KNOWN = [
    "00123", "+442079460000", "+44 20 7946 0000", "NA", "Null", "NULL", "null", "None", "nan", "N/A", "#N/A", "-", "1e5", "1E5",
    "1.10", "007", "0", "-0", "1,234", "1.234,56", "1234567890123456789", "9007199254740993", "客户", "王小明", "true", "FALSE",
    "yes", "03/04/2025", "2025-03-04", "3-4", "1/2", "45000", "=1+1", "=HYPERLINK(\"x\")", "+1+2", "-2+3", "@SUM(A1)", "|x", "%",
    "＝1", "\t=1", " =1", "''", "'", "it's", "'tis", "-12,5", "+4420", '"', '"quoted"', 'a"b', "a,b", "a;b", "a\tb", "two\nlines", "\n", ",", ";",
    "sep=,", "#", "\\", "\\N", "_x0041_", "<b>", "&amp;", "é", "e\u0301", "😀", "\u200b", "ﬁ", " padded ", "\u00a0x", "x\u3000", "Ω", "SELECT 1; --",
    "${x}", "{}", "[]", "0x1F", "1_000", "∞", "½", "１２３", "Infinity", "-inf", "a" * 300,
]  # fmt: skip


def is_kept(text: str) -> bool:
    """Return whether a text is a value: not blank, and of characters that every format can hold."""
    return bool(text.strip(BLANKS)) and all(
        sign in "\t\n \u00a0\u3000\u200b" or sign.isprintable() for sign in text
    )


letters = st.characters(exclude_categories=["Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"])
digits = st.text("0123456789", min_size=1, max_size=19)
texts = st.one_of(
    st.sampled_from([value for value in KNOWN if is_kept(value)]),
    digits,
    digits.map("0".__add__),
    digits.map("+".__add__),
    st.builds("{}e{}".format, st.integers(-99, 99), st.integers(0, 99)),
    st.integers(10**18, 10**19 - 1).map(str),
    st.builds(
        "{}{}".format,
        st.sampled_from(["=", "+", "-", "@", "'", "\t=", " =", "|", "%", "＝"]),
        st.text(letters, max_size=8),
    ),
    st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=6),
    st.text(letters, min_size=1, max_size=12),
).filter(is_kept)
runs = count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    opened = Workbench.open(load_settings(home=tmp_path_factory.mktemp("store"), memory_limit="1GB"))
    yield opened
    opened.close()


@pytest.mark.slow
@settings(
    max_examples=RUNS,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@example([value for value in KNOWN if is_kept(value)])
@given(st.lists(texts, min_size=VALUES, max_size=VALUES))
def test_values_survive_import_edit_export_and_import(
    shared: Workbench, tmp_path: Path, values: list[str]
) -> None:
    run = f"run {next(runs)}"
    given_rows = {id_of(value, f"{run}·{place}"): value for place, value in enumerate(values)}
    write(
        tmp_path / "first.csv",
        [
            ["customer_id", "name", "company", "note", "channel", f"Extra {run}"],
            *([key, value, value, value, run, value] for key, value in given_rows.items()),
        ],
    )
    report = shared.importer.run(tmp_path / "first.csv", kind="contacts", actor="ada", source="command line")
    assert (report.rows_read, report.created) == (len(values), len(values))

    with shared.records.write() as session:
        for key in given_rows:
            save_contact(session, customer_id=key, values={"city": "Bonn"}, actor="eve")
    assert stored(shared, run) == given_rows

    for name, safe in (("programs.csv", False), ("spreadsheets.csv", True), ("excel.xlsx", True)):
        rows, unchanged = export_and_import(shared, tmp_path / name, run, safe=safe)
        assert (rows, unchanged) == (len(values), len(values)), name


@pytest.mark.slow
@pytest.mark.parametrize(("name", "safe"), [("a.csv", True), ("a.csv", False), ("a.xlsx", True)])
def test_what_looks_guarded_survives_every_format(
    name: str, safe: bool, shared: Workbench, tmp_path: Path
) -> None:
    """An apostrophe before a formula is what CSV for spreadsheets puts there; only its files lose one."""
    values = ["'=1", "''=1", "'+1+2", "'@x", "'-a", "'\t", "''%"]
    channel = f"guarded {next(runs)}"
    write(
        tmp_path / "first.csv",
        [
            ["customer_id", "name", "channel"],
            *([f"{channel} {place}", value, channel] for place, value in enumerate(values)),
        ],
    )
    shared.importer.run(tmp_path / "first.csv", kind="contacts", actor="ada", source="command line")
    with shared.records.read() as session:
        found = session.scalars(
            select(Contact).where(Contact.channel == channel).order_by(Contact.customer_id)
        )
        assert [contact.name for contact in found] == values
    assert export_and_import(shared, tmp_path / name, channel, safe=safe) == (len(values), len(values))


def export_and_import(
    workbench: Workbench, path: Path, channel: str, *, safe: bool = True
) -> tuple[int, int]:
    """Export the customers of a channel with all columns and return how many an import finds, and finds unchanged."""
    exported = workbench.export(path, as_of=AS_OF, rule=Leaf("channel", "=", channel), safe=safe)
    again = workbench.importer.run(path, kind="contacts", dry_run=True, actor="ada", source="command line")
    assert again.rows_read == exported.rows
    assert again.rejected == 0
    return again.rows_read, again.unchanged


def id_of(value: str, end: str) -> str:
    """Return an ID that begins as a value does: one line, no blanks around it, and like no other."""
    begin = value.replace("\n", " ").replace("\t", " ").strip(BLANKS)[:200]
    return f"{begin}·{end}"


def write(path: Path, rows: list[list[str]]) -> None:
    """Write what a careful program writes: every cell in quotation marks."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)


def stored(workbench: Workbench, run: str) -> dict[str, str]:
    """Return the one value that each contact of a run has in all its fields, by ID."""
    found = {}
    with workbench.records.read() as session:
        for contact in session.scalars(select(Contact).where(Contact.channel == run)):
            attributes = set((contact.attributes or {}).values())
            (value,) = {contact.name, contact.company, contact.note, *attributes}
            assert value is not None
            assert attributes
            found[contact.customer_id] = value
    return found

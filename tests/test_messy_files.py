"""Messy files are read right with no settings, and no line of any is lost."""

from pathlib import Path
from typing import Any

import pytest

from crm.errors import ClienteleError, UnreadableFile
from tests.messy import CASES, SPECTRUM, Case
from tests.messy.accounts import Outcome, read_file, unaccounted

CLASSICS = Path(__file__).resolve().parents[2] / "shared" / "data" / "messy" / "csv_spectrum"


def outcome_of(case: Case, folder: Path) -> Outcome:
    path = folder / "file.csv"
    path.write_bytes(case.content)
    return read_file(path, folder / "scratch")


def verdict(case: Case, folder: Path) -> str:
    """Return `right`, `asked`, `refused` or what is silently wrong."""
    try:
        outcome = outcome_of(case, folder)
    except ClienteleError as refusal:
        return "right" if case.refused and case.refused in str(refusal) else f"refused: {refusal}"
    if case.refused:
        return "wrong: it is read"
    if outcome.doubts:
        return "right" if case.asked else f"asked: {outcome.dialect.encoding} or {outcome.doubts}"
    if outcome.header != case.header:
        return f"wrong: header {outcome.header[:8]}"
    if tuple(outcome.rows) != case.rows:
        return f"wrong: rows {str(outcome.rows[:4])[:300]}"
    if tuple(line for line, _, _ in outcome.rejected) != case.rejected:
        return f"wrong: rejected {[row[:2] for row in outcome.rejected]}"
    return "right"


def parameters(cases: tuple[Case, ...]) -> list[Any]:
    """Return the cases by their names; those that take a second are among the slow ones."""
    heavy = {"a cell of 3 MB", "a cell of 10 MB", "two thousand columns"}
    return [
        pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.name in heavy else [])
        for case in cases
    ]


def test_there_are_48_files() -> None:
    assert len(CASES) == len({case.name for case in CASES}) == 48


@pytest.mark.parametrize("case", parameters(CASES))
def test_a_messy_file_is_read_right(case: Case, tmp_path: Path) -> None:
    assert verdict(case, tmp_path) == "right"


@pytest.mark.parametrize("case", parameters(tuple(case for case in (*CASES, *SPECTRUM) if not case.refused)))
def test_every_line_of_a_messy_file_is_in_one_place(case: Case, tmp_path: Path) -> None:
    assert unaccounted(outcome_of(case, tmp_path)) == []


@pytest.mark.parametrize("case", parameters(SPECTRUM))
def test_the_twelve_classic_shapes_are_read_right(case: Case, tmp_path: Path) -> None:
    assert verdict(case, tmp_path) == "right"


CLASSIC_READINGS = {
    "comma_in_quotes": (("first", "last", "address", "city", "zip"), [("John", "Doe", "120 any st.", "Anytown, WW", "08123")]),
    "empty": (("a", "b", "c"), [("1", "", ""), ("2", "3", "4")]),
    "empty_crlf": (("a", "b", "c"), [("1", "", ""), ("2", "3", "4")]),
    "escaped_quotes": (("a", "b"), [("1", 'ha "ha" ha'), ("3", "4")]),
    "json": (("key", "val"), [("1", '{"type": "Point", "coordinates": [102.0, 0.5]}')]),
    "location_coordinates": (
        ("Contact Phone Number", "Location Coordinates", "Cities", "Counties"),
        [("2095257564", "37\ufffd36'37.8\"N 121\ufffd2'17.9\"W", "Modesto", "Stanislaus")],
    ),
    "newlines": (("a", "b", "c"), [("1", "2", "3"), ("Once upon \na time", "5", "6"), ("7", "8", "9")]),
    "newlines_crlf": (("a", "b", "c"), [("1", "2", "3"), ("Once upon \r\na time", "5", "6"), ("7", "8", "9")]),
    "quotes_and_newlines": (("a", "b"), [("1", 'ha \n"ha" \nha'), ("3", "4")]),
    "simple": (("a", "b", "c"), [("1", "2", "3")]),
    "simple_crlf": (("a", "b", "c"), [("1", "2", "3")]),
    "utf8": (("a", "b", "c"), [("1", "2", "3"), ("4", "5", "ʤ")]),
}  # fmt: skip


@pytest.mark.skipif(not CLASSICS.is_dir(), reason="the classic files are not beside the checkout")
@pytest.mark.parametrize("name", CLASSIC_READINGS)
def test_the_twelve_classic_files_are_read_right(name: str, tmp_path: Path) -> None:
    outcome = read_file(CLASSICS / f"{name}.csv", tmp_path / "scratch")
    assert (outcome.header, outcome.rows) == CLASSIC_READINGS[name]
    assert (outcome.rejected, outcome.doubts, unaccounted(outcome)) == ([], (), [])


def test_a_lost_line_is_noticed_by_the_account(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "semicolons")
    outcome = outcome_of(case, tmp_path)
    outcome.path.write_bytes(outcome.path.read_bytes() + b"A5;c9;2025-03-01;1.00\n")
    assert unaccounted(outcome) == ["line 6 is lost"]


def test_damage_beyond_use_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(UnreadableFile, match="binary"):
        read_file(path, tmp_path / "scratch")

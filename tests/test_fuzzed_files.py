"""Files damaged by chance are refused in words, or every line of them is accounted for.

`python -m tests.fuzz 10000` does the same at length and says which file took the longest.
"""

from pathlib import Path

import pytest

from tests.fuzz import damaged_file, outcome_of_seed


@pytest.mark.slow
@pytest.mark.parametrize("tens", range(30))
def test_damaged_files_are_refused_or_accounted_for(tens: int, tmp_path: Path) -> None:
    for seed in range(20_000 + tens * 10 + 1, 20_000 + tens * 10 + 11):
        result, wrong, _, _ = outcome_of_seed(seed, tmp_path)
        assert (seed, wrong) == (seed, [])
        assert result != "failed"


def test_a_seed_always_makes_the_same_file() -> None:
    assert [damaged_file(seed) for seed in range(1, 20)] == [damaged_file(seed) for seed in range(1, 20)]
    assert len({damaged_file(seed) for seed in range(1, 40)}) > 30

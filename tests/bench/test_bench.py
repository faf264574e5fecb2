"""The benchmark's contenders give the same answers; how fast is `make bench`'s business."""

import pytest

from tests.bench.__main__ import PAGE, main


@pytest.mark.slow
@pytest.mark.parametrize("part", ["sql", "pandas", "growth", "filter"])
def test_ours_and_the_peers_agree_on_small_shops(part, capsys):
    """Every comparison of results raises where one row differs; nothing is written to docs/."""
    before = PAGE.read_bytes() if PAGE.exists() else None
    assert main(["--quick", "--only", part]) == 0
    assert "Small sizes" in capsys.readouterr().out
    assert (PAGE.read_bytes() if PAGE.exists() else None) == before


@pytest.mark.slow
@pytest.mark.spark
def test_a_spark_connect_server_gives_the_same_table(capsys):
    """The rows that Sail writes are those that DuckDB makes."""
    assert main(["--quick", "--only", "spark"]) == 0
    assert "are those of DuckDB" in capsys.readouterr().out


@pytest.mark.slow
def test_the_fits_of_all_contenders_reach_the_same_likelihood(capsys):
    """Nobody's parameters are likelier than ours by more than a millionth, on a small made-up shop."""
    assert main(["--quick", "--only", "forecasts"]) == 0
    shown = capsys.readouterr().out
    assert "How the cost grows" in shown
    assert "nan" not in shown.lower()

"""Settings come from the environment, and what cannot be used is refused in words at the start."""

import os
from pathlib import Path

import pytest

from crm.errors import UnsafeSetting
from crm.settings import ROOT, load_settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch):
    for name in os.environ:
        if name.upper().startswith("CLIENTELE_"):
            monkeypatch.delenv(name)


def test_without_a_variable_both_stores_are_in_the_folder_data():
    settings = load_settings()
    assert settings.home == ROOT / "data" / "store"
    assert settings.lake_root == str(ROOT / "data" / "store" / "lake")
    assert settings.records_url == f"sqlite:///{ROOT / 'data' / 'store' / 'records.sqlite3'}"


def test_variables_are_read_and_overrides_go_before_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CLIENTELE_HOME", str(tmp_path / "one"))
    monkeypatch.setenv("CLIENTELE_THREADS", "3")
    assert (load_settings().home, load_settings().threads) == (tmp_path / "one", 3)
    assert load_settings(home=tmp_path / "two").home == tmp_path / "two"


def test_folders_may_have_blanks_and_umlauts_and_become_absolute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLIENTELE_HOME", "Kunden über alles")
    monkeypatch.setenv("CLIENTELE_LAKE_URL", "der See")
    assert load_settings().home == tmp_path / "Kunden über alles"
    assert load_settings().lake_root == str(tmp_path / "der See")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CLIENTELE_LAKE_URL", "s3://bucket/lake", "keeps its lake in a folder"),
        ("CLIENTELE_LAKE_URL", "lake/year=*", "*"),
        ("CLIENTELE_HOME", "/srv/100%", "%"),
        ("CLIENTELE_HOME", "/srv/what?", "?"),
        ("CLIENTELE_HOME", "/srv/store[1]", "["),
        ("CLIENTELE_ENGINE", "spark", "use duckdb or sc://host:port"),
        ("CLIENTELE_MEMORY_LIMIT", "lots", "use a number and a unit"),
        ("CLIENTELE_THREADS", "-1", "greater than or equal to 0"),
        ("CLIENTELE_LOG_LEVEL", "loud", "use DEBUG"),
        ("CLIENTELE_ALLOWED_NETWORKS", "10.0.0.0/8, office", "'office', which is no network"),
        ("CLIENTELE_ALLOWED_NETWORKS", "10.0.0.1/8", "no network"),
        ("CLIENTELE_ALLOWED_PORTS", "6432, 70000", "'70000', which is no port"),
        ("CLIENTELE_CA_FILE", "/nothing/here.pem", "names no file"),
        ("CLIENTELE_SECRET_KEY", "too short", "less than 32 bytes"),
        ("CLIENTELE_FETCH_ROWS", "0", "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, value)
    with pytest.raises(UnsafeSetting) as refusal:
        load_settings()
    assert name in refusal.value.message
    assert says in refusal.value.message


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("CLIENTELE_DATABSE_URL", "CLIENTELE_DATABASE_URL"),
        ("CLIENTELE_MEMORY", "CLIENTELE_MEMORY_LIMIT"),
        ("clientele_hoem", "CLIENTELE_HOME"),
    ],
)
def test_a_variable_that_no_setting_has_is_refused_with_the_nearest(
    given: str, meant: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(given, "x")
    with pytest.raises(UnsafeSetting) as refusal:
        load_settings()
    assert given in refusal.value.message
    assert meant in refusal.value.hint


def test_the_variables_of_the_tests_are_no_settings_and_no_fault(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLIENTELE_TEST_DATA", "/somewhere")
    monkeypatch.setenv("CLIENTELE_CHROMIUM", "/usr/bin/chromium")
    assert load_settings().engine == "duckdb"

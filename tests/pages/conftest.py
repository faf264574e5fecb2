"""The whole app on an empty store and on the sample shop, without a browser."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from crm import sample
from crm.settings import ROOT, load_settings
from crm.workbench import Workbench
from tests.spelling import plain

Start = Callable[..., AppTest]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.page)


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the sample shop, loaded once; copy it before changing it."""
    home = tmp_path_factory.mktemp("sample") / "home"
    workbench = Workbench.open(load_settings(home=home))
    sample.load(workbench.importer, actor="test", source="command line")
    workbench.close()
    return home


@pytest.fixture
def empty_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The app on a store without anything, its first page run."""
    yield from _app(tmp_path / "home", monkeypatch)


@pytest.fixture
def sample_app(tmp_path: Path, sample_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The app on a copy of the sample shop, its first page run."""
    home = tmp_path / "home"
    shutil.copytree(sample_home, home)
    yield from _app(home, monkeypatch)


@pytest.fixture(scope="session")
def read_home(sample_home: Path) -> Path:
    """A copy to look things up in: even asking leaves something, a forecast that is kept."""
    home = sample_home.with_name("read")
    shutil.copytree(sample_home, home)
    return home


@pytest.fixture
def shop(read_home: Path) -> Iterator[Workbench]:
    """The workbench of the sample shop, to be read only."""
    workbench = Workbench.open(load_settings(home=read_home))
    yield workbench
    workbench.close()


def _app(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setenv("CLIENTELE_HOME", str(home))
    st.cache_data.clear()
    st.cache_resource.clear()
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    st.cache_data.clear()
    st.cache_resource.clear()


def open_page(app: AppTest, page: str, /, **link: str) -> AppTest:
    """Open a page by its script, with choices in its link, and return the app."""
    app.query_params.clear()
    for name, value in link.items():
        app.query_params[name] = value
    return app.switch_page(page).run()


def text_of(app: AppTest) -> str:
    """Return everything that a page says in words, alerts with their titles included."""
    said = [
        element.value for element in (*app.title, *app.header, *app.subheader, *app.markdown, *app.caption)
    ]
    alerts = [f"{alert.proto.title} {alert.value}" for alert in (*app.error, *app.warning, *app.info)]
    return plain("\n".join([*said, *alerts])).replace("\\", "")


def link_of(app: AppTest, name: str) -> str | None:
    """Return what the link says for `name` after the last run."""
    if name not in app.query_params:
        return None
    value = app.query_params[name]
    return value if isinstance(value, str) else value[-1]

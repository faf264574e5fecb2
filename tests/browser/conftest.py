"""A browser, servers of their own, and a picture of what went wrong."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from crm import sample
from crm.settings import ROOT, load_settings
from crm.workbench import Workbench
from tests.browser.driving import Server, Visit, running_app
from tests.browser.find_chromium import find

PICTURES = ROOT / "test-results"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESK = {"width": 1440, "height": 1200}

Visitor = Callable[..., Visit]


# For this folder alone: while Playwright runs, its event loop would be in other tests' way.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium; without one the tests fail and say what to install."""
    path = find()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def shop_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the sample shop, loaded once; tests get copies."""
    home = tmp_path_factory.mktemp("shop") / "home"
    workbench = Workbench.open(load_settings(home=home))
    sample.load(workbench.importer, actor="test", source="command line")
    workbench.close()
    return home


@pytest.fixture(scope="module")
def shop(shop_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app on the sample shop, shared by the tests of a module that only look."""
    home = tmp_path_factory.mktemp("shared") / "home"
    shutil.copytree(shop_home, home)
    with running_app(home) as server:
        yield server


@pytest.fixture
def own_shop(shop_home: Path, tmp_path: Path) -> Iterator[Server]:
    """The app on a sample shop that a test may change or break."""
    shutil.copytree(shop_home, tmp_path / "home")
    with running_app(tmp_path / "home") as server:
        yield server


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    """The app on an empty store that nobody has visited yet."""
    with running_app(tmp_path / "home") as server:
        yield server


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """Return a function that opens a tab in a browser session of its own on a server."""
    tabs: list[Visit] = []
    with ExitStack() as stack:

        def opened(server: Server, **options: Any) -> Visit:
            context: BrowserContext = stack.enter_context(
                browser.new_context(**{"viewport": DESK, "locale": "en-GB", "timezone_id": "UTC", **options})
            )
            tabs.append(Visit(context.new_page(), server))
            return tabs[-1]

        yield opened
        if getattr(request.node, "failed", False):
            _picture(request.node.nodeid, tabs)


def _picture(name: str, tabs: list[Visit]) -> None:
    PICTURES.mkdir(exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "-", name.rsplit("browser/", maxsplit=1)[-1])
    for number, tab in enumerate(tabs, 1):
        tab.page.screenshot(path=PICTURES / f"{stem}-{number}.png")
        (PICTURES / f"{stem}-{number}.log").write_text(tab.server.logged()[-20_000:])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Note on a test that it failed, so that its tabs are pictured before they close."""
    report = yield
    if report.when == "call" and report.failed:
        item.failed = True  # type: ignore[attr-defined]
    return report

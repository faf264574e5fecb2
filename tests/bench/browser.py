"""Starting the app and changing its pages, seen from a browser."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from tests.bench.timing import Timing

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 120
HEADING = '[data-testid="stMain"] h1'
HELLO = '[data-testid="stMain"] p'
_DRAWN = """([mark, before]) => {
    const app = document.querySelector('[data-testid="stApp"]');
    if (!app || app.dataset.testConnectionState !== 'CONNECTED') return false;
    if (app.dataset.testScriptState !== 'notRunning') return false;
    const marked = document.querySelector(mark);
    if (!marked || !marked.innerText.trim() || marked.innerText.trim() === before) return false;
    if (document.querySelector('[data-stale="true"], [data-testid="stSkeleton"], [data-testid="stSpinner"]')) return false;
    const charts = [...document.querySelectorAll('[data-testid="stPlotlyChart"]')];
    return charts.every(chart => chart.querySelector('.main-svg')) && marked.innerText.trim();
}"""


def missing_pages() -> list[str]:
    """Return the pages that app.py lists and that are not there."""
    named = re.findall(r'"(pages/[\w/]+\.py)"', (ROOT / "crm" / "ui" / "state.py").read_text())
    return [name for name in named if not (ROOT / name).is_file()]


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome, or nothing: then Playwright's own is tried."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"):
        if path := shutil.which(name):
            return path
    return None


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser for as long as the block runs."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=flags)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def server(command: list[str], *, home: Path, cwd: Path, port: int) -> Iterator[None]:
    """A server as a child process (`command` is a module and its arguments), stopped when the block ends."""
    log = (home.parent / f"server-{port}.log").open("wb")
    child = subprocess.Popen(
        [sys.executable, "-m", *command, "--server.port", str(port), "--server.address", "localhost"],
        cwd=cwd, env=_environment(home), stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        log.close()


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLIENTELE_")}
    return {**kept, "CLIENTELE_HOME": str(home)}


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Return once the server on `port` answers. Raises TimeoutError."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        try:
            with urlopen(f"http://localhost:{port}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.01)
    raise TimeoutError(f"No server on port {port} after {PATIENCE} s")


@contextmanager
def our_app(home: Path, port: int) -> Iterator[None]:
    """The app on the store in `home`."""
    with server(["crm.ui.serve"], home=home, cwd=ROOT, port=port):
        yield


@contextmanager
def empty_app(folder: Path, port: int) -> Iterator[None]:
    """A Streamlit app that says hello."""
    (folder / "hello.py").write_text('import streamlit as st\n\nst.write("hello")\n')
    quiet = [
        "--server.headless",
        "true",
        "--browser.gatherUsageStats",
        "false",
        "--server.fileWatcherType",
        "none",
    ]
    with server(["streamlit", "run", "hello.py", *quiet], home=folder / "none", cwd=folder, port=port):
        yield


def first_page(browser: Any, port: int, *, mark: str = HEADING) -> str:
    """Open the app in a new browser session, wait until its first page is drawn, and return its heading.

    Drawn is: `mark` (a selector) is there, nothing runs, nothing is out of date, every chart has its marks.
    Raises AssertionError when the page shows an error instead.
    """
    wait_for(port)
    with session(browser, port) as page:
        return drawn(page, mark=mark)


@contextmanager
def session(browser: Any, port: int) -> Iterator[Any]:
    """The app in a browser session of its own, for as long as the block runs."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"http://localhost:{port}/")
        yield page
    finally:
        context.close()


def drawn(page: Any, *, mark: str = HEADING, before: str = "") -> str:
    """Return the text of `mark` once the page is drawn and it says something else than `before`.

    Raises AssertionError for a page that shows an error.
    """
    text: str = page.wait_for_function(_DRAWN, arg=[mark, before]).json_value()
    assert not page.locator('[data-testid="stException"]').count(), f"{text} shows an exception"
    wrong = page.get_by_text("Something unexpected went wrong")
    assert not wrong.count(), f"{text} shows an unexpected error"
    return text


def walk(browser: Any, port: int, *, rounds: int) -> tuple[dict[str, float], dict[str, Timing]]:
    """Click every entry of the sidebar and return the seconds of the first visit, and of `rounds` later ones.

    Keys are the pages' headings. Before the first visit to a page nobody has asked the server for it.
    """
    first: dict[str, float] = {}
    later: dict[str, Timing] = {}
    with session(browser, port) as page:
        heading = drawn(page)
        links = page.locator('[data-testid="stSidebarNavLink"]')
        # The first entry is the page that is open: begin after it, so that every click changes the page.
        places = [*range(1, links.count()), 0]
        for number in range(rounds + 1):
            for place in places:
                start = time.perf_counter()
                links.nth(place).click()
                heading = drawn(page, before=heading)
                seconds = time.perf_counter() - start
                if number == 0:
                    first[heading] = seconds
                    later[heading] = Timing()
                else:
                    later[heading].wall.append(seconds)
    return first, later

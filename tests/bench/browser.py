"""Starting the app and changing its pages, seen from a browser."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.timing import Timing
from tests.browser.find_chromium import find
from tests.browser.serving import Server, serving

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


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser for as long as the block runs."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=flags)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def empty_app(folder: Path) -> Iterator[Server]:
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
    with serving(folder / "none", ("streamlit", "run", "hello.py", *quiet), folder=folder) as server:
        yield server


def first_page(browser: Any, server: Server, *, mark: str = HEADING) -> str:
    """Open the app in a new browser session, wait until its first page is drawn, and return its heading.

    Drawn is: `mark` (a selector) is there, nothing runs, nothing is out of date, every chart has its marks.
    Raises AssertionError when the page shows an error instead.
    """
    server.wait_until_healthy()
    with session(browser, server) as page:
        return drawn(page, mark=mark)


@contextmanager
def session(browser: Any, server: Server) -> Iterator[Any]:
    """The app in a browser session of its own, for as long as the block runs."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"{server.url}/")
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


def walk(browser: Any, server: Server, *, rounds: int) -> tuple[dict[str, float], dict[str, Timing]]:
    """Click every entry of the sidebar and return the seconds of the first visit, and of `rounds` later ones.

    Keys are the pages' headings. Before the first visit to a page nobody has asked the server for it.
    """
    first: dict[str, float] = {}
    later: dict[str, Timing] = {}
    with session(browser, server) as page:
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

"""The app as a server of its own, and a page of it in a browser, both as a user meets them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from tests.browser.serving import Server, serving

PATIENCE = 30_000
"""Milliseconds that a result may take to appear, on a busy machine."""

_LIST = "[data-testid=stMain] [data-testid=stDataFrame]"
_NOTHING_RUNS = """() => {
    const app = document.querySelector('[data-testid="stApp"]');
    if (!app || app.dataset.testConnectionState !== 'CONNECTED') return false;
    if (app.dataset.testScriptState !== 'notRunning') return false;
    return !document.querySelector('[data-stale="true"], [data-testid="stSkeleton"], [data-testid="stSpinner"]');
}"""


@contextmanager
def running_app(home: Path) -> Iterator[Server]:
    """The app on the store in `home`, answering, for as long as the block runs."""
    with serving(home, ("crm.ui.serve", "--empty")) as server:
        server.wait_until_healthy()
        yield server
        server.check_alive()


@dataclass
class Visit:
    """A page of the app in a browser tab, with what the tab asked for and complained about."""

    page: Page
    server: Server
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        where = message.location.get("url", "")
        # Below a page's own path the front end looks for the server there first and finds it at the root next.
        probing = "404" in message.text and "/_stcore/" in where
        if message.type == "error" and not probing:
            self.complaints.append(f"{message.text} ({where})")

    def open(self, path: str = "", **link: str) -> "Visit":
        """Open a page by its address, with choices in its link, and return when nothing runs any more."""
        self.page.goto(f"{self.server.url}/{path}" + (f"?{urlencode(link)}" if link else ""))
        return self.settle()

    def go_to(self, title: str) -> "Visit":
        """Click a page's entry in the sidebar and return when it is drawn."""
        self.page.get_by_test_id("stSidebarNavLink").filter(has_text=title).first.click()
        self.expect_title(title)
        return self.settle()

    def settle(self) -> "Visit":
        """Wait until no script runs and nothing shown is out of date, and every chart is drawn.

        True for a moment before a run begins, too: what a test is about it waits for with `expect` besides.
        """
        self.server.check_alive()
        self.page.wait_for_function(_NOTHING_RUNS, timeout=PATIENCE)
        charts = self.page.get_by_test_id("stPlotlyChart")
        for number in range(charts.count()):
            charts.nth(number).locator(".main-svg").first.wait_for(state="attached", timeout=PATIENCE)
        return self

    def expect_title(self, title: str) -> None:
        """Wait until the page has one heading, and this one.

        A list, because a single expectation fails at once on the moment in which the heading of the view
        before still stands beside the new one.
        """
        expect(self.page.locator("[data-testid=stMain] h1")).to_have_text([title], timeout=PATIENCE)

    def expect_text(self, text: str, *, patience: int = PATIENCE) -> Locator:
        """Wait until the page says `text` where one can see it, and return the first place."""
        place = self.page.get_by_text(text).filter(visible=True).first
        expect(place).to_be_visible(timeout=patience)
        return place

    def expect_whole(self) -> None:
        """Assert that nothing on the page broke: no exception, no error nobody foresaw, no traceback."""
        expect(self.page.get_by_test_id("stException")).to_have_count(0)
        said = self.page.locator("body").inner_text()
        assert "Something unexpected went wrong" not in said, said
        assert "Traceback" not in said, said

    def press(self, name: str) -> None:
        """Click a button by its name."""
        self.page.get_by_role("button", name=name, exact=True).filter(visible=True).click()

    def refusal(self) -> str:
        """Wait for a refusal and return its words."""
        alert = self.page.get_by_test_id("stMain").get_by_test_id("stAlert").first
        expect(alert).to_be_visible(timeout=PATIENCE)
        return alert.inner_text()

    def cells(self, alt: str | None = None) -> list[list[str]]:
        """Return the cells of the page's last table as its reader hears them, the header first.

        Only the rows and columns on the screen are there: the table draws what one sees.
        """
        self.settle()
        table = self.page.locator(_LIST).last
        table.scroll_into_view_if_needed()
        rows = table.locator("[role=row]")
        expect(rows.nth(1)).to_be_attached(timeout=PATIENCE)
        return rows.evaluate_all(
            "rows => rows.map(row => [...row.querySelectorAll('[role=columnheader], [role=gridcell]')]"
            ".map(cell => cell.innerText))"
        )

    def click_row(self, number: int) -> None:
        """Click the first cell of a row, from 0, of the page's last table."""
        canvas = self.page.locator(_LIST).last.get_by_test_id("data-grid-canvas").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        # Cells are painted, not elements: head and rows are 35 pixels high each.
        self.page.mouse.click(box["x"] + 40, box["y"] + 35 + 35 * number + 17)

    def outsiders(self) -> list[str]:
        """Return what the tab asked of anybody but the server."""
        own = urlsplit(self.server.url).netloc
        return [
            url
            for url in self.asked
            if urlsplit(url).scheme not in {"data", "blob"} and urlsplit(url).netloc != own
        ]

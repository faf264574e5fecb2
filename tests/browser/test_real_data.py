"""Half a million real order lines through the page, with the figures that were counted elsewhere."""

import zipfile
from pathlib import Path

import pytest

from tests.browser.conftest import Visitor
from tests.browser.driving import Server, Visit
from tests.conftest import SHARED

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.slow]

LONG = 300_000
"""Milliseconds that reading, checking or importing the file may take on a busy machine."""

FIRST = "541,909 rows read = 406,829 created + 0 updated + 0 unchanged + 0 skipped + 135,080 rejected"
AGAIN = "541,909 rows read = 0 created + 0 updated + 406,829 unchanged + 0 skipped + 135,080 rejected"


@pytest.fixture(scope="module")
def online_retail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file as it is published, unpacked."""
    folder = tmp_path_factory.mktemp("real")
    with zipfile.ZipFile(SHARED / "online_retail" / "online_retail.csv.zip") as packed:
        name = next(name for name in packed.namelist() if name.endswith(".csv"))
        return Path(packed.extract(name, folder))


def import_file(tab: Visit, path: Path, counts: str) -> None:
    """Import a file of orders through the page; both its check and its result must say `counts`."""
    tab.page.locator("input[type=file]").set_input_files(path)
    tab.expect_text("was read and waits.", patience=LONG)
    tab.expect_text(counts, patience=LONG)
    tab.press(f"Import {path.name}")
    tab.expect_text(f"6. {path.name} is imported", patience=LONG)
    tab.expect_text(counts)


def test_online_retail_comes_in_whole_twice_and_goes_again(
    fresh: Server, visit: Visitor, online_retail: Path
):
    tab = visit(fresh).open().go_to("Import")
    import_file(tab, online_retail, FIRST)

    tab.go_to("Segments")
    tab.expect_text("4,338 customers with a purchase")
    tab.expect_text("As of 9 Dec 2011")

    tab.go_to("Import")
    tab.press("Import another file")
    import_file(tab, online_retail, AGAIN)
    tab.go_to("Segments")
    tab.expect_text("4,338 customers with a purchase")

    tab.go_to("Import history")
    for place in range(2):
        tab.click_row(place)  # an import that was undone stays in the list
        tab.expect_title(online_retail.name)
        tab.press("Undo this import")
        tab.press(f"Undo the import of {online_retail.name}")
        tab.expect_text("Undid the import of", patience=LONG)
        tab.press("All imports")
        tab.expect_title("Import history")
        tab.settle()
    tab.go_to("Segments")
    tab.expect_text("There are no orders yet.")
    tab.expect_whole()

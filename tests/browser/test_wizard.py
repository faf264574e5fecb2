"""A manager walks the import wizard with files as they come from China and from Germany."""

import csv
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor
from tests.browser.driving import PATIENCE, Server, Visit

pytestmark = pytest.mark.browser

CHINESE = [
    ["订单编号", "客户ID", "订单日期", "金额", "商品"],
    ["D1", "客户一", "2025-03-04", "128.50", "龙井茶"],
    ["D2", "客户二", "2025-03-05", "¥1,200.00", "普洱茶"],
    ["D3", "客户一", "明天", "66.00", "茉莉花茶"],
    ["D4", "客户三", "2025-03-07", "88.80", "铁观音"],
]
"""One row has a word (“tomorrow”) for a date; together the others are 1,417.30."""

GERMAN = [
    "Bestellnummer;Kundennummer;Bestelldatum;Betrag;Artikel",
    "B1;00123;31.01.2025;1.234,56;Grüner Tee",
    "B2;00124;01.02.2025;19,90;Weißer Tee",
    "B3;00123;02.02.2025;zwölf;Schwarzer Tee",
    "B4;00125;03.02.2025;-5,00;Rückgabe",
]
"""Decimal commas, points for thousands, IDs with leading zeros, one amount in words."""


def choose_file(tab: Visit, path: Path) -> None:
    tab.page.locator("input[type=file]").set_input_files(path)
    tab.expect_text(f"{path.name} was read and waits.")


def counts(read: int, *, created: int = 0, unchanged: int = 0, rejected: int = 0) -> str:
    return f"{read} rows read = {created} created + 0 updated + {unchanged} unchanged + 0 skipped + {rejected} rejected"


def import_it(tab: Visit, name: str) -> None:
    tab.press(f"Import {name}")
    tab.expect_text(f"6. {name} is imported")


def download_rejects(tab: Visit, folder: Path) -> list[dict[str, str]]:
    """Click on the rejected rows, keep the file as `rejected.csv` and return its rows."""
    with tab.page.expect_download(timeout=PATIENCE) as download:
        tab.press("Download rejected rows")
    path = folder / "rejected.csv"
    download.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def mend(rows: list[dict[str, str]], path: Path, **corrections: str) -> None:
    """Write rejected rows as a file again, with other values in some columns: as a spreadsheet would."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, **corrections} for row in rows)


def expect_overview(tab: Visit, revenue: str) -> None:
    tab.go_to("Overview")
    tab.expect_text(revenue)
    tab.expect_whole()


def undo_from_history(tab: Visit, name: str) -> None:
    """Open the newest import from the list, which must be this one, and take it back."""
    tab.go_to("Import history")
    assert tab.cells()[1][0] == name
    tab.click_row(0)
    expect(tab.page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=PATIENCE)
    tab.settle()
    tab.press("Undo this import")
    tab.press(f"Undo the import of {name}")
    tab.expect_text(f"Undid the import of {name}")


def test_a_gb18030_file_of_chinese_headers_goes_all_the_way(fresh: Server, visit: Visitor, tmp_path: Path):
    """Read, checked, imported but for one row; that row mended and imported, all of it undone."""
    path = tmp_path / "订单.csv"
    path.write_bytes("\r\n".join(",".join(_quoted(row)) for row in CHINESE).encode("gb18030"))
    tab = visit(fresh).open().go_to("Import")
    choose_file(tab, path)
    tab.expect_text("GB18030")
    tab.expect_text(counts(4, created=3, rejected=1))
    expect(tab.page.get_by_role("combobox", name=re.compile("^Amount"))).to_have_value("金额")
    import_it(tab, "订单.csv")
    tab.expect_text(counts(4, created=3, rejected=1))

    rows = download_rejects(tab, tmp_path)
    assert [(row["订单编号"], row["订单日期"], row["rejected_line"]) for row in rows] == [("D3", "明天", "4")]
    expect_overview(tab, "1,417")

    mend(rows, tmp_path / "mended.csv", 订单日期="2025-03-06")
    tab.go_to("Import")
    tab.press("Import another file")
    choose_file(tab, tmp_path / "mended.csv")
    tab.expect_text(counts(1, created=1))
    import_it(tab, "mended.csv")
    expect_overview(tab, "1,483")

    tab.go_to("Import")
    tab.press("Import another file")
    choose_file(tab, path)
    tab.expect_text("This very file was imported before")
    tab.expect_text(counts(4, unchanged=3, rejected=1))
    tab.press("Let go of it")

    undo_from_history(tab, "mended.csv")
    expect_overview(tab, "1,417")
    tab.go_to("Import history")
    assert [row[3] for row in tab.cells()[1:]] == ["Undone", "In force"]
    tab.expect_whole()


def _quoted(row: list[str]) -> list[str]:
    return [f'"{cell}"' if "," in cell else cell for cell in row]


def test_a_semicolon_file_of_decimal_commas_goes_all_the_way(fresh: Server, visit: Visitor, tmp_path: Path):
    """German headers in Windows-1252; what was rejected is mended in place and brings no duplicate."""
    path = tmp_path / "bestellungen.csv"
    path.write_bytes("\r\n".join(GERMAN).encode("cp1252"))
    tab = visit(fresh).open().go_to("Import")
    choose_file(tab, path)
    tab.expect_text("semicolons")
    tab.expect_text(counts(4, created=3, rejected=1))
    import_it(tab, "bestellungen.csv")
    rows = download_rejects(tab, tmp_path)
    assert [(row["Bestellnummer"], row["Betrag"]) for row in rows] == [("B3", "zwölf")]
    assert [row["Kundennummer"] for row in rows] == ["00123"]
    expect_overview(tab, "1,249")

    # The whole file, mended: what is stored already is recognised.
    mended = tmp_path / "bestellungen mended.csv"
    mended.write_bytes("\r\n".join(GERMAN).replace("zwölf", "12,00").encode("cp1252"))
    tab.go_to("Import")
    tab.press("Import another file")
    choose_file(tab, mended)
    tab.expect_text(counts(4, created=1, unchanged=3))
    import_it(tab, mended.name)
    expect_overview(tab, "1,261")

    undo_from_history(tab, mended.name)
    expect_overview(tab, "1,249")
    tab.expect_whole()


def test_a_file_read_wrongly_is_read_differently(fresh: Server, visit: Visitor, tmp_path: Path):
    """A choice behind the fold changes what was read, in its sentence and in the preview."""
    path = tmp_path / "lines.txt"
    path.write_text("anna|2025-01-05|10.50\nbob|2025-02-07|20.75\n", encoding="utf-8")
    tab = visit(fresh).open().go_to("Import")
    choose_file(tab, path)
    tab.expect_text("2 rows, 3 columns")
    # The check below has to be through: a list that drops down closes when the page is drawn anew.
    tab.expect_text("5. The import")
    tab.settle()
    tab.page.get_by_text("Read it differently").click()
    above = tab.page.get_by_label("Lines above the table").and_(tab.page.locator("input"))
    expect(above).to_be_visible()
    above.fill("1")
    above.press("Tab")
    expect(above).to_have_value("1")
    tab.press("Read again")
    tab.expect_text("1 row, 3 columns")
    tab.expect_whole()


def test_a_reload_in_the_middle_of_an_import_loses_nothing(fresh: Server, visit: Visitor, tmp_path: Path):
    """The page is loaded anew in the moment after the click: the import ends, once, and stands in the history."""
    path = tmp_path / "orders.csv"
    lines = [
        f"{number},c{number % 900},2025-01-{1 + number % 28:02d},{number}.50" for number in range(60_000)
    ]
    path.write_text("\n".join(["Order,Customer,Date,Amount", *lines]) + "\n", encoding="utf-8")
    tab = visit(fresh).open().go_to("Import")
    choose_file(tab, path)
    button = tab.page.get_by_role("button", name="Import orders.csv")
    expect(button).to_be_visible(timeout=PATIENCE)
    button.dblclick(no_wait_after=True)
    # A reload that overtakes the click is no reload in the middle of an import.
    begun, patience = fresh.home / "import.lock", time.monotonic() + PATIENCE / 1000
    while not begun.exists():
        assert time.monotonic() < patience, "the import never began"
        time.sleep(0.005)
    tab.page.reload()
    tab.open("history")
    expect(
        tab.page.get_by_text("In force").or_(tab.page.locator("[data-testid=stDataFrame]")).first
    ).to_be_visible(timeout=PATIENCE)
    _wait_for_one_import(tab)
    tab.expect_whole()


def _wait_for_one_import(tab: Visit) -> None:
    for _ in range(20):
        rows = tab.cells()
        if len(rows) == 2 and rows[1][3] == "In force":
            return
        tab.open("history")
    raise AssertionError(rows)

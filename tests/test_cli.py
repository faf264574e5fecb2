"""The command line answers on standard output, refuses on standard error, and counts as the pages do."""

import csv
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from crm import cli, sample
from crm.imports.loading import POLICIES
from crm.imports.values import OPTIONS
from tests.spelling import plain

ORDERS = (
    "order,customer,date,amount",
    "1,anna,2024-01-05,100.50",
    "2,anna,2024-11-05,50",
    "3,bob,2024-12-31,20",
    "4,,2024-12-31,30",
)
FORECAST = ("total", "low", "high", "mean", "median", "expected_orders_12m", "probability_alive")
FORECAST_ROWS = ("probability_alive", "expected_orders_12m", "expected_orders_12m_low", "expected_orders_12m_high",
                 "lifetime_value", "lifetime_value_low", "lifetime_value_high")  # fmt: skip
RULE = '{"field": "orders", "op": ">", "value": 1}'


class Shell:
    """Runs one command on a store of its own and keeps what it wrote."""

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.home, self._capture = home, capture

    def run(self, *arguments: object) -> str:
        """Return the standard output of a command that must succeed."""
        status = cli.main(["--home", str(self.home), *map(str, arguments)])
        written = self._capture.readouterr()
        assert status == 0, written.err
        return written.out

    def json(self, *arguments: object) -> dict[str, Any]:
        """Return the one JSON object that a command prints."""
        answer = json.loads(self.run(*arguments, "--json"))
        assert isinstance(answer, dict)
        return answer

    def refusal(self, *arguments: object) -> list[str]:
        """Return the message and the hint of a command that must be refused."""
        status = cli.main(["--home", str(self.home), *map(str, arguments)])
        written = self._capture.readouterr()
        assert status == 2
        assert written.out == ""
        lines = [line for line in written.err.splitlines() if not line.startswith("{")]
        assert len(lines) == 2, lines
        assert all(lines)
        return lines


@pytest.fixture
def shell(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("CLIENTELE_MEMORY_LIMIT", "1GB")
    return Shell(home, capsys)


@pytest.fixture
def shop(shell: Shell, csv_file: Callable[..., Path]) -> Shell:
    shell.run("import", csv_file(*ORDERS, name="orders.csv"))
    return shell


@pytest.fixture(scope="module")
def sample_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the sample shop, shared by the tests that only ask."""
    home = tmp_path_factory.mktemp("sample") / "home"
    assert cli.main(["--home", str(home), "demo"]) == 0
    return home


@pytest.fixture
def sample_shop(sample_store: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(sample_store, capsys)


def test_an_import_says_what_became_of_every_row(shell: Shell, csv_file: Callable[..., Path]):
    file = csv_file(*ORDERS, name="orders.csv")
    rehearsal = shell.json("import", file, "--dry-run")
    assert shell.json("imports") == {"imports": []}
    report = shell.json("import", file)
    for answer in (rehearsal, report):
        assert (answer["kind"], answer["file_name"]) == ("orders", "orders.csv")
        assert {
            name: answer[name]
            for name in ("rows_read", "created", "updated", "unchanged", "skipped", "rejected")
        } == {"rows_read": 4, "created": 3, "updated": 0, "unchanged": 0, "skipped": 0, "rejected": 1}
        assert answer["reasons"] == [{"reason": "The customer ID is empty.", "rows": 1}]
        assert answer["assumed"]
    assert report["import_id"]
    with Path(report["rejects_file"]).open(encoding="utf-8-sig", newline="") as rejects:
        assert [row["order"] for row in csv.DictReader(rejects)] == ["4"]


def test_columns_and_ways_of_reading_can_be_given(shell: Shell, csv_file: Callable[..., Path]):
    file = csv_file("a;b;c;d", "1;anna;05/01/2024;1,500", "2;bob;06/01/2024;2,500")
    given = [f"--map={field}={column}" for field, column in zip(
        ("order_id", "customer_id", "ordered_at", "amount"), "abcd", strict=True
    )]  # fmt: skip
    report = shell.json(
        "import", file, "--kind=orders", *given, "--set", "date_order=dmy", "--set", "decimal=,"
    )
    assert report["created"] == 2
    found = shell.json("segments", "rfm")
    assert (found["as_of"], sum(row["revenue"] for row in found["segments"])) == ("2024-01-06", 4.0)


def test_an_import_is_listed_and_can_be_undone(shop: Shell):
    (listed,) = shop.json("imports")["imports"]
    assert (listed["file_name"], listed["status"], listed["rows_read"]) == ("orders.csv", "done", 4)
    assert "orders.csv" in shop.run("imports")

    answer = shop.json("undo", listed["import_id"])
    assert answer == {"import_id": listed["import_id"], "undone": True, "conflicts": []}
    assert shop.json("imports")["imports"][0]["status"] == "undone"
    shop.refusal("undo", listed["import_id"])
    shop.refusal("segments", "rfm")


def test_every_import_is_listed(shell: Shell, csv_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cli, "_PAGE", 2)
    for number in range(5):
        shell.run("import", csv_file("customer_id,name", f"c{number},Ann", name=f"{number}.csv"))
    assert [row["file_name"] for row in shell.json("imports")["imports"]] == [
        "4.csv", "3.csv", "2.csv", "1.csv", "0.csv",
    ]  # fmt: skip


def test_the_table_of_customers_has_a_row_for_each(shop: Shell, tmp_path: Path):
    out = tmp_path / "customers.csv"
    assert shop.run("customers", "--out", out).startswith("2 customers as of 2024-12-31")
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["customer_id"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"anna", "bob"}
    assert (float(rows["anna"]["revenue"]), int(rows["anna"]["orders"])) == (150.5, 2)


def test_segments_sum_to_the_whole(shop: Shell):
    found = shop.json("segments", "rfm")
    assert (found["scheme"], found["as_of"], found["customers"]) == ("rfm", "2024-12-31", 2)
    assert sum(row["customers"] for row in found["segments"]) == 2
    assert sum(row["revenue"] for row in found["segments"]) == pytest.approx(170.5)
    assert sum(row["orders"] for row in found["segments"]) == 3
    assert shop.json("segments", "rfm", "--as-of", "2024-06-30")["customers"] == 1
    assert "2 customers with a purchase" in shop.run("segments", "value_class")


def test_lifetime_value_refuses_a_forecast_for_two_customers_and_gives_the_formula(shop: Shell):
    found = shop.json("lifetime-value", "--years", "1", "--discount-rate", "0", "--acquisition-cost", "5")
    assert (found["customers"], found["years"], found["acquisition_cost"]) == (2, 1, 10.0)
    assert found["dcf"]["total"] == pytest.approx(found["annual_revenue"] - 10) == pytest.approx(160.5)
    assert set(found["dcf"]["test"]) >= {"days", "cut", "predicted", "actual", "bias", "usable", "reasons"}
    verdict = found["verdict"]
    assert (verdict["grade"], verdict["usable"]) == ("refused", False)
    assert "2 customers bought; a forecast takes at least 500." in verdict["reasons"]
    assert all(verdict["help"])
    assert found["unit"] == "week"
    unknown = ("model", "r", "alpha", "a", "b", "log_likelihood", "holdout", *FORECAST)
    assert {name: found[name] for name in unknown} == dict.fromkeys(unknown)
    assert {found["gamma_gamma"][name] for name in ("p", "q", "v", "log_likelihood")} == {None}
    said = shop.run("lifetime-value")
    assert "forecast: refused" in said
    assert "What would help: " in said
    assert "DCF formula: " in said
    assert "Expected in 12 months" not in said


def test_lifetime_value_by_the_forecast_is_the_sum_of_the_exported_rows(sample_shop: Shell, tmp_path: Path):
    found = sample_shop.json("lifetime-value")
    sample_shop.run("customers", "--out", tmp_path / "customers.csv")
    with (tmp_path / "customers.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    buyers = [row for row in rows if int(row["orders"])]

    assert (found["model"], found["verdict"]["grade"]) == ("bg_nbd", "usable")
    assert len(buyers) == found["customers"] < len(rows)
    assert found["total"] == pytest.approx(sum(float(row["lifetime_value"]) for row in buyers), abs=1)
    assert found["mean"] == pytest.approx(found["total"] / len(buyers), abs=1e-3)
    assert found["low"] < found["total"] < found["high"]
    alive = sum(float(row["probability_alive"]) for row in buyers) / len(buyers)
    assert found["probability_alive"] == pytest.approx(alive, abs=1e-6)
    orders = sum(float(row["expected_orders_12m"]) for row in buyers) / len(buyers)
    assert found["expected_orders_12m"] == pytest.approx(orders, abs=1e-6)
    assert found["dcf"]["total"] == pytest.approx(
        sum(float(row["dcf_lifetime_value"]) for row in buyers), abs=1
    )
    without = [row for row in rows if not int(row["orders"])]
    assert {row[name] for row in without for name in (*FORECAST_ROWS,)} == {""}


def test_lifetime_value_shows_parameters_errors_and_the_holdout_beside_naive_rules(sample_shop: Shell):
    found = sample_shop.json("lifetime-value", "--model", "pareto_nbd", "--holdout-weeks", "26")
    assert found["model"] == found["model_asked"] == "pareto_nbd"
    for name in ("r", "alpha", "s", "beta"):
        assert 0 < found["standard_errors"][name] < found[name]
    assert "a" not in found
    test = found["holdout"]
    assert (test["weeks"], test["cut"], test["model"]) == (26, "2025-12-30", "pareto_nbd")
    assert test["bias"] == pytest.approx((test["predicted"] - test["actual"]) / test["actual"])
    assert test["interval"]["low"] < test["predicted"] < test["interval"]["high"]
    assert 0.5 < test["correlation"] < 1
    assert [rule["name"] for rule in test["naive"]] == ["Same as a year before", "Everybody buys the average"]
    said = sample_shop.run("lifetime-value", "--model", "pareto_nbd")
    assert "Pareto/NBD, r " in said
    assert "likely still customers: " in said


def test_a_refused_forecast_leaves_its_fields_empty_in_lists_and_files(sample_shop: Shell, tmp_path: Path):
    early = ("--as-of", "2023-12-31")
    found = sample_shop.json("lifetime-value", *early)
    assert {found[name] for name in FORECAST} == {None}
    for ending in ("csv", "parquet", "xlsx"):
        sample_shop.run("customers", *early, "--out", tmp_path / f"out.{ending}")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row[name] for row in csv.DictReader(file) for name in FORECAST_ROWS} == {""}
    stored = pq.read_table(tmp_path / "out.parquet", columns=list(FORECAST_ROWS))
    assert all(column.null_count == len(column) for column in stored.columns)
    rule = '{"field": "lifetime_value", "op": "is_empty"}'
    everybody = sample_shop.json("export", *early, "--where", rule, "--out", tmp_path / "empty.csv")
    assert everybody["rows"] == len(stored)
    assert "No forecast: 459 customers bought" in everybody["definition"]


def test_an_audience_may_ask_what_the_forecast_says(sample_shop: Shell, tmp_path: Path):
    rule = json.dumps(
        {
            "all": [
                {"field": "probability_alive", "op": "between", "value": [0.2, 0.625]},
                {"field": "lifetime_value", "op": ">", "value": 1000},
            ]
        }
    )
    answer = sample_shop.json("export", "--where", rule, "--out", tmp_path / "fading.csv")
    with (tmp_path / "fading.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == answer["rows"] > 0
    assert all(0.2 <= float(row["probability_alive"]) <= 0.625 for row in rows)
    assert all(float(row["lifetime_value"]) > 1000 for row in rows)
    assert answer["definition"].startswith(
        "Likely still a customer between 20 % and 62.5 % and Lifetime value"
    )
    assert "Forecast by BG/NBD, usable." in answer["definition"]


@pytest.mark.parametrize("given", [["--margin", "0"], ["--years", "100"], ["--as-of", "2030-01-01"],
                                   ["--as-of", "2023-07-01"], ["--as-of", "2024-01-31", "--holdout-weeks", "52"]])  # fmt: skip
def test_what_is_odd_but_possible_gives_numbers_or_null(given: list[str], sample_shop: Shell):
    written = sample_shop.run("lifetime-value", *given, "--json")
    assert not re.search(r"NaN|Infinity", written)
    assert json.loads(written)["verdict"]["grade"] in {"usable", "care", "refused"}
    assert not re.search(r"\bnan\b|\binf\b", sample_shop.run("lifetime-value", *given))


def test_a_day_before_the_data_has_no_lifetime_value(shop: Shell):
    message, hint = shop.refusal("lifetime-value", "--as-of", "2001-01-01")
    assert plain(message) == "Nobody had bought by 1 Jan 2001."
    assert "later as-of day" in hint


def test_loyalty_leaves_the_score_open_that_nobody_gave(shop: Shell):
    found = shop.json("loyalty")
    assert (found["customers"], found["repeat_rate"]) == (2, 0.5)
    assert (found["recommendation_rate"], found["nps"]["score"]) == (0.0, None)
    assert "repeat rate 50.0 %" in plain(shop.run("loyalty"))


def test_an_export_has_exactly_the_rows_of_its_rule(shop: Shell, tmp_path: Path):
    out = tmp_path / "loyal.csv"
    answer = shop.json("export", "--where", RULE, "--out", out)
    assert (answer["rows"], answer["file"], answer["as_of"]) == (1, str(out), "2024-12-31")
    assert answer["definition"]
    with out.open(encoding="utf-8-sig", newline="") as file:
        assert [row["customer_id"] for row in csv.DictReader(file)] == ["anna"]
    assert shop.json("export", "--out", tmp_path / "all.xlsx")["rows"] == 2


@pytest.mark.parametrize(
    "which", [["--where", ""], ["--where", "{"], ["--audience", ""], ["--audience", "No"]]
)
def test_an_audience_that_is_none_exports_nobody(which: list[str], shop: Shell, tmp_path: Path):
    shop.refusal("export", *which, "--out", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_the_sample_shop_is_loaded_only_when_nothing_ever_was(
    shop: Shell, csv_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert shop.run("demo", "--if-empty") == ""
    assert shop.run("demo", "--remove") == "The sample shop is not loaded.\n"
    monkeypatch.setattr(sample, "FOLDER", tmp_path)
    monkeypatch.setattr(sample, "FILES", (("orders", "sample.csv.gz"),))
    (tmp_path / "sample.csv.gz").write_bytes(gzip.compress("\n".join(ORDERS).encode()))
    assert shop.run("demo").startswith("orders: ")
    shop.refusal("demo")
    assert shop.run("demo", "--remove") == "Took out 1 files of the sample shop.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "nowhere.csv"],
        ["undo", "no-such-import"],
        ["segments", "zodiac"],
        ["lifetime-value", "--years", "0"],
        ["lifetime-value", "--years", "101"],
        ["lifetime-value", "--discount-rate", "-1"],
        ["lifetime-value", "--discount-rate", "-2"],
        ["lifetime-value", "--discount-rate", "nan"],
        ["lifetime-value", "--margin", "1.5"],
        ["lifetime-value", "--acquisition-cost", "inf"],
        ["lifetime-value", "--holdout-weeks", "9999"],
        ["lifetime-value", "--holdout-weeks", "0"],
        ["lifetime-value", "--model", "foo"],
        ["export", "--out", "list.docx"],
        ["customers", "--out", "list.docx"],
    ],
)
def test_what_cannot_be_done_is_refused_with_a_hint(arguments: list[str], shop: Shell):
    shop.refusal(*arguments)


@pytest.mark.parametrize("given", [["--set", "policy=all"], ["--set", "date_order=ymd"], ["--set", "decimal"],
                                   ["--map", "customer"], ["--map", "customer_id=Nobody"]])  # fmt: skip
def test_a_way_of_reading_that_is_none_is_refused(
    given: list[str], shell: Shell, csv_file: Callable[..., Path]
):
    shell.refusal("import", csv_file(*ORDERS), *given)


def test_an_empty_store_and_a_wrong_setting_are_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    for command in (["segments", "rfm"], ["lifetime-value"], ["loyalty"]):
        shell.refusal(*command)
    monkeypatch.setenv("CLIENTELE_ENGIN", "duckdb")
    message, hint = shell.refusal("imports")
    assert "CLIENTELE_ENGIN" in message
    assert "CLIENTELE_ENGINE" in hint


def test_stopping_says_where_to_look(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def stop(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load_settings", stop)
    assert cli.main(["imports"]) == 130
    assert capsys.readouterr().err == "Stopped. `python -m crm imports` shows what is in force.\n"


def test_the_help_names_every_way_of_reading(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        cli.main(["import", "--help"])
    said = "".join(capsys.readouterr().out.split())
    for name, answers in {**OPTIONS, "policy": POLICIES}.items():
        assert f"{name}={'|'.join(answers)}" in said  # of a country, any

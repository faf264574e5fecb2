"""The sample shop is what its README and its truth.json say."""

import csv
import gzip
import importlib.util
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import lgamma
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from crm import schema

FOLDER = Path(__file__).resolve().parent.parent / "data" / "sample"
TABLES = ("contacts", "orders", "responses")

Row = dict[str, str]


@dataclass(frozen=True)
class Purchase:
    """One purchase: the lines of an order that sum to more than 0."""

    customer_id: str
    day: date
    total: Decimal


@dataclass(frozen=True)
class Histories:
    """One entry per customer with a purchase: the input of BG/NBD in weeks, and of Gamma-Gamma."""

    x: np.ndarray
    t_x: np.ndarray
    T: np.ndarray
    purchases: np.ndarray
    average: np.ndarray


def read(name: str) -> list[Row]:
    with gzip.open(FOLDER / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_generate", FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while it is being made
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return json.loads((FOLDER / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def contacts() -> list[Row]:
    return read("contacts")


@pytest.fixture(scope="module")
def orders() -> list[Row]:
    return read("orders")


@pytest.fixture(scope="module")
def responses() -> list[Row]:
    return read("responses")


@pytest.fixture(scope="module")
def purchases(orders: list[Row]) -> dict[str, Purchase]:
    totals: dict[str, Decimal] = defaultdict(Decimal)
    head: dict[str, Row] = {}
    for line in orders:
        totals[line["order_id"]] += Decimal(line["amount"])
        head.setdefault(line["order_id"], line)
    return {
        number: Purchase(head[number]["customer_id"], moment(head[number]["order_date"]).date(), total)
        for number, total in totals.items()
        if total > 0
    }


@pytest.fixture(scope="module")
def histories(purchases: dict[str, Purchase], truth: dict[str, Any]) -> Histories:
    days: dict[str, set[date]] = defaultdict(set)
    totals: dict[str, list[float]] = defaultdict(list)
    for purchase in purchases.values():
        days[purchase.customer_id].add(purchase.day)
        totals[purchase.customer_id].append(float(purchase.total))
    as_of = date.fromisoformat(truth["last_day"])
    return Histories(
        x=np.array([len(bought) - 1 for bought in days.values()]),
        t_x=np.array([(max(bought) - min(bought)).days / 7 for bought in days.values()]),
        T=np.array([(as_of - min(bought)).days / 7 for bought in days.values()]),
        purchases=np.array([len(totals[who]) for who in days]),
        average=np.array([np.mean(totals[who]) for who in days]),
    )


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  the shop's own clock


def log_gamma(values: np.ndarray) -> np.ndarray:
    levels, position = np.unique(values, return_inverse=True)
    return np.array([lgamma(level) for level in levels])[position]


def bg_nbd_log_likelihood(histories: Histories, r: float, alpha: float, a: float, b: float) -> float:
    """Equation 6 of Fader, Hardie and Lee (2005), "Counting your customers" the easy way."""
    x, t_x, T = histories.x, histories.t_x, histories.T
    counted = log_gamma(r + x) - lgamma(r) + r * np.log(alpha)
    stayed = lgamma(a + b) - lgamma(b) + log_gamma(b + x) - log_gamma(a + b + x)
    silent = -(r + x) * np.log(alpha + T)
    repeat = np.maximum(x, 1)
    left = np.where(x > 0, np.log(a / (b + repeat - 1)) - (r + x) * np.log(alpha + t_x), -np.inf)
    return float((counted + stayed + np.logaddexp(silent, left)).sum())


def gamma_gamma_log_likelihood(histories: Histories, p: float, q: float, v: float) -> float:
    """Equation 1a of Fader and Hardie (2013), the Gamma-Gamma model of monetary value."""
    n, mean = histories.purchases, histories.average
    each = (
        log_gamma(p * n + q) - log_gamma(p * n) - lgamma(q) + q * np.log(v)
        + (p * n - 1) * np.log(mean) + p * n * np.log(n) - (p * n + q) * np.log(n * mean + v)
    )  # fmt: skip
    return float(each.sum())


def climb(function: Callable[..., float], start: list[float]) -> tuple[list[float], float]:
    """Return where `function` of positive parameters is highest, and how high: Hooke and Jeeves' search."""
    base, best = np.log(start), function(*start)
    step = 0.1
    while step > 1e-4:
        tried = base.copy()
        height = best
        for n in range(len(base)):
            for change in (step, -step):
                candidate = tried.copy()
                candidate[n] += change
                if (reached := function(*np.exp(candidate))) > height:
                    tried, height = candidate, reached
                    break
        if height == best:
            step /= 2
            continue
        onward = 2 * tried - base
        base, best = tried, height
        if (reached := function(*np.exp(onward))) > best:
            base, best = onward, reached
    return list(np.exp(base)), best


@pytest.mark.slow
def test_the_generator_writes_the_stored_tables_and_truth(generate: ModuleType, tmp_path: Path) -> None:
    """Compared unpacked: another zlib may pack the same text into other bytes."""
    generate.write(tmp_path)

    for name in TABLES:
        made = gzip.decompress((tmp_path / f"{name}.csv.gz").read_bytes())
        assert made == gzip.decompress((FOLDER / f"{name}.csv.gz").read_bytes()), name
    assert (tmp_path / "truth.json").read_bytes() == (FOLDER / "truth.json").read_bytes()


@pytest.mark.slow
def test_two_runs_write_the_same_bytes(generate: ModuleType, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"

    generate.write(first)
    generate.write(second)

    assert {file.name for file in first.iterdir()} == {*(f"{name}.csv.gz" for name in TABLES), "truth.json"}
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes(), file.name


@pytest.mark.parametrize("name", TABLES)
def test_the_packed_files_hold_neither_a_name_nor_a_time(name: str) -> None:
    head = (FOLDER / f"{name}.csv.gz").read_bytes()[:10]

    assert head[:2] == b"\x1f\x8b"
    assert head[3] == 0, "flags: no name, no comment"
    assert head[4:8] == bytes(4), "time"


def test_the_files_are_small() -> None:
    assert sum((FOLDER / f"{name}.csv.gz").stat().st_size for name in TABLES) < 2_000_000


@pytest.mark.parametrize("name", TABLES)
def test_every_header_is_one_that_the_schema_knows(name: schema.Kind) -> None:
    known = [
        column.name
        for header in read(name)[0]
        for column in schema.KINDS[name]
        if header.replace("_", "").lower() in column.synonyms
    ]

    assert len(known) == len(read(name)[0])
    assert len(set(known)) == len(known)
    assert {column.name for column in schema.KINDS[name] if column.required} <= set(known)


@pytest.mark.parametrize("name", TABLES)
def test_the_readme_explains_every_column(name: str) -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")

    section = text.split(f"\n### {name}\n")[1].split("\n#")[0]
    assert set(read(name)[0]) <= set(re.findall(r"`(\w+)`", section))


def test_the_readme_states_the_counts(truth: dict[str, Any]) -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")

    for what in ("contacts", "prospects", "orders", "order_lines", "responses"):
        assert f"{truth['counts'][what]:,}" in text, what


def test_the_truth_counts_what_is_there(
    truth: dict[str, Any],
    contacts: list[Row],
    orders: list[Row],
    responses: list[Row],
    purchases: dict[str, Purchase],
) -> None:
    numbers = {line["order_id"] for line in orders}
    customers = {line["customer_id"] for line in orders}

    assert truth["counts"] == {
        "contacts": len(contacts),
        "prospects": len({row["customer_id"] for row in contacts} - customers),
        "customers": len({purchase.customer_id for purchase in purchases.values()}),
        "orders": len(numbers),
        "purchases": len(purchases),
        "returns": len(numbers) - len(purchases),
        "purchase_days": len({(one.customer_id, one.day) for one in purchases.values()}),
        "order_lines": len(orders),
        "responses": len(responses),
        "feedback_answers": sum(row["feedback"] != "" for row in responses),
        "recommendation_answers": sum(row["recommendation"] != "" for row in responses),
    }
    days = [line["order_date"][:10] for line in orders]
    assert (truth["first_day"], truth["last_day"]) == (min(days), max(days))
    assert Decimal(truth["revenue"]) == sum(Decimal(line["amount"]) for line in orders)
    assert Decimal(truth["purchased"]) == sum(one.total for one in purchases.values())
    assert Decimal(truth["returned"]) == Decimal(truth["revenue"]) - Decimal(truth["purchased"])
    assert {line["currency"] for line in orders} == {truth["currency"]}


def test_the_shop_has_the_size_that_was_meant(truth: dict[str, Any]) -> None:
    counts = truth["counts"]

    assert counts["contacts"] == 5_000
    assert counts["prospects"] / counts["contacts"] == pytest.approx(0.06)
    assert 38_000 < counts["orders"] < 42_000
    assert 0.03 < counts["returns"] / counts["purchases"] < 0.04
    assert 1.5 < counts["order_lines"] / counts["orders"] < 1.7
    assert 5_500 < counts["responses"] < 6_500
    assert counts["purchase_days"] < counts["purchases"]
    assert (truth["first_day"], truth["last_day"]) == ("2023-07-01", "2026-06-30")


def test_identifiers_are_unique_and_keep_their_zeros(
    contacts: list[Row], responses: list[Row], orders: list[Row]
) -> None:
    assert sorted(row["customer_id"] for row in contacts) == [f"C{n:05d}" for n in range(1, 5_001)]
    assert len({row["response_id"] for row in responses}) == len(responses)
    assert all(re.fullmatch(r"[OR]\d{6}", line["order_id"]) for line in orders)


def test_every_line_is_quantity_times_unit_price(orders: list[Row]) -> None:
    for line in orders:
        assert Decimal(line["amount"]) == int(line["quantity"]) * Decimal(line["unit_price"]), line
        assert Decimal(line["unit_price"]) > 0
        assert (int(line["quantity"]) < 0) == line["order_id"].startswith("R")
        assert int(line["quantity"]) != 0


def test_an_order_is_one_customer_s_at_one_moment_and_has_one_to_four_lines(orders: list[Row]) -> None:
    lines = Counter(line["order_id"] for line in orders)
    heads = {(line["order_id"], line["customer_id"], line["order_date"], line["channel"]) for line in orders}

    assert len(heads) == len(lines)
    assert set(lines.values()) == {1, 2, 3, 4}


def test_everything_belongs_to_a_contact(
    contacts: list[Row], orders: list[Row], responses: list[Row]
) -> None:
    known = {row["customer_id"] for row in contacts}
    owner = {line["order_id"]: line["customer_id"] for line in orders}

    assert {line["customer_id"] for line in orders} <= known
    assert all(owner[row["order_id"]] == row["customer_id"] for row in responses)
    assert all(row["order_id"].startswith("O") for row in responses)


def test_nobody_buys_before_joining_or_outside_the_three_years(
    contacts: list[Row], orders: list[Row], truth: dict[str, Any]
) -> None:
    joined = {row["customer_id"]: row["joined_on"] for row in contacts}
    moments = [line["order_date"] for line in orders]

    assert moments == sorted(moments)
    assert all(joined[line["customer_id"]] <= line["order_date"][:10] for line in orders)
    assert all(truth["first_day"] <= row["joined_on"] <= truth["last_day"] for row in contacts)


def test_a_return_follows_its_purchase_and_sends_back_no_more_than_was_bought(orders: list[Row]) -> None:
    lines: dict[str, list[Row]] = defaultdict(list)
    for line in orders:
        lines[line["order_id"]].append(line)

    for number in (number for number in lines if number.startswith("R")):
        bought = lines["O" + number[1:]]
        assert bought[0]["customer_id"] == lines[number][0]["customer_id"]
        assert bought[0]["order_date"][:10] < lines[number][0]["order_date"][:10]
        pieces = Counter((line["product"], line["amount"]) for line in bought)
        back = Counter((line["product"], line["amount"].removeprefix("-")) for line in lines[number])
        assert back <= pieces, number


def test_an_answer_follows_its_purchase_and_says_something(
    orders: list[Row], responses: list[Row], truth: dict[str, Any]
) -> None:
    placed = {line["order_id"]: line["order_date"] for line in orders}

    for row in responses:
        assert placed[row["order_id"]][:10] < row["response_date"][:10] <= truth["last_day"]
        assert row["feedback"] or row["recommendation"]
        assert row["recommendation"] == "" or 0 <= int(row["recommendation"]) <= 10
    for column in ("feedback", "recommendation"):
        assert 0.05 < sum(row[column] == "" for row in responses) / len(responses) < 0.5


def test_no_address_or_number_can_be_anybody_s(contacts: list[Row]) -> None:
    fictional = re.compile(
        r"\+86 100 0\d{3} \d{4}"
        r"|\+44 (20 7946 0\d{3}|7700 900\d{3}|161 496 0\d{3}|131 496 0\d{3})"
        r"|\+1 \d{3} 555 01\d\d"
        r"|\+49 30 23125 \d{3}"
    )
    for column, pattern in (("email", re.compile(r"[a-z.]+\d+@example\.(com|org)")), ("phone", fictional)):
        written = [row[column] for row in contacts if row[column]]
        assert 0.85 * len(contacts) < len(written) < len(contacts)
        assert len(set(written)) == len(written), column
        assert all(pattern.fullmatch(value) for value in written), column


def test_contacts_fill_every_segment_of_the_schemes(contacts: list[Row]) -> None:
    income = [int(row["annual_income"]) for row in contacts if row["annual_income"]]
    assert 0.06 < sum(each > 1_000_000 for each in income) / len(income) < 0.10
    assert 0.22 < sum(500_000 < each <= 1_000_000 for each in income) / len(income) < 0.28
    assert 0.85 < len(income) / len(contacts) < 0.95

    assert not [row for row in contacts if row["birth_date"] and row["age"]]
    born = [2026 - int(row["birth_date"][:4]) for row in contacts if row["birth_date"]]
    for low, high, least in ((18, 30, 0.2), (30, 60, 0.4), (60, 100, 0.1)):
        assert sum(low <= age < high for age in born) / len(born) > least
    assert 200 < sum(row["age"] != "" for row in contacts) < 1_000
    assert sum(not row["age"] and not row["birth_date"] for row in contacts) > 200

    cities = Counter(row["city"] for row in contacts)
    for city in (
        "Beijing",
        "北京",
        "Shanghai",
        "上海",
        "Shenzhen",
        "深圳",
        "Guangdong",
        "广东",
        "London",
        "Berlin",
        "",
    ):
        assert cities[city] > 30, city
    for column in ("email_consent", "phone_consent"):
        assert {row[column] for row in contacts} == {"yes", "no"}


def test_channels_differ_in_cost_and_in_what_their_customers_bring(
    contacts: list[Row], orders: list[Row]
) -> None:
    channel = {row["customer_id"]: row["channel"] for row in contacts}
    costs: dict[str, list[float]] = defaultdict(list)
    for row in contacts:
        if row["acquisition_cost"]:
            assert Decimal(row["acquisition_cost"]) > 0
            costs[row["channel"]].append(float(row["acquisition_cost"]))
    revenue: dict[str, float] = defaultdict(float)
    for line in orders:
        revenue[channel[line["customer_id"]]] += float(line["amount"])
    per_contact = {name: revenue[name] / count for name, count in Counter(channel.values()).items()}

    assert sorted(costs, key=lambda name: float(np.mean(costs[name]))) == [
        "Referral", "Store", "Social", "Search", "Marketplace",
    ]  # fmt: skip
    assert max(per_contact, key=per_contact.__getitem__) == "Referral"
    assert min(per_contact, key=per_contact.__getitem__) == "Marketplace"


def test_the_shop_grows_and_every_year_peaks_in_november_and_december(orders: list[Row]) -> None:
    revenue: dict[str, float] = defaultdict(float)
    for line in orders:
        revenue[line["order_date"][:7]] += float(line["amount"])
    months = sorted(revenue)
    years = [sum(revenue[month] for month in months[start : start + 12]) for start in (0, 12, 24)]

    assert len(months) == 36
    assert years[0] * 1.5 < years[1] < years[2]
    for start in (0, 12, 24):
        october, november, december, january, february = (revenue[months[start + n]] for n in range(3, 8))
        assert min(november, december) > 1.4 * max(october, february)
        assert january < december
    for start in (12, 24):  # in the first year growth outruns the season
        ranked = sorted(months[start : start + 12], key=revenue.__getitem__)
        assert {month[-2:] for month in ranked[-2:]} == {"11", "12"}


def test_a_year_holds_as_many_operational_as_calendar_weeks(generate: ModuleType) -> None:
    passed = generate.clock(generate.daily_intensity())

    assert (np.diff(passed) > 0).all()
    for day in (date(2024, 7, 1), date(2025, 7, 1), date(2026, 7, 1)):
        days = (day - generate.FIRST_DAY).days
        assert passed[days] == pytest.approx(days / 7)


def test_late_parcels_of_a_winter_cost_recommendations(responses: list[Row]) -> None:
    def score(first: str, last: str) -> float:
        answers = [
            int(row["recommendation"])
            for row in responses
            if first <= row["response_date"] < last and row["recommendation"]
        ]
        return float(np.mean([(answer >= 9) - (answer <= 6) for answer in answers]))

    assert score("2024-11-25", "2025-01-05") < score("2024-08-01", "2024-11-01") - 0.15
    assert score("2025-11-25", "2026-01-05") > score("2024-11-25", "2025-01-05") + 0.15


def test_bg_nbd_finds_the_truth_again(histories: Histories, truth: dict[str, Any]) -> None:
    """The truth's log-likelihood is within 3 of the best: nothing four parameters would be refused for."""
    true = list(truth["bg_nbd"].values())

    found, best = climb(lambda *each: bg_nbd_log_likelihood(histories, *each), true)

    at_truth = bg_nbd_log_likelihood(histories, *true)
    assert 0 <= best - at_truth < 3
    assert found == pytest.approx(true, rel=0.1)
    for n in range(4):
        for factor in (0.8, 1.25):
            moved = [value * (factor if n == m else 1) for m, value in enumerate(true)]
            assert bg_nbd_log_likelihood(histories, *moved) < at_truth - 3


def test_as_many_customers_are_alive_as_bg_nbd_says(histories: Histories, truth: dict[str, Any]) -> None:
    r, alpha, a, b = truth["bg_nbd"].values()
    x, t_x, T = histories.x, histories.t_x, histories.T

    odds = a / (b + np.maximum(x, 1) - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x)
    expected = (1 / (1 + np.where(x > 0, odds, 0))).sum()

    assert expected == pytest.approx(truth["customers_alive_at_end"], rel=0.03)


def test_gamma_gamma_finds_the_truth_again(histories: Histories, truth: dict[str, Any]) -> None:
    true = list(truth["gamma_gamma"].values())

    found, best = climb(lambda *each: gamma_gamma_log_likelihood(histories, *each), true)

    assert 0 <= best - gamma_gamma_log_likelihood(histories, *true) < 3
    p, q, v = found
    assert p * v / (q - 1) == pytest.approx(true[0] * true[2] / (true[1] - 1), rel=0.03)
    assert found == pytest.approx(true, rel=0.1)


def test_spend_does_not_depend_on_how_often_a_customer_buys(histories: Histories) -> None:
    assert abs(np.corrcoef(histories.purchases, histories.average)[0, 1]) < 0.05

"""The same figures on DuckDB, through Spark Connect and from a pandas frame: to the cent and to the customer."""

import math
import zipfile
from decimal import Decimal
from pathlib import Path

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pytest

from crm import sample
from crm.analytics.profiles import HISTORY, SCORES, Scores
from crm.analytics.rfm import rfm
from crm.analytics.segments import SCHEMES
from crm.settings import load_settings
from crm.workbench import Workbench
from tests.conftest import SHARED

CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def sample_home(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("sample")
    workbench = Workbench.open(load_settings(home=home))
    sample.load(workbench.importer, actor="test", source="command line")
    workbench.close()
    return home


@pytest.fixture(scope="module")
def retail_home(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("retail")
    with zipfile.ZipFile(SHARED / "online_retail" / "online_retail.csv.zip") as archive:
        archive.extractall(home)
    workbench = Workbench.open(load_settings(home=home))
    workbench.importer.run(home / "online_retail.csv", kind="orders", actor="test", source="command line")
    workbench.close()
    return home


def comparable(value):
    if isinstance(value, Decimal):
        return value.quantize(CENT)
    if isinstance(value, float):
        return None if pd.isna(value) else round(value, 6)
    return value


def everything(workbench):
    """Return the whole per-customer table by customer, and every scheme's counts and revenue."""
    as_of = workbench.as_of()
    rows = workbench.engine.batches(workbench.customers(as_of=as_of)).read_all().to_pylist()
    customers = {row["customer_id"]: {name: comparable(value) for name, value in row.items()} for row in rows}
    schemes = {
        scheme.name: [
            (row.segment, row.customers, round(row.revenue, 2), row.orders)
            for row in workbench.segments(scheme.name, as_of=as_of).rows.itertuples()
        ]
        for scheme in SCHEMES
    }
    return customers, schemes


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.parametrize("store", ["sample_home", pytest.param("retail_home", marks=pytest.mark.real)])
def test_spark_and_duckdb_agree_on_every_field_of_every_customer(store, request, spark_url):
    home = request.getfixturevalue(store)
    answers = []
    for engine in ("duckdb", spark_url):
        workbench = Workbench.open(load_settings(home=home, engine=engine))
        answers.append(everything(workbench))
        workbench.close()

    (duckdb_customers, duckdb_schemes), (spark_customers, spark_schemes) = answers
    assert spark_schemes == duckdb_schemes
    assert spark_customers == duckdb_customers


def scores_of(histories):
    """Return scores of these histories, no two columns and no two rows alike."""
    rows = [
        {
            **{name: row[name] for name in HISTORY},
            **{
                name: math.sin(place + row["purchase_days"]) * row["tenure_days"] / (1 + row["recency_days"])
                for place, name in enumerate(SCORES.names)
                if name not in HISTORY
            },
        }
        for row in histories
    ]
    return Scores("agreement", pa.Table.from_pylist(rows, SCORES))


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.parametrize("store", ["sample_home", pytest.param("retail_home", marks=pytest.mark.real)])
def test_spark_and_duckdb_agree_on_every_history_and_every_forecast(store, request, spark_url):
    """Histories and their money exactly, forecasts to nine digits, and the same customers without any."""
    home = request.getfixturevalue(store)
    histories, forecasts = [], []
    for engine in ("duckdb", spark_url):
        workbench = Workbench.open(load_settings(home=home, engine=engine))
        as_of = workbench.as_of()
        rows = workbench.engine.batches(workbench.engine.histories(as_of=as_of)).read_all().to_pylist()
        histories.append({tuple(row[name] for name in HISTORY): row for row in rows})
        valued = workbench.engine.valued(as_of=as_of, scores=scores_of(rows))
        names = [name for name, type_ in valued.collect_schema().items() if type_ == nw.Float64]
        table = workbench.engine.batches(valued.select("customer_id", *names)).read_all()
        forecasts.append(
            {
                row["customer_id"]: [math.nan if row[name] is None else row[name] for name in names]
                for row in table.to_pylist()
            }
        )
        workbench.close()

    assert histories[0] == histories[1]
    assert forecasts[0].keys() == forecasts[1].keys()
    assert {"lifetime_value_high", "loading_7", "cost"} < set(names)
    for customer, found in forecasts[0].items():
        assert found == pytest.approx(forecasts[1][customer], rel=1e-9, abs=1e-9, nan_ok=True), customer
    alive = names.index("probability_alive")
    known = sum(not math.isnan(row[alive]) for row in forecasts[0].values())
    assert known == sum(row["customers"] for row in histories[0].values()) > 0


@pytest.mark.slow
@pytest.mark.parametrize("store", ["sample_home", pytest.param("retail_home", marks=pytest.mark.real)])
def test_a_pandas_frame_of_floats_gives_the_same_scores_and_cents(store, request):
    home = request.getfixturevalue(store)
    workbench = Workbench.open(load_settings(home=home))
    as_of = workbench.as_of()
    customers, _ = everything(workbench)
    lines = workbench.engine.collect(
        workbench.engine.orders().select("order_id", "customer_id", "ordered_at", "amount")
    )
    purchases = workbench.engine.purchases(as_of=as_of).select("customer_id", "repeat_spend")
    rows = workbench.engine.batches(purchases).read_all().to_pylist()
    bought_again = {row["customer_id"]: row["repeat_spend"] for row in rows}
    workbench.close()

    scored = rfm(lines, as_of=as_of)

    fields = ["orders", "purchase_days", "returns", "recency_days", "tenure_days", "recency_score",
              "frequency_score", "monetary_score", "rfm_segment"]  # fmt: skip
    bought = {key: row for key, row in customers.items() if row["orders"] or row["returns"]}
    assert len(scored) == len(bought)
    for row in scored.itertuples(index=False):
        expected = bought[row.customer_id]
        found = {name: None if pd.isna(getattr(row, name)) else getattr(row, name) for name in fields}
        assert found == {name: expected[name] for name in fields}
        assert round(row.revenue, 2) == expected["revenue"].quantize(CENT)
        spent = bought_again[row.customer_id]
        assert (None if pd.isna(row.repeat_spend) else row.repeat_spend) == spent

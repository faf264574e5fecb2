"""Fixtures that every test may use: engines, tiny tables, a store of its own."""

import logging
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import settings

from crm import schema
from crm.analytics.tables import day_number

_BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
SHARED = Path(os.environ.get("CLIENTELE_TEST_DATA") or _BESIDE).expanduser().resolve()
"""Folder of the published data sets that tests marked `real` read."""

# Whether the suite passes depends on the code alone. `make explore` tries examples that nobody has seen yet.
settings.register_profile("suite", derandomize=True)
settings.register_profile("explore", derandomize=False, print_blob=True)
settings.load_profile("suite")

SERVERS: list[Any] = []

BACKENDS = ["duckdb", "pandas", pytest.param("spark", marks=pytest.mark.spark)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if SHARED.is_dir():
        return
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(
                pytest.mark.skip(reason="the real data (CLIENTELE_TEST_DATA) is not on this machine")
            )


@pytest.fixture(scope="session")
def spark_url() -> str:
    """Address of a Spark Connect server that lives as long as the test session."""
    os.environ.setdefault("RUST_LOG", "error")
    logging.getLogger("pyspark").setLevel(logging.ERROR)
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer()
    server.start()
    _, port = server.listening_address
    # Kept, and never stopped: it ends with this process, after its clients.
    SERVERS.append(server)
    return f"sc://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def spark(spark_url: str) -> Iterator[Any]:
    """A session on the Spark Connect server."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.remote(spark_url).create()
    yield session
    session.stop()


DUCKDB = duckdb.connect()


def on_duckdb(table: pa.Table) -> nw.LazyFrame[Any]:
    """Put an Arrow table on DuckDB, as a Narwhals LazyFrame.

    In one database for the whole run: each of its own has threads and megabytes, and whatever keeps a failed
    example of a property keeps those as well, thousands of times while the example is made smaller.
    """
    return nw.from_native(DUCKDB.from_arrow(table))


@pytest.fixture(params=BACKENDS)
def frame_of(request: pytest.FixtureRequest) -> Callable[[pa.Table], nw.LazyFrame[Any]]:
    """Return a function that puts an Arrow table on one of the engines, as a Narwhals LazyFrame."""
    if request.param == "duckdb":
        return on_duckdb
    if request.param == "spark":
        session = request.getfixturevalue("spark")
        return lambda table: nw.from_native(session.createDataFrame(table))
    import pandas as pd

    return lambda table: nw.from_native(table.to_pandas(types_mapper=pd.ArrowDtype)).lazy()


def order_lines(*rows: tuple[Any, ...]) -> pa.Table:
    """Return order lines of (order_id, customer_id, day as ISO text, amount as text), shaped as schema.ORDERS."""
    records = []
    for order_id, customer_id, day, amount in rows:
        when = date.fromisoformat(day)
        records.append(
            {
                "order_id": order_id,
                "customer_id": customer_id,
                "ordered_at": datetime(when.year, when.month, when.day, tzinfo=UTC).replace(tzinfo=None),
                "day": day_number(when),
                "amount": Decimal(amount).quantize(Decimal("0.0001")),
                "import_id": "test",
            }
        )
    return pa.Table.from_pylist(records, schema=schema.ORDERS)


def rows_of(frame: nw.LazyFrame[Any], *, by: str | list[str] = "customer_id") -> list[dict[str, Any]]:
    """Return the rows of a lazy frame as plain Python values, sorted; exact decimals become floats."""
    keys = [by] if isinstance(by, str) else by
    collected = frame.collect()
    rows = [{name: _plain(value) for name, value in row.items()} for row in collected.iter_rows(named=True)]
    return sorted(rows, key=lambda row: [str(row[key]) for key in keys])


def _plain(value: Any) -> Any:
    import pandas as pd

    if isinstance(value, pa.Scalar):
        value = value.as_py()
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.date()
    if hasattr(value, "item"):
        return value.item()
    return value


from tests.fixtures_databases import mariadb_source, postgres_source, postgres_with_tls  # noqa: E402, F401
from tests.fixtures_records import *  # noqa: E402, F403
from tests.fixtures_store import csv_file, home, workbench  # noqa: E402, F401

"""A made-up shop of any size, written straight into a lake: order lines of many customers over 730 days."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from crm.lake import Lake
from tests import simulate

FIRST = date(2023, 1, 1)
DAYS = 730
LINES_PER_CUSTOMER = 10
AS_OF = FIRST + timedelta(days=DAYS - 1)


def make(folder: Path, *, lines: int, customers: int) -> Lake:
    """Write `lines` order lines of exactly `customers` customers into a new lake and return it.

    Two lines an order. Each customer has at least one order; the others fall to few customers more often
    than to many, as in a shop. One order in 40 is a return, so some customers have only returned, and one
    line in 50 of the other orders takes something off. Ids are text, amounts have two places.
    """
    connection = duckdb.connect()
    start = (FIRST - date(1970, 1, 1)).days
    query = f"""
        WITH placed AS (
            SELECT line_number,
                   line_number // 2 AS number,
                   CASE WHEN line_number // 2 < {customers} THEN line_number // 2
                        ELSE floor({customers} * power((hash(line_number // 2) % 1000003) / 1000003.0, 1.6))
                   END::BIGINT AS customer,
                   {start} + (hash(line_number // 2 + 77777777) % {DAYS})::INTEGER AS placed_on,
                   (hash(line_number * 3 + 5) % 1000037) / 1000037.0 AS luck,
                   hash(line_number // 2 + 55555555) % 40 = 0 AS sent_back
            FROM range({lines}) AS numbers (line_number)
        )
        SELECT 'O' || lpad(number::VARCHAR, 9, '0') AS order_id,
               'C' || lpad(customer::VARCHAR, 8, '0') AS customer_id,
               (DATE '1970-01-01' + placed_on)::TIMESTAMP + INTERVAL 10 HOUR AS ordered_at,
               placed_on::INTEGER AS "day",
               round(CASE WHEN sent_back OR luck < 0.02 THEN -1 ELSE 1 END * exp(luck * 4), 2)::DECIMAL(18, 4) AS amount,
               1::DECIMAL(18, 4) AS quantity,
               NULL::DECIMAL(18, 4) AS unit_price,
               'P' || (hash(line_number) % 500)::VARCHAR AS product,
               'K' || (hash(line_number) % 20)::VARCHAR AS category,
               'web' AS channel,
               'EUR' AS currency,
               'bench' AS import_id
        FROM placed
        """
    return _written(folder, connection, query)


def make_leaving(folder: Path, *, customers: int) -> Lake:
    """Write the orders of customers who buy, spend and leave as BG/NBD and Gamma-Gamma say into a new lake.

    About six purchases a customer over two years, two lines each. The shop of `make`, whose customers never
    leave, would be refused a forecast.
    """
    made = simulate.make(
        "bg_nbd", simulate.BUSY["bg_nbd"], customers=customers, seed=1, observed=(4.0, DAYS / 7 - 1)
    )
    customer, ago, money = simulate.purchases(made, seed=2)
    end = (AS_OF - date(1970, 1, 1)).days
    placed = pa.table({"customer": customer, "placed_on": end - ago, "money": money})
    connection = duckdb.connect()
    connection.register("placed", placed)
    query = """
        SELECT 'O' || lpad((row_number() OVER ())::VARCHAR, 9, '0') AS order_id,
               'C' || lpad(customer::VARCHAR, 8, '0') AS customer_id,
               (DATE '1970-01-01' + placed_on::INTEGER)::TIMESTAMP + INTERVAL 10 HOUR AS ordered_at,
               placed_on::INTEGER AS "day",
               greatest(0.01, round(money * part, 2))::DECIMAL(18, 4) AS amount,
               1::DECIMAL(18, 4) AS quantity,
               NULL::DECIMAL(18, 4) AS unit_price,
               'P' || (hash(customer, placed_on, part) % 500)::VARCHAR AS product,
               'K' || (hash(customer, placed_on, part) % 20)::VARCHAR AS category,
               'web' AS channel,
               'EUR' AS currency,
               'bench' AS import_id
        FROM placed, (VALUES (0.7), (0.3)) AS parts (part)
        """
    return _written(folder, connection, query)


def _written(folder: Path, connection: duckdb.DuckDBPyConnection, query: str) -> Lake:
    """Put the order lines of a query into a new lake in `folder` and return it."""
    lake = Lake.open(str(folder))
    files = folder / "made"
    connection.execute(f"COPY ({query}) TO '{files}' (FORMAT parquet, ROW_GROUPS_PER_FILE 8)")
    lake.commit("orders", sorted(files.iterdir()), import_id="bench")
    shutil.rmtree(files)
    return lake

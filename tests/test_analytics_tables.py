"""The doorway of the analytics: any frame in, the same kind out, exact money; and published data through it."""

from datetime import date
from decimal import Decimal
from functools import cache

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.analytics.customers import customer_metrics, order_totals, with_purchase
from crm.analytics.loyalty import loyalty_totals, rate
from crm.analytics.revenue import revenue_by_day
from crm.analytics.rfm import SEGMENTS, rfm
from crm.analytics.segments import find_scheme, segment_summary, value_classes
from crm.analytics.tables import (
    day_expr,
    day_number,
    day_of,
    divide,
    require,
    table_function,
    ten_thousandths,
)
from crm.errors import MissingColumns
from crm.schema import MONEY
from tests.conftest import SHARED, on_duckdb, order_lines, rows_of

AS_OF = date(2024, 3, 31)


# Days


@given(st.dates(date(1, 1, 1), date(9999, 12, 31)))
def test_a_day_and_its_number_are_each_others_inverse(day):
    assert day_of(day_number(day)) == day


def test_the_first_day_of_1970_is_day_zero():
    assert day_number(date(1970, 1, 1)) == 0
    assert day_number(date(1969, 12, 31)) == -1
    assert day_number(date(2024, 2, 29)) == 19_782


def test_every_engine_makes_the_same_dates_of_day_numbers(frame_of):
    days = [date(1890, 2, 28), date(1969, 12, 31), date(1970, 1, 1), date(2024, 2, 29), date(2100, 1, 1)]
    numbers = pa.array([day_number(day) for day in days], pa.int32())

    rows = rows_of(
        frame_of(pa.table({"number": numbers})).with_columns(day=day_expr(nw.col("number"))), by="day"
    )

    assert [row["day"] for row in rows] == days


# Numbers


def test_every_engine_divides_alike_to_the_last_digit(frame_of):
    pairs = [(1.0, 3.0), (40.0, 3.0), (-7.0, 49.0), (0.0, 5.0), (99999999999999.9999, 7.0)]
    table = pa.table({"part": [part for part, _ in pairs], "whole": [whole for _, whole in pairs]})

    rows = rows_of(frame_of(table).with_columns(made=divide(nw.col("part"), nw.col("whole"))), by="part")

    assert {(row["part"], row["whole"]): row["made"] for row in rows} == {
        (part, whole): part * whole**-1 for part, whole in pairs
    }


def test_money_in_ten_thousandths_is_whole_on_every_engine(frame_of):
    amounts = ["0", "1.005", "-1.005", "0.0001", "-0.0001", "1000000.01", "64.01", "249999999999.9999"]
    table = pa.table({"row": range(len(amounts)), "amount": pa.array(map(Decimal, amounts), MONEY)})

    rows = rows_of(frame_of(table).with_columns(made=ten_thousandths(nw.col("amount"))), by="row")

    assert [row["made"] for row in rows] == [int(Decimal(amount) * 10_000) for amount in amounts]


# Frames in and out


@table_function
def doubled(frame, *, by):
    """Return the frame's amounts times `by`."""
    require(frame, "amount")
    return frame.with_columns(amount=nw.col("amount") * by)


LINES = order_lines(("1", "ann", "2024-03-01", "0.10"), ("1", "ann", "2024-03-01", "0.20"))


def test_a_lazy_frame_stays_lazy_on_its_engine(frame_of):
    frame = frame_of(LINES)

    result = doubled(frame, by=2)

    assert isinstance(result, nw.LazyFrame)
    assert result.implementation == frame.implementation


def test_an_engines_own_frame_comes_back_as_its_own_kind(frame_of):
    native = frame_of(LINES).to_native()

    result = doubled(native, by=2)

    assert type(result) is type(native)
    assert rows_of(nw.from_native(result).lazy(), by="amount")[0]["amount"] == 0.2


def test_an_arrow_table_comes_back_as_one():
    result = customer_metrics(LINES, as_of=AS_OF)

    assert isinstance(result, pa.Table)
    assert result["revenue"].to_pylist() == [Decimal("0.3000")]


def test_a_function_keeps_its_name_and_its_words():
    assert doubled.__name__ == "doubled"
    assert doubled.__doc__ == "Return the frame's amounts times `by`."


def test_what_is_no_frame_is_refused():
    with pytest.raises(TypeError):
        doubled([1, 2], by=2)


def test_missing_columns_are_named_together_with_those_there_are(frame_of):
    frame = frame_of(pa.table({"a": [1], "b": [2]}))

    require(frame, "a", "b")
    with pytest.raises(MissingColumns, match=r"no column c, d\. Found: a, b\.") as refused:
        require(frame, "c", "a", "d")
    assert refused.value.hint


def test_floats_of_a_notebook_are_money_and_times_are_days():
    orders = pd.DataFrame(
        {
            "order_id": ["1", "1", "1", "2"],
            "customer_id": ["a"] * 4,
            "ordered_at": pd.to_datetime(
                ["1969-12-31 23:59:59", "1969-12-31 00:00:00", "1969-12-31 12:00:00", "1970-01-01 00:00:00"]
            ),
            "amount": [0.1, 0.2, -0.3, np.nan],
        }
    )

    totals = order_totals(orders, as_of=date(1970, 1, 1)).sort_values("order_id")

    assert list(totals["day"]) == [-1, 0]
    assert list(totals["total"]) == [Decimal("0.0000"), Decimal("0.0000")]


def test_a_frame_with_a_day_of_its_own_keeps_it():
    orders = pd.DataFrame(
        {
            "order_id": ["1"],
            "customer_id": ["a"],
            "ordered_at": pd.to_datetime(["2024-03-01 00:30"]),
            "day": [day_number(date(2024, 2, 29))],  # the shop's day ends at one in the morning
            "amount": [5],
        }
    )

    assert list(order_totals(orders, as_of=AS_OF)["day"]) == [day_number(date(2024, 2, 29))]


def test_the_callers_frame_is_left_as_it_was():
    orders = LINES.to_pandas()
    before = orders.copy()

    customer_metrics(orders, as_of=AS_OF)

    pd.testing.assert_frame_equal(orders, before)


def test_customers_with_and_without_a_purchase_stay_whole_numbers_in_pandas():
    """NumPy makes floats of whole numbers beside an empty one; Arrow's types do not."""
    orders = order_lines(("1", "ann", "2024-03-01", "5"), ("2", "bob", "2024-03-01", "-5")).to_pandas()

    result = rfm(orders, as_of=AS_OF)

    assert str(result["recency_days"].dtype) == "int64[pyarrow]"
    assert [
        None if pd.isna(value) else value for value in result.sort_values("customer_id")["recency_score"]
    ] == [
        1,
        None,
    ]


# Published data, read as a notebook user would


@cache
def cdnow_master():
    """Return the file's rows as order lines: an order each, since it has no order number."""
    names = ["customer_id", "date", "cds", "amount"]
    rows = pd.read_csv(SHARED / "cdnow" / "CDNOW_master.txt", sep=r"\s+", skiprows=1, names=names, dtype=str)
    return _cdnow_lines(rows)


@cache
def cdnow_sample():
    names = ["master_id", "customer_id", "date", "cds", "amount"]
    rows = pd.read_csv(SHARED / "cdnow" / "CDNOW_sample.txt", sep=r"\s+", names=names, dtype=str)
    return _cdnow_lines(rows)


def _cdnow_lines(rows):
    return pd.DataFrame(
        {
            "order_id": [str(number) for number in range(len(rows))],
            "customer_id": rows["customer_id"],
            "ordered_at": pd.to_datetime(rows["date"], format="%Y%m%d"),
            "amount": rows["amount"].astype(float),
        }
    )


@cache
def online_retail():
    """Return the lines with a customer; returns and free articles with them."""
    rows = pd.read_csv(
        SHARED / "online_retail" / "online_retail.csv.zip",
        usecols=["InvoiceNo", "CustomerID", "InvoiceDate", "Quantity", "UnitPrice"],
        dtype={"InvoiceNo": str, "CustomerID": str},
    ).dropna(subset="CustomerID")
    return pd.DataFrame(
        {
            "order_id": rows["InvoiceNo"],
            "customer_id": rows["CustomerID"],
            "ordered_at": pd.to_datetime(rows["InvoiceDate"]),
            "amount": rows["Quantity"] * rows["UnitPrice"],
        }
    )


def lake_table(orders):
    """Return a notebook's frame as the lake's columns that the analytics read."""
    days = (orders["ordered_at"] - pd.Timestamp(0)).dt.days
    return pa.table(
        {
            "order_id": pa.array(orders["order_id"], pa.string()),
            "customer_id": pa.array(orders["customer_id"], pa.string()),
            "day": pa.array(days, pa.int32()),
            "amount": pa.array([f"{amount:.4f}" for amount in orders["amount"]]).cast(MONEY),
        }
    )


@pytest.mark.real
def test_cdnow_has_its_published_customers_and_revenue():
    """Of 69,659 orders 80 are of nothing: those are returns, and 68 customers bought nothing else."""
    customers = customer_metrics(cdnow_master(), as_of=date(1998, 6, 30))

    assert len(customers) == 23_570
    assert customers["revenue"].sum() == Decimal("2500315.63")
    assert customers["orders"].sum() == 69_659 - 80
    assert customers["returns"].sum() == 80
    assert (customers["orders"] == 0).sum() == 68


@pytest.mark.real
def test_cdnow_is_the_same_on_every_engine(frame_of):
    frame = frame_of(lake_table(cdnow_master()))

    scored = value_classes(rfm(frame, as_of=date(1998, 6, 30)))
    segments = rows_of(segment_summary(scored, scheme=find_scheme("rfm")), by="segment")
    classes = rows_of(segment_summary(scored, scheme=find_scheme("value_class")), by="segment")
    days = rows_of(revenue_by_day(frame, as_of=date(1998, 6, 30)), by="day")

    assert {row["segment"] for row in segments} <= set(SEGMENTS)
    for summary in (segments, classes):
        assert sum(row["customers"] for row in summary) == 23_570 - 68
        assert round(sum(row["revenue"] for row in summary), 2) == 2_500_315.63
        assert sum(row["orders"] for row in summary) == 69_659 - 80
    assert round(sum(row["revenue"] for row in days), 2) == 2_500_315.63
    shares = {row["segment"]: row["revenue"] / 2_500_315.63 for row in classes}
    assert shares["A"] == pytest.approx(0.80, abs=0.001)
    assert shares["A"] + shares["B"] == pytest.approx(0.95, abs=0.001)


@pytest.mark.real
def test_the_cdnow_sample_gives_the_published_frequency_recency_and_age():
    """After 39 weeks, as published with the BG/NBD model: x = purchase days − 1, t_x and T in weeks.

    Eight customers' only order by then was of zero dollars. The publication counts it as the first
    purchase; here an order of nothing is no purchase.
    """
    published = pd.read_csv(SHARED / "cdnow" / "cdnow_customers_summary.csv").set_index("ID")
    orders = cdnow_sample()
    customers = customer_metrics(orders, as_of=date(1997, 9, 30))
    customers = customers.set_index(customers["customer_id"].astype(int)).sort_index()
    assert list(customers.index) == list(published.index) == list(range(1, 2358))

    free = customers[customers["orders"] == 0]
    assert list(free.index) == [87, 155, 227, 286, 1080, 1195, 1293, 2086]
    assert set(published.loc[free.index, "frequency"]) == {0}
    assert (orders["amount"] == 0).sum() == len(free)

    bought, known = customers.drop(free.index), published.drop(free.index)
    last_to_first = bought["tenure_days"].astype(float) - bought["recency_days"].astype(float)
    assert list(bought["purchase_days"] - 1) == list(known["frequency"])
    assert list((last_to_first / 7).round(2)) == pytest.approx(list(known["recency"]), abs=0.0051)
    assert list((bought["tenure_days"].astype(float) / 7).round(2)) == pytest.approx(
        list(known["T"]), abs=0.0051
    )
    assert (bought["purchase_days"] - 1).sum() == 2_457
    assert (bought["purchase_days"] == 1).sum() == 1_411 - 8
    assert (bought["tenure_days"].iloc[0], last_to_first.iloc[0]) == (272, 213)  # 38.857 and 30.4286 weeks


@pytest.mark.real
def test_online_retail_has_its_known_customers_purchases_and_repeat_rate():
    orders = online_retail()
    customers = customer_metrics(orders, as_of=date(2011, 12, 9))

    assert len(customers) == 4_372
    assert len(with_purchase(nw.from_native(customers, eager_only=True).lazy()).collect()) == 4_338
    assert customers["orders"].sum() == 18_532
    assert customers["orders"].sum() + customers["returns"].sum() == 22_190
    assert round(customers["revenue"].sum(), 2) == Decimal("8300065.81")
    totals = loyalty_totals(customers.assign(feedback_answers=0, recommendations=0)).iloc[0]
    assert totals["customers"] == 4_338
    assert rate(totals["repeat_customers"], totals["customers"]) == pytest.approx(0.6558, abs=0.00005)


@pytest.mark.real
def test_online_retail_is_the_same_in_duckdb():
    table = lake_table(online_retail())
    frame = on_duckdb(table)

    customers = customer_metrics(frame, as_of=date(2011, 12, 9))
    totals = customers.select(
        orders=nw.col("orders").sum(), returns=nw.col("returns").sum(), revenue=nw.col("revenue").sum()
    )

    (row,) = rows_of(totals, by="orders")
    assert (row["orders"], row["orders"] + row["returns"]) == (18_532, 22_190)
    assert round(row["revenue"], 2) == 8_300_065.81

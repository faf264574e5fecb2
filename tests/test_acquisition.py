"""What winning customers cost and brought, by channel and by month of first purchase."""

import math
from datetime import date
from decimal import Decimal

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pytest

from crm.analytics.acquisition import (
    acquisition_by_channel,
    acquisition_by_cohort,
    acquisition_table,
    channel_of,
)
from crm.analytics.lifetime_value import Assumptions
from crm.errors import MissingColumns
from crm.schema import MONEY
from tests.conftest import rows_of

ASSUMPTIONS = Assumptions(margin=0.5, acquisition_cost=4, channel_costs=(("Web", 10),))
JANUARY, MARCH = 2024 * 12, 2024 * 12 + 2


def customers(*values: float | None) -> pa.Table:
    days = [date(2024, 1, 1), date(2024, 1, 31), date(2024, 3, 1), date(2024, 3, 9), None]
    return pa.table(
        {
            "customer_id": ["ann", "bob", "cat", "dot", "eve"],
            "channel": ["web", "web", " ", None, "web"],
            "orders": [2, 1, 1, 3, 0],
            "first_order_day": pa.array(days, pa.date32()),
            "revenue": money("100", "40.50", "7", "60", "0"),
            "acquisition_cost": money(None, "2", None, None, None),
            "dcf_lifetime_value": [90.0, 30.0, -1.0, 50.0, -10.0],
            "lifetime_value": pa.array([*values, None], pa.float64()),
        }
    )


def money(*texts: str | None) -> pa.Array:
    return pa.array([None if text is None else Decimal(text) for text in texts], MONEY)


def test_channels_are_summed_over_the_customers_who_bought(frame_of):
    frame = frame_of(customers(80.0, 20.0, 3.0, 44.0))

    rows = rows_of(acquisition_by_channel(frame, assumptions=ASSUMPTIONS), by="cohort")

    # Ann costs what her channel does, Bob his own, the two without a channel the general cost.
    assert rows == [
        {
            "cohort": "Unknown",
            "customers": 2,
            "acquisition_cost": 8.0,
            "margin": 33.5,
            "dcf_lifetime_value": 49.0,
            "lifetime_value": 47.0,
        },
        {
            "cohort": "web",
            "customers": 2,
            "acquisition_cost": 12.0,
            "margin": 70.25,
            "dcf_lifetime_value": 120.0,
            "lifetime_value": 100.0,
        },
    ]


def test_cohorts_are_summed_by_the_month_of_the_first_purchase(frame_of):
    frame = frame_of(customers(80.0, 20.0, 3.0, 44.0))

    rows = rows_of(acquisition_by_cohort(frame, assumptions=ASSUMPTIONS), by="cohort")

    assert [(row["cohort"], row["customers"], row["acquisition_cost"], row["margin"]) for row in rows] == [
        (JANUARY, 2, 12.0, 70.25),
        (MARCH, 2, 8.0, 33.5),
    ]


def test_a_lifetime_value_that_is_not_known_of_everybody_is_no_sum(frame_of):
    frame = frame_of(customers(80.0, 20.0, 3.0, None))

    rows = rows_of(acquisition_by_channel(frame, assumptions=ASSUMPTIONS), by="cohort")

    assert [(row["cohort"], row["lifetime_value"]) for row in rows] == [("Unknown", None), ("web", 100.0)]
    without = rows_of(
        acquisition_by_channel(frame_of(customers(None, None, None, None)), assumptions=ASSUMPTIONS),
        by="cohort",
    )
    assert [row["lifetime_value"] for row in without] == [None, None]


def test_a_channel_keeps_its_letters_and_a_blank_one_is_unknown(frame_of):
    channels = ["web", "Web ", "", "\u3000\t", None, "微信"]
    frame = frame_of(pa.table({"customer_id": list("abcdef"), "channel": channels}))

    rows = rows_of(frame.with_columns(channel=channel_of()))

    assert [row["channel"] for row in rows] == ["web", "Web ", "Unknown", "Unknown", "Unknown", "微信"]


def test_a_table_without_a_model_column_is_refused(frame_of):
    frame = frame_of(customers(80.0, 20.0, 3.0, 44.0)).drop("lifetime_value")

    with pytest.raises(MissingColumns, match="lifetime_value"):
        acquisition_by_channel(frame, assumptions=ASSUMPTIONS)


# Ratios and payback

SUMS = pd.DataFrame(
    {
        "cohort": ["web", "fair", "gift", "paper"],
        "customers": [2, 4, 1, 1],
        "acquisition_cost": [12.0, 40.0, 0.0, 100.0],
        "margin": [70.25, 10.0, 3.0, 1.0],
        "dcf_lifetime_value": [120.0, -40.0, 5.0, -90.0],
        "lifetime_value": [24.0, 0.0, 5.0, math.nan],
    }
)
CURVES = pd.DataFrame(
    {
        "cohort": ["web", "web", "fair", "fair", "gift"],
        "months": [0, 1, 0, 1, 0],
        "value": [5.0, 6.0, 2.0, math.nan, 0.0],
    }
)
FORECAST = pd.DataFrame(
    {"cohort": ["fair", "fair", "fair", "paper"], "months": [1, 2, 3, 1], "value": [4.0, 9.0, 10.0, 50.0]}
)


def table(forecast=None):
    rows = acquisition_table(SUMS, CURVES, forecast=forecast)
    return {row["cohort"]: row for row in rows.astype(object).where(rows.notna(), None).to_dict("records")}


def test_value_stands_to_cost_before_the_cost_was_taken_off():
    rows = table()

    assert rows["web"]["value_to_cost"] == 3.0  # (24 + 12) / 12
    assert rows["web"]["dcf_value_to_cost"] == 11.0
    assert rows["web"]["cost_per_customer"] == 6.0
    assert rows["fair"]["value_to_cost"] == 1.0
    assert rows["fair"]["dcf_value_to_cost"] == 0.0
    assert rows["gift"]["value_to_cost"] is rows["gift"]["dcf_value_to_cost"] is None
    assert rows["paper"]["value_to_cost"] is None
    assert rows["paper"]["dcf_value_to_cost"] == pytest.approx(0.1)


def test_payback_is_observed_or_forecast_or_not_within_the_horizon_or_of_nothing_spent():
    def paid(rows):
        return {name: (row["payback_month"], row["payback_forecast"]) for name, row in rows.items()}

    assert paid(table()) == {
        "web": (1, False),
        "fair": (None, False),
        "gift": (None, False),
        "paper": (None, False),
    }
    assert paid(table(FORECAST)) == {
        "web": (1, False),
        "fair": (3, True),
        "gift": (None, False),
        "paper": (None, False),
    }


def test_cohorts_that_are_months_read_as_months_and_stand_in_order():
    frame = nw.from_native(customers(80.0, 20.0, 3.0, 44.0).to_pandas(types_mapper=pd.ArrowDtype)).lazy()
    sums = acquisition_by_cohort(frame, assumptions=ASSUMPTIONS).collect().to_native()
    curves = pd.DataFrame({"cohort": ["2024-01", "2024-03"], "months": [0, 0], "value": [6.0, 3.99]})

    rows = acquisition_table(sums, curves)

    assert rows["cohort"].tolist() == ["2024-01", "2024-03"]
    assert rows["payback_month"].fillna(-1).tolist() == [0, -1]


def test_without_customers_the_table_is_empty_and_has_its_columns():
    rows = acquisition_table(SUMS.head(0), CURVES.head(0))

    assert rows.empty
    assert set(rows.columns) == {*SUMS.columns, "cost_per_customer", "value_to_cost", "dcf_value_to_cost",
                                 "payback_month", "payback_forecast"}  # fmt: skip

"""The per-customer table: whoever is known from anywhere has one row, and every scheme adds up to the buyers."""

from datetime import date
from decimal import Decimal

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm import schema
from crm.analytics.profiles import (
    ASSUMED,
    FORECASTS,
    SCORES,
    Scores,
    answers,
    customer_profiles,
    with_forecasts,
)
from crm.analytics.rfm import rfm
from crm.analytics.segments import SCHEMES, Bands, segment_summary, value_classes
from crm.analytics.tables import day_number
from tests.conftest import order_lines, rows_of

AS_OF = date(2024, 3, 31)

TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "money": schema.MONEY,
    "date": pa.date32(),
    "yes/no": pa.bool_(),
}
CONTACTS = pa.schema([(column.name, TYPES[column.type]) for column in schema.CONTACT_COLUMNS])


def contacts(*rows):
    return pa.Table.from_pylist(list(rows), schema=CONTACTS)


def responses(*rows):
    """Return responses of (customer_id, day as ISO text, feedback, recommended)."""
    return pa.Table.from_pylist(
        [
            {
                "response_id": str(number),
                "customer_id": customer,
                "day": day_number(date.fromisoformat(day)),
                "feedback": feedback,
                "recommended": recommended,
            }
            for number, (customer, day, feedback, recommended) in enumerate(rows)
        ],
        schema=schema.RESPONSES,
    )


def profiles(frame_of, lines, answered, known, bands=None):
    purchases = value_classes(rfm(frame_of(lines), as_of=AS_OF))
    return customer_profiles(
        purchases,
        answers(frame_of(answered), as_of=AS_OF),
        frame_of(known),
        as_of=AS_OF,
        bands=bands or Bands(),
    )


LINES = order_lines(
    ("1", "everything", "2024-03-01", "0.10"),
    ("1", "everything", "2024-03-01", "0.20"),
    ("2", "orders only", "2024-01-01", "99999999999999.9999"),
    ("3", "late", "2024-04-01", "5"),  # after the as-of day: not known yet
)
ANSWERS = responses(
    ("everything", "2024-03-02", "Fine", True),
    ("answers only", "2024-03-02", "Never bought", None),
    ("late", "2024-04-02", "Too late", True),
)
KNOWN = contacts(
    {
        "customer_id": "everything",
        "name": "Ann",
        "birth_date": date(1994, 4, 1),
        "age": 50,
        "city": "beijing",
        "annual_income": Decimal("1000000.01"),
        "acquisition_cost": Decimal("12.50"),
        "channel": "Fair",
        "email_consent": True,
    },
    {"customer_id": "contact only", "age": 60, "city": "Rome"},
)


def test_whoever_ordered_answered_or_is_a_contact_has_one_row(frame_of):
    rows = rows_of(profiles(frame_of, LINES, ANSWERS, KNOWN))

    assert [row["customer_id"] for row in rows] == [
        "answers only",
        "contact only",
        "everything",
        "orders only",
    ]


def test_all_that_is_known_of_a_customer_stands_in_the_row(frame_of):
    row = next(row for row in rows_of(profiles(frame_of, LINES, ANSWERS, KNOWN)) if row["name"] == "Ann")

    assert row == {
        "customer_id": "everything",
        "first_order_day": date(2024, 3, 1),
        "last_order_day": date(2024, 3, 1),
        "orders": 1,
        "purchase_days": 1,
        "returns": 0,
        "revenue": 0.3,
        "annual_revenue": 0.3,
        "average_order_value": 0.3,
        "recency_days": 30,
        "tenure_days": 30,
        "lifecycle_years": 30 / 365,
        "recency_score": 3,
        "frequency_score": 1,
        "monetary_score": 1,
        "rfm_segment": "New Customers",
        "value_class": "C",
        "purchase_power": "A",
        "age_group": "Young",
        "region": "North",
        "feedback_answers": 1,
        "recommendations": 1,
        "name": "Ann",
        "company": None,
        "email": None,
        "phone": None,
        "gender": None,
        "birth_date": date(1994, 4, 1),
        "age": 29,  # on the as-of day, by the birth date; 50 was stated
        "city": "beijing",
        "country": None,
        "annual_income": 1000000.01,
        "channel": "Fair",
        "acquisition_cost": 12.5,
        "joined_on": None,
        "email_consent": True,
        "phone_consent": None,
        "note": None,
    }


def test_without_orders_counts_and_money_are_zero_and_scores_and_days_empty(frame_of):
    rows = {row["customer_id"]: row for row in rows_of(profiles(frame_of, LINES, ANSWERS, KNOWN))}

    for name in ("answers only", "contact only"):
        row = rows[name]
        zeros = ("orders", "purchase_days", "returns", "revenue", "annual_revenue", "recommendations")
        assert [row[column] for column in zeros] == [0] * len(zeros)
        empty = (
            *("first_order_day", "last_order_day", "average_order_value", "recency_days", "tenure_days"),
            *(
                "lifecycle_years",
                "recency_score",
                "frequency_score",
                "monetary_score",
                "rfm_segment",
                "value_class",
            ),
        )
        assert [row[column] for column in empty] == [None] * len(empty)
    assert rows["answers only"]["feedback_answers"] == 1
    assert rows["contact only"]["feedback_answers"] == 0
    assert (rows["contact only"]["age_group"], rows["contact only"]["region"]) == ("Senior", "Other")


def test_without_a_contact_every_contact_scheme_is_unknown(frame_of):
    rows = rows_of(profiles(frame_of, LINES, ANSWERS, KNOWN))

    for row in rows:
        if row["customer_id"] in ("answers only", "orders only"):
            assert {row["purchase_power"], row["age_group"], row["region"]} == {schema.UNKNOWN}


def test_the_columns_are_those_of_the_schema_with_their_types(frame_of):
    found = profiles(frame_of, LINES, ANSWERS, KNOWN).collect_schema()

    assert found.names() == [field.name for field in schema.FIELDS if field.name not in ASSUMED]
    kinds = {
        "text": nw.String,
        "integer": nw.Int64,
        "number": nw.Float64,
        "date": nw.Date,
        "yes/no": nw.Boolean,
    }
    for name, type_ in found.items():
        expected = kinds.get(schema.FIELD[name].type)
        if expected is None:
            expected = nw.Float64 if name == "average_order_value" else nw.Decimal
        assert isinstance(type_, expected), f"{name} is {type_}"


def test_money_stays_exact_beside_customers_without_any(frame_of):
    """The zero of a customer without orders must not make floats of the others' money."""
    frame = profiles(frame_of, LINES, ANSWERS, KNOWN)

    revenue = dict(frame.select("customer_id", "revenue").collect().iter_rows())

    exact = {name: getattr(value, "as_py", lambda value=value: value)() for name, value in revenue.items()}
    assert exact == {
        "everything": Decimal("0.3000"),
        "orders only": Decimal("99999999999999.9999"),
        "answers only": Decimal("0.0000"),
        "contact only": Decimal("0.0000"),
    }


def test_bands_move_the_segments_of_the_profile(frame_of):
    bands = Bands(purchase_power=(200, 100), age_group=(20, 29), regions={"Capital": ("Beijing",)})

    row = next(
        row for row in rows_of(profiles(frame_of, LINES, ANSWERS, KNOWN, bands)) if row["name"] == "Ann"
    )

    assert (row["purchase_power"], row["age_group"], row["region"]) == ("B", "Senior", "Capital")


# Forecasts


def scores(*rows):
    """Return scores of (history, probability alive, coefficients of the value); the other columns hold 0."""
    empty = dict.fromkeys(SCORES.names, 0)
    return Scores(
        "test",
        pa.Table.from_pylist(
            [
                {
                    **empty,
                    **dict(zip(("purchase_days", "recency_days", "tenure_days"), history, strict=True)),
                    "probability_alive": alive,
                    "value_0": value[0],
                    "value_1": value[1],
                    "loading_7_0": 1,
                    "loading_7_1": -1,
                }
                for history, alive, value in rows
            ],
            SCORES,
        ),
    )


def test_a_forecast_is_that_of_the_history_and_grows_with_repeat_spend(frame_of):
    lines = order_lines(
        ("1", "ann", "2024-03-01", "10"),
        ("2", "ann", "2024-03-11", "20.50"),
        ("3", "bob", "2024-03-01", "1"),
        ("4", "bob", "2024-03-11", "4"),
        ("5", "cat", "2024-03-01", "7"),  # a history that the scores do not know
        ("R1", "dot", "2024-03-01", "-7"),  # no history at all
    )
    known = scores(((2, 20, 30), 0.75, (100.0, 2.0)), ((1, 0, 0), 0.5, (1.0, 0.0)))

    rows = rows_of(with_forecasts(rfm(frame_of(lines), as_of=AS_OF), frame_of(known.rows)))

    found = [
        (row["customer_id"], row["probability_alive"], row["future_value"], row["loading_7"]) for row in rows
    ]
    assert found == [
        ("ann", 0.75, 141.0, -19.5),
        ("bob", 0.75, 108.0, -3.0),
        ("cat", None, None, None),
        ("dot", None, None, None),
    ]
    assert list(rows[0])[-len(FORECASTS) :] == list(FORECASTS)


def test_scores_of_other_columns_are_refused():
    right = scores(((1, 0, 0), 0.5, (1.0, 0.0))).rows

    assert Scores("a", right.select(sorted(right.column_names))).rows.equals(right)
    with pytest.raises(KeyError, match="deviation_0"):
        Scores("a", right.drop_columns("deviation_0"))


# Answers


def test_blank_feedback_is_no_answer_and_answers_after_the_as_of_day_are_none_yet(frame_of):
    table = responses(
        ("ann", "2024-03-31", "Lovely", True),  # on the as-of day
        ("ann", "2024-01-01", "  ", True),
        ("ann", "2024-01-01", "\t\n", None),
        ("ann", "2024-01-01", "\u3000\u00a0", None),  # blanks of Chinese and of web forms
        ("ann", "2024-01-01", None, False),
        ("bob", "2024-01-01", "", None),
        ("bob", "2024-01-01", "0", True),  # a rating of 0 is an answer
        ("cat", "2025-01-01", "too late", True),
    )

    assert rows_of(answers(frame_of(table), as_of=AS_OF)) == [
        {"customer_id": "ann", "feedback_answers": 1, "recommendations": 2},
        {"customer_id": "bob", "feedback_answers": 1, "recommendations": 1},
    ]


def test_answers_of_nobody_are_no_rows(frame_of):
    table = responses(("cat", "2025-01-01", "too late", True))

    assert rows_of(answers(frame_of(table), as_of=AS_OF)) == []


# Every scheme adds up

NAMES = st.sampled_from([f"c{number}" for number in range(12)])
DAY = st.dates(date(2023, 1, 1), date(2024, 4, 5)).map(date.isoformat)
ORDER = st.tuples(st.integers(0, 30), NAMES, DAY, st.decimals(-20, 60, places=2).map(str))
ANSWER = st.tuples(NAMES, DAY, st.sampled_from(["Good", " ", None]), st.sampled_from([True, False, None]))
CONTACT = st.fixed_dictionaries(
    {
        "customer_id": NAMES,
        "birth_date": st.none() | st.dates(date(1920, 1, 1), date(2030, 1, 1)),
        "age": st.none() | st.integers(0, 110),
        "city": st.sampled_from([None, "", "Beijing", "深圳", " SHENZHEN", "Rome"]),
        "annual_income": st.none() | st.decimals(0, 2_000_000, places=2),
    }
)


@given(
    st.lists(ORDER, max_size=40),
    st.lists(ANSWER, max_size=8),
    st.lists(CONTACT, min_size=1, max_size=12, unique_by=lambda row: row["customer_id"]),
    st.sampled_from(SCHEMES),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_scheme_puts_each_buyer_in_one_segment_and_nobody_else(
    frame_of, drawn, answered, known, scheme
):
    orders = [(f"{number}-{name}", name, day, amount) for number, name, day, amount in drawn]
    # One row that is not known yet: an engine cannot tell the columns of an empty table.
    lines = order_lines(*orders, ("late", "late", "2024-04-30", "1"))
    answered = [*answered, ("late", "2024-04-30", "Late", True)]
    frame = profiles(frame_of, lines, responses(*answered), contacts(*known))

    rows = rows_of(frame)
    summary = rows_of(segment_summary(frame, scheme=scheme), by="segment")

    up_to = AS_OF.isoformat()
    totals = {}
    for order, name, day, amount in orders:
        if day <= up_to:
            totals[name, order] = totals.get((name, order), 0) + Decimal(amount)
    bought = {name for (name, _), total in totals.items() if total > 0}
    everybody = (
        {name for name, _ in totals}
        | {name for name, day, *_ in answered if day <= up_to}
        | {row["customer_id"] for row in known}
    )
    assert [row["customer_id"] for row in rows] == sorted(everybody)
    assert {row["customer_id"] for row in rows if row["orders"] > 0} == bought
    for each in SCHEMES:
        assert all(row[each.column] in each.segments for row in rows if row["customer_id"] in bought)
    assert {row["rfm_segment"] for row in rows if row["customer_id"] not in bought} <= {None}
    assert sum(row["customers"] for row in summary) == len(bought)
    assert len({row["segment"] for row in summary}) == len(summary)
    revenue = sum(total for (name, _), total in totals.items() if name in bought)
    assert round(sum(row["revenue"] for row in summary), 4) == float(revenue)

"""RFM: the table of 125 codes, and scores that follow from their definition alone."""

from datetime import date
from decimal import Decimal
from itertools import product

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.analytics.rfm import ACTIONS, SEGMENT_CODES, SEGMENTS, rfm, rfm_scores, segment_of
from crm.errors import MissingColumns
from crm.schema import MONEY
from tests.conftest import order_lines, rows_of

AS_OF = date(2024, 3, 31)

ALL_CODES = {100 * r + 10 * f + m for r, f, m in product(range(1, 6), repeat=3)}

SCORES = ("recency_score", "frequency_score", "monetary_score")


def customers(*rows):
    """Return a per-customer table of (customer_id, recency_days, orders, revenue as text)."""
    ids, recency, orders, revenue = zip(*rows, strict=True)
    return pa.table(
        {
            "customer_id": pa.array(ids),
            "recency_days": pa.array(recency, pa.int64()),
            "orders": pa.array(orders, pa.int64()),
            "revenue": pa.array([Decimal(text).quantize(Decimal("0.0001")) for text in revenue], MONEY),
        }
    )


def scored(frame):
    return {
        row["customer_id"]: (*(row[name] for name in SCORES), row["rfm_segment"]) for row in rows_of(frame)
    }


# The table of segments


def test_every_code_is_in_exactly_one_of_eleven_segments():
    assert len(SEGMENTS) == 11
    assert sorted(code for codes in SEGMENT_CODES.values() for code in codes) == sorted(ALL_CODES)


def test_the_segments_have_the_published_numbers_of_codes():
    assert {name: len(codes) for name, codes in SEGMENT_CODES.items()} == {
        "Champions": 7,
        "Loyal": 8,
        "Potential Loyalist": 24,
        "New Customers": 7,
        "Promising": 16,
        "Need Attention": 8,
        "About To Sleep": 8,
        "At Risk": 22,
        "Cannot Lose Them": 8,
        "Hibernating": 11,
        "Lost": 6,
    }


@pytest.mark.parametrize(
    ("code", "segment"),
    [
        (555, "Champions"),
        (445, "Champions"),
        (543, "Loyal"),
        (444, "Loyal"),
        (553, "Potential Loyalist"),
        (333, "Potential Loyalist"),
        (511, "New Customers"),
        (311, "New Customers"),
        (525, "Promising"),
        (535, "Need Attention"),
        (331, "About To Sleep"),
        (213, "About To Sleep"),
        (255, "At Risk"),
        (124, "At Risk"),
        (155, "Cannot Lose Them"),
        (113, "Cannot Lose Them"),
        (332, "Hibernating"),
        (211, "Hibernating"),
        (111, "Lost"),
        (151, "Lost"),
    ],
)
def test_codes_stand_where_the_published_table_has_them(code, segment):
    assert code in SEGMENT_CODES[segment]


def test_every_segment_has_something_to_do_about_it():
    assert set(ACTIONS) == set(SEGMENTS)


def test_every_engine_names_all_125_codes_alike(frame_of):
    codes = frame_of(pa.table({"code": pa.array(sorted(ALL_CODES), pa.int64())}))

    named = rows_of(codes.with_columns(segment=segment_of(nw.col("code"))), by="code")

    assert {row["code"]: row["segment"] for row in named} == {
        code: name for name, codes in SEGMENT_CODES.items() for code in codes
    }


# Scores by hand


def test_five_different_customers_get_the_scores_one_to_five(frame_of):
    table = customers(
        ("best", 0, 9, "500"),
        ("good", 10, 7, "400"),
        ("fair", 20, 5, "300"),
        ("poor", 30, 3, "200"),
        ("last", 40, 1, "100"),
    )

    assert scored(rfm_scores(frame_of(table))) == {
        "best": (5, 5, 5, "Champions"),
        "good": (4, 4, 4, "Loyal"),
        "fair": (3, 3, 3, "Potential Loyalist"),
        "poor": (2, 2, 2, "Hibernating"),
        "last": (1, 1, 1, "Lost"),
    }


def test_the_most_recent_customer_has_the_best_recency_score(frame_of):
    table = customers(
        ("a", 300, 1, "1"), ("b", 0, 1, "1"), ("c", 20, 1, "1"), ("d", 20, 1, "1"), ("e", 21, 1, "1")
    )

    recency = {name: scores[0] for name, scores in scored(rfm_scores(frame_of(table))).items()}

    assert recency == {"b": 5, "c": 3, "d": 3, "e": 2, "a": 1}


def test_customers_without_a_purchase_have_no_score_and_no_part_in_the_others(frame_of):
    buyers = [(f"b{n}", 10 * n, 6 - n, f"{100 - n}") for n in range(5)]
    others = [("contact", None, 0, "0"), ("returner", None, 0, "-7"), ("zero", None, 0, "0")]

    with_others = scored(rfm_scores(frame_of(customers(*buyers, *others))))

    assert {name: with_others.pop(name) for name, *_ in others} == {
        name: (None, None, None, None) for name, *_ in others
    }
    assert with_others == scored(rfm_scores(frame_of(customers(*buyers))))
    assert with_others["b0"] == (5, 5, 5, "Champions")


@pytest.mark.parametrize(
    ("number", "scores"), [(1, [1]), (2, [1, 3]), (3, [1, 2, 4]), (4, [1, 2, 3, 4])], ids=str
)
def test_fewer_than_five_customers_get_what_the_definition_gives(frame_of, number, scores):
    table = customers(*[(f"c{n}", 50 - n, n + 1, f"{n}") for n in range(number)])

    rows = scored(rfm_scores(frame_of(table)))

    assert [rows[f"c{n}"][:3] for n in range(number)] == [(score,) * 3 for score in scores]


def test_everybody_equal_scores_one(frame_of):
    table = customers(*[(f"c{n}", 5, 2, "9.99") for n in range(7)])

    assert set(scored(rfm_scores(frame_of(table))).values()) == {(1, 1, 1, "Lost")}


def test_other_columns_and_rows_stay_as_they_are(frame_of):
    frame = frame_of(customers(("a", 1, 1, "0.0001"), ("b", None, 0, "0"))).with_columns(city=nw.lit("Rome"))

    result = rfm_scores(frame)

    assert result.collect_schema().names() == [
        *("customer_id", "recency_days", "orders", "revenue", "city"),
        *SCORES,
        "rfm_segment",
    ]
    assert [(row["customer_id"], row["city"]) for row in rows_of(result)] == [("a", "Rome"), ("b", "Rome")]


def test_scores_are_whole_numbers_even_beside_empty_ones(frame_of):
    result = rfm_scores(frame_of(customers(("a", 1, 1, "1"), ("b", None, 0, "0"))))

    assert {result.collect_schema()[name] for name in SCORES} == {nw.Int64()}


def test_segments_come_straight_from_order_lines(frame_of):
    lines = order_lines(
        ("1", "ann", "2024-03-30", "10"),
        ("2", "ann", "2024-03-31", "90"),
        ("3", "bob", "2023-01-01", "10"),
        ("R", "cat", "2024-03-31", "-5"),
        ("4", "dot", "2024-04-01", "999"),  # after the as-of day
    )

    rows = rows_of(rfm(frame_of(lines), as_of=AS_OF))

    assert [
        (row["customer_id"], row["recency_score"], row["rfm_segment"], row["revenue"]) for row in rows
    ] == [
        ("ann", 3, "Potential Loyalist", 100.0),
        ("bob", 1, "Lost", 10.0),
        ("cat", None, None, -5.0),
    ]


def test_no_orders_give_no_customers(frame_of):
    lines = order_lines(("1", "ann", "2024-04-01", "10"))

    assert rows_of(rfm(frame_of(lines), as_of=AS_OF)) == []


def test_a_missing_column_is_named():
    with pytest.raises(MissingColumns, match="no column customer_id"):
        rfm(pa.table({"order_id": ["1"], "day": [1], "amount": [1]}).to_pandas(), as_of=AS_OF)


# Scores by their definition


def expected(rows):
    """Return the scores and segment of each customer, straight from the definition."""
    buyers = [row for row in rows if row[2] > 0]

    def score(worse):
        return 1 + (5 * worse) // len(buyers)

    result = {}
    for name, recency, orders, revenue in rows:
        if orders == 0:
            result[name] = (None, None, None, None)
            continue
        r = score(sum(other[1] > recency for other in buyers))
        f = score(sum(other[2] < orders for other in buyers))
        m = score(sum(Decimal(other[3]) < Decimal(revenue) for other in buyers))
        segment = next(name for name, codes in SEGMENT_CODES.items() if 100 * r + 10 * f + m in codes)
        result[name] = (r, f, m, segment)
    return result


CUSTOMER = st.one_of(
    st.tuples(
        st.integers(0, 6),
        st.integers(1, 4),
        st.sampled_from(["-3.50", "0", "0.1", "0.3", "0.3001", "10", "99999999999.9999"]),
    ),
    st.tuples(st.none(), st.just(0), st.sampled_from(["0", "-3.50"])),
)


@given(st.lists(CUSTOMER, min_size=1, max_size=40), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scores_are_one_plus_five_times_the_share_of_customers_strictly_worse(frame_of, drawn, random):
    rows = [(f"c{number}", *values) for number, values in enumerate(drawn)]
    shuffled = random.sample(rows, len(rows))

    assert scored(rfm_scores(frame_of(customers(*shuffled)))) == expected(rows)

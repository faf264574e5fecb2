"""Schemes: value class, purchase power, age group and region, their limits and what their segments add up to."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.analytics.segments import (
    SCHEMES,
    Bands,
    age_group,
    age_on,
    find_scheme,
    meaning_of,
    purchase_power,
    region,
    segment_summary,
    value_classes,
)
from crm.errors import InvalidValue, NotFound
from crm.schema import FIELD, MONEY, UNKNOWN
from tests.conftest import rows_of


def money(*texts):
    return pa.array([None if text is None else Decimal(text) for text in texts], MONEY)


def customers(*rows):
    """Return a per-customer table of (customer_id, orders, revenue as text)."""
    ids, orders, revenue = zip(*rows, strict=True)
    return pa.table(
        {"customer_id": pa.array(ids), "orders": pa.array(orders, pa.int64()), "revenue": money(*revenue)}
    )


def classes(frame):
    return {row["customer_id"]: row["value_class"] for row in rows_of(frame)}


def values_of(frame_of, column, values, expression):
    """Return what `expression` makes of each value of a column, in their order."""
    table = pa.table({"row": list(range(len(values))), column: values})
    rows = rows_of(frame_of(table).with_columns(made=expression), by="row")
    made = {row["row"]: row["made"] for row in rows}
    return [made[number] for number in range(len(values))]


# Value class


def test_a_makes_the_first_eighty_percent_and_b_the_next_fifteen(frame_of):
    table = customers(("a", 1, "50"), ("b", 1, "30"), ("c", 1, "15"), ("d", 1, "4"), ("e", 1, "1"))

    assert classes(value_classes(frame_of(table))) == {"a": "A", "b": "A", "c": "B", "d": "C", "e": "C"}


def test_exactly_eighty_and_ninety_five_percent_end_a_class_whatever_the_cents(frame_of):
    """0.80 + 0.15 + 0.05 is 1 in money, though not in floats."""
    for unit in ("1", "0.01", "0.07", "0.0001", "1234567.89"):
        table = customers(*[(name, 1, str(int(part) * Decimal(unit))) for name, part in zip("abc", ("80", "15", "5"), strict=True)])  # fmt: skip

        assert classes(value_classes(frame_of(table))) == {"a": "A", "b": "B", "c": "C"}


@pytest.mark.parametrize(
    ("revenue", "expected"),
    [
        (("0.95", "0.45", "0.20", "0.15"), "AABB"),  # 1.40 is exactly 80 % of 1.75
        (("0.35", "0.25", "0.15"), "AAB"),  # 0.60 of 0.75
    ],
    ids=str,
)
def test_customers_are_not_let_into_a_class_by_the_rounding_of_floats(frame_of, revenue, expected):
    table = customers(*[(str(number), 1, amount) for number, amount in enumerate(revenue)])

    assert "".join(classes(value_classes(frame_of(table))).values()) == expected


def test_one_customer_above_eighty_percent_is_alone_in_a(frame_of):
    table = customers(("whale", 1, "97"), ("small", 1, "2"), ("smaller", 1, "1"))

    assert classes(value_classes(frame_of(table))) == {"whale": "A", "small": "C", "smaller": "C"}


def test_customers_of_equal_revenue_are_always_in_one_class(frame_of):
    table = customers(*[(f"c{number}", 1, "10.10") for number in range(10)])

    assert set(classes(value_classes(frame_of(table))).values()) == {"A"}


def test_zero_and_negative_revenue_is_c_and_lowers_what_the_others_must_make(frame_of):
    table = customers(("a", 2, "90"), ("b", 1, "20"), ("zero", 2, "0"), ("minus", 2, "-10"))

    # 90 is less than 95 % but not less than 80 % of 100
    assert classes(value_classes(frame_of(table))) == {"a": "A", "b": "B", "zero": "C", "minus": "C"}


def test_without_revenue_nobody_is_better_than_c(frame_of):
    assert classes(value_classes(frame_of(customers(("a", 1, "0"), ("b", 1, "0"))))) == {"a": "C", "b": "C"}
    assert classes(value_classes(frame_of(customers(("a", 1, "-1"), ("b", 1, "-2"))))) == {"a": "C", "b": "C"}


def test_customers_without_a_purchase_are_in_no_class_and_their_revenue_does_not_count(frame_of):
    table = customers(
        ("a", 1, "80"), ("b", 1, "20"), ("returner", 0, "-80"), ("contact", 0, "0"), ("x", 0, "20")
    )

    assert classes(value_classes(frame_of(table))) == {
        "a": "A",
        "b": "B",
        "returner": None,
        "contact": None,
        "x": None,
    }


def test_nobody_bought_gives_no_class_and_loses_no_row(frame_of):
    assert classes(value_classes(frame_of(customers(("a", 0, "0"), ("b", 0, "-5"))))) == {
        "a": None,
        "b": None,
    }


def test_the_shares_may_be_moved(frame_of):
    table = customers(("a", 1, "50"), ("b", 1, "30"), ("c", 1, "20"))

    assert classes(value_classes(frame_of(table), shares=(0.5, 0.7))) == {"a": "A", "b": "B", "c": "C"}


def expected_classes(rows, shares):
    total = sum((Fraction(revenue) for _, orders, revenue in rows if orders), Fraction(0))
    result = {}
    for name, orders, revenue in rows:
        higher = sum((Fraction(r) for _, o, r in rows if o and Fraction(r) > Fraction(revenue)), Fraction(0))
        first, second = (higher < Fraction(share) * total for share in shares)
        result[name] = None if not orders else "A" if first else "B" if second else "C"
    return result


REVENUE = st.one_of(
    st.integers(0, 20).map(lambda steps: str(steps * Decimal("0.05"))),
    st.sampled_from(["-0.25", "0", "0.0001", "12345678.9012"]),
)


@given(
    st.lists(st.tuples(st.integers(0, 2), REVENUE), min_size=1, max_size=25),
    st.sampled_from([("0.8", "0.95"), ("0.5", "0.6"), ("0.33", "0.9"), ("0.05", "0.07")]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_value_classes_follow_from_their_definition_in_exact_arithmetic(frame_of, drawn, shares):
    rows = [(f"c{number}", *values) for number, values in enumerate(drawn)]

    found = classes(value_classes(frame_of(customers(*rows)), shares=tuple(map(float, shares))))

    assert found == expected_classes(rows, shares)


# Purchase power


def test_purchase_power_is_over_its_limits_and_not_at_them(frame_of):
    incomes = {
        "1000000.01": "A",
        "1000000.0001": "A",
        "1000000": "B",
        "500000.01": "B",
        "500000": "C",
        "0": "C",
        "-1": "C",
        "99999999999999.9999": "A",
        None: UNKNOWN,
    }

    made = values_of(frame_of, "annual_income", money(*incomes), purchase_power(Bands()))

    assert made == list(incomes.values())


@pytest.mark.parametrize("limit", [4.06, 1.13, 0.57, 12.3456, 64.01, 4.000016, 4.000023])
def test_a_moved_limit_is_as_sharp_as_the_given_ones(frame_of, limit):
    at = Decimal(str(limit)) * 10_000
    incomes = money(str(at), str(at + Decimal("0.0001")))

    made = values_of(frame_of, "annual_income", incomes, purchase_power(Bands(purchase_power=(limit, 0.5))))

    assert made == ["B", "A"]


# Age


def test_thirty_is_middle_aged_and_sixty_is_senior(frame_of):
    ages = {
        0: "Young",
        29: "Young",
        30: "Middle-aged",
        59: "Middle-aged",
        60: "Senior",
        120: "Senior",
        None: UNKNOWN,
    }

    made = values_of(frame_of, "age", pa.array(ages, pa.int64()), age_group(Bands()))

    assert made == list(ages.values())


AGES = [
    # born, stated, as of, age
    ("1994-03-31", None, "2024-03-31", 30),  # birthday on the as-of day
    ("1994-04-01", None, "2024-03-31", 29),  # birthday tomorrow
    ("1994-03-30", None, "2024-03-31", 30),
    ("2024-03-31", None, "2024-03-31", 0),  # born today
    ("2000-02-29", None, "2023-02-28", 22),  # no 29 February this year: a year older on 1 March
    ("2000-02-29", None, "2023-03-01", 23),
    ("2000-02-29", None, "2024-02-28", 23),
    ("2000-02-29", None, "2024-02-29", 24),
    ("1900-12-31", None, "2024-01-01", 123),
    ("1994-03-31", 77, "2024-03-31", 30),  # the birth date comes before the stated age
    (None, 77, "2024-03-31", 77),
    (None, None, "2024-03-31", None),
    ("2024-04-01", 77, "2024-03-31", 77),  # not born yet: the date is wrong, the stated age may be right
    ("2030-01-01", None, "2024-03-31", None),
]


@pytest.mark.parametrize("as_of", sorted({case[2] for case in AGES}))
def test_age_is_in_full_years_on_the_as_of_day(frame_of, as_of):
    cases = [case for case in AGES if case[2] == as_of]
    table = pa.table(
        {
            "customer_id": [f"{number:02}" for number in range(len(cases))],
            "birth_date": pa.array([case[0] and date.fromisoformat(case[0]) for case in cases], pa.date32()),
            "age": pa.array([case[1] for case in cases], pa.int64()),
        }
    )

    rows = rows_of(frame_of(table).with_columns(made=age_on(date.fromisoformat(as_of))))

    assert [row["made"] for row in rows] == [case[3] for case in cases]


# Region


def test_cities_are_found_in_any_case_with_any_blanks_in_both_languages(frame_of):
    cities = {
        "Beijing": "North",
        "北京": "North",
        "SHANGHAI": "North",
        "上海": "North",
        " guangdong ": "South",
        "广州": "South",
        "Shenzhen\n": "South",
        "\u3000深圳\u3000": "South",
        "\u00a0beijing\t": "North",
        "Rome": "Other",
        "Beijing West": "Other",
        "": UNKNOWN,
        "  ": UNKNOWN,
        "\u3000\u00a0\t": UNKNOWN,
        None: UNKNOWN,
    }

    made = values_of(frame_of, "city", pa.array(cities, pa.string()), region(Bands()))

    assert dict(zip(cities, made, strict=True)) == cities


def test_regions_are_the_users_own_table(frame_of):
    bands = Bands(regions={"Alps": (" Bern ", "CHUR"), "Sea": ("Bari",), "Nowhere": ()})
    cities = {"bern": "Alps", "Chur": "Alps", "BARI": "Sea", "Beijing": "Other"}

    made = values_of(frame_of, "city", pa.array(cities, pa.string()), region(bands))

    assert made == list(cities.values())


def test_without_any_region_every_known_city_is_other(frame_of):
    made = values_of(frame_of, "city", pa.array(["Bern", None]), region(Bands(regions={})))

    assert made == ["Other", UNKNOWN]


# Limits that cannot be


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"purchase_power": (50.0, 100.0)}, "A starts over 50 and B over 100"),
        ({"purchase_power": (50.0, 50.0)}, "A starts over 50 and B over 50"),
        ({"purchase_power": (100.0, -1.0)}, "B over -1"),
        ({"purchase_power": (float("nan"), 50.0)}, "A starts over nan"),
        ({"value_class": (0.95, 0.80)}, "the first 95"),
        ({"value_class": (0.0, 0.95)}, "the first 0"),
        ({"value_class": (0.8, 1.0)}, "up to 100"),
        ({"value_class": (0.8, 0.8)}, "the first 80"),
        ({"age_group": (60, 30)}, "Young is under 60 and Middle-aged under 30"),
        ({"age_group": (0, 30)}, "Young is under 0"),
        ({"age_group": (30, 30)}, "under 30"),
        ({"regions": {"North": ("Rome",), "South": ("Bari", "rome ")}}, "North and South"),
    ],
    ids=str,
)
def test_limits_that_cannot_be_are_refused_with_what_was_found(wrong, said):
    with pytest.raises(InvalidValue, match=said) as refused:
        Bands(**wrong)

    assert refused.value.hint


def test_a_city_twice_in_one_region_is_no_contradiction():
    assert Bands(regions={"North": ("Rome", "ROME")}).regions["North"] == ("Rome", "ROME")


def test_two_sets_of_bands_do_not_share_their_regions():
    first, second = Bands(), Bands()

    assert first == second
    assert first.regions is not second.regions


# Schemes


def test_schemes_are_found_by_name_and_an_unknown_one_names_those_there_are():
    assert [find_scheme(scheme.name) for scheme in SCHEMES] == list(SCHEMES)
    with pytest.raises(NotFound, match=r"no scheme called 'shoe size'.*rfm, value_class"):
        find_scheme("shoe size")


def test_every_scheme_is_a_field_and_names_each_segment_once():
    for scheme in SCHEMES:
        assert FIELD[scheme.column].source == "scheme"
        assert len(set(scheme.segments)) == len(scheme.segments)


def test_the_meaning_of_a_scheme_speaks_of_the_limits_in_force():
    bands = Bands((90, 40), (0.7, 0.85), (25, 65), {"Alps": ("Bern",)})

    assert meaning_of(find_scheme("value_class"), bands) == (
        "Customers sorted by revenue: A makes the first 70 %, B the next 15 %, C the rest."
    )
    assert "over 90 is A, over 40 is B" in meaning_of(find_scheme("purchase_power"), bands)
    assert "under 25 Young, under 65 Middle-aged" in meaning_of(find_scheme("age_group"), bands)
    assert "(Bern: Alps)" in meaning_of(find_scheme("region"), bands)


def test_with_the_given_limits_a_scheme_means_what_it_says():
    for name in ("value_class", "purchase_power", "age_group", "rfm"):
        assert meaning_of(find_scheme(name), Bands()) == find_scheme(name).meaning


def test_a_summary_counts_buyers_adds_exactly_and_calls_the_rest_unknown(frame_of):
    table = pa.table(
        {
            "customer_id": ["a", "b", "c", "d", "contact"],
            "region": ["North", "North", None, "Other", "South"],
            "orders": pa.array([2, 1, 1, 3, 0], pa.int64()),
            "revenue": money("0.1", "0.2", "5", "-7", "0"),
            "recency_days": pa.array([10, 20, 5, 0, None], pa.int64()),
        }
    )

    summary = segment_summary(frame_of(table), scheme=find_scheme("region"))

    assert rows_of(summary, by="segment") == [
        {"segment": "North", "customers": 2, "revenue": 0.3, "orders": 3, "recency_days": 15.0},
        {"segment": "Other", "customers": 1, "revenue": -7.0, "orders": 3, "recency_days": 0.0},
        {"segment": "Unknown", "customers": 1, "revenue": 5.0, "orders": 1, "recency_days": 5.0},
    ]
    assert summary.collect_schema()["orders"] == nw.Int64()
    assert isinstance(summary.collect_schema()["revenue"], nw.Decimal)


def test_a_summary_of_nobody_has_no_segments(frame_of):
    table = pa.table(
        {
            "customer_id": ["contact"],
            "region": ["South"],
            "orders": pa.array([0], pa.int64()),
            "revenue": money("0"),
            "recency_days": pa.array([None], pa.int64()),
        }
    )

    assert rows_of(segment_summary(frame_of(table), scheme=find_scheme("region")), by="segment") == []

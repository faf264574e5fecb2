"""Schemes: each puts every customer with a purchase in exactly one segment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from crm import wording
from crm.analytics import rfm
from crm.analytics.customers import with_purchase
from crm.analytics.tables import table_function, ten_thousandths
from crm.errors import InvalidValue, NotFound
from crm.schema import BLANKS, UNKNOWN

INCOME_UNIT = 10_000
"""Purchase power is measured in annual income ÷ 10,000."""

DEFAULT_REGIONS: dict[str, tuple[str, ...]] = {
    "North": ("Beijing", "北京", "Shanghai", "上海"),
    "South": ("Guangdong", "广东", "Guangzhou", "广州", "Shenzhen", "深圳"),
}
OTHER_REGION = "Other"


@dataclass(frozen=True)
class Bands:
    """The limits between segments that a user may move.

    purchase_power: annual income ÷ 10,000 above which a customer is A, and above which B.
    value_class: cumulative share of revenue up to which customers are A, and up to which B.
    age_group: age in years below which a customer is Young, and below which Middle-aged.
    regions: the cities of each region; every other known city is in Other.
    """

    purchase_power: tuple[float, float] = (100.0, 50.0)
    value_class: tuple[float, float] = (0.80, 0.95)
    age_group: tuple[int, int] = (30, 60)
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(DEFAULT_REGIONS))

    def __post_init__(self) -> None:
        a, b = self.purchase_power
        if not a > b >= 0:
            raise InvalidValue(
                f"Purchase power A starts over {a:g} and B over {b:g}.",
                "Choose a limit for A above the one for B, both 0 or more.",
            )
        first, second = self.value_class
        if not 0 < first < second < 1:
            raise InvalidValue(
                f"Value class A makes the first {wording.percent(first)} of revenue and B up to {wording.percent(second)}.",
                "Choose shares between 0 % and 100 %, A below B.",
            )
        young, middle = self.age_group
        if not 0 < young < middle:
            raise InvalidValue(
                f"Young is under {young} and Middle-aged under {middle}.",
                "Choose two ages, the first below the second.",
            )
        for region in self.regions:
            if not region.strip() or region in (OTHER_REGION, UNKNOWN):
                raise InvalidValue(
                    f"A region cannot be called “{region}”.",
                    f"Choose another name; {OTHER_REGION} and {UNKNOWN} hold the cities no region names.",
                )
        seen: dict[str, str] = {}
        for region, cities in self.regions.items():
            for city in cities:
                key = city.strip().lower()
                if seen.setdefault(key, region) != region:
                    raise InvalidValue(
                        f"The city {city} stands in the regions {seen[key]} and {region}.",
                        "Keep it in one of them.",
                    )


@dataclass(frozen=True)
class Scheme:
    """A way to divide customers: its column in the per-customer table and what people call it."""

    name: str
    column: str
    title: str
    question: str
    segments: tuple[str, ...]
    meaning: str


SCHEMES: tuple[Scheme, ...] = (
    Scheme(
        "rfm",
        "rfm_segment",
        "RFM",
        "Who are our best customers, and who is slipping away?",
        rfm.SEGMENTS,
        "Scores of 1 to 5 for days since the last order, number of orders and revenue; "
        "the 11 names cover all 125 combinations.",
    ),
    Scheme(
        "value_class",
        "value_class",
        "Value class",
        "How few customers make most of the revenue?",
        ("A", "B", "C"),
        "Customers sorted by revenue: A makes the first 80 %, B the next 15 %, C the rest.",
    ),
    Scheme(
        "purchase_power",
        "purchase_power",
        "Purchase power",
        "How much could our customers spend?",
        ("A", "B", "C", UNKNOWN),
        "Annual income ÷ 10,000: over 100 is A, over 50 is B, else C.",
    ),
    Scheme(
        "age_group",
        "age_group",
        "Age group",
        "How old are the people who buy?",
        ("Young", "Middle-aged", "Senior", UNKNOWN),
        "Age on the as-of day: under 30 Young, under 60 Middle-aged, else Senior.",
    ),
    Scheme(
        "region",
        "region",
        "Region",
        "Where do our customers live?",
        ("North", "South", OTHER_REGION, UNKNOWN),
        "City to region by an editable table: Beijing and Shanghai are North, Guangdong and Shenzhen "
        "South, any other city Other.",
    ),
)


def find_scheme(name: str) -> Scheme:
    """Return the scheme called `name`. Raises NotFound naming those there are."""
    for scheme in SCHEMES:
        if scheme.name == name:
            return scheme
    raise NotFound(
        f"There is no scheme called {name!r}.",
        "Choose one of " + ", ".join(scheme.name for scheme in SCHEMES) + ".",
    )


def in_order(rows: pd.DataFrame, scheme: Scheme) -> pd.DataFrame:
    """Return rows with a `segment` in the scheme's own order, those it does not list last, by name."""
    known = list(scheme.segments)
    names = [*known, *sorted(set(rows["segment"]) - set(known))]
    place = {name: number for number, name in enumerate(names)}
    return rows.sort_values("segment", key=lambda column: column.map(place)).reset_index(drop=True)


def meaning_of(scheme: Scheme, bands: Bands) -> str:
    """Return how `scheme` divides customers under `bands`, in words."""
    match scheme.name:
        case "value_class":
            first, second = (round(share * 100, 2) for share in bands.value_class)
            return (
                f"Customers sorted by revenue: A makes the first {first:g} %, "
                f"B the next {second - first:g} %, C the rest."
            )
        case "purchase_power":
            a, b = bands.purchase_power
            return f"Annual income ÷ {INCOME_UNIT:,}: over {a:g} is A, over {b:g} is B, else C."
        case "age_group":
            young, middle = bands.age_group
            return f"Age on the as-of day: under {young} Young, under {middle} Middle-aged, else Senior."
        case "region":
            known = "; ".join(
                f"{', '.join(cities)}: {name}" for name, cities in bands.regions.items() if cities
            )
            return f"City to region by an editable table ({known}); any other city is {OTHER_REGION}."
    return scheme.meaning


@table_function
def value_classes(
    customers: nw.LazyFrame[Any], *, shares: tuple[float, float] = (0.80, 0.95)
) -> nw.LazyFrame[Any]:
    """Return the customers with their value class.

    From one row per customer: orders, revenue (money), and whatever else.
    To the same rows with value_class: A when the customers of higher revenue make less than the first
    share of all revenue, B when less than the second, else C; empty without a purchase. Customers of
    equal revenue are always in the same class, and the best customer is A even when alone above 80 %.
    """
    # In floats of money, 0.80 + 0.15 + 0.05 would be less than 1 and the second customer A.
    revenue = ten_thousandths(nw.col("revenue"))
    levels = (
        with_purchase(customers)
        .select(level=revenue)
        .group_by("level")
        .agg(alike=nw.len())
        .with_columns(made=nw.col("level") * nw.col("alike").cast(nw.Float64))
    )
    total = levels.select(total=nw.col("made").sum())
    higher = nw.col("made").cum_sum(reverse=True).over(order_by="level") - nw.col("made")
    classes = (
        levels.join(total, how="cross")
        .with_columns(higher=higher)
        .select(
            "level",
            value_class=nw.when(nw.col("higher") < shares[0] * nw.col("total"))
            .then(nw.lit("A"))
            .when(nw.col("higher") < shares[1] * nw.col("total"))
            .then(nw.lit("B"))
            .otherwise(nw.lit("C")),
        )
    )
    return (
        customers.with_columns(level=nw.when(nw.col("orders") > 0).then(revenue))
        .join(classes, on="level", how="left")
        .drop("level")
    )


def purchase_power(bands: Bands) -> nw.Expr:
    """Return purchase power from annual_income (money): A, B, C or Unknown."""
    income = ten_thousandths(nw.col("annual_income"))
    a, b = (round(limit * INCOME_UNIT * 10_000) for limit in bands.purchase_power)
    return _banded(income, [(income > a, "A"), (income > b, "B")], "C")


def age_group(bands: Bands) -> nw.Expr:
    """Return the age group from age (years): Young, Middle-aged, Senior or Unknown."""
    age = nw.col("age")
    return _banded(
        age, [(age < bands.age_group[0], "Young"), (age < bands.age_group[1], "Middle-aged")], "Senior"
    )


def region(bands: Bands) -> nw.Expr:
    """Return the region from city (text), by the table of cities: a region, Other or Unknown."""
    city = nw.col("city").str.strip_chars(BLANKS).str.to_lowercase()
    known = nw.when(city != "").then(city)
    rules = [
        (city.is_in([name.strip().lower() for name in cities]), label)
        for label, cities in bands.regions.items()
        if cities
    ]
    return _banded(known, rules, OTHER_REGION)


def age_on(as_of: date) -> nw.Expr:
    """Return the age in full years on `as_of` from birth_date, or the stated age where that is unknown."""
    born = nw.col("birth_date")
    birthday_ahead = (
        nw.when(
            born.dt.month().cast(nw.Int64) * 100 + born.dt.day().cast(nw.Int64)
            > as_of.month * 100 + as_of.day
        )
        .then(nw.lit(1))
        .otherwise(nw.lit(0))
    )
    years = as_of.year - born.dt.year().cast(nw.Int64) - birthday_ahead
    return nw.when(~born.is_null() & (years >= 0)).then(years).otherwise(nw.col("age").cast(nw.Int64))


def _banded(value: nw.Expr, rules: list[tuple[nw.Expr, str]], rest: str) -> nw.Expr:
    """Return the label of the first rule that holds, `rest` where none does, Unknown where `value` is empty."""
    label = nw.lit(rest)
    for rule, name in reversed(rules):
        label = nw.when(rule).then(nw.lit(name)).otherwise(label)
    return nw.when(value.is_null()).then(nw.lit(UNKNOWN)).otherwise(label)


@table_function
def segment_summary(customers: nw.LazyFrame[Any], *, scheme: Scheme) -> nw.LazyFrame[Any]:
    """Return what each segment of `scheme` holds.

    From one row per customer: the scheme's column, orders, revenue, recency_days.
    To one row per segment with a customer in it: segment, customers, revenue (money), orders,
    recency_days (mean). Customers without a purchase are in no segment, so the customers of all
    segments add up to the customers with a purchase.
    """
    return (
        with_purchase(customers)
        .with_columns(
            segment=nw.col(scheme.column).fill_null(UNKNOWN),
            recency_days=nw.col("recency_days").cast(nw.Float64),
        )
        .group_by("segment")
        .agg(
            customers=nw.len(),
            revenue=nw.col("revenue").sum(),
            orders=nw.col("orders").sum(),
            recency_days=nw.col("recency_days").mean(),
        )
        .with_columns(nw.col("orders").cast(nw.Int64))
    )

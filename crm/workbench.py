"""Everything a page shows and a command prints: one question in, one answer out.

The pages and the command line both stand on this module, so a number is the same wherever it is read.
"""

import fcntl
import json
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd
import pyarrow as pa

from crm import audiences, exports
from crm.analytics import loyalty as loyalty_of
from crm.analytics.customers import with_purchase
from crm.analytics.lifetime_value import Assumptions, channel_costs_as_json, channel_costs_from
from crm.analytics.loyalty import NetPromoterScore, net_promoter_score
from crm.analytics.profiles import FORECAST_FIELDS
from crm.analytics.revenue import activity_by_bucket, revenue_by_day
from crm.analytics.segments import Bands, Scheme, find_scheme, in_order, segment_summary
from crm.analytics.tables import day_of
from crm.engine import Engine, Lazy, Version, open_engine, sorted_by
from crm.errors import InvalidValue, NotEnoughData, NotFound
from crm.forecasting import Forecast, Forecasting
from crm.imports import loading
from crm.imports.jobs import Jobs
from crm.lake import Lake
from crm.logs import log_unexpected
from crm.records.audiences import find_audience
from crm.records.audit import list_edits
from crm.records.custom_fields import attribute_of, list_custom_fields
from crm.records.database import Records
from crm.records.images import ATTRIBUTE, changed_fields, title_of
from crm.records.models import Event
from crm.records.settings_values import get_value, set_value
from crm.schema import FIELD, FIELDS, UNKNOWN, Field, Type, field_of
from crm.settings import Settings
from crm.valuation import Valuation

SPARK_POINTS = 12

CHANNEL_COSTS = "acquisition_costs"
"""Name of the setting that holds the acquisition cost of each channel."""


@dataclass(frozen=True)
class Figure:
    """One figure of a period beside that of the period before, which is nothing where it is not known."""

    now: float | None
    before: float | None
    series: tuple[float, ...]

    @property
    def change(self) -> float | None:
        """(Now − before) ÷ before; nothing where that is not defined."""
        if self.now is None or not self.before or self.before < 0:
            return None
        return (self.now - self.before) / self.before


@dataclass(frozen=True)
class Overview:
    """The business in a period of `days` that ends with the as-of day.

    months: one row per calendar month: month (first day), revenue, purchases, year_before (revenue of the
    month a year earlier, or nothing), complete (whether the as-of day has reached its end).
    """

    as_of: date
    first: date
    days: int
    revenue: Figure
    purchases: Figure
    buyers: Figure
    new_customers: Figure
    average_order_value: Figure
    months: pd.DataFrame
    rfm: "Segments"


@dataclass(frozen=True)
class Segments:
    """A scheme's segments, in its own order: segment, customers, revenue, orders, recency_days (mean), share."""

    scheme: Scheme
    as_of: date
    customers: int
    revenue: float
    rows: pd.DataFrame


@dataclass(frozen=True)
class Loyalty:
    """Loyalty of the customers with a purchase.

    lifecycle: one row per full year since the first purchase (segment is the year, from 0).
    segments: one row per segment of the scheme asked for. Both with customers, repeat_customers,
    purchases, feedback_answers, recommendations, lifecycle_years (mean) and the three rates.
    """

    as_of: date
    customers: int
    purchases: int
    feedback_answers: int
    recommendations: int
    repeat_rate: float | None
    feedback_rate: float | None
    recommendation_rate: float | None
    lifecycle_years: float | None
    nps: NetPromoterScore
    lifecycle: pd.DataFrame
    segments: pd.DataFrame


@dataclass(frozen=True)
class Edit:
    """An act by hand: when, who, what was done to what, which fields changed, and whether it can be undone."""

    event_id: int
    at: datetime
    actor: str
    done: str
    subject: str
    fields: tuple[str, ...]
    takes_back: bool
    undone: bool
    can_be_undone: bool


class Workbench:
    """One opened store: its records, its lake and its engine."""

    def __init__(self, settings: Settings, records: Records, lake: Lake, engine: Engine) -> None:
        self.settings = settings
        self.records = records
        self.lake = lake
        self.engine = engine
        self.importer = loading.Importer(settings, lake, records)
        self.forecasting = Forecasting(engine, records, self.bands)
        self.valuation = Valuation(engine, self.forecasting, self.bands)
        self._starting = threading.Lock()
        self._fitting: threading.Thread | None = None
        self._fitted_version: int | None = None
        self._closed = False

    @classmethod
    def open(cls, settings: Settings) -> "Workbench":
        """Return the workbench of `settings`, its stores made or brought up to date.

        An import that a crash left half done is finished if all of it was written, and taken back if not.
        """
        settings.home.mkdir(parents=True, exist_ok=True)
        records = Records.open(settings.records_url)
        with (settings.home / "start.lock").open("a") as file:
            # SQLite does not wait for another process that is just giving a new file its log.
            fcntl.flock(file, fcntl.LOCK_EX)
            records.migrate()
            lake = Lake.open(settings.lake_root)
        workbench = cls(settings, records, lake, open_engine(settings, lake, records))
        workbench.importer.recover()
        Jobs(settings.home).sweep(settings.scratch)
        return workbench

    def close(self) -> None:
        """Close both stores, after what runs in the background."""
        with self._starting:
            self._closed = True
            fitting = self._fitting
        if fitting is not None:
            fitting.join()
        self.engine.close()
        self.records.close()

    def version(self) -> Version:
        """Return the version of what is stored: equal versions, equal answers."""
        return self.engine.version()

    def forecast_in_background(self, version: int) -> None:
        """Make the forecast of the newest orders, of this version, in a thread of its own, once for each version.

        What asks for it meanwhile waits for this one, and so does the end of the process, for as long as the
        models under way are being fitted.
        """
        with self._starting:
            if (
                self._closed
                or version == self._fitted_version
                or (self._fitting is not None and self._fitting.is_alive())
            ):
                return
            self._fitted_version = version
            self._fitting = threading.Thread(target=self._forecast_newest, name="forecast", daemon=True)
            self._fitting.start()

    def _forecast_newest(self) -> None:
        try:
            if (days := self.days()) is not None:
                forecast = self.forecasting.tracked(self.forecasting.forecast(as_of=days[1]))
                # What each page with a forecast asks for next; a kept one was made by another process.
                self.forecasting.scores(forecast, self.assumptions())
        except Exception as error:  # the page that asks for it will say so
            log_unexpected(error)

    # Days

    def days(self) -> tuple[date, date] | None:
        """Return the first and last day with an order, or nothing in an empty lake."""
        return self.engine.days()

    def as_of(self, chosen: date | None = None) -> date:
        """Return the day to look at: the one chosen, else the last day with an order.

        Raises NotEnoughData where there are no orders.
        """
        if chosen is not None:
            return chosen
        days = self.days()
        if days is None:
            raise NotEnoughData(
                "There are no orders yet.", "Import a file of orders, or load the sample shop."
            )
        return days[1]

    # Customers

    def bands(self) -> Bands:
        """Return the limits between segments as last edited."""
        with self.records.read() as session:
            stored = get_value(session, "bands", {})
        return bands_from(stored)

    def save_bands(self, bands: Bands, *, actor: str) -> int | None:
        """Store the limits between segments; return the event to undo it by, if anything changed."""
        with self.records.write() as session:
            return set_value(session, key="bands", value=bands_as_json(bands), actor=actor).event_id

    def customers(self, *, as_of: date, assumptions: Assumptions | None = None) -> Lazy:
        """Return the per-customer table: one row per customer, the columns of `fields`.

        Its forecasts are made on the way if they are not kept.
        """
        return self.valuation.customers(assumptions or self.assumptions(), as_of=as_of)

    def _known_customers(self, as_of: date) -> Lazy:
        """Return the per-customer table with its forecasts empty: nobody waits for them here."""
        return self.engine.customers(as_of=as_of, bands=self.bands())

    def assumptions(self, **values: Any) -> Assumptions:
        """Return the assumptions with these values, the rest as by default, and the stored costs of channels."""
        with self.records.read() as session:
            stored = get_value(session, CHANNEL_COSTS)
        return Assumptions(**{"channel_costs": channel_costs_from(stored), **values})

    def save_channel_costs(self, costs: Mapping[str, float], *, actor: str) -> int | None:
        """Store the acquisition cost of each channel; return the event to undo it by, if anything changed.

        Raises InvalidValue for a channel named twice or a cost that cannot be.
        """
        checked = Assumptions(channel_costs=tuple(costs.items()))
        with self.records.write() as session:
            value = channel_costs_as_json(checked.channel_costs)
            return set_value(session, key=CHANNEL_COSTS, value=value, actor=actor).event_id

    def channels(self, *, as_of: date) -> list[str]:
        """Return the acquisition channels that contacts name, the most frequent first."""
        return self.field_values("channel", as_of=as_of)

    def fields(self) -> tuple[Field, ...]:
        """Return the fields of the per-customer table: schema.FIELDS, then the contacts' attributes by title."""
        with self.records.read() as session:
            return (*FIELDS, *list_custom_fields(session))

    def unknown_attributes(self, rule: audiences.Rule) -> list[str]:
        """Return the titles of the attributes that `rule` reads and no contact has, or has any more."""
        if not audiences.fields(rule) - FIELD.keys():
            return []
        known = {field.name for field in self.fields()}
        gone = [field_of(name) for name in sorted(audiences.fields(rule) - known)]
        return [field.title for field in gone if field is not None]

    def find_customer(
        self, customer_id: str, *, as_of: date, assumptions: Assumptions | None = None
    ) -> dict[str, Any]:
        """Return one customer's row. Raises NotFound."""
        customers = self.customers(as_of=as_of, assumptions=assumptions)
        one = customers.filter(nw.col("customer_id") == customer_id)
        rows = self.engine.collect(one)
        if rows.empty:
            raise NotFound(
                f"There is no customer {customer_id!r}.",
                "Check the ID, or search for the customer on the Contacts page.",
            )
        return {str(name): _plain(value) for name, value in rows.iloc[0].items()}

    def customer_orders(
        self, customer_id: str, *, offset: int = 0, limit: int = 50
    ) -> tuple[pd.DataFrame, int]:
        """Return a page of one customer's order lines, newest first, and how many there are in all."""
        lines = self.engine.orders().filter(nw.col("customer_id") == customer_id)
        newest = lines.sort(
            ["ordered_at", "order_id", "product", "amount"], descending=[True, False, False, True]
        )
        shown = newest.head(offset + limit)
        return self.engine.collect(shown).iloc[offset:].reset_index(drop=True), self.engine.count(lines)

    def search_customers(self, text: str, *, as_of: date, contacts_only: bool = False) -> Lazy:
        """Return the customers whose ID, name, e-mail, phone, company or city contains `text`."""
        customers = self.customers(as_of=as_of)
        if contacts_only:
            customers = customers.filter(~nw.col("name").is_null() | ~nw.col("email").is_null())
        needle = text.strip().lower()
        if not needle:
            return customers
        columns = ("customer_id", "name", "email", "phone", "company", "city")
        hits = [nw.col(name).str.to_lowercase().str.contains(needle, literal=True) for name in columns]
        return customers.filter(nw.any_horizontal(*hits, ignore_nulls=True))

    def customer_page(
        self,
        text: str,
        *,
        as_of: date,
        by: str = "customer_id",
        descending: bool = False,
        page: int = 1,
        size: int = 50,
        columns: Sequence[str] | None = None,
    ) -> tuple[pd.DataFrame, int]:
        """Return page `page`, from 1, of `search_customers`, and how many customers it finds in all.

        A page past the end is refused with InvalidValue, as is a field that does not exist.
        """
        found = self.search_customers(text, as_of=as_of)
        return self._page(found, by=by, descending=descending, page=page, size=size, columns=columns)

    def customer_answers(
        self, customer_id: str, *, offset: int = 0, limit: int = 50
    ) -> tuple[pd.DataFrame, int]:
        """Return a page of one customer's answers, newest first, and how many there are in all."""
        given = self.engine.responses().filter(nw.col("customer_id") == customer_id)
        newest = given.sort(["responded_at", "response_id"], descending=[True, False])
        shown = newest.head(offset + limit)
        return self.engine.collect(shown).iloc[offset:].reset_index(drop=True), self.engine.count(given)

    # Edits

    def edits(self, *, page: int = 1, size: int = 50) -> tuple[list[Edit], int]:
        """Return page `page`, from 1, of what was done by hand, newest first, and how many acts there are in all.

        These are acts on contacts, tickets, comments, audiences and bands; imports have a history of their own.
        """
        with self.records.read() as session:
            events, total = list_edits(session, offset=(page - 1) * size, limit=size)
            titles = {attribute_of(field.name): field.title for field in list_custom_fields(session)}
            return [_edit(event, titles) for event in events], total

    # Analytics

    def overview(self, *, as_of: date, days: int = 90) -> Overview:
        """Return the business in the `days` up to `as_of`, beside the `days` before."""
        spread = self.days()
        if spread is None:
            raise NotEnoughData(
                "There are no orders yet.", "Import a file of orders, or load the sample shop."
            )
        first = as_of - timedelta(days=days - 1)
        orders = self.engine.orders()
        pair = self._buckets(orders, as_of, days, 2)
        points = self._buckets(orders, as_of, max(1, days // SPARK_POINTS), SPARK_POINTS)
        known_before = first - timedelta(days=days) >= spread[0]
        customers = self._known_customers(as_of)
        arrivals = self.engine.collect(
            with_purchase(customers).group_by("first_order_day").agg(customers=nw.len())
        )

        def figure(name: str) -> Figure:
            values = pair[name]
            return Figure(values[1], values[0] if known_before else None, tuple(points[name]))

        def arrived(last: date, width: int) -> float:
            day = pd.to_datetime(arrivals["first_order_day"]).dt.date
            inside = (day > last - timedelta(days=width)) & (day <= last)
            return float(arrivals.loc[inside, "customers"].sum())

        width = max(1, days // SPARK_POINTS)
        series = tuple(
            arrived(as_of - timedelta(days=width * back), width) for back in reversed(range(SPARK_POINTS))
        )
        before = arrived(first - timedelta(days=1), days) if known_before else None
        daily = self.engine.collect(revenue_by_day(orders, as_of=as_of))
        return Overview(
            as_of=as_of,
            first=first,
            days=days,
            revenue=figure("revenue"),
            purchases=figure("purchases"),
            buyers=figure("buyers"),
            new_customers=Figure(arrived(as_of, days), before, series),
            average_order_value=figure("average_order_value"),
            months=_months(daily, as_of),
            rfm=self.segments("rfm", as_of=as_of),
        )

    def _buckets(self, orders: Lazy, last: date, width: int, buckets: int) -> pd.DataFrame:
        found = self.engine.collect(activity_by_bucket(orders, last=last, width=width, buckets=buckets))
        rows = found.set_index("bucket").reindex(range(buckets - 1, -1, -1)).fillna(0.0).reset_index()
        rows["average_order_value"] = (rows["purchase_total"] / rows["purchases"]).where(
            rows["purchases"] > 0
        )
        return rows.astype(float).astype(object).where(rows.notna(), None)

    def segments(self, scheme: str, *, as_of: date) -> Segments:
        """Return the segments of the scheme called `scheme`. Raises NotFound for an unknown one."""
        found = find_scheme(scheme)
        rows = self.engine.collect(segment_summary(self._known_customers(as_of), scheme=found))
        customers = int(rows["customers"].sum())
        rows = in_order(rows, found)
        rows["share"] = rows["customers"] / customers if customers else 0.0
        return Segments(found, as_of, customers, float(rows["revenue"].sum()), rows)

    def currencies(self) -> tuple[str, ...]:
        """Return the currency codes that order lines carry, "" among them where a line carries none."""
        codes = self.engine.orders().select(code=nw.col("currency").fill_null("")).unique()
        return tuple(sorted(self.engine.collect(codes)["code"]))

    def new_customers(self, *, as_of: date, days: int = 365) -> int:
        """Return how many customers made their first purchase in the `days` up to `as_of`."""
        first = as_of - timedelta(days=days - 1)
        return self.engine.count(
            with_purchase(self._known_customers(as_of)).filter(nw.col("first_order_day") >= first)
        )

    def loyalty(self, *, as_of: date, scheme: str = "rfm") -> Loyalty:
        """Return repeat, feedback and recommendation rates, in all, by lifecycle year and by segment."""
        found = find_scheme(scheme)
        customers = self._known_customers(as_of)
        collect = self.engine.collect
        totals = collect(loyalty_of.loyalty_totals(customers))
        counts = collect(loyalty_of.score_counts(self.engine.responses(), as_of=as_of))
        nps = net_promoter_score(dict(zip(counts["recommendation"], counts["answers"], strict=True)))
        lifecycle = _with_rates(collect(loyalty_of.loyalty_by_lifecycle(customers))).sort_values("segment")
        segments = _with_rates(collect(loyalty_of.loyalty_by(customers, column=found.column)))
        segments = in_order(segments, found)
        every = _with_rates(totals).iloc[0] if len(totals) else None
        return Loyalty(
            as_of=as_of,
            customers=0 if every is None else int(every["customers"]),
            purchases=0 if every is None else int(every["purchases"]),
            feedback_answers=0 if every is None else int(every["feedback_answers"]),
            recommendations=0 if every is None else int(every["recommendations"]),
            repeat_rate=None if every is None else _plain(every["repeat_rate"]),
            feedback_rate=None if every is None else _plain(every["feedback_rate"]),
            recommendation_rate=None if every is None else _plain(every["recommendation_rate"]),
            lifecycle_years=None if every is None else _plain(every["lifecycle_years"]),
            nps=nps,
            lifecycle=lifecycle.reset_index(drop=True),
            segments=segments.reset_index(drop=True),
        )

    # Audiences

    def audience(self, rule: audiences.Rule, *, as_of: date, assumptions: Assumptions | None = None) -> Lazy:
        """Return the customers that `rule` holds for.

        An attribute that is gone, because the import that brought it was undone, is empty for everybody. Of a
        refused forecast nothing is known: nobody meets a condition on it, nor its opposite.
        """
        assumed = assumptions or self.assumptions()
        return self._audience(rule, assumed, self.valuation.forecast(assumed, as_of=as_of))

    def _audience(self, rule: audiences.Rule, assumptions: Assumptions, forecast: Forecast) -> Lazy:
        """Return `audience` under `assumptions` and the forecast that they ask for."""
        customers = self.valuation.customers(assumptions, as_of=forecast.as_of, forecast=forecast)
        return _held(customers, rule if forecast.usable else audiences.unmet(rule, FORECAST_FIELDS))

    def audience_page(
        self,
        rule: audiences.Rule,
        *,
        as_of: date,
        assumptions: Assumptions | None = None,
        by: str = "revenue",
        descending: bool = True,
        page: int = 1,
        size: int = 50,
        columns: Sequence[str] | None = None,
    ) -> tuple[pd.DataFrame, int]:
        """Return page `page`, from 1, of an audience, and how many customers it holds in all.

        A page past the end is refused with InvalidValue, as is a field that does not exist.
        """
        frame = self.audience(rule, as_of=as_of, assumptions=assumptions)
        return self._page(frame, by=by, descending=descending, page=page, size=size, columns=columns)

    def _page(
        self,
        frame: Lazy,
        *,
        by: str,
        descending: bool,
        page: int,
        size: int,
        columns: Sequence[str] | None,
    ) -> tuple[pd.DataFrame, int]:
        known = frame.collect_schema().names()
        _require_column(by, known)
        total = self.engine.count(frame)
        pages = max(1, -(-total // size))
        if not 1 <= page <= pages:
            raise InvalidValue(
                f"There is no page {page}; the list has {pages} page{'s' if pages > 1 else ''}.",
                "Go back to the first page.",
            )
        shown = frame.select(list(dict.fromkeys(["customer_id", by, *(columns or known)])))
        rows = self.engine.page(shown, by=by, descending=descending, offset=(page - 1) * size, limit=size)
        return rows, total

    def audience_size(
        self, rule: audiences.Rule, *, as_of: date, assumptions: Assumptions | None = None
    ) -> int:
        """Return how many customers `rule` holds for."""
        return self.engine.count(self.audience(rule, as_of=as_of, assumptions=assumptions))

    def field_values(self, field: str, *, as_of: date, limit: int = 200) -> list[str]:
        """Return the values of a text field, the most frequent first, at most `limit`. Raises InvalidValue."""
        if (found := field_of(field)) is None or found.type != "text":
            raise InvalidValue(f"There is no field of text called {field!r}.", "Choose one of the columns.")
        customers = self._known_customers(as_of)
        if field not in customers.collect_schema().names():
            return []
        known = customers.filter(~nw.col(field).is_null())
        counts = known.group_by(field).agg(customers=nw.len())
        often = counts.sort("customers", field, descending=[True, False]).head(limit)
        return [str(value) for value in self.engine.collect(often)[field]]

    def saved_rule(self, name: str) -> audiences.Rule:
        """Return the rule of the saved audience called `name`. Raises NotFound."""
        with self.records.read() as session:
            return audiences.parse(find_audience(session, name=name).rule)

    def export(
        self,
        path: Path,
        *,
        as_of: date,
        rule: audiences.Rule | None = None,
        columns: Sequence[str] | None = None,
        assumptions: Assumptions | None = None,
        safe: bool = True,
    ) -> exports.ExportResult:
        """Write the customers that `rule` holds for, or all of them, to a CSV, XLSX or Parquet file."""
        reader, definition = self.export_rows(
            as_of=as_of, rule=rule, columns=columns, assumptions=assumptions
        )
        return exports.write(reader, path, definition=definition, as_of=as_of, safe=safe)

    def export_rows(
        self,
        *,
        as_of: date,
        rule: audiences.Rule | None = None,
        columns: Sequence[str] | None = None,
        assumptions: Assumptions | None = None,
        by: str = "customer_id",
        descending: bool = False,
    ) -> tuple[pa.RecordBatchReader, str]:
        """Return the rows of an export, and the sentence that defines them.

        Rows are sorted by `by`, empties last, and then by customer ID: the order of `audience_page`. The
        sentence names the `assumptions` where the rule or a column is the lifetime value that rests on them.
        """
        assumed = assumptions or self.assumptions()
        # Asked for once, so that the rows and the sentence speak of the same one.
        forecast = self.valuation.forecast(assumed, as_of=as_of)
        if rule is None:
            frame = self.valuation.customers(assumed, as_of=as_of, forecast=forecast)
            definition = "All customers"
        else:
            frame = self._audience(rule, assumed, forecast)
            definition = audiences.sentence(rule)
            if gone := self.unknown_attributes(rule):
                definition = f"{definition}. No customer has the attribute {', '.join(gone)}"
        known = frame.collect_schema().names()
        _require_column(by, known)
        names = [name for name in known if columns is None or name in columns]
        named = {*names, *(audiences.fields(rule) if rule is not None else ())}
        if named & {"dcf_lifetime_value", *FORECAST_FIELDS}:
            definition = f"{definition}. {assumed.sentence()}"
        if named & set(FORECAST_FIELDS):
            definition = f"{definition}. {forecast.sentence()}"
        # A quotient has no end of digits; money is written as finely as it is stored.
        quotients = [nw.col(name).round(digits) for name, digits in _QUOTIENTS.items()]
        rows = sorted_by(frame, by, descending=descending).with_columns(*quotients).select(names)
        return self._titled(self.engine.batches(rows)), definition

    def _titled(self, rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """Return rows whose attributes carry the titles they came with."""
        titles = {field.name: field.title for field in self.fields() if field.name not in FIELD}
        columns = [
            one.with_metadata({exports.TITLE: titles[one.name]}) if one.name in titles else one
            for one in rows.schema
        ]
        return rows.cast(pa.schema(columns, rows.schema.metadata))


_QUOTIENTS = {
    "average_order_value": 4,
    "dcf_lifetime_value": 4,
    **{name: 4 if name.startswith("lifetime_value") else 6 for name in FORECAST_FIELDS},
}

_NARWHALS: dict[Type, Any] = {"number": nw.Float64, "date": nw.Date, "yes/no": nw.Boolean}


def _require_column(name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise InvalidValue(f"There is no field {name!r} to sort by.", "Choose one of the columns.")


def _held(customers: Lazy, rule: audiences.Rule) -> Lazy:
    """Return the customers that `rule` holds for; attributes that nobody has any more are empty."""
    if not audiences.fields(rule) - FIELD.keys():
        return customers.filter(audiences.expression(rule))
    columns = customers.collect_schema().names()
    gone = {
        name: nw.lit(None).cast(_NARWHALS.get(field.type, nw.String))
        for name in audiences.fields(rule) - set(columns)
        if (field := field_of(name)) is not None
    }
    known = customers.with_columns(**gone) if gone else customers
    return known.filter(audiences.expression(rule)).select(columns)


def segment_rule(scheme: Scheme, segment: str) -> audiences.Rule:
    """Return the rule that holds for the customers whom `Workbench.segments` counts in a segment."""
    within = audiences.Leaf(scheme.column, "=", segment)
    if UNKNOWN not in scheme.segments:  # made from purchases, so nobody without one is in it
        return within
    return audiences.All((within, audiences.Leaf("orders", ">", 0)))


def lifecycle_rule(full_years: int) -> audiences.Rule:
    """Return the rule that holds for the customers in their lifecycle year after `full_years`."""
    return audiences.All(
        (
            audiences.Leaf("lifecycle_years", ">=", full_years),
            audiences.Leaf("lifecycle_years", "<", full_years + 1),
        )
    )


def bands_as_json(bands: Bands) -> dict[str, Any]:
    """Return `bands` as JSON values."""
    return {
        "purchase_power": list(bands.purchase_power),
        "value_class": list(bands.value_class),
        "age_group": list(bands.age_group),
        "regions": {region: list(cities) for region, cities in bands.regions.items()},
    }


def bands_from(stored: dict[str, Any]) -> Bands:
    """Return the bands that JSON values describe; what they leave out keeps its default."""
    values: dict[str, Any] = {
        name: tuple(stored[name]) for name in ("purchase_power", "value_class", "age_group") if name in stored
    }
    if "regions" in stored:
        values["regions"] = {region: tuple(cities) for region, cities in stored["regions"].items()}
    return Bands(**values)


def _edit(event: Event, attributes: Mapping[str | None, str]) -> Edit:
    before, after = event.before or {}, event.after or {}
    done = event.act.rpartition(".")[2]
    fields: tuple[str, ...] = ()
    if event.subject_kind == "setting":
        old, new = before.get("value") or {}, after.get("value") or {}
        if event.subject_id == CHANNEL_COSTS:
            fields = tuple(name for name in {**old, **new} if old.get(name) != new.get(name))
        elif isinstance(old, dict) and isinstance(new, dict):
            fields = tuple(title_of(name) for name in new if old.get(name) != new[name]) if old else ()
    elif done == "edited":
        fields = tuple(
            attributes.get(name.removeprefix(ATTRIBUTE)) or title_of(name)
            if name.startswith(ATTRIBUTE)
            else title_of(name)
            for name in changed_fields(before, after)
        )
    return Edit(
        event_id=event.id,
        at=event.at,
        actor=event.actor,
        done=done,
        subject=_subject(event.subject_kind, event.subject_id, after or before),
        fields=fields,
        takes_back=event.undoes_id is not None,
        undone=event.undone_at is not None,
        can_be_undone=event.undone_at is None and event.after is not None,
    )


def _subject(kind: str, key: str, image: dict[str, Any]) -> str:
    match kind:
        case "contact":
            name = image.get("name") or image.get("company")
            return f"contact {key}, {name}" if name else f"contact {key}"
        case "ticket":
            return f"ticket {key}, “{image.get('subject', '')}”"
        case "comment":
            return f"a comment on ticket {image.get('ticket_id', '')}"
        case "audience" | "connection":
            return f"{kind} “{image.get('name', '')}”"
        case "setting" if key == "bands":
            return "the bands"
        case "setting" if key == CHANNEL_COSTS:
            return "the acquisition costs by channel"
    return f"{kind} {key}"


def _with_rates(sums: pd.DataFrame) -> pd.DataFrame:
    rates = {"repeat_rate": ("repeat_customers", "customers"), "feedback_rate": ("feedback_answers", "purchases"),
             "recommendation_rate": ("recommendations", "purchases")}  # fmt: skip
    for name, (part, whole) in rates.items():
        sums[name] = (sums[part] / sums[whole]).where(sums[whole] > 0)
    return sums


def _months(daily: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Sum days to calendar months, without holes, beside the same month a year before."""
    if daily.empty:
        return pd.DataFrame(columns=["month", "revenue", "purchases", "year_before", "complete"])
    days = pd.Series([day_of(int(day)) for day in daily["day"]])
    months = pd.PeriodIndex(pd.to_datetime(days), freq="M")
    sums = daily.assign(month=months).groupby("month")[["revenue", "purchases"]].sum()
    every = pd.period_range(sums.index.min(), pd.Period(as_of, "M"), freq="M")
    sums = sums.reindex(every, fill_value=0)
    before = sums["revenue"].reindex(every - 12)
    return pd.DataFrame(
        {
            "month": [period.start_time.date() for period in every],
            "revenue": sums["revenue"].to_numpy(float),
            "purchases": sums["purchases"].to_numpy(int),
            "year_before": before.to_numpy(float),
            "complete": [period.end_time.date() <= as_of for period in every],
        }
    )


def _plain(value: Any) -> Any:
    """Return a cell as plain Python, empty as None."""
    if value is None or (not isinstance(value, (list, dict)) and pd.isna(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.date()
    return value.item() if hasattr(value, "item") else value


def to_json(value: Any) -> str:
    """Return `value` as one JSON object: days as ISO text, money as numbers, not-a-number as null."""

    def plain(item: Any) -> Any:
        if isinstance(item, Decimal):
            return float(item)
        if isinstance(item, date):
            return item.isoformat()
        if isinstance(item, Path):
            return str(item)
        raise TypeError(f"{type(item).__name__} has no JSON form")

    return json.dumps(_without_nan(value), default=plain, ensure_ascii=False, allow_nan=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


__all__ = [
    "Edit",
    "Figure",
    "Loyalty",
    "Overview",
    "Segments",
    "Workbench",
    "bands_as_json",
    "bands_from",
    "lifecycle_rule",
    "segment_rule",
    "to_json",
]

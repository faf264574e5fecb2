"""Lake and contacts as Narwhals frames, computed by DuckDB in process or by a Spark Connect server."""

import hashlib
import os
import re
import shutil
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import pandas as pd
import pyarrow as pa

from crm import schema
from crm.analytics.customers import (
    customer_days,
    customer_metrics,
    metrics_of_days,
    purchase_histories,
)
from crm.analytics.lifetime_value import Assumptions, acquisition_cost_of, dcf_lifetime_value
from crm.analytics.profiles import (
    FORECASTS,
    LIFETIME_VALUES,
    Scores,
    answers,
    customer_profiles,
    with_forecasts,
)
from crm.analytics.rfm import rfm_scores
from crm.analytics.segments import Bands, value_classes
from crm.analytics.tables import day_of
from crm.errors import UnsafeSetting
from crm.lake import Lake
from crm.records.arrow import ATTRIBUTES, CHANGED_ROWS, CONTACT_ROWS
from crm.records.changes import contacts_changed_since, latest_change
from crm.records.custom_fields import attribute_of, in_sql, list_custom_fields
from crm.records.database import Records
from crm.settings import Settings

SPARK_CONNECT_PORT = 15002

KEPT_TABLES = 6
"""Per-customer tables kept at once: as-of days and bands that people look at side by side."""

MESSAGE_ROWS = 100_000
"""Rows of scores sent to a Spark Connect server at once: some 20 MB, where a message may have 128."""

KEPT_SCORED = 2
"""Of these, with forecasts: each set of assumptions that change them makes one, as large as all customers."""

GRACE_SECONDS = 60
"""How long a table outlives its last use: longer than any page takes from building a question to asking it."""

Lazy = nw.LazyFrame[Any]

Attributes = tuple[str, ...]
"""Names of the fields that hold custom attributes of contacts, by title."""

_FIELDS = tuple(field.name for field in schema.FIELDS)

_PARTS = tuple(
    name
    for name in FORECASTS
    if name not in _FIELDS and name not in ("future_value_low", "future_value_high")
)


@dataclass(frozen=True)
class Version:
    """What the stores hold: two equal versions give equal answers, so caches are keyed by it."""

    orders: int
    responses: int
    contacts: int


class Engine(ABC):
    """Frames of what is stored, and the few acts that end a lazy frame.

    Frames are unexecuted and belong to the thread that asked for them.
    """

    def __init__(self, lake: Lake, records: Records) -> None:
        self._lake = lake
        self._records = records

    def version(self) -> Version:
        """Return the version of what is stored now."""
        with self._records.read() as session:
            contacts = latest_change(session)
        return Version(self._lake.version("orders"), self._lake.version("responses"), contacts)

    def orders_version(self) -> int:
        """Return the version of the orders alone, all that a forecast rests on."""
        return self._lake.version("orders")

    def orders_mark(self) -> str:
        """Return a mark of the very files the orders are in: no other orders ever have it, versions may recur."""
        _, files = self._lake.files("orders")
        return _short("\n".join(sorted(Path(file).name for file in files)))

    @abstractmethod
    def table(self, name: str) -> Lazy:
        """Return the lake's table `name`, shaped as schema.LAKE[name], in no order."""

    def orders(self) -> Lazy:
        """Return one row per order line, shaped as schema.ORDERS."""
        return self.table("orders")

    def responses(self) -> Lazy:
        """Return one row per answer, shaped as schema.RESPONSES."""
        return self.table("responses")

    def customers(
        self,
        *,
        as_of: date,
        bands: Bands | None = None,
        assumptions: Assumptions | None = None,
        scores: Scores | None = None,
    ) -> Lazy:
        """Return one row per customer named by an order, an answer or a contact.

        Its columns are those of schema.FIELDS, computed from everything up to and including `as_of`, and one
        per registered attribute of contacts, empty where a value does not fit its type. The forecasts are
        empty without `scores` and for customers without a purchase.
        """
        valued, attributes = self._valued(as_of, bands, assumptions, scores)
        return valued.select([*_FIELDS, *attributes])

    def valued(
        self,
        *,
        as_of: date,
        bands: Bands | None = None,
        assumptions: Assumptions | None = None,
        scores: Scores | None = None,
    ) -> Lazy:
        """Return the rows of `customers` with what sums of lifetime values are made of, as floats of money.

        After its columns: future_value, value_deviation and loading_1 to loading_7, empty as the forecasts
        are, and cost, the acquisition cost of everybody.
        """
        valued, attributes = self._valued(as_of, bands, assumptions, scores)
        return valued.select([*_FIELDS, *attributes, *_PARTS, "cost"])

    def _valued(
        self, as_of: date, bands: Bands | None, assumptions: Assumptions | None, scores: Scores | None
    ) -> tuple[Lazy, Attributes]:
        profiles, attributes = self._profiles(as_of, bands or Bands(), scores)
        if scores is None:
            nothing = nw.lit(None, dtype=nw.Float64)
            profiles = profiles.with_columns(**dict.fromkeys(FORECASTS, nothing))
        cost = acquisition_cost_of(assumptions or Assumptions())
        values = {name: nw.col(of) - cost for name, of in LIFETIME_VALUES.items()}
        dcf = dcf_lifetime_value(assumptions or Assumptions())
        return profiles.with_columns(dcf_lifetime_value=dcf, cost=cost, **values), attributes

    @abstractmethod
    def purchases(self, *, as_of: date, bands: Bands | None = None) -> Lazy:
        """Return one row per customer with an order line: metrics, RFM scores and value class.

        The columns of `rfm` and `value_classes`, kept from question to question.
        """

    @abstractmethod
    def days_at_hand(self, *, as_of: date) -> AbstractContextManager[Lazy | None]:
        """Keep `customer_days` of the orders while something asks of them again and again.

        Nothing on an engine that keeps no table between two questions.
        """

    def histories(self, *, as_of: date, bands: Bands | None = None) -> Lazy:
        """Return one row per distinct history of a customer with a purchase, as `purchase_histories` does."""
        histories: Lazy = purchase_histories(self.purchases(as_of=as_of, bands=bands))
        return histories

    def days(self) -> tuple[date, date] | None:
        """Return the first and the last day with an order, or nothing in an empty lake."""
        spread = self.row(self.orders().select(first=nw.col("day").min(), last=nw.col("day").max()))
        if spread["first"] is None:
            return None
        return day_of(spread["first"]), day_of(spread["last"])

    def count(self, frame: Lazy) -> int:
        """Return the number of rows of `frame`."""
        return int(self.row(frame.select(rows=nw.len()))["rows"])

    def row(self, frame: Lazy) -> dict[str, Any]:
        """Return the one row of `frame`, by column; money exact, empties None."""
        rows: list[dict[str, Any]] = self.batches(frame).read_all().to_pylist()
        return rows[0]

    @abstractmethod
    def collect(self, frame: Lazy) -> pd.DataFrame:
        """Return the rows of a small `frame` as pandas; money has become floats, after it was summed."""

    @abstractmethod
    def page(
        self, frame: Lazy, *, by: str, descending: bool = False, offset: int = 0, limit: int = 50
    ) -> pd.DataFrame:
        """Return `limit` rows of `frame` from `offset`, sorted by `by` and then by customer_id, empties last."""

    @abstractmethod
    def batches(self, frame: Lazy) -> pa.RecordBatchReader:
        """Return the rows of `frame` a batch at a time, money exact."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections and kept tables."""

    @abstractmethod
    def _profiles(self, as_of: date, bands: Bands, scores: Scores | None) -> tuple[Lazy, Attributes]:
        """Return `customer_profiles` of everything stored, and the names of its attributes.

        With `FORECASTS` where there are scores.
        """


def open_engine(settings: Settings, lake: Lake, records: Records) -> Engine:
    """Return the engine that the settings name."""
    if settings.engine == "duckdb":
        return DuckDBEngine(settings, lake, records)
    return SparkEngine(settings, lake, records)


def _lazy(native: Any) -> Lazy:
    frame: Lazy = nw.from_native(native)
    return frame


def _contacts_in_sql(attributes: Attributes, contacts: str) -> str:
    """Return DuckDB's query of the live contacts with their custom attributes as typed columns."""
    known = ", ".join(CONTACT_ROWS.names)
    if not attributes:
        return f"SELECT {known} FROM {contacts} WHERE NOT deleted"
    paths = ", ".join(f"""'$."{attribute_of(name)}"'""" for name in attributes)
    typed = ", ".join(
        f'{in_sql(found.type, f"texts[{place}]")} AS "{name}"'
        for place, name in enumerate(attributes, 1)
        if (found := schema.field_of(name)) is not None
    )
    # All paths at once: each text is parsed one time.
    texts = f"SELECT *, json_extract_string({ATTRIBUTES}, [{paths}]) AS texts FROM {contacts}"
    return f"SELECT {known}, {typed} FROM ({texts}) WHERE NOT deleted"


def _some_row(table: pa.Table) -> pa.Table:
    """Return the table, or one empty row of it where it has none: Spark cannot tell types from no rows."""
    return table if len(table) else pa.table({f.name: pa.nulls(1, f.type) for f in table.schema})


def _short(key: str) -> str:
    """Return a name for the folder of what is kept by `key`."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def sorted_by(frame: Lazy, by: str, *, descending: bool) -> Lazy:
    """Return the rows of `frame` sorted by `by` and then by customer_id, empties last."""
    keys = [by] if by == "customer_id" else [by, "customer_id"]
    return frame.sort(keys, descending=[descending, False][: len(keys)], nulls_last=True)


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    for position, field in enumerate(table.schema):
        if not pa.types.is_decimal(field.type):
            continue
        column = table.column(position)
        if (
            field.type.scale
        ):  # value by value: Arrow's own cast is off by one in the last digit of every third
            plain = pa.array(
                [None if value is None else float(value) for value in column.to_pylist()], pa.float64()
            )
        else:  # a sum of whole numbers is as wide as DuckDB can make it, without being money
            plain = column.cast(pa.int64())
        table = table.set_column(position, field.name, plain)
    frame: pd.DataFrame = table.to_pandas()
    return frame


_Moment = tuple[int, int, date, tuple[float, float]]
"""Version of the orders and of the responses, as-of day and shares of the value classes: what purchases and
answers depend on; the other bands divide contacts."""


@dataclass(frozen=True)
class _Purchases:
    """Tables that what was bought and answered is kept in."""

    purchases: str
    answers: str


@dataclass
class _Profiles:
    """Table that the profiles of some purchases, with some scores or none, are kept in, and how fresh it is."""

    profiles: str
    contacts: int
    attributes: Attributes


class DuckDBEngine(Engine):
    """DuckDB in this process, over the lake's own Parquet files.

    A mirror of the contacts follows the records by their change sequence. Purchases are computed once per
    lake version, as-of day and shares of the value classes, and joined into the per-customer table once
    for each set of bands and scores; after an edit only the rows of the changed contacts are made again.
    """

    REBUILD_SHARE = 0.2
    """Above this share of changed contacts, making the table anew is cheaper than mending it."""

    def __init__(self, settings: Settings, lake: Lake, records: Records) -> None:
        super().__init__(lake, records)
        spill = settings.scratch / "spill"
        spill.mkdir(parents=True, exist_ok=True)
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": settings.memory_limit,
            "temp_directory": str(spill),
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        }
        if settings.threads:
            config["threads"] = settings.threads
        self._db = duckdb.connect(":memory:", config=config)
        self._local = threading.local()
        self._lock = threading.RLock()
        self._bought: OrderedDict[_Moment, _Purchases] = OrderedDict()
        self._kept: OrderedDict[tuple[_Moment, str, str | None], _Profiles] = OrderedDict()
        self._retired: list[tuple[float, str]] = []
        self._days: dict[tuple[int, date], str] = {}
        self._named = 0
        self._mirrored = 0
        self._attributes: Attributes = ()
        folders = ", ".join(f"'{folder.replace(chr(39), chr(39) * 2)}'" for folder in (lake.root, str(spill)))
        self._run(f"SET allowed_directories = [{folders}]")
        self._run("SET enable_external_access = false")
        self._run("SET lock_configuration = true")
        mirror = CHANGED_ROWS.append(pa.field("seq", pa.int64())).empty_table()
        self._create("contacts", self._arrow(mirror))

    def table(self, name: str) -> Lazy:
        _, files = self._lake.files(name)
        if not files:
            return self._arrow(schema.LAKE[name].empty_table())
        return _lazy(self._cursor().read_parquet(files))

    def collect(self, frame: Lazy) -> pd.DataFrame:
        return _to_pandas(frame.to_native().to_arrow_table())

    def page(
        self, frame: Lazy, *, by: str, descending: bool = False, offset: int = 0, limit: int = 50
    ) -> pd.DataFrame:
        rows = sorted_by(frame, by, descending=descending).to_native().limit(limit, offset)
        return _to_pandas(rows.to_arrow_table())

    def batches(self, frame: Lazy) -> pa.RecordBatchReader:
        # A cursor of its own: the thread's could answer nothing else until the last batch was read.
        return self._db.cursor().sql(frame.to_native().sql_query()).to_arrow_reader(100_000)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def days_at_hand(self, *, as_of: date) -> Iterator[Lazy]:
        moment = (self._lake.version("orders"), as_of)
        with self._lock:
            name = f"days_{self._number()}"
        try:
            # Without the lock: pages go on meanwhile.
            self._create(name, customer_days(self.orders(), as_of=as_of))
            with self._lock:
                self._days[moment] = name
            yield self._named_table(name)
        finally:
            with self._lock:
                if self._days.get(moment) == name:
                    del self._days[moment]
                self._run(f"DROP TABLE IF EXISTS {name}")

    def purchases(self, *, as_of: date, bands: Bands | None = None) -> Lazy:
        with self._lock:
            _, bought = self._purchases(as_of, (bands or Bands()).value_class)
            return self._named_table(bought.purchases)

    def _profiles(self, as_of: date, bands: Bands, scores: Scores | None) -> tuple[Lazy, Attributes]:
        with self._lock:
            self._follow_contacts()
            moment, bought = self._purchases(as_of, bands.value_class)
            key = (moment, repr(bands), scores.key if scores else None)
            kept = self._kept.get(key)
            if kept is None:
                kept = self._kept[key] = self._keep(bought, as_of, bands, scores)
                scored = [one for one in self._kept if one[2] is not None][:-KEPT_SCORED]
                for old in (*scored, *list(self._kept)[:-KEPT_TABLES]):
                    if old in self._kept:
                        self._retire(self._kept.pop(old).profiles)
            elif kept.contacts != self._mirrored:
                self._mend(kept, bought, as_of, bands, scores)
            self._retire()
            self._kept.move_to_end(key)
            return self._named_table(kept.profiles), kept.attributes

    def _purchases(self, as_of: date, shares: tuple[float, float]) -> tuple[_Moment, _Purchases]:
        """Return the tables of what was bought and answered, made if they are not kept, and their key."""
        moment = (self._lake.version("orders"), self._lake.version("responses"), as_of, shares)
        if moment not in self._bought:
            number = self._number()
            bought = _Purchases(f"purchases_{number}", f"answers_{number}")
            # In two steps: value classes need the customers twice over, and they cost a scan of the lake.
            metrics = f"metrics_{number}"
            try:
                days = self._days.get((moment[0], as_of))
                bought_by = (
                    customer_metrics(self.orders(), as_of=as_of)
                    if days is None
                    else metrics_of_days(self._named_table(days), as_of=as_of)
                )
                self._create(metrics, rfm_scores(bought_by))
                self._create(bought.purchases, value_classes(self._named_table(metrics), shares=shares))
                self._create(bought.answers, answers(self.responses(), as_of=as_of))
            except BaseException:
                self._retire(bought.purchases, bought.answers)
                raise
            finally:
                self._run(f"DROP TABLE IF EXISTS {metrics}")
            self._bought[moment] = bought
            while len(self._bought) > KEPT_TABLES:
                _, old = self._bought.popitem(last=False)
                self._retire(old.purchases, old.answers)
        self._bought.move_to_end(moment)
        return moment, self._bought[moment]

    def _number(self) -> int:
        """Return a number that no table has in its name yet."""
        self._named += 1
        return self._named

    def _follow_contacts(self) -> None:
        """Bring the mirror of the contacts up to the records' last change."""
        with self._records.read() as session:
            newest = latest_change(session)
            if newest == self._mirrored:
                return
            batches = list(contacts_changed_since(session, self._mirrored))
            attributes = tuple(field.name for field in list_custom_fields(session))
        changed = pa.Table.from_batches(batches, CHANGED_ROWS)
        changed = changed.append_column("seq", pa.array([newest] * len(changed), pa.int64()))
        cursor = self._cursor()
        cursor.register("changed_contacts", changed)
        try:
            with self._at_once():
                if self._mirrored:
                    gone = "SELECT customer_id FROM changed_contacts"
                    self._run(f"DELETE FROM contacts WHERE customer_id IN ({gone})")
                self._run("INSERT INTO contacts SELECT * FROM changed_contacts")
        finally:
            cursor.unregister("changed_contacts")
        self._mirrored, self._attributes = newest, attributes

    def _keep(self, bought: _Purchases, as_of: date, bands: Bands, scores: Scores | None) -> _Profiles:
        number = self._number()
        kept = _Profiles(f"profiles_{number}", self._mirrored, self._attributes)
        purchases = self._named_table(bought.purchases)
        # As a table, of which DuckDB knows the size, and which side of the join to look up in.
        looked_up = f"scores_{number}"
        try:
            if scores is not None:
                self._create(looked_up, self._arrow(scores.rows))
                purchases = with_forecasts(purchases, self._named_table(looked_up))
            self._create(kept.profiles, self._joined(purchases, bought, as_of, bands, scores))
        except BaseException:
            self._retire(kept.profiles)
            raise
        finally:
            self._run(f"DROP TABLE IF EXISTS {looked_up}")
        return kept

    def _retire(self, *names: str) -> None:
        """Drop tables, but not from under a question that was built and not yet asked."""
        now = time.monotonic()
        self._retired += [(now, name) for name in names]
        while self._retired and now - self._retired[0][0] > GRACE_SECONDS:
            self._run(f"DROP TABLE IF EXISTS {self._retired.pop(0)[1]}")

    def _mend(
        self, kept: _Profiles, bought: _Purchases, as_of: date, bands: Bands, scores: Scores | None
    ) -> None:
        """Make the rows of the contacts that changed since `kept` was made anew; all, for another attribute."""
        changed = self._named_table("contacts").filter(nw.col("seq") > kept.contacts).select("customer_id")
        share = self.REBUILD_SHARE * self.count(self._named_table(kept.profiles))
        purchases = self._named_table(bought.purchases)
        if scores is not None:  # an edit of a contact moves no forecast
            forecasts = self._named_table(kept.profiles).select("customer_id", *FORECASTS)
            purchases = purchases.join(forecasts, on="customer_id", how="left")
        if kept.attributes != self._attributes or self.count(changed) > share:
            anew = f"profiles_{self._number()}"
            self._create(anew, self._joined(purchases, bought, as_of, bands, scores))
            self._retire(kept.profiles)
            kept.profiles, kept.attributes = anew, self._attributes
        else:
            since = f"(SELECT * FROM contacts WHERE seq > {kept.contacts})"
            rows = self._joined(purchases, bought, as_of, bands, scores, only=changed, contacts=since)
            self._create("mended", rows)
            with self._at_once():
                self._run(
                    f"DELETE FROM {kept.profiles} WHERE customer_id IN (SELECT customer_id FROM {since})"
                )
                self._run(f"INSERT INTO {kept.profiles} BY NAME SELECT * FROM mended")
        kept.contacts = self._mirrored

    def _joined(
        self,
        purchases: Lazy,
        bought: _Purchases,
        as_of: date,
        bands: Bands,
        scores: Scores | None,
        *,
        only: Lazy | None = None,
        contacts: str = "contacts",
    ) -> Lazy:
        # Of `only`, `contacts` too: to take apart the attributes of all would cost more than the rest.
        parts = [
            purchases,
            self._named_table(bought.answers),
            _lazy(self._cursor().sql(_contacts_in_sql(self._attributes, contacts))),
        ]
        if only is not None:
            parts = [part.join(only, on="customer_id", how="semi") for part in parts]
        return customer_profiles(
            *parts,
            as_of=as_of,
            bands=bands,
            attributes=self._attributes,
            forecasts=FORECASTS if scores else (),
        )

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """Return this thread's cursor: relations of one query must share one, threads must not."""
        if not hasattr(self._local, "cursor"):
            self._local.cursor = self._db.cursor()
        cursor: duckdb.DuckDBPyConnection = self._local.cursor
        return cursor

    def _run(self, sql: str) -> None:
        self._cursor().execute(sql).fetchall()

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """Make statements take effect together, or not at all."""
        self._run("BEGIN")
        try:
            yield
        except BaseException:
            self._run("ROLLBACK")
            raise
        self._run("COMMIT")

    def _create(self, name: str, rows: Lazy) -> None:
        self._run(f"CREATE OR REPLACE TABLE {name} AS {rows.to_native().sql_query()}")

    def _named_table(self, name: str) -> Lazy:
        return _lazy(self._cursor().table(name))

    def _arrow(self, table: pa.Table) -> Lazy:
        return _lazy(self._cursor().from_arrow(table))


class SparkEngine(Engine):
    """A Spark Connect server that reads the same Delta tables; it must see the lake under the same path.

    Spark keeps no table of a client's between two questions, so the metrics of an as-of day are written
    beside the lake once and read from there; contacts travel with each question.
    """

    def __init__(self, settings: Settings, lake: Lake, records: Records) -> None:
        super().__init__(lake, records)
        # The client ends the whole process where it looks for a Spark of its own and finds none.
        client = find_spec("pyspark")
        if client is not None and client.origin is not None:
            os.environ.setdefault("SPARK_HOME", str(Path(client.origin).parent))
        try:
            from pyspark.sql import SparkSession
        except ImportError:
            raise UnsafeSetting(
                f"CLIENTELE_ENGINE is {settings.engine}, but the Spark Connect client is not installed.",
                "Install pyspark-client, or set CLIENTELE_ENGINE to duckdb.",
            ) from None
        from pyspark.sql.connect.client.retries import DefaultPolicy

        host, port = re.fullmatch(r"sc://([^:/]+):?(\d*).*", settings.engine).groups()  # type: ignore[union-attr]
        try:
            # Asked before the client is: a session that never met its server stays in the client's way.
            socket.create_connection((host, int(port or SPARK_CONNECT_PORT)), timeout=5).close()
        except OSError as error:
            raise UnsafeSetting(
                f"The Spark Connect server {settings.engine} does not answer.",
                "Check that it runs and that CLIENTELE_ENGINE names it, or set CLIENTELE_ENGINE to duckdb.",
            ) from error
        self._spark = SparkSession.builder.remote(settings.engine).create()
        # The client's own patience is ten minutes, at every question and once more at exit.
        self._spark.client.set_retry_policies([DefaultPolicy(max_retries=5, max_backoff=1000)])
        self._lock = threading.RLock()
        self._contacts: tuple[int, Any, Attributes] | None = None
        self._kept: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def table(self, name: str) -> Lazy:
        return _lazy(self._spark.read.format("delta").load(self._lake.path(name)))

    def collect(self, frame: Lazy) -> pd.DataFrame:
        return _to_pandas(frame.to_native().toArrow())

    def page(
        self, frame: Lazy, *, by: str, descending: bool = False, offset: int = 0, limit: int = 50
    ) -> pd.DataFrame:
        rows = sorted_by(frame, by, descending=descending).to_native().offset(offset).limit(limit)
        return _to_pandas(rows.toArrow())

    def batches(self, frame: Lazy) -> pa.RecordBatchReader:
        return frame.to_native().toArrow().to_reader()

    def close(self) -> None:
        self._spark.stop()

    def days_at_hand(self, *, as_of: date) -> AbstractContextManager[None]:
        del as_of
        return nullcontext()

    def purchases(self, *, as_of: date, bands: Bands | None = None) -> Lazy:
        with self._lock:
            kept = self._keep(self.version(), as_of, (bands or Bands()).value_class)
        return self._read(f"{kept}/purchases")

    def _profiles(self, as_of: date, bands: Bands, scores: Scores | None) -> tuple[Lazy, Attributes]:
        with self._lock:
            version = self.version()
            kept = self._keep(version, as_of, bands.value_class)
            purchases = self._forecast(kept, scores) if scores else f"{kept}/purchases"
            contacts, attributes = self._live_contacts(version.contacts)
        profiles = customer_profiles(
            self._read(purchases),
            self._read(f"{kept}/answers"),
            _lazy(contacts),
            as_of=as_of,
            bands=bands,
            attributes=attributes,
            forecasts=FORECASTS if scores else (),
        )
        return profiles, attributes

    def _keep(self, version: Version, as_of: date, shares: tuple[float, float]) -> str:
        key = repr((version.orders, version.responses, as_of, shares))
        folder = f"{self._lake.root}/_kept/{_short(key)}"
        if folder not in self._kept:
            self._write(rfm_scores(customer_metrics(self.orders(), as_of=as_of)), f"{folder}/metrics")
            scored = self._read(f"{folder}/metrics")
            self._write(value_classes(scored, shares=shares), f"{folder}/purchases")
            self._write(answers(self.responses(), as_of=as_of), f"{folder}/answers")
            self._kept[folder] = OrderedDict()
            while len(self._kept) > KEPT_TABLES:
                old, _ = self._kept.popitem(last=False)
                shutil.rmtree(Path(old), ignore_errors=True)
        self._kept.move_to_end(folder)
        return folder

    def _forecast(self, folder: str, scores: Scores) -> str:
        """Return where the purchases of `folder` are kept with their forecasts."""
        path = f"{folder}/forecast_{_short(scores.key)}"
        kept = self._kept[folder]
        if path not in kept:
            rows = _some_row(scores.rows)
            for start in range(0, len(rows), MESSAGE_ROWS):
                part = self._spark.createDataFrame(rows.slice(start, MESSAGE_ROWS))
                self._write(_lazy(part), f"{path}/scores", append=start > 0)
            forecast = with_forecasts(self._read(f"{folder}/purchases"), self._read(f"{path}/scores"))
            self._write(forecast, f"{path}/purchases")
            kept[path] = None
            while len(kept) > KEPT_TABLES:
                old, _ = kept.popitem(last=False)
                shutil.rmtree(Path(old), ignore_errors=True)
        kept.move_to_end(path)
        return f"{path}/purchases"

    def _read(self, path: str) -> Lazy:
        return _lazy(self._spark.read.format("delta").load(path))

    def _write(self, rows: Lazy, path: str, *, append: bool = False) -> None:
        # As Delta, which knows its columns without a row; a folder of no Parquet files does not.
        mode = "append" if append else "overwrite"
        rows.to_native().write.format("delta").mode(mode).save(path)

    def _live_contacts(self, newest: int) -> tuple[Any, Attributes]:
        """Return the contacts as a Spark frame, sent anew after a change, and the names of its attributes."""
        if self._contacts is None or self._contacts[0] != newest:
            with self._records.read() as session:
                rows = pa.Table.from_batches(list(contacts_changed_since(session, 0)), CHANGED_ROWS)
                attributes = tuple(field.name for field in list_custom_fields(session))
            # Typed here, so that a text is a number on one engine when it is one on the other.
            with duckdb.connect(":memory:") as own:
                own.register("changed", rows)
                live = own.sql(_contacts_in_sql(attributes, "changed")).to_arrow_table()
            sent = self._spark.createDataFrame(_some_row(live))
            self._contacts = (newest, sent.filter(sent["customer_id"].isNotNull()), attributes)
        return self._contacts[1], self._contacts[2]

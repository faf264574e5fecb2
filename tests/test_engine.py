"""One set of figures on both engines: the per-customer table, its pages, and a mirror that follows edits."""

from datetime import date
from decimal import Decimal

import narwhals as nw
import pytest

from crm.analytics.lifetime_value import Assumptions
from crm.analytics.segments import SCHEMES, Bands
from crm.engine import KEPT_TABLES, DuckDBEngine, open_engine
from crm.errors import UnsafeSetting
from crm.records.contacts import delete_contact, save_contact
from crm.schema import FIELDS
from crm.settings import load_settings
from crm.workbench import Workbench

ORDERS = (
    "order_id,customer_id,order date,amount",
    "1,ann,2024-01-10,10.10",
    "1,ann,2024-01-10,5.20",
    "2,ann,2024-03-01,20.00",
    "3,bob,2024-02-01,7.00",
    "R3,bob,2024-02-11,-2.00",
    "R4,cat,2024-02-12,-4.00",
)
CONTACTS = (
    "customer_id,name,city,annual income,birth date,acquisition cost",
    "ann,Ann,北京,1200000,1990-05-01,3.5",
    "dot,Dot,Paris,,,",
)
RESPONSES = (
    "response_id,customer_id,response date,feedback,nps",
    "1,ann,2024-01-20,fine,9",
    "2,eve,2024-01-21,,10",
)
AS_OF = date(2024, 3, 31)


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
def shop(request, home, csv_file):
    """A workbench with a few orders, contacts and answers, on each engine."""
    engine = "duckdb" if request.param == "duckdb" else request.getfixturevalue("spark_url")
    workbench = Workbench.open(load_settings(home=home, engine=engine))
    for kind, lines in (("orders", ORDERS), ("contacts", CONTACTS), ("responses", RESPONSES)):
        workbench.importer.run(
            csv_file(*lines, name=f"{kind}.csv"), kind=kind, actor="test", source="command line"
        )
    yield workbench
    workbench.close()


def by_customer(workbench, **options):
    table = workbench.engine.customers(as_of=AS_OF, **options)
    rows = workbench.engine.batches(table).read_all().to_pylist()
    return {row["customer_id"]: row for row in rows}


def test_everybody_named_by_an_order_an_answer_or_a_contact_is_a_customer(shop):
    customers = by_customer(shop)

    assert sorted(customers) == ["ann", "bob", "cat", "dot", "eve"]
    assert list(customers["ann"]) == [field.name for field in FIELDS]
    ann = customers["ann"]
    assert (ann["orders"], ann["revenue"], ann["recency_days"]) == (2, Decimal("35.3000"), 30)
    assert (ann["name"], ann["age"], ann["region"], ann["purchase_power"]) == ("Ann", 33, "North", "A")
    assert (ann["feedback_answers"], ann["recommendations"]) == (1, 1)
    assert (customers["eve"]["orders"], customers["eve"]["recommendations"]) == (0, 1)
    assert customers["dot"]["first_order_day"] is None
    assert customers["dot"]["region"] == "Other"
    assert customers["cat"]["rfm_segment"] is None
    assert customers["cat"]["revenue"] == -4


def test_lifetime_value_takes_the_contacts_own_cost_before_the_default(shop):
    customers = by_customer(shop, assumptions=Assumptions(years=1, discount_rate=0.25, acquisition_cost=1))

    assert float(customers["ann"]["dcf_lifetime_value"]) == pytest.approx(35.3 / 1.25 - 3.5)
    assert float(customers["bob"]["dcf_lifetime_value"]) == pytest.approx(5.0 / 1.25 - 1)


def test_an_edit_a_deletion_and_a_new_contact_reach_the_table(shop):
    """After the first question; the table follows the records, it is not made anew."""
    before = by_customer(shop)
    with shop.records.write() as session:
        save_contact(session, customer_id="ann", values={"city": "Shenzhen"}, actor="test")
        save_contact(session, customer_id="fay", values={"name": "Fay"}, actor="test")
        delete_contact(session, customer_id="dot", actor="test")

    after = by_customer(shop)

    assert (before["ann"]["region"], after["ann"]["region"]) == ("North", "South")
    assert sorted(after) == ["ann", "bob", "cat", "eve", "fay"]
    assert after["ann"]["revenue"] == before["ann"]["revenue"]


def test_every_scheme_holds_every_customer_with_a_purchase_once(shop):
    for scheme in SCHEMES:
        found = shop.segments(scheme.name, as_of=AS_OF)
        assert found.customers == 2
        assert found.rows["customers"].sum() == 2
        assert found.revenue == pytest.approx(40.3)


def test_bands_move_the_limits(shop):
    bands = Bands(purchase_power=(200, 100), regions={"Capital": ("北京",)})

    ann = by_customer(shop, bands=bands)["ann"]

    assert (ann["purchase_power"], ann["region"]) == ("B", "Capital")


def test_pages_are_cut_from_one_order_with_ties_by_id(shop):
    table = shop.engine.customers(as_of=AS_OF).select("customer_id", "orders", "recency_days")

    first = shop.engine.page(table, by="orders", descending=True, limit=2)
    second = shop.engine.page(table, by="orders", descending=True, offset=2, limit=9)
    by_days = shop.engine.page(table, by="recency_days")

    assert list(first["customer_id"]) == ["ann", "bob"]
    assert list(second["customer_id"]) == ["cat", "dot", "eve"]
    assert list(by_days["customer_id"])[:2] == ["ann", "bob"]


def test_the_days_of_an_empty_and_a_filled_lake(shop, tmp_path):
    empty = Workbench.open(load_settings(home=tmp_path / "empty"))

    assert empty.engine.days() is None
    assert empty.engine.count(empty.customers(as_of=AS_OF)) == 0
    assert shop.engine.days() == (date(2024, 1, 10), date(2024, 3, 1))
    empty.close()


def test_only_so_many_tables_are_kept(workbench, csv_file, monkeypatch):
    """Looking at many days does not fill the memory, and the first day can be asked for again."""
    monkeypatch.setattr("crm.engine.GRACE_SECONDS", -1)
    workbench.importer.run(csv_file(*ORDERS), actor="test", source="command line")
    engine = workbench.engine
    assert isinstance(engine, DuckDBEngine)

    counts = [
        engine.count(engine.customers(as_of=date(2024, month, 28))) for month in (1, 2, 3, 4, 5, 6, 7, 8, 1)
    ]

    assert counts == [1, 3, 3, 3, 3, 3, 3, 3, 1]
    tables = engine.collect(engine._named_table("duckdb_tables").select(name=nw.col("table_name")))
    assert sum(name.startswith("profiles_") for name in tables["name"]) <= KEPT_TABLES


def test_a_question_built_before_its_table_went_out_of_use_is_still_answered(workbench, csv_file):
    """By looking at many other days, or by an edit of most contacts."""
    workbench.importer.run(csv_file(*ORDERS), actor="test", source="command line")
    engine = workbench.engine
    question = engine.customers(as_of=date(2024, 3, 28))

    for month in range(1, 3 + KEPT_TABLES):
        engine.count(engine.customers(as_of=date(2023, month, 1)))
    again = engine.customers(as_of=date(2024, 3, 28))
    with workbench.records.write() as session:
        for name in ("ann", "bob", "cat"):
            save_contact(session, customer_id=name, values={"city": "Bath"}, actor="test")
    engine.customers(as_of=date(2024, 3, 28))

    assert engine.count(question) == engine.count(again) == 3


def test_a_failure_while_following_an_edit_is_not_the_end(workbench, csv_file, monkeypatch):
    for number in range(20):
        with workbench.records.write() as session:
            save_contact(session, customer_id=f"c{number}", values={"city": "York"}, actor="test")
    engine = workbench.engine
    engine.customers(as_of=AS_OF)
    with workbench.records.write() as session:
        save_contact(session, customer_id="c1", values={"city": "Bath"}, actor="test")
    run, failed = engine._run, []

    def failing(sql):
        if sql.startswith("INSERT INTO profiles") and not failed:
            failed.append(sql)
            raise MemoryError
        run(sql)

    monkeypatch.setattr(engine, "_run", failing)
    with pytest.raises(MemoryError):
        engine.customers(as_of=AS_OF)

    rows = by_customer(workbench)
    assert len(rows) == 20
    assert rows["c1"]["city"] == "Bath"


def test_the_engine_reads_the_lake_and_nothing_else(workbench, tmp_path):
    """A file outside the store cannot be reached through SQL, and the lock cannot be opened."""
    import duckdb

    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    engine = workbench.engine
    for statement in (
        f"SELECT * FROM read_csv('{secret}')",
        f"SELECT * FROM read_text('{secret}')",
        f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
        f"ATTACH '{tmp_path / 'other.db'}'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
    ):
        with pytest.raises(duckdb.Error):
            engine._run(statement)
    assert not (tmp_path / "out.csv").exists()


def test_a_spark_engine_without_its_client_says_what_to_install(workbench, monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pyspark"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    settings = load_settings(home=workbench.settings.home, engine="sc://localhost:1")

    with pytest.raises(UnsafeSetting, match="not installed"):
        open_engine(settings, workbench.lake, workbench.records)


def test_a_spark_server_that_does_not_answer_is_named_within_seconds(workbench):
    settings = load_settings(home=workbench.settings.home, engine="sc://127.0.0.1:9")

    with pytest.raises(UnsafeSetting, match=r"sc://127\.0\.0\.1:9 does not answer"):
        open_engine(settings, workbench.lake, workbench.records)

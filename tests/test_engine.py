"""One set of figures on both engines: the per-customer table, its pages, and a mirror that follows edits."""

from datetime import date
from decimal import Decimal

import duckdb
import narwhals as nw
import pyarrow as pa
import pytest

from crm.analytics.customers import customer_metrics
from crm.analytics.lifetime_value import Assumptions
from crm.analytics.profiles import SCORES, Scores
from crm.analytics.segments import SCHEMES, Bands
from crm.engine import KEPT_TABLES, DuckDBEngine, SparkEngine, open_engine
from crm.errors import UnsafeSetting
from crm.records.contacts import delete_contact, save_contact
from crm.schema import FIELD, FIELDS
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


FORECAST_FIELDS = ("probability_alive", "expected_orders_12m", "lifetime_value_low", "lifetime_value")


def scores(key="model", *, alive=0.5):
    """Scores of ann's history and of another that nobody has; bob's is not known to them."""
    rows = [
        {
            **dict.fromkeys(SCORES.names, 0),
            "purchase_days": days,
            "recency_days": 30,
            "tenure_days": tenure,
            "probability_alive": alive,
            "expected_orders_12m": 1.5,
            "value_0": 10,
            "value_1": 2,
            "low_1": 1,
            "high_1": 4,
            "deviation_0": 3,
            "loading_1_0": 7,
            "loading_7_1": -1,
        }
        for days, tenure in ((2, 81), (9, 99))
    ]
    return Scores(key, pa.Table.from_pylist(rows, SCORES))


def test_forecasts_are_empty_numbers_without_scores(shop):
    customers = shop.engine.customers(as_of=AS_OF)
    ann = by_customer(shop)["ann"]

    assert [ann[name] for name in FORECAST_FIELDS] == [None] * len(FORECAST_FIELDS)
    assert {customers.collect_schema()[name] for name in FORECAST_FIELDS} == {nw.Float64()}


def test_lifetime_value_is_what_is_expected_less_what_the_customer_cost(shop):
    """ann spent 20 on her second day and cost 3.5; the general cost of 1 is not hers."""
    assumptions = Assumptions(acquisition_cost=1)
    customers = by_customer(shop, scores=scores(), assumptions=assumptions)

    ann = customers["ann"]
    assert (ann["probability_alive"], ann["expected_orders_12m"]) == (0.5, 1.5)
    values = ("lifetime_value", "lifetime_value_low", "lifetime_value_high")
    assert [ann[name] for name in values] == [50 - 3.5, 20 - 3.5, 80 - 3.5]
    assert list(ann) == [field.name for field in FIELDS]
    for name in ("bob", "cat", "dot", "eve"):
        assert [customers[name][field] for field in FORECAST_FIELDS] == [None] * len(FORECAST_FIELDS)


def test_what_sums_of_lifetime_values_are_made_of_stands_beside_them(shop):
    table = shop.engine.valued(as_of=AS_OF, scores=scores(), assumptions=Assumptions(acquisition_cost=1))
    rows = {row["customer_id"]: row for row in shop.engine.batches(table).read_all().to_pylist()}

    parts = {name: value for name, value in rows["ann"].items() if name not in FIELD}
    assert parts == {
        "future_value": 50,
        "value_deviation": 3,
        "cost": 3.5,
        "loading_1": 7,
        **{f"loading_{number}": 0 for number in range(2, 7)},
        "loading_7": -20,
    }
    assert (rows["bob"]["future_value"], rows["bob"]["cost"]) == (None, 1)
    without = shop.engine.batches(shop.engine.valued(as_of=AS_OF)).read_all()
    assert without.column_names == [*(field.name for field in FIELDS), *parts]
    assert without["future_value"].null_count == len(without) == 5


def test_forecasts_stay_where_contacts_are_edited(shop):
    """After one edit, and after edits of most customers: the cost is the contact's, the rest the model's."""
    by_customer(shop, scores=scores())
    with shop.records.write() as session:
        save_contact(session, customer_id="ann", values={"acquisition_cost": "8"}, actor="test")

    after_one = by_customer(shop, scores=scores())
    with shop.records.write() as session:
        for name in ("ann", "bob", "cat", "fay"):
            save_contact(session, customer_id=name, values={"acquisition_cost": "9"}, actor="test")
    after_all = by_customer(shop, scores=scores())

    assert (after_one["ann"]["lifetime_value"], after_one["ann"]["probability_alive"]) == (42, 0.5)
    assert (after_all["ann"]["lifetime_value"], after_all["ann"]["probability_alive"]) == (41, 0.5)
    assert [after_all[name]["lifetime_value"] for name in ("bob", "cat", "fay")] == [None] * 3
    assert sorted(after_all) == ["ann", "bob", "cat", "dot", "eve", "fay"]


def test_scores_of_several_models_stand_side_by_side_over_purchases_computed_once(shop, monkeypatch):
    computed = []

    def counted(orders, *, as_of):
        computed.append(as_of)
        return customer_metrics(orders, as_of=as_of)

    monkeypatch.setattr("crm.engine.customer_metrics", counted)
    monkeypatch.setattr("crm.engine.MESSAGE_ROWS", 1)
    shop.engine.count(shop.engine.histories(as_of=AS_OF))

    found = [
        by_customer(shop, scores=known)["ann"]["probability_alive"]
        for known in (scores("a", alive=0.25), None, scores("b", alive=0.75), scores("a", alive=0.25))
    ]
    elsewhere = by_customer(shop, scores=scores("a", alive=0.25), bands=Bands(regions={"Capital": ("北京",)}))

    assert found == [0.25, None, 0.75, 0.25]
    assert (elsewhere["ann"]["region"], elsewhere["ann"]["probability_alive"]) == ("Capital", 0.25)
    assert computed == [AS_OF]


def test_days_at_hand_carry_the_purchases_and_are_gone_afterwards(shop):
    """On DuckDB; a Spark Connect server keeps no table, and says so."""
    with shop.engine.days_at_hand(as_of=AS_OF) as days:
        if days is None:
            assert isinstance(shop.engine, SparkEngine)
            return
        rows = shop.engine.batches(days).read_all().to_pylist()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("crm.engine.customer_metrics", None)  # not asked for: the days are at hand
            assert by_customer(shop)["ann"]["orders"] == 2
    assert sorted(row["customer_id"] for row in rows) == ["ann", "ann", "bob", "bob", "cat"]
    with pytest.raises(duckdb.Error, match="does not exist"):
        shop.engine.batches(days)
    with shop.engine.days_at_hand(as_of=date(2024, 1, 31)) as earlier:
        assert shop.engine.count(earlier) == 1


def test_scores_of_nobody_give_no_forecast(shop):
    customers = by_customer(shop, scores=Scores("empty", SCORES.empty_table()))

    assert [row["probability_alive"] for row in customers.values()] == [None] * 5


def test_histories_are_those_of_the_customers_with_a_purchase(shop):
    """ann: 10 Jan and 1 Mar, 35.30; bob: 1 Feb, 7.00 of which 2.00 went back; cat only returned."""
    rows = shop.engine.batches(shop.engine.histories(as_of=AS_OF)).read_all().to_pylist()

    assert sorted(tuple(row.values()) for row in rows) == [
        (1, 59, 59, 1, Decimal(0), Decimal(5), Decimal(7)),
        (2, 30, 81, 1, Decimal(20), Decimal("35.3"), Decimal("35.3")),
    ]
    assert list(rows[0]) == [
        *("purchase_days", "recency_days", "tenure_days", "customers"),
        *("repeat_spend", "revenue", "purchase_total"),
    ]


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
    for number in range(KEPT_TABLES + 2):
        engine.customers(as_of=date(2024, 1, 28), scores=scores(f"model {number}"))

    assert counts == [1, 3, 3, 3, 3, 3, 3, 3, 1]
    tables = engine.collect(engine._named_table("duckdb_tables").select(name=nw.col("table_name")))
    for kind in ("profiles_", "purchases_", "answers_"):
        assert 0 < sum(name.startswith(kind) for name in tables["name"]) <= KEPT_TABLES
    assert not any(name.startswith(("scores_", "metrics_")) for name in tables["name"])


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

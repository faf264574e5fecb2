"""Forecasts of a store: made once, kept, refused where they should be, and adding up to the same totals."""

import csv
import json
import math
import threading
from dataclasses import replace
from datetime import date, timedelta
from unittest.mock import patch

import narwhals as nw
import numpy as np
import pytest

from crm import audiences, sample
from crm.analytics import backtest
from crm.analytics.lifetime_value import Assumptions
from crm.analytics.profiles import FORECAST_FIELDS
from crm.analytics.segments import SCHEMES
from crm.errors import Conflict, InvalidValue, NotEnoughData
from crm.forecasting import Forecasting, _as_json, _from_json
from crm.records.forecasts import list_forecasts
from crm.settings import load_settings
from crm.valuation import outlook
from crm.workbench import Workbench
from tests import simulate
from tests.spelling import plain

PARAMETERS = {"r": 0.9, "alpha": 5.0, "a": 0.8, "b": 3.0}
LAST = date(2025, 12, 31)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The sample shop, opened once; nothing in this file changes it."""
    home = tmp_path_factory.mktemp("shop")
    workbench = Workbench.open(load_settings(home=home, memory_limit="1GB"))
    sample.load(workbench.importer, actor="test", source="command line")
    yield workbench
    workbench.close()


def orders_file(path, *, customers=700, seed=1, days=420, until=LAST):
    """Write the orders of a simulated shop, one line each, as a CSV file."""
    draw = np.random.default_rng(seed)
    made = simulate.make("bg_nbd", PARAMETERS, customers=customers, seed=seed, observed=(1.0, days / 7))
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["order_id", "customer_id", "order_date", "amount"])
        number = 0
        for customer in range(customers):
            tenure = round(7 * made.T[customer])
            last = round(7 * made.t_x[customer])
            between = made.x[customer] - 1
            ages = {0, last} if made.x[customer] else {0}
            if between > 0 and last > 1:
                ages |= set(draw.integers(1, last, between).tolist())
            if customer == 0:
                ages |= {0, tenure}  # so that the history ends with the last day
            for age in sorted(ages):
                number += 1
                day = until - timedelta(days=int(tenure - age))
                rows.writerow(
                    [f"O{number}", f"C{customer:05d}", day.isoformat(), round(draw.gamma(4, 9), 2) + 0.01]
                )
    return path


def everything_of(workbench, **choice):
    rows = workbench.engine.batches(workbench.customers(**choice)).read_all().to_pylist()
    return {row["customer_id"]: row for row in rows}


# Reconciling


@pytest.mark.parametrize("scheme", [scheme.name for scheme in SCHEMES])
def test_the_value_of_the_segments_of_every_scheme_adds_up_to_that_of_the_customers(shop, scheme):
    as_of, assumptions = shop.as_of(), Assumptions(margin=0.4, acquisition_cost=15)
    customers = everything_of(shop, as_of=as_of, assumptions=assumptions)
    bought = [row for row in customers.values() if row["orders"] > 0]

    found = shop.valuation.by_forecast(assumptions, as_of=as_of, scheme=scheme)

    total = math.fsum(row["lifetime_value"] for row in bought)
    assert found.customers == len(bought)
    assert found.total == pytest.approx(total, rel=1e-9)
    assert found.segments["lifetime_value"].sum() == pytest.approx(total, rel=1e-9)
    assert found.segments["customers"].sum() == len(bought)
    assert found.bins["customers"].sum() == len(bought)
    assert found.alive == pytest.approx(math.fsum(row["probability_alive"] for row in bought))
    assert found.orders_12m == pytest.approx(math.fsum(row["expected_orders_12m"] for row in bought))
    assert found.low < found.total < found.high


def test_the_bridge_leads_from_the_dcf_total_to_the_forecast(shop):
    assumptions = Assumptions(margin=0.4, acquisition_cost=15)
    dcf = shop.valuation.dcf(assumptions, as_of=shop.as_of())

    found = shop.valuation.by_forecast(assumptions, as_of=shop.as_of())

    first, *changes, last = found.steps
    assert first.change == pytest.approx(dcf.total, rel=1e-9)
    assert last.change == pytest.approx(found.total, rel=1e-9)
    assert first.change + math.fsum(step.change for step in changes) == pytest.approx(last.change, rel=1e-12)
    assert dcf.retained_total == pytest.approx(first.change + changes[0].change, rel=1e-9)


def test_revenue_of_twelve_months_is_what_the_years_without_discount_add_up_to(shop):
    assumptions = Assumptions(years=1, discount_rate=0)

    found = shop.valuation.by_forecast(assumptions, as_of=shop.as_of())

    assert found.revenue_12m == pytest.approx(found.total + found.acquisition_cost, rel=1e-9)


def test_a_margin_of_none_leaves_the_cost_and_a_longer_horizon_is_worth_more(shop):
    as_of = shop.as_of()
    values = [
        shop.valuation.by_forecast(Assumptions(years=years, margin=0.5), as_of=as_of).total
        for years in (1, 3, 100)
    ]
    nothing = shop.valuation.by_forecast(Assumptions(margin=0), as_of=as_of)

    assert values == sorted(values)
    assert all(math.isfinite(value) for value in values)
    assert nothing.total == pytest.approx(-nothing.acquisition_cost)


def test_what_the_most_valuable_hold_grows_with_their_share(shop):
    found = shop.valuation.by_forecast(Assumptions(), as_of=shop.as_of())

    shares = [value for _, value in found.whales]
    assert shares == sorted(shares)
    assert all(value >= share for share, value in found.whales)
    assert found.concentration["value_share"].iloc[-1] == pytest.approx(1)


def test_cohort_curves_go_on_from_where_they_were_observed(shop):
    found = shop.valuation.acquisition(Assumptions(margin=0.5, acquisition_cost=20), as_of=shop.as_of())

    assert found.curves["value"].notna().any()
    for _, curve in found.curves.groupby("cohort"):
        both = curve.dropna(subset=["value", "forecast"])
        assert len(both) <= 1
        assert (both["value"] == both["forecast"]).all()
        coming = curve["forecast"].dropna()
        assert (coming.diff().dropna() >= -1e-9).all(), "expected value is never negative"
    assert found.cohorts["customers"].sum() == found.channels["customers"].sum()


def test_one_customers_words_are_her_numbers_in_the_table(shop):
    as_of, assumptions = shop.as_of(), Assumptions(margin=0.5)
    row = max(
        everything_of(shop, as_of=as_of, assumptions=assumptions).values(), key=lambda row: row["orders"]
    )

    found = shop.valuation.customer(row["customer_id"], assumptions, as_of=as_of)

    assert found.alive.expected == pytest.approx(row["probability_alive"])
    assert found.alive.low <= found.alive.expected <= found.alive.high
    ends = (found.orders_12m.expected, found.orders_12m.low, found.orders_12m.high)
    assert ends == pytest.approx([row[f"expected_orders_12m{end}"] for end in ("", "_low", "_high")])
    ends = (found.lifetime_value.expected, found.lifetime_value.low, found.lifetime_value.high)
    assert ends == pytest.approx([row[f"lifetime_value{end}"] for end in ("", "_low", "_high")])
    assert len(found.purchases) == row["purchase_days"]
    assert found.silent_days == row["recency_days"]
    assert found.after_order >= found.alive.expected >= found.after_silence
    assert found.path["probability"].between(0, 1).all()
    today = found.path.set_index("day")["probability"]
    assert today[as_of] == pytest.approx(row["probability_alive"])
    assert len(outlook(found)) == 4


def test_nobody_without_a_purchase_has_a_forecast(shop):
    as_of = shop.as_of()
    without = next(row for row in everything_of(shop, as_of=as_of).values() if not row["orders"])

    assert all(without[name] is None for name in FORECAST_FIELDS)
    assert shop.valuation.customer(without["customer_id"], Assumptions(), as_of=as_of) is None


def test_forecast_fields_filter_and_say_what_they_rest_on(shop, tmp_path):
    as_of = shop.as_of()
    rule = audiences.All(
        (
            audiences.Leaf("probability_alive", "<", 0.5),
            audiences.Leaf("lifetime_value", ">", 100),
        )
    )
    expected = [
        key
        for key, row in everything_of(shop, as_of=as_of).items()
        if row["orders"] > 0 and row["probability_alive"] < 0.5 and row["lifetime_value"] > 100
    ]

    done = shop.export(tmp_path / "out.csv", as_of=as_of, rule=rule)

    assert expected
    assert done.rows == shop.audience_size(rule, as_of=as_of) == len(expected)
    assert "Forecast by" in done.definition
    assert "Fitted on data to" in done.definition


# Kept with the version of the orders


def test_a_forecast_is_read_back_as_it_was_made(shop):
    made = shop.forecasting.forecast(as_of=shop.as_of())

    again = _from_json(json.loads(json.dumps(_as_json(made))), made.made_at)

    assert again.fit.parameters == made.fit.parameters
    assert np.array_equal(again.fit.covariance, made.fit.covariance)
    assert again.spend.parameters == made.spend.parameters
    assert again.test == made.test
    assert (again.verdict, again.facts, again.candidates) == (made.verdict, made.facts, made.candidates)
    assert again.predictor.kept_share == made.kept_share


def test_a_forecast_kept_in_another_shape_is_made_anew(workbench, tmp_path):
    workbench.importer.run(
        orders_file(tmp_path / "one.csv"), kind="orders", actor="test", source="command line"
    )
    made = workbench.forecasting.forecast(as_of=LAST)
    with workbench.records.write() as session:
        (row,) = list_forecasts(session)
        row.body = {"format": 0, "test": {}}

    other = Workbench.open(workbench.settings)
    try:
        assert other.forecasting.earlier() == []
        assert other.forecasting.forecast(as_of=LAST).fit.parameters == made.fit.parameters
        assert len(other.forecasting.earlier()) == 1
    finally:
        other.close()


def test_who_asks_for_a_kept_forecast_does_not_wait_for_one_being_fitted(shop):
    made = shop.forecasting.forecast(as_of=shop.as_of())
    answers = []

    def ask():
        answers.append(shop.forecasting.tracked(shop.forecasting.forecast(as_of=shop.as_of())))

    shop.forecasting.tracked(made)
    # As while another is being fitted, and the scores of a third are being computed.
    with shop.forecasting._fitting, shop.forecasting._computing:
        asker = threading.Thread(target=ask)
        asker.start()
        asker.join(timeout=20)

    assert [answer.key for answer in answers] == [made.key]
    assert answers[0].test.tracking


def test_who_only_reads_is_answered_while_somebody_else_writes(workbench, tmp_path):
    workbench.importer.run(
        orders_file(tmp_path / "one.csv"), kind="orders", actor="test", source="command line"
    )
    busy = Conflict("Another change is being written.", "Try again.")

    with patch.object(workbench.records, "write", side_effect=busy):
        found = workbench.forecasting.tracked(workbench.forecasting.forecast(as_of=LAST))
        again = workbench.forecasting.forecast(as_of=LAST)

    assert found.usable
    assert found.test.tracking
    assert again is found
    assert workbench.forecasting.earlier() == []


def test_a_curve_is_not_kept_with_a_test_of_other_orders(workbench, tmp_path):
    workbench.importer.run(
        orders_file(tmp_path / "one.csv"), kind="orders", actor="test", source="command line"
    )
    more = orders_file(tmp_path / "two.csv", seed=2)
    made = workbench.forecasting.forecast(as_of=LAST)
    by_day = workbench.forecasting._purchases_by_day

    def meanwhile(*asked):
        workbench.importer.run(more, kind="orders", actor="test", source="command line")
        return by_day(*asked)

    with patch.object(workbench.forecasting, "_purchases_by_day", meanwhile):
        drawn = workbench.forecasting.tracked(made)

    assert drawn.test == made.test
    assert not workbench.forecasting.earlier()[0].test.tracking


def test_numbers_of_one_version_of_the_orders_are_not_joined_to_another(workbench, tmp_path):
    workbench.importer.run(
        orders_file(tmp_path / "one.csv"), kind="orders", actor="test", source="command line"
    )
    made = workbench.forecasting.forecast(as_of=LAST)
    workbench.forecasting.scores(made, Assumptions())
    workbench.importer.run(
        orders_file(tmp_path / "two.csv", seed=2), kind="orders", actor="test", source="command line"
    )

    for ask in (
        lambda: workbench.valuation.customers(Assumptions(), as_of=LAST, forecast=made),
        lambda: workbench.forecasting.scores(made, Assumptions(years=2)),
        lambda: workbench.forecasting.years_ahead(made, 3),
        lambda: workbench.forecasting.cohorts_ahead(made),
    ):
        with pytest.raises(Conflict, match="Orders came in"):
            ask()


def test_a_forecast_of_another_lake_with_the_same_version_is_no_answer(tmp_path):
    first = load_settings(home=tmp_path / "one", memory_limit="1GB")
    shared = load_settings(home=tmp_path / "two", memory_limit="1GB", database_url=first.records_url)
    found = []
    for settings, customers in ((first, 700), (shared, 900)):
        workbench = Workbench.open(settings)
        path = orders_file(tmp_path / f"{customers}.csv", customers=customers, seed=customers)
        workbench.importer.run(path, kind="orders", actor="test", source="command line")
        found.append(workbench.forecasting.forecast(as_of=LAST))
        workbench.close()

    assert found[0].orders_version == found[1].orders_version
    assert [one.facts.customers for one in found] == [700, 900]


def test_orders_that_come_in_while_it_is_fitted_leave_no_forecast_of_neither_version(workbench, tmp_path):
    workbench.importer.run(
        orders_file(tmp_path / "one.csv"), kind="orders", actor="test", source="command line"
    )
    more = orders_file(tmp_path / "two.csv", seed=2)
    fitted = workbench.forecasting._fitted

    def meanwhile(question):
        workbench.importer.run(more, kind="orders", actor="test", source="command line")
        return fitted(question)

    with patch.object(workbench.forecasting, "_fitted", meanwhile):
        workbench.forecasting.forecast(as_of=LAST)

    assert workbench.forecasting.earlier() == []


def test_an_order_that_goes_on_after_the_cut_counts_there_as_it_was_known_then(workbench, tmp_path):
    file = orders_file(tmp_path / "orders.csv")
    workbench.importer.run(file, kind="orders", actor="test", source="command line")
    usual = workbench.forecasting.forecast(as_of=LAST, model="bg_nbd").test
    rows = [line.split(",") for line in file.read_text().splitlines()[1:]]
    before = [row for row in rows if row[2] < usual.cut.isoformat()]
    number, customer = before[0][:2]
    with file.open("a") as more:
        more.write(f"{number},{customer},{LAST.isoformat()},1000.00\n")
        # First orders taken back in full later on: of customers who were known at the cut all the same.
        for number, customer, _, amount in list({row[1]: row for row in before[::-1]}.values())[:40]:
            more.write(f"{number},{customer},{(usual.cut + timedelta(days=10)).isoformat()},-{amount}\n")
    other = Workbench.open(load_settings(home=tmp_path / "other", memory_limit="1GB"))
    other.importer.run(file, kind="orders", actor="test", source="command line")

    found = other.forecasting.tracked(other.forecasting.forecast(as_of=LAST, model="bg_nbd")).test

    other.close()
    assert found.parameters == pytest.approx(usual.parameters, rel=1e-12)
    assert found.predicted_revenue == pytest.approx(usual.predicted_revenue, rel=1e-12)
    assert found.actual == usual.actual
    assert found.actual_revenue < usual.actual_revenue
    at_cut = next(row["actual"] for row in found.tracking if row["week_end"] == found.cut)
    assert found.tracking[-1]["actual"] - at_cut == found.actual


def test_the_same_question_is_answered_once_and_by_another_process_alike(shop):
    as_of = shop.as_of()
    made = shop.forecasting.forecast(as_of=as_of)

    other = Workbench.open(shop.settings)
    try:
        assert as_of in [one.as_of for one in other.forecasting.earlier()]
        kept = other.forecasting.forecast(as_of=as_of)
    finally:
        other.close()

    assert shop.forecasting.forecast(as_of=as_of) is made
    assert kept.made_at == made.made_at
    assert kept.fit.parameters == made.fit.parameters


def test_the_tracking_curve_is_drawn_when_asked_for_and_kept(shop):
    as_of = shop.as_of()

    drawn = shop.forecasting.tracked(shop.forecasting.forecast(as_of=as_of))

    first, last = drawn.test.tracking[0], drawn.test.tracking[-1]
    at_cut = next(row for row in drawn.test.tracking if row["week_end"] == drawn.test.cut)
    assert last["actual"] - at_cut["actual"] == drawn.test.actual
    assert last["predicted"] - at_cut["actual"] == pytest.approx(drawn.test.predicted)
    assert first["week_end"] < drawn.test.cut < last["week_end"] == as_of
    assert shop.forecasting.forecast(as_of=as_of) is drawn
    assert (
        shop.forecasting.earlier()[0].test == drawn.test or shop.forecasting.earlier()[-1].test == drawn.test
    )


def test_a_model_that_is_asked_for_is_used_and_tested_on_the_holdout_asked_for(shop):
    found = shop.forecasting.forecast(as_of=shop.as_of(), model="pareto_nbd", holdout_weeks=26)

    assert found.fit.model == "pareto_nbd"
    assert set(found.fit.parameters) == {"r", "alpha", "s", "beta"}
    assert found.test.weeks == 26
    assert found.why == "Pareto/NBD was asked for."
    assert found.key != shop.forecasting.forecast(as_of=shop.as_of()).key


def test_new_orders_make_another_forecast_and_the_earlier_one_is_still_there(workbench, tmp_path):
    workbench.importer.run(
        orders_file(tmp_path / "one.csv"), kind="orders", actor="test", source="command line"
    )
    first = workbench.forecasting.forecast(as_of=LAST)
    workbench.importer.run(
        orders_file(tmp_path / "two.csv", seed=2, customers=900),
        kind="orders",
        actor="test",
        source="command line",
    )

    second = workbench.forecasting.forecast(as_of=LAST)

    assert second.orders_version > first.orders_version
    assert second.fit.parameters != first.fit.parameters
    earlier = workbench.forecasting.earlier()
    assert [one.orders_version for one in earlier] == [second.orders_version, first.orders_version]
    assert earlier[1].test == first.test


def test_a_forecast_is_made_in_the_background_once_for_each_version(workbench, tmp_path, monkeypatch):
    workbench.importer.run(
        orders_file(tmp_path / "one.csv"), kind="orders", actor="test", source="command line"
    )

    workbench.forecast_in_background(workbench.lake.version("orders"))
    workbench._fitting.join()
    thread = workbench._fitting
    workbench.forecast_in_background(workbench.lake.version("orders"))

    assert [one.as_of for one in workbench.forecasting.earlier()] == [LAST]
    assert workbench.forecasting.forecast(as_of=LAST).test.tracking
    assert workbench._fitting is thread
    monkeypatch.setattr(Forecasting, "_score", None)  # not asked for: the scores are there
    assert everything_of(workbench, as_of=LAST)["C00000"]["probability_alive"] > 0


def test_the_background_of_an_empty_store_has_nothing_to_do(workbench):
    workbench.forecast_in_background(workbench.lake.version("orders"))
    workbench._fitting.join()

    assert workbench.forecasting.earlier() == []


# Refused


def test_too_few_customers_are_refused_and_no_number_is_shown_or_exported(workbench, tmp_path):
    workbench.importer.run(
        orders_file(tmp_path / "few.csv", customers=40), kind="orders", actor="test", source="command line"
    )

    forecast = workbench.forecasting.forecast(as_of=LAST)
    workbench.export(tmp_path / "out.csv", as_of=LAST)

    assert forecast.verdict.grade == "refused"
    assert "40 customers bought" in forecast.verdict.reasons[0].found
    with pytest.raises(NotEnoughData, match="40 customers bought"):
        workbench.valuation.by_forecast(Assumptions(), as_of=LAST)
    assert workbench.valuation.customer("C00001", Assumptions(), as_of=LAST) is None
    with (tmp_path / "out.csv").open(encoding="utf-8-sig") as file:
        exported = list(csv.DictReader(file))
    assert len(exported) == 40
    assert all(row[name] == "" for row in exported for name in FORECAST_FIELDS)
    assert all(row["dcf_lifetime_value"] for row in exported)
    unlikely = audiences.Leaf("probability_alive", "<", 0.3)
    assert workbench.audience_size(unlikely, as_of=LAST) == 0
    assert workbench.audience_size(audiences.Not(unlikely), as_of=LAST) == 0, "that is no more known"
    assert workbench.export(tmp_path / "out.csv", as_of=LAST, rule=audiences.Not(unlikely)).rows == 0
    assert workbench.audience_size(audiences.Leaf("probability_alive", "is_empty"), as_of=LAST) == 40


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([("O1", "A", "2025-12-31", "10")], "1 customer bought"),
        ([(f"O{n}", f"C{n}", "2025-12-31", "10") for n in range(600)], "cover 1 day;"),
        (
            [(f"O{n}", f"C{n}", f"2025-{n % 12 + 1:02d}-01", "10") for n in range(600)],
            "0 customers bought on two days",
        ),
        ([(f"O{n}", f"C{n % 5}", f"2025-{n % 12 + 1:02d}-01", "-5") for n in range(60)], "Nobody had bought"),
    ],
    ids=["one customer", "one day", "one-time buyers", "only returns"],
)
def test_a_history_that_says_nothing_is_refused_in_words(workbench, csv_file, lines, said):
    file = csv_file("order_id,customer_id,order_date,amount", *(",".join(line) for line in lines))
    workbench.importer.run(file, kind="orders", actor="test", source="command line")

    forecast = workbench.forecasting.forecast(as_of=LAST)
    customers = everything_of(workbench, as_of=LAST)

    assert not forecast.usable
    assert said in " ".join(reason.found for reason in forecast.verdict.reasons)
    assert all(reason.help for reason in forecast.verdict.reasons)
    assert all(row[name] is None for row in customers.values() for name in FORECAST_FIELDS)


def test_a_model_that_gives_no_finite_number_is_refused_and_not_an_error(workbench, tmp_path):
    workbench.importer.run(
        orders_file(tmp_path / "one.csv"), kind="orders", actor="test", source="command line"
    )
    run = backtest.run

    with patch.object(backtest, "run", lambda *a, **b: replace(run(*a, **b), predicted=float("inf"))):
        found = workbench.forecasting.tracked(workbench.forecasting.forecast(as_of=LAST))

    assert found.verdict.grade == "refused"
    assert "no finite number" in found.sentence()
    assert (found.fit, found.test) == (None, None)
    assert workbench.forecasting.earlier()[0].verdict == found.verdict


def test_a_day_before_the_data_is_refused_and_not_an_error(shop):
    forecast = shop.forecasting.forecast(as_of=date(1999, 1, 1))

    assert not forecast.usable
    assert plain(forecast.verdict.reasons[0].found) == "Nobody had bought by 1 Jan 1999."


def test_a_holdout_longer_than_the_history_is_refused_with_a_way_on(workbench, tmp_path):
    file = orders_file(tmp_path / "short.csv", customers=800, days=200)
    workbench.importer.run(file, kind="orders", actor="test", source="command line")

    forecast = workbench.forecasting.forecast(as_of=LAST, holdout_weeks=40)

    assert not forecast.usable
    assert "where the holdout of 40 weeks begins" in forecast.verdict.reasons[-1].found


@pytest.mark.parametrize(
    "wrong", [{"model": "prophet"}, {"holdout_weeks": 3}, {"holdout_weeks": 53}, {"holdout_weeks": 4.5}]
)
def test_a_model_or_a_holdout_that_cannot_be_is_refused(shop, wrong):
    with pytest.raises(InvalidValue) as refused:
        shop.forecasting.forecast(as_of=shop.as_of(), **wrong)

    assert refused.value.hint.startswith("Choose ")


# Acquisition cost by channel


def test_a_channels_cost_is_taken_off_where_a_contact_states_none(shop):
    as_of = shop.as_of()
    channels = shop.channels(as_of=as_of)
    without = everything_of(shop, as_of=as_of, assumptions=Assumptions())

    costs = tuple((channel, 7.0) for channel in channels)
    with_costs = everything_of(shop, as_of=as_of, assumptions=Assumptions(channel_costs=costs))

    assert channels
    for key, row in without.items():
        if row["orders"] > 0:
            off = 7.0 if row["acquisition_cost"] is None and (row["channel"] or "").strip() else 0.0
            assert with_costs[key]["lifetime_value"] == pytest.approx(row["lifetime_value"] - off)


def test_costs_of_channels_are_stored_and_can_be_taken_back(workbench):
    event = workbench.save_channel_costs({"Search": 12.5, "Social": 0}, actor="test")

    assert workbench.assumptions().channel_costs == (("Search", 12.5), ("Social", 0.0))
    (edit,), _ = workbench.edits()
    assert (edit.event_id, edit.subject) == (event, "the acquisition costs by channel")
    with pytest.raises(InvalidValue):
        workbench.save_channel_costs({"Search": -1}, actor="test")
    assert workbench.save_channel_costs({"Search": 12.5, "Social": 0}, actor="test") is None


# The same on every engine


@pytest.mark.spark
@pytest.mark.slow
def test_spark_and_duckdb_give_the_same_forecasts(shop, spark_url):
    as_of, assumptions = shop.as_of(), Assumptions(margin=0.4)
    of_duckdb = everything_of(shop, as_of=as_of, assumptions=assumptions)
    made = shop.forecasting.forecast(as_of=as_of)
    spark = Workbench.open(load_settings(home=shop.settings.home, engine=spark_url))
    try:
        # Fitted anew from Spark's own rows, not read from what DuckDB's forecast left.
        fitted = spark.forecasting._fitted(made.question)
        of_spark = everything_of(spark, as_of=as_of, assumptions=assumptions)
        value = spark.valuation.by_forecast(assumptions, as_of=as_of)
    finally:
        spark.close()

    assert fitted.fit.parameters == pytest.approx(made.fit.parameters, rel=1e-9)
    assert fitted.spend.parameters == pytest.approx(made.spend.parameters, rel=1e-9)
    assert fitted.test.predicted_revenue == pytest.approx(made.test.predicted_revenue, rel=1e-9)
    assert value.total == pytest.approx(shop.valuation.by_forecast(assumptions, as_of=as_of).total, rel=1e-9)
    for key, row in of_duckdb.items():
        for name in FORECAST_FIELDS:
            expected = None if row[name] is None else pytest.approx(row[name], rel=1e-9, abs=1e-9)
            assert of_spark[key][name] == expected


def test_scores_are_kept_for_assumptions_that_change_them_alone(shop):
    forecast = shop.forecasting.forecast(as_of=shop.as_of())
    one = shop.forecasting.scores(forecast, Assumptions())

    assert shop.forecasting.scores(forecast, Assumptions(acquisition_cost=50)) is one
    assert shop.forecasting.scores(forecast, Assumptions(years=4)) is not one
    assert one.rows.num_rows == shop.engine.count(shop.engine.histories(as_of=shop.as_of()))
    assert not any(np.isnan(one.rows[name].to_numpy()).any() for name in one.rows.column_names)


def test_an_interval_of_a_total_is_relatively_narrower_than_those_of_its_parts(shop):
    found = shop.valuation.by_forecast(Assumptions(), as_of=shop.as_of(), scheme="rfm")

    widths = (found.segments["high"] - found.segments["low"]) / found.segments["lifetime_value"].abs()
    assert (found.high - found.low) / found.total < widths.max()
    assert (found.segments["low"] <= found.segments["lifetime_value"]).all()
    assert (found.segments["lifetime_value"] <= found.segments["high"]).all()


def test_forecasts_do_not_hang_on_the_order_of_orders(workbench, tmp_path):
    file = orders_file(tmp_path / "one.csv")
    workbench.importer.run(file, kind="orders", actor="test", source="command line")
    head, *lines = file.read_text().splitlines()
    backwards = tmp_path / "backwards.csv"
    backwards.write_text("\n".join([head, *reversed(lines)]) + "\n")
    made = workbench.forecasting.forecast(as_of=LAST)
    other = Workbench.open(replace_home(workbench.settings, tmp_path / "other"))
    try:
        other.importer.run(backwards, kind="orders", actor="test", source="command line")
        again = other.forecasting.forecast(as_of=LAST)
        total = other.engine.row(other.customers(as_of=LAST).select(total=nw.col("lifetime_value").sum()))
    finally:
        other.close()

    assert again.fit.parameters == made.fit.parameters
    assert total["total"] == pytest.approx(
        workbench.engine.row(workbench.customers(as_of=LAST).select(total=nw.col("lifetime_value").sum()))[
            "total"
        ],
        rel=1e-12,
    )


def replace_home(settings, home):
    return load_settings(home=home, memory_limit=settings.memory_limit)

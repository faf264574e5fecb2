"""What a holdout shows, and when a forecast is refused."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crm.analytics import backtest, btyd
from crm.analytics.backtest import Candidate, Facts, Reason, Verdict
from crm.analytics.btyd import Fit
from crm.analytics.gamma_gamma import SpendFit
from crm.analytics.scores import Predictor
from crm.analytics.tables import day_number
from tests.spelling import plain

CUT, AS_OF, FIRST = date(2025, 6, 30), date(2025, 9, 29), date(2024, 1, 1)
WEEKS = 13

FIT = Fit("bg_nbd", {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.5}, -5000.0, 2000, np.diag([0.01] * 4))
SPEND = SpendFit(6.25, 3.74, 15.44, -4000.0, 900, np.diag([0.01] * 3))
PREDICTOR = Predictor(FIT, SPEND)

GOOD = Facts(2000, 900, 400, FIRST, AS_OF, 0.05)


def rows(**changed):
    """Return three customers at the cut, as `holdout_rows` makes them, and what they did after it."""
    columns = {
        "purchase_days": [1, 3, 9],
        "recency_days": [100, 20, 5],
        "tenure_days": [100, 200, 546],
        "repeat_spend": [0.0, 60.0, 900.0],
        "revenue": [30.0, 90.0, 950.0],
        "purchase_total": [30.0, 90.0, 1000.0],
        "later_purchase_days": [0, 1, 4],
        "later_revenue": [0.0, 30.0, 400.0],
        "previous_purchase_days": [1, 2, 3],
        "previous_revenue": [30.0, 60.0, 300.0],
        "year_ago_purchase_days": [0, 0, 2],
        "year_ago_revenue": [0.0, 0.0, 200.0],
    }
    return pd.DataFrame({**columns, **changed}).astype(float)


def daily():
    """Return purchases by day of those three: their 13 purchase days up to the cut, and 5 after it."""
    known = [
        day_number(CUT) - offset for offset in (546, 500, 400, 300, 250, 200, 150, 120, 100, 90, 60, 20, 5)
    ]
    later = [day_number(CUT) + offset for offset in (10, 20, 30, 50, 91)]
    return pd.DataFrame({"day": [*known, *later], "purchases": 1})


def outcome_of(**changed):
    return backtest.run(PREDICTOR, rows(**changed), cut=CUT, as_of=AS_OF, first=FIRST)


# The test


def test_the_total_predicted_is_the_sum_over_customers_known_at_the_cut():
    keys, back = backtest.histories_of(rows())

    found = outcome_of()

    assert found.weeks == WEEKS
    assert found.predicted == pytest.approx(FIT.expected_orders(keys, WEEKS)[back].sum())
    assert (found.actual, found.actual_revenue, found.customers) == (5, 430, 3)
    assert found.bias == pytest.approx(found.predicted / 5 - 1)
    assert found.low < found.predicted < found.high
    assert found.low_revenue < found.predicted_revenue < found.high_revenue


def test_every_split_of_the_holdout_adds_up_to_its_totals():
    found = outcome_of()

    for split, predicted, actual in (
        (found.classes, found.predicted, found.actual),
        (found.deciles, found.predicted_revenue, found.actual_revenue),
    ):
        assert sum(row["predicted"] for row in split) == pytest.approx(predicted)
        assert sum(row["actual"] for row in split) == pytest.approx(actual)
        assert sum(row["customers"] for row in split) == 3


def test_classes_are_numbers_of_repeat_purchase_days_and_the_last_is_open():
    assert [row["repeats"] for row in outcome_of().classes] == ["0", "2", "7+"]


def curve(rows_by_day):
    keys, _ = backtest.histories_of(rows())
    return backtest.tracking(outcome_of(), keys, rows_by_day, first=FIRST)


def test_the_tracking_curve_ends_at_what_was_predicted_and_at_what_came():
    found = outcome_of()
    tracking = curve(daily())
    at_cut = next(row for row in tracking if row["week_end"] == CUT)
    end = tracking[-1]

    # 13 purchase days less the first ones of three customers.
    assert at_cut["actual"] == 10
    assert end["week_end"] == AS_OF
    assert end["actual"] - at_cut["actual"] == found.actual
    assert end["predicted"] - at_cut["actual"] == pytest.approx(found.predicted)
    assert (end["low"], end["high"]) == (
        pytest.approx(10 + found.low),
        pytest.approx(10 + found.high),
    )
    assert all(row["low"] is None for row in tracking if row["week_end"] <= CUT)


def test_the_tracking_curve_begins_twice_the_holdout_before_the_cut_and_counts_what_was_before():
    tracking = curve(daily())

    assert tracking[0]["week_end"] == CUT - timedelta(weeks=26)
    # By then 250 to 546 days before the cut: four purchase days of one customer, the first of them no repeat.
    assert tracking[0]["actual"] == 4
    recent = daily()[daily()["day"] > day_number(backtest.tracked_from(FIRST, CUT, AS_OF))]
    assert curve(recent) == tracking


def test_the_naive_rules_are_the_same_weeks_a_year_ago_and_the_average():
    year_ago, average = outcome_of().naive

    assert (year_ago.name, year_ago.orders, year_ago.revenue) == ("Same as a year before", 2, 200)
    assert year_ago.orders_bias == pytest.approx(-0.6)
    # Errors 0, 1 and 2.
    assert year_ago.rmse == pytest.approx((5 / 3) ** 0.5)
    # 10 repeat purchase days in 846 days watched, for three customers and 91 days; 1,070 ÷ 13 each.
    assert average.orders == pytest.approx(3 * 91 * 10 / 846)
    assert average.revenue == pytest.approx(average.orders * 1070 / 13)


def test_a_history_of_less_than_a_year_is_compared_with_the_weeks_before():
    found = backtest.run(PREDICTOR, rows(), cut=CUT, as_of=AS_OF, first=CUT - timedelta(days=364))

    assert (found.naive[0].name, found.naive[0].orders) == ("Same as the 13 weeks before", 6)


def test_weeks_that_lie_partly_before_the_history_are_no_rival():
    days = (AS_OF - CUT).days
    whole = backtest.run(PREDICTOR, rows(), cut=CUT, as_of=AS_OF, first=CUT - timedelta(days=days - 1))
    short = backtest.run(PREDICTOR, rows(), cut=CUT, as_of=AS_OF, first=CUT - timedelta(days=days - 2))

    assert [rule.name for rule in whole.naive] == [
        "Same as the 13 weeks before",
        "Everybody buys the average",
    ]
    assert [rule.name for rule in short.naive] == ["Everybody buys the average"]


def test_without_any_later_purchase_there_is_no_bias_and_the_verdict_is_refused():
    found = outcome_of(later_purchase_days=[0, 0, 0], later_revenue=[0, 0, 0])

    assert found.bias is None
    assert found.revenue_bias is None
    assert found.correlation is None
    assert not backtest.judge(GOOD, AS_OF, fit=FIT, share_alive=0.6, test=found).usable


def test_the_sentence_says_when_how_much_and_how_far_off():
    found = replace(outcome_of(), predicted_revenue=412_000.0, actual_revenue=398_000.0)

    assert plain(found.sentence()) == (
        "Fitted on data to 30 Jun 2025. Predicted 412,000 for the next 13 weeks; it was 398,000 (+3.5 %)."
    )


@pytest.mark.parametrize(
    ("days", "weeks"),
    [(546, 20), (364, 13), (40, 4), (10_000, 52)],
    ids=["78 weeks", "a year", "short", "long"],
)
def test_the_holdout_is_the_last_quarter_in_whole_weeks(days, weeks):
    assert backtest.default_cut(AS_OF - timedelta(days=days), AS_OF) == AS_OF - timedelta(weeks=weeks)


# The gates


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (replace(GOOD, customers=499), "499 customers bought; a forecast takes at least 500."),
        (replace(GOOD, first=AS_OF - timedelta(days=178)), "The orders cover 179 days"),
        (replace(GOOD, last=AS_OF - timedelta(days=31)), "31 days before the as-of day"),
        (replace(GOOD, repeaters=99), "99 customers bought on two days or more"),
        (replace(GOOD, frequent=9), "and 9 on three or more"),
    ],
    ids=["customers", "history", "silence", "repeaters", "frequent"],
)
def test_a_history_that_is_too_small_is_refused_with_its_number_and_a_way_on(facts, said):
    verdict = backtest.judge(facts, AS_OF, fit=None, share_alive=None, test=None)

    assert verdict.grade == "refused"
    assert len(verdict.reasons) == 1
    assert said in verdict.reasons[0].found
    assert verdict.reasons[0].help


def test_a_history_at_the_gates_is_let_through():
    facts = Facts(500, 100, 10, AS_OF - timedelta(days=180), AS_OF - timedelta(days=30), 0.2)

    assert backtest.judge(facts, AS_OF, fit=None, share_alive=None, test=None) == Verdict()


# Parameters, holdout, spend


def judged(*, share_alive=0.6, facts=GOOD, fit=FIT, **test):
    outcome = replace(outcome_of(), predicted=100.0, predicted_revenue=1000.0, rmse=1.0, naive=(), **{
        "actual": 100.0, "actual_revenue": 1000.0, **test
    })  # fmt: skip
    return backtest.judge(facts, AS_OF, fit=fit, share_alive=share_alive, test=outcome)


def test_a_forecast_that_was_right_is_usable():
    assert judged() == Verdict()


@pytest.mark.parametrize(
    ("actual", "grade"),
    [
        (109.0, "usable"),
        (91.0, "usable"),
        (88.0, "care"),
        (124.0, "care"),
        (80.0, "refused"),
        (126.0, "refused"),
    ],
)
@pytest.mark.parametrize("what", ["actual", "actual_revenue"])
def test_up_to_a_tenth_off_is_usable_and_beyond_a_fifth_refused(what, actual, grade):
    assert judged(**{what: actual * (10 if what == "actual_revenue" else 1)}).grade == grade


def test_a_reason_says_too_few_or_too_many_with_both_numbers():
    verdict = judged(actual=160.0, actual_revenue=500.0)

    assert [plain(reason.found) for reason in verdict.reasons] == [
        "In the 13 weeks to 29 Sep 2025 it forecast 37.5 % too few orders: 100 against 160.",
        "In the 13 weeks to 29 Sep 2025 it forecast 100.0 % too much revenue: 1,000 against 500.",
    ]


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.999, "Almost nobody seems to leave in this model"), (0.01, "Almost everybody seems to have left")],
)
def test_a_model_in_which_nobody_leaves_or_nobody_stays_is_refused(share, said):
    verdict = judged(share_alive=share)

    assert verdict.grade == "refused"
    assert verdict.reasons[0].found.startswith(said)


def test_parameters_at_the_edge_are_used_with_care():
    assert judged(fit=replace(FIT, converged=False)).grade == "care"
    assert judged(fit=replace(FIT, covariance=None)).grade == "care"


def test_a_naive_rule_that_did_better_speaks_against_the_model():
    rule = backtest.NaiveRule("Same as a year before", 100.0, 0.0, 1000.0, 0.0, rmse=0.9)
    nearer = replace(outcome_of(), predicted=103.0, actual=100.0, predicted_revenue=1000.0, actual_revenue=1000.0,
                     rmse=1.0, naive=(rule,))  # fmt: skip
    further = replace(nearer, naive=(replace(rule, orders_bias=0.2),))
    worse = replace(nearer, naive=(replace(rule, rmse=0.995),))

    grades = [
        backtest.judge(GOOD, AS_OF, fit=FIT, share_alive=0.6, test=test).grade
        for test in (nearer, further, worse)
    ]
    assert grades == ["refused", "care", "usable"]


@pytest.mark.parametrize(
    ("correlation", "grade"),
    [(0.2, "usable"), (-0.3, "care"), (0.3, "care"), (0.5, "refused"), (None, "usable")],
)
def test_spend_that_depends_on_frequency_speaks_against_the_model_of_spend(correlation, grade):
    assert judged(facts=replace(GOOD, spend_correlation=correlation)).grade == grade


def test_the_grade_is_the_worst_of_the_reasons():
    care, refused = Reason("care", "a", "b"), Reason("refused", "a", "b")

    assert Verdict((care,)).grade == "care"
    assert Verdict((care, refused, care)).grade == "refused"
    assert Verdict((care,)).usable
    assert not Verdict((refused,)).usable


# The choice of a model


def candidates(**changed):
    plain = {"customers": 900, "predicted": 100.0, "rmse": 1.0, "share_alive": 0.6}
    bias = {"bg_nbd": -0.05, "mbg_nbd": -0.02, "pareto_nbd": 0.01, **changed.pop("bias", {})}
    likely = {"bg_nbd": -100.0, "mbg_nbd": -100.0, "pareto_nbd": -100.0, **changed}
    return [
        Candidate(model=model, log_likelihood=likely[model], bias=bias[model], **plain)
        for model in btyd.MODELS
    ]


def test_the_standard_model_is_kept_unless_another_is_clearly_likelier_and_nearer():
    assert backtest.choose(candidates())[0] == "bg_nbd"
    assert backtest.choose(candidates(mbg_nbd=-98.5))[0] == "bg_nbd"
    assert backtest.choose(candidates(mbg_nbd=-90.0, bias={"mbg_nbd": -0.16}))[0] == "bg_nbd"
    assert backtest.choose(candidates(mbg_nbd=-97.0))[0] == "mbg_nbd"
    assert backtest.choose(candidates(mbg_nbd=-97.0, pareto_nbd=-90.0))[0] == "pareto_nbd"


def test_the_choice_is_said_with_its_reason():
    _, why = backtest.choose(candidates(mbg_nbd=-90.0))

    assert plain(why) == (
        "MBG/NBD is clearly likelier than BG/NBD (log-likelihood +10.0) and was nearer in the holdout "
        "(−2.0 % against −5.0 %)."
    )


def test_a_model_in_which_nobody_leaves_gives_way_to_one_that_was_nearer():
    standard, *rivals = candidates(mbg_nbd=-101.0)

    chosen, why = backtest.choose([replace(standard, share_alive=0.999), *rivals])

    assert chosen == "mbg_nbd"
    assert plain(why) == (
        "In BG/NBD almost nobody leaves; in MBG/NBD some do, and in the holdout it was off by −2.0 % against −5.0 %."
    )


def test_it_gives_way_also_to_one_a_little_further_off_but_not_to_one_beyond_trust():
    standard, *rivals = candidates(bias={"mbg_nbd": -0.06, "pareto_nbd": 0.3})

    chosen, _ = backtest.choose([replace(standard, share_alive=0.999), *rivals])
    kept, _ = backtest.choose([replace(standard, share_alive=0.999), rivals[1]])

    assert (chosen, kept) == ("mbg_nbd", "bg_nbd")


@pytest.mark.parametrize(
    ("q", "error", "grade"),
    [(3.7, 0.1, "usable"), (1.55, 0.1, "care"), (1.05, 0.1, "refused"), (1.9, 0.1, "usable")],
)
def test_a_spend_whose_mean_is_hardly_known_speaks_against_the_forecast(q, error, grade):
    spend = replace(SPEND, q=q, covariance=np.diag([0.01, error**2, 0.01]))

    assert backtest.judge(GOOD, AS_OF, fit=FIT, share_alive=0.6, test=None, spend=spend).grade == grade


@pytest.mark.parametrize("unsure", [{"covariance": None}, {"converged": False}])
def test_a_model_of_spend_that_found_no_end_is_said(unsure):
    verdict = backtest.judge(GOOD, AS_OF, fit=FIT, share_alive=0.6, test=None, spend=replace(SPEND, **unsure))

    assert verdict.grade == "care"
    assert "parameters of Gamma-Gamma" in verdict.reasons[0].found


def test_a_number_that_is_none_is_refused_and_not_compared():
    broken = replace(outcome_of(), predicted=float("nan"))

    assert backtest.judge(GOOD, AS_OF, fit=FIT, share_alive=0.6, test=broken).grade == "refused"


def test_a_model_in_which_nobody_leaves_is_not_chosen_over_another():
    everybody_stays = [replace(one, share_alive=0.999) if one.model == "mbg_nbd" else one
                       for one in candidates(mbg_nbd=-90.0)]  # fmt: skip

    assert backtest.choose(everybody_stays)[0] == "bg_nbd"


# Histories and correlation


def test_customers_with_the_same_history_are_one_entry_that_counts_them():
    keys, back = backtest.histories_of(
        pd.DataFrame({"purchase_days": [2, 1, 2], "recency_days": [3, 0, 3], "tenure_days": [10, 5, 10]})
    )

    assert list(keys.customers[back]) == [2, 1, 2]
    assert list(keys.x[back]) == [1, 0, 1]
    assert keys.t_x[back] == pytest.approx([1, 5 / 7, 1])
    assert keys.T[back] == pytest.approx([10 / 7, 5 / 7, 10 / 7])


def test_spend_correlation_is_that_of_repeats_and_their_mean_spend():
    frame = pd.DataFrame({"purchase_days": [1, 2, 3, 5], "repeat_spend": [0.0, 10.0, 40.0, 160.0]})

    # 1, 2 and 4 repeats at means of 10, 20 and 40.
    assert backtest.spend_correlation(frame) == pytest.approx(1.0)
    assert backtest.spend_correlation(frame.head(3)) is None
    assert backtest.spend_correlation(frame.assign(repeat_spend=[0.0, 10.0, 20.0, 40.0])) is None

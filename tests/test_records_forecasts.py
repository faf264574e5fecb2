"""Forecasts kept with the version of the orders they rest on."""

import math
from datetime import UTC, date, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from crm.records import audit, forecasts
from crm.records.database import Records
from crm.records.models import Forecast

QUESTION = {"orders_version": 7, "as_of": date(2026, 6, 30), "model": "auto", "holdout_weeks": 13}


def keep(records: Records, body: dict[str, object], **changes: object) -> int:
    with records.write() as session:
        return forecasts.keep_forecast(session, **{**QUESTION, **changes}, body=body).id


def find(records: Records, **changes: object) -> dict[str, object] | None:
    with records.read() as session:
        found = forecasts.find_forecast(session, **{**QUESTION, **changes})
        return None if found is None else found.body


def test_a_forecast_is_found_by_its_question_and_by_no_other(records: Records):
    before = datetime.now(UTC)
    body = {
        "model": "bg_nbd",
        "parameters": {"r": 0.2426, "alpha": 4.4136},
        "curve": [1, 2.5, None],
        "商店": "x",
    }
    keep(records, body)

    assert find(records) == body
    assert find(records, orders_version=8) is None
    assert find(records, as_of=date(2026, 6, 29)) is None
    assert find(records, model="bg_nbd") is None
    assert find(records, holdout_weeks=12) is None
    assert find(records, holdout_weeks=None) is None
    with records.read() as session:
        assert before <= forecasts.list_forecasts(session)[0].made_at <= datetime.now(UTC)


@pytest.mark.parametrize("holdout_weeks", [13, None])
def test_the_first_answer_to_a_question_stays(records: Records, holdout_weeks: int | None):
    first = keep(records, {"total": 1}, holdout_weeks=holdout_weeks)
    second = keep(records, {"total": 2}, holdout_weeks=holdout_weeks)

    assert first == second
    assert find(records, holdout_weeks=holdout_weeks) == {"total": 1}


@pytest.mark.parametrize("holdout_weeks", [13, None])
def test_the_database_itself_refuses_a_second_answer(records: Records, holdout_weeks: int | None):
    keep(records, {}, holdout_weeks=holdout_weeks)

    with pytest.raises(IntegrityError), records._writing.begin() as connection:
        connection.execute(
            Forecast.__table__.insert().values(**{**QUESTION, "holdout_weeks": holdout_weeks}, body={})
        )


def test_questions_that_differ_in_one_thing_are_kept_side_by_side(records: Records):
    for number, change in enumerate(
        (
            {},
            {"orders_version": 8},
            {"as_of": date(2026, 7, 1)},
            {"model": "mbg_nbd"},
            {"holdout_weeks": None},
        )
    ):
        keep(records, {"number": number}, **change)

    with records.read() as session:
        assert [one.body["number"] for one in forecasts.list_forecasts(session)] == [4, 3, 2, 1, 0]
        assert [one.body["number"] for one in forecasts.list_forecasts(session, limit=2)] == [4, 3]


def test_only_the_newest_are_kept(records: Records, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forecasts, "MOST_FORECASTS", 3)
    for version in range(6):
        keep(records, {"total": version}, orders_version=version)

    with records.read() as session:
        assert [one.orders_version for one in forecasts.list_forecasts(session)] == [5, 4, 3]
    assert find(records, orders_version=2) is None


def test_a_forecast_of_a_very_large_version_is_kept(records: Records):
    keep(records, {"total": 1}, orders_version=2**40)

    assert find(records, orders_version=2**40) == {"total": 1}


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_json_cannot_write_is_refused_on_both_databases(records: Records, number: float):
    with pytest.raises(ValueError, match="not JSON compliant"):
        keep(records, {"total": [number]})

    assert find(records) is None


def test_a_forecast_leaves_no_line_in_the_log(records: Records):
    keep(records, {"total": 1})

    with records.read() as session:
        assert audit.list_events(session)[1] == 0

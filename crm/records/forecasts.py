"""Forecasts as they were computed, each with the version of the orders it rests on.

They are computed, not entered: the log knows nothing of them, and the oldest go when there are many.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from crm.records.models import Forecast

MOST_FORECASTS = 200
"""Forecasts kept; the oldest beyond them are forgotten."""


def keep_forecast(
    session: Session,
    *,
    orders_version: int,
    as_of: date,
    model: str,
    holdout_weeks: int | None,
    body: Mapping[str, Any],
) -> Forecast:
    """Keep a forecast and return it; where the same question was answered before, that answer stays.

    `body` is a JSON object. Raises ValueError for one with a number that JSON cannot write, such as
    not-a-number: SQLite would keep it and PostgreSQL would not.
    """
    json.dumps(body, allow_nan=False)
    # Two processes may compute the same forecast at once; the second one's is the first one's.
    insert = sqlite.insert if session.connection().dialect.name == "sqlite" else postgresql.insert
    values = {
        "orders_version": orders_version,
        "as_of": as_of,
        "model": model,
        "holdout_weeks": holdout_weeks,
        "body": dict(body),
    }
    session.execute(insert(Forecast).values(values).on_conflict_do_nothing())
    kept = session.scalars(_answer(orders_version, as_of, model, holdout_weeks)).one()
    _forget_oldest(session)
    return kept


def amend_forecast(session: Session, forecast: Forecast, **parts: Any) -> None:
    """Put further parts into the body of a kept forecast. Raises ValueError for what JSON cannot write."""
    body = {**forecast.body, **parts}
    json.dumps(body, allow_nan=False)
    forecast.body = body
    session.flush()


def find_forecast(
    session: Session, *, orders_version: int, as_of: date, model: str, holdout_weeks: int | None
) -> Forecast | None:
    """Return the forecast kept for a question, or nothing: then it has to be computed."""
    return session.scalars(_answer(orders_version, as_of, model, holdout_weeks)).one_or_none()


def list_forecasts(session: Session, *, limit: int = 50) -> Sequence[Forecast]:
    """Return the forecasts kept last, newest first."""
    return session.scalars(select(Forecast).order_by(Forecast.id.desc()).limit(limit)).all()


def _answer(orders_version: int, as_of: date, model: str, holdout_weeks: int | None) -> Select[Forecast]:
    return select(Forecast).where(
        Forecast.orders_version == orders_version,
        Forecast.as_of == as_of,
        Forecast.model == model,
        # SQLAlchemy writes `IS NULL` where this is nothing.
        Forecast.holdout_weeks == holdout_weeks,
    )


def _forget_oldest(session: Session) -> None:
    newest = select(Forecast.id).order_by(Forecast.id.desc()).limit(MOST_FORECASTS)
    session.execute(
        delete(Forecast).where(Forecast.id.not_in(newest)).execution_options(synchronize_session=False)
    )

"""What time it is for the person looking: moments are stored in UTC and shown on the browser's clock."""

from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from crm import wording
from crm.ui import frame


def zone() -> tzinfo:
    """Return the time zone of the browser, or UTC where it does not tell."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def local(moment: datetime | str | None) -> datetime | None:
    """Return a stored moment on the browser's clock, without its zone: tables show it as it is."""
    if moment is None:
        return None
    stored = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return stored.astimezone(zone()).replace(tzinfo=None)


def said(moment: datetime | str | None) -> str:
    """Return a stored moment as people say it, on the browser's clock."""
    return wording.moment(local(moment))


def as_of() -> date:
    """Return the as-of day, or today while there are no orders: contacts and tickets need none."""
    chosen: date | None = frame.as_of()
    return chosen or datetime.now(zone()).date()

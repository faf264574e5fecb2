"""Numbers and days in words, the same on every page, in every chart, sentence and command.

Numbers are written as people say them ("1.2 M", "34 %", "12 Mar 2025"); what cannot be computed is "–",
never 0.
"""

import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, SupportsFloat, TypeAlias

Number: TypeAlias = SupportsFloat | None

UNDEFINED = "–"
"""Shown in place of a value that cannot be computed."""

WIDE = "\N{NO-BREAK SPACE}"
"""Between words that stay together, as in a date: a narrow one would run them into one."""

SPACE = "\N{NARROW NO-BREAK SPACE}"
"""Stands between a number and its unit, so that a line never ends between them."""

_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$", "CNY": "CN¥", "JPY": "JP¥", "INR": "₹", "KRW": "₩"}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def as_number(value: Number) -> float | None:
    """Return `value` as a float, or None when it is missing, not a number or infinite."""
    if value is None:
        return None
    try:
        number = float(value)
    except TypeError:  # pandas' NA and NaT refuse to become a float
        return None
    return number if math.isfinite(number) else None


def with_minus(number: str) -> str:
    """Return a number written by a format of Python's own, with a minus sign for its hyphen: "−0.5"."""
    return number.replace("-", "−")


def _signed(number: float, text: str) -> str:
    """Return `text`, the format of `abs(number)`, behind a minus sign where `number` is below 0."""
    return f"−{text}" if number < 0 and re.search("[1-9]", text) else text


def _trimmed(number: float, decimals: int) -> str:
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def count(value: Number) -> str:
    """Return a whole number in full: "12,345"."""
    number = as_number(value)
    return UNDEFINED if number is None else _signed(number, f"{abs(number):,.0f}")


def compact(value: Number) -> str:
    """Return a number as people say it: "950", "2.5", "9,876", "12.3 k", "1.2 M", "3.4 bn"."""
    number = as_number(value)
    if number is None:
        return UNDEFINED
    size = abs(number)
    if size < 9_999.5:
        return _signed(number, _trimmed(size, 1 if size < 100 else 0))
    for limit, divisor, unit in ((999_500, 1e3, "k"), (999_500_000, 1e6, "M"), (math.inf, 1e9, "bn")):
        if size < limit:
            scaled = size / divisor
            return _signed(number, _trimmed(scaled, 1 if scaled < 99.95 else 0) + SPACE + unit)
    raise AssertionError("unreachable: the last limit is infinite")


def money(value: Number, currency: str | None = None) -> str:
    """Return an amount as people say it: "£12.50", "£12,345", "£1.2 M", "SEK 345 k".

    `currency` is an ISO 4217 code; without one the bare number is returned.
    """
    number = as_number(value)
    if number is None:
        return UNDEFINED
    size = abs(number)
    if size < 999.995:
        text = f"{size:.2f}".removesuffix(".00")
    elif size < 99_999.5:
        text = f"{size:,.0f}"
    else:
        text = compact(size)
    return _signed(number, _with_currency(text, currency))


def money_exact(value: Number, currency: str | None = None) -> str:
    """Return an amount to the cent: "£1,234,567.80"."""
    number = as_number(value)
    if number is None:
        return UNDEFINED
    exact = abs(value) if isinstance(value, Decimal) else abs(number)
    return _signed(number, _with_currency(f"{exact:,.2f}", currency))


def _with_currency(text: str, currency: str | None) -> str:
    if not currency:
        return text
    symbol = _SYMBOLS.get(currency.upper())
    return f"{symbol}{text}" if symbol else f"{currency.upper()}{SPACE}{text}"


def counted(number: int, noun: str) -> str:
    """Return how many there are of what: "1 customer", "1,234 customers"."""
    return f"{count(number)} {noun}" + ("" if number == 1 else "s")


def percent(value: Number, decimals: int | None = None) -> str:
    """Return a share (0 to 1) as a percentage without false exactness: 0.342 gives "34 %".

    Shares near 0 and near 1 keep a decimal, so that "0 %" means none and "100 %" means all. Asked for
    `decimals`, it writes so many, whatever the share.
    """
    number = as_number(value)
    if number is None:
        return UNDEFINED
    size = abs(number) * 100
    if decimals is not None:
        return _signed(number, f"{size:,.{decimals}f}{SPACE}%")
    if 0 < size < 0.05:
        return f"<{SPACE}0.1{SPACE}%"
    if 99.95 <= size < 100:
        return f">{SPACE}99.9{SPACE}%"
    near_edge = size < 1 or 99 < size < 100
    return _signed(number, _trimmed(size, 1 if near_edge else 0) + SPACE + "%")


def percent_exact(value: Number) -> str:
    """Return a share (0 to 1) as a percentage with two decimals: "34.21 %"."""
    return percent(value, 2)


def change_rate(now: Number, before: Number) -> float | None:
    """Return (now − before) ÷ before, or None where it says nothing: `before` missing, 0 or negative."""
    after, base = as_number(now), as_number(before)
    return None if after is None or base is None or base <= 0 else after / base - 1


def signed_percent(rate: Number, decimals: int | None = None) -> str:
    """Return a change (0.12) with its sign: "+12 %", "−3.4 %", "0 %"; "–" when it is undefined.

    A change below 10 % keeps a decimal; asked for `decimals`, it writes so many, whatever the change.
    """
    number = as_number(rate)
    if number is None:
        return UNDEFINED
    size = abs(number) * 100
    text = _trimmed(size, 1 if size < 9.95 else 0) if decimals is None else f"{size:,.{decimals}f}"
    sign = "" if not re.search("[1-9]", text) else "+" if number > 0 else "−"
    return f"{sign}{text}{SPACE}%"


def change(now: Number, before: Number) -> str:
    """Return the change from `before` to `now`: "+12 %", or "–" when it is undefined."""
    return signed_percent(change_rate(now, before))


def day(value: date | None) -> str:
    """Return a day as "12 Mar 2025", the same in every locale."""
    if value is None or value != value:  # noqa: PLR0124 - pandas' NaT is a datetime unlike itself
        return UNDEFINED
    return f"{value.day}{WIDE}{_MONTHS[value.month - 1]}{WIDE}{value.year}"


def month(value: date | None) -> str:
    """Return a month as "Mar 2025", the same in every locale."""
    if value is None or value != value:  # noqa: PLR0124 - as in day()
        return UNDEFINED
    return f"{_MONTHS[value.month - 1]}{WIDE}{value.year}"


def moment(value: datetime | None) -> str:
    """Return a point in time as "12 Mar 2025, 14:05", on the clock `value` is in."""
    if value is None or value != value:  # noqa: PLR0124 - as in day()
        return UNDEFINED
    return f"{day(value)}, {value:%H:%M}"


def years(value: Number) -> str:
    """Return a span in years: "2.4 years", "1 year"."""
    return _span(value, "year")


def days(value: Number) -> str:
    """Return a span in days: "34 days", "1 day", "12.5 days"."""
    return _span(value, "day")


def _span(value: Number, unit: str) -> str:
    number = as_number(value)
    if number is None:
        return UNDEFINED
    text = _signed(number, _trimmed(abs(number), 1))
    return f"{text}{SPACE}{unit}" + ("" if text == "1" else "s")


Kind: TypeAlias = Literal["money", "count", "number", "percent", "days", "years"]


@dataclass(frozen=True)
class Measure:
    """What a number means: its name, its kind and its unit, so that all charts write it alike.

    `title` names it ("Revenue"); `currency` is an ISO 4217 code and is used by money alone; `unit` follows
    numbers of the kinds `count` and `number` ("orders", "points").
    """

    title: str
    kind: Kind = "count"
    currency: str | None = None
    unit: str = ""

    @property
    def axis_title(self) -> str:
        """Title of an axis: the name with the unit, "Revenue (GBP)"."""
        unit = {
            "money": self.currency or "shop currency",
            "percent": "%",
            "days": "days",
            "years": "years",
        }.get(self.kind, self.unit)
        return f"{self.title} ({unit})" if unit else self.title

    def text(self, value: Number) -> str:
        """Return `value` as people say it."""
        match self.kind:
            case "money":
                return money(value, self.currency)
            case "percent":
                return percent(value)
            case "days":
                return days(value)
            case "years":
                return years(value)
            case "count":  # in full while it fits, so that it is seen to equal the list behind it
                number = as_number(value)
                whole = number is not None and number == round(number) and abs(number) < 1_000_000
                return count(value) if whole else compact(value)
            case "number":
                return compact(value)

    def exact(self, value: Number) -> str:
        """Return `value` in full, as it is shown when one points at it."""
        number = as_number(value)
        match self.kind:
            case "money":
                return money_exact(value, self.currency)
            case "percent":
                return percent_exact(value)
            case "days" | "years":
                return (
                    UNDEFINED
                    if number is None
                    else _signed(number, f"{_trimmed(abs(number), 2)}{SPACE}{self.kind}")
                )
            case "count":
                text = count(value)
            case "number":
                text = UNDEFINED if number is None else _signed(number, _trimmed(abs(number), 4))
        return f"{text}{SPACE}{self.unit}" if self.unit and text != UNDEFINED else text

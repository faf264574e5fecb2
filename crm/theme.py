"""Colours and number formats, the same on every page, chart and export.

The colours of the app's own surfaces are in `.streamlit/config.toml`; `tests/test_theme.py` holds the two
together. Numbers are written as people say them ("1.2 M", "34 %", "12 Mar 2025"); what cannot be computed
is "–", never 0.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from types import MappingProxyType
from typing import Literal, SupportsFloat, TypeAlias

from crm.schema import UNKNOWN

Number: TypeAlias = SupportsFloat | None

UNDEFINED = "–"
"""Shown in place of a value that cannot be computed."""

WIDE = "\N{NO-BREAK SPACE}"
"""Between words that stay together, as in a date: a narrow one would run them into one."""

SPACE = "\N{NARROW NO-BREAK SPACE}"
"""Stands between a number and its unit, so that a line never ends between them."""

ACCENT = "#0D7674"

CATEGORICAL: tuple[str, ...] = (
    ACCENT,
    "#CA7904",
    "#5E7EED",
    "#CE5340",
    "#8450B7",
    "#4A925C",
    "#B83B76",
    "#2C98BF",
    "#816256",
    "#6F6F0E",
)
"""Ten colours, each at least 3:1 on the light and on the dark page, neighbours told apart by colour-blind eyes."""

SLATE = "#7A7A94"
"""The eleventh segment's colour; like the ten it is none of the others to a colour-blind eye."""

GREY = "#8F8A80"
"""Whatever is unknown, and whatever a chart compares with."""

FAINT = "rgba(143, 138, 128, 0.38)"
"""`GREY` seen through: the period before, behind the period now, on a light and on a dark page."""

TEXT = "#000037"
"""Text in figures: a placeholder that Streamlit draws in the text colour of the page, light or dark.

Its default for axes is a pale grey (3.7:1 on paper). Outside Streamlit it is what it says, a dark blue.
"""

PAPER, INK = "#FDFCFA", "#26231F"
"""Light page and its text."""

NIGHT, CHALK = "#181715", "#ECE7DF"
"""Dark page and its text."""

SEQUENTIAL: tuple[str, ...] = (
    "#E2F3F1",
    "#BFE0DE",
    "#9BCDCA",
    "#77BAB7",
    "#55A6A3",
    "#37928F",
    "#227D7A",
    "#156765",
    "#0D5250",
    "#093E3C",
)
"""Few to many on a light page."""

SEQUENTIAL_DARK: tuple[str, ...] = (
    "#142E2D",
    "#133837",
    "#114342",
    "#104E4C",
    "#0E5957",
    "#0A6562",
    "#07706D",
    "#097B79",
    "#148784",
    "#1F928F",
)
"""Few to many on a dark page: few stays near the page, and white figures stay legible on many."""

DIVERGING: tuple[str, ...] = (
    "#813524",
    "#AE4730",
    "#CF6C55",
    "#E49C8B",
    "#F1D3CC",
    "#C5E1E0",
    "#82BEBB",
    "#469C99",
    "#237A78",
    "#125B59",
)
"""Loss to gain on a light page; rust and teal differ to colour-blind eyes."""

DIVERGING_DARK: tuple[str, ...] = (
    "#F7A693",
    "#E37E67",
    "#BA5A44",
    "#874131",
    "#4A302A",
    "#213E3D",
    "#226461",
    "#368986",
    "#54B0AC",
    "#78CFCC",
)
"""Loss to gain on a dark page."""

_TEAL, _AMBER, _BLUE, _RED, _VIOLET, _GREEN, _ROSE, _CYAN, _BROWN, _OLIVE = CATEGORICAL

SEGMENT_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "Champions": _TEAL,
        "Loyal": _GREEN,
        "Potential Loyalist": _CYAN,
        "New Customers": _BLUE,
        "Promising": _VIOLET,
        "Need Attention": _OLIVE,
        "About To Sleep": _AMBER,
        "At Risk": _RED,
        "Cannot Lose Them": _ROSE,
        "Hibernating": _BROWN,
        "Lost": SLATE,
        "A": _TEAL,
        "B": _AMBER,
        "C": _VIOLET,
        "Young": _CYAN,
        "Middle-aged": _AMBER,
        "Senior": _ROSE,
        "North": _BLUE,
        "South": _RED,
        "Other": _OLIVE,
        "Promoters": _TEAL,
        "Passives": _AMBER,
        "Detractors": _ROSE,
        UNKNOWN: GREY,
    }
)
"""The colour a named segment has on every page: teal and green for those who stay, warm for those who leave."""


def segment_colour(name: object) -> str:
    """Return the colour of the segment `name`: the same for the same name, on every page and every day.

    Names that end in a number (`Cluster 3`, a lifecycle year) take the palette in order, so that the first
    ten differ; any other name is hashed into the palette.
    """
    text = str(name)
    if text in SEGMENT_COLOURS:
        return SEGMENT_COLOURS[text]
    numbered = re.search(r"(\d+)$", text)
    if numbered:
        return CATEGORICAL[(int(numbered[1]) - 1) % len(CATEGORICAL)]
    digest = blake2b(text.encode(), digest_size=4).digest()
    return CATEGORICAL[int.from_bytes(digest, "big") % len(CATEGORICAL)]


def luminance(colour: str) -> float:
    """Return the relative luminance (0 black to 1 white) of a `#RRGGBB` colour, as WCAG 2.2 defines it."""
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio (1 to 21) of two `#RRGGBB` colours, as WCAG 2.2 defines it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def text_on(colour: str) -> str:
    """Return the text colour, white or black, that reads better on `colour`: 4.5:1 or more."""
    return max(("#FFFFFF", "#000000"), key=lambda text: contrast(text, colour))


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


def percent(value: Number) -> str:
    """Return a share (0 to 1) as a percentage without false exactness: 0.342 gives "34 %".

    Shares near 0 and near 1 keep a decimal, so that "0 %" means none and "100 %" means all.
    """
    number = as_number(value)
    if number is None:
        return UNDEFINED
    size = abs(number) * 100
    if 0 < size < 0.05:
        return f"<{SPACE}0.1{SPACE}%"
    if 99.95 <= size < 100:
        return f">{SPACE}99.9{SPACE}%"
    near_edge = size < 1 or 99 < size < 100
    return _signed(number, _trimmed(size, 1 if near_edge else 0) + SPACE + "%")


def percent_exact(value: Number) -> str:
    """Return a share (0 to 1) as a percentage with two decimals: "34.21 %"."""
    number = as_number(value)
    return UNDEFINED if number is None else _signed(number, f"{abs(number) * 100:,.2f}{SPACE}%")


def change_rate(now: Number, before: Number) -> float | None:
    """Return (now − before) ÷ before, or None where it says nothing: `before` missing, 0 or negative."""
    after, base = as_number(now), as_number(before)
    return None if after is None or base is None or base <= 0 else after / base - 1


def signed_percent(rate: Number) -> str:
    """Return a change (0.12) with its sign: "+12 %", "−3.4 %", "0 %"; "–" when it is undefined."""
    number = as_number(rate)
    if number is None:
        return UNDEFINED
    size = abs(number) * 100
    text = _trimmed(size, 1 if size < 9.95 else 0)
    sign = "" if text == "0" else "+" if number > 0 else "−"
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

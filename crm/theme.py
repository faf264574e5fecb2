"""Colours, the same on every page and chart.

The colours of the app's own surfaces are in `.streamlit/config.toml`; `tests/test_theme.py` holds the two
together.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType

from crm.schema import UNKNOWN

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

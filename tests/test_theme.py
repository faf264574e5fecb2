"""Colours can be told apart, and config.toml and theme.py agree."""

import itertools
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from streamlit.elements.lib.streamlit_plotly_theme import GRAY_90

from crm import theme
from crm.analytics import rfm
from crm.analytics.segments import SCHEMES

ROOT = Path(__file__).resolve().parent.parent
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())

# Machado, Oliveira, Fernandes (2009), severity 1.0, on linear RGB.
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
NORMAL = np.eye(3)
EYES = {"normal": NORMAL, "protanopia": PROTANOPIA, "deuteranopia": DEUTERANOPIA}


def lab(colour: str, eye: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of a colour as an eye sees it."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.clip(eye @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4), 0, 1)
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = to_xyz @ linear / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: np.ndarray, other: np.ndarray) -> float:
    """CIEDE2000 colour difference (Sharma, Wu, Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    c = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(c**7 / (c**7 + 25**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    dh = (h2 - h1 + 180) % 360 - 180
    big_dh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(dh / 2))
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    hm = (h1 + h2) / 2 if abs(h1 - h2) <= 180 else ((h1 + h2 + 360) / 2) % 360
    t = (
        1
        - 0.17 * math.cos(math.radians(hm - 30))
        + 0.24 * math.cos(math.radians(2 * hm))
        + 0.32 * math.cos(math.radians(3 * hm + 6))
        - 0.20 * math.cos(math.radians(4 * hm - 63))
    )
    sl = 1 + 0.015 * (lm - 50) ** 2 / math.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rotation = (
        -2
        * math.sqrt(cm**7 / (cm**7 + 25**7))
        * math.sin(math.radians(60 * math.exp(-(((hm - 275) / 25) ** 2))))
    )
    dl, dc = (l2 - l1) / sl, (c2 - c1) / sc
    return math.sqrt(dl**2 + dc**2 + (big_dh / sh) ** 2 + rotation * dc * big_dh / sh)


def difference(one: str, other: str, eye: str) -> float:
    return ciede2000(lab(one, EYES[eye]), lab(other, EYES[eye]))


def test_ciede2000_is_that_of_the_published_test_data():
    """Pairs 1, 7 and 25 of Sharma, Wu, Dalal (2005), table 1."""
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ]
    for one, other, expected in pairs:
        assert ciede2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


ALL_COLOURS = (*theme.CATEGORICAL, theme.SLATE, theme.GREY)


@pytest.mark.parametrize("colour", ALL_COLOURS)
@pytest.mark.parametrize("page", [theme.PAPER, theme.NIGHT])
def test_every_colour_of_a_segment_stands_out_from_both_pages(colour, page):
    assert theme.contrast(colour, page) >= 3


@pytest.mark.parametrize("eye", EYES)
def test_neighbours_in_the_palette_differ_to_every_eye(eye):
    for one, other in itertools.pairwise((*theme.CATEGORICAL, theme.CATEGORICAL[0])):
        assert difference(one, other, eye) >= 9, (one, other)


@pytest.mark.parametrize("eye", EYES)
def test_any_two_colours_differ_to_every_eye(eye):
    for one, other in itertools.combinations(ALL_COLOURS, 2):
        assert difference(one, other, eye) >= 8, (one, other)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_the_segments_of_a_scheme_have_colours_of_their_own(scheme):
    colours = [theme.SEGMENT_COLOURS[name] for name in scheme.segments]
    assert len(set(colours)) == len(scheme.segments)


def test_all_eleven_rfm_segments_are_named():
    assert set(rfm.SEGMENTS) <= set(theme.SEGMENT_COLOURS)
    assert len(rfm.SEGMENTS) == 11


def test_text_on_any_segment_can_be_read():
    for colour in (*ALL_COLOURS, *theme.SEQUENTIAL):
        assert theme.contrast(theme.text_on(colour), colour) >= 4.5


@given(some.text())
def test_any_name_has_a_colour_of_the_palette(name):
    assert theme.segment_colour(name) in {*theme.SEGMENT_COLOURS.values(), *theme.CATEGORICAL}


def test_a_name_keeps_its_colour_from_day_to_day():
    """A hash that is salted anew in each process would paint a channel anew each morning."""
    assert theme.segment_colour("Newsletter") == "#6F6F0E"


def test_numbered_names_take_the_palette_in_order():
    assert [theme.segment_colour(f"Cluster {number}") for number in range(1, 11)] == list(theme.CATEGORICAL)
    assert theme.segment_colour(3) == theme.segment_colour("3")


def test_unknown_is_grey_in_every_scheme():
    assert theme.segment_colour("Unknown") == theme.GREY


@pytest.mark.parametrize(
    ("mode", "page", "text"), [("light", theme.PAPER, theme.INK), ("dark", theme.NIGHT, theme.CHALK)]
)
def test_config_and_theme_agree(mode, page, text):
    section = CONFIG["theme"][mode]
    dark = mode == "dark"
    assert section["backgroundColor"] == page
    assert section["textColor"] == text
    assert tuple(section["chartCategoricalColors"]) == theme.CATEGORICAL
    assert tuple(section["chartSequentialColors"]) == (theme.SEQUENTIAL_DARK if dark else theme.SEQUENTIAL)
    assert tuple(section["chartDivergingColors"]) == (theme.DIVERGING_DARK if dark else theme.DIVERGING)
    assert len(theme.SEQUENTIAL) == len(theme.DIVERGING) == 10  # Streamlit ignores any other number
    assert CONFIG["theme"]["light"]["primaryColor"] == theme.ACCENT


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_on_every_surface_can_be_read(mode):
    """WCAG 2.2 AA: 4.5 for text; the accent under white button labels and on the page at least 4."""
    section = CONFIG["theme"][mode]
    page, panel, sidebar = (
        section["backgroundColor"],
        section["secondaryBackgroundColor"],
        section["sidebar"]["backgroundColor"],
    )
    for surface in (page, panel, sidebar):
        assert theme.contrast(section["textColor"], surface) >= 7
        assert theme.contrast(section["linkColor"], surface) >= 4.5
        assert theme.contrast(section["grayTextColor"], surface) >= 4.5
    for name in ("green", "red", "orange", "yellow", "blue", "violet", "gray"):
        assert theme.contrast(section[f"{name}TextColor"], section[f"{name}BackgroundColor"]) >= 4.5, name
        assert theme.contrast(section[f"{name}TextColor"], page) >= 4.5, name
    assert (
        theme.contrast(section["dataframeHeaderTextColor"], section["dataframeHeaderBackgroundColor"]) >= 4.5
    )
    assert theme.contrast("#FFFFFF", section["primaryColor"]) >= 4
    assert theme.contrast(section["primaryColor"], page) >= 4


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_scales_run_one_way_in_lightness(mode):
    section = CONFIG["theme"][mode]
    steps = [theme.luminance(colour) for colour in section["chartSequentialColors"]]
    assert steps == sorted(steps, reverse=mode == "light")
    diverging = [theme.luminance(colour) for colour in section["chartDivergingColors"]]
    middle = diverging[:5] if mode == "light" else [-step for step in diverging[:5]]
    assert middle == sorted(middle)


def test_every_key_of_the_config_says_why_and_is_known_to_streamlit():
    from streamlit import config

    config.get_config_options()
    known = set(config._config_options_template)
    for section, entries in CONFIG.items():
        for key, value in entries.items():
            if not isinstance(value, dict) and key != "fontFaces":
                assert f"{section}.{key}" in known
    for mode in ("light", "dark"):
        for key in CONFIG["theme"][mode]:
            assert key == "sidebar" or f"theme.{mode}.{key}" in known, key
    lines = (ROOT / ".streamlit" / "config.toml").read_text().splitlines()
    general = lines[: next(i for i, line in enumerate(lines) if line.startswith("[[theme.fontFaces"))]
    for before, line in itertools.pairwise(general):
        if "=" in line and not line.startswith("#"):
            assert "#" in line.partition("=")[2] or before.startswith("#"), line


def test_fonts_and_pictures_are_our_own_and_small():
    for face in CONFIG["theme"]["fontFaces"]:
        path = ROOT / face["url"].removeprefix("app/")
        assert path.read_bytes()[:4] == b"wOF2"
    assert sum(path.stat().st_size for path in (ROOT / "static").rglob("*") if path.is_file()) < 600_000
    for name in (
        "logo.svg",
        "mark.svg",
        "favicon.png",
        "fonts/ibm-plex-sans-OFL.txt",
        "fonts/source-serif-4-OFL.txt",
    ):
        assert (ROOT / "static" / name).is_file()
    assert "http" not in (ROOT / "static" / "logo.svg").read_text().replace("http://www.w3.org/2000/svg", "")


def test_text_in_figures_is_what_streamlit_draws_in_the_text_colour():
    """The placeholder is Streamlit's own; a version that renames it must not pass unseen."""
    assert theme.TEXT == GRAY_90

"""Choices that stand in the link: each is read from it by a typed function and written back when it changes.

Streamlit's own binding drops what it cannot read without a word. Here nonsense in a link is answered with what was
found and what is shown instead.
"""

import math
from collections.abc import Mapping, Sequence

import streamlit as st

from crm.errors import InvalidValue, NotFound
from crm.ui import state
from crm.ui.widgets import show_error


def choose_one(
    label: str, options: Mapping[str, str], *, name: str, default: str, meaning: str | None = None
) -> str:
    """Write a choice among `options` (name to title), kept in the link as `name`, and return the chosen one."""
    asked = state.from_link(name)
    if asked is not None and asked not in options:
        _refuse(label, asked, "one of " + ", ".join(options), options[default])
        asked = None
    key = _key(name)
    state.put(key, asked or default)
    st.segmented_control(
        label,
        list(options),
        key=key,
        format_func=lambda option: options[option],
        required=True,
        wrap=True,
        help=meaning,
        on_change=_keep,
        args=(name, default),
    )
    return asked or default


def choose_number(
    label: str,
    *,
    name: str,
    default: float,
    step: float = 1.0,
    whole: bool = False,
    meaning: str | None = None,
) -> float:
    """Write a number, kept in the link as `name`, and return it; whoever computes with it says what it may be."""
    try:
        asked = number_asked(label, name=name, default=default, whole=whole)
    except InvalidValue as error:
        show_error(error)
        asked = default
    key = _key(name)
    state.put(key, int(asked) if whole else float(asked))
    st.number_input(
        label,
        key=key,
        step=int(step) if whole else float(step),
        format="%d" if whole else "%g",
        help=meaning,
        on_change=_keep,
        args=(name, default),
    )
    return asked


def number_asked(label: str, *, name: str, default: float, whole: bool = False) -> float:
    """Return the number that the link asks for as `name`, `default` where it asks for none. Raises InvalidValue."""
    text = state.from_link(name)
    asked = default if text is None else _number(text)
    if asked is None or (whole and asked != int(asked)):
        raise _refusal(label, str(text), "a whole number" if whole else "a number", f"{default:g}")
    return asked


def choose_many(
    label: str,
    options: Mapping[str, str],
    *,
    name: str,
    default: Sequence[str],
    meaning: str | None = None,
) -> list[str]:
    """Write a choice of several among `options`, kept in the link as `name`, and return them in their order."""
    text = state.from_link(name)
    asked = list(default) if text is None else [part for part in text.split(",") if part]
    unknown = [part for part in asked if part not in options]
    if unknown:
        show_error(
            NotFound(
                f"The link asks for {', '.join(unknown)}, which {label.lower()} do not have.",
                "What is known is shown; choose from the list.",
            )
        )
        asked = [part for part in asked if part in options]
    key = _key(name)
    state.put(key, asked)
    st.multiselect(
        label,
        list(options),
        key=key,
        format_func=lambda option: options[option],
        filter_mode="contains",
        select_all=False,
        help=meaning,
        on_change=_keep,
        args=(name, list(default)),
    )
    return asked


def choose_from(
    label: str, options: Mapping[str, str], *, name: str, default: str, meaning: str | None = None
) -> str:
    """Write a choice from a long list of `options`, kept in the link as `name`, and return the chosen one."""
    asked = state.from_link(name)
    if asked is not None and asked not in options:
        _refuse(label, asked, "in the list", options[default])
        asked = None
    key = _key(name)
    state.put(key, asked or default)
    st.selectbox(
        label,
        list(options),
        key=key,
        format_func=lambda option: options[option],
        help=meaning,
        on_change=_keep,
        args=(name, default),
    )
    return asked or default


def page_asked(name: str = "page") -> int:
    """Return the page that the link asks for, the first by default. Raises InvalidValue for what is no page."""
    text = state.from_link(name) or "1"
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 9 or int(text) < 1:
        raise InvalidValue(f"“{text[:40]}” is not the number of a page.", "Go back to the first page.")
    return int(text)


def _keep(name: str, default: object) -> None:
    """Write a choice into the link; the default needs no mention. A changed choice starts at the first page."""
    value = state.get(_key(name))
    text = (
        ",".join(value) if isinstance(value, list) else f"{value:.15g}" if _is_number(value) else str(value)
    )
    state.into_link(**{name: None if value == default or value is None else text, "page": None})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _key(name: str) -> str:
    return f"choice_{name}"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) < 1e15 else None


def _refuse(label: str, found: str, wanted: str, shown: str) -> None:
    show_error(_refusal(label, found, wanted, shown))


def _refusal(label: str, found: str, wanted: str, shown: str) -> InvalidValue:
    return InvalidValue(
        f"The link asks for {label.lower()} “{found[:40]}”, which is not {wanted}.",
        f"Shown instead: {shown}. Choose below to go on.",
    )

"""Measures of money in the shop's own currency."""

import streamlit as st

from crm.ui import cache
from crm.wording import Measure


def currency() -> str | None:
    """Return the one currency of all orders, or nothing where they say none or several."""
    codes = cache.currencies()
    return codes[0] or None if len(codes) == 1 else None


def money(title: str) -> Measure:
    """Return the measure of an amount of money called `title`."""
    return Measure(title, "money", currency())


def note_mixed_currencies() -> None:
    """Say that amounts of several currencies are added as they stand, where they are."""
    codes = cache.currencies()
    if len(codes) > 1:
        named = ", ".join(code or "none stated" for code in codes)
        st.warning(
            f"Currencies in the orders: {named}. Convert the amounts to one currency before importing.",
            title="Amounts of several currencies are added as they stand.",
            icon=":material/currency_exchange:",
        )

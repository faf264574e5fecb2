"""Clientele: customer segments, lifetime value and loyalty from a company's own orders."""

__version__ = "0.1.0"

"""Files as people really have them, each with its right reading: made by code, so that nothing is vendored."""

from tests.messy.matrix import CASES, SPECTRUM, Case

__all__ = ["CASES", "SPECTRUM", "Case"]

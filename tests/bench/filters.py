"""Changing a rule on the Audiences page: how many customers, and the first fifty of them by revenue."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pandas as pd

from crm import audiences
from crm.workbench import Workbench
from tests.bench import shop

SHOWN = ("customer_id", "revenue", "orders", "recency_days", "rfm_segment", "value_class", "city")

Make = Callable[[int], tuple[dict[str, Any], str]]
"""From a number that differs from run to run to a rule and the same rule in SQL."""


def _cheap(number: int) -> tuple[dict[str, Any], str]:
    return {"field": "revenue", "op": ">", "value": number}, f"revenue > {number}"


def _digits(number: int) -> tuple[dict[str, Any], str]:
    return (
        {"field": "customer_id", "op": "contains", "value": f"0{number}"},
        f"contains(customer_id, '0{number}')",
    )


def _letters(number: int) -> tuple[dict[str, Any], str]:
    return (
        {"field": "customer_id", "op": "contains", "value": f"c00{number}"},
        f"contains(lower(customer_id), 'c00{number}')",
    )


def _nested(number: int) -> tuple[dict[str, Any], str]:
    rule = {
        "any": [
            {
                "all": [
                    {"field": "rfm_segment", "op": "in", "value": ["Champions", "Loyal"]},
                    {"field": "revenue", "op": ">", "value": number},
                ]
            },
            {
                "all": [
                    {"field": "last_order_day", "op": ">=", "value": "2024-11-01"},
                    {"not": {"field": "value_class", "op": "=", "value": "C"}},
                    {"any": [
                        {"field": "orders", "op": "between", "value": [3, 8]},
                        {"field": "average_order_value", "op": ">", "value": number / 10},
                    ]},
                ]
            },
        ]
    }  # fmt: skip
    sql = f"""(rfm_segment IN ('Champions', 'Loyal') AND revenue > {number})
        OR (last_order_day >= DATE '2024-11-01' AND value_class IS DISTINCT FROM 'C'
            AND (orders BETWEEN 3 AND 8 OR average_order_value > {number / 10}))"""
    return rule, sql


def _nothing(number: int) -> tuple[dict[str, Any], str]:
    return {"field": "revenue", "op": ">", "value": 10**9 + number}, f"revenue > {10**9 + number}"


RULES: dict[str, Make] = {
    "revenue over a sum": _cheap,
    "ID contains digits": _digits,
    "ID contains a letter, in any case": _letters,
    "nested any / all / not": _nested,
    "matches nobody": _nothing,
}


@dataclass
class Question:
    """One kind of rule, asked of the workbench and of DuckDB by hand, never twice with the same number."""

    make: Make
    workbench: Workbench

    def __post_init__(self) -> None:
        self._mine, self._theirs = count(100), count(100)
        # The same kept table that the page reads, in the same DuckDB.
        engine: Any = self.workbench.engine
        self._table = next(reversed(engine._kept.values())).profiles
        self._cursor = engine._db.cursor()

    def ours(self) -> tuple[pd.DataFrame, int]:
        """Ask the way the page asks."""
        return self._ask(next(self._mine))

    def by_hand(self) -> tuple[pd.DataFrame, int]:
        """Ask with hand-written SQL."""
        return self._ask_by_hand(next(self._theirs))

    def assert_same(self) -> int:
        """Compare both answers, row by row in order, and return the count. Raises AssertionError."""
        mine, found = self._ask(99)
        theirs, expected = self._ask_by_hand(99)
        assert found == expected, f"{found} customers, by hand {expected}"
        assert mine["customer_id"].tolist() == theirs["customer_id"].tolist()
        assert [f"{value:.4f}" for value in mine["revenue"]] == [
            f"{value:.4f}" for value in theirs["revenue"]
        ]
        return found

    def _ask(self, number: int) -> tuple[pd.DataFrame, int]:
        rule = audiences.parse(self.make(number)[0])
        return self.workbench.audience_page(rule, as_of=shop.AS_OF, columns=SHOWN)

    def _ask_by_hand(self, number: int) -> tuple[pd.DataFrame, int]:
        where = self.make(number)[1]
        total = self._cursor.execute(f"SELECT count(*) FROM {self._table} WHERE {where}").fetchall()[0][0]
        rows = self._cursor.execute(
            f"SELECT {', '.join(SHOWN)} FROM {self._table} WHERE {where} "
            "ORDER BY revenue DESC NULLS LAST, customer_id LIMIT 50"
        ).df()
        return rows, total

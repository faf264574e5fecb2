"""The doorway of every analytics function: which frames it takes and how days and money stand in them."""

import functools
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Concatenate, ParamSpec

import narwhals as nw
import pyarrow as pa

from crm.errors import MissingColumns
from crm.schema import MONEY

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a day count has no zone

P = ParamSpec("P")

Frame = Any
"""A Narwhals frame, a pandas frame, a DuckDB relation or a Spark data frame."""


def day_number(day: date) -> int:
    """Return `day` as days since 1970-01-01."""
    return (day - EPOCH.date()).days


def day_of(number: int) -> date:
    """Return the calendar day of a day number."""
    return EPOCH.date() + timedelta(days=number)


def day_expr(expression: nw.Expr) -> nw.Expr:
    """Return a date column of a column of day numbers; the one form that every engine computes."""
    return (nw.lit(EPOCH) + expression * nw.lit(timedelta(days=1))).cast(nw.Date)


def divide(numerator: nw.Expr, denominator: nw.Expr) -> nw.Expr:
    """Return the quotient of two float columns.

    Not with `/`, which Narwhals translates to Spark's `try_divide`: some Spark Connect servers (Sail
    0.7) know that for whole numbers only. Both factors are rounded once, so every engine gives the
    same last digit.
    """
    return numerator * denominator**-1


def ten_thousandths(money: nw.Expr) -> nw.Expr:
    """Return a money column as whole numbers of 1/10,000, money's last digit, exact up to 250 billion.

    They add up and compare without rounding, and pandas can add them up in a window, which it cannot do
    with decimals. Rounded, because Arrow makes 1.0050000000000001 of the decimal 1.005.
    """
    return (money.cast(nw.Float64) * 10_000 + 0.5).floor()


def table_function(
    function: Callable[Concatenate[nw.LazyFrame[Any], P], nw.LazyFrame[Any]],
) -> Callable[Concatenate[Frame, P], Frame]:
    """Make a function from LazyFrame to LazyFrame take any frame and answer in kind.

    A Narwhals LazyFrame gives a Narwhals LazyFrame, still unexecuted; a pandas frame gives a pandas
    frame; a DuckDB relation or Spark frame gives its own kind.
    """

    @functools.wraps(function)
    def wrapper(frame: Frame, /, *args: P.args, **kwargs: P.kwargs) -> Frame:
        if isinstance(frame, nw.LazyFrame):
            return function(frame, *args, **kwargs)
        eager = nw.from_native(frame)
        if isinstance(eager, nw.LazyFrame):
            return function(eager, *args, **kwargs).to_native()
        return function(_exact(eager).lazy(), *args, **kwargs).collect().to_native()

    return wrapper


def require(frame: nw.LazyFrame[Any], *names: str) -> None:
    """Raise MissingColumns when `frame` lacks one of `names`, saying what it has."""
    have = frame.collect_schema().names()
    missing = [name for name in names if name not in have]
    if missing:
        raise MissingColumns(
            f"The table has no column {', '.join(missing)}. Found: {', '.join(have)}.",
            "Rename the columns to these names first.",
        )


def _exact(frame: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
    """Give an eager frame the lake's types: a `day` beside `ordered_at`, money as exact decimals.

    Floats would make a total depend on the order of its rows, and 0.1 + 0.2 − 0.3 a purchase. Arrow's
    types also let whole numbers be empty, which NumPy's cannot.
    """
    table = frame.to_arrow()
    names = table.column_names
    if "day" not in names and "ordered_at" in names:
        days = table["ordered_at"].cast(pa.timestamp("us")).cast(pa.date32(), safe=False).cast(pa.int32())
        table = table.append_column("day", days)
    if "amount" in names and pa.types.is_floating(table["amount"].type):
        known = (
            None if value is None or math.isnan(value) else value for value in table["amount"].to_pylist()
        )
        texts = pa.array([None if value is None else f"{value:.4f}" for value in known], pa.string())
        table = table.set_column(names.index("amount"), "amount", texts.cast(MONEY))
    if not frame.implementation.is_pandas():
        return nw.from_native(table, eager_only=True)
    import pandas as pd

    return nw.from_native(table.to_pandas(types_mapper=pd.ArrowDtype), eager_only=True)

"""Tables of text in the making: cells as text, and the Arrow stream they are written to. Used in the sandbox."""

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from crm.errors import UnreadableFile

MAX_WRITTEN = 4 << 30
"""Bytes of the table that is made of one file."""


def cell_text(cell: Any) -> str:
    """Return a cell as text: as typed, not as shown. Dates as 2025-03-04, with a time if they have one."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, int | float):
        return number_text(cell)
    if isinstance(cell, dt.datetime):
        return cell.isoformat(sep=" ", timespec="milliseconds" if cell.microsecond else "seconds")
    if isinstance(cell, dt.timedelta):
        seconds = round(cell.total_seconds(), 3)
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        whole = int(seconds)
        part = f"{seconds - whole:.3f}"[1:] if seconds != whole else ""
        return f"{sign}{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}{part}"
    if isinstance(cell, dt.time):
        return cell.isoformat(timespec="milliseconds" if cell.microsecond else "seconds")
    return str(cell.isoformat())


def number_text(number: float) -> str:
    """Return the shortest text that gives the number again; whole numbers without a point, none with an E.

    Beyond a thousand million million million, or that much below one, the E stays.
    """
    return plain_number(repr(number))


def plain_number(text: str) -> str:
    """Return a number's shortest text without an exponent, within the same bounds, and without a bare `.0`."""
    text = text.removesuffix(".0")
    if "e" in text.lower() and (number := Decimal(text)).is_finite() and -16 < number.adjusted() < 21:
        text = format(number, "f")
    return "0" if text == "-0" else text


def number_texts(numbers: pa.Array) -> pa.Array:
    """Return a column of floating or decimal numbers as text, each as `number_text` would write it."""
    if pa.types.is_float16(numbers.type):
        numbers = numbers.cast(pa.float32())
    if pa.types.is_floating(numbers.type):
        # Whole numbers the fast way, as long as the type tells each of them from its neighbours.
        exact = 2**24 if pa.types.is_float32(numbers.type) else 10**15
        largest = pc.max(pc.abs(numbers)).as_py()
        if largest is not None and largest < exact:
            with contextlib.suppress(pa.ArrowInvalid):  # raised when one of them is not whole
                return numbers.cast(pa.int64()).cast(pa.string())
    texts = numbers.cast(pa.string())
    # Arrow writes 1.2e+11 where 120000000000 is what anybody types.
    odd = pc.or_(pc.match_substring(texts, "e", ignore_case=True), pc.equal(texts, "-0")).fill_null(False)
    if pc.any(odd).as_py():
        texts = pc.replace_with_mask(texts, odd, texts_of(texts.filter(odd), plain_number))
    return texts


def texts_of(cells: pa.Array, text: Callable[[Any], str]) -> pa.Array:
    """Return what `text` makes of each cell that has a value."""
    return pa.array([None if cell is None else text(cell) for cell in cells.to_pylist()], pa.string())


class TableWriter:
    """Writes batches of text columns as an Arrow stream, with `_row` counted on from 1 and `_line` as given."""

    def __init__(self, target: Path, columns: Sequence[str]) -> None:
        self._schema = pa.schema(
            [(name, pa.string()) for name in columns] + [("_row", pa.int64()), ("_line", pa.int64())]
        )
        self._sink = pa.OSFile(str(target), "wb")
        # Packed, for a file can hold one long text a million times; whoever opens the stream need not know.
        packed = pa.ipc.IpcWriteOptions(compression="lz4")
        self._stream = pa.ipc.new_stream(self._sink, self._schema, options=packed)
        self._written = 0
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._sink.close()

    def write(self, columns: Sequence[pa.Array], lines: pa.Array) -> None:
        """Write some rows. Raises UnreadableFile once there is more than MAX_WRITTEN."""
        numbers = pa.array(range(self.rows + 1, self.rows + len(lines) + 1), pa.int64())
        batch = pa.RecordBatch.from_arrays([*columns, numbers, lines], schema=self._schema)
        self._written += batch.nbytes
        if self._written > MAX_WRITTEN:
            raise UnreadableFile(
                f"The table holds more than {MAX_WRITTEN >> 20:,} MB of text, the most that is read.",
                "Divide it into several files.",
            )
        self._stream.write_batch(batch)
        self.rows += len(lines)

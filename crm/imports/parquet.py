"""Turns a Parquet file into a table of text, batch by batch. Runs in the sandbox only.

What a Parquet file says of its size is no measure: 21 MB were seen to hold 200 million rows of a kilobyte
each. So the rows and columns are bounded before anything is decoded, and the bytes while it is.
"""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crm.errors import UnreadableFile
from crm.imports.headings import unique_names
from crm.imports.text_tables import TableWriter, cell_text, number_texts, texts_of

MAX_FOOTER = 16 << 20
MAX_ROWS = 20_000_000
MAX_COLUMNS = 1_000
MAX_CELLS = 500_000_000

_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
_BATCH_CELLS = 1_000_000

_WRITE_AGAIN = "Write the file again, or export the table as CSV with UTF-8 encoding and import that."

_Texts = Callable[[pa.Array], pa.Array]


def convert(path: str, target: str) -> dict[str, Any]:
    """Write a Parquet file as an Arrow stream to `target`; return `sentences` and `rows`, their number.

    From typed columns to text: decimals exact, floating numbers as the shortest text that gives them
    again, dates and times as ISO text, lists and structures as JSON, no value as the empty text. Columns
    of bytes that are no text are left out, with a sentence. `_row` and `_line` count the rows from 1.
    Raises UnreadableFile when the file is damaged or beyond the limits.
    """
    check_footer(Path(path))
    try:
        return _convert(path, Path(target))
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        raise UnreadableFile("The Parquet file is damaged: it cannot be decoded.", _WRITE_AGAIN) from error


def check_footer(path: Path) -> None:
    """Refuse a file whose two ends are not those of a Parquet file, or whose footer is larger than any real one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, size - 8))
        end = file.read(8)
    if _ENCRYPTED in (head, end[4:]):
        raise UnreadableFile(
            "The Parquet file is encrypted.", "Write it without encryption, and import that."
        )
    if size < 12 or head != _MAGIC or end[4:] != _MAGIC:
        raise UnreadableFile("The Parquet file is damaged: its end is missing.", _WRITE_AGAIN)
    (footer,) = struct.unpack("<I", end[:4])
    if footer > size - 12:
        raise UnreadableFile("The Parquet file is damaged: its footer points outside the file.", _WRITE_AGAIN)
    if footer > MAX_FOOTER:
        raise UnreadableFile(
            f"The description at the end of the Parquet file is larger than {MAX_FOOTER >> 20} MB.",
            _WRITE_AGAIN,
        )


def _convert(path: str, target: Path) -> dict[str, Any]:
    with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        about = file.metadata
        rows, width = about.num_rows, about.num_columns
        counted = sum(about.row_group(number).num_rows for number in range(about.num_row_groups))
        if rows != counted or rows < 0:
            raise UnreadableFile(
                f"The Parquet file is damaged: it says it has {rows:,} rows, and its parts have {counted:,}.",
                _WRITE_AGAIN,
            )
        for amount, limit, of_what in ((rows, MAX_ROWS, "rows"), (width, MAX_COLUMNS, "columns"),
                                       (rows * width, MAX_CELLS, "cells")):  # fmt: skip
            if amount > limit:
                raise UnreadableFile(
                    f"The Parquet file has {amount:,} {of_what}; up to {limit:,} are read.",
                    "Divide it into several files, or leave out the columns that are not needed.",
                )
        if not rows:
            raise UnreadableFile("The Parquet file has no rows.", "Check that the export finished.")
        schema = file.schema_arrow
        batch_rows = max(1024, min(65_536, _BATCH_CELLS // max(1, width)))
        texts, sentences = _texts_of(file, schema, batch_rows)
        if not texts:
            raise UnreadableFile("The Parquet file has no column that can be read as text.", _WRITE_AGAIN)
        names = unique_names([" ".join(schema.field(at).name.split()) for at in texts])
        with TableWriter(target, names) as writer:
            for batch in _batches(file, batch_rows, None):
                columns = [_no_nulls(text(batch.column(at))) for at, text in texts.items()]
                first = writer.rows + 1
                writer.write(columns, pa.array(range(first, first + batch.num_rows), pa.int64()))
    if writer.rows != rows:
        raise UnreadableFile(
            f"The Parquet file has {rows:,} rows, but {writer.rows:,} were read: the import was stopped because rows "
            "would have been lost.",
            _WRITE_AGAIN,
        )
    return {"sentences": sentences, "rows": rows}


def _batches(file: pq.ParquetFile, rows: int, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    yield from file.iter_batches(batch_size=rows, columns=columns, use_threads=False)


def _no_nulls(texts: pa.Array) -> pa.Array:
    return texts.fill_null("") if texts.null_count else texts


def _texts_of(
    file: pq.ParquetFile, schema: pa.Schema, batch_rows: int
) -> tuple[dict[int, _Texts], list[str]]:
    """Return for each column that can be read how it becomes text, and in sentences what was assumed."""
    texts: dict[int, _Texts] = {}
    left_out, nested, sentences = [], [], []
    for at, field in enumerate(schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if _is_bytes(kind):
            if not _holds_text(file, at, field.name, batch_rows):
                left_out.append(field.name)
                continue
        elif pa.types.is_nested(kind):
            nested.append(field.name)
        text = _text_of(kind)
        if text is None:
            left_out.append(field.name)
            continue
        texts[at] = text if kind is field.type else _decoded(text)
        if pa.types.is_timestamp(kind) and kind.tz:
            zone = kind.tz if _is_known_zone(kind) else "UTC"
            sentences.append(f"The times of “{field.name}” are those of the zone {zone}.")
    if nested:
        sentences.append(f"Lists and structures were read as JSON text: {_listed(nested)}.")
    if left_out:
        sentences.append(f"Left out, for they hold bytes and no text: {_listed(left_out)}.")
    return texts, sentences


def _listed(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)


def _decoded(text: _Texts) -> _Texts:
    return lambda column: text(column.dictionary_decode())


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _holds_text(file: pq.ParquetFile, at: int, name: str, batch_rows: int) -> bool:
    """Return whether a column of bytes is UTF-8 throughout: older writers do not mark their texts as such."""
    for batch in _batches(file, batch_rows, [name]):
        if batch.num_columns != 1:
            return False  # two columns of one name
        column = batch.column(0)
        column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        try:
            column.cast(pa.large_binary()).cast(pa.large_string())
        except pa.ArrowInvalid:
            return False
    return at >= 0


def _text_of(kind: pa.DataType) -> _Texts | None:
    """Return what makes text of a column of this type, or None when nothing does."""
    types = pa.types
    if types.is_null(kind):
        return lambda column: pa.nulls(len(column), pa.string())
    if _is_bytes(kind):
        return lambda column: column.cast(pa.binary()).cast(pa.string())
    if types.is_boolean(kind):
        return lambda column: pc.if_else(column, "TRUE", "FALSE")
    if types.is_floating(kind) or types.is_decimal(kind):
        return number_texts
    if types.is_timestamp(kind):
        return _timestamps
    if types.is_time(kind):
        return lambda column: _without_zeros(column.cast(pa.string()))
    if types.is_duration(kind):
        return lambda column: texts_of(column.cast(pa.duration("us"), safe=False), cell_text)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return lambda column: column.cast(pa.string())
    if types.is_integer(kind) or types.is_date(kind):
        return lambda column: column.cast(pa.string())
    if types.is_nested(kind) and not types.is_union(kind):
        return lambda column: texts_of(column, _json)
    return None


def _timestamps(column: pa.Array) -> pa.Array:
    if column.type.tz:
        known = _is_known_zone(column.type)
        column = pc.local_timestamp(column) if known else column.cast(pa.timestamp(column.type.unit, "UTC"))
        column = column if known else column.cast(pa.timestamp(column.type.unit))
    return _without_zeros(column.cast(pa.string()))


def _is_known_zone(kind: pa.DataType) -> bool:
    try:
        pc.local_timestamp(pa.array([0], kind))
    except pa.ArrowInvalid:
        return False
    return True


def _without_zeros(texts: pa.Array) -> pa.Array:
    short = pc.replace_substring_regex(texts, r"(\.\d*?)0+$", r"\1")
    return pc.replace_substring_regex(short, r"\.$", "")


def _json(cell: Any) -> str:
    return json.dumps(cell, ensure_ascii=False, default=str)

"""Checks every row of a file that was read, and types those that can be accepted.

Nothing is stored here. From raw text cells to two tables in the same DuckDB connection: accepted rows, typed
as `crm.schema` says, and rejected rows, each with its line, column, value, reason and advice. Every row read
is in exactly one of accepted, rejected and skipped.
"""

import csv
import re
import shutil
from collections import Counter
from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from crm import wording
from crm.errors import ClienteleError, UnreadableFile
from crm.imports import addresses, values
from crm.imports.derived import SEVERAL, Key, Rows, rows_to_check
from crm.imports.mapping import REJECT_COLUMNS, Mapping, normalise, validate
from crm.imports.reading import RawTable, Straight, drop, identifier, literal, one_row
from crm.imports.values import BLANKS, NO, NOT_GIVEN, YES, Question, words
from crm.schema import KINDS, ORDERS, RESPONSES, Kind, Type, column_of

__all__ = [
    "SQL_TYPES",
    "Checked",
    "Question",
    "check",
    "check_straight",
    "read_rejects",
    "rejected_rows",
    "write_rejects",
]

MAX_ID = 255
FIRST_YEAR, LAST_YEAR = 1900, 2100
_MONEY = "DECIMAL(18,4)"
# Wide enough that a product of two is still a decimal of 38 digits, and so exact.
_FACTOR = "DECIMAL(19,8)"

# A rejected cell may be longer than the 131,072 characters that Python's reader stops at unless told.
csv.field_size_limit(2**31 - 1)

_FIRST_ROWS = 20_000
"""Rows over which it is decided how dates and numbers are written, before it is held against every row."""

GROUPS_PER_FILE = 8
"""Row groups of 122,880 rows in one file of the lake: a change to an order rewrites about a million rows."""

SQL_TYPES = {
    "string": "VARCHAR",
    "int32": "INTEGER",
    "timestamp[us]": "TIMESTAMP",
    "decimal128(18, 4)": "DECIMAL(18, 4)",
    "bool": "BOOLEAN",
}
"""DuckDB's name of each type that the lake has."""

_IDS = pa.schema([("order_id", pa.string()), ("customer_id", pa.string())])

_PRODUCT = "The amount of a line is quantity × unit price, exactly, rounded half up to 4 places."

ASKED = ("date_order", "decimal", "recommendation", "date_numbers")
"""Options that a file leaves open or answers, the same for its rejected rows."""

_ID_FIELDS = ("customer_id", "order_id", "response_id")


@dataclass(frozen=True)
class Checked:
    """The outcome of a check: tables in the connection, counts that add up, and what to tell the user.

    `accepted_table` has the columns of `crm.schema` for the kind (without the import's id; every contact
    column); those of contacts and responses also `_row`. `staged` are Parquet files that hold the same
    rows as the lake does, with the import's id `import_id`, where the check has written them already. `attributes`
    are names and types of custom attributes by header. `found_at` is the number of the last change of
    contacts when customers were found by a key. `decided` are options that the file answered itself, such as the order of day and month. `rejected_table` has `_row`, `_line`, `column` (the source column, empty
    where the whole row is meant), `value`, `reason`, `advice`, `derived_id` (the id the row would have had). `skipped_table`, for responses,
    has the rows replaced by a later row of the same file: `_row`, `_line`, `id`. `responses_table` has the
    answers found in an orders file. `assumed` and `warnings` are sentences. `rows_read` = `accepted` +
    `rejected` + `skipped`.
    """

    kind: Kind
    mapping: Mapping
    accepted_table: str
    rejected_table: str
    skipped_table: str | None
    responses_table: str | None
    rows_read: int
    accepted: int
    rejected: int
    skipped: int
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]
    import_id: str = ""
    staged: tuple[Path, ...] = ()
    attributes: dict[str, tuple[str, Type]] = field(default_factory=dict)
    decided: dict[str, str] = field(default_factory=dict)
    found_at: int | None = None


@dataclass(frozen=True)
class _Problem:
    """A reason to reject a row: SQL that is true where it holds, and the source column it is about."""

    condition: str
    column: str
    reason: str
    advice: str


def check(
    connection: duckdb.DuckDBPyConnection,
    raw: RawTable,
    mapping: Mapping,
    options: Pairs[str, str] | None = None,
    *,
    today: date | None = None,
    known: pa.Table | None = None,
    attributes: Pairs[str, str] | None = None,
    unguard: bool = False,
) -> Checked:
    """Check all rows of a file and return the tables of accepted and rejected rows and their counts.

    `options` answers questions, see `values.OPTIONS`, and says how contacts are found: `key` (customer_id,
    email, phone) among the contacts `known`, see `derived.rows_to_check`; `country` of phone numbers without
    a calling code. `attributes` are the names under which custom attributes are stored, by header. `unguard`
    is for an export of ours, see `derived.rows_to_check`. Raises Question when the file leaves such a thing open, MissingColumns when the mapping lacks a required field, UnreadableFile when no cell of the order or response date is a date.
    """
    answers = values.checked_options(options)
    key: Key = answers.get("key", "customer_id")  # type: ignore[assignment]
    by_key = {} if key == "customer_id" else {"customer_id": mapping.columns.get(key, "")}
    validate(
        replace(mapping, columns={**by_key, **mapping.columns}) if by_key.get("customer_id") else mapping,
        raw.columns,
    )
    rows = rows_to_check(
        connection, raw, mapping, key=key, country=answers.get("country"), known=known, unguard=unguard
    )
    return _Check(
        connection,
        raw,
        mapping,
        answers,
        today or datetime.now().astimezone().date(),
        rows=rows,
        attributes=attributes,
    ).run()


def check_straight(
    connection: duckdb.DuckDBPyConnection,
    raw: RawTable,
    mapping: Mapping,
    options: Pairs[str, str] | None = None,
    *,
    folder: Path,
    import_id: str,
    today: date | None = None,
    unguard: bool = False,
) -> Checked | None:
    """Check and type a file of orders in one reading of it, or return nothing when it needs `check`.

    How dates and numbers are written is decided over the first rows and has to hold for every row: a file in
    which a single cell is anything else, or a row has any fault, is left to `check`, whose answer for a file
    accepted here would be the same. The typed rows are in Parquet files in `folder`. Raises MissingColumns.
    """
    if mapping.kind == "orders":
        validate(mapping, raw.columns)
    if mapping.joined or mapping.constants:
        return None
    if raw.straight is None or mapping.kind != "orders" or "order_id" not in mapping.columns:
        return None
    if {"feedback", "recommendation"} & mapping.columns.keys():
        return None
    return _Check(
        connection, raw, mapping, values.checked_options(options), today or datetime.now().astimezone().date()
    ).run_straight(raw.straight, folder, import_id, unguard=unguard)


class _Check:
    """One check under way: its sentences, its problems and the SQL of its fields."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        raw: RawTable,
        mapping: Mapping,
        options: dict[str, str],
        today: date,
        *,
        rows: Rows | None = None,
        attributes: Pairs[str, str] | None = None,
    ) -> None:
        self._connection, self._mapping, self._options = connection, mapping, options
        self._today = today
        self._kind: Kind = mapping.kind
        rows = rows or Rows(raw, mapping)
        self._given, self._raw, self._columns = raw, rows.raw, rows.mapping.columns
        self._key_source = rows.key_source
        self._attributes = dict(attributes or {})
        self._assumed: list[str] = [*raw.sentences]
        self._said = rows.assumed
        self._warnings: list[str] = []
        self._problems: list[_Problem] = []
        self._decided: dict[str, str] = {}
        self._cells = f"{raw.table}_cells"
        self._accepted, self._rejected = f"{raw.table}_accepted", f"{raw.table}_rejected"
        self._skipped, self._responses = f"{raw.table}_skipped", f"{raw.table}_responses"

    def run(self) -> Checked:
        self._forget()
        sources = [*self._columns.values(), *self._mapping.attributes.values()]
        self._text = values.Cells(self._connection, self._raw.table, sources)
        self._say_columns()
        self._type_cells()
        skipped = responses = False
        try:
            if self._kind == "orders":
                self._one_customer_each()
                self._accept_orders()
                responses = self._accept_answers()
            else:
                skipped = self._kind == "responses"
                (self._accept_answers_last if skipped else self._accept_contacts)()
            self._reject()
            self._warn()
        finally:
            self._connection.execute(f"DROP TABLE IF EXISTS {identifier(self._cells)}")
        return self._outcome(skipped=skipped, responses=responses)

    def _forget(self) -> None:
        drop(self._connection, self._cells, self._accepted, self._rejected, self._skipped, self._responses)

    # --- flawless orders, in one reading --------------------------------------------------------------

    def run_straight(
        self, straight: Straight, folder: Path, import_id: str, *, unguard: bool
    ) -> Checked | None:
        """Do what `run` does, or give up and return nothing; see `check_straight`."""
        self._forget()
        self._say_columns()
        first = f"{self._raw.table}_first"
        drop(self._connection, first)
        self._connection.execute(
            f"CREATE TABLE {identifier(first)} AS SELECT {', '.join(map(identifier, self._raw.columns))} "
            f"FROM {identifier(self._raw.table)} LIMIT {_FIRST_ROWS}"
        )
        try:
            self._text = values.Cells(self._connection, first, list(self._columns.values()))
            query = self._straight_query(import_id, unguard=unguard)
            if query is None:
                return None
        except (Question, UnreadableFile):
            return None
        finally:
            drop(self._connection, first)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._connection.execute(f"DELETE FROM {identifier(straight.errors)}")
        try:
            self._connection.execute(
                f"COPY ({query}) TO {literal(str(folder))} (FORMAT parquet, ROW_GROUPS_PER_FILE {GROUPS_PER_FILE})"
            )
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            shutil.rmtree(folder, ignore_errors=True)
            return None  # the first faulty row ended it
        files = sorted(folder.iterdir())
        if not self._all_there(files, straight) or not self._typed_orders(files):
            shutil.rmtree(folder, ignore_errors=True)
            return None
        return replace(
            self._outcome(skipped=False, responses=False), import_id=import_id, staged=tuple(files)
        )

    def _straight_query(self, import_id: str, *, unguard: bool) -> str | None:
        """Return SQL that types every row, or fails at the first row that has anything the matter.

        None where the first rows do not tell how the others are to be read.
        """
        columns = self._columns
        names = [column.name for column in KINDS["orders"] if column.name in columns]
        dates = self._read_dates(["ordered_at"], whole=False)
        if not dates.proven:
            return None
        numeric = [name for name in names if column_of("orders", name).type in {"money", "number"}]
        numbers = values.numbers(
            self._text, [columns[name] for name in numeric], decimal=self._options.get("decimal")
        )
        self._assumed += numbers.sentences
        if numbers.proven:
            self._decided["decimal"] = numbers.mark
        fraction = rf"(?:[{numbers.mark}]\d{{1,4}})?" if numbers.proven else ""
        plain = literal(rf"[-+]?\d{{1,18}}{fraction}")
        faults, fields = [], {}
        moment = "moment"
        while moment.casefold() in {name.casefold() for name in self._raw.columns}:
            moment += "_"
        moment = identifier(moment)
        for name in ("order_id", "customer_id"):
            cell = identifier(columns[name])
            faults.append(f"NOT {_is_plain(cell)} OR length({cell}) > {MAX_ID}")
            if unguard:
                faults.append(_begins_guarded(cell))
            fields[name] = cell
        fields["ordered_at"] = moment
        fields["day"] = _days(moment).removesuffix(' AS "day"')
        faults.append(
            f"{moment} IS NULL OR {moment} NOT BETWEEN TIMESTAMP '{FIRST_YEAR}-01-01' "
            f"AND TIMESTAMP '{LAST_YEAR}-12-31 23:59:59.999999'"
        )
        required = {"amount"} if "amount" in columns else {"quantity", "unit_price"}
        for name in numeric:
            cell = self._text.trimmed(columns[name])
            faults.append(
                f"NOT regexp_full_match({cell}, {plain})" + ("" if name in required else f" AND {cell} <> ''")
            )
            text = cell if numbers.mark == "." else f"replace({cell}, ',', '.')"
            fields[name] = (
                f"TRY_CAST({text} AS {_MONEY})"
                if name in required
                else f"TRY_CAST(NULLIF({text}, '') AS {_MONEY})"
            )
            if name in required:
                faults.append(f"{fields[name]} IS NULL")
        if "amount" not in columns:
            factors = [fields[name].replace(_MONEY, _FACTOR) for name in ("quantity", "unit_price")]
            fields["amount"] = f"TRY_CAST({factors[0]} * {factors[1]} AS {_MONEY})"
            faults.append(f"{fields['amount']} IS NULL")
            self._assumed.append(_PRODUCT)
        for name in ("product", "category", "channel", "currency"):
            if name in columns:
                cell = identifier(columns[name])
                if unguard:
                    faults.append(_begins_guarded(cell))
                # A text that may be nothing but blanks is left to the other way; most do not even begin with one.
                blank = f"{cell} <> '' AND trim({cell}, {BLANKS}) = ''"
                faults.append(f"NOT {_is_plain(cell)} AND {blank}")
                fields[name] = f"nullif({cell}, '')"
        fields["import_id"] = literal(import_id)
        # On a number, which is copied for nothing; texts would be copied a second time.
        fields["day"] = (
            f"CASE WHEN {' OR '.join(f'({fault})' for fault in faults)} THEN error('fault') ELSE {fields['day']} END"
        )
        typed = ", ".join(
            f"CAST({fields.get(field.name, 'NULL')} AS {SQL_TYPES[str(field.type)]}) AS {identifier(field.name)}"
            for field in ORDERS
        )
        return f"SELECT {typed} FROM (SELECT *, {dates.sql[columns['ordered_at']]} AS {moment} FROM {identifier(self._raw.table)})"

    def _all_there(self, files: list[Path], straight: Straight) -> bool:
        """Return whether every row of the file stands in the files written, and some as we split them ourselves."""
        errors = one_row(self._connection, f"SELECT count(*) FROM {identifier(straight.errors)}")[0]
        counts = [pq.ParquetFile(file).metadata.num_rows for file in files]
        if errors or sum(counts) != self._raw.row_count:
            return False
        # DuckDB writes the row groups in any order, so a witness is looked for by what it says.
        ids = ("order_id", "customer_id")
        places = [self._raw.columns.index(self._columns[name]) for name in ids]
        said = [
            [cells[place] if place < len(cells) else "" for place in places]
            for cells in straight.witnesses.values()
        ]
        witnesses = pa.table({name: [row[at] for row in said] for at, name in enumerate(ids)}, schema=_IDS)
        self._connection.register("_witnesses", witnesses)
        try:
            (missing,) = one_row(
                self._connection,
                "SELECT count(*) FROM _witnesses w ANTI JOIN (SELECT order_id, customer_id FROM "
                f"read_parquet({_listed(files)}) WHERE order_id IN (SELECT order_id FROM _witnesses)) "
                "USING (order_id, customer_id)",
            )
        finally:
            self._connection.unregister("_witnesses")
        return not missing

    def _typed_orders(self, files: list[Path]) -> bool:
        """Make the tables of the outcome from typed rows; return False where an order has two customers."""
        cells = identifier(self._cells)
        names = ", ".join(identifier(name) for name in ORDERS.names if name != "import_id")
        rows = f"read_parquet({_listed(files)})"
        self._connection.execute(f"CREATE VIEW {cells} AS SELECT {names}, 0 AS problem FROM {rows}")
        self._connection.execute(f"CREATE VIEW {identifier(self._accepted)} AS SELECT {names} FROM {rows}")
        self._connection.execute(
            f'CREATE TABLE {identifier(self._rejected)} (_row BIGINT, _line BIGINT, "column" VARCHAR, value VARCHAR, '
            "reason VARCHAR, advice VARCHAR, derived_id VARCHAR)"
        )
        # Rows of an order that are all different set as many bits as there are rows, in one of two words: only
        # orders that do not are looked at again.
        marked = (
            f"SELECT order_id, count(*) AS n, min(owner) AS one, max(owner) AS other, "
            "bit_or(1::UBIGINT << (mark & 63)::UBIGINT) AS low, bit_or(1::UBIGINT << ((mark >> 6) & 63)::UBIGINT) AS high "
            "FROM (SELECT order_id, hash(customer_id) AS owner, hash(ordered_at, amount, product) AS mark "
            f"FROM {cells}) GROUP BY order_id"
        )
        torn, doubtful = one_row(
            self._connection,
            "SELECT coalesce(bool_or(one <> other), false), "
            f"list(order_id) FILTER (bit_count(low) < n AND bit_count(high) < n) FROM ({marked})",
        )
        if torn:
            return False
        twice = 0
        if doubtful:
            self._connection.register(
                "_doubtful_orders", pa.table({"order_id": pa.array(doubtful, pa.string())})
            )
            try:
                (twice,) = one_row(
                    self._connection,
                    f"SELECT count(*) - count(DISTINCT hash({names})) FROM {cells} "
                    "WHERE order_id IN (SELECT order_id FROM _doubtful_orders)",
                )
            finally:
                self._connection.unregister("_doubtful_orders")
        if twice:  # alike when typed; alike cell for cell is for the file to say
            twice = self._repeated_rows()
        padded = self._warn_of_rows("ordered_at", twice)
        self._warn_of_padding(padded)
        self._warn_of_currencies()
        drop(self._connection, self._cells)
        return True

    # --- what is said -------------------------------------------------------------------------------

    def _say_columns(self) -> None:
        raw, columns = self._given, self._columns
        if raw.blank_lines:
            self._assumed.append(f"{wording.counted(raw.blank_lines, 'blank line')} left out.")
        mapping = self._mapping
        pairs = [
            f"{column_of(self._kind, name).title} from “{source}”" for name, source in mapping.columns.items()
        ]
        pairs += [
            f"{column_of(self._kind, name).title} from {' and '.join(f'“{source}”' for source in sources)} joined"
            for name, sources in mapping.joined.items()
        ]
        pairs += [
            f"{column_of(self._kind, name).title} “{text}” for every row"
            for name, text in mapping.constants.items()
        ]
        kept = [f"“{source}”" for source in mapping.attributes.values()]
        used = {*mapping.columns.values(), *mapping.attributes.values()}
        used |= {source for sources in mapping.joined.values() for source in sources}
        unused = [name for name in raw.columns if name not in used]
        self._assumed.append(
            ", ".join(pairs)
            + (f"; kept as attributes: {', '.join(kept)}" if kept else "")
            + (f"; not used: {', '.join(f'“{name}”' for name in unused)}" if unused else "")
            + "."
        )
        self._assumed += self._said
        for name, source in columns.items():
            if column_of(self._kind, name).type == "money" and _says_multiple(source):
                self._warnings.append(
                    f"The header “{source}” seems to count in thousands or ten thousands; its numbers were taken "
                    "as they stand."
                )

    # --- from text to typed cells -------------------------------------------------------------------

    def _type_cells(self) -> None:
        """Make the table of cells: one row per row read, its fields typed, `problem` the first that it has."""
        names = [column.name for column in KINDS[self._kind] if column.name in self._columns]
        types = {name: column_of(self._kind, name).type for name in names}
        dates = self._read_dates([name for name in names if types[name] in {"date", "timestamp"}])
        numeric = [name for name in names if types[name] in {"money", "number", "integer"}]
        numbers = values.numbers(
            self._text,
            [self._columns[name] for name in numeric],
            decimal=self._options.get("decimal"),
        )
        self._assumed += numbers.sentences
        if numbers.proven:
            self._decided["decimal"] = numbers.mark
        required = {column.name for column in KINDS[self._kind] if column.required}
        if self._kind == "orders":
            required |= {"amount"} if "amount" in names else {"quantity", "unit_price"}
            required.add("order_id")
        required.add("response_id")

        inner = ["_row", "_line"]
        outer = ["_row", "_line"]
        last: list[_Problem] = []
        optional: list[str] = []
        for name in [*(n for n in _ID_FIELDS if n in names), *(n for n in names if n not in _ID_FIELDS)]:
            source = self._columns[name]
            title = column_of(self._kind, name).title
            blank = f"{self._text.trimmed(source)} = ''"
            if (types[name] != "text" or name == "recommendation") and name not in required:
                optional.append(name)
                blank = f"({blank} OR lower({self._text.trimmed(source)}) IN {words(NOT_GIVEN)})"
            inner.append(f"{blank} AS {name}_blank")
            if name in required:
                self._problems += self._blank_problems(name, source, title)
            if name in _ID_FIELDS:
                inner.append(f"{identifier(source)} AS {name}")
                outer.append(f"CASE WHEN {name}_blank THEN NULL ELSE {name} END AS {name}")
                self._problems.append(
                    _Problem(
                        f"length({name}) > {MAX_ID}", source,
                        f"The {_lower(title)} is longer than {MAX_ID} characters.",
                        "Check that the right column was chosen, or shorten it.",
                    )
                )  # fmt: skip
            elif types[name] in {"date", "timestamp"}:
                inner.append(f"{dates.sql[source]} AS {name}")
                kind = "DATE" if types[name] == "date" else "TIMESTAMP"
                sound = f"year({name}) BETWEEN {FIRST_YEAR} AND {LAST_YEAR}"
                outer.append(f"CASE WHEN NOT {name}_blank AND {sound} THEN {name}::{kind} END AS {name}")
                self._problems += _date_problems(name, source, title, _example(dates, source))
            elif name in numeric:
                inner.append(f"{numbers.sql[source]} AS {name}_text")
                outer += self._number(name, source, title)
            elif types[name] == "yes/no":
                answer = f"lower({self._text.trimmed(source)})"
                inner.append(
                    f"CASE WHEN {answer} IN {words(YES)} THEN true WHEN {answer} IN {words(NO)} THEN false END AS {name}"
                )
                outer.append(f"CASE WHEN NOT {name}_blank THEN {name} END AS {name}")
                self._problems.append(
                    _Problem(
                        f"NOT {name}_blank AND {name} IS NULL", source, f"The {_lower(title)} is neither yes nor no.",
                        "Write yes or no, or leave the cell empty.",
                    )
                )  # fmt: skip
            elif name == "recommendation":
                last += self._recommendation(source, inner, outer)
            else:
                inner.append(f"{identifier(source)} AS {name}")
                outer.append(f"CASE WHEN NOT {name}_blank THEN {name} END AS {name}")
                if name == "email":
                    self._problems.append(
                        _Problem(
                            f"NOT {name}_blank AND {addresses.email_problem_sql(f'trim({name}, {BLANKS})')}",
                            source, "The e-mail address is not one, such as name@example.com.",
                            "Correct the address, or leave the cell empty.",
                        )
                    )  # fmt: skip
                elif name == "phone":
                    found = addresses.phones(
                        self._text,
                        source,
                        country=self._options.get("country"),
                        country_source=self._columns.get("country"),
                    )
                    self._warnings += found.warnings
                    inner.append(f"{found.problem} AS phone_bad")
                    self._problems.append(
                        _Problem(
                            "NOT phone_blank AND phone_bad",
                            source,
                            addresses.PHONE_REASON,
                            addresses.PHONE_ADVICE,
                        )
                    )
        if self._kind == "orders":
            outer.append(self._amount())
        if self._key_source is not None:
            inner.append(SEVERAL)
        if self._attributes:
            inner.append(f"{self._attributes_sql()} AS attributes")
            outer.append("attributes")
        self._problems += last
        if self._kind == "responses":
            given = [name for name in ("feedback", "recommendation") if name in names]
            self._problems.append(
                _Problem(
                    " AND ".join(f"{name}_blank" for name in given), "",
                    "The row holds neither feedback nor a recommendation.", "Leave the row out, or fill in the answer.",
                )
            )  # fmt: skip
        self._say_not_given(optional)
        cases = " ".join(
            f"WHEN {problem.condition} THEN {number}" for number, problem in enumerate(self._problems, 1)
        )
        money = f", {self._total()} AS total" if self._kind == "orders" and "amount" not in names else ""
        self._connection.execute(
            f"CREATE TABLE {identifier(self._cells)} AS SELECT {', '.join(outer)}, "
            f"CASE {cases} ELSE 0 END::INTEGER AS problem, NULL::VARCHAR AS owner "
            f"FROM (SELECT *{money} FROM (SELECT {', '.join(inner)} FROM {identifier(self._raw.table)}))"
        )

    def _blank_problems(self, name: str, source: str, title: str) -> list[_Problem]:
        if name != "customer_id" or self._key_source is None:
            return [_Problem(f"{name}_blank", source, f"The {_lower(title)} is empty.", "Fill in the cell.")]
        key = _lower(column_of("contacts", self._options["key"]).title)
        return [
            _Problem(
                SEVERAL, self._key_source, f"Several customers have this {key}.",
                "Give one of them another, or find the customers by their ID.",
            ),
            _Problem(
                f"{name}_blank", self._key_source, f"The {key} is empty, and the row has no customer ID.",
                "Fill in the cell.",
            ),
        ]  # fmt: skip

    def _attributes_sql(self) -> str:
        """Return SQL of a row's custom attributes as a JSON object: name → text, null for an empty cell."""
        pairs = []
        for title, name in self._attributes.items():
            source = self._mapping.attributes[title]
            cell = identifier(source)
            pairs.append(f"{literal(name)}, CASE WHEN {self._text.trimmed(source)} <> '' THEN {cell} END")
        return f"json_object({', '.join(pairs)})::VARCHAR"

    def _read_dates(self, names: list[str], *, whole: bool = True) -> values.Dates:
        sources = [self._columns[name] for name in names]
        dates = values.dates(
            self._text,
            sources,
            order=self._options.get("date_order"),
            # An order may be placed for next year; nobody is born then.
            latest_year=self._today.year + (0 if self._kind == "contacts" else 1),
            numbers=self._options.get("date_numbers"),
            whole=whole,
        )
        if dates.order is not None:
            self._decided["date_order"] = dates.order
        for name in names:
            source = self._columns[name]
            if source in dates.unread and column_of(self._kind, name).required:
                found = ", ".join(f"“{cell}”" for cell in dates.unread[source])
                raise UnreadableFile(
                    f"No cell of “{source}” can be read as a date"
                    + (f". Found: {found}." if found else ": all are empty."),
                    "Choose the column that holds the dates, or export them like 2025-03-04.",
                )
        self._assumed += dates.sentences
        return dates

    def _number(self, name: str, source: str, title: str) -> list[str]:
        """Return SQL of a number field and take note of what can be wrong with it."""
        text = f"CASE WHEN NOT {name}_blank THEN {name}_text END"
        whole = column_of(self._kind, name).type == "integer"
        bad = f"NOT {name}_blank AND {name}_text IS NULL"
        self._problems.append(
            _Problem(
                bad, source, f"The {_lower(title)} is not a number.", "Write it with digits, such as 12.50."
            )
        )
        self._problems.append(
            _Problem(
                f"NOT {name}_blank AND TRY_CAST({name}_text AS {_MONEY}) IS NULL", source,
                f"The {_lower(title)} is too large to be kept exactly.", "Check the number; 14 digits before the point fit.",
            )
        )  # fmt: skip
        if name == "age":
            self._problems.append(
                _Problem(
                    f"NOT {name}_blank AND (TRY_CAST({name}_text AS {_MONEY}) NOT BETWEEN 0 AND 130 "
                    f"OR TRY_CAST({name}_text AS {_MONEY}) % 1 <> 0)",
                    source, "The age is not a whole number from 0 to 130.", "Correct the age, or leave the cell empty.",
                )
            )  # fmt: skip
        if name in {"annual_income", "acquisition_cost"}:
            self._problems.append(
                _Problem(
                    f"NOT {name}_blank AND TRY_CAST({name}_text AS {_MONEY}) < 0", source,
                    f"The {_lower(title)} is below 0.", "Correct the number, or leave the cell empty.",
                )
            )  # fmt: skip
        if self._kind == "orders" and name == "amount":
            return []
        kind = "INTEGER" if whole else _MONEY
        return [f"TRY_CAST(TRY_CAST({text} AS {_MONEY}) AS {kind}) AS {name}"]

    def _total(self) -> str:
        return f"TRY_CAST(quantity_text AS {_FACTOR}) * TRY_CAST(unit_price_text AS {_FACTOR})"

    def _amount(self) -> str:
        if "amount" in self._columns:
            return f"TRY_CAST(CASE WHEN NOT amount_blank THEN amount_text END AS {_MONEY}) AS amount"
        self._assumed.append(_PRODUCT)
        self._problems.append(
            _Problem(
                f"TRY_CAST(total AS {_MONEY}) IS NULL", self._columns["quantity"],
                "Quantity × unit price is too large to be kept exactly.", "Check quantity and unit price.",
            )
        )  # fmt: skip
        return f"TRY_CAST(total AS {_MONEY}) AS amount"

    def _recommendation(self, source: str, inner: list[str], outer: list[str]) -> list[_Problem]:
        """Type the recommendation: a number from 0 to 10, or yes / no; any other scale is rejected."""
        scale = self._recommendation_scale(source)
        answer = f"lower({self._text.trimmed(source)})"
        yes_words = YES if scale == "yes-no" else tuple(word for word in YES if word != "1")
        no_words = NO if scale == "yes-no" else tuple(word for word in NO if word != "0")
        number = f"TRY_CAST(regexp_extract({answer}, '^(\\d{{1,2}})([.,]0+)?$', 1) AS INTEGER)"
        if scale != "0-10":
            number = "NULL::INTEGER"
        inner.append(f"{number} AS score")
        inner.append(
            f"CASE WHEN {answer} IN {words(yes_words)} THEN true WHEN {answer} IN {words(no_words)} THEN false END AS said"
            if scale != "other"
            else "NULL::BOOLEAN AS said"
        )
        outer.append("CASE WHEN score BETWEEN 0 AND 10 THEN score END AS recommendation")
        outer.append("CASE WHEN score BETWEEN 0 AND 10 THEN score >= 9 ELSE said END AS recommended")
        self._assumed.append(
            {
                "0-10": f"“{source}” was read as a score from 0 to 10, 9 and 10 being recommendations; or yes / no.",
                "yes-no": f"“{source}” was read as yes or no.",
                "other": f"“{source}” is not on a scale from 0 to 10: rows with an answer there are rejected.",
            }[scale]
        )
        return [
            _Problem(
                "NOT recommendation_blank AND said IS NULL AND (score IS NULL OR score > 10)", source,
                "The recommendation is neither a whole number from 0 to 10 nor yes or no.",
                "Turn the answers into 0 to 10 or yes / no, or do not import this column.",
            )
        ]  # fmt: skip

    def _recommendation_scale(self, source: str) -> str:
        if "recommendation" in self._options:
            return self._options["recommendation"]
        answer = f"lower({self._text.trimmed(source)})"
        spoken = tuple(word for word in YES + NO if word not in {"0", "1"})
        low, high, scores, beyond, said, example = one_row(
            self._connection,
            f"SELECT min(n), max(n), count(n), count(*) FILTER (n > 10), count(*) FILTER (a IN {words(spoken)}), "
            "min(a) FILTER (n IS NOT NULL) FROM (SELECT a, TRY_CAST(regexp_extract(a, '^(\\d{1,6})([.,]0+)?$', 1) "
            f"AS INTEGER) AS n FROM (SELECT {answer} AS a FROM {identifier(self._raw.table)}))",
        )
        if not scores:
            return "yes-no"
        if high <= 1 and said:
            return "yes-no"
        if beyond * 2 > scores:
            return "other"
        if high > 5:
            return "0-10"
        choices = [
            ("0-10", "a score from 0 to 10, where 9 and 10 recommend"),
            ("other", "another scale, such as 1 to 5 stars; such answers are not imported"),
        ]
        if high <= 1:
            choices.insert(1, ("yes-no", "1 is yes and 0 is no"))
        raise Question(
            option="recommendation",
            field=source,
            choices=tuple(choices),
            examples=(str(example),),
            question=f"The answers in “{source}” run from {low} to {high} only: which scale are they on?",
        )

    def _say_not_given(self, optional: list[str]) -> None:
        """Say how many optional cells hold a word for nothing and were read as empty."""
        for name in optional:
            source = self._columns[name]
            (count,) = one_row(
                self._connection,
                f"SELECT count(*) FROM {identifier(self._raw.table)} WHERE lower({self._text.trimmed(source)}) IN {words(NOT_GIVEN)}",
            )
            if count:
                self._assumed.append(
                    f"{wording.counted(count, 'cell')} of “{source}” with a word for nothing (such as N/A) read as empty."
                )

    # --- accepted rows ------------------------------------------------------------------------------

    def _one_customer_each(self) -> None:
        """Derive missing order ids, and reject lines whose order began with another customer."""
        if "order_id" not in self._columns:
            self._derive("order_id", "ordered_at")
            return
        cells = identifier(self._cells)
        owners = (
            f"SELECT order_id, arg_min(customer_id, _row) AS owner FROM {cells} WHERE problem = 0 "
            "GROUP BY order_id HAVING min(customer_id) <> max(customer_id)"
        )
        self._problems.append(
            _Problem(
                "", self._columns["customer_id"], "", "Correct the customer or the order ID of the line."
            )
        )
        self._connection.execute(
            f"UPDATE {cells} SET problem = {len(self._problems)}, owner = o.owner FROM ({owners}) o "
            f"WHERE {cells}.order_id = o.order_id AND problem = 0 AND customer_id <> o.owner"
        )

    def _derive(self, name: str, moment: str) -> None:
        """Give every row with a customer and a date an id of customer, day and position within both.

        Rows rejected for another reason keep their position, so that it does not move when they are mended.
        """
        cells = identifier(self._cells)
        self._connection.execute(f"ALTER TABLE {cells} RENAME TO {identifier(self._cells + '_bare')}")
        bare = identifier(self._cells + "_bare")
        known = f"customer_id IS NOT NULL AND length(customer_id) <= {MAX_ID} AND {moment} IS NOT NULL"
        self._connection.execute(
            f"CREATE TABLE {cells} AS SELECT *, '~' || customer_id || '~' || strftime({moment}, '%Y%m%d') || '~' || "
            f"row_number() OVER (PARTITION BY customer_id, {moment}::DATE ORDER BY _row) AS {name} FROM {bare} "
            f"WHERE {known} UNION ALL SELECT *, NULL AS {name} FROM {bare} WHERE NOT ({known})"
        )
        self._connection.execute(f"DROP TABLE {bare}")
        what = "orders" if name == "order_id" else "responses"
        self._assumed.append(
            f"The file does not number its {what}: each row is one, numbered by customer, day and position within "
            "that day. A later file that holds a day again must hold the whole day."
        )

    def _field(self, name: str, kind: str) -> str:
        return name if name in self._columns else f"NULL::{kind} AS {name}"

    def _accept_orders(self) -> None:
        texts = ", ".join(
            self._field(name, "VARCHAR") for name in ("product", "category", "channel", "currency")
        )
        self._connection.execute(
            f"CREATE TABLE {identifier(self._accepted)} AS SELECT order_id, customer_id, ordered_at, "
            f"{_days('ordered_at')}, amount, {self._field('quantity', _MONEY)}, {self._field('unit_price', _MONEY)}, "
            f"{texts}, _row, _line FROM {identifier(self._cells)} WHERE problem = 0"
        )

    def _accept_answers(self) -> bool:
        """Make the table of answers in an orders file, one per order that has one; return whether there is one."""
        asked = [name for name in ("feedback", "recommendation") if name in self._columns]
        if not asked:
            return False
        feedback = "NULL::VARCHAR AS feedback"
        if "feedback" in asked:
            feedback = "arg_min(feedback, _row) FILTER (feedback IS NOT NULL) AS feedback"
        scores = "NULL::INTEGER AS recommendation, NULL::BOOLEAN AS recommended"
        if "recommendation" in asked:
            # One answer gives both, so that the score of one line never meets the yes of another.
            scores = (
                "arg_min(coalesce(recommendation, -1), _row) FILTER (recommended IS NOT NULL) AS recommendation, "
                "arg_min(recommended, _row) FILTER (recommended IS NOT NULL) AS recommended"
            )
        given = " OR ".join(
            "feedback IS NOT NULL" if name == "feedback" else "recommended IS NOT NULL" for name in asked
        )
        self._connection.execute(
            f"CREATE TABLE {identifier(self._responses)} AS SELECT response_id, customer_id, order_id, responded_at, "
            f"{_days('responded_at')}, feedback, CASE WHEN recommendation >= 0 THEN recommendation END AS recommendation, "
            "recommended FROM (SELECT '~' || order_id AS response_id, any_value(customer_id) AS customer_id, order_id, "
            f"arg_min(ordered_at, _row) AS responded_at, {feedback}, {scores} FROM {identifier(self._cells)} "
            f"WHERE problem = 0 AND ({given}) GROUP BY order_id) ORDER BY response_id"
        )
        self._assumed.append(
            "Answers in the order file count for the order they stand in, one for each order."
        )
        several = " OR ".join(
            "count(DISTINCT feedback) > 1"
            if name == "feedback"
            else "count(DISTINCT (recommendation, recommended)) FILTER (recommended IS NOT NULL) > 1"
            for name in asked
        )
        (differing,) = one_row(
            self._connection,
            f"SELECT count(*) FROM (SELECT order_id FROM {identifier(self._cells)} WHERE problem = 0 "
            f"GROUP BY order_id HAVING {several})",
        )
        if differing:
            self._warnings.append(
                f"{wording.counted(differing, 'order')} with different answers on their lines; the first was taken."
            )
        return True

    def _accept_contacts(self) -> None:
        """Accept every sound row: which of a customer's rows count is up to the policy they are written by."""
        kinds = {
            "text": "VARCHAR",
            "date": "DATE",
            "integer": "INTEGER",
            "money": _MONEY,
            "yes/no": "BOOLEAN",
        }
        fields = [self._field(column.name, kinds[column.type]) for column in KINDS["contacts"]]
        if self._attributes:
            fields.append("attributes")
        self._connection.execute(
            f"CREATE TABLE {identifier(self._accepted)} AS SELECT {', '.join(fields)}, _row, _line "
            f"FROM {identifier(self._cells)} WHERE problem = 0 ORDER BY _row"
        )

    def _accept_answers_last(self) -> None:
        """Accept answers: of several rows with one id the last is taken, the others are skipped."""
        if "response_id" not in self._columns:
            self._derive("response_id", "responded_at")
        kinds = {"recommendation": "INTEGER", "recommended": "BOOLEAN"}
        fields = []
        for name in RESPONSES.names:
            if name == "day":
                fields.append(_days("responded_at"))
            elif name in {"response_id", "customer_id", "responded_at"}:
                fields.append(name)
            elif name == "recommended":
                fields.append(name if "recommendation" in self._columns else f"NULL::BOOLEAN AS {name}")
            elif name != "import_id":
                fields.append(self._field(name, kinds.get(name, "VARCHAR")))
        cells = identifier(self._cells)
        self._connection.execute(
            f"CREATE TABLE {identifier(self._skipped)} AS SELECT _row, _line, response_id AS id FROM (SELECT *, "
            f"max(_row) OVER (PARTITION BY response_id) AS last_row FROM {cells} WHERE problem = 0) "
            "WHERE _row <> last_row ORDER BY _row"
        )
        self._connection.execute(
            f"CREATE TABLE {identifier(self._accepted)} AS SELECT {', '.join(fields)}, _row, _line FROM {cells} "
            f"WHERE problem = 0 AND _row NOT IN (SELECT _row FROM {identifier(self._skipped)}) ORDER BY _row"
        )

    # --- rejected rows ------------------------------------------------------------------------------

    def _reject(self) -> None:
        raw = identifier(self._raw.table)
        branches = []
        for number, problem in enumerate(self._problems, 1):
            value = f"r.{identifier(problem.column)}" if problem.column else "''"
            reason = literal(problem.reason)
            if not problem.condition:
                reason = "'The order ' || c.order_id || ' belongs to customer ' || c.owner || '.'"
            branches.append((number, problem.column, value, reason, problem.advice))

        def choose(texts: list[str]) -> str:
            cases = " ".join(
                f"WHEN {branch[0]} THEN {text}" for branch, text in zip(branches, texts, strict=True)
            )
            return f"CASE c.problem {cases} END"

        key = {"orders": "order_id", "responses": "response_id"}.get(self._kind, "")
        derived = "c." + key if key and key not in self._columns else "NULL::VARCHAR"
        self._connection.execute(
            f"CREATE TABLE {identifier(self._rejected)} AS SELECT c._row, c._line, "
            f'{choose([literal(branch[1]) for branch in branches])} AS "column", '
            f"{choose([branch[2] for branch in branches])} AS value, {choose([branch[3] for branch in branches])} AS reason, "
            f"{choose([literal(branch[4]) for branch in branches])} AS advice, {derived} AS derived_id "
            f"FROM {identifier(self._cells)} c JOIN {raw} r ON r._row = c._row WHERE c.problem > 0 "
            "UNION ALL SELECT _row, _line, '', text, reason, 'Correct the line so that it has the same columns as the "
            f"header.', NULL FROM {identifier(self._raw.rejects_table)} ORDER BY 1"
        )

    # --- warnings -----------------------------------------------------------------------------------

    def _warn(self) -> None:
        if self._kind != "contacts":
            moment = "ordered_at" if self._kind == "orders" else "responded_at"
            self._warn_of_rows(moment, self._repeated_rows())
        source = self._columns["customer_id"]
        (padded,) = one_row(
            self._connection,
            f"SELECT count(DISTINCT {identifier(source)}) FROM {identifier(self._raw.table)} "
            f"WHERE {identifier(source)} <> {self._text.trimmed(source)} AND {self._text.trimmed(source)} <> ''",
        )
        self._warn_of_padding(padded)
        if self._kind == "orders":
            self._warn_of_orders()
        else:
            self._warn_of_ids_again()

    def _warn_of_ids_again(self) -> None:
        if self._kind == "contacts":
            (again,) = one_row(
                self._connection,
                f"SELECT count(*) - count(DISTINCT customer_id) FROM {identifier(self._accepted)}",
            )
            if again:
                self._warnings.append(
                    f"{wording.counted(again, 'row')} of a customer whom another row of the file names: overwriting takes the "
                    "last row, filling the first value of each field, skipping the first row; the rest is skipped."
                )
            return
        (skipped,) = one_row(self._connection, f"SELECT count(*) FROM {identifier(self._skipped)}")
        if skipped:
            self._warnings.append(
                f"{wording.counted(skipped, 'row')} skipped because a later row of the file has the same response ID."
            )

    def _repeated_rows(self) -> int:
        """Return how many rows are the same as an earlier one, cell for cell."""
        names = ", ".join(map(identifier, self._given.columns))
        (twice,) = one_row(
            self._connection,
            f"SELECT count(*) - count(DISTINCT hash({names})) FROM {identifier(self._given.table)}",
        )
        return int(twice)

    def _warn_of_rows(self, moment: str, twice: int) -> int:
        """Say what is odd about the rows as a whole, and return how many customer IDs end in a blank."""
        cells = identifier(self._cells)
        ends = " OR ".join(
            f"suffix(customer_id, {literal(blank)})" for blank in (*" \t\r\n", *values.ODD_BLANKS)
        )
        future, gap_from, gap_to, gap = self._span(moment)
        if future:
            self._warnings.append(f"{wording.counted(future, 'row')} dated after today.")
        if gap:
            self._warnings.append(
                f"No row is dated between {gap_from} and {gap_to}, {gap:,} days: perhaps something is missing."
            )
        if twice:
            self._warnings.append(
                f"{wording.counted(twice, 'row')} the same as an earlier row, cell for cell; all were kept."
            )
        rows, customers, most, customer, padded = one_row(
            self._connection,
            "SELECT coalesce(sum(n), 0), count(*), max(n), arg_max(customer_id, n), "
            f"count(*) FILTER ({ends}) FROM (SELECT customer_id, count(*) AS n FROM {cells} WHERE problem = 0 GROUP BY customer_id)",
        )
        if customers > 1 and rows >= 20 and most * 2 > rows:
            self._warnings.append(
                f"The customer {customer} has {most:,} of {rows:,} rows: perhaps a stand-in for unknown customers."
            )
        return int(padded)

    def _span(self, moment: str) -> tuple[int, date | None, date | None, int]:
        """Return how many rows are dated after today, and the ends and length of a gap in time, if there is one.

        A gap is a stretch without a row that is longer than 30 days and than 10 times the longest of the
        ordinary ones, the shorter 95 in 100 of the stretches between days with rows.
        """
        today = f"DATE '{self._today.isoformat()}'"
        rows = self._connection.execute(
            f"WITH days AS (SELECT {moment}::DATE AS d, count(*) AS n FROM {identifier(self._cells)} WHERE problem = 0 "
            "GROUP BY 1), steps AS (SELECT d, n, lead(d) OVER (ORDER BY d) AS next FROM days) "
            f"SELECT (SELECT coalesce(sum(n), 0) FROM days WHERE d > {today}), d, next, next - d AS days FROM steps "
            f"WHERE next <= {today} AND days > 30 AND days > 10 * (SELECT quantile_disc(next - d, 0.95) FROM steps "
            "WHERE next IS NOT NULL) ORDER BY days DESC, d LIMIT 1"
        ).fetchall()
        if rows:
            return int(rows[0][0]), rows[0][1], rows[0][2], int(rows[0][3])
        (future,) = one_row(
            self._connection,
            f"SELECT count(*) FROM {identifier(self._cells)} WHERE problem = 0 AND {moment}::DATE > {today}",
        )
        return int(future), None, None, 0

    def _warn_of_padding(self, padded: int) -> None:
        if padded:
            self._warnings.append(
                f"{wording.counted(padded, 'customer ID')} with blanks before or after, kept as the file writes them."
            )

    def _warn_of_orders(self) -> None:
        cells = identifier(self._cells)
        rounded_of = "amount" if "amount" in self._columns else "unit_price"
        source = self._columns[rounded_of]
        (rounded,) = one_row(
            self._connection,
            f"SELECT count(*) FROM {identifier(self._raw.table)} WHERE "
            f"regexp_matches({identifier(source)}, '[.,]\\d{{4}}\\d*[1-9]')",
        )
        if rounded:
            self._warnings.append(
                f"{wording.counted(rounded, 'number')} of “{source}” with more than 4 decimal places, rounded half up to 4."
            )
        self._warn_of_currencies()
        if "order_id" in self._columns:
            (torn,) = one_row(
                self._connection,
                f"SELECT count(DISTINCT order_id) FROM {cells} WHERE problem > 0 AND order_id IN "
                f"(SELECT order_id FROM {cells} WHERE problem = 0)",
            )
            if torn:
                self._warnings.append(
                    f"{wording.counted(torn, 'order')} with some lines accepted and some rejected: their totals are wrong until "
                    "the mended file of rejected rows, which adds those lines to them, is imported."
                )

    def _warn_of_currencies(self) -> None:
        if "currency" not in self._columns:
            return
        (currencies,) = one_row(
            self._connection,
            "SELECT string_agg(DISTINCT currency, ', ' ORDER BY currency) "
            f"FROM {identifier(self._cells)} WHERE problem = 0",
        )
        if currencies and ", " in currencies:
            self._warnings.append(
                f"The amounts are in several currencies ({currencies[:80]}) and are added as they stand."
            )

    # --- outcome ------------------------------------------------------------------------------------

    def _outcome(self, *, skipped: bool, responses: bool) -> Checked:
        def count(table: str) -> int:
            return int(one_row(self._connection, f"SELECT count(*) FROM {identifier(table)}")[0])

        accepted, rejected = count(self._accepted), count(self._rejected)
        left = count(self._skipped) if skipped else 0
        rows_read = self._raw.row_count + self._raw.reader_rejects
        if accepted + rejected + left != rows_read:
            raise ClienteleError(
                f"Of {rows_read:,} rows read, {accepted:,} were accepted, {rejected:,} rejected and {left:,} skipped, "
                "which does not add up: the import was stopped.",
                "Nothing was changed. Please report this together with the file's header.",
            )
        return Checked(
            kind=self._kind,
            mapping=self._mapping,
            accepted_table=self._accepted,
            rejected_table=self._rejected,
            skipped_table=self._skipped if skipped else None,
            responses_table=self._responses if responses else None,
            rows_read=rows_read,
            accepted=accepted,
            rejected=rejected,
            skipped=left,
            assumed=tuple(self._assumed),
            warnings=tuple(self._warnings),
            decided=self._decided | {name: answer for name, answer in self._options.items() if name in ASKED},
        )


def _is_plain(cell: str) -> str:
    """Return SQL that is true of a cell that is not empty and does not begin with a blank of any kind.

    Comparing the first bytes is all it takes for most cells; a function for each kind of blank took as long
    as reading the file.
    """
    odd = " OR ".join(f"starts_with({cell}, {literal(blank)})" for blank in values.ODD_BLANKS)
    return f"({cell} >= '!' AND NOT ({cell} >= {literal(min(values.ODD_BLANKS))} AND ({odd})))"


def _begins_guarded(cell: str) -> str:
    """Return SQL that is true of a cell that begins with an apostrophe."""
    return f"({cell} >= '''' AND {cell} < '(')"


def _listed(files: Sequence[Path]) -> str:
    return f"[{', '.join(literal(str(file)) for file in files)}]"


def _date_problems(name: str, source: str, title: str, example: str) -> list[_Problem]:
    return [
        _Problem(
            f"NOT {name}_blank AND {name} IS NULL", source, f"The {_lower(title)} cannot be read as a date.",
            f"Write it as a date that exists{example}.",
        ),
        _Problem(
            f"NOT {name}_blank AND year({name}) NOT BETWEEN {FIRST_YEAR} AND {LAST_YEAR}", source,
            f"The {_lower(title)} is not between the years {FIRST_YEAR} and {LAST_YEAR}.", "Correct the year.",
        ),
    ]  # fmt: skip


def _example(dates: values.Dates, source: str) -> str:
    cell = dates.examples.get(source)
    return f", such as {cell}" if cell else ", such as 2025-03-04"


def _days(moment: str) -> str:
    return f"date_diff('day', DATE '1970-01-01', {moment}::DATE)::INTEGER AS \"day\""


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]


def _says_multiple(header: str) -> bool:
    return bool(re.search(r"[(（\[【]\s*[^)）\]】]*(\bk|千|万)|thousand", header.lower()))


def rejected_rows(
    connection: duckdb.DuckDBPyConnection, checked: Checked, *, limit: int = 10
) -> list[dict[str, object]]:
    """Return the first rejected rows in the file's order: line, column, value, reason, advice."""
    found = connection.execute(
        f'SELECT _line AS line, "column", value, reason, advice FROM {identifier(checked.rejected_table)} '
        f"ORDER BY _row LIMIT {int(limit)}"
    )
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def write_rejects(connection: duckdb.DuckDBPyConnection, raw: RawTable, checked: Checked, path: Path) -> None:
    """Write every rejected row to a CSV file: its cells verbatim, then line, column, value, reason, advice.

    Rows that could not be split have their text, as it stands in the file, as the value. Where ids were
    derived, a column with the row's own id is added, so that the mended file cannot replace other rows. The
    cells are written as they came, without the guard against spreadsheet formulas that other exports have:
    a mended file must import as the same values. The last column names the import, so that mended rows find
    the lines they belong to. UTF-8 with a byte order mark.
    """
    key = {"orders": "order_id", "responses": "response_id"}.get(checked.kind, "")
    derived = bool(key) and key not in checked.mapping.columns
    header = [*raw.columns]
    if derived:
        header.append(
            f"{key} (derived)" if any(normalise(name) == normalise(key) for name in header) else key
        )
    header += REJECT_COLUMNS
    cells = "".join(f"r.{identifier(name)}, " for name in raw.columns)
    # A row without customer or date has no position; its own text and place name it.
    own = (
        f"coalesce(j.derived_id, '~' || md5(concat_ws(chr(31), {cells}j.value, j._row))), " if derived else ""
    )
    found = connection.execute(
        f'SELECT {cells}{own}j._line, j."column", j.value, j.reason, j.advice, {literal(checked.import_id)} '
        f"FROM {identifier(checked.rejected_table)} j LEFT JOIN {identifier(raw.table)} r ON r._row = j._row "
        "ORDER BY j._row"
    )
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        while rows := found.fetchmany(10_000):
            writer.writerows(rows)


def read_rejects(path: Path, *, limit: int = 10) -> tuple[list[tuple[str, int]], list[dict[str, object]]]:
    """Return what a file of rejected rows says: its reasons with their numbers, and its first rows.

    Reasons are most frequent first; rows have line, column, value, reason, advice, as in `rejected_rows`.
    """
    width = len(REJECT_COLUMNS)
    names = [name.removeprefix("rejected_") for name in REJECT_COLUMNS]
    counted: Counter[str] = Counter()
    first: list[dict[str, object]] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        next(rows, None)
        for row in rows:
            told = dict(zip(names, row[-width:], strict=True))
            counted[told["reason"]] += 1
            if len(first) < limit:
                first.append({**told, "line": int(told["line"])})
    return sorted(counted.items(), key=lambda item: (-item[1], item[0])), first

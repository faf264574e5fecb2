"""Turns text cells into dates, exact numbers and yes / no, deciding over whole columns how they are written.

Each decision gives SQL to apply and a sentence to show. What the cells leave open is asked, not guessed.
"""

import re
from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from crm.errors import ClienteleError, InvalidValue
from crm.formulas import COMPUTABLE_RE2, HARMLESS_RE2
from crm.imports.countries import checked_country
from crm.imports.reading import identifier, literal, one_row
from crm.schema import Type

ODD_BLANKS = "\u00a0\u202f\u3000"
BLANKS = f"e' \\t\\r\\n{ODD_BLANKS}'"
"""SQL text of the characters that make a cell blank."""

OPTIONS: dict[str, tuple[str, ...]] = {
    "date_order": ("dmy", "mdy"),
    "decimal": (".", ","),
    "recommendation": ("0-10", "yes-no", "other"),
    "date_numbers": ("excel", "seconds", "milliseconds", "no"),
    "key": ("customer_id", "email", "phone"),
    "country": (),
}
"""What a user may be asked or choose, with the answers; of `country`, any ISO code or name."""

HOW_TO_WRITE: dict[Type, str] = {
    "text": "Write something, or leave the field out.",
    "integer": "Write a whole number, such as 12.",
    "number": "Write a number, such as 12.5.",
    "money": "Write a number, such as 12.50.",
    "date": "Write a date that exists, such as 2025-03-04.",
    "timestamp": "Write a date that exists, such as 2025-03-04 or 2025-03-04 15:16.",
    "yes/no": "Write yes or no.",
}
"""Advice for a value that is to be of a type."""

YES = (
    "yes",
    "y",
    "true",
    "t",
    "1",
    "on",
    "x",
    "subscribed",
    "opted in",
    "opt-in",
    "ja",
    "是",
    "有",
    "对",
    "同意",
    "愿意",
    "推荐",
    "已订阅",
    "订阅",
)
NO = ("no", "n", "false", "f", "0", "off", "nein", "否", "不", "不是", "没有", "不同意", "不愿意", "不推荐", "未订阅",
      "退订", "unsubscribed", "never subscribed", "never_subscribed", "not subscribed", "not_subscribed", "opted out",
      "opt-out")  # fmt: skip
NOT_GIVEN = ("na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "unknown", "未知")

_MAX_SHAPES, _MAX_SHAPE = 5000, 48


class Question(ClienteleError):
    """The file can be read in more than one way, and only the user knows which is meant.

    `option` is the key to answer with in `options`, `field` the source column in doubt, `choices` pairs of
    an answer and its meaning, `examples` cells that read differently.
    """

    def __init__(
        self,
        *,
        option: str,
        field: str,
        choices: tuple[tuple[str, str], ...],
        examples: tuple[str, ...],
        question: str,
    ) -> None:
        answers = "; ".join(f"{option}={answer}: {meaning}" for answer, meaning in choices)
        super().__init__(question, f"Choose one of: {answers}.")
        self.option, self.field, self.choices, self.examples = option, field, choices, examples


def checked_options(options: Pairs[str, str] | None) -> dict[str, str]:
    """Return the answers given, the country as its code, or raise InvalidValue naming the first that is none."""
    checked = dict(options or {})
    for key, value in checked.items():
        if key not in OPTIONS:
            raise InvalidValue(f"There is no option “{key}”.", f"The options are: {', '.join(OPTIONS)}.")
        if key == "country":
            checked[key] = checked_country(value)
        elif value not in OPTIONS[key]:
            raise InvalidValue(
                f"The option “{key}” cannot be “{value}”.", f"It is one of: {', '.join(OPTIONS[key])}."
            )
    return checked


def can_be(type_: Type, text: str) -> bool:
    """Return whether a text can be a value of a type, written in whatever way a file may write it."""
    plain = text.strip()
    if not plain or type_ == "text":
        return bool(plain)
    if type_ == "yes/no":
        return plain.lower() in YES + NO
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE one AS SELECT ?::VARCHAR AS cell", [plain])
        cells = Cells(connection, "one", ["cell"])
        if type_ in {"date", "timestamp"}:
            ways = [
                dates(cells, ["cell"], order=order, latest_year=2100, numbers="no").sql["cell"]
                for order in OPTIONS["date_order"]
            ]
            ways = [f"CASE WHEN year({way}) BETWEEN 1900 AND 2100 THEN 1 END" for way in ways]
        else:
            ways = [numbers(cells, ["cell"], decimal=mark).sql["cell"] for mark in OPTIONS["decimal"]]
            ways = [f"TRY_CAST({way} AS DECIMAL(18,4))" for way in ways]
            if type_ == "integer":
                ways = [f"CASE WHEN {way} % 1 = 0 THEN 1 END" for way in ways]
        (found,) = one_row(connection, f"SELECT coalesce({', '.join(ways)}) IS NOT NULL FROM one")
    return bool(found)


def unguarded_sql(cell: str) -> str:
    """Return SQL of a cell without the apostrophe that a CSV for spreadsheets has before what a spreadsheet computes.

    The same as `formulas.unguard`: exactly one apostrophe, and only where one was put.
    """
    rest, apostrophe = f"substr({cell}, 2)", literal("'")
    return (
        f"CASE WHEN starts_with({cell}, {apostrophe}) AND regexp_matches({rest}, {literal(COMPUTABLE_RE2)}) "
        f"AND NOT regexp_full_match({rest}, {literal(HARMLESS_RE2)}) THEN {rest} ELSE {cell} END"
    )


class Cells:
    """The text cells of a table, with SQL for each source column's cell without the blanks around it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str, sources: Sequence[str]) -> None:
        self.connection, self.table = connection, table
        unique = list(dict.fromkeys(sources))
        edges = f"'^[\\s{ODD_BLANKS}]|[\\s{ODD_BLANKS}]$'"
        tests = ", ".join(f"bool_or(regexp_matches({identifier(name)}, {edges}))" for name in unique)
        padded = one_row(connection, f"SELECT {tests} FROM {identifier(table)}")
        # Trimming every cell of every column takes longer than all else; most files have nothing to trim.
        self._padded = {name for name, found in zip(unique, padded, strict=True) if found}

    def trimmed(self, source: str) -> str:
        """Return SQL of a source column's cell without the blanks around it."""
        name = identifier(source)
        return f"trim({name}, {BLANKS})" if source in self._padded else name


def words(values: Sequence[str]) -> str:
    """Return SQL of a list of texts."""
    return "(" + ", ".join(map(literal, values)) + ")"


# --- dates ---------------------------------------------------------------------------------------------

_LETTERS = r"[^\W\d_]"
_DAY = (
    r"(?P<ymd>9{4}(?P<s1>[-/.])9{1,2}(?P=s1)9{1,2})"
    r"|(?P<compact>9{8}(?:9{6})?)"
    r"|(?P<numeric>9{1,2}(?P<s2>[-/.])9{1,2}(?P=s2)(?:9{4}|99))"
    r"|(?P<chinese>9{4} ?年 ?9{1,2} ?月 ?9{1,2} ?日?)"
    rf"|(?P<dayfirst>9{{1,2}}(?:st|nd|rd|th|er|º|°)?(?:[-/. ]+| del? )(?P<m1>{_LETTERS}{{3,10}})(?:[-/., ]+| del? )(?:9{{4}}|99))"
    rf"|(?P<monthfirst>(?P<m2>{_LETTERS}{{3,10}})[. ]+9{{1,2}}(?:st|nd|rd|th)?,? 9{{4}})"
)
_MOMENT = re.compile(
    rf"(?P<weekday>{_LETTERS}{{2,10}}(?:-feira)?[.,]{{0,2}} )?(?P<date>{_DAY})"
    r"(?:(?P<gap>[T,]? *)(?:(?P<half>上午|下午) ?)?"
    r"(?P<clock>9{1,2}(?::99(?::99)?|[时時点] ?9{1,2} ?分?(?: ?9{1,2} ?秒)?))"
    r"(?P<fraction>[.,]9+)?(?P<ampm> ?[AaPp][Mm])?)?"
    r"(?P<zone> ?(?:Z|UTC|GMT|[-+]99:?99|[-+]99))?"
)
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_MONTHS_ELSEWHERE = (
    "januar jänner jaenner janvier janv enero ene gennaio gen janeiro januari",
    "februar feber février fevrier févr fevr fév febrero febbraio fevereiro fev februari",
    "märz maerz mär mrz mars marzo março marco maart mrt",
    "avril avr abril abr aprile",
    "mai mayo maggio mag maio mei",
    "juni juin junio giugno giu junho",
    "juli juillet juil julio luglio lug julho",
    "août aout agosto ago augustus",
    "sept septembre septiembre setiembre settembre set setembro",
    "oktober okt octobre octubre ottobre ott outubro out",
    "novembre noviembre novembro",
    "dezember dez décembre decembre déc diciembre dic dicembre dezembro",
)
"""Names of the months in German, French, Spanish, Italian, Portuguese and Dutch that English does not share."""

_MONTH_NUMBERS = {name: number for number, names in enumerate(_MONTHS_ELSEWHERE, 1) for name in names.split()}
_DATE_ORDERS = (("dmy", "day first, 03/04 is the 3rd of April"), ("mdy", "month first, 03/04 is March 4th"))

_NUMBERED = {"excel": r"9{5}(?:[.,]9+)?", "seconds": r"9{10}", "milliseconds": r"9{13}"}
"""Shapes of numbers that count time, by the answer that says so."""

_NUMBER_CHOICES = {
    "excel": "days as spreadsheets count them, 45000 is the 15th of March 2023",
    "seconds": "seconds since 1970, 1700000000 is the 14th of November 2023",
    "milliseconds": "milliseconds since 1970",
    "no": "no dates",
}


@dataclass(frozen=True)
class _Format:
    """How cells of some shapes are parsed: in which order, by which format, less how many last characters.

    `skip` is the length of a weekday before the date; `month` is a month's name that the engine does not know, and its number.
    """

    order: str
    format: str
    cut: int = 0
    half_day: bool = False
    short_year: bool = False
    skip: int = 0
    month: tuple[str, int] | None = None


@dataclass
class _DateColumn:
    source: str
    cell: str
    shapes: list[tuple[str, int, str]] = field(default_factory=list)
    cells: int = 0

    def numeric(self) -> list[str]:
        """Return the shapes in which day and month cannot be told apart."""
        return [shape for shape, _, _ in self.shapes if (found := _moment(shape)) and found["numeric"]]


@dataclass(frozen=True)
class Dates:
    """How each date column is read: SQL giving a timestamp or null, and what to say about it."""

    sql: dict[str, str]
    sentences: list[str]
    examples: dict[str, str]
    """A cell by column that is read, the commonest way of writing it."""
    unread: dict[str, list[str]]
    """Example cells by column in which nothing at all is a date."""
    order: str | None = None
    """dmy or mdy, where there are dates that need it."""
    proven: bool = True
    """Whether that order is what the user chose or a cell shows, and not merely what nothing speaks against."""


_PROVEN = ("which ", "as chosen")
_ISO_DAY = _Format("ymd", "%Y-%m-%d")


def _shape(cell: str) -> str:
    return f"translate({cell}, '012345678{ODD_BLANKS}', '999999999   ')"


def _moment(shape: str) -> re.Match[str] | None:
    found = _MOMENT.fullmatch(shape)
    if found is None:
        return None
    if found["clock"] and not (found["gap"] or found["half"]) and not found["chinese"]:
        return None
    if found["zone"] and not found["clock"]:
        return None
    for name in ("m1", "m2"):
        if found[name] and not _is_english(found[name]) and found[name].lower() not in _MONTH_NUMBERS:
            return None
    return found


def _is_english(month: str) -> bool:
    return any(name.startswith(month.lower()) and len(month) in {3, len(name)} for name in _MONTHS)


def _format(shape: str, order: str) -> _Format | None:
    """Return how cells of one shape are parsed if day and month stand in `order`, or None if they are no dates."""
    found = _moment(shape)
    if found is None:
        return None
    text, cut = shape, 0
    if found["zone"]:
        cut = len(found["zone"])
        text = text[:-cut]
    if found["fraction"] and len(found["fraction"]) > 7 and not found["ampm"]:
        cut += len(found["fraction"]) - 7  # what is finer than a microsecond
        text = text[: -(len(found["fraction"]) - 7)]
    start, stop = found.span("date")
    date, rest = text[start:stop], text[stop:]
    date_order, elsewhere = "ymd", None
    if found["compact"]:
        date = "%Y%m%d" + ("%H%M%S" if len(found["compact"]) == 14 else "")
    elif found["ymd"] or found["chinese"]:
        date = re.sub("9+", "%d", re.sub("9+", "%m", re.sub("9{4}", "%Y", date, count=1), count=1), count=1)
    elif found["numeric"]:
        date_order = order
        day, month = ("%d", "%m") if order == "dmy" else ("%m", "%d")
        pieces = re.split("9+", date)
        date = f"{pieces[0]}{day}{pieces[1]}{month}{pieces[2]}" + ("%Y" if date.endswith("9999") else "%y")
    else:
        date_order = "named"
        name = found["m1"] or found["m2"]
        month = "%B" if len(name) > 3 else "%b"
        if not _is_english(name):
            month, elsewhere = "%m", (name, _MONTH_NUMBERS[name.lower()])
        digits = iter(["%d", "%Y" if date.endswith("9999") else "%y"])
        date = re.sub("9+", lambda _: next(digits), date.replace(name, "\0", 1)).replace("\0", month)
    half_day = bool(found["half"])
    if found["clock"]:
        hour = "%I" if half_day or found["ampm"] else "%H"
        units = iter([hour, "%M", "%S"])
        clock = re.sub("9+", lambda _: next(units), found["clock"])
        gap = found["gap"] or ""
        tail = rest[len(gap) + len(found["half"] or "") :]
        spaces = tail[: len(tail) - len(tail.lstrip(" "))]
        rest = gap + ("%p " if half_day else "") + spaces + clock
        rest += (found["fraction"][0] + "%f") if found["fraction"] else ""
        rest += re.sub("[AaPp][Mm]", "%p", found["ampm"]) if found["ampm"] else ""
    return _Format(date_order, date + rest, cut, half_day, "%y" in date, start, elsewhere)


def dates(
    cells: Cells,
    sources: Sequence[str],
    *,
    order: str | None,
    latest_year: int,
    numbers: str | None = None,
    whole: bool = True,
) -> Dates:
    """Return how the date columns `sources` of a table are read, decided over all their cells.

    Where the table is not the `whole` file, the SQL gives null for a cell written in any way not seen in it.

    A year of two digits is the latest one not after `latest_year`. Raises Question when day and month cannot
    be told apart and `order` does not say, or when numbers stand where dates are expected and `numbers`, an
    answer to `date_numbers`, does not say what they count.
    """
    columns = [_look_at_dates(cells, source) for source in dict.fromkeys(sources)]
    counted = _counted(cells, columns, numbers)
    order, reason = _date_order(cells, columns, order)
    sql: dict[str, str] = {}
    sentences: list[str] = []
    examples: dict[str, str] = {}
    unread: dict[str, list[str]] = {}
    for column in columns:
        groups: dict[_Format, list[str]] = {}
        example: dict[_Format, tuple[int, str]] = {}
        read = 0
        for shape, count, cell in column.shapes:
            chosen = _format(shape, order or "dmy")
            if chosen is not None:
                groups.setdefault(chosen, []).append(shape)
                example[chosen] = max(example.get(chosen, (0, "")), (count, cell), key=lambda item: item[0])
                read += count
        number, numbered = _counted_sql(column, counted) if counted else ("", [])
        if not groups and not numbered:
            sql[column.source] = "NULL::TIMESTAMP"
            unread[column.source] = [cell for _, _, cell in column.shapes[:3]]
            continue
        sql[column.source] = "NULL::TIMESTAMP"
        if groups:
            sql[column.source] = _date_sql(
                column, groups, all_seen=whole and read == column.cells, latest_year=latest_year
            )
            examples[column.source] = max(example.values())[1]
            sentences.append(_date_sentence(column.source, example, reason))
        if counted and numbered:
            sql[column.source] = (
                f"CASE WHEN {_shape(column.cell)} IN {words(numbered)} THEN {number} ELSE {sql[column.source]} END"
            )
            examples.setdefault(
                column.source, next(cell for shape, _, cell in column.shapes if shape in numbered)
            )
            sentences.append(
                f"Numbers in “{column.source}” were read as {_NUMBER_CHOICES[counted].split(',')[0]}."
            )
        if any((found := _moment(shape)) and found["zone"] for shape, _, _ in column.shapes):
            sentences.append(
                f"The time zone written in “{column.source}” was left out: times are kept as the source's clock "
                "shows them."
            )
        if any(chosen.short_year for chosen in groups):
            sentences.append(
                f"Years of two digits in “{column.source}” were read as {latest_year - 99} to {latest_year}."
            )
    return Dates(sql, sentences, examples, unread, order, order is None or reason.startswith(_PROVEN))


def _look_at_dates(cells: Cells, source: str) -> _DateColumn:
    cell = cells.trimmed(source)
    column = _shapes_of(cells, source, cell)
    if any(set(shape) & set(_FULL_WIDTH) for shape, _, _ in column.shapes):
        column = _shapes_of(cells, source, _half_width(cell))
    return column


def _shapes_of(cells: Cells, source: str, written: str) -> _DateColumn:
    # Days come again and again: the shapes are taken of distinct cells.
    distinct = (
        f"SELECT {written} AS cell, count(*) AS n FROM {identifier(cells.table)} GROUP BY 1 HAVING cell <> ''"
    )
    rows = cells.connection.execute(
        f"SELECT shape, sum(n), min(cell), sum(sum(n)) OVER () FROM (SELECT {_shape('cell')} AS shape, cell, n "
        f"FROM ({distinct})) GROUP BY shape ORDER BY 2 DESC, 1 LIMIT {_MAX_SHAPES}"
    ).fetchall()
    shapes = [(str(row[0]), int(row[1]), str(row[2])) for row in rows if len(row[0]) <= _MAX_SHAPE]
    return _DateColumn(source, written, shapes, int(rows[0][3]) if rows else 0)


def _counted(cells: Cells, columns: Sequence[_DateColumn], chosen: str | None) -> str | None:
    """Return what the numbers count that stand where dates are expected; None where there are none.

    Raises Question where a column consists mostly of such numbers and `chosen` does not say.
    """
    if chosen is not None:
        return None if chosen == "no" else chosen
    for column in columns:
        for answer, pattern in _NUMBERED.items():
            shapes = [shape for shape, _, _ in column.shapes if re.fullmatch(pattern, shape)]
            count = sum(n for shape, n, _ in column.shapes if shape in shapes)
            if count * 2 <= column.cells:
                continue
            low, high = {"excel": (10_000, 60_000)}.get(answer, (0, 10**13))
            fitting, example = one_row(
                cells.connection,
                f"SELECT count(*), min(cell) FROM (SELECT {column.cell} AS cell FROM {identifier(cells.table)}) "
                f"WHERE {_shape('cell')} IN {words(shapes)} "
                f"AND TRY_CAST(replace(cell, ',', '.') AS DOUBLE) BETWEEN {low} AND {high}",
            )
            if fitting * 2 > column.cells:
                raise Question(
                    option="date_numbers",
                    field=column.source,
                    choices=tuple((name, _NUMBER_CHOICES[name]) for name in (answer, "no")),
                    examples=(example,),
                    question=f"“{column.source}” holds numbers such as {example}, no dates: what do they count?",
                )
    return None


def _counted_sql(column: _DateColumn, counted: str) -> tuple[str, list[str]]:
    """Return SQL of a moment that a number counts, and the shapes of such numbers in a column."""
    shapes = [shape for shape, _, _ in column.shapes if re.fullmatch(_NUMBERED[counted], shape)]
    number = f"TRY_CAST(replace({column.cell}, ',', '.') AS DOUBLE)"
    moments = {
        "excel": f"TIMESTAMP '1899-12-30' + to_seconds(round({number} * 86400))",
        "seconds": f"make_timestamp(({number} * 1000000)::BIGINT)",
        "milliseconds": f"make_timestamp(({number} * 1000)::BIGINT)",
    }
    return moments[counted], shapes


def _date_order(cells: Cells, columns: list[_DateColumn], chosen: str | None) -> tuple[str | None, str]:
    """Return dmy or mdy for the whole file and how that is known; None when no cell needs it."""
    doubtful = [(column, shapes) for column in columns if (shapes := column.numeric())]
    if not doubtful:
        return None, ""
    if chosen:
        return chosen, "as chosen"
    day_first = month_first = open_cells = 0
    proof: dict[str, str] = {}
    examples: list[str] = []
    for column, shapes in doubtful:
        row = one_row(
            cells.connection,
            f"""
            SELECT count(*) FILTER (day_first), count(*) FILTER (month_first), count(*) FILTER (either),
                   min(cell) FILTER (day_first), min(cell) FILTER (month_first), min(cell) FILTER (either),
                   max(cell) FILTER (either)
            FROM (SELECT cell, a BETWEEN 13 AND 31 AND b BETWEEN 1 AND 12 AS day_first,
                         b BETWEEN 13 AND 31 AND a BETWEEN 1 AND 12 AS month_first,
                         a <> b AND a BETWEEN 1 AND 12 AND b BETWEEN 1 AND 12 AS either
                  FROM (SELECT cell, CAST(regexp_extract(cell, '(\\d+)\\D+(\\d+)', 1) AS INTEGER) AS a,
                         CAST(regexp_extract(cell, '(\\d+)\\D+(\\d+)', 2) AS INTEGER) AS b
                  FROM (SELECT {column.cell} AS cell FROM {identifier(cells.table)}
                        WHERE {_shape(column.cell)} IN {words(shapes)})))
            """,
        )
        day_first, month_first, open_cells = day_first + row[0], month_first + row[1], open_cells + row[2]
        if row[3]:
            proof.setdefault("dmy", row[3])
        if row[4]:
            proof.setdefault("mdy", row[4])
        examples += [cell for cell in row[3:] if cell]
    if day_first and not month_first:
        return "dmy", f"which {proof['dmy']} proves"
    if month_first and not day_first:
        return "mdy", f"which {proof['mdy']} proves"
    if not day_first and not month_first:
        if not open_cells:
            return "dmy", "day and month being the same everywhere"
        if all("." in shape for _, shapes in doubtful for shape in shapes):
            return "dmy", "as dates with dots are written"
    sources = " and ".join(f"“{column.source}”" for column, _ in doubtful)
    if day_first:
        question = (
            f"{day_first:,} dates in {sources} can only be read day first and {month_first:,} only month first: "
            f"which order is meant? Those that do not fit will be rejected."
        )
    else:
        question = f"The dates in {sources} can be read day first or month first, such as {examples[0]}: which is meant?"
    raise Question(
        option="date_order",
        field=doubtful[0][0].source,
        choices=_DATE_ORDERS,
        examples=tuple(dict.fromkeys(examples)),
        question=question,
    )


def _date_sql(
    column: _DateColumn, groups: dict[_Format, list[str]], *, all_seen: bool, latest_year: int
) -> str:
    bare = cell = column.cell
    if any(set(example) & set(ODD_BLANKS) for _, _, example in column.shapes):
        cell = f"translate({cell}, '{ODD_BLANKS}', '   ')"
    branches = []
    for chosen, shapes in groups.items():
        text = cell
        if chosen.cut:
            text = f"left({text}, length({text}) - {chosen.cut})"
        if chosen.skip:
            text = f"substr({text}, {chosen.skip + 1})"
        if chosen.month:
            text = f"replace({text}, {literal(chosen.month[0])}, '{chosen.month[1]:02}')"
        if chosen.half_day:
            text = f"replace(replace({text}, '上午', 'AM '), '下午', 'PM ')"
        parsed = f"try_strptime({text}, {literal(chosen.format)})"
        if chosen.short_year:
            parsed = (
                f"CASE WHEN year({parsed}) > {latest_year} THEN {parsed} - INTERVAL 100 YEAR "
                f"WHEN year({parsed}) <= {latest_year - 100} THEN {parsed} + INTERVAL 100 YEAR ELSE {parsed} END"
            )
        if all_seen and len(groups) == 1:
            return parsed
        if len(groups) == 1 and chosen == _ISO_DAY:
            # Written out again it must be the same: quicker than looking at its shape.
            return f"CASE WHEN CAST({parsed}::DATE AS VARCHAR) = {bare} THEN {parsed} END"
        branches.append(f"WHEN {_shape(bare)} IN {words(shapes)} THEN {parsed}")
    return f"CASE {' '.join(branches)} END"


def _date_sentence(source: str, example: dict[_Format, tuple[int, str]], reason: str) -> str:
    said: dict[str, tuple[int, str]] = {}
    for chosen, (count, cell) in example.items():
        if count > said.get(chosen.order, (0, ""))[0]:
            said[chosen.order] = (count, cell)
    names = {
        "ymd": "year, month, day",
        "dmy": f"day, month, year ({reason})",
        "mdy": f"month, day, year ({reason})",
        "named": "with the month's name",
    }
    kinds = "; ".join(f"{names[order]}, such as {cell}" for order, (_, cell) in said.items())
    return f"Dates in “{source}” were read as {kinds}."


# --- numbers -------------------------------------------------------------------------------------------

_SPACES = r" \x{00a0}\x{202f}\x{2009}'’"
_CURRENCY = r"(?:[A-Za-z]{0,3}\s?[$€£¥￥₹₩₽]|[A-Z]{3}|元|kr\.?|zł|Kč|Fr\.?)"
_FULL_WIDTH = "０１２３４５６７８９．，－＋（）％￥＄　"
_HALF_WIDTH = "0123456789.,-+()%¥$ "
_FACTORS = {"千": 1_000, "万": 10_000, "萬": 10_000, "亿": 100_000_000, "億": 100_000_000}
_PLAIN = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?"
_DECIMAL_CHOICES = ((".", "the point, 1.234 is about one"), (",", "the comma, 1,234 is about one"))


@dataclass(frozen=True)
class Numbers:
    """How numbers are written in a file: SQL by column of a clean text (or null), and what to say about it.

    `mark` is the decimal mark; it is `proven` when cells show it or the user chose it.
    """

    sql: dict[str, str]
    sentences: list[str]
    mark: str = "."
    proven: bool = False


def numbers(cells: Cells, sources: Sequence[str], *, decimal: str | None) -> Numbers:
    """Return how the number columns `sources` of a table are read: one decimal mark for the whole file.

    Raises Question when no cell tells the decimal mark from the thousands mark and `decimal` does not say.
    """
    unique = list(dict.fromkeys(sources))
    wide = _with_wide_signs(cells, unique)
    written = {
        source: _half_width(cells.trimmed(source)) if source in wide else cells.trimmed(source)
        for source in unique
    }
    mark, sentences = _decimal_mark(cells, written, decimal)
    sql = {source: _number_sql(cell, mark) for source, cell in written.items()}
    return Numbers(sql, sentences, mark, proven=bool(sentences))


def _with_wide_signs(cells: Cells, sources: Sequence[str]) -> set[str]:
    """Return the columns that hold full-width digits or signs; most have none, and need no translation."""
    if not sources:
        return set()
    tests = ", ".join(
        f"bool_or(regexp_matches({identifier(source)}, '[{_FULL_WIDTH}]'))" for source in sources
    )
    found = one_row(cells.connection, f"SELECT {tests} FROM {identifier(cells.table)}")
    return {source for source, has in zip(sources, found, strict=True) if has}


def _decimal_mark(cells: Cells, written: Pairs[str, str], chosen: str | None) -> tuple[str, list[str]]:
    """Return the decimal mark of the cells of all columns, given with the SQL of their cells, and what to say."""
    sources = list(written)
    point = comma = 0
    proof = {".": "", ",": ""}
    doubtful: list[tuple[str, str]] = []
    for source in sources:
        row = one_row(
            cells.connection,
            rf"""
            SELECT sum(n) FILTER (point), sum(n) FILTER (comma), min(cell) FILTER (point), min(cell) FILTER (comma),
                   min(cell) FILTER (doubt)
            FROM (SELECT cell, n,
                    (regexp_full_match(c, '\d*\.\d*') AND NOT doubt) OR regexp_full_match(c, '\d[\d,]*,\d+\.\d*')
                      OR regexp_full_match(c, '\d+(,\d+)(,\d+)+') AS point,
                    (regexp_full_match(c, '\d*,\d*') AND NOT doubt) OR regexp_full_match(c, '\d[\d.]*\.\d+,\d*')
                      OR regexp_full_match(c, '\d+(\.\d+)(\.\d+)+') AS comma, doubt
                  FROM (SELECT *, regexp_full_match(c, '[1-9]\d{{0,2}}[.,]\d{{3}}') AS doubt
                        FROM (SELECT cell, n, regexp_replace(cell, '[^0-9.,]|\.$', '', 'g') AS c
                              FROM (SELECT {written[source]} AS cell, count(*) AS n FROM {identifier(cells.table)}
                                    WHERE contains({written[source]}, '.') OR contains({written[source]}, ',')
                                    GROUP BY 1)
                              WHERE regexp_matches(cell, '^[^0-9]{{0,6}}[0-9]') OR regexp_matches(cell, '^[^0-9]{{0,6}}[.,][0-9]'))))
            """,
        )
        point, comma = point + int(row[0] or 0), comma + int(row[1] or 0)
        proof["."] = proof["."] or row[2] or ""
        proof[","] = proof[","] or row[3] or ""
        if row[4]:
            doubtful.append((source, row[4]))
    if chosen:
        return chosen, [f"The decimal mark is the {_mark_name(chosen)}, as chosen."]
    if point and not comma:
        return ".", [f"The decimal mark is the point, as in {proof['.']}."]
    if comma and not point:
        return ",", [f"The decimal mark is the comma, as in {proof[',']}."]
    if not point and not doubtful:
        return ".", []
    source, example = doubtful[0] if doubtful else (sources[0], proof["."])
    if point:
        question = (
            f"{point:,} numbers are written with a decimal point, such as {proof['.']}, and {comma:,} with a decimal "
            f"comma, such as {proof[',']}: which is meant? Those that do not fit will be rejected."
        )
    else:
        question = (
            f"{example} in “{source}” may be a little over one or more than a thousand: which is meant?"
        )
    raise Question(
        option="decimal",
        field=source,
        choices=_DECIMAL_CHOICES,
        examples=tuple(cell for cell in (example, proof["."], proof[","]) if cell),
        question=question,
    )


def _mark_name(mark: str) -> str:
    return "point" if mark == "." else "comma"


def _half_width(cell: str) -> str:
    return f"translate({cell}, '{_FULL_WIDTH}', '{_HALF_WIDTH}')"


def _number_sql(cell: str, mark: str) -> str:
    """Return SQL of a number cell as plain text with a decimal point; null when it is no number."""
    other = "," if mark == "." else "."
    point = re.escape(mark)
    groups = f"[{re.escape(other)}{_SPACES}]"
    number = rf"\d{{1,3}}(?:{groups}\d{{2,3}})*{groups}\d{{3}}(?:{point}\d*)?|\d+(?:{point}\d*)?|{point}\d+"
    signed = rf"[-+−]?\s?{_CURRENCY}?\s?[-+−]?\s?({number})\s?{_CURRENCY}?-?"
    pattern = rf"(?:{signed}|\({signed}\)|{_CURRENCY}\s?\({signed}\))"
    digits = rf"regexp_replace(regexp_extract(t, {literal(f'({number})')}, 1), {literal(f'[^0-9{point}]')}, '', 'g')"
    sign = "CASE WHEN regexp_matches(t, '[-−(]') THEN '-' ELSE '' END"
    careful = (
        f"CASE WHEN regexp_full_match(t, {literal(pattern)}) "
        f"AND length(t) - length(translate(t, '-−+(', '')) <= 1 "
        f"THEN concat({sign}, replace({digits}, ',', '.')) {_in_ten_thousands(sign, mark)} END"
    )
    careful = f"list_extract(list_transform([{cell}], lambda t: {careful}), 1)"
    plain = _PLAIN if mark == "." else _PLAIN.replace(r"\.", ",")
    kept = cell if mark == "." else f"replace({cell}, ',', '.')"
    # What most amounts are like goes a short way: 1,234.50 and ¥1,234.50.
    usual = rf"[-+]?[$€£¥]?\d{{1,3}}(?:{re.escape(other)}\d{{3}})*(?:{point}\d+)?"
    grouped = f"replace(translate({cell}, '{other}$€£¥', ''), ',', '.')"
    return (
        f"CASE WHEN regexp_full_match({cell}, {literal(plain)}) THEN {kept} "
        f"WHEN regexp_full_match({cell}, {literal(usual)}) THEN {grouped} ELSE {careful} END"
    )


def _in_ten_thousands(sign: str, mark: str) -> str:
    """Return SQL of a further branch for 1.2万, which is 12,000; with a decimal comma nothing says what it is."""
    if mark != ".":
        return ""
    words_ = "|".join(_FACTORS)
    digits = r"\d{1,3}(?:,\d{3})+(?:\.\d{1,4})?|\d{1,9}(?:\.\d{1,4})?"
    count = literal(rf"[-+−]?\s?[¥$]?\s?({digits})\s?({words_})元?")
    factors = " ".join(f"WHEN {literal(word)} THEN {factor}" for word, factor in _FACTORS.items())
    number = f"replace(regexp_extract(t, {count}, 1), ',', '')::DECIMAL(18,4)"
    return (
        f"WHEN regexp_full_match(t, {count}) THEN "
        f"concat({sign}, ({number} * CASE regexp_extract(t, {count}, 2) {factors} END)::VARCHAR)"
    )

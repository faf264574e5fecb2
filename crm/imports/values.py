"""Turns text cells into dates, exact numbers and yes / no, deciding over whole columns how they are written.

Each decision gives SQL to apply and a sentence to show. What the cells leave open is asked, not guessed.
"""

import re
from collections.abc import Mapping as Pairs
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from crm.errors import ClienteleError, InvalidValue
from crm.imports.reading import identifier, literal, one_row

_ODD_BLANKS = "\u00a0\u202f\u3000"
BLANKS = f"e' \\t\\r\\n{_ODD_BLANKS}'"
"""SQL text of the characters that make a cell blank."""

OPTIONS: dict[str, tuple[str, ...]] = {
    "date_order": ("dmy", "mdy"),
    "decimal": (".", ","),
    "recommendation": ("0-10", "yes-no", "other"),
}
"""What a user may be asked, with the answers."""

YES = (
    "yes",
    "y",
    "true",
    "t",
    "1",
    "on",
    "x",
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
      "退订")  # fmt: skip
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
    """Return the answers given, or raise InvalidValue naming the first that is none."""
    for key, value in (options or {}).items():
        if key not in OPTIONS:
            raise InvalidValue(f"There is no option “{key}”.", f"The options are: {', '.join(OPTIONS)}.")
        if value not in OPTIONS[key]:
            raise InvalidValue(
                f"The option “{key}” cannot be “{value}”.", f"It is one of: {', '.join(OPTIONS[key])}."
            )
    return dict(options or {})


class Cells:
    """The text cells of a table, with SQL for each source column's cell without the blanks around it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str, sources: Sequence[str]) -> None:
        self.connection, self.table = connection, table
        unique = list(dict.fromkeys(sources))
        edges = f"'^[\\s{_ODD_BLANKS}]|[\\s{_ODD_BLANKS}]$'"
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

_DAY = (
    r"(?P<ymd>9{4}(?P<s1>[-/.])9{1,2}(?P=s1)9{1,2})"
    r"|(?P<compact>9{8}(?:9{6})?)"
    r"|(?P<numeric>9{1,2}(?P<s2>[-/.])9{1,2}(?P=s2)(?:9{4}|99))"
    r"|(?P<chinese>9{4} ?年 ?9{1,2} ?月 ?9{1,2} ?日?)"
    r"|(?P<dayfirst>9{1,2}(?:st|nd|rd|th)?[-/. ]+(?P<m1>[A-Za-z]{3,9})[-/., ]+(?:9{4}|99))"
    r"|(?P<monthfirst>(?P<m2>[A-Za-z]{3,9})[. ]+9{1,2}(?:st|nd|rd|th)?,? 9{4})"
)
_MOMENT = re.compile(
    rf"(?P<weekday>[A-Za-z]{{3,9}},? )?(?P<date>{_DAY})"
    r"(?:(?P<gap>[T,]? *)(?:(?P<half>上午|下午) ?)?"
    r"(?P<clock>9{1,2}(?::99(?::99)?|[时時点] ?9{1,2} ?分?(?: ?9{1,2} ?秒)?))"
    r"(?P<fraction>[.,]9+)?(?P<ampm> ?[AaPp][Mm])?)?"
    r"(?P<zone> ?(?:Z|UTC|GMT|[-+]99:?99|[-+]99))?"
)
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_DATE_ORDERS = (("dmy", "day first, 03/04 is the 3rd of April"), ("mdy", "month first, 03/04 is March 4th"))


@dataclass(frozen=True)
class _Format:
    """How cells of some shapes are parsed: in which order, by which format, less how many last characters."""

    order: str
    format: str
    cut: int = 0
    half_day: bool = False
    short_year: bool = False


@dataclass
class _DateColumn:
    source: str
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


def _shape(cell: str) -> str:
    return f"translate({cell}, '012345678{_ODD_BLANKS}', '999999999   ')"


def _moment(shape: str) -> re.Match[str] | None:
    found = _MOMENT.fullmatch(shape)
    if found is None:
        return None
    if found["clock"] and not (found["gap"] or found["half"]) and not found["chinese"]:
        return None
    if found["zone"] and not found["clock"]:
        return None
    for name in ("m1", "m2"):
        if found[name] and not any(
            month.startswith(found[name].lower()) and len(found[name]) in {3, len(month)} for month in _MONTHS
        ):
            return None
    return found


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
    weekday, date, rest = text[:start], text[start:stop], text[stop:]
    date_order = "ymd"
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
    return _Format(date_order, weekday + date + rest, cut, half_day, "%y" in date)


def dates(
    cells: Cells,
    sources: Sequence[str],
    *,
    order: str | None,
    latest_year: int,
) -> Dates:
    """Return how the date columns `sources` of a table are read, decided over all their cells.

    A year of two digits is the latest one not after `latest_year`. Raises Question when day and month cannot
    be told apart and `order` does not say.
    """
    columns = [_look_at_dates(cells, source) for source in dict.fromkeys(sources)]
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
        if not groups:
            sql[column.source] = "NULL::TIMESTAMP"
            unread[column.source] = [cell for _, _, cell in column.shapes[:3]]
            continue
        sql[column.source] = _date_sql(
            cells, column, groups, whole=read == column.cells, latest_year=latest_year
        )
        examples[column.source] = max(example.values())[1]
        sentences.append(_date_sentence(column.source, example, reason))
        if any((found := _moment(shape)) and found["zone"] for shape, _, _ in column.shapes):
            sentences.append(
                f"The time zone written in “{column.source}” was left out: times are kept as the source's clock "
                "shows them."
            )
        if any(chosen.short_year for chosen in groups):
            sentences.append(
                f"Years of two digits in “{column.source}” were read as {latest_year - 99} to {latest_year}."
            )
    return Dates(sql, sentences, examples, unread)


def _look_at_dates(cells: Cells, source: str) -> _DateColumn:
    # Days come again and again: the shapes are taken of distinct cells.
    distinct = f"SELECT {cells.trimmed(source)} AS cell, count(*) AS n FROM {identifier(cells.table)} GROUP BY 1 HAVING cell <> ''"
    rows = cells.connection.execute(
        f"SELECT shape, sum(n), min(cell), sum(sum(n)) OVER () FROM (SELECT {_shape('cell')} AS shape, cell, n "
        f"FROM ({distinct})) GROUP BY shape ORDER BY 2 DESC, 1 LIMIT {_MAX_SHAPES}"
    ).fetchall()
    shapes = [(str(row[0]), int(row[1]), str(row[2])) for row in rows if len(row[0]) <= _MAX_SHAPE]
    return _DateColumn(source, shapes, int(rows[0][3]) if rows else 0)


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
                  FROM (SELECT {cells.trimmed(column.source)} AS cell FROM {identifier(cells.table)}
                        WHERE {_shape(cells.trimmed(column.source))} IN {words(shapes)})))
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
    cells: Cells, column: _DateColumn, groups: dict[_Format, list[str]], *, whole: bool, latest_year: int
) -> str:
    bare = cell = cells.trimmed(column.source)
    if any(set(example) & set(_ODD_BLANKS) for _, _, example in column.shapes):
        cell = f"translate({cell}, '{_ODD_BLANKS}', '   ')"
    branches = []
    for chosen, shapes in groups.items():
        text = cell
        if chosen.cut:
            text = f"left({text}, length({text}) - {chosen.cut})"
        if chosen.half_day:
            text = f"replace(replace({text}, '上午', 'AM '), '下午', 'PM ')"
        parsed = f"try_strptime({text}, {literal(chosen.format)})"
        if chosen.short_year:
            parsed = (
                f"CASE WHEN year({parsed}) > {latest_year} THEN {parsed} - INTERVAL 100 YEAR "
                f"WHEN year({parsed}) <= {latest_year - 100} THEN {parsed} + INTERVAL 100 YEAR ELSE {parsed} END"
            )
        if whole and len(groups) == 1:
            return parsed
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
_PLAIN = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?"
_DECIMAL_CHOICES = ((".", "the point, 1.234 is about one"), (",", "the comma, 1,234 is about one"))


@dataclass(frozen=True)
class Numbers:
    """How numbers are written in a file: SQL by column of a clean text (or null), and what to say about it."""

    sql: dict[str, str]
    sentences: list[str]


def numbers(cells: Cells, sources: Sequence[str], *, decimal: str | None) -> Numbers:
    """Return how the number columns `sources` of a table are read: one decimal mark for the whole file.

    Raises Question when no cell tells the decimal mark from the thousands mark and `decimal` does not say.
    """
    unique = list(dict.fromkeys(sources))
    mark, sentences = _decimal_mark(cells, unique, decimal)
    return Numbers({source: _number_sql(cells.trimmed(source), mark) for source in unique}, sentences)


def _decimal_mark(cells: Cells, sources: list[str], chosen: str | None) -> tuple[str, list[str]]:
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
                              FROM (SELECT {cells.trimmed(source)} AS cell, count(*) AS n FROM {identifier(cells.table)}
                                    WHERE contains({identifier(source)}, '.') OR contains({identifier(source)}, ',')
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


def _number_sql(cell: str, mark: str) -> str:
    """Return SQL of a number cell as plain text with a decimal point; null when it is no number."""
    other = "," if mark == "." else "."
    point = re.escape(mark)
    groups = f"[{re.escape(other)}{_SPACES}]"
    number = rf"\d{{1,3}}(?:{groups}\d{{2,3}})*{groups}\d{{3}}(?:{point}\d*)?|\d+(?:{point}\d*)?|{point}\d+"
    signed = rf"[-+−]?\s?{_CURRENCY}?\s?[-+−]?\s?({number})\s?{_CURRENCY}?-?"
    pattern = rf"(?:{signed}|\({signed}\)|{_CURRENCY}\s?\({signed}\))"
    digits = rf"regexp_replace(regexp_extract({cell}, {literal(f'({number})')}, 1), {literal(f'[^0-9{point}]')}, '', 'g')"
    careful = (
        f"CASE WHEN regexp_full_match({cell}, {literal(pattern)}) "
        f"AND length({cell}) - length(translate({cell}, '-−+(', '')) <= 1 "
        f"THEN concat(CASE WHEN regexp_matches({cell}, '[-−(]') THEN '-' ELSE '' END, replace({digits}, ',', '.')) END"
    )
    if mark == ".":
        return f"CASE WHEN regexp_full_match({cell}, {literal(_PLAIN)}) THEN {cell} ELSE {careful} END"
    plain = _PLAIN.replace(r"\.", ",")
    return f"CASE WHEN regexp_full_match({cell}, {literal(plain)}) THEN replace({cell}, ',', '.') ELSE {careful} END"

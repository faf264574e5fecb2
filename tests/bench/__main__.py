"""Measure Clientele against its peers, side by side, and write docs/benchmarks.md."""

import argparse
import contextlib
import importlib.util
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crm.engine import open_engine
from crm.lake import Lake
from crm.records.database import Records
from crm.settings import load_settings
from crm.workbench import Workbench
from tests.bench import browser, contacts, filters, forecasts, imports, report, scores, shop
from tests.bench.report import Bound, Section
from tests.bench.timing import Timing, cpu_ratio, interleave, ratio, say
from tests.browser.serving import serving

PAGE = browser.ROOT / "docs" / "benchmarks.md"
SQL_FACTOR = 1.5
FILTER_GRACE = 0.050
PEER_FACTOR = 5.0
START_FACTOR = 3.0
PAGE_SECONDS = 1.0


@dataclass
class Bench:
    """One run: how large, how often, and where its files are until it ends."""

    folder: Path
    quick: bool
    rounds: int

    def __post_init__(self) -> None:
        self._lakes: dict[int, Lake] = {}

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Order lines of the three shops; a tenth as many customers."""
        return (2_000, 10_000, 50_000) if self.quick else (100_000, 1_000_000, 10_000_000)

    def lake(self, lines: int) -> Lake:
        """Return the shop with so many order lines, made when it is first asked for."""
        if lines not in self._lakes:
            say(f"  making a shop of {lines:,} order lines")
            self._lakes[lines] = shop.make(
                self.folder / f"lake-{lines}", lines=lines, customers=lines // shop.LINES_PER_CUSTOMER
            )
        return self._lakes[lines]

    def home(self, name: str) -> Path:
        """Return a folder for a store of its own."""
        home = self.folder / name / "home"
        home.mkdir(parents=True)
        return home


def against_sql(bench: Bench) -> Section:
    """The largest shop: ours, hand-written SQL, and the whole per-customer table."""
    lines = bench.sizes[-1]
    lake = bench.lake(lines)
    mine, theirs = scores.connect(), scores.connect()
    settings = load_settings(home=bench.home("whole"), lake_url=lake.root, engine="duckdb", database_url="")
    records = Records.open(settings.records_url)
    records.migrate()

    def whole() -> None:
        engine = open_engine(settings, lake, records)
        engine.count(engine.customers(as_of=shop.AS_OF))
        engine.close()

    times = interleave(
        {
            "ours": lambda: scores.ours(mine, lake),
            "hand-written SQL": lambda: scores.by_hand(theirs, lake),
            "ours, whole table": whole,
        },
        rounds=bench.rounds,
    )
    records.close()
    scores.ours(theirs, lake)
    customers = scores.assert_same(theirs, "ours", "hand")
    mine.close()
    theirs.close()
    against = ratio(times["ours"], times["hand-written SQL"])
    cpu = cpu_ratio(times["ours"], times["hand-written SQL"])
    return Section(
        f"RFM table of {lines:,} order lines",
        f"From the lake's Parquet files to a table of {customers:,} customers with every purchase metric, the three "
        f"scores and the segment. Ours is `rfm(orders, as_of=…)` through Narwhals; the peer is SQL written by hand "
        "for DuckDB, the fastest of nine variants, on a connection with the same settings. Both read the same files "
        f"and write a table. All {customers:,} rows of {len(scores.COLUMNS)} columns are compared: 0 differences, "
        "money to its last digit, quotients to 12 digits. The whole table is `engine.customers(as_of=…)` from a "
        "new engine, which also finds value classes and joins answers and contacts (this shop has none).",
        ("", "seconds", "spread", "CPU seconds", "ratio to SQL"),
        [
            _row("ours: `rfm`", times["ours"], str(against)),
            _row("hand-written SQL", times["hand-written SQL"], "1"),
            _row(
                "ours: `engine.customers`",
                times["ours, whole table"],
                str(ratio(times["ours, whole table"], times["hand-written SQL"])),
            ),
        ],
        [
            Bound(
                f"RFM table of {lines:,} lines: at most {SQL_FACTOR} × hand-written SQL",
                f"{against} ×",
                against.median <= SQL_FACTOR,
            )
        ],
        [f"In CPU time, which other work on the machine hardly moves, the ratio is {cpu:.2f}."],
    )


def _row(name: str, timing: Timing, against: str) -> tuple[str, ...]:
    return name, f"{timing.seconds:.3f}", timing.spread, f"{timing.cpu_seconds:.3f}", against


def against_pandas(bench: Bench) -> Section:
    """The middle shop: ours, pandas and lifetimes."""
    lines = bench.sizes[1]
    lake = bench.lake(lines)
    connection = scores.connect()
    frame = scores.pandas_frame(lake)
    contenders: dict[str, Callable[[], object]] = {
        "ours": lambda: scores.ours(connection, lake),
        "pandas": lambda: scores.in_pandas(frame),
        "pandas, reading too": lambda: scores.in_pandas(scores.pandas_frame(lake)),
    }
    notes = []
    if importlib.util.find_spec("lifetimes"):
        contenders["lifetimes"] = lambda: scores.in_lifetimes(frame)
        contenders["lifetimes, reading too"] = lambda: scores.in_lifetimes(scores.pandas_frame(lake))
    else:
        notes.append(_skip("lifetimes is not installed, so it was not measured."))
    times = interleave(contenders, rounds=bench.rounds)
    scores.ours(connection, lake)
    connection.register("pandas", scores.in_pandas(frame))
    customers = scores.assert_same(connection, "ours", "pandas", money="rounded")
    compared = (
        f"pandas' table is ours in all {customers:,} rows (its money to a tenth of a cent: it adds floats)"
    )
    if "lifetimes" in times:
        alike = scores.assert_agrees_with_lifetimes(connection, scores.in_lifetimes(frame))
        compared += (
            f"; lifetimes' frequency, recency and T are ours for all {alike:,} customers without a return "
            "(it takes returns for purchases)"
        )
    connection.close()
    ratios = {name: ratio(timing, times["ours"]) for name, timing in times.items() if name != "ours"}
    peers = [name for name in ("pandas", "lifetimes") if name in ratios]
    return Section(
        f"The same against pandas and lifetimes, {lines:,} order lines",
        "Ours reads its Parquet files and writes a table. The peers have the lines in memory as a pandas frame "
        "before the clock starts, so reading is not counted for them; the rows “reading too” count it. pandas makes the same table; "
        "`lifetimes.utils.summary_data_from_transaction_data` makes less, only frequency, recency and T. "
        f"{compared[0].upper()}{compared[1:]}.",
        ("", "seconds", "spread", "CPU seconds", "times as long as ours"),
        [_row("ours: `rfm`", times["ours"], "1"), *(_row(n, times[n], str(ratios[n])) for n in ratios)],
        [
            Bound(
                f"{lines:,} lines: at least {PEER_FACTOR:g} × faster than {name}",
                f"{ratios[name]} ×",
                ratios[name].median >= PEER_FACTOR,
            )
            for name in peers
        ],
        notes,
    )


def through_spark(bench: Bench) -> Section:
    """The largest shop through a Spark Connect server, for information."""
    lines = bench.sizes[-1]
    title = f"Through Spark Connect, {lines:,} order lines"
    if not importlib.util.find_spec("pysail"):
        return Section(title, _skip("pysail is not installed, so Spark Connect was not measured."))
    os.environ.setdefault("RUST_LOG", "error")
    logging.getLogger("pyspark").setLevel(logging.ERROR)
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    lake = bench.lake(lines)
    out = bench.folder / "spark"
    connection = scores.connect()
    server = SparkConnectServer()
    server.start()
    try:
        _, port = server.listening_address
        session = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()
        times = interleave(
            {
                "Spark Connect": lambda: scores.through_spark(session, lake, out),
                "DuckDB": lambda: scores.ours(connection, lake),
            },
            rounds=min(3, bench.rounds),
        )
        session.stop()
    finally:
        server.stop()
    connection.execute(f"CREATE VIEW spark AS SELECT * FROM read_parquet('{out}/**/*.parquet')")
    customers = scores.assert_same(connection, "ours", "spark")
    connection.close()
    against = ratio(times["Spark Connect"], times["DuckDB"])
    return Section(
        title,
        "The same function, `rfm(orders, as_of=…)`, on a Spark Connect server (Sail) in this process that reads the "
        f"Delta table and writes Parquet; for information. All {customers:,} rows are those of DuckDB.",
        ("", "seconds", "spread", "CPU seconds", "ratio to DuckDB"),
        [
            _row("Spark Connect (Sail)", times["Spark Connect"], str(against)),
            _row("DuckDB", times["DuckDB"], "1"),
        ],
    )


def changing_filters(bench: Bench) -> Section:
    """A new rule on the Audiences page over the largest shop."""
    lines = bench.sizes[-1]
    lake = bench.lake(lines)
    settings = load_settings(home=bench.home("filters"), lake_url=lake.root, engine="duckdb", database_url="")
    workbench = Workbench.open(settings)
    customers = workbench.engine.count(workbench.customers(as_of=shop.AS_OF))
    section = Section(
        f"Changing a filter with {lines:,} order lines loaded",
        "`Workbench.audience_page`: how many customers a new rule holds for and the first 50 of them by revenue, "
        f"out of {customers:,}. The rule differs in every run, so nothing is answered from memory. The peer asks "
        "the same two questions in hand-written SQL of the same kept table in the same DuckDB. Counts, order and "
        "revenue of both answers are the same.",
        ("rule", "customers", "ours, seconds", "spread", "by hand, seconds", "spread", "ratio"),
    )
    for name, make in filters.RULES.items():
        say(f"  {name}")
        question = filters.Question(make, workbench)
        found = question.assert_same()
        times = interleave({"ours": question.ours, "by hand": question.by_hand}, rounds=2 * bench.rounds)
        mine, theirs = times["ours"], times["by hand"]
        limit = SQL_FACTOR * theirs.seconds + FILTER_GRACE
        cells = (f"{found:,}", f"{mine.seconds:.3f}", mine.spread, f"{theirs.seconds:.3f}", theirs.spread)
        section.rows.append((name, *cells, str(ratio(mine, theirs))))
        section.bounds.append(
            Bound(
                f"Filter, {name}: at most {SQL_FACTOR} × hand-written SQL + {FILTER_GRACE * 1000:.0f} ms",
                f"{mine.seconds * 1000:.0f} ms, limit {limit * 1000:.0f} ms",
                mine.seconds <= limit,
            )
        )
    workbench.close()
    return section


def starting(bench: Bench) -> Section:
    """From the command to the first page drawn, and from one page to the next."""
    section = Section(
        "Starting, and changing pages",
        "From the command to the first page drawn in Chromium. Ours is what `make run` does after its installation: "
        "`python -m crm.ui.serve`; the peer is an empty Streamlit app "
        '(`st.write("hello")`). The first time, the store is empty and the sample shop is imported on the way. '
        "Drawn means: the heading is there, nothing runs or is out of date, every chart has its marks. The browser "
        "is open already.",
    )
    if gone := browser.missing_pages():
        section.notes.append(
            _skip(f"Not measured: {', '.join(gone)} missing, without which the app cannot start.")
        )
        return section
    if not importlib.util.find_spec("playwright"):
        section.notes.append(_skip("Not measured: playwright is not installed."))
        return section
    home, hello = bench.home("start"), bench.home("hello")
    fresh = iter(range(1000))

    def start(store: Path) -> None:
        with serving(store) as server:
            browser.first_page(chromium, server)

    def empty() -> None:
        with browser.empty_app(hello) as server:
            browser.first_page(chromium, server, mark=browser.HELLO)

    with browser.chromium() as chromium:
        say("  the first time")
        first = interleave(
            {"ours": lambda: start(bench.home(f"first-{next(fresh)}")), "empty app": empty},
            rounds=min(3, bench.rounds),
        )
        say("  later times")
        start(home)
        later = interleave({"ours": lambda: start(home), "empty app": empty}, rounds=bench.rounds)
        say("  page by page")
        with serving(home) as server:
            server.wait_until_healthy()
            opened, pages = browser.walk(chromium, server, rounds=bench.rounds)
    section.columns = ("start", "ours, seconds", "spread", "empty app, seconds", "spread", "ratio")
    for name, times in (("first time, empty store", first), ("later times", later)):
        against = ratio(times["ours"], times["empty app"])
        cells = [cell for timing in times.values() for cell in (f"{timing.seconds:.2f}", timing.spread)]
        section.rows.append((name, *cells, str(against)))
        section.bounds.append(
            Bound(
                f"Start, {name}: at most {START_FACTOR:g} × an empty Streamlit app",
                f"{against} ×",
                against.median <= START_FACTOR,
            )
        )
    section.notes.append("From a click in the sidebar to the page drawn, in one browser session, seconds:")
    rows = [(name, f"{opened[name]:.2f}", f"{t.seconds:.2f}", t.spread) for name, t in pages.items()]
    section.notes.append(report.table(("page", "first visit", "later visits", "spread"), rows))
    slowest = max(pages, key=lambda name: max(opened[name], pages[name].seconds))
    seconds = max(opened[slowest], pages[slowest].seconds)
    section.bounds.append(
        Bound(
            f"Changing to any of the {len(pages)} pages: at most {PAGE_SECONDS:g} s",
            f"slowest: {slowest}, {seconds:.2f} s",
            seconds <= PAGE_SECONDS,
        )
    )
    return section


def growing(bench: Bench) -> Section:
    """How the time of the RFM table grows with the order lines."""
    section = Section(
        "How the time grows",
        "The RFM table, ours and hand-written SQL as above, of three shops.",
        ("order lines", "customers", "ours, seconds", "by hand, seconds", "ratio", "ours, lines a second"),
    )
    for lines in bench.sizes:
        lake = bench.lake(lines)
        mine, theirs = scores.connect(), scores.connect()
        contenders: dict[str, Callable[[], object]] = {
            "ours": lambda to=mine, of=lake: scores.ours(to, of),
            "by hand": lambda to=theirs, of=lake: scores.by_hand(to, of),
        }
        times = interleave(contenders, rounds=min(3, bench.rounds))
        scores.ours(theirs, lake)
        customers = scores.assert_same(theirs, "ours", "hand")
        mine.close()
        theirs.close()
        seconds = times["ours"].seconds
        section.rows.append(
            (
                f"{lines:,}",
                f"{customers:,}",
                f"{seconds:.3f}",
                f"{times['by hand'].seconds:.3f}",
                str(ratio(times["ours"], times["by hand"])),
                f"{lines / seconds:,.0f}",
            )
        )
    return section


def _skip(reason: str) -> str:
    say(f"  {reason}")
    return reason


PARTS: dict[str, Callable[[Bench], Section]] = {
    "sql": against_sql,
    "pandas": against_pandas,
    "spark": through_spark,
    "growth": growing,
    "filter": changing_filters,
    "imports": lambda bench: imports.section(bench.home("imports"), quick=bench.quick),
    "contacts": lambda bench: contacts.section(bench.home("contacts"), quick=bench.quick),
    "forecasts": lambda bench: forecasts.section(
        bench.home("forecasts"), quick=bench.quick, rounds=bench.rounds
    ),
    "start": starting,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for; return 1 when a bound was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes: compares results, times mean little"
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), help="some parts, on the screen"
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contender after the warm-up")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    sections = []
    scratch = browser.ROOT / "data" / "bench"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        bench = Bench(Path(folder), options.quick, 2 if options.quick else options.rounds)
        for name in options.only:
            say(f"{name} …")
            sections.append(PARTS[name](bench))
    with contextlib.suppress(OSError):  # another run's files
        scratch.rmdir()
    text = report.markdown(sections, quick=options.quick)
    whole = not options.quick and list(options.only) == list(PARTS)
    if whole:
        PAGE.write_text(text, encoding="utf-8")
    say(f"\n{text}\n{time.monotonic() - started:.0f} s" + (f", written to {PAGE}" if whole else ""))
    return 0 if options.quick or all(bound.kept for section in sections for bound in section.bounds) else 1


if __name__ == "__main__":
    sys.exit(main())

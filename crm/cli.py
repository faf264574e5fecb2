"""The command line: importing, counting and exporting without a browser.

Answers go to standard output, for people or as one JSON object with `--json`; logs go to standard error.
Exit status is 0, or 2 with the message and hint of what was refused.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm import sample
from crm.errors import ClienteleError, InvalidValue
from crm.settings import load_settings

if TYPE_CHECKING:
    from crm.workbench import Workbench

ACTOR = "command line"
_PAGE = 500


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    from crm.logs import configure, log_unexpected

    try:
        settings = load_settings(**({"home": options.home} if options.home else {}))
        configure(settings.log_level)
        if options.command == "demo" and options.if_empty and sample.was_ever_used(settings):
            return 0
        from crm.workbench import Workbench

        workbench = Workbench.open(settings)
        try:
            options.run(workbench, options)
        finally:
            workbench.close()
    except ClienteleError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. `python -m crm imports` shows what is in force.", file=sys.stderr)
        return 130
    except Exception as error:
        print(
            f"Something unexpected went wrong. It is in the log under {log_unexpected(error)}.",
            file=sys.stderr,
        )
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m crm", description="Clientele without a browser.")
    parser.add_argument("--home", type=Path, help="folder of the store (default: data/store)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Any, summary: str, *, json: bool = False, as_of: bool = False) -> Any:
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(run=run)
        if as_of:
            added.add_argument(
                "--as-of", type=_day, metavar="DAY", help="last day observed, such as 2025-06-30"
            )
        if json:
            added.add_argument("--json", action="store_true", help="print one JSON object")
        return added

    demo = command("demo", _demo, "load the sample shop, or take it out again")
    demo.add_argument("--if-empty", action="store_true", help="only when nothing was ever imported")
    demo.add_argument("--remove", action="store_true", help="take the sample shop out again")

    file = command("import", _import, "import a file", json=True)
    file.add_argument("file", type=Path, metavar="FILE")
    file.add_argument(
        "--kind", choices=["orders", "contacts", "responses"], help="default: told by the headers"
    )
    file.add_argument(
        "--map", action="append", default=[], metavar="FIELD=COLUMN", help="which column a field is"
    )
    file.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="how the file is to be read: date_order=dmy|mdy, decimal=.|, or recommendation=0-10|yes-no|other; "
        "for contacts that exist already: policy=overwrite|fill|skip",
    )
    file.add_argument("--dry-run", action="store_true", help="check and count, write nothing")

    command("imports", _imports, "list the imports, newest first", json=True)
    undo = command("undo", _undo, "take an import back", json=True)
    undo.add_argument("import_id", metavar="IMPORT_ID")
    undo.add_argument("--force", action="store_true", help="also where contacts were edited since")

    customers = command(
        "customers", _customers, "write one row per customer: every metric, score, segment", as_of=True
    )
    customers.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="ends in .csv, .xlsx or .parquet"
    )

    segments = command("segments", _segments, "show the segments of a scheme", json=True, as_of=True)
    segments.add_argument(
        "scheme", metavar="SCHEME", help="rfm, value_class, purchase_power, age_group, region"
    )

    value = command(
        "lifetime-value", _lifetime_value, "show DCF lifetime value and its test", json=True, as_of=True
    )
    value.add_argument("--years", type=int, default=3, help="horizon, whole years (default 3)")
    value.add_argument(
        "--discount-rate", type=float, default=0.10, help="per year, 0.1 is 10 %% (default 0.1)"
    )
    value.add_argument("--margin", type=float, default=1.0, help="share of revenue, 0 to 1 (default 1)")
    value.add_argument("--acquisition-cost", type=float, default=0.0, help="of a customer who states none")

    command("loyalty", _loyalty, "show repeat, feedback and recommendation rates", json=True, as_of=True)

    export = command("export", _export, "write the customers of an audience to a file", json=True, as_of=True)
    export.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="ends in .csv, .xlsx or .parquet"
    )
    which = export.add_mutually_exclusive_group()
    which.add_argument(
        "--where", metavar="RULE", help='JSON, such as {"field": "orders", "op": ">", "value": 3}'
    )
    which.add_argument("--audience", metavar="NAME", help="a saved audience")
    export.add_argument("--raw", action="store_true", help="CSV for programs: no apostrophe before formulas")
    return parser


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2025-06-30") from None


def _pairs(given: list[str], what: str) -> dict[str, str]:
    pairs = {}
    for item in given:
        name, sign, value = item.partition("=")
        if not sign or not name:
            raise InvalidValue(f"{item!r} is no {what}.", f"Write it as {what}.")
        pairs[name.strip()] = value
    return pairs


def _show(options: argparse.Namespace, answer: dict[str, Any], lines: Sequence[str]) -> None:
    """Print an answer, as one JSON object or as lines for people."""
    if getattr(options, "json", False):
        from crm.workbench import to_json

        print(to_json(answer))
    else:
        print("\n".join(lines))


def _demo(workbench: "Workbench", options: argparse.Namespace) -> None:
    if options.remove:
        removed = sample.remove(workbench.importer, actor=ACTOR)
        print(
            f"Took out {removed} files of the sample shop." if removed else "The sample shop is not loaded."
        )
        return
    if options.if_empty:
        reports = sample.load_if_fresh(workbench.importer, actor=ACTOR)
    else:
        reports = sample.load(workbench.importer, actor=ACTOR, source="command line")
    for report in reports:
        print(f"{report.kind}: {report.created:,} rows from {report.file_name}")


def _import(workbench: "Workbench", options: argparse.Namespace) -> None:
    chosen = _pairs(options.set, "OPTION=VALUE")
    report = workbench.importer.run(
        options.file,
        kind=options.kind,
        columns=_pairs(options.map, "FIELD=COLUMN"),
        options=chosen,
        dry_run=options.dry_run,
        actor=ACTOR,
        source="command line",
    )
    answer = report.as_dict()
    done = "Would import" if options.dry_run else "Imported"
    lines = [
        f"{done} {report.file_name} as {report.kind}: {report.rows_read:,} rows read",
        f"  created {report.created:,}, updated {report.updated:,}, unchanged {report.unchanged:,}, "
        f"skipped {report.skipped:,}, rejected {report.rejected:,}",
        *(f"  assumed: {sentence}" for sentence in report.assumed),
        *(f"  note: {sentence}" for sentence in report.warnings),
        *(f"  rejected {number:,}: {reason}" for reason, number in report.reasons),
    ]
    if report.rejects_file:
        lines.append(f"  rejected rows: {report.rejects_file}")
    if not options.dry_run:
        lines.append(f"  undo with: python -m crm undo {report.import_id}")
    _show(options, answer, lines)


def _imports(workbench: "Workbench", options: argparse.Namespace) -> None:
    rows, total = workbench.importer.history_page(size=_PAGE)
    page = 1
    while page * _PAGE < total:
        page += 1
        rows += workbench.importer.history_page(page=page, size=_PAGE)[0]
    lines = [
        f"{row['import_id']}  {row['started_at'][:16]}  {row['status']:<7} {row['kind']:<10}"
        f"{row['rows_read']:>12,} rows  {row['file_name']}"
        for row in rows
    ]
    _show(options, {"imports": rows}, lines or ["Nothing was imported yet."])


def _undo(workbench: "Workbench", options: argparse.Namespace) -> None:
    undone = workbench.importer.undo(options.import_id, actor=ACTOR, force=options.force)
    lines = [f"Took back the import of {undone.file_name}."]
    if undone.conflicts:
        lines.append(f"Left {len(undone.conflicts):,} contacts as they are: they were edited since.")
    _show(options, {"import_id": options.import_id, "undone": True, "conflicts": undone.conflicts}, lines)


def _customers(workbench: "Workbench", options: argparse.Namespace) -> None:
    result = workbench.export(options.out, as_of=workbench.as_of(options.as_of), safe=False)
    print(f"{result.rows:,} customers as of {result.as_of} in {result.path}")


def _segments(workbench: "Workbench", options: argparse.Namespace) -> None:
    found = workbench.segments(options.scheme, as_of=workbench.as_of(options.as_of))
    rows = found.rows[["segment", "customers", "revenue", "orders"]].to_dict("records")
    answer = {
        "scheme": found.scheme.name,
        "as_of": found.as_of,
        "customers": found.customers,
        "segments": [{**row, "revenue": round(row["revenue"], 4)} for row in rows],
    }
    lines = [f"{found.scheme.title} as of {found.as_of}: {found.customers:,} customers with a purchase"]
    lines += [
        f"  {row['segment']:<20}{row['customers']:>10,} customers{row['revenue']:>18,.2f} revenue"
        f"{row['orders']:>10,} orders"
        for row in rows
    ]
    _show(options, answer, lines)


def _lifetime_value(workbench: "Workbench", options: argparse.Namespace) -> None:
    from crm.analytics.lifetime_value import Assumptions

    assumptions = Assumptions(
        years=options.years,
        discount_rate=options.discount_rate,
        margin=options.margin,
        acquisition_cost=options.acquisition_cost,
    )
    found = workbench.lifetime_value(assumptions, as_of=workbench.as_of(options.as_of))
    test = found.test
    answer = {
        "as_of": found.as_of,
        "customers": found.customers,
        "model": "dcf",
        "years": assumptions.years,
        "discount_rate": assumptions.discount_rate,
        "margin": assumptions.margin,
        "acquisition_cost": round(found.acquisition_cost, 4),
        "annual_revenue": round(found.annual_revenue, 4),
        "total": round(found.total, 4),
        "mean": found.mean,
        "median": found.median,
        "holdout": {
            "days": test.days,
            "cut": test.cut,
            "predicted": test.predicted,
            "actual": test.actual,
            "bias": test.bias,
        },
        "verdict": {"usable": not test.verdict_reasons, "reasons": list(test.verdict_reasons)},
    }
    lines = [
        f"DCF lifetime value as of {found.as_of}: {found.total:,.2f} over {found.customers:,} customers",
        f"  {assumptions.years} years at {assumptions.discount_rate:.1%} a year, margin {assumptions.margin:.0%}, "
        f"acquisition cost {found.acquisition_cost:,.2f} in all",
        f"  test: {test.sentence()}",
    ]
    _show(options, answer, lines)


def _loyalty(workbench: "Workbench", options: argparse.Namespace) -> None:
    found = workbench.loyalty(as_of=workbench.as_of(options.as_of))
    years = found.lifecycle[["segment", "customers", "repeat_rate"]].rename(columns={"segment": "year"})
    lifecycle = years.to_dict("records")
    answer = {
        "as_of": found.as_of,
        "customers": found.customers,
        "feedback_rate": found.feedback_rate,
        "recommendation_rate": found.recommendation_rate,
        "nps": {
            "score": found.nps.score,
            "standard_error": found.nps.standard_error,
            "answers": found.nps.answers,
        },
        "repeat_rate": found.repeat_rate,
        "lifecycle_years": found.lifecycle_years,
        "lifecycle": lifecycle,
    }

    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.1%}"

    lines = [
        f"Loyalty as of {found.as_of}: {found.customers:,} customers with a purchase",
        f"  repeat rate {share(found.repeat_rate)}",
        f"  feedback rate {share(found.feedback_rate)}",
        f"  recommendation rate {share(found.recommendation_rate)}",
    ]
    if found.nps.score is not None and found.nps.standard_error is not None:
        lines.append(
            f"  NPS {found.nps.score:+.0f} (standard error {found.nps.standard_error:.1f}, "
            f"{found.nps.answers:,} answers)"
        )
    lines += [
        f"  year {row['year'] + 1}: {row['customers']:,} customers, repeat rate {share(row['repeat_rate'])}"
        for row in lifecycle
    ]
    _show(options, answer, lines)


def _export(workbench: "Workbench", options: argparse.Namespace) -> None:
    from crm import audiences

    rule = None
    if options.where is not None:
        rule = audiences.parse(options.where)
    elif options.audience is not None:
        rule = workbench.saved_rule(options.audience)
    result = workbench.export(
        options.out, as_of=workbench.as_of(options.as_of), rule=rule, safe=not options.raw
    )
    answer = {
        "rows": result.rows,
        "file": result.path,
        "definition": result.definition,
        "as_of": result.as_of,
    }
    _show(
        options, answer, [f"{result.rows:,} customers in {result.path}: {result.definition}, {result.as_of}"]
    )

"""The command line: importing, counting and exporting without a browser.

Answers go to standard output, for people or as one JSON object with `--json`; logs go to standard error.
Exit status is 0, or 2 with the message and hint of what was refused.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm import sample, wording
from crm.errors import ClienteleError, InvalidValue, NotEnoughData
from crm.settings import load_settings

if TYPE_CHECKING:
    from crm.forecasting import Forecast
    from crm.imports.connecting import Connecting
    from crm.valuation import ForecastValue, LifetimeValue
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
        "--join",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help="a field of several columns; once for each, in their order: --join name=First --join name=Last",
    )
    file.add_argument(
        "--constant",
        action="append",
        default=[],
        metavar="FIELD=TEXT",
        help="a field that is the same in every row, such as currency=EUR",
    )
    file.add_argument(
        "--attribute",
        action="append",
        metavar="COLUMN",
        help="a further column of contacts to keep; default: all of them; --attribute '' for none",
    )
    file.add_argument("--template", metavar="NAME", help="a saved mapping")
    file.add_argument(
        "--sheet", metavar="NAME", help="a sheet of a workbook; default: the first with a table"
    )
    file.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="how the file is read: encoding, delimiter, quote, header_rows, skip_lines; what it leaves open: "
        "date_order=dmy|mdy, decimal=.|, date_numbers=excel|seconds|milliseconds|no, "
        "recommendation=0-10|yes-no|other; of contacts: "
        "policy=overwrite|fill|skip, key=customer_id|email|phone, country=GB for phones without a country code",
    )
    file.add_argument("--dry-run", action="store_true", help="check and count, write nothing")

    command("imports", _imports, "list the imports, newest first", json=True)
    undo = command("undo", _undo, "take an import back", json=True)
    undo.add_argument("import_id", metavar="IMPORT_ID")
    undo.add_argument("--force", action="store_true", help="also where contacts were edited since")

    _connect_parser(commands)
    refresh = command("refresh", _refresh, "import the new rows of a saved connection", json=True)
    refresh.add_argument("name", metavar="NAME")
    refresh.add_argument("--everything", action="store_true", help="all rows, not only the new ones")
    refresh.add_argument(
        "--kind",
        choices=["orders", "contacts", "responses"],
        help="the first time; default: told by the columns",
    )
    refresh.add_argument(
        "--map", action="append", default=[], metavar="FIELD=COLUMN", help="which column a field is; kept"
    )
    refresh.add_argument(
        "--set", action="append", default=[], metavar="OPTION=VALUE", help="as with import; kept"
    )
    _password_arguments(refresh)

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
        "lifetime-value",
        _lifetime_value,
        "show lifetime value by a tested forecast, and by the DCF formula",
        json=True,
        as_of=True,
    )
    value.epilog = (
        "A refused forecast is an answer too: the command succeeds, and total, low, high, mean, "
        "expected_orders_12m and probability_alive are null. Model and parameters are those of the fit, null "
        "where the history could not carry one; time is in weeks. The formula's figures are under dcf."
    )
    value.add_argument(
        "--model",
        default="auto",
        metavar="MODEL",
        help="bg_nbd, mbg_nbd or pareto_nbd; default auto: by likelihood and holdout",
    )
    value.add_argument(
        "--holdout-weeks",
        type=int,
        metavar="WEEKS",
        help="the end of the history that the forecast is tested on, 4 to 52 (default: its last quarter)",
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


def _connect_parser(commands: Any) -> None:
    connect = commands.add_parser(
        "connect",
        help="databases that rows are fetched from: list, add, test, remove",
        description="Databases that rows are fetched from. They are read and never written.",
    )
    acts = connect.add_subparsers(dest="act", required=True, metavar="ACT")

    def act(name: str, run: Any, summary: str) -> Any:
        added = acts.add_parser(name, help=summary, description=summary)
        added.set_defaults(run=run)
        added.add_argument("--json", action="store_true", help="print one JSON object")
        return added

    act("list", _connect_list, "list the saved connections")
    add = act("add", _connect_add, "test a database and save the connection to it")
    add.add_argument("name", metavar="NAME", help="what the connection is called here")
    add.add_argument("--driver", choices=["postgresql", "mysql", "sqlite"], required=True)
    add.add_argument("--host", default="")
    add.add_argument("--port", type=int, help="default: the usual one of the kind of database")
    add.add_argument(
        "--database", required=True, help="of SQLite: a file in the folder `sources` of the store"
    )
    add.add_argument("--user", default="", help="a user who can only read")
    add.add_argument("--tls", choices=["disable", "require", "verify-full"], default="require")
    what = add.add_mutually_exclusive_group(required=True)
    what.add_argument("--table", metavar="SCHEMA.NAME", help="as `connect test` lists it")
    what.add_argument("--select", metavar="SELECT", help="a SELECT; its result is what is imported")
    add.add_argument("--new-column", metavar="COLUMN", help="what tells new rows: a time of change, a number")
    add.add_argument("--save-password", action="store_true", help="encrypted; needs CLIENTELE_SECRET_KEY")
    _password_arguments(add)
    test = act("test", _connect_test, "look what a saved connection can read")
    test.add_argument("name", metavar="NAME")
    _password_arguments(test)
    remove = act("remove", _connect_remove, "put a saved connection into the bin; what it brought stays")
    remove.add_argument("name", metavar="NAME")


def _password_arguments(command: argparse.ArgumentParser) -> None:
    # Never as an argument: every user of the machine can read those.
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "--password-env", metavar="VARIABLE", help="variable of the environment that holds the password"
    )
    where.add_argument("--password-stdin", action="store_true", help="read the password from standard input")


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
    from crm.imports.jobs import Jobs
    from crm.imports.running import import_file

    chosen = _pairs(options.set, "OPTION=VALUE")
    if options.sheet is not None:
        chosen["sheet"] = options.sheet
    joined: dict[str, list[str]] = {}
    for pair in options.join:
        for field, column in _pairs([pair], "FIELD=COLUMN").items():
            joined.setdefault(field, []).append(column)
    told: dict[str, Any] = {
        "kind": options.kind,
        "columns": _pairs(options.map, "FIELD=COLUMN"),
        "options": chosen,
        "joined": joined,
        "constants": _pairs(options.constant, "FIELD=TEXT"),
        "attributes": None
        if options.attribute is None
        else {column: column for column in options.attribute if column},
        "template": options.template,
        "actor": ACTOR,
        "source": "command line",
    }
    if options.dry_run:
        report = workbench.importer.run(options.file, dry_run=True, **told)
    else:
        report = import_file(workbench.importer, Jobs(workbench.settings.home), options.file, **told)
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
    from crm.imports.jobs import Jobs

    running = [
        f"running       {state.started[:16]}  {state.percent:5.0f} % {state.stage or 'Starting':<10}  {state.file_name}"
        for state in Jobs(workbench.settings.home).list_running(work="import")
    ]
    _show(options, {"imports": rows}, [*running, *lines] or ["Nothing was imported yet."])


def _undo(workbench: "Workbench", options: argparse.Namespace) -> None:
    undone = workbench.importer.undo(options.import_id, actor=ACTOR, force=options.force)
    lines = [f"Took back the import of {undone.file_name}."]
    if undone.conflicts:
        lines.append(f"Left {len(undone.conflicts):,} contacts as they are: they were edited since.")
    _show(options, {"import_id": options.import_id, "undone": True, "conflicts": undone.conflicts}, lines)


def _connecting(workbench: "Workbench") -> "Connecting":
    from crm.imports.connecting import Connecting

    return Connecting(workbench.settings, workbench.records, workbench.importer)


def _password(options: argparse.Namespace) -> str | None:
    if options.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if options.password_env is None:
        return None
    if options.password_env not in os.environ:
        raise InvalidValue(
            f"There is no variable {options.password_env} in the environment.",
            "Set it to the password, or use --password-stdin.",
        )
    return os.environ[options.password_env]


def _connect_list(workbench: "Workbench", options: argparse.Namespace) -> None:
    found = _connecting(workbench).connections()
    lines = [
        f"{one.name}: {one.server}, {one.what}, {one.rows:,} rows, "
        f"last refreshed {(one.refreshed_at or 'never')[:16]}"
        for one in found
    ]
    _show(
        options,
        {"connections": [one.as_dict() for one in found]},
        lines or ["No connection was saved yet: `python -m crm connect add`."],
    )


def _connect_add(workbench: "Workbench", options: argparse.Namespace) -> None:
    from crm.imports.drivers import Login

    connecting = _connecting(workbench)
    login = Login(
        options.driver,
        options.database,
        options.host,
        options.port,
        options.user,
        _password(options) or "",
        tls=options.tls,
    )
    source = {"table": options.table} if options.table else {"select": options.select}
    facts = connecting.test(login)
    first = connecting.preview(login, source)
    connecting.save(
        name=options.name,
        login=login,
        source=source,
        new_column=options.new_column,
        keep_password=options.save_password,
        actor=ACTOR,
    )
    saved = connecting.find(name=options.name)
    lines = [
        f"Saved “{saved.name}”: {facts.server}, {saved.what}",
        *(f"  note: {sentence}" for sentence in (*facts.sentences, *first.sentences)),
        f"  columns: {', '.join(first.columns)}",
        f"  import with: python -m crm refresh {saved.name!r}",
    ]
    _show(options, {**saved.as_dict(), **facts.as_dict(), "columns": list(first.columns)}, lines)


def _connect_test(workbench: "Workbench", options: argparse.Namespace) -> None:
    connecting = _connecting(workbench)
    saved = connecting.find(name=options.name)
    facts = connecting.test(connecting.login_of(saved, _password(options)))
    lines = [
        f"Connected to {saved.server} ({facts.server})",
        *(f"  note: {sentence}" for sentence in facts.sentences),
        *(f"  can read: {table}" for table in facts.tables),
    ]
    _show(options, {"name": saved.name, **facts.as_dict()}, lines)


def _connect_remove(workbench: "Workbench", options: argparse.Namespace) -> None:
    connecting = _connecting(workbench)
    saved = connecting.find(name=options.name)
    connecting.remove(saved.connection_id, actor=ACTOR)
    _show(
        options,
        {"name": saved.name, "removed": True},
        [f"Removed “{saved.name}”. What it brought stays; the import history on the page can undo this."],
    )


def _refresh(workbench: "Workbench", options: argparse.Namespace) -> None:
    connecting = _connecting(workbench)
    saved = connecting.find(name=options.name)
    report = connecting.refresh(
        saved,
        actor=ACTOR,
        password=_password(options),
        everything=options.everything,
        kind=options.kind,
        columns=_pairs(options.map, "FIELD=COLUMN"),
        options=_pairs(options.set, "OPTION=VALUE"),
    )
    if report is None:
        nothing = {"connection": saved.name, "import_id": "", "rows_read": 0}
        counts = ("created", "updated", "unchanged", "skipped", "rejected")
        _show(
            options,
            {**nothing, **dict.fromkeys(counts, 0)},
            [f"“{saved.name}” has no new rows."],
        )
        return
    lines = [
        f"Refreshed “{saved.name}” as {report.kind}: {report.rows_read:,} rows read",
        f"  created {report.created:,}, updated {report.updated:,}, unchanged {report.unchanged:,}, "
        f"skipped {report.skipped:,}, rejected {report.rejected:,}",
        *(f"  assumed: {sentence}" for sentence in report.assumed),
        *(f"  note: {sentence}" for sentence in report.warnings),
        *(f"  rejected {number:,}: {reason}" for reason, number in report.reasons),
        f"  undo with: python -m crm undo {report.import_id}",
    ]
    _show(options, {"connection": saved.name, **report.as_dict()}, lines)


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
    assumptions = workbench.assumptions(
        years=options.years,
        discount_rate=options.discount_rate,
        margin=options.margin,
        acquisition_cost=options.acquisition_cost,
        model=options.model,
        holdout_weeks=options.holdout_weeks,
    )
    as_of = workbench.as_of(options.as_of)
    forecast = workbench.valuation.forecast(assumptions, as_of=as_of)
    if forecast.facts is None:
        (reason,) = forecast.verdict.reasons
        raise NotEnoughData(reason.found, reason.help)
    formula = workbench.valuation.dcf(assumptions, as_of=as_of)
    value = workbench.valuation.by_forecast(assumptions, as_of=as_of) if forecast.usable else None
    answer = {
        "as_of": as_of,
        "customers": formula.customers,
        **_fitted(forecast),
        "verdict": {
            "grade": forecast.verdict.grade,
            "usable": forecast.usable,
            "reasons": [reason.found for reason in forecast.verdict.reasons],
            "help": list(dict.fromkeys(reason.help for reason in forecast.verdict.reasons)),
        },
        "total": value and round(value.total, 4),
        "low": value and round(value.low, 4),
        "high": value and round(value.high, 4),
        "mean": value and value.mean,
        "median": value and value.median,
        "expected_orders_12m": value and value.orders_12m / value.customers,
        "probability_alive": value and value.alive / value.customers,
        "years": assumptions.years,
        "discount_rate": assumptions.discount_rate,
        "margin": assumptions.margin,
        "acquisition_cost": round(formula.acquisition_cost, 4),
        "annual_revenue": round(formula.annual_revenue, 4),
        "dcf": _dcf(formula),
    }
    _show(options, answer, _lifetime_value_lines(forecast, value, formula))


def _fitted(forecast: "Forecast") -> dict[str, Any]:
    """Return the model, its parameters and its test, as JSON has them."""
    from crm.analytics.scores import LEVEL

    fit, spend, test = forecast.fit, forecast.spend, forecast.test
    return {
        "model": fit and fit.model,
        "model_asked": forecast.asked_model,
        "model_reason": forecast.why or None,
        "unit": "week",
        **(fit.parameters if fit else dict.fromkeys(("r", "alpha", "a", "b"))),
        "standard_errors": fit and fit.standard_errors,
        "log_likelihood": fit and fit.log_likelihood,
        "gamma_gamma": {
            **(spend.parameters if spend else dict.fromkeys(("p", "q", "v"))),
            "standard_errors": spend and spend.standard_errors,
            "log_likelihood": spend and spend.log_likelihood,
        },
        "holdout": test
        and {
            "weeks": int(test.weeks) if test.weeks == int(test.weeks) else test.weeks,
            "cut": test.cut,
            "customers": test.customers,
            "model": test.model,
            **test.parameters,
            "log_likelihood": test.log_likelihood,
            "predicted": test.predicted,
            "actual": test.actual,
            "bias": test.bias,
            "predicted_revenue": test.predicted_revenue,
            "actual_revenue": test.actual_revenue,
            "revenue_bias": test.revenue_bias,
            "correlation": test.correlation,
            "rmse": test.rmse,
            "interval": {
                "level": LEVEL,
                "low": test.low,
                "high": test.high,
                "low_revenue": test.low_revenue,
                "high_revenue": test.high_revenue,
            },
            "inside": test.inside,
            "promised": test.promised,
            "naive": [asdict(rule) for rule in test.naive],
        },
    }


def _dcf(found: "LifetimeValue") -> dict[str, Any]:
    """Return lifetime value by the DCF formula, and the test of its rule, as JSON has them."""
    test = found.test
    return {
        "total": round(found.total, 4),
        "mean": found.mean,
        "median": found.median,
        "annual_revenue": round(found.annual_revenue, 4),
        "test": {
            "days": test.days,
            "cut": test.cut,
            "predicted": test.predicted,
            "actual": test.actual,
            "bias": test.bias,
            "usable": test.usable,
            "reasons": list(test.verdict_reasons),
        },
    }


def _lifetime_value_lines(
    forecast: "Forecast", value: "ForecastValue | None", formula: "LifetimeValue"
) -> list[str]:
    from crm.analytics.backtest import GRADES

    assumptions = formula.assumptions
    fit, spend, test, verdict = forecast.fit, forecast.spend, forecast.test, forecast.verdict
    lines = [
        f"Lifetime value as of {formula.as_of}: "
        f"{wording.counted(formula.customers, 'customer')} with a purchase",
        f"  forecast: {GRADES[verdict.grade].lower()}",
    ]
    for reason in verdict.reasons:
        lines += [f"    {reason.found}", f"      What would help: {reason.help}"]
    if test is not None:
        lines.append(f"  test: {test.sentence()}")
        lines.append(
            f"    orders: {test.predicted:,.0f} predicted, {test.actual:,.0f} came"
            + ("" if test.bias is None else f" ({wording.signed_percent(test.bias, 1)})")
            + f"; {wording.percent(test.inside)} of customers inside their 80 % interval, which hold {wording.percent(test.promised)} by "
            "their own account"
        )
        lines += [
            f"    “{rule.name}” would have said {rule.orders:,.0f} orders"
            + ("" if rule.orders_bias is None else f" ({wording.signed_percent(rule.orders_bias, 1)})")
            + f", off by {rule.rmse:.3f} a customer; the model {test.rmse:.3f}"
            for rule in test.naive
        ]
    if fit is not None and spend is not None:
        numbers = ", ".join(f"{name} {number:.4g}" for name, number in fit.parameters.items())
        spends = ", ".join(f"{name} {number:.4g}" for name, number in spend.parameters.items())
        lines.append(f"  model: {fit.title}, {numbers} (weeks), log-likelihood {fit.log_likelihood:,.2f}")
        lines.append(f"    Gamma-Gamma, {spends}. {forecast.why}")
    if value is not None and value.mean is not None:
        lines += [
            f"  lifetime value: {value.total:,.2f} ({value.low:,.2f} to {value.high:,.2f}), "
            f"{value.mean:,.2f} a customer",
            f"  likely still customers: {value.alive:,.0f}, {wording.percent(value.alive / value.customers)}",
            f"  expected in 12 months: {value.orders_12m:,.0f} orders, {value.revenue_12m:,.0f} revenue",
        ]
    lines += [
        f"  {assumptions.sentence()}; {formula.acquisition_cost:,.2f} for winning the customers in all",
        f"  DCF formula: {formula.total:,.2f}",
        f"    test: {formula.test.sentence()}",
    ]
    return [re.sub(r"(?<!\w)-(?=\d)", "−", line) for line in lines]


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

    lines = [
        f"Loyalty as of {found.as_of}: {found.customers:,} customers with a purchase",
        f"  repeat rate {wording.percent(found.repeat_rate, 1)}",
        f"  feedback rate {wording.percent(found.feedback_rate, 1)}",
        f"  recommendation rate {wording.percent(found.recommendation_rate, 1)}",
    ]
    if found.nps.score is not None and found.nps.standard_error is not None:
        lines.append(
            f"  NPS {found.nps.score:+.0f} (standard error {found.nps.standard_error:.1f}, "
            f"{found.nps.answers:,} answers)"
        )
    lines += [
        f"  year {row['year'] + 1}: {row['customers']:,} customers, repeat rate {wording.percent(row['repeat_rate'], 1)}"
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

"""A file brought in from beginning to end as one job: seen by every page, cancelled from there, done once.

`Importer.run` without a page: for the command line, and whatever else starts an import by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Unpack

from crm.errors import ClienteleError
from crm.imports import mapping as mapping_of
from crm.imports.formats import Reading
from crm.imports.jobs import STAGES, Cancelled, Jobs, State, key_of
from crm.imports.loading import Importer, Policy, Prepared, Report, Wanted, check_there, sorted_options
from crm.records.imports import Source


def act_of(
    *,
    sha256: str,
    reading: Reading,
    kind: str,
    mapping: Mapping[str, Any],
    answers: Mapping[str, str],
    policy: str,
) -> str:
    """Return the key of an import, the same for a page and for a command that do the same."""
    told = {name: value for name, value in answers.items() if (name, value) != ("key", "customer_id")}
    return key_of(
        sha256=sha256, kind=kind, mapping=mapping, options={**reading.as_options(), **told, "policy": policy}
    )


class _Joined(Exception):
    """Another job has the key of this one."""

    def __init__(self, job: State) -> None:
        super().__init__(job.id)
        self.job = job


def import_file(
    importer: Importer,
    jobs: Jobs,
    path: Path,
    *,
    actor: str,
    source: Source,
    options: Mapping[str, str] | None = None,
    file_name: str | None = None,
    told: Callable[[State], object] | None = None,
    **wanted: Unpack[Wanted],
) -> Report:
    """Import a file as a job and return what became of its rows; see `Importer.run` for what is given.

    Where the same file is being imported in the same way already, by a page or another command, nothing is
    imported twice: this waits for that import and returns its report, or raises its refusal. `told` hears of
    its progress meanwhile.
    """
    sorted_options(options)  # before there is a job: what cannot be asked for is no import that failed
    name = file_name or path.name
    check_there(path, name)
    job = jobs.start(
        work="import",
        file_name=name,
        actor=actor,
        source=source,
        kind=wanted.get("kind") or "",
        stages=tuple(STAGES),
    )

    def claim(
        prepared: Prepared, chosen: mapping_of.Mapping, answers: Mapping[str, str], policy: Policy
    ) -> None:
        key = act_of(
            sha256=prepared.sha256,
            reading=prepared.reading,
            kind=chosen.kind,
            mapping=chosen.as_dict(),
            answers=answers,
            policy=policy,
        )
        other = job.claim(key, kind=chosen.kind)
        if other is not None:
            raise _Joined(other)

    with job:
        try:
            report = importer.run(
                path,
                options=options,
                actor=actor,
                source=source,
                file_name=file_name,
                progress=job,
                before_check=claim,
                **wanted,
            )
        except _Joined as joined:
            other = joined.job
        else:
            job.finish(import_id=report.import_id, report=report.as_dict())
            return report
    jobs.forget(job.id)  # there is one import, and the other job is it
    return report_of(jobs.wait(other.id, told=told))


def report_of(state: State) -> Report:
    """Return what a job that is over did. Raises Cancelled or ClienteleError as it ended."""
    if state.status == "cancelled":
        raise Cancelled(state.message, state.hint)
    if state.status != "done" or state.report is None:
        raise ClienteleError(state.message, state.hint)
    known = {field.name for field in fields(Report)}
    told = {name: value for name, value in state.report.items() if name in known}
    told["reasons"] = tuple((str(row["reason"]), int(row["rows"])) for row in told.get("reasons", ()))
    told |= {name: tuple(told.get(name, ())) for name in ("assumed", "warnings")}
    return Report(**told)

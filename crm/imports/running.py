"""A file brought in from beginning to end as one job: seen by every page, cancelled from there, done once.

`Importer.run` without a page: for the command line, and whatever else starts an import by itself.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from crm.errors import ClienteleError, NotFound
from crm.imports import values
from crm.imports.formats import Reading
from crm.imports.jobs import STAGES, Cancelled, Jobs, State, key_of
from crm.imports.loading import DEFAULT_POLICY, Importer, Report, ask_for_encoding, policy_of
from crm.records.imports import Source
from crm.schema import Kind


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


def import_file(
    importer: Importer,
    jobs: Jobs,
    path: Path,
    *,
    actor: str,
    source: Source,
    kind: Kind | None = None,
    columns: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    file_name: str | None = None,
    joined: Mapping[str, Sequence[str]] | None = None,
    constants: Mapping[str, str] | None = None,
    attributes: Mapping[str, str] | None = None,
    template: str | None = None,
    told: Callable[[State], object] | None = None,
) -> Report:
    """Import a file as a job and return what became of its rows; see `Importer.run` for what is given.

    Where the same file is being imported in the same way already, by a page or another command, nothing is
    imported twice: this waits for that import and returns its report, or raises its refusal. `told` hears of
    its progress meanwhile.
    """
    began = time.monotonic()
    reading, answers = Reading.from_options(options or {})
    policy = policy_of(answers.pop("policy", DEFAULT_POLICY))
    values.checked_options(answers)
    name = file_name or path.name
    if not path.is_file():
        raise NotFound(f"There is no file {name}.", "Check the name and the folder.")
    job = jobs.start(
        work="import", file_name=name, actor=actor, source=source, kind=kind or "", stages=tuple(STAGES)
    )
    with job:
        prepared = importer.prepare(path, file_name=name, reading=reading, progress=job)
        try:
            ask_for_encoding(prepared)
            chosen = importer.mapping_for(
                prepared,
                kind=kind,
                columns=columns,
                joined=joined,
                constants=constants,
                attributes=attributes,
                template=template,
            )
            key = act_of(
                sha256=prepared.sha256,
                reading=prepared.reading,
                kind=chosen.kind,
                mapping=chosen.as_dict(),
                answers=answers,
                policy=policy,
            )
            other = job.claim(key, kind=chosen.kind)
            if other is None:
                checked = importer.check(prepared, chosen, answers, progress=job)
                report = importer.commit(
                    prepared,
                    checked,
                    policy=policy,
                    actor=actor,
                    source=source,
                    progress=job,
                    started=began,
                )
                job.finish(import_id=report.import_id, report=report.as_dict())
                return report
        finally:
            prepared.close()
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

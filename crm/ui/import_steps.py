"""The steps from a chosen file to an import: what it is, which column is what, the check, the import."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from crm import theme
from crm.errors import ClienteleError
from crm.imports import mapping
from crm.imports.checking import Checked, Question
from crm.imports.loading import DEFAULT_POLICY, POLICIES, Policy, Report
from crm.schema import KINDS, Column, Kind
from crm.ui import cache, clock, import_report, state, uploads
from crm.ui.guard import guarded
from crm.ui.uploads import Run, Upload
from crm.ui.widgets import plain, show_error

IMPORTED = "_imported"
SAMPLES = 3
_LONGEST_SAMPLE = 32
_ABSENT = "Not in the file"
_ABOUT = {
    "orders": "one row per order or order line",
    "contacts": "one row per customer",
    "responses": "one row per answer: feedback, recommendation",
}
_EITHER = {
    ("orders", "amount"): "or quantity and unit price",
    ("orders", "quantity"): "with unit price, where there is no amount",
    ("orders", "unit_price"): "with quantity, where there is no amount",
    ("responses", "feedback"): "or recommendation",
    ("responses", "recommendation"): "or feedback",
}
"""Fields of which one or another is needed."""


def choose_file(upload: Upload | None) -> None:
    """Write the place where a file is chosen, what waits already, and why the last one was refused."""
    st.subheader("1. The file", anchor=False)
    st.file_uploader(
        "Choose a file or drop it here",
        key=uploads.UPLOADER,
        on_change=guarded(uploads.take_in),
        help="CSV and its relatives, in any of the usual encodings, with or without a header.",
    )
    if error := uploads.refused():
        show_error(error)
    if upload is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(upload.prepared.file_name)}** was read and waits.")
            st.button("Let go of it", key="let_go", type="tertiary", on_click=guarded(uploads.forget))


# --- 2: what it is ------------------------------------------------------------------------------------


def what_it_is(upload: Upload) -> Kind:
    """Write what kind of file it seems to be and how it was read; return the kind chosen."""
    st.subheader("2. What it is", anchor=False)
    prepared = upload.prepared
    guessed = cache.workbench().importer.mapping_for(prepared).kind
    kind = st.segmented_control(
        "Kind",
        list(KINDS),
        default=guessed,
        required=True,
        format_func=lambda kind: import_report.KINDS[kind],
        key=f"kind_{_token(upload)}",
        persist_state="session",
    )
    chosen: Kind = kind or guessed
    told = "as its headers tell" if chosen == guessed else "as you chose"
    st.markdown(f"{import_report.KINDS[chosen]}, {told}: {_ABOUT[chosen]}.")
    raw = prepared.raw
    st.caption(
        f"{plain(raw.dialect.sentence())} {theme.count(raw.lines_counted)} rows, {len(raw.columns)} columns. "
        f"The first rows as they were read:"
    )
    st.dataframe(
        pd.DataFrame(prepared.sample),
        hide_index=True,
        height=212 if raw.row_count > 5 else "content",
        key=f"preview_{_token(upload)}",
        alt="The first rows of the file",
    )
    return chosen


def _token(upload: Upload) -> str:
    return upload.prepared.path.stem


# --- 3: which column is what --------------------------------------------------------------------------


def which_column(upload: Upload, kind: Kind) -> mapping.Mapping:
    """Write a choice of column for every field, the needed ones first, and return the mapping chosen."""
    st.subheader("3. Which column is what", anchor=False)
    prepared = upload.prepared
    begun = cache.workbench().importer.mapping_for(prepared, kind=kind)
    guess = prepared.guess(kind)
    needed = [column for column in KINDS[kind] if column.required or (kind, column.name) in _EITHER]
    optional = [column for column in KINDS[kind] if column not in needed]
    chosen = _choices(upload, kind, needed, begun, guess)
    found = [column for column in optional if column.name in begun.columns]
    rest = [column for column in optional if column not in found]
    if found:
        st.markdown("**Also found**")
        chosen |= _choices(upload, kind, found, begun, guess)
    if rest:
        with st.expander(f"Fields the file does not seem to have ({len(rest)})"):
            chosen |= _choices(upload, kind, rest, begun, guess)
    ordered = {column.name: source for column in KINDS[kind] if (source := chosen.get(column.name))}
    return mapping.Mapping(kind, ordered)


def _choices(
    upload: Upload, kind: Kind, columns: Sequence[Column], begun: mapping.Mapping, guess: mapping.Guess
) -> dict[str, str | None]:
    sources: list[str | None] = [
        None,
        *(name for name in upload.prepared.raw.columns if name not in mapping.REJECT_COLUMNS),
    ]
    chosen: dict[str, str | None] = {}
    with st.grid(columns=3, min_column_width=240, gap="small") as grid:
        for column in columns:
            first = begun.columns.get(column.name)
            with grid.cell():
                source = st.selectbox(
                    _label(kind, column),
                    sources,
                    index=sources.index(first) if first in sources else 0,
                    format_func=lambda name: _ABSENT if name is None else name,
                    placeholder=_ABSENT,
                    help=column.meaning,
                    key=f"map_{_token(upload)}_{kind}_{column.name}",
                    persist_state="session",
                )
                st.caption(_evidence(upload, column.name, source, begun, guess))
            chosen[column.name] = source
    return chosen


def _label(kind: Kind, column: Column) -> str:
    if column.required:
        return f"{column.title} (required)"
    either = _EITHER.get((kind, column.name))
    return f"{column.title} ({either})" if either else column.title


def _evidence(
    upload: Upload, field: str, source: str | None, begun: mapping.Mapping, guess: mapping.Guess
) -> str:
    """Return sample values of a column, and how sure the guess is and why."""
    if source is None:
        return "–"
    cells = dict.fromkeys(cell.strip() for cell in upload.prepared.sample[source] if cell.strip())
    samples = ", ".join(_cut(cell) for cell in list(cells)[:SAMPLES]) or "empty in the first rows"
    if source != begun.columns.get(field):
        why = "chosen by you"
    elif guess.mapping.columns.get(field) != source:
        why = "as the last time with these headers"
    else:
        sure = guess.confidence[field]
        word = "sure" if sure >= 0.9 else "likely" if sure >= 0.6 else "a guess"
        why = f"{word}: {guess.reason[field]}"
    return plain(f"{samples} ({why})")


def _cut(cell: str) -> str:
    return cell if len(cell) <= _LONGEST_SAMPLE else f"{cell[: _LONGEST_SAMPLE - 1]}…"


# --- 4: the check -------------------------------------------------------------------------------------


def check(upload: Upload, chosen: mapping.Mapping) -> tuple[Checked, Report, Policy] | None:
    """Write what every row would become, and what is asked; return the check, or nothing while it is open."""
    st.subheader("4. The check", anchor=False)
    policy = _policy(upload) if chosen.kind == "contacts" else DEFAULT_POLICY
    answers = _answers(upload, chosen)
    if answers is None:
        st.caption("The check goes on as soon as this is answered.")
        return None
    try:
        with st.spinner("Checking every row …"):
            checked, report = upload.check(chosen, answers, policy)
    except Question:
        st.rerun()  # it was noted, and is asked from now on
    except ClienteleError as error:
        show_error(error)
        return None
    _say_same_file(upload, chosen.kind, report)
    import_report.counts(report.as_dict(), key="check_counts")
    import_report.notes(report.assumed, report.warnings)
    import_report.rejects(
        report.reasons,
        upload.first_rejects(checked) if report.reasons else [],
        rows_read=report.rows_read,
        file_name=report.file_name,
        data=lambda: upload.rejects(checked),
        key="check_rejects",
    )
    return checked, report, policy


def _policy(upload: Upload) -> Policy:
    chosen = st.radio(
        "Contacts that exist already",
        POLICIES,
        format_func=lambda policy: import_report.POLICIES[policy],
        key=f"policy_{_token(upload)}",
        persist_state="session",
    )
    return chosen or DEFAULT_POLICY


def _answers(upload: Upload, chosen: mapping.Mapping) -> dict[str, str] | None:
    """Ask what the file leaves open and return the answers, or nothing while one is missing."""
    answers: dict[str, str] = {}
    questions = upload.questions(chosen)
    for option, question in questions.items():
        meanings = dict(question.choices)
        with st.container(border=True, gap="small"):
            answer = st.radio(
                plain(question.message),
                list(meanings),
                index=None,
                format_func=lambda value: _capital(meanings[value]),  # noqa: B023 - called at once
                key=f"answer_{_token(upload)}_{option}",
                persist_state="session",
            )
            if question.examples:
                st.caption(plain(f"In the file: {', '.join(question.examples)}."))
        if answer is not None:
            answers[option] = answer
    return answers if len(answers) == len(questions) else None


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _say_same_file(upload: Upload, kind: Kind, report: Report) -> None:
    earlier = cache.workbench().importer.same_file(upload.prepared, kind=kind)
    if earlier is None:
        return
    changes = report.created + report.updated
    st.info(
        f"It came as {plain(earlier['file_name'])}, {clock.said(earlier['started_at'])}, from {plain(earlier['actor'])}. "
        + (
            f"Since then something changed: importing it again changes {theme.count(changes)} rows."
            if changes
            else "Importing it again is allowed and will change nothing."
        ),
        title="This very file was imported before",
        icon=":material/content_copy:",
    )


# --- 5: the import, 6: its result ---------------------------------------------------------------------


def start(upload: Upload, checked: Checked, report: Report, policy: Policy) -> None:
    """Write the button that imports."""
    st.subheader("5. The import", anchor=False)
    changes = report.created + report.updated
    rejected = f" {theme.count(report.rejected)} rejected rows stay out." if report.rejected else ""
    st.markdown(
        f"{theme.count(changes)} row{'s' if changes != 1 else ''} will change what is stored.{rejected} "
        "It can be undone as a whole."
    )
    if st.button(
        f"Import {plain(report.file_name)}", key="import_now", type="primary", icon=":material/upload_file:"
    ):
        upload.start(checked, policy=policy, actor=state.actor())
        st.rerun()


def follow(upload: Upload, run: Run) -> None:
    """Write how far a running import is; when it is over the page runs again."""
    st.subheader("5. The import", anchor=False)
    st.button("Importing …", key="import_now", type="primary", disabled=True)
    _stages(upload.prepared.file_name, run)


@st.fragment(run_every=0.5)
def _stages(file_name: str, run: Run) -> None:
    if run.over.is_set():
        st.rerun()
    # Not as a context: its end would tick the import off.
    box = st.status(
        f"Importing {theme.count(run.rows)} rows of {plain(file_name)}", expanded=True, state="running"
    )
    for seconds, stage in list(run.stages):
        box.markdown(f"{plain(stage)} :gray[(after {seconds:.1f} s)]")
    box.caption("The import goes on if you leave this page; its end stands in the import history.")


def finish(upload: Upload) -> None:
    """Keep which import came of an upload, if one did, and let go of the file."""
    if upload.run is not None and upload.run.report is not None:
        state.put(IMPORTED, upload.run.report.import_id)
        uploads.forget()


def result() -> bool:
    """Write what the last import of this session did and where to go from here; return whether there is one."""
    row = import_report.find(state.get(IMPORTED) or "")
    if row is None or row["status"] != "done":
        state.drop(IMPORTED)
        return False
    st.subheader(f"6. {plain(row['file_name'])} is imported", anchor=False)
    st.caption(plain(import_report.about(row)))
    import_report.import_details(row["import_id"], key="result")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Import another file", key="another", type="primary", on_click=state.drop, args=(IMPORTED,))
        import_report.undo_import(row)
        st.page_link(state.OVERVIEW, label="Overview", icon=":material/monitoring:")
        st.page_link(state.SEGMENTS, label="Segments", icon=":material/donut_small:")
    return True

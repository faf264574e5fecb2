"""The steps from a chosen file to an import: how it was read, which column is what, the check, the import."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import streamlit as st

from crm import wording
from crm.errors import ClienteleError, InvalidValue, MissingColumns
from crm.imports import mapping
from crm.imports.checking import Checked, Question
from crm.imports.jobs import Cancelled
from crm.imports.loading import DEFAULT_POLICY, POLICIES, Policy, Report
from crm.schema import KINDS, Column, Kind
from crm.ui import cache, clock, import_report, reading_choices, state, templates, uploads, work
from crm.ui.guard import guarded
from crm.ui.templates import Template
from crm.ui.uploads import Task, Upload, Waiting
from crm.ui.widgets import plain, show_error

IMPORTED = "_imported"
SAMPLES = 3
_LONGEST_SAMPLE = 32
_ABSENT = "Not in the file"
_JOIN, _SAME = "\x1fjoin", "\x1fsame"
_WAYS = {_JOIN: "Several columns joined …", _SAME: "The same for every row …"}
"""What a field may be instead of one column; no header can be one of these."""

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

_IDS = frozenset({"customer_id", "order_id", "response_id"})
_OWN = frozenset({"email", "phone", "name", "birth_date"})
"""Fields of one person: they are never the same for every row."""

KEYS = {"customer_id": "Customer ID", "email": "E-mail", "phone": "Phone"}
"""What a contact may be recognised by."""


# --- 1: the file --------------------------------------------------------------------------------------


def choose_file(waiting: Waiting | None) -> None:
    """Write the place where a file is chosen, what waits already, and why the last one was refused."""
    st.subheader("1. The file", anchor=False)
    st.file_uploader(
        "Choose a file or drop it here",
        key=uploads.UPLOADER,
        on_change=guarded(uploads.take_in),
        help="Text may have any delimiter and any of the usual encodings, with or without a header; a workbook several "
        "sheets. A gz or zip holds one file.",
    )
    if error := uploads.refused():
        _refuse(error, what="reading", hint="Choose the file again when you like.")
    if waiting is None:
        st.caption("CSV or anything like it, Excel (XLSX, XLS) or Parquet; packed as gz or zip, too.")
        return
    if waiting.upload is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(waiting.name)}** was read and waits.")
            st.button("Let go of it", key="let_go", type="tertiary", on_click=guarded(uploads.forget))
    elif waiting.task is not None:
        work.follow(waiting.task, key="reading", note="The reading goes on if you leave this page.")


def _refuse(error: ClienteleError, *, what: str = "import", hint: str = "") -> None:
    """Write a refusal; that somebody cancelled is no fault, and said more quietly."""
    if isinstance(error, Cancelled):
        st.info(
            plain(hint or error.hint),
            title=f"The {what} was cancelled; nothing was changed.",
            icon=":material/cancel:",
        )
    else:
        show_error(error)


# --- 2: how it was read -------------------------------------------------------------------------------


def how_it_was_read(waiting: Waiting, upload: Upload) -> bool:
    """Write everything that was assumed, the first rows, and how to read it differently.

    Return whether the rest may go on: not while the file is read again or somebody has to say in which
    encoding it is written.
    """
    st.subheader("2. How it was read", anchor=False)
    if waiting.task is not None and not waiting.task.over:
        work.follow(waiting.task, key="reading")
        return False
    if waiting.task is not None and waiting.task.error is not None:
        _refuse(waiting.task.error, what="reading", hint="What was read before is kept.")
        st.caption("What was read before is kept:")
    prepared = upload.prepared
    raw = prepared.raw
    sentences = reading_choices.assumed(prepared)
    st.markdown(
        f"{plain(' '.join(sentences))} {wording.counted(raw.lines_counted, 'row')}, {wording.counted(len(raw.columns), 'column')}."
    )
    if not reading_choices.ask_encoding(waiting, upload):
        return False
    st.dataframe(
        pd.DataFrame(prepared.sample),
        hide_index=True,
        height=248 if raw.row_count > 6 else "content",
        key=f"preview_{_token(upload)}",
        alt="The first rows of the file as they were read",
    )
    if raw.row_count > 1:
        st.caption(f"The first {min(raw.row_count, len(next(iter(prepared.sample.values()), [])))} rows.")
    reading_choices.choose(waiting, upload)
    return True


def _token(upload: Upload) -> str:
    return upload.prepared.scratch.name


# --- 3: which column is what --------------------------------------------------------------------------


def which_column(upload: Upload) -> mapping.Mapping:
    """Write what kind of file it is and a choice for every field, the needed ones first; return the mapping."""
    st.subheader("3. Which column is what", anchor=False)
    kind = _kind(upload)
    prepared = upload.prepared
    template = templates.choose(kind, prepared.raw.columns, token=_token(upload))
    begun = template.mapping if template else cache.workbench().importer.mapping_for(prepared, kind=kind)
    step = _Step(upload, kind, begun, prepared.guess(kind), template)
    needed = [column for column in KINDS[kind] if column.required or step.is_needed(column.name)]
    optional = [column for column in KINDS[kind] if column not in needed]
    found = [column for column in optional if step.begins(column.name) is not None]
    rest = [column for column in optional if column not in found]
    step.ask(needed)
    if found:
        st.markdown("**Also found**")
        step.ask(found)
    if rest:
        with st.expander(f"Fields the file does not seem to have ({len(rest)})"):
            step.ask(rest)
    if kind == "contacts":
        _ask_attributes(step)
    made = step.made()
    templates.offer(made, token=_token(upload))
    return made


def _kind(upload: Upload) -> Kind:
    guessed = cache.workbench().importer.mapping_for(upload.prepared).kind
    kind = st.segmented_control(
        "What the file holds",
        list(KINDS),
        default=guessed,
        required=True,
        format_func=lambda kind: import_report.KINDS[kind],
        key=f"kind_{_token(upload)}",
        persist_state="session",
    )
    chosen: Kind = kind or guessed
    told = "as its headers tell" if chosen == guessed else "as you chose"
    st.caption(f"{import_report.KINDS[chosen]}, {told}: {_ABOUT[chosen]}.")
    return chosen


@dataclass
class _Step:
    """The fields of one kind of file while they are asked for: what each began as, and what was chosen."""

    upload: Upload
    kind: Kind
    begun: mapping.Mapping
    guess: mapping.Guess
    template: Template | None
    columns: dict[str, str] = field(default_factory=dict)
    joined: dict[str, tuple[str, ...]] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> list[str]:
        """The columns of the file that may be data."""
        return [name for name in self.upload.prepared.raw.columns if name not in mapping.REJECT_COLUMNS]

    @property
    def used(self) -> set[str]:
        """The columns that a field was made of."""
        return {*self.columns.values(), *(name for names in self.joined.values() for name in names)}

    def begins(self, name: str) -> str | None:
        """Return what a field begins as: a column, a way of its own, or nothing."""
        if name in self.begun.joined:
            return _JOIN
        if name in self.begun.constants:
            return _SAME
        return self.begun.columns.get(name)

    def is_needed(self, name: str) -> bool:
        """Return whether a field is one of those of which one or another is needed, and none better is there."""
        if (self.kind, name) not in _EITHER:
            return False
        return self.kind != "orders" or name == "amount" or self.begins("amount") is None

    def key(self, what: str, name: str) -> str:
        """Return the name of a widget; a template that is applied begins with widgets of its own."""
        mark = self.template.mark if self.template else ""
        return f"{what}_{_token(self.upload)}_{self.kind}{mark}_{name}"

    def ask(self, columns: Sequence[Column]) -> None:
        """Write a choice for each of the fields, and keep what was chosen."""
        with st.grid(columns=3, min_column_width=240, gap="small") as grid:
            for column in columns:
                with grid.cell():
                    self._ask(column)

    def _ask(self, column: Column) -> None:
        options: list[str | None] = [None, *_ways_of(column), *self.sources]
        first = self.begins(column.name)
        chosen = st.selectbox(
            _label(self.kind, column),
            options,
            index=options.index(first) if first in options else 0,
            format_func=lambda name: _ABSENT if name is None else _WAYS.get(name, name),
            placeholder=_ABSENT,
            help=column.meaning,
            key=self.key("map", column.name),
            persist_state="session",
        )
        if chosen == _JOIN:
            self._ask_joined(column)
        elif chosen == _SAME:
            self._ask_constant(column)
        else:
            if chosen is not None:
                self.columns[column.name] = chosen
            st.caption(self._evidence(column.name, chosen))

    def _ask_joined(self, column: Column) -> None:
        before = [name for name in self.begun.joined.get(column.name, ()) if name in self.sources]
        names = st.multiselect(
            f"Columns joined for {column.title}",
            self.sources,
            default=before,
            placeholder="Choose them in their order",
            label_visibility="collapsed",
            key=self.key("join", column.name),
            persist_state="session",
        )
        if len(names) > 1:
            self.joined[column.name] = tuple(names)
            rows = zip(*(self.upload.prepared.sample[name] for name in names), strict=True)
            cells = (" ".join(part.strip() for part in row if part.strip()) for row in rows)
            st.caption(plain(f"{_samples(cells)} ({self._why(column.name, tuple(names))})"))
        else:
            if names:
                self.columns[column.name] = names[0]
            st.caption("Choose two columns or more, in the order in which they are joined.")

    def _ask_constant(self, column: Column) -> None:
        text = st.text_input(
            f"{column.title} of every row",
            value=self.begun.constants.get(column.name, ""),
            placeholder="For example EUR" if column.name == "currency" else "The same for every row",
            label_visibility="collapsed",
            key=self.key("same", column.name),
            persist_state="session",
        )
        if text and text.strip():
            self.constants[column.name] = text.strip()
            st.caption("The same for every row.")
        else:
            st.caption("Write what holds for every row.")

    def _evidence(self, field: str, source: str | None) -> str:
        """Return sample values of a column, and how sure the guess is and why."""
        if source is None:
            return "–"
        return plain(f"{_samples(self.upload.prepared.sample[source])} ({self._why(field, source)})")

    def _why(self, field: str, source: str | tuple[str, ...]) -> str:
        """Return why a field comes from a column, or from several joined ones."""

        def of(chosen: mapping.Mapping) -> str | tuple[str, ...] | None:
            return chosen.joined.get(field) or chosen.columns.get(field)

        if source != of(self.begun):
            return "chosen by you"
        if self.template is not None:
            return "as the template says"
        if source != of(self.guess.mapping):
            return "as the last time with these headers"
        sure = self.guess.confidence[field]
        word = "sure" if sure >= 0.9 else "likely" if sure >= 0.6 else "a guess"
        return f"{word}: {self.guess.reason[field]}"

    def made(self) -> mapping.Mapping:
        """Return the mapping that was chosen, its fields in the order of the schema."""
        order = [column.name for column in KINDS[self.kind]]

        def sort(found: Mapping[str, object]) -> list[str]:
            return sorted(found, key=order.index)

        return mapping.Mapping(
            self.kind,
            {name: self.columns[name] for name in sort(self.columns)},
            {name: self.joined[name] for name in sort(self.joined)},
            {name: self.constants[name] for name in sort(self.constants)},
            self.attributes,
        )


def _ways_of(column: Column) -> list[str]:
    if column.name in _IDS or column.type == "yes/no":
        return []
    joined = [_JOIN] if column.type in {"text", "timestamp"} and column.name not in {"email", "phone"} else []
    same = [_SAME] if column.name not in _OWN and column.type in {"text", "number"} else []
    return [*joined, *same]


def _samples(cells: Iterable[str]) -> str:
    texts = dict.fromkeys(cell.strip() for cell in cells if cell.strip())
    return ", ".join(_cut(cell) for cell in list(texts)[:SAMPLES]) or "empty in the first rows"


def _label(kind: Kind, column: Column) -> str:
    if column.required:
        return f"{column.title} (required)"
    either = _EITHER.get((kind, column.name))
    return f"{column.title} ({either})" if either else column.title


def _cut(cell: str) -> str:
    # The invisible sign keeps Markdown from making a link of every address.
    cell = cell.replace("@", "@\N{WORD JOINER}")
    return cell if len(cell) <= _LONGEST_SAMPLE else f"{cell[: _LONGEST_SAMPLE - 1]}…"


def _ask_attributes(step: _Step) -> None:
    """Ask which of the columns that are left over are kept as custom attributes of the contacts: all, at first."""
    left = [name for name in step.sources if name not in step.used]
    if not left:
        return
    out = step.key("_left_out", "")
    dropped: set[str] = state.get(out) or set()
    # The widget begins anew when other columns are left over; what was left out stays left out.
    key = f"{step.key('attributes', '')}{abs(hash(tuple(left)))}"
    if step.begun.attributes and state.get(out) is None:
        dropped = set(left) - set(step.begun.attributes.values())  # as the template or the last time
    kept = st.multiselect(
        "Custom attributes",
        left,
        default=[name for name in left if name not in dropped],
        key=key,
        placeholder="None of the other columns is kept",
        help="Columns that are no field of a contact are kept with it under their own names; audiences can filter on "
        "them. Take out what is not wanted.",
    )
    state.put(out, (dropped - set(left)) | (set(left) - set(kept)))
    step.attributes.update({name: name for name in left if name in kept})


# --- 4: the check -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A check that came to its end: what every row would become, under which answers and policy."""

    checked: Checked
    report: Report
    policy: Policy
    answers: Mapping[str, str]


def check(upload: Upload, chosen: mapping.Mapping) -> Found | None:
    """Write what every row would become, and what is asked; return the check, or nothing while it is open."""
    st.subheader("4. The check", anchor=False)
    policy: Policy = DEFAULT_POLICY
    options: dict[str, str] = {}
    if chosen.kind == "contacts":
        policy, options = _about_contacts(upload, chosen)
    answers = _answers(upload, chosen)
    if answers is None:
        st.caption("The check goes on as soon as this is answered.")
        return None
    answers |= options
    try:
        with st.spinner("Checking every row …"):
            found = upload.check(chosen, answers, policy, actor=state.actor())
    except Question:
        st.rerun()  # it was noted, and is asked from now on
    except (MissingColumns, InvalidValue) as error:
        show_error(error)
        return None
    except ClienteleError as error:
        _refuse(error, what="check", hint="Check again to go on.")
        st.button("Check again", key="check_again", on_click=upload.check_again, icon=":material/refresh:")
        return None
    if found is None:
        if upload.checking is not None:
            work.follow(upload.checking, key="checking")
        return None
    checked, report = found
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
    return Found(checked, report, policy, answers)


def _about_contacts(upload: Upload, chosen: mapping.Mapping) -> tuple[Policy, dict[str, str]]:
    """Ask what contacts are recognised by, what becomes of those that exist, and where phones are at home."""
    options: dict[str, str] = {}
    present = {*chosen.columns, *chosen.joined}
    keys = [name for name in KEYS if name in present]
    with st.grid(columns=2, min_column_width=300, gap="small") as grid:
        with grid.cell():
            policy: Policy = (
                st.radio(
                    "Contacts that exist already",
                    POLICIES,
                    format_func=lambda policy: import_report.POLICIES[policy],
                    key=f"policy_{_token(upload)}",
                    persist_state="session",
                )
                or DEFAULT_POLICY
            )
        with grid.cell():
            if len(keys) > 1:
                key = st.segmented_control(
                    "A contact is recognised by",
                    keys,
                    default=keys[0],
                    required=True,
                    format_func=lambda name: KEYS[name],
                    key=f"key_{_token(upload)}_{'_'.join(keys)}",
                    persist_state="session",
                    help="By e-mail or phone, a row is taken for the contact that has the same one, whatever its ID.",
                )
                keys = [key or keys[0]]
            if keys and keys[0] != "customer_id":
                options["key"] = keys[0]
            if "phone" in present and (country := reading_choices.ask_country(_token(upload))):
                options["country"] = country
    return policy, options


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
            f"Since then something changed: importing it again changes {wording.counted(changes, 'row')}."
            if changes
            else "Importing it again is allowed and will change nothing."
        ),
        title="This very file was imported before",
        icon=":material/content_copy:",
    )


# --- 5: the import, 6: its result ---------------------------------------------------------------------


def start(upload: Upload, found: Found) -> None:
    """Write the button that imports."""
    st.subheader("5. The import", anchor=False)
    report = found.report
    changes = report.created + report.updated
    out = f" {wording.counted(report.rejected, 'rejected row')} {'stays' if report.rejected == 1 else 'stay'} out."
    st.markdown(
        f"{wording.counted(changes, 'row')} will change what is stored.{out if report.rejected else ''} "
        "It can be undone as a whole."
    )
    if st.button(
        f"Import {plain(report.file_name)}", key="import_now", type="primary", icon=":material/upload_file:"
    ):
        upload.start(found.checked, policy=found.policy, actor=state.actor(), answers=found.answers)
        if upload.run is not None:
            with st.spinner("Importing …"):
                upload.run.wait(uploads.AT_ONCE_S)
        st.rerun()


def follow(run: Task) -> None:
    """Write how far a running import is; when it is over the page runs again."""
    st.subheader("5. The import", anchor=False)
    told = run.state
    if run.joined:
        by = f" {plain(told.actor)} brings it in" if told.actor else "It is brought in"
        st.info(f"{by}; you see how far it is.", title="This very file is being imported already")
    work.follow(
        run,
        key="importing",
        note="The import goes on if you leave this page; its end stands in the import history.",
    )


def failed(run: Task) -> None:
    """Write how the last import of the file ended, where it did not end well."""
    if run.error is not None:
        _refuse(run.error)


def finish(upload: Upload) -> None:
    """Keep which import came of an upload, if one did, and let go of the file."""
    if upload.run is not None and upload.run.over and upload.run.error is None:
        state.put(IMPORTED, upload.run.state.import_id)
        uploads.forget()


def result(
    place: str = IMPORTED,
    *,
    key: str = "result",
    step: str = "6. ",
    again: str = "Import another file",
    then: Sequence[tuple[str, str, str]] = ((state.SEGMENTS, "Segments", ":material/donut_small:"),),
) -> bool:
    """Write what the last import of this session did and where to go from here; return whether there is one.

    `place` is where the session keeps the import's ID. `again` leads back to the beginning, `then` are further
    pages: path, title, icon.
    """
    row = import_report.find(state.get(place) or "")
    if row is None or row["status"] != "done":
        state.drop(place)
        return False
    st.subheader(f"{step}{plain(row['file_name'])} is imported", anchor=False)
    st.caption(plain(import_report.about(row)))
    import_report.import_details(row["import_id"], key=key)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(again, key=f"{key}_again", type="primary", on_click=state.drop, args=(place,))
        import_report.undo_import(row)
        for page, title, icon in ((state.OVERVIEW, "Overview", ":material/monitoring:"), *then):
            st.page_link(page, label=title, icon=icon)
    return True

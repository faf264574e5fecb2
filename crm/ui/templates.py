"""Mappings under a name: applied to a file whose headers are not quite the same, kept for the next one."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import streamlit as st

from crm.imports import mapping
from crm.records import imports as records_of
from crm.schema import Kind
from crm.ui import cache, state
from crm.ui.guard import guarded
from crm.ui.widgets import plain


@dataclass(frozen=True)
class Template:
    """A template fitted to a file: its mapping, with what the file has of it."""

    name: str
    mapping: mapping.Mapping

    @property
    def mark(self) -> str:
        """A short text of its own for every name, for the keys of widgets."""
        return sha256(self.name.encode()).hexdigest()[:8]


def choose(kind: Kind, columns: Sequence[str], *, token: str) -> Template | None:
    """Ask which template is applied, where there are any for the kind of file; say what the file lacks of it."""
    with cache.workbench().records.read() as session:
        known = {row.name: row.mapping for row in records_of.list_templates(session, kind=kind)}
    if not known:
        return None
    name = st.selectbox(
        "Template",
        list(known),
        index=None,
        placeholder="None: as its headers tell",
        key=f"template_{token}_{kind}",
        persist_state="session",
        help="A mapping that was kept under a name. What it says can be changed below.",
        width=360,
    )
    if name is None:
        return None
    applied = mapping.apply_template(mapping.Mapping.from_dict(kind, known[name]), columns)
    with st.container(horizontal=True, vertical_alignment="center"):
        lacking = ", ".join(applied.lacking)
        st.caption(f"The file has no {plain(lacking)}." if lacking else "The file has all of its columns.")
        st.button(
            "Delete this template", key="delete_template", type="tertiary", on_click=_delete, args=(name,)
        )
    return Template(name, applied.mapping)


def offer(made: mapping.Mapping, *, token: str) -> None:
    """Write, behind a fold, the way to keep a mapping under a name."""
    key = f"template_name_{token}"
    with st.expander("Keep this as a template"), st.container(horizontal=True, vertical_alignment="bottom"):
        name = (st.text_input("Name of the template", key=key, persist_state="session") or "").strip()
        with cache.workbench().records.read() as session:
            exists = name in {row.name for row in records_of.list_templates(session)}
        st.button(
            "Replace the template" if exists else "Keep it",
            key="keep_template",
            disabled=not name,
            on_click=_keep,
            args=(name, made, exists),
        )


@guarded
def _keep(name: str, made: mapping.Mapping, overwrite: bool) -> None:
    with cache.workbench().records.write() as session:
        change = records_of.save_template(
            session,
            name=name,
            kind=made.kind,
            mapping=made.as_dict(),
            actor=state.actor(),
            overwrite=overwrite,
        )
    state.say(f"Kept the template {name}.", undo_event=change.event_id)


@guarded
def _delete(name: str) -> None:
    with cache.workbench().records.write() as session:
        event = records_of.delete_template(session, name, actor=state.actor())
    state.say(f"Deleted the template {name}.", undo_event=event)

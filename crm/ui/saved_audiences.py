"""Saved audiences: choose one, save the rule shown, delete one; each act can be undone."""

import json

import streamlit as st

from crm import audiences
from crm.records.audiences import delete_audience, find_audience, list_audiences, save_audience
from crm.ui import cache, state
from crm.ui.guard import guarded

_CHOSEN, _NAME, _SAVE = "saved_audience", "saved_audience_name", "saved_audience_save"


def bar(rule: audiences.Rule | None) -> str | None:
    """Write the choice of saved audiences and what can be done with `rule`; return its name if one is shown as it is."""
    with cache.workbench().records.read() as session:
        saved = {item.id: (item.name, audiences.parse(item.rule)) for item in list_audiences(session)}
    arriving = state.get(_SAVE) is None  # Streamlit forgets a button's state when one leaves the page
    if arriving or state.get(_CHOSEN) not in saved:
        state.put(_CHOSEN, next((number for number, (_, stored) in saved.items() if stored == rule), None))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox(
            "Saved audience",
            list(saved),
            format_func=lambda number: saved[number][0],
            index=None,
            key=_CHOSEN,
            placeholder="Choose one" if saved else "None saved yet",
            disabled=not saved,
            on_change=_load,
            width=280,
        )
        with st.popover("Save as", icon=":material/bookmark_add:", disabled=rule is None):
            st.text_input("Name", key=_NAME, max_chars=120, placeholder="Lapsed tea drinkers")
            st.button("Save", key=_SAVE, on_click=_save, args=(_json(rule),), type="primary")
        if chosen is None:
            return None
        name, stored = saved[chosen]
        if rule is not None and stored != rule:
            st.button(
                "Save the change",
                key="saved_audience_change",
                on_click=_change,
                args=(chosen, name, _json(rule)),
            )
        st.button(
            "Delete", key="saved_audience_delete", on_click=_delete, args=(chosen,), icon=":material/delete:"
        )
    return name if stored == rule else None


def _json(rule: audiences.Rule | None) -> str:
    return "" if rule is None else audiences.to_json(rule)


@guarded
def _load() -> None:
    chosen = state.get(_CHOSEN)
    if chosen is None:
        return
    with cache.workbench().records.read() as session:
        rule = audiences.parse(find_audience(session, audience_id=chosen).rule)
    state.into_link(rule=audiences.to_json(rule), page=None)


@guarded
def _save(rule: str) -> None:
    name = str(state.get(_NAME) or "")
    with cache.workbench().records.write() as session:
        change = save_audience(session, name=name, rule=json.loads(rule), actor=state.actor())
        number, event = change.record.id, change.event_id
    state.put(_CHOSEN, number)
    state.put(_NAME, "")
    state.say(f"The audience “{name.strip()}” is saved.", undo_event=event)


@guarded
def _change(number: int, name: str, rule: str) -> None:
    with cache.workbench().records.write() as session:
        change = save_audience(
            session, name=name, rule=json.loads(rule), actor=state.actor(), audience_id=number
        )
        event = change.event_id
    state.say(f"The audience “{name}” holds the rule shown.", undo_event=event)


@guarded
def _delete(number: int) -> None:
    with cache.workbench().records.write() as session:
        change = delete_audience(session, audience_id=number, actor=state.actor())
        name, event = change.record.name, change.event_id
    state.put(_CHOSEN, None)
    state.say(f"The audience “{name}” is deleted; its rule stays on screen.", undo_event=event)

"""The form that a rule is built with: rows of field, comparison and value, in all / any groups.

The link holds the rule; the form is what shows it. A rule that the form has no place for (groups inside groups,
"not" before anything but "is empty") is kept as it is and said in words.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import streamlit as st

from crm import audiences
from crm.analytics.segments import OTHER_REGION, SCHEMES
from crm.errors import InvalidValue
from crm.schema import FIELD, SHARE, UNKNOWN, Field, field_of
from crm.ui import cache, state
from crm.ui.guard import guarded
from crm.ui.widgets import show_error

Match = Literal["all", "any"]

IS_NOT_EMPTY = "is_not_empty"
"""Stands for "not is empty", which people look for among the comparisons."""

EVERYONE = audiences.All(())

_FEW_VALUES = ("gender", "city", "country", "channel")
"""Text fields of which so few values are in use that they can be offered."""

_SCORES = ("recency_score", "frequency_score", "monetary_score")


@dataclass(frozen=True)
class Condition:
    """One row of the form: what it starts with; `number` names its inputs."""

    number: int
    field: str | None = None
    op: str | None = None
    value: object = None


@dataclass(frozen=True)
class Group:
    """Rows that hold together, inside the form's own all / any."""

    number: int
    match: Match
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Draft:
    """The form: whether all or any of its parts must hold, and the parts."""

    number: int
    match: Match
    parts: tuple[Condition | Group, ...]


def draft_of(rule: audiences.Rule, numbers: Callable[[], int]) -> Draft | None:
    """Return the form that shows `rule`, or nothing where the form has no place for it.

    `numbers` gives a new number for each part.
    """
    match rule:
        case audiences.All(rules):
            top: Match = "all"
        case audiences.Any(rules):
            top = "any"
        case _:
            top, rules = "all", (rule,)
    parts: list[Condition | Group] = []
    for part in rules:
        shown = _condition_of(part, numbers) or _group_of(part, numbers)
        if shown is None:
            return None
        parts.append(shown)
    return Draft(numbers(), top, tuple(parts))


def _group_of(rule: audiences.Rule, numbers: Callable[[], int]) -> Group | None:
    if not isinstance(rule, audiences.All | audiences.Any) or not rule.rules:
        return None
    conditions = [_condition_of(part, numbers) for part in rule.rules]
    known = tuple(condition for condition in conditions if condition is not None)
    if len(known) < len(conditions):
        return None
    return Group(numbers(), "all" if isinstance(rule, audiences.All) else "any", known)


def _condition_of(rule: audiences.Rule, numbers: Callable[[], int]) -> Condition | None:
    match rule:
        case audiences.Not(audiences.Leaf(field, "is_empty")):
            return Condition(numbers(), field, IS_NOT_EMPTY)
        case audiences.Leaf(name, op, value) if (known := field_of(name)) and op in comparisons(known):
            return Condition(numbers(), name, op, value)
    return None


def comparisons(field: Field) -> tuple[str, ...]:
    """Return the comparisons that the form offers for a field, in their order."""
    listed = field.type == "text" or field.name in _SCORES
    known = tuple(op for op in audiences.OPERATORS[field.type] if op != "in" or listed)
    return (*known, IS_NOT_EMPTY)


def node_of(field: str, op: str, value: object) -> dict[str, object]:
    """Return one row of the form as a condition of a rule in JSON."""
    if op == IS_NOT_EMPTY:
        return {"field": field, "op": "is_empty", "value": False}
    if op == "is_empty":
        return {"field": field, "op": op}
    return {"field": field, "op": op, "value": value}


def joined(match: Match, nodes: Iterable[dict[str, object]]) -> dict[str, object]:
    """Return conditions as one rule in JSON; one alone stands for itself, none is everybody."""
    parts = list(nodes)
    if len(parts) == 1:
        return parts[0]
    return {match: parts} if parts else {"all": []}


# On the page


def build_rule(*, as_of: date) -> audiences.Rule | None:
    """Write the form and return the rule it makes, which the link holds too; nothing where it makes none.

    A condition without a value is left out until it has one.
    """
    text = state.from_link("rule") or audiences.to_json(EVERYONE)
    try:
        linked = audiences.parse(text)
    except InvalidValue as error:
        show_error(error)
        _start_anew()
        return None
    _note_gone(linked)
    draft = _draft(text, linked)
    if draft is None:
        st.info(
            "It has parts that this form has no place for. It counts as it is; change it under “The rule as text”.",
            title="The rule in the link is shown in words only.",
            icon=":material/account_tree:",
        )
        _start_anew()
        return linked
    node = _form(draft, as_of)
    try:
        rule = audiences.parse(node)
    except InvalidValue as error:
        show_error(error)
        return None
    said = audiences.to_json(rule)
    if state.get(_SAID) in (None, said):
        # The link may say the same in other words; rewriting it would put a second entry into the browser's history.
        state.put(_SAID, said)
        return linked
    state.put(_SAID, said)
    state.put(_WRITTEN, said)
    state.into_link(rule=None if rule == EVERYONE else said, page=None)
    return rule


def rule_as_text(rule: audiences.Rule | None) -> None:
    """Write the rule as JSON, to be changed or copied, closed at first."""
    with st.expander("The rule as text", icon=":material/data_object:"):
        text = audiences.to_json(rule) if rule is not None else state.from_link("rule") or ""
        key = "rule_text"
        if state.get("rule_text_of") != text:
            state.put(key, text)
            state.put("rule_text_of", text)
        st.text_area(
            "Rule in JSON",
            key=key,
            help="Groups are all, any and not; a condition has a field, an op and a value. Any rule is accepted.",
        )
        st.button("Use this rule", on_click=_use_text, key="rule_text_use")


_DRAFT, _WRITTEN, _SAID, _NUMBER = "rule_draft", "rule_written", "rule_said", "rule_number"
"""The form; the link it made or was made from; what it said last; the number of its newest part."""

_ADD = "rule_add"


def _draft(text: str, linked: audiences.Rule) -> Draft | None:
    """Return the form as it stands, or made anew when the link or a visit to another page left it behind."""
    draft = state.get(_DRAFT)
    # Streamlit forgets inputs when one leaves the page, this button's state with them.
    alive = state.get(_ADD) is not None
    if alive and isinstance(draft, Draft) and state.get(_WRITTEN) == text:
        return draft
    anew = draft_of(linked, _new_number)
    state.put(_DRAFT, anew)
    state.put(_WRITTEN, text)
    state.drop(_SAID)
    return anew


def _form(draft: Draft, as_of: date) -> dict[str, object]:
    """Write the form and return what its inputs say as a rule in JSON."""
    match = _match(draft) if len(draft.parts) > 1 else _kept_match(draft)
    nodes = []
    for part in draft.parts:
        node = _row(part, as_of) if isinstance(part, Condition) else _group(part, as_of)
        if node is not None:
            nodes.append(node)
    with st.container(horizontal=True):
        st.button("Add a condition", key=_ADD, on_click=_add, icon=":material/add:")
        st.button(
            "Add a group",
            key="rule_add_group",
            on_click=_add_group,
            icon=":material/add_box:",
            help="Conditions of which all or any must hold, counted as one.",
        )
        if draft.parts:
            st.button(
                "Start anew", key="rule_clear", on_click=_clear, icon=":material/close:", type="tertiary"
            )
    return joined(match, nodes)


def _kept_match(draft: Draft) -> Match:
    """Return all or any without asking: with fewer than two parts it makes no difference yet."""
    key = _match_key(draft)
    state.put(key, state.get(key) or draft.match)
    return "any" if state.get(key) == "any" else "all"


def _match(part: Draft | Group) -> Match:
    key = _match_key(part)
    state.put(key, state.get(key) or part.match)
    chosen = st.segmented_control(
        "Customers for whom" if isinstance(part, Draft) else "Group of which",
        ["all", "any"],
        key=key,
        format_func=lambda word: {"all": "all conditions hold", "any": "any condition holds"}[word],
        required=True,
        label_visibility="collapsed",
    )
    return "any" if chosen == "any" else "all"


def _match_key(part: Draft | Group) -> str:
    return f"rule_{part.number}_match"


def _group(group: Group, as_of: date) -> dict[str, object] | None:
    with st.container(border=True, gap="small"):
        match = _match(group)
        nodes = [node for part in group.conditions if (node := _row(part, as_of)) is not None]
        with st.container(horizontal=True):
            st.button(
                "Add to this group",
                key=f"rule_{group.number}_add",
                on_click=_add,
                args=(group.number,),
                icon=":material/add:",
                type="tertiary",
            )
            st.button(
                "Remove this group",
                key=f"rule_{group.number}_remove",
                on_click=_remove,
                args=(group.number,),
                icon=":material/delete:",
                type="tertiary",
            )
    return joined(match, nodes) if nodes else None


def _row(condition: Condition, as_of: date) -> dict[str, object] | None:
    """Write one row and return its condition in JSON, or nothing while it lacks something."""
    key = f"rule_{condition.number}"
    field_slot, op_slot, value_slot, remove_slot = st.columns(
        [3, 2.4, 4, 0.7], vertical_alignment="bottom", gap="small"
    )
    fields = _fields(condition.field)
    names = list(fields)
    with field_slot:
        name = st.selectbox(
            "Field",
            names,
            index=names.index(condition.field) if condition.field else None,
            format_func=lambda name: fields[name].title,
            key=f"{key}_field",
            placeholder="Choose a field",
            label_visibility="collapsed",
        )
    remove_slot.button(
        "",
        key=f"{key}_remove",
        on_click=_remove,
        args=(condition.number,),
        icon=":material/close:",
        help="Remove this condition",
        type="tertiary",
    )
    if name is None:
        return None
    field = fields[name]
    offered = comparisons(field)
    same = name == condition.field
    with op_slot:
        op = st.selectbox(
            "Comparison",
            offered,
            index=offered.index(condition.op) if same and condition.op in offered else _usual(offered),
            format_func=lambda op: _phrase(op, field),
            key=f"{key}_{name}_op",
            label_visibility="collapsed",
        )
    start = condition.value if same else None
    with value_slot:
        value = _value(field, op, start, key=f"{key}_{name}", as_of=as_of)
    return None if value is None else node_of(name, op, value)


def _usual(offered: tuple[str, ...]) -> int:
    """Return the comparison that a new row starts with: at least for numbers and days, one of for text."""
    return next((offered.index(op) for op in (">=", "in") if op in offered), 0)


def _fields(shown: str | None) -> dict[str, Field]:
    """Return the fields to choose from; the one `shown` is among them, though it be gone."""
    fields = cache.fields()
    gone = field_of(shown) if shown is not None and shown not in fields else None
    return fields if gone is None else {**fields, gone.name: gone}


def _note_gone(rule: audiences.Rule) -> None:
    gone = cache.workbench().unknown_attributes(rule)
    if gone:
        st.warning(
            f"{', '.join(gone)} came with a contacts file whose import was undone. "
            "It is empty for every customer until a file brings it again."
            if len(gone) == 1
            else f"{', '.join(gone)} came with contacts files whose imports were undone. "
            "They are empty for every customer until a file brings them again."
        )


def _phrase(op: str, field: Field) -> str:
    if op == IS_NOT_EMPTY:
        return "is not empty"
    if op == "in":
        return "is one of"
    return audiences.phrase(op, field.type)  # type: ignore[arg-type]


def _value(field: Field, op: str, start: Any, *, key: str, as_of: date) -> object | None:
    """Write the inputs for a value that fits the field's type and return it as JSON; nothing while it is missing."""
    if op in ("is_empty", IS_NOT_EMPTY):
        return True
    match op:
        case "between":
            low, high = start if isinstance(start, tuple) else (None, None)
            left, right = st.columns(2, gap="small")
            with left:
                first = _one(field, low, f"{key}_low", "From")
            with right:
                last = _one(field, high, f"{key}_high", "To")
            return None if first is None or last is None else [first, last]
        case "in":
            chosen = [str(item) for item in start] if isinstance(start, tuple) else []
            known = _known_values(field, as_of)
            picked = st.multiselect(
                "Values",
                list(dict.fromkeys([*known, *chosen])),
                default=chosen,
                key=f"{key}_many",
                accept_new_options=field.type == "text",
                # Otherwise Enter takes everything that is spelled a little like what was typed.
                filter_mode="contains",
                select_all=False,
                placeholder="Choose, or type and press Enter" if known else "Type a value and press Enter",
                label_visibility="collapsed",
            )
            return [int(item) if field.type == "integer" else item for item in picked] or None
        case "contains":
            return _text(start, f"{key}_part")
    known = _known_values(field, as_of) if field.type == "text" else []
    if known:
        first = str(start) if isinstance(start, str) else None
        values = list(dict.fromkeys([*known, *([first] if first else [])]))
        return st.selectbox(
            "Value",
            values,
            index=values.index(first) if first else None,
            key=f"{key}_one",
            accept_new_options=True,
            placeholder="Choose or type",
            label_visibility="collapsed",
        )
    return _one(field, start, f"{key}_one", "Value")


def _one(field: Field, start: Any, key: str, label: str) -> object | None:
    """Write one input of a field's type and return its value as JSON."""
    match field.type:
        case "text":
            return _text(start, key)
        case "date":
            day = st.date_input(
                label,
                value=start if isinstance(start, date) else None,
                min_value=min(start, _EARLIEST) if isinstance(start, date) else _EARLIEST,
                max_value=max(start, _LATEST) if isinstance(start, date) else _LATEST,
                format="YYYY-MM-DD",
                key=key,
                label_visibility="collapsed",
            )
            return day.isoformat() if isinstance(day, date) else None
        case "yes/no":
            answer = st.selectbox(
                label,
                ["yes", "no"],
                index=None if start is None else 0 if start else 1,
                key=key,
                placeholder="Yes or no",
                label_visibility="collapsed",
            )
            return None if answer is None else answer == "yes"
        case "integer":
            whole = st.number_input(
                label,
                value=None if start is None else int(start),
                step=1,
                key=key,
                placeholder=f"{label}, {field.unit}" if field.unit else label,
                label_visibility="collapsed",
            )
            return None if whole is None else int(whole)
    if field.unit == SHARE:
        return _percentage(start, key, label)
    decimals = max(2, -Decimal(start).normalize().as_tuple().exponent) if start is not None else 2  # type: ignore[operator]
    number = st.number_input(
        label,
        value=None if start is None else float(start),
        step=1.0,
        format=f"%.{decimals}f",
        key=key,
        placeholder=label,
        label_visibility="collapsed",
    )
    return None if number is None else float(number)


def _percentage(start: Any, key: str, label: str) -> float | None:
    """Write one input of a percentage and return the share it means: 62 is 0.62."""
    shown = None if start is None else float(Decimal(start) * 100)
    number = st.number_input(
        f"{label}, %",
        value=shown,
        min_value=min(0.0, shown or 0.0),  # a rule in the link may say what no share can be
        max_value=max(100.0, shown or 0.0),
        step=5.0,
        format="%g",
        key=key,
        placeholder=f"{label}, %",
        icon=":material/percent:",
        label_visibility="collapsed",
    )
    # In decimals: 57.3 ÷ 100 of floats is not the float nearest to 0.573.
    return None if number is None else float(Decimal(repr(float(number))) / 100)


_EARLIEST, _LATEST = date(1900, 1, 1), date(2100, 12, 31)


def _text(start: Any, key: str) -> str | None:
    typed = st.text_input(
        "Text",
        value=start if isinstance(start, str) else "",
        max_chars=audiences.MAX_LETTERS,
        key=key,
        placeholder="Type and press Enter",
        label_visibility="collapsed",
    )
    return typed or None


def _known_values(field: Field, as_of: date) -> list[str]:
    """Return the values to offer for a field: a scheme's segments, scores, or those in use where they are few."""
    if field.name in _SCORES:
        return ["5", "4", "3", "2", "1"]
    if field.name == "region":
        return [*cache.bands().regions, OTHER_REGION, UNKNOWN]
    for scheme in SCHEMES:
        if scheme.column == field.name:
            return list(scheme.segments)
    if field.name in _FEW_VALUES or (field.name not in FIELD and field.type == "text"):
        return cache.field_values(field.name, as_of=as_of)
    return []


# Acts on the form


def _new_number() -> int:
    number = int(state.get(_NUMBER, 0)) + 1
    state.put(_NUMBER, number)
    return number


def _add(group: int | None = None) -> None:
    draft: Draft = state.get(_DRAFT)
    new = Condition(_new_number())
    if group is None:
        state.put(_DRAFT, replace(draft, parts=(*draft.parts, new)))
        return
    parts = tuple(
        replace(part, conditions=(*part.conditions, new))
        if isinstance(part, Group) and part.number == group
        else part
        for part in draft.parts
    )
    state.put(_DRAFT, replace(draft, parts=parts))


def _add_group() -> None:
    draft: Draft = state.get(_DRAFT)
    new = Group(
        _new_number(), "any" if draft.match == "all" else "all", tuple(Condition(_new_number()) for _ in "12")
    )
    state.put(_DRAFT, replace(draft, parts=(*draft.parts, new)))


def _remove(number: int) -> None:
    draft: Draft = state.get(_DRAFT)
    left = [
        replace(part, conditions=tuple(row for row in part.conditions if row.number != number))
        if isinstance(part, Group)
        else part
        for part in draft.parts
        if part.number != number
    ]
    kept = tuple(part for part in left if isinstance(part, Condition) or part.conditions)
    state.put(_DRAFT, replace(draft, parts=kept))


def _clear() -> None:
    state.into_link(rule=None, page=None)
    state.drop(_DRAFT, _WRITTEN, _SAID)


def _start_anew() -> None:
    st.button("Start with all customers", key="rule_anew", on_click=_clear, icon=":material/restart_alt:")


@guarded
def _use_text() -> None:
    text = str(state.get("rule_text") or "")
    rule = audiences.parse(text)
    state.into_link(rule=None if rule == EVERYONE else audiences.to_json(rule), page=None)

"""One customer: the figures, the contact, the orders, the tickets and the answers; and a contact made anew."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from crm import wording
from crm.errors import ClienteleError, Conflict, NotFound, StaleRecord
from crm.records.audit import Change
from crm.records.contacts import delete_contact, get_contact, list_bin, restore_contact, save_contact
from crm.records.custom_fields import attribute_of
from crm.records.images import title_of
from crm.records.models import Contact
from crm.records.rules import read_contact_values
from crm.records.tickets import count_tickets, list_tickets
from crm.schema import FIELD, UNKNOWN
from crm.schema import Column as Field
from crm.ui import assumptions, cache, clock, forms, measures, record_lists, state
from crm.ui.customer_outlook import customer_outlook
from crm.ui.forms import ATTRIBUTE, CONTACT_FIELDS, Draft
from crm.ui.guard import guarded
from crm.ui.tables import Column, table
from crm.ui.widgets import Kpi, definition_note, kpi_row, page_header, plain, show_error
from crm.wording import Measure

LINES_PER_PAGE = 25
BIN_SHOWN = 20
_SCHEMES = ("rfm_segment", "value_class", "purchase_power", "age_group", "region")
_TABS = ("Contact", "Order lines", "Tickets", "Answers")


def back_to_list() -> None:
    """Write the way from one customer back to all of them."""
    st.button(
        "All customers",
        key="back_to_customers",
        icon=":material/arrow_back:",
        type="tertiary",
        on_click=_leave,
    )


def _leave() -> None:
    state.into_link(customer=None, new=None, orders_page=None, answers_page=None)
    record_lists.search_again("q")


def customer_view(customer_id: str) -> None:
    """Write everything known about one customer; only a refusal and a way back when there is no such one."""
    back_to_list()
    as_of = clock.as_of()
    workbench = cache.workbench()
    with workbench.records.read() as session:
        contact = get_contact(session, customer_id)
        tickets = sum(count_tickets(session, customer_id=customer_id).values())
    _, orders = workbench.customer_orders(customer_id, limit=0)
    _, answers = workbench.customer_answers(customer_id, limit=0)
    figures: dict[str, Any] | None = None
    try:
        assumed = assumptions.in_link(as_of)
        figures = workbench.find_customer(customer_id, as_of=as_of, assumptions=assumed)
    except NotFound as error:
        if not orders and not answers:
            show_error(error)
            _offer_restore(customer_id)
            return
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        with st.container(width="content"):
            page_header(_name(contact, customer_id), _purpose(contact, customer_id, orders))
        if contact is not None:
            _delete(contact)
    if figures is None:
        st.info(f"This customer's first order or answer came after {wording.day(as_of)}, the as-of day.")
    else:
        _figures(figures, as_of)
        customer_outlook(customer_id, figures, assumed, as_of=as_of)
    counts = (None, orders, tickets, answers)
    labels = [
        name if count is None else f"{name} ({wording.count(count)})"
        for name, count in zip(_TABS, counts, strict=True)
    ]
    tabs = st.tabs(labels, key="customer_tab", on_change="rerun")
    bodies = (_contact, _orders, _tickets, _answers)
    for tab, body in zip(tabs, bodies, strict=True):
        if tab.open:
            with tab:
                body(customer_id, contact)


def _offer_restore(customer_id: str) -> None:
    with cache.workbench().records.read() as session:
        contact = get_contact(session, customer_id, deleted=True)
    if contact is not None:
        st.markdown(f"The contact of {plain(_name(contact, customer_id))} is in the bin.")
        st.button("Restore it", key="restore_this", on_click=_restore, args=(customer_id,))


def _name(contact: Contact | None, customer_id: str) -> str:
    return (contact and (contact.name or contact.company)) or f"Customer {customer_id}"


def _purpose(contact: Contact | None, customer_id: str, orders: int) -> str:
    if contact is None:
        return f"Customer ID {customer_id}, known from orders or answers alone; no contact details yet."
    without = "" if orders else ", no orders yet"
    return f"Customer ID {customer_id}{without}. Contact last changed {clock.said(contact.updated_at)}."


def _figures(figures: dict[str, Any], as_of: date) -> None:
    last = figures["last_order_day"]
    revenue, order_value = measures.money("Revenue"), measures.money("Average order value")
    kpi_row(
        [
            Kpi("Revenue", revenue.text(figures["revenue"]), help=FIELD["revenue"].meaning,
                exact=revenue.exact(figures["revenue"])),
            Kpi("Orders", wording.count(figures["orders"]), help=FIELD["orders"].meaning),
            Kpi("Average order value", order_value.text(figures["average_order_value"]),
                help=FIELD["average_order_value"].meaning, exact=order_value.exact(figures["average_order_value"])),
            Kpi("Days since last order", wording.count(figures["recency_days"]), help=FIELD["recency_days"].meaning,
                exact=f"Last order on {wording.day(last)}" if last else ""),
        ],
        key="customer_figures",
    )  # fmt: skip
    st.markdown(
        " · ".join(
            f"{FIELD[name].title} **{plain(figures[name])}**"
            for name in _SCHEMES
            if figures[name] not in (None, UNKNOWN)
        )
    )
    definition_note("Figures count everything up to the end of the as-of day.", as_of)


# --- the contact --------------------------------------------------------------------------------------


def _contact(customer_id: str, contact: Contact | None) -> None:
    if contact is None:
        st.caption("Saving makes a contact for this customer.")
    attributes = _attributes(contact)
    before = _values(contact, attributes)
    draft = forms.open_draft(
        "contact", subject=customer_id, version=contact.version if contact else 0, values=before
    )
    with st.form(draft.key("form"), border=False):
        shown = forms.contact_fields(draft, attributes=attributes)
        sent = st.form_submit_button("Save contact", type="primary")
    if sent:
        _send(draft, customer_id, _stored(shown, before, attributes), contact)


def _attributes(contact: Contact | None) -> tuple[Field, ...]:
    """Return the attributes of the form: those registered, and those that this contact alone still has."""
    registered = cache.fields().items()
    titles = {name: field.title for key, field in registered if (name := attribute_of(key)) is not None}
    left = sorted(set((contact and contact.attributes) or {}) - titles.keys())
    return forms.attribute_fields({**titles, **{name: title_of(name) for name in left}})


def _value(contact: Contact | None, field: str) -> Any:
    if field.startswith(ATTRIBUTE):
        return ((contact and contact.attributes) or {}).get(field.removeprefix(ATTRIBUTE))
    return getattr(contact, field, None)


def _values(contact: Contact | None, attributes: Sequence[Field]) -> dict[str, Any]:
    return {
        column.name: forms.typed(column, _value(contact, column.name))
        for column in (*CONTACT_FIELDS, *attributes)
    }


def _stored(shown: dict[str, Any], before: dict[str, Any], attributes: Sequence[Field]) -> dict[str, Any]:
    stored = {
        column.name: forms.stored(column, shown[column.name], before=before.get(column.name))
        for column in (*CONTACT_FIELDS, *attributes)
        if column.name in shown
    }
    named = {column.name: stored.pop(column.name) for column in attributes if column.name in stored}
    if named:
        stored["attributes"] = {name.removeprefix(ATTRIBUTE): text or None for name, text in named.items()}
    return stored


def _send(draft: Draft, customer_id: str, values: dict[str, Any], contact: Contact | None) -> None:
    try:
        change = forms.once(draft, lambda: _save(customer_id, values, draft.version))
    except (StaleRecord, Conflict) as error:
        show_error(error)
        if contact is not None:
            _settle(customer_id, values, contact)
        return
    except ClienteleError as error:
        show_error(error)
        return
    _said(change, customer_id)
    forms.close_draft("contact")
    st.rerun()


def _save(customer_id: str, values: dict[str, Any], version: int) -> Change[Contact]:
    with cache.workbench().records.write() as session:
        return save_contact(
            session, customer_id=customer_id, values=values, actor=state.actor(), version=version
        )


def _said(change: Change[Contact], customer_id: str) -> None:
    name = _name(change.record, customer_id)
    if change.event_id is None:
        state.say(f"The contact of {name} was as you sent it already.")
    else:
        state.say(f"Saved the contact of {name}.", undo_event=change.event_id)


def _settle(customer_id: str, values: dict[str, Any], contact: Contact) -> None:
    """Write what differs between the form and what somebody else stored, and both ways on."""
    given = values.get("attributes", {})
    mine = read_contact_values({name: value for name, value in values.items() if name != "attributes"})
    mine |= {ATTRIBUTE + name: text for name, text in given.items()}
    forms.differences(
        [
            (column.title, forms.written(column, now), forms.written(column, mine[column.name]))
            for column in (*CONTACT_FIELDS, *_attributes(contact))
            if column.name in mine and (now := _value(contact, column.name)) != mine[column.name]
        ]
    )
    with st.container(horizontal=True):
        st.button(
            "Keep mine", key="keep_mine", on_click=_keep_mine, args=(customer_id, values, contact.version)
        )
        st.button("Take what is stored", key="take_stored", on_click=forms.close_draft, args=("contact",))


@guarded
def _keep_mine(customer_id: str, values: dict[str, Any], version: int) -> None:
    _said(_save(customer_id, values, version), customer_id)
    forms.close_draft("contact")


def _delete(contact: Contact) -> None:
    name = _name(contact, contact.customer_id)
    with forms.confirmation(
        "Delete",
        f"Put the contact of {name} ({contact.customer_id}) into the bin? Orders, answers and tickets stay; "
        "the contact can be restored.",
        key="delete_contact",
    ):
        st.button(
            f"Yes, delete the contact of {plain(name)}",
            key="delete_contact_sure",
            type="primary",
            on_click=_delete_now,
            args=(contact.customer_id, contact.version, name),
        )


@guarded
def _delete_now(customer_id: str, version: int, name: str) -> None:
    with cache.workbench().records.write() as session:
        if get_contact(session, customer_id) is None:
            return  # the second click of two
        change = delete_contact(session, customer_id=customer_id, actor=state.actor(), version=version)
    state.say(f"Deleted the contact of {name}.", undo_event=change.event_id)
    _leave()


# --- what the customer did ----------------------------------------------------------------------------


def _orders(customer_id: str, contact: Contact | None) -> None:
    del contact
    _lines(
        cache.workbench().customer_orders,
        customer_id,
        key="orders_page",
        noun="order lines",
        moment="ordered_at",
        columns=[
            Column("order_id", "Order ID"),
            Column("product", "Product", width=260),
            Column("category", "Category"),
            Column("quantity", "Quantity", Measure("", "number")),
            Column("unit_price", "Unit price", Measure("", "money")),
            Column("amount", "Amount", Measure("", "money")),
            Column("channel", "Channel"),
        ],
    )


def _answers(customer_id: str, contact: Contact | None) -> None:
    del contact
    _lines(
        cache.workbench().customer_answers,
        customer_id,
        key="answers_page",
        noun="answers",
        moment="responded_at",
        columns=[
            Column("order_id", "Order ID"),
            Column("recommendation", "Would recommend, 0–10", Measure("", "count")),
            Column("recommended", "Recommends"),
            Column("feedback", "Feedback"),
        ],
    )


def _lines(
    read: Callable[..., tuple[pd.DataFrame, int]],
    customer_id: str,
    *,
    key: str,
    noun: str,
    moment: str,
    columns: Sequence[Column],
) -> None:
    """Write a page of what a customer did, newest first, in the columns that hold something."""
    _, total = read(customer_id, limit=0)
    if not total:
        st.caption(f"No {noun} yet. They stand here as soon as a file that holds some is imported.")
        return
    number = record_lists.page_of(total, size=LINES_PER_PAGE, name=key)
    rows, _ = read(customer_id, offset=(number - 1) * LINES_PER_PAGE, limit=LINES_PER_PAGE)
    # A source without times of day writes midnight everywhere.
    clocks = (rows[moment].dt.normalize() != rows[moment]).any()
    rows["when"] = [wording.moment(at) if clocks else wording.day(at) for at in rows[moment]]
    table(
        rows,
        [Column("when", "Date"), *(column for column in columns if rows[column.name].notna().any())],
        key=f"{key}_rows",
        alt=f"Page {number} of {total:,} {noun}, newest first",
    )
    record_lists.paging(total, number, key=f"{key}_turn", noun=noun, size=LINES_PER_PAGE, name=key)
    st.caption(f"All {noun}, newest first, those after the as-of day among them.")


def _tickets(customer_id: str, contact: Contact | None) -> None:
    del contact
    with cache.workbench().records.read() as session:
        tickets, total = list_tickets(session, customer_id=customer_id, limit=LINES_PER_PAGE)
    if st.button("New ticket", key="new_ticket_here", icon=":material/add:"):
        state.go(state.TICKETS, new="1", of=customer_id)
    if not total:
        st.caption("No tickets yet.")
        return
    picked = record_lists.ticket_table(tickets, key="customer_tickets", with_customer=False)
    if picked is not None:
        state.go(state.TICKETS, ticket=str(picked))
    if total > len(tickets):
        st.page_link(
            state.TICKETS,
            label=f"All {wording.count(total)} tickets of this customer",
            query_params={"of": customer_id},
        )


# --- a contact made anew, and the bin -----------------------------------------------------------------


def new_contact() -> None:
    """Write the form that makes a contact, and open the contact once it is made."""
    back_to_list()
    page_header("New contact", "Details of a customer, under the ID that your orders use.")
    attributes = _attributes(None)
    empty = _values(None, attributes)
    draft = forms.open_draft("new_contact", subject="", version=0, values={"customer_id": "", **empty})
    with st.form(draft.key("form"), border=False):
        customer_id = st.text_input(
            "Customer ID", key=draft.key("customer_id"), help="As your source writes it, letter for letter."
        )
        shown = forms.contact_fields(draft, attributes=attributes)
        sent = st.form_submit_button("Make contact", type="primary")
    if not sent:
        return
    try:
        change = forms.once(draft, lambda: _save(customer_id.strip(), _stored(shown, empty, attributes), 0))
    except ClienteleError as error:
        show_error(error)
        if isinstance(error, Conflict):
            st.page_link(
                state.CONTACTS,
                label=f"Open customer {plain(customer_id)}",
                query_params={"customer": customer_id.strip()},
            )
        return
    _said(change, customer_id)
    forms.close_draft("new_contact")
    state.into_link(new=None, customer=customer_id.strip())
    st.rerun()


def bin_of_contacts() -> None:
    """Write the contacts in the bin, if any, each with a way back."""
    with cache.workbench().records.read() as session:
        contacts, total = list_bin(session, limit=BIN_SHOWN)
    if total:
        latest = f", the latest {BIN_SHOWN} of them shown" if total > BIN_SHOWN else ""
        record_lists.binned(
            f"Bin ({wording.count(total)}{latest})",
            [
                (
                    one.customer_id,
                    f"{_name(one, one.customer_id)} ({one.customer_id}), deleted {clock.said(one.deleted_at)}",
                )
                for one in contacts
            ],
            restore=_restore,
            key="restore_contact",
        )


@guarded
def _restore(customer_id: str) -> None:
    with cache.workbench().records.write() as session:
        change = restore_contact(session, customer_id=customer_id, actor=state.actor())
    state.say(f"Restored the contact of {_name(change.record, customer_id)}.", undo_event=change.event_id)

"""One ticket: its text, its status, its comments; and a ticket made anew."""

from typing import Any

import streamlit as st

from crm import wording
from crm.errors import ClienteleError, InvalidValue, NotFound, StaleRecord
from crm.records.audit import Change
from crm.records.contacts import get_contact, save_contact
from crm.records.models import Ticket
from crm.records.tickets import (
    PRIORITIES,
    STATUSES,
    add_comment,
    create_ticket,
    delete_ticket,
    find_ticket,
    list_comments,
    list_tickets,
    restore_ticket,
    update_ticket,
)
from crm.ui import cache, clock, forms, record_lists, state
from crm.ui.forms import Draft
from crm.ui.guard import guarded
from crm.ui.widgets import page_header, plain, show_error

BIN_SHOWN = 20
_TITLES = {
    "subject": "Subject",
    "description": "Description",
    "status": "Status",
    "priority": "Priority",
    "assignee": "Assignee",
}


def back_to_list() -> None:
    """Write the way from one ticket back to all of them."""
    st.button(
        "All tickets", key="back_to_tickets", icon=":material/arrow_back:", type="tertiary", on_click=_leave
    )


def _leave() -> None:
    state.into_link(ticket=None, new=None)
    record_lists.search_again("tq")


def ticket_number(text: str) -> int:
    """Return the number in a link. Raises InvalidValue when it is none."""
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise InvalidValue(f"{text!r} is no ticket number.", "Choose a ticket from the list.")
    return int(text)


def ticket_view(link: str) -> None:
    """Write one ticket; only a refusal and a way back when there is no such one."""
    back_to_list()
    try:
        number = ticket_number(link)
        with cache.workbench().records.read() as session:
            ticket = find_ticket(session, number)
            contact = get_contact(session, ticket.customer_id)
            comments = list_comments(session, number)
    except (NotFound, InvalidValue) as error:
        show_error(error)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        with st.container(width="content"):
            page_header(
                ticket.subject,
                f"Ticket {ticket.id}, opened {clock.said(ticket.created_at)}, last changed {clock.said(ticket.updated_at)}"
                + (f", solved {clock.said(ticket.solved_at)}." if ticket.solved_at else "."),
            )
        _delete(ticket)
    name = (contact and (contact.name or contact.company)) or ""
    st.page_link(
        state.CONTACTS,
        label=f"Customer {plain(f'{name} ({ticket.customer_id})' if name else ticket.customer_id)}",
        icon=":material/person:",
        query_params={"customer": ticket.customer_id},
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        _edit(ticket)
    with right:
        st.subheader(f"Comments ({wording.count(len(comments))})", anchor=False)
        for comment in comments:
            with st.container(border=True, gap="xxsmall"):
                st.caption(plain(f"{comment.author}, {clock.said(comment.created_at)}"))
                st.markdown(plain(comment.body).replace("\n", "  \n"))
        _comment(ticket)


def _edit(ticket: Ticket) -> None:
    before = {name: getattr(ticket, name) or "" for name in _TITLES}
    draft = forms.open_draft("ticket", subject=str(ticket.id), version=ticket.version, values=before)
    with st.form(draft.key("form"), border=False):
        values = _fields(draft)
        sent = st.form_submit_button("Save ticket", type="primary")
    if not sent:
        return
    try:
        change = forms.once(draft, lambda: _save(ticket.id, values, draft.version))
    except StaleRecord as error:
        show_error(error)
        forms.differences(
            [(title, before[name] or "empty", values[name] or "empty") for name, title in _TITLES.items()
             if before[name] != values[name]]
        )  # fmt: skip
        with st.container(horizontal=True):
            st.button(
                "Keep mine", key="keep_mine", on_click=_keep_mine, args=(ticket.id, values, ticket.version)
            )
            st.button("Take what is stored", key="take_stored", on_click=forms.close_draft, args=("ticket",))
        return
    except ClienteleError as error:
        show_error(error)
        return
    _said(change)
    forms.close_draft("ticket")
    st.rerun()


def _fields(draft: Draft) -> dict[str, Any]:
    values: dict[str, Any] = {"subject": st.text_input("Subject", key=draft.key("subject"), max_chars=200)}
    values["description"] = st.text_area("Description", key=draft.key("description"), height=140)
    with st.grid(columns=3, min_column_width=160, gap="small") as grid:
        with grid.cell():
            values["status"] = st.selectbox(
                "Status", STATUSES, key=draft.key("status"), format_func=str.capitalize
            )
        with grid.cell():
            values["priority"] = st.selectbox(
                "Priority", PRIORITIES, key=draft.key("priority"), format_func=str.capitalize
            )
        with grid.cell():
            values["assignee"] = st.text_input("Assignee", key=draft.key("assignee"), help="Who answers it.")
    return {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}


def _save(ticket_id: int, values: dict[str, Any], version: int) -> Change[Ticket]:
    with cache.workbench().records.write() as session:
        return update_ticket(
            session, ticket_id=ticket_id, values=values, actor=state.actor(), version=version
        )


def _said(change: Change[Ticket]) -> None:
    if change.event_id is None:
        state.say(f"Ticket {change.record.id} was as you sent it already.")
    else:
        state.say(f"Saved ticket {change.record.id}.", undo_event=change.event_id)


@guarded
def _keep_mine(ticket_id: int, values: dict[str, Any], version: int) -> None:
    _said(_save(ticket_id, values, version))
    forms.close_draft("ticket")


def _comment(ticket: Ticket) -> None:
    draft = forms.open_draft("comment", subject=str(ticket.id), version=0, values={"body": ""})
    with st.form(draft.key("form"), border=False):
        body = st.text_area("Your comment", key=draft.key("body"))
        sent = st.form_submit_button("Add comment")
    if not sent:
        return

    def add() -> tuple[int | None, int]:
        with cache.workbench().records.write() as session:
            added = add_comment(session, ticket_id=ticket.id, body=body.strip(), actor=state.actor())
            return added.event_id, find_ticket(session, ticket.id).version

    try:
        event, version = forms.once(draft, add)
    except ClienteleError as error:
        show_error(error)
        return
    state.say(f"Added a comment to ticket {ticket.id}.", undo_event=event)
    forms.close_draft("comment")
    forms.advance_draft("ticket", before=ticket.version, version=version)
    st.rerun()


def _delete(ticket: Ticket) -> None:
    with forms.confirmation(
        "Delete",
        f"Put ticket {ticket.id}, “{ticket.subject}”, of customer {ticket.customer_id} into the bin? "
        "It can be restored.",
        key="delete_ticket",
    ):
        st.button(
            f"Yes, delete ticket {ticket.id}",
            key="delete_ticket_sure",
            type="primary",
            on_click=_delete_now,
            args=(ticket.id, ticket.version),
        )


@guarded
def _delete_now(ticket_id: int, version: int) -> None:
    with cache.workbench().records.write() as session:
        if find_ticket(session, ticket_id, deleted=True).deleted_at is not None:
            return  # the second click of two
        change = delete_ticket(session, ticket_id=ticket_id, actor=state.actor(), version=version)
    state.say(f"Deleted ticket {ticket_id}.", undo_event=change.event_id)
    _leave()


# --- a ticket made anew, and the bin ------------------------------------------------------------------


def new_ticket(customer_id: str | None) -> None:
    """Write the form that makes a ticket, for a customer chosen before or searched for here."""
    back_to_list()
    page_header("New ticket", "What a customer asks or complains about.")
    chosen = _choose_customer(customer_id)
    draft = forms.open_draft(
        "new_ticket",
        subject="",
        version=0,
        values={"subject": "", "description": "", "status": "open", "priority": "normal", "assignee": ""},
    )
    with st.form(draft.key("form"), border=False):
        values = _fields(draft)
        sent = st.form_submit_button("Open ticket", type="primary", disabled=chosen is None)
    if not sent or chosen is None:
        return
    try:
        change = forms.once(draft, lambda: _open(chosen, values))
    except ClienteleError as error:
        show_error(error)
        return
    state.say(f"Opened ticket {change.record.id}.", undo_event=change.event_id)
    forms.close_draft("new_ticket")
    state.into_link(new=None, of=None, ticket=str(change.record.id))
    st.rerun()


def _choose_customer(customer_id: str | None) -> str | None:
    with st.grid(columns=2, min_column_width=260, gap="small") as grid:
        with grid.cell():
            text = st.text_input(
                "Find the customer",
                value=customer_id or "",
                key="ticket_customer_search",
                type="search",
                live="300ms",
                placeholder="ID, name, e-mail, phone, company or city",
            )
        rows, total = record_lists.customer_page(text, as_of=clock.as_of(), by="customer_id", page=1)
        names = {
            str(found): name if isinstance(name, str) else ""
            for found, name in zip(rows["customer_id"], rows["name"], strict=True)
        }
        exact = text.strip()
        with grid.cell():
            chosen = st.selectbox(
                "Customer",
                sorted(names, key=lambda found: (found != exact, found)),
                index=0 if exact in names or len(names) == 1 else None,
                format_func=lambda found: f"{names[found]} ({found})" if names.get(found) else found,
                placeholder="Choose one" if names else "Nobody found",
                key=f"ticket_customer_{exact}",
            )
    if total > len(names):
        st.caption(
            f"The first {len(names)} of {wording.count(total)} customers found; type more to narrow them down."
        )
    elif not total:
        st.caption(
            "Nobody of that name or ID is known. Make a contact first, or import the customer's orders."
        )
    return chosen


def _open(customer_id: str, values: dict[str, Any]) -> Change[Ticket]:
    with cache.workbench().records.write() as session:
        # Whoever is written about gets a contact; one in the bin stays there.
        if get_contact(session, customer_id, deleted=True) is None:
            save_contact(session, customer_id=customer_id, values={}, actor=state.actor())
        return create_ticket(session, customer_id=customer_id, actor=state.actor(), **values)


def bin_of_tickets() -> None:
    """Write the tickets in the bin, if any, each with a way back."""
    with cache.workbench().records.read() as session:
        tickets, total = list_tickets(session, deleted=True, limit=BIN_SHOWN)
    if total:
        latest = f", the latest {BIN_SHOWN} of them shown" if total > BIN_SHOWN else ""
        record_lists.binned(
            f"Bin ({wording.count(total)}{latest})",
            [
                (str(one.id), f"Ticket {one.id}, “{one.subject}”, of customer {one.customer_id}, deleted {clock.said(one.deleted_at)}")
                for one in tickets
            ],
            restore=_restore,
            key="restore_ticket",
        )  # fmt: skip


@guarded
def _restore(ticket_id: str) -> None:
    with cache.workbench().records.write() as session:
        change = restore_ticket(session, ticket_id=int(ticket_id), actor=state.actor())
    state.say(f"Restored ticket {ticket_id}.", undo_event=change.event_id)

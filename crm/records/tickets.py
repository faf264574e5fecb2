"""Tickets: what customers asked or complained about, and what was answered."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from crm.errors import InvalidValue, NotFound, StaleRecord
from crm.records.audit import Change, record_change
from crm.records.columns import now
from crm.records.images import image_of, titles_of
from crm.records.models import Ticket, TicketComment
from crm.records.rules import check_customer_id, check_text

STATUSES = ("open", "pending", "solved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")

SUBJECT_LENGTH = 200
TEXT_LENGTH = 20_000
NAME_LENGTH = 120

_FIELDS = ("customer_id", "subject", "description", "status", "priority", "assignee")


def list_tickets(
    session: Session,
    *,
    search: str = "",
    status: str | None = None,
    customer_id: str | None = None,
    assignee: str | None = None,
    deleted: bool = False,
    offset: int = 0,
    limit: int = 50,
) -> tuple[Sequence[Ticket], int]:
    """Return a page of the tickets, last changed first, and how many match in all.

    `search` is looked for, whatever its case, in subject, description, customer ID, assignee and
    comments; with `deleted`, the tickets in the bin are listed instead.
    """
    query = select(Ticket).where(Ticket.deleted_at.is_not(None) if deleted else Ticket.deleted_at.is_(None))
    if status is not None:
        query = query.where(Ticket.status == status)
    if customer_id is not None:
        query = query.where(Ticket.customer_id == customer_id)
    if assignee is not None:
        query = query.where(Ticket.assignee == assignee)
    if search.strip():
        query = _holding(query, search.strip())
    total = session.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    page = query.order_by(Ticket.updated_at.desc(), Ticket.id.desc()).offset(offset).limit(limit)
    return session.scalars(page).all(), total


def count_tickets(session: Session, *, customer_id: str | None = None) -> dict[str, int]:
    """Return the number of tickets of each status, 0 included; those in the bin are not counted."""
    query = select(Ticket.status, func.count()).where(Ticket.deleted_at.is_(None)).group_by(Ticket.status)
    if customer_id is not None:
        query = query.where(Ticket.customer_id == customer_id)
    counted = dict(iter(session.execute(query)))
    return {status: counted.get(status, 0) for status in STATUSES}


def find_ticket(session: Session, ticket_id: int, *, deleted: bool = False) -> Ticket:
    """Return one ticket, in the bin too with `deleted`. Raises NotFound."""
    ticket = session.get(Ticket, ticket_id)
    if ticket is None:
        raise NotFound(f"There is no ticket {ticket_id}.", "Choose one from the list of tickets.")
    if ticket.deleted_at is not None and not deleted:
        raise NotFound(f"Ticket {ticket_id} is in the bin.", "Restore it from there first.")
    return ticket


def list_comments(session: Session, ticket_id: int) -> Sequence[TicketComment]:
    """Return a ticket's comments, oldest first."""
    of_ticket = select(TicketComment).where(
        TicketComment.ticket_id == ticket_id, TicketComment.deleted_at.is_(None)
    )
    return session.scalars(of_ticket.order_by(TicketComment.id)).all()


def create_ticket(
    session: Session,
    *,
    customer_id: str,
    subject: str,
    actor: str,
    description: str = "",
    status: str = "open",
    priority: str = "normal",
    assignee: str | None = None,
) -> Change[Ticket]:
    """Open a ticket for a customer, who need not have a contact. Raises InvalidValue."""
    values = _checked(
        {
            "customer_id": customer_id,
            "subject": subject,
            "description": description,
            "status": status,
            "priority": priority,
            "assignee": assignee,
        }
    )
    ticket = Ticket(**values, solved_at=now() if values["status"] in {"solved", "closed"} else None)
    session.add(ticket)
    return record_change(
        session, actor=actor, act="ticket.created", subject_kind="ticket", subject=ticket, before=None
    )


def update_ticket(
    session: Session,
    *,
    ticket_id: int,
    values: Mapping[str, object],
    actor: str,
    version: int | None = None,
) -> Change[Ticket]:
    """Change the given fields of a ticket; solving or reopening it sets or clears `solved_at`.

    Raises InvalidValue, NotFound, and StaleRecord when the ticket is no longer at `version`. Saving
    what is stored already is no change and has no event.
    """
    checked = _checked(values)
    ticket = _hold(session, ticket_id)
    differing = [field for field, value in checked.items() if getattr(ticket, field) != value]
    if version is not None and version != ticket.version:
        raise StaleRecord(
            f"Since ticket {ticket_id} was opened, somebody else changed it; "
            f"differing from yours: {titles_of(differing) or 'nothing'}.",
            "Open it again and repeat the change.",
        )
    if not differing:
        return Change(ticket, None)
    before = image_of(ticket)
    was_solved = ticket.status in {"solved", "closed"}
    for field in differing:
        setattr(ticket, field, checked[field])
    is_solved = ticket.status in {"solved", "closed"}
    ticket.updated_at = now()
    if is_solved != was_solved:
        ticket.solved_at = ticket.updated_at if is_solved else None
    return record_change(
        session, actor=actor, act="ticket.edited", subject_kind="ticket", subject=ticket, before=before
    )


def add_comment(session: Session, *, ticket_id: int, body: str, actor: str) -> Change[TicketComment]:
    """Add a comment to a ticket, which moves it to the top of the list. Raises InvalidValue, NotFound."""
    body = check_text("The comment", body, length=TEXT_LENGTH, required=True, prose=True)
    ticket = _hold(session, ticket_id)
    comment = TicketComment(ticket_id=ticket.id, author=actor, body=body)
    session.add(comment)
    ticket.updated_at = now()
    return record_change(
        session, actor=actor, act="comment.created", subject_kind="comment", subject=comment, before=None
    )


def delete_ticket(
    session: Session, *, ticket_id: int, actor: str, version: int | None = None
) -> Change[Ticket]:
    """Put a ticket into the bin. Raises NotFound, and StaleRecord when it is no longer at `version`."""
    ticket = _hold(session, ticket_id)
    if version is not None and version != ticket.version:
        raise StaleRecord(
            f"Since ticket {ticket_id} was opened, somebody else changed it.",
            "Open it again and look before you delete it.",
        )
    before = image_of(ticket)
    ticket.deleted_at = ticket.updated_at = now()
    return record_change(
        session, actor=actor, act="ticket.deleted", subject_kind="ticket", subject=ticket, before=before
    )


def restore_ticket(session: Session, *, ticket_id: int, actor: str) -> Change[Ticket]:
    """Take a ticket out of the bin, as it was when it went in. Raises NotFound."""
    ticket = _hold(session, ticket_id, deleted=True)
    if ticket.deleted_at is None:
        return Change(ticket, None)
    before = image_of(ticket)
    ticket.deleted_at, ticket.updated_at = None, now()
    return record_change(
        session, actor=actor, act="ticket.restored", subject_kind="ticket", subject=ticket, before=before
    )


def _hold(session: Session, ticket_id: int, *, deleted: bool = False) -> Ticket:
    """Return a ticket as it is now and keep others from changing it until the transaction ends."""
    ticket = find_ticket(session, ticket_id, deleted=True)
    session.refresh(ticket, with_for_update=True)
    return find_ticket(session, ticket_id, deleted=deleted)


def _holding(query: Select[Ticket], words: str) -> Select[Ticket]:
    fields = (Ticket.subject, Ticket.description, Ticket.customer_id, Ticket.assignee)
    commented = (
        select(TicketComment.id)
        .where(
            TicketComment.ticket_id == Ticket.id,
            TicketComment.deleted_at.is_(None),
            TicketComment.body.icontains(words, autoescape=True),
        )
        .exists()
    )
    return query.where(or_(*(field.icontains(words, autoescape=True) for field in fields), commented))


def _checked(values: Mapping[str, object]) -> dict[str, Any]:
    unknown = sorted(set(values) - set(_FIELDS))
    if unknown:
        raise InvalidValue(
            f"A ticket has no field {', '.join(unknown)}.", f"Its fields are {', '.join(_FIELDS)}."
        )
    return {field: _check(field, value) for field, value in values.items()}


def _check(field: str, value: object) -> str | None:
    if field == "customer_id":
        return check_customer_id(value)
    if field == "subject":
        return check_text("The subject", value, length=SUBJECT_LENGTH, required=True)
    if field == "description":
        return check_text("The description", value, length=TEXT_LENGTH, prose=True)
    if field == "assignee":
        return check_text("The assignee", value, length=NAME_LENGTH) or None
    allowed = STATUSES if field == "status" else PRIORITIES
    if value not in allowed:
        raise InvalidValue(f"The {field} {value!r} is unknown.", f"Choose {', '.join(allowed)}.")
    return str(value)

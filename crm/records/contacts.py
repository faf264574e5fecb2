"""Contacts: finding, saving, deleting and restoring one; writing and taking back many is in `bulk`."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from crm.errors import Conflict, InvalidValue, NotFound, StaleRecord
from crm.records.audit import Change, record_change
from crm.records.changes import lock_contacts, next_change
from crm.records.columns import now
from crm.records.custom_fields import LONGEST
from crm.records.images import ATTRIBUTE, image_of, set_attribute, titles_of
from crm.records.models import Contact, CustomField, Tombstone
from crm.records.rules import check_contact_value, check_customer_id, check_text, read_contact_values


def get_contact(session: Session, customer_id: str, *, deleted: bool = False) -> Contact | None:
    """Return a customer's contact, or None; one in the bin only with `deleted`."""
    contact = session.get(Contact, customer_id)
    return None if contact is None or (contact.deleted_at is not None and not deleted) else contact


def find_contact(session: Session, customer_id: str, *, deleted: bool = False) -> Contact:
    """Return a customer's contact, in the bin too with `deleted`. Raises NotFound."""
    contact = get_contact(session, customer_id, deleted=True)
    if contact is None:
        raise NotFound(
            f"Customer {customer_id} has no contact details.",
            "Check the ID, or enter the details to make some.",
        )
    if contact.deleted_at is not None and not deleted:
        raise NotFound(
            f"The contact of customer {customer_id} is in the bin.", "Restore it from there first."
        )
    return contact


def list_bin(session: Session, *, offset: int = 0, limit: int = 50) -> tuple[Sequence[Contact], int]:
    """Return a page of the contacts in the bin, last deleted first, and how many there are in all."""
    binned = select(Contact).where(Contact.deleted_at.is_not(None))
    total = session.execute(select(func.count()).select_from(binned.subquery())).scalar_one()
    order = (Contact.deleted_at.desc(), Contact.customer_id)
    return session.scalars(binned.order_by(*order).offset(offset).limit(limit)).all(), total


def save_contact(
    session: Session,
    *,
    customer_id: str,
    values: Mapping[str, object],
    actor: str,
    version: int | None = None,
) -> Change[Contact]:
    """Create a customer's contact, or change the given fields of the one there is.

    `values` are fields by name; under `attributes` those custom attributes, name → text, that are to be
    written, an empty text or None where one is to go.
    `version` is that of the contact when it was opened; 0 says that there was none, None does not ask.
    A contact in the bin is restored by saving it with 0 or None. Saving what is stored already is no
    change and has no event.

    Raises InvalidValue for a value that breaks its field's rule or an attribute that is not registered, StaleRecord when somebody changed or
    deleted the contact since it was opened, Conflict when `version` is 0 and there is a contact.
    """
    check_customer_id(customer_id)
    read = read_contact_values({name: value for name, value in values.items() if name != "attributes"})
    attributes = _read_attributes(values.get("attributes"))
    lock_contacts(session)
    contact = session.get(Contact, customer_id, populate_existing=True)
    if contact is None:
        _check_attributes(session, attributes, known={})
        if given := {name: text for name, text in attributes.items() if text is not None}:
            read["attributes"] = given
        return _create(session, customer_id=customer_id, values=read, actor=actor, version=version)
    differing = [field for field, value in read.items() if getattr(contact, field) != value]
    before_them = contact.attributes or {}
    written = {name: text for name, text in attributes.items() if before_them.get(name) != text}
    in_bin = contact.deleted_at is not None
    if in_bin and version:
        raise _stale(customer_id, "deleted it", "Restore it from the bin and repeat the change.")
    if not in_bin and version == 0:
        raise Conflict(f"Customer {customer_id} has a contact already.", "Open that contact and edit it.")
    if version and version != contact.version:
        raise _stale(
            customer_id,
            "changed it; differing from yours: "
            + (titles_of([*differing, *(ATTRIBUTE + name for name in written)]) or "nothing"),
            "Open it again and repeat the change.",
        )
    if not in_bin and not differing and not written:
        return Change(contact, None)
    for field in differing:
        # Only what is new is held to the rules: an import may have brought what a form would refuse.
        check_contact_value(field, read[field])
    _check_attributes(session, written, known=before_them)
    before = image_of(contact)
    for field in differing:
        setattr(contact, field, read[field])
    for name, text in written.items():
        set_attribute(contact, name, text)
    contact.deleted_at, contact.updated_at = None, now()
    act = "contact.restored" if in_bin else "contact.edited"
    return record_change(
        session, actor=actor, act=act, subject_kind="contact", subject=contact, before=before
    )


def delete_contact(
    session: Session, *, customer_id: str, actor: str, version: int | None = None
) -> Change[Contact]:
    """Put a contact into the bin. Raises NotFound, and StaleRecord when it is no longer at `version`."""
    lock_contacts(session)
    contact = find_contact(session, customer_id)
    session.refresh(contact)
    if version is not None and version != contact.version:
        raise _stale(customer_id, "changed it", "Open it again and look before you delete it.")
    before = image_of(contact)
    contact.deleted_at = contact.updated_at = now()
    return record_change(
        session, actor=actor, act="contact.deleted", subject_kind="contact", subject=contact, before=before
    )


def restore_contact(session: Session, *, customer_id: str, actor: str) -> Change[Contact]:
    """Take a contact out of the bin, as it was when it went in. Raises NotFound."""
    lock_contacts(session)
    contact = find_contact(session, customer_id, deleted=True)
    session.refresh(contact)
    if contact.deleted_at is None:
        return Change(contact, None)
    before = image_of(contact)
    contact.deleted_at, contact.updated_at = None, now()
    return record_change(
        session, actor=actor, act="contact.restored", subject_kind="contact", subject=contact, before=before
    )


def _create(
    session: Session, *, customer_id: str, values: dict[str, Any], actor: str, version: int | None
) -> Change[Contact]:
    if version:
        raise _stale(customer_id, "removed it", "Enter the contact anew if it is still wanted.")
    for field, value in values.items():
        if field != "attributes":
            check_contact_value(field, value)
    gone = session.get(Tombstone, customer_id, populate_existing=True)
    first_version = 1 if gone is None else gone.version + 1
    if gone is not None:
        session.execute(delete(Tombstone).where(Tombstone.customer_id == customer_id))
    # Not through the unit of work, which would start every contact at version 1.
    session.execute(
        insert(Contact).values(
            customer_id=customer_id, version=first_version, change_seq=next_change(session), **values
        )
    )
    contact = find_contact(session, customer_id)
    return record_change(
        session, actor=actor, act="contact.created", subject_kind="contact", subject=contact, before=None
    )


def _read_attributes(given: object) -> dict[str, str | None]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(text, str | None) for text in given.values()):
        raise InvalidValue("The attributes are not texts by name.", "Give each attribute a text, or None.")
    return {str(name): text or None for name, text in given.items()}


def _check_attributes(
    session: Session, written: Mapping[str, str | None], *, known: Mapping[str, object]
) -> None:
    """Raise InvalidValue for an attribute that nobody registered and the contact lacks, or a text unfit to store."""
    if not written:
        return
    registered = {row.name: row.title for row in session.scalars(select(CustomField))}
    for name, text in written.items():
        if name not in registered and name not in known:
            raise InvalidValue(
                f"Contacts have no attribute {name}.",
                "Import a contacts file with a column of that name first.",
            )
        check_text(registered.get(name, name), text, length=LONGEST)


def _stale(customer_id: str, what: str, hint: str) -> StaleRecord:
    return StaleRecord(f"Since the contact of {customer_id} was opened, somebody else {what}.", hint)

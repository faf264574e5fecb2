"""Tickets: opened, found, answered, solved."""

import pytest

from crm.errors import InvalidValue, NotFound, StaleRecord
from crm.records import audit, tickets
from crm.records.database import Records


def opened(records: Records, **values: str) -> int:
    with records.write() as session:
        made = tickets.create_ticket(
            session, **{"customer_id": "c", "subject": "Late", "actor": "ada", **values}
        )
    return made.record.id


def test_ticket_starts_open_and_normal_without_a_contact(records: Records):
    ticket_id = opened(records, customer_id="00123", description="Where is it?\nI wait.", assignee="")

    with records.read() as session:
        ticket = tickets.find_ticket(session, ticket_id)
    assert (ticket.customer_id, ticket.status, ticket.priority, ticket.assignee, ticket.version) == (
        "00123",
        "open",
        "normal",
        None,
        1,
    )
    assert ticket.solved_at is None


def test_solving_sets_the_moment_closing_keeps_it_and_reopening_clears_it(records: Records):
    ticket_id = opened(records)
    moments = []
    for version, status in enumerate(("solved", "closed", "open"), start=1):
        with records.write() as session:
            changed = tickets.update_ticket(
                session, ticket_id=ticket_id, values={"status": status}, version=version, actor="ada"
            )
            moments.append(changed.record.solved_at)

    assert moments[0] is not None
    assert moments == [moments[0], moments[0], None]


def test_ticket_opened_as_solved_has_the_moment(records: Records):
    ticket_id = opened(records, status="solved")

    with records.read() as session:
        assert tickets.find_ticket(session, ticket_id).solved_at is not None


def test_stale_edit_is_refused_naming_the_fields(records: Records):
    ticket_id = opened(records)
    with records.write() as session:
        tickets.update_ticket(session, ticket_id=ticket_id, values={"priority": "high"}, version=1, actor="a")

    with pytest.raises(StaleRecord, match="Subject"), records.write() as session:
        tickets.update_ticket(session, ticket_id=ticket_id, values={"subject": "x"}, version=1, actor="b")
    with pytest.raises(StaleRecord), records.write() as session:
        tickets.delete_ticket(session, ticket_id=ticket_id, version=1, actor="b")


def test_saving_what_is_stored_is_no_change(records: Records):
    ticket_id = opened(records)
    with records.write() as session:
        same = {"subject": "Late", "priority": "normal", "assignee": ""}
        again = tickets.update_ticket(session, ticket_id=ticket_id, values=same, version=1, actor="a")

    assert (again.event_id, again.record.version) == (None, 1)


@pytest.mark.parametrize(
    "values",
    [
        {"status": "new"},
        {"priority": "highest"},
        {"subject": " "},
        {"subject": "x" * 201},
        {"subject": "two\nlines"},
        {"customer_id": ""},
        {"description": "\x00"},
        {"solved_at": "now"},
        {"assignee": 5},
    ],
)
def test_unusable_values_are_refused(records: Records, values: dict[str, object]):
    ticket_id = opened(records)

    with pytest.raises(InvalidValue), records.write() as session:
        tickets.update_ticket(session, ticket_id=ticket_id, values=values, actor="a")


def test_comments_are_kept_in_order_and_move_the_ticket_up(records: Records):
    first, second = opened(records), opened(records)
    with records.write() as session:
        tickets.add_comment(session, ticket_id=first, body="One\ntwo", actor="ada")
        tickets.add_comment(session, ticket_id=first, body="Three", actor="bob")

    with records.read() as session:
        said = [(comment.author, comment.body) for comment in tickets.list_comments(session, first)]
        assert said == [("ada", "One\ntwo"), ("bob", "Three")]
        assert [ticket.id for ticket in tickets.list_tickets(session)[0]] == [first, second]
        assert audit.list_events(session, subject_kind="comment")[1] == 2
    for body in ("", "  "):
        with pytest.raises(InvalidValue), records.write() as session:
            tickets.add_comment(session, ticket_id=first, body=body, actor="ada")


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("late", {"a"}),
        ("ÄRGER", {"b"}),
        ("客户", {"c"}),
        ("100%", {"c"}),
        ("0_0", set()),
        ("said so", {"a"}),
        ("carol", {"b"}),
        ("", {"a", "b", "c"}),
        ("nowhere", set()),
    ],
)
def test_search_looks_everywhere_whatever_the_case(records: Records, search: str, found: set[str]):
    first = opened(records, customer_id="a", subject="LATE parcel")
    opened(records, customer_id="b", subject="other", description="viel Ärger", assignee="Carol")
    opened(records, customer_id="c", subject="客户 wants 100% back")
    with records.write() as session:
        tickets.add_comment(session, ticket_id=first, body="He said so", actor="ada")

    with records.read() as session:
        rows, total = tickets.list_tickets(session, search=search)
    assert ({ticket.customer_id for ticket in rows}, total) == (found, len(found))


def test_list_is_filtered_and_paged_and_says_how_many(records: Records):
    for number in range(5):
        opened(records, customer_id="x" if number % 2 else "y", assignee="ada" if number else "bob")
    opened(records, customer_id="x", status="pending")

    with records.read() as session:
        page, total = tickets.list_tickets(session, status="open", offset=1, limit=2)
        assert ([ticket.id for ticket in page], total) == ([4, 3], 5)
        assert tickets.list_tickets(session, customer_id="x")[1] == 3
        assert tickets.list_tickets(session, assignee="bob")[1] == 1
        assert tickets.count_tickets(session) == {"open": 5, "pending": 1, "solved": 0, "closed": 0}
        assert tickets.count_tickets(session, customer_id="y") == {
            "open": 3,
            "pending": 0,
            "solved": 0,
            "closed": 0,
        }


def test_deleted_ticket_is_in_the_bin_and_comes_back(records: Records):
    ticket_id = opened(records)
    with records.write() as session:
        tickets.delete_ticket(session, ticket_id=ticket_id, version=1, actor="ada")

    with records.read() as session:
        assert tickets.list_tickets(session) == ([], 0)
        assert tickets.list_tickets(session, deleted=True)[1] == 1
        assert tickets.count_tickets(session)["open"] == 0
    for act in (tickets.find_ticket,):
        with pytest.raises(NotFound, match="bin"), records.read() as session:
            act(session, ticket_id)
    with pytest.raises(NotFound, match="bin"), records.write() as session:
        tickets.add_comment(session, ticket_id=ticket_id, body="x", actor="ada")
    with records.write() as session:
        restored = tickets.restore_ticket(session, ticket_id=ticket_id, actor="ada").record
    assert restored.deleted_at is None
    with pytest.raises(NotFound, match="no ticket"), records.read() as session:
        tickets.find_ticket(session, 999)

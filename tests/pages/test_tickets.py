"""The tickets page: the list, one ticket, a new one."""

from typing import Any

from streamlit.testing.v1 import AppTest

from crm.records.contacts import get_contact
from crm.records.tickets import create_ticket, find_ticket, list_comments, list_tickets, update_ticket
from crm.ui import cache, state
from tests.pages.conftest import link_of, open_page, text_of
from tests.pages.test_contacts import field, press

SOMEBODY = "C00641"


def make(subject: str, customer_id: str = SOMEBODY, **values: Any) -> int:
    with cache.workbench().records.write() as session:
        change = create_ticket(session, customer_id=customer_id, subject=subject, actor="test", **values)
        return change.record.id


def ticket(number: int) -> Any:
    with cache.workbench().records.read() as session:
        return find_ticket(session, number, deleted=True)


def tickets() -> int:
    with cache.workbench().records.read() as session:
        return list_tickets(session)[1]


def test_an_empty_list_says_what_to_do(empty_app: AppTest) -> None:
    """There is nothing yet, and a button for the first one."""
    open_page(empty_app, state.TICKETS)

    assert "There are no tickets yet." in text_of(empty_app)
    press(empty_app, "New ticket")
    assert "Nobody of that name or ID is known." in text_of(empty_app)


def test_search_and_status_narrow_the_list_and_stand_in_the_link(sample_app: AppTest) -> None:
    """Each status says how many it holds."""
    make("Tea arrived cold")
    make("Wrong tea", status="solved")
    open_page(sample_app, state.TICKETS)
    assert list(sample_app.dataframe[0].value["subject"]) == ["Wrong tea", "Tea arrived cold"]

    control = sample_app.segmented_control(key="choice_status")
    assert control.options == ["All 2", "Open 1", "Pending 0", "Solved 1", "Closed 0"]
    control.set_value("solved").run()
    assert link_of(sample_app, "status") == "solved"
    assert list(sample_app.dataframe[0].value["subject"]) == ["Wrong tea"]

    sample_app.text_input(key="tq").set_value("coffee").run()
    assert "No ticket fits." in text_of(sample_app)


def test_a_link_with_a_search_opens_with_it(sample_app: AppTest) -> None:
    """The words are looked for in the subject, among others."""
    make("Tea arrived cold")
    make("Wrong tea")
    open_page(sample_app, state.TICKETS, tq="COLD")

    assert list(sample_app.dataframe[0].value["subject"]) == ["Tea arrived cold"]


def test_more_tickets_than_a_page_are_paged(sample_app: AppTest) -> None:
    """The last page holds the rest; one that is not there is refused and the first is shown."""
    for number in range(53):
        make(f"Ticket {number}")
    open_page(sample_app, state.TICKETS, page="2")
    assert len(sample_app.dataframe[0].value) == 3
    assert "51 to 53 of 53 tickets" in text_of(sample_app)

    open_page(sample_app, state.TICKETS, page="soon")
    assert "“soon” is not the number of a page." in text_of(sample_app)
    assert len(sample_app.dataframe[0].value) == 50


def test_a_ticket_is_opened_for_a_customer_that_was_searched(sample_app: AppTest) -> None:
    """It leads to the customer, and the customer leads to it."""
    open_page(sample_app, state.TICKETS, new="1")
    sample_app.text_input(key="ticket_customer_search").set_value(SOMEBODY).run()
    assert field(sample_app, "Customer").value == SOMEBODY
    field(sample_app, "Subject").set_value("Tea arrived cold")
    field(sample_app, "Priority").set_value("high")
    press(sample_app, "Open ticket")

    number = int(link_of(sample_app, "ticket") or 0)
    assert (ticket(number).customer_id, ticket(number).priority) == (SOMEBODY, "high")
    assert sample_app.title[0].value == "Tea arrived cold"
    assert SOMEBODY in sample_app.get("page_link")[-1].proto.label

    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    assert "Tickets (1)" in [tab.label for tab in sample_app.tabs]


def test_writing_about_a_customer_makes_a_contact_and_leaves_the_bin_alone(sample_app: AppTest) -> None:
    """Whoever had none gets one; one that was deleted stays deleted."""
    open_page(sample_app, state.CONTACTS, customer=SOMEBODY)
    press(
        sample_app,
        next(button.label for button in sample_app.button if button.label.startswith("Yes, delete")),
    )
    open_page(sample_app, state.TICKETS, new="1", of=SOMEBODY)
    field(sample_app, "Subject").set_value("Tea arrived cold")
    press(sample_app, "Open ticket")

    assert tickets() == 1
    with cache.workbench().records.read() as session:
        assert get_contact(session, SOMEBODY) is None


def test_a_form_sent_twice_opens_one_ticket(sample_app: AppTest) -> None:
    """The second click of a double click finds the first one's ticket."""
    open_page(sample_app, state.TICKETS, new="1", of=SOMEBODY)
    field(sample_app, "Subject").set_value("Tea arrived cold")
    draft = sample_app.session_state["_draft_of_new_ticket"]
    press(sample_app, "Open ticket")
    assert tickets() == 1

    # What a click that came before the first one's answer leaves behind: the same draft, sent again.
    sample_app.session_state["_draft_of_new_ticket"] = draft
    for name in ("subject", "description", "assignee"):
        sample_app.session_state[draft.key(name)] = "Tea arrived cold"
    sample_app.session_state[draft.key("status")] = "open"
    sample_app.session_state[draft.key("priority")] = "normal"
    open_page(sample_app, state.TICKETS, new="1", of=SOMEBODY)
    press(sample_app, "Open ticket")
    assert tickets() == 1


def test_an_edit_is_stored_and_can_be_undone(sample_app: AppTest) -> None:
    """Status, priority, assignee, subject and description."""
    number = make("Tea arrived cold")
    open_page(sample_app, state.TICKETS, ticket=str(number))
    field(sample_app, "Status").set_value("solved")
    field(sample_app, "Assignee").set_value("Mei")
    press(sample_app, "Save ticket")
    assert (ticket(number).status, ticket(number).assignee) == ("solved", "Mei")

    press(sample_app, "Undo")
    assert (ticket(number).status, ticket(number).assignee) == ("open", None)
    assert field(sample_app, "Status").value == "open"


def test_somebody_faster_is_not_overwritten(sample_app: AppTest) -> None:
    """What differs is shown; mine can be kept all the same."""
    number = make("Tea arrived cold")
    open_page(sample_app, state.TICKETS, ticket=str(number))
    with cache.workbench().records.write() as session:
        update_ticket(session, ticket_id=number, values={"status": "pending"}, actor="somebody else")
    field(sample_app, "Status").set_value("closed")
    press(sample_app, "Save ticket")

    assert "somebody else changed it" in text_of(sample_app)
    assert sample_app.table[0].value.to_numpy().tolist() == [["Status", "pending", "closed"]]
    press(sample_app, "Keep mine")
    assert ticket(number).status == "closed"


def test_a_comment_is_added_and_an_edit_goes_on_after_it(sample_app: AppTest) -> None:
    """One's own comment does not make one's own form stale; an empty comment is refused."""
    number = make("Tea arrived cold")
    open_page(sample_app, state.TICKETS, ticket=str(number))
    field(sample_app, "Your comment").set_value("On its *way*")
    press(sample_app, "Add comment")
    with cache.workbench().records.read() as session:
        assert [comment.body for comment in list_comments(session, number)] == ["On its *way*"]
    assert "On its *way*" in text_of(sample_app)

    field(sample_app, "Status").set_value("solved")
    press(sample_app, "Save ticket")
    assert ticket(number).status == "solved"
    press(sample_app, "Add comment")
    assert "The comment is empty." in text_of(sample_app)


def test_a_deletion_names_the_ticket_and_can_be_taken_back(sample_app: AppTest) -> None:
    """By the undo, and from the bin."""
    number = make("Tea arrived cold")
    open_page(sample_app, state.TICKETS, ticket=str(number))
    assert f"Put ticket {number}, “Tea arrived cold”" in text_of(sample_app)
    press(sample_app, f"Yes, delete ticket {number}")
    assert ticket(number).deleted_at is not None
    press(sample_app, "Undo")
    assert ticket(number).deleted_at is None

    open_page(sample_app, state.TICKETS, ticket=str(number))
    press(sample_app, f"Yes, delete ticket {number}")
    press(sample_app, "Restore")
    assert ticket(number).deleted_at is None


def test_nonsense_in_the_link_is_answered(sample_app: AppTest) -> None:
    """A number that is none, and a ticket that is not there: a refusal, and the way back."""
    for text, said in (("soon", "is no ticket number"), ("4711", "There is no ticket 4711.")):
        open_page(sample_app, state.TICKETS, ticket=text)
        assert said in text_of(sample_app)
        assert not sample_app.title
    press(sample_app, "All tickets")
    assert sample_app.title[0].value == "Tickets"

"""What generated streams brought to light, each said again in a few facts: the product and the oracle agree on it."""

from collections.abc import Callable
from datetime import date

from tests.oracle.oracle import expected
from tests.oracle.story import Story, recurring
from tests.system.comparison import assert_agrees, read_back
from tests.system.in_process import InProcess

MAY = date(2026, 5, 31)


def told(product: InProcess, story: Story, already: int = 0) -> dict[str, int]:
    """Item key -> net of what the product bills of a story, which is what the oracle expects."""
    product.feed([said.message() for said in story.said[already:]])
    actual = read_back(product.json, product.installation.dsn, "2026-05-31")
    assert_agrees(actual, expected(product.produced(), MAY))
    return {line["item_key"]: line["net_minor"] for line in actual.lines}


def test_an_odd_line_parks_neither_the_other_lines_nor_the_time(in_process: Callable[[], InProcess]) -> None:
    story = Story().contract(
        recurring("50"), recurring("70", line_id="M", timing="whenever"), starts_on=date(2026, 5, 1)
    )
    assert told(in_process(), story.entry("e", 60)) == {"line/K/L/2026-05-01": 50_00, "time/e": 100_00}


def test_a_later_state_nobody_can_read_stops_only_what_it_rules(in_process: Callable[[], InProcess]) -> None:
    story = Story(rounding_scope="ticket").contract(recurring("50"), starts_on=date(2026, 5, 1))
    unread = {"effective_from": date(2026, 5, 25), "starts_on": date(2026, 5, 1), "frequency": "fortnightly"}
    story.contract(recurring("50"), revision=2, **unread)
    story.entry("before", 60, ticket_id="T").entry("after", 60, ticket_id="T", worked_on=date(2026, 5, 26))
    assert told(in_process(), story) == {"ticket/K/T/REMOTE/2026-05-01": 100_00}


def test_a_closed_client_owes_what_was_opened_before(in_process: Callable[[], InProcess]) -> None:
    story = Story().contract(recurring("50"), starts_on=date(2026, 3, 1))
    story.client("acme", revision=2, status="closed", effective_from=date(2026, 4, 15))
    story.client("acme", revision=2, status="closed", effective_from=date(2026, 1, 1), at=story.said[0].at)
    story.client("acme", revision=3, effective_from=date(2026, 1, 1))
    assert told(in_process(), story) == {"line/K/L/2026-03-01": 50_00, "line/K/L/2026-04-01": 50_00}


def test_a_state_said_for_after_the_contracts_end_changes_nothing(in_process: Callable[[], InProcess]) -> None:
    story = Story().contract(recurring("31"), starts_on=date(2026, 5, 1), ends_on=date(2026, 5, 7))
    late = {"effective_from": date(2026, 5, 17), "starts_on": date(2026, 5, 1), "ends_on": date(2026, 5, 7)}
    story.contract(recurring("31", tax_code="NOPE"), revision=2, **late)
    assert told(in_process(), story) == {"line/K/L/2026-05-01": 7_00}


def test_an_unknown_tax_code_stops_only_the_periods_that_name_it(in_process: Callable[[], InProcess]) -> None:
    story = Story().contract(recurring("50"), starts_on=date(2026, 4, 1))
    story.contract(
        recurring("50", tax_code="NOPE"), effective_from=date(2026, 5, 10), starts_on=date(2026, 4, 1), revision=2
    )
    assert told(in_process(), story) == {"line/K/L/2026-04-01": 50_00}


def test_what_is_said_of_entries_nobody_logged_is_seen(in_process: Callable[[], InProcess]) -> None:
    product, story = in_process(), Story().decide("Approved", "lost").decide("Rejected", "late", revision=2)
    story.say("TimeEntryWithdrawn", client_id="nobody", time_entry_id="gone", revision=1).decide("Approved", "late")
    assert told(product, story) == {}
    already = len(story.said)
    story.entry("late", 60, approve=False)
    assert told(product, story, already) == {"time/late": 100_00}


def test_a_claimed_entry_keeps_waiting_when_its_tickets_neighbour_comes(in_process: Callable[[], InProcess]) -> None:
    product, story = in_process(), Story(rounding_scope="ticket").client("beta")
    story.entry("mine", 60, ticket_id="T").entry("mine", 60, ticket_id="T", client_id="beta", approve=False)
    story.decide("Approved", "mine", client_id="beta")
    assert told(product, story) == {"ticket//T/REMOTE/2026-05-01": 100_00}
    already = len(story.said)
    story.entry("other", 30, ticket_id="T", client_id="beta", approve=False)
    story.decide("Approved", "other", client_id="beta")
    product.feed([said.message() for said in story.said[already:]])
    lines = product.json("queue", "--as-of", "2026-05-31", "--lines")
    assert {(line["client_id"], line["net_minor"]) for line in lines} == {("acme", 100_00), ("beta", 50_00)}

"""What an entry says, whatever the order in which its facts arrive."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.time_entry import TimeEntry, evolve
from tests.saying import say

NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


def fold(facts: Any) -> TimeEntry:
    entry = TimeEntry(client_id="acme", time_entry_id="e1")
    for fact in facts:
        entry = evolve(entry, fact)
    return entry


def test_any_order_and_any_repeat_end_in_the_same_entry() -> None:
    facts = [
        say("TimeEntryLogged", worked_minutes=50),
        say("TimeEntryApproved", billable_minutes=30),
        say("TimeEntryAmended", worked_minutes=75, at=LATER),
        say("TimeEntryRejected", revision=2),
        say("TimeEntryWithdrawn", revision=3),
    ]
    expected = fold(facts)
    assert all(fold(order) == expected for order in permutations(facts))
    assert fold([*facts, *facts]) == expected


def test_greatest_revision_counts_however_late_it_was_said() -> None:
    first, second = say("TimeEntryLogged", worked_minutes=50, at=LATER), say("TimeEntryAmended", worked_minutes=75, at=NOON)
    assert fold([first, second]).worked_minutes == fold([second, first]).worked_minutes == 75


def test_between_equal_revisions_the_later_said_counts_then_the_greater_id() -> None:
    early, late = say("TimeEntryLogged", worked_minutes=1, at=NOON), say("TimeEntryLogged", worked_minutes=2, at=LATER)
    assert fold([late, early]).worked_minutes == 2
    small = say("TimeEntryLogged", worked_minutes=3, at=NOON, event_id="00000000-0000-4000-8000-0000000000aa")
    great = say("TimeEntryLogged", worked_minutes=4, at=NOON, event_id="00000000-0000-4000-8000-0000000000ab")
    assert fold([great, small]).worked_minutes == 4


def test_note_and_everything_else_come_from_the_revision_that_counts() -> None:
    entry = fold([say("TimeEntryAmended", ticket_id=None, note="b"), say("TimeEntryLogged", ticket_id="T1", note="a")])
    assert (entry.ticket_id, entry.note) == (None, "b")


@pytest.mark.parametrize(
    ("facts", "approved"),
    [
        ([("TimeEntryApproved", 1, NOON)], True),
        ([("TimeEntryApproved", 2, NOON)], None),
        ([("TimeEntryApproved", 1, NOON), ("TimeEntryRejected", 1, LATER)], False),
        ([("TimeEntryApproved", 1, LATER), ("TimeEntryRejected", 1, NOON)], True),
        ([("TimeEntryApproved", 1, NOON), ("TimeEntryRejected", 1, NOON)], False),
        ([("TimeEntryApproved", 1, NOON), ("TimeEntryRejected", 2, LATER)], True),
    ],
)
def test_latest_decision_on_the_revision_counts_and_a_tie_rejects(facts: list[tuple[str, int, datetime]], approved: bool) -> None:
    decisions = [say(record, revision=revision, at=at) for record, revision, at in facts]
    for order in permutations([say("TimeEntryLogged"), *decisions]):
        decision = fold(order).decision
        assert (decision.approved if decision else None) is approved


def test_approval_may_come_before_its_entry() -> None:
    entry = fold([say("TimeEntryApproved")])
    assert (entry.said, entry.decision) == (None, None)
    decided = evolve(entry, say("TimeEntryLogged")).decision
    assert decided is not None
    assert decided.approved


def test_entry_amended_after_its_withdrawal_is_back() -> None:
    assert fold([say("TimeEntryLogged"), say("TimeEntryWithdrawn", revision=2)]).gone
    assert not fold([say("TimeEntryWithdrawn", revision=2), say("TimeEntryAmended", revision=3)]).gone
    assert not fold([say("TimeEntryLogged")]).gone


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_state_depends_on_no_order_of_arrival(data: st.DataObject) -> None:
    records = st.sampled_from(
        ["TimeEntryLogged", "TimeEntryAmended", "TimeEntryWithdrawn", "TimeEntryApproved", "TimeEntryRejected"]
    )
    shapes = data.draw(st.lists(st.tuples(records, st.integers(1, 3), st.sampled_from([NOON, LATER])), max_size=6))
    facts = [say(record, revision=revision, at=at) for record, revision, at in shapes]
    assert fold(data.draw(st.permutations(facts))) == fold(facts)

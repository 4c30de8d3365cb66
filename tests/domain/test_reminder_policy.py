"""Whose word counts of how a client is reminded, and on which days a statement goes out."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.client_account import ReminderPolicySet, StatementSchedule
from domain.reminder_policy import NO_STATEMENT, is_next_nearer, policy_of, statement_day, statement_days, statement_rule
from tests.saying import say

ON_31ST = StatementSchedule(day_of_month=31, weekday=None)
FRIDAYS = StatementSchedule(day_of_month=None, weekday=5)
schedules = st.one_of(
    st.just(NO_STATEMENT),
    st.builds(StatementSchedule, day_of_month=st.integers(1, 31), weekday=st.none()),
    st.builds(StatementSchedule, day_of_month=st.none(), weekday=st.integers(1, 7)),
)


def policy(client_id: str = "*", **given: Any) -> ReminderPolicySet:
    made: ReminderPolicySet = say("ReminderPolicySet", client_id=client_id, **given)
    return made


def test_policy_inherits_field_by_field_and_nobodys_word_is_the_default() -> None:
    everybodys = policy(due_offsets_days=[7, -3, 7], minimum_balance_minor=500, statement={"day_of_month": 1, "weekday": None})
    own = policy("acme", minimum_balance_minor=0, new_invoice=False)
    found = policy_of([everybodys], [own])
    assert (found.new_invoice, found.due_offsets_days, found.minimum_balance_minor, found.opted_out) == (False, (-3, 7), 0, False)
    assert dict(found.stated) == {
        "new_invoice": "acme", "statement": "*", "due_offsets_days": "*", "minimum_balance_minor": "acme", "opted_out": "",
    }  # fmt: skip
    nobodys = policy_of([], [])
    assert (nobodys.new_invoice, nobodys.statement, nobodys.due_offsets_days, nobodys.opted_out) == (
        True,
        NO_STATEMENT,
        (),
        False,
    )


def test_empty_list_and_empty_schedule_are_words_of_their_own() -> None:
    everybodys = policy(due_offsets_days=[7], statement={"day_of_month": 1, "weekday": None})
    own = policy("acme", due_offsets_days=[], statement={"day_of_month": None, "weekday": None})
    found = policy_of([everybodys], [own])
    assert (found.due_offsets_days, statement_rule(found.statement)) == ((), None)


def test_last_revision_counts_whatever_came_first() -> None:
    later = datetime(2026, 6, 1, tzinfo=UTC)
    states = [policy(revision=2, due_offsets_days=[2]), policy(revision=1, due_offsets_days=[1], at=later)]
    assert policy_of(states, []) == policy_of(list(reversed(states)), [])
    assert policy_of(states, []).due_offsets_days == (2,)
    assert policy_of([policy(due_offsets_days=[9_999, -400, 5])], []).due_offsets_days == (5,), "more than a year off"


@pytest.mark.parametrize(
    ("schedule", "day", "expected"),
    [
        (ON_31ST, date(2026, 2, 28), date(2026, 2, 28)),
        (ON_31ST, date(2028, 2, 28), date(2028, 1, 31)),
        (ON_31ST, date(2026, 6, 30), date(2026, 6, 30)),
        (ON_31ST, date(2026, 7, 30), date(2026, 6, 30)),
        (StatementSchedule(day_of_month=1, weekday=None), date(2026, 1, 1), date(2026, 1, 1)),
        (StatementSchedule(day_of_month=2, weekday=None), date(2026, 1, 1), date(2025, 12, 2)),
        (FRIDAYS, date(2026, 5, 29), date(2026, 5, 29)),
        (FRIDAYS, date(2026, 5, 28), date(2026, 5, 22)),
        (StatementSchedule(day_of_month=None, weekday=1), date(2026, 5, 31), date(2026, 5, 25)),
        (NO_STATEMENT, date(2026, 5, 31), None),
        (StatementSchedule(day_of_month=32, weekday=None), date(2026, 5, 31), None),
        (StatementSchedule(day_of_month=None, weekday=8), date(2026, 5, 31), None),
    ],
)
def test_statement_day(schedule: StatementSchedule, day: date, expected: date | None) -> None:
    assert statement_day(schedule, day) == expected


@given(schedule=schedules, day=st.integers(0, 1_000))
def test_statement_days_are_the_days_that_are_their_own_last(schedule: StatementSchedule, day: int) -> None:
    start = date(2026, 1, 1) + timedelta(days=day)
    found = list(statement_days(schedule, start, start + timedelta(days=62)))
    assert all(start < one and statement_day(schedule, one) == one for one in found)
    assert found == sorted(set(found))
    assert (statement_rule(schedule) is None) == (found == [])


@pytest.mark.parametrize("schedule", [ON_31ST, StatementSchedule(day_of_month=1, weekday=None), FRIDAYS])
def test_statement_days_end_with_the_calendar(schedule: StatementSchedule) -> None:
    found = statement_days(schedule, date(9999, 11, 15), date.max)
    assert 1 <= len(found) <= 7
    assert not is_next_nearer(schedule, found[-1], date.max)


def test_schedule_is_as_old_as_its_last_change_whatever_else_is_edited() -> None:
    first, other = {"day_of_month": 1, "weekday": None}, {"day_of_month": None, "weekday": 5}
    may, june, july = (datetime(2026, month, 2, tzinfo=UTC) for month in (5, 6, 7))
    begun = policy(statement=first, at=may)
    edited = policy(revision=2, statement=first, minimum_balance_minor=1, at=june)
    assert policy_of([begun, edited], []).statement_since == may.date()
    changed = policy(revision=3, statement=other, at=july)
    assert policy_of([edited, changed, begun], []).statement_since == july.date()
    assert policy_of([begun], [policy("acme", statement=first, at=june)]).statement_since == may.date(), "the same in other words"
    assert policy_of([begun], [policy("acme", statement=other, at=june)]).statement_since == june.date()
    taken_back = [policy("acme", statement=other, at=june), policy("acme", revision=2, at=july)]
    assert policy_of([begun], taken_back).statement_since == july.date(), "everybody's counts for it since then"
    assert policy_of([], []).statement_since is None

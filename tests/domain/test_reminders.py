"""What is said on which day, and why not: tables, and laws over any policy and any days of an outage."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.client_account import StatementSchedule
from domain.reminder_policy import (
    NO_STATEMENT,
    Policy,
    is_next_nearer,
    statement_day,
)
from domain.reminders import Account, Bill, Client, ahead, message_id, planned, why_not

ISSUED, DUE = date(2026, 5, 1), date(2026, 5, 31)
ON_31ST = StatementSchedule(day_of_month=31, weekday=None)
FRIDAYS = StatementSchedule(day_of_month=None, weekday=5)


def bill(number: str = "A-1", **given: Any) -> Bill:
    return Bill(**{"currency": "GBP", "issued_on": ISSUED, "due_on": DUE, "outstanding_minor": 100, **given}, number=number)


def client(
    *bills: Bill, policy: Policy | None = None, credit: int = 0, told: frozenset[str] = frozenset(), **given: Any
) -> Client:
    owed = sum(one.outstanding_minor for one in bills)
    accounts = given.pop("accounts", {"GBP": Account(outstanding_minor=owed, unapplied_minor=credit)} if bills else {})
    return Client(client_id="acme", policy=policy or Policy(), bills=bills, accounts=accounts, told=told, **given)


def said(found: Client, day: date) -> dict[str, str | None]:
    """Notice and why it is not sent, on a day."""
    return {one.notice_id: one.why_not for one in planned(found, day)}


def sent(found: Client, day: date) -> list[str]:
    """What is sent on a day."""
    return [one.notice_id for one in planned(found, day) if one.why_not is None]


# ---- new documents ----


def test_new_document_is_told_for_fourteen_days_and_once() -> None:
    found = client(bill(), bill("C-1", credit_note=True, outstanding_minor=0))
    assert said(found, ISSUED) == {"new_invoice/A-1": None, "new_invoice/C-1": None}
    assert said(found, ISSUED + timedelta(days=13)) == {"new_invoice/A-1": None, "new_invoice/C-1": None}
    assert said(found, ISSUED + timedelta(days=14)) == {"new_invoice/A-1": "missed", "new_invoice/C-1": "missed"}
    assert said(found, ISSUED - timedelta(days=1)) == {}, "not before its own date"
    assert said(client(bill(), told=frozenset(["new_invoice/A-1"])), ISSUED) == {}


LATE = ISSUED + timedelta(days=14)
QUIET = Policy(new_invoice=False)


def test_missed_document_is_listed_until_it_is_paid_and_a_credit_note_for_sixty_days() -> None:
    found = client(bill(), bill("C-1", credit_note=True, outstanding_minor=0))
    assert said(found, ISSUED + timedelta(days=59)) == {"new_invoice/A-1": "missed", "new_invoice/C-1": "missed"}
    assert said(found, ISSUED + timedelta(days=60)) == {"new_invoice/A-1": "missed"}
    assert said(found, ISSUED + timedelta(days=900)) == {"new_invoice/A-1": "missed"}
    assert sent(found, LATE) == [], "nobody is mailed years after somebody switches on"
    assert [one.notice_id for one in planned(found, LATE, missed=True) if one.why_not is None] == [
        "new_invoice/A-1", "new_invoice/C-1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (client(bill(outstanding_minor=0)), {}),
        (client(bill(voided=True)), {}),
        (client(bill(), policy=QUIET), {}),
        (client(bill(), policy=Policy(opted_out=True)), {}),
        (client(bill(), told=frozenset(["new_invoice/A-1"])), {}),
        (client(bill(), told=frozenset(["due/A-1/-3/2026-05-31"])), {}),
        (client(bill(), policy=Policy(due_offsets_days=(-20,))), {"due/A-1/-20/2026-05-31": None}),
        (
            client(bill(), policy=Policy(due_offsets_days=(-20,), minimum_balance_minor=101)),
            {"new_invoice/A-1": "missed", "due/A-1/-20/2026-05-31": "below_minimum"},
        ),
        (client(bill(), has_address=False), {"new_invoice/A-1": "no_address"}),
    ],
)
def test_what_is_not_missed(found: Client, expected: dict[str, str | None]) -> None:
    """Not what was paid or taken back, what nobody was to be told of, nor what a reminder brings or brought, with the PDF."""
    assert said(found, LATE) == expected


def test_document_that_was_taken_back_is_not_told() -> None:
    assert said(client(bill(voided=True)), ISSUED) == {"new_invoice/A-1": "voided"}


def test_number_is_quoted_so_that_no_two_notices_can_meet() -> None:
    assert said(client(bill("2026/05 7")), ISSUED) == {"new_invoice/2026%2F05%207": None}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"policy": Policy(opted_out=True)}, "opted_out"),
        ({"policy": Policy(new_invoice=False)}, "switched_off"),
        ({"has_address": False}, "no_address"),
        ({"pending": True}, None),
    ],
)
def test_why_a_new_document_is_not_told(given: dict[str, Any], reason: str | None) -> None:
    assert said(client(bill(), **given), ISSUED) == {"new_invoice/A-1": reason}


# ---- due reminders ----

RULES = Policy(new_invoice=False, due_offsets_days=(-3, 0, 7, 14))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (-4, None), (-3, "-3"), (-1, "-3"), (0, "+0"), (1, "+0"), (6, "+0"), (7, "+7"), (13, "+7"), (14, "+14"), (400, "+14"),
    ],
)  # fmt: skip
def test_latest_rule_that_applies_is_the_one(days: int, expected: str | None) -> None:
    day = DUE + timedelta(days=days)
    assert said(client(bill(), policy=RULES), day) == ({f"due/A-1/{expected}/2026-05-31": None} if expected else {})


def test_reminder_before_the_due_date_is_not_caught_up_after_it() -> None:
    found = client(bill(), policy=Policy(new_invoice=False, due_offsets_days=(-3,)))
    assert said(found, DUE) == {"due/A-1/-3/2026-05-31": None}
    assert said(found, DUE + timedelta(days=1)) == {}


def test_no_rule_reaches_back_behind_the_issue_of_its_invoice() -> None:
    found = client(bill(issued_on=DUE), policy=Policy(new_invoice=False, due_offsets_days=(-3,)))
    assert said(found, DUE) == {"new_invoice/A-1": "switched_off"}


def test_after_a_later_reminder_no_earlier_one_comes_back() -> None:
    told = frozenset(["due/A-1/+14/2026-05-31"])
    found = client(bill(), policy=Policy(new_invoice=False, due_offsets_days=(3, 7)), told=told)
    assert said(found, DUE + timedelta(days=20)) == {}
    rules = Policy(new_invoice=False, due_offsets_days=(3,))
    other_due_date = client(bill(due_on=DUE + timedelta(days=1)), policy=rules, told=told)
    assert said(other_due_date, DUE + timedelta(days=20)) == {"due/A-1/+3/2026-06-01": None}


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (client(bill(outstanding_minor=0), policy=RULES), "paid"),
        (client(bill(), credit=100, policy=RULES), "paid"),
        (client(bill(), credit=99, policy=RULES), None),
        (client(bill(), policy=RULES, pending=True), "payment_pending"),
        (client(bill(pending=True), policy=RULES), "payment_pending"),
        (client(bill(charged_back=True), policy=RULES), "charged_back"),
        (client(bill(), policy=Policy(new_invoice=False, due_offsets_days=(0,), minimum_balance_minor=101)), "below_minimum"),
        (client(bill(), policy=Policy(new_invoice=False, due_offsets_days=(0,), minimum_balance_minor=100)), None),
        (client(bill(), policy=Policy(due_offsets_days=(0,), opted_out=True)), "opted_out"),
        (client(bill(), policy=RULES, has_address=False), "no_address"),
    ],
)
def test_why_nobody_is_reminded(found: Client, reason: str | None) -> None:
    assert said(found, DUE) == {"due/A-1/+0/2026-05-31": reason}
    assert why_not(found, "due/A-1/+0/2026-05-31", "GBP", "A-1", DUE) == reason


def test_minimum_is_compared_with_all_that_is_to_be_paid() -> None:
    rules = Policy(new_invoice=False, due_offsets_days=(0,), minimum_balance_minor=200)
    found = client(bill(), bill("A-2", due_on=DUE + timedelta(days=30)), policy=rules)
    assert said(found, DUE) == {"due/A-1/+0/2026-05-31": None}


def test_reminder_of_an_invoice_that_is_out_of_sight_is_paid() -> None:
    assert why_not(client(), "due/A-1/+0/2026-05-31", "GBP", "A-1", DUE) == "paid"
    assert why_not(client(), "new_invoice/A-1", "GBP", "A-1", DUE) is None


# ---- statements ----


def test_statement_is_for_the_last_day_and_not_for_one_before_it_was_asked_for() -> None:
    rules = Policy(new_invoice=False, statement=ON_31ST)
    assert said(client(bill(), policy=rules), date(2026, 7, 2)) == {"statement/GBP/2026-06-30": None}
    told = frozenset(["statement/GBP/2026-06-30"])
    assert said(client(bill(), policy=rules, told=told), date(2026, 7, 30)) == {}
    assert said(client(bill(), policy=rules, told=told), date(2026, 7, 31)) == {"statement/GBP/2026-07-31": None}
    new = Policy(new_invoice=False, statement=ON_31ST, statement_since=date(2026, 7, 1))
    assert said(client(bill(), policy=new), date(2026, 7, 2)) == {}
    assert said(client(bill(), policy=new), date(2026, 7, 31)) == {"statement/GBP/2026-07-31": None}


@pytest.mark.parametrize(
    ("schedule", "day", "expected"),
    [
        (ON_31ST, date(2026, 7, 15), {"statement/GBP/2026-06-30": None}),  # 15 days since, 16 to go
        (ON_31ST, date(2026, 7, 16), {"statement/GBP/2026-06-30": "overtaken"}),
        (ON_31ST, date(2026, 7, 30), {"statement/GBP/2026-06-30": "overtaken"}),
        (ON_31ST, date(2026, 7, 31), {"statement/GBP/2026-07-31": None}),
        (FRIDAYS, date(2026, 6, 8), {"statement/GBP/2026-06-05": None}),  # Monday
        (FRIDAYS, date(2026, 6, 9), {"statement/GBP/2026-06-05": "overtaken"}),  # Tuesday
    ],
)
def test_missed_statement_waits_for_the_next_one_once_that_is_nearer(
    schedule: StatementSchedule, day: date, expected: dict[str, str | None]
) -> None:
    found = client(bill(), policy=Policy(new_invoice=False, statement=schedule))
    assert said(found, day) == expected
    ((notice_id, reason),) = expected.items()
    assert why_not(found, notice_id, "GBP", None, day) == reason


@given(schedule=st.sampled_from([ON_31ST, FRIDAYS]), days=st.sets(st.integers(0, 200), min_size=1))
def test_two_statements_are_never_closer_than_half_a_schedule(schedule: StatementSchedule, days: set[int]) -> None:
    told: dict[str, date] = {}
    for day in sorted(days):
        on = DUE + timedelta(days=day)
        now = client(bill(), policy=Policy(new_invoice=False, statement=schedule), told=frozenset(told))
        told |= dict.fromkeys(sent(now, on), on)
    days_told = list(told.values())
    least = 14 if schedule is ON_31ST else 4
    assert all((later - one).days >= least for one, later in pairwise(days_told))


def test_account_has_missed_no_statement_of_before_it_began() -> None:
    account = Account(outstanding_minor=100, began_on=date(2026, 7, 3), moved_on=date(2026, 7, 3))
    found = client(policy=Policy(statement=ON_31ST), accounts={"GBP": account})
    assert said(found, date(2026, 7, 5)) == {}
    assert said(found, date(2026, 7, 31)) == {"statement/GBP/2026-07-31": None}


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        (Account(outstanding_minor=1), None),
        (Account(outstanding_minor=0), "nothing_to_say"),
        (Account(outstanding_minor=0, moved_on=date(2026, 5, 30)), "nothing_to_say"),
        (Account(outstanding_minor=0, moved_on=date(2026, 5, 31)), None),
        (Account(outstanding_minor=0, unapplied_minor=50, moved_on=date(2026, 6, 1)), None),
    ],
)
def test_statement_where_something_is_open_or_has_happened(account: Account, reason: str | None) -> None:
    found = client(policy=Policy(statement=ON_31ST), accounts={"GBP": account})
    assert said(found, date(2026, 6, 30)) == {"statement/GBP/2026-06-30": reason}


def test_statement_below_the_minimum_waits_for_its_next_day() -> None:
    rules = Policy(new_invoice=False, statement=ON_31ST, minimum_balance_minor=101)
    assert said(client(bill(), policy=rules), date(2026, 6, 30)) == {"statement/GBP/2026-06-30": "below_minimum"}


# ---- the days to come ----


def test_calendar_of_the_days_to_come_names_each_with_its_reason() -> None:
    found = client(
        bill(), bill("A-2", outstanding_minor=0), policy=Policy(due_offsets_days=(-3, 7), statement=ON_31ST),
        told=frozenset(["new_invoice/A-1"]),
    )  # fmt: skip
    days = {(one.day, one.notice_id): one.why_not for one in ahead(found, DUE - timedelta(days=4), DUE + timedelta(days=31))}
    assert days == {
        (date(2026, 5, 28), "due/A-1/-3/2026-05-31"): None, (date(2026, 5, 28), "due/A-2/-3/2026-05-31"): "paid",
        (date(2026, 6, 7), "due/A-1/+7/2026-05-31"): None, (date(2026, 6, 7), "due/A-2/+7/2026-05-31"): "paid",
        (date(2026, 5, 31), "statement/GBP/2026-05-31"): None, (date(2026, 6, 30), "statement/GBP/2026-06-30"): None,
    }  # fmt: skip


def test_message_id_is_the_same_on_every_try_and_of_one_client_only() -> None:
    assert message_id("acme", "new_invoice/A-1", "h") == message_id("acme", "new_invoice/A-1", "h")
    assert message_id("acme", "new_invoice/A-1", "h") != message_id("bolt", "new_invoice/A-1", "h")


# ---- laws ----

offsets = st.lists(st.integers(-30, 60), max_size=6).map(lambda found: tuple(sorted(set(found))))
ticks = st.lists(st.integers(-40, 90), min_size=1, max_size=25).map(sorted)
schedules = st.one_of(
    st.just(NO_STATEMENT),
    st.builds(StatementSchedule, day_of_month=st.integers(1, 31), weekday=st.none()),
    st.builds(StatementSchedule, day_of_month=st.none(), weekday=st.integers(1, 7)),
)


@given(offsets=offsets, days=ticks)
def test_any_outage_is_caught_up_once_by_the_latest_rule(offsets: tuple[int, ...], days: list[int]) -> None:
    """Ticks on any days: never two of one rule, never an earlier one after a later, and what is told is the last that applies."""
    told: list[str] = []
    for day in days:
        now = client(bill(), policy=Policy(new_invoice=False, due_offsets_days=offsets), told=frozenset(told))
        new = [one for one in planned(now, DUE + timedelta(days=day)) if one.kind == "due_reminder"]
        assert len(new) <= 1, "of all that was missed, one"
        for one in new:
            rule = int(one.rule.removeprefix("due/"))
            assert rule == max(offset for offset in offsets if offset <= day)
            assert all(int(before.split("/")[2]) < rule for before in told)
            told.append(one.notice_id)
    assert len(told) == len(set(told))


@given(schedule=schedules, days=ticks)
def test_any_outage_misses_at_most_the_statements_before_the_latest(schedule: StatementSchedule, days: list[int]) -> None:
    told: list[str] = []
    for day in days:
        on = DUE + timedelta(days=day)
        now = client(bill(), policy=Policy(new_invoice=False, statement=schedule), told=frozenset(told))
        new = sent(now, on)
        assert len(new) <= 1
        assert all(one == f"statement/GBP/{statement_day(schedule, on)}" for one in new)
        told += new
    assert told == sorted(set(told))
    reached = [(statement_day(schedule, on), on) for on in (DUE + timedelta(days=day) for day in days)]
    stated = {last for last, on in reached if last is not None and not is_next_nearer(schedule, last, on)}
    assert len(told) == len(stated)


@given(offsets=offsets, schedule=schedules, day=st.integers(-40, 60))
def test_what_the_calendar_foresees_is_what_is_said_on_that_day(
    offsets: tuple[int, ...], schedule: StatementSchedule, day: int
) -> None:
    """A tick every day says exactly what the calendar said the day before the first of them."""
    rules = Policy(new_invoice=False, due_offsets_days=offsets, statement=schedule)
    start = DUE + timedelta(days=day)
    told = set(sent(client(bill(), policy=rules), start))
    before = client(bill(), policy=rules, told=frozenset(told))
    foreseen = {(one.day, one.notice_id) for one in ahead(before, start, start + timedelta(days=40)) if one.why_not is None}
    happened = set()
    for n in range(1, 41):
        on = start + timedelta(days=n)
        new = set(sent(client(bill(), policy=rules, told=frozenset(told)), on))
        happened |= {(on, one) for one in new}
        told |= new
    assert happened == foreseen


# ---- credit beside ----


def test_credit_covers_the_oldest_due_first_and_reminders_ask_for_the_rest() -> None:
    older, newer = bill(due_on=date(2026, 5, 20)), bill("A-2", outstanding_minor=80)
    found = client(newer, older, policy=Policy(new_invoice=False, due_offsets_days=(1,)), credit=130)
    day = DUE + timedelta(days=1)
    assert {one.numbers: (one.balance_minor, one.why_not) for one in planned(found, day) if one.kind == "due_reminder"} == {
        ("A-1",): (0, "paid"),
        ("A-2",): (50, None),
    }
    assert why_not(found, "due/A-1/+1/2026-05-20", "GBP", "A-1", day) == "paid"
    assert why_not(found, "due/A-2/+1/2026-05-31", "GBP", "A-2", day) is None


def test_credit_of_one_currency_covers_nothing_of_another() -> None:
    accounts = {"GBP": Account(outstanding_minor=100), "EUR": Account(outstanding_minor=0, unapplied_minor=100)}
    found = client(bill(), policy=Policy(new_invoice=False, due_offsets_days=(1,)), accounts=accounts)
    assert [one.balance_minor for one in planned(found, DUE + timedelta(days=1)) if one.why_not is None] == [100]


@given(
    owed=st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 25)), min_size=1, max_size=6), credit=st.integers(-50, 4000)
)
def test_all_reminders_ask_together_for_no_more_than_the_balance(owed: list[tuple[int, int]], credit: int) -> None:
    bills = [
        bill(f"A-{n}", outstanding_minor=minor, due_on=DUE - timedelta(days=ago)) for n, (minor, ago) in enumerate(owed)
    ]
    found = client(*bills, policy=Policy(new_invoice=False, due_offsets_days=(1,)), credit=credit)
    asked = [one.balance_minor for one in planned(found, DUE + timedelta(days=1)) if one.why_not is None]
    assert sum(asked) == max(sum(minor for minor, _ in owed) - max(credit, 0), 0)
    assert all(minor > 0 for minor in asked)

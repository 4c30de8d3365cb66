"""Turns the demo's pieces of work into what a ticketing system would send: entries, decisions, amendments, repeats."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from daybook.demo_catalogue import INTERNAL, PROJECT, Fact, Fields, envelope
from daybook.demo_clients import OWN_TIME
from daybook.demo_work import Work, work

_ZONE = ZoneInfo("Europe/London")
_ENGINEERS = tuple(f"eng-{number}" for number in range(1, 7))
_BANK_HOLIDAYS = frozenset({date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 4), date(2026, 5, 25)})
_LATE_APPROVAL = datetime(2026, 6, 2, 8, 20, tzinfo=UTC)
_APPROVAL_IN_MAY = datetime(2026, 5, 8, 9, 30, tzinfo=UTC)
_AFTER_INVOICING = timedelta(days=30)
"""So long after the work some are amended or withdrawn: their month has been invoiced by then."""
_ROUTINE = (
    "Overnight alerts and failed backups looked through",
    "Patch approvals, two held back",
    "Licence count against the distributor",
    "Knowledge base articles tidied",
)


class Sent(NamedTuple):
    """A fact and when it arrived, which is not always when it happened."""

    at: datetime
    record: str
    fields: Fields


def time_facts() -> list[Fact]:
    """Every fact about May's time in order of arrival."""
    return [("daybook.time", one.record, one.fields) for one in sent((*work(), *_own_time()), first_number=40_001)]


def sent(pieces: Iterable[Work], first_number: int) -> list[Sent]:
    """What the ticketing system sends about some work, in order of arrival; entries are numbered in order of the work."""
    found = [one for entry in _entries(pieces, first_number) for one in _story(entry)]
    return sorted(found, key=lambda one: one.at)


class Entry(NamedTuple):
    """A piece of work with what the ticketing system adds: its number, its ticket, its engineer."""

    work: Work
    entry_id: str
    ticket_id: str | None
    agent_id: str
    logged_at: datetime


def _entries(pieces: Iterable[Work], first_number: int) -> Iterator[Entry]:
    """All work in the order it was done, each done by an engineer who was free at the time."""
    rows = sorted(pieces, key=lambda row: (row.day, row.start))
    free_from = dict.fromkeys(_ENGINEERS, datetime.min.replace(tzinfo=UTC))
    tickets: dict[tuple[str, str], str] = {}
    for number, row in enumerate(rows, start=first_number):
        start, end = _started_at(row), _ended_at(row)
        agent_id = row.agent_id or min(_ENGINEERS, key=lambda engineer: free_from[engineer])
        if free_from[agent_id] > start:
            raise AssertionError(f"{agent_id} is asked to be in two places on {start}: {row.note}")
        free_from[agent_id] = end
        label = (row.client_id, row.ticket or str(number))
        has_ticket = row.charge_type not in (INTERNAL, PROJECT)
        ticket_id = tickets.setdefault(label, f"T-{number - 32_000}") if has_ticket else None
        yield Entry(row, row.entry_id or f"TE-{number}", ticket_id, agent_id, end + timedelta(minutes=5))


def _own_time() -> Iterator[Work]:
    """The MSP's own hours, never billed: the weekly stand-up of all engineers and one routine check a working day."""
    for day in (5, 11, 18, 26):
        for engineer in _ENGINEERS:
            yield Work(day, "08:15", 25, INTERNAL, "Weekly stand-up", agent_id=engineer, client_id=OWN_TIME)
    working_days = [day for day in range(1, 32) if _is_working_day(_date(day))]
    for index, day in enumerate(working_days):
        yield Work(day, "07:45", 20, INTERNAL, _ROUTINE[index % len(_ROUTINE)], client_id=OWN_TIME)


def _story(entry: Entry) -> list[Sent]:
    """What arrives about one entry, by how its approval went."""
    row = entry.work
    decided_at = _next_decision(entry.logged_at)
    amended_at = _next_morning(decided_at)
    logged = _logged(entry, row.first_minutes or row.minutes)
    approved = _approved(entry, 1, decided_at)
    match row.story:
        case "approved":
            return [logged, approved]
        case "approved twice":
            return [logged, approved, _approved(entry, 1, decided_at + timedelta(minutes=20), "again")]
        case "approved in June":
            return [logged, _approved(entry, 1, _LATE_APPROVAL)]
        case "approved in May":
            return [logged, _approved(entry, 1, _APPROVAL_IN_MAY)]
        case "amended after invoicing":
            amended = _next_morning(entry.logged_at + _AFTER_INVOICING)
            return [logged, approved, _amended(entry, amended), _approved(entry, 2, _next_decision(amended))]
        case "withdrawn after invoicing":
            return [logged, approved, _withdrawn(entry, _next_morning(entry.logged_at + _AFTER_INVOICING))]
        case "approval came first":
            return [logged._replace(at=amended_at), approved]
        case "sent twice":
            return [logged, logged._replace(at=logged.at + timedelta(hours=1)), approved]
        case "moved here":
            moved = _logged(entry._replace(logged_at=amended_at), row.minutes)
            return [moved, _approved(entry, 1, _next_decision(amended_at))]
        case "unapproved":
            return [logged]
        case "rejected":
            return [logged, _rejected(entry, decided_at)]
        case "withdrawn":
            return [logged, approved, _withdrawn(entry, amended_at)]
        case "amended, undecided":
            return [logged, approved, _amended(entry, amended_at)]
        case "amended, approved":
            second = _approved(entry, 2, _next_decision(amended_at))
            return [logged, approved, _amended(entry, amended_at), second]
        case "amendment came first":
            second = _approved(entry, 2, _next_decision(amended_at))
            return [logged._replace(at=amended_at + timedelta(hours=2)), _amended(entry, amended_at), second]
        case "rejected, corrected, approved":
            second = _approved(entry, 2, _next_decision(amended_at))
            return [logged, _rejected(entry, decided_at), _amended(entry, amended_at), second]


def _logged(entry: Entry, minutes: int) -> Sent:
    return Sent(
        entry.logged_at,
        "TimeEntryLogged",
        {**_head(entry, "TimeEntryLogged", 1, entry.logged_at), **_state(entry, minutes)},
    )


def _amended(entry: Entry, at: datetime) -> Sent:
    fields = {**_head(entry, "TimeEntryAmended", 2, at), **_state(entry, entry.work.minutes)}
    return Sent(at, "TimeEntryAmended", {**fields, "reason": entry.work.reason})


def _withdrawn(entry: Entry, at: datetime) -> Sent:
    fields = _head(entry, "TimeEntryWithdrawn", 2, at)
    return Sent(at, "TimeEntryWithdrawn", {**fields, "reason": entry.work.reason})


def _approved(entry: Entry, revision: int, at: datetime, *more: str) -> Sent:
    fields = _head(entry, "TimeEntryApproved", revision, at, *more)
    own = {"approver_id": "service-manager", "billable_minutes": entry.work.approved_minutes}
    return Sent(at, "TimeEntryApproved", {**fields, **own})


def _rejected(entry: Entry, at: datetime) -> Sent:
    fields = _head(entry, "TimeEntryRejected", 1, at)
    return Sent(at, "TimeEntryRejected", {**fields, "approver_id": "service-manager", "reason": entry.work.reason})


def _head(entry: Entry, record: str, revision: int, at: datetime, *more: str) -> Fields:
    client_id = entry.work.client_id
    return {
        **envelope("psa", at, record, client_id, entry.entry_id, revision, *more),
        "client_id": client_id,
        "time_entry_id": entry.entry_id,
        "revision": revision,
    }


def _state(entry: Entry, minutes: int) -> Fields:
    """The entry's own fields; its end follows from its start and the minutes said."""
    row = entry.work
    started_at = _started_at(row)
    return {
        "ticket_id": entry.ticket_id,
        "project_id": row.project_id,
        "contract_id": row.contract_id,
        "agent_id": entry.agent_id,
        "charge_type": row.charge_type,
        "worked_on": _date(row.day),
        "started_at": started_at if row.clock else None,
        "ended_at": started_at + timedelta(minutes=minutes) if row.clock else None,
        "worked_minutes": minutes,
        "deducted_minutes": row.deducted,
        "note": row.note,
    }


def _started_at(row: Work) -> datetime:
    return datetime.combine(_date(row.day), time.fromisoformat(row.start), _ZONE).astimezone(UTC)


def _ended_at(row: Work) -> datetime:
    return _started_at(row) + timedelta(minutes=max(row.minutes, row.first_minutes))


def _date(day: int) -> date:
    return date(2026, 5, 1) + timedelta(days=day - 1)


def _is_working_day(day: date) -> bool:
    return day.isoweekday() <= 5 and day not in _BANK_HOLIDAYS


def _next_decision(after: datetime) -> datetime:
    """The service manager decides at 17:45 on working days."""
    day = after.astimezone(_ZONE).date()
    while not _is_working_day(day) or datetime.combine(day, time(17, 45), _ZONE) <= after:
        day += timedelta(days=1)
    return datetime.combine(day, time(17, 45), _ZONE).astimezone(UTC)


def _next_morning(after: datetime) -> datetime:
    """Engineers mend their entries at 09:05 on the next working day."""
    day = after.astimezone(_ZONE).date() + timedelta(days=1)
    while not _is_working_day(day):
        day += timedelta(days=1)
    return datetime.combine(day, time(9, 5), _ZONE).astimezone(UTC)

"""Time entries as a service manager looks through them: who logged, who decided, and which are stuck and why."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString

from psycopg import Cursor

PAGE = 200
STATUSES = ("approved", "unapproved", "rejected", "withdrawn", "announced")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFilter:
    """What to see; null fields leave all in. `client` is part of a name or id; `stuck` leaves only what waits."""

    client: str | None = None
    status: str | None = None
    reason: str | None = None
    stuck: bool = False
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRow:
    """One entry with the reason for which it waits, if it does; `note` is cipher text."""

    client_id: str
    client_name: str
    time_entry_id: str
    status: str
    worked_on: date | None
    ticket_id: str | None
    charge_type: str | None
    agent_id: str | None
    approver_id: str | None
    worked_minutes: int | None
    billable_minutes: int | None
    note: str | None
    reason: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckCount:
    """How much waits for one reason."""

    reason: str
    count: int
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherWaiting:
    """Something that waits and is no time entry."""

    client_id: str
    client_name: str
    what: str
    id: str
    reason: str
    since: datetime


_MATCHING: LiteralString = """
    FROM time_entries t
        LEFT JOIN waiting w ON w.client_id = t.client_id AND w.what = 'time_entry' AND w.id = t.time_entry_id
        LEFT JOIN clients c ON c.client_id = t.client_id
    WHERE (%(client)s::text IS NULL OR strpos(lower(coalesce(c.name, '')), lower(%(client)s)) > 0
            OR strpos(lower(t.client_id), lower(%(client)s)) > 0)
        AND (%(status)s::text IS NULL OR t.status = %(status)s)
        AND (%(reason)s::text IS NULL OR w.reason = %(reason)s)
        AND (NOT %(stuck)s OR w.reason IS NOT NULL)
        AND (%(since)s::date IS NULL OR t.worked_on >= %(since)s)
        AND (%(until)s::date IS NULL OR t.worked_on <= %(until)s)
"""


def time_rows(cursor: Cursor[Any], only: TimeFilter, page: int = 1) -> list[TimeRow]:
    """One page of entries, the newest day first."""
    rows = cursor.execute(
        "SELECT t.client_id, coalesce(c.name, t.client_id), t.time_entry_id, t.status, t.worked_on, t.ticket_id, t.charge_type,"
        " t.agent_id, t.approver_id, t.worked_minutes, t.billable_minutes, t.note, w.reason, w.since"
        + _MATCHING
        + ' ORDER BY t.worked_on DESC NULLS FIRST, t.client_id COLLATE "C", t.time_entry_id COLLATE "C"'
        " LIMIT %(limit)s OFFSET %(offset)s",
        {**_parameters(only), "limit": PAGE, "offset": (page - 1) * PAGE},
    ).fetchall()
    return [
        TimeRow(
            client_id=r[0], client_name=r[1], time_entry_id=r[2], status=r[3], worked_on=r[4], ticket_id=r[5],
            charge_type=r[6], agent_id=r[7], approver_id=r[8], worked_minutes=r[9], billable_minutes=r[10], note=r[11],
            reason=r[12], since=r[13],
        )
        for r in rows
    ]  # fmt: skip


def time_totals(cursor: Cursor[Any], only: TimeFilter) -> tuple[int, int, int]:
    """(entries, minutes worked, entries that wait) of everything that matches."""
    row = cursor.execute(
        "SELECT count(*), coalesce(sum(t.worked_minutes), 0), count(w.reason)" + _MATCHING, _parameters(only)
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1]), int(row[2])


def stuck_counts(cursor: Cursor[Any]) -> list[StuckCount]:
    """What waits, by reason, the most minutes first; of every kind of fact, not of time alone."""
    rows = cursor.execute(
        "SELECT reason, count(*), coalesce(sum(minutes), 0) FROM waiting GROUP BY 1 ORDER BY 3 DESC, 2 DESC, 1"
    ).fetchall()
    return [StuckCount(reason=r[0], count=r[1], minutes=int(r[2])) for r in rows]


def other_waiting(cursor: Cursor[Any], client: str | None, reason: str | None) -> list[OtherWaiting]:
    """What waits and is no time entry (contract lines, charges, payments), at most one page."""
    rows = cursor.execute(
        "SELECT w.client_id, coalesce(c.name, w.client_id), w.what, w.id, w.reason, w.since"
        " FROM waiting w LEFT JOIN clients c USING (client_id)"
        " WHERE w.what <> 'time_entry' AND (%(reason)s::text IS NULL OR w.reason = %(reason)s)"
        " AND (%(client)s::text IS NULL OR strpos(lower(coalesce(c.name, '')), lower(%(client)s)) > 0"
        " OR strpos(lower(w.client_id), lower(%(client)s)) > 0)"
        ' ORDER BY w.since DESC, w.client_id COLLATE "C", w.id COLLATE "C" LIMIT %(limit)s',
        {"client": client, "reason": reason, "limit": PAGE},
    ).fetchall()
    return [OtherWaiting(client_id=r[0], client_name=r[1], what=r[2], id=r[3], reason=r[4], since=r[5]) for r in rows]


def _parameters(only: TimeFilter) -> dict[str, Any]:
    return {
        "client": only.client, "status": only.status, "reason": only.reason, "stuck": only.stuck, "since": only.since,
        "until": only.until,
    }  # fmt: skip

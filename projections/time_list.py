"""Time entries as a service manager looks through them: who logged, who decided, and which are stuck and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString

from psycopg import Cursor

PAGE = 200
STATUSES = ("approved", "unapproved", "rejected", "withdrawn", "announced")
UNAPPROVED = ("awaiting_approval", "amended_after_invoicing")
MONEY = ("payment", "refund", "write_off")
"""What waits for a manager's approval alone, and stands beside its client in the queue; whatever else waits is stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFilter:
    """What to see; null fields leave all in. `waits` is a reason, "stuck", or "any" for whatever waits."""

    client_ids: tuple[str, ...] | None = None
    status: str | None = None
    waits: str | None = None
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


_OF_CLIENTS: LiteralString = "(%(client_ids)s::text[] IS NULL OR w.client_id = ANY(%(client_ids)s))"
_FOR_REASON: LiteralString = """(
    %(waits)s::text IS NULL OR w.reason = %(waits)s OR (%(waits)s = 'any' AND w.reason IS NOT NULL)
    OR (%(waits)s = 'stuck' AND w.reason <> ALL(%(unapproved)s))
)"""
_OTHERS: LiteralString = f"""
    SELECT w.client_id, coalesce(c.name, w.client_id), w.what, w.id, w.reason, w.since, count(*) OVER ()
    FROM waiting w LEFT JOIN clients c USING (client_id)
    WHERE w.what <> 'time_entry' AND {_OF_CLIENTS} AND {_FOR_REASON}
        AND (%(since)s::date IS NULL OR w.served_on >= %(since)s) AND (%(until)s::date IS NULL OR w.served_on <= %(until)s)
    ORDER BY w.since DESC, w.client_id COLLATE "C", w.what, w.id COLLATE "C" LIMIT %(limit)s
"""  # noqa: S608 - joined from constants of this file only
_MATCHING: LiteralString = f"""
    FROM time_entries t
        LEFT JOIN waiting w ON w.client_id = t.client_id AND w.what = 'time_entry' AND w.id = t.time_entry_id
        LEFT JOIN clients c ON c.client_id = t.client_id
    WHERE (%(client_ids)s::text[] IS NULL OR t.client_id = ANY(%(client_ids)s))
        AND (%(status)s::text IS NULL OR t.status = %(status)s)
        AND {_FOR_REASON}
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


def stuck_counts(
    cursor: Cursor[Any], *, billable: bool = False, client_ids: Sequence[str] | None = None
) -> list[StuckCount]:
    """What waits, by reason, the most minutes first; of every kind of fact, not of time alone.

    Of some clients, or of all. `billable` leaves out money that came in, went back or was given up: no invoice waits for it.
    """
    rows = cursor.execute(
        "SELECT reason, count(*), coalesce(sum(minutes), 0) FROM waiting WHERE NOT (%s AND what = ANY(%s))"
        " AND (%s::text[] IS NULL OR client_id = ANY(%s)) GROUP BY 1 ORDER BY 3 DESC, 2 DESC, 1",
        (billable, list(MONEY), *[list(client_ids) if client_ids is not None else None] * 2),
    ).fetchall()
    return [StuckCount(reason=r[0], count=r[1], minutes=int(r[2])) for r in rows]


def other_waiting(cursor: Cursor[Any], only: TimeFilter) -> tuple[int, list[OtherWaiting]]:
    """What waits and is no time entry (contract lines, charges, payments): how many, and at most one page of them.

    Such things have no status, so that a filter by status leaves none in.
    """
    if only.status is not None:
        return 0, []
    rows = cursor.execute(_OTHERS, {**_parameters(only), "limit": PAGE}).fetchall()
    found = [OtherWaiting(client_id=r[0], client_name=r[1], what=r[2], id=r[3], reason=r[4], since=r[5]) for r in rows]
    return (int(rows[0][6]) if rows else 0), found


def _parameters(only: TimeFilter) -> dict[str, Any]:
    return {
        "client_ids": list(only.client_ids) if only.client_ids is not None else None, "status": only.status,
        "waits": only.waits, "since": only.since, "until": only.until, "unapproved": list(UNAPPROVED),
    }  # fmt: skip

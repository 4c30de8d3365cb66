"""One billable item opened up: what it is worth and why, the entries behind it, and what people decided about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import Cursor

from domain.ids import taken_back
from projections.charges import due_line
from projections.seat_list import SeatPeriod, periods
from projections.source_events import source_events

MOST_CURRENCIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A time entry as it stands, who logged it and who decided on it; `note` is cipher text."""

    time_entry_id: str
    status: str
    revision: int | None
    worked_on: date | None
    ticket_id: str | None
    agent_id: str | None
    approver_id: str | None
    worked_minutes: int | None
    deducted_minutes: int | None
    billable_minutes: int | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """One person's change of the item's amount; `reason` is cipher text.

    `takes_back` says that it undoes an earlier one, `taken_back` that a later one undid it.
    """

    adjustment_id: str
    takes_back: bool
    taken_back: bool
    amount_minor: int
    currency: str
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What one issued document took of the item."""

    number: str
    net_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Everything that explains an item: due = rated + adjusted - posted, and each part's origin."""

    client_id: str
    item_key: str
    currency: str | None
    due_on: date
    rated_minor: int
    adjusted_minor: int
    posted_minor: int
    due_minor: int
    explanation: str
    lines: tuple[dict[str, Any], ...]
    entries: tuple[Entry, ...]
    seats: tuple[SeatPeriod, ...]
    adjustments: tuple[Adjusted, ...]
    postings: tuple[Posted, ...]
    hold: dict[str, Any] | None
    source_count: int
    events: tuple[dict[str, Any], ...]


def item(cursor: Cursor[Any], client_id: str, item_key: str) -> Item | None:
    """The item of a client, or null where there is none (any more)."""
    row = cursor.execute(
        "SELECT currency, due_on, rated_minor, adjusted_minor, stays, explanation, source_event_ids,"
        " (SELECT coalesce(sum(p.amount_minor), 0)::bigint FROM posted p"
        " WHERE p.client_id = c.client_id AND p.item_key = c.item_key)"
        " FROM charges c WHERE client_id = %s AND item_key = %s",
        (client_id, item_key),
    ).fetchone()
    if row is None:
        return None
    lines, members = _lines(cursor, client_id, item_key)
    adjustments, adjusting = _adjustments(cursor, client_id, item_key)
    sources = [*row[6], *adjusting]
    return Item(
        client_id=client_id,
        item_key=item_key,
        currency=row[0],
        due_on=row[1],
        rated_minor=row[2],
        adjusted_minor=row[3],
        posted_minor=row[7],
        due_minor=0 if row[4] else row[2] + row[3] - row[7],
        explanation=row[5],
        lines=lines,
        entries=_entries(cursor, client_id, members),
        seats=tuple(periods(cursor, client_id, MOST_CURRENCIES, item_key)),
        adjustments=adjustments,
        postings=_postings(cursor, client_id, item_key),
        hold=_hold(cursor, client_id, item_key),
        source_count=len(sources),
        events=tuple(source_events(cursor, sources)),
    )


def _lines(cursor: Cursor[Any], client_id: str, item_key: str) -> tuple[tuple[dict[str, Any], ...], list[str]]:
    rows = cursor.execute(
        "SELECT line_no, description, service_from, service_to, quantity, unit, unit_price, currency, net_minor,"
        " corrects_number, corrects_line_no, rule, arithmetic, line, charge_type FROM due_lines"
        " WHERE client_id = %s AND item_key = %s ORDER BY line_no",
        (client_id, item_key),
    ).fetchall()
    lines = tuple(
        {
            "line_no": r[0], "description": r[1], "charge_type": r[14], "service_from": r[2], "service_to": r[3],
            "quantity": r[4], "unit": r[5], "unit_price": r[6], "currency": r[7], "net_minor": r[8],
            "corrects": {"number": r[9], "line_no": r[10]} if r[9] is not None else None, "rule": r[11], "arithmetic": r[12],
        }
        for r in rows
    )  # fmt: skip
    return lines, [member.time_entry_id for r in rows for member in due_line(r[13]).members]


def _entries(cursor: Cursor[Any], client_id: str, entry_ids: Sequence[str]) -> tuple[Entry, ...]:
    rows = cursor.execute(
        "SELECT time_entry_id, status, revision, worked_on, ticket_id, agent_id, approver_id, worked_minutes,"
        " deducted_minutes, billable_minutes, note FROM time_entries WHERE client_id = %s AND time_entry_id = ANY(%s)"
        ' ORDER BY worked_on, started_at NULLS FIRST, time_entry_id COLLATE "C"',
        (client_id, list(entry_ids)),
    ).fetchall()
    return tuple(
        Entry(
            time_entry_id=r[0], status=r[1], revision=r[2], worked_on=r[3], ticket_id=r[4], agent_id=r[5], approver_id=r[6],
            worked_minutes=r[7], deducted_minutes=r[8], billable_minutes=r[9], note=r[10],
        )
        for r in rows
    )  # fmt: skip


def _adjustments(cursor: Cursor[Any], client_id: str, item_key: str) -> tuple[tuple[Adjusted, ...], list[str]]:
    rows = cursor.execute(
        "SELECT amount_minor, currency, adjusted_by, adjusted_at, reason, event_id, adjustment_id FROM adjustments"
        " WHERE client_id = %s AND item_key = %s ORDER BY adjusted_at, adjustment_id",
        (client_id, item_key),
    ).fetchall()
    known = {r[6] for r in rows}
    undoing = {taken_back(adjustment_id) for adjustment_id in known}
    made = tuple(
        Adjusted(
            adjustment_id=r[6], takes_back=r[6] in undoing, taken_back=taken_back(r[6]) in known, amount_minor=r[0],
            currency=r[1], by=r[2], at=r[3], reason=r[4],
        )
        for r in rows
    )  # fmt: skip
    return made, [r[5] for r in rows]


def _postings(cursor: Cursor[Any], client_id: str, item_key: str) -> tuple[Posted, ...]:
    rows = cursor.execute(
        "SELECT number, net_minor, currency FROM posted WHERE client_id = %s AND item_key = %s ORDER BY posting_no",
        (client_id, item_key),
    ).fetchall()
    return tuple(Posted(number=r[0], net_minor=r[1], currency=r[2]) for r in rows)


def _hold(cursor: Cursor[Any], client_id: str, item_key: str) -> dict[str, Any] | None:
    row = cursor.execute(
        "SELECT held_by, held_at, reason FROM holds WHERE client_id = %s AND item_key = %s", (client_id, item_key)
    ).fetchone()
    return {"by": row[0], "at": row[1], "reason": row[2]} if row is not None else None

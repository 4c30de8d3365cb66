"""The time entries view: what each entry says, who logged it, who decided what, and where it stands."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from psycopg import Cursor

from domain.time_entry import (
    TimeEntry,
    TimeEntryAmended,
    TimeEntryApproved,
    TimeEntryLogged,
    TimeEntryRejected,
    TimeEntryWithdrawn,
    evolve,
)
from ledger.book import RecordedEvent
from ledger.event_codec import decode
from projections.tables import TIME_ENTRIES, replace_rows

TOPICS = frozenset(
    cls.TOPIC for cls in (TimeEntryLogged, TimeEntryAmended, TimeEntryWithdrawn, TimeEntryApproved, TimeEntryRejected)
)
Key = tuple[str, str]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(TimeEntry).decode


def fold(cursor: Cursor[Any], events: Iterable[RecordedEvent]) -> dict[Key, tuple[TimeEntry | None, TimeEntry]]:
    """Folds events into the view; gives each touched entry as it was (null where new) and as it is."""
    said: dict[Key, list[Any]] = {}
    for recorded in events:
        event = decode(recorded.topic, recorded.state)
        said.setdefault((event.client_id, event.time_entry_id), []).append(event)
    before = load(cursor, list(said))
    changed: dict[Key, tuple[TimeEntry | None, TimeEntry]] = {}
    for key, facts in said.items():
        entry = before.get(key) or TimeEntry(client_id=key[0], time_entry_id=key[1])
        for fact in facts:
            entry = evolve(entry, fact)
        changed[key] = (before.get(key), entry)
    replace_rows(cursor, TIME_ENTRIES, list(before), (_row(entry) for _, entry in changed.values()))
    return changed


def load(cursor: Cursor[Any], keys: Sequence[Key]) -> dict[Key, TimeEntry]:
    """Some entries by (client, entry id)."""
    cursor.execute(
        "SELECT t.client_id, t.time_entry_id, t.state FROM time_entries t"
        " JOIN unnest(%s::text[], %s::text[]) AS k(c, e) ON t.client_id = k.c AND t.time_entry_id = k.e",
        ([client_id for client_id, _ in keys], [entry_id for _, entry_id in keys]),
    )
    return {(client_id, entry_id): _decode(state) for client_id, entry_id, state in cursor.fetchall()}


def load_clients(cursor: Cursor[Any], client_ids: Sequence[str]) -> dict[str, list[TimeEntry]]:
    """Every entry of some clients."""
    cursor.execute("SELECT client_id, state FROM time_entries WHERE client_id = ANY(%s)", (list(client_ids),))
    found: dict[str, list[TimeEntry]] = {}
    for client_id, state in cursor.fetchall():
        found.setdefault(client_id, []).append(_decode(state))
    return found


def load_tickets(cursor: Cursor[Any], tickets: Sequence[Key]) -> list[TimeEntry]:
    """Every entry of some tickets, by (client, ticket)."""
    if not tickets:
        return []
    cursor.execute(
        "SELECT t.state FROM time_entries t JOIN unnest(%s::text[], %s::text[]) AS k(c, i)"
        " ON t.client_id = k.c AND t.ticket_id = k.i",
        ([client_id for client_id, _ in tickets], [ticket_id for _, ticket_id in tickets]),
    )
    return [_decode(state) for (state,) in cursor.fetchall()]


def claims(cursor: Cursor[Any], entry_ids: Sequence[str]) -> dict[str, str]:
    """Which client said each entry id first, for ids that more than one client claims (product T7)."""
    cursor.execute(
        "SELECT DISTINCT ON (time_entry_id) time_entry_id, client_id FROM time_entries WHERE time_entry_id IN ("
        "  SELECT time_entry_id FROM time_entries WHERE time_entry_id = ANY(%s) AND first_occurred_at IS NOT NULL"
        "  GROUP BY time_entry_id HAVING count(*) > 1)"
        " AND first_occurred_at IS NOT NULL ORDER BY time_entry_id, first_occurred_at, first_event_id",
        (list(entry_ids),),
    )
    return dict(cursor.fetchall())


def claimed_by_others(cursor: Cursor[Any], client_ids: Sequence[str]) -> dict[str, str]:
    """The same, for every id that any of some clients shares with another client."""
    cursor.execute(
        "SELECT DISTINCT t.time_entry_id FROM time_entries t JOIN time_entries o ON o.time_entry_id = t.time_entry_id"
        " AND o.client_id <> t.client_id WHERE t.client_id = ANY(%s)",
        (list(client_ids),),
    )
    return claims(cursor, [entry_id for (entry_id,) in cursor.fetchall()])


def claimants(cursor: Cursor[Any], entry_ids: Sequence[str]) -> list[Key]:
    """Every (client, entry id) of some entry ids."""
    cursor.execute("SELECT client_id, time_entry_id FROM time_entries WHERE time_entry_id = ANY(%s)", (list(entry_ids),))
    return [(client_id, entry_id) for client_id, entry_id in cursor.fetchall()]


def _row(entry: TimeEntry) -> tuple[Any, ...]:
    decision = entry.decision
    known = entry.said is not None
    return (
        entry.client_id, entry.time_entry_id, entry.said.revision if entry.said else None, status(entry), entry.ticket_id,
        entry.project_id, entry.contract_id, entry.agent_id if known else None,
        decision.approver_id if decision else None, entry.charge_type if known else None, entry.worked_on,
        entry.started_at, entry.ended_at, entry.worked_minutes if known else None,
        entry.deducted_minutes if known else None, decision.billable_minutes if decision else None, entry.note,
        entry.first_occurred_at, entry.first_event_id if known else None, _encode(entry),
    )  # fmt: skip


def status(entry: TimeEntry) -> str:
    """Where an entry stands, in one word; `announced`: decided or withdrawn before anybody logged it."""
    if entry.said is None:
        return "announced"
    if entry.gone:
        return "withdrawn"
    if entry.decision is None:
        return "unapproved"
    return "approved" if entry.decision.approved else "rejected"

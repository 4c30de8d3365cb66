"""Long lists read a page at a time, by their keys."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Cursor

from projections.documents import STANDING, STANDS, standing
from projections.time_list import UNAPPROVED

Key = tuple[Any, ...]


class DocumentPlace(NamedTuple):
    """Where a document stands in the order of issue, whose it is, and what it comes to."""

    key: tuple[str, int, str]
    client_id: str
    number: str
    head: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Which time entries; null fields leave all in."""

    client_id: str | None = None
    since: date | None = None
    until: date | None = None
    status: str | None = None
    waiting: bool = False
    reason: str | None = None
    search: str | None = None


_ENTRY_COLUMNS: Final = (
    "client_id", "time_entry_id", "revision", "status", "ticket_id", "project_id", "contract_id", "agent_id", "approver_id",
    "charge_type", "worked_on", "started_at", "ended_at", "worked_minutes", "deducted_minutes", "billable_minutes", "note",
    "waiting", "waiting_since",
)  # fmt: skip
_ENTRIES: Final[LiteralString] = """
    SELECT t.client_id, t.time_entry_id, t.revision, t.status, t.ticket_id, t.project_id, t.contract_id, t.agent_id,
        t.approver_id, t.charge_type, t.worked_on, t.started_at, t.ended_at, t.worked_minutes, t.deducted_minutes,
        t.billable_minutes, t.note, w.reason, w.since
    FROM time_entries t
        LEFT JOIN waiting w ON w.client_id = t.client_id AND w.what = 'time_entry' AND w.id = t.time_entry_id
        LEFT JOIN clients c ON c.client_id = t.client_id
    WHERE (%(client_id)s::text IS NULL OR t.client_id = %(client_id)s)
      AND (%(since)s::date IS NULL OR t.worked_on >= %(since)s)
      AND (%(until)s::date IS NULL OR t.worked_on <= %(until)s)
      AND (%(status)s::text IS NULL OR t.status = %(status)s)
      AND (NOT %(waiting)s OR w.reason IS NOT NULL)
      AND (%(reason)s::text IS NULL OR w.reason = %(reason)s OR (%(reason)s = 'stuck' AND w.reason <> ALL(%(unapproved)s)))
      AND (%(search)s::text IS NULL OR strpos(lower(coalesce(c.name, '')), lower(%(search)s)) > 0
            OR strpos(lower(t.client_id), lower(%(search)s)) > 0)
      AND (%(last_client)s::text IS NULL OR (t.client_id, t.time_entry_id) > (%(last_client)s, %(last_entry)s))
    ORDER BY t.client_id, t.time_entry_id LIMIT %(limit)s
"""


_HEAD: Final = (
    "number", "kind", "client_id", "client_name", "currency", "issued_on", "due_on", "net_minor", "tax_minor", "total_minor",
)  # fmt: skip
_DOCUMENTS: Final[LiteralString] = f"""
    SELECT i.number, i.kind, i.client_id, coalesce(c.name, i.client_id), i.currency, i.issued_on, i.due_on, i.net_minor,
        i.tax_minor, i.total_minor, i.issued_on::text, i.position, {STANDS}
    FROM invoices i LEFT JOIN clients c ON c.client_id = i.client_id {STANDING}
    WHERE (%(client)s::text IS NULL OR i.client_id = %(client)s)
      AND (%(search)s::text IS NULL OR strpos(lower(coalesce(c.name, '')), lower(%(search)s)) > 0
            OR strpos(lower(i.client_id), lower(%(search)s)) > 0 OR strpos(lower(i.number), lower(%(search)s)) > 0)
      AND (%(day)s::text IS NULL
            OR (i.issued_on::text, i.position, i.number COLLATE "C") > (%(day)s, %(position)s, %(number)s))
    ORDER BY i.issued_on::text, i.position, i.number COLLATE "C" LIMIT %(limit)s
"""


def documents_after(
    cursor: Cursor[Any], client_id: str | None, search: str | None, last: Key | None, limit: int
) -> list[DocumentPlace]:
    """Documents in order of issue, after the one of a key; `search` is part of a number or of a client's name or id."""
    given = {
        "client": client_id,
        "search": search,
        "day": last[0] if last else None,
        "position": last[1] if last else 0,
        "number": last[2] if last else "",
        "limit": limit,
    }
    return [
        DocumentPlace((r[10], r[11], r[0]), r[2], r[0], {**dict(zip(_HEAD, r[:10], strict=True)), **standing(*r[12:16])})
        for r in cursor.execute(_DOCUMENTS, given).fetchall()
    ]


def time_entries_after(cursor: Cursor[Any], only: EntryFilter, last: Key | None, limit: int) -> list[dict[str, Any]]:
    """Time entries by client and id, each with what it waits for; the note is still cipher text."""
    given = {
        "client_id": only.client_id,
        "since": only.since,
        "until": only.until,
        "status": only.status,
        "waiting": only.waiting,
        "reason": only.reason,
        "unapproved": list(UNAPPROVED),
        "search": only.search,
        "last_client": last[0] if last else None,
        "last_entry": last[1] if last else None,
        "limit": limit,
    }
    return [dict(zip(_ENTRY_COLUMNS, row, strict=True)) for row in cursor.execute(_ENTRIES, given).fetchall()]


def dead_letters_after(cursor: Cursor[Any], reason: str | None, last: Key | None, limit: int) -> list[dict[str, Any]]:
    """Dead letters that wait for somebody, in the order they were set aside."""
    rows = cursor.execute(
        'SELECT topic, partition, "offset", d.reason, error, schema_id, first_seen, batch_id, number FROM ledger.dead_letters d'
        " LEFT JOIN ledger.dead_letters_settled s USING (batch_id, number) WHERE s.outcome IS NULL"
        " AND (%(reason)s::text IS NULL OR d.reason = %(reason)s) AND (batch_id, number) > (%(batch)s, %(no)s)"
        " ORDER BY batch_id, number LIMIT %(limit)s",
        {"reason": reason, "batch": last[0] if last else 0, "no": last[1] if last else 0, "limit": limit},
    ).fetchall()
    names = ("topic", "partition", "offset", "reason", "error", "schema_id", "first_seen", "batch", "number")
    return [dict(zip(names, row, strict=True)) for row in rows]

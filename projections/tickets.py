"""Which entries can only be rated together: those of one ticket, and of every ticket they were moved from or to."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from psycopg import Cursor

from projections import time_entries
from projections.decisions import posted_of

Key = tuple[str, str]


def together(cursor: Cursor[Any], keys: set[Key], tickets: set[Key]) -> tuple[dict[Key, Any], set[Key]]:
    """Entries that can only be rated together, with the ticket items they are about.

    They are those of the same ticket, today or on an invoice, and so on through the tickets that these were moved
    from or to.
    """
    entries: dict[Key, Any] = time_entries.load(cursor, sorted(keys))
    items: set[Key] = set()
    done: set[Key] = set()
    asked: set[Key] = set()
    while True:
        new = keys | entries.keys()
        tickets = tickets | {(e.client_id, e.ticket_id) for e in entries.values() if e.ticket_id is not None}
        tickets |= _posted_tickets(cursor, new - asked)
        asked |= new
        if tickets <= done:
            return entries, items
        found = _known_items(cursor, tickets - done)
        for entry in time_entries.load_tickets(cursor, sorted(tickets - done)):
            entries[(entry.client_id, entry.time_entry_id)] = entry
        entries |= time_entries.load(cursor, sorted(_posted_members(cursor, found) - entries.keys()))
        items |= found
        done |= tickets


def tickets_of(items: Iterable[Key]) -> set[Key]:
    """The (client, ticket) of those items that are tickets'."""
    return {(client_id, unquote(key.split("/")[2])) for client_id, key in items if key.startswith("ticket/")}


def _posted_tickets(cursor: Cursor[Any], keys: set[Key]) -> set[Key]:
    """Tickets in which some entries were invoiced, whatever the entries say today."""
    rows = cursor.execute(
        "SELECT p.client_id, l.item_key FROM posted_entries p JOIN unnest(%s::text[], %s::text[]) AS k(c, e)"
        " ON p.client_id = k.c AND p.time_entry_id = k.e JOIN invoice_lines l USING (client_id, number, line_no)",
        ([client_id for client_id, _ in keys], [entry_id for _, entry_id in keys]),
    ).fetchall()
    return tickets_of((client_id, key) for client_id, key in rows)


def _posted_members(cursor: Cursor[Any], items: set[Key]) -> set[Key]:
    """Entries that stand, or once stood, in some tickets' items, whatever the entries say today."""
    return {
        (client_id, member.time_entry_id)
        for (client_id, _), history in posted_of(cursor, sorted(items)).items()
        for posting in history
        for member in posting.members
    }


def _known_items(cursor: Cursor[Any], tickets: set[Key]) -> set[Key]:
    rows = cursor.execute(
        "SELECT c.client_id, c.item_key FROM charges c JOIN unnest(%s::text[], %s::text[]) AS k(c, t)"
        " ON c.client_id = k.c AND c.ticket_id = k.t",
        ([client_id for client_id, _ in tickets], [ticket_id for _, ticket_id in tickets]),
    ).fetchall()
    return {(client_id, key) for client_id, key in rows}

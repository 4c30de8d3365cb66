"""Documents that took exactly what was due: nothing is rated again, the due line goes.

This is what nearly every line of a run of Generate All does, so it is worth a short way. It is only taken where the view's
due line is, byte for byte, the one on the document, and stood on no earlier posting: then due = rated + adjusted - posted is
0, whatever the rating. Every other item is rated anew.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
from psycopg import Cursor

from domain.invoice import CreditNoteIssued, InvoiceIssued
from ledger.book import RecordedEvent
from ledger.event_codec import decode
from projections.tables import Texts, keys_of, text_array

Key = tuple[str, str]

TOPICS: Final = frozenset((InvoiceIssued.TOPIC, CreditNoteIssued.TOPIC))

# One statement a hundred documents or so, so that a batch of documents is never in memory as a whole.
_AT_ONCE: Final = 100
# OFFSET 0 makes the planner look each line up by its key: it would rather digest the whole table.
_TAKE: Final = """
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(%b::text[], %b::text[], %b::text[]) AS g (client_id, item_key, digest)
    ), taken AS (
        DELETE FROM due_lines WHERE ctid = ANY (ARRAY (
            SELECT d.place FROM given AS g CROSS JOIN LATERAL (
                SELECT ctid AS place, line FROM due_lines
                WHERE client_id = g.client_id AND item_key = g.item_key AND line_no = 1 OFFSET 0
            ) AS d
            WHERE sha256(d.line) = decode(g.digest, 'hex') AND NOT EXISTS (
                SELECT FROM due_lines AS o WHERE o.client_id = g.client_id AND o.item_key = g.item_key AND o.line_no > 1
            )
        ))
        RETURNING client_id, item_key
    )
    SELECT client_id, item_key FROM given EXCEPT SELECT client_id, item_key FROM taken
"""


class _Amount(msgspec.Struct):
    amount_minor: int


class _Line(msgspec.Struct):
    """A document's line, its parts as they were written: nothing in them is looked at but the amount."""

    item_key: str
    due_on: msgspec.Raw
    line: msgspec.Raw
    corrects: msgspec.Raw
    source_event_ids: msgspec.Raw
    members: msgspec.Raw


class _Document(msgspec.Struct):
    client_id: str
    lines: list[_Line]


class _Due(msgspec.Struct):
    """A due line that stands on nothing posted, written like the view's own: the fields of DueLine in their order."""

    item_key: str
    due_on: msgspec.Raw
    line: msgspec.Raw
    corrects: None
    keeps: None
    like: None
    ends_amount_minor: int
    sources: msgspec.Raw
    members: msgspec.Raw


_document = msgspec.json.Decoder(_Document).decode
_amount = msgspec.json.Decoder(_Amount).decode
_encode = msgspec.json.Encoder().encode
_NULL: Final = b"null"


def take(cursor: Cursor[Any], events: Iterable[RecordedEvent]) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Takes off what the documents among some events billed; gives (client, item, its entries' ids) of what to rate again."""
    documents = [event for event in events if event.topic in TOPICS]
    for start in range(0, len(documents), _AT_ONCE):
        some = documents[start : start + _AT_ONCE]
        items = _by_item(some)
        fresh = {key: lines[0] for key, lines in items.items() if _is_fresh(lines)}
        left = (items.keys() - fresh.keys()) | _not_taken(cursor, fresh)
        entries = _entries(some, left)
        for client_id, key in left:
            yield client_id, key, entries[client_id, key]


def _by_item(events: Iterable[RecordedEvent]) -> dict[Key, list[_Line]]:
    """The lines by (client, item): an item can stand on two documents, where it has lines in two currencies."""
    items: dict[Key, list[_Line]] = {}
    for event in events:
        document = _document(event.state)
        for line in document.lines:
            items.setdefault((document.client_id, line.item_key), []).append(line)
    return items


def _is_fresh(lines: Sequence[_Line]) -> bool:
    return len(lines) == 1 and bytes(lines[0].corrects) == _NULL


def _not_taken(cursor: Cursor[Any], lines: dict[Key, _Line]) -> set[Key]:
    """Takes off those of the lines that are the very ones due; gives the others."""
    if not lines:
        return set()
    digests = [_digest(line, _amount(line.line).amount_minor) for line in lines.values()]
    cursor.execute(_TAKE, (*keys_of(lines), Texts(text_array(digests))))
    return {(client_id, key) for client_id, key in cursor.fetchall()}


def _digest(line: _Line, amount_minor: int) -> str:
    """The digest of the due line that this line was, had nothing been posted of its item before."""
    due = _Due(line.item_key, line.due_on, line.line, None, None, None, amount_minor, line.source_event_ids, line.members)
    return sha256(_encode(due)).hexdigest()


def _entries(events: Iterable[RecordedEvent], items: Iterable[Key]) -> dict[Key, list[str]]:
    """The ids of the entries behind some items of some documents."""
    found: dict[Key, list[str]] = {item: [] for item in items}
    clients = {client_id for client_id, _ in found}
    for event in events:
        if event.client_id in clients:
            for line in decode(event.topic, event.state).lines:
                if (event.client_id, line.item_key) in found:
                    found[event.client_id, line.item_key] += [member.time_entry_id for member in line.members]
    return found

"""What waits because a message it rests on could not be read: the reason, and which dead letter it is.

Looked up when somebody asks: what is in a dead letter is cipher text in the database, and it may be taken in, dismissed or
purged at any time, which no fact of the book tells.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import Cursor

from domain.rated import REASONS
from ledger.keyring import Keyring

DEPENDS: Final = "depends_on_dead_letter"
MOST_LETTERS: Final = 5_000
"""The newest of those that wait are looked at: a page must not take longer the worse a sender is."""
CLIENTS: Final = "daybook.clients"

# Where several reasons hold, the first of the list is shown; the dead letter is named all the same.
_SHOWN_BEFORE: Final = frozenset(REASONS[: REASONS.index(DEPENDS)])
# The first statement under an id stands: nothing waits for the second.
_LETTERS: Final = """
    SELECT d.batch_id, d.number, d.topic, d.partition, d."offset", d.key
    FROM ledger.dead_letters d JOIN ledger.batches b USING (batch_id)
        LEFT JOIN ledger.dead_letters_settled s USING (batch_id, number)
    WHERE s.outcome IS NULL AND d.key IS NOT NULL AND d.reason <> 'idempotency_conflict'
        AND (%s::timestamptz IS NULL OR b.recorded_at <= %s)
    ORDER BY d.batch_id DESC, d.number DESC LIMIT %s
"""
_VALUE: Final = "SELECT value FROM ledger.dead_letters WHERE batch_id = %s AND number = %s"


def explained(
    cursor: Cursor[Any], keyring: Keyring, rows: Sequence[dict[str, Any]], known_at: datetime | None = None
) -> list[dict[str, Any]]:
    """Rows of what waits, each with the place of the dead letter that it waits for (`dead_letter`, mostly null)."""
    named = _named(cursor, keyring, rows, known_at)
    found = []
    for row in rows:
        letter = named.get((row["client_id"], row["id"]))
        if letter is None and row["reason"] == "unknown_client":
            letter = named.get((row["client_id"], ""))
        reason = row["reason"] if letter is None or row["reason"] in _SHOWN_BEFORE else DEPENDS
        found.append({**row, "reason": reason, "dead_letter": letter})
    return found


def _named(
    cursor: Cursor[Any], keyring: Keyring, rows: Iterable[Mapping[str, Any]], known_at: datetime | None
) -> dict[tuple[str, str], str]:
    """The newest dead letter that names each (client, id); one of the client's own definition under the id ""."""
    ids: dict[str, set[str]] = {}
    for row in rows:
        ids.setdefault(row["client_id"], set()).add(row["id"])
    named: dict[tuple[str, str], str] = {}
    for batch_id, number, topic, place, key in _letters(cursor, keyring, known_at) if ids else ():
        if topic == CLIENTS:
            named.setdefault((key, ""), place)
        if key not in ids:
            continue
        sealed = cursor.execute(_VALUE, (batch_id, number)).fetchone()
        value = keyring.decrypt_bytes(sealed[0]) if sealed is not None and sealed[0] is not None else None
        for id_ in ids[key] if value is not None else ():
            if says(value or b"", id_):
                named.setdefault((key, id_), place)
    return named


def _letters(cursor: Cursor[Any], keyring: Keyring, known_at: datetime | None) -> Iterator[tuple[int, int, str, str, str]]:
    for batch_id, number, topic, partition, offset, sealed in cursor.execute(
        _LETTERS, (known_at, known_at, MOST_LETTERS)
    ).fetchall():
        key = keyring.decrypt_bytes(sealed)
        if key is not None:
            yield batch_id, number, topic, f"{topic}/{partition}/{offset}", key.decode(errors="replace")


def says(value: bytes, text: str) -> bool:
    """Whether bytes hold a text as Avro writes it, its length before it: also of a message that is cut, or of no known schema."""
    raw = text.encode()
    length, prefix = len(raw) << 1, b""
    while length > 0x7F:
        prefix += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bool(raw) and prefix + bytes([length]) + raw in value

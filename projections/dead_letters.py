"""Messages that could not be read or trusted: where each came from and why it was set aside, never what was in it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from psycopg import Cursor

from ledger.keyring import Keyring

PAGE: Final = 2_000
_NAMES: Final = ("topic", "partition", "offset", "reason", "error", "schema_id", "first_seen", "batch")


def every(cursor: Cursor[Any]) -> Iterator[dict[str, Any]]:
    """All of them in the order they were set aside, read a page at a time."""
    last = (0, 0)
    while True:
        rows = cursor.execute(
            'SELECT topic, partition, "offset", reason, error, schema_id, first_seen, batch_id, number FROM ledger.dead_letters'
            " WHERE (batch_id, number) > (%s, %s) ORDER BY batch_id, number LIMIT %s",
            (*last, PAGE),
        ).fetchall()
        for row in rows:
            yield dict(zip(_NAMES, row[:8], strict=True))
        if len(rows) < PAGE:
            return
        last = (rows[-1][7], rows[-1][8])


def of_key(cursor: Cursor[Any], keyring: Keyring, key: bytes) -> tuple[int, datetime | None]:
    """How many bear a message key (a client's id), and when the last of them came; keys are kept as cipher text."""
    seen = [
        first_seen
        for sealed, first_seen in cursor.stream("SELECT key, first_seen FROM ledger.dead_letters WHERE key IS NOT NULL")
        if keyring.decrypt_bytes(sealed) == key
    ]
    return len(seen), max(seen, default=None)


def count(cursor: Cursor[Any]) -> int:
    """How many there are."""
    row = cursor.execute("SELECT count(*) FROM ledger.dead_letters").fetchone()
    assert row is not None
    return int(row[0])

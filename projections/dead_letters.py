"""Messages that could not be read or trusted: where each came from and why it was set aside, never what was in it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from psycopg import Cursor

from ledger.keyring import Keyring

PAGE: Final = 2_000
_NAMES: Final = ("topic", "partition", "offset", "reason", "error", "schema_id", "first_seen", "batch", "outcome")
_KEPT: Final = "FROM ledger.dead_letters d LEFT JOIN ledger.dead_letters_settled s USING (batch_id, number)"


def every(cursor: Cursor[Any], *, settled: bool = False) -> Iterator[dict[str, Any]]:
    """Those that wait for somebody (or all) in the order they were set aside, read a page at a time."""
    last = (0, 0)
    while True:
        rows = cursor.execute(
            'SELECT d.topic, d.partition, d."offset", d.reason, d.error, d.schema_id, d.first_seen, d.batch_id, s.outcome,'
            f" d.number {_KEPT} WHERE (d.batch_id, d.number) > (%s, %s) AND (%s OR s.outcome IS NULL)"
            " ORDER BY d.batch_id, d.number LIMIT %s",
            (*last, settled, PAGE),
        ).fetchall()
        for row in rows:
            yield dict(zip(_NAMES, row[:9], strict=True))
        if len(rows) < PAGE:
            return
        last = (rows[-1][7], rows[-1][9])


def of_key(cursor: Cursor[Any], keyring: Keyring, key: bytes) -> tuple[int, datetime | None]:
    """How many bear a message key (a client's id), and when the last of them came; keys are kept as cipher text."""
    seen = [
        first_seen
        for sealed, first_seen in cursor.stream("SELECT key, first_seen FROM ledger.dead_letters WHERE key IS NOT NULL")
        if keyring.decrypt_bytes(sealed) == key
    ]
    return len(seen), max(seen, default=None)


def count(cursor: Cursor[Any], *, settled: bool = False) -> int:
    """How many wait for somebody, or how many there are at all."""
    row = cursor.execute(f"SELECT count(*) {_KEPT} WHERE %s OR s.outcome IS NULL", (settled,)).fetchone()
    assert row is not None
    return int(row[0])

"""Messages that could not be read, announced on `daybook.dead-letters` so that whoever sent them can mend them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from ledger.book import Book
from producers.outgoing import LARGEST_PAGE, LARGEST_VALUE, Backlog, Message
from schemas.topics import DEAD_LETTERS

LONGEST_KEY: Final = 16 * 1024
LONGEST_TEXT: Final = 8 * 1024

# A place is (batch, number within it); a cursor is one number, which holds both.
_NUMBERS_A_BATCH: Final = 1 << 20
_NEXT: Final = """
    SELECT batch_id, number, topic, partition, "offset", key, reason, error, schema_id, first_seen,
           CASE WHEN %s AND octet_length(value) < %s THEN value END
    FROM ledger.dead_letters WHERE (batch_id, number) > (%s, %s) ORDER BY batch_id, number LIMIT %s
"""
_BACKLOG: Final = """
    SELECT count(*), (SELECT recorded_at FROM ledger.batches AS b WHERE b.batch_id = min(d.batch_id))
    FROM ledger.dead_letters AS d WHERE (batch_id, number) > (%s, %s)
"""


class DeadLetterFeed:
    """The ledger's dead letters, oldest first; their position packs the batch and the number within it.

    The original bytes, which may hold anybody's personal text, are sent only `with_bytes`.
    """

    name = "dead-letters"
    log_event = "dead_letters_published"

    def __init__(self, book: Book, topic: str = DEAD_LETTERS, *, with_bytes: bool = False) -> None:
        self.topic = topic
        self._book = book
        self._with_bytes = with_bytes

    def next(self, after: int, limit: int) -> Sequence[Message]:
        """The next dead letters as messages; one that was purged is not there any more."""
        batch_id, number = divmod(after, _NUMBERS_A_BATCH)
        parameters = [self._with_bytes, LARGEST_VALUE, batch_id, number, limit]
        with self._book.database.connection() as connection, connection.cursor(binary=True) as cursor:
            rows = cursor.execute(_NEXT, parameters).fetchall()
        page: list[Message] = []
        size = 0
        for row in rows:
            page.append(self._message(row))
            size += len(page[-1].value or b"") + LONGEST_TEXT
            if size >= LARGEST_PAGE:
                break
        return page

    def backlog(self, after: int) -> Backlog:
        """The dead letters that nobody was told of yet; one that was purged is none any more."""
        with self._book.database.connection() as connection:
            row = connection.execute(_BACKLOG.encode(), divmod(after, _NUMBERS_A_BATCH)).fetchone()
        assert row is not None
        return Backlog(*row)

    def end(self) -> int:
        """The place of the last one that there could be."""
        with self._book.database.connection() as connection:
            row = connection.execute("SELECT coalesce(max(batch_id), 0) FROM ledger.batches").fetchone()
        assert row is not None
        return (int(row[0]) + 1) * _NUMBERS_A_BATCH - 1

    def _message(self, row: Any) -> Message:
        batch_id, number, topic, partition, offset, sealed_key, reason, error, schema_id, first_seen, sealed_value = row
        key, value = self._opened(sealed_key), self._opened(sealed_value)
        if key is not None and len(key) > LONGEST_KEY:
            key = None
        headers = {
            "reason": reason,
            "error": error,
            "topic": topic,
            "partition": str(partition),
            "offset": str(offset),
            "schema_id": "" if schema_id is None else str(schema_id),
            "first_seen": _instant(first_seen),
        }
        return Message(
            batch_id * _NUMBERS_A_BATCH + number,
            key,
            # The client refuses a record with neither key nor value.
            b"" if key is None and value is None else value,
            tuple((name, text.encode()[:LONGEST_TEXT]) for name, text in headers.items()),
        )

    def _opened(self, sealed: bytes | None) -> bytes | None:
        return None if sealed is None else self._book.keyring.decrypt_bytes(sealed)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"

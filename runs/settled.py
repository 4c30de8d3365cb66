"""Notes each invoice of which nothing is left to pay, once, so that others can be told (`InvoiceSettled`)."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from psycopg.errors import LockNotAvailable

from domain.corrections import InvoiceSettled
from domain.ids import event_id, stream_id
from ledger.book import Book, BookBusy, EventIdTaken, NewEvent, VersionConflict
from ledger.event_codec import encode
from projections import decisions

AT_ONCE: Final = 500
_FOUND: Final = """
    SELECT o.client_id, o.number, o.settled_on FROM books.open_items o
    WHERE o.settled_on IS NOT NULL
      AND EXISTS (SELECT FROM books.invoices i WHERE i.client_id = o.client_id AND i.number = o.number AND i.kind = 'invoice')
      AND NOT EXISTS (SELECT FROM books.settlements s WHERE s.client_id = o.client_id AND s.number = o.number)
    ORDER BY o.settled_on, o.client_id COLLATE "C", o.number COLLATE "C" LIMIT %s
"""


class Settling:
    """Looks again only where the book has grown since: a worker asks twice a second."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._looked_at = -1

    def step(self, at: datetime) -> int:
        """Notes what the views show as settled, all of it; gives how many invoices that were."""
        head = self._book.head()
        if head == self._looked_at:
            return 0
        count = 0
        while noted := note_settled(self._book, at):
            count += noted
        self._looked_at = head
        return count


def note_settled(book: Book, at: datetime, limit: int = AT_ONCE) -> int:
    """Notes the next invoices that are settled and were not noted; safe to be tried by many at once: one of them does it."""
    with book.database.connection() as connection:
        rows: Sequence[tuple[str, str, date]] = connection.execute(_FOUND.encode(), [limit]).fetchall()
    if not rows:
        return 0
    events: list[InvoiceSettled] = []
    new: list[NewEvent] = []
    for client_id, number, settled_on in rows:
        # The stream is the invoice's own: two that note the same one meet on version 1.
        stream = stream_id("settled", number)
        id_ = event_id(stream, 1)
        event = InvoiceSettled(event_id=str(id_), occurred_at=at, client_id=client_id, number=number, settled_on=settled_on)
        events.append(event)
        new.append(NewEvent(stream, 1, event.TOPIC, encode(event), client_id, id_))

    def also(cursor: Any, first: int, _batch: int) -> None:
        decisions.apply(cursor, list(enumerate(events, start=first)))

    try:
        with book.database.connection() as connection:
            connection.execute("SET LOCAL search_path = books")
            book.append(new, conn=connection, also=also)
    except (VersionConflict, EventIdTaken, BookBusy, LockNotAvailable):
        return 0  # another worker is at it; what it leaves is found at the next look
    return len(events)

"""Opens a business day: recorded as an event, so that what falls due depends on no clock when history is replayed."""

from datetime import date, datetime

from domain.decisions import BusinessDayOpened
from domain.facts import PROVIDER
from domain.ids import event_id, stream_id
from ledger.book import Batch, Book, EventIdTaken, NewEvent, VersionConflict
from ledger.event_codec import encode
from projections import decisions


def open_day(book: Book, day: date, at: datetime) -> Batch | None:
    """Opens a day unless it, or a later one, is open already; safe to be tried by many at once."""
    with book.database.connection() as connection:
        connection.execute("SET LOCAL search_path = books")
        with connection.cursor() as cursor:
            opened = decisions.business_day(cursor)
    if opened is not None and opened >= day:
        return None
    # The stream is the day's own: two that open the same day meet on version 1.
    stream = stream_id("business-day", day.isoformat())
    id_ = event_id(stream, 1)
    event = BusinessDayOpened(event_id=str(id_), occurred_at=at, day=day)
    new = NewEvent(stream, 1, event.TOPIC, encode(event), PROVIDER, id_)
    try:
        with book.database.connection() as connection:
            connection.execute("SET LOCAL search_path = books")
            return book.append(
                [new], conn=connection, also=lambda cursor, first, _: decisions.apply(cursor, [(first, event)])
            )
    except (VersionConflict, EventIdTaken):
        return None

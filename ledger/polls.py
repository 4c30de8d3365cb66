"""The polls of seats that were heard, by stream, system and instant: those in the book, and the repeats kept aside from it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from ledger.database import Cursor, Database

Day = tuple[UUID, str, date]
"""(stream, system, day by UTC)."""


class KeptAside(NamedTuple):
    """What makes a repeat an event, should it come to say something."""

    state: bytes
    client_id: str
    body_hash: bytes | None
    source: tuple[str, int, int]


class Poll(NamedTuple):
    """One count as it was heard; `aside` is null where it stands in the book."""

    stream_id: UUID
    system: str
    as_of: datetime
    event_id: str
    occurred_at: datetime
    revision: int
    quantity: int
    aside: KeptAside | None


def of_days(database: Database, days: Iterable[Day], event_ids: Sequence[UUID]) -> tuple[list[Poll], list[Poll]]:
    """Every poll of some systems' days, and the repeats kept aside under some event ids, of whichever day."""
    wanted = [(stream, system, datetime.combine(day, time(), UTC)) for stream, system, day in days]
    ends = [_end(start) for _, _, start in wanted]
    with database.connection() as connection, connection.cursor(binary=True) as cursor:
        cursor.execute(_OF_DAYS, [*map(list, zip(*wanted, strict=True)), ends], prepare=True)
        heard = [_poll(row) for row in cursor.fetchall()]
        cursor.execute(_ASIDE, [list(event_ids)], prepare=True)
        return heard, [_poll(row) for row in cursor.fetchall()]


def keep(cursor: Cursor, new: Sequence[Poll], told: Sequence[Poll]) -> None:
    """Keeps new polls, and lets go of the content of those that became events, in the transaction of their batch."""
    if new:
        with cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for poll in new:
                state, client_id, body_hash, source = poll.aside or (None, None, None, (None, None, None))
                copy.write_row((*poll[:3], UUID(poll.event_id), *poll[4:7], state, client_id, body_hash, *source))
    if told:
        cursor.execute(_TOLD, [list(column) for column in zip(*(one[:4] for one in told), strict=True)])


_FIELDS: Final = (
    "stream_id, system, as_of, event_id, occurred_at, revision, quantity, state, client_id, body_hash, source_topic,"
    " source_partition, source_offset"
)
_TYPES: Final = (
    "uuid", "text", "timestamptz", "uuid", "timestamptz", "int8", "int8", "bytea", "text", "bytea", "text", "int4", "int8",
)  # fmt: skip
# One look-up in the index a day, whatever the planner knows of the table's size: OFFSET 0 keeps it from reading it whole.
_OF_DAYS: Final = b"""
    SELECT p.* FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::timestamptz[]) AS w (stream_id, system, start, until)
    CROSS JOIN LATERAL (
        SELECT * FROM ledger.seat_polls AS s
        WHERE s.stream_id = w.stream_id AND s.system = w.system AND s.as_of >= w.start AND s.as_of < w.until
        OFFSET 0
    ) AS p
"""
_ASIDE: Final = b"SELECT * FROM ledger.seat_polls WHERE event_id = ANY(%s) AND state IS NOT NULL"
_COPY: Final = f"COPY ledger.seat_polls ({_FIELDS}) FROM STDIN (FORMAT BINARY)".encode()
_TOLD: Final = b"""
    UPDATE ledger.seat_polls AS p
    SET state = NULL, client_id = NULL, body_hash = NULL, source_topic = NULL, source_partition = NULL, source_offset = NULL
    FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::uuid[]) AS w (stream_id, system, as_of, event_id)
    WHERE p.stream_id = w.stream_id AND p.system = w.system AND p.as_of = w.as_of AND p.event_id = w.event_id
"""


def _end(start: datetime) -> datetime:
    """When the day ends; the last day of the calendar has no next one."""
    return start + timedelta(days=1) if start.date() < date.max else datetime.max.replace(tzinfo=UTC)


def _poll(row: tuple[object, ...]) -> Poll:
    stream_id, system, as_of, event_id, occurred_at, revision, quantity, state, client_id, body_hash, *source = row
    aside = KeptAside(state, client_id, body_hash, tuple(source)) if state is not None else None  # type: ignore[arg-type]
    return Poll(stream_id, system, as_of, str(event_id), occurred_at, revision, quantity, aside)  # type: ignore[arg-type]

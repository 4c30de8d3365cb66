"""The book of original entry: everything that ever became known is appended here, once, and read from here."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.errors import LockNotAvailable, UniqueViolation
from psycopg.pq import TransactionStatus
from psycopg_pool import PoolTimeout

from domain.ids import uuid_of
from ledger import chain, writing
from ledger.database import Connection, Cursor, Database
from ledger.entries import (
    Batch,
    BookBusy,
    DeadLetter,
    EventIdTaken,
    LedgerError,
    NewEvent,
    NewFact,
    Position,
    PositionConflict,
    RecordedDeadLetter,
    RecordedEvent,
    Slice,
    VersionConflict,
    tracking_name,
)
from ledger.keyring import Keyring
from ledger.sleepers import throw_out_sleepers
from ledger.writing import CHANNEL, Also

__all__ = [
    "CHANNEL",
    "Batch",
    "Book",
    "BookBusy",
    "DeadLetter",
    "EventIdTaken",
    "LedgerError",
    "NewEvent",
    "NewFact",
    "Position",
    "PositionConflict",
    "RecordedDeadLetter",
    "RecordedEvent",
    "Slice",
    "VersionConflict",
    "tracking_name",
]

PAGE = 2_000
# Longer than a frozen transaction may idle, so that the lock tells whether a lost commit took place.
READ_BACK_LOCK_TIMEOUT = "15s"
RECENT_BATCHES = 1_000

SELECT_EVENTS = """
    SELECT e.notification_id, e.batch_id, b.recorded_at, e.originator_id, e.originator_version, e.topic, e.state,
           e.client_id, e.event_id, e.body_hash, e.source_topic, e.source_partition, e.source_offset
    FROM ledger.daybook_events AS e JOIN ledger.batches AS b USING (batch_id)
"""
LOAD = SELECT_EVENTS + "WHERE e.originator_id = ANY(%b) ORDER BY e.originator_id, e.originator_version"
SEEN = (
    "SELECT uuid_send(originator_id), uuid_send(event_id), body_hash FROM ledger.daybook_events WHERE originator_id = ANY(%b) "
    "ORDER BY originator_id, originator_version"
)
READ = SELECT_EVENTS + (
    "WHERE e.notification_id > %s AND e.notification_id <= coalesce(%s, 9223372036854775807) ORDER BY e.notification_id LIMIT %s"
)
HISTORY = SELECT_EVENTS + (
    "WHERE e.client_id = %s AND e.notification_id > %s AND e.notification_id <= coalesce(%s, 9223372036854775807) "
    "ORDER BY e.notification_id LIMIT %s"
)
READ_BACK = """
    SELECT e.event_id, e.digest, b.batch_id, b.first_id, b.last_id, b.n, b.recorded_at
    FROM ledger.daybook_events AS e JOIN ledger.batches AS b USING (batch_id)
    WHERE e.event_id = ANY(%b) ORDER BY e.notification_id
"""
READ_BACK_POSITIONS = """
    SELECT batch_id, first_id, last_id, recorded_at FROM ledger.batches
    WHERE batch_id > (SELECT max(batch_id) FROM ledger.batches) - %s AND positions = %s::jsonb
    ORDER BY batch_id DESC LIMIT 1
"""


class Book:
    """Appends batches and reads them back; the only writer of the ledger's tables."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.database = database
        self.keyring = keyring

    def append(
        self,
        events: Sequence[NewEvent | NewFact],
        *,
        slices: Iterable[Slice] = (),
        dead_letters: Iterable[DeadLetter] = (),
        conn: Connection | None = None,
        also: Also | None = None,
        positions: Iterable[Position] = (),
    ) -> Batch:
        """Records a batch: events, the positions they came from, dead letters and `also`'s rows, all or nothing.

        With `conn` it takes part in that open transaction (READ COMMITTED), which must be rolled back if this raises
        and holds the book's lock until it ends. `also(cursor, first position, batch id)` runs last, under the lock.
        Raises PositionConflict, VersionConflict, EventIdTaken or BookBusy; then nothing was recorded. A commit whose
        acknowledgement was lost is looked up before anything is raised.
        """
        if conn is not None and conn.autocommit and conn.info.transaction_status == TransactionStatus.IDLE:
            raise ValueError("a batch needs a transaction: this connection commits each statement by itself")
        moves = [*positions, *(Position(s.name, s.first_offset, s.last_offset) for s in slices)]
        batch = writing.prepare(events, moves, dead_letters, self.keyring)
        try:
            if conn is not None:
                with conn.cursor() as cursor:
                    return writing.write(cursor, batch, also)
            with self.database.connection() as own, own.cursor() as cursor:
                return writing.write(cursor, batch, also)
        except UniqueViolation as error:
            raise self._explain(error, events) from error
        except LockNotAvailable as error:
            throw_out_sleepers(self.database)
            raise BookBusy("another writer holds the book: try again") from error
        except PoolTimeout:
            raise
        except (psycopg.OperationalError, psycopg.InterfaceError):
            recorded = self._read_back(batch) if conn is None else None
            if recorded is None:
                raise
            return recorded

    def load(self, stream_ids: Iterable[UUID]) -> dict[UUID, list[RecordedEvent]]:
        """Each stream's events in order of version; an empty list for a stream that does not exist yet."""
        streams: dict[UUID, list[RecordedEvent]] = {stream_id: [] for stream_id in stream_ids}
        for event in self._events(LOAD, [list(streams)]) if streams else ():
            streams[event.stream_id].append(event)
        return streams

    def seen(self, stream_ids: Iterable[bytes]) -> dict[bytes, dict[bytes, bytes | None]]:
        """What a stream needs to tell a repeat: its events' body hashes by their ids, in order of version.

        Only streams that exist; ids are the 16 bytes of a UUID.
        """
        wanted = [uuid_of(int.from_bytes(stream_id, "big")) for stream_id in stream_ids]
        found: dict[bytes, dict[bytes, bytes | None]] = {}
        with self.database.connection() as connection, connection.cursor(binary=True) as cursor:
            for stream_id, event_id, body_hash in cursor.execute(SEEN, [wanted], prepare=True):
                found.setdefault(stream_id, {})[event_id] = body_hash
        return found

    def read(self, after: int, limit: int, upto: int | None = None) -> list[RecordedEvent]:
        """The next events after a position, in order; at most `limit`, none beyond `upto`."""
        return self._events(READ, [after, upto, limit])

    def history(self, client_id: str, upto: int | None = None) -> Iterator[RecordedEvent]:
        """Everything that concerns one client, in order of becoming known."""
        after = 0
        while page := self._events(HISTORY, [client_id, after, upto, PAGE]):
            yield from page
            after = page[-1].position

    def head(self) -> int:
        """The position of the newest event; 0 in an empty book."""
        return int(self._one("SELECT coalesce((SELECT last_id FROM ledger.batches ORDER BY batch_id DESC LIMIT 1), 0)"))

    def head_hash(self) -> tuple[int, bytes]:
        """The newest batch and its hash: whoever keeps these elsewhere can tell a rewritten book (0 and zeros if empty)."""
        with self.database.connection() as connection:
            row = connection.execute("SELECT batch_id, hash FROM ledger.batches ORDER BY batch_id DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else (0, chain.BEGINNING)

    def position(self, source: str, topic: str, partition: int) -> int | None:
        """The last offset of a partition that is in the book, or None."""
        found: int | None = self._one(
            "SELECT (SELECT notification_id FROM ledger.daybook_tracking WHERE application_name = %s)",
            [tracking_name(source, topic, partition)],
        )
        return found

    def positions(self, source: str) -> dict[tuple[str, int], int]:
        """The last offset in the book of every partition of a source."""
        with self.database.connection() as connection:
            rows = connection.execute(
                "SELECT application_name, notification_id FROM ledger.daybook_tracking WHERE starts_with(application_name, %s)",
                [f"{source}:"],
            ).fetchall()
        parts = [(name.removeprefix(f"{source}:").rpartition(":"), last) for name, last in rows]
        return {(topic, int(partition)): last for (topic, _, partition), last in parts}

    def batch_at(self, instant: datetime) -> int:
        """The last position known at that instant: what `--known-at` folds up to."""
        return int(self._one(
            "SELECT coalesce((SELECT last_id FROM ledger.batches WHERE recorded_at <= %s "
            "ORDER BY recorded_at DESC, batch_id DESC LIMIT 1), 0)",
            [instant],
        ))  # fmt: skip

    def dead_letters(self, after_batch: int = 0, limit: int = PAGE) -> list[RecordedDeadLetter]:
        """Messages that could not be read, oldest first, decrypted."""
        with self.database.connection() as connection, connection.cursor(binary=True) as cursor:
            rows = cursor.execute(
                'SELECT batch_id, topic, partition, "offset", key, value, reason, error, schema_id, first_seen '
                "FROM ledger.dead_letters WHERE batch_id > %s ORDER BY batch_id, number LIMIT %s",
                [after_batch, limit],
            ).fetchall()

        def opened(sealed: bytes | None) -> bytes | None:
            return None if sealed is None else self.keyring.decrypt_bytes(sealed)

        return [
            RecordedDeadLetter(row[0], DeadLetter._make((*row[1:4], opened(row[4]), opened(row[5]), *row[6:]))) for row in rows
        ]

    def purge_dead_letters(self, older_than: datetime) -> int:
        """Deletes dead letters kept long enough; the chain keeps their digest."""
        with self.database.connection() as connection:
            return connection.execute("DELETE FROM ledger.dead_letters WHERE first_seen < %s", [older_than]).rowcount

    def _events(self, query: str, parameters: Sequence[Any]) -> list[RecordedEvent]:
        with self.database.connection() as connection, connection.cursor(binary=True) as cursor:
            rows = cursor.execute(query.encode(), parameters, prepare=True).fetchall()
        # The tuple is made at once, not by the class's constructor: a rebuild reads millions.
        new, cls = tuple.__new__, RecordedEvent
        return [
            new(cls, (a, b, c, d, e, f, g, h, i, j, None if topic is None else (topic, partition, offset)))
            for a, b, c, d, e, f, g, h, i, j, topic, partition, offset in rows
        ]

    def _one(self, query: str, parameters: Sequence[Any] = ()) -> Any:
        with self.database.connection() as connection:
            row = connection.execute(query.encode(), parameters).fetchone()
        assert row is not None
        return row[0]

    def _explain(self, error: UniqueViolation, events: Sequence[NewEvent | NewFact]) -> Exception:
        match error.diag.constraint_name:
            case "daybook_events_pkey":
                return VersionConflict(error.diag.message_detail or "a stream has grown meanwhile")
            case "daybook_events_event_id_idx":
                return EventIdTaken(self._taken(events) | _ids_in(error.diag.message_detail or ""))
            case _:
                return error  # `also`'s own table: its owner knows what it means

    def _taken(self, events: Sequence[NewEvent | NewFact]) -> frozenset[UUID]:
        counts = Counter(_event_id(event) for event in events)
        with self.database.connection() as connection:
            rows = connection.execute(
                "SELECT event_id FROM ledger.daybook_events WHERE event_id = ANY(%s)", [list(counts)]
            ).fetchall()
        return frozenset([event_id for event_id, n in counts.items() if n > 1] + [event_id for (event_id,) in rows])

    def _read_back(self, batch: writing.Prepared) -> Batch | None:
        """The batch if its commit did take place: asked under the lock, which a commit still under way holds."""
        try:
            with self.database.connection() as connection, connection.cursor(binary=True) as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [READ_BACK_LOCK_TIMEOUT])
                cursor.execute("LOCK TABLE ledger.daybook_events IN EXCLUSIVE MODE")
                return _recorded(cursor, batch)
        except psycopg.Error:
            return None  # still nobody to ask: the first error is the one to raise


def _event_id(event: NewEvent | NewFact) -> UUID:
    return UUID(bytes=event.event_id) if isinstance(event.event_id, bytes) else event.event_id


def _ids_in(detail: str) -> set[UUID]:
    # One of the caller's own transaction, not committed yet, is known from the error only.
    return {UUID(found) for found in re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", detail)}


def _recorded(cursor: Cursor, batch: writing.Prepared) -> Batch | None:
    if not batch.events:
        offsets = json.dumps(batch.offsets)
        row = cursor.execute(READ_BACK_POSITIONS, [RECENT_BATCHES, offsets]).fetchone() if batch.offsets else None
        return Batch(*row) if row else None
    rows = cursor.execute(READ_BACK, [[_event_id(event) for event in batch.events]]).fetchall()
    same = [(event_id, digest) for event_id, digest, *_ in rows] == [
        (_event_id(event), digest) for event, digest in zip(batch.events, batch.digests, strict=True)
    ]
    if not same or rows[0][5] != len(rows):
        return None
    batch_id, first_id, last_id, _, recorded_at = rows[0][2:]
    return Batch(batch_id, first_id, last_id, recorded_at)

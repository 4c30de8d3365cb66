"""The event library's view of the same book: its recorder, mapper and pool over our tables and our one way to write."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID, uuid5

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    IntegrityError,
    JSONTranscoder,
    Mapper,
    MapperDeserialisationError,
    StoredEvent,
    Tracking,
)
from eventsourcing.postgres import ConnectionPool, PostgresDatastore, PostgresProcessRecorder
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from ledger.book import Book
from ledger.database import LOCK_TIMEOUT_MS, Database
from ledger.entries import EventIdTaken, NewEvent, Position, PositionConflict, VersionConflict

SCHEMA = "ledger"
EVENT_IDS = UUID("8f3f1d0e-6f0b-5a53-9a0d-2f5f8e7c6a11")


class Codec(Protocol):
    """Turns events into JSON and back, by an allow-list of topics only (`ledger.event_codec`)."""

    def encode(self, event: Any, /) -> bytes:
        """The event's state."""
        ...

    def decode(self, topic: str, state: bytes, /) -> Any:
        """The event of a topic; raises on a topic that is not on the list."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """One of our events with its place in a stream: what the library's `save()` takes and its projectors get."""

    originator_id: UUID
    originator_version: int
    event: Any  # one of the domain's dataclasses, with its TOPIC
    client_id: str = ""
    event_id: UUID | None = None  # absent: derived from the place, so that a rerun collides instead of doubling


@dataclass(frozen=True)
class BookedEvent(StoredEvent):
    """The library's stored event with the columns that are ours."""

    client_id: str
    event_id: UUID


class LedgerMapper(Mapper[UUID]):
    """Between domain events and stored ones, without the library's transcoder and without importing what a topic names."""

    def __init__(self, codec: Codec) -> None:
        super().__init__(JSONTranscoder())  # never used: the codec does the work
        self._codec = codec

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Encodes one event."""
        assert isinstance(domain_event, StreamEvent)
        stream_id, version = domain_event.originator_id, domain_event.originator_version
        return BookedEvent(
            originator_id=stream_id,
            originator_version=version,
            topic=domain_event.event.TOPIC,
            state=self._codec.encode(domain_event.event),
            client_id=domain_event.client_id or getattr(domain_event.event, "client_id", ""),
            event_id=domain_event.event_id or derived_event_id(stream_id, version),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """Decodes one event."""
        assert isinstance(stored_event.originator_id, UUID)
        try:
            event = self._codec.decode(stored_event.topic, stored_event.state)
        except Exception as error:
            place = f"{stored_event.topic} at {stored_event.originator_id}/{stored_event.originator_version}"
            raise MapperDeserialisationError(f"cannot read {place}: {error}") from error
        return StreamEvent(
            originator_id=stored_event.originator_id,
            originator_version=stored_event.originator_version,
            event=event,
            client_id=getattr(event, "client_id", ""),
        )


class LedgerDatastore(PostgresDatastore):
    """The library's pool, connecting as the application with our session settings."""

    def __init__(self, database: Database) -> None:
        super().__init__("", "", "", "", "", schema=SCHEMA, lock_timeout=LOCK_TIMEOUT_MS // 1_000)
        self.pool = ConnectionPool(
            database.dsn,
            connection_class=Connection[DictRow],
            kwargs={"row_factory": dict_row, "autocommit": True},
            min_size=1,
            max_size=5,
            open=False,
            check=ConnectionPool.check_connection,
        )


class LedgerRecorder(PostgresProcessRecorder):
    """Reads as the library does and writes through the book: COPY, batch row, digests, one lock, no pipeline."""

    book: Book

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        tracking: Tracking | None = None,
        trackings: Sequence[Tracking] = (),
        also: Callable[..., None] | None = None,
        **_: Any,
    ) -> Sequence[int] | None:
        """Records events and positions in one batch; a conflict is the library's IntegrityError.

        Not retried as the library does: the book itself looks up a commit whose acknowledgement was lost.
        """
        moves = [
            Position(t.application_name, t.notification_id, t.notification_id)
            for t in (*([tracking] if tracking else []), *trackings)
        ]
        if not stored_events and not moves:
            return []
        try:
            batch = self.book.append([_new_event(event) for event in stored_events], positions=moves, also=also)
        except (VersionConflict, EventIdTaken, PositionConflict) as error:
            raise IntegrityError(str(error)) from error
        return range(batch.first_position, batch.last_position + 1)


def derived_event_id(stream_id: UUID, version: int) -> UUID:
    """The id of an event that came without one."""
    return uuid5(EVENT_IDS, f"{stream_id}/{version}")


def _new_event(stored: StoredEvent) -> NewEvent:
    assert isinstance(stored.originator_id, UUID)
    place = stored.originator_id, stored.originator_version
    return NewEvent(
        *place,
        stored.topic,
        stored.state,
        client_id=getattr(stored, "client_id", ""),
        event_id=getattr(stored, "event_id", None) or derived_event_id(*place),
    )

"""Small batches for the ledger's tests."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from ledger.book import DeadLetter, NewEvent, Slice

SOURCE = "kafka:test-cluster"
TOPIC = "daybook.time"
NOTED = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)


def new_event(
    stream_id: UUID | None = None,
    version: int = 1,
    *,
    client_id: str = "acme",
    event_id: UUID | None = None,
    state: bytes = b'{"worked_minutes":50}',
    offset: int | None = None,
) -> NewEvent:
    """An event with whatever the test cares about."""
    return NewEvent(
        stream_id=stream_id or uuid4(),
        version=version,
        topic="time_entry.logged.v1",
        state=state,
        client_id=client_id,
        event_id=event_id or uuid4(),
        body_hash=bytes(16),
        source=None if offset is None else (TOPIC, 3, offset),
    )


def new_events(n: int) -> list[NewEvent]:
    """As many events, each the first of its own stream."""
    return [new_event(offset=offset) for offset in range(n)]


def offsets(first: int, last: int, partition: int = 3) -> Slice:
    """A slice of one partition of the test's topic."""
    return Slice(SOURCE, TOPIC, partition, first, last)


def dead_letter(offset: int = 7, value: bytes | None = b"\x01not avro") -> DeadLetter:
    """A message that could not be read."""
    return DeadLetter(TOPIC, 3, offset, b"acme", value, "undecodable", "no magic byte", None, NOTED)

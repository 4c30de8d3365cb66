"""The event library's own API and the book read and write the same history."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.application import AggregateNotFoundError
from eventsourcing.persistence import IntegrityError, MapperDeserialisationError, Tracking
from ledger_entries import new_event

from ledger.application import Daybook
from ledger.book import Book
from ledger.database import Database
from ledger.recorder import StreamEvent, derived_event_id
from ledger.verify import verify


@dataclass(frozen=True)
class Counted:
    """A little event."""

    client_id: str
    n: int

    TOPIC = "test.counted.v1"


class CounterCodec:
    """Knows one topic."""

    def encode(self, event: Any, /) -> bytes:
        return json.dumps({"client_id": event.client_id, "n": event.n}).encode()

    def decode(self, topic: str, state: bytes, /) -> Any:
        if topic != Counted.TOPIC:
            raise LookupError(topic)
        return Counted(**json.loads(state))


@pytest.fixture
def daybook(book: Book) -> Any:
    """The library's application over the book."""
    with Daybook(book, CounterCodec()) as application:
        yield application


def total(state: int | None, events: Iterable[Any]) -> int | None:
    """A projector: adds up."""
    for event in events:
        state = (state or 0) + event.event.n
    return state


def test_saved_events_are_in_the_book_and_the_chain(daybook: Daybook, book: Book, database: Database) -> None:
    stream, given = uuid4(), uuid4()
    recordings = daybook.save(
        StreamEvent(originator_id=stream, originator_version=1, event=Counted("acme", 3), event_id=given),
        StreamEvent(originator_id=stream, originator_version=2, event=Counted("acme", 4)),
    )
    assert [recording.notification.id for recording in recordings] == [1, 2]
    written = book.read(0, 10)
    assert [(event.client_id, event.event_id, event.batch_id) for event in written] == [
        ("acme", given, 1),
        ("acme", derived_event_id(stream, 2), 1),
    ]
    assert [check for check in verify(database) if not check.ok] == []


def test_repository_reads_what_the_book_appended(daybook: Daybook, book: Book) -> None:
    stream = uuid4()
    codec = CounterCodec()
    for version in (1, 2, 3):
        state = codec.encode(Counted("acme", version))
        book.append([new_event(stream, version, state=state)._replace(topic=Counted.TOPIC)])
    assert daybook.repository.get(stream, projector_func=total) == 6  # type: ignore[type-var]
    assert daybook.repository.get(stream, version=2, projector_func=total) == 3  # type: ignore[type-var]
    with pytest.raises(AggregateNotFoundError):
        daybook.repository.get(uuid4(), projector_func=total)  # type: ignore[type-var]


def test_notification_log_tells_both_ways_of_writing(daybook: Daybook, book: Book) -> None:
    book.append([new_event()])
    daybook.save(StreamEvent(originator_id=uuid4(), originator_version=1, event=Counted("acme", 3)))
    assert [notification.id for notification in daybook.notification_log.select(start=1, limit=10)] == [1, 2]
    assert daybook.notification_log["1,10"].items[1].topic == Counted.TOPIC


def test_conflict_is_the_librarys_integrity_error(daybook: Daybook) -> None:
    event = StreamEvent(originator_id=uuid4(), originator_version=1, event=Counted("acme", 3))
    daybook.save(event)
    with pytest.raises(IntegrityError):
        daybook.save(event)


def test_tracking_is_saved_with_the_events_and_fences(daybook: Daybook, database: Database) -> None:
    recorder: Any = daybook.recorder
    recorder.insert_events([], trackings=[Tracking("upstream", 4), Tracking("other", 1)])
    assert recorder.max_tracking_id("upstream") == 4
    with pytest.raises(IntegrityError):
        recorder.insert_events([], tracking=Tracking("upstream", 4))
    assert [check for check in verify(database) if not check.ok] == []


def test_thousands_of_events_at_once_do_not_hang(daybook: Daybook) -> None:
    events = [StreamEvent(originator_id=uuid4(), originator_version=1, event=Counted("acme", n)) for n in range(6_000)]
    assert len(daybook.save(*events)) == 6_000


def test_topic_off_the_list_is_not_imported(daybook: Daybook, book: Book) -> None:
    stream = uuid4()
    book.append([new_event(stream)._replace(topic="os:system")])
    with pytest.raises(MapperDeserialisationError, match="os:system"):
        daybook.repository.get(stream, projector_func=total)  # type: ignore[type-var]

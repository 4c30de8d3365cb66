"""A ledger, its topics and its publishers: what the tests of publishing begin with."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from kafka.errors import KafkaError

from ledger.book import Book, DeadLetter
from ledger.database import Database
from producers.channel import Channel
from producers.dead_letters import DeadLetterFeed
from producers.documents import DocumentFeed
from producers.publisher import Publisher, TopicsMissing
from tests.producers.scenes import (
    make_topics,
    numbers_by_client,
    numbers_in_ledger,
    read_all,
)

if TYPE_CHECKING:
    from tests.broker import Broker

LETTER = DeadLetter(
    "daybook.time", 3, 77, b"acme", b"\x01secret", "undecodable", "begins with byte 0x01", None, datetime(2026, 5, 1, tzinfo=UTC)
)

MARKS_S = 10


class Desk:
    """A ledger, its topics, and as many publishers of it as a test wants."""

    def __init__(self, broker: "Broker", book: Book) -> None:
        self.broker, self.book = broker, book
        self.topics = make_topics(broker.bootstrap)
        self._started: list[Publisher] = []

    def publisher(self, most: int = 10, database: Database | None = None, **more: Any) -> Publisher:
        """A new publisher of the documents."""
        feed = DocumentFeed(self.book, self.topics.out)
        return self._new(feed, most, database, **more)

    def dead_letters(self, *, with_bytes: bool = False, **more: Any) -> Publisher:
        """A new publisher of the dead letters, to the same topic."""
        return self._new(DeadLetterFeed(self.book, self.topics.out, with_bytes=with_bytes), 10, **more)

    def _new(self, feed: Any, most: int, database: Database | None = None, **more: Any) -> Publisher:
        cursors = self.topics.cursors
        made = Publisher(feed, database or self.book.database, self.broker.bootstrap, cursors=cursors, most=most, **more)
        self._started.append(made)
        return made

    def read(self, isolation: str = "read_committed") -> list[Any]:
        return read_all(self.broker.bootstrap, self.topics.out, isolation=isolation)

    def check(self) -> None:
        """A reader of committed records sees exactly the ledger's documents, each client's in order."""
        # A commit is answered before its marks lie in every partition: until then a reader of committed records waits.
        deadline = time.monotonic() + MARKS_S
        while self._seen() != numbers_in_ledger(self.book) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert self._seen() == numbers_in_ledger(self.book)

    def _seen(self) -> dict[str, list[str]]:
        return numbers_by_client([record for record in self.read() if not record.headers])

    def close(self) -> None:
        for publisher in self._started:
            publisher.close()


def drain(publisher: Publisher) -> int:
    total = 0
    while count := publisher.step():
        total += count
    return total


def before_commit(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Acts once, between the next transaction's sending and its commit."""
    really_commit = Channel._commit
    acted: list[bool] = []

    def commit(channel: Channel) -> None:
        if not acted:
            acted.append(True)
            act()
        really_commit(channel)

    monkeypatch.setattr(Channel, "_commit", commit)


def as_if_it_died(*_: object) -> None:
    raise KafkaError("as if the process had died here")


def step_through_trouble(publisher: Publisher) -> None:
    for _ in range(20):
        try:
            publisher.step()
        except (KafkaError, TopicsMissing):
            time.sleep(0.2)


def eventually(met: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.3)

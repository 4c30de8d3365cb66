"""The loop that takes facts in: each once, whatever is repeated, fails or is tried again; and the log is told no more."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from consumers import ingest
from consumers.embedded_source import EmbeddedSource
from consumers.ingest import Ingest
from consumers.source import Partition
from ledger.book import Book
from ledger.embedded_log import EmbeddedLog
from tests.oracle.story import Story
from tests.oracle.world import Said


class Told(EmbeddedSource):
    """The embedded log as a source that keeps what it is told of progress, and what the book had at that moment."""

    def __init__(self, book: Book) -> None:
        log = EmbeddedLog(book.database, book.keyring)
        self.book, self.name = book, f"kafka:{log.cluster_id}"
        self.told: list[tuple[Mapping[Partition, int], Mapping[Partition, int]]] = []
        super().__init__(log, lambda topic, partition: book.position(self.name, topic, partition))

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Notes both."""
        self.told.append((dict(offsets), {place: last + 1 for place, last in self.book.positions(self.name).items()}))


def put(book: Book, *said: Said) -> None:
    """Puts facts into the log."""
    EmbeddedLog(book.database, book.keyring).append([(*one.message(), ()) for one in said])


def loop_of(book: Book) -> Ingest:
    """A worker that remembers nothing."""
    return Ingest(book, Told(book))


def clients(*names: str) -> list[Said]:
    """A fact of each client, on a stream of its own."""
    story = Story()
    for name in names:
        story.client(name)
    return [said for said in story.said if said.fields.get("client_id") in names]


def in_the_book(book: Book) -> list[str]:
    """Whose facts the book has, in order."""
    return [event.client_id for event in book.read(0, 1_000)]


def counts(loop: Ingest) -> tuple[int, int, int]:
    """Recorded, repeated, dead-lettered."""
    return loop.totals.recorded, loop.totals.repeats, loop.totals.dead_letters


def test_the_log_is_told_only_what_the_book_has(book: Book) -> None:
    put(book, *clients("a", "b", "c"))
    source = Told(book)
    loop = Ingest(book, source)
    while loop.step(timeout_s=0, max_records=1):
        pass
    assert len(source.told) == 3
    for told, had in source.told:
        assert all(had.get(place, 0) >= offset for place, offset in told.items()), "told before it was in the book"


def test_a_repeat_is_ignored_in_its_own_batch_in_a_later_one_and_after_a_restart(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "BACKOFF_S", 0.01)  # a loop that cannot write shows it soon
    (fact,) = clients("a")
    loop = loop_of(book)
    put(book, fact, fact)
    assert loop.step(timeout_s=0) == 2
    put(book, fact)
    assert loop.step(timeout_s=0) == 1
    assert counts(loop) == (1, 2, 0)
    put(book, fact)
    again = loop_of(book)
    assert again.step(timeout_s=0) == 1
    assert counts(again) == (0, 1, 0)
    assert in_the_book(book) == ["a"]


def test_what_was_decided_for_a_batch_that_failed_is_not_remembered(book: Book) -> None:
    """The batch fails, for an id in it stands on another stream; what was new in it must be new when it is tried again."""
    first, second = clients("a", "b")
    put(book, first)
    loop = loop_of(book)
    assert loop.step(timeout_s=0) == 1
    taken = Said(second.at, second.record, second.fields | {"client_id": "c", "event_id": first.fields["event_id"]})
    put(book, second, taken)
    assert loop.step(timeout_s=0) == 2
    assert in_the_book(book) == ["a", "b"]
    assert counts(loop) == (2, 0, 1)
    assert [kept.letter.reason for kept in book.dead_letters()] == ["idempotency_conflict"]


def poll(number: int, hour: int) -> Said:
    """What a system counts in an hour of 4 May: the same every hour."""
    at = datetime(2026, 5, 4, hour, tzinfo=UTC)
    fields: dict[str, Any] = {
        "event_id": str(UUID(int=number, version=4)), "source": "rmm", "occurred_at": at, "client_id": "a", "product": "ws",
        "system": "rmm", "as_of": at, "quantity": 4, "revision": 1,
    }  # fmt: skip
    return Said(at, "SeatCountReported", fields)


def test_a_poll_is_kept_aside_with_its_batch_or_not_at_all(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two transactions would leave, killed between them, positions beyond polls that nobody kept."""
    put(book, *(poll(number, number) for number in range(1, 9)))
    loop = loop_of(book)
    commits = 0
    really_commit = psycopg.Connection.commit

    def commit(connection: psycopg.Connection[Any]) -> None:
        nonlocal commits
        written = connection.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL").fetchone() == (True,)
        if written:
            commits += 1
        really_commit(connection)

    monkeypatch.setattr(psycopg.Connection, "commit", commit)
    assert loop.step(timeout_s=0) == 8
    assert commits == 1, "a batch is one transaction"
    assert loop.totals.kept_aside > 0

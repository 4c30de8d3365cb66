"""While a batch is written the next one is read already: each fact is still taken in once, whatever goes wrong in between."""

from collections.abc import Collection
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from consumers import ingest
from consumers.ingest import Ingest
from consumers.reading import read
from consumers.source import Polled, SourceError
from consumers.streams import Streams
from ledger.book import Book
from tests.consumers.test_ingest import Told, clients, counts, in_the_book, put
from tests.oracle.story import Story
from tests.oracle.world import Said

NAMES = [f"c{number:02d}" for number in range(12)]


@pytest.fixture(autouse=True)
def always_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few facts are enough to read ahead."""
    monkeypatch.setattr(ingest, "READ_AHEAD_FROM", 1)


class Ahead(Told):
    """Tells what the book had at each poll, and fails at a given one."""

    fails_at = 0

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self.polls = 0
        self.out = 0

    def poll(self, max_records: int, timeout_s: float) -> list[Polled]:
        self.polls += 1
        if self.polls == self.fails_at:
            raise SourceError("the log is gone")
        found = super().poll(max_records, timeout_s)
        self.out += sum(len(part.records) for part in found)
        return found


def entries(*names: str) -> list[Said]:
    """A fact of each time entry, on a stream of its own, all of one client and so of one partition."""
    story = Story()
    for name in names:
        story.entry(name, 30, approve=False)
    return [said for said in story.said if said.fields.get("time_entry_id") in names]


def run_out(loop: Ingest) -> None:
    while loop.step(timeout_s=0, max_records=3):
        pass


def test_one_poll_is_read_ahead_and_everything_is_taken_in_once(book: Book) -> None:
    put(book, *clients(*NAMES))
    source = Ahead(book)
    loop = Ingest(book, source)
    assert loop.step(timeout_s=0, max_records=3) == 3
    assert (source.out, len(in_the_book(book))) == (6, 3)
    run_out(loop)
    assert sorted(in_the_book(book)) == NAMES
    assert counts(loop) == (12, 0, 0)


def test_a_loop_with_something_in_hand_is_not_at_its_end(book: Book) -> None:
    put(book, *clients(*NAMES[:4]))
    loop = Ingest(book, Ahead(book))
    assert loop.step(timeout_s=0, max_records=2) == 2
    loop.drain()
    assert sorted(in_the_book(book)) == NAMES[:4]


def test_what_is_in_hand_when_another_worker_was_faster_is_dropped_and_nothing_is_lost(book: Book) -> None:
    *first, late = clients(*NAMES, "late")
    put(book, *first)
    slow, fast = Ingest(book, Ahead(book)), Ingest(book, Ahead(book))
    assert slow.step(timeout_s=0, max_records=3) == 3
    run_out(fast)
    put(book, late)
    run_out(slow)
    assert sorted(in_the_book(book)) == sorted([*NAMES, "late"])
    assert (slow.totals.recorded, fast.totals.recorded) == (4, 9)
    assert slow.totals.dead_letters == fast.totals.dead_letters == 0


def test_trouble_with_the_next_poll_is_told_after_the_batch_before_it_is_in_the_book(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ahead, "fails_at", 2)
    put(book, *clients(*NAMES))
    source = Ahead(book)
    loop = Ingest(book, source)
    assert loop.step(timeout_s=0, max_records=3) == 3
    assert len(in_the_book(book)) == 3
    assert len(source.told) == 1
    with pytest.raises(SourceError, match="the log is gone"):
        loop.step(timeout_s=0, max_records=3)
    run_out(loop)
    assert sorted(in_the_book(book)) == NAMES


def test_a_batch_is_not_remembered_where_its_partition_was_revoked_while_it_was_written(book: Book) -> None:
    streams, kept, gone = Streams(book), uuid4().bytes, uuid4().bytes
    taken = streams.take([kept, gone])
    for stream in taken.values():
        stream[uuid4().bytes] = bytes(16)
    streams.drop([("daybook.time", 2)])
    streams.remember(taken, {kept: ("daybook.time", 1), gone: ("daybook.time", 2)})
    again = streams.take([kept, gone])
    assert (len(again[kept]), len(again[gone])) == (1, 0)


def test_streams_are_loaded_ahead_but_for_those_that_the_batch_under_way_changes(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "BACKOFF_S", 0.01)
    stored, first, other = entries("stored", "first", "other")
    again = [Said(one.at, one.record, one.fields | {"event_id": str(uuid4())}) for one in (stored, first)]
    put(book, stored)
    run_out(Ingest(book, Ahead(book)))
    put(book, first, other, again[0], again[1], stored, first)
    loop, asked = Ingest(book, Ahead(book)), []
    really_seen = Book.seen

    def seen(self: Book, stream_ids: Collection[bytes]) -> dict[bytes, dict[bytes, bytes | None]]:
        asked.append(len(stream_ids))
        return really_seen(self, stream_ids)

    monkeypatch.setattr(Book, "seen", seen)
    with capture_logs() as told:
        assert loop.step(timeout_s=0, max_records=2) == 2
        assert asked == [2, 1], "the next batch's streams, but not the one that is being written"
        while loop.step(timeout_s=0, max_records=2):
            pass
    assert [line["event"] for line in told] == ["batch_ingested"] * 3, "nothing was tried twice"
    assert asked == [2, 1], "what was loaded or written is not loaded again"
    assert (*counts(loop), len(in_the_book(book))) == (4, 2, 0, 5)


def test_what_was_loaded_ahead_is_forgotten_with_its_partition(book: Book) -> None:
    (fact,) = clients("a")
    put(book, fact)
    (stream,) = [one.stream_id for one in read(Told(book).poll(10, 0)).facts]
    ahead = Streams(book)
    for forget in (lambda: ahead.drop([("daybook.clients", 0)]), ahead.drop_all):
        ahead.foresee([stream], ())
        run_out(Ingest(book, Told(book)))  # the new owner
        forget()
        assert len(ahead.take([stream])[stream]) == 1

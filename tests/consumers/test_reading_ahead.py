"""While a batch is written the next one is read already: each fact is still taken in once, whatever goes wrong in between."""

from uuid import uuid4

import pytest

from consumers import ingest
from consumers.ingest import Ingest
from consumers.source import Polled, SourceError
from consumers.streams import Streams
from ledger.book import Book
from tests.consumers.test_ingest import Told, clients, counts, in_the_book, put

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

"""The one loop by which facts get into the book: poll, read, decide, append in one transaction, then publish the state."""

import gc
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from consumers.deciding import Decided, Written, decide, written
from consumers.reading import Batch, read
from consumers.source import Partition, Polled, Source, behind
from consumers.streams import Streams
from ledger.book import Book, BookBusy, DeadLetter, EventIdTaken, PositionConflict, Slice, VersionConflict

log = structlog.get_logger("daybook.ingest")

MAX_RECORDS = 5_000
POLL_S = 0.05
# From so many records on there are more to come: the next poll is read while the server takes in this one.
READ_AHEAD_FROM = 1_000
TURN_S = 0.0005
MOST_TRIES = 8
BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 5.0


# A server that ends a session that idled in a transaction (a worker that was frozen) reports an internal error.
LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)


class TopicsMissing(Exception):
    """There is nothing to take facts from: the log lacks the topics; the message says how to make them."""


@dataclass(slots=True)
class Totals:
    """What a loop has handled so far."""

    records: int = 0
    recorded: int = 0
    repeats: int = 0
    kept_aside: int = 0
    dead_letters: int = 0


@dataclass(frozen=True, slots=True)
class _Poll:
    """Records as they were delivered, and as they were read."""

    polled: Sequence[Polled]
    batch: Batch
    written: list[Written]
    count: int


class Ingest:
    """Runs one source into the book; holds no rule, only what it remembers of its streams.

    Where much is waiting, the next poll is fetched and read while the server takes in the one before; nothing of it is
    decided until that one is committed. So partitions may be revoked while a batch is written: positions refuse it then, or
    its new owner, as they do with a worker that was frozen.
    """

    def __init__(self, book: Book, source: Source) -> None:
        self._book = book
        self._source = source
        self._streams = Streams(book)
        self._unsure: Sequence[Polled] = ()
        self._ahead: _Poll | None = None
        self._trouble_ahead: Exception | None = None
        self.totals = Totals()
        self.trouble = ""
        """Why what is in hand cannot be recorded, until it is; empty where all is well."""
        self.on_trouble: Callable[[str], None] | None = None
        source.on_revoked = self._revoked

    @property
    def source_name(self) -> str:
        """The name positions are kept under."""
        return f"kafka:{self._source.cluster_id}"

    def step(self, timeout_s: float = POLL_S, max_records: int = MAX_RECORDS) -> int:
        """Handles one poll; gives how many records it held. Errors of the database are waited out, bounded."""
        if self._unsure and not self._start_over(self._unsure):
            return 0
        if self._trouble_ahead is not None:
            trouble, self._trouble_ahead = self._trouble_ahead, None
            raise trouble
        poll, self._ahead = self._ahead, None
        poll = poll or self._poll(max_records, timeout_s)
        if poll.count:
            with _no_collection():
                self._handle(poll, max_records)
        return poll.count

    def _poll(self, max_records: int, timeout_s: float) -> _Poll:
        polled = self._source.poll(max_records, timeout_s)
        batch = read(polled)
        ready = written(self._book.keyring, batch.facts) if batch.facts else []
        return _Poll(polled, batch, ready, sum(len(part.records) for part in polled))

    def run(self, stop: threading.Event, after_batch: Callable[[int], None] | None = None) -> None:
        """Runs until told to stop; the batch in hand is finished first."""
        while not stop.is_set():
            count = self.step()
            if count and after_batch is not None:
                after_batch(count)

    def drain(self, stop: threading.Event | None = None, after_batch: Callable[[int], None] | None = None) -> None:
        """Runs until everything that is in the source now has been handled."""
        while not (stop is not None and stop.is_set()):
            count = self.step()
            if count and after_batch is not None:
                after_batch(count)
            if not count and self._is_drained():
                return
            self._refuse_missing_topics()

    def _refuse_missing_topics(self) -> None:
        missing = sorted(topic for topic, partition in self._source.problems if partition < 0)
        if missing and not self._source.settled():
            raise TopicsMissing(f"the log has no topic {', '.join(missing)}: run `daybook topics`")

    def _is_drained(self) -> bool:
        if not self._source.settled():
            return False  # which partitions are ours is not known yet: nothing to handle is no sign of the end
        ends = self._source.end_offsets()
        if not self._source.assigned() <= ends.keys():
            return False  # the log is out of reach
        # Every record polled so far is in the book; a partition may end with marks of a transaction, which are no records.
        reached = self._source.next_offsets()
        left = behind(ends, self._book.positions(self.source_name))
        return not self._unsure and all(
            reached.get(partition, 0) >= ends[partition] or partition in self._source.problems for partition in left
        )

    def _handle(self, poll: _Poll, max_records: int) -> None:
        started = time.monotonic()
        for attempt in range(MOST_TRIES):
            try:
                taken: frozenset[UUID] = frozenset()
                while True:
                    try:
                        decided, letters = self._append(poll, taken, max_records)
                        break
                    except EventIdTaken as error:
                        if error.event_ids <= taken:
                            raise
                        taken |= error.event_ids
                self._count(poll, decided, letters, started)
                return
            except PositionConflict as error:
                # Another worker was here: what is stored is the truth, go on behind it.
                self.trouble = ""
                log.warning("batch_already_handled", stored=error.stored)
                self._start_over(poll.polled)
                return
            except (VersionConflict, BookBusy, PoolTimeout, *LOST) as error:
                self._streams.drop_all()
                wait = min(BACKOFF_S * 2**attempt, LONGEST_BACKOFF_S) * (0.5 + random.random())
                log.warning("batch_retried", error=type(error).__name__, attempt=attempt + 1, wait_s=round(wait, 2))
                self._is_in_trouble("facts cannot be recorded", error)
                time.sleep(wait)
        # Nothing was recorded and nothing is lost: the source delivers the same records again.
        self._start_over(poll.polled)

    def _append(self, poll: _Poll, taken: frozenset[UUID], max_records: int) -> tuple[Decided, int]:
        """Decides on a batch and records it; the state is published only after the commit. Gives its dead letters' number."""
        decided = decide(self._book, self._streams, poll.batch.facts, taken, poll.written)
        conflicts = poll.batch.dead_letters + decided.conflicts
        if poll.count < READ_AHEAD_FROM or self._ahead is not None:
            self._write(poll.polled, decided, conflicts)
        else:
            with _quick_turns(), ThreadPoolExecutor(1, "ingest-write") as beside:
                writing = beside.submit(self._write, poll.polled, decided, conflicts)
                self._read_ahead(max_records, decided)
            writing.result()
        self._streams.remember(decided.streams, decided.partitions)
        self._source.commit({(p.topic, p.partition): p.records[-1].offset + 1 for p in poll.polled})
        return decided, len(conflicts)

    def _read_ahead(self, max_records: int, writing: Decided) -> None:
        """Fetches and reads what comes next; what goes wrong in it must not hide how the batch before it ends."""
        try:
            poll = self._poll(max_records, 0)
        except Exception as error:
            self._trouble_ahead = error
        else:
            self._ahead = poll if poll.count else None
            # A book out of reach is the writer's to tell: what could not be loaded now is loaded when it is decided on.
            with suppress(PoolTimeout, *LOST):
                self._streams.foresee([fact.stream_id for fact in poll.batch.facts], writing.streams)

    def _write(self, polled: Sequence[Polled], decided: Decided, conflicts: Sequence[DeadLetter]) -> None:
        """One transaction: events, positions, dead letters, and polls kept aside."""
        slices = [Slice(self.source_name, p.topic, p.partition, p.records[0].offset, p.records[-1].offset) for p in polled]
        also = decided.polls.keep if decided.polls.heard else None
        self._book.append(decided.events, slices=slices, dead_letters=conflicts, also=also)

    def _start_over(self, polled: Sequence[Polled]) -> bool:
        """Drops what is remembered, re-reads the positions and goes on from there; false while the book is out of reach."""
        self._streams.drop_all()
        self._unsure = [*polled, *(self._ahead.polled if self._ahead is not None else ())]
        self._ahead = None
        try:
            for part in self._unsure:
                stored = self._book.position(self.source_name, part.topic, part.partition)
                self._source.seek(part.topic, part.partition, None if stored is None else stored + 1)
        except (PoolTimeout, psycopg.OperationalError, psycopg.InterfaceError) as error:
            log.warning("book_out_of_reach", error=type(error).__name__)
            self._is_in_trouble("the ledger is out of reach", error)
            time.sleep(LONGEST_BACKOFF_S)
            return False
        self._unsure = ()
        return True

    def _is_in_trouble(self, what: str, error: Exception) -> None:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        self.trouble = f"{what}: {reason}"
        if self.on_trouble is not None:
            self.on_trouble(self.trouble)

    def _revoked(self, partitions: frozenset[Partition]) -> None:
        """Others take the partitions over, and with them what could not be recorded."""
        self._streams.drop(partitions)
        self.trouble = ""

    def _count(self, poll: _Poll, decided: Decided, dead_letters: int, started: float) -> None:
        self.trouble = ""
        self.totals.records += poll.count
        self.totals.recorded += len(decided.events)
        self.totals.repeats += decided.repeats
        self.totals.kept_aside += decided.kept_aside
        self.totals.dead_letters += dead_letters
        log.info(
            "batch_ingested",
            records=poll.count,
            events=len(decided.events),
            repeats=decided.repeats,
            kept_aside=decided.kept_aside,
            dead_letters=dead_letters,
            slices={f"{p.topic}/{p.partition}": [p.records[0].offset, p.records[-1].offset] for p in poll.polled},
            ms=round((time.monotonic() - started) * 1000, 1),
        )


@contextmanager
def _quick_turns() -> Iterator[None]:
    """The thread that writes asks for little and waits a lot: it must not wait 5 ms for each turn, while the server idles."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the garbage collector, which would go through a batch's thousands of objects again and again as they are made.

    None of them is part of a circle; what other threads leave is collected between two batches.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


__all__ = ["Ingest", "Partition", "TopicsMissing", "Totals"]

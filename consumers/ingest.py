"""The one loop by which facts get into the book: poll, read, decide, append in one transaction, then publish the state."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from consumers.polls import KIND as POLL
from consumers.polls import Polls
from consumers.reading import Batch, Fact, dead_letter, event_state, event_topic, read
from consumers.source import Partition, Polled, Source, behind
from consumers.streams import Stream, Streams
from domain.repeats import Heard, hear
from ledger.book import Book, BookBusy, EventIdTaken, NewEvent, PositionConflict, Slice, VersionConflict

log = structlog.get_logger("daybook.ingest")

MAX_RECORDS = 5_000
POLL_S = 0.05
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


@dataclass(slots=True)
class _Decided:
    events: list[NewEvent] = field(default_factory=list)
    streams: dict[UUID, Stream] = field(default_factory=dict)
    repeats: int = 0
    kept_aside: int = 0


class Ingest:
    """Runs one source into the book; holds no rule, only what it remembers of its streams."""

    def __init__(self, book: Book, source: Source) -> None:
        self._book = book
        self._source = source
        self._streams = Streams(book)
        self._unsure: Sequence[Polled] = ()
        self.totals = Totals()
        source.on_revoked = self._streams.drop

    @property
    def source_name(self) -> str:
        """The name positions are kept under."""
        return f"kafka:{self._source.cluster_id}"

    def step(self, timeout_s: float = POLL_S, max_records: int = MAX_RECORDS) -> int:
        """Handles one poll; gives how many records it held. Errors of the database are waited out, bounded."""
        if self._unsure and not self._start_over(self._unsure):
            return 0
        polled = self._source.poll(max_records, timeout_s)
        count = sum(len(part.records) for part in polled)
        if count:
            self._handle(polled)
        return count

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

    def _handle(self, polled: Sequence[Polled]) -> None:
        started = time.monotonic()
        batch = read(polled)
        for attempt in range(MOST_TRIES):
            try:
                taken: frozenset[UUID] = frozenset()
                while True:
                    try:
                        decided = self._append(polled, batch, taken)
                        break
                    except EventIdTaken as error:
                        if error.event_ids <= taken:
                            raise
                        taken |= error.event_ids
                self._count(polled, batch, decided, started)
                return
            except PositionConflict as error:
                # Another worker was here: what is stored is the truth, go on behind it.
                log.warning("batch_already_handled", stored=error.stored)
                self._start_over(polled)
                return
            except (VersionConflict, BookBusy, PoolTimeout, *LOST) as error:
                self._streams.drop_all()
                wait = min(BACKOFF_S * 2**attempt, LONGEST_BACKOFF_S) * (0.5 + random.random())
                log.warning("batch_retried", error=type(error).__name__, attempt=attempt + 1, wait_s=round(wait, 2))
                time.sleep(wait)
        # Nothing was recorded and nothing is lost: the source delivers the same records again.
        self._start_over(polled)

    def _append(self, polled: Sequence[Polled], batch: Batch, taken: frozenset[UUID]) -> _Decided:
        """Decides on a batch and records it; the state is published only after the commit."""
        partitions = {fact.stream_id: fact.partition for fact in batch.facts}
        conflicts = list(batch.dead_letters)
        keyring = self._book.keyring
        keyring.prepare({fact.subject for fact in batch.facts})
        decided = _Decided(streams={k: dict(v) for k, v in self._streams.take(partitions).items()})
        said_elsewhere: dict[UUID, UUID] = {}
        polls = Polls(self._book.database, batch.facts)
        for fact in batch.facts:
            stream = decided.streams[fact.stream_id]
            hash_ = keyring.body_hash(fact.subject, fact.body)
            aside = polls.known(fact)
            known = fact.event_id in stream or (aside is not None and aside[0] == fact.stream_id)
            stored = stream.get(fact.event_id) if aside is None else aside[1]
            same = None if stored is None else (hash_ == stored or keyring.same_body(fact.subject, fact.body, stored))
            heard = hear(known, same)
            if heard is Heard.NEW and (
                fact.event_id in taken or aside is not None or said_elsewhere.get(fact.event_id, fact.stream_id) != fact.stream_id
            ):
                heard = Heard.CONFLICT
            if heard is Heard.NEW and fact.kind == POLL:
                said_elsewhere[fact.event_id] = fact.stream_id
                polls.hear(fact, hash_, event_state(fact, keyring))
            elif heard is Heard.NEW:
                stream[fact.event_id] = hash_
                said_elsewhere[fact.event_id] = fact.stream_id
                decided.events.append(_event(fact, len(stream), hash_, event_state(fact, keyring)))
            elif heard is Heard.REPEAT:
                decided.repeats += 1
            else:
                conflicts.append(
                    dead_letter(
                        fact.partition,
                        fact.record,
                        "idempotency_conflict",
                        f"event id {fact.event_id} is in the book with another body; the first one stands",
                    )
                )
        decided.events += polls.tell(decided.streams, taken)
        decided.kept_aside = polls.kept_aside
        slices = [Slice(self.source_name, p.topic, p.partition, p.records[0].offset, p.records[-1].offset) for p in polled]
        self._book.append(decided.events, slices=slices, dead_letters=conflicts, also=polls.keep if polls.heard else None)
        batch.dead_letters[:] = conflicts
        self._streams.remember(decided.streams, partitions)
        self._source.commit({(p.topic, p.partition): p.records[-1].offset + 1 for p in polled})
        return decided

    def _start_over(self, polled: Sequence[Polled]) -> bool:
        """Drops what is remembered, re-reads the positions and goes on from there; false while the book is out of reach."""
        self._streams.drop_all()
        self._unsure = polled
        try:
            for part in polled:
                stored = self._book.position(self.source_name, part.topic, part.partition)
                self._source.seek(part.topic, part.partition, None if stored is None else stored + 1)
        except (PoolTimeout, psycopg.OperationalError, psycopg.InterfaceError) as error:
            log.warning("book_out_of_reach", error=type(error).__name__)
            time.sleep(LONGEST_BACKOFF_S)
            return False
        self._unsure = ()
        return True

    def _count(self, polled: Sequence[Polled], batch: Batch, decided: _Decided, started: float) -> None:
        records = sum(len(part.records) for part in polled)
        self.totals.records += records
        self.totals.recorded += len(decided.events)
        self.totals.repeats += decided.repeats
        self.totals.kept_aside += decided.kept_aside
        self.totals.dead_letters += len(batch.dead_letters)
        log.info(
            "batch_ingested",
            records=records,
            events=len(decided.events),
            repeats=decided.repeats,
            kept_aside=decided.kept_aside,
            dead_letters=len(batch.dead_letters),
            slices={f"{p.topic}/{p.partition}": [p.records[0].offset, p.records[-1].offset] for p in polled},
            ms=round((time.monotonic() - started) * 1000, 1),
        )


def _event(fact: Fact, version: int, body_hash: bytes, state: bytes) -> NewEvent:
    topic, partition = fact.partition
    return NewEvent(
        fact.stream_id,
        version,
        event_topic(fact.kind),
        state,
        fact.subject,
        fact.event_id,
        body_hash,
        (topic, partition, fact.record.offset),
    )


__all__ = ["Ingest", "Partition", "TopicsMissing", "Totals"]

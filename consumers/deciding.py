"""Decides on facts: news becomes events, a repeat is ignored, an id that comes with another body is a conflict."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from consumers.polls import KIND as POLL
from consumers.polls import Polls
from consumers.reading import Fact, dead_letter, event_state, event_topic
from consumers.source import Partition
from consumers.streams import Stream, Streams
from domain.repeats import Heard, hear
from ledger.book import Book, DeadLetter, NewEvent, NewFact
from ledger.keyring import Keyring


@dataclass(slots=True)
class Decided:
    """What is to be written for some facts; nothing is remembered or written yet."""

    polls: Polls
    streams: dict[bytes, Stream]
    partitions: dict[bytes, Partition]
    events: list[NewEvent | NewFact] = field(default_factory=list)
    conflicts: list[DeadLetter] = field(default_factory=list)
    repeats: int = 0

    @property
    def kept_aside(self) -> int:
        """How many polls only repeat."""
        return self.polls.kept_aside


Written = tuple[bytes, bytes]
"""A fact's body hash, and the fact as the book keeps it."""


def written(keyring: Keyring, facts: Sequence[Fact]) -> list[Written]:
    """What can be worked out of facts before anything is known of their streams."""
    keyring.prepare({fact.subject for fact in facts})
    body_hash = keyring.body_hash
    return [(body_hash(fact.subject, fact.body), event_state(fact, keyring)) for fact in facts]


def decide(
    book: Book,
    remembered: Streams,
    facts: Sequence[Fact],
    taken: Collection[UUID],
    ready: Sequence[Written] | None = None,
) -> Decided:
    """Decides on facts in their order; ids that are `taken` stand on streams that none of these facts is on.

    `ready` is what `written` gave of the same facts, where that was asked before.
    """
    partitions = {fact.stream_id: fact.partition for fact in facts}
    keyring = book.keyring
    ready = written(keyring, facts) if ready is None else ready
    polls = Polls(book.database, facts)
    decided = Decided(polls, remembered.take(partitions), partitions)
    streams, asides = decided.streams, polls.asides
    elsewhere = {event_id.bytes for event_id in taken}
    said_on: dict[bytes, bytes] = {}
    # Python looks an enumeration's member up anew each time it is named, and this runs for every fact.
    new, repeat, made, add = Heard.NEW, Heard.REPEAT, tuple.__new__, decided.events.append
    for fact, (hash_, state) in zip(facts, ready, strict=True):
        partition, record, kind, _, subject, stream_id, event_id, body = fact
        stream = streams[stream_id]
        aside = asides.get(event_id)
        known = event_id in stream or (aside is not None and aside[0] == stream_id)
        stored = stream.get(event_id) if aside is None else aside[1]
        same = None if stored is None else (hash_ == stored or keyring.same_body(subject, body, stored))
        heard = hear(known, same)
        if heard is new and (event_id in elsewhere or aside is not None or said_on.get(event_id, stream_id) != stream_id):
            heard = Heard.CONFLICT
        if heard is new and kind == POLL:
            said_on[event_id] = stream_id
            polls.hear(fact, hash_, state)
        elif heard is new:
            stream[event_id] = hash_
            said_on[event_id] = stream_id
            source = (*partition, record.offset)
            add(made(NewFact, (stream_id, len(stream), event_topic(kind), state, subject, event_id, hash_, source)))
        elif heard is repeat:
            decided.repeats += 1
        else:
            decided.conflicts.append(_conflict(fact))
    decided.events += polls.tell(decided.streams, elsewhere)
    return decided


def _conflict(fact: Fact) -> DeadLetter:
    return dead_letter(
        fact.partition,
        fact.record,
        "idempotency_conflict",
        f"event id {UUID(bytes=fact.event_id)} is in the book with another body; the first one stands",
    )

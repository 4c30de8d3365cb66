"""Takes dead letters in after a fix: read as on the first day, recorded exactly once, each where its message lies."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from consumers.deciding import decide
from consumers.ingest import BACKOFF_S, MOST_TRIES
from consumers.reading import Fact, read
from consumers.source import Polled, Record
from consumers.streams import Streams
from ledger import dead_letters
from ledger.book import Book, BookBusy, EventIdTaken, VersionConflict
from ledger.database import Cursor
from ledger.dead_letters import KeptLetter, Outcome

log = structlog.get_logger("daybook.replay")

AT_ONCE: Final = 64


class Replayed(NamedTuple):
    """What became of one dead letter: an outcome, or why it still cannot be taken in."""

    letter: KeptLetter
    outcome: Outcome | None
    why_not: str = ""


def replay(book: Book, letters: Iterable[KeptLetter], by: str, reason: str, *, dry_run: bool = False) -> Iterator[Replayed]:
    """Reads dead letters again, with this version and its schemas, and records those that can be believed now.

    An event and the note that its letter is settled are one transaction, and a settled letter is not looked at again: run
    twice, by two people at once, or killed in between, nothing is recorded twice. What cannot be read stays as it is.
    """
    some: list[KeptLetter] = []
    for one in letters:
        some.append(one)
        if len(some) == AT_ONCE:
            yield from _replay(book, some, by, reason, dry_run)
            some = []
    if some:
        yield from _replay(book, some, by, reason, dry_run)


def _replay(book: Book, letters: Sequence[KeptLetter], by: str, reason: str, dry_run: bool) -> list[Replayed]:
    with _alone(book):
        meant = dead_letters.still_waiting(book.database, letters)
        done = [Replayed(one, None, "it was settled meanwhile") for one in letters if one not in meant]
        facts, unread = _read(meant)
        taken: frozenset[UUID] = frozenset()
        for attempt in range(MOST_TRIES):
            try:
                return done + unread + _record(book, facts, taken, by, reason, dry_run)
            except EventIdTaken as error:
                taken |= error.event_ids
            except (VersionConflict, BookBusy) as error:
                # A worker writes to the same streams: decide again on what they are now.
                log.warning("replay_tried_again", error=type(error).__name__, attempt=attempt + 1)
                time.sleep(min(BACKOFF_S * 2**attempt, 2.0) * (0.5 + random.random()))
        raise BookBusy("the book is written to all the while: try again")


def _read(letters: Sequence[KeptLetter]) -> tuple[list[tuple[KeptLetter, Fact]], list[Replayed]]:
    """Facts of those that can be read now, and the others with what is still wrong with them."""
    facts: list[tuple[KeptLetter, Fact]] = []
    unread: list[Replayed] = []
    for kept in letters:
        one = kept.letter
        record = Record(one.offset, one.key, one.value, (), round(one.first_seen.timestamp() * 1000))
        batch = read([Polled(one.topic, one.partition, [record])])
        facts += [(kept, fact) for fact in batch.facts]
        unread += [Replayed(kept, None, f"{still.reason}: {still.error}") for still in batch.dead_letters]
    return facts, unread


def _record(
    book: Book, facts: Sequence[tuple[KeptLetter, Fact]], taken: frozenset[UUID], by: str, reason: str, dry_run: bool
) -> list[Replayed]:
    if not facts:
        return []
    decided = decide(book, Streams(book), [fact for _, fact in facts], taken)
    conflicts = {(one.topic, one.partition, one.offset): one.error for one in decided.conflicts}
    new = {event.source for event in decided.events}
    found: list[Replayed] = []
    for kept, _ in facts:
        if kept.place in conflicts:
            found.append(Replayed(kept, None, f"idempotency_conflict: {conflicts[kept.place]}"))
        else:
            found.append(Replayed(kept, "recorded" if kept.place in new else "repeat"))
    settled = [(one.letter, one.outcome) for one in found if one.outcome is not None]

    def also(cursor: Cursor, *_: int) -> None:
        if decided.polls.heard:
            decided.polls.keep(cursor)
        dead_letters.settle(cursor, settled, by, reason)

    if settled and not dry_run:
        if decided.events:
            book.append(decided.events, also=also)
        else:
            with book.database.connection() as connection, connection.cursor() as cursor:
                also(cursor)
    return found


@contextmanager
def _alone(book: Book) -> Iterator[None]:
    """Nobody else settles dead letters meanwhile."""
    with book.database.connection() as connection:
        connection.autocommit = True
        connection.execute("SELECT set_config('lock_timeout', '60s', false)")
        connection.execute("SELECT pg_advisory_lock(%s)", [dead_letters.LOCK])
        try:
            yield
        finally:
            connection.execute("SELECT pg_advisory_unlock_all()")
            connection.execute("RESET lock_timeout")
            connection.autocommit = False


def dismiss(book: Book, letter: KeptLetter, by: str, reason: str) -> bool:
    """Sets one aside for good: what it said came otherwise, or is not wanted; false where it is settled already."""
    with _alone(book):
        if not dead_letters.still_waiting(book.database, [letter]):
            return False
        with book.database.connection() as connection, connection.cursor() as cursor:
            dead_letters.settle(cursor, [(letter, "dismissed")], by, reason)
    return True

"""Tells the outside what the ledger says, each thing exactly once for readers of committed records, in the ledger's order."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import psycopg
import structlog
from kafka.errors import KafkaError
from psycopg_pool import PoolTimeout

from ledger.database import Database
from ledger.keyring import KeyMissing
from producers.channel import DEFAULT_TRANSACTION_TIMEOUT_MS, Channel, Fenced, TopicMadeAnew
from producers.marks import Mark, Marks, TakenOver, Topics
from producers.outgoing import CannotPublish, Feed
from schemas.codec import WireError
from schemas.topics import CURSORS

log = structlog.get_logger("daybook.publisher")

MOST_A_TRANSACTION: Final = 100
LOOK_EVERY_S: Final = 1.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0

_HOW_TO_GO_ON: Final = (
    ' Nothing is published until a person has decided from where: see docs/operations.md, "A publisher that stopped".'
)


class PublisherStopped(Exception):
    """A publisher stands still until a person acts; the message says what is wrong and what to do."""


class TopicsMissing(Exception):
    """The topics are not there yet: run `daybook topics`."""


class Publisher:
    """Follows one feed of the ledger into its topic; any number may be started, and the last one started publishes.

    The place it has come to is kept twice: in Kafka, in the same transaction as what it stands for, and in the ledger,
    written before and after. It goes on only where the two agree.
    """

    def __init__(
        self,
        feed: Feed,
        database: Database,
        bootstrap: str,
        *,
        cursors: str = CURSORS,
        most: int = MOST_A_TRANSACTION,
        transaction_timeout_ms: int = DEFAULT_TRANSACTION_TIMEOUT_MS,
        settings: Mapping[str, Any] | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        """`alive` is called every second or so, unless Kafka or the ledger keeps it waiting.

        `settings` adds security and other options of kafka-python; what keeps it exact cannot be overridden.

        `problem` says why nothing is published at the moment, None if all is well; `taken_over` that another publisher
        of this ledger does it.
        """
        self.problem: str | None = None
        self.taken_over = False
        self._feed = feed
        self._marks = Marks(database, feed.name, uuid4())
        self._bootstrap, self._cursors = bootstrap, cursors
        self._most = most
        self._timeout_ms = transaction_timeout_ms
        self._settings = settings
        self._alive = alive
        self._stopped: PublisherStopped | None = None
        self._claimed = False
        self._channel: Channel | None = None
        self._position = 0
        self._stop = threading.Event()

    def step(self) -> int:
        """Publishes what comes next as one transaction and returns how many it were; 0 if there is nothing new.

        Raises PublisherStopped, and then for good; or KafkaError, psycopg's errors and TopicsMissing, after which the
        next step finds out what was committed and goes on from there.
        """
        if self._stopped is not None:
            raise self._stopped
        try:
            return self._step()
        except TakenOver:
            self.taken_over = True
            raise self._stand_still(_taken_over(self._feed.name)) from None
        except Fenced as fenced:
            self.close()
            self.taken_over = not self._still_ours()
            if self.taken_over or not fenced.overslept:
                raise self._stand_still(_taken_over(self._feed.name)) from fenced
            log.warning("transaction_took_too_long", publisher=self._feed.name, after=self._position)
            return 0
        except TopicMadeAnew:
            self.close()
            return 0  # the next step compares the topics with what the ledger knows of them
        except (CannotPublish, KeyMissing) as error:
            raise self._stand_still(f"{self._feed.name} cannot be published: {error}.{_HOW_TO_GO_ON}") from error
        except PublisherStopped as stopped:
            raise self._stand_still(str(stopped)) from stopped
        except BaseException:
            self.close()
            raise

    def run(self, stop: threading.Event) -> None:
        """Publishes until told to stop, or until it must stand still; trouble with Kafka or Postgres is waited out."""
        self._stop = stop
        wait = FIRST_WAIT_S
        try:
            while not stop.is_set():
                self._alive()
                try:
                    if self.step() == 0:
                        stop.wait(LOOK_EVERY_S)
                    wait = FIRST_WAIT_S
                except (KafkaError, TopicsMissing, psycopg.Error, PoolTimeout) as error:
                    self._trouble(error)
                    self._rest(wait)
                    wait = min(wait * 2, LONGEST_WAIT_S)
        except PublisherStopped as stopped:
            log.error("publisher_stopped", publisher=self._feed.name, problem=str(stopped))
        finally:
            self.close()

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            self._alive()
            self._stop.wait(min(left, LOOK_EVERY_S))

    def _waits_no_more(self) -> bool:
        self._alive()
        return self._stop.is_set()

    def resume_at(self, position: int) -> None:
        """A person's decision: everything up to this position counts as published, all after it will be (again).

        Takes over from whoever publishes now, and writes the place into Kafka and the ledger.
        """
        mark = self._marks.claim()
        self._claimed, self._stopped = True, None
        self.close()
        channel = self._channel = self._open(mark)
        _refuse_missing(channel)
        self._marks.attempt(position)
        channel.publish([], position, _now())
        self._well(position, channel.topics)

    def close(self) -> None:
        """Lets go of Kafka."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _step(self) -> int:
        channel = self._channel or self._start()
        page = self._feed.next(self._position, self._most)
        if not page:
            return 0
        began = time.monotonic()
        last = page[-1].position
        self._marks.attempt(last)
        channel.publish(page, last, _now())
        self._well(last, channel.topics)
        log.info(
            self._feed.log_event,
            topic=channel.topic,
            first_position=page[0].position,
            last_position=last,
            count=len(page),
            ms=round((time.monotonic() - began) * 1000),
        )
        return len(page)

    def _start(self) -> Channel:
        """Takes the identity over and finds the place to go on from; raises PublisherStopped if there is no safe one."""
        mark = self._marks.claimed() if self._claimed else self._marks.claim()
        self._claimed = True
        self._channel = channel = self._open(mark)
        _compare_topics(mark, channel)
        _refuse_missing(channel)
        try:
            cursor, others = channel.cursor(self._waits_no_more)
        except WireError as error:
            raise PublisherStopped(f"a record on {channel.cursors} is no cursor: {error}.{_HOW_TO_GO_ON}") from error
        twins = [other for other in others if other.endswith(f"-{self._feed.name}")]
        if twins:
            log.warning("other_ledgers_publish_here", publisher=self._feed.name, topic=channel.topic, others=twins[:10])
        self._well(_place(mark, cursor, channel), channel.topics)
        log.info("publisher_started", publisher=self._feed.name, identity=mark.identity, after=self._position)
        return channel

    def _open(self, mark: Mark) -> Channel:
        return Channel(
            self._bootstrap,
            mark.identity,
            self._feed.topic,
            self._cursors,
            transaction_timeout_ms=self._timeout_ms,
            settings=self._settings,
        )

    def _well(self, position: int, topics: Topics) -> None:
        self._marks.published(position, topics)
        self._position = position
        self.problem = None

    def _still_ours(self) -> bool:
        try:
            self._marks.claimed()
        except TakenOver:
            return False
        return True

    def _stand_still(self, why: str) -> PublisherStopped:
        self.close()
        self._stopped = PublisherStopped(why)
        self._tell(why, stopped=True)
        return self._stopped

    def _trouble(self, error: Exception) -> None:
        why = f"{self._feed.name} are not published at the moment, and it is tried again: {str(error) or type(error).__name__}"
        log.warning("publisher_restarts", publisher=self._feed.name, error=f"{type(error).__name__}: {error}")
        self._tell(why, stopped=False)

    def _tell(self, why: str, *, stopped: bool) -> None:
        self.problem = why
        try:
            self._marks.problem(why, stopped=stopped)
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("problem_not_noted", publisher=self._feed.name, error=type(error).__name__)


def _now() -> datetime:
    return datetime.now(UTC)


def _taken_over(name: str) -> str:
    return (
        f"another publisher of {name} has taken over, so this one has stopped for good. If no other Daybook is meant to"
        " run on this ledger or on a copy of it, find it and end it; then start this one again."
    )


def _refuse_missing(channel: Channel) -> None:
    named = {channel.topic: channel.topics.topic_id, channel.cursors: channel.topics.cursors_id}
    missing = [name for name, found in named.items() if found is None]
    if missing:
        raise TopicsMissing(f"the topic {' and '.join(missing)} does not exist on this cluster: run `daybook topics`")


def _compare_topics(mark: Mark, channel: Channel) -> None:
    if mark.attempted == 0:
        return  # nothing was ever sent, so nothing can be lost with a topic
    pairs = [
        (channel.topic, mark.topics.topic_id, channel.topics.topic_id),
        (channel.cursors, mark.topics.cursors_id, channel.topics.cursors_id),
    ]
    for name, known, found in pairs:
        if known is not None and known != found:
            what = "was deleted" if found is None else "was deleted and created again, or this is another Kafka cluster"
            raise PublisherStopped(
                f"the topic {name} {what}: the ledger has published up to position {mark.published}, and what readers had"
                f" not read of it may be gone.{_HOW_TO_GO_ON}"
            )


def _place(mark: Mark, cursor: int | None, channel: Channel) -> int:
    """The position to go on after: the committed cursor, if it is what this ledger wrote last or was about to write."""
    if cursor is None and mark.published == 0:
        return 0
    if cursor in (mark.published, mark.attempted):
        return cursor
    known = f"{mark.published}" if mark.published == mark.attempted else f"{mark.published} (perhaps {mark.attempted})"
    if cursor is None:
        raise PublisherStopped(
            f"the cursor {mark.identity} is missing from {channel.cursors}, though this ledger has published to"
            f" {channel.topic} up to position {known}: without it, it cannot be told what readers have.{_HOW_TO_GO_ON}"
        )
    raise PublisherStopped(
        f"the cursor {mark.identity} on {channel.cursors} is at position {cursor}, and this ledger has published up to"
        f" {known}: one of the two was restored from an older copy, or a copy of this ledger publishes too.{_HOW_TO_GO_ON}"
    )

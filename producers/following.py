"""Keeps every publisher of an installation going beside the worker, one of each kind at a time however many workers run."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import psycopg
import structlog
from kafka.errors import KafkaError
from psycopg_pool import PoolTimeout

from ledger.book import Book
from ledger.database import Connection, Database
from producers.dead_letters import DeadLetterFeed
from producers.documents import DocumentFeed
from producers.marks import problems
from producers.notices import NoticeFeed
from producers.outgoing import Feed
from producers.publisher import Publisher, PublisherStopped, TopicsMissing
from schemas.topics import CURSORS

log = structlog.get_logger("daybook.publisher")

STAND_BY_S: Final = 2.0
RESTART_AFTER_S: Final = 5.0
FINISH_WITHIN_S: Final = 30.0
# Kafka may keep a publisher waiting for longer than a few seconds; the database ends the session of one that sleeps.
ASLEEP_AFTER: Final = "SET idle_session_timeout = '30s'"


def feeds_of(book: Book, *, dead_letter_bytes: bool = False) -> list[Feed]:
    """All that an installation tells; `dead_letter_bytes` sends along what could not be read."""
    return [DocumentFeed(book), NoticeFeed(book), DeadLetterFeed(book, with_bytes=dead_letter_bytes)]


def start_publishers(
    feeds: Sequence[Feed],
    database: Database,
    bootstrap: str,
    stop: threading.Event,
    *,
    cursors: str = CURSORS,
    alive: Callable[[str], None] = lambda _name: None,
) -> list[threading.Thread]:
    """Starts a thread for each feed; they end soon after `stop` is set. `marks.problems` says why one stands still.

    `alive` is called with the feed's name, every few seconds, by the thread that follows or stands by.
    """
    threads = [
        threading.Thread(
            target=_follow,
            args=(feed, database, bootstrap, stop, cursors, partial(alive, feed.name)),
            name=f"publish {feed.name}",
            daemon=True,
        )
        for feed in feeds
    ]
    for thread in threads:
        thread.start()
    return threads


def join_publishers(threads: Sequence[threading.Thread]) -> None:
    """Waits until the transactions in hand are finished."""
    for thread in threads:
        thread.join(timeout=FINISH_WITHIN_S)


def publish_what_there_is(
    feeds: Sequence[Feed], database: Database, bootstrap: str, stop: threading.Event, *, cursors: str = CURSORS
) -> int:
    """Publishes all there is now, unless another worker is publishing; returns how many. Trouble is noted, not raised."""
    total = 0
    for feed in feeds:
        publisher = Publisher(feed, database, bootstrap, cursors=cursors)
        try:
            with _alone(database, feed.name) as alone:
                while alone is not None and not stop.is_set() and (count := publisher.step()):
                    total += count
        except (PublisherStopped, TopicsMissing, KafkaError) as error:
            log.warning("not_published", publisher=feed.name, problem=str(error))
        finally:
            publisher.close()
    return total


def _follow(
    feed: Feed, database: Database, bootstrap: str, stop: threading.Event, cursors: str, alive: Callable[[], None]
) -> None:
    while not stop.is_set():
        alive()
        try:
            with _alone(database, feed.name) as stay:
                if stay is not None:
                    awake = partial(_awake, alive, stay)
                    publisher = Publisher(feed, database, bootstrap, cursors=cursors, alive=awake)
                    publisher.run(stop)
                    _stand_still(publisher, feed, database, stop, awake)
            stop.wait(STAND_BY_S)
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("publisher_restarts", publisher=feed.name, error=f"{type(error).__name__}: {error}")
            stop.wait(RESTART_AFTER_S)
        except Exception:
            # A bug must neither end the worker nor be silent.
            log.exception("publisher_failed", publisher=feed.name)
            stop.wait(RESTART_AFTER_S)


def _stand_still(
    publisher: Publisher, feed: Feed, database: Database, stop: threading.Event, alive: Callable[[], None]
) -> None:
    """Until a person has acted; other workers stand by meanwhile. One that was taken over stands by itself."""
    while not stop.is_set() and not publisher.taken_over and feed.name in problems(database):
        alive()
        stop.wait(STAND_BY_S)


def _stay(connection: Connection) -> None:
    connection.execute(ASLEEP_AFTER)


def _awake(alive: Callable[[], None], stay: Callable[[], None]) -> None:
    alive()
    stay()


@contextmanager
def _alone(database: Database, name: str) -> Iterator[Callable[[], None] | None]:
    """None where another worker publishes this: the others stand by, and take over when that one is gone.

    It only spares workers from fencing one another; that nothing is published twice rests on Kafka's fence. Whoever goes
    on for longer calls what is given every few seconds: a worker that is frozen does not, and gives its place up.
    """
    with database.connection() as connection:
        connection.autocommit = True
        lock = ("SELECT {}(hashtextextended('daybook publishes ' || %s, 0))").format
        row = connection.execute(lock("pg_try_advisory_lock").encode(), (name,)).fetchone()
        try:
            yield partial(_stay, connection) if row == (True,) else None
        finally:
            if not connection.closed:
                connection.execute(lock("pg_advisory_unlock").encode(), (name,))
                connection.execute("RESET idle_session_timeout")
                connection.autocommit = False

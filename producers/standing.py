"""Where every publisher stands, and a person's decision from where one that has stopped is to go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from kafka.errors import KafkaError

from ledger.database import Database
from producers.channel import Fenced, TopicMadeAnew
from producers.marks import TakenOver
from producers.outgoing import Backlog, Feed
from producers.publisher import Publisher
from runs.errors import Refused
from schemas.topics import CURSORS

log = structlog.get_logger("daybook.publisher")

_STANDING: Final = "SELECT published, attempted, published_at, problem, stopped FROM ledger.published WHERE publisher = %s"
_DECIDED: Final = """
    INSERT INTO ledger.published_decisions (publisher, published, resumed_at, problem, reason, decided_by)
    VALUES (%s, %s, %s, %s, %s, %s)
"""


class ResumeRefused(Refused):
    """A publisher is not set to a place: nothing was changed; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A publisher as the ledger knows it: what it has told, what it has still to tell, and why it may not.

    `stopped` is one that waits for a person; a `problem` without it is tried again by itself.
    """

    publisher: str
    topic: str
    published: int
    attempted: int
    published_at: datetime | None
    problem: str | None
    stopped: bool
    backlog: Backlog


def standings(feeds: Sequence[Feed], database: Database) -> list[Standing]:
    """Every publisher, also one that never ran."""
    return [_standing(feed, database) for feed in feeds]


def _standing(feed: Feed, database: Database) -> Standing:
    with database.connection() as connection:
        row = connection.execute(_STANDING, [feed.name]).fetchone() or (0, 0, None, None, False)
    published, attempted, published_at, problem, stopped = row
    return Standing(
        publisher=feed.name, topic=feed.topic, published=published, attempted=attempted, published_at=published_at,
        problem=problem, stopped=stopped, backlog=feed.backlog(published),
    )  # fmt: skip


def resume(
    feed: Feed, database: Database, bootstrap: str, position: int, *, reason: str, by: str, cursors: str = CURSORS
) -> tuple[Standing, Standing]:
    """A person's decision: all up to this position counts as told, all after it is told (again); gives before and after.

    Only for a publisher that has stopped. Raises ResumeRefused, TopicsMissing, or the database's errors.
    """
    before = _standing(feed, database)
    _refuse(before, feed.end(), position)
    publisher = Publisher(feed, database, bootstrap, cursors=cursors)
    try:
        publisher.resume_at(position)
    except (TakenOver, Fenced) as error:
        raise ResumeRefused(f"another publisher of {feed.name} has started meanwhile: see `daybook publisher`") from error
    except TopicMadeAnew as error:
        raise ResumeRefused("a topic was deleted and created again at this very moment: give the command again") from error
    except KafkaError as error:
        text = str(error) or type(error).__name__
        raise ResumeRefused(f"Kafka did not answer ({text}): look at `daybook publisher`, then give it again") from error
    finally:
        publisher.close()
    with database.connection() as connection:
        connection.execute(_DECIDED, [feed.name, before.published, position, before.problem, reason, by])
    log.info("publisher_resumed", publisher=feed.name, was_at=before.published, resumed_at=position)
    return before, _standing(feed, database)


def _refuse(standing: Standing, end: int, position: int) -> None:
    if not standing.stopped:
        why = f"it is tried again by itself: {standing.problem}" if standing.problem else "it goes on by itself"
        raise ResumeRefused(f"{standing.publisher} has not stopped, {why}")
    if position < 0 or position > end:
        raise ResumeRefused(f"position {position} is not in the ledger, which goes from 0 to {end}")



"""What the ledger itself knows of its publishers: how far they are, who started last, and why one stands still."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from ledger.database import Database

_CLAIM: Final = """
    INSERT INTO ledger.published AS p (publisher, identity, owner)
    VALUES (%(publisher)s, 'daybook-' || gen_random_uuid() || '-' || %(publisher)s, %(owner)s)
    ON CONFLICT (publisher) DO UPDATE SET owner = excluded.owner
    RETURNING identity, published, attempted, topic_id, cursors_id
"""
_CLAIMED: Final = """
    SELECT identity, published, attempted, topic_id, cursors_id FROM ledger.published
    WHERE publisher = %(publisher)s AND owner = %(owner)s
"""


class TakenOver(Exception):
    """Another publisher of the same name and ledger has started since."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Kafka's ids of the two topics; None where a topic does not exist."""

    topic_id: str | None
    cursors_id: str | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A publisher's place as the ledger knows it: Kafka's cursor is at one of the two positions, or something is wrong."""

    identity: str
    published: int
    attempted: int
    topics: Topics


class Marks:
    """One publisher's row, written by the one who started last and by nobody else."""

    def __init__(self, database: Database, publisher: str, owner: UUID) -> None:
        self._database = database
        self._who = {"publisher": publisher, "owner": owner}

    def claim(self) -> Mark:
        """Takes the row over, from whoever had it."""
        mark = self._mark(_CLAIM)
        assert mark is not None
        return mark

    def claimed(self) -> Mark:
        """The row, if it is still ours; raises TakenOver."""
        mark = self._mark(_CLAIMED)
        if mark is None:
            raise TakenOver
        return mark

    def attempt(self, position: int) -> None:
        """Notes what is about to be sent; raises TakenOver."""
        if not self._set("attempted = %(position)s", position=position):
            raise TakenOver

    def published(self, position: int, topics: Topics) -> None:
        """Notes what Kafka has committed, and that all is well."""
        self._set(
            "published = %(position)s, attempted = %(position)s, topic_id = %(topic_id)s, cursors_id = %(cursors_id)s,"
            " published_at = CASE WHEN published < %(position)s THEN clock_timestamp() ELSE published_at END, problem = NULL,"
            " stopped = false",
            position=position,
            topic_id=topics.topic_id,
            cursors_id=topics.cursors_id,
        )

    def problem(self, text: str, *, stopped: bool) -> None:
        """Notes why nothing is published, and whether it stands still until a person acts; not in a row that is another's."""
        self._set("problem = %(problem)s, stopped = %(stopped)s", problem=text, stopped=stopped)

    def _mark(self, statement: str) -> Mark | None:
        with self._database.connection() as connection:
            row = connection.execute(statement.encode(), self._who).fetchone()
        return None if row is None else Mark(row[0], row[1], row[2], Topics(row[3], row[4]))

    def _set(self, what: str, **values: Any) -> bool:
        statement = f"UPDATE ledger.published SET {what} WHERE publisher = %(publisher)s AND owner = %(owner)s"  # noqa: S608
        with self._database.connection() as connection:
            return connection.execute(statement.encode(), {**self._who, **values}).rowcount == 1


def problems(database: Database) -> dict[str, str]:
    """Why a publisher stands still, by its name: what /readyz says; empty if all is well."""
    with database.connection() as connection:
        rows = connection.execute(
            "SELECT publisher, problem FROM ledger.published WHERE problem IS NOT NULL ORDER BY publisher"
        ).fetchall()
    return dict(rows)

"""Dead letters that wait for a person: whole, with where they lie, and how one is settled."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple

from ledger.database import Cursor, Database
from ledger.entries import DeadLetter
from ledger.keyring import Keyring

PAGE: Final = 64  # of messages that may take a megabyte each
LOCK: Final = 7_205_003  # held by whoever settles some: two people at once take turns

Outcome = Literal["recorded", "repeat", "dismissed"]


class Place(NamedTuple):
    """Where a message lies in the log."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class KeptLetter(NamedTuple):
    """A dead letter as it is kept, opened; `outcome` is null while it waits."""

    batch_id: int
    number: int
    recorded_at: datetime
    outcome: Outcome | None
    letter: DeadLetter

    @property
    def place(self) -> Place:
        """Where its message lies."""
        return Place(self.letter.topic, self.letter.partition, self.letter.offset)


_SELECT: Final = """
    SELECT d.batch_id, d.number, b.recorded_at, s.outcome, d.topic, d.partition, d."offset", d.key, d.value, d.reason, d.error,
           d.schema_id, d.first_seen
    FROM ledger.dead_letters d JOIN ledger.batches b USING (batch_id)
        LEFT JOIN ledger.dead_letters_settled s USING (batch_id, number)
"""
_AT: Final = _SELECT + 'WHERE d.topic = %s AND d.partition = %s AND d."offset" = %s ORDER BY d.batch_id, d.number'
_WAITING: Final = _SELECT + (
    "WHERE s.outcome IS NULL AND (d.batch_id, d.number) > (%s, %s) AND (%s::text IS NULL OR d.reason = %s)"
    " ORDER BY d.batch_id, d.number LIMIT %s"
)
_STILL: Final = """
    SELECT d.batch_id, d.number FROM unnest(%s::int8[], %s::int4[]) AS g (batch_id, number)
        JOIN ledger.dead_letters d USING (batch_id, number) LEFT JOIN ledger.dead_letters_settled s USING (batch_id, number)
    WHERE s.outcome IS NULL
"""
_SETTLE: Final = """
    INSERT INTO ledger.dead_letters_settled (batch_id, number, outcome, settled_by, reason) VALUES (%s, %s, %s, %s, %s)
"""


def at(database: Database, keyring: Keyring, place: Place) -> list[KeptLetter]:
    """The dead letters of a place, settled or not: several only if several clusters were read."""
    return _opened(database, keyring, _AT, list(place))


def waiting(database: Database, keyring: Keyring, reason: str | None = None) -> Iterator[list[KeptLetter]]:
    """Those that nobody has settled yet, a page at a time, in the order they were set aside."""
    last = (0, 0)
    while page := _opened(database, keyring, _WAITING, [*last, reason, reason, PAGE]):
        yield page
        last = page[-1].batch_id, page[-1].number


def still_waiting(database: Database, letters: Sequence[KeptLetter]) -> list[KeptLetter]:
    """Which of these nobody has settled, and nothing has purged, meanwhile."""
    with database.connection() as connection:
        rows = connection.execute(_STILL, [[one.batch_id for one in letters], [one.number for one in letters]]).fetchall()
    left = set(rows)
    return [one for one in letters if (one.batch_id, one.number) in left]


def settle(cursor: Cursor, settled: Sequence[tuple[KeptLetter, Outcome]], by: str, reason: str) -> None:
    """Notes what became of some, in the caller's transaction; a unique violation where one was settled before."""
    cursor.executemany(_SETTLE, [(one.batch_id, one.number, outcome, by, reason) for one, outcome in settled])


def _opened(database: Database, keyring: Keyring, query: str, parameters: list[object]) -> list[KeptLetter]:
    with database.connection() as connection, connection.cursor(binary=True) as cursor:
        rows = cursor.execute(query.encode(), parameters).fetchall()

    def opened(sealed: bytes | None) -> bytes | None:
        return None if sealed is None else keyring.decrypt_bytes(sealed)

    return [
        KeptLetter._make((*row[:4], DeadLetter._make((*row[4:7], opened(row[7]), opened(row[8]), *row[9:])))) for row in rows
    ]

"""How a batch gets into the book: everything encoded first, then one short transaction under the book's lock."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from struct import Struct
from typing import Any

from ledger import chain
from ledger.database import Cursor
from ledger.entries import Batch, DeadLetter, NewEvent, NewFact, Position, PositionConflict
from ledger.keyring import Keyring

CHANNEL = "daybook_events"  # the library's subscriptions listen to the same
PROVIDER = "provider"  # the keyring's subject for bytes that belong to no known client

Also = Callable[[Cursor, int, int], None]

# A position moves only if the FIRST offset of the slice is above it: the library compares the last one, which lets an
# overlap pass. Rows are locked in order of name.
MOVE_POSITIONS = """
    WITH given AS (
        SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS g (name, first, last)
    ), moved AS (
        INSERT INTO ledger.daybook_tracking AS t (application_name, notification_id)
        SELECT name, last FROM given ORDER BY name
        ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id
        WHERE t.notification_id < (SELECT first FROM given WHERE name = excluded.application_name)
        RETURNING application_name
    )
    SELECT application_name FROM moved
"""
STORED_POSITIONS = "SELECT application_name, notification_id FROM ledger.daybook_tracking WHERE application_name = ANY(%s)"

# One round trip. The SELECT has its own snapshot, taken after the wait for the lock; READ COMMITTED only.
LOCK_AND_HEAD = """
    LOCK TABLE ledger.daybook_events IN EXCLUSIVE MODE;
    SELECT b.batch_id, b.last_id, b.hash, greatest(clock_timestamp(), b.recorded_at), current_setting('transaction_isolation')
    FROM (SELECT) AS always LEFT JOIN
        (SELECT batch_id, last_id, hash, recorded_at FROM ledger.batches ORDER BY batch_id DESC LIMIT 1) AS b ON true
"""
FIELDS = (
    "originator_id, originator_version, topic, state, client_id, event_id, body_hash, "
    "source_topic, source_partition, source_offset"
)
COPY_EVENTS = f"COPY ledger.daybook_events (notification_id, batch_id, {FIELDS}, digest) FROM STDIN (FORMAT BINARY)"
INSERT_BATCH = """
    WITH written AS (
        INSERT INTO ledger.batches (batch_id, first_id, last_id, n, recorded_at, positions, dead_letters,
                                    dead_letters_digest, tzdata, previous_hash, hash)
        VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s, %s)
    )
    SELECT pg_notify(%s, '')
"""
INSERT_DEAD_LETTER = """
    INSERT INTO ledger.dead_letters (batch_id, number, topic, partition, "offset", key, value, reason, error, schema_id,
                                     first_seen, digest)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

_COLUMNS = 13
_ROW_HEAD = Struct(">hiqiq").pack
_DIGEST_LENGTH = Struct(">i").pack(32)
_COPY_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = b"\xff\xff"

DeadLetterRow = tuple[str, int, int, bytes | None, bytes | None, str, str, int | None, datetime, bytes]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch with everything worked out that needs no lock."""

    events: Sequence[NewEvent | NewFact]
    rows: list[bytes]  # COPY rows but for the two columns known only under the lock, and the digest behind them
    digests: list[bytes]
    positions: list[Position]
    dead_letters: list[DeadLetterRow]
    tzdata: str

    @property
    def offsets(self) -> dict[str, list[int]]:
        """The batch row's positions."""
        return {position.name: [position.first, position.last] for position in self.positions}


def prepare(
    events: Sequence[NewEvent | NewFact],
    positions: Iterable[Position],
    dead_letters: Iterable[DeadLetter],
    keyring: Keyring,
) -> Prepared:
    """Encodes, encrypts and digests a batch."""
    moves = sorted(positions)
    if len({move.name for move in moves}) < len(moves) or any(move.first > move.last for move in moves):
        raise ValueError("a batch has one slice a partition, its first offset not above its last")
    rows = chain.event_fields(events)
    digests = chain.digests(rows)
    letters = [_dead_letter_row(letter, keyring) for letter in dead_letters]
    if not (events or moves or letters):
        raise ValueError("nothing to append")
    return Prepared(events, rows, digests, moves, letters, chain.tzdata_version())


def write(cursor: Cursor, batch: Prepared, also: Also | None = None) -> Batch:
    """Writes a prepared batch within the cursor's transaction, which from here on holds the book's lock."""
    _move_positions(cursor, batch.positions)
    batch_id, first_id, recorded_at, previous_hash = _lock(cursor)
    last_id = first_id + len(batch.rows) - 1
    if batch.rows:
        _copy(cursor, batch, first_id, batch_id)
    _insert_batch(cursor, batch, batch_id, first_id, recorded_at, previous_hash)
    if batch.dead_letters:
        cursor.executemany(INSERT_DEAD_LETTER, [(batch_id, number, *row) for number, row in enumerate(batch.dead_letters, 1)])
    if also is not None:
        also(cursor, first_id, batch_id)
    return Batch(batch_id, first_id, last_id, recorded_at)


def _dead_letter_row(letter: DeadLetter, keyring: Keyring) -> DeadLetterRow:
    def sealed(value: bytes | None) -> bytes | None:
        return None if value is None else keyring.encrypt_bytes(PROVIDER, value)

    row = (
        letter.topic, letter.partition, letter.offset, sealed(letter.key), sealed(letter.value),
        letter.reason, letter.error, letter.schema_id, letter.first_seen,
    )  # fmt: skip
    return (*row, chain.dead_letter_digest(*row))


def _move_positions(cursor: Cursor, positions: list[Position]) -> None:
    if not positions:
        return
    names = [position.name for position in positions]
    firsts = [position.first for position in positions]
    lasts = [position.last for position in positions]
    moved = {name for (name,) in cursor.execute(MOVE_POSITIONS, [names, firsts, lasts], prepare=True)}
    if len(moved) < len(names):
        refused = [name for name in names if name not in moved]
        raise PositionConflict(dict(cursor.execute(STORED_POSITIONS, [refused]).fetchall()))


def _lock(cursor: Cursor) -> tuple[int, int, datetime, bytes]:
    cursor.execute(LOCK_AND_HEAD)
    cursor.nextset()
    head: Any = cursor.fetchone()
    batch_id, last_id, previous_hash, recorded_at, isolation = head
    if isolation != "read committed":
        raise ValueError(f"the book is appended to under READ COMMITTED, not {isolation}: its snapshot would be stale")
    return (batch_id or 0) + 1, (last_id or 0) + 1, recorded_at, previous_hash or chain.BEGINNING


def _copy(cursor: Cursor, batch: Prepared, first_id: int, batch_id: int) -> None:
    parts = [_COPY_SIGNATURE]
    for position, (row, digest) in enumerate(zip(batch.rows, batch.digests, strict=True), first_id):
        parts += (_ROW_HEAD(_COLUMNS, 8, position, 8, batch_id), row, _DIGEST_LENGTH, digest)
    parts.append(_COPY_TRAILER)
    with cursor.copy(COPY_EVENTS) as copy:
        copy.write(b"".join(parts))


def _insert_batch(
    cursor: Cursor, batch: Prepared, batch_id: int, first_id: int, recorded_at: datetime, previous_hash: bytes
) -> None:
    letters_digest = dead_letters_digest([row[-1] for row in batch.dead_letters])
    n = len(batch.rows)
    link = chain.batch_hash(
        previous_hash, batch.digests, batch_id=batch_id, first_id=first_id, last_id=first_id + n - 1, n=n,
        recorded_at=recorded_at, positions=batch.offsets, dead_letters=len(batch.dead_letters),
        dead_letters_digest=letters_digest, tzdata=batch.tzdata,
    )  # fmt: skip
    row = (
        batch_id, first_id, first_id + n - 1, n, recorded_at, json.dumps(batch.offsets), len(batch.dead_letters),
        letters_digest, batch.tzdata, previous_hash, link,
    )  # fmt: skip
    cursor.execute(INSERT_BATCH, [*row, CHANNEL], prepare=True)


def dead_letters_digest(digests: Sequence[bytes]) -> bytes | None:
    """One digest for a batch's dead letters, which outlives them; None if there are none."""
    return hashlib.sha256(b"".join(digests)).digest() if digests else None

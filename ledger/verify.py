"""Proves the book unedited and whole: recomputes every digest and the chain, and says where the first fault is."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from struct import Struct
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from psycopg import IsolationLevel

from ledger import chain
from ledger.database import Connection, Database
from ledger.writing import FIELDS, dead_letters_digest

EVENTS_A_PAGE = 100_000
BATCHES_A_PAGE = 5_000

BATCHES = (
    "SELECT batch_id, first_id, last_id, n, recorded_at, positions, dead_letters, dead_letters_digest, tzdata, "
    "previous_hash, hash FROM ledger.batches WHERE batch_id > %s ORDER BY batch_id LIMIT %s"
)
# The fields come last, as they were digested: a row need not be taken apart to be checked.
COPY_EVENTS = (
    f"COPY (SELECT notification_id, batch_id, digest, {FIELDS} FROM ledger.daybook_events "  # noqa: S608
    "WHERE notification_id >= %s AND notification_id <= %s ORDER BY notification_id) TO STDOUT (FORMAT BINARY)"
)
STREAMS = """
    SELECT originator_id, count(*), min(originator_version), max(originator_version) FROM ledger.daybook_events
    GROUP BY originator_id HAVING min(originator_version) <> 1 OR max(originator_version) <> count(*)
    ORDER BY min(notification_id) LIMIT 1
"""
STRAY_EVENTS = """
    SELECT count(*), min(notification_id) FROM ledger.daybook_events
    WHERE notification_id < 1 OR notification_id > (SELECT coalesce(max(last_id), 0) FROM ledger.batches)
"""
POSITIONS = "SELECT application_name, notification_id FROM ledger.daybook_tracking WHERE application_name <> '__migration__'"
DEAD_LETTERS = """
    SELECT batch_id, number, digest, topic, partition, "offset", key, value, reason, error, schema_id, first_seen
    FROM ledger.dead_letters ORDER BY batch_id, number
"""

_SIGNATURE_BYTES = 19
_ROW = Struct(">hiqiqi32s")
_STREAM = Struct(">i16siq")


class Check(NamedTuple):
    """One thing that was looked at, whether it holds, and if not, where it first fails."""

    check: str
    ok: bool
    detail: str


class BatchRow(NamedTuple):
    """A batch as it stands in the table."""

    batch_id: int
    first_id: int
    last_id: int
    n: int
    recorded_at: datetime
    positions: dict[str, list[int]]
    dead_letters: int
    dead_letters_digest: bytes | None
    tzdata: str
    previous_hash: bytes
    hash: bytes


@dataclass(slots=True)
class Findings:
    """The first fault of each check, and what has been seen."""

    faults: dict[str, str] = field(default_factory=dict)
    batches: int = 0
    events: int = 0
    head: bytes = chain.BEGINNING

    def fault(self, check: str, detail: str) -> None:
        """Notes a fault; the first of each check is the one to report."""
        self.faults.setdefault(check, detail)


def verify(database: Database, progress: Callable[[int], None] | None = None) -> list[Check]:
    """Checks the whole book as it stands at one moment, while work goes on; `progress` hears how many events are done.

    It finds any change made under the application's hands, except one that also recomputed every later hash: compare
    the head hash it reports with one kept elsewhere for that.
    """
    found = Findings()
    with database.connection() as connection:
        connection.commit()
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        try:
            _check_chain(connection, found, progress)
            _check_streams(connection, found)
            _check_dead_letters(connection, found)
        finally:
            connection.rollback()
            connection.isolation_level = None
    sound = {
        "chain": f"{found.batches} batches, {found.events} events, head {found.head.hex()}",
        "batches": f"every event lies in its batch, positions 1 to {found.events}",
        "recorded_at": "never goes back",
        "streams": "every stream's versions run from 1 without a gap",
        "positions": "the positions kept are those of the batches",
        "dead_letters": "those still kept are as they were written",
    }
    return [Check(check, check not in found.faults, found.faults.get(check, detail)) for check, detail in sound.items()]


def kept_head(database: Database, batch_id: int, kept: bytes) -> Check:
    """Whether a batch still has the hash that was kept elsewhere: then nothing up to it was changed, whoever could have."""
    with database.connection() as connection:
        row = connection.execute("SELECT hash FROM ledger.batches WHERE batch_id = %s", (batch_id,)).fetchone()
        last = connection.execute("SELECT coalesce(max(batch_id), 0) FROM ledger.batches").fetchone()
    assert last is not None
    if row is None:
        return Check("kept head", False, f"the book ends with batch {last[0]}: batch {batch_id} and all after it are missing")
    if bytes(row[0]) != kept:
        return Check("kept head", False, f"batch {batch_id} is {bytes(row[0]).hex()}: the book up to it was written anew")
    return Check("kept head", True, f"batch {batch_id} is what it was, {last[0] - batch_id} more since")


def _check_chain(connection: Connection, found: Findings, progress: Callable[[int], None] | None) -> None:
    positions: dict[str, int] = {}
    before: BatchRow | None = None
    for page in _pages(connection):
        events = _read_events(connection, page[0].first_id, page[-1].last_id)
        for batch in page:
            _check_batch(batch, before, events, found)
            _check_link(batch, before, events, found)
            _move_positions(positions, batch, found)
            before = batch
        found.batches += len(page)
        found.events = page[-1].last_id
        found.head = page[-1].hash
        if progress is not None:
            progress(found.events)
    count, first = _one(connection, STRAY_EVENTS)
    if count:
        found.fault("batches", f"{count} events lie in no batch, the first at position {first}")
    _check_positions(connection, positions, found)


def _pages(connection: Connection) -> Iterator[list[BatchRow]]:
    """Batches in order, as many at a time as hold a bounded number of events."""
    after = 0
    waiting: list[BatchRow] = []
    while rows := connection.execute(BATCHES, [after, BATCHES_A_PAGE]).fetchall():
        for batch in map(BatchRow._make, rows):
            waiting.append(batch)
            if batch.last_id - waiting[0].first_id >= EVENTS_A_PAGE:
                yield waiting
                waiting = []
        after = rows[-1][0]
    if waiting:
        yield waiting


@dataclass(slots=True)
class Events:
    """A range of events as stored: digests recomputed, b"" where an event is missing."""

    first: int
    digests: list[bytes]
    batch_ids: list[int]
    edited: list[tuple[int, str]]


def _read_events(connection: Connection, first: int, last: int) -> Events:
    size = max(last - first + 1, 0)
    events = Events(first, [b""] * size, [0] * size, [])
    sha256, unpack, head = hashlib.sha256, _ROW.unpack_from, _ROW.size
    digests, batch_ids = events.digests, events.batch_ids
    skip = _SIGNATURE_BYTES  # before the first row only
    with connection.cursor() as cursor, cursor.copy(COPY_EVENTS.encode(), [first, last]) as copy:
        for data in copy:
            if len(data) < skip + head:  # the end, or the signature by itself
                skip = 0
                continue
            _, _, position, _, batch_id, _, stored = unpack(data, skip)
            fields = data[skip + head :]
            skip = 0
            digest = sha256(fields).digest()
            if digest != stored:
                _, stream_id, _, version = _STREAM.unpack_from(fields)
                events.edited.append((position, f"stream {UUID(bytes=stream_id)}, version {version}"))
            digests[position - first] = digest
            batch_ids[position - first] = batch_id
    return events


def _check_batch(batch: BatchRow, before: BatchRow | None, events: Events, found: Findings) -> None:
    expected_id, expected_first = (before.batch_id + 1, before.last_id + 1) if before else (1, 1)
    if batch.batch_id != expected_id:
        found.fault("batches", f"batch {expected_id} is missing")
    if batch.first_id != expected_first or batch.n != batch.last_id - batch.first_id + 1:
        found.fault("batches", f"batch {batch.batch_id} should begin at position {expected_first} and hold {batch.n} events")
    owners = events.batch_ids[batch.first_id - events.first : batch.last_id + 1 - events.first]
    if owners.count(batch.batch_id) != batch.n:
        at = next((at for at, owner in enumerate(owners) if owner != batch.batch_id), 0)
        what = f"says it lies in batch {owners[at]}" if owners and owners[at] else "is missing"
        found.fault("batches", f"event {batch.first_id + at} of batch {batch.batch_id} {what}")
    if before and batch.recorded_at < before.recorded_at:
        found.fault("recorded_at", f"batch {batch.batch_id} is dated before batch {before.batch_id}")


def _check_link(batch: BatchRow, before: BatchRow | None, events: Events, found: Findings) -> None:
    for position, place in events.edited:
        if batch.first_id <= position <= batch.last_id:
            found.fault("chain", f"event {position} in batch {batch.batch_id} was edited: {place}")
            break
    if batch.previous_hash != (before.hash if before else chain.BEGINNING):
        found.fault("chain", f"batch {batch.batch_id} does not follow from the batch before it, which was rewritten")
    link = chain.batch_hash(
        batch.previous_hash,
        events.digests[batch.first_id - events.first : batch.last_id + 1 - events.first],
        batch_id=batch.batch_id, first_id=batch.first_id, last_id=batch.last_id, n=batch.n,
        recorded_at=batch.recorded_at, positions=batch.positions, dead_letters=batch.dead_letters,
        dead_letters_digest=batch.dead_letters_digest, tzdata=batch.tzdata,
    )  # fmt: skip
    if link != batch.hash:
        found.fault("chain", f"batch {batch.batch_id} (events {batch.first_id} to {batch.last_id}) does not match its hash")


def _move_positions(positions: dict[str, int], batch: BatchRow, found: Findings) -> None:
    for name, (first, last) in batch.positions.items():
        if positions.get(name, -1) >= first:
            found.fault("positions", f"batch {batch.batch_id} handles offset {first} of {name} a second time")
        positions[name] = last


def _check_positions(connection: Connection, positions: dict[str, int], found: Findings) -> None:
    kept: dict[str, int] = dict(connection.execute(POSITIONS).fetchall())
    for name in sorted(kept.keys() | positions.keys()):
        if kept.get(name) != positions.get(name):
            found.fault("positions", f"{name} is kept as {kept.get(name)}, but the batches end at {positions.get(name)}")


def _check_streams(connection: Connection, found: Findings) -> None:
    row = connection.execute(STREAMS).fetchone()
    if row is not None:
        found.fault("streams", f"stream {row[0]} has {row[1]} events with versions from {row[2]} to {row[3]}")


def _check_dead_letters(connection: Connection, found: Findings) -> None:
    written = "SELECT dead_letters, dead_letters_digest FROM ledger.batches WHERE batch_id = %s"
    rows = connection.execute(DEAD_LETTERS).fetchall()
    for batch_id, letters in groupby(rows, key=itemgetter(0)):
        digests = []
        for _, number, digest, *columns in letters:
            digests.append(chain.dead_letter_digest(*columns))
            if digests[-1] != digest:
                found.fault("dead_letters", f"dead letter {number} of batch {batch_id} was edited")
        count, together = connection.execute(written, [batch_id]).fetchone() or (0, None)
        # Fewer than were written is a purge; as many must be the same ones.
        if len(digests) > count or (len(digests) == count and dead_letters_digest(digests) != together):
            found.fault("dead_letters", f"the dead letters of batch {batch_id} are not those that were written")


def _one(connection: Connection, query: LiteralString) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row

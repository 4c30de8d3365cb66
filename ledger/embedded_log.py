"""The stand-in for Kafka where none is configured: topics, partitions, keys and gapless offsets, in the database.

It holds messages only until they are in the book and a set time has passed; values are encrypted meanwhile.
"""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from ledger.database import Cursor, Database
from ledger.keyring import Keyring
from ledger.writing import PROVIDER

CHANNEL = "daybook_log"
PARTITIONS = 12

Headers = Sequence[tuple[str, bytes | None]]
NewRecord = tuple[str, bytes | None, bytes | None, Headers]

# The rows stay locked until commit, so a partition's offsets become visible in order and without gaps.
TAKE_OFFSETS = """
    INSERT INTO ledger.embedded_log_ends AS e (topic, partition, next_offset)
    SELECT * FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS g (topic, partition, n) ORDER BY topic, partition
    ON CONFLICT (topic, partition) DO UPDATE SET next_offset = e.next_offset + excluded.next_offset
    RETURNING topic, partition, next_offset, clock_timestamp()
"""
COPY_RECORDS = (
    'COPY ledger.embedded_log (topic, partition, "offset", key, value, headers, appended_at) FROM STDIN (FORMAT BINARY)'
)
READ_NEXT = """
    SELECT r.topic, r.partition, r."offset", r.key, r.value, r.headers, r.appended_at
    FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS g (topic, partition, start)
    CROSS JOIN LATERAL (
        SELECT * FROM ledger.embedded_log AS l
        WHERE l.topic = g.topic AND l.partition = g.partition AND l."offset" >= g.start ORDER BY l."offset" LIMIT %s
    ) AS r
    LIMIT %s
"""
# Never what is not in the book yet, however old.
PURGE = """
    DELETE FROM ledger.embedded_log AS l USING ledger.daybook_tracking AS t
    WHERE l.appended_at < %s AND t.application_name = %s || ':' || l.topic || ':' || l.partition
      AND l."offset" <= t.notification_id
"""


class LogPosition(NamedTuple):
    """Where a record was put."""

    topic: str
    partition: int
    offset: int


class LoggedRecord(NamedTuple):
    """A record as it lies in the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    appended_at: datetime


class EmbeddedLog:
    """Appends records and hands them out by partition and offset, as a broker would."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        with database.connection() as connection:
            row = connection.execute("SELECT value FROM ledger.meta WHERE name = 'embedded_log_cluster'").fetchone()
        assert row is not None
        self.cluster_id: str = row[0]

    def append(self, records: Iterable[NewRecord], partitions: int = PARTITIONS) -> list[LogPosition]:
        """Adds (topic, key, value, headers), all or none; one key of a topic always goes to the same partition."""
        placed = [(topic, partition_of(key, partitions), key, value, headers) for topic, key, value, headers in records]
        sealed = [(self._seal(value), self._seal_headers(headers)) for _, _, _, value, headers in placed]
        counts = Counter((topic, partition) for topic, partition, *_ in placed)
        if not placed:
            return []
        with self._database.connection() as connection, connection.cursor() as cursor:
            next_offsets, now = _take_offsets(cursor, counts)
            positions = []
            with cursor.copy(COPY_RECORDS) as copy:
                copy.set_types(["text", "int4", "int8", "bytea", "bytea", "bytea", "timestamptz"])
                for (topic, partition, key, _, _), (value, headers) in zip(placed, sealed, strict=True):
                    offset = next_offsets[topic, partition]
                    next_offsets[topic, partition] += 1
                    copy.write_row((topic, partition, offset, key, value, headers, now))
                    positions.append(LogPosition(topic, partition, offset))
            cursor.execute(f"NOTIFY {CHANNEL}")
        return positions

    def read(self, topic: str, partition: int, from_offset: int, limit: int) -> list[LoggedRecord]:
        """The next records of one partition, in order of offset."""
        return self.read_next({(topic, partition): from_offset}, limit)

    def read_next(self, starts: Mapping[tuple[str, int], int], limit: int) -> list[LoggedRecord]:
        """The next records of several partitions, each in order of offset, `limit` altogether, in one query.

        Partitions are served in the mapping's order, so a caller rotates it to let none starve.
        """
        topics, partitions = [topic for topic, _ in starts], [partition for _, partition in starts]
        with self._database.connection() as connection, connection.cursor(binary=True) as cursor:
            rows = cursor.execute(READ_NEXT, [topics, partitions, list(starts.values()), limit, limit]).fetchall()
        return [LoggedRecord._make((*row[:4], self._open(row[4]), self._open_headers(row[5]), row[6])) for row in rows]

    def end_offsets(self) -> dict[tuple[str, int], int]:
        """The offset after the last record of every partition that ever had one."""
        with self._database.connection() as connection:
            rows = connection.execute("SELECT topic, partition, next_offset FROM ledger.embedded_log_ends").fetchall()
        return {(topic, partition): next_offset for topic, partition, next_offset in rows}

    def purge(self, older_than: datetime) -> int:
        """Deletes records appended before that instant, if the book has them."""
        with self._database.connection() as connection:
            return connection.execute(PURGE, [older_than, f"kafka:{self.cluster_id}"]).rowcount

    def _seal(self, value: bytes | None) -> bytes | None:
        return None if value is None else self._keyring.encrypt_bytes(PROVIDER, value)

    def _open(self, sealed: bytes | None) -> bytes | None:
        return None if sealed is None else self._keyring.decrypt_bytes(sealed)

    def _seal_headers(self, headers: Headers) -> bytes | None:
        pairs = [(name, None if value is None else base64.b64encode(value).decode()) for name, value in headers]
        return self._seal(json.dumps(pairs).encode()) if pairs else None

    def _open_headers(self, sealed: bytes | None) -> tuple[tuple[str, bytes | None], ...]:
        clear = self._open(sealed)
        pairs = [] if clear is None else json.loads(clear)
        return tuple((name, None if value is None else base64.b64decode(value)) for name, value in pairs)


def _take_offsets(cursor: Cursor, counts: Mapping[tuple[str, int], int]) -> tuple[dict[tuple[str, int], int], datetime]:
    places = sorted(counts)
    rows = cursor.execute(
        TAKE_OFFSETS, [[t for t, _ in places], [p for _, p in places], [counts[place] for place in places]]
    ).fetchall()
    firsts = {(topic, partition): end - counts[topic, partition] for topic, partition, end, _ in rows}
    return firsts, rows[0][3]


@lru_cache(maxsize=65_536)
def partition_of(key: bytes | None, partitions: int) -> int:
    """Kafka's own choice of partition for a key, so that a move to Kafka keeps one client's facts together."""
    return 0 if key is None else (murmur2(key) & 0x7FFF_FFFF) % partitions


def murmur2(data: bytes) -> int:
    """Kafka's hash of a key, as an unsigned 32-bit number."""
    mask, m, r = 0xFFFF_FFFF, 0x5BD1_E995, 24
    h = 0x9747_B28C ^ len(data)
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ (k >> r)) * m & mask)
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)

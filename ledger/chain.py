"""The proof that history is unedited: a digest for each event, and a hash for each batch that includes the one before.

An event's digest is the SHA-256 of its fields in this order, each preceded by its length in four bytes (big-endian;
-1 and nothing after it for an absent one): stream id (16 bytes), version (8), topic, state, client id, event id (16),
body hash, source topic, source partition (4), source offset (8). That is PostgreSQL's binary COPY format of the same
columns, so writing and verifying need not build it twice.

A batch's hash is the SHA-256 of the previous batch's hash, the digests of its events in order of position, and a line of
JSON with the rest of its row. Numbers in it are numbers, instants are microseconds since 1970.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import version
from struct import Struct

from ledger.entries import NewEvent, NewFact

BEGINNING = bytes(32)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_LENGTH = Struct(">i").pack
_HEAD = Struct(">i16siq").pack
_UUID = Struct(">i16s").pack
_SOURCE = Struct(">iiiq").pack
_ABSENT = _LENGTH(-1)


@cache
def tzdata_version() -> str:
    """The release of the time-zone rules in force: a batch's local days can be worked out again only with it."""
    return version("tzdata")


class _Texts(dict[str, bytes]):
    """Texts as fields; topics, client ids and source topics repeat a lot within a batch."""

    def __missing__(self, value: str) -> bytes:
        encoded = value.encode()
        self[value] = field = _LENGTH(len(encoded)) + encoded
        return field


def event_fields(events: Sequence[NewEvent | NewFact]) -> list[bytes]:
    """Each event's fields, length-prefixed: what is digested, and what is sent to the database."""
    text = _Texts()
    rows = []
    for stream_id, stream_version, topic, state, client_id, event_id, body_hash, source in events:
        rows.append(
            b"".join((
                _HEAD(16, stream_id if isinstance(stream_id, bytes) else stream_id.bytes, 8, stream_version),
                text[topic],
                _LENGTH(len(state)), state,
                text[client_id],
                _UUID(16, event_id if isinstance(event_id, bytes) else event_id.bytes),
                _ABSENT if body_hash is None else _LENGTH(len(body_hash)) + body_hash,
                _ABSENT * 3 if source is None else text[source[0]] + _SOURCE(4, source[1], 8, source[2]),
            ))
        )  # fmt: skip
    return rows


def digests(rows: Iterable[bytes]) -> list[bytes]:
    """The digest of each event's fields."""
    sha256 = hashlib.sha256
    return [sha256(row).digest() for row in rows]


def batch_hash(
    previous_hash: bytes,
    event_digests: Iterable[bytes],
    *,
    batch_id: int,
    first_id: int,
    last_id: int,
    n: int,
    recorded_at: datetime,
    positions: Mapping[str, Sequence[int]],
    dead_letters: int,
    dead_letters_digest: bytes | None,
    tzdata: str,
) -> bytes:
    """The next link of the chain."""
    rest = {
        "batch_id": batch_id,
        "first_id": first_id,
        "last_id": last_id,
        "n": n,
        "recorded_at": (recorded_at - EPOCH) // timedelta(microseconds=1),
        "positions": {name: list(offsets) for name, offsets in positions.items()},
        "dead_letters": dead_letters,
        "dead_letters_digest": dead_letters_digest.hex() if dead_letters_digest else None,
        "tzdata": tzdata,
    }
    link = hashlib.sha256(previous_hash)
    link.update(b"".join(event_digests))
    link.update(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode())
    return link.digest()


def dead_letter_digest(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    reason: str,
    error: str,
    schema_id: int | None,
    first_seen: datetime,
) -> bytes:
    """The digest of a dead letter as it is stored: key and value are cipher text."""
    clear = [topic, partition, offset, reason, error, schema_id, (first_seen - EPOCH) // timedelta(microseconds=1)]
    digest = hashlib.sha256()
    for field in (json.dumps(clear, separators=(",", ":")).encode(), key, value):
        digest.update(_ABSENT if field is None else _LENGTH(len(field)) + field)
    return digest.digest()

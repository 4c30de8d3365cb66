"""Turns a record of the log into a fact ready to be decided on, or into a dead letter with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from consumers.source import Partition, Polled, Record
from domain.facts import FACTS, PERSONAL, stream_bytes_of, subject_of
from ledger.book import DeadLetter
from ledger.keyring import Keyring
from schemas.codec import WireError, check_envelope, decode, schema_id_of

# Sorted, so that one fact has one body, whatever the order of a map on the wire.
_canonical = msgspec.json.Encoder(decimal_format="string", order="sorted").encode
_encode = msgspec.json.Encoder(decimal_format="string").encode
_TOPICS: Final[dict[str, str]] = {record: cls.TOPIC for record, cls in FACTS.items()}
_KINDS: Final[dict[str, bytes]] = {record: record.encode() for record in FACTS}


class Fact(NamedTuple):
    """A message that could be read and believed."""

    partition: Partition
    record: Record
    kind: str
    fields: dict[str, Any]
    subject: str
    stream_id: bytes  # the 16 bytes of a UUID, as is the next
    event_id: bytes
    body: bytes


@dataclass(slots=True)
class Batch:
    """What was polled: facts in the order of each partition, and what could not be read."""

    facts: list[Fact]
    dead_letters: list[DeadLetter]


def read(polled: Sequence[Polled]) -> Batch:
    """Reads a poll; a record that cannot be read never stops the next."""
    batch = Batch([], [])
    add, identity, made = batch.facts.append, bytes.fromhex, tuple.__new__
    for part in polled:
        topic, partition = part.topic, (part.topic, part.partition)
        for record in part.records:
            try:
                message = decode(record.value)
                check_envelope(topic, record.key, message)
            except WireError as error:
                batch.dead_letters.append(dead_letter(partition, record, error.reason, error.detail))
                continue
            kind, fields = message.record, message.fields
            subject = subject_of(kind, fields)
            event_id = identity(fields["event_id"].replace("-", ""))
            body = _KINDS[kind] + _canonical(fields)
            # Not by the class's constructor, which is a Python function: this runs for every fact.
            stream_id = stream_bytes_of(kind, subject, fields)
            add(made(Fact, (partition, record, kind, fields, subject, stream_id, event_id, body)))
    return batch


def dead_letter(partition: Partition, record: Record, reason: str, error: str) -> DeadLetter:
    """A record set aside, whole, with what is wrong with it."""
    return DeadLetter(
        partition[0],
        partition[1],
        record.offset,
        record.key,
        record.value,
        reason,
        error,
        schema_id_of(record.value),
        datetime.fromtimestamp(max(record.timestamp_ms, 0) / 1000, UTC),
    )


def event_topic(kind: str) -> str:
    """The topic under which a record is kept in the book."""
    return _TOPICS[kind]


def event_state(fact: Fact, keyring: Keyring) -> bytes:
    """The fact as the book keeps it: the domain event's JSON, what people wrote as ciphertext."""
    _, _, kind, fields, subject, _, _, _ = fact
    names = PERSONAL.get(kind)
    if names is not None:
        fields = fields.copy()
        for name in names:
            if fields[name]:
                fields[name] = _hidden(fields[name], subject, keyring)
    return _encode(fields)


def _hidden(value: Any, subject: str, keyring: Keyring) -> Any:
    if isinstance(value, str):
        return keyring.encrypt(subject, value)
    return [keyring.encrypt(subject, text) for text in value]

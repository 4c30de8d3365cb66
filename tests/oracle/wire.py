"""Reads what was produced as a stranger would: schema files, fastavro and the envelope rules of `events.md`."""

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import fastavro

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
MAX_BYTES = 1024 * 1024
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

TOPIC_OF = {
    record: topic
    for topic, records in {
        "daybook.catalogue": "ProviderDefined ChargeTypeDefined TaxCodeDefined WorkingHoursDefined"
        " InvoiceSeriesDefined ExchangeRateSet SurchargePolicySet",
        "daybook.clients": "ClientDefined ReminderPolicySet",
        "daybook.contracts": "ContractDefined MilestoneReached",
        "daybook.time": "TimeEntryLogged TimeEntryAmended TimeEntryWithdrawn TimeEntryApproved TimeEntryRejected",
        "daybook.charges": "ChargeLogged ChargeAmended ChargeWithdrawn ChargeApproved ChargeRejected",
        "daybook.seats": "SeatCountReported",
        "daybook.usage": "UsageReported",
        "daybook.payments": "PaymentReceived PaymentFailed PaymentRefunded PaymentChargedBack PayoutSettled"
        " CardSaved CardRemoved",
    }.items()
    for record in records.split()
}
"""Which record may be said on which topic."""


class Produced(NamedTuple):
    """One message as it lies in Kafka: where, under which key, with which bytes."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class DeadLetter(NamedTuple):
    """One message that could not be read or trusted."""

    topic: str
    partition: int
    offset: int
    reason: str


class Fact(NamedTuple):
    """One message that was read: its record's name and its natural fields."""

    record: str
    fields: dict[str, Any]


class Unreadable(Exception):
    """A message that is dead-lettered for the given reason."""


@dataclass
class Reading:
    """Everything that was read, once each, and everything that was not."""

    facts: list[Fact] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    recorded: dict[str, tuple[str, int, int]] = field(default_factory=dict)  # where each was said first


@cache
def registry() -> dict[int, tuple[str, Any]]:
    """Schema id -> record name and parsed writer schema."""
    listed = json.loads((SCHEMAS / "registry.json").read_text("utf-8"))
    return {
        int(number): (entry["record"], fastavro.parse_schema(json.loads((SCHEMAS / entry["file"]).read_text("utf-8"))))
        for number, entry in listed.items()
    }


@cache
def newest() -> dict[str, tuple[int, Any]]:
    """Record name -> the id and schema a producer writes today."""
    return {record: (number, schema) for number, (record, schema) in sorted(registry().items())}


def encode(record: str, fields: dict[str, Any]) -> bytes:
    """One framed message; contract lines are `(full record name, fields)` pairs."""
    number, schema = newest()[record]
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, fields, strict_allow_default=True)
    return b"\0" + number.to_bytes(4, "big") + body.getvalue()


def key_of(record: str, fields: dict[str, Any]) -> bytes:
    """The key that keeps one client's (or code's) events in order."""
    if "client_id" in fields:
        key = fields["client_id"]
    elif record == "ProviderDefined":
        key = "provider"
    elif record == "ExchangeRateSet":
        key = f"{fields['currency']}/{fields['base_currency']}"
    else:
        key = fields["code"]
    return str(key).encode()


def read(messages: Iterable[Produced]) -> Reading:
    """Reads every partition in its own order; repeats count once, a changed repeat is dead-lettered."""
    reading, bodies = Reading(), dict[str, bytes]()
    for message in sorted(messages, key=lambda m: (m.topic, m.partition, m.offset)):
        try:
            fact = trusted(message)
        except Unreadable as refusal:
            reading.dead.append(DeadLetter(message.topic, message.partition, message.offset, str(refusal)))
            continue
        event_id, body = fact.fields["event_id"].lower(), message.value or b""
        first = bodies.setdefault(event_id, body)
        if first != body:
            reading.dead.append(DeadLetter(message.topic, message.partition, message.offset, "idempotency_conflict"))
        elif event_id not in reading.recorded:
            reading.recorded[event_id] = message[:3]
            reading.facts.append(fact)
    return reading


def trusted(message: Produced) -> Fact:
    """The fact in one message; raises Unreadable with the dead letter's reason."""
    fact = decode(message.value)
    if TOPIC_OF.get(fact.record) != message.topic or message.key != key_of(*fact):
        raise Unreadable("invalid_envelope")
    if not _UUID.fullmatch(fact.fields["event_id"]) or any(_bad_ids(fact.fields)):
        raise Unreadable("invalid_envelope")
    return fact


def decode(value: bytes | None) -> Fact:
    """The record in one framed value; raises Unreadable with the dead letter's reason."""
    if value is not None and len(value) > MAX_BYTES:
        raise Unreadable("too_large")
    if value is None or len(value) < 5 or value[0] != 0:
        raise Unreadable("undecodable")
    known = registry().get(int.from_bytes(value[1:5], "big"))
    if known is None:
        raise Unreadable("unknown_schema")
    body = io.BytesIO(value)
    body.seek(5)
    try:
        fields = fastavro.schemaless_reader(
            body, known[1], None, return_record_name=True, return_record_name_override=True
        )
    except Exception as fault:
        raise Unreadable("undecodable") from fault
    if body.tell() != len(value):
        raise Unreadable("trailing_bytes")
    return Fact(known[0], fields)


def _bad_ids(fields: dict[str, Any]) -> Iterator[bool]:
    """Whether each top-level `*_id` is empty or longer than 128 characters."""
    for name, value in fields.items():
        if name.endswith("_id") and isinstance(value, str):
            yield not 1 <= len(value) <= 128

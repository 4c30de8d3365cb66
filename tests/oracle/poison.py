"""Messages that must end as dead letters, one kind for every way a message can be bad."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from .wire import MAX_BYTES, encode, newest
from .world import Said, World

Message = tuple[str, bytes | None, bytes | None]

KINDS = {
    "tombstone": "undecodable",
    "empty": "undecodable",
    "short": "undecodable",
    "magic": "undecodable",
    "json": "undecodable",
    "tiny": "undecodable",
    "truncated": "undecodable",
    "negative_length": "undecodable",
    "unknown_schema": "unknown_schema",
    "trailing": "trailing_bytes",
    "wrong_topic": "invalid_envelope",
    "outbound": "invalid_envelope",
    "wrong_key": "invalid_envelope",
    "null_key": "invalid_envelope",
    "not_a_uuid": "invalid_envelope",
    "empty_client": "invalid_envelope",
    "empty_entry": "invalid_envelope",
    "long_entry": "invalid_envelope",
    "long_client": "invalid_envelope",
    "conflict": "idempotency_conflict",
    "too_large": "too_large",
}
"""Each kind and the reason it is dead-lettered for."""


def kinds(rng: random.Random, count: int) -> Iterator[str]:
    """`count` kinds, every one in turn; of the large ones at most one in 20,000 messages."""
    large = max(1, count // 200)
    names = list(KINDS)
    for number in range(count):
        kind = names[number % len(names)]
        if kind == "too_large":
            large -= 1
        yield kind if kind != "too_large" or large >= 0 else rng.choice(names[:-1])


def message(kind: str, rng: random.Random, world: World, victim: Said) -> Message:
    """One bad message of the kind; a conflict repeats the victim's id with another body."""
    if kind == "conflict":
        fields = victim.fields | {"source": f"psa-{rng.randrange(1_000)}"}
        return Said(victim.at, victim.record, fields).message()
    entry = _entry(rng, world)
    topic, key, value = entry.message()
    frame, body = value[:5], value[5:]
    match kind:
        case "tombstone":
            return topic, key, None
        case "empty":
            return topic, key, b""
        case "short":
            return topic, key, value[: rng.randrange(1, 5)]
        case "magic":
            return topic, key, b"\x01" + value[1:]
        case "json":
            return topic, key, b'{"type": "TimeEntryLogged"}'
        case "tiny":
            return topic, key, frame + rng.choice((b"\x00", b"\x02", b"\xff"))
        case "truncated":
            return topic, key, value[: -rng.randrange(1, len(body) - 1)]
        case "negative_length":
            return topic, key, frame + b"\x09" + body[1:]
        case "unknown_schema":
            return topic, key, b"\0" + rng.choice((0, 9_999, 2**31)).to_bytes(4, "big") + body
        case "trailing":
            return topic, key, value + b"\0" * rng.randrange(1, 9)
        case "too_large":
            entry.fields["note"] = "x" * (MAX_BYTES + MAX_BYTES // 10)
            return entry.message()
    return _untrusted(kind, world, entry)


def _untrusted(kind: str, world: World, entry: Said) -> Message:
    """A message that reads well and can't be trusted."""
    topic, key, value = entry.message()
    match kind:
        case "wrong_topic":
            return "daybook.charges", key, value
        case "outbound":
            return topic, key, _outbound(entry)
        case "wrong_key":
            return topic, key + b"x", value
        case "null_key":
            return topic, None, value
        case "not_a_uuid":
            entry.fields["event_id"] = "event-" + entry.fields["event_id"][:8]
        case "empty_client":
            entry.fields["client_id"] = ""
        case "long_client":
            entry.fields["client_id"] = "C" * 129
        case "empty_entry":
            entry.fields["time_entry_id"] = ""
        case "long_entry":
            entry.fields["time_entry_id"] = "é" * 129
    return entry.message()


def _entry(rng: random.Random, world: World) -> Said:
    """An entry that would be seen if it got through."""
    at = datetime(2026, 5, rng.randrange(1, 29), 12, tzinfo=UTC)
    return world.say(
        "TimeEntryLogged",
        at,
        client_id=rng.choice(world.clients).client_id,
        time_entry_id=f"POISON-{UUID(int=rng.getrandbits(128)).hex[:12]}",
        agent_id="agent-0",
        charge_type="REM",
        worked_on=at.date(),
        worked_minutes=60,
        note="never to be billed",
    )


def _outbound(entry: Said) -> bytes:
    fields = {name: entry.fields[name] for name in ("event_id", "client_id")}
    settled = {"recorded_at": entry.at, "invoice_id": "I-1", "number": "INV-000001", "settled_at": entry.at}
    if "InvoiceSettled" not in newest():
        raise LookupError("schemas/registry.json knows no InvoiceSettled")
    return encode("InvoiceSettled", fields | settled)

"""Facts as lines of JSON, for files and the HTTP door: one fact a line, readable by people and by any language."""

import json
from typing import Any

import msgspec

from schemas.codec import MAX_BYTES
from schemas.registry import published
from schemas.scalars import Misfit
from schemas.topics import INBOUND, TOPIC_OF

_PARTS = ("topic", "type", "event")


def parse(line: str | bytes) -> tuple[str, str, dict[str, Any]]:
    """The topic, record and fields of one inbound line; ValueError naming what is wrong and what would be right."""
    if len(line) > MAX_BYTES:
        raise ValueError(f"the line is longer than {MAX_BYTES} characters")
    try:
        envelope = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    return from_object(envelope)


def from_object(envelope: Any) -> tuple[str, str, dict[str, Any]]:
    """The same, of a line already read as JSON."""
    if not isinstance(envelope, dict) or set(envelope) != set(_PARTS):
        raise ValueError('must be {"topic": ..., "type": ..., "event": {...}} and nothing else')
    topic, record = envelope["topic"], envelope["type"]
    home = TOPIC_OF.get(record) if isinstance(record, str) else None
    if home not in INBOUND:
        raise ValueError(f"type: {str(record)[:80]} is not a record Daybook takes in")
    if topic != home:
        raise ValueError(f"topic: a {record} belongs on {home}, not on {str(topic)[:80]}")
    return home, record, event_fields(record, envelope["event"])


def event_fields(record: str, event: Any) -> dict[str, Any]:
    """The fields of a record, of either direction, from its JSON object; absent ones take their defaults."""
    try:
        return published().reader(record).shape.from_json(event)
    except Misfit as misfit:
        raise ValueError(f"{record}.{misfit}") from misfit


def dump(record: str, fields: dict[str, Any]) -> str:
    """One line, without its line end, that `parse` reads back to the same fields; every field is written."""
    event = published().reader(record).shape.to_json(fields)
    line = {"topic": TOPIC_OF[record], "type": record, "event": event}
    return json.dumps(line, ensure_ascii=False, separators=(", ", ": "))

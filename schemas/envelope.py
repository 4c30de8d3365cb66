"""Whether a message may be believed at all: its id, its time, its key and its topic."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from schemas.compounds import Optional
from schemas.message import Message, WireError
from schemas.registry import published
from schemas.scalars import EPOCH, Text
from schemas.topics import INBOUND, RECORDS_ON, TOPIC_OF

MAX_ID_LENGTH: Final = 128
# A year before Python's last day, so that an instant can still be told in any time zone.
_TOO_LATE: Final = datetime(9999, 1, 1, tzinfo=UTC)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def key_of(record: str, fields: dict[str, Any]) -> bytes:
    """The key a record must carry, so that all about one client (or one catalogue entry) stays in order."""
    return _KEYS.get(record, _client_key)(fields)


def _client_key(fields: dict[str, Any]) -> bytes:
    key: bytes = fields["client_id"].encode()
    return key


def _code_key(fields: dict[str, Any]) -> bytes:
    key: bytes = fields["code"].encode()
    return key


_KEYS: Final[dict[str, Callable[[dict[str, Any]], bytes]]] = {
    **dict.fromkeys(RECORDS_ON["daybook.catalogue"], _code_key),
    "ProviderDefined": lambda _: b"provider",
    "ExchangeRateSet": lambda fields: f"{fields['currency']}/{fields['base_currency']}".encode(),
    "PublisherCursor": lambda fields: str(fields["publisher"]).encode(),
}


class _Envelope:
    """What must hold for one record, looked up once."""

    def __init__(self, record: str) -> None:
        texts = {
            field.name: isinstance(field.shape, Optional)
            for field in published().reader(record).shape.fields
            if isinstance(field.shape.inner if isinstance(field.shape, Optional) else field.shape, Text)
        }
        ids = [name for name in texts if name.endswith("_id") and name != "event_id"]
        ids += [name for name in ("code",) if name in texts]
        # What begins a document's number is asked for by that number: it has to be as plain as an id, and may be empty.
        self.names = [*ids, "source", *(name for name in ("prefix",) if name in texts)]
        self.required_names = [name for name in ids if not texts[name]]
        self.together = _together(self.names, self.required_names)
        self.key = _KEYS.get(record, _client_key)


def _together(names: list[str], required: list[str]) -> Callable[[dict[str, Any]], str | None]:
    """What joins these texts, spelt out for one record; None where one of the required is empty."""
    joined = "".join(f"{{f[{name!r}] or ''}}" for name in names)
    all_there = " and ".join(["True", *(f"f[{name!r}] != ''" for name in required)])
    # The text holds only field names of our own published schemas.
    made: Callable[[dict[str, Any]], str | None] = eval(f'lambda f: f"{joined}" if {all_there} else None')
    return made


_ENVELOPES: Final[dict[tuple[str, str], _Envelope]] = {}


def check_envelope(topic: str, key: bytes | None, message: Message) -> None:
    """WireError("invalid_envelope") where a message cannot be trusted to be what and whose it says.

    Its `event_id` is put into lower case, so that one event has one id however its sender writes it.
    An optional id may be empty text, which upstream systems send for "none".
    """
    envelope = _ENVELOPES.get((topic, message.record)) or _envelope(topic, message.record)
    fields = message.fields
    event_id = fields["event_id"]
    if not _UUID.fullmatch(event_id):
        event_id = event_id.lower()
        if not _UUID.fullmatch(event_id):
            raise WireError("invalid_envelope", "event_id is not a UUID such as 0b1f2a3c-4d5e-4f60-8172-93a4b5c6d7e8")
        fields["event_id"] = event_id
    if key != envelope.key(fields):
        raise WireError("invalid_envelope", "the key is not the one its fields call for")
    if not EPOCH <= fields["occurred_at"] < _TOO_LATE:
        raise WireError("invalid_envelope", "occurred_at is outside the years 1970 to 9998")
    # All of them at once first: nearly always short and printable.
    together = envelope.together(fields)
    if together is None:
        raise WireError("invalid_envelope", f"{_first_empty(envelope, fields)} is empty")
    if len(together) > MAX_ID_LENGTH or not together.isprintable():
        _check_each(envelope, fields)


def _envelope(topic: str, record: str) -> _Envelope:
    if topic not in INBOUND or TOPIC_OF.get(record) != topic:
        raise WireError("invalid_envelope", f"{record} does not belong on {topic}")
    envelope = _ENVELOPES[topic, record] = _Envelope(record)
    return envelope


def _first_empty(envelope: _Envelope, fields: dict[str, Any]) -> str:
    return next(name for name in envelope.required_names if fields[name] == "")


def _check_each(envelope: _Envelope, fields: dict[str, Any]) -> None:
    for name in envelope.names:
        value = fields[name] or ""
        if len(value) > MAX_ID_LENGTH:
            raise WireError("invalid_envelope", f"{name} has {len(value)} characters, and may have {MAX_ID_LENGTH}")
        if _CONTROL.search(value):
            raise WireError("invalid_envelope", f"{name} holds a control character")

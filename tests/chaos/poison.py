"""What no schema forbids a producer to send, beside the kinds of the oracle's own generator: NUL, year 10000, a full MiB, ...

Of the twelve kinds of promise P7 the generator has: truncated, unknown schema, huge (`too_large`), tombstone, JSON, a key of
another client (`wrong_key`), a negative quantity and another client's entry (both are facts, which wait). Here are the rest.
"""

import io
import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import date
from typing import Any
from uuid import UUID

import fastavro

from tests.oracle.generator import Message
from tests.oracle.wire import MAX_BYTES, decode, encode, newest

Fields = dict[str, Any]
MOST_OF_A_MIB = 3
"""Messages of a whole MiB there are at most so many, as no broker of a small provider sees thousands."""


def mixed_in(messages: Sequence[Message], share: float, rng: random.Random) -> tuple[list[Message], dict[bytes, str]]:
    """The messages with poison strewn among them; and which values the book must refuse though the oracle can read them."""
    models = [message for message in messages if message[0] == "daybook.time" and _is_entry(message[2])]
    refused: dict[bytes, str] = {}
    mixed = list(messages)
    names = list(KINDS)
    for number in range(max(len(names), int(len(messages) * share))):
        name = names[number % len(names)]
        if name == "a_whole_mib" and number // len(names) >= MOST_OF_A_MIB:
            continue
        topic, key, model = rng.choice(models)
        fields = decode(model).fields
        fields["event_id"] = str(UUID(int=rng.getrandbits(128), version=4))
        fields["time_entry_id"] = f"POISON-{number}-{name}"
        value = KINDS[name](fields)
        if name == "nul":
            refused[value] = "undecodable"
        mixed.insert(rng.randrange(len(mixed)), (topic, key, value))
    return mixed, refused


def _is_entry(value: bytes | None) -> bool:
    try:
        return decode(value).record == "TimeEntryLogged"
    except Exception:
        return False


def _written(fields: Fields, change: Callable[[Fields], None]) -> bytes:
    """The entry as a producer with a schema of its own writes it, under the number of ours."""
    number, parsed = newest()["TimeEntryLogged"]
    schema = deepcopy(parsed)
    change(schema)
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(_unparsed(schema)), fields, strict_allow_default=True)
    return b"\0" + number.to_bytes(4, "big") + body.getvalue()


def _unparsed(schema: Any) -> Any:
    return {name: value for name, value in schema.items() if not name.startswith("__")}


def _wrong_type(fields: Fields) -> bytes:
    """The minutes as a text."""

    def change(schema: Fields) -> None:
        _field(schema, "worked_minutes")["type"] = "string"
        _field(schema, "worked_minutes").pop("default", None)

    return _written(fields | {"worked_minutes": "sixty"}, change)


def _not_a_number(fields: Fields) -> bytes:
    """The minutes as a double that is no number."""

    def change(schema: Fields) -> None:
        _field(schema, "worked_minutes")["type"] = "double"
        _field(schema, "worked_minutes").pop("default", None)

    return _written(fields | {"worked_minutes": float("nan")}, change)


def _year_10000(fields: Fields) -> bytes:
    """The day after the last that there is."""

    def change(schema: Fields) -> None:
        _field(schema, "worked_on")["type"] = "int"

    return _written(fields | {"worked_on": date.max.toordinal() + 1 - date(1970, 1, 1).toordinal()}, change)


def _half_a_character(fields: Fields) -> bytes:
    """Half a surrogate pair, as some runtimes write it."""
    marked = encode("TimeEntryLogged", fields | {"note": "half of @@@"})
    return marked.replace(b"@@@", b"\xed\xa0\xbd")


def _whole_mib(fields: Fields) -> bytes:
    """As large as a message may be: it is a fact."""
    empty = len(encode("TimeEntryLogged", fields | {"note": "x" * 10_000}))
    # A length of more than 8191 letters takes three bytes, one of 1048576 the same.
    value = encode("TimeEntryLogged", fields | {"note": "x" * (MAX_BYTES - empty + 10_000)})
    assert len(value) == MAX_BYTES
    return value


def _field(schema: Fields, name: str) -> Fields:
    found: Fields = next(field for field in schema["fields"] if field["name"] == name)
    return found


KINDS: dict[str, Callable[[Fields], bytes]] = {
    "wrong_type": _wrong_type,
    "not_a_number": _not_a_number,
    "year_9999": lambda fields: encode("TimeEntryLogged", fields | {"worked_on": date.max}),
    "year_10000": _year_10000,
    "nul": lambda fields: encode("TimeEntryLogged", fields | {"note": "before\0after"}),
    "half_a_character": _half_a_character,
    "a_whole_mib": _whole_mib,
}

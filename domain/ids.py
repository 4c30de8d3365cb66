"""Derived identities: a stream per thing and client, and the key of every billable item."""

from datetime import date
from hashlib import sha1
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, SafeUUID, uuid5

NAMESPACE = uuid5(NAMESPACE_URL, "urn:daybook:ledger:v1")
_PREFIX = NAMESPACE.bytes
# What RFC 9562 fixes in a version 5 identifier: the version's four bits and the variant's two.
_FREE = (1 << 128) - 1 ^ (0xF000 << 64) ^ (0xC000 << 48)
_FIXED = 5 << 76 | 1 << 63
_UNKNOWN = SafeUUID.unknown


def stream_bytes(*natural_key: str) -> bytes:
    """The 16 bytes of the uuid5 of a natural key such as ("time", client, entry); parts are joined so that no two keys meet."""
    text = "\x1f".join(natural_key)
    # The library's uuid5 spelt out: this runs once for every fact, and the plain call costs three times as much.
    digest = sha1(_PREFIX + text.encode(), usedforsecurity=False).digest()
    return (int.from_bytes(digest[:16], "big") & _FREE | _FIXED).to_bytes(16, "big")


def stream_id(*natural_key: str) -> UUID:
    """The same as a UUID."""
    return uuid_of(int.from_bytes(stream_bytes(*natural_key), "big"))


def uuid_of(number: int) -> UUID:
    """The UUID of a 128-bit number, without the checks of its constructor, which cost 3 us."""
    made = object.__new__(UUID)
    object.__setattr__(made, "int", number)
    object.__setattr__(made, "is_safe", _UNKNOWN)
    return made


def event_id(stream: UUID, version: int) -> UUID:
    """The identity of a decision's event: derived, so that a rerun collides instead of doubling."""
    return stream_id("event", str(stream), str(version))


def _part(text: str) -> str:
    return quote(text, safe="")


def time_item(time_entry_id: str) -> str:
    """The item of one time entry."""
    return "time/" + _part(time_entry_id)


def ticket_item(contract_id: str | None, ticket_id: str, charge_type: str, period_start: date) -> str:
    """The item of one ticket's time of one charge type in one contract period (product T2)."""
    return f"ticket/{_part(contract_id or '')}/{_part(ticket_id)}/{_part(charge_type)}/{period_start.isoformat()}"


def line_item(contract_id: str, line_id: str, period_start: date) -> str:
    """The item of one contract line's period."""
    return f"line/{_part(contract_id)}/{_part(line_id)}/{period_start.isoformat()}"


def taken_back(adjustment_id: str) -> str:
    """The id of the adjustment that takes another one back: derived, so that it can be taken back only once."""
    return str(stream_id("taken back", adjustment_id))

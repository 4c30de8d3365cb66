"""One message read from the wire, and the reasons one cannot be read."""

from typing import Any, Literal

import msgspec

Reason = Literal["unknown_schema", "undecodable", "trailing_bytes", "too_large", "invalid_envelope"]
"""Why a message is dead-lettered here; outsiders match on these words.

(`idempotency_conflict` needs the ledger.)
"""


class WireError(Exception):
    """A message that cannot be read or trusted: it is set aside as a dead letter, and the rest goes on."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


class Message(msgspec.Struct, frozen=True, gc=False):
    """What another system said, in plain Python values, in the newest version of its record.

    `version` and `schema_id` are the writer's.
    """

    # A msgspec Struct because one is made per event: a frozen dataclass costs 0.5 us more.
    record: str
    version: int
    schema_id: int
    fields: dict[str, Any]

"""What a publisher sends: messages in the order of their place in the ledger, a bounded page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Protocol

LARGEST_VALUE: Final = 1_000_000
"""A message's value has at most as many bytes: Kafka's own limit of 1 MiB is on the whole batch with its headers and key."""

LARGEST_PAGE: Final = 8 * 1024 * 1024
"""A page is closed once its values have as many bytes."""


class Message(NamedTuple):
    """One record to be sent, with its place in the ledger."""

    position: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is still to be told: how many, and since when the oldest of them stands in the ledger."""

    count: int
    oldest_at: datetime | None


class CannotPublish(Exception):
    """Something that stands in the ledger does not fit into its message; the text names it and says why."""


class Feed(Protocol):
    """One kind of thing that is told to the outside."""

    @property
    def name(self) -> str:
        """The publisher's name: what its cursor and its place in the ledger are kept under."""
        ...

    @property
    def topic(self) -> str:
        """The topic it goes to."""
        ...

    @property
    def log_event(self) -> str:
        """The name of the log line of a transaction."""
        ...

    def next(self, after: int, limit: int) -> Sequence[Message]:
        """At most `limit` messages after a position, in order; empty if there are none now. Raises CannotPublish."""
        ...

    def backlog(self, after: int) -> Backlog:
        """What stands in the ledger after a position."""
        ...

    def end(self) -> int:
        """The last position there can be now."""
        ...

"""What the ingesting loop needs from any ordered log of facts: records in order, and a place to go back to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Partition = tuple[str, int]
"""A topic and the number of one of its partitions: the unit within which facts keep their order."""


class Record(NamedTuple):
    """One message as it lies in the log, not yet read: it may turn out to be a fact or a dead letter."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Polled:
    """The next records of one partition, in the order of the log; offsets rise but may have gaps."""

    topic: str
    partition: int
    records: list[Record]


def behind(ends: Mapping[Partition, int], positions: Mapping[Partition, int]) -> set[Partition]:
    """Partitions of which the book lacks something.

    `ends` are the offsets after the last records, `positions` the last offsets that the book has.
    """
    return {partition for partition, end in ends.items() if positions.get(partition, -1) + 1 < end}


class SourceError(Exception):
    """The source cannot go on: close it and start again from the ledger's own positions."""


class Source(Protocol):
    """A log of facts that several workers may share; the ledger, never the source, knows what has been handled."""

    cluster_id: str
    """Which log this is: positions of another cluster mean nothing here."""

    problems: dict[Partition, str]
    """Partitions that stand still until a person acts, each with the reason; the others go on."""

    trouble: str
    """Why nothing can be read at all just now, in words for a person; empty while the log answers."""

    on_revoked: Callable[[frozenset[Partition]], None] | None
    """Called within `poll`, on its thread and before it returns, with partitions that may now be another worker's."""

    def poll(self, max_records: int, timeout_s: float) -> list[Polled]:
        """Return at most `max_records` next records, or nothing after `timeout_s`; raises SourceError."""
        ...

    def seek(self, topic: str, partition: int, offset: int | None) -> None:
        """Deliver this partition from `offset` on (None: from its beginning); nothing happens if it is not ours."""
        ...

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell the log the next offset of each partition, as a hint for its dashboards only."""
        ...

    def assigned(self) -> frozenset[Partition]:
        """Return the partitions that are this worker's now."""
        ...

    def settled(self) -> bool:
        """Whether it is known which partitions are this worker's: at first, and in a rebalance, it is not."""
        ...

    def next_offsets(self) -> dict[Partition, int]:
        """Where each partition of ours is read on: past all that was delivered, and past a transaction's own marks."""
        ...

    def end_offsets(self) -> dict[Partition, int]:
        """Return the offset after the last readable record of each partition of ours; empty if unreachable."""
        ...

    def close(self) -> None:
        """Leave the log, so that other workers take over at once."""
        ...

"""The embedded log as a source: the same records, partitions and offsets as a broker's, read from a table."""

import time
from collections.abc import Callable, Mapping

from consumers.source import Partition, Polled, Record
from ledger.embedded_log import EmbeddedLog

POLL_S = 0.05


class EmbeddedSource:
    """Every partition of the embedded log, read by the one loop that runs at a time."""

    def __init__(self, log: EmbeddedLog, position: Callable[[str, int], int | None]) -> None:
        self.cluster_id = log.cluster_id
        self.problems: dict[Partition, str] = {}
        self.trouble = ""
        self.on_revoked: Callable[[frozenset[Partition]], None] | None = None
        self._log = log
        self._position = position
        self._next: dict[Partition, int] = {}

    def poll(self, max_records: int, timeout_s: float) -> list[Polled]:
        """The next records of all partitions, at most `max_records`; nothing after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._find_partitions()
            found = self._log.read_next(self._next, max_records) if self._next else []
            if found or time.monotonic() >= deadline:
                break
            time.sleep(POLL_S)
        polled: dict[Partition, list[Record]] = {}
        for one in found:
            record = Record(one.offset, one.key, one.value, one.headers, int(one.appended_at.timestamp() * 1000))
            polled.setdefault((one.topic, one.partition), []).append(record)
        for partition, records in polled.items():
            self._next[partition] = records[-1].offset + 1
            # Served partitions go to the back, so that none starves.
            self._next[partition] = self._next.pop(partition)
        return [Polled(topic, partition, records) for (topic, partition), records in polled.items()]

    def _find_partitions(self) -> None:
        for topic, partition in self._log.end_offsets():
            if (topic, partition) not in self._next:
                stored = self._position(topic, partition)
                self._next[(topic, partition)] = 0 if stored is None else stored + 1

    def seek(self, topic: str, partition: int, offset: int | None) -> None:
        """Deliver this partition from `offset` on; null: from its beginning."""
        self._next[(topic, partition)] = offset or 0

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Nobody looks at the embedded log's own dashboards."""

    def assigned(self) -> frozenset[Partition]:
        """Every partition there is."""
        return frozenset(self._next)

    def settled(self) -> bool:
        """Every partition there is, is ours."""
        return True

    def next_offsets(self) -> dict[Partition, int]:
        """The offset after the last record delivered of each partition."""
        return dict(self._next)

    def end_offsets(self) -> dict[Partition, int]:
        """The offset after the last record of each partition."""
        return self._log.end_offsets()

    def close(self) -> None:
        """There is nothing to leave."""

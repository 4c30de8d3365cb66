"""Facts from Kafka: every partition is read on from where the ledger itself says it stopped."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError, RetriableError
from kafka.net.compat import KafkaNetClient
from kafka.record.util import crc32c_c
from kafka.structs import OffsetAndMetadata

from consumers.source import Partition, Polled, Record, SourceError
from schemas.topics import INBOUND

BOOTSTRAP_TRY_MS = 2_000
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
ASK_TIMEOUT_MS = 2_000
ASK_AFTER_S = 5.0
MISSING_AFTER_S = 1.0

Position = Callable[[str, int], int | None]
"""The offset of the last handled record of a topic's partition; None if nothing of it has been handled yet."""
OnRevoked = Callable[[frozenset[Partition]], None]


class SourceUnavailable(SourceError):
    """No Kafka broker answers at this address."""


class PositionOutOfRange(SourceError):
    """The ledger's position in a partition is not in Kafka's log: records were deleted, or the topic was made anew."""

    def __init__(self, topic: str, partition: int, next_offset: int, held: tuple[int, int] | None) -> None:
        has = f"Kafka holds offsets {held[0]} to {held[1]} (exclusive)" if held else "Kafka no longer holds it"
        super().__init__(
            f"{topic} partition {partition} stands still: the ledger has handled it up to offset {next_offset - 1}"
            f" and needs {next_offset} next, but {has}. Records were deleted before they were read, or the topic was"
            " deleted and created again. Find out which, then restore the records or set the position by hand;"
            " the other partitions go on."
        )


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs on Kafka's own network thread, so it only seeks and takes notes; `KafkaSource.poll` acts on the notes."""

    def __init__(self, source: "KafkaSource") -> None:
        self._source = source

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._source._note_revoked(frozenset((p.topic, p.partition) for p in revoked))

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._source._start_at_positions(sorted(assigned))


class KafkaSource:
    """A member of a Kafka consumer group that trusts the ledger's positions and never Kafka's."""

    def __init__(
        self,
        bootstrap: str,
        group: str,
        topics: Iterable[str],
        position: Position,
        on_revoked: OnRevoked | None = None,
        *,
        wait_s: float = 60.0,
        stop: threading.Event | None = None,
        session_timeout_ms: int = 10_000,
        heartbeat_interval_ms: int = 3_000,
        max_poll_interval_ms: int = 300_000,
        metadata_max_age_ms: int = 10_000,
        settings: Mapping[str, Any] | None = None,
        topic_ids: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Reach the cluster, trying for `wait_s` or until `stop` is set; raises SourceUnavailable.

        `topic_ids`, by cluster, outlive this source: one that follows it in the same process knows a topic made anew.

        `settings` adds security and other options of kafka-python; what keeps the books right cannot be overridden.
        """
        if crc32c_c is None:
            raise SourceError("the crc32c package is missing: without it checksums take 6.5 times as long; install it")
        self.on_revoked = on_revoked
        self.problems: dict[Partition, str] = {}
        self.trouble = ""
        self._bootstrap = bootstrap
        self._heard_at = time.monotonic()
        self._position = position
        self._topics = sorted(topics)
        self._revoked: set[Partition] = set()
        self._rebalanced = False
        self._look_again_at: float | None = None
        self._fatal: SourceError | None = None
        options = {
            **(settings or {}),
            "bootstrap_servers": bootstrap.split(","),
            "group_id": group,
            "session_timeout_ms": session_timeout_ms,
            "heartbeat_interval_ms": heartbeat_interval_ms,
            "max_poll_interval_ms": max_poll_interval_ms,
            "metadata_max_age_ms": metadata_max_age_ms,
        }
        self._consumer, network = _connect(options, wait_s, stop or threading.Event())
        self._cluster = network.cluster
        self.cluster_id: str = self._cluster.cluster_id
        self._topic_ids = ({} if topic_ids is None else topic_ids).setdefault(self.cluster_id, {})
        self._consumer.subscribe(topics=self._topics, listener=_Listener(self))

    def poll(self, max_records: int, timeout_s: float) -> list[Polled]:
        """Return at most `max_records` next records, or nothing after `timeout_s`; raises SourceError."""
        deadline = time.monotonic() + timeout_s
        found: dict[TopicPartition, list[Any]] = {}
        self._raise_if_fatal()
        try:
            found = self._consumer.poll(timeout_ms=round(timeout_s * 1000), max_records=max_records)
        except OffsetOutOfRangeError as error:
            self._stop_partitions(error.args[0])
        except LogTruncationError as error:
            self._stop_partitions(error.divergent_offsets)
        except RetriableError:
            # The broker is away or moving: kafka-python goes on trying, and we must not ask it in a tight loop.
            time.sleep(max(0.0, min(deadline - time.monotonic(), LONGEST_WAIT_S)))
        except KafkaError as error:
            self._fatal = self._fatal or SourceError(f"Kafka refuses to go on: {error!r}")
            self._fatal.__cause__ = self._fatal.__cause__ or error
        self._tell_of_rebalance()
        self._look_for_missing_topics()
        self._ask_if_silent(bool(found))
        self._raise_if_fatal()
        for topic in self._stop_topics_made_anew():
            found = {where: records for where, records in found.items() if where.topic != topic}
        return [Polled(p.topic, p.partition, [_record(r) for r in records]) for p, records in found.items()]

    def seek(self, topic: str, partition: int, offset: int | None) -> None:
        """Deliver this partition from `offset` on (None: from its beginning); nothing happens if it is not ours."""
        where = TopicPartition(topic, partition)
        if where not in self._consumer.assignment():
            return
        self.problems.pop((topic, partition), None)
        self._topic_ids[topic] = self._cluster.topic_id(topic)
        self._seek(where, offset)
        self._consumer.resume(where)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell Kafka the next offset of each partition, for its lag dashboards only: a failure changes nothing."""
        ours = self.assigned()
        hints = {TopicPartition(*p): OffsetAndMetadata(next_, "", -1) for p, next_ in offsets.items() if p in ours}
        if hints:
            self._consumer.commit_async(hints)

    def assigned(self) -> frozenset[Partition]:
        """Return the partitions that are this worker's now."""
        return frozenset((p.topic, p.partition) for p in self._consumer.assignment())

    def settled(self) -> bool:
        """Whether the group has given this worker partitions."""
        return bool(self.assigned())

    def next_offsets(self) -> dict[Partition, int]:
        """Return where each partition of ours is read on; one that Kafka does not tell of in time is left out."""
        found: dict[Partition, int] = {}
        for where in self._consumer.assignment():
            with contextlib.suppress(KafkaError):
                offset = self._consumer.position(where, timeout_ms=ASK_TIMEOUT_MS)
                if offset is not None:
                    found[where.topic, where.partition] = offset
        return found

    def end_offsets(self) -> dict[Partition, int]:
        """Return the offset after the last readable record of each partition of ours; empty if unreachable."""
        try:
            ends = self._consumer.end_offsets(list(self._consumer.assignment()), timeout_ms=ASK_TIMEOUT_MS)
        except KafkaError:
            return {}
        return {(p.topic, p.partition): offset for p, offset in ends.items()}

    def close(self) -> None:
        """Leave the group, so that other workers take over at once."""
        # Nothing is owed to Kafka: if it cannot be told, the group notices by the session timeout.
        with contextlib.suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=ASK_TIMEOUT_MS)
        self._tell_of_rebalance()

    # The next three run on Kafka's network thread, while `poll` waits: none may block on Kafka.

    def _note_revoked(self, partitions: frozenset[Partition]) -> None:
        self._revoked |= partitions
        self._rebalanced = True

    def _start_at_positions(self, partitions: list[TopicPartition]) -> None:
        self._rebalanced = True
        try:
            for where in partitions:
                handled = self._position(where.topic, where.partition)
                self._seek(where, None if handled is None else handled + 1)
        except Exception as error:
            # kafka-python would deliver from anywhere at the next poll: only closing is safe now.
            self._fatal = SourceError(f"the positions of newly assigned partitions could not be read: {error!r}")
            self._fatal.__cause__ = error
            raise

    def _seek(self, where: TopicPartition, offset: int | None) -> None:
        if offset is None:
            self._consumer.seek_to_beginning(where)
        else:
            self._consumer.seek(where, offset)

    def _tell_of_rebalance(self) -> None:
        if not self._rebalanced:
            return
        self._rebalanced = False
        revoked, self._revoked = frozenset(self._revoked), set()
        ours = self.assigned()
        # A partition that came back after a rebalance starts anew, and shows its problem again if it still has one.
        self.problems = {p: why for p, why in self.problems.items() if p in ours and p not in revoked}
        # Right after joining, Kafka's metadata may not have come yet: what is missing then may be there a moment later.
        self._look_again_at = time.monotonic() + MISSING_AFTER_S
        if revoked and self.on_revoked is not None:
            self.on_revoked(revoked)

    def _ask_if_silent(self, heard: bool) -> None:
        # A poll is as empty when the broker is gone as when there is nothing new: only a question tells them apart.
        if not heard and time.monotonic() < self._heard_at + ASK_AFTER_S:
            return
        known = (TopicPartition(topic, 0) for topic in self._topics if self._cluster.partitions_for_topic(topic))
        there = [*self._consumer.assignment(), *known]
        try:
            if not heard and there:
                self._consumer.end_offsets(there[:1], timeout_ms=ASK_TIMEOUT_MS)
            self.trouble = ""
        except KafkaError as error:
            self.trouble = f"the Kafka broker at {self._bootstrap} does not answer ({type(error).__name__})"
        self._heard_at = time.monotonic()

    def _look_for_missing_topics(self) -> None:
        if self._look_again_at is None or time.monotonic() < self._look_again_at:
            return
        missing = [topic for topic in self._topics if not self._cluster.partitions_for_topic(topic)]
        for topic in missing:
            why = f"the topic {topic} does not exist on this cluster, so nothing is read from it; create the topics"
            self.problems[topic, -1] = why
        self._look_again_at = time.monotonic() + MISSING_AFTER_S if missing else None

    def _stop_topics_made_anew(self) -> set[str]:
        anew = set()
        for topic in self._topics:
            now = self._cluster.topic_id(topic)
            if now is None or now == self._topic_ids.setdefault(topic, now):
                continue
            anew.add(topic)
            for where in self._consumer.assignment():
                if where.topic == topic and (topic, where.partition) not in self.problems:
                    self._consumer.pause(where)
                    self.problems[topic, where.partition] = (
                        f"{topic} partition {where.partition} stands still: the topic was deleted and created again"
                        " while it was read, so the ledger's position in it means nothing any more."
                        " Set the position by hand; the other topics go on."
                    )
        return anew

    def _stop_partitions(self, partitions: Mapping[TopicPartition, Any]) -> None:
        for where in partitions:
            if where not in self._consumer.assignment():
                continue
            self._consumer.pause(where)
            next_offset = self._consumer.position(where, timeout_ms=ASK_TIMEOUT_MS)
            problem = PositionOutOfRange(where.topic, where.partition, next_offset, self._held(where))
            self.problems[where.topic, where.partition] = str(problem)

    def _held(self, where: TopicPartition) -> tuple[int, int] | None:
        try:
            first = self._consumer.beginning_offsets([where], timeout_ms=ASK_TIMEOUT_MS)[where]
            return first, self._consumer.end_offsets([where], timeout_ms=ASK_TIMEOUT_MS)[where]
        except KafkaError:
            return None

    def _raise_if_fatal(self) -> None:
        if self._fatal is None and self._cluster.cluster_id != self.cluster_id:
            self._fatal = SourceError(
                f"the Kafka cluster at this address is now {self._cluster.cluster_id}, not {self.cluster_id}:"
                " its offsets are not comparable; start again against the new cluster if that is meant"
            )
        if self._fatal is not None:
            raise self._fatal


def last_offsets(bootstrap: str, wait_s: float = 10.0) -> tuple[dict[Partition, int], str]:
    """The offset after the last readable record of every partition facts arrive on, and which cluster they are of.

    Joins no group and moves nothing. Raises SourceUnavailable, or SourceError if the broker does not answer.
    """
    consumer, network = _connect({"bootstrap_servers": bootstrap.split(","), "group_id": None}, wait_s, threading.Event())
    try:
        parts = [TopicPartition(t, p) for t in sorted(INBOUND) for p in sorted(consumer.partitions_for_topic(t) or ())]
        ends = consumer.end_offsets(parts, timeout_ms=round(wait_s * 1000))
        return {(p.topic, p.partition): offset for p, offset in ends.items()}, str(network.cluster.cluster_id)
    except KafkaError as error:
        raise SourceError(f"Kafka at {bootstrap} did not say where its partitions end: {error!r}") from error
    finally:
        with contextlib.suppress(KafkaError):
            consumer.close(autocommit=False, timeout_ms=ASK_TIMEOUT_MS)


def _record(found: Any) -> Record:
    return Record(found.offset, found.key, found.value, tuple(found.headers), found.timestamp)


def _connect(options: dict[str, Any], wait_s: float, stop: threading.Event) -> tuple[KafkaConsumer, KafkaNetClient]:
    deadline, wait = time.monotonic() + wait_s, FIRST_WAIT_S
    while True:
        networks: list[KafkaNetClient] = []

        def network(networks: list[KafkaNetClient] = networks, **settings: Any) -> KafkaNetClient:
            networks.append(KafkaNetClient(**settings))
            return networks[-1]

        left_ms = max(1, round((deadline - time.monotonic()) * 1000))
        try:
            consumer = KafkaConsumer(
                **options,
                kafka_client=network,
                bootstrap_timeout_ms=min(BOOTSTRAP_TRY_MS, left_ms),
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                # Two topics with as many partitions give one worker the same numbers of both: a client's time and
                # contracts meet in one cache.
                partition_assignment_strategy=[RangePartitionAssignor],
                # A mistyped topic must be reported, not created with one partition.
                allow_auto_create_topics=False,
                # Bounds of memory, not of a message: one that is larger is still delivered, on its own.
                fetch_max_bytes=16 * 1024 * 1024,
                max_partition_fetch_bytes=1024 * 1024,
                reconnect_backoff_max_ms=2_000,
            )
        except KafkaError as error:
            # A consumer that fails at birth leaves its network thread running: end it, or every try adds one.
            for left in networks:
                left.close()
            if not isinstance(error, RetriableError):
                raise SourceError(f"Kafka refuses this consumer: {error!r}") from error
            if stop.wait(min(wait, max(0.0, deadline - time.monotonic()))) or time.monotonic() >= deadline:
                servers = ",".join(options["bootstrap_servers"])
                message = f"no Kafka broker answers at {servers}: start it, or correct the address"
                raise SourceUnavailable(message) from error
            wait = min(wait * 2, LONGEST_WAIT_S)
        else:
            return consumer, networks[-1]

"""A publisher's line to Kafka: transactions that hold messages and the cursor together, under one identity at a time."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import (
    InvalidProducerEpochError,
    KafkaError,
    KafkaTimeoutError,
    ProducerFencedError,
    UnknownTopicOrPartitionError,
)
from kafka.net.compat import KafkaNetClient
from kafka.protocol.consumer import OffsetSpec

from producers.marks import Topics
from producers.outgoing import Message
from schemas.codec import decode, encode

DEFAULT_TRANSACTION_TIMEOUT_MS: Final = 60_000
"""After as long Kafka itself ends a transaction whose publisher has vanished, and readers go on."""

CURSOR_PARTITION: Final = 0
ANSWER_WITHIN_MS: Final = 15_000
# Kafka looks for transactions that are too old every ten seconds.
_SWEPT_EVERY_S: Final = 20.0
_FENCED: Final = (ProducerFencedError, InvalidProducerEpochError)


class Fenced(Exception):
    """Kafka takes nothing more from this producer: another one has its identity now, or its transaction took too long."""

    def __init__(self, *, overslept: bool) -> None:
        super().__init__("fenced")
        self.overslept = overslept


class TopicMadeAnew(Exception):
    """A topic was deleted, or deleted and created again, since this channel was opened; nothing was published to it."""


class Channel:
    """An open transactional producer; from its making on, an older one of the same identity is fenced."""

    def __init__(
        self,
        bootstrap: str,
        identity: str,
        topic: str,
        cursors: str,
        *,
        transaction_timeout_ms: int = DEFAULT_TRANSACTION_TIMEOUT_MS,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Connects; ends whatever an older producer of this identity left open. Raises KafkaError."""
        self.topic, self.cursors = topic, cursors
        self._identity = identity
        self._timeout_s = transaction_timeout_ms / 1000
        self._options = {
            **(settings or {}),
            "bootstrap_servers": bootstrap.split(","),
            "bootstrap_timeout_ms": ANSWER_WITHIN_MS,
            "reconnect_backoff_max_ms": 2_000,
        }
        self._admin: Any = _made(KafkaAdminClient, **self._options, request_timeout_ms=ANSWER_WITHIN_MS)
        try:
            self.topics = self._topics_now()
            self._producer: Any = _made(
                KafkaProducer,
                **self._options,
                transactional_id=identity,
                transaction_timeout_ms=transaction_timeout_ms,
                acks="all",
                # One message may be as large as a topic takes; a batch of small ones is one request.
                max_request_size=2 * 1024 * 1024,
                batch_size=128 * 1024,
                linger_ms=5,
                # A mistyped topic must be reported, not created with one partition.
                allow_auto_create_topics=False,
                request_timeout_ms=ANSWER_WITHIN_MS,
                delivery_timeout_ms=2 * ANSWER_WITHIN_MS,
                max_block_ms=ANSWER_WITHIN_MS,
                # A transaction begins while Kafka is still closing the last one: asked again soon, it costs 20 ms, not 100.
                retry_backoff_ms=20,
            )
        except BaseException:
            _close(self._admin)
            raise
        try:
            self._producer.init_transactions()
        except BaseException:
            self.close()
            raise

    def cursor(self, stopping: Callable[[], bool]) -> tuple[int | None, list[str]]:
        """The position in our own newest committed cursor, and the names of all other publishers; raises KafkaError.

        It reads to the log's very end and not only to its last stable offset: a transaction that another publisher has
        open would hide our own cursor behind it, and what it stands for would be published twice.
        """
        where = TopicPartition(self.cursors, CURSOR_PARTITION)
        end = self._admin.list_partition_offsets({where: OffsetSpec.LATEST})[where].offset
        found: dict[bytes, int | None] = {}
        consumer = _made(
            KafkaConsumer,
            **self._options,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_poll_records=5_000,
        )
        try:
            consumer.assign([where])
            consumer.seek_to_beginning(where)
            deadline = time.monotonic() + self._timeout_s + _SWEPT_EVERY_S + ANSWER_WITHIN_MS / 1000
            while consumer.position(where, timeout_ms=ANSWER_WITHIN_MS) < end:
                if stopping() or time.monotonic() > deadline:
                    raise KafkaTimeoutError(f"{self.cursors} could not be read to its end: a transaction in it is still open")
                for record in consumer.poll(timeout_ms=250).get(where, ()):
                    found[record.key] = None if record.value is None else decode(record.value).fields["position"]
        finally:
            _close(consumer)
        ours = self._identity.encode()
        others = [key.decode(errors="replace") for key, position in found.items() if key != ours and position is not None]
        return found.get(ours), sorted(others)

    def publish(self, messages: Sequence[Message], position: int, at: datetime) -> None:
        """Sends messages and the cursor as one transaction: readers of committed records see all of it or nothing.

        Raises Fenced, TopicMadeAnew, or KafkaError: then it is not known whether the transaction took place, and this
        channel must be closed.
        """
        began = time.monotonic()
        cursor = encode("PublisherCursor", {"publisher": self._identity, "position": position, "published_at": at})
        try:
            self._producer.begin_transaction()
            futures = [self._send(self.topic, m.key, m.value, list(m.headers), None) for m in messages]
            futures.append(self._send(self.cursors, self._identity.encode(), cursor, [], CURSOR_PARTITION))
            self._producer.flush(timeout=2 * ANSWER_WITHIN_MS / 1000)
            for future in futures:
                future.get(timeout=ANSWER_WITHIN_MS / 1000)
            if self._topics_now() != self.topics:
                self._end(self._producer._transaction_manager.begin_abort)
                raise TopicMadeAnew
            self._commit()
        except KafkaError as error:
            if isinstance(error, _FENCED) or isinstance(self._producer._transaction_manager.last_error, _FENCED):
                raise Fenced(overslept=time.monotonic() - began > self._timeout_s) from error
            raise

    def close(self) -> None:
        """Lets go of Kafka; a transaction that is open is ended by the next channel of this identity, or by its time-out."""
        _close(self._producer)
        _close(self._admin)

    def _send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], partition: int | None
    ) -> Any:
        try:
            return self._producer.send(topic, value=value, key=key, headers=headers, partition=partition)
        except ValueError as error:
            # So kafka-python says that the topic, or the partition, has gone meanwhile.
            raise UnknownTopicOrPartitionError(f"{topic}: {error}") from error

    def _commit(self) -> None:
        self._end(self._producer._transaction_manager.begin_commit)

    def _end(self, how: Callable[[], Any]) -> None:
        # The producer's own commit waits for ever while the broker is away; this is the same with an end.
        result = how()
        self._producer._sender.wakeup()
        if not result.wait(timeout_ms=2 * ANSWER_WITHIN_MS):
            raise KafkaTimeoutError("Kafka did not answer the end of a transaction")

    def _topics_now(self) -> Topics:
        found = {topic["name"]: topic["topic_id"] for topic in self._admin.describe_topics([self.topic, self.cursors])}
        return Topics(*(None if found.get(name) is None else str(found[name]) for name in (self.topic, self.cursors)))


def _made(client: Callable[..., Any], **options: Any) -> Any:
    """A client of kafka-python; one that fails at birth takes its network thread with it."""
    networks: list[KafkaNetClient] = []

    def network(**settings: Any) -> KafkaNetClient:
        networks.append(KafkaNetClient(**settings))
        return networks[-1]

    try:
        return client(**options, kafka_client=network)
    except BaseException:
        for left in networks:
            left.close()
        raise


def _close(client: Any) -> None:
    # What is not acknowledged within a second is not waited for: whether it was committed is asked at the next start.
    with contextlib.suppress(KafkaError):
        if isinstance(client, KafkaProducer):
            try:
                client.close(timeout=1.0)
            except KafkaError:
                client._sender.force_close()
        elif isinstance(client, KafkaConsumer):
            client.close(autocommit=False, timeout_ms=1_000)
        else:
            client.close()

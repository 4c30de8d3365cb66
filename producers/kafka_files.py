"""Facts sent to Kafka in the wire format, each one acknowledged or named as not taken."""

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.codec import encode, key_of
from schemas.files import Fact

# Bounds of what waits for its acknowledgement: kafka-python itself would take everything into memory.
_MOST_FACTS: Final = 10_000
_MOST_BYTES: Final = 32 * 1024 * 1024


class ProduceError(Exception):
    """A fact was not taken by Kafka; the text names it, and producing the same facts again is harmless."""


def produce(
    facts: Iterable[Fact | tuple[str, str, dict[str, Any]]],
    bootstrap: str,
    progress: Callable[[int], None] = lambda _total: None,
    *,
    answer_within_s: float = 10.0,
    delivery_timeout_s: float = 120.0,
) -> dict[str, int]:
    """Send facts of (topic, record, fields) and return how many of each record Kafka has acknowledged.

    `progress` is told the total acknowledged so far. Raises ProduceError at the first fact that fails.
    """
    producer = _connect(bootstrap, round(answer_within_s * 1000), round(delivery_timeout_s * 1000))
    window = _Window(progress, delivery_timeout_s)
    try:
        for number, (topic, record, fields, *where) in enumerate(facts, 1):
            name = f"{where[0] if where else f'fact {number}'} ({record} on {topic})"
            try:
                value = encode(record, fields)
                key = key_of(record, fields)
                future = producer.send(topic, value=value, key=key)
            except ValueError as error:
                window.settle(0, 0)
                raise ProduceError(f"{name}: {error}; {window.so_far()}") from error
            except KafkaError as error:
                reason = f"{error!r}; is the topic there? (daybook topics)"
                raise ProduceError(f"{name} was not taken by Kafka: {reason}") from error
            window.add(name, record, future, len(key) + len(value))
        window.settle(0, 0)
    finally:
        # After a failure something may still wait for its acknowledgement: do not wait with it. kafka-python would
        # raise for that, over the error that says which fact it was.
        with contextlib.suppress(KafkaError):
            producer.close(timeout=1.0)
    return dict(window.counts)


class _Window:
    """What was sent and not yet acknowledged, oldest first."""

    def __init__(self, progress: Callable[[int], None], delivery_timeout_s: float) -> None:
        self.counts: Counter[str] = Counter()
        self.delivered = 0
        self._progress = progress
        self._timeout_s = delivery_timeout_s
        self._sent: deque[tuple[str, str, Any, int]] = deque()
        self._bytes = 0

    def add(self, name: str, record: str, future: Any, size: int) -> None:
        self._sent.append((name, record, future, size))
        self._bytes += size
        if len(self._sent) >= _MOST_FACTS or self._bytes >= _MOST_BYTES:
            self.settle(_MOST_FACTS // 2, _MOST_BYTES // 2)

    def so_far(self) -> str:
        return f"{self.delivered} facts before it are in Kafka, and producing them again is harmless"

    def settle(self, most_facts: int, most_bytes: int) -> None:
        """Wait for the oldest facts until no more than this are left."""
        while self._sent and (len(self._sent) > most_facts or self._bytes > most_bytes):
            name, record, future, size = self._sent.popleft()
            try:
                future.get(timeout=self._timeout_s)
            except KafkaError as error:
                raise ProduceError(f"{name} was not taken by Kafka: {error!r}; {self.so_far()}") from error
            self._bytes -= size
            self.counts[record] += 1
            self.delivered += 1
        self._progress(self.delivered)


def _connect(bootstrap: str, answer_within_ms: int, delivery_timeout_ms: int) -> KafkaProducer:
    try:
        return KafkaProducer(
            bootstrap_servers=bootstrap.split(","),
            bootstrap_timeout_ms=answer_within_ms,
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
            batch_size=128 * 1024,
            compression_type="zstd",
            delivery_timeout_ms=delivery_timeout_ms,
            request_timeout_ms=min(30_000, delivery_timeout_ms // 2),
            max_block_ms=answer_within_ms,
            # The largest message of the wire contract is 1 MiB before the envelope that Kafka puts around it.
            max_request_size=1024 * 1024 + 64 * 1024,
            # A missing topic must be reported, not created with one partition.
            allow_auto_create_topics=False,
        )
    except KafkaError as error:
        raise ProduceError(f"no Kafka broker answers at {bootstrap}: start it, or correct the address") from error

"""A fast producer of raw messages, and what lies in Kafka read back to its end."""

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as Fetched
from confluent_kafka.admin import AdminClient

from schemas.topics import INBOUND
from tests.oracle.generator import Message
from tests.oracle.wire import Produced

LARGEST = 4 * 1024 * 1024
ANSWER_WITHIN_S = 60.0


def produce(bootstrap: str, messages: Sequence[Message]) -> None:
    """Produces messages as they are, in this order, to the partitions that Kafka's Java client would choose."""
    failed: list[str] = []

    def settled(error: KafkaError | None, _message: Fetched) -> None:
        if error is not None:
            failed.append(str(error))

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "message.max.bytes": LARGEST,
            "linger.ms": 20,
        }
    )
    for topic, key, value in messages:
        while True:
            try:
                producer.produce(topic, key=key, value=value, on_delivery=settled)
                break
            except BufferError:
                producer.poll(0.5)
        producer.poll(0)
    left = producer.flush(ANSWER_WITHIN_S)
    assert not left, f"{left} messages were not taken"
    assert not failed, f"{len(failed)} messages were refused: {failed[0]}"


def members(bootstrap: str, group: str) -> list[set[tuple[str, int]]]:
    """The partitions of each member of a consumer group that has some."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    try:
        found = admin.describe_consumer_groups([group], request_timeout=2)[group].result(4)
    except (KafkaException, TimeoutError):
        return []  # nobody has joined yet
    shares = [{(p.topic, p.partition) for p in member.assignment.topic_partitions} for member in found.members]
    return [share for share in shares if share]


def ends(bootstrap: str) -> dict[tuple[str, int], int]:
    """The end offset of every inbound partition."""
    consumer = _consumer(bootstrap)
    try:
        return {(p.topic, p.partition): high for p, high in _partitions(consumer)}
    finally:
        consumer.close()


def read_all(bootstrap: str) -> list[Produced]:
    """Every message of the inbound topics with its place, as any other consumer would read it."""
    consumer = _consumer(bootstrap)
    try:
        wanted = {(p.topic, p.partition): high for p, high in _partitions(consumer) if high}
        consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in wanted])
        found: list[Produced] = []
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while wanted:
            assert time.monotonic() < deadline, f"{len(wanted)} partitions could not be read to their end"
            some = consumer.consume(2_000, 0.1)
            for one in some:
                error = one.error()
                assert error is None, str(error)
                topic, partition, offset = one.topic(), one.partition(), one.offset()
                assert topic is not None
                assert partition is not None
                assert offset is not None
                found.append(Produced(topic, partition, offset, _bytes(one.key()), _bytes(one.value())))
                if offset + 1 >= wanted.get((topic, partition), 0):
                    wanted.pop((topic, partition), None)
        return found
    finally:
        consumer.close()


def _consumer(bootstrap: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "the-oracle",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": LARGEST,
        }
    )


def _partitions(consumer: Consumer) -> list[tuple[TopicPartition, int]]:
    listed = consumer.list_topics(timeout=ANSWER_WITHIN_S).topics
    parts = [TopicPartition(topic, p) for topic in sorted(INBOUND) if topic in listed for p in listed[topic].partitions]
    return [(p, consumer.get_watermark_offsets(p, timeout=ANSWER_WITHIN_S)[1]) for p in parts]


def _bytes(found: str | bytes | None) -> bytes | None:
    return found.encode() if isinstance(found, str) else found

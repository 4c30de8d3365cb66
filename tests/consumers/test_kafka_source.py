"""Facts arrive from a real broker in order and without loss, whatever happens to the broker or to other workers."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from kafka import KafkaAdminClient, TopicPartition

from consumers.ingest import Ingest
from consumers.kafka_source import KafkaSource, SourceUnavailable
from consumers.source import Partition, SourceError
from ledger.book import Book
from producers.kafka_files import ProduceError, produce
from producers.topics_admin import Topics, TopicsError, create_topics
from schemas.codec import decode
from schemas.files import Fact
from schemas.topics import ALL_TOPICS, INBOUND

if TYPE_CHECKING:
    from tests.broker import Broker

pytest_plugins = ["tests.broker"]
pytestmark = pytest.mark.kafka


class Ledger:
    """The positions a ledger would keep, refusing what it has already handled as its fence does."""

    def __init__(self, positions: dict[Partition, int] | None = None) -> None:
        self.positions = dict(positions or {})
        self.values: list[bytes] = []
        self.revoked: list[frozenset[Partition]] = []

    def position(self, topic: str, partition: int) -> int | None:
        return self.positions.get((topic, partition))

    def take(self, source: KafkaSource, timeout_s: float = 0.2, max_records: int = 500) -> int:
        count = 0
        for polled in source.poll(max_records, timeout_s):
            assert polled.records[0].offset > self.positions.get((polled.topic, polled.partition), -1)
            self.values += [r.value or b"" for r in polled.records]
            self.positions[polled.topic, polled.partition] = polled.records[-1].offset
            count += len(polled.records)
        return count


@contextmanager
def reading(
    broker: "Broker", topics: str | list[str], ledger: Ledger, group: str | None = None, **more: Any
) -> Iterator[KafkaSource]:
    source = KafkaSource(
        broker.bootstrap,
        group or f"g-{uuid.uuid4().hex}",
        [topics] if isinstance(topics, str) else topics,
        ledger.position,
        ledger.revoked.append,
        session_timeout_ms=2_000,
        heartbeat_interval_ms=300,
        **{"metadata_max_age_ms": 1_000, **more},
    )
    try:
        yield source
    finally:
        source.close()


def eventually(met: Callable[[], bool], *steps: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, "did not happen in time"
        for step in steps:
            step()


def new_topic(broker: "Broker", partitions: int = 1, name: str = "", max_bytes: int = 1_048_588) -> str:
    name = name or f"t-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(name, partitions, 1, config={"max.message.bytes": str(max_bytes)})])[name].result(20)
    return name


def put(broker: "Broker", topic: str, values: list[bytes], partition: int = 0, **config: Any) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": 8_000_000, **config})
    failed: list[object] = []
    for value in values:
        producer.produce(topic, value, b"k", partition, on_delivery=lambda e, _: failed.append(e) if e else None)
    assert producer.flush(20) == 0
    assert not failed


def numbered(first: int, count: int) -> list[bytes]:
    return [b"%06d" % n for n in range(first, first + count)]


def test_new_partition_starts_at_its_beginning_with_all_a_message_carries(broker: "Broker") -> None:
    topic, ledger = new_topic(broker), Ledger()
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    producer.produce(topic, b"v", b"k", 0, timestamp=1_700_000_000_123, headers=[("h", b"1"), ("none", None)])
    producer.produce(topic, None, None, 0)
    producer.flush(20)
    with reading(broker, topic, ledger) as source:
        found: list[Any] = []
        eventually(lambda: len(found) == 2, lambda: found.extend(r for p in source.poll(9, 0.2) for r in p.records))
        assert source.assigned() == {(topic, 0)}
        assert source.end_offsets() == {(topic, 0): 2}
        source.commit({(topic, 0): 2, (topic, 7): 1})
    first, tombstone = found
    assert (first.offset, first.key, first.value, first.timestamp_ms) == (0, b"k", b"v", 1_700_000_000_123)
    assert first.headers == (("h", b"1"), ("none", None))
    assert (tombstone.offset, tombstone.key, tombstone.value) == (1, None, None)
    assert len(source.cluster_id) == 22


def test_reading_resumes_after_the_ledgers_position_and_ignores_kafkas(broker: "Broker") -> None:
    topic, ledger = new_topic(broker), Ledger()
    put(broker, topic, numbered(0, 10))
    with reading(broker, topic, ledger, "same-group-" + topic) as source:
        eventually(lambda: len(ledger.values) == 10, lambda: ledger.take(source))
        source.commit({(topic, 0): 10})
        source.poll(1, 0.2)
    again = Ledger({(topic, 0): 6})
    with reading(broker, topic, again, "same-group-" + topic) as source:
        eventually(lambda: len(again.values) == 3, lambda: again.take(source))
        assert again.values == numbered(7, 3)
        again.positions.clear()
        source.seek(topic, 0, 9)
        source.seek(topic, 5, 0)  # not ours: nothing happens
        eventually(lambda: len(again.values) == 4, lambda: again.take(source))
        again.positions.clear()
        source.seek(topic, 0, None)
        eventually(lambda: len(again.values) == 14, lambda: again.take(source))
    assert again.values[3:] == numbered(9, 1) + numbered(0, 10)


def test_two_workers_share_partitions_and_each_is_told_what_it_lost(broker: "Broker") -> None:
    topic, group = new_topic(broker, 4), "share-" + uuid.uuid4().hex
    shared: dict[Partition, int] = {}
    one, two = Ledger(), Ledger()
    one.positions = two.positions = shared
    every = {(topic, n) for n in range(4)}
    threads_seen = set()

    def told(lost: frozenset[Partition]) -> None:
        one.revoked.append(lost)
        threads_seen.add(threading.get_ident())

    with reading(broker, topic, one, group) as first:
        first.on_revoked = told
        eventually(lambda: first.assigned() == every, lambda: one.take(first))
        with reading(broker, topic, two, group) as second:
            for n in range(4):
                put(broker, topic, numbered(n * 10, 10), n)
            eventually(
                lambda: len(first.assigned()) == len(second.assigned()) == 2,
                lambda: one.take(first, 0.05),
                lambda: two.take(second, 0.05),
            )
            assert first.assigned() | second.assigned() == every
            assert one.revoked == [every]
            for n in range(4):
                put(broker, topic, numbered(100 + n * 10, 10), n)
            eventually(
                lambda: sum(shared.values()) == 4 * 19,
                lambda: one.take(first, 0.05),
                lambda: two.take(second, 0.05),
            )
            assert two.values
        eventually(lambda: first.assigned() == every, lambda: one.take(first))
        assert one.revoked[1:] == [one.revoked[1]]
        assert len(one.revoked[1]) == 2
    assert threads_seen == {threading.get_ident()}
    assert sorted(one.values + two.values) == sorted(numbered(0, 40) + numbered(100, 40))


def test_records_of_an_aborted_transaction_are_never_seen(broker: "Broker") -> None:
    topic, ledger = new_topic(broker), Ledger()
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(20)
    for kept, first in ((True, 0), (False, 10), (True, 20)):
        producer.begin_transaction()
        for value in numbered(first, 10):
            producer.produce(topic, value, partition=0)
        producer.flush(20)
        if kept:
            producer.commit_transaction(20)
        else:
            producer.abort_transaction(20)
    with reading(broker, topic, ledger) as source:
        eventually(lambda: len(ledger.values) >= 20, lambda: ledger.take(source, max_records=7))
        assert ledger.take(source, 0.5) == 0
    assert ledger.values == numbered(0, 10) + numbered(20, 10)


def test_worker_once_ends_behind_an_upstream_transactions_marks(broker: "Broker", book: Book) -> None:
    topic = new_topic(broker)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    for value in numbered(0, 3):
        producer.produce(topic, value, partition=0)
    producer.commit_transaction(20)
    with reading(broker, topic, Ledger()) as source:
        loop = Ingest(book, source)
        loop.drain(after_batch=lambda _n: None)
        assert loop.totals.dead_letters == 3  # no record of ours: what matters is that the end is seen behind the marks
        assert source.end_offsets() == {(topic, 0): 4}


def test_message_far_above_every_limit_is_still_delivered(broker: "Broker") -> None:
    topic, ledger = new_topic(broker, max_bytes=8_000_000), Ledger()
    put(broker, topic, [b"a", b"x" * 5_000_000, b"b"])
    with reading(broker, topic, ledger) as source:
        eventually(lambda: len(ledger.values) == 3, lambda: ledger.take(source))
    assert [len(v) for v in ledger.values] == [1, 5_000_000, 1]


def test_position_out_of_range_stops_only_its_partition(broker: "Broker") -> None:
    topic = new_topic(broker, 3)
    for n in range(3):
        put(broker, topic, numbered(0, 10), n)
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    admin.delete_records({TopicPartition(topic, 1): 5})
    admin.close()
    ledger = Ledger({(topic, 0): 99, (topic, 1): 1})
    with reading(broker, topic, ledger) as source:
        eventually(lambda: len(source.problems) == 2, lambda: ledger.take(source))
        eventually(lambda: len(ledger.values) == 10, lambda: ledger.take(source))
        assert "up to offset 99 and needs 100 next, but Kafka holds offsets 0 to 10" in source.problems[topic, 0]
        assert "up to offset 1 and needs 2 next, but Kafka holds offsets 5 to 10" in source.problems[topic, 1]
        put(broker, topic, numbered(10, 5), 2)
        eventually(lambda: len(ledger.values) == 15, lambda: ledger.take(source))
        assert set(ledger.values) == set(numbered(0, 15))
        began, polls = time.monotonic(), 0
        while time.monotonic() - began < 0.8:
            ledger.take(source, 0.2)
            polls += 1
        assert polls <= 6, "a partition that stands still is asked for again and again"
        # A person has decided: from here on it flows again.
        ledger.positions.pop((topic, 1))
        source.seek(topic, 1, 5)
        eventually(lambda: len(ledger.values) == 20, lambda: ledger.take(source))
        assert set(source.problems) == {(topic, 0)}


def test_missing_topic_is_a_problem_until_it_exists(broker: "Broker") -> None:
    present, absent, ledger = new_topic(broker), f"absent-{uuid.uuid4().hex}", Ledger()
    put(broker, present, [b"1"])
    with reading(broker, [present, absent], ledger) as source:
        eventually(lambda: ledger.values == [b"1"] and bool(source.problems), lambda: ledger.take(source))
        assert "does not exist" in source.problems[absent, -1]
        new_topic(broker, 2, absent)
        put(broker, absent, [b"2"])
        eventually(lambda: b"2" in ledger.values, lambda: ledger.take(source))
        assert source.problems == {}


def test_topic_made_anew_under_a_running_worker_is_reported_not_skipped(broker: "Broker") -> None:
    topic, ledger = new_topic(broker), Ledger()
    put(broker, topic, numbered(0, 10))
    with reading(broker, topic, ledger) as source:
        eventually(lambda: len(ledger.values) == 10, lambda: ledger.take(source))
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        admin.delete_topics([topic])[topic].result(20)
        eventually(lambda: (topic, -1) in source.problems, lambda: ledger.take(source))
        new_topic(broker, 1, topic)
        put(broker, topic, numbered(0, 30))  # more than before: no offset is out of range
        eventually(lambda: (topic, 0) in source.problems, lambda: ledger.take(source))
        assert "deleted and created again" in source.problems[topic, 0]
        assert ledger.take(source, 0.5) == 0
        assert len(ledger.values) == 10
        ledger.positions.clear()
        source.seek(topic, 0, None)  # a person has decided
        eventually(lambda: len(ledger.values) == 40, lambda: ledger.take(source))
        assert source.problems == {}


def test_position_that_cannot_be_read_is_fatal_and_nothing_is_delivered(broker: "Broker") -> None:
    topic = new_topic(broker)
    put(broker, topic, numbered(0, 3))
    ledger = Ledger()

    def unreadable(_topic: str, _partition: int) -> int | None:
        raise OSError("the database is away")

    ledger.position = unreadable  # type: ignore[assignment, method-assign]
    with reading(broker, topic, ledger) as source:
        with pytest.raises(SourceError, match="database is away"):
            eventually(lambda: bool(ledger.values), lambda: ledger.take(source))
        with pytest.raises(SourceError, match="database is away"):
            ledger.take(source)


def test_worker_waits_for_a_broker_that_is_not_up_yet(broker: "Broker") -> None:
    topic, ledger = new_topic(broker), Ledger()
    put(broker, topic, numbered(0, 3))
    broker.stop()
    starting = threading.Thread(target=broker.start)
    try:
        threads = threading.active_count()
        with pytest.raises(SourceUnavailable, match="no Kafka broker answers at 127"):
            KafkaSource(broker.bootstrap, "g", [topic], ledger.position, wait_s=1.0)
        stop = threading.Event()
        stop.set()
        with pytest.raises(SourceUnavailable):
            KafkaSource(broker.bootstrap, "g", [topic], ledger.position, wait_s=60.0, stop=stop)
        assert threading.active_count() == threads, "a failed try left a thread behind"
        starting.start()
        with reading(broker, topic, ledger) as source:
            eventually(lambda: len(ledger.values) == 3, lambda: ledger.take(source))
    finally:
        if starting.ident is None:
            starting.start()
        starting.join()


def test_killed_broker_costs_no_record_and_no_busy_loop(broker: "Broker") -> None:
    topic, ledger = new_topic(broker, 2), Ledger()
    for n in range(2):
        put(broker, topic, numbered(n * 1_000, 200), n)
    with reading(broker, topic, ledger) as source:
        eventually(lambda: len(ledger.values) >= 100, lambda: ledger.take(source, max_records=50))
        broker.kill()
        try:
            while ledger.take(source, 0.05):  # what was already fetched may still come
                pass
            began, cpu, loops = time.monotonic(), time.process_time(), 0
            while time.monotonic() - began < 3.0:
                assert ledger.take(source, 0.1) == 0
                loops += 1
            assert loops <= 35, "poll returns early while the broker is away"
            assert time.process_time() - cpu < 0.2 * 3.0, "a core is busy while the broker is away"
            assert source.end_offsets() == {}
            source.commit({(topic, 0): 1})
        finally:
            broker.restart()
        for n in range(2):
            put(broker, topic, numbered(n * 1_000 + 200, 100), n)
        eventually(lambda: len(ledger.values) >= 600, lambda: ledger.take(source), within_s=30.0)
    assert sorted(ledger.values) == numbered(0, 300) + numbered(1_000, 300)
    assert source.problems == {}


def reading_of(number: int) -> Fact:
    at = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    fields = {
        "event_id": str(uuid.UUID(int=number)),
        "source": "tests",
        "occurred_at": at,
        "client_id": f"c-{number % 20}",
        "meter": "backup-gb",
        "reading_id": str(number),
        "quantity": Decimal("12.5"),
        "at": at,
    }
    return Fact("daybook.usage", "UsageReported", fields, f"usage.jsonl line {number}")


def test_what_is_produced_from_files_is_what_a_worker_reads(broker: "Broker") -> None:
    made = create_topics(broker.bootstrap, 3)
    assert made.created == ALL_TOPICS
    assert create_topics(broker.bootstrap, 3) == Topics(created=(), existing=ALL_TOPICS)
    with pytest.raises(TopicsError, match=r"asked for 12 partitions, but daybook.catalogue has 3, .*Nothing was ch"):
        create_topics(broker.bootstrap)
    told: list[int] = []
    assert produce(map(reading_of, range(12_000)), broker.bootstrap, told.append) == {"UsageReported": 12_000}
    assert told == sorted(told)
    assert told[-1] == 12_000
    ledger = Ledger()
    with reading(broker, sorted(INBOUND), ledger) as source:
        eventually(lambda: len(ledger.values) == 12_000, lambda: ledger.take(source, max_records=5_000))
        assert len(source.assigned()) == 3 * len(INBOUND)
    assert {decode(value).fields["event_id"] for value in ledger.values} == {str(uuid.UUID(int=n)) for n in range(12_000)}


def test_fact_that_kafka_does_not_take_is_named(broker: "Broker") -> None:
    bad = reading_of(7)
    del bad.fields["client_id"]
    with pytest.raises(ProduceError, match=r"usage.jsonl line 7 \(UsageReported on daybook.usage\): .*client_id"):
        produce([reading_of(1), bad], broker.bootstrap)
    with pytest.raises(ProduceError, match="no Kafka broker answers at 127"):
        produce([], "127.0.0.1:1", answer_within_s=0.5)

"""Kafka's own offsets are a hint for its dashboards: they never run ahead of the book."""

import uuid
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient
from test_kafka_source import Ledger, eventually, new_topic, numbered, put, reading

if TYPE_CHECKING:
    from tests.broker import Broker

pytest_plugins = ["tests.broker"]
pytestmark = pytest.mark.kafka


def test_nothing_is_committed_that_was_not_told(broker: "Broker") -> None:
    """What Kafka's dashboards show is what the book has: a client that commits by itself says so before it is true."""
    topic, group, ledger = new_topic(broker), f"g-{uuid.uuid4().hex}", Ledger()
    put(broker, topic, numbered(0, 10))
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)

    def committed() -> list[int]:
        return [found.offset for found in admin.list_group_offsets({group: None})[group].values()]

    with reading(broker, topic, ledger, group, settings={"auto_commit_interval_ms": 50}) as source:
        eventually(lambda: len(ledger.values) == 10, lambda: ledger.take(source))
        for _ in range(5):
            ledger.take(source, 0.1)
        assert committed() == []
        source.commit({(topic, 0): 7})
        eventually(lambda: committed() == [7], lambda: ledger.take(source, 0.1))
    assert committed() == [7]
    admin.close()

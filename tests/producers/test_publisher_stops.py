"""Where it is not sure what readers have, nothing is published until a person has decided; where it is sure, it goes on."""

import threading
import time

import pytest
from confluent_kafka import Producer
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from producers.marks import problems
from producers.publisher import PublisherStopped, TopicsMissing
from tests.producers.desk import Desk, as_if_it_died, drain, step_through_trouble
from tests.producers.scenes import (
    Topics,
    delete_topics,
    issue,
    many,
    numbers_by_client,
    read_all,
)

pytest_plugins = ["tests.broker"]
pytestmark = pytest.mark.kafka


def test_an_emptied_topic_goes_on(desk: Desk) -> None:
    issue(desk.book, many(1, 20))
    first = desk.publisher()
    drain(first)
    admin = KafkaAdminClient(bootstrap_servers=desk.broker.bootstrap)
    admin.delete_records({TopicPartition(desk.topics.out, n): -1 for n in range(3)})
    admin.close()
    assert desk.read() == []
    issue(desk.book, many(21, 5))
    assert drain(first) == 5
    issue(desk.book, many(26, 5))
    assert drain(desk.publisher()) == 5
    assert sorted(n for found in numbers_by_client(desk.read()).values() for n in found) == sorted(
        document.number for document in many(21, 10)
    )


@pytest.mark.parametrize(("which", "running"), [("out", True), ("out", False), ("cursors", False)])
def test_a_topic_made_anew_stops_the_publisher(desk: Desk, which: str, running: bool) -> None:
    issue(desk.book, many(1, 20))
    publisher = desk.publisher()
    drain(publisher)
    if not running:
        publisher.close()
    name = getattr(desk.topics, which)
    delete_topics(desk.broker.bootstrap, name)
    admin = KafkaAdminClient(bootstrap_servers=desk.broker.bootstrap)
    while admin.describe_topics([name])[0]["topic_id"] is not None:
        time.sleep(0.05)
    admin.create_topics({name: {"num_partitions": 3, "replication_factor": 1}})
    admin.close()
    issue(desk.book, many(21, 5))
    with pytest.raises(PublisherStopped, match=f"{name} was deleted and created again.*docs/operations.md"):
        step_through_trouble(publisher)
    assert name in problems(desk.book.database)["invoices"]
    assert read_all(desk.broker.bootstrap, name) == []
    # A person has decided: all of it again.
    publisher.resume_at(0)
    assert drain(publisher) == 25
    assert problems(desk.book.database) == {}
    if which == "out":
        desk.check()


def test_a_deleted_topic_stops_the_publisher_and_one_that_never_was_is_waited_for(desk: Desk) -> None:
    issue(desk.book, many(1, 5))
    there, desk.topics = desk.topics, Topics("not-there-yet", desk.topics.cursors)
    with pytest.raises(TopicsMissing, match="not-there-yet does not exist on this cluster: run `daybook topics`"):
        desk.publisher().step()
    desk.topics = there
    drain(desk.publisher())
    delete_topics(desk.broker.bootstrap, there.out)
    with pytest.raises(PublisherStopped, match=f"{there.out} was deleted"):
        step_through_trouble(desk.publisher())


def test_a_lost_cursor_stops_the_publisher_until_a_person_decides(desk: Desk) -> None:
    issue(desk.book, many(1, 20), facts_between=0)
    drain(desk.publisher())
    (cursor, *_) = read_all(desk.broker.bootstrap, desk.topics.cursors)
    producer = Producer({"bootstrap.servers": desk.broker.bootstrap})
    producer.produce(desk.topics.cursors, None, cursor.key, 0)
    producer.flush(20)
    with pytest.raises(PublisherStopped, match=r"cursor daybook-.*-invoices is missing from .* up to position 20"):
        desk.publisher().step()
    publisher = desk.publisher()
    publisher.resume_at(20)
    issue(desk.book, many(21, 3))
    assert drain(publisher) == 3
    desk.check()


def test_a_cursor_set_back_or_ahead_stops_the_publisher(desk: Desk) -> None:
    issue(desk.book, many(1, 20), facts_between=0)
    drain(desk.publisher())
    for wrong in (15, 99):
        with desk.book.database.connection() as connection:
            row = connection.execute("UPDATE ledger.published SET published = %s, attempted = %s RETURNING identity",
                                     [wrong, wrong]).fetchone()  # fmt: skip
        assert row is not None
        with pytest.raises(PublisherStopped, match=f"{row[0]} on .* is at position 20, .* published up to {wrong}"):
            desk.publisher().step()


def test_an_unmarked_commit_is_known_from_the_cursor(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    issue(desk.book, many(1, 20))
    first = desk.publisher()
    assert first.step() == 10
    with monkeypatch.context() as patch:
        patch.setattr(first, "_well", as_if_it_died)
        with pytest.raises(KafkaError):
            first.step()
    assert drain(desk.publisher()) == 0
    desk.check()


def test_a_cursor_behind_anothers_open_transaction_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    issue(desk.book, many(1, 20))
    first = desk.publisher()
    assert first.step() == 10
    other = Producer({"bootstrap.servers": desk.broker.bootstrap, "transactional.id": f"other-{desk.topics.out}"})
    other.init_transactions(20)
    other.begin_transaction()
    other.produce(desk.topics.cursors, b"", b"other", 0)
    other.flush(20)
    assert drain(first) == 10  # its cursor now lies behind the other's, out of sight
    ending = threading.Timer(1.0, lambda: other.abort_transaction(20))
    ending.start()
    began = time.monotonic()
    assert drain(desk.publisher()) == 0
    assert time.monotonic() - began > 0.5
    ending.join()
    desk.check()

"""Publishers beside the worker: of all kinds, one of each at a time, and going on after a decision."""

import threading
import time
from typing import Any

import pytest

from producers.dead_letters import DeadLetterFeed
from producers.documents import DocumentFeed
from producers.following import join_publishers, publish_what_there_is, start_publishers
from producers.marks import problems
from tests.producers.desk import LETTER, Desk, drain, eventually
from tests.producers.scenes import (
    Topics,
    delete_topics,
    issue,
    make_topics,
    many,
)

pytest_plugins = ["tests.broker"]
pytestmark = pytest.mark.kafka


def test_of_two_workers_one_publishes_and_the_other_takes_over(desk: Desk) -> None:
    issue(desk.book, many(1, 20))
    desk.book.append([], dead_letters=[LETTER])
    feeds = [DocumentFeed(desk.book, desk.topics.out), DeadLetterFeed(desk.book, desk.topics.out)]
    stops, threads = [], []
    for _ in range(2):
        stops.append(threading.Event())
        started = start_publishers(feeds, desk.book.database, desk.broker.bootstrap, stops[-1], cursors=desk.topics.cursors)
        threads.append(started)
    try:
        eventually(lambda: len(desk.read()) == 21)
        assert owners(desk) == owners(desk, after_s=3), "the two take over from one another"
        stops[0].set()
        join_publishers(threads[0])
        issue(desk.book, many(21, 5))
        eventually(lambda: len(desk.read()) == 26)
    finally:
        for stop in stops:
            stop.set()
        for started in threads:
            join_publishers(started)
    desk.check()


def owners(desk: Desk, after_s: float = 0) -> Any:
    time.sleep(after_s)
    with desk.book.database.connection() as connection:
        return connection.execute("SELECT publisher, owner FROM ledger.published ORDER BY publisher").fetchall()


def test_a_worker_that_stands_still_goes_on_after_a_persons_decision(desk: Desk) -> None:
    issue(desk.book, many(1, 5))
    drain(desk.publisher())
    delete_topics(desk.broker.bootstrap, desk.topics.out)
    stop = threading.Event()
    feed = DocumentFeed(desk.book, desk.topics.out)
    given = ([feed], desk.book.database, desk.broker.bootstrap, stop)
    threads = start_publishers(*given, cursors=desk.topics.cursors)
    try:
        eventually(lambda: "was deleted" in problems(desk.book.database).get("invoices", ""))
        make_topics(desk.broker.bootstrap, Topics(desk.topics.out, f"other-{desk.topics.cursors}"))
        desk.publisher().resume_at(0)
        eventually(lambda: len(desk.read()) == 5)
    finally:
        stop.set()
        join_publishers(threads)
    assert publish_what_there_is(*given, cursors=desk.topics.cursors) == 0
    desk.check()


@pytest.mark.parametrize("with_bytes", [False, True], ids=["without bytes", "with bytes"])
def test_dead_letters_are_published_with_their_headers(desk: Desk, with_bytes: bool) -> None:
    desk.book.append([], dead_letters=[LETTER._replace(offset=n) for n in range(12)])
    nameless, large = LETTER._replace(key=None, value=None, schema_id=7), LETTER._replace(value=bytes(2_000_000))
    desk.book.append([], dead_letters=[nameless, large])
    publisher = desk.dead_letters(with_bytes=with_bytes)
    assert [publisher.step() for _ in range(3)] == [10, 4, 0]
    assert drain(desk.dead_letters()) == 0
    read = desk.read()
    assert len(read) == 14
    first = next(r for r in read if r.headers["offset"] == b"0")
    assert first.key == b"acme"
    assert first.value == (b"\x01secret" if with_bytes else None)
    assert first.headers == {
        "reason": b"undecodable", "error": b"begins with byte 0x01", "topic": b"daybook.time", "partition": b"3",
        "offset": b"0", "schema_id": b"", "first_seen": b"2026-05-01T00:00:00Z",
    }  # fmt: skip
    found = next(r for r in read if r.headers["schema_id"] == b"7")
    assert (found.key, found.value) == (None, b"")


def test_documents_and_dead_letters_are_followed_side_by_side(desk: Desk) -> None:
    issue(desk.book, many(1, 5))
    desk.book.append([], dead_letters=[LETTER])
    assert drain(desk.publisher()) == 5
    assert drain(desk.dead_letters()) == 1
    assert drain(desk.publisher()) == drain(desk.dead_letters()) == 0

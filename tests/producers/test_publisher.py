"""What the ledger says reaches its topic once and in order, whatever is killed."""

import random
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from ledger.book import Book
from ledger.database import Database
from ledger.keyring import Keyring
from producers.channel import Channel
from producers.documents import DocumentFeed, message_of
from producers.marks import problems
from producers.outgoing import LARGEST_VALUE, CannotPublish
from producers.publisher import Publisher, PublisherStopped
from projections.views import Views
from schemas.codec import decode
from tests import evidence
from tests.budget import budget
from tests.producers.desk import LETTER, Desk, as_if_it_died, before_commit, drain, eventually
from tests.producers.scenes import (
    credit_note,
    in_the_ledger,
    invoice,
    issue,
    line,
    many,
    read_all,
)

pytest_plugins = ["tests.broker"]
pytestmark = pytest.mark.kafka
ROOT = Path(__file__).parents[2]


def test_documents_on_the_topic_are_those_of_the_ledger(desk: Desk) -> None:
    issue(desk.book, many(1, 25))
    publisher = desk.publisher()
    assert [publisher.step() for _ in range(4)] == [10, 10, 5, 0]
    issue(desk.book, [invoice(26, "client-5", [line(1, sources=250)])])
    assert drain(publisher) == 1
    desk.check()
    read = {decode(r.value).fields["number"]: decode(r.value) for r in desk.read()}
    for recorded_at, document in in_the_ledger(desk.book):
        message = read[document.number]
        fields = message.fields
        assert message.record == type(document).__name__
        for name in ("event_id", "client_id", "invoice_id", "currency", "issued_on", "due_on", "net_minor", "total_minor"):
            assert fields[name] == getattr(document, name)
        assert fields["recorded_at"] == recorded_at
        for found, kept in zip(fields["lines"], document.lines, strict=True):
            for name in ("line_no", "item_key", "net_minor", "tax_code", "tax_minor", "source_sha256"):
                assert found[name] == getattr(kept, name)
            for name in ("description", "charge_type", "quantity", "unit", "unit_price", "account", "rule", "service_from"):
                assert found[name] == getattr(kept.line, name)
            assert found["source_count"] == len(kept.source_event_ids)
            assert found["source_event_ids"] == list(kept.source_event_ids[:100])
            assert (found["corrects"] or {}).get("number") == (kept.corrects.number if kept.corrects else None)
    assert [len(x["source_event_ids"]) for x in read["INV-000026"].fields["lines"]] == [100]


def test_cursor_goes_with_each_transaction(desk: Desk) -> None:
    issue(desk.book, many(1, 25), facts_between=1)
    drain(desk.publisher())
    cursors = read_all(desk.broker.bootstrap, desk.topics.cursors)
    assert {c.partition for c in cursors} == {0}
    said = [decode(c.value) for c in cursors]
    assert [(m.record, m.fields["position"]) for m in said] == [("PublisherCursor", n) for n in (20, 40, 50)]
    names = {m.fields["publisher"] for m in said}
    assert {c.key.decode() for c in cursors if c.key} == names
    assert len(names) == 1
    assert names.pop().endswith("-invoices")


def test_a_new_publisher_goes_on_where_the_last_one_was(desk: Desk) -> None:
    issue(desk.book, many(1, 15))
    assert desk.publisher().step() == 10
    assert drain(desk.publisher()) == 5
    assert drain(desk.publisher()) == 0
    desk.check()


def test_rebuilding_views_publishes_nothing(desk: Desk) -> None:
    issue(desk.book, many(1, 5), facts_between=0)
    publisher = desk.publisher()
    drain(publisher)
    Views(desk.book).rebuild()
    assert drain(publisher) == drain(desk.publisher()) == 0
    desk.check()


def test_killed_publishers_publish_each_document_once(desk: Desk, tmp_path: Path) -> None:
    kills, seed = budget("publisher", "kills"), 4
    rng = random.Random(seed)
    issued, most, between, later = 0, 4, 0, 0
    while between < kills:
        issue(desk.book, many(issued + 1, 60))
        issued += 60
        if kill_around_a_commit(desk, tmp_path, most, transactions=rng.randint(2, 5), within_ms=rng.random() * 60):
            between += 1
        else:
            later += 1
        assert later <= 5 * kills, "the kills come too late"
    drain(desk.publisher(100))
    desk.check()
    # Proof that transactions were cut short: whoever does not wait for commits has seen documents twice.
    committed, sent = len(desk.read()), len(desk.read("read_uncommitted"))
    assert sent > issued
    evidence.saw(
        f"publisher: seed {seed}, {between} counted kill -9 between send and commit ({later} more came after the commit and"
        f" do not count): a read_committed reader saw each of the {issued} documents once ({committed} records), each"
        f" client's in order; {sent - issued} records more were sent in transactions that were cut short, and only a"
        " read_uncommitted reader saw them"
    )


def kill_around_a_commit(desk: Desk, keyring: Path, most: int, *, transactions: int, within_ms: float) -> bool:
    """Kills a publisher that has made progress, once it has sent its n-th transaction; gives whether before it committed it."""
    database = desk.book.database
    command = [sys.executable, "-m", "tests.producers.killable", database.dsn_owner, str(keyring / "keys"),
               desk.broker.bootstrap, *desk.topics, "60", str(most)]  # fmt: skip
    before = published(desk)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = 0
        for text in process.stdout:
            said += text == "sent\n"
            if said == transactions:
                break
        time.sleep(within_ms / 1000)
        process.kill()
        rest = process.stdout.read()
    assert said == transactions, "the publisher ended by itself"
    assert published(desk) > before, "a kill without progress does not count"
    return "committed" not in rest


def published(desk: Desk) -> int:
    with desk.book.database.connection() as connection:
        row = connection.execute("SELECT max(published) FROM ledger.published").fetchone()
    assert row is not None
    return row[0] or 0


def test_a_publisher_started_later_takes_over_and_the_first_one_stops_for_good(desk: Desk) -> None:
    issue(desk.book, many(1, 30))
    first, second = desk.publisher(), desk.publisher()
    assert first.step() == 10
    assert second.step() == 10
    with pytest.raises(PublisherStopped, match="another publisher of invoices has taken over"):
        first.step()
    with pytest.raises(PublisherStopped):
        first.step()
    assert drain(second) == 10
    desk.check()
    assert problems(desk.book.database) == {}


def test_a_twin_that_starts_between_send_and_commit_fences_the_transaction(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    issue(desk.book, many(1, 30))
    first, second = desk.publisher(), desk.publisher()
    assert first.step() == 10
    before_commit(monkeypatch, lambda: drain(second))
    began = time.monotonic()
    with pytest.raises(PublisherStopped, match="taken over"):
        first.step()
    assert time.monotonic() - began < 30, "the twin waited for the transaction's time-out instead of ending it"
    assert drain(second) == 0
    desk.check()


def test_kafka_fences_a_twin_even_if_the_ledger_would_let_it_go_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    issue(desk.book, many(1, 30))
    first, second = desk.publisher(), desk.publisher()
    assert first.step() == 10
    assert second.step() == 10
    monkeypatch.setattr(first._marks, "attempt", lambda _position: None)
    with pytest.raises(PublisherStopped, match="taken over"):
        first.step()
    assert drain(second) == 10
    desk.check()


def test_a_copy_of_the_ledger_cannot_publish_beside_it(desk: Desk, keyring: Keyring, postgres: Any) -> None:
    issue(desk.book, many(1, 10))
    drain(desk.publisher())
    desk.book.database.pool.close()
    name = desk.book.database.dsn_owner.partition("dbname=")[2].split()[0]
    dsn = postgres.create(template=name)
    with Database(desk.book.database.dsn_owner) as database, Database(dsn) as copied:
        book = Book(database, keyring)
        issue(book, many(11, 30))
        feed = DocumentFeed(book, desk.topics.out)
        original = Publisher(feed, database, desk.broker.bootstrap, cursors=desk.topics.cursors, most=10)
        assert original.step() == 10
        feed = DocumentFeed(Book(copied, keyring), desk.topics.out)
        copy = Publisher(feed, copied, desk.broker.bootstrap, cursors=desk.topics.cursors)
        with pytest.raises(PublisherStopped, match=r"is at position 81, and this ledger has published up to 40.*copy"):
            copy.step()
        assert "a copy of this ledger publishes too" in problems(copied)["invoices"]
        with pytest.raises(PublisherStopped, match="taken over"):
            original.step()
    postgres.drop(dsn)


def test_a_publisher_that_is_down_or_asleep_for_longer_than_its_transaction_may_take_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(desk.book, many(1, 30))
    desk.book.append([], dead_letters=[LETTER] * 3)
    sleeps, dies = desk.publisher(transaction_timeout_ms=1_000), desk.dead_letters(transaction_timeout_ms=1_000)
    assert sleeps.step() == 10
    with monkeypatch.context() as patch:
        patch.setattr(Channel, "_commit", as_if_it_died)
        with pytest.raises(KafkaError, match="as if"):
            dies.step()
    before_commit(monkeypatch, lambda: until_swept(desk, 3 + 20))
    assert drain(sleeps) == 0  # too late, and found out
    assert drain(sleeps) == 20
    assert drain(desk.dead_letters()) == 3
    desk.check()
    assert len(desk.read()) == 30 + 3
    assert len(desk.read("read_uncommitted")) == 30 + 3 + 10 + 3


def until_swept(desk: Desk, sent: int) -> None:
    """Waits until Kafka has ended the open transaction by itself: then a new record can be read by everybody."""
    assert len(desk.read("read_uncommitted")) == sent
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        ends = [ends_of(desk, isolation) for isolation in ("read_committed", "read_uncommitted")]
        if ends[0] == ends[1]:
            return
        time.sleep(0.3)
    pytest.fail("Kafka did not end the transaction")


def ends_of(desk: Desk, isolation: str) -> Any:
    from kafka.protocol.consumer import OffsetSpec

    admin = KafkaAdminClient(bootstrap_servers=desk.broker.bootstrap)
    try:
        wanted = {TopicPartition(desk.topics.out, n): OffsetSpec.LATEST for n in range(3)}
        return {where: found.offset for where, found in admin.list_partition_offsets(wanted, isolation).items()}
    finally:
        admin.close()


def test_a_broker_that_dies_is_waited_for(desk: Desk) -> None:
    issue(desk.book, many(1, 20))
    publisher = desk.publisher(5)
    assert publisher.step() == 5
    stop = threading.Event()
    thread = threading.Thread(target=publisher.run, args=(stop,))
    desk.broker.kill()
    try:
        thread.start()
        time.sleep(1.0)
    finally:
        desk.broker.restart()
    issue(desk.book, many(21, 5))
    # A batch sent meanwhile expires after 30 s, and so may the next where the broker takes long to come back.
    eventually(lambda: len(desk.read()) == 25, within_s=150)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    desk.check()
    assert problems(desk.book.database) == {}


def test_a_huge_document_names_fewer_sources_and_one_that_cannot_fit_stops(desk: Desk, keyring: Keyring) -> None:
    at = datetime(2026, 5, 31, tzinfo=UTC)
    huge = invoice(1, "acme", [line(n, sources=100) for n in range(1, 900)])
    message = message_of(7, at, huge, keyring)
    assert message.value is not None
    assert len(message.value) <= LARGEST_VALUE
    lines = decode(message.value).fields["lines"]
    assert {(x["source_count"], len(x["source_event_ids"])) for x in lines} == {(100, 10)}
    with pytest.raises(CannotPublish, match=r"INV-000002 at position 8 of the ledger: InvoiceIssued.* takes"):
        message_of(8, at, invoice(2, "acme", [line(n, text="x" * 2_000) for n in range(600)]), keyring)
    issue(desk.book, [invoice(1, "acme"), invoice(2, "acme", [line(n, text="x" * 2_000) for n in range(600)])])
    with pytest.raises(PublisherStopped, match="INV-000002"):
        drain(desk.publisher(1))
    assert "INV-000002" in problems(desk.book.database)["invoices"]


def test_a_credit_notes_reason_is_readable_outside(keyring: Keyring) -> None:
    keyring.prepare(["acme"])
    note = credit_note(1, "acme", keyring.encrypt("acme", "Two hours were waived"))
    value = message_of(1, datetime(2026, 5, 31, tzinfo=UTC), note, keyring).value
    assert decode(value).fields["reason"] == "Two hours were waived"

"""What became of mails, on `daybook.notices`: sent, or given up; once each, and nothing of what is tried again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daybook.app import App
from daybook.settings import Settings
from domain.ids import event_id, stream_id
from domain.notices import NoticeFailed, NoticeSent
from ledger.book import Book, NewEvent
from ledger.database import Database
from ledger.event_codec import encode
from ledger.keyring import Keyring
from producers.notices import NoticeFeed
from producers.publisher import Publisher
from projections import decisions
from projections.notices import Notice
from projections.views import Views
from schemas.codec import decode
from tests.producers.desk import drain
from tests.producers.scenes import make_topics, read_all
from tests.runs.reminding import client, invoiced, kept, tick
from tests.runs.shop import MAY, NOW, Shop, catalogue

pytest_plugins = ["tests.broker"]
pytestmark = pytest.mark.kafka


@pytest.fixture
def empty_shop(database: Database, tmp_path: Path) -> Shop:
    """An installation on which nothing was said yet."""
    settings = Settings(home=tmp_path, database_url=database.dsn_owner, today=MAY)
    book = Book(database, Keyring(settings.keyring_path))
    return Shop(App(settings, database, book, Views(book)))


def result(shop: Shop, notice: Notice, version: int, kind: type[Any], **given: Any) -> None:
    """What a sender records of a notice."""
    stream = stream_id("notice", notice.client_id, notice.notice_id)
    id_ = event_id(stream, version)
    event = kind(event_id=str(id_), occurred_at=NOW, client_id=notice.client_id, notice_id=notice.notice_id, **given)
    new = NewEvent(stream, version, event.TOPIC, encode(event), event.client_id, id_)
    with shop.app.database.connection() as connection:
        connection.execute("SET LOCAL search_path = books")
        shop.app.book.append([new], conn=connection, also=lambda cursor, first, _: decisions.apply(cursor, [(first, event)]))


def told(messages: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(found.record, found.fields) for one in messages if (found := decode(one.value))]


def test_results_are_told_once_and_a_failure_only_when_it_is_final(empty_shop: Shop, broker: Any) -> None:
    empty_shop.tell(catalogue(), client("acme"), client("bolt"), client("cove"))
    invoiced(empty_shop, ["acme", "bolt", "cove"])
    tick(empty_shop, MAY)
    acme, bolt, cove = sorted(kept(empty_shop), key=lambda one: one.client_id)
    keyring = empty_shop.app.book.keyring
    secret = keyring.encrypt("bolt", "550 no such box ap@bolt.example")
    result(empty_shop, acme, 2, NoticeFailed, tries=1, permanent=False, reason=secret)
    result(empty_shop, bolt, 2, NoticeFailed, tries=1, permanent=True, reason=secret)
    result(empty_shop, acme, 3, NoticeSent, tries=2)
    result(empty_shop, cove, 2, NoticeSent, tries=1)
    feed = NoticeFeed(empty_shop.app.book)
    assert feed.topic == "daybook.notices"
    backlog = feed.backlog(0)
    assert backlog.count == 3
    assert backlog.oldest_at is not None
    assert backlog.oldest_at > datetime.now(UTC) - timedelta(minutes=5)
    messages = feed.next(0, 10)
    found = told(messages)
    assert [(record, fields["client_id"]) for record, fields in found] == [
        ("NoticeFailed", "bolt"), ("NoticeSent", "acme"), ("NoticeSent", "cove"),
    ]  # fmt: skip
    assert found[0][1]["reason"] == "550 no such box ap@bolt.example"
    assert found[1][1]["to"] == ["ap@acme.example"]
    assert found[1][1]["message_id"] == acme.message_id
    (invoice,) = [one for one in empty_shop.documents() if one.client_id == "acme"]
    assert found[1][1]["invoice_ids"] == [invoice.invoice_id]
    assert [feed.next(messages[n].position, 10)[0].position for n in range(2)] == [one.position for one in messages[1:]]
    assert (feed.next(messages[-1].position, 10), feed.backlog(messages[-1].position).count) == ([], 0)
    _through_kafka(empty_shop, broker.bootstrap, len(found))


def _through_kafka(shop: Shop, bootstrap: str, count: int) -> None:
    topics = make_topics(bootstrap)
    for expected in (count, 0):
        publisher = Publisher(NoticeFeed(shop.app.book, topics.out), shop.app.database, bootstrap, cursors=topics.cursors)
        try:
            assert drain(publisher) == expected
        finally:
            publisher.close()
    assert len(read_all(bootstrap, topics.out, isolation="read_committed")) == count


def test_address_of_a_client_that_was_forgotten_is_told_to_nobody(empty_shop: Shop) -> None:
    empty_shop.tell(catalogue(), client("acme"))
    invoiced(empty_shop, ["acme"])
    tick(empty_shop, MAY)
    (notice,) = kept(empty_shop)
    result(empty_shop, notice, 2, NoticeSent, tries=1)
    empty_shop.app.book.keyring.forget("acme")
    ((_, fields),) = told(NoticeFeed(empty_shop.app.book).next(0, 10))
    assert fields["to"] == []

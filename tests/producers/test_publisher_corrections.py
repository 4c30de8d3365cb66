"""What became of documents reaches `daybook.invoices` once and in order: voided, written off, settled."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from domain.corrections import InvoiceSettled, InvoiceVoided, InvoiceWrittenOff
from domain.ids import event_id, stream_id
from ledger.book import Book, NewEvent
from ledger.event_codec import encode
from producers.documents import DocumentFeed
from producers.publisher import Publisher
from projections import decisions
from schemas.codec import decode
from tests.producers.desk import Desk, as_if_it_died, before_commit, drain
from tests.producers.scenes import AT, credit_note, in_the_ledger, invoice, issue

pytest_plugins = ["tests.broker"]
pytestmark = pytest.mark.kafka


def correct(book: Book, *events: Any) -> None:
    """Appends them one batch each, as commands do, with the tables that the backlog is counted from."""
    for event in events:
        stream = stream_id(event.TOPIC, event.number)
        new = NewEvent(stream, 1, event.TOPIC, encode(event), event.client_id, event_id(stream, 1))
        with book.database.connection() as connection:
            connection.execute("SET LOCAL search_path = books")
            book.append(
                [new], conn=connection, also=lambda cursor, first, _, e=event: decisions.apply(cursor, [(first, e)])
            )


def corrections(book: Book, client: str = "client-1") -> tuple[Any, ...]:
    book.keyring.prepare([client])
    common = {"occurred_at": AT, "client_id": client}
    sealed = book.keyring.encrypt(client, "never ours \N{LATIN SMALL LETTER U WITH DIAERESIS}")
    return (
        InvoiceVoided(
            event_id=str(UUID(int=901)), number="INV-000001", credited_by="CN-000005", by="ann", reason=sealed, **common,
        ),
        InvoiceWrittenOff(
            event_id=str(UUID(int=902)), number="INV-000002", currency="GBP", amount_minor=24_000,
            written_off_on=date(2026, 6, 1), by="ann", reason=sealed, **common,
        ),
        InvoiceSettled(event_id=str(UUID(int=903)), number="INV-000002", settled_on=date(2026, 6, 1), **common),
    )  # fmt: skip


def test_corrections_are_told_in_the_order_of_the_ledger_with_their_reasons_in_clear(desk: Desk) -> None:
    issue(desk.book, [invoice(1, "client-1"), invoice(2, "client-1"), credit_note(5, "client-1")])
    correct(desk.book, *corrections(desk.book))
    feed = DocumentFeed(desk.book, desk.topics.out)
    assert feed.backlog(0).count == 3, "the documents of this ledger have no rows: its corrections do"
    publisher = desk.publisher()
    assert drain(publisher) == 6
    assert feed.backlog(desk.book.head()).count == 0
    desk.check()
    found = [decode(record.value) for record in desk.read()]
    assert [one.record for one in found] == [
        "InvoiceIssued", "InvoiceIssued", "CreditNoteIssued", "InvoiceVoided", "InvoiceWrittenOff", "InvoiceSettled",
    ]  # fmt: skip
    recorded = [at for at, _ in in_the_ledger(desk.book)]
    assert [one.fields["recorded_at"] for one in found] == recorded
    voided, written_off, settled = (one.fields for one in found[3:])
    assert voided["reason"] == written_off["reason"] == "never ours ü"
    assert voided["invoice_id"] == str(stream_id("invoice", "INV-000001"))
    assert (written_off["number"], written_off["amount_minor"]) == ("INV-000002", 24_000)
    assert settled["settled_at"] == datetime(2026, 6, 1, tzinfo=UTC)
    assert drain(publisher) == drain(desk.publisher()) == 0


def test_correction_whose_commit_failed_is_told_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    issue(desk.book, [invoice(1, "client-1"), invoice(2, "client-1")])
    drain(desk.publisher())
    correct(desk.book, *corrections(desk.book))
    with monkeypatch.context() as patch:
        before_commit(patch, as_if_it_died)
        with pytest.raises(Exception, match="as if the process had died"):
            desk.publisher(1).step()
    assert drain(desk.publisher(1)) == 3
    desk.check()
    assert len(desk.read("read_uncommitted")) > len(desk.read()) == 5


def test_reason_of_a_forgotten_client_is_told_empty(desk: Desk) -> None:
    issue(desk.book, [invoice(1, "client-1")])
    correct(desk.book, *corrections(desk.book))
    desk.book.keyring.forget("client-1")
    publisher: Publisher = desk.publisher()
    assert drain(publisher) == 4
    reasons = [decode(record.value).fields.get("reason") for record in desk.read()]
    assert reasons == [None, "", "", None]

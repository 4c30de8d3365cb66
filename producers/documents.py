"""Issued invoices and credit notes as other systems read them on `daybook.invoices`."""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from domain.invoice import CreditNoteIssued, Document, InvoiceIssued, InvoiceLine
from ledger.book import Book
from ledger.event_codec import decode
from ledger.keyring import PREFIX, Keyring
from producers.outgoing import LARGEST_PAGE, LARGEST_VALUE, Backlog, CannotPublish, Message
from schemas.codec import encode, key_of
from schemas.topics import TOPIC_OF

MOST_SOURCES: Final = 100
"""A line names at most as many of its source events; their count and hash stand for all of them."""

# Documents are few among facts: the server picks them out, so many facts at a time.
_WINDOW: Final = 50_000
_FEWER_SOURCES: Final = (MOST_SOURCES, 10, 0)
_PLACES: Final = Decimal("1e-8")
_TOPICS: Final = [InvoiceIssued.TOPIC, CreditNoteIssued.TOPIC]
_NEXT: Final = """
    SELECT e.notification_id, b.recorded_at, e.topic, e.state
    FROM ledger.daybook_events AS e JOIN ledger.batches AS b USING (batch_id)
    WHERE e.notification_id > %s AND e.notification_id <= %s AND e.topic = ANY(%s)
    ORDER BY e.notification_id LIMIT %s
"""
# The list of documents is written with the documents themselves, and is short; the events would have to be gone through.
_BACKLOG: Final = """
    SELECT count(*), (
        SELECT b.recorded_at FROM ledger.daybook_events AS e JOIN ledger.batches AS b USING (batch_id)
        WHERE e.notification_id = min(i.position)
    ) FROM books.invoices AS i WHERE i.position > %s
"""


class DocumentFeed:
    """The ledger's documents in order of issue; their position is the ledger's."""

    name = "invoices"
    log_event = "documents_published"

    def __init__(self, book: Book, topic: str = TOPIC_OF["InvoiceIssued"]) -> None:
        self.topic = topic
        self._book = book
        self._none_between = (0, 0)

    def next(self, after: int, limit: int) -> Sequence[Message]:
        """The next documents as messages; raises CannotPublish."""
        from_, upto = self._none_between
        begin = upto if from_ == after else after
        head = self._book.head()
        while begin < head:
            end = min(begin + _WINDOW, head)
            if rows := self._rows(begin, end, limit):
                return self._page(rows)
            begin = end
            self._none_between = (after, end)
        return []

    def backlog(self, after: int) -> Backlog:
        """The documents that nobody was told of yet."""
        with self._book.database.connection() as connection:
            row = connection.execute(_BACKLOG.encode(), [after]).fetchone()
        assert row is not None
        return Backlog(*row)

    def end(self) -> int:
        """The ledger's end."""
        return self._book.head()

    def _rows(self, after: int, upto: int, limit: int) -> list[Any]:
        with self._book.database.connection() as connection, connection.cursor(binary=True) as cursor:
            return cursor.execute(_NEXT, [after, upto, _TOPICS, limit]).fetchall()

    def _page(self, rows: list[Any]) -> list[Message]:
        page: list[Message] = []
        size = 0
        for position, recorded_at, topic, state in rows:
            page.append(message_of(position, recorded_at, decode(topic, state), self._book.keyring))
            size += len(page[-1].value or b"")
            if size >= LARGEST_PAGE:
                break
        return page


def message_of(position: int, recorded_at: datetime, document: Document, keyring: Keyring) -> Message:
    """A document as a message; one that would be too large names fewer source events, their hash still covers all."""
    record = "InvoiceIssued" if isinstance(document, InvoiceIssued) else "CreditNoteIssued"
    why = ""
    for most in _FEWER_SOURCES:
        fields = wire_fields(document, recorded_at, keyring, most)
        try:
            value = encode(record, fields)
        except ValueError as error:
            why = str(error)
            continue
        if len(value) <= LARGEST_VALUE:
            return Message(position, key_of(record, fields), value)
        why = f"{record} takes {len(value)} bytes, and at most {LARGEST_VALUE} can be sent"
    raise CannotPublish(f"{document.number} at position {position} of the ledger: {why}")


def wire_fields(document: Document, recorded_at: datetime, keyring: Keyring, most_sources: int = MOST_SOURCES) -> dict[str, Any]:
    """The record's fields: what the ledger froze, and the instant it became known."""
    fields = {
        "event_id": document.event_id,
        "recorded_at": recorded_at,
        "client_id": document.client_id,
        "invoice_id": document.invoice_id,
        "number": document.number,
        "currency": document.currency,
        "issued_on": document.issued_on,
        "due_on": document.due_on,
        "lines": [_line(line, most_sources) for line in document.lines],
        "net_minor": document.net_minor,
        "tax_minor": document.tax_minor,
        "total_minor": document.total_minor,
    }
    if isinstance(document, CreditNoteIssued):
        fields["reason"] = _readable(document.reason, keyring)
    return fields


def _line(line: InvoiceLine, most_sources: int) -> dict[str, Any]:
    rated, corrects = line.line, line.corrects
    return {
        "line_no": line.line_no,
        "item_key": line.item_key,
        "description": rated.description,
        "charge_type": rated.charge_type,
        "service_from": rated.service_from,
        "service_to": rated.service_to,
        "quantity": _decimal(rated.quantity),
        "unit": rated.unit,
        "unit_price": _decimal(rated.unit_price),
        "net_minor": line.net_minor,
        "tax_code": line.tax_code,
        "tax_minor": line.tax_minor,
        "account": rated.account,
        "corrects": None if corrects is None else {"number": corrects.number, "line_no": corrects.line_no},
        "rule": rated.rule,
        "source_count": len(line.source_event_ids),
        "source_sha256": line.source_sha256,
        "source_event_ids": list(line.source_event_ids[:most_sources]),
    }


def _decimal(value: Decimal) -> Decimal:
    # Amounts are settled and not worked out from it again: a shown quantity may lose its ninth place.
    return value if int(value.as_tuple().exponent) >= -8 else value.quantize(_PLACES, ROUND_HALF_UP)


def _readable(reason: str, keyring: Keyring) -> str:
    return (keyring.decrypt(reason) or "") if reason.startswith(PREFIX) else reason

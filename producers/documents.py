"""Issued invoices and credit notes, and what became of them, as other systems read them on `daybook.invoices`."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from domain.corrections import InvoiceSettled, InvoiceVoided, InvoiceWrittenOff
from domain.ids import stream_id
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
Told = Document | InvoiceVoided | InvoiceWrittenOff | InvoiceSettled
"""What is told on the topic; each record has its event's name."""
_TOPICS: Final = [cls.TOPIC for cls in (InvoiceIssued, CreditNoteIssued, InvoiceVoided, InvoiceWrittenOff, InvoiceSettled)]
_NEXT: Final = """
    SELECT e.notification_id, b.recorded_at, e.topic, e.state
    FROM ledger.daybook_events AS e JOIN ledger.batches AS b USING (batch_id)
    WHERE e.notification_id > %s AND e.notification_id <= %s AND e.topic = ANY(%s)
    ORDER BY e.notification_id LIMIT %s
"""
# These lists are written with the events themselves, and are short; the events would have to be gone through.
_BACKLOG: Final = """
    SELECT count(*), (
        SELECT b.recorded_at FROM ledger.daybook_events AS e JOIN ledger.batches AS b USING (batch_id)
        WHERE e.notification_id = min(i.position)
    ) FROM (
        SELECT position FROM books.invoices WHERE position > %(after)s
        UNION ALL SELECT position FROM books.voids WHERE position > %(after)s
        UNION ALL SELECT position FROM books.write_offs WHERE position > %(after)s
        UNION ALL SELECT position FROM books.settlements WHERE position > %(after)s
    ) AS i
"""


class DocumentFeed:
    """The ledger's documents, and what became of them, in the ledger's order; their position is the ledger's."""

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
            row = connection.execute(_BACKLOG.encode(), {"after": after}).fetchone()
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


def message_of(position: int, recorded_at: datetime, document: Told, keyring: Keyring) -> Message:
    """A document as a message; one that would be too large names fewer source events, their hash still covers all."""
    record = type(document).__name__
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


def wire_fields(document: Told, recorded_at: datetime, keyring: Keyring, most_sources: int = MOST_SOURCES) -> dict[str, Any]:
    """The record's fields: what the ledger froze, and the instant it became known; a forgotten client's reason is empty."""
    fields: dict[str, Any] = {
        "event_id": document.event_id,
        "recorded_at": recorded_at,
        "client_id": document.client_id,
        "invoice_id": str(stream_id("invoice", document.number)),
        "number": document.number,
    }
    match document:
        case InvoiceVoided():
            return fields | {"reason": _readable(document.reason, keyring)}
        case InvoiceWrittenOff():
            return fields | {"amount_minor": document.amount_minor, "reason": _readable(document.reason, keyring)}
        case InvoiceSettled():
            # The wire has an instant for what is a day: its beginning, so that it reads as that day.
            return fields | {"settled_at": datetime.combine(document.settled_on, time(), UTC)}
        case _:
            return _of_document(document, recorded_at, keyring, most_sources)


def _of_document(document: Document, recorded_at: datetime, keyring: Keyring, most_sources: int) -> dict[str, Any]:
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

"""Ledgers with documents in them, and readers of what was published."""

import time
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from domain.difference import LineReference
from domain.invoice import CreditNoteIssued, Document, InvoiceIssued, InvoiceLine
from domain.rated import RatedLine
from ledger.book import Book, NewEvent
from ledger.event_codec import decode, encode
from schemas.codec import decode as decode_message

ISSUED_ON = date(2026, 5, 31)
AT = datetime(2026, 5, 31, 12, tzinfo=UTC)


class Topics(NamedTuple):
    """A test's own topics."""

    out: str
    cursors: str


class Read(NamedTuple):
    """A record as a reader sees it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


def line(number: int, sources: int = 3, corrects: LineReference | None = None, text: str = "") -> InvoiceLine:
    """One line with as many source events."""
    return InvoiceLine(
        line_no=number,
        item_key=f"time/T-{number}",
        due_on=ISSUED_ON,
        line=RatedLine(
            part="",
            description=text or f"Remote support {number}",
            charge_type="REMOTE",
            kind="time",
            service_from=ISSUED_ON - timedelta(days=3),
            service_to=ISSUED_ON,
            quantity=Decimal("0.83333333"),
            unit="hour",
            unit_price=Decimal("120.00"),
            currency="GBP",
            amount_minor=10_000,
            gross=False,
            tax_code=None,
            account="4000",
            rule="T1",
            arithmetic="50 min",
        ),
        net_minor=10_000,
        tax_code="S",
        tax_percent=Decimal(20),
        tax_minor=2_000,
        corrects=corrects,
        source_event_ids=tuple(str(uuid.UUID(int=number * 1_000 + n)) for n in range(sources)),
        members=(),
    )


def invoice(n: int, client: str, lines: Sequence[InvoiceLine] | None = None) -> InvoiceIssued:
    """The n-th invoice."""
    lines = tuple(lines or [line(1), line(2)])
    return InvoiceIssued(
        event_id=str(uuid.UUID(int=1 << 100 | n)), occurred_at=AT, client_id=client, invoice_id=str(uuid.UUID(int=n)),
        number=f"INV-{n:06d}", series="invoice", currency="GBP", issued_on=ISSUED_ON, due_on=ISSUED_ON + timedelta(days=30),
        lines=lines, net_minor=sum(x.net_minor for x in lines), tax_minor=sum(x.tax_minor for x in lines),
        total_minor=sum(x.net_minor + x.tax_minor for x in lines), saw_position=1,
    )  # fmt: skip


def credit_note(n: int, client: str, reason: str = "") -> CreditNoteIssued:
    """The n-th document, a credit note for a line of the first."""
    return CreditNoteIssued(
        event_id=str(uuid.UUID(int=1 << 100 | n)), occurred_at=AT, client_id=client, invoice_id=str(uuid.UUID(int=n)),
        number=f"CN-{n:06d}", series="credit_note", currency="GBP", issued_on=ISSUED_ON, due_on=ISSUED_ON,
        lines=(line(1, corrects=LineReference(number="INV-000001", line_no=2)),), net_minor=-10_000, tax_minor=-2_000,
        total_minor=-12_000, saw_position=1, reason=reason,
    )  # fmt: skip


def issue(book: Book, documents: Sequence[Document], facts_between: int = 3) -> None:
    """Appends documents to the book in one batch, with facts before and after each that nobody publishes."""
    events: list[NewEvent] = []
    for document in documents:
        events += [_new("time_entry.logged.v1", b"{}", document.client_id, uuid.uuid4()) for _ in range(facts_between)]
        events.append(_new(document.TOPIC, encode(document), document.client_id, uuid.UUID(document.event_id)))
    if facts_between:
        events.append(_new("time_entry.logged.v1", b"{}", "acme", uuid.uuid4()))
    book.append(events)


def _new(topic: str, state: bytes, client: str, event_id: uuid.UUID) -> NewEvent:
    return NewEvent(
        stream_id=uuid.uuid4(), version=1, topic=topic, state=state, client_id=client, event_id=event_id, body_hash=bytes(16)
    )


def many(first: int, count: int, clients: int = 7) -> list[Document]:
    """Invoices of several clients, every fifth a credit note."""
    return [
        credit_note(n, f"client-{n % clients}") if n % 5 == 0 else invoice(n, f"client-{n % clients}")
        for n in range(first, first + count)
    ]


def in_the_ledger(book: Book) -> list[tuple[datetime, Any]]:
    """Every document of the book with the instant it became known, in order."""
    found: list[tuple[datetime, Any]] = []
    after = 0
    while page := book.read(after, 1_000):
        after = page[-1].position
        found += [(e.recorded_at, decode(e.topic, e.state)) for e in page if e.topic.startswith(("invoice.", "credit_note."))]
    return found


def make_topics(bootstrap: str, names: Topics | None = None, partitions: int = 3) -> Topics:
    """A pair of fresh topics, or the given ones."""
    names = names or Topics(f"out-{uuid.uuid4().hex}", f"cursors-{uuid.uuid4().hex}")
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted = [
        NewTopic(names.out, partitions, 1),
        NewTopic(names.cursors, partitions, 1, config={"cleanup.policy": "compact"}),
    ]
    for future in admin.create_topics(wanted).values():
        future.result(20)
    deadline = time.monotonic() + 20
    while not {names.out, names.cursors} <= admin.list_topics(timeout=20).topics.keys():  # a busy broker tells of them later
        assert time.monotonic() < deadline, f"topics {names} were made and are not told of"
        time.sleep(0.05)
    return names


def delete_topics(bootstrap: str, *names: str) -> None:
    """Deletes topics and waits until they are gone."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.delete_topics(list(names)).values():
        future.result(20)


def read_all(bootstrap: str, topic: str, partitions: int = 3, isolation: str = "read_committed") -> list[Read]:
    """Every record that a reader finds between a topic's beginning and its end, in order of each partition."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "r", "isolation.level": isolation, "enable.partition.eof": True,
         "enable.auto.commit": False, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20}
    )  # fmt: skip
    found: list[Read] = []
    try:
        consumer.assign([TopicPartition(topic, n, 0) for n in range(partitions)])
        ended: set[int] = set()
        while len(ended) < partitions:
            record = consumer.poll(10)
            assert record is not None, "the topic could not be read to its end"
            if record.error():
                ended.add(record.partition())
                continue
            headers = {name: bytes(value) for name, value in record.headers() or ()}
            found.append(Read(record.partition(), record.offset(), record.key(), record.value(), headers))
    finally:
        consumer.close()
    return found


def numbers_by_client(read: Sequence[Read]) -> dict[str, list[str]]:
    """The documents' numbers as each client's reader sees them."""
    found: dict[str, list[str]] = {}
    for record in read:
        fields = decode_message(record.value).fields
        assert record.key == fields["client_id"].encode()
        found.setdefault(fields["client_id"], []).append(fields["number"])
    return found


def numbers_in_ledger(book: Book) -> dict[str, list[str]]:
    """What `numbers_by_client` has to be."""
    found: dict[str, list[str]] = {}
    for _, document in in_the_ledger(book):
        found.setdefault(document.client_id, []).append(document.number)
    return found

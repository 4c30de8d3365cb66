"""Reminders on a small provider: what is said and paid, ticks under a clock of the test's own, and the book as the judge."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from psycopg import Cursor

from domain.notices import NoticeClaimed, NoticeWithdrawn
from ledger.book import RecordedEvent
from ledger.event_codec import decode
from projections import notices
from projections.notices import Notice
from projections.views import Views
from runs import remind
from runs.remind import Outcome
from tests.runs.shop import MAY, NOW, Shop
from tests.saying import Row, approved, said

HOST = "daybook.invalid"


def client(client_id: str, *, terms_days: int = 0, **given: Any) -> Row:
    """A client with an address for its bills."""
    return said(
        "ClientDefined", client_id=client_id, payment_terms_days=terms_days, billing_emails=[f"ap@{client_id}.example"], **given
    )


def policy(client_id: str = "*", **given: Any) -> Row:
    """What somebody says of reminders; what is not named inherits."""
    return said("ReminderPolicySet", client_id=client_id, **given)


def paid(client_id: str, number: str, amount_minor: int, payment_id: str, at: datetime = NOW, **given: Any) -> Row:
    """A payment that names an invoice."""
    fields = {
        "payment_id": payment_id, "amount_minor": amount_minor, "currency": "GBP", "received_at": at, "method": "bank",
        "invoice_numbers": [number], **given,
    }  # fmt: skip
    return said("PaymentReceived", client_id=client_id, at=at, **fields)


def invoiced(shop: Shop, client_ids: Sequence[str], day: date = MAY, *, minutes: int = 60) -> dict[str, str]:
    """Bills an hour to each client; gives each one's new number."""
    at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    shop.tell(
        *(
            approved(f"{one}-{day}", client_id=one, worked_on=day, worked_minutes=minutes, at=at, approved_at=at)
            for one in client_ids
        )
    )
    shop.open(day)
    return {document.client_id: document.number for document in shop.generate(day, client_ids=list(client_ids)).documents}


def tick(shop: Shop, day: date, at: datetime = NOW, **given: Any) -> Outcome:
    """A claim as `daybook remind` makes it."""
    return remind.claim(given.pop("views", shop.app.views), day, at, host=HOST, **given)


def ids(outcome: Outcome) -> list[str]:
    """What was claimed."""
    return sorted(one.notice_id for one in outcome.claimed)


def kept(shop: Shop) -> list[Notice]:
    """Every notice as the table has it."""
    with shop.app.views.reading() as cursor:
        return notices.notices(cursor)


def events(shop: Shop) -> Iterator[tuple[RecordedEvent, Any]]:
    """The whole book, decoded."""
    after = 0
    while page := shop.app.book.read(after, 5_000):
        after = page[-1].position
        yield from ((one, decode(one.topic, one.state)) for one in page)


def late_reminders(shop: Shop) -> list[str]:
    """Reminders that the book has after a payment of the same invoice, whoever decided them and whenever: must be none."""
    settled: set[str] = set()
    late = []
    for _, event in events(shop):
        if type(event).__name__ == "PaymentReceived":
            settled.update(event.invoice_numbers)
        elif isinstance(event, NoticeClaimed) and event.kind == "due_reminder" and settled.intersection(event.numbers):
            late.append(event.notice_id)
    return late


def withdraw(shop: Shop, notice: Notice, reason: str) -> None:
    """What the sender writes where a notice is no longer wanted."""
    from domain.ids import event_id, stream_id
    from ledger.book import NewEvent
    from ledger.event_codec import encode
    from projections import decisions

    stream = stream_id("notice", notice.client_id, notice.notice_id)
    id_ = event_id(stream, 2)
    event = NoticeWithdrawn(
        event_id=str(id_), occurred_at=NOW, client_id=notice.client_id, notice_id=notice.notice_id, reason=reason
    )
    with shop.app.database.connection() as connection:
        connection.execute("SET LOCAL search_path = books")
        shop.app.book.append(
            [NewEvent(stream, 2, event.TOPIC, encode(event), event.client_id, id_)],
            conn=connection,
            also=lambda cursor, first, _: decisions.apply(cursor, [(first, event)]),
        )


class LateViews(Views):
    """Views that lag: catching up may come to nothing, and things happen right after a snapshot was taken.

    Both are what other processes do to a real tick; here a seeded die decides, so that a failure can be repeated.
    """

    def __init__(self, shop: Shop, lag: Callable[[], bool], meanwhile: Callable[[], None]) -> None:
        super().__init__(shop.app.book)
        self._lag, self._meanwhile = lag, meanwhile

    def catch_up(self, **given: Any) -> int:
        """As the worker does, or not at all."""
        return 0 if self._lag() else super().catch_up(**given)

    @contextmanager
    def reading(self, **given: Any) -> Iterator[Cursor[Any]]:
        """A snapshot; what happens after it was taken is not in it."""
        with super().reading(**given) as cursor:
            cursor.execute("SELECT 1 FROM positions")
            self._meanwhile()
            yield cursor

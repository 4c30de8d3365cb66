"""An office with invoices, and money that comes in."""

from datetime import UTC, datetime
from typing import Any

from runs.generate import generate
from tests.saying import Row
from tests.web.conftest import TODAY, Web

NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)
_COUNT = iter(range(1, 1_000_000))


def invoiced(office: Web) -> Web:
    """Acme has INV-000001 of GBP 180.00 and Buildco INV-000002 of GBP 270.00, of 31 May 2026."""
    generate(office.app.views, TODAY, NOON)
    office.app.views.catch_up()
    found = office.rows("SELECT number, client_id, total_minor FROM books.invoices ORDER BY number")
    assert found == [("INV-000001", "acme", 18_000), ("INV-000002", "buildco", 27_000)]
    return office


def paid(payment_id: str, amount_minor: int, **given: Any) -> Row:
    """A payment as the bank's program says it."""
    fields = {
        "event_id": f"00000000-0000-4000-9000-{next(_COUNT):012x}", "source": "bank", "occurred_at": NOON, "client_id": "acme",
        "payment_id": payment_id, "amount_minor": amount_minor, "currency": "GBP", "received_at": NOON, "method": "bank",
        "invoice_numbers": [], "surcharge_minor": 0, "fee_minor": 0, "provider": None, "provider_ref": None, **given,
    }  # fmt: skip
    return "daybook.payments", "PaymentReceived", fields


def outstanding(office: Web) -> dict[str, int]:
    """What is open of each invoice."""
    office.app.views.catch_up()
    return dict(office.rows("SELECT number, outstanding_minor FROM books.open_items"))


def counted(office: Web) -> int:
    """How many payments the book holds."""
    [(count,)] = office.rows("SELECT count(*) FROM ledger.daybook_events WHERE topic = 'payment.received.v1'")
    return int(count)

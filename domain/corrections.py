"""What people decide about a whole document: it is voided, or given up; and the day on which it was settled."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceVoided:
    """An invoice that should never have been: the credit note `credited_by` takes back all that stood of it."""

    TOPIC: ClassVar[str] = "invoice.voided.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    number: str
    credited_by: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceWrittenOff:
    """The provider gives up what is left of an invoice; the invoice stays posted (product K2). `reason` is ciphertext."""

    TOPIC: ClassVar[str] = "invoice.written_off.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    number: str
    currency: str
    amount_minor: int
    written_off_on: date
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSettled:
    """Nothing was left to pay of an invoice, for the first time."""

    TOPIC: ClassVar[str] = "invoice.settled.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    number: str
    settled_on: date


Correction = InvoiceVoided | InvoiceWrittenOff | InvoiceSettled

"""Money that moved: payments, failures, refunds, chargebacks, payouts, and the cards on file."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReceived:
    """A payer was charged `amount_minor`, surcharge included (product R1)."""

    TOPIC: ClassVar[str] = "payment.received.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    payment_id: str
    amount_minor: int
    currency: str
    received_at: datetime
    method: str
    invoice_numbers: tuple[str, ...]
    surcharge_minor: int
    fee_minor: int
    provider: str | None
    provider_ref: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed:
    """A payment was tried and did not go through."""

    TOPIC: ClassVar[str] = "payment.failed.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    payment_id: str
    invoice_numbers: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRefunded:
    """Part or all of a payment was given back by the provider."""

    TOPIC: ClassVar[str] = "payment.refunded.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    payment_id: str
    refund_id: str
    amount_minor: int
    currency: str | None
    at: datetime | None
    fee_minor: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentChargedBack:
    """The payer's bank took a payment back."""

    TOPIC: ClassVar[str] = "payment.charged_back.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    payment_id: str
    refund_id: str
    amount_minor: int
    currency: str | None
    at: datetime | None
    fee_minor: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutSettled:
    """A payment service paid its collected money out to the provider's bank."""

    TOPIC: ClassVar[str] = "payout.settled.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    payout_id: str
    provider: str
    amount_minor: int
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSaved:
    """A client left a card on file with a payment service."""

    TOPIC: ClassVar[str] = "card.saved.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    provider: str
    customer_ref: str
    payment_method_ref: str
    brand: str
    last4: str
    funding: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRemoved:
    """A card on file is no longer to be used."""

    TOPIC: ClassVar[str] = "card.removed.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    payment_method_ref: str

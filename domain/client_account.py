"""A client of the MSP: who is billed, in which currency and zone, on which terms, and how it is reminded."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDefined:
    """The client's full state; zone, working hours, tax code and currency count from `effective_from` (product D5)."""

    TOPIC: ClassVar[str] = "client.defined.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    revision: int
    effective_from: date | None
    name: str
    currency: str
    time_zone: str
    payment_terms_days: int
    country: str | None
    address: tuple[str, ...]
    city: str | None
    postcode: str | None
    region: str | None
    tax_code: str | None
    tax_number: str | None
    billing_emails: tuple[str, ...]
    electronic_address: str | None
    purchase_order: str | None
    working_hours: str | None
    invoice_series: str | None
    surcharge_policy: str | None
    autopay: bool
    use_credit: bool
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementSchedule:
    """When account statements go out: a day of the month or a weekday; neither: no statements."""

    day_of_month: int | None
    weekday: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderPolicySet:
    """How a client (or, as "*", every client) is reminded; a null field inherits."""

    TOPIC: ClassVar[str] = "reminder_policy.set.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    revision: int
    new_invoice: bool | None
    statement: StatementSchedule | None
    due_offsets_days: tuple[int, ...] | None
    minimum_balance_minor: int | None
    opted_out: bool | None

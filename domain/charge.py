"""One-off charges: hardware, licences, travel and expenses, logged and approved upstream like time."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLogged:
    """A one-off charge as first logged."""

    TOPIC: ClassVar[str] = "charge.logged.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    charge_id: str
    revision: int
    contract_id: str | None
    project_id: str | None
    description: str
    charged_on: date
    quantity: Decimal
    unit: str
    unit_price: Decimal
    currency: str
    unit_cost: Decimal | None
    tax_code: str | None
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeAmended:
    """The charge's full new state under a higher revision."""

    TOPIC: ClassVar[str] = "charge.amended.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    charge_id: str
    revision: int
    contract_id: str | None
    project_id: str | None
    description: str
    charged_on: date
    quantity: Decimal
    unit: str
    unit_price: Decimal
    currency: str
    unit_cost: Decimal | None
    tax_code: str | None
    account: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeWithdrawn:
    """The charge was taken back upstream."""

    TOPIC: ClassVar[str] = "charge.withdrawn.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    charge_id: str
    revision: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeApproved:
    """A manager approved this revision of the charge."""

    TOPIC: ClassVar[str] = "charge.approved.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    charge_id: str
    revision: int
    approver_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRejected:
    """A manager rejected this revision of the charge."""

    TOPIC: ClassVar[str] = "charge.rejected.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    charge_id: str
    revision: int
    approver_id: str
    reason: str

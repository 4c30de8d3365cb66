"""A contract and its lines: what was agreed with a client, as a full state from a day on."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """What every contract line has; `frequency` null is the contract's."""

    line_id: str
    description: str
    tax_code: str | None
    account: str
    timing: str
    starts_on: date | None
    ends_on: date | None
    frequency: str | None
    unit_cost: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One step of a tiered price; `up_to` inclusive, null for the last."""

    up_to: Decimal | None
    unit_price: Decimal
    flat: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A stage of fixed-price work and what it is worth when reached."""

    milestone_id: str
    description: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringLine(_Line):
    """A fixed fee: quantity x price each period."""

    type: str = "RecurringLine"
    quantity: Decimal
    unit_price: Decimal
    prorate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatLine(_Line):
    """Seats of a product, counted by the first of `systems` that reports."""

    type: str = "SeatLine"
    product: str
    systems: tuple[str, ...]
    unit_price: Decimal | None
    tiers: tuple[Tier, ...]
    tier_mode: str | None
    policy: str
    minimum_quantity: int | None
    term_months: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceLine(_Line):
    """Hours included for a fee, and what the hours beyond them cost."""

    type: str = "AllowanceLine"
    charge_types: tuple[str, ...]
    included_minutes: int
    per: str
    price: Decimal
    rollover_periods: int
    rollover_cap_minutes: int | None
    overage: str | dict[str, Decimal]
    draw_order: int
    warn_at_percent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLine(_Line):
    """Hours sold at once and drawn down at 0.00."""

    type: str = "BlockLine"
    block_id: str
    charge_types: tuple[str, ...]
    minutes: int
    price: Decimal
    bought_on: date
    expires_on: date | None
    overage: str | dict[str, Decimal]
    draw_order: int
    warn_at_percent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine(_Line):
    """A meter's usage beyond what is included."""

    type: str = "UsageLine"
    meter: str
    aggregation: str
    included: Decimal | None
    tiers: tuple[Tier, ...]
    tier_mode: str
    package_size: Decimal | None
    minimum_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPriceLine(_Line):
    """A project at a fixed price, paid by milestones; its time is shown and not billed again if bundled."""

    type: str = "FixedPriceLine"
    project_id: str
    milestones: tuple[Milestone, ...]
    bundles_time: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLine(_Line):
    """This contract's hourly rate in place of the charge type's."""

    type: str = "RateLine"
    charge_type: str
    rates: dict[str, Decimal]


ContractLine = RecurringLine | SeatLine | AllowanceLine | BlockLine | UsageLine | FixedPriceLine | RateLine

LINE_TYPES: dict[str, type[ContractLine]] = {
    "RecurringLine": RecurringLine,
    "SeatLine": SeatLine,
    "AllowanceLine": AllowanceLine,
    "BlockLine": BlockLine,
    "UsageLine": UsageLine,
    "FixedPriceLine": FixedPriceLine,
    "RateLine": RateLine,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractDefined:
    """The contract's full state, lines included, from `effective_from` until the next state's."""

    TOPIC: ClassVar[str] = "contract.defined.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    contract_id: str
    revision: int
    effective_from: date
    name: str
    currency: str
    is_default: bool
    starts_on: date
    ends_on: date | None
    frequency: str
    anchor_day: int
    anchor_month: int | None
    prices_include_tax: bool
    purchase_order: str | None
    lines: tuple[ContractLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneReached:
    """A stage of a fixed-price line was reached on a day."""

    TOPIC: ClassVar[str] = "milestone.reached.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    contract_id: str
    line_id: str
    milestone_id: str
    reached_on: date

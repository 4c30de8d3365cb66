"""What rating says: amounts that explain themselves, and what waits with its reason."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

REASONS: Final = (
    "awaiting_approval", "rejected", "amended_after_invoicing", "client_changed", "unknown_client",
    "unknown_charge_type", "unknown_tax_code", "unknown_value", "which_contract", "contract_not_in_force", "no_rate",
    "impossible_value", "ambiguous_line", "depends_on_dead_letter", "not_yet_supported", "unmatched_payment",
    "wrong_currency", "entry_not_seen",
)  # fmt: skip
"""Every reason for which a fact waits; where several hold, the first of this list is shown."""

_RANK: Final = {reason: index for index, reason in enumerate(REASONS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedLine:
    """One line of an item: hours or units at a price.

    `part` tells the lines of one item apart.
    `amount_minor` is net, or gross where `gross` says that the price holds the tax (product M8).
    `tax_code` is the line's or the charge type's own; the client's is looked at when the document is made.
    """

    part: str
    description: str
    charge_type: str | None
    kind: str
    service_from: date
    service_to: date
    quantity: Decimal
    unit: str
    unit_price: Decimal
    currency: str
    amount_minor: int
    gross: bool
    tax_code: str | None
    account: str
    rule: str
    arithmetic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatSegment:
    """Days of a period, [segment_start, segment_end), at one quantity of seats, and what they bring to the line.

    `net_minor` is in the line's own terms (gross where prices hold the tax); `unit_price` is null where tiers price seats
    differently.
    """

    period_start: date
    period_end: date
    segment_start: date
    segment_end: date
    quantity: int
    unit_price: Decimal | None
    currency: str
    net_minor: int
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One time entry inside an item: the minutes it brings, taken as they are where an approval fixed them."""

    time_entry_id: str
    minutes: int
    fixed: bool
    worked_on: date
    started_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedItem:
    """One billable item as it stands; `stays` means that it waits and what was invoiced of it stays meanwhile."""

    key: str
    due_on: date
    lines: tuple[RatedLine, ...] = ()
    sources: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    segments: tuple[SeatSegment, ...] = ()
    stays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A fact that is kept and shown and not billed, with the reason and since when (the instant it was said)."""

    client_id: str
    what: str
    id: str
    reason: str
    since: datetime
    minutes: int = 0
    currency: str | None = None
    served_on: date | None = None


def first_reason(reasons: list[str]) -> str:
    """Of several reasons the one to show."""
    return min(reasons, key=_RANK.__getitem__)

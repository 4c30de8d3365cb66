"""What people, and the calendar, decide about what is billed: holds, releases, adjustments, and the opening of a day."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHeld:
    """A person keeps an item off the run, with a reason (ciphertext)."""

    TOPIC: ClassVar[str] = "item.held.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    item_key: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReleased:
    """A person lets a held item go on the next run."""

    TOPIC: ClassVar[str] = "item.released.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    item_key: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeAdjusted:
    """A person changes what an item costs: a discount, a no-charge, goodwill; negative takes off.

    One that `waives` gives up what a line is worth: it takes off at most what the item comes to (ADR 019).
    """

    TOPIC: ClassVar[str] = "charge.adjusted.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    item_key: str
    adjustment_id: str
    currency: str
    amount_minor: int
    by: str
    reason: str
    waives: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessDayOpened:
    """The calendar moved on to a day: what was served up to its close can fall due."""

    TOPIC: ClassVar[str] = "business_day.opened.v1"
    event_id: str
    occurred_at: datetime
    day: date


Decision = ItemHeld | ItemReleased | ChargeAdjusted | BusinessDayOpened

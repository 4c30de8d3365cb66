"""What machines report: seat counts, each absolute from its instant on, and readings of usage meters."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatCountReported:
    """A system counted a product's seats at an instant."""

    TOPIC: ClassVar[str] = "seat_count.reported.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    product: str
    system: str
    quantity: int
    as_of: datetime
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReported:
    """A meter was read at an instant."""

    TOPIC: ClassVar[str] = "usage.reported.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    meter: str
    reading_id: str
    revision: int
    quantity: Decimal
    at: datetime

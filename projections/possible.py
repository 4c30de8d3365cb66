"""Which statements of money can be true at all: one that cannot takes nothing from one that can."""

from datetime import datetime, timedelta
from typing import Final

from domain.calendar import is_plausible
from domain.contract_terms import is_currency
from domain.money import MOST_MINOR

# Nobody knows of money before it moved; clocks and zones of two systems may differ by a day.
ROUND_A_DAY: Final = timedelta(days=1)


def payment_fault(
    currency: str, amount_minor: int, surcharge_minor: int, received_at: datetime, occurred_at: datetime
) -> str | None:
    """Why nobody can have paid that, `unknown_value` or `impossible_value`; null where somebody can."""
    if not is_currency(currency):
        return "unknown_value"
    if not 0 < amount_minor <= MOST_MINOR or not 0 <= surcharge_minor <= amount_minor:
        return "impossible_value"
    return None if _can_have_been(received_at, occurred_at) else "impossible_value"


def return_fault(amount_minor: int, returned_at: datetime, occurred_at: datetime) -> str | None:
    """Why that cannot have gone back, `impossible_value`; null where it can."""
    possible = 0 <= amount_minor <= MOST_MINOR and _can_have_been(returned_at, occurred_at)
    return None if possible else "impossible_value"


def _can_have_been(at: datetime, said_at: datetime) -> bool:
    return is_plausible(at) and at <= said_at + ROUND_A_DAY

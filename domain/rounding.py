"""How worked minutes become billed minutes, hours and an amount (T1, M3)."""

from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from domain.money import amount_minor, to_places


class UnknownRounding(ValueError):
    """A charge type names a rounding that is not `up`, `down` or `nearest`."""


def to_increment(amount: int, increment: int, rounding: str) -> int:
    """A whole number of units on an increment's grid; a tie goes up, an increment of 0 or 1 changes nothing."""
    step = max(increment, 1)
    match rounding:
        case "up":
            return -(-amount // step) * step
        case "down":
            return amount // step * step
        case "nearest":
            return (2 * amount + step) // (2 * step) * step
        case _:
            raise UnknownRounding(f"rounding must be up, down or nearest, not {rounding!r}")


def billed_minutes(minutes: int, minimum: int, increment: int, rounding: str) -> int:
    """The minutes a client pays for: none for none, else at least the minimum, on the increment's grid (T1).

    `minutes` is worked less deducted; below zero it is an impossible value, which waits and is never rated.
    """
    if minutes < 0:
        raise ValueError(f"{minutes} minutes cannot be billed")
    raised = to_increment(max(minutes, minimum), increment, rounding)
    return max(minimum, raised) if minutes else 0


@lru_cache(maxsize=1 << 13)
def hours(minutes: int) -> Decimal:
    """Minutes as the hours a line shows, to 8 places (50 minutes are 0.83333333)."""
    return to_places(Fraction(minutes, 60), 8)


def time_amount_minor(minutes: int, rate_per_hour: Decimal, currency: str) -> int:
    """The price of billed minutes: minutes x rate / 60, rounded once; never the shown hours x rate (M3)."""
    above, below = rate_per_hour.as_integer_ratio()
    return amount_minor(minutes * above, Fraction(1, 60 * below), currency)

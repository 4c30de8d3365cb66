"""What a quantity costs under a price list with steps (product S3, U1)."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from domain.contract import Tier
from domain.money import Quantity

MODES = ("graduated", "volume")


def tier_fault(tiers: Sequence[Tier], mode: str | None) -> str | None:
    """Why a price list cannot be read; null where it can.

    Its upper bounds rise from above zero, and the last tier alone has none: every quantity has one price.
    """
    if mode not in MODES:
        return "unknown_value"
    bounds = [tier.up_to for tier in tiers]
    if not bounds or bounds[-1] is not None:
        return "impossible_value"
    before = Decimal(0)
    for bound in bounds[:-1]:
        if bound is None or bound <= before:
            return "impossible_value"
        before = bound
    return None


def tiered_price(quantity: Quantity, tiers: Sequence[Tier], mode: str | None) -> Fraction:
    """The exact price of a quantity in major units, upper bounds inclusive.

    `graduated`: each part at its own tier's price; `volume`: all of it at the price of the tier it reaches.
    A tier's `flat` is added once the tier is entered, so that nothing costs nothing.
    """
    units = Fraction(quantity)
    if units <= 0:
        return Fraction()
    if mode == "volume":
        tier = tier_of(units, tiers)
        return units * Fraction(tier.unit_price) + Fraction(tier.flat or 0)
    price, below = Fraction(), Fraction()
    for tier in tiers:
        if units <= below:
            break
        top = units if tier.up_to is None else min(units, Fraction(tier.up_to))
        price += (top - below) * Fraction(tier.unit_price) + Fraction(tier.flat or 0)
        below = top
    return price


def tier_of(quantity: Quantity, tiers: Sequence[Tier]) -> Tier:
    """The tier a quantity reaches."""
    return next((tier for tier in tiers if tier.up_to is None or Fraction(quantity) <= tier.up_to), tiers[-1])

"""What people type for money, and how they are told what is wrong with it, field by field."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from domain.money import MOST_MINOR, UnknownCurrency, minor_digits
from runs.errors import Refused

MOST_SIGNS: Final = 40


class NotTaken(Refused):
    """What was typed could not be taken; `faults` says by field what is wrong."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = dict(faults)


def read_money(text: str, currency: str, name: str) -> int:
    """An amount above zero as typed, in minor units of its currency; raises NotTaken naming the field."""
    text = text.strip()
    try:
        digits = minor_digits(currency)
    except UnknownCurrency:
        raise NotTaken({"currency": f"“{currency[:10]}” is no currency such as GBP."}) from None
    example = f"{Decimal(12500).scaleb(-digits):.{digits}f}"
    no_amount = NotTaken({name: f"“{text[:20]}” is no amount such as {example}."})
    if not text.isascii() or len(text) > MOST_SIGNS or "_" in text:
        raise no_amount
    try:
        scaled = Decimal(text).scaleb(digits)
    except ArithmeticError:
        raise no_amount from None
    if not scaled.is_finite():
        raise no_amount
    if scaled <= 0:
        raise NotTaken({name: "The amount must be above zero."})
    if scaled > MOST_MINOR:
        raise NotTaken({name: f"{text[:20]} is beyond belief."})
    if scaled != scaled.to_integral_value():
        raise NotTaken({name: f"{currency} has {digits} decimal places; {text[:20]} has more."})
    return int(scaled)

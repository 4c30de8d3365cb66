"""What people type for money, read in one way everywhere, and how they are told what is wrong with it, field by field."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from daybook.printing import clean
from domain.money import MOST_MINOR, UnknownCurrency, minor_digits
from runs.errors import Refused

MOST_SIGNS: Final = 40
A_PAYMENT: Final = 12_500
A_DISCOUNT: Final = -2_500
A_CHARGE: Final = 150_000
"""What an example amounts to, in minor units."""
MOST_SHOWN: Final = 20
_IN_THOUSANDS: Final = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")
_COMMA_FOR_POINT: Final = re.compile(r"([+-]?[0-9]+|[+-]?[0-9]{1,3}(?:\.[0-9]{3})+),([0-9]{1,2})")


class NotTaken(Refused):
    """What was typed could not be taken; `faults` says by field what is wrong."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = dict(faults)


class NoAmount(Refused):
    """What was typed is no amount of that currency: it says why, and what to write."""


def read_money(text: str, currency: str, name: str) -> int:
    """An amount above zero as typed, in minor units of its currency; raises NotTaken naming the field."""
    try:
        minor = read_minor(text, currency)
    except UnknownCurrency:
        raise NotTaken({"currency": f"“{currency[:10]}” is no currency such as GBP."}) from None
    except NoAmount as error:
        raise NotTaken({name: str(error)}) from None
    if minor <= 0:
        raise NotTaken({name: "The amount must be above zero."})
    return minor


def read_minor(text: str, currency: str, example: int = A_PAYMENT) -> int:
    """Money as typed, of any sign, in minor units of its currency; raises NoAmount, or UnknownCurrency.

    Commas may part thousands, and nothing else: 1,5 may mean one and a half or fifteen, so that it is sent back.
    """
    digits = minor_digits(currency)
    shown = clean(text.strip()[:MOST_SHOWN])
    no_amount = NoAmount(f"“{shown}” is no amount such as {_major(example, digits)}.")
    plain = without_thousands(text.strip().replace("\N{MINUS SIGN}", "-"), f"{Decimal(123_450).scaleb(-digits):,.{digits}f}")
    if not plain.isascii() or len(plain) > MOST_SIGNS or "_" in plain:
        raise no_amount
    try:
        scaled = Decimal(plain).scaleb(digits)
    except ArithmeticError:
        raise no_amount from None
    if not scaled.is_finite():
        raise no_amount
    if abs(scaled) > MOST_MINOR:
        raise NoAmount(f"{shown} is beyond belief.")
    if scaled != scaled.to_integral_value():
        raise NoAmount(f"{currency} has {digits} decimal places; {shown} has more.")
    return int(scaled)


def without_thousands(text: str, example: str = "1,234.50") -> str:
    """A number as typed, without the commas that part its thousands; raises NoAmount for a comma that parts none."""
    if "," not in text:
        return text
    if _IN_THOUSANDS.fullmatch(text):
        return text.replace(",", "")
    meant = _COMMA_FOR_POINT.fullmatch(text) if "." in example else None
    write = f"{meant[1].replace('.', '')}.{meant[2]}, with a point" if meant else f"it as in {example}"
    raise NoAmount(f"“{clean(text[:MOST_SHOWN])}” has a comma that parts no thousands: write {write}.")


def _major(minor: int, digits: int) -> str:
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"

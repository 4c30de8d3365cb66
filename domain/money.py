"""What an amount is: minor units of one currency, computed exactly, rounded once, half away from zero (M1, M4, M8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Self

Quantity = Fraction | Decimal | int


MOST_MAJOR = 10**12
"""The largest amount, in whole currency units, that one price or line may come to: a typing mistake beyond belief.

"""
MOST_MINOR = 10**14
"""The same in minor units: sums of tens of thousands of such lines still fit where amounts are stored."""


class UnknownCurrency(LookupError):
    """The code is no ISO 4217 currency, so nobody knows how many minor units it has."""


class CurrencyMismatch(ValueError):
    """Two amounts in different currencies were added or subtracted."""


# ISO 4217 by minor digits; a withdrawn code stays, since old invoices keep it. Metals and test codes have none.
_CODES_BY_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF "
        "CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ "
        "GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD "
        "MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
        "RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH "
        "USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG ZWL"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS = {code: digits for digits, codes in _CODES_BY_DIGITS.items() for code in codes.split()}


def minor_digits(currency: str) -> int:
    """How many decimal places the currency's amounts have: GBP 2, JPY 0, KWD 3."""
    try:
        return _DIGITS[currency]
    except KeyError:
        raise UnknownCurrency(f"{currency!r} is no ISO 4217 currency code") from None


def is_beyond_belief(major: Quantity, currency: str) -> bool:
    """No line of an invoice comes to that much; an unknown currency is told elsewhere."""
    try:
        scale = 10 ** minor_digits(currency)
    except UnknownCurrency:
        scale = 1
    amount = abs(Fraction(major))
    return amount > MOST_MAJOR or amount * scale > MOST_MINOR


@dataclass(frozen=True, slots=True)
class Money:
    """An amount a person can be asked to pay: minor units and their currency, which never mix."""

    minor: int
    currency: str

    def __add__(self, other: Self) -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Self) -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def _same(self, other: Self) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix without a rate of exchange")
        return other.minor

    @property
    def major(self) -> Decimal:
        """The amount as people write it: 3406 GBP is 34.06."""
        return Decimal(self.minor).scaleb(-minor_digits(self.currency))


def _divide(numerator: int, denominator: int) -> int:
    """Round a ratio with a positive denominator, half away from zero; integers only, since every charge passes here."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -magnitude if numerator < 0 else magnitude


def round_half_away(value: Quantity) -> int:
    """The whole number nearest to an exact value, a half going away from zero, so that a credit mirrors its invoice."""
    return _divide(*value.as_integer_ratio())


def to_places(value: Quantity, places: int) -> Decimal:
    """An exact value at so many decimal places, rounded once, half away from zero (-2 rounds to hundreds)."""
    scale = Fraction(10) ** places
    return Decimal(round_half_away(Fraction(value) * scale)).scaleb(-places)


def amount_minor(quantity: Quantity, unit_price: Quantity, currency: str) -> int:
    """What a quantity costs, in minor units: exact product, one rounding."""
    units, parts = quantity.as_integer_ratio()
    price, price_parts = unit_price.as_integer_ratio()
    return _divide(units * price * int(10 ** minor_digits(currency)), parts * price_parts)


def split(total_minor: int, weights: Sequence[Quantity]) -> tuple[int, ...]:
    """Share a total by weight, to the last unit: largest remainder on the magnitude, ties to the earliest (M4).

    The parts sum to the total and a negative total is the mirror of the positive one.
    Raises ValueError if there are no weights, one is negative, or all are zero.
    """
    ratios = [weight.as_integer_ratio() for weight in weights]
    common = lcm(*(below for _, below in ratios))
    scaled = [above * (common // below) for above, below in ratios]
    whole = sum(scaled)
    if whole <= 0 or min(scaled) < 0:
        raise ValueError(f"weights must be zero or more, and not all zero: {list(weights)}")
    shares = [divmod(abs(total_minor) * weight, whole) for weight in scaled]
    parts = [part for part, _ in shares]
    missing = abs(total_minor) - sum(parts)
    for index in sorted(range(len(parts)), key=lambda at: -shares[at][1])[:missing]:
        parts[index] += 1
    return tuple(-part for part in parts) if total_minor < 0 else tuple(parts)


def tax_minor(net_minor: int, percent: Decimal) -> int:
    """The tax on a net amount, rounded once."""
    above, below = percent.as_integer_ratio()
    return _divide(net_minor * above, 100 * below)


def tax_within(gross_minor: int, percent: Decimal) -> int:
    """The tax a gross amount already holds: gross x r / (100 + r), rounded; the net is what remains (M8)."""
    above, below = percent.as_integer_ratio()
    return _divide(gross_minor * above, 100 * below + above)


def tax_by_group(lines: Sequence[tuple[int, Decimal]]) -> tuple[int, ...]:
    """The tax of each (net minor, percent) line when tax is rounded once per percent (`rate_group`, M7).

    Each group's tax is shared over its lines, so that the lines sum to what the document says.
    """
    taxes = [0] * len(lines)
    groups: dict[Decimal, list[int]] = {}
    for index, (_, percent) in enumerate(lines):
        groups.setdefault(percent, []).append(index)
    for percent, members in groups.items():
        nets = [lines[index][0] for index in members]
        for index, tax in zip(members, _group_taxes(nets, percent), strict=True):
            taxes[index] = tax
    return tuple(taxes)


def _group_taxes(nets: Sequence[int], percent: Decimal) -> Sequence[int]:
    """One group's tax over its lines by net (M4); where credits stand beside charges, by each line's own exact tax."""
    total = tax_minor(sum(nets), percent)
    if not any(nets):
        return [0] * len(nets)
    if min(nets) >= 0 or max(nets) <= 0:
        return split(total, [abs(net) for net in nets])
    above, below = percent.as_integer_ratio()
    whole = [abs(net) * above // (100 * below) * (1 if net >= 0 else -1) for net in nets]
    missing = total - sum(whole)
    step = 1 if missing > 0 else -1
    left = [step * (net * above - part * 100 * below) for net, part in zip(nets, whole, strict=True)]
    for index in sorted(range(len(nets)), key=lambda at: -left[at])[: abs(missing)]:
        whole[index] += step
    return whole

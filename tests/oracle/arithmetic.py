"""Exact sums in `Fraction`, rounded once, and the minor units of every currency."""

from decimal import Decimal
from fractions import Fraction

from .rules import PRODUCT, Rules

_NO_MINOR_UNIT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"
_TWO_DIGITS = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR
IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD
NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD YER ZAR ZMW ZWG
"""
_DIGITS = {
    code: digits
    for digits, codes in ((0, _NO_MINOR_UNIT), (2, _TWO_DIGITS), (3, _THREE_DIGITS), (4, _FOUR_DIGITS))
    for code in codes.split()
}
_EIGHT_PLACES = 10**8


def is_currency(code: str) -> bool:
    """Whether ISO 4217 knows the code."""
    return code in _DIGITS


def rounded(exact: Fraction, half: str = "away") -> int:
    """The nearest integer; a tie goes away from zero (M1)."""
    magnitude, sign = abs(exact), -1 if exact < 0 else 1
    whole, rest = divmod(magnitude.numerator, magnitude.denominator)
    twice = 2 * rest
    up = twice > magnitude.denominator
    if twice == magnitude.denominator:
        up = half == "away" or (half == "even" and whole % 2 == 1)
    return sign * (whole + up)


def to_minor(exact: Fraction, currency: str, rules: Rules = PRODUCT) -> int:
    """An exact amount in major units as integer minor units."""
    return rounded(exact * 10 ** _DIGITS[currency], rules.half)


def eight_places(exact: Fraction) -> Decimal:
    """A quantity as it is shown: 8 decimal places."""
    return Decimal(rounded(exact * _EIGHT_PLACES)) / _EIGHT_PLACES


def tax_of_line(net_minor: int, percent: Decimal, rules: Rules = PRODUCT) -> int:
    """The tax of one item under `line` rounding (M7)."""
    return rounded(net_minor * Fraction(percent) / 100, rules.half)


def billed_minutes(minutes: int, minimum: int, increment: int, rounding: str, rules: Rules = PRODUCT) -> int:
    """T1: what is billed of `minutes` already reduced by the deduction."""
    if minutes == 0 and not rules.minimum_for_zero:
        return 0
    base = max(minutes, minimum) if rules.minimum_first else minutes
    steps, rest = divmod(base, increment)
    if rest and (rounding == "up" or (rounding == "nearest" and 2 * rest >= increment)):
        steps += 1
    return max(minimum, steps * increment)

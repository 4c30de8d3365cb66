"""How figures are printed: amounts by their currency's digits, hours that multiply out, days in words."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

from domain.money import amount_minor, minor_digits

MINUS: Final = "\N{MINUS SIGN}"
NO_BREAK_SPACE: Final = "\N{NO-BREAK SPACE}"
EXACT_PLACES: Final = 4
"""Quantities of more places were computed (a share of a period): they are printed as short as they still multiply out."""
MOST_PLACES: Final = 8
ENOUGH_OF_A_CENT: Final = 1
"""A share is kept to 8 places, which on a high price may miss the amount by one minor unit."""
SEVERAL: Final = {"seat": "seats"}
"""Our own units, of which there can be several; upstream's are printed as they were said."""
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def amount(minor: int, currency: str) -> str:
    """An amount without its currency: 1,875.00, −25.00; JPY has no decimals, KWD three."""
    digits = minor_digits(currency)
    return _signed(f"{abs(Decimal(minor).scaleb(-digits)):,.{digits}f}", minor < 0)


def money(minor: int, currency: str) -> str:
    """The same with its currency, never broken over two lines: GBP 1,875.00."""
    return f"{currency}{NO_BREAK_SPACE}{amount(minor, currency)}"


def price(value: Decimal, currency: str) -> str:
    """A unit price: at least its currency's places, more where it has them."""
    return _grouped(value, max(minor_digits(currency), places_of(value)))


def percent(value: Decimal) -> str:
    """A rate of tax: 20 %, 7.5 %."""
    return f"{_grouped(value, places_of(value))}{NO_BREAK_SPACE}%"


def quantity(value: Decimal, unit: str, unit_price: Decimal, currency: str, minor: int) -> str:
    """A quantity with its unit, so that what is printed times the price is the amount (product M3).

    Hours are printed to two places, or as h:mm where they are no whole hundredths.
    """
    if unit == "hour":
        return f"{hours(value)}{NO_BREAK_SPACE}h"
    name = "" if unit == "period" else NO_BREAK_SPACE + (SEVERAL.get(unit, unit) if value != 1 else unit)
    return f"{_grouped(value, _telling_places(value, unit_price, currency, minor))}{name}"


def hours(value: Decimal) -> str:
    """Hours to two places, or as h:mm where they are no whole hundredths."""
    if value * 100 == int(value * 100):
        return _grouped(value, 2)
    whole = _minutes(value)
    return _signed(f"{abs(whole) // 60:,}:{abs(whole) % 60:02d}", whole < 0)


def misses(value: Decimal, unit: str, unit_price: Decimal, currency: str, minor: int) -> int:
    """By how many minor units quantity times price is not the amount; hours count as the minutes that they are."""
    exact = Fraction(_minutes(value), 60) if unit == "hour" else Fraction(value)
    return amount_minor(exact, unit_price, currency) - minor


def _telling_places(value: Decimal, unit_price: Decimal, currency: str, minor: int) -> int:
    places = places_of(value)
    for fewer in range(EXACT_PLACES, min(places, MOST_PLACES)):
        if amount_minor(round(value, fewer), unit_price, currency) == minor:
            return places_of(round(value, fewer))
    return places


def _minutes(value: Decimal) -> int:
    return round(value * 60)


def places_of(value: Decimal) -> int:
    """How many decimal places a number needs."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _grouped(value: Decimal, places: int) -> str:
    return _signed(f"{abs(value):,.{places}f}", value < 0)


def _signed(text: str, negative: bool) -> str:
    return MINUS + text if negative else text


def day(value: date) -> str:
    """31 May 2026, whatever language the machine speaks."""
    return f"{value.day}{NO_BREAK_SPACE}{_MONTHS[value.month - 1]}{NO_BREAK_SPACE}{value.year}"


def days(first: date, last: date) -> str:
    """A service period: one day, or from first to last, the month and year said once."""
    if first == last:
        return day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}"
    start = day(first) if first.year != last.year else day(first).rpartition(NO_BREAK_SPACE)[0]
    return f"{start} – {day(last)}"

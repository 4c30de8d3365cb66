"""What part of a period's price was served, and what it costs (S1, S3)."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

from domain.calendar import BillingPeriod
from domain.money import Quantity, amount_minor

Value = TypeVar("Value")


def prorated(segments: Sequence[tuple[int, Decimal, Decimal]], period_days: int, currency: str) -> int:
    """The price in minor units of (days, quantity, unit price) segments of a period, rounded once (S1, S3)."""
    worth = [(days, Fraction(quantity) * Fraction(price)) for days, quantity, price in segments]
    return amount_minor(served_quantity(worth, period_days), 1, currency)


def served_quantity(segments: Sequence[tuple[int, Quantity]], period_days: int) -> Fraction:
    """The exact mean over a period of what held for so many days each: seats, a price, or a price of a day's seats."""
    if period_days <= 0:
        raise ValueError(f"a period of {period_days} days has no share")
    return sum((days * Fraction(value) for days, value in segments), Fraction()) / period_days


def day_fraction(days_served: int, period_days: int) -> Fraction:
    """The exact share of a period that was served."""
    return served_quantity([(days_served, 1)], period_days)


def served(period: BillingPeriod, starts_on: date | None = None, ends_on: date | None = None) -> BillingPeriod | None:
    """The part of a period in which a line is served; `ends_on` is the last day served; None if there is none."""
    start = max(period.start, starts_on or period.start)
    end = min(period.end, ends_on + timedelta(days=1)) if ends_on and ends_on < period.end else period.end
    return BillingPeriod(start, end) if start < end else None


def days_served(period: BillingPeriod, starts_on: date | None = None, ends_on: date | None = None) -> int:
    """How many days of a period a line is served."""
    part = served(period, starts_on, ends_on)
    return part.days if part else 0


def spans(period: BillingPeriod, changes: Sequence[tuple[date, Value]]) -> Iterator[tuple[BillingPeriod, Value]]:
    """The runs of a period's days on which each effective-dated value held.

    `changes` are (first day, value) in order; of several on one day the last counts; days before the first hold none.
    """
    edges = [*(day for day, _ in changes), period.end]
    for (day, following), (_, value) in zip(pairwise(edges), changes, strict=True):
        start, end = max(day, period.start), min(following, period.end)
        if start < end:
            yield BillingPeriod(start, end), value


def days_of_30(span: BillingPeriod) -> int:
    """A span's days when every month weighs 30: day 31 nothing, the last of a short month the rest (`daily_30`)."""
    return _day_of_30(span.end) - _day_of_30(span.start)


def _day_of_30(day: date) -> int:
    # a 31st lies 30 days in, just where the next month begins, so it weighs nothing
    return day.year * 360 + day.month * 30 + day.day - 1

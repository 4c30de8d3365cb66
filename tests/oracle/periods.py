"""Billing periods by D4, counted on the calendar alone."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from .rules import PRODUCT, Rules

STEP = {"monthly": 1, "quarterly": 3, "annual": 12}
"""Months from one boundary to the next."""


class Period(NamedTuple):
    """Days `[start, end)`; `full_start..end` is the enclosing period whose days divide a price."""

    start: date
    end: date
    full_start: date

    def days(self) -> Iterator[date]:
        """Each day of the period."""
        return (self.start + timedelta(n) for n in range((self.end - self.start).days))


class Cycle(NamedTuple):
    """How often a contract bills, and on which day."""

    frequency: str
    anchor_day: int
    anchor_month: int | None


def month_day(month_number: int, anchor_day: int) -> date:
    """The anchor day in a month counted from year 0, clamped to the month's end."""
    year, month = divmod(month_number, 12)
    return date(year, month + 1, min(anchor_day, monthrange(year, month + 1)[1]))


def first_boundary(starts_on: date, cycle: Cycle) -> int:
    """The month (counted from year 0) whose anchor day is the first boundary."""
    month_number = starts_on.year * 12 + starts_on.month - 1
    step = STEP[cycle.frequency]
    while month_day(month_number, cycle.anchor_day) < starts_on or (
        cycle.anchor_month is not None and step > 1 and (month_number + 1 - cycle.anchor_month) % step
    ):
        month_number += 1
    return month_number


def periods(changes: tuple[tuple[date, Cycle], ...], until: date, rules: Rules = PRODUCT) -> Iterator[Period]:
    """Every period starting on or before `until`.

    `changes` is the contract's start with its cycle, then each day from which another cycle is said;
    a new cycle counts from the first old boundary on or after its day (D5).
    """
    (start, cycle), later = changes[0], list(changes[1:])
    while start <= until:
        for period in _steady(start, cycle, rules):
            start = period.start
            if start > until or (later and period.start >= later[0][0] and period.start > changes[0][0]):
                break
            yield period
        if start > until:
            return
        while later and start >= later[0][0]:
            cycle = later.pop(0)[1]


def _steady(starts_on: date, cycle: Cycle, rules: Rules) -> Iterator[Period]:
    step, anchor_day = STEP[cycle.frequency], cycle.anchor_day
    month_number = first_boundary(starts_on, cycle)
    start, before = month_day(month_number, anchor_day), month_day(month_number - step, anchor_day)
    if starts_on < start:
        yield Period(starts_on, start, starts_on if rules.part_period_days == "part" else before)
    while True:
        month_number += step
        if rules.month_end == "drift":
            anchor_day = start.day
        end = month_day(month_number, anchor_day)
        yield Period(start, end, start)
        start = end

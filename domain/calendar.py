"""What a date means: the client's local day, the billing period it falls in and when terms run out (D1-D5)."""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, reset_tzpath

# A replay must see the same clocks on every machine: the pinned tzdata package is read, never the system's zone files.
reset_tzpath(to=())
ZoneInfo.clear_cache()

MONTHS_IN = {"monthly": 1, "quarterly": 3, "annual": 12}


class UnknownFrequency(ValueError):
    """A contract or line names a frequency that is not `monthly`, `quarterly` or `annual`."""


class ImpossibleAnchor(ValueError):
    """An anchor day is outside 1-31 or an anchor month outside 1-12."""


class UnknownZone(ValueError):
    """A time zone's name is not in the tz database."""


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """A half-open run of days, [start, end), that is billed as one."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days

    @property
    def last_day(self) -> date:
        """The last day served in it: in arrears it is due from this day's close."""
        return self.end - timedelta(days=1)

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end


@dataclass(frozen=True, slots=True)
class Period(BillingPeriod):
    """A period of a schedule, with the start of the full period around it, whose days are the denominator (D4)."""

    full_start: date

    @property
    def full(self) -> BillingPeriod:
        """The enclosing full period; for all but a part period, the period itself."""
        return BillingPeriod(self.full_start, self.end)

    @property
    def full_days(self) -> int:
        """The denominator of a proration."""
        return (self.end - self.full_start).days

    @property
    def is_part(self) -> bool:
        """Whether the period is the days before a schedule's first boundary."""
        return self.start != self.full_start


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often a contract bills and on which day its periods begin."""

    starts_on: date
    frequency: str
    anchor_day: int = 1
    anchor_month: int | None = None

    def __post_init__(self) -> None:
        if self.frequency not in MONTHS_IN:
            raise UnknownFrequency(f"frequency must be one of {', '.join(MONTHS_IN)}, not {self.frequency!r}")
        if not 1 <= self.anchor_day <= 31:
            raise ImpossibleAnchor(f"anchor day must be from 1 to 31, not {self.anchor_day}")
        if self.anchor_month is not None and not 1 <= self.anchor_month <= 12:
            raise ImpossibleAnchor(f"anchor month must be from 1 to 12, not {self.anchor_month}")

    def changed(self, effective_from: date, new: "Schedule") -> "Schedule":
        """The new schedule as it really begins: at this one's first boundary on or after `effective_from` (D5)."""
        return replace(new, starts_on=boundary_on_or_after(self, effective_from))


@lru_cache(maxsize=1 << 10)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name, with the rules of the pinned tz database; raises UnknownZone."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise UnknownZone(f"{name!r} is no time zone") from None


def is_plausible(instant: datetime) -> bool:
    """Whether something can have happened then: a clock set wrongly says the year 1, or 9999."""
    return 1970 <= instant.year < 2200


def local_day(instant: datetime, zone: str | ZoneInfo) -> date:
    """The business day of an instant: its date on the clocks of that zone."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone; an instant is aware")
    try:
        return instant.astimezone(_zone(zone)).date()
    except OverflowError:  # at the very ends of the calendar
        return instant.date()


def day_span(day: date, zone: str | ZoneInfo) -> tuple[datetime, datetime]:
    """The instants, in UTC and half-open, between which it is that day in the zone: not always 24 hours."""
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


def _midnight(day: date, zone: str | ZoneInfo) -> datetime:
    # fold=0 is the earlier of two midnights, and in a gap at midnight the gap's own instant: the day's first in both.
    return datetime.combine(day, time(), _zone(zone)).astimezone(UTC)


def _zone(zone: str | ZoneInfo) -> ZoneInfo:
    return zone if isinstance(zone, ZoneInfo) else zone_of(zone)


def add_months(day: date, months: int, anchor_day: int | None = None) -> date:
    """The day so many months on, on the anchor day clamped to the month's end: 31 January, 28 February, 31 March.

    Without an anchor day the day itself is the anchor; pass it to repeat, or a February shortens every month after.
    """
    return _anchored(_month(day) + months, anchor_day or day.day)


def due_on_terms(issued_on: date, days: int) -> date:
    """The due date: so many calendar days after the issue date."""
    return issued_on + timedelta(days=days)


def overdue_from(due_on: date) -> date:
    """The first day an unpaid invoice is overdue: the day after its due date (R3)."""
    return due_on + timedelta(days=1)


def first_boundary(schedule: Schedule) -> date:
    """The first anchor day on or after the schedule's start, in a month the anchor allows (D4)."""
    return _anchored(_first_month(schedule), schedule.anchor_day)


def periods(schedule: Schedule, until: date) -> Iterator[Period]:
    """Every period that starts on or before `until`, in order, from the day the schedule starts."""
    period = period_of(schedule, schedule.starts_on)
    while period is not None and period.start <= until:
        yield period
        period = period_of(schedule, period.end)


@lru_cache(maxsize=1 << 16)
def period_of(schedule: Schedule, day: date) -> Period | None:
    """The period of a day; None before the schedule starts, and at the calendar's end in the year 9999."""
    if day < schedule.starts_on:
        return None
    first = _first_month(schedule)
    step = MONTHS_IN[schedule.frequency]
    month = _month(day)
    if day < _anchored(month, schedule.anchor_day):
        month -= 1
    begins = first + (month - first) // step * step
    start, end = _anchored(begins, schedule.anchor_day), _anchored(begins + step, schedule.anchor_day)
    period = Period(max(start, schedule.starts_on), end, start)
    return period if day in period else None


def boundary_on_or_after(schedule: Schedule, day: date) -> date:
    """The first day on or after `day` on which a period of the schedule begins, its own start counting as one."""
    if day <= schedule.starts_on:
        return schedule.starts_on
    period = period_of(schedule, day)
    if period is None:
        return date.max
    return day if period.start == day else period.end


@lru_cache(maxsize=1 << 12)
def _first_month(schedule: Schedule) -> int:
    """The month of the first boundary; all others are counted from it."""
    month = _month(schedule.starts_on)
    if _anchored(month, schedule.anchor_day) < schedule.starts_on:
        month += 1
    if schedule.anchor_month is None:
        return month
    return month + (schedule.anchor_month - 1 - month) % MONTHS_IN[schedule.frequency]


def _month(day: date) -> int:
    """Months counted through the years, January being a multiple of 12."""
    return day.year * 12 + day.month - 1


def _anchored(month: int, anchor_day: int) -> date:
    """The anchor day of a month, clamped to the month's end and to the years a date can have."""
    year, before = divmod(month, 12)
    if year < 1:
        return date.min
    if year > 9999:
        return date.max
    if anchor_day > 28:
        anchor_day = min(anchor_day, monthrange(year, before + 1)[1])
    return date(year, before + 1, anchor_day)


def in_succession(states: Sequence[tuple[date, Schedule]]) -> tuple[Schedule, ...]:
    """The schedules of a contract that changes its frequency or anchor, each starting where it really takes over (D5).

    `states` are (effective_from, schedule) in order; the first counts from its own `starts_on`.
    Each counts until the next one's `starts_on`; a state that changes neither frequency nor anchor adds none.
    """
    return _in_succession(tuple(states))


@lru_cache(maxsize=1 << 12)
def _in_succession(states: tuple[tuple[date, Schedule], ...]) -> tuple[Schedule, ...]:
    chain = [states[0][1]] if states else []
    for effective_from, schedule in states[1:]:
        if replace(schedule, starts_on=chain[-1].starts_on) == chain[-1]:
            continue
        takes_over = chain[-1].changed(effective_from, schedule)
        if takes_over.starts_on == chain[-1].starts_on:
            chain.pop()  # the one before was overtaken before it began
        chain.append(takes_over)
    return tuple(chain)


def timeline(states: Sequence[tuple[date, Schedule]], until: date) -> Iterator[Period]:
    """Every period that starts on or before `until`, across changes of frequency and anchor.

    Where the new anchor lies after the old boundary a part period bridges.
    Its denominator is the full new period ending there.
    """
    chain = in_succession(states)
    period = period_in(chain, chain[0].starts_on) if chain else None
    while period is not None and period.start <= until:
        yield period
        period = period_in(chain, period.end)


def period_in(chain: Sequence[Schedule], day: date) -> Period | None:
    """The period of a day in the succession of schedules; None before the first starts."""
    for schedule in reversed(chain):
        if schedule.starts_on <= day:
            return period_of(schedule, day)
    return None

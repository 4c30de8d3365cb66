"""What a date means: local days, billing periods, and a contract that changes its rhythm."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import (
    BillingPeriod,
    ImpossibleAnchor,
    Period,
    Schedule,
    UnknownFrequency,
    UnknownZone,
    add_months,
    boundary_on_or_after,
    day_span,
    due_on_terms,
    first_boundary,
    in_succession,
    local_day,
    overdue_from,
    period_in,
    period_of,
    periods,
    timeline,
)

law = settings(max_examples=60, deadline=None)
days = st.dates(date(2019, 1, 1), date(2030, 12, 31))
rhythms = st.sampled_from(["monthly", "quarterly", "annual"])
anchors = st.integers(1, 31)
schedules = st.builds(Schedule, days, rhythms, anchors, st.none() | st.integers(1, 12))


def day(text: str) -> date:
    return date.fromisoformat(text)


def period(start: str, end: str, full_start: str | None = None) -> Period:
    return Period(day(start), day(end), day(full_start or start))


@pytest.mark.parametrize(
    ("instant", "zone", "expected"),
    [
        ("2026-05-31T22:59:59", "Europe/London", "2026-05-31"),
        ("2026-05-31T23:00:00", "Europe/London", "2026-06-01"),
        ("2026-05-31T23:00:00", "America/New_York", "2026-05-31"),
        ("2026-01-31T23:59:59", "Europe/London", "2026-01-31"),
        ("2026-03-29T00:30:00", "Europe/London", "2026-03-29"),
        ("2026-06-30T12:00:00", "Pacific/Kiritimati", "2026-07-01"),
    ],
)
def test_a_business_day_is_a_date_on_the_clients_clock(instant: str, zone: str, expected: str) -> None:
    assert local_day(datetime.fromisoformat(instant).replace(tzinfo=UTC), zone) == day(expected)


@pytest.mark.parametrize(
    ("text", "zone", "minutes"),
    [
        ("2026-03-28", "Europe/London", 24 * 60),
        ("2026-03-29", "Europe/London", 23 * 60),
        ("2026-10-25", "Europe/London", 25 * 60),
        ("2026-04-05", "Australia/Lord_Howe", 24 * 60 + 30),
        ("2026-10-04", "Australia/Lord_Howe", 23 * 60 + 30),
        ("2018-11-04", "America/Sao_Paulo", 23 * 60),  # the gap is at midnight itself
        ("2018-02-17", "America/Sao_Paulo", 25 * 60),
        ("2011-12-30", "Pacific/Apia", 0),  # the day that Samoa left out
    ],
)
def test_a_local_day_has_the_hours_its_clock_gives_it(text: str, zone: str, minutes: int) -> None:
    start, end = day_span(day(text), zone)
    assert end - start == timedelta(minutes=minutes)
    if minutes:
        assert local_day(start, zone) == local_day(end - timedelta(microseconds=1), zone) == day(text)


@pytest.mark.parametrize("zone", ["", "Europe", "Mars/Olympus", "../etc/passwd", "/etc/localtime"])
def test_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(UnknownZone):
        local_day(datetime(2026, 5, 1, tzinfo=UTC), zone)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        local_day(datetime(2026, 5, 1), "Europe/London")  # noqa: DTZ001  # the case is the naive one


@law
@given(st.sampled_from(["Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca"]), days)
def test_local_days_tile_time(zone: str, at: date) -> None:
    start, end = day_span(at, zone)
    assert start < end == day_span(at + timedelta(days=1), zone)[0]
    assert local_day(start, zone) == at


def test_month_ends_clamp_and_come_back() -> None:
    anchored = [add_months(day("2026-01-31"), months, 31) for months in range(4)]
    assert anchored == [day("2026-01-31"), day("2026-02-28"), day("2026-03-31"), day("2026-04-30")]
    assert add_months(day("2024-03-31"), -1) == day("2024-02-29")
    assert add_months(day("2026-02-28"), 1, 31) == day("2026-03-31")


def test_terms_are_calendar_days_and_overdue_starts_the_day_after() -> None:
    assert due_on_terms(day("2025-01-31"), 30) == day("2025-03-02")
    assert overdue_from(day("2025-01-03")) == day("2025-01-04")


@pytest.mark.parametrize("frequency", ["", "weekly", "MONTHLY", "thirty_days"])
def test_unknown_frequency_is_refused(frequency: str) -> None:
    with pytest.raises(UnknownFrequency):
        Schedule(day("2026-01-01"), frequency, 1)


@pytest.mark.parametrize(("anchor_day", "anchor_month"), [(0, None), (32, None), (1, 0), (1, 13)])
def test_an_anchor_outside_the_calendar_is_refused(anchor_day: int, anchor_month: int | None) -> None:
    with pytest.raises(ImpossibleAnchor):
        Schedule(day("2026-01-01"), "monthly", anchor_day, anchor_month)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(day("2026-01-01"), "monthly", 1), [period("2026-01-01", "2026-02-01")]),
        (
            Schedule(day("2026-01-15"), "monthly", 1),
            [period("2026-01-15", "2026-02-01", "2026-01-01"), period("2026-02-01", "2026-03-01")],
        ),
        (  # clamped, and back again
            Schedule(day("2026-01-31"), "monthly", 31),
            [
                period("2026-01-31", "2026-02-28"),
                period("2026-02-28", "2026-03-31"),
                period("2026-03-31", "2026-04-30"),
            ],
        ),
        (  # the clamped day counts as the anchor day
            Schedule(day("2026-02-28"), "monthly", 31),
            [period("2026-02-28", "2026-03-31"), period("2026-03-31", "2026-04-30")],
        ),
        (  # the denominator of a part period that ends in March is the one of February's clamped start
            Schedule(day("2026-03-10"), "monthly", 30),
            [period("2026-03-10", "2026-03-30", "2026-02-28"), period("2026-03-30", "2026-04-30")],
        ),
        (  # a quarter without a month counts from the first anchor day
            Schedule(day("2026-02-10"), "quarterly", 1),
            [period("2026-02-10", "2026-03-01", "2025-12-01"), period("2026-03-01", "2026-06-01")],
        ),
        (  # with a month: that month or 3, 6, 9 from it
            Schedule(day("2026-02-10"), "quarterly", 1, 10),
            [period("2026-02-10", "2026-04-01", "2026-01-01"), period("2026-04-01", "2026-07-01")],
        ),
        (
            Schedule(day("2026-04-06"), "annual", 5, 4),
            [period("2026-04-06", "2027-04-05", "2026-04-05"), period("2027-04-05", "2028-04-05")],
        ),
        (Schedule(day("2026-02-10"), "annual", 1), [period("2026-02-10", "2026-03-01", "2025-03-01")]),
        (  # a leap day's anniversary
            Schedule(day("2024-02-29"), "annual", 29, 2),
            [period("2024-02-29", "2025-02-28"), period("2025-02-28", "2026-02-28")],
        ),
        (  # an anchor month says nothing to a month's rhythm
            Schedule(day("2026-01-15"), "monthly", 1, 9),
            [period("2026-01-15", "2026-02-01", "2026-01-01")],
        ),
    ],
)
def test_periods_are_counted_from_the_first_anchor_day(schedule: Schedule, expected: list[Period]) -> None:
    assert list(islice(periods(schedule, day("2100-01-01")), len(expected))) == expected


def test_a_part_period_knows_the_full_period_around_it() -> None:
    part = period("2026-01-15", "2026-02-01", "2026-01-01")
    assert (part.days, part.full_days, part.is_part) == (17, 31, True)
    assert part.full == BillingPeriod(day("2026-01-01"), day("2026-02-01"))
    assert part.last_day == day("2026-01-31")


def test_no_period_before_the_start_nor_past_the_calendar() -> None:
    schedule = Schedule(day("2026-01-15"), "monthly", 1)
    assert period_of(schedule, day("2026-01-14")) is None
    assert list(periods(schedule, day("2026-01-14"))) == []
    assert period_of(schedule, date.max) is None
    assert period_of(Schedule(date.min, "annual", 31, 12), date.min) is not None


@law
@given(schedules, st.integers(0, 5000))
def test_every_day_is_in_exactly_one_period(schedule: Schedule, later: int) -> None:
    at = schedule.starts_on + timedelta(days=later)
    holding = [found for found in periods(schedule, at) if at in found]
    assert holding == [period_of(schedule, at)]


@law
@given(schedules)
def test_periods_tile_without_gap_or_overlap(schedule: Schedule) -> None:
    found = list(periods(schedule, add_months(schedule.starts_on, 48)))
    assert found[0].start == schedule.starts_on
    assert all(earlier.end == later.start for earlier, later in pairwise(found))
    assert all(one.full_start <= one.start < one.end for one in found)
    assert not any(one.is_part for one in found[1:])
    assert first_boundary(schedule) == (found[0].end if found[0].is_part else found[0].start)


@law
@given(days, st.integers(29, 31))
def test_late_anchors_hold_for_48_months(starts_on: date, anchor: int) -> None:
    schedule = Schedule(starts_on, "monthly", anchor)
    starts = [found.start for found in islice(periods(schedule, date.max), 1, 49)]
    assert all(earlier < later for earlier, later in pairwise(starts))
    assert [(at.year * 12 + at.month) - (starts[0].year * 12 + starts[0].month) for at in starts] == list(range(48))
    assert all(at.day == anchor or (at + timedelta(days=1)).day == 1 for at in starts)


@law
@given(schedules, st.integers(-100, 3000))
def test_the_next_boundary_is_the_nearest_one(schedule: Schedule, later: int) -> None:
    at = schedule.starts_on + timedelta(days=later)
    starts = [found.start for found in periods(schedule, at + timedelta(days=800))]
    assert boundary_on_or_after(schedule, at) == min(start for start in starts if start >= at)


MONTHLY = Schedule(day("2026-01-01"), "monthly", 1)
QUARTERLY = Schedule(day("2026-01-01"), "quarterly", 1)


@pytest.mark.parametrize(
    ("states", "until", "expected"),
    [
        (  # from the first old boundary on or after the change
            [(day("2026-01-01"), MONTHLY), (day("2026-02-10"), QUARTERLY)],
            "2026-04-01",
            [
                period("2026-01-01", "2026-02-01"),
                period("2026-02-01", "2026-03-01"),
                period("2026-03-01", "2026-06-01"),
            ],
        ),
        (  # on a boundary: at once
            [(day("2026-01-01"), MONTHLY), (day("2026-02-01"), QUARTERLY)],
            "2026-02-01",
            [period("2026-01-01", "2026-02-01"), period("2026-02-01", "2026-05-01")],
        ),
        (  # a later anchor is bridged by a part period of the new rhythm
            [(day("2026-01-01"), MONTHLY), (day("2026-01-20"), Schedule(day("2026-01-01"), "monthly", 15))],
            "2026-02-20",
            [
                period("2026-01-01", "2026-02-01"),
                period("2026-02-01", "2026-02-15", "2026-01-15"),
                period("2026-02-15", "2026-03-15"),
            ],
        ),
        (  # other changes of the contract do not start the count again
            [(day("2026-01-01"), QUARTERLY), (day("2026-02-10"), QUARTERLY), (day("2026-03-10"), QUARTERLY)],
            "2026-04-01",
            [period("2026-01-01", "2026-04-01"), period("2026-04-01", "2026-07-01")],
        ),
        (  # changed and changed back before the boundary: nothing happened
            [(day("2026-01-01"), QUARTERLY), (day("2026-02-10"), MONTHLY), (day("2026-03-10"), QUARTERLY)],
            "2026-04-01",
            [period("2026-01-01", "2026-04-01"), period("2026-04-01", "2026-07-01")],
        ),
        (  # changed before anything was served
            [(day("2025-11-01"), MONTHLY), (day("2025-12-01"), QUARTERLY)],
            "2026-01-01",
            [period("2026-01-01", "2026-04-01")],
        ),
        (  # the first state is said after the contract began
            [(day("2026-03-01"), MONTHLY)],
            "2026-02-01",
            [period("2026-01-01", "2026-02-01"), period("2026-02-01", "2026-03-01")],
        ),
        ([], "2026-02-01", []),
    ],
)
def test_a_changed_rhythm_counts_from_the_next_old_boundary(
    states: Sequence[tuple[date, Schedule]], until: str, expected: list[Period]
) -> None:
    assert list(timeline(states, day(until))) == expected


def test_a_state_that_changes_no_rhythm_or_is_overtaken_adds_no_schedule() -> None:
    other = Schedule(day("2026-01-01"), "annual", 1)
    states = [(day("2026-01-01"), MONTHLY), (day("2026-02-10"), MONTHLY), (day("2026-03-10"), QUARTERLY)]
    quarterly = Schedule(day("2026-04-01"), "quarterly", 1)
    assert in_succession(states) == (MONTHLY, quarterly)
    assert in_succession([*states, (day("2026-03-20"), other)]) == (MONTHLY, MONTHLY.changed(day("2026-03-20"), other))


@law
@given(days, st.lists(st.tuples(st.integers(-60, 700), rhythms, anchors, st.none() | st.integers(1, 12)), max_size=4))
def test_every_day_is_in_one_period_across_changes(starts_on: date, changes: list[tuple[int, str, int, int | None]]) -> None:
    states = [(starts_on, Schedule(starts_on, "monthly", 1))]
    for later, rhythm, anchor, month in sorted(changes, key=lambda change: change[0]):
        states.append((starts_on + timedelta(days=later), Schedule(starts_on, rhythm, anchor, month)))
    found = list(timeline(states, starts_on + timedelta(days=1500)))
    assert found[0].start == starts_on
    assert all(earlier.end == later.start for earlier, later in pairwise(found))
    chain = in_succession(states)
    assert all(period_in(chain, one.start) == period_in(chain, one.last_day) == one for one in found)
    assert period_in(chain, starts_on - timedelta(days=1)) is None

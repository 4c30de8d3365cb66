"""What part of a period was served, and what it costs."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import BillingPeriod, Schedule, period_of
from domain.proration import (
    day_fraction,
    days_of_30,
    days_served,
    prorated,
    served,
    served_quantity,
    spans,
)

law = settings(max_examples=60, deadline=None)
prices = st.decimals(0, 100000, places=8)
ONE = Decimal(1)


def span(start: str, end: str) -> BillingPeriod:
    return BillingPeriod(date.fromisoformat(start), date.fromisoformat(end))


JANUARY = span("2026-01-01", "2026-02-01")


def test_half_a_january_is_17_of_31_days() -> None:
    part = period_of(Schedule(date(2026, 1, 15), "monthly", 1), date(2026, 1, 15))
    assert part is not None
    assert prorated([(part.days, ONE, Decimal("50.00"))], part.full_days, "GBP") == 2742


def test_a_licence_added_in_march_shows_both_months_together() -> None:
    stub = prorated([(days_served(span("2019-03-01", "2019-04-01"), date(2019, 3, 15)), ONE, Decimal(22))], 31, "USD")
    assert (stub, stub + prorated([(30, ONE, Decimal(22))], 30, "USD")) == (1206, 3406)


def test_a_change_of_price_and_of_quantity_is_rounded_once() -> None:
    thirds = [(10, ONE, Decimal("0.01")), (10, ONE, Decimal("0.01")), (10, ONE, Decimal("0.01"))]
    assert prorated(thirds, 30, "GBP") == 1
    assert prorated([(14, Decimal(48), Decimal(65)), (17, Decimal(52), Decimal(65))], 31, "GBP") == 326258


def test_a_credit_mirrors_the_charge() -> None:
    assert prorated([(17, -ONE, Decimal(50))], 31, "GBP") == -2742


@pytest.mark.parametrize("period_days", [0, -1])
def test_a_period_without_days_has_no_share(period_days: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        day_fraction(0, period_days)


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "expected"),
    [
        (None, None, 31),
        (date(2026, 1, 15), None, 17),
        (None, date(2026, 1, 15), 15),  # the last day is served
        (date(2026, 1, 15), date(2026, 1, 15), 1),
        (date(2025, 1, 1), date.max, 31),
        (date(2026, 2, 1), None, 0),
        (None, date(2025, 12, 31), 0),
    ],
)
def test_a_line_is_served_from_its_first_to_its_last_day(starts_on: date | None, ends_on: date | None, expected: int) -> None:
    assert days_served(JANUARY, starts_on, ends_on) == expected
    assert (served(JANUARY, starts_on, ends_on) is None) == (expected == 0)


def test_values_hold_until_the_next_and_the_last_of_a_day_counts() -> None:
    changes = [
        (date(2025, 12, 1), 40),
        (date(2026, 1, 10), 48),
        (date(2026, 1, 20), 99),
        (date(2026, 1, 20), 52),
        (date(2026, 3, 1), 7),
    ]
    assert [(run.days, value) for run, value in spans(JANUARY, changes)] == [(9, 40), (10, 48), (12, 52)]
    assert list(spans(JANUARY, [])) == []
    assert [run.days for run, _ in spans(JANUARY, [(date(2026, 1, 31), 1)])] == [1]


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("year", [2024, 2026])
def test_every_month_weighs_30(year: int, month: int) -> None:
    first = date(year, month, 1)
    following = date(year + month // 12, month % 12 + 1, 1)
    singles = [
        days_of_30(BillingPeriod(first + timedelta(days=n), first + timedelta(days=n + 1)))
        for n in range((following - first).days)
    ]
    assert sum(singles) == days_of_30(BillingPeriod(first, following)) == 30
    assert set(singles[:27]) == {1}
    assert prorated([(sum(singles), Decimal(52), Decimal(65))], 30, "GBP") == 338000


@law
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any), prices)
def test_a_cut_period_sums_to_the_whole_before_rounding(cuts: list[int], price: Decimal) -> None:
    whole = sum(cuts)
    assert sum(day_fraction(days, whole) * Fraction(price) for days in cuts) == Fraction(price)
    assert prorated([(days, ONE, price) for days in cuts], whole, "GBP") == prorated([(whole, ONE, price)], whole, "GBP")


@law
@given(
    st.dates(date(2024, 1, 1), date(2027, 1, 1)),
    st.integers(1, 400),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)), max_size=6),
)
def test_runs_of_days_tile_the_period(start: date, length: int, later: list[tuple[int, int]]) -> None:
    period = BillingPeriod(start, start + timedelta(days=length))
    changes = [(start, 1), *((start + timedelta(days=n), seats) for n, seats in sorted(later))]
    runs = list(spans(period, changes))
    assert sum(run.days for run, _ in runs) == period.days
    for run, seats in runs:
        assert seats == [value for first, value in changes if first <= run.start][-1]
    by_day = sum([value for first, value in changes if first <= start + timedelta(days=n)][-1] for n in range(length))
    assert served_quantity([(run.days, seats) for run, seats in runs], length) == Fraction(by_day, length)


@law
@given(st.dates(date(2024, 1, 1), date(2027, 1, 1)), st.integers(0, 400), st.integers(0, 400))
def test_30_day_months_add_up_over_any_cut(start: date, one: int, two: int) -> None:
    middle, end = start + timedelta(days=one), start + timedelta(days=one + two)
    parts = days_of_30(BillingPeriod(start, middle)) + days_of_30(BillingPeriod(middle, end))
    assert parts == days_of_30(BillingPeriod(start, end))

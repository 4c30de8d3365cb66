"""From worked minutes to billed minutes, hours and an amount."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.rounding import UnknownRounding, billed_minutes, hours, time_amount_minor, to_increment

law = settings(max_examples=60, deadline=None)
minutes_worked = st.integers(0, 3000)
grids = st.integers(0, 480)
roundings = st.sampled_from(["up", "down", "nearest"])


@pytest.mark.parametrize(
    ("minutes", "minimum", "increment", "rounding", "billed"),
    [
        (0, 60, 15, "up", 0),
        (1, 60, 15, "up", 60),
        (50, 60, 60, "up", 60),
        (61, 60, 60, "up", 120),
        (95, 60, 60, "up", 120),
        (1, 0, 15, "up", 15),
        (16, 15, 15, "up", 30),
        (5, 20, 15, "up", 30),  # the minimum is put on the grid as well
        (20, 20, 15, "down", 20),
        (44, 0, 15, "down", 30),
        (7, 0, 10, "down", 0),
        (7, 0, 15, "nearest", 0),
        (8, 0, 15, "nearest", 15),
        (15, 0, 30, "nearest", 30),
        (14, 0, 30, "nearest", 0),
        (37, 0, 0, "up", 37),
        (37, 0, 1, "nearest", 37),
    ],
)
def test_minutes_are_raised_to_the_minimum_then_put_on_the_grid(
    minutes: int, minimum: int, increment: int, rounding: str, billed: int
) -> None:
    assert billed_minutes(minutes, minimum, increment, rounding) == billed


def test_three_entries_bill_more_than_their_ticket() -> None:
    assert sum(billed_minutes(minutes, 60, 60, "up") for minutes in (45, 45, 5)) == 180
    assert billed_minutes(45 + 45 + 5, 60, 60, "up") == 120


@pytest.mark.parametrize("minutes", [0, 10])
def test_unknown_rounding_is_refused_even_for_no_minutes(minutes: int) -> None:
    with pytest.raises(UnknownRounding):
        billed_minutes(minutes, 0, 15, "bankers")


def test_impossible_minutes_never_reach_a_price() -> None:
    with pytest.raises(ValueError, match="-5 minutes"):
        billed_minutes(-5, 0, 15, "up")


def test_time_is_priced_by_the_minute_and_shown_in_hours() -> None:
    assert time_amount_minor(50, Decimal("93.03"), "GBP") == 7753
    assert time_amount_minor(750, Decimal(150), "GBP") == 187500
    assert time_amount_minor(-20, Decimal(100), "GBP") == -3333
    assert time_amount_minor(20, Decimal(100), "JPY") == 33
    assert (str(hours(50)), str(hours(-50)), str(hours(45))) == ("0.83333333", "-0.83333333", "0.75000000")


@law
@given(minutes_worked, grids, grids, roundings)
def test_billed_minutes_keep_the_minimum_and_nothing_stays_nothing(
    minutes: int, minimum: int, increment: int, rounding: str
) -> None:
    billed = billed_minutes(minutes, minimum, increment, rounding)
    assert billed == 0 if minutes == 0 else billed >= minimum
    assert billed in (0, minimum) or billed % max(increment, 1) == 0
    assert abs(billed - max(minutes, minimum)) < max(increment, 1) or minutes == 0


@law
@given(minutes_worked, minutes_worked, grids, grids, roundings)
def test_more_work_never_bills_less(one: int, other: int, minimum: int, increment: int, rounding: str) -> None:
    fewer, more = sorted((one, other))
    assert billed_minutes(fewer, minimum, increment, rounding) <= billed_minutes(more, minimum, increment, rounding)


@law
@given(minutes_worked, grids)
def test_nearest_lies_between_down_and_up(minutes: int, increment: int) -> None:
    down, near, up = (to_increment(minutes, increment, rounding) for rounding in ("down", "nearest", "up"))
    assert near in (down, up)
    assert near == (up if up - minutes <= minutes - down else down)


@law
@given(minutes_worked, grids, grids, roundings)
def test_billed_minutes_are_settled_by_one_rounding(minutes: int, minimum: int, increment: int, rounding: str) -> None:
    once = billed_minutes(minutes, 0, increment, rounding)
    assert billed_minutes(once, 0, increment, rounding) == once

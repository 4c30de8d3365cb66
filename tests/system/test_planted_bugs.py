"""The comparison is worth something: a bug planted in rating, dedupe or approval order makes it fail, each by itself."""

import sys
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest

import consumers.reading
import domain.money
import domain.proration
import domain.repeats
import domain.rounding
import domain.seat_counts
from domain.repeats import Heard
from domain.terms import Timeline, rank
from domain.time_entry import Decision, TimeEntry
from tests.budget import budget
from tests.oracle.generator import facts
from tests.oracle.oracle import expected
from tests.system.comparison import Disagreement, assert_agrees, read_back
from tests.system.in_process import InProcess

ROOMS = ("domain", "ledger", "projections", "consumers", "runs", "daybook")
Plant = Callable[[pytest.MonkeyPatch], None]


def replaced(module: ModuleType, name: str, wrong: Callable[..., Any]) -> Plant:
    """Puts `wrong(right, ...)` in the place of a function, wherever the product has imported it."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        right = getattr(module, name)

        def instead(*arguments: Any, **named: Any) -> Any:
            return wrong(right, *arguments, **named)

        places = [m for n, m in list(sys.modules.items()) if n.split(".")[0] in ROOMS and vars(m).get(name) is right]
        assert module in places
        for place in places:
            monkeypatch.setattr(place, name, instead)

    return plant


def replaced_in(cls: type, name: str, wrong: Any) -> Plant:
    """Puts `wrong` in the place of a method or property."""
    return lambda monkeypatch: monkeypatch.setattr(cls, name, wrong)


def half_to_even(_right: Any, numerator: int, denominator: int) -> int:
    return round(Fraction(numerator, denominator))


def a_minute_more(right: Any, minutes: int, *terms: Any) -> int:
    billed: int = right(minutes, *terms)
    return billed + (minutes == 37)


def tie_goes_down(right: Any, amount: int, increment: int, rounding: str) -> int:
    step = max(increment, 1)
    if rounding == "nearest" and 2 * (amount % step) == step:
        rounding = "down"
    grid: int = right(amount, increment, rounding)
    return grid


def part_period_by_its_own_days(right: Any, segments: Any, period_days: int, currency: str) -> int:
    amount: int = right(segments, sum(days for days, *_ in segments), currency)
    return amount


def latest_revision(self: Timeline[Any], day: date) -> Any:
    return max(
        (state for since, state in zip(self.days, self.states, strict=True) if since <= day), key=rank, default=None
    )


def repeats_are_news(right: Any, polled: Any) -> Any:
    batch = right(polled)
    seen: set[bytes] = set()
    for number, fact in enumerate(batch.facts):
        if fact.event_id in seen:
            batch.facts[number] = fact._replace(event_id=uuid4().bytes)
        seen.add(fact.event_id)
    return batch


def earlier_decision(self: Decision, other: Decision) -> bool:
    return (self.occurred_at, self.approved) < (other.occurred_at, other.approved)


def approval_on_a_tie(self: Decision, other: Decision) -> bool:
    return (self.occurred_at, self.approved, self.event_id) > (other.occurred_at, other.approved, other.event_id)


def decision_of_any_revision(self: TimeEntry) -> Decision | None:
    return self.decisions[-1] if self.said is not None and self.decisions else None


def only_the_first_system(right: Any, history: Any, systems: Any, day: date) -> Any:
    return right(history, systems[:1], day)


def later_counts_are_known(right: Any, history: Any, systems: Any, start: date, end: date, _until: date) -> Any:
    return right(history, systems, start, end, date.max - timedelta(days=1))


BUGS: dict[str, Plant] = {
    "rating: one minute too many": replaced(domain.rounding, "billed_minutes", a_minute_more),
    "rating: a tie between two increments goes down": replaced(domain.rounding, "to_increment", tie_goes_down),
    "rating: half a penny goes to even": replaced(domain.money, "_divide", half_to_even),
    "rating: a part period divided by its own days": replaced(
        domain.proration, "prorated", part_period_by_its_own_days
    ),
    "rating: the latest revision counts from ever": replaced_in(Timeline, "on", latest_revision),
    "seats: only the first system counts": replaced(domain.seat_counts, "in_force", only_the_first_system),
    "seats: what is counted after the billing date is known on it": replaced(
        domain.seat_counts, "seat_runs", later_counts_are_known
    ),
    "dedupe: a repeat is another fact": replaced(consumers.reading, "read", repeats_are_news),
    "dedupe: another body counts as a repeat": replaced(
        domain.repeats, "hear", lambda _right, known, _same: Heard.REPEAT if known else Heard.NEW
    ),
    "approvals: the earlier decision wins": replaced_in(Decision, "outranks", earlier_decision),
    "approvals: on a tie the approval wins": replaced_in(Decision, "outranks", approval_on_a_tie),
    "approvals: a decision counts for any revision": replaced_in(
        TimeEntry, "decision", property(decision_of_any_revision)
    ),
}


def compare(product: InProcess) -> None:
    """A small stream through the product as it is now, against the oracle."""
    product.feed(facts(11, budget("system", "planted_bugs"), poisoned=0.02))
    actual = read_back(product.json, product.installation.dsn, "2026-05-31")
    assert_agrees(actual, expected(product.produced(), date(2026, 5, 31)))


def test_without_a_bug_the_product_agrees(in_process: Callable[[], InProcess]) -> None:
    compare(in_process())


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_makes_the_comparison_fail(
    bug: str, in_process: Callable[[], InProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    BUGS[bug](monkeypatch)
    with pytest.raises(Disagreement, match="differ in"):
        compare(in_process())

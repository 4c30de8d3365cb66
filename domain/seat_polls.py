"""Polls that only repeat what the same system said before on the same day: they change nothing and need not be kept apart."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Protocol, TypeVar

from domain.calendar import is_plausible

MOST_SEATS = 10_000_000


class Polled(Protocol):
    """What of a count tells whether it repeats another one."""

    @property
    def event_id(self) -> str: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def revision(self) -> int: ...
    @property
    def system(self) -> str: ...
    @property
    def quantity(self) -> int: ...
    @property
    def as_of(self) -> datetime: ...


P = TypeVar("P", bound=Polled)


def is_possible(poll: Polled) -> bool:
    """Whether a count can be: not negative, not beyond belief, and of an instant that can have been."""
    return 0 <= poll.quantity <= MOST_SEATS and is_plausible(poll.as_of)


def poll_day(as_of: datetime) -> date:
    """The day, by UTC, within which a poll can repeat another: what a client's zone is may be said later, or anew."""
    return as_of.astimezone(UTC).date()


def without_repeats(polls: Iterable[P]) -> Iterator[P]:
    """The polls of one product that say something, in no order: all but those that repeat (`repeats`)."""
    said = list(polls)
    again = repeats(said)
    return (one for one in said if one.event_id not in again)


def repeats(polls: Iterable[Polled]) -> set[str]:
    """The ids of the polls that repeat: the one before them, of the same system and UTC day, says the same quantity.

    So the first poll of a system's day says something, and each that changes the count. A poll of an instant of which
    something else is said too never repeats: it corrects, or is corrected. Nor does one that cannot be.
    Whatever of these repeats is left out, the same repeat among the rest, and what says something stays the same: the
    answer does not depend on which of them are at hand, or in what order they came.
    """
    days: dict[tuple[str, date], dict[datetime, list[Polled]]] = {}
    for one in polls:
        days.setdefault((one.system, poll_day(one.as_of)), {}).setdefault(one.as_of, []).append(one)
    return {again for day in days.values() if len(day) > 1 for again in _of_a_day(day)}


def _of_a_day(instants: dict[datetime, list[Polled]]) -> Iterator[str]:
    before: int | None = None
    for at in sorted(instants):
        said = instants[at]
        possible = [one for one in said if is_possible(one)]
        if not possible:
            continue
        stands = max(possible, key=_rank)
        if stands.quantity == before and len(said) == 1:
            yield stands.event_id
        before = stands.quantity


def _rank(one: Polled) -> tuple[int, datetime, str]:
    """Of what is said of one instant the greatest stands (product D5)."""
    return one.revision, one.occurred_at, one.event_id

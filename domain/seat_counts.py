"""How many seats of a product a client had at the end of a day, by what its systems counted (product S2)."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from domain.calendar import day_span, local_day
from domain.client_account import ClientDefined
from domain.readings import SeatCountReported
from domain.seat_polls import is_possible, without_repeats
from domain.terms import Timeline, rank, zone_of


@dataclass(frozen=True, slots=True)
class Count:
    """What one system had counted at the end of a day on which it reported; `event_id` is the report that said so first."""

    day: date
    quantity: int
    event_id: str


History = Mapping[str, tuple[Count, ...]]
"""One product's counts by system, in order of day, one a day."""


@dataclass(frozen=True, slots=True)
class SeatRun:
    """Days in a row, [start, end), with one count of one system; without a system nobody had reported yet."""

    start: date
    end: date
    quantity: int
    system: str | None
    event_id: str | None


def count_fault(report: SeatCountReported) -> str | None:
    """Why a report is not counted; null where it is."""
    return None if is_possible(report) else "impossible_value"


def seat_history(reports: Iterable[SeatCountReported], states: Timeline[ClientDefined]) -> History:
    """The history of one product from all its reports, in any order; `states` give the client's zone on each day.

    Of several counts of one instant the greatest (revision, occurred_at, event_id) stands (product D5), and the last
    instant of a local day decides for the day. Polls that repeat are left out, whether they are kept or not.
    """
    chosen: dict[tuple[str, object], SeatCountReported] = {}
    for report in without_repeats(reports):
        key = (report.system, report.as_of)
        if count_fault(report) is None and (key not in chosen or rank(report) > rank(chosen[key])):
            chosen[key] = report
    days: dict[str, dict[date, list[SeatCountReported]]] = {}
    for report in sorted(chosen.values(), key=lambda one: one.as_of):
        days.setdefault(report.system, {}).setdefault(day_of(report, states), []).append(report)
    return {system: tuple(_count(day, said) for day, said in found.items()) for system, found in days.items()}


def _count(day: date, said: Sequence[SeatCountReported]) -> Count:
    # The first of the day to say so: the report that a person would look for.
    quantity = said[-1].quantity
    return Count(day, quantity, next(one.event_id for one in said if one.quantity == quantity))


def day_of(report: SeatCountReported, states: Timeline[ClientDefined]) -> date:
    """The first day at whose end a count is in force, on the clocks of the client's zone of that day."""
    if not states.states:
        return local_day(report.as_of, "UTC")
    day = min(local_day(report.as_of, _zone(state)) for state in states.states)
    while day_span(day, _zone(states.first_or_on(day)))[1] <= report.as_of:
        day += timedelta(days=1)
    return day


def _zone(state: ClientDefined) -> str:
    """The client's zone; what is billed in one that nobody knows waits, and its counts are kept by UTC meanwhile."""
    return state.time_zone if zone_of(state.time_zone) is not None else "UTC"


def in_force(history: History, systems: Sequence[str], day: date) -> tuple[str, Count] | None:
    """The count at the end of a day: of the first of `systems` that has ever reported by then."""
    for system in systems:
        counts = history.get(system, ())
        index = bisect_right(counts, day, key=lambda count: count.day)
        if index:
            return system, counts[index - 1]
    return None


def seat_runs(history: History, systems: Sequence[str], start: date, end: date, until: date) -> Iterator[SeatRun]:
    """The runs of the days [start, end); what is known at the end of day `until` is carried on from there (product S4)."""
    run: SeatRun | None = None
    for day in _days_of_change(history, systems, start, min(end, until + timedelta(days=1))):
        found = in_force(history, systems, min(day, until))
        system, count = found if found is not None else (None, None)
        quantity, event_id = (count.quantity, count.event_id) if count is not None else (0, None)
        if run is not None:
            if (run.quantity, run.system) == (quantity, system):
                continue
            yield SeatRun(run.start, day, run.quantity, run.system, run.event_id)
        run = SeatRun(day, end, quantity, system, event_id)
    if run is not None:
        yield run


def _days_of_change(history: History, systems: Sequence[str], start: date, end: date) -> list[date]:
    """The first day and each later one on which one of the systems reported."""
    days = {start}
    for system in systems:
        counts = history.get(system, ())
        first = bisect_right(counts, start, key=lambda count: count.day)
        for count in counts[first:]:
            if count.day >= end:
                break
            days.add(count.day)
    return sorted(days)


def disagreement(history: History, day: date) -> dict[str, Count]:
    """Each system's count at the end of a day where they are not all the same; else empty: a variance for a person to see."""
    counts = {system: found[1] for system in sorted(history) if (found := in_force(history, [system], day)) is not None}
    return counts if len({count.quantity for count in counts.values()}) > 1 else {}

"""When a contract line is served and due: its states over a billing period (product D3-D5)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Generic, TypeVar

from domain.calendar import Period
from domain.contract import ContractDefined, ContractLine
from domain.terms import ClientTerms, Timeline

Line = TypeVar("Line", bound=ContractLine)


@dataclass(frozen=True, slots=True)
class Segment(Generic[Line]):
    """Days of a period, [start, end), on which one state of a line held."""

    start: date
    end: date
    state: ContractDefined
    line: Line

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days

    def starts_on(self) -> date:
        """The line's first day, or the contract's: from it a term is counted."""
        return self.line.starts_on or self.state.starts_on


def segments(period: Period, states: Timeline[ContractDefined], line_id: str) -> Iterator[Segment[ContractLine]]:
    """The runs of the period's days on which the line was served, state by state."""
    for index, state in enumerate(states.states):
        until = states.days[index + 1] if index + 1 < len(states.days) else date.max
        for line in state.lines:
            if line.line_id != line_id:
                continue
            start = max(period.start, states.days[index], state.starts_on, line.starts_on or date.min)
            end = min(period.end, until, _after(state.ends_on), _after(line.ends_on))
            if start < end:
                yield Segment(start, end, state, line)


def of_kind(served: Iterable[Segment[ContractLine]], kind: type[Line]) -> list[Segment[Line]]:
    """Those on which the line was of one kind."""
    return [Segment(one.start, one.end, one.state, one.line) for one in served if isinstance(one.line, kind)]


def _after(last_day: date | None) -> date:
    return date.max if last_day is None or last_day == date.max else last_day + timedelta(days=1)


def line_now(states: Sequence[ContractDefined], line_id: str, as_of: date) -> tuple[ContractDefined, ContractLine]:
    """The line as it stands: its last state by that day, for what is agreed for later must not stop today's invoice."""
    found = [(state, line) for state in states for line in state.lines if line.line_id == line_id]
    by_now = [one for one in found if one[0].effective_from <= as_of]
    return by_now[-1] if by_now else found[0]


def timing_of(period: Period, states: Timeline[ContractDefined], line_id: str) -> str:
    """`advance` or `arrears`: the state on the first day of the period decides, or else the first that has the line."""
    timings = [(state.effective_from, line.timing) for state in states.states for line in state.lines if line.line_id == line_id]
    by_then = [timing for effective_from, timing in timings if effective_from <= period.start]
    return by_then[-1] if by_then else timings[0][1]


def is_closed(terms: ClientTerms, day: date) -> bool:
    """A closed client opens no new period (product D5); being closed never reaches back before its day."""
    state = terms.states.on(day)
    return state is not None and state.status == "closed"

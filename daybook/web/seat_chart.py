"""Step lines of what systems counted over time, as the points of a drawing that the page carries in itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from projections.seat_list import Step

WIDTH: Final = 720
HEIGHT: Final = 200
LEFT: Final = 44
RIGHT: Final = 12
TOP: Final = 12
BOTTOM: Final = 26
MOST_TICKS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One system's line; `number` chooses its dashes, so that lines are told apart without colours too."""

    system: str
    number: int
    points: str
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The drawing: its lines, and where days and quantities are marked, each as (pixel, what stands there)."""

    lines: tuple[Drawn, ...]
    days: tuple[tuple[float, date], ...]
    quantities: tuple[tuple[float, int], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def chart(steps: Sequence[Step], since: date, until: date) -> Chart:
    """Draws the steps of one product from a day to the close of another; a line goes level until its next step."""
    low, high = _range([one.quantity for one in steps])
    days = max((until - since).days + 1, 1)

    def x(day: date) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (day - since).days / days, 1)

    def y(quantity: int) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (quantity - low) / (high - low), 1)

    lines = []
    for number, system in enumerate(sorted({one.system for one in steps})):
        own = [one for one in steps if one.system == system]
        points = []
        for one, following in zip(own, [*own[1:], None], strict=True):
            end = following.day if following is not None else until + timedelta(days=1)
            points += [f"{x(one.day)},{y(one.quantity)}", f"{x(end)},{y(one.quantity)}"]
        lines.append(Drawn(system=system, number=number % 5, points=" ".join(points), last=own[-1].quantity))
    return Chart(
        lines=tuple(lines),
        days=tuple((x(day), day) for day in _marked(since, until)),
        quantities=tuple((y(quantity), quantity) for quantity in _even(low, high)),
    )


def _range(quantities: Sequence[int]) -> tuple[int, int]:
    """From a little below the lowest to a little above the highest: seats change by few, and few must be seen."""
    low, high = min(quantities, default=0), max(quantities, default=1)
    margin = max((high - low) // 5, 1)
    return max(low - margin, 0), high + margin


def _even(low: int, high: int) -> list[int]:
    step = max(-(-(high - low) // (MOST_TICKS - 1)), 1)
    return list(range(low, high + 1, step))


def _marked(since: date, until: date) -> list[date]:
    """The firsts of months, or where there are too many of them every so many months."""
    firsts = [
        date(year, month, 1)
        for year in range(since.year, until.year + 1)
        for month in range(1, 13)
        if since <= date(year, month, 1) <= until
    ]
    return firsts[:: max(-(-len(firsts) // (MOST_TICKS + 1)), 1)]

"""Plots drawn by the server: stacked columns and a line, as coordinates for a template; the figures stand in a table beneath."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 220
LEFT, RIGHT, TOP, BOTTOM = 72, 12, 14, 30
_STEPS: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a column: `series` is its place among the kinds, from 0."""

    series: int
    x: int
    y: int
    width: int
    height: int
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and what stands there."""

    at: int
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Everything a template draws; `points` is a line's path, where there is one."""

    bars: tuple[Bar, ...]
    points: str
    ups: tuple[Tick, ...]
    acrosses: tuple[Tick, ...]
    base: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what stands below it, and (series, value, title) of each of its parts; below zero they hang."""

    label: str
    parts: tuple[tuple[int, int, str], ...]


def columns(of: Sequence[Column], unit: int = 1) -> Plot:
    """Stacked columns; `unit` is how much of a value makes one of what the axis counts, such as 100 for cents."""
    highest = max((sum(v for _, v, _ in one.parts if v > 0) for one in of), default=0)
    lowest = min((sum(v for _, v, _ in one.parts if v < 0) for one in of), default=0)
    scale = _Scale(lowest, highest, unit)
    slot = (WIDTH - LEFT - RIGHT) // max(len(of), 1)
    width = min(max(slot * 2 // 3, 2), 64)
    bars: list[Bar] = []
    marks: list[Tick] = []
    for n, one in enumerate(of):
        x = LEFT + n * slot + (slot - width) // 2
        marks.append(Tick(x + width // 2, one.label))
        above = below = 0
        for series, value, title in one.parts:
            start = above if value >= 0 else below
            top, bottom = scale.y(max(start, start + value)), scale.y(min(start, start + value))
            if value:
                bars.append(Bar(series, x, top, width, max(bottom - top, 1), title))
            above, below = (above + value, below) if value >= 0 else (above, below + value)
    return Plot(tuple(bars), "", scale.ticks(), _thinned(marks), scale.y(0))


def steps(of: Sequence[tuple[str, int]]) -> Plot:
    """A line that holds each value until the next: counts do not slope."""
    scale = _Scale(0, max((value for _, value in of), default=0), 1)
    slot = (WIDTH - LEFT - RIGHT) / max(len(of), 1)
    path = ""
    marks = []
    for n, (label, value) in enumerate(of):
        x, y = round(LEFT + n * slot), scale.y(value)
        path += f"M{x} {y}" if not path else f"V{y}"
        path += f"H{round(LEFT + (n + 1) * slot)}"
        marks.append(Tick(round(LEFT + (n + 0.5) * slot), label))
    return Plot((), path, scale.ticks(), _thinned(marks), scale.y(0))


def _thinned(marks: Sequence[Tick], most: int = 12) -> tuple[Tick, ...]:
    """As many labels as stand side by side, the last one kept."""
    every = -(-len(marks) // most) or 1
    return tuple(mark for n, mark in enumerate(marks) if (len(marks) - 1 - n) % every == 0)


class _Scale:
    """From values to heights, with round figures on the axis; whole numbers only, so that a page is the same everywhere."""

    def __init__(self, lowest: int, highest: int, unit: int) -> None:
        self._unit = unit
        self.step = _round_step(max(highest - lowest, unit), unit)
        self._low = lowest // self.step * self.step
        self._high = max(-(-highest // self.step), 1) * self.step

    def y(self, value: int) -> int:
        room = HEIGHT - TOP - BOTTOM
        return TOP + room - (value - self._low) * room // (self._high - self._low)

    def ticks(self) -> tuple[Tick, ...]:
        values = range(self._low, self._high + 1, self.step)
        return tuple(Tick(self.y(value), f"{value // self._unit:,}") for value in values)


def _round_step(span: int, unit: int) -> int:
    """A step of 1, 2 or 5 times a power of ten units that makes at most five of them."""
    power = unit
    while True:
        for factor in _STEPS:
            if span <= 5 * factor * power:
                return factor * power
        power *= 10

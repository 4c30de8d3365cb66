"""Ageing as a bar: how much of what is outstanding is how old; drawn here, so that no page needs scripts."""

from dataclasses import dataclass
from typing import Any, Final

from domain.receivables import AGES

WIDTH: Final = 1_000
LABELS: Final = {
    "current": "Not due", "days_1_30": "1–30 days", "days_31_60": "31–60 days", "days_61_90": "61–90 days",
    "days_over_90": "Over 90 days",
}  # fmt: skip
"""The buckets by the days that they are past due."""


@dataclass(frozen=True, slots=True)
class Part:
    """One bucket's share of the bar, from `x` on."""

    age: str
    x: int
    width: int


def ageing_bar(balance: Any) -> tuple[Part, ...]:
    """The parts of one balance's bar; what there is at all is at least to be seen. Empty where nothing is outstanding."""
    amounts = [(age, max(getattr(balance, f"{age}_minor"), 0)) for age in AGES]
    whole = sum(amount for _, amount in amounts)
    if not whole:
        return ()
    wide = {age: max(amount * WIDTH // whole, 12) for age, amount in amounts if amount}
    largest = max(wide, key=lambda age: wide[age])
    wide[largest] += WIDTH - sum(wide.values())
    parts = []
    x = 0
    for age, width in wide.items():
        parts.append(Part(age, x, width))
        x += width
    return tuple(parts)

"""What credit that pays nothing yet covers of what is open: a reminder asks for no more than the rest (product R4)."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple


class Open(NamedTuple):
    """An invoice that is open, in the order in which credit covers them: the one due first, then the one issued first."""

    due_on: date
    issued_on: date
    number: str
    outstanding_minor: int


def covered(items: Iterable[Open], credit_minor: int) -> dict[str, int]:
    """How much of each invoice of one client and currency its credit covers, by number; what nothing covers is left out."""
    found: dict[str, int] = {}
    for item in sorted(items):
        part = min(item.outstanding_minor, credit_minor)
        if part > 0:
            found[item.number] = part
            credit_minor -= part
    return found

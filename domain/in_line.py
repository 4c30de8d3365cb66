"""Who is next in line: the invoice that a payment pays next, the credit that an invoice takes next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Line(Generic[T]):
    """Things in the order of their keys, of equal ones the first to come; joining and leaving cost O(log n).

    Whoever no longer `wants` anything when its turn comes leaves the line; it joins again if it wants something later.
    """

    wants: Callable[[T], bool]
    _heap: list[tuple[Any, int, T]] = field(default_factory=list)
    _joined: int = 0

    def join(self, key: Any, one: T) -> None:
        """Puts one in its place; the key never changes while it stands there."""
        heappush(self._heap, (key, self._joined, one))
        self._joined += 1

    def first(self) -> T | None:
        """The one whose turn it is; null where nobody wants anything."""
        while self._heap and not self.wants(self._heap[0][2]):
            heappop(self._heap)
        return self._heap[0][2] if self._heap else None

"""How often somebody may do what costs: token buckets in this process's memory, a bounded number of them."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request

MOST_KEYS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and as many again within so many seconds."""

    most: int
    within_s: float


RATES: Final[dict[str, Rate]] = {
    "sign-in": Rate(20, 300),
    "generate": Rate(10, 60),
    "events": Rate(120, 60),
    "decide": Rate(120, 60),
    "rate-as-of": Rate(60, 60),
    "known-at": Rate(10, 60),
    "pdf": Rate(60, 60),
}


class TooMany(Exception):
    """Somebody does something too often; `wait_s` later they may again."""

    def __init__(self, what: str, wait_s: int) -> None:
        super().__init__(f"{what}: too many at once")
        self.wait_s = wait_s


class Limits:
    """The buckets of one process; the longest unused are forgotten when there are too many."""

    def __init__(self, rates: dict[str, Rate] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = RATES | (rates or {})
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, what: str, who: str) -> None:
        """Counts one; raises TooMany."""
        rate = self._rates[what]
        with self._lock:
            now = self._clock()
            left, at = self._buckets.pop((what, who), (float(rate.most), now))
            left = min(rate.most, left + (now - at) * rate.most / rate.within_s)
            if left < 1:
                self._put((what, who), (left, now))
                raise TooMany(what, max(1, round((1 - left) * rate.within_s / rate.most)))
            self._put((what, who), (left - 1, now))

    def _put(self, key: tuple[str, str], bucket: tuple[float, float]) -> None:
        self._buckets[key] = bucket
        while len(self._buckets) > MOST_KEYS:
            self._buckets.popitem(last=False)


def limited(request: Request, what: str, who: str) -> None:
    """Counts one of `what` by `who`; raises TooMany, which answers 429."""
    limits: Limits = request.app.state.limits
    limits.take(what, who)

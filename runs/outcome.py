"""What comes of a run: what it issued, whom it refused and why, and where its time went."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from domain.invoice import Document, Draft

BEFORE_SERIES: Final = "as_of_before_series"
NUMBER_TAKEN: Final = "number_taken"

Confirmed = Mapping[tuple[str, str], int]
"""What a person saw and confirmed: net minor by (client, currency)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A client that was left out of a run, with both figures where they differ."""

    client_id: str
    currency: str
    reason: str
    confirmed_minor: int | None = None
    now_minor: int | None = None


class Stages:
    """A run's clock: what went by since the last stage ended belongs to the one that ends now."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def end(self, stage: str) -> None:
        """A stage ends; once a batch of clients, so that it costs nothing."""
        now = time.perf_counter()
        self._seconds[stage] = self._seconds.get(stage, 0.0) + now - self._since
        self._since = now

    @property
    def ms(self) -> dict[str, int]:
        """Milliseconds by stage, in the order in which they first ended."""
        return {stage: round(seconds * 1000) for stage, seconds in self._seconds.items()}


@dataclass(slots=True)
class Outcome:
    """What a run issued and whom it refused; `drafts` is what a dry run would issue."""

    documents: list[Document] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    stages: Stages = field(default_factory=Stages)

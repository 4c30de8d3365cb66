"""A small provider on a real database, driven as the commands drive it."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from daybook.app import App
from daybook.checking import verify
from daybook.feeding import Fed, feed
from domain.invoice import CreditNoteIssued, Document, InvoiceIssued
from ledger.event_codec import decode
from projections import documents, queue
from runs import decide
from runs.generate import Outcome, generate, plan
from runs.open_day import open_day
from tests.saying import Row, said

ROOT = Path(__file__).parents[2]
MAY = date(2026, 5, 31)
NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Shop:
    """One installation; `tell` only brings facts into the book, the views follow when a command asks them to."""

    app: App

    def tell(self, *facts: Row | Iterable[Row]) -> None:
        """Facts, through the log and the loop."""
        rows: list[Row] = []
        for one in facts:
            rows += [one] if isinstance(one, tuple) and isinstance(one[0], str) else one
        feed(self.app, rows, Fed())

    def open(self, day: date) -> None:
        """Opens a business day."""
        open_day(self.app.book, day, NOW)

    def plan(self, as_of: date = MAY) -> dict[tuple[str, str], int]:
        """What a person is shown and confirms."""
        return {(one.client_id, one.currency): one.net_minor for one in plan(self.app.views, as_of).drafts}

    def generate(self, as_of: date = MAY, **given: Any) -> Outcome:
        """A run."""
        return generate(self.app.views, as_of, NOW, **given)

    def item(self, item_key: str, client_id: str = "acme") -> decide.Item:
        """An item as the views know it."""
        self.app.views.catch_up()
        with self.app.views.reading() as cursor:
            return decide.find_item(cursor, item_key, client_id)

    def hold(self, item_key: str, client_id: str = "acme") -> None:
        """A person holds an item."""
        decide.hold(self.app.book, self.item(item_key, client_id), reason="ask first", by="ann", at=NOW)

    def release(self, item_key: str, client_id: str = "acme") -> None:
        """And lets it go."""
        decide.release(self.app.book, self.item(item_key, client_id), reason="asked", by="ann", at=NOW)

    def adjust(self, item_key: str, minor: int, client_id: str = "acme") -> None:
        """A person changes what an item costs."""
        decide.adjust(self.app.book, self.item(item_key, client_id), minor, None, reason="goodwill", by="ann", at=NOW)

    def queue(self, as_of: date = MAY) -> list[queue.QueueLine]:
        """Every line of the queue."""
        self.app.views.catch_up()
        with self.app.views.reading(as_of=as_of) as cursor:
            return queue.lines(cursor, as_of, queue.Filter())

    def documents(self) -> list[Document]:
        """Every document in the book, in order."""
        found: list[Document] = []
        after = 0
        while events := self.app.book.read(after, 5_000):
            after = events[-1].position
            found += [decode(e.topic, e.state) for e in events if e.topic in (InvoiceIssued.TOPIC, CreditNoteIssued.TOPIC)]
        return found

    def waiting(self) -> dict[str, str]:
        """Reason by id."""
        self.app.views.catch_up()
        with self.app.views.reading() as cursor:
            return {one["id"]: one["reason"] for one in documents.waiting(cursor)}

    def one(self, query: str) -> Any:
        """One figure from the database."""
        with self.app.database.owner() as connection:
            row = connection.execute(query.encode()).fetchone()
        return row[0] if row is not None else None

    def assert_sound(self) -> None:
        """Numbers without gap, and every check of `daybook verify`."""
        numbers: dict[str, list[str]] = {}
        for document in self.documents():
            numbers.setdefault(document.series, []).append(document.number)
        for series, given in numbers.items():
            assert [int(number.rpartition("-")[2]) for number in given] == list(range(1, len(given) + 1)), series
        assert [check for check in verify(self.app, lambda _n: None) if not check.ok] == []

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command as a person gives it."""
        return subprocess.run(
            [sys.executable, "-m", "daybook.cli", *arguments],
            cwd=ROOT, env=environment(self.app), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip


def environment(app: App) -> Mapping[str, str]:
    """What a process of this installation is told."""
    url = app.settings.database_url
    assert url is not None
    return {**os.environ, "DAYBOOK_DATABASE_URL": url, "DAYBOOK_HOME": str(app.settings.home), "DAYBOOK_TODAY": MAY.isoformat()}


def billed(found: Iterable[Document]) -> Counter[str]:
    """On how many lines each time entry stands."""
    return Counter(f"{d.client_id}/{m.time_entry_id}" for d in found for one in d.lines for m in one.members)


def catalogue() -> list[Row]:
    """One charge type at 150.00 (170.00 in euros) and 20 % tax."""
    return [
        said("ProviderDefined"),
        said("TaxCodeDefined"),
        said("ChargeTypeDefined", rates={"GBP": "150", "EUR": "170"}, minimum_minutes=15, increment_minutes=15),
    ]

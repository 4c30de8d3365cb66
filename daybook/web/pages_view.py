"""What a person asked to see of the queue, as the address says it; and the figures for it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request
from psycopg import Cursor

from daybook.app import App
from daybook.web.limits import limited
from daybook.web.pages_render import query
from daybook.web.people import Person
from projections import queue
from projections.queue import Filter, QueueRow
from projections.views import ViewsBehind

WAIT_S: Final = 2.0
"""So long a page waits for the views; then it shows them as they are, and says so."""
LONGEST: Final = 200
FIRST_YEAR, LAST_YEAR = 1990, 2190


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The filters of the queue page; `faults` says which of them could not be understood and were left out."""

    as_of: date
    today: date
    client: str = ""
    since: date | None = None
    until: date | None = None
    charge_type: str = ""
    page: int = 1
    faults: tuple[str, ...] = ()

    @property
    def narrowed(self) -> bool:
        """Something is left out."""
        return bool(self.client or self.since or self.until or self.charge_type)

    def only(self, client_id: str | None = None) -> Filter:
        """The same for the queue's query; names are matched afterwards."""
        return Filter(client_id=client_id, since=self.since, until=self.until, charge_type=self.charge_type or None)

    def asked(self, **more: Any) -> str:
        """The filters as a query string, with more beside them; a page's number is not kept."""
        own = {
            "as_of": self.as_of if self.as_of != self.today else None, "client": self.client, "from": self.since,
            "to": self.until, "charge_type": self.charge_type,
        }  # fmt: skip
        return query({**own, **more})


def read_view(given: Mapping[str, str], today: date) -> View:
    """The view that an address asks for; what is not understood is left out and named."""
    faults: list[str] = []

    def a_day(name: str, label: str) -> date | None:
        return read_day(given.get(name, ""), label, faults)

    since, until = a_day("from", "From"), a_day("to", "To")
    if since is not None and until is not None and until < since:
        faults.append(f"The dates are the wrong way round: from {since} to {until}.")
    return View(
        as_of=a_day("as_of", "As of") or today,
        today=today,
        client=read_text(given.get("client", "")),
        since=since,
        until=until,
        charge_type=read_text(given.get("charge_type", "")),
        page=read_page(given.get("page", "")),
        faults=tuple(faults),
    )


def view_of_query(text: str, today: date) -> View:
    """The view that a form carries with it as a query string."""
    return read_view(dict(parse_qsl(text[:2_000])), today)


def read_day(text: str, label: str, faults: list[str]) -> date | None:
    """A date as forms send it, or null; adds to the faults what is none."""
    text = text.strip()
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        faults.append(f"{label}: “{text[:20]}” is no date such as 2026-05-31; it was left out.")
        return None
    return found


def read_text(text: str) -> str:
    """Text to look for: without what a database cannot hold, and not longer than anything that could match."""
    return text.replace("\0", "").strip()[:LONGEST]


def read_id(text: str) -> str:
    """An id as it is, without what a database cannot hold."""
    return text.replace("\0", "")


def read_page(text: str) -> int:
    """A page's number, from 1."""
    return min(max(int(text), 1), 10_000) if text.isascii() and text.isdigit() and len(text) < 9 else 1


@contextmanager
def reading(app: App, request: Request, person: Person, as_of: date | None = None) -> Iterator[tuple[Cursor[Any], bool]]:
    """A cursor on views that have caught up, and whether they have not; another day than the open one is rated on reading."""
    if as_of is not None:
        if as_of == app.settings.business_date():
            app.open_today()
        else:
            limited(request, "rate-as-of", person.name)
    behind = not caught_up(app)
    with app.views.reading(as_of=as_of) as cursor:
        yield cursor, behind


def caught_up(app: App) -> bool:
    """Brings the views up to date, unless that takes too long for somebody who looks at a page."""
    try:
        app.views.catch_up(timeout_s=WAIT_S)
    except ViewsBehind:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What stands in the bar under the queue."""

    clients: int
    lines: int
    by_currency: tuple[tuple[str, int], ...]
    held_lines: int
    unapproved_minutes: int


def rows_of(cursor: Cursor[Any], view: View) -> list[QueueRow]:
    """The queue's rows that a view leaves in."""
    found = queue.rows(cursor, view.as_of, view.only())
    wanted = view.client.casefold()
    return [row for row in found if wanted in row.client_name.casefold() or wanted in row.client_id.casefold()]


def totals_of(rows: Sequence[QueueRow]) -> Totals:
    """The sums of some rows: a client without lines is not counted."""
    sums: dict[str, int] = {}
    for row in rows:
        if row.lines:
            sums[row.currency] = sums.get(row.currency, 0) + row.net_minor
    return Totals(
        clients=len({row.client_id for row in rows if row.lines}),
        lines=sum(row.lines for row in rows),
        by_currency=tuple(sorted(sums.items())),
        held_lines=sum(row.held_lines for row in rows),
        unapproved_minutes=sum(row.unapproved_minutes for row in rows),
    )

"""What a person asked to see of the queue, as the address says it; and the figures for it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
from projections.finding import Named, charge_types, clients, near
from projections.names import clients_matching
from projections.queue import Filter, QueueRow
from projections.views import ViewsBehind

WAIT_S: Final = 2.0
"""So long a page waits for the views; then it shows them as they are, and says so."""
LONGEST: Final = 200
FIRST_YEAR, LAST_YEAR = 1990, 2190


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The filters of the queue page.

    `faults` says by field what could not be understood: then no figures are shown, for they would be those of another question.
    `typed` keeps what was typed there.
    `clients` and `type_code` are what the texts stand for, once `resolved` has looked; null leaves all in.
    """

    as_of: date
    today: date
    client: str = ""
    since: date | None = None
    until: date | None = None
    charge_type: str = ""
    page: int = 1
    faults: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    clients: tuple[Named, ...] | None = None
    type_code: str | None = None

    @property
    def narrowed(self) -> bool:
        """Something is left out."""
        return bool(self.client or self.since or self.until or self.charge_type)

    @property
    def misread(self) -> bool:
        """A date is none, so that nobody can say what was asked for."""
        return bool(self.faults.keys() & {"as_of", "from", "to"})

    def only(self, client_id: str | None = None) -> Filter:
        """The same for the queue's query; clients are matched afterwards."""
        return Filter(client_id=client_id, since=self.since, until=self.until, charge_type=self.type_code)

    def asked(self, **more: Any) -> str:
        """The filters as a query string, with more beside them; a page's number is not kept."""
        own = {
            "as_of": self.as_of if self.as_of != self.today else None, "client": self.client, "from": self.since,
            "to": self.until, "charge_type": self.charge_type,
        }  # fmt: skip
        return query({**own, **more})


def read_view(given: Mapping[str, str], today: date) -> View:
    """The view that an address asks for; what is not understood is named by its field."""
    faults: dict[str, str] = {}
    since, until = read_span(given, faults)
    return View(
        as_of=read_day(given.get("as_of", ""), "as_of", faults) or today,
        today=today,
        client=read_text(given.get("client", "")),
        since=since,
        until=until,
        charge_type=read_text(given.get("charge_type", "")),
        page=read_page(given.get("page", "")),
        faults=faults,
        typed={name: read_text(given.get(name, "")) for name in ("as_of", "from", "to") if name in given},
    )


def resolved(cursor: Cursor[Any], view: View) -> View:
    """The view with its client and charge type looked up; whoever or whatever nobody knows is a fault of its field."""
    faults = dict(view.faults)
    clients = find_clients(cursor, view.client, faults)
    code = find_code(charge_types(cursor), view.charge_type, faults) if view.charge_type else None
    return replace(view, clients=clients, type_code=code, faults=faults)


def view_of_query(text: str, today: date) -> View:
    """The view that a form carries with it as a query string."""
    return read_view(dict(parse_qsl(text[:2_000])), today)


def find_clients(cursor: Cursor[Any], text: str, faults: dict[str, str]) -> tuple[Named, ...] | None:
    """The clients a text means, null where nothing was typed; a text that means nobody is a fault."""
    if not text:
        return None
    found = tuple(clients_matching(cursor, text))
    if not found:
        faults["client"] = f"No client matches “{text}”.{_perhaps(text, clients(cursor))}"
    return found


def find_code(known: Sequence[Named], text: str, faults: dict[str, str]) -> str | None:
    """The charge type whose code or name a text is, or of whose name alone it is a part."""
    wanted = text.casefold()
    whole = [code for code, name in known if wanted in (code.casefold(), name.casefold())]
    part = [(code, name) for code, name in known if wanted in name.casefold()]
    if whole or len(part) == 1:
        return whole[0] if whole else part[0][0]
    if part:
        faults["charge_type"] = f"“{text}” could be {' or '.join(name for _, name in part[:5])}."
    else:
        faults["charge_type"] = f"No charge type matches “{text}”."
    return None


def _perhaps(text: str, known: Sequence[Named]) -> str:
    close = near(text, known)
    return f" Did you mean {' or '.join(one.name for one in close[:3])}?" if close else ""


def read_span(given: Mapping[str, str], faults: dict[str, str]) -> tuple[date | None, date | None]:
    """The days from and to which somebody wants to see, in that order."""
    since, until = read_day(given.get("from", ""), "from", faults), read_day(given.get("to", ""), "to", faults)
    if since is not None and until is not None and until < since:
        faults["to"] = f"This is before {since}, where it starts."
    return since, until


def read_day(text: str, name: str, faults: dict[str, str]) -> date | None:
    """A date as forms send it, or null; what is none is a fault of its field."""
    text = text.strip()
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        faults[name] = f"“{text[:20]}” is no date such as 2026-05-31."
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
    held_by_currency: tuple[tuple[str, int], ...]
    unapproved_minutes: int


def rows_of(cursor: Cursor[Any], view: View) -> list[QueueRow]:
    """The queue's rows that a view leaves in; none where it could not be understood."""
    if view.faults:
        return []
    found = queue.rows(cursor, view.as_of, view.only(_only_one(view)))
    if view.clients is None:
        return found
    wanted = {client_id for client_id, _ in view.clients}
    return [row for row in found if row.client_id in wanted]


def _only_one(view: View) -> str | None:
    return view.clients[0][0] if view.clients is not None and len(view.clients) == 1 else None


def totals_of(rows: Sequence[QueueRow]) -> Totals:
    """The sums of some rows: a client without lines is not counted."""
    sums: dict[str, int] = {}
    held: dict[str, int] = {}
    for row in rows:
        if row.lines:
            sums[row.currency] = sums.get(row.currency, 0) + row.net_minor
        if row.held_lines:
            held[row.currency] = held.get(row.currency, 0) + row.held_minor
    return Totals(
        clients=len({row.client_id for row in rows if row.lines}),
        lines=sum(row.lines for row in rows),
        by_currency=tuple(sorted(sums.items())),
        held_lines=sum(row.held_lines for row in rows),
        held_by_currency=tuple(sorted(held.items())),
        unapproved_minutes=sum(row.unapproved_minutes for row in rows),
    )

"""Clients: what each owes and how old it is; and one client's account with everything that was ever recorded of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from psycopg import Cursor

from daybook.app import App
from daybook.paying import METHODS
from daybook.web.access import installation
from daybook.web.charts import LABELS, Part, ageing_bar
from daybook.web.limits import limited
from daybook.web.money_words import DOCUMENT_STATUSES
from daybook.web.pages_queue import MOST_LINES, Viewer
from daybook.web.pages_render import page, query
from daybook.web.pages_story import story_lines
from daybook.web.pages_view import View, find_clients, read_day, read_id, read_page, read_text, reading
from daybook.web.people import Person
from domain.money import UnknownCurrency, minor_digits
from projections import client_story, documents, queue
from projections.balances import Balance, balances
from projections.client_account import client_accounts
from projections.queue import Filter
from projections.terms import load_clients
from projections.waiting_on import explained
from runs.errors import NothingThere

PAGE: Final = 200
MOST_SHOWN: Final = 100
"""So many documents and payments of one currency stand on the account's page; the lists have all."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client's account in one currency, with its bar; one who never had a document has a row without figures."""

    client_id: str
    client_name: str
    currency: str
    balance: Balance | None
    bar: tuple[Part, ...]


@router.get("/clients")
def clients_page(request: Request, person: Viewer) -> Response:
    """Every client with what it owes, how old that is, and the credit beside it, as of a day; the most overdue first."""
    app = installation(request)
    given, faults = request.query_params, dict[str, str]()
    today = app.settings.business_date()
    as_of = _as_of(request, person, app, faults)
    text = read_text(given.get("client", ""))
    number = read_page(given.get("page", ""))
    misread = bool(faults)
    with reading(app, request, person) as (cursor, behind):
        meant = find_clients(cursor, text, faults)
        found = [] if faults else _rows(cursor, as_of, {one.id for one in meant} if meant is not None else None)
    first = (number - 1) * PAGE
    asked = {"client": text, "as_of": as_of if as_of != today else None}
    return page(
        request, person, "clients.html", rows=found[first : first + PAGE], count=len({one.client_id for one in found}),
        sums=_sums([one.balance for one in found if one.balance is not None]), client=text, as_of=as_of, today=today,
        faults=faults, typed=dict(given), behind=behind, asked=query(asked), number=number, pages=-(-len(found) // PAGE),
        labels=LABELS, status=422 if misread else 200,
    )  # fmt: skip


def _as_of(request: Request, person: Person, app: App, faults: dict[str, str]) -> date:
    """The day asked for; every other than today's is counted, for each account is settled anew up to it."""
    today = app.settings.business_date()
    as_of = read_day(request.query_params.get("as_of", ""), "as_of", faults) or today
    if as_of != today:
        limited(request, "rate-as-of", person.name)
    return as_of


def _rows(cursor: Cursor[Any], as_of: date, wanted: set[str] | None) -> list[ClientRow]:
    owed = [one for one in balances(cursor, as_of) if wanted is None or one.client_id in wanted]
    with_account = {one.client_id for one in owed}
    others = cursor.execute(
        "SELECT client_id, name, currency FROM clients WHERE %s::text[] IS NULL OR client_id = ANY(%s)",
        (list(wanted) if wanted is not None else None,) * 2,
    ).fetchall()
    found = [ClientRow(one.client_id, one.client_name, one.currency, one, ageing_bar(one)) for one in owed]
    found += [ClientRow(row[0], row[1], row[2], None, ()) for row in others if row[0] not in with_account]
    return sorted(found, key=_most_overdue_first)


def _most_overdue_first(row: ClientRow) -> tuple[Decimal, Decimal, str, str, str]:
    """By units of whatever currency: an order to work through, not a rate of exchange."""
    digits = _digits(row.currency)
    owed = (row.balance.overdue_minor, row.balance.outstanding_minor) if row.balance is not None else (0, -1)
    overdue, outstanding = (Decimal(-minor).scaleb(-digits) for minor in owed)
    return (overdue, outstanding, row.client_name.casefold(), row.client_id, row.currency)


def _digits(currency: str) -> int:
    try:
        return minor_digits(currency)
    except UnknownCurrency:
        return 2


def _sums(found: Sequence[Balance]) -> list[tuple[str, dict[str, int]]]:
    """The sums of some accounts, by currency."""
    names = ("outstanding_minor", "overdue_minor", "unapplied_minor", *(f"{age}_minor" for age in LABELS))
    sums: dict[str, dict[str, int]] = {}
    for one in found:
        own = sums.setdefault(one.currency, dict.fromkeys(names, 0))
        for name in names:
            own[name] += getattr(one, name)
    return sorted(sums.items())


@router.get("/clients/{client_id:path}")
def client_page(request: Request, person: Viewer, client_id: str) -> Response:
    """A client's account as of a day, what is about to be invoiced, what waits, and the timeline of facts and decisions."""
    app = installation(request)
    client_id = read_id(client_id)
    faults: dict[str, str] = {}
    today = app.settings.business_date()
    as_of = _as_of(request, person, app, faults)
    number = read_page(request.query_params.get("page", ""))
    with reading(app, request, person, today) as (cursor, behind):
        terms = load_clients(cursor, [client_id])[client_id]
        accounts = client_accounts(cursor, client_id, as_of) if not faults else []
        rows = queue.rows(cursor, today, Filter(client_id=client_id))
        waiting = explained(cursor, app.book.keyring, documents.waiting(cursor, client_id))
        length = client_story.story_length(cursor, client_id)
        lines = story_lines(client_story.story(cursor, client_id, number))
        paid = cursor.execute("SELECT EXISTS (SELECT FROM payments WHERE client_id = %s)", (client_id,)).fetchone()
    if terms.latest is None and not rows and not waiting and not accounts and paid != (True,):
        raise NothingThere(f"There is no client {client_id}")
    return page(
        request, person, "client.html", client_id=client_id, client=terms.latest, contracts=terms.contracts, rows=rows,
        waiting=waiting[:MOST_LINES], accounts=[(one, ageing_bar(one.balance)) for one in accounts], view=View(as_of=today,
        today=today), as_of=as_of, today=today, behind=behind, story=lines, story_length=length, number=number,
        pages=-(-length // client_story.PAGE), labels=LABELS, methods=METHODS, statuses=DOCUMENT_STATUSES, most=MOST_SHOWN,
        faults=faults, typed=dict(request.query_params), asked=query({"as_of": as_of if as_of != today else None}),
        status=422 if faults else 200,
    )  # fmt: skip

"""The queue page: one row per client and currency, opened to its lines."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from psycopg import Cursor

from daybook.app import App
from daybook.web.access import installation, require
from daybook.web.pages_render import dom_id, from_htmx, page
from daybook.web.pages_view import View, read_id, read_text, read_view, reading, resolved, rows_of, totals_of
from daybook.web.people import Person
from projections import documents, queue
from projections.finding import charge_types
from projections.invoice_list import client_names
from projections.names import suggested_clients
from projections.queue import QueueLine
from projections.time_list import UNAPPROVED, stuck_counts
from projections.waiting_on import explained

PAGE: Final = 500
MOST_LINES: Final = 500

router = APIRouter(include_in_schema=False)
Viewer = Annotated[Person, Depends(require("viewer"))]


@router.get("/")
def queue_page(request: Request, person: Viewer) -> Response:
    """The ready-for-invoicing queue with its filters and totals."""
    app = installation(request)
    view = read_view(request.query_params, app.settings.business_date())
    with reading(app, request, person, view.as_of) as (cursor, behind):
        view = resolved(cursor, view)
        rows = rows_of(cursor, view)
        stuck = [one for one in stuck_counts(cursor) if one.reason not in UNAPPROVED]
        types = charge_types(cursor)
    first = (view.page - 1) * PAGE
    return page(
        request, person, "queue.html", view=view, rows=rows[first : first + PAGE], totals=totals_of(rows), stuck=stuck,
        charge_types=types, behind=behind, pages=-(-len(rows) // PAGE), count=len(rows),
        status=422 if view.misread else 200,
    )  # fmt: skip


@router.get("/queue/clients")
def client_options(request: Request, person: Viewer, client: str = "") -> Response:
    """What a client field offers while somebody types: the first few clients that have the text in their name or id."""
    with installation(request).views.reading() as cursor:
        found = suggested_clients(cursor, read_text(client))
    return page(request, person, "_clients.html", clients=found)


@router.get("/queue/lines")
def lines_page(request: Request, person: Viewer, client_id: str, currency: str) -> Response:
    """One client's lines in one currency: the part that opens under its row, or a page of its own."""
    app = installation(request)
    view = read_view(request.query_params, app.settings.business_date())
    with reading(app, request, person, view.as_of) as (cursor, _):
        view = resolved(cursor, view)
        context = client_lines(app, cursor, view, read_id(client_id), read_id(currency))
    template = "_lines.html" if from_htmx(request) else "lines.html"
    return page(request, person, template, view=view, inline=from_htmx(request), **context)


def client_lines(app: App, cursor: Cursor[Any], view: View, client_id: str, currency: str) -> dict[str, Any]:
    """What the lines of one client and currency are shown from."""
    found = [one for one in queue.lines(cursor, view.as_of, view.only(client_id)) if one.currency == currency]
    return {
        "client_id": client_id,
        "client_name": client_names(cursor, [client_id]).get(client_id, client_id),
        "currency": currency,
        "lines": found[:MOST_LINES],
        "left_out": max(len(found) - MOST_LINES, 0),
        "net_minor": sum(one.net_minor for one in found if one.hold is None),
        "held_minor": sum(one.net_minor for one in found if one.hold is not None),
        "line_ids": [_line_id(one, number) for number, one in enumerate(found[:MOST_LINES])],
        "waiting": explained(cursor, app.book.keyring, documents.waiting(cursor, client_id)[:MOST_LINES]),
    }


def _line_id(line: QueueLine, number: int) -> str:
    # An item that is mirrored has several lines.
    return dom_id(line.client_id, line.item_key, str(number))


def updated_client(
    app: App, request: Request, person: Person, view: View, client_id: str, currency: str, said: str, wrong: str
) -> Response:
    """A client's row, opened, and the totals, after somebody decided something: what htmx puts in their place."""
    with reading(app, request, person, view.as_of) as (cursor, _):
        view = resolved(cursor, view)
        rows = rows_of(cursor, view)
        context = client_lines(app, cursor, view, client_id, currency)
    own = [row for row in rows if row.client_id == client_id and row.currency == currency]
    return page(
        request, person, "_updated.html", view=view, row=own[0] if own else None, totals=totals_of(rows), inline=True, said=said,
        wrong=wrong, **context,
    )  # fmt: skip

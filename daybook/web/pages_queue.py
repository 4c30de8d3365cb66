"""The queue page: one row per client and currency, opened to its lines."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from psycopg import Cursor

from daybook.app import App
from daybook.web.access import installation, require
from daybook.web.pages_render import dom_id, from_htmx, page
from daybook.web.pages_view import View, read_id, read_view, reading, rows_of, totals_of
from daybook.web.people import Person
from projections import documents, queue
from projections.invoice_list import client_names
from projections.queue import QueueLine
from projections.terms import load_catalogue
from projections.time_list import stuck_counts

PAGE: Final = 1_000
MOST_LINES: Final = 500
UNAPPROVED: Final = ("awaiting_approval", "amended_after_invoicing")

router = APIRouter(include_in_schema=False)
Viewer = Annotated[Person, Depends(require("viewer"))]


@router.get("/")
def queue_page(request: Request, person: Viewer) -> Response:
    """The ready-for-invoicing queue with its filters and totals."""
    app = installation(request)
    view = read_view(request.query_params, app.settings.business_date())
    with reading(app, request, person, view.as_of) as (cursor, behind):
        rows = rows_of(cursor, view)
        stuck = [one for one in stuck_counts(cursor) if one.reason not in UNAPPROVED]
        charge_types = _charge_types(cursor)
    first = (view.page - 1) * PAGE
    return page(
        request, person, "queue.html", view=view, rows=rows[first : first + PAGE], totals=totals_of(rows), stuck=stuck,
        charge_types=charge_types, behind=behind, pages=-(-len(rows) // PAGE), count=len(rows),
    )  # fmt: skip


def _charge_types(cursor: Cursor[Any]) -> list[tuple[str, str]]:
    """(code, name) of what time can be charged as, by name."""
    known = load_catalogue(cursor).charge_types
    return sorted(((code, line.states[-1].name) for code, line in known.items()), key=lambda pair: pair[1].casefold())


@router.get("/queue/lines")
def lines_page(request: Request, person: Viewer, client_id: str, currency: str) -> Response:
    """One client's lines in one currency: the part that opens under its row, or a page of its own."""
    app = installation(request)
    view = read_view(request.query_params, app.settings.business_date())
    with reading(app, request, person, view.as_of) as (cursor, _):
        context = client_lines(cursor, view, read_id(client_id), read_id(currency))
    template = "_lines.html" if from_htmx(request) else "lines.html"
    return page(request, person, template, view=view, inline=from_htmx(request), **context)


def client_lines(cursor: Cursor[Any], view: View, client_id: str, currency: str) -> dict[str, Any]:
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
        "waiting": documents.waiting(cursor, client_id)[:MOST_LINES],
    }


def _line_id(line: QueueLine, number: int) -> str:
    # An item that is mirrored has several lines.
    return dom_id(line.client_id, line.item_key, str(number))


def updated_client(
    app: App, request: Request, person: Person, view: View, client_id: str, currency: str, said: str, wrong: str
) -> Response:
    """A client's row, opened, and the totals, after somebody decided something: what htmx puts in their place."""
    with reading(app, request, person, view.as_of) as (cursor, _):
        rows = rows_of(cursor, view)
        context = client_lines(cursor, view, client_id, currency)
    own = [row for row in rows if row.client_id == client_id and row.currency == currency]
    return page(
        request, person, "_updated.html", view=view, row=own[0] if own else None, totals=totals_of(rows), inline=True, said=said,
        wrong=wrong, **context,
    )  # fmt: skip

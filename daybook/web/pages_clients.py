"""One client: who it is, what is due, what is waiting, what was issued."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from daybook.web.access import installation
from daybook.web.pages_queue import MOST_LINES, Viewer
from daybook.web.pages_render import page
from daybook.web.pages_view import View, read_id, reading
from projections import documents, queue
from projections.invoice_list import invoice_rows
from projections.queue import Filter
from projections.terms import load_clients
from runs.errors import NothingThere

router = APIRouter(include_in_schema=False)


@router.get("/clients/{client_id:path}")
def client_page(request: Request, person: Viewer, client_id: str) -> Response:
    """One client's documents, its queue and what waits."""
    app = installation(request)
    client_id = read_id(client_id)
    today = app.settings.business_date()
    with reading(app, request, person, today) as (cursor, behind):
        terms = load_clients(cursor, [client_id])[client_id]
        rows = queue.rows(cursor, today, Filter(client_id=client_id))
        waiting = documents.waiting(cursor, client_id)[:MOST_LINES]
        issued = invoice_rows(cursor, client_id=client_id)
    if terms.latest is None and not rows and not waiting and not issued:
        raise NothingThere(f"There is no client {client_id}")
    return page(
        request, person, "client.html", client_id=client_id, client=terms.latest, contracts=terms.contracts, rows=rows,
        waiting=waiting, issued=issued, view=View(as_of=today, today=today), behind=behind,
    )  # fmt: skip

"""What the API shows: the queue, documents, what waits, time entries, dead letters."""

from datetime import date, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from daybook.app import App
from daybook.printing import plain
from daybook.showing import opened
from daybook.web import listing, paging
from daybook.web.access import installation, require
from daybook.web.limits import limited
from daybook.web.paging import Cursor, Limit, answered, listed
from daybook.web.people import Person
from daybook.web.problems import DECLARED, Problem
from daybook.web.shapes import (
    Day,
    DeadLetterOut,
    Id,
    InvoiceOut,
    QueueLineOut,
    QueueRowOut,
    TimeEntryOut,
    WaitingOut,
)
from projections import documents, queue
from projections.queue import Filter, QueueLine, QueueRow

router = APIRouter(prefix="/api/v1", tags=["reading"], responses=DECLARED)

EARLIEST: Final = date(2000, 1, 1)
LOOK_AHEAD: Final = timedelta(days=366)

OfClient = Annotated[Id | None, Query(alias="client", description="Only this client's id.")]
Since = Annotated[Day | None, Query(alias="from", description="Served on or after.")]
Until = Annotated[Day | None, Query(alias="to", description="Served on or before.")]
Number = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


@router.get("/queue", response_model=list[QueueRowOut] | list[QueueLineOut], dependencies=[Depends(require("viewer"))])
def ready_for_invoicing(
    request: Request,
    as_of: Annotated[Day | None, Query(description="The billing date (default: the business day).")] = None,
    client: OfClient = None,
    since: Since = None,
    until: Until = None,
    charge_type: Annotated[Id | None, Query(description="Only this charge type's code.")] = None,
    lines: Annotated[bool, Query(description="Every line, instead of one row a client and currency.")] = False,
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Response:
    """The ready-for-invoicing queue: a row a client and currency, or with `lines=true` every line."""
    app = installation(request)
    day = billing_date(request, app, as_of)
    only = Filter(client_id=client, since=since, until=until, charge_type=charge_type)
    if lines:
        last = paging.after(cursor, str, bool, str, str)
        with app.views.reading(as_of=day) as reading:
            found, more = paging.page_of(queue.lines(reading, day, only), _line_key, last, limit)
        return listed(request, [_line(app, one, request.state.person) for one in found], more)
    last = paging.after(cursor, str, str, str)
    with app.views.reading(as_of=day) as reading:
        rows, more = paging.page_of(queue.rows(reading, day, only), _row_key, last, limit)
    return listed(request, rows, more)


def billing_date(request: Request, app: App, given: date | None) -> date:
    """The day asked for; another than the business day has to be rated for the asking, so it is bounded and counted."""
    today = app.settings.business_date()
    if given is None or given == today:
        return today
    if not EARLIEST <= given <= today + LOOK_AHEAD:
        raise Problem(
            422,
            "as-of",
            "Too far away",
            f"as_of must be from {EARLIEST} to {today + LOOK_AHEAD}.",
            "Choose a nearer billing date.",
            errors=[("as_of", f"{given} is out of range")],
        )
    limited(request, "rate-as-of", request.state.person.name)
    return given


def _row_key(row: QueueRow) -> tuple[str, str, str]:
    return row.client_name, row.client_id, row.currency


def _line_key(line: QueueLine) -> tuple[str, bool, str, str]:
    return line.client_id, line.unit != "hour", line.service_from.isoformat(), line.item_key


def _line(app: App, line: QueueLine, person: Person) -> dict[str, Any]:
    shown: dict[str, Any] = plain(line)
    if line.hold is not None:
        shown["hold"]["reason"] = _personal(app, line.hold["reason"], person)
    return shown


def _personal(app: App, text: str | None, person: Person) -> str | None:
    """What people wrote is for those who may decide."""
    return opened(text, app.book.keyring) if text is not None and person.may("biller") else None


@router.get("/invoices", response_model=list[InvoiceOut], dependencies=[Depends(require("viewer"))])
def invoices(
    request: Request, client: OfClient = None, limit: Annotated[int, Query(ge=1, le=500)] = 100, cursor: Cursor = None
) -> Response:
    """Issued documents in order of issue, each with its lines."""
    last = paging.after(cursor, str, int, str)
    with installation(request).views.reading() as reading:
        page = listing.documents_after(reading, client, last, limit + 1)
        more = page[limit - 1].key if len(page) > limit else None
        found = [one for place in page[:limit] for one in documents.invoices(reading, place.client_id, place.number)]
    return listed(request, found, more)


@router.get("/invoices/{number:path}", response_model=InvoiceOut, dependencies=[Depends(require("viewer"))])
def invoice(request: Request, number: Number) -> Response:
    """One issued document with its lines."""
    if number.endswith(".pdf"):
        raise Problem(404, "no-pdf", "No PDF yet", "PDF comes with a later version.", "Ask without .pdf for the figures.")
    with installation(request).views.reading() as reading:
        found = documents.invoices(reading, number=number)
    if not found:
        raise Problem(
            404, "nothing-there", "Not there", f"There is no document {number!r}.", "GET /api/v1/invoices lists the numbers."
        )
    return answered(plain(found[0]))


@router.get("/waiting", response_model=list[WaitingOut], dependencies=[Depends(require("viewer"))])
def waiting(request: Request, client: OfClient = None, limit: Limit = 1_000, cursor: Cursor = None) -> Response:
    """What is kept and not billed, and why."""
    last = paging.after(cursor, str, str, str, str)
    with installation(request).views.reading() as reading:
        found, more = paging.page_of(documents.waiting(reading, client), _waiting_key, last, limit)
    return listed(request, found, more)


def _waiting_key(one: dict[str, Any]) -> tuple[str, str, str, str]:
    return one["client_id"], one["what"], f"{one['since']:%Y-%m-%dT%H:%M:%S.%f}", one["id"]


@router.get("/time-entries", response_model=list[TimeEntryOut], dependencies=[Depends(require("viewer"))])
def time_entries(
    request: Request,
    client: OfClient = None,
    since: Annotated[Day | None, Query(alias="from", description="Worked on or after.")] = None,
    until: Annotated[Day | None, Query(alias="to", description="Worked on or before.")] = None,
    status: Annotated[Id | None, Query(description="Only in this state, e.g. logged or approved.")] = None,
    waiting: Annotated[bool, Query(description="Only those that wait for something.")] = False,
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Response:
    """Time entries: who logged them, who approved them, and which are stuck and why."""
    app = installation(request)
    last = paging.after(cursor, str, str)
    only = listing.EntryFilter(client_id=client, since=since, until=until, status=status, waiting=waiting)
    with app.views.reading() as reading:
        found = listing.time_entries_after(reading, only, last, limit + 1)
    more = (found[limit - 1]["client_id"], found[limit - 1]["time_entry_id"]) if len(found) > limit else None
    for one in found[:limit]:
        one["note"] = _personal(app, one["note"], request.state.person)
    return listed(request, found[:limit], more)


@router.get("/dead-letters", response_model=list[DeadLetterOut], dependencies=[Depends(require("admin"))])
def dead_letters(
    request: Request,
    reason: Annotated[Id | None, Query(description="Only of this reason, e.g. undecodable.")] = None,
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Response:
    """Messages that could not be read or trusted; what was in them is shown to nobody here."""
    last = paging.after(cursor, int, int)
    with installation(request).database.connection() as connection, connection.cursor() as reading:
        found = listing.dead_letters_after(reading, reason, last, limit + 1)
    more = (found[limit - 1]["batch"], found[limit - 1]["number"]) if len(found) > limit else None
    return listed(request, found[:limit], more)

"""What the API shows: the queue, documents, what waits, time entries, dead letters; each list as JSON or as CSV."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from psycopg import Cursor

from daybook.app import App
from daybook.printing import plain
from daybook.showing import opened
from daybook.web import listing, paging, sheets
from daybook.web.access import installation, require
from daybook.web.answers import DeadLetterOut, InvoiceOut, QueueLineOut, QueueRowOut, TimeEntryOut, WaitingOut
from daybook.web.limits import limited
from daybook.web.paging import AS_CSV, Asked, answered
from daybook.web.paper import AS_PDF, pdf_of
from daybook.web.people import Person
from daybook.web.problems import DECLARED, Problem
from daybook.web.shapes import Day, Id, Moment
from projections import documents, queue
from projections.invoice_list import client_names
from projections.queue import Filter, QueueLine, QueueRow
from projections.time_list import UNAPPROVED
from projections.waiting_on import explained

router = APIRouter(prefix="/api/v1", tags=["reading"], responses=DECLARED)

EARLIEST: Final = date(2000, 1, 1)
LOOK_AHEAD: Final = timedelta(days=366)
MOST_DOCUMENTS: Final = 500
VIEWER: Final = [Depends(require("viewer"))]

OfClient = Annotated[Id | None, Query(alias="client", description="Only this client's id.", examples=["acme"])]
Search = Annotated[Id | None, Query(description="Part of a client's name or id, in capitals or not.")]
Since = Annotated[Day | None, Query(alias="from", description="Served on or after.")]
Until = Annotated[Day | None, Query(alias="to", description="Served on or before.")]
Reason = Annotated[
    Id | None, Query(description="Only what waits for this reason, e.g. awaiting_approval; `stuck`: for any but approval.")
]
KnownAt = Annotated[
    Moment | None,
    Query(
        description="As it was known at an instant, e.g. 2026-06-01T09:00:00Z: folded for the asking.",
        examples=["2026-06-01T09:00:00Z"],
    ),
]
Number = Annotated[str, Path(examples=["INV-000001"], min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


@router.get("/queue", response_model=list[QueueRowOut] | list[QueueLineOut], dependencies=VIEWER, responses=AS_CSV)
def ready_for_invoicing(
    request: Request,
    page: Asked,
    as_of: Annotated[
        Day | None, Query(description="The billing date (default: the business day).", examples=["2026-05-31"])
    ] = None,
    client: OfClient = None,
    search: Search = None,
    since: Since = None,
    until: Until = None,
    charge_type: Annotated[Id | None, Query(description="Only this charge type's code.")] = None,
    lines: Annotated[bool, Query(description="Every line, instead of one row a client and currency.")] = False,
    known_at: KnownAt = None,
) -> Response:
    """The ready-for-invoicing queue: a row a client and currency, or with `lines=true` every line."""
    app = installation(request)
    only = Filter(client_id=client, since=since, until=until, charge_type=charge_type)
    last = page.after(str, bool, str, str) if lines else page.after(str, str, str)
    day = billing_date(request, app, as_of)
    with app.views.reading(as_of=day, known_at=known(request, known_at)) as reading:
        if lines:
            return _lines(request, page, queue.lines(reading, day, only), reading, search, last)
        found = [row for row in queue.rows(reading, day, only) if _is_meant(search, row.client_id, row.client_name)]
    rows, more = paging.page_of(found, _row_key, last, page.limit)
    return page.listed(request, rows, more, sheets.QUEUE)


def known(request: Request, instant: datetime | None) -> datetime | None:
    """The instant asked for; the book has to be folded up to it, so it is counted."""
    if instant is not None:
        limited(request, "known-at", request.state.person.name)
    return instant


def _is_meant(search: str | None, *texts: str) -> bool:
    return search is None or any(search.casefold() in text.casefold() for text in texts)


def _lines(
    request: Request, page: paging.Page, lines: Sequence[QueueLine], reading: Cursor[Any], search: str | None, last: Any
) -> Response:
    app, person = installation(request), request.state.person
    names = client_names(reading, sorted({line.client_id for line in lines})) if page.is_csv or search is not None else {}
    meant = [line for line in lines if _is_meant(search, line.client_id, names.get(line.client_id, ""))]
    found, more = paging.page_of(meant, _line_key, last, page.limit)
    shown = [_line(app, line, person) for line in found]
    if page.is_csv:
        shown = [_flat(one, names.get(one["client_id"], one["client_id"])) for one in shown]
    return page.listed(request, shown, more, sheets.LINES)


def _flat(line: dict[str, Any], client_name: str) -> dict[str, Any]:
    """A line without anything inside it."""
    corrects, hold = line["corrects"], line["hold"] or {}
    return {
        **line,
        "client_name": client_name,
        "corrects": f"{corrects['number']} line {corrects['line_no']}" if corrects else None,
        "held_by": hold.get("by"),
        "held_at": hold.get("at"),
        "hold_reason": hold.get("reason"),
    }


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
    shown = asdict(line)
    if line.hold is not None:
        shown["hold"]["reason"] = _personal(app, line.hold["reason"], person)
    return shown


def _personal(app: App, text: str | None, person: Person) -> str | None:
    """What people wrote is for those who may decide."""
    return opened(text, app.book.keyring) if text is not None and person.may("biller") else None


@router.get("/invoices", response_model=list[InvoiceOut], dependencies=VIEWER, responses=AS_CSV)
def invoices(
    request: Request,
    page: Asked,
    client: OfClient = None,
    search: Annotated[Id | None, Query(description="Part of a number, or of a client's name or id.")] = None,
    known_at: KnownAt = None,
) -> Response:
    """Issued documents in order of issue, each with its lines (at most 500 at a time); as CSV without them."""
    last = page.after(str, int, str)
    most = page.limit if page.is_csv else min(page.limit, MOST_DOCUMENTS)
    with installation(request).views.reading(known_at=known(request, known_at)) as reading:
        places = listing.documents_after(reading, client, search, last, most + 1)
        more = places[most - 1].key if len(places) > most else None
        if page.is_csv:
            return page.listed(request, [place.head for place in places[:most]], more, sheets.INVOICES)
        found = [one for place in places[:most] for one in documents.invoices(reading, place.client_id, place.number)]
    return page.listed(request, found, more, sheets.INVOICES)


@router.get("/invoices/{number:text}.pdf", response_class=Response, dependencies=VIEWER, responses=AS_PDF)
def invoice_pdf(request: Request, number: Number) -> Response:
    """One issued document as its client receives it: a tagged PDF (PDF/UA-1), always the same bytes for the same reader."""
    return pdf_of(request, request.state.person, number)


@router.get("/invoices/{number:path}", response_model=InvoiceOut, dependencies=VIEWER)
def invoice(request: Request, number: Number) -> Response:
    """One issued document with its lines."""
    with installation(request).views.reading() as reading:
        found = documents.invoices(reading, number=number)
    if not found:
        raise Problem(
            404, "nothing-there", "Not there", f"There is no document {number!r}.", "GET /api/v1/invoices lists the numbers."
        )
    return answered(plain(found[0]))


@router.get("/waiting", response_model=list[WaitingOut], dependencies=VIEWER, responses=AS_CSV)
def waiting(request: Request, page: Asked, client: OfClient = None, reason: Reason = None, known_at: KnownAt = None) -> Response:
    """What is kept and not billed, and why."""
    last = page.after(str, str, str, str)
    app, at = installation(request), known(request, known_at)
    with app.views.reading(known_at=at) as reading:
        every = explained(reading, app.book.keyring, documents.waiting(reading, client), at)
    meant = [one for one in every if _waits_for(reason, one["reason"])]
    found, more = paging.page_of(meant, _waiting_key, last, page.limit)
    return page.listed(request, found, more, sheets.WAITING)


def _waits_for(asked: str | None, reason: str) -> bool:
    return asked in (None, reason) or (asked == "stuck" and reason not in UNAPPROVED)


def _waiting_key(one: dict[str, Any]) -> tuple[str, str, str, str]:
    return one["client_id"], one["what"], f"{one['since']:%Y-%m-%dT%H:%M:%S.%f}", one["id"]


@router.get("/time-entries", response_model=list[TimeEntryOut], dependencies=VIEWER, responses=AS_CSV)
def time_entries(
    request: Request,
    page: Asked,
    client: OfClient = None,
    search: Search = None,
    since: Annotated[Day | None, Query(alias="from", description="Worked on or after.")] = None,
    until: Annotated[Day | None, Query(alias="to", description="Worked on or before.")] = None,
    status: Annotated[Id | None, Query(description="Only in this state, e.g. unapproved or approved.")] = None,
    waiting: Annotated[bool, Query(description="Only those that wait for something.")] = False,
    reason: Reason = None,
    known_at: KnownAt = None,
) -> Response:
    """Time entries: who logged them, who approved them, and which are stuck and why."""
    app = installation(request)
    last = page.after(str, str)
    only = listing.EntryFilter(
        client_id=client, since=since, until=until, status=status, waiting=waiting, reason=reason, search=search
    )
    with app.views.reading(known_at=known(request, known_at)) as reading:
        found = listing.time_entries_after(reading, only, last, page.limit + 1)
    at_end = found[: page.limit]
    more = (at_end[-1]["client_id"], at_end[-1]["time_entry_id"]) if len(found) > page.limit else None
    for one in at_end:
        one["note"] = _personal(app, one["note"], request.state.person)
    return page.listed(request, at_end, more, sheets.TIME_ENTRIES)


@router.get("/dead-letters", response_model=list[DeadLetterOut], dependencies=[Depends(require("admin"))], responses=AS_CSV)
def dead_letters(
    request: Request,
    page: Asked,
    reason: Annotated[Id | None, Query(description="Only of this reason, e.g. undecodable.")] = None,
) -> Response:
    """Messages that could not be read or trusted; what was in them is shown to nobody here."""
    last = page.after(int, int)
    with installation(request).database.connection() as connection, connection.cursor() as reading:
        found = listing.dead_letters_after(reading, reason, last, page.limit + 1)
    at_end = found[: page.limit]
    more = (at_end[-1]["batch"], at_end[-1]["number"]) if len(found) > page.limit else None
    return page.listed(request, at_end, more, sheets.DEAD_LETTERS)

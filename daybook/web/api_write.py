"""What the API decides: generate invoices, hold, release, adjust; and what it takes in: facts."""

from collections.abc import Callable
from typing import Any, Literal

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from daybook.app import App, now
from daybook.web import events
from daybook.web.access import installation, require
from daybook.web.answers import Decided, Generated, Handled
from daybook.web.api_read import billing_date
from daybook.web.door import Door
from daybook.web.limits import limited
from daybook.web.once import OncePerKey
from daybook.web.problems import DECLARED, Problem
from daybook.web.shapes import AdjustRequest, Event, GenerateRequest, HoldRequest
from domain.invoice import Document, InvoiceIssued
from ledger.book import Batch
from projections.views import ViewsBehind
from runs import decide
from runs.generate import Outcome, Refusal, generate

log = structlog.get_logger("daybook.web")
router = APIRouter(
    prefix="/api/v1", tags=["deciding"], responses=DECLARED, dependencies=[Depends(require("biller"))], route_class=Door
)

_WHAT_TO_DO = {
    "changed": "Look at the client's queue again, and confirm the figure it has now.",
    "number_taken": "Another series has printed this number: give one of the two another prefix (InvoiceSeriesDefined).",
    "as_of_before_series": "The series has a later document: generate as of that day or later.",
    "unknown_tax_code": "Define the tax code, or correct it on the client, charge type or contract line; then generate again.",
    "unknown_client": "Check the client's id.",
}


@router.post("/invoices/generate", response_model=Generated)
def generate_invoices(request: Request, asked: GenerateRequest, once: OncePerKey) -> Response:
    """Issues the invoices of the clients in `confirmed`, each only if its figures are still those confirmed.

    A client that is left out is in `refused` with both figures; the others are issued all the same.
    """
    limited(request, "generate", request.state.person.name)
    app = installation(request)
    day = billing_date(request, app, asked.as_of)
    confirmed = {(one.client_id, one.currency): one.net_minor for one in asked.confirmed}
    if len(confirmed) < len(asked.confirmed):
        raise Problem(
            422,
            "confirmed-twice",
            "Confirmed twice",
            "`confirmed` has the same client and currency more than once.",
            "Name each client and currency once.",
        )
    return once.run(lambda: _generated(app, day, confirmed))


def _generated(app: App, day: Any, confirmed: dict[tuple[str, str], int]) -> dict[str, Any]:
    if day == app.settings.business_date():
        app.open_today()
    app.views.catch_up()
    known = _known_clients(app, {client_id for client_id, _ in confirmed})
    wanted = {key: net for key, net in confirmed.items() if key[0] in known}
    outcome = Outcome()
    for (client_id, currency), net in confirmed.items():
        if client_id not in known:
            outcome.refused.append(
                Refusal(client_id=client_id, currency=currency, reason="unknown_client", confirmed_minor=net, now_minor=None)
            )
    if wanted:
        issued = generate(app.views, day, now(), client_ids=sorted({key[0] for key in wanted}), confirmed=wanted)
        outcome.documents += issued.documents
        outcome.refused += issued.refused
        _catch_up(app)
    log.info("invoices_generated", issued=len(outcome.documents), refused=len(outcome.refused))
    return {
        "as_of": day,
        "issued": [_issued(document) for document in outcome.documents],
        "refused": [_refused(refusal) for refusal in outcome.refused],
    }


def _known_clients(app: App, client_ids: set[str]) -> set[str]:
    """Those that exist: a run locks a row of each, which a name that is none must not make."""
    with app.views.reading() as cursor:
        rows = cursor.execute("SELECT client_id FROM clients WHERE client_id = ANY(%s)", (sorted(client_ids),)).fetchall()
    return {client_id for (client_id,) in rows}


def _issued(document: Document) -> dict[str, Any]:
    return {
        "number": document.number,
        "kind": "invoice" if isinstance(document, InvoiceIssued) else "credit_note",
        **{name: getattr(document, name) for name in ("client_id", "currency", "issued_on", "due_on")},
        **{name: getattr(document, name) for name in ("net_minor", "tax_minor", "total_minor")},
        "line_count": len(document.lines),
    }


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {
        "client_id": refusal.client_id,
        "currency": refusal.currency,
        "reason": refusal.reason,
        "confirmed_minor": refusal.confirmed_minor,
        "now_minor": refusal.now_minor,
        "what_to_do": _WHAT_TO_DO.get(refusal.reason, "Mend what the reason names upstream, then generate again."),
    }


@router.post("/items/hold", response_model=Decided)
def hold(request: Request, asked: HoldRequest, once: OncePerKey) -> Response:
    """Keeps an item off the run until it is released."""
    by = request.state.person.name
    return _decide(
        request, asked, once, "held", lambda app, item: decide.hold(app.book, item, reason=asked.reason, by=by, at=now())
    )


@router.post("/items/release", response_model=Decided)
def release(request: Request, asked: HoldRequest, once: OncePerKey) -> Response:
    """Lets a held item go on the next run."""
    by = request.state.person.name
    return _decide(
        request, asked, once, "released", lambda app, item: decide.release(app.book, item, reason=asked.reason, by=by, at=now())
    )


@router.post("/items/adjust", response_model=Decided)
def adjust(request: Request, asked: AdjustRequest, once: OncePerKey) -> Response:
    """Changes what an item costs: a discount, a no-charge, goodwill. Done twice it counts twice: send a key."""
    by = request.state.person.name

    def adjusted(app: App, item: decide.Item) -> Batch:
        return decide.adjust(app.book, item, asked.amount_minor, asked.currency, reason=asked.reason, by=by, at=now())

    return _decide(request, asked, once, "adjusted", adjusted)


def _decide(
    request: Request,
    asked: HoldRequest,
    once: OncePerKey,
    done: Literal["held", "released", "adjusted"],
    run: Callable[[App, decide.Item], Batch],
) -> Response:
    limited(request, "decide", request.state.person.name)
    app = installation(request)

    def decided() -> dict[str, Any]:
        app.views.catch_up()
        with app.views.reading() as cursor:
            item = decide.find_item(cursor, asked.item_key, asked.client_id)
        batch = run(app, item)
        _catch_up(app)
        log.info("item_decided", done=done, batch=batch.batch_id)
        return {"done": done, "client_id": item.client_id, "item_key": item.item_key, "batch": batch.batch_id}

    return once.run(decided, doubles=done == "adjusted")


def _catch_up(app: App) -> None:
    """What was decided is kept, whether or not the views show it yet."""
    try:
        app.views.catch_up(timeout_s=30)
    except ViewsBehind as behind:
        log.warning("views_behind", detail=str(behind))


@router.post("/events", response_model=list[Handled])
def take_events(request: Request, said: Event | list[Event], once: OncePerKey) -> Response:
    """Takes facts as from Kafka or a file: each is recorded, or a repeat, or refused with what is wrong.

    Repeats are harmless, so the same request may be sent again. All refused is a 422; some refused is a 200 that says which.
    """
    limited(request, "events", request.state.person.name)
    app = installation(request)
    return once.run(lambda: events.take(app, said if isinstance(said, list) else [said]))

"""What the API corrects: credit, void, write off; each adds to what was issued, with its reason."""

from collections.abc import Callable
from datetime import date
from typing import Any

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from daybook.app import App, now
from daybook.correcting import shown
from daybook.web.access import installation, require
from daybook.web.answers import CorrectedOut
from daybook.web.api_read import Number, billing_date
from daybook.web.door import Door
from daybook.web.limits import limited
from daybook.web.once import Once, OncePerKey
from daybook.web.problems import DECLARED
from daybook.web.shapes import CorrectionRequest, CreditRequest
from projections.views import ViewsBehind
from runs import correct
from runs.correct import Corrected

log = structlog.get_logger("daybook.web")
router = APIRouter(
    prefix="/api/v1", tags=["deciding"], responses=DECLARED, dependencies=[Depends(require("biller"))], route_class=Door
)


@router.post("/invoices/{number:path}/credit", response_model=CorrectedOut)
def credit(request: Request, number: Number, asked: CreditRequest, once: OncePerKey) -> Response:
    """Credits what is left of an invoice, or of one of its lines; a line is credited once."""
    by = request.state.person.name

    def run(app: App, day: date) -> Corrected:
        return correct.credit(
            app.views, number, asked.line_no, mode=asked.mode, as_of=day, reason=asked.reason, by=by, at=now()
        )

    return _correct(request, asked, once, "credited", run)


@router.post("/invoices/{number:path}/void", response_model=CorrectedOut)
def void(request: Request, number: Number, asked: CorrectionRequest, once: OncePerKey) -> Response:
    """Takes back an invoice that should never have been; what it billed returns to the queue."""
    by = request.state.person.name

    def run(app: App, day: date) -> Corrected:
        return correct.void(app.views, number, as_of=day, reason=asked.reason, by=by, at=now())

    return _correct(request, asked, once, "voided", run)


@router.post("/invoices/{number:path}/write-off", response_model=CorrectedOut)
def write_off(request: Request, number: Number, asked: CorrectionRequest, once: OncePerKey) -> Response:
    """Gives up what is outstanding of an invoice; nothing of it returns to the queue."""
    by = request.state.person.name

    def run(app: App, day: date) -> Corrected:
        return correct.write_off(app.views, number, as_of=day, reason=asked.reason, by=by, at=now())

    return _correct(request, asked, once, "written off", run)


def _correct(
    request: Request, asked: CorrectionRequest, once: Once, done: str, run: Callable[[App, date], Corrected]
) -> Response:
    limited(request, "decide", request.state.person.name)
    app = installation(request)
    day = billing_date(request, app, asked.as_of)

    def corrected() -> dict[str, Any]:
        correct.refuse_after(day, app.settings.business_date())
        made = run(app, day)
        try:
            app.views.catch_up(timeout_s=30)
        except ViewsBehind as behind:
            log.warning("views_behind", detail=str(behind))  # it is kept, whether or not the views show it yet
        log.info("document_corrected", done=done, number=made.number, batch=made.batch)
        return shown(made, done)

    return once.run(corrected)

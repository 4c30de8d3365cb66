"""The forms of an invoice's page that credit, void or write it off: each needs a reason and a deliberate yes."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from psycopg.errors import LockNotAvailable

from daybook.app import App, now
from daybook.web.access import installation
from daybook.web.limits import limited
from daybook.web.pages_invoices import document_page
from daybook.web.pages_item import MOST_REASON, Biller, NotUnderstood
from daybook.web.pages_render import path
from daybook.web.pages_view import caught_up, read_id
from daybook.web.people import Person
from domain.credit import MODES
from ledger.book import BookBusy
from runs import correct
from runs.correct import Corrected
from runs.errors import NothingThere, Refused

MOST_LINES: Final = 1_000_000

router = APIRouter(include_in_schema=False)
Typed = Annotated[str, Form()]


@router.post("/invoices/{number:path}/credit")
def credit(
    request: Request, person: Biller, number: str, reason: Typed = "", mode: Typed = "", line: Typed = "", sure: Typed = ""
) -> Response:
    """Credits the document, or one line of it."""

    def run(app: App, day: date) -> Corrected:
        line_no = _line(line)
        if mode not in MODES:
            raise NotUnderstood("Say whether it is to be billed again or given up.")
        return correct.credit(
            app.views, read_id(number), line_no, mode=mode, as_of=day, reason=_reason(reason, sure), by=person.name, at=now()
        )

    return _corrected(request, person, read_id(number), "credited", run)


@router.post("/invoices/{number:path}/void")
def void(request: Request, person: Biller, number: str, reason: Typed = "", sure: Typed = "") -> Response:
    """Takes the whole invoice back."""

    def run(app: App, day: date) -> Corrected:
        return correct.void(app.views, read_id(number), as_of=day, reason=_reason(reason, sure), by=person.name, at=now())

    return _corrected(request, person, read_id(number), "voided", run)


@router.post("/invoices/{number:path}/write-off")
def write_off(request: Request, person: Biller, number: str, reason: Typed = "", sure: Typed = "") -> Response:
    """Gives up what is outstanding."""

    def run(app: App, day: date) -> Corrected:
        return correct.write_off(app.views, read_id(number), as_of=day, reason=_reason(reason, sure), by=person.name, at=now())

    return _corrected(request, person, read_id(number), "written-off", run)


def _line(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 0 < len(text) <= len(str(MOST_LINES)):
        raise NotUnderstood("There is no such line.")
    return int(text)


def _reason(given: str, sure: str) -> str:
    text = given.strip()
    if not text:
        raise NotUnderstood("Give a reason: it is kept with the decision.")
    if len(text) > MOST_REASON:
        raise NotUnderstood(f"The reason is longer than {MOST_REASON} characters.")
    if sure != "yes":
        raise NotUnderstood("Tick that you are sure: what is issued cannot be changed afterwards, only corrected again.")
    return text


def _corrected(
    request: Request, person: Person, number: str, said: str, run: Callable[[App, date], Corrected]
) -> Response:
    limited(request, "decide", person.name)
    app = installation(request)
    try:
        run(app, app.settings.business_date())
    except NotUnderstood as error:
        return document_page(request, person, number, wrong=str(error), status=422)
    except NothingThere:
        raise
    except correct.InvoicePaid as error:
        wrong = f"{error.what}: record that it went back first, at the payment, or use “Credit” below."
        return document_page(request, person, number, wrong=wrong, status=409)
    except Refused as error:
        text = str(error)
        return document_page(request, person, number, wrong=f"{text[:1].upper()}{text[1:]}.", status=409)
    except (BookBusy, LockNotAvailable):
        wrong = "Somebody else is deciding on this client just now: try again."
        return document_page(request, person, number, wrong=wrong, status=409)
    caught_up(app)
    return RedirectResponse(f"/invoices/{path(number)}?said={said}", status_code=303)

"""One item opened up: why its amount is what it is, and the forms to hold, release or adjust it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from psycopg.errors import LockNotAvailable

from daybook.app import App, now
from daybook.asked import A_DISCOUNT, NoAmount, read_minor
from daybook.web.access import installation, require
from daybook.web.limits import limited
from daybook.web.pages_queue import Viewer, updated_client
from daybook.web.pages_render import from_htmx, page, query
from daybook.web.pages_view import caught_up, read_id, read_view, reading, view_of_query
from daybook.web.people import Person
from domain.money import UnknownCurrency
from ledger.book import Batch, Book, BookBusy
from projections.invoice_list import client_names
from projections.item import item
from runs import decide
from runs.decide import Item, find_item
from runs.errors import NothingThere, Refused

MOST_REASON: Final = 500
SAID: Final = {
    "hold": "Held: it stays off the run until it is released.",
    "release": "Released.",
    "adjust": "Adjusted.",
    "take-back": "Taken back: the adjustment and its opposite both stay on record.",
}

router = APIRouter(include_in_schema=False)
Biller = Annotated[Person, Depends(require("biller"))]


class NotUnderstood(Refused):
    """What was typed into the form could not be taken."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a form is about: an item, and where its page was."""

    client_id: str
    item_key: str
    currency: str
    asked: str


def target(about: Annotated[str, Form()], view: Annotated[str, Form()] = "") -> Target:
    """The hidden fields of each form: as query strings, for an id may hold characters that a form would change."""
    given = dict(parse_qsl(about, keep_blank_values=True))
    return Target(read_id(given.get("client_id", "")), read_id(given.get("item", "")), given.get("currency", ""), view)


Targeted = Annotated[Target, Depends(target)]
Reason = Annotated[str, Form()]


@router.get("/queue/item")
def item_page(request: Request, person: Viewer, client_id: str, item: str, said: str = "") -> Response:
    """Why an item is worth what it is: the part that opens under its line, or a page of its own."""
    return _item(request, person, Target(read_id(client_id), read_id(item), "", ""), said=SAID.get(said, ""))


@router.post("/queue/hold")
def hold(request: Request, person: Biller, about: Targeted, reason: Reason = "") -> Response:
    """Keeps an item off the run, with a reason."""
    text = _reason(reason)
    return _decided(
        request, person, about, "hold", lambda book, found, at: decide.hold(book, found, reason=text(), by=person.name, at=at)
    )


@router.post("/queue/release")
def release(request: Request, person: Biller, about: Targeted, reason: Reason = "") -> Response:
    """Lets a held item go on the next run, with a reason."""
    text = _reason(reason)
    return _decided(
        request,
        person,
        about,
        "release",
        lambda book, found, at: decide.release(book, found, reason=text(), by=person.name, at=at),
    )


@router.post("/queue/adjust")
def adjust(
    request: Request, person: Biller, about: Targeted, reason: Reason = "", amount: Annotated[str, Form()] = ""
) -> Response:
    """Changes what an item costs, with a reason."""
    text = _reason(reason)

    def run(book: Book, found: Item, at: datetime) -> Batch:
        minor = read_amount(amount, found.currency or about.currency)
        return decide.adjust(book, found, minor, found.currency or about.currency, reason=text(), by=person.name, at=at)

    return _decided(request, person, about, "adjust", run)


@router.post("/queue/take-back")
def take_back(
    request: Request, person: Biller, about: Targeted, reason: Reason = "", adjustment: Annotated[str, Form()] = ""
) -> Response:
    """Takes an adjustment back by its opposite, with a reason."""
    text = _reason(reason)
    return _decided(
        request,
        person,
        about,
        "take-back",
        lambda book, found, at: decide.take_back(book, found, read_id(adjustment), reason=text(), by=person.name, at=at),
    )


def _reason(given: str) -> Callable[[], str]:
    def checked() -> str:
        text = given.strip()
        if not text:
            raise NotUnderstood("Give a reason: it is kept with the decision.")
        if len(text) > MOST_REASON:
            raise NotUnderstood(f"The reason is longer than {MOST_REASON} characters.")
        return text

    return checked


def read_amount(text: str, currency: str) -> int:
    """An amount as typed, in minor units; raises NotUnderstood saying what is wrong with it."""
    try:
        return read_minor(text, currency, A_DISCOUNT)
    except UnknownCurrency:
        raise NotUnderstood("This item has no currency yet, so it cannot be adjusted.") from None
    except NoAmount as error:
        raise NotUnderstood(str(error)) from None


def _decided(
    request: Request, person: Person, about: Target, what: str, run: Callable[[Book, Item, datetime], Batch]
) -> Response:
    """Carries a decision out and shows what came of it; a refusal is shown where the form was, and changes nothing."""
    limited(request, "decide", person.name)
    app = installation(request)
    wrong, status = _carry_out(app, about, run)
    if from_htmx(request):
        view = view_of_query(about.asked, app.settings.business_date())
        said = "" if wrong else SAID[what]
        return updated_client(app, request, person, view, about.client_id, about.currency, said, wrong)
    if wrong:
        return _item(request, person, about, wrong=wrong, status=status)
    back = query({"client_id": about.client_id, "item": about.item_key, "said": what})
    return RedirectResponse(f"/queue/item?{back}", status_code=303)


def _carry_out(app: App, about: Target, run: Callable[[Book, Item, datetime], Batch]) -> tuple[str, int]:
    """("", 200) where it was done, else what is wrong and the status that says so."""
    try:
        with app.views.reading() as cursor:
            found = find_item(cursor, about.item_key, about.client_id)
        run(app.book, found, now())
    except NotUnderstood as error:
        return str(error), 422
    except NothingThere:
        return "This item is gone meanwhile: it was invoiced or withdrawn.", 404
    except Refused as error:
        text = str(error)
        return f"{text[:1].upper()}{text[1:]}.", 409
    except (BookBusy, LockNotAvailable):
        return "Somebody else is deciding on this client just now: try again.", 409
    caught_up(app)
    return "", 200


def _item(request: Request, person: Person, about: Target, *, said: str = "", wrong: str = "", status: int = 200) -> Response:
    app = installation(request)
    given = dict(request.query_params) if request.method == "GET" else {}
    today = app.settings.business_date()
    view = read_view(given, today) if given else view_of_query(about.asked, today)
    with reading(app, request, person, view.as_of) as (cursor, _):
        found = item(cursor, about.client_id, about.item_key)
        name = client_names(cursor, [about.client_id]).get(about.client_id, about.client_id)
    if found is None and not from_htmx(request):
        raise NothingThere(f"There is no item {about.item_key!r} of {about.client_id}")
    template = "_item.html" if from_htmx(request) else "item.html"
    return page(
        request, person, template, item=found, view=view, client_name=name, client_id=about.client_id, inline=from_htmx(request),
        said=said, wrong=wrong, status=status,
    )  # fmt: skip

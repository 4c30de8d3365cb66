"""A client's statement of account, for pages and programs."""

from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from daybook.printing import plain
from daybook.statements import statement_rows
from daybook.web.access import installation
from daybook.web.answers import BalanceOut
from daybook.web.api_read import VIEWER, billing_date
from daybook.web.limits import limited
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import read_personal
from daybook.web.pages_view import read_id
from daybook.web.paging import answered
from daybook.web.paper import AS_PDF, MEDIA_TYPE
from daybook.web.people import Person
from daybook.web.problems import DECLARED, Problem
from daybook.web.shapes import Day
from producers.paper.statement import render_statement
from projections.statement import ClientStatement, client_statement
from runs.errors import NothingThere

api = APIRouter(prefix="/api/v1", tags=["reading"], responses=DECLARED)
pages = APIRouter(include_in_schema=False)

ClientId = Annotated[str, Path(examples=["acme"], min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
AsOf = Annotated[Day | None, Query(description="At the close of this day (default: the business day).")]
Since = Annotated[Day | None, Query(alias="from", description="From this day on (default: all that is open, and last month).")]


class EntryOut(BaseModel):
    """One row: what happened on a day, and the balance after it."""

    on: date
    kind: str
    reference: str
    due_on: date | None
    of: str | None = None
    amount_minor: int
    balance_minor: int


class UnpaidOut(BaseModel):
    """An invoice of which something is still to be paid."""

    number: str
    issued_on: date
    due_on: date
    total_minor: int
    outstanding_minor: int
    days_overdue: int


EXAMPLE: Final[dict[str, Any]] = {
    "client_id": "acme", "client_name": "Acme Corp", "currency": "GBP", "since": "2026-04-01", "as_of": "2026-05-31",
    "brought_forward_minor": 0, "balance_minor": 12000, "outstanding_minor": 12000, "overdue_minor": 0, "unapplied_minor": 0,
    "current_minor": 12000, "days_1_30_minor": 0, "days_31_60_minor": 0, "days_61_90_minor": 0, "days_over_90_minor": 0,
    "entries": [{"on": "2026-05-31", "kind": "invoice", "reference": "INV-000001", "due_on": "2026-06-30", "of": None,
                 "amount_minor": 12000, "balance_minor": 12000}],
    "unpaid": [{"number": "INV-000001", "issued_on": "2026-05-31", "due_on": "2026-06-30", "total_minor": 12000,
                "outstanding_minor": 12000, "days_overdue": 0}],
}  # fmt: skip


class StatementOut(BalanceOut):
    """One account of a client from a day to a day; the balance is what is outstanding less the credit not used yet."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": EXAMPLE})

    since: date
    as_of: date
    brought_forward_minor: int
    entries: list[EntryOut]
    balance_minor: int
    unpaid: list[UnpaidOut]


@api.get("/clients/{client_id:text}/statement.pdf", response_class=Response, dependencies=VIEWER, responses=AS_PDF)
def statement_pdf(request: Request, client_id: ClientId, as_of: AsOf = None, since: Since = None) -> Response:
    """A client's statement as it receives it: a tagged PDF (PDF/UA-1), always the same bytes for the same reader."""
    return _as_pdf(request, request.state.person, _asked(request, client_id, as_of, since))


@api.get("/clients/{client_id:text}/statement", response_model=list[StatementOut], dependencies=VIEWER)
def statement(request: Request, client_id: ClientId, as_of: AsOf = None, since: Since = None) -> Response:
    """A client's statement: one object for each currency in which it has an account."""
    return answered(plain(statement_rows(_asked(request, client_id, as_of, since))))


@pages.get("/clients/{client_id:text}/statement.pdf")
def statement_page(request: Request, person: Viewer, client_id: str, as_of: AsOf = None, since: Since = None) -> Response:
    """The statement as of today or of a day that the page shows, to look at or to hand on."""
    return _as_pdf(request, person, _asked(request, read_id(client_id), as_of, since))


def _asked(request: Request, client_id: str, as_of: date | None, since: date | None) -> ClientStatement:
    day = billing_date(request, installation(request), as_of)
    if since is not None and since > day:
        raise Problem(
            422, "from", "Nothing lies between", f"from ({since}) is after as_of ({day}).", "Choose an earlier day to start.",
            errors=[("from", f"{since} is after {day}")],
        )  # fmt: skip
    try:
        return _found(request, client_id, day, since)
    except NothingThere:
        raise Problem(
            404, "nothing-there", "Not there", f"There is no client {client_id!r}.", "GET /api/v1/balances lists clients."
        ) from None


def _found(request: Request, client_id: str, as_of: date, since: date | None) -> ClientStatement:
    with installation(request).views.reading() as cursor:
        made = client_statement(cursor, client_id, as_of, since)
    if made is None:
        raise NothingThere(f"There is no client {client_id}")
    return made


def _as_pdf(request: Request, person: Person, made: ClientStatement) -> Response:
    """Made for the asking, so it is counted; who may not read addresses gets a copy without them."""
    limited(request, "pdf", person.name)
    app = installation(request)

    def read(text: str | None) -> str:
        return read_personal(text, app.book.keyring, person)

    pdf = render_statement(made, read, fonts=(app.settings.home / "fonts",))
    name = quote(f"statement {made.client_id} {made.as_of}.pdf", safe="")
    headers: dict[str, Any] = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(pdf, media_type=MEDIA_TYPE, headers=headers)

"""Payments, through the API: the list with what each pays, one of them, and whose one of an unknown payer is."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from daybook import paying
from daybook.asked import NotTaken
from daybook.printing import plain
from daybook.web import sheets
from daybook.web.access import installation, require
from daybook.web.api_read import VIEWER, KnownAt, OfClient, Search, known
from daybook.web.door import Door
from daybook.web.limits import limited
from daybook.web.once import OncePerKey
from daybook.web.paging import AS_CSV, Asked, answered
from daybook.web.problems import DECLARED, Problem
from daybook.web.shapes import Day, Id
from projections.names import clients_matching
from projections.payment_list import PaymentFilter, PaymentRow, payment_rows, payments_after

router = APIRouter(prefix="/api/v1", tags=["reading"], responses=DECLARED, route_class=Door)

PaymentId = Annotated[
    str, Path(examples=["pay-1001"], min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$", description="Its id.")
]


class PaidOut(BaseModel):
    """Part of a payment and the invoice that it pays."""

    number: str
    amount_minor: int


class PaymentOut(BaseModel):
    """One payment as it stands: what it pays, what went back, what is credit, and why it waits, if it does."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "client_id": "acme", "client_name": "Acme Corp", "payment_id": "pay-1001", "currency": "GBP",
                "amount_minor": 18000, "surcharge_minor": 0, "fee_minor": 0, "received_at": "2026-05-20T09:00:00Z",
                "received_on": "2026-05-20", "method": "bank", "invoice_numbers": ["INV-000001"], "provider": None,
                "provider_ref": "ACME INV-000001", "applied_minor": 18000, "returned_minor": 0, "unapplied_minor": 0,
                "waiting": None, "pays": [{"number": "INV-000001", "amount_minor": 18000}],
            }
        },
    )  # fmt: skip

    client_id: str = Field(description="`?` where the payer is not known.")
    client_name: str
    payment_id: str
    currency: str
    amount_minor: int
    surcharge_minor: int
    fee_minor: int
    received_at: str
    received_on: str
    method: str
    invoice_numbers: list[str]
    provider: str | None = None
    provider_ref: str | None
    applied_minor: int
    returned_minor: int
    unapplied_minor: int
    waiting: str | None = None
    pays: list[PaidOut]


class MatchRequest(BaseModel):
    """Which payment of an unknown payer, and whose it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"payment_id": "pay-1001", "client_id": "acme"}})

    payment_id: Id
    client_id: Id


class Matched(BaseModel):
    """A payment that is a client's by now; `already` where it was before."""

    client_id: str
    payment_id: str
    currency: str
    amount_minor: int
    already: bool


@router.get("/payments", response_model=list[PaymentOut], dependencies=VIEWER, responses=AS_CSV)
def payments(
    request: Request,
    page: Asked,
    client: OfClient = None,
    search: Search = None,
    since: Annotated[Day | None, Query(alias="from", description="Received on or after.")] = None,
    until: Annotated[Day | None, Query(alias="to", description="Received on or before.")] = None,
    method: Annotated[Id | None, Query(description="Only by this method, e.g. bank.")] = None,
    unapplied: Annotated[bool, Query(description="Only those of which some pays nothing yet.")] = False,
    waiting: Annotated[bool, Query(description="Only those that wait for somebody to look at them.")] = False,
    known_at: KnownAt = None,
) -> Response:
    """Payments in the order in which the money came, each with what it pays."""
    last = page.after(str, str, str)
    with installation(request).views.reading(known_at=known(request, known_at)) as reading:
        wanted = [client] if client is not None else None
        if search is not None:
            found = [one.id for one in clients_matching(reading, search)]
            wanted = [one for one in found if client in (None, one)]
        only = PaymentFilter(
            client_ids=tuple(wanted) if wanted is not None else None, since=since, until=until, method=method,
            unapplied=unapplied, waiting=waiting,
        )  # fmt: skip
        rows = payments_after(reading, only, _instant(last), page.limit + 1)
    more = _key(rows[page.limit - 1]) if len(rows) > page.limit else None
    shown = [_sheet_row(one) if page.is_csv else plain(one) for one in rows[: page.limit]]
    return page.listed(request, shown, more, sheets.PAYMENTS)


def _key(one: PaymentRow) -> tuple[str, str, str]:
    return f"{one.received_at:%Y-%m-%dT%H:%M:%S.%f%z}", one.client_id, one.payment_id


def _instant(last: tuple[Any, ...] | None) -> tuple[str, str, str] | None:
    """The key of a cursor, whose instant has to be one that this list wrote; raises Problem."""
    if last is None:
        return None

    try:
        datetime.strptime(last[0], "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        raise Problem(
            422,
            "cursor",
            "No such cursor",
            "The cursor is not one of this list.",
            "Take it from the Link header, or leave it out.",
        ) from None
    return last[0], last[1], last[2]


def _sheet_row(one: PaymentRow) -> dict[str, Any]:
    row = {name: getattr(one, name) for name in PaymentRow.__dataclass_fields__}
    return {**row, "pays": [paid.number for paid in one.pays]}


@router.post("/payments/match", response_model=Matched, tags=["deciding"], dependencies=[Depends(require("biller"))])
def match(request: Request, asked: MatchRequest, once: OncePerKey) -> Response:
    """Says whose a payment of an unknown payer is. The first to say so has it; another client is a 409 that says who has it."""
    limited(request, "decide", request.state.person.name)
    app, by = installation(request), request.state.person.name

    def matched() -> dict[str, Any]:
        try:
            done = paying.match(app, asked.payment_id, asked.client_id, by=by)
        except NotTaken as error:
            raise Problem(
                422, "unknown-client", "Unknown client", str(error), "Send the client's record first, or check the id.",
                errors=[("body.client_id", str(error))],
            ) from None  # fmt: skip
        return {
            "client_id": done.client_id, "payment_id": done.payment_id, "currency": done.currency,
            "amount_minor": done.amount_minor, "already": done.already,
        }  # fmt: skip

    return once.run(matched)


@router.get("/payments/{payment_id:path}", response_model=list[PaymentOut], dependencies=VIEWER)
def payment(request: Request, payment_id: PaymentId, client: OfClient = None) -> Response:
    """One payment: of each client that has one of that id, which is mostly one."""
    with installation(request).views.reading() as reading:
        only = PaymentFilter(client_ids=(client,) if client is not None else None, payment_id=payment_id)
        found = payment_rows(reading, only)
    if not found:
        raise Problem(
            404, "nothing-there", "Not there", f"There is no payment {payment_id!r}.", "GET /api/v1/payments lists them."
        )
    return answered([plain(one) for one in found])

"""Payments: the inbox of those that wait, all of them with what each pays, and one opened up."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from psycopg import Cursor

from daybook.paying import METHODS, new_token
from daybook.web.access import installation
from daybook.web.money_words import PAYMENT_REASONS, REFUND_REASONS
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import page, query
from daybook.web.pages_view import find_clients, read_id, read_page, read_span, read_text, reading
from daybook.web.people import Person
from projections.payment_list import PAGE, PaymentFilter, payment_rows, payment_sums, returns, statements
from projections.payment_matches import suggestions
from projections.receivables import NOT_COUNTED
from runs.errors import NothingThere

SAID: Final = {
    "recorded": "Recorded. It counts from now on.",
    "already": "This was recorded before: it counts once.",
    "refunded": "Recorded as given back.",
    "matched": "Matched. It counts for this client from now on.",
}

router = APIRouter(include_in_schema=False)


@router.get("/payments")
def payments_page(request: Request, person: Viewer, said: str = "") -> Response:
    """What waits, with why and what settles it; below, every payment, the newest money first, with what each pays."""
    given, faults = request.query_params, dict[str, str]()
    since, until = read_span(given, faults)
    text = read_text(given.get("client", ""))
    method = given.get("method", "") if given.get("method", "") in METHODS else ""
    unapplied = given.get("unapplied") == "1"
    misread = bool(faults)
    number = read_page(given.get("page", ""))
    asked = {"client": text, "from": since, "to": until, "method": method, "unapplied": "1" if unapplied else None}
    with reading(installation(request), request, person) as (cursor, behind):
        meant = find_clients(cursor, text, faults)
        only = PaymentFilter(
            client_ids=tuple(one.id for one in meant) if meant is not None else None, since=since, until=until,
            method=method or None, unapplied=unapplied,
        )  # fmt: skip
        rows = [] if faults else payment_rows(cursor, only, number)
        sums = [] if faults else payment_sums(cursor, only)
        inbox = _inbox(cursor)
    count = sum(found for _, found, *_ in sums)
    return page(
        request, person, "payments.html", rows=rows, sums=sums, count=count, only=only, client=text, method=method,
        unapplied=unapplied, methods=METHODS, faults=faults, typed=dict(given), behind=behind, number=number,
        pages=-(-count // PAGE), asked=query(asked), filtered=bool(query(asked)), said=SAID.get(said, ""),
        status=422 if misread else 200, **inbox,
    )  # fmt: skip


def _inbox(cursor: Cursor[Any]) -> dict[str, Any]:
    """Payments that wait, the longest first, those of nobody with whom they may be of; and refunds that wait."""
    waiting = payment_rows(cursor, PaymentFilter(waiting=True))
    waiting.sort(key=lambda one: (one.received_at, one.client_id, one.payment_id))
    return {
        "waiting": waiting,
        "refunds": returns(cursor, waiting=True),
        "suggested": suggestions(cursor, [one for one in waiting if not one.payer_known]),
        "reasons": PAYMENT_REASONS,
        "refund_reasons": REFUND_REASONS,
    }


@router.get("/payments/one")
def payment_page(request: Request, person: Viewer, client_id: str, payment_id: str, said: str = "") -> Response:
    """One payment: what it pays, what went back, who said so; with the forms to match it or to record a refund."""
    return shown(request, person, read_id(client_id), read_id(payment_id), said=SAID.get(said, ""))


def shown(
    request: Request,
    person: Person,
    client_id: str,
    payment_id: str,
    *,
    said: str = "",
    wrong: str = "",
    faults: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    """The page of one payment, after whatever was done there; raises NothingThere."""
    with reading(installation(request), request, person) as (cursor, behind):
        found = payment_rows(cursor, PaymentFilter(client_ids=(client_id,), payment_id=payment_id))
        said_of = statements(cursor, payment_id)
        if not found:
            claimed = [one for one in said_of if one.client_id == client_id]
            others = payment_rows(cursor, PaymentFilter(payment_id=payment_id)) if claimed else []
            if not others:
                raise NothingThere(f"There is no payment {payment_id} of {client_id}")
            found = others
        one = found[0]
        suggested = suggestions(cursor, found[:1]).get(payment_id, ()) if not one.payer_known else ()
        back = returns(cursor, client_id=one.client_id, payment_id=payment_id)
    counts = one.waiting not in NOT_COUNTED
    left = max(one.for_invoices_minor - sum(each.amount_minor for each in back), 0) if counts else 0
    return page(
        request, person, "payment.html", one=one, statements=said_of, suggested=suggested, back=back, left=left, said=said,
        wrong=wrong, faults=faults or {}, typed=typed or {}, reasons=PAYMENT_REASONS, refund_reasons=REFUND_REASONS,
        methods=METHODS, token=new_token(), behind=behind, status=status,
    )  # fmt: skip

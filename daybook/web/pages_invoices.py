"""Issued documents: the list, each document as the client has it, and why each of its lines is what it is."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from psycopg import Cursor

from daybook.web.access import installation
from daybook.web.money_words import DOCUMENT_STATUSES
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import from_htmx, page
from daybook.web.pages_view import read_id, read_page, read_text, reading
from daybook.web.paper import pdf_of
from daybook.web.people import Person
from projections import documents
from projections.balances import unapplied_minor
from projections.corrections import about
from projections.invoice_list import PAGE, corrected_by, invoice_rows, invoice_totals, parties
from projections.tax_summary import tax_sums
from runs.errors import NothingThere

router = APIRouter(include_in_schema=False)
SAID: Final = {
    "credited": "Credited: the credit note is linked below.",
    "voided": "Voided: the credit note is linked below, and what the invoice billed is back in the queue.",
    "written-off": "Written off: nothing is outstanding any more.",
}
"""What a form on the page has done."""


@router.get("/invoices")
def invoices_page(request: Request, person: Viewer) -> Response:
    """Every issued document, the last first."""
    client = read_text(request.query_params.get("client", ""))
    number = read_page(request.query_params.get("page", ""))
    with reading(installation(request), request, person) as (cursor, behind):
        rows = invoice_rows(cursor, client or None, page=number)
        sums = invoice_totals(cursor, client or None)
    count = sum(one.documents for one in sums)
    return page(
        request, person, "invoices.html", rows=rows, sums=sums, client=client, behind=behind, number=number,
        pages=-(-count // PAGE), count=count,
    )  # fmt: skip


@router.get("/invoices/{number:text}.pdf")
def invoice_pdf(request: Request, person: Viewer, number: str) -> Response:
    """One document as its client receives it."""
    return pdf_of(request, person, read_id(number))


@router.get("/invoices/{number:path}")
def invoice_page(request: Request, person: Viewer, number: str, said: str = "") -> Response:
    """One document: parties as they were when it was issued, dates, lines, tax and totals, corrections linked both ways."""
    return document_page(request, person, read_id(number), said=SAID.get(said, ""))


def document_page(
    request: Request, person: Person, number: str, *, said: str = "", wrong: str = "", status: int = 200
) -> Response:
    """The page of a document, with what came of a form on it."""
    with reading(installation(request), request, person) as (cursor, _):
        found = documents.invoices(cursor, number=number)
        between = parties(cursor, number)
        if not found or between is None:
            raise NothingThere(f"There is no document {number}")
        corrections = corrected_by(cursor, number)
        decided = about(cursor, number)
        unapplied = _unapplied(cursor, request, found[0]) if person.may("biller") else 0
    return page(
        request, person, "invoice.html", document=found[0], corrections=corrections, provider=between.catalogue.provider,
        client=between.client, taxes=tax_sums(found[0], between.catalogue),
        decided=decided, said=said, wrong=wrong, status=status, unapplied_minor=unapplied, statuses=DOCUMENT_STATUSES,
    )  # fmt: skip


def _unapplied(cursor: Cursor[Any], request: Request, document: dict[str, Any]) -> int:
    """The credit beside what is open of a document, for whoever thinks of giving it up."""
    if not document["outstanding_minor"]:
        return 0
    today = installation(request).settings.business_date()
    return unapplied_minor(cursor, today, document["client_id"], document["currency"])


@router.get("/explain")
def explain_page(request: Request, person: Viewer, number: str, line: int) -> Response:
    """Why a line is what it is, down to the messages it came from: opens under the line, or is a page of its own."""
    number = read_id(number)
    with reading(installation(request), request, person) as (cursor, _):
        found = documents.explain(cursor, number, line) if 0 < line < 1_000_000 else []
        if not found:
            raise NothingThere(f"There is no document {number} with a line {line}")
        currency = documents.invoices(cursor, number=number)[0]["currency"]
    template = "_explain.html" if from_htmx(request) else "explain.html"
    return page(request, person, template, number=number, line=found[0], currency=currency)

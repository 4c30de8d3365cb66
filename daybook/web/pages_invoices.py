"""Issued documents: the list, each document as the client has it, and why each of its lines is what it is."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from daybook.web.access import installation
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import from_htmx, page
from daybook.web.pages_view import read_id, read_page, read_text, reading
from domain.terms import Catalogue
from projections import documents
from projections.invoice_list import PAGE, corrected_by, invoice_rows, invoice_totals
from projections.terms import load_catalogue, load_clients
from runs.errors import NothingThere

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxSum:
    """What a document's lines come to under one tax code and percent."""

    code: str
    percent: Decimal
    name: str
    wording: str
    net_minor: int
    tax_minor: int


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


@router.get("/invoices/{number:path}")
def invoice_page(request: Request, person: Viewer, number: str) -> Response:
    """One document: parties, dates, lines, tax and totals, corrections linked both ways."""
    number = read_id(number)
    with reading(installation(request), request, person) as (cursor, _):
        found = documents.invoices(cursor, number=number)
        if not found:
            raise NothingThere(f"no document {number}: see the page Invoices")
        document = found[0]
        corrections = corrected_by(cursor, number)
        catalogue = load_catalogue(cursor)
        client = load_clients(cursor, [document["client_id"]])[document["client_id"]].latest
    return page(
        request, person, "invoice.html", document=document, corrections=corrections, provider=catalogue.provider, client=client,
        taxes=tax_sums(document, catalogue),
    )  # fmt: skip


def tax_sums(document: dict[str, Any], catalogue: Catalogue) -> list[TaxSum]:
    """The tax summary: net and tax by code and percent, with the wording the law asks for."""
    groups: dict[tuple[str, Decimal], list[dict[str, Any]]] = {}
    for line in document["lines"]:
        groups.setdefault((line["tax_code"], line["tax_percent"]), []).append(line)
    found = []
    for (code, percent), lines in sorted(groups.items()):
        states = catalogue.tax_codes.get(code)
        state = states.first_or_on(document["issued_on"]) if states is not None else None
        found.append(
            TaxSum(
                code=code,
                percent=percent,
                name=state.name if state is not None else code,
                wording=(state.wording or "") if state is not None else "",
                net_minor=sum(line["net_minor"] for line in lines),
                tax_minor=sum(line["tax_minor"] for line in lines),
            )
        )
    return found


@router.get("/explain")
def explain_page(request: Request, person: Viewer, number: str, line: int) -> Response:
    """Why a line is what it is, down to the messages it came from: opens under the line, or is a page of its own."""
    number = read_id(number)
    with reading(installation(request), request, person) as (cursor, _):
        found = documents.explain(cursor, number, line) if 0 < line < 1_000_000 else []
        if not found:
            raise NothingThere(f"no document {number} with a line {line}: see the page Invoices")
        currency = documents.invoices(cursor, number=number)[0]["currency"]
    template = "_explain.html" if from_htmx(request) else "explain.html"
    return page(request, person, template, number=number, line=found[0], currency=currency)

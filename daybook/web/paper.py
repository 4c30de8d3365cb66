"""Issued documents as PDF, for pages and programs: what the client receives, as this reader may see it."""

from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response
from starlette.convertors import Convertor, register_url_convertor

from daybook.web.access import installation
from daybook.web.limits import limited
from daybook.web.pages_render import read_personal
from daybook.web.people import Person
from producers.paper.printer import render
from projections import documents
from projections.corrections import about
from projections.invoice_list import parties
from runs.errors import NothingThere


class _AnyText(Convertor[str]):
    """A part of an address with anything in it, line ends too: who may not ask is told so, whatever was asked."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _AnyText())

MEDIA_TYPE: Final = "application/pdf"
AS_PDF: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The document.", "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}
"""What is answered, for OpenAPI."""


def pdf_of(request: Request, person: Person, number: str) -> Response:
    """The PDF of a document; made for the asking, so it is counted. Raises NothingThere."""
    limited(request, "pdf", person.name)
    app = installation(request)
    with app.views.reading() as cursor:
        found = documents.invoices(cursor, number=number)
        between = parties(cursor, number)
        void = about(cursor, number).void
    if not found or between is None:
        raise NothingThere(f"There is no document {number}")
    made = render(
        found[0], between, lambda text: read_personal(text, app.book.keyring, person),
        voided_by=void.credited_by if void is not None else None, fonts=(app.settings.home / "fonts",),
    )  # fmt: skip
    name = f"attachment; filename*=UTF-8''{quote(number, safe='')}.pdf"
    return Response(made, media_type=MEDIA_TYPE, headers={"Content-Disposition": name})

"""Seat counts by system through the API: which of them bills, and since when they disagree."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from daybook.web import paging
from daybook.web.access import installation
from daybook.web.api_read import VIEWER, OfClient, billing_date
from daybook.web.paging import AS_CSV, Asked
from daybook.web.problems import DECLARED
from daybook.web.shapes import Day
from daybook.web.sheets import Sheet
from projections import seat_list
from projections.seat_list import Counted
from projections.terms import TermsCache

router = APIRouter(prefix="/api/v1", tags=["reading"], responses=DECLARED)

SHEET: Final = Sheet(
    "seats",
    (
        "client_id", "client_name", "product", "system", "quantity", "counted_at", "bills", "contract_id", "line_id", "policy",
        "difference", "disagree_since",
    ),
)  # fmt: skip


class SeatsOut(BaseModel):
    """What one system counts of a product, and how that stands to what is billed."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "client_id": "acme", "client_name": "Acme Corp", "product": "m365", "system": "csp", "quantity": 52,
                "counted_at": "2026-05-31T02:30:00Z", "bills": True, "contract_id": "C1", "line_id": "S1", "policy": "daily",
                "difference": 0, "disagree_since": "2026-04-16",
            }
        },
    )  # fmt: skip

    client_id: str
    client_name: str
    product: str
    system: str
    quantity: int
    counted_at: str
    bills: bool
    contract_id: str | None
    line_id: str | None
    policy: str | None
    difference: int | None
    disagree_since: date | None


@router.get("/seats", response_model=list[SeatsOut], dependencies=VIEWER, responses=AS_CSV)
def seats(
    request: Request,
    page: Asked,
    as_of: Annotated[
        Day | None, Query(description="At the close of this day (default: the business day).", examples=["2026-05-31"])
    ] = None,
    client: OfClient = None,
) -> Response:
    """What each system counts of each product, which count bills, and since when systems disagree."""
    last = page.after(str, str)
    day = billing_date(request, installation(request), as_of)
    with installation(request).views.reading() as reading:
        found, more = paging.page_of(seat_list.counted(reading, day, client), _key, last, page.limit)
        began = seat_list.disagreeing(reading, day, found)
        rows = seat_list.with_billing(reading, found, day, TermsCache())
    return page.listed(request, [_flat(one, began.get(_key(one))) for one in rows], more, SHEET)


def _key(one: Counted) -> tuple[str, str]:
    return one.client_id, one.product


def _flat(one: Counted, since: date | None) -> dict[str, object]:
    contract_id, line_id = one.billed_by or (None, None)
    fields = {name: value for name, value in asdict(one).items() if name != "billed_by"}
    return {**fields, "contract_id": contract_id, "line_id": line_id, "disagree_since": since}

"""What clients owe, through the API."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from daybook.web import paging, sheets
from daybook.web.access import installation
from daybook.web.answers import BalanceOut
from daybook.web.api_read import VIEWER, KnownAt, OfClient, Search, billing_date, known
from daybook.web.paging import AS_CSV, Asked
from daybook.web.problems import DECLARED
from daybook.web.shapes import Day
from projections.balances import Balance
from projections.balances import balances as of_day
from projections.names import clients_matching

router = APIRouter(prefix="/api/v1", tags=["reading"], responses=DECLARED)


@router.get("/balances", response_model=list[BalanceOut], dependencies=VIEWER, responses=AS_CSV)
def balances(
    request: Request,
    page: Asked,
    as_of: Annotated[Day | None, Query(description="At the close of this day (default: the business day).")] = None,
    client: OfClient = None,
    search: Search = None,
    known_at: KnownAt = None,
) -> Response:
    """What each client owes in each currency as of a day, how old it is, and the credit beside it."""
    last = page.after(str, str, str)
    day = billing_date(request, installation(request), as_of)
    with installation(request).views.reading(known_at=known(request, known_at)) as reading:
        meant = {one.id for one in clients_matching(reading, search)} if search is not None else None
        wanted = [one for one in of_day(reading, day, client) if meant is None or one.client_id in meant]
        found, more = paging.page_of(wanted, _key, last, page.limit)
    return page.listed(request, found, more, sheets.BALANCES)


def _key(one: Balance) -> tuple[str, str, str]:
    return one.client_name.lower(), one.client_id, one.currency

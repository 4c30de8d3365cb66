"""Seats: what each system counts over time, where systems disagree and which bills, and what the seats come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from psycopg import Cursor

from daybook.web.access import installation
from daybook.web.pages_queue import Viewer
from daybook.web.pages_render import page, query
from daybook.web.pages_view import find_clients, read_day, read_page, read_text, reading
from daybook.web.seat_chart import Chart, chart
from projections import seat_list
from projections.finding import Named
from projections.seat_list import Counted, Step, Variance
from projections.terms import TermsCache

router = APIRouter(include_in_schema=False)

PAGE: Final = 50
"""Products in a list."""
SHOWN: Final = timedelta(days=365)
MOST_PERIODS: Final = 24
MOST_CHANGES: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product of one client: its counts, and since when its systems disagree (null where they agree)."""

    client_id: str
    client_name: str
    product: str
    counts: tuple[Counted, ...]
    since: date | None
    chart: Chart | None = None
    changes: tuple[Step, ...] = ()
    variances: tuple[Variance, ...] = ()

    @property
    def billed(self) -> Counted | None:
        """The count that bills."""
        return next((one for one in self.counts if one.bills), None)


@router.get("/seats")
def seats_page(request: Request, person: Viewer) -> Response:
    """Every product by client, those on which systems disagree first; of one client the whole story."""
    app = installation(request)
    given, faults = request.query_params, dict[str, str]()
    today = app.settings.business_date()
    as_of = read_day(given.get("as_of", ""), "as_of", faults) or today
    client = read_text(given.get("client", ""))
    number = read_page(given.get("page", ""))
    with reading(app, request, person) as (cursor, behind):
        named = find_clients(cursor, client, faults)
        only = _one(client, named)
        found = [] if faults else _products(cursor, as_of, only, named)
        shown = [_in_full(one, cursor, as_of) for one in found] if only else found[(number - 1) * PAGE : number * PAGE]
        charged = seat_list.periods(cursor, only, MOST_PERIODS, as_of=as_of) if only else []
    return page(
        request, person, "seats.html", products=shown, client=client, only=only, as_of=as_of, today=today, faults=faults,
        typed=dict(given), behind=behind, number=number, pages=1 if only else -(-len(found) // PAGE), charged=charged,
        disagreeing=sum(one.since is not None for one in found), unbilled=sum(_is_unbilled(one) for one in found),
        count=len(found), asked=query({"client": client, "as_of": as_of if as_of != today else None}),
        status=422 if "as_of" in faults else 200,
    )  # fmt: skip


def _one(asked: str, named: Sequence[Named] | None) -> str | None:
    """The one client that is meant: by its id, or because no other fits."""
    ids = [client_id for client_id, _ in named or ()]
    return asked if asked in ids else ids[0] if len(ids) == 1 else None


def _products(cursor: Cursor[Any], as_of: date, client_id: str | None, among: Sequence[Named] | None) -> list[Product]:
    rows = seat_list.counted(cursor, as_of, client_id)
    if among is not None and client_id is None:
        meant = {id_ for id_, _ in among}
        rows = [one for one in rows if one.client_id in meant]
    found = seat_list.variances(cursor, as_of, client_id) if client_id else []
    began = seat_list.disagreeing(cursor, as_of, rows)
    grouped: dict[tuple[str, str], list[Counted]] = {}
    for one in seat_list.with_billing(cursor, rows, as_of, TermsCache()):
        grouped.setdefault((one.client_id, one.product), []).append(one)
    products = [
        Product(
            client_id=key[0], client_name=own[0].client_name, product=key[1], counts=tuple(own), since=began.get(key),
            variances=tuple(one for one in found if (one.client_id, one.product) == key) if client_id else (),
        )
        for key, own in grouped.items()
    ]  # fmt: skip
    return sorted(products, key=lambda one: (one.since is None, one.client_name.casefold(), one.client_id, one.product))


def _is_unbilled(one: Product) -> bool:
    return all(count.billed_by is None for count in one.counts)


def _in_full(one: Product, cursor: Cursor[Any], as_of: date) -> Product:
    """With its drawing of a year, or since it was first counted, and the changes in it, the newest first."""
    changes = [step for step in seat_list.steps(cursor, one.client_id, as_of - SHOWN, as_of) if step.product == one.product]
    since = min((step.day for step in changes), default=as_of)
    return Product(
        client_id=one.client_id, client_name=one.client_name, product=one.product, counts=one.counts, since=one.since,
        chart=chart(changes, since, as_of), variances=one.variances,
        changes=tuple(sorted(changes, key=lambda step: (step.day, step.system), reverse=True)[:MOST_CHANGES]),
    )  # fmt: skip

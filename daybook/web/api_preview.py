"""What facts would bill or credit, through the API: the events of POST /api/v1/events, and nothing is recorded."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from daybook.printing import plain
from daybook.rehearsing import NotReadable, read_object, rehearse
from daybook.web.access import installation, require
from daybook.web.answers import Place
from daybook.web.api_read import billing_date
from daybook.web.door import Door
from daybook.web.limits import limited
from daybook.web.paging import answered
from daybook.web.problems import DECLARED, Problem
from daybook.web.shapes import MOST_EVENTS, Day, Event
from projections.preview import Fact

router = APIRouter(
    prefix="/api/v1", tags=["reading"], responses=DECLARED, dependencies=[Depends(require("viewer"))], route_class=Door
)


class _Given(BaseModel):
    model_config = ConfigDict(extra="allow")


class SumOut(_Given):
    """A client's queue in one currency before and after, and what the changed lines bill and credit."""

    client_id: str
    client_name: str
    currency: str
    before_minor: int
    after_minor: int
    difference_minor: int
    billed_minor: int
    credited_minor: int


class ChangedLineOut(_Given):
    """A line that appears, goes or changes; a held one is in no sum."""

    client_id: str
    item_key: str
    change: str = Field(examples=["appears", "goes", "changes"])
    description: str
    service_from: str
    service_to: str
    quantity: str
    unit: str
    unit_price: str
    currency: str
    before_minor: int | None
    after_minor: int | None
    difference_minor: int
    corrects: Place | None
    held: bool
    arithmetic: str


class ChangedWaitingOut(_Given):
    """What would wait from now on, or (reason null) no longer."""

    client_id: str
    what: str
    id: str
    reason: str | None
    reason_before: str | None


EXAMPLE: Final[dict[str, Any]] = {
    "as_of": "2026-05-31",
    "sums": [{
        "client_id": "acme", "client_name": "Acme Corp", "currency": "GBP", "before_minor": 15000, "after_minor": 18000,
        "difference_minor": 3000, "billed_minor": 3000, "credited_minor": 0,
    }],
    "lines": [{
        "client_id": "acme", "item_key": "line/C1/L1/2026-05-01", "change": "appears", "description": "Managed Services",
        "service_from": "2026-05-01", "service_to": "2026-05-31", "quantity": "1", "unit": "period", "unit_price": "30",
        "currency": "GBP", "before_minor": 0, "after_minor": 3000, "difference_minor": 3000,
        "corrects": {"number": "INV-000001", "line_no": 1}, "held": False, "arithmetic": "1 x GBP 30 = 30.00",
    }],
    "waiting": [{
        "client_id": "acme", "what": "contract_line", "id": "C1/S1", "reason": "no_rate", "reason_before": "unknown_tax_code",
    }],
    "repeats": 0,
    "left_out": 0,
}  # fmt: skip


class PreviewOut(_Given):
    """The difference that facts would make. `repeats` are known already; `left_out` more clients were not looked at."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": EXAMPLE})

    as_of: str
    sums: list[SumOut]
    lines: list[ChangedLineOut]
    waiting: list[ChangedWaitingOut]
    repeats: int
    left_out: int


@router.post("/preview", response_model=PreviewOut)
def preview_events(
    request: Request,
    said: Event | list[Event],
    as_of: Annotated[Day | None, Query(description="The billing date (default: the business day).")] = None,
) -> Response:
    """What facts would bill or credit if they were sent to /events now: all of them together. Nothing is recorded.

    A fact that could not be read refuses the whole preview (422): it would change nothing, and its preview would mislead.
    """
    limited(request, "rate-as-of", request.state.person.name)
    app = installation(request)
    day = billing_date(request, app, as_of)
    given = said if isinstance(said, list) else [said]
    if not 0 < len(given) <= MOST_EVENTS:
        raise Problem(
            422, "how-many", "How many?", f"There were {len(given)} events.", f"Send 1 to {MOST_EVENTS} events at a time."
        )
    return answered(plain(rehearse(app, _read(given), day)))


def _read(given: list[Event]) -> list[Fact]:
    facts: list[Fact] = []
    wrong: list[tuple[str, str]] = []
    for at, one in enumerate(given):
        try:
            facts.append(read_object(one.model_dump()))
        except NotReadable as error:
            wrong.append((f"body.{at}", str(error)[:500]))
    if wrong:
        raise Problem(
            422,
            "no-event",
            "Not understood",
            f"{len(wrong)} of {len(given)} events could not be read: {wrong[0][1]}",
            "Correct what `errors` names: the fields of each record are at /docs, under POST /api/v1/events.",
            errors=wrong,
        )
    return facts

"""What clients were told, and what they will be, through the API."""

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from daybook.web import paging, sheets
from daybook.web.access import installation
from daybook.web.api_read import VIEWER, OfClient, billing_date
from daybook.web.limits import limited
from daybook.web.paging import AS_CSV, Asked
from daybook.web.problems import DECLARED, Problem
from daybook.web.shapes import Day
from projections.notices import Notice, claimed_between
from projections.reminder_calendar import Entry, calendar

router = APIRouter(prefix="/api/v1", tags=["reading"], responses=DECLARED)

BACK: Final = timedelta(days=14)
AHEAD: Final = timedelta(days=60)
MOST: Final = timedelta(days=366)
FARTHEST: Final = timedelta(days=3_660)
NOTICES: Final = sheets.Sheet(
    "notices",
    ("client_id", "notice_id", "kind", "rule", "numbers", "currency", "due_on", "claimed_on", "claimed_at", "balance",
     "addresses", "state", "tries", "permanent", "last_at", "withdrawn_reason"),
)  # fmt: skip
REMINDERS: Final = sheets.Sheet(
    "reminders",
    ("day", "client_id", "client_name", "notice_id", "kind", "rule", "numbers", "currency", "due_on", "balance", "addresses",
     "state", "why_not", "tries"),
)  # fmt: skip
State = Literal["claimed", "sent", "failed", "unknown", "withdrawn"]


class NoticeOut(BaseModel):
    """One notice that was claimed; where to, and what the mail server said, is told to nobody here."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "client_id": "acme", "notice_id": "due/INV-000001/+7/2026-06-30", "kind": "due_reminder", "rule": "due/+7",
                "numbers": ["INV-000001"], "currency": "GBP", "due_on": "2026-06-30", "claimed_on": "2026-07-07",
                "claimed_at": "2026-07-07T06:00:00Z", "balance_minor": 18000, "addresses": 1, "message_id": "<x@daybook.example>",
                "state": "withdrawn", "tries": 0, "permanent": False, "last_at": "2026-07-07T06:00:02Z",
                "withdrawn_reason": "paid",
            }
        },
    )  # fmt: skip

    client_id: str
    notice_id: str
    kind: str
    rule: str
    numbers: list[str]
    currency: str
    due_on: date | None
    claimed_on: date
    claimed_at: datetime
    balance_minor: int = Field(description="What was to be paid when it was claimed: of the document, or of the account.")
    addresses: int = Field(description="To how many addresses.")
    message_id: str
    state: str
    tries: int
    permanent: bool
    last_at: datetime | None
    withdrawn_reason: str | None


class ReminderOut(BaseModel):
    """One entry of the calendar: what was or will be sent on a day, or why it will not."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "day": "2026-07-07", "client_id": "acme", "client_name": "Acme Corp",
                "notice_id": "due/INV-000001/+7/2026-06-30", "kind": "due_reminder", "rule": "due/+7",
                "numbers": ["INV-000001"], "currency": "GBP", "due_on": "2026-06-30", "balance_minor": 18000, "addresses": 1,
                "state": "not_sent", "why_not": "below_minimum", "tries": 0,
            }
        },
    )  # fmt: skip

    day: date
    client_id: str
    client_name: str
    notice_id: str
    kind: str
    rule: str
    numbers: list[str]
    currency: str
    due_on: date | None
    balance_minor: int
    addresses: int
    state: str = Field(description="As of a notice; `planned`: it will be sent, `not_sent`: it will not, and `why_not` says why.")
    why_not: str | None
    tries: int


@router.get("/notices", response_model=list[NoticeOut], dependencies=VIEWER, responses=AS_CSV)
def notices(
    request: Request,
    page: Asked,
    client: OfClient = None,
    since: Annotated[Day | None, Query(alias="from", description="Claimed on or after.")] = None,
    until: Annotated[Day | None, Query(alias="to", description="Claimed on or before.")] = None,
    state: Annotated[State | None, Query(description="Only those that stand so.")] = None,
) -> Response:
    """What clients were, or are about to be, told by e-mail: each notice that was ever claimed, by day."""
    last = page.after(str, str, str)
    with installation(request).views.reading() as cursor:
        found = claimed_between(cursor, since or date.min, until or date.max)
    rows = [one for one in found if client in (None, one.client_id) and state in (None, one.state)]
    rows.sort(key=_notice_key)
    some, more = paging.page_of(rows, _notice_key, last, page.limit)
    return page.listed(request, [_notice(one) for one in some], more, NOTICES)


@router.get("/reminders", response_model=list[ReminderOut], dependencies=VIEWER, responses=AS_CSV)
def reminders(
    request: Request,
    page: Asked,
    as_of: Annotated[
        Day | None, Query(description="What is still to come counts from this day (default: the business day).")
    ] = None,
    client: OfClient = None,
    since: Annotated[Day | None, Query(alias="from", description="From this day (default: two weeks back).")] = None,
    until: Annotated[Day | None, Query(alias="to", description="To this day (default: sixty days ahead).")] = None,
) -> Response:
    """The calendar: what was sent, what will be, when, to how many addresses, and why something will not be sent."""
    limited(request, "rate-as-of", request.state.person.name)
    app = installation(request)
    day = billing_date(request, app, as_of)
    last = page.after(str, str, str, str)
    for one in (since, until):
        if one is not None and abs(one - day) > FARTHEST:
            raise Problem(422, "span", "Too far away", f"{one} is more than ten years off.", "Ask for nearer days.")
    first, end = since or min(until or day, day) - BACK, until or (since or day) + AHEAD
    if not timedelta() <= end - first <= MOST:
        raise Problem(422, "span", "Too long", f"From {first} to {end} is no span of up to a year.", "Ask for a year at most.")
    with app.views.reading() as cursor:
        found = calendar(cursor, app.book.keyring, day, first, end, None if client is None else [client])
    some, more = paging.page_of(found, _entry_key, last, page.limit)
    return page.listed(request, [_entry(one) for one in some], more, REMINDERS)


def _notice_key(one: Notice) -> tuple[str, str, str]:
    return one.claimed_on.isoformat(), one.client_id, one.notice_id


def _notice(one: Notice) -> dict[str, Any]:
    found = asdict(one)
    found["addresses"] = len(found.pop("to"))
    reason = found.pop("reason")
    found["withdrawn_reason"] = reason if one.state == "withdrawn" else None
    return found


def _entry_key(one: Entry) -> tuple[str, str, str, str]:
    return one.day.isoformat(), one.client_name.lower(), one.client_id, one.notice_id


def _entry(one: Entry) -> dict[str, Any]:
    found = asdict(one)
    found["addresses"] = len(found.pop("to"))
    reason = found.pop("why")
    found["why_not"] = reason if one.state in ("not_sent", "withdrawn") else None
    return found

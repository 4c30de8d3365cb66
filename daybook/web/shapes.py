"""What the API takes, for checking what is sent and for /docs; the keys are those of `interfaces.md`."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints

from schemas.scalars import Instant

MOST_CONFIRMED: Final = 10_000  # as many as fit into the longest body that is taken
MOST_EVENTS: Final = 1_000
_LARGEST_MINOR: Final = 10**15
_NO_CONTROLS: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"


def _iso_day(value: Any) -> Any:
    """A day is YYYY-MM-DD and nothing else: pydantic alone would take a number of seconds too."""
    if isinstance(value, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        raise ValueError("must be a day such as 2026-05-31")
    if not isinstance(value, str | date):
        raise ValueError("must be a day such as 2026-05-31")
    return value


def _instant(value: Any) -> Any:
    """An instant says its zone. A plus sign in an address stands for a blank, so that blank is read as one."""
    if isinstance(value, str):
        try:
            return Instant().from_json(value.replace(" ", "+") if re.search(r" \d\d:\d\d$", value, re.ASCII) else value)
        except ValueError as error:
            raise ValueError(str(error)) from None
    return value


Day = Annotated[date, BeforeValidator(_iso_day)]
Moment = Annotated[datetime, BeforeValidator(_instant)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_CONTROLS)]
ItemKey = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=_NO_CONTROLS)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Minor = Annotated[StrictInt, Field(ge=-_LARGEST_MINOR, le=_LARGEST_MINOR)]
_WRITTEN = r"[^\x00-\x08\x0b-\x1f\x7f-\x9f]*"
# At least one sign that is no space: what is declared is all that is asked for.
Reason = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=1000,
        pattern=rf"^{_WRITTEN}[^\s\x00-\x08\x0b-\x1f\x7f-\x9f]{_WRITTEN}$",
    ),
]


class _Taken(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"example": fields})


class ConfirmedFigure(_Taken):
    """What a person saw a client's queue to be, and agreed to."""

    client_id: Id
    currency: Currency
    net_minor: Minor


class GenerateRequest(_Taken):
    """Which figures were confirmed; only these clients are invoiced, and only if nothing has changed."""

    model_config = _example(as_of="2026-05-31", confirmed=[{"client_id": "acme", "currency": "GBP", "net_minor": 187500}])

    as_of: Day
    confirmed: Annotated[list[ConfirmedFigure], Field(min_length=1, max_length=MOST_CONFIRMED)]


class HoldRequest(_Taken):
    """Which item, and why."""

    model_config = _example(client_id="acme", item_key="time/e1", reason="The client disputes it; ask Ann.")

    client_id: Id
    item_key: ItemKey
    reason: Reason


class AdjustRequest(HoldRequest):
    """What is added to the item's price (negative takes off), in minor units of its own currency."""

    model_config = _example(
        client_id="acme", item_key="time/e1", amount_minor=-2500, currency="GBP", reason="Goodwill for the outage."
    )

    amount_minor: Minor
    currency: Currency | None = None


class CorrectionRequest(_Taken):
    """Why a document is corrected, and the day of the credit note or write-off (default: the business day)."""

    model_config = _example(reason="Agreed with the client on the phone.")

    reason: Reason
    as_of: Day | None = None


class CreditRequest(CorrectionRequest):
    """What to credit: the whole document, or one line; `rebill` returns it to the queue, `waive` gives it up."""

    model_config = _example(mode="rebill", line_no=1, reason="Billed to the wrong contract.")

    mode: Literal["rebill", "waive"]
    line_no: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = None


class Event(_Taken):
    """One fact as in a JSON-lines file; `event` has the fields of the record `type`."""

    model_config = _example(
        topic="daybook.time",
        type="TimeEntryApproved",
        event={
            "event_id": "0b6b3c5e-8f0c-4a57-9a53-0d7c5b1f1f10",
            "source": "psa",
            "occurred_at": "2026-05-31T09:30:00Z",
            "client_id": "acme",
            "time_entry_id": "e1",
            "revision": 1,
            "approver_id": "bob",
        },
    )

    topic: str
    type: str
    event: dict[str, Any]

"""What the API takes and gives, for checking what is sent and for /docs; the keys are those of `interfaces.md`."""

import re
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints

MOST_CONFIRMED: Final = 20_000
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


Day = Annotated[date, BeforeValidator(_iso_day)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_CONTROLS)]
ItemKey = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=_NO_CONTROLS)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Minor = Annotated[StrictInt, Field(ge=-_LARGEST_MINOR, le=_LARGEST_MINOR)]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"),
]


class _Taken(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Given(BaseModel):
    model_config = ConfigDict(extra="allow")


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


class QueueRowOut(_Given):
    """One client's queue in one currency."""

    client_id: str
    client_name: str
    currency: str
    types: list[str]
    hours: str = Field(examples=["12.5"])
    net_minor: int
    lines: int
    unapproved_minutes: int


class Place(_Given):
    """A line of an issued document."""

    number: str
    line_no: int


class HoldOut(_Given):
    """Who holds an item, since when and why."""

    by: str
    at: str
    reason: str | None = Field(description="Null for viewers.")


class QueueLineOut(_Given):
    """One line that would be invoiced."""

    client_id: str
    item_key: str
    description: str
    charge_type: str | None
    service_from: date
    service_to: date
    quantity: str
    unit: str
    unit_price: str
    currency: str
    net_minor: int
    corrects: Place | None
    hold: HoldOut | None
    rule: str


class IssuedOut(_Given):
    """A document that a run issued; its lines are at /api/v1/invoices/{number}."""

    number: str
    kind: Literal["invoice", "credit_note"]
    client_id: str
    currency: str
    issued_on: date
    due_on: date
    net_minor: int
    tax_minor: int
    total_minor: int


class InvoiceOut(IssuedOut):
    """An issued document with its lines."""

    outstanding_minor: int
    status: str
    lines: list[dict[str, Any]]


class RefusedOut(_Given):
    """A client that a run left out, with both figures where they differ."""

    client_id: str
    currency: str
    reason: str
    confirmed_minor: int | None
    now_minor: int | None
    what_to_do: str


class Generated(_Given):
    """What a run issued and whom it refused."""

    as_of: date
    issued: list[IssuedOut]
    refused: list[RefusedOut]


class Decided(_Given):
    """A decision that was kept, and the batch of the ledger it is in."""

    done: Literal["held", "released", "adjusted"]
    client_id: str
    item_key: str
    batch: int


class Handled(_Given):
    """What became of one event."""

    event_id: str | None
    outcome: Literal["recorded", "repeat", "dead_letter", "refused"]
    detail: str | None


class WaitingOut(_Given):
    """Something kept and not billed, and why."""

    client_id: str
    what: str
    id: str
    reason: str
    since: str


class TimeEntryOut(_Given):
    """One time entry: who logged it, who approved it, and what it waits for."""

    client_id: str
    time_entry_id: str
    status: str
    agent_id: str | None
    approver_id: str | None
    charge_type: str | None
    worked_on: date | None
    worked_minutes: int | None
    waiting: str | None


class DeadLetterOut(_Given):
    """A message that could not be read or trusted."""

    topic: str
    partition: int
    offset: int
    reason: str
    error: str

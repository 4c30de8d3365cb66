"""What the API gives, for /docs; the keys are those of `interfaces.md`, and more may follow."""

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Given(BaseModel):
    model_config = ConfigDict(extra="allow")


def _shown(**fields: Any) -> ConfigDict:
    return ConfigDict(extra="allow", json_schema_extra={"example": fields})


class QueueRowOut(_Given):
    """One client's queue in one currency."""

    model_config = _shown(
        client_id="acme",
        client_name="Acme Corp",
        currency="GBP",
        types=["Remote Support"],
        hours="12.5",
        net_minor=187500,
        lines=6,
        unapproved_minutes=45,
        held_minor=0,
        held_lines=0,
    )

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

    model_config = _shown(
        client_id="acme",
        item_key="time/e1",
        description="Remote Support, 20 May 2026",
        charge_type="REMOTE",
        service_from="2026-05-20",
        service_to="2026-05-20",
        quantity="1",
        unit="hour",
        unit_price="150",
        currency="GBP",
        net_minor=15000,
        corrects={"number": "INV-000001", "line_no": 1},
        hold={"by": "ann", "at": "2026-05-21T09:00:00Z", "reason": "The client disputes it."},
        rule="time.v1",
        arithmetic="60 min = 1 h x 150",
    )

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

    model_config = _shown(
        number="INV-000001",
        kind="invoice",
        client_id="acme",
        currency="GBP",
        issued_on="2026-05-31",
        due_on="2026-06-30",
        net_minor=15000,
        tax_minor=3000,
        total_minor=18000,
    )

    number: str
    kind: Literal["invoice", "credit_note"]
    client_id: str
    currency: str
    issued_on: date
    due_on: date
    net_minor: int
    tax_minor: int
    total_minor: int


class DocumentLineOut(_Given):
    """One line of an issued document, and what it was made of."""

    line_no: int
    item_key: str
    description: str
    charge_type: str | None
    service_from: date
    service_to: date
    quantity: str
    unit: str
    unit_price: str
    net_minor: int
    tax_code: str
    tax_percent: str
    tax_minor: int
    account: str
    corrects: Place | None
    rule: str
    arithmetic: str
    source_count: int
    source_sha256: str
    source_event_ids: list[str] = Field(description="At most 100.")


class InvoiceOut(IssuedOut):
    """An issued document with its lines."""

    model_config = _shown(
        number="INV-000001",
        kind="invoice",
        client_id="acme",
        currency="GBP",
        issued_on="2026-05-31",
        due_on="2026-06-30",
        net_minor=15000,
        tax_minor=3000,
        total_minor=18000,
        outstanding_minor=18000,
        status="open",
        lines=[],
    )

    outstanding_minor: int
    status: str
    lines: list[DocumentLineOut]


class BalanceOut(_Given):
    """What a client owes in one currency at the close of a day, by age; credit stands beside it."""

    model_config = _shown(
        client_id="acme",
        client_name="Acme Corp",
        currency="GBP",
        outstanding_minor=18000,
        overdue_minor=6000,
        unapplied_minor=0,
        current_minor=12000,
        days_1_30_minor=6000,
        days_31_60_minor=0,
        days_61_90_minor=0,
        days_over_90_minor=0,
    )

    client_id: str
    client_name: str
    currency: str
    outstanding_minor: int
    overdue_minor: int
    unapplied_minor: int
    current_minor: int
    days_1_30_minor: int
    days_31_60_minor: int
    days_61_90_minor: int
    days_over_90_minor: int


class RefusedOut(_Given):
    """A client that a run left out, with both figures where they differ."""

    model_config = _shown(
        client_id="acme",
        currency="GBP",
        reason="changed",
        confirmed_minor=15000,
        now_minor=17500,
        what_to_do="Look at the client's queue again, and confirm the figure it has now.",
    )

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

    model_config = _shown(done="held", client_id="acme", item_key="time/e1", batch=42)

    done: Literal["held", "released", "adjusted"]
    client_id: str
    item_key: str
    batch: int


class CorrectedOut(_Given):
    """A correction that was kept: the credit note it made, or what was given up; amounts are below zero, as they take off."""

    model_config = _shown(
        done="credited",
        number="INV-000001",
        client_id="acme",
        currency="GBP",
        credit_note="CN-000001",
        mode="rebill",
        net_minor=-15000,
        tax_minor=-3000,
        total_minor=-18000,
        batch=42,
    )

    done: Literal["credited", "voided", "written_off"]
    number: str
    client_id: str
    currency: str
    credit_note: str | None
    mode: Literal["rebill", "waive"] | None
    net_minor: int
    tax_minor: int
    total_minor: int
    batch: int


class Handled(_Given):
    """What became of one event."""

    model_config = _shown(
        event_id="0b6b3c5e-8f0c-4a57-9a53-0d7c5b1f1f10",
        outcome="dead_letter",
        detail="invalid_envelope: source holds a control character",
    )

    event_id: str | None
    outcome: Literal["recorded", "repeat", "dead_letter", "refused"]
    detail: str | None


class WaitingOut(_Given):
    """Something kept and not billed, and why."""

    model_config = _shown(
        client_id="acme",
        what="time_entry",
        id="e3",
        reason="awaiting_approval",
        since="2026-05-20T09:00:00Z",
        minutes=30,
        served_on="2026-05-20",
        dead_letter=None,
    )

    client_id: str
    what: str
    id: str
    reason: str
    since: str


class TimeEntryOut(_Given):
    """One time entry: who logged it, who approved it, and what it waits for."""

    model_config = _shown(
        client_id="acme",
        time_entry_id="e1",
        status="approved",
        agent_id="ann",
        approver_id="bob",
        charge_type="REMOTE",
        worked_on="2026-05-20",
        worked_minutes=60,
        waiting="amended_after_invoicing",
    )

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

    model_config = _shown(
        topic="daybook.time", partition=3, offset=17, reason="undecodable", error="not a TimeEntryLogged: EOFError"
    )

    topic: str
    partition: int
    offset: int
    reason: str
    error: str

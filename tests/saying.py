"""Facts as upstream says them: a test names what it cares about, the rest is filled in."""

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

from domain.facts import FACTS
from ledger.event_codec import decode, encode
from schemas.json_lines import event_fields
from schemas.topics import TOPIC_OF

Row = tuple[str, str, dict[str, Any]]
"""Topic, record and fields."""

_ids = count(1)

_USUAL: dict[str, dict[str, Any]] = {
    "ProviderDefined": {"name": "Northwind IT", "country": "GB", "base_currency": "GBP", "time_zone": "Europe/London"},
    "ChargeTypeDefined": {
        "code": "REMOTE", "name": "Remote Support", "effective_from": "2020-01-01", "billable": True,
        "rates": {"GBP": "150"}, "minimum_minutes": 0, "increment_minutes": 0, "rounding": "up",
        "rounding_scope": "entry", "tax_code": "STD", "account": "200",
    },
    "TaxCodeDefined": {
        "code": "STD", "name": "Standard", "effective_from": "2020-01-01", "rate": "20", "kind": "standard",
    },
    "InvoiceSeriesDefined": {"code": "MAIN", "prefix": "A-", "digits": 4, "restart": "never", "document": "invoice"},
    "ClientDefined": {
        "client_id": "acme", "name": "Acme Corp", "currency": "GBP", "time_zone": "Europe/London",
        "effective_from": "2020-01-01", "payment_terms_days": 30,
    },
    "ContractDefined": {
        "client_id": "acme", "contract_id": "C1", "name": "Managed Services", "currency": "GBP", "is_default": True,
        "effective_from": "2026-01-01", "starts_on": "2026-01-01", "frequency": "monthly", "anchor_day": 1, "lines": [],
    },
    "SeatCountReported": {
        "client_id": "acme", "product": "workstation", "system": "rmm", "quantity": 48, "as_of": "2026-01-01T08:00:00Z",
    },
    "TimeEntryLogged": {
        "client_id": "acme", "time_entry_id": "e1", "agent_id": "ann", "charge_type": "REMOTE", "worked_on": "2026-05-20",
        "worked_minutes": 60, "note": "",
    },
    "TimeEntryAmended": {
        "client_id": "acme", "time_entry_id": "e1", "revision": 2, "agent_id": "ann", "charge_type": "REMOTE",
        "worked_on": "2026-05-20", "worked_minutes": 60, "note": "", "reason": "mistyped",
    },
    "TimeEntryWithdrawn": {"client_id": "acme", "time_entry_id": "e1", "revision": 2, "reason": "logged twice"},
    "TimeEntryApproved": {"client_id": "acme", "time_entry_id": "e1", "revision": 1, "approver_id": "bob"},
    "TimeEntryRejected": {
        "client_id": "acme", "time_entry_id": "e1", "revision": 1, "approver_id": "bob", "reason": "not ours",
    },
}  # fmt: skip

_USUAL_LINE: dict[str, dict[str, Any]] = {
    "RecurringLine": {
        "line_id": "L1", "description": "Managed Services", "account": "200", "tax_code": "STD", "timing": "arrears",
        "quantity": "1", "unit_price": "50", "prorate": True,
    },
    "RateLine": {
        "line_id": "R1", "description": "Agreed rate", "account": "210", "timing": "arrears", "charge_type": "REMOTE",
        "rates": {"GBP": "120"},
    },
    "AllowanceLine": {
        "line_id": "A1", "description": "Hours included", "account": "200", "timing": "advance", "charge_types": [],
        "included_minutes": 600, "price": "500",
    },
    "SeatLine": {
        "line_id": "S1", "description": "Workstation care", "account": "200", "tax_code": "STD", "timing": "arrears",
        "product": "workstation", "systems": ["rmm"], "unit_price": "65", "policy": "daily",
    },
    "FixedPriceLine": {
        "line_id": "F1", "description": "Project", "account": "200", "timing": "arrears", "project_id": "P1",
        "milestones": [], "bundles_time": True,
    },
}  # fmt: skip


def said(record: str, **given: Any) -> Row:
    """One fact with a new event id; `at` is its `occurred_at`, by default 9:00 on 20 May 2026."""
    at = given.pop("at", datetime(2026, 5, 20, 9, tzinfo=UTC))
    event = {
        "event_id": str(given.pop("event_id", None) or UUID(int=next(_ids), version=4)),
        "source": "psa",
        "occurred_at": at,
        **({} if record.startswith("Payment") else {"revision": 1}),
        **_USUAL.get(record, {}),
        **given,
    }
    return TOPIC_OF[record], record, event_fields(record, _plain(event))


def line(kind: str, **given: Any) -> dict[str, Any]:
    """One line of a contract."""
    return {"type": kind, **_USUAL_LINE[kind], **given}


def say(record: str, **given: Any) -> Any:
    """The same fact as the domain keeps it."""
    _, _, fields = said(record, **given)
    return event_of(record, fields)


def event_of(record: str, fields: dict[str, Any]) -> Any:
    """The event that the book gives back of a fact; `fields` are the wire's, in plain Python values."""
    return decode(FACTS[record].TOPIC, encode(fields))


def approved(entry_id: str = "e1", **given: Any) -> list[Row]:
    """An entry with its approval."""
    own = {name: given[name] for name in ("client_id", "revision") if name in given}
    decision = {name: given.pop(name) for name in ("billable_minutes", "approved_at") if name in given}
    if "approved_at" in decision:
        decision["at"] = decision.pop("approved_at")
    record = "TimeEntryAmended" if given.get("revision", 1) > 1 else "TimeEntryLogged"
    return [
        said(record, time_entry_id=entry_id, **given),
        said("TimeEntryApproved", time_entry_id=entry_id, **own, **decision),
    ]


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case _:
            return value

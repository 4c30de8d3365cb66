"""A short way for a test to say a few facts: one client, one charge type, and what each test adds."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from .generator import place
from .wire import Produced
from .world import Said

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Story:
    """Facts of client "acme" in GBP at 20 % tax, each a minute after the one before."""

    def __init__(self, **charge_type: Any) -> None:
        self.said: list[Said] = []
        self.tax_code("GB20", "20")
        self.charge_type("REMOTE", **charge_type)
        self.client("acme")

    def say(self, record: str, **fields: Any) -> "Story":
        """Any fact."""
        number = len(self.said)
        at = fields.pop("at", NOON + timedelta(minutes=number))
        event_id = str(UUID(int=number + 1, version=4))
        self.said.append(Said(at, record, {"event_id": event_id, "source": "test", "occurred_at": at, **fields}))
        return self

    def tax_code(self, code: str, percent: str, **fields: Any) -> "Story":
        """A tax code, standard since 2020 unless told otherwise."""
        state = {"code": code, "name": code, "effective_from": date(2020, 1, 1), "rate": Decimal(percent)}
        return self.say("TaxCodeDefined", **(state | fields))

    def charge_type(self, code: str, rate: str = "100", **fields: Any) -> "Story":
        """A charge type without minimum, by the minute."""
        state = {
            "code": code,
            "name": code.title(),
            "effective_from": date(2020, 1, 1),
            "rates": {"GBP": Decimal(rate)},
            "tax_code": "GB20",
            "account": "200",
        }
        return self.say("ChargeTypeDefined", **(state | fields))

    def client(self, client_id: str, **fields: Any) -> "Story":
        """A London client in GBP."""
        state = {"client_id": client_id, "name": client_id, "currency": "GBP"}
        settled = {"time_zone": "Europe/London", "effective_from": date(2026, 1, 1)}
        return self.say("ClientDefined", **(state | settled | fields))

    def contract(self, *lines: dict[str, Any], **fields: Any) -> "Story":
        """Contract K of acme, monthly from 1 January 2026."""
        state = {
            "client_id": "acme",
            "contract_id": "K",
            "effective_from": date(2026, 1, 1),
            "starts_on": date(2026, 1, 1),
            "name": "K",
            "currency": "GBP",
            "lines": [(f"daybook.v1.{line['type']}", _line(line)) for line in lines],
        }
        return self.say("ContractDefined", **(state | fields))

    def entry(self, entry_id: str, minutes: int, *, approve: bool = True, **fields: Any) -> "Story":
        """An entry of 20 May 2026, approved at once unless told otherwise; revision 2 and up is an amendment."""
        amends = fields.get("revision", 1) > 1
        state = {
            "client_id": "acme",
            "time_entry_id": entry_id,
            "revision": 1,
            "agent_id": "ann",
            "charge_type": "REMOTE",
            "worked_on": date(2026, 5, 20),
            "worked_minutes": minutes,
        } | fields
        self.say("TimeEntryAmended" if amends else "TimeEntryLogged", **state)
        return self.decide("Approved", entry_id, state["revision"]) if approve else self

    def decide(self, decision: str, entry_id: str, revision: int = 1, **fields: Any) -> "Story":
        """Approved or Rejected."""
        about = {"client_id": "acme", "time_entry_id": entry_id, "revision": revision, "approver_id": "boss"}
        return self.say(f"TimeEntry{decision}", **(about | fields))

    def messages(self) -> list[Produced]:
        """As Kafka would hold them."""
        return place([said.message() for said in self.said])


def recurring(price: str, **fields: Any) -> dict[str, Any]:
    """A recurring line L of quantity 1."""
    return {"type": "RecurringLine", "line_id": "L", "quantity": Decimal(1), "unit_price": Decimal(price), **fields}


def _line(line: dict[str, Any]) -> dict[str, Any]:
    named = {"description": line["line_id"], "account": "200", "tax_code": "GB20"} | line
    return {name: value for name, value in named.items() if name != "type"}

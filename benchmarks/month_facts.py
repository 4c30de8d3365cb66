"""The month of a large provider as facts: clients, contracts, charge types, and entries logged, amended and approved in May 2026.

Each client's invoice has `LINES` lines: nine tickets rounded as a whole, eight entries on their own, three contract lines.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid5

Fact = tuple[str, str, dict[str, Any]]

NAMESPACE: Final = UUID("5a0f2f67-6f5e-5d0e-9c5b-3f1b8d7a2c11")
FIRST: Final = date(2026, 5, 1)
DAYS: Final = 31
TICKETS: Final = 9
ALONE: Final = 8
FEES: Final = 3
LINES: Final = TICKETS + ALONE + FEES
UNAPPROVED_EVERY: Final = 50
AMENDED_EVERY: Final = 20
EURO_EVERY: Final = 20
RATES: Final = {"GBP": Decimal(150), "EUR": Decimal(175)}
NOTE: Final = "Replaced the switch and tested the uplink with the client on the phone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the month is; one entry in fifty comes on top and is not approved yet."""

    clients: int
    entries: int

    @property
    def each(self) -> int:
        """Approved entries a client."""
        return self.entries // self.clients


def client_id(number: int) -> str:
    """The id of a client, from 0."""
    return f"client-{number:05d}"


def standing(size: Size) -> Iterator[Fact]:
    """What is said once: the catalogue, the clients, a contract of three fixed fees each."""
    yield from _catalogue()
    for number in range(size.clients):
        yield _client(number)
        yield _contract(number)


def work(size: Size) -> Iterator[Fact]:
    """The entries in order of time: logged through the week, approved at its end."""
    rng = random.Random(20260531)
    for week in range(-(-DAYS // 7)):
        days = range(7 * week, min(7 * week + 7, DAYS))
        this_week = [number for number in range(size.each) if number * DAYS // size.each in days]
        for said in ("logged", "approved"):
            for client in range(size.clients):
                for number in this_week:
                    yield from _entry(client, number, number * DAYS // size.each, said, rng)


def count(size: Size) -> int:
    """How many facts `work` gives."""
    return sum(1 for _ in work(size))


def _envelope(record: str, key: str, at: datetime) -> dict[str, Any]:
    return {"event_id": str(uuid5(NAMESPACE, f"{record}|{key}")), "source": "psa", "occurred_at": at}


def _currency(client: int) -> str:
    return "EUR" if client % EURO_EVERY == EURO_EVERY - 1 else "GBP"


def _entry(client: int, number: int, day: int, said: str, rng: random.Random) -> Iterator[Fact]:
    id_, owner = f"TE-{client:05d}-{number:04d}", client_id(client)
    at = datetime.combine(FIRST + timedelta(days=day), time(9), UTC) + timedelta(minutes=rng.randrange(480))
    amended = (client + number) % AMENDED_EVERY == 0
    if said == "approved":
        approved = {"client_id": owner, "time_entry_id": id_, "approver_id": "lead", "billable_minutes": None}
        later = _envelope("TimeEntryApproved", id_, at + timedelta(days=4))
        yield "daybook.time", "TimeEntryApproved", {**later, **approved, "revision": 2 if amended else 1}
        return
    minutes = rng.randrange(5, 120)
    yield _statement(owner, id_, client, number, at, minutes, 1)
    if amended:
        yield _statement(owner, id_, client, number, at, minutes + 10, 2)
    if (client + number) % UNAPPROVED_EVERY == 0:
        yield _statement(owner, f"{id_}-open", client, number, at, 30, 1)


def _statement(owner: str, id_: str, client: int, number: int, at: datetime, minutes: int, revision: int) -> Fact:
    alone = number < ALONE
    record = "TimeEntryLogged" if revision == 1 else "TimeEntryAmended"
    fields = {
        **_envelope(record, id_, at),
        "client_id": owner,
        "time_entry_id": id_,
        "revision": revision,
        "ticket_id": f"T-{client:05d}-{number if alone else 100 + (number - ALONE) % TICKETS}",
        "project_id": None,
        "contract_id": None,
        "agent_id": f"agent-{(client + number) % 60}",
        "charge_type": "ONSITE" if number % 4 == 3 and alone else "REMOTE" if alone else "DESK",
        "worked_on": at.date(),
        "started_at": at,
        "ended_at": at + timedelta(minutes=minutes),
        "worked_minutes": minutes,
        "deducted_minutes": 0,
        "note": NOTE,
    }
    return "daybook.time", record, fields if revision == 1 else {**fields, "reason": "left out the restore"}


def _catalogue() -> Iterator[Fact]:
    at = datetime(2026, 4, 27, 9, tzinfo=UTC)

    def said(record: str, key: str, **fields: Any) -> Fact:
        return "daybook.catalogue", record, {**_envelope(record, key, at), "revision": 1, **fields}

    yield said(
        "ProviderDefined", "provider", name="Lanternbrook IT Ltd", address=["Unit 4, Canal Mills"], city="Leeds",
        postcode="LS12 0XX", country="GB", tax_number="GB000000000", bank="Example Bank", base_currency="GBP",
        time_zone="Europe/London", tax_rounding="line", logo=None,
    )  # fmt: skip
    yield said(
        "TaxCodeDefined", "VAT20", code="VAT20", name="VAT 20 %", effective_from=date(2026, 1, 1), rate=Decimal(20),
        kind="standard", wording=None,
    )  # fmt: skip
    for code, name, scope in (
        ("REMOTE", "Remote Support", "entry"), ("ONSITE", "On-Site", "entry"), ("DESK", "Service Desk", "ticket"),
    ):  # fmt: skip
        yield said(
            "ChargeTypeDefined", code, code=code, name=name, effective_from=date(2026, 1, 1), billable=True, project=False,
            rates=RATES, minimum_minutes=15, increment_minutes=15, rounding="up", rounding_scope=scope, out_of_hours=None,
            tax_code="VAT20", account="4100",
        )  # fmt: skip


def _client(number: int) -> Fact:
    owner, at = client_id(number), datetime(2026, 4, 28, 10, tzinfo=UTC)
    return "daybook.clients", "ClientDefined", {
        **_envelope("ClientDefined", owner, at), "client_id": owner, "revision": 1, "effective_from": FIRST,
        "name": f"{_NAMES[number % len(_NAMES)]} {_KINDS[number // len(_NAMES) % len(_KINDS)]} {number:05d} Ltd",
        "currency": _currency(number), "time_zone": "Europe/London", "payment_terms_days": 30, "country": "GB",
        "address": ["1 High Street"], "city": "Leeds", "postcode": "LS1 0XX", "region": None, "tax_code": "VAT20",
        "tax_number": None, "billing_emails": [f"accounts@{owner}.example"], "electronic_address": None,
        "purchase_order": None, "working_hours": None, "invoice_series": None, "surcharge_policy": None, "autopay": False,
        "use_credit": False, "status": "active",
    }  # fmt: skip


def _contract(number: int) -> Fact:
    owner, at = client_id(number), datetime(2026, 4, 29, 14, tzinfo=UTC)
    id_ = f"{owner}-managed"
    fees = (("managed", "Managed Services", "advance"), ("backup", "Server backup", "arrears"), ("wifi", "Wi-Fi", "advance"))
    lines = [
        {
            "type": "RecurringLine", "line_id": line_id, "description": description, "tax_code": "VAT20", "account": "4000",
            "timing": timing, "starts_on": None, "ends_on": None, "frequency": None, "unit_cost": None,
            "quantity": Decimal(3 + number % 40), "unit_price": Decimal("31.50"), "prorate": True,
        }
        for line_id, description, timing in fees[:FEES]
    ]  # fmt: skip
    return "daybook.contracts", "ContractDefined", {
        **_envelope("ContractDefined", id_, at), "client_id": owner, "contract_id": id_, "revision": 1, "effective_from": FIRST,
        "name": "Managed Services", "currency": _currency(number), "is_default": True, "starts_on": FIRST, "ends_on": None,
        "frequency": "monthly", "anchor_day": 1, "anchor_month": None, "prices_include_tax": False, "purchase_order": None,
        "lines": lines,
    }  # fmt: skip


_NAMES: Final = (
    "Ashgrove", "Brackenfield", "Calder", "Dunmore", "Eskdale", "Fairholme", "Glenbrook", "Hartside", "Inglewood", "Jervaulx",
    "Kirkstall", "Langdale", "Marsden", "Netherby", "Oakworth", "Penistone", "Quarmby", "Ribble", "Saltaire", "Thornhill",
)  # fmt: skip
_KINDS: Final = (
    "Architects", "Bakeries", "Clinics", "Dental Group", "Engineering", "Foods", "Garages", "Hotels", "Interiors", "Joinery",
)  # fmt: skip

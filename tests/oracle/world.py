"""A made-up provider's catalogue, clients and contracts, with the oddities that real ones have."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from .wire import TOPIC_OF, encode, key_of

CURRENCIES = ("GBP", "EUR", "USD", "JPY", "KWD")
ZONES = ("Europe/London", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Asia/Kuwait", "Pacific/Auckland")
BASIC_TYPES = ("REM", "ONS", "INT", "PRJ", "CUS")
ODD_TYPES = ("NIGHT", "ODD", "EURONLY", "NOTAX", "BARE", "FUTURE")
_RATES = {
    "REM": ("93.03", "108.5", "121.75", "15000", "37.125"),
    "ONS": ("120", "139.99", "155.5", "19000", "48.3333"),
    "INT": ("0", "0", "0", "0", "0"),
    "PRJ": ("100", "115", "130.00000001", "16000", "40"),
    "CUS": ("86.66666667", "99.95", "110", "14001", "33.3335"),
}


@dataclass(slots=True)
class Said:
    """One fact before it is encoded."""

    at: datetime
    record: str
    fields: dict[str, Any]

    def message(self) -> tuple[str, bytes, bytes]:
        """Topic, key and value as produced."""
        return TOPIC_OF[self.record], key_of(self.record, self.fields), encode(self.record, self.fields)


@dataclass(slots=True)
class Client:
    """What the time entries of one client draw on."""

    client_id: str
    zone: str
    currency: str
    contracts: list[str] = field(default_factory=list)
    tickets: int = 0


class World:
    """Says the standing facts; keeps what entries need to know of them."""

    def __init__(self, rng: random.Random, clients: int) -> None:
        self.rng = rng
        self.clients: list[Client] = []
        self.said: list[Said] = [*self._tax_codes(), *self._charge_types()]
        for number in range(clients):
            self._client(number)

    def say(self, record: str, at: datetime, **fields: Any) -> Said:
        """One fact with an envelope of its own."""
        event_id = str(UUID(int=self.rng.getrandbits(128), version=4))
        return Said(at, record, {"event_id": event_id, "source": "psa", "occurred_at": at, **fields})

    def day(self, first: date, last: date) -> date:
        """A random day of the given range."""
        return first + timedelta(days=self.rng.randint(0, (last - first).days))

    # ---- catalogue ----

    def _tax_codes(self) -> Iterator[Said]:
        at = datetime(2025, 12, 1, 9, tzinfo=UTC)
        yield self.say(
            "ProviderDefined", at, name="Northwind IT", country="GB", base_currency="GBP", time_zone="Europe/London"
        )
        for code, rate, kind, since in (
            ("GB20", "20", "standard", date(2020, 1, 1)),
            ("GB5", "5", "standard", date(2020, 1, 1)),
            ("NL", "21", "standard", date(2020, 1, 1)),
            ("ZERO", "0", "zero", date(2020, 1, 1)),
            ("REVERSE", "0", "reverse_charge", date(2020, 1, 1)),
            ("OUT", "0", "outside_scope", date(2020, 1, 1)),
            ("NEXT", "25", "standard", date(2027, 1, 1)),
        ):
            yield self._tax_code(at, code, 1, rate, kind, since)
        yield self._tax_code(at + timedelta(days=60), "NL", 2, "22.5", "standard", date(2026, 5, 1))

    def _tax_code(self, at: datetime, code: str, revision: int, rate: str, kind: str, since: date) -> Said:
        return self.say(
            "TaxCodeDefined",
            at,
            code=code,
            revision=revision,
            name=code,
            effective_from=since,
            rate=Decimal(rate),
            kind=kind,
        )

    def _charge_types(self) -> Iterator[Said]:
        at = datetime(2025, 12, 1, 10, tzinfo=UTC)
        shapes: dict[str, dict[str, Any]] = {
            "REM": {"minimum_minutes": 15, "increment_minutes": 15},
            "ONS": {"minimum_minutes": 50, "increment_minutes": 30, "rounding": "nearest"},
            "INT": {"billable": False, "tax_code": None},
            "PRJ": {"project": True, "increment_minutes": 6, "rounding": "down"},
            "CUS": {"minimum_minutes": 60, "increment_minutes": 60, "rounding_scope": "ticket"},
        }
        names = ("Remote Support", "On-Site Support", "Internal / Non-Billable", "Project Time", "Custom")
        for code, name in zip(BASIC_TYPES, names, strict=True):
            yield self._charge_type(at, code, name=name, **shapes[code])
        yield self._charge_type(at, "NIGHT", out_of_hours={"multiplier": Decimal("1.5")})
        yield self._charge_type(at, "ODD", rounding="sideways")
        yield self._charge_type(at, "EURONLY", rates={"EUR": Decimal("77.77")})
        yield self._charge_type(at, "NOTAX", tax_code="NOPE")
        yield self._charge_type(at, "BARE", tax_code=None)
        yield self._charge_type(at, "FUTURE", effective_from=date(2026, 6, 1))
        march, remote = date(2026, 3, 15), {"name": "Remote Support", **shapes["REM"]}
        yield self._charge_type(at + timedelta(days=5), "PRJ", 2, name="Project Time", tax_code="GB5", **shapes["PRJ"])
        # said in May, true since March; then a correction of January, which must not replace it (D5)
        yield self._charge_type(datetime(2026, 5, 20, tzinfo=UTC), "REM", 2, "1.0375", effective_from=march, **remote)
        yield self._charge_type(datetime(2026, 5, 25, tzinfo=UTC), "REM", 3, "0.95", **remote)
        yield self._charge_type(
            datetime(2026, 5, 26, tzinfo=UTC),
            "CUS",
            4,
            "1.10000001",
            name="Custom",
            effective_from=date(2026, 4, 17),
            **shapes["CUS"],
        )

    def _charge_type(self, at: datetime, code: str, revision: int = 1, factor: str = "1", **fields: Any) -> Said:
        amounts = (
            (Decimal(amount) * Decimal(factor)).quantize(Decimal("1e-8")) for amount in _RATES.get(code, _RATES["REM"])
        )
        state = {
            "code": code,
            "revision": revision,
            "name": code.title(),
            "effective_from": date(2025, 1, 1),
            "rates": dict(zip(CURRENCIES, amounts, strict=True)),
            "tax_code": "GB20",
            "account": "200",
        }
        return self.say("ChargeTypeDefined", at, **(state | fields))

    # ---- clients ----

    def _client(self, number: int) -> None:
        rng = self.rng
        zone, currency = rng.choice(ZONES), rng.choices(CURRENCIES, (8, 4, 4, 2, 2))[0]
        if number == 7:
            currency = "XXQ"
        if number == 11:
            zone = "Mars/Olympus"
        client = Client(f"C-{number:04}" if number % 9 else f"Müller & Co/{number}", zone, currency)
        at = datetime(2025, 12, 10, 23, 30, tzinfo=UTC) + timedelta(minutes=number)
        state = {
            "client_id": client.client_id,
            "revision": 1,
            "effective_from": rng.choice((None, date(2026, 1, 1), date(2026, 4, 1))),
            "name": f"Client {number}",
            "currency": currency,
            "time_zone": zone,
            "tax_code": rng.choices((None, "GB20", "NL", "ZERO", "REVERSE", "OUT"), (6, 4, 3, 1, 1, 1))[0],
        }
        self.said.append(self.say("ClientDefined", at, **state))
        self.clients.append(client)
        odd = number in (7, 11)
        change = rng.random()
        if change < 0.05 and not odd:
            closed = {"revision": 2, "status": "closed", "effective_from": self.day(date(2026, 4, 1), date(2026, 6, 5))}
            self.said.append(self.say("ClientDefined", at + timedelta(days=120), **(state | closed)))
        elif change < 0.1 and not odd:
            moved = {"revision": 2, "currency": "EUR", "effective_from": self.day(date(2026, 4, 1), date(2026, 5, 25))}
            self.said.append(self.say("ClientDefined", at + timedelta(days=150), **(state | moved)))
        if number != 7:
            self._contracts(client, at)

    # ---- contracts ----

    def _contracts(self, client: Client, at: datetime) -> None:
        shape = self.rng.choices(("none", "one", "default", "several", "renewed"), (15, 55, 12, 8, 10))[0]
        if shape == "none":
            return
        self._contract(client, at, "K1", is_default=shape == "default", ends=shape == "renewed")
        if shape != "one":
            self._contract(client, at, "K 2/b" if shape == "renewed" else "K2", late=shape == "renewed")

    def _contract(
        self,
        client: Client,
        at: datetime,
        contract_id: str,
        is_default: bool = False,
        ends: bool = False,
        late: bool = False,
    ) -> None:
        rng = self.rng
        starts_on = date(2026, 5, 11) if late else self.day(date(2025, 10, 20), date(2026, 3, 25))
        frequency = rng.choices(("monthly", "quarterly", "annual"), (60, 25, 15))[0]
        state = {
            "client_id": client.client_id,
            "contract_id": contract_id,
            "revision": 1,
            "effective_from": starts_on - timedelta(days=rng.choice((0, 0, 30))),
            "name": "Managed Services",
            "currency": client.currency if rng.random() < 0.9 else rng.choice(CURRENCIES),
            "is_default": is_default,
            "starts_on": starts_on,
            "frequency": frequency if rng.random() < 0.985 else "fortnightly",
            "anchor_day": rng.choices((1, 15, 31), (6, 2, 2))[0],
            "anchor_month": None if frequency == "monthly" else rng.choice((None, 1, 2, 12)),
        }
        state["lines"] = self._lines(state["currency"])
        client.contracts.append(contract_id)
        at += timedelta(hours=1)
        self.said.append(self.say("ContractDefined", at, **state))
        if rng.random() < 0.45 and not late:
            change = {"revision": 2, "lines": [self._repriced(line) for line in state["lines"]]}
            change["effective_from"] = self.day(date(2026, 3, 26), date(2026, 5, 28))
            state |= change
            self.said.append(self.say("ContractDefined", at + timedelta(days=100), **state))
        if ends or rng.random() < 0.06:
            state |= {"revision": 3, "ends_on": self.day(date(2026, 5, 2), date(2026, 5, 10))}
            self.said.append(self.say("ContractDefined", at + timedelta(days=110), **state))
        elif rng.random() < 0.1 and state["revision"] == 2:
            first = self.said[-2].fields  # a later-sent first state must not replace the second
            corrected = {**first, "revision": 9, "lines": [self._repriced(line) for line in first["lines"]]}
            for name in ("event_id", "source", "occurred_at"):
                del corrected[name]
            self.said.append(self.say("ContractDefined", at + timedelta(days=130), **corrected))

    def _lines(self, currency: str) -> list[tuple[str, dict[str, Any]]]:
        rng = self.rng
        lines = [self._recurring(number, currency) for number in range(rng.randint(1, 3))]
        if rng.random() < 0.4:
            lines.append(self._rate_line("rate-1", "REM", currency))
        if rng.random() < 0.2:
            lines.append(self._rate_line("rate-2", "CUS", currency))
        if rng.random() < 0.04:
            lines += [self._rate_line(name, "ONS", currency) for name in ("rate-3", "rate-4")]
        elif rng.random() < 0.02:
            lines.append(self._rate_line("rate-5", "ONS", "CHF"))
        common = {"account": "210"}
        for chance, name, fields in (
            (0.05, "AllowanceLine", {"charge_types": ["REM"], "included_minutes": 600, "price": Decimal(500)}),
            (0.02, "AllowanceLine", {"included_minutes": 60, "price": Decimal(50)}),
            (
                0.02,
                "BlockLine",
                {
                    "block_id": "B1",
                    "charge_types": ["ONS"],
                    "minutes": 1200,
                    "price": Decimal(1000),
                    "bought_on": date(2026, 1, 5),
                },
            ),
            (0.04, "FixedPriceLine", {"project_id": "P-1"}),
            (0.03, "UsageLine", {"meter": "backup", "tiers": [{"unit_price": Decimal("0.05")}]}),
        ):
            if rng.random() < chance:
                line_id = f"other-{len(lines)}"
                lines.append((f"daybook.v1.{name}", {"line_id": line_id, "description": name, **common, **fields}))
        if rng.random() < 0.7:
            lines.append(self._seats())
        return lines

    def _seats(self) -> tuple[str, dict[str, Any]]:
        rng = self.rng
        tiers = [
            {"up_to": Decimal(10), "unit_price": Decimal("9.99"), "flat": None},
            {"up_to": Decimal(25), "unit_price": Decimal(7), "flat": Decimal("12.5")},
            {"up_to": None, "unit_price": Decimal("5.55")},
        ]
        tiered = {"tiers": tiers, "tier_mode": rng.choice(("graduated", "volume"))}
        return "daybook.v1.SeatLine", {
            "line_id": "seats",
            "description": rng.choice(("Microsoft 365", "Workstation care")),
            "account": "210",
            "tax_code": rng.choices(("GB20", "NL", None), (70, 20, 10))[0],
            "timing": rng.choice(("advance", "arrears")),
            "ends_on": self.day(date(2026, 5, 1), date(2026, 6, 20)) if rng.random() < 0.1 else None,
            "product": rng.choice(("m365", "m365", "m365", "backup")),
            "systems": rng.choice((["csp"], ["rmm", "csp"], ["csp", "manual"])),
            "policy": rng.choice(("daily", "daily_30", "snapshot", "peak", "ratchet")),
            "minimum_quantity": rng.choice((None, None, 5)),
            "term_months": rng.choice((1, 3, 12)),
            **(tiered if rng.random() < 0.3 else {"unit_price": Decimal(rng.choice(("22", "65", "4.33333333")))}),
        }

    def _recurring(self, number: int, currency: str) -> tuple[str, dict[str, Any]]:
        rng = self.rng
        price = rng.choice(("50", "65", "3200", "19.99", "0.33333333", "1234.5678"))
        return "daybook.v1.RecurringLine", {
            "line_id": f"L{number}",
            "description": rng.choice(("Managed Services", "Backup", "Firewall rental")),
            "account": "200",
            "tax_code": rng.choices(("GB20", "NL", "NOPE", None), (70, 20, 2, 8))[0],
            "timing": rng.choices(("advance", "arrears", "whenever"), (60, 39, 1))[0],
            "starts_on": self.day(date(2026, 2, 1), date(2026, 5, 20)) if rng.random() < 0.1 else None,
            "ends_on": self.day(date(2026, 5, 1), date(2026, 6, 20)) if rng.random() < 0.1 else None,
            "frequency": rng.choice(("monthly", "quarterly")) if rng.random() < 0.1 else None,
            "quantity": Decimal(rng.choice(("1", "1", "3", "12", "2.5"))),
            "unit_price": Decimal(price) * (100 if currency == "JPY" else 1),
            "prorate": rng.random() < 0.8,
        }

    def _rate_line(self, line_id: str, charge_type: str, currency: str) -> tuple[str, dict[str, Any]]:
        rate = Decimal(self.rng.randint(60_00, 180_00)) / 100
        return "daybook.v1.RateLine", {
            "line_id": line_id,
            "description": f"Agreed rate {charge_type}",
            "account": "200",
            "charge_type": charge_type,
            "rates": {currency: rate, "SEK": rate * 11},
        }

    def _repriced(self, line: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        name, fields = line
        if name == "daybook.v1.SeatLine" and "unit_price" in fields and self.rng.random() < 0.5:
            return name, fields | {"unit_price": fields["unit_price"] + 1}
        if name != "daybook.v1.RecurringLine":
            return line
        change = self.rng.random()
        if change < 0.5:
            return name, fields | {"unit_price": (fields["unit_price"] * Decimal("1.07")).quantize(Decimal("1e-8"))}
        if change < 0.75:
            return name, fields | {"quantity": fields["quantity"] + 2}
        return line

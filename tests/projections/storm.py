"""A tiny world in which everything meets everything: few ids, few days, and every kind of change to them."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.oracle.world import Said

CLIENTS = ("acme", "Büro & Söhne/2", "late")
ENTRIES = ("e1", "e2", "e3", "e/4 ü", "e5")
TICKETS = (None, "t1", "t1", "t/2")
DAYS = (date(2026, 4, 20), date(2026, 5, 5), date(2026, 5, 20), date(2026, 6, 3))
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


class Storm:
    """Says random facts about the same few things, the same for a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def opening(self) -> list[Said]:
        """What most stories need: a tax code, two charge types and two clients; without it nothing would ever be billed."""
        return [
            self._tax_code("GB20"),
            self._charge_type("REMOTE", 1, date(2025, 1, 1), "entry"),
            self._charge_type("TICKET", 1, date(2025, 1, 1), "ticket"),
            self._client(CLIENTS[0], 1, "GBP"),
            self._client(CLIENTS[1], 1, "GBP"),
            *(self._seats_agreed(client_id) for client_id in CLIENTS),
        ]

    def facts(self, count: int) -> list[Said]:
        """So many random facts."""
        kinds = (
            self.entry, self.decision, self.withdrawal, self.contract, self.client, self.catalogue, self.unsupported,
            self.seats, self.money,
        )  # fmt: skip
        found: list[Said] = []
        while len(found) < count:
            said = self.rng.choices(kinds, (50, 20, 5, 6, 2, 4, 4, 15, 12))[0]()
            found.append(said)
            if said.record in ("TimeEntryLogged", "TimeEntryAmended") and self.rng.random() < 0.6:
                about = {name: said.fields[name] for name in ("client_id", "time_entry_id", "revision")}
                found.append(self.say("TimeEntryApproved", **about, approver_id="boss"))
        return found

    def entry(self) -> Said:
        """An entry said for the first time or anew: other minutes, ticket, contract, charge type or day."""
        rng = self.rng
        revision = rng.choice((1, 1, 2, 2, 3))
        fields = {
            **self._about(),
            "revision": revision,
            "ticket_id": rng.choice(TICKETS),
            "contract_id": rng.choice((None, None, None, "K1", "K2")),
            "agent_id": "ann",
            "charge_type": rng.choices(("REMOTE", "TICKET", "INTERNAL", "NEVER"), (6, 12, 1, 1))[0],
            "worked_on": rng.choice(DAYS),
            "worked_minutes": rng.choice((0, 20, 20, 50, 50, 75, 75, -5)),
            "note": rng.choice(("", "a note")),
        }
        return self.say("TimeEntryAmended" if revision > 1 else "TimeEntryLogged", **fields)

    def decision(self) -> Said:
        """An approval, at times with a fixed quantity, or a rejection, of any revision, known or not."""
        rng = self.rng
        about = {**self._about(), "revision": rng.choice((1, 1, 2, 2, 3, 9)), "approver_id": "boss"}
        if rng.random() < 0.15:
            return self.say("TimeEntryRejected", **about, reason="why?")
        return self.say("TimeEntryApproved", **about, billable_minutes=rng.choice((None, None, None, None, 0, 45)))

    def withdrawal(self) -> Said:
        """An entry taken back."""
        return self.say("TimeEntryWithdrawn", **self._about(), revision=self.rng.choice((1, 2, 3)))

    def contract(self) -> Said:
        """A contract's state, from any day on."""
        rng = self.rng
        lines = [self._line(name) for name in rng.sample(("L1", "L2", "L3", "R1", "R2", "A1", "S1", "S2"), rng.randint(0, 3))]
        return self.say(
            "ContractDefined",
            client_id=rng.choice(CLIENTS),
            contract_id=rng.choice(("K1", "K2")),
            revision=rng.choice((1, 2, 3)),
            effective_from=rng.choice((date(2026, 1, 1), *DAYS)),
            name="K",
            currency=rng.choices(("GBP", "EUR", "XXQ"), (16, 3, 1))[0],
            is_default=rng.random() < 0.5,
            starts_on=rng.choice((date(2026, 1, 1), date(2026, 1, 1), date(2026, 5, 1))),
            ends_on=rng.choice((None, None, None, date(2026, 5, 10))),
            frequency=rng.choice(("monthly", "monthly", "quarterly")),
            anchor_day=rng.choice((1, 1, 15, 31)),
            prices_include_tax=rng.random() < 0.3,
            lines=lines,
        )

    def _seats_agreed(self, client_id: str) -> Said:
        agreed = {"contract_id": "K3", "revision": 1, "effective_from": date(2026, 1, 1), "starts_on": date(2026, 1, 1)}
        lines = [self._line("S3")]
        return self.say(
            "ContractDefined", client_id=client_id, **agreed, name="Seats", currency="GBP", frequency="monthly", anchor_day=1,
            lines=lines,
        )  # fmt: skip

    def client(self) -> Said:
        """A client said anew, moved to another currency, zone or tax code, closed, or first heard of."""
        rng = self.rng
        return self._client(
            rng.choice((*CLIENTS, CLIENTS[2])), rng.choice((1, 2, 3)), rng.choices(("GBP", "EUR", "XXQ"), (12, 4, 1))[0]
        )

    def catalogue(self) -> Said:
        """A charge type or tax code, back-dated, repriced, moved from entry to ticket scope, or said late."""
        rng = self.rng
        match rng.randrange(4):
            case 0:
                return self._tax_code(rng.choice(("GB20", "LATE")))
            case 1:
                return self._charge_type("INTERNAL", 1, date(2026, 1, 1), "entry", billable=False)
            case _:
                code, scope = rng.choice((("REMOTE", "entry"), ("TICKET", "ticket"), ("TICKET", "entry")))
                return self._charge_type(code, rng.choice((1, 2, 3)), rng.choice((date(2025, 1, 1), *DAYS)), scope)

    def unsupported(self) -> Said:
        """A fact of a kind that is kept and not rated yet."""
        rng = self.rng
        client_id = rng.choice(CLIENTS)
        match rng.randrange(2):
            case 0:
                charge = {
                    "charge_id": rng.choice(("c1", "c2")), "revision": rng.choice((1, 2)), "description": "switch",
                    "charged_on": rng.choice(DAYS), "quantity": Decimal(1), "unit": "each", "unit_price": Decimal(90),
                    "currency": rng.choice(("GBP", "EUR")), "account": "300",
                }  # fmt: skip
                return self.say(rng.choice(("ChargeLogged", "ChargeAmended")), client_id=client_id, **charge)
            case _:
                reached = {"contract_id": "K1", "line_id": "F", "milestone_id": "m1", "reached_on": rng.choice(DAYS)}
                return self.say("MilestoneReached", client_id=client_id, **reached)

    def money(self) -> Said:
        """A payment, known twice at times, or something of it that went back."""
        rng = self.rng
        client_id = rng.choice((*CLIENTS, CLIENTS[0], "?"))
        payment_id, currency = rng.choice(("p1", "p2", "p3", "p4")), rng.choices(("GBP", "EUR", "XXQ"), (8, 2, 1))[0]
        if rng.random() < 0.3:
            returned = {"payment_id": payment_id, "refund_id": rng.choice(("r1", "r2")), "amount_minor": rng.choice((500, 3_000))}
            record = rng.choice(("PaymentRefunded", "PaymentChargedBack"))
            return self.say(record, client_id=client_id, **returned, currency=currency, reason="")
        received_at = NOON + timedelta(hours=rng.randrange(2_000))
        return self.say(
            "PaymentReceived", client_id=client_id, payment_id=payment_id, amount_minor=rng.choice((1_000, 5_000, 20_000, -1)),
            currency=currency, received_at=received_at, at=received_at, method="bank",
            invoice_numbers=rng.sample(("INV-000001", "INV-000002", "INV-000003"), rng.randrange(3)),
            surcharge_minor=rng.choice((0, 0, 100)),
        )  # fmt: skip

    def seats(self) -> Said:
        """A count of one of two products by one of two systems, at times one that cannot be."""
        rng = self.rng
        return self.say(
            "SeatCountReported", client_id=rng.choice(CLIENTS), product=rng.choice(("m365", "m365", "backup")),
            system=rng.choice(("csp", "csp", "rmm")), quantity=rng.choice((0, 3, 3, 4, 12, -1)), revision=rng.choice((1, 1, 2)),
            as_of=rng.choice((NOON - timedelta(days=400), NOON, NOON + timedelta(hours=rng.randrange(1_500)))),
        )  # fmt: skip

    def say(self, record: str, **fields: Any) -> Said:
        """Any fact, at one of few instants, so that ties are common."""
        at = fields.pop("at", None) or self._at()
        event_id = str(UUID(int=self.rng.getrandbits(128), version=4))
        return Said(at, record, {"event_id": event_id, "source": "test", "occurred_at": at, **fields})

    def _at(self) -> datetime:
        return NOON + timedelta(days=self.rng.randrange(6))

    def _about(self) -> dict[str, str]:
        client_id = self.rng.choices(CLIENTS, (6, 3, 1))[0]
        return {"client_id": client_id, "time_entry_id": self.rng.choice(ENTRIES)}

    def _tax_code(self, code: str) -> Said:
        rate = Decimal(self.rng.choice((20, 20, 5)))
        return self.say("TaxCodeDefined", code=code, name=code, effective_from=date(2020, 1, 1), rate=rate)

    def _charge_type(self, code: str, revision: int, effective_from: date, scope: str, **fields: Any) -> Said:
        rng = self.rng
        state = {
            "code": code, "revision": revision, "name": code.title(), "effective_from": effective_from,
            "rates": {"GBP": Decimal(rng.choice((100, 100, 93))), "EUR": Decimal(80)}, "rounding_scope": scope,
            "minimum_minutes": rng.choice((0, 60)), "increment_minutes": rng.choice((1, 30)),
            "tax_code": rng.choices(("GB20", "LATE", None), (16, 1, 1))[0], "account": "200",
        }  # fmt: skip
        return self.say("ChargeTypeDefined", **(state | fields))

    def _client(self, client_id: str, revision: int, currency: str) -> Said:
        rng = self.rng
        return self.say(
            "ClientDefined",
            client_id=client_id,
            revision=revision,
            effective_from=rng.choice((None, date(2026, 1, 1), *DAYS)),
            name=client_id,
            currency=currency,
            time_zone=rng.choice(("Europe/London", "Pacific/Auckland")),
            tax_code=rng.choice(("GB20", "GB20", None)),
            status="closed" if revision == 3 and rng.random() < 0.3 else "active",
        )

    def _line(self, name: str) -> tuple[str, dict[str, Any]]:
        rng = self.rng
        line: dict[str, Any] = {"line_id": name, "description": name, "account": "210", "tax_code": "GB20"}
        match name[0]:
            case "R":
                charge_type, rate = rng.choice(("REMOTE", "TICKET")), Decimal(rng.choice((70, 80)))
                return "daybook.v1.RateLine", {**line, "charge_type": charge_type, "rates": {"GBP": rate}}
            case "A":
                covered = {"charge_types": ["REMOTE"], "included_minutes": 60, "price": Decimal(9)}
                return "daybook.v1.AllowanceLine", {**line, **covered}
            case "S":
                return "daybook.v1.SeatLine", {**line, **self._seats()}
        timing, price = rng.choice(("advance", "arrears")), Decimal(rng.choice(("50", "19.99", "-5")))
        quantity = Decimal(rng.choice((1, 3)))
        return "daybook.v1.RecurringLine", {
            **line, "timing": timing, "quantity": quantity, "unit_price": price, "prorate": rng.random() < 0.7,
        }  # fmt: skip

    def _seats(self) -> dict[str, Any]:
        rng = self.rng
        flat = {"unit_price": Decimal(22)}
        tiers = [
            {"up_to": Decimal(3), "unit_price": Decimal("9.99"), "flat": None},
            {"up_to": None, "unit_price": Decimal(7), "flat": Decimal(5)},
        ]
        return {
            "product": rng.choice(("m365", "m365", "backup")),
            "systems": rng.choice((["csp"], ["csp", "rmm"])),
            "timing": rng.choice(("advance", "arrears")),
            "policy": rng.choice(("daily", "daily_30", "snapshot", "peak", "ratchet")),
            "minimum_quantity": rng.choice((None, 2)),
            "term_months": rng.choice((1, 12)),
            **rng.choice((flat, flat, {"tiers": tiers, "tier_mode": rng.choice(("graduated", "volume"))})),
        }

"""What is said after invoices went out: amendments of every outcome, changed minds, claims, back-dated terms."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from .generator import Message, place
from .wire import Fact, read
from .world import BASIC_TYPES, Said

_FIRST = datetime(2026, 6, 12, 9, tzinfo=UTC)
_STORIES = {
    "approved": 30,
    "undecided": 15,
    "rejected": 10,
    "withdrawn": 8,
    "waits": 20,
    "changed_mind": 12,
    "claimed": 5,
}


def afterwards(messages: Sequence[Message], seed: int, count: int) -> list[Message]:
    """About `count` messages about entries and contracts that the given messages speak of, in order."""
    rng = random.Random(seed)
    facts = read(place(messages)).facts
    later = _Later(rng)
    said = [*later.terms(facts)]
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for fact in facts:
        if fact.record in ("TimeEntryLogged", "TimeEntryAmended"):
            key = (fact.fields["client_id"], fact.fields["time_entry_id"])
            if key not in entries or fact.fields["revision"] > entries[key]["revision"]:
                entries[key] = fact.fields
    clients = sorted({client_id for client_id, _ in entries})
    keys = sorted(entries)
    while len(said) < count:
        said += later.entry(entries[rng.choice(keys)], rng.choice(clients))
    return [one.message() for one in said]


class _Later:
    """Says what comes afterwards, a minute after another."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.at, self.revision = rng, _FIRST, 20

    def say(self, record: str, **fields: Any) -> Said:
        self.at += timedelta(minutes=1)
        event_id = str(UUID(int=self.rng.getrandbits(128), version=4))
        return Said(self.at, record, fields | {"event_id": event_id, "source": "psa", "occurred_at": self.at})

    def terms(self, facts: Sequence[Fact]) -> Iterator[Said]:
        """A back-dated rate of one charge type, and contracts whose lines change price, end or stop being readable."""
        rng = self.rng
        rates = [f.fields for f in facts if f.record == "ChargeTypeDefined" and f.fields["code"] == "PRJ"]
        if rates:
            changed = {
                code: (rate * Decimal("1.03")).quantize(Decimal("1e-8")) for code, rate in rates[-1]["rates"].items()
            }
            again = {"revision": 30, "effective_from": date(2026, 5, 22), "rates": changed}
            yield self.say("ChargeTypeDefined", **(rates[-1] | again))
        contracts = {
            (f.fields["client_id"], f.fields["contract_id"]): f.fields for f in facts if f.record == "ContractDefined"
        }
        for key in sorted(contracts):
            if rng.random() < 0.15:
                lines = [self._line(name, fields) for name, fields in contracts[key]["lines"]]
                again = {
                    "revision": 30,
                    "effective_from": date(2026, rng.choice((4, 5)), rng.randint(1, 28)),
                    "lines": lines,
                }
                if rng.random() < 0.1:
                    again["frequency"] = "fortnightly"
                yield self.say("ContractDefined", **(contracts[key] | again))

    def _line(self, name: str, fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if not name.endswith("RecurringLine"):
            return name, fields
        change = self.rng.choice(
            (
                {"unit_price": fields["unit_price"] + 1},
                {"quantity": fields["quantity"] + 1},
                {"ends_on": date(2026, 5, 17)},
                {"tax_code": "NOPE"},
                {"timing": "whenever"},
                {},
            )
        )
        return name, fields | change

    def entry(self, entry: dict[str, Any], other: str) -> Iterator[Said]:
        """One entry's afterlife."""
        self.revision += 1
        about = {name: entry[name] for name in ("client_id", "time_entry_id")}
        named = about | {"revision": self.revision, "approver_id": "boss"}
        changed = entry | self._change(entry) | {"revision": self.revision, "reason": "seen on the invoice"}
        match self.rng.choices(list(_STORIES), list(_STORIES.values()))[0]:
            case "approved":
                yield self.say("TimeEntryAmended", **changed)
                yield self.say(
                    "TimeEntryApproved", **named, billable_minutes=self.rng.choice((None, None, None, 0, 25))
                )
            case "undecided":
                yield self.say("TimeEntryAmended", **changed)
            case "rejected":
                yield self.say("TimeEntryAmended", **changed)
                yield self.say("TimeEntryRejected", **named, reason="no")
            case "withdrawn":
                yield self.say("TimeEntryWithdrawn", **about, revision=self.revision, reason="a mistake")
            case "waits":
                yield self.say("TimeEntryAmended", **(changed | self._hindrance()))
                yield self.say("TimeEntryApproved", **named)
            case "changed_mind":
                decision = self.rng.choice(("TimeEntryRejected", "TimeEntryApproved"))
                yield self.say(decision, **(named | {"revision": entry["revision"]}))
            case "claimed":
                early = entry["occurred_at"] - timedelta(days=self.rng.choice((100, -100)))
                copied = {name: value for name, value in entry.items() if name != "reason"}
                claim = self.say("TimeEntryLogged", **(copied | {"client_id": other, "contract_id": None}))
                claim.fields["occurred_at"] = early
                yield claim
                yield self.say("TimeEntryApproved", **(named | {"client_id": other, "revision": entry["revision"]}))

    def _change(self, entry: dict[str, Any]) -> dict[str, Any]:
        rng = self.rng
        return rng.choice(
            (
                {"worked_minutes": entry["worked_minutes"] + rng.choice((1, 15, 60))},
                {"worked_minutes": max(5, entry["worked_minutes"] - 10), "deducted_minutes": 0},
                {"charge_type": rng.choice(BASIC_TYPES)},
                {"worked_on": entry["worked_on"] + timedelta(days=rng.choice((-20, -1, 1, 12)))},
                {"ticket_id": rng.choice(("T-1", "T-2", None))},
                {"note": "worded better"},
            )
        )

    def _hindrance(self) -> dict[str, Any]:
        return self.rng.choice(
            (
                {"charge_type": "NOTAX"},
                {"charge_type": "NEVER-DEFINED"},
                {"charge_type": "ODD"},
                {"charge_type": "NIGHT"},
                {"contract_id": "K-NEVER"},
                {"worked_minutes": -30},
            )
        )

"""Prices time from the facts: entries, tickets and their tax codes (T1-T8, M1-M7)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from urllib.parse import quote, unquote

from .arithmetic import billed_minutes, eight_places, is_currency, to_minor
from .facts import EntryKey, Facts, Line, State, known_contract, known_zone
from .rules import WAITING_ORDER
from .wire import Fact

ItemKey = tuple[str, str]
"""Client and item key: ids are unique per client."""

_KINDS = {"standard", "zero", "exempt", "reverse_charge", "outside_scope"}
_COVERING = {"AllowanceLine", "BlockLine"}


class Waiting(NamedTuple):
    """Something kept and shown, not billed."""

    client_id: str
    what: str
    id: str
    reason: str


class Member(NamedTuple):
    """One entry inside an item, with the minutes it brings (fixed: as an approval said)."""

    entry_id: str
    minutes: int
    is_fixed: bool
    worked_on: date
    started_at: datetime | None

    @property
    def order(self) -> tuple[date, datetime, str]:
        """First by day, then start (none: before any), then id."""
        return self.worked_on, self.started_at or datetime.min.replace(tzinfo=UTC), self.entry_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One billable item as rated from scratch."""

    client_id: str
    item_key: str
    currency: str
    kind: str  # the queue's Type
    quantity: Decimal | None  # None: prices differ within the period, so the documents fix the net only
    unit_price: Decimal | None
    hours: Fraction  # 0 for what is not hourly
    net_minor: int
    tax_code: str
    service_from: date
    service_to: date
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """An approved entry with its price, before rounding and grouping."""

    member: Member
    charge_type: State
    contract_id: str
    currency: str
    rate: Decimal
    tax_code: str
    item_key: str


@dataclass(slots=True)
class Standing:
    """What is invoiced of entries that wait or have moved: it stays, an entry's item whole, in a ticket its minutes."""

    kept: dict[ItemKey, list[tuple[Member, State]]] = field(default_factory=lambda: defaultdict(list))
    standing: Mapping[ItemKey, tuple[Member, ...]] = field(default_factory=dict)
    frozen: set[ItemKey] = field(default_factory=set)

    def entries(self, key: ItemKey) -> set[str]:
        """The entries that stand in an invoiced item."""
        return {member.entry_id for member in self.standing.get(key, ())}


def part(text: str) -> str:
    """One id inside an item key."""
    return quote(text, safe="")


class Rating:
    """Rates one book of facts for one billing date."""

    def __init__(self, facts: Facts, as_of: date) -> None:
        self.facts, self.as_of, self.rules = facts, as_of, facts.rules

    def entry(self, key: EntryKey, fact: Fact, fixed_minutes: int | None) -> Timed | str | None:
        """An approved revision: its price, or why it waits, or None where it is never billed."""
        client_id, entry = key[0], fact.fields
        day = entry["worked_on"] if self.rules.rate_day == "worked_on" else self.as_of
        client = self.facts.client_on(client_id, day)
        charge_type = self.facts.in_force(self.facts.charge_types.get(entry["charge_type"], []), day)
        if self.facts.owner[key[1]] != client_id:
            return "client_changed"
        if client is None:
            return "unknown_client"
        if charge_type is None:
            return "unknown_charge_type"
        impossible = _impossible(entry, fixed_minutes)
        if not charge_type["billable"]:
            return "impossible_value" if impossible else None
        found = self._priced(client_id, entry, client, charge_type, day, fixed_minutes)
        if isinstance(found, str) or not impossible:
            return found if not impossible else min(str(found), "impossible_value", key=WAITING_ORDER.index)
        return "impossible_value"

    def _priced(
        self, client_id: str, entry: State, client: State, charge_type: State, day: date, fixed_minutes: int | None
    ) -> Timed | str:
        """An entry at the terms of a day, or why there are none."""
        contract, contract_reason = self.contract_of(client_id, entry["contract_id"], day)
        lines = [] if contract is None else [line for line in contract["lines"] if line.serves(day)]
        own_rates = [
            line.fields
            for line in lines
            if line.kind == "RateLine" and line.fields["charge_type"] == entry["charge_type"]
        ]
        rate_line = own_rates[0] if len(own_rates) == 1 else None
        line_code = rate_line["tax_code"] if rate_line else None
        tax_code, tax_reason = self.tax_code(client_id, line_code, charge_type["tax_code"])
        currency = client["currency"]
        if contract is not None and self.rules.contract_currency_wins:
            currency = contract["currency"]
        rate = (rate_line or charge_type)["rates"].get(currency)
        minutes = entry["worked_minutes"] - entry["deducted_minutes"]
        return (
            tax_reason
            or (self._unknown_value(client, charge_type, contract, currency) and "unknown_value")
            or contract_reason
            or (rate is None and len(own_rates) < 2 and "no_rate")
            or (len(own_rates) > 1 and "ambiguous_line")
            or (_not_yet(entry, charge_type, contract, lines) and "not_yet_supported")
            or Timed(
                member=Member(
                    entry["time_entry_id"],
                    minutes if fixed_minutes is None else fixed_minutes,
                    fixed_minutes is not None,
                    entry["worked_on"],
                    entry["started_at"],
                ),
                charge_type=charge_type,
                contract_id="" if contract is None else contract["contract_id"],
                currency=currency,
                rate=rate,
                tax_code=tax_code,
                item_key=self._entry_key(client_id, entry, charge_type, contract, day),
            )
        )

    def contract_of(self, client_id: str, named: str | None, day: date) -> tuple[State | None, str]:
        """T5: the entry's contract, or why there is none."""
        if named is not None:
            state = self.facts.contract_on(client_id, named, day)
            return state, "" if state else "contract_not_in_force"
        serving = list(self.facts.serving(client_id, day).values())
        defaults = [state for state in serving if state["is_default"]]
        chosen = defaults if len(defaults) == 1 else serving
        if len(chosen) == 1 and (chosen is defaults or self.rules.only_one_contract_is_enough):
            return chosen[0], ""
        return None, "which_contract" if chosen else ""

    def tax_code(self, client_id: str, line_code: str | None, type_code: str | None) -> tuple[str, str]:
        """M7: the tax code and, where it can't be told, why."""
        client = self.facts.client_on(client_id, self.as_of)
        client_code = client["tax_code"] if client else None
        if client_code is not None:
            state = self.tax_state(client_code, self.as_of)
            if state is None and self.rules.unknown_client_code_waits:
                return client_code, "unknown_tax_code"
            if state and state["kind"] != "standard" and self.rules.nonstandard_client_code_wins:
                return client_code, "" if state["kind"] in _KINDS else "unknown_value"
        code = next((code for code in (line_code, type_code, client_code) if code is not None), None)
        state = None if code is None else self.tax_state(code, self.as_of)
        if code is None or state is None:
            return code or "", "unknown_tax_code"
        return code, "" if state["kind"] in _KINDS else "unknown_value"

    def tax_state(self, code: str, day: date) -> State | None:
        """The tax code's state on the day."""
        return self.facts.in_force(self.facts.tax_codes.get(code, []), day)

    def time_items(self, timed: dict[EntryKey, Timed], stays: Standing) -> Iterator[Item]:
        """The items of all approved entries worked up to the billing date, with what stays in their tickets."""
        groups: dict[ItemKey, list[Timed]] = defaultdict(list)
        for (client_id, _), one in timed.items():
            key = (client_id, one.item_key)
            in_ticket = one.item_key.startswith("ticket/") and one.member.entry_id in stays.entries(key)
            if one.member.worked_on <= self.as_of or in_ticket:
                groups[key].append(one)
        for key in {*groups, *stays.kept}:
            group, kept = groups.get(key, []), stays.kept.get(key, [])
            terms = self._terms(key, group, kept)
            all_wait = not group and {member.entry_id for member, _ in kept} == stays.entries(key)
            if terms is None or all_wait:
                stays.frozen.add(key)
            else:
                members = sorted([one.member for one in group] + [member for member, _ in kept], key=lambda m: m.order)
                yield self._time_item(key, members, terms)

    def _terms(self, key: ItemKey, group: list[Timed], kept: list[tuple[Member, State]]) -> Timed | None:
        """The first entry's terms (T2); those of one that waits are what they were when it was invoiced."""
        first = min(group, key=lambda one: one.member.order, default=None)
        if kept:
            member, entry = min(kept, key=lambda one: one[0].order)
            if first is None or member.order < first.member.order:
                return self._terms_then(key, member, entry) or first
        return first

    def _terms_then(self, key: ItemKey, member: Member, entry: State) -> Timed | None:
        client_id, (_, contract_id, _, code, _) = key[0], map(unquote, key[1].split("/"))
        client = self.facts.client_on(client_id, member.worked_on)
        charge_type = self.facts.in_force(self.facts.charge_types.get(code, []), member.worked_on)
        if client is None or charge_type is None:
            return None
        then = entry | {"worked_on": member.worked_on, "charge_type": code, "contract_id": contract_id or None}
        found = self._priced(client_id, then, client, charge_type, member.worked_on, None)
        return found if isinstance(found, Timed) else None

    def _time_item(self, key: ItemKey, members: list[Member], terms: Timed) -> Item:
        fixed = [member.minutes for member in members if member.is_fixed]
        free = [member.minutes for member in members if not member.is_fixed]
        if not self.rules.fixed_minutes_as_they_are:
            fixed, free = [], fixed + free
        shares = free if self.rules.ticket_rounding == "entry" else [sum(free)]
        minutes = sum(fixed) + sum(self._billed(share, terms.charge_type) for share in shares)
        hours = Fraction(minutes, 60)
        return Item(
            client_id=key[0],
            item_key=key[1],
            currency=terms.currency,
            kind=terms.charge_type["name"],
            quantity=eight_places(hours),
            unit_price=terms.rate,
            hours=hours,
            net_minor=to_minor(hours * Fraction(terms.rate), terms.currency, self.rules),
            tax_code=terms.tax_code,
            service_from=members[0].worked_on,
            service_to=members[-1].worked_on,
            members=tuple(members),
        )

    def _billed(self, minutes: int, charge_type: State) -> int:
        return billed_minutes(
            minutes,
            charge_type["minimum_minutes"],
            charge_type["increment_minutes"],
            charge_type["rounding"],
            self.rules,
        )

    def _entry_key(self, client_id: str, entry: State, charge_type: State, contract: State | None, day: date) -> str:
        if charge_type["rounding_scope"] != "ticket" or entry["ticket_id"] is None:
            return f"time/{part(entry['time_entry_id'])}"
        contract_id, start = "", day.replace(day=1)
        if contract is not None:
            contract_id = contract["contract_id"]
            start = self.facts.periods_of(client_id, contract_id, "", day)[-1].start
        ids = (contract_id, entry["ticket_id"], entry["charge_type"])
        return f"ticket/{'/'.join(map(part, ids))}/{start.isoformat()}"

    def _unknown_value(self, client: State, charge_type: State, contract: State | None, currency: str) -> bool:
        return (
            not known_zone(client["time_zone"])
            or client["status"] not in ("active", "closed")
            or charge_type["rounding"] not in ("up", "down", "nearest")
            or charge_type["rounding_scope"] not in ("entry", "ticket")
            or not is_currency(currency)
            or (contract is not None and not known_contract(contract))
        )


def _impossible(entry: State, fixed_minutes: int | None) -> bool:
    worked, deducted = entry["worked_minutes"], entry["deducted_minutes"]
    start, end = entry["started_at"], entry["ended_at"]
    return (
        worked < 0
        or deducted < 0
        or deducted > worked
        or (start is not None and end is not None and end < start)
        or (fixed_minutes is not None and fixed_minutes < 0)
    )


def _not_yet(entry: State, charge_type: State, contract: State | None, lines: list[Line]) -> bool:
    """Whether pools, blocks, bundles, out-of-hours or gross prices would have a say."""
    return (
        charge_type["out_of_hours"] is not None
        or (contract is not None and contract["prices_include_tax"])
        or any(
            (line.kind in _COVERING and (not line.fields["charge_types"] or _names(line, entry)))
            or (
                line.kind == "FixedPriceLine"
                and line.fields["bundles_time"]
                and line.fields["project_id"] == entry["project_id"]
            )
            for line in lines
        )
    )


def _names(line: Line, entry: State) -> bool:
    return entry["charge_type"] in line.fields["charge_types"]

"""The demo month proved by a plain computation of its own, on fractions, that knows none of the product's rules."""

import itertools
import re
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from daybook.demo_month import facts

AS_OF = date(2026, 5, 31)
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "demo.md"
Fields = dict[str, Any]

THE_FOURTEEN = {
    "Acme Corp": ({"Remote Support"}, "12.5", "1875.00"),
    "Buildco Ltd": ({"Managed Services"}, "0", "3200.00"),
    "Fenwick Group": ({"On-Site", "Overage"}, "8", "2140.00"),
    "Hollin Bank Dental Group": (
        {"Remote Support", "Managed Services", "Managed Services, Elland surgery"},
        "5.25",
        "1598.00",
    ),
    "Thornfield Hotels Ltd": ({"Managed devices", "Managed network", "On-Site"}, "4", "4170.00"),
    "Marlow & Finch Architects LLP": ({"Managed Services", "Project Time"}, "13.5", "2210.00"),
    "Northmoor Learning Trust": ({"Managed Services", "Printed e-safety handbooks", "Custom"}, "4.5", "1980.00"),
    "Swilly Bay Seafoods DAC": ({"Managed Services", "Remote Support"}, "3.5", "1365.00"),
    "Peakline Climbing Centres Ltd": (
        {"Guest Wi-Fi", "Firewall and certificate renewals", "Remote Support"},
        "2.25",
        "1237.50",
    ),
    "Sable & Stone Joinery": ({"Remote Support", "On-Site"}, "5.75", "937.50"),
    "Tarn Logistics Ltd": (
        {"Managed Services, Wakefield depot", "Managed Services, Hull depot", "Remote Support"},
        "5.5",
        "2790.00",
    ),
    "Wexcombe Legal LLP": ({"Managed Services", "Project Time", "Remote Support"}, "17.5", "3035.00"),
    "Yarrow Community Health CIC": ({"Managed Services", "Server backup", "Custom"}, "2", "1650.00"),
    "Coldridge Veterinary Group": (
        {"Managed Services", "Security awareness training", "Remote Support", "On-Site"},
        "7.5",
        "3452.00",
    ),
}

WAITING = {
    ("awaiting_approval", "Acme Corp"): 1,
    ("awaiting_approval", "Hollin Bank Dental Group"): 1,
    ("awaiting_approval", "Thornfield Hotels Ltd"): 1,
    ("awaiting_approval", "Marlow & Finch Architects LLP"): 1,
    ("awaiting_approval", "Northmoor Learning Trust"): 1,
    ("awaiting_approval", "Tarn Logistics Ltd"): 1,
    ("awaiting_approval", "Wexcombe Legal LLP"): 1,
    ("awaiting_approval", "Fellgate Outdoor Co Ltd"): 4,
    ("awaiting_approval", "Liffey Analytics DAC"): 3,
    ("rejected", "Coldridge Veterinary Group"): 1,
    ("client_changed", "Peakline Climbing Centres Ltd"): 1,
    ("unknown_charge_type", "Coldridge Veterinary Group"): 1,
    ("which_contract", "Tarn Logistics Ltd"): 1,
    ("contract_not_in_force", "Ferncliffe Opticians Ltd"): 1,
    ("impossible_value", "Swilly Bay Seafoods DAC"): 1,
    ("no_rate", "Liffey Analytics DAC"): 1,
    ("unknown_client", "kestrel-print"): 1,
    ("not_yet_supported", "Yarrow Community Health CIC"): 4,
}


# ---- a plain reading of the facts


def of(*records: str) -> list[Fields]:
    """The facts of these records, repeats taken once."""
    return list({f["event_id"]: f for _, record, f in facts() if record in records}.values())


def state_on(states: list[Fields], day: date) -> Fields | None:
    held = [state for state in states if state["effective_from"] <= day]
    return max(held, key=lambda state: (state["effective_from"], state["revision"]), default=None)


def contracts_of(client_id: str) -> dict[str, list[Fields]]:
    found: dict[str, list[Fields]] = defaultdict(list)
    for contract in of("ContractDefined"):
        if contract["client_id"] == client_id:
            found[contract["contract_id"]].append(contract)
    return found


def rounded_minutes(minutes: int, charge_type: Fields) -> int:
    if minutes == 0:
        return 0
    minimum, step = charge_type["minimum_minutes"], charge_type["increment_minutes"]
    steps = Fraction(max(minutes, minimum), step)
    whole = {"up": -(-steps // 1), "down": steps // 1, "nearest": (steps + Fraction(1, 2)) // 1}[charge_type["rounding"]]
    return max(int(minimum), int(whole) * int(step))


def pennies(amount: Fraction) -> int:
    """Pounds to pennies, half away from zero (no amount here is negative)."""
    return int(amount * 100 + Fraction(1, 2))


class Month:
    """What is due and what waits at the end of May, by the rules of product.md, entry by entry."""

    def __init__(self) -> None:
        self.names = {c["client_id"]: c["name"] for c in of("ClientDefined")}
        self.currencies = {c["client_id"]: c["currency"] for c in of("ClientDefined")}
        self.lines: list[tuple[str, str, Fraction, int]] = []  # client, type, hours, pennies
        self.waiting: Counter[tuple[str, str]] = Counter()
        self.not_billable = 0
        self._tickets: dict[tuple[Any, ...], list[tuple[int, Decimal]]] = defaultdict(list)
        self._claimed: dict[str, str] = {}
        self._rate_time()
        self._rate_fees()

    def _wait(self, client_id: str, reason: str) -> None:
        self.waiting[reason, self.names.get(client_id, client_id)] += 1

    def _rate_time(self) -> None:
        entries: dict[tuple[str, str], list[Fields]] = defaultdict(list)
        decisions: dict[tuple[str, str, int], list[tuple[Any, Fields]]] = defaultdict(list)
        for f in of("TimeEntryLogged", "TimeEntryAmended", "TimeEntryWithdrawn"):
            self._claimed.setdefault(f["time_entry_id"], f["client_id"])
            entries[f["client_id"], f["time_entry_id"]].append(f)
        for f in of("TimeEntryApproved", "TimeEntryRejected"):
            key = (f["client_id"], f["time_entry_id"], f["revision"])
            decisions[key].append(((f["occurred_at"], "reason" in f), f))
        for (client_id, entry_id), states in entries.items():
            entry = max(states, key=lambda f: f["revision"])
            if "worked_on" not in entry or entry["worked_on"] > AS_OF:
                continue
            made = decisions[client_id, entry_id, entry["revision"]]
            decision = max(made, key=lambda pair: pair[0])[1] if made else None
            if reason := self._rate_entry(entry, decision):
                self._wait(client_id, reason)
        for ticket, parts in self._tickets.items():
            charge_type = self._charge_type(ticket[3], AS_OF)
            assert charge_type is not None
            minutes = rounded_minutes(sum(minutes for minutes, _ in parts), charge_type)
            self._bill(ticket[0], charge_type["name"], minutes, parts[0][1])

    def _rate_entry(self, entry: Fields, decision: Fields | None) -> str | None:
        """Bills one entry, or says why it waits."""
        client_id, day = entry["client_id"], entry["worked_on"]
        minutes = entry["worked_minutes"] - entry["deducted_minutes"]
        if client_id not in self.names:
            return "unknown_client"
        if self._claimed[entry["time_entry_id"]] != client_id:
            return "client_changed"
        if minutes < 0 or entry["deducted_minutes"] < 0:
            return "impossible_value"
        if decision is None:
            return "awaiting_approval"
        if "reason" in decision:
            return "rejected"
        charge_type = self._charge_type(entry["charge_type"], day)
        if charge_type is None:
            return "unknown_charge_type"
        if not charge_type["billable"]:
            self.not_billable += minutes
            return None
        contract = self._contract(client_id, entry["contract_id"], day)
        if isinstance(contract, str):
            return contract
        lines = contract["lines"] if contract else []
        if charge_type["out_of_hours"] or any(line["type"] == "AllowanceLine" for line in lines):
            return "not_yet_supported"
        currency = contract["currency"] if contract else self.currencies[client_id]
        rates = [line["rates"] for line in lines if line.get("charge_type") == entry["charge_type"]]
        rate = (rates[0] if rates else charge_type["rates"]).get(currency)
        if rate is None:
            return "no_rate"
        assert currency == "GBP"
        if decision["billable_minutes"] is not None:
            self._bill(client_id, charge_type["name"], decision["billable_minutes"], rate)
        elif charge_type["rounding_scope"] == "ticket" and entry["ticket_id"]:
            key = (client_id, entry["ticket_id"], contract and contract["contract_id"], entry["charge_type"])
            self._tickets[key].append((minutes, rate))
        else:
            self._bill(client_id, charge_type["name"], rounded_minutes(minutes, charge_type), rate)
        return None

    def _charge_type(self, code: str, day: date) -> Fields | None:
        return state_on([c for c in of("ChargeTypeDefined") if c["code"] == code], day)

    def _contract(self, client_id: str, named: str | None, day: date) -> Fields | str | None:
        states = {key: state_on(found, day) for key, found in contracts_of(client_id).items()}
        in_force = {key: state for key, state in states.items() if state and state["starts_on"] <= day}
        if named is not None:
            return in_force.get(named, "contract_not_in_force")
        defaults = [state for state in in_force.values() if state["is_default"]]
        if defaults or len(in_force) < 2:
            return next(iter(defaults or in_force.values()), None)
        return "which_contract"

    def _bill(self, client_id: str, name: str, minutes: int, rate: Decimal) -> None:
        hours = Fraction(minutes, 60)
        self.lines.append((self.names[client_id], name, hours, pennies(hours * Fraction(rate))))

    def _rate_fees(self) -> None:
        """Recurring lines: price x days served / days of the enclosing period, in the period that May opens."""
        for client_id in self.names:
            for states in contracts_of(client_id).values():
                first = min(states, key=lambda state: state["effective_from"])
                lines = {line["line_id"]: line for state in states for line in state["lines"]}
                for line in lines.values():
                    if line["type"] == "RecurringLine" and first["starts_on"] <= AS_OF:
                        self._rate_fee(client_id, states, first, line["line_id"])
                    elif line["type"] == "SeatLine":
                        self._rate_seats(client_id, line)

    def _rate_seats(self, client_id: str, line: Fields) -> None:
        """Price x seats: as counted on 31 May in arrears, else on each day of May."""
        counts = [f for f in of("SeatCountReported") if (f["client_id"], f["product"]) == (client_id, line["product"])]
        system = next(system for system in line["systems"] if any(f["system"] == system for f in counts))
        days = [date(2026, 5, day) for day in range(1, 32)]
        on = [
            max((f for f in counts if f["system"] == system and f["as_of"].date() <= day), key=lambda f: f["as_of"])["quantity"]
            for day in days
        ]
        assert (line["policy"], line["timing"]) in {("snapshot", "arrears"), ("daily", "advance")}
        seats = Fraction(on[-1]) if line["policy"] == "snapshot" else Fraction(sum(on), len(days))
        self.lines.append(
            (self.names[client_id], line["description"], Fraction(0), pennies(seats * Fraction(line["unit_price"])))
        )

    def _rate_fee(self, client_id: str, states: list[Fields], contract: Fields, line_id: str) -> None:
        def line_on(day: date) -> Fields | None:
            state = state_on(states, day)
            return next((line for line in state["lines"] if line["line_id"] == line_id), None) if state else None

        line = line_on(AS_OF)
        assert line is not None
        months = {"monthly": 1, "quarterly": 3, "annual": 12}[line["frequency"] or contract["frequency"]]
        opens = date(2026, 5, 1)
        ends = date(2026 + (4 + months) // 12, (4 + months) % 12 + 1, 1)
        assert contract["starts_on"] == opens or months == 1, "this plain reading knows part periods of a month only"
        due_on = max(opens, contract["starts_on"]) if line["timing"] == "advance" else ends - timedelta(days=1)
        if due_on > AS_OF:
            return
        days = [opens + timedelta(days=n) for n in range((ends - opens).days)]
        served = [line_on(day) for day in days if day >= contract["starts_on"] and day <= AS_OF]
        served += [line] * sum(day > AS_OF for day in days)  # nothing known today changes a longer period
        prices = [Fraction(one["quantity"]) * Fraction(one["unit_price"]) for one in served if one]
        amount = sum(prices, Fraction(0)) / len(days)
        self.lines.append((self.names[client_id], line["description"], Fraction(0), pennies(amount)))

    def rows(self) -> dict[str, tuple[set[str], Fraction, int]]:
        rows: dict[str, tuple[set[str], Fraction, int]] = {}
        for name, kind, hours, amount in self.lines:
            types, total_hours, total = rows.get(name, (set(), Fraction(0), 0))
            rows[name] = (types | {kind}, total_hours + hours, total + amount)
        return rows


@pytest.fixture(scope="module")
def month() -> Month:
    return Month()


# ---- the month


def test_fourteen_clients_come_to_31640(month: Month) -> None:
    rows = month.rows()
    assert len(rows) == 14
    assert sum(amount for _, _, amount in rows.values()) == 3_164_000
    expected = {
        name: (types, Fraction(hours), int(Decimal(amount) * 100)) for name, (types, hours, amount) in THE_FOURTEEN.items()
    }
    assert rows == expected


def test_what_waits_says_why(month: Month) -> None:
    assert dict(month.waiting) == WAITING


def test_the_page_shows_the_same_table(month: Month) -> None:
    shown = {}
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\| \d+ \| ([^|]+) \| ([^|]+) \| ([^|]*) \| ([\d,.]+) \|", line):
            name, types, hours, amount = (part.strip() for part in found.groups())
            shown[name] = (set(types.split(" + ")), Fraction(hours or 0), int(Decimal(amount.replace(",", "")) * 100))
    assert shown == month.rows()


def test_the_page_counts_the_facts() -> None:
    counted = Counter(record for _, record, _ in facts())
    shown = re.findall(r"^\| `(\w+)` \| (\d+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert {record: int(count) for record, count in shown} == counted
    assert f"{counted.total()} facts" in DOCS.read_text(encoding="utf-8")


# ---- every kind of happening is in it


def time_facts() -> list[tuple[str, Fields]]:
    return [(record, f) for topic, record, f in facts() if topic == "daybook.time"]


def test_events_arrive_twice_late_and_in_the_wrong_order() -> None:
    ids = Counter(f["event_id"] for _, f in time_facts())
    assert sum(count == 2 for count in ids.values()) == 3
    seen: set[tuple[str, str]] = set()
    before_entry, amended_first = 0, 0
    for record, f in time_facts():
        key = (f["client_id"], f["time_entry_id"])
        before_entry += record == "TimeEntryApproved" and key not in seen and f["revision"] == 1
        amended_first += record == "TimeEntryAmended" and key not in seen
        seen.add(key)
    assert before_entry == 2
    assert amended_first == 1


def test_decisions_come_in_every_shape() -> None:
    approved, rejected = of("TimeEntryApproved"), of("TimeEntryRejected")
    worked_on = {f["time_entry_id"]: f["worked_on"] for f in of("TimeEntryLogged")}
    late = [f for f in approved if f["occurred_at"].date() == date(2026, 6, 2) and worked_on[f["time_entry_id"]].day == 20]
    assert len(late) == 2
    assert sorted(f["billable_minutes"] for f in approved if f["billable_minutes"] is not None) == [0, 120]
    twice = Counter((f["time_entry_id"], f["revision"]) for f in approved)
    assert sorted(twice.values())[-2:] == [1, 2]
    approved_later = {f["time_entry_id"] for f in approved if f["revision"] == 2}
    assert sorted(f["time_entry_id"] in approved_later for f in rejected) == [False, True]
    assert len(of("TimeEntryWithdrawn")) == 1


def test_time_is_worked_on_working_days_but_for_one_emergency() -> None:
    logged = of("TimeEntryLogged")
    closed = {date(2026, 5, 4), date(2026, 5, 25)}
    odd = [f for f in logged if f["worked_on"].isoweekday() > 5 or f["worked_on"] in closed]
    assert [f["charge_type"] for f in odd] == ["EMERGENCY"]
    assert any(f["worked_on"] > AS_OF for f in logged), "time of June, which the May queue leaves alone"
    assert any(f["started_at"] is None for f in logged)
    assert any(0 < f["deducted_minutes"] < f["worked_minutes"] for f in logged)
    assert {f["charge_type"] for f in logged} >= {"REMOTE", "ONSITE", "INTERNAL", "PROJECT", "CUSTOM"}


def test_engineers_are_in_one_place_at_a_time(month: Month) -> None:
    spans = defaultdict(list)
    for f in of("TimeEntryLogged"):
        if f["started_at"]:
            spans[f["agent_id"]].append((f["started_at"], f["ended_at"], f["time_entry_id"]))
    assert len(spans) == 6
    for worked in spans.values():
        worked.sort()
        assert all(later[0] >= earlier[1] for earlier, later in itertools.pairwise(worked))
    assert month.not_billable > 0


def test_allowance_is_not_due_and_its_time_is_inside_it() -> None:
    """The day allowances are computed, May's total stays what it is."""
    [hours] = [c for c in of("ContractDefined") if any(line["type"] == "AllowanceLine" for line in c["lines"])]
    [allowance] = hours["lines"]
    assert (hours["frequency"], allowance["timing"], allowance["per"]) == ("quarterly", "arrears", "quarter")
    under_it = [f for f in of("TimeEntryLogged") if f["contract_id"] == hours["contract_id"]]
    assert 0 < sum(f["worked_minutes"] for f in under_it) + 60 * len(under_it) <= allowance["included_minutes"]
    assert {f["charge_type"] for f in under_it} <= set(allowance["charge_types"])

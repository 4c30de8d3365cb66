"""What was said, folded into states by D5, T5, T6 and T7, whatever the order of arrival."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from .periods import STEP, Cycle, Period, periods
from .rules import Rules
from .wire import Fact

State = dict[str, Any]
EntryKey = tuple[str, str]
_FULL_STATES = {"TimeEntryLogged", "TimeEntryAmended"}
_DECISIONS = {"TimeEntryApproved", "TimeEntryRejected"}


class Line(NamedTuple):
    """One line of a contract's state: its record name and fields."""

    kind: str
    fields: State

    def serves(self, day: date) -> bool:
        """Whether the line's own dates include the day."""
        starts_on, ends_on = self.fields["starts_on"], self.fields["ends_on"]
        return (starts_on is None or starts_on <= day) and (ends_on is None or day <= ends_on)


class Facts:
    """All facts, filed by what they are about."""

    def __init__(self, facts: Iterable[Fact], rules: Rules) -> None:
        self.rules = rules
        self.charge_types: dict[str, list[State]] = defaultdict(list)
        self.tax_codes: dict[str, list[State]] = defaultdict(list)
        self.clients: dict[str, list[State]] = defaultdict(list)
        self.contracts: dict[str, dict[str, list[State]]] = defaultdict(lambda: defaultdict(list))
        self.seats: dict[tuple[str, str], list[State]] = defaultdict(list)
        self.entries: dict[EntryKey, list[Fact]] = defaultdict(list)
        self.decisions: dict[EntryKey, list[Fact]] = defaultdict(list)
        self.owner: dict[str, str] = {}
        self._earliest: dict[str, tuple[Any, str]] = {}
        self._serving: dict[tuple[str, date], dict[str, State]] = {}
        self._in_force: dict[tuple[str, str, date], State | None] = {}
        self._periods: dict[tuple[str, str, str, date], list[Period]] = {}
        for fact in facts:
            self._file(fact)

    def _file(self, fact: Fact) -> None:
        fields = fact.fields
        match fact.record:
            case "ChargeTypeDefined":
                self.charge_types[fields["code"]].append(fields)
            case "TaxCodeDefined":
                self.tax_codes[fields["code"]].append(fields)
            case "ClientDefined":
                self.clients[fields["client_id"]].append(_with_effective_day(fields))
            case "ContractDefined":
                fields["lines"] = [Line(name.rpartition(".")[2], line) for name, line in fields["lines"]]
                self.contracts[fields["client_id"]][fields["contract_id"]].append(fields)
            case "SeatCountReported":
                self.seats[fields["client_id"], fields["product"]].append(fields)
            case name if name in _DECISIONS:
                self.decisions[fields["client_id"], fields["time_entry_id"]].append(fact)
            case name if name in _FULL_STATES or name == "TimeEntryWithdrawn":
                self._file_entry(fact)

    def _file_entry(self, fact: Fact) -> None:
        fields = fact.fields
        entry_id = fields["time_entry_id"]
        self.entries[fields["client_id"], entry_id].append(fact)
        if fact.record in _FULL_STATES:
            said = (fields["occurred_at"], fields["event_id"].lower())
            if entry_id not in self._earliest or said < self._earliest[entry_id]:
                self._earliest[entry_id], self.owner[entry_id] = said, fields["client_id"]

    def order(self, state: State) -> tuple[Any, ...]:
        """What decides between two states of one thing (D5)."""
        return tuple(state[name].lower() if name == "event_id" else state[name] for name in self.rules.state_order)

    def in_force(self, states: list[State], day: date) -> State | None:
        """The state that holds on the day."""
        begun = [state for state in states if state["effective_from"] <= day]
        return max(begun, key=self.order, default=None)

    def client_on(self, client_id: str, day: date) -> State | None:
        """The client's state on the day; the first counts from ever."""
        states = self.clients.get(client_id)
        if not states:
            return None
        earliest = min(state["effective_from"] for state in states)
        return self.in_force(states, max(day, earliest))

    def is_closed(self, client_id: str, day: date) -> bool:
        """Whether the client opens no period on that day."""
        state = self.in_force(self.clients.get(client_id, []), day)
        return state is not None and state["status"] == "closed" and self.rules.closed_opens_no_period

    def contract_on(self, client_id: str, contract_id: str, day: date) -> State | None:
        """The contract's state if it serves that day."""
        key = (client_id, contract_id, day)
        if key not in self._in_force:
            state = self.in_force(self.contracts.get(client_id, {}).get(contract_id, []), day)
            self._in_force[key] = state if state is not None and self._in_term(state, day) else None
        return self._in_force[key]

    def _in_term(self, state: State, day: date) -> bool:
        ends_on = state["ends_on"]
        past = ends_on is not None and (day > ends_on if self.rules.last_day_served else day >= ends_on)
        return state["starts_on"] <= day and not past

    def serving(self, client_id: str, day: date) -> dict[str, State]:
        """All contracts of the client that serve the day."""
        key = (client_id, day)
        if key not in self._serving:
            found = ((name, self.contract_on(client_id, name, day)) for name in self.contracts.get(client_id, ()))
            self._serving[key] = {name: state for name, state in found if state is not None}
        return self._serving[key]

    def ever_in_force(self, client_id: str, contract_id: str) -> Iterator[State]:
        """Each state that holds on at least one day of the contract's term, in order."""
        states = self.contracts[client_id][contract_id]
        begins = sorted({state["effective_from"] for state in states})
        for begin, end in zip(begins, [*begins[1:], date.max], strict=True):
            state = self.in_force(states, begin)
            if state is not None and max(begin, state["starts_on"]) < min(end, _day_after(state["ends_on"])):
                yield state

    def periods_of(self, client_id: str, contract_id: str, line_id: str, until: date) -> list[Period]:
        """The periods of a contract line ("" for the contract's own) that start on or before `until`."""
        key = (client_id, contract_id, line_id, until)
        if key not in self._periods:
            cycles = self._cycles(client_id, contract_id, line_id)
            self._periods[key] = list(periods(cycles, until, self.rules)) if cycles else []
        return self._periods[key]

    def _cycles(self, client_id: str, contract_id: str, line_id: str) -> tuple[tuple[date, Cycle], ...]:
        found: list[tuple[date, Cycle]] = []
        for state in self.ever_in_force(client_id, contract_id):
            frequency = state["frequency"]
            if line_id:
                line = next((line for line in state["lines"] if line.fields["line_id"] == line_id), None)
                if line is None:
                    continue
                frequency = line.fields["frequency"] or frequency
            if frequency not in STEP or not known_contract(state):
                continue  # what depends on this state waits; the others keep their cycle
            cycle = Cycle(frequency, state["anchor_day"], state["anchor_month"])
            if not found or state["effective_from"] <= state["starts_on"]:
                found = [(state["starts_on"], cycle)]
            elif found[-1][1] != cycle:
                found.append((state["effective_from"], cycle))
        return tuple(found)

    def latest(self, key: EntryKey) -> Fact:
        """The entry's latest revision."""
        return max(self.entries[key], key=lambda fact: _revision_order(fact.fields))

    def last_full(self, key: EntryKey) -> Fact | None:
        """The entry's latest full state, withdrawn or not."""
        full = [fact for fact in self.entries.get(key, []) if fact.record in _FULL_STATES]
        return max(full, key=lambda fact: _revision_order(fact.fields), default=None)

    def never_logged(self) -> set[EntryKey]:
        """Entries that were decided on or withdrawn, and that nobody logged."""
        return {key for key in {*self.entries, *self.decisions} if self.last_full(key) is None}

    def decision(self, key: EntryKey, revision: int) -> Fact | None:
        """The decision that counts for one revision; a tie goes to the rejection (T6)."""
        about = self.decisions.get(key, [])
        if self.rules.decision_belongs_to_revision:
            about = [fact for fact in about if fact.fields["revision"] == revision]
        return max(
            about,
            key=lambda fact: (
                fact.fields["occurred_at"],
                fact.record == self.rules.tie_wins,
                fact.fields["event_id"].lower(),
            ),
            default=None,
        )


def known_zone(name: str) -> bool:
    """Whether the pinned zone rules know the name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def known_contract(state: State) -> bool:
    """Whether the contract's own vocabulary is known."""
    return state["frequency"] in STEP and 1 <= state["anchor_day"] <= 31


def _revision_order(fields: State) -> tuple[Any, ...]:
    return fields["revision"], fields["occurred_at"], fields["event_id"].lower()


def _with_effective_day(fields: State) -> State:
    if fields["effective_from"] is None:
        zone = ZoneInfo(fields["time_zone"]) if known_zone(fields["time_zone"]) else ZoneInfo("UTC")
        fields["effective_from"] = fields["occurred_at"].astimezone(zone).date()
    return fields


def _day_after(day: date | None) -> date:
    return date.max if day is None or day == date.max else date.fromordinal(day.toordinal() + 1)

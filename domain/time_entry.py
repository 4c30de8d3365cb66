"""A time entry: what an agent logged, what was changed since, and what a manager decided about which revision."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import ClassVar, assert_never


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeEntryLogged:
    """An agent logged work for a client; `worked_on` alone decides its day (product D1)."""

    TOPIC: ClassVar[str] = "time_entry.logged.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    time_entry_id: str
    revision: int
    ticket_id: str | None
    project_id: str | None
    contract_id: str | None
    agent_id: str
    charge_type: str
    worked_on: date
    started_at: datetime | None
    ended_at: datetime | None
    worked_minutes: int
    deducted_minutes: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeEntryAmended:
    """The entry's full new state under a higher revision."""

    TOPIC: ClassVar[str] = "time_entry.amended.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    time_entry_id: str
    revision: int
    ticket_id: str | None
    project_id: str | None
    contract_id: str | None
    agent_id: str
    charge_type: str
    worked_on: date
    started_at: datetime | None
    ended_at: datetime | None
    worked_minutes: int
    deducted_minutes: int
    note: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeEntryWithdrawn:
    """The entry was taken back upstream."""

    TOPIC: ClassVar[str] = "time_entry.withdrawn.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    time_entry_id: str
    revision: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeEntryApproved:
    """A manager approved this revision; `billable_minutes` fixes the quantity (product T3)."""

    TOPIC: ClassVar[str] = "time_entry.approved.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    time_entry_id: str
    revision: int
    approver_id: str
    billable_minutes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeEntryRejected:
    """A manager rejected this revision."""

    TOPIC: ClassVar[str] = "time_entry.rejected.v1"
    event_id: str
    source: str
    occurred_at: datetime
    client_id: str
    time_entry_id: str
    revision: int
    approver_id: str
    reason: str


TimeEntryEvent = TimeEntryLogged | TimeEntryAmended | TimeEntryWithdrawn | TimeEntryApproved | TimeEntryRejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Which statement was made: the triple that decides between any two states of one thing (product D5)."""

    revision: int
    occurred_at: datetime
    event_id: str

    def outranks(self, other: "Said | None") -> bool:
        """True where this statement, not the other, is the one that counts."""
        return other is None or (self.revision, self.occurred_at, self.event_id) > (
            other.revision,
            other.occurred_at,
            other.event_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a manager decided about one revision; the latest wins, on a tie the rejection (product T6)."""

    revision: int
    approved: bool
    occurred_at: datetime
    event_id: str
    approver_id: str
    billable_minutes: int | None

    def outranks(self, other: "Decision") -> bool:
        """True where this decision on the same revision is the one that counts."""
        return (self.occurred_at, not self.approved, self.event_id) > (
            other.occurred_at,
            not other.approved,
            other.event_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeEntry:
    """Where an entry stands, whatever the order in which its facts arrived; `said` null: only decisions are known yet."""

    client_id: str
    time_entry_id: str
    said: Said | None = None
    withdrawn: Said | None = None
    decisions: tuple[Decision, ...] = ()
    first_occurred_at: datetime | None = None
    first_event_id: str = ""
    ticket_id: str | None = None
    project_id: str | None = None
    contract_id: str | None = None
    agent_id: str = ""
    charge_type: str = ""
    worked_on: date | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    worked_minutes: int = 0
    deducted_minutes: int = 0
    note: str = ""

    @property
    def gone(self) -> bool:
        """The latest revision is a withdrawal."""
        return self.withdrawn is not None and self.withdrawn.outranks(self.said)

    @property
    def decision(self) -> Decision | None:
        """The decision that counts for the latest revision, null while it is undecided."""
        if self.said is None:
            return None
        for decision in self.decisions:
            if decision.revision == self.said.revision:
                return decision
        return None

    @property
    def minutes(self) -> int:
        """Minutes worked less those deducted."""
        return self.worked_minutes - self.deducted_minutes


def evolve(entry: TimeEntry, event: TimeEntryEvent) -> TimeEntry:
    """The entry after one more of its facts; any order and any repeat of the same facts ends in the same state."""
    match event:
        case TimeEntryLogged() | TimeEntryAmended():
            return _stated(entry, event)
        case TimeEntryWithdrawn():
            said = Said(revision=event.revision, occurred_at=event.occurred_at, event_id=event.event_id)
            return replace(entry, withdrawn=said) if said.outranks(entry.withdrawn) else entry
        case TimeEntryApproved():
            return _decided(entry, event, approved=True, billable_minutes=event.billable_minutes)
        case TimeEntryRejected():
            return _decided(entry, event, approved=False, billable_minutes=None)
        case _:
            assert_never(event)


def _stated(entry: TimeEntry, event: TimeEntryLogged | TimeEntryAmended) -> TimeEntry:
    first_at, first_id = entry.first_occurred_at, entry.first_event_id
    if first_at is None or (event.occurred_at, event.event_id) < (first_at, first_id):
        first_at, first_id = event.occurred_at, event.event_id
    said = Said(revision=event.revision, occurred_at=event.occurred_at, event_id=event.event_id)
    if not said.outranks(entry.said):
        return replace(entry, first_occurred_at=first_at, first_event_id=first_id)
    return TimeEntry(
        client_id=entry.client_id,
        time_entry_id=entry.time_entry_id,
        said=said,
        withdrawn=entry.withdrawn,
        decisions=entry.decisions,
        first_occurred_at=first_at,
        first_event_id=first_id,
        ticket_id=event.ticket_id,
        project_id=event.project_id,
        contract_id=event.contract_id,
        agent_id=event.agent_id,
        charge_type=event.charge_type,
        worked_on=event.worked_on,
        started_at=event.started_at,
        ended_at=event.ended_at,
        worked_minutes=event.worked_minutes,
        deducted_minutes=event.deducted_minutes,
        note=event.note,
    )


def _decided(
    entry: TimeEntry, event: TimeEntryApproved | TimeEntryRejected, *, approved: bool, billable_minutes: int | None
) -> TimeEntry:
    decision = Decision(
        revision=event.revision,
        approved=approved,
        occurred_at=event.occurred_at,
        event_id=event.event_id,
        approver_id=event.approver_id,
        billable_minutes=billable_minutes,
    )
    others = tuple(d for d in entry.decisions if d.revision != event.revision)
    same = next((d for d in entry.decisions if d.revision == event.revision), None)
    if same is not None and not decision.outranks(same):
        return entry
    # Sorted, so that the state does not remember in which order the decisions came.
    return replace(entry, decisions=tuple(sorted((*others, decision), key=lambda d: d.revision)))

"""The terms in force on a day: which of several states of a thing counts (product D5)."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.calendar import local_day
from domain.catalogue import ChargeTypeDefined, InvoiceSeriesDefined, ProviderDefined, TaxCodeDefined
from domain.client_account import ClientDefined
from domain.contract import ContractDefined


class _Stated(Protocol):
    @property
    def revision(self) -> int: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def event_id(self) -> str: ...


S = TypeVar("S", bound=_Stated)


def rank(state: _Stated) -> tuple[int, datetime, str]:
    """Decides between two states of one thing from the same day on."""
    return (state.revision, state.occurred_at, state.event_id)


@dataclass(frozen=True, slots=True)
class Timeline(Generic[S]):
    """The states of one thing in the order in which they come into force; those replaced from the same day on are gone."""

    days: tuple[date, ...]
    states: tuple[S, ...]

    def on(self, day: date) -> S | None:
        """The state in force on a day; null before the first."""
        index = bisect_right(self.days, day)
        return self.states[index - 1] if index else None

    def first_or_on(self, day: date) -> S:
        """The state in force on a day, the first one counting from ever."""
        return self.states[max(bisect_right(self.days, day) - 1, 0)]


def timeline(states: Iterable[S], effective_from: Callable[[S], date]) -> Timeline[S]:
    """Orders states by the day they count from; from one day on the highest (revision, occurred_at, event_id) counts."""
    chosen: dict[date, S] = {}
    for state in states:
        day = effective_from(state)
        if day not in chosen or rank(state) > rank(chosen[day]):
            chosen[day] = state
    days = tuple(sorted(chosen))
    return Timeline(days, tuple(chosen[day] for day in days))


def latest(states: Iterable[S]) -> S | None:
    """The last revision: what counts for names, addresses and terms."""
    return max(states, key=rank, default=None)


def client_effective_from(state: ClientDefined) -> date:
    """The day a client's state counts from: as stated, else the local day on which it was said."""
    if state.effective_from is not None:
        return state.effective_from
    return local_day(state.occurred_at, zone_of(state.time_zone) or ZoneInfo("UTC"))


def zone_of(name: str) -> ZoneInfo | None:
    """The named zone; null where the pinned zone data does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All that the provider has defined, by code."""

    provider: ProviderDefined | None = None
    charge_types: Mapping[str, Timeline[ChargeTypeDefined]] = field(default_factory=dict)
    tax_codes: Mapping[str, Timeline[TaxCodeDefined]] = field(default_factory=dict)
    series: Mapping[str, InvoiceSeriesDefined] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClientTerms:
    """All that was agreed with one client; `states` is empty for a client nobody has defined yet."""

    client_id: str
    states: Timeline[ClientDefined]
    latest: ClientDefined | None
    contracts: Mapping[str, Timeline[ContractDefined]] = field(default_factory=dict)
    refused: tuple[ContractDefined, ...] = ()

    @property
    def known(self) -> bool:
        """Somebody has said who this client is."""
        return bool(self.states.states)


def catalogue_of(states: Iterable[object]) -> Catalogue:
    """The catalogue from every state ever said of it, in any order."""
    said = list(states)
    charge_types = [s for s in said if isinstance(s, ChargeTypeDefined)]
    tax_codes = [s for s in said if isinstance(s, TaxCodeDefined)]
    series = [s for s in said if isinstance(s, InvoiceSeriesDefined)]
    return Catalogue(
        provider=latest(s for s in said if isinstance(s, ProviderDefined)),
        charge_types={
            code: timeline((s for s in charge_types if s.code == code), lambda s: s.effective_from)
            for code in {s.code for s in charge_types}
        },
        tax_codes={
            code: timeline((s for s in tax_codes if s.code == code), lambda s: s.effective_from)
            for code in {s.code for s in tax_codes}
        },
        series={code: max((s for s in series if s.code == code), key=rank) for code in {s.code for s in series}},
    )


def client_terms(client_id: str, states: Iterable[object]) -> ClientTerms:
    """One client's terms from every state ever said of it and of its contracts, in any order."""
    said = list(states)
    clients = [s for s in said if isinstance(s, ClientDefined)]
    by_contract: dict[str, list[ContractDefined]] = {}
    for state in said:
        if isinstance(state, ContractDefined):
            by_contract.setdefault(state.contract_id, []).append(state)
    refused: list[ContractDefined] = []
    contracts: dict[str, Timeline[ContractDefined]] = {}
    for contract_id in sorted(by_contract):
        contracts[contract_id] = timeline(_one_start(by_contract[contract_id], refused), lambda s: s.effective_from)
    return ClientTerms(
        client_id=client_id,
        states=timeline(clients, client_effective_from),
        latest=latest(clients),
        contracts=contracts,
        refused=tuple(refused),
    )


def _one_start(states: Sequence[ContractDefined], refused: list[ContractDefined]) -> list[ContractDefined]:
    """Sets aside states that would move `starts_on`, which would shift every period already billed (product D5).

    The first revision's start stands, whatever day a later one counts from and whatever came first.
    """
    first = min(states, key=rank)
    refused.extend(state for state in states if state.starts_on != first.starts_on)
    return [state for state in states if state.starts_on == first.starts_on]

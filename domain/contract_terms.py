"""Which contract serves a day, with which schedule, and whether its terms can be read at all."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from domain.calendar import MONTHS_IN, Period, Schedule, in_succession, period_in
from domain.catalogue import ChargeTypeDefined
from domain.client_account import ClientDefined
from domain.contract import (
    AllowanceLine,
    BlockLine,
    ContractDefined,
    ContractLine,
    FixedPriceLine,
    RateLine,
    RecurringLine,
    SeatLine,
)
from domain.money import UnknownCurrency, is_beyond_belief, minor_digits
from domain.seat_polls import MOST_SEATS
from domain.terms import ClientTerms, Timeline, zone_of
from domain.tiers import tier_fault

TIMINGS = ("advance", "arrears")
SEAT_POLICIES = ("daily", "daily_30", "snapshot", "peak", "ratchet")
MOST_TERMS_DAYS = 36_500
MOST_TERM_MONTHS = 1_200
FIRST_YEAR = 1970
"""No contract of an MSP began before it: a date typed wrongly, which would make thousands of periods."""


def serving(states: Timeline[ContractDefined], day: date) -> ContractDefined | None:
    """The state of a contract that serves a day: in force then, started and not ended."""
    state = states.on(day)
    if state is None or day < state.starts_on or (state.ends_on is not None and day > state.ends_on):
        return None
    return state


def contract_of_entry(terms: ClientTerms, named: str | None, day: date) -> ContractDefined | str | None:
    """The contract an entry falls under (product T5): the state, null for none, or the reason why it waits."""
    if named is not None:
        states = terms.contracts.get(named)
        return (serving(states, day) if states else None) or "contract_not_in_force"
    in_force = [state for states in terms.contracts.values() if (state := serving(states, day)) is not None]
    defaults = [state for state in in_force if state.is_default]
    if len(defaults) == 1:
        return defaults[0]
    if len(in_force) == 1:
        return in_force[0]
    return "which_contract" if in_force else None


def serves(line: ContractLine, day: date) -> bool:
    """The line's own first and last day leave this day in."""
    return (line.starts_on is None or line.starts_on <= day) and (line.ends_on is None or day <= line.ends_on)


def rate_lines(contract: ContractDefined, charge_type: str, day: date) -> list[RateLine]:
    """The contract's own rates for a charge type on a day; more than one is ambiguous."""
    return [
        line for line in contract.lines if isinstance(line, RateLine) and line.charge_type == charge_type and serves(line, day)
    ]


def covered_elsewhere(contract: ContractDefined, charge_type: str, project_id: str | None, day: date) -> bool:
    """A line of a kind that is not rated yet would cover this time, so billing it at the rate would be wrong."""
    for line in contract.lines:
        if not serves(line, day):
            continue
        if isinstance(line, AllowanceLine | BlockLine) and (not line.charge_types or charge_type in line.charge_types):
            return True
        if isinstance(line, FixedPriceLine) and line.bundles_time and project_id == line.project_id:
            return True
    return False


def schedules(states: Sequence[ContractDefined], line_id: str | None = None) -> tuple[Schedule, ...]:
    """The billing schedules of a contract, or of one of its lines, in the order in which they take over.

    Where a state lacks the line, the line's frequency before counts, or the first it ever has: to be agreed on later, or
    to be left out for a while, is no change of its frequency.
    """
    known = [_frequency(state, line_id) for state in states]
    frequency = next((one for one in known if one is not None), None)
    found = []
    for state, own in zip(states, known, strict=True):
        frequency = own or frequency
        schedule = Schedule(state.starts_on, frequency or state.frequency, state.anchor_day, state.anchor_month)
        found.append((state.effective_from, schedule))
    return in_succession(found)


def _frequency(state: ContractDefined, line_id: str | None) -> str | None:
    """The frequency a state gives a line, or the contract itself; null where the state lacks the line."""
    if line_id is None:
        return state.frequency
    for line in state.lines:
        if line.line_id == line_id:
            return line.frequency or state.frequency
    return None


def contract_period(states: Timeline[ContractDefined], day: date) -> Period | None:
    """The contract's billing period around a day, as far as its states can be read."""
    return period_in(schedules([state for state in holding(states) if contract_fault(state) is None]), day)


def holding(states: Timeline[ContractDefined]) -> tuple[ContractDefined, ...]:
    """The states that hold on at least one day of the contract's term, in order; nothing depends on the others."""
    ends = [*states.days[1:], date.max]
    return tuple(
        state
        for day, end, state in zip(states.days, ends, states.states, strict=True)
        if max(day, state.starts_on) < end and (state.ends_on is None or max(day, state.starts_on) <= state.ends_on)
    )


def contract_fault(state: ContractDefined) -> str | None:
    """Why a contract's state cannot be used: a value nobody knows or one that cannot be.

    Its lines are judged one by one (`line_fault`): an odd line never parks the others, nor the client's time.
    """
    if state.frequency not in MONTHS_IN or not is_currency(state.currency):
        return "unknown_value"
    if state.starts_on.year < FIRST_YEAR:
        return "impossible_value"
    if not 1 <= state.anchor_day <= 31 or not (state.anchor_month is None or 1 <= state.anchor_month <= 12):
        return "impossible_value"
    return None


def line_fault(state: ContractDefined, line_id: str) -> str | None:
    """Why the line of this id cannot be used as a contract's state says it; null too where the state has no such line."""
    lines = [line for line in state.lines if line.line_id == line_id]
    if len(lines) > 1:
        return "ambiguous_line"
    fees = [line.quantity * line.unit_price for line in lines if isinstance(line, RecurringLine)]
    if any(is_beyond_belief(fee, state.currency) for fee in fees):
        return "impossible_value"
    known = all(line.timing in TIMINGS and (line.frequency is None or line.frequency in MONTHS_IN) for line in lines)
    if not known:
        return "unknown_value"
    return next((fault for line in lines if isinstance(line, SeatLine) and (fault := _seat_fault(line))), None)


def _seat_fault(line: SeatLine) -> str | None:
    if line.policy not in SEAT_POLICIES:
        return "unknown_value"
    if not 1 <= line.term_months <= MOST_TERM_MONTHS or not 0 <= (line.minimum_quantity or 0) <= MOST_SEATS:
        return "impossible_value"
    if line.tiers:
        return tier_fault(line.tiers, line.tier_mode)
    return "no_rate" if line.unit_price is None else None


def charge_type_fault(charge_type: ChargeTypeDefined) -> str | None:
    """Why a charge type's state cannot be used."""
    if charge_type.rounding not in ("up", "down", "nearest") or charge_type.rounding_scope not in ("entry", "ticket"):
        return "unknown_value"
    if not all(is_currency(currency) for currency in charge_type.rates):
        return "unknown_value"
    if charge_type.minimum_minutes < 0 or charge_type.increment_minutes < 0:
        return "impossible_value"
    if any(rate < Decimal(0) for rate in charge_type.rates.values()):
        return "impossible_value"
    return None


def client_fault(state: ClientDefined) -> str | None:
    """Why a client's state cannot be used."""
    if not is_currency(state.currency) or zone_of(state.time_zone) is None or state.status not in ("active", "closed"):
        return "unknown_value"
    return None if 0 <= state.payment_terms_days <= MOST_TERMS_DAYS else "impossible_value"


def is_currency(code: str) -> bool:
    """ISO 4217 knows the code."""
    try:
        minor_digits(code)
    except UnknownCurrency:
        return False
    return True

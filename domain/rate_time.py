"""What approved time is worth: one item per entry or per ticket, explained, or the reason why it waits (product T1-T7)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from domain.catalogue import ChargeTypeDefined
from domain.contract import ContractDefined
from domain.contract_terms import (
    charge_type_fault,
    client_fault,
    contract_fault,
    contract_of_entry,
    contract_period,
    covered_elsewhere,
    rate_lines,
)
from domain.ids import ticket_item, time_item
from domain.money import minor_digits
from domain.rated import Member, RatedItem, RatedLine, Waiting, first_reason
from domain.rounding import billed_minutes, hours, time_amount_minor
from domain.tax import tax_for
from domain.terms import Catalogue, ClientTerms
from domain.time_entry import Decision, TimeEntry

RULE = "time/v1"


@dataclass(frozen=True, slots=True)
class Terms:
    """What one entry is rated by, as in force on the day it was worked."""

    charge_type: ChargeTypeDefined
    contract: ContractDefined | None
    currency: str
    rate: Decimal
    gross: bool
    tax_code: str | None
    account: str
    rate_source: str | None


@dataclass(frozen=True, slots=True)
class Posted:
    """What of an entry stands on an invoice: its item and the minutes it brought there."""

    item_key: str
    member: Member


@dataclass(slots=True)
class TimeRating:
    """The items and the waiting facts of some of a client's entries."""

    items: list[RatedItem]
    waiting: list[Waiting]


@dataclass(frozen=True, slots=True)
class _Ready:
    entry: TimeEntry
    decision: Decision
    terms: Terms
    member: Member


def rate_time(
    entries: Iterable[TimeEntry],
    *,
    terms: ClientTerms,
    catalogue: Catalogue,
    as_of: date,
    posted: Mapping[str, Posted],
    foreign: frozenset[str] = frozenset(),
) -> TimeRating:
    """Rates entries of one client; all entries of a ticket must be given together.

    `posted` says, by entry id, what of it stands on an invoice; `foreign` are entry ids that another client said first.
    Only entries worked by the close of `as_of` count towards a ticket; taxes are looked up on `as_of`.
    """
    rating = TimeRating([], [])
    tickets: dict[str, list[_Ready]] = {}
    kept: dict[str, list[Member]] = {}
    for entry in entries:
        if entry.said is None or entry.worked_on is None or entry.gone:
            continue
        stands = posted.get(entry.time_entry_id)
        outcome = _judge(entry, terms, catalogue, as_of, stands is not None, entry.time_entry_id in foreign)
        if isinstance(outcome, str):
            if not (outcome == "rejected" and stands is not None):
                rating.waiting.append(_waiting(entry, outcome, terms, catalogue))
            if stands is not None and outcome not in ("rejected", "client_changed"):
                _keep(stands, rating, kept)
        elif outcome is not None:
            if outcome.terms.charge_type.rounding_scope == "ticket" and entry.ticket_id is not None:
                if entry.worked_on <= as_of:
                    tickets.setdefault(_ticket_key(outcome, terms), []).append(outcome)
            else:
                rating.items.append(_entry_item(outcome))
    for key in sorted(tickets.keys() | kept.keys()):
        rating.items.append(_ticket(key, tickets.get(key, []), kept.get(key, [])))
    return rating


def _keep(stands: Posted, rating: TimeRating, kept: dict[str, list[Member]]) -> None:
    """What was invoiced of a waiting entry stays: the whole item, or its minutes within the ticket."""
    if stands.item_key.startswith("ticket/"):
        kept.setdefault(stands.item_key, []).append(stands.member)
    else:
        rating.items.append(RatedItem(key=stands.item_key, due_on=stands.member.worked_on, stays=True))


def _judge(
    entry: TimeEntry, terms: ClientTerms, catalogue: Catalogue, as_of: date, invoiced: bool, foreign: bool
) -> "_Ready | str | None":
    """The entry ready to be rated, the reason why it waits, or null where its charge type is never billed."""
    assert entry.worked_on is not None
    decision = entry.decision
    if decision is None:
        return "amended_after_invoicing" if invoiced else "awaiting_approval"
    if not decision.approved:
        return "rejected"
    if foreign:
        return "client_changed"
    if not terms.known:
        return "unknown_client"
    states = catalogue.charge_types.get(entry.charge_type)
    charge_type = states.on(entry.worked_on) if states is not None else None
    if charge_type is None:
        return "unknown_charge_type"
    if not charge_type.billable:
        return "impossible_value" if _impossible(entry, decision) else None
    reasons: list[str] = []
    found = _terms_of(entry, charge_type, terms, catalogue, as_of, reasons)
    if _impossible(entry, decision):
        reasons.append("impossible_value")
    if reasons or found is None:
        return first_reason(reasons)
    fixed = decision.billable_minutes is not None
    minutes = decision.billable_minutes if decision.billable_minutes is not None else entry.minutes
    member = Member(
        time_entry_id=entry.time_entry_id,
        minutes=minutes,
        fixed=fixed,
        worked_on=entry.worked_on,
        started_at=entry.started_at,
    )
    return _Ready(entry, decision, found, member)


def _terms_of(
    entry: TimeEntry,
    charge_type: ChargeTypeDefined,
    terms: ClientTerms,
    catalogue: Catalogue,
    as_of: date,
    reasons: list[str],
) -> Terms | None:
    """The terms in force on the day worked; whatever is in the way is added to `reasons`."""
    assert entry.worked_on is not None
    client = terms.states.first_or_on(entry.worked_on)
    contract = contract_of_entry(terms, entry.contract_id, entry.worked_on)
    faults = [client_fault(client), charge_type_fault(charge_type)]
    if isinstance(contract, str):
        reasons.append(contract)
        contract = None
    elif contract is not None:
        faults.append(contract_fault(contract))
    reasons.extend(fault for fault in faults if fault is not None)
    currency = contract.currency if contract is not None else client.currency
    lines = rate_lines(contract, charge_type.code, entry.worked_on) if contract is not None else []
    line = lines[0] if len(lines) == 1 else None
    rate = line.rates.get(currency) if line is not None else charge_type.rates.get(currency)
    if len(lines) > 1:
        reasons.append("ambiguous_line")
    elif rate is None:
        reasons.append("no_rate")
    tax_code = (line.tax_code if line is not None else None) or charge_type.tax_code
    if tax_for(tax_code, terms.states.first_or_on(as_of), catalogue, as_of) is None:
        reasons.append("unknown_tax_code")
    covered = contract is not None and covered_elsewhere(contract, charge_type.code, entry.project_id, entry.worked_on)
    if charge_type.out_of_hours is not None or covered:
        reasons.append("not_yet_supported")
    if reasons or rate is None:
        return None
    return Terms(
        charge_type=charge_type,
        contract=contract,
        currency=currency,
        rate=rate,
        gross=line is not None and contract is not None and contract.prices_include_tax,
        tax_code=tax_code,
        account=line.account if line is not None else charge_type.account,
        rate_source=line.line_id if line is not None else None,
    )


def _impossible(entry: TimeEntry, decision: Decision) -> bool:
    """Minutes below zero, more deducted than worked, or an end before its start (product T7)."""
    if entry.worked_minutes < 0 or entry.deducted_minutes < 0 or entry.minutes < 0:
        return True
    if decision.billable_minutes is not None and decision.billable_minutes < 0:
        return True
    return entry.started_at is not None and entry.ended_at is not None and entry.ended_at < entry.started_at


def _ticket_key(ready: _Ready, terms: ClientTerms) -> str:
    entry = ready.entry
    assert entry.worked_on is not None
    assert entry.ticket_id is not None
    contract = ready.terms.contract
    start = entry.worked_on.replace(day=1)
    if contract is not None:
        period = contract_period(terms.contracts[contract.contract_id], entry.worked_on)
        start = period.start if period is not None else start
    contract_id = contract.contract_id if contract is not None else None
    return ticket_item(contract_id, entry.ticket_id, entry.charge_type, start)


def _entry_item(ready: _Ready) -> RatedItem:
    entry, terms = ready.entry, ready.terms
    assert entry.worked_on is not None
    charge_type = terms.charge_type
    if ready.member.fixed:
        minutes = ready.member.minutes
        how = f"{minutes} min as approved"
    else:
        minutes = billed_minutes(entry.minutes, charge_type.minimum_minutes, charge_type.increment_minutes, charge_type.rounding)
        how = _how(f"{entry.worked_minutes} min worked", entry.deducted_minutes, minutes, charge_type)
    about = f"ticket {entry.ticket_id}" if entry.ticket_id else f"entry {entry.time_entry_id}"
    line = _line(terms, minutes, how, f"{charge_type.name}, {about}", entry.worked_on, entry.worked_on)
    return RatedItem(
        key=time_item(entry.time_entry_id),
        due_on=entry.worked_on,
        lines=(line,),
        sources=_sources([ready]),
        members=(ready.member,),
    )


def _ticket(key: str, ready: list[_Ready], kept: list[Member]) -> RatedItem:
    """The item of one ticket: its minutes rounded together, at the terms of the first entry (product T2)."""
    if not ready:
        # Only minutes that were invoiced and now wait are left: the item stays as it was.
        first_day = min(member.worked_on for member in kept)
        return RatedItem(key=key, due_on=first_day, members=tuple(kept), stays=True)
    ready = sorted(ready, key=lambda one: _in_order(one.member))
    terms = ready[0].terms
    members = sorted([one.member for one in ready] + kept, key=_in_order)
    charge_type = terms.charge_type
    worked = sum(member.minutes for member in members if not member.fixed)
    fixed = sum(member.minutes for member in members if member.fixed)
    rounded = billed_minutes(worked, charge_type.minimum_minutes, charge_type.increment_minutes, charge_type.rounding)
    how = _how(f"{len(members)} entries, {worked} min", 0, rounded, charge_type)
    if fixed:
        how += f" + {fixed} min as approved"
    description = f"{charge_type.name}, ticket {ready[0].entry.ticket_id}"
    line = _line(terms, rounded + fixed, how, description, members[0].worked_on, members[-1].worked_on)
    return RatedItem(key=key, due_on=members[0].worked_on, lines=(line,), sources=_sources(ready), members=tuple(members))


def _in_order(member: Member) -> tuple[date, datetime, str]:
    # An entry without a clock counts as begun at 00:00, before all that were clocked that day.
    return (member.worked_on, member.started_at or datetime.min.replace(tzinfo=UTC), member.time_entry_id)


def _line(terms: Terms, minutes: int, how: str, description: str, first: date, last: date) -> RatedLine:
    amount = time_amount_minor(minutes, terms.rate, terms.currency)
    digits = minor_digits(terms.currency)
    shown = f"{Decimal(amount).scaleb(-digits):.{digits}f}"
    rated_by = f" (contract line {terms.rate_source})" if terms.rate_source else ""
    return RatedLine(
        part="",
        description=description,
        charge_type=terms.charge_type.code,
        kind=terms.charge_type.name,
        service_from=first,
        service_to=last,
        quantity=hours(minutes),
        unit="hour",
        unit_price=terms.rate,
        currency=terms.currency,
        amount_minor=amount,
        gross=terms.gross,
        tax_code=terms.tax_code,
        account=terms.account,
        rule=RULE,
        arithmetic=f"{how}; {minutes} min x {terms.currency} {terms.rate:f}/h{rated_by} / 60 = {shown}",
    )


def _how(worked: str, deducted: int, billed: int, charge_type: ChargeTypeDefined) -> str:
    less = f" less {deducted} min deducted" if deducted else ""
    grid = f"minimum {charge_type.minimum_minutes}, increment {charge_type.increment_minutes} {charge_type.rounding}"
    return f"{worked}{less} -> {billed} min ({grid})"


def _sources(ready: list[_Ready]) -> tuple[str, ...]:
    """The events an amount rests on: what was said last of each entry, and its approval."""
    found: list[str] = []
    for one in ready:
        assert one.entry.said is not None
        found += [one.entry.said.event_id, one.decision.event_id]
    return tuple(found)


def _waiting(entry: TimeEntry, reason: str, terms: ClientTerms, catalogue: Catalogue) -> Waiting:
    assert entry.said is not None
    assert entry.worked_on is not None
    currency = None
    if terms.known:
        contract = contract_of_entry(terms, entry.contract_id, entry.worked_on)
        client = terms.states.first_or_on(entry.worked_on)
        currency = contract.currency if isinstance(contract, ContractDefined) else client.currency
    return Waiting(
        client_id=entry.client_id,
        what="time_entry",
        id=entry.time_entry_id,
        reason=reason,
        since=entry.said.occurred_at,
        minutes=max(entry.minutes, 0),
        currency=currency,
        served_on=entry.worked_on,
    )

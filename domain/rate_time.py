"""What approved time is worth: one item per entry or per ticket, explained, or the reason why it waits (product T1-T7)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import unquote

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
from domain.ids import ticket_item
from domain.money import is_beyond_belief
from domain.rated import Member, RatedItem, Waiting, first_reason
from domain.tax import tax_for
from domain.terms import Catalogue, ClientTerms
from domain.time_entry import Decision, TimeEntry
from domain.time_items import Ready, Terms, entry_item, in_order, whole_ticket

MOST_MINUTES = 2**31 - 1  # what a view can show of a value that cannot be anyway


@dataclass(frozen=True, slots=True)
class Posted:
    """An entry that was invoiced: the item, and the minutes it brought there; `stands` false where they were credited since."""

    item_key: str
    member: Member
    stands: bool = True


_Kept = tuple[Member, TimeEntry]


@dataclass(slots=True)
class TimeRating:
    """The items and the waiting facts of some of a client's entries."""

    items: list[RatedItem]
    waiting: list[Waiting]


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

    `posted` says, by entry id, what was invoiced of it; `foreign` are entry ids that another client said first.
    Only entries worked by the close of `as_of` count towards a ticket; taxes are looked up on `as_of`.
    """
    rating = TimeRating([], [])
    tickets: dict[str, list[Ready]] = {}
    kept: dict[str, list[_Kept]] = {}
    for entry in entries:
        stands = posted.get(entry.time_entry_id)
        if entry.said is None:
            rating.waiting.append(_not_seen(entry))
        if entry.said is None or entry.worked_on is None or entry.gone:
            _take_back(entry, stands, rating)
            continue
        outcome = _judge(entry, terms, catalogue, as_of, stands is not None, entry.time_entry_id in foreign)
        if isinstance(outcome, str):
            if not (outcome == "rejected" and stands is not None):
                rating.waiting.append(_waiting(entry, outcome, terms, catalogue))
            if outcome in ("rejected", "client_changed"):
                _take_back(entry, stands, rating)
            elif stands is not None and stands.stands:
                _keep(entry, stands, rating, kept)
        elif outcome is not None:
            if outcome.terms.charge_type.rounding_scope == "ticket" and entry.ticket_id is not None:
                key = _ticket_key(outcome, terms)
                # What was invoiced in a later run is not taken back by looking at an earlier day (product D3).
                if entry.worked_on <= as_of or (stands is not None and stands.stands and stands.item_key == key):
                    tickets.setdefault(key, []).append(outcome)
            else:
                rating.items.append(entry_item(outcome))
    for key in sorted(tickets.keys() | kept.keys()):
        invoiced = {entry_id for entry_id, one in posted.items() if one.stands and one.item_key == key} if key in kept else set()
        rating.items.append(_ticket(key, tickets.get(key, []), kept.get(key, []), invoiced, terms, catalogue, as_of))
    return rating


def _take_back(entry: TimeEntry, stands: Posted | None, rating: TimeRating) -> None:
    """What was invoiced of an entry that is no longer billed is credited: the credit names what took it back."""
    if stands is None or not stands.stands or stands.item_key.startswith("ticket/"):
        return
    said = (entry.withdrawn if entry.gone else entry.decision, entry.said)
    sources = tuple(one.event_id for one in said if one is not None)
    rating.items.append(RatedItem(key=stands.item_key, due_on=stands.member.worked_on, sources=sources))


def _keep(entry: TimeEntry, stands: Posted, rating: TimeRating, kept: dict[str, list[_Kept]]) -> None:
    """What was invoiced of a waiting entry stays: the whole item, or its minutes within the ticket."""
    if stands.item_key.startswith("ticket/"):
        kept.setdefault(stands.item_key, []).append((stands.member, entry))
    else:
        rating.items.append(RatedItem(key=stands.item_key, due_on=stands.member.worked_on, stays=True))


def _ticket(
    key: str,
    ready: list[Ready],
    kept: list[_Kept],
    invoiced: set[str],
    terms: ClientTerms,
    catalogue: Catalogue,
    as_of: date,
) -> RatedItem:
    """A ticket's item; where only what was invoiced is left, and all of it now waits, it stays as it is."""
    members = tuple(member for member, _ in kept)
    if not ready and invoiced == {member.time_entry_id for member in members}:
        return RatedItem(key=key, due_on=min(m.worked_on for m in members), members=members, stays=True)
    first = min(kept, key=lambda one: in_order(one[0]), default=None)
    found = min(ready, key=lambda one: in_order(one.member), default=None)
    rated_by = found.terms if found is not None else None
    if first is not None and (found is None or in_order(first[0]) < in_order(found.member)):
        rated_by = _terms_then(key, *first, terms, catalogue, as_of) or rated_by
    if rated_by is None:
        return RatedItem(key=key, due_on=min(m.worked_on for m in members), members=members, stays=True)
    return whole_ticket(key, ready, list(members), rated_by)


def _terms_then(
    key: str, member: Member, entry: TimeEntry, terms: ClientTerms, catalogue: Catalogue, as_of: date
) -> Terms | None:
    """The terms of a waiting entry as it was invoiced, whatever its amended revision says; null where they are gone."""
    contract_id, _, code, _ = (unquote(part) for part in key.split("/")[1:])
    states = catalogue.charge_types.get(code)
    charge_type = states.on(member.worked_on) if states is not None else None
    if charge_type is None or not terms.known:
        return None
    then = replace(entry, worked_on=member.worked_on, charge_type=code, contract_id=contract_id or None)
    return _terms_of(then, charge_type, terms, catalogue, as_of, [])


def _judge(
    entry: TimeEntry, terms: ClientTerms, catalogue: Catalogue, as_of: date, invoiced: bool, foreign: bool
) -> "Ready | str | None":
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
    fixed = decision.billable_minutes is not None
    minutes = decision.billable_minutes if decision.billable_minutes is not None else entry.minutes
    most = max(minutes, charge_type.minimum_minutes) + charge_type.increment_minutes
    if _impossible(entry, decision) or (found is not None and is_beyond_belief(most * found.rate / 60, found.currency)):
        reasons.append("impossible_value")
    if reasons or found is None:
        return first_reason(reasons)
    member = Member(
        time_entry_id=entry.time_entry_id,
        minutes=minutes,
        fixed=fixed,
        worked_on=entry.worked_on,
        started_at=entry.started_at,
    )
    return Ready(entry, decision, found, member)


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
    elif rate < 0:
        reasons.append("impossible_value")
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


def _ticket_key(ready: Ready, terms: ClientTerms) -> str:
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


def _not_seen(entry: TimeEntry) -> Waiting:
    """A decision or withdrawal whose entry nobody has logged: lost upstream, or sent under another client or id."""
    known = [one for one in (*entry.decisions, entry.withdrawn) if one is not None]
    since = min(one.occurred_at for one in known)
    return Waiting(client_id=entry.client_id, what="time_entry", id=entry.time_entry_id, reason="entry_not_seen", since=since)


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
        minutes=min(max(entry.minutes, 0), MOST_MINUTES),
        currency=currency,
        served_on=entry.worked_on,
    )

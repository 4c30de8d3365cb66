"""The line of one time entry or of one ticket: minutes rounded, priced, and explained (product T1-T3, M2, M3)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import unquote

from domain.catalogue import ChargeTypeDefined
from domain.contract import ContractDefined
from domain.ids import time_item
from domain.money import minor_digits
from domain.rated import Member, RatedItem, RatedLine
from domain.rounding import billed_minutes, hours, time_amount_minor
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
class Ready:
    """An approved entry with nothing in the way, and the terms it is rated by."""

    entry: TimeEntry
    decision: Decision
    terms: Terms
    member: Member


def entry_item(ready: Ready) -> RatedItem:
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


def whole_ticket(key: str, ready: list[Ready], kept: list[Member], terms: Terms) -> RatedItem:
    """The item of one ticket: its minutes rounded together, at the terms of the first entry (product T2).

    `kept` are minutes that were invoiced and whose entries now wait: they stay as they were.
    """
    ready = sorted(ready, key=lambda one: in_order(one.member))
    members = sorted([one.member for one in ready] + kept, key=in_order)
    charge_type = terms.charge_type
    worked = sum(member.minutes for member in members if not member.fixed)
    fixed = sum(member.minutes for member in members if member.fixed)
    rounded = billed_minutes(worked, charge_type.minimum_minutes, charge_type.increment_minutes, charge_type.rounding)
    how = _how(f"{len(members)} entries, {worked} min", 0, rounded, charge_type)
    if fixed:
        how += f" + {fixed} min as approved"
    description = f"{charge_type.name}, ticket {unquote(key.split('/')[2])}"
    line = _line(terms, rounded + fixed, how, description, members[0].worked_on, members[-1].worked_on)
    return RatedItem(key=key, due_on=members[0].worked_on, lines=(line,), sources=_sources(ready), members=tuple(members))


def in_order(member: Member) -> tuple[date, datetime, str]:
    """The order in which entries count: by day, then by the clock, then by id (product V1)."""
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


def _sources(ready: list[Ready]) -> tuple[str, ...]:
    """The events an amount rests on: what was said last of each entry, and its approval."""
    found: list[str] = []
    for one in ready:
        assert one.entry.said is not None
        found += [one.entry.said.event_id, one.decision.event_id]
    return tuple(found)

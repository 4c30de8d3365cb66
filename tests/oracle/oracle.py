"""What Daybook must say about a heap of messages: the ledger, the queue, who waits and what is dead, by Fractions alone.

Where the documents are silent the oracle assumes:
- Waiting rows are not cut at the billing date (`waiting_since_day` holds the day served, so that a reader can).
- `unapproved_minutes` are the minutes (worked - deducted) of undecided entries worked up to the billing date, in the
  currency they would be billed in; the same per client in `unapproved`.
- A charge type's own tax code is its state's on `worked_on`; percents and the client's code are those of the billing date.
- A rejected entry waits `rejected`, invoiced before or not.
- An undecided entry of an invoiced ticket freezes the whole ticket item.
- A recurring period in which the unit price changes fixes its net; quantity and unit price are None there.
- A posted item that is no longer rated is compared when its first day is up to the billing date.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any
from urllib.parse import unquote

from .arithmetic import tax_of_line
from .facts import EntryKey, Facts
from .posted import Invoiced, Line, differences
from .rating import Item, Rating, Timed, Waiting
from .recurring import Recurring
from .rules import PRODUCT, Rules
from .wire import DeadLetter, Fact, Produced, read

__all__ = ["DeadLetter", "Expected", "Invoiced", "Produced", "QueueRow", "expected", "expected_after_invoicing"]

ItemKey = tuple[str, str]
"""Client and item key: ids are unique per client."""


@dataclass(slots=True)
class QueueRow:
    """One client and currency of the queue."""

    types: set[str] = field(default_factory=set)
    hours: Fraction = Fraction()
    net_minor: int = 0
    lines: int = 0
    unapproved_minutes: int = 0
    lines_exact: bool = True  # False: a correction of mixed prices may be one line or more


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Everything the product must agree with."""

    recorded: frozenset[str]
    dead: list[DeadLetter]
    waiting: set[Waiting]
    waiting_since_day: dict[Waiting, date]
    items: dict[ItemKey, Item]
    lines: list[Line]
    queue: dict[tuple[str, str], QueueRow]
    unapproved: dict[str, int]
    totals: dict[tuple[str, str], tuple[int, int, int]]  # client, currency -> net, tax (`line` rounding), total


@dataclass(slots=True)
class _Sorted:
    """Entries by what becomes of them."""

    timed: dict[EntryKey, Timed] = field(default_factory=dict)
    waiting: dict[Waiting, date] = field(default_factory=dict)
    frozen: set[ItemKey] = field(default_factory=set)
    unapproved: list[tuple[EntryKey, Fact]] = field(default_factory=list)


def expected(messages: Iterable[Produced], as_of: date, rules: Rules = PRODUCT) -> Expected:
    """The answer before anything was invoiced."""
    return expected_after_invoicing(messages, as_of, Invoiced(), rules)


def expected_after_invoicing(
    messages: Iterable[Produced], as_of: date, invoiced: Invoiced, rules: Rules = PRODUCT
) -> Expected:
    """The answer for all messages so far, given the lines the product has posted so far."""
    reading = read(messages)
    facts = Facts(reading.facts, rules)
    rating = Rating(facts, as_of)
    found = _sort_entries(facts, rating, invoiced)
    items = {(item.client_id, item.item_key): item for item in rating.time_items(found.timed)}
    for one in Recurring(rating).contract_lines():
        if isinstance(one, Waiting):
            found.waiting[one] = as_of
        else:
            items[one.client_id, one.item_key] = one
    lines = _lines(facts, rating, items, found.frozen, invoiced)
    unapproved: dict[str, int] = defaultdict(int)
    for (client_id, _), fact in found.unapproved:
        unapproved[client_id] += _worked(fact)
    return Expected(
        recorded=frozenset(reading.recorded),
        dead=sorted(reading.dead),
        waiting=set(found.waiting),
        waiting_since_day=found.waiting,
        items=items,
        lines=lines,
        queue=_queue(lines, items, facts, rating, found.unapproved),
        unapproved=dict(unapproved),
        totals=totals(lines),
    )


def totals(lines: Iterable[Line]) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Net, tax and total of one document per client and currency (M6, M7 with `line` rounding)."""
    sums: dict[tuple[str, str], tuple[int, int, int]] = {}
    for line in lines:
        net, tax, total = sums.get((line.client_id, line.currency), (0, 0, 0))
        added = line.net_minor + line.tax_minor
        sums[line.client_id, line.currency] = (net + line.net_minor, tax + line.tax_minor, total + added)
    return sums


def _sort_entries(facts: Facts, rating: Rating, invoiced: Invoiced) -> _Sorted:
    found = _Sorted()
    for key in facts.entries:
        latest = facts.latest(key)
        if latest.record == "TimeEntryWithdrawn":
            continue
        day = latest.fields["worked_on"]
        decision = facts.decision(key, latest.fields["revision"])
        before = _invoiced_before(key, facts, rating, invoiced)
        if decision is None:
            reason: Any = "amended_after_invoicing" if before else "awaiting_approval"
            found.frozen |= before
            if day <= rating.as_of:
                found.unapproved.append((key, latest))
        elif decision.record == "TimeEntryRejected":
            reason = "" if before and not facts.rules.rejected_after_invoicing_waits else "rejected"
        else:
            reason = rating.entry(key, latest, decision.fields["billable_minutes"])
        if isinstance(reason, Timed):
            found.timed[key] = reason
        elif reason:
            found.waiting[Waiting(key[0], "time_entry", key[1], reason)] = day
    return found


def _invoiced_before(key: EntryKey, facts: Facts, rating: Rating, invoiced: Invoiced) -> set[ItemKey]:
    """The posted items that billed this entry."""
    if not invoiced.lines:
        return set()
    client_id, entry_id = key
    known = {(client, item) for client, item in invoiced.items_of(client_id, entry_id)}
    if known or invoiced.entries is not None:
        return known
    for fact in facts.entries[key]:  # no word on who was in a ticket: any approved revision that leads to it
        decision = facts.decision(key, fact.fields["revision"])
        if fact.record != "TimeEntryWithdrawn" and decision and decision.record == "TimeEntryApproved":
            priced = rating.entry(key, fact, decision.fields["billable_minutes"])
            if isinstance(priced, Timed) and (client_id, priced.item_key) in invoiced.by_item:
                known.add((client_id, priced.item_key))
    return known


def _lines(
    facts: Facts, rating: Rating, items: Mapping[ItemKey, Item], frozen: set[ItemKey], invoiced: Invoiced
) -> list[Line]:
    lines: list[Line] = []
    for key in sorted({*items, *invoiced.by_item} - frozen):
        item, posted = items.get(key), invoiced.by_item.get(key, ())
        if item is None and _first_day(key, facts) > rating.as_of:
            continue
        lines += differences(key, item, posted, lambda code, day: _percent(rating, code, day), rating.rules)
    return lines


def _percent(rating: Rating, code: str, day: date | None) -> Decimal:
    state = rating.tax_state(code, day or rating.as_of)
    return Decimal(0) if state is None else state["rate"]


def _first_day(key: ItemKey, facts: Facts) -> date:
    """The first day of an item that is posted and no longer rated, from its key and the facts."""
    client_id, item_key = key
    kind, *parts = item_key.split("/")
    if kind == "time":
        last = facts.last_full((client_id, unquote(parts[0])))
        return date.min if last is None else last.fields["worked_on"]
    return date.fromisoformat(parts[-1]) if kind in ("ticket", "line") else date.min


def _queue(
    lines: list[Line],
    items: Mapping[ItemKey, Item],
    facts: Facts,
    rating: Rating,
    unapproved: list[tuple[EntryKey, Fact]],
) -> dict[tuple[str, str], QueueRow]:
    rows: dict[tuple[str, str], QueueRow] = defaultdict(QueueRow)
    for line in lines:
        row = rows[line.client_id, line.currency]
        row.types.add(line.kind or _kind(line, facts))
        row.hours += line.hours
        row.net_minor += line.net_minor
        row.lines += 1
        row.lines_exact &= line.quantity is not None or not line.is_correction
    for (client_id, _), fact in unapproved:
        currency = _entry_currency(client_id, fact, facts, rating)
        if currency:
            rows[client_id, currency].unapproved_minutes += _worked(fact)
    return dict(rows)


def _kind(line: Line, facts: Facts) -> str:
    """The Type of an item that is credited only."""
    kind, *parts = map(unquote, line.item_key.split("/"))
    if kind == "line":
        states = facts.contracts.get(line.client_id, {}).get(parts[0], [])
        for state in sorted(states, key=facts.order, reverse=True):
            for other in state["lines"]:
                if other.fields["line_id"] == parts[1]:
                    return other.fields["description"]
        return ""
    code = parts[2] if kind == "ticket" else ""
    if kind == "time" and (last := facts.last_full((line.client_id, parts[0]))):
        code = last.fields["charge_type"]
    states = facts.charge_types.get(code, [])
    return max(states, key=facts.order)["name"] if states else ""


def _entry_currency(client_id: str, fact: Fact, facts: Facts, rating: Rating) -> str | None:
    day = fact.fields["worked_on"]
    client = facts.client_on(client_id, day)
    contract, _ = rating.contract_of(client_id, fact.fields["contract_id"], day)
    if client and contract and facts.rules.unapproved_currency == "billing":
        return contract["currency"]
    return client["currency"] if client else None


def _worked(fact: Fact) -> int:
    return fact.fields["worked_minutes"] - fact.fields["deducted_minutes"]


def tax_totals(lines: Iterable[tuple[int, Decimal]], rules: Rules = PRODUCT) -> int:
    """The tax of one document's (net, percent) lines under `line` rounding."""
    return sum(tax_of_line(net_minor, percent, rules) for net_minor, percent in lines)

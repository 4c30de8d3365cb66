"""What Daybook must say about a heap of messages: the ledger, the queue, who waits and what is dead, by Fractions alone.

Where the documents are silent the oracle assumes:
- Waiting rows are not cut at the billing date (`waiting_since_day` holds the day served, so that a reader can).
- `unapproved_minutes` are the minutes (worked - deducted) of undecided entries worked up to the billing date, in the
  currency they would be billed in; the same per client in `unapproved`.
- A charge type's own tax code is its state's on `worked_on`; percents and the client's code are those of the billing date.
- A rejected entry that was invoiced before is credited and not listed as waiting (T6's table).
- What was invoiced stays while its facts wait for any reason but `rejected` and `client_changed`: an entry's own item
  and a contract line's periods whole, in a ticket the minutes the entry had when it was posted, beside the others.
- A recurring period in which the unit price changes fixes its net; quantity and unit price are None there.
- A decision or withdrawal of an entry that nobody logged waits, `entry_not_seen`.
- A posted item that is no longer rated is compared when its first day is up to the billing date.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any
from urllib.parse import unquote

from .arithmetic import tax_of_line
from .facts import EntryKey, Facts
from .posted import Invoiced, Line, Posted, differences
from .rating import Item, ItemKey, Member, Rating, Standing, Timed, Waiting
from .recurring import Recurring
from .rules import PRODUCT, Rules
from .wire import DeadLetter, Fact, Produced, read

__all__ = ["DeadLetter", "Expected", "Invoiced", "Produced", "QueueRow", "expected", "expected_after_invoicing"]


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
    recorded_at: dict[str, tuple[str, int, int]]  # event id -> topic, partition and offset of its first saying
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
    stays: Standing = field(default_factory=Standing)
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
    items = {(item.client_id, item.item_key): item for item in rating.time_items(found.timed, found.stays)}
    recurring = Recurring(rating)
    for one in recurring.contract_lines():
        if isinstance(one, Waiting):
            found.waiting[one] = as_of
        else:
            items[one.client_id, one.item_key] = one
    for waiting in recurring.seats.impossible():
        found.waiting[waiting] = as_of
    found.stays.frozen |= {key for key in invoiced.by_item if any(map(_begins(key), recurring.staying))}
    lines = _lines(rating, items, found, invoiced)
    unapproved: dict[str, int] = defaultdict(int)
    for (client_id, _), fact in found.unapproved:
        unapproved[client_id] += _worked(fact)
    return Expected(
        recorded=frozenset(reading.recorded),
        recorded_at=reading.recorded,
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


def _begins(key: ItemKey) -> Callable[[ItemKey], bool]:
    return lambda beginning: key[0] == beginning[0] and key[1].startswith(beginning[1])


def _sort_entries(facts: Facts, rating: Rating, invoiced: Invoiced) -> _Sorted:
    found = _Sorted(stays=Standing(standing=invoiced.standing))
    for client_id, entry_id in facts.never_logged():
        found.waiting[Waiting(client_id, "time_entry", entry_id, "entry_not_seen")] = rating.as_of
    for key in facts.entries:
        latest = facts.latest(key)
        if latest.record == "TimeEntryWithdrawn":
            continue
        day = latest.fields["worked_on"]
        decision = facts.decision(key, latest.fields["revision"])
        before = bool(invoiced.items_of(*key))
        if decision is None:
            reason: Any = "amended_after_invoicing" if before else "awaiting_approval"
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
            if reason not in ("rejected", "client_changed"):
                _keep(found.stays, invoiced.stands(*key), latest)
    return found


def _keep(stays: Standing, stands: Iterable[tuple[ItemKey, Member | None]], latest: Fact) -> None:
    """What was invoiced of a waiting entry stays."""
    for key, member in stands:
        if member is None or key[1].startswith("time/"):
            stays.frozen.add(key)
        else:
            stays.kept[key].append((member, latest.fields))


def _lines(rating: Rating, items: Mapping[ItemKey, Item], found: _Sorted, invoiced: Invoiced) -> list[Line]:
    lines: list[Line] = []
    later = {
        (key[0], one.item_key)
        for key, one in found.timed.items()
        if one.member.worked_on > rating.as_of and one.item_key.startswith("time/")
    }
    for key in sorted({*items, *invoiced.by_item} - found.stays.frozen):
        item, posted = items.get(key), invoiced.by_item.get(key, ())
        if item is None and (key in later or _first_day(key, posted) > rating.as_of):
            continue
        joined = item is not None and any(m.entry_id not in invoiced.ever.get(key, ()) for m in item.members)
        known = key in invoiced.standing and bool(posted)
        percent = partial(_percent, rating)
        kind_then = partial(_kind_then, rating)
        lines += differences(key, item, posted, percent, rating.rules, joined and known, kind_then)
    return lines


def _percent(rating: Rating, code: str, day: date | None) -> Decimal:
    state = rating.tax_state(code, day or rating.as_of)
    return Decimal(0) if state is None else state["rate"]


def _kind_then(rating: Rating, line: Posted) -> str:
    """The Type of an invoiced line: its charge type's name, else its description."""
    states = rating.facts.charge_types.get(line.charge_type or "", [])
    state = rating.facts.in_force(states, line.service_from)
    return state["name"] if state else line.description


def _first_day(key: ItemKey, posted: Sequence[Posted]) -> date:
    """The first day of an item that is posted and no longer rated."""
    kind, *parts = key[1].split("/")
    return date.fromisoformat(parts[-1]) if kind in ("ticket", "line") else posted[0].service_from


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
    return max(0, fact.fields["worked_minutes"] - fact.fields["deducted_minutes"])


def tax_totals(lines: Iterable[tuple[int, Decimal]], rules: Rules = PRODUCT) -> int:
    """The tax of one document's (net, percent) lines under `line` rounding."""
    return sum(tax_of_line(net_minor, percent, rules) for net_minor, percent in lines)

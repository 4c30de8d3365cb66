"""What a contract's lines are worth: one item per line and billing period (product D3-D5, S1-S5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from domain.calendar import Period, timeline
from domain.contract import ContractDefined, ContractLine, RateLine, RecurringLine, SeatLine
from domain.contract_periods import Segment, is_closed, line_now, of_kind, segments, timing_of
from domain.contract_terms import client_fault, contract_fault, holding, line_fault, schedules
from domain.ids import line_item
from domain.money import Money, is_beyond_belief
from domain.rate_recurring import rate_recurring
from domain.rate_seats import rate_seats
from domain.rated import RatedItem, RatedLine, SeatSegment, Waiting, first_reason
from domain.seat_counts import History
from domain.tax import tax_for
from domain.terms import Catalogue, ClientTerms, Timeline

RATED = (RecurringLine, SeatLine)
NO_SEATS: Mapping[str, History] = {}


@dataclass(slots=True)
class LineRating:
    """The items of a client's contract lines, and the lines that wait.

    `staying` are the beginnings of the keys of the items that stay as invoiced while their line waits.
    """

    items: list[RatedItem]
    waiting: list[Waiting]
    staying: list[str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is rated, and by what is known: `seats` is each product's history; nothing due by `due_after` is rated again.

    `twice` are the lines that would bill the same seats twice.
    """

    terms: ClientTerms
    catalogue: Catalogue
    seats: Mapping[str, History]
    as_of: date
    due_after: date | None
    served_after: date | None
    twice: frozenset[tuple[str, str]]


def rate_contracts(
    terms: ClientTerms,
    catalogue: Catalogue,
    as_of: date,
    due_after: date | None = None,
    seats: Mapping[str, History] = NO_SEATS,
) -> LineRating:
    """Rates every period of every contract line that is due by `as_of` (and after `due_after`, if given)."""
    rating = LineRating([], [], [])
    for state in terms.refused:
        # A state that would move `starts_on` would shift every period already billed (product D5).
        rating.waiting.append(_waiting(state, state.contract_id, "impossible_value", "contract"))
    asked = _Asked(terms, catalogue, seats, as_of, due_after, None, lines_for_one_product(terms))
    for contract_id, states in terms.contracts.items():
        for line_id in sorted({line.line_id for state in states.states for line in state.lines}):
            _rate_line(contract_id, line_id, states, asked, rating)
    return rating


def rate_seats_since(
    terms: ClientTerms, catalogue: Catalogue, as_of: date, seats: Mapping[str, History], changed: Mapping[str, date]
) -> LineRating:
    """Rates what new counts touch: of each product's lines the periods that end after the first day that `changed`."""
    rating = LineRating([], [], [])
    twice = lines_for_one_product(terms)
    for (contract_id, line_id), products in seat_lines(terms).items():
        days = [changed[product] for product in products if product in changed]
        if days:
            asked = _Asked(terms, catalogue, seats, as_of, None, min(days), twice)
            _rate_line(contract_id, line_id, terms.contracts[contract_id], asked, rating)
    return rating


def seat_lines(terms: ClientTerms) -> dict[tuple[str, str], frozenset[str]]:
    """The products that each (contract, line) has ever billed the seats of."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for contract_id, states in terms.contracts.items():
        for line in (line for state in states.states for line in state.lines if isinstance(line, SeatLine)):
            key = (contract_id, line.line_id)
            found[key] = found.get(key, frozenset()) | {line.product}
    return found


def _rate_line(
    contract_id: str, line_id: str, states: Timeline[ContractDefined], asked: _Asked, rating: LineRating
) -> None:
    held = holding(states)
    if not any(line.line_id == line_id for state in held for line in state.lines):
        return
    now_state, now_line = line_now(held, line_id, asked.as_of)
    if isinstance(now_line, RateLine):
        return
    reasons = _reasons(now_line, held, asked)
    if (contract_id, line_id) in asked.twice:
        reasons.append("ambiguous_line")
    odd: list[str] = []
    if not any(contract_fault(state) or line_fault(state, line_id) for state in held):
        # Without a readable schedule there are no periods; what was invoiced stays.
        for period in timeline([(s.starts_on, s) for s in schedules(held, line_id)], asked.as_of):
            if is_closed(asked.terms, period.start) or (asked.served_after is not None and period.end <= asked.served_after):
                continue
            item, faults = _rate_period(period, line_item(contract_id, line_id, period.start), states, line_id, reasons, asked)
            odd += faults
            if item is not None:
                rating.items.append(item)
    reasons = reasons + odd
    if reasons:
        rating.waiting.append(_waiting(now_state, f"{contract_id}/{line_id}", first_reason(reasons), "contract_line"))
        rating.staying.append(line_item(contract_id, line_id, date.min)[: -len(date.min.isoformat())])


def _rate_period(
    period: Period, key: str, states: Timeline[ContractDefined], line_id: str, reasons: Sequence[str], asked: _Asked
) -> tuple[RatedItem | None, list[str]]:
    """One period's item once it is due, and what is odd about it, told as soon as it is served so that it can be mended."""
    timing = timing_of(period, states, line_id)
    due_on = period.start if timing == "advance" else period.last_day
    served = _counted([one for one in segments(period, states, line_id) if isinstance(one.line, RATED)])
    faults = ["unknown_tax_code"] if asked.terms.known and not _taxable(served, asked) else []
    if due_on > asked.as_of or (asked.due_after is not None and due_on <= asked.due_after):
        return None, faults
    stays = RatedItem(key=key, due_on=due_on, stays=True)
    if reasons or faults:
        return stays, faults
    if not served:
        return None, faults
    item = _priced(stays, period, served, timing, asked)
    return item, ["impossible_value"] if item.stays else []


def _priced(
    item: RatedItem, period: Period, served: Sequence[Segment[ContractLine]], timing: str, asked: _Asked
) -> RatedItem:
    """The item with its lines, one a currency; it stays without them where an amount is beyond belief."""
    lines: list[RatedLine] = []
    sources = dict.fromkeys(one.state.event_id for one in served)
    found: tuple[SeatSegment, ...] = ()
    for currency in dict.fromkeys(one.state.currency for one in served):
        own = [one for one in served if one.state.currency == currency]
        fixed = of_kind(own, RecurringLine)
        if fixed:
            lines.append(rate_recurring(period, fixed))
        seats = of_kind(own, SeatLine)
        if seats:
            charge = rate_seats(period, seats, asked.seats, timing, asked.as_of)
            lines.append(charge.line)
            sources |= dict.fromkeys(charge.sources)
            found += charge.segments
    if any(is_beyond_belief(Money(line.amount_minor, line.currency).major, line.currency) for line in lines):
        return item
    return replace(item, lines=tuple(lines), sources=tuple(sources), segments=found, stays=False)


def _counted(served: list[Segment[ContractLine]]) -> list[Segment[ContractLine]]:
    """Those that count: without proration the state on the first day served counts for the whole period (product S1)."""
    unprorated = bool(served) and isinstance(served[0].line, RecurringLine) and not served[0].line.prorate
    return served[:1] if unprorated else served


def _reasons(line: ContractLine, states: Sequence[ContractDefined], asked: _Asked) -> list[str]:
    """Why nothing of a line can be billed, whatever the period."""
    reasons: list[str] = []
    if not isinstance(line, RATED):
        reasons.append("not_yet_supported")
    for one in states:
        reasons.extend(fault for fault in (contract_fault(one), line_fault(one, line.line_id)) if fault is not None)
    if not asked.terms.known:
        reasons.append("unknown_client")
        return reasons
    fault = client_fault(asked.terms.states.first_or_on(asked.as_of))
    if fault is not None:
        reasons.append(fault)
    return reasons


def _taxable(served: Sequence[Segment[ContractLine]], asked: _Asked) -> bool:
    """Each tax code a period's lines carry is known on the tax point."""
    client = asked.terms.states.first_or_on(asked.as_of)
    return all(tax_for(one.line.tax_code, client, asked.catalogue, asked.as_of) is not None for one in served)


def lines_for_one_product(terms: ClientTerms) -> frozenset[tuple[str, str]]:
    """(contract, line) of seat lines that would bill the same seats of the same day twice (product S5)."""
    by_product: dict[str, list[tuple[tuple[str, str], date, date]]] = {}
    ever = Period(date.min, date.max, date.min)
    for contract_id, line_id in seat_lines(terms):
        for one in of_kind(segments(ever, terms.contracts[contract_id], line_id), SeatLine):
            by_product.setdefault(one.line.product, []).append(((contract_id, line_id), one.start, one.end))
    found: set[tuple[str, str]] = set()
    for spans in by_product.values():
        found |= _overlapping(sorted(spans, key=lambda span: span[1:]))
    return frozenset(found)


def _overlapping(spans: Sequence[tuple[tuple[str, str], date, date]]) -> set[tuple[str, str]]:
    """Of spans in order of their start, the lines that share a day with another line."""
    found: set[tuple[str, str]] = set()
    running: dict[tuple[str, str], date] = {}
    for line, start, end in spans:
        running = {other: until for other, until in running.items() if until > start}
        others = running.keys() - {line}
        if others:
            found |= {line, *others}
            # Those are known now: the one that runs longest stands for them all.
            last = max(others, key=running.__getitem__)
            running = {last: running[last]} | ({line: running[line]} if line in running else {})
        running[line] = max(end, running.get(line, end))
    return found


def _waiting(state: ContractDefined, id_: str, reason: str, what: str) -> Waiting:
    return Waiting(
        client_id=state.client_id, what=what, id=id_, reason=reason, since=state.occurred_at, currency=state.currency
    )

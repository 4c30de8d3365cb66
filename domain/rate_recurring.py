"""What a contract's fixed fees are worth: one item per line and billing period, prorated by days served (product S1, D3-D5)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from domain.calendar import Period, timeline
from domain.contract import ContractDefined, ContractLine, RateLine, RecurringLine
from domain.contract_terms import client_fault, contract_fault, holding, line_fault, schedules
from domain.ids import line_item
from domain.money import amount_minor, minor_digits, to_places
from domain.proration import prorated, served_quantity
from domain.rated import RatedItem, RatedLine, Waiting, first_reason
from domain.tax import tax_for
from domain.terms import Catalogue, ClientTerms, Timeline

RULE = "recurring/v1"


@dataclass(slots=True)
class LineRating:
    """The items of a client's contract lines, and the lines that wait.

    `staying` are the beginnings of the keys of the items that stay as invoiced while their line waits.
    """

    items: list[RatedItem]
    waiting: list[Waiting]
    staying: list[str]


@dataclass(frozen=True, slots=True)
class _Segment:
    """Days of a period on which one state of a line held."""

    start: date
    end: date
    state: ContractDefined
    line: RecurringLine

    @property
    def days(self) -> int:
        return (self.end - self.start).days


def rate_contracts(terms: ClientTerms, catalogue: Catalogue, as_of: date, due_after: date | None = None) -> LineRating:
    """Rates every period of every contract line that is due by `as_of` (and after `due_after`, if given)."""
    rating = LineRating([], [], [])
    for state in terms.refused:
        # A state that would move `starts_on` would shift every period already billed (product D5).
        rating.waiting.append(_waiting(state, state.contract_id, "impossible_value", "contract"))
    for contract_id, states in terms.contracts.items():
        for line_id in sorted({line.line_id for state in states.states for line in state.lines}):
            _rate_line(contract_id, line_id, states, terms, catalogue, as_of, due_after, rating)
    return rating


def _rate_line(
    contract_id: str,
    line_id: str,
    states: Timeline[ContractDefined],
    terms: ClientTerms,
    catalogue: Catalogue,
    as_of: date,
    due_after: date | None,
    rating: LineRating,
) -> None:
    held = holding(states)
    if not any(line.line_id == line_id for state in held for line in state.lines):
        return
    now_state, now_line = _now(held, line_id, as_of)
    if isinstance(now_line, RateLine):
        return
    reasons = _reasons(now_line, held, terms, as_of)
    odd = False
    if not any(contract_fault(state) or line_fault(state, line_id) for state in held):
        # Without a readable schedule there are no periods; what was invoiced stays.
        for period in timeline([(s.starts_on, s) for s in schedules(held, line_id)], as_of):
            if _closed(terms, period.start):
                continue
            due_on = _due_on(period, states, line_id)
            key = line_item(contract_id, line_id, period.start)
            segments = _used(list(_segments(period, states, line_id)))
            untaxed = terms.known and not _taxable(segments, terms, catalogue, as_of)
            # Told as soon as it is served, so that somebody can mend it before it is due.
            odd |= untaxed
            if due_on > as_of or (due_after is not None and due_on <= due_after):
                continue
            if reasons or untaxed:
                rating.items.append(RatedItem(key=key, due_on=due_on, stays=True))
            elif segments:
                rating.items.append(_item(key, due_on, period, segments))
    if odd:
        reasons.append("unknown_tax_code")
    if reasons:
        rating.waiting.append(_waiting(now_state, f"{contract_id}/{line_id}", first_reason(reasons), "contract_line"))
        rating.staying.append(line_item(contract_id, line_id, date.min)[: -len(date.min.isoformat())])


def _now(states: Sequence[ContractDefined], line_id: str, as_of: date) -> tuple[ContractDefined, ContractLine]:
    """The line as it stands: its last state by that day, for what is agreed for later must not stop today's invoice."""
    found = [(state, line) for state in states for line in state.lines if line.line_id == line_id]
    by_now = [one for one in found if one[0].effective_from <= as_of]
    return by_now[-1] if by_now else found[0]


def _taxable(segments: list[_Segment], terms: ClientTerms, catalogue: Catalogue, as_of: date) -> bool:
    """Each tax code a period's lines carry is known on the tax point."""
    client = terms.states.first_or_on(as_of)
    return all(tax_for(segment.line.tax_code, client, catalogue, as_of) is not None for segment in segments)


def _reasons(line: ContractLine, states: Sequence[ContractDefined], terms: ClientTerms, as_of: date) -> list[str]:
    """Why nothing of a line can be billed, whatever the period."""
    reasons: list[str] = []
    if not isinstance(line, RecurringLine):
        reasons.append("not_yet_supported")
    for one in states:
        reasons.extend(fault for fault in (contract_fault(one), line_fault(one, line.line_id)) if fault is not None)
    if not terms.known:
        reasons.append("unknown_client")
        return reasons
    client = terms.states.first_or_on(as_of)
    fault = client_fault(client)
    if fault is not None:
        reasons.append(fault)
    return reasons


def _due_on(period: Period, states: Timeline[ContractDefined], line_id: str) -> date:
    """A period is due in advance on its first day, in arrears on its last (product D3).

    The state on the first day of the period decides, or where the line came later, the first that has it.
    """
    timings = [(state.effective_from, line.timing) for state in states.states for line in state.lines if line.line_id == line_id]
    by_then = [timing for effective_from, timing in timings if effective_from <= period.start]
    timing = by_then[-1] if by_then else timings[0][1]
    return period.start if timing == "advance" else period.last_day


def _closed(terms: ClientTerms, day: date) -> bool:
    """A closed client opens no new period (product D5); being closed never reaches back before its day."""
    state = terms.states.on(day)
    return state is not None and state.status == "closed"


def _segments(period: Period, states: Timeline[ContractDefined], line_id: str) -> Iterator[_Segment]:
    """The runs of the period's days on which the line was served, state by state."""
    for index, state in enumerate(states.states):
        until = states.days[index + 1] if index + 1 < len(states.days) else date.max
        for line in state.lines:
            if line.line_id != line_id or not isinstance(line, RecurringLine):
                continue
            start = max(period.start, states.days[index], state.starts_on, line.starts_on or date.min)
            end = min(period.end, until, _after(state.ends_on), _after(line.ends_on))
            if start < end:
                yield _Segment(start, end, state, line)


def _used(segments: list[_Segment]) -> list[_Segment]:
    """Those that count for the amount: without proration the state on the first day served counts for the whole period."""
    return segments[:1] if segments and not segments[0].line.prorate else segments


def _after(last_day: date | None) -> date:
    return date.max if last_day is None or last_day == date.max else last_day + timedelta(days=1)


def _item(key: str, due_on: date, period: Period, segments: list[_Segment]) -> RatedItem:
    # Amounts of two currencies never mix: a change of currency makes a line in each.
    currencies = dict.fromkeys(segment.state.currency for segment in segments)
    return RatedItem(
        key=key,
        due_on=due_on,
        lines=tuple(_line(period, [s for s in segments if s.state.currency == currency]) for currency in currencies),
        sources=tuple(dict.fromkeys(segment.state.event_id for segment in segments)),
    )


def _line(period: Period, segments: list[_Segment]) -> RatedLine:
    first = segments[0]
    if not first.line.prorate:
        # There is no credit for an early end either.
        quantity, price = first.line.quantity, first.line.unit_price
        amount = amount_minor(quantity, price, first.state.currency)
        how = f"{quantity.normalize():f} x {price:f}, not prorated"
    else:
        amount = prorated(
            [(s.days, s.line.quantity, s.line.unit_price) for s in segments], period.full_days, first.state.currency
        )
        quantity, price, how = _shown(period, segments, amount)
    last = segments[-1]
    if price < 0:
        # A credit is a negative quantity at a positive price: e-invoice rules refuse a negative price (product M5).
        quantity, price = -quantity, -price
    return RatedLine(
        part="",
        description=last.line.description,
        charge_type=None,
        kind=last.line.description,
        service_from=first.start,
        service_to=(last.end if first.line.prorate else period.end) - timedelta(days=1),
        quantity=quantity,
        unit="period",
        unit_price=price,
        currency=first.state.currency,
        amount_minor=amount,
        gross=first.state.prices_include_tax,
        tax_code=last.line.tax_code,
        account=last.line.account,
        rule=RULE,
        arithmetic=f"{how} = {_money(amount, first.state.currency)}",
    )


def _shown(period: Period, segments: list[_Segment], amount: int) -> tuple[Decimal, Decimal, str]:
    """Quantity, unit price and arithmetic of a prorated period; two prices in one period have no common unit price."""
    days = period.full_days
    how = " + ".join(f"{s.days}/{days} days x {s.line.quantity.normalize():f} x {s.line.unit_price:f}" for s in segments)
    prices = {segment.line.unit_price for segment in segments}
    if len(prices) == 1:
        exact = served_quantity([(s.days, s.line.quantity) for s in segments], days)
        return to_places(exact, 8), prices.pop(), how
    currency = segments[0].state.currency
    return Decimal(1), Decimal(amount).scaleb(-minor_digits(currency)), how


def _money(amount: int, currency: str) -> str:
    digits = minor_digits(currency)
    return f"{currency} {Decimal(amount).scaleb(-digits):.{digits}f}"


def _waiting(state: ContractDefined, id_: str, reason: str, what: str) -> Waiting:
    return Waiting(client_id=state.client_id, what=what, id=id_, reason=reason, since=_since(state), currency=state.currency)


def _since(state: ContractDefined) -> datetime:
    return state.occurred_at

"""What seats are worth: a product's counts over a billing period, under the line's policy (product S2-S4)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from domain.calendar import BillingPeriod, Period, add_months
from domain.contract import SeatLine
from domain.contract_periods import Segment
from domain.money import amount_minor, minor_digits, split, to_places
from domain.proration import days_of_30
from domain.rated import RatedLine, SeatSegment
from domain.seat_counts import History, SeatRun, seat_runs
from domain.tiers import tier_of, tiered_price

SEATS = "seats"
"""The part of an item that its seats are; an item whose line changed its kind has another beside it."""
WHOLE = ("snapshot", "peak")
"""Policies that bill one day's quantity for the whole period."""


@dataclass(frozen=True, slots=True)
class _Days:
    """Days in a row on which the same quantity was billed under the same state of the line."""

    run: SeatRun
    segment: Segment[SeatLine]

    @property
    def quantity(self) -> int:
        return self.run.quantity

    @property
    def price(self) -> Fraction:
        """The exact price of a full period at this quantity, in major units."""
        line = self.segment.line
        if line.tiers:
            return tiered_price(self.quantity, line.tiers, line.tier_mode)
        return self.quantity * Fraction(line.unit_price or 0)

    @property
    def unit_price(self) -> Decimal | None:
        """What one seat costs at this quantity; null where its seats cost differently."""
        line = self.segment.line
        if not line.tiers:
            return line.unit_price
        tier = tier_of(self.quantity, line.tiers)
        alike = line.tier_mode == "volume" or tier is line.tiers[0]
        return tier.unit_price if alike and not tier.flat else None


@dataclass(frozen=True, slots=True)
class SeatCharge:
    """One period's line, the segments that add up to it, and the events its quantities come from."""

    line: RatedLine
    segments: tuple[SeatSegment, ...]
    sources: tuple[str, ...]


def rate_seats(
    period: Period, served: Sequence[Segment[SeatLine]], histories: Mapping[str, History], timing: str, as_of: date
) -> SeatCharge:
    """Rates the days of a period on which a seat line was served in one currency, by the counts known at the close of `as_of`.

    `histories` are the counts of each product; the policy is that of the first day served.
    """
    policy = served[0].line.policy
    days = list(_daily(served, policy, histories, as_of))
    days = [_deciding(days, policy, timing)] if policy in WHOLE else _merged(days)
    weights, whole = _weights(period, days, policy)
    currency = served[0].state.currency
    shares = [weight * one.price / whole for weight, one in zip(weights, days, strict=True)]
    amount = amount_minor(sum(shares, Fraction()), 1, currency)
    return SeatCharge(
        line=_line(served, days, weights, whole, amount),
        segments=_segments(period, days, shares, amount, policy),
        sources=tuple(dict.fromkeys(one.run.event_id for one in days if one.run.event_id is not None)),
    )


def _weights(period: Period, days: Sequence[_Days], policy: str) -> tuple[list[int], int]:
    """What each run of days weighs, and the whole period with the days before a part period's start."""
    if policy in WHOLE:
        return [1], 1
    if policy == "daily_30":
        return [days_of_30(BillingPeriod(one.run.start, one.run.end)) for one in days], days_of_30(period.full)
    return [(one.run.end - one.run.start).days for one in days], period.full_days


# ---- quantities ----


def _daily(
    served: Sequence[Segment[SeatLine]], policy: str, histories: Mapping[str, History], as_of: date
) -> Iterator[_Days]:
    """What is billed for each run of days: the count, at least the minimum, and under `ratchet` the most of the term so far."""
    for segment in served:
        history = histories.get(segment.line.product, {})
        runs = _at_least(seat_runs(history, segment.line.systems, segment.start, segment.end, as_of), segment.line)
        if policy == "ratchet":
            runs = _ratcheted(runs, segment, history, as_of)
        for run in runs:
            yield _Days(run, segment)


def _at_least(runs: Iterator[SeatRun], line: SeatLine) -> Iterator[SeatRun]:
    for run in runs:
        yield replace(run, quantity=max(run.quantity, line.minimum_quantity or 0))


def _ratcheted(runs: Iterator[SeatRun], segment: Segment[SeatLine], history: History, as_of: date) -> Iterator[SeatRun]:
    """Each day's quantity is the highest since the last renewal, which is every `term_months` from the line's start.

    What was counted since a renewal is gone through once, not again for each run: a term may hold many changes.
    """
    since, highest = date.max, None
    for run in _cut_at_renewals(runs, segment):
        renewal = _renewal(segment, run.start)
        if renewal != since:
            since = renewal
            before = seat_runs(history, segment.line.systems, renewal, run.start, as_of) if renewal < run.start else iter(())
            highest = max(_at_least(before, segment.line), key=lambda one: one.quantity, default=None)
        if highest is None or run.quantity > highest.quantity:
            highest = run
        same = run.quantity == highest.quantity
        yield run if same else replace(run, quantity=highest.quantity, event_id=highest.event_id)


def _cut_at_renewals(runs: Iterator[SeatRun], segment: Segment[SeatLine]) -> Iterator[SeatRun]:
    for run in runs:
        start = run.start
        while start < run.end:
            end = min(run.end, _renewal(segment, start, ahead=1))
            yield replace(run, start=start, end=end)
            start = end


def _renewal(segment: Segment[SeatLine], day: date, ahead: int = 0) -> date:
    """The last renewal on or before a day, or so many terms after it."""
    first, months = segment.starts_on(), segment.line.term_months
    terms = ((day.year - first.year) * 12 + day.month - first.month) // months
    if add_months(first, terms * months) > day:
        terms -= 1
    return add_months(first, (terms + ahead) * months)


def _merged(days: Iterable[_Days]) -> list[_Days]:
    """Days in a row at the same quantity under the same state as one run."""
    found: list[_Days] = []
    for one in days:
        last = found[-1] if found else None
        if last is not None and last.segment is one.segment and last.quantity == one.quantity:
            found[-1] = _Days(replace(last.run, end=one.run.end), last.segment)
        else:
            found.append(one)
    return found


def _deciding(days: Sequence[_Days], policy: str, timing: str) -> _Days:
    """The one day whose quantity and price are billed for the whole period, shown over the days served.

    `snapshot`: the first day served in advance, the last in arrears; `peak`: the first day of the highest quantity.
    """
    if policy == "peak":
        found = max(days, key=lambda one: one.quantity)
    else:
        found = days[0] if timing == "advance" else days[-1]
    return replace(found, run=replace(found.run, start=days[0].run.start, end=days[-1].run.end))


# ---- what is shown ----


def rule_of(policy: str) -> str:
    """The name a line bears of the rule that made it."""
    return f"seats-{policy}/v1"


def _line(
    served: Sequence[Segment[SeatLine]], days: Sequence[_Days], weights: Sequence[int], whole: int, amount: int
) -> RatedLine:
    last = days[-1].segment
    currency = last.state.currency
    quantity, price, unit = _shown(days, weights, whole, amount, currency)
    return RatedLine(
        part=SEATS,
        description=last.line.description,
        charge_type=None,
        kind=last.line.description,
        service_from=served[0].start,
        service_to=served[-1].end - timedelta(days=1),
        quantity=quantity,
        unit=unit,
        unit_price=price,
        currency=currency,
        amount_minor=amount,
        gross=last.state.prices_include_tax,
        tax_code=last.line.tax_code,
        account=last.line.account,
        rule=rule_of(served[0].line.policy),
        arithmetic=_arithmetic(days, weights, whole, amount, currency),
    )


def _shown(
    days: Sequence[_Days], weights: Sequence[int], whole: int, amount: int, currency: str
) -> tuple[Decimal, Decimal, str]:
    """Seats at a price where one price holds for all of them, else one period at the amount."""
    prices = {one.unit_price for one in days}
    price = prices.pop()
    if not prices and price is not None and price >= 0:
        mean = sum((Fraction(weight * one.quantity, whole) for weight, one in zip(weights, days, strict=True)), Fraction())
        return to_places(mean, 8), price, "seat"
    sign = -1 if amount < 0 else 1
    # A credit is a negative quantity at a positive price (product M5).
    return Decimal(sign), Decimal(abs(amount)).scaleb(-minor_digits(currency)), "period"


def _arithmetic(days: Sequence[_Days], weights: Sequence[int], whole: int, amount: int, currency: str) -> str:
    parts = [
        (f"{weight}/{whole} days x " if whole > 1 else "") + _priced(one) + _counted(one)
        for weight, one in zip(weights, days, strict=True)
    ]
    digits = minor_digits(currency)
    return f"{' + '.join(parts)} = {currency} {Decimal(amount).scaleb(-digits):.{digits}f}"


def _priced(days: _Days) -> str:
    if days.unit_price is not None:
        return f"{days.quantity} x {days.unit_price:f}"
    return f"{days.quantity} seats in {days.segment.line.tier_mode} tiers ({to_places(days.price, 8).normalize():f})"


def _counted(days: _Days) -> str:
    if days.run.system is None:
        return " (minimum, no count yet)" if days.quantity else " (no count yet)"
    return f" ({days.run.system})"


def _segments(
    period: Period, days: Sequence[_Days], shares: Sequence[Fraction], amount: int, policy: str
) -> tuple[SeatSegment, ...]:
    """The runs of days with what each brings; they add up to the line to the cent (product M4)."""
    weights = [abs(share) for share in shares]
    parts = split(amount, weights) if any(weights) else (0,) * len(days)
    return tuple(
        SeatSegment(
            period_start=period.start,
            period_end=period.end,
            segment_start=one.run.start,
            segment_end=one.run.end,
            quantity=one.quantity,
            unit_price=one.unit_price,
            currency=one.segment.state.currency,
            net_minor=part,
            policy=policy,
        )
        for one, part in zip(days, parts, strict=True)
    )

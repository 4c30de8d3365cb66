"""Seats against an oracle that counts day by day in fractions, over many random calendars; and the laws of proration."""

import os
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Any

from given import Given, usual

from domain.calendar import Period, day_span
from domain.contract import SeatLine, Tier
from domain.contract_periods import Segment
from domain.money import round_half_away
from domain.rate_seats import rate_seats
from domain.readings import SeatCountReported
from domain.seat_counts import seat_history
from domain.terms import client_terms
from tests.budget import budget
from tests.evidence import saw
from tests.oracle import periods, seats
from tests.saying import line, said, say

DRAWS = budget("proration", "draws")
CHUNK = 2_500
# Days of 23, 25 and 23.5 hours, a whole day left out (Apia, 2011), and zones on both sides of the date line.
ZONES = (
    "UTC", "Europe/London", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Auckland",
    "Pacific/Apia", "Asia/Kolkata", "Africa/Cairo",
)  # fmt: skip
POLICIES = ("daily", "daily_30", "snapshot", "peak", "ratchet")
TIERS = (
    Tier(up_to=Decimal(5), unit_price=Decimal("9.99"), flat=None),
    Tier(up_to=Decimal(12), unit_price=Decimal("7.77777777"), flat=Decimal("12.5")),
    Tier(up_to=None, unit_price=Decimal("5.01"), flat=None),
)
TERMS = {zone: client_terms("acme", [say("ClientDefined", time_zone=zone)]) for zone in ZONES}


def test_any_period_of_any_path_of_counts_costs_what_the_oracle_says() -> None:
    chunks = [(seed, min(CHUNK, DRAWS - seed * CHUNK)) for seed in range(-(-DRAWS // CHUNK))]
    seen: Counter[str] = Counter()
    # Drawn in processes of their own, a chunk from a seed of its own, so that a failing one can be drawn again alone.
    with get_context("forkserver").Pool(min(len(chunks), os.cpu_count() or 1)) as pool:
        for one in pool.imap_unordered(_drawn, chunks):
            seen += one
    assert seen["draws"] == DRAWS
    for policy in POLICIES:
        assert seen[policy] > DRAWS // 20, policy
    # What is hard about calendars must really have been drawn, each often enough to be no accident.
    for hard in HARD:
        assert seen[hard] >= DRAWS // 200, f"{hard}: {seen[hard]} of {DRAWS} draws"
    told = ", ".join(f"{hard} {seen[hard]:,}" for hard in HARD)
    drawn = f"proration: {DRAWS:,} draws of zone, calendar, path of counts and policy"
    saw(f"{drawn}, each as the oracle of fractions says; periods with {told}")


HARD = ("23-hour day", "25-hour day", "23.5-hour day", "24.5-hour day", "29 February", "anchor 29", "anchor 30", "anchor 31")


def _drawn(chunk: tuple[int, int]) -> Counter[str]:
    """Draws a chunk; says how many of its periods were of each policy and had each of the hard things in them."""
    seed, count = chunk
    rng = random.Random(20_260_523 + seed)
    seen: Counter[str] = Counter(draws=count)
    for number in range(count):
        zone, period, found, anchor = _period(rng)
        own = _check(rng, f"seed {seed}, draw {number}", zone, period, found)
        seen[own.policy] += 1
        seen.update(_hard(zone, period, anchor))
    return seen


def _check(rng: random.Random, name: str, zone: str, period: Period, found: periods.Period) -> SeatLine:
    """One draw: what the product charges for the period must be what the oracle says, to the minor unit."""
    state, own = _agreed(rng, found)
    reports = _reports(rng, period)
    as_of = period.start + timedelta(days=rng.randrange((period.end - period.start).days + 20))
    served = _served(rng, period, state, own)
    charge = rate_seats(period, served, {"ws": seat_history(reports, TERMS[zone].states)}, own.timing, as_of)
    oracle = seats.Seats(_Book(zone, reports), as_of)  # type: ignore[arg-type]
    agreed, plain = vars(state), vars_of(own)
    days = [(day, agreed, plain) for one in served for day in _days(one.start, one.end)]
    exact, quantity, price = oracle.price("acme", found, days)
    told = f"{name}: {zone} {period} {own.policy} {own.timing} as of {as_of}: {charge.line.arithmetic}"
    assert charge.line.amount_minor == round_half_away(exact * 100), told
    assert sum(one.net_minor for one in charge.segments) == charge.line.amount_minor, told
    if price is not None and quantity is not None:
        assert abs(Fraction(charge.line.quantity) - quantity) <= Fraction(1, 2 * 10**8), told
        assert charge.line.unit_price == price, told
    return own


def _hard(zone: str, period: Period, anchor: int) -> set[str]:
    """Which of the hard things lie in a period."""
    found = {
        f"{(end - start) / timedelta(hours=1):g}-hour day"
        for day in _odd_days(zone)
        if period.start <= day < period.end
        for start, end in [day_span(day, zone)]
    }
    leaps = (date(year, 2, 29) for year in range(2008, 2036, 4))
    if any(period.start <= leap < period.end for leap in leaps):
        found.add("29 February")
    return found | {f"anchor {anchor}"}


@cache
def _odd_days(zone: str) -> tuple[date, ...]:
    """The days of a zone that have not 24 hours, in all the years drawn from."""
    days = _days(date(2011, 1, 1), date(2012, 1, 1)) + _days(date(2021, 1, 1), date(2033, 1, 1))
    return tuple(day for day in days if (span := day_span(day, zone))[1] - span[0] != timedelta(hours=24))


def _period(rng: random.Random) -> tuple[str, Period, periods.Period, int]:
    """A zone, a period of a random schedule by the oracle's own calendar, and the schedule's anchor day."""
    starts_on = date(2023, 1, 1) + timedelta(days=rng.randrange(2_200)) if rng.random() < 0.95 else date(2011, 11, 20)
    frequency = rng.choices(("monthly", "quarterly", "annual"), (12, 2, 1))[0]
    anchor = rng.choice((1, 1, 15, 28, 29, 30, 31, rng.randint(1, 31)))
    month = rng.choice((None, rng.randint(1, 12))) if frequency != "monthly" else None
    cycle = periods.Cycle(frequency, anchor, month)
    until = starts_on + timedelta(days=rng.choice((0, 40, 80, 400)))
    *_, found = periods.periods(((starts_on, cycle),), until)
    return rng.choice(ZONES), Period(found.start, found.end, found.full_start), found, anchor


def _agreed(rng: random.Random, found: periods.Period) -> tuple[Any, SeatLine]:
    tiered = rng.random() < 0.3
    own = SeatLine(
        line_id="S1", description="Seats", tax_code=None, account="200", timing=rng.choice(("advance", "arrears")),
        starts_on=None, ends_on=None, frequency=None, unit_cost=None, product="ws",
        systems=rng.choice((("rmm",), ("csp", "rmm"))),
        unit_price=None if tiered else Decimal(rng.randint(0, 9_999_999)).scaleb(-rng.choice((0, 2, 5))),
        tiers=TIERS if tiered else (), tier_mode=rng.choice(("graduated", "volume")) if tiered else None,
        policy=rng.choice(POLICIES), minimum_quantity=rng.choice((None, None, 3)), term_months=rng.choice((1, 12)),
    )  # fmt: skip
    contract = SimpleNamespace(
        starts_on=found.full_start - timedelta(days=rng.choice((0, 100))), currency="GBP", prices_include_tax=False,
        event_id="contract",
    )  # fmt: skip
    return contract, own


def _reports(rng: random.Random, period: Period) -> list[SeatCountReported]:
    """A path of counts about a period: near midnights, at the same instants, before it and after it."""
    found = []
    for number in range(rng.randrange(7)):
        day = period.start + timedelta(days=rng.randrange(-20, (period.end - period.start).days + 5))
        hour = rng.choice((0, 4, 5, 10, 11, 12, 13, 14, 23, rng.randrange(24)))
        at = datetime(day.year, day.month, day.day, hour, rng.choice((0, 0, 29, 30, 59)), tzinfo=UTC)
        if found and rng.random() < 0.15:
            at = found[-1].as_of
        found.append(
            SeatCountReported(
                event_id=f"{number}", source="rmm", occurred_at=at + timedelta(minutes=rng.randrange(3)), client_id="acme",
                product="ws", system=rng.choice(("rmm", "rmm", "csp")), quantity=rng.choice((0, 1, 4, 5, 6, 12, 13, 50, -1)),
                as_of=at, revision=rng.choice((1, 1, 2)),
            )
        )
    return found


def _served(rng: random.Random, period: Period, state: Any, own: SeatLine) -> list[Segment[SeatLine]]:
    """The whole period, or a part of it, in one or two states of the line that differ in nothing."""
    length = (period.end - period.start).days
    start, end = period.start, period.end
    if length > 2 and rng.random() < 0.3:
        start = period.start + timedelta(days=rng.randrange(length - 1))
        end = start + timedelta(days=rng.randint(1, (period.end - start).days))
    if (end - start).days > 1 and rng.random() < 0.3:
        middle = start + timedelta(days=rng.randint(1, (end - start).days - 1))
        return [Segment(start, middle, state, own), Segment(middle, end, state, own)]
    return [Segment(start, end, state, own)]


def _days(start: date, end: date) -> list[date]:
    return [start + timedelta(days=n) for n in range((end - start).days)]


def vars_of(own: SeatLine) -> dict[str, Any]:
    """A line as the oracle reads it: plain fields."""
    fields = {name: getattr(own, name) for name in own.__dataclass_fields__}
    fields["tiers"] = [{name: getattr(tier, name) for name in tier.__dataclass_fields__} for tier in own.tiers]
    return fields


class _Book:
    """What the oracle asks about a client: its zone and its reports."""

    def __init__(self, zone: str, reports: list[SeatCountReported]) -> None:
        fields = ("event_id", "occurred_at", "system", "quantity", "as_of", "revision")
        self.zone = zone
        self.seats = {("acme", "ws"): [{name: getattr(one, name) for name in fields} for one in reports]}

    def client_on(self, _client_id: str, _day: date) -> dict[str, str]:
        """The client's state: all the oracle wants is its zone."""
        return {"time_zone": self.zone}


# ---- laws ----


def test_a_period_cut_in_two_costs_the_whole_in_fractions() -> None:
    rng = random.Random(7)
    for _ in range(min(DRAWS, 3_000)):
        zone, period, found, _ = _period(rng)
        state, own = _agreed(rng, found)
        length = (period.end - period.start).days
        if own.policy in ("snapshot", "peak") or length < 2:
            continue
        history = {"ws": seat_history(_reports(rng, period), TERMS[zone].states)}
        middle = period.start + timedelta(days=rng.randint(1, length - 1))
        first, second, whole = (
            rate_seats(period, [Segment(start, end, state, own)], history, own.timing, period.end)
            for start, end in ((period.start, middle), (middle, period.end), (period.start, period.end))
        )
        # Each part is rounded once, so that two parts may be one minor unit off the whole.
        assert abs(first.line.amount_minor + second.line.amount_minor - whole.line.amount_minor) <= 1


def test_a_change_that_changes_nothing_costs_nothing() -> None:
    books = Given(usual(), said("ContractDefined", lines=[line("SeatLine")]))
    books.also(said("SeatCountReported", as_of="2026-01-01T08:00:00Z", quantity=48))
    books.run(date(2026, 3, 31))
    again = [said("SeatCountReported", as_of=f"2026-0{n}-1{n}T08:00:00Z", quantity=48) for n in (1, 2, 3)]
    state = said("ContractDefined", revision=2, effective_from="2026-02-14", lines=[line("SeatLine")])
    books.also(*again, state)
    assert books.due(date(2026, 3, 31)) == []

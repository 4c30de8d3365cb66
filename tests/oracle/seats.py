"""Counts seats day by day and prices them (S2-S5): every day asks every report, and nothing is remembered."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from .facts import Facts, State
from .periods import Period, month_day
from .rating import Waiting

WHOLE = ("snapshot", "peak")
ServedDay = tuple[date, State, State]


class Seats:
    """The seat lines of one book of facts for one billing date."""

    def __init__(self, facts: Facts, as_of: date) -> None:
        self.facts, self.as_of = facts, as_of
        self._counts: dict[tuple[Any, ...], int] = {}

    def impossible(self) -> Iterator[Waiting]:
        """What was said last of an instant and cannot be; what was said of it before counts meanwhile."""
        for (client_id, product), said in self.facts.seats.items():
            for system, at in {(one["system"], one["as_of"]) for one in said}:
                last = max((one for one in said if (one["system"], one["as_of"]) == (system, at)), key=_order)
                if last["quantity"] < 0:
                    yield Waiting(client_id, "seat_count", f"{product}/{system}/{at.isoformat()}", "impossible_value")

    def count(self, client_id: str, line: State, day: date) -> int:
        """The count at the end of a local day, of the first system that has ever reported by then; at least the minimum."""
        day = min(day, self.as_of)  # what comes later is not known, the last count is carried on
        key = (client_id, line["product"], tuple(line["systems"]), line["minimum_quantity"], day)
        if key not in self._counts:
            self._counts[key] = self._count(client_id, line, day)
        return self._counts[key]

    def _count(self, client_id: str, line: State, day: date) -> int:
        end = _end(self.facts.client_on(client_id, day)["time_zone"], day)  # type: ignore[index]
        said = self.facts.seats.get((client_id, line["product"]), ())
        said = [one for one in said if one["as_of"] < end and one["quantity"] >= 0]
        for system in line["systems"]:
            own = [one for one in said if one["system"] == system]
            if own:
                return int(max(max(own, key=_order)["quantity"], line["minimum_quantity"] or 0))
        return int(line["minimum_quantity"] or 0)

    def billed(self, client_id: str, state: State, line: State, policy: str, day: date) -> int:
        """What is billed for a day: under `ratchet` the highest count since the last renewal."""
        if policy != "ratchet":
            return self.count(client_id, line, day)
        first = line["starts_on"] or state["starts_on"]
        renewal, terms = first, 0
        while True:
            terms += 1
            following = month_day(first.year * 12 + first.month - 1 + terms * line["term_months"], first.day)
            if following > day:
                break
            renewal = following
        days = (renewal + timedelta(days=n) for n in range((day - renewal).days + 1))
        return max(self.count(client_id, line, one) for one in days)

    def price(self, client_id: str, period: Period, served: list[ServedDay]) -> tuple[Fraction, Fraction | None, Decimal | None]:
        """The exact amount in major units, with the mean quantity and the unit price where there is one."""
        policy, timing = served[0][2]["policy"], served[0][2]["timing"]
        days = [(day, self.billed(client_id, state, line, policy, day), line) for day, state, line in served]
        if policy == "snapshot":
            days = [days[0] if timing == "advance" else days[-1]]
        elif policy == "peak":
            days = [max(days, key=lambda one: one[1])]
        weights = [1] if policy in WHOLE else [_weight(policy, day) for day, _, _ in days]
        whole = 1 if policy in WHOLE else sum(_weight(policy, day) for day in _full(period))
        amount = sum((w * tiered(n, line) for w, (_, n, line) in zip(weights, days, strict=True)), Fraction()) / whole
        prices = {unit_price(n, line) for _, n, line in days}
        if len(prices) > 1 or None in prices:
            return amount, None, None
        return amount, Fraction(sum(w * n for w, (_, n, _) in zip(weights, days, strict=True)), whole), prices.pop()


@cache
def _end(zone: str, day: date) -> datetime:
    """The instant at which a day ends on the clocks of a zone."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)


def _order(one: State) -> tuple[Any, ...]:
    return one["as_of"], one["revision"], one["occurred_at"], one["event_id"].lower()


def tiered(quantity: int, line: State) -> Fraction:
    """What so many seats cost for a full period."""
    if not line["tiers"]:
        return quantity * Fraction(line["unit_price"])
    if line["tier_mode"] == "volume":
        tier = _reached(quantity, line)
        return quantity * Fraction(tier["unit_price"]) + Fraction(tier["flat"] or 0) if quantity else Fraction()
    price, below = Fraction(), Fraction()
    for tier in line["tiers"]:
        top = quantity if tier["up_to"] is None else min(quantity, tier["up_to"])
        if top > below:
            price += (Fraction(top) - below) * Fraction(tier["unit_price"]) + Fraction(tier["flat"] or 0)
            below = Fraction(top)
    return price


def unit_price(quantity: int, line: State) -> Decimal | None:
    """What each of so many seats costs; None where they do not all cost the same, or more than their price."""
    if not line["tiers"]:
        return line["unit_price"]  # type: ignore[no-any-return]
    tier = _reached(quantity, line)
    if tier["flat"] or (line["tier_mode"] == "graduated" and tier != line["tiers"][0]):
        return None
    return tier["unit_price"]  # type: ignore[no-any-return]


def _reached(quantity: int, line: State) -> dict[str, Any]:
    return next(tier for tier in line["tiers"] if tier["up_to"] is None or quantity <= tier["up_to"])


def _full(period: Period) -> Iterator[date]:
    return (period.full_start + timedelta(days=n) for n in range((period.end - period.full_start).days))


def _weight(policy: str, day: date) -> int:
    """A day weighs 1; under `daily_30` day 31 nothing and the last of a short month the rest."""
    if policy != "daily_30":
        return 1
    if day.day == 31:
        return 0
    last = (day + timedelta(days=1)).month != day.month
    return 31 - day.day if last else 1

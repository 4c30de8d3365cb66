"""Seats as people look at them: what each system counts, which of them bills, since when they disagree, and what it comes to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from psycopg import Cursor

from domain.calendar import Period
from domain.contract import SeatLine
from domain.contract_periods import of_kind, segments
from domain.rate_contracts import seat_lines
from domain.terms import ClientTerms
from projections.terms import TermsCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one system counts of a product at the close of a day, and how that stands to what is billed.

    `bills` says that this count is the one billed (before a line's minimum, and unless its policy looks at other days);
    `billed_by` are the contract's and the line's id, null where no line bills the product. `difference` is this count less
    the one that bills, null where none does.
    """

    client_id: str
    client_name: str
    product: str
    system: str
    quantity: int
    counted_at: datetime
    bills: bool = False
    billed_by: tuple[str, str] | None = None
    policy: str | None = None
    difference: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """Days in a row, [since, until), on which systems disagree; without `until` they still do. `days` so far."""

    client_id: str
    client_name: str
    product: str
    since: date
    until: date | None
    counts: Mapping[str, int]
    used_system: str | None
    difference: int
    days: int

    @property
    def last_day(self) -> date | None:
        """The last day on which they disagreed; null where they still do."""
        return self.until - timedelta(days=1) if self.until is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From this day on a system counts so many."""

    product: str
    system: str
    day: date
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Days of a period at one quantity, what they bring (minor units), and how that is worked out."""

    start: date
    end: date
    quantity: int
    net_minor: int
    arithmetic: str

    @property
    def days(self) -> int:
        """How many they are."""
        return (self.end - self.start).days

    @property
    def last_day(self) -> date:
        """The last of them."""
        return self.end - timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatPeriod:
    """One period of a seat line: its stretches add up to its amount, to the minor unit."""

    contract_id: str
    line_id: str
    item_key: str
    start: date
    end: date
    policy: str
    currency: str
    stretches: tuple[Stretch, ...]
    explanation: str

    @property
    def last_day(self) -> date:
        """The last day of the period."""
        return self.end - timedelta(days=1)

    @property
    def net_minor(self) -> int:
        """What the period comes to, without tax."""
        return sum(one.net_minor for one in self.stretches)


# From one system to the next by the index: what it costs grows with the systems, not with all that they ever counted.
_NOW = """
    WITH RECURSIVE g AS (
        (SELECT client_id, product, system FROM seat_counts WHERE %(client)s::text IS NULL OR client_id = %(client)s
            ORDER BY client_id, product, system LIMIT 1)
        UNION ALL SELECT n.* FROM g CROSS JOIN LATERAL (
            SELECT s.client_id, s.product, s.system FROM seat_counts s
            WHERE (s.client_id, s.product, s.system) > (g.client_id, g.product, g.system)
                AND (%(client)s::text IS NULL OR s.client_id = %(client)s)
            ORDER BY s.client_id, s.product, s.system LIMIT 1
        ) n
    )
    SELECT g.client_id, coalesce(k.name, g.client_id), g.product, g.system, l.quantity, l.as_of
    FROM g
    LEFT JOIN clients k USING (client_id)
    CROSS JOIN LATERAL (
        SELECT c.quantity, c.as_of FROM seat_counts c
        WHERE (c.client_id, c.product, c.system) = (g.client_id, g.product, g.system) AND c.quantity BETWEEN 0 AND 10000000
            AND books.local_day(c.as_of, coalesce(k.time_zone, 'UTC')) <= %(day)s
        ORDER BY c.as_of DESC, c.revision DESC, c.occurred_at DESC, c.event_id DESC LIMIT 1
    ) l
    ORDER BY g.client_id COLLATE "C", g.product COLLATE "C", g.system COLLATE "C"
"""


def counted(cursor: Cursor[Any], as_of: date, client_id: str | None = None) -> list[Counted]:
    """The count of each system in force at the close of a day, by client, product and system; which bills is not said yet."""
    rows = cursor.execute(_NOW, {"client": client_id, "day": as_of}).fetchall()
    return [
        Counted(client_id=row[0], client_name=row[1], product=row[2], system=row[3], quantity=row[4], counted_at=row[5])
        for row in rows
    ]


def with_billing(cursor: Cursor[Any], rows: Sequence[Counted], as_of: date, cache: TermsCache) -> list[Counted]:
    """The same with what bills each product; all systems of a product must be among them."""
    terms = cache.clients(cursor, sorted({one.client_id for one in rows}))
    products: dict[tuple[str, str], dict[str, Counted]] = {}
    for one in rows:
        products.setdefault((one.client_id, one.product), {})[one.system] = one
    return [told for (client_id, product), own in products.items() for told in _billed(own, terms[client_id], product, as_of)]


def _billed(own: Mapping[str, Counted], terms: ClientTerms, product: str, as_of: date) -> Iterable[Counted]:
    found = billing(terms, product, as_of)
    if found is None:
        return own.values()
    billed_by, line = found
    used = next((system for system in line.systems if system in own), None)
    return [
        replace(
            one, bills=one.system == used, billed_by=billed_by, policy=line.policy,
            difference=one.quantity - own[used].quantity if used is not None else None,
        )
        for one in own.values()
    ]  # fmt: skip


def billing(terms: ClientTerms, product: str, day: date) -> tuple[tuple[str, str], SeatLine] | None:
    """The (contract, line) that bills a product's seats on a day, with the line as it stands then."""
    ever = Period(date.min, date.max, date.min)
    for (contract_id, line_id), products in seat_lines(terms).items():
        if product in products:
            for one in of_kind(segments(ever, terms.contracts[contract_id], line_id), SeatLine):
                if one.start <= day < one.end and one.line.product == product:
                    return (contract_id, line_id), one.line
    return None


def variances(
    cursor: Cursor[Any], as_of: date, client_id: str | None = None, among: Sequence[str] | None = None
) -> list[Variance]:
    """Where systems disagreed by the close of a day, by client and product, the oldest first; of all, of one or of some."""
    rows = cursor.execute(
        "SELECT v.client_id, coalesce(k.name, v.client_id), v.product, v.since, v.until, v.counts, v.used_system, v.difference"
        " FROM reporting.seat_variance v LEFT JOIN clients k USING (client_id)"
        " WHERE v.since <= %(day)s AND (%(client)s::text IS NULL OR v.client_id = %(client)s)"
        " AND (%(among)s::text[] IS NULL OR v.client_id = ANY(%(among)s))"
        ' ORDER BY v.client_id COLLATE "C", v.product COLLATE "C", v.since',
        {"client": client_id, "day": as_of, "among": list(among) if among is not None else None},
    ).fetchall()
    return [
        Variance(
            client_id=row[0], client_name=row[1], product=row[2], since=row[3],
            until=row[4] if row[4] is not None and row[4] <= as_of else None, counts=row[5], used_system=row[6],
            difference=row[7], days=(min(row[4] or date.max, as_of + timedelta(days=1)) - row[3]).days,
        )
        for row in rows
    ]  # fmt: skip


def disagreeing(cursor: Cursor[Any], as_of: date, rows: Sequence[Counted]) -> dict[tuple[str, str], date]:
    """`since_when` of the products of some counts of that day; the history is read only of clients that disagree now."""
    counts: dict[tuple[str, str], set[int]] = {}
    for one in rows:
        counts.setdefault((one.client_id, one.product), set()).add(one.quantity)
    clients = sorted({client_id for (client_id, _), found in counts.items() if len(found) > 1})
    began = since_when(variances(cursor, as_of, among=clients)) if clients else {}
    return {key: day for key, day in began.items() if key in counts}


def since_when(found: Sequence[Variance]) -> dict[tuple[str, str], date]:
    """By (client, product) the day since which systems disagree without a break, where they still do."""
    began: dict[tuple[str, str], date] = {}
    ended: dict[tuple[str, str], date | None] = {}
    for one in found:
        key = (one.client_id, one.product)
        if key not in began or ended[key] != one.since:
            began[key] = one.since
        ended[key] = one.until
    return {key: day for key, day in began.items() if ended[key] is None}


def steps(cursor: Cursor[Any], client_id: str, since: date, until: date) -> list[Step]:
    """How each system's count changed in the days [since, until], with what it was on the first of them."""
    rows = cursor.execute(
        "SELECT DISTINCT ON (c.product, c.system, d.day) c.product, c.system, d.day, c.quantity"
        " FROM seat_counts c LEFT JOIN clients k USING (client_id)"
        " CROSS JOIN LATERAL (SELECT greatest(books.local_day(c.as_of, coalesce(k.time_zone, 'UTC')), %(since)s) AS day) d"
        " WHERE c.client_id = %(client)s AND c.quantity BETWEEN 0 AND 10000000 AND d.day <= %(until)s"
        " ORDER BY c.product, c.system, d.day, c.as_of DESC, c.revision DESC, c.occurred_at DESC, c.event_id DESC",
        {"client": client_id, "since": since, "until": until},
    ).fetchall()
    found: list[Step] = []
    for product, system, day, quantity in rows:
        last = found[-1] if found else None
        if last is None or (last.product, last.system, last.quantity) != (product, system, quantity):
            found.append(Step(product=product, system=system, day=day, quantity=quantity))
    return found


def periods(
    cursor: Cursor[Any], client_id: str, most: int, item_key: str | None = None, *, as_of: date | None = None
) -> list[SeatPeriod]:
    """The newest periods of a client's seat lines, or those of one item, with their stretches; begun by a day, or all."""
    rows = cursor.execute(
        "SELECT s.item_key, s.contract_id, s.line_id, s.period_start, s.period_end, s.policy, s.currency, s.segment_start,"
        " s.segment_end, s.quantity, s.net_minor, c.explanation FROM seat_charges s JOIN charges c USING (client_id, item_key)"
        " WHERE s.client_id = %(client)s AND (%(item)s::text IS NULL OR s.item_key = %(item)s)"
        " AND (%(as_of)s::date IS NULL OR s.period_start <= %(as_of)s)"
        ' ORDER BY s.period_start DESC, s.item_key COLLATE "C", s.segment_no',
        {"client": client_id, "item": item_key, "as_of": as_of},
    ).fetchall()
    by_item: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in rows:
        by_item.setdefault((row[0], row[6]), []).append(row)
    return [_period(own) for own in list(by_item.values())[:most]]


def _period(rows: Sequence[tuple[Any, ...]]) -> SeatPeriod:
    key, contract_id, line_id, start, end, policy, currency, *_, explanation = rows[0]
    told = _told(explanation, currency, len(rows))
    return SeatPeriod(
        contract_id=contract_id, line_id=line_id, item_key=key, start=start, end=end, policy=policy, currency=currency,
        stretches=tuple(
            Stretch(start=row[7], end=row[8], quantity=row[9], net_minor=row[10], arithmetic=text)
            for row, text in zip(rows, told, strict=True)
        ),
        explanation=explanation,
    )  # fmt: skip


def _told(explanation: str, currency: str, count: int) -> list[str]:
    """What the line's arithmetic says of each stretch; nothing where an item has lines of other kinds beside it."""
    for line in explanation.split("; "):
        parts, _, result = line.rpartition(" = ")
        if result.startswith(f"{currency} ") and len(found := parts.split(" + ")) == count:
            return found
    return [""] * count

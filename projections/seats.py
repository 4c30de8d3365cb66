"""The seat counts view: what each system counted, and what a new count makes necessary to rate again."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from psycopg import Cursor

from domain.contract import SeatLine
from domain.rate_contracts import seat_lines
from domain.rated import Waiting
from domain.readings import SeatCountReported
from domain.seat_counts import History, count_fault, day_of, seat_history
from domain.seat_polls import MOST_SEATS
from domain.terms import ClientTerms
from ledger.book import RecordedEvent
from ledger.event_codec import decode
from projections.tables import SEAT_COUNTS, replace_rows

TOPICS: Final = frozenset((SeatCountReported.TOPIC,))
WHAT: Final = "seat_count"
# No billing period is longer than a year, no month than 31 days, and no zone further than a day from UTC.
LOOK_BACK_DAYS: Final = 370
MONTH_DAYS: Final = 31

Product = tuple[str, str]
"""(client id, product)."""


def fold(cursor: Cursor[Any], events: Iterable[RecordedEvent]) -> list[SeatCountReported]:
    """Keeps the counts among some events."""
    said = [decode(event.topic, event.state) for event in events if event.topic == SeatCountReported.TOPIC]
    rows = {row[:3]: row for row in map(_row, said)}
    replace_rows(cursor, SEAT_COUNTS, list(rows), rows.values())
    return said


def _row(one: SeatCountReported) -> tuple[Any, ...]:
    return (
        one.client_id, one.product, UUID(one.event_id), one.system, one.as_of, one.revision, one.occurred_at, one.quantity,
    )  # fmt: skip


def first_days(said: Iterable[SeatCountReported], terms: Mapping[str, ClientTerms]) -> dict[str, dict[str, date]]:
    """By client and product the first day on which one of these counts can make a difference."""
    found: dict[str, dict[str, date]] = {}
    for one in said:
        if count_fault(one) is not None:
            continue
        day = day_of(one, terms[one.client_id].states)
        days = found.setdefault(one.client_id, {})
        days[one.product] = min(days.get(one.product, day), day)
    return found


def uncounted(cursor: Cursor[Any], said: Sequence[SeatCountReported]) -> tuple[list[tuple[str, str, str]], list[Waiting]]:
    """Counts that cannot be, as they wait, and the keys of all that was said anew: a later revision ends a wait."""
    if not said:
        return [], []
    rows = cursor.execute(
        "SELECT DISTINCT ON (c.client_id, c.product, c.system, c.as_of)"
        " c.client_id, c.product, c.event_id, c.system, c.as_of, c.revision, c.occurred_at, c.quantity"
        " FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS w(client_id, product, system, as_of)"
        " CROSS JOIN LATERAL (SELECT * FROM seat_counts s WHERE s.client_id = w.client_id AND s.product = w.product"
        " AND s.system = w.system AND s.as_of = w.as_of OFFSET 0) c"
        " ORDER BY c.client_id, c.product, c.system, c.as_of, c.revision DESC, c.occurred_at DESC, c.event_id DESC",
        [
            [one.client_id for one in said], [one.product for one in said], [one.system for one in said],
            [one.as_of for one in said],
        ],
    ).fetchall()  # fmt: skip
    standing = [_report(row) for row in rows]
    waiting = [
        Waiting(client_id=one.client_id, what=WHAT, id=_id(one), reason=fault, since=one.occurred_at)
        for one in standing
        if (fault := count_fault(one)) is not None
    ]
    return [(one.client_id, WHAT, _id(one)) for one in standing], waiting


def _id(one: SeatCountReported) -> str:
    # Percent-encoded like the keys of items: a product may be called a/b.
    return f"{quote(one.product, safe='')}/{quote(one.system, safe='')}/{one.as_of.astimezone(UTC).isoformat()}"


def load(cursor: Cursor[Any], terms: Mapping[str, ClientTerms]) -> dict[str, dict[str, History]]:
    """The whole history of every product of some clients."""
    rows = cursor.execute(
        "SELECT client_id, product, event_id, system, as_of, revision, occurred_at, quantity FROM seat_counts"
        " WHERE client_id = ANY(%s)",
        (list(terms),),
    ).fetchall()
    return _histories(rows, terms)


def load_since(
    cursor: Cursor[Any], days: Mapping[str, Mapping[str, date]], terms: Mapping[str, ClientTerms]
) -> dict[str, dict[str, History]]:
    """As much of some products' histories as rating their periods from a day on needs, however long they are.

    Of each system that a line names: what it reported from a year before on (under `ratchet` a year and a term, for that
    looks back to the last renewal), and the last day before that on which it did.
    """
    wanted = [
        (client_id, product, system, _instant(day, _months_back(terms[client_id], product)))
        for client_id, of_client in days.items()
        for product, day in _looked_at(terms[client_id], of_client).items()
        for system in _systems(terms[client_id], product)
    ]
    rows = cursor.execute(_SINCE, [*map(list, zip(*wanted, strict=True)), MOST_SEATS]).fetchall() if wanted else []
    return _histories(rows, terms)


_SINCE: Final = """
    WITH wanted AS (
        SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[]) AS w(client_id, product, system, since)
    ),
    found AS (
        SELECT c.* FROM wanted w CROSS JOIN LATERAL (
            SELECT * FROM seat_counts s
            WHERE s.client_id = w.client_id AND s.product = w.product AND s.system = w.system AND s.as_of >= w.since
            OFFSET 0  -- by the index, whatever share of the table is one client's
        ) c
        UNION ALL
        SELECT c.* FROM wanted w CROSS JOIN LATERAL (
            SELECT p.as_of FROM seat_counts p
            WHERE p.client_id = w.client_id AND p.product = w.product AND p.system = w.system AND p.as_of < w.since
                AND p.quantity BETWEEN 0 AND %s
            ORDER BY p.as_of DESC LIMIT 1
        ) last
        JOIN seat_counts c ON c.client_id = w.client_id AND c.product = w.product AND c.system = w.system
            AND c.as_of > last.as_of - interval '2 days' AND c.as_of <= last.as_of
    )
    SELECT client_id, product, event_id, system, as_of, revision, occurred_at, quantity FROM found
"""


def _systems(terms: ClientTerms, product: str) -> set[str]:
    return {system for one in seat_states(terms) if one.product == product for system in one.systems}


def _looked_at(terms: ClientTerms, changed: Mapping[str, date]) -> dict[str, date]:
    """The products whose counts decide what is rated again, each with the first day: a line may have billed another before."""
    found: dict[str, date] = {}
    for products in seat_lines(terms).values():
        days = [changed[product] for product in products if product in changed]
        for product in products if days else ():
            found[product] = min([*days, found.get(product, date.max)])
    return found


def _months_back(terms: ClientTerms, product: str) -> int:
    """How many months a ratchet on the product can look back from a day that is rated."""
    return max((one.term_months for one in seat_states(terms) if one.product == product and one.policy == "ratchet"), default=0)


def _instant(day: date, months: int) -> datetime:
    """From when on counts are looked at for what is served from a day on."""
    first = max(day.toordinal() - LOOK_BACK_DAYS - months * MONTH_DAYS, 1)
    return datetime.combine(date.fromordinal(first), time(), UTC)


def _histories(rows: Iterable[tuple[Any, ...]], terms: Mapping[str, ClientTerms]) -> dict[str, dict[str, History]]:
    said: dict[Product, list[SeatCountReported]] = {}
    for row in rows:
        one = _report(row)
        said.setdefault((one.client_id, one.product), []).append(one)
    found: dict[str, dict[str, History]] = {client_id: {} for client_id in terms}
    for (client_id, product), reports in said.items():
        found[client_id][product] = seat_history(reports, terms[client_id].states)
    return found


def _report(row: Sequence[Any]) -> SeatCountReported:
    client_id, product, event_id, system, as_of, revision, occurred_at, quantity = row
    return SeatCountReported(
        event_id=str(event_id), source="", occurred_at=occurred_at, client_id=client_id, product=product, system=system,
        quantity=quantity, as_of=as_of, revision=revision,
    )  # fmt: skip


def seat_states(terms: ClientTerms) -> list[SeatLine]:
    """Every state of every seat line of a client."""
    return [
        line
        for states in terms.contracts.values()
        for state in states.states
        for line in state.lines
        if isinstance(line, SeatLine)
    ]

"""How the business stands, in one currency: revenue, what is owed, what is not billed yet, seats, and how soon clients pay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, LiteralString

from psycopg import Cursor

from domain.contract_terms import is_currency
from domain.receivables import AGES, age_of

MONTHS: Final = 12
WEEKS: Final = 26
MOST_KINDS: Final = 5
"""So many kinds are told apart; the smaller ones are one, `Other`."""
OTHER: Final = "Other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revenue:
    """What was invoiced in a month (its first day) less what was credited, net of tax, of one kind."""

    month: date
    kind: str
    net_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbilled:
    """What is due and not invoiced, by the month in which its service began; what is held is part of it."""

    month: date
    net_minor: int
    held_minor: int
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seats:
    """The seats that are billed on a day, over all clients."""

    day: date
    quantity: int
    clients: int

    @property
    def week(self) -> date:
        """The Monday of the day's week."""
        return self.day - timedelta(days=self.day.weekday())


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """The invoices settled in a month: how many days after their issue, the middle one of them and the slowest."""

    month: date
    invoices: int
    median_days: int
    most_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """Everything on one page, of one currency, at the close of a day."""

    currency: str
    currencies: tuple[str, ...]
    as_of: date
    revenue: tuple[Revenue, ...]
    ageing: dict[str, int]
    overdue_clients: int
    unbilled: tuple[Unbilled, ...]
    unapproved_minutes: int
    seats: tuple[Seats, ...]
    paid: tuple[Paid, ...]


def dashboard(cursor: Cursor[Any], as_of: date, currency: str | None = None) -> Dashboard:
    """The figures as of the business day; of another currency than the books know, those of the one that most is in.

    The currency is empty where there is nobody yet to bill.
    """
    currencies = _currencies(cursor)
    chosen = currency if currency in currencies else currencies[0] if currencies else ""
    ageing, overdue_clients = _ageing(cursor, chosen, as_of)
    return Dashboard(
        currency=chosen,
        currencies=tuple(sorted(currencies)),
        as_of=as_of,
        revenue=_revenue(cursor, chosen, as_of),
        ageing=ageing,
        overdue_clients=overdue_clients,
        unbilled=_unbilled(cursor, chosen, as_of),
        unapproved_minutes=_unapproved(cursor, as_of),
        seats=_seats(cursor, as_of),
        paid=_paid(cursor, chosen, as_of),
    )


def _currencies(cursor: Cursor[Any]) -> list[str]:
    rows = cursor.execute(
        "SELECT currency FROM (SELECT currency FROM invoices UNION ALL SELECT currency FROM due_lines"
        " UNION ALL SELECT currency FROM clients) AS seen"
        ' GROUP BY 1 ORDER BY count(*) DESC, currency COLLATE "C"'
    ).fetchall()
    return [currency for (currency,) in rows if is_currency(currency)]


def months_to(as_of: date, count: int = MONTHS) -> list[date]:
    """The first days of the last months, the one of the day itself last."""
    ends = as_of.year * 12 + as_of.month - 1
    return [date(n // 12, n % 12 + 1, 1) for n in range(max(ends - count + 1, 12), ends + 1)]


# A charge type has a name of its own; what a contract bills is told apart by the rule that priced it.
_REVENUE: LiteralString = """
    SELECT date_trunc('month', i.issued_on)::date,
        CASE WHEN l.charge_type IS NOT NULL THEN coalesce(l.charge_type, '')
            WHEN l.rule LIKE 'seat%%' THEN ':seats' ELSE ':contract' END,
        sum(l.net_minor)::bigint
    FROM invoices i JOIN invoice_lines l USING (client_id, number)
    WHERE i.currency = %s AND i.issued_on BETWEEN %s AND %s GROUP BY 1, 2
"""
CONTRACT_KINDS: Final = {":seats": "Seats", ":contract": "Contract charges"}


def _revenue(cursor: Cursor[Any], currency: str, as_of: date) -> tuple[Revenue, ...]:
    rows = cursor.execute(_REVENUE, (currency, months_to(as_of)[0], as_of)).fetchall()
    return _grouped([Revenue(month=month, kind=kind, net_minor=net) for month, kind, net in rows])


def _grouped(rows: Sequence[Revenue]) -> tuple[Revenue, ...]:
    """The largest kinds by themselves, the rest as one, by month and size."""
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[row.kind] = sizes.get(row.kind, 0) + abs(row.net_minor)
    order = sorted(sizes, key=lambda kind: (-sizes[kind], kind))
    # One more kind than there is room for is as well shown by its own name.
    named = order if len(order) <= MOST_KINDS + 1 else order[:MOST_KINDS]
    sums: dict[tuple[date, str], int] = {}
    for row in rows:
        key = (row.month, row.kind if row.kind in named else OTHER)
        sums[key] = sums.get(key, 0) + row.net_minor
    place = {kind: n for n, kind in enumerate([*named, OTHER])}
    return tuple(
        Revenue(month=month, kind=kind, net_minor=sums[month, kind])
        for month, kind in sorted(sums, key=lambda one: (one[0], place[one[1]]))
    )


def _ageing(cursor: Cursor[Any], currency: str, as_of: date) -> tuple[dict[str, int], int]:
    rows = cursor.execute(
        "SELECT client_id, due_on, outstanding_minor FROM open_items"
        " WHERE currency = %s AND outstanding_minor > 0 AND issued_on <= %s",
        (currency, as_of),
    ).fetchall()
    buckets = dict.fromkeys(AGES, 0)
    overdue: set[str] = set()
    for client_id, due_on, outstanding in rows:
        age = age_of(due_on, as_of)
        buckets[age] += outstanding
        if age != "current":
            overdue.add(client_id)
    return buckets, len(overdue)


def _unbilled(cursor: Cursor[Any], currency: str, as_of: date) -> tuple[Unbilled, ...]:
    rows = cursor.execute(
        "SELECT date_trunc('month', d.service_from)::date, sum(d.net_minor)::bigint,"
        " coalesce(sum(d.net_minor) FILTER (WHERE h.item_key IS NOT NULL), 0)::bigint, count(*)"
        " FROM due_lines d LEFT JOIN holds h USING (client_id, item_key)"
        " WHERE d.currency = %s AND d.due_on <= %s GROUP BY 1 ORDER BY 1",
        (currency, as_of),
    ).fetchall()
    return tuple(Unbilled(month=m, net_minor=net, held_minor=held, lines=count) for m, net, held, count in rows)


def _unapproved(cursor: Cursor[Any], as_of: date) -> int:
    row = cursor.execute(
        "SELECT coalesce(sum(minutes), 0)::bigint FROM waiting"
        " WHERE reason IN ('awaiting_approval', 'amended_after_invoicing') AND served_on <= %s",
        (as_of,),
    ).fetchone()
    return int(row[0]) if row is not None else 0


def _seats(cursor: Cursor[Any], as_of: date) -> tuple[Seats, ...]:
    """At the close of each week, Monday to Sunday, today last; from the first week in which any are billed."""
    sunday = as_of + timedelta(days=6 - as_of.weekday())
    days = [min(sunday - timedelta(weeks=n), as_of) for n in range(WEEKS - 1, -1, -1)]
    rows = cursor.execute(
        "SELECT w.day, coalesce(sum(s.quantity), 0)::bigint, count(DISTINCT s.client_id) FROM unnest(%s::date[]) AS w(day)"
        " LEFT JOIN seat_charges s ON s.segment_start <= w.day AND w.day <= s.segment_end GROUP BY 1 ORDER BY 1",
        (days,),
    ).fetchall()
    found = [Seats(day=day, quantity=quantity, clients=clients) for day, quantity, clients in rows]
    first = next((n for n, one in enumerate(found) if one.clients), len(found))
    return tuple(found[first:])


def _paid(cursor: Cursor[Any], currency: str, as_of: date) -> tuple[Paid, ...]:
    """Invoices of nothing are settled as they are issued, by nobody."""
    rows = cursor.execute(
        "SELECT date_trunc('month', settled_on)::date, count(*),"
        " percentile_disc(0.5) WITHIN GROUP (ORDER BY settled_on - issued_on), max(settled_on - issued_on)"
        " FROM open_items WHERE currency = %s AND total_minor > 0 AND status = 'settled' AND settled_on BETWEEN %s AND %s"
        " GROUP BY 1 ORDER BY 1",
        (currency, months_to(as_of)[0], as_of),
    ).fetchall()
    return tuple(Paid(month=m, invoices=n, median_days=median, most_days=most) for m, n, median, most in rows)

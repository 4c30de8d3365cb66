"""Payments as people look through them: what each pays, what went back, what is credit, and which wait and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, LiteralString

from psycopg import Cursor

from projections.receivables import UNKNOWN_PAYER
from projections.returned import OWNED, of_clients

PAGE: Final = 200

Key = tuple[str, str]
"""(client id, payment id): one payment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """Which payments; null fields leave all in. Days are the clients' days on which money came."""

    client_ids: tuple[str, ...] | None = None
    payment_id: str | None = None
    since: date | None = None
    until: date | None = None
    method: str | None = None
    unapplied: bool = False
    waiting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """Part of a payment and the invoice that it pays."""

    number: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """One payment as it stands now; `waiting` says why it waits, if it does."""

    client_id: str
    client_name: str
    payment_id: str
    currency: str
    amount_minor: int
    surcharge_minor: int
    fee_minor: int
    received_at: datetime
    received_on: date
    method: str
    invoice_numbers: tuple[str, ...]
    provider: str | None
    provider_ref: str | None
    applied_minor: int
    returned_minor: int
    unapplied_minor: int
    waiting: str | None
    pays: tuple[Paid, ...]

    @property
    def payer_known(self) -> bool:
        """Whether anybody said whose it is."""
        return self.client_id != UNKNOWN_PAYER

    @property
    def for_invoices_minor(self) -> int:
        """What of it can pay invoices: without the surcharge (R1)."""
        return self.amount_minor - self.surcharge_minor


# A payment of nobody that waits no more is a client's by now, and stands there.
_FROM: LiteralString = """
    FROM payments p
        LEFT JOIN credits c ON c.client_id = p.client_id AND c.source = p.payment_id AND c.kind = 'payment'
        LEFT JOIN clients n ON n.client_id = p.client_id
        LEFT JOIN waiting w ON w.client_id = p.client_id AND w.what = 'payment' AND w.id = p.payment_id
    WHERE (p.client_id <> '?' OR w.reason IS NOT NULL)
      AND (%(client_ids)s::text[] IS NULL OR p.client_id = ANY(%(client_ids)s))
      AND (%(payment_id)s::text IS NULL OR p.payment_id = %(payment_id)s)
      AND (%(since)s::date IS NULL OR coalesce(c.received_on, (p.received_at AT TIME ZONE 'UTC')::date) >= %(since)s)
      AND (%(until)s::date IS NULL OR coalesce(c.received_on, (p.received_at AT TIME ZONE 'UTC')::date) <= %(until)s)
      AND (%(method)s::text IS NULL OR p.method = %(method)s)
      AND (NOT %(unapplied)s OR c.unapplied_minor > 0)
      AND (NOT %(waiting)s OR w.reason IS NOT NULL)
"""
_COLUMNS: LiteralString = """
    SELECT p.client_id, coalesce(n.name, p.client_id), p.payment_id, p.currency, p.amount_minor, p.surcharge_minor,
        p.fee_minor, p.received_at, coalesce(c.received_on, (p.received_at AT TIME ZONE 'UTC')::date), p.method,
        p.invoice_numbers, p.provider, p.provider_ref, coalesce(c.applied_minor, 0), coalesce(c.returned_minor, 0),
        coalesce(c.unapplied_minor, 0), w.reason
"""
_LAST_FIRST: LiteralString = (
    ' ORDER BY p.received_at DESC, p.client_id COLLATE "C", p.payment_id COLLATE "C" LIMIT %(limit)s OFFSET %(offset)s'
)
_AFTER: LiteralString = """
      AND (%(last_at)s::timestamptz IS NULL
            OR (p.received_at, p.client_id COLLATE "C", p.payment_id COLLATE "C") > (%(last_at)s, %(last_client)s, %(last_id)s))
    ORDER BY p.received_at, p.client_id COLLATE "C", p.payment_id COLLATE "C" LIMIT %(limit)s
"""


def payment_rows(cursor: Cursor[Any], only: PaymentFilter, page: int = 1) -> list[PaymentRow]:
    """One page of payments, the newest money first."""
    return newest_payments(cursor, only, PAGE, (page - 1) * PAGE)


def newest_payments(cursor: Cursor[Any], only: PaymentFilter, limit: int, offset: int = 0) -> list[PaymentRow]:
    """So many payments, the newest money first."""
    given = {**_parameters(only), "limit": limit, "offset": offset}
    return _with_what_they_pay(cursor, cursor.execute(_COLUMNS + _FROM + _LAST_FIRST, given).fetchall())


def payments_after(cursor: Cursor[Any], only: PaymentFilter, last: tuple[str, str, str] | None, limit: int) -> list[PaymentRow]:
    """Payments in the order in which the money came, after the one of a key (instant, client id, payment id)."""
    at, client_id, payment_id = last or (None, "", "")
    given = {**_parameters(only), "last_at": at, "last_client": client_id, "last_id": payment_id, "limit": limit}
    return _with_what_they_pay(cursor, cursor.execute(_COLUMNS + _FROM + _AFTER, given).fetchall())


def payment_sums(cursor: Cursor[Any], only: PaymentFilter) -> list[tuple[str, int, int, int]]:
    """(currency, payments, minor units received, minor units unapplied) of everything that matches."""
    rows = cursor.execute(
        "SELECT p.currency, count(*), sum(p.amount_minor)::numeric, sum(coalesce(c.unapplied_minor, 0))::numeric"
        + _FROM
        + " GROUP BY 1 ORDER BY 1",
        _parameters(only),
    ).fetchall()
    return [(r[0], r[1], int(r[2]), int(r[3])) for r in rows]


def _parameters(only: PaymentFilter) -> dict[str, Any]:
    return {
        "client_ids": list(only.client_ids) if only.client_ids is not None else None, "payment_id": only.payment_id,
        "since": only.since, "until": only.until, "method": only.method, "unapplied": only.unapplied,
        "waiting": only.waiting,
    }  # fmt: skip


def _with_what_they_pay(cursor: Cursor[Any], rows: Sequence[tuple[Any, ...]]) -> list[PaymentRow]:
    pays = what_they_pay(cursor, [(row[0], row[2]) for row in rows])
    return [
        PaymentRow(
            client_id=r[0], client_name=r[1], payment_id=r[2], currency=r[3], amount_minor=r[4], surcharge_minor=r[5],
            fee_minor=r[6], received_at=r[7], received_on=r[8], method=r[9], invoice_numbers=tuple(r[10]), provider=r[11],
            provider_ref=r[12], applied_minor=r[13], returned_minor=r[14], unapplied_minor=r[15], waiting=r[16],
            pays=pays.get((r[0], r[2]), ()),
        )
        for r in rows
    ]  # fmt: skip


def what_they_pay(cursor: Cursor[Any], keys: Sequence[Key]) -> dict[Key, tuple[Paid, ...]]:
    """What some payments pay of which invoices as things stand, in the order in which they were allocated."""
    found: dict[Key, list[Paid]] = {}
    if keys:
        rows = cursor.execute(
            "SELECT a.client_id, a.source, a.number, sum(a.amount_minor)::bigint FROM allocations a"
            " WHERE a.client_id = ANY(%s) AND a.source = ANY(%s) AND a.kind = 'payment'"
            " GROUP BY 1, 2, 3 HAVING sum(a.amount_minor) <> 0 ORDER BY 1, 2, min(a.allocation_no)",
            (sorted({client_id for client_id, _ in keys}), sorted({payment_id for _, payment_id in keys})),
        ).fetchall()
        for client_id, source, number, amount in rows:
            found.setdefault((client_id, source), []).append(Paid(number=number, amount_minor=amount))
    return {key: tuple(paid) for key, paid in found.items()}


# ---- one payment, as it was said


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one client's facts say of a payment; `source` is who said so."""

    client_id: str
    payment_id: str
    currency: str
    amount_minor: int
    surcharge_minor: int
    fee_minor: int
    received_at: datetime
    method: str
    invoice_numbers: tuple[str, ...]
    provider: str | None
    provider_ref: str | None
    occurred_at: datetime
    source: str


def statements(cursor: Cursor[Any], payment_id: str) -> list[Statement]:
    """Everything that counts as said of a payment id, under whichever client, the first statement first."""
    rows = cursor.execute(
        "SELECT p.client_id, p.payment_id, p.currency, p.amount_minor, p.surcharge_minor, p.fee_minor, p.received_at, p.method,"
        " p.invoice_numbers, p.provider, p.provider_ref, p.occurred_at, convert_from(e.state, 'UTF8')::jsonb ->> 'source'"
        " FROM payments p JOIN ledger.daybook_events e USING (event_id) WHERE p.payment_id = %s"
        " ORDER BY p.occurred_at, p.event_id",
        (payment_id,),
    ).fetchall()
    return [
        Statement(
            client_id=r[0], payment_id=r[1], currency=r[2], amount_minor=r[3], surcharge_minor=r[4], fee_minor=r[5],
            received_at=r[6], method=r[7], invoice_numbers=tuple(r[8]), provider=r[9], provider_ref=r[10], occurred_at=r[11],
            source=r[12],
        )
        for r in rows
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRow:
    """A refund or chargeback (`kind`); `waiting` says why it is not counted, if so."""

    client_id: str
    client_name: str
    refund_id: str
    payment_id: str
    kind: str
    amount_minor: int
    currency: str | None
    returned_at: datetime
    waiting: str | None


# One of money of nobody is listed with the client whose payment it is by now. `waiting` names it as `return_name` does.
_RETURNS_FROM: LiteralString = """
    SELECT f.client_id, coalesce(n.name, f.client_id), f.refund_id, f.payment_id, f.kind, f.amount_minor, f.currency,
        f.returned_at, w.reason
    FROM (
        SELECT coalesce(p.client_id, r.client_id) AS client_id, r.refund_id, r.payment_id, r.kind, r.amount_minor,
            coalesce(r.currency, p.currency) AS currency, r.returned_at
"""
_RETURNS_LISTED: LiteralString = """
            AND (%(client_id)s::text IS NULL OR r.client_id IN (%(client_id)s, '?'))
            AND (%(payment_id)s::text IS NULL OR r.payment_id = %(payment_id)s)
    ) f
        LEFT JOIN clients n ON n.client_id = f.client_id
        LEFT JOIN waiting w ON w.client_id = f.client_id AND w.what = 'refund'
            AND w.id = replace(replace(f.refund_id, '%%', '%%25'), '/', '%%2F') || '/' || f.payment_id
    WHERE (%(client_id)s::text IS NULL OR f.client_id = %(client_id)s)
      AND (NOT %(waiting)s OR w.reason IS NOT NULL)
    ORDER BY f.returned_at, f.client_id COLLATE "C", f.refund_id COLLATE "C", f.payment_id COLLATE "C" LIMIT %(limit)s
"""
_RETURNS: LiteralString = _RETURNS_FROM + OWNED + _RETURNS_LISTED


def returns(
    cursor: Cursor[Any], *, client_id: str | None = None, payment_id: str | None = None, waiting: bool = False
) -> list[ReturnRow]:
    """What went back, in the order of its instants; at most one page where it is not one client's."""
    given = {"client_id": client_id, "payment_id": payment_id, "waiting": waiting, "limit": PAGE if client_id is None else None}
    return [
        ReturnRow(
            client_id=r[0], client_name=r[1], refund_id=r[2], payment_id=r[3], kind=r[4], amount_minor=r[5], currency=r[6],
            returned_at=r[7], waiting=r[8],
        )
        for r in cursor.execute(_RETURNS, given).fetchall()
    ]  # fmt: skip


def returned_minor(cursor: Cursor[Any], client_id: str, payment_id: str, refund_id: str) -> tuple[int, int | None]:
    """What of a payment went back by everything but one refund, and what that one said, null where nobody said it."""
    said = {row[1]: row[3] for row in of_clients(cursor, [client_id]) if row[2] == payment_id}
    return sum(amount for name, amount in said.items() if name != refund_id), said.get(refund_id)

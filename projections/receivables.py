"""The receivables view: what was paid, what it pays, and what is still open; each account that is touched is settled anew."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import Cursor, sql

from domain.calendar import is_plausible, local_day
from domain.client_account import ClientDefined
from domain.contract_terms import is_currency
from domain.invoice import CreditNoteIssued, InvoiceIssued
from domain.money import MOST_MINOR
from domain.payment import PaymentChargedBack, PaymentReceived, PaymentRefunded
from domain.rated import Waiting
from domain.receivables import Account, Issued, Received, Returned, settle
from domain.terms import ClientTerms, zone_of
from ledger.book import RecordedEvent
from ledger.event_codec import decode
from projections.charges import waiting_row
from projections.tables import (
    ALLOCATIONS,
    CREDITS,
    OPEN_ITEMS,
    PAYMENTS,
    RETURNS,
    WAITING,
    Table,
    copy_in,
    delete_keys,
    replace_rows,
)
from projections.terms import TermsCache

TABLES: Final[tuple[Table, ...]] = (PAYMENTS, RETURNS, OPEN_ITEMS, CREDITS, ALLOCATIONS)
WHATS: Final = ("payment", "refund")
UNKNOWN_PAYER: Final = "?"
# Nobody knows of money before it moved; clocks and zones of two systems may differ by a day.
ROUND_A_DAY: Final = timedelta(days=1)
_DOCUMENTS: Final = (InvoiceIssued.TOPIC, CreditNoteIssued.TOPIC)
_RETURNS: Final = {PaymentRefunded.TOPIC: "refund", PaymentChargedBack.TOPIC: "chargeback"}
TOPICS: Final = frozenset((PaymentReceived.TOPIC, *_RETURNS))

Key = tuple[str, str]
"""(client id, currency): one account."""


@dataclass(slots=True)
class Client:
    """All that one client's accounts are settled from; `use_credit` is the last revision's (product D5, R2)."""

    documents: dict[str, list[Issued]] = field(default_factory=dict)
    payments: dict[str, list[Received]] = field(default_factory=dict)
    returns: list[Returned] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    use_credit: bool = False

    def currencies(self) -> list[str]:
        """The currencies in which it has an account."""
        return sorted(self.documents.keys() | self.payments.keys())

    def account(self, currency: str, as_of: date = date.max) -> Account:
        """One account as of the close of a day."""
        payments = self.payments.get(currency, [])
        ids = {payment.payment_id for payment in payments}
        return settle(
            self.documents.get(currency, []),
            payments,
            [one for one in self.returns if one.payment_id in ids],
            use_credit=self.use_credit,
            as_of=as_of,
        )


def process(cursor: Cursor[Any], events: Sequence[RecordedEvent], cache: TermsCache) -> None:
    """Brings the view on by one batch of events, in the caller's transaction."""
    touched: set[str] = set()
    paid: list[tuple[Any, ...]] = []
    returned: list[tuple[Any, ...]] = []
    for event in events:
        if event.topic == PaymentReceived.TOPIC:
            paid.append(_payment_row(decode(event.topic, event.state)))
        elif event.topic in _RETURNS:
            returned.append(_return_row(_RETURNS[event.topic], decode(event.topic, event.state)))
        elif event.topic not in _DOCUMENTS and event.topic != ClientDefined.TOPIC:
            continue
        touched.add(event.client_id)
    if not touched:
        return
    _keep(cursor, PAYMENTS, paid)
    _keep(cursor, RETURNS, returned)
    touched |= _claimed(cursor, [row[1] for row in paid])
    settle_clients(cursor, sorted(touched), cache)


def _payment_row(one: PaymentReceived) -> tuple[Any, ...]:
    return (
        one.client_id, one.payment_id, UUID(one.event_id), one.occurred_at, one.currency, one.amount_minor,
        one.surcharge_minor, one.fee_minor, one.received_at, one.method, list(one.invoice_numbers), one.provider,
        one.provider_ref,
    )  # fmt: skip


def _return_row(kind: str, one: PaymentRefunded | PaymentChargedBack) -> tuple[Any, ...]:
    return (
        one.client_id, one.refund_id, UUID(one.event_id), one.occurred_at, one.payment_id, kind, one.amount_minor,
        one.currency, one.at or one.occurred_at,
    )  # fmt: skip


def _keep(cursor: Cursor[Any], table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """One row a thing, however often it was said: the earliest statement stands, whatever the order of arrival."""
    if not rows:
        return
    keys = sorted({row[:2] for row in rows})
    chosen: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in (*_rows(cursor, table, keys), *rows):
        stands = chosen.setdefault(row[:2], row)
        if (row[3], row[2]) < (stands[3], stands[2]):
            chosen[row[:2]] = row
    replace_rows(cursor, table, keys, chosen.values())


def _rows(cursor: Cursor[Any], table: Table, keys: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    name, (client, own) = sql.Identifier(table.name), map(sql.Identifier, table.names[:2])
    statement = sql.SQL(
        "SELECT {columns} FROM {name} t JOIN unnest(%s::text[], %s::text[]) AS k(c, i) ON t.{client} = k.c AND t.{own} = k.i"
    ).format(columns=sql.SQL(", ").join(map(sql.Identifier, table.names)), name=name, client=client, own=own)
    return cursor.execute(statement, [list(column) for column in zip(*keys, strict=True)]).fetchall()


def _claimed(cursor: Cursor[Any], payment_ids: Sequence[str]) -> set[str]:
    """The unknown payer, where one of these payments waits for somebody to say whose it is."""
    rows = cursor.execute(
        "SELECT 1 FROM payments WHERE client_id = %s AND payment_id = ANY(%s) LIMIT 1", (UNKNOWN_PAYER, list(payment_ids))
    ).fetchall()
    return {UNKNOWN_PAYER} if rows else set()


# ---- settling ----


def settle_clients(cursor: Cursor[Any], client_ids: Sequence[str], cache: TermsCache) -> None:
    """Settles every account of some clients anew and puts the result in the place of what the view had."""
    clients = load(cursor, client_ids, cache.clients(cursor, client_ids))
    for table in (OPEN_ITEMS, CREDITS, ALLOCATIONS):
        delete_keys(cursor, table, [(client_id,) for client_id in client_ids])
    delete_keys(cursor, WAITING, [(client_id, what) for client_id in client_ids for what in WHATS])
    items: list[tuple[Any, ...]] = []
    credits: list[tuple[Any, ...]] = []
    allocations: list[tuple[Any, ...]] = []
    waiting: list[Waiting] = []
    for client_id, client in clients.items():
        waiting += client.waiting
        for currency in client.currencies():
            account = client.account(currency)
            items += _item_rows(client_id, currency, account)
            credits += _credit_rows(client_id, currency, account)
            allocations += _allocation_rows(client_id, currency, account)
            waiting += _excess(client_id, client, account)
    copy_in(cursor, OPEN_ITEMS, items)
    copy_in(cursor, CREDITS, credits)
    copy_in(cursor, ALLOCATIONS, allocations)
    copy_in(cursor, WAITING, map(waiting_row, waiting))


def _item_rows(client_id: str, currency: str, account: Account) -> Iterator[tuple[Any, ...]]:
    for number, item in account.items.items():
        yield (
            client_id, number, currency, item.document.issued_on, item.document.due_on, item.document.total_minor,
            item.applied_minor, item.written_off_minor, item.outstanding_minor, item.status, item.settled_on,
        )  # fmt: skip


def _credit_rows(client_id: str, currency: str, account: Account) -> Iterator[tuple[Any, ...]]:
    for source in account.sources.values():
        applied = sum(source.allocated.values())
        yield (
            client_id, source.name, source.kind, currency, source.day, source.amount_minor, applied, source.returned_minor,
            source.unapplied_minor,
        )  # fmt: skip


def _allocation_rows(client_id: str, currency: str, account: Account) -> Iterator[tuple[Any, ...]]:
    for number, one in enumerate(account.allocations, start=1):
        yield (client_id, currency, number, one.source, one.number, one.amount_minor, one.allocated_on)


def _excess(client_id: str, client: Client, account: Account) -> Iterator[Waiting]:
    """Returns of more than was left of their payment."""
    for one in client.returns:
        if ("return", one.refund_id) in account.excess:
            yield Waiting(
                client_id=client_id, what="refund", id=one.refund_id, reason="impossible_value", since=one.returned_at
            )


# ---- reading what was said ----


def load(cursor: Cursor[Any], client_ids: Sequence[str], terms: Mapping[str, ClientTerms]) -> dict[str, Client]:
    """What some clients' accounts are settled from, and what of it waits."""
    clients = {client_id: Client() for client_id in client_ids}
    for client_id, known in terms.items():
        clients[client_id].use_credit = known.latest is not None and known.latest.use_credit
    _load_documents(cursor, clients)
    _load_payments(cursor, clients, terms)
    _load_returns(cursor, clients, terms)
    return clients


def _load_documents(cursor: Cursor[Any], clients: Mapping[str, Client]) -> None:
    rows = cursor.execute(
        "SELECT client_id, currency, number, issued_on, due_on, total_minor FROM invoices WHERE client_id = ANY(%s)",
        (list(clients),),
    ).fetchall()
    corrects = _corrections(cursor, [(row[0], row[2]) for row in rows if row[5] < 0])
    for client_id, currency, number, issued_on, due_on, total_minor in rows:
        document = Issued(
            number=number, issued_on=issued_on, due_on=due_on, total_minor=total_minor, corrects=tuple(corrects.get(number, ()))
        )
        clients[client_id].documents.setdefault(currency, []).append(document)


def _corrections(cursor: Cursor[Any], notes: Sequence[tuple[str, str]]) -> dict[str, list[tuple[str, int]]]:
    """What some credit notes take back of which invoices, tax included, in the order of their lines."""
    found: dict[str, list[tuple[str, int]]] = {}
    if notes:
        rows = cursor.execute(
            "SELECT number, corrects_number, -sum(net_minor + tax_minor)::bigint FROM invoice_lines"
            " JOIN unnest(%s::text[], %s::text[]) AS k(c, n) ON client_id = k.c AND number = k.n"
            " WHERE corrects_number IS NOT NULL GROUP BY 1, 2 ORDER BY 1, min(line_no)",
            ([client_id for client_id, _ in notes], [number for _, number in notes]),
        ).fetchall()
        for number, corrected, amount in rows:
            if amount > 0:
                found.setdefault(number, []).append((corrected, amount))
    return found


def _load_payments(cursor: Cursor[Any], clients: Mapping[str, Client], terms: Mapping[str, ClientTerms]) -> None:
    rows = cursor.execute(
        "SELECT client_id, payment_id, currency, amount_minor, surcharge_minor, received_at, occurred_at, invoice_numbers,"
        " client_id = %s AND EXISTS (SELECT FROM payments o WHERE o.payment_id = p.payment_id AND o.client_id <> p.client_id"
        " AND o.amount_minor = p.amount_minor AND o.currency = p.currency)"
        " FROM payments p WHERE client_id = ANY(%s)",
        (UNKNOWN_PAYER, list(clients)),
    ).fetchall()
    for client_id, payment_id, currency, amount, surcharge, received_at, occurred_at, numbers, claimed in rows:
        client = clients[client_id]
        if claimed:
            continue
        fault = _fault(client, terms[client_id], currency, amount, surcharge, numbers)
        if not is_plausible(received_at) or received_at > occurred_at + ROUND_A_DAY:
            fault = "impossible_value"
        if fault is not None:
            client.waiting.append(
                Waiting(client_id=client_id, what="payment", id=payment_id, reason=fault, since=occurred_at, currency=currency)
            )
        if fault in NOT_COUNTED:
            continue
        client.payments.setdefault(currency, []).append(
            Received(
                payment_id=payment_id, amount_minor=amount - surcharge, received_at=received_at,
                received_on=_day(received_at, terms[client_id]), invoice_numbers=tuple(numbers), pays=fault is None,
            )
        )


NOT_COUNTED: Final = ("unmatched_payment", "impossible_value", "unknown_value")
"""Payments that are nobody's credit yet, or cannot be."""


def _fault(
    client: Client, terms: ClientTerms, currency: str, amount: int, surcharge: int, numbers: Sequence[str]
) -> str | None:
    """Why a payment waits; null where it pays. One that waits for its currency or client is credit meanwhile."""
    if terms.client_id == UNKNOWN_PAYER:
        return "unmatched_payment"
    if not terms.known:
        return "unknown_client"
    if not is_currency(currency):
        return "unknown_value"
    if not 0 <= surcharge <= amount <= MOST_MINOR:
        return "impossible_value"
    own = {one.number for one in client.documents.get(currency, ())}
    others = {one.number for found in client.documents.values() for one in found} - own
    return "wrong_currency" if others.intersection(numbers) and not own.intersection(numbers) else None


def _load_returns(cursor: Cursor[Any], clients: Mapping[str, Client], terms: Mapping[str, ClientTerms]) -> None:
    rows = cursor.execute(
        "SELECT r.client_id, r.refund_id, r.payment_id, r.amount_minor, coalesce(r.currency, p.currency), p.currency,"
        " r.returned_at, r.occurred_at FROM returns r LEFT JOIN payments p USING (client_id, payment_id)"
        " WHERE r.client_id = ANY(%s)",
        (list(clients),),
    ).fetchall()
    for client_id, refund_id, payment_id, amount, currency, paid_in, returned_at, occurred_at in rows:
        client = clients[client_id]
        reason = None
        if paid_in is None:
            reason = "unmatched_payment"
        elif not 0 <= amount <= MOST_MINOR or not is_plausible(returned_at) or returned_at > occurred_at + ROUND_A_DAY:
            reason = "impossible_value"
        elif currency != paid_in:
            reason = "wrong_currency"
        if reason is not None:
            client.waiting.append(
                Waiting(client_id=client_id, what="refund", id=refund_id, reason=reason, since=occurred_at)
            )
            continue
        client.returns.append(
            Returned(
                refund_id=refund_id, payment_id=payment_id, amount_minor=amount, returned_at=returned_at,
                returned_on=_day(returned_at, terms[client_id]),
            )
        )


def _day(at: datetime, terms: ClientTerms) -> date:
    """The client's day of an instant, on the clocks of the zone it had then (product D5)."""
    if not terms.known:
        return local_day(at, "UTC")
    state = terms.states.first_or_on(local_day(at, "UTC"))
    return local_day(at, state.time_zone if zone_of(state.time_zone) is not None else "UTC")

"""The receivables view: what was paid, what it pays, and what is still open, of all that was said of a client."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, Final, LiteralString

from psycopg import Cursor

from domain.calendar import local_day
from domain.invoice import CreditNoteIssued, InvoiceIssued
from domain.payment import PaymentChargedBack, PaymentReceived, PaymentRefunded
from domain.rated import Waiting
from domain.receivables import Account, Issued, Received, Returned, WrittenOff, return_name
from domain.settling import EVER, settle
from domain.terms import ClientTerms, zone_of
from projections import corrections, returned
from projections.charges import waiting_row
from projections.possible import payment_fault, return_fault
from projections.tables import (
    ALLOCATIONS,
    CREDITS,
    OPEN_ITEMS,
    PAYMENTS,
    RETURNS,
    SETTLED,
    WAITING,
    Table,
    copy_in,
    delete_keys,
)
from projections.terms import TermsCache

TABLES: Final[tuple[Table, ...]] = (PAYMENTS, RETURNS, OPEN_ITEMS, CREDITS, ALLOCATIONS, SETTLED)
WHATS: Final = ("payment", "refund", "write_off")
UNKNOWN_PAYER: Final = "?"
_DOCUMENTS: Final = (InvoiceIssued.TOPIC, CreditNoteIssued.TOPIC)
_RETURNS: Final = {PaymentRefunded.TOPIC: "refund", PaymentChargedBack.TOPIC: "chargeback"}
TOPICS: Final = frozenset((PaymentReceived.TOPIC, *_RETURNS))

Key = tuple[str, str]
"""(client id, currency): one account."""


@dataclass(slots=True)
class Client:
    """What one client's accounts are settled from, all of it or what is new.

    `numbered` is the currency of each of its documents, or of those that are named.
    """

    documents: dict[str, list[Issued]] = field(default_factory=dict)
    payments: dict[str, list[Received]] = field(default_factory=dict)
    returns: list[Returned] = field(default_factory=list)
    write_offs: dict[str, list[WrittenOff]] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    numbered: dict[str, str] = field(default_factory=dict)

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
            self.write_offs.get(currency, []),
            as_of=as_of,
        )


# ---- settling ----


def settle_clients(cursor: Cursor[Any], client_ids: Sequence[str], cache: TermsCache) -> None:
    """Settles every account of some clients anew and puts the result in the place of what the view had."""
    clients = load(cursor, client_ids, cache.clients(cursor, client_ids))
    for table in (OPEN_ITEMS, CREDITS, ALLOCATIONS, SETTLED):
        delete_keys(cursor, table, [(client_id,) for client_id in client_ids])
    delete_keys(cursor, WAITING, [(client_id, what) for client_id in client_ids for what in WHATS])
    items: list[tuple[Any, ...]] = []
    credits: list[tuple[Any, ...]] = []
    allocations: list[tuple[Any, ...]] = []
    settled: list[tuple[Any, ...]] = []
    waiting: list[Waiting] = []
    for client_id, client in clients.items():
        waiting += client.waiting
        for currency in client.currencies():
            account = client.account(currency)
            items += item_rows(client_id, currency, account)
            credits += credit_rows(client_id, currency, account)
            allocations += allocation_rows(client_id, currency, account)
            settled += settled_rows(client_id, currency, account)
            waiting += excess(client_id, client, account)
    copy_in(cursor, OPEN_ITEMS, items)
    copy_in(cursor, CREDITS, credits)
    copy_in(cursor, ALLOCATIONS, allocations)
    copy_in(cursor, SETTLED, settled)
    copy_in(cursor, WAITING, map(waiting_row, waiting))


def item_rows(client_id: str, currency: str, account: Account) -> Iterator[tuple[Any, ...]]:
    """The invoices of an account, as rows of the view."""
    for number, item in account.items.items():
        yield (
            client_id, number, currency, item.document.issued_on, item.document.due_on, item.document.total_minor,
            item.applied_minor, item.written_off_minor, item.outstanding_minor, item.status, item.settled_on,
        )  # fmt: skip


def credit_rows(client_id: str, currency: str, account: Account) -> Iterator[tuple[Any, ...]]:
    """Its payments and credit notes."""
    for source in account.sources.values():
        yield (
            client_id, source.name, source.kind, currency, source.day, source.amount_minor, source.applied_minor,
            source.returned_minor, source.unapplied_minor,
        )  # fmt: skip


def allocation_rows(client_id: str, currency: str, account: Account, before: int = 0) -> Iterator[tuple[Any, ...]]:
    """Its allocations, numbered on from those there were before."""
    for number, one in enumerate(account.allocations, start=before + 1):
        yield (client_id, currency, number, one.source, one.number, one.amount_minor, one.allocated_on, one.kind)


def settled_rows(client_id: str, currency: str, account: Account, before: int = 0) -> Iterator[tuple[Any, ...]]:
    """How far it is settled, with the count of its allocations."""
    if account.last is not None:
        day, rank, at, step, name = account.last
        yield client_id, currency, day, rank, None if at == EVER else at, step, name, before + len(account.allocations)


def excess(client_id: str, client: Client, account: Account) -> Iterator[Waiting]:
    """Returns of more than was left of their payment, and write-offs of more than was left of their invoice."""
    for (kind, number), day in account.excess_on.items():
        at = datetime.combine(day, time(), UTC)
        yield Waiting(client_id=client_id, what=kind, id=number, reason="impossible_value", since=at)
    for one in client.returns:
        if ("return", one.name) in account.excess:
            yield Waiting(client_id=client_id, what="refund", id=one.name, reason="impossible_value", since=one.returned_at)


# ---- reading what was said ----


def load(cursor: Cursor[Any], client_ids: Sequence[str], terms: Mapping[str, ClientTerms]) -> dict[str, Client]:
    """What some clients' accounts are settled from, and what of it waits."""
    clients = {client_id: Client() for client_id in client_ids}
    _load_documents(cursor, clients, terms, "client_id = ANY(%s)", [list(clients)])
    _load_payments(cursor, clients, terms)
    _load_returns(cursor, clients, terms)
    for client_id, given_up in corrections.written_off(cursor, client_ids).items():
        clients[client_id].write_offs = given_up
    return clients


@dataclass(slots=True)
class New:
    """What is to be settled besides all that is: payments and returns by their keys, documents by their positions.

    `write_offs` are by (client, currency).
    """

    payments: set[Key] = field(default_factory=set)
    returns: set[returned.Key] = field(default_factory=set)
    documents: list[int] = field(default_factory=list)
    write_offs: list[tuple[Key, WrittenOff]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.payments or self.returns or self.documents or self.write_offs)


def load_new(cursor: Cursor[Any], new: New, client_ids: Sequence[str], terms: Mapping[str, ClientTerms]) -> dict[str, Client]:
    """The same of what is new of some clients; documents are left out that are settled already.

    An account that was settled a moment ago may have taken documents in which come only now.
    """
    clients = {client_id: Client() for client_id in client_ids}
    fresh = (
        "position = ANY(%s) AND client_id = ANY(%s)"
        " AND NOT EXISTS (SELECT FROM open_items o WHERE o.client_id = i.client_id AND o.number = i.number)"
        " AND NOT EXISTS (SELECT FROM credits c WHERE c.client_id = i.client_id AND c.source = i.number AND kind = 'credit_note')"
    )
    if new.documents:
        _load_documents(cursor, clients, terms, fresh, [new.documents, list(clients)])
    payments = [key for key in sorted(new.payments) if key[0] in clients]
    returns = [key for key in sorted(new.returns) if key[0] in clients]
    if payments:
        _load_numbered(cursor, clients, payments)
        _load_payments(cursor, clients, terms, payments)
    if returns:
        _load_returns(cursor, clients, terms, returns)
    for (client_id, currency), one in new.write_offs:
        if client_id in clients:
            clients[client_id].write_offs.setdefault(currency, []).append(one)
    return clients


def _load_documents(
    cursor: Cursor[Any],
    clients: Mapping[str, Client],
    terms: Mapping[str, ClientTerms],
    which: LiteralString,
    given: Sequence[Any],
) -> None:
    rows = cursor.execute(_ISSUED + which, given).fetchall()
    corrects = _corrections(cursor, [(row[0], row[2]) for row in rows if row[5] < 0])
    for client_id, currency, number, issued_on, due_on, total_minor in rows:
        document = Issued(
            number=number, issued_on=issued_on, due_on=due_on, total_minor=total_minor,
            corrects=tuple(corrects.get(number, ())), takes_credit=_takes_credit(terms[client_id], issued_on),
        )  # fmt: skip
        clients[client_id].documents.setdefault(currency, []).append(document)
        clients[client_id].numbered[number] = currency


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


def _load_numbered(cursor: Cursor[Any], clients: Mapping[str, Client], payments: Sequence[Key]) -> None:
    """The currencies of the documents that some payments name."""
    rows = cursor.execute(
        "SELECT i.client_id, i.number, i.currency FROM payments p JOIN unnest(%s::text[], %s::text[]) AS k(c, i)"
        " ON p.client_id = k.c AND p.payment_id = k.i"
        " JOIN invoices i ON i.client_id = p.client_id AND i.number = ANY(p.invoice_numbers)",
        columns(payments),
    ).fetchall()
    for client_id, number, currency in rows:
        clients[client_id].numbered[number] = currency


def columns(keys: Sequence[Key]) -> list[list[str]]:
    """Keys as the two lists that `unnest` takes."""
    return [[key[0] for key in keys], [key[1] for key in keys]]


def _load_payments(
    cursor: Cursor[Any], clients: Mapping[str, Client], terms: Mapping[str, ClientTerms], only: Sequence[Key] | None = None
) -> None:
    which = "p.client_id = ANY(%s)" if only is None else _ONLY_PAYMENTS
    rows = cursor.execute(
        _RECEIVED + which,
        [UNKNOWN_PAYER, *([list(clients)] if only is None else columns(only))],
    ).fetchall()
    for client_id, payment_id, currency, amount, surcharge, received_at, occurred_at, numbers, claimed, second in rows:
        client = clients[client_id]
        if claimed:
            continue
        fault = payment_fault(currency, amount, surcharge, received_at, occurred_at)
        if fault is None:
            fault = "client_changed" if second else _fault(client, terms[client_id], currency, numbers)
        if client_id == UNKNOWN_PAYER and fault != "impossible_value":
            fault = "unmatched_payment"
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
                surcharge_minor=surcharge,
            )
        )


_ISSUED: Final[LiteralString] = (
    "SELECT client_id, currency, number, issued_on, due_on, total_minor FROM invoices i WHERE "
)
_RECEIVED: Final[LiteralString] = (
    "SELECT client_id, payment_id, currency, amount_minor, surcharge_minor, received_at, occurred_at, invoice_numbers,"
    " client_id = %s AND EXISTS (SELECT FROM payments m WHERE m.payment_id = p.payment_id AND m.client_id <> p.client_id"
    " AND m.amount_minor = p.amount_minor AND m.currency = p.currency AND m.possible),"
    # Of two clients that the same money of nobody was matched to, the one of the earlier statement has it.
    " client_id <> '?' AND EXISTS (SELECT FROM payments n WHERE n.payment_id = p.payment_id AND n.client_id = '?'"
    " AND n.amount_minor = p.amount_minor AND n.currency = p.currency)"
    " AND EXISTS (SELECT FROM payments m WHERE m.payment_id = p.payment_id AND m.client_id NOT IN ('?', p.client_id)"
    " AND m.amount_minor = p.amount_minor AND m.currency = p.currency AND m.possible"
    " AND (m.occurred_at, m.event_id) < (p.occurred_at, p.event_id))"
    " FROM payments p WHERE "
)
_ONLY_PAYMENTS: Final = "(p.client_id, p.payment_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
NOT_COUNTED: Final = ("unmatched_payment", "impossible_value", "unknown_value", "client_changed")
"""Payments that are nobody's credit yet, or cannot be."""


def _fault(client: Client, terms: ClientTerms, currency: str, numbers: Sequence[str]) -> str | None:
    """Why a payment that can be waits; null where it pays. One that waits for its currency or client is credit meanwhile."""
    if not terms.known:
        return "unknown_client"
    named = {client.numbered[number] for number in numbers if number in client.numbered}
    return "wrong_currency" if named and currency not in named else None


def _load_returns(
    cursor: Cursor[Any],
    clients: Mapping[str, Client],
    terms: Mapping[str, ClientTerms],
    only: Sequence[returned.Key] | None = None,
) -> None:
    rows = returned.of_clients(cursor, list(clients)) if only is None else returned.of_keys(cursor, only)
    paid = {(client_id, one.payment_id) for client_id in clients for own in clients[client_id].payments.values() for one in own}
    for client_id, refund_id, payment_id, amount, currency, paid_in, returned_at, occurred_at, is_settled in rows:
        client = clients.get(client_id)
        if client is None:
            continue  # said of nobody, and found to be another's, who is settled anew
        # What the tables say of it is old where all is settled anew.
        counts = (only is not None and is_settled) or (client_id, payment_id) in paid
        reason = None
        if paid_in is None or client_id == UNKNOWN_PAYER:
            reason = "unmatched_payment"
        elif return_fault(amount, returned_at, occurred_at) is not None:
            reason = "impossible_value"
        elif currency != paid_in:
            reason = "wrong_currency"
        elif not counts:
            reason = "unmatched_payment"
        if reason is not None:
            name = return_name(refund_id, payment_id)
            client.waiting.append(Waiting(client_id=client_id, what="refund", id=name, reason=reason, since=occurred_at))
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


def _takes_credit(terms: ClientTerms, on: date) -> bool:
    """Whether an invoice of a day takes credit: by the state in force then, the first one counting from ever (D5, R2)."""
    return terms.known and terms.states.first_or_on(on).use_credit


def what_settling_reads(terms: ClientTerms) -> tuple[tuple[date, str, bool], ...]:
    """All of a client's terms that its accounts depend on: since when its clocks and its credit are what; nothing if unknown."""
    found: list[tuple[date, str, bool]] = []
    for day, state in zip(terms.states.days, terms.states.states, strict=True):
        read = (state.time_zone, state.use_credit)
        if not found or read != found[-1][1:]:
            # The first state counts from ever.
            found.append((day if found else date.min, *read))
    return tuple(found)

"""Receivables follow the log: what is new is carried on from where an account stands, or the account is settled anew."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from psycopg import Cursor, sql

from domain.client_account import ClientDefined
from domain.corrections import InvoiceWrittenOff
from domain.invoice import CreditNoteIssued, InvoiceIssued
from domain.payment import PaymentChargedBack, PaymentReceived, PaymentRefunded
from domain.receivables import WrittenOff
from ledger.book import RecordedEvent
from ledger.event_codec import decode
from projections import returned
from projections.possible import payment_fault, return_fault
from projections.receivables import UNKNOWN_PAYER, Key, New, settle_clients, what_settling_reads
from projections.receivables_carry import carry
from projections.tables import PAYMENTS, RETURNS, Table, replace_rows
from projections.terms import TermsCache, load_clients

_DOCUMENTS: Final = (InvoiceIssued.TOPIC, CreditNoteIssued.TOPIC)
_RETURNS: Final = {PaymentRefunded.TOPIC: "refund", PaymentChargedBack.TOPIC: "chargeback"}


@dataclass(slots=True)
class _Said:
    """What a batch says of money, and the clients whose accounts are settled anew whatever else it says."""

    paid: list[tuple[Any, ...]] = field(default_factory=list)
    returned: list[tuple[Any, ...]] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    write_offs: list[tuple[Key, WrittenOff]] = field(default_factory=list)
    anew: set[str] = field(default_factory=set)
    defined: dict[str, list[UUID]] = field(default_factory=dict)
    clients: set[str] = field(default_factory=set)


def process(cursor: Cursor[Any], events: Sequence[RecordedEvent], cache: TermsCache) -> None:
    """Brings the view on by one batch of events, in the caller's transaction."""
    said = _said(events)
    if not said.clients:
        return
    said.anew |= _read_otherwise(cursor, said.defined, cache)
    told = ([row[1] for row in said.paid], [row[1] for row in said.returned])
    _, owners_before = returned.of_nobody(cursor, *told)
    payments, payments_changed = _keep(cursor, PAYMENTS, said.paid, _can_be_paid)
    returns, returns_changed = _keep(cursor, RETURNS, said.returned, _can_be_returned)
    claimed = _claimed(cursor, [row[1] for row in said.paid])
    said.anew |= _rivals(cursor, claimed)
    unowned, owners = returned.of_nobody(cursor, *told)
    said.anew |= owners | owners_before
    # Nothing is ever paid out of what nobody owns, so that there each payment stands for itself.
    own_payments = {key for key in payments_changed if key[0] == UNKNOWN_PAYER}
    own_returns = {key for key in returns_changed if key[0] == UNKNOWN_PAYER}
    anew = said.anew | {key[0] for key in payments_changed - own_payments} | {key[0] for key in returns_changed - own_returns}
    new = New(
        payments=payments | claimed | own_payments,
        returns=returns | unowned | own_returns,
        documents=said.documents,
        write_offs=said.write_offs,
    )
    if new:
        clients = said.clients | {UNKNOWN_PAYER} if claimed or unowned else said.clients
        anew |= carry(cursor, new, sorted(clients - anew), cache)
    if anew:
        settle_clients(cursor, sorted(anew), cache)


def _said(events: Sequence[RecordedEvent]) -> _Said:
    said = _Said()
    for event in events:
        if event.topic == PaymentReceived.TOPIC:
            said.paid.append(_payment_row(decode(event.topic, event.state)))
        elif event.topic in _RETURNS:
            said.returned.append(_return_row(_RETURNS[event.topic], decode(event.topic, event.state)))
        elif event.topic in _DOCUMENTS:
            said.documents.append(event.position)
        elif event.topic == InvoiceWrittenOff.TOPIC:
            said.write_offs.append(_given_up(decode(event.topic, event.state)))
        elif event.topic == ClientDefined.TOPIC:
            said.defined.setdefault(event.client_id, []).append(event.event_id)
        else:
            continue
        said.clients.add(event.client_id)
    return said


def _read_otherwise(cursor: Cursor[Any], defined: Mapping[str, Sequence[UUID]], cache: TermsCache) -> set[str]:
    """Of clients with new states those of whom settling now reads something else; a new address or name is nothing to it."""
    if not defined:
        return set()
    after = cache.clients(cursor, sorted(defined))
    before = load_clients(cursor, sorted(defined), {event_id for new in defined.values() for event_id in new})
    return {client_id for client_id in defined if what_settling_reads(before[client_id]) != what_settling_reads(after[client_id])}


def _given_up(one: InvoiceWrittenOff) -> tuple[Key, WrittenOff]:
    given_up = WrittenOff(number=one.number, amount_minor=one.amount_minor, written_off_on=one.written_off_on)
    return (one.client_id, one.currency), given_up


def _payment_row(one: PaymentReceived) -> tuple[Any, ...]:
    return (
        one.client_id, one.payment_id, UUID(one.event_id), one.occurred_at, one.currency, one.amount_minor,
        one.surcharge_minor, one.fee_minor, one.received_at, one.method, list(one.invoice_numbers), one.provider,
        one.provider_ref,
        payment_fault(one.currency, one.amount_minor, one.surcharge_minor, one.received_at, one.occurred_at) is None,
    )  # fmt: skip


def _return_row(kind: str, one: PaymentRefunded | PaymentChargedBack) -> tuple[Any, ...]:
    return (
        one.client_id, one.refund_id, one.payment_id, UUID(one.event_id), one.occurred_at, kind, one.amount_minor,
        one.currency, one.at or one.occurred_at,
    )  # fmt: skip


def _can_be_paid(row: tuple[Any, ...]) -> bool:
    return bool(row[PAYMENTS.names.index("possible")])


def _can_be_returned(row: tuple[Any, ...]) -> bool:
    return return_fault(row[6], row[8], row[4]) is None


def _keep(
    cursor: Cursor[Any], table: Table, rows: Sequence[tuple[Any, ...]], can_be: Callable[[tuple[Any, ...]], bool]
) -> tuple[set[Any], set[Any]]:
    """One row a thing, however often it was said: the earliest statement that can be true stands, whatever was heard first.

    Gives the keys of what is new, and of what is now another statement than before.
    """
    if not rows:
        return set(), set()
    keys, event = table.keys, table.names.index("event_id")
    before = {row[:keys]: row for row in _rows(cursor, table, sorted({row[:keys] for row in rows}))}

    def rank(row: tuple[Any, ...]) -> tuple[Any, ...]:
        return not can_be(row), row[event + 1], row[event]

    chosen: dict[tuple[str, ...], tuple[Any, ...]] = {}
    for row in (*before.values(), *rows):
        if rank(row) < rank(chosen.setdefault(row[:keys], row)):
            chosen[row[:keys]] = row
    new = chosen.keys() - before.keys()
    changed = {key for key in chosen.keys() & before.keys() if chosen[key][event] != before[key][event]}
    replace_rows(cursor, table, sorted(changed), [chosen[key] for key in sorted(new | changed)])
    return new, changed


def _rows(cursor: Cursor[Any], table: Table, keys: Sequence[tuple[str, ...]]) -> list[tuple[Any, ...]]:
    own = [sql.Identifier(name) for name in table.names[: table.keys]]
    statement = sql.SQL("SELECT {columns} FROM {name} WHERE ({own}) IN (SELECT * FROM unnest({given}))").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, table.names)), name=sql.Identifier(table.name),
        own=sql.SQL(", ").join(own), given=sql.SQL(", ").join([sql.SQL("%s::text[]")] * table.keys),
    )  # fmt: skip
    return cursor.execute(statement, [list(column) for column in zip(*keys, strict=True)]).fetchall()


def _claimed(cursor: Cursor[Any], payment_ids: Sequence[str]) -> set[Key]:
    """The payments of nobody known that have the ids of these: one of these may say whose they are."""
    if not payment_ids:
        return set()
    rows = cursor.execute(
        "SELECT client_id, payment_id FROM payments WHERE client_id = %s AND payment_id = ANY(%s)",
        (UNKNOWN_PAYER, list(payment_ids)),
    ).fetchall()
    return {(client_id, payment_id) for client_id, payment_id in rows}


def _rivals(cursor: Cursor[Any], claimed: set[Key]) -> set[str]:
    """The clients of whom more than one is said to have paid the same of these: the first statement has it."""
    if not claimed:
        return set()
    rows = cursor.execute(
        "SELECT client_id, payment_id FROM payments WHERE client_id <> %s AND payment_id = ANY(%s)",
        (UNKNOWN_PAYER, [payment_id for _, payment_id in claimed]),
    ).fetchall()
    counts = Counter(payment_id for _, payment_id in rows)
    return {client_id for client_id, payment_id in rows if counts[payment_id] > 1}

"""Receivables follow the log: what is new is carried on from where an account stands, or the account is settled anew."""

from collections import Counter
from collections.abc import Mapping, Sequence
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
from projections.receivables import UNKNOWN_PAYER, Key, New, columns, settle_clients, what_settling_reads
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
    payments, payments_changed = _keep(cursor, PAYMENTS, said.paid)
    returns, returns_changed = _keep(cursor, RETURNS, said.returned)
    claimed = _claimed(cursor, [row[1] for row in said.paid])
    said.anew |= _rivals(cursor, claimed)
    unowned, owners = returned.of_nobody(cursor, *told)
    said.anew |= owners | owners_before
    # Nothing is ever paid out of what nobody owns, so that there each payment stands for itself.
    own = {key for key in payments_changed | returns_changed if key[0] == UNKNOWN_PAYER}
    anew = said.anew | {client_id for client_id, _ in (payments_changed | returns_changed) - own}
    new = New(
        payments=payments | claimed | (payments_changed & own),
        returns=returns | unowned | (returns_changed & own),
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
    )  # fmt: skip


def _return_row(kind: str, one: PaymentRefunded | PaymentChargedBack) -> tuple[Any, ...]:
    return (
        one.client_id, one.refund_id, UUID(one.event_id), one.occurred_at, one.payment_id, kind, one.amount_minor,
        one.currency, one.at or one.occurred_at,
    )  # fmt: skip


def _keep(cursor: Cursor[Any], table: Table, rows: Sequence[tuple[Any, ...]]) -> tuple[set[Key], set[Key]]:
    """One row a thing, however often it was said: the earliest statement stands, whatever the order of arrival.

    Gives the keys of what is new, and of what is now another statement than before.
    """
    if not rows:
        return set(), set()
    before = {(row[0], row[1]): row for row in _rows(cursor, table, sorted({(row[0], row[1]) for row in rows}))}
    chosen: dict[Key, tuple[Any, ...]] = {}
    for row in (*before.values(), *rows):
        stands = chosen.setdefault((row[0], row[1]), row)
        if (row[3], row[2]) < (stands[3], stands[2]):
            chosen[row[0], row[1]] = row
    new = chosen.keys() - before.keys()
    changed = {key for key in chosen.keys() & before.keys() if chosen[key][2:4] != before[key][2:4]}
    replace_rows(cursor, table, sorted(changed), [chosen[key] for key in sorted(new | changed)])
    return new, changed


def _rows(cursor: Cursor[Any], table: Table, keys: Sequence[Key]) -> list[tuple[Any, ...]]:
    name, (client, own) = sql.Identifier(table.name), map(sql.Identifier, table.names[:2])
    statement = sql.SQL(
        "SELECT {columns} FROM {name} t JOIN unnest(%s::text[], %s::text[]) AS k(c, i) ON t.{client} = k.c AND t.{own} = k.i"
    ).format(columns=sql.SQL(", ").join(map(sql.Identifier, table.names)), name=name, client=client, own=own)
    return cursor.execute(statement, columns(keys)).fetchall()


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

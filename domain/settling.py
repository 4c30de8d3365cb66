"""Settles what a client owes: documents, payments, refunds and write-offs in the order of their dates (R1-R3).

Nothing here depends on the order of arrival: a payment that becomes known late counts from the instant it was received.
What settling costs grows with what happened, not with its square: an account knows what is next in line.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any, Final

from domain.receivables import (
    Account,
    Allocation,
    Issued,
    Movement,
    OpenItem,
    Place,
    Received,
    Returned,
    Source,
    WrittenOff,
)

Happened = Issued | Received | Returned | WrittenOff
EVER: Final = datetime.combine(date.min, time(), UTC)
"""The instant of what has only a day."""


def settle(
    documents: Iterable[Issued],
    payments: Iterable[Received] = (),
    returns: Iterable[Returned] = (),
    write_offs: Iterable[WrittenOff] = (),
    *,
    as_of: date = date.max,
) -> Account:
    """The account from everything that happened up to the close of a day, whatever its order of arrival (R2).

    On one day documents come first, then money in the order of its instants, then write-offs: what is given up is what is
    left at the close of its day.
    Nothing goes below zero: what a return or write-off says beyond what is there is the account's `excess`.
    """
    account = Account()
    happened = in_order(documents, payments, returns, write_offs)
    carry_on(account, (one for one in happened if place(one)[0] <= as_of))
    return account


def in_order(
    documents: Iterable[Issued],
    payments: Iterable[Received],
    returns: Iterable[Returned],
    write_offs: Iterable[WrittenOff],
    before: Mapping[str, tuple[date, datetime]] | None = None,
) -> list[Happened]:
    """What happened in the order in which it counts; `before` says when payments came that are settled already."""
    paid = list(payments)
    came = {**(before or {}), **{payment.payment_id: (payment.received_on, payment.received_at) for payment in paid}}
    back = (_not_before(one, came.get(one.payment_id)) for one in returns)
    return sorted([*documents, *write_offs, *paid, *back], key=place)


def carry_on(account: Account, happened: Iterable[Happened]) -> None:
    """Brings an account on by what happened after everything in it, in order.

    Of an account kept elsewhere only that needs to be in it which this can change: open items, those that are named, credit
    where it is used, and a source of which something goes back with the items that it pays.
    """
    for one in happened:
        match one:
            case Issued():
                _issue(account, one)
            case Received():
                _receive(account, one)
            case Returned():
                _take_back(account, one)
            case WrittenOff():
                _write_off(account, one)
        account.last = place(one)


def _not_before(one: Returned, came: tuple[date, datetime] | None) -> Returned:
    """Money cannot go back before it came: clocks of two systems may differ."""
    if came is None or (one.returned_on, one.returned_at) >= came:
        return one
    return replace(one, returned_on=max(one.returned_on, came[0]), returned_at=max(one.returned_at, came[1]))


def place(one: Happened) -> Place:
    """On one day documents, then money by its instants, then write-offs; by name where nothing else decides."""
    match one:
        case Issued():
            # Invoices before credit notes: a credit note may correct one of its own day.
            return (one.issued_on, 0 if one.total_minor >= 0 else 1, EVER, 0, one.number)
        case WrittenOff():
            return (one.written_off_on, 4, EVER, 0, one.number)
        case Received():
            return (one.received_on, 3, one.received_at, 0, one.payment_id)
        case Returned():
            return (one.returned_on, 3, one.returned_at, 1, one.name)


def _move(account: Account, day: date, kind: str, reference: str, amount_minor: int, **more: Any) -> None:
    moved = Movement(moved_on=day, kind=kind, reference=reference, amount_minor=amount_minor, **more)
    account.movements.append(moved)


def _issue(account: Account, document: Issued) -> None:
    kind = "credit_note" if document.total_minor < 0 else "invoice"
    _move(account, document.issued_on, kind, document.number, document.total_minor, due_on=document.due_on)
    if document.total_minor < 0:
        _credit(account, document)
        return
    item = OpenItem(document)
    account.add_item(item)
    item.close(document.issued_on)
    for named in () if document.takes_credit else account.naming(document.number):
        _allocate(account, named, item, document.issued_on)
    while document.takes_credit and item.outstanding_minor > 0 and (credit := account.next_credit()) is not None:
        _allocate(account, credit, item, document.issued_on)


def _credit(account: Account, note: Issued) -> None:
    """Each of its lines pays the invoice it corrects; what is left is credit: it must not settle another invoice unasked."""
    at = datetime.combine(note.issued_on, time(), UTC)
    source = Source(note.number, "credit_note", -note.total_minor, note.issued_on, at, ())
    account.add_source(source)
    for number, amount_minor in note.corrects:
        item = account.items.get(number)
        _claim_again(account, source, item, amount_minor, note.issued_on)
        _allocate(account, source, item, note.issued_on, amount_minor)


def _claim_again(account: Account, note: Source, item: OpenItem | None, amount_minor: int, day: date) -> None:
    """What is taken back of an invoice need not be given up: a client is never owed what he never paid (K2, ADR 019)."""
    if item is None:
        return
    beyond = min(amount_minor, note.unapplied_minor) - item.outstanding_minor
    claimed = min(beyond, item.written_off_minor)
    if claimed > 0:
        item.written_off_minor -= claimed
        _beyond(account, item.document.number, claimed, day)
        _move(account, day, "write_off", item.document.number, claimed)


def _receive(account: Account, one: Received) -> None:
    """Invoices named, in the order named; then by due date, issue date and number; the rest is unapplied."""
    day = one.received_on
    _move(account, day, "payment", one.payment_id, -one.amount_minor)
    source = Source(one.payment_id, "payment", one.amount_minor, day, one.received_at, one.invoice_numbers, one.pays)
    source.surcharge_minor = one.surcharge_minor
    account.add_source(source)
    if not source.pays:
        return
    for number in source.names:
        _allocate(account, source, account.items.get(number), day)
    while source.unapplied_minor > 0 and (item := account.next_unpaid()) is not None:
        _allocate(account, source, item, day)


def _allocate(account: Account, source: Source, item: OpenItem | None, day: date, most_minor: int | None = None) -> None:
    """As much as there is left, is open and is asked for; nothing of an invoice that is not there."""
    amount = min(source.unapplied_minor, item.outstanding_minor) if item is not None else 0
    if most_minor is not None:
        amount = min(amount, most_minor)
    if item is None or amount <= 0:
        return
    number = item.document.number
    item.applied_minor += amount
    item.close(day)
    source.book(number, amount)
    account.allocations.append(
        Allocation(source=source.name, kind=source.kind, number=number, amount_minor=amount, allocated_on=day)
    )


def _take_back(account: Account, one: Returned) -> None:
    """From the unapplied rest first, then the newest allocation; last the surcharge, which is no part of the balance (R1)."""
    source = account.sources.get(("payment", one.payment_id))
    left = min(one.amount_minor, source.amount_minor - source.returned_minor) if source is not None else 0
    beside = min(one.amount_minor - left, source.surcharge_minor) if source is not None else 0
    if left + beside < one.amount_minor:
        account.excess["return", one.name] = one.amount_minor - left - beside
    if source is None:
        return
    _move(account, one.returned_on, "return", one.refund_id, left, of=one.payment_id)
    free = min(left, source.unapplied_minor)
    source.returned_minor += left
    source.surcharge_minor -= beside
    left -= free
    for number in reversed(list(source.allocated)):
        taken = min(left, source.allocated[number])
        if taken <= 0:
            break
        source.book(number, -taken)
        item = account.items[number]
        was_open = item.outstanding_minor > 0
        item.applied_minor -= taken
        item.close(one.returned_on)
        if not was_open:
            account.reopen(item)
        account.allocations.append(
            Allocation(source=source.name, kind=source.kind, number=number, amount_minor=-taken, allocated_on=one.returned_on)
        )
        left -= taken


def _write_off(account: Account, one: WrittenOff) -> None:
    item = account.items.get(one.number)
    amount = min(one.amount_minor, item.outstanding_minor) if item is not None else 0
    if amount < one.amount_minor:
        _beyond(account, one.number, one.amount_minor - amount, one.written_off_on)
    if item is not None:
        _move(account, one.written_off_on, "write_off", one.number, -amount)
        item.written_off_minor += amount
        item.close(one.written_off_on)


def _beyond(account: Account, number: str, amount_minor: int, day: date) -> None:
    """So much of what was given up of an invoice was not to be paid, as is known since a day."""
    key = ("write_off", number)
    account.excess[key] = account.excess.get(key, 0) + amount_minor
    account.excess_on.setdefault(key, day)

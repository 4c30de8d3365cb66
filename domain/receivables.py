"""What a client owes in one currency, and why: documents, payments, refunds and write-offs in the order of their dates (R1-R3).

Nothing here depends on the order of arrival: a payment that becomes known late counts from the instant it was received.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Final

AGES: Final = ("current", "days_1_30", "days_31_60", "days_61_90", "days_over_90")
"""The buckets of an ageing, by days past due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A document; `total_minor` is negative on a credit note, whose lines correct invoices: (number, amount taken back)."""

    number: str
    issued_on: date
    due_on: date
    total_minor: int
    corrects: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Money that pays invoices: what the payer was charged without its surcharge (R1); `received_on` is the client's day.

    One that `pays` nothing yet, because a person has to look at it, is credit meanwhile.
    """

    payment_id: str
    amount_minor: int
    received_at: datetime
    received_on: date
    invoice_numbers: tuple[str, ...] = ()
    pays: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """Part of a payment that went back: a refund or a chargeback."""

    refund_id: str
    payment_id: str
    amount_minor: int
    returned_at: datetime
    returned_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenOff:
    """What the provider gave up of an invoice, at most what was open of it."""

    number: str
    amount_minor: int
    written_off_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Part of a payment or credit note (`source`) that pays an invoice from a day on; negative where a return took it back."""

    source: str
    number: str
    amount_minor: int
    allocated_on: date


@dataclass(slots=True)
class OpenItem:
    """An invoice as it stands."""

    document: Issued
    applied_minor: int = 0
    written_off_minor: int = 0
    settled_on: date | None = None

    @property
    def outstanding_minor(self) -> int:
        """What is still to be paid of it."""
        return self.document.total_minor - self.applied_minor - self.written_off_minor

    @property
    def status(self) -> str:
        """`open`, `partly_paid`, `settled` or `written_off`."""
        if self.outstanding_minor > 0:
            return "partly_paid" if self.applied_minor else "open"
        return "written_off" if self.written_off_minor else "settled"

    def close(self, day: date) -> None:
        """Notes the day on which nothing was left to pay, or that there is something again."""
        self.settled_on = (self.settled_on or day) if self.outstanding_minor <= 0 else None


@dataclass(slots=True)
class Source:
    """A payment or credit note (`kind`) as it stands."""

    name: str
    kind: str
    amount_minor: int
    day: date
    at: datetime
    names: tuple[str, ...]
    pays: bool = True
    returned_minor: int = 0
    allocated: dict[str, int] = field(default_factory=dict)

    @property
    def unapplied_minor(self) -> int:
        """What of it neither pays an invoice nor went back."""
        return self.amount_minor - self.returned_minor - sum(self.allocated.values())


@dataclass(slots=True)
class Account:
    """One client's receivables in one currency as of a day.

    `sources` are by kind and name; `excess` is what a return or write-off says beyond what there was, by kind and name.
    """

    items: dict[str, OpenItem] = field(default_factory=dict)
    sources: dict[tuple[str, str], Source] = field(default_factory=dict)
    allocations: list[Allocation] = field(default_factory=list)
    excess: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def outstanding_minor(self) -> int:
        """The sum of the open items."""
        return sum(item.outstanding_minor for item in self.items.values())

    @property
    def unapplied_minor(self) -> int:
        """Credit that pays nothing yet; shown beside the balance."""
        return sum(source.unapplied_minor for source in self.sources.values())

    def ageing(self, as_of: date) -> dict[str, int]:
        """What is outstanding by days past due; an item is overdue from the day after its due date (R3)."""
        buckets = dict.fromkeys(AGES, 0)
        for item in self.items.values():
            buckets[age_of(item.document.due_on, as_of)] += item.outstanding_minor
        return buckets

    def overdue_minor(self, as_of: date) -> int:
        """What is past due."""
        return sum(amount for age, amount in self.ageing(as_of).items() if age != "current")


def age_of(due_on: date, as_of: date) -> str:
    """The bucket of what was due on a day."""
    days = (as_of - due_on).days
    if days <= 0:
        return "current"
    return AGES[min((days - 1) // 30 + 1, 4)]


def settle(
    documents: Iterable[Issued],
    payments: Iterable[Received] = (),
    returns: Iterable[Returned] = (),
    write_offs: Iterable[WrittenOff] = (),
    *,
    use_credit: bool = False,
    as_of: date = date.max,
) -> Account:
    """The account from everything that happened up to the close of a day, whatever its order of arrival (R2).

    On one day documents come first, then write-offs, then money in the order of its instants.
    Nothing goes below zero: what a return or write-off says beyond what is there is the account's `excess`.
    """
    account = Account()
    for happened in sorted(_timeline(documents, payments, returns, write_offs), key=_place):
        if _place(happened)[0] > as_of:
            break
        match happened:
            case Issued():
                _issue(account, happened, use_credit)
            case Received():
                _receive(account, happened)
            case Returned():
                _take_back(account, happened)
            case WrittenOff():
                _write_off(account, happened)
    return account


Happened = Issued | Received | Returned | WrittenOff


def _timeline(
    documents: Iterable[Issued],
    payments: Iterable[Received],
    returns: Iterable[Returned],
    write_offs: Iterable[WrittenOff],
) -> list[Happened]:
    paid = list(payments)
    known = {payment.payment_id: payment for payment in paid}
    return [*documents, *write_offs, *paid, *(_not_before(one, known.get(one.payment_id)) for one in returns)]


def _not_before(one: Returned, payment: Received | None) -> Returned:
    """Money cannot go back before it came: clocks of two systems may differ."""
    if payment is None or (one.returned_on, one.returned_at) >= (payment.received_on, payment.received_at):
        return one
    return Returned(
        refund_id=one.refund_id,
        payment_id=one.payment_id,
        amount_minor=one.amount_minor,
        returned_at=max(one.returned_at, payment.received_at),
        returned_on=max(one.returned_on, payment.received_on),
    )


def _place(one: Happened) -> tuple[date, int, datetime, int, str]:
    match one:
        case Issued():
            # Invoices before credit notes: a credit note may correct one of its own day.
            return (one.issued_on, 0 if one.total_minor >= 0 else 1, _EVER, 0, one.number)
        case WrittenOff():
            return (one.written_off_on, 2, _EVER, 0, one.number)
        case Received():
            return (one.received_on, 3, one.received_at, 0, one.payment_id)
        case Returned():
            return (one.returned_on, 3, one.returned_at, 1, one.refund_id)


_EVER: Final = datetime.combine(date.min, time(), UTC)


def _issue(account: Account, document: Issued, use_credit: bool) -> None:
    if document.total_minor < 0:
        _credit(account, document)
        return
    item = OpenItem(document)
    account.items[document.number] = item
    item.close(document.issued_on)
    for source in _with_credit(account):
        if use_credit or document.number in source.names:
            _allocate(account, source, document.number, document.issued_on)


def _credit(account: Account, note: Issued) -> None:
    """Each of its lines pays the invoice it corrects; what is left is credit: it must not settle another invoice unasked."""
    at = datetime.combine(note.issued_on, time(), UTC)
    source = Source(note.number, "credit_note", -note.total_minor, note.issued_on, at, ())
    account.sources["credit_note", note.number] = source
    for number, amount_minor in note.corrects:
        _allocate(account, source, number, note.issued_on, amount_minor)


def _with_credit(account: Account) -> Sequence[Source]:
    found = (one for one in account.sources.values() if one.pays and one.unapplied_minor > 0)
    return sorted(found, key=lambda one: (one.at, one.name))


def _receive(account: Account, one: Received) -> None:
    """Invoices named, in the order named; then by due date, issue date and number; the rest is unapplied."""
    day = one.received_on
    source = Source(one.payment_id, "payment", one.amount_minor, day, one.received_at, one.invoice_numbers, one.pays)
    account.sources["payment", one.payment_id] = source
    if not source.pays:
        return
    for number in source.names:
        _allocate(account, source, number, day)
    documents = (item.document for item in account.items.values() if item.outstanding_minor > 0)
    for document in sorted(documents, key=lambda one: (one.due_on, one.issued_on, one.number)):
        _allocate(account, source, document.number, day)


def _allocate(account: Account, source: Source, number: str, day: date, most_minor: int | None = None) -> None:
    item = account.items.get(number)
    amount = min(source.unapplied_minor, item.outstanding_minor) if item is not None else 0
    if most_minor is not None:
        amount = min(amount, most_minor)
    if item is None or amount <= 0:
        return
    item.applied_minor += amount
    item.close(day)
    source.allocated[number] = source.allocated.pop(number, 0) + amount  # the newest last
    account.allocations.append(Allocation(source=source.name, number=number, amount_minor=amount, allocated_on=day))


def _take_back(account: Account, one: Returned) -> None:
    """From the unapplied rest first, then the newest allocation."""
    source = account.sources.get(("payment", one.payment_id))
    left = min(one.amount_minor, source.amount_minor - source.returned_minor) if source is not None else 0
    if left < one.amount_minor:
        account.excess["return", one.refund_id] = one.amount_minor - left
    if source is None:
        return
    free = min(left, source.unapplied_minor)
    source.returned_minor += left
    left -= free
    for number in reversed(list(source.allocated)):
        taken = min(left, source.allocated[number])
        if taken <= 0:
            break
        source.allocated[number] -= taken
        if not source.allocated[number]:
            del source.allocated[number]
        item = account.items[number]
        item.applied_minor -= taken
        item.close(one.returned_on)
        account.allocations.append(
            Allocation(source=source.name, number=number, amount_minor=-taken, allocated_on=one.returned_on)
        )
        left -= taken


def _write_off(account: Account, one: WrittenOff) -> None:
    item = account.items.get(one.number)
    amount = min(one.amount_minor, item.outstanding_minor) if item is not None else 0
    if amount < one.amount_minor:
        key = ("write_off", one.number)
        account.excess[key] = account.excess.get(key, 0) + one.amount_minor - amount
    if item is not None:
        item.written_off_minor += amount
        item.close(one.written_off_on)

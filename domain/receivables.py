"""What a client owes in one currency, and why: what happened to it, and the account that comes of it (R1-R3)."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from domain.in_line import Line

AGES: Final = ("current", "days_1_30", "days_31_60", "days_61_90", "days_over_90")
"""The buckets of an ageing, by days past due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A document; `total_minor` is negative on a credit note, whose lines correct invoices: (number, amount taken back).

    An invoice `takes_credit` where the client's terms on its day say so (R2): what they say later changes nothing of it.
    """

    number: str
    issued_on: date
    due_on: date
    total_minor: int
    corrects: tuple[tuple[str, int], ...] = ()
    takes_credit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Money that pays invoices: what the payer was charged without its surcharge (R1); `received_on` is the client's day.

    One that `pays` nothing yet, because a person has to look at it, is credit meanwhile.
    `surcharge_minor` was charged beside it, and may go back beside it.
    """

    payment_id: str
    amount_minor: int
    received_at: datetime
    received_on: date
    invoice_numbers: tuple[str, ...] = ()
    pays: bool = True
    surcharge_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """Part of a payment that went back, its surcharge included: a refund or a chargeback.

    It is known by its payment too: two payments may each have one of the same id, and both went back.
    """

    refund_id: str
    payment_id: str
    amount_minor: int
    returned_at: datetime
    returned_on: date

    @property
    def name(self) -> str:
        """What tells it from every other of the client."""
        return return_name(self.refund_id, self.payment_id)


def return_name(refund_id: str, payment_id: str) -> str:
    """A return's id and its payment's in one text, as no other two come to: a slash in the first is written otherwise."""
    return f"{refund_id.replace('%', '%25').replace('/', '%2F')}/{payment_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenOff:
    """What the provider gave up of an invoice, at most what was open of it."""

    number: str
    amount_minor: int
    written_off_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Part of a payment or credit note (`source`, of a `kind`) that pays an invoice from a day on.

    Negative where a return took it back.
    """

    source: str
    kind: str
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
    """A payment or credit note (`kind`) as it stands; `surcharge_minor` is what may still go back beside its amount."""

    name: str
    kind: str
    amount_minor: int
    day: date
    at: datetime
    names: tuple[str, ...]
    pays: bool = True
    returned_minor: int = 0
    surcharge_minor: int = 0
    applied_minor: int = 0
    allocated: dict[str, int] = field(default_factory=dict)

    @property
    def unapplied_minor(self) -> int:
        """What of it neither pays an invoice nor went back."""
        return self.amount_minor - self.returned_minor - self.applied_minor

    def book(self, number: str, amount_minor: int) -> None:
        """Pays some of an invoice, which then is its newest; a negative amount takes it back."""
        self.applied_minor += amount_minor
        if amount_minor > 0:
            self.allocated[number] = self.allocated.pop(number, 0) + amount_minor
            return
        self.allocated[number] += amount_minor
        if not self.allocated[number]:
            del self.allocated[number]


Place = tuple[date, int, datetime, int, str]
"""Where something stands in the order in which things count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What one thing did to the balance: `amount_minor` is what it added, negative what it took off.

    `kind` is `invoice`, `credit_note`, `payment`, `return` or `write_off`; `of` is the payment that went back.
    """

    moved_on: date
    kind: str
    reference: str
    amount_minor: int
    due_on: date | None = None
    of: str | None = None


@dataclass(slots=True)
class Account:
    """One client's receivables in one currency as of a day.

    `sources` are by kind and name; `excess` is what a return or write-off says beyond what there was, by kind and name.
    `excess_on` is the first day of it, of write-offs.
    `movements` are in the order of their days; their sum is what is outstanding less the credit.
    `last` is the place of the last thing that counted.
    What is next in line to be paid, and to pay, is kept beside, so that no step looks at all there is.
    """

    items: dict[str, OpenItem] = field(default_factory=dict)
    sources: dict[tuple[str, str], Source] = field(default_factory=dict)
    allocations: list[Allocation] = field(default_factory=list)
    excess: dict[tuple[str, str], int] = field(default_factory=dict)
    excess_on: dict[tuple[str, str], date] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)
    last: Place | None = None
    _unpaid: Line[OpenItem] = field(default_factory=lambda: Line(_is_open), compare=False, repr=False)
    _credit: Line[Source] = field(default_factory=lambda: Line(_is_credit), compare=False, repr=False)
    _naming: dict[str, list[Source]] = field(default_factory=dict, compare=False, repr=False)

    def add_item(self, item: OpenItem) -> None:
        """An invoice; what is open is paid by due date, issue date and number."""
        self.items[item.document.number] = item
        self.reopen(item)

    def reopen(self, item: OpenItem) -> None:
        """An invoice that may have been paid takes its place among the open ones."""
        document = item.document
        self._unpaid.join((document.due_on, document.issued_on, document.number), item)

    def add_source(self, source: Source) -> None:
        """A payment or credit note; credit is used in the order of its instants."""
        self.sources[source.kind, source.name] = source
        if source.pays:
            self._credit.join((source.at, source.name), source)
            for number in dict.fromkeys(source.names):
                self._naming.setdefault(number, []).append(source)

    def next_unpaid(self) -> OpenItem | None:
        """The invoice that a payment pays next, where it names none."""
        return self._unpaid.first()

    def next_credit(self) -> Source | None:
        """The payment or credit note whose rest is used next."""
        return self._credit.first()

    def naming(self, number: str) -> list[Source]:
        """The payments that named an invoice, in the order of their instants."""
        return sorted(self._naming.get(number, ()), key=lambda one: (one.at, one.name))

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


def _is_open(item: OpenItem) -> bool:
    return item.outstanding_minor > 0


def _is_credit(source: Source) -> bool:
    return source.unapplied_minor > 0


def age_of(due_on: date, as_of: date) -> str:
    """The bucket of what was due on a day."""
    days = (as_of - due_on).days
    if days <= 0:
        return "current"
    return AGES[min((days - 1) // 30 + 1, 4)]

"""Says what the oracle of receivables is told to a real book, under names of one client's own, and reads back what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5
from zlib import crc32

from domain.corrections import InvoiceWrittenOff
from domain.difference import LineReference
from domain.ids import event_id, stream_id
from domain.invoice import CreditNoteIssued, InvoiceIssued, InvoiceLine
from domain.rated import RatedLine
from ledger.book import NewEvent
from ledger.event_codec import encode
from projections import decisions, receivables
from projections.tables import ALLOCATIONS, CREDITS, OPEN_ITEMS, SETTLED, Table
from projections.terms import TermsCache
from tests.oracle.receivables import NOBODY, Document, GivenUp, Payment, Return, Said, Terms
from tests.oracle.story import NOON
from tests.oracle.world import Said as Fact
from tests.projections.office import Office

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass
class Till:
    """One client of an office; `name` goes before every id, so that many clients share a book and never meet."""

    office: Office
    name: str

    def own(self, id_: str) -> str:
        """An id as the book knows it."""
        return f"{self.name}-{id_}"

    def say(self, one: Said, number: int) -> None:
        """Brings one thing into the book; `number` tells equal documents' streams apart."""
        match one:
            case Document():
                self._decide(self._document(one), number)
            case GivenUp():
                self._decide(self._given_up(one, number), number)
            case Terms() | Payment() | Return():
                self.office.take([self._fact(one)])

    def _fact(self, one: Terms | Payment | Return) -> Fact:
        match one:
            case Terms():
                record, at = "ClientDefined", NOON
                fields: dict[str, Any] = {
                    "client_id": self.name, "name": self.name, "currency": "GBP", "time_zone": one.zone,
                    "effective_from": one.since, "revision": one.revision, "use_credit": one.use_credit,
                }  # fmt: skip
                id_ = f"terms {1_000_000 + one.revision}"
            case Payment():
                record, at, id_ = "PaymentReceived", one.said_at, one.event_id
                fields = {
                    "payment_id": self.own(one.payment), "amount_minor": one.charged, "surcharge_minor": one.surcharge,
                    "currency": one.currency, "received_at": one.at, "invoice_numbers": [self.own(n) for n in one.names],
                    "method": "bank", "provider": None, "provider_ref": None,
                }  # fmt: skip
            case Return():
                record = "PaymentChargedBack" if one.refund.endswith("c") else "PaymentRefunded"
                at, id_ = one.said_at, one.event_id
                fields = {
                    "payment_id": self.own(one.payment), "refund_id": self.own(one.refund), "amount_minor": one.amount,
                    "currency": one.currency, "at": one.at,
                }  # fmt: skip
        if not isinstance(one, Terms):
            fields["client_id"] = NOBODY if one.client == NOBODY else self.name
        # Ids in the order of the oracle's, which decides between two statements of one instant.
        event_id = UUID(int=(crc32(self.name.encode()) << 64) + int(id_.split()[1]), version=4)
        identity = {"event_id": str(event_id), "source": "test", "occurred_at": at}
        return Fact(at, record, identity | fields)

    def _document(self, one: Document) -> InvoiceIssued | CreditNoteIssued:
        common: dict[str, Any] = {
            "event_id": str(event_id(stream_id("invoice", self.own(one.number)), 1)), "occurred_at": NOON,
            "client_id": self.name, "invoice_id": self.own(one.number), "number": self.own(one.number), "series": "TILL",
            "currency": one.currency, "issued_on": one.issued_on, "due_on": one.due_on, "net_minor": one.total, "tax_minor": 0,
            "total_minor": one.total, "saw_position": 0,
        }  # fmt: skip
        if one.total >= 0:
            return InvoiceIssued(**common, lines=())
        lines = [self._line(one, n, number, amount) for n, (number, amount) in enumerate(one.takes_back, start=1)]
        return CreditNoteIssued(**common, lines=tuple(lines), reason="")

    def _line(self, of: Document, line_no: int, number: str, amount: int) -> InvoiceLine:
        key = f"time/{self.own(of.number)}-{line_no}"
        rated = RatedLine(
            part="", description="", charge_type="REMOTE", kind="time", service_from=of.issued_on, service_to=of.issued_on,
            quantity=Decimal(-1), unit="HUR", unit_price=Decimal(amount), currency=of.currency, amount_minor=-amount,
            gross=False, tax_code="GB20", account="200", rule="", arithmetic="",
        )  # fmt: skip
        return InvoiceLine(
            line_no=line_no, item_key=key, due_on=of.issued_on, line=rated, net_minor=-amount, tax_code="GB20",
            tax_percent=Decimal(0), tax_minor=0, corrects=LineReference(number=self.own(number), line_no=1),
            source_event_ids=(), members=(),
        )  # fmt: skip

    def _given_up(self, one: GivenUp, number: int) -> InvoiceWrittenOff:
        return InvoiceWrittenOff(
            event_id=str(uuid5(NAMESPACE_URL, self.own(f"write-off {number}"))), occurred_at=NOON, client_id=self.name,
            number=self.own(one.number), currency=one.currency, amount_minor=one.amount, written_off_on=one.on, by="ann",
            reason="",
        )  # fmt: skip

    def _decide(self, event: Any, number: int) -> None:
        stream = stream_id("till", self.name, event.number, str(number))
        new = NewEvent(stream, 1, event.TOPIC, encode(event), self.name, UUID(event.event_id))
        with self.office.book.database.connection() as connection:
            connection.execute("SET LOCAL search_path = books")
            self.office.book.append(
                [new], conn=connection, also=lambda cursor, first, _: decisions.apply(cursor, [(first, event)])
            )

    # ---- what came of it ----

    def rows(self) -> Rows:
        """This client's rows of every derived table, without its name, in order of their keys."""
        with self.office.books() as cursor:
            return self._rows(cursor)

    def settled_whole(self) -> Rows:
        """The same, were the client settled anew from all that was said; the live rows stay."""
        with self.office.books() as cursor:
            receivables.settle_clients(cursor, [self.name], TermsCache())
            found = self._rows(cursor)
            cursor.connection.rollback()
            return found

    def _rows(self, cursor: Any) -> Rows:
        found: Rows = {}
        for table in (OPEN_ITEMS, CREDITS, ALLOCATIONS, SETTLED):
            found[table.name] = self._read(cursor, table)
        waiting = cursor.execute(
            "SELECT what, id, reason, since FROM waiting WHERE what IN ('payment', 'refund', 'write_off') AND"
            " (client_id = %s OR client_id = '?' AND starts_with(id, %s))",
            (self.name, self.own("")),
        ).fetchall()
        # A return is known by its payment too: as the oracle names it.
        found["waiting"] = sorted((what, id_.replace("/-", "/"), *row) for what, id_, *row in map(self._without_name, waiting))
        return found

    def _read(self, cursor: Any, table: Table) -> list[tuple[Any, ...]]:
        columns = ", ".join(table.names)
        rows = cursor.execute(f"SELECT {columns} FROM {table.name} WHERE client_id = %s", (self.name,)).fetchall()
        return sorted((self._without_name(row) for row in rows), key=lambda row: row[: table.keys])

    def _without_name(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(value.replace(self.name, "") if isinstance(value, str) else value for value in row)


def noon_of(day: date, hour: int = 12) -> datetime:
    """An instant of a day."""
    return NOON.replace(year=day.year, month=day.month, day=day.day, hour=hour)


def sums(rows: Rows) -> Mapping[str, tuple[int, int, int]]:
    """By currency: what is outstanding, what is credit, and what came less what pays and what went back."""
    found: dict[str, list[int]] = {}
    for row in rows["open_items"]:
        found.setdefault(row[2], [0, 0, 0])[0] += row[8]
    for row in rows["credits"]:
        one = found.setdefault(row[3], [0, 0, 0])
        one[1] += row[8]
        one[2] += row[5] - row[6] - row[7]
    return {currency: (one[0], one[1], one[2]) for currency, one in found.items()}

"""An invoice or credit note: what is due to one client in one currency, taxed, totalled, numbered and frozen (product M5-M8)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import ClassVar

from domain.calendar import due_on_terms
from domain.catalogue import InvoiceSeriesDefined
from domain.client_account import ClientDefined
from domain.difference import DueLine, LineReference, PostedLine, Posting
from domain.money import tax_by_group, tax_minor, tax_within
from domain.rated import Member, RatedLine
from domain.tax import Tax, tax_for
from domain.terms import Catalogue


class NoTax(LookupError):
    """A line has no tax code in force on the day of issue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One frozen line: one item, what it corrects, and all that explains it."""

    line_no: int
    item_key: str
    due_on: date
    line: RatedLine
    net_minor: int
    tax_code: str
    tax_percent: Decimal
    tax_minor: int
    corrects: LineReference | None
    source_event_ids: tuple[str, ...]
    members: tuple[Member, ...]

    @property
    def source_sha256(self) -> str:
        """Proof of which events the line rests on, however many there are."""
        return sha256("\n".join(self.source_event_ids).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document before it has a number: what a run would issue."""

    client_id: str
    currency: str
    issued_on: date
    due_on: date
    lines: tuple[InvoiceLine, ...]
    net_minor: int
    tax_minor: int

    @property
    def total_minor(self) -> int:
        """What the client pays; below zero what is credited."""
        return self.net_minor + self.tax_minor

    @property
    def is_credit_note(self) -> bool:
        """A total below zero is a credit note (product M6)."""
        return self.total_minor < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceIssued:
    """An invoice was issued; nothing of it ever changes. `saw_position` is the last ledger position it took in."""

    TOPIC: ClassVar[str] = "invoice.issued.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    invoice_id: str
    number: str
    series: str
    currency: str
    issued_on: date
    due_on: date
    lines: tuple[InvoiceLine, ...]
    net_minor: int
    tax_minor: int
    total_minor: int
    saw_position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteIssued:
    """A credit note was issued: amounts are negative, quantities too (product M5).

    One that a person asked for (`by`) names the document that it `credits`, and says in `mode` what becomes of the items:
    `rebill` or `waive` (product K2).
    """

    TOPIC: ClassVar[str] = "credit_note.issued.v1"
    event_id: str
    occurred_at: datetime
    client_id: str
    invoice_id: str
    number: str
    series: str
    currency: str
    issued_on: date
    due_on: date
    lines: tuple[InvoiceLine, ...]
    net_minor: int
    tax_minor: int
    total_minor: int
    saw_position: int
    reason: str
    credits: str = ""
    mode: str = ""
    by: str = ""


Document = InvoiceIssued | CreditNoteIssued


def draft(due: Sequence[DueLine], *, client: ClientDefined, terms_days: int, catalogue: Catalogue, issued_on: date) -> Draft:
    """Taxes and totals one client's due lines of one currency; raises NoTax naming the item.

    `client` is the state in force on `issued_on`, the tax point; `terms_days` are the last revision's terms.
    """
    ordered = _ordered(due)
    rounding = catalogue.provider.tax_rounding if catalogue.provider is not None else "line"
    taxed = _taxed(ordered, client, catalogue, issued_on, rounding)
    lines = tuple(
        InvoiceLine(
            line_no=number,
            item_key=one.item_key,
            due_on=one.due_on,
            line=one.line,
            net_minor=one.line.amount_minor - (tax if one.line.gross else 0),
            tax_code=code,
            tax_percent=percent,
            tax_minor=tax,
            corrects=one.corrects,
            source_event_ids=one.sources,
            members=one.members,
        )
        for number, (one, (code, percent, tax)) in enumerate(zip(ordered, taxed, strict=True), start=1)
    )
    return Draft(
        client_id=client.client_id,
        currency=ordered[0].line.currency,
        issued_on=issued_on,
        due_on=due_on_terms(issued_on, terms_days),
        lines=lines,
        net_minor=sum(line.net_minor for line in lines),
        tax_minor=sum(line.tax_minor for line in lines),
    )


def nets_of(item: Sequence[DueLine], client: ClientDefined, catalogue: Catalogue, as_of: date) -> list[int]:
    """The net amounts of one item's due lines, as a draft will have them; gross prices lose the tax they hold (product M8)."""
    if not any(one.line.gross for one in item):
        return [one.line.amount_minor for one in item]
    taxed = _taxed(item, client, catalogue, as_of, "line")
    return [one.line.amount_minor - (tax if one.line.gross else 0) for one, (_, _, tax) in zip(item, taxed, strict=True)]


def _ordered(due: Sequence[DueLine]) -> list[DueLine]:
    """Hours first, by charge type, then the contract's lines.

    The lines of one item stay together in the order given, whatever they are called: a mirrored line has to come before
    its replacement, or what stands of the item afterwards could not be told.
    """
    place: dict[str, tuple[bool, str, date, str]] = {}
    for one in due:
        # The last line counts: it says what the item is now.
        place[one.item_key] = (one.line.unit != "hour", one.line.kind, one.line.service_from, one.item_key)
    return sorted(due, key=lambda one: place[one.item_key])


def _taxed(
    due: Sequence[DueLine], client: ClientDefined, catalogue: Catalogue, on: date, rounding: str
) -> list[tuple[str, Decimal, int]]:
    """(code, percent, tax) of each line; corrections end where the tax would have been from scratch (product M7)."""
    # Most lines of a document are taxed by the same code.
    own: dict[str | None, Tax | None] = {one: tax_for(one, client, catalogue, on) for one in {d.line.tax_code for d in due}}
    codes = [_code(one, own[one.line.tax_code]) for one in due]
    taxes: list[int | None] = [None] * len(due)
    posted: dict[tuple[str, str, str], int] = {}
    for index, (one, (_, percent)) in enumerate(zip(due, codes, strict=True)):
        if one.like is None and not one.line.gross and rounding == "rate_group":
            continue
        part = (one.item_key, one.line.currency, one.line.part)
        before = posted.get(part, one.keeps.tax_minor if one.keeps else 0)
        tax = _own_tax(one, percent, before)
        posted[part] = before + tax
        taxes[index] = tax
    left = [index for index, tax in enumerate(taxes) if tax is None]
    for index, tax in zip(left, tax_by_group([(due[i].line.amount_minor, codes[i][1]) for i in left]), strict=True):
        taxes[index] = tax
    return [(code, percent, tax or 0) for (code, percent), tax in zip(codes, taxes, strict=True)]


def _own_tax(one: DueLine, percent: Decimal, posted_tax: int) -> int:
    whole = tax_within if one.line.gross else tax_minor
    return whole(one.ends_amount_minor, percent) - posted_tax


def _code(one: DueLine, tax: Tax | None) -> tuple[str, Decimal]:
    if one.like is not None:
        return one.like.tax_code, one.like.percent
    if tax is None:
        raise NoTax(one.item_key)
    return tax.code, tax.percent


DEFAULT_PREFIX = {"invoice": "INV-", "credit_note": "CN-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Where a document's number comes from: the counter's name, and the shape of its numbers."""

    counter: str
    prefix: str
    digits: int

    def number(self, n: int) -> str:
        """The n-th number of the series, from 1."""
        return f"{self.prefix}{n:0{self.digits}d}"


def series_for(client: ClientDefined, catalogue: Catalogue, *, credit_note: bool, issued_on: date) -> Series:
    """The series a client's next document is numbered in; an undefined one is INV- (credit notes CN-), six digits."""
    document = "credit_note" if credit_note else "invoice"
    defined = _defined(client, catalogue, document)
    if defined is None:
        return Series(counter=document, prefix=DEFAULT_PREFIX[document], digits=6)
    # Numbers that do not show their year go on counting: two documents must never share one.
    year = f"/{issued_on.year}" if defined.restart == "yearly" and "{year}" in defined.prefix else ""
    prefix = defined.prefix.replace("{year}", f"{issued_on.year:04d}")
    # Printed like the default series, it is the default series.
    counter = document if prefix == DEFAULT_PREFIX[document] else f"{document}/{defined.code}{year}"
    return Series(counter=counter, prefix=prefix, digits=defined.digits)


def _defined(client: ClientDefined, catalogue: Catalogue, document: str) -> InvoiceSeriesDefined | None:
    named = catalogue.series.get(client.invoice_series) if client.invoice_series else None
    if named is not None and named.document == document:
        return named
    if document == "invoice":
        return None
    # A client names its invoices' series; credit notes take the provider's own, where exactly one is defined.
    own = [series for series in catalogue.series.values() if series.document == "credit_note"]
    return own[0] if len(own) == 1 else None


def issued(made: Draft, *, number: str, series: str, invoice_id: str, event_id: str, at: datetime, saw_position: int) -> Document:
    """The event that freezes a draft under its number."""
    if made.is_credit_note:
        return CreditNoteIssued(
            event_id=event_id,
            occurred_at=at,
            client_id=made.client_id,
            invoice_id=invoice_id,
            number=number,
            series=series,
            currency=made.currency,
            issued_on=made.issued_on,
            due_on=made.due_on,
            lines=made.lines,
            net_minor=made.net_minor,
            tax_minor=made.tax_minor,
            total_minor=made.total_minor,
            saw_position=saw_position,
            reason="",
        )
    return InvoiceIssued(
        event_id=event_id,
        occurred_at=at,
        client_id=made.client_id,
        invoice_id=invoice_id,
        number=number,
        series=series,
        currency=made.currency,
        issued_on=made.issued_on,
        due_on=made.due_on,
        lines=made.lines,
        net_minor=made.net_minor,
        tax_minor=made.tax_minor,
        total_minor=made.total_minor,
        saw_position=saw_position,
    )


def postings(document: Document) -> dict[str, Posting]:
    """What a document took of each item, by item key: what the queue subtracts from then on."""
    by_item: dict[str, list[InvoiceLine]] = {}
    for line in document.lines:
        by_item.setdefault(line.item_key, []).append(line)
    return {
        item_key: Posting(
            due_on=lines[0].due_on,
            lines=tuple(_posted(document.number, line) for line in lines),
            sources=lines[-1].source_event_ids,
            members=lines[-1].members,
        )
        for item_key, lines in by_item.items()
    }


def _posted(number: str, line: InvoiceLine) -> PostedLine:
    reference = LineReference(number=number, line_no=line.line_no)
    # A correction's standing line is named by the line it corrected, so that each difference leads to the first.
    return PostedLine(
        reference=reference,
        line=replace(line.line, arithmetic=""),
        net_minor=line.net_minor,
        tax_minor=line.tax_minor,
        tax_code=line.tax_code,
        percent=line.tax_percent,
    )

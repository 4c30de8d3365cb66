"""A person's corrections of issued documents: credit, void, write off. Nothing issued changes; each adds, with its reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from psycopg import Cursor
from psycopg.errors import DeadlockDetected, LockNotAvailable

from domain.calendar import due_on_terms
from domain.corrections import InvoiceVoided, InvoiceWrittenOff
from domain.credit import REBILL, WAIVE, Left, left_of, mirrored, more_than_stands, note, waived, waiver
from domain.decisions import ChargeAdjusted
from domain.difference import LineReference
from domain.ids import event_id, stream_id
from domain.invoice import CreditNoteIssued, Document, Draft, InvoiceIssued, issued, series_for
from domain.rated import RatedLine
from ledger.book import Book, BookBusy, NewEvent
from ledger.database import Connection
from ledger.event_codec import decode, encode
from projections import decisions, receivables
from projections.terms import load_catalogue, load_clients
from projections.views import Views
from runs.decide import lock_clients, next_version, said
from runs.drafting import position
from runs.errors import AsOfBeforeSeries, NothingThere, Refused
from runs.generate import MOST_TRIES, Behind, snapshot
from runs.issuing import lock_series, printed

T = TypeVar("T")
Taken = tuple[Left, RatedLine, tuple[str, ...]]
"""What is left of a line, the line that takes it back, and the events which that rests on."""


class InvoicePaid(Refused):
    """An invoice that something pays is not voided: `paid` names the payments and credit notes."""

    def __init__(self, number: str, paid: Sequence[str]) -> None:
        self.what = f"{number} is paid, in part or whole, by {', '.join(paid)}"
        super().__init__(f"{self.what}: refund that first, or use `daybook credit`")


class Corrected(NamedTuple):
    """What came of a correction: the credit note, or the amount written off, and the batch that holds it."""

    number: str
    client_id: str
    currency: str
    batch: int
    note: CreditNoteIssued | None = None
    written_off_minor: int = 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """One document under its client's lock, with a snapshot of the views that has taken in every decision on the client."""

    book: Book
    connection: Connection
    cursor: Cursor[Any]
    document: Document
    at: datetime
    by: str
    reason: str

    def sealed(self) -> str:
        """The reason as it is kept."""
        return self.book.keyring.encrypt(self.document.client_id, self.reason)

    def append(self, events: Sequence[tuple[UUID, int, Any]]) -> int:
        """Appends (stream, version, event) with the tables they decide on, in the lock's own transaction; gives the batch."""
        new = [
            NewEvent(stream, version, one.TOPIC, encode(one), self.document.client_id, event_id(stream, version))
            for stream, version, one in events
        ]
        decided = [one for _, _, one in events]

        def also(cursor: Cursor[Any], first: int, _batch: int) -> None:
            decisions.apply(cursor, list(enumerate(decided, start=first)))

        return self.book.append(new, conn=self.connection, also=also).batch_id


def credit(
    views: Views, number: str, line_no: int | None = None, *, mode: str, as_of: date, reason: str, by: str, at: datetime
) -> Corrected:
    """Credits what is left of an invoice, or of one of its lines, by a credit note dated `as_of`.

    `mode` says what becomes of the items (product K2): `rebill` returns them to the queue, `waive` gives the money up.
    Raises NothingThere, or Refused saying why, with nothing changed.
    """

    def decided(seen: _Seen) -> Corrected:
        _refuse_credit(seen, line_no)
        made, beside = _note(seen, line_no, mode, as_of)
        batch = seen.append([_issue(made), *beside])
        return Corrected(number, made.client_id, made.currency, batch, made)

    return _under_lock(views, number, decided, reason=reason, by=by, at=at)


def void(views: Views, number: str, *, as_of: date, reason: str, by: str, at: datetime) -> Corrected:
    """Takes an invoice back that should never have been: all that is left of it is credited and returns to the queue.

    Raises NothingThere, or Refused: a payment is allocated to it, or it was voided or written off before.
    """

    def decided(seen: _Seen) -> Corrected:
        _refuse_credit(seen, None)
        paid = _paid_by(seen)
        if paid:
            raise InvoicePaid(number, paid)
        made, _ = _note(seen, None, REBILL, as_of)
        stream = stream_id("void", number)
        event = InvoiceVoided(
            event_id=str(event_id(stream, 1)), occurred_at=at, client_id=made.client_id, number=number,
            credited_by=made.number, by=by, reason=seen.sealed(),
        )  # fmt: skip
        batch = seen.append([_issue(made), (stream, 1, event)])
        return Corrected(number, made.client_id, made.currency, batch, made)

    return _under_lock(views, number, decided, reason=reason, by=by, at=at)


def write_off(views: Views, number: str, *, as_of: date, reason: str, by: str, at: datetime) -> Corrected:
    """Gives up what is outstanding of an invoice as of a day; it stays posted (product K2).

    What was outstanding at the close of that day is that of all payments known when the lock was taken, and no more than now.
    One that was received earlier and becomes known later counts first, and what is then too much of the write-off is shown as
    waiting. Raises NothingThere or Refused.
    """

    def decided(seen: _Seen) -> Corrected:
        document = seen.document
        if isinstance(document, CreditNoteIssued):
            raise Refused(f"{number} is a credit note: there is nothing to pay of it")
        if as_of < document.issued_on:
            raise Refused(f"{number} is of {document.issued_on}: it cannot be written off before that day")
        outstanding = _outstanding(seen, as_of)
        if outstanding <= 0:
            raise Refused(f"nothing is outstanding of {number} at the close of {as_of}: there is nothing to write off")
        stream = stream_id("write-off", number)
        version = next_version(seen.connection, stream)
        event = InvoiceWrittenOff(
            event_id=str(event_id(stream, version)), occurred_at=at, client_id=document.client_id, number=number,
            currency=document.currency, amount_minor=outstanding, written_off_on=as_of, by=by, reason=seen.sealed(),
        )  # fmt: skip
        batch = seen.append([(stream, version, event)])
        return Corrected(number, document.client_id, document.currency, batch, written_off_minor=outstanding)

    return _under_lock(views, number, decided, reason=reason, by=by, at=at)


def refuse_after(as_of: date, today: date) -> None:
    """Raises Refused for a correction dated after the business date: nobody knows yet what will be open then."""
    if as_of > today:
        raise Refused(f"{as_of} is after the business date {today}: use --as-of {today} or earlier")


# ---- under the client's lock ----


def _under_lock(
    views: Views, number: str, decide: Callable[[_Seen], T], *, reason: str, by: str, at: datetime
) -> T:
    """Decides on a document while nobody else can decide on its client, from views that have taken in all decisions on it."""
    text = said(reason)
    book = views.book
    document = _document(book, number)
    book.keyring.prepare([document.client_id])
    views.catch_up()  # payments that were said by now count
    for _ in range(MOST_TRIES):
        try:
            with book.database.connection() as connection:
                connection.execute("SET LOCAL search_path = books")
                last = lock_clients(connection, [document.client_id])[document.client_id]
                with snapshot(views, last) as cursor:
                    return decide(_Seen(book, connection, cursor, document, at, by, text))
        except Behind:
            views.catch_up()
        except (BookBusy, LockNotAvailable, DeadlockDetected):
            continue  # another command has this client, and will be done with it
    raise Refused(f"others keep deciding on {document.client_id}: nothing was changed, try again")


def _document(book: Book, number: str) -> Document:
    stream = stream_id("invoice", number)
    events = book.load([stream])[stream]
    if not events:
        raise NothingThere(f"there is no document {number}: `daybook invoices` lists the numbers")
    document = decode(events[0].topic, events[0].state)
    assert isinstance(document, InvoiceIssued | CreditNoteIssued)
    return document


def _refuse_credit(seen: _Seen, line_no: int | None) -> None:
    document, number = seen.document, seen.document.number
    if isinstance(document, CreditNoteIssued):
        raise Refused(f"{number} is a credit note: it cannot be credited; what it took back is billed from the queue")
    if line_no is not None and not any(line.line_no == line_no for line in document.lines):
        raise NothingThere(f"{number} has no line {line_no}: it has lines 1 to {len(document.lines)}")
    row = seen.cursor.execute("SELECT credited_by FROM voids WHERE number = %s", (number,)).fetchone()
    if row is not None:
        raise Refused(f"{number} was voided already, by {row[0]}")
    given_up = seen.cursor.execute(
        "SELECT 1 FROM open_items WHERE number = %s AND written_off_minor > 0", (number,)
    ).fetchone()
    if given_up is not None:
        raise Refused(f"{number} was written off: a credit would give back what was never paid")


def _paid_by(seen: _Seen) -> list[str]:
    rows = seen.cursor.execute(
        "SELECT source FROM allocations WHERE client_id = %s AND number = %s AND kind = 'payment'"
        " GROUP BY 1 HAVING sum(amount_minor) > 0 ORDER BY 1",
        (seen.document.client_id, seen.document.number),
    ).fetchall()
    return [source for (source,) in rows]


def _outstanding(seen: _Seen, as_of: date) -> int:
    """What was open at the close of a day, and is open still: nothing is given up that is paid by now, or was paid then."""
    client_id, number = seen.document.client_id, seen.document.number
    row = seen.cursor.execute(
        "SELECT outstanding_minor FROM open_items WHERE client_id = %s AND number = %s", (client_id, number)
    ).fetchone()
    client = receivables.load(seen.cursor, [client_id], load_clients(seen.cursor, [client_id]))[client_id]
    then = client.account(seen.document.currency, as_of).items.get(number)
    return min(int(row[0]), then.outstanding_minor) if row is not None and then is not None else 0


# ---- the credit note ----


def _note(
    seen: _Seen, line_no: int | None, mode: str, as_of: date
) -> tuple[CreditNoteIssued, list[tuple[UUID, int, ChargeAdjusted]]]:
    """The numbered credit note, and the adjustments that go with it where money is given up; Refused where nothing is left."""
    document = seen.document
    history = decisions.posted_of(
        seen.cursor, [(document.client_id, key) for key in dict.fromkeys(line.item_key for line in document.lines)]
    )
    by_item = {key: postings for (_, key), postings in history.items()}
    taken = left_of(document, by_item, _corrects(seen, list(by_item)), line_no)
    lines: list[Taken]
    adjusted: list[tuple[UUID, int, ChargeAdjusted]] = []
    if mode == WAIVE:
        taken = tuple(left for left in taken if left.amounts.amount_minor)
        too_much = more_than_stands(taken, by_item)
        if too_much is not None:
            raise Refused(f"a discount on {too_much} stays where it is, so that line cannot be waived alone: waive the document")
        lines, adjusted = _given_up(seen, taken)
    else:
        lines = [(left, mirrored(left), left.sources) for left in taken]
    total = sum(left.amounts.net_minor + left.amounts.tax_minor for left in taken)
    if total <= 0:
        raise Refused(_why_nothing(seen, line_no))
    terms = load_clients(seen.cursor, [document.client_id])[document.client_id]
    days = terms.latest.payment_terms_days if terms.latest is not None else 0
    draft = note(document, lines, by_item, issued_on=as_of, due_on=due_on_terms(as_of, days))
    return _numbered(seen, draft, mode), adjusted


def _corrects(seen: _Seen, item_keys: Sequence[str]) -> dict[LineReference, LineReference]:
    rows = seen.cursor.execute(
        "SELECT number, line_no, corrects_number, corrects_line_no FROM invoice_lines"
        " WHERE client_id = %s AND item_key = ANY(%s) AND corrects_number IS NOT NULL",
        (seen.document.client_id, list(item_keys)),
    ).fetchall()
    return {
        LineReference(number=number, line_no=line_no): LineReference(number=of, line_no=of_line)
        for number, line_no, of, of_line in rows
    }


def _given_up(
    seen: _Seen, taken: Sequence[Left]
) -> tuple[list[Taken], list[tuple[UUID, int, ChargeAdjusted]]]:
    """The lines of what is waived, each with the adjustment it posts, which is a part of its own of its item (ADR 008)."""
    lines: list[Taken] = []
    adjusted: list[tuple[UUID, int, ChargeAdjusted]] = []
    versions: dict[UUID, int] = {}
    for left in taken:
        stream = stream_id("decisions", seen.document.client_id, left.item_key)
        versions[stream] = version = versions.get(stream, next_version(seen.connection, stream) - 1) + 1
        id_ = str(event_id(stream, version))
        made = waiver(left, id_, id_)
        one = made.adjustment
        event = ChargeAdjusted(
            event_id=id_, occurred_at=seen.at, client_id=seen.document.client_id, item_key=left.item_key, adjustment_id=id_,
            currency=one.currency, amount_minor=one.amount_minor, by=seen.by, reason=seen.sealed(), waives=one.waives,
        )  # fmt: skip
        lines.append((left, waived(left, made), (id_,)))
        adjusted.append((stream, version, event))
    return lines, adjusted


def _numbered(seen: _Seen, draft: Draft, mode: str) -> CreditNoteIssued:
    """The credit note under the next number of its series; raises AsOfBeforeSeries, or Refused."""
    document, as_of = seen.document, draft.issued_on
    if as_of < document.issued_on:
        raise AsOfBeforeSeries(f"{document.number} is of {document.issued_on}: use --as-of {document.issued_on} or later")
    terms = load_clients(seen.cursor, [document.client_id])[document.client_id]
    client = terms.latest or terms.states.states[-1]
    series = series_for(client, load_catalogue(seen.cursor), credit_note=True, issued_on=as_of)
    taken, last_issued_on = lock_series(seen.connection, [series])
    if as_of < last_issued_on[series.counter]:
        last = last_issued_on[series.counter]
        raise AsOfBeforeSeries(f"series {series.counter} has a document of {last}: use --as-of {last} or later")
    shown = series.number(taken[series.counter] + 1)
    if printed(seen.connection, [series], taken):
        raise Refused(f"another series has printed {shown}: give one of the two another prefix (InvoiceSeriesDefined)")
    stream = stream_id("invoice", shown)
    made = issued(
        draft, number=shown, series=series.counter, invoice_id=str(stream), event_id=str(event_id(stream, 1)), at=seen.at,
        saw_position=position(seen.cursor),
    )  # fmt: skip
    assert isinstance(made, CreditNoteIssued)
    return replace(made, reason=seen.sealed(), credits=document.number, mode=mode, by=seen.by)


def _issue(made: CreditNoteIssued) -> tuple[UUID, int, CreditNoteIssued]:
    return stream_id("invoice", made.number), 1, made


def _why_nothing(seen: _Seen, line_no: int | None) -> str:
    """Which documents have taken back what was asked for, or that there is nothing to take back."""
    number = seen.document.number
    what = number if line_no is None else f"{number} line {line_no}"
    rows = seen.cursor.execute(
        "SELECT DISTINCT number, line_no FROM invoice_lines WHERE corrects_number = %s"
        " AND (%s::int IS NULL OR corrects_line_no = %s) ORDER BY 1, 2",
        (number, line_no, line_no),
    ).fetchall()
    if rows:
        places = dict.fromkeys(by if line_no is None else f"{by} line {by_line}" for by, by_line in rows)
        return f"nothing is left of {what} to credit: it was taken back already by {', '.join(places)}"
    lines = [line for line in seen.document.lines if line_no in (None, line.line_no)]
    total = sum(line.net_minor + line.tax_minor for line in lines)
    return f"{what} {'takes off' if total < 0 else 'is free'}: there is nothing to credit"

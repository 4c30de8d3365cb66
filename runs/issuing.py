"""Drafts become documents: numbered without gap and appended with everything that guards them, in the locks' own transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from domain.ids import event_id, stream_id
from domain.invoice import Document, Draft, Series, issued, series_for
from ledger.book import Book, NewEvent
from ledger.database import Connection, Cursor
from ledger.event_codec import encode
from ledger.writing import Also
from projections import decisions
from runs.drafting import Seen
from runs.outcome import BEFORE_SERIES, NUMBER_TAKEN, Refusal, Stages


def issue(
    book: Book,
    connection: Connection,
    drafts: Sequence[Draft],
    seen: Seen,
    at: datetime,
    refused: list[Refusal],
    stages: Stages,
) -> list[Document]:
    """Takes numbers and appends the documents.

    Refused is one dated before its series' last, and one whose number another series has already printed.
    """
    series = [_series_of(made, seen) for made in drafts]
    taken, last_issued_on = lock_series(connection, series)
    found = printed(connection, series, taken)
    stages.end("lock series")
    documents: list[Document] = []
    for made, own in zip(drafts, series, strict=True):
        number = taken[own.counter] + 1
        reason = BEFORE_SERIES if made.issued_on < last_issued_on[own.counter] else None
        if reason is None and own.number(number) in found:
            reason = NUMBER_TAKEN
        if reason is not None:
            refused.append(
                Refusal(client_id=made.client_id, currency=made.currency, reason=reason, now_minor=made.net_minor)
            )
            continue
        taken[own.counter] = number
        found.add(own.number(number))
        documents.append(_document(made, own, number, at, seen.position))
    events = [_event(document) for document in documents]
    stages.end("number and encode")
    if documents:
        book.append(events, conn=connection, also=_guards(documents, stages))
        stages.end("post")
    return documents


def printed(connection: Connection, series: Sequence[Series], taken: Mapping[str, int]) -> set[str]:
    """Those of the numbers about to be taken that some document bears: two series may be defined to print the same ones."""
    wanted = Counter((one.counter, one) for one in series)
    numbers = [
        one.number(n) for (counter, one), count in wanted.items() for n in range(taken[counter] + 1, taken[counter] + count + 1)
    ]
    rows = connection.execute("SELECT number FROM invoices WHERE number = ANY(%s)", (numbers,)).fetchall()
    return {number for (number,) in rows}


def _series_of(made: Draft, seen: Seen) -> Series:
    terms = seen.terms[made.client_id]
    client = terms.latest or terms.states.states[-1]
    return series_for(client, seen.catalogue, credit_note=made.is_credit_note, issued_on=made.issued_on)


def _document(made: Draft, series: Series, number: int, at: datetime, saw_position: int) -> Document:
    shown = series.number(number)
    stream = stream_id("invoice", shown)
    return issued(
        made,
        number=shown,
        series=series.counter,
        invoice_id=str(stream),
        event_id=str(event_id(stream, 1)),
        at=at,
        saw_position=saw_position,
    )


def _event(document: Document) -> NewEvent:
    stream = stream_id("invoice", document.number)
    return NewEvent(stream, 1, document.TOPIC, encode(document), document.client_id, event_id(stream, 1))


def _guards(documents: Sequence[Document], stages: Stages) -> Also:
    """What keeps a second run from billing the same: written with the events or not at all."""

    def guard(cursor: Cursor, first: int, _batch: int) -> None:
        stages.end("append")
        decisions.apply(cursor, list(enumerate(documents, start=first)))

    return guard


def lock_series(connection: Connection, series: Sequence[Series]) -> tuple[dict[str, int], dict[str, date]]:
    """Locks the counters that are needed, in order of name; numbers are taken only in this transaction, so none is lost."""
    counters = sorted({one.counter for one in series})
    connection.execute(
        "INSERT INTO series (counter, last_number, last_issued_on) SELECT c, 0, '0001-01-01' FROM unnest(%s::text[]) AS c"
        " ON CONFLICT DO NOTHING",
        (counters,),
    )
    rows = connection.execute(
        'SELECT counter, last_number, last_issued_on FROM series WHERE counter = ANY(%s) ORDER BY counter COLLATE "C" FOR UPDATE',
        (counters,),
    ).fetchall()
    return {counter: number for counter, number, _ in rows}, {counter: issued_on for counter, _, issued_on in rows}

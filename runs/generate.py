"""Generate invoices: never twice, never stale, up to 200 clients a transaction (architecture, section 4)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from psycopg import Cursor
from psycopg.errors import DeadlockDetected, LockNotAvailable

from domain.contract_terms import client_fault
from domain.difference import DueLine
from domain.ids import event_id, stream_id
from domain.invoice import Document, Draft, NoTax, Series, draft, issued, series_for
from domain.terms import Catalogue, ClientTerms
from ledger.book import Book, BookBusy, NewEvent
from ledger.database import Connection
from ledger.event_codec import encode
from projections import charges, decisions
from projections.rating import rate_clients
from projections.terms import TermsCache, load_catalogue, load_clients
from projections.views import Views
from runs.decide import lock_clients
from runs.errors import AsOfBeforeSeries, Refused

CLIENTS_AT_ONCE = 200
MOST_TRIES = 20
BEFORE_SERIES = "as_of_before_series"

Confirmed = Mapping[tuple[str, str], int]
"""What a person saw and confirmed: net minor by (client, currency)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A client that was left out of a run, with both figures where they differ."""

    client_id: str
    currency: str
    reason: str
    confirmed_minor: int | None
    now_minor: int | None


@dataclass(slots=True)
class Outcome:
    """What a run issued and whom it refused; `drafts` is what a dry run would issue."""

    documents: list[Document] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What rating saw in one snapshot, taken after the locks."""

    position: int
    catalogue: Catalogue
    terms: dict[str, ClientTerms]
    due: dict[str, list[DueLine]]


class Behind(Exception):
    """The views have not taken in a client's last decision yet: catch up and try again."""


def plan(views: Views, as_of: date, client_ids: Sequence[str] | None = None) -> Outcome:
    """What a run would issue now; takes no number and changes nothing."""
    views.catch_up()
    outcome = Outcome()
    with views.reading() as cursor:
        for some in _chunks(_clients_due(cursor, as_of, client_ids)):
            seen = _look(cursor, some, as_of)
            outcome.drafts += [made for one in some for made in _drafts(one, seen, as_of, outcome.refused)]
    return outcome


def generate(
    views: Views,
    as_of: date,
    at: datetime,
    *,
    client_ids: Sequence[str] | None = None,
    confirmed: Confirmed | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Issues what is due as of a day: one document per client and currency.

    `confirmed` null accepts every figure as it is; otherwise a client whose figures differ from it is refused whole.
    A document whose series has a later one is refused; raises AsOfBeforeSeries where that leaves nothing to issue.
    """
    views.catch_up()
    with views.reading() as cursor:
        due = _clients_due(cursor, as_of, client_ids)
    if confirmed is not None:
        # One whose lines are gone meanwhile must be told so, not passed over.
        due = sorted(set(due) | {client_id for client_id, _ in confirmed})
    outcome = Outcome()
    done = 0
    for some in _chunks(due):
        _issue(views, some, as_of, at, confirmed, outcome)
        done += len(some)
        if progress is not None:
            progress(done, len(due))
    if not outcome.documents:
        _refuse_backdating(views, as_of, outcome.refused)
    return outcome


def _refuse_backdating(views: Views, as_of: date, refused: Sequence[Refusal]) -> None:
    """A run that could not have dated a document is refused as a whole, so that nobody takes it for a settled period."""
    if any(one.reason != BEFORE_SERIES for one in refused):
        return
    with views.reading() as cursor:
        rows = cursor.execute("SELECT counter, last_issued_on FROM series ORDER BY last_issued_on DESC, counter").fetchall()
    later = [(counter, issued_on) for counter, issued_on in rows if issued_on > as_of]
    if later and (refused or len(later) == len(rows)):
        counter, issued_on = later[0]
        raise AsOfBeforeSeries(
            f"series {counter} has a document of {issued_on}: a run as of {as_of} would date one before it;"
            f" use --as-of {issued_on} or later"
        )


def _chunks(client_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(client_ids), CLIENTS_AT_ONCE):
        yield client_ids[start : start + CLIENTS_AT_ONCE]


def _clients_due(cursor: Cursor[Any], as_of: date, client_ids: Sequence[str] | None) -> list[str]:
    """Clients with something due; for another day than the open one, every client that has ever been heard of."""
    if decisions.business_day(cursor) == as_of:
        rows = cursor.execute("SELECT DISTINCT client_id FROM due_lines WHERE due_on <= %s", (as_of,)).fetchall()
    else:
        rows = cursor.execute(
            "SELECT client_id FROM time_entries UNION SELECT subject FROM terms WHERE subject <> ''"
            " UNION SELECT client_id FROM posted"
        ).fetchall()
    wanted = {client_id for (client_id,) in rows}
    return sorted(wanted if client_ids is None else wanted & set(client_ids))


def _issue(
    views: Views, client_ids: Sequence[str], as_of: date, at: datetime, confirmed: Confirmed | None, outcome: Outcome
) -> None:
    book = views.book
    for _ in range(MOST_TRIES):
        try:
            with book.database.connection() as connection:
                connection.execute("SET LOCAL search_path = books")
                # Rating many clients takes longer than a transaction may idle; only these clients' rows wait for it.
                connection.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
                decided = lock_clients(connection, list(client_ids))
                # A second connection reads in one snapshot, taken only now that nobody can decide on these clients.
                with _snapshot(views, max(decided.values(), default=0)) as cursor:
                    seen = _look(cursor, client_ids, as_of)
                refused: list[Refusal] = []
                drafts = _confirmed(client_ids, seen, as_of, confirmed, refused)
                connection.execute("SET LOCAL idle_in_transaction_session_timeout TO DEFAULT")
                documents = _write(book, connection, drafts, seen, at, refused) if drafts else []
            outcome.documents += documents
            outcome.refused += refused
            return
        except Behind:
            views.catch_up()
        except (BookBusy, LockNotAvailable, DeadlockDetected):
            continue  # another run has these clients, and will be done with them
    raise Refused(f"others keep deciding on {', '.join(client_ids[:3])}...: nothing was issued for them, try again")


@contextmanager
def _snapshot(views: Views, decided: int) -> Iterator[Cursor[Any]]:
    with views.reading() as cursor:
        if _position(cursor) < decided:
            raise Behind
        yield cursor


def _position(cursor: Cursor[Any]) -> int:
    row = cursor.execute("SELECT coalesce(max(position), 0) FROM positions").fetchone()
    assert row is not None
    return int(row[0])


def _look(cursor: Cursor[Any], client_ids: Sequence[str], as_of: date) -> _Seen:
    """What is due to some clients, held items left out; for the open day from the view, else rated here and now."""
    held = {
        (client_id, key)
        for client_id, key in cursor.execute(
            "SELECT client_id, item_key FROM holds WHERE client_id = ANY(%s)", (list(client_ids),)
        ).fetchall()
    }
    due: dict[str, list[DueLine]] = {client_id: [] for client_id in client_ids}
    for client_id, line in _due_lines(cursor, client_ids, as_of):
        if line.due_on <= as_of and (client_id, line.item_key) not in held:
            due[client_id].append(line)
    return _Seen(_position(cursor), load_catalogue(cursor), load_clients(cursor, client_ids), due)


def _due_lines(cursor: Cursor[Any], client_ids: Sequence[str], as_of: date) -> Iterable[tuple[str, DueLine]]:
    if decisions.business_day(cursor) == as_of:
        rows = cursor.execute(
            "SELECT client_id, line FROM due_lines WHERE client_id = ANY(%s) AND due_on <= %s"
            " ORDER BY client_id, item_key, line_no",
            (list(client_ids), as_of),
        ).fetchall()
        for client_id, line in rows:
            yield client_id, charges.due_line(line)
        return
    for one in rate_clients(cursor, TermsCache(), client_ids, as_of):
        for key in sorted(one.due):
            for line in one.due[key]:
                yield one.client_id, line


def _drafts(client_id: str, seen: _Seen, as_of: date, refused: list[Refusal]) -> list[Draft]:
    """A client's documents, one a currency; what cannot be taxed is refused with the reason."""
    by_currency: dict[str, list[DueLine]] = {}
    for line in seen.due[client_id]:
        by_currency.setdefault(line.line.currency, []).append(line)
    terms = seen.terms[client_id]
    if not by_currency or terms.latest is None:
        return []
    client = terms.states.first_or_on(as_of)
    fault = client_fault(client) or client_fault(terms.latest)
    made = []
    for currency in sorted(by_currency):
        try:
            if fault is not None:
                raise NoTax(fault)
            made.append(
                draft(
                    by_currency[currency],
                    client=client,
                    terms_days=terms.latest.payment_terms_days,
                    catalogue=seen.catalogue,
                    issued_on=as_of,
                )
            )
        except NoTax:
            refused.append(
                Refusal(
                    client_id=client_id,
                    currency=currency,
                    reason=fault or "unknown_tax_code",
                    confirmed_minor=None,
                    now_minor=None,
                )
            )
    return made


def _confirmed(
    client_ids: Sequence[str], seen: _Seen, as_of: date, confirmed: Confirmed | None, refused: list[Refusal]
) -> list[Draft]:
    """The drafts to issue: a client of whom any figure is not the one confirmed is refused whole."""
    drafts: list[Draft] = []
    for client_id in client_ids:
        made = _drafts(client_id, seen, as_of, refused)
        if confirmed is not None:
            now = {(d.client_id, d.currency): d.net_minor for d in made}
            saw = {key: net for key, net in confirmed.items() if key[0] == client_id}
            if now != saw:
                refused.extend(
                    Refusal(
                        client_id=client_id,
                        currency=currency,
                        reason="changed",
                        confirmed_minor=saw.get((client_id, currency)),
                        now_minor=now.get((client_id, currency)),
                    )
                    for _, currency in sorted(now.keys() | saw.keys())
                    if now.get((client_id, currency)) != saw.get((client_id, currency))
                )
                continue
        drafts += made
    return drafts


def _write(
    book: Book, connection: Connection, drafts: Sequence[Draft], seen: _Seen, at: datetime, refused: list[Refusal]
) -> list[Document]:
    """Takes numbers and appends the documents with everything that guards them, in the locks' own transaction."""
    series = [
        series_for(
            seen.terms[made.client_id].latest or seen.terms[made.client_id].states.states[-1],
            seen.catalogue,
            credit_note=made.is_credit_note,
            issued_on=made.issued_on,
        )
        for made in drafts
    ]
    taken, last_issued_on = _lock_series(connection, series)
    documents: list[Document] = []
    events: list[NewEvent] = []
    for made, own in zip(drafts, series, strict=True):
        if made.issued_on < last_issued_on[own.counter]:
            refused.append(
                Refusal(
                    client_id=made.client_id,
                    currency=made.currency,
                    reason=BEFORE_SERIES,
                    confirmed_minor=None,
                    now_minor=made.net_minor,
                )
            )
            continue
        taken[own.counter] += 1
        number = own.number(taken[own.counter])
        stream = stream_id("invoice", number)
        id_ = event_id(stream, 1)
        document = issued(
            made,
            number=number,
            series=own.counter,
            invoice_id=str(stream),
            event_id=str(id_),
            at=at,
            saw_position=seen.position,
        )
        documents.append(document)
        events.append(NewEvent(stream, 1, document.TOPIC, encode(document), made.client_id, id_))
    if documents:
        book.append(
            events,
            conn=connection,
            also=lambda cursor, first, _: decisions.apply(cursor, list(enumerate(documents, start=first))),
        )
    return documents


def _lock_series(connection: Connection, series: Sequence[Series]) -> tuple[dict[str, int], dict[str, date]]:
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

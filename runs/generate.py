"""Generate invoices: never twice, never stale, up to 200 clients a transaction (architecture, section 4)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from psycopg import Cursor
from psycopg.errors import DeadlockDetected, LockNotAvailable

from domain.invoice import Document
from ledger.book import BookBusy
from projections import decisions
from projections.views import Views
from runs.decide import lock_clients
from runs.drafting import confirmed_drafts, drafts_of, look, position
from runs.errors import AsOfBeforeSeries, Refused
from runs.issuing import issue
from runs.outcome import BEFORE_SERIES, Confirmed, Outcome, Refusal

__all__ = ["Confirmed", "Outcome", "Refusal", "generate", "plan"]

CLIENTS_AT_ONCE = 200
MOST_TRIES = 20


class Behind(Exception):
    """The views have not taken in a client's last decision yet: catch up and try again."""


def plan(views: Views, as_of: date, client_ids: Sequence[str] | None = None) -> Outcome:
    """What a run would issue now; takes no number and changes nothing."""
    views.catch_up()
    outcome = Outcome()
    with views.reading() as cursor:
        for some in _chunks(_clients_due(cursor, as_of, client_ids)):
            seen = look(cursor, some, as_of)
            outcome.drafts += [made for one in some for made in drafts_of(one, seen, as_of, outcome.refused)]
    return outcome


def generate(
    views: Views,
    as_of: date,
    at: datetime,
    *,
    client_ids: Sequence[str] | None = None,
    confirmed: Confirmed | None = None,
    progress: Callable[[int, int], None] | None = None,
    keep_lines: bool = True,
) -> Outcome:
    """Issues what is due as of a day: one document per client and currency.

    `confirmed` null accepts every figure as it is; otherwise a client whose figures differ from it is refused whole.
    A document whose series has a later one is refused; raises AsOfBeforeSeries where that leaves nothing to issue.
    Without `keep_lines` the outcome's documents have none: those of thousands fill the memory of whoever needs totals only.
    """
    outcome = Outcome()
    views.catch_up()
    outcome.stages.end("catch up before")
    with views.reading() as cursor:
        due = _clients_due(cursor, as_of, client_ids)
    if confirmed is not None:
        # One whose lines are gone meanwhile must be told so, not passed over.
        due = sorted(set(due) | {client_id for client_id, _ in confirmed})
    outcome.stages.end("find clients")
    done = 0
    for some in _chunks(due):
        issued = _issue(views, some, as_of, at, confirmed, outcome)
        outcome.documents += issued if keep_lines else [replace(document, lines=()) for document in issued]
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
) -> list[Document]:
    """One batch of clients, in one transaction; tried again where somebody decides on one of them meanwhile."""
    book, stages = views.book, outcome.stages
    for _ in range(MOST_TRIES):
        try:
            with book.database.connection() as connection:
                connection.execute("SET LOCAL search_path = books")
                # Rating many clients takes longer than a transaction may idle; only these clients' rows wait for it.
                connection.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
                decided = lock_clients(connection, list(client_ids))
                stages.end("lock clients")
                # A second connection reads in one snapshot, taken only now that nobody can decide on these clients.
                with snapshot(views, max(decided.values(), default=0)) as cursor:
                    seen = look(cursor, client_ids, as_of)
                stages.end("read what is due")
                refused: list[Refusal] = []
                drafts = confirmed_drafts(client_ids, seen, as_of, confirmed, refused)
                stages.end("draft")
                connection.execute("SET LOCAL idle_in_transaction_session_timeout TO DEFAULT")
                documents = issue(book, connection, drafts, seen, at, refused, stages) if drafts else []
            stages.end("commit")
            outcome.refused += refused
            return documents
        except Behind:
            views.catch_up()
            stages.end("catch up between")
        except (BookBusy, LockNotAvailable, DeadlockDetected):
            stages.end("wait for others")
            continue  # another run has these clients, and will be done with them
    raise Refused(f"others keep deciding on {', '.join(client_ids[:3])}...: nothing was issued for them, try again")


@contextmanager
def snapshot(views: Views, decided: int) -> Iterator[Cursor[Any]]:
    """A cursor on one snapshot of the views; raises Behind where they have not taken in the last decision yet."""
    with views.reading() as cursor:
        if position(cursor) < decided:
            raise Behind
        yield cursor

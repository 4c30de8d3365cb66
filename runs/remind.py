"""Claims what clients are to be told: once, and never a reminder after a payment (product R4).

A claim is the intent to send, recorded before any mail. It is decided under the client's lock, from a snapshot taken after
it; and under the book's lock nothing may have come since that could change the answer, or all of it is done again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from psycopg import Cursor
from psycopg.errors import DeadlockDetected, LockNotAvailable

from domain.ids import event_id, stream_id
from domain.notices import NoticeClaimed
from domain.reminder_policy import EVERYBODY
from domain.reminder_words import NO_ADDRESS
from domain.reminders import Client, Planned, message_id, planned, why_not
from ledger.book import BookBusy, EventIdTaken, NewEvent, VersionConflict
from ledger.event_codec import encode
from projections import decisions, reminders
from projections.notices import Notice
from projections.receivables import UNKNOWN_PAYER
from projections.views import Views
from runs.decide import lock_clients
from runs.drafting import position
from runs.errors import Refused

CLIENTS_AT_ONCE: Final = 200
MOST_TRIES: Final = 20
MOST_CHANGES: Final = 50_000
CANNOT_MATTER: Final = "^(time_entry|charge|seat_count|usage|notice|item)[.]"
"""Topics of what changes neither what is owed nor who is told; any other may."""
_BEHIND: Final = (
    "SELECT EXISTS (SELECT FROM ledger.daybook_events WHERE client_id = ANY(%s) AND notification_id > %s"
    " AND notification_id < %s AND topic !~ %s)"
)


class Behind(Exception):
    """The book has more about a client than the snapshot: catch up and try again."""


@dataclass(slots=True)
class Outcome:
    """What a claim came to: what was claimed (or would be), and what is due and not sent, each with its reason."""

    claimed: list[Planned] = field(default_factory=list)
    left: list[Planned] = field(default_factory=list)


def plan(views: Views, as_of: date, client_ids: Sequence[str] | None = None, *, missed: bool = False) -> Outcome:
    """What a claim would claim now; changes nothing."""
    views.catch_up()
    with views.reading() as cursor:
        wanted = reminders.clients_with_accounts(cursor) if client_ids is None else client_ids
        return _sorted(_planned(views, cursor, wanted, as_of, None, missed))


def claim(
    views: Views,
    as_of: date,
    at: datetime,
    *,
    host: str,
    client_ids: Sequence[str] | None = None,
    by_their_clocks: bool = False,
    missed: bool = False,
) -> Outcome:
    """Claims what is due as of a day, of everybody or of some clients; safe to be run by many at once.

    `missed`: also new documents of which nobody was told in time, which only a person asks for.

    `by_their_clocks` takes each client's own day at `at` instead: so the worker does, for nobody is late before his day ends.
    `host` is what Message-IDs end in.
    """
    views.catch_up()
    outcome = Outcome()
    with views.reading() as cursor:
        wanted = reminders.clients_with_accounts(cursor) if client_ids is None else sorted(set(client_ids))
        seen = _planned(views, cursor, wanted, as_of, at if by_their_clocks else None, missed)
    outcome.left += seen.left
    due = sorted({one.client_id for one in seen.claimed})
    for start in range(0, len(due), CLIENTS_AT_ONCE):
        some = due[start : start + CLIENTS_AT_ONCE]
        asked = _Asked(some, as_of, at if by_their_clocks else None, missed)
        outcome.claimed += _claim(views, asked, at, host=host)
    return outcome


def still_wanted(views: Views, notice: Notice, day: date | None = None) -> str | None:
    """Why a claimed notice must not be sent any more (a word); null where it must. To be asked right before sending.

    `day` is the client's; without one that of the claim.

    A payment recorded before this was asked is always seen; raises Refused where the book does not hold still.
    """
    for _ in range(MOST_TRIES):
        with views.reading() as cursor:
            came_to = position(cursor)
            client = reminders.look(cursor, views.book.keyring, [notice.client_id], notice.claimed_on)[notice.client_id]
        with views.book.database.connection() as connection, connection.cursor() as cursor:
            if not _behind(cursor, [notice.client_id], came_to):
                return _why_not(client, notice, day)
        views.catch_up()
    raise Refused(f"more about {notice.client_id} keeps coming in: {notice.notice_id} is not sent yet, try again")


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The answers to `still_wanted` for some notices, read in one snapshot: each counts as long as nothing more came."""

    views: Views
    came_to: int
    clients: Mapping[str, Client]

    def fresh(self, cursor: Cursor[Any], notice: Notice) -> bool:
        """Whether the book has nothing since the snapshot that could matter to this notice; the cursor is in no snapshot."""
        return not _behind(cursor, [notice.client_id], self.came_to)

    def knows_more(self, cursor: Cursor[Any], notice: Notice) -> bool:
        """Whether the book has something of this very client since: its figures, or where its bills go, may be others."""
        return _more(cursor, [notice.client_id], self.came_to)

    def why_not(self, cursor: Cursor[Any], notice: Notice, day: date) -> str | None:
        """What `still_wanted` says, to be asked right before sending."""
        if not self.fresh(cursor, notice):
            return still_wanted(self.views, notice, day)
        if not any(self.views.book.keyring.decrypt(one) for one in notice.to):
            return NO_ADDRESS  # forgotten meanwhile: keys are not in the book
        return _why_not(self.clients[notice.client_id], notice, day)


def _why_not(client: Client, notice: Notice, day: date | None) -> str | None:
    on = max(day or notice.claimed_on, notice.claimed_on)
    return why_not(client, notice.notice_id, notice.currency, next(iter(notice.numbers), None), on)


def foreseen(views: Views, cursor: Cursor[Any], asked: Sequence[Notice]) -> Foreseen:
    """Asks about many notices at once, in the cursor's snapshot."""
    client_ids = sorted({one.client_id for one in asked})
    came_to, day = position(cursor), min((one.claimed_on for one in asked), default=date.max)
    return Foreseen(views, came_to, reminders.look(cursor, views.book.keyring, client_ids, day) if asked else {})


def _planned(
    views: Views, cursor: Cursor[Any], client_ids: Sequence[str], as_of: date, at: datetime | None, missed: bool
) -> Outcome:
    outcome = Outcome()
    for start in range(0, len(client_ids), CLIENTS_AT_ONCE):
        some = client_ids[start : start + CLIENTS_AT_ONCE]
        known = reminders.states(cursor, some)
        days = _days(cursor, some, as_of, at)
        clients = reminders.look(cursor, views.book.keyring, some, min(days.values(), default=as_of), known)
        for one in _of(clients.values(), days, missed):
            (outcome.claimed if one.why_not is None else outcome.left).append(one)
    return outcome


def _days(cursor: Cursor[Any], client_ids: Sequence[str], as_of: date, at: datetime | None) -> dict[str, date]:
    """Each client's day."""
    return dict.fromkeys(client_ids, as_of) if at is None else reminders.local_days(cursor, client_ids, at)


def _of(clients: Iterable[Client], days: Mapping[str, date], missed: bool) -> list[Planned]:
    return [one for client in clients for one in planned(client, days[client.client_id], missed=missed)]


def _sorted(outcome: Outcome) -> Outcome:
    for found in (outcome.claimed, outcome.left):
        found.sort(key=lambda one: (one.client_id, one.notice_id))
    return outcome


@dataclass(frozen=True, slots=True)
class _Asked:
    """Some clients, as of a day or, at an instant (`clocks`), of each one's own; and whether of what was missed too."""

    client_ids: Sequence[str]
    as_of: date
    clocks: datetime | None
    missed: bool


def _claim(views: Views, asked: _Asked, at: datetime, *, host: str) -> list[Planned]:
    """One batch of clients, in one transaction; tried again where more about one of them came meanwhile."""
    for _ in range(MOST_TRIES):
        try:
            return _try(views, asked, at, host)
        except Behind:
            views.catch_up()
        except (BookBusy, LockNotAvailable, DeadlockDetected, VersionConflict, EventIdTaken):
            continue  # another worker claims, or decides on, these clients
    raise Refused(f"more about {', '.join(asked.client_ids[:3])}... keeps coming in: nothing was claimed for them, try again")


def _try(views: Views, asked: _Asked, at: datetime, host: str) -> list[Planned]:
    book, client_ids, as_of = views.book, asked.client_ids, asked.as_of
    book.keyring.prepare(client_ids)
    with book.database.connection() as connection:
        connection.execute("SET LOCAL search_path = books")
        lock_clients(connection, list(client_ids))
        # A second connection reads in one snapshot, taken only now that nobody can decide on these clients.
        with views.reading() as cursor:
            came_to = position(cursor)
            known = reminders.states(cursor, client_ids)
            days = _days(cursor, client_ids, as_of, asked.clocks)
            clients = reminders.look(cursor, book.keyring, client_ids, min(days.values(), default=as_of), known)
        wanted = [one for one in _of(clients.values(), days, asked.missed) if one.why_not is None]
        to = {client_id: reminders.addresses(book.keyring, known.get(client_id)) for client_id in client_ids}
        sealed = {client_id: tuple(book.keyring.encrypt(client_id, one) for one in found) for client_id, found in to.items()}
        if not wanted:
            return []
        before = _before(connection.cursor(), wanted)
        events = [_claimed(one, at, sealed[one.client_id], host, before) for one in wanted]

        def also(cursor: Cursor[Any], first: int, _batch: int) -> None:
            # The book's lock is held: what is not there now comes after the claim.
            if _behind(cursor, client_ids, came_to, first):
                raise Behind
            decisions.apply(cursor, enumerate(events, first))

        book.append([_new(event, before) for event in events], conn=connection, also=also)
    return wanted


def _behind(cursor: Cursor[Any], client_ids: Sequence[str], came_to: int, before: int = 2**62) -> bool:
    return _more(cursor, [*client_ids, UNKNOWN_PAYER, EVERYBODY], came_to, before)


def _more(cursor: Cursor[Any], client_ids: Sequence[str], came_to: int, before: int = 2**62) -> bool:
    row = cursor.execute(_BEHIND, (list(client_ids), came_to, before, CANNOT_MATTER)).fetchone()
    return row is not None and bool(row[0])


Before = Mapping[tuple[str, str], tuple[str, int]]
"""Of notices that were claimed before and not sent: their Message-ID, and how many events their streams have."""


def _before(cursor: Cursor[Any], wanted: Sequence[Planned]) -> Before:
    rows = cursor.execute(
        "SELECT n.client_id, n.notice_id, n.message_id FROM notices n"
        " JOIN unnest(%s::text[], %s::text[]) k (c, n) ON n.client_id = k.c AND n.notice_id = k.n",
        ([one.client_id for one in wanted], [one.notice_id for one in wanted]),
    ).fetchall()
    found = {}
    for client_id, notice_id, said in rows:
        versions = cursor.execute(
            "SELECT max(originator_version) FROM ledger.daybook_events WHERE originator_id = %s",
            (stream_id("notice", client_id, notice_id),),
        ).fetchone()
        found[client_id, notice_id] = (said, int(versions[0]) if versions is not None else 0)
    return found


def _claimed(one: Planned, at: datetime, to: tuple[str, ...], host: str, before: Before) -> NoticeClaimed:
    stream = stream_id("notice", one.client_id, one.notice_id)
    said, version = before.get((one.client_id, one.notice_id), (message_id(one.client_id, one.notice_id, host), 0))
    return NoticeClaimed(
        event_id=str(event_id(stream, version + 1)),
        occurred_at=at,
        client_id=one.client_id,
        notice_id=one.notice_id,
        kind=one.kind,
        rule=one.rule,
        numbers=one.numbers,
        currency=one.currency,
        due_on=one.due_on,
        claimed_on=one.day,
        balance_minor=one.balance_minor,
        to=to,
        message_id=said,
        again=version > 0,
    )


def _new(event: NoticeClaimed, before: Before) -> NewEvent:
    """The next version of a stream made of what it is about: two at once cannot both be written."""
    stream = stream_id("notice", event.client_id, event.notice_id)
    _, version = before.get((event.client_id, event.notice_id), ("", 0))
    return NewEvent(stream, version + 1, event.TOPIC, encode(event), event.client_id, event_id(stream, version + 1))


def changed(cursor: Cursor[Any], after: int, upto: int) -> list[str] | None:
    """The clients of whom the book has more between two positions; null where it may concern everybody."""
    if upto - after > MOST_CHANGES:
        return None
    rows = cursor.execute(
        "SELECT DISTINCT client_id FROM ledger.daybook_events WHERE notification_id > %s AND notification_id <= %s"
        " AND topic !~ %s",
        (after, upto, CANNOT_MATTER),
    ).fetchall()
    found = {client_id for (client_id,) in rows}
    return None if found & {EVERYBODY, UNKNOWN_PAYER} else sorted(found)

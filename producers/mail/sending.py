"""Sends what was claimed: at least once, always under the same Message-ID, one sender a notice, and only what is still wanted.

Between the server's answer and our record a process may die, and the mail then goes out again: a receiver shows one of them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import structlog
from psycopg import Cursor
from psycopg.errors import LockNotAvailable

from domain.ids import event_id, stream_id
from domain.notices import NoticeFailed, NoticeSent, NoticeUnknown, NoticeWithdrawn
from ledger.book import Book, BookBusy, NewEvent, VersionConflict
from ledger.event_codec import encode
from producers.mail.addresses import addresses_of
from producers.mail.compose import Envelope, mail_of
from producers.mail.content import NotThere, contents_of
from producers.mail.reading import CANNOT_BE_READ, Ask, Question, Reader
from producers.mail.transport import Mail, Outcome, Refused, Sent, Transport, Unknown, Unreachable, Withheld
from producers.paper.printer import NotPrinted, Printer
from projections import decisions, outbox
from projections.notice_facts import sent_on
from projections.notices import Notice
from projections.reminders import addresses
from projections.views import Views

log = structlog.get_logger("daybook.mail")
LOCKS: Final = 7_205_108
"""The first half of the advisory locks, one a notice."""
RECORD_TRIES: Final = 5
NO_ADDRESS: Final = "no_address"
NO_MAILBOX: Final = "no e-mail address:"
MORE_KNOWN: Final = "more_known"
"""Why a mail is not sent as it was made: the client has paid, moved or told more since; it is made anew."""
MOST_MAKINGS: Final = 3
PayUrl = Callable[[Notice], str | None]


@dataclass(slots=True)
class Counts:
    """What came of a round: `put_off` are tried again later, `unknown` too; `unreachable` says why it ended early."""

    sent: int = 0
    failed: int = 0
    put_off: int = 0
    unknown: int = 0
    withdrawn: int = 0
    unreachable: str | None = None

    @property
    def handled(self) -> int:
        """How many notices have a result."""
        return self.sent + self.failed + self.put_off + self.unknown + self.withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Who sends: the address it writes from, the printer of its documents; `today` is a rehearsal's fixed day."""

    mail_from: str
    printer: Printer
    pay_url: PayUrl = lambda _notice: None
    today: date | None = None


def send_pending(
    views: Views,
    transport: Transport,
    office: Office,
    now: Callable[[], datetime],
    *,
    still_wanted: Ask,
    limit: int = 500,
    stop: Callable[[], bool] = lambda: False,
) -> Counts:
    """Sends what is due, the longest waiting first; safe to be run by many at once.

    `now` is asked once a notice, so that each result bears its own moment. Ends early where the server cannot be reached:
    then nothing is recorded of the notices left, and they are due as before.
    """
    counts = Counts()
    views.follow()
    with views.reading() as cursor:
        keys = outbox.due(cursor, now(), limit)
    try:
        with _own_session(views) as cursor:
            desk = _Desk(views.book, transport, office, cursor, Reader(views, still_wanted, cursor, keys, now, office.today))
            for key in keys:
                if stop():
                    break
                with _alone(cursor, key) as alone:
                    if alone:
                        _send(desk, key, now(), counts)
    except Unreachable as error:
        counts.unreachable = str(error)
        log.warning("mail_server_unreachable", error=str(error))
    finally:
        transport.close()
    if keys:
        log.info("mails_sent", due=len(keys), sent=counts.sent, failed=counts.failed, put_off=counts.put_off,
                 unknown=counts.unknown, withdrawn=counts.withdrawn)  # fmt: skip
    return counts


@contextmanager
def _own_session(views: Views) -> Iterator[Cursor[Any]]:
    """A connection of the round's own: each statement sees all that is recorded, none holds anything, locks are the session's."""
    with views.book.database.connection() as connection:
        connection.autocommit = True
        connection.execute("SET search_path = books")
        try:
            yield connection.cursor()
        finally:
            if not connection.closed:
                connection.execute("RESET search_path")
                connection.autocommit = False


@contextmanager
def _alone(cursor: Cursor[Any], key: outbox.Key) -> Iterator[bool]:
    """Whether we have this notice for ourselves: held by the session, which a dead process loses and a slow server does not."""
    lock = (LOCKS, "\x1f".join(key))
    row = cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", lock).fetchone()
    try:
        yield row is not None and bool(row[0])
    finally:
        if row is not None and row[0] and not cursor.connection.closed:
            cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", lock)


@dataclass(frozen=True, slots=True)
class _Desk:
    """One round's tools."""

    book: Book
    transport: Transport
    office: Office
    cursor: Cursor[Any]
    reader: Reader


def _send(desk: _Desk, key: outbox.Key, now: datetime, counts: Counts) -> None:
    """One notice, which nobody else has: looked at again, since somebody may have sent it before we had it."""
    taken = outbox.take(desk.cursor, key, stream_id("notice", *key), now)
    if taken is None:
        return
    notice, version = taken
    made, outcome = _tried(desk, notice, now)
    for _ in range(1, MOST_MAKINGS):
        if outcome != Withheld(MORE_KNOWN):
            break
        made, outcome = _tried(desk, notice, now)
    if outcome == Withheld(MORE_KNOWN):
        outcome = Refused("more about the client keeps coming in while its mail is made", permanent=False)
    _record(desk.book, notice, version, _event(desk.book, notice, made.used(outcome), outcome, now), counts)


def _tried(desk: _Desk, notice: Notice, now: datetime) -> "tuple[_Made, Outcome]":
    """One mail made and handed over, if it is still wanted and still true right before the message goes."""
    made = _made(desk, notice, now)
    if isinstance(made.mail, Mail):
        return made, desk.transport.send(made.mail, lambda: made.why_not(desk.cursor, notice))
    return made, made.mail


@dataclass(frozen=True, slots=True)
class _Made:
    """A mail or why there is none, what was said of where it goes, and whom to ask whether it is still wanted on its day."""

    mail: Mail | Outcome
    said: Sequence[str] = ()
    question: Question | None = None
    day: date = date.min

    def used(self, outcome: Outcome) -> Sequence[str]:
        """Where it went; of what did not go all that was said, so that it is seen when something else is."""
        return self.mail.to if isinstance(outcome, Sent) and isinstance(self.mail, Mail) else self.said

    def why_not(self, cursor: Cursor[Any], notice: Notice) -> str | None:
        if self.question is None:
            return None
        reason = self.question.why_not(cursor, notice, self.day)
        return reason or (MORE_KNOWN if self.question.knows_more(cursor, notice) else None)


def _made(desk: _Desk, notice: Notice, now: datetime) -> _Made:
    """The mail, or why there is none: one notice that cannot be made must not stop the others.

    It goes to where the client's bills go now: an address that was replaced since the claim is not written to. One that is
    replaced while the server is asked keeps the message back, and the mail is made anew.
    """
    book, office = desk.book, desk.office
    said: list[str] = []
    try:
        read = desk.reader.about(notice)
        said = addresses(book.keyring, read.facts.clients.get(notice.client_id))
        to, day = addresses_of(said), sent_on(notice, read.facts.days)
        if not to.good:
            none = Refused(f"{NO_MAILBOX} {', '.join(to.bad)}", permanent=True, for_address=True)
            return _Made(none if to.bad else Withheld(NO_ADDRESS), said)
        content = contents_of(read.facts, book.keyring, office.printer, notice, office.pay_url(notice))
        envelope = Envelope(
            from_name=content.from_name,
            from_lines=content.from_lines,
            sender=office.mail_from,
            to=to.good,
            message_id=notice.message_id,
            at=now,
            day=notice.claimed_on,
        )
        return _Made(mail_of(content.letter, envelope, content.attached), said, read.question, day)
    except NotThere as error:
        return _Made(Refused(str(error), permanent=True), said)
    except (NotPrinted, *CANNOT_BE_READ) as error:
        log.error("mail_not_made", notice_id=notice.notice_id, error=type(error).__name__)
        return _Made(Refused(f"the mail cannot be made: {type(error).__name__}: {error}", permanent=False), said)


# ---- the result ----

Result = NoticeSent | NoticeFailed | NoticeUnknown | NoticeWithdrawn


def _event(book: Book, notice: Notice, to: Sequence[str], outcome: Outcome, now: datetime) -> Callable[[str], Result]:
    tries = notice.tries + 1
    about: dict[str, Any] = {"occurred_at": now, "client_id": notice.client_id, "notice_id": notice.notice_id}

    def sealed(reason: str) -> str:
        return book.keyring.encrypt(notice.client_id, reason)

    used = tuple(sealed(one) for one in to)
    match outcome:
        case Sent(refused):
            return lambda id_: NoticeSent(event_id=id_, **about, tries=tries, refused=len(refused), to=used)
        case Withheld(reason):
            return lambda id_: NoticeWithdrawn(event_id=id_, **about, reason=reason)
        case Unknown(reason) if tries < outbox.MOST_TRIES:
            return lambda id_: NoticeUnknown(event_id=id_, **about, tries=tries, reason=sealed(reason))
        case Unknown(reason):
            about |= {"permanent": True, "for_address": False}
            return lambda id_: NoticeFailed(event_id=id_, **about, tries=tries, reason=sealed(reason), to=used)
        case Refused(reason, permanent, for_address):
            about |= {"permanent": permanent or tries >= outbox.MOST_TRIES, "for_address": for_address}
            return lambda id_: NoticeFailed(event_id=id_, **about, tries=tries, reason=sealed(reason), to=used)


def _record(book: Book, notice: Notice, version: int, make: Callable[[str], Result], counts: Counts) -> None:
    """Appends the result as the notice's next event; another's meanwhile is left before it."""
    book.keyring.prepare([notice.client_id])
    for left in reversed(range(RECORD_TRIES)):
        try:
            _count(counts, _append(book, notice, version, make))
            return
        except (BookBusy, LockNotAvailable):
            if not left:
                raise
        except VersionConflict:
            if not left:
                raise
            version = _next_version(book, notice)


def _append(book: Book, notice: Notice, version: int, make: Callable[[str], Result]) -> Result:
    stream = stream_id("notice", notice.client_id, notice.notice_id)
    id_ = event_id(stream, version)
    event = make(str(id_))
    new = NewEvent(stream, version, event.TOPIC, encode(event), notice.client_id, id_)
    with book.database.connection() as connection:
        connection.execute("SET LOCAL search_path = books")
        book.append([new], conn=connection, also=lambda cursor, first, _: decisions.apply(cursor, [(first, event)]))
    return event


def _next_version(book: Book, notice: Notice) -> int:
    stream = stream_id("notice", notice.client_id, notice.notice_id)
    return len(book.load([stream])[stream]) + 1


def _count(counts: Counts, event: Result) -> None:
    match event:
        case NoticeSent():
            counts.sent += 1
        case NoticeFailed(permanent=True):
            counts.failed += 1
        case NoticeFailed():
            counts.put_off += 1
        case NoticeUnknown():
            counts.unknown += 1
        case NoticeWithdrawn():
            counts.withdrawn += 1

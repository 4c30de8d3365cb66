"""Sends what was claimed: at least once, always under the same Message-ID, one sender a notice, and only what is still wanted.

Between the server's answer and our record a process may die, and the mail then goes out again: a receiver shows one of them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import structlog
from psycopg import Cursor
from psycopg.errors import LockNotAvailable

from domain.ids import event_id, stream_id
from domain.notices import NoticeClaimed, NoticeFailed, NoticeSent, NoticeUnknown, NoticeWithdrawn
from ledger.book import Book, BookBusy, NewEvent, VersionConflict
from ledger.event_codec import decode, encode
from producers.mail.addresses import addresses_of
from producers.mail.compose import Envelope, mail_of
from producers.mail.content import NotThere, contents_of
from producers.mail.reading import CANNOT_BE_READ, Ask, Question, Reader
from producers.mail.transport import Mail, Outcome, Partly, Refused, Sent, Transport, Unknown, Unreachable, Withheld
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
    before = _before(desk.book, notice) if version > 2 else _Before()
    made, outcome = _tried(desk, notice, now, before)
    for _ in range(1, MOST_MAKINGS):
        if outcome != Withheld(MORE_KNOWN):
            break
        made, outcome = _tried(desk, notice, now, before)
    if outcome == Withheld(MORE_KNOWN):
        outcome = Refused("more about the client keeps coming in while its mail is made", permanent=False)
    _record(desk.book, notice, version, _event(desk.book, notice, made, outcome, before, now), counts)


@dataclass(frozen=True, slots=True)
class _Before:
    """What came of a notice before: the addresses that have it, and how many copies nobody knows of since its claim."""

    reached: tuple[str, ...] = ()
    copies: int = 0


def _before(book: Book, notice: Notice) -> _Before:
    stream = stream_id("notice", notice.client_id, notice.notice_id)
    reached: dict[str, None] = {}
    copies = 0
    for recorded in book.load([stream])[stream]:
        match decode(recorded.topic, recorded.state):
            case NoticeClaimed():
                copies = 0
            case NoticeUnknown():
                copies += 1
            case NoticeFailed(reached=some):
                reached |= dict.fromkeys(clear for one in some if (clear := book.keyring.decrypt(one)))
    return _Before(tuple(reached), copies)


def _tried(desk: _Desk, notice: Notice, now: datetime, before: _Before) -> "tuple[_Made, Outcome]":
    """One mail made and handed over, if it is still wanted and still true right before the message goes."""
    made = _made(desk, notice, now, before)
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

    @property
    def to(self) -> tuple[str, ...]:
        """Where it goes now."""
        return self.mail.to if isinstance(self.mail, Mail) else ()

    def why_not(self, cursor: Cursor[Any], notice: Notice) -> str | None:
        if self.question is None:
            return None
        reason = self.question.why_not(cursor, notice, self.day)
        return reason or (MORE_KNOWN if self.question.knows_more(cursor, notice) else None)


def _made(desk: _Desk, notice: Notice, now: datetime, before: _Before) -> _Made:
    """The mail, or why there is none: one notice that cannot be made must not stop the others.

    It names every address, and goes to those that do not have it yet.

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
        left = tuple(one for one in to.good if one not in before.reached)
        if not left:
            return _Made(Sent(), said)  # those who had to wait are written to no more
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
        mail = mail_of(content.letter, envelope, content.attached)
        return _Made(replace(mail, to=left), said, read.question, day)
    except NotThere as error:
        return _Made(Refused(str(error), permanent=True), said)
    except (NotPrinted, *CANNOT_BE_READ) as error:
        log.error("mail_not_made", notice_id=notice.notice_id, error=type(error).__name__)
        return _Made(Refused(f"the mail cannot be made: {type(error).__name__}: {error}", permanent=False), said)


# ---- the result ----

Result = NoticeSent | NoticeFailed | NoticeUnknown | NoticeWithdrawn


def _event(
    book: Book, notice: Notice, made: _Made, outcome: Outcome, before: _Before, now: datetime
) -> Callable[[str], Result]:
    """What is recorded: a server that says "later" is asked until the notice's time is over (`outbox.is_over`).

    A mail that some addresses have was sent, whatever becomes of the others in the end. Of what did not go all that was said
    is kept, so that it is seen when something else is.
    """
    tries, over = notice.tries + 1, outbox.is_over(notice, now)
    about: dict[str, Any] = {"occurred_at": now, "client_id": notice.client_id, "notice_id": notice.notice_id}

    def sealed(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(book.keyring.encrypt(notice.client_id, one) for one in texts)

    def sent(have: Sequence[str], refused: int) -> Callable[[str], Result]:
        to = sealed([*before.reached, *have])
        return lambda id_: NoticeSent(event_id=id_, **about, tries=tries, refused=refused, to=to)

    match outcome:
        case Sent(refused):
            return sent(made.to, len(refused))
        case Partly(reached) if over:
            return sent(made.to, len(made.to) - len(reached))
        case Partly(reached, reason):
            about |= {"permanent": False, "for_address": True, "given_up": False, "reached": sealed(reached)}
        case Withheld(reason):
            return lambda id_: NoticeWithdrawn(event_id=id_, **about, reason=reason)
        case Unknown(reason):
            (why,), given_up = sealed([reason]), over or before.copies + 1 >= outbox.MOST_COPIES
            return lambda id_: NoticeUnknown(event_id=id_, **about, tries=tries, reason=why, given_up=given_up)
        case Refused(_, permanent) if before.reached and (permanent or over):
            return sent(made.to, len(made.to))
        case Refused(reason, permanent, for_address):
            given_up = over and not permanent
            about |= {"permanent": permanent or over, "for_address": for_address, "given_up": given_up}
    (why,), said = sealed([reason]), sealed(made.said)
    return lambda id_: NoticeFailed(event_id=id_, **about, tries=tries, reason=why, to=said)


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

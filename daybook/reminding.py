"""Reminders of an installation: claims what is due and has it sent; from the command line, and by the worker all the time."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Self
from urllib.parse import urlsplit

import psycopg
import structlog
from psycopg import Cursor
from psycopg_pool import PoolTimeout

from daybook.app import App, now
from daybook.canonical import trace
from daybook.heartbeat import Pulse
from daybook.settings import Settings
from domain.reminders import Planned
from ledger.book import BookBusy
from producers.mail.addresses import address_of
from producers.mail.sending import Counts, Office, send_pending
from producers.mail.transport import server_of, transport_of
from producers.paper.printer import printer
from projections import notices, outbox
from projections.version import STANDS_BY, Overtaken
from projections.views import ViewsBehind
from runs import remind
from runs.errors import Refused

log = structlog.get_logger("daybook.reminders")

TICK_EVERY_S: Final = 2.0
RESTART_AFTER_S: Final = 5.0
CATCH_UP_WITHIN_S: Final = 5.0
SLOW_AFTER_S: Final = 5.0
LONGEST_MAIL_S: Final = 300.0
"""One mail takes at most so long: a conversation of some steps, each with its timeout, and the server's last answer."""
MAIL_SERVER: Final = "mail server: "
"""How a trouble begins that is the mail server's alone: facts are taken in all the same."""
ZONES_TURN_EVERY_MIN: Final = 15
"""A day begins somewhere at most every quarter of an hour."""


def host_of(settings: Settings) -> str:
    """What Message-IDs end in: Daybook's name at the address people use; a name that can never exist where there is none."""
    host = urlsplit(settings.public_url).hostname if settings.public_url else None
    return f"daybook.{host or 'invalid'}"


def claim(
    app: App, as_of: date | None, at: datetime, client_ids: list[str] | None = None, *, missed: bool = False
) -> remind.Outcome:
    """Claims what is due: as of a day for everybody, or (null) on each client's own clock; a fixed day is everybody's.

    `missed`: new documents too of which nobody was told in time.
    """
    fixed = as_of or app.settings.today
    return remind.claim(
        app.views,
        fixed or app.settings.business_date(),
        at,
        host=host_of(app.settings),
        client_ids=client_ids,
        by_their_clocks=fixed is None,
        missed=missed,
    )


def mail_from(settings: Settings) -> str:
    """Who mails come from: the mail server's user where that is an address; else billing at the address of the pages."""
    if settings.mail_from is not None:
        return settings.mail_from
    user = server_of(settings.smtp_url).user if settings.smtp_url else None
    host = urlsplit(settings.public_url).hostname if settings.public_url else None
    return (user and address_of(user)) or (host and address_of(f"billing@{host}")) or "billing@daybook.invalid"


def office_of(settings: Settings) -> Office:
    """Who sends."""
    return Office(mail_from=mail_from(settings), printer=printer(settings.home / "fonts"), today=settings.today)


def send(app: App, office: Office, stop: Callable[[], bool] = lambda: False, *, limit: int = 500) -> Counts:
    """Sends what was claimed and is due; a notice that was overtaken meanwhile is taken back instead."""
    transport = transport_of(app.settings.smtp_url, app.settings.home)
    return send_pending(app.views, transport, office, now, still_wanted=remind.foreseen, limit=limit, stop=stop)


@dataclass(slots=True)
class Ticker:
    """What a worker remembers between two ticks, so that a quiet installation is not gone through again and again."""

    app: App
    upto: int = -1
    slot: tuple[date, int] | None = field(default=None)

    def tick(self, at: datetime) -> int:
        """Claims what has become due since the last tick; gives how many. Everybody is looked at when a day begins somewhere."""
        head = self.app.views.catch_up(timeout_s=CATCH_UP_WITHIN_S)
        slot = (self.app.settings.today or at.date(), 0 if self.app.settings.today else self._quarter(at))
        if head == self.upto and slot == self.slot:
            return 0
        client_ids = None
        if slot == self.slot:
            with self.app.database.connection() as connection:
                client_ids = remind.changed(connection.cursor(), self.upto, head)
        outcome = remind.Outcome() if client_ids == [] else claim(self.app, None, at, client_ids)
        self.upto, self.slot = head, slot
        if outcome.claimed:
            log.info("notices_claimed", notices=len(outcome.claimed), left=len(outcome.left))
        return len(outcome.claimed)

    @staticmethod
    def _quarter(at: datetime) -> int:
        return (at.hour * 60 + at.minute) // ZONES_TURN_EVERY_MIN


def run(app: App, stop: threading.Event, pulse: Pulse) -> None:
    """The worker's thread: claims and sends until told to stop. Trouble is said by its heartbeat, and it goes on."""
    ticker = Ticker(app)
    office: Office | None = None
    while not stop.is_set():
        pause = TICK_EVERY_S
        try:
            office = office or office_of(app.settings)
            ticker.tick(now())
            pulse.beat()
            with Sending(pulse) as sending:
                counts = send(app, office, lambda: sending.stopping(stop))
            pulse.beat(f"{MAIL_SERVER}{counts.unreachable}" if counts.unreachable else "")
        except (ViewsBehind, Refused, BookBusy):
            pulse.beat()  # facts are coming in: the next tick sees them
        except Overtaken as error:
            pulse.beat(f"{STANDS_BY}{error}")
            pause = RESTART_AFTER_S
        except (PoolTimeout, psycopg.Error) as error:
            log.warning("reminders_restart", error=type(error).__name__)
            pulse.beat(f"reminders stand still: {type(error).__name__}")
            pause = RESTART_AFTER_S
        except Exception as error:
            # A bug must neither end the worker nor be silent.
            log.error("reminders_failed", trace=trace(error))
            pulse.beat(f"reminders stand still: {type(error).__name__}: see the log")
            pause = RESTART_AFTER_S
        stop.wait(pause)


class Sending:
    """Signs of life while mails are handed over: a mail server may take minutes to answer, and then says what is waited for.

    They end where one mail takes longer than any server may: then the thread itself hangs, which is to be seen.
    """

    def __init__(self, pulse: Pulse, every_s: float = TICK_EVERY_S) -> None:
        self._pulse, self._every_s = pulse, every_s
        self._since, self._done = time.monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name="sending", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def stopping(self, stop: threading.Event) -> bool:
        """Whether to stop: asked before each mail."""
        self._since = time.monotonic()
        return stop.is_set()

    def _beat(self) -> None:
        while not self._done.wait(self._every_s):
            waited = time.monotonic() - self._since
            if waited < LONGEST_MAIL_S:
                self._pulse.beat(f"{MAIL_SERVER}waiting for it for {waited:.0f} s" if waited > SLOW_AFTER_S else "")


def states_of(cursor: Cursor[Any], claimed: Iterable[Planned]) -> dict[tuple[str, str], str]:
    """How some notices stand, by client and notice."""
    keys = [(one.client_id, one.notice_id) for one in claimed]
    found = (notices.find(cursor, *key) for key in keys)
    return {(one.client_id, one.notice_id): one.state for one in found if one is not None}


def once(app: App) -> None:
    """One tick and its mails: what a worker does that is to return when everything has been handled."""
    if Ticker(app).tick(now()) or _waiting(app):
        send(app, office_of(app.settings))


def _waiting(app: App) -> bool:
    with app.views.reading() as cursor:
        return bool(outbox.due(cursor, now(), 1))

"""The worker: takes facts into the book, keeps the views, publishes, opens each business day; until told to stop."""

import signal
import threading
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from types import FrameType

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from consumers.ingest import Ingest
from consumers.source import Source, SourceError
from daybook import reminding
from daybook.alarm import Alarm
from daybook.app import App, now, opened
from daybook.canonical import trace
from daybook.feeding import INGEST_LOCK
from daybook.heartbeat import Heartbeat, Pulse
from daybook.settings import Settings
from producers.following import feeds_of, join_publishers, publish_what_there_is, start_publishers
from projections.version import STANDS_BY, Overtaken
from runs.settled import Settling

log = structlog.get_logger("daybook.worker")

FOLLOW_EVERY_S = 0.5
KEPT_FOR = timedelta(days=90)  # long enough to replay after a fix, short enough for what people wrote
RESTART_AFTER_S = 2.0
CONNECT_WITHIN_S = 10.0
CONSUMER, VIEWS, REMINDERS = "consumer", "views", "reminders"


def serve(settings: Settings) -> None:
    """The worker as a service: a database that is away when it starts is waited for, as one that goes away later is."""
    stop = threading.Event()
    _stop_on_signals(stop)
    while not stop.is_set():
        try:
            with opened(settings) as app:
                run(app, stop=stop)
            return
        except (psycopg.OperationalError, PoolTimeout) as error:
            log.warning("database_out_of_reach", error=f"{type(error).__name__}: {error}")
            stop.wait(RESTART_AFTER_S)


def run(app: App, *, once: bool = False, stop: threading.Event | None = None) -> None:
    """Runs until SIGTERM or SIGINT, finishing the batch in hand; `once` returns when all there is has been handled."""
    stop = stop or threading.Event()
    _stop_on_signals(stop)
    app.open_today()
    kafka = app.settings.kafka
    feeds = feeds_of(app.book, dead_letter_bytes=app.settings.dead_letter_bytes) if kafka is not None else []
    if once:
        _ingest(app, stop, Pulse(), lambda loop, _source: loop.drain(stop))
        app.views.catch_up()
        Settling(app.book).step(now())
        reminding.once(app)
        if kafka is not None:
            publish_what_there_is(feeds, app.database, kafka, stop)
        return
    heart = Heartbeat(app, "worker", [CONSUMER, VIEWS, REMINDERS, *(publisher_part(feed.name) for feed in feeds)])
    consumer, alarm = heart.pulses[CONSUMER], Alarm(app)
    follower = threading.Thread(target=_follow, args=(app, stop, heart.pulses[VIEWS]), name=VIEWS, daemon=True)
    reminders = threading.Thread(
        target=reminding.run, args=(app, stop, heart.pulses[REMINDERS]), name=REMINDERS, daemon=True
    )
    with heart:
        follower.start()
        reminders.start()
        publishers = []
        if kafka is not None:
            publishers = start_publishers(
                feeds, app.database, kafka, stop, alive=lambda name: heart.pulses[publisher_part(name)].beat()
            )
        _ingest(app, stop, consumer, lambda loop, source: _consume(loop, source, stop, consumer, alarm))
        follower.join(timeout=30)
        reminders.join(timeout=30)
        join_publishers(publishers)


def publisher_part(name: str) -> str:
    """What the thread of a publisher is called among the heartbeats."""
    return f"publisher {name}"


def _stop_on_signals(stop: threading.Event) -> None:
    def stopping(number: int, _frame: FrameType | None) -> None:
        log.info("worker_stopping", signal=signal.Signals(number).name)
        stop.set()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stopping)
        signal.signal(signal.SIGINT, stopping)


def _consume(loop: Ingest, source: Source, stop: threading.Event, pulse: Pulse, alarm: Alarm) -> None:
    # A batch is tried for longer than a thread may be silent.
    loop.on_trouble = pulse.beat
    while not stop.is_set():
        loop.step()
        alarm.step()
        pulse.beat(loop.trouble or source.trouble or next(iter(source.problems.values()), ""))


def _ingest(app: App, stop: threading.Event, pulse: Pulse, run_loop: Callable[[Ingest, Source], None]) -> None:
    """Runs the loop, on a new source whenever the old one is lost: from the book's own positions."""
    while not stop.is_set():
        source = None
        try:
            with _only_one(app):
                source = app.source(stop, CONNECT_WITHIN_S)
                run_loop(Ingest(app.book, source), source)
            return
        except (SourceError, PoolTimeout, psycopg.OperationalError, psycopg.InterfaceError) as error:
            pulse.beat(str(error) or type(error).__name__)
            log.warning("worker_restarts", error=f"{type(error).__name__}: {error}")
            stop.wait(RESTART_AFTER_S)
        finally:
            if source is not None:
                source.close()


class _only_one:
    """On the embedded log one loop runs at a time; Kafka's group shares partitions out by itself."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._context = app.database.connection() if app.settings.kafka is None else None

    def __enter__(self) -> None:
        if self._context is not None:
            connection = self._context.__enter__()
            connection.autocommit = True
            connection.execute("SELECT pg_advisory_lock(%s)", (INGEST_LOCK,))
            self._connection = connection

    def __exit__(self, *error: object) -> None:
        if self._context is not None:
            try:
                self._connection.execute("SELECT pg_advisory_unlock_all()")
                self._connection.autocommit = False
            except psycopg.Error:
                log.warning("lock_connection_lost")
            self._context.__exit__(None, None, None)


def purge(app: App, at: datetime) -> int:
    """Deletes whole messages that were kept long enough: dead letters, and what the book has of the embedded log."""
    before = at - KEPT_FOR
    return app.book.purge_dead_letters(before) + app.log().purge(before)


def _follow(app: App, stop: threading.Event, pulse: Pulse) -> None:
    """Keeps the views at the log's end, and the calendar at today."""
    purged_on: date | None = None
    settling = Settling(app.book)
    while not stop.is_set():
        try:
            app.open_today()
            app.views.follow(progress=lambda _count: pulse.beat())
            settling.step(now())
            if purged_on != (today := now().date()):
                purge(app, now())
                purged_on = today
            pulse.beat()
        except Overtaken as error:
            log.warning("worker_overtaken", problem=str(error))
            pulse.beat(f"{STANDS_BY}{error}")
            stop.wait(RESTART_AFTER_S)
        except (PoolTimeout, psycopg.Error) as error:
            log.warning("views_restart", error=type(error).__name__)
            pulse.beat(f"the views cannot be kept: {type(error).__name__}")
            time.sleep(RESTART_AFTER_S)
        except Exception as error:
            # A bug, or an event of a newer version: facts are taken in all the same, and it is not silent.
            log.error("views_failed", trace=trace(error))
            pulse.beat(f"the views cannot be kept: {type(error).__name__}: see the log")
            time.sleep(RESTART_AFTER_S)
        stop.wait(FOLLOW_EVERY_S)

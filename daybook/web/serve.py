"""`daybook web`: serves until told to stop, and meanwhile keeps the views at the log's end and the calendar at today."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
import structlog
import uvicorn
from psycopg_pool import PoolTimeout

from daybook.app import App
from daybook.canonical import trace
from daybook.heartbeat import Heartbeat, Pulse
from daybook.web.app import create_app

log = structlog.get_logger("daybook.web")

HOST: Final = "127.0.0.1"
PORT: Final = 8000
FOLLOW_EVERY_S: Final = 0.5
RESTART_AFTER_S: Final = 2.0
MOST_AT_ONCE: Final = 200


def serve(app: App, *, host: str = HOST, port: int = PORT) -> None:
    """Serves until SIGTERM or SIGINT."""
    public = app.settings.public_url
    config = uvicorn.Config(
        create_app(app, secure=public is not None and public.startswith("https://")),
        host=host,
        port=port,
        log_config=None,
        access_log=False,  # one canonical line a request is written by the application
        server_header=False,
        proxy_headers=public is not None,
        limit_concurrency=MOST_AT_ONCE,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=20,
    )
    with _following(app):
        _Server(config).run()


class _Server(uvicorn.Server):
    """Stops in order and then returns: uvicorn's own would raise the signal again, and a stop would look like a failure."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _following(app: App) -> Iterator[None]:
    stop = threading.Event()
    heart = Heartbeat(app, "web", ["views"])
    thread = threading.Thread(target=_follow, args=(app, stop, heart.pulses["views"]), name="views", daemon=True)
    thread.start()
    try:
        with heart:
            yield
    finally:
        stop.set()
        thread.join(timeout=30)


def _follow(app: App, stop: threading.Event, pulse: Pulse) -> None:
    """Another process may do the same: the views let one at a time."""
    while not stop.is_set():
        wait = FOLLOW_EVERY_S
        try:
            app.open_today()
            app.views.follow(progress=lambda _count: pulse.beat())
            pulse.beat()
        except (PoolTimeout, psycopg.Error) as error:
            log.warning("views_restart", error=type(error).__name__)
            pulse.beat(f"the views cannot be kept: {type(error).__name__}")
            wait = RESTART_AFTER_S
        except Exception as error:
            # A bug, or an event of a newer version: the pages are served all the same, and it is not silent.
            log.error("views_failed", trace=trace(error))
            pulse.beat(f"the views cannot be kept: {type(error).__name__}: see the log")
            wait = RESTART_AFTER_S
        stop.wait(wait)

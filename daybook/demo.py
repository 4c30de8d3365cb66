"""`./run demo`: a realistic MSP's spring of 2026, through the same path as Kafka, on an embedded database of its own."""

import shutil
import socket
import time
from datetime import date
from pathlib import Path

import typer

from daybook import showing
from daybook.app import App, opened
from daybook.demo_play import play
from daybook.settings import load
from ledger.embedded import EmbeddedPostgres
from projections import queue
from projections.queue import Filter

TODAY = date(2026, 5, 31)


class DemoNotPossible(Exception):
    """The demo cannot do that yet; the message says what to use instead."""


def run(home: Path, *, serve: bool, fresh: bool, port: int) -> None:
    """Plays March to May (a second start finds only repeats, and keeps what was issued) and prints the queue of 31 May."""
    if serve:
        _refuse_if_taken(port)
    started = time.monotonic()
    home = home.absolute()
    _refuse_if_no_demos(home)
    if fresh and home.exists():
        EmbeddedPostgres(home).discard()
        shutil.rmtree(home)
    _refuse_if_older(home)
    (home / "facts").mkdir(parents=True, exist_ok=True)  # first: the mark of a demo's home, even of one that was killed
    settings = load(home=home, today=TODAY).model_copy(update={"database_url": None, "kafka": None, "public_url": None})
    with opened(settings) as app:
        fed = play(app, home / "facts")
        app.views.catch_up()
        with app.views.reading(as_of=settings.business_date()) as cursor:
            showing.queue_rows(queue.rows(cursor, settings.business_date(), Filter()), settings.business_date(), False)
        totals = fed.totals
        typer.echo(
            f"{fed.facts} facts read, {totals.recorded} recorded, {totals.repeats} repeats;"
            f" {time.monotonic() - started:.1f} s. More: DAYBOOK_HOME={home} DAYBOOK_TODAY={TODAY} ./run queue --lines"
        )
        if serve:
            _serve(app, port)


def _serve(app: App, port: int) -> None:
    """Serves the pages until Ctrl-C; the printed link signs in, once."""
    from daybook.web.access import demo_link
    from daybook.web.serve import HOST, serve

    base = f"http://{HOST}:{port}"
    typer.echo(f"\nDaybook is at {base} until Ctrl-C. Sign in with this link (once, within 15 minutes):\n{demo_link(app, base)}")
    serve(app, port=port)


def _refuse_if_taken(port: int) -> None:
    """Says so before the month is taken in, not after."""
    from daybook.web.serve import HOST

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise DemoNotPossible(f"port {port} is taken: use `./run demo --port N` (another), or --no-serve") from None


def _refuse_if_older(home: Path) -> None:
    """A demo of May alone has that month open already: earlier months would pile up in its queue."""
    facts = home / "facts"
    if any(facts.glob("*.avro")) and not (facts / "2026-03").is_dir():
        raise DemoNotPossible(f"{home} was made by an earlier version, whose demo was May alone: start over with --fresh")


def _refuse_if_no_demos(home: Path) -> None:
    """An installation's own home neither takes in a demo's facts nor is started over."""
    if home.exists() and any(home.iterdir()) and not (home / "facts").is_dir():
        raise DemoNotPossible(f"{home} is not a demo's home: it has no folder `facts`; choose another --home")

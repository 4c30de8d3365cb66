"""`./run demo`: a realistic MSP's May 2026, through the same path as Kafka, on an embedded database of its own."""

import shutil
import time
from datetime import date
from pathlib import Path

import typer

from daybook import demo_month, feeding, showing
from daybook.app import opened
from daybook.settings import load
from projections import queue
from projections.queue import Filter

TODAY = date(2026, 5, 31)


class DemoNotPossible(Exception):
    """The demo cannot do that yet; the message says what to use instead."""


def run(home: Path, *, serve: bool, fresh: bool) -> None:
    """Ingests the month (a second start finds only repeats, and keeps what was issued) and prints the queue."""
    if serve:
        raise DemoNotPossible("the pages come with the next version: use `./run demo --no-serve`")
    started = time.monotonic()
    home = home.absolute()
    if fresh and home.exists():
        _start_over(home)
    settings = load(home=home, today=TODAY).model_copy(update={"database_url": None, "kafka": None})
    with opened(settings) as app:
        paths = demo_month.write(home / "facts")
        fed = feeding.ingest_files(app, paths)
        app.views.catch_up()
        with app.views.reading(as_of=settings.business_date()) as cursor:
            showing.queue_rows(queue.rows(cursor, settings.business_date(), Filter()), settings.business_date(), False)
        totals = fed.totals
    typer.echo(
        f"{fed.facts} facts read, {totals.recorded} recorded, {totals.repeats} repeats;"
        f" {time.monotonic() - started:.1f} s. More: DAYBOOK_HOME={home} DAYBOOK_TODAY={TODAY} ./run queue --lines"
    )


def _start_over(home: Path) -> None:
    """Removes a demo's home; a folder that is none is left alone."""
    if not (home / "facts").is_dir() and any(home.iterdir()):
        raise DemoNotPossible(f"{home} is not a demo's home: it has no folder `facts`; remove it yourself if you mean it")
    shutil.rmtree(home)

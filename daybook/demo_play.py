"""Plays the demo's spring in business order: each month's facts, what people decided, the invoices and mails of its last day.

It may be stopped anywhere, even by kill -9, and goes on from there: facts know their repeats, invoices are issued once,
and a month is over when a later day is open.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

from daybook import demo_story, feeding
from daybook.app import App
from daybook.demo_catalogue import RENEWED_ON
from daybook.demo_decisions import before_april_is_invoiced, closing, late_in_may, mails_of
from projections import decisions
from runs.generate import generate
from runs.open_day import open_day

LOCK: Final = 7_205_003  # held by whoever plays: two at once would not keep the months apart
_MAILS: Final = {demo_story.APRIL: (demo_story.APRIL, RENEWED_ON)}
"""Months after which mails went out on more days than the last: the statements and reminders of 1 May."""


def play(app: App, folder: Path) -> feeding.Fed:
    """Writes the story's files into a folder and plays what of it was not played yet; gives all that was read."""
    told = feeding.Fed()
    with _alone(app):
        for written in demo_story.write(folder):
            _play(app, written, told)
    return told


def _play(app: App, written: demo_story.Written, told: feeding.Fed) -> None:
    day, at = written.day, closing(written.day)
    open_day(app.book, day, at)
    then = replace(app, settings=app.settings.model_copy(update={"today": day}))
    _add(told, feeding.ingest_files(then, written.paths))
    if _opened(app) != day:
        return  # that month is over, and stays as it was
    if day == demo_story.APRIL:
        before_april_is_invoiced(app)
    if day == demo_story.MAY:
        late_in_may(app)  # May's invoices are the reader's to make
    else:
        generate(app.views, day, at)
    for mailed_on in _MAILS.get(day, (day,)):
        mails_of(app, mailed_on)


def _opened(app: App) -> date | None:
    with app.database.connection() as connection:
        connection.execute("SET LOCAL search_path = books")
        with connection.cursor() as cursor:
            return decisions.business_day(cursor)


def _add(told: feeding.Fed, fed: feeding.Fed) -> None:
    told.facts += fed.facts
    told.bad += fed.bad
    for name in ("records", "recorded", "repeats", "dead_letters"):
        setattr(told.totals, name, getattr(told.totals, name) + getattr(fed.totals, name))


@contextmanager
def _alone(app: App) -> Iterator[None]:
    with app.database.connection() as connection:
        connection.autocommit = True
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        try:
            yield
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
            connection.autocommit = False

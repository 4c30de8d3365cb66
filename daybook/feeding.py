"""Brings facts from files to whichever log is configured, and waits until they are handled."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from consumers.ingest import Ingest, Totals
from consumers.source import behind
from daybook.app import App
from schemas.codec import encode, key_of
from schemas.files import BadFact, Fact, count, read

CHUNK = 2_000
INGEST_LOCK = 7_205_002  # held by whoever runs the loop on the embedded log
NO_WORKER_S = 60.0

Row = tuple[str, str, dict[str, Any]]


@dataclass(slots=True)
class Fed:
    """What came of some files."""

    facts: int = 0
    bad: list[BadFact] = field(default_factory=list)
    totals: Totals = field(default_factory=Totals)


class NobodyConsumes(Exception):
    """The facts are in Kafka, but no worker takes them: start `daybook worker`."""


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Any]:
    """A bar on standard error, where there is a terminal; gives a function that moves it on by n."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(title, total=total)
        yield lambda n: bar.advance(task, n)


def running_total(advance: Callable[[int], None]) -> Callable[..., None]:
    """Moves a bar on by what a running total grew since the last call; more than the total is not looked at."""
    before = 0

    def moved(total: int, *_: int) -> None:
        nonlocal before
        advance(total - before)
        before = total

    return moved


def facts_of(paths: Sequence[Path], fed: Fed) -> Iterator[Row]:
    """The facts of files in order; lines that cannot be read are kept in `fed.bad` and the rest goes on."""
    for path in paths:
        for one in read(path):
            if isinstance(one, BadFact):
                fed.bad.append(one)
            else:
                fed.facts += 1
                yield (one.topic, one.record, one.fields)


def ingest_files(app: App, paths: Sequence[Path]) -> Fed:
    """Facts from files through the configured log into the book; repeats are harmless."""
    fed = Fed()
    app.open_today()
    with progress_bar("reading", sum(count(path) for path in paths)) as advance:
        feed(app, facts_of(paths, fed), fed, advance)
    return fed


def feed(app: App, facts: Iterable[Row | Fact], fed: Fed, advance: Any = lambda _n: None) -> None:
    """Appends facts to the configured log and waits until the book has them."""
    if app.settings.kafka is not None:
        _through_kafka(app, ((fact[0], fact[1], fact[2]) for fact in facts), advance)
        return
    log = app.log()
    for some in _chunks(facts):
        log.append([(topic, key_of(record, f), encode(record, f), ()) for topic, record, f in some])
        advance(len(some))
    run_embedded(app, fed.totals)


def _chunks(facts: Iterable[Row | Fact]) -> Iterator[list[Row]]:
    some: list[Row] = []
    for fact in facts:
        some.append((fact[0], fact[1], fact[2]))
        if len(some) == CHUNK:
            yield some
            some = []
    if some:
        yield some


def run_embedded(app: App, totals: Totals) -> None:
    """Runs the loop on the embedded log to its end, unless a worker does: then waits for it."""
    waiting = _Waiting(app)
    while not waiting.handled():
        with app.database.connection() as connection:
            connection.autocommit = True
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (INGEST_LOCK,)).fetchone()
            try:
                # Asked again while another one has the loop: it may end just before our facts came.
                if row is not None and row[0]:
                    _drain(app, totals)
                    return
            finally:
                connection.execute("SELECT pg_advisory_unlock_all()")
                connection.autocommit = False
        time.sleep(0.05)


def _drain(app: App, totals: Totals) -> None:
    loop = Ingest(app.book, app.source())
    with progress_bar("ingesting", None) as advance:
        loop.drain(after_batch=advance)
    for name in ("records", "recorded", "repeats", "dead_letters"):
        setattr(totals, name, getattr(loop.totals, name))


def _through_kafka(app: App, facts: Iterable[Row], advance: Any) -> None:
    from producers.kafka_files import produce

    assert app.settings.kafka is not None
    before, _ = _ends(app)
    produce(facts, app.settings.kafka, running_total(advance))
    _wait_handled(app, before)


def _wait_handled(app: App, before: dict[tuple[str, int], int]) -> None:
    """Waits until the book has come to the end of the partitions that grew since `before`."""
    waiting = _Waiting(app, before)
    while not waiting.handled():
        time.sleep(0.1)


class _Waiting:
    """Waits for the end of the log as it was at first; raises NobodyConsumes when nothing moves for long."""

    def __init__(self, app: App, before: dict[tuple[str, int], int] | None = None) -> None:
        self._book = app.book
        ends, self._name = _ends(app)
        # A partition that nobody wrote to meanwhile may end with marks of a transaction that no position ever reaches.
        grown = before or {}
        self._ends = {partition: end for partition, end in ends.items() if end > grown.get(partition, 0)}
        self._last: dict[tuple[str, int], int] = {}
        self._deadline = time.monotonic() + NO_WORKER_S

    def handled(self) -> bool:
        """Whether everything up to then is in the book."""
        done = self._book.positions(self._name)
        if not behind(self._ends, done):
            return True
        if done != self._last:
            self._last, self._deadline = done, time.monotonic() + NO_WORKER_S
        if time.monotonic() > self._deadline:
            raise NobodyConsumes("facts wait in the log and nobody takes them: start `daybook worker`")
        return False


def _ends(app: App) -> tuple[dict[tuple[str, int], int], str]:
    if app.settings.kafka is None:
        log = app.log()
        return log.end_offsets(), f"kafka:{log.cluster_id}"
    from consumers.kafka_source import last_offsets

    ends, cluster_id = last_offsets(app.settings.kafka)
    return ends, f"kafka:{cluster_id}"

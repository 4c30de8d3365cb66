"""Views end at one state whatever is cut, stopped or killed while they follow or are rebuilt, and whoever does it beside them."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg
import pytest

from projections import views
from projections.views import Views
from runs.generate import generate
from runs.open_day import open_day
from tests.budget import budget
from tests.evidence import saw
from tests.oracle.story import NOON
from tests.projections.office import Office, differing
from tests.projections.storm import Storm

MAY = date(2026, 5, 31)
LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.AdminShutdown)
SLOWLY = (
    "import sys, time, projections.views as v, daybook.cli as c\n"
    "v.BATCH = 20\n"
    "move = v._move\n"
    "def slowly(*a):\n"
    "    move(*a); print('moved', flush=True); time.sleep(0.02)\n"
    "v._move = slowly\n"
    "sys.argv = ['daybook', *sys.argv[1:]]; c.main()\n"
)
"""`daybook` whose views move on in small steps, each of which it tells, so that it can be stopped in the middle."""


def cut_every_connection(office: Office) -> int:
    """As a restart of a proxy does: all sessions of the database but this one; gives how many there were."""
    with office.book.database.owner(autocommit=True) as owner:
        row = owner.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[list[Exception]]:
    """Does something again and again in a thread of its own meanwhile; a lost connection is tried again, as a worker does."""
    stop = threading.Event()
    failed: list[Exception] = []

    def run() -> None:
        while not stop.is_set():
            try:
                work()
            except LOST:
                time.sleep(0.01)
            except Exception as error:
                failed.append(error)
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield failed
    finally:
        stop.set()
        thread.join(timeout=120)
        assert not thread.is_alive(), "it hangs"


@contextmanager
def slow(office: Office, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command in small steps; gone at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *words], env=office.environment(), stdout=subprocess.PIPE, text=True
    ) as one:
        try:
            yield one
        finally:
            one.kill()


def moved(one: subprocess.Popen[str], times: int) -> int:
    """Waits until it has moved on so often; gives how often it did (less if it came to its end)."""
    assert one.stdout is not None
    found = 0
    while found < times and (line := one.stdout.readline()):
        found += line == "moved\n"
    return found


@pytest.fixture
def storm(office: Office) -> Storm:
    """An office with a day that is open, and what goes on being said."""
    made = Storm(17)
    office.take(made.opening())
    open_day(office.book, MAY, NOON)
    return made


def test_cut_connections_are_survived_while_following(
    office: Office, storm: Storm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "BATCH", 7)
    follower = Views(office.book)
    cuts, counted, lost, at = budget("views", "cuts"), 0, 0, -1
    with beside(follower.follow) as failed:
        for _ in range(20 * cuts):
            office.take(storm.facts(8))
            time.sleep(random.Random(counted).uniform(0, 0.05))
            position = office.views.position()
            if position > at:  # a cut counts only after progress
                counted, at = counted + 1, position
                lost += cut_every_connection(office)
            if counted == cuts:
                break
    assert failed == []
    assert counted == cuts
    saw(f"views: {counted} times all connections cut while following, {lost} sessions lost; the same state as from nothing")
    office.assert_settled()


def test_a_follower_that_hears_no_notification_follows(office: Office, storm: Storm) -> None:
    """Nothing of the views listens: a notification that is lost is lost to nobody."""
    with beside(Views(office.book).follow), office.book.database.owner(autocommit=True) as owner:
        office.take(storm.facts(20))
        head = office.book.head()
        deadline = time.monotonic() + 30
        while office.views.position() < head:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert owner.execute("SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%'").fetchone() == (0,)
    office.assert_settled()


def test_worker_stopped_or_killed_in_the_middle_of_a_batch_leaves_whole_batches(office: Office, storm: Storm) -> None:
    counted, at = 0, -1
    for number in range(budget("views", "stops")):
        office.take(storm.facts(60))
        with slow(office, "worker") as one:
            assert moved(one, 2) == 2
            how = signal.SIGTERM if number % 2 else signal.SIGKILL
            one.send_signal(how)
            ended = one.wait(timeout=60)
            assert ended == (0 if how == signal.SIGTERM else -signal.SIGKILL)
        position = office.views.position()
        assert position > at
        counted, at = counted + 1, position
    saw(f"views: {counted} workers stopped or killed in the middle of a batch")
    office.assert_settled()


def test_rebuilds_killed_while_others_write_end_at_the_live_state(office: Office, storm: Storm) -> None:
    kills = budget("views", "rebuild_kills")

    def write() -> None:
        office.take(storm.facts(3))
        generate(office.views, MAY, NOON, client_ids=["acme", "buildco"])
        time.sleep(0.02)

    with beside(write) as failed:
        for number in range(kills):
            with slow(office, "rebuild") as one:
                assert moved(one, 1 + number % 4) > 0
                one.send_signal(signal.SIGKILL)
                one.wait(timeout=60)
        office.views.rebuild()
    assert failed == []
    saw(f"views: {kills} rebuilds killed while facts and invoices were written; the same state as from nothing")
    office.assert_settled()


def test_two_rebuilds_at_once_with_a_follower_and_writers_end_at_the_live_state(office: Office, storm: Storm) -> None:
    outcome: list[Any] = []

    def rebuild() -> None:
        try:
            outcome.append(Views(office.book).rebuild())
        except Exception as error:
            outcome.append(error)

    with beside(Views(office.book).follow) as failed, beside(lambda: office.take(storm.facts(2))) as failed_writing:
        both = [threading.Thread(target=rebuild) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join(timeout=120)  # facts never cease meanwhile: a rebuild that waits for a quiet moment waits for ever
    assert failed == failed_writing == []
    assert [type(one) for one in outcome] == [int] * 2, outcome
    office.assert_settled()


def test_a_view_that_forgets_a_batch_would_be_seen(
    office: Office, storm: Storm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position moves on without its batch: what these tests compare must tell."""
    really_process = views.work.Work.process
    monkeypatch.setattr(views, "BATCH", 5)
    calls = 0

    def forgets(self: Any, cursor: Any, events: Any) -> None:
        nonlocal calls
        calls += 1
        really_process(self, cursor, events[:-2] if calls == 3 else events)

    monkeypatch.setattr(views.work.Work, "process", forgets)
    office.take(storm.facts(30))
    live = office.live()
    assert differing(live, office.fresh())

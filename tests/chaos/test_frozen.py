"""A worker that is frozen for longer than its group waits blocks nobody, writes nothing twice, and is of use again."""

import random
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime

import psycopg
import pytest

from ledger.book import Book
from projections import views as views_module
from projections.views import Views
from runs.open_day import open_day
from tests.budget import budget
from tests.chaos.fleet import Fleet
from tests.evidence import saw
from tests.oracle.generator import facts
from tests.oracle.oracle import expected
from tests.system import kafka
from tests.system.comparison import assert_agrees, read_back
from tests.system.installation import Installation, handled, wait

pytestmark = pytest.mark.kafka

OTHERS_GO_ON_WITHIN_S = 25.0  # 10 s until the database throws a sleeper out, and a rebalance after 3 s without a sign
SEED = random.SystemRandom().randrange(10**6)
OTHERS_PUBLISH_WITHIN_S = 60.0  # 30 s until the database gives its place up
HOLDERS = """
    SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE relation = 'ledger.daybook_events'::regclass AND mode = 'ExclusiveLock' AND granted
"""


@pytest.fixture
def fleet(installation: Installation) -> Iterator[Fleet]:
    installation.environment["DAYBOOK_TEST_FREEZE"] = str(installation.home / "freeze")
    made = Fleet(installation, size=2)
    try:
        made.start()
        wait(lambda: len(kafka.members(installation.kafka or "", installation.group)) == 2, made.check, within_s=60)
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("where", ["with half a batch sent", "idle", "publishing"][: budget("chaos", "sleepers")])
def test_a_frozen_worker_blocks_nobody_and_writes_nothing_twice(installation: Installation, fleet: Fleet, where: str) -> None:
    messages = facts(SEED, 3_000)  # the same for each, as their topics are: two worlds would make one of nonsense
    third, bootstrap = len(messages) // 3, installation.kafka or ""
    freeze = installation.home / "freeze"
    if where != "with half a batch sent":
        kafka.produce(bootstrap, messages[:third])
        settle(installation, fleet)
        publishing = fleet.catch("publishers", random.Random(1))
        assert publishing is not None
        (other,) = fleet.workers.keys() - {publishing}
        sleeper = publishing if where == "publishing" else other
        fleet.workers[publishing].signal(signal.SIGCONT)
        fleet.workers[sleeper].signal(signal.SIGSTOP)
    else:
        freeze.touch()
        kafka.produce(bootstrap, messages[:third])
        wait(lambda: not freeze.exists(), fleet.check, within_s=60)
        with psycopg.connect(installation.dsn) as connection:
            holders = connection.execute(HOLDERS).fetchall()
        assert len(holders) == 1, "it sleeps holding the book's lock"
        ((sleeper,),) = holders
    frozen = time.monotonic()
    before = fleet.progress()
    kafka.produce(bootstrap, messages[third : 2 * third])
    fleet.wait(lambda now: now.facts > before.facts, within_s=OTHERS_GO_ON_WITHIN_S)
    went_on_s = time.monotonic() - frozen
    settle(installation, fleet)
    all_s = time.monotonic() - frozen
    if where == "publishing":
        fleet.wait(lambda now: now.cursors > before.cursors, within_s=OTHERS_PUBLISH_WITHIN_S)
    told_s = time.monotonic() - frozen
    fleet.workers[sleeper].signal(signal.SIGCONT)
    kafka.produce(bootstrap, messages[2 * third :])
    settle(installation, fleet)
    both = time.monotonic() + 60
    while len(kafka.members(bootstrap, installation.group)) < 2:
        assert time.monotonic() < both, fleet.tails()
        time.sleep(0.2)
    assert_agrees(
        read_back(installation.json, installation.dsn, installation.today),
        expected(kafka.read_all(bootstrap), date.fromisoformat(installation.today)),
    )
    assert fleet.stop() == [0, 0]
    assert all(check["ok"] for check in installation.json("verify"))
    told = f", published after {told_s:.1f} s" if where == "publishing" else ""
    went_on = f"the other went on after {went_on_s:.1f} s, had everything after {all_s:.1f} s{told}"
    saw(f"a worker frozen {where} (seed {SEED}): {went_on}")


def test_a_runner_that_is_frozen_between_two_batches_gives_the_views_up(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views_module, "AWAKE", "SET idle_session_timeout = '1s'")
    sleeper, other, asleep, failed = Views(book), Views(book), threading.Event(), list[Exception]()

    def sleep(_count: int) -> None:
        asleep.set()
        time.sleep(4)

    def follow() -> None:
        try:
            sleeper.follow(progress=sleep)
        except psycopg.Error as error:
            failed.append(error)

    open_day(book, date(2026, 5, 31), datetime(2026, 5, 31, tzinfo=UTC))
    thread = threading.Thread(target=follow)
    thread.start()
    assert asleep.wait(20)
    assert not other.follow(), "it keeps the views still"
    time.sleep(2)
    assert other.follow()
    thread.join()
    assert failed, "it has noticed"
    assert sleeper.follow()


def settle(installation: Installation, fleet: Fleet) -> None:
    ends = kafka.ends(installation.kafka or "")
    wait(lambda: handled(installation, ends), fleet.check, within_s=90)

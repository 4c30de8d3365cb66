"""A first start of the demo that is killed in the middle of the story: the next one ends where an unbroken one would."""

import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.embedded import EmbeddedPostgres
from tests.budget import budget
from tests.conftest import make_reachable_folder
from tests.demo.played import Home
from tests.evidence import saw

SEED = 20260531
WHOLE_STORY = "SELECT count(*) FROM ledger.daybook_events"
LONGEST_WAIT_S = 60.0


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = make_reachable_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def events(dsn: str) -> int:
    """How many events the book has; none before its tables are there."""
    with psycopg.connect(dsn) as connection:
        try:
            row = connection.execute(WHOLE_STORY).fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
    assert row is not None
    return int(row[0])


def kill_after(process: subprocess.Popen[str], dsn: str, more_than: int, pause_s: float) -> int:
    """Kills it with no chance to tidy up, a moment after the book has grown beyond so many events; gives how many it has."""
    until = time.monotonic() + LONGEST_WAIT_S
    while events(dsn) <= more_than and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(pause_s)
    process.kill()
    process.communicate()
    return events(dsn)


def test_a_start_killed_in_the_middle_goes_on_and_ends_in_the_same_state(demo: Home, folder: Path) -> None:
    rng = random.Random(SEED)
    with EmbeddedPostgres(demo.path) as server:
        whole = events(server.dsn)
    kills, rounds, seen = budget("demo", "kills"), 0, list[int]()
    broken = Home(folder / "demo-0")
    while len(seen) < kills:
        rounds += 1
        assert rounds <= 6 * kills, f"the story is over before it can be killed: {seen} of {whole}"
        # The mark of a demo's home comes first (else a home that is in use already is refused); the server is joined.
        (broken.path / "facts").mkdir(parents=True, exist_ok=True)
        with EmbeddedPostgres(broken.path) as server:
            before = events(server.dsn)
            more = rng.randrange(before, before + whole // 5)
            reached = kill_after(broken.start(), server.dsn, more, rng.uniform(0, 0.1))
        if reached < whole:
            seen.append(reached)
        else:  # too fast: the kill came after the last event, and this home has nothing left to break
            assert broken.looked_at() == demo.looked_at()
            broken = Home(folder / f"demo-{rounds}")
    assert "14 clients, GBP 31,640.00" in broken.played()
    assert broken.looked_at() == demo.looked_at()
    saw(f"demo: seed {SEED}, {kills} kill -9 of a first start, with {seen} of {whole} events in the book: ends in the same state")


def test_a_second_start_keeps_what_was_issued_and_fresh_starts_over(folder: Path) -> None:
    home = Home(folder / "demo")
    home.played()
    assert len(home.json("invoice", "--accept-changes")) == 14
    issued = home.json("invoices")
    assert "0 clients, nothing" in home.played()
    assert home.json("invoices") == issued
    assert "14 clients, GBP 31,640.00" in home.played("--fresh")
    assert len(home.json("invoices")) == 31


def test_a_home_of_the_demo_that_was_may_alone_is_refused(folder: Path) -> None:
    home = Home(folder / "demo")
    (home.path / "facts").mkdir(parents=True)
    (home.path / "facts" / "daybook.time.avro").write_bytes(b"")
    process = home.start()
    said, _ = process.communicate(timeout=LONGEST_WAIT_S)
    assert process.returncode == 2
    assert "--fresh" in said

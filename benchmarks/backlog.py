"""A backlog that two workers eat while they, the database and the broker are killed: recovery times and memory.

    python -m benchmarks.backlog [--facts 1000000] [--kills 12]

The facts lie in the topic before `daybook worker` is started twice, with its shipped settings (a killed member of a group
is missed after 10 s). At even steps of progress one is killed -9 and started again: a worker, both workers, the database,
the broker. Recovery is the time from the kill until the next batch of facts is committed, and until the views have moved;
memory is the most a worker process ever had. At the end every fact is in the book once and `verify` passes.
Baseline of the memory: a worker that has nothing to do. Needs Java 17 and Maven, as the tests do.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks.broker import PARTITIONS, load
from tests.broker import Broker
from tests.chaos.fleet import Fleet, peak_rss_mb
from tests.chaos.postgres import Postgres
from tests.system.installation import DAYBOOK, Installation
from tests.system.kafka import LARGEST

WORKERS = 2
STALLED_AFTER_S = 180.0


def main() -> None:
    """Runs it once and prints what it saw as JSON lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--facts", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=12)
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="daybook-bench-"))
    try:
        with Postgres() as server, Broker(max_bytes=LARGEST) as broker:
            installation = Installation(server.dsn, home, broker.bootstrap)
            installation.run("topics", "--partitions", str(PARTITIONS))
            fleet = Fleet(installation, WORKERS, (*DAYBOOK, "worker"))
            try:
                fleet.start()
                time.sleep(10)
                idle = max(peak_rss_mb(worker.pid) for worker in fleet.workers.values())
                load(broker.bootstrap, given.facts)
                print(json.dumps({"facts": given.facts, "workers": WORKERS, "idle_rss_mb": idle}), flush=True)
                eat(fleet, server, broker, given.facts, given.kills)
                assert fleet.stop() == [0] * WORKERS
            finally:
                fleet.end()
            assert all(check["ok"] for check in installation.json("verify"))
            print(json.dumps({"peak_rss_mb": fleet.peak_rss_mb, "over_idle": round(fleet.peak_rss_mb / idle, 2)}))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def eat(fleet: Fleet, server: Postgres, broker: Broker, wanted: int, kills: int) -> None:
    """Kills at even steps until all is in the book and in the views."""
    seen: dict[str, list[tuple[float, float]]] = defaultdict(list)
    started = time.monotonic()
    deaths: list[tuple[str, Callable[[], None]]] = [
        ("a worker", lambda: _kill(fleet, 1)),
        ("both workers", lambda: _kill(fleet, WORKERS)),
        ("the database", lambda: _again(server)),
        ("the broker", lambda: _again(broker)),
    ]
    for number in range(kills):
        step = wanted * (number + 1) // (kills + 1)
        fleet.wait(lambda now, step=step: now.facts >= step, STALLED_AFTER_S)  # type: ignore[misc]
        fleet.measure()
        name, death = deaths[number % len(deaths)]
        before, at = fleet.progress(), time.monotonic()
        if before.facts >= wanted:
            break
        death()
        fleet.wait(lambda now, before=before: now.facts > before.facts, STALLED_AFTER_S)  # type: ignore[misc]
        facts_s = time.monotonic() - at
        fleet.wait(lambda now, before=before: now.views > before.views, STALLED_AFTER_S)  # type: ignore[misc]
        seen[name].append((facts_s, time.monotonic() - at))
        done = {"killed": name, "at": step, "facts_s": round(facts_s, 1), "views_s": round(seen[name][-1][1], 1)}
        print(json.dumps(done), flush=True)
    fleet.wait(lambda now: now.facts >= wanted, 3600)
    facts_s = time.monotonic() - started
    fleet.wait(lambda now: now.views >= wanted, 3600)
    fleet.measure()
    print(
        json.dumps({
            "all_facts_s": round(facts_s), "all_views_s": round(time.monotonic() - started),
            "recovery_s, median of facts and views": {
                name: [round(statistics.median(times), 1) for times in zip(*found, strict=True)] for name, found in seen.items()
            },
        })
    )  # fmt: skip


def _kill(fleet: Fleet, count: int) -> None:
    for name in list(fleet.workers)[:count]:
        fleet.kill(name)


def _again(server: Postgres | Broker) -> None:
    server.kill()
    server.start()


if __name__ == "__main__":
    main()

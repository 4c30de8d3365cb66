"""Four workers of one group on a real broker and database: what they have done, which of them does what, and their death."""

import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo

from projections.views import LOCK
from tests.system.installation import Installation, Worker

ONE_WORKER = [sys.executable, "-m", "tests.chaos.one_worker", "worker"]
STALLED_AFTER_S = 90.0
CATCH_WITHIN_S = 3.0

_PROGRESS = (
    "SELECT (SELECT coalesce(sum(notification_id + 1), 0)::bigint FROM ledger.daybook_tracking"
    "  WHERE application_name LIKE 'kafka:%'),"
    " (SELECT coalesce(max(position), 0) FROM books.positions),"
    " (SELECT coalesce(sum(published), 0)::bigint FROM ledger.published),"
    " (SELECT coalesce(max(batch_id), 0) FROM ledger.batches),"
    " (SELECT count(*) FROM books.invoices)"
)
_HOLDS = (
    "SELECT DISTINCT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory'"
    " AND l.granted AND a.datname = current_database() AND (l.classid::bigint << 32 | l.objid::bigint) = ANY(%s)"
)
_PUBLISHING = (
    "SELECT array_agg(hashtextextended('daybook publishes ' || publisher, 0))::bigint[] FROM ledger.published"
)
_WRITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
    " AND backend_type = 'client backend' AND xact_start IS NOT NULL"
)


class Progress(NamedTuple):
    """How far everything has come."""

    facts: int
    views: int
    cursors: int
    batches: int
    documents: int


class Fleet:
    """The workers; one that is killed is started again at once."""

    def __init__(self, installation: Installation, size: int, command: Sequence[str] = ONE_WORKER) -> None:
        self.installation = installation
        self.workers: dict[str, Worker] = {}
        self.peak_rss_mb = 0
        for n in range(size):
            name = f"worker-{n}"
            own = replace(installation, dsn=make_conninfo(installation.dsn, application_name=name))
            self.workers[name] = Worker(own, command)

    def start(self) -> None:
        """Starts all."""
        for worker in self.workers.values():
            worker.start()

    def stop(self) -> list[int]:
        """Tells all to stop; gives their exit codes."""
        self.measure()
        return [worker.stop() for worker in self.workers.values()]

    def end(self) -> None:
        """Leaves none behind."""
        for worker in self.workers.values():
            worker.kill()

    def check(self) -> None:
        """Fails if one has ended by itself."""
        for worker in self.workers.values():
            worker.check()

    def measure(self) -> None:
        """Notes the most memory any worker has ever had."""
        for worker in self.workers.values():
            self.peak_rss_mb = max(self.peak_rss_mb, peak_rss_mb(worker.pid))

    def progress(self) -> Progress:
        """How far everything has come, by the database."""
        with psycopg.connect(self.installation.dsn) as connection:
            row = connection.execute(_PROGRESS).fetchone()
        assert row is not None
        return Progress(*row)

    def wait(self, met: Callable[[Progress], bool], within_s: float = STALLED_AFTER_S) -> Progress:
        """Waits for progress; fails with the workers' logs where there is none."""
        deadline = time.monotonic() + within_s
        while not met(progress := self.progress()):
            self.check()
            assert time.monotonic() < deadline, f"nothing moves: {progress}\n{self.tails()}"
            time.sleep(0.01)
        return progress

    def tails(self) -> str:
        """The ends of their logs."""
        return "\n".join(f"{name}:\n{worker.tail()}" for name, worker in self.workers.items())

    def holders(self, what: str) -> list[str]:
        """Who keeps the views now, or who publishes."""
        with psycopg.connect(self.installation.dsn) as connection:
            keys = [LOCK]
            if what == "publishers":
                keys = (connection.execute(_PUBLISHING).fetchone() or ([],))[0] or []
            found = connection.execute(_HOLDS, (keys,)).fetchall()
        return sorted(name for (name,) in found if name in self.workers)

    def catch(self, what: str, rng: random.Random) -> str | None:
        """Freezes a worker while it keeps the views, or publishes; None if none is caught at it in time."""
        deadline = time.monotonic() + CATCH_WITHIN_S
        while time.monotonic() < deadline:
            for name in rng.sample(found := self.holders(what), len(found)):
                self.workers[name].signal(signal.SIGSTOP)
                if name in self.holders(what):
                    return name
                self.workers[name].signal(signal.SIGCONT)
            time.sleep(0.002)
        return None

    def kill(self, name: str) -> bool:
        """Kills one and starts another in its place; gives whether it was in the midst of a transaction."""
        worker = self.workers[name]
        worker.signal(signal.SIGSTOP)
        with psycopg.connect(self.installation.dsn) as connection:
            row = connection.execute(_WRITING, (name,)).fetchone()
        self.peak_rss_mb = max(self.peak_rss_mb, peak_rss_mb(worker.pid))
        worker.kill()
        worker.start()
        return bool(row and row[0])


def peak_rss_mb(pid: int) -> int:
    """The most memory a process has ever had, in MB; 0 where the machine does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)

"""One installation of the product with a database and a home of its own, driven by its commands."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

DAYBOOK = [sys.executable, "-m", "daybook.cli"]
ROOT = Path(__file__).parents[2]
ANSWER_WITHIN_S = 300.0


@dataclass
class Installation:
    """What its environment says; each command is a process of its own."""

    dsn: str
    home: Path
    kafka: str | None = None
    today: str = "2026-05-31"
    group: str = "daybook"
    environment: dict[str, str] = field(default_factory=dict)
    root: Path = ROOT
    """Where the product's code is."""

    def env(self) -> dict[str, str]:
        """The settings, and nothing of the caller's own Daybook."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
        own = {
            "DAYBOOK_DATABASE_URL": self.dsn,
            "DAYBOOK_HOME": str(self.home),
            "DAYBOOK_TODAY": self.today,
            "DAYBOOK_GROUP": self.group,
        }
        if self.kafka is not None:
            own["DAYBOOK_KAFKA"] = self.kafka
        return kept | own | self.environment

    def run(self, *arguments: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end; a wrong exit code fails with what it printed."""
        done = subprocess.run(
            [*DAYBOOK, *arguments],
            cwd=self.root,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER_WITHIN_S,
            check=False,
        )
        assert done.returncode == exit_code, (
            f"daybook {arguments} gave {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}"
        )
        return done

    def json(self, *arguments: str) -> list[dict[str, Any]]:
        """The objects a view command prints."""
        return self.json_of(*arguments)

    def json_of(self, *arguments: str, exit_code: int = 0) -> list[dict[str, Any]]:
        """The same of a command that ends with another exit code."""
        found: list[dict[str, Any]] = json.loads(self.run(*arguments, "--json", exit_code=exit_code).stdout)
        return found

    @contextmanager
    def worker(self) -> Iterator["Worker"]:
        """A running worker, gone afterwards whatever happens."""
        with running(Worker(self)) as worker:
            yield worker

    def positions(self) -> dict[str, int]:
        """How far the ledger has come in each partition."""
        with psycopg.connect(self.dsn) as connection:
            return dict(
                connection.execute(
                    "SELECT application_name, notification_id FROM ledger.daybook_tracking"
                    " WHERE application_name LIKE 'kafka:%'"
                ).fetchall()
            )


class Worker:
    """`daybook worker` as a process that can be killed and started again; its log is kept for failures."""

    def __init__(self, installation: Installation, command: Sequence[str] = (*DAYBOOK, "worker")) -> None:
        self.installation = installation
        self._command = command
        self.log = installation.home / f"worker-{time.monotonic_ns()}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it."""
        assert self._process is None
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.installation.root,
                env=self.installation.env(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Ends it with no chance to tidy up; nothing happens if it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def signal(self, number: int) -> None:
        """Freezes it or lets it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> int:
        """Tells it to stop, as a service manager would; gives its exit code."""
        process, self._process = self._process, None
        assert process is not None
        process.terminate()
        try:
            return process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def check(self) -> None:
        """Fails with the end of its log if it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"the worker ended with {self._process.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:]

    def batches(self) -> list[dict[str, Any]]:
        """What it says of each batch it has handled."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [
            event for line in lines if line.startswith("{") and (event := json.loads(line))["event"] == "batch_ingested"
        ]

    def partitions(self) -> set[str]:
        """The partitions it has handled something of, as topic/number."""
        return {partition for batch in self.batches() for partition in batch["slices"]}


@contextmanager
def running(worker: Worker) -> Iterator[Worker]:
    """Starts it; it is gone afterwards whatever happens."""
    try:
        worker.start()
        yield worker
    finally:
        worker.kill()


def handled(installation: Installation, ends: Mapping[tuple[str, int], int]) -> bool:
    """Whether the ledger has everything up to these end offsets."""
    done = {tuple(name.rsplit(":", 2)[-2:]): last for name, last in installation.positions().items()}
    return all(done.get((topic, str(partition)), -1) + 1 >= end for (topic, partition), end in ends.items())


def wait(met: Callable[[], bool], *checks: Callable[[], object], within_s: float = ANSWER_WITHIN_S) -> None:
    """Waits until a condition holds, running checks in between."""
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        for check in checks:
            check()
        time.sleep(0.05)

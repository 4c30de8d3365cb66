"""Facts arrive, invoices go out, and meanwhile everything is killed again and again; a kill counts only after progress."""

import json
import random
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.broker import Broker
from tests.chaos.fleet import Fleet, Progress
from tests.chaos.postgres import Postgres
from tests.oracle.generator import Message
from tests.system import kafka
from tests.system.installation import DAYBOOK, ROOT, Installation

RUNS_AT_ONCE: Final = 2
MOVES_WITHIN_S: Final = 4.0
WORKERS, VIEWS, PUBLISHERS, POSTGRES, BROKER = "workers", "views", "publishers", "postgres", "broker"
MOVED: Final = {WORKERS: "facts", VIEWS: "views", PUBLISHERS: "cursors", POSTGRES: "batches", BROKER: "batches"}
"""What must have moved since the last kill of its kind, for a kill to count."""


@dataclass
class Storm:
    """One installation under attack; `wanted` says how often each kind is to be killed."""

    installation: Installation
    fleet: Fleet
    postgres: Postgres
    broker: Broker
    rng: random.Random
    wanted: dict[str, int]
    produced: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    midst: int = 0  # workers killed within a transaction
    unfinished: int = 0  # kills that left something in Kafka unhandled
    recovery: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    runs: Counter[str] = field(default_factory=Counter)
    _at: dict[str, Progress] = field(default_factory=dict)
    _running: list["subprocess.Popen[str]"] = field(default_factory=list)

    def rage(self, messages: Sequence[Message], *, invoice_rounds: int, settles: int) -> None:
        """Produces the messages bit by bit, with a kill after each bit; lets all settle a few times."""
        kinds = [kind for kind in (WORKERS, POSTGRES, BROKER) for _ in range(self.wanted[kind])]
        self.rng.shuffle(kinds)
        size = len(messages) // (len(kinds) + 1) + 1
        bits = [messages[start : start + size] for start in range(0, len(messages), size)]
        invoice_at = {(n + 1) * len(kinds) // (invoice_rounds + 1) for n in range(invoice_rounds)}
        settle_at = {(n + 1) * len(kinds) // (settles + 1) for n in range(settles)}
        killed, killed_at = "", time.monotonic()
        mark = Progress(-1, 0, 0, 0, 0)
        for number, kind in enumerate(kinds):
            self._produce(bits[number])
            moved = self.fleet.wait(lambda now, mark=mark: now.facts > mark.facts)  # type: ignore[misc]
            if killed:
                self.recovery[killed].append(time.monotonic() - killed_at)
            if number in settle_at:
                self.settle()
                self.recovery[f"{killed}: all handled"].append(time.monotonic() - killed_at)
            if number in invoice_at:
                self._end_runs()
                self._running = [self._start_run() for _ in range(RUNS_AT_ONCE)]
            killed_at = self._strike(kind, moved)
            killed, mark = kind, self.fleet.progress()
        for bit in bits[len(kinds) :]:
            self._produce(bit)
        self.settle()
        self._end_runs()

    def _produce(self, messages: Sequence[Message]) -> None:
        kafka.produce(self.installation.kafka or "", messages)
        self.produced += len(messages)

    def settle(self) -> None:
        """Waits until all that is in Kafka is in the book."""
        self.fleet.wait(lambda now: now.facts >= self.produced)

    def lacking(self) -> dict[str, int]:
        """How many kills of each kind are still wanted."""
        return {kind: left for kind, count in self.wanted.items() if (left := count - self.kills[kind]) > 0}

    def _strike(self, kind: str, moved: Progress) -> float:
        """Kills one of a kind; gives when. What was killed runs again when this returns."""
        self.unfinished += self.fleet.progress().facts < self.produced
        if kind == WORKERS:
            return self._strike_worker()
        at = time.monotonic()
        if kind == POSTGRES:
            self.postgres.kill()
            self.postgres.start()
        else:
            self.broker.kill()
            self.broker.start()
        self._count(kind, moved)
        self.recovery[f"{kind}: answers"].append(time.monotonic() - at)
        return at

    def _strike_worker(self) -> float:
        """One that keeps the views or publishes, as long as such kills are wanted; else any."""
        lacking = self.lacking()
        order = [what for what in (PUBLISHERS, VIEWS) if what in lacking]
        self.rng.shuffle(order)
        name = next((found for what in order if self._has_moved(what) and (found := self.fleet.catch(what, self.rng))), None)
        name = name or self.rng.choice(sorted(self.fleet.workers))
        progress = self.fleet.progress()
        held = [what for what in (VIEWS, PUBLISHERS) if name in self.fleet.holders(what)]
        at = time.monotonic()
        self.midst += self.fleet.kill(name)
        for what in (WORKERS, *held):
            self._count(what, progress)
        return at

    def _has_moved(self, kind: str) -> bool:
        """Gives it some time to make the progress without which its death would not count."""
        before, deadline = self._at.get(kind), time.monotonic() + MOVES_WITHIN_S
        while before is not None and getattr(self.fleet.progress(), MOVED[kind]) <= getattr(before, MOVED[kind]):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def _count(self, kind: str, progress: Progress) -> None:
        before = self._at.get(kind)
        if before is None or getattr(progress, MOVED[kind]) > getattr(before, MOVED[kind]):
            self.kills[kind] += 1
            self._at[kind] = progress

    def _start_run(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*DAYBOOK, "invoice", "--as-of", self.installation.today, "--accept-changes", "--json"],
            cwd=ROOT, env=self.installation.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def _end_runs(self) -> None:
        """One of two is killed if it still runs; the others end by themselves, some of them by what died under them."""
        for number, run in enumerate(self._running):
            if number == 0 and run.poll() is None:
                run.kill()
            out, error = run.communicate(timeout=120)
            if run.returncode == 0:
                self.runs["ended well"] += 1
                self.runs["documents"] += len(json.loads(out))
            else:
                self.runs["killed" if run.returncode == -9 else "gave up"] += 1
                assert run.returncode in (-9, 1, 2), f"a run gave {run.returncode}: {error[-2000:]}"
        self._running = []


def summary(seconds: Sequence[float]) -> str:
    """Median and longest."""
    ordered = sorted(seconds)
    return f"{ordered[len(ordered) // 2]:.1f}/{ordered[-1]:.1f} s"

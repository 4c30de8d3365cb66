"""The main job as tests drive it: produce, kill, wait, compare, invoice."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tests.oracle.generator import Message
from tests.oracle.oracle import Expected, Invoiced, expected_after_invoicing
from tests.oracle.posted import posted_from_json
from tests.oracle.wire import Produced
from tests.system import kafka
from tests.system.comparison import assert_agrees, assert_documents_agree, read_back
from tests.system.installation import Installation, Worker, handled, wait

SEED = 20260531


@dataclass
class Job:
    """An installation, its worker, and what was invoiced so far."""

    installation: Installation
    worker: Worker
    invoiced: Invoiced = field(default_factory=Invoiced)
    kills: int = 0
    unfinished: int = 0  # kills that left something unhandled behind
    killed_at: dict[str, int] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        assert self.installation.kafka is not None
        return self.installation.kafka

    def produce_and_kill(self, messages: Sequence[Message], kills: int) -> None:
        """Produces messages bit by bit; after each bit the worker is killed, once the ledger has moved, and started anew."""
        rng = random.Random(SEED)
        size = len(messages) // (kills + 1) + 1
        bits = [messages[start : start + size] for start in range(0, len(messages), size)]
        for bit in bits[:kills]:
            half = len(bit) // 2
            kafka.produce(self.bootstrap, bit[:half])
            wait(lambda: self.installation.positions() != self.killed_at, self.worker.check)
            kafka.produce(self.bootstrap, bit[half:])
            time.sleep(rng.uniform(0, 0.2))
            self.kill()
        for bit in bits[kills:]:
            kafka.produce(self.bootstrap, bit)

    def kill(self) -> None:
        """kill -9, counted: the ledger has moved since the one before."""
        self.worker.kill()
        positions = self.installation.positions()
        assert positions != self.killed_at
        self.killed_at = positions
        self.kills += 1
        self.unfinished += not handled(self.installation, kafka.ends(self.bootstrap))
        self.worker.start()

    def settle(self) -> None:
        """Waits until all that is in Kafka is handled."""
        ends = kafka.ends(self.bootstrap)
        wait(lambda: handled(self.installation, ends), self.worker.check)

    def catch_up(self) -> list[Produced]:
        """All that is in Kafka, once it is handled, as any other consumer reads it."""
        self.settle()
        return kafka.read_all(self.bootstrap)

    def compare(self, as_of: str) -> Expected:
        """Everything the product says as of a day, against the oracle's answer from the messages in Kafka."""
        answer = expected_after_invoicing(self.catch_up(), date.fromisoformat(as_of), self.invoiced)
        assert_agrees(read_back(self.installation.json, self.installation.dsn, as_of), answer)
        return answer

    def invoice(self, as_of: str, answer: Expected) -> list[dict[str, Any]]:
        """Invoices what the oracle has agreed to, and compares the documents."""
        documents = self.installation.json("invoice", "--as-of", as_of, "--accept-changes")
        assert_documents_agree(documents, answer)
        assert self.installation.json("invoice", "--as-of", as_of, "--accept-changes") == []
        self.invoiced = self.invoiced.then(posted_from_json(documents), answer)
        return documents


def check_worked_figures(queue: list[dict[str, Any]]) -> None:
    """The worked figures of product.md's May 2026."""
    rows = {row["client_name"]: (row["currency"], row["hours"], row["net_minor"]) for row in queue if row["lines"]}
    assert rows["Acme Corp"] == ("GBP", "12.5", 1_875_00)
    assert rows["Buildco Ltd"] == ("GBP", "0", 3_200_00)
    assert rows["Fenwick Group"] == ("GBP", "8", 2_140_00)
    assert (len(rows), sum(net for _, _, net in rows.values())) == (14, 31_640_00)

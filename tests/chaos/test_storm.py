"""Facts, invoices and two hundred deaths: the ledger, the queue, the documents, the topics and the views are exact at the end."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.broker import Broker, require
from tests.budget import budget
from tests.chaos.fleet import Fleet
from tests.chaos.poison import mixed_in
from tests.chaos.postgres import Postgres
from tests.chaos.replay import issued, replayed
from tests.chaos.storm import BROKER, POSTGRES, PUBLISHERS, VIEWS, WORKERS, Storm, summary
from tests.evidence import saw
from tests.oracle.generator import facts
from tests.oracle.oracle import expected_after_invoicing
from tests.oracle.wire import DeadLetter
from tests.producers.scenes import read_all
from tests.system import kafka
from tests.system.comparison import assert_agrees, assert_documents_agree, read_back
from tests.system.installation import Installation
from tests.system.kafka import LARGEST

pytestmark = pytest.mark.kafka

TODAY = date(2026, 5, 31)
POISONED = 0.008  # of the oracle's own kinds
MORE_POISON = 0.002  # of those in chaos/poison.py: 1 % in all


@pytest.fixture
def server() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture
def broker() -> Iterator[Broker]:
    require()
    with Broker(max_bytes=LARGEST) as running:
        yield running


def seed() -> int:
    """A fresh one each time, or the one of a run to be repeated."""
    return int(os.environ.get("DAYBOOK_TEST_SEED") or random.SystemRandom().randrange(10**6))


def test_a_storm_of_kills_leaves_the_books_exact_to_the_cent(server: Postgres, broker: Broker, tmp_path: Path) -> None:
    chosen = seed()
    print(f"DAYBOOK_TEST_SEED={chosen}")
    rng = random.Random(f"storm {chosen}")  # the facts' own draws must not come again: their ids would
    count = budget("chaos", "facts")
    messages, refused = mixed_in(facts(chosen, count, poisoned=POISONED), MORE_POISON, rng)
    installation = Installation(server.dsn, tmp_path / "home", broker.bootstrap, today=TODAY.isoformat())
    installation.home.mkdir()
    installation.run("topics", "--partitions", "12")
    fleet = Fleet(installation, size=4)
    wanted = {kind: budget("chaos", kind) for kind in (WORKERS, VIEWS, PUBLISHERS, POSTGRES, BROKER)}
    storm = Storm(installation, fleet, server, broker, rng, wanted)
    try:
        fleet.start()
        storm.rage(messages, invoice_rounds=budget("chaos", "invoice_rounds"), settles=budget("chaos", "settles"))
        assert not storm.lacking(), storm
        states = assert_exact(installation, refused)
        assert_told_once(installation, fleet)
        assert fleet.stop() == [0, 0, 0, 0]
    finally:
        fleet.end()
    checks = installation.json("verify")
    assert all(check["ok"] for check in checks), checks
    assert fleet.peak_rss_mb < budget("chaos", "rss_mb"), fleet.peak_rss_mb
    saw(told(chosen, len(messages), storm, states))


def assert_exact(installation: Installation, refused: dict[bytes, str]) -> int:
    """Ledger, dead letters, waiting, queue and every document, by the oracle; gives how many states of the book it judged."""
    day = installation.today
    produced = kafka.read_all(installation.kafka or "")
    readable = [one for one in produced if one.value not in refused]
    dead = [DeadLetter(*one[:3], refused[one.value]) for one in produced if one.value is not None and one.value in refused]
    invoiced, states = replayed(installation, readable, TODAY)
    answer = expected_after_invoicing(readable, TODAY, invoiced)
    answer = replace(answer, dead=sorted([*answer.dead, *dead]))
    assert_agrees(read_back(installation.json, installation.dsn, day), answer)
    documents = installation.json("invoice", "--as-of", day, "--accept-changes")
    assert_documents_agree(documents, answer)
    assert installation.json("invoice", "--as-of", day, "--accept-changes") == []
    replayed(installation, readable, TODAY)
    return states


def assert_told_once(installation: Installation, fleet: Fleet) -> None:
    """Readers of committed records find every document and every dead letter once."""
    numbers = Counter(one.says["number"] for one in issued(installation))
    letters = Counter(f"{d['topic']}/{d['partition']}/{d['offset']}" for d in installation.json("dead-letters"))
    told: dict[str, Counter[str]] = {}

    def all_told(_now: object) -> bool:
        told["numbers"] = Counter(_numbers(installation))
        told["letters"] = Counter(_letters(installation))
        return told["numbers"].total() >= numbers.total() and told["letters"].total() >= letters.total()

    # A publisher that finds another's transaction open waits for Kafka to end it: 60 s and a sweep.
    fleet.wait(all_told, within_s=200)
    assert told["numbers"] == numbers
    assert told["letters"] == letters


def _numbers(installation: Installation) -> list[str]:
    from schemas.codec import decode

    read = read_all(installation.kafka or "", "daybook.invoices", partitions=12)
    said = [decode(one.value) for one in read]
    return [str(one.fields["number"]) for one in said if one.record in ("InvoiceIssued", "CreditNoteIssued")]


def _letters(installation: Installation) -> list[str]:
    read = read_all(installation.kafka or "", "daybook.dead-letters", partitions=12)
    return ["/".join(one.headers[name].decode() for name in ("topic", "partition", "offset")) for one in read]


def told(chosen: int, count: int, storm: Storm, states: int) -> str:
    """The line of evidence."""
    kills = ", ".join(f"{storm.kills[kind]} {kind}" for kind in storm.wanted)
    recovery = "; ".join(f"{kind} {summary(found)}" for kind, found in sorted(storm.recovery.items()))
    runs = ", ".join(f"{count} {what}" for what, count in sorted(storm.runs.items()))
    return (
        f"chaos: seed {chosen}, {count} messages, counted kill -9: {kills} ({storm.midst} workers within a transaction,"
        f" {storm.unfinished} with facts unhandled); runs meanwhile: {runs}; the oracle judged {states} states of the book:"
        " ledger, dead letters, waiting, queue, documents and topics equal, verify passes;"
        f" from kill to progress, median/longest: {recovery}; peak RSS of a worker {storm.fleet.peak_rss_mb} MB"
    )

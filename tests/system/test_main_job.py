"""Row 1: from Kafka to invoices and back, killed in between, equal to an oracle that shares nothing with the product."""

from pathlib import Path

import pytest

from daybook.demo_month import write as write_demo_month
from tests.budget import budget
from tests.evidence import saw
from tests.oracle.afterwards import afterwards
from tests.oracle.generator import facts
from tests.oracle.poison import KINDS
from tests.system.installation import Installation
from tests.system.job import SEED, Job, check_worked_figures

pytestmark = pytest.mark.kafka

BEFORE_INVOICING = 0.7
"""The share of the generated stream that is there when the first invoices go out."""


def test_the_demo_month_and_generated_facts_end_as_the_oracle_says_whatever_is_killed(
    installation: Installation, tmp_path: Path
) -> None:
    count, kills = budget("oracle", "facts"), budget("oracle", "kills")
    generated = facts(SEED, count)
    later = afterwards(generated, SEED + 1, count // 20)
    cut = int(count * BEFORE_INVOICING)
    first_kills = kills - kills // 3
    with installation.worker() as worker:
        job = Job(installation, worker)
        files = write_demo_month(tmp_path / "facts")
        installation.run("produce", *map(str, files))
        job.compare("2026-05-31")
        check_worked_figures(installation.json("queue", "--as-of", "2026-05-31"))

        job.produce_and_kill(generated[:cut], first_kills)
        answer = job.compare("2026-05-31")
        assert len(job.invoice("2026-05-31", answer)) == len(answer.totals)

        job.produce_and_kill([*generated[cut:], *later], kills - first_kills)
        answer = job.compare("2026-05-31")
        assert {letter.reason for letter in answer.dead} == set(KINDS.values())
        assert {row.reason for row in answer.waiting} >= {
            "amended_after_invoicing",
            "client_changed",
            "unknown_tax_code",
        }
        documents = job.invoice("2026-05-31", answer)
        assert {document["kind"] for document in documents} == {"invoice", "credit_note"}
        assert worker.stop() == 0

        # A month later time that was ahead has come, and so have the next periods.
        installation.today = "2026-06-30"
        worker.start()
        job.invoice("2026-06-30", job.compare("2026-06-30"))
        assert job.compare("2026-06-30").lines == []
    assert (job.kills, job.unfinished > 0) == (kills, True)
    assert all(check["ok"] for check in installation.json("verify")), installation.json("verify")
    saw(
        f"main job: seed {SEED}, {count} generated messages and the demo month, {len(answer.recorded)} facts recorded,"
        f" {len(answer.dead)} dead letters, {job.kills} counted kill -9 of the worker ({job.unfinished} with work pending):"
        f" ledger, dead letters, waiting, queue and documents equal the oracle; verify passes"
    )

"""Workers of one group share the work, and `daybook ingest` on Kafka waits for them."""

from datetime import date
from pathlib import Path

import pytest

from daybook.demo_month import write as write_demo_month
from tests.budget import budget
from tests.oracle.generator import facts
from tests.oracle.oracle import expected
from tests.system import kafka
from tests.system.comparison import assert_agrees, read_back
from tests.system.installation import Installation, handled, wait
from tests.system.job import SEED, Job, check_worked_figures

pytestmark = pytest.mark.kafka

MAY = date(2026, 5, 31)


def test_ingest_with_kafka_produces_and_waits_until_a_worker_has_handled_it(
    installation: Installation, tmp_path: Path
) -> None:
    files = [str(path) for path in write_demo_month(tmp_path / "facts")]
    with installation.worker():
        installation.run("ingest", *files)
        # No waiting here: when the command returns, the book has it.
        assert handled(installation, kafka.ends(str(installation.kafka)))
        check_worked_figures(installation.json("queue", "--as-of", "2026-05-31"))
        installation.run("ingest", *files)
    answer = expected(kafka.read_all(str(installation.kafka)), MAY)
    assert_agrees(read_back(installation.json, installation.dsn, "2026-05-31"), answer)


def test_two_workers_of_one_group_share_the_work_and_one_takes_over_from_a_killed_other(
    installation: Installation,
) -> None:
    generated = facts(SEED + 1, budget("system", "two_workers"))
    half, bit = len(generated) // 2, len(generated) // 20
    with installation.worker() as one, installation.worker() as other:
        job = Job(installation, one)
        wait(lambda: len(kafka.members(job.bootstrap, installation.group)) == 2, one.check, other.check)
        for start in range(0, half, bit):
            kafka.produce(job.bootstrap, generated[start : min(start + bit, half)])
            job.settle()
        for _ in range(10):
            # On a busy machine a worker can lose its place between the look above and its first poll, and come back.
            if one.partitions() and other.partitions() - one.partitions():
                break
            wait(lambda: len(kafka.members(job.bootstrap, installation.group)) == 2, one.check, other.check)
            kafka.produce(job.bootstrap, generated[:bit])  # repeats, which change nothing
            job.settle()
        one_handled = one.partitions()
        assert one_handled, one.tail()
        assert other.partitions() - one_handled, other.tail()
        one.kill()
        kafka.produce(job.bootstrap, generated[half:])
        answer = expected(job.catch_up(), MAY)
        assert other.partitions() & one_handled
        assert other.stop() == 0
    assert_agrees(read_back(installation.json, installation.dsn, "2026-05-31"), answer)

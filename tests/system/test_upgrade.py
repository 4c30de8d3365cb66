"""A rolling upgrade: workers of two versions on one ledger, where the older one does no harm and is not in the way."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pytest

from tests.budget import budget
from tests.evidence import saw
from tests.oracle.generator import facts
from tests.oracle.oracle import expected
from tests.system import kafka
from tests.system.comparison import assert_agrees, read_back
from tests.system.installation import ROOT, Installation, handled, wait
from tests.system.job import SEED
from tests.system.test_operating import serve

pytest_plugins = ["tests.broker"]
pytestmark = pytest.mark.kafka

MAY = date(2026, 5, 31)
CODE = ("consumers", "daybook", "domain", "ledger", "producers", "projections", "runs", "schemas")
# The version of tomorrow keeps one more thing of each time entry, which that of today does not know.
MIGRATION = """
    ALTER TABLE books.time_entries ADD COLUMN kept_by text;
    UPDATE books.time_entries SET kept_by = 'tomorrow';
"""
CHANGES = (
    ("projections/tables.py", '"first_event_id text, state bytea"', '"first_event_id text, kept_by text, state bytea"'),
    ("projections/time_entries.py", "if known else None, _encode(entry)", "if known else None, 'tomorrow', _encode(entry)"),
)


def version_of_tomorrow(folder: Path) -> Path:
    """Today's code with a migration more, and what goes with it."""
    for name in CODE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "projections" / "migrations" / "0199_tomorrow.sql").write_text(MIGRATION)
    for name, today, tomorrow in CHANGES:
        text = (folder / name).read_text()
        assert text.count(today) == 1
        (folder / name).write_text(text.replace(today, tomorrow))
    return folder


def test_workers_of_two_versions_side_by_side_end_in_exact_books(installation: Installation, tmp_path: Path) -> None:
    newer = replace(installation, root=version_of_tomorrow(tmp_path / "tomorrow"))
    generated = facts(SEED + 7, budget("system", "two_workers") // 2)
    part = len(generated) // 4
    bootstrap = str(installation.kafka)

    def tell(number: int) -> None:
        kafka.produce(bootstrap, generated[number * part : (number + 1) * part if number < 3 else None])

    def settled() -> bool:
        return handled(installation, kafka.ends(bootstrap))

    with installation.worker() as old, serve(installation) as served:
        tell(0)
        wait(settled, old.check)
        tell(1)  # the migration comes in the midst of this
        assert "0199_tomorrow" in newer.run("migrate").stdout
        wait(settled, old.check)
        wrong = served.becomes(lambda wrong: "worker views" in wrong and "migrations" in wrong)
        assert wrong["worker views"] == "stands by: the database is newer than this process: stop it and start the new version"
        refused = installation.run("invoice", "--as-of", "2026-05-31", "--accept-changes", exit_code=2)
        assert "newer" in refused.stderr or "does not know" in refused.stderr, refused.stderr
        with newer.worker() as new:
            wait(lambda: len(kafka.members(bootstrap, installation.group)) == 2, old.check, new.check)
            tell(2)
            wait(settled, old.check, new.check)
            wrong = served.becomes(lambda wrong: "worker views" not in wrong)
            assert wrong.keys() == {"migrations"}, "the newer one's signs of life count, not those of who stands by"
            shares = [sorted(worker.partitions()) for worker in (old, new)]
            assert all(shares), "both take facts in"
            assert old.stop() == 0
            tell(3)
            wait(settled, new.check)
            answer = expected(kafka.read_all(bootstrap), MAY)
            assert_agrees(read_back(newer.json, newer.dsn, "2026-05-31"), answer)
            assert new.stop() == 0
    with psycopg.connect(newer.dsn) as connection:
        written = connection.execute("SELECT kept_by, count(*) FROM books.time_entries GROUP BY 1").fetchall()
    assert [kept_by for kept_by, _ in written] == ["tomorrow"], "the older version has written nothing since"
    assert all(check["ok"] for check in newer.json("verify"))
    saw(f"upgrade side by side: {len(generated)} messages, shares {[len(share) for share in shares]}: books exact")

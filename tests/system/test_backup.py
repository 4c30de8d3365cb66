"""What docs/operations.md says of backups is done here by its own commands: nothing is lost but what it says is lost."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from daybook import demo_month
from ledger.server_programs import installed_binaries
from tests.conftest import ROOT, Server, make_reachable_folder
from tests.oracle.generator import facts
from tests.system import kafka
from tests.system.in_process import InProcess
from tests.system.installation import Installation

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
OF_THE_CHAIN = "ledger_batches"
MAY = "2026-05-31"


def program(name: str) -> str:
    """PostgreSQL's own program, of the version the tests' server has."""
    return str(installed_binaries() / name)


def done(*command: str) -> None:
    """Runs one to its end."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr


def dump(dsn: str, folder: Path) -> None:
    """The database, and the roles it names, as the page says."""
    for line in ("pg_dump --format=custom", "pg_dumpall --roles-only", "pg_restore --exit-on-error"):
        assert line in PAGE, line
    done(program("pg_dumpall"), "--roles-only", "--no-role-passwords", f"--dbname={dsn}", f"--file={folder / 'roles.sql'}")
    done(program("pg_dump"), "--format=custom", f"--dbname={dsn}", f"--file={folder / 'daybook.dump'}")


def restore(server: Server, folder: Path) -> str:
    """Both into a server that has neither; gives the DSN."""
    # A role that is there already (the one that logs in) is an error which means nothing.
    roles = [program("psql"), "-q", f"--dbname={server.dsn}", f"--file={folder / 'roles.sql'}"]
    subprocess.run(roles, capture_output=True, timeout=60, check=False)
    dsn = server.create()
    done(program("pg_restore"), "--exit-on-error", f"--dbname={dsn}", str(folder / "daybook.dump"))
    return dsn


def head(installation: Installation) -> str:
    """What is kept elsewhere of the chain."""
    (chain,) = [row for row in installation.json("verify") if row["check"] == "chain"]
    batches, _, rest = chain["detail"].partition(" batches")
    return f"{batches}:{rest.rpartition('head ')[2]}"


def state(installation: Installation, *left_out: str) -> dict[str, str]:
    return {row["view"]: row["hash"] for row in installation.json("hash") if row["view"] not in left_out}


def told(installation: Installation) -> Any:
    return [installation.json(*words) for words in (("queue", "--as-of", MAY, "--lines"), ("invoices",), ("waiting",))]


def test_dump_and_keyring_restored_on_another_server_are_the_same_installation(
    in_process: Callable[[], InProcess], fresh_postgres: Server, tmp_path: Path
) -> None:
    product = in_process()
    product.feed(facts(3, 1_200, poisoned=0.02))
    one = product.installation
    one.run("invoice", "--as-of", MAY, "--accept-changes")
    before, said, kept = state(one), told(one), head(one)
    dump(one.dsn, tmp_path)
    keys = tmp_path / "keyring.jsonl"
    shutil.copy(one.home / "keyring.jsonl", keys)

    other = Installation(restore(fresh_postgres, tmp_path), tmp_path / "other")
    other.home.mkdir()
    shutil.copy(keys, other.home / "keyring.jsonl")
    other.run("migrate")
    other.run("verify", "--head", kept)
    assert state(other) == before
    assert told(other) == said
    rights = {row["check"]: row["ok"] for row in other.json_of("doctor", "--only", "rights")}
    assert rights == {"rights": True}
    # It goes on: a fact is taken in, and the first number is the next one.
    assert other.json("queue", "--as-of", "2026-07-31")
    issued = other.json("invoice", "--as-of", "2026-07-31", "--accept-changes")
    assert issued
    assert not {row["number"] for row in issued} & {row["number"] for row in said[1]}
    other.run("rebuild")
    other.run("verify", "--head", kept)


def test_a_restored_book_that_is_older_or_written_anew_is_told_by_the_kept_head(
    in_process: Callable[[], InProcess], tmp_path: Path
) -> None:
    product = in_process()
    product.feed(facts(4, 300))
    one = product.installation
    kept = head(one)
    batches, _, hash_ = kept.partition(":")
    late = one.json_of("verify", "--head", f"{int(batches) + 3}:{hash_}", exit_code=1)
    assert "the book ends with batch" in next(row["detail"] for row in late if row["check"] == "kept head")
    with psycopg.connect(one.dsn) as owner:  # somebody with every right, who makes the chain fit
        owner.execute("ALTER TABLE ledger.batches DISABLE TRIGGER ALL")
        owner.execute("UPDATE ledger.batches SET hash = %s WHERE batch_id = %s", (bytes(32), int(batches)))
    anew = one.json_of("verify", "--head", kept, exit_code=1)
    assert "written anew" in next(row["detail"] for row in anew if row["check"] == "kept head")
    assert "a head is" in one.run("verify", "--head", "12", exit_code=2).stderr


@pytest.mark.kafka
def test_a_restored_book_behind_kafkas_offsets_catches_up_by_itself(
    installation: Installation, fresh_postgres: Server, tmp_path: Path
) -> None:
    generated = facts(5, 1_500, poisoned=0.02)
    kafka.produce(str(installation.kafka), generated[:700])
    installation.run("worker", "--once")
    kept = head(installation)
    dump(installation.dsn, tmp_path)
    keys = (installation.home / "keyring.jsonl").read_bytes()
    kafka.produce(str(installation.kafka), generated[700:])
    installation.run("worker", "--once")  # Kafka knows by now that the group has read all of it

    home = tmp_path / "restored"
    home.mkdir()
    (home / "keyring.jsonl").write_bytes(keys)
    other = Installation(restore(fresh_postgres, tmp_path), home, installation.kafka, group=installation.group)
    assert state(other, OF_THE_CHAIN) != state(installation, OF_THE_CHAIN)
    other.run("worker", "--once")
    # Each time in its own batches, and under keys of its own where a client is new: all that counts is the same.
    assert state(other, OF_THE_CHAIN) == state(installation, OF_THE_CHAIN)
    other.run("verify", "--head", kept)


def test_an_embedded_home_copied_while_all_is_stopped_is_the_same_installation(tmp_path: Path) -> None:
    first, second = make_reachable_folder(), make_reachable_folder()
    try:
        one = Installation("", first)
        one.run("ingest", *map(str, demo_month.write(tmp_path / "facts")))
        before = state(one)
        assert not (first / "postgres" / "postmaster.pid").exists(), "something still runs"
        done("cp", "-a", f"{first}/.", str(second))
        two = Installation("", second)
        assert state(two) == before
        two.run("verify", "--head", head(one))
    finally:
        shutil.rmtree(first, ignore_errors=True)
        shutil.rmtree(second, ignore_errors=True)

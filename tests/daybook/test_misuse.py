"""What is refused says why in one line and ends with 2; what is hostile does not reach the terminal."""

import json
import re
import socket
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from daybook import printing
from ledger.migrate import migrate
from tests.conftest import MIGRATION_FOLDERS, Server
from tests.daybook.commands import Run, refused, take
from tests.oracle.story import NOON, Story

DAYBOOK = str(Path(sys.executable).parent / "daybook")


MISUSES = ("nonsense", "queue --as-of soon", "queue --nonsense", "hold", "explain X one", "invoice extra")


@pytest.mark.parametrize("words", MISUSES)
def test_misuse_is_one_line_and_exit_code_2(run: Run, words: str) -> None:
    refused(run(*words.split()))


def test_a_message_names_commands_as_the_program_was_called(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "`daybook invoices`" in run("explain", "INV-999").err
    monkeypatch.setenv("DAYBOOK_CALLED", "./run")
    refused(run("explain", "INV-999"), "see `./run invoices`, or `./run queue --lines`")


@pytest.mark.parametrize("command", ["web", "worker"])
def test_help_of_what_serves_is_the_help_alone(command: str) -> None:
    told = subprocess.run([sys.executable, "-m", "daybook.cli", command, "--help"], capture_output=True, text=True, check=True)
    assert "Usage" in told.stdout
    assert '"event"' not in told.stdout + told.stderr


def test_demo_says_so_where_its_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = [sys.executable, "-m", "daybook.cli", "demo", "--port", port, "--home", str(tmp_path / "demo")]
        told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (2, "")
    assert f"port {port} is taken" in told.stderr
    assert not (tmp_path / "demo").exists(), "told before anything is made"


def test_without_a_command_the_help_is_shown(run: Run) -> None:
    said = run()
    assert said.code == 2
    assert "queue" in said.out + said.err
    assert run("--help").code == 0
    assert run("queue", "--help").code == 0


def test_wrong_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_TODAY", "someday")
    refused(run("queue"), "DAYBOOK_TODAY")


def test_database_out_of_reach_is_said_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    refused(run("migrate"))


def test_database_that_lacks_a_migration_is_refused_until_migrated(
    run: Run, postgres: Server, monkeypatch: pytest.MonkeyPatch, empty_dsn: str
) -> None:
    migrate(empty_dsn, MIGRATION_FOLDERS[:1])
    monkeypatch.setenv("DAYBOOK_DATABASE_URL", empty_dsn)
    refused(run("queue"), "daybook migrate")
    assert run("migrate").code == 0
    assert run("queue", "--json").rows == []


def test_the_installed_command_ends_as_it_does_in_process(database: Any, tmp_path: Path) -> None:
    environment = {"DAYBOOK_DATABASE_URL": database.dsn_owner, "DAYBOOK_HOME": str(tmp_path), "PATH": "/usr/bin"}
    for words, code in ((("queue", "--json"), 0), (("invoice",), 2), (("explain", "X"), 2)):
        done = subprocess.run([DAYBOOK, *words], env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code
        assert len(done.stderr.splitlines()) == (1 if code else 0)


# ---- hostile text

HOSTILE = "Evil\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\u2066[bold]x[/bold]\u2028end"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def test_hostile_names_do_not_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    story = Story().charge_type("ODD", name=HOSTILE).client("evil", name=HOSTILE).client("evil2", name=HOSTILE)
    story.entry("e", 60, client_id="evil", charge_type="ODD", note=HOSTILE, ticket_id="T[/red]\u202e", at=NOON)
    story.decide("Approved", "e", client_id="evil").entry("f", 60, client_id="evil2", approve=False)
    take(run, story, tmp_path)
    item = run("queue", "--lines", "--json").rows[0]["item_key"]
    commands: list[tuple[str, ...]] = [
        ("queue",), ("queue", "--lines"), ("waiting",), ("invoice", "--dry-run"), ("hold", item, "--reason", HOSTILE),
        ("queue", "--lines"), ("release", item, "--reason", "x"), ("invoice", "--accept-changes"), ("invoices",),
    ]  # fmt: skip
    for words in commands:
        said = run(*words)
        assert said.code == 0
        assert RAW.search(said.out + said.err) is None, words
    (issued,) = run("invoices", "--json").rows
    assert HOSTILE in issued["lines"][0]["description"]
    said = run("explain", issued["number"])
    assert (said.code, RAW.search(said.out)) == (0, None)
    for words in (("queue", "--json"), ("invoices", "--json"), ("explain", issued["number"], "--json")):
        assert RAW.search(run(*words).out) is None
    assert HOSTILE in json.dumps(run("explain", issued["number"], "--json").rows, ensure_ascii=False).replace(
        json.dumps(HOSTILE, ensure_ascii=False)[1:-1], HOSTILE
    )
    for words in (("explain", HOSTILE), ("queue", "--client", HOSTILE + "?"), ("queue", "--charge-type", HOSTILE + "?")):
        said = run(*words)
        assert (said.code, RAW.search(said.err)) == (2, None), words
    assert "did you mean" in said.err, "a near match is as hostile"


def test_decimals_have_no_exponent_and_money_is_whole() -> None:
    shown = [printing.decimal(Decimal(text)) for text in ("1E+3", "1E-8", "0E-8", "-0.50", "100", "12.50000000")]
    assert shown == ["1000", "0.00000001", "0", "-0.5", "100", "12.5"]

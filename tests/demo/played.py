"""A demo's home as a reader has it: `daybook demo` and the view commands, each a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from ledger.embedded import EmbeddedPostgres

DAYBOOK = (sys.executable, "-m", "daybook.cli")
ROOT = Path(__file__).parents[2]
ANSWERS_WITHIN_S = 120.0
VIEWS = (
    ("queue",),
    ("queue", "--lines"),
    ("invoices",),
    ("balances",),
    ("balances", "--as-of", "2026-04-30"),
    ("waiting",),
    ("dead-letters",),
)
"""What people look at; none of it says when it was recorded."""


@dataclass(frozen=True)
class Home:
    """A folder for `--home`."""

    path: Path

    def start(self, *more: str) -> subprocess.Popen[str]:
        """`daybook demo --no-serve`, running."""
        return subprocess.Popen(
            [*DAYBOOK, "demo", "--no-serve", "--home", str(self.path), *more],
            cwd=ROOT, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def played(self, *more: str) -> str:
        """The same to its end: what it printed."""
        process = self.start(*more)
        said, _ = process.communicate(timeout=ANSWERS_WITHIN_S)
        assert process.returncode == 0, said[-4000:]
        return said

    def json(self, *arguments: str) -> list[dict[str, Any]]:
        """The objects a view command prints."""
        environment = _environment() | {"DAYBOOK_HOME": str(self.path), "DAYBOOK_TODAY": "2026-05-31"}
        done = subprocess.run(
            [*DAYBOOK, *arguments, "--json"],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=ANSWERS_WITHIN_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def mails(self) -> list[tuple[Any, ...]]:
        """What clients were told: (day, client, kind, rule, numbers, what was to be paid, how it stands), by day and client."""
        with EmbeddedPostgres(self.path) as server, psycopg.connect(server.dsn) as connection:
            return connection.execute(
                "SELECT claimed_on, client_id, kind, rule, numbers, balance_minor, state FROM reporting.notices"
                " ORDER BY claimed_on, client_id, rule, numbers"
            ).fetchall()

    def outbox(self) -> list[str]:
        """The names of the mails' files, each made of its Message-ID."""
        return sorted(path.name for path in (self.path / "outbox").iterdir())

    def looked_at(self) -> dict[tuple[str, ...], Any]:
        """Everything people can see of it, and that the book and its views are whole."""
        wrong = [check for check in self.json("verify") if not check["ok"]]
        assert not wrong, wrong
        seen: dict[tuple[str, ...], Any] = {view: self.json(*view) for view in VIEWS}
        return seen | {("mails",): self.mails(), ("outbox",): self.outbox()}


def _environment() -> dict[str, str]:
    """Nothing of the caller's own Daybook."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}

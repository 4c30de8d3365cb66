"""A command writes one line to the log, where it is asked for, and nothing of what it was given."""

import json
from pathlib import Path

from daybook.canonical import name_of
from tests.system.installation import Installation


def test_a_command_writes_its_line_only_where_it_is_asked_for(empty_dsn: str, tmp_path: Path) -> None:
    installation = Installation(empty_dsn, tmp_path, environment={"DAYBOOK_USER": "ann"})
    assert installation.run("migrate").stderr == ""
    installation.environment["DAYBOOK_LOG"] = "info"
    (line,) = installation.run("publisher", "--json").stderr.splitlines()
    said = json.loads(line)
    assert said.pop("timestamp")
    assert said.pop("ms") > 0
    assert said == {"event": "command", "level": "info", "command": "publisher", "by": "ann", "exit_code": 0}


def test_a_refused_command_says_so_and_names_nobody(empty_dsn: str, tmp_path: Path) -> None:
    installation = Installation(empty_dsn, tmp_path, environment={"DAYBOOK_LOG": "info"})
    line, refusal = installation.run("queue", "--client", "secret-client", exit_code=2).stderr.splitlines()
    said = json.loads(line)
    assert (said["command"], said["refused"]) == ("queue", "NotMigrated")
    assert "secret-client" not in line
    assert refusal.startswith("daybook: the database lacks ")


def test_only_a_command_with_parts_is_named_by_two_words() -> None:
    assert name_of(["publisher", "resume", "daybook.invoices", "--at", "0"]) == "publisher resume"
    assert name_of(["forget", "acme"]) == "forget"
    assert name_of(["--help"]) == ""

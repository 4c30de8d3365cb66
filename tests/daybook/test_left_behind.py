"""What a run leaves in the queue is said; what one counts is said in good English."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from daybook import showing
from projections.time_list import StuckCount
from tests.daybook.commands import Run, take
from tests.oracle.story import Story


def test_a_run_says_what_it_leaves_behind(month: Run) -> None:
    month("hold", "time/TE-40002", "--reason", "ask Ann")
    month("hold", "time/TE-40013", "--reason", "ask Ann")
    held = "2 held lines (GBP 225.00) of 1 client (Acme Corp): not issued, kept in the queue until released\n"
    for mode in ("--dry-run", "--accept-changes", "--accept-changes"):  # the last finds nothing due
        said = month("invoice", "--client", "acme", mode)
        assert said.code == 0
        assert held in said.out
        assert "45 min not approved yet of 1 client (Acme Corp): billed once approved" in said.out
    assert "held" not in month("invoice", "--client", "tarn", "--dry-run").out
    everybody = month("invoice", "--dry-run").out
    assert held in everybody
    assert "Fellgate Outdoor Co Ltd" in everybody
    assert "and 1 more)" in everybody
    assert "13 stuck (" in everybody
    assert "no_rate 1" in everybody
    assert "stuck" not in month("invoice", "--client", "tarn", "--dry-run").out


def test_a_client_asked_for_is_told_what_waits(month: Run) -> None:
    [row] = [one for one in month("waiting", "--json").rows if one["reason"] == "no_rate"]
    said = month("invoice", "--client", row["client_id"], "--dry-run")
    assert f"waits: time entry {row['id']} of " in said.out
    assert ": no rate in this currency: give the charge type a rate in the client's currency\n" in said.out


def test_money_that_waits_keeps_nothing_off_a_run(run: Run, tmp_path: Path) -> None:
    story = Story().entry("e", 30)
    at = datetime(2026, 5, 20, 9, tzinfo=UTC)
    nobodys = {"payment_id": "p1", "amount_minor": 5_000, "currency": "GBP", "method": "bank"}
    story.say("PaymentReceived", client_id="?", received_at=at, at=at, **nobodys)
    take(run, story, tmp_path)
    assert [(row["what"], row["reason"]) for row in run("waiting", "--json").rows] == [("payment", "unmatched_payment")]
    assert "stuck" not in run("invoice", "--dry-run").out


def test_reasons_beyond_the_named_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    showing.stuck([StuckCount(reason=f"r{n}", count=n + 1, minutes=0) for n in range(10)])
    said = capsys.readouterr().out
    assert said.startswith("55 stuck (r0 1, r1 2, ")
    assert "r7 8 and 19 for other reasons): not billed until settled; `daybook waiting` lists them\n" in said


def test_a_program_reads_documents_alone(month: Run) -> None:
    month("hold", "time/TE-40002", "--reason", "ask Ann")
    for mode in ("--dry-run", "--accept-changes"):
        said = month("invoice", "--client", "acme", mode, "--json")
        assert (len(said.rows), said.err) == (1, "")
    (row,) = month("queue", "--client", "acme", "--json").rows
    assert (row["held_lines"], row["held_minor"], row["unapproved_minutes"]) == (1, 7500, 45)


def test_one_is_one_and_two_are_two(run: Run, tmp_path: Path) -> None:
    take(run, Story().entry("e", 30), tmp_path)
    assert "\n1 client, GBP 50.00\n" in run("queue").out
    path = tmp_path / "story.jsonl"
    path.write_text(path.read_text("utf-8").splitlines()[0], "utf-8")
    assert run("ingest", str(path)).out == "1 fact, 0 recorded, 1 repeat, 0 dead letters, 0 bad\n"

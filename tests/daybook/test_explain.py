"""Why a line is what it is, before it is issued and after."""

from pathlib import Path

from tests.daybook.commands import Run, refused, take
from tests.oracle.story import Story

KEY = "time/TE-40002"
SAME = (
    "item_key", "description", "charge_type", "service_from", "service_to", "quantity", "unit", "unit_price", "currency",
    "net_minor", "corrects", "rule", "arithmetic", "source_count", "source_events",
)  # fmt: skip


def test_an_item_of_the_queue_is_explained_like_the_line_it_becomes(month: Run) -> None:
    (before,) = month("explain", KEY, "--json").rows
    assert (before["number"], before["client_id"], before["due_minor"]) == (None, "acme", 7500)
    queued = next(line for line in month("queue", "--lines", "--json").rows if line["item_key"] == KEY)
    assert {name: queued[name] for name in SAME[:12]} == {name: before[name] for name in SAME[:12]}
    issued = month("invoice", "--client", "acme", "--accept-changes", "--json").rows[0]
    number = next(line["line_no"] for line in issued["lines"] if line["item_key"] == KEY)
    (after,) = month("explain", issued["number"], str(number), "--json").rows
    assert {name: before[name] for name in SAME} == {name: after[name] for name in SAME}
    (rest,) = month("explain", KEY, "--json").rows
    assert (rest["net_minor"], rest["rule"], rest["arithmetic"]) == (0, None, before["arithmetic"])
    assert rest["postings"] == [{"number": issued["number"], "net_minor": 7500, "currency": "GBP"}]


def test_people_read_the_arithmetic_and_what_was_decided(month: Run) -> None:
    month("adjust", KEY, "--amount", "-12.50", "--reason", "good [red]will")
    month("hold", KEY, "--reason", "ask Ann")
    said = month("explain", KEY, "--client", "Acme").out
    assert f"{KEY} of acme: Remote Support, ticket T-8002\n" in said
    assert "22 min worked -> 30 min (minimum 15, increment 15 up); 30 min x GBP 150/h / 60 = 75.00" in said
    assert "net         GBP 75.00, tax when it is issued" in said
    assert "adjusted    GBP -12.50 by ann at 20" in said
    assert ": good [red]will\n" in said
    assert "held        by ann" in said
    assert said.count("time_entry.approved.v1") == 1, "what the two lines rest on is told once"
    assert "minor" not in said


def test_money_of_a_document_is_told_in_its_currency(month: Run) -> None:
    number = month("invoice", "--client", "acme", "--accept-changes", "--json").rows[0]["number"]
    said = month("explain", number, "1").out
    assert "net         GBP 75.00, tax VAT20 20 % = GBP 15.00" in said
    assert "minor" not in said
    assert month("explain", number, "1", "--json").rows[0]["currency"] == "GBP"


def test_what_cannot_be_explained_is_refused(month: Run) -> None:
    for words, text in (
        ((KEY, "3"), "no line 3"), (("time/TE-0",), "queue --lines"), (("INV-9",), "daybook invoices"),
        ((KEY, "--client", "tarn"), "no item"), ((KEY, "--client", "acne"), "did you mean acme"),
    ):  # fmt: skip
        refused(month("explain", *words), text)
    refused(month("explain", "time/TE-40100"), "it waits, no_rate")
    number = month("invoice", "--client", "acme", "--accept-changes", "--json").rows[0]["number"]
    refused(month("explain", number, "999"), "with a line 999")


def test_a_key_that_two_clients_have_needs_the_client(run: Run, tmp_path: Path) -> None:
    story = Story(rounding_scope="ticket").client("beta").entry("a", 30, ticket_id="T")
    story.entry("b", 60, ticket_id="T", client_id="beta", approve=False).decide("Approved", "b", client_id="beta")
    take(run, story, tmp_path)
    key = "ticket//T/REMOTE/2026-05-01"
    refused(run("explain", key), "acme, beta")
    assert [row["net_minor"] for row in run("explain", key, "--client", "beta", "--json").rows] == [10_000]

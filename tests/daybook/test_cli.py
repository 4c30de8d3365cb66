"""Every command: what it prints, under which keys, and with which exit code it ends."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from daybook import demo_month
from schemas.json_lines import dump
from tests.daybook.commands import Run, entry, keys, plain_decimal, refused, take
from tests.oracle.story import Story
from tests.projections.office import Office

AS_OF = ("--as-of", "2026-05-31")
QUEUE = ["client_id", "client_name", "currency", "types", "hours", "net_minor", "lines", "unapproved_minutes"]
LINES = [
    "client_id", "item_key", "description", "charge_type", "service_from", "service_to", "quantity", "unit", "unit_price",
    "currency", "net_minor", "corrects", "hold", "rule",
]  # fmt: skip
INVOICE = [
    "number", "kind", "client_id", "currency", "issued_on", "due_on", "net_minor", "tax_minor", "total_minor",
    "outstanding_minor", "status", "lines",
]  # fmt: skip
INVOICE_LINE = [
    "line_no", "item_key", "description", "charge_type", "service_from", "service_to", "quantity", "unit", "unit_price",
    "net_minor", "tax_code", "tax_minor", "account", "corrects", "rule", "source_count", "source_sha256", "source_event_ids",
]  # fmt: skip


# ---- taking facts in


def test_ingest_counts_and_repeats_are_harmless(run: Run, tmp_path: Path) -> None:
    paths = [str(path) for path in demo_month.write(tmp_path / "facts")]
    first = run("ingest", *paths, "--json")
    assert (first.code, first.rows) == (0, [{"facts": 432, "recorded": 429, "repeats": 3, "dead_letters": 0, "bad": 0}])
    again = run("ingest", *paths)
    assert again.code == 0
    assert "432 facts, 0 recorded, 432 repeats" in again.out


def test_ingest_takes_good_lines_and_names_the_bad_ones(run: Run, tmp_path: Path) -> None:
    good = [dump("TimeEntryLogged", entry(f"e{n}")) for n in range(2)]
    path = tmp_path / "facts.jsonl"
    bad = ["{", '{"topic": "daybook.time"}', good[1].replace('"acme"', '"\\ud800"')]
    path.write_text("\n".join([good[0], *bad, good[1]]), "utf-8")
    said = run("ingest", str(path), "--json")
    assert said.code == 1
    assert said.rows == [{"facts": 2, "recorded": 2, "repeats": 0, "dead_letters": 0, "bad": 3}]
    assert [f"line {n}" in line for n, line in zip((2, 3, 4), said.err.splitlines(), strict=False)] == [True] * 3


def test_ingest_refuses_what_is_no_file(run: Run, tmp_path: Path) -> None:
    refused(run("ingest", str(tmp_path / "nothing")), "no such file")
    (tmp_path / "broken.avro").write_bytes(b"Obj\x01 and no more")
    refused(run("ingest", str(tmp_path / "broken.avro")), "broken.avro")
    refused(run("ingest"))


# ---- looking


def test_queue_has_the_fixed_keys_and_the_known_figures(month: Run) -> None:
    rows = month("queue", *AS_OF, "--json").rows
    for row in rows:
        assert list(row)[: len(QUEUE)] == QUEUE
        assert type(row["net_minor"]) is int
        assert plain_decimal(row["hours"])
    assert sum(row["net_minor"] for row in rows) == 3_164_000
    assert len([row for row in rows if row["lines"]]) == 14
    acme = next(row for row in rows if row["client_name"] == "Acme Corp")
    assert (acme["types"], acme["hours"], acme["net_minor"], acme["lines"]) == (["Remote Support"], "12.5", 187_500, 19)


def test_queue_lines_add_up_to_the_queue(month: Run) -> None:
    lines = month("queue", "--lines", "--json").rows
    for line in lines:
        assert set(LINES) <= set(line)
        assert plain_decimal(line["quantity"])
        assert plain_decimal(line["unit_price"])
        assert date.fromisoformat(line["service_from"]) <= date.fromisoformat(line["service_to"])
    assert sum(line["net_minor"] for line in lines) == 3_164_000


def test_queue_filters(month: Run) -> None:
    assert [row["client_id"] for row in month("queue", "--client", "tarn", "--json").rows] == ["tarn"]
    only = month("queue", "--charge-type", "PROJECT", "--json").rows
    assert {kind for row in only for kind in row["types"]} == {"Project Time"}
    week = month("queue", "--lines", "--from", "2026-05-11", "--to", "2026-05-17", "--charge-type", "REMOTE", "--json").rows
    assert week
    assert all("2026-05-11" <= line["service_from"] <= line["service_to"] <= "2026-05-17" for line in week)
    april = month("queue", "--as-of", "2026-04-30", "--json")
    assert (april.code, april.rows) == (0, [])


def test_waiting_and_dead_letters_have_the_fixed_keys(month: Run, tmp_path: Path) -> None:
    rows = month("waiting", "--json").rows
    assert len(rows) > 20
    for row in rows:
        keys(row, ["client_id", "what", "id", "reason", "since"])
        assert datetime.fromisoformat(row["since"]).tzinfo == UTC
    assert {row["client_id"] for row in month("waiting", "--client", "yarrow", "--json").rows} == {"yarrow"}
    assert month("dead-letters", "--json").rows == []
    changed = tmp_path / "changed.jsonl"
    _, record, fields = next(fact for fact in demo_month.facts() if fact[1] == "TimeEntryLogged")
    changed.write_text(dump(record, {**fields, "worked_minutes": 999}), "utf-8")
    assert month("ingest", str(changed), "--json").rows[0]["dead_letters"] == 1
    (row,) = month("dead-letters", "--json").rows
    keys(row, ["topic", "partition", "offset", "reason", "error"])
    assert (row["topic"], row["reason"]) == ("daybook.time", "idempotency_conflict")


def test_every_table_for_people_is_printed(month: Run) -> None:
    for words, text in (
        (("queue",), "14 clients, GBP 31,640.00"), (("queue", "--lines"), "time/"), (("waiting",), "awaiting_approval"),
        (("dead-letters",), "Dead letters"), (("invoices",), "Invoices"), (("hash",), "charges"), (("verify",), "chain"),
        (("invoice", "--dry-run"), "Would be issued"), (("rebuild",), "rebuilt to position"), (("migrate",), "up to date"),
    ):  # fmt: skip
        said = month(*words)
        assert (said.code, said.err) == (0, "")
        assert text in said.out


# ---- issuing


def test_dry_run_shows_what_would_be_issued_and_numbers_nothing(month: Run) -> None:
    rows = month("invoice", *AS_OF, "--dry-run", "--json").rows
    assert sum(row["net_minor"] for row in rows) == 3_164_000
    for row in rows:
        assert set(INVOICE) <= set(row)
        assert (row["number"], row["status"]) == (None, "draft")
        assert sum(line["net_minor"] for line in row["lines"]) == row["net_minor"]
        assert all(set(INVOICE_LINE) <= set(line) for line in row["lines"])
    assert month("invoices", "--json").rows == []


def test_invoice_needs_somebody_to_confirm(month: Run) -> None:
    refused(month("invoice", *AS_OF), "--accept-changes")
    assert month("invoices", "--json").rows == []


def test_invoice_issues_once_and_what_it_prints_is_kept(month: Run) -> None:
    planned = month("invoice", "--dry-run", "--json").rows
    issued = month("invoice", *AS_OF, "--accept-changes", "--json")
    assert issued.code == 0
    assert [without_number(row) for row in issued.rows] == [without_number(row) for row in planned]
    for row in issued.rows:
        assert set(INVOICE) <= set(row)
        assert row["net_minor"] + row["tax_minor"] == row["total_minor"] == row["outstanding_minor"]
        assert all(set(INVOICE_LINE) <= set(line) for line in row["lines"])
        assert all(plain_decimal(line["quantity"]) and plain_decimal(line["unit_price"]) for line in row["lines"])
    numbers = [int(re.sub(r".*\D", "", row["number"])) for row in issued.rows]
    assert numbers == list(range(1, 15))
    assert month("invoices", "--json").rows == issued.rows
    again = month("invoice", *AS_OF, "--accept-changes", "--json")
    assert (again.code, again.rows) == (0, [])
    assert "nothing is due" in month("invoice", "--accept-changes").out
    refused(month("invoice", "--as-of", "2026-05-30", "--accept-changes"), "--as-of 2026-05-31 or later")


def without_number(row: dict[str, Any]) -> dict[str, Any]:
    own = ("number", "status", "line_count", "outstanding_minor")
    return {name: value for name, value in row.items() if name not in own}


def test_invoice_of_one_client_leaves_the_others(month: Run) -> None:
    issued = month("invoice", "--client", "acme", "--client", "tarn", "--accept-changes", "--json").rows
    assert sorted(row["client_id"] for row in issued) == ["acme", "tarn"]
    assert len([row for row in month("queue", "--json").rows if row["lines"]]) == 12
    assert {row["client_id"] for row in month("invoices", "--client", "tarn", "--json").rows} == {"tarn"}


def test_invoice_ends_with_1_where_a_client_was_refused(run: Run, tmp_path: Path) -> None:
    story = Story().entry("e", 60, client_id="acme").client("odd").entry("o", 60, client_id="odd")
    story.decide("Approved", "o", client_id="odd").client("odd", revision=2, effective_from=date(2026, 5, 31), currency="XXQ")
    take(run, story, tmp_path)
    said = run("invoice", "--accept-changes", "--json")
    assert [row["client_id"] for row in said.rows] == ["acme"]
    assert said.code == 1
    assert said.err == "refused odd GBP: unknown_value\n"


# ---- deciding


def test_hold_release_and_adjust(month: Run) -> None:
    key = next(line["item_key"] for line in month("queue", "--lines", "--client", "acme", "--json").rows)
    assert month("hold", key, "--client", "acme", "--reason", "check with Ann").code == 0
    held = next(line for line in month("queue", "--lines", "--client", "acme", "--json").rows if line["item_key"] == key)
    assert (held["hold"]["by"], held["hold"]["reason"]) == ("ann", "check with Ann")
    (row,) = month("queue", "--client", "acme", "--json").rows
    assert (row["lines"], row["held_lines"]) == (18, 1)
    assert month("release", key, "--client", "acme", "--reason", "fine").code == 0
    refused(month("release", key, "--client", "acme", "--reason", "again"), "not held")
    assert month("adjust", key, "--client", "acme", "--amount", "-12.50", "--reason", "goodwill").code == 0
    (row,) = month("queue", "--client", "acme", "--json").rows
    assert row["net_minor"] == 187_500 - 1_250


@pytest.mark.parametrize("amount", ["lots", "1.005", "NaN", "Infinity", "1e400", "1e999999999", "0", "99999999999999999"])
def test_adjust_refuses_an_amount_that_is_none(month: Run, amount: str) -> None:
    key = next(line["item_key"] for line in month("queue", "--lines", "--client", "acme", "--json").rows)
    refused(month("adjust", key, "--client", "acme", "--amount", amount, "--reason", "why"))


def test_decisions_refuse_what_is_not_there(month: Run) -> None:
    for command in (("hold",), ("release",), ("adjust", "--amount", "1")):
        refused(month(command[0], "time/never", *command[1:], "--reason", "x"), "queue --lines")
    key = next(line["item_key"] for line in month("queue", "--lines", "--client", "acme", "--json").rows)
    refused(month("adjust", key, "--client", "acme", "--amount", "1", "--currency", "ZZZ", "--reason", "x"), "ZZZ")
    refused(month("adjust", key, "--client", "acme", "--amount", "1", "--currency", "EUR", "--reason", "x"), "GBP")
    refused(month("hold", key), "--reason")


# ---- explaining, checking


def test_explain_leads_back_to_the_messages(month: Run) -> None:
    number = month("invoice", "--client", "acme", "--accept-changes", "--json").rows[0]["number"]
    (line,) = month("explain", number, "1", "--json").rows
    assert {"rule", "arithmetic", "source_events", "corrects", "corrected_by"} <= set(line)
    assert {event["event"] for event in line["source_events"]} == {"time_entry.logged.v1", "time_entry.approved.v1"}
    for event in line["source_events"]:
        assert event["topic"] == "daybook.time"
        assert isinstance(event["offset"], int)
    assert "x GBP 150" in month("explain", number).out
    refused(month("explain", "INV-NEVER"), "daybook invoices")
    refused(month("explain", number, "999"))


def test_hash_verify_and_rebuild_agree(month: Run) -> None:
    before = month("hash", "--json").rows
    assert all(list(row) == ["view", "hash", "position"] for row in before)
    checks = month("verify", "--json")
    assert checks.code == 0
    assert all(list(row)[:3] == ["check", "ok", "detail"] and row["ok"] for row in checks.rows)
    assert month("rebuild", "charges").code == 0
    assert month("rebuild").code == 0
    assert month("hash", "--json").rows == before
    refused(month("rebuild", "nosuch"), "nosuch")


def test_verify_finds_an_edited_view_and_rebuild_mends_it(month: Run, office: Office) -> None:
    with office.books() as cursor:
        cursor.execute("UPDATE charges SET rated_minor = rated_minor + 1 WHERE client_id = 'acme'")
    found = month("verify", "--json")
    assert found.code == 1
    assert [row["check"] for row in found.rows if not row["ok"]] == ["view charges"]
    assert month("rebuild").code == 0
    assert month("verify").code == 0


@pytest.fixture
def office(database: Any, keyring: Any) -> Office:
    """The tables behind the commands."""
    return Office(database, keyring)


def test_known_at_takes_an_instant_with_a_zone(month: Run) -> None:
    assert month("queue", "--json", "--known-at", "2020-01-01T00:00:00Z").rows == []
    refused(month("queue", "--known-at", "2020-01-01T00:00:00"), "no zone")
    refused(month("waiting", "--known-at", "yesterday"), "no instant")

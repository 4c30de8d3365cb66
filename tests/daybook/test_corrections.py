"""`daybook credit`, `void` and `write-off`: what they print, and how they end."""

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.daybook.commands import Run, keys, refused, take
from tests.oracle.story import Story

MID_MAY = datetime(2026, 5, 20, 9, tzinfo=UTC)


def test_invoice_is_credited_voided_and_written_off_each_once(month: Run) -> None:
    issued = month("invoice", "--accept-changes", "--json").rows
    first, second, third = (one for one in issued[:3])
    line = len(first["lines"])
    done = month("credit", first["number"], str(line), "--waive", "--reason", "goodwill", "--json")
    assert done.code == 0, done.err
    [row] = done.rows
    keys(row, ["done", "number", "client_id", "currency", "credit_note", "mode", "net_minor", "tax_minor", "total_minor"])
    assert (row["done"], row["mode"], row["net_minor"]) == ("credited", "waive", -first["lines"][-1]["net_minor"])
    assert month("queue", "--lines", "--json", "--client", first["client_id"]).rows == []
    refused(month("credit", first["number"], str(line), "--rebill", "--reason", "again"), f"by {row['credit_note']} line 1")

    voided = month("void", second["number"], "--reason", "wrong client")
    assert (voided.code, voided.out.split(" (batch")[0]) == (
        0, f"voided {second['number']} by CN-000002: {money(second)} of {second['client_id']}",
    )  # fmt: skip
    assert sum(one["net_minor"] for one in month("queue", "--json", "--client", second["client_id"]).rows) == second["net_minor"]
    refused(month("void", second["number"], "--reason", "again"), "was voided already, by CN-000002")

    given_up = month("write-off", third["number"], "--reason", "bankrupt", "--json")
    assert [one["total_minor"] for one in given_up.rows] == [-third["total_minor"]]
    refused(month("write-off", third["number"], "--reason", "again"), "nothing is outstanding")

    status = {one["number"]: (one["status"], one["outstanding_minor"]) for one in month("invoices", "--json").rows}
    assert status[second["number"]] == ("voided", 0)
    assert status[third["number"]] == ("written_off", 0)
    assert month("invoice", "--accept-changes", "--json").rows[0]["client_id"] == second["client_id"]
    assert month("invoice", "--accept-changes", "--json").rows == []
    verified = month("verify", "--json")
    assert verified.code == 0, json.dumps(verified.rows)


def test_corrections_that_are_misused_are_refused_in_one_line(month: Run) -> None:
    number = month("invoice", "--accept-changes", "--json").rows[0]["number"]
    refused(month("credit", number, "--reason", "x"), "say --rebill")
    refused(month("credit", number, "--rebill"), "--reason")
    refused(month("credit", number, "99", "--rebill", "--reason", "x"), f"{number} has no line 99")
    refused(month("credit", "INV-999999", "--rebill", "--reason", "x"), "there is no document INV-999999")
    refused(month("void", number, "--reason", " "), "say why")
    refused(month("void", number, "--reason", "x", "--as-of", "2026-05-30"), "use --as-of 2026-05-31 or later")
    refused(month("write-off", "CN-000001", "--reason", "x"), "there is no document")


def test_write_off_beside_credit_is_warned_of(month: Run, tmp_path: Path) -> None:
    first, second = month("invoice", "--accept-changes", "--json").rows[:2]
    money = {"payment_id": "p1", "amount_minor": 5_400, "currency": second["currency"], "method": "bank"}
    story = Story().say("PaymentReceived", client_id=second["client_id"], received_at=MID_MAY, at=MID_MAY, **money)
    take(month, story, tmp_path)
    assert "credit" not in month("write-off", first["number"], "--reason", "bankrupt").err
    given_up = month("write-off", second["number"], "--reason", "bankrupt", "--json")
    assert (given_up.code, len(given_up.rows)) == (0, 1)
    assert f"{second['client_id']} has GBP 54.00 of credit that pays nothing yet; it stays as it is" in given_up.err


def money(document: dict[str, int]) -> str:
    return f"{document['currency']} {document['total_minor'] / 100:,.2f}"

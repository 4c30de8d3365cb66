"""`daybook pay`, `refund`, `payments` and `match`: money by hand from a terminal, through the log like any other fact."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.daybook.commands import Run, keys, refused, take
from tests.oracle.story import Story

NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)


@pytest.fixture
def invoiced(month: Run) -> Run:
    """The demo month, issued: INV-000001 is Acme's, of GBP 2,250.00."""
    assert month("invoice", "--accept-changes").code == 0
    return month


def nobodys(run: Run, tmp_path: Path, payment_id: str, amount_minor: int, reference: str) -> None:
    story = Story().say(
        "PaymentReceived", client_id="?", payment_id=payment_id, amount_minor=amount_minor, currency="GBP", received_at=NOON,
        method="bank", invoice_numbers=[], surcharge_minor=0, fee_minor=0, provider=None, provider_ref=reference, at=NOON,
    )  # fmt: skip
    story.said[-1].fields["event_id"] = "00000000-0000-4000-a000-000000000001"
    take(run, story, tmp_path)


def open_of(run: Run, number: str) -> int:
    [one] = [one for one in run("invoices", "--json").rows if one["number"] == number]
    return int(one["outstanding_minor"])


def payments(run: Run, *words: str) -> list[dict[str, Any]]:
    return run("payments", "--json", *words).rows


def test_pay_records_an_event_that_counts_at_once_and_refund_takes_back(invoiced: Run) -> None:
    before = open_of(invoiced, "INV-000001")
    said = invoiced("pay", "acme", "1000", "--on", "2026-05-29", "--invoice", "INV-000001", "--reference", "cheque 12")
    assert said.code == 0, said.err
    assert said.out.startswith("recorded: GBP 1,000.00 of acme, payment hand-")
    assert said.out.endswith("it pays INV-000001 GBP 1,000.00; nothing is left as credit\n")
    assert open_of(invoiced, "INV-000001") == before - 100_000
    [one] = payments(invoiced, "--client", "acme")
    assert (one["received_on"], one["method"], one["provider_ref"]) == ("2026-05-29", "bank", "cheque 12")
    assert one["pays"] == [{"number": "INV-000001", "amount_minor": 100_000}]
    back = invoiced("refund", one["payment_id"], "250.50", "--reason", "paid twice")
    assert back.code == 0, back.err
    assert open_of(invoiced, "INV-000001") == before - 74_950
    refused(invoiced("refund", one["payment_id"], "750", "--reason", "all of it"), "Only GBP 749.50 of this payment is left")
    refused(invoiced("refund", "none", "1", "--reason", "x"), "there is no payment 'none'")


def test_chargeback_opens_what_was_paid_and_counts_with_refunds(invoiced: Run) -> None:
    before = open_of(invoiced, "INV-000001")
    assert invoiced("pay", "acme", "1000", "--invoice", "INV-000001", "--on", "2026-05-29").code == 0
    [one] = payments(invoiced, "--client", "acme")
    assert invoiced("refund", one["payment_id"], "100", "--reason", "paid twice").code == 0
    back = invoiced("chargeback", one["payment_id"], "900", "--reason", "disputed", "--once", "dispute-1")
    assert back.out.startswith("recorded as charged back: GBP 900.00 of acme"), back.err
    assert open_of(invoiced, "INV-000001") == before
    assert "nothing was added" in invoiced("chargeback", one["payment_id"], "900", "--reason", "x", "--once", "dispute-1").out
    refused(invoiced("chargeback", one["payment_id"], "1", "--reason", "x"), "Only GBP 0.00 of this payment is left")


def test_pay_says_what_is_left_as_credit_and_programs_read_it(invoiced: Run) -> None:
    whole = open_of(invoiced, "INV-000001")
    said = invoiced("pay", "acme", f"{whole // 100 + 50}")
    assert said.out.endswith(f"it pays INV-000001 GBP {whole // 100:,}.00; GBP 50.00 is left as credit\n")
    [row] = invoiced("pay", "acme", "7", "--currency", "EUR", "--other-currency-ok", "--json").rows
    keys(row, ["client_id", "payment_id", "amount_minor", "currency", "already", "pays", "unapplied_minor"])
    assert (row["already"], row["pays"], row["unapplied_minor"]) == (False, [], 700)


def test_a_day_in_another_order_is_told_as_people_write_days(invoiced: Run) -> None:
    said = invoiced("pay", "acme", "7", "--on", "31.05.2026")
    refused(said, "does not match the formats 'YYYY-MM-DD'")
    assert "%" not in said.err


def test_pay_under_one_word_is_one_payment(invoiced: Run) -> None:
    words = ("pay", "acme", "10", "--once", "bank-line-77")
    assert invoiced(*words).code == 0
    again = invoiced(*words)
    assert "already, before: nothing was added" in again.out
    assert len(payments(invoiced)) == 1
    refused(invoiced("pay", "acme", "11", "--once", "bank-line-77"), "used already, with another amount")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("nobody at all", "1"), "there is no client 'nobody at all'"),
        (("acme", "1", "--currency", "gbp"), "“gbp” is no currency such as GBP."),
        (("acme", "1.001"), "GBP has 2 decimal places"),
        (("acme", "0"), "must be above zero"),
        (("acme", "--", "-5"), "must be above zero"),
        (("acme", "1", "--on", "2026-06-01"), "2026-06-01 is in the future"),
        (("acme", "1", "--method", "barter"), "The method must be one of"),
        (("acme", "1", "--invoice", "INV-000002"), "INV-000002 is another client's invoice."),
        (
            ("acme", "1", "--invoice", "INV-999999"),
            "There is no invoice INV-999999. Open of acme: INV-000001. If it is meant: --unknown-invoice-ok.",
        ),
        (("acme", "1", "--invoice", "INV-00001"), "There is no invoice INV-00001. Did you mean INV-000001?"),
        (("acme", "1", "--currency", "EUR"), "acme has GBP, and nothing in EUR: the payment would pay nothing."),
        (("acme", "1", "--currency", "EUR"), "If it is meant: --other-currency-ok."),
    ],
)
def test_what_is_no_payment_is_one_clear_line(invoiced: Run, words: tuple[str, ...], line: str) -> None:
    refused(invoiced("pay", *words), line)
    assert payments(invoiced) == []


def test_number_and_currency_that_are_not_there_yet_are_kept_where_that_is_said(invoiced: Run) -> None:
    before = open_of(invoiced, "INV-000001")
    said = invoiced("pay", "acme", "100", "--invoice", "INV-000099", "--unknown-invoice-ok")
    assert said.code == 0, said.err
    said = invoiced("pay", "acme", "7", "--currency", "EUR", "--other-currency-ok")
    assert said.code == 0, said.err
    assert {one["currency"]: one["unapplied_minor"] for one in payments(invoiced)} == {"GBP": 0, "EUR": 700}
    assert open_of(invoiced, "INV-000001") == before - 10_000, "the oldest due, until INV-000099 is issued"


def test_refund_before_the_payment_came_is_refused(invoiced: Run) -> None:
    assert invoiced("pay", "acme", "1000", "--on", "2026-05-29").code == 0
    [one] = payments(invoiced)
    early = invoiced("refund", one["payment_id"], "10", "--reason", "x", "--on", "2026-05-28")
    refused(early, "2026-05-28 is before the payment came (2026-05-29)")
    assert invoiced("refund", one["payment_id"], "10", "--reason", "x", "--on", "2026-05-29").code == 0


def test_card_payment_is_charged_back_whole_with_its_surcharge(invoiced: Run, tmp_path: Path) -> None:
    before = open_of(invoiced, "INV-000001")
    story = Story().say(
        "PaymentReceived", client_id="acme", payment_id="card-1", amount_minor=548_10, currency="GBP", received_at=NOON,
        method="card", invoice_numbers=["INV-000001"], surcharge_minor=8_10, fee_minor=0, provider=None, provider_ref=None,
        at=NOON,
    )  # fmt: skip
    story.said[-1].fields["event_id"] = "00000000-0000-4000-a000-000000000002"
    take(invoiced, story, tmp_path)
    assert open_of(invoiced, "INV-000001") == before - 540_00
    refused(invoiced("chargeback", "card-1", "548.11", "--reason", "x"), "Only GBP 548.10 of this payment is left")
    back = invoiced("chargeback", "card-1", "548.10", "--reason", "disputed")
    assert back.code == 0, back.err
    assert open_of(invoiced, "INV-000001") == before


def test_waiting_payments_are_told_with_whom_they_may_be_of_and_matched(invoiced: Run, tmp_path: Path) -> None:
    nobodys(invoiced, tmp_path, "tx-1", open_of(invoiced, "INV-000001"), "FASTER PAYMENT")
    told = invoiced("payments", "--waiting").out
    assert "unmatched_payment" in told
    assert "Acme Corp" in told
    assert [one["client_id"] for one in payments(invoiced, "--waiting")] == ["?"]
    assert "matched: GBP" in invoiced("match", "tx-1", "acme").out
    assert open_of(invoiced, "INV-000001") == 0
    assert payments(invoiced, "--waiting") == []
    assert "nothing was added" in invoiced("match", "tx-1", "acme").out
    refused(invoiced("match", "tx-1", "buildco"), "Acme Corp has this payment already: matched by daybook/ann")
    refused(invoiced("match", "tx-2", "acme"), "there is no payment 'tx-2' of an unknown payer")

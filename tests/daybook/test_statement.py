"""`daybook statement` and `daybook invoices --pdf`: the account on the terminal, for programs, and on paper."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from daybook.statements import file_name
from tests.daybook.commands import Run, keys, refused, take
from tests.oracle.story import Story
from tests.producers.papers import said as text_of

PAID_AT = datetime(2026, 5, 20, 12, tzinfo=UTC)
KEYS = [
    "client_id", "client_name", "currency", "since", "as_of", "brought_forward_minor", "entries", "balance_minor",
    "outstanding_minor", "overdue_minor", "unapplied_minor", "current_minor", "days_1_30_minor", "days_31_60_minor",
    "days_61_90_minor", "days_over_90_minor", "unpaid",
]  # fmt: skip


@pytest.fixture
def books(run: Run, tmp_path: Path) -> Run:
    """Acme has an invoice of 120.00 of 31 March and one of 30 April; the first is paid on 20 May."""
    story = Story().entry("e1", 60, worked_on=date(2026, 3, 20)).entry("e2", 60, worked_on=date(2026, 4, 20))
    paid = {"client_id": "acme", "payment_id": "p1", "currency": "GBP", "amount_minor": 12_000, "method": "bank"}
    story.say("PaymentReceived", **paid, received_at=PAID_AT, invoice_numbers=[], provider=None, provider_ref=None, at=PAID_AT)
    take(run, story, tmp_path)
    for day in ("2026-03-31", "2026-04-30"):
        assert run("invoice", "--as-of", day, "--accept-changes").code == 0
    return run


def test_statement_on_the_terminal(books: Run) -> None:
    said = books("statement", "acme", "--as-of", "2026-05-31")
    assert said.code == 0, said.err
    for one in (
        "statement in GBP from 2026-04-01 to 2026-05-31", "brought forward", "Invoice INV-000002 due", "Payment by bank transfer",
        "outstanding GBP 120.00; 1–30 days GBP 120.00",
    ):  # fmt: skip
        assert one in said.out, said.out


def test_payment_by_hand_is_named_by_the_banks_reference_on_papers_and_by_its_id_for_programs(
    books: Run, tmp_path: Path
) -> None:
    assert books("pay", "acme", "10", "--on", "2026-05-30", "--reference", "ACME APRIL").code == 0
    (paid,) = [one["payment_id"] for one in books("payments", "--json").rows if one["payment_id"] != "p1"]
    assert books("refund", paid, "4", "--reason", "too much").code == 0
    path = tmp_path / "acme.pdf"
    assert books("statement", "acme", "--pdf", str(path)).code == 0
    for text in (text_of(path.read_bytes()), books("statement", "acme").out):
        assert "hand-" not in text
        assert "Payment ACME APRIL" in " ".join(text.split())
        assert "Payment returned of the payment ACME APRIL" in " ".join(text.split())
    (row,) = books("statement", "acme", "--json").rows
    assert [one["of"] or one["reference"] for one in row["entries"]][-2:] == [paid, paid]


def test_statement_for_programs_has_its_keys_and_adds_up(books: Run) -> None:
    (row,) = books("statement", "acme", "--as-of", "2026-05-31", "--from", "2026-03-01", "--json").rows
    keys(row, KEYS)
    assert [(one["on"], one["kind"], one["amount_minor"], one["balance_minor"]) for one in row["entries"]] == [
        ("2026-03-31", "invoice", 12_000, 12_000),
        ("2026-04-30", "invoice", 12_000, 24_000),
        ("2026-05-20", "payment", -12_000, 12_000),
    ]
    (balance,) = books("balances", "--as-of", "2026-05-31", "--client", "acme", "--json").rows
    assert {name: row[name] for name in balance} == balance
    assert row["balance_minor"] == balance["outstanding_minor"] - balance["unapplied_minor"]
    (before,) = books("statement", "acme", "--as-of", "2026-05-19", "--from", "2026-05-01", "--json").rows
    assert (before["brought_forward_minor"], before["entries"], before["overdue_minor"]) == (24_000, [], 12_000)


def test_statement_as_pdf(books: Run, tmp_path: Path) -> None:
    path = tmp_path / "acme.pdf"
    said = books("statement", "acme", "--as-of", "2026-05-31", "--pdf", str(path))
    assert said.code == 0, said.err
    text = text_of(path.read_bytes())
    assert "Balance on 31 May 2026 GBP 120.00" in text
    assert "Payment\nby bank transfer" in text
    assert "p1" not in text


def test_statement_of_nobody_and_of_days_in_no_order_is_refused(books: Run) -> None:
    refused(books("statement", "nobody"))
    refused(books("statement", "acme", "--as-of", "2026-05-01", "--from", "2026-05-02"), "is after --as-of")
    assert books("statement", "acme", "--as-of", "2026-01-01", "--json").rows == []
    assert "nothing was invoiced or paid" in books("statement", "acme", "--as-of", "2026-01-01").out


def test_every_listed_document_as_pdf(books: Run, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "paper"
    said = books("invoices", "--pdf", str(folder))
    assert said.code == 0, said.err
    assert "2 documents written" in said.err
    assert sorted(path.name for path in folder.iterdir()) == ["INV-000001.pdf", "INV-000002.pdf"]
    assert "Number INV-000002" in text_of((folder / "INV-000002.pdf").read_bytes())
    assert [one["number"] for one in books("invoices", "--pdf", str(folder), "--json").rows] == ["INV-000001", "INV-000002"]


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("INV-1/2026", "INV-1%2F2026.pdf"),
        ("../../etc/passwd", "_.%2F..%2Fetc%2Fpasswd.pdf"),
        (".", "_.pdf"),
        ("a\x00b\nc", "a%00b%0Ac.pdf"),
        ("x" * 300, "x" * 200 + ".pdf"),
    ],
)
def test_a_documents_file_stays_in_its_folder(number: str, name: str) -> None:
    assert file_name(number) == name

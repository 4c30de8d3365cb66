"""The statement as PDF: its rows and sums are the account's, any text is printed and none is run, and veraPDF passes it."""

import io
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from domain.receivables import WrittenOff
from domain.settling import settle
from domain.statement import statement_of
from producers.paper.glyphs import MISSING
from producers.paper.printer import MISSING_NOTE, Printed, Printer, printer
from producers.paper.statement import NARROWEST, render_statement, shares_of, statement_sheet
from projections.statement import ClientStatement
from tests import evidence
from tests.domain.test_receivables import back, credit_note, day, invoice, paid
from tests.producers import verapdf
from tests.producers.papers import clear, core, parties, said
from tests.producers.test_paper_hostile import NOT_COVERED, _assert_inert, attacked
from tests.web.payloads import PAYLOADS

AS_OF = date(2026, 6, 20)
GIVEN_UP = WrittenOff(number="INV-000001", amount_minor=7_500, written_off_on=day(33))
STORY: dict[str, Any] = {
    "documents": [
        invoice("INV-000001", 187_500, -100, -70), invoice("INV-000002", 50_000, 1, 10), invoice("INV-000003", 120_000, 20, 60),
        credit_note("CN-0001", 2_500, 25, "INV-000002"),
    ],
    "payments": [paid("bank-77", 100_000, 5, "INV-000001"), paid("p2", 5_000, 28)],
    "returns": [back("r1", "p2", 5_000, 30)],
    "write_offs": [GIVEN_UP],
}  # fmt: skip
ABROAD: dict[str, Any] = {"documents": [invoice("INV-000009", 1_000, -3, 4)], "payments": [paid("p9", 2_500, 8)]}


def made(*accounts: tuple[str, dict[str, Any]], since: date | None = None, paid_by: Any = None, **who: Any) -> ClientStatement:
    """A client's statement of some accounts, each a currency and what happened in it."""
    between = parties(**who)
    told = [statement_of(settle(**story, as_of=AS_OF), currency, since, AS_OF) for currency, story in accounts]
    return ClientStatement(
        client_id="acme", client=between.client, catalogue=between.catalogue, since=since, as_of=AS_OF, accounts=tuple(told),
        paid_by={"bank-77": ("bank", "ACME MAY 77"), "p2": ("card", None), **(paid_by or {})},
    )  # fmt: skip


def many(count: int) -> dict[str, Any]:
    return {
        "documents": [invoice(f"INV-{n:06d}", 1_001 * n, n - 500, n - 470) for n in range(1, count + 1)],
        "payments": [paid(f"p{n}", 997 * n, n - 480) for n in range(1, count // 2)],
    }


STATEMENTS: dict[str, ClientStatement] = {
    "usual": made(("GBP", STORY)),
    "two currencies": made(("EUR", ABROAD), ("GBP", STORY), since=date(2026, 5, 1)),
    "one row": made(("GBP", {"documents": [invoice("INV-000001", 100)]})),
    "500 rows": made(("GBP", many(334)), since=date(2020, 1, 1)),
    "nothing": made(),
    "yen": made(("JPY", STORY)),
    "a million": made(("GBP", {"documents": [invoice("INV-000001", 999_999_999_999_99)]})),
}


def printed(name: str) -> str:
    return said(render_statement(STATEMENTS[name], clear))


def test_a_statement_says_what_happened_and_what_is_open() -> None:
    text = printed("usual")
    for one in (
        "Northwind IT", "Acme Corp", "Statement\n", "As of 20 Jun 2026", "From 20 Jan 2026", "Outstanding\nGBP 2,475.00",
        "Of which overdue\n1,275.00", "20 Jan 2026 Balance brought forward 0.00", "20 Jan 2026 Invoice INV-000001",
        "5 May 2026 Payment\nACME MAY 77", "25 May 2026 Credit note CN-0001 25.00 2,550.00",
        "28 May 2026 Payment\nby card", "30 May 2026 Payment returned\nof the payment by card",
        "2 Jun 2026 Written off INV-000001 75.00 2,475.00", "Balance on 20 Jun 2026 GBP 2,475.00",
        "INV-000001 20 Jan 2026 19 Feb 2026 121 days overdue 1,875.00 800.00",
        "INV-000003 20 May 2026 29 Jun 2026 1,200.00 1,200.00",
        "GBP 1,275.00 is overdue: please pay now.", "Example Bank\nsort code 00-00-00",
    ):  # fmt: skip
        assert one in text, one
    assert "Account in" not in text
    assert "Credit not used yet" not in text


@pytest.mark.parametrize("name", [name for name in STATEMENTS if name != "nothing"])
def test_every_row_and_sum_is_the_accounts(name: str) -> None:
    """Each account's closing balance, and each of its rows with its balance, is printed, in order."""
    content = statement_sheet(STATEMENTS[name], clear).content
    text = re.sub(r"\s+", "", printed(name))
    for account, shown in zip(STATEMENTS[name].accounts, content["accounts"], strict=True):
        assert len(shown["rows"]) == len(account.entries)
        at = 0
        for row in shown["rows"]:
            (amount,) = filter(None, (row["charged"], row["paid"]))
            for part in (row["text"], *row["notes"], amount, row["balance"]):
                at = text.find(re.sub(r"\s+", "", part).replace("\u2212", "-"), at)
                assert at >= 0, (row, part)
        closing = "".join(shown["balance"])
        assert re.sub(r"\s+", "", closing).replace("\u2212", "-") in text[at:]


def test_500_rows_have_their_heads_and_numbers_on_every_page() -> None:
    pages = [page.extract_text().replace("\u00a0", " ") for page in PdfReader(_bytes("500 rows")).pages]
    assert len(pages) > 10
    for number, text in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in text
        assert "Date What Charged GBP" in text or "Invoice Issued Due" in text
        assert "Statement of account, Acme Corp, 20 Jun 2026" in text


def _bytes(name: str) -> io.BytesIO:
    return io.BytesIO(render_statement(STATEMENTS[name], clear))


def test_credit_is_said_to_be_in_the_clients_favour() -> None:
    text = printed("two currencies")
    assert "Account in EUR" in text
    assert "Balance on 20 Jun 2026, in your favour EUR -15.00" in text
    assert "Credit not used yet\n15.00" in text


def test_an_empty_statement_asks_for_nothing() -> None:
    text = printed("nothing")
    assert "Nothing was invoiced or paid up to this day." in text
    assert "Nothing is to be paid." in text
    assert "Bank" not in text


def test_bar_is_in_proportion_and_hides_nothing() -> None:
    assert shares_of([0, 0, 0, 0, 0]) == [0] * 5
    assert shares_of([500, 250, 250, 0, 0]) == [500, 250, 250, 0, 0]
    assert shares_of([10**9, 1, 0, 0, 0])[1] == NARROWEST


def test_the_same_statement_gives_the_same_bytes() -> None:
    again = Printer().printed(statement_sheet(STATEMENTS["two currencies"], clear)).pdf
    assert again == render_statement(STATEMENTS["two currencies"], clear)


# ---- hostile texts and letters


def attacked_with(text: str) -> Printed:
    """A statement in which every text is this one."""
    client, provider, _ = attacked(text)
    story = {
        "documents": [invoice(text, 100), credit_note(f"{text}-", 10, 2, text)],
        "payments": [paid(f"{text}+", 20, 3)],
        "returns": [back(f"{text}!", f"{text}+", 5, 4)],
    }
    statement = made(("GBP", story), paid_by={f"{text}+": (text, text)}, client=client, provider=provider)
    return printer().printed(statement_sheet(statement, clear))


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_hostile_text_is_printed_and_not_run(payload: str) -> None:
    found = attacked_with(payload)
    assert found.without == ()
    text, wanted = core(said(found.pdf)), core(payload)
    if len(payload) > 500:
        assert text.count(wanted[:1]) >= 6 * wanted.count(wanted[:1])
    else:
        assert text.count(wanted) >= 6
    _assert_inert(found.pdf)


def test_letters_that_are_missing_are_shown_as_that_and_stop_nothing() -> None:
    found = attacked_with(NOT_COVERED)
    assert found.missing > 50
    assert found.without == ()
    assert MISSING * 3 in said(found.pdf)
    assert MISSING_NOTE in said(found.pdf).replace("\n", " ")


def test_statements_are_pdf_ua_1(tmp_path: Path) -> None:
    verapdf.require()
    made_of = {f"{name}.pdf": render_statement(one, clear) for name, one in STATEMENTS.items()}
    made_of["missing letters.pdf"] = attacked_with(NOT_COVERED).pdf
    for name in ("script", "typst", "reversed", "combining", "beyond the plane", "one long word"):
        made_of[f"hostile {name}.pdf"] = attacked_with(PAYLOADS[name]).pdf
    for name, pdf in made_of.items():
        (tmp_path / name).write_bytes(pdf)
    verdicts = verapdf.judged([tmp_path / name for name in made_of])
    assert verdicts.keys() == made_of.keys()
    assert {name: broken for name, broken in verdicts.items() if broken} == {}
    evidence.saw(f"statement: veraPDF finds {len(verdicts)} of {len(verdicts)} statements to be PDF/UA-1")

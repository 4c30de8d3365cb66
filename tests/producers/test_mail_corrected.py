"""A document that was taken back or given up says so in the PDF that goes with a mail, however the mail came to go out."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ledger.database import Database
from producers.mail.letters import document_letter
from tests.producers.mailroom import mail_room, unasked
from tests.producers.papers import line, said
from tests.producers.post_office import body, pdfs, post_office
from tests.runs.correcting import void, write_off


@pytest.mark.parametrize(
    ("correct", "line"),
    [(void, "Voided by CN-000001. There is nothing to pay."), (write_off, "was written off. There is nothing to pay.")],
)
def test_corrected_document_asks_for_nothing_in_mail_nor_pdf(
    database: Database, tmp_path: Path, correct: Callable[..., Any], line: str
) -> None:
    room = mail_room(database, tmp_path)
    assert room.mailed() == ["new_invoice/INV-000001"]
    correct(room.shop, "INV-000001")
    with post_office() as post:
        assert room.send(post, unasked).sent == 1
        (message,) = post.messages()
        ((_, pdf),) = pdfs(message)
    text = " ".join(said(pdf).split())
    assert line in text
    assert "Please pay" not in text
    assert "There is nothing to pay." in body(message, "plain")
    assert "Please pay" not in body(message, "plain")


def test_a_credit_notes_mail_names_the_invoice_it_corrects_and_keeps_the_reason_to_the_provider() -> None:
    note = {
        "number": "CN-000001", "kind": "credit_note", "currency": "GBP", "total_minor": -9_000, "outstanding_minor": 0,
        "issued_on": date(2026, 5, 31), "due_on": None, "reason": "he shouted",
        "lines": [line(n, corrects={"number": f"INV-{n:06d}", "line_no": 1}) for n in (1, 2, 3, 4, 5, 6, 6)],
    }  # fmt: skip
    letter = document_letter(note, "Northwind IT", [])
    assert ("Corrects", "INV-000001, INV-000002, INV-000003, INV-000004, INV-000005 and 1 more") in letter.facts
    assert "shouted" not in str(letter)
    assert not [name for name, _ in document_letter({**note, "lines": [line(1)]}, "Northwind IT", []).facts if name == "Corrects"]

"""A document that was taken back or given up says so in the PDF that goes with a mail, however the mail came to go out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.database import Database
from tests.producers.mailroom import mail_room, unasked
from tests.producers.papers import said
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

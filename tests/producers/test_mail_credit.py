"""No mail asks for what the client's own credit, or a payment, covers: neither its words nor the PDF that goes with it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger.database import Database
from runs import remind
from tests.producers.mailroom import MailRoom, mail_room
from tests.producers.papers import said as text_of
from tests.producers.post_office import PostOffice, body, pdfs, post_office
from tests.saying import Row, approved, said

JULY = date(2026, 7, 1)


@pytest.fixture
def room(database: Database, tmp_path: Path) -> MailRoom:
    return mail_room(database, tmp_path)


@pytest.fixture
def post() -> Iterator[PostOffice]:
    with post_office() as office:
        yield office


def paid(payment_id: str, amount_minor: int, *numbers: str, at: datetime = datetime(2026, 5, 20, tzinfo=UTC), **more: Any) -> Row:
    """Money of acme; without numbers it is credit until somebody uses it."""
    fields = {
        "payment_id": payment_id, "amount_minor": amount_minor, "currency": "GBP", "received_at": at, "method": "bank",
        "invoice_numbers": list(numbers), **more,
    }  # fmt: skip
    return said("PaymentReceived", client_id="acme", at=at, **fields)


def reminded(room: MailRoom, **policy: Any) -> list[tuple[str, int]]:
    """A day after the due date: what is claimed, and how much it asks for."""
    given = {"client_id": "*", "new_invoice": False, "due_offsets_days": [1], "minimum_balance_minor": 0, **policy}
    room.shop.tell(said("ReminderPolicySet", **given))
    room.shop.open(JULY)
    room.clock.at = datetime(2026, 7, 1, 9, tzinfo=UTC)
    claimed = remind.claim(room.views, JULY, room.clock(), host="daybook.test").claimed
    return [(one.notice_id, one.balance_minor) for one in claimed]


def words(post: PostOffice) -> str:
    """The one mail's plain text on one line."""
    (message,) = post.messages()
    return " ".join(body(message, "plain").split())


def paper(post: PostOffice) -> str:
    """The one PDF beside the one mail, on one line."""
    (message,) = post.messages()
    ((_, pdf),) = pdfs(message)
    return " ".join(text_of(pdf).split())


def with_bank(room: MailRoom) -> None:
    """Where money is to go is printed on what asks for any."""
    room.shop.tell(said("ProviderDefined", revision=2, bank="Example Bank 00-00-00"))


def test_reminder_asks_for_what_credit_leaves_and_says_both(room: MailRoom, post: PostOffice) -> None:
    room.client("acme")
    room.shop.tell(paid("p1", 10000))
    room.invoice()
    assert reminded(room) == [("due/INV-000001/+1/2026-06-30", 8000)]
    room.send(post)
    text = words(post)
    assert "GBP 180.00 of invoice INV-000001 is open, of which your credit covers GBP 100.00." in text
    assert "GBP 80.00 is still to be paid." in text
    assert "Outstanding: GBP 180.00 Your credit covers: GBP 100.00" in text
    assert "Invoice INV-000001: GBP 80.00, issued" in text


def test_credit_covers_the_oldest_due_first_across_reminders(room: MailRoom, post: PostOffice) -> None:
    room.client("acme", payment_terms_days=30)
    room.shop.tell(paid("p1", 30000))
    room.invoice(date(2026, 5, 30))
    room.shop.tell(approved("e2", client_id="acme", worked_on="2026-05-31"))
    room.invoice()
    assert reminded(room) == [("due/INV-000002/+1/2026-06-30", 6000)], "nothing of the first is left to pay"
    room.send(post)
    assert "GBP 60.00 is still to be paid." in words(post)


def test_new_invoice_asks_for_what_credit_leaves(room: MailRoom, post: PostOffice) -> None:
    room.client("acme")
    room.shop.tell(paid("p1", 10000))
    room.invoice()
    room.claim()
    room.send(post)
    assert "Please pay GBP 80.00 by 30 Jun 2026." in words(post)
    assert "Total: GBP 180.00 Outstanding: GBP 180.00 Your credit covers: GBP 100.00 Still to be paid: GBP 80.00" in words(post)


# ---- the PDF beside it


@pytest.mark.parametrize("use_credit", [True, False])
def test_invoice_that_credit_covers_goes_out_with_a_pdf_that_asks_for_nothing(
    room: MailRoom, post: PostOffice, use_credit: bool
) -> None:
    with_bank(room)
    room.client("acme", use_credit=use_credit)
    room.shop.tell(paid("p1", 18000))
    room.invoice()
    room.claim()
    room.send(post)
    text = paper(post)
    assert "Total GBP 180.00" in text, "its figures are those of its issue"
    owed = "GBP 0.00" if use_credit else "GBP 180.00"
    assert f"Outstanding on 1 Jun 2026: {owed} of GBP 180.00." in text
    assert ("Your credit covers GBP 180.00 of it." in text) is not use_credit
    assert "There is nothing to pay." in text
    assert "Please pay" not in text
    assert "Example Bank" not in text
    assert "There is nothing to pay." in words(post)


def test_invoice_paid_before_its_mail_goes_out_with_a_pdf_that_asks_for_nothing(room: MailRoom, post: PostOffice) -> None:
    with_bank(room)
    room.client("acme")
    room.invoice()
    room.claim()
    room.shop.tell(paid("p1", 18000, "INV-000001", at=datetime(2026, 5, 31, tzinfo=UTC)))
    room.send(post)
    text = paper(post)
    assert "Outstanding on 1 Jun 2026: GBP 0.00 of GBP 180.00. There is nothing to pay." in text
    assert "Please pay" not in text
    assert "Example Bank" not in text


def test_reminder_of_a_part_goes_out_with_a_pdf_that_asks_for_that_part(room: MailRoom, post: PostOffice) -> None:
    with_bank(room)
    room.client("acme")
    room.invoice()
    room.shop.tell(paid("p1", 8000, "INV-000001", at=datetime(2026, 6, 20, tzinfo=UTC)))
    assert reminded(room) == [("due/INV-000001/+1/2026-06-30", 10000)]
    room.send(post)
    text = paper(post)
    assert "Total GBP 180.00" in text
    assert "Outstanding on 1 Jul 2026: GBP 100.00 of GBP 180.00. Please pay GBP 100.00 by 30 Jun 2026." in text
    assert "Example Bank" in text


def test_invoice_of_which_nothing_is_paid_goes_out_as_it_was_issued(room: MailRoom, post: PostOffice) -> None:
    room.mailed()
    room.send(post)
    assert "Please pay GBP 180.00 by 30 Jun 2026." in paper(post)
    assert "Outstanding" not in paper(post)

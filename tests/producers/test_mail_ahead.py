"""Notices are read about a page ahead: what comes after that still keeps a mail back, or changes what it says."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from ledger.database import Database
from tests.producers.mailroom import MailRoom, mail_room
from tests.producers.post_office import PostOffice, body, post_office
from tests.saying import said


@pytest.fixture
def room(database: Database, tmp_path: Path) -> MailRoom:
    """Two reminders are claimed, which are read about at once: of acme, and of zeta behind it."""
    room = mail_room(database, tmp_path)
    room.client("acme")
    room.client("zeta")
    room.invoice()
    room.shop.tell(said("ReminderPolicySet", client_id="*", new_invoice=False, due_offsets_days=[7], minimum_balance_minor=0))
    room.clock.at = room.clock.at.replace(month=7, day=8)
    assert len(room.claim(date(2026, 7, 7))) == 2
    return room


@pytest.fixture
def post() -> Iterator[PostOffice]:
    with post_office() as office:
        yield office


def during(room: MailRoom, address: str, then: Callable[[], None]) -> Callable[[str], str]:
    """Does something while the server is asked whether it takes an address: the page was read, DATA was not said."""

    def rcpt(to: str) -> str:
        if to == address:
            then()
        return "250 OK"

    return rcpt


def pays(room: MailRoom, minor: int) -> Callable[[], None]:
    """Zeta pays; it is in the book, and in no view yet."""
    return lambda: room.shop.tell(
        said(
            "PaymentReceived", client_id="zeta", payment_id="p1", amount_minor=minor, currency="GBP", method="bank",
            at=room.clock.at, received_at=room.clock.at.isoformat().replace("+00:00", "Z"), invoice_numbers=[],
        )
    )  # fmt: skip


@pytest.mark.parametrize("at", ["acme@mail.example", "zeta@mail.example"])
def test_payment_after_the_page_was_read_keeps_the_reminder_back(room: MailRoom, post: PostOffice, at: str) -> None:
    """While the mail before it is on its way, and in its own conversation right before DATA."""
    post.rules.rcpt = during(room, at, pays(room, 18_000))
    counts = room.send(post)
    assert (counts.sent, counts.withdrawn) == (1, 1)
    assert [envelope for envelope, _ in post.taken] == [("acme@mail.example",)]
    assert [(one.client_id, one.state, one.reason) for one in room.notices()] == [
        ("acme", "sent", None),
        ("zeta", "withdrawn", "paid"),
    ]


def test_part_paid_after_the_page_was_read_is_what_the_reminder_says(room: MailRoom, post: PostOffice) -> None:
    post.rules.rcpt = during(room, "acme@mail.example", pays(room, 10_000))
    assert room.send(post).sent == 2
    (_, zeta) = post.messages()
    assert "GBP 80.00 is still to be paid." in body(zeta, "plain")


@pytest.mark.parametrize("at", ["zeta@mail.example"])
def test_client_forgotten_right_before_data_gets_nothing(room: MailRoom, post: PostOffice, at: str) -> None:
    """Keys are not in the book: they are asked for too."""
    post.rules.rcpt = during(room, at, lambda: room.shop.app.book.keyring.forget("zeta") and None)
    counts = room.send(post)
    assert (counts.sent, counts.withdrawn) == (1, 1)
    assert [one.reason for one in room.notices()] == [None, "no_address"]

"""Notices are read about a page ahead: what comes after that still keeps a mail back, or changes what it says."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from ledger.database import Database
from producers.mail.sending import MOST_MAKINGS
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
    """Does something, once, while the server is asked whether it takes an address: the page was read, DATA was not said."""
    left = [then]

    def rcpt(to: str) -> str:
        if to == address and left:
            left.pop()()
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


def moves(room: MailRoom, to: str) -> Callable[[], None]:
    """Zeta's bills go elsewhere from now on; it is in the book, and in no view yet."""
    return lambda: room.shop.tell(said("ClientDefined", client_id="zeta", name="Zeta", billing_emails=[to], revision=2))


def test_address_that_changes_right_before_data_gets_nothing_and_the_new_one_does(room: MailRoom, post: PostOffice) -> None:
    """While the server is asked whether it takes the old one: the message stays here, and is made anew."""
    post.rules.rcpt = during(room, "zeta@mail.example", moves(room, "new@zeta.example"))
    assert room.send(post).sent == 2
    assert [envelope for envelope, _ in post.taken] == [("acme@mail.example",), ("new@zeta.example",)]
    assert post.messages()[-1]["To"] == "new@zeta.example"
    zeta = room.notices()[-1]
    assert [room.shop.app.book.keyring.decrypt(one) for one in zeta.to] == ["new@zeta.example"]
    assert (zeta.state, zeta.tries) == ("sent", 1)


def test_part_paid_right_before_data_is_what_the_reminder_says(room: MailRoom, post: PostOffice) -> None:
    post.rules.rcpt = during(room, "zeta@mail.example", pays(room, 10_000))
    assert room.send(post).sent == 2
    assert "GBP 80.00 is still to be paid." in body(post.messages()[-1], "plain")


def test_client_of_whom_more_keeps_coming_in_is_put_off_and_stops_nobody_else(room: MailRoom, post: PostOffice) -> None:
    numbers = iter(range(2, 100))

    def moves_again() -> None:
        n = next(numbers)
        emails = [f"zeta{n}@mail.example"]
        room.shop.tell(said("ClientDefined", client_id="zeta", name="Zeta", billing_emails=emails, revision=n))

    def rcpt(to: str) -> str:
        if to.startswith("zeta"):
            moves_again()
        return "250 OK"

    post.rules.rcpt = rcpt
    counts = room.send(post)
    assert (counts.sent, counts.put_off, next(numbers)) == (1, 1, 2 + MOST_MAKINGS)
    assert [envelope for envelope, _ in post.taken] == [("acme@mail.example",)]
    post.rules.rcpt = lambda _to: "250 OK"
    room.clock.on(minutes=1)
    assert room.send(post).sent == 1
    assert post.taken[-1][0] == ("zeta4@mail.example",)


def test_payment_of_nobody_known_right_before_data_keeps_the_reminder_back(room: MailRoom, post: PostOffice) -> None:
    """It is no fact of zeta's, and names zeta's invoice."""
    zeta = room.notices()[-1]
    fields = {"payment_id": "p1", "amount_minor": 18_000, "currency": "GBP", "method": "bank", "at": room.clock.at,
              "received_at": room.clock.at, "invoice_numbers": list(zeta.numbers)}  # fmt: skip
    pay = said("PaymentReceived", client_id="?", **fields)
    post.rules.rcpt = during(room, "zeta@mail.example", lambda: room.shop.tell(pay))
    assert room.send(post).withdrawn == 1
    assert [(one.state, one.reason) for one in room.notices()] == [("sent", None), ("withdrawn", "payment_pending")]


def test_claim_stands_in_the_book_before_its_mail_and_the_result_only_after_it(room: MailRoom, post: PostOffice) -> None:
    """Asked while the server has the message and has not answered: who dies now leaves a notice that is still due."""
    seen: list[tuple[int, int]] = []

    def look(_message: str) -> None:
        topics = [one.topic for one in room.shop.app.book.read(0, 1_000)]
        seen.append((topics.count("notice.claimed.v1"), topics.count("notice.sent.v1")))

    post.rules.before_storing = look
    assert room.send(post).sent == 2
    assert seen == [(2, 0), (2, 1)]


@pytest.mark.parametrize("at", ["zeta@mail.example"])
def test_client_forgotten_right_before_data_gets_nothing(room: MailRoom, post: PostOffice, at: str) -> None:
    """Keys are not in the book: they are asked for too."""
    post.rules.rcpt = during(room, at, lambda: room.shop.app.book.keyring.forget("zeta") and None)
    counts = room.send(post)
    assert (counts.sent, counts.withdrawn) == (1, 1)
    assert [one.reason for one in room.notices()] == [None, "no_address"]

"""What an attacker found in reminders, each mended: outages, late mails, pauses, replaced addresses, slow servers."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daybook import doctor, reminding
from daybook.heartbeat import Heartbeat
from daybook.worker import REMINDERS
from domain.ids import event_id, stream_id
from domain.notices import NoticeFailed
from ledger.book import NewEvent
from ledger.database import Database
from ledger.event_codec import decode, encode
from producers.mail.transport import Smtp
from projections import decisions
from tests.broker import free_port
from tests.producers.mailroom import MailRoom, mail_room
from tests.producers.papers import said as text_of
from tests.producers.post_office import PostOffice, body, pdfs, post_office
from tests.runs.shop import MAY
from tests.saying import Row, said

DUE = date(2026, 6, 30)


@pytest.fixture
def room(database: Database, tmp_path: Path) -> MailRoom:
    """A provider with an invoice of 180.00 GBP to acme, due on 30 June 2026."""
    found = mail_room(database, tmp_path)
    found.client()
    found.invoice()
    return found


@pytest.fixture
def post() -> Iterator[PostOffice]:
    with post_office() as office:
        yield office


def rules(**given: Any) -> Row:
    return said("ReminderPolicySet", **{"client_id": "*", "new_invoice": False, **given})


def paid(room: MailRoom, amount: int = 18_000, client_id: str = "acme", payment_id: str = "p1", **given: Any) -> Row:
    at = room.clock.at
    fields = {"payment_id": payment_id, "amount_minor": amount, "currency": "GBP", "received_at": at, "method": "bank",
              "invoice_numbers": [], **given}  # fmt: skip
    return said("PaymentReceived", client_id=client_id, at=at, **fields)


def claim(room: MailRoom, day: date) -> list[str]:
    """What is claimed on a day, at nine."""
    room.clock.at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
    return room.claim(day)


def text(post: PostOffice, at: int = -1) -> str:
    return body(post.messages()[at], "plain")


def reasons(room: MailRoom) -> dict[str, tuple[str, str | None]]:
    return {one.notice_id: (one.state, one.reason) for one in room.notices()}


def test_outage_of_the_mail_server_is_caught_up_by_one_reminder_and_one_statement(room: MailRoom, post: PostOffice) -> None:
    room.shop.tell(rules(due_offsets_days=[-7, 1, 7, 14], statement={"day_of_month": None, "weekday": 1}))
    away = Smtp(f"smtp://127.0.0.1:{free_port()}", timeout_s=2)
    claimed = [one for n in range(31) for one in claim(room, date(2026, 6, 20) + timedelta(days=n))]
    assert room.send(away).unreachable
    assert len([one for one in claimed if one.startswith("due/")]) == 4
    counts = room.send(post)
    assert (counts.sent, counts.withdrawn) == (2, len(claimed) - 2)
    gone = {one: why for one, (state, why) in reasons(room).items() if state == "withdrawn"}
    assert set(gone.values()) == {"overtaken"}
    assert sorted(one.notice_id for one in room.notices() if one.state == "sent") == [
        "due/INV-000001/+14/2026-06-30", "statement/GBP/2026-07-20",
    ]  # fmt: skip


def test_reminder_before_the_due_date_does_not_go_out_after_it(room: MailRoom, post: PostOffice) -> None:
    room.shop.tell(rules(due_offsets_days=[-7]))
    claim(room, DUE - timedelta(days=7))
    room.clock.at = datetime(2026, 7, 2, 9, tzinfo=UTC)
    assert room.send(post).withdrawn == 1
    assert reasons(room) == {"due/INV-000001/-7/2026-06-30": ("withdrawn", "overtaken")}


def test_statement_is_of_the_day_it_is_sent(room: MailRoom, post: PostOffice) -> None:
    room.shop.tell(rules(statement={"day_of_month": 31, "weekday": None}))
    assert claim(room, date(2026, 7, 31)) == ["statement/GBP/2026-07-31"]
    room.clock.at = datetime(2026, 8, 3, 9, tzinfo=UTC)
    room.shop.tell(paid(room))
    room.clock.at = datetime(2026, 8, 5, 9, tzinfo=UTC)
    assert room.send(post).sent == 1
    assert "as of 5 Aug 2026" in text(post)
    assert "There is nothing to pay." in text(post)
    assert "please pay" not in text(post)


def test_statement_asks_for_nothing_that_credit_covers(database: Database, tmp_path: Path, post: PostOffice) -> None:
    room = mail_room(database, tmp_path, datetime(2026, 5, 1, 9, tzinfo=UTC))
    room.client()
    room.invoice()
    room.shop.tell(paid(room, 50_000, invoice_numbers=["NONE-SUCH"]))
    room.shop.tell(rules(statement={"day_of_month": 31, "weekday": None}, due_offsets_days=[7]))
    assert claim(room, date(2026, 7, 31)) == ["statement/GBP/2026-07-31"]
    assert room.send(post).sent == 1
    (printed,) = (text_of(pdf) for _, pdf in pdfs(post.messages()[0]))
    for found in (text(post), printed):
        assert "please pay" not in found
        assert "Your credit of GBP 500.00 covers it: there is nothing to pay." in " ".join(found.replace("\xa0", " ").split())
        assert "in your favour" in found


def test_statement_asks_for_what_a_smaller_credit_leaves(room: MailRoom, post: PostOffice) -> None:
    room.shop.tell(paid(room, 5_000, invoice_numbers=["NONE-SUCH"]))
    room.shop.tell(rules(statement={"day_of_month": 31, "weekday": None}))
    claim(room, date(2026, 7, 31))
    assert room.send(post).sent == 1
    assert "Balance: GBP 130.00" in text(post)


def test_mail_goes_to_the_address_of_now_and_the_record_says_which(room: MailRoom, post: PostOffice) -> None:
    room.shop.tell(rules(due_offsets_days=[0]))
    claim(room, DUE)
    room.shop.tell(said("ClientDefined", client_id="acme", name="Acme", billing_emails=["right@acme.example"], revision=2))
    assert room.send(post).sent == 1
    assert post.messages()[0]["To"] == "right@acme.example"
    (notice,) = room.notices()
    assert [room.shop.app.book.keyring.decrypt(one) for one in notice.to] == ["right@acme.example"]


def test_client_without_any_address_by_now_gets_no_mail_until_it_has_one(room: MailRoom, post: PostOffice) -> None:
    room.shop.tell(rules(due_offsets_days=[0]))
    claim(room, DUE)
    room.shop.tell(said("ClientDefined", client_id="acme", name="Acme", billing_emails=[], revision=2))
    room.send(post)
    assert reasons(room) == {"due/INV-000001/+0/2026-06-30": ("withdrawn", "no_address")}
    assert post.messages() == []
    room.shop.tell(said("ClientDefined", client_id="acme", name="Acme", billing_emails=["right@acme.example"], revision=3))
    assert claim(room, DUE + timedelta(days=1)) == ["due/INV-000001/+0/2026-06-30"]
    assert room.send(post).sent == 1


def test_paused_reminder_is_claimed_again_under_the_same_message_id_and_sent_once(room: MailRoom, post: PostOffice) -> None:
    room.shop.tell(rules(due_offsets_days=[1]))
    claim(room, DUE + timedelta(days=1))
    (first,) = room.notices()
    for revision in (2, 4):
        room.shop.tell(rules(due_offsets_days=[1], opted_out=True, revision=revision))
        assert room.send(post).withdrawn == 1
        assert claim(room, DUE + timedelta(days=revision)) == []
        room.shop.tell(rules(due_offsets_days=[1], opted_out=False, revision=revision + 1))
        assert claim(room, DUE + timedelta(days=revision)) == [first.notice_id]
    assert [room.send(post).sent, room.claim(DUE + timedelta(days=9)), room.send(post).sent] == [1, [], 0]
    (notice,) = room.notices()
    assert (notice.state, notice.message_id) == ("sent", first.message_id)
    room.shop.assert_sound()  # a rebuild comes to the same rows


def test_policy_that_does_not_ask_any_more_takes_its_notices_back(room: MailRoom, post: PostOffice) -> None:
    room.shop.tell(rules(new_invoice=True, due_offsets_days=[0], statement={"day_of_month": 30, "weekday": None}))
    claimed = claim(room, date(2026, 6, 5)) + claim(room, DUE)
    assert len({one.split("/")[0] for one in claimed}) == 3
    room.shop.tell(rules(new_invoice=False, due_offsets_days=[], statement={"day_of_month": None, "weekday": None}, revision=2))
    room.send(post)
    by_word = {one: why for one, (_, why) in reasons(room).items()}
    assert by_word == dict.fromkeys(
        ["due/INV-000001/+0/2026-06-30", "new_invoice/INV-000001", "statement/GBP/2026-06-30"], "policy_changed"
    )


def test_mail_that_failed_for_its_address_is_claimed_again_with_another(database: Database, tmp_path: Path) -> None:
    room = mail_room(database, tmp_path)
    room.client("acme", "nobody at all")
    room.invoice()
    with post_office() as post:
        assert len(room.claim()) == 1
        assert room.send(post).failed == 1
        assert room.claim() == []
        room.shop.tell(said("ClientDefined", client_id="acme", name="Acme", billing_emails=["gone@acme.example"], revision=2))
        assert len(room.claim()) == 1
        post.rules.rcpt = lambda _to: "550 no such user"
        assert room.send(post).failed == 1
        room.shop.tell(said("ClientDefined", client_id="acme", name="Acme", billing_emails=["right@acme.example"], revision=3))
        assert len(room.claim()) == 1
        post.rules.rcpt = lambda _to: "250 OK"
        assert room.send(post).sent == 1
        assert room.claim() == []


@pytest.mark.parametrize(
    "emails", [["gone@acme.example", "no address at all"], ["gone@m\u00fcnchen.example"], [" gone@acme.example "]]
)
def test_mail_that_failed_for_its_address_waits_for_another_however_it_was_said(
    database: Database, tmp_path: Path, post: PostOffice, emails: list[str]
) -> None:
    """Said beside something that is none, in letters that DNS does not have, with blanks: it is the same address all the time."""
    room = mail_room(database, tmp_path)
    room.client("acme", *emails)
    room.invoice()
    post.rules.rcpt = lambda _to: "550 no such user"
    assert len(room.claim()) == 1
    assert room.send(post).failed == 1
    assert [room.claim() for _ in range(3)] == [[]] * 3, "nobody is tried again and again"
    room.shop.tell(said("ClientDefined", client_id="acme", name="Acme", billing_emails=["right@acme.example"], revision=2))
    assert len(room.claim()) == 1


@pytest.mark.parametrize(
    ("answers", "for_address"),
    [({"rcpt": "550 no such user"}, True), ({"mail": "552 too big"}, False), ({"before_storing": "554 spam"}, False)],
)
def test_failure_says_whether_it_was_for_its_address_in_a_field_of_its_own(
    room: MailRoom, post: PostOffice, answers: dict[str, str], for_address: bool
) -> None:
    for rule, answer in answers.items():
        setattr(post.rules, rule, lambda _, answer=answer: answer)
    room.claim()
    assert room.send(post).failed == 1
    (failed,) = [decode(e.topic, e.state) for e in room.shop.app.book.read(0, 1_000) if e.topic == NoticeFailed.TOPIC]
    assert (failed.permanent, failed.for_address) == (True, for_address)
    room.shop.tell(said("ClientDefined", client_id="acme", name="Acme", billing_emails=["other@acme.example"], revision=2))
    assert bool(room.claim()) == for_address


@pytest.mark.parametrize(
    ("for_address", "reason", "again"),
    [
        (None, "the server refused every address: 550 no such user", True),
        (None, "the server refused an address: 451 greylisted", True),
        (None, "no e-mail address: nobody", True),
        (None, "the server refused the message: 554 spam", False),
        (True, "words may change", True),
        (False, "the server refused every address: 550 no such user", False),
    ],
)
def test_failure_recorded_without_the_field_is_read_by_its_words(
    room: MailRoom, for_address: bool | None, reason: str, again: bool
) -> None:
    """Records of before have no field: their bytes are read as they stand."""
    room.claim()
    (notice,) = room.notices()
    seal = room.shop.app.book.keyring.encrypt
    stream = stream_id("notice", notice.client_id, notice.notice_id)
    id_ = event_id(stream, 2)
    event = NoticeFailed(
        event_id=str(id_), occurred_at=room.clock.at, client_id="acme", notice_id=notice.notice_id, tries=1, permanent=True,
        reason=seal("acme", reason), to=(seal("acme", "acme@mail.example"),), for_address=for_address,
    )  # fmt: skip
    state = json.loads(encode(event))
    if for_address is None:
        del state["for_address"]
    new = NewEvent(stream, 2, event.TOPIC, json.dumps(state).encode(), "acme", id_)
    with room.shop.app.database.connection() as connection:
        connection.execute("SET LOCAL search_path = books")
        book = room.shop.app.book
        book.append([new], conn=connection, also=lambda cursor, first, _: decisions.apply(cursor, [(first, event)]))
    assert room.claim() == [], "its address is the same"
    room.shop.tell(said("ClientDefined", client_id="acme", name="Acme", billing_emails=["other@acme.example"], revision=2))
    assert bool(room.claim()) == again


def test_days_to_come_can_only_be_looked_at(room: MailRoom) -> None:
    room.shop.tell(rules(due_offsets_days=[0]))
    refused = room.shop.command("remind", "--as-of", str(DUE))
    assert (refused.returncode, room.notices()) == (1, [])
    assert "--dry-run" in refused.stderr
    assert room.shop.command("remind", "--as-of", str(DUE), "--dry-run").returncode == 0


@pytest.mark.parametrize("command", ["void", "write-off"])
def test_new_invoice_that_was_taken_back_is_not_sent(room: MailRoom, post: PostOffice, command: str) -> None:
    room.claim(MAY)
    done = room.shop.command(command, "INV-000001", "--reason", "oops")
    assert done.returncode == 0, done.stderr
    room.views.catch_up()
    room.send(post)
    assert reasons(room)["new_invoice/INV-000001"] == ("withdrawn", "voided")


def test_new_invoice_that_is_sent_late_says_that_it_was_due(room: MailRoom, post: PostOffice) -> None:
    room.claim(MAY)
    room.clock.at = datetime(2026, 7, 15, 9, tzinfo=UTC)
    assert room.send(post).sent == 1
    assert "It was due on 30 Jun 2026" in text(post)
    assert "Please pay" not in text(post)


def test_slow_mail_server_is_waited_for_with_signs_of_life(room: MailRoom) -> None:
    with socket.socket() as silent, pytest.MonkeyPatch.context() as patch:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        patch.setattr(reminding, "SLOW_AFTER_S", 0.5)
        patch.setattr(reminding, "TICK_EVERY_S", 0.2)
        room.claim(MAY)
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        pulse = Heartbeat(room.shop.app, "worker", [REMINDERS]).pulses[REMINDERS]
        began = pulse.at
        with reminding.Sending(pulse, 0.2):
            assert room.send(Smtp(url, timeout_s=2)).unreachable
        assert pulse.at - began > 1
        assert pulse.problem.startswith("mail server: waiting for it for ")


def test_mail_server_that_fails_is_a_warning_of_the_doctor_and_not_unready(room: MailRoom) -> None:
    room.claim(MAY)
    given = {"smtp_url": f"smtp://127.0.0.1:{free_port()}", "kafka": "nowhere:1"}
    app = type(room.shop.app)(
        room.shop.app.settings.model_copy(update=given), room.shop.app.database, room.shop.app.book, room.shop.app.views
    )
    stop, heart = threading.Event(), Heartbeat(app, "worker", [REMINDERS])
    with heart:
        running = threading.Thread(target=reminding.run, args=(app, stop, heart.pulses[REMINDERS]), daemon=True)
        running.start()
        deadline = time.monotonic() + 30
        while (mail := doctor.MORE["mail"](app)).ok and time.monotonic() < deadline:
            time.sleep(0.2)
        part = next(one for one in doctor.ready(app) if one.check == "worker reminders")
        stop.set()
        running.join(timeout=30)
    assert not mail.ok
    assert "DAYBOOK_SMTP_URL" in mail.what_to_do
    assert part.ok, part

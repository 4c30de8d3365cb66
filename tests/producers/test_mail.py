"""Mails reach a real server: what is in them, what becomes of them when it misbehaves, and that a rebuild sends nothing."""

import re
import socket
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from domain.notices import NoticeSent
from ledger.database import Database
from ledger.event_codec import decode
from producers.mail.transport import Mail, Outbox, Sent, Smtp, Unreachable
from tests.broker import free_port
from tests.daybook.test_canaries import everything
from tests.producers.mailroom import SENDER, MailRoom, mail_room, unasked
from tests.producers.papers import said as text_of
from tests.producers.post_office import DROP, OK, PostOffice, body, certificate, let_in, pdfs, post_office
from tests.saying import said

RUNS_OUT = "451 4.7.1 greylisted, come back"


@pytest.fixture
def room(database: Database, tmp_path: Path) -> MailRoom:
    return mail_room(database, tmp_path)


@pytest.fixture
def post() -> Iterator[PostOffice]:
    with post_office() as office:
        yield office


# ---- what is in them


def test_new_invoice_goes_out_once_with_its_pdf(room: MailRoom, post: PostOffice) -> None:
    assert room.mailed() == ["new_invoice/INV-000001"]
    counts = room.send(post)
    assert (counts.sent, counts.handled, counts.unreachable) == (1, 1, None)
    ((envelope, _),) = post.taken
    (message,) = post.messages()
    assert envelope == ("acme@mail.example",)
    assert (str(message["From"]), str(message["To"])) == (f"Northwind IT <{SENDER}>", "acme@mail.example")
    assert str(message["Subject"]) == "Invoice INV-000001 from Northwind IT"
    assert re.fullmatch(r"<[0-9a-f-]{36}@daybook\.test>", str(message["Message-ID"]))
    for kind in ("plain", "html"):
        for one in ("Your invoice of GBP 180.00 is attached.", "Please pay GBP 180.00 by 30 Jun 2026."):
            assert one in body(message, kind)
    ((name, pdf),) = pdfs(message)
    assert name == "INV-000001.pdf"
    assert "Total GBP 180.00" in text_of(pdf)
    assert "Northwind IT" in text_of(pdf)
    assert room.states() == [("sent", 1)]
    assert room.send(post).handled == 0
    assert len(post.taken) == 1


def test_reminder_says_the_days_of_the_clients_own_day(room: MailRoom, post: PostOffice) -> None:
    """At 23:30 UTC on 7 July it is 8 July in Auckland: 8 days after 30 June."""
    room.client("acme", time_zone="Pacific/Auckland")
    room.invoice()
    room.shop.tell(said("ReminderPolicySet", client_id="*", new_invoice=False, due_offsets_days=[7], minimum_balance_minor=0))
    room.clock.at = room.clock.at.replace(month=7, day=7, hour=23, minute=30)
    assert room.claim(date(2026, 7, 7)) == ["due/INV-000001/+7/2026-06-30"]
    room.send(post)
    (message,) = post.messages()
    assert str(message["Subject"]) == "Reminder: Invoice INV-000001 from Northwind IT is overdue"
    for kind in ("plain", "html"):
        assert "Invoice INV-000001 was due on 30 Jun 2026 and is 8 days overdue." in body(message, kind)
        assert "GBP 180.00 is still to be paid." in body(message, kind)
    assert [name for name, _ in pdfs(message)] == ["INV-000001.pdf"]


def test_statement_goes_with_its_pdf(room: MailRoom, post: PostOffice) -> None:
    room.client()
    room.invoice()
    room.shop.tell(said("ReminderPolicySet", client_id="acme", new_invoice=False, statement={"day_of_month": 1, "weekday": None}))
    assert room.claim(date(2026, 6, 1)) == ["statement/GBP/2026-06-01"]
    room.send(post)
    (message,) = post.messages()
    assert str(message["Subject"]) == "Statement of account as of 1 Jun 2026 from Northwind IT"
    assert "Outstanding: GBP 180.00" in body(message, "plain")
    ((name, pdf),) = pdfs(message)
    assert name == "Statement-2026-06-01.pdf"
    assert "Balance on 1 Jun 2026 GBP 180.00" in text_of(pdf)


def test_nothing_is_sent_that_was_paid_meanwhile(room: MailRoom, post: PostOffice) -> None:
    room.client()
    room.invoice()
    room.shop.tell(said("ReminderPolicySet", client_id="*", new_invoice=False, due_offsets_days=[7], minimum_balance_minor=0))
    room.clock.at = room.clock.at.replace(month=7, day=8)
    room.claim(date(2026, 7, 7))
    room.shop.tell(
        said(
            "PaymentReceived", client_id="acme", payment_id="p1", amount_minor=18_000, currency="GBP", method="bank",
            at=room.clock.at, received_at=room.clock.at.isoformat().replace("+00:00", "Z"), invoice_numbers=[],
        )
    )  # fmt: skip
    counts = room.send(post)
    assert (counts.withdrawn, counts.sent) == (1, 0)
    assert (post.taken, post.attempts) == ([], 1), "the server was asked before the message was sent, and told no more"
    assert [(one.state, one.reason) for one in room.notices()] == [("withdrawn", "paid")]
    assert room.send(post).handled == 0


# ---- a server that misbehaves


def test_greylisting_is_waited_out_under_the_same_message_id(room: MailRoom, post: PostOffice) -> None:
    seen: set[str] = set()

    def greylist(to: str) -> str:
        known = to in seen
        seen.add(to)
        return "250 OK" if known else RUNS_OUT

    post.rules.rcpt = greylist
    room.mailed()
    (before,) = room.notices()
    assert room.send(post).put_off == 1
    assert room.states() == [("failed", 1)]
    assert RUNS_OUT in room.reason()
    room.clock.on(seconds=59)
    assert room.send(post).handled == 0
    room.clock.on(seconds=1)
    assert room.send(post).sent == 1
    assert room.states() == [("sent", 2)]
    assert post.ids() == {before.message_id: 1}


def test_bounce_is_final_and_stops_nobody_else(room: MailRoom, post: PostOffice) -> None:
    post.rules.rcpt = lambda to: "550 5.1.1 no such mailbox" if to.startswith("bad") else "250 OK"
    room.mailed("acme", "bad", "zeta")
    counts = room.send(post)
    assert (counts.sent, counts.failed) == (2, 1)
    failed = next(one for one in room.notices() if one.client_id == "bad")
    assert (failed.state, failed.permanent) == ("failed", True)
    assert "550 5.1.1 no such mailbox" in (room.shop.app.book.keyring.decrypt(failed.reason or "") or "")
    room.clock.on(days=30)
    assert room.send(post).handled == 0
    assert {to for (to,), _ in post.taken} == {"acme@mail.example", "zeta@mail.example"}


def test_of_several_addresses_one_that_bounces_keeps_none_from_the_others(room: MailRoom, post: PostOffice) -> None:
    post.rules.rcpt = lambda to: "550 gone" if to.startswith("left") else "250 OK"
    room.client("acme", "left@mail.example", "here@mail.example", "no address", "there@mail.example")
    room.invoice()
    room.claim()
    assert room.send(post).sent == 1
    assert [envelope for envelope, _ in post.taken] == [("here@mail.example", "there@mail.example")]


@pytest.mark.parametrize("stored", [True, False])
def test_link_lost_after_data_is_unknown_and_sent_again_under_the_same_id(room: MailRoom, post: PostOffice, stored: bool) -> None:
    first = iter([DROP])
    if stored:
        post.rules.after_storing = lambda _: next(first, OK)
    else:
        post.rules.before_storing = lambda _: next(first, None)
    room.mailed()
    (before,) = room.notices()
    assert room.send(post).unknown == 1
    assert room.states() == [("unknown", 1)]
    room.clock.on(minutes=59)
    assert room.send(post).handled == 0, "a further try may be a further copy: it waits longer than after a refusal"
    room.clock.on(minutes=1)
    assert room.send(post).sent == 1
    assert room.states() == [("sent", 2)]
    assert post.ids() == {before.message_id: 2 if stored else 1}


@pytest.mark.parametrize(("answer", "permanent"), [("452 4.3.1 full", False), ("554 5.7.1 looks like spam", True)])
def test_refusal_after_data_is_final_where_the_server_says_so(
    room: MailRoom, post: PostOffice, answer: str, permanent: bool
) -> None:
    post.rules.before_storing = lambda _: answer
    room.mailed()
    room.send(post)
    assert [(one.state, one.permanent) for one in room.notices()] == [("failed", permanent)]
    assert answer in room.reason()


def test_server_slower_than_we_wait_leaves_it_unknown(room: MailRoom, post: PostOffice) -> None:
    post.rules.wait_s = 1.0
    room.mailed()
    assert room.send(Smtp(post.url, answer_s=0.2)).unknown == 1
    assert "timed out" in room.reason()
    post.rules.wait_s = 0
    room.clock.on(hours=1)
    assert room.send(post).sent == 1


def test_server_that_is_away_blames_no_notice(room: MailRoom, post: PostOffice) -> None:
    room.mailed("acme", "buildco")
    counts = room.send(Smtp(f"smtp://127.0.0.1:{free_port()}", timeout_s=2))
    assert counts.unreachable is not None
    assert "refused" in counts.unreachable.lower()
    assert (counts.handled, room.states()) == (0, [("claimed", 0)] * 2)
    assert room.send(post).sent == 2


def test_server_that_says_nothing_is_away(room: MailRoom) -> None:
    room.mailed()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        counts = room.send(Smtp(f"smtp://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3))
    assert counts.unreachable is not None
    assert room.states() == [("claimed", 0)]


def test_one_link_serves_many_and_a_cut_one_is_made_anew(room: MailRoom, post: PostOffice) -> None:
    names = [f"client{n:02d}" for n in range(8)]
    room.mailed(*names)
    mails = iter(range(100))
    post.rules.mail = lambda _: DROP if next(mails) == 3 else "250 OK"
    counts = room.send(post)
    assert (counts.sent, counts.put_off) == (7, 1)
    assert post.links == 2
    room.clock.on(minutes=1)
    assert room.send(post).sent == 1
    assert set(post.ids().values()) == {1}
    assert len(post.ids()) == 8


def test_address_that_is_none_is_final_with_its_reason(room: MailRoom, post: PostOffice) -> None:
    room.client("acme", "a@b@c", "x@mail.example\r\nBcc: all@mail.example", "jörg@mail.example")
    room.invoice()
    room.claim()
    assert room.send(post).failed == 1
    assert room.reason().startswith("no e-mail address: a@b@c, x@mail.example")
    assert post.attempts == 0


def test_forgotten_client_gets_nothing(room: MailRoom, post: PostOffice) -> None:
    room.mailed()
    room.shop.app.book.keyring.forget("acme")
    assert room.send(post).withdrawn == 1
    assert [(one.state, one.reason) for one in room.notices()] == [("withdrawn", "no_address")]
    assert post.taken == []


# ---- who is let in


def test_password_travels_under_tls_only_and_is_checked(room: MailRoom, tmp_path: Path) -> None:
    server, trusting = certificate(tmp_path)
    how: dict[str, Any] = {"authenticator": let_in("daybook", "p@ss/word"), "auth_required": True}
    with post_office(tls_context=server, require_starttls=True, **how) as post:
        where = f"127.0.0.1:{post.port}"
        room.mailed()
        for url, tls, why in (
            (f"smtp+starttls://daybook:p%40ss%2Fword@{where}", None, "certificate verify failed"),
            (f"smtp+starttls://daybook:wrong@{where}", trusting, "535"),
        ):
            counts = room.send(Smtp(url, tls=tls))
            assert why in (counts.unreachable or "")
            assert room.states() == [("claimed", 0)]
        assert room.send(Smtp(f"smtp://daybook:p%40ss%2Fword@{where}?starttls", tls=trusting)).sent == 1
        assert len(post.taken) == 1


def test_smtps(room: MailRoom, tmp_path: Path) -> None:
    server, trusting = certificate(tmp_path)
    with post_office(ssl_context=server) as post:
        room.mailed()
        assert room.send(Smtp(f"smtps://127.0.0.1:{post.port}", tls=trusting)).sent == 1


# ---- without a server


def test_without_a_server_mails_are_files_and_a_repeat_is_the_same_file(room: MailRoom, tmp_path: Path) -> None:
    room.mailed("acme", "buildco")
    box = Outbox(tmp_path / "outbox")
    assert room.send(box).sent == 2
    files = sorted(path.name for path in box.folder.iterdir())
    ids = sorted(f"2026-05-31-{one.message_id.strip('<>')}.eml" for one in room.notices())
    assert files == ids
    assert all((box.folder / name).stat().st_mode & 0o077 == 0 for name in files)
    room.shop.one("UPDATE books.notices SET state = 'claimed', last_at = NULL RETURNING 1")  # as after a crash
    assert room.send(box).sent == 2
    assert sorted(path.name for path in box.folder.iterdir()) == files


def test_outbox_that_cannot_be_written_is_said(room: MailRoom, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    room.mailed()
    counts = room.send(Outbox(tmp_path / "file" / "outbox"))
    assert counts.unreachable is not None
    assert room.states() == [("claimed", 0)]
    with pytest.raises(Unreachable):
        raise Unreachable(counts.unreachable)


# ---- many at once, and once more


def test_several_senders_at_once_send_each_once(room: MailRoom, post: PostOffice) -> None:
    post.rules.wait_s = 0.01
    room.mailed(*(f"client{n:02d}" for n in range(16)))
    sums: list[int] = []
    threads = [threading.Thread(target=lambda: sums.append(room.send(post).sent)) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(sums) == 16
    assert len([one for one in sums if one]) > 1, "more than one of them had something to do"
    assert set(post.ids().values()) == {1}
    assert len(post.ids()) == 16
    assert room.states() == [("sent", 1)] * 16


def test_rebuild_and_verify_send_nothing_and_change_nothing(room: MailRoom, post: PostOffice) -> None:
    post.rules.rcpt = lambda to: "550 no" if to.startswith("bad") else RUNS_OUT if to.startswith("late") else "250 OK"
    room.mailed("acme", "bad", "late")
    room.send(post)
    before, attempts = room.notices(), post.attempts
    room.views.rebuild()
    assert room.notices() == before
    assert post.attempts == attempts
    room.shop.assert_sound()


def test_addresses_lie_nowhere_in_clear(room: MailRoom, post: PostOffice) -> None:
    post.rules.rcpt = lambda to: f"550 5.1.1 <{to}> unknown"
    room.client("acme", "CANARY@mail.example", "CANARY is no address")
    room.client("zeta", "CANARY@late.example")
    room.invoice()
    room.claim()
    room.send(post)
    post.rules.before_storing = lambda _: DROP
    seen = 0
    for table, row in everything(room.shop.app.database):
        seen += "notice" in table
        assert "CANARY" not in row, f"{table}: {row[:300]}"
    assert seen == 2
    assert "CANARY" in room.shop.app.book.keyring.decrypt(room.notices()[0].reason or "")  # type: ignore[operator]


def test_mail_arrives_byte_by_byte_whatever_its_lines_begin_with(post: PostOffice) -> None:
    data = b"Message-ID: <1@daybook.test>\r\nSubject: x\r\n\r\n.\r\n..\r\n.a\r\nb.\r\n\r\n.\r\n"
    mail = Mail(message_id="<1@daybook.test>", sender=SENDER, to=("a@mail.example",), data=data, day=date(2026, 6, 1))
    transport = Smtp(post.url)
    assert transport.send(mail, lambda: None) == Sent()
    transport.close()
    assert [raw for _, raw in post.taken] == [data]


def test_mail_that_cannot_be_made_stops_nobody_else(room: MailRoom, post: PostOffice) -> None:
    """One about a document that is not there, and one whose Message-ID is none."""
    room.mailed("acme", "buildco", "zeta")
    room.shop.one("UPDATE books.notices SET numbers = '{INV-999999}' WHERE client_id = 'acme' RETURNING 1")
    room.shop.one("UPDATE books.notices SET message_id = 'two words' WHERE client_id = 'buildco' RETURNING 1")
    counts = room.send(post, unasked)
    assert (counts.sent, counts.failed, counts.put_off) == (1, 1, 1)
    reasons = [room.shop.app.book.keyring.decrypt(one.reason or "") for one in room.notices()]
    assert reasons[0] == "no document INV-999999"
    assert (reasons[1] or "").startswith("the mail cannot be made: ValueError")


def test_refused_addresses_are_counted_in_the_book(room: MailRoom, post: PostOffice) -> None:
    post.rules.rcpt = lambda to: "550 gone" if to.startswith("left") else "250 OK"
    room.client("acme", "left@mail.example", "here@mail.example")
    room.invoice()
    room.claim()
    room.send(post)
    (sent,) = [decode(e.topic, e.state) for e in room.shop.app.book.read(0, 1_000) if e.topic == NoticeSent.TOPIC]
    assert (sent.tries, sent.refused) == (1, 1)

"""A server that says "later" loses no mail: it is asked for as long as one that is away is, and what is given up is listed."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from domain.notices import NoticeFailed, NoticeSent, NoticeUnknown
from ledger.database import Database
from ledger.event_codec import decode, encode
from producers.notices import NoticeFeed
from projections import outbox
from runs import remind
from schemas.codec import decode as message_of
from tests.producers.mailroom import HOST, MailRoom, mail_room
from tests.producers.post_office import DROP, OK, PostOffice, post_office
from tests.saying import said

FULL_DISK = "451 4.3.0 out of disk, come back"
FULL_BOX = "452 4.2.2 mailbox full"


@pytest.fixture
def room(database: Database, tmp_path: Path) -> MailRoom:
    return mail_room(database, tmp_path)


@pytest.fixture
def post() -> Iterator[PostOffice]:
    with post_office() as office:
        yield office


def rounds(room: MailRoom, post: PostOffice, *, minutes: float = 30, **time: float) -> None:
    """A worker's rounds for some time."""
    end = room.clock.at + timedelta(**time)
    while room.clock.at < end:
        room.send(post)
        room.clock.on(minutes=minutes)


def left(room: MailRoom, day: date) -> dict[str, str | None]:
    """What is due on a day and not sent, with the word."""
    return {one.notice_id: one.why_not for one in remind.plan(room.views, day).left}


def sent_for_a_person(room: MailRoom, day: date) -> list[str]:
    """What `daybook remind --missed` claims."""
    room.shop.open(day)
    return [one.notice_id for one in remind.claim(room.views, day, room.clock(), host=HOST, missed=True).claimed]


def full(room: MailRoom, post: PostOffice, *emails: str) -> None:
    """A client with a mailbox that is full among others, and a claimed notice."""
    post.rules.rcpt = lambda to: FULL_BOX if to.startswith("full") else "250 OK"
    room.client("acme", *emails)
    room.invoice()
    room.claim()


# ---- later


def test_tries_go_on_for_a_fortnight_and_each_waits_longer(room: MailRoom, post: PostOffice) -> None:
    post.rules.rcpt = lambda _: FULL_DISK
    room.mailed()
    began, waited = room.clock.at, []
    while not room.notices()[0].permanent:
        before = room.clock.at
        while room.send(post).handled == 0:
            room.clock.on(minutes=1 if len(waited) < 5 else 30)
        waited.append(room.clock.at - before)
    assert waited[: len(outbox.DELAYS) + 1] == [timedelta(0), *outbox.DELAYS]
    assert set(waited[len(outbox.DELAYS) :]) == {outbox.DELAYS[-1]}
    assert timedelta(days=14) <= room.clock.at - began < timedelta(days=15)


def test_server_out_of_disk_for_three_days_loses_no_mail(room: MailRoom, post: PostOffice) -> None:
    room.mailed("acme", "zeta")
    post.rules.mail = lambda _: FULL_DISK
    rounds(room, post, days=3)
    assert post.taken == []
    post.rules.mail = lambda _: "250 OK"
    rounds(room, post, days=1)
    assert [state for state, _ in room.states()] == ["sent", "sent"]
    assert sorted(post.ids().values()) == [1, 1]


def test_what_was_given_up_is_listed_as_missed_and_a_person_sends_it_under_the_same_message_id(
    room: MailRoom, post: PostOffice
) -> None:
    room.mailed()
    (before,) = room.notices()
    post.rules.mail = lambda _: FULL_DISK
    rounds(room, post, days=15.5)
    assert [(one.state, one.permanent) for one in room.notices()] == [("failed", True)]
    post.rules.mail = lambda _: "250 OK"
    day = room.clock.at.date()
    assert room.claim(day) == [], "nothing that old is sent by itself"
    assert left(room, day) == {"new_invoice/INV-000001": "missed"}
    assert sent_for_a_person(room, day) == ["new_invoice/INV-000001"]
    assert room.send(post).sent == 1
    assert post.ids() == {before.message_id: 1}
    assert left(room, day) == {}
    room.shop.assert_sound()


def test_reminder_and_statement_that_were_given_up_are_listed_until_a_person_or_a_later_one(
    room: MailRoom, post: PostOffice
) -> None:
    room.client("acme")
    room.invoice()
    policy = {"new_invoice": False, "due_offsets_days": [1, 30], "statement": {"day_of_month": 1, "weekday": None}}
    room.shop.tell(said("ReminderPolicySet", client_id="*", at=datetime(2026, 5, 1, tzinfo=UTC), **policy))
    july = date(2026, 7, 1)
    room.shop.open(july)
    room.clock.at = datetime(2026, 7, 1, 9, tzinfo=UTC)
    reminder, statement = "due/INV-000001/+1/2026-06-30", "statement/GBP/2026-07-01"
    assert sorted(room.claim(july)) == [reminder, statement]
    post.rules.mail = lambda _: FULL_DISK
    rounds(room, post, days=15.2, minutes=120)
    middle = date(2026, 7, 16)
    assert left(room, middle) == {reminder: "missed", statement: "missed"}
    post.rules.mail = lambda _: "250 OK"
    assert sorted(sent_for_a_person(room, middle)) == [reminder, statement]
    assert room.send(post).sent == 2
    room.shop.open(date(2026, 7, 30))
    assert left(room, date(2026, 7, 30)) == {}
    assert room.claim(date(2026, 7, 30)) == ["due/INV-000001/+30/2026-06-30"]


def test_failure_of_before_that_ended_at_the_eighth_try_is_listed_as_missed(room: MailRoom, post: PostOffice) -> None:
    room.mailed()
    post.rules.mail = lambda _: FULL_DISK
    rounds(room, post, days=15.5)
    failed = [one for one in room.shop.app.book.read(0, 10_000) if one.topic == NoticeFailed.TOPIC][-1]
    event = decode(failed.topic, failed.state)
    old = encode(event).replace(b'"given_up":true', b'"given_up":null').replace(b'"tries":%d' % event.tries, b'"tries":8')
    assert old != encode(event)
    with room.shop.app.database.owner() as connection:
        connection.execute("ALTER TABLE ledger.daybook_events DISABLE TRIGGER ALL")
        connection.execute("UPDATE ledger.daybook_events SET state = %s WHERE notification_id = %s", (old, failed.position))
    assert left(room, room.clock.at.date()) == {"new_invoice/INV-000001": "missed"}


# ---- one of several addresses


def test_full_mailbox_keeps_nothing_from_the_others_and_nobody_gets_it_twice(room: MailRoom, post: PostOffice) -> None:
    full(room, post, "good@mail.example", "full@mail.example", "fine@mail.example")
    assert room.send(post).put_off == 1
    assert [envelope for envelope, _ in post.taken] == [("good@mail.example", "fine@mail.example")]
    assert FULL_BOX in room.reason()
    rounds(room, post, days=2)
    assert len(post.taken) == 1
    post.rules.rcpt = lambda _: "250 OK"
    rounds(room, post, days=1)
    assert [envelope for envelope, _ in post.taken][1:] == [("full@mail.example",)]
    first, second = post.messages()
    assert first["Message-ID"] == second["Message-ID"]
    assert first["To"] == second["To"], "each sees who else was written to"
    (sent,) = [decode(e.topic, e.state) for e in room.shop.app.book.read(0, 10_000) if e.topic == NoticeSent.TOPIC]
    read = room.shop.app.book.keyring.decrypt
    assert sorted(read(one) or "" for one in sent.to) == ["fine@mail.example", "full@mail.example", "good@mail.example"]


def test_mail_that_one_address_never_took_was_sent_once_its_time_is_over(room: MailRoom, post: PostOffice) -> None:
    full(room, post, "good@mail.example", "full@mail.example")
    rounds(room, post, days=16, minutes=120)
    assert [state for state, _ in room.states()] == ["sent"]
    (sent,) = [decode(e.topic, e.state) for e in room.shop.app.book.read(0, 10_000) if e.topic == NoticeSent.TOPIC]
    assert (sent.refused, len(post.taken)) == (1, 1)
    assert left(room, room.clock.at.date()) == {}


def test_address_in_place_of_the_one_that_waits_gets_it_and_the_others_do_not_again(room: MailRoom, post: PostOffice) -> None:
    full(room, post, "good@mail.example", "full@mail.example")
    room.send(post)
    for revision, emails in ((2, ["good@mail.example", "new@mail.example"]), (3, ["good@mail.example"])):
        room.shop.tell(said("ClientDefined", name="Acme", revision=revision, billing_emails=emails))
        rounds(room, post, hours=1)
    assert [envelope for envelope, _ in post.taken] == [("good@mail.example",), ("new@mail.example",)]
    assert room.states() == [("sent", 2)]


def test_waiting_address_that_is_taken_out_leaves_a_mail_that_was_sent(room: MailRoom, post: PostOffice) -> None:
    full(room, post, "good@mail.example", "full@mail.example")
    room.send(post)
    room.shop.tell(said("ClientDefined", name="Acme", revision=2, billing_emails=["good@mail.example"]))
    rounds(room, post, hours=1)
    assert (room.states(), len(post.taken)) == ([("sent", 2)], 1)


def test_link_lost_after_some_addresses_were_put_off_is_unknown_and_asks_them_all_again(room: MailRoom, post: PostOffice) -> None:
    full(room, post, "good@mail.example", "full@mail.example")
    answers = iter([DROP])
    post.rules.after_storing = lambda _: next(answers, OK)
    assert room.send(post).unknown == 1
    rounds(room, post, hours=1.2)
    assert [envelope for envelope, _ in post.taken] == [("good@mail.example",)] * 2
    assert room.states() == [("failed", 2)]


# ---- nobody knows


def test_copies_of_which_nobody_knows_are_three_at_most_and_then_a_person_decides(room: MailRoom, post: PostOffice) -> None:
    room.mailed()
    post.rules.after_storing = lambda _: DROP
    rounds(room, post, days=20)
    (notice,) = room.notices()
    assert post.ids() == {notice.message_id: outbox.MOST_COPIES}
    assert (notice.state, notice.permanent, notice.tries) == ("unknown", True, 3)
    day = room.clock.at.date()
    assert room.claim(day) == []
    assert left(room, day) == {"new_invoice/INV-000001": "unknown"}
    room.shop.assert_sound()
    post.rules.after_storing = lambda _: OK
    assert sent_for_a_person(room, day) == ["new_invoice/INV-000001"]
    room.send(post)
    assert (room.states(), post.ids()) == ([("sent", 1)], {notice.message_id: 4})


def test_copies_are_counted_through_refusals(room: MailRoom, post: PostOffice) -> None:
    room.mailed()
    post.rules.after_storing = lambda _: DROP
    turn = iter(range(1000))
    post.rules.mail = lambda _: FULL_DISK if next(turn) % 2 else "250 OK"
    rounds(room, post, days=12)
    assert [(one.state, one.permanent) for one in room.notices()] == [("unknown", True)]
    assert len(post.taken) == outbox.MOST_COPIES


def test_others_are_told_that_nobody_knows_only_once_it_is_given_up(room: MailRoom, post: PostOffice) -> None:
    room.mailed()
    post.rules.after_storing = lambda _: DROP
    feed = NoticeFeed(room.shop.app.book)
    rounds(room, post, hours=2)
    assert room.states() == [("unknown", 2)]
    assert (list(feed.next(0, 10)), feed.backlog(0).count) == ([], 0)
    rounds(room, post, days=2)
    (message,) = feed.next(0, 10)
    assert message.value is not None
    assert feed.backlog(0).count == 1
    assert feed.backlog(message.position).count == 0
    told = message_of(message.value)
    assert (told.record, told.fields["client_id"]) == ("NoticeFailed", "acme")
    assert told.fields["reason"].startswith("the link was lost after the message was sent")
    assert sum(one.topic == NoticeUnknown.TOPIC for one in room.shop.app.book.read(0, 10_000)) == 3

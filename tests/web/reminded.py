"""States of the pages about reminders: an office that has told, failed to tell, taken back, and has more to tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from playwright.sync_api import expect

from domain.ids import event_id, stream_id
from domain.notices import NoticeFailed, NoticeSent, NoticeWithdrawn
from ledger.book import NewEvent
from ledger.event_codec import encode
from projections import decisions, notices
from runs import remind
from runs.generate import generate
from tests.saying import Row, approved, said
from tests.web.browser import Visitor
from tests.web.conftest import TODAY, Web

AT = datetime(2026, 5, 31, 9, tzinfo=UTC)


def policy(client_id: str = "*", **given: Any) -> Row:
    """What is said of reminders."""
    return said("ReminderPolicySet", client_id=client_id, **given)


def reminding(web: Web) -> None:
    """Acme was told of its invoice, Buildco's mail failed, Cove has no address, Out has opted out; reminders are to come."""
    names = {"acme": "Acme Corp", "buildco": "Buildco Ltd", "cove": "Cove Ltd", "out": "Out & Sons"}
    web.feed(
        [
            *(
                said(
                    "ClientDefined", client_id=one, name=name, revision=2, payment_terms_days=14,
                    billing_emails=[] if one == "cove" else [f"ap@{one}.example"],
                )
                for one, name in names.items()
            ),
            *approved("e-cove", client_id="cove"), *approved("e-out", client_id="out"),
            policy(due_offsets_days=[-3, 1, 7], statement={"day_of_month": 1, "weekday": None}),
            policy("out", opted_out=True),
        ]
    )  # fmt: skip
    web.app.open_today()
    generate(web.app.views, TODAY, AT)
    remind.claim(web.app.views, TODAY, AT, host="daybook.invalid")
    with web.app.views.reading() as cursor:
        found = {one.client_id: one for one in notices.notices(cursor)}
    told(web, found["acme"], NoticeSent, tries=1)
    refused = web.app.book.keyring.encrypt("buildco", "550 5.1.1 no such box ap@buildco.example")
    told(web, found["buildco"], NoticeFailed, tries=2, permanent=True, reason=refused)


def told(web: Web, notice: notices.Notice, kind: type[NoticeSent | NoticeFailed | NoticeWithdrawn], **given: Any) -> None:
    """What a sender records."""
    stream = stream_id("notice", notice.client_id, notice.notice_id)
    id_ = event_id(stream, 2)
    event = kind(event_id=str(id_), occurred_at=AT, client_id=notice.client_id, notice_id=notice.notice_id, **given)
    new = NewEvent(stream, 2, event.TOPIC, encode(event), event.client_id, id_)
    with web.app.database.connection() as connection:
        connection.execute("SET LOCAL search_path = books")
        web.app.book.append([new], conn=connection, also=lambda cursor, first, _: decisions.apply(cursor, [(first, event)]))


@contextmanager
def calendar(visitor: Visitor, web: Web) -> Iterator[None]:
    """The calendar with something of everything."""
    reminding(web)
    visitor.go("/reminders")
    expect(visitor.page.get_by_role("table", name="June 2026")).to_be_visible()
    yield


@contextmanager
def of_a_client(visitor: Visitor, web: Web) -> Iterator[None]:
    """A client's own policy."""
    reminding(web)
    visitor.go("/reminders/policy?client=out")
    expect(visitor.page.get_by_text("yes: nothing is sent")).to_be_visible()
    yield


@contextmanager
def not_taken(visitor: Visitor, web: Web) -> Iterator[None]:
    """A policy that cannot be read."""
    visitor.page.get_by_label("Reminders, days from the due date").fill("soon")
    visitor.page.get_by_label("Account statement").select_option("day")
    visitor.page.get_by_label("Day of the month").fill("45")
    visitor.page.get_by_role("button", name="Save").click()
    expect(visitor.page.get_by_text("Give a day from 1 to 31")).to_be_visible()
    yield

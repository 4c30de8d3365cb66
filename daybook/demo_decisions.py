"""What the demo MSP's people decided, and the mails they had sent: each is done once, however often the story is started."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from daybook import reminding
from daybook.app import App
from daybook.demo_earlier_work import MISSED_CALL
from producers.mail.sending import send_pending
from producers.mail.transport import transport_of
from runs import correct, remind
from runs.decide import Item, adjust

BILLING_LEAD: Final = "billing-lead"
GOODWILL: Final = Item("hollin-bank", f"time/{MISSED_CALL}", "GBP")
GOODWILL_MINOR: Final = -25_00
SHORT_PAID: Final = "INV-000026"
"""Tarn's bank kept fifty pence of its payment."""
NOT_MENDED: Final = ("INV-000024", 1)
"""Peakline's card reader failed again the same day: that line is not charged."""
_DECIDED_ON: Final = date(2026, 5, 29)


def closing(day: date) -> datetime:
    """When a day's last work was done."""
    return datetime.combine(day, time(17), UTC)


def before_april_is_invoiced(app: App) -> None:
    """Hollin Bank waited two hours for a call: 25.00 less for that work."""
    done = "SELECT 1 FROM books.adjustments WHERE client_id = %s AND item_key = %s"
    if not _found(app, done, GOODWILL.client_id, GOODWILL.item_key):
        at, reason = closing(date(2026, 4, 10)), "call returned two hours late: goodwill"
        adjust(app.book, GOODWILL, GOODWILL_MINOR, None, reason=reason, by=BILLING_LEAD, at=at)


def late_in_may(app: App) -> None:
    """Fifty pence are written off, and a line of April is waived by a credit note."""
    by_whom: dict[str, Any] = {"as_of": _DECIDED_ON, "by": BILLING_LEAD, "at": closing(_DECIDED_ON)}
    if not _found(app, "SELECT 1 FROM books.write_offs WHERE number = %s", SHORT_PAID):
        correct.write_off(app.views, SHORT_PAID, reason="bank charge, not worth asking for", **by_whom)
    number, line = NOT_MENDED
    if not _found(app, "SELECT 1 FROM books.credited WHERE of_number = %s", number):
        correct.credit(app.views, number, line, mode="waive", reason="reader failed again the same day", **by_whom)


def mails_of(app: App, day: date) -> None:
    """Claims what is due on a day and writes the mails into the home's outbox; not again once that or a later day had its own."""
    then = replace(app, settings=app.settings.model_copy(update={"today": day}))
    at = closing(day)
    if not _found(app, "SELECT 1 FROM books.notices WHERE claimed_on >= %s", day):
        remind.claim(app.views, day, at, host=reminding.host_of(then.settings))
    transport = transport_of(None, app.settings.home)
    sent_at = at + timedelta(minutes=1)
    send_pending(app.views, transport, reminding.office_of(then.settings), lambda: sent_at, still_wanted=remind.foreseen)


def _found(app: App, statement: str, *values: object) -> bool:
    with app.database.connection() as connection:
        return connection.execute(statement, values).fetchone() is not None

"""Payments that people record, give back or match: each becomes an event on the configured log, like those of programs.

The log counts, not the button: a payment's id comes from the form's token, so that the same form sent twice is one payment.
"""

import re
import threading
import time as clock
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from psycopg import Cursor

from daybook import feeding
from daybook.app import App, now
from daybook.asked import NotTaken, read_money
from daybook.paying_named import check_currency, check_known
from domain.calendar import local_day
from domain.ids import stream_id
from domain.payment import PaymentChargedBack, PaymentReceived, PaymentRefunded
from domain.terms import ClientTerms, zone_of
from projections.payment_list import Statement, returned_minor, statements
from projections.receivables import NOT_COUNTED, UNKNOWN_PAYER
from projections.terms import load_clients
from projections.views import ViewsBehind
from runs.errors import NothingThere, Refused
from schemas.topics import TOPIC_OF

METHODS: Final = {
    "bank": "Bank transfer", "card": "Card", "direct_debit": "Direct debit", "cash": "Cash", "other": "Other",
}  # fmt: skip
MOST_TEXT: Final = 200
MOST_REASON: Final = 500
MOST_INVOICES: Final = 100
LOOK_BACK_FROM: Final = date(1990, 1, 1)
WAIT_S: Final = 90.0
PAYMENTS_LOCK: Final = 7_205_004  # held by whoever records, gives back or matches a payment
_ONE_AT_A_TIME: Final = threading.Lock()
_TOKEN: Final = re.compile(r"[0-9A-Za-z._:-]{8,200}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class PaymentsBusy(Refused):
    """Somebody else is recording a payment just now: try again in a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment as somebody states it; `amount` is text as typed, in units of the currency.

    A number that no invoice has, or a currency in which the client has nothing, is mostly mistyped: it has to be confirmed.
    """

    client_id: str
    amount: str
    currency: str
    received_on: date
    method: str = "bank"
    invoice_numbers: tuple[str, ...] = ()
    reference: str = ""
    unknown_invoice_ok: bool = False
    other_currency_ok: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of it; `already` where the same was recorded before, and nothing was added now."""

    client_id: str
    payment_id: str
    amount_minor: int
    currency: str
    already: bool = False


def new_token() -> str:
    """What a form carries so that it counts once, however often it is sent."""
    return uuid4().hex


def today_of(app: App, terms: ClientTerms | None) -> date:
    """The last day on which money can have come: the client's day by the clock, or the fixed day of a rehearsal."""
    return app.settings.today or local_day(now(), _zone(terms, app.settings.business_date()))


def record(app: App, given: Payment, *, token: str, by: str) -> Done:
    """Records a payment as an event, and waits until it counts; raises NotTaken, NothingThere or Refused.

    What is named as paid must be this client's, in this currency; a number that nobody knows yet is kept where that is meant.
    """
    payment_id = f"hand-{_derived(token, given.client_id)}"
    amount_minor = read_money(given.amount, given.currency, "amount")
    with _alone(app):
        _catch_up(app)
        with app.views.reading() as cursor:
            terms = load_clients(cursor, [given.client_id])[given.client_id]
            before = [one for one in statements(cursor, payment_id) if one.client_id == given.client_id]
            _check(app, cursor, terms, given)
        done = Done(client_id=given.client_id, payment_id=payment_id, amount_minor=amount_minor, currency=given.currency)
        if before:
            return _again(before[0], done)
        received_at = _noon(given.received_on, terms)
        _say(
            app, PaymentReceived, by, received_at,
            client_id=given.client_id, payment_id=payment_id, amount_minor=amount_minor, currency=given.currency,
            received_at=_text(received_at), method=given.method, invoice_numbers=list(given.invoice_numbers),
            surcharge_minor=0, fee_minor=0, provider=None, provider_ref=given.reference.strip() or None,
        )  # fmt: skip
    return done


def refund(
    app: App,
    client_id: str,
    payment_id: str,
    amount: str,
    *,
    reason: str,
    token: str,
    by: str,
    on: date | None = None,
    charged_back: bool = False,
) -> Done:
    """Records that part of a payment went back, at most what is left of it; it moves no money itself.

    `charged_back` where the payer's bank took it, and the provider did not give it.
    """
    reason = _reason(reason)
    refund_id = f"hand-{_derived(token, client_id, payment_id)}"
    with _alone(app):
        _catch_up(app)
        with app.views.reading() as cursor:
            paid = next((one for one in statements(cursor, payment_id) if one.client_id == client_id), None)
            if paid is None:
                raise NothingThere(f"there is no payment {payment_id!r} of {client_id}: see `daybook payments`")
            terms = load_clients(cursor, [client_id])[client_id]
            gone, before = returned_minor(cursor, client_id, payment_id, refund_id)
            uncounted = _uncounted(cursor, client_id, payment_id)
        if client_id == UNKNOWN_PAYER:
            raise Refused(f"nobody knows yet who paid {payment_id}: match it to a client first")
        if uncounted:
            raise Refused(f"{payment_id} does not count ({uncounted.replace('_', ' ')}), so that nothing of it can go back")
        amount_minor = read_money(amount, paid.currency, "amount")
        done = Done(client_id=client_id, payment_id=payment_id, amount_minor=amount_minor, currency=paid.currency)
        if before is not None:
            return _same(before == amount_minor, done)
        left = paid.amount_minor - gone  # a surcharge may go back beside what paid invoices (R1)
        if amount_minor > left:
            raise NotTaken({"amount": f"Only {_shown(left, paid.currency)} of this payment is left to give back."})
        day = on or today_of(app, terms)
        _check_day(app, terms, day)
        came_on = local_day(paid.received_at, _zone(terms, day))
        if day < came_on:
            raise NotTaken({"received_on": f"{day} is before the payment came ({came_on}): nothing can go back before that."})
        at = max(_noon(day, terms), paid.received_at)
        _say(
            app, PaymentChargedBack if charged_back else PaymentRefunded, by, at,
            client_id=client_id, payment_id=payment_id, refund_id=refund_id, amount_minor=amount_minor,
            currency=paid.currency, at=_text(at), fee_minor=0, reason=reason,
        )  # fmt: skip
    return done


def match(app: App, payment_id: str, client_id: str, *, by: str) -> Done:
    """Says whose a payment of an unknown payer is: stated again with the client, which settles the first statement.

    The first to say so has it; a second who says another client is refused and told who has it.
    """
    with _alone(app):
        _catch_up(app)
        with app.views.reading() as cursor:
            said = statements(cursor, payment_id)
            terms = load_clients(cursor, [client_id])[client_id]
            names = _names(cursor, [one.client_id for one in said])
        nobodys = next((one for one in said if one.client_id == UNKNOWN_PAYER), None)
        if nobodys is None:
            raise NothingThere(f"there is no payment {payment_id!r} of an unknown payer: see `daybook payments --waiting`")
        if not terms.known or client_id == UNKNOWN_PAYER:
            raise NotTaken({"client": f"There is no client {client_id}: the client's record has to come first."})
        done = Done(client_id=client_id, payment_id=payment_id, amount_minor=nobodys.amount_minor, currency=nobodys.currency)
        for one in said:
            alike = (one.amount_minor, one.currency) == (nobodys.amount_minor, nobodys.currency)
            if one.client_id == client_id:
                if not alike:
                    raise Refused(f"{client_id} has another payment of the id {payment_id}: have it sent under one of its own")
                return _same(True, done)
            if alike and one is not nobodys:
                raise Refused(
                    f"{names.get(one.client_id, one.client_id)} has this payment already: matched by {one.source},"
                    f" {one.occurred_at:%Y-%m-%d %H:%M} UTC"
                )
        _say(
            app, PaymentReceived, by, nobodys.received_at,
            client_id=client_id, payment_id=payment_id, amount_minor=nobodys.amount_minor, currency=nobodys.currency,
            received_at=_text(nobodys.received_at), method=nobodys.method, invoice_numbers=list(nobodys.invoice_numbers),
            surcharge_minor=nobodys.surcharge_minor, fee_minor=nobodys.fee_minor, provider=nobodys.provider,
            provider_ref=nobodys.provider_ref,
        )  # fmt: skip
    return done


# ---- what is checked


def _check(app: App, cursor: Cursor[Any], terms: ClientTerms, given: Payment) -> None:
    if not terms.known:
        raise NothingThere(f"there is no client {given.client_id}: the client's record has to come first")
    if given.method not in METHODS:
        raise NotTaken({"method": f"The method must be one of {', '.join(METHODS)}."})
    if len(given.reference) > MOST_TEXT or _CONTROL.search(given.reference):
        raise NotTaken({"reference": f"The reference must be one line of at most {MOST_TEXT} characters."})
    numbers = given.invoice_numbers
    if len(numbers) > MOST_INVOICES or any(not one or len(one) > MOST_TEXT or _CONTROL.search(one) for one in numbers):
        raise NotTaken({"invoices": f"Name at most {MOST_INVOICES} invoices by their numbers."})
    _check_day(app, terms, given.received_on)
    rows = cursor.execute(
        "SELECT number, client_id, currency, total_minor FROM invoices WHERE number = ANY(%s)", (list(numbers),)
    ).fetchall()
    for number, client_id, currency, total_minor in rows:
        if client_id != given.client_id:
            raise NotTaken({"invoices": f"{number} is another client's invoice."})
        if total_minor < 0:
            raise NotTaken({"invoices": f"{number} is a credit note: it is not to be paid."})
        if currency != given.currency:
            raise NotTaken({"invoices": f"{number} is in {currency}, the payment in {given.currency}."})
    if not given.unknown_invoice_ok:
        check_known(cursor, given.client_id, numbers)
    if not given.other_currency_ok:
        check_currency(cursor, given.client_id, given.currency)


def _check_day(app: App, terms: ClientTerms, day: date) -> None:
    today = today_of(app, terms)
    if day > today:
        raise NotTaken({"received_on": f"{day} is in the future: money counts from the day it came ({today} at the latest)."})
    if day < LOOK_BACK_FROM:
        raise NotTaken({"received_on": f"{day} is before {LOOK_BACK_FROM}."})


def _uncounted(cursor: Cursor[Any], client_id: str, payment_id: str) -> str | None:
    row = cursor.execute(
        "SELECT reason FROM waiting WHERE client_id = %s AND what = 'payment' AND id = %s AND reason = ANY(%s)",
        (client_id, payment_id, list(NOT_COUNTED)),
    ).fetchone()
    return row[0] if row is not None else None


def _reason(text: str) -> str:
    if not text.strip():
        raise NotTaken({"reason": "Give a reason: it is kept with the refund."})
    if len(text) > MOST_REASON:
        raise NotTaken({"reason": f"The reason is longer than {MOST_REASON} characters."})
    return text.strip().replace("\0", "")


def _again(before: Statement, done: Done) -> Done:
    return _same((before.amount_minor, before.currency) == (done.amount_minor, done.currency), done)


def _same(same: bool, done: Done) -> Done:
    if not same:
        raise Refused("this form was used already, with another amount: open it anew")
    return Done(
        client_id=done.client_id, payment_id=done.payment_id, amount_minor=done.amount_minor, currency=done.currency,
        already=True,
    )  # fmt: skip


def _derived(token: str, *about: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise Refused("the form could not be read: open it anew")
    return stream_id("by hand", token, *about).hex[:20]


def _shown(minor: int, currency: str) -> str:
    from daybook.printing import money

    return money(minor, currency)


def _names(cursor: Cursor[Any], client_ids: list[str]) -> dict[str, str]:
    return dict(cursor.execute("SELECT client_id, name FROM clients WHERE client_id = ANY(%s)", (client_ids,)).fetchall())


# ---- the time


def _zone(terms: ClientTerms | None, day: date) -> ZoneInfo:
    state = terms.states.first_or_on(day) if terms is not None and terms.known else None
    return (zone_of(state.time_zone) if state is not None else None) or ZoneInfo("UTC")


def _noon(day: date, terms: ClientTerms) -> datetime:
    """Of a day without its hour, noon on the client's clocks: the client's day whatever the zone."""
    return datetime.combine(day, time(12), _zone(terms, day)).astimezone(UTC)


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


# ---- the log


@contextmanager
def _alone(app: App) -> Iterator[None]:
    """One at a time over all processes of the installation, so that nobody counts with what another is about to say."""
    deadline = clock.monotonic() + WAIT_S
    if not _ONE_AT_A_TIME.acquire(timeout=WAIT_S):
        raise PaymentsBusy("somebody else is recording a payment just now: try again in a moment")
    try:
        with app.database.connection() as connection:
            connection.autocommit = True
            try:
                while connection.execute("SELECT pg_try_advisory_lock(%s)", (PAYMENTS_LOCK,)).fetchone() != (True,):
                    if clock.monotonic() > deadline:
                        raise PaymentsBusy("somebody else is recording a payment just now: try again in a moment")
                    clock.sleep(0.05)
                yield
            finally:
                connection.execute("SELECT pg_advisory_unlock_all()")
                connection.autocommit = False
    finally:
        _ONE_AT_A_TIME.release()


def _say(app: App, record: type[Any], by: str, moved_at: datetime, **fields: Any) -> None:
    """Appends one event to the log and waits until the book has it and the views show it."""
    from schemas.json_lines import from_object

    said_at = now() if app.settings.today is None else max(now(), moved_at)  # a rehearsal may play in days to come
    event_id = uuid4()
    event = {"event_id": str(event_id), "source": _source(by), "occurred_at": _text(said_at), **fields}
    name = record.__name__
    try:
        row = from_object({"topic": TOPIC_OF[name], "type": name, "event": event})
    except ValueError as error:
        raise Refused(str(error)[:300]) from None
    app.open_today()
    feeding.feed(app, [row], feeding.Fed())
    if not _is_recorded(app, event_id):
        raise Refused("the event was not taken: look at `daybook dead-letters`")
    _catch_up(app)


def _source(by: str) -> str:
    """Who stated it, as events say where they come from."""
    return f"daybook/{_CONTROL.sub('', by)[:100]}"


def _is_recorded(app: App, event_id: UUID) -> bool:
    with app.database.connection() as connection:
        row = connection.execute("SELECT 1 FROM ledger.daybook_events WHERE event_id = %s", (event_id,)).fetchone()
    return row is not None


def _catch_up(app: App) -> None:
    try:
        app.views.catch_up(timeout_s=30)
    except ViewsBehind:
        raise PaymentsBusy("new facts are still being taken in: try again in a moment") from None

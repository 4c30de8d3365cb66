"""What a client is told by e-mail on a day, and what on the days to come; with the reason where it is not (product C14, R4).

Pure: whoever claims asks this under the client's lock, the calendar asks it of a snapshot, and both get the same answer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from domain.covered import Open, covered
from domain.ids import stream_id
from domain.notices import DUE_REMINDER, NEW_INVOICE, STATEMENT
from domain.reminder_policy import MOST_OFFSET_DAYS, Policy, is_next_nearer, statement_day, statement_days, statement_rule
from domain.reminder_words import (
    BELOW_MINIMUM,
    CHARGED_BACK,
    MISSED,
    NEW_FOR_DAYS,
    NO_ADDRESS,
    NOTHING_TO_SAY,
    OPTED_OUT,
    OVERTAKEN,
    PAID,
    PAYMENT_PENDING,
    POLICY_CHANGED,
    SWITCHED_OFF,
    VOIDED,
)

MISSED_FOR_DAYS: Final = 60
"""So long a credit note that nobody was told of is listed as missed; an invoice is until it is paid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """An issued document as it stands; `pending` says that a payment nobody has matched yet names it.

    `voided`: it was voided, or all of it credited or given up. `covered_minor` of what is outstanding is covered by credit.
    """

    number: str
    currency: str
    issued_on: date
    due_on: date
    outstanding_minor: int
    credit_note: bool = False
    pending: bool = False
    charged_back: bool = False
    voided: bool = False
    covered_minor: int = 0

    @property
    def to_pay_minor(self) -> int:
        """What a reminder asks for: credit that pays nothing yet covers the oldest due first (R4)."""
        return self.outstanding_minor - self.covered_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One client's account in one currency: what is open, and credit that pays nothing yet.

    Something happened on it first on `began_on`, and last on `moved_on`.
    """

    outstanding_minor: int
    unapplied_minor: int = 0
    began_on: date | None = None
    moved_on: date | None = None

    @property
    def balance_minor(self) -> int:
        """What is to be paid once credit is counted (R4)."""
        return self.outstanding_minor - self.unapplied_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """All that a client's notices depend on; `told` holds the ids of every notice that is claimed or was sent.

    One that was withdrawn for a pause (`reminder_words.PAUSES`), or failed for an address that was replaced since, was not told.

    `pending` says that a payment of the client waits for somebody to look at it. `given_up` are notices that are not tried
    again by themselves, each with its word, `missed` or `unknown`: they were not told, and only a person has them sent.
    """

    client_id: str
    policy: Policy
    bills: tuple[Bill, ...] = ()
    accounts: Mapping[str, Account] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    has_address: bool = True
    pending: bool = False
    given_up: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One notice: what will be sent on a day, or why it will not (`why_not`, one of `reminder_words.REASONS`); null: it will."""

    client_id: str
    notice_id: str
    kind: str
    rule: str
    numbers: tuple[str, ...]
    currency: str
    due_on: date | None
    day: date
    balance_minor: int
    why_not: str | None


def message_id(client_id: str, notice_id: str, host: str) -> str:
    """The mail's Message-ID, which is the same on every try: a receiver shows one message once."""
    return f"<{stream_id('notice', client_id, notice_id)}@{host}>"


def planned(client: Client, day: date, *, missed: bool = False) -> Iterator[Planned]:
    """What is to be said on a day and was not said yet, missed days included: of each matter only the last that applies.

    A new document of which nobody was told in time is listed with `MISSED`, and so is what was given up; `missed`: it is to
    be sent all the same.
    """
    for bill in _counted(client):
        reminder = _due(client, bill, day, missed)
        goes_with_it = reminder is not None and reminder.why_not is None
        if (notice := _new(client, bill, day, missed)) is not None and not (goes_with_it and not _is_new(bill, day)):
            yield notice
        if reminder is not None:
            yield reminder
    yield from _statements(client, day, missed)


def ahead(client: Client, day: date, until: date) -> Iterator[Planned]:
    """What is to be said after a day and up to another, if until then nothing happens."""
    for bill in _counted(client):
        for days in () if bill.credit_note else client.policy.due_offsets_days:
            on = _off(bill.due_on, days)
            if day < on <= until and on >= bill.issued_on and _due_id(bill, days) not in client.told:
                yield _reminder(client, bill, days, on)
    for on in statement_days(client.policy.statement, day, until):
        for currency in sorted(client.accounts):
            if _statement_id(currency, on) not in client.told:
                yield _statement(client, currency, on, on)


def why_not(client: Client, notice_id: str, currency: str, number: str | None, day: date) -> str | None:
    """Why a notice that was claimed is not to be sent on a day; null where it is."""
    kind, *about = notice_id.split("/")
    bill = next((one for one in _counted(client) if one.number == number), None)
    if kind == "statement":
        return _nobody(client) or _statement_not(client, currency, date.fromisoformat(about[-1]), day)
    if kind != "due":
        return _nobody(client) or _new_not(client, bill)
    return _nobody(client) or (PAID if bill is None else _due_not(client, bill, int(about[1]), day))


def _counted(client: Client) -> tuple[Bill, ...]:
    """The client's documents in their order, each with what credit of its currency covers of it."""
    parts: dict[str, int] = {}
    for currency, account in client.accounts.items():
        if account.unapplied_minor > 0:
            mine = (one for one in client.bills if one.currency == currency and one.outstanding_minor > 0)
            parts |= covered(
                (Open(one.due_on, one.issued_on, one.number, one.outstanding_minor) for one in mine), account.unapplied_minor
            )
    return tuple(replace(one, covered_minor=parts.get(one.number, 0)) for one in client.bills) if parts else client.bills


def _new_not(client: Client, bill: Bill | None) -> str | None:
    if bill is not None and bill.voided:
        return VOIDED
    return None if client.policy.new_invoice else POLICY_CHANGED


def _due_not(client: Client, bill: Bill, days: int, day: date) -> str | None:
    """After an outage a client is reminded once: of what waits only the latest rule that was reached goes out."""
    paused = _paused(client, bill, bill.currency)
    if bill.voided or paused == PAID:
        return VOIDED if bill.voided else PAID
    reached = any(days < one and _off(bill.due_on, one) <= day for one in client.policy.due_offsets_days)
    if reached or (days < 0 and day > bill.due_on) or _told_upto(client, bill, days + 1):
        return OVERTAKEN
    return paused if days in client.policy.due_offsets_days else POLICY_CHANGED


def _statement_not(client: Client, currency: str, on: date, day: date) -> str | None:
    if _stated_since(client, currency, on + timedelta(days=1)) or is_next_nearer(client.policy.statement, on, day):
        return OVERTAKEN
    return POLICY_CHANGED if statement_rule(client.policy.statement) is None else None


# ---- new documents ----


def _new(client: Client, bill: Bill, day: date, missed: bool) -> Planned | None:
    notice_id = f"new_invoice/{_quoted(bill.number)}"
    is_new = _is_new(bill, day)
    if day < bill.issued_on or notice_id in client.told or not (is_new or _is_missed(client, bill, day)):
        return None
    return Planned(
        client_id=client.client_id,
        notice_id=notice_id,
        kind=NEW_INVOICE,
        rule="new_invoice",
        numbers=(bill.number,),
        currency=bill.currency,
        due_on=None if bill.credit_note else bill.due_on,
        day=day,
        balance_minor=bill.to_pay_minor,
        why_not=(VOIDED if bill.voided else None)
        or _nobody(client)
        or (None if client.policy.new_invoice else SWITCHED_OFF)
        or (None if missed else client.given_up.get(notice_id) or (None if is_new else MISSED)),
    )


def _is_new(bill: Bill, day: date) -> bool:
    return bill.issued_on <= day < _off(bill.issued_on, NEW_FOR_DAYS)


def _is_missed(client: Client, bill: Bill, day: date) -> bool:
    """Whether nobody was told of a document in time who was to be: not one that was paid, nor one sent with a reminder."""
    if not client.policy.new_invoice or client.policy.opted_out or bill.voided:
        return False
    if bill.credit_note:
        return day < _off(bill.issued_on, MISSED_FOR_DAYS)
    return bill.outstanding_minor > 0 and not _told_upto(client, bill, -MOST_OFFSET_DAYS)


def _nobody(client: Client) -> str | None:
    if client.policy.opted_out:
        return OPTED_OUT
    return None if client.has_address else NO_ADDRESS


# ---- due reminders ----


def _due(client: Client, bill: Bill, day: date, missed: bool) -> Planned | None:
    """The last rule that applies on a day: what was missed before it is never sent.

    A reminder before the due date is of no use after it, and none reaches back behind the issue of its invoice.
    """
    if bill.credit_note:
        return None
    reached = [
        days
        for days in client.policy.due_offsets_days
        if bill.issued_on <= _off(bill.due_on, days) <= day and (days >= 0 or day <= bill.due_on)
    ]
    if not reached:
        return None
    if bill.outstanding_minor <= 0 and _off(bill.due_on, reached[-1]) < day:
        return None  # paid: of what was missed nothing is caught up
    if _told_upto(client, bill, reached[-1]):
        return None
    return _reminder(client, bill, reached[-1], day, missed)


def _off(due_on: date, days: int) -> date:
    """So many days off the due date, within the years that a date can have."""
    try:
        return due_on + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


def _told_upto(client: Client, bill: Bill, days: int) -> bool:
    """Whether this rule's reminder, or a later one's, was claimed; whoever takes a rule away does not bring back earlier ones."""
    if _due_id(bill, days) in client.told:
        return True
    head, tail = f"due/{_quoted(bill.number)}/", f"/{bill.due_on.isoformat()}"
    return any(
        told.startswith(head) and told.endswith(tail) and int(told[len(head) : -len(tail)]) >= days for told in client.told
    )


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    """As a part of an id that holds no slash, so that no two notices can meet."""
    return quote(text, safe="")


def _due_id(bill: Bill, days: int) -> str:
    return f"due/{_quoted(bill.number)}/{days:+d}/{bill.due_on.isoformat()}"


def _reminder(client: Client, bill: Bill, days: int, day: date, missed: bool = False) -> Planned:
    notice_id = _due_id(bill, days)
    return Planned(
        client_id=client.client_id,
        notice_id=notice_id,
        kind=DUE_REMINDER,
        rule=f"due/{days:+d}",
        numbers=(bill.number,),
        currency=bill.currency,
        due_on=bill.due_on,
        day=day,
        balance_minor=bill.to_pay_minor,
        why_not=(OVERTAKEN if _told_upto(client, bill, days) else None)
        or _nobody(client)
        or _paused(client, bill, bill.currency)
        or (None if missed else client.given_up.get(notice_id)),
    )


def _paused(client: Client, bill: Bill, currency: str) -> str | None:
    """Why nobody is asked to pay this now; the balance counts payments received and not yet applied (R4)."""
    account = client.accounts.get(currency, Account(outstanding_minor=0))
    if bill.to_pay_minor <= 0 or account.balance_minor <= 0:
        return PAID
    if client.pending or bill.pending:
        return PAYMENT_PENDING
    if bill.charged_back:
        return CHARGED_BACK
    return BELOW_MINIMUM if account.balance_minor < client.policy.minimum_balance_minor else None


# ---- statements ----


def _statements(client: Client, day: date, missed: bool) -> Iterator[Planned]:
    """One a currency: for the last statement day, however many were missed."""
    on = statement_day(client.policy.statement, day)
    since = client.policy.statement_since
    if on is None or (since is not None and on < since <= day):
        return  # the schedule was said after its day, which it cannot have missed
    for currency, account in sorted(client.accounts.items()):
        began = account.began_on
        if not (_stated_since(client, currency, on) or (began is not None and on < began <= day)):
            yield _statement(client, currency, on, day, missed)


def _stated_since(client: Client, currency: str, on: date) -> bool:
    """Whether this statement, or one of a later day, was claimed."""
    head = f"statement/{_quoted(currency)}/"
    return any(told.startswith(head) and told[len(head) :] >= on.isoformat() for told in client.told)


def _statement_id(currency: str, on: date) -> str:
    return f"statement/{_quoted(currency)}/{on.isoformat()}"


def _statement(client: Client, currency: str, on: date, day: date, missed: bool = False) -> Planned:
    notice_id = _statement_id(currency, on)
    account = client.accounts[currency]
    bills = tuple(
        sorted(
            one.number for one in client.bills if one.currency == currency and one.outstanding_minor > 0 and not one.credit_note
        )
    )
    return Planned(
        client_id=client.client_id,
        notice_id=notice_id,
        kind=STATEMENT,
        rule=statement_rule(client.policy.statement) or "statement",
        numbers=bills,
        currency=currency,
        due_on=None,
        day=day,
        balance_minor=account.balance_minor,
        why_not=(OVERTAKEN if is_next_nearer(client.policy.statement, on, day) else None)
        or _nobody(client)
        or _nothing_to_state(client, account, on)
        or (None if missed else client.given_up.get(notice_id)),
    )


def _nothing_to_state(client: Client, account: Account, on: date) -> str | None:
    before = statement_day(client.policy.statement, on - timedelta(days=1))
    moved = account.moved_on is not None and (before is None or account.moved_on >= before)
    if account.outstanding_minor <= 0 and not moved:
        return NOTHING_TO_SAY
    minimum = client.policy.minimum_balance_minor
    return BELOW_MINIMUM if minimum > 0 and account.balance_minor < minimum else None

"""What a client owes, worked out a second time from the letter of R1-R3, slowly: every sum is added up anew at each look.

It shares nothing with the product: not its types, not its order of working, not its clock arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

NOBODY = "?"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """A client's state; the one in force on a day counts, for the zone and for whether the next invoice takes credit."""

    revision: int
    since: date
    zone: str
    use_credit: bool


@dataclass(frozen=True, kw_only=True)
class Document:
    """An invoice, or a credit note (total below zero) with what it takes back of which invoices."""

    number: str
    currency: str
    issued_on: date
    due_on: date
    total: int
    takes_back: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Payment:
    """A statement that money came."""

    event_id: str
    said_at: datetime
    client: str
    payment: str
    currency: str
    charged: int
    surcharge: int
    at: datetime
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Return:
    """A statement that some of a payment went back."""

    event_id: str
    said_at: datetime
    client: str
    refund: str
    payment: str
    currency: str | None
    amount: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class GivenUp:
    """A write-off."""

    number: str
    currency: str
    amount: int
    on: date


Said = Terms | Document | Payment | Return | GivenUp
Counted = dict[str, tuple[Payment, bool]]
"""Payments that count by their ids, each with whether it pays invoices or is credit until somebody has looked at it."""


@dataclass
class Standing:
    """One currency of one client at the close of a day: `paid` are [source, invoice, amount, day] in the order made."""

    invoices: dict[str, Document] = field(default_factory=dict)
    came: dict[tuple[str, str], int] = field(default_factory=dict)
    back: dict[str, int] = field(default_factory=dict)
    charged: dict[str, int] = field(default_factory=dict)
    whole_back: dict[str, int] = field(default_factory=dict)
    given_up: dict[str, int] = field(default_factory=dict)
    paid: list[tuple[tuple[str, str], str, int, date]] = field(default_factory=list)

    def owed(self, number: str) -> int:
        paid = sum(amount for _, to, amount, _ in self.paid if to == number)
        return self.invoices[number].total - paid - self.given_up.get(number, 0)

    def left(self, source: tuple[str, str]) -> int:
        used = sum(amount for of, _, amount, _ in self.paid if of == source)
        return self.came[source] - used - (self.back.get(source[1], 0) if source[0] == "payment" else 0)

    @property
    def outstanding(self) -> int:
        return sum(self.owed(number) for number in self.invoices)

    @property
    def credit(self) -> int:
        return sum(self.left(source) for source in self.came)

    def ages(self, as_of: date) -> list[int]:
        """Current, 1-30, 31-60, 61-90 and over 90 days past due; overdue starts the day after the due date."""
        found = [0, 0, 0, 0, 0]
        for number, one in self.invoices.items():
            past, bucket = (as_of - one.due_on).days, 0
            for after in (0, 30, 60, 90):
                bucket += past > after
            found[bucket] += self.owed(number)
        return found


@dataclass
class Client:
    """All accounts of one client by currency, and the reasons of what waits by (what, id)."""

    accounts: dict[str, Standing]
    waiting: dict[tuple[str, str], str]


def standing(client: str, said: Sequence[Said], as_of: date = date.max) -> Client:
    """The client's accounts at the close of a day, from all that was ever said, in whatever order."""
    waiting: dict[tuple[str, str], str] = {}
    states = [one for one in said if isinstance(one, Terms)]
    documents = [one for one in said if isinstance(one, Document)]
    payments: dict[str, Payment] = {}
    returns: dict[str, Return] = {}
    unowned: dict[str, Payment] = {}
    returned_by_nobody: dict[str, Return] = {}
    for one in sorted((one for one in said if isinstance(one, Payment | Return)), key=standing_first):
        # Of several statements of one thing the earliest that can be true stands. A return is one of its payment.
        if isinstance(one, Payment):
            (payments if one.client == client else unowned).setdefault(one.payment, one)
        else:
            (returns if one.client == client else returned_by_nobody).setdefault(_name(one), one)
    for name, back in returned_by_nobody.items():
        if not _is_of(back, payments.get(back.payment), unowned.get(back.payment)):
            waiting["refund of nobody", name] = "unmatched_payment"
        elif name not in returns:
            returns[name] = back
    currency_of = {one.number: one.currency for one in documents}

    counted: dict[str, tuple[Payment, bool]] = {}
    for payment in payments.values():
        reason = _why_not(payment, currency_of, bool(states))
        if reason is not None:
            waiting["payment", payment.payment] = reason
        if reason in (None, "wrong_currency", "unknown_client"):
            counted[payment.payment] = (payment, reason is None)
    went_back: list[Return] = []
    for back in returns.values():
        of = payments.get(back.payment)
        if of is None:
            waiting["refund", _name(back)] = "unmatched_payment"
        elif not can_be_true(back):
            waiting["refund", _name(back)] = "impossible_value"
        elif back.currency is not None and back.currency != of.currency:
            waiting["refund", _name(back)] = "wrong_currency"
        elif back.payment in counted:
            went_back.append(back)
        else:
            waiting["refund", _name(back)] = "unmatched_payment"

    accounts: dict[str, Standing] = {}
    for currency in {one.currency for one in documents} | {one.currency for one, _ in counted.values()}:
        own = {name: one for name, one in counted.items() if one[0].currency == currency}
        steps = _steps(currency, said, own, went_back, states)
        accounts[currency] = _account(steps, own, states, as_of, waiting)
    return Client(accounts, waiting)


def can_be_true(one: Payment | Return) -> bool:
    """Money that was charged, of which the surcharge is a part, or that went back; and nobody tells of it before it moved."""
    if one.at > one.said_at + timedelta(days=1):
        return False
    return one.charged > 0 and 0 <= one.surcharge <= one.charged if isinstance(one, Payment) else one.amount >= 0


def standing_first(one: Payment | Return) -> tuple[bool, datetime, str]:
    """The order in which statements of one thing stand: what cannot be true only where nothing else was said."""
    return not can_be_true(one), one.said_at, one.event_id


def _name(one: Return) -> str:
    return f"{one.refund}/{one.payment}"


def _is_of(back: Return, mine: Payment | None, nobodys: Payment | None) -> bool:
    """Whether what went back of nobody's money is of the client's payment: the same that was nobody's, where that was said."""
    if mine is None or not can_be_true(mine) or back.currency not in (None, mine.currency):
        return False
    return nobodys is None or (nobodys.charged, nobodys.currency) == (mine.charged, mine.currency)


def _why_not(one: Payment, currency_of: dict[str, str], known: bool) -> str | None:
    if not can_be_true(one):
        return "impossible_value"
    if not known:
        return "unknown_client"
    named = [currency_of[number] for number in one.names if number in currency_of]
    return "wrong_currency" if named and one.currency not in named else None


def _day(at: datetime, states: Sequence[Terms]) -> date:
    """The client's day: on the clock of the state in force on the UTC day, the first one counting from ever."""
    if not states:
        return at.astimezone(UTC).date()
    return at.astimezone(ZoneInfo(_in_force(at.astimezone(UTC).date(), states).zone)).date()


def _in_force(day: date, states: Sequence[Terms]) -> Terms:
    by_day: dict[date, Terms] = {}
    for one in sorted(states, key=lambda one: one.revision):
        by_day[one.since] = one
    chosen = by_day[min(by_day)]
    for since in sorted(by_day):
        if since <= day:
            chosen = by_day[since]
    return chosen


def _steps(
    currency: str, said: Sequence[Said], own: Counted, went_back: Sequence[Return], states: Sequence[Terms]
) -> list[tuple[date, Said]]:
    """On one day invoices first, then credit notes, then money by its instants, then what is given up."""
    steps: list[tuple[tuple[Any, ...], Said]] = []
    for one in said:
        if isinstance(one, Document) and one.currency == currency:
            steps.append(((one.issued_on, 1 if one.total >= 0 else 2, one.number), one))
        elif isinstance(one, GivenUp) and one.currency == currency:
            steps.append(((one.on, 5, one.number), one))
    for name, (payment, _) in own.items():
        steps.append(((_day(payment.at, states), 4, payment.at, 1, name), payment))
    for back in went_back:
        if back.payment in own:
            came = own[back.payment][0].at
            # Money cannot go back before it came.
            day, at = max((_day(back.at, states), back.at), (_day(came, states), came))
            steps.append(((max(day, _day(came, states)), 4, max(at, came), 2, back.refund, back.payment), back))
    return [(place[0], one) for place, one in sorted(steps, key=lambda step: step[0])]


def _account(
    steps: Sequence[tuple[date, Said]], own: Counted, states: Sequence[Terms], as_of: date, waiting: dict[tuple[str, str], str]
) -> Standing:
    account = Standing()
    instants: dict[tuple[str, str], datetime] = {}
    for day, step in steps:
        if day > as_of:
            break
        if isinstance(step, Document) and step.total >= 0:
            account.invoices[step.number] = step
            for source in sorted(account.came, key=lambda source: (instants[source], source[1])):
                if _takes(step, source, own, states):
                    _pay(account, source, step.number, None, day)
        elif isinstance(step, Document):
            note = ("credit_note", step.number)
            account.came[note], instants[note] = -step.total, datetime(day.year, day.month, day.day, tzinfo=UTC)
            for number, amount in step.takes_back:
                _need_not_be_given_up(account, note, number, amount, waiting)
                _pay(account, note, number, amount, day)
        elif isinstance(step, GivenUp):
            if step.amount > (account.owed(step.number) if step.number in account.invoices else 0):
                waiting["write_off", step.number] = "impossible_value"
            if step.number in account.invoices:
                taken = min(step.amount, account.owed(step.number))
                account.given_up[step.number] = account.given_up.get(step.number, 0) + taken
        elif isinstance(step, Payment):
            source = ("payment", step.payment)
            account.came[source], instants[source] = step.charged - step.surcharge, step.at
            account.charged[step.payment] = step.charged
            by_due = sorted((one.due_on, one.issued_on, one.number) for one in account.invoices.values())
            for number in [*step.names, *(number for _, _, number in by_due)] if own[step.payment][1] else ():
                _pay(account, source, number, None, day)
        elif isinstance(step, Return):
            _give_back(account, step, day, waiting)
    return account


def _takes(invoice: Document, source: tuple[str, str], own: Counted, states: Sequence[Terms]) -> bool:
    """A number unknown before is retried when it is issued; other credit is only taken where the client uses it."""
    use_credit = bool(states) and _in_force(invoice.issued_on, states).use_credit
    if source[0] == "credit_note":
        return use_credit
    payment, pays = own[source[1]]
    return pays and (use_credit or invoice.number in payment.names)


def _pay(account: Standing, source: tuple[str, str], number: str, most: int | None, day: date) -> None:
    if number not in account.invoices:
        return
    amount = min(account.left(source), account.owed(number))
    amount = amount if most is None else min(amount, most)
    if amount > 0:
        account.paid.append((source, number, amount, day))


def _need_not_be_given_up(
    account: Standing, note: tuple[str, str], number: str, amount: int, waiting: dict[tuple[str, str], str]
) -> None:
    """A write-off counts as posted (K2), not as paid: what is credited takes the place of what was given up, never of money.

    Of what a credit takes back of an invoice the open part comes first, then the part given up; only what is left after both
    was paid by somebody, and is credit.
    """
    to_place = min(amount, account.left(note))
    while number in account.invoices and account.given_up.get(number, 0) > 0 and account.owed(number) < to_place:
        account.given_up[number] -= 1
        waiting["write_off", number] = "impossible_value"


def _give_back(account: Standing, one: Return, day: date, waiting: dict[tuple[str, str], str]) -> None:
    """The unapplied rest first, then the newest allocation; what is more than is left of the payment waits."""
    source = ("payment", one.payment)
    charged = account.charged[one.payment]
    if account.whole_back.get(one.payment, 0) + one.amount > charged:
        waiting["refund", _name(one)] = "impossible_value"
    account.whole_back[one.payment] = min(account.whole_back.get(one.payment, 0) + one.amount, charged)
    # What went back of the surcharge is nothing to the client's balance.
    amount = min(one.amount, account.came[source] - account.back.get(one.payment, 0))
    rest = amount - min(amount, account.left(source))
    account.back[one.payment] = account.back.get(one.payment, 0) + amount
    newest = [paid for paid in reversed(account.paid) if paid[0] == source and paid[2] > 0]
    for _, number, _, _ in newest:
        standing = sum(paid for of, to, paid, _ in account.paid if of == source and to == number)
        taken = min(rest, standing)
        if taken > 0:
            account.paid.append((source, number, -taken, day))
            rest -= taken

"""A statement: what stood open before, what happened to the account since by its days, and what is to be paid now."""

from dataclasses import dataclass
from datetime import date, timedelta

from domain.receivables import Account, Movement


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of a statement: what happened, and the balance after it, in minor units.

    `kind` is the movement's; `amount_minor` is negative where it took something off the balance.
    """

    on: date
    kind: str
    reference: str
    due_on: date | None
    of: str | None
    amount_minor: int
    balance_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaid:
    """An invoice of which something is still to be paid; overdue from the day after its due date (R3)."""

    number: str
    issued_on: date
    due_on: date
    total_minor: int
    outstanding_minor: int
    days_overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One account from `since` to the close of `as_of`.

    `balance_minor` is what is outstanding less the credit that pays nothing yet: brought forward plus the entries.
    """

    currency: str
    since: date
    as_of: date
    brought_forward_minor: int
    entries: tuple[Entry, ...]
    balance_minor: int
    outstanding_minor: int
    overdue_minor: int
    unapplied_minor: int
    ages: dict[str, int]
    unpaid: tuple[Unpaid, ...]


def statement_of(account: Account, currency: str, since: date | None, as_of: date) -> Statement:
    """The statement of an account that was settled as of the same day; without `since` from `usual_start` on."""
    start = since if since is not None else usual_start(account, as_of)
    before = sum(moved.amount_minor for moved in account.movements if moved.moved_on < start)
    entries: list[Entry] = []
    balance = before
    for moved in account.movements:
        if moved.moved_on >= start and moved.amount_minor:
            balance += moved.amount_minor
            entries.append(_entry(moved, balance))
    return Statement(
        currency=currency,
        since=start,
        as_of=as_of,
        brought_forward_minor=before,
        entries=tuple(entries),
        balance_minor=balance,
        outstanding_minor=account.outstanding_minor,
        overdue_minor=account.overdue_minor(as_of),
        unapplied_minor=account.unapplied_minor,
        ages=account.ageing(as_of),
        unpaid=_unpaid(account, as_of),
    )


def usual_start(account: Account, as_of: date) -> date:
    """The first of the month before, or earlier: everything that is still open is on the statement."""
    last_month = (as_of.replace(day=1) - timedelta(days=1)).replace(day=1) if as_of.replace(day=1) > date.min else date.min
    issued = [item.document.issued_on for item in account.items.values() if item.outstanding_minor > 0]
    return min([last_month, *issued])


def _entry(moved: Movement, balance_minor: int) -> Entry:
    return Entry(
        on=moved.moved_on,
        kind=moved.kind,
        reference=moved.reference,
        due_on=moved.due_on if moved.kind == "invoice" else None,
        of=moved.of,
        amount_minor=moved.amount_minor,
        balance_minor=balance_minor,
    )


def _unpaid(account: Account, as_of: date) -> tuple[Unpaid, ...]:
    """By due date, the oldest first."""
    found = [item for item in account.items.values() if item.outstanding_minor > 0]
    return tuple(
        Unpaid(
            number=item.document.number,
            issued_on=item.document.issued_on,
            due_on=item.document.due_on,
            total_minor=item.document.total_minor,
            outstanding_minor=item.outstanding_minor,
            days_overdue=max((as_of - item.document.due_on).days, 0),
        )
        for item in sorted(found, key=lambda one: (one.document.due_on, one.document.issued_on, one.document.number))
    )

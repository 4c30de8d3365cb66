"""One client's account as of a day: what is open and how old, every document, every payment with what it pays."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import Cursor

from domain.receivables import Account, OpenItem, Source
from projections import receivables
from projections.balances import Balance
from projections.payment_list import Paid, ReturnRow, returns
from projections.terms import TermsCache


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLine:
    """A document as it stood at the close of the day; a credit note's total is negative and it is never due."""

    number: str
    kind: str
    issued_on: date
    due_on: date | None
    total_minor: int
    outstanding_minor: int
    unapplied_minor: int
    status: str
    days_overdue: int
    pays: tuple[Paid, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLine:
    """A payment as it stood at the close of the day: without its surcharge, which pays no invoice (R1)."""

    payment_id: str
    received_on: date
    amount_minor: int
    surcharge_minor: int
    method: str
    provider_ref: str | None
    returned_minor: int
    unapplied_minor: int
    pays: tuple[Paid, ...]
    returns: tuple[ReturnRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyAccount:
    """The account in one currency; documents and payments are the newest first."""

    currency: str
    balance: Balance
    documents: tuple[DocumentLine, ...]
    payments: tuple[PaymentLine, ...]

    @property
    def open_documents(self) -> tuple[DocumentLine, ...]:
        """What is still to be paid, the oldest due day first."""
        owed = (one for one in self.documents if one.outstanding_minor > 0)
        return tuple(sorted(owed, key=lambda one: (one.due_on or date.max, one.number)))


def client_accounts(cursor: Cursor[Any], client_id: str, as_of: date) -> list[CurrencyAccount]:
    """Every currency in which the client has a document or a payment by that day."""
    client = receivables.load(cursor, [client_id], TermsCache().clients(cursor, [client_id]))[client_id]
    accounts = {currency: client.account(currency, as_of) for currency in client.currencies()}
    said = {
        row[0]: row[1:]
        for row in cursor.execute(
            "SELECT payment_id, surcharge_minor, method, provider_ref FROM payments WHERE client_id = %s", (client_id,)
        ).fetchall()
    }
    back: dict[str, list[ReturnRow]] = {}
    for one in returns(cursor, client_id=client_id):
        if one.waiting is None and one.returned_at.date() <= as_of:
            back.setdefault(one.payment_id, []).append(one)
    row = cursor.execute("SELECT name FROM clients WHERE client_id = %s", (client_id,)).fetchone()
    name = row[0] if row is not None else client_id
    return [
        CurrencyAccount(
            currency=currency,
            balance=_balance(client_id, name, currency, account, as_of),
            documents=tuple(sorted(_documents(account, as_of), key=lambda one: (one.issued_on, one.number), reverse=True)),
            payments=tuple(
                sorted(_payments(account, said, back), key=lambda one: (one.received_on, one.payment_id), reverse=True)
            ),
        )
        for currency, account in accounts.items()
        if account.items or account.sources
    ]


def _balance(client_id: str, name: str, currency: str, account: Account, as_of: date) -> Balance:
    ages = {f"{age}_minor": amount for age, amount in account.ageing(as_of).items()}
    return Balance(
        client_id=client_id,
        client_name=name,
        currency=currency,
        outstanding_minor=account.outstanding_minor,
        overdue_minor=account.overdue_minor(as_of),
        unapplied_minor=account.unapplied_minor,
        **ages,
    )


def _documents(account: Account, as_of: date) -> Iterator[DocumentLine]:
    for item in account.items.values():
        yield _invoice(item, as_of)
    for (kind, _), source in account.sources.items():
        if kind == "credit_note":
            yield _note(source)


def _invoice(item: OpenItem, as_of: date) -> DocumentLine:
    overdue = (as_of - item.document.due_on).days if item.outstanding_minor > 0 else 0
    return DocumentLine(
        number=item.document.number, kind="invoice", issued_on=item.document.issued_on, due_on=item.document.due_on,
        total_minor=item.document.total_minor, outstanding_minor=item.outstanding_minor, unapplied_minor=0, status=item.status,
        days_overdue=max(overdue, 0),
    )  # fmt: skip


def _note(source: Source) -> DocumentLine:
    return DocumentLine(
        number=source.name, kind="credit_note", issued_on=source.day, due_on=None, total_minor=-source.amount_minor,
        outstanding_minor=0, unapplied_minor=source.unapplied_minor, status="open" if source.unapplied_minor else "settled",
        days_overdue=0, pays=_pays(source),
    )  # fmt: skip


def _payments(account: Account, said: dict[str, tuple[Any, ...]], back: dict[str, list[ReturnRow]]) -> Iterator[PaymentLine]:
    for (kind, name), source in account.sources.items():
        if kind == "payment" and name in said:
            surcharge, method, reference = said[name]
            yield PaymentLine(
                payment_id=name, received_on=source.day, amount_minor=source.amount_minor, surcharge_minor=surcharge,
                method=method, provider_ref=reference, returned_minor=source.returned_minor,
                unapplied_minor=source.unapplied_minor, pays=_pays(source), returns=tuple(back.get(name, ())),
            )  # fmt: skip


def _pays(source: Source) -> tuple[Paid, ...]:
    return tuple(Paid(number=number, amount_minor=amount) for number, amount in source.allocated.items())

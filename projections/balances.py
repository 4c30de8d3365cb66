"""Outstanding balances: what each client owes in each currency as of any day, how old it is, and the credit beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import Cursor

from domain.receivables import Account
from projections import receivables
from projections.terms import TermsCache

CLIENTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One client's account in one currency at the close of a day, in minor units (product R2, R3).

    Credit that pays nothing yet stands beside what is outstanding and is not taken off it.
    """

    client_id: str
    client_name: str
    currency: str
    outstanding_minor: int
    overdue_minor: int
    unapplied_minor: int
    current_minor: int
    days_1_30_minor: int
    days_31_60_minor: int
    days_61_90_minor: int
    days_over_90_minor: int


def balances(cursor: Cursor[Any], as_of: date, client_id: str | None = None) -> list[Balance]:
    """Every account with a document or a payment by that day, by client name and currency."""
    rows = cursor.execute(
        "SELECT a.client_id, coalesce(c.name, a.client_id)"
        " FROM (SELECT client_id FROM invoices UNION SELECT client_id FROM payments) a"
        " LEFT JOIN clients c USING (client_id) WHERE a.client_id <> %s AND (%s::text IS NULL OR a.client_id = %s)",
        (receivables.UNKNOWN_PAYER, client_id, client_id),
    ).fetchall()
    names: dict[str, str] = dict(rows)
    found = sorted(names, key=lambda one: (names[one].lower(), one))
    cache = TermsCache()
    return [
        one
        for start in range(0, len(found), CLIENTS_AT_ONCE)
        for one in _balances(cursor, found[start : start + CLIENTS_AT_ONCE], names, cache, as_of)
    ]


def _balances(
    cursor: Cursor[Any], client_ids: Sequence[str], names: dict[str, str], cache: TermsCache, as_of: date
) -> list[Balance]:
    clients = receivables.load(cursor, client_ids, cache.clients(cursor, client_ids))
    return [
        _balance(client_id, names[client_id], currency, account, as_of)
        for client_id, client in clients.items()
        for currency in client.currencies()
        if (account := client.account(currency, as_of)).items or account.sources
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

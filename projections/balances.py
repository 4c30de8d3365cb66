"""Outstanding balances: what each client owes in each currency as of any day, how old it is, and the credit beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from psycopg import Cursor

from domain.receivables import Account
from projections import receivables, work
from projections.terms import TermsCache

CLIENTS_AT_ONCE: Final = 500


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
    """Every account with a document or a payment by that day, by client name and currency.

    The tables answer for a client to whom nothing happened after that day; the history of any other is settled up to it.
    """
    later = _later(cursor, as_of, client_id)
    found = [*_standing(cursor, as_of, client_id, later), *_settled(cursor, as_of, later)]
    return sorted(found, key=lambda one: (one.client_name.lower(), one.client_id, one.currency))


def unapplied_minor(cursor: Cursor[Any], as_of: date, client_id: str, currency: str) -> int:
    """The credit of one account that pays nothing at the close of a day."""
    return sum(one.unapplied_minor for one in balances(cursor, as_of, client_id) if one.currency == currency)


_LATER: Final = """
    WITH seen AS (SELECT coalesce((SELECT position FROM positions WHERE view = %(view)s), 0) AS position)
    SELECT DISTINCT a.client_id FROM (
        SELECT client_id FROM settled WHERE last_on > %(as_of)s
        UNION ALL SELECT i.client_id FROM invoices i, seen WHERE i.position > seen.position
        UNION ALL SELECT w.client_id FROM write_offs w, seen WHERE w.position > seen.position
    ) a WHERE a.client_id <> %(nobody)s AND (%(client)s::text IS NULL OR a.client_id = %(client)s)
"""


def _later(cursor: Cursor[Any], as_of: date, client_id: str | None) -> list[str]:
    """Clients of whom the tables know more than the day, or less than what was decided a moment ago."""
    given = {"as_of": as_of, "client": client_id, "nobody": receivables.UNKNOWN_PAYER, "view": work.NAME}
    return sorted(found for (found,) in cursor.execute(_LATER, given).fetchall())


_STANDING: Final = """
    SELECT s.client_id, coalesce(c.name, s.client_id), s.currency, coalesce(o.outstanding, 0), coalesce(o.overdue, 0),
        coalesce(u.unapplied, 0), coalesce(o.current, 0), coalesce(o.days_30, 0), coalesce(o.days_60, 0),
        coalesce(o.days_90, 0), coalesce(o.older, 0)
    FROM settled s LEFT JOIN clients c ON c.client_id = s.client_id LEFT JOIN (
        SELECT client_id, currency, sum(outstanding_minor)::bigint AS outstanding,
            (sum(outstanding_minor) FILTER (WHERE due_on < %(as_of)s))::bigint AS overdue,
            (sum(outstanding_minor) FILTER (WHERE due_on >= %(as_of)s))::bigint AS current,
            (sum(outstanding_minor) FILTER (WHERE %(as_of)s - due_on BETWEEN 1 AND 30))::bigint AS days_30,
            (sum(outstanding_minor) FILTER (WHERE %(as_of)s - due_on BETWEEN 31 AND 60))::bigint AS days_60,
            (sum(outstanding_minor) FILTER (WHERE %(as_of)s - due_on BETWEEN 61 AND 90))::bigint AS days_90,
            (sum(outstanding_minor) FILTER (WHERE %(as_of)s - due_on > 90))::bigint AS older
        FROM open_items WHERE outstanding_minor > 0 AND (%(client)s::text IS NULL OR client_id = %(client)s) GROUP BY 1, 2
    ) o ON o.client_id = s.client_id AND o.currency = s.currency LEFT JOIN (
        SELECT client_id, currency, sum(unapplied_minor)::bigint AS unapplied
        FROM credits WHERE unapplied_minor > 0 AND (%(client)s::text IS NULL OR client_id = %(client)s) GROUP BY 1, 2
    ) u ON u.client_id = s.client_id AND u.currency = s.currency
    WHERE s.client_id <> %(nobody)s AND (%(client)s::text IS NULL OR s.client_id = %(client)s)
        AND NOT EXISTS (SELECT FROM unnest(%(later)s::text[]) l (client_id) WHERE l.client_id = s.client_id)
"""


def _standing(cursor: Cursor[Any], as_of: date, client_id: str | None, later: Sequence[str]) -> list[Balance]:
    given = {"as_of": as_of, "client": client_id, "nobody": receivables.UNKNOWN_PAYER, "later": list(later)}
    return [
        Balance(
            client_id=r[0], client_name=r[1], currency=r[2], outstanding_minor=r[3], overdue_minor=r[4], unapplied_minor=r[5],
            current_minor=r[6], days_1_30_minor=r[7], days_31_60_minor=r[8], days_61_90_minor=r[9], days_over_90_minor=r[10],
        )
        for r in cursor.execute(_STANDING, given).fetchall()
    ]  # fmt: skip


def _settled(cursor: Cursor[Any], as_of: date, client_ids: Sequence[str]) -> Iterator[Balance]:
    cache = TermsCache()
    for start in range(0, len(client_ids), CLIENTS_AT_ONCE):
        some = client_ids[start : start + CLIENTS_AT_ONCE]
        terms = cache.clients(cursor, some)
        for client_id, client in receivables.load(cursor, some, terms).items():
            latest = terms[client_id].latest
            for currency in client.currencies():
                if (account := client.account(currency, as_of)).items or account.sources:
                    yield _balance(client_id, latest.name if latest is not None else client_id, currency, account, as_of)


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

"""Accounts carried on from where they stand: what a payment costs does not grow with all that its client ever paid.

Only what comes after all that is settled can be carried on, by the very rules that settle an account anew.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from psycopg import Cursor

from domain.receivables import Account, return_name
from domain.settling import carry_on
from projections.charges import waiting_row
from projections.receivables import (
    Client,
    Key,
    New,
    allocation_rows,
    columns,
    credit_rows,
    excess,
    item_rows,
    load_new,
    settled_rows,
)
from projections.receivables_stands import Stands, stands
from projections.returned import Key as ReturnKey
from projections.tables import ALLOCATIONS, CREDITS, OPEN_ITEMS, SETTLED, WAITING, Table, copy_in, delete_keys, replace_rows
from projections.terms import TermsCache

Row = tuple[Any, ...]


def carry(cursor: Cursor[Any], new: New, client_ids: Sequence[str], cache: TermsCache) -> set[str]:
    """Brings the accounts of some clients on by what is new; gives those that have to be settled anew instead."""
    meant = set(client_ids)
    new.payments = {key for key in new.payments if key[0] in meant}
    new.returns = {key for key in new.returns if key[0] in meant} | _returns_of(cursor, new.payments)
    clients = load_new(cursor, new, client_ids, cache.clients(cursor, client_ids))
    found, unclear = stands(cursor, clients)
    anew = unclear | _named_before(cursor, clients) | {one.client_id for one in found if not one.is_later}
    kept = [one for one in found if one.client_id not in anew]
    _carry_on(cursor, kept)
    _wait(cursor, new, {client_id: one for client_id, one in clients.items() if client_id not in anew}, kept)
    return anew


def _returns_of(cursor: Cursor[Any], payments: Iterable[Key]) -> set[ReturnKey]:
    """Returns that were said before their payments."""
    keys = sorted(payments)
    if not keys:
        return set()
    rows = cursor.execute(
        "SELECT r.client_id, r.refund_id, r.payment_id FROM returns r JOIN unnest(%s::text[], %s::text[]) AS k(c, p)"
        " ON r.client_id = k.c AND r.payment_id = k.p",
        columns(keys),
    ).fetchall()
    return set(rows)


def _named_before(cursor: Cursor[Any], clients: Mapping[str, Client]) -> set[str]:
    """Clients of whom a payment counts otherwise now: it names a new document, and is in another currency or waits."""
    named = [
        (client_id, currency, one.number)
        for client_id, client in clients.items()
        for currency, found in client.documents.items()
        for one in found
    ]
    if not named:
        return set()
    rows = cursor.execute(
        "SELECT DISTINCT p.client_id FROM unnest(%s::text[], %s::text[], %s::text[]) AS d(client_id, currency, number)"
        " JOIN payments p ON p.invoice_numbers @> ARRAY[d.number] AND p.client_id = d.client_id"
        " WHERE p.currency <> d.currency OR EXISTS (SELECT FROM waiting w"
        " WHERE w.client_id = p.client_id AND w.what = 'payment' AND w.id = p.payment_id)",
        [list(column) for column in zip(*named, strict=True)],
    ).fetchall()
    return {client_id for (client_id,) in rows}


def _carry_on(cursor: Cursor[Any], kept: Sequence[Stands]) -> None:
    """Settles what happens, and writes the rows that it changes."""
    items = _changes(kept, item_rows)
    credits = _changes(kept, credit_rows)
    for one in kept:
        carry_on(one.account, one.happened)
    _put(cursor, OPEN_ITEMS, items())
    _put(cursor, CREDITS, credits())
    parts = [(one.client_id, one.currency, one.account, one.allocations) for one in kept]
    _put(cursor, SETTLED, [row for part in parts for row in settled_rows(*part)])
    _add(cursor, ALLOCATIONS, [row for part in parts for row in allocation_rows(*part)])


def _changes(kept: Sequence[Stands], rows_of: Callable[[str, str, Account], Iterable[Row]]) -> Callable[[], list[Row]]:
    """What gives, later, the rows that are others by then."""

    def rows() -> list[Row]:
        return [row for one in kept for row in rows_of(one.client_id, one.currency, one.account)]

    before = set(rows())
    return lambda: [row for row in rows() if row not in before]


def _put(cursor: Cursor[Any], table: Table, rows: Sequence[Row]) -> None:
    if rows:
        replace_rows(cursor, table, [row[: table.keys] for row in rows], rows)


def _add(cursor: Cursor[Any], table: Table, rows: Sequence[Row]) -> None:
    if rows:
        copy_in(cursor, table, rows)


def _wait(cursor: Cursor[Any], new: New, clients: Mapping[str, Client], kept: Sequence[Stands]) -> None:
    """Lists what of it waits, and no longer what waited before."""
    said = [(client_id, "payment", payment_id) for client_id, payment_id in new.payments]
    said += [(client_id, "refund", return_name(refund_id, payment_id)) for client_id, refund_id, payment_id in new.returns]
    delete_keys(cursor, WAITING, sorted(key for key in said if key[0] in clients))
    waiting = [one for client in clients.values() for one in client.waiting]
    waiting += [w for one in kept for w in excess(one.client_id, clients[one.client_id], one.account)]
    # Of several write-offs of more than was left the first is listed, and it was before these.
    given_up = [(one.client_id, one.what, one.id) for one in waiting if one.what == "write_off"]
    listed = _listed(cursor, given_up)
    _add(cursor, WAITING, [waiting_row(one) for one in waiting if (one.client_id, one.what, one.id) not in listed])


def _listed(cursor: Cursor[Any], keys: Sequence[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    if not keys:
        return set()
    rows = cursor.execute(
        "SELECT client_id, what, id FROM waiting WHERE (client_id, what, id)"
        " IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]))",
        [list(column) for column in zip(*keys, strict=True)],
    ).fetchall()
    return set(rows)

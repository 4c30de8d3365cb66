"""How an account stands, read from its tables: only what something new can change, however long its history."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from psycopg import Cursor

from domain.receivables import Account, Issued, OpenItem, Place, Received, Source, WrittenOff
from domain.settling import EVER, Happened, in_order, place
from projections.receivables import Client, Key, columns


@dataclass(slots=True)
class Stands:
    """One account, how far it is settled and with how many allocations, and what happens to it now, in order."""

    client_id: str
    currency: str
    happened: Sequence[Happened]
    account: Account
    last: Place | None = None
    allocations: int = 0

    @property
    def is_later(self) -> bool:
        """All that happens comes after all that is settled."""
        return self.last is not None and place(self.happened[0]) > self.last


def stands(cursor: Cursor[Any], clients: Mapping[str, Client]) -> tuple[list[Stands], set[str]]:
    """The accounts to which something happens, and the clients of whom the tables cannot say how they stand."""
    sources = _sources(cursor, clients)
    by_client: dict[str, list[tuple[str, Source]]] = {}
    for client_id, currency, source in sources:
        by_client.setdefault(client_id, []).append((currency, source))
    found = {
        (client_id, one.currency): one
        for client_id, client in clients.items()
        for one in _happening(client_id, client, by_client.get(client_id, ()))
    }
    _allocations(cursor, found)
    _places(cursor, found)
    _items(cursor, found)
    # What went back beside the whole amount is not in the tables.
    unclear = {client_id for client_id, _, one in sources if one.surcharge_minor and one.returned_minor >= one.amount_minor}
    return list(found.values()), unclear


def _happening(client_id: str, client: Client, sources: Sequence[tuple[str, Source]]) -> Iterator[Stands]:
    paid = {source.name: (currency, source) for currency, source in sources if source.kind == "payment"}
    currency_of = {name: currency for name, (currency, _) in paid.items()}
    currency_of |= {one.payment_id: currency for currency, new in client.payments.items() for one in new}
    came = {name: (source.day, source.at) for name, (_, source) in paid.items()}
    for currency in sorted({*client.currencies(), *currency_of.values(), *client.write_offs}):
        returns = [one for one in client.returns if currency_of.get(one.payment_id) == currency]
        said = (client.documents.get(currency, ()), client.payments.get(currency, ()))
        happened = in_order(*said, returns, client.write_offs.get(currency, ()), came)
        if happened:
            account = Account()
            for of, one in sources:
                if of == currency:
                    account.add_source(one)
            yield Stands(client_id, currency, happened, account)


_SOURCES: Final = """
    WITH returned AS (SELECT * FROM unnest(%s::text[], %s::text[]) AS r (client_id, source)),
    issued AS (SELECT * FROM unnest(%s::text[], %s::text[]) AS i (client_id, number)),
    using_credit AS (SELECT * FROM unnest(%s::text[], %s::text[]) AS u (client_id, currency)),
    wanted AS (
        SELECT client_id, source FROM returned
        UNION SELECT p.client_id, p.payment_id FROM issued i
            JOIN payments p ON p.invoice_numbers @> ARRAY[i.number] AND p.client_id = i.client_id
        UNION SELECT c.client_id, c.source FROM using_credit u
            JOIN credits c ON c.client_id = u.client_id AND c.currency = u.currency AND c.unapplied_minor > 0
    )
    SELECT c.client_id, c.currency, c.source, c.kind, c.pays_minor, c.received_on, p.received_at,
        coalesce(p.invoice_numbers, '{}'), w.id IS NULL, c.returned_minor, coalesce(p.surcharge_minor, 0)
    FROM wanted JOIN credits c USING (client_id, source)
    LEFT JOIN payments p ON c.kind = 'payment' AND p.client_id = c.client_id AND p.payment_id = c.source
    LEFT JOIN waiting w ON c.kind = 'payment' AND w.client_id = c.client_id AND w.what = 'payment' AND w.id = c.source
"""


def _sources(cursor: Cursor[Any], clients: Mapping[str, Client]) -> list[tuple[str, str, Source]]:
    """(client, currency, source): what goes back, what named a new invoice, and credit where it is used."""
    returned = sorted({(client_id, one.payment_id) for client_id, client in clients.items() for one in client.returns})
    invoices = [
        (client_id, currency, one)
        for client_id, client in clients.items()
        for currency, found in client.documents.items()
        for one in found
        if one.total_minor >= 0
    ]
    if not returned and not invoices:
        return []
    issued = [(client_id, one.number) for client_id, _, one in invoices]
    using = sorted({(client_id, currency) for client_id, currency, one in invoices if one.takes_credit})
    rows = cursor.execute(_SOURCES, [*columns(returned), *columns(issued), *columns(using)]).fetchall()
    return [
        (client_id, currency, Source(name, kind, amount, day, at or _midnight(day), tuple(named), pays, back, beside))
        for client_id, currency, name, kind, amount, day, at, named, pays, back, beside in rows
    ]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _allocations(cursor: Cursor[Any], found: Mapping[Key, Stands]) -> None:
    """What each source pays, in the order in which it came to pay it."""
    sources = {
        (client_id, currency, source.kind, source.name): source
        for (client_id, currency), one in found.items()
        for source in one.account.sources.values()
    }
    if not sources:
        return
    rows = cursor.execute(
        "SELECT a.client_id, a.currency, a.kind, a.source, a.number, a.amount_minor FROM allocations a"
        " JOIN unnest(%s::text[], %s::text[]) AS k(c, s) ON a.client_id = k.c AND a.source = k.s ORDER BY a.allocation_no",
        columns(sorted({(client_id, name) for client_id, _, _, name in sources})),
    ).fetchall()
    for client_id, currency, kind, name, number, amount in rows:
        if (source := sources.get((client_id, currency, kind, name))) is not None:
            source.book(number, amount)


def _places(cursor: Cursor[Any], found: Mapping[Key, Stands]) -> None:
    if not found:
        return
    rows = cursor.execute(
        "SELECT s.client_id, s.currency, last_on, last_rank, last_at, last_step, last_name, allocations FROM settled s"
        " JOIN unnest(%s::text[], %s::text[]) AS k(c, i) ON s.client_id = k.c AND s.currency = k.i",
        columns(list(found)),
    ).fetchall()
    for client_id, currency, day, rank, at, step, name, allocations in rows:
        one = found[client_id, currency]
        one.last, one.allocations = (day, rank, EVER if at is None else at, step, name), allocations


_ITEMS: Final = """
    WITH paid AS (SELECT * FROM unnest(%s::text[], %s::text[]) AS p (client_id, currency)),
    named AS (SELECT * FROM unnest(%s::text[], %s::text[]) AS n (client_id, number)),
    wanted AS (
        SELECT o.client_id, o.number FROM paid JOIN open_items o USING (client_id, currency) WHERE o.outstanding_minor > 0
        UNION SELECT client_id, number FROM named
    )
    SELECT client_id, currency, number, issued_on, due_on, total_minor, applied_minor, written_off_minor, settled_on
    FROM wanted JOIN open_items USING (client_id, number)
"""


def _items(cursor: Cursor[Any], found: Mapping[Key, Stands]) -> None:
    """What is open where money comes; and what a credit note corrects, is given up, or is paid by something that goes back."""
    paid = [key for key, one in found.items() if any(isinstance(happened, Received) for happened in one.happened)]
    named = sorted({(client_id, number) for (client_id, _), one in found.items() for number in _named(one)})
    if not paid and not named:
        return
    for row in cursor.execute(_ITEMS, [*columns(paid), *columns(named)]).fetchall():
        client_id, currency, number, issued_on, due_on, total_minor, applied_minor, written_off_minor, settled_on = row
        if (one := found.get((client_id, currency))) is not None:
            document = Issued(number=number, issued_on=issued_on, due_on=due_on, total_minor=total_minor)
            one.account.add_item(OpenItem(document, applied_minor, written_off_minor, settled_on))


def _named(one: Stands) -> Iterator[str]:
    for happened in one.happened:
        if isinstance(happened, Issued):
            yield from (number for number, _ in happened.corrects)
        elif isinstance(happened, WrittenOff):
            yield happened.number
    for source in one.account.sources.values():
        yield from source.allocated

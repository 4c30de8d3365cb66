"""What a run leaves in the queue: lines that somebody holds, time that nobody has approved, and what something stops."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from psycopg import Cursor

from domain.terms import ClientTerms
from projections.charges import net_minors
from projections.decisions import business_day
from projections.rating import rate_clients
from projections.terms import TermsCache, load_clients
from projections.time_list import MONEY, UNAPPROVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One client's held lines in one currency; `client` is its name."""

    client: str
    currency: str
    lines: int
    net_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unapproved:
    """One client's undecided minutes; `client` is its name."""

    client: str
    minutes: int


def held(cursor: Cursor[Any], as_of: date, client_ids: Sequence[str] | None = None) -> list[Held]:
    """What is held of that which is due as of a day, of some clients or of all, by client.

    For another day than the open one only clients with holds are rated: the queue itself would rate everybody.
    """
    rows = cursor.execute(
        "SELECT h.client_id, h.item_key, coalesce(c.name, h.client_id) FROM holds h LEFT JOIN clients c USING (client_id)"
        " WHERE %(ids)s::text[] IS NULL OR h.client_id = ANY(%(ids)s)",
        {"ids": list(client_ids) if client_ids is not None else None},
    ).fetchall()
    keys = {(client_id, key) for client_id, key, _ in rows}
    names = {client_id: name for client_id, _, name in rows}
    lines = _open_day(cursor, as_of) if business_day(cursor) == as_of else _rated(cursor, as_of, sorted(names))
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for client_id, key, currency, net_minor in lines:
        if (client_id, key) in keys:
            count, total = sums.get((client_id, currency), (0, 0))
            sums[client_id, currency] = (count + 1, total + net_minor)
    found = [Held(client=names[id_], currency=currency, lines=n, net_minor=net) for (id_, currency), (n, net) in sums.items()]
    return sorted(found, key=lambda one: (one.client, one.currency))


def _open_day(cursor: Cursor[Any], as_of: date) -> Iterable[tuple[str, str, str, int]]:
    return cursor.execute(
        "SELECT client_id, item_key, currency, net_minor FROM due_lines JOIN holds USING (client_id, item_key)"
        " WHERE due_on <= %s",
        (as_of,),
    ).fetchall()


def _rated(cursor: Cursor[Any], as_of: date, client_ids: Sequence[str]) -> Iterable[tuple[str, str, str, int]]:
    cache = TermsCache()
    for client_id in client_ids:
        for one in rate_clients(cursor, cache, [client_id], as_of):
            terms, catalogue = cache.clients(cursor, [client_id])[client_id], cache.catalogue(cursor)
            for key, due in one.due.items():
                for line, net in zip(due, net_minors(due, terms, catalogue, as_of), strict=True):
                    if line.due_on <= as_of:
                        yield client_id, key, line.line.currency, net


def unapproved(cursor: Cursor[Any], as_of: date, client_ids: Sequence[str] | None = None) -> list[Unapproved]:
    """Time worked by a day that is not decided yet, of some clients or of all, by client."""
    rows = cursor.execute(
        "SELECT coalesce(c.name, w.client_id), sum(w.minutes) FROM waiting w LEFT JOIN clients c USING (client_id)"
        " WHERE w.reason IN ('awaiting_approval', 'amended_after_invoicing') AND w.served_on <= %(as_of)s"
        " AND (%(ids)s::text[] IS NULL OR w.client_id = ANY(%(ids)s))"
        " GROUP BY w.client_id, c.name HAVING sum(w.minutes) > 0"
        ' ORDER BY coalesce(c.name, w.client_id) COLLATE "C", w.client_id COLLATE "C"',
        {"as_of": as_of, "ids": list(client_ids) if client_ids is not None else None},
    ).fetchall()
    return [Unapproved(client=name, minutes=int(minutes)) for name, minutes in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """One thing of a client that no run bills before somebody settles what stops it; `client` is its name.

    `contract_id` is a contract line's; `no_tax_code` where neither the line nor the client names any.
    """

    client_id: str
    client: str
    what: str
    id: str
    reason: str
    contract_id: str = ""
    no_tax_code: bool = False


def stuck(cursor: Cursor[Any], client_ids: Sequence[str], limit: int) -> list[Stuck]:
    """What of some clients is stuck, by client, at most so many: money that waits stops no invoice."""
    rows = cursor.execute(
        "SELECT w.client_id, coalesce(c.name, w.client_id), w.what, w.id, w.reason FROM waiting w"
        " LEFT JOIN clients c USING (client_id)"
        " WHERE w.client_id = ANY(%s) AND w.reason <> ALL(%s) AND w.what <> ALL(%s)"
        ' ORDER BY 2, w.client_id COLLATE "C", w.what, w.since, w.id COLLATE "C" LIMIT %s',
        (list(client_ids), list(UNAPPROVED), list(MONEY), limit),
    ).fetchall()
    terms = load_clients(cursor, sorted({row[0] for row in rows if row[2] == "contract_line"}))
    return [_stuck(row, terms.get(row[0])) for row in rows]


def _stuck(row: tuple[str, ...], terms: ClientTerms | None) -> Stuck:
    client_id, client, what, id_, reason = row
    made = Stuck(client_id=client_id, client=client, what=what, id=id_, reason=reason)
    for contract_id, states in terms.contracts.items() if terms is not None else ():
        lines = [line for line in states.states[-1].lines if f"{contract_id}/{line.line_id}" == id_]
        if what == "contract_line" and lines:
            own = terms.latest.tax_code if terms is not None and terms.latest is not None else None
            none = reason == "unknown_tax_code" and own is None and all(line.tax_code is None for line in lines)
            return replace(made, contract_id=contract_id, no_tax_code=none)
    return made

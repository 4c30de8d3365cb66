"""What a run would issue: what is due to some clients in one snapshot, taxed, totalled, compared with what was confirmed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import Cursor

from domain.contract_terms import client_fault
from domain.difference import DueLine
from domain.invoice import Draft, NoTax, draft
from domain.terms import Catalogue, ClientTerms
from projections import charges, decisions
from projections.rating import rate_clients
from projections.terms import TermsCache, load_catalogue, load_clients
from runs.outcome import Confirmed, Refusal


@dataclass(frozen=True, slots=True)
class Seen:
    """What rating saw in one snapshot, taken after the locks."""

    position: int
    catalogue: Catalogue
    terms: dict[str, ClientTerms]
    due: dict[str, list[DueLine]]


def position(cursor: Cursor[Any]) -> int:
    """How far the views have come in this snapshot."""
    row = cursor.execute("SELECT coalesce(max(position), 0) FROM positions").fetchone()
    assert row is not None
    return int(row[0])


def look(cursor: Cursor[Any], client_ids: Sequence[str], as_of: date) -> Seen:
    """What is due to some clients, held items left out; for the open day from the view, else rated here and now."""
    # A few hundred rows by key: starting helper processes for them would take longer than reading them.
    cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
    held = {
        (client_id, key)
        for client_id, key in cursor.execute(
            "SELECT client_id, item_key FROM holds WHERE client_id = ANY(%s)", (list(client_ids),)
        ).fetchall()
    }
    due: dict[str, list[DueLine]] = {client_id: [] for client_id in client_ids}
    for client_id, line in _due_lines(cursor, client_ids, as_of):
        if line.due_on <= as_of and (client_id, line.item_key) not in held:
            due[client_id].append(line)
    return Seen(position(cursor), load_catalogue(cursor), load_clients(cursor, client_ids), due)


def _due_lines(cursor: Cursor[Any], client_ids: Sequence[str], as_of: date) -> Iterable[tuple[str, DueLine]]:
    if decisions.business_day(cursor) == as_of:
        rows = cursor.execute(
            "SELECT client_id, line FROM due_lines WHERE client_id = ANY(%s) AND due_on <= %s"
            " ORDER BY client_id, item_key, line_no",
            (list(client_ids), as_of),
        ).fetchall()
        for client_id, line in rows:
            yield client_id, charges.due_line(line)
        return
    for one in rate_clients(cursor, TermsCache(), client_ids, as_of):
        for key in sorted(one.due):
            for line in one.due[key]:
                yield one.client_id, line


def drafts_of(client_id: str, seen: Seen, as_of: date, refused: list[Refusal]) -> list[Draft]:
    """A client's documents, one a currency; what cannot be taxed is refused with the reason."""
    by_currency: dict[str, list[DueLine]] = {}
    for line in seen.due[client_id]:
        by_currency.setdefault(line.line.currency, []).append(line)
    terms = seen.terms[client_id]
    if not by_currency or terms.latest is None:
        return []
    client = terms.states.first_or_on(as_of)
    fault = client_fault(client) or client_fault(terms.latest)
    made = []
    for currency in sorted(by_currency):
        try:
            if fault is not None:
                raise NoTax(fault)
            made.append(
                draft(
                    by_currency[currency],
                    client=client,
                    terms_days=terms.latest.payment_terms_days,
                    catalogue=seen.catalogue,
                    issued_on=as_of,
                )
            )
        except NoTax:
            refused.append(Refusal(client_id=client_id, currency=currency, reason=fault or "unknown_tax_code"))
    return made


def confirmed_drafts(
    client_ids: Sequence[str], seen: Seen, as_of: date, confirmed: Confirmed | None, refused: list[Refusal]
) -> list[Draft]:
    """The drafts to issue: a client of whom any figure is not the one confirmed is refused whole."""
    saw: dict[str, dict[tuple[str, str], int]] = {}
    for key, net_minor in (confirmed or {}).items():
        saw.setdefault(key[0], {})[key] = net_minor
    drafts: list[Draft] = []
    for client_id in client_ids:
        made = drafts_of(client_id, seen, as_of, refused)
        now = {(d.client_id, d.currency): d.net_minor for d in made}
        if confirmed is None or now == saw.get(client_id, {}):
            drafts += made
        else:
            refused += _changed(now, saw.get(client_id, {}))
    return drafts


def _changed(now: dict[tuple[str, str], int], saw: dict[tuple[str, str], int]) -> list[Refusal]:
    return [
        Refusal(
            client_id=client_id,
            currency=currency,
            reason="changed",
            confirmed_minor=saw.get((client_id, currency)),
            now_minor=now.get((client_id, currency)),
        )
        for client_id, currency in sorted(now.keys() | saw.keys())
        if now.get((client_id, currency)) != saw.get((client_id, currency))
    ]

"""The charges, due lines and waiting views: what each billable item is worth, what is due of it, and what is in the way."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from urllib.parse import unquote

import msgspec
from psycopg import Cursor

from domain.contract_terms import client_fault
from domain.difference import DueLine
from domain.invoice import NoTax, nets_of
from domain.money import split, tax_within
from domain.rate_seats import SEATS
from domain.rated import RatedItem, Waiting
from domain.tax import tax_for
from domain.terms import Catalogue, ClientTerms
from projections.rating import ClientCharges
from projections.tables import CHARGES, DUE_LINES, SEAT_CHARGES, WAITING, Table, copy_in, delete_keys

TABLES: tuple[Table, ...] = (CHARGES, DUE_LINES, SEAT_CHARGES, WAITING)

_encode = msgspec.json.Encoder(decimal_format="string").encode
_decode = msgspec.json.Decoder(DueLine).decode


def due_line(state: bytes) -> DueLine:
    """A due line as the view keeps it."""
    return _decode(state)


def clear_clients(cursor: Cursor[Any], client_ids: Sequence[str]) -> None:
    """Takes out everything of some clients, before it is rated anew."""
    for table in TABLES:
        delete_keys(cursor, table, [(client_id,) for client_id in client_ids])


def clear_items(cursor: Cursor[Any], items: Sequence[tuple[str, str]], entries: Sequence[tuple[str, str]]) -> None:
    """Takes out some items, and what was waiting of some entries."""
    delete_keys(cursor, CHARGES, items)
    delete_keys(cursor, DUE_LINES, items)
    delete_keys(cursor, SEAT_CHARGES, items)
    delete_keys(cursor, WAITING, [(client_id, "time_entry", entry_id) for client_id, entry_id in entries])


def put(
    cursor: Cursor[Any],
    charges: Sequence[ClientCharges],
    *,
    catalogue: Catalogue,
    terms: dict[str, ClientTerms],
    totals: dict[tuple[str, str], tuple[int, date]],
    as_of: date,
) -> None:
    """Writes what was rated; `totals` are (adjusted, due on) of items that people or documents touched."""
    copy_in(cursor, CHARGES, (row for one in charges for row in _charge_rows(one, totals)))
    copy_in(
        cursor, DUE_LINES, (row for one in charges for row in _due_rows(one, terms[one.client_id], catalogue, as_of))
    )
    copy_in(cursor, SEAT_CHARGES, (row for one in charges for row in _seat_rows(one, terms[one.client_id], catalogue, as_of)))
    copy_in(cursor, WAITING, (waiting_row(waiting) for one in charges for waiting in _once(one.waiting)))


def _charge_rows(
    charges: ClientCharges, totals: dict[tuple[str, str], tuple[int, date]]
) -> Iterable[tuple[Any, ...]]:
    posted_only = {key for owner, key in totals if owner == charges.client_id} - charges.rated.keys()
    for key in sorted(charges.rated.keys() | posted_only):
        item = charges.rated.get(key)
        adjusted, posted_due_on = totals.get((charges.client_id, key), (0, date.min))
        due = charges.due.get(key, ())
        lines = item.lines if item is not None else ()
        yield (
            charges.client_id,
            key,
            unquote(key.split("/")[2]) if key.startswith("ticket/") else None,
            item.due_on if item is not None else posted_due_on,
            item.stays if item is not None else key in charges.staying,
            lines[0].currency if lines else due[0].line.currency if due else None,
            sum(line.amount_minor for line in lines),
            adjusted,
            "; ".join(line.arithmetic for line in lines),
            list(item.sources) if item is not None else [],
        )


def _due_rows(
    charges: ClientCharges, terms: ClientTerms, catalogue: Catalogue, as_of: date
) -> Iterable[tuple[Any, ...]]:
    for key, lines in charges.due.items():
        nets = net_minors(lines, terms, catalogue, as_of)
        for number, (due, net) in enumerate(zip(lines, nets, strict=True), start=1):
            line, corrects = due.line, due.corrects
            yield (
                charges.client_id, key, number, due.due_on, line.description, line.charge_type, line.kind,
                line.service_from, line.service_to, line.quantity, line.unit, line.unit_price, line.currency,
                net, corrects.number if corrects else None,
                corrects.line_no if corrects else None, line.rule, line.arithmetic, _encode(due),
            )  # fmt: skip


def _seat_rows(
    charges: ClientCharges, terms: ClientTerms, catalogue: Catalogue, as_of: date
) -> Iterable[tuple[Any, ...]]:
    for key, item in charges.rated.items():
        if not item.segments:
            continue
        _, contract_id, line_id, _ = key.split("/")
        for number, (one, net) in enumerate(zip(item.segments, segment_nets(item, terms, catalogue, as_of), strict=True), 1):
            yield (
                charges.client_id, key, number, unquote(contract_id), unquote(line_id), one.period_start, one.period_end,
                one.segment_start, one.segment_end, one.quantity, one.unit_price, one.currency, net, one.policy,
            )  # fmt: skip


def segment_nets(item: RatedItem, terms: ClientTerms, catalogue: Catalogue, as_of: date) -> list[int]:
    """The net amounts of an item's seat segments, which add up to its seat lines; of a gross price without its tax."""
    nets: list[int] = []
    for line in (line for line in item.lines if line.part == SEATS):
        own = [one.net_minor for one in item.segments if one.currency == line.currency]
        if line.gross:
            tax = tax_for(line.tax_code, terms.states.first_or_on(as_of), catalogue, as_of)
            net = line.amount_minor - tax_within(line.amount_minor, tax.percent) if tax is not None else line.amount_minor
            own = list(split(net, [abs(amount) for amount in own])) if any(own) else own
        nets += own
    return nets


def net_minors(item: Sequence[DueLine], terms: ClientTerms, catalogue: Catalogue, as_of: date) -> list[int]:
    """The net amounts of an item's due lines; of a gross price what is left without its tax."""
    amounts = [due.line.amount_minor for due in item]
    if not terms.known or not any(due.line.gross for due in item):
        return amounts
    client = terms.states.first_or_on(as_of)
    if client_fault(client) is not None:
        return amounts
    try:
        return nets_of(item, client, catalogue, as_of)
    except NoTax:
        return amounts


def _once(waiting: Iterable[Waiting]) -> Iterable[Waiting]:
    """One row a thing: of a contract with several states that wait, the one said first."""
    found: dict[tuple[str, str], Waiting] = {}
    for one in waiting:
        before = found.get((one.what, one.id))
        if before is None or (one.since, one.reason) < (before.since, before.reason):
            found[one.what, one.id] = one
    return found.values()


def waiting_row(waiting: Waiting) -> tuple[Any, ...]:
    """What waits, as a row of the view."""
    return (
        waiting.client_id, waiting.what, waiting.id, waiting.reason, waiting.since, waiting.minutes, waiting.currency,
        waiting.served_on,
    )  # fmt: skip


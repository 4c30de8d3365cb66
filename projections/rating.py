"""Rates clients from what the views know: the one place where facts, terms and postings meet the domain's rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from psycopg import Cursor

from domain.difference import Adjustment, DueLine, Posting, due_lines
from domain.rate_contracts import LineRating, rate_contracts
from domain.rate_time import Posted, rate_time
from domain.rated import RatedItem, Waiting
from domain.terms import Catalogue, ClientTerms
from domain.time_entry import TimeEntry
from projections import seats, time_entries
from projections.decisions import adjustments_of, posted_of_clients, standing_entries
from projections.terms import TermsCache

Key = tuple[str, str]


@dataclass(slots=True)
class ClientCharges:
    """One client's items as they stand on a day: what each is worth, what is due of it, and what waits.

    `staying` are items that are not rated while their contract line waits: they stay as they were invoiced.
    """

    client_id: str
    rated: dict[str, RatedItem] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    due: dict[str, tuple[DueLine, ...]] = field(default_factory=dict)
    staying: set[str] = field(default_factory=set)


def rate_clients(cursor: Cursor[Any], cache: TermsCache, client_ids: Sequence[str], as_of: date) -> list[ClientCharges]:
    """Rates everything of some clients as of a day."""
    catalogue = cache.catalogue(cursor)
    terms = cache.clients(cursor, client_ids)
    entries = time_entries.load_clients(cursor, client_ids)
    owners = time_entries.claimed_by_others(cursor, client_ids)
    posted = posted_of_clients(cursor, client_ids)
    adjusted = adjustments_of(cursor, client_ids)
    stands = standing_entries(posted)
    counted = seats.load(cursor, terms)
    found = []
    for client_id in client_ids:
        cursor.execute("SELECT 1")  # a sign of life: the server ends a session that idles in a transaction
        charges = ClientCharges(client_id)
        _rate_entries(charges, entries.get(client_id, []), terms[client_id], catalogue, as_of, stands.get(client_id, {}), owners)
        lines = rate_contracts(terms[client_id], catalogue, as_of, seats=counted[client_id])
        charges.rated.update((item.key, item) for item in lines.items)
        charges.waiting.extend(lines.waiting)
        keys = charges.rated.keys() | {key for owner, key in posted if owner == client_id}
        _difference(charges, keys, posted, adjusted, lines.staying)
        found.append(charges)
    return found


def rate_some(
    client_id: str,
    entries: Iterable[TimeEntry],
    keys: Iterable[str],
    *,
    terms: ClientTerms,
    catalogue: Catalogue,
    as_of: date,
    posted: Mapping[Key, Sequence[Posting]],
    adjusted: Mapping[Key, Sequence[Adjustment]],
    stands: Mapping[str, Posted],
    owners: Mapping[str, str],
) -> ClientCharges:
    """Rates some of a client's entries and the items with the given keys; a ticket's entries come together."""
    charges = ClientCharges(client_id)
    _rate_entries(charges, entries, terms, catalogue, as_of, stands, owners)
    _difference(charges, charges.rated.keys() | set(keys), posted, adjusted, [])
    return charges


def line_charges(
    client_id: str,
    rating: LineRating,
    posted: Mapping[Key, Sequence[Posting]],
    adjusted: Mapping[Key, Sequence[Adjustment]],
) -> ClientCharges:
    """What is due of some periods of a client's contract lines that were rated on their own."""
    charges = ClientCharges(client_id, rated={item.key: item for item in rating.items})
    _difference(charges, charges.rated, posted, adjusted, rating.staying)
    return charges


def _rate_entries(
    charges: ClientCharges,
    entries: Iterable[TimeEntry],
    terms: ClientTerms,
    catalogue: Catalogue,
    as_of: date,
    stands: Mapping[str, Posted],
    owners: Mapping[str, str],
) -> None:
    foreign = frozenset(entry_id for entry_id, owner in owners.items() if owner != charges.client_id)
    rating = rate_time(entries, terms=terms, catalogue=catalogue, as_of=as_of, posted=stands, foreign=foreign)
    charges.rated.update((item.key, item) for item in rating.items)
    charges.waiting.extend(rating.waiting)


def _difference(
    charges: ClientCharges,
    keys: Iterable[str],
    posted: Mapping[Key, Sequence[Posting]],
    adjusted: Mapping[Key, Sequence[Adjustment]],
    staying: Sequence[str],
) -> None:
    """Fills in what is due of each item; `staying` are beginnings of keys that stay as they were invoiced."""
    for key in keys:
        rated = charges.rated.get(key)
        history = posted.get((charges.client_id, key), ())
        due_on = rated.due_on if rated is not None else history[0].due_on if history else None
        if rated is None and key.startswith(tuple(staying)):
            charges.staying.add(key)
            continue
        if due_on is None:
            continue
        lines = due_lines(key, rated, adjusted.get((charges.client_id, key), ()), history, due_on=due_on)
        if lines:
            charges.due[key] = lines

"""Follows the log: folds facts into their views and rates again exactly what a fact, decision or opened day touches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import unquote

from psycopg import Cursor

from domain.charge import ChargeAmended, ChargeLogged
from domain.contract import MilestoneReached
from domain.decisions import BusinessDayOpened, ChargeAdjusted
from domain.difference import Adjustment, Posting, effective
from domain.ids import time_item
from domain.rate_contracts import rate_seats_since
from domain.rated import RatedItem, Waiting
from domain.readings import SeatCountReported
from ledger.book import RecordedEvent
from ledger.event_codec import decode
from projections import charges as charges_view
from projections import receivables, receivables_follow, seats, taken, tickets, time_entries
from projections import terms as terms_view
from projections.decisions import adjustments_of, business_day, posted_of, posted_of_clients, standing_entries
from projections.rating import ClientCharges, line_charges, rate_clients, rate_some
from projections.tables import (
    CHARGES,
    CLIENTS,
    DUE_LINES,
    SEAT_CHARGES,
    SEAT_COUNTS,
    TERMS,
    TIME_ENTRIES,
    WAITING,
    Table,
    delete_keys,
    replace_rows,
)
from projections.terms import CATALOGUE_TOPICS, CLIENT_TOPICS, TermsCache

NAME = "charges"
TABLES: tuple[Table, ...] = (
    TERMS, CLIENTS, TIME_ENTRIES, SEAT_COUNTS, CHARGES, DUE_LINES, SEAT_CHARGES, WAITING, *receivables.TABLES,
)  # fmt: skip
CLIENTS_AT_ONCE = 200

Key = tuple[str, str]

_NOT_YET = {
    ChargeLogged.TOPIC: ("charge", "charge_id"),
    ChargeAmended.TOPIC: ("charge", "charge_id"),
    MilestoneReached.TOPIC: ("milestone", "milestone_id"),
}


@dataclass(slots=True)
class _Touched:
    """What a batch of events touches."""

    everyone: bool = False
    clients: set[str] = field(default_factory=set)
    entries: dict[Key, Any] = field(default_factory=dict)
    seats: list[SeatCountReported] = field(default_factory=list)
    items: set[Key] = field(default_factory=set)
    opened: date | None = None
    unsupported: list[Waiting] = field(default_factory=list)


class Work:
    """The charges view's runner: state between batches is a cache of terms only."""

    def __init__(self) -> None:
        self.cache = TermsCache()

    def process(self, cursor: Cursor[Any], events: Sequence[RecordedEvent]) -> None:
        """Brings every table of this view on by one batch of events, in the caller's transaction."""
        touched = self._fold(cursor, events)
        as_of = business_day(cursor) or date.min
        if touched.everyone:
            self._rate_everyone(cursor, as_of)
        else:
            whole = touched.clients | self._opened(cursor, touched.opened)
            self._rate_whole(cursor, sorted(whole), as_of)
            self._rate_entries(cursor, touched, whole, as_of)
            self._rate_seats(cursor, [one for one in touched.seats if one.client_id not in whole], as_of)
        said_anew, uncounted = seats.uncounted(cursor, touched.seats)
        delete_keys(cursor, WAITING, said_anew)
        wait(cursor, [*touched.unsupported, *uncounted])
        receivables_follow.process(cursor, events, self.cache)

    def _fold(self, cursor: Cursor[Any], events: Sequence[RecordedEvent]) -> _Touched:
        touched = _Touched()
        said = [event for event in events if event.topic in CATALOGUE_TOPICS or event.topic in CLIENT_TOPICS]
        terms_view.keep(cursor, said)
        for event in said:
            if event.topic in CATALOGUE_TOPICS:
                touched.everyone = True
                self.cache.forget_catalogue()
            else:
                touched.clients.add(event.client_id)
        self.cache.forget(touched.clients)
        self._name_clients(cursor, sorted(touched.clients))
        time = [event for event in events if event.topic in time_entries.TOPICS]
        touched.entries = dict(time_entries.fold(cursor, time)) if time else {}
        counted = [event for event in events if event.topic == SeatCountReported.TOPIC]
        touched.seats = seats.fold(cursor, counted) if counted else []
        for event in events:
            _note(event, touched)
        for client_id, item_key, entry_ids in taken.take(cursor, events):
            touched.items.add((client_id, item_key))
            for entry_id in entry_ids:
                touched.entries.setdefault((client_id, entry_id), (None, None))
        return touched

    def _name_clients(self, cursor: Cursor[Any], client_ids: Sequence[str]) -> None:
        """Name, terms and status are the last revision's."""
        known = [t for t in self.cache.clients(cursor, client_ids).values() if t.latest is not None]
        rows = [
            (t.client_id, c.name, c.currency, c.time_zone, c.status, c.payment_terms_days)
            for t in known
            if (c := t.latest) is not None
        ]
        replace_rows(cursor, CLIENTS, [row[:1] for row in rows], rows)

    def _opened(self, cursor: Cursor[Any], day: date | None) -> set[str]:
        """Clients for whom a newly opened day can change something: lines that fall due, and time that was ahead of it."""
        if day is None:
            return set()
        rows = cursor.execute(
            "SELECT DISTINCT subject FROM terms WHERE subject <> '' UNION SELECT DISTINCT client_id FROM waiting"
        ).fetchall()
        return {client_id for (client_id,) in rows}

    def _rate_everyone(self, cursor: Cursor[Any], as_of: date) -> None:
        rows = cursor.execute(
            "SELECT client_id FROM time_entries UNION SELECT subject FROM terms WHERE subject <> ''"
            " UNION SELECT client_id FROM posted ORDER BY 1"
        ).fetchall()
        self._rate_whole(cursor, [client_id for (client_id,) in rows], as_of)

    def _rate_whole(self, cursor: Cursor[Any], client_ids: Sequence[str], as_of: date) -> None:
        for start in range(0, len(client_ids), CLIENTS_AT_ONCE):
            some = client_ids[start : start + CLIENTS_AT_ONCE]
            kept = unsupported_of(cursor, some)
            charges_view.clear_clients(cursor, some)
            rated = rate_clients(cursor, self.cache, some, as_of)
            posted = posted_of_clients(cursor, some)
            self._put(cursor, rated, posted, as_of)
            wait(cursor, kept)

    def _put(
        self, cursor: Cursor[Any], rated: Sequence[ClientCharges], posted: dict[Key, list[Posting]], as_of: date
    ) -> None:
        client_ids = [one.client_id for one in rated]
        adjusted = adjustments_of(cursor, client_ids)
        # An item that is no longer rated takes its adjustments with it, so that due = rated + adjusted - posted holds.
        live = {
            (one.client_id, key): item for one in rated for key, item in one.rated.items() if item.lines or item.stays
        }
        totals = {
            key: (
                _adjusted_minor(adjusted.get(key, ()), live[key]) if key in live else 0,
                posted[key][0].due_on if key in posted else date.min,
            )
            for key in posted.keys() | (adjusted.keys() & live)
        }
        charges_view.put(
            cursor,
            rated,
            catalogue=self.cache.catalogue(cursor),
            terms=self.cache.clients(cursor, client_ids),
            totals=totals,
            as_of=as_of,
        )

    def _rate_entries(self, cursor: Cursor[Any], touched: _Touched, whole: set[str], as_of: date) -> None:
        """Rates touched entries, with all entries of the tickets they are or were in, and the items decided on."""
        foreign = _newly_said(touched.entries)
        owners = time_entries.claims(cursor, foreign)
        # An id that a second client claims changes what the first claimant's entry is worth too.
        keys = {key for key in touched.entries if key[0] not in whole}
        keys |= {key for key in time_entries.claimants(cursor, list(owners)) if key[0] not in whole}
        items = {item for item in touched.items if item[0] not in whole}
        keys |= {(client_id, unquote(key[5:])) for client_id, key in items if key.startswith("time/")}
        if not keys and not items:
            return
        entries, known = tickets.together(cursor, keys, _tickets(touched.entries, keys) | tickets.tickets_of(items))
        owners |= time_entries.claims(cursor, sorted({entry_id for _, entry_id in entries}))
        affected = items | {(c, time_item(e)) for c, e in entries} | known
        self._rate_affected(cursor, entries, affected, owners, as_of)

    def _rate_seats(self, cursor: Cursor[Any], said: Sequence[SeatCountReported], as_of: date) -> None:
        """Rates the periods that new counts touch; a client with a line that waits, or waits from now on, is rated whole."""
        if not said:
            return
        terms = self.cache.clients(cursor, sorted({one.client_id for one in said}))
        days = seats.first_days(said, terms)
        waiting = _lines_waiting(cursor, terms)
        known = seats.load_since(cursor, days, terms)
        catalogue = self.cache.catalogue(cursor)
        ratings = {c: rate_seats_since(terms[c], catalogue, as_of, known[c], found) for c, found in days.items()}
        whole = sorted(c for c, rating in ratings.items() if rating.waiting or c in waiting)
        self._rate_whole(cursor, whole, as_of)
        keys = [(c, item.key) for c, rating in ratings.items() if c not in whole for item in rating.items]
        posted = posted_of(cursor, keys)
        adjusted = adjustments_of(cursor, sorted({client_id for client_id, _ in keys}))
        rated = [line_charges(c, rating, posted, adjusted) for c, rating in ratings.items() if c not in whole]
        charges_view.clear_items(cursor, keys, [])
        self._put(cursor, rated, posted, as_of)

    def _rate_affected(
        self, cursor: Cursor[Any], entries: dict[Key, Any], affected: set[Key], owners: dict[str, str], as_of: date
    ) -> None:
        posted = posted_of(cursor, sorted(affected))
        stands = standing_entries(posted)
        client_ids = sorted({client_id for client_id, _ in entries} | {client_id for client_id, _ in affected})
        lines = {key for key in affected if key[1].startswith("line/")}
        if lines:
            # A decision on a contract line's item: the client is rated whole, contract lines have no smaller unit.
            some = sorted({client_id for client_id, _ in lines})
            self._rate_whole(cursor, some, as_of)
            client_ids = [client_id for client_id in client_ids if client_id not in some]
            entries = {key: entry for key, entry in entries.items() if key[0] not in some}
            affected = {key for key in affected if key[0] not in some}
            posted = {key: history for key, history in posted.items() if key[0] not in some}
        terms = self.cache.clients(cursor, client_ids)
        catalogue = self.cache.catalogue(cursor)
        adjusted = adjustments_of(cursor, client_ids)
        by_client: dict[str, list[Any]] = {}
        for (client_id, _), entry in entries.items():
            by_client.setdefault(client_id, []).append(entry)
        keys_of: dict[str, list[str]] = {}
        for client_id, key in affected:
            keys_of.setdefault(client_id, []).append(key)
        rated = [
            rate_some(
                client_id,
                by_client.get(client_id, []),
                keys_of.get(client_id, []),
                terms=terms[client_id],
                catalogue=catalogue,
                as_of=as_of,
                posted=posted,
                adjusted=adjusted,
                stands=stands.get(client_id, {}),
                owners=owners,
            )
            for client_id in client_ids
        ]
        new = {(one.client_id, key) for one in rated for key in one.rated}
        charges_view.clear_items(cursor, sorted(affected | new), sorted(entries))
        self._put(cursor, rated, posted, as_of)


def _adjusted_minor(adjustments: Sequence[Adjustment], item: RatedItem) -> int:
    """What people's adjustments come to; one in a currency in which the item is worth nothing any more has nothing to change."""
    currencies = {line.currency for line in item.lines}
    return sum(one.amount_minor for one in effective(adjustments, item) if item.stays or one.currency in currencies)


def _note(event: RecordedEvent, touched: _Touched) -> None:
    """What a person's decision touches, and what is kept without being rated yet."""
    topic = event.topic
    if topic == ChargeAdjusted.TOPIC:
        touched.items.add((event.client_id, decode(topic, event.state).item_key))
    elif topic == BusinessDayOpened.TOPIC:
        day = decode(topic, event.state).day
        touched.opened = max(touched.opened or day, day)
    elif topic in _NOT_YET:
        what, name = _NOT_YET[topic]
        fact = decode(topic, event.state)
        touched.unsupported.append(
            Waiting(
                client_id=event.client_id,
                what=what,
                id=getattr(fact, name),
                reason="not_yet_supported",
                since=fact.occurred_at,
                currency=getattr(fact, "currency", None),
            )
        )


def _lines_waiting(cursor: Cursor[Any], client_ids: Iterable[str]) -> set[str]:
    """Clients with a contract line that waits: whether it still does takes all of its periods to say."""
    rows = cursor.execute(
        "SELECT DISTINCT client_id FROM waiting WHERE what = 'contract_line' AND client_id = ANY(%s)", (list(client_ids),)
    ).fetchall()
    return {client_id for (client_id,) in rows}


def _newly_said(entries: dict[Key, Any]) -> list[str]:
    """Entry ids whose first statement changed: only then can the question whose entry it is have a new answer."""
    return [
        entry_id
        for (_, entry_id), (before, after) in entries.items()
        if after is not None and (before is None or before.first_event_id != after.first_event_id)
    ]


def _tickets(entries: dict[Key, Any], keys: set[Key]) -> set[Key]:
    return {
        (key[0], entry.ticket_id)
        for key in keys
        for entry in entries.get(key, ())
        if entry is not None and entry.ticket_id is not None
    }


def unsupported_of(cursor: Cursor[Any], client_ids: Sequence[str]) -> list[Waiting]:
    """What is listed as waiting of kinds of facts that are not rated yet."""
    rows = cursor.execute(
        "SELECT client_id, what, id, reason, since, minutes, currency, served_on FROM waiting"
        " WHERE client_id = ANY(%s) AND what = ANY(%s)",
        (list(client_ids), sorted({what for what, _ in _NOT_YET.values()} | {seats.WHAT, *receivables.WHATS})),
    ).fetchall()
    return [
        Waiting(
            client_id=row[0], what=row[1], id=row[2], reason=row[3], since=row[4], minutes=row[5], currency=row[6],
            served_on=row[7],
        )
        for row in rows
    ]  # fmt: skip


def wait(cursor: Cursor[Any], waiting: Sequence[Waiting]) -> None:
    """Lists facts that are kept whole and not rated yet; of one thing said twice the earlier statement stays."""
    for one in waiting:
        cursor.execute(
            "INSERT INTO waiting (client_id, what, id, reason, since, minutes, currency, served_on)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (client_id, what, id) DO UPDATE"
            " SET since = excluded.since, currency = excluded.currency"
            " WHERE (excluded.since, coalesce(excluded.currency, '')) < (waiting.since, coalesce(waiting.currency, ''))",
            (one.client_id, one.what, one.id, one.reason, one.since, one.minutes, one.currency, one.served_on),
        )

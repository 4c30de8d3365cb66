"""The catalogue and each client's terms as the view knows them, kept in memory while one runner follows the log."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from psycopg import Cursor

from domain.catalogue import ChargeTypeDefined, InvoiceSeriesDefined, ProviderDefined, TaxCodeDefined
from domain.client_account import ClientDefined
from domain.contract import ContractDefined
from domain.terms import Catalogue, ClientTerms, catalogue_of, client_terms
from ledger.book import RecordedEvent
from ledger.event_codec import decode
from projections.tables import TERMS, replace_rows

CATALOGUE_TOPICS = frozenset(cls.TOPIC for cls in (ProviderDefined, ChargeTypeDefined, TaxCodeDefined, InvoiceSeriesDefined))
CLIENT_TOPICS = frozenset(cls.TOPIC for cls in (ClientDefined, ContractDefined))
MOST_CLIENTS = 20_000


def keep(cursor: Cursor[Any], events: Iterable[RecordedEvent]) -> None:
    """Keeps the states among some events."""
    rows = [(_subject(event), event.event_id, event.topic, event.state) for event in events]
    replace_rows(cursor, TERMS, [row[:2] for row in rows], rows)


def _subject(event: RecordedEvent) -> str:
    # A client may be called "provider" too: the catalogue's subject is one that no client id can be.
    return "" if event.topic in CATALOGUE_TOPICS else event.client_id


class TermsCache:
    """Terms already decoded; whoever changes the table says which clients to forget."""

    def __init__(self) -> None:
        self._catalogue: Catalogue | None = None
        self._clients: OrderedDict[str, ClientTerms] = OrderedDict()

    def forget_catalogue(self) -> None:
        """The catalogue changed."""
        self._catalogue = None

    def forget(self, client_ids: Iterable[str]) -> None:
        """These clients' terms changed."""
        for client_id in client_ids:
            self._clients.pop(client_id, None)

    def catalogue(self, cursor: Cursor[Any]) -> Catalogue:
        """The provider's catalogue."""
        if self._catalogue is None:
            self._catalogue = load_catalogue(cursor)
        return self._catalogue

    def clients(self, cursor: Cursor[Any], client_ids: Sequence[str]) -> dict[str, ClientTerms]:
        """The terms of some clients; one never defined has terms that know nothing."""
        missing = [client_id for client_id in client_ids if client_id not in self._clients]
        self._clients.update(load_clients(cursor, missing))
        found = {client_id: self._clients[client_id] for client_id in client_ids}
        while len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)
        return found


def load_catalogue(cursor: Cursor[Any]) -> Catalogue:
    """The catalogue as the table has it."""
    rows = cursor.execute("SELECT topic, state FROM terms WHERE subject = ''").fetchall()
    return catalogue_of(decode(topic, state) for topic, state in rows)


def load_clients(
    cursor: Cursor[Any], client_ids: Sequence[str], without: Collection[UUID] = frozenset()
) -> dict[str, ClientTerms]:
    """Clients' terms as the table has them, in one query; `without` are states to leave out."""
    states: dict[str, list[object]] = {client_id: [] for client_id in client_ids}
    if client_ids:
        rows = cursor.execute(
            "SELECT subject, topic, state FROM terms WHERE subject = ANY(%s) AND event_id <> ALL(%s::uuid[])",
            (list(client_ids), list(without)),
        ).fetchall()
        for subject, topic, state in rows:
            states[subject].append(decode(topic, state))
    return {client_id: client_terms(client_id, found) for client_id, found in states.items()}


def known_at(cursor: Cursor[Any], client_id: str, position: int) -> tuple[Catalogue, ClientTerms]:
    """The catalogue and a client's terms as they were known at a position of the book: what a document of that day saw.

    States are never changed, only added to, so that this stays the same whatever is said later.
    """
    rows = cursor.execute(
        "SELECT t.subject, t.topic, t.state FROM terms t JOIN ledger.daybook_events e USING (event_id)"
        " WHERE t.subject = ANY(%s) AND e.notification_id <= %s",
        (["", client_id], position),
    ).fetchall()
    catalogue = catalogue_of(decode(topic, state) for subject, topic, state in rows if subject == "")
    return catalogue, client_terms(client_id, [decode(topic, state) for subject, topic, state in rows if subject != ""])

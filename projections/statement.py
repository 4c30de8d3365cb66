"""Statements of a client's accounts, one a currency, settled as of any day from everything that was said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from psycopg import Cursor

from domain.client_account import ClientDefined
from domain.statement import Statement, statement_of
from domain.terms import Catalogue, ClientTerms
from projections import receivables
from projections.terms import TermsCache


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStatement:
    """A client's statements between the parties as they are known now; no accounts where nothing was ever issued or paid.

    `paid_by` has of a payment's id its method and the bank's reference: what the client knows it by, as it never saw the id.
    """

    client_id: str
    client: ClientDefined | None
    catalogue: Catalogue
    since: date | None
    as_of: date
    accounts: tuple[Statement, ...]
    paid_by: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The client's name, or its id where nobody has said one."""
        return self.client.name if self.client is not None else self.client_id


Asked = tuple[str, date, str | None]
"""A statement asked for: client, as of which day, of one currency or (null) of all."""


def client_statement(
    cursor: Cursor[Any], client_id: str, as_of: date, since: date | None = None, currency: str | None = None
) -> ClientStatement | None:
    """The statement of a client, of one currency or of all; None for a client of whom nothing is known.

    Accounts with nothing in them by that day are left out; the only one asked for is not.
    """
    return client_statements(cursor, [(client_id, as_of, currency)], since)[0]


def client_statements(cursor: Cursor[Any], asked: Sequence[Asked], since: date | None = None) -> list[ClientStatement | None]:
    """Several of them, in the order asked for; read at once."""
    if not asked:
        return []
    cache = TermsCache()
    client_ids = sorted({client_id for client_id, _, _ in asked})
    terms = cache.clients(cursor, client_ids)
    clients = receivables.load(cursor, client_ids, terms)
    catalogue = cache.catalogue(cursor)
    made = [
        _made(clients[client_id], terms[client_id], catalogue, as_of, since, currency) for client_id, as_of, currency in asked
    ]
    paid_by = _paid_by(cursor, client_ids)
    return [replace(one, paid_by=paid_by.get(one.client_id, {})) if one is not None else None for one in made]


def _paid_by(cursor: Cursor[Any], client_ids: Sequence[str]) -> dict[str, dict[str, tuple[str, str | None]]]:
    """By client and payment id: the method, and the bank's reference where there is one."""
    rows = cursor.execute(
        "SELECT client_id, payment_id, method, provider_ref FROM payments WHERE client_id = ANY(%s)", (list(client_ids),)
    ).fetchall()
    found: dict[str, dict[str, tuple[str, str | None]]] = {}
    for client_id, payment_id, method, reference in rows:
        found.setdefault(client_id, {})[payment_id] = (method, reference)
    return found


def _made(
    client: receivables.Client, terms: ClientTerms, catalogue: Catalogue, as_of: date, since: date | None, currency: str | None
) -> ClientStatement | None:
    if not client.currencies() and not terms.known:
        return None
    currencies = client.currencies() if currency is None else [currency]
    found = [statement_of(client.account(one, as_of), one, since, as_of) for one in currencies]
    return ClientStatement(
        client_id=terms.client_id,
        client=terms.latest,
        catalogue=catalogue,
        since=since,
        as_of=as_of,
        accounts=tuple(one for one in found if one.entries or one.balance_minor or one.unpaid or currency is not None),
    )

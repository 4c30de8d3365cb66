"""Issued documents as a list to look through, who they were from and to, and which lines correct which."""

from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString

from psycopg import Cursor

from domain.client_account import ClientDefined
from domain.terms import Catalogue
from projections.documents import STANDING, STANDS, standing
from projections.terms import known_at

PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRow:
    """One document without its lines; the client's name is the one it bears."""

    number: str
    kind: str
    client_id: str
    client_name: str
    currency: str
    issued_on: date
    due_on: date
    net_minor: int
    tax_minor: int
    total_minor: int
    outstanding_minor: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyTotal:
    """What the matching documents come to in one currency."""

    currency: str
    documents: int
    net_minor: int
    tax_minor: int
    total_minor: int


_MATCHING: LiteralString = """
    FROM invoices i
    WHERE (%(client)s::text IS NULL OR strpos(lower(i.client_id), lower(%(client)s)) > 0
            OR strpos(lower(i.number), lower(%(client)s)) > 0 OR i.client_id IN (
                SELECT subject FROM terms WHERE topic = 'client.defined.v1'
                AND strpos(lower(convert_from(state, 'UTF8')::jsonb ->> 'name'), lower(%(client)s)) > 0))
        AND (%(client_id)s::text IS NULL OR i.client_id = %(client_id)s)
"""
_LAST_FIRST: LiteralString = ' ORDER BY i.issued_on DESC, i.position DESC, i.number COLLATE "C" DESC'
_NAME_AS_ISSUED: LiteralString = """
    SELECT s.said ->> 'name' AS name
    FROM terms t JOIN ledger.daybook_events e USING (event_id), LATERAL (SELECT convert_from(t.state, 'UTF8')::jsonb AS said) s
    WHERE t.subject = i.client_id AND t.topic = 'client.defined.v1' AND e.notification_id <= i.saw_position
    ORDER BY (s.said ->> 'revision')::bigint DESC, (s.said ->> 'occurred_at')::timestamptz DESC, t.event_id DESC LIMIT 1
"""
"""The last revision of the client that the document saw: the order is that of `domain.terms.rank`."""
_ONE_PAGE: LiteralString = f"""
    WITH page AS (SELECT i.* {_MATCHING} {_LAST_FIRST} LIMIT %(limit)s OFFSET %(offset)s)
    SELECT i.number, i.kind, i.client_id, coalesce(was.name, i.client_id), i.currency, i.issued_on, i.due_on, i.net_minor,
        i.tax_minor, i.total_minor, {STANDS}
    FROM page i LEFT JOIN LATERAL ({_NAME_AS_ISSUED}) was ON true {STANDING} {_LAST_FIRST}
"""  # noqa: S608 - joined from constants of this file only


def invoice_rows(cursor: Cursor[Any], client: str | None = None, client_id: str | None = None, page: int = 1) -> list[InvoiceRow]:
    """One page of documents, the last issued first; `client` is part of a number, of an id or of any name the client had."""
    given = {"client": client, "client_id": client_id, "limit": PAGE, "offset": (page - 1) * PAGE}
    rows = cursor.execute(_ONE_PAGE, given).fetchall()
    return [
        InvoiceRow(
            number=r[0], kind=r[1], client_id=r[2], client_name=r[3], currency=r[4], issued_on=r[5], due_on=r[6],
            net_minor=r[7], tax_minor=r[8], total_minor=r[9], **standing(*r[10:14]),
        )
        for r in rows
    ]  # fmt: skip


def invoice_totals(cursor: Cursor[Any], client: str | None = None) -> list[CurrencyTotal]:
    """The sums of everything that matches, by currency."""
    rows = cursor.execute(
        "SELECT i.currency, count(*), sum(i.net_minor)::bigint, sum(i.tax_minor)::bigint, sum(i.total_minor)::bigint"
        + _MATCHING
        + " GROUP BY 1 ORDER BY 1",
        {"client": client, "client_id": None},
    ).fetchall()
    return [CurrencyTotal(currency=r[0], documents=r[1], net_minor=r[2], tax_minor=r[3], total_minor=r[4]) for r in rows]


def corrected_by(cursor: Cursor[Any], number: str) -> dict[int, list[dict[str, Any]]]:
    """By line of a document: the lines of later documents that correct it."""
    found: dict[int, list[dict[str, Any]]] = {}
    rows = cursor.execute(
        "SELECT corrects_line_no, number, line_no FROM invoice_lines WHERE corrects_number = %s ORDER BY 1, 2, 3", (number,)
    ).fetchall()
    for corrected, by_number, by_line in rows:
        found.setdefault(corrected, []).append({"number": by_number, "line_no": by_line})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Whom a document is to, and the catalogue with the provider it is from: as they were known when it was issued (C9)."""

    client: ClientDefined | None
    catalogue: Catalogue


def parties(cursor: Cursor[Any], number: str) -> Parties | None:
    """The parties of a document, null where there is none of that number; what was said of them later changes nothing."""
    row = cursor.execute("SELECT client_id, saw_position FROM invoices WHERE number = %s", (number,)).fetchone()
    if row is None:
        return None
    catalogue, terms = known_at(cursor, row[0], row[1])
    return Parties(client=terms.latest, catalogue=catalogue)


def client_names(cursor: Cursor[Any], client_ids: list[str]) -> dict[str, str]:
    """Names by client id, for those that have one."""
    return dict(cursor.execute("SELECT client_id, name FROM clients WHERE client_id = ANY(%s)", (client_ids,)).fetchall())

"""What many notices are about, read at once: documents with their parties, statements, clients, the provider."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import Cursor

from domain.client_account import ClientDefined
from domain.covered import Open, covered
from domain.notices import STATEMENT
from domain.terms import Catalogue, catalogue_of, client_terms
from ledger.event_codec import decode
from projections import documents, reminders
from projections.corrections import voided_by
from projections.invoice_list import Parties
from projections.notices import Notice
from projections.statement import ClientStatement, client_statements
from projections.terms import load_catalogue

Said = tuple[list[int], list[Any]]
"""Positions in the book, ascending, and what was said at each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """As one snapshot has it; `documents` by (client, number), `parties` by number, `statements` by (client, notice).

    Of a document `covered_minor` of what is outstanding is covered by credit that pays nothing yet (R4).

    `days` is each client's own day, of which statements are; `voided_by` is the credit note by the number it took back.
    """

    catalogue: Catalogue
    clients: dict[str, ClientDefined]
    days: dict[str, date]
    documents: dict[tuple[str, str], dict[str, Any]]
    parties: dict[str, Parties]
    statements: dict[tuple[str, str], ClientStatement | None]
    voided_by: dict[str, str]


def facts_of(cursor: Cursor[Any], notices: Sequence[Notice], now: datetime, today: date | None) -> Facts:
    """The facts of some notices; a document that is not there is left out. `today` is a rehearsal's day, everybody's."""
    client_ids = sorted({one.client_id for one in notices})
    clients = reminders.states(cursor, client_ids)
    days = reminders.local_days(cursor, client_ids, now) if today is None else dict.fromkeys(client_ids, today)
    numbers = sorted({number for one in notices if one.kind != STATEMENT for number in one.numbers})
    asked = [one for one in notices if one.kind == STATEMENT]
    made = client_statements(cursor, [(one.client_id, sent_on(one, days), one.currency or None) for one in asked])
    found = documents.invoices(cursor, numbers=numbers) if numbers else []
    parts = _covered(cursor, sorted({one["client_id"] for one in found}))
    return Facts(
        catalogue=load_catalogue(cursor),
        clients=clients,
        days=days,
        documents={key: {**one, "covered_minor": parts.get(key, 0)} for one in found if (key := _key(one))},
        parties=parties_of(cursor, numbers) if numbers else {},
        statements={(one.client_id, one.notice_id): it for one, it in zip(asked, made, strict=True)},
        voided_by=voided_by(cursor, numbers) if numbers else {},
    )


def sent_on(notice: Notice, days: Mapping[str, date]) -> date:
    """The client's day of a mail: what it says is true then, however long it waited since its claim."""
    return max(notice.claimed_on, days[notice.client_id])


def _key(document: dict[str, Any]) -> tuple[str, str]:
    return document["client_id"], document["number"]


def _covered(cursor: Cursor[Any], client_ids: list[str]) -> dict[tuple[str, str], int]:
    """What credit covers of some clients' open invoices, account by account."""
    credit = cursor.execute(
        "SELECT client_id, currency, sum(unapplied_minor)::bigint FROM credits WHERE client_id = ANY(%s) GROUP BY 1, 2",
        (client_ids,),
    ).fetchall()
    items: dict[tuple[str, str], list[Open]] = {}
    for client_id, currency, due_on, issued_on, number, outstanding in cursor.execute(
        "SELECT client_id, currency, due_on, issued_on, number, outstanding_minor FROM open_items"
        " WHERE client_id = ANY(%s) AND outstanding_minor > 0",
        ([client_id for client_id, _, minor in credit if minor > 0],),
    ):
        items.setdefault((client_id, currency), []).append(Open(due_on, issued_on, number, outstanding))
    return {
        (client_id, number): part
        for client_id, currency, minor in credit
        for number, part in covered(items.get((client_id, currency), ()), minor).items()
    }


def parties_of(cursor: Cursor[Any], numbers: Sequence[str]) -> dict[str, Parties]:
    """What `projections.invoice_list.parties` gives, for many documents: as known when each was issued (C9)."""
    rows = cursor.execute(
        "SELECT number, client_id, saw_position FROM invoices WHERE number = ANY(%s)", (list(numbers),)
    ).fetchall()
    said = _said(cursor, ["", *sorted({client_id for _, client_id, _ in rows})])
    catalogues: dict[int, Catalogue] = {}
    found: dict[str, Parties] = {}
    for number, client_id, saw in rows:
        known = bisect_right(said[""][0], saw)
        if known not in catalogues:
            catalogues[known] = catalogue_of(said[""][1][:known])
        positions, states = said[client_id]
        terms = client_terms(client_id, states[: bisect_right(positions, saw)])
        found[number] = Parties(client=terms.latest, catalogue=catalogues[known])
    return found


def _said(cursor: Cursor[Any], subjects: list[str]) -> dict[str, Said]:
    said: dict[str, Said] = {subject: ([], []) for subject in subjects}
    rows = cursor.execute(
        "SELECT t.subject, e.notification_id, t.topic, t.state FROM terms t JOIN ledger.daybook_events e USING (event_id)"
        " WHERE t.subject = ANY(%s) ORDER BY e.notification_id",
        (subjects,),
    ).fetchall()
    for subject, position, topic, state in rows:
        positions, states = said[subject]
        positions.append(position)
        states.append(decode(topic, state))
    return said

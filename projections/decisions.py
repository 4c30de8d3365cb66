"""What people and runs decided, as tables: documents, postings, holds, adjustments, number series, the business day.

Applied in the decision's own transaction, so that no second run can bill what a first one did.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from struct import Struct
from typing import Any, Final

from psycopg import Cursor

from domain.decisions import BusinessDayOpened, ChargeAdjusted, ItemHeld, ItemReleased
from domain.difference import Adjustment, Posting
from domain.invoice import CreditNoteIssued, Document, InvoiceIssued, InvoiceLine, postings
from domain.rate_time import Posted
from ledger.event_codec import decode
from projections import corrections, notices
from projections.tables import (
    ADJUSTMENTS,
    BUSINESS_DAY,
    HOLDS,
    INVOICE_LINES,
    INVOICES,
    POSTED,
    POSTED_ENTRIES,
    SERIES,
    Table,
    copy_in,
    copy_packed,
    keys_of,
    packed_rows,
    packed_text,
    replace_rows,
)
from projections.version import hold_version

TABLES: tuple[Table, ...] = (
    POSTED,
    POSTED_ENTRIES,
    SERIES,
    HOLDS,
    ADJUSTMENTS,
    BUSINESS_DAY,
    INVOICES,
    INVOICE_LINES,
    *corrections.TABLES,
    *notices.TABLES,
)
TOPICS = notices.TOPICS | corrections.TOPICS | frozenset(
    cls.TOPIC for cls in (ItemHeld, ItemReleased, ChargeAdjusted, BusinessDayOpened, InvoiceIssued, CreditNoteIssued)
)

_COLUMNS: Final = Struct(">h").pack(len(POSTED_ENTRIES.columns))
_NUMBER: Final = Struct(">ii").pack

Key = tuple[str, str]


def apply(cursor: Cursor[Any], decided: Iterable[tuple[int, Any]]) -> None:
    """Applies decisions, each with its position, in order; the caller's transaction is the decision's own.

    Raises Overtaken in a process older than the database.
    """
    hold_version(cursor)
    documents: list[tuple[int, Document]] = []
    for position, event in decided:
        match event:
            case InvoiceIssued() | CreditNoteIssued():
                documents.append((position, event))
            case _:
                _issue(cursor, documents)
                documents = []
                _decide(cursor, position, event)
    _issue(cursor, documents)


def _decide(cursor: Cursor[Any], position: int, event: Any) -> None:
    match event:
        case ItemHeld():
            row = (event.client_id, event.item_key, event.by, event.occurred_at, event.reason)
            replace_rows(cursor, HOLDS, [(event.client_id, event.item_key)], [row])
            mark_decided(cursor, {event.client_id: position})
        case ItemReleased():
            replace_rows(cursor, HOLDS, [(event.client_id, event.item_key)], [])
            mark_decided(cursor, {event.client_id: position})
        case ChargeAdjusted():
            adjusted = (
                event.client_id, event.item_key, event.adjustment_id, event.currency, event.amount_minor, event.by,
                event.occurred_at, event.reason, event.event_id, event.waives,
            )  # fmt: skip
            replace_rows(cursor, ADJUSTMENTS, [adjusted[:3]], [adjusted])
            mark_decided(cursor, {event.client_id: position})
        case BusinessDayOpened():
            cursor.execute("DELETE FROM business_day WHERE day < %s", (event.day,))
            cursor.execute("INSERT INTO business_day (day) VALUES (%s) ON CONFLICT DO NOTHING", (event.day,))
        case _ if event.TOPIC in corrections.TOPICS:
            if corrections.apply(cursor, position, event):
                mark_decided(cursor, {event.client_id: position})
        case _ if event.TOPIC in notices.TOPICS:
            notices.apply(cursor, [(position, event)])
        case _:
            raise TypeError(f"{type(event).__name__} is no decision")


def mark_decided(cursor: Cursor[Any], positions: dict[str, int]) -> None:
    """Notes the last decision on each client: a view that has not come so far may not be billed from."""
    cursor.execute(
        "INSERT INTO accounts (client_id, decided_position) SELECT * FROM unnest(%s::text[], %s::int8[])"
        " ON CONFLICT (client_id) DO UPDATE SET decided_position ="
        " greatest(accounts.decided_position, excluded.decided_position)",
        (list(positions), list(positions.values())),
    )


def _issue(cursor: Cursor[Any], documents: Sequence[tuple[int, Document]]) -> None:
    if not documents:
        return
    taken: dict[Key, tuple[Document, list[InvoiceLine]]] = {}
    for _, document in documents:
        for line in document.lines:
            by, lines = taken.setdefault((document.client_id, line.item_key), (document, []))
            if by is not document:
                # One batch that bills an item twice (two currencies, or a rebuild): one after the other.
                for one in documents:
                    _issue(cursor, [one])
                return
            lines.append(line)
    counts = _posting_counts(cursor, list(taken))
    copy_in(
        cursor,
        POSTED,
        (
            (
                client_id, key, counts.get((client_id, key), 0) + 1, lines[0].due_on, document.number,
                sum(line.net_minor for line in lines), sum(line.line.amount_minor for line in lines), document.currency,
            )
            for (client_id, key), (document, lines) in taken.items()
        ),
    )  # fmt: skip
    copy_packed(cursor, POSTED_ENTRIES, _entry_rows(taken))
    copy_in(cursor, INVOICES, (_invoice_row(position, document) for position, document in documents))
    copy_in(cursor, INVOICE_LINES, (row for _, document in documents for row in _line_rows(document)))
    corrections.keep_credits(cursor, [document for _, document in documents])
    _count(cursor, [document for _, document in documents])
    mark_decided(cursor, {document.client_id: position for position, document in documents})


def _posting_counts(cursor: Cursor[Any], keys: Sequence[Key]) -> dict[Key, int]:
    cursor.execute(
        "SELECT p.client_id, p.item_key, max(p.posting_no) FROM posted p"
        " JOIN unnest(%b::text[], %b::text[]) AS k(c, i) ON p.client_id = k.c AND p.item_key = k.i GROUP BY 1, 2",
        keys_of(keys),
    )
    return {(client_id, key): number for client_id, key, number in cursor.fetchall()}


def _entry_rows(taken: dict[Key, tuple[Document, list[InvoiceLine]]]) -> Iterator[bytes]:
    """Which line took an entry into its ticket's item, ready packed: a run has three times as many as of all else together.

    An entry's own item needs no look-up.
    """
    for (client_id, key), (document, lines) in taken.items():
        if key.startswith("ticket/"):
            head = _COLUMNS + packed_text(client_id)
            tail = packed_text(document.number) + _NUMBER(4, lines[-1].line_no)
            yield packed_rows(head, [member.time_entry_id for member in lines[-1].members], tail)


def _invoice_row(position: int, document: Document) -> tuple[Any, ...]:
    kind = "credit_note" if isinstance(document, CreditNoteIssued) else "invoice"
    return (
        document.client_id, document.number, kind, document.invoice_id, document.series, document.currency,
        document.issued_on, document.due_on, document.net_minor, document.tax_minor, document.total_minor,
        document.saw_position, position,
    )  # fmt: skip


def _line_rows(document: Document) -> Iterable[tuple[Any, ...]]:
    for one in document.lines:
        line, corrects = one.line, one.corrects
        yield (
            document.client_id, document.number, one.line_no, one.item_key, line.description, line.charge_type,
            line.service_from, line.service_to, line.quantity, line.unit, line.unit_price, line.currency, one.net_minor,
            one.tax_code, one.tax_percent, one.tax_minor, line.account, corrects.number if corrects else None,
            corrects.line_no if corrects else None, line.rule, line.arithmetic, len(one.source_event_ids),
            one.source_sha256, one.source_event_ids,
        )  # fmt: skip


def _count(cursor: Cursor[Any], documents: Sequence[Document]) -> None:
    """Moves each series on by the documents it numbered."""
    taken: dict[str, int] = {}
    issued_on: dict[str, date] = {}
    for document in documents:
        taken[document.series] = taken.get(document.series, 0) + 1
        issued_on[document.series] = max(issued_on.get(document.series, document.issued_on), document.issued_on)
    cursor.execute(
        "INSERT INTO series (counter, last_number, last_issued_on) SELECT * FROM unnest(%s::text[], %s::int8[], %s::date[])"
        " ON CONFLICT (counter) DO UPDATE SET last_number = series.last_number + excluded.last_number,"
        " last_issued_on = greatest(series.last_issued_on, excluded.last_issued_on)",
        (list(taken), list(taken.values()), list(issued_on.values())),
    )


def posted_of(cursor: Cursor[Any], keys: Sequence[Key]) -> dict[Key, list[Posting]]:
    """The postings of some items, oldest first, by (client, item key)."""
    cursor.execute(
        "SELECT e.topic, e.state FROM (SELECT DISTINCT p.client_id, p.number FROM posted p"
        " JOIN unnest(%b::text[], %b::text[]) AS k(c, i) ON p.client_id = k.c AND p.item_key = k.i) AS d"
        " JOIN invoices i USING (client_id, number) JOIN ledger.daybook_events e ON e.notification_id = i.position"
        " ORDER BY e.notification_id",
        keys_of(keys),
    )
    wanted = set(keys)
    return _by_item((key, posting) for key, posting in _postings(cursor) if key in wanted)


def posted_of_clients(cursor: Cursor[Any], client_ids: Sequence[str]) -> dict[Key, list[Posting]]:
    """Every posting of some clients, oldest first, by (client, item key)."""
    cursor.execute(
        "SELECT e.topic, e.state FROM invoices i JOIN ledger.daybook_events e ON e.notification_id = i.position"
        " WHERE i.client_id = ANY(%s) ORDER BY e.notification_id",
        (list(client_ids),),
    )
    return _by_item(_postings(cursor))


def _postings(found: Iterable[tuple[str, bytes]]) -> Iterator[tuple[Key, Posting]]:
    """What some documents took, by item: the book says it, no table repeats it."""
    for topic, state in found:
        document = decode(topic, state)
        for item_key, posting in postings(document).items():
            yield (document.client_id, item_key), posting


def _by_item(postings: Iterable[tuple[Key, Posting]]) -> dict[Key, list[Posting]]:
    found: dict[Key, list[Posting]] = {}
    for key, posting in postings:
        found.setdefault(key, []).append(posting)
    return found


def adjustments_of(cursor: Cursor[Any], client_ids: Sequence[str]) -> dict[Key, list[Adjustment]]:
    """Every adjustment of some clients, by (client, item key)."""
    cursor.execute(
        "SELECT client_id, item_key, adjustment_id, currency, amount_minor, event_id, waives FROM adjustments"
        " WHERE client_id = ANY(%s) ORDER BY 1, 2, 3",
        (list(client_ids),),
    )
    found: dict[Key, list[Adjustment]] = {}
    for client_id, key, adjustment_id, currency, amount_minor, event_id, waives in cursor.fetchall():
        found.setdefault((client_id, key), []).append(
            Adjustment(
                adjustment_id=adjustment_id, currency=currency, amount_minor=amount_minor, reason="", event_id=event_id,
                waives=waives,
            )
        )  # fmt: skip
    return found


def standing_entries(posted: dict[Key, list[Posting]]) -> dict[str, dict[str, Posted]]:
    """By client and entry: the item an invoiced entry stands, or last stood, in and the minutes it brought there."""
    found: dict[str, dict[str, Posted]] = {}
    for (client_id, key), history in posted.items():
        if key.startswith(("time/", "ticket/")):
            for member in history[-1].members:
                found.setdefault(client_id, {})[member.time_entry_id] = Posted(key, member)
    for (client_id, key), history in posted.items():
        if key.startswith(("time/", "ticket/")):
            # Credited since: nothing of it stands, but the entry has been invoiced before (product T6).
            for member in (member for posting in reversed(history) for member in posting.members):
                found.setdefault(client_id, {}).setdefault(member.time_entry_id, Posted(key, member, stands=False))
    return found


def business_day(cursor: Cursor[Any]) -> date | None:
    """The last day opened."""
    row = cursor.execute("SELECT day FROM business_day").fetchone()
    return row[0] if row is not None else None

"""What people decided about whole documents, and which invoices were told to be settled: kept in each decision's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from psycopg import Cursor

from domain.corrections import InvoiceSettled, InvoiceVoided, InvoiceWrittenOff
from domain.invoice import CreditNoteIssued
from domain.receivables import WrittenOff
from projections.tables import CREDITED, SETTLEMENTS, VOIDS, WRITE_OFFS, Table, copy_in

TABLES: Final[tuple[Table, ...]] = (CREDITED, VOIDS, WRITE_OFFS, SETTLEMENTS)
TOPICS: Final = frozenset(cls.TOPIC for cls in (InvoiceVoided, InvoiceWrittenOff, InvoiceSettled))


def apply(cursor: Cursor[Any], position: int, event: Any) -> bool:
    """Applies one event; gives whether it is a decision on its client, which a run must have seen."""
    match event:
        case InvoiceVoided():
            row: tuple[Any, ...] = (
                event.client_id, event.number, event.credited_by, event.by, event.occurred_at, event.reason, position,
            )  # fmt: skip
            copy_in(cursor, VOIDS, [row])
            return True
        case InvoiceWrittenOff():
            row = (
                event.client_id, event.number, UUID(event.event_id), event.currency, event.amount_minor, event.written_off_on,
                event.by, event.occurred_at, event.reason, position,
            )  # fmt: skip
            copy_in(cursor, WRITE_OFFS, [row])
            return True
        case InvoiceSettled():
            copy_in(cursor, SETTLEMENTS, [(event.client_id, event.number, event.settled_on, position)])
            return False
        case _:
            raise TypeError(f"{type(event).__name__} is no correction")


def keep_credits(cursor: Cursor[Any], documents: Iterable[Any]) -> None:
    """Notes who asked for credit notes, and what becomes of their items."""
    rows = [
        (one.client_id, one.number, one.credits, one.mode, one.by, one.occurred_at, one.reason)
        for one in documents
        if isinstance(one, CreditNoteIssued) and one.mode
    ]
    if rows:
        copy_in(cursor, CREDITED, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """A credit note that a person asked for; `reason` is ciphertext."""

    number: str
    credits: str
    mode: str
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """An invoice that was voided, and the credit note that took it back; `reason` is ciphertext."""

    number: str
    credited_by: str
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOff:
    """What the provider gave up of an invoice; `reason` is ciphertext."""

    currency: str
    amount_minor: int
    on: date
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What people decided about one document: `credits` were taken from it, `asked` is itself a credit note by hand.

    `not_needed_minor` is what of the write-offs counts for nothing, for money that was received before became known later.
    """

    void: Void | None
    voids: Void | None
    asked: Credit | None
    credits: tuple[Credit, ...]
    write_offs: tuple[WriteOff, ...]
    not_needed_minor: int


def about(cursor: Cursor[Any], number: str) -> About:
    """Everything people decided about a document."""
    given = {"number": number}
    credits = [
        Credit(number=r[0], credits=r[1], mode=r[2], by=r[3], at=r[4], reason=r[5])
        for r in cursor.execute(
            "SELECT number, of_number, mode, credited_by, credited_at, reason FROM credited"
            " WHERE of_number = %(number)s OR number = %(number)s ORDER BY credited_at, number",
            given,
        ).fetchall()
    ]
    voids = [
        Void(number=r[0], credited_by=r[1], by=r[2], at=r[3], reason=r[4])
        for r in cursor.execute(
            "SELECT number, credited_by, voided_by, voided_at, reason FROM voids"
            " WHERE number = %(number)s OR credited_by = %(number)s",
            given,
        ).fetchall()
    ]
    write_offs = cursor.execute(
        "SELECT currency, amount_minor, written_off_on, written_off_by, written_off_at, reason FROM write_offs"
        " WHERE number = %(number)s ORDER BY written_off_at, event_id",
        given,
    ).fetchall()
    given_up = cursor.execute("SELECT written_off_minor FROM open_items WHERE number = %(number)s", given).fetchone()
    return About(
        not_needed_minor=max(sum(row[1] for row in write_offs) - given_up[0], 0) if given_up is not None else 0,
        void=next((one for one in voids if one.number == number), None),
        voids=next((one for one in voids if one.credited_by == number), None),
        asked=next((one for one in credits if one.number == number), None),
        credits=tuple(one for one in credits if one.credits == number),
        write_offs=tuple(WriteOff(currency=r[0], amount_minor=r[1], on=r[2], by=r[3], at=r[4], reason=r[5]) for r in write_offs),
    )


def voided_by(cursor: Cursor[Any], numbers: Sequence[str]) -> dict[str, str]:
    """The credit notes that took back those of some invoices that were voided, by the invoice's number."""
    return dict(cursor.execute("SELECT number, credited_by FROM voids WHERE number = ANY(%s)", (list(numbers),)).fetchall())


def written_off(cursor: Cursor[Any], client_ids: Sequence[str]) -> Mapping[str, dict[str, list[WrittenOff]]]:
    """What was given up of some clients' invoices, by client and currency: what their accounts are settled from."""
    rows = cursor.execute(
        "SELECT client_id, currency, number, amount_minor, written_off_on FROM write_offs WHERE client_id = ANY(%s)"
        " ORDER BY client_id, number, event_id",
        (list(client_ids),),
    ).fetchall()
    found: dict[str, dict[str, list[WrittenOff]]] = {}
    for client_id, currency, number, amount_minor, day in rows:
        one = WrittenOff(number=number, amount_minor=amount_minor, written_off_on=day)
        found.setdefault(client_id, {}).setdefault(currency, []).append(one)
    return found

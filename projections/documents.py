"""Issued documents as people and programs read them, and what explains each of their lines."""

from typing import Any, LiteralString
from urllib.parse import unquote

from psycopg import Cursor

from projections.source_events import source_events

STANDING: LiteralString = (
    " LEFT JOIN open_items o ON o.client_id = i.client_id AND o.number = i.number"
    " LEFT JOIN credits k ON k.client_id = i.client_id AND k.source = i.number AND k.kind = 'credit_note'"
    " LEFT JOIN voids v ON v.client_id = i.client_id AND v.number = i.number"
)
"""Joins to the documents `i` what is paid of them; `standing` reads the columns of `STANDS`."""
STANDS: LiteralString = (
    "coalesce(o.outstanding_minor, greatest(i.total_minor, 0)), o.status, k.unapplied_minor, v.number IS NOT NULL"
)
_INVOICE: LiteralString = (
    "SELECT i.number, i.kind, i.client_id, i.currency, i.issued_on, i.due_on, i.net_minor, i.tax_minor, i.total_minor,"
    f" {STANDS} FROM invoices i {STANDING}"
)
_LINE: LiteralString = (
    "SELECT line_no, item_key, description, charge_type, service_from, service_to, quantity, unit, unit_price, net_minor,"
    " tax_code, tax_minor, account, corrects_number, corrects_line_no, rule, source_count, source_sha256,"
    " source_event_ids::text[], tax_percent, arithmetic, number, currency FROM invoice_lines"
)
_OF_DOCUMENTS: LiteralString = (
    " WHERE (%(client)s::text IS NULL OR i.client_id = %(client)s) AND (%(number)s::text IS NULL OR i.number = %(number)s)"
    " AND (%(numbers)s::text[] IS NULL OR i.number = ANY(%(numbers)s))"
)
MOST_SOURCES = 100


def invoices(
    cursor: Cursor[Any], client_id: str | None = None, number: str | None = None, *, numbers: list[str] | None = None
) -> list[dict[str, Any]]:
    """Issued documents in order of issue, each with its lines; of one client, or the one of a number, or those of several."""
    given = {"client": client_id, "number": number, "numbers": numbers}
    lines: dict[str, list[dict[str, Any]]] = {}
    for row in cursor.execute(f"{_LINE} i {_OF_DOCUMENTS} ORDER BY number, line_no", given).fetchall():
        lines.setdefault(row[21], []).append(_line(row))
    found = cursor.execute(
        _INVOICE + _OF_DOCUMENTS + ' ORDER BY i.issued_on, i.position, i.number COLLATE "C"', given
    ).fetchall()
    return [
        {
            "number": r[0], "kind": r[1], "client_id": r[2], "currency": r[3], "issued_on": r[4], "due_on": r[5],
            "net_minor": r[6], "tax_minor": r[7], "total_minor": r[8],
            **standing(*r[9:13]), "lines": lines.get(r[0], []),
        }
        for r in found
    ]  # fmt: skip


def standing(outstanding_minor: int, status: str | None, unapplied_minor: int | None, voided: bool) -> dict[str, Any]:
    """What is still owed on a document, and its status: `open`, `partly_paid`, `settled`, `written_off` or `voided`.

    A credit note owes nothing; it is open as long as some of it is credit that pays nothing yet.
    A document issued a moment ago, which the view has not seen yet, is owed whole.
    """
    if voided:
        return {"outstanding_minor": outstanding_minor if status is not None else 0, "status": "voided"}
    if status is None:
        status = "open" if outstanding_minor or unapplied_minor else "settled"
    return {"outstanding_minor": outstanding_minor, "status": status}


def _line(r: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "line_no": r[0], "item_key": r[1], "description": r[2], "charge_type": r[3], "service_from": r[4],
        "service_to": r[5], "quantity": r[6], "unit": r[7], "unit_price": r[8], "net_minor": r[9], "tax_code": r[10],
        "tax_minor": r[11], "account": r[12],
        "corrects": {"number": r[13], "line_no": r[14]} if r[13] is not None else None, "rule": r[15],
        "source_count": r[16], "source_sha256": r[17], "source_event_ids": r[18][:MOST_SOURCES], "tax_percent": r[19],
        "arithmetic": r[20], "currency": r[22],
    }  # fmt: skip


def explain(cursor: Cursor[Any], number: str, line_no: int | None = None) -> list[dict[str, Any]]:
    """Why lines are what they are: rule, arithmetic, what corrects them, and each source event with where it came from."""
    rows = cursor.execute(
        _LINE + " WHERE number = %(number)s AND (%(line)s::int IS NULL OR line_no = %(line)s) ORDER BY line_no",
        {"number": number, "line": line_no},
    ).fetchall()
    found = []
    for row in rows:
        line = _line(row)
        line["source_events"] = source_events(cursor, row[18])
        line["corrected_by"] = [
            {"number": n, "line_no": at}
            for n, at in cursor.execute(
                "SELECT number, line_no FROM invoice_lines WHERE corrects_number = %s AND corrects_line_no = %s ORDER BY 1, 2",
                (number, row[0]),
            ).fetchall()
        ]
        found.append(line)
    return found


def waiting(cursor: Cursor[Any], client_id: str | None = None) -> list[dict[str, Any]]:
    """What is kept and not billed, with the reason and since when."""
    rows = cursor.execute(
        "SELECT client_id, what, id, reason, since, minutes, served_on FROM waiting"
        " WHERE %(client)s::text IS NULL OR client_id = %(client)s"
        ' ORDER BY client_id COLLATE "C", what, since, id COLLATE "C"',
        {"client": client_id},
    ).fetchall()
    return [
        {"client_id": r[0], "what": r[1], "id": r[2], "reason": r[3], "since": r[4], "minutes": r[5], "served_on": r[6]}
        for r in rows
    ]


def waits(cursor: Cursor[Any], item_key: str) -> str | None:
    """Why the time entry or contract line of an item waits, if it does."""
    kind, _, rest = item_key.partition("/")
    id_ = unquote(rest) if kind == "time" else "/".join(unquote(part) for part in rest.split("/")[:2])
    row = cursor.execute(
        "SELECT reason FROM waiting WHERE id = %s AND what = %s LIMIT 1",
        (id_, "time_entry" if kind == "time" else "contract_line"),
    ).fetchone()
    return row[0] if row is not None else None

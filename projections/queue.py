"""The ready-for-invoicing queue: one row per client and currency, and every line behind it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, LiteralString

from psycopg import Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a person wants to see of the queue; null fields leave all in. `since` and `until` bound the service days."""

    client_id: str | None = None
    since: date | None = None
    until: date | None = None
    charge_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One client's queue in one currency; held lines are counted apart, for they stay off the run."""

    client_id: str
    client_name: str
    currency: str
    types: tuple[str, ...]
    hours: Decimal
    net_minor: int
    lines: int
    unapproved_minutes: int
    held_minor: int
    held_lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One line that would be invoiced, with the hold that keeps it off, if any."""

    client_id: str
    item_key: str
    description: str
    charge_type: str | None
    service_from: date
    service_to: date
    quantity: Decimal
    unit: str
    unit_price: Decimal
    currency: str
    net_minor: int
    corrects: dict[str, Any] | None
    hold: dict[str, Any] | None
    rule: str
    arithmetic: str


_FROM: LiteralString = """
    FROM due_lines d LEFT JOIN holds h USING (client_id, item_key)
    WHERE d.due_on <= %(as_of)s
      AND (%(client_id)s::text IS NULL OR d.client_id = %(client_id)s)
      AND (%(since)s::date IS NULL OR d.service_to >= %(since)s)
      AND (%(until)s::date IS NULL OR d.service_from <= %(until)s)
      AND (%(charge_type)s::text IS NULL OR d.charge_type = %(charge_type)s)
"""
# A hundred thousand lines are added up in memory; for this transaction only.
_MEMORY: LiteralString = "SET LOCAL work_mem = '32MB'"
# Each line is read once, from the key's index (migration 0105): the due line itself is long and not needed here.
_ROWS: LiteralString = f"""
    WITH kinds AS (
        SELECT client_id, d.currency, d.kind, h.item_key IS NOT NULL AS held, bool_or(d.unit = 'hour') AS hourly,
            sum(d.quantity) FILTER (WHERE d.unit = 'hour') AS hours, sum(d.net_minor) AS net_minor, count(*) AS lines
        {_FROM}
        GROUP BY 1, 2, 3, 4
    ),
    sums AS (
        SELECT client_id, currency,
            array_agg(kind ORDER BY hourly DESC, kind COLLATE "C") FILTER (WHERE NOT held) AS types,
            coalesce(sum(hours) FILTER (WHERE NOT held), 0) AS hours,
            coalesce(sum(net_minor) FILTER (WHERE NOT held), 0)::bigint AS net_minor,
            coalesce(sum(lines) FILTER (WHERE NOT held), 0)::bigint AS lines,
            coalesce(sum(net_minor) FILTER (WHERE held), 0)::bigint AS held_minor,
            coalesce(sum(lines) FILTER (WHERE held), 0)::bigint AS held_lines
        FROM kinds GROUP BY 1, 2
    ),
    unapproved AS (
        SELECT client_id, currency, sum(minutes) AS minutes FROM waiting
        WHERE reason IN ('awaiting_approval', 'amended_after_invoicing') AND currency IS NOT NULL
          AND served_on <= %(as_of)s
          AND (%(client_id)s::text IS NULL OR client_id = %(client_id)s)
          AND (%(since)s::date IS NULL OR served_on >= %(since)s)
          AND (%(until)s::date IS NULL OR served_on <= %(until)s)
        GROUP BY 1, 2
    )
    SELECT client_id, coalesce(c.name, client_id), currency, coalesce(s.types, '{{}}'), coalesce(s.hours, 0),
        coalesce(s.net_minor, 0), coalesce(s.lines, 0), coalesce(u.minutes, 0)::bigint, coalesce(s.held_minor, 0),
        coalesce(s.held_lines, 0)
    FROM sums s FULL JOIN unapproved u USING (client_id, currency)
        LEFT JOIN (SELECT client_id, name FROM clients) c USING (client_id)
    ORDER BY coalesce(c.name, client_id) COLLATE "C", client_id COLLATE "C", currency
"""


def rows(cursor: Cursor[Any], as_of: date, only: Filter) -> list[QueueRow]:
    """The queue, by client name. A client with only unapproved time has a row without lines."""
    cursor.execute(_MEMORY)
    cursor.execute(*rows_statement(as_of, only))
    return [
        QueueRow(
            client_id=r[0], client_name=r[1], currency=r[2], types=tuple(r[3]), hours=r[4], net_minor=r[5], lines=r[6],
            unapproved_minutes=r[7], held_minor=r[8], held_lines=r[9],
        )
        for r in cursor.fetchall()
    ]  # fmt: skip


def rows_statement(as_of: date, only: Filter) -> tuple[LiteralString, dict[str, Any]]:
    """The queue's query with its values: what a benchmark runs bare."""
    return _ROWS, _parameters(as_of, only)


def lines(cursor: Cursor[Any], as_of: date, only: Filter) -> list[QueueLine]:
    """Every line of the queue, by client and item."""
    cursor.execute(
        "SELECT client_id, item_key, d.description, d.charge_type, d.service_from, d.service_to, d.quantity, d.unit,"
        " d.unit_price, d.currency, d.net_minor, d.corrects_number, d.corrects_line_no, h.item_key IS NOT NULL, h.held_by,"
        " h.held_at, h.reason, d.rule, d.arithmetic"
        f' {_FROM} ORDER BY client_id COLLATE "C", d.unit <> \'hour\', d.service_from, item_key COLLATE "C", d.line_no',
        _parameters(as_of, only),
    )
    return [
        QueueLine(
            client_id=r[0], item_key=r[1], description=r[2], charge_type=r[3], service_from=r[4], service_to=r[5],
            quantity=r[6], unit=r[7], unit_price=r[8], currency=r[9], net_minor=r[10],
            corrects={"number": r[11], "line_no": r[12]} if r[11] is not None else None,
            hold={"by": r[14], "at": r[15], "reason": r[16]} if r[13] else None, rule=r[17], arithmetic=r[18],
        )
        for r in cursor.fetchall()
    ]  # fmt: skip


def _parameters(as_of: date, only: Filter) -> dict[str, Any]:
    return {
        "as_of": as_of,
        "client_id": only.client_id,
        "since": only.since,
        "until": only.until,
        "charge_type": only.charge_type,
    }

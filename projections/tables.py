"""The derived tables' columns, and the two ways rows get in and out of them: whole batches, never one by one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, LiteralString

import psycopg
from psycopg import Cursor, sql
from psycopg.adapt import Dumper
from psycopg.pq import Format


@dataclass(frozen=True, slots=True)
class Table:
    """A table of schema `books`: its columns with their types, the first `keys` of which are its primary key.

    `unhashed` columns are left out of the view's state hash: cipher text differs each time it is written. So are rows
    that are not among `hashed_rows`, a condition: what may be there or not, by chance of arrival, and changes nothing.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    keys: int
    unhashed: frozenset[str] = frozenset()
    hashed_rows: LiteralString = "true"

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(name for name, _ in self.columns)


def _table(name: str, keys: int, columns: str, unhashed: str = "", hashed_rows: LiteralString = "true") -> Table:
    pairs = tuple((part.split()[0], part.split()[1]) for part in columns.split(","))
    return Table(name, pairs, keys, frozenset(unhashed.split()), hashed_rows)


POSTED: Final = _table(
    "posted",
    3,
    "client_id text, item_key text, posting_no int4, due_on date, number text, net_minor int8, amount_minor int8, currency text",
)
POSTED_ENTRIES: Final = _table("posted_entries", 4, "client_id text, time_entry_id text, number text, line_no int4")
SERIES: Final = _table("series", 1, "counter text, last_number int8, last_issued_on date")
HOLDS: Final = _table(
    "holds", 2, "client_id text, item_key text, held_by text, held_at timestamptz, reason text", unhashed="reason"
)
ADJUSTMENTS: Final = _table(
    "adjustments",
    3,
    "client_id text, item_key text, adjustment_id text, currency text, amount_minor int8, adjusted_by text,"
    "adjusted_at timestamptz, reason text, event_id text, waives bool",
    unhashed="reason",
)
BUSINESS_DAY: Final = _table("business_day", 1, "one bool, day date")
INVOICES: Final = _table(
    "invoices",
    2,
    "client_id text, number text, kind text, invoice_id text, series text, currency text, issued_on date, due_on date,"
    "net_minor int8, tax_minor int8, total_minor int8, saw_position int8, position int8",
    unhashed="saw_position position",
)
INVOICE_LINES: Final = _table(
    "invoice_lines",
    3,
    "client_id text, number text, line_no int4, item_key text, description text, charge_type text, service_from date,"
    "service_to date, quantity numeric, unit text, unit_price numeric, currency text, net_minor int8, tax_code text,"
    "tax_percent numeric, tax_minor int8, account text, corrects_number text, corrects_line_no int4, rule text,"
    "arithmetic text, source_count int4, source_sha256 text, source_event_ids uuid[]",
)
CREDITED: Final = _table(
    "credited",
    2,
    "client_id text, number text, of_number text, mode text, credited_by text, credited_at timestamptz, reason text",
    unhashed="reason",
)
VOIDS: Final = _table(
    "voids",
    2,
    "client_id text, number text, credited_by text, voided_by text, voided_at timestamptz, reason text, position int8",
    unhashed="reason position",
)
WRITE_OFFS: Final = _table(
    "write_offs",
    3,
    "client_id text, number text, event_id uuid, currency text, amount_minor int8, written_off_on date, written_off_by text,"
    "written_off_at timestamptz, reason text, position int8",
    unhashed="reason position",
)
SETTLEMENTS: Final = _table(
    "settlements", 2, "client_id text, number text, settled_on date, position int8", unhashed="position"
)
NOTICES: Final = _table(
    "notices",
    2,
    "client_id text, notice_id text, kind text, rule text, numbers text[], currency text, due_on date, claimed_on date,"
    "claimed_at timestamptz, balance_minor int8, addresses text[], message_id text, state text, tries int4, permanent bool,"
    "last_at timestamptz, reason text, position int8",
    unhashed="addresses reason position",
)
TERMS: Final = _table("terms", 2, "subject text, event_id uuid, topic text, state bytea", unhashed="state")
TIME_ENTRIES: Final = _table(
    "time_entries",
    2,
    "client_id text, time_entry_id text, revision int4, status text, ticket_id text, project_id text, contract_id text,"
    "agent_id text, approver_id text, charge_type text, worked_on date, started_at timestamptz, ended_at timestamptz,"
    "worked_minutes int4, deducted_minutes int4, billable_minutes int4, note text, first_occurred_at timestamptz,"
    "first_event_id text, state bytea",
    unhashed="note state",
)
SAYS_SOMETHING: Final = """
    quantity NOT BETWEEN 0 AND 10000000 OR as_of < '1970-01-01Z' OR as_of >= '2200-01-01Z' OR EXISTS (
        SELECT FROM seat_counts p
        WHERE (p.client_id, p.product, p.system) = (seat_counts.client_id, seat_counts.product, seat_counts.system)
            AND p.as_of = seat_counts.as_of AND p.event_id <> seat_counts.event_id
    ) OR quantity IS DISTINCT FROM (
        SELECT p.quantity FROM seat_counts p
        WHERE (p.client_id, p.product, p.system) = (seat_counts.client_id, seat_counts.product, seat_counts.system)
            AND p.as_of < seat_counts.as_of AND p.as_of >= date_trunc('day', seat_counts.as_of, 'UTC')
            AND p.quantity BETWEEN 0 AND 10000000
        ORDER BY p.as_of DESC, p.revision DESC, p.occurred_at DESC, p.event_id DESC LIMIT 1
    )
"""
# Which poll of a day is in the book may depend on which came first (`domain.seat_polls.repeats` says the same).
SEAT_COUNTS: Final = _table(
    "seat_counts",
    3,
    "client_id text, product text, event_id uuid, system text, as_of timestamptz, revision int8, occurred_at timestamptz,"
    "quantity int8",
    hashed_rows=SAYS_SOMETHING,
)
CLIENTS: Final = _table("clients", 1, "client_id text, name text, currency text, time_zone text, status text, terms_days int4")
CHARGES: Final = _table(
    "charges",
    2,
    "client_id text, item_key text, ticket_id text, due_on date, stays bool, currency text, rated_minor int8,"
    "adjusted_minor int8, explanation text, source_event_ids text[]",
)
DUE_LINES: Final = _table(
    "due_lines",
    3,
    "client_id text, item_key text, line_no int4, due_on date, description text, charge_type text, kind text,"
    "service_from date, service_to date, quantity numeric, unit text, unit_price numeric, currency text, net_minor int8,"
    "corrects_number text, corrects_line_no int4, rule text, arithmetic text, line bytea",
)
SEAT_CHARGES: Final = _table(
    "seat_charges",
    3,
    "client_id text, item_key text, segment_no int4, contract_id text, line_id text, period_start date, period_end date,"
    "segment_start date, segment_end date, quantity int8, unit_price numeric, currency text, net_minor int8, policy text",
)
PAYMENTS: Final = _table(
    "payments",
    2,
    "client_id text, payment_id text, event_id uuid, occurred_at timestamptz, currency text, amount_minor int8,"
    "surcharge_minor int8, fee_minor int8, received_at timestamptz, method text, invoice_numbers text[], provider text,"
    "provider_ref text, possible bool",
)
RETURNS: Final = _table(
    "returns",
    3,
    "client_id text, refund_id text, payment_id text, event_id uuid, occurred_at timestamptz, kind text, amount_minor int8,"
    "currency text, returned_at timestamptz",
)
OPEN_ITEMS: Final = _table(
    "open_items",
    2,
    "client_id text, number text, currency text, issued_on date, due_on date, total_minor int8, applied_minor int8,"
    "written_off_minor int8, outstanding_minor int8, status text, settled_on date",
)
CREDITS: Final = _table(
    "credits",
    3,
    "client_id text, source text, kind text, currency text, received_on date, pays_minor int8, applied_minor int8,"
    "returned_minor int8, unapplied_minor int8",
)
ALLOCATIONS: Final = _table(
    "allocations",
    3,
    "client_id text, currency text, allocation_no int4, source text, number text, amount_minor int8, allocated_on date,"
    "kind text",
)
SETTLED: Final = _table(
    "settled",
    2,
    "client_id text, currency text, last_on date, last_rank int4, last_at timestamptz, last_step int4, last_name text,"
    "allocations int4",
)
WAITING: Final = _table(
    "waiting",
    3,
    "client_id text, what text, id text, reason text, since timestamptz, minutes int4, currency text, served_on date",
)


_TEXT: Final = 25  # the number of the type `text`
_TEXTS: Final = 1009
_UUID: Final = 2950
_ARRAY: Final = Struct(">iiI").pack
_BOUNDS: Final = Struct(">ii").pack
_LENGTH: Final = Struct(">i").pack
_ID_LENGTH: Final = 36
_ID_PREFIX: Final = _LENGTH(_ID_LENGTH).decode()
_UUID_LENGTH: Final = _LENGTH(16)
_SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"


def copy_in(cursor: Cursor[Any], table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Adds rows by binary COPY; columns as the table lists them."""
    # A list is packed here, which is faster than the driver does it, and sent as the bytes it comes to.
    lists = [(index, _LISTS[kind]) for index, (_, kind) in enumerate(table.columns) if kind in _LISTS]
    with cursor.copy(_copy_statement(table)) as copy:
        copy.set_types(["bytea" if kind in _LISTS else kind for _, kind in table.columns])
        for row in rows:
            copy.write_row(_packed(row, lists) if lists else row)


def copy_packed(cursor: Cursor[Any], table: Table, rows: Iterable[bytes]) -> None:
    """The same of rows that the caller packed (`packed_row`): many times as fast, for tables of many small rows."""
    made = b"".join(rows)
    if made:
        with cursor.copy(_copy_statement(table)) as copy:
            copy.write(_SIGNATURE + made + _TRAILER)


def packed_text(text: str) -> bytes:
    """A text as a field of a packed row."""
    encoded = text.encode()
    return _LENGTH(len(encoded)) + encoded


def packed_rows(head: bytes, texts: Sequence[str], tail: bytes) -> bytes:
    """One packed row a text, all else in them the same: in one go where all are of one length, as most ids are."""
    joined = "".join(texts)
    if joined.isascii() and len(set(map(len, texts))) == 1:
        length = _LENGTH(len(texts[0]))
        return head + length + (tail + head + length).join([text.encode() for text in texts]) + tail
    return b"".join([head + packed_text(text) + tail for text in texts])


def _copy_statement(table: Table) -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.names))
    )


def _packed(row: Sequence[Any], lists: Sequence[tuple[int, Callable[[Sequence[str]], bytes]]]) -> Sequence[Any]:
    found = list(row)
    for index, pack in lists:
        if found[index] is not None:
            found[index] = pack(found[index])
    return found


class Texts(bytes):
    """Texts as a parameter for `%b::text[]`, packed by `text_array`: the driver takes twenty times as long."""


class _TextsDumper(Dumper):
    format = Format.BINARY
    oid = _TEXTS

    def dump(self, obj: Texts) -> bytes:
        return bytes(obj)


psycopg.adapters.register_dumper(Texts, _TextsDumper)


def keys_of(keys: Iterable[tuple[str, str]]) -> tuple[Texts, Texts]:
    """(client, item key) pairs as two parameters for `unnest(%b::text[], %b::text[])`."""
    client_ids, item_keys = zip(*keys, strict=True) if keys else ((), ())
    return Texts(text_array(client_ids)), Texts(text_array(item_keys))


def text_array(texts: Sequence[str]) -> bytes:
    """Texts as PostgreSQL's binary form of a `text[]`: dimensions, no nulls, the type's number, then each with its length."""
    if not texts:
        return _ARRAY(0, 0, _TEXT)
    head = _ARRAY(1, 0, _TEXT) + _BOUNDS(len(texts), 1)
    joined = "".join(texts)
    if joined.isascii() and set(map(len, texts)) == {_ID_LENGTH}:
        # Event ids, which is what they are: all of one length, joined in one go.
        return head + (_ID_PREFIX + _ID_PREFIX.join(texts)).encode()
    return head + b"".join(_LENGTH(len(encoded)) + encoded for encoded in map(str.encode, texts))


def uuid_array(ids: Sequence[str]) -> bytes:
    """Ids as PostgreSQL's binary form of a `uuid[]`."""
    if not ids:
        return _ARRAY(0, 0, _UUID)
    made = bytes.fromhex("".join(ids).replace("-", ""))
    head = _ARRAY(1, 0, _UUID) + _BOUNDS(len(ids), 1)
    return head + b"".join([_UUID_LENGTH + made[at : at + 16] for at in range(0, 16 * len(ids), 16)])


_LISTS: Final[dict[str, Callable[[Sequence[str]], bytes]]] = {"text[]": text_array, "uuid[]": uuid_array}


def delete_keys(cursor: Cursor[Any], table: Table, keys: Sequence[Sequence[Any]]) -> None:
    """Takes rows out by (the beginning of) their primary key, in one statement."""
    if not keys:
        return
    width = len(keys[0])
    names = [sql.Identifier(name) for name, _ in table.columns[:width]]
    kinds = [kind for _, kind in table.columns[:width]]
    arrays = sql.SQL(", ").join(sql.SQL("%b::{}[]").format(sql.SQL(kind)) for kind in kinds)
    statement = sql.SQL("DELETE FROM {table} USING unnest({arrays}) AS k({names}) WHERE {match}").format(
        table=sql.Identifier(table.name),
        arrays=arrays,
        names=sql.SQL(", ").join(names),
        match=sql.SQL(" AND ").join(sql.SQL("{}.{} = k.{}").format(sql.Identifier(table.name), name, name) for name in names),
    )
    cursor.execute(statement, [list(column) for column in zip(*keys, strict=True)])


def replace_rows(cursor: Cursor[Any], table: Table, keys: Sequence[Sequence[Any]], rows: Iterable[Sequence[Any]]) -> None:
    """Puts rows in the place of those with the given keys."""
    delete_keys(cursor, table, keys)
    copy_in(cursor, table, rows)

"""What facts would bill or credit if they were said now: the views' own engine, on copies that are thrown away.

The hypothetical facts go through the same `Work().process` as recorded ones, in a transaction of its own that is rolled
back, on temporary tables that hide the live ones and hold only the clients that the facts touch.
Nothing is written, no number taken, no key made; people's words are left out of the copies altogether.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from psycopg import Cursor, sql

from domain.catalogue import ChargeTypeDefined
from domain.decisions import BusinessDayOpened
from domain.facts import FACTS, PERSONAL, PROVIDER, stream_of, subject_of
from ledger.book import RecordedEvent
from ledger.event_codec import encode
from projections import decisions, documents, queue, work
from projections.preview_result import Preview, compared
from projections.tables import BUSINESS_DAY, POSTED, TERMS, TIME_ENTRIES, Table
from projections.terms import CATALOGUE_TOPICS, load_catalogue
from projections.views import Views

MOST_CLIENTS: Final = 200
"""A change of the catalogue touches many clients: so many are looked at, and how many more there are is said."""
COPIED: Final[tuple[Table, ...]] = (*work.TABLES, POSTED, BUSINESS_DAY)
_OF_NOBODY: Final = ("", "?")  # the catalogue's own terms, and payments whose payer is not known

Fact = tuple[str, dict[str, Any]]
"""A record's name and its fields, as `schemas.json_lines` reads them."""


def preview(views: Views, facts: Sequence[Fact], as_of: date, at: datetime) -> Preview:
    """What the due lines of the touched clients would become as of a billing date; the views should have caught up.

    `at` stands in for the moment at which the facts would become known. A fact that is in the book already changes nothing.
    """
    with views.thrown_away() as cursor:
        known = _in_book(cursor, facts)
        new = [fact for fact in facts if _event_id(fact) not in known]
        wanted, left_out = _touched(cursor, new)
        _copy(cursor, wanted, _entry_ids(new))
        runner = work.Work()
        if decisions.business_day(cursor) != as_of:
            _open(cursor, runner, as_of, at)
        before = _state(cursor, wanted, as_of)
        runner.process(cursor, [_event(number, fact, at) for number, fact in enumerate(new, start=1)])
        return compared(before, _state(cursor, wanted, as_of), as_of=as_of, repeats=len(facts) - len(new), left_out=left_out)


def _event_id(fact: Fact) -> UUID:
    return UUID(fact[1]["event_id"])


def _in_book(cursor: Cursor[Any], facts: Sequence[Fact]) -> set[UUID]:
    rows = cursor.execute(
        "SELECT event_id FROM ledger.daybook_events WHERE event_id = ANY(%s)", ([_event_id(fact) for fact in facts],)
    ).fetchall()
    return {event_id for (event_id,) in rows}


def _event(number: int, fact: Fact, at: datetime) -> RecordedEvent:
    """The fact as the book would keep it, without people's words: to hide them would make a key."""
    record, fields = fact
    hidden = {name: [] if isinstance(fields[name], list) else "" for name in PERSONAL.get(record, ()) if fields[name]}
    return RecordedEvent(
        position=(1 << 62) + number,
        batch_id=0,
        recorded_at=at,
        stream_id=stream_of(record, fields),
        version=number,
        topic=FACTS[record].TOPIC,
        state=encode({**fields, **hidden}),
        client_id=subject_of(record, fields),
        event_id=_event_id(fact),
        body_hash=None,
        source=None,
    )


def _touched(cursor: Cursor[Any], facts: Sequence[Fact]) -> tuple[list[str], int]:
    """The clients whose lines the facts can change, in order of their ids; and how many more there are than are looked at.

    The clients that the facts name come first: only a change of the catalogue touches others.
    """
    named = {subject_of(record, fields) for record, fields in facts} - {PROVIDER}
    rows = cursor.execute(
        "SELECT DISTINCT client_id FROM time_entries WHERE time_entry_id = ANY(%s)", (_entry_ids(facts),)
    ).fetchall()
    named |= {client_id for (client_id,) in rows}
    others = _of_catalogue(cursor, [fact for fact in facts if FACTS[fact[0]].TOPIC in CATALOGUE_TOPICS]) - named
    room = max(MOST_CLIENTS - len(named), 0)
    return sorted(named) + sorted(others)[:room], max(len(others) - room, 0)


def _of_catalogue(cursor: Cursor[Any], facts: Sequence[Fact]) -> set[str]:
    """Of a charge type the clients with time under it; of everything else in the catalogue all clients."""
    if not facts:
        return set()
    if all(FACTS[record] is ChargeTypeDefined for record, _ in facts):
        codes = {fields["code"] for _, fields in facts}
        for code, states in load_catalogue(cursor).charge_types.items():
            # Time of another type may be billed under this one outside working hours.
            if any(one.out_of_hours is not None and one.out_of_hours.charge_type in codes for one in states.states):
                codes.add(code)
        rows = cursor.execute(
            "SELECT DISTINCT client_id FROM time_entries WHERE charge_type = ANY(%s)", (sorted(codes),)
        ).fetchall()
    else:
        rows = cursor.execute(
            "SELECT client_id FROM time_entries UNION SELECT subject FROM terms WHERE subject <> ''"
            " UNION SELECT client_id FROM posted"
        ).fetchall()
    return {client_id for (client_id,) in rows}


def _entry_ids(facts: Iterable[Fact]) -> list[str]:
    return sorted({fields["time_entry_id"] for _, fields in facts if "time_entry_id" in fields})


def _copy(cursor: Cursor[Any], client_ids: Sequence[str], entry_ids: Sequence[str]) -> None:
    """Temporary tables of the live ones' names with what is known of some clients; from here on they hide the live ones."""
    wanted = [*client_ids, *_OF_NOBODY]
    for table in COPIED:
        name, owner = sql.Identifier(table.name), table.columns[0][0]
        cursor.execute(sql.SQL("CREATE TEMP TABLE {} (LIKE books.{} INCLUDING ALL) ON COMMIT DROP").format(name, name))
        insert = sql.SQL("INSERT INTO pg_temp.{} SELECT * FROM books.{}").format(name, name)
        if owner not in ("client_id", TERMS.columns[0][0]):
            cursor.execute(insert)
            continue
        only = sql.SQL(" WHERE {} = ANY(%(wanted)s)").format(sql.Identifier(owner))
        if table is TIME_ENTRIES:
            # Whose an entry is depends on what other clients say of the same id (product T7).
            only += sql.SQL(
                " OR time_entry_id = ANY(%(entries)s)"
                " OR time_entry_id IN (SELECT time_entry_id FROM books.time_entries WHERE client_id = ANY(%(wanted)s))"
            )
        cursor.execute(insert + only, {"wanted": wanted, "entries": list(entry_ids)})
        cursor.execute(sql.SQL("ANALYZE pg_temp.{}").format(name))


def _open(cursor: Cursor[Any], runner: work.Work, as_of: date, at: datetime) -> None:
    """Rates the copies as of another day than the one that is open, as the opening of that day would."""
    cursor.execute("DELETE FROM business_day")
    cursor.execute("INSERT INTO business_day (day) VALUES (%s)", (as_of,))
    opened = BusinessDayOpened(event_id=str(UUID(int=0)), occurred_at=at, day=as_of)
    runner.process(
        cursor,
        [RecordedEvent(1 << 62, 0, at, UUID(int=0), 1, BusinessDayOpened.TOPIC, encode(opened), "", UUID(int=0), None, None)],
    )


def _state(
    cursor: Cursor[Any], client_ids: Sequence[str], as_of: date
) -> tuple[list[queue.QueueLine], list[dict[str, Any]], dict[str, str]]:
    """The queue's lines, what waits and the clients' names, as the copies have them."""
    only = set(client_ids)
    rows = cursor.execute("SELECT client_id, name FROM clients").fetchall()
    return (
        [line for line in queue.lines(cursor, as_of, queue.Filter()) if line.client_id in only],
        [one for one in documents.waiting(cursor) if one["client_id"] in only],
        dict(rows),
    )

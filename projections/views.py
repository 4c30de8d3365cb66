"""Keeps the views: one runner at a time follows the log in batches; a rebuild stands beside the live tables until they swap."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, Final

from psycopg import Cursor, sql

from ledger.book import Book, RecordedEvent
from ledger.database import Connection
from ledger.event_codec import decode
from projections import charges as charges_view
from projections import decisions, receivables_heal, work
from projections.rating import rate_clients
from projections.tables import Table
from projections.terms import TermsCache
from projections.version import hold_version

BATCH: Final = 5_000
LOCK: Final = 7_205_001  # the advisory lock of the one runner
WAIT_FOR_RUNNER: Final = "10min"
# Rating a client's many years is pure arithmetic between two statements; a frozen runner is still thrown out, a minute later.
BUSY: Final = "SET LOCAL idle_in_transaction_session_timeout = '2min'"
# Between two transactions it only reads the next events: whoever is frozen there gives the views up to another runner.
AWAKE: Final = "SET idle_session_timeout = '30s'"
# A batch touches some thousands of rows by their keys. What random reads are said to cost makes the planner read a whole
# table instead, for every batch, while the table has ten thousand to some hundred thousand rows.
BY_KEY: Final = """
    SELECT set_config(name, 'off', true) FROM unnest('{enable_seqscan,enable_hashjoin,enable_mergejoin,jit}'::text[]) AS s (name)
"""
TABLES: Final[tuple[Table, ...]] = (*decisions.TABLES, *work.TABLES)

# Views that analysts see under a name of their own, and the tables they are made of.
MADE_OF: Final[dict[str, tuple[str, ...]]] = {
    "invoicing_queue": ("due_lines", "holds", "waiting", "clients", "business_day"),
    "balances": ("open_items", "credits", "business_day"),
    "ageing": ("open_items", "business_day"),
}
# Written with the book itself, in the transaction of each batch: they have nothing to be rebuilt from but the source.
OF_THE_BOOK: Final = ("dead_letters", "ledger_batches")

Progress = Callable[[int], None]


class ViewsBehind(Exception):
    """The views have not come as far as was asked in the time given: look whether a worker holds them (`daybook doctor`)."""


class Views:
    """The derived tables of one ledger."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._runner = work.Work()
        self._runner_at: int | None = None
        self.problem: str | None = None

    def catch_up(self, *, timeout_s: float = 600.0, progress: Progress | None = None) -> int:
        """Brings the views to the ledger's head as of now, or waits for the runner that does; gives the position."""
        head = self.book.head()
        deadline = time.monotonic() + timeout_s
        while True:
            if self.follow(progress=progress):
                return head
            if self.position() >= head:
                return head
            if time.monotonic() > deadline:
                raise ViewsBehind(f"the views are at {self.position()}, the ledger at {head}")
            time.sleep(0.05)

    def follow(self, *, progress: Progress | None = None) -> bool:
        """Follows the log to its end, if no other runner does; false where another one holds the views.

        What stops it is kept in `problem` until it goes on, for those who ask how the views are.
        """
        try:
            followed = self._follow(progress)
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
            raise
        self.problem = None
        return followed

    def _follow(self, progress: Progress | None) -> bool:
        with self._session() as connection:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
            if row is None or not row[0]:
                return False
            connection.execute(AWAKE)
            try:
                after = _position(connection.cursor())
                if after != self._runner_at:
                    # Another runner was here since: what this one remembers of terms may be old.
                    self._runner = work.Work()
                self._runner_at = None
                while (events := self.book.read(after, BATCH)) or self._heal(connection):
                    if not events:
                        continue
                    with connection.transaction(), connection.cursor() as cursor:
                        hold_version(cursor)
                        cursor.execute(BUSY)
                        cursor.execute(BY_KEY)
                        self._runner.process(cursor, events)
                        after = events[-1].position
                        _move(cursor, after)
                    if progress is not None:
                        progress(len(events))
                self._runner_at = after
            finally:
                connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
                connection.execute("RESET idle_session_timeout")
            return True

    def _heal(self, connection: Connection) -> int:
        """Where nothing new is left to follow: settles some of what an older version settled; facts go before it."""
        with connection.transaction(), connection.cursor() as cursor:
            hold_version(cursor)
            cursor.execute(BUSY)
            return receivables_heal.heal(cursor, self._runner.cache)

    def position(self) -> int:
        """How far the views have come."""
        with self._session() as connection:
            return _position(connection.cursor())

    @contextmanager
    def _session(self) -> Iterator[Connection]:
        with self.book.database.connection() as connection:
            connection.autocommit = True
            # A statement prepared on the live tables would go on meaning them where temporary ones hide them.
            threshold, connection.prepare_threshold = connection.prepare_threshold, None
            connection.execute("SET search_path = books")
            try:
                yield connection
            finally:
                connection.execute("RESET search_path")
                connection.execute("DISCARD TEMP")
                connection.autocommit = False
                connection.prepare_threshold = threshold

    @contextmanager
    def reading(self, *, as_of: date | None = None, known_at: datetime | None = None) -> Iterator[Cursor[Any]]:
        """A cursor in one snapshot of the views as of a business day, or as they were known at an instant.

        The live tables answer where they can; what is missing is rated into temporary tables of the same names.
        """
        with self._session() as connection:
            if known_at is not None:
                self._fold(connection, self.book.batch_at(known_at), None)
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                # Drafting thousands of clients takes its time between two statements; nobody waits for a reader.
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
                if as_of is not None and as_of != decisions.business_day(cursor):
                    _rate_as_of(cursor, as_of)
                yield cursor

    @contextmanager
    def thrown_away(self) -> Iterator[Cursor[Any]]:
        """A cursor in one snapshot of the views, all of whose writes, temporary tables included, are undone at the end."""
        with self._session() as connection, connection.transaction(force_rollback=True), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute(BUSY)
            yield cursor

    def rebuild(self, names: Sequence[str] = (), *, progress: Progress | None = None) -> int:
        """Builds the named views (or all) from nothing beside the live ones, catches up, and swaps them in one transaction."""
        unknown = set(names) - set(view_names())
        meant = {one for name in names for one in MADE_OF.get(name, (name,))}
        wanted = [table for table in TABLES if not names or table.name in meant]
        if unknown:
            raise LookupError(f"no view named {', '.join(sorted(unknown))}; there are {', '.join(view_names())}")
        with self._session() as connection:
            connection.execute(sql.SQL("SET lock_timeout = {}").format(WAIT_FOR_RUNNER))
            connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            try:
                after = self._fold(connection, None, progress)
                with connection.transaction(), connection.cursor() as cursor:
                    hold_version(cursor)
                    cursor.execute(BUSY)
                    # A run locks clients, series, then events: whoever takes the events first must keep runs out before.
                    cursor.execute("LOCK TABLE books.accounts, books.series IN EXCLUSIVE MODE")
                    # No decision may land between the last event folded and the swap.
                    cursor.execute("LOCK TABLE ledger.daybook_events IN EXCLUSIVE MODE")
                    after = self._fold_on(cursor, work.Work(), after, None, progress)
                    for table in wanted:
                        name = sql.Identifier(table.name)
                        cursor.execute(sql.SQL("DELETE FROM books.{}").format(name))
                        cursor.execute(sql.SQL("INSERT INTO books.{} SELECT * FROM pg_temp.{}").format(name, name))
                    if not names:
                        cursor.execute("UPDATE books.positions SET position = %s WHERE view = %s", (after, work.NAME))
                return after
            finally:
                connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
                connection.execute("RESET lock_timeout")

    def _fold(self, connection: Connection, upto: int | None, progress: Progress | None) -> int:
        """Folds the book from its beginning into temporary tables that hide the live ones in this session."""
        names = [table.name for table in TABLES] + ["accounts", "positions"]
        for name in names:
            connection.execute(
                sql.SQL("CREATE TEMP TABLE {} (LIKE books.{} INCLUDING ALL)").format(
                    sql.Identifier(name), sql.Identifier(name)
                )
            )
        runner = work.Work()
        after = 0
        while True:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(BUSY)
                cursor.execute(BY_KEY)
                came_to = self._fold_on(cursor, runner, after, upto, progress, batches=1)
            if came_to == after:
                return after
            after = came_to

    def _fold_on(
        self,
        cursor: Cursor[Any],
        runner: work.Work,
        after: int,
        upto: int | None,
        progress: Progress | None,
        batches: int = 1_000_000,
    ) -> int:
        for _ in range(batches):
            events = self.book.read(after, BATCH, upto)
            if not events:
                break
            fold_decisions(cursor, events)
            runner.process(cursor, events)
            after = events[-1].position
            _move(cursor, after)
            if progress is not None:
                progress(len(events))
        return after

    def hashes(self) -> list[tuple[str, str, int]]:
        """(view, state hash, position) of every view, in one snapshot; cipher text and positions are left out."""
        with self.reading() as cursor:
            position = _position(cursor)
            own = [(name, state_hash_of(cursor, statement), position) for name, statement in _OF_THE_BOOK]
            return [*_hashes(cursor, position), *own]

    def fresh_hashes(self, *, progress: Progress | None = None) -> list[tuple[str, str, int]]:
        """The same of tables folded from nothing, which leaves the live ones alone: what `verify` compares with."""
        with self._session() as connection:
            position = self._fold(connection, self.position(), progress)
            with connection.transaction(), connection.cursor() as cursor:
                return _hashes(cursor, position)


def fold_decisions(cursor: Cursor[Any], events: Sequence[RecordedEvent]) -> None:
    """Applies the decisions among some events, as their own transactions did when they were made."""
    decided = [(e.position, decode(e.topic, e.state)) for e in events if e.topic in decisions.TOPICS]
    if decided:
        decisions.apply(cursor, decided)


def view_names() -> list[str]:
    """The views that can be rebuilt."""
    return sorted([*(table.name for table in TABLES), *MADE_OF, *OF_THE_BOOK])


def _hashes(cursor: Cursor[Any], position: int) -> list[tuple[str, str, int]]:
    hashes = {table.name: state_hash(cursor, table) for table in TABLES}
    for name, parts in MADE_OF.items():
        hashes[name] = hashlib.sha256("\n".join(hashes[part] for part in parts).encode()).hexdigest()
    return [(name, hash_, position) for name, hash_ in hashes.items()]


_OF_THE_BOOK: Final = (
    (
        "dead_letters",
        sql.SQL(
            'COPY (SELECT topic, partition, "offset", reason FROM ledger.dead_letters ORDER BY topic COLLATE "C", partition,'
            ' "offset") TO STDOUT'
        ),
    ),
    ("ledger_batches", sql.SQL("COPY (SELECT batch_id, hash FROM ledger.batches ORDER BY batch_id) TO STDOUT")),
)


def state_hash(cursor: Cursor[Any], table: Table) -> str:
    """The SHA-256 of a view's rows in order of their key, whatever the server's locale."""
    kept = [(name, kind) for name, kind in table.columns if name not in table.unhashed]
    keys = [
        sql.SQL('{} COLLATE "C"').format(sql.Identifier(name)) if kind == "text" else sql.Identifier(name)
        for name, kind in table.columns[: table.keys]
    ]
    statement = sql.SQL("COPY (SELECT {} FROM {} WHERE {} ORDER BY {}) TO STDOUT").format(
        sql.SQL(", ").join(sql.Identifier(name) for name, _ in kept),
        sql.Identifier(table.name),
        sql.SQL(table.hashed_rows),
        sql.SQL(", ").join(keys),
    )
    return state_hash_of(cursor, statement)


def state_hash_of(cursor: Cursor[Any], statement: sql.SQL | sql.Composed) -> str:
    """The SHA-256 of what a COPY gives."""
    digest = hashlib.sha256()
    with cursor.copy(statement) as copy:
        for block in copy:
            digest.update(block)
    return digest.hexdigest()


def _rate_as_of(cursor: Cursor[Any], as_of: date) -> None:
    """Rates every client as of another day than the one that is open, into temporary tables."""
    for table in charges_view.TABLES:
        cursor.execute(
            sql.SQL("CREATE TEMP TABLE {} (LIKE books.{} INCLUDING ALL) ON COMMIT DROP").format(
                sql.Identifier(f"{table.name}_as_of"), sql.Identifier(table.name)
            )
        )
    cache = TermsCache()
    rows = cursor.execute(
        "SELECT client_id FROM time_entries UNION SELECT subject FROM terms WHERE subject <> ''"
        " UNION SELECT client_id FROM posted ORDER BY 1"
    ).fetchall()
    client_ids = [client_id for (client_id,) in rows]
    rated = [
        one
        for start in range(0, len(client_ids), work.CLIENTS_AT_ONCE)
        for one in rate_clients(cursor, cache, client_ids[start : start + work.CLIENTS_AT_ONCE], as_of)
    ]
    unsupported = work.unsupported_of(cursor, client_ids)
    for table in charges_view.TABLES:
        temporary, name = sql.Identifier(f"{table.name}_as_of"), sql.Identifier(table.name)
        cursor.execute(sql.SQL("DROP TABLE IF EXISTS pg_temp.{}").format(name))
        cursor.execute(sql.SQL("ALTER TABLE pg_temp.{} RENAME TO {}").format(temporary, name))
    charges_view.put(
        cursor,
        rated,
        catalogue=cache.catalogue(cursor),
        terms=cache.clients(cursor, client_ids),
        totals={},
        as_of=as_of,
    )
    work.wait(cursor, unsupported)


def _position(cursor: Cursor[Any]) -> int:
    row = cursor.execute("SELECT position FROM positions WHERE view = %s", (work.NAME,)).fetchone()
    return int(row[0]) if row is not None else 0


def _move(cursor: Cursor[Any], position: int) -> None:
    cursor.execute(
        "INSERT INTO positions (view, position) VALUES (%s, %s)"
        " ON CONFLICT (view) DO UPDATE SET position = excluded.position",
        (work.NAME, position),
    )

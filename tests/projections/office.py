"""One ledger with its views, fed in any order and at any pace, and the ways to say what state it ended in."""

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from psycopg import Cursor

from consumers.embedded_source import EmbeddedSource
from consumers.ingest import Ingest
from ledger.book import Book
from ledger.database import Database
from ledger.embedded_log import EmbeddedLog
from ledger.keyring import Keyring
from projections import charges as charges_view
from projections import decisions, work
from projections.views import OF_THE_BOOK, Views, state_hash
from tests.oracle.generator import Message
from tests.oracle.world import Said

Hashes = dict[str, str]


class Office:
    """A book, what is in the log before it, and its views."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.book = Book(database, keyring)
        self.log = EmbeddedLog(database, keyring)
        self.views = Views(self.book)
        self.loop = self.new_loop()

    def environment(self, **more: str) -> dict[str, str]:
        """The environment in which `daybook` works on this office."""
        own = {
            "DAYBOOK_DATABASE_URL": self.book.database.dsn_owner,
            "DAYBOOK_HOME": str(self.book.keyring.path.parent),
            "DAYBOOK_TODAY": "2026-05-31",
        }
        return {**os.environ, **own, **more}

    def new_loop(self) -> Ingest:
        """A worker that remembers nothing, as after a restart."""
        name = f"kafka:{self.log.cluster_id}"
        return Ingest(self.book, EmbeddedSource(self.log, lambda t, p: self.book.position(name, t, p)))

    def take(self, messages: Sequence[Message | Said]) -> None:
        """Puts messages into the log and the log into the book, in one go."""
        self.log.append([(*(m.message() if isinstance(m, Said) else m), ()) for m in messages])
        while self.loop.step(timeout_s=0):
            pass

    def take_at_random(self, messages: Sequence[Message], rng: random.Random, follow: float = 0.3) -> None:
        """The same in polls of random sizes, with the views following, and the worker starting anew, at random moments."""
        self.log.append([(*message, ()) for message in messages])
        while self.loop.step(timeout_s=0, max_records=rng.choice((1, 7, 40, 150, 1_000))):
            if rng.random() < follow:
                self.views.follow()
            if rng.random() < 0.1:
                self.loop = self.new_loop()

    def live(self) -> Hashes:
        """The state of every view, once it has come to the book's end."""
        self.views.catch_up()
        return {view: hash_ for view, hash_, _ in self.views.hashes() if view not in OF_THE_BOOK}

    def fresh(self) -> Hashes:
        """The state of every view, folded from nothing."""
        return {view: hash_ for view, hash_, _ in self.views.fresh_hashes()}

    def rated_whole(self) -> Hashes:
        """The state of the rated views if everything were rated anew; the live rows stay."""
        with self.books() as cursor:
            for table in charges_view.TABLES:
                kept = " WHERE what NOT IN ('charge', 'milestone', 'payment', 'refund', 'seat_count')"
                condition = kept if table.name == "waiting" else ""
                cursor.execute(f"DELETE FROM {table.name}{condition}")
            work.Work()._rate_everyone(cursor, decisions.business_day(cursor) or date.min)
            found = {table.name: state_hash(cursor, table) for table in charges_view.TABLES}
            cursor.connection.rollback()
            return found

    @contextmanager
    def books(self) -> Iterator[Cursor[Any]]:
        """A cursor on the live tables."""
        with self.book.database.connection() as connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL search_path = books")
            yield cursor

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query on the live tables."""
        with self.books() as cursor:
            return cursor.execute(query.encode()).fetchall()

    def assert_settled(self) -> None:
        """Live = folded from nothing = rated as a whole, and due = rated + adjusted - posted is what the due lines say."""
        live = self.live()
        assert self.rows(DUE_OTHERWISE) == []
        assert differing(live, self.fresh()) == []
        whole = self.rated_whole()
        assert differing({view: live[view] for view in whole}, whole) == []


DUE_OTHERWISE = """
    SELECT client_id, item_key, due_minor, of_lines FROM reporting.charges LEFT JOIN (
        SELECT client_id, item_key, sum((convert_from(line, 'UTF8')::jsonb -> 'line' ->> 'amount_minor')::bigint) AS of_lines
        FROM due_lines GROUP BY 1, 2
    ) AS d USING (client_id, item_key) WHERE due_minor <> coalesce(of_lines, 0)
"""


def differing(one: Hashes, other: Hashes) -> list[str]:
    """The views whose states differ."""
    assert one.keys() == other.keys()
    return sorted(view for view in one if one[view] != other[view])

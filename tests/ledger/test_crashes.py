"""Whatever dies in the middle of an append, a batch is in the book whole and once, or not at all."""

import random
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from ledger_entries import SOURCE, TOPIC, new_events, offsets
from psycopg.errors import IdleInTransactionSessionTimeout

from ledger.book import Book
from ledger.database import Connection, Database
from ledger.verify import verify

ROOT = Path(__file__).parents[2]
BATCH = 400
WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path("tests/ledger")))
from ledger_entries import SOURCE, TOPIC, new_events, offsets
from ledger.book import Book
from ledger.database import Database
from ledger.keyring import Keyring
with Database(sys.argv[1], pool_size=2) as database:
    book = Book(database, Keyring(sys.argv[2]))
    while True:
        last = book.position(SOURCE, TOPIC, 3)
        first = 0 if last is None else last + 1
        book.append(new_events(400), slices=[offsets(first, first + 399)])
        print(first, flush=True)
"""


def test_killed_writers_leave_only_whole_batches(book: Book, database: Database, tmp_path: Path) -> None:
    random_delay = random.Random(7)
    for _ in range(6):
        before = book.head()
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, database.dsn_owner, str(tmp_path / "keys")], cwd=ROOT, stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()  # a kill counts only after progress
            time.sleep(random_delay.random() * 0.05)
            writer.kill()
        assert book.head() > before
    assert book.head() % BATCH == 0
    assert book.position(SOURCE, TOPIC, 3) == book.head() - 1
    assert [check for check in verify(database) if not check.ok] == []


def lose_acknowledgement(monkeypatch: pytest.MonkeyPatch, database: Database, *, committed: bool) -> None:
    """The next commit's answer never arrives: its connection dies after (or before) the commit took place."""
    really_commit = psycopg.Connection.commit
    lost: list[bool] = []

    def commit(connection: Connection) -> None:
        writing = connection.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL").fetchone() == (True,)
        if lost or not writing:
            return really_commit(connection)
        lost.append(True)
        if committed:
            really_commit(connection)
        connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(psycopg.Connection, "commit", commit)


def test_lost_acknowledgement_of_a_commit_is_looked_up(book: Book, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    book.append(new_events(1))
    lose_acknowledgement(monkeypatch, database, committed=True)
    batch = book.append(new_events(3), slices=[offsets(0, 2)])
    assert batch[:3] == (2, 2, 4)
    assert batch.recorded_at == book.read(3, 1)[0].recorded_at
    assert book.append(new_events(1))[:3] == (3, 5, 5)


def test_lost_acknowledgement_of_a_batch_of_positions_is_looked_up(
    book: Book, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_acknowledgement(monkeypatch, database, committed=True)
    assert book.append([], slices=[offsets(0, 2)])[:3] == (1, 1, 0)


def test_commit_that_is_still_under_way_is_waited_for_before_it_is_given_up(
    book: Book, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.owner() as owner:  # each commit takes half a second on the server
        owner.execute(
            "CREATE FUNCTION ledger.slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END'"
        )
        owner.execute(
            "CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON ledger.batches DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION ledger.slowly()"
        )
    really_commit = psycopg.Connection.commit
    lost: list[bool] = []

    def commit(connection: Connection) -> None:
        writing = connection.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL").fetchone() == (True,)
        if lost or not writing:
            return really_commit(connection)
        lost.append(True)
        connection.pgconn.send_query(b"COMMIT")
        connection.pgconn.finish()  # the link is cut while the server commits
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(psycopg.Connection, "commit", commit)
    assert book.append(new_events(3), slices=[offsets(0, 2)])[:3] == (1, 1, 3)
    assert lost


def test_commit_that_never_arrived_is_an_error(book: Book, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_acknowledgement(monkeypatch, database, committed=False)
    with pytest.raises(psycopg.OperationalError, match="closed the connection"):
        book.append(new_events(3), slices=[offsets(0, 2)])
    assert book.head() == 0
    assert book.append(new_events(3), slices=[offsets(0, 2)])[:3] == (1, 1, 3)


def test_server_that_ends_the_connection_in_the_middle_leaves_nothing(book: Book, database: Database) -> None:
    def also(cursor: psycopg.Cursor[tuple[object, ...]], *_: int) -> None:
        with database.owner(autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", [cursor.connection.info.backend_pid])
        cursor.execute("SELECT 1")

    with pytest.raises(psycopg.OperationalError):
        book.append(new_events(3), slices=[offsets(0, 2)], also=also)
    assert book.head() == 0
    assert book.append(new_events(3), slices=[offsets(0, 2)])[:3] == (1, 1, 3)


def test_frozen_writer_loses_the_book_after_its_time(book: Book, database: Database) -> None:
    with database.pool.connection() as frozen:
        frozen.execute("SET idle_in_transaction_session_timeout = '200ms'")
        book.append(new_events(1), conn=frozen)
        assert book.append([event._replace(stream_id=uuid4()) for event in new_events(1)]).first_position == 1
        with pytest.raises(IdleInTransactionSessionTimeout):
            frozen.execute("SELECT 1")

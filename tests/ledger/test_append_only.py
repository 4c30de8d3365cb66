"""What is in the book stays: neither the application nor the owner can change it in passing."""

import psycopg
import pytest
from ledger_entries import new_events, offsets
from psycopg.errors import InsufficientPrivilege, RestrictViolation

from ledger.book import Book
from ledger.database import Database

CHANGES = [
    "UPDATE ledger.daybook_events SET state = '{}'",
    "UPDATE ledger.daybook_events SET client_id = 'other' WHERE notification_id = 1",
    "DELETE FROM ledger.daybook_events",
    "TRUNCATE ledger.daybook_events",
    "UPDATE ledger.batches SET recorded_at = now()",
    "DELETE FROM ledger.batches",
    "TRUNCATE ledger.batches",
]


@pytest.mark.parametrize("change", CHANGES)
def test_application_may_not_change_history(book: Book, database: Database, change: str) -> None:
    book.append(new_events(2), slices=[offsets(0, 1)])
    with pytest.raises(InsufficientPrivilege), database.connection() as connection:
        connection.execute(change.encode())


@pytest.mark.parametrize("change", CHANGES)
def test_trigger_stops_the_owner_too(book: Book, database: Database, change: str) -> None:
    book.append(new_events(2), slices=[offsets(0, 1)])
    with pytest.raises(RestrictViolation, match="only ever added to"), database.owner() as owner:
        owner.execute(change.encode())


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE ledger.daybook_events DISABLE TRIGGER ALL",
        "DROP TABLE ledger.batches",
        "CREATE TABLE ledger.mine ()",
        "DELETE FROM ledger.daybook_tracking",
        "UPDATE ledger.migrations SET checksum = ''",
        "UPDATE ledger.embedded_log SET value = ''",
        "UPDATE ledger.dead_letters SET reason = ''",
    ],
)
def test_application_may_not_take_the_fences_down(database: Database, change: str) -> None:
    with pytest.raises(InsufficientPrivilege), database.connection() as connection:
        connection.execute(change.encode())


def test_reader_sees_nothing_of_the_ledger(database: Database) -> None:
    with (
        psycopg.connect(database.dsn_owner, options="-c role=daybook_reader") as connection,
        pytest.raises(InsufficientPrivilege),
    ):
        connection.execute("SELECT * FROM ledger.daybook_events")

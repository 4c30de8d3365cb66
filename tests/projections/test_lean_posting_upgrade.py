"""An upgrade to postings that are read from the documents: a filled database of before ends in the very state of a new one."""

import msgspec
import psycopg
import pytest

from domain.difference import Posting
from ledger.migrate import migrate
from projections import decisions
from tests.conftest import MIGRATION_FOLDERS
from tests.projections.office import Office, differing
from tests.projections.storm import Storm
from tests.projections.test_rebuild import NewOffice, weather

SEEDS = 4
MIGRATION = "0115_lean_posting"
_encode = msgspec.json.Encoder(decimal_format="string").encode

# The tables as migrations 0100 to 0114 made them.
BEFORE = """
    CREATE TEMP TABLE charged AS SELECT client_id, item_key, posted_minor, due_minor FROM reporting.charges;
    DROP VIEW reporting.charges, reporting.invoice_lines;
    ALTER TABLE books.charges ADD COLUMN posted_minor bigint, ADD COLUMN due_minor bigint;
    UPDATE books.charges c SET posted_minor = h.posted_minor, due_minor = h.due_minor FROM charged h
        WHERE c.client_id = h.client_id AND c.item_key = h.item_key;
    ALTER TABLE books.charges ALTER COLUMN posted_minor SET NOT NULL, ALTER COLUMN due_minor SET NOT NULL;
    CREATE VIEW reporting.charges AS
        SELECT client_id, item_key, due_on, stays, currency, rated_minor, adjusted_minor, posted_minor, due_minor,
            explanation, source_event_ids FROM books.charges;
    GRANT SELECT ON reporting.charges TO daybook_app, daybook_reader;
    ALTER TABLE books.invoice_lines ALTER COLUMN source_event_ids TYPE text[] USING source_event_ids::text[];
    CREATE VIEW reporting.invoice_lines AS SELECT * FROM books.invoice_lines;
    ALTER TABLE books.posted DROP COLUMN amount_minor, ALTER COLUMN posting SET NOT NULL;
    DROP TABLE books.posted_entries;
    CREATE TABLE books.posted_entries (
        client_id text NOT NULL, time_entry_id text NOT NULL, item_key text NOT NULL,
        PRIMARY KEY (client_id, time_entry_id, item_key)
    );
"""


def as_before(office: Office) -> int:
    """Takes the migration back, with all it had filled; gives how many postings there are."""
    with office.books() as cursor:
        clients = [one for (one,) in cursor.execute("SELECT DISTINCT client_id FROM posted").fetchall()]
        posted = decisions.posted_of_clients(cursor, clients)
    with psycopg.connect(office.book.database.dsn_owner) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE books.posted ADD COLUMN posting bytea")
        for (client_id, key), history in posted.items():
            for number, posting in enumerate(history, 1):
                cursor.execute(
                    "UPDATE books.posted SET posting = %s WHERE client_id = %s AND item_key = %s AND posting_no = %s",
                    (_encode(posting), client_id, key, number),
                )
        cursor.execute(BEFORE)
        cursor.executemany(
            "INSERT INTO books.posted_entries VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", list(_members(posted))
        )
        cursor.execute("DELETE FROM ledger.migrations WHERE name = %s", [MIGRATION])
    return sum(map(len, posted.values()))


def _members(posted: dict[tuple[str, str], list[Posting]]) -> set[tuple[str, str, str]]:
    return {
        (client_id, member.time_entry_id, key)
        for (client_id, key), history in posted.items()
        if key.startswith("ticket/")
        for posting in history
        for member in posting.members
    }


def test_a_filled_database_of_before_ends_as_a_new_one(new_office: NewOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    postings = 0
    for seed in range(SEEDS):
        office = new_office()
        weather(office, Storm(seed), monkeypatch)
        before, charges = office.live(), office.rows("SELECT * FROM reporting.charges ORDER BY 1, 2")
        lines = office.rows("SELECT * FROM reporting.invoice_lines ORDER BY 1, 2, 3")
        postings += as_before(office)
        assert migrate(office.book.database.dsn_owner, MIGRATION_FOLDERS) == [MIGRATION]
        assert differing(office.live(), before) == [], f"storm {seed}"
        assert office.rows("SELECT * FROM reporting.charges ORDER BY 1, 2") == charges
        assert office.rows("SELECT * FROM reporting.invoice_lines ORDER BY 1, 2, 3") == lines
        office.assert_settled()
    assert postings > SEEDS

"""What each role may do: the application adds, the reader looks at `reporting`, nobody edits history."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, ObjectNotInPrerequisiteState, ReadOnlySqlTransaction
from psycopg.rows import TupleRow

from ledger.database import Database

READER = "daybook_reader"


@pytest.fixture
def reader(database: Database) -> Iterator[psycopg.Connection[TupleRow]]:
    """A login with the reader's rights and its settings, as an analyst has it."""
    with database.owner(autocommit=True) as owner:
        settings = owner.execute("SELECT unnest(rolconfig) FROM pg_roles WHERE rolname = %s", (READER,)).fetchall()
    with psycopg.connect(database.dsn_owner, autocommit=True) as connection:
        for (setting,) in settings:
            name, _, value = setting.partition("=")
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.execute(f"SET ROLE {READER}")
        yield connection


def views(connection: psycopg.Connection[TupleRow]) -> set[tuple[str, str]]:
    rows = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        " AND n.nspname NOT LIKE 'pg\\_%' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
    )
    return {(schema, name) for schema, name in rows}


def test_reader_sees_every_reporting_view_and_nothing_else(reader: psycopg.Connection[TupleRow]) -> None:
    seen = views(reader)
    assert {schema for schema, _ in seen} == {"reporting"}
    for _, name in seen:
        reader.execute(f"SELECT * FROM {name}")  # found without naming the schema
    assert len(seen) >= 9


@pytest.mark.parametrize("table", ["ledger.daybook_events", "ledger.embedded_log", "ledger.dead_letters", "books.holds"])
def test_reader_may_not_look_behind_the_views(reader: psycopg.Connection[TupleRow], table: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        reader.execute(f"SELECT * FROM {table}".encode())


def test_reader_writes_nothing(reader: psycopg.Connection[TupleRow]) -> None:
    with pytest.raises(ReadOnlySqlTransaction):
        reader.execute("CREATE TEMP TABLE mine (n int)")
    for _, name in views(reader):
        reader.execute("SET default_transaction_read_only = off")  # a setting is no right
        with pytest.raises((InsufficientPrivilege, ObjectNotInPrerequisiteState)):  # the latter: a view of many tables
            reader.execute(f"DELETE FROM reporting.{name}".encode())
    with pytest.raises(InsufficientPrivilege):
        reader.execute("CREATE TABLE reporting.mine (n int)")


def test_application_has_no_right_to_edit_history(database: Database) -> None:
    with database.connection() as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("daybook_app",)
        rows = connection.execute(
            "SELECT c.relname, p.privilege FROM pg_class c, unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS p(privilege)"
            " WHERE c.oid IN ('ledger.daybook_events'::regclass, 'ledger.batches'::regclass)"
            " AND has_table_privilege(c.oid, p.privilege)"
        ).fetchall()
        columns = connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'ledger.daybook_events'::regclass AND attnum > 0"
            " AND has_column_privilege(attrelid, attnum, 'UPDATE')"
        ).fetchall()
    assert rows == []
    assert columns == []


def test_application_owns_nothing_and_may_create_nothing_lasting(database: Database) -> None:
    with database.connection() as connection:
        owned = connection.execute("SELECT count(*) FROM pg_class WHERE relowner = 'daybook_app'::regrole").fetchone()
        schemas = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname IN ('ledger', 'books', 'reporting', 'public')"
            " AND has_schema_privilege(oid, 'CREATE')"
        ).fetchall()
    assert owned == (0,)
    assert schemas == []

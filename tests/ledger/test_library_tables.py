"""Our migration makes the tables that the event library expects; compared with its own statements after every upgrade."""

import psycopg
from eventsourcing.postgres import PostgresDatastore, PostgresProcessRecorder

from ledger.database import Database
from ledger.recorder import LedgerDatastore

OURS = {
    "batch_id", "client_id", "event_id", "body_hash", "source_topic", "source_partition", "source_offset", "digest",
}  # fmt: skip
COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid) IS NOT NULL
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum
"""
INDEXES = "SELECT replace(indexdef, %s, '') FROM pg_indexes WHERE schemaname = %s AND tablename = %s"
OPTIONS = "SELECT reloptions FROM pg_class WHERE oid = %s::regclass"
TYPE = """
    SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = (SELECT typrelid FROM pg_type WHERE oid = %s::regtype) ORDER BY attnum
"""
INSERT_FUNCTION = "es_insert_events_uuid"  # left out on purpose: it takes no lock and drops positions


def make_the_librarys_own(connection: psycopg.Connection[tuple[object, ...]], database: Database) -> list[str]:
    """Its tables, in a schema of their own; gives the kinds of statements it has."""
    datastore: PostgresDatastore = LedgerDatastore(database)
    datastore.schema = "library"
    recorder = PostgresProcessRecorder(datastore, events_table_name="daybook_events", tracking_table_name="daybook_tracking")
    statements = [statement.as_string() for statement in recorder.sql_create_statements]
    datastore.close()
    connection.execute("CREATE SCHEMA library")
    for statement in statements:
        if INSERT_FUNCTION not in statement:
            connection.execute(statement.encode())
    return [" ".join(statement.split()[:2]) for statement in statements]


def test_ledger_has_what_the_library_would_create(database: Database) -> None:
    with database.owner() as connection:
        kinds = make_the_librarys_own(connection, database)
        assert sorted(kinds) == ["CREATE OR", "CREATE TABLE", "CREATE TABLE", "CREATE TYPE", "CREATE UNIQUE"]

        def both(query: str, *names: str) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
            one, other = (
                connection.execute(query.encode(), [name.format(schema) for name in names]).fetchall()
                for schema in ("library", "ledger")
            )
            return one, other

        for table in ("daybook_events", "daybook_tracking"):
            theirs, mine = both(COLUMNS, f"{{}}.{table}")
            assert [column for column in mine if column[0] not in OURS] == theirs
            theirs, mine = both(INDEXES, "{}.", "{}", table)
            assert set(theirs) <= set(mine)
            theirs, mine = both(OPTIONS, f"{{}}.{table}")
            assert theirs == mine
        theirs, mine = both(TYPE, "{}.stored_event_uuid")
        assert theirs == mine

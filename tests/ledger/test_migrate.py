"""Every process may migrate; each file is applied once and is never edited afterwards."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ledger_entries import dead_letter, new_events, offsets
from psycopg.conninfo import make_conninfo

from ledger.book import Book
from ledger.database import Database
from ledger.keyring import Keyring
from ledger.migrate import MIGRATIONS, MigrationRefused, migrate, pending

ROOT = Path(__file__).parents[2]
RACER = "import sys; from ledger.migrate import migrate; print(len(migrate(sys.argv[1])))"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A room's folder with one migration."""
    room = tmp_path / "migrations"
    room.mkdir()
    (room / "0901_first.sql").write_text("CREATE TABLE first ();")
    return room


def test_missing_files_are_applied_in_order_once(empty_dsn: str, folder: Path) -> None:
    (folder / "0902_second.sql").write_text("ALTER TABLE first ADD n int;\nINSERT INTO first VALUES (1); -- 100%")
    with psycopg.connect(empty_dsn) as connection:
        assert pending(connection, [folder]) == ["0901_first", "0902_second"]
    assert migrate(empty_dsn, [folder]) == ["0901_first", "0902_second"]
    assert migrate(empty_dsn, [folder]) == []
    with psycopg.connect(empty_dsn) as connection:
        assert pending(connection, [folder]) == []
        assert connection.execute("SELECT n FROM first").fetchall() == [(1,)]


def test_edited_file_is_refused(empty_dsn: str, folder: Path) -> None:
    migrate(empty_dsn, [folder])
    (folder / "0901_first.sql").write_text("CREATE TABLE first (n int);")
    with pytest.raises(MigrationRefused, match="0901_first was edited"):
        migrate(empty_dsn, [folder])


def test_renamed_file_is_refused(empty_dsn: str, folder: Path) -> None:
    migrate(empty_dsn, [folder])
    (folder / "0901_first.sql").rename(folder / "0901_other.sql")
    with pytest.raises(MigrationRefused, match="0901_other"):
        migrate(empty_dsn, [folder])


def test_database_of_a_newer_version_is_refused(empty_dsn: str, folder: Path) -> None:
    (folder / "0902_second.sql").write_text("CREATE TABLE second ();")
    migrate(empty_dsn, [folder])
    (folder / "0902_second.sql").unlink()
    with pytest.raises(MigrationRefused, match="0902_second"):
        migrate(empty_dsn, [folder])


def test_other_rooms_migrations_are_no_concern(empty_dsn: str, folder: Path) -> None:
    migrate(empty_dsn)
    assert migrate(empty_dsn, [folder]) == ["0901_first"]
    assert migrate(empty_dsn, [MIGRATIONS, folder]) == []


def test_failing_file_leaves_nothing_of_itself(empty_dsn: str, folder: Path) -> None:
    (folder / "0902_second.sql").write_text("CREATE TABLE second (); SELECT 1/0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty_dsn, [folder])
    with psycopg.connect(empty_dsn) as connection:
        assert pending(connection, [folder]) == ["0902_second"]
        assert connection.execute("SELECT to_regclass('first'), to_regclass('second')").fetchone() == ("first", None)


@pytest.mark.parametrize("name", ["0901_again.sql", "second.sql"])
def test_ambiguous_names_are_refused(empty_dsn: str, folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1")
    with pytest.raises(MigrationRefused):
        migrate(empty_dsn, [folder])


def test_eight_processes_migrate_two_databases_at_once(fresh_postgres: Any) -> None:
    files = len(list(MIGRATIONS.glob("*.sql")))
    for _ in range(3):
        databases = [fresh_postgres.create(), fresh_postgres.create()]
        racers = [
            subprocess.Popen([sys.executable, "-c", RACER, databases[n % 2]], cwd=ROOT, stdout=subprocess.PIPE) for n in range(8)
        ]
        applied = [int(racer.communicate()[0]) for racer in racers]
        assert [sorted(applied[n::2]) for n in (0, 1)] == [[0, 0, 0, files]] * 2
        for dsn in databases:
            fresh_postgres.drop(dsn)
        with psycopg.connect(fresh_postgres.dsn) as connection:  # roles are the server's: the databases race for them too
            connection.execute("DROP ROLE daybook_app, daybook_reader")


def test_owner_need_not_be_superuser_and_the_application_may_have_its_own_login(fresh_postgres: Any, keyring: Keyring) -> None:
    dsn = fresh_postgres.create()
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE ROLE books_owner LOGIN CREATEROLE; CREATE ROLE books_app LOGIN")
        connection.execute("GRANT CREATE ON DATABASE " + connection.info.dbname + " TO books_owner")
    owner = make_conninfo(dsn, user="books_owner")
    migrate(owner)
    with psycopg.connect(owner) as connection:
        connection.execute("GRANT daybook_app TO books_app")
    for database in (Database(owner), Database(make_conninfo(dsn, user="books_app"), owner)):
        with database:
            book = Book(database, keyring)
            head = book.head()
            book.append(new_events(2), slices=[offsets(head, head)], dead_letters=[dead_letter()])
            assert book.head() == head + 2

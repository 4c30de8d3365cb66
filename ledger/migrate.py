"""Brings the database up to date: numbered SQL files, each applied once, in one transaction, never edited afterwards."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ledger.database import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x6461_7962_6F6F_6B  # "daybook"
WAIT_FOR_OTHERS = "15min"
LOCK_TIMEOUT = "60s"
FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
NUMBERS_A_ROOM = 100


class MigrationRefused(Exception):
    """The files and the database disagree about what was applied; the message says which file and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step; numbers are unique across rooms (ledger 1-99, projections 100-199)."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Tells an edited file from the applied one; line ends don't count."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrate(dsn: str, folders: Iterable[Path] = (MIGRATIONS,)) -> list[str]:
    """Applies what is missing, as the owner, and returns the names applied; any number of processes may race."""
    folders = list(folders)
    wanted = read_folders(folders)
    with psycopg.connect(dsn, autocommit=True) as connection:
        # Where nothing is missing, nobody who writes is kept waiting.
        if not pending(connection, folders):
            return []
        # One migrates, the others wait here for it and then find nothing to do.
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [WAIT_FOR_OTHERS])
        connection.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
        connection.execute("CREATE SCHEMA IF NOT EXISTS ledger")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS ledger.migrations (number int PRIMARY KEY, name text NOT NULL, "
            "checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        missing = _missing(connection, wanted)
        for migration in missing:
            _apply(connection, migration)
        # Now, and not whenever the server notices that the session has ended: who writes must not be refused meanwhile.
        connection.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])
        return [migration.name for migration in missing]


def pending(connection: Connection, folders: Iterable[Path] = (MIGRATIONS,)) -> list[str]:
    """The names of what is not applied yet, for `/readyz` and `doctor`; changes nothing."""
    wanted = read_folders(folders)
    if connection.execute("SELECT to_regclass('ledger.migrations')").fetchone() == (None,):
        return [migration.name for migration in wanted]
    return [migration.name for migration in _missing(connection, wanted)]


def read_folders(folders: Iterable[Path]) -> list[Migration]:
    """Every migration in these folders, in order of number."""
    found: dict[int, Migration] = {}
    for path in sorted(path for folder in folders for path in Path(folder).glob("*.sql")):
        matched = FILE_NAME.fullmatch(path.name)
        if matched is None:
            raise MigrationRefused(f"{path.name} is not named NNNN_what_it_does.sql")
        migration = Migration(int(matched[1]), path.stem, path.read_text(encoding="utf-8"))
        if migration.number in found:
            raise MigrationRefused(f"{migration.name} and {found[migration.number].name} have the same number")
        found[migration.number] = migration
    return [found[number] for number in sorted(found)]


def _missing(connection: Connection, wanted: list[Migration]) -> list[Migration]:
    rows = connection.execute("SELECT number, name, checksum FROM ledger.migrations ORDER BY number").fetchall()
    applied = {number: (name, checksum) for number, name, checksum in rows}
    for migration in wanted:
        if migration.number in applied and applied[migration.number] != (migration.name, migration.checksum):
            raise MigrationRefused(
                f"{migration.name} was edited after it was applied as {applied[migration.number][0]}: "
                f"restore the file and put the change into a new one."
            )
    # A caller may bring only some rooms' folders; within a room the files must cover what was applied.
    rooms = {migration.number // NUMBERS_A_ROOM for migration in wanted}
    known = {migration.number for migration in wanted}
    for number, (name, _) in applied.items():
        if number // NUMBERS_A_ROOM in rooms and number not in known:
            raise MigrationRefused(f"the database already has {name}, which this version does not know: update Daybook.")
    return [migration for migration in wanted if migration.number not in applied]


def _apply(connection: Connection, migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.sql.encode())
        connection.execute(
            "INSERT INTO ledger.migrations (number, name, checksum) VALUES (%s, %s, %s)",
            [migration.number, migration.name, migration.checksum],
        )

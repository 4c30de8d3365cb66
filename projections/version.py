"""Old and new processes beside each other on one database: both take facts in, but only the newest writes views and decides.

An older process does not know what the newer one keeps in the views, so that what it wrote there would lack it.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

from psycopg import Cursor

from ledger.migrate import ADVISORY_LOCK, NUMBERS_A_ROOM, read_folders

STANDS_BY: Final = "stands by: "
_ROOM: Final = 100  # the numbers of this room's migrations: 100 to 199


class Overtaken(Exception):
    """The database is newer than this process, or is being brought up to date just now; the message says what to do."""


def hold_version(cursor: Cursor[Any]) -> None:
    """Keeps migrations out until the end of this transaction; raises Overtaken where one runs, or has come that is unknown."""
    if cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", (ADVISORY_LOCK,)).fetchone() != (True,):
        raise Overtaken("the database is being brought up to date: try again in a moment")
    # A statement of its own: it must see what was committed before the lock was had.
    row = cursor.execute(
        "SELECT max(number) FROM ledger.migrations WHERE number >= %s AND number < %s", (_ROOM, _ROOM + NUMBERS_A_ROOM)
    ).fetchone()
    if row is not None and (row[0] or 0) > _newest():
        raise Overtaken("the database is newer than this process: stop it and start the new version")


@cache
def _newest() -> int:
    return max(migration.number for migration in read_folders([Path(__file__).parent / "migrations"]))

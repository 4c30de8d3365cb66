"""`daybook doctor` and `/readyz`: what is wrong with this installation, and what to do about it."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg_pool import PoolTimeout

from daybook.app import App, NotMigrated, migration_folders, opened
from daybook.heartbeat import last_beats
from daybook.settings import Settings
from ledger.embedded import EmbeddedPostgresError
from ledger.migrate import MigrationRefused, pending

MOST_BEHIND: Final = 50_000
"""Positions; a view that is further behind than this shows people an old queue."""
DEAD_AFTER_S: Final = 60.0
PEOPLE_TO_CALL: Final = "make one with `daybook user add NAME --role admin` and `daybook login-link NAME`"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `what_to_do` is empty where it is well."""

    check: str
    ok: bool
    detail: str
    what_to_do: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Everything, from the outside in; what cannot be opened is the last finding."""
    try:
        with opened(settings) as app:
            return [*ready(app), *_more(app)]
    except NotMigrated as error:
        return [Finding("migrations", False, str(error), "run `daybook migrate`")]
    except (MigrationRefused, EmbeddedPostgresError) as error:
        return [Finding("database", False, _first_line(error), "do what the message says")]
    except (psycopg.OperationalError, PoolTimeout) as error:
        todo = "check DAYBOOK_DATABASE_URL, and that the server runs and lets this machine in"
        return [Finding("database", False, _first_line(error), todo)]


def ready(app: App) -> list[Finding]:
    """What must be well for people to be served: database, migrations, views, and a worker where Kafka is configured."""
    try:
        return [_database(app), _migrations(app), _views(app), *_workers(app)]
    except (psycopg.Error, PoolTimeout):
        return [Finding("database", False, "it does not answer", "see whether the server runs, then `daybook doctor`")]


def _database(app: App) -> Finding:
    with app.database.connection() as connection:
        connection.execute("SELECT 1")
    return Finding("database", True, "it answers")


def _migrations(app: App) -> Finding:
    with app.database.connection() as connection:
        lacking = pending(connection, migration_folders())
    if lacking:
        return Finding("migrations", False, f"lacking {', '.join(lacking)}", "run `daybook migrate`")
    return Finding("migrations", True, "current")


def _views(app: App) -> Finding:
    behind = max(0, app.book.head() - app.views.position())
    if behind > MOST_BEHIND:
        todo = "see that `daybook worker` or `daybook web` runs; they bring the views up to date"
        return Finding("views", False, f"{behind} positions behind", todo)
    return Finding("views", True, f"{behind} positions behind")


def _workers(app: App) -> Iterator[Finding]:
    if app.settings.kafka is None:
        return
    beats = [one for one in last_beats(app) if one.part.startswith("worker")]
    alive = [one for one in beats if one.ago_s <= DEAD_AFTER_S]
    if alive:
        yield Finding("worker", True, f"{len(alive)} alive")
        return
    last = f"the last was seen {min(one.ago_s for one in beats):.0f} s ago" if beats else "none was ever seen"
    yield Finding("worker", False, last, "start `daybook worker`; nothing is lost meanwhile")


def _more(app: App) -> Iterator[Finding]:
    """What only an operator at the machine can mend."""
    for look in (_rights, _people, _keyring, _address, _dead_letters, _kafka):
        yield look(app)


def _rights(app: App) -> Finding:
    with app.database.connection() as connection:
        row = connection.execute(
            "SELECT has_table_privilege('ledger.daybook_events', 'UPDATE, DELETE, TRUNCATE'), current_user"
        ).fetchone()
    assert row is not None
    if row[0]:
        todo = "let DAYBOOK_DATABASE_URL log in as a role that may switch to daybook_app and is no superuser afterwards"
        return Finding("rights", False, f"{row[1]} may change what is written", todo)
    return Finding("rights", True, f"{row[1]} can add and read, not change history")


def _people(app: App) -> Finding:
    with app.database.connection() as connection:
        row = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE role = 'admin') FROM access.people WHERE removed_at IS NULL"
        ).fetchone()
    assert row is not None
    if not row[1]:
        return Finding("people", False, f"{row[0]} people, no admin", PEOPLE_TO_CALL)
    return Finding("people", True, f"{row[0]} people, {row[1]} of them admins")


def _keyring(app: App) -> Finding:
    path = app.settings.keyring_path
    if not path.exists():
        return Finding("keyring", True, f"{path}: not made yet, nothing personal was written")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return Finding("keyring", False, f"{path} can be read by others", f"chmod 600 {path}")
    if not os.access(path, os.R_OK | os.W_OK):
        return Finding("keyring", False, f"{path} cannot be read or written", "give it to the user Daybook runs as")
    return Finding("keyring", True, f"{path}; back it up apart from the database")


def _address(app: App) -> Finding:
    url = app.settings.public_url
    if url is None:
        return Finding("address", True, "DAYBOOK_PUBLIC_URL is not set: only this machine is served")
    if not url.startswith("https://"):
        return Finding("address", False, f"{url} is not https", "put a proxy with a certificate before `daybook web`")
    return Finding("address", True, url)


def _dead_letters(app: App) -> Finding:
    with app.database.connection() as connection:
        rows = connection.execute(
            "SELECT reason, count(*) FROM ledger.dead_letters WHERE first_seen > clock_timestamp() - interval '7 days'"
            " GROUP BY 1 ORDER BY 1"
        ).fetchall()
    if rows:
        found = ", ".join(f"{count} {reason}" for reason, count in rows)
        return Finding("dead letters", False, f"in 7 days: {found}", "`daybook dead-letters` shows them; their sender mends them")
    return Finding("dead letters", True, "none in 7 days")


def _kafka(app: App) -> Finding:
    if app.settings.kafka is None:
        return Finding("kafka", True, "not configured: the embedded log is used")
    from consumers.kafka_source import last_offsets
    from consumers.source import SourceError

    try:
        ends, cluster = last_offsets(app.settings.kafka)
    except SourceError as error:
        return Finding("kafka", False, _first_line(error), "check DAYBOOK_KAFKA and that the brokers run")
    done = app.book.positions(f"kafka:{cluster}")
    behind = sum(max(0, end - done.get(place, -1) - 1) for place, end in ends.items())
    return Finding("kafka", True, f"cluster {cluster}, {behind} records not taken yet")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

"""`daybook doctor` and `/readyz`: what is wrong with this installation, and what to do about it."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from daybook import alarm
from daybook.app import App, NotMigrated, migration_folders, now, opened
from daybook.heartbeat import LastBeat, last_beats, silent
from daybook.reminding import MAIL_SERVER
from daybook.settings import Settings
from daybook.worker import CONSUMER, REMINDERS, VIEWS, publisher_part
from ledger.embedded import EmbeddedPostgresError
from ledger.migrate import MigrationRefused, pending
from producers.following import feeds_of
from producers.standing import Standing, standings
from projections.version import STANDS_BY

MOST_BEHIND: Final = 50_000
"""Positions; a view that is further behind than this shows people an old queue."""
DEAD_AFTER_S: Final = 15.0
ANSWERS_WITHIN_S: Final = 5.0  # who asks whether all is well has no patience for a pool's half a minute
"""A thread gives a sign of life far more often, whatever it does; its process writes it down every two seconds."""
LATE_AFTER_S: Final = 300.0
"""What is issued is told within seconds; after as long, something is wrong even if nothing says so."""
log = structlog.get_logger("daybook.doctor")

LAGS: Final = """
    SELECT view, greatest(0, (SELECT coalesce(max(last_id), 0) FROM ledger.batches) - position) FROM books.positions ORDER BY 1
"""
PEOPLE_TO_CALL: Final = "make one with `daybook user add NAME --role admin` and `daybook login-link NAME`"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `what_to_do` is empty where it is well."""

    check: str
    ok: bool
    detail: str
    what_to_do: str = ""


def examine(settings: Settings, only: str = "") -> list[Finding]:
    """Everything whose name begins with `only`, from the outside in; what cannot be opened is the one finding."""
    try:
        with opened(settings) as app:
            found = [one for one in ready(app) if one.check.startswith(only)]
            return [*found, *(look(app) for name, look in MORE.items() if name.startswith(only))]
    except NotMigrated as error:
        return [Finding("migrations", False, str(error), "run `daybook migrate`")]
    except (MigrationRefused, EmbeddedPostgresError) as error:
        return [Finding("database", False, _first_line(error), "do what the message says")]
    except (psycopg.OperationalError, PoolTimeout) as error:
        todo = "check DAYBOOK_DATABASE_URL, and that the server runs and lets this machine in"
        return [Finding("database", False, _first_line(error), todo)]


def ready(app: App) -> list[Finding]:
    """What must be well: database, migrations, views; where Kafka is used, each thread of a worker, and each publisher."""
    try:
        return [_database(app), _migrations(app), _views(app), *_worker(app)]
    except (psycopg.Error, PoolTimeout):
        return [Finding("database", False, "it does not answer", "see whether the server runs, then `daybook doctor`")]


def _database(app: App) -> Finding:
    with app.database.connection(ANSWERS_WITHIN_S) as connection:
        connection.execute("SELECT 1")
    return Finding("database", True, "it answers")


def _migrations(app: App) -> Finding:
    try:
        with app.database.connection() as connection:
            lacking = pending(connection, migration_folders())
    except MigrationRefused as error:  # the database is ahead of this process, or not of this version at all
        return Finding("migrations", False, str(error), "stop this version and start the new one")
    if lacking:
        return Finding("migrations", False, f"lacking {', '.join(lacking)}", "run `daybook migrate`")
    return Finding("migrations", True, "current")


def _views(app: App) -> Finding:
    if app.settings.kafka is None:  # with Kafka a worker keeps the views, and says itself what stops it
        _try_to_follow(app)
        if app.views.problem is not None:
            return Finding("views", False, f"stopped: {app.views.problem[:300]}", "report this text; nothing recorded is lost")
    with app.database.connection() as connection:
        rows = connection.execute(LAGS.encode()).fetchall()
    lags = ", ".join(f"{view} {behind}" for view, behind in rows)
    if any(behind > MOST_BEHIND for _, behind in rows):
        todo = "see that `daybook worker` or `daybook web` runs; they bring the views up to date"
        return Finding("views", False, f"positions behind: {lags}", todo)
    return Finding("views", True, f"positions behind: {lags}")


def _try_to_follow(app: App) -> None:
    """On the embedded log no worker keeps the views: whoever asks brings them up to date, and sees what stops them."""
    try:
        app.views.follow()
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout):
        raise  # the database is away: that is another finding
    except Exception as error:
        log.error("views_stopped", error=type(error).__name__, exc_info=error)


def _worker(app: App) -> Iterator[Finding]:
    """Where Kafka is used, every thread of a worker must be alive somewhere, and none may hang in a process that lives."""
    if app.settings.kafka is None:
        return
    beats = last_beats(app)
    for part in (CONSUMER, VIEWS, REMINDERS):
        yield _alive(beats, part)
    feeds = feeds_of(app.book)
    for standing in standings(feeds, app.database):
        yield _publisher(standing, _alive(beats, publisher_part(standing.publisher)))


def _alive(beats: Sequence[LastBeat], part: str) -> Finding:
    check = f"worker {part}"
    mine = [beat for beat in beats if beat.part == f"worker/{part}"]
    alive = [beat for beat in mine if beat.ago_s <= DEAD_AFTER_S]
    if hung := [beat for beat in silent(beats, DEAD_AFTER_S) if beat in mine]:
        where = ", ".join(f"{beat.process} for {beat.ago_s:.0f} s" for beat in hung)
        todo = "see its log, then restart that worker; nothing is lost"
        return Finding(check, False, f"dead {part}: it says nothing, though its process lives: {where}", todo)
    if not alive:
        last = f"the last was seen {min(beat.ago_s for beat in mine):.0f} s ago" if mine else "none was ever seen"
        return Finding(check, False, f"dead {part}: {last}", "start `daybook worker`; nothing is lost meanwhile")
    # During an upgrade those of the older version stand by; one of the newer is all that is needed.
    counted = [beat for beat in alive if not beat.problem.startswith(STANDS_BY)] or alive
    if troubled := [beat.problem for beat in counted if beat.problem and not beat.problem.startswith(MAIL_SERVER)]:
        return Finding(check, False, troubled[0], "do what the message says; it goes on by itself afterwards")
    return Finding(check, True, f"{len(alive)} alive")


def _publisher(standing: Standing, thread: Finding) -> Finding:
    """Stopped until a person acts, in trouble, without a thread, or slow: the first of these is told."""
    check, backlog = f"publisher {standing.publisher}", standing.backlog
    if standing.stopped:
        todo = f"decide from where, then `daybook publisher resume {standing.topic}`; docs/operations.md says how"
        return Finding(check, False, f"stopped: {standing.problem}", todo)
    if standing.problem is not None:
        return Finding(check, False, standing.problem, "see that Kafka runs; it is tried again by itself")
    if not thread.ok:
        return Finding(check, False, thread.detail, thread.what_to_do)
    waits_s = waiting_s(standing)
    if waits_s > LATE_AFTER_S:
        todo = "see the worker's log and Kafka; nothing is lost, and nothing is told twice"
        return Finding(check, False, f"{backlog.count} wait, the oldest for {waits_s:.0f} s", todo)
    return Finding(check, True, f"at position {standing.published}, {backlog.count} to tell")


def waiting_s(standing: Standing) -> float:
    """How long the oldest of what a publisher has still to tell has been waiting."""
    return 0.0 if standing.backlog.oldest_at is None else max(0.0, (now() - standing.backlog.oldest_at).total_seconds())


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
            "SELECT d.reason, count(*) FROM ledger.dead_letters d"
            " LEFT JOIN ledger.dead_letters_settled s USING (batch_id, number) WHERE s.outcome IS NULL GROUP BY 1 ORDER BY 1"
        ).fetchall()
        cursor = connection.cursor()
        if (count := alarm.recent(cursor)) >= app.settings.dead_letter_alarm:
            found = f"rising: {count} in {alarm.WITHIN.seconds // 60} minutes, {alarm.most_of(cursor)}"
            todo = "stop or mend that sender; nothing is lost: `daybook dead-letters replay` takes them in after a fix"
            return Finding("dead letters", False, found, todo)
    if rows:
        found = ", ".join(f"{count} {reason}" for reason, count in rows)
        todo = "`daybook dead-letters` shows them; their sender mends them, or `replay` or `dismiss` them"
        return Finding("dead letters", False, f"waiting: {found}", todo)
    return Finding("dead letters", True, "none waits")


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


def _mail(app: App) -> Finding:
    """A mail server that fails is no reason to take work away from this installation: facts are taken in all the same."""
    beats = [beat for beat in last_beats(app) if beat.part == f"worker/{REMINDERS}" and beat.ago_s <= DEAD_AFTER_S]
    if troubled := [beat.problem for beat in beats if beat.problem.startswith(MAIL_SERVER)]:
        todo = "check DAYBOOK_SMTP_URL, its user and password, and that the server runs; nothing is lost, it is tried again"
        return Finding("mail", False, troubled[0], todo)
    return Finding("mail", True, "a server is set" if app.settings.smtp_url else "no server is set: mails are files")


MORE: Final[Mapping[str, Callable[[App], Finding]]] = {
    "rights": _rights,
    "people": _people,
    "keyring": _keyring,
    "address": _address,
    "dead letters": _dead_letters,
    "kafka": _kafka,
    "mail": _mail,
}
"""What only an operator at the machine can mend."""


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

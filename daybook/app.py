"""Builds the parts of an installation from its settings, and takes them apart again: the only place that wires objects."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from consumers.embedded_source import EmbeddedSource
from consumers.source import Source
from daybook.settings import Settings
from ledger.book import Book
from ledger.database import Database
from ledger.embedded import EmbeddedPostgres
from ledger.embedded_log import EmbeddedLog
from ledger.keyring import Keyring
from ledger.migrate import migrate, pending
from projections.views import Views
from runs.open_day import open_day
from schemas.topics import INBOUND

ROOMS_WITH_MIGRATIONS = ("ledger", "projections", "producers", "daybook")


class NotMigrated(Exception):
    """The database is behind this version: run `daybook migrate` first."""


@dataclass(frozen=True, slots=True)
class App:
    """An opened installation."""

    settings: Settings
    database: Database
    book: Book
    views: Views
    topic_ids: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False)
    """What each cluster's topics were, kept from one source to the next: a restarted worker knows a topic made anew."""

    def log(self) -> EmbeddedLog:
        """The embedded log, where no Kafka is configured."""
        return EmbeddedLog(self.database, self.book.keyring)

    def source(self, stop: threading.Event | None = None, wait_s: float = 60.0) -> Source:
        """Where facts come from: Kafka, tried for `wait_s` or until `stop` is set, or the embedded log."""
        if self.settings.kafka is None:
            log = self.log()
            return EmbeddedSource(log, lambda t, p: self.book.position(f"kafka:{log.cluster_id}", t, p))
        from consumers.kafka_source import KafkaSource

        found: list[Source] = []

        def position(topic: str, partition: int) -> int | None:
            return self.book.position(f"kafka:{found[0].cluster_id}", topic, partition)

        options: dict[str, Any] = {"wait_s": wait_s, "stop": stop, "topic_ids": self.topic_ids}
        source = KafkaSource(self.settings.kafka, self.settings.group, sorted(INBOUND), position, **options)
        found.append(source)
        return source

    def open_today(self) -> None:
        """Opens the business day, if it is not open yet."""
        open_day(self.book, self.settings.business_date(), now())

    def as_of(self, given: date | None) -> date:
        """The billing date of a command: as given, else the business date."""
        return given or self.settings.business_date()


def now() -> datetime:
    """The moment a command is given: read here, in the front door, and passed on as data."""
    return datetime.now(UTC)


def migration_folders() -> list[Path]:
    """Every room's numbered SQL files."""
    return [Path(str(files(room))) / "migrations" for room in ROOMS_WITH_MIGRATIONS]


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The owner's DSN: as configured, else of the embedded server of the home, started or joined."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with EmbeddedPostgres(settings.home) as server:
        yield server.dsn


@contextmanager
def opened(settings: Settings) -> Iterator[App]:
    """The installation, ready; an embedded database is migrated on the way, a configured one must have been."""
    with ExitStack() as stack:
        settings.home.mkdir(parents=True, exist_ok=True)
        url = stack.enter_context(database_url(settings))
        if settings.database_url is None:
            migrate(url, migration_folders())
        database = stack.enter_context(Database(url))
        if settings.database_url is not None:
            with database.owner() as connection:
                lacking = pending(connection, migration_folders())
            if lacking:
                raise NotMigrated(f"the database lacks {', '.join(lacking)}: run `daybook migrate`")
        book = Book(database, Keyring(settings.keyring_path))
        yield App(settings, database, book, Views(book))

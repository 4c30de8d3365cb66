"""The month's installation: built once through the product's own ingest path and kept; each run works on a fresh copy of it."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks.month_facts import Fact, Size, count, standing, work
from daybook.app import App, migration_folders, now, opened
from daybook.feeding import Fed, feed
from daybook.settings import Settings
from ledger.embedded import EmbeddedPostgres
from ledger.migrate import migrate

MAY: Final = date(2026, 5, 31)
MARK: Final = "month.json"


class OtherMonth(Exception):
    """The home holds a month of another size: choose another --home."""


@dataclass(frozen=True, slots=True)
class Month:
    """The installation that is kept: its server, and what it took to build."""

    server: EmbeddedPostgres
    home: Path
    size: Size
    built: dict[str, float]

    def app(self, dsn: str | None = None) -> Any:
        """The installation opened in this process."""
        return opened(Settings(home=self.home, database_url=dsn or self.server.dsn, today=MAY))

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The DSN of a fresh copy of the database, dropped afterwards; nobody may be connected to the kept one meanwhile."""
        name = "month_copy"
        with psycopg.connect(make_conninfo(self.server.dsn, dbname="postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name} TEMPLATE daybook STRATEGY FILE_COPY")
            connection.execute("CHECKPOINT")
            try:
                yield make_conninfo(self.server.dsn, dbname=name)
            finally:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def month(home: Path, size: Size) -> Iterator[Month]:
    """The month of a home, built first where it is not there yet; raises OtherMonth."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    with EmbeddedPostgres(home) as server:
        migrate(server.dsn, migration_folders())
        mark = home / MARK
        if not mark.exists():
            built = _build(Month(server, home, size, {}))
            mark.write_text(json.dumps({"size": asdict(size), "built": built}), encoding="utf-8")
        kept = json.loads(mark.read_text(encoding="utf-8"))
        if kept["size"] != asdict(size):
            raise OtherMonth(f"{home} holds {kept['size']}: choose another --home")
        yield Month(server, home, size, kept["built"])


def _build(of: Month) -> dict[str, float]:
    facts = count(of.size)
    with of.app() as app:
        app.open_today()
        said = 2 * of.size.clients
        standing_s = _told(app, "clients and contracts", standing(of.size), said)
        standing_views_s = _caught_up(app, "their views")
        facts_s = _told(app, "time", work(of.size), facts)
        events = app.book.head()
        views_s = _caught_up(app, "views")
        app.log().purge(now())
    with psycopg.connect(of.server.dsn, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
    return {
        "events": events, "facts": facts, "standing_s": round(standing_s + standing_views_s, 1), "ingest_s": round(facts_s, 1),
        "ingest_facts_per_s": round(facts / facts_s), "views_s": round(views_s, 1), "views_events_per_s": round(facts / views_s),
    }  # fmt: skip


def _told(app: App, what: str, facts: Iterable[Fact], total: int) -> float:
    """Seconds to take facts in: into the embedded log, and from there into the book."""
    started = time.perf_counter()
    put = 0

    def advance(n: int) -> None:
        nonlocal put
        put += n
        _say(f"{what}: {put:,} of {total:,} in the log, {put / (time.perf_counter() - started):,.0f}/s")

    feed(app, facts, Fed(), advance)
    taken = time.perf_counter() - started
    _say(f"{what}: {put:,} in the book, {taken:,.1f} s", end="\n")
    return taken


def _caught_up(app: App, what: str) -> float:
    started = time.perf_counter()
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        _say(f"{what}: {done:,} events, {done / (time.perf_counter() - started):,.0f}/s")

    app.views.catch_up(timeout_s=7_200, progress=advance)
    taken = time.perf_counter() - started
    _say(f"{what}: {done:,} events, {taken:,.1f} s", end="\n")
    return taken


def _say(text: str, end: str = "\r") -> None:
    if end == "\n" or sys.stderr.isatty():
        print(text.ljust(78), end=end, file=sys.stderr, flush=True)

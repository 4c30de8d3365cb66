"""Views: following and rebuilding, beside the event library's own ways.

    python -m benchmarks.views [--clients 500] [--entries 40000] [--tail 400] [--events 1000000] [--rounds 3]

Following, interleaved: (ours) the views' runner over a month's whole log, and over its last batch of 5,000 alone; (same)
the library's `ProjectionRunner`, an event a transaction, driving the very same view over events of that last batch;
(least) the same runner with the least view there is, a count a client. Rebuilding: (rebuild) all views from nothing beside
the live ones; (read) reading and decoding `--events` events as a rebuild does; (mapper) the library's own
`select_notifications` and `Mapper.to_domain_event` over as many of its own events. Prints JSON lines.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import structlog
from eventsourcing.application import Application
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.rows import tuple_row

from benchmarks.ingest import STORED_AT_ONCE, ours, polls, stock
from benchmarks.month_facts import Size, standing, work
from benchmarks.month_home import MAY
from daybook.app import App, migration_folders, opened
from daybook.feeding import Fed, feed
from daybook.settings import Settings
from ledger.application import Daybook
from ledger.book import Book, RecordedEvent
from ledger.embedded import EmbeddedPostgres
from ledger.event_codec import decode
from ledger.migrate import migrate
from projections import views as views_module
from projections.work import NAME, Work

BATCH = views_module.BATCH
RUNNER = "daybook"
AT: list[float] = []  # when each event was done by the library's runner


def main() -> None:
    """Builds the month, runs the rounds and prints what it saw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--entries", type=int, default=40_000)
    parser.add_argument("--tail", type=int, default=400, help="events a round through the library's runner")
    parser.add_argument("--events", type=int, default=1_000_000, help="events read and decoded; 0: not measured")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        with EmbeddedPostgres(home) as server:
            migrate(server.dsn, migration_folders())
            with opened(Settings(home=home, database_url=server.dsn, today=MAY)) as app:
                Bench.book = app.book
                follow_and_rebuild(app, server.dsn, given)
                if given.events:
                    read_and_decode(app.book, server.dsn, given)


def follow_and_rebuild(app: App, dsn: str, given: argparse.Namespace) -> None:
    """The rounds of following, and of rebuilding."""
    size = Size(clients=given.clients, entries=given.entries)
    app.open_today()
    feed(app, [*standing(size), *work(size)], Fed())
    events = app.book.head()
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
    seen: list[dict[str, float]] = []
    for round_ in range(given.rounds):
        emptied(app, dsn)
        followed(app, events - BATCH)
        tail = app.book.read(events - BATCH, given.tail)
        same = runner_rate(dsn, "same", SameView, events - BATCH, tail)
        emptied(app, dsn)
        head_s = followed(app, events - BATCH)
        tail_s = followed(app, events)
        started = time.perf_counter()
        app.views.rebuild()
        rebuild_s = time.perf_counter() - started
        one = {
            "ours": events / (head_s + tail_s), "ours_last_batch": BATCH / tail_s, "same": same,
            "least": runner_rate(dsn, "least", LeastView, events - BATCH, tail),
            "rebuild": events / rebuild_s,
        }  # fmt: skip
        seen.append(one)
        print(json.dumps({"round": round_, **{name: round(value) for name, value in one.items()}}), flush=True)
    medians = {name: round(statistics.median(one[name] for one in seen)) for name in seen[0]}
    print(
        json.dumps({
            "events": events, "clients": given.clients, "events_per_s": medians,
            "last_batch_over_runner_same_view": round(statistics.median(o["ours_last_batch"] / o["same"] for o in seen), 1),
            "ours_over_runner_same_view": round(statistics.median(o["ours"] / o["same"] for o in seen), 1),
            "ours_over_runner_least_view": round(statistics.median(o["ours"] / o["least"] for o in seen), 1),
        }),
        flush=True,
    )  # fmt: skip


def emptied(app: App, dsn: str) -> None:
    """The views as they are before the first event; what decisions wrote in their own transactions is written again."""
    with psycopg.connect(dsn) as owner, owner.cursor() as cursor:
        cursor.execute("SET search_path = books")
        cursor.execute("TRUNCATE " + ", ".join(table.name for table in views_module.TABLES))
        cursor.execute("UPDATE positions SET position = 0 WHERE view = %s", (NAME,))
        views_module.fold_decisions(cursor, app.book.read(0, BATCH))


def followed(app: App, upto: int) -> float:
    """Seconds for the views to follow to a position, as their runner does."""
    started = time.perf_counter()
    runner = Work()
    with psycopg.connect(app.database.dsn, autocommit=True, prepare_threshold=None) as connection:
        connection.execute("SET search_path = books")
        row = connection.execute("SELECT position FROM positions WHERE view = %s", (NAME,)).fetchone()
        after = row[0] if row else 0
        while events := app.book.read(after, BATCH, upto):
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(views_module.BUSY)
                cursor.execute(views_module.BY_KEY)
                runner.process(cursor, events)
                after = events[-1].position
                cursor.execute(
                    "INSERT INTO positions (view, position) VALUES (%s, %s)"
                    " ON CONFLICT (view) DO UPDATE SET position = excluded.position",
                    (NAME, after),
                )
    return time.perf_counter() - started


class Raw:
    """An event as it is stored: our view reads it itself."""

    def __init__(self, topic: str, state: bytes) -> None:
        self.topic, self.state = topic, state
        self.client_id = json.loads(state).get("client_id", "")


class RawCodec:
    """Stands for the codec, so that nothing is decoded twice."""

    encode: Any = None
    decode = staticmethod(Raw)


class View(PostgresTrackingRecorder):
    """A view in tables of ours, its position in a table of the library's."""


class SameView(Projection[View]):
    """The product's own view, an event a transaction."""

    name = "same"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.work = Work()

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """The work of one event and its position, together."""
        raw: Raw = domain_event.event
        recorded = RecordedEvent(
            tracking.notification_id, 0, MAY, domain_event.originator_id, domain_event.originator_version,
            raw.topic, raw.state, raw.client_id, domain_event.originator_id, None, None,
        )  # type: ignore[arg-type]  # fmt: skip
        datastore = self.view.datastore
        with datastore.get_connection() as connection, connection.transaction():
            with psycopg.Cursor(connection, row_factory=tuple_row) as cursor:
                cursor.execute("SET LOCAL search_path = books, public")
                cursor.execute(views_module.BY_KEY)
                self.work.process(cursor, [recorded])
            with connection.cursor() as own:
                self.view._insert_tracking(own, tracking)
        AT.append(time.perf_counter())


class LeastView(Projection[View]):
    """One count a client."""

    name = "least"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Counts, with its position."""
        with self.view.datastore.get_connection() as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO public.counted VALUES (%s, 1) ON CONFLICT (client_id) DO UPDATE SET n = counted.n + 1",
                (domain_event.event.client_id,),
            )
            self.view._insert_tracking(cursor, tracking)
        AT.append(time.perf_counter())


def runner_rate(dsn: str, name: str, projection: type[Projection[View]], after: int, tail: list[RecordedEvent]) -> float:
    """Events a second of the library's runner over some events, from its first to its last."""
    env = postgres_env(dsn)
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS public.counted (client_id text PRIMARY KEY, n bigint)")
        owner.execute(f"DROP TABLE IF EXISTS public.{name}_tracking")
        owner.execute(f"CREATE TABLE public.{name}_tracking (application_name text PRIMARY KEY, notification_id bigint)")
        owner.execute(f"INSERT INTO public.{name}_tracking VALUES ('__migration__', 1), (%s, %s)", (RUNNER, after))
    AT.clear()
    with ProjectionRunner(application_class=Bench, projection_class=projection, view_class=View, env=env) as runner:
        runner.wait(tail[-1].position, timeout=600)
    return (len(AT) - 1) / (AT[-1] - AT[0])


class Bench(Daybook):
    """Our application as the library constructs one: from its environment alone."""

    book: Book

    def __init__(self, _env: Any = None) -> None:
        super().__init__(self.book, RawCodec())


def postgres_env(dsn: str) -> dict[str, str]:
    """The library's variables for a database, as its owner."""
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres", "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts["host"]), "POSTGRES_PORT": str(parts.get("port", 5432)),
        "POSTGRES_USER": str(parts["user"]), "POSTGRES_PASSWORD": "", "POSTGRES_SCHEMA": "public",
    }  # fmt: skip


def read_and_decode(book: Book, dsn: str, given: argparse.Namespace) -> None:
    """Reading and decoding as many events as a rebuild begins with, and as the library does with its own."""
    before = book.head()
    for start in range(0, given.events, STORED_AT_ONCE):
        ours(book, polls(f"read-{start}", min(STORED_AT_ONCE, given.events - start)), f"read-{start}")
    env = postgres_env(dsn)
    stock(env, 1)
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO public.application_events (originator_id, originator_version, topic, state)"
            " SELECT gen_random_uuid(), 1, e.topic, e.state FROM public.application_events AS e, generate_series(2, %s)",
            (given.events,),
        )
        owner.execute("VACUUM ANALYZE")
    seen = [(own_rate(book, before, given.events), library_rate(env, given.events)) for _ in range(given.rounds)]
    print(
        json.dumps({
            "events": given.events, "read_per_s": round(statistics.median(own for own, _ in seen)),
            "mapper_per_s": round(statistics.median(theirs for _, theirs in seen)),
            "read_over_mapper": [round(own / theirs, 2) for own, theirs in seen],
        })
    )  # fmt: skip


def own_rate(book: Book, after: int, count: int) -> float:
    """Events a second, read a batch at a time and decoded into the domain's events."""
    done, started = 0, time.perf_counter()
    while done < count and (events := book.read(after, BATCH)):
        for event in events:
            decode(event.topic, event.state)
        after = events[-1].position
        done += len(events)
    return done / (time.perf_counter() - started)


def library_rate(env: Mapping[str, str], count: int) -> float:
    """The same with the library's own recorder and mapper over its own events, which are a third as large."""
    application = Application[Any](env=dict(env))
    done, after, started = 0, 0, time.perf_counter()
    while done < count and (found := application.recorder.select_notifications(after + 1, BATCH)):
        for notification in found:
            application.mapper.to_domain_event(notification)
        after = found[-1].id
        done += len(found)
    return done / (time.perf_counter() - started)


if __name__ == "__main__":
    main()

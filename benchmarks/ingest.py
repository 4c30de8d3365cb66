"""Ingestion of time-entry facts on new streams (2.2 events each), from wire bytes to commit.

    python -m benchmarks.ingest [--facts 60000] [--stored 1000000] [--rounds 3]

In one run, interleaved, each in turn the first of a round: (ours) the consumers' own loop over records already in memory;
(stock) the event library's `Application`, one `repository.get` and `save` per event; (copy) binary COPY of the very rows
that ours wrote the round before, under fresh ids, into the same table with the same indexes, in transactions of the same
size. Both books hold `--stored` events before anything is measured, and each measurement begins behind a CHECKPOINT.
Prints each rate by the clock, the ratios, the same of processor time (ours and the server's together), and what each stage
of the loop costs.
"""

import argparse
import gc
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import structlog
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from psycopg.conninfo import conninfo_to_dict

from benchmarks.gauge import Gauge
from consumers.deciding import decide, written
from consumers.ingest import MAX_RECORDS, Ingest
from consumers.reading import read
from consumers.source import Partition, Polled, Record
from consumers.streams import Streams
from daybook.app import migration_folders
from ledger import writing
from ledger.book import Book
from ledger.database import Database
from ledger.embedded import EmbeddedPostgres
from ledger.entries import Position
from ledger.keyring import Keyring
from ledger.migrate import migrate
from schemas.codec import encode, key_of

NAMESPACE = UUID("7d8b1a52-1f4e-5a7e-9c0e-2a9b6f1c3d40")
START = datetime(2026, 5, 1, 8, tzinfo=UTC)
CLIENTS = 400
STORED_AT_ONCE = 100_000
COPIED = 10**9  # copied rows stand behind all others


class MemorySource:
    """Records already fetched: the broker's and the client's cost is measured elsewhere."""

    def __init__(self, records: list[Polled], run: str) -> None:
        self.cluster_id = f"memory-{run}"
        self.problems: dict[Partition, str] = {}
        self.trouble = ""
        self.on_revoked: Callable[[frozenset[Partition]], None] | None = None
        self._left = iter(records)

    def poll(self, max_records: int, timeout_s: float) -> list[Polled]:
        part = next(self._left, None)
        return [] if part is None else [part]

    def seek(self, topic: str, partition: int, offset: int | None) -> None:
        raise AssertionError("nothing is sought in a benchmark")

    def commit(self, offsets: Mapping[Partition, int]) -> None: ...

    def assigned(self) -> frozenset[Partition]:
        return frozenset()

    def settled(self) -> bool:
        return True

    def next_offsets(self) -> dict[Partition, int]:
        return {}

    def end_offsets(self) -> dict[Partition, int]:
        return {}

    def close(self) -> None: ...


def facts(run: str, count: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, wire bytes) of entries logged and approved, one in five amended and approved again: 2.2 facts a stream..."""
    rng = random.Random(run)
    made, number = 0, 0
    while made < count:
        number += 1
        for record, fields in _story(run, number, rng):
            if made < count:
                made += 1
                yield key_of(record, fields), encode(record, fields)


def _story(run: str, number: int, rng: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    entry, at = f"{run}-TE-{number:07d}", START + timedelta(seconds=number)

    def common(what: str) -> dict[str, Any]:
        id_ = str(uuid5(NAMESPACE, f"{entry}/{what}"))
        return {"event_id": id_, "source": "psa", "occurred_at": at, "client_id": f"client-{number % CLIENTS:04d}"}

    said = {
        "ticket_id": f"T-{number // 3}", "project_id": None, "contract_id": None, "agent_id": f"agent-{number % 30}",
        "charge_type": "REMOTE", "worked_on": date(2026, 5, 1) + timedelta(days=number % 30), "started_at": at,
        "ended_at": at + timedelta(minutes=50), "deducted_minutes": 0,
        "note": "Replaced the switch and tested the uplink with the client on the phone",
    }  # fmt: skip
    logged = {**common("logged"), "time_entry_id": entry, "revision": 1, "worked_minutes": rng.randrange(5, 240), **said}
    yield "TimeEntryLogged", logged
    if number % 5 == 0:
        amended = {**common("amended"), "time_entry_id": entry, "revision": 2, "worked_minutes": 75, **said, "reason": ""}
        yield "TimeEntryAmended", amended
    approved = {"time_entry_id": entry, "revision": 1 + (number % 5 == 0), "approver_id": "lead", "billable_minutes": None}
    yield "TimeEntryApproved", {**common("approved"), **approved}


def polls(run: str, count: int) -> list[Polled]:
    """The facts as one partition's polls of the loop's own batch size."""
    records = [
        Record(offset, key, value, (), int(START.timestamp() * 1000)) for offset, (key, value) in enumerate(facts(run, count))
    ]
    return [Polled("daybook.time", 0, records[start : start + MAX_RECORDS]) for start in range(0, len(records), MAX_RECORDS)]


def ours(book: Book, polled: list[Polled], run: str) -> float:
    """Seconds for the loop to take the polls in."""
    ingest = Ingest(book, MemorySource(polled, run))
    started = time.perf_counter()
    while ingest.step():
        pass
    return time.perf_counter() - started


COLUMNS = (
    "originator_id, originator_version, topic, state, client_id, event_id, body_hash, source_topic, source_partition,"
    " source_offset, digest, notification_id, batch_id"
)
TYPES = (
    "uuid int8 text bytea text uuid bytea text int4 int8 bytea int8 int8".split()  # noqa: SIM905
)


def copied(database: Database, rows: list[tuple[Any, ...]]) -> float:
    """Seconds for plain binary COPY of the same rows into the same table, a transaction a batch."""
    started = time.perf_counter()
    for start in range(0, len(rows), MAX_RECORDS):
        statement = f"COPY ledger.daybook_events ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
        with database.connection() as connection, connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(TYPES)
            for row in rows[start : start + MAX_RECORDS]:
                copy.write_row(row)
    return time.perf_counter() - started


def rows_of(database: Database, after: int) -> list[tuple[Any, ...]]:
    """The rows our loop wrote after a position, under fresh ids, so that they can be written once more."""
    with database.connection() as connection, connection.cursor(binary=True) as cursor:
        found = cursor.execute(
            f"SELECT {COLUMNS} FROM ledger.daybook_events WHERE notification_id > %s ORDER BY notification_id", (after,)
        ).fetchall()
    return [
        (uuid5(row[0], "copy"), *row[1:5], uuid5(row[5], "copy"), *row[6:11], row[11] + COPIED, row[12] + COPIED) for row in found
    ]


def store(count: int, env: Mapping[str, str], database: Database, book: Book) -> None:
    """Stores so many events in each of the two books: ours through the loop, the library's by one statement."""
    stock(env, 1)  # makes its tables
    for start in range(0, count, STORED_AT_ONCE):
        run = f"stored-{start}"
        ours(book, polls(run, min(STORED_AT_ONCE, count - start)), run)
    with database.owner(autocommit=True) as connection:
        connection.execute(
            "INSERT INTO public.application_events (originator_id, originator_version, topic, state)"
            " SELECT gen_random_uuid(), 1, 'stored', convert_to(repeat('x', 300), 'UTF8') FROM generate_series(1, %s)",
            (count,),
        )
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


class Entry(Aggregate):
    """The stock library's own way: a mutable aggregate with decorated events."""

    class Logged(Aggregate.Created):
        client_id: str
        minutes: int
        note: str

    @event(Logged)
    def __init__(self, client_id: str, minutes: int, note: str) -> None:
        self.client_id = client_id
        self.minutes = minutes
        self.note = note
        self.approved_by = ""

    @event("Amended")
    def amend(self, minutes: int) -> None:
        self.minutes = minutes

    @event("Approved")
    def approve(self, approver_id: str) -> None:
        self.approved_by = approver_id


def stock(dsn: Mapping[str, str], count: int) -> float:
    """Seconds for the library as shipped: get and save once an event, on tables of its own beside ours."""
    application = Application[UUID](env={"PERSISTENCE_MODULE": "eventsourcing.postgres", **dsn})
    done, number = 0, 0
    started = time.perf_counter()
    while done < count:
        number += 1
        entry = Entry(f"client-{number % CLIENTS:04d}", 50, "Replaced the switch and tested the uplink")
        application.save(entry)
        done += 1
        steps = [lambda e: e.approve("lead")] if number % 5 else [lambda e: e.amend(75), lambda e: e.approve("lead")]
        for step in steps:
            if done < count:
                found = application.repository.get(entry.id)
                step(found)
                application.save(found)
                done += 1
    return time.perf_counter() - started


def stages(book: Book, polled: list[Polled]) -> dict[str, float]:
    """Microseconds a fact of each stage, one after the other on one thread: the median of the polls.

    Of processor time of this process, but for the last two, which wait for the server: those are by the clock.
    """
    streams = Streams(book)
    seen: dict[str, list[float]] = {}

    def note(stage: str, started: float, clock: Callable[[], float], records: int) -> None:
        seen.setdefault(stage, []).append((clock() - started) / records * 1e6)

    own, wall = time.thread_time, time.perf_counter
    gc.disable()
    for poll in polled:
        n = len(poll.records)
        started = own()
        batch = read([poll])
        note("decode, envelope, body", started, own, n)
        started = own()
        ready = written(book.keyring, batch.facts)
        note("body hash, encrypt, state", started, own, n)
        started = own()
        decided = decide(book, streams, batch.facts, frozenset(), ready)
        note("load streams, decide", started, own, n)
        started = own()
        prepared = writing.prepare(decided.events, [Position(f"stages:{poll.records[0].offset}", 0, n)], [], book.keyring)
        note("digest and rows", started, own, n)
        started, waited = own(), wall()
        with book.database.connection() as connection, connection.cursor() as cursor:
            writing.write(cursor, prepared)
        note("write and commit", started, own, n)
        note("write and commit, by the clock", waited, wall, n)
        waited = wall()
        Streams(book).take({fact.stream_id: fact.partition for fact in batch.facts})
        note("load streams, by the clock", waited, wall, n)
        streams.remember(decided.streams, decided.partitions)
    gc.enable()
    return {stage: round(statistics.median(values), 2) for stage, values in seen.items()}


def main() -> None:
    """Runs the benchmark and prints what it saw as JSON lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--facts", type=int, default=60_000)
    parser.add_argument("--stored", type=int, default=0, help="facts stored before measuring")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stock", type=int, default=1_500, help="facts a round through the stock library")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        os.chmod(folder, 0o755)
        with EmbeddedPostgres(Path(folder) / "home") as server:
            migrate(server.dsn, migration_folders())
            with Database(server.dsn) as database:
                measure(given, server.dsn, database, Book(database, Keyring(Path(folder) / "keyring.jsonl")))


def measure(given: argparse.Namespace, dsn: str, database: Database, book: Book) -> None:
    """The rounds, interleaved, and their medians."""
    env = stock_env(dsn)
    store(given.stored, env, database, book)
    gauge = Gauge(dsn)
    rows = rows_of_one_run(book, database, given.facts)
    seen: list[dict[str, float]] = []
    for round_ in range(given.rounds):
        run, polled, one = f"r{round_}", polls(f"r{round_}", given.facts), {}
        steps = {
            "ours": (given.facts, lambda polled=polled, run=run: ours(book, polled, run)),
            "stock": (given.stock, lambda: stock(env, given.stock)),
            "copy": (len(rows), lambda rows=rows: copied(database, rows)),
        }
        before = book.head()
        for name in [*steps][round_ % 3 :] + [*steps][: round_ % 3]:
            settle(database)
            count, step = steps[name]
            with gauge.measured():
                step()
            one |= {name: count / gauge.wall_s, f"{name}_cpu_us": gauge.cpu_s / count * 1e6}
            one[f"{name}_server_cpu_us"] = gauge.server_cpu_s / count * 1e6
            if name == "copy":
                taken_out(database)
        rows = rows_of(database, before)
        seen.append(one)
        print(json.dumps({"round": round_, **{k: round(v, 0 if v > 1000 else 1) for k, v in one.items()}}), flush=True)
    settle(database)
    print(
        json.dumps({
            "facts_per_s": {name: round(statistics.median(one[name] for one in seen)) for name in ("ours", "stock", "copy")},
            "ours_over_stock": round(statistics.median(o["ours"] / o["stock"] for o in seen), 1),
            "ours_over_copy": round(statistics.median(o["ours"] / o["copy"] for o in seen), 3),
            "by_processor_time": {
                "ours_over_stock": round(statistics.median(o["stock_cpu_us"] / o["ours_cpu_us"] for o in seen), 1),
                "ours_over_copy": round(statistics.median(o["copy_cpu_us"] / o["ours_cpu_us"] for o in seen), 3),
            },
            "stages_us": stages(book, polls("stages", min(given.facts, 40_000))),
            "stored_before": given.stored,
            "batch": MAX_RECORDS,
        })
    )  # fmt: skip


def settle(database: Database) -> None:
    """Each measurement begins alike: no dead rows, nothing left to write, the first change of each page logged whole."""
    with database.owner(autocommit=True) as connection:
        connection.execute("VACUUM ledger.daybook_events")
        connection.execute("CHECKPOINT")


def rows_of_one_run(book: Book, database: Database, count: int) -> list[tuple[Any, ...]]:
    """The rows that ours writes of so many facts, for the first round."""
    before = book.head()
    ours(book, polls("before", count), "before")
    return rows_of(database, before)


def taken_out(database: Database) -> None:
    """The copied rows are no part of any batch: out with them, by the owner, before anything reads the book."""
    with database.owner(autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger.daybook_events DISABLE TRIGGER ALL")
        connection.execute("DELETE FROM ledger.daybook_events WHERE notification_id > %s", (COPIED,))
        connection.execute("ALTER TABLE ledger.daybook_events ENABLE TRIGGER ALL")


def stock_env(dsn: str) -> dict[str, str]:
    """What the stock library needs to know of the server."""
    parts = conninfo_to_dict(dsn)
    return {
        "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts["host"]),
        "POSTGRES_PORT": str(parts.get("port", 5432)),
        "POSTGRES_USER": str(parts["user"]),
        "POSTGRES_PASSWORD": "",
        "POSTGRES_SCHEMA": "public",
    }


if __name__ == "__main__":
    main()

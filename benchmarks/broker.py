"""Facts through a real Kafka broker into the book, with one, two and four workers, beside a bare consumer that only decodes.

    python -m benchmarks.broker [--facts 200000] [--workers 1 2 4] [--rounds 3]

The facts lie in the topic before anything is measured. A worker is a process of its own: kafka-python's consumer in a
group, the consumers' own loop, the book. Workers begin together, once the group has given each its partitions; the rate is
that until the last of the facts is committed. The bare consumer is kafka-python with the same settings, in one process: it
polls and decodes, and keeps nothing. Each worker run has a new, empty book. Needs Java 17 and Maven, as the tests do.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import structlog
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer, TopicPartition
from psycopg.conninfo import make_conninfo

from benchmarks.ingest import facts
from consumers.ingest import MAX_RECORDS, Ingest
from consumers.kafka_source import KafkaSource
from daybook.app import migration_folders
from ledger.book import Book
from ledger.database import Database
from ledger.embedded import EmbeddedPostgres
from ledger.keyring import Keyring
from ledger.migrate import migrate
from schemas.codec import decode
from tests.broker import Broker

TOPIC = "daybook.time"
PARTITIONS = 12
GROUP = "daybook"
WORK, GO, READY = "--work", "go\n", "ready\n"


def main() -> None:
    """Runs the rounds and prints what it saw as JSON lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--facts", type=int, default=200_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder, Broker() as broker:
        Path(folder).chmod(0o755)
        make_topic(broker.bootstrap)
        load(broker.bootstrap, given.facts)
        with EmbeddedPostgres(Path(folder) / "home") as server:
            seen: list[dict[str, float]] = []
            for round_ in range(given.rounds):
                one = {"bare": bare(broker.bootstrap, given.facts)}
                for count in given.workers:
                    name = f"book_{round_}_{count}"
                    one[f"workers_{count}"] = worked(broker.bootstrap, server.dsn, Path(folder), name, count, given.facts)
                seen.append(one)
                print(json.dumps({"round": round_, **{name: round(rate) for name, rate in one.items()}}), flush=True)
    print(
        json.dumps({
            "facts": given.facts, "facts_per_s": {name: round(statistics.median(o[name] for o in seen)) for name in seen[0]},
            "over_bare": {
                name: round(statistics.median(o[name] / o["bare"] for o in seen), 3) for name in seen[0] if name != "bare"
            },
        })
    )  # fmt: skip


def make_topic(bootstrap: str) -> None:
    """The one topic that this needs."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)]).values():
        made.result()


def load(bootstrap: str, count: int) -> None:
    """The facts, in the topic."""
    producer = Producer({
        "bootstrap.servers": bootstrap, "linger.ms": 20, "partitioner": "murmur2_random",
        "queue.buffering.max.messages": 1_000_000,
    })  # fmt: skip
    for key, value in facts("kafka", count):
        producer.produce(TOPIC, value, key)
        producer.poll(0)
    if producer.flush(120):
        raise RuntimeError("the broker did not take all facts")


def bare(bootstrap: str, count: int) -> float:
    """Facts a second for polling and decoding alone."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest",
        isolation_level="read_committed", max_partition_fetch_bytes=1024 * 1024,
    )  # fmt: skip
    consumer.assign([TopicPartition(TOPIC, number) for number in range(PARTITIONS)])
    done, started = 0, time.perf_counter()
    while done < count:
        for records in consumer.poll(timeout_ms=1_000, max_records=MAX_RECORDS).values():
            for record in records:
                decode(record.value)
            done += len(records)
    taken = time.perf_counter() - started
    consumer.close()
    return count / taken


def worked(bootstrap: str, dsn: str, folder: Path, name: str, count: int, wanted: int) -> float:
    """Facts a second for some workers that begin together, until all are in a new book."""
    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name}")
    own = make_conninfo(dsn, dbname=name)
    migrate(own, migration_folders())
    command = [sys.executable, "-m", "benchmarks.broker", WORK, bootstrap, own, str(folder / f"{name}.jsonl"), name, str(count)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(count)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            if worker.stdout.readline() != READY:
                raise RuntimeError("a worker ended before it began")
        started = time.perf_counter()
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write(GO)
        with psycopg.connect(own, autocommit=True) as owner:
            while True:
                row = owner.execute("SELECT coalesce(max(last_id), 0) FROM ledger.batches").fetchone()
                if row is not None and row[0] >= wanted:
                    break
                if any(worker.poll() is not None for worker in workers):
                    raise RuntimeError("a worker ended before the facts did")
                time.sleep(0.02)
        return wanted / (time.perf_counter() - started)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def work(bootstrap: str, dsn: str, keyring: str, group: str, members: str) -> None:
    """One worker: waits for its share of the partitions and for the word, then takes facts in until it is ended."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with Database(dsn) as database:
        book = Book(database, Keyring(keyring))
        source = KafkaSource(bootstrap, group, [TOPIC], lambda topic, number: book.position(loop.source_name, topic, number))
        loop = Ingest(book, source)
        while len(source.assigned()) != PARTITIONS // int(members):
            source.poll(1, 0.1)
        sys.stdout.write(READY)
        sys.stdout.flush()
        sys.stdin.readline()
        for topic, number in source.assigned():
            source.seek(topic, number, None)
        while True:
            loop.step()


if __name__ == "__main__":
    if sys.argv[1:2] == [WORK]:
        work(*sys.argv[2:])
    else:
        main()

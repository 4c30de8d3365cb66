"""Where a fact's identity is kept: in columns of the events table, or in an inbox table beside it.

    python -m benchmarks.layout [--rows 100000] [--rounds 3]

Binary COPY of the same facts, 5,000 a transaction, interleaved: (columns) one row with event_id, body hash and source;
(inbox) the event's row and a row of an inbox whose key is the event_id. Prints rows/s of each and the ratio.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from ledger.embedded import EmbeddedPostgres

BATCH = 5_000

TABLES = """
DROP TABLE IF EXISTS columns_events, inbox_events, inbox;
CREATE TABLE columns_events (originator_id uuid, originator_version bigint, topic text, state bytea, notification_id bigint,
    batch_id bigint, client_id text, event_id uuid, body_hash bytea, source_topic text, source_partition int,
    source_offset bigint, digest bytea, PRIMARY KEY (originator_id, originator_version));
CREATE UNIQUE INDEX ON columns_events (notification_id);
CREATE UNIQUE INDEX ON columns_events (event_id);
CREATE INDEX ON columns_events (client_id, notification_id);
CREATE TABLE inbox_events (originator_id uuid, originator_version bigint, topic text, state bytea, notification_id bigint,
    batch_id bigint, client_id text, digest bytea, PRIMARY KEY (originator_id, originator_version));
CREATE UNIQUE INDEX ON inbox_events (notification_id);
CREATE INDEX ON inbox_events (client_id, notification_id);
CREATE TABLE inbox (event_id uuid PRIMARY KEY, body_hash bytea, source_topic text, source_partition int,
    source_offset bigint, notification_id bigint);
"""
KINDS = "uuid int8 text bytea int8 int8 text uuid bytea text int4 int8 bytea".split()  # noqa: SIM905
EVENT = (0, 1, 2, 3, 4, 5, 6, 12)
INBOX = (7, 8, 9, 10, 11, 4)


def rows(count: int, seed: int) -> list[tuple[Any, ...]]:
    """Rows of new streams with 2.2 events each, about 450 bytes of state."""
    rng = random.Random(seed)
    made: list[tuple[Any, ...]] = []
    while len(made) < count:
        stream = UUID(int=rng.getrandbits(128))
        for version in range(1, 3 + (rng.random() < 0.2)):
            position = len(made) + 1
            made.append(
                (stream, version, "time_entry.logged.v1", rng.randbytes(450), position, position // BATCH,
                 f"client-{rng.randrange(400):04d}", UUID(int=rng.getrandbits(128)), rng.randbytes(24), "daybook.time",
                 rng.randrange(12), position, rng.randbytes(32))
            )  # fmt: skip
    return made[:count]


def copy(connection: psycopg.Connection[Any], table: str, picked: tuple[int, ...], batch: list[tuple[Any, ...]]) -> None:
    """One COPY of some columns."""
    with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as out:
        out.set_types([KINDS[index] for index in picked])
        for row in batch:
            out.write_row([row[index] for index in picked])


def timed(connection: psycopg.Connection[Any], made: list[tuple[Any, ...]], *, inbox: bool) -> float:
    """Rows a second, a transaction a batch."""
    started = time.perf_counter()
    for start in range(0, len(made), BATCH):
        batch = made[start : start + BATCH]
        with connection.transaction():
            if inbox:
                copy(connection, "inbox_events", EVENT, batch)
                copy(connection, "inbox", INBOX, batch)
            else:
                copy(connection, "columns_events", tuple(range(13)), batch)
    return len(made) / (time.perf_counter() - started)


def main() -> None:
    """Runs the rounds and prints what was seen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    seen: dict[str, list[float]] = {"columns": [], "inbox": []}
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        os.chmod(folder, 0o755)
        with (
            EmbeddedPostgres(Path(folder) / "home") as server,
            psycopg.connect(server.dsn, autocommit=True) as connection,
        ):
            for round_ in range(given.rounds):
                connection.execute(TABLES)
                made = rows(given.rows, round_)
                for way in ("columns", "inbox") if round_ % 2 else ("inbox", "columns"):
                    seen[way].append(timed(connection, made, inbox=way == "inbox"))
    ratios = [c / i for c, i in zip(seen["columns"], seen["inbox"], strict=True)]
    print(
        json.dumps(
            {
                **{f"{way}_rows_per_s": round(statistics.median(values)) for way, values in seen.items()},
                "columns_over_inbox": [round(ratio, 2) for ratio in ratios],
                "median": round(statistics.median(ratios), 2),
            }
        )
    )


if __name__ == "__main__":
    main()

"""How fast the month is read: the queue page, the API and the command, beside the bare SQL that gives the same rows."""

import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg

from benchmarks.month_facts import client_id
from benchmarks.month_home import MAY, Month
from benchmarks.month_web import Web, command, environment, serving
from projections import queue
from projections.queue import Filter
from runs.generate import plan

Measure = Callable[[], object]
BARE: Final = "bare SQL"
PLAIN: Final = "plain SELECT of the same rows"
COMMAND: Final = "daybook queue --json"
START: Final = "daybook user list --json"
DRY_RUN: Final = "dry run of Generate All"
SLOW: Final = frozenset((COMMAND, START, DRY_RUN))
"""Measured a quarter as often. Listing the users shows what starting any command takes."""


def reads(month: Month, rounds: int, times: int) -> dict[str, dict[str, float]]:
    """Milliseconds (p50, p95) of each reading, and the ratio of its median to the bare SQL's in the same round."""
    dsn = month.server.dsn
    told = environment(month.home, dsn)
    seen: dict[str, list[list[float]]] = {}
    with month.app() as app, psycopg.connect(dsn, autocommit=True) as connection, serving(month.home, dsn) as web:
        connection.prepare_threshold = None  # as the views' own sessions: a generic plan would read three times as long
        connection.execute("SET search_path = books")
        _materialise(connection)
        measures = _measures(month, app, connection, web, told)
        for measure in measures.values():
            measure()  # once to warm up: caches, connections, templates
        for number in range(rounds):
            print(f"reading, round {number} of {rounds}", file=sys.stderr, flush=True)
            order = list(measures)
            random.shuffle(order)
            for name in order:
                took = [_ms(measures[name]) for _ in range(times if name not in SLOW else max(1, times // 4))]
                seen.setdefault(name, []).append(took)
    return {name: _summary(seen[name], seen[BARE]) for name in measures}


def _measures(
    month: Month, app: Any, connection: psycopg.Connection[Any], web: Web, told: dict[str, str]
) -> dict[str, Measure]:
    one = client_id(month.size.clients // 2)
    statement, given = queue.rows_statement(MAY, Filter())

    def bare() -> object:
        return connection.execute(statement, given).fetchall()

    def plain() -> object:
        return connection.execute("SELECT * FROM benchmark.queue ORDER BY place").fetchall()

    def all_pages() -> object:
        found = web.pages("/api/v1/queue")
        assert found == month.size.clients, found
        return found

    return {
        BARE: bare,
        PLAIN: plain,
        "page /": lambda: web.body("/"),
        "page / of one charge type and half a month": lambda: web.body("/?charge_type=DESK&from=2026-05-01&to=2026-05-15"),
        "page / of one client by name": lambda: web.body(f"/?client={one[-5:]}"),
        "a client's lines opened": lambda: web.body(f"/queue/lines?client_id={one}&currency=GBP"),
        "API, first page": lambda: web.body("/api/v1/queue"),
        "API, all pages": all_pages,
        COMMAND: lambda: command(told, "queue", "--json"),
        START: lambda: command(told, "user", "list", "--json"),
        DRY_RUN: lambda: plan(app.views, MAY),
    }


def _materialise(connection: psycopg.Connection[Any]) -> None:
    """The queue's very rows as a table, so that a ratio to reading them plainly can be told."""
    statement, given = queue.rows_statement(MAY, Filter())
    connection.execute("DROP SCHEMA IF EXISTS benchmark CASCADE")
    connection.execute("CREATE SCHEMA benchmark")
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute(
            f"CREATE TABLE benchmark.queue AS SELECT row_number() OVER () AS place, q.* FROM ({statement}) AS q"
            " (client_id, client_name, currency, types, hours, net_minor, lines, unapproved_minutes, held_minor, held_lines)",
            given,
        )
    connection.execute("ANALYZE benchmark.queue")


def _ms(measure: Measure) -> float:
    started = time.perf_counter()
    measure()
    return (time.perf_counter() - started) * 1_000


def _summary(rounds: list[list[float]], bare: list[list[float]]) -> dict[str, float]:
    every = sorted(one for took in rounds for one in took)
    ratios = [statistics.median(took) / statistics.median(base) for took, base in zip(rounds, bare, strict=True)]
    return {
        "p50_ms": round(statistics.median(every), 1),
        "p95_ms": round(every[min(len(every) - 1, round(0.95 * (len(every) - 1)))], 1),
        "over_bare_sql": round(statistics.median(ratios), 2),
        "times": len(every),
    }

"""How fast the month is invoiced: Generate All over HTTP, signed in, and by command, beside a COPY of the rows it writes."""

import html
import json
import re
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg import sql

from benchmarks.month_facts import LINES
from benchmarks.month_home import MAY, Month
from benchmarks.month_web import Web, command, environment, serving

POLL_S: Final = 0.2

RESULTING: Final = (
    ("ledger", "daybook_events", "topic IN ('invoice.issued.v1', 'credit_note.issued.v1')"),
    ("books", "posted", "true"),
    ("books", "posted_entries", "true"),
    ("books", "invoices", "true"),
    ("books", "invoice_lines", "true"),
)
"""What a run adds: the documents' events, and what is written with them."""


@dataclass(slots=True)
class Seen:
    """What the rounds showed, in seconds; the stages in milliseconds."""

    confirmation_s: list[float] = field(default_factory=list)
    http_s: list[float] = field(default_factory=list)
    issuing_s: list[float] = field(default_factory=list)
    command_s: list[float] = field(default_factory=list)
    copy_s: list[float] = field(default_factory=list)
    stages_ms: list[dict[str, int]] = field(default_factory=list)


def runs(month: Month, rounds: int, say: Any) -> dict[str, Any]:
    """Invoices a second of each way, medians of some rounds, each on a fresh copy; and the ratio to COPY in the same round."""
    seen = Seen()
    for number in range(rounds):
        print(f"generating, round {number} of {rounds}", file=sys.stderr, flush=True)
        with month.copy() as dsn:
            _by_http(month, dsn, seen)
            seen.copy_s.append(_copied(dsn))
        with month.copy() as dsn:
            started = time.perf_counter()
            printed = command(environment(month.home, dsn), "invoice", "--accept-changes")
            seen.command_s.append(time.perf_counter() - started)
            assert f"INV-{month.size.clients:06d}" in printed, printed[-300:]
        say(f"round {number}: " + json.dumps(_round(seen, month.size.clients)))
    return _summary(seen, month.size.clients)


def _by_http(month: Month, dsn: str, seen: Seen) -> None:
    with serving(month.home, dsn) as web:
        started = time.perf_counter()
        shown = web.body("/generate")
        seen.confirmation_s.append(time.perf_counter() - started)
        form = {name: html.unescape(value) for name, value in re.findall(r'name="(as_of|confirmed|only)" value="([^"]*)"', shown)}
        started = time.perf_counter()
        response = web.post("/generate", form)
        response.read()
        if response.status != 303:
            raise RuntimeError(f"POST /generate: {response.status}")
        said = _ended(web, response.headers["location"])
        seen.http_s.append(time.perf_counter() - started)
        assert f"INV-{month.size.clients:06d}" in said, said[:500]
        (logged,) = web.logged("invoices_generated")
        assert (logged["documents"], logged["refused"]) == (month.size.clients, 0), logged
        seen.stages_ms.append(logged["stages_ms"])
        seen.issuing_s.append((logged["ms"] - logged["stages_ms"]["catch up after"]) / 1_000)
    with psycopg.connect(dsn) as connection:
        counted = connection.execute("SELECT count(*), count(DISTINCT number) FROM books.invoice_lines").fetchone()
    assert counted == (month.size.clients * LINES, month.size.clients), counted


def _ended(web: Web, path: str) -> str:
    """The run's page once it has ended, asked for as the page itself asks."""
    while 'aria-busy="true"' in web.body(path, **{"HX-Request": "true"}):
        time.sleep(POLL_S)
    return web.body(path)


def _copied(dsn: str) -> float:
    """Seconds to COPY the rows of the run, ready made in binary, into empty tables with the same indexes; one commit."""
    taken = 0.0
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        for schema, name, condition in RESULTING:
            source = sql.Identifier(schema, name)
            target = sql.Identifier(f"copied_{name}")
            rows = sql.SQL("COPY (SELECT * FROM {} WHERE {}) TO STDOUT (FORMAT BINARY)").format(source, sql.SQL(condition))
            cursor.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(target, source))
            with cursor.copy(rows) as copy:
                made = b"".join(copy)
            started = time.perf_counter()
            with cursor.copy(sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(target)) as copy:
                for start in range(0, len(made), 1 << 20):
                    copy.write(made[start : start + (1 << 20)])
            taken += time.perf_counter() - started
        started = time.perf_counter()
        connection.commit()
    return taken + time.perf_counter() - started


def _round(seen: Seen, invoices: int) -> dict[str, float]:
    return {
        "http_per_s": round(invoices / seen.http_s[-1], 1),
        "issuing_per_s": round(invoices / seen.issuing_s[-1], 1),
        "command_per_s": round(invoices / seen.command_s[-1], 1),
        "copy_per_s": round(invoices / seen.copy_s[-1], 1),
        "confirmation_s": round(seen.confirmation_s[-1], 2),
    }


def _summary(seen: Seen, invoices: int) -> dict[str, Any]:
    def per_s(took: list[float]) -> float:
        return round(statistics.median(invoices / one for one in took), 1)

    def over_copy(took: list[float]) -> float:
        return round(statistics.median(copy / one for one, copy in zip(took, seen.copy_s, strict=True)), 3)

    names = dict.fromkeys(name for one in seen.stages_ms for name in one)
    shares = {
        name: round(statistics.median(one.get(name, 0) / sum(one.values()) for one in seen.stages_ms), 3) for name in names
    }
    return {
        "invoices": invoices,
        "lines_each": LINES,
        "as_of": MAY.isoformat(),
        "invoices_per_s": {
            "http, signed in, views caught up": per_s(seen.http_s),
            "of which issuing": per_s(seen.issuing_s),
            "daybook invoice": per_s(seen.command_s),
            "COPY of the same rows": per_s(seen.copy_s),
        },
        "over_copy": {"http": over_copy(seen.http_s), "issuing": over_copy(seen.issuing_s), "command": over_copy(seen.command_s)},
        "confirmation_page_s": round(statistics.median(seen.confirmation_s), 2),
        "stage_shares": shares,
    }

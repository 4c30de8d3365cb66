"""What a seat change costs as its client's history grows: flat, or not.

    python -m benchmarks.seats [--rounds 5] [--changes 8]

Clients with 750, 7,500 and 75,000 counts behind them, under `daily` and under `ratchet` (a term of 12 months), in one
ledger. The last 750 days have one count a day with each of them, and what is more lies in the 25 years before: so much
grows with a history. A change is timed from the poll of the log to the views that show it; the day is always the same
month, so that each rates the same periods. Rounds are interleaved, in a new order each. Prints the median ms of a change
with its range, its two parts, and the ratio to the small history of the same round.
"""

import argparse
import logging
import random
import shutil
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import structlog

from ledger.database import Database
from ledger.embedded import EmbeddedPostgres
from ledger.keyring import Keyring
from ledger.migrate import migrate
from runs.open_day import open_day
from tests.conftest import MIGRATION_FOLDERS, Server, make_reachable_folder
from tests.oracle.story import NOON, Story
from tests.oracle.world import Said
from tests.projections.office import Office

SIZES = (750, 7_500, 75_000)
POLICIES = ("daily", "ratchet")
DAY = date(2026, 5, 31)
DENSE_DAYS, OLD_YEARS = 750, 25
AT_ONCE = 5_000
Case = tuple[str, int]


def client(case: Case) -> str:
    """The client with this history."""
    return f"{case[0]}-{case[1]}"


def count(case: Case, number: int, at: datetime) -> Said:
    """A count that differs from the one before it: none of them only repeats."""
    fields = {
        "event_id": event_id(case, number), "source": "rmm", "occurred_at": at, "client_id": client(case),
        "product": "m365", "system": "rmm", "quantity": 40 + number % 20, "as_of": at, "revision": 1,
    }  # fmt: skip
    return Said(at, "SeatCountReported", fields)


def event_id(case: Case, number: int) -> str:
    """An id of its own for each fact of each client."""
    return str(UUID(int=random.Random(f"{client(case)} {number}").getrandbits(128), version=4))


def history(case: Case) -> Iterator[Said]:
    """So many counts before May 2026."""
    end = datetime(2026, 5, 1, 2, 30, tzinfo=UTC)
    dense = end - timedelta(days=DENSE_DAYS)
    older = case[1] - DENSE_DAYS
    for number in range(older):
        yield count(case, number, dense - timedelta(days=365 * OLD_YEARS) * (older - number) / max(older, 1))
    for number in range(DENSE_DAYS):
        yield count(case, older + number, dense + timedelta(days=number))


def contract(case: Case) -> list[Said]:
    """The client with its one line, from 2025 on."""
    line = {
        "type": "SeatLine", "line_id": "S1", "product": "m365", "systems": ["rmm"], "unit_price": Decimal(65),
        "policy": case[0], "timing": "arrears", "term_months": 12,
    }  # fmt: skip
    start = date(2025, 1, 1)
    story = Story()
    own = {"client_id": client(case), "contract_id": client(case), "starts_on": start, "effective_from": start}
    said = story.client(client(case)).contract(line, **own).said[-2:]
    return [Said(one.at, one.record, {**one.fields, "event_id": event_id(case, -n)}) for n, one in enumerate(said, 1)]


def prepared(office: Office, cases: list[Case]) -> None:
    """All the histories in the book and the views."""
    office.take(Story().said[:-1])
    for case in cases:
        told = [*history(case), *contract(case)]
        for start in range(0, len(told), AT_ONCE):
            office.take(told[start : start + AT_ONCE])
        office.views.follow()
    open_day(office.book, DAY, NOON)
    office.views.follow()


def changed(office: Office, case: Case, number: int) -> tuple[float, float]:
    """Milliseconds to take one change into the book, and to bring the views on."""
    at = datetime(2026, 5, 2, tzinfo=UTC) + timedelta(minutes=7 * number)
    office.log.append([(*count(case, 1_000_000 + number, at).message(), ())])
    start = time.perf_counter()
    while not office.loop.step(timeout_s=0):
        pass
    taken = time.perf_counter()
    office.views.follow()
    return (taken - start) * 1_000, (time.perf_counter() - taken) * 1_000


def measured(office: Office, cases: list[Case], rounds: int, changes: int) -> dict[Case, list[tuple[float, float]]]:
    """By case the medians of each round; the first round warms up and is left out."""
    found: dict[Case, list[tuple[float, float]]] = {case: [] for case in cases}
    rng = random.Random(1)
    for number in range(rounds + 1):
        own: dict[Case, list[tuple[float, float]]] = {case: [] for case in cases}
        for change in range(changes):
            for case in rng.sample(cases, len(cases)):
                own[case].append(changed(office, case, number * changes + change))
        for case, times in own.items():
            if number:
                found[case].append((statistics.median(t for t, _ in times), statistics.median(v for _, v in times)))
    return found


def main() -> None:
    """Prints a line for each policy and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--changes", type=int, default=8)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    cases = [(policy, size) for policy in POLICIES for size in SIZES]
    home = make_reachable_folder()
    try:
        with EmbeddedPostgres(home, throwaway=True) as server:
            dsn = Server(server.dsn).create()
            migrate(dsn, MIGRATION_FOLDERS)
            with Database(dsn) as database:
                office = Office(database, Keyring(home / "keyring.jsonl"))
                prepared(office, cases)
                report(measured(office, cases, given.rounds, given.changes), given.rounds, given.changes)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def report(found: dict[Case, list[tuple[float, float]]], rounds: int, changes: int) -> None:
    """The table, as it goes into docs/evidence."""
    print(f"{rounds} rounds of {changes} changes, interleaved; medians of the rounds, [lowest to highest round]")
    for policy in POLICIES:
        small = [sum(one) for one in found[policy, SIZES[0]]]
        for size in SIZES:
            own = found[policy, size]
            totals = [sum(one) for one in own]
            ratios = [total / base for total, base in zip(totals, small, strict=True)]
            taken, views = (statistics.median(part) for part in zip(*own, strict=True))
            print(
                f"{policy:8} {size:>7,} counts: {statistics.median(totals):6.1f} ms a change"
                f" [{min(totals):.1f} to {max(totals):.1f}], book {taken:.1f} + views {views:.1f};"
                f" {statistics.median(ratios):.2f} times the small history [{min(ratios):.2f} to {max(ratios):.2f}]"
            )


if __name__ == "__main__":
    main()

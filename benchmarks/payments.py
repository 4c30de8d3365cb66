"""What a payment and a document cost the receivables view as the history of their client grows, beside a bare INSERT.

`python -m benchmarks.payments [--rounds 5] [--events 40]` prints JSON lines; it runs on a throw-away server.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

from psycopg import Cursor

from daybook.app import migration_folders
from domain.client_account import ClientDefined
from domain.invoice import InvoiceIssued
from domain.payment import PaymentReceived
from ledger.book import RecordedEvent
from ledger.database import Database
from ledger.embedded import EmbeddedPostgres
from ledger.event_codec import encode
from ledger.migrate import migrate
from projections import receivables_follow, terms
from projections.balances import balances
from projections.receivables import settle_clients
from projections.tables import INVOICES, PAYMENTS, copy_in
from projections.terms import TermsCache
from projections.work import NAME

SIZES: Final = (100, 1_000, 10_000)
"""Invoices, each with the payment that settled it, of one client."""
LONGEST: Final = 50_000
"""One that is only settled anew."""
FIRST: Final = date(2000, 1, 1)
AFTER: Final = date(2029, 1, 1)


class Bench:
    """Clients with histories of several lengths in one database; every measured event is rolled back."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.cache = TermsCache()
        self.position = 0

    @contextmanager
    def books(self) -> Iterator[Cursor[Any]]:
        """A cursor on the live tables."""
        with self.database.connection() as connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL search_path = books")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '2min'")
            yield cursor

    def client(self, client_id: str, size: int, per_day: int = 3) -> None:
        """A client with a settled history, and three invoices still open."""
        with self.books() as cursor:
            terms.keep(cursor, [self.event(_defined(client_id), client_id)])
            days = [FIRST + timedelta(days=n // per_day) for n in range(size)]
            copy_in(cursor, INVOICES, [self.invoice(client_id, n, day) for n, day in enumerate(days)])
            copy_in(cursor, PAYMENTS, [_payment_row(client_id, n, day) for n, day in enumerate(days)])
            copy_in(cursor, INVOICES, [self.invoice(client_id, size + n, AFTER - timedelta(days=9)) for n in range(3)])
            settle_clients(cursor, [client_id], self.cache)

    def invoice(self, client_id: str, n: int, day: date) -> tuple[Any, ...]:
        """An invoice of 100.00."""
        self.position += 1
        number = f"{client_id}-{n:06}"
        return (client_id, number, "invoice", number, "S", "GBP", day, day, 10_000, 0, 10_000, 0, self.position)

    def event(self, said: Any, client_id: str) -> RecordedEvent:
        """An event as the view reads it from the book."""
        self.position += 1
        given: dict[str, Any] = dict.fromkeys(RecordedEvent.__annotations__)
        given |= {
            "position": self.position, "topic": said.TOPIC, "state": encode(said), "client_id": client_id, "event_id": uuid4(),
        }  # fmt: skip
        return RecordedEvent(**given)

    def measure(self, work: Callable[[Cursor[Any]], Callable[[], Any]], times: int) -> float:
        """The median milliseconds of some work on the last client's tables; nothing of it stays."""
        took: list[float] = []
        for _ in range(times):
            with self.books() as cursor:
                do = work(cursor)
                start = time.perf_counter()
                do()
                took.append((time.perf_counter() - start) * 1_000)
                cursor.connection.rollback()
        return median(took)

    def payment(self, client_id: str, at: datetime) -> Callable[[Cursor[Any]], Callable[[], Any]]:
        """The view takes in one payment."""
        event = self.event(_paid(client_id, at), client_id)
        return lambda cursor: lambda: receivables_follow.process(cursor, [event], self.cache)

    def document(self, client_id: str) -> Callable[[Cursor[Any]], Callable[[], Any]]:
        """The view takes in one invoice, which stands in the book's own table already."""

        def work(cursor: Cursor[Any]) -> Callable[[], Any]:
            row = self.invoice(client_id, 900_000, AFTER)
            copy_in(cursor, INVOICES, [row])
            given: dict[str, Any] = dict.fromkeys(RecordedEvent.__annotations__)
            given |= {"position": row[-1], "topic": InvoiceIssued.TOPIC, "state": b"", "client_id": client_id}
            event = RecordedEvent(**given)
            return lambda: receivables_follow.process(cursor, [event], self.cache)

        return work

    def anew(self, client_id: str) -> Callable[[Cursor[Any]], Callable[[], Any]]:
        """The whole account is settled from nothing, as for something back-dated."""
        return lambda cursor: lambda: settle_clients(cursor, [client_id], self.cache)

    def bare(self, client_id: str) -> Callable[[Cursor[Any]], Callable[[], Any]]:
        """The row of a payment and nothing else."""
        row = _payment_row(client_id, 999_999, AFTER)
        marks = ", ".join(["%s"] * len(row))
        names = ", ".join(PAYMENTS.names)
        return lambda cursor: lambda: cursor.execute(f"INSERT INTO payments ({names}) VALUES ({marks})".encode(), row)


def _defined(client_id: str) -> ClientDefined:
    given: dict[str, Any] = dict.fromkeys(ClientDefined.__annotations__)
    given.pop("TOPIC")
    given |= {
        "event_id": str(uuid4()), "source": "bench", "occurred_at": datetime(2000, 1, 1, tzinfo=UTC), "client_id": client_id,
        "revision": 1, "name": client_id, "currency": "GBP", "time_zone": "Europe/London", "payment_terms_days": 30,
        "address": (), "billing_emails": (), "autopay": False, "use_credit": False, "status": "active",
    }  # fmt: skip
    return ClientDefined(**given)


def _paid(client_id: str, at: datetime) -> PaymentReceived:
    return PaymentReceived(
        event_id=str(uuid4()), source="bench", occurred_at=at, client_id=client_id, payment_id="new", amount_minor=15_000,
        currency="GBP", received_at=at, method="bank", invoice_numbers=(), surcharge_minor=0, fee_minor=0, provider=None,
        provider_ref=None,
    )  # fmt: skip


def _payment_row(client_id: str, n: int, day: date) -> tuple[Any, ...]:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return (client_id, f"p{n:06}", uuid4(), at, "GBP", 10_000, 0, 0, at, "bank", [f"{client_id}-{n:06}"], None, None)


def main() -> None:
    """Builds the histories and prints a line a measure and size, rounds interleaved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=40, help="payments and documents a round and size")
    parser.add_argument("--clients", type=int, default=5_000, help="for the balances of all of them")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)
        with EmbeddedPostgres(home, throwaway=True) as server:
            migrate(server.dsn, migration_folders())
            with Database(server.dsn) as database:
                _balances(Bench(database), asked.clients, asked.rounds)
                _payments(Bench(database), asked.rounds, asked.events)


def _payments(bench: Bench, rounds: int, events: int) -> None:
    for size in SIZES:
        bench.client(f"of-{size}", size)
    bench.client(f"of-{LONGEST}", LONGEST, per_day=30)
    with bench.books() as cursor:
        cursor.execute("ANALYZE invoices, payments, open_items, credits, allocations, settled")
    noon = datetime(2029, 1, 2, 12, tzinfo=UTC)
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for size in SIZES:
            name = f"of-{size}"
            for what, work, times in (
                ("insert", bench.bare(name), events), ("payment", bench.payment(name, noon), events),
                ("document", bench.document(name), events), ("anew", bench.anew(name), 1),
            ):  # fmt: skip
                found.setdefault((what, size), []).append(bench.measure(work, times))
        found.setdefault(("anew", LONGEST), []).append(bench.measure(bench.anew(f"of-{LONGEST}"), 1))
    insert = median(median(found["insert", size]) for size in SIZES)
    for (what, size), took in found.items():
        ms = median(took)
        ratios = {"over_smallest": round(ms / median(found[what, SIZES[0]]), 2), "over_insert": round(ms / insert, 1)}
        rounds_ms = [round(one, 3) for one in took]
        print(json.dumps({"what": what, "history": size, "ms": round(ms, 3), "rounds_ms": rounds_ms, **ratios}))


def _balances(bench: Bench, clients: int, rounds: int) -> None:
    for number in range(clients):
        bench.client(f"all-{number:05}", 12, per_day=1)
    with bench.books() as cursor:
        cursor.execute("INSERT INTO positions (view, position) VALUES (%s, %s)", (NAME, bench.position))
        cursor.execute("ANALYZE invoices, payments, open_items, credits, allocations, settled, terms")
    for what, day in (("today", AFTER), ("before the last invoices", AFTER - timedelta(days=10))):
        took = [bench.measure(lambda cursor, day=day: lambda: balances(cursor, day), 1) for _ in range(rounds)]  # type: ignore[misc]
        print(json.dumps({"what": f"balances of {clients} clients, {what}", "ms": round(median(took), 1)}))


if __name__ == "__main__":
    main()

"""Eight processes generate all at once, two of them killed: every approved entry on exactly one line, no number missing."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo

from tests.budget import budget
from tests.evidence import saw
from tests.saying import Row, approved, line, said

from .one_run import BARRIER
from .shop import MAY, ROOT, Shop, billed, environment

PATIENCE_S = 120
MOST_ROUNDS = 12  # with those that a fast machine ends before anybody can kill
KINDS = 6  # of clients: every sixth in euros, in a series of its own, by the ticket, with an entry held or undecided


def test_processes_at_once_and_some_killed_bill_every_entry_once(empty_shop: Shop) -> None:
    shop, order = empty_shop, random.Random(7)
    clients = [f"c{n:03}" for n in range(budget("generate", "clients"))]
    shop.tell(_clients(clients))
    expected: set[str] = set()
    wanted = budget("generate", "kills") * budget("generate", "rounds")
    kills = 0
    for round_ in range(MOST_ROUNDS):
        if round_ >= budget("generate", "rounds") and kills >= wanted:
            break
        shop.tell(_work(clients, round_, expected))
        shop.app.views.catch_up()
        kills += _at_once(shop, order, _late(clients, round_, expected))
        last = shop.command("invoice", "--as-of", MAY.isoformat(), "--accept-changes", "--json")
        assert last.returncode == 0, last.stderr
        _assert_billed_once(shop, expected)
        again = shop.command("invoice", "--as-of", MAY.isoformat(), "--accept-changes", "--json")
        assert (again.returncode, json.loads(again.stdout)) == (0, []), "a further run issues nothing"
    assert kills >= wanted, "each in the midst of a run"
    verified = shop.command("verify", "--json")
    assert verified.returncode == 0, verified.stdout
    saw(
        f"generate at once: seed 7, {budget('generate', 'processes')} processes, {len(clients)} clients,"
        f" {round_} rounds, {kills} counted kill -9: {len(expected)} approved entries, each on one line;"
        f" {len(shop.documents())} documents, numbers without gap"
    )


def _clients(client_ids: list[str]) -> Iterator[Row]:
    """Kind 1 is billed in euros, kind 2 in a series of its own, the others as usual; all have a monthly fee."""
    yield said("ProviderDefined")
    yield said("TaxCodeDefined")
    yield said("ChargeTypeDefined", rates={"GBP": "93.03", "EUR": "99.99"}, minimum_minutes=15, increment_minutes=15)
    yield said("ChargeTypeDefined", code="DESK", name="Desk", rates={"GBP": "60", "EUR": "70"}, rounding_scope="ticket")
    yield said("InvoiceSeriesDefined", code="OWN", prefix="OWN-{year}-", restart="yearly")
    for number, client_id in enumerate(client_ids):
        kind = number % KINDS
        yield said("ClientDefined", client_id=client_id, name=client_id, invoice_series="OWN" if kind == 2 else None)
        yield said(
            "ContractDefined", client_id=client_id, contract_id=f"k-{client_id}", currency="EUR" if kind == 1 else "GBP",
            effective_from="2026-05-01", starts_on="2026-05-01", lines=[line("RecurringLine")],
        )  # fmt: skip


def _work(client_ids: list[str], round_: int, expected: set[str]) -> Iterator[Row]:
    """Entries of their own and of a ticket, one of them undecided."""
    for client_id in client_ids:
        for n in range(3):
            yield from _entry(client_id, f"{client_id}-{round_}-{n}", expected, worked_minutes=20 + n)
        for n in range(2):
            ticket = {"charge_type": "DESK", "ticket_id": f"T{round_}"}
            yield from _entry(client_id, f"{client_id}-{round_}-t{n}", expected, **ticket)
        yield said("TimeEntryLogged", client_id=client_id, time_entry_id=f"{client_id}-{round_}-undecided")


def _late(client_ids: list[str], round_: int, expected: set[str]) -> list[Row]:
    """What lands while the runs are under way."""
    return [row for c in client_ids for row in _entry(c, f"{c}-{round_}-late", expected, worked_minutes=47)]


def _entry(client_id: str, entry_id: str, expected: set[str], **given: object) -> list[Row]:
    expected.add(f"{client_id}/{entry_id}")
    return approved(entry_id, client_id=client_id, **given)


class _Ended(Exception):
    """Every run ended before it could be killed."""


def _at_once(shop: Shop, order: random.Random, late: list[Row]) -> int:
    """Starts the runs at one moment and kills some of them in the midst; gives how many were killed there."""
    before = len(shop.documents())
    with _barrier(shop):
        runs = {name: _start(shop, name) for name in (f"run-{n}" for n in range(budget("generate", "processes")))}
        _wait(lambda: shop.one(f"SELECT count(*) FROM pg_locks WHERE objid = {BARRIER} AND NOT granted") == len(runs), runs)
    killed: list[str] = []
    try:
        half = len(late) // 2
        for victim in range(budget("generate", "kills")):
            shop.tell(late[:half] if victim == 0 else late[half:])
            late = late if victim == 0 else []
            seen = _count(shop)
            # It counts only in the midst: documents have appeared since the start, and another one since the last kill.
            _wait(lambda seen=seen: _count(shop) > max(before, seen), runs)
            killed.append(_kill(shop, {name: one for name, one in runs.items() if name not in killed}, order))
    except _Ended:
        shop.tell(late[half:])  # a fast machine: another round has the kills that are missing
    finally:
        outputs = {name: one.communicate(timeout=PATIENCE_S) for name, one in runs.items()}
    for name, one in runs.items():
        if name not in killed:
            assert one.returncode == 0, outputs[name][1]
            assert json.loads(outputs[name][0])["refused"] == 0
    assert all(runs[name].returncode == -9 for name in killed)
    return len(killed)


@contextmanager
def _barrier(shop: Shop) -> Iterator[None]:
    """Keeps every run waiting until the block ends."""
    with shop.app.database.owner() as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", (BARRIER,))
        yield


def _start(shop: Shop, name: str) -> "subprocess.Popen[str]":
    settings = dict(environment(shop.app))
    settings["DAYBOOK_DATABASE_URL"] = make_conninfo(settings["DAYBOOK_DATABASE_URL"], application_name=name)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.runs.one_run", MAY.isoformat()],
        cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _wait(happened: object, runs: "dict[str, subprocess.Popen[str]]") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < deadline, "nothing moves"
        if all(one.poll() is not None for one in runs.values()):
            raise _Ended
        time.sleep(0.005)


def _count(shop: Shop) -> int:
    return int(shop.one("SELECT count(*) FROM books.invoices"))


def _kill(shop: Shop, runs: "dict[str, subprocess.Popen[str]]", order: random.Random) -> str:
    """Kills the run that is issuing, if one can be caught at it, else any that is still under way."""
    with psycopg.connect(shop.app.database.dsn_owner, autocommit=True) as owner:
        for _ in range(200):
            rows = owner.execute(
                "SELECT DISTINCT a.application_name FROM pg_stat_activity a JOIN pg_locks l USING (pid)"
                " WHERE l.relation = 'books.series'::regclass AND l.granted AND a.datname = current_database()"
            ).fetchall()
            issuing = [name for (name,) in rows if name in runs and runs[name].poll() is None]
            if issuing:
                runs[issuing[0]].kill()
                return issuing[0]
    alive = [name for name, one in runs.items() if one.poll() is None]
    if not alive:
        raise _Ended
    name = order.choice(alive)
    runs[name].kill()
    return name


def _assert_billed_once(shop: Shop, expected: set[str]) -> None:
    documents = shop.documents()
    lines = billed(documents)
    assert lines.keys() == expected, "never lost, and nothing that was not approved"
    ticketed = {entry for entry in lines if "-t" in entry}
    assert {lines[entry] for entry in expected - ticketed} == {1}, "each on exactly one line"
    assert {lines[entry] for entry in ticketed} == {1}
    numbers: dict[str, list[int]] = {}
    for document in documents:
        numbers.setdefault(document.series, []).append(int(document.number.rpartition("-")[2]))
    assert numbers.keys() == {"invoice", "invoice/OWN/2026"}
    for given in numbers.values():
        assert given == list(range(1, len(given) + 1)), "numbers 1..n without gap, in order of issue"
    shop.app.views.catch_up()
    assert shop.one("SELECT count(*) FROM reporting.charges WHERE due_minor <> 0 OR rated_minor <> posted_minor") == 0
    assert shop.one("SELECT count(*) FROM books.due_lines") == 0, "posted is due, item by item"
    posted = Counter((d.client_id, one.item_key) for d in documents for one in d.lines)
    assert set(posted.values()) == {1}, "no item twice"
    totals = shop.one("SELECT sum(net_minor) FROM books.posted")
    assert totals == sum(d.net_minor for d in documents) == shop.one("SELECT sum(rated_minor) FROM books.charges")

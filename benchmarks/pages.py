"""How long each page takes at the demo's size: the whole answer, over HTTP, from a server with the demo's May 2026.

    python -m benchmarks.pages [--rounds 100]

Every page is asked for once a round, in turn, so that a busy moment of the machine hits all alike; the first round is not
counted. Half of the month is asked for before it is invoiced, half after. Prints milliseconds: median, 95th percentile,
worst; and the size of the answer. The bound of issue 4 is 200 ms.
"""

import argparse
import http.client
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlencode

import structlog
import uvicorn

from daybook import demo_month, feeding
from daybook.app import App, now, opened
from daybook.settings import Settings
from daybook.web import people
from daybook.web.app import create_app
from daybook.web.limits import RATES, Limits, Rate
from runs.generate import generate

TODAY = date(2026, 5, 31)
BOUND_MS = 200
HTMX = {"HX-Request": "true"}
PART = {"the lines of a client, as a part", "an item, as a part", "why of a line, as a part"}
BEFORE = {
    "the queue": "/",
    "the queue, one client": "/?client=fenwick",
    "the queue, by charge type and days": "/?charge_type=REMOTE&from=2026-05-01&to=2026-05-15",
    "the queue as of another day": "/?as_of=2026-05-15",
    "the queue, misread": "/?as_of=foo",
    "what a client field offers": "/queue/clients?client=co",
    "the lines of a client, as a part": "/queue/lines?client_id=acme&currency=GBP",
    "the lines of a client": "/queue/lines?client_id=acme&currency=GBP",
    "an item, as a part": "/queue/item?client_id=fenwick&item=time%2FTE-40146",
    "an item": "/queue/item?client_id=fenwick&item=time%2FTE-40146",
    "Generate All, to confirm": "/generate",
    "time entries": "/time",
    "time entries, stuck": "/time?reason=stuck",
    "a client": "/clients/coldridge",
}
AFTER = {
    "the queue, all invoiced": "/",
    "invoices": "/invoices",
    "invoices, found by a name": "/invoices?client=group",
    "an invoice": "/invoices/INV-000001",
    "why of a line, as a part": "/explain?number=INV-000001&line=1",
    "why of a line": "/explain?number=INV-000001&line=1",
    "a client, invoiced": "/clients/coldridge",
}


@contextmanager
def served(app: App) -> Iterator[int]:
    """The pages on a port of their own."""
    free = {name: Rate(1_000_000, 1) for name in RATES}
    config = uvicorn.Config(create_app(app, secure=False, limits=Limits(free)), port=0, log_level="error", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield int(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join(timeout=10)


class Browser:
    """Somebody signed in, on one kept connection."""

    def __init__(self, app: App, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._cookie = ""
        people.add_person(app, "bench", "biller")
        answer, _, _ = self.ask(f"/sign-in/{people.make_link(app, 'bench')}", form={})
        self._cookie = answer.headers["set-cookie"].partition(";")[0]

    def ask(
        self, path: str, *, form: dict[str, str] | None = None, part: bool = False
    ) -> tuple[http.client.HTTPResponse, bytes, float]:
        """The answer, its body, and how many milliseconds both took."""
        headers = {"Cookie": self._cookie, "Sec-Fetch-Site": "same-origin", **(HTMX if part else {})}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        started = time.perf_counter()
        body = urlencode(form) if form is not None else None
        self._connection.request("GET" if form is None else "POST", path, body=body, headers=headers)
        answer = self._connection.getresponse()
        said = answer.read()
        return answer, said, (time.perf_counter() - started) * 1000


def measure(browser: Browser, pages: dict[str, str], rounds: int) -> dict[str, tuple[list[float], int]]:
    """Milliseconds of each round, and the bytes, by page."""
    found: dict[str, tuple[list[float], int]] = {name: ([], 0) for name in pages}
    for number in range(rounds + 1):
        for name, path in pages.items():
            answer, body, took = browser.ask(path, part=name in PART)
            if answer.status not in (200, 303) and not ("misread" in name and answer.status == 422):
                raise RuntimeError(f"GET {path}: {answer.status}")
            if number:
                found[name] = ([*found[name][0], took], len(body))
    return found


def decide(browser: Browser, rounds: int) -> dict[str, tuple[list[float], int]]:
    """The same of what a form sends and puts in its place: hold and release of a line, in turn."""
    about = urlencode({"client_id": "fenwick", "item": "time/TE-40146", "currency": "GBP"})
    names = {"hold a line": "/queue/hold", "release a line": "/queue/release"}
    found: dict[str, tuple[list[float], int]] = {name: ([], 0) for name in names}
    for number in range(rounds + 1):
        for name, path in names.items():
            answer, body, took = browser.ask(path, form={"about": about, "view": "", "reason": "measured"}, part=True)
            if answer.status != 200 or b"notice done" not in body:
                raise RuntimeError(f"POST {path}: {answer.status}")
            if number:
                found[name] = ([*found[name][0], took], len(body))
    return found


def report(found: dict[str, tuple[list[float], int]]) -> list[str]:
    """One line a page."""
    lines = [f"{'ms':<38}{'median':>8}{'p95':>8}{'worst':>8}{'KB':>8}"]
    for name, (took, size) in found.items():
        p95 = statistics.quantiles(took, n=20, method="inclusive")[-1] if len(took) > 1 else took[0]
        lines.append(f"{name:<38}{statistics.median(took):>8.1f}{p95:>8.1f}{max(took):>8.1f}{size / 1024:>8.1f}")
    slow = [line for line in lines[1:] if float(line[46:54]) > BOUND_MS]
    lines.append(f"{len(found) - len(slow)} of {len(found)} pages have their 95th percentile under {BOUND_MS} ms")
    return lines


def main() -> None:
    """Prints the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=100)
    rounds = arguments.parse_args().rounds
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    home = Path(tempfile.mkdtemp(prefix="daybook-pages-"))
    home.chmod(0o755)
    try:
        with opened(Settings(home=home, today=TODAY)) as app:
            feeding.ingest_files(app, demo_month.write(home / "facts"))
            app.views.catch_up()
            with served(app) as port:
                browser = Browser(app, port)
                found = measure(browser, BEFORE, rounds) | decide(browser, rounds)
                issued = len(generate(app.views, TODAY, now()).documents)
                app.views.catch_up()
                found |= measure(browser, AFTER, rounds)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    load = os.getloadavg()[0]
    print(f"benchmarks/pages --rounds {rounds}, {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores shared, load {load:.1f}")
    print(f"the demo's May 2026, {issued} documents issued half-way; over HTTP on 127.0.0.1, server and asker in one process")
    print("\n".join(report(found)))


if __name__ == "__main__":
    main()

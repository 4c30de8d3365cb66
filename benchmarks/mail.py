"""How many mails a second go out with their PDF, beside smtplib alone with the very same messages.

    python -m benchmarks.mail [--rounds 5] [--mails 100]

Rounds are interleaved, on a database of their own and against one real server (aiosmtpd, in a process of its own):
(daybook) `send_pending` from claimed notices to recorded results: look-up, PDF, message, question, conversation, event;
(outbox) the same into files; (smtplib) one link, the messages that the server took, sent again by `sendmail`;
(typst) the compiler alone with the JSON of those documents, their numbers changed since it remembers what it laid out.
Prints mails/s, median and range, and the ratios to smtplib and to typst.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
import typst
from aiosmtpd.controller import Controller

from benchmarks.paper import data_of
from ledger.database import Database
from ledger.embedded import EmbeddedPostgres
from ledger.migrate import migrate
from producers.mail.transport import Outbox, Smtp, Transport
from producers.paper.printer import FONTS, HERE, printer
from producers.paper.sheet import sheet_of
from projections import documents
from projections.notice_facts import parties_of
from tests.broker import free_port
from tests.conftest import MIGRATION_FOLDERS, Server, make_reachable_folder
from tests.producers.mailroom import SENDER, MailRoom, mail_room


class Sink:
    """A server's handler that takes everything and keeps the messages it may be asked for."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return "250 taken"


def serve(port: int, ready: Any, stop: Any) -> None:
    """The mail server, until told to stop."""
    controller = Controller(Sink(), hostname="127.0.0.1", port=port)
    controller.start()
    ready.set()
    stop.wait()
    controller.stop()


@contextmanager
def server() -> Iterator[int]:
    """Its port."""
    context = multiprocessing.get_context("spawn")
    port, ready, stop = free_port(), context.Event(), context.Event()
    process = context.Process(target=serve, args=(port, ready, stop))
    process.start()
    ready.wait(30)
    yield port
    stop.set()
    process.join(10)


def smtplib_alone(port: int, mails: list[bytes]) -> None:
    """The same messages over one link."""
    import smtplib

    with smtplib.SMTP("127.0.0.1", port) as link:
        for raw in mails:
            link.sendmail(SENDER, ["a@mail.example"], raw)


def sheets(room: MailRoom, count: int, serial: int) -> list[str]:
    """What the template reads of the last documents, each under a number that it was never made with."""
    with room.views.reading() as cursor:
        found = documents.invoices(cursor)[-count:]
        facts = parties_of(cursor, [one["number"] for one in found])
    read = [sheet_of({**one, "number": f"T{serial}-{n}"}, facts[one["number"]], str) for n, one in enumerate(found)]
    return [data_of(printer(), one) for one in read]


def typst_alone(compiler: typst.Compiler, read: list[str]) -> None:
    """The same documents by the compiler alone."""
    at = datetime(2026, 5, 31, tzinfo=UTC)
    for data in read:
        compiler.compile(format="pdf", sys_inputs={"data": data}, pdf_standards="ua-1", timestamp=at)


def claimed(room: MailRoom, count: int, serial: int) -> None:
    """So many new notices, each of a client of its own."""
    room.mailed(*(f"client{serial:02d}x{n:04d}" for n in range(count)))


def timed(run: Callable[[], Any]) -> float:
    """Seconds."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    """Prints a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mails", type=int, default=100)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    speeds: dict[str, list[float]] = {"daybook": [], "outbox": [], "smtplib": [], "typst": []}
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])
    compiler = typst.Compiler(HERE / "invoice.typ", root=HERE, font_paths=fonts, ignore_system_fonts=True)
    home = make_reachable_folder()
    with EmbeddedPostgres(home, throwaway=True) as postgres, tempfile.TemporaryDirectory() as folder, server() as port:
        dsn = Server(postgres.dsn).create()
        migrate(dsn, MIGRATION_FOLDERS)
        with Database(dsn) as database:
            room = mail_room(database, Path(folder))
            for number in range(given.rounds + 1):
                box = Outbox(Path(folder) / f"outbox{number}")
                ways: dict[str, Transport] = {"daybook": Smtp(f"smtp://127.0.0.1:{port}"), "outbox": box}
                taken: dict[str, float] = {}
                for name in ways if number % 2 else reversed(list(ways)):
                    claimed(room, given.mails, 2 * number + (name == "outbox"))
                    taken[name] = timed(lambda way=ways[name]: room.send(way))  # type: ignore[misc]
                mails = [path.read_bytes() for path in sorted(box.folder.glob("*.eml"))]
                assert len(mails) == given.mails
                taken["smtplib"] = timed(lambda mails=mails: smtplib_alone(port, mails))  # type: ignore[misc]
                read = sheets(room, given.mails, number)
                taken["typst"] = timed(lambda read=read: typst_alone(compiler, read))  # type: ignore[misc]
                if number:  # the first round warms up
                    for name, seconds in taken.items():
                        speeds[name].append(given.mails / seconds)
    size = sum(map(len, mails)) // len(mails) // 1024
    for name, of in speeds.items():
        beside = (statistics.median(a / b for a, b in zip(of, speeds[base], strict=True)) for base in ("smtplib", "typst"))
        ratios = "{:.2f} of smtplib, {:.2f} of typst".format(*beside)
        print(f"{name}: {statistics.median(of):.0f} mails/s ({min(of):.0f}-{max(of):.0f}), {ratios}; {size} KiB each")


if __name__ == "__main__":
    main()

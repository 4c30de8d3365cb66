"""Whole messages are kept for a set time only; the book, its chain and what is not handled yet stay."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from consumers.embedded_source import EmbeddedSource
from consumers.ingest import Ingest
from daybook.app import App
from daybook.settings import Settings
from daybook.worker import KEPT_FOR, purge
from ledger.book import Book
from ledger.embedded_log import EmbeddedLog
from ledger.verify import verify
from projections.views import Views


def test_old_messages_go_and_the_chain_still_holds(book: Book, tmp_path: Path) -> None:
    app = App(Settings(home=tmp_path), book.database, book, Views(book))
    log = EmbeddedLog(book.database, book.keyring)
    log.append([("daybook.time", b"acme", b"no message of ours", ())])
    Ingest(book, EmbeddedSource(log, lambda t, p: book.position(f"kafka:{log.cluster_id}", t, p))).drain()
    log.append([("daybook.time", b"acme", b"not handled yet", ())])
    later = datetime.now(UTC) + KEPT_FOR
    assert purge(app, later - timedelta(hours=1)) == 0
    assert len(book.dead_letters()) == 1
    assert purge(app, later + timedelta(hours=1)) == 2, "the dead letter and its record in the log"
    assert book.dead_letters() == []
    assert sum(len(log.read(t, p, 0, 10)) for t, p in log.end_offsets()) == 1, "what the book has not stays"
    assert all(check.ok for check in verify(book.database))

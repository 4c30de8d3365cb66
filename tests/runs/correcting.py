"""Corrections as a test gives them, and how the books stand afterwards."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from domain.invoice import CreditNoteIssued
from ledger.event_codec import decode
from runs import correct
from runs.correct import Corrected
from runs.errors import Refused
from tests.runs.shop import MAY, NOW, Shop
from tests.saying import approved, said

INV = "INV-000001"
JUNE_2 = datetime(2026, 6, 2, 9, tzinfo=UTC)


def credit(shop: Shop, number: str = INV, line_no: int | None = None, mode: str = "rebill", as_of: date = MAY) -> Corrected:
    return correct.credit(shop.app.views, number, line_no, mode=mode, as_of=as_of, reason="disputed", by="ann", at=NOW)


def void(shop: Shop, number: str = INV) -> Corrected:
    return correct.void(shop.app.views, number, as_of=MAY, reason="wrong client", by="ann", at=NOW)


def write_off(shop: Shop, number: str = INV, as_of: date = MAY) -> Corrected:
    return correct.write_off(shop.app.views, number, as_of=as_of, reason="bankrupt", by="ann", at=NOW)


def pay(shop: Shop, minor: int, payment_id: str = "p1", at: datetime = JUNE_2, **given: Any) -> None:
    money = {"payment_id": payment_id, "amount_minor": minor, "currency": "GBP", "method": "transfer"}
    shop.tell(said("PaymentReceived", at=at, received_at=at, client_id="acme", **money, **given))


def lines(note: CreditNoteIssued | None) -> list[tuple[str, int, int, tuple[str, int] | None]]:
    """(quantity, net, tax, what it corrects) of each line."""
    assert note is not None
    return [
        (
            f"{one.line.quantity.normalize():f}", one.net_minor, one.tax_minor,
            (one.corrects.number, one.corrects.line_no) if one.corrects else None,
        )
        for one in note.lines
    ]  # fmt: skip


def stands(shop: Shop) -> dict[str, tuple[str, int]]:
    """(status, outstanding) by number."""
    shop.app.views.catch_up()
    with shop.app.views.reading() as cursor:
        rows = cursor.execute("SELECT number, status, outstanding_minor FROM open_items").fetchall()
    return {number: (status, outstanding) for number, status, outstanding in rows}


def unapplied(shop: Shop) -> int:
    shop.app.views.catch_up()
    return int(shop.one("SELECT coalesce(sum(unapplied_minor), 0) FROM books.credits"))


def issued(shop: Shop) -> None:
    """One hour and a half hour, on INV-000001: 150.00 and 75.00, with tax 270.00."""
    shop.tell(approved("e1", ticket_id=None), approved("e2", worked_minutes=30, worked_on="2026-05-21"))
    assert [d.number for d in shop.generate().documents] == [INV]


def events(shop: Shop, cls: type[Any]) -> list[Any]:
    found: list[Any] = []
    after = 0
    while page := shop.app.book.read(after, 5_000):
        after = page[-1].position
        found += [decode(e.topic, e.state) for e in page if e.topic == cls.TOPIC]
    return found


def at_once(acts: list[Callable[[], object]]) -> tuple[list[object], list[str]]:
    """Runs all at one moment; gives what was done and why the others were refused."""
    done: list[object] = []
    refused: list[str] = []
    failed: list[BaseException] = []
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            done.append(act())
        except Refused as error:
            refused.append(str(error))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []
    return done, refused

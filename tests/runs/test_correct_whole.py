"""Void and write-off, corrections at once, and which invoices are told to be settled."""

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.corrections import InvoiceSettled, InvoiceVoided, InvoiceWrittenOff
from runs.errors import Refused
from runs.settled import Settling, note_settled
from tests.runs.correcting import (
    INV,
    JUNE_2,
    at_once,
    credit,
    events,
    issued,
    lines,
    pay,
    stands,
    unapplied,
    void,
    write_off,
)
from tests.runs.shop import MAY, NOW, Shop
from tests.saying import approved, said

# ---- void ----


def test_voided_invoice_is_credited_whole_and_says_so(shop: Shop) -> None:
    issued(shop)
    note = void(shop).note
    assert note is not None
    assert (note.total_minor, note.mode) == (-27_000, "rebill")
    (event,) = events(shop, InvoiceVoided)
    assert (event.number, event.credited_by, event.by) == (INV, "CN-000001", "ann")
    assert shop.one("SELECT count(*) FROM books.voids") == 1
    assert stands(shop)[INV] == ("settled", 0)
    assert len(shop.queue()) == 2
    for act in (void, credit):
        with pytest.raises(Refused, match="INV-000001 was voided already, by CN-000001"):
            act(shop)
    shop.assert_sound()


def test_void_is_refused_where_a_payment_stands_in_it_and_done_after_its_refund(shop: Shop) -> None:
    issued(shop)
    pay(shop, 10_000)
    with pytest.raises(Refused, match="is paid, in part or whole, by p1: refund that first"):
        void(shop)
    assert len(shop.documents()) == 1
    shop.tell(said("PaymentRefunded", at=JUNE_2, client_id="acme", payment_id="p1", refund_id="r1", amount_minor=10_000))
    assert void(shop).note is not None
    assert unapplied(shop) == 0
    shop.assert_sound()


def test_void_takes_what_credits_have_left(shop: Shop) -> None:
    issued(shop)
    credit(shop, line_no=1)
    note = void(shop).note
    assert lines(note) == [("-0.5", -7_500, -1_500, (INV, 2))]
    assert unapplied(shop) == 0


# ---- write-off ----


def test_written_off_is_what_is_outstanding_and_nothing_returns_to_the_queue(shop: Shop) -> None:
    issued(shop)
    pay(shop, 10_000)
    done = write_off(shop, as_of=date(2026, 6, 3))
    assert done.written_off_minor == 17_000
    (event,) = events(shop, InvoiceWrittenOff)
    assert (event.amount_minor, event.currency, event.written_off_on) == (17_000, "GBP", date(2026, 6, 3))
    assert stands(shop) == {INV: ("written_off", 0)}
    assert shop.queue() == []
    shop.assert_sound()
    with pytest.raises(Refused, match="nothing is outstanding of INV-000001"):
        write_off(shop)
    for act in (credit, void):
        with pytest.raises(Refused, match="was written off"):
            act(shop)


def test_payment_known_after_a_write_off_counts_first_where_it_was_received_first(shop: Shop) -> None:
    issued(shop)
    write_off(shop, as_of=date(2026, 6, 3))
    pay(shop, 20_000, at=datetime(2026, 6, 1, 9, tzinfo=UTC))
    assert stands(shop) == {INV: ("written_off", 0)}
    assert shop.one("SELECT written_off_minor FROM books.open_items") == 7_000, "the rest only"
    assert unapplied(shop) == 0
    pay(shop, 7_000, "p2", at=datetime(2026, 6, 4, 9, tzinfo=UTC))
    assert unapplied(shop) == 7_000, "what comes after it is credit"
    shop.assert_sound()


def test_refund_after_a_write_off_opens_the_invoice_and_it_can_be_written_off_again(shop: Shop) -> None:
    issued(shop)
    pay(shop, 10_000)
    write_off(shop, as_of=date(2026, 6, 3))
    shop.tell(
        said(
            "PaymentChargedBack", at=datetime(2026, 6, 4, 9, tzinfo=UTC), client_id="acme", payment_id="p1", refund_id="r1",
            amount_minor=10_000,
        )
    )
    assert stands(shop)[INV][1] == 10_000
    assert write_off(shop, as_of=date(2026, 6, 5)).written_off_minor == 10_000
    assert stands(shop) == {INV: ("written_off", 0)}
    shop.assert_sound()


def test_write_off_before_the_invoice_is_refused(shop: Shop) -> None:
    issued(shop)
    with pytest.raises(Refused, match="cannot be written off before that day"):
        write_off(shop, as_of=MAY - timedelta(days=1))


# ---- at once ----


def test_eight_credits_of_one_line_at_once_give_exactly_one(shop: Shop) -> None:
    issued(shop)
    modes = ["rebill", "waive"] * 4
    done, refused = at_once([lambda mode=mode: credit(shop, line_no=1, mode=mode) for mode in modes])  # type: ignore[misc]
    assert (len(done), len(refused)) == (1, 7)
    assert all("by CN-000001 line 1" in why for why in refused), refused
    assert stands(shop) == {INV: ("partly_paid", 9_000)}
    shop.assert_sound()


def test_void_credit_write_off_and_run_at_once_leave_the_books_sound(shop: Shop) -> None:
    issued(shop)
    shop.tell(approved("e3", worked_on="2026-05-22"))
    at_once([lambda: void(shop), lambda: credit(shop, line_no=2), lambda: write_off(shop), shop.generate])
    shop.generate()
    assert shop.queue() == []
    posted = shop.one("SELECT sum(net_minor) FROM books.posted")
    given_up = shop.one("SELECT count(*) FROM books.write_offs")
    assert posted == 37_500, "all of it billed, credited notes and all"
    assert given_up in (0, 1)
    shop.assert_sound()


def test_payment_that_races_a_void_is_credit_or_stops_it(shop: Shop) -> None:
    issued(shop)
    done, refused = at_once([lambda: void(shop), lambda: pay(shop, 27_000)])
    if refused:
        assert "is paid, in part or whole, by p1" in refused[0]
        assert stands(shop)[INV] == ("settled", 0)
        assert unapplied(shop) == 0
    else:
        assert len(done) == 2
        assert unapplied(shop) == 27_000, "the payment is whole, as credit"
    shop.assert_sound()


def test_rebuild_and_known_at_give_what_was_decided(shop: Shop) -> None:
    issued(shop)
    shop.tell(approved("e3", client_id="acme", worked_on="2026-05-23"))
    shop.generate()
    void(shop, "INV-000002")
    credit(shop, line_no=1, mode="waive")
    write_off(shop)
    Settling(shop.app.book).step(NOW)
    shop.app.views.catch_up()
    live = {view: hash_ for view, hash_, _ in shop.app.views.hashes()}
    shop.app.views.rebuild()
    assert {view: hash_ for view, hash_, _ in shop.app.views.hashes()} == live
    for table in ("voids", "write_offs", "credited", "settlements"):
        assert shop.one(f"SELECT count(*) FROM books.{table}") > 0, table
    shop.assert_sound()


# ---- settled ----


def test_settled_invoices_are_noted_once_each_also_the_free_ones(shop: Shop) -> None:
    issued(shop)
    shop.tell(approved("free", billable_minutes=0))
    shop.generate()
    settling = Settling(shop.app.book)
    shop.app.views.catch_up()
    assert settling.step(NOW) == 1
    pay(shop, 27_000)
    shop.app.views.catch_up()
    assert [settling.step(NOW), settling.step(NOW)] == [1, 0]
    found = {one.number: one.settled_on for one in events(shop, InvoiceSettled)}
    assert found == {"INV-000002": MAY, INV: JUNE_2.date()}
    # Opened again by a refund and paid again: it is told the first time only.
    shop.tell(said("PaymentRefunded", at=JUNE_2, client_id="acme", payment_id="p1", refund_id="r1", amount_minor=27_000))
    pay(shop, 27_000, "p2", at=datetime(2026, 6, 5, tzinfo=UTC))
    shop.app.views.catch_up()
    assert settling.step(NOW) == 0
    shop.assert_sound()


def test_two_workers_note_each_settled_invoice_once(shop: Shop) -> None:
    shop.tell(*(approved(f"f{n}", billable_minutes=0, worked_on=f"2026-05-{n:02}") for n in range(1, 7)))
    for n in range(1, 4):
        shop.tell(approved(f"z{n}", billable_minutes=0))
        shop.generate()
    shop.app.views.catch_up()
    at_once([lambda: note_settled(shop.app.book, NOW, 2) for _ in range(4)])
    Settling(shop.app.book).step(NOW)
    numbers = [one.number for one in events(shop, InvoiceSettled)]
    assert sorted(numbers) == ["INV-000001", "INV-000002", "INV-000003"]
    shop.assert_sound()

"""Money that came back, was matched late or was given up twice: what an attacker made of it, and must not."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.corrections import InvoiceWrittenOff
from projections.payment_list import PaymentFilter, payment_rows
from runs import correct
from runs.errors import Refused
from tests.runs.correcting import INV, credit, events, issued, pay, stands, unapplied, void, write_off
from tests.runs.shop import NOW, Shop
from tests.saying import said


def june(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 6, day, hour, tzinfo=UTC)


JUNE_2, JUNE_4 = june(2), june(4)


def give_back(
    shop: Shop, minor: int, refund_id: str = "r1", at: datetime = JUNE_4, client_id: str = "acme", payment_id: str = "p1"
) -> None:
    what = {"client_id": client_id, "payment_id": payment_id, "refund_id": refund_id, "amount_minor": minor}
    shop.tell(said("PaymentChargedBack", at=at, currency="GBP", reason="", **what))


def paid_by(shop: Shop, client_id: str, minor: int = 27000, said_at: datetime = JUNE_2, **given: Any) -> None:
    money = {"payment_id": "p1", "amount_minor": minor, "currency": "GBP", "method": "bank", "received_at": JUNE_2}
    shop.tell(said("PaymentReceived", at=said_at, client_id=client_id, **money, **given))


def waiting(shop: Shop) -> list[tuple[str, str, str, str]]:
    shop.app.views.catch_up()
    with shop.app.views.reading() as cursor:
        found = cursor.execute("SELECT client_id, what, id, reason FROM waiting ORDER BY 1, 2, 3").fetchall()
    return [(client, what, id_, reason) for client, what, id_, reason in found]


def test_write_off_of_the_day_of_a_chargeback_takes_what_came_back(shop: Shop) -> None:
    issued(shop)
    pay(shop, 27000)
    give_back(shop, 27000, at=june(15))
    assert write_off(shop, as_of=date(2026, 6, 15)).written_off_minor == 27000
    assert stands(shop) == {INV: ("written_off", 0)}
    with pytest.raises(Refused, match="nothing is outstanding"):
        write_off(shop, as_of=date(2026, 6, 15))
    assert [one.amount_minor for one in events(shop, InvoiceWrittenOff)] == [27000]


def test_write_off_takes_no_more_than_was_open_on_its_day_and_is_now(shop: Shop) -> None:
    issued(shop)
    pay(shop, 17000)
    give_back(shop, 7000, at=june(15))
    assert write_off(shop, as_of=date(2026, 6, 10)).written_off_minor == 10000
    with pytest.raises(Refused, match="nothing is outstanding"):
        write_off(shop, as_of=date(2026, 6, 10))
    assert write_off(shop, as_of=date(2026, 6, 20)).written_off_minor == 7000
    assert stands(shop) == {INV: ("written_off", 0)}
    assert waiting(shop) == []


@pytest.mark.parametrize("match_first", [False, True])
def test_return_of_nobodys_money_is_that_of_the_client_it_is_matched_to(shop: Shop, match_first: bool) -> None:
    issued(shop)
    paid_by(shop, "?")
    if match_first:
        paid_by(shop, "acme", said_at=june(5))
        shop.app.views.catch_up()
    give_back(shop, 7000, client_id="?", at=june(6))
    if not match_first:
        assert waiting(shop) == [("?", "payment", "p1", "unmatched_payment"), ("?", "refund", "r1/p1", "unmatched_payment")]
        paid_by(shop, "acme", said_at=june(5))
    assert waiting(shop) == []
    assert stands(shop) == {INV: ("partly_paid", 7000)}
    # Said again of the client it is the same return.
    give_back(shop, 7000, at=june(7))
    assert (stands(shop), waiting(shop)) == ({INV: ("partly_paid", 7000)}, [])


def test_return_of_a_payment_that_does_not_count_waits(shop: Shop) -> None:
    issued(shop)
    pay(shop, 10**15)
    give_back(shop, 1000)
    assert [(what, id_) for _, what, id_, _ in waiting(shop)] == [("payment", "p1"), ("refund", "r1/p1")]


def test_write_off_of_what_was_paid_waits_and_no_longer_forbids_a_credit(shop: Shop) -> None:
    issued(shop)
    write_off(shop, as_of=date(2026, 6, 10))
    with pytest.raises(Refused, match="was written off"):
        credit(shop, as_of=date(2026, 6, 12))
    pay(shop, 27000, at=june(5))
    assert waiting(shop) == [("acme", "write_off", INV, "impossible_value")]
    with pytest.raises(Refused, match="is paid"):
        void(shop)
    credit(shop, as_of=date(2026, 6, 12))
    assert waiting(shop) == [("acme", "write_off", INV, "impossible_value")]


@pytest.mark.parametrize("words", [("credit", INV, "--waive"), ("void", INV), ("write-off", INV)])
def test_correction_of_a_day_to_come_is_refused(shop: Shop, words: tuple[str, ...]) -> None:
    issued(shop)
    found = shop.command(*words, "--as-of", "2026-06-01", "--reason", "x")
    assert found.returncode == 2
    assert "2026-06-01 is after the business date 2026-05-31" in found.stderr
    assert stands(shop) == {INV: ("open", 27000)}


def test_reporting_lists_matched_money_once(shop: Shop) -> None:
    paid_by(shop, "?")
    shop.app.views.catch_up()
    payers = "SELECT string_agg(client_id, ' ' ORDER BY client_id) FROM reporting.payments"
    assert shop.one(payers) == "?"
    paid_by(shop, "acme", said_at=june(5))
    shop.app.views.catch_up()
    assert shop.one(payers) == "acme"
    assert len(json.loads(shop.command("payments", "--json").stdout)) == 1


def test_all_of_a_payment_with_its_surcharge_goes_back_once(shop: Shop) -> None:
    issued(shop)
    paid_by(shop, "acme", 27270, surcharge_minor=270)
    give_back(shop, 27270)
    assert (stands(shop), unapplied(shop), waiting(shop)) == ({INV: ("open", 27000)}, 0, [])
    give_back(shop, 1, "r2", june(5))
    assert waiting(shop) == [("acme", "refund", "r2/p1", "impossible_value")]
    assert stands(shop) == {INV: ("open", 27000)}


@pytest.mark.parametrize(("first_paid", "owed_to_client"), [(0, 0), (5_000, 0), (20_000, 11_000)])
def test_entry_rejected_after_its_invoice_was_given_up_gives_back_only_what_was_paid(
    shop: Shop, first_paid: int, owed_to_client: int
) -> None:
    """270.00, of it 180.00 for e1: once that was never to be paid, 90.00 is what the rest is worth."""
    issued(shop)
    if first_paid:
        pay(shop, first_paid)
    assert write_off(shop, as_of=date(2026, 6, 10)).written_off_minor == 27_000 - first_paid
    shop.tell(said("TimeEntryRejected", time_entry_id="e1", at=june(11)))
    shop.open(date(2026, 6, 12))
    (note,) = shop.generate(date(2026, 6, 12)).documents
    assert note.total_minor == -18_000
    assert unapplied(shop) == owed_to_client
    assert stands(shop)[INV][1] == 0
    given_up = shop.one("SELECT written_off_minor FROM books.open_items WHERE number = 'INV-000001'")
    assert given_up == max(9_000 - first_paid, 0)
    assert waiting(shop) == [("acme", "write_off", INV, "impossible_value")]
    assert shop.generate(date(2026, 6, 12)).documents == []
    shop.assert_sound()


def test_void_after_a_write_off_of_which_nothing_is_left(shop: Shop) -> None:
    issued(shop)
    write_off(shop, as_of=date(2026, 6, 10))
    pay(shop, 27000, at=june(5))
    give_back(shop, 27000, at=june(15))
    assert stands(shop) == {INV: ("open", 27000)}
    assert correct.void(shop.app.views, INV, as_of=date(2026, 6, 20), reason="x", by="ann", at=NOW).number == INV
    assert (stands(shop)[INV][1], unapplied(shop)) == (0, 0)
    with pytest.raises(Refused, match="was voided already"):
        void(shop)
    shop.assert_sound()


def test_payment_with_the_number_of_a_credit_note_is_told_from_it(shop: Shop) -> None:
    issued(shop)
    assert credit(shop, line_no=1).note is not None
    pay(shop, 9_000, "CN-000001")
    shop.app.views.catch_up()
    with shop.app.views.reading() as cursor:
        (one,) = payment_rows(cursor, PaymentFilter(payment_id="CN-000001"))
    assert [(paid.number, paid.amount_minor) for paid in one.pays] == [(INV, 9_000)]
    kinds = "SELECT string_agg(kind || ' ' || amount_minor, ', ' ORDER BY kind) FROM reporting.allocations"
    assert shop.one(kinds) == "credit_note 18000, payment 9000"
    with pytest.raises(Refused, match="is paid, in part or whole, by CN-000001"):
        void(shop)
    give_back(shop, 9_000, payment_id="CN-000001")
    assert void(shop).note is not None, "what stands in it is the credit note, not the payment"
    shop.assert_sound()

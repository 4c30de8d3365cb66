"""What a client owes: allocation, credit, returns, write-offs and ageing, in any order of arrival (product R1-R3)."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.receivables import Account, Issued, Received, Returned, WrittenOff, age_of
from domain.settling import settle

MAY = date(2026, 5, 1)


def day(n: int) -> date:
    """The n-th of May 2026, and on into June."""
    return MAY + timedelta(days=n - 1)


def invoice(number: str, total: int, issued: int = 1, due: int | None = None) -> Issued:
    return Issued(number=number, issued_on=day(issued), due_on=day(issued + 30 if due is None else due), total_minor=total)


def credit_note(number: str, total: int, issued: int, *corrects: str) -> Issued:
    """One that takes its total, shared evenly, back from some invoices."""
    parts = tuple((one, total // len(corrects)) for one in corrects)
    return Issued(number=number, issued_on=day(issued), due_on=day(issued), total_minor=-total, corrects=parts)


def paid(payment_id: str, amount: int, on: int, *numbers: str, hour: int = 12) -> Received:
    at = datetime.combine(day(on), datetime.min.time(), UTC) + timedelta(hours=hour)
    return Received(
        payment_id=payment_id, amount_minor=amount, received_at=at, received_on=day(on), invoice_numbers=tuple(numbers)
    )


def back(refund_id: str, payment_id: str, amount: int, on: int) -> Returned:
    at = datetime.combine(day(on), datetime.min.time(), UTC) + timedelta(hours=15)
    return Returned(refund_id=refund_id, payment_id=payment_id, amount_minor=amount, returned_at=at, returned_on=day(on))


def open_of(account: Account) -> dict[str, int]:
    return {number: item.outstanding_minor for number, item in account.items.items() if item.outstanding_minor}


# ---- the order of R2 ----


@pytest.mark.parametrize(
    ("numbers", "left"),
    [
        ((), {"B": 40, "C": 100}),  # A is due first, then B
        (("C",), {"A": 40, "B": 100}),
        (("C", "B"), {"A": 100, "B": 40}),
        (("NEVER", "C"), {"A": 40, "B": 100}),
    ],
    ids=["none named", "one named, then by due date", "in the order named", "an unknown one is passed over"],
)
def test_payment_pays_what_it_names_then_by_due_date(numbers: tuple[str, ...], left: dict[str, int]) -> None:
    documents = [invoice("C", 100, due=30), invoice("B", 100, due=20), invoice("A", 100, due=10)]
    account = settle(documents, [paid("p", 160, 5, *numbers)])
    assert (open_of(account), account.outstanding_minor) == (left, 140)


def test_rest_of_a_payment_is_credit_beside_the_balance_and_stays_so_by_default() -> None:
    documents = [invoice("A", 100), invoice("B", 70, issued=10)]
    account = settle(documents, [paid("p", 150, 5, "A")])
    assert (open_of(account), account.unapplied_minor) == ({"B": 70}, 50)


def test_next_invoice_takes_credit_where_the_client_uses_it() -> None:
    documents = [invoice("A", 100), replace(invoice("B", 70, issued=10), takes_credit=True)]
    account = settle(documents, [paid("p", 150, 5, "A")])
    assert (open_of(account), account.unapplied_minor) == ({"B": 20}, 0)


def test_invoice_of_a_day_on_which_credit_was_not_used_stays_open_though_the_next_one_takes_it() -> None:
    later = replace(invoice("C", 30, issued=20), takes_credit=True)
    account = settle([invoice("A", 100), invoice("B", 70, issued=10), later], [paid("p", 150, 5, "A")])
    assert (open_of(account), account.unapplied_minor) == ({"B": 70}, 20)


def test_number_unknown_today_is_paid_when_it_is_issued() -> None:
    payment = paid("p", 70, 5, "B")
    assert settle([invoice("A", 100, issued=7)], [payment]).unapplied_minor == 70
    account = settle([invoice("A", 100, issued=7), invoice("B", 70, issued=10)], [payment])
    assert (open_of(account), account.unapplied_minor) == ({"A": 100}, 0)
    assert account.items["B"].settled_on == day(10)


def test_late_known_payment_counts_from_when_it_was_received() -> None:
    documents = [invoice("A", 100, due=10), invoice("B", 100, due=20)]
    early, late = paid("p1", 100, 3), paid("p2", 100, 4)
    assert settle(documents, [late, early]).allocations == settle(documents, [early, late]).allocations
    assert [(a.source, a.number) for a in settle(documents, [late, early]).allocations] == [("p1", "A"), ("p2", "B")]


def test_two_payments_of_one_instant_count_by_their_ids() -> None:
    documents = [invoice("A", 100)]
    account = settle(documents, [paid("b", 100, 3), paid("a", 100, 3)])
    assert [a.source for a in account.allocations] == ["a"]


# ---- returns, credit notes, write-offs ----


def test_refund_takes_the_unapplied_rest_first_then_the_newest_allocation() -> None:
    documents = [invoice("A", 100, due=10), invoice("B", 100, due=20)]
    payment = paid("p", 250, 5)
    assert settle(documents, [payment], [back("r", "p", 40, 8)]).unapplied_minor == 10
    account = settle(documents, [payment], [back("r", "p", 120, 8)])
    assert (open_of(account), account.unapplied_minor) == ({"B": 70}, 0)
    assert account.items["B"].settled_on is None
    assert open_of(settle(documents, [payment], [back("r", "p", 250, 8)])) == {"A": 100, "B": 100}


def test_more_cannot_go_back_than_came() -> None:
    account = settle([invoice("A", 100)], [paid("p", 100, 5)], [back("r1", "p", 80, 8), back("r2", "p", 80, 9)])
    assert (open_of(account), account.excess) == ({"A": 100}, {("return", "r2/p"): 60})
    assert settle([], [], [back("r", "never", 5, 8)]).excess == {("return", "r/never"): 5}


def test_return_dated_before_its_payment_follows_it() -> None:
    account = settle([invoice("A", 100)], [paid("p", 100, 5)], [back("r", "p", 100, 4)])
    assert open_of(account) == {"A": 100}


def test_credit_note_pays_what_it_corrects_and_nothing_else_unasked() -> None:
    documents = [invoice("A", 100), invoice("B", 100), credit_note("CN", 130, 5, "B")]
    account = settle(documents)
    assert (open_of(account), account.unapplied_minor) == ({"A": 100}, 30)
    account = settle([invoice("A", 100), invoice("B", 100), credit_note("CN", 120, 5, "A", "B")])
    assert open_of(account) == {"A": 40, "B": 40}, "each line pays the invoice it corrects"


@pytest.mark.parametrize(
    ("paid_minor", "credited", "given_up", "owed_to_client"),
    [(0, 100, 0, 0), (60, 100, 0, 60), (60, 30, 10, 0), (60, 40, 0, 0), (60, 50, 0, 10), (100, 100, 0, 100)],
)
@pytest.mark.parametrize("credit_first", [False, True])
def test_credit_takes_the_place_of_what_was_given_up_and_never_of_money(
    paid_minor: int, credited: int, given_up: int, owed_to_client: int, credit_first: bool
) -> None:
    """Of 100 nobody is owed more than was paid: what was given up is claimed again as far as it is taken back."""
    note = credit_note("CN", credited, 5 if credit_first else 25, "A")
    payments = [paid("p1", paid_minor, 2)] if paid_minor else []
    write_offs = [WrittenOff(number="A", amount_minor=100 - paid_minor, written_off_on=day(20))] if paid_minor < 100 else []
    account = settle([invoice("A", 100), note], payments, (), write_offs)
    item = account.items["A"]
    assert (item.written_off_minor, item.outstanding_minor, account.unapplied_minor) == (given_up, 0, owed_to_client)
    assert sum(one.amount_minor for one in account.movements) == account.outstanding_minor - account.unapplied_minor
    assert account.excess == ({("write_off", "A"): 100 - paid_minor - given_up} if write_offs else {})
    assert item.settled_on is not None


def test_credit_of_one_invoice_leaves_what_was_given_up_of_another() -> None:
    write_offs = [WrittenOff(number="B", amount_minor=100, written_off_on=day(3))]
    documents = [invoice("A", 100), invoice("B", 100), credit_note("CN", 100, 5, "A")]
    account = settle(documents, [paid("p", 100, 2, "A")], (), write_offs)
    assert (account.items["B"].written_off_minor, account.unapplied_minor) == (100, 100)


def test_write_off_takes_no_more_than_is_open_whatever_was_paid_before() -> None:
    given_up = [WrittenOff(number="A", amount_minor=100, written_off_on=day(20))]
    account = settle([invoice("A", 100)], [], (), given_up)
    assert (account.outstanding_minor, account.items["A"].status) == (0, "written_off")
    account = settle([invoice("A", 100)], [paid("p", 30, 5)], (), given_up)
    assert (account.items["A"].written_off_minor, account.excess) == (70, {("write_off", "A"): 30})


def test_invoice_of_nothing_is_settled_at_once() -> None:
    item = settle([invoice("A", 0)]).items["A"]
    assert (item.status, item.settled_on) == ("settled", day(1))


def test_account_as_of_a_day_knows_nothing_later() -> None:
    documents = [invoice("A", 100), invoice("B", 50, issued=10)]
    account = settle(documents, [paid("p", 120, 8)], [back("r", "p", 120, 12)], as_of=day(9))
    assert (account.outstanding_minor, account.unapplied_minor) == (0, 20)


@pytest.mark.parametrize(
    ("days", "bucket"),
    [(-5, "current"), (0, "current"), (1, "days_1_30"), (30, "days_1_30"), (31, "days_31_60"), (60, "days_31_60"),
     (61, "days_61_90"), (90, "days_61_90"), (91, "days_over_90"), (900, "days_over_90")],
)  # fmt: skip
def test_overdue_starts_the_day_after_the_due_date(days: int, bucket: str) -> None:
    assert age_of(MAY, MAY + timedelta(days=days)) == bucket
    account = settle([invoice("A", 100, issued=-30, due=1)])
    assert account.overdue_minor(MAY + timedelta(days=days)) == (100 if days > 0 else 0)


# ---- laws ----

numbers = st.sampled_from(["A", "B", "C", "D"])
amounts = st.integers(1, 300)
days = st.integers(1, 40)
histories = st.fixed_dictionaries(
    {
        "documents": st.lists(st.builds(invoice, numbers, st.integers(0, 300), days), unique_by=lambda one: one.number),
        "notes": st.lists(
            st.builds(credit_note, st.sampled_from(["X", "Y"]), amounts, days, numbers), unique_by=lambda one: one.number
        ),
        "payments": st.lists(
            st.builds(lambda i, a, d, n, h: paid(i, a, d, *n, hour=h), st.sampled_from("pqrst"), amounts, days,
                      st.lists(numbers, max_size=2), st.integers(0, 23)),
            unique_by=lambda one: one.payment_id,
        ),
        "returns": st.lists(
            st.builds(back, st.sampled_from(["r1", "r2", "r3"]), st.sampled_from("pqrst"), amounts, days),
            unique_by=lambda one: one.refund_id,
        ),
        "write_offs": st.lists(
            st.builds(lambda n, a, d: WrittenOff(number=n, amount_minor=a, written_off_on=day(d)), numbers, amounts, days),
            unique_by=lambda one: one.number,
        ),
        "credit_from": st.integers(0, 50),
    }
)  # fmt: skip


def told(history: dict[str, Any], seed: int = 0, as_of: date = date.max) -> Account:
    order = random.Random(seed)
    parts = {name: order.sample(found, len(found)) for name, found in history.items() if name != "credit_from"}
    documents = order.sample([*parts["documents"], *parts["notes"]], len(parts["documents"]) + len(parts["notes"]))
    documents = [replace(one, takes_credit=one.issued_on >= day(history["credit_from"])) for one in documents]
    return settle(documents, parts["payments"], parts["returns"], parts["write_offs"], as_of=as_of)


@settings(max_examples=150)
@given(histories, st.integers(1, 1_000), days)
def test_books_balance_on_every_day_and_in_any_order_of_arrival(history: dict[str, Any], seed: int, until: int) -> None:
    account = told(history, seed, day(until))
    assert account == told(history, 0, day(until))
    received = sum(one.amount_minor for one in account.sources.values())
    returned = sum(one.returned_minor for one in account.sources.values())
    applied = sum(item.applied_minor for item in account.items.values())
    assert account.unapplied_minor == received - applied - returned >= 0
    assert account.outstanding_minor == sum(account.ageing(day(until)).values())
    for number, item in account.items.items():
        assert 0 <= item.outstanding_minor <= item.document.total_minor
        assert item.applied_minor == sum(a.amount_minor for a in account.allocations if a.number == number)
        assert (item.settled_on is None) == (item.outstanding_minor > 0)
    for (_, name), source in account.sources.items():
        assert 0 <= source.unapplied_minor <= source.amount_minor
        own = sum(a.amount_minor for a in account.allocations if a.source == name)
        assert own == sum(source.allocated.values()) <= source.amount_minor


@settings(max_examples=60)
@given(histories)
def test_what_is_still_to_come_changes_no_earlier_day(history: dict[str, Any]) -> None:
    before = told(history, as_of=day(20))
    history["payments"].append(paid("later", 500, 21))
    assert told(history, as_of=day(20)) == before


def test_fifty_payments_at_once_pay_an_invoice_once() -> None:
    payments = [replace(paid(f"p{n:02}", 10, 3), received_at=datetime(2026, 5, 3, 12, tzinfo=UTC)) for n in range(50)]
    account = settle([invoice("A", 333)], payments)
    assert (account.outstanding_minor, account.unapplied_minor) == (0, 500 - 333)

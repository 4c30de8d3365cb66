"""Nothing that is said of money is lost: not a return for its id, not a payment for what another says of it."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from domain.receivables import return_name
from projections.payment_list import PaymentFilter, payment_rows, returns
from tests.oracle.story import Story
from tests.projections.office import Office
from tests.projections.test_receivables import event_id, office_with_invoices, pay, waiting

AT = datetime(2026, 5, 2, 12, tzinfo=UTC)


def back(office: Office, refund_id: str, payment_id: str, amount: int, **fields: Any) -> None:
    given = {"client_id": "acme", "at": datetime(2026, 5, 20, 12, tzinfo=UTC)} | fields
    about = {"payment_id": payment_id, "refund_id": refund_id, "amount_minor": amount}
    fact = Story().say("PaymentRefunded", **about, **given).said[-1]
    fact.fields["event_id"] = event_id(refund_id, payment_id, amount, given)
    office.take([fact])


def credits(office: Office) -> list[tuple[Any, ...]]:
    office.views.catch_up()
    return office.rows("SELECT client_id, source, applied_minor, returned_minor FROM credits ORDER BY 1, 2")


@pytest.mark.parametrize("first", ["p1", "p2"])
def test_two_payments_may_each_have_a_refund_of_one_id(office: Office, first: str) -> None:
    office_with_invoices(office)
    pay(office, "p1", 12_000, 2, month=5)
    pay(office, "p2", 12_000, 3, month=5)
    for payment_id in sorted(("p1", "p2"), reverse=first == "p2"):
        back(office, "r1", payment_id, 5_000 if payment_id == "p1" else 7_000)
        office.views.catch_up()
    assert credits(office) == [("acme", "p1", 7_000, 5_000), ("acme", "p2", 5_000, 7_000)]
    assert waiting(office) == []
    with office.views.reading() as cursor:
        assert [(one.payment_id, one.amount_minor) for one in returns(cursor, client_id="acme")] == [("p1", 5_000), ("p2", 7_000)]
    office.assert_settled()


def test_refunds_of_one_id_wait_each_for_itself(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 12_000, 2, month=5)
    back(office, "r1", "p1", 13_000)
    back(office, "r1", "never", 100)
    assert waiting(office) == [
        ("acme", "refund", "r1/never", "unmatched_payment"), ("acme", "refund", "r1/p1", "impossible_value"),
    ]  # fmt: skip
    with office.views.reading() as cursor:
        found = {one.payment_id: one.waiting for one in returns(cursor, waiting=True)}
    assert found == {"p1": "impossible_value", "never": "unmatched_payment"}
    pay(office, "never", 100, 4, month=5)
    assert waiting(office) == [("acme", "refund", "r1/p1", "impossible_value")]
    office.assert_settled()


def test_ids_with_slashes_are_told_apart(office: Office) -> None:
    office_with_invoices(office)
    said = [("a/b", "c"), ("a", "b/c"), ("a%2Fb", "c"), ("%", "/")]
    for refund_id, payment_id in said:
        back(office, refund_id, payment_id, 1)
    assert sorted(id_ for _, _, id_, _ in waiting(office)) == sorted(return_name(*one) for one in said)
    with office.views.reading() as cursor:
        assert sorted((one.refund_id, one.payment_id) for one in returns(cursor, waiting=True)) == sorted(said)


def test_refund_of_nobodys_money_counts_beside_the_clients_own_of_that_id(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 12_000, 2, month=5, client_id="?")
    pay(office, "p2", 12_000, 3, month=5)
    back(office, "r1", "p2", 1_000)
    back(office, "r1", "p1", 2_000, client_id="?")
    assert [row[2:] for row in waiting(office)] == [("p1", "unmatched_payment"), ("r1/p1", "unmatched_payment")]
    pay(office, "p1", 12_000, 2, month=5)
    assert credits(office) == [("acme", "p1", 10_000, 2_000), ("acme", "p2", 11_000, 1_000)]
    assert waiting(office) == []
    with office.views.reading() as cursor:
        assert {(one.client_id, one.payment_id) for one in returns(cursor)} == {("acme", "p1"), ("acme", "p2")}
        assert [one.amount_minor for one in returns(cursor, client_id="acme", payment_id="p1")] == [2_000]
        assert returns(cursor, client_id="?") == []
    office.assert_settled()


NOBODYS, MATCHED = {"client_id": "?", "at": AT}, {"at": AT + timedelta(hours=1)}
IMPOSSIBLE = {
    "of another, from tomorrow week": {"client_id": "buildco", "at": AT - timedelta(days=7)},
    "of another, all of it surcharge and more": {"client_id": "buildco", "at": AT - timedelta(hours=1), "surcharge_minor": 5_001},
    "of the same, without an amount": {"at": AT - timedelta(hours=1), "amount": 0},
    "of the same, in no currency": {"at": AT - timedelta(hours=1), "currency": "???"},
    "of nobody, without an amount": {"client_id": "?", "at": AT - timedelta(hours=1), "amount": 0},
}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_statement_that_cannot_be_takes_a_matched_payment_from_nobody(office: Office, what: str, order: tuple[int, ...]) -> None:
    office_with_invoices(office)
    said = [NOBODYS, MATCHED, IMPOSSIBLE[what]]
    for number in order:
        pay(office, "p1", **{"amount": 5_000, "day": 2, "month": 5} | said[number])
        office.views.catch_up()
    assert credits(office) == [("acme", "p1", 5_000, 0)]
    of_another = [("buildco", "payment", "p1", "impossible_value")]
    assert waiting(office) == (of_another if "another" in what else [])
    office.assert_settled()


def test_claim_that_cannot_be_leaves_the_payment_in_the_inbox(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 5_000, 2, month=5, client_id="?")
    pay(office, "p1", 5_000, 2, month=5, surcharge_minor=6_000)
    assert waiting(office) == [("?", "payment", "p1", "unmatched_payment"), ("acme", "payment", "p1", "impossible_value")]
    with office.views.reading() as cursor:
        found = payment_rows(cursor, PaymentFilter(waiting=True))
    assert {one.client_id: one.waiting for one in found} == {"?": "unmatched_payment", "acme": "impossible_value"}

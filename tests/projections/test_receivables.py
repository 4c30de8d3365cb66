"""What was paid, what it pays, and what is still open, from the facts on the log to the balances of any day."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from projections import documents
from projections.balances import balances
from runs.generate import generate
from runs.open_day import open_day
from tests.oracle.story import NOON, Story, recurring
from tests.projections.office import Office

APRIL, MAY = date(2026, 4, 30), date(2026, 5, 31)


def event_id(*parts: Any) -> str:
    return str(uuid5(NAMESPACE_URL, repr(parts)))


def agreed(price: str, **fields: Any) -> Story:
    """A monthly fee in arrears from 1 March."""
    march = date(2026, 3, 1)
    return Story().contract(recurring(price, timing="arrears"), effective_from=march, starts_on=march, **fields)


def office_with_invoices(office: Office) -> Office:
    """Acme has INV-000001 of 120.00 and, since 30 April, INV-000002 of 120.00; due in 30 days."""
    office.take(agreed("100").said)
    for day in (date(2026, 3, 31), APRIL):
        open_day(office.book, day, NOON)
        office.views.catch_up()
        generate(office.views, day, NOON)
    return office


def pay(office: Office, payment_id: str, amount: int, day: int, *numbers: str, month: int = 4, **fields: Any) -> None:
    at = datetime(2026, month, day, 12, tzinfo=UTC)
    story = Story()
    given = {"client_id": "acme", "currency": "GBP", "method": "bank", "provider": None, "provider_ref": None, "at": at} | fields
    fact = story.say(
        "PaymentReceived", payment_id=payment_id, amount_minor=amount, received_at=at, invoice_numbers=list(numbers), **given
    ).said[-1]
    fact.fields["event_id"] = event_id(payment_id, amount, given)
    office.take([fact])


def returned(office: Office, refund_id: str, payment_id: str, amount: int, record: str = "PaymentRefunded") -> None:
    about = {"client_id": "acme", "payment_id": payment_id, "refund_id": refund_id, "amount_minor": amount}
    fact = Story().say(record, **about, at=datetime(2026, 5, 20, 12, tzinfo=UTC)).said[-1]
    fact.fields["event_id"] = event_id(refund_id)
    office.take([fact])


def standing(office: Office) -> list[tuple[str, str, int]]:
    office.views.catch_up()
    with office.views.reading() as cursor:
        return [(one["number"], one["status"], one["outstanding_minor"]) for one in documents.invoices(cursor)]


def owed(office: Office, as_of: date) -> list[tuple[int, int, int, int]]:
    """(outstanding, overdue, 1-30 days, unapplied) of each account."""
    office.views.catch_up()
    with office.views.reading() as cursor:
        found = balances(cursor, as_of)
    return [(one.outstanding_minor, one.overdue_minor, one.days_1_30_minor, one.unapplied_minor) for one in found]


def waiting(office: Office) -> list[tuple[str, str, str, str]]:
    office.views.catch_up()
    return office.rows("SELECT client_id, what, id, reason FROM waiting ORDER BY 1, 2, 3")  # type: ignore[return-value]


def test_payment_settles_invoices_and_its_rest_is_credit(office: Office) -> None:
    office_with_invoices(office)
    assert standing(office) == [("INV-000001", "open", 12_000), ("INV-000002", "open", 12_000)]
    pay(office, "p1", 15_000, 2, month=5)
    assert standing(office) == [("INV-000001", "settled", 0), ("INV-000002", "partly_paid", 9_000)]
    pay(office, "p2", 10_000, 3, month=5)
    assert owed(office, date(2026, 5, 3)) == [(0, 0, 0, 1_000)]
    office.assert_settled()


def test_balance_is_that_of_any_day(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 12_000, 10, month=5)
    assert owed(office, date(2026, 3, 30)) == []
    assert owed(office, date(2026, 3, 31)) == [(12_000, 0, 0, 0)]
    assert owed(office, date(2026, 4, 30)) == [(24_000, 0, 0, 0)], "due on 30 April: not overdue yet"
    assert owed(office, date(2026, 5, 1)) == [(24_000, 12_000, 12_000, 0)]
    assert owed(office, date(2026, 5, 10)) == [(12_000, 0, 0, 0)]


def test_the_same_payment_said_twice_counts_once_and_the_earlier_statement_stands(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 5_000, 2, month=5, at=datetime(2026, 5, 2, 14, tzinfo=UTC))
    pay(office, "p1", 7_000, 2, month=5, at=datetime(2026, 5, 2, 13, tzinfo=UTC))
    assert owed(office, date(2026, 5, 2)) == [(17_000, 5_000, 5_000, 0)]
    office.assert_settled()


def test_surcharge_pays_no_invoice(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 12_240, 2, "INV-000001", month=5, surcharge_minor=240, fee_minor=100, method="card")
    assert standing(office)[0] == ("INV-000001", "settled", 0)
    assert owed(office, date(2026, 5, 2)) == [(12_000, 0, 0, 0)]


def test_refund_and_chargeback_open_what_was_settled(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 24_000, 2, month=5)
    assert [status for _, status, _ in standing(office)] == ["settled", "settled"]
    returned(office, "r1", "p1", 2_000)
    assert standing(office)[1] == ("INV-000002", "partly_paid", 2_000)
    returned(office, "r2", "p1", 30_000, "PaymentChargedBack")
    assert [owed for *_, owed in standing(office)] == [12_000, 12_000]
    assert waiting(office) == [("acme", "refund", "r2/p1", "impossible_value")]
    office.assert_settled()


def test_payment_of_nobody_waits_until_somebody_says_whose_it_is(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 12_000, 2, "INV-000001", month=5, client_id="?")
    assert waiting(office) == [("?", "payment", "p1", "unmatched_payment")]
    assert owed(office, date(2026, 5, 2)) == [(24_000, 12_000, 12_000, 0)]
    pay(office, "p1", 12_000, 2, "INV-000001", month=5)
    assert waiting(office) == []
    assert owed(office, date(2026, 5, 2)) == [(12_000, 0, 0, 0)]
    office.assert_settled()


def test_refund_in_another_currency_and_money_of_tomorrow_wait(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 12_000, 2, "INV-000001", month=5)
    (refund,) = Story().say(
        "PaymentRefunded", client_id="acme", payment_id="p1", refund_id="r1", amount_minor=5_000, currency="JPY",
        at=datetime(2026, 5, 20, tzinfo=UTC),
    ).said[-1:]  # fmt: skip
    refund.fields["event_id"] = event_id("yen")
    office.take([refund])
    pay(office, "p2", 12_000, 2, month=9, at=datetime(2026, 5, 20, tzinfo=UTC))
    assert waiting(office) == [
        ("acme", "payment", "p2", "impossible_value"), ("acme", "refund", "r1/p1", "wrong_currency"),
    ]  # fmt: skip
    assert owed(office, MAY) == [(12_000, 12_000, 12_000, 0)]


def test_payment_of_nobody_is_not_taken_for_another_of_the_same_id(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 9_900, 2, month=5, client_id="?")
    pay(office, "p1", 1, 2, month=5, currency="USD")
    assert ("?", "payment", "p1", "unmatched_payment") in waiting(office)


def test_payment_in_another_currency_than_its_invoice_waits_as_credit(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 12_000, 2, "INV-000001", month=5, currency="EUR")
    assert waiting(office) == [("acme", "payment", "p1", "wrong_currency")]
    assert owed(office, date(2026, 5, 2)) == [(0, 0, 0, 12_000), (24_000, 12_000, 12_000, 0)]


def test_number_not_issued_yet_is_paid_when_it_is(office: Office) -> None:
    office.take(agreed("100").said)
    pay(office, "p1", 12_000, 1, "INV-000001", month=3)
    assert owed(office, date(2026, 3, 1)) == [(0, 0, 0, 12_000)]
    open_day(office.book, date(2026, 3, 31), NOON)
    office.views.catch_up()
    generate(office.views, date(2026, 3, 31), NOON)
    assert standing(office) == [("INV-000001", "settled", 0)]


def test_credit_note_pays_what_it_corrects(office: Office) -> None:
    office_with_invoices(office)
    (change,) = agreed("60", revision=2, at=NOON.replace(day=9)).said[-1:]
    change.fields["event_id"] = event_id("change")
    office.take([change])
    office.views.catch_up()
    generate(office.views, APRIL, NOON)
    found = standing(office)
    assert found[-1][0].startswith("CN-"), found
    assert found == [("INV-000001", "partly_paid", 7_200), ("INV-000002", "partly_paid", 7_200), (found[-1][0], "settled", 0)]


def test_reporting_balances_are_those_of_the_open_day(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 15_000, 2)
    open_day(office.book, date(2026, 5, 31), NOON)
    office.views.catch_up()
    with office.book.database.owner() as connection:
        row = connection.execute("SELECT * FROM reporting.balances").fetchone()
        aged = connection.execute("SELECT number, outstanding_minor, days_overdue FROM reporting.ageing").fetchall()
        paid = connection.execute("SELECT payment_id, applied_minor, unapplied_minor FROM reporting.payments").fetchall()
    with office.views.reading() as cursor:
        (one,) = balances(cursor, date(2026, 5, 31))
    assert row == (
        one.client_id, one.currency, one.outstanding_minor, one.overdue_minor, one.unapplied_minor, one.current_minor,
        one.days_1_30_minor, one.days_31_60_minor, one.days_61_90_minor, one.days_over_90_minor,
    )  # fmt: skip
    assert (aged, paid) == ([("INV-000002", 12_000, 1)], [("p1", 12_000, 3_000)])


def test_payment_in_order_leaves_old_rows_as_they_are(office: Office) -> None:
    office_with_invoices(office)
    pay(office, "p1", 12_000, 2, "INV-000001", month=5)
    office.views.catch_up()
    old = (
        "SELECT 'item', xmin::text, ctid::text FROM open_items WHERE number = 'INV-000001'"
        " UNION ALL SELECT 'allocation', xmin::text, ctid::text FROM allocations WHERE source = 'p1'"
    )
    before = sorted(office.rows(old))
    pay(office, "p2", 5_000, 3, month=5)
    assert standing(office)[1] == ("INV-000002", "partly_paid", 7_000)
    assert sorted(office.rows(old)) == before != []
    pay(office, "p0", 100, 1, month=5)
    office.views.catch_up()
    assert sorted(office.rows(old)) != before, "what is back-dated settles the client anew"

"""What pauses a client's reminders, and for how long: nobody is parked for ever by one odd line."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from projections import reminders
from tests.runs.reminding import client, ids, invoiced, policy, tick
from tests.runs.shop import Shop
from tests.saying import Row, said

JUNE = date(2026, 6, 15)
LAST = "due/INV-000001/+14/2026-05-31"


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


def paid(payment_id: str, amount_minor: int, *numbers: str, client_id: str = "acme", **more: Any) -> Row:
    """Money of a client, or of nobody known."""
    when = more.pop("at", at(6, 1))
    fields = {
        "payment_id": payment_id, "amount_minor": amount_minor, "currency": "GBP", "received_at": when, "method": "bank",
        "invoice_numbers": list(numbers), **more,
    }  # fmt: skip
    return said("PaymentReceived", client_id=client_id, at=when, **fields)


def back(record: str, refund_id: str, payment_id: str, amount_minor: int, when: datetime, **more: Any) -> Row:
    """Money that went back."""
    fields = {"refund_id": refund_id, "payment_id": payment_id, "amount_minor": amount_minor, "currency": "GBP", **more}
    return said(record, **{"client_id": "acme", **fields}, at=when)


@pytest.fixture
def owed(shop: Shop) -> Shop:
    """A client who owes 180.00 since 31 May, and is reminded after a day, a week and two."""
    shop.tell(client("acme", revision=2), policy(new_invoice=False, due_offsets_days=[1, 7, 14]))
    invoiced(shop, ["acme"])
    shop.open(JUNE)
    return shop


def reminded(shop: Shop, day: date = JUNE) -> tuple[list[str], list[str | None]]:
    """What is claimed on a day, and why other reminders are not."""
    outcome = tick(shop, day)
    return ids(outcome), sorted(one.why_not or "" for one in outcome.left if one.kind == "due_reminder")


# ---- payments that wait


@pytest.mark.parametrize(
    "payment",
    [
        paid("p0", 0),
        paid("p0", -5, "INV-000001"),
        paid("p0", 18000, currency="???"),
        paid("p0", -5, "INV-000001", client_id="?"),
        paid("p0", 18000, "INV-000001", client_id="?", currency="???"),
    ],
    ids=["nothing", "less than nothing", "no currency", "nobody's of less than nothing", "nobody's in no currency"],
)
def test_payment_that_can_never_be_one_parks_nobody(owed: Shop, payment: Row) -> None:
    owed.tell(payment)
    assert "p0" in owed.waiting()
    assert reminded(owed) == ([LAST], [])


def test_payment_that_may_yet_be_one_pauses(owed: Shop) -> None:
    owed.tell(paid("pe", 18000, "INV-000001", currency="EUR"))
    assert reminded(owed) == ([], ["payment_pending"])
    owed.tell(back("PaymentRefunded", "r1", "pe", 17000, at(6, 2), currency="EUR"))
    assert reminded(owed) == ([], ["payment_pending"]), "some of it is still here"
    owed.tell(back("PaymentRefunded", "r2", "pe", 1000, at(6, 3), currency="EUR"))
    assert reminded(owed) == ([LAST], []), "all of it went back"


def test_payment_of_nobody_pauses_what_it_names_until_it_went_back(owed: Shop) -> None:
    owed.tell(paid("px", 18000, "INV-000001", client_id="?"))
    assert reminded(owed) == ([], ["payment_pending"])
    owed.tell(back("PaymentRefunded", "r1", "px", 99999, at(6, 2), client_id="?"))
    assert reminded(owed) == ([], ["payment_pending"]), "nobody gives back more than there was"
    owed.tell(back("PaymentRefunded", "r2", "px", 18000, at(6, 2), client_id="?"))
    assert reminded(owed) == ([LAST], [])


# ---- chargebacks


def test_invoice_whose_money_was_charged_back_is_not_asked_for(owed: Shop) -> None:
    owed.tell(paid("p1", 18000), back("PaymentChargedBack", "c1", "p1", 18000, at(6, 3)))
    assert reminded(owed) == ([], ["charged_back"])


def test_chargeback_told_of_nobody_pauses_too(owed: Shop) -> None:
    owed.tell(paid("p1", 18000), back("PaymentChargedBack", "c1", "p1", 18000, at(6, 3), client_id="?"))
    assert reminded(owed) == ([], ["charged_back"])


def test_refunded_invoice_is_asked_for_though_another_part_of_its_payment_was_charged_back(shop: Shop) -> None:
    shop.tell(client("acme", revision=2), policy(new_invoice=False, due_offsets_days=[1, 7, 14]))
    invoiced(shop, ["acme"])
    invoiced(shop, ["acme"], date(2026, 6, 1))
    shop.tell(
        paid("p1", 36000),
        back("PaymentRefunded", "r1", "p1", 18000, at(6, 3)),
        back("PaymentChargedBack", "c1", "p1", 5000, at(6, 4)),
    )
    shop.open(JUNE)
    assert reminded(shop) == (["due/INV-000002/+14/2026-06-01"], ["charged_back"])


def test_invoice_that_is_partly_paid_anew_is_asked_for_again(owed: Shop) -> None:
    owed.tell(paid("p1", 18000), back("PaymentChargedBack", "c1", "p1", 18000, at(6, 3)))
    assert reminded(owed) == ([], ["charged_back"])
    owed.tell(paid("p2", 9000, at=at(6, 5)))
    assert reminded(owed) == ([LAST], [])


# ---- the client's own day


def test_zone_that_is_still_to_come_makes_nobody_late(owed: Shop) -> None:
    at_noon = datetime(2026, 6, 14, 12, 30, tzinfo=UTC)

    def day() -> date:
        with owed.app.views.reading() as cursor:
            return reminders.local_days(cursor, ["acme"], at_noon)["acme"]

    assert day() == date(2026, 6, 14)
    auckland = client("acme", revision=3, time_zone="Pacific/Auckland", effective_from="2027-01-01")
    owed.tell(auckland)
    owed.app.views.catch_up()
    assert day() == date(2026, 6, 14), "it is not in force yet"
    assert tick(owed, date(2026, 6, 14), at_noon, by_their_clocks=True).claimed[0].day == date(2026, 6, 14)
    owed.tell(client("acme", revision=4, time_zone="Pacific/Auckland", effective_from="2026-06-01"))
    owed.app.views.catch_up()
    assert day() == date(2026, 6, 15), "now it is: there it is past midnight"


# ---- the policy


def test_editing_another_field_loses_no_missed_statement(shop: Shop) -> None:
    monthly = {"day_of_month": 1, "weekday": None}
    shop.tell(client("acme", revision=2), policy(new_invoice=False, statement=monthly, at=at(5, 1)))
    invoiced(shop, ["acme"])
    shop.open(date(2026, 6, 2))
    shop.tell(policy(revision=2, new_invoice=False, statement=monthly, minimum_balance_minor=1, at=at(6, 2)))
    assert ids(tick(shop, date(2026, 6, 2))) == ["statement/GBP/2026-06-01"]

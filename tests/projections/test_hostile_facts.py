"""One fact that cannot be stops nobody: the views go on for everybody else, live as rebuilt."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from projections.invoice_list import invoice_rows
from runs.generate import generate
from runs.open_day import open_day
from tests.oracle.story import NOON, Story, recurring
from tests.projections.office import Office

MAY = date(2026, 5, 31)
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
COUNT: dict[str, Any] = {"client_id": "acme", "product": "ws", "system": "rmm", "quantity": 4, "revision": 1}
PAYMENT: dict[str, Any] = {
    "client_id": "acme", "payment_id": "p1", "amount_minor": 100, "currency": "GBP", "received_at": NOON, "method": "bank",
}  # fmt: skip
RETURN: dict[str, Any] = {"client_id": "acme", "payment_id": "p1", "refund_id": "r1", "amount_minor": 5}
HOSTILE: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "a count in the year 1": [("SeatCountReported", COUNT | {"as_of": FIRST})],
    "a count at the end of time": [("SeatCountReported", COUNT | {"as_of": LAST})],
    "counts that share a name": [
        ("SeatCountReported", COUNT | {"as_of": NOON, "product": "a/b", "system": "c", "quantity": -1}),
        ("SeatCountReported", COUNT | {"as_of": NOON, "product": "a", "system": "b/c"}),
    ],
    "seats without end": [("SeatCountReported", COUNT | {"as_of": NOON, "quantity": 2**63 - 1, "revision": -(2**63)})],
    "a payment in the year 1": [("PaymentReceived", PAYMENT | {"received_at": FIRST})],
    "a payment of all the money": [("PaymentReceived", PAYMENT | {"amount_minor": 2**63 - 1, "surcharge_minor": -(2**63)})],
    "a payment in no currency": [("PaymentReceived", PAYMENT | {"currency": "XXQ"})],
    "a refund at the end of time": [("PaymentReceived", PAYMENT), ("PaymentRefunded", RETURN | {"at": LAST})],
    "a refund below zero": [("PaymentReceived", PAYMENT), ("PaymentRefunded", RETURN | {"amount_minor": -(2**63)})],
    "a client said at the end of time": [
        ("ClientDefined", {"client_id": "acme", "name": "a", "currency": "GBP", "time_zone": "Pacific/Apia", "at": LAST}),
    ],
    "a revision beyond 32 bits": [
        ("ClientDefined", {"client_id": "acme", "name": "a", "currency": "GBP", "time_zone": "UTC", "revision": 2**62}),
    ],
}


@pytest.mark.parametrize("facts", HOSTILE.values(), ids=HOSTILE)
def test_hostile_fact_stops_nobody(office: Office, facts: list[tuple[str, dict[str, Any]]]) -> None:
    story = Story().contract(recurring("50", timing="arrears"), {"type": "SeatLine", "line_id": "S", **AGREED})
    story.client("other").contract(recurring("70", timing="arrears"), client_id="other")
    for record, fields in facts:
        story.say(record, **fields)
    open_day(office.book, MAY, NOON)
    for said in story.said:
        office.take([said])
        office.views.catch_up()
    assert "other" in {one.client_id for one in generate(office.views, MAY, NOON).documents}
    office.assert_settled()
    with office.views.reading() as cursor:
        assert invoice_rows(cursor)


AGREED: dict[str, Any] = {"product": "ws", "systems": ["rmm"], "unit_price": Decimal(1), "timing": "arrears"}

"""Facts with a canary in every field that people write in, and messages that cannot be read with canaries inside."""

from datetime import date
from decimal import Decimal

from tests.oracle.generator import Message
from tests.oracle.story import Story

CANARIES = (
    "CANARY-note", "CANARY-amendment", "CANARY-withdrawal", "CANARY-rejection", "CANARY-address", "CANARY-city",
    "CANARY-postcode", "CANARY@mail.example", "CANARY-peppol", "CANARY-failure", "CANARY-refund", "CANARY-chargeback",
    "CANARY-charge", "CANARY-hold", "CANARY-adjustment", "CANARY-release",
)  # fmt: skip
PAYMENT = {"client_id": "acme", "payment_id": "p1"}
CHARGE = {
    "client_id": "acme", "charge_id": "c1", "description": "switch", "charged_on": date(2026, 5, 4), "quantity": Decimal(1),
    "unit": "each", "unit_price": Decimal(9), "currency": "GBP", "account": "300",
}  # fmt: skip


def told(story: Story) -> Story:
    """The facts."""
    story.client(
        "acme", revision=2, address=["CANARY-address 1", "Leeds"], city="CANARY-city", postcode="CANARY-postcode",
        billing_emails=["CANARY@mail.example"], electronic_address="CANARY-peppol",
    )  # fmt: skip
    story.entry("e1", 50, note="CANARY-note").entry("e2", 20, note="CANARY-note 2")
    story.entry("e2", 30, revision=2, note="CANARY-note 3", reason="CANARY-amendment")
    story.entry("e3", 30, approve=False, note="CANARY-note 4").decide("Rejected", "e3", reason="CANARY-rejection")
    about = {"client_id": "acme", "time_entry_id": "e4", "revision": 2}
    story.entry("e4", 10).say("TimeEntryWithdrawn", **about, reason="CANARY-withdrawal")
    story.say("ChargeLogged", revision=1, **CHARGE).say("ChargeAmended", revision=2, **CHARGE, reason="CANARY-charge")
    charge = {"client_id": "acme", "charge_id": "c1", "revision": 2}
    story.say("ChargeRejected", **charge, approver_id="boss", reason="CANARY-charge 2")
    story.say("ChargeWithdrawn", **(charge | {"revision": 3}), reason="CANARY-charge 3")
    story.say("PaymentFailed", **PAYMENT, invoice_numbers=[], reason="CANARY-failure")
    given_back = {**PAYMENT, "amount_minor": 1, "currency": "GBP", "at": story.said[-1].at}
    story.say("PaymentRefunded", **given_back, refund_id="r1", reason="CANARY-refund")
    return story.say("PaymentChargedBack", **given_back, refund_id="r2", reason="CANARY-chargeback")


def poisoned() -> list[Message]:
    """Messages that become dead letters, most of them for a fault in or beside the canary."""
    topic, key, value = Story().entry("poison", 10, approve=False, note="CANARY-dead").said[-1].message()
    conflict = Story().entry("e1", 50).said
    _, _, other = told(Story()).entry("e9", 1, note="CANARY-conflict").said[-2].message()
    at = value.index(b"CANARY-dead")
    return [
        (topic, key, value[:-3]),
        (topic, key, value + b"CANARY-trailing"),
        (topic, b"another-client", value),
        (topic, key, value[:at] + b"\xff\xfe" + value[at + 2 :]),
        (topic, key, value[:at] + b"CANARY\x00dead" + value[at + 11 :]),
        (topic, key, b'{"note": "CANARY-json"}'),
        (topic, key, value[: at - 1] + b"\xfe" + value[at:]),
        (topic, None, b"\x00\x00\x00\xff\xffCANARY-unknown"),
        ("daybook.charges", key, value),
        (topic, key, other[:5] + other[6:]),
        conflict[-1].message(),
    ]

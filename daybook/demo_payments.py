"""What the bank and the card service told the demo MSP: money on time, late, in part, too much, misplaced, taken back.

Invoices are named by the numbers that the story gives them; `tests/demo/test_demo_story.py` holds the two together.
"""

from datetime import UTC, date, datetime, time
from typing import Any, Final, Literal

from daybook.demo_catalogue import Fact, envelope

Method = Literal["bank", "card", "direct_debit"]

UNKNOWN_PAYER: Final = "?"
_CARD_SERVICE: Final = "cardpay"
_BANKED_AT: Final = time(9, 15)


def payments() -> list[Fact]:
    """Everything about money, by client; each was known on the day it happened."""
    return [
        *_in_full(),
        *_not_as_invoiced(),
        *_taken_back(),
        *_nobody_can_place(),
    ]


def _in_full() -> list[Fact]:
    """Paid as invoiced: on time, late, by card with the surcharge that the client was shown."""
    return [
        _received("acme", date(2026, 4, 10), 765_00, "INV-000001"),
        _received("acme", date(2026, 5, 13), 548_10, "INV-000016", method="card", surcharge=8_10, fee=7_95),
        _received("buildco", date(2026, 4, 28), 3_720_00, "INV-000002", method="direct_debit", fee=2_00),
        _received("buildco", date(2026, 5, 28), 3_720_00, "INV-000017", method="direct_debit", fee=2_00),
        _received("coldridge", date(2026, 5, 27), 2_421_00, "INV-000018"),
        _received("fenwick", date(2026, 5, 12), 1_692_00, "INV-000005"),
        _received("hollin-bank", date(2026, 4, 13), 1_143_00, "INV-000006", method="direct_debit", fee=2_00),
        _received("hollin-bank", date(2026, 5, 14), 1_147_50, "INV-000021", method="direct_debit", fee=2_00),
        _received("liffey", date(2026, 5, 28), 400_00, "INV-000022", currency="EUR"),
        _received("northmoor", date(2026, 5, 26), 1_728_00, "INV-000008"),
        _received("sable-stone", date(2026, 4, 7), 315_00, "INV-000010"),
        _received("swilly-bay", date(2026, 4, 21), 982_50, "INV-000011"),
        _received("thornfield", date(2026, 4, 30), 4_284_00, "INV-000013"),
    ]


def _not_as_invoiced() -> list[Fact]:
    """Two part payments; fifty pence kept by Tarn's bank; and Yarrow pays 54.00 too much, then takes it off by itself."""
    return [
        _received("wexcombe", date(2026, 5, 8), 800_00, "INV-000014"),
        _received("thornfield", date(2026, 5, 29), 3_000_00, "INV-000027"),
        _received("tarn", date(2026, 5, 27), 5_335_00, "INV-000012", "INV-000026"),
        _received("yarrow", date(2026, 4, 24), 1_782_00, "INV-000015"),
        _received("yarrow", date(2026, 5, 22), 1_746_00, "INV-000029"),
    ]


def _taken_back() -> list[Fact]:
    """Coldridge paid by card twice and got one back; Peakline's bank took its money back; Fenwick's debit did not go through."""
    return [
        _received("coldridge", date(2026, 4, 29), 2_910_00, "INV-000003", method="card", fee=42_20),
        _received("coldridge", date(2026, 4, 29), 2_910_00, "INV-000003", method="card", fee=42_20, again=True),
        _returned("PaymentRefunded", "coldridge", date(2026, 5, 5), 2_910_00, "PAY-coldridge-0429-again", "paid twice"),
        _received("peakline", date(2026, 4, 13), 444_00, "INV-000009", method="card", fee=6_46),
        _returned(
            "PaymentChargedBack",
            "peakline",
            date(2026, 5, 19),
            444_00,
            "PAY-peakline-0413",
            "the cardholder does not recognise it",
            fee=15_00,
        ),
        _failed("fenwick", date(2026, 5, 29), "INV-000020", "insufficient funds"),
    ]


def _nobody_can_place() -> list[Fact]:
    """Pounds for an invoice in euros, and a credit on the bank statement that names nobody."""
    return [
        _received("liffey", date(2026, 4, 27), 312_40, "INV-000007"),
        _received(UNKNOWN_PAYER, date(2026, 5, 6), 432_00),
    ]


def _received(
    client_id: str,
    day: date,
    amount_minor: int,
    *numbers: str,
    currency: str = "GBP",
    method: Method = "bank",
    surcharge: int = 0,
    fee: int = 0,
    again: bool = False,
) -> Fact:
    payer = "unknown" if client_id == UNKNOWN_PAYER else client_id
    payment_id = f"PAY-{payer}-{day:%m%d}{'-again' if again else ''}"
    own = {
        "amount_minor": amount_minor,
        "currency": currency,
        "received_at": datetime.combine(day, _BANKED_AT, UTC),
        "method": method,
        "invoice_numbers": list(numbers),
        "surcharge_minor": surcharge,
        "fee_minor": fee,
        "provider": _CARD_SERVICE if method == "card" else None,
        "provider_ref": f"cp_{payment_id}" if method == "card" else None,
    }
    return _fact("PaymentReceived", client_id, day, payment_id, **own)


def _returned(record: str, client_id: str, day: date, amount_minor: int, payment_id: str, reason: str, *, fee: int = 0) -> Fact:
    own = {
        "refund_id": f"RET-{client_id}-{day:%m%d}",
        "amount_minor": amount_minor,
        "currency": "GBP",
        "at": datetime.combine(day, _BANKED_AT, UTC),
        "fee_minor": fee,
        "reason": reason,
    }
    return _fact(record, client_id, day, payment_id, **own)


def _failed(client_id: str, day: date, number: str, reason: str) -> Fact:
    return _fact("PaymentFailed", client_id, day, f"PAY-{client_id}-{day:%m%d}", invoice_numbers=[number], reason=reason)


def _fact(record: str, client_id: str, day: date, payment_id: str, **own: Any) -> Fact:
    source = _CARD_SERVICE if own.get("method") == "card" else "bank"
    head = envelope(source, datetime.combine(day, _BANKED_AT, UTC), record, client_id, payment_id)
    return "daybook.payments", record, {**head, "client_id": client_id, "payment_id": payment_id, **own}

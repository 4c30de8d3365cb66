"""How documents and payments stand, in words: their states, why money waits, and what settles it."""

from typing import Final

from daybook.web.pages_words import Reason

DOCUMENT_STATUSES: Final = {
    "open": "Open", "partly_paid": "Partly settled", "settled": "Settled", "written_off": "Written off", "voided": "Voided",
}  # fmt: skip
"""How documents stand."""

PAYMENT_REASONS: Final[dict[str, Reason]] = {
    "unmatched_payment": Reason("Unknown payer", "Say whose it is: it counts for that client from then on."),
    "unknown_client": Reason("Unknown client", "Send the client's record; the payment counts by itself then."),
    "wrong_currency": Reason(
        "Other currency than the invoice it names", "It is credit in its own currency: refund it, or have it paid anew."
    ),
    "impossible_value": Reason("Impossible value", "It is not counted. Have it sent again under another id, with right values."),
    "unknown_value": Reason("Unknown currency", "It is not counted. Have it sent again under another id, with a known currency."),
    "client_changed": Reason(
        "Matched to two clients", "The client to whom it was matched first has it; here nothing of it counts."
    ),
}
REFUND_REASONS: Final[dict[str, Reason]] = {
    "unmatched_payment": Reason("Refund of an unknown payment", "It is tried again when that payment is known."),
    "wrong_currency": Reason(
        "Other currency than its payment", "It is not counted. Have it sent again in the payment's currency."
    ),
    "impossible_value": Reason("More than was paid", "Only what the payment had left is counted."),
}
"""Why money waits, in the payments inbox, and what settles it."""

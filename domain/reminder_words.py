"""Why a client is not told something, in words and with what somebody can do about it (product C14)."""

from typing import Final

NEW_FOR_DAYS: Final = 14
"""A document is new for so many days, its issue date the first: an installation that switches on does not mail years."""

NO_ADDRESS: Final = "no_address"
OPTED_OUT: Final = "opted_out"
SWITCHED_OFF: Final = "switched_off"
BELOW_MINIMUM: Final = "below_minimum"
PAID: Final = "paid"
PAYMENT_PENDING: Final = "payment_pending"
CHARGED_BACK: Final = "charged_back"
MISSED: Final = "missed"
UNKNOWN: Final = "unknown"
OVERTAKEN: Final = "overtaken"
VOIDED: Final = "voided"
POLICY_CHANGED: Final = "policy_changed"
NOTHING_TO_SAY: Final = "nothing_to_say"
REASONS: Final = {
    NO_ADDRESS: "the client has no e-mail address for bills",
    OPTED_OUT: "the client has opted out",
    SWITCHED_OFF: "notices of new documents are switched off",
    BELOW_MINIMUM: "what is to be paid is below the minimum",
    PAID: "nothing is left to pay",
    PAYMENT_PENDING: "a payment waits for somebody to look at it",
    CHARGED_BACK: "a payment of it was charged back",
    OVERTAKEN: "a later one is due, or was sent, or its time is over",
    VOIDED: "the document was taken back",
    MISSED: f"it was not sent within {NEW_FOR_DAYS} days",
    UNKNOWN: "nobody knows whether the client has it, and it is not sent again by itself",
    POLICY_CHANGED: "the policy does not ask for it any more",
    NOTHING_TO_SAY: "nothing is open and nothing has happened since the last one",
}
"""Why something is not sent."""
WHAT_TO_DO: Final = {
    NO_ADDRESS: "give the client an address for bills (billing_emails)",
    PAYMENT_PENDING: "look at it under Payments: say whose it is, or refund one in another currency",
    MISSED: "send it with `daybook remind --missed`, or its PDF by hand",
    UNKNOWN: "ask the client, and send it once more with `daybook remind --missed` where it did not come",
}
"""What somebody can do about it, where only a person can."""
PAUSES: Final = frozenset({NO_ADDRESS, OPTED_OUT, BELOW_MINIMUM, PAYMENT_PENDING, CHARGED_BACK, POLICY_CHANGED})
"""What was withdrawn for one of these was not told: it is claimed again once that is over."""


def in_words(reason: str) -> str:
    """Why something is not sent, and what to do about it where only a person can."""
    return f"{REASONS[reason]}: {WHAT_TO_DO[reason]}" if reason in WHAT_TO_DO else REASONS[reason]

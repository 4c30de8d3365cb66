"""Codes in words: why something waits and what to do about it, why a run refused, what kind of event was recorded."""

from typing import Final, NamedTuple


class Reason(NamedTuple):
    """A reason in a few words, and what settles it."""

    short: str
    what_to_do: str


REASONS: Final[dict[str, Reason]] = {
    "awaiting_approval": Reason("Not approved yet", "A manager approves or rejects it in the ticketing system."),
    "rejected": Reason("Rejected", "Correct it in the ticketing system and have it approved, or leave it."),
    "amended_after_invoicing": Reason("Changed after invoicing", "Approve the new revision; the difference is billed then."),
    "client_changed": Reason("Moved from another client", "Withdraw it there and log it here under an id of its own."),
    "unknown_client": Reason("Unknown client", "Send the client's record; the entry is billed by itself then."),
    "unknown_charge_type": Reason("Unknown charge type", "Define the charge type, or correct the entry."),
    "unknown_tax_code": Reason("No known tax code", "Choose one at the client or the line, or define the one that is named."),
    "unknown_value": Reason("Unknown value", "Correct what was sent upstream; `daybook waiting` names it."),
    "which_contract": Reason("Several contracts", "Name the contract on the entry, or make one the default."),
    "contract_not_in_force": Reason("Contract not in force", "Correct the day or the contract on the entry."),
    "no_rate": Reason("No rate in this currency", "Give the charge type a rate in the client's currency."),
    "impossible_value": Reason("Impossible value", "Correct the entry upstream: its times contradict each other."),
    "ambiguous_line": Reason("Two lines claim it", "Make the contract say which line it falls under."),
    "depends_on_dead_letter": Reason("Something before it was unreadable", "See `daybook dead-letters`."),
    "not_yet_supported": Reason("Not billed by this version", "Kept until a version of Daybook bills it."),
    "unmatched_payment": Reason("Payment for an unknown invoice", "It is tried again when that number is issued."),
    "wrong_currency": Reason("Other currency than its item", "Correct the currency upstream."),
    "entry_not_seen": Reason("Decided, never logged", "Send the entry, or see whose id the decision meant."),
}

STATUSES: Final = {
    "approved": "Approved",
    "unapproved": "Not approved",
    "rejected": "Rejected",
    "withdrawn": "Withdrawn",
    "announced": "Decided before logged",
}

REFUSALS: Final = {
    "changed": "The figure changed after you confirmed it.",
    "unknown_tax_code": "A tax code is missing or unknown on the invoice date.",
    "number_taken": "Another number series already printed its number: give one of the two series another prefix.",
    "as_of_before_series": "Its number series already has a later document.",
}


def refusal(code: str) -> str:
    """Why a run left a client out, in a sentence."""
    if code in REFUSALS:
        return REFUSALS[code]
    return f"{REASONS[code].short}." if code in REASONS else f"{code.replace('_', ' ').capitalize()}."


def why_stuck(reason: str, no_tax_code: bool = False) -> str:
    """Why something is stuck and what settles it; `no_tax_code` where none is named at all."""
    if no_tax_code:
        return "no tax code: choose one at the client or the line"
    if reason not in REASONS:
        return reason.replace("_", " ")
    said = REASONS[reason]
    return f"{said.short[:1].lower()}{said.short[1:]}: {said.what_to_do[:1].lower()}{said.what_to_do[1:].rstrip('.')}"


def event_name(topic: str) -> str:
    """`time_entry.approved.v1` as "time entry approved"."""
    words = topic.split(".")
    return " ".join(words[:-1] if len(words) > 1 else words).replace("_", " ")

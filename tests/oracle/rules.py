"""The choices the oracle makes, each a switch: the defaults are `product.md`, any other value is a bug a test can plant."""

from dataclasses import dataclass

WAITING_ORDER = (
    "awaiting_approval",
    "rejected",
    "amended_after_invoicing",
    "client_changed",
    "unknown_client",
    "unknown_charge_type",
    "unknown_tax_code",
    "unknown_value",
    "which_contract",
    "contract_not_in_force",
    "no_rate",
    "impossible_value",
    "ambiguous_line",
    "not_yet_supported",
)
"""Precedence of the reasons of one entry: the order in which `events.md` lists them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One reading of the conventions; every field names the rule it comes from."""

    # Money
    half: str = "away"  # M1; bugs: "even", "down"
    recurring_rounding: str = "once"  # S1, M1; bug: "each" (every segment rounded by itself)
    nonstandard_client_code_wins: bool = True  # M7
    contract_currency_wins: bool = True  # M6
    # Dates
    rate_day: str = "worked_on"  # D1; bug: "as_of"
    state_order: tuple[str, ...] = ("effective_from", "revision", "occurred_at", "event_id")  # D5
    month_end: str = "anchor"  # D4; bug: "drift" (31 -> 28 -> 28)
    part_period_days: str = "full"  # D4, S1; bug: "part" (a part period divided by its own days)
    last_day_served: bool = True  # D4: ends_on is the last day served
    closed_opens_no_period: bool = True  # D5
    # Time
    minimum_for_zero: bool = False  # T1: 0 stays 0
    minimum_first: bool = True  # T1: the minimum is taken before rounding too
    ticket_rounding: str = "ticket"  # T2; bug: "entry"
    fixed_minutes_as_they_are: bool = True  # T3
    tie_wins: str = "TimeEntryRejected"  # T6
    decision_belongs_to_revision: bool = True  # T6
    only_one_contract_is_enough: bool = True  # T5
    # Where the documents are silent (see `oracle.py`)
    rejected_after_invoicing_waits: bool = False
    unknown_client_code_waits: bool = True
    unapproved_currency: str = "billing"  # or "client"


PRODUCT = Rules()
"""The conventions as written."""

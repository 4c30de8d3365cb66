"""What a form asks for: each record's fields in the order people think of them, in their words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "text", "day", "whole", "decimal", "minor", "flag", "choice", "zone", "currency", "country", "list", "emails",
    "charge_type", "charge_types", "tax_code", "prices", "overage", "out_of_hours", "tiers", "milestones",
]  # fmt: skip
"""How a field is typed: `list` and `emails` one a line, `prices` an amount for each currency, `minor` money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form; `more` ones stand under "More", for they are seldom needed."""

    name: str
    label: str
    kind: Kind = "text"
    help: str = ""
    options: tuple[tuple[str, str], ...] = ()
    more: bool = False


def _f(name: str, label: str, kind: Kind = "text", help: str = "", *, options: Sequence[str] = (), more: bool = False) -> Field:
    """A field; an option is its code, or `code=what people call it`."""
    pairs = tuple((code, label or code) for code, _, label in (one.partition("=") for one in options))
    return Field(name=name, label=label, kind=kind, help=help, options=pairs, more=more)


_FREQUENCIES: Final = ("monthly=every month", "quarterly=every quarter", "annual=every year")

CLIENT: Final = (
    _f("name", "Name"),
    _f("effective_from", "Counts from", "day", "Zone, working hours, tax code and currency change on this day and never reach"
       " back. Empty: today. Name, address and terms are always the latest."),
    _f("currency", "Currency", "currency"),
    _f("time_zone", "Time zone", "zone"),
    _f("payment_terms_days", "Days to pay", "whole"),
    _f("status", "Status", "choice", options=("active=active", "closed=closed: no new period is opened")),
    _f("tax_code", "Tax code", "tax_code", "One that is not standard wins over the charge type's and the line's."),
    _f("billing_emails", "Invoices go to", "emails", "One address a line."),
    _f("address", "Address", "list", "One line a line."),
    _f("city", "City"),
    _f("postcode", "Postcode"),
    _f("region", "Region", more=True),
    _f("country", "Country", "country", help="Two letters, e.g. GB."),
    _f("tax_number", "VAT number"),
    _f("purchase_order", "Their order number", more=True),
    _f("electronic_address", "Address for e-invoices", more=True),
    _f("working_hours", "Working hours", help="The code of a calendar.", more=True),
    _f("invoice_series", "Number series", help="The code of a series; empty: the usual one.", more=True),
    _f("surcharge_policy", "Card surcharge", help="The code of a policy.", more=True),
    _f("autopay", "Pays by the card on file", "flag", more=True),
    _f("use_credit", "Credit pays new invoices by itself", "flag", more=True),
)  # fmt: skip

CHARGE_TYPE: Final = (
    _f("name", "Name"),
    _f("effective_from", "Counts from", "day", "Time worked on or after this day is billed so, until the next state's day."
       " Of two states from the same day the later saved counts."),
    _f("rates", "Rate an hour", "prices", "One for each currency; a client whose currency has none waits."),
    _f("minimum_minutes", "Minimum, minutes", "whole"),
    _f("increment_minutes", "Increment, minutes", "whole"),
    _f("rounding", "Rounding", "choice", options=("up", "down", "nearest")),
    _f("rounding_scope", "Rounded", "choice", options=("entry=each entry", "ticket=all of a ticket together")),
    _f("billable", "Billable", "flag", "Time that is not is listed and never billed."),
    _f("tax_code", "Tax code", "tax_code"),
    _f("account", "Revenue account"),
    _f("project", "Offered for project time", "flag", more=True),
    _f("out_of_hours", "Out of hours", "out_of_hours", more=True),
)  # fmt: skip

CONTRACT: Final = (
    _f("name", "Name"),
    _f("effective_from", "Counts from", "day", "All of this page counts from this day until the day of the next state. The"
       " same day as before puts right what was wrong from the start; a later day is a change from then on. What was"
       " invoiced already is corrected by new lines."),
    _f("starts_on", "Starts on", "day", "The first day served. It cannot change later: a moved start waits."),
    _f("ends_on", "Ends on", "day", "The last day served; empty: goes on."),
    _f("currency", "Currency", "currency"),
    _f("frequency", "Billed", "choice", options=_FREQUENCIES),
    _f("anchor_day", "On day", "whole", "1 to 31: the day of the month on which a period begins."),
    _f("anchor_month", "In month", "whole", "1 to 12, for quarters and years; empty: from the start.", more=True),
    _f("is_default", "Time that names no contract falls under this one", "flag"),
    _f("prices_include_tax", "Prices include tax", "flag", more=True),
    _f("purchase_order", "Their order number", more=True),
)  # fmt: skip

_LINE: Final = (
    _f("tax_code", "Tax code", "tax_code", "None: the client's."),
    _f("starts_on", "From", "day", "First day served; empty: the contract's.", more=True),
    _f("ends_on", "To", "day", "Last day served; empty: the contract's.", more=True),
    _f("frequency", "Billed", "choice", options=("=as the contract", *_FREQUENCIES), more=True),
    _f("unit_cost", "Own cost a unit", "decimal", more=True),
    _f("line_id", "Id", help="Empty: made of the description. It cannot change later.", more=True),
)
_HEAD: Final = (
    _f("description", "Description"),
    _f("timing", "Billed", "choice", options=("advance=in advance", "arrears=in arrears")),
    _f("account", "Revenue account"),
)
_TIER_MODES: Final = ("graduated=each tier at its own price", "volume=all at the tier's price")
_POOL: Final = (
    _f("charge_types", "Covers", "charge_types", "Charge types, one code a line; empty: all billable ones."),
    _f("overage", "Beyond it", "overage"),
    _f("draw_order", "Drawn in order", "whole", more=True),
    _f("warn_at_percent", "Warn at percent", "whole", more=True),
)

LINES: Final[dict[str, tuple[str, tuple[Field, ...]]]] = {
    "RecurringLine": ("Fixed fee", (
        *_HEAD,
        _f("quantity", "Quantity", "decimal"),
        _f("unit_price", "Price", "decimal"),
        _f("prorate", "Part periods in part", "flag"),
        *_LINE,
    )),
    "SeatLine": ("Seats", (
        *_HEAD,
        _f("product", "Product", help="As the counts name it."),
        _f("systems", "Counted by", "list", "rmm, intune, entra, csp or manual: one a line, the first that reports counts."),
        _f("unit_price", "Price a seat", "decimal", "Empty where there are tiers."),
        _f("policy", "How counted", "choice", options=("daily=day by day", "daily_30=day by day, months of 30",
           "snapshot=on one day", "peak=the highest day", "ratchet=never down in the term")),
        _f("minimum_quantity", "At least", "whole"),
        _f("tiers", "Tiers", "tiers"),
        _f("tier_mode", "Tiers mean", "choice", options=("=no tiers", *_TIER_MODES)),
        _f("term_months", "Term, months", "whole", more=True),
        *_LINE,
    )),
    "AllowanceLine": ("Hours included", (
        *_HEAD,
        _f("included_minutes", "Included, minutes", "whole"),
        _f("per", "Per", "choice", options=("month", "quarter", "year")),
        _f("price", "Price", "decimal"),
        _f("rollover_periods", "Carried over for periods", "whole", more=True),
        _f("rollover_cap_minutes", "Carried over at most, minutes", "whole", more=True),
        *_POOL,
        *_LINE,
    )),
    "BlockLine": ("Block of hours", (
        *_HEAD,
        _f("block_id", "Block id"),
        _f("minutes", "Minutes", "whole"),
        _f("price", "Price", "decimal"),
        _f("bought_on", "Bought on", "day"),
        _f("expires_on", "Expires on", "day", "The last day; empty: never."),
        *_POOL,
        *_LINE,
    )),
    "UsageLine": ("Usage", (
        *_HEAD,
        _f("meter", "Meter", help="As the readings name it."),
        _f("aggregation", "Readings", "choice", options=("sum=are added", "max=the highest", "last=the last")),
        _f("included", "Included", "decimal"),
        _f("tiers", "Tiers", "tiers"),
        _f("tier_mode", "Tiers mean", "choice", options=(*_TIER_MODES, "package=whole packages")),
        _f("package_size", "Package of", "decimal", more=True),
        _f("minimum_minor", "At least", "minor", more=True),
        *_LINE,
    )),
    "FixedPriceLine": ("Fixed price", (
        *_HEAD,
        _f("project_id", "Project", help="The id that time entries name."),
        _f("milestones", "Milestones", "milestones"),
        _f("bundles_time", "The project's time is not billed again", "flag"),
        *_LINE,
    )),
    "RateLine": ("Own rate", (
        *_HEAD,
        _f("charge_type", "Charge type", "charge_type"),
        _f("rates", "Rate an hour", "prices"),
        *_LINE,
    )),
}  # fmt: skip
"""Each kind of contract line: what people call it, and its fields."""

ROWS: Final[dict[str, tuple[Field, ...]]] = {
    "prices": (_f("currency", "Currency", "currency"), _f("amount", "Amount", "decimal")),
    "tiers": (
        _f("up_to", "Up to", "decimal", "Empty: the last."),
        _f("unit_price", "Price a unit", "decimal"),
        _f("flat", "And once", "decimal"),
    ),
    "milestones": (
        _f("milestone_id", "Id"),
        _f("description", "Description"),
        _f("amount_minor", "Amount", "minor"),
    ),
}
"""What a row of a field with rows holds."""

RECORDS: Final[dict[str, tuple[Field, ...]]] = {
    "ClientDefined": CLIENT,
    "ChargeTypeDefined": CHARGE_TYPE,
    "ContractDefined": CONTRACT,
}
NEW: Final[dict[str, dict[str, object]]] = {
    "ClientDefined": {"payment_terms_days": 30, "status": "active"},
    "ChargeTypeDefined": {"billable": True, "increment_minutes": 15, "rounding": "up", "rounding_scope": "entry"},
    "ContractDefined": {"frequency": "monthly", "anchor_day": 1, "lines": []},
}
"""What a new one begins with, beside the wire's own defaults."""

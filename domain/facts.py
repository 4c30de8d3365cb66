"""What upstream may tell us: which event each record becomes, on which stream, and when a fact is only a repeat."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from domain.catalogue import (
    ChargeTypeDefined,
    ExchangeRateSet,
    HolidayRegion,
    InvoiceSeriesDefined,
    OutOfHours,
    ProviderDefined,
    SurchargePolicySet,
    TaxCodeDefined,
    Window,
    WorkingHoursDefined,
)
from domain.charge import ChargeAmended, ChargeApproved, ChargeLogged, ChargeRejected, ChargeWithdrawn
from domain.client_account import ClientDefined, ReminderPolicySet, StatementSchedule
from domain.contract import LINE_TYPES, ContractDefined, ContractLine, Milestone, MilestoneReached, Tier
from domain.ids import stream_id
from domain.payment import (
    CardRemoved,
    CardSaved,
    PaymentChargedBack,
    PaymentFailed,
    PaymentReceived,
    PaymentRefunded,
    PayoutSettled,
)
from domain.readings import SeatCountReported, UsageReported
from domain.time_entry import (
    TimeEntryAmended,
    TimeEntryApproved,
    TimeEntryLogged,
    TimeEntryRejected,
    TimeEntryWithdrawn,
)

PROVIDER: Final = "provider"
"""The subject of what belongs to no client: the catalogue's events carry it as their client."""

FACTS: Final[Mapping[str, type[Any]]] = {
    cls.__name__: cls
    for cls in (
        ProviderDefined, ChargeTypeDefined, TaxCodeDefined, WorkingHoursDefined, InvoiceSeriesDefined, ExchangeRateSet,
        SurchargePolicySet, ClientDefined, ReminderPolicySet, ContractDefined, MilestoneReached, TimeEntryLogged,
        TimeEntryAmended, TimeEntryWithdrawn, TimeEntryApproved, TimeEntryRejected, ChargeLogged, ChargeAmended,
        ChargeWithdrawn, ChargeApproved, ChargeRejected, SeatCountReported, UsageReported, PaymentReceived,
        PaymentFailed, PaymentRefunded, PaymentChargedBack, PayoutSettled, CardSaved, CardRemoved,
    )
}  # fmt: skip
"""Every inbound record and the event it is kept as."""

PERSONAL: Final[Mapping[str, tuple[str, ...]]] = {
    "TimeEntryLogged": ("note",),
    "TimeEntryAmended": ("note", "reason"),
    "TimeEntryWithdrawn": ("reason",),
    "TimeEntryRejected": ("reason",),
    "ChargeAmended": ("reason",),
    "ChargeWithdrawn": ("reason",),
    "ChargeRejected": ("reason",),
    "ClientDefined": ("address", "city", "postcode", "billing_emails", "electronic_address"),
    "PaymentFailed": ("reason",),
    "PaymentRefunded": ("reason",),
    "PaymentChargedBack": ("reason",),
}
"""Fields that hold what people wrote or where they can be reached: kept as ciphertext only."""

_KEYS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "ProviderDefined": ("provider", ()),
    "ChargeTypeDefined": ("charge-type", ("code",)),
    "TaxCodeDefined": ("tax-code", ("code",)),
    "WorkingHoursDefined": ("working-hours", ("code",)),
    "InvoiceSeriesDefined": ("invoice-series", ("code",)),
    "ExchangeRateSet": ("exchange-rate", ("currency", "base_currency")),
    "SurchargePolicySet": ("surcharge-policy", ("code",)),
    "ClientDefined": ("client", ()),
    "ReminderPolicySet": ("reminder-policy", ()),
    "ContractDefined": ("contract", ("contract_id",)),
    "MilestoneReached": ("milestone", ("contract_id", "line_id", "milestone_id")),
    "SeatCountReported": ("seats", ("product",)),
    "UsageReported": ("meter", ("meter",)),
    "PayoutSettled": ("payout", ("payout_id",)),
    "CardSaved": ("card", ("payment_method_ref",)),
    "CardRemoved": ("card", ("payment_method_ref",)),
}


def subject_of(record: str, fields: Mapping[str, Any]) -> str:
    """Whose history a fact belongs to: its client's, or the provider's."""
    return fields.get("client_id") or PROVIDER


def stream_of(record: str, fields: Mapping[str, Any]) -> UUID:
    """The stream a fact belongs to, from its client and natural key."""
    if record.startswith("TimeEntry"):
        return stream_id("time", fields["client_id"], fields["time_entry_id"])
    if record.startswith("Charge") and "charge_id" in fields:
        return stream_id("charge", fields["client_id"], fields["charge_id"])
    if record.startswith("Payment"):
        return stream_id("payment", fields["client_id"], fields["payment_id"])
    kind, names = _KEYS[record]
    return stream_id(kind, subject_of(record, fields), *(fields[name] for name in names))


def event_of(record: str, fields: dict[str, Any]) -> Any:
    """The event a fact is kept as; `fields` are the wire's, in plain Python values."""
    nested = _NESTED.get(record)
    if nested is not None:
        fields = {**fields, **{name: build(fields[name]) for name, build in nested.items() if fields[name] is not None}}
    return FACTS[record](**fields)


def contract_line(fields: Mapping[str, Any]) -> ContractLine:
    """One line of a contract from its plain fields; `type` names its kind."""
    values = dict(fields)
    if "tiers" in values:
        values["tiers"] = tuple(_plain(Tier, tier) for tier in values["tiers"])
    if "milestones" in values:
        values["milestones"] = tuple(_plain(Milestone, milestone) for milestone in values["milestones"])
    for name in ("systems", "charge_types"):
        if name in values:
            values[name] = tuple(values[name])
    return LINE_TYPES[values["type"]](**values)


def _plain(cls: type[Any], fields: Mapping[str, Any]) -> Any:
    return cls(**{name: value for name, value in fields.items() if name != "type"})


_NESTED: Final[Mapping[str, Mapping[str, Any]]] = {
    "ProviderDefined": {"address": tuple},
    "ChargeTypeDefined": {"out_of_hours": lambda value: _plain(OutOfHours, value)},
    "WorkingHoursDefined": {
        "windows": lambda values: tuple(_plain(Window, value) for value in values),
        "holidays": lambda value: _plain(HolidayRegion, value),
        "extra_closed": tuple,
    },
    "SurchargePolicySet": {"countries": tuple, "brands": tuple, "funding": tuple},
    "ClientDefined": {"address": tuple, "billing_emails": tuple},
    "ReminderPolicySet": {"statement": lambda value: _plain(StatementSchedule, value), "due_offsets_days": tuple},
    "ContractDefined": {"lines": lambda values: tuple(contract_line(value) for value in values)},
    "PaymentReceived": {"invoice_numbers": tuple},
    "PaymentFailed": {"invoice_numbers": tuple},
}

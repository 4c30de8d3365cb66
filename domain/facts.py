"""What upstream may tell us: which event each record becomes, on which stream, and what of it is personal."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from domain.catalogue import (
    ChargeTypeDefined,
    ExchangeRateSet,
    InvoiceSeriesDefined,
    ProviderDefined,
    SurchargePolicySet,
    TaxCodeDefined,
    WorkingHoursDefined,
)
from domain.charge import ChargeAmended, ChargeApproved, ChargeLogged, ChargeRejected, ChargeWithdrawn
from domain.client_account import ClientDefined, ReminderPolicySet
from domain.contract import ContractDefined, MilestoneReached
from domain.ids import stream_bytes, uuid_of
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
    **{name: ("time", ("time_entry_id",)) for name in FACTS if name.startswith("TimeEntry")},
    **{name: ("charge", ("charge_id",)) for name in FACTS if name.startswith("Charge") and name != "ChargeTypeDefined"},
    **{name: ("payment", ("payment_id",)) for name in FACTS if name.startswith("Payment")},
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
    return uuid_of(int.from_bytes(stream_bytes_of(record, subject_of(record, fields), fields), "big"))


def stream_bytes_of(record: str, subject: str, fields: Mapping[str, Any]) -> bytes:
    """The same as 16 bytes, of a fact whose subject is known already."""
    kind, names = _KEYS[record]
    return stream_bytes(kind, subject, *[fields[name] for name in names])

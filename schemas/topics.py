"""Which record travels on which topic: the map outsiders rely on."""

from typing import Final

RECORDS_ON: Final[dict[str, frozenset[str]]] = {
    "daybook.catalogue": frozenset(
        {
            "ProviderDefined",
            "ChargeTypeDefined",
            "TaxCodeDefined",
            "WorkingHoursDefined",
            "InvoiceSeriesDefined",
            "ExchangeRateSet",
            "SurchargePolicySet",
        }
    ),
    "daybook.clients": frozenset({"ClientDefined", "ReminderPolicySet"}),
    "daybook.contracts": frozenset({"ContractDefined", "MilestoneReached"}),
    "daybook.time": frozenset(
        {"TimeEntryLogged", "TimeEntryAmended", "TimeEntryWithdrawn", "TimeEntryApproved", "TimeEntryRejected"}
    ),
    "daybook.charges": frozenset({"ChargeLogged", "ChargeAmended", "ChargeWithdrawn", "ChargeApproved", "ChargeRejected"}),
    "daybook.seats": frozenset({"SeatCountReported"}),
    "daybook.usage": frozenset({"UsageReported"}),
    "daybook.payments": frozenset(
        {
            "PaymentReceived",
            "PaymentFailed",
            "PaymentRefunded",
            "PaymentChargedBack",
            "PayoutSettled",
            "CardSaved",
            "CardRemoved",
        }
    ),
    "daybook.invoices": frozenset({"InvoiceIssued", "CreditNoteIssued", "InvoiceVoided", "InvoiceSettled", "InvoiceWrittenOff"}),
    "daybook.postings": frozenset({"JournalPosted"}),
    "daybook.notices": frozenset({"NoticeSent", "NoticeFailed"}),
    "daybook.cursors": frozenset({"PublisherCursor"}),
}
"""The records a topic may carry."""

DEAD_LETTERS: Final = "daybook.dead-letters"
"""Where what could not be read is announced: headers and key, and the original bytes only if configured."""

CURSORS: Final = "daybook.cursors"
"""The publishers' own positions: the one compacted topic."""

INBOUND: Final[frozenset[str]] = frozenset(
    {
        "daybook.catalogue",
        "daybook.clients",
        "daybook.contracts",
        "daybook.time",
        "daybook.charges",
        "daybook.seats",
        "daybook.usage",
        "daybook.payments",
    }
)
"""Topics Daybook reads facts from."""

OUTBOUND: Final[frozenset[str]] = frozenset({"daybook.invoices", "daybook.postings", "daybook.notices", DEAD_LETTERS, CURSORS})
"""Topics Daybook tells the outside on."""

ALL_TOPICS: Final[tuple[str, ...]] = tuple(sorted(INBOUND | OUTBOUND))
"""Every topic an installation needs."""

COMPACTED: Final[frozenset[str]] = frozenset({CURSORS})
"""Topics of which Kafka keeps only the newest record of a key."""

TOPIC_OF: Final[dict[str, str]] = {record: topic for topic, records in RECORDS_ON.items() for record in records}
"""The one topic each record travels on."""

"""The demo MSP's own catalogue: who it is, what its hours cost, its taxes, its office hours and its number series."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Fields = dict[str, Any]
Fact = tuple[str, str, Fields]

REMOTE, ONSITE, INTERNAL, PROJECT, CUSTOM, EMERGENCY = "REMOTE", "ONSITE", "INTERNAL", "PROJECT", "CUSTOM", "EMERGENCY"
STANDARD, ZERO, REVERSE_CHARGE = "VAT20", "VAT0", "RC"
OFFICE_HOURS = "UK-OFFICE"
MOVED_ON = date(2026, 3, 1)
"""The day the MSP moved to Daybook."""
RENEWED_ON = date(2026, 5, 1)
"""The day on which every contract was renewed, at the new contract year's prices."""
_SET_UP_ON = date(2026, 2, 24)

_NAMESPACE = uuid5(NAMESPACE_URL, "https://daybook.example/demo/2026-05")


def envelope(source: str, occurred_at: datetime, record: str, *natural_key: str | int) -> Fields:
    """The fields every inbound record starts with; the id comes from the natural key, so a rerun repeats itself."""
    event_id = uuid5(_NAMESPACE, "|".join([record, *map(str, natural_key)]))
    return {"event_id": str(event_id), "source": source, "occurred_at": occurred_at}


def catalogue() -> list[Fact]:
    """What the MSP set up in the last week of February, before its first day on Daybook."""
    return [
        _provider(),
        _tax_code(STANDARD, "VAT 20 %", "20", "standard", None),
        _tax_code(ZERO, "VAT zero-rated", "0", "zero", "Zero-rated supply"),
        _tax_code(REVERSE_CHARGE, "Reverse charge", "0", "reverse_charge", "Reverse charge: customer to account for VAT"),
        _working_hours(),
        _series("INV", "INV-", "invoice"),
        _series("CN", "CN-", "credit_note"),
        *_charge_types(),
    ]


def _catalogue_fact(record: str, day: date, key: str, revision: int, /, **fields: Any) -> Fact:
    occurred_at = datetime.combine(day, time(9, 30), UTC)
    head = envelope("psa", occurred_at, record, key, revision)
    return "daybook.catalogue", record, {**head, "revision": revision, **fields}


def _provider() -> Fact:
    return _catalogue_fact(
        "ProviderDefined",
        _SET_UP_ON,
        "provider",
        1,
        name="Lanternbrook IT Ltd",
        address=["Unit 4, Canal Mills"],
        city="Leeds",
        postcode="LS12 0XX",
        country="GB",
        tax_number="GB000000000",
        bank="Example Bank, sort code 00-00-00, account 00000000",
        base_currency="GBP",
        time_zone="Europe/London",
        tax_rounding="line",
        logo=None,
    )


def _tax_code(code: str, name: str, percent: str, kind: str, wording: str | None) -> Fact:
    return _catalogue_fact(
        "TaxCodeDefined",
        _SET_UP_ON,
        code,
        1,
        code=code,
        name=name,
        effective_from=date(2026, 1, 1),
        rate=Decimal(percent),
        kind=kind,
        wording=wording,
    )


def _working_hours() -> Fact:
    return _catalogue_fact(
        "WorkingHoursDefined",
        _SET_UP_ON,
        OFFICE_HOURS,
        1,
        code=OFFICE_HOURS,
        effective_from=date(2026, 1, 1),
        time_zone="Europe/London",
        windows=[{"weekday": weekday, "start": "09:00", "end": "17:30"} for weekday in range(1, 6)],
        holidays={"country": "GB", "subdivision": "ENG"},
        extra_closed=[],
    )


def _series(code: str, prefix: str, document: str) -> Fact:
    return _catalogue_fact(
        "InvoiceSeriesDefined",
        _SET_UP_ON,
        code,
        1,
        code=code,
        prefix=prefix,
        digits=6,
        restart="never",
        document=document,
    )


def _charge_types() -> list[Fact]:
    """The five kinds of time, an out-of-hours one, and a dearer Remote Support that May must not see."""
    return [
        _charge_type(REMOTE, "Remote Support", {"GBP": "150", "EUR": "175"}, minimum=15, increment=15, account="4100"),
        _charge_type(ONSITE, "On-Site", {"GBP": "180", "EUR": "210"}, minimum=60, increment=30, account="4110"),
        _charge_type(INTERNAL, "Internal / Non-Billable", {}, minimum=0, increment=1, account="4190", billable=False),
        _charge_type(
            PROJECT,
            "Project Time",
            {"GBP": "140"},
            minimum=0,
            increment=15,
            account="4200",
            rounding="nearest",
            project=True,
        ),
        _charge_type(CUSTOM, "Custom", {"GBP": "120"}, minimum=60, increment=30, account="4120", scope="ticket"),
        _charge_type(EMERGENCY, "Emergency Call-Out", {"GBP": "220"}, minimum=60, increment=60, account="4130", multiplier="1.5"),
        _charge_type(
            REMOTE,
            "Remote Support",
            {"GBP": "155", "EUR": "180"},
            minimum=15,
            increment=15,
            account="4100",
            revision=2,
            effective_from=date(2026, 6, 1),
        ),
    ]


def _charge_type(
    code: str,
    name: str,
    rates: dict[str, str],
    *,
    minimum: int,
    increment: int,
    account: str,
    rounding: str = "up",
    scope: str = "entry",
    billable: bool = True,
    project: bool = False,
    multiplier: str | None = None,
    revision: int = 1,
    effective_from: date = date(2026, 1, 1),
) -> Fact:
    return _catalogue_fact(
        "ChargeTypeDefined",
        _SET_UP_ON if revision == 1 else date(2026, 5, 19),
        code,
        revision,
        code=code,
        name=name,
        effective_from=effective_from,
        billable=billable,
        project=project,
        rates={currency: Decimal(rate) for currency, rate in rates.items()},
        minimum_minutes=minimum,
        increment_minutes=increment,
        rounding=rounding,
        rounding_scope=scope,
        out_of_hours=None if multiplier is None else {"charge_type": None, "multiplier": Decimal(multiplier)},
        tax_code=STANDARD,
        account=account,
    )

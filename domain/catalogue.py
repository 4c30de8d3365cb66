"""What the provider offers: its own details, charge types, tax codes, working hours, number series and rates of exchange."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDefined:
    """The MSP that runs this Daybook, as it stands from this revision on."""

    TOPIC: ClassVar[str] = "provider.defined.v1"
    event_id: str
    source: str
    occurred_at: datetime
    revision: int
    name: str
    address: tuple[str, ...]
    city: str | None
    postcode: str | None
    country: str
    tax_number: str | None
    bank: str | None
    base_currency: str
    time_zone: str
    tax_rounding: str
    logo: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfHours:
    """How time outside working hours is charged: under another charge type or at a multiple of the rate."""

    charge_type: str | None
    multiplier: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeTypeDefined:
    """A kind of work with its hourly rate per currency, minimum, increment, rounding, tax code and account, from a day on."""

    TOPIC: ClassVar[str] = "charge_type.defined.v1"
    event_id: str
    source: str
    occurred_at: datetime
    code: str
    revision: int
    name: str
    effective_from: date
    billable: bool
    project: bool
    rates: dict[str, Decimal]
    minimum_minutes: int
    increment_minutes: int
    rounding: str
    rounding_scope: str
    out_of_hours: OutOfHours | None
    tax_code: str | None
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxCodeDefined:
    """A rate of tax in percent, its kind (standard, zero, exempt, ...) and the wording the law asks for, from a day on."""

    TOPIC: ClassVar[str] = "tax_code.defined.v1"
    event_id: str
    source: str
    occurred_at: datetime
    code: str
    revision: int
    name: str
    effective_from: date
    rate: Decimal
    kind: str
    wording: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Working time of one weekday (1 = Monday), "09:00" to "17:30", on the calendar's own clock."""

    weekday: int
    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HolidayRegion:
    """The country, and part of it, whose bank holidays close the calendar."""

    country: str
    subdivision: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingHoursDefined:
    """A calendar of working hours, from a day on."""

    TOPIC: ClassVar[str] = "working_hours.defined.v1"
    event_id: str
    source: str
    occurred_at: datetime
    code: str
    revision: int
    effective_from: date
    time_zone: str
    windows: tuple[Window, ...]
    holidays: HolidayRegion | None
    extra_closed: tuple[date, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSeriesDefined:
    """How the documents of one series are numbered; `{year}` in the prefix is the year of issue."""

    TOPIC: ClassVar[str] = "invoice_series.defined.v1"
    event_id: str
    source: str
    occurred_at: datetime
    code: str
    revision: int
    prefix: str
    digits: int
    restart: str
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRateSet:
    """One unit of `currency` in `base_currency` on a day."""

    TOPIC: ClassVar[str] = "exchange_rate.set.v1"
    event_id: str
    source: str
    occurred_at: datetime
    currency: str
    base_currency: str
    day: date
    revision: int
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SurchargePolicySet:
    """What paying by card costs the payer, with its cap and the cards and countries it holds for, from a day on."""

    TOPIC: ClassVar[str] = "surcharge_policy.set.v1"
    event_id: str
    source: str
    occurred_at: datetime
    code: str
    revision: int
    effective_from: date
    countries: tuple[str, ...]
    brands: tuple[str, ...]
    funding: tuple[str, ...]
    percent: Decimal
    fixed_minor: int
    cap_percent: Decimal | None
    tax_code: str | None
    account: str

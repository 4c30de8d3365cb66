"""What the demo MSP agreed with each client: fees in advance and in arrears, rates of their own, one allowance.

Every contract starts on 1 May 2026 (the day the MSP moved to Daybook) or later, so only May's periods are due then.
Acme Corp, Sable & Stone and Fellgate have none: their time bills at the charge type's own rate.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from daybook.demo_catalogue import EMERGENCY, GO_LIVE, PROJECT, REMOTE, ZERO, Fact, Fields, envelope


def contracts() -> list[Fact]:
    """Every contract state: most say it all once, two clients change theirs."""
    return [*_fixed_fees(), *_growing_clients(), *_longer_periods(), *_two_contracts_each(), *_nothing_due()]


def _fixed_fees() -> list[Fact]:
    # The line "Overage" stands in for what allowances and usage thresholds will bill by themselves (C5): backup
    # storage beyond the 2 TB included, read off the backup console by hand until Daybook meters it.
    overage = _recurring("overage", "Overage", 1400, "0.50", timing="arrears", account="4300", prorate=False)
    return [
        _contract("buildco", "managed", "Managed Services", [_recurring("managed", "Managed Services", 1, "3200")]),
        _contract(
            "buildco",
            "managed",
            "Managed Services",
            [_recurring("managed", "Managed Services", 1, "3300")],
            revision=2,
            effective_from=date(2026, 6, 1),
        ),
        _contract("fenwick", "support", "On-site support and backup", [overage]),
        _contract("swilly-bay", "managed", "Managed Services", [_recurring("managed", "Managed Services", 24, "35")]),
        _contract(
            "wexcombe",
            "managed",
            "Managed Services",
            [
                _recurring("managed", "Managed Services", 18, "45"),
                _rate("project-rate", "Project rate", PROJECT, "125"),
            ],
        ),
    ]


def _growing_clients() -> list[Fact]:
    """A second surgery from 22 May (10 of 31 days) and a client that began on 16 May (16 of 31 days)."""
    surgery = _recurring("managed", "Managed Services", 28, "31")
    remote = _rate("remote-rate", "Remote Support rate", REMOTE, "120")
    second = _recurring("managed-elland", "Managed Services, Elland surgery", 10, "31")
    start = date(2026, 5, 16)
    return [
        _contract("hollin-bank", "managed", "Managed Services", [surgery, remote]),
        _contract(
            "hollin-bank",
            "managed",
            "Managed Services",
            [surgery, second, remote],
            revision=2,
            effective_from=date(2026, 5, 22),
        ),
        _contract(
            "marlow-finch",
            "managed",
            "Managed Services",
            [_recurring("managed", "Managed Services", 20, "31")],
            effective_from=start,
        ),
    ]


def _longer_periods() -> list[Fact]:
    handbooks = _recurring("handbooks", "Printed e-safety handbooks", 40, "4.50", frequency="annual", tax_code=ZERO)
    renewals = _recurring("renewals", "Firewall and certificate renewals", 4, "165", frequency="annual")
    training = _recurring("training", "Security awareness training", 46, "12", frequency="quarterly")
    return [
        _contract(
            "thornfield",
            "network",
            "Managed network",
            [_recurring("network", "Managed network and Wi-Fi", 3, "1150")],
            frequency="quarterly",
        ),
        _contract(
            "northmoor",
            "schools",
            "Schools support",
            [_recurring("managed", "Managed Services", 3, "420", timing="arrears"), handbooks],
        ),
        _contract("peakline", "centres", "Centres", [_recurring("wifi", "Guest Wi-Fi", 4, "60"), renewals]),
        _contract(
            "coldridge",
            "practices",
            "Managed Services",
            [
                _recurring("managed", "Managed Services", 5, "390"),
                training,
                _rate("remote-rate", "Remote Support rate", REMOTE, "100"),
            ],
        ),
    ]


def _two_contracts_each() -> list[Fact]:
    """Two depots, neither the default, and a client whose second contract is an allowance (quarterly, in arrears)."""
    wakefield = [
        _recurring("managed", "Managed Services, Wakefield depot", 1, "1150"),
        _rate("remote-rate", "Remote Support rate", REMOTE, "120"),
    ]
    hull = [_recurring("managed", "Managed Services, Hull depot", 1, "920", timing="arrears")]
    clinics = [
        _recurring("managed", "Managed Services", 30, "36"),
        _recurring("backup", "Server backup", 6, "55", timing="arrears", account="4300"),
    ]
    return [
        _contract("tarn", "wakefield", "Wakefield depot", wakefield, is_default=False),
        _contract("tarn", "hull", "Hull depot", hull, is_default=False),
        _contract("yarrow", "managed", "Managed Services", clinics),
        _contract("yarrow", "hours", "Clinical systems hours", [_allowance()], is_default=False, frequency="quarterly"),
    ]


def _nothing_due() -> list[Fact]:
    first_of_june = date(2026, 6, 1)
    practice = [_recurring("managed", "Managed Services", 12, "42")]
    remote = [_rate("remote-rate", "Remote Support rate", REMOTE, "165", currency="EUR")]
    return [
        _contract("ferncliffe", "managed", "Managed Services", practice, effective_from=first_of_june),
        _contract("liffey", "support", "Support on demand", remote, currency="EUR"),
    ]


def _contract(
    client_id: str,
    key: str,
    name: str,
    lines: list[Fields],
    *,
    frequency: str = "monthly",
    currency: str = "GBP",
    is_default: bool = True,
    revision: int = 1,
    effective_from: date = GO_LIVE,
) -> Fact:
    """One full state; a first revision starts the contract on the day it takes effect."""
    contract_id = f"{client_id}-{key}"
    said_on = date(2026, 4, 29) if effective_from == GO_LIVE else effective_from - timedelta(days=4)
    occurred_at = datetime.combine(said_on, time(14), UTC)
    fields = {
        **envelope("psa", occurred_at, "ContractDefined", contract_id, revision),
        "client_id": client_id,
        "contract_id": contract_id,
        "revision": revision,
        "effective_from": effective_from,
        "name": name,
        "currency": currency,
        "is_default": is_default,
        "starts_on": effective_from if revision == 1 else GO_LIVE,
        "ends_on": None,
        "frequency": frequency,
        "anchor_day": 1,
        "anchor_month": None,
        "prices_include_tax": False,
        "purchase_order": None,
        "lines": lines,
    }
    return "daybook.contracts", "ContractDefined", fields


def _line(
    kind: str,
    line_id: str,
    description: str,
    *,
    account: str,
    timing: str = "arrears",
    frequency: str | None = None,
    tax_code: str | None = None,
    **own: Any,
) -> Fields:
    return {
        "type": kind,
        "line_id": line_id,
        "description": description,
        "tax_code": tax_code,
        "account": account,
        "timing": timing,
        "starts_on": None,
        "ends_on": None,
        "frequency": frequency,
        "unit_cost": None,
        **own,
    }


def _recurring(
    line_id: str,
    description: str,
    quantity: int,
    unit_price: str,
    *,
    timing: str = "advance",
    frequency: str | None = None,
    account: str = "4000",
    tax_code: str | None = None,
    prorate: bool = True,
) -> Fields:
    return _line(
        "RecurringLine",
        line_id,
        description,
        account=account,
        timing=timing,
        frequency=frequency,
        tax_code=tax_code,
        quantity=Decimal(quantity),
        unit_price=Decimal(unit_price),
        prorate=prorate,
    )


def _rate(line_id: str, description: str, charge_type: str, rate: str, *, currency: str = "GBP") -> Fields:
    account = "4200" if charge_type == PROJECT else "4100"
    rates = {currency: Decimal(rate)}
    return _line("RateLine", line_id, description, account=account, charge_type=charge_type, rates=rates)


def _allowance() -> Fields:
    # Twenty hours a quarter, paid for in arrears: nothing of it falls due before 31 July, and May's time is inside it,
    # so that the day allowances are computed May's total stays what it is.
    return _line(
        "AllowanceLine",
        "clinical-hours",
        "Clinical systems hours, 20 a quarter",
        account="4100",
        charge_types=[REMOTE, EMERGENCY],
        included_minutes=1200,
        per="quarter",
        price=Decimal("2100"),
        rollover_periods=0,
        rollover_cap_minutes=None,
        overage="standard",
        draw_order=0,
        warn_at_percent=80,
    )

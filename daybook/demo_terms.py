"""How the demo writes a contract: its full state and the kinds of line it uses."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from daybook.demo_catalogue import EMERGENCY, PROJECT, REMOTE, RENEWED_ON, Fact, Fields, envelope
from daybook.demo_seats import DEVICES


def contract(
    client_id: str,
    key: str,
    name: str,
    lines: list[Fields],
    *,
    frequency: str = "monthly",
    currency: str = "GBP",
    is_default: bool = True,
    revision: int = 1,
    effective_from: date = RENEWED_ON,
    ends_on: date | None = None,
) -> Fact:
    """One full state; a first revision starts the contract on the day it takes effect."""
    contract_id = f"{client_id}-{key}"
    said_on = date(2026, 4, 29) if effective_from == RENEWED_ON else effective_from - timedelta(days=4)
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
        "starts_on": effective_from if revision == 1 else RENEWED_ON,
        "ends_on": ends_on,
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


def recurring(
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
    """A fee each period."""
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


def seats(
    line_id: str,
    description: str,
    product: str,
    unit_price: str,
    *,
    systems: tuple[str, ...],
    policy: str = "daily",
    timing: str = "advance",
) -> Fields:
    """A line for each seat of a product, as counted by the first of these systems that has ever reported."""
    return _line(
        "SeatLine",
        line_id,
        description,
        account="4000",
        timing=timing,
        frequency="monthly",
        product=product,
        systems=list(systems),
        unit_price=Decimal(unit_price),
        tiers=[],
        tier_mode=None,
        policy=policy,
        minimum_quantity=None,
        term_months=12,
    )


def devices() -> Fields:
    """Thornfield's devices: 65.00 for each that the RMM counts on the month's last day, in arrears."""
    return seats(
        "devices",
        "Managed devices",
        DEVICES,
        "65",
        systems=("rmm", "intune", "entra"),
        policy="snapshot",
        timing="arrears",
    )


def rate(line_id: str, description: str, charge_type: str, rate: str, *, currency: str = "GBP") -> Fields:
    """The contract's own rate for a charge type."""
    account = "4200" if charge_type == PROJECT else "4100"
    rates = {currency: Decimal(rate)}
    return _line("RateLine", line_id, description, account=account, charge_type=charge_type, rates=rates)


def allowance() -> Fields:
    """Yarrow's hours."""
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

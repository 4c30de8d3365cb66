"""One-off charges of the demo MSP in May: logged, approved, and waiting until Daybook bills charges."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final

from daybook.demo_catalogue import STANDARD, Fact, Fields, envelope

_LOGGED_AT: Final = time(16)


def charges() -> list[Fact]:
    """Two laptops that Wexcombe bought, and a train ticket that nobody has looked at yet."""
    laptops, approved = _charge("wexcombe", "CH-501", date(2026, 5, 20), "Laptop, 14 inch", 2, "each", "845", "4400")
    ticket, _ = _charge("fenwick", "CH-502", date(2026, 5, 27), "Train to Newcastle", 1, "each", "61.20", "4500")
    return [laptops, approved, ticket]


def _charge(
    client_id: str, charge_id: str, day: date, description: str, quantity: int, unit: str, price: str, account: str
) -> tuple[Fact, Fact]:
    def fact(record: str, **own: object) -> Fact:
        head = envelope("psa", datetime.combine(day, _LOGGED_AT, UTC), record, client_id, charge_id)
        fields: Fields = {**head, "client_id": client_id, "charge_id": charge_id, "revision": 1, **own}
        return "daybook.charges", record, fields

    logged = fact(
        "ChargeLogged",
        contract_id=None,
        project_id=None,
        description=description,
        charged_on=day,
        quantity=Decimal(quantity),
        unit=unit,
        unit_price=Decimal(price),
        currency="GBP",
        unit_cost=None,
        tax_code=STANDARD,
        account=account,
    )
    return logged, fact("ChargeApproved", approver_id="service-manager")
